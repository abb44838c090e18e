//! The run: one queue, one generator, one machine, one daemon.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use libmp::config::Config;
use libmp::core::effect::{Effect, Outbox, StateFile};
use libmp::core::event::{Event, Loaded, RequestId};
use libmp::types::{Errno, Instant, Token};

use crate::conf::Conf;
use crate::coverage::Coverage;
use crate::daemon::{Daemon, Factory};
use crate::fault::Faults;
use crate::gremlin::Act;
use crate::invariants::{Violation, Watch};
use crate::queue::Queue;
use crate::rng::Rng;
use crate::trace::Trace;
use crate::udev::{KernelEvent, Udev};
use crate::world::World;
use crate::world::dm::{Kind, MAJOR, Table, Target};
use crate::world::exec::{Progress, Running};

/// A command that nobody answers is given up by the kernel's error handling after so long.
const GIVE_UP: Duration = Duration::from_secs(60);

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
    running: Option<Running>,
}

/// A run.
pub struct Sim {
    pub world: World,
    pub rng: Rng,
    pub faults: Faults,
    pub conf: Conf,
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
    queue: Queue<Item>,
    jobs: BTreeMap<u64, Job>,
    /// Checks of disks that don't answer.
    hung: Vec<u64>,
    /// Answers that don't come until the faults are over.
    lost: Vec<u64>,
    next_job: u64,
    next_request: u64,
    udev: Udev,
    handling_errors: bool,
    polled: bool,
    told_event: u64,
    wake: Option<(Instant, Instant)>,
    idle_wakes: u32,
    factory: Factory,
    /// So many ioctls fail next, with this.
    pub next_dm_errors: (u32, Errno),
    /// The daemon is killed after so many more ioctls.
    pub kill_after_steps: Option<u32>,
    /// What scripts look at.
    pub replies: BTreeMap<u64, String>,
    pub log: Vec<String>,
    pub checks_of: BTreeMap<String, u64>,
    pub io_done: u64,
    pub io_errors: u64,
    /// Kinds of mischief, by weight.
    pub acts: Vec<(u32, Act)>,
    pub hosts: u32,
}

