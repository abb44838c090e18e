//! The simulated machine and its storage: arrays, hosts, disks, device-mapper, files.
//!
//! It has no time of its own and throws no dice: whoever owns it moves `now` and decides what
//! happens. Everything it announces is left in `block_events` and `dm.signals`.

pub mod disk;
pub mod dm;
pub mod exec;
pub mod io;
pub mod layers;
pub mod mpath;
pub mod scsi;
pub mod standing;

use std::collections::{BTreeMap, BTreeSet};

use libmp::check::{Answer, CheckRequest, RawCheck};
use libmp::core::event::{Enumeration, UeventAction};
use libmp::identify::RawProbe;
use libmp::types::{DevT, Errno, Hctl, Instant, PathName};

use disk::{Disk, Identity, Link, Lun, LunId, Reading, SdevState, name_and_number};
use layers::Layers;
use mpath::Found;

/// What survives a restart of the daemon, and of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    pub conf: String,
    pub bindings: String,
    pub wwids: String,
    /// Of the machine's run only.
    pub queueing: String,
    /// WWIDs that no map could be made of.
    pub failed: BTreeSet<String>,
}

impl Files {
    pub fn mark(&mut self, wwid: &str, failed: bool) {
        if failed {
            self.failed.insert(wwid.to_owned());
        } else {
            self.failed.remove(wwid);
        }
    }
}

/// The machine.
#[derive(Debug, Default)]
pub struct World {
    pub now: Instant,
    pub luns: Vec<Lun>,
    pub disks: BTreeMap<String, Disk>,
    /// Their names.
    by_devt: BTreeMap<DevT, String>,
    /// Numbers that disks have, or had.
    used: BTreeSet<DevT>,
    pub dm: dm::Dm,
    pub files: Files,
    /// How I/O ended, not yet looked at.
    pub outcomes: Vec<io::Outcome>,
    /// Events of disks, not yet told to udev.
    pub block_events: Vec<(UeventAction, String)>,
    /// No I/O ever waits: none is looked for.
    pub calm: bool,
    /// Loads that hang: of which map, by UUID, and the disks that they hold the numbers of.
    pub opening: BTreeMap<u64, (String, Vec<DevT>)>,
    /// udev's rules claim each disk, but those of which no map could be made.
    pub rules_greedy: bool,
    /// No index below is free.
    lowest_free: u32,
    generations: u64,
}

/// Where a new disk appears.
#[derive(Debug, Clone, Copy)]
pub struct Nexus {
    pub lun: LunId,
    pub host: u32,
    /// Index of the target port group.
    pub group: usize,
}

impl World {
    /// An empty machine.
    pub fn at(now: Instant) -> Self {
        Self { now, ..Self::default() }
    }

    /// A LUN, mapped nowhere yet.
    pub fn add_lun(&mut self, identity: Identity, groups: usize, alua: bool) -> LunId {
        let groups = (0..groups)
            .map(|n| if n == 0 { scsi::Alua::Optimized } else { scsi::Alua::NonOptimized })
            .collect();
        let groups: Vec<_> = if alua { groups } else { vec![scsi::Alua::Optimized; Vec::len(&groups)] };
        self.luns.push(Lun { identity, groups, alua, sizeless: false });
        self.luns.len() - 1
    }

    /// A disk appears; it gets the lowest index that neither a disk nor a table holds.
    pub fn add_disk(&mut self, at: Nexus) -> String {
        self.add(at, false)
    }

    /// The same of NVMe over TCP.
    pub fn add_namespace(&mut self, at: Nexus) -> String {
        self.add(at, true)
    }

