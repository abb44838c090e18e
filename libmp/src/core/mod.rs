//! The state machine: events in, effects out, the time is an argument.
//!
//! ```text
//! Loading ──Config──► Enumerating ──Enumerated──► Settling ──all probed──► Running ──TERM──► Stopping
//!                          ▲                                                 │
//!                          └────────────── reconfigure ──────────────────────┘
//! ```
//!
//! At the end of every `handle` each map that something happened to is planned; nothing else
//! orders device-mapper operations. A map has at most one under way, and one message beside a table load that hangs.

pub mod announce;
mod answers;
mod asked;
mod attention;
mod beside;
mod checks;
mod contested;
mod desired;
mod discovery;
mod early;
pub mod effect;
pub mod event;
mod explain;
mod fabric;
mod failback;
mod files;
mod flaky;
pub mod glance;
pub mod judge;
mod known;
mod limits;
mod listing;
pub mod map;
mod map_state;
mod maps;
mod marks;
mod meanwhile;
mod membership;
mod mode;
mod nameless;
mod names;
mod native;
pub mod notice;
mod observe;
pub mod paper;
mod partitions;
pub mod path;
mod plan;
mod queueing;
mod readiness;
mod reassign;
mod reconfigure;
mod refused;
mod rehearsal;
mod removed;
mod requests;
mod resize;
mod rounds;
mod routine;
mod shown;
mod smaller;
mod snapshot;
mod spared;
mod strangers;
mod table;
mod timers;
mod tuning;
mod unfinished;
mod unidentified;
mod unmapped;
mod usable;
mod waiting;

#[cfg(test)]
mod tests;

use ::core::time::Duration;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::Config;
use crate::core::attention::Attentions;
use crate::core::effect::{Effect, Outbox, StateFile};
use crate::core::event::{Event, RequestId, Signal};
use crate::core::files::OnDisk;
use crate::core::glance::AHEAD;
use crate::core::limits::Limits;
use crate::core::listing::Unlisted;
use crate::core::map::{Map, MapId};
use crate::core::names::Holders;
use crate::core::native::Native;
use crate::core::notice::Notice;
use crate::core::path::{Path, PathId};
use crate::core::requests::Pending;
use crate::core::routine::Usuals;
use crate::core::strangers::Strangers;
use crate::core::table::Table;
use crate::core::timers::{Timer, Timers};
use crate::core::waiting::{Awaited, Probes, Waiting};
use crate::state::bindings::Bindings;
use crate::state::switched::Switched;
use crate::state::wwids::Wwids;
use crate::types::{Errno, Instant, MapName, PathName, Token, Wwid};

/// How long the start waits for probes and first operations before it goes on without them.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// So many timers are one step's.
const DUE_AT_ONCE: usize = 256;

/// What the core must be told of the process it is in.
#[derive(Debug, Clone, Copy)]
pub struct CoreInit {
    /// Process id, for `show daemon`.
    pub pid: u32,
    /// It stays, and looks after the maps.
    pub resident: bool,
}

/// How far the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The configuration is being read for the first time.
    Loading,
    /// Disks and maps are being listed.
    Enumerating,
    /// Disks are being probed; no map is touched.
    Settling,
    /// At work.
    Running,
    /// No new work; what is under way ends.
    Stopping,
}

