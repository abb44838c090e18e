//! Defects put in on purpose: each must be caught, or the invariants prove nothing.

mod ordered;
mod planted;
mod shown;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libmp::check::Answered;
use libmp::core::effect::{Effect, Outbox};
use libmp::core::event::{Event, UeventAction};
use libmp::show::view::View;
use libmp::types::{DevT, Errno, Instant, Token, Wwid};

use crate::daemon::{Daemon, Factory};
use crate::invariants::is_good;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Every `reinstate_path` is lost.
    NoReinstate,
    /// Every `fail_path` is lost.
    NoFail,
    /// A path that is up is reinstated though its check said down.
    ReinstateAll,
    /// An answer that is no longer awaited is taken for the one that is.
    StaleAsFresh,
    /// Tables get a path of another map.
    SwapPaths,
    /// Queueing is never switched off.
    NoQueueOff,
    /// Maps stay suspended after a reload.
    StaySuspended,
    /// Replies are lost now and then.
    LoseReplies,
    /// Replies are sent twice now and then.
    DoubleReplies,
    /// The same token is given again.
    SameToken,
    /// Tables are longer than their paths.
    TooLong,
    /// The name of a map is left as it is.
    NoRename,
    /// Partitions keep the names that they have.
    NoPartitionNames,
    /// A second operation is ordered while one is under way.
    TwoOperations,
    /// A file is written again and again.
    SaveForever,
    /// Removed paths are still checked.
    CheckTheGone,
    /// A port is told another time than is wanted.
    WrongTimes,
    /// A port that is lost is to go at another time than is wanted.
    WrongLoss,
    /// Requests may be larger than is wanted.
    WrongSize,
    /// A port that could not be told something is told another time than is wanted.
    WrongAtSecond,
    /// The daemon's clock is ten times as fast as it should be.
    FastClock,
    /// A port or session is told the one time that means something else.
    ZeroTimes,
    /// A path is reinstated in a map that is another LUN's.
    ReinstateStrangers,
    /// What a check answers is taken for the last good answer of any path.
    GoodAnswers,
    /// A file is written once more before it is known to be written.
    TwoSaves,
    /// A table of another size is loaded as one of the same size.
    NoFlush,
    /// No map is made, and it is said that all went well.
    NoCreate,
    /// What is seen of one map has nothing done to another.
    BlindToOthers,
    /// No map is removed, and it is said that all went well.
    NoRemove,
    /// Tables stay as they are, and so do paths that have failed: I/O goes where it went.
    KeepPaths,
    /// Queueing is never switched on, neither by a message nor by a table.
    NoQueueOn,
    /// The file of WWIDs is emptied.
    EmptyWwids,
    /// Every table has its groups the other way round, and none is switched to.
    WorstFirst,
    /// Every table has its paths in one group.
    OneGroup,
    /// Every table has each path in a group of its own.
    SingleGroups,
    /// The daemon never hears that a file was saved.
    DeafToSaves,
    /// A map has the name of another.
    SameName,
    /// A map has the WWID of another.
    SameWwid,
    /// A path is shown in a map that there is not.
    PathNowhere,
    /// A path is in two maps.
    PathTwice,
    /// A deadline stays when it was served.
    DeadlineStays,
    /// The daemon wakes every second.
    EverySecond,
    /// The daemon wakes every hour, even where there is nothing to do.
    EveryHour,
}

struct Tampered {
    inner: Box<dyn Daemon>,
    defect: Defect,
    count: u64,
    /// The check under way of each path.
    checks: BTreeMap<String, Token>,
    names: BTreeMap<Token, String>,
    devices: BTreeMap<String, BTreeSet<DevT>>,
    /// Maps that are being read, for whatever reason.
    reads: BTreeMap<Token, Wwid>,
    /// The one that was just read.
    read: Option<Wwid>,
    /// Disks that a write to sysfs has failed for.
    spoilt: BTreeSet<String>,
    last_save: Option<Effect>,
    last_check: Option<Effect>,
    ours: u64,
    last_good: Option<Answered>,
    /// The last event.
    now: Instant,
    /// The first deadline that was asked for.
    deadline: Cell<Option<Instant>>,
}

