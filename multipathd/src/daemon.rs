//! The daemon's life: start, loop, stop.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use libmp::core::effect::{Effect, Outbox};
use libmp::core::event::{Event, RequestId};
use libmp::core::glance::AHEAD;
use libmp::core::{Core, CoreInit};
use libmp::types::{Errno, Instant};
use sd_notify::NotifyState;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant as TokioInstant, sleep, sleep_until};
use tracing::{info, warn};

use crate::args::{Foreground, Options};
use crate::executor::Executor;
use crate::fabric::Listener;
use crate::journal::Journal;
use crate::log::{self, Sink};
use crate::supervisor::{Supervisor, Watchdog};
use crate::sys::claims::since_1970;
use crate::sys::dm::{self, Mapper, Poller};
use crate::sys::failing::Failing;
use crate::sys::lane::Lane;
use crate::sys::pidfile::{PID_FILE, PidFile};
use crate::sys::poll::until_readable;
use crate::sys::signals::{self, Signals};
use crate::sys::socket::{Address, Listening, Server};
use crate::sys::udev::{Monitor, RECEIVE_BUFFER};
use crate::sys::{errno_of, now, process};

/// Events that are handled before effects are carried out.
const BATCH: usize = 256;
/// Threads of the pool: as many as calls may be stuck. Each takes a few pages.
const THREADS_MAX: usize = 4096;
const THREAD_STACK: usize = 128 << 10;
/// Longer than the checks are apart: at rest no thread is made.
const THREAD_KEEP_ALIVE: Duration = Duration::from_mins(1);
/// Maps are listed at most so often, however many of their events there are.
const LIST_PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at udev's messages, where those were about maps alone: of each new one there are two, and they are taken together.
const UEVENT_PAUSE: Duration = Duration::from_millis(50);
/// When the daemon stops, clients get so long to take their last reply, and the log to be written.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// A source of events that failed is tried again after that.
const RETRY: Duration = Duration::from_secs(1);
/// Where that goes on, at the latest after that.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// Runs the daemon until it is told to stop. The error is a line: why it could not start.
pub fn run(options: Options) -> Result<Infallible, String> {
    if !process::is_root() {
        return Err("multipathd must be run by root".into());
    }
    signals::block()?;
    let pid_file = PidFile::take(Path::new(PID_FILE))?;
    let mapper = Mapper::open()?;
    mapper.foresee();
    let listening = Listening::open(&Address::from_env())?;
    let sink = match options.foreground {
        Foreground::Yes => Sink::foreground(options.timestamps),
        Foreground::No => {
            process::daemonise().map_err(|errno| format!("can't go into the background: {errno}"))?;
            Sink::Syslog
        }
    };
    let unwritten = pid_file.write().err();
    log::set_verbosity(options.verbosity.unwrap_or(2));
    let refused = process::prepare();
    log::start(sink);
    info!("multipathd {} starts, process {}", env!("CARGO_PKG_VERSION"), std::process::id());
    for why in listening.refused() {
        warn!("not listened to: {why}");
    }
    if let Some(why) = unwritten {
        warn!("the pid is not written ({why}): who asks for it there learns only that a daemon runs");
    }
    for (what, errno) in refused {
        info!("not granted: {what}: {errno}");
    }
    let runtime = runtime().inspect_err(|_| log::flush(LAST_WORDS))?;
    let ours = listening.ours().to_vec();
    let core = Core::new(CoreInit { pid: std::process::id(), resident: true });
    // As a task: what wakes the future that the runtime itself runs is a call to the kernel each time.
    let served = runtime.block_on(async { tokio::spawn(serve(core, mapper, listening, options)).await });
    let result = match served {
        Ok(result) => result,
        Err(died) => {
            log::flush(LAST_WORDS); // which tell what it died of
            std::mem::forget(runtime); // dropped, it would wait for threads that hang
            std::panic::resume_unwind(died.into_panic())
        }
    };
    Listening::remove(&ours);
    dm::leave_none();
    log::flush(LAST_WORDS);
    // Last of all: who comes next takes over with it, and this one still listens.
    pid_file.remove();
    // Threads that are stuck in a call are not waited for, nor is anything closed by hand.
    std::mem::forget(runtime);
    result.map(|()| std::process::exit(0))
}

/// The event loop. The error is a line.
pub fn runtime() -> Result<Runtime, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .thread_stack_size(THREAD_STACK)
        .max_blocking_threads(THREADS_MAX)
        .thread_keep_alive(THREAD_KEEP_ALIVE)
        .build()
        .map_err(|error| format!("the event loop can't be made: {error}"))
}

