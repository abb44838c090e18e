//! Paths that are other LUNs by now than the map whose table they are in. I/O of the one must not reach the other: they are
//! failed at once, while the daemon starts, too, and leave the table. Whoever takes them next waits for that.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::core::effect::Outbox;
use crate::core::event::{Uevent, UeventAction};
use crate::core::map::{Map, MapId, Purpose};
use crate::core::path::{Path, PathId};
use crate::core::{Core, plan};
use crate::identify::{self, RawProbe};
use crate::types::{DevT, Instant, Wwid};

/// What strangers there are, and what tells of some.
#[derive(Debug, Clone, Default)]
pub(super) struct Strangers {
    /// Paths whose WWID has changed since they came, or since their map's table was made, and the maps that they were in.
    moved: BTreeMap<PathId, BTreeSet<MapId>>,
    /// All that udev has said of disks that have not been read yet. It may come before the configuration, and a disk's
    /// probe may take its time.
    told: BTreeMap<DevT, BTreeSet<Wwid>>,
    /// Maps with strangers that are new.
    new: BTreeSet<MapId>,
}

impl Strangers {
    pub fn forget(&mut self, path: PathId, devt: DevT) {
        self.moved.remove(&path);
        self.told.remove(&devt);
    }

    /// All disks that there are have been read.
    pub fn all_read(&mut self) {
        self.told.clear();
    }

    /// Does udev know of this device, and nothing of it is this map's WWID?
    fn are_told(&self, devt: DevT, map: &Map) -> bool {
        self.told.get(&devt).is_some_and(|values| !values.contains(&map.wwid))
    }
}

impl Core {
    /// udev speaks of a disk whose probe may take its time. If it is in the table of a map whose WWID is in nothing that udev has
    /// to say, and udev knows who it is, it is none of that map's.
    pub(super) fn heed_stranger(&mut self, uevent: &Uevent) {
        let number = |key: &str| uevent.properties.get(key).and_then(|text| text.parse().ok());
        let (Some(major), Some(minor)) = (number("MAJOR"), number("MINOR")) else { return };
        let devt = DevT { major, minor };
        let path = self.by_name.get(&uevent.name).and_then(|id| self.paths.get(id));
        let is_known = path.is_some_and(|path| path.shown_wwid().is_some());
        let is_named =
            ["ID_SERIAL", "ID_WWN", "ID_UID"].iter().any(|key| uevent.properties.contains_key(*key));
        if uevent.action == UeventAction::Remove || is_known {
            self.strangers.told.remove(&devt);
        } else if is_named {
            let values = uevent
                .properties
                .values()
                .filter_map(|value| identify::of_property(value.as_str()))
                .collect();
            self.strangers.told.insert(devt, values);
        }
        let has = |id: &&MapId| self.maps.get(id).is_some_and(|map| map.unidentified.is_unknown(devt));
        for id in self.unidentified.iter().filter(has).copied().collect::<Vec<_>>() {
            self.tell_apart(id);
        }
    }

    /// Of the devices in this map's table which nobody has read yet, those that udev calls otherwise are none of its paths.
    pub(super) fn tell_apart(&mut self, id: MapId) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let others: Vec<DevT> =
            map.unidentified.unknown().filter(|devt| self.strangers.are_told(*devt, map)).collect();
        if others.is_empty() {
            return;
        }
        for devt in others {
            map.unidentified.cast_out(devt);
        }
        self.strangers.new.insert(id);
        self.dirty.insert(id);
    }

    /// A disk has been read. Is it in the table of a map that it is none of, by its WWID, or by what it says itself where that is
    /// not known?
    pub(super) fn told_apart(&mut self, id: PathId, raw: &RawProbe) {
        let Some(path) = self.paths.get(&id).filter(|path| path.facts.is_some()) else { return };
        let devt = path.devt();
        self.strangers.told.remove(&devt);
        let is_other = |map: &&Map| match path.shown_wwid() {
            Some(wwid) => *wwid != map.wwid,
            None => identify::contradicts(raw, &map.wwid),
        };
        let maps = self.unidentified.iter().filter_map(|id| self.maps.get(id));
        let has_it = maps.filter(|map| map.unidentified.has(devt));
        for from in has_it.filter(is_other).map(|map| map.id).collect::<Vec<_>>() {
            self.moved_from(id, from);
            if let Some(map) = self.maps.get_mut(&from) {
                map.unidentified.cast_out(devt);
                self.dirty.insert(from);
            }
        }
    }

    /// A path is, or may be, another LUN than that of the map it was in: no I/O of that one may reach it.
    pub(super) fn moved_from(&mut self, id: PathId, from: MapId) {
        if self.paths.contains_key(&id) {
            let maps = self.strangers.moved.entry(id).or_default();
            maps.retain(|map| self.maps.contains_key(map));
            maps.insert(from);
            self.strangers.new.insert(from);
        }
    }

    fn moved_out_of(&self, map: MapId) -> impl Iterator<Item = &Path> {
        let moved = self.strangers.moved.iter().filter(move |(_, from)| from.contains(&map));
        moved.filter_map(|(id, _)| self.paths.get(id))
    }

    /// Is a path still in the kernel's table of a map that it was in under another WWID? Until it
    /// has left, no other is given it: I/O meant for the one LUN must not reach the other.
    pub(super) fn is_leaving(&self, path: &Path) -> bool {
        let from = self.strangers.moved.get(&path.id).into_iter().flatten();
        from.filter_map(|from| self.maps.get(from)).any(|m| {
            path.map() != Some(m.id)
                && m.observed.as_ref().is_some_and(|o| o.path_active(path.devt()).is_some())
        })
    }

    /// Maps that wait for a path to leave this one are planned again.
    pub(super) fn dirty_successors(&mut self, id: MapId) {
        let waiting = self.moved_out_of(id).filter_map(Path::map);
        let waiting: Vec<MapId> = waiting.collect();
        self.dirty.extend(waiting);
    }

    /// Devices that are, or may be, in the table of this map and are other LUNs.
    pub(super) fn strangers_in(&self, id: MapId) -> Vec<DevT> {
        let moved = self.moved_out_of(id).filter(|p| p.map() != Some(id));
        let others = self.maps.get(&id).into_iter().flat_map(|map| map.unidentified.others());
        others.chain(moved.map(Path::devt)).collect()
    }

    /// While disks are still being read no table is made. Those that are known to be other LUNs are failed all the same.
    pub(super) fn expel_at_once(&mut self, now: Instant, out: &mut Outbox) {
        for id in core::mem::take(&mut self.strangers.new) {
            let Some(map) = self.maps.get(&id) else { continue };
            let is_busy = map.inflight.is_some();
            let expelled =
                map.observed.as_ref().and_then(|observed| plan::expel(&self.strangers_in(id), observed));
            match expelled {
                Some(planned) if is_busy && !map.message_backoff.blocks(now) => {
                    self.tell_meanwhile(id, planned, out);
                }
                Some(_) if is_busy => {}
                Some(planned) => self.order(id, planned, Purpose::Change, out),
                None => {}
            }
            if is_busy {
                // The table that is being loaded may have it, too.
                self.strangers.new.insert(id);
            }
        }
    }

    /// They are failed by the plan of their map.
    pub(super) fn expel_with_plan(&mut self) {
        self.strangers.new.clear();
    }
}
