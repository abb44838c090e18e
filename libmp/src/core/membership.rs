//! Which map a path belongs to, and whether it is taken at all.

use ::core::time::Duration;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::check;
use crate::config::settings::{FindMultipaths, GroupingPolicy, MapSettings, PathSettings};
use crate::core::Core;
use crate::core::contested::Contest;
use crate::core::effect::Outbox;
use crate::core::judge::{self, Wanted};
use crate::core::map::{Map, MapId};
use crate::core::mode;
use crate::core::notice::Notice;
use crate::core::path::{self, Exclusion, Health, PathId, Standing};
use crate::core::resize::Resizing;
use crate::core::timers::Timer;
use crate::core::unmapped::Purge;
use crate::identify::tunables::Tunable;
use crate::types::{Instant, MapName, Wwid};

/// A map waits so long for the first checks of paths that came, so that they come in one table.
pub(super) const HOLD_LIMIT: Duration = Duration::from_secs(2);

impl Core {
    /// Settings for a path, and the checker and prioritizer that come of them and of the device. True
    /// where the priority that was known means nothing any more.
    pub(super) fn use_settings(&mut self, id: PathId, settings: PathSettings) -> bool {
        let interval = self.config.globals().polling_interval;
        let Some(path) = self.paths.get_mut(&id) else { return false };
        let Some(facts) = &path.facts else { return false };
        let was_rated = path.health.priority.is_known();
        let was = path.settings.as_ref();
        if was.is_none() {
            path.health = Health::new(settings.checker, settings.prio, interval);
        } else {
            let max = self.config.globals().max_polling_interval;
            path.health.interval = path.health.interval.clamp(interval, max.max(interval));
        }
        let kind = |s: &PathSettings| (s.device_checker, s.detect_checker, s.detect_prio);
        if was.is_some_and(|was| kind(was) != kind(&settings)) {
            path.health.detected = None;
        }
        path.health.choose(facts, &settings);
        path.health.offline = check::sysfs::is_offline(facts.state.as_deref());
        path.health.closed = !check::sysfs::opens(facts.state.as_deref());
        path.settings = Some(settings);
        was_rated && !path.health.priority.is_known()
    }