/// The daemon's mind.
#[derive(Debug, Clone)]
pub struct Core {
    pid: u32,
    resident: bool,
    phase: Phase,
    /// What was there at the start has been found.
    started: bool,
    /// There was a tick since another user than root was last answered what the start was waited for.
    ticked: bool,
    /// The service manager was told that we are ready.
    ready: bool,
    /// The process was told to end.
    exited: bool,
    /// The configuration is being read.
    loading: bool,
    /// How often it was asked for.
    loads: u64,
    /// A reconfigure was asked for while one was under way.
    reconfigure_again: bool,
    /// What the start waits for: files of the configuration that can't be read, and why.
    unreadable: Option<String>,
    /// When the configuration has been taken over, every table is loaded anew, those that are right too.
    reload_all: bool,
    config: Arc<Config>,
    paths: Table<PathId, Path>,
    by_name: BTreeMap<PathName, PathId>,
    maps: Table<MapId, Map>,
    by_wwid: BTreeMap<Wwid, MapId>,
    holders: Holders,
    /// Paths that wait for a second one.
    alone: BTreeMap<Wwid, BTreeSet<PathId>>,
    strangers: Strangers,
    /// Paths that show a map's WWID and contradict it.
    contradicting: BTreeSet<PathId>,
    /// Disks that operators have taken out, by the LUN that they are of.
    taken_out: BTreeSet<(Wwid, PathId)>,
    /// Maps with devices that are not known yet.
    unidentified: BTreeSet<MapId>,
    /// Disks that udev has not looked at yet, by the WWID that they say they have, and since when.
    nameless: BTreeMap<(Wwid, PathId), Instant>,
    /// Maps of whose disks one is named by now, or gone.
    named: BTreeSet<MapId>,
    /// Maps that are made when all disks are read.
    unread: BTreeSet<MapId>,
    /// Names of device-mapper devices that are not ours, and their UUIDs.
    others: BTreeMap<MapName, String>,
    /// What operators have switched of the queueing.
    switched: Switched,
    bindings: Bindings,
    /// New names may be given.
    may_bind: bool,
    wwids: Wwids,
    timers: Timers,
    /// Of routine checks.
    limits: Limits,
    waiting: Waiting,
    files: BTreeMap<StateFile, OnDisk>,
    dirty: BTreeSet<MapId>,
    pending: BTreeMap<RequestId, Pending>,
    /// What was said once for all paths alike, since the configuration was read.
    said: BTreeSet<String>,
    next_path: u32,
    next_map: u32,
    /// Moves on with all that happens but good answers of good paths.
    epoch: u64,
    /// While the start is not over: a map that was not at rest when one was looked for.
    busy: Option<MapId>,
    /// Checks that left nothing behind, which paths share.
    usual: Usuals,
    native: Native,
    attentions: Attentions,
    unlisted: Unlisted,
}

impl Core {
    /// A core that knows nothing yet. `start` sets it going.
    pub fn new(init: CoreInit) -> Self {
        Self {
            pid: init.pid,
            resident: init.resident,
            phase: Phase::Loading,
            started: false,
            ticked: false,
            ready: false,
            exited: false,
            loading: true,
            loads: 0,
            reconfigure_again: false,
            unreadable: None,
            reload_all: false,
            config: Arc::new(Config::load(&[]).0),
            paths: Table::default(),
            by_name: BTreeMap::new(),
            maps: Table::default(),
            by_wwid: BTreeMap::new(),
            holders: Holders::default(),
            alone: BTreeMap::new(),
            strangers: Strangers::default(),
            contradicting: BTreeSet::new(),
            taken_out: BTreeSet::new(),
            unidentified: BTreeSet::new(),
            nameless: BTreeMap::new(),
            named: BTreeSet::new(),
            unread: BTreeSet::new(),
            others: BTreeMap::new(),
            switched: Switched::default(),
            bindings: Bindings::default(),
            may_bind: true,
            wwids: Wwids::default(),
            timers: Timers::default(),
            limits: Limits::default(),
            waiting: Waiting::default(),
            files: BTreeMap::new(),
            dirty: BTreeSet::new(),
            pending: BTreeMap::new(),
            said: BTreeSet::new(),
            next_path: 0,
            next_map: 0,
            epoch: 0,
            busy: None,
            usual: Usuals::default(),
            native: Native::default(),
            attentions: Attentions::default(),
            unlisted: Unlisted::default(),
        }
    }

    /// The first effects.
    pub fn start(&mut self, now: Instant, out: &mut Outbox) {
        self.load(out);
        self.timers.set(Timer::Settle, now + SETTLE_LIMIT.saturating_mul(3));
    }

    /// When `handle` wants an `Event::Tick` at the latest; `None`: nothing is waited for.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// How far the daemon is.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// How many answers are awaited and how many timers are set, for inspection.
    pub fn kept(&self) -> (usize, usize) {
        (self.waiting.len(), self.timers.len())
    }

    /// How often a path or a map was looked at, for inspection: what work costs, counted.
    pub fn looks(&self) -> u64 {
        self.paths.looks() + self.maps.looks()
    }