impl Sim {
    pub fn new(seed: u64, factory: Factory, trace: Trace) -> Self {
        Self {
            world: World::at(Instant::from_micros(1_000_000)),
            rng: Rng::new(seed),
            faults: Faults::none(),
            conf: Conf::default(),
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
            lost: Vec::new(),
            next_job: 0,
            next_request: 0,
            udev: Udev::default(),
            handling_errors: false,
            polled: false,
            told_event: 0,
            wake: None,
            idle_wakes: 0,
            factory,
            next_dm_errors: (0, Errno::EIO),
            kill_after_steps: None,
            replies: BTreeMap::new(),
            log: Vec::new(),
            checks_of: BTreeMap::new(),
            io_done: 0,
            io_errors: 0,
            acts: Vec::new(),
            hosts: 0,
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
                self.world.rescan(&name);
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
                let list = self.world.dm.list();
                if self.daemon.is_some() { self.dispatch(Event::DmChanged(list)) } else { Ok(()) }
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
                running.left.truncate(1);
                let _ = self.world.advance(running, None);
            }
        }
        self.hung.clear();
        self.lost.clear();
    }

    /// One event for the daemon, what it orders, and every invariant.
    pub fn dispatch(&mut self, event: Event) -> Result<(), Violation> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        self.events += 1;
        let now = self.world.now;
        self.trace.line(now, format_args!("> {}", crate::render::event(&event)));
        self.coverage.event(&event);
        self.watch.before(&self.world, &event);
        self.wake = None;
        let mut out = Outbox::new();
        daemon.handle(now, event, &mut out);
        let view = daemon.view(now);
        self.daemon = Some(daemon);
        self.carry_out(out)?;
        self.watch_outcomes()?;
        if self.daemon.is_none() {
            return Ok(());
        }
        self.coverage.view(&view);
        self.watch.after(&self.world, &self.conf, &view)
    }

    pub fn watch_outcomes(&mut self) -> Result<(), Violation> {
        let outcomes = std::mem::take(&mut self.world.outcomes);
        for outcome in outcomes {
            self.coverage.outcome(&outcome);
            match outcome.reached {
                _ if outcome.bio.by_udev => {}
                Some(_) => self.io_done += 1,
                None => self.io_errors += 1,
            }
            self.watch.outcome(&self.world, &self.conf, &outcome)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, mut out: Outbox) -> Result<(), Violation> {
        let effects: Vec<Effect> = out.drain().collect();
        for effect in effects {
            self.trace.line(self.world.now, format_args!("    < {}", crate::render::effect(&effect)));
            self.coverage.effect(&effect);
            self.watch.effect(&self.world, &effect)?;
            self.note(&effect);
            let token = match &effect {
                Effect::Reply { .. } | Effect::Notify(_) | Effect::Forget { .. } | Effect::Ready => continue,
                Effect::Exit => {
                    self.daemon = None;
                    self.watch.dead = true;
                    self.jobs.clear();
                    self.hung.clear();
                    self.lost.clear();
                    if self.restart_after_exit {
                        let delay = self.rng.millis(100..=20_000);
                        self.after(delay, Item::Start);
                    }
                    continue;
                }
                Effect::LoadConfig { token }
                | Effect::Enumerate { token }
                | Effect::Probe { token, .. }
                | Effect::Check { token, .. }
                | Effect::Dm { token, .. }
                | Effect::SysfsWrite { token, .. }
                | Effect::Save { token, .. } => *token,
            };
            let running = match &effect {
                Effect::Dm { op, .. } => Some(Running::new(op.clone())),
                _ => None,
            };
            self.next_job += 1;
            self.jobs.insert(self.next_job, Job { life: self.life, token, effect, running });
            let delay = self.rng.millis(0..=3);
            self.after(delay, Item::Work(self.next_job));
        }
        Ok(())
    }

    /// What scripts look at, kept where there is one.
    fn note(&mut self, effect: &Effect) {
        if self.restart_after_exit {
            return;
        }
        match effect {
            Effect::Reply { id, text } => {
                self.replies.insert(id.0, text.clone());
            }
            Effect::Notify(notice) => self.log.push(notice.to_string()),
            Effect::Check { name, .. } => *self.checks_of.entry(name.as_str().into()).or_default() += 1,
            _ => {}
        }
    }

    /// The error that the next ioctl meets, if any.
    fn next_fault(&mut self) -> Option<Errno> {
        if self.next_dm_errors.0 > 0 {
            self.next_dm_errors.0 -= 1;
            return Some(self.next_dm_errors.1);
        }
        self.faults.dm_error(&mut self.rng)
    }

    /// An effect is carried out: read now, answered later.
    fn work(&mut self, id: u64) {
        let Some(mut job) = self.jobs.remove(&id) else { return };
        let event = match &job.effect {
            Effect::Dm { .. } => return self.work_dm(id, job),
            Effect::Check { token, name, devt, request } => {
                match self.world.check(name.as_str(), *devt, request) {
                    Some(raw) => Event::Checked { token: *token, raw },
                    None => {
                        self.jobs.insert(id, job);
                        self.hung.push(id);
                        return;
                    }
                }
            }
            Effect::Probe { token, name } => {
                Event::Probed { token: *token, probe: self.world.probe(name.as_str()).map(Box::new) }
            }
            Effect::Enumerate { token } => {
                Event::Enumerated { token: *token, found: Box::new(self.world.enumerate()) }
            }
            Effect::LoadConfig { token } => {
                Event::Config { token: *token, loaded: Box::new(self.load_config()) }
            }
            Effect::SysfsWrite { token, name, attribute, value } => {
                let result = if self.rng.per_mille(self.faults.sysfs_error) {
                    Err(Errno::EINVAL)
                } else {
                    self.world.sysfs_write(name.as_str(), attribute, value)
                };
                Event::SysfsWritten { token: *token, result }
            }
            Effect::Save { token, file, text } => {
                let result = self.save(*file, text);
                Event::Saved { token: *token, result }
            }
            _ => return,
        };
        job.running = None;
        let may_hang = matches!(event, Event::Checked { .. } | Event::Probed { .. });
        self.answer(id, job, event, may_hang);
    }

    fn answer(&mut self, id: u64, job: Job, event: Event, may_hang: bool) {
        let Some(delay) = self.faults.latency(&mut self.rng, may_hang) else {
            self.jobs.insert(id, job);
            self.lost.push(id);
            return;
        };
        if self.rng.per_mille(self.faults.duplicated) {
            let again = delay + self.rng.millis(0..=5000);
            self.after(again, Item::Deliver { life: job.life, event: Box::new(event.clone()) });
        }
        self.after(delay, Item::Deliver { life: job.life, event: Box::new(event) });
    }

    fn work_dm(&mut self, id: u64, mut job: Job) {
        let Some(running) = job.running.as_mut() else { return };
        let fault = if running.left.is_empty() { None } else { self.next_fault() };
        match self.world.advance(running, fault) {
            Progress::Finished => {
                let event = Event::DmDone { token: job.token, done: Box::new(running.done(&self.world)) };
                self.unpark();
                self.answer(id, job, event, false);
            }
            _ if self.kill_after_steps == Some(1) => {
                self.kill_after_steps = None;
                self.kill();
            }
            progress => {
                self.kill_after_steps = self.kill_after_steps.map(|n| n - 1);
                let slow = self.rng.per_mille(self.faults.slow);
                let delay = if slow || progress == Progress::Sleeps {
                    self.rng.millis(200..=2000)
                } else {
                    self.rng.millis(0..=5)
                };
                self.jobs.insert(id, job);
                self.after(delay, Item::Work(id));
            }
        }
    }

    /// Hung checks whose disk answers now are answered, and lost ones once nothing is lost any more.
    pub fn unpark(&mut self) {
        let mut due = Vec::new();
        let (jobs, world) = (&self.jobs, &self.world);
        self.hung.retain(|id| {
            let hangs = jobs.get(id).is_some_and(|job| match &job.effect {
                Effect::Check { name, devt, request, .. } => {
                    world.check(name.as_str(), *devt, request).is_none()
                }
                _ => false,
            });
            if !hangs {
                due.push(*id);
            }
            hangs
        });
        if self.faults.stuck == 0 {
            due.append(&mut self.lost);
        }
        for id in due {
            let delay = self.rng.millis(0..=2000);
            self.after(delay, Item::Work(id));
        }
    }

    fn load_config(&mut self) -> Loaded {
        let files = &self.world.files;
        let (config, diagnostics) = crate::real::config(&files.conf);
        Loaded {
            config: Arc::<Config>::new(config),
            diagnostics,
            bindings: files.bindings.clone(),
            wwids: files.wwids.clone(),
        }
    }

    fn save(&mut self, file: StateFile, text: &str) -> Result<(), String> {
        if self.rng.per_mille(self.faults.save_error) {
            return Err("No space left on device".into());
        }
        let place = match file {
            StateFile::Bindings => &mut self.world.files.bindings,
            StateFile::Wwids => &mut self.world.files.wwids,
        };
        text.clone_into(place);
        Ok(())
    }

    /// A client's command.
    pub fn request(&mut self, command: &str) -> Result<RequestId, Violation> {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        if self.daemon.is_some() {
            self.watch.requested(&self.world, id, command);
            self.dispatch(Event::Request { id, uid: 0, command: command.into() })?;
        }
        Ok(id)
    }

    /// Another multipath.conf; it is read when the daemon is told to.
    pub fn configure(&mut self, conf: Conf) {
        self.world.files.conf = conf.text();
        self.conf = conf;
        let minors: Vec<u32> = self.world.dm.devices.keys().copied().collect();
        for minor in minors {
            self.watch.excuse(self.world.now, minor);
        }
    }

    /// Hands what the kernel announced to udev and to the pollers.
    pub fn flush_signals(&mut self) {
        let disks = std::mem::take(&mut self.world.block_events);
        let maps = std::mem::take(&mut self.world.dm.signals);
        let events = disks
            .into_iter()
            .map(|(a, n)| KernelEvent::Disk(a, n))
            .chain(maps.into_iter().map(KernelEvent::Dm));
        for event in events {
            let latency = self.faults.udev_latency(&mut self.rng);
            let at = self.udev.through_at(self.world.now, event.device(), latency);
            self.queue.push(at, Item::Rules(event));
        }
        if !self.handling_errors && self.world.disks.values().any(|d| !d.held.is_empty()) {
            self.handling_errors = true;
            self.after(GIVE_UP, Item::ErrorHandling);
        }
        if self.world.dm.global_event != self.told_event && !self.polled {
            self.told_event = self.world.dm.global_event;
            self.polled = true;
            let delay = self.rng.millis(0..=15);
            self.after(delay, Item::DmPoll);
        }
    }

    fn rules(&mut self, event: &KernelEvent) {
        let Some(message) = self.udev.process(&mut self.world, event) else { return };
        if let KernelEvent::Dm(crate::world::dm::Signal::Changed { minor, cookie_flags }) = event {
            // Rules read from a map that has paths; kpartx follows.
            if cookie_flags & 0x400 == 0 && !self.world.dm.devices.get(minor).is_some_and(|d| d.suspended) {
                self.world.look(*minor);
                if self.partitions && cookie_flags & 0x200 == 0 {
                    self.after(Duration::from_millis(30), Item::Kpartx { minor: *minor });
                }
            }
        }
        let now = self.world.now;
        if self.udev.deaf_until.is_some_and(|until| now < until) {
            return;
        }
        if self.rng.per_mille(self.faults.uevent_lost) {
            self.lose_uevents();
            return;
        }
        let event = Event::Uevent(message);
        let copies = 1 + u32::from(self.rng.per_mille(self.faults.uevent_duplicated));
        for _ in 0..copies {
            let at = self.world.now + self.rng.millis(0..=10);
            let at = self.udev.arrives_at(at);
            self.queue.push(at, Item::Message(Box::new(event.clone())));
        }
    }

    /// The socket overflows: messages are lost for a while, and then it is said.
    pub fn lose_uevents(&mut self) {
        let deaf = self.world.now + self.rng.millis(1..=3000);
        self.udev.deaf_until = Some(deaf);
        let at = self.udev.arrives_at(deaf + Duration::from_micros(1));
        self.queue.push(at, Item::Message(Box::new(Event::UeventsLost)));
    }

    fn kpartx(&mut self, minor: u32) {
        let Some(device) = self.world.dm.devices.get(&minor) else { return };
        let Some(wwid) = device.wwid() else { return };
        let (name, uuid) = (format!("{}-part1", device.name), format!("part1-mpath-{wwid}"));
        if self.world.dm.by_uuid(&uuid).is_some() || self.world.dm.create(&name, &uuid).is_err() {
            return;
        }
        let on = libmp::types::DevT::new(MAJOR, minor);
        let targets = vec![Target { start: 0, sectors: 1024, kind: Kind::Linear { on } }];
        let _ = self.world.dm.load_table(&name, Table { read_only: false, targets });
        let _ = self.world.dm.resume(&name, 0);
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

    /// Answers that are still owed.
    pub fn owed(&self) -> usize {
        self.jobs.len()
    }
}
