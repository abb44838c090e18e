//! Checks at rest. Most answers are good and like the one before: then there is only the next check to be set.
//!
//! ```text
//!           a good answer,          the same again, and the round          any other answer:
//!           nothing is open         has left nothing behind                the routine ends
//! (a round) ───────────────► calm ─────────────────────────────► routine ──────────────────► (a round)
//!                              ▲                                    │
//!                              └── anything else has happened ──────┘  (`Core::epoch`)
//! ```
//!
//! A routine is no guess: the round has been played once more with the same answers, and has asked the same, come to the
//! same verdict, and left all memories as they were. So it would the next time.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::check::{Answer, Answered, Ask, CheckRequest, Judged, RawCheck};
use crate::config::settings::{Checker, Prioritizer};
use crate::core::Core;
use crate::core::checks::{LOOK_AT_QUEUE_EVERY, next_look, timeout};
use crate::core::effect::{Effect, Outbox};
use crate::core::path::{Calm, Health, PathId};
use crate::core::rounds::{Round, Setting, Turn};
use crate::core::timers::Timer;
use crate::core::unmapped::Purge;
use crate::core::waiting::Awaited;
use crate::prio::PrioError;
use crate::types::{DevT, Instant, Priority, Token};

/// Answers with more data than that are not kept for comparison: they would be another copy of them for each path.
const MOST_BYTES: usize = 256;

/// Few kinds of answers are all there are, as healthy paths of one array answer alike.
const MOST_KINDS: usize = 16;

/// What is asked and answered as long as all is well.
#[derive(Debug, PartialEq, Eq)]
struct Usual {
    asks: Arc<[Ask]>,
    answer: Arc<RawCheck>,
}

/// What is usual with the paths, each kind once. The last ones that were met are found again.
#[derive(Debug, Clone, Default)]
pub struct Usuals(Vec<Arc<Usual>>);

impl Usuals {
    fn share(&mut self, asks: Arc<[Ask]>, answer: &RawCheck) -> Arc<Usual> {
        let same = |usual: &&Arc<Usual>| usual.asks == asks && *usual.answer == *answer;
        if let Some(known) = self.0.iter().find(same) {
            return known.clone();
        }
        if self.0.len() >= MOST_KINDS {
            self.0.remove(0);
        }
        let usual = Arc::new(Usual { asks, answer: Arc::new(answer.clone()) });
        self.0.push(usual.clone());
        usual
    }
}

/// All that a check takes as long as it is like the one before.
#[derive(Debug, Clone)]
pub struct Routine {
    usual: Arc<Usual>,
    timeout: ::core::time::Duration,
    devt: DevT,
}

impl Health {
    /// Its routine, as long as nothing else has happened.
    fn routine(&self, epoch: u64) -> Option<(&Calm, &Routine)> {
        let calm = self.calm.as_ref().filter(|calm| calm.epoch == epoch)?;
        Some((calm, calm.routine.as_ref()?))
    }

    /// All that a round goes by and may change.
    fn remembers_as(&self, other: &Self) -> bool {
        let choice = |health: &Self| (health.checker, health.prioritizer, health.detected, health.priority);
        choice(self) == choice(other)
            && self.memory == other.memory
            && self.prio_memory == other.prio_memory
            && self.vendor_page == other.vendor_page
    }
}

impl Core {
    /// Orders a check like the one before. Says if it could.
    pub(super) fn routine_check(&mut self, now: Instant, id: PathId, out: &mut Outbox) -> bool {
        let Some(path) = self.paths.get_mut(&id) else { return false };
        let is_member = path.map().is_some();
        let health = &mut path.health;
        let free = is_member && health.inflight.is_none() && health.stuck.is_none() && !health.held_down;
        let Some((calm, routine)) = health.routine(self.epoch).filter(|_| free) else { return false };
        let (look, must_queue) = (calm.look_at <= now, calm.look_every <= LOOK_AT_QUEUE_EVERY);
        let (timeout, devt, usual) = (routine.timeout, routine.devt, &routine.usual);
        let request = CheckRequest { asks: usual.asks.clone(), timeout, usual: Some(usual.answer.clone()) };
        let token = self.waiting.token(Awaited::Check(id));
        health.round.end();
        health.round.ask(request.asks.clone());
        (health.inflight, health.blocked, health.outdated) = (Some(token), false, false);
        out.push(Effect::Check { token, name: path.name.clone(), devt, request });
        self.timers.set_or_cancel(Timer::Check(id), must_queue.then(|| next_look(now)));
        if self.limits.begin(now, timeout, token, &self.waiting) {
            self.timers.set_or_cancel(Timer::Limits, self.limits.next());
        }
        if look {
            self.look_in_routine(now, id, out);
        }
        true
    }

