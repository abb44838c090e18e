//! Calls that may block, one thread for all of them as long as none does.
//!
//! A lane is a queue with one worker, a thread of its own. When a call waits for longer than [`STUCK_AFTER`] (in a patient lane
//! [`PATIENCE`]) while others wait behind it, another worker takes over the queue, and the stuck one is spare when its call
//! returns. So the number of threads follows the number of stuck calls, not of calls.
//! The more of them are stuck, the sooner the next one is taken for stuck, too: a crowd of calls that hang is got past in a moment.
//! (The runtime's blocking pool wakes its idle threads in turn, so that none of them ever leaves.)

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use libmp::types::Errno;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A call that takes longer is given up as stuck, if others wait behind it.
const STUCK_AFTER: Duration = Duration::from_millis(10);
/// The same where calls that are well take their time: the kernel makes a map's device in some of those 10 ms.
const PATIENCE: Duration = Duration::from_millis(50);
/// A queue that was found to get on so many times is looked at less often.
const GETS_ON: u32 = 8;
const PAUSE_MAX: Duration = STUCK_AFTER.saturating_mul(4);
/// With each further so many workers that are stuck, the next look comes sooner, down to the runtime's own step.
const CROWD: u32 = 8;
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// One that does not wait, but works, so many times as long: a second thread would take the processor from it.
const WORKS_MAX: u32 = 10;
/// A worker without work, or a spare one, leaves after that: longer than the time between two checks.
const IDLE_MAX: Duration = Duration::from_secs(30);
const STACK: usize = 128 << 10;

/// Of results that come while more is to be done, so many are kept and given together: each wakes the loop's thread.
const RESULTS_MAX: usize = 16;

/// What a call ends with: who waits is given its result.
type Giving = Box<dyn FnOnce() + Send>;
type Job = Box<dyn FnOnce() -> Option<Giving> + Send>;

/// A queue of calls that may block.
#[derive(Clone)]
pub struct Lane {
    state: Arc<Mutex<State>>,
    /// For the worker that has nothing to do.
    work_came: Arc<Condvar>,
    runtime: Handle,
    /// A call that takes longer is stuck.
    patience: Duration,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Which worker owns the queue; a worker of another generation was given up as stuck.
    generation: u64,
    /// There is a worker of this generation.
    served: bool,
    /// That worker's thread.
    worker: Option<Worker>,
    /// It waits for work, and has not been woken yet.
    idle: bool,
    /// A task is on its way to wake it.
    waking: bool,
    /// Somebody looks whether it gets on.
    watched: bool,
    /// Jobs taken so far.
    taken: u64,
    /// Workers that were given up, and hang still.
    stuck: u32,
    /// Workers that were stuck once, and that nobody has called since. The last is called first: those that are not needed
    /// leave, however often one is.
    spares: Vec<Spare>,
    /// Results that nobody has been given yet. Somebody watches then, as the worker may hang in its next call.
    results: Vec<Giving>,
}

/// A worker without a queue.
struct Spare {
    /// Which one it was last.
    was: u64,
    /// Told which one it is to be.
    call: SyncSender<u64>,
}

impl Lane {
    /// An empty one, of the runtime that this is called in.
    #[allow(clippy::new_without_default, reason = "it needs a runtime around it")]
    pub fn new() -> Self {
        Self::with(STUCK_AFTER)
    }

    /// One for calls that take longer.
    pub fn patient() -> Self {
        Self::with(PATIENCE)
    }

    fn with(patience: Duration) -> Self {
        Self { state: Arc::default(), work_came: Arc::default(), runtime: Handle::current(), patience }
    }

    /// Runs a call and gives its result; `EIO` of one that panicked.
    pub async fn run<T, F>(&self, call: F) -> Result<T, Errno>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Errno> + Send + 'static,
    {
        let (done, result) = oneshot::channel();
        self.push_for(call, move |outcome| drop(done.send(outcome)));
        result.await.unwrap_or(Err(Errno::EIO))
    }

    /// Runs a call that nobody waits for.
    pub fn push(&self, job: impl FnOnce() + Send + 'static) {
        self.queue(Box::new(move || {
            job();
            None
        }));
    }

