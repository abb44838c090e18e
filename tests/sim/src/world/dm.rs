//! device-mapper (dm.c, dm-ioctl.c): devices, their two tables, and what each ioctl does to them.

use std::collections::{BTreeMap, BTreeSet};

use libmp::dm::op::{MapListEntry, RawMap, RawTarget};
use libmp::types::{DevT, Errno, Instant, MapName};

use super::io::Bio;
use super::mpath::{Change, DiskRef, Lookup, Mpath};

/// Major number of device-mapper devices.
pub const MAJOR: u32 = 253;

/// One target of a table.
#[derive(Debug, Clone)]
pub struct Target {
    pub start: u64,
    pub sectors: u64,
    pub kind: Kind,
}

/// What a target is.
#[derive(Debug, Clone)]
pub enum Kind {
    Multipath(Box<Mpath>),
    /// `linear` onto a device: partitions, and other people's volumes.
    Linear {
        on: DevT,
    },
    Zero,
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    pub read_only: bool,
    pub targets: Vec<Target>,
}

impl Table {
    pub fn sectors(&self) -> u64 {
        self.targets.iter().map(|t| t.sectors).sum()
    }

    /// The multipath target, where the table is that and nothing else.
    pub fn mpath(&self) -> Option<&Mpath> {
        match &self.targets[..] {
            [Target { kind: Kind::Multipath(target), .. }] => Some(target),
            _ => None,
        }
    }

    fn mpath_mut(&mut self) -> Option<&mut Mpath> {
        match &mut self.targets[..] {
            [Target { kind: Kind::Multipath(target), .. }] => Some(target),
            _ => None,
        }
    }
}

/// A device.
#[derive(Debug, Clone)]
pub struct Device {
    pub name: String,
    pub uuid: String,
    pub minor: u32,
    /// Which of all devices there ever were: minors are given again.
    pub number: u64,
    pub live: Option<Table>,
    pub inactive: Option<Table>,
    pub suspended: bool,
    /// It is being suspended: I/O that is under way is waited for, and none is sent meanwhile.
    pub suspending: bool,
    /// `blockdev --setro`: it is read-only whatever its table is.
    pub protected: bool,
    /// Opens by writers and mounts; partition maps on top are counted apart.
    pub opens: u32,
    pub event_nr: u32,
    pub deferred_remove: bool,
    /// What udev's rules were told last.
    pub cookie_flags: u16,
    /// I/O that waits: no path, or suspended.
    pub queued: Vec<Bio>,
    /// Since when it has had no valid path, and who may use that to stop queueing.
    pub no_path_since: Option<Instant>,
}

impl Device {
    pub fn mpath(&self) -> Option<&Mpath> {
        self.live.as_ref().and_then(Table::mpath)
    }

    pub fn mpath_mut(&mut self) -> Option<&mut Mpath> {
        self.live.as_mut().and_then(Table::mpath_mut)
    }

    pub fn wwid(&self) -> Option<&str> {
        self.uuid.strip_prefix("mpath-")
    }

    /// Is no I/O sent to its disks?
    pub const fn is_stopped(&self) -> bool {
        self.suspended || self.suspending
    }

    /// Disks that its tables hold open.
    pub fn disks(&self) -> impl Iterator<Item = DiskRef> + '_ {
        self.tables().filter_map(Table::mpath).flat_map(Mpath::paths).map(|p| p.disk)
    }

    /// Those that a table of this mode holds open.
    pub fn open_disks(&self, read_only: bool) -> impl Iterator<Item = DiskRef> + '_ {
        let tables = self.tables().filter(move |table| table.read_only == read_only);
        tables.filter_map(Table::mpath).flat_map(Mpath::paths).map(|p| p.disk)
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.live.iter().chain(&self.inactive)
    }
}

/// What the kernel tells udev, and whoever polls the control device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    Added {
        minor: u32,
    },
    /// A resume, a rename.
    Changed {
        minor: u32,
        cookie_flags: u16,
        /// The daemon has made the map.
        own: bool,
    },
    PathEvent {
        minor: u32,
        change: Change,
        valid: usize,
    },
    Removed {
        minor: u32,
        name: String,
        uuid: String,
    },
}

/// All devices, by minor.
#[derive(Debug, Default)]
pub struct Dm {
    pub devices: BTreeMap<u32, Device>,
    /// Moves with every event that wakes those who poll the control device.
    pub global_event: u64,
    /// Not yet told to udev.
    pub signals: Vec<Signal>,
    /// Where they are by name and by UUID, as there may be many.
    names: BTreeMap<String, u32>,
    uuids: BTreeMap<String, u32>,
    /// In how many live tables a disk is.
    in_tables: BTreeMap<DevT, usize>,
    /// Those that were given a `linear` target.
    pub(super) linear: BTreeSet<u32>,
    /// No minor below is free.
    lowest_free: u32,
    /// So many devices have been created.
    created: u64,
    /// No device gets another name.
    pub refuses_names: bool,
}

