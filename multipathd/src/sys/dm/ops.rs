//! The operations of [`DmOp`], step by step. Each ends with the map read back.

use std::borrow::Cow;
use std::time::Duration;

use libmp::core::event::{DmDone, DmFailure};
use libmp::dm::op::{DmOp, Load, MapListEntry, RENAME, RawMap, SUSPENDED_SINCE, Seen, UdevFlags};
use libmp::types::{Errno, PathName};
use tracing::{debug, warn};

use super::abi::{
    Answer, Command, NOFLUSH, Question, READONLY, SKIP_LOCKFS, SUSPEND, UEVENT_GENERATED, encode_target,
    kernel_name,
};
use super::cookie::Cookie;
use super::create::Begun;
use super::modules::{Modules, modprobe};
use super::read::{by_kernel_name, by_name, by_uuid};
use super::{Control, holders, node};
use crate::sys::{claims, errno_of};

/// udev gets so long for one operation; then its link is made in its place.
pub(super) const UDEV_LIMIT: Duration = Duration::from_secs(10);

/// Flags to udev's rules, in the high half of the event number.
const DISABLE_LIBRARY_FALLBACK: u32 = 0x20;
const PRIMARY_SOURCE: u32 = 0x40;
const SUBSYSTEM_FLAG0: u32 = 0x100;
const SUBSYSTEM_FLAG1: u32 = 0x200;
const SUBSYSTEM_FLAG2: u32 = 0x400;

/// Whether a caller waits until udev has seen the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    ForUdev,
    No,
}

/// Performs operations on maps. Its calls may block.
#[derive(Debug)]
pub struct Mapper {
    control: Control,
    modules: Modules,
}

impl Mapper {
    /// Opens the control device and sees to it that the multipath target is there.
    /// The error is a line for the operator.
    pub fn open() -> Result<Self, String> {
        let control = Control::open().or_else(|_| {
            modprobe("dm-mod");
            Control::open()
        });
        let control = control.map_err(|errno| {
            format!("device-mapper is not available (/dev/mapper/control: {errno}): load it with `modprobe dm-mod`")
        })?;
        let version = control
            .call(Command::Version, &Question::default())
            .map_err(|errno| format!("device-mapper does not answer: {errno}"))?;
        debug!(?version.flags, "device-mapper is there");
        let mapper = Self { control, modules: Modules::default() };
        if !mapper.has_multipath() {
            modprobe("dm-multipath");
            if !mapper.has_multipath() {
                return Err(
                    "device-mapper has no multipath target: load it with `modprobe dm-multipath`".into()
                );
            }
        }
        Ok(mapper)
    }

    /// Reads what operations may need of the root file system, which may stand on a map that has no path by then.
    pub fn foresee(&self) {
        let _ = (self.modules.built_in(), node::udev_answers());
    }

    /// Asking for the target's version loads its module.
    fn has_multipath(&self) -> bool {
        let question = Question { name: "multipath", room: 256, ..Question::default() };
        match self.control.call(Command::TargetVersion, &question) {
            Ok(_) => true,
            // A kernel before 5.0 can't be asked; the first load will tell.
            Err(errno) => errno.0 == libc::ENOTTY,
        }
    }

    /// All devices of device-mapper.
    pub fn list(&self) -> Result<Vec<MapListEntry>, Errno> {
        self.control.list()
    }

    /// One map, whole; `None` where there is none of this UUID.
    pub fn read(&self, uuid: &str) -> Result<Option<RawMap>, Errno> {
        self.control.read(uuid)
    }

    /// One map as an operation's answer has it.
    pub fn seen(&self, uuid: &str, op: &DmOp) -> Result<Option<Seen>, Errno> {
        Ok(self.read(uuid)?.map(|raw| op.seen(raw)))
    }

    /// Performs one operation on the map of this UUID.
    pub fn perform(&self, uuid: &str, op: &DmOp) -> DmDone {
        match self.begin(uuid, op) {
            Begun::Done(done) => *done,
            Begun::Announced(made) => {
                made.wait();
                self.end(uuid, &made)
            }
        }
    }

    /// Performs one operation, but for what a new map has to wait for.
    pub fn begin(&self, uuid: &str, op: &DmOp) -> Begun {
        let result = match op {
            DmOp::Create { name, load, flags, access, beside } => {
                let unused = unused_elsewhere(beside);
                match unused.and_then(|()| self.create(name, uuid, load, *flags, *access)) {
                    Ok(made) => return Begun::Announced(made),
                    Err(why) => Err(why),
                }
            }
            _ => self.steps(uuid, op),
        };
        Begun::Done(Box::new(DmDone { result, map: self.seen(uuid, op) }))
    }

