//! Paths that come and go. Each failure costs an I/O its time, so a path that fails again and again is
//! held back, though its checker finds it good: `delayed`, or in a group of its own.
//!
//! ```text
//!          fails soon after it was used again, or often, or its reads fail
//! steady ───────────────────────────────────────────────────────────────► held back, or marginal
//!    ▲                                                                        │
//!    └──── its time is over; its reads go well; there is no other path ───────┘
//! ```

use ::core::time::Duration;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::check::{Answer, Ask, CheckRequest, CheckState, Judged, RawCheck};
use crate::config::flaky::Test;
use crate::core::Core;
use crate::core::checks::timeout;
use crate::core::desired;
use crate::core::effect::{Effect, Outbox};
use crate::core::map::MapId;
use crate::core::notice::{Level, Notice};
use crate::core::path::PathId;
use crate::core::timers::Timer;
use crate::core::usable::counts;
use crate::core::waiting::Awaited;
use crate::types::{Instant, Token};

/// A path that has failed so often soon after it was reinstated is held back, or not relied upon.
const RELAPSES: u32 = 3;

/// A path that fails within this time after it was reinstated has relapsed; one that lasts it out is as good as any. It is the
/// longest time that one is held back, too: who serves for less than he would have to wait costs more than he gives.
const TRIAL: Duration = LONGEST_HOLD;

/// An I/O that fails within this time after its path was reinstated has found what the checker does not find. This speaks
/// against the last path, too, so it is shorter.
const PROBATION: Duration = Duration::from_mins(1);

/// Longest time that a relapsing path is held back.
const LONGEST_HOLD: Duration = Duration::from_mins(5);

/// A path under test is read from so often.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// What is known of a path's steadiness.
#[derive(Debug, Clone, Default)]
pub struct Steadiness {
    /// When the kernel was last told to use it again.
    pub reinstated: Option<Instant>,
    /// How often it failed soon after that, in a row.
    relapses: u32,
    /// How often an I/O was what failed then: its checker is satisfied with less than I/O needs.
    io_relapses: u32,
    /// An I/O failed, and its checker has not been asked since.
    unexplained: bool,
    /// Not before then is it used again, however good its checker finds it.
    held_until: Option<Instant>,
    /// `san_path_err_*`: failures that good checks have not made up for.
    failures: u32,
    /// Good checks that are still to come until one is forgotten.
    forgiving: u32,
    /// Not used since then.
    delayed_since: Option<Instant>,
    /// `marginal_path_*`: the first of two failures.
    first_failure: Option<Instant>,
    reads: Reads,
    /// A test has found it marginal.
    found_marginal: bool,
    /// An operator has called it marginal.
    pub called_marginal: bool,
    /// The fabric of this host has called it impaired.
    pub impaired_on: Option<u16>,
}

/// Where a path stands with its test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Reads {
    /// It has none.
    #[default]
    None,
    /// It begins with a good check, not before then. `last`: how many reads failed of how many, if it has failed one.
    Due { at: Instant, last: Option<(u32, u32)> },
    /// It is read from.
    Running { until: Instant, reads: u32, errors: u32, asked: Option<(Token, Instant)>, check_due: bool },
}

impl Reads {
    const fn asked_for(self) -> Option<Token> {
        match self {
            Self::Running { asked: Some((token, _)), .. } => Some(token),
            _ => None,
        }
    }
}

impl Steadiness {
    /// Is it to be used only where there is nothing better?
    pub const fn is_marginal(&self) -> bool {
        self.found_marginal || self.called_marginal || self.impaired_on.is_some()
    }

    /// Is nothing known against it, so that a good check changes nothing?
    pub fn is_untroubled(&self, now: Instant) -> bool {
        matches!(self.reads, Reads::None)
            && self.relapses == 0
            && self.io_relapses == 0
            && self.failures == 0
            && !self.unexplained
            && !self.found_marginal
            && self.held_until.is_none_or(|until| until <= now)
            && self.delayed_since.is_none()
    }