    /// Its map is read again with this check, unless it was with another path's. As all goes on as it did, so does the time
    /// from one look to the next.
    fn look_in_routine(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let (Some(map_id), Some(calm)) = (path.map(), &mut path.health.calm) else { return };
        let Some(map) = self.maps.get_mut(&map_id) else { return };
        let next = map.looked_at.map(|at| at + calm.look_every).filter(|next| *next > now);
        if let Some(next) = next {
            calm.look_at = next;
        } else if map.inflight.is_none() {
            map.looked_at = Some(now);
            calm.look_at = now + calm.look_every;
            self.look_at(map_id, out);
        }
    }

    /// A check was answered: no limit is looked at that nobody needs.
    pub(super) fn end_limits(&mut self) {
        if self.limits.end(&self.waiting) {
            self.timers.cancel(Timer::Limits);
        }
    }

    /// The time of some routine checks is over.
    pub(super) fn limits_over(&mut self, now: Instant, out: &mut Outbox) {
        while let Some((token, id)) = self.limits.pop_over(now, &self.waiting) {
            if self.paths.get(&id).is_some_and(|path| path.health.inflight == Some(token)) {
                self.epoch += 1;
                self.check_timed_out(now, id, out);
            }
        }
        self.timers.set_or_cancel(Timer::Limits, self.limits.next());
    }

    /// Takes in an answer that is as usual. Says if it is.
    pub(super) fn routine_answer(
        &mut self,
        now: Instant,
        id: PathId,
        token: Token,
        raw: &Answered,
        out: &mut Outbox,
    ) -> bool {
        let Some(path) = self.paths.get_mut(&id) else { return false };
        let health = &mut path.health;
        let Some((calm, Routine { usual, .. })) = health.routine(self.epoch) else { return false };
        let as_asked = health.inflight == Some(token) && health.round.asks_only(&usual.asks);
        let undisturbed = !health.outdated && !health.held_down && health.tries == 0;
        if !as_asked || !undisturbed || !raw.is(&usual.answer) {
            if let Some(calm) = &mut health.calm {
                calm.routine = None;
            }
            return false;
        }
        let look = calm.look_at <= now;
        health.inflight = None;
        health.round.end();
        path.stats.checks += 1;
        self.in_routine(now, id, look, out);
        true
    }

    /// The next check is set, and the map is looked at where that is due.
    fn in_routine(&mut self, now: Instant, id: PathId, look: bool, out: &mut Outbox) {
        if look {
            self.look_in_routine(now, id, out);
        }
        let globals = self.config.globals();
        let (min, max) = (globals.polling_interval, globals.max_polling_interval);
        let Some(path) = self.paths.get_mut(&id) else { return };
        path.health.interval = path.health.interval.saturating_mul(2).clamp(min, max.max(min));
        self.schedule(now, id, false);
    }

    /// Is this verdict like the one before, and has nothing else happened? Then there is only the next check to be set.
    pub(super) fn same_again(
        &mut self,
        now: Instant,
        id: PathId,
        (round, raw): (&Round, &RawCheck),
        verdict: (&Judged, Option<&Result<Priority, PrioError>>),
        out: &mut Outbox,
    ) -> bool {
        let Some(path) = self.paths.get(&id) else { return false };
        let health = &path.health;
        let Some(calm) = health.calm.as_ref().filter(|calm| calm.epoch == self.epoch) else { return false };
        let (judged, rated) = verdict;
        let as_rated = rated.is_none_or(|rated| *rated == Ok(health.priority));
        if judged.state != health.state || judged.message != health.message || !as_rated {
            return false;
        }
        let look = calm.look_at <= now;
        self.begin_routine(id, round, raw, verdict);
        self.in_routine(now, id, look, out);
        true
    }