    fn steps(&self, uuid: &str, op: &DmOp) -> Result<(), DmFailure> {
        match op {
            DmOp::Reload { load, flags, flush, wake } => {
                // What a new table has to wait for, if anything.
                let suspend = if *flush { 0 } else { NOFLUSH };
                self.reload(uuid, load, *flags, (suspend | SKIP_LOCKFS, *wake))
            }
            DmOp::Rename { to, flags } => self.rename(uuid, to.as_str(), *flags),
            DmOp::Remove { deferred } => self.remove_with_partitions(uuid, *deferred),
            DmOp::CancelRemove => self.cancel_removal(uuid),
            DmOp::Message { messages } => messages.iter().try_for_each(|message| self.message(uuid, message)),
            DmOp::Suspend => {
                let question = Question { flags: SUSPEND | NOFLUSH | SKIP_LOCKFS, ..by_uuid(uuid) };
                self.step("suspend", Command::Suspend, &question).map(drop)
            }
            DmOp::Resume { flags } => self.resume(uuid, *flags, 0, Wait::No),
            DmOp::RenamePartitions { names } => self.rename_partitions(names),
            DmOp::Reassign { paths } => self.reassign(uuid, paths),
            DmOp::Query { .. } | DmOp::Create { .. } => Ok(()),
        }
    }

    pub(super) fn call(&self, command: Command, question: &Question<'_>) -> Result<Answer, Errno> {
        self.control.call(command, question)
    }

    pub(super) fn step(
        &self,
        step: &str,
        command: Command,
        question: &Question<'_>,
    ) -> Result<Answer, DmFailure> {
        self.control.call(command, question).map_err(|errno| DmFailure::new(step, errno))
    }

    pub(super) fn load(&self, uuid: &str, load: &Load) -> Result<Answer, DmFailure> {
        let payload = encode_target(0, load.sectors, "multipath", &load.params);
        let flags = if load.read_only { READONLY } else { 0 };
        let question = Question { flags, target_count: 1, payload: &payload, ..by_uuid(uuid) };
        let loaded = self.step("load", Command::Load, &question);
        loaded.map_err(|why| {
            let missing =
                if why.errno == Errno::EINVAL { self.modules.refused(&load.params) } else { Vec::new() };
            // No path is to blame then: that is a step of its own.
            if missing.is_empty() {
                why
            } else {
                DmFailure::new(&format!("load without {}", missing.join(", ")), why.errno)
            }
        })
    }

    /// The kernel suspends, swaps the tables and resumes in *one* call when a resume finds a table
    /// loaded: a daemon that is killed in between leaves no map suspended. It does so, too, when somebody else has suspended the map:
    /// the load's answer tells, and nothing is closer to that call.
    fn reload(
        &self,
        uuid: &str,
        load: &Load,
        flags: UdevFlags,
        (suspend, wake): (u32, bool),
    ) -> Result<(), DmFailure> {
        let loaded = self.load(uuid, load)?;
        if loaded.has(SUSPEND) && !wake {
            let _ = self.control.call(Command::Clear, &by_uuid(uuid));
            return Err(DmFailure::new(SUSPENDED_SINCE, Errno::EBUSY));
        }
        let swapped = self.resume(uuid, flags, suspend, Wait::No);
        if swapped.is_err() {
            // The kernel gives up in the middle and leaves the map suspended, its old table live.
            let _ = self.control.call(Command::Clear, &by_uuid(uuid));
            if let Err(why) = self.resume(uuid, flags, 0, Wait::No) {
                warn!("{uuid}: it could not be resumed: {}", why.errno);
            }
        }
        swapped
    }

    fn resume(&self, uuid: &str, flags: UdevFlags, suspend: u32, wait: Wait) -> Result<(), DmFailure> {
        let question = Question { flags: suspend, ..by_uuid(uuid) };
        self.announced("resume", Command::Suspend, &question, udev_bits(flags), wait).map(drop)
    }

    /// Of all calls the kernel takes only this one's device by its name.
    fn rename(&self, uuid: &str, to: &str, flags: UdevFlags) -> Result<(), DmFailure> {
        let from = self.step("look up", Command::Status, &by_uuid(uuid))?;
        self.rename_one(&from, to, flags)
    }

    pub(super) fn rename_one(&self, from: &Answer, to: &str, flags: UdevFlags) -> Result<(), DmFailure> {
        let name = new_name(RENAME, to)?;
        let mut payload = name.as_bytes().to_vec();
        payload.push(0);
        let question = Question { payload: &payload, ..by_kernel_name(&from.kernel_name) };
        self.announced(RENAME, Command::Rename, &question, udev_bits(flags), Wait::ForUdev)?;
        self.remove_node(&from.kernel_name);
        if let Err(error) = node::ensure(&name, from.devt) {
            warn!("{to}: its node in /dev/mapper could not be made: {error}");
        }
        Ok(())
    }

    /// One that has gone meanwhile is as it should be.
    pub(super) fn remove(&self, uuid: &str, flags: u32) -> Result<(), DmFailure> {
        let question = Question { flags, ..by_uuid(uuid) };
        match self.announced("remove", Command::Remove, &question, 0, Wait::ForUdev) {
            Ok(removed) => self.remove_node(&removed.kernel_name),
            Err(why) if why.errno == Errno::ENXIO => {}
            Err(why) => return Err(self.with_holders(uuid, why)),
        }
        Ok(())
    }

