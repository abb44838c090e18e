//! What stands on devices of device-mapper, or moves to one: partitions, and other people's volumes.

use libmp::dm::op::UUID_PREFIX;
use libmp::types::{DevT, Errno};

use super::dm::{Device, Dm, Kind, MAJOR, Target};

/// The kernel's "try again".
const EAGAIN: Errno = Errno(11);

impl Device {
    fn stands_on(&self, below: DevT) -> bool {
        let mut targets = self.live.iter().flat_map(|table| &table.targets);
        targets.any(|target| matches!(target.kind, Kind::Linear { on } if on == below))
    }

    const fn devt(&self) -> DevT {
        DevT::new(MAJOR, self.minor)
    }

    /// `part3-mpath-WWID` is a partition of `mpath-WWID`.
    fn is_partition_of(&self, uuid: &str) -> bool {
        let rest = self.uuid.strip_prefix("part").and_then(|rest| rest.split_once('-'));
        rest.is_some_and(|(_, map)| map == uuid && map.starts_with(UUID_PREFIX))
    }
}

impl Dm {
    /// Somebody opens a device. The kernel shows none that was never given a table.
    pub fn open(&mut self, name: &str) -> Result<(), Errno> {
        let device = self.get(name)?;
        if device.live.is_none() && device.inactive.is_none() {
            return Err(Errno::ENXIO);
        }
        device.opens += 1;
        Ok(())
    }

    /// Devices that stand on this one.
    fn above(&self, device: &Device) -> impl Iterator<Item = &Device> {
        let below = device.devt();
        self.linear.iter().map(|minor| &self.devices[minor]).filter(move |device| device.stands_on(below))
    }

    /// How often a device is open, maps on top of it included.
    pub fn open_count(&self, device: &Device) -> u32 {
        device.opens + u32::try_from(self.above(device).count()).expect("few")
    }

    /// Partition maps of a multipath map, each behind those that stand on it.
    pub fn partitions(&self, uuid: &str) -> Vec<&Device> {
        let linear = self.linear.iter().map(|minor| &self.devices[minor]);
        let mut all: Vec<&Device> = linear.filter(|device| device.is_partition_of(uuid)).collect();
        let mut tree = Vec::new();
        while let Some(free) = all.iter().position(|one| !all.iter().any(|other| other.stands_on(one.devt())))
        {
            tree.push(all.remove(free));
        }
        tree
    }

    /// How many partitions right on a map nobody has open.
    pub fn idle_partitions(&self, map: &Device) -> u32 {
        let idle = self.above(map).filter(|one| one.is_partition_of(&map.uuid) && self.open_count(one) == 0);
        u32::try_from(idle.count()).expect("few")
    }

    /// The first of a map's partitions, or the map, that more than these partitions have open.
    pub fn in_use<'a>(&'a self, map: &'a Device) -> Option<&'a Device> {
        let tree = self.partitions(&map.uuid);
        let by_others = |device: &&Device| {
            let ours = tree.iter().filter(|one| one.stands_on(device.devt())).count();
            self.open_count(device) > u32::try_from(ours).expect("few")
        };
        tree.iter().copied().chain([map]).find(by_others)
    }

    /// Moves what stands on these paths over to the map, as the adapter does: other people's tables. All are tried; fails with the
    /// first that could not be moved.
    pub fn reassign(&mut self, map: &str, paths: &[DevT]) -> Result<(), (String, Errno)> {
        let map = self.by_name(map).ok_or_else(|| ("look up".to_owned(), Errno::ENXIO))?.devt();
        let mut result = Ok(());
        let stands = |target: &Target| matches!(target.kind, Kind::Linear { on } if paths.contains(&on));
        for device in self.devices.values_mut() {
            if !device.live.iter().flat_map(|table| &table.targets).any(stands) {
                continue;
            }
            if device.suspended || device.inactive.is_some() {
                let what = format!("moving {} over: somebody else is changing it", device.name);
                result = result.and(Err((what, EAGAIN)));
                continue;
            }
            for target in device.live.iter_mut().flat_map(|table| &mut table.targets) {
                if stands(target) {
                    target.kind = Kind::Linear { on: map };
                }
            }
        }
        result
    }
}
