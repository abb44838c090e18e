//! Effects → calls, results → events. There is no choice in here.

use std::ops::ControlFlow;
use std::sync::Arc;

use libmp::config::{Config, Source};
use libmp::core::effect::{Effect, StateFile};
use libmp::core::event::{Enumeration, Event, Loaded};
use libmp::dm::op::{self, DmOp};
use libmp::types::Token;
use tokio::sync::mpsc::UnboundedSender;

use crate::args::Bindings;
use crate::checks::Checks;
use crate::log;
use crate::sys::dm::Mapper;
use crate::sys::files::{Paths, Texts};
use crate::sys::lane::Lane;
use crate::sys::socket::Server;
use crate::sys::sysfs;

/// Carries out effects. Nothing it does takes time on the loop's thread.
pub struct Executor {
    /// Where results go.
    pub events: UnboundedSender<Event>,
    /// Device-mapper.
    pub mapper: Arc<Mapper>,
    /// The control sockets.
    pub server: Server,
    /// Where the files are.
    pub paths: Arc<Paths>,
    /// `-B`
    pub bindings: Bindings,
    /// Checks of paths.
    pub checks: Arc<Checks>,
    /// Operations on maps.
    pub maps: Lane,
    /// Reads of sysfs and files, writes of both.
    pub work: Lane,
}

impl Executor {
    /// Starts what an effect asks for; its answer comes as an event. `Break` where the daemon is to
    /// stop.
    pub fn run(&self, effect: Effect) -> ControlFlow<()> {
        match effect {
            Effect::LoadConfig { token } => {
                let paths = self.paths.clone();
                self.answer(&self.work, move || Event::Config {
                    token,
                    loaded: Box::new(parse(paths.read())),
                });
            }
            Effect::Enumerate { token } => {
                let mapper = self.mapper.clone();
                self.answer(&self.work, move || Event::Enumerated {
                    token,
                    found: Box::new(enumerate(&mapper)),
                });
            }
            Effect::Probe { token, name } => {
                self.answer(&self.work, move || Event::Probed {
                    token,
                    probe: sysfs::probe(&name).map(Box::new),
                });
            }
            Effect::Check { token, name, devt, request } => {
                let (checks, events) = (self.checks.clone(), self.events.clone());
                tokio::spawn(async move {
                    let waits = |sysfs_state| drop(events.send(Event::Checking { token, sysfs_state }));
                    let raw = checks.check(name, devt, request, waits).await;
                    let _ = events.send(Event::Checked { token, raw });
                });
            }
            Effect::Dm { token, op } => self.dm(token, op),
            Effect::SysfsWrite { token, name, attribute, value } => {
                self.answer(&self.work, move || Event::SysfsWritten {
                    token,
                    result: sysfs::write(&name, attribute, &value),
                });
            }
            Effect::Save { token, file, text } => self.save(token, file, text),
            Effect::Forget { name } => self.checks.forget(&name),
            Effect::Reply { id, text } => self.server.reply(id, text),
            Effect::Notify(notice) => log::say(&notice),
            // Told to systemd, by the loop.
            Effect::Ready => {}
            Effect::Exit => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn answer(&self, lane: &Lane, call: impl FnOnce() -> Event + Send + 'static) {
        let events = self.events.clone();
        lane.push(Box::new(move || drop(events.send(call()))));
    }

    fn dm(&self, token: Token, op: DmOp) {
        let mapper = self.mapper.clone();
        self.answer(&self.maps, move || {
            let done = mapper.perform(&op);
            Event::DmDone { token, done: Box::new(done) }
        });
    }

    fn save(&self, token: Token, file: StateFile, text: String) {
        if file == StateFile::Bindings && self.bindings == Bindings::ReadOnly {
            let _ = self.events.send(Event::Saved { token, result: Ok(()) });
            return;
        }
        let paths = self.paths.clone();
        self.answer(&self.work, move || Event::Saved { token, result: paths.save(file, &text) });
    }
}

/// Texts → configuration.
fn parse(texts: Texts) -> Loaded {
    let Texts { config, bindings, wwids, unreadable } = texts;
    let sources: Vec<Source<'_>> = config.iter().map(|(name, text)| Source { name, text }).collect();
    let (config, found) = Config::load(&sources);
    let diagnostics = unreadable.into_iter().chain(found.iter().map(ToString::to_string)).collect();
    Loaded { config: Arc::new(config), diagnostics, bindings, wwids }
}

fn enumerate(mapper: &Mapper) -> Enumeration {
    let mut found = Enumeration { disks: sysfs::disks().unwrap_or_default(), ..Enumeration::default() };
    for entry in mapper.list().unwrap_or_default() {
        if entry.uuid.starts_with(op::UUID_PREFIX) {
            // One that went meanwhile is left out.
            found.maps.extend(mapper.read(entry.name.as_str()).ok().flatten());
        } else {
            found.others.push(entry);
        }
    }
    found
}