    /// What is held against it, for who asks.
    pub fn troubles(&self, now: Instant) -> Vec<String> {
        let seconds = |until: Instant| until.saturating_since(now).as_secs();
        let mut troubles = Vec::new();
        if let Some(until) = self.held_until.filter(|until| *until > now) {
            let times = self.relapses;
            troubles.push(format!(
                "it failed {times} times in a row soon after it was used again, and waits for another {} s, unless it is the \
                 last one (flap_dampening)",
                seconds(until)
            ));
        }
        if let Some(since) = self.delayed_since {
            let waited = now.saturating_since(since).as_secs();
            troubles.push(format!("it failed too often, and has waited for {waited} s (san_path_err_*)"));
        }
        troubles.extend(match self.reads {
            Reads::Running { until, reads, errors, .. } => Some(format!(
                "it is tested for another {} s: {errors} of {reads} reads failed (marginal_path_*)",
                seconds(until)
            )),
            Reads::Due { at, last } => {
                let found = last.map_or_else(String::new, |(errors, reads)| {
                    format!("{errors} of {reads} reads failed when it was tested; ")
                });
                Some(format!("{found}it is tested with reads in {} s (marginal_path_*)", seconds(at)))
            }
            Reads::None => None,
        });
        if !self.is_reliable() {
            troubles.push("its I/O fails though its checker finds it good: no map relies on it".into());
        }
        if self.called_marginal {
            troubles.push("an operator has called it marginal".into());
        } else if let Some(host) = self.impaired_on {
            troubles.push(format!("the fabric has called host {host} impaired: it is marginal"));
        }
        troubles
    }

    /// An operator wants it used: nothing holds it back any more. A read under way goes on holding the path's slot.
    pub fn release(&mut self) -> Option<Token> {
        (self.held_until, self.delayed_since, self.failures) = (None, None, 0);
        core::mem::take(&mut self.reads).asked_for()
    }

    /// An operator takes it back, whoever said so.
    pub const fn unmark(&mut self) {
        (self.found_marginal, self.called_marginal, self.impaired_on) = (false, false, None);
    }

    /// Does I/O on it fare as its checker says? If not, it does not count as one that a map can rely on.
    pub const fn is_reliable(&self) -> bool {
        self.io_relapses < RELAPSES
    }

    /// A read under way, which holds the path's slot.
    pub const fn asked(&self) -> Option<Token> {
        self.reads.asked_for()
    }

    /// A check is due while a read is under way: it comes after it. Says if so.
    pub const fn put_off_check(&mut self) -> bool {
        match &mut self.reads {
            Reads::Running { asked: Some(_), check_due, .. } => {
                *check_due = true;
                true
            }
            _ => false,
        }
    }

    /// Its checker finds what an I/O has found, if it is `failed`: the two agree.
    pub fn explain_failure(&mut self, failed: bool) {
        if core::mem::take(&mut self.unexplained) && failed {
            self.io_relapses = self.io_relapses.saturating_sub(1);
        }
    }

    /// It has been good for long enough to be relied upon again. Says if it was not.
    pub fn lasted(&mut self, now: Instant) -> bool {
        let has_lasted = |time| self.reinstated.is_some_and(|at| now.saturating_since(at) >= time);
        if has_lasted(TRIAL) {
            self.relapses = 0;
        }
        has_lasted(PROBATION) && core::mem::take(&mut self.io_relapses) > 0
    }

    fn failed(&mut self, now: Instant, by_io: bool, interval: Duration, test: Option<Test>) {
        let within = |time| self.reinstated.is_some_and(|at| now.saturating_since(at) < time);
        let soon = within(PROBATION);
        // Where a test is configured, it is to see the failures: a path that is held back has none.
        let on_trial = if test.is_some() { soon } else { within(TRIAL) };
        self.relapses = if on_trial { self.relapses.saturating_add(1) } else { 0 };
        self.io_relapses = if soon { self.io_relapses.saturating_add(by_io.into()) } else { 0 };
        self.unexplained = by_io && soon;
        if let Some(beyond) = self.relapses.checked_sub(RELAPSES) {
            let wait = interval.saturating_mul(2 << beyond.min(6));
            self.held_until = Some(now + wait.min(LONGEST_HOLD));
        }
        if let (Some(Test::Reads { within, .. }), Reads::None) = (test, self.reads) {
            match self.first_failure {
                Some(first) if now.saturating_since(first) <= within => {
                    self.first_failure = None;
                    self.reads = Reads::Due { at: now, last: None };
                }
                _ => self.first_failure = Some(now),
            }
        }
    }

    /// What no option asks for (any more) is not held against it. `dampens`: it may be held back for its relapses.
    fn forget_unasked(&mut self, test: Option<Test>, dampens: bool) {
        if !dampens && self.is_reliable() {
            self.held_until = None;
        }
        if !matches!(test, Some(Test::Failures { .. })) {
            (self.failures, self.delayed_since) = (0, None);
        }
        if !matches!(test, Some(Test::Reads { .. })) && matches!(self.reads, Reads::Due { .. }) {
            self.reads = Reads::None;
        }
    }

