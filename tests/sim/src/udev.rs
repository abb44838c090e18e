//! udev: rules that take their time, a database, and a socket that overflows.

use std::collections::BTreeMap;
use std::time::Duration;

use libmp::core::event::{Uevent, UeventAction};
use libmp::types::{Instant, PathName};

use crate::world::World;
use crate::world::dm::{MAJOR, Signal};
use crate::world::mpath::Change;

/// A kernel event on its way through udev.
#[derive(Debug, Clone)]
pub enum KernelEvent {
    Disk(UeventAction, String),
    Dm(Signal),
}

impl KernelEvent {
    /// The device: its events are handled one after another.
    pub fn device(&self) -> String {
        match self {
            Self::Disk(_, name) => name.clone(),
            Self::Dm(
                Signal::Added { minor }
                | Signal::Changed { minor, .. }
                | Signal::PathEvent { minor, .. }
                | Signal::Removed { minor, .. },
            ) => format!("dm-{minor}"),
        }
    }
}

/// Keeps the order that udev keeps.
#[derive(Debug, Default)]
pub struct Udev {
    busy: BTreeMap<String, Instant>,
    last_sent: Instant,
    /// Every message until then is lost.
    pub deaf_until: Option<Instant>,
    sequence: u64,
}

impl Udev {
    /// When the rules for an event are through, if they run for `latency`.
    pub fn through_at(&mut self, now: Instant, device: String, latency: Duration) -> Instant {
        let start = self.busy.get(&device).copied().unwrap_or(now).max(now);
        let end = start + latency;
        self.busy.insert(device, end);
        end
    }

    /// When the message about it arrives: messages don't overtake each other.
    pub fn arrives_at(&mut self, at: Instant) -> Instant {
        self.last_sent = self.last_sent.max(at);
        self.last_sent
    }

    /// The rules have run: the database is up to date; this is the message.
    pub fn process(&mut self, world: &mut World, event: &KernelEvent) -> Option<Uevent> {
        self.sequence += 1;
        match event {
            KernelEvent::Disk(UeventAction::Add | UeventAction::Change, name)
                if world.disks.get(name).is_some_and(|disk| disk.unlooked) =>
            {
                None
            }
            KernelEvent::Disk(action, name) => Some(Self::disk(world, *action, name)),
            KernelEvent::Dm(signal) => self.map(world, signal),
        }
    }

    fn disk(world: &mut World, action: UeventAction, name: &str) -> Uevent {
        let luns = &world.luns;
        let properties = match world.disks.get_mut(name) {
            Some(disk) if action != UeventAction::Remove => {
                // scsi_id asks the device; one that doesn't answer leaves what sysfs knows.
                let asked = disk.is_healthy(luns).then_some(disk.lun).flatten();
                let identity = asked.map_or(&disk.scanned, |lun| &luns[lun].identity);
                disk.in_udev = Some(identity.clone());
                // The rules ask `multipath -u`: a disk in a table is a path. Of the others it knows nothing here, or only that
                // each is to be one of which a map could be made.
                disk.claimed = world.dm.uses(disk.devt)
                    || (world.rules_greedy && !world.files.failed.contains(&identity.wwid));
                disk.properties()
            }
            _ => [("DEVTYPE", "disk"), ("SUBSYSTEM", "block")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into_iter()
                .chain([("DEVNAME".to_owned(), format!("/dev/{name}"))])
                .collect(),
        };
        Uevent { action, name: PathName::new(name), properties, own: false }
    }

    fn map(&self, world: &World, signal: &Signal) -> Option<Uevent> {
        let mut properties = BTreeMap::new();
        let mut set = |key: &str, value: String| {
            properties.insert(key.to_owned(), value);
        };
        set("DEVTYPE", "disk".into());
        set("SUBSYSTEM", "block".into());
        let (action, minor) = match signal {
            Signal::Removed { minor, name, uuid } => {
                set("DM_NAME", name.clone());
                set("DM_UUID", uuid.clone());
                (UeventAction::Remove, *minor)
            }
            Signal::Added { minor } | Signal::Changed { minor, .. } | Signal::PathEvent { minor, .. } => {
                let device = world.dm.devices.get(minor)?;
                set("DM_NAME", device.name.clone());
                set("DM_UUID", device.uuid.clone());
                set("DM_SUSPENDED", u8::from(device.suspended).to_string());
                let action = if matches!(signal, Signal::Added { .. }) {
                    UeventAction::Add
                } else {
                    UeventAction::Change
                };
                (action, *minor)
            }
        };
        set("DEVNAME", format!("/dev/dm-{minor}"));
        set("MAJOR", MAJOR.to_string());
        set("MINOR", minor.to_string());
        match signal {
            Signal::Changed { cookie_flags, .. } => {
                for (bit, flag) in (8..).zip(["FLAG0", "FLAG1", "FLAG2"]) {
                    if cookie_flags >> bit & 1 == 1 {
                        set(&format!("DM_SUBSYSTEM_UDEV_{flag}"), "1".into());
                    }
                }
            }
            Signal::PathEvent { change, valid, .. } => {
                let (word, devt) = match change {
                    Change::PathReinstated(devt) => ("PATH_REINSTATED", devt.to_string()),
                    Change::PathFailed(devt) => ("PATH_FAILED", devt.to_string()),
                    Change::Group | Change::Silent => return None,
                };
                set("DM_TARGET", "multipath".into());
                set("DM_ACTION", word.into());
                set("DM_PATH", devt);
                set("DM_SEQNUM", self.sequence.to_string());
                set("DM_NR_VALID_PATHS", valid.to_string());
            }
            _ => {}
        }
        let own = matches!(signal, Signal::Changed { own: true, .. });
        Some(Uevent { action, name: PathName::new(format!("dm-{minor}")), properties, own })
    }
}
