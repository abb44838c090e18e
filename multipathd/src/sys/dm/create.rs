//! A new map, in two steps: between them udev's rules look at it, and nothing but that is waited for.

use std::time::Instant;

use libmp::core::event::{DmDone, DmFailure};
use libmp::dm::op::{DmOp, Load, NodeAccess, UdevFlags};
use libmp::types::{DevT, MapName};
use tracing::{debug, warn};

use super::abi::{Command, Question};
use super::cookie::Cookie;
use super::node;
use super::ops::{Mapper, UDEV_LIMIT, new_cookie, new_name, udev_bits};
use super::read::{by_kernel_name, by_uuid};

/// What became of an operation so far.
#[derive(Debug)]
pub enum Begun {
    /// All of it.
    Done(Box<DmDone>),
    /// There is a new map, which udev has been told of.
    Announced(Announced),
}

/// A map that udev's rules look at.
#[derive(Debug)]
pub struct Announced {
    name: MapName,
    kernel_name: String,
    devt: DevT,
    access: NodeAccess,
    cookie: Option<Cookie>,
    since: Instant,
}

impl Announced {
    /// The number in its `dm-N`.
    pub const fn minor(&self) -> u32 {
        self.devt.minor
    }

    /// What udev's messages about its making call that (see [`is_of`]); `None` where udev is not waited for.
    pub fn cookie(&self) -> Option<u32> {
        self.cookie.as_ref().map(Cookie::base)
    }

    /// Has udev finished with it, or had the time for that?
    pub fn is_over(&self) -> bool {
        let Some(cookie) = self.cookie.as_ref().filter(|cookie| !cookie.is_down()) else { return true };
        let over = self.since.elapsed() >= UDEV_LIMIT;
        if over {
            debug!("{}: udev has not finished with it in {UDEV_LIMIT:?} ({})", self.name, cookie.base());
        }
        over
    }

    /// Waits until then.
    pub(super) fn wait(&self) {
        if let Some(cookie) = &self.cookie
            && let Err(errno) = cookie.wait(UDEV_LIMIT.saturating_sub(self.since.elapsed()))
        {
            debug!("{}: udev has not finished with it in {UDEV_LIMIT:?}: {errno}", self.name);
        }
    }
}

/// Is a message of udev with this `DM_COOKIE`, which has flags above, about the operation with that cookie?
pub const fn is_of(dm_cookie: u32, cookie: u32) -> bool {
    dm_cookie & 0xffff == cookie
}

impl Mapper {
    pub(super) fn create(
        &self,
        name: &MapName,
        uuid: &str,
        load: &Load,
        flags: UdevFlags,
        access: NodeAccess,
    ) -> Result<Announced, DmFailure> {
        let kernel_name = new_name("create", name.as_str())?.into_owned();
        let made = self.step("create", Command::Create, &Question { uuid, ..by_kernel_name(&kernel_name) });
        let made = made.map_err(|why| self.with_namesakes(name.as_str(), uuid, why))?;
        let resume =
            || self.tell_udev("resume", Command::Suspend, &by_uuid(uuid), udev_bits(flags), new_cookie());
        match self.load(uuid, load).and_then(|_| resume()) {
            Ok((_, cookie)) => {
                let (name, devt, since) = (name.clone(), made.devt, Instant::now());
                Ok(Announced { name, kernel_name, devt, access, cookie, since })
            }
            Err(why) => {
                // Nobody has seen it yet: without a table it is only in the way.
                if let Err(errno) = self.call(Command::Remove, &by_uuid(uuid)) {
                    warn!("{name}: a map without a table could not be removed: {errno}");
                }
                Err(why)
            }
        }
    }

    /// What is left to do when udev has finished.
    pub fn end(&self, uuid: &str, made: &Announced) -> DmDone {
        let Announced { name, kernel_name, devt, access, .. } = made;
        // Somebody may have removed it meanwhile, and made another of that name: its node is none of ours.
        let is_there = || {
            let seen = self.call(Command::Status, &by_uuid(uuid));
            seen.is_ok_and(|seen| seen.devt == *devt && seen.kernel_name == *kernel_name)
        };
        if !node::is_right(kernel_name, *devt)
            && is_there()
            && let Err(error) = node::ensure(kernel_name, *devt)
        {
            warn!("{name}: its node in /dev/mapper could not be made: {error}");
        }
        if *access != NodeAccess::default()
            && node::is_right(kernel_name, *devt)
            && let Err(error) = node::set_access(kernel_name, *access)
        {
            warn!("{name}: the access rights of its node could not be set: {error}");
        }
        DmDone { result: Ok(()), map: self.seen(uuid, &DmOp::READ) }
    }
}