    /// `san_path_err_*`, with a good check. Is the path to wait?
    fn counted(&mut self, now: Instant, was: CheckState, alone: bool, test: (u32, u32, Duration)) -> bool {
        let (threshold, forget, recovery) = test;
        if let Some(since) = self.delayed_since {
            let again = !was.is_usable() && was != CheckState::Delayed;
            let since = if again { now } else { since };
            self.delayed_since = Some(since);
            if alone || now.saturating_since(since) > recovery {
                (self.failures, self.forgiving, self.delayed_since) = (0, 0, None);
            }
            return self.delayed_since.is_some();
        }
        if was.is_usable() && self.failures > 0 {
            if self.forgiving > 0 {
                self.forgiving -= 1;
            } else {
                self.failures -= 1;
                self.forgiving = forget;
            }
        }
        if was.is_failed() {
            if self.failures == 0 {
                self.forgiving = forget;
            }
            self.failures = self.failures.saturating_add(1);
            if self.failures > threshold && !alone {
                self.delayed_since = Some(now);
            }
        }
        self.delayed_since.is_some()
    }
}

impl Core {
    /// A path that was usable has failed: by an I/O, or by what its checker found.
    pub(super) fn note_failure(&mut self, now: Instant, id: PathId, by_io: bool) {
        let interval = self.config.globals().polling_interval;
        let Some(path) = self.paths.get_mut(&id).filter(|path| !path.health.held_down) else { return };
        let map = path.map().and_then(|map| self.maps.get(&map));
        path.steadiness.failed(now, by_io, interval, map.and_then(|map| map.settings.flaky.test));
    }

    /// A checker finds a path good: is it used, too?
    pub(super) fn admit(&mut self, now: Instant, id: PathId, judged: Judged, out: &mut Outbox) -> Judged {
        let Some(path) = self.paths.get_mut(&id) else { return judged };
        if judged.state != CheckState::Pending {
            path.steadiness.explain_failure(judged.state.is_failed());
        }
        let Some(map_id) = path.map() else { return judged };
        let Some(map) = self.maps.get(&map_id).filter(|_| judged.state.is_usable()) else { return judged };
        let flaky = map.settings.flaky.clone();
        // Good by its checker and not in the kernel's table serves nobody.
        let serves = |p: &PathId| *p != id && self.paths.get(p).is_some_and(|path| counts(map, path));
        let alone = !map.members.iter().any(serves);
        // Without queueing nobody waits until one that is held back is called: it is a path to fall back on at once.
        let dampens = flaky.dampening && desired::queues(map);
        let Some(path) = self.paths.get_mut(&id) else { return judged };
        let was = path.health.state;
        let steadiness = &mut path.steadiness;
        steadiness.forget_unasked(flaky.test, dampens);
        let waits = steadiness.held_until.is_some_and(|until| until > now);
        let held = match flaky.test {
            Some(Test::Reads { sample, .. }) => {
                // What a standby path does to reads says nothing of how it fares when it serves.
                let tested = !alone && judged.state == CheckState::Up;
                match steadiness.reads {
                    Reads::Due { .. } | Reads::Running { .. } if !tested => steadiness.reads = Reads::None,
                    Reads::Due { at, .. } if at <= now => {
                        let until = now + sample;
                        let begun =
                            Reads::Running { until, reads: 0, errors: 0, asked: None, check_due: false };
                        steadiness.reads = begun;
                        self.timers.set(Timer::Sample(id), now + SAMPLE_EVERY);
                    }
                    _ => {}
                }
                match steadiness.reads {
                    Reads::None => None,
                    Reads::Due { last: Some(_), .. } => Some("held back: its reads failed (marginal_path_*)"),
                    _ => Some("held back: it is tested with reads (marginal_path_*)"),
                }
            }
            Some(Test::Failures { threshold, forget, recovery }) => {
                let waits = steadiness.counted(now, was, alone, (threshold, forget, recovery));
                waits.then_some("held back: it failed too often (san_path_err_*)")
            }
            None => None,
        };
        let marginal = held.is_some() && flaky.own_groups;
        self.found_marginal(id, marginal, out);
        let Some(path) = self.paths.get(&id) else { return judged };
        // What fails every I/O is of no use, even where there is nothing else.
        let dampened = match path.steadiness.is_reliable() {
            _ if !waits => None,
            false => Some("held back: it failed again and again, and its checker does not find why"),
            true => (dampens && !alone).then_some("held back: it failed again and again (flap_dampening)"),
        };
        match held.filter(|_| !marginal).or(dampened) {
            Some(why) => Judged::new(CheckState::Delayed, why),
            None => judged,
        }
    }

