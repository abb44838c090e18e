//! Effects → calls, results → events. There is no choice in here.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use libmp::check::{Answer, Answered, CheckRequest, RawCheck};
use libmp::core::effect::{Effect, StateFile};
use libmp::core::event::{DmDone, DmFailure, Enumeration, Event, Loaded, Survey};
use libmp::dm::op::{DmOp, uuid_of};
use libmp::types::{DevT, Errno, PathName, Token, Wwid};
use tokio::sync::mpsc::UnboundedSender;

use crate::announced::Waiters;
use crate::args::{Bindings, Options};
use crate::checks::Checks;
use crate::log;
use crate::reading;
use crate::sys::claims;
use crate::sys::dm::{Begun, Mapper};
use crate::sys::files::{Files, Paths};
use crate::sys::lane::Lane;
use crate::sys::{native, process, sysfs};

/// The answer of what has panicked.
const WENT_WRONG: &str = "it went wrong";

/// Carries out effects. Nothing it does takes time on the loop's thread.
pub struct Executor {
    /// Where results go.
    pub events: UnboundedSender<Event>,
    /// Device-mapper.
    pub mapper: Arc<Mapper>,
    /// Configuration and state.
    pub files: Arc<Files>,
    /// The command line.
    pub options: Options,
    /// Checks of paths.
    pub checks: Arc<Checks>,
    /// Operations on maps.
    pub maps: Lane,
    /// Those that make one, which takes its time.
    pub new_maps: Lane,
    /// Reads of sysfs and files, writes of both.
    pub work: Lane,
    /// Of all that a reconfigure would read.
    pub surveys: Lane,
    /// New maps that udev has not finished with.
    pub announced: Waiters,
}

impl Executor {
    /// One that answers with `events`. To be made inside the runtime.
    pub fn new(events: UnboundedSender<Event>, mapper: Arc<Mapper>, options: Options, work: Lane) -> Self {
        let (files, checks) = (Arc::new(Files::default()), Checks::new());
        Self {
            events,
            mapper,
            files,
            options,
            checks,
            maps: Lane::new(),
            new_maps: Lane::patient(),
            work,
            surveys: Lane::new(),
            announced: Waiters::default(),
        }
    }

