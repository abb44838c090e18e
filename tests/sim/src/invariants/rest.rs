//! At rest, what the kernel has is what is wanted: found out from the world, not from the daemon.

use std::collections::{BTreeMap, BTreeSet};

use libmp::types::{DevT, Instant};

use super::Violation;
use crate::conf::{Conf, Detect, Find, Grouping, Retry};
use crate::world::World;
use crate::world::disk::{Disk, LunId};
use crate::world::dm::Device;
use crate::world::mpath::Mpath;
use crate::world::scsi::Alua;

/// What a rest is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Rest<'a> {
    pub world: &'a World,
    pub conf: &'a Conf,
    /// When the daemon was last given a configuration.
    pub loaded_at: Instant,
    /// Their maps may have another size.
    pub unresized: &'a BTreeSet<String>,
}

/// What can be amiss with maps at rest: the parts of `rest-maps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amiss {
    /// A LUN with a healthy path has none.
    NoMap,
    Suspended,
    /// It has no table of multipath.
    NoTable,
    /// Nobody uses it, and it has no disk.
    Leftover,
    /// It is longer or shorter than its LUN.
    Size,
    /// It is called otherwise than configured.
    Name,
    /// Its partition is called after another name.
    Partition,
}

impl Amiss {
    /// Every part.
    #[cfg(test)]
    pub const ALL: [Self; 7] = [
        Self::NoMap,
        Self::Suspended,
        Self::NoTable,
        Self::Leftover,
        Self::Size,
        Self::Name,
        Self::Partition,
    ];

    fn found(self, detail: impl Into<String>) -> Violation {
        Violation::new("rest-maps", format!("{self:?}: {}", detail.into()))
    }
}

/// Everything that must hold at rest.
pub fn at_rest(rest: Rest<'_>) -> Result<(), Violation> {
    let mut by_lun: BTreeMap<LunId, Vec<&Disk>> = BTreeMap::new();
    for disk in rest.world.disks.values() {
        if let Some(lun) = disk.lun {
            by_lun.entry(lun).or_default().push(disk);
        }
    }
    for (lun, disks) in by_lun {
        let wwid = &rest.world.luns[lun].identity.wwid;
        let device = rest.world.dm.by_uuid(&format!("mpath-{wwid}"));
        if wwid.is_empty() || disks.iter().any(|disk| rest.is_excluded(disk)) {
            continue;
        }
        let healthy = disks.iter().any(|d| d.is_healthy(&rest.world.luns) && !d.unannounced);
        match device {
            Some(device) => rest.lun(lun, &disks, device)?,
            None if healthy && rest.is_wanted(wwid, &disks) => {
                return Err(Amiss::NoMap.found(format!("{wwid} has healthy paths and no map")));
            }
            None => {}
        }
    }
    rest.devices()
}

fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl<'a> Rest<'a> {
    /// Is a LUN of these disks to be multipathed (`find_multipaths`)?
    fn is_wanted(self, wwid: &str, disks: &[&Disk]) -> bool {
        match self.conf.find {
            Find::Greedy | Find::Off => true,
            _ if self.is_known(wwid) => true,
            Find::Strict => false,
            Find::On | Find::Smart => disks.iter().filter(|d| d.is_healthy(&self.world.luns)).count() > 1,
        }
    }

    /// Is a WWID in the file of those that were multipathed?
    fn is_known(self, wwid: &str) -> bool {
        self.world.files.wwids.lines().any(|line| line.trim().trim_matches('/') == wwid)
    }

    /// Is a disk none that is multipathed, by its name or its LUN's WWID?
    fn is_excluded(self, disk: &Disk) -> bool {
        let wwid = disk.lun.map(|lun| &self.world.luns[lun].identity.wwid);
        self.conf.devnodes.contains(&disk.name) || wwid.is_some_and(|wwid| self.conf.blacklist.contains(wwid))
    }

    /// Is a map of ours to go: nobody has it open, and no disk belongs to it? I/O may wait in it where it queues and is to be kept for that.
    fn is_leftover(self, device: &Device) -> bool {
        let Some(target) = device.mpath() else { return false };
        let wwid = |disk: &Disk| disk.lun.map(|lun| self.world.luns[lun].identity.wwid.as_str());
        let belongs = |disk: &Disk| wwid(disk) == device.wwid() && !self.is_excluded(disk);
        let dm = &self.world.dm;
        let in_use = dm.open_count(device) > dm.idle_partitions(device);
        let kept = self.conf.flush_on_last_del == "never" && target.queue_if_no_path;
        !in_use && !kept && !self.world.disks.values().any(belongs)
    }

    /// No map is left half made, or left over, whatever it belongs to.
    fn devices(self) -> Result<(), Violation> {
        for device in self.world.dm.devices.values().filter(|d| d.wwid().is_some()) {
            if device.suspended {
                return Err(Amiss::Suspended.found(device.name.as_str()));
            }
            if device.live.is_none() {
                return Err(Amiss::NoTable.found(device.name.as_str()));
            }
            if self.is_leftover(device) {
                return Err(Amiss::Leftover.found(device.name.as_str()));
            }
            // It shall be made again after a boot, whatever find_multipaths says then.
            if device.wwid().is_some_and(|wwid| !self.is_known(wwid)) {
                return Err(Violation::new("rest-wwids", format!("{} is not in the file", device.name)));
            }
        }
        // Where kpartx is to leave the maps alone, their partitions are whoever's made them.
        if self.conf.extra.iter().any(|line| line == "skip_kpartx yes") {
            return Ok(());
        }
        for device in self.world.dm.devices.values() {
            let map = device.uuid.strip_prefix("part1-").and_then(|uuid| self.world.dm.by_uuid(uuid));
            if let Some(map) = map.filter(|map| !device.name.starts_with(&map.name)) {
                let detail = format!("{} is a partition of {}", device.name, map.name);
                return Err(Amiss::Partition.found(detail));
            }
        }
        Ok(())
    }

    fn lun(self, lun: LunId, disks: &[&Disk], device: &Device) -> Result<(), Violation> {
        let identity = &self.world.luns[lun].identity;
        let name = &device.name;
        let Some(target) = device.mpath() else {
            return Err(Amiss::NoTable.found(name.as_str()));
        };
        let sectors = device.live.as_ref().map_or(0, crate::world::dm::Table::sectors);
        // All paths show one size, and the configuration was read since; but a map without a working path waits for one, as
        // its I/O would fail in the flush.
        if sectors != identity.sectors {
            // One that has no path left is not made shorter: a disk that comes with less is refused, and that is said.
            let refused = target.paths().count() == 0 && sectors > identity.sectors;
            let refused = refused || self.unresized.contains(&*identity.wwid);
            if !refused && (target.valid_paths() > 0 || disks.iter().any(|d| d.is_healthy(&self.world.luns)))
            {
                let detail = format!("{name} has {sectors} sectors, its LUN {}", identity.sectors);
                return Err(Amiss::Size.found(detail));
            }
            // No table can be loaded that is longer than its paths.
            if sectors > identity.sectors {
                return Ok(());
            }
        }
        if !self.named(&identity.wwid, name) {
            let alias = self.conf.aliases.get(&identity.wwid);
            let friendly = self.conf.friendly_names;
            let detail =
                format!("{} is called {name} (alias {alias:?}, friendly names: {friendly})", identity.wwid);
            return Err(Amiss::Name.found(detail));
        }
        self.paths(disks, device, target)?;
        self.groups(lun, device, target)?;
        self.queueing(device, target)
    }

    fn named(self, wwid: &str, name: &str) -> bool {
        if let Some(alias) = self.conf.aliases.get(wwid) {
            // Where somebody else has it, the map keeps the name it had.
            let taken = || self.world.dm.by_name(alias).is_some_and(|d| d.wwid() != Some(wwid));
            return name == alias || taken();
        }
        if self.conf.friendly_names {
            let bound = format!("{name} {wwid}");
            return name == wwid || self.world.files.bindings.lines().any(|line| line.trim() == bound);
        }
        name == wwid
    }

    fn paths(self, disks: &[&Disk], device: &Device, target: &Mpath) -> Result<(), Violation> {
        let broken = |detail: String| Err(Violation::new("rest-paths", format!("{}: {detail}", device.name)));
        let size = device.live.as_ref().map_or(0, crate::world::dm::Table::sectors);
        for disk in disks.iter().filter(|d| d.is_healthy(&self.world.luns)) {
            // Refused for its size, until its map can be resized.
            if disk.scanned.sectors != size && device.wwid().is_some_and(|wwid| self.unresized.contains(wwid))
            {
                continue;
            }
            let Disk { name, devt, generation, .. } = disk;
            let mut here = target.paths().filter(|p| p.disk.devt == *devt);
            match here.next() {
                None => return broken(format!("{name} ({devt}) is healthy and not in it")),
                Some(path) if path.disk.generation != *generation => {
                    return broken(format!("{devt} in it is a disk that is gone, not {name}"));
                }
                Some(path) if !path.active => {
                    return broken(format!("{name} ({devt}) is healthy and failed"));
                }
                Some(_) => self.layers(disk)?,
            }
        }
        for path in target.paths() {
            let devt = path.disk.devt;
            match disks.iter().find(|d| (d.devt, d.generation) == (devt, path.disk.generation)) {
                None => return broken(format!("{devt} in it is not one of its disks")),
                Some(disk) if path.active && !disk.is_healthy(&self.world.luns) && !self.is_ghost(disk) => {
                    return broken(format!("{} ({devt}) is not healthy and not failed", disk.name));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// What lies below a healthy path is as configured, unless a write to it was made to fail.
    fn layers(self, disk: &Disk) -> Result<(), Violation> {
        let extra = |option: &str| self.conf.extra.iter().rev().find_map(|line| line.strip_prefix(option));
        let number = |option: &str| extra(option).and_then(|value| value.trim().parse::<u32>().ok());
        let there = &disk.layers;
        let deadline = number("eh_deadline");
        let largest = number("max_sectors_kb");
        let retries = number("max_retries").and_then(|n| i32::try_from(n).ok());
        let fast = extra("fast_io_fail_tmo").map(str::trim);
        let lost = self.dev_loss(extra("dev_loss_tmo").map(str::trim), fast);
        let fast_as_wanted = match fast {
            Some("off") => there.fast_io_fail_s.is_none(),
            // It is none where the port is gone before.
            value => match (value.map_or(Ok(5), str::parse), there.fast_io_fail_s) {
                (Ok(wanted), Some(fast)) => fast == wanted,
                (Ok(wanted), None) => there.dev_loss_s <= wanted,
                (Err(_), _) => false,
            },
        };
        let as_wanted = deadline.is_none_or(|seconds| there.eh_deadline_s == Some(seconds))
            && retries.is_none_or(|times| there.max_retries == times)
            && lost.is_none_or(|seconds| there.dev_loss_s == seconds)
            // In a table that has let I/O in it stays as it is: a disk that is there already when it is configured may be in one.
            && largest.is_none_or(|kb| disk.new_since.is_none_or(|since| since <= self.loaded_at) || there.max_sectors_kb == u64::from(kb))
            && fast_as_wanted;
        // NVMe has none of them.
        if as_wanted || there.spoilt || disk.tcp {
            return Ok(());
        }
        Err(Violation::new("rest-layers", format!("{}: {there:?}", disk.name)))
    }

    /// When a port that is lost is to be removed, if anything is said of that: not before a map has waited for its paths. Without a time
    /// after which its I/O fails, a port takes 600 s at the most.
    fn dev_loss(self, asked: Option<&str>, fast: Option<&str>) -> Option<u32> {
        let asked =
            asked.and_then(|value| if value == "infinity" { Some(u32::MAX) } else { value.parse().ok() });
        let waits = match self.conf.retry {
            Retry::Fail => None,
            Retry::Queue => Some(u32::MAX),
            Retry::Checks(checks) => {
                let wait = u64::from(checks) * self.conf.polling_s;
                u32::try_from(wait + wait / 60 + 5).ok()
            }
        };
        let lost = asked.max(waits)?;
        let comes_first = fast.map_or(Ok(5), str::parse).is_ok_and(|fast: u32| fast < lost);
        Some(if comes_first { lost } else { lost.min(600) })
    }

    fn is_ghost(self, disk: &Disk) -> bool {
        disk.reads_fail
            || disk.lun.is_some_and(|lun| self.world.luns[lun].groups[disk.group] == Alua::Standby)
    }

    /// The policy that a LUN's paths are grouped by.
    fn grouping(self, alua: bool) -> Grouping {
        let Conf { grouping, detect_pgpolicy, detect_prio, prio, .. } = *self.conf;
        // Where there is no asymmetric access `alua` falls back to `const`, and so does `sysfs` if it may.
        let by_alua = if alua { prio != "const" || detect_prio } else { prio == "sysfs" && !detect_prio };
        match detect_pgpolicy {
            Detect::ByPrio if by_alua => Grouping::ByPrio,
            Detect::ByTpg if by_alua => Grouping::ByTpg,
            _ => grouping,
        }
    }

    fn groups(self, lun: LunId, device: &Device, target: &Mpath) -> Result<(), Violation> {
        let broken =
            |detail: String| Err(Violation::new("rest-groups", format!("{}: {detail}", device.name)));
        let (paths, groups) = (target.paths().count(), target.groups.len());
        let lun = &self.world.luns[lun];
        let by_state = lun.alua && (self.conf.detect_prio || self.conf.prio != "const");
        let all_active = target.paths().all(|p| p.active);
        let tells_port = |devt| self.disk(devt).is_none_or(|disk| !disk.old);
        let policy = match self.grouping(lun.alua) {
            // A path that tells of no port group comes into none with others.
            Grouping::ByTpg if !target.paths().all(|p| tells_port(p.disk.devt)) => Grouping::Failover,
            policy => policy,
        };
        if self.conf.extra.iter().any(|line| line.starts_with("marginal_pathgroups")) {
            return Ok(()); // paths that tests or the fabric call marginal have groups of their own
        }
        match policy {
            // The paths of one LUN have one serial number.
            Grouping::Multibus | Grouping::BySerial if groups > 1 => {
                return broken(format!("{policy:?}, and {groups} groups"));
            }
            Grouping::Failover if groups != paths => {
                return broken(format!("failover: {groups} groups, {paths} paths"));
            }
            // Each target port group is a node of its own here.
            Grouping::ByTpg | Grouping::ByNodeName if all_active => {
                let port = |devt| self.disk(devt).map(|d| d.group);
                let ports = distinct(target.paths().map(|p| port(p.disk.devt)));
                if ports.len() != groups {
                    return broken(format!("{policy:?}: {groups} groups, and paths through {ports:?}"));
                }
            }
            Grouping::ByPrio if all_active => {
                let state = |devt| self.disk(devt).map(|d| lun.groups[d.group]).filter(|_| by_state);
                let states = distinct(target.paths().map(|p| state(p.disk.devt)));
                if states.len() != groups {
                    return broken(format!("group_by_prio: {groups} groups, and priorities of {states:?}"));
                }
            }
            _ => return Ok(()),
        }
        let by_port = matches!(policy, Grouping::ByTpg | Grouping::ByNodeName | Grouping::ByPrio);
        if by_port && all_active && by_state && self.conf.failback == "immediate" {
            return self.best_group(lun.groups.as_slice(), device, target);
        }
        Ok(())
    }

    fn disk(self, devt: DevT) -> Option<&'a Disk> {
        self.world.disks.values().find(|d| d.devt == devt)
    }

    fn best_group(self, states: &[Alua], device: &Device, target: &Mpath) -> Result<(), Violation> {
        let state = |devt| self.disk(devt).map(|d| states[d.group]);
        let best = target.paths().filter_map(|p| state(p.disk.devt)).min();
        // The group of the I/O before is none where there was no I/O since the table was loaded.
        let next = target.clone().choose().and_then(|disk| state(disk.devt));
        if next.is_some() && next != best {
            let detail = format!("{}: I/O goes to {next:?}, not to {best:?}", device.name);
            return Err(Violation::new("rest-groups", detail));
        }
        Ok(())
    }

    fn queueing(self, device: &Device, target: &Mpath) -> Result<(), Violation> {
        if target.paths().count() == 0 {
            return Ok(());
        }
        let wanted = match self.conf.retry {
            Retry::Fail => false,
            Retry::Queue => true,
            Retry::Checks(_) => target.valid_paths() > 0,
        };
        if target.queue_if_no_path != wanted {
            let detail = format!(
                "{}: queue_if_no_path is {}, {} paths are valid, no_path_retry is {:?}",
                device.name,
                target.queue_if_no_path,
                target.valid_paths(),
                self.conf.retry
            );
            return Err(Violation::new("rest-queueing", detail));
        }
        Ok(())
    }
}