impl Dm {
    pub fn by_name(&self, name: &str) -> Option<&Device> {
        self.devices.get(self.names.get(name)?)
    }

    pub fn by_uuid(&self, uuid: &str) -> Option<&Device> {
        self.devices.get(self.uuids.get(uuid)?)
    }

    pub fn by_uuid_mut(&mut self, uuid: &str) -> Option<&mut Device> {
        self.devices.get_mut(self.uuids.get(uuid)?)
    }

    /// Is this disk in the live table of a map?
    pub fn uses(&self, disk: DevT) -> bool {
        self.in_tables.contains_key(&disk)
    }

    pub fn get(&mut self, name: &str) -> Result<&mut Device, Errno> {
        let minor = self.names.get(name).ok_or(Errno::ENXIO)?;
        self.devices.get_mut(minor).ok_or(Errno::ENXIO)
    }

    /// `DM_DEV_CREATE`
    pub fn create(&mut self, name: &str, uuid: &str) -> Result<u32, Errno> {
        if name.is_empty() || name.contains('/') {
            return Err(Errno::EINVAL);
        }
        if self.by_name(name).is_some() || (!uuid.is_empty() && self.by_uuid(uuid).is_some()) {
            return Err(Errno::EBUSY);
        }
        let minor = (self.lowest_free..1 << 20).find(|n| !self.devices.contains_key(n)).expect("few devices");
        self.lowest_free = minor + 1;
        self.created += 1;
        let device = Device {
            name: name.to_owned(),
            uuid: uuid.to_owned(),
            minor,
            number: self.created,
            live: None,
            inactive: None,
            suspended: false,
            suspending: false,
            opens: 0,
            event_nr: 0,
            protected: false,
            deferred_remove: false,
            cookie_flags: 0,
            queued: Vec::new(),
            no_path_since: None,
        };
        self.devices.insert(minor, device);
        self.names.insert(name.to_owned(), minor);
        if !uuid.is_empty() {
            self.uuids.insert(uuid.to_owned(), minor);
        }
        self.signals.push(Signal::Added { minor });
        self.global_event += 1;
        Ok(minor)
    }

    /// `DM_TABLE_LOAD` of one multipath target.
    pub fn load(
        &mut self,
        name: &str,
        sectors: u64,
        params: &str,
        read_only: bool,
        lookup: Lookup<'_>,
    ) -> Result<(), Errno> {
        if sectors == 0 {
            return Err(Errno::EINVAL);
        }
        let target = Mpath::parse(params, read_only, lookup)?;
        // Only the first table's disks are measured now; those of others, when it is to become the live one.
        let device = self.get(name)?;
        if device.live.is_none() && device.inactive.is_none() && !target.reaches(sectors) {
            return Err(Errno::EINVAL);
        }
        let kind = Kind::Multipath(Box::new(target));
        self.load_table(name, Table { read_only, targets: vec![Target { start: 0, sectors, kind }] })
    }

    /// `DM_TABLE_LOAD` of anything.
    pub fn load_table(&mut self, name: &str, table: Table) -> Result<(), Errno> {
        let device = self.get(name)?;
        let by_requests = |table: &Table| table.mpath().is_some_and(|target| !target.is_bio_based());
        if device.live.as_ref().is_some_and(|live| by_requests(live) != by_requests(&table)) {
            // A request-based device never becomes a bio-based one.
            return Err(Errno::EINVAL);
        }
        let is_linear = table.targets.iter().any(|target| matches!(target.kind, Kind::Linear { .. }));
        device.inactive = Some(table);
        let minor = device.minor;
        if is_linear {
            self.linear.insert(minor);
        }
        Ok(())
    }

    /// `DM_TABLE_CLEAR`
    pub fn clear(&mut self, name: &str) -> Result<(), Errno> {
        self.get(name)?.inactive = None;
        Ok(())
    }

    /// `DM_DEV_SUSPEND` with the suspend flag, once no I/O is on its way through the map.
    pub fn suspend(&mut self, name: &str, noflush: bool) -> Result<(), Errno> {
        let device = self.get(name)?;
        if device.suspended {
            return Ok(());
        }
        if let Some(target) = device.mpath_mut() {
            target.presuspend(noflush);
        }
        device.suspended = true;
        Ok(())
    }