    /// The paths, for inspection.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.values()
    }

    /// The maps, for inspection.
    pub fn maps(&self) -> impl Iterator<Item = &Map> {
        self.maps.values()
    }

    /// Takes in one event, and says what is to be done.
    pub fn handle(&mut self, now: Instant, event: Event, out: &mut Outbox) {
        self.epoch += u64::from(!event.is_routine());
        // What is due is not urgent beside an answer: its path is near in memory as long as it comes soon after the question.
        let answer = matches!(event, Event::Checked { .. } | Event::DmDone { .. });
        match event {
            Event::Config { token, loaded } => self.config_loaded(now, token, *loaded, out),
            Event::Surveyed { token, survey } => {
                if let Some(Awaited::Survey(id)) = self.waiting.take(token) {
                    self.surveyed(now, id, *survey, out);
                }
            }
            Event::Enumerated { token, found } => {
                if let Some(Awaited::Enumeration(probes)) = self.waiting.take(token) {
                    self.listed(now, found, probes, out);
                }
            }
            Event::Uevent(uevent) => self.uevent(now, &uevent, out),
            Event::UeventsLost => self.uevents_lost(out),
            Event::Probed { token, probe } => {
                if let Some(Awaited::Probe(id)) = self.waiting.take(token) {
                    self.probed(now, id, probe, out);
                }
            }
            Event::Checked { token, raw } => {
                if let Some(Awaited::Check(id)) = self.waiting.take(token) {
                    self.end_limits();
                    self.checked(now, id, token, &raw, out);
                }
            }
            Event::Checking { token, sysfs_state } => {
                if let Some(Awaited::Check(id)) = self.waiting.get(token) {
                    self.checking(now, id, token, &sysfs_state, out);
                }
            }
            Event::DmDone { token, done } => {
                if let Some(Awaited::Dm(id)) = self.waiting.take(token) {
                    self.dm_done(now, id, token, *done, out);
                }
            }
            Event::DmChanged(list) => self.dm_changed(&list),
            Event::SysfsWritten { token, result } => self.written(now, token, result, out),
            Event::NativeRead { token, spaces } => {
                if let Some(Awaited::Native) = self.waiting.take(token) {
                    self.native_read(now, spaces, out);
                }
            }
            Event::Saved { token, result } => self.saved(now, token, result, out),
            Event::Request { id, peer, command } => self.request(now, id, peer, &command, out),
            Event::Fabric(message) => self.fabric_told(&message, out),
            Event::Attention { device, told } => self.attention(now, device, told, out),
            Event::Signal(Signal::Reconfigure) => drop(self.reconfigure(out)),
            Event::Signal(Signal::Terminate) => self.stop(now, out),
            Event::Tick => self.ticked = true,
        }
        if !answer {
            self.due(now, out);
        }
        self.end_holds(now, out);
        self.settle(now, false, out);
        self.epoch += u64::from(!self.dirty.is_empty());
        self.plan_dirty(now, out);
        self.answer_removals(out);
        self.announce(out);
    }

    fn uevents_lost(&mut self, out: &mut Outbox) {
        out.notify(Notice::UeventsLost);
        // Before the configuration is there nothing is looked at: the enumeration to come sees it.
        if self.phase != Phase::Loading {
            self.enumerate(Probes::All, out);
        }
        self.attentions_lost();
        self.read_native(out);
    }

    fn written(&mut self, now: Instant, token: Token, result: Result<(), Errno>, out: &mut Outbox) {
        match self.waiting.take(token) {
            Some(Awaited::Rescan(id)) => self.rescanned(now, id, result, out),
            Some(Awaited::Purge(id)) => self.purged(id, result, out),
            Some(Awaited::Recheck(id)) => self.rescanned_anew(id, result, out),
            Some(Awaited::Tuning(id)) => self.tuned(now, id, result, out),
            _ => {}
        }
    }

    /// What is more is due again at once: a second in which many checks begin keeps no client waiting.
    fn due(&mut self, now: Instant, out: &mut Outbox) {
        for count in 0..DUE_AT_ONCE {
            if count % AHEAD == 0 {
                self.foresee_due(now);
            }
            let Some(timer) = self.timers.pop_due(now) else { return };
            self.epoch += u64::from(!matches!(timer, Timer::Check(_) | Timer::Limits | Timer::Native));
            match timer {
                Timer::Check(id) => self.start_check(now, id, out),
                Timer::CheckTimeout(id) => self.check_timed_out(now, id, out),
                Timer::Enumerate => self.list_again(out),
                Timer::Load => drop(self.reconfigure(out)),
                Timer::Native => self.read_native(out),
                Timer::Attention => self.heed_attentions(now, out),
                Timer::Limits => self.limits_over(now, out),
                Timer::Sample(id) => self.sample(now, id, out),
                Timer::Retrigger(id) => self.retrigger(now, id, out),
                Timer::Probe(id) => self.probe_due(id, out),
                Timer::Hold(id) => self.hold_over(now, id, out),
                Timer::Retry(id) => self.retry(id),
                Timer::Meanwhile(id) => self.load_hangs(now, id),
                Timer::Save(file) => self.save(file, out),
                Timer::Queueing(id) => self.queueing_over(now, id, out),
                Timer::Failback(id) => self.failback_due(id),
                Timer::Ready(id) => drop(self.dirty.insert(id)),
                Timer::Sizes(id) => self.sizes_over(now, id, out),
                Timer::Request(id) => self.request_timed_out(now, id, out),
                Timer::Settle if self.phase == Phase::Stopping => self.exit(out),
                Timer::Settle => self.settle(now, true, out),
            }
        }
    }

    fn token(&mut self, awaited: Awaited) -> Token {
        self.waiting.token(awaited)
    }

    fn map_by_wwid(&self, wwid: &Wwid) -> Option<&Map> {
        self.maps.get(self.by_wwid.get(wwid)?)
    }

    /// Goes to `Running` when every probe is answered, or the time is over: whatever holds it up must
    /// keep neither the machine from booting nor the maps from being looked after.
    fn settle(&mut self, now: Instant, time_over: bool, out: &mut Outbox) {
        let settled = match self.phase {
            Phase::Settling => time_over || !self.waiting.probes(),
            Phase::Enumerating => time_over,
            Phase::Loading | Phase::Running | Phase::Stopping => false,
        };
        if settled {
            if time_over {
                // Nobody speaks of maps without paths, and the list of them is old by now.
                let pathless = self.maps.values().filter(|map| map.members.is_empty()).map(|map| map.id);
                pathless.collect::<Vec<_>>().into_iter().for_each(|id| self.read_again(id));
            }
            self.phase = Phase::Running;
            self.timers.cancel(Timer::Settle);
            if !self.ready {
                self.timers.set(Timer::Settle, now + SETTLE_LIMIT.saturating_mul(3));
            }
            self.settled(now, out);
        } else if time_over && !self.ready {
            self.say_ready(out);
        }
    }

    fn settled(&mut self, now: Instant, out: &mut Outbox) {
        self.refresh_maps(now, out);
        self.take_sizes(out);
        if core::mem::take(&mut self.reload_all) {
            self.maps
                .values_mut()
                .filter(|map| map.observed.is_some())
                .for_each(|map| map.orders.reload = true);
        }
        out.notify(Notice::Configured {
            maps: self.maps.len(),
            paths: self.paths.values().filter(|p| p.map().is_some()).count(),
        });
        if core::mem::take(&mut self.reconfigure_again) {
            let _ = self.reconfigure(out);
        }
        self.start_is_over(now, out);
    }

    /// Says once that the start is over: every map has what it should have, as far as it can.
    fn announce(&mut self, out: &mut Outbox) {
        if !self.ready && self.phase == Phase::Running && self.all_at_rest() {
            self.timers.cancel(Timer::Settle);
            self.say_ready(out);
        }
        if self.phase == Phase::Stopping
            && self.maps.values().all(|m| m.inflight.is_none())
            && self.pending.is_empty()
            && !self.is_saving()
        {
            self.exit(out);
        }
    }

    /// Is there nothing to be awaited of any map? The one that was found busy the last time is asked first, as it is so most
    /// times.
    fn all_at_rest(&mut self) -> bool {
        let busy = |m: &Map| m.inflight.is_some() || m.hold_until.is_some();
        if self.busy.and_then(|id| self.maps.get(&id)).is_some_and(busy) {
            return false;
        }
        self.busy = self.maps.values().find(|m| busy(m)).map(|m| m.id);
        self.busy.is_none()
    }

    fn say_ready(&mut self, out: &mut Outbox) {
        self.ready = true;
        out.push(Effect::Ready);
    }
}
