//! Effects → calls, results → events. There is no choice in here.

use std::ops::ControlFlow;
use std::sync::Arc;

use libmp::check::{Answer, CheckRequest, RawCheck};
use libmp::config::{Config, Environment, Source};
use libmp::core::effect::{Effect, StateFile};
use libmp::core::event::{DmDone, DmFailure, Enumeration, Event, Loaded};
use libmp::dm::op::{DmOp, UUID_PREFIX, uuid_of};
use libmp::types::{DevT, Errno, PathName, Token, Wwid};
use tokio::sync::mpsc::UnboundedSender;

use crate::args::{Bindings, NewDevices, Options};
use crate::checks::Checks;
use crate::log;
use crate::sys::dm::Mapper;
use crate::sys::files::{Files, Texts};
use crate::sys::lane::Lane;
use crate::sys::socket::Server;
use crate::sys::{machine, sysfs};

/// Carries out effects. Nothing it does takes time on the loop's thread.
pub struct Executor {
    /// Where results go.
    pub events: UnboundedSender<Event>,
    /// Device-mapper.
    pub mapper: Arc<Mapper>,
    /// The control sockets.
    pub server: Server,
    /// Configuration and state.
    pub files: Arc<Files>,
    /// The command line.
    pub options: Options,
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
            Effect::LoadConfig { token } => self.load_config(token),
            Effect::Enumerate { token } => self.enumerate(token),
            Effect::Probe { token, name } => self.probe(token, name),
            Effect::Check { token, name, devt, request } => self.check(token, name, devt, request),
            Effect::Dm { token, wwid, op } => self.dm(token, wwid, op),
            Effect::SysfsWrite { token, name, attribute, value } => {
                self.sysfs_write(token, name, attribute, value);
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

    fn load_config(&self, token: Token) {
        let (files, options) = (self.files.clone(), self.options);
        let config = move || Event::Config { token, loaded: Box::new(parse(files.read(), options)) };
        self.work.push(self.promise(None).kept_by(config));
    }

    fn enumerate(&self, token: Token) {
        let mapper = self.mapper.clone();
        let enumerated = move || Event::Enumerated { token, found: Box::new(enumerate(&mapper)) };
        self.work.push(self.promise(None).kept_by(enumerated));
    }

    fn probe(&self, token: Token, name: PathName) {
        let failed = Event::Probed { token, probe: Err(Errno::EIO) };
        let probed = move || Event::Probed { token, probe: sysfs::probe(&name).map(Box::new) };
        self.work.push(self.promise(Some(failed)).kept_by(probed));
    }

    fn check(&self, token: Token, name: PathName, devt: DevT, request: CheckRequest) {
        let answers = vec![Answer::Failed(Errno::EIO); request.asks.len()];
        let raw = RawCheck { sysfs_state: None, answers };
        let promise = self.promise(Some(Event::Checked { token, raw }));
        let (checks, events) = (self.checks.clone(), self.events.clone());
        tokio::spawn(async move {
            let waits = |sysfs_state| drop(events.send(Event::Checking { token, sysfs_state }));
            let raw = checks.check(name, devt, request, waits).await;
            promise.keep(Event::Checked { token, raw });
        });
    }

    fn dm(&self, token: Token, wwid: Wwid, op: DmOp) {
        let mapper = self.mapper.clone();
        let why = DmFailure { step: "do anything".into(), errno: Errno::EIO };
        let failed =
            Event::DmDone { token, done: Box::new(DmDone { result: Err(why), map: Err(Errno::EIO) }) };
        let done = move || Event::DmDone { token, done: Box::new(mapper.perform(&uuid_of(&wwid), &op)) };
        self.maps.push(self.promise(Some(failed)).kept_by(done));
    }

    fn sysfs_write(&self, token: Token, name: PathName, attribute: &'static str, value: String) {
        let failed = Event::SysfsWritten { token, result: Err(Errno::EIO) };
        let written = move || {
            let result = sysfs::write(&name, attribute, &value);
            Event::SysfsWritten { token, result }
        };
        self.work.push(self.promise(Some(failed)).kept_by(written));
    }

    fn save(&self, token: Token, file: StateFile, text: String) {
        let promise = self.promise(Some(Event::Saved { token, result: Err("it went wrong".into()) }));
        if file == StateFile::Bindings && self.options.bindings == Bindings::ReadOnly {
            return promise.keep(Event::Saved { token, result: Ok(()) });
        }
        let (files, order) = (self.files.clone(), self.files.order());
        let saved = move || Event::Saved { token, result: files.save(order, file, &text) };
        self.work.push(promise.kept_by(saved));
    }

    fn promise(&self, otherwise: Option<Event>) -> Promise {
        Promise { events: self.events.clone(), otherwise }
    }
}

/// An answer that will come: where the call panics, the other one. A token that is never answered
/// would keep its path or its map waiting for ever.
struct Promise {
    events: UnboundedSender<Event>,
    otherwise: Option<Event>,
}

impl Promise {
    fn keep(mut self, answer: Event) {
        self.otherwise = None;
        let _ = self.events.send(answer);
    }

    fn kept_by(self, call: impl FnOnce() -> Event + Send + 'static) -> Box<dyn FnOnce() + Send> {
        Box::new(move || self.keep(call()))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(answer) = self.otherwise.take() {
            let _ = self.events.send(answer);
        }
    }
}

/// `-n`, in the configuration's own words.
const KNOWN_ONLY: Source<'_> = Source { name: "-n", text: "defaults {\n\tfind_multipaths strict\n}\n" };

/// Texts → configuration. The command line comes after the files.
fn parse(texts: Texts, options: Options) -> Loaded {
    let Texts { config, bindings, wwids, unreadable } = texts;
    let mut sources: Vec<Source<'_>> = config.iter().map(|(name, text)| Source { name, text }).collect();
    if options.new_devices == NewDevices::KnownOnly {
        sources.push(KNOWN_ONLY);
    }
    let native_nvme_multipath = machine::native_nvme_multipath();
    let environment = Environment { accounts: &machine::System, native_nvme_multipath };
    let (config, found) = Config::load_in(&sources, &environment);
    log::set_verbosity(options.verbosity.unwrap_or(config.globals().verbosity));
    let diagnostics = unreadable.into_iter().chain(found.iter().map(ToString::to_string)).collect();
    Loaded { config: Arc::new(config), diagnostics, bindings, wwids }
}

fn enumerate(mapper: &Mapper) -> Enumeration {
    let mut found = Enumeration { disks: sysfs::disks().unwrap_or_default(), ..Enumeration::default() };
    for entry in mapper.list().unwrap_or_default() {
        if entry.uuid.starts_with(UUID_PREFIX) {
            // One that went meanwhile is left out.
            found.maps.extend(mapper.read(&entry.uuid).ok().flatten());
        } else {
            found.others.push(entry);
        }
    }
    found
}
