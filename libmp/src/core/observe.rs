//! What the kernel has: maps found, read back, changed by others, gone.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::check::CheckState;
use crate::core::effect::Outbox;
use crate::core::map::{Live, Map, MapId, Observed};
use crate::core::notice::{Level, Notice};
use crate::core::path::{Path, PathId, UNKNOWN_DEVICE};
use crate::core::readiness::Readiness;
use crate::core::unfinished::is_hollow;
use crate::core::{Core, Phase};
use crate::dm::op::{MapListEntry, RawMap, UUID_PREFIX, wwid_of};
use crate::dm::status::PathStatus;
use crate::show::view::MapAction;
use crate::types::{Instant, MapName, Wwid};

/// What is known of a path that the kernel has failed, until its checker has looked at it.
pub(super) const IO_FAILED: &str = "an I/O failed";

impl Core {
    /// A multipath map that is there: ours from before, or somebody's who made it for this WWID.
    pub(super) fn adopt(&mut self, now: Instant, raw: &RawMap, out: &mut Outbox) {
        let Some(wwid) = wwid_of(&raw.uuid) else { return };
        let id = self.known_or_new(&wwid, &raw.name);
        if self.maps[&id].inflight.is_some() {
            return; // its answer says more than this
        }
        self.set_observed(now, id, Some(Observed::parse(raw)), out);
    }

    /// A map in an enumeration, which may be older than what is known of it.
    pub(super) fn map_found(&mut self, now: Instant, raw: &RawMap, out: &mut Outbox) {
        let id = wwid_of(&raw.uuid).and_then(|wwid| self.by_wwid.get(&wwid).copied());
        let known = id.and_then(|id| Some((id, self.maps.get(&id)?.observed.as_ref()?)));
        match known {
            None if self.phase == Phase::Running => self.map_uevent(&raw.uuid, &raw.name),
            None => self.adopt(now, raw, out),
            Some((id, observed)) if *observed == Observed::parse(raw) => drop(self.dirty.insert(id)),
            Some((id, _)) => self.requery(id),
        }
    }

    /// Takes in how the kernel has a map now.
    pub(super) fn set_observed(&mut self, now: Instant, id: MapId, new: Option<Observed>, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let old = core::mem::replace(&mut map.observed, new);
        map.looked_like = None;
        map.table_read_only = map.read_only();
        let suspended = |observed: &Option<Observed>| observed.as_ref().is_some_and(|o| o.suspended);
        if suspended(&old) && !suspended(&map.observed) {
            map.orders.suspended = false; // resumed, by whomever
        }
        match &old {
            None => self.found(now, id, out),
            Some(old) if is_hollow(old) => self.paths_found(now, id, out),
            Some(_) => {}
        }
        self.review_making(now, id, old.as_ref());
        self.list_names(id);
        self.dirty.insert(id);
        if let Some(old) = &old {
            self.let_go(id, old);
        }
        if self.maps[&id].observed.is_some() && self.maps[&id].mark.is_wanted() {
            self.set_mark(id, false, out); // somebody else has made it
        }
        self.correct_rules_of(id, old.as_ref(), out);
        let map = &self.maps[&id];
        let Some(new) = &map.observed else { return };
        if let (Live::Foreign(what), true) = (&new.live, old.as_ref().is_none_or(|o| o.live != new.live)) {
            let text = alloc::format!("{}: has our UUID and is not ours to touch: {what}", new.name);
            out.notify(Notice::Other { level: Level::Warning, text });
        }
        let failed: Vec<PathId> = map
            .members
            .iter()
            .copied()
            .filter(|p| {
                let Some(path) = self.paths.get(p) else { return false };
                let before = old.as_ref().and_then(|o| o.path_active(path.devt()));
                before == Some(true)
                    && new.path_active(path.devt()) == Some(false)
                    && !path.health.state.is_failed()
            })
            .collect();
        for path_id in failed {
            self.failed_by_kernel(now, path_id, out);
        }
        self.reassign_if_wanted(id, old.as_ref());
        self.count_usable(now, id, out);
    }