/// A factory of daemons with a defect.
pub fn with(defect: Defect, inner: Factory) -> Factory {
    Box::new(move |pid| {
        Box::new(Tampered {
            inner: inner(pid),
            defect,
            count: 0,
            checks: BTreeMap::new(),
            names: BTreeMap::new(),
            devices: BTreeMap::new(),
            reads: BTreeMap::new(),
            read: None,
            spoilt: BTreeSet::new(),
            last_save: None,
            last_check: None,
            ours: 0,
            last_good: None,
            now: Instant::default(),
            deadline: Cell::new(None),
        })
    })
}

/// How much faster a fast clock is.
const FAST: u64 = 10;

impl Tampered {
    /// The time, as the daemon has it.
    fn clock(&self, now: Instant) -> Instant {
        if self.defect == Defect::FastClock { Instant::from_micros(now.as_micros() * FAST) } else { now }
    }
}

impl Daemon for Tampered {
    fn start(&mut self, now: Instant, out: &mut Outbox) {
        self.now = now;
        let mut mine = Outbox::new();
        self.inner.start(self.clock(now), &mut mine);
        let effects = mine.drain().collect();
        self.mangle(effects, out);
    }

    fn handle(&mut self, now: Instant, mut event: Event, out: &mut Outbox) {
        self.now = now;
        if self.defect == Defect::DeafToSaves && matches!(event, Event::Saved { .. }) {
            return;
        }
        if let Event::Checked { token, raw } = &mut event {
            match self.defect {
                Defect::GoodAnswers if is_good(raw) => self.last_good = Some(raw.clone()),
                Defect::GoodAnswers => {
                    if let Some(good) = &self.last_good {
                        raw.clone_from(good);
                    }
                }
                Defect::StaleAsFresh => {
                    if let Some(fresh) = self.names.get(token).and_then(|name| self.checks.get(name)) {
                        *token = *fresh;
                    }
                }
                Defect::SameToken => {
                    // Whoever answers, it is taken for some check under way.
                    if let Some((_, fresh)) = self.checks.pop_first() {
                        *token = fresh;
                    }
                }
                _ => {}
            }
        }
        self.read = match &event {
            Event::DmDone { token, .. } => self.reads.remove(token),
            _ => None,
        };
        let mut mine = Outbox::new();
        match &event {
            Event::SysfsWritten { token, result: Err(Errno::EINVAL) } => {
                self.spoilt.extend(self.names.get(token).cloned());
            }
            Event::Uevent(uevent) if uevent.action == UeventAction::Remove => {
                self.spoilt.remove(uevent.name.as_str());
            }
            _ => {}
        }
        self.inner.handle(self.clock(now), event, &mut mine);
        let effects = mine.drain().collect();
        self.mangle(effects, out);
        self.add(out);
    }

    fn kept(&self) -> (usize, usize) {
        self.inner.kept()
    }

    fn looks(&self) -> u64 {
        self.inner.looks()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let wanted = self.inner.next_deadline();
        let by = |time: u64| wanted.into_iter().chain([self.now + Duration::from_secs(time)]).min();
        match self.defect {
            Defect::DeadlineStays => {
                self.deadline.set(self.deadline.get().or(wanted));
                self.deadline.get()
            }
            Defect::EverySecond => by(1),
            Defect::EveryHour => by(3600),
            Defect::FastClock => wanted.map(|at| Instant::from_micros(at.as_micros().div_ceil(FAST))),
            _ => wanted,
        }
    }

    fn view(&self, now: Instant) -> View {
        shown::bend(self.defect, self.inner.view(self.clock(now)))
    }
}