    fn add(&mut self, at: Nexus, tcp: bool) -> String {
        let opened = self.dm.devices.values().flat_map(|d| d.disks().map(|r| r.devt));
        let held: BTreeSet<DevT> =
            opened.chain(self.opening.values().flat_map(|(_, disks)| disks.iter().copied())).collect();
        let free = |devt: &DevT| !held.contains(devt) && !self.by_devt.contains_key(devt);
        let mut indices = self.lowest_free..1 << 20;
        let (name, devt) =
            indices.by_ref().map(name_and_number).find(|(_, devt)| free(devt)).expect("few disks");
        if held.is_empty() {
            self.lowest_free = indices.start;
        }
        let name = if tcp { format!("nvme{}n1", at.host) } else { name };
        self.generations += 1;
        let lun_number = u64::try_from(at.lun).expect("few LUNs");
        let target = u32::try_from(at.group).expect("few groups");
        let disk = Disk {
            name: name.clone(),
            devt,
            hctl: Hctl { host: at.host, channel: 0, target, lun: lun_number },
            generation: self.generations,
            new_since: self.used.insert(devt).then_some(self.now),
            lun: Some(at.lun),
            group: at.group,
            link: Link::Up,
            state: SdevState::Running,
            reads_fail: false,
            reading: Reading::Always,
            old: false,
            late_handler: false,
            tcp,
            page_lost: false,
            unread_by_rescans: false,
            unannounced: false,
            unlooked: false,
            busy: false,
            recovering: false,
            read_only: false,
            scanned: self.luns[at.lun].scan(at.group),
            in_udev: None,
            wwn_lost: false,
            claimed: false,
            layers: Layers::default(),
            attention: None,
            held: Vec::new(),
        };
        self.disks.insert(name.clone(), disk);
        self.by_devt.insert(devt, name.clone());
        self.block_events.push((UeventAction::Add, name.clone()));
        name
    }

    /// A disk goes; I/O it held fails.
    pub fn remove_disk(&mut self, name: &str) {
        let Some(disk) = self.disks.remove(name) else { return };
        self.by_devt.remove(&disk.devt);
        self.lowest_free = 0;
        self.block_events.push((UeventAction::Remove, name.to_owned()));
        for bio in disk.held {
            if let Some(device) = self.dm.devices.get_mut(&bio.minor) {
                if let Some(change) = device.mpath_mut().and_then(|t| t.fail(disk.devt).ok()) {
                    self.dm.announce(bio.minor, change);
                }
                if let Some(device) = self.dm.devices.get_mut(&bio.minor) {
                    device.queued.push(bio);
                }
            }
        }
        self.settle();
    }

    /// The host scans a disk, and udev is told, whatever came of it.
    pub fn rescan(&mut self, name: &str) {
        let Some(disk) = self.disks.get_mut(name) else { return };
        disk.read_anew(&self.luns);
        self.block_events.push((UeventAction::Change, name.to_owned()));
    }

    /// Is another LUN behind a disk than was found there, or one of another size, or has udev not heard what was found?
    pub fn is_outdated(&self, name: &str) -> bool {
        self.disks.get(name).is_some_and(|disk| {
            let unheard = disk.in_udev.as_ref().is_some_and(|heard| heard.wwid != disk.scanned.wwid);
            let unread = |lun: LunId| disk.page_lost || disk.scanned != self.luns[lun].scan(disk.group);
            disk.lun.is_some_and(|lun| unheard || unread(lun))
        })
    }

    /// Has a LUN's map another size than the LUN?
    pub fn is_resized(&self, lun: &Identity) -> bool {
        let map = self.dm.by_uuid(&format!("mpath-{}", lun.wwid));
        map.and_then(|map| map.live.as_ref()).is_some_and(|table| table.sectors() != lun.sectors)
    }

    /// `device/rescan` is written: that ends well whatever came of it, and udev is told of another size only
    /// (`set_capacity_and_notify`).
    fn rescan_quietly(&mut self, name: &str) {
        let Some(disk) = self.disks.get_mut(name) else { return };
        let was = disk.scanned.sectors;
        disk.read_anew(&self.luns);
        let is = disk.scanned.sectors;
        if is != was && is != 0 && was != 0 {
            self.block_events.push((UeventAction::Change, name.to_owned()));
        }
    }

    fn disk_at(&self, devt: DevT) -> Option<&Disk> {
        self.disks.get(self.by_devt.get(&devt)?)
    }

