//! One table of timers with one `next`: the cost of a tick follows what is due, not what exists.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::core::effect::StateFile;
use crate::core::event::RequestId;
use crate::core::map::MapId;
use crate::core::path::PathId;
use crate::core::table::{Id, Table};
use crate::types::Instant;

/// What a timer is for. At most one of each is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A path's next check is due.
    Check(PathId),
    /// A check was not answered in its time.
    CheckTimeout(PathId),
    /// Routine checks were not answered in their time.
    Limits,
    /// A path under test is read from.
    Sample(PathId),
    /// A path that udev had not identified is looked at again.
    Retrigger(PathId),
    /// A path is probed again for which this host had no means.
    Probe(PathId),
    /// A map no longer waits for the first checks of its paths.
    Hold(MapId),
    /// A failed operation is tried again.
    Retry(MapId),
    /// A table load is not waited for any longer, or its map is looked at meanwhile.
    Meanwhile(MapId),
    /// Queueing without a path ends.
    Queueing(MapId),
    /// A state file that could not be written is tried again.
    Save(StateFile),
    /// A deferred failback is due.
    Failback(MapId),
    /// A map of standby paths is shown to its users.
    Ready(MapId),
    /// The paths of a map that show more than others of it have been waited for.
    Sizes(MapId),
    /// A client is told that it took too long.
    Request(RequestId),
    /// Disks and maps that could not be listed are listed again.
    Enumerate,
    /// A configuration that could not be read is read again.
    Load,
    /// The kernel's own NVMe multipathing is looked at again.
    Native,
    /// Paths that have told something are checked.
    Attention,
    /// The start no longer waits for what has not answered.
    Settle,
}

/// All timers, those of one moment in one bundle: most checks of a second are due together, and the time
/// limits of checks that began together are taken away again without being looked for one by one.
#[derive(Debug, Clone, Default)]
pub struct Timers {
    at: Moments,
    queue: BTreeMap<Instant, Bundle>,
}

/// Timers of one moment. Some of them may have been taken away.
#[derive(Debug, Clone, Default)]
struct Bundle {
    timers: Vec<Timer>,
    /// How many of them are still set.
    set: usize,
    /// They are in order, the last one first.
    sorted: bool,
}

impl Bundle {
    fn sort(&mut self) {
        if !self.sorted {
            self.timers.sort_unstable_by(|a, b| b.cmp(a));
            self.sorted = true;
        }
    }
}

/// When each timer is due. Those of paths, which are most, are found by the path's number, and lie beside those of its
/// neighbours: they are mostly looked at in that order.
#[derive(Debug, Clone, Default)]
struct Moments {
    of_paths: Table<PageNumber, Page>,
    others: BTreeMap<Timer, Instant>,
    len: usize,
}

/// Of a path's timers.
const KINDS: usize = 4;

/// Paths whose timers lie together.
const TOGETHER: u32 = 64;

#[derive(Debug, Clone, Copy)]
struct PageNumber(u32);

impl Id for PageNumber {
    fn number(self) -> u32 {
        self.0
    }
    fn of(number: u32) -> Self {
        Self(number)
    }
}

/// One line of the processor's cache for each path.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct OfPath([Option<Instant>; KINDS]);

#[derive(Debug, Clone)]
struct Page {
    paths: [OfPath; TOGETHER as usize],
    set: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { paths: [OfPath::default(); TOGETHER as usize], set: 0 }
    }
}

const fn page(id: PathId) -> (PageNumber, usize) {
    (PageNumber(id.0 / TOGETHER), (id.0 % TOGETHER) as usize)
}

impl Moments {
    const fn place(timer: Timer) -> Option<(PathId, usize)> {
        match timer {
            Timer::Check(id) => Some((id, 0)),
            Timer::CheckTimeout(id) => Some((id, 1)),
            Timer::Sample(id) => Some((id, 2)),
            Timer::Retrigger(id) => Some((id, 3)),
            _ => None,
        }
    }

    fn get(&self, timer: Timer) -> Option<Instant> {
        let Some((id, kind)) = Self::place(timer) else { return self.others.get(&timer).copied() };
        let (number, place) = page(id);
        self.of_paths.get(&number)?.paths[place].0[kind]
    }

    fn insert(&mut self, timer: Timer, at: Instant) -> Option<Instant> {
        let was = match Self::place(timer) {
            Some((id, kind)) => {
                let (number, place) = page(id);
                if !self.of_paths.contains_key(&number) {
                    self.of_paths.insert(number, Page::default());
                }
                self.of_paths.get_mut(&number).and_then(|page| {
                    let was = page.paths[place].0[kind].replace(at);
                    page.set += usize::from(was.is_none());
                    was
                })
            }
            None => self.others.insert(timer, at),
        };
        self.len += usize::from(was.is_none());
        was
    }

    fn remove(&mut self, timer: Timer) -> Option<Instant> {
        let was = match Self::place(timer) {
            Some((id, kind)) => {
                let (number, place) = page(id);
                let page = self.of_paths.get_mut(&number)?;
                let was = page.paths[place].0[kind].take();
                page.set -= usize::from(was.is_some());
                was
            }
            None => self.others.remove(&timer),
        }?;
        self.len -= 1;
        Some(was)
    }