    fn found_marginal(&mut self, id: PathId, marginal: bool, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        if core::mem::replace(&mut path.steadiness.found_marginal, marginal) == marginal {
            return;
        }
        let Some(map_id) = path.map() else { return };
        let Some(map) = self.maps.get(&map_id) else { return };
        let (name, path) = (map.kernel_name(), &path.name);
        let text = if marginal {
            format!("{name}: {path} is marginal now: it is used last")
        } else {
            format!("{name}: {path} is no longer marginal")
        };
        out.notify(Notice::Other { level: Level::Notice, text });
        self.review_marginal(id);
    }

    /// A path of a map is marginal now, or no longer: where it is, I/O leaves its group.
    pub(super) fn review_marginal(&mut self, id: PathId) {
        let Some(path) = self.paths.get(&id) else { return };
        let Some(map) = path.map().and_then(|map| self.maps.get_mut(&map)) else { return };
        map.switch.leaves |= path.steadiness.is_marginal();
        self.dirty.insert(map.id);
    }

    /// The last usable path of a map is lost: those that are held back are better than none.
    pub(super) fn call_held_back(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let delayed = |p: &&PathId| self.paths.get(p).is_some_and(|p| p.health.state == CheckState::Delayed);
        let members = self.maps.get(&id).map(|map| &map.members).into_iter().flatten();
        for path in members.filter(delayed).copied().collect::<Vec<_>>() {
            self.start_check(now, path, out);
        }
    }

    /// The next read of a test is due, or its end.
    pub(super) fn sample(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let busy = path.health.inflight.is_some() || path.health.stuck.is_some() || path.health.held_down;
        let limit = timeout(path);
        let Reads::Running { until, reads, errors, asked, .. } = &mut path.steadiness.reads else { return };
        match *asked {
            Some((token, at)) if now.saturating_since(at) >= limit => {
                // It goes on holding the path's slot, as a check would.
                *errors += 1;
                *asked = None;
                path.health.stuck = Some(token);
                self.check_timed_out(now, id, out);
            }
            Some(_) => {}
            None if now >= *until => return self.sampled_enough(now, id, out),
            None if busy => {}
            None => {
                let token = self.waiting.token(Awaited::Check(id));
                *asked = Some((token, now));
                *reads += 1;
                path.health.blocked = false;
                let request = CheckRequest { asks: [Ask::DirectRead].into(), timeout: limit, usual: None };
                out.push(Effect::Check { token, name: path.name.clone(), devt: path.devt(), request });
            }
        }
        self.timers.set(Timer::Sample(id), now + SAMPLE_EVERY);
    }

    /// A read of a test was answered. Says if it was one.
    pub(super) fn sampled(
        &mut self,
        now: Instant,
        id: PathId,
        token: Token,
        raw: &RawCheck,
        out: &mut Outbox,
    ) -> bool {
        let Some(path) = self.paths.get_mut(&id) else { return false };
        let Reads::Running { errors, asked, check_due, .. } = &mut path.steadiness.reads else {
            return false;
        };
        if asked.is_none_or(|(awaited, _)| awaited != token) {
            return false;
        }
        *asked = None;
        *errors += u32::from(!matches!(raw.answers.first(), Some(Answer::Read(count)) if *count > 0));
        if core::mem::take(check_due) {
            self.start_check(now, id, out);
        }
        true
    }

    fn sampled_enough(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Reads::Running { reads, errors, .. } = path.steadiness.reads else { return };
        let map = path.map().and_then(|map| self.maps.get(&map));
        let test = map.and_then(|map| Some((map.kernel_name(), map.settings.flaky.test?)));
        let Some((name, Test::Reads { per_mille, gap, .. })) = test else {
            path.steadiness.reads = Reads::None;
            return self.start_check(now, id, out);
        };
        let bad = u64::from(errors) * 1000 > u64::from(per_mille) * u64::from(reads.max(1));
        let verdict = if bad { "marginal" } else { "good" };
        let again = Reads::Due { at: now + gap, last: Some((errors, reads)) };
        path.steadiness.reads = if bad { again } else { Reads::None };
        let text = format!("{name}: {}: {errors} of {reads} reads failed: the path is {verdict}", path.name);
        out.notify(Notice::Other { level: Level::Notice, text });
        self.start_check(now, id, out);
    }
}
