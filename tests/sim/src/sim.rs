//! The run: one queue, one generator, one machine, one daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libmp::core::effect::{Effect, Outbox};
use libmp::core::event::{Event, Peer, RequestId};
use libmp::types::{Errno, Instant, Token};

use crate::conf::Conf;
use crate::coverage::Coverage;
use crate::daemon::{Daemon, Factory};
use crate::fault::Faults;
use crate::gremlin::Act;
use crate::invariants::{Violation, Watch};
use crate::queue::Queue;
use crate::real::Read;
use crate::rng::Rng;
use crate::trace::Trace;
use crate::udev::{KernelEvent, Udev};
use crate::world::World;
use crate::world::exec::Running;

/// A command that nobody answers is given up by the kernel's error handling after so long.
pub(crate) const GIVE_UP: Duration = Duration::from_mins(1);

/// What will happen.
#[derive(Debug)]
pub enum Item {
    /// The daemon of this life is told.
    Deliver { life: u32, event: Box<Event> },
    /// An effect is carried out (a step of it).
    Work(u64),
    /// udev's rules are through with an event.
    Rules(KernelEvent),
    /// udev's message arrives.
    Message(Box<Event>),
    /// The control device of device-mapper wakes its pollers.
    DmPoll,
    /// kpartx makes partitions on a map.
    Kpartx { minor: u32 },
    /// Somebody reads or writes through every map.
    Writers,
    /// Something is done to the machine.
    Gremlin,
    /// The daemon is started.
    Start,
    /// The kernel gives up on I/O that has hung for long.
    ErrorHandling,
    /// The host scans a disk.
    Rescan(String),
    /// A client's command.
    Command(String),
    /// The daemon is told something out of turn.
    Tell(Event),
}

/// An effect under way.
#[derive(Debug)]
pub struct Job {
    pub life: u32,
    pub token: Token,
    pub effect: Effect,
    pub running: Option<Running>,
}

/// A run.
pub struct Sim {
    pub world: World,
    pub rng: Rng,
    pub faults: Faults,
    pub conf: Conf,
    /// What the daemon was given last.
    pub loaded: Conf,
    /// When that was.
    pub loaded_at: Instant,
    pub watch: Watch,
    pub trace: Trace,
    pub coverage: Coverage,
    pub daemon: Option<Box<dyn Daemon>>,
    pub events: u64,
    pub life: u32,
    pub partitions: bool,
    pub writers_every: Option<Duration>,
    pub gremlin_every: Option<Duration>,
    pub restart_after_exit: bool,
    pub(crate) queue: Queue<Item>,
    pub(crate) jobs: BTreeMap<u64, Job>,
    /// What texts were read as: most of them are read again.
    pub(crate) configs: BTreeMap<String, Read>,
    /// Checks of disks that don't answer.
    pub(crate) hung: Vec<u64>,
    /// Answers that don't come until the faults are over.
    pub(crate) lost: Vec<u64>,
    pub(crate) next_job: u64,
    next_request: u64,
    pub(crate) udev: Udev,
    pub(crate) handling_errors: bool,
    pub(crate) polled: bool,
    pub(crate) told_event: u64,
    /// So long after it was made a list of maps is told.
    pub lists_late: Duration,
    /// Disks and maps can't be listed.
    pub lists_fail: bool,
    /// The file of names can't be read, or must not be written.
    pub bindings_unknown: bool,
    /// The configuration can't be read.
    pub config_unreadable: bool,
    /// So long it takes to read the configuration, at the least.
    pub config_late: Duration,
    /// So long after it was read the answer of an operation on a map is told.
    pub dm_late: Duration,
    wake: Option<(Instant, Instant)>,
    idle_wakes: u32,
    factory: Factory,
    /// So many ioctls fail next, with this.
    pub next_dm_errors: (u32, Errno),
    /// The map can't be read after the next operation of this kind.
    pub next_unread: Option<String>,
    /// The next ioctl of this name meets this error.
    pub next_step_error: Option<(String, Errno)>,
    /// The daemon is killed after so many more ioctls.
    pub kill_after_steps: Option<u32>,
    /// What scripts look at.
    pub replies: BTreeMap<u64, String>,
    pub log: Vec<String>,
    pub checks_of: BTreeMap<String, u64>,
    /// How often a map was told something.
    pub messages: u64,
    pub io_done: u64,
    pub io_errors: u64,
    /// Kinds of mischief, by weight.
    pub acts: Vec<(u32, Act)>,
    pub hosts: u32,
    /// Too many paths to look at every invariant after every event.
    pub unjudged: bool,
    /// What takes back what an operator has said of paths.
    pub take_back: BTreeSet<String>,
}