    /// Starts what an effect asks for; its answer comes as an event. `Break` where the daemon is to
    /// stop.
    pub fn run(&self, effect: Effect) -> ControlFlow<()> {
        match effect {
            Effect::LoadConfig { token } => self.load_config(token),
            Effect::Survey { token, file } => self.survey(token, file),
            Effect::Enumerate { token } => self.enumerate(token),
            Effect::Probe { token, name } => self.probe(token, name),
            Effect::Check { token, name, devt, request } => self.check(token, &name, devt, request),
            Effect::Dm { token, wwid, op } => self.dm(token, &wwid, op),
            Effect::SysfsWrite { token, name, devt, attribute, value } => {
                self.sysfs_write(token, (name, devt), attribute, value);
            }
            Effect::ReadNative { token } => self.read_native(token),
            Effect::Save { token, file, text, was } => self.save(token, file, text, was),
            Effect::Mark { token, wwid, failed } => self.mark(token, wwid, failed),
            Effect::Forget { name } => self.checks.forget(&name),
            Effect::Notify(notice) => log::say(&notice),
            Effect::Verbosity(level) => log::set_verbosity(self.options.verbosity.unwrap_or(level)),
            Effect::OpenFiles(limit) => process::allow_files(limit),
            // The loop's: what it listens to, clients, and systemd.
            Effect::Reply { .. } | Effect::Book { .. } | Effect::ListenToFabric(_) | Effect::Ready => {}
            Effect::Exit => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn load_config(&self, token: Token) {
        let files = self.files.clone();
        let may_bind = self.options.bindings != Bindings::ReadOnly;
        let config = move || {
            let mut loaded = Box::new(reading::parse(files.read()));
            loaded.may_bind &= may_bind;
            Event::Config { token, loaded }
        };
        let failed = move || Event::Config { token, loaded: Box::new(Loaded::unread(WENT_WRONG)) };
        self.promise(failed).kept_by(&self.work, config);
    }

    /// Of everything at once: on a lane of its own, as nothing else shall wait for it.
    fn survey(&self, token: Token, file: Option<String>) {
        let (files, mapper) = (self.files.clone(), self.mapper.clone());
        let surveyed = move || {
            let survey = survey(files.paths(), file.as_deref(), &mapper);
            Event::Surveyed { token, survey: Box::new(survey) }
        };
        let failed = move || {
            let loaded = Loaded::unread(WENT_WRONG);
            let nothing = Survey { loaded, found: Enumeration::default(), probes: BTreeMap::new() };
            Event::Surveyed { token, survey: Box::new(nothing) }
        };
        self.promise(failed).kept_by(&self.surveys, surveyed);
    }

    fn enumerate(&self, token: Token) {
        let mapper = self.mapper.clone();
        let failed = move || Event::Enumerated { token, found: Err(Errno::EIO) };
        let enumerated =
            move || Event::Enumerated { token, found: reading::enumerate(Some(&*mapper)).map(Box::new) };
        self.promise(failed).kept_by(&self.work, enumerated);
    }

    fn probe(&self, token: Token, name: PathName) {
        let failed = move || Event::Probed { token, probe: Err(Errno::EIO) };
        let probing = self.checks.probing();
        let probed = move || {
            let probe = sysfs::probe_and_keep(&name).map(|(probe, kept)| {
                probing.keep(&name, probe.devt, kept);
                Box::new(probe)
            });
            Event::Probed { token, probe }
        };
        self.promise(failed).kept_by(&self.work, probed);
    }

    fn check(&self, token: Token, name: &PathName, devt: DevT, request: CheckRequest) {
        // A check that went wrong in this process says nothing of the device.
        let answers = vec![Answer::Failed(Errno::EAGAIN); request.asks.len()];
        let raw = RawCheck { sysfs_state: None, answers };
        let promise = self.promise(move || Event::Checked { token, raw: Answered::News(raw) });
        let (checks, events) = (&self.checks, self.events.clone());
        let waits = move |sysfs_state| drop(events.send(Event::Checking { token, sysfs_state }));
        let check = checks.check(name, devt, request, waits);
        tokio::spawn(async move {
            let raw = check.await;
            promise.keep(Event::Checked { token, raw });
        });
    }

    fn dm(&self, token: Token, wwid: &Wwid, op: DmOp) {
        let mapper = self.mapper.clone();
        let why = DmFailure::new("do anything", Errno::EIO);
        let failed = move || Event::DmDone {
            token,
            done: Box::new(DmDone { result: Err(why), map: Err(Errno::EIO) }),
        };
        let lane = if matches!(op, DmOp::Create { .. }) { &self.new_maps } else { &self.maps };
        let (promise, end_on, uuid) = (self.promise(failed), lane.clone(), uuid_of(wwid));
        let announced = self.announced.clone();
        let begin = {
            let (mapper, uuid) = (mapper.clone(), uuid.clone());
            move || mapper.begin(&uuid, &op)
        };
        lane.push_for(begin, move |begun| match begun {
            Begun::Done(done) => promise.keep(Event::DmDone { token, done }),
            Begun::Announced(made) => {
                tokio::spawn(async move {
                    announced.done(&made).await;
                    let end = move || Event::DmDone { token, done: Box::new(mapper.end(&uuid, &made)) };
                    promise.kept_by(&end_on, end);
                });
            }
        });
    }

    fn sysfs_write(&self, token: Token, disk: (PathName, DevT), attribute: &'static str, value: String) {
        let failed = move || Event::SysfsWritten { token, result: Err(Errno::EIO) };
        let written = move || {
            let result = sysfs::write(&disk.0, Some(disk.1), attribute, &value);
            Event::SysfsWritten { token, result }
        };
        self.promise(failed).kept_by(&self.work, written);
    }

    fn read_native(&self, token: Token) {
        let failed = move || Event::NativeRead { token, spaces: None };
        let read = move || Event::NativeRead { token, spaces: Some(native::namespaces()) };
        self.promise(failed).kept_by(&self.work, read);
    }

    fn save(&self, token: Token, file: StateFile, text: Arc<str>, was: Arc<str>) {
        let promise = self.promise(move || Event::Saved { token, result: Err(WENT_WRONG.into()) });
        if file == StateFile::Bindings && self.options.bindings == Bindings::ReadOnly {
            return promise.keep(Event::Saved { token, result: Ok(()) });
        }
        let (files, order) = (self.files.clone(), self.files.order());
        let saved = move || Event::Saved { token, result: files.save(order, file, &was, &text) };
        promise.kept_by(&self.work, saved);
    }

    fn mark(&self, token: Token, wwid: Wwid, failed: bool) {
        let promise = self.promise(move || Event::Saved { token, result: Err(WENT_WRONG.into()) });
        // Hardly a map has a mark, and what lies in memory tells so at once: that is worth no thread's turn.
        if !failed && matches!(claims::has_failed(&wwid), Ok(false)) {
            return promise.keep(Event::Saved { token, result: Ok(()) });
        }
        let marked = move || {
            let result = claims::mark(&wwid, failed).map_err(|error| error.to_string());
            Event::Saved { token, result }
        };
        promise.kept_by(&self.work, marked);
    }

    fn promise(&self, otherwise: impl FnOnce() -> Event + Send + 'static) -> Promise {
        Promise { events: self.events.clone(), otherwise: Some(Box::new(otherwise)) }
    }
}

/// An answer that will come: where the call panics, the other one. A token that is never answered
/// would keep its path or its map waiting for ever.
struct Promise {
    events: UnboundedSender<Event>,
    otherwise: Option<Box<dyn FnOnce() -> Event + Send>>,
}

impl Promise {
    fn keep(mut self, answer: Event) {
        self.otherwise = None;
        let _ = self.events.send(answer);
    }

    fn kept_by(self, lane: &Lane, call: impl FnOnce() -> Event + Send + 'static) {
        lane.push_for(call, move |answer| self.keep(answer));
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(otherwise) = self.otherwise.take() {
            let _ = self.events.send(otherwise());
        }
    }
}
/// All that a reconfigure would read, with `file` in the place of multipath.conf. Nothing that the daemon
/// keeps of its files is touched.
fn survey(paths: &Paths, file: Option<&str>, mapper: &Mapper) -> Survey {
    let config = file.map_or_else(|| paths.config.clone(), PathBuf::from);
    let texts = Files::new(Paths { config, ..paths.clone() }).read();
    let told = |file: &&str| texts.unreadable.iter().any(|line| line.starts_with(file));
    let missing = file.filter(|file| !texts.config.iter().any(|(name, _)| name == file) && !told(file));
    let missing = missing.map(|file| format!("{file}: no such file"));
    let mut loaded = reading::parse(texts);
    loaded.errors.extend(missing);
    let found = reading::enumerate(Some(mapper)).unwrap_or_else(|errno| {
        loaded.errors.push(format!("disks and maps can't be listed: {errno}"));
        Enumeration::default()
    });
    let probes = found.disks.iter().map(|name| (name.clone(), sysfs::probe(name).map(Box::new))).collect();
    Survey { loaded, found, probes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_configuration_whose_reading_panics_is_one_that_can_not_be_read() {
        let (events, mut told) = tokio::sync::mpsc::unbounded_channel();
        let otherwise = || Event::Config { token: Token(7), loaded: Box::new(Loaded::unread(WENT_WRONG)) };
        let promise = Promise { events, otherwise: Some(Box::new(otherwise)) };
        promise.kept_by(&Lane::new(), || panic!("planned"));
        let Some(Event::Config { token: Token(7), loaded }) = told.recv().await else { panic!("no answer") };
        assert_eq!((&loaded.unreadable, loaded.may_bind), (&vec![WENT_WRONG.to_owned()], false));
    }
}