    /// A path is gone, and its timers with it.
    fn forget(&mut self, id: PathId) {
        let (number, _) = page(id);
        if self.of_paths.get(&number).is_some_and(|page| page.set == 0) {
            self.of_paths.remove(&number);
        }
    }
}

/// So many timers that were taken away may stay in a bundle,
const STALE: usize = 64;

/// and so many for each that is set: most bundles of time limits go as a whole before they are sorted out.
const STALE_EACH: usize = 7;

impl Timers {
    /// Sets a timer, in the place of the one there was.
    pub fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(was) = self.at.insert(timer, at) {
            if was == at {
                return;
            }
            self.unset(was);
        }
        let bundle = self.queue.entry(at).or_default();
        bundle.timers.push(timer);
        (bundle.set, bundle.sorted) = (bundle.set + 1, false);
    }

    /// Sets a timer, or takes it away.
    pub fn set_or_cancel(&mut self, timer: Timer, at: Option<Instant>) {
        match at {
            Some(at) => self.set(timer, at),
            None => self.cancel(timer),
        }
    }

    /// Sets a timer, unless it is due sooner.
    pub fn set_by(&mut self, timer: Timer, at: Instant) {
        if self.get(timer).is_none_or(|set| set > at) {
            self.set(timer, at);
        }
    }

    /// Takes a timer away, if it is set.
    pub fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(timer) {
            self.unset(at);
        }
    }

    /// One of this moment is no longer set.
    fn unset(&mut self, at: Instant) {
        let Some(bundle) = self.queue.get_mut(&at) else { return };
        bundle.set -= 1;
        if bundle.set == 0 {
            self.queue.remove(&at);
        } else if bundle.timers.len() > (1 + STALE_EACH) * bundle.set + STALE {
            bundle.timers.sort_unstable_by(|a, b| b.cmp(a));
            bundle.timers.dedup();
            bundle.timers.retain(|timer| self.at.get(*timer) == Some(at));
            bundle.sorted = true;
        }
    }

    /// A path is gone, and all its timers with it.
    pub fn forget(&mut self, id: PathId) {
        let timers = [Timer::Check, Timer::CheckTimeout, Timer::Retrigger, Timer::Sample, Timer::Probe];
        for timer in timers {
            self.cancel(timer(id));
        }
        self.at.forget(id);
    }

    /// When a timer is due, if it is set.
    pub fn get(&self, timer: Timer) -> Option<Instant> {
        self.at.get(timer)
    }

    /// How many are set.
    pub fn len(&self) -> usize {
        self.at.len
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|(at, _)| *at)
    }

    /// Those that will be taken out next, some of which may not be set any more: of one moment, and so many at the most.
    pub fn due_next(&self, now: Instant, most: usize) -> &[Timer] {
        match self.queue.first_key_value() {
            Some((at, Bundle { timers, sorted: true, .. })) if *at <= now => {
                &timers[timers.len().saturating_sub(most)..]
            }
            _ => &[],
        }
    }

    /// Those of the first moment are put in order, if it has come.
    pub fn sort_due(&mut self, now: Instant) {
        if let Some(mut first) = self.queue.first_entry().filter(|first| *first.key() <= now) {
            first.get_mut().sort();
        }
    }

    /// Takes out one that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let mut first = self.queue.first_entry().filter(|first| *first.key() <= now)?;
        let at = *first.key();
        let bundle = first.get_mut();
        bundle.sort();
        let timer = loop {
            let timer = bundle.timers.pop()?;
            if self.at.get(timer) == Some(at) {
                break timer;
            }
        };
        self.at.remove(timer);
        bundle.set -= 1;
        if bundle.set == 0 {
            first.remove();
        }
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

    #[test]
    fn what_is_taken_away_leaves_nothing_behind() {
        let mut timers = Timers::default();
        timers.set(Timer::Settle, at(7));
        for _ in 0..10 {
            for number in 0..1000 {
                timers.set(Timer::CheckTimeout(PathId(number)), at(7));
                timers.set(Timer::CheckTimeout(PathId(number)), at(9));
                timers.set(Timer::CheckTimeout(PathId(number)), at(7));
            }
            for number in 0..1000 {
                timers.cancel(Timer::CheckTimeout(PathId(number)));
            }
        }
        assert_eq!((timers.len(), timers.queue.len()), (1, 1));
        assert!(timers.queue[&at(7)].timers.len() <= 1 + STALE_EACH + STALE);
        assert_eq!(timers.pop_due(at(7)), Some(Timer::Settle));
        timers.set(Timer::Sample(PathId(5)), at(8));
        (0..1000).for_each(|number| timers.forget(PathId(number)));
        assert!(timers.len() == 0 && timers.queue.is_empty() && timers.at.of_paths.is_empty());
    }

    #[test]
    fn one_that_is_set_anew_while_its_moment_is_taken_out_comes_once() {
        let mut timers = Timers::default();
        for number in [3, 1, 2] {
            timers.set(Timer::Check(PathId(number)), at(5));
        }
        timers.cancel(Timer::Check(PathId(2)));
        timers.set(Timer::Check(PathId(2)), at(5));
        assert_eq!(timers.pop_due(at(5)), Some(Timer::Check(PathId(1))));
        timers.set(Timer::Check(PathId(1)), at(5));
        let rest: Vec<_> = core::iter::from_fn(|| timers.pop_due(at(5))).collect();
        assert_eq!(rest, [1, 2, 3].map(|number| Timer::Check(PathId(number))));
    }
}