    /// The kernel finds a disk by number, as a table is loaded.
    pub fn find(&self, devt: DevT) -> Option<Found> {
        let disk = self.disk_at(devt)?;
        let alua = disk.lun.is_some_and(|lun| self.luns[lun].alua);
        Some(Found {
            generation: disk.generation,
            sectors: disk.scanned.sectors,
            read_only: disk.read_only,
            handler: alua.then_some("alua"),
        })
    }

    /// What an enumeration finds.
    pub fn enumerate(&self) -> Enumeration {
        let (maps, others) =
            self.dm.list().into_iter().partition::<Vec<_>, _>(|e| e.uuid.starts_with("mpath-"));
        // Every block device, as sysfs has them.
        let mapped = self.dm.devices.keys().map(|minor| PathName::new(format!("dm-{minor}")));
        Enumeration {
            disks: self.disks.keys().map(|name| PathName::new(name.as_str())).chain(mapped).collect(),
            maps: maps.iter().filter_map(|e| self.dm.read(&e.uuid)).collect(),
            unready: BTreeSet::new(),
            others,
        }
    }

    /// What a probe reads.
    pub fn probe(&self, name: &str) -> Result<RawProbe, Errno> {
        self.disks.get(name).map(|disk| disk.probe(&self.luns)).ok_or(Errno::ENOENT)
    }

    /// Does reading what a probe reads take for ever?
    pub fn is_unread(&self, name: &str) -> bool {
        self.disks.get(name).is_some_and(|disk| disk.reading == Reading::Never)
    }

    /// It has been read to the end.
    pub fn was_read(&mut self, name: &str) {
        if let Some(disk) = self.disks.get_mut(name).filter(|disk| disk.reading == Reading::Once) {
            disk.reading = Reading::Never;
        }
    }

    /// What a check hears; `None` while the disk doesn't answer.
    pub fn check(&self, name: &str, devt: DevT, request: &CheckRequest) -> Option<RawCheck> {
        let Some(disk) = self.disks.get(name).filter(|d| d.devt == devt) else {
            let answers = vec![Answer::Failed(Errno::ENXIO); request.asks.len()];
            return Some(RawCheck { sysfs_state: None, answers });
        };
        let no_io = request.asks.is_empty();
        (no_io || !disk.hangs(&self.luns)).then(|| disk.check(&self.luns, request))
    }

    /// The same, by who is told a unit attention with it.
    pub fn ask(&mut self, name: &str, devt: DevT, request: &CheckRequest) -> Option<RawCheck> {
        let mut raw = self.check(name, devt, request)?;
        if let Some(disk) = self.disks.get_mut(name).filter(|d| d.devt == devt) {
            disk.tell_attention(request, &mut raw);
        }
        Some(raw)
    }

    /// Can the disk be opened (`sd_open`)? Not while it is offline, or somebody has it for himself.
    pub fn opens(&self, devt: DevT) -> Result<(), Errno> {
        let there = |state| matches!(state, SdevState::Running | SdevState::Blocked);
        let disk = self.disk_at(devt).filter(|disk| there(disk.state)).ok_or(Errno::ENXIO)?;
        if disk.busy { Err(Errno::EBUSY) } else { Ok(()) }
    }

    /// Would a rescan of this disk not end?
    pub fn holds_rescan(&self, name: &str) -> bool {
        self.disks.get(name).is_some_and(Disk::holds_rescan)
    }

