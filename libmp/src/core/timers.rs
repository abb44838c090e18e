//! One table of timers with one `next`: the cost of a tick follows what is due, not what exists.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::core::effect::StateFile;
use crate::core::event::RequestId;
use crate::core::map::MapId;
use crate::core::path::PathId;
use crate::types::Instant;

/// What a timer is for. At most one of each is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A path's next check is due.
    Check(PathId),
    /// A check was not answered in its time.
    CheckTimeout(PathId),
    /// A path under test is read from.
    Sample(PathId),
    /// A path that udev had not identified is looked at again.
    Retrigger(PathId),
    /// A map no longer waits for the first checks of its paths.
    Hold(MapId),
    /// A failed operation is tried again.
    Retry(MapId),
    /// Queueing without a path ends.
    Queueing(MapId),
    /// A state file that could not be written is tried again.
    Save(StateFile),
    /// A deferred failback is due.
    Failback(MapId),
    /// A client is told that it took too long.
    Request(RequestId),
    /// The start no longer waits for what has not answered.
    Settle,
}

/// All timers.
#[derive(Debug, Clone, Default)]
pub struct Timers {
    at: BTreeMap<Timer, Instant>,
    queue: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Sets a timer, in the place of the one there was.
    pub fn set(&mut self, timer: Timer, at: Instant) {
        self.cancel(timer);
        self.at.insert(timer, at);
        self.queue.insert((at, timer));
    }

    /// Takes a timer away, if it is set.
    pub fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.queue.remove(&(at, timer));
        }
    }

    /// When a timer is due, if it is set.
    pub fn get(&self, timer: Timer) -> Option<Instant> {
        self.at.get(&timer).copied()
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes out one that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        self.at.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn a_timer_is_set_once_and_comes_out_in_order() {
        let mut timers = Timers::default();
        timers.set(Timer::Check(PathId(1)), at(30));
        timers.set(Timer::Settle, at(20));
        timers.set(Timer::Check(PathId(1)), at(10));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(5)), None);
        assert_eq!(timers.pop_due(at(25)), Some(Timer::Check(PathId(1))));
        assert_eq!(timers.pop_due(at(25)), Some(Timer::Settle));
        assert_eq!(timers.pop_due(at(25)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_cancelled_timer_does_not_come() {
        let mut timers = Timers::default();
        timers.set(Timer::Settle, at(1));
        timers.cancel(Timer::Settle);
        timers.cancel(Timer::Settle);
        assert_eq!(timers.pop_due(at(9)), None);
    }
}