    /// A path shows this WWID: it stays where it is, joins a map, or waits for a second path.
    pub(super) fn place(&mut self, now: Instant, id: PathId, wwid: Wwid, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id) else { return };
        match &path.standing {
            Standing::Member { wwid: was, map } if *was == wwid => {
                // Its facts may have changed (size, read-only).
                self.dirty.insert(*map);
                return;
            }
            Standing::Member { .. } => self.wwid_changed(now, id, &wwid, out),
            _ => {}
        }
        if let Some(reason) = self.contradiction(id, &wwid) {
            self.exclude(now, id, Exclusion::Contradicts { wwid, reason }, out);
        } else if self.is_wanted(id, &wwid) {
            self.join_with_others(now, id, &wwid, out);
        } else {
            let reason = self.why_alone(id, &wwid);
            let waiting = Standing::Waiting { wwid };
            let Some(path) = self.paths.get(&id).filter(|path| path.standing != waiting) else { return };
            out.notify(Notice::PathIgnored { path: path.name.clone(), reason, was_in: None });
            self.stand(id, waiting);
        }
    }

    /// What is made of a path; who waits for another is found by the WWID.
    pub(super) fn stand(&mut self, id: PathId, standing: Standing) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let was = core::mem::replace(&mut path.standing, standing);
        self.forget_nameless(id);
        self.contradicting.remove(&id);
        self.forget_taken_out(id);
        if let Standing::Waiting { wwid } = was
            && let Some(alone) = self.alone.get_mut(&wwid)
        {
            alone.remove(&id);
            if alone.is_empty() {
                self.alone.remove(&wwid);
            }
        }
        let Some(path) = self.paths.get(&id) else { return };
        match &path.standing {
            Standing::Waiting { wwid } => drop(self.alone.entry(wwid.clone()).or_default().insert(id)),
            Standing::Excluded(Exclusion::Contradicts { .. }) => drop(self.contradicting.insert(id)),
            _ => {}
        }
    }

    /// Paths of this WWID that wait for a second one.
    pub(super) fn waiting_paths(&self, wwid: &Wwid) -> impl Iterator<Item = PathId> {
        self.alone.get(wwid).into_iter().flatten().copied()
    }

    /// A member is another LUN now.
    pub(super) fn wwid_changed(&mut self, now: Instant, id: PathId, is: &Wwid, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id) else { return };
        let Standing::Member { wwid: was, map: from } = path.standing.clone() else { return };
        let map = self.maps.get(&from).map(|map| map.kernel_name().clone());
        out.notify(Notice::WwidChanged { map, path: path.name.clone(), was: was.clone(), is: is.clone() });
        self.start_over(now, id, Exclusion::WwidChanged { was, is: is.clone() }, out);
        self.moved_from(id, from);
        // What the array has done to one path it has done to the others, most likely: each is looked at with its next check.
        for member in self.maps.get(&from).map(|map| map.members.clone()).unwrap_or_default() {
            self.doubt(member);
        }
    }

    /// A path that is somebody else now: nothing known of the old one holds for the new.
    pub(super) fn start_over(&mut self, now: Instant, id: PathId, why: Exclusion, out: &mut Outbox) {
        self.exclude(now, id, why, out);
        let Some(path) = self.paths.get_mut(&id) else { return };
        path.health.forget_pages();
    }

    /// What speaks against a path being one of this WWID's.
    fn contradiction(&self, id: PathId, wwid: &Wwid) -> Option<String> {
        let devt = self.paths[&id].facts.as_ref()?.devt;
        let map = self.map_by_wwid(wwid)?;
        // What an earlier run has taken is not torn out of a map at work.
        let live = map.observed.as_ref().and_then(|o| o.path_active(devt)).is_some();
        let serial = self.serial_of_another(id, map).filter(|_| !live);
        let mode = || mode::another_mode(&self.paths[&id], map);
        serial.or_else(mode).or_else(|| self.another_size(id, map, live))
    }

    pub(super) fn serial_of_another(&self, id: PathId, map: &Map) -> Option<String> {
        let mut others = map.members.iter().filter(|p| **p != id);
        others.find_map(|other| self.another_serial(id, *other, &map.wwid))
    }

    /// A member has told its serial number with its first check, as disks older than SPC-2 do. It leaves its map where that
    /// speaks against it, even if a table has it by now. Says if it does.
    pub(super) fn leaves_for_serial(&mut self, now: Instant, id: PathId, out: &mut Outbox) -> bool {
        let Some(path) = self.paths.get(&id).filter(|path| !path.taken_over) else { return false };
        let Standing::Member { wwid, map: from } = path.standing.clone() else { return false };
        let Some(reason) = self.maps.get(&from).and_then(|map| self.serial_of_another(id, map)) else {
            return false;
        };
        let pages = path.health.unread_pages.clone();
        self.exclude(now, id, Exclusion::Contradicts { wwid, reason }, out);
        self.moved_from(id, from);
        if let Some(path) = self.paths.get_mut(&id) {
            path.health.unread_pages = pages; // another look at it shall find the same
        }
        true
    }

    /// Do two disks of one WWID say by their serial numbers that they are two?
    fn another_serial(&self, id: PathId, other: PathId, wwid: &Wwid) -> Option<String> {
        let facts = |id| self.paths.get(&id)?.facts.as_ref();
        let (mine, other) = (facts(id)?, &facts(other)?.serial);
        if mine.serial == *other || mine.serial.is_empty() || other.is_empty() {
            return None;
        }
        // Of the configuration in force: a map may still have the one before.
        let grouping = self.config.map_settings(&path::device_id(mine), wwid).grouping;
        let mine = &mine.serial;
        (grouping != GroupingPolicy::BySerial).then(|| {
            format!(
                "its serial number is {mine}, not {other} (path_grouping_policy group_by_serial merges them)"
            )
        })
    }

    /// Why a disk that waits and shows the same WWID is no second path, if there is one.
    pub(super) fn no_second(&self, id: PathId, wwid: &Wwid) -> Option<String> {
        let mut others = self.waiting_paths(wwid).filter(|other| *other != id);
        let (other, why) = others.find_map(|other| Some((other, self.differs(id, other, wwid)?)))?;
        Some(format!("{} is no second path of its LUN: {why}", self.paths.get(&other)?.name))
    }

    /// Why `find_multipaths` leaves a path alone.
    pub(super) fn why_alone(&self, id: PathId, wwid: &Wwid) -> String {
        if self.config.globals().find_multipaths == FindMultipaths::Strict {
            return "find_multipaths strict: its WWID is not known".into();
        }
        let why = self.no_second(id, wwid).unwrap_or_else(|| "no second path".into());
        format!("find_multipaths: {why}, and its WWID is not known")
    }

    /// What speaks against two disks of a WWID that has no map being one LUN.
    fn differs(&self, id: PathId, other: PathId, wwid: &Wwid) -> Option<String> {
        self.another_serial(id, other, wwid).or_else(|| self.not_this_size(id, self.sectors(other)))
    }

    /// Is this WWID to be multipathed (`find_multipaths`)?
    fn is_wanted(&self, id: PathId, wwid: &Wwid) -> bool {
        !matches!(self.wanted(id, wwid), Wanted::NotKnown | Wanted::Alone)
    }

    /// The same, with its reason.
    pub(super) fn wanted(&self, id: PathId, wwid: &Wwid) -> Wanted<PathId> {
        let in_kernel =
            || self.map_by_wwid(wwid).is_some_and(|m| m.observed.is_some() || !m.members.is_empty());
        let second = || {
            let mut others = self.waiting_paths(wwid).filter(|other| *other != id);
            others.find(|other| self.differs(id, *other, wwid).is_none())
        };
        judge::wanted(self.config.globals().find_multipaths, || self.wwids.contains(wwid), in_kernel, second)
    }

    /// A path joins, and those that have waited for it: each is held against the ones that are in.
    pub(super) fn join_with_others(&mut self, now: Instant, id: PathId, wwid: &Wwid, out: &mut Outbox) {
        let others: Vec<PathId> = self.waiting_paths(wwid).filter(|other| *other != id).collect();
        self.join(now, id, wwid, out);
        for other in others {
            match self.contradiction(other, wwid) {
                Some(reason) => {
                    let wwid = wwid.clone();
                    self.exclude(now, other, Exclusion::Contradicts { wwid, reason }, out);
                }
                None => self.join(now, other, wwid, out),
            }
        }
    }

    fn join(&mut self, now: Instant, id: PathId, wwid: &Wwid, out: &mut Outbox) {
        let map_id = self.map_for(now, id, wwid, out);
        self.stand(id, Standing::Member { wwid: wwid.clone(), map: map_id });
        let Some(path) = self.paths.get_mut(&id) else { return };
        path.refused = None;
        let Some(map) = self.maps.get_mut(&map_id) else { return };
        path.taken_over = map.observed.as_ref().and_then(|o| o.path_active(path.devt())).is_some();
        map.members.insert(id);
        map.last_member.clone_from(&path.facts);
        map.orders.stay_away = false;
        map.queue.released = false;
        map.backoff.clear();
        let (name, path, devt) = (map.kernel_name().clone(), path.name.clone(), path.devt());
        let found = map.observed.is_some();
        out.notify(Notice::PathAdded { map: name, path, devt });
        if found {
            self.remember_map(now, map_id, out); // whoever made it may have ended before that was on the disk
        }
        self.hold(now, map_id);
        self.dirty.insert(map_id);
        self.others_go(now, id, map_id, out);
        self.tune(id, out);
        self.start_check(now, id, out);
    }

    /// A path that the table of its map has already is not torn out of it. Who joined before it was known, and is another disk by its
    /// serial number, goes: a daemon that starts may meet them in any order.
    fn others_go(&mut self, now: Instant, id: PathId, map_id: MapId, out: &mut Outbox) {
        if !self.paths.get(&id).is_some_and(|path| path.taken_over) {
            return;
        }
        let Some(map) = self.maps.get(&map_id) else { return };
        let others = map.members.iter().filter_map(|other| self.paths.get(other)).filter(|p| !p.taken_over);
        let others = others.filter_map(|p| Some((p.id, self.another_serial(p.id, id, &map.wwid)?)));
        let (wwid, others) = (map.wwid.clone(), others.collect::<Vec<_>>());
        for (other, reason) in others {
            self.exclude(now, other, Exclusion::Contradicts { wwid: wwid.clone(), reason }, out);
            self.moved_from(other, map_id);
        }
    }

    /// The map of a WWID, new if there is none; its settings are those of this path's device.
    fn map_for(&mut self, now: Instant, id: PathId, wwid: &Wwid, out: &mut Outbox) -> MapId {
        let settings = self.config.map_settings(&self.paths[&id].device_id(), wwid);
        if let Some(map) = self.by_wwid.get(wwid).copied() {
            if self.maps[&map].members.is_empty() {
                let name = self.choose_name(wwid, &settings, out);
                self.use_map_settings(now, map, name, settings);
            }
            return map;
        }
        let name = self.choose_name(wwid, &settings, out);
        self.new_map(wwid, name, settings)
    }

    pub(super) fn new_map(&mut self, wwid: &Wwid, name: MapName, settings: MapSettings) -> MapId {
        self.next_map += 1;
        let id = MapId(self.next_map);
        let mut map = Map::new(id, wwid.clone(), name, settings);
        map.queue.disabled = self.switched.disabled.contains(wwid);
        self.maps.insert(id, map);
        self.by_wwid.insert(wwid.clone(), id);
        self.list_names(id);
        id
    }

    /// A path is no longer its map's.
    pub(super) fn leave_map(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Standing::Member { map: map_id, .. } = path.standing else { return };
        path.standing = Standing::New;
        // What is known of it is no evidence any more, should it join again.
        let read = core::mem::take(&mut path.steadiness).asked();
        path.health.stuck = path.health.stuck.or(read);
        (path.purge, path.designated) = (Purge::No, None);
        path.start_recheck_over();
        path.health = path.health.anew(self.config.globals().polling_interval);
        (path.unexplained, path.contest) = (false, Contest::default());
        let name = path.name.clone();
        self.timers.cancel(Timer::Check(id));
        self.timers.cancel(Timer::CheckTimeout(id));
        self.timers.cancel(Timer::Sample(id));
        let Some(map) = self.maps.get_mut(&map_id) else { return };
        map.members.remove(&id);
        map.backoff.clear();
        out.notify(Notice::PathRemoved { map: map.kernel_name().clone(), path: name });
        self.reconsider(map_id, out); // it may have been the one that spoke against others
        self.dirty.insert(map_id);
        self.count_usable(now, map_id, out);
        self.end_hold_if_checked(now, map_id, out);
        if let Some(path) = self.paths.get_mut(&id) {
            path.resizing = Resizing::No;
        }
        self.size_told(map_id, id, out);
    }

    /// The first checks took too long: the map is made of what is known.
    pub(super) fn hold_over(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        if let Some(map) = self.maps.get_mut(&id) {
            map.hold_until = None;
            map.rerated.clear();
            self.dirty.insert(id);
            self.count_usable(now, id, out);
        }
    }

    /// All members have been checked once: nothing to wait for.
    pub(super) fn end_hold_if_checked(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        // Limits of a disk are set before the table that takes them over.
        let limited = |p: &path::Path| matches!(p.tuning.inflight, Some((_, Tunable::MaxSectorsKb, _)));
        let unchecked = |p: &PathId| {
            let path = self.paths.get(p);
            path.is_some_and(|p| p.health.state == check::CheckState::Unchecked || limited(p))
        };
        let rated = map.rerated.iter().all(|p| !map.members.contains(p));
        if map.hold_until.is_some()
            && rated
            && !map.members.iter().any(unchecked)
            && !self.await_disks(now, id)
        {
            self.timers.cancel(Timer::Hold(id));
            self.hold_over(now, id, out);
        }
    }

    /// After a new configuration: settings and names of all maps, anew.
    pub(super) fn refresh_maps(&mut self, now: Instant, out: &mut Outbox) {
        let ids: Vec<MapId> = self.maps.keys().collect();
        for id in ids {
            let map = &self.maps[&id];
            let first = map.members.first().and_then(|p| self.paths.get(p)?.facts.as_ref());
            let wwid = map.wwid.clone();
            let (settings, name) = match (first.or(map.last_member.as_ref()), map.members.is_empty()) {
                (Some(facts), false) => {
                    let settings = self.config.map_settings(&path::device_id(facts), &wwid);
                    let name = self.choose_name(&wwid, &settings, out);
                    (settings, name)
                }
                // Without a path it is let be called what it is.
                (Some(facts), true) => {
                    (self.config.map_settings(&path::device_id(facts), &wwid), map.name.clone())
                }
                (None, _) => (self.config.map_settings(&path::UNKNOWN_DEVICE, &wwid), map.name.clone()),
            };
            if let Some(map) = self.maps.get_mut(&id) {
                map.queue.released &= judge::excludes_last(&self.config, map);
                map.orders.stay_away = false;
                map.backoff.clear(); // what failed may have been the configuration's fault
                map.handler_refused = false;
            }
            self.use_map_settings(now, id, name, settings);
            self.tune_map(id, out);
            self.count_usable(now, id, out);
            self.dirty.insert(id);
        }
    }

    fn use_map_settings(&mut self, now: Instant, id: MapId, name: MapName, settings: MapSettings) {
        let interval = self.config.globals().polling_interval;
        let Some(map) = self.maps.get_mut(&id) else { return };
        let was = core::mem::replace(&mut map.settings, settings);
        map.name = name;
        // Before the paths were counted once, no time runs that the settings could change.
        let outdated = || {
            was.no_path_retry != map.settings.no_path_retry || map.queue.is_outdated(&map.settings, interval)
        };
        if map.said_active.is_some() && outdated() {
            self.timers.cancel(Timer::Queueing(id));
            if let Some(until) = map.queue.reconfigured(now, &map.settings, interval) {
                self.timers.set(Timer::Queueing(id), until);
            }
        }
        self.list_names(id);
    }
}
