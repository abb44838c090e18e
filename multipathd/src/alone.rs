//! The core without a daemon, for one command: run to rest once, asked, and stopped. It is the daemon's core, and its orders
//! are carried out by the daemon's executor, as far as the command may change anything ([`Hands`]).
//!
//! Nobody tells it what happens: it lives for as long as one look takes.

use std::collections::BTreeSet;
use std::future::pending;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Duration;

use libmp::core::effect::{Effect, Outbox};
use libmp::core::event::{DmDone, DmFailure, Event, Peer, RequestId, Signal};
use libmp::core::paper::Paper;
use libmp::core::{Core, CoreInit};
use libmp::ctl::TIMEOUT;
use libmp::dm::op::{DmOp, uuid_of, wwid_of};
use libmp::types::{Errno, MapName, Wwid};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant as TokioInstant, sleep_until};

use crate::args::Options;
use crate::daemon::runtime;
use crate::executor::Executor;
use crate::reading::enumerate;
use crate::sys::dm::{self, Mapper};
use crate::sys::lane::Lane;
use crate::sys::now;
use crate::sys::process::raise_files;
use crate::sys::signals::{self, Signals};

/// Whatever hangs, nothing is waited for longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What may be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hands {
    /// Nothing.
    Bound,
    /// Nothing: what is ordered of device-mapper is done on paper.
    Writing,
    /// Maps may be removed that are ordered to be.
    Removing,
    /// Everything may, but of one map alone.
    For(Wwid),
    /// Everything.
    Free,
}

impl Hands {
    fn may(&self, core: &Core, effect: &Effect) -> bool {
        let op = match effect {
            Effect::Dm { op: DmOp::Query { .. }, .. } if *self != Self::Writing => return true,
            Effect::Dm { wwid, op, .. } => Some((wwid, op)),
            Effect::Mark { wwid, .. } => return *self == Self::Free || *self == Self::For(wwid.clone()),
            Effect::SysfsWrite { .. } | Effect::Save { .. } => None,
            _ => return true,
        };
        match self {
            Self::Bound | Self::Writing => false,
            Self::Removing => op.is_some_and(|(wwid, op)| {
                let map = core.maps().find(|map| map.wwid == *wwid);
                matches!(op, DmOp::Remove { .. }) && map.is_some_and(|map| map.orders.remove)
            }),
            Self::For(one) => op.is_none_or(|(wwid, _)| wwid == one),
            Self::Free => true,
        }
    }
}

/// What was done to maps on paper.
#[derive(Debug, Clone, Default)]
pub struct Imagined {
    /// Maps that there were before.
    pub before: BTreeSet<Wwid>,
    /// Maps that were made, changed, or told something.
    pub changed: BTreeSet<Wwid>,
    /// Maps that were removed, and their names.
    pub removed: Vec<(Wwid, MapName)>,
}

impl Imagined {
    fn note(&mut self, wwid: &Wwid, op: &DmOp, name: Option<&MapName>) {
        match op {
            DmOp::Query { .. } | DmOp::Reassign { .. } | DmOp::RenamePartitions { .. } => {}
            // How paths are just now is no change of a map.
            DmOp::Message { messages } if messages.iter().all(|message| message.contains("_path ")) => {}
            DmOp::Remove { .. } => self.removed.extend(name.map(|name| (wwid.clone(), name.clone()))),
            _ => drop(self.changed.insert(wwid.clone())),
        }
    }
}

/// A signal has come.
struct Interrupted;

async fn come(signals: Option<&Signals>) {
    match signals {
        Some(signals) => signals.come().await,
        None => pending().await,
    }
}

/// A core, and who carries out its orders.
pub struct Alone {
    /// Never dropped: that would wait for threads that are stuck in a call.
    runtime: ManuallyDrop<Runtime>,
    core: Core,
    executor: Executor,
    events: UnboundedSender<Event>,
    received: UnboundedReceiver<Event>,
    out: Outbox,
    hands: Hands,
    /// Where more is begun than a signal may leave undone.
    signals: Option<Signals>,
    asked: u64,
    /// For hands that write on it.
    paper: Paper,
    imagined: Imagined,
}