    /// `DM_DEV_SUSPEND` without the suspend flag: the inactive table becomes the live one.
    pub fn resume(&mut self, name: &str, cookie_flags: u16) -> Result<(), Errno> {
        let device = self.get(name)?;
        if let Some(table) = device.inactive.take() {
            if table.mpath().is_some_and(|target| !target.reaches(table.sectors())) {
                // The kernel gives up half-way.
                device.suspended = true;
                return Err(Errno::EINVAL);
            }
            let came = disks_of(Some(&table));
            let went = disks_of(device.live.replace(table).as_ref());
            self.moved(&went, &came);
        }
        let device = self.get(name)?;
        if device.live.is_none() && device.suspended {
            return Err(Errno::EINVAL);
        }
        device.suspended = false;
        if let Some(target) = device.mpath_mut() {
            target.resume();
        }
        device.cookie_flags = cookie_flags;
        let minor = device.minor;
        self.signals.push(Signal::Changed { minor, cookie_flags, own: false });
        Ok(())
    }

    /// `DM_TARGET_MSG`
    pub fn message(&mut self, name: &str, text: &str) -> Result<(), Errno> {
        let device = self.get(name)?;
        if text == "@cancel_deferred_remove" {
            device.deferred_remove = false;
            return Ok(());
        }
        let suspended = device.suspended;
        let target = device.mpath_mut().ok_or(Errno::EINVAL)?;
        if suspended {
            return Err(Errno::EBUSY);
        }
        let change = target.message(text)?;
        let minor = device.minor;
        self.announce(minor, change);
        Ok(())
    }

    /// Moves the counters and tells udev.
    pub fn announce(&mut self, minor: u32, change: Change) {
        if change == Change::Silent {
            return;
        }
        let Some(device) = self.devices.get_mut(&minor) else { return };
        device.event_nr += 1;
        self.global_event += 1;
        if change != Change::Group {
            let valid = device.mpath().map_or(0, Mpath::valid_paths);
            self.signals.push(Signal::PathEvent { minor, change, valid });
        }
    }

    /// `DM_DEV_REMOVE`
    pub fn remove(&mut self, name: &str, deferred: bool) -> Result<(), Errno> {
        let device = self.by_name(name).ok_or(Errno::ENXIO)?;
        let (minor, busy) = (device.minor, self.open_count(device) > 0);
        if busy {
            if !deferred {
                return Err(Errno::EBUSY);
            }
            self.get(name)?.deferred_remove = true;
            return Ok(());
        }
        self.drop_device(minor);
        Ok(())
    }

    fn drop_device(&mut self, minor: u32) {
        let Some(device) = self.devices.remove(&minor) else { return };
        self.names.remove(&device.name);
        self.uuids.remove(&device.uuid);
        self.linear.remove(&minor);
        self.lowest_free = self.lowest_free.min(minor);
        self.moved(&disks_of(device.live.as_ref()), &[]);
        self.signals.push(Signal::Removed { minor, name: device.name, uuid: device.uuid });
        self.global_event += 1;
        self.reap_deferred();
    }

    /// Disks have left live tables, and come into some.
    fn moved(&mut self, went: &[DevT], came: &[DevT]) {
        for disk in came {
            *self.in_tables.entry(*disk).or_default() += 1;
        }
        for disk in went {
            if let Some(count) = self.in_tables.get_mut(disk) {
                *count -= 1;
                if *count == 0 {
                    self.in_tables.remove(disk);
                }
            }
        }
    }

    /// Removals that waited for the last close.
    pub fn reap_deferred(&mut self) {
        let due =
            self.devices.values().find(|d| d.deferred_remove && self.open_count(d) == 0).map(|d| d.minor);
        if let Some(minor) = due {
            self.drop_device(minor);
        }
    }