    /// Begins a routine, if another round like this one would leave everything as it is.
    fn begin_routine(
        &mut self,
        id: PathId,
        round: &Round,
        raw: &RawCheck,
        (judged, rated): (&Judged, Option<&Result<Priority, PrioError>>),
    ) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let timeout = timeout(path);
        let (Some(facts), Some(settings), Some(asks)) = (&path.facts, &path.settings, round.one_request())
        else {
            return;
        };
        // The one's answer is another each time; what the other says follows from other paths, too.
        let alone =
            path.health.prioritizer != Prioritizer::Random && path.health.checker != Checker::EmcClariion;
        let whole = facts.unread_pages.is_empty();
        if !alone || !whole || raw.answers.len() != asks.len() || bytes(raw) > MOST_BYTES {
            return;
        }
        let setting = Setting { sysfs_state: None, timeout, seed: 0 };
        let mut again = Health { round: Round::default(), ..path.health.clone() };
        let same = match again.turn(facts, settings, &setting) {
            Turn::Ask(more) => more == asks,
            Turn::Done(..) => asks.is_empty(),
        };
        let asks: Arc<[Ask]> = asks.into();
        again.round.ask(asks.clone());
        again.round.answered(&raw.answers);
        let setting = Setting { sysfs_state: raw.sysfs_state.as_deref(), ..setting };
        let Turn::Done(verdict, rate) = again.turn(facts, settings, &setting) else { return };
        if !same || verdict != *judged || rate.as_ref() != rated || !again.remembers_as(&path.health) {
            return;
        }
        let devt = path.devt();
        if let Some(calm) = &mut path.health.calm {
            calm.routine = Some(Routine { usual: self.usual.share(asks, raw), timeout, devt });
        }
    }

    /// Would another answer that finds this state change nothing?
    pub(super) fn calm_down(&mut self, now: Instant, id: PathId, state: crate::check::CheckState) {
        let Some(path) = self.paths.get(&id) else { return };
        let Some(map) = path.map().and_then(|map| self.maps.get(&map)) else { return };
        let good = state == path.health.state && state.is_usable();
        let active = map.observed.as_ref().and_then(|o| o.path_active(path.devt()));
        let settled = map.hold_until.is_none() && map.rerated.is_empty() && active == Some(true);
        let done = path.purge == Purge::No && !path.tuning.is_unfinished();
        let calm = good && settled && done && path.steadiness.is_untroubled(now);
        let (looked_at, look_every) = (map.looked_at, self.look_every(map));
        let epoch = self.epoch;
        let Some(path) = self.paths.get_mut(&id) else { return };
        path.health.calm = looked_at.filter(|_| calm).map(|at| Calm {
            epoch,
            look_at: at + look_every,
            look_every,
            routine: None,
        });
    }
}

/// How much of data and sense data is in an answer.
fn bytes(raw: &RawCheck) -> usize {
    let of = |answer: &Answer| match answer {
        Answer::Scsi(reply) => reply.data.len() + reply.sense.len(),
        Answer::Nvme(reply) => reply.data.len(),
        Answer::TimedReads(times) => size_of_val(times.as_slice()),
        _ => 0,
    };
    raw.answers.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use ::core::mem::offset_of;

    use super::*;
    use crate::core::path::Path;

    /// Counted in cache lines, as that is what it costs where there are many paths.
    #[test]
    fn a_routine_check_touches_four_lines_of_a_path() {
        assert!(size_of::<Option<Calm>>() <= 64);
        assert!(offset_of!(Health, round) + size_of::<Round>() <= 192);
        assert_eq!((offset_of!(Path, health), align_of::<Path>() % 64), (0, 0));
        let behind = offset_of!(Path, name);
        assert!(
            behind + size_of::<crate::types::PathName>() + size_of::<crate::core::path::PathStats>()
                <= behind + 64
        );
        assert_eq!(offset_of!(Path, stats) / 64, behind / 64);
    }
}