impl Sim {
    pub fn new(seed: u64, factory: Factory, trace: Trace) -> Self {
        Self {
            world: World::at(Instant::from_micros(1_000_000)),
            rng: Rng::new(seed),
            faults: Faults::none(),
            conf: Conf::default(),
            loaded: Conf::default(),
            loaded_at: Instant::default(),
            watch: Watch::default(),
            trace,
            coverage: Coverage::default(),
            daemon: None,
            events: 0,
            life: 0,
            partitions: false,
            writers_every: None,
            gremlin_every: None,
            restart_after_exit: true,
            queue: Queue::new(),
            jobs: BTreeMap::new(),
            hung: Vec::new(),
            configs: BTreeMap::new(),
            lost: Vec::new(),
            next_job: 0,
            next_request: 0,
            udev: Udev::default(),
            handling_errors: false,
            polled: false,
            told_event: 0,
            lists_late: Duration::ZERO,
            lists_fail: false,
            bindings_unknown: false,
            config_unreadable: false,
            config_late: Duration::ZERO,
            dm_late: Duration::ZERO,
            wake: None,
            idle_wakes: 0,
            factory,
            next_dm_errors: (0, Errno::EIO),
            next_step_error: None,
            next_unread: None,
            kill_after_steps: None,
            replies: BTreeMap::new(),
            log: Vec::new(),
            checks_of: BTreeMap::new(),
            messages: 0,
            io_done: 0,
            io_errors: 0,
            acts: Vec::new(),
            hosts: 0,
            unjudged: false,
            take_back: BTreeSet::new(),
        }
    }

    pub fn now(&self) -> Instant {
        self.world.now
    }

    pub fn after(&mut self, delay: Duration, item: Item) {
        self.queue.push(self.world.now + delay, item);
    }

    /// Runs until a moment, or until an invariant is broken.
    pub fn run_until(&mut self, end: Instant) -> Result<(), Violation> {
        while self.step(end)? {}
        self.world.now = self.world.now.max(end);
        self.watch.timers(&self.world)
    }

    /// Runs for so many events.
    pub fn run_events(&mut self, count: u64) -> Result<(), Violation> {
        let last = self.events + count;
        while self.events < last && self.step(Instant::from_micros(u64::MAX))? {}
        Ok(())
    }

    /// The next thing that happens, if it happens by `end`.
    fn step(&mut self, end: Instant) -> Result<bool, Violation> {
        let item_at = self.queue.next_at();
        let wake_at = self.wake_at();
        let at = match (item_at, wake_at) {
            (Some(item), Some(wake)) => item.min(wake),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return Ok(false),
        };
        if at > end {
            return Ok(false);
        }
        let woken = wake_at.is_some_and(|wake| wake <= at)
            && item_at.is_none_or(|item| item > at || wake_at < item_at);
        let moved = at > self.world.now;
        self.world.now = self.world.now.max(at);
        self.idle_wakes = if moved || !woken { 0 } else { self.idle_wakes + 1 };
        if woken {
            if self.idle_wakes > 200 {
                return Err(Violation::new("timers-move-on", "woken 200 times without time passing"));
            }
            self.dispatch(Event::Tick)?;
        } else if let Some((_, item)) = self.queue.pop() {
            self.happen(item)?;
        }
        self.flush_signals();
        Ok(true)
    }

    fn wake_at(&mut self) -> Option<Instant> {
        let deadline = self.daemon.as_ref()?.next_deadline()?;
        if self.wake.is_none_or(|(asked, _)| asked != deadline) {
            let late = self.faults.wake_delay(&mut self.rng);
            self.wake = Some((deadline, deadline.max(self.world.now) + late));
        }
        self.wake.map(|(_, at)| at)
    }

    fn happen(&mut self, item: Item) -> Result<(), Violation> {
        match item {
            Item::Deliver { life, event } if life == self.life && self.daemon.is_some() => {
                self.dispatch(*event)
            }
            Item::Deliver { .. } => Ok(()),
            Item::ErrorHandling => {
                self.handling_errors = false;
                self.world.give_up(GIVE_UP);
                self.watch_outcomes()
            }
            Item::Tell(event) => self.dispatch(event),
            Item::Command(command) => self.request(&command).map(drop),
            Item::Rescan(name) => {
                self.scan(name);
                Ok(())
            }
            Item::Work(job) => {
                self.work(job);
                Ok(())
            }
            Item::Rules(event) => {
                self.rules(&event);
                Ok(())
            }
            Item::Message(event) => {
                if self.daemon.is_some() {
                    self.dispatch(*event)
                } else {
                    Ok(())
                }
            }
            Item::DmPoll => {
                self.polled = false;
                // What is listed may be otherwise when it is told.
                let event = Box::new(Event::DmChanged(self.world.dm.list()));
                let late = self.lists_late + self.rng.millis(0..=20);
                self.after(late, Item::Deliver { life: self.life, event });
                Ok(())
            }
            Item::Kpartx { minor } => {
                self.kpartx(minor);
                Ok(())
            }
            Item::Writers => self.writers(),
            Item::Gremlin => {
                if self.gremlin_every.is_none() {
                    return Ok(());
                }
                self.mischief();
                self.unpark();
                if let Some(every) = self.gremlin_every {
                    let most = u64::try_from(every.as_micros()).unwrap_or(u64::MAX) * 2;
                    let delay = Duration::from_micros(self.rng.within(0..=most));
                    self.after(delay, Item::Gremlin);
                }
                self.watch_outcomes()
            }
            Item::Start => self.start(),
        }
    }