    /// `DM_DEV_RENAME`
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        if to.is_empty() || to.contains('/') || self.refuses_names {
            return Err(Errno::EINVAL);
        }
        if self.by_name(from).is_none() {
            return Err(Errno::ENXIO);
        }
        if self.by_name(to).is_some() {
            return Err(Errno::EBUSY);
        }
        let device = self.get(from)?;
        to.clone_into(&mut device.name);
        device.event_nr += u32::from(device.live.is_some());
        let minor = device.minor;
        self.names.remove(from);
        self.names.insert(to.to_owned(), minor);
        self.signals.push(Signal::Changed { minor, cookie_flags: 0, own: false });
        self.global_event += 1;
        Ok(())
    }

    /// Everything there is to read of a device.
    pub fn read(&self, uuid: &str) -> Option<RawMap> {
        let device = self.by_uuid(uuid)?;
        let target = |t: &Target| {
            let (kind, table, status) = match &t.kind {
                Kind::Multipath(m) => ("multipath", m.table(), m.status()),
                Kind::Linear { on } => ("linear", format!("{on} 0"), String::new()),
                Kind::Zero => ("zero", String::new(), String::new()),
            };
            RawTarget { start: t.start, sectors: t.sectors, kind: kind.into(), table, status }
        };
        Some(RawMap {
            name: MapName::new(device.name.as_str()),
            uuid: device.uuid.clone(),
            devt: DevT::new(MAJOR, device.minor),
            suspended: device.suspended,
            read_only: device.protected || device.live.as_ref().is_some_and(|t| t.read_only),
            open_count: self.open_count(device),
            idle_partitions: self.idle_partitions(device),
            event_nr: device.event_nr,
            deferred_remove: device.deferred_remove,
            inactive_table: device.inactive.is_some(),
            targets: device.live.iter().flat_map(|t| &t.targets).map(target).collect(),
        })
    }

    /// `DM_LIST_DEVICES`
    pub fn list(&self) -> Vec<MapListEntry> {
        let entry = |d: &Device| MapListEntry {
            name: MapName::new(d.name.as_str()),
            uuid: d.uuid.clone(),
            devt: DevT::new(MAJOR, d.minor),
            event_nr: d.event_nr,
        };
        self.devices.values().map(entry).collect()
    }
}

/// The disks of a multipath target.
fn disks_of(table: Option<&Table>) -> Vec<DevT> {
    table.and_then(Table::mpath).into_iter().flat_map(Mpath::paths).map(|path| path.disk.devt).collect()
}

#[cfg(test)]
mod tests {
    use super::super::mpath::Found;
    use super::*;

    fn find(devt: DevT) -> Result<Found, Errno> {
        let found = Found { generation: 1, sectors: 100, read_only: false, handler: None };
        (devt.major == 8).then_some(found).ok_or(Errno::ENXIO)
    }

    fn one_map() -> Dm {
        let mut dm = Dm::default();
        dm.create("a", "mpath-1").expect("new");
        dm.load("a", 100, "0 0 1 1 service-time 0 1 1 8:0 1", false, &find).expect("valid");
        dm
    }

    #[test]
    fn a_loaded_table_lives_after_a_resume_only() {
        let mut dm = one_map();
        let read = dm.read("mpath-1").expect("there");
        assert!(read.inactive_table && read.targets.is_empty() && !read.suspended);
        dm.resume("a", 0).expect("a table is there");
        assert_eq!(dm.read("mpath-1").expect("there").targets.len(), 1);
        assert_eq!(dm.create("a", ""), Err(Errno::EBUSY));
        assert_eq!(dm.create("b", "mpath-1"), Err(Errno::EBUSY));
    }

    #[test]
    fn a_map_in_use_is_removed_at_its_last_close_or_not_at_all() {
        let mut dm = one_map();
        dm.resume("a", 0).expect("a table is there");
        let minor = dm.by_name("a").expect("there").minor;
        dm.create("a-part1", "part1-mpath-1").expect("new");
        let on = DevT::new(MAJOR, minor);
        let targets = vec![Target { start: 0, sectors: 50, kind: Kind::Linear { on } }];
        dm.load_table("a-part1", Table { read_only: false, targets }).expect("valid");
        dm.resume("a-part1", 0).expect("a table is there");
        assert_eq!(dm.partitions("mpath-1").iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["a-part1"]);
        assert_eq!(dm.remove("a", false), Err(Errno::EBUSY));
        assert_eq!(dm.remove("a", true), Ok(()));
        assert!(dm.read("mpath-1").expect("still there").deferred_remove);
        dm.remove("a-part1", false).expect("unused");
        assert!(dm.devices.is_empty());
    }

    #[test]
    fn events_count_and_suspended_maps_take_no_message() {
        let mut dm = one_map();
        dm.resume("a", 0).expect("a table is there");
        let before = dm.global_event;
        dm.message("a", "fail_path 8:0").expect("known");
        dm.message("a", "fail_path 8:0").expect("known");
        dm.message("a", "queue_if_no_path").expect("known");
        assert_eq!((dm.by_name("a").expect("there").event_nr, dm.global_event), (1, before + 1));
        dm.suspend("a", true).expect("running");
        assert_eq!(dm.message("a", "reinstate_path 8:0"), Err(Errno::EBUSY));
        assert_eq!(dm.message("b", "reinstate_path 8:0"), Err(Errno::ENXIO));
    }
}