    /// A map is there that was not.
    fn found(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        if let Some(map) = self.maps.get_mut(&id) {
            map.remembered = false;
        }
        self.paths_found(now, id, out);
        // Also where making it was called failed in the end, as udev could not be waited for.
        let is_ours = |map: &&Map| map.observed.is_some() && !map.members.is_empty();
        if self.maps.get(&id).is_some_and(|map| is_ours(&map)) {
            self.remember_map(now, id, out);
        }
        let starting = !self.ready;
        let Some(map) = self.maps.get_mut(&id) else { return };
        let ended = |o: &Observed| o.active_paths() == 0 && o.table().is_some_and(|table| !table.queues());
        if let Some(observed) = map.observed.as_ref().filter(|_| map.action == MapAction::None) {
            map.queue.found(starting, observed.suspended, ended(observed));
        }
        self.await_no_name(now, id, out);
    }

    /// An I/O failed on a path. What its checker said before is worth nothing any more, and so is
    /// what a check under way will say: only one that begins after this may bring it back.
    fn failed_by_kernel(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Some(map) = path.map().and_then(|map| self.maps.get_mut(&map)) else { return };
        out.notify(Notice::KernelFailed {
            map: map.kernel_name().clone(),
            path: path.name.clone(),
            devt: path.devt(),
        });
        if path.is_usable() {
            path.stats.failures += 1;
            map.stats.path_faults += 1;
        }
        path.health.state = CheckState::Down;
        path.health.message = IO_FAILED;
        path.went_away();
        // One on standby serves no I/O, neither the right LUN's nor another's.
        path.unexplained = !path.health.standby;
        path.health.calm = None;
        path.health.outdated = path.health.inflight.is_some();
        self.note_failure(now, id, true);
        self.check_soon(now, id);
    }

    /// A map has a table that it had not. Disks of its LUN that have waited, for a second one or to be known, are its paths,
    /// where it has one of them.
    fn paths_found(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        self.find_unidentified(id);
        let is_made = |o: &Observed| o.table().is_some() && !is_hollow(o);
        let has_paths = |map: &&Map| map.observed.as_ref().is_some_and(is_made);
        let Some(wwid) = self.maps.get(&id).filter(has_paths).map(|map| map.wwid.clone()) else { return };
        let map = &self.maps[&id];
        let in_table = |path: &Path| map.observed.as_ref().and_then(|o| o.path_active(path.devt())).is_some();
        let waiting = self.waiting_paths(&wwid).find(|path| self.paths.get(path).is_some_and(in_table));
        if let Some(path) = waiting {
            self.join_with_others(now, path, &wwid, out);
        }
    }

    /// Some map's event counter moved, or maps came or went.
    pub(super) fn dm_changed(&mut self, list: &[MapListEntry]) {
        if self.phase == Phase::Loading {
            return; // the enumeration to come sees them
        }
        if self.maps.is_empty() && !list.iter().any(|e| e.uuid.starts_with(UUID_PREFIX)) {
            return;
        }
        let others: BTreeMap<MapName, String> = list
            .iter()
            .filter(|e| wwid_of(&e.uuid).is_none())
            .map(|e| (e.name.clone(), e.uuid.clone()))
            .collect();
        if core::mem::replace(&mut self.others, others) != self.others {
            self.names_freed();
        }
        let names = list.iter().filter_map(|e| Some((e.uuid.strip_prefix(UUID_PREFIX)?, &e.name))).collect();
        self.review_partitions(&names);
        let mut there = BTreeSet::new();
        for entry in list {
            let Some(wwid) = wwid_of(&entry.uuid) else { continue };
            there.insert(wwid.clone());
            match self.by_wwid.get(&wwid).copied() {
                None => {
                    let id = self.known_or_new(&wwid, &entry.name);
                    self.requery(id);
                }
                Some(id) => self.found_in_list(id, (entry.event_nr, entry.name.clone())),
            }
        }
        let gone: Vec<MapId> = self
            .maps
            .values()
            .filter(|m| m.observed.is_some() && m.inflight.is_none() && !there.contains(&m.wwid))
            .map(|m| m.id)
            .collect();
        for id in gone {
            self.read_again(id); // it may have come since the list was made
        }
    }

