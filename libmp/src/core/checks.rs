//! When paths are checked, and what becomes of the answers.

use ::core::time::Duration;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::check::{self, Answered, Ask, CheckRequest, CheckState, Judged};
use crate::config::settings::{Checker, NoPathRetry};
use crate::core::Core;
use crate::core::effect::{Effect, Outbox};
use crate::core::map::{Map, MapId, Observed};
use crate::core::notice::{Level, Notice};
use crate::core::observe::IO_FAILED;
use crate::core::path::{Path, PathId};
use crate::core::queueing::Phase as QueuePhase;
use crate::core::resize::Resizing;
use crate::core::rounds::{Round, Setting, Turn};
use crate::core::timers::Timer;
use crate::core::unmapped::Recheck;
use crate::core::waiting::Awaited;
use crate::prio::PrioError;
use crate::types::{Instant, Priority, Token};

/// A check that neither the configuration nor the device gives a time is given up after so long.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Groups wait so long for the priorities of all paths when that of one has changed.
const RATING_LIMIT: Duration = Duration::from_secs(2);

/// A map with usable paths is read again after so long.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// One that must queue, as long as it is configured so: another tool's `fail_if_no_path` costs I/O.
pub(super) const LOOK_AT_QUEUE_EVERY: Duration = Duration::from_secs(20);

/// Checks of one second are one look.
const SLACK: Duration = Duration::from_secs(1);

/// How long a check of this path may take.
pub(super) fn timeout(path: &Path) -> Duration {
    let configured = path.settings.as_ref().and_then(|s| s.checker_timeout);
    let of_device =
        || path.facts.as_ref().and_then(|f| f.timeout_s).filter(|s| *s > 0).map(Duration::from_secs);
    configured.filter(|t| !t.is_zero()).or_else(of_device).unwrap_or(DEFAULT_TIMEOUT)
}

impl Core {
    /// One is awaited: its map is looked at meanwhile, as there may be no other path that is answered. When it has not been answered
    /// in its time, its path is not usable, and a map that has no usable path is looked at anyhow.
    pub(super) fn look_while_waiting(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let Some(map_id) = self.paths.get(&id).and_then(Path::map) else { return };
        self.look_again(now, map_id, out);
        let map = self.maps.get(&map_id);
        let must_queue = map.is_some_and(|map| map.settings.no_path_retry == NoPathRetry::Queue);
        self.timers.set_or_cancel(Timer::Check(id), must_queue.then(|| next_look(now)));
    }

    /// Orders a check, unless one is under way, holds its slot, or none is wanted.
    pub(super) fn start_check(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        if self.routine_check(now, id, out) {
            return;
        }
        let Some(path) = self.paths.get_mut(&id) else { return };
        let health = &path.health;
        if path.map().is_none() || health.held_down {
            return;
        }
        if health.inflight.is_some() {
            return self.look_while_waiting(now, id, out);
        }
        let timeout = timeout(path);
        if path.steadiness.put_off_check() {
            return;
        }
        let health = &path.health;
        if health.stuck.is_some() {
            // It came with a check that is not answered: it has as long as another would have.
            if health.state == CheckState::Unchecked {
                self.timers.set(Timer::CheckTimeout(id), now + timeout);
            }
            // Its transport has it blocked, and it counts as it did; where nothing was heard of it yet, the kernel uses it.
            if path.is_usable() || health.state == CheckState::Pending {
                self.look_while_waiting(now, id, out);
            }
            return self.look_if_it_opens(now, id, out);
        }
        path.health.outdated = false;
        path.health.round = Round::default();
        let asks = match self.turn(now, id, None) {
            Some(Turn::Ask(asks)) => asks.into(),
            _ => [].into(), // the state in sysfs is all there is to read
        };
        self.ask(now, id, asks, out);
    }

