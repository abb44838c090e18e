//! What the daemon says it knows, held against what it was told.

use std::collections::BTreeSet;
use std::time::Duration;

use libmp::show::view::{DaemonState, PathView, View};
use libmp::types::Instant;

use super::{Violation, Watch};
use crate::world::World;
use crate::world::disk::Disk;
use crate::world::dm::{Device, Table};
use crate::world::mpath::Mpath;

impl Watch {
    pub(super) fn view(&mut self, world: &World, view: &View) -> Result<(), Violation> {
        let now = world.now;
        self.names(view)?;
        self.one_place(view)?;
        for (name, known) in &mut self.paths {
            if known.usable_unmapped_since.is_some() && !view.paths.iter().any(|p| p.name().as_str() == name)
            {
                known.usable_unmapped_since = None;
            }
        }
        let held_up = |path: &PathView| {
            self.is_name_lost(world, path.wwid.as_str())
                || self.is_unread(now, path.name().as_str())
                || is_kept_out(world, path)
        };
        let held_up: Vec<bool> = view.paths.iter().map(held_up).collect();
        let outside: Vec<Option<Instant>> = view.paths.iter().map(|path| self.outside(world, path)).collect();
        let working = matches!(view.daemon, DaemonState::Idle | DaemonState::Running);
        for ((path, held_up), outside) in view.paths.iter().zip(held_up).zip(outside) {
            let usable = path.check_state.is_usable();
            let known = self.paths.entry(path.name().as_str().to_owned()).or_default();
            if usable && !known.has_evidence() {
                let by_operator = known.on_word(now, self.clock_jumped);
                if !by_operator {
                    let detail = format!(
                        "{} is {} (came at event {}, last good check ordered at {:?})",
                        path.name(),
                        path.check_state,
                        known.came,
                        known.good
                    );
                    return Err(Violation::new("up-on-fresh-evidence", detail));
                }
            }
            let away = self.away.contains(path.wwid.as_str());
            let lost = usable && working && outside.is_some() && !away && !held_up
                // Without a WWID it is nobody's: excluded, and `explain` says why.
                && !path.wwid.as_str().is_empty();
            if !lost {
                known.usable_unmapped_since = None;
                continue;
            }
            let since = *known.usable_unmapped_since.get_or_insert(now);
            let since = self.clock_jumped.map_or(since, |jump| jump.max(since));
            let since = outside.map_or(since, |busy| busy.max(since));
            if now.saturating_since(since) > Duration::from_mins(2) {
                let (name, state) = (path.name(), path.check_state);
                let detail = format!("{name} is {state} and not in its map since {:?}", now - since);
                return Err(Violation::new("usable-means-mapped", detail));
            }
        }
        Ok(())
    }

    /// Does a table hang, is the map suspended, or are all its disks too small for a table without the one that is another LUN?
    fn can_not_let_go(&self, world: &World, device: &Device) -> bool {
        let wwid = device.wwid().unwrap_or_default();
        let sectors = device.live.as_ref().map_or(0, Table::sectors);
        let is_its = |disk: &Disk| disk.lun.is_some_and(|lun| world.luns[lun].identity.wwid == wwid);
        let fits = |disk: &Disk| is_its(disk) && disk.scanned.sectors >= sectors;
        let fitting = device.disks().any(|used| world.disks.values().any(|d| d.devt == used.devt && fits(d)));
        device.suspended || self.is_held_up(world, wwid) || !fitting
    }

    /// Is a path in no map, or not in the kernel's table of its own, which could have it? Since when nothing has been done to the
    /// maps that have to do with it. The map of another LUN must let go of it first, if it can.
    fn outside(&self, world: &World, path: &PathView) -> Option<Instant> {
        let wwid = path.wwid.as_str();
        let disk = world.disks.get(path.name().as_str()).filter(|disk| disk.devt == path.facts.devt);
        let serves = |target: &Mpath| {
            target.paths().any(|other| disk.is_some_and(|disk| other.disk.devt == disk.devt))
        };
        let mut others =
            world.dm.devices.values().filter(|device| device.wwid().is_some_and(|is| is != wwid));
        if others.any(|other| other.mpath().is_some_and(serves) && self.can_not_let_go(world, other)) {
            return None;
        }
        // One without a size can be in no table.
        if disk.is_some_and(|disk| disk.scanned.sectors == 0) {
            return None;
        }
        if path.map.is_none() {
            return Some(Instant::default());
        }
        // One that is gone is not known to be.
        let disk = disk?;
        let has = |device: &&Device| device.disks().any(|other| other.devt == disk.devt);
        let own = world.dm.by_uuid(&format!("mpath-{wwid}"));
        let too_small = own.and_then(|map| map.live.as_ref()).is_some_and(|table| {
            let known = self.paths.get(&disk.name).map_or(0, |known| known.sectors);
            disk.scanned.sectors.min(known) < table.sectors()
        });
        if own.and_then(Device::mpath).is_some_and(serves) || too_small || world.opens(disk.devt).is_err() {
            return None;
        }
        let mut maps = world.dm.devices.values().filter(|device| device.wwid() == Some(wwid) || has(device));
        if maps.clone().any(|map| map.suspended) {
            return None;
        }
        let changed = |map: &Device| self.excused.get(&map.minor).copied();
        Some(maps.by_ref().filter_map(changed).max().unwrap_or_default())
    }

    fn names(&self, view: &View) -> Result<(), Violation> {
        let (mut names, mut wwids) = (BTreeSet::new(), BTreeSet::new());
        for map in &view.maps {
            // What it is called is being found out, or changed: an answer that is late is not the daemon's doing.
            let name_is_known = !self.is_operated(map.wwid.as_str());
            if (name_is_known && !names.insert(&map.name)) || !wwids.insert(&map.wwid) {
                let detail = format!("two maps are {} or {} at event {}", map.name, map.wwid, self.step);
                return Err(Violation::new("names-are-unique", detail));
            }
        }
        let names: BTreeSet<_> = view.maps.iter().map(|map| &map.name).collect();
        let nowhere = |path: &&PathView| path.map.as_ref().is_some_and(|map| !names.contains(map));
        if let Some(path) = view.paths.iter().find(nowhere) {
            let detail = format!("{} is in {:?}, and no map is called so", path.name(), path.map);
            return Err(Violation::new("paths-are-in-maps", detail));
        }
        Ok(())
    }

    fn one_place(&self, view: &View) -> Result<(), Violation> {
        let mut seen = BTreeSet::new();
        for path in view.maps.iter().flat_map(|m| &m.groups).flat_map(|g| &g.paths) {
            if !seen.insert(path.name()) {
                let detail = format!("{} is there twice at event {}", path.name(), self.step);
                return Err(Violation::new("a-path-in-one-map", detail));
            }
        }
        Ok(())
    }
}

/// Hangs the table that it is to come with, or the one that it is to go from?
fn is_kept_out(world: &World, path: &PathView) -> bool {
    let has = |device: &Device| device.disks().any(|disk| disk.devt == path.facts.devt);
    world.opening.values().any(|(uuid, _)| {
        uuid.strip_prefix("mpath-") == Some(path.wwid.as_str()) || world.dm.by_uuid(uuid).is_some_and(has)
    })
}