async fn serve(core: Core, mapper: Mapper, listening: Listening, options: Options) -> Result<(), String> {
    let (events, received) = unbounded_channel();
    let journal = Arc::<Journal>::default();
    let server = listening
        .serve(events.clone(), journal.clone())
        .map_err(|error| format!("control sockets: {error}"))?;
    let mapper = Arc::new(mapper);
    let work = Lane::new();
    tokio::spawn(forward_signals(events.clone()));
    tokio::spawn(forward_uevents(events.clone()));
    tokio::spawn(forward_map_events(events.clone(), mapper.clone(), work.clone()));
    let executor = Executor::new(events, mapper, options, work);
    let supervisor = Supervisor::new();
    let clients = Clients { server: server.clone(), journal, asked: Vec::new() };
    let fabric = Listener::default();
    Loop { core, executor, supervisor, clients, fabric, out: Outbox::new() }.run(received).await;
    last_replies(&server).await;
    Ok(())
}

/// The loop: events in, effects out, sleep.
struct Loop {
    core: Core,
    executor: Executor,
    supervisor: Supervisor,
    clients: Clients,
    fabric: Listener,
    out: Outbox,
}

impl Loop {
    async fn run(mut self, mut received: UnboundedReceiver<Event>) {
        let mut watchdog = Watchdog::new();
        // One clock, the core's time and the runtime's.
        let (start, began) = (now(), TokioInstant::now());
        let mut timer = pin!(sleep_until(began));
        let mut armed = None;
        let mut events = Vec::with_capacity(BATCH);
        self.core.start(start, &mut self.out);
        while self.carry_out().is_continue() {
            let deadline = self.core.next_deadline();
            if deadline != armed {
                armed = deadline;
                if let Some(deadline) = deadline {
                    timer.as_mut().reset(began + (deadline - start));
                }
            }
            tokio::select! {
                1.. = received.recv_many(&mut events, BATCH) => {
                    self.clients.server.turn_begins();
                    let time = self.handle_all(&mut events);
                    if armed.is_some_and(|deadline| deadline <= time) {
                        self.tick(&mut armed);
                    }
                }
                () = &mut timer, if armed.is_some() => {
                    self.clients.server.turn_begins();
                    self.tick(&mut armed);
                }
                () = watchdog.due() => watchdog.ping(&self.supervisor),
            }
        }
    }

    /// Events that have all come already; so many as are foreseen are taken to come at one time, as not every clock is read
    /// without a call to the kernel. Says when the last ones were handled.
    fn handle_all(&mut self, events: &mut Vec<Event>) -> Instant {
        let mut events = events.drain(..);
        loop {
            let time = now();
            self.core.foresee(events.as_slice());
            for event in events.by_ref().take(AHEAD) {
                self.handle(time, event);
            }
            if events.as_slice().is_empty() {
                return time;
            }
        }
    }

    fn handle(&mut self, time: Instant, mut event: Event) {
        match &mut event {
            Event::Request { id, .. } => self.clients.asked.push(*id),
            Event::Uevent(uevent) => uevent.own = self.executor.announced.tell(uevent),
            _ => {}
        }
        self.core.handle(time, event, &mut self.out);
    }

    fn tick(&mut self, armed: &mut Option<Instant>) {
        *armed = None;
        self.core.handle(now(), Event::Tick, &mut self.out);
    }

    fn carry_out(&mut self) -> ControlFlow<()> {
        for effect in self.out.drain() {
            match effect {
                Effect::Reply { id, text } => {
                    self.clients.server.reply(id, text);
                    continue;
                }
                Effect::Book { id, book } => self.clients.server.book(id, book),
                Effect::Ready => self.supervisor.send(NotifyState::Ready),
                Effect::Notify(ref notice) => {
                    self.supervisor.tell(notice);
                    self.clients.journal.note(since_1970(), notice);
                }
                Effect::ListenToFabric(true) => self.fabric.start(&self.executor.events),
                Effect::ListenToFabric(false) => self.fabric.stop(),
                _ => {}
            }
            self.executor.run(effect)?;
        }
        self.clients.server.turn_ends(self.clients.asked.drain(..));
        ControlFlow::Continue(())
    }
}

/// Who asks, and who listens.
struct Clients {
    server: Server,
    journal: Arc<Journal>,
    /// In this turn of the loop.
    asked: Vec<RequestId>,
}

async fn last_replies(server: &Server) {
    const STEP: Duration = Duration::from_millis(2);
    // Who follows events is told of the last ones.
    sleep(STEP).await;
    let mut waited = STEP;
    while !server.is_idle() && waited < LAST_WORDS {
        sleep(STEP).await;
        waited += STEP;
    }
}

async fn forward_signals(events: UnboundedSender<Event>) {
    // They are blocked: nothing else would stop this process but SIGKILL.
    loop {
        let open = || async { Signals::new() };
        let signals = match open().await {
            Ok(signals) => signals,
            Err(errno) => again("signals are not received", errno, RETRY, open).await,
        };
        let failed = loop {
            match signals.next().await {
                Ok(signal) if events.send(Event::Signal(signal)).is_err() => return,
                Ok(_) => {}
                Err(errno) => break errno,
            }
        };
        warn!("signals are not received: {failed}");
        sleep(RETRY).await;
    }
}

