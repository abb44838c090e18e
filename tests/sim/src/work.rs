//! Effects are carried out: read or done at one moment, answered at another, or not at all.

use std::time::Duration;

use libmp::core::effect::{Effect, Outbox, StateFile};
use libmp::core::event::{Event, Loaded, Survey};
use libmp::dm::op::DmOp;
use libmp::types::{Errno, PathName, Token};

use crate::invariants::Violation;
use crate::real::{self, Read};
use crate::sim::{Item, Job, Sim};
use crate::world::disk::SdevState;
use crate::world::exec::{Progress, Running, Step};

impl Sim {
    pub(crate) fn carry_out(&mut self, mut out: Outbox) -> Result<(), Violation> {
        let effects: Vec<Effect> = out.drain().collect();
        for effect in effects {
            self.trace.line(self.world.now, format_args!("    < {}", crate::render::effect(&effect)));
            self.coverage.effect(&effect);
            if !self.unjudged {
                self.watch.effect(&self.world, &effect)?;
            }
            self.note(&effect);
            let token = match &effect {
                Effect::Reply { .. }
                | Effect::Book { .. }
                | Effect::Notify(_)
                | Effect::Forget { .. }
                | Effect::Verbosity(_)
                | Effect::OpenFiles(_)
                | Effect::ListenToFabric(_)
                | Effect::Ready => continue,
                Effect::Exit => {
                    self.daemon = None;
                    self.watch.dead = true;
                    self.jobs.clear();
                    self.hung.clear();
                    self.lost.clear();
                    self.world.end_operations();
                    if self.restart_after_exit {
                        let delay = self.rng.millis(100..=20_000);
                        self.after(delay, Item::Start);
                    }
                    continue;
                }
                Effect::LoadConfig { token }
                | Effect::Survey { token, .. }
                | Effect::Enumerate { token }
                | Effect::ReadNative { token }
                | Effect::Probe { token, .. }
                | Effect::Check { token, .. }
                | Effect::Dm { token, .. }
                | Effect::SysfsWrite { token, .. }
                | Effect::Save { token, .. }
                | Effect::Mark { token, .. } => *token,
            };
            let running = match &effect {
                Effect::Dm { wwid, op, .. } => Some(Running::new(wwid, op.clone())),
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
            Effect::Dm { op: DmOp::Message { .. }, .. } => self.messages += 1,
            Effect::Check { name, .. } => *self.checks_of.entry(name.as_str().into()).or_default() += 1,
            _ => {}
        }
    }

    /// The error that the next ioctl meets, if any.
    fn next_fault(&mut self, step: &Step) -> Option<Errno> {
        if let Some((_, errno)) = self.next_step_error.take_if(|(kind, _)| *kind == step.name()) {
            return Some(errno);
        }
        if self.next_dm_errors.0 > 0 {
            self.next_dm_errors.0 -= 1;
            return Some(self.next_dm_errors.1);
        }
        self.faults.dm_error(&mut self.rng)
    }

    /// The error that reading a map after this operation meets, if any.
    fn next_unread(&mut self, effect: &Effect) -> Option<Errno> {
        let is_it = |kind: &mut String| crate::render::effect(effect).contains(&format!(" dm {kind} "));
        if self.next_unread.take_if(is_it).is_some() {
            return Some(Errno::ENOMEM);
        }
        self.faults.dm_unread(&mut self.rng)
    }

    /// An effect is carried out: read now, answered later.
    pub(crate) fn work(&mut self, id: u64) {
        let Some(mut job) = self.jobs.remove(&id) else { return };
        let event = match &job.effect {
            Effect::Dm { .. } => return self.work_dm(id, job),
            Effect::Check { token, name, devt, request } => {
                let Some(raw) = self.world.ask(name.as_str(), *devt, request) else {
                    self.waits(job.life, *token, name.as_str());
                    self.jobs.insert(id, job);
                    self.hung.push(id);
                    return;
                };
                Event::Checked { token: *token, raw: request.answered(raw) }
            }
            Effect::Probe { name, .. } if self.world.is_unread(name.as_str()) => {
                self.jobs.insert(id, job);
                self.hung.push(id);
                return;
            }
            Effect::Probe { token, name } => {
                let probe = self.world.probe(name.as_str()).map(Box::new);
                self.world.was_read(name.as_str());
                Event::Probed { token: *token, probe }
            }
            Effect::ReadNative { token } => Event::NativeRead { token: *token, spaces: Some(Vec::new()) },
            Effect::Enumerate { token } => {
                let found =
                    if self.lists_fail { Err(Errno::ENOMEM) } else { Ok(Box::new(self.world.enumerate())) };
                Event::Enumerated { token: *token, found }
            }
            Effect::Survey { token, .. } => {
                let found = self.world.enumerate();
                let probe = |name: &PathName| (name.clone(), self.world.probe(name.as_str()).map(Box::new));
                let probes = found.disks.iter().map(probe).collect();
                let survey = Survey { loaded: self.load_config(), found, probes };
                Event::Surveyed { token: *token, survey: Box::new(survey) }
            }
            Effect::LoadConfig { token } => {
                Event::Config { token: *token, loaded: Box::new(self.load_config()) }
            }
            Effect::SysfsWrite { name, attribute: "device/rescan", .. }
                if self.world.holds_rescan(name.as_str()) =>
            {
                self.jobs.insert(id, job);
                self.hung.push(id);
                return;
            }
            Effect::SysfsWrite { token, attribute: "device/rescan", .. }
                if self.rng.per_mille(self.faults.rescan_unread) =>
            {
                Event::SysfsWritten { token: *token, result: Ok(()) }
            }
            Effect::SysfsWrite { token, name, devt, attribute, value } => {
                let spoilt = self.rng.per_mille(self.faults.sysfs_error);
                let result = self.world.sysfs_write(name.as_str(), *devt, attribute, value, spoilt);
                Event::SysfsWritten { token: *token, result }
            }
            Effect::Save { token, file, text, .. } => {
                let result = self.save(*file, text);
                Event::Saved { token: *token, result }
            }
            Effect::Mark { token, wwid, failed } => {
                self.world.files.mark(wwid.as_str(), *failed);
                Event::Saved { token: *token, result: Ok(()) }
            }
            _ => return,
        };
        job.running = None;
        let may_hang = matches!(event, Event::Checked { .. } | Event::Probed { .. });
        self.answer(id, job, event, may_hang);
    }

    /// A check waits for a device that its transport has blocked: that much is said at once.
    fn waits(&mut self, life: u32, token: Token, name: &str) {
        let blocked = self.world.disks.get(name).filter(|d| d.state == SdevState::Blocked);
        if let Some(disk) = blocked {
            let event = Event::Checking { token, sysfs_state: disk.state.as_str().into() };
            self.after(Duration::from_millis(1), Item::Deliver { life, event: Box::new(event) });
        }
    }

    fn answer(&mut self, id: u64, job: Job, event: Event, may_hang: bool) {
        let Some(delay) = self.faults.latency(&mut self.rng, may_hang) else {
            self.jobs.insert(id, job);
            self.lost.push(id);
            return;
        };
        let late = match event {
            Event::Config { .. } => self.config_late,
            Event::DmDone { .. } => self.dm_late,
            _ => Duration::ZERO,
        };
        let delay = delay + late;
        if self.rng.per_mille(self.faults.duplicated) {
            let again = delay + self.rng.millis(0..=5000);
            self.after(again, Item::Deliver { life: job.life, event: Box::new(event.clone()) });
        }
        self.after(delay, Item::Deliver { life: job.life, event: Box::new(event) });
    }

    fn work_dm(&mut self, id: u64, mut job: Job) {
        let Some(running) = job.running.as_mut() else { return };
        if self.world.load_hangs(running) {
            self.world.opening.insert(id, (running.uuid.clone(), running.devices()));
            self.jobs.insert(id, job);
            self.hung.push(id);
            return;
        }
        self.world.opening.remove(&id);
        let fault = running.left.front().cloned().and_then(|step| self.next_fault(&step));
        match self.world.advance(running, fault) {
            Progress::Finished => {
                let mut done = Box::new(running.done(&self.world));
                if let Some(errno) = self.next_unread(&job.effect) {
                    done.map = Err(errno);
                }
                let event = Event::DmDone { token: job.token, done };
                if !self.unjudged {
                    self.unpark();
                }
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

    /// Hung checks whose disk answers now are answered, loads whose disk can be opened now go on, and lost ones once nothing is lost any more.
    pub fn unpark(&mut self) {
        let mut due = Vec::new();
        let (jobs, world) = (&self.jobs, &self.world);
        self.hung.retain(|id| {
            let hangs = jobs.get(id).is_some_and(|job| match &job.effect {
                Effect::Check { name, devt, request, .. } => {
                    world.check(name.as_str(), *devt, request).is_none()
                }
                Effect::Probe { name, .. } => world.is_unread(name.as_str()),
                Effect::Dm { .. } => job.running.as_ref().is_some_and(|running| world.load_hangs(running)),
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
        let text = if self.config_unreadable { "" } else { &files.conf };
        if !self.configs.contains_key(text) {
            self.configs.insert(text.to_owned(), real::config(text));
        }
        let Read { config, diagnostics, mut errors } = self.configs[text].clone();
        let why = "/etc/multipath.conf: Input/output error".to_owned();
        let unreadable: Vec<_> = Some(why).filter(|_| self.config_unreadable).into_iter().collect();
        errors.extend(unreadable.iter().cloned());
        let [bindings, wwids, queueing] = [&files.bindings, &files.wwids, &files.queueing].map(Clone::clone);
        let may_bind = !self.bindings_unknown;
        Loaded { config, diagnostics, errors, unreadable, bindings, may_bind, wwids, queueing }
    }

    fn save(&mut self, file: StateFile, text: &str) -> Result<(), String> {
        if self.rng.per_mille(self.faults.save_error) {
            return Err("No space left on device".into());
        }
        let place = match file {
            StateFile::Bindings => &mut self.world.files.bindings,
            StateFile::Wwids => &mut self.world.files.wwids,
            StateFile::Queueing => &mut self.world.files.queueing,
        };
        text.clone_into(place);
        Ok(())
    }
}