    /// Its check hangs, and it could not be opened when it was last heard of: no answer will tell that it can be.
    fn look_if_it_opens(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id).filter(|path| path.health.closed) else { return };
        if path.probe.is_none() {
            self.start_probe(id, out);
        }
        self.schedule(now, id, false);
    }

    fn turn(&mut self, now: Instant, id: PathId, sysfs_state: Option<&str>) -> Option<Turn> {
        let path = self.paths.get_mut(&id)?;
        // What one path tells of a snapshot holds for all paths of its map.
        let shares = path.health.checker == Checker::EmcClariion;
        let map = path.map().filter(|_| shares).and_then(|map| self.maps.get_mut(&map));
        if let Some(map) = &map {
            path.health.memory.inactive_snapshot = map.inactive_snapshot;
        }
        let (timeout, group) = (timeout(path), path.port_group());
        let turn =
            path.turn(&Setting { sysfs_state, timeout, seed: now.as_micros() ^ u64::from(id.0) << 40 });
        if let Some(map) = map {
            map.inactive_snapshot = path.health.memory.inactive_snapshot;
        }
        if path.port_group() != group {
            self.dirty.extend(path.map()); // the one that is told here may be what it is grouped by
        }
        Some(turn)
    }

    fn ask(&mut self, now: Instant, id: PathId, asks: Arc<[Ask]>, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let timeout = timeout(path);
        let token = self.waiting.token(Awaited::Check(id));
        path.health.inflight = Some(token);
        path.health.blocked = false;
        path.health.round.ask(asks.clone());
        let request = CheckRequest { asks, timeout, usual: None };
        out.push(Effect::Check { token, name: path.name.clone(), devt: path.devt(), request });
        self.timers.set(Timer::CheckTimeout(id), now + timeout);
        self.look_while_waiting(now, id, out);
    }

    /// A check waits for its device. One that was never checked is pending, which is all there is to
    /// say of it; any other goes on as it was.
    pub(super) fn checking(&mut self, now: Instant, id: PathId, token: Token, state: &str, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        if path.health.inflight != Some(token) && path.steadiness.asked() != Some(token) {
            return;
        }
        path.health.blocked = true;
        path.health.offline = check::sysfs::is_offline(Some(state));
        if path.health.state == CheckState::Unchecked {
            self.new_state(now, id, &Judged::new(CheckState::Pending, "device is blocked"), out);
            self.look_while_waiting(now, id, out);
        }
    }

    /// A check was answered, in time or late.
    pub(super) fn checked(
        &mut self,
        now: Instant,
        id: PathId,
        token: Token,
        raw: &Answered,
        out: &mut Outbox,
    ) {
        if self.routine_answer(now, id, token, raw, out) || self.sampled(now, id, token, raw, out) {
            return;
        }
        self.heed_attention(id, &raw.answers);
        let Some(path) = self.paths.get_mut(&id) else { return };
        if path.health.stuck.take_if(|stuck| *stuck == token).is_some() {
            // Too late to mean anything; but its slot is free again, and a table may have waited for that.
            self.dirty.extend(path.map());
            self.timers.cancel(Timer::CheckTimeout(id));
            self.start_check(now, id, out);
            return;
        }
        path.health.inflight = None;
        self.timers.cancel(Timer::CheckTimeout(id));
        let state = raw.sysfs_state.as_deref();
        path.health.offline = check::sysfs::is_offline(state);
        let was_closed = core::mem::replace(&mut path.health.closed, !check::sysfs::opens(state));
        if was_closed && !path.health.closed {
            self.opens_again(id);
        }
        let Some(path) = self.paths.get_mut(&id) else { return };
        if path.health.held_down {
            return self.dirty.extend(path.map());
        }
        path.health.round.answered(&raw.answers);
        let outdated = core::mem::take(&mut path.health.outdated);
        let told = path.has_told_serial();
        let turn = self.turn(now, id, raw.sysfs_state.as_deref());
        let tells = !told && self.paths.get(&id).is_some_and(Path::has_told_serial);
        if tells && self.leaves_for_serial(now, id, out) {
            return;
        }
        let (judged, rated) = match turn {
            Some(Turn::Ask(asks)) if !outdated => return self.ask(now, id, asks.into(), out),
            Some(Turn::Done(judged, rated)) if !outdated || judged.state.is_failed() => (judged, rated),
            _ => return self.check_again(now, id, out),
        };
        let Some(path) = self.paths.get_mut(&id) else { return };
        let round = core::mem::take(&mut path.health.round);
        path.stats.checks += 1;
        if judged.retry && path.health.tries + 1 < check::TRIES {
            path.health.tries += 1;
            self.start_check(now, id, out);
            return;
        }
        path.health.tries = 0;
        self.checked_for_size(id, judged.state.is_usable(), out);
        if self.same_again(now, id, (&round, raw), (&judged, rated.as_ref()), out) {
            return;
        }
        if self.recheck(now, id, (&round, &judged), out) {
            return self.schedule(now, id, false);
        }
        self.explained(id);
        let judged = self.admit(now, id, judged, out);
        if let Some(rated) = rated {
            self.rate(now, id, rated, out);
        }
        self.say_again(id, &judged, out);
        self.new_state(now, id, &judged, out);
        self.calm_down(now, id, judged.state);
    }

    /// The check had begun before something that its answer says nothing of. Who waits for one is given another at once.
    fn check_again(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        match self.paths.get(&id).map(|path| (path.resizing, &path.recheck)) {
            Some((Resizing::CheckedAgain, _) | (_, Recheck::Asked(_))) => self.start_check(now, id, out),
            _ => self.schedule(now, id, false),
        }
    }

    /// A path that stays failed: its checker's words, each time (`log_checker_err always`), or for who
    /// wants to know how it came to pass. Where it was the kernel that failed it, they are the first.
    fn say_again(&self, id: PathId, judged: &Judged, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id) else { return };
        let Some(map) = path.map().and_then(|map| self.maps.get(&map)) else { return };
        if !judged.state.is_failed() || judged.state != path.health.state {
            return;
        }
        let (map, path, checker) =
            (map.kernel_name().clone(), path.name.clone(), path.health.checker.as_str());
        let message = judged.message;
        out.notify(if self.paths[&id].health.message == IO_FAILED {
            Notice::PathState { map: Some(map), path, checker, state: judged.state, message }
        } else {
            let once = self.config.globals().log_checker_err_once;
            let level = if once { Level::Info } else { Level::Notice };
            Notice::PathStillFailed { map, path, checker, message, level }
        });
    }

    /// No answer in its time. The call goes on holding its slot; nothing more is asked before it ends.
    pub(super) fn check_timed_out(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        path.health.stuck = path.health.inflight.take().or(path.health.stuck);
        path.health.tries = 0;
        self.checked_for_size(id, false, out);
        let Some(path) = self.paths.get_mut(&id) else { return };
        if path.health.blocked {
            // No fault of the path's as long as its transport has it: does it still?
            let timeout = timeout(path);
            self.timers.set(Timer::CheckTimeout(id), now + timeout);
            self.start_probe(id, out);
            return;
        }
        path.steadiness.explain_failure(true);
        self.explained(id);
        self.new_state(now, id, &Judged::TIMED_OUT, out);
    }

    fn rate(&mut self, now: Instant, id: PathId, rated: Result<Priority, PrioError>, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let (priority, error) = match rated {
            Ok(priority) => (Some(priority), None),
            // What was known before holds.
            Err(PrioError::Transitioning | PrioError::NotRead) => (None, None),
            Err(error @ PrioError::Arguments(_)) => (Some(Priority(0)), Some(error)),
            Err(error) => (None, Some(error)),
        };
        if let Some(priority) = priority {
            path.health.priority_complained &= error.is_some();
            let was = core::mem::replace(&mut path.health.priority, priority);
            if was != priority {
                self.dirty.extend(path.map());
                if was.is_known() {
                    self.rate_others(now, id, out);
                }
            }
        }
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Some(error) = error.filter(|_| !path.health.priority_complained) else { return };
        path.health.priority_complained = true;
        let kept = if priority.is_some() { "it has none" } else { "it keeps its last one" };
        let text = alloc::format!("{}: its priority can't be read: {error}; {kept}", path.name);
        out.notify(Notice::Other { level: Level::Warning, text });
    }

    /// The paths of a map have one prioritizer, where it is detected: one whose handler came after it was read is asked itself, and what the
    /// kernel knows of the others may be older than what it says.
    pub(super) fn review_prioritizers(&mut self, id: MapId) {
        let Some(map) = self.maps.get(&id) else { return };
        let members = self.members(map);
        let asked_all = members.iter().any(|path| path.is_asked_for_alua());
        let other = |path: &&&Path| path.health.asked_all != asked_all;
        let others: Vec<PathId> = members.iter().filter(other).map(|path| path.id).collect();
        for id in others {
            let Some(path) = self.paths.get_mut(&id) else { continue };
            path.health.asked_all = asked_all;
            if let (Some(facts), Some(settings)) = (&path.facts, &path.settings) {
                path.health.choose(facts, settings);
            }
        }
    }

    /// The array has changed a path's priority, and those of others with it, most likely: they are
    /// asked at once, and the groups are made anew when all have answered.
    fn rate_others(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let map_id = self.paths.get(&id).and_then(Path::map);
        let Some(map) = map_id.and_then(|map| self.maps.get_mut(&map)) else { return };
        if map.hold_until.is_some() {
            return; // they are being asked
        }
        let usable = |p: &PathId| self.paths.get(p).is_some_and(Path::is_usable);
        let others: Vec<PathId> = map.members.iter().copied().filter(|p| *p != id && usable(p)).collect();
        map.rerated.clear();
        self.await_ratings(now, &others, out);
    }

    /// Asks members of a map for their priorities; its table is as it is until they have answered.
    pub(super) fn await_ratings(&mut self, now: Instant, members: &[PathId], out: &mut Outbox) {
        for id in members {
            let map_id = self.paths.get(id).filter(|path| path.is_usable()).and_then(Path::map);
            let Some(map) = map_id.and_then(|map| self.maps.get_mut(&map)) else { continue };
            map.rerated.insert(*id);
            if map.hold_until.is_none() {
                map.hold_until = Some(now + RATING_LIMIT);
                self.timers.set(Timer::Hold(map.id), now + RATING_LIMIT);
            }
            self.start_check(now, *id, out);
        }
    }

    /// What a checker, or an operator in its place, says of a path.
    pub(super) fn new_state(&mut self, now: Instant, id: PathId, judged: &Judged, out: &mut Outbox) {
        let globals = self.config.globals();
        let (min, max) = (globals.polling_interval, globals.max_polling_interval);
        let Some(path) = self.paths.get_mut(&id) else { return };
        let was = path.health.state;
        // "Pending" says nothing: what was known before goes on.
        let says_nothing = judged.state == CheckState::Pending && was != CheckState::Unchecked;
        let is = if says_nothing { was } else { judged.state };
        path.health.state = is;
        path.health.standby = if says_nothing { path.health.standby } else { is == CheckState::Ghost };
        path.health.message = judged.message;
        if was.is_failed() && is.is_usable() {
            path.refused = None;
            path.health.unread_pages.ask_again();
        }
        if is.is_failed() {
            path.went_away();
        }
        let steady = was == is && is.is_usable() && !says_nothing;
        path.health.interval =
            if steady { path.health.interval.saturating_mul(2).clamp(min, max.max(min)) } else { min };
        let Some(map_id) = path.map() else { return };
        if was.is_usable() && is.is_failed() {
            path.stats.failures += 1;
            if let Some(map) = self.maps.get_mut(&map_id) {
                map.stats.path_faults += 1;
            }
        }
        if was != is {
            let first_good = was == CheckState::Unchecked && is.is_usable();
            if !first_good {
                out.notify(Notice::PathState {
                    map: self.maps.get(&map_id).map(|m| m.kernel_name().clone()),
                    path: path.name.clone(),
                    checker: path.health.checker.as_str(),
                    state: is,
                    message: judged.message,
                });
            }
            self.dirty.insert(map_id);
        } else if self.kernel_disagrees(id) {
            self.dirty.insert(map_id);
        }
        if (was.is_failed() || was == CheckState::Delayed) && is.is_usable() {
            self.follow_over(id);
        }
        if was.is_usable() && is.is_failed() {
            self.note_failure(now, id, false);
        }
        if is.is_usable() {
            self.tune_again(id, out);
        }
        self.note_disconnected(id, was, out);
        self.look_again(now, map_id, out);
        self.schedule(now, id, was == CheckState::Unchecked);
        if let Some(map) = self.maps.get_mut(&map_id) {
            map.rerated.remove(&id);
        }
        self.end_hold_if_checked(now, map_id, out);
        if was != is || self.lasted(now, id) {
            self.count_usable(now, map_id, out);
        }
    }

    /// Nobody says when another tool switches a map's queueing, or when a group gets its first I/O: a map
    /// is read with the checks of its paths, once an interval while it has no usable path or no active
    /// group, else once a minute, or three times where it must queue without an end.
    pub(super) fn look_again(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get(&id) else { return };
        let every = self.look_every(map);
        let due = map.looked_at.is_none_or(|at| now >= at + every);
        if due
            && map.inflight.is_none()
            && let Some(map) = self.maps.get_mut(&id)
        {
            map.looked_at = Some(now);
            self.look_at(id, out);
        }
    }

    pub(super) fn look_every(&self, map: &Map) -> Duration {
        let interval = self.config.globals().polling_interval;
        let steady = map.queue.phase == QueuePhase::Normal
            && map.observed.as_ref().is_some_and(Observed::has_active_group);
        let must_queue = map.settings.no_path_retry == NoPathRetry::Queue;
        let steadily = if must_queue { LOOK_AT_QUEUE_EVERY } else { LOOK_EVERY };
        let every = if steady { interval.max(steadily) } else { interval };
        every.saturating_sub(SLACK)
    }

    /// Has a path that had relapsed been good for long enough to be relied upon again?
    fn lasted(&mut self, now: Instant, id: PathId) -> bool {
        let Some(path) = self.paths.get_mut(&id) else { return false };
        path.is_usable() && path.steadiness.lasted(now)
    }

    /// Does the kernel use a path that is not usable, or not use one that is?
    fn kernel_disagrees(&self, id: PathId) -> bool {
        let Some(path) = self.paths.get(&id) else { return false };
        let observed = path.map().and_then(|m| self.maps.get(&m)).and_then(|m| m.observed.as_ref());
        match observed.and_then(|o| o.path_active(path.devt())) {
            Some(active) => active != path.is_usable() && path.health.state != CheckState::Pending,
            // It may have been left out as it did not answer.
            None => matches!(path.health.state, CheckState::Pending | CheckState::Timeout),
        }
    }

    /// Sets the next check on a whole second, so that those of one second cost one wake-up. The first interval of a path,
    /// and each one at rest, ends in the path's own second of it, which spreads the paths over the seconds: it is cut short
    /// once for that, and is whole from then on, however late the answers come.
    pub(super) fn schedule(&mut self, now: Instant, id: PathId, first: bool) {
        let globals = self.config.globals();
        let longest = globals.max_polling_interval.max(globals.polling_interval);
        let Some(path) = self.paths.get_mut(&id) else { return };
        let health = &path.health;
        let hangs = health.stuck.is_some() && !health.closed;
        if hangs || health.held_down || path.map().is_none() {
            self.timers.cancel(Timer::Check(id));
            return;
        }
        let interval = path.health.interval;
        let spread = path.is_usable() && (first || interval >= longest);
        let at = if spread { in_its_second(now, id, interval) } else { whole_second(now + interval) };
        path.health.next_check = at;
        self.timers.set(Timer::Check(id), at);
    }

    /// Something happened to a path: its next check comes after the shortest interval.
    pub(super) fn check_soon(&mut self, now: Instant, id: PathId) {
        let min = self.config.globals().polling_interval;
        if let Some(path) = self.paths.get_mut(&id) {
            path.health.interval = min;
        }
        self.check_in_its_interval(now, id);
    }

    /// Its interval may have become shorter: its next check comes after that at the latest.
    pub(super) fn check_in_its_interval(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let at = whole_second(now + path.health.interval);
        let set = self.timers.get(Timer::Check(id));
        if path.map().is_some() && set.is_some_and(|set| set > at) {
            path.health.next_check = at;
            self.timers.set(Timer::Check(id), at);
        }
    }
}