    /// Runs a call and gives its result, together with those of others where more calls wait.
    pub fn push_for<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
        give: impl FnOnce(T) + Send + 'static,
    ) {
        self.queue(Box::new(move || {
            let result = call();
            Some(Box::new(move || give(result)))
        }));
    }

    fn queue(&self, job: Job) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.waking {
            return;
        }
        if state.served && state.idle {
            state.waking = true;
            let lane = self.clone();
            self.runtime.spawn(async move { lane.wake() });
        } else if state.served {
            self.see_to_watch(&mut state);
        } else {
            self.take_on(&mut state);
            if !state.served {
                self.see_to_watch(&mut state);
            }
        }
    }

    /// Wakes the worker that waits for work. That is a task of its own: it runs when those that are ready already have, and
    /// what they have queued costs one waking, too.
    fn wake(&self) {
        let mut state = self.lock();
        state.waking = false;
        let idle = std::mem::take(&mut state.idle);
        if !idle && !state.served && !state.jobs.is_empty() {
            self.take_on(&mut state);
        }
        // Not idle: it woke by itself, and may hang in what it found.
        if !idle || state.jobs.len() > 1 || !state.served {
            self.see_to_watch(&mut state);
        }
        drop(state); // which it takes first of all
        if idle {
            self.work_came.notify_all(); // one that was given up may sleep there, too
        }
    }

    /// Somebody has to look whether the worker gets on.
    fn see_to_watch(&self, state: &mut State) {
        if !state.jobs.is_empty() && !state.watched {
            state.watched = true;
            self.runtime.spawn(self.clone().watch());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to a worker of this generation.
    fn take_on(&self, state: &mut State) {
        let called = state.spares.pop().is_some_and(|spare| spare.call.try_send(state.generation).is_ok());
        state.served = called || self.spawn_worker(state.generation);
    }

    /// False where no thread can be had.
    fn spawn_worker(&self, generation: u64) -> bool {
        let lane = self.clone();
        let worker = move || {
            let _runtime = lane.runtime.enter();
            let here = Worker::here();
            let mut call = Some(generation);
            while let Some(generation) = call {
                lane.work(generation, here.as_ref());
                call = lane.next_call(generation);
            }
        };
        thread::Builder::new().name("lane".into()).stack_size(STACK).spawn(worker).is_ok()
    }

    fn work(&self, generation: u64, here: Option<&Worker>) {
        {
            let mut state = self.lock();
            if state.generation == generation {
                state.worker = here.cloned();
            }
        }
        let mut result = None;
        while let Some(job) = self.next_job(generation, result.take()) {
            // A panic ends one job, not the worker: the queue would stay without one.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            if done.is_err() {
                tracing::error!("a blocking call panicked");
            }
            result = done.ok().flatten();
        }
    }

    /// Waits for it; `None` where the worker is to leave. The result of the last one is given now or soon.
    fn next_job(&self, generation: u64, result: Option<Giving>) -> Option<Job> {
        self.keep_or_give(generation, result);
        let mut state = self.lock();
        if state.jobs.is_empty() && state.generation == generation {
            state.idle = true;
            // Woken for nothing, it leaves too: rare, and another one comes.
            let waited = self.work_came.wait_timeout(state, IDLE_MAX);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.generation != generation {
            return None;
        }
        state.idle = false;
        let job = state.jobs.pop_front();
        state.served = job.is_some();
        state.taken += u64::from(job.is_some());
        job
    }

    fn keep_or_give(&self, generation: u64, result: Option<Giving>) {
        let mut state = self.lock();
        state.results.extend(result);
        let more = state.generation == generation && state.watched && !state.jobs.is_empty();
        if more && state.results.len() < RESULTS_MAX {
            return;
        }
        let results = std::mem::take(&mut state.results);
        drop(state);
        give(results);
    }

    /// What a worker that has no queue any more is called for; `None` where it is to leave.
    fn next_call(&self, generation: u64) -> Option<u64> {
        let (call, called) = mpsc::sync_channel(1);
        {
            let mut state = self.lock();
            if state.generation == generation {
                return None; // it had nothing to do for long
            }
            state.stuck = state.stuck.saturating_sub(1);
            state.spares.push(Spare { was: generation, call });
        }
        called.recv_timeout(IDLE_MAX).ok().or_else(|| {
            // It may be called just now: who calls takes it from the list first.
            self.lock().spares.retain(|spare| spare.was != generation);
            called.try_recv().ok()
        })
    }

    /// Gives the worker up as stuck, and has another take over.
    fn replace(&self, state: &mut State, seen: &mut Seen) {
        state.stuck += u32::from(state.served);
        state.generation += 1;
        state.idle = false;
        state.worker = None;
        self.take_on(state);
        // In a crowd, the call that it begins with is as likely to hang, and no sign that it gets on.
        let crowd = state.served && state.stuck >= CROWD;
        *seen = Seen { taken: state.taken + u64::from(crowd), ..Seen::default() };
    }

    async fn watch(self) {
        let mut seen = Seen { taken: self.lock().taken, ..Seen::default() };
        loop {
            tokio::time::sleep(seen.pause(self.patience)).await;
            let (results, over) = self.look(&mut seen);
            give(results);
            if over {
                return;
            }
        }
    }

    /// Looks once whether the worker gets on, and has another take over if not. Gives the results that are held, and whether there
    /// is nothing to look for any more.
    fn look(&self, seen: &mut Seen) -> (Vec<Giving>, bool) {
        let mut state = self.lock();
        state.watched = !state.jobs.is_empty();
        seen.gets_on += 1;
        // One that sleeps because it has not been woken yet is not stuck.
        if state.watched && state.taken <= seen.taken && !state.waking {
            seen.gets_on = 0;
            seen.works += 1;
            // One of a crowd may not have begun at all.
            let works = state.taken < seen.taken || state.worker.as_ref().is_some_and(Worker::is_working);
            if !works || seen.works >= WORKS_MAX {
                self.replace(&mut state, seen);
            }
        } else {
            seen.works = 0;
            seen.taken = state.taken;
        }
        seen.stuck = if state.served { state.stuck } else { 0 };
        (std::mem::take(&mut state.results), !state.watched)
    }
}

/// What who watches a lane has seen of it.
#[derive(Default)]
struct Seen {
    taken: u64,
    /// How many others hang; none where no thread can be had.
    stuck: u32,
    /// How often the worker was found to work on the same call.
    works: u32,
    /// How often it was found to get on.
    gets_on: u32,
}

impl Seen {
    /// Until the next look.
    fn pause(&self, patience: Duration) -> Duration {
        match self.gets_on {
            GETS_ON.. => patience.max(PAUSE_MAX),
            _ => (patience / (1 + self.stuck / CROWD)).max(PAUSE_MIN),
        }
    }
}

/// A thread of this process: its line in `/proc`, opened once, as a busy lane's is read a hundred times a second.
#[derive(Debug, Clone)]
struct Worker(Arc<File>);

impl Worker {
    /// This one.
    fn here() -> Option<Self> {
        File::open("/proc/thread-self/stat").ok().map(|line| Self(line.into()))
    }

    /// Does it run, or only wait for a processor? (proc_pid_stat(5): `NUMBER (NAME) STATE …`)
    fn is_working(&self) -> bool {
        let mut begin = [0; 64];
        let count = self.0.read_at(&mut begin, 0).unwrap_or_default();
        begin[..count].rsplit(|byte| *byte == b')').next().is_some_and(|rest| rest.starts_with(b" R"))
    }
}

fn give(results: Vec<Giving>) {
    for giving in results {
        giving();
    }
}

/// Something open, closed on a lane when it is dropped: a close waits for whoever hangs in an open of
/// the same device.
pub struct Closing<T: Send + 'static> {
    open: Option<T>,
    lane: Lane,
}

impl<T: Send> Closing<T> {
    /// To be closed on this lane.
    pub fn new(open: T, lane: &Lane) -> Self {
        Self { open: Some(open), lane: lane.clone() }
    }
}

impl<T: Send> Deref for Closing<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.open.as_ref().expect("taken by drop alone")
    }
}

impl<T: Send> Drop for Closing<T> {
    fn drop(&mut self) {
        let open = self.open.take();
        self.lane.push(move || drop(open));
    }
}

#[cfg(test)]
mod tests;