    /// The daemon is started, with what is in the kernel and in its files.
    pub fn start(&mut self) -> Result<(), Violation> {
        if self.daemon.is_some() {
            return Ok(());
        }
        self.life += 1;
        self.log.clear();
        self.trace.line(self.world.now, format_args!("-- daemon {} starts", self.life));
        let mut daemon = (self.factory)(1000 + self.life);
        self.watch.reborn(self.world.now);
        let mut out = Outbox::new();
        daemon.start(self.world.now, &mut out);
        self.daemon = Some(daemon);
        self.told_event = self.world.dm.global_event;
        self.carry_out(out)
    }

    /// The daemon dies: what it had ordered stops after the ioctl that runs, or before it.
    pub fn kill(&mut self) {
        self.trace.line(self.world.now, format_args!("-- daemon {} is killed", self.life));
        self.daemon = None;
        self.watch.dead = true;
        self.wake = None;
        let jobs: Vec<u64> = self.jobs.keys().copied().collect();
        for id in jobs {
            let Some(mut job) = self.jobs.remove(&id) else { continue };
            if let Some(running) = job.running.as_mut().filter(|_| self.rng.per_mille(500)) {
                // A load that hangs does so beyond the daemon's end.
                if self.world.load_hangs(running) {
                    continue;
                }
                running.left.truncate(1);
                let _ = self.world.advance(running, None);
            }
        }
        self.hung.clear();
        self.lost.clear();
        self.world.end_operations();
    }

    /// One event for the daemon, what it orders, and every invariant.
    pub fn dispatch(&mut self, event: Event) -> Result<(), Violation> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        self.events += 1;
        let now = self.world.now;
        self.trace.line(now, format_args!("> {}", crate::render::event(&event)));
        self.coverage.event(&event);
        if let Event::Config { .. } = event {
            self.loaded = self.conf.clone();
            self.loaded_at = now;
            self.excuse_all();
        }
        if !self.unjudged {
            self.watch.before(&self.world, &self.loaded, &event);
        }
        self.wake = None;
        let mut out = Outbox::new();
        daemon.handle(now, event, &mut out);
        if self.unjudged {
            self.daemon = Some(daemon);
            self.world.outcomes.clear();
            return self.carry_out(out);
        }
        let view = daemon.view(now);
        self.daemon = Some(daemon);
        self.carry_out(out)?;
        self.watch_outcomes()?;
        if self.daemon.is_none() {
            return Ok(());
        }
        self.coverage.view(&view);
        self.watch.after(&self.world, &self.loaded, &view)
    }

    pub fn watch_outcomes(&mut self) -> Result<(), Violation> {
        let outcomes = std::mem::take(&mut self.world.outcomes);
        for outcome in outcomes {
            self.coverage.outcome(&outcome);
            match &outcome.reached {
                _ if outcome.bio.by_udev => {}
                // What reached another LUN is no I/O done.
                Some((lun, _)) if *self.world.luns[*lun].identity.wwid != *outcome.bio.wwid => {}
                Some(_) => self.io_done += 1,
                None => self.io_errors += 1,
            }
            self.watch.outcome(&self.world, &self.loaded, &outcome)?;
        }
        Ok(())
    }

    /// The host scans a disk: it waits for the answers.
    pub fn scan(&mut self, name: String) {
        if self.world.holds_rescan(&name) {
            self.after(Duration::from_secs(1), Item::Rescan(name));
        } else {
            self.world.rescan(&name);
        }
    }

    /// A client's command.
    pub fn request(&mut self, command: &str) -> Result<RequestId, Violation> {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        let back = [("fail path ", "reinstate path "), ("del path ", "add path ")];
        for (word, back) in back {
            if let Some(path) = command.strip_prefix(word) {
                self.take_back.insert(format!("{back}{path}"));
            }
        }
        if self.daemon.is_some() {
            if !self.unjudged {
                self.watch.requested(&self.world, id, command);
            }
            self.dispatch(Event::Request { id, peer: Peer::SELF, command: command.into() })?;
        }
        Ok(id)
    }

    /// Another multipath.conf; it is read when the daemon is told to.
    pub fn configure(&mut self, conf: Conf) {
        self.world.files.conf = conf.text();
        self.conf = conf;
        self.excuse_all();
    }

    /// The daemon has time to see to every map.
    pub fn excuse_all(&mut self) {
        let minors: Vec<u32> = self.world.dm.devices.keys().copied().collect();
        for minor in minors {
            self.watch.excuse(self.world.now, minor);
        }
    }

    fn writers(&mut self) -> Result<(), Violation> {
        let minors: Vec<u32> = self
            .world
            .dm
            .devices
            .values()
            .filter(|d| d.wwid().is_some() && d.queued.len() < 16)
            .map(|d| d.minor)
            .collect();
        for minor in minors {
            self.world.write(minor);
        }
        if let Some(every) = self.writers_every {
            self.after(every, Item::Writers);
        }
        self.watch_outcomes()
    }
}