    /// A write to a disk's attribute; one that is `spoilt` fails whatever it would do.
    pub fn sysfs_write(
        &mut self,
        name: &str,
        devt: DevT,
        attribute: &str,
        value: &str,
        spoilt: bool,
    ) -> Result<(), Errno> {
        if spoilt {
            for disk in self.disks.values_mut().filter(|disk| disk.devt == devt) {
                disk.layers.spoilt = true;
                disk.unannounced |= attribute == "uevent";
            }
            return Err(Errno::EINVAL);
        }
        let disk = self.disks.get_mut(name).ok_or(Errno::ENOENT)?;
        if disk.devt != devt {
            return Err(Errno::ENXIO);
        }
        let lost = matches!(disk.state, SdevState::Blocked | SdevState::TransportOffline);
        if let Some(result) = disk.layers.write(attribute, value, lost) {
            disk.layers.spoilt |= result.is_err();
            return result;
        }
        match attribute {
            "uevent" => {
                let action = match value.split_ascii_whitespace().next() {
                    Some("add") => UeventAction::Add,
                    Some("remove") => UeventAction::Remove,
                    Some("change") => UeventAction::Change,
                    _ => return Err(Errno::EINVAL),
                };
                self.block_events.push((action, name.to_owned()));
            }
            "device/delete" => self.remove_disk(name),
            "device/rescan" => self.rescan_quietly(name),
            "device/state" => {
                disk.state = match value {
                    "running" => SdevState::Running,
                    "offline" => SdevState::Offline,
                    _ => return Err(Errno::EINVAL),
                };
                self.settle();
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> (World, LunId) {
        let mut world = World::default();
        let identity = Identity {
            wwid: "3600a0b80000000000000000000000001".into(),
            serial: "S1".into(),
            sectors: 2048,
            vendor: "ACME".into(),
            product: "DISK".into(),
        };
        let lun = world.add_lun(identity, 2, true);
        for (host, group) in [(1, 0), (2, 1)] {
            world.add_disk(Nexus { lun, host, group });
        }
        (world, lun)
    }

    fn with_map(features: &str) -> (World, u32) {
        let (mut world, _) = machine();
        let minor = world.dm.create("m", "mpath-3600a0b80000000000000000000000001").expect("new");
        let table = format!("{features} 0 1 1 service-time 0 2 1 8:0 1 8:16 1");
        world.load("m", 2048, &table, false).expect("valid");
        world.dm.resume("m", 0).expect("loaded");
        (world, minor)
    }

    #[test]
    fn io_fails_over_and_then_waits_or_fails() {
        let (mut world, minor) = with_map("1 queue_if_no_path");
        world.disks.get_mut("sda").expect("there").link = Link::Down;
        world.write(minor);
        world.write(minor);
        assert!(world.outcomes.iter().all(|o| o.reached == Some((0, "sdb".into()))));
        world.remove_disk("sdb");
        world.write(minor);
        assert_eq!((world.outcomes.len(), world.dm.devices[&minor].queued.len()), (2, 1));
        assert!(world.dm.devices[&minor].no_path_since.is_some());
        world.dm.message("m", "fail_if_no_path").expect("known");
        world.settle();
        assert!(world.outcomes[2].reached.is_none());
    }

    #[test]
    fn a_number_is_not_used_again_while_a_table_holds_it() {
        let (mut world, _) = with_map("0");
        world.remove_disk("sdb");
        assert_eq!(world.add_disk(Nexus { lun: 0, host: 3, group: 0 }), "sdc");
        world.load("m", 2048, "0 0 1 1 service-time 0 1 1 8:0 1", false).expect("valid");
        world.dm.resume("m", 0).expect("loaded");
        assert_eq!(world.add_disk(Nexus { lun: 0, host: 4, group: 0 }), "sdb");
    }

    #[test]
    fn a_hung_link_holds_io_and_checks_until_it_is_decided() {
        let (mut world, minor) = with_map("0");
        world.disks.get_mut("sda").expect("there").link = Link::Hung;
        world.write(minor);
        world.write(minor);
        assert_eq!((world.outcomes.len(), world.in_flight(minor)), (1, true));
        world.disks.get_mut("sda").expect("there").link = Link::Down;
        world.settle();
        assert_eq!((world.outcomes.len(), world.in_flight(minor)), (2, false));
    }

    #[test]
    fn another_lun_behind_a_path_is_reached_but_not_yet_seen() {
        let (mut world, _) = machine();
        let mut other = world.luns[0].identity.clone();
        other.wwid = "3600a0b80000000000000000000000002".into();
        let lun = world.add_lun(other, 1, false);
        world.disks.get_mut("sda").expect("there").lun = Some(lun);
        let before = world.probe("sda").expect("there");
        world.rescan("sda");
        assert_ne!(before.vpd83, world.probe("sda").expect("there").vpd83);
    }
}
