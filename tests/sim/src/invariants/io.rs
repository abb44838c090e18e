//! Reads and writes that went through maps, and maps that hold them.

use std::time::Duration;

use libmp::types::Instant;

use super::{Known, Violation, Watch};
use crate::conf::{Conf, Retry};
use crate::world::World;
use crate::world::dm::Device;
use crate::world::io::{Bio, Outcome};
use crate::world::mpath::Mpath;

/// The daemon has so long to act on what it was told.
pub(super) const REACTION: Duration = Duration::from_secs(30);

impl Watch {
    /// One read or write ended.
    pub fn outcome(&mut self, world: &World, conf: &Conf, outcome: &Outcome) -> Result<(), Violation> {
        let minor = outcome.bio.minor;
        let Some((lun, via)) = &outcome.reached else { return self.error(world, conf, &outcome.bio) };
        let (meant, is) = (&*outcome.bio.wwid, &world.luns[*lun].identity.wwid);
        if meant == is {
            return Ok(());
        }
        // Before the daemon could know, nobody could help it.
        let told = self.paths.get(via).and_then(|known| known.is_of(is));
        let Some(told) = told.filter(|_| !self.dead) else { return Ok(()) };
        if world.now.saturating_since(self.free_since(minor, told)) > REACTION {
            let detail =
                format!("I/O for {meant} reached {is} through {via}, known for {:?}", world.now - told);
            return Err(Violation::new("io-reaches-its-lun", detail));
        }
        Ok(())
    }

    pub(super) fn free_since(&self, minor: u32, since: Instant) -> Instant {
        let excused = self.excused.get(&minor).copied().unwrap_or(self.born);
        since.max(excused).max(self.born).max(self.surveyed)
    }

    fn error(&self, world: &World, conf: &Conf, bio: &Bio) -> Result<(), Violation> {
        // Its map may be gone, and another one have the number.
        let device = world.dm.devices.get(&bio.minor).filter(|device| device.number == bio.device);
        let Some((device, wwid)) = device.and_then(|device| Some((device, device.wwid()?))) else {
            return Ok(());
        };
        let may = conf.retry != Retry::Queue
            || self.disabled.contains(wwid)
            || self.dead
            || self.is_changed(wwid)
            || self.is_held_up(world, wwid)
            || world.now.saturating_since(self.free_since(bio.minor, Instant::default())) < REACTION
            || device.mpath().is_none()
            // A LUN that is excluded is not to be waited for.
            || conf.blacklist.contains(wwid)
            || (conf.flush_on_last_del != "never" && !self.has_path(world.now, device, wwid));
        if may {
            return Ok(());
        }
        Err(Violation::new("no-error-while-queueing", format!("{}: I/O failed", device.name)))
    }

    /// Is one of the map's paths known, and its LUN's, for so long that it can't be taken for one without any?
    fn has_path(&self, now: Instant, device: &Device, wwid: &str) -> bool {
        let is_its = |known: &Known| {
            known.wwid.as_ref().is_some_and(|(shown, since)| {
                shown == wwid && now.saturating_since(self.free_since(device.minor, *since)) > REACTION
            })
        };
        let mut paths = device.mpath().into_iter().flat_map(Mpath::paths);
        paths.any(|path| self.known_by_devt(path.disk.devt).is_some_and(|(_, known)| is_its(known)))
    }

    /// Somebody else did something to a map: the daemon has time to notice.
    pub fn excuse(&mut self, now: Instant, minor: u32) {
        self.excused.insert(minor, now);
    }

    pub(super) fn queues(&mut self, world: &World, conf: &Conf) -> Result<(), Violation> {
        if self.dead {
            return Ok(());
        }
        let settling = self.is_settling();
        for device in world.dm.devices.values().filter(|d| d.wwid().is_some()) {
            if settling || self.is_held_up(world, device.wwid().unwrap_or_default()) {
                self.excused.insert(device.minor, world.now);
                continue;
            }
            let (Some(since), Some(target)) = (device.no_path_since, device.mpath()) else { continue };
            let Some(limit) = conf.queues_for().filter(|_| target.queue_if_no_path) else { continue };
            let free = self.free_since(device.minor, since);
            if world.now.saturating_since(free) > limit + REACTION {
                let detail = format!("{} queues without a path for {:?}", device.name, world.now - since);
                return Err(Violation::new("queueing-ends", detail));
            }
        }
        Ok(())
    }
}