impl Alone {
    /// Runs it to rest. The error is a line.
    pub fn new(hands: Hands, options: Options) -> Result<Self, String> {
        let _ = raise_files(); // each path keeps some open
        let heeds_signals = matches!(hands, Hands::For(_) | Hands::Free);
        if heeds_signals {
            signals::block()?;
        }
        let mapper = Arc::new(Mapper::open()?);
        let runtime = runtime()?;
        let (events, received) = unbounded_channel();
        let entered = runtime.enter();
        let executor = Executor::new(events.clone(), mapper, options, Lane::new());
        let signals = heeds_signals.then(Signals::not_ignored).transpose();
        let signals = signals.map_err(|errno| format!("signals can't be read: {errno}"))?;
        drop(entered);
        let maps = match hands {
            Hands::Writing => {
                enumerate(Some(&executor.mapper))
                    .map_err(|errno| format!("disks and maps can't be listed: {errno}"))?
                    .maps
            }
            _ => Vec::new(),
        };
        let core = Core::new(CoreInit { pid: std::process::id(), resident: false });
        let mut alone = Self {
            runtime: ManuallyDrop::new(runtime),
            core,
            executor,
            events,
            received,
            out: Outbox::new(),
            hands,
            signals,
            asked: 0,
            imagined: Imagined {
                before: maps.iter().filter_map(|map| wwid_of(&map.uuid)).collect(),
                ..Imagined::default()
            },
            paper: Paper::new(&maps),
        };
        alone.core.start(now(), &mut alone.out);
        alone.rest();
        match alone.core.unreadable() {
            Some(why) => Err(why.into()),
            None => Ok(alone),
        }
    }

    /// Waits until nothing is to be done any more, or can be.
    pub fn rest(&mut self) {
        self.run(|core, _| core.is_at_rest() || core.unreadable().is_some());
    }

    /// What was done on paper.
    pub fn imagined(&self) -> &Imagined {
        &self.imagined
    }

    /// The reply to a line of the control language.
    pub fn ask(&mut self, line: &str) -> String {
        self.asked += 1;
        let id = RequestId(self.asked);
        let request = Event::Request { id, peer: Peer::SELF, command: line.into() };
        self.core.handle(now(), request, &mut self.out);
        let mut reply = None;
        self.run(|_, effect| {
            if let Some(Effect::Reply { id: to, text }) = effect
                && *to == id
            {
                reply = Some(text.clone());
            }
            reply.is_some()
        });
        reply.unwrap_or_else(|| TIMEOUT.into())
    }

    /// Ends as a daemon ends: what is under way is finished, and maps are left as they are to be without one. Who removes some has
    /// nothing to do with the others. A signal that has come takes effect after that.
    pub fn finish(mut self) {
        if self.hands == Hands::Removing {
            return dm::leave_none();
        }
        self.core.handle(now(), Event::Signal(Signal::Terminate), &mut self.out);
        self.signals = None;
        self.run(|_, effect| matches!(effect, Some(Effect::Exit)));
        dm::leave_none();
        signals::let_through();
    }

    /// Carries out orders, and hears what came of them, until `done` says that it is enough; it is asked after each order, and
    /// whenever there is none. A signal ends that.
    fn run(&mut self, mut done: impl FnMut(&Core, Option<&Effect>) -> bool) {
        let end = TokioInstant::now() + PATIENCE;
        loop {
            let mut enough = false;
            for effect in self.out.drain().collect::<Vec<_>>() {
                enough |= done(&self.core, Some(&effect));
                let _runtime = self.runtime.enter();
                if self.hands.may(&self.core, &effect) {
                    let _ = self.executor.run(effect);
                } else if let Some(answer) = self.refuse(effect) {
                    let _ = self.events.send(answer);
                }
            }
            if enough || done(&self.core, None) || TokioInstant::now() >= end {
                return;
            }
            let deadline = self.core.next_deadline().map(|at| TokioInstant::now() + (at - now()));
            let wake = deadline.map_or(end, |deadline| deadline.min(end));
            let (received, signals) = (&mut self.received, &self.signals);
            let event = self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = come(signals.as_ref()) => Err(Interrupted),
                    event = received.recv() => Ok(event),
                    () = sleep_until(wake) => Ok(None),
                }
            });
            let Ok(event) = event else { return };
            self.core.handle(now(), event.unwrap_or(Event::Tick), &mut self.out);
        }
    }

    /// An order that is not carried out is answered all the same: nothing is done for a map whose last order is under way.
    fn refuse(&mut self, effect: Effect) -> Option<Event> {
        let on_paper = self.hands == Hands::Writing;
        Some(match effect {
            Effect::Dm { token, wwid, op } if on_paper => {
                self.imagined.note(&wwid, &op, self.paper.name(&wwid));
                Event::DmDone { token, done: Box::new(self.paper.perform(&wwid, &op)) }
            }
            Effect::Dm { token, wwid, op } => {
                let result = Err(DmFailure::new("do anything", Errno::EIO));
                let map = self.executor.mapper.seen(&uuid_of(&wwid), &op);
                Event::DmDone { token, done: Box::new(DmDone { result, map }) }
            }
            Effect::SysfsWrite { token, .. } => {
                Event::SysfsWritten { token, result: if on_paper { Ok(()) } else { Err(Errno::EIO) } }
            }
            Effect::Save { token, .. } | Effect::Mark { token, .. } => Event::Saved { token, result: Ok(()) },
            _ => return None,
        })
    }
}