    /// A map is in a list with this event counter and name: it is read, unless it is known so. Where an answer is awaited,
    /// that comes first.
    fn found_in_list(&mut self, id: MapId, listed: (u32, MapName)) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        if map.observed.as_ref().is_some_and(|o| (o.event_nr, &o.name) == (listed.0, &listed.1)) {
            map.in_list = None;
        } else if map.inflight.is_some() {
            map.in_list = Some(listed);
            if map.is_open() {
                self.dirty.insert(id);
            }
        } else {
            self.requery(id);
        }
    }

    /// An answer has come: is it as new as the last list?
    pub(super) fn compare_with_list(&mut self, id: MapId, answer: Option<&RawMap>) {
        let listed = self.maps.get_mut(&id).and_then(|map| map.in_list.take());
        if listed.is_some_and(|(nr, name)| answer.is_none_or(|raw| (raw.event_nr, &raw.name) != (nr, &name)))
        {
            self.requery(id);
        }
    }

    /// udev speaks of a map.
    pub(super) fn map_uevent(&mut self, uuid: &str, name: &MapName) {
        if let Some(wwid) = wwid_of(uuid).filter(|_| self.phase != Phase::Loading) {
            let id = self.known_or_new(&wwid, name);
            self.requery(id);
        }
    }

    /// The map of a WWID; one that was not known keeps its name until its paths say what is
    /// configured for it.
    fn known_or_new(&mut self, wwid: &Wwid, name: &MapName) -> MapId {
        self.by_wwid.get(wwid).copied().unwrap_or_else(|| {
            let settings = self.config.map_settings(&UNKNOWN_DEVICE, wwid);
            self.new_map(wwid, name.clone(), settings)
        })
    }

    /// Have a map read again, if it was there; an answer that is awaited is as good or better.
    pub(super) fn read_again(&mut self, id: MapId) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.requery |= map.inflight.is_none() && map.observed.is_some();
        self.dirty.insert(id);
    }

    /// Have a map read again, as soon as nothing is under way.
    pub(super) fn requery(&mut self, id: MapId) {
        if let Some(map) = self.maps.get_mut(&id) {
            map.requery = true;
            self.dirty.insert(id);
        }
    }

    /// A map is gone, and not by us: somebody wanted it so, and it stays away until something new comes.
    pub(super) fn map_gone(&mut self, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.looked_like = None;
        let Some(was) = map.observed.take() else { return };
        // It was to go at its last close for want of paths: that is no reason to keep those out that have come since.
        let stay_away = map.orders.stay_away || !was.deferred_remove;
        map.orders = crate::core::map::Orders { stay_away, ..Default::default() };
        map.readiness = Readiness::default();
        map.unfinished = None;
        out.notify(Notice::MapRemoved { map: was.name.clone(), by_us: was.deferred_remove });
        self.dirty.insert(id);
        if !stay_away {
            self.reconsider(id, out);
        }
        self.list_names(id);
        self.let_go(id, &was);
    }

    /// A map has no longer what it had, whoever took it: those that wait for a device or a name of it are planned again.
    pub(super) fn let_go(&mut self, id: MapId, had: &Observed) {
        let is = self.maps.get(&id).and_then(|map| map.observed.as_ref());
        let keeps = |path: &PathStatus| is.is_some_and(|is| is.path_active(path.devt).is_some());
        let left = had.status().is_some_and(|status| !status.paths().all(keeps));
        let renamed = is.is_none_or(|is| is.name != had.name);
        if left {
            self.dirty_successors(id);
        }
        if renamed {
            self.names_freed();
        }
    }

    /// A name has become free: maps that wait for one are planned again.
    pub(super) fn names_freed(&mut self) {
        let waiting = self.maps.values().filter(|m| *m.kernel_name() != m.name).map(|m| m.id);
        let waiting: Vec<MapId> = waiting.collect();
        self.dirty.extend(waiting);
    }
}