const SECOND: u64 = 1_000_000;

/// When a map that must queue is looked at again.
pub(super) fn next_look(now: Instant) -> Instant {
    whole_second(now + LOOK_AT_QUEUE_EVERY)
}

/// The whole second that is nearest, and not past by more than half of one.
fn whole_second(at: Instant) -> Instant {
    Instant::from_micros((at.as_micros().saturating_add(SECOND / 2)) / SECOND * SECOND)
}

/// The last one of a path's own seconds, of which each interval has one, that is not after the interval from now on.
fn in_its_second(now: Instant, id: PathId, interval: Duration) -> Instant {
    /// Golden section of 2^32: its multiples fall evenly, those of every second or fourth number, too.
    const SECTION: u32 = 0x9e37_79b9;
    let length = interval.as_secs().max(1);
    let own = (u64::from(id.0.wrapping_mul(SECTION)) * length) >> 32;
    let latest = whole_second(now).as_micros() / SECOND + length;
    Instant::from_micros((latest - (latest + length - own) % length) * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of these paths are checked in the fullest second and in the emptiest one.
    fn spread(ids: impl Iterator<Item = u32>, interval: u64) -> (usize, usize) {
        let mut due = alloc::vec![0; usize::try_from(interval).unwrap()];
        for id in ids {
            let at = in_its_second(Instant::from_micros(0), PathId(id), Duration::from_secs(interval));
            due[usize::try_from(at.as_micros() / SECOND % interval).unwrap()] += 1;
        }
        (due.iter().copied().max().unwrap(), due.iter().copied().min().unwrap())
    }

    #[test]
    fn paths_are_spread_over_the_interval_whichever_of_them_there_are() {
        for interval in [1, 5, 7, 20, 60] {
            for step in [1, 2, 3, 4, 8, 10, 16, 20] {
                let mean = 100;
                let ids = (0..mean * u32::try_from(interval).unwrap()).map(|n| 17 + n * step);
                let (most, least) = spread(ids, interval);
                assert!(most <= 110 && least >= 90, "{interval} s, each {step}th: {least} to {most}");
            }
        }
    }

    #[test]
    fn an_interval_is_cut_short_once_and_never_longer() {
        let interval = Duration::from_secs(20);
        for id in (0..50).map(PathId) {
            for now in (0..40_000_000).step_by(490_000).map(Instant::from_micros) {
                let first = in_its_second(now, id, interval);
                assert!(first > now && first <= whole_second(now + interval), "{id:?} at {now:?}");
                for late in [0, 300, 499, 2000, 19_000].map(Duration::from_millis) {
                    assert_eq!(in_its_second(first + late, id, interval), first + interval);
                }
            }
        }
    }
}