    pub(super) fn with_holders(&self, uuid: &str, why: DmFailure) -> DmFailure {
        if why.errno != Errno::EBUSY {
            return why;
        }
        let device = self.control.call(Command::Status, &by_uuid(uuid));
        DmFailure { holders: device.map(|device| holders::of(device.devt)).unwrap_or_default(), ..why }
    }

    /// A device cannot be made where another has its name or its UUID: which.
    pub(super) fn with_namesakes(&self, name: &str, uuid: &str, why: DmFailure) -> DmFailure {
        if why.errno != Errno::EBUSY {
            return why;
        }
        let named = self.control.call(Command::Status, &by_name(name)).ok();
        let named = named.map(|device| format!("device {} has the name", device.devt));
        let same = self.control.call(Command::Status, &by_uuid(uuid)).ok();
        let same = same.map(|device| format!("{} has the UUID", device.name));
        DmFailure { holders: named.into_iter().chain(same).collect(), ..why }
    }

    /// Removes the node of a name of the kernel, unless a device has the name: a removal that is deferred, or
    /// another map by now.
    fn remove_node(&self, name: &str) {
        if matches!(self.control.call(Command::Status, &by_kernel_name(name)), Err(Errno::ENXIO)) {
            node::remove(name);
        }
    }

    pub(super) fn message(&self, uuid: &str, message: &str) -> Result<(), DmFailure> {
        let mut payload = 0_u64.to_ne_bytes().to_vec();
        payload.extend_from_slice(message.as_bytes());
        payload.push(0);
        let question = Question { payload: &payload, ..by_uuid(uuid) };
        let step = format!("message {message}");
        self.step(&step, Command::Message, &question).map(drop)
    }

    /// A call that udev hears of.
    pub(super) fn announced(
        &self,
        step: &str,
        command: Command,
        question: &Question<'_>,
        bits: u32,
        wait: Wait,
    ) -> Result<Answer, DmFailure> {
        let cookie = (wait == Wait::ForUdev).then(new_cookie).flatten();
        let (answer, cookie) = self.tell_udev(step, command, question, bits, cookie)?;
        if let Some(cookie) = cookie
            && let Err(errno) = cookie.wait(UDEV_LIMIT)
        {
            debug!("{}: udev has not finished with it in {UDEV_LIMIT:?}: {errno}", answer.name);
        }
        Ok(answer)
    }

    /// The same, and what is to be waited for, if anything.
    pub(super) fn tell_udev(
        &self,
        step: &str,
        command: Command,
        question: &Question<'_>,
        bits: u32,
        cookie: Option<Cookie>,
    ) -> Result<(Answer, Option<Cookie>), DmFailure> {
        let event_nr = (bits | PRIMARY_SOURCE | DISABLE_LIBRARY_FALLBACK) << 16
            | cookie.as_ref().map_or(0, Cookie::base);
        let answer = self.step(step, command, &Question { event_nr, ..*question })?;
        let cookie = cookie.filter(|_| answer.has(UEVENT_GENERATED));
        Ok((answer, cookie))
    }
}

/// A name that the kernel is to have. It would take one with a slash that is mangled, which no other tool makes.
pub(super) fn new_name<'a>(step: &str, name: &'a str) -> Result<Cow<'a, str>, DmFailure> {
    let plain = if name.contains('/') { Err(Errno::EINVAL) } else { Ok(name) };
    plain.and_then(kernel_name).map_err(|errno| DmFailure::new(step, errno))
}

/// `None` where udev does not answer, or nothing is to be had.
pub(super) fn new_cookie() -> Option<Cookie> {
    let made = node::udev_answers().then(Cookie::new)?;
    made.inspect_err(|errno| debug!("no semaphore to wait for udev with: {errno}")).ok()
}

pub(super) const fn udev_bits(flags: UdevFlags) -> u32 {
    (if flags.reload { SUBSYSTEM_FLAG0 } else { 0 })
        | (if flags.skip_kpartx { SUBSYSTEM_FLAG1 } else { 0 })
        | (if flags.no_paths { SUBSYSTEM_FLAG2 } else { 0 })
}

/// What the kernel says of the disks in a table, of those that are not in it: does something else use one?
fn unused_elsewhere(disks: &[PathName]) -> Result<(), DmFailure> {
    for disk in disks {
        if claims::is_in_use(disk).map_err(|error| DmFailure::new("load", errno_of(&error)))? {
            let holders = vec![format!("{disk} is in use")];
            return Err(DmFailure { holders, ..DmFailure::new("load", Errno::EBUSY) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_kernel_is_not_given() {
        assert_eq!(new_name("create", "my disk").as_deref(), Ok(r"my\x20disk"));
        assert_eq!(new_name("create", "a/b"), Err(DmFailure::new("create", Errno::EINVAL)));
        assert!(new_name("rename", &"ü".repeat(16)).is_err_and(|why| why.errno.0 == libc::ENAMETOOLONG));
    }

    #[test]
    fn udev_flags_have_their_bits() {
        let flags = UdevFlags { reload: true, skip_kpartx: false, no_paths: true };
        assert_eq!(udev_bits(flags), 0x500);
    }
}