async fn forward_uevents(events: UnboundedSender<Event>) {
    let mut failing = Failing::new("udev's messages");
    let (mut missed, mut pause) = (false, RETRY);
    loop {
        let Some(monitor) = subscription(|| Monitor::new(RECEIVE_BUFFER), missed, RETRY, &events).await
        else {
            return;
        };
        failing.went_well();
        let began = TokioInstant::now();
        failing.failed(&forward_from(&monitor, &events).await);
        missed = true;
        // One that ends at once has every disk looked at each time.
        pause = if began.elapsed() < RETRY_MAX { (pause * 2).min(RETRY_MAX) } else { RETRY };
        sleep(pause).await;
    }
}

/// A subscription, once it can be had. What was told before it was there is lost, which is of use to nobody before.
async fn subscription<T>(
    open: impl Fn() -> Result<T, Errno>,
    missed: bool,
    pause: Duration,
    events: &UnboundedSender<Event>,
) -> Option<T> {
    let attempt = || std::future::ready(open());
    let (subscribed, late) = match open() {
        Ok(subscribed) => (subscribed, missed),
        Err(errno) => (again("udev's messages are not received", errno, pause, attempt).await, true),
    };
    if late {
        events.send(Event::UeventsLost).ok()?;
    }
    Some(subscribed)
}

async fn forward_from(monitor: &Monitor, events: &UnboundedSender<Event>) -> Errno {
    loop {
        match monitor.receive().await {
            Ok(batch) => {
                let of_maps = batch.uevents.iter().all(|uevent| uevent.name.as_str().starts_with("dm-"));
                let pause = !batch.more && of_maps && !batch.uevents.is_empty() && batch.told.is_empty();
                for uevent in batch.uevents {
                    let _ = events.send(Event::Uevent(uevent));
                }
                for (device, told) in batch.told {
                    let _ = events.send(Event::Attention { device, told });
                }
                if batch.lost {
                    let _ = events.send(Event::UeventsLost);
                }
                if pause {
                    sleep(UEVENT_PAUSE).await;
                } else {
                    // Who has a backlog would go on without a pause.
                    tokio::task::yield_now().await;
                }
            }
            Err(errno) => return errno,
        }
    }
}

async fn forward_map_events(events: UnboundedSender<Event>, mapper: Arc<Mapper>, lane: Lane) {
    let open = || async { Poller::open() };
    // Opened late, it tells of nothing that happened before.
    let mut missed = false;
    let poller = match open().await {
        Err(Errno(libc::ENOTTY)) => return info!("events of maps are not received: Linux before 4.14"),
        Err(errno) => {
            missed = true;
            again("events of maps are not received", errno, RETRY, open).await
        }
        Ok(poller) => poller,
    };
    loop {
        if !std::mem::take(&mut missed) {
            // Armed before the list is made: what happens after that wakes again.
            let event = || async {
                until_readable(&poller).await.map_err(|error| errno_of(&error))?;
                poller.arm()
            };
            if let Err(errno) = event().await {
                again("events of maps are not received", errno, RETRY, event).await;
            }
        }
        let list = || {
            let mapper = mapper.clone();
            lane.run(move || mapper.list())
        };
        let listed = match list().await {
            Err(errno) => again("maps can't be listed", errno, RETRY, list).await,
            Ok(listed) => listed,
        };
        if events.send(Event::DmChanged(listed)).is_err() {
            return;
        }
        sleep(LIST_PAUSE).await;
    }
}

/// What has failed, again and again until it goes well: nobody else would see what happened meanwhile. Said once.
async fn again<T, F>(what: &str, errno: Errno, pause: Duration, mut attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, Errno>>,
{
    warn!("{what} ({errno}); it is tried again");
    loop {
        sleep(pause).await;
        if let Ok(done) = attempt().await {
            info!("{what}: this is over");
            return done;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_until_it_goes_well() {
        let runtime = runtime().expect("a runtime");
        let mut left = 3;
        let attempt = || {
            left -= 1;
            std::future::ready(if left > 0 { Err(Errno::EIO) } else { Ok(left) })
        };
        let done = runtime.block_on(again("it", Errno::EIO, Duration::from_millis(1), attempt));
        assert_eq!((done, left), (0, 0));
    }

    #[test]
    fn what_was_lost_is_looked_for_when_there_is_a_subscription() {
        let runtime = runtime().expect("a runtime");
        let (events, mut received) = unbounded_channel();
        let left = std::cell::Cell::new(5);
        let open = || {
            left.set(left.get() - 1);
            assert!(received.is_empty(), "not before");
            if left.get() > 0 { Err(Errno::ENOMEM) } else { Ok(7) }
        };
        let pause = Duration::from_millis(1);
        assert_eq!(runtime.block_on(subscription(open, false, pause, &events)), Some(7));
        assert!(matches!(received.try_recv(), Ok(Event::UeventsLost)) && received.is_empty(), "once");
        assert_eq!(runtime.block_on(subscription(|| Ok(7), false, pause, &events)), Some(7));
        assert!(received.is_empty(), "nothing was lost");
    }
}
