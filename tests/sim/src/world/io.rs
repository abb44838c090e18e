//! The data path: reads and writes that go through maps, each with the LUN it is meant for.

use std::rc::Rc;
use std::time::Duration;

use libmp::types::{DevT, Instant};

use super::World;
use super::disk::{Fate, LunId};
use super::mpath::Change;

/// One read or write, tagged with the map that its sender opened, and its WWID.
#[derive(Debug, Clone)]
pub struct Bio {
    pub minor: u32,
    /// Of the device: its minor may have become another one's.
    pub device: u64,
    pub wwid: Rc<str>,
    /// Is it a look by udev's rules, which nobody misses?
    pub by_udev: bool,
    /// When it was last sent to a path.
    pub sent: Instant,
}

/// How one ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub bio: Bio,
    /// Where it went, and through which disk; `None`: an error.
    pub reached: Option<(LunId, String)>,
}

impl World {
    /// Somebody reads or writes through the map of this minor.
    pub fn write(&mut self, minor: u32) {
        self.send(minor, false);
    }

    /// udev's rules look at what is on a map.
    pub fn look(&mut self, minor: u32) {
        self.send(minor, true);
    }

    fn send(&mut self, minor: u32, by_udev: bool) {
        let Some(device) = self.dm.devices.get(&minor) else { return };
        let Some(wwid) = device.wwid() else { return };
        let bio = Bio { minor, device: device.number, wwid: wwid.into(), by_udev, sent: self.now };
        self.submit(bio);
        self.settle();
    }

    fn submit(&mut self, mut bio: Bio) {
        bio.sent = self.now;
        loop {
            let device = self.dm.devices.get_mut(&bio.minor).filter(|d| d.number == bio.device);
            // Its map is gone; the number may be another one's by now.
            let Some(device) = device else { return self.end(bio, None) };
            if device.is_stopped() {
                return device.queued.push(bio);
            }
            let Some(target) = device.mpath_mut() else { return self.end(bio, None) };
            let Some(disk) = target.choose() else {
                if target.queue_if_no_path {
                    return device.queued.push(bio);
                }
                return self.end(bio, None);
            };
            let found = self.by_devt.get(&disk.devt).and_then(|name| self.disks.get_mut(name));
            let found = found.filter(|d| d.generation == disk.generation);
            match found.map(|found| (found.fate(&self.luns), found)) {
                Some((Fate::Done(lun), found)) => {
                    let via = found.name.clone();
                    return self.end(bio, Some((lun, via)));
                }
                Some((Fate::Hangs, found)) => return found.held.push(bio),
                Some((Fate::Error, _)) | None => {
                    if let Ok(change) = target.fail(disk.devt) {
                        self.dm.announce(bio.minor, change);
                    }
                }
            }
        }
    }

    /// I/O that had hung on a disk goes on: by another way, if the map sends any.
    fn goes_on(&mut self, bio: Bio, (devt, via): (DevT, String), fate: Fate) {
        let device = self.dm.devices.get_mut(&bio.minor);
        let Some(device) = device.filter(|d| d.number == bio.device && d.suspending) else {
            return self.submit(bio);
        };
        match fate {
            Fate::Done(lun) if *self.luns[lun].identity.wwid == *bio.wwid => self.end(bio, Some((lun, via))),
            _ => {
                let change = device.mpath_mut().and_then(|target| target.fail(devt).ok());
                let minor = bio.minor;
                device.queued.push(bio);
                self.dm.announce(minor, change.unwrap_or(Change::Silent));
            }
        }
    }

    fn end(&mut self, bio: Bio, reached: Option<(LunId, String)>) {
        self.outcomes.push(Outcome { bio, reached });
    }

    /// I/O that has hung for so long ends with an error, and its path fails.
    pub fn give_up(&mut self, after: Duration) {
        let now = self.now;
        let mut failed = Vec::new();
        for disk in self.disks.values_mut() {
            let old = |bio: &mut Bio| now.saturating_since(bio.sent) >= after;
            failed.extend(disk.held.extract_if(.., old).map(|bio| (disk.devt, bio)));
        }
        for (devt, bio) in failed {
            let failing = self
                .dm
                .devices
                .get_mut(&bio.minor)
                .filter(|d| d.number == bio.device)
                .and_then(|d| d.mpath_mut())
                .and_then(|t| t.fail(devt).ok());
            if let Some(change) = failing {
                self.dm.announce(bio.minor, change);
            }
            self.submit(bio);
        }
        self.settle();
    }

    /// Is I/O of this map on its way to some disk?
    pub fn in_flight(&self, minor: u32) -> bool {
        let number = self.dm.devices.get(&minor).map(|device| device.number);
        !self.calm && self.disks.values().any(|d| d.held.iter().any(|bio| Some(bio.device) == number))
    }

    /// After anything changed: I/O that waited for it goes on, until nothing moves any more.
    pub fn settle(&mut self) {
        if self.calm {
            return;
        }
        loop {
            let (mut back, mut ready) = (Vec::new(), Vec::new());
            for disk in self.disks.values_mut().filter(|disk| !disk.held.is_empty()) {
                let fate = disk.fate(&self.luns);
                if fate != Fate::Hangs {
                    let of = (disk.devt, disk.name.clone());
                    back.extend(disk.held.drain(..).map(|bio| (bio, of.clone(), fate)));
                }
            }
            for device in self.dm.devices.values_mut() {
                let goes = !device.is_stopped()
                    && device.mpath().is_none_or(|t| !t.queue_if_no_path || t.valid_paths() > 0);
                if goes {
                    ready.append(&mut device.queued);
                }
            }
            if back.is_empty() && ready.is_empty() {
                break;
            }
            for (bio, of, fate) in back {
                self.goes_on(bio, of, fate);
            }
            for bio in ready {
                self.submit(bio);
            }
        }
        let now = self.now;
        for device in self.dm.devices.values_mut() {
            let lost = device.mpath().is_some_and(|t| t.valid_paths() == 0);
            device.no_path_since = if lost { device.no_path_since.or(Some(now)) } else { None };
        }
    }
}
