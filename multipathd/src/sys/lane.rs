//! Calls that may block, one thread for all of them as long as none does.
//!
//! A lane is a queue with one worker, a thread of its own. When a call waits for longer than
//! [`STUCK_AFTER`] while others wait behind it, another worker takes over the queue, and the stuck one is spare
//! when its call returns. So the number of threads follows the number of stuck calls, not of calls.
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
/// A queue that was found to get on so many times is looked at less often.
const GETS_ON: u32 = 8;
const PAUSE_MAX: Duration = STUCK_AFTER.saturating_mul(4);
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
        Self { state: Arc::default(), work_came: Arc::default(), runtime: Handle::current() }
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
        if state.jobs.len() > 1 || !state.served {
            self.see_to_watch(&mut state);
        }
        drop(state); // which it takes first of all
        if idle {
            self.work_came.notify_one();
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
            let mut call = Some(generation);
            while let Some(generation) = call {
                lane.work(generation);
                call = lane.next_call(generation);
            }
        };
        thread::Builder::new().name("lane".into()).stack_size(STACK).spawn(worker).is_ok()
    }

    fn work(&self, generation: u64) {
        let worker = Worker::here();
        {
            let mut state = self.lock();
            if state.generation == generation {
                state.worker = worker;
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
            state.spares.push(Spare { was: generation, call });
        }
        called.recv_timeout(IDLE_MAX).ok().or_else(|| {
            // It may be called just now: who calls takes it from the list first.
            self.lock().spares.retain(|spare| spare.was != generation);
            called.try_recv().ok()
        })
    }

    async fn watch(self) {
        let (mut seen, mut works, mut gets_on) = (self.lock().taken, 0, 0);
        loop {
            let pause = if gets_on < GETS_ON { STUCK_AFTER } else { PAUSE_MAX };
            tokio::time::sleep(pause).await;
            let (results, over) = {
                let mut state = self.lock();
                state.watched = !state.jobs.is_empty();
                gets_on += 1;
                if state.watched && state.taken == seen {
                    gets_on = 0;
                    works += 1;
                    if works >= WORKS_MAX || !state.worker.as_ref().is_some_and(Worker::is_working) {
                        works = 0;
                        state.generation += 1;
                        state.idle = false;
                        state.worker = None;
                        self.take_on(&mut state);
                    }
                } else {
                    works = 0;
                }
                seen = state.taken;
                (std::mem::take(&mut state.results), !state.watched)
            };
            give(results);
            if over {
                return;
            }
        }
    }
}

/// A thread of this process: its line in `/proc`, kept open, as a busy lane's is read a hundred times a second.
#[derive(Debug)]
struct Worker(File);

impl Worker {
    /// This one.
    fn here() -> Option<Self> {
        File::open("/proc/thread-self/stat").ok().map(Self)
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
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime")
    }

    #[test]
    fn a_stuck_call_delays_the_others_for_a_moment_only() {
        let (release, wait) = mpsc::channel::<()>();
        runtime().block_on(async {
            let lane = Lane::new();
            lane.push(move || {
                let _ = wait.recv();
            });
            let answers = (0..50).map(|n| lane.run(move || Ok(n))).collect::<Vec<_>>();
            let mut sum = 0;
            for answer in answers {
                sum += tokio::time::timeout(Duration::from_secs(5), answer)
                    .await
                    .expect("not stuck")
                    .expect("no error");
            }
            assert_eq!(sum, 49 * 50 / 2);
            drop(release);
        });
    }

    #[test]
    fn a_call_that_works_keeps_its_queue_for_a_while() {
        runtime().block_on(async {
            let lane = Lane::new();
            let long = lane.run(|| {
                let end = std::time::Instant::now() + STUCK_AFTER * 4;
                while std::time::Instant::now() < end {}
                Ok(thread::current().id())
            });
            let next = lane.run(|| Ok(thread::current().id()));
            let (first, second) = tokio::join!(long, next);
            assert_eq!(first, second);
            // But not for ever.
            let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let stopped = stop.clone();
            lane.push(move || while !stopped.load(Ordering::Relaxed) {});
            let other = tokio::time::timeout(Duration::from_secs(5), lane.run(|| Ok(7))).await;
            stop.store(true, Ordering::Relaxed);
            assert_eq!(other.expect("not stuck"), Ok(7));
        });
    }

    #[test]
    fn a_result_does_not_wait_for_a_call_that_hangs() {
        let (release, wait) = mpsc::channel::<()>();
        let (go, gone) = mpsc::channel::<()>();
        runtime().block_on(async {
            let lane = Lane::new();
            lane.push(move || {
                let _ = gone.recv();
            });
            let asking = lane.clone();
            let first = tokio::spawn(async move { asking.run(|| Ok(1)).await });
            tokio::task::yield_now().await; // the second comes behind the first
            lane.push(move || {
                let _ = wait.recv();
            });
            go.send(()).expect("the lane listens");
            assert_eq!(first.await.expect("it ends"), Ok(1));
            drop(release);
        });
    }

    #[test]
    fn calls_that_are_ready_together_wake_the_worker_once() {
        runtime().block_on(async {
            let lane = Lane::new();
            lane.run(|| Ok(())).await.expect("no error");
            let idle = || lane.lock().idle;
            tokio::time::timeout(Duration::from_secs(5), async {
                while !idle() {
                    tokio::task::yield_now().await;
                }
            })
            .await
            .expect("the worker waits for more");
            let (given, results) = mpsc::channel();
            for n in 0..RESULTS_MAX {
                let given = given.clone();
                lane.push_for(
                    move || n,
                    move |n| {
                        let _ = given.send(n);
                    },
                );
            }
            // It sleeps on: what wakes it runs after all that is ready.
            {
                let state = lane.lock();
                assert_eq!((state.idle, state.waking, state.jobs.len()), (true, true, RESULTS_MAX));
            }
            tokio::task::yield_now().await;
            assert!(!lane.lock().waking);
            drop(given);
            let results: Vec<_> = results.iter().collect();
            assert_eq!(results, (0..RESULTS_MAX).collect::<Vec<_>>());
        });
    }

    #[test]
    fn results_that_come_close_together_are_given_together() {
        let (go, gone) = mpsc::channel::<()>();
        runtime().block_on(async {
            let lane = Lane::new();
            lane.push(move || {
                let _ = gone.recv();
            });
            let (given, results) = mpsc::channel();
            for n in 0..RESULTS_MAX {
                let (looking, given) = (lane.clone(), given.clone());
                let held = move || looking.lock().results.len();
                lane.push_for(held, move |held| {
                    let _ = given.send((n, held));
                });
            }
            go.send(()).expect("the lane listens");
            drop(given);
            let results: Vec<_> = results.iter().collect();
            // The runtime's thread is here: nobody gave a result before its time.
            assert_eq!(results, (0..RESULTS_MAX).map(|n| (n, n)).collect::<Vec<_>>());
        });
    }

    #[test]
    fn quick_calls_share_one_thread() {
        let threads = Arc::new(Mutex::new(std::collections::HashSet::new()));
        let ran = Arc::new(AtomicUsize::new(0));
        runtime().block_on(async {
            let lane = Lane::new();
            for _ in 0..200 {
                let (threads, ran) = (threads.clone(), ran.clone());
                lane.push(move || {
                    threads.lock().expect("lock").insert(thread::current().id());
                    ran.fetch_add(1, Ordering::SeqCst);
                });
            }
            while ran.load(Ordering::SeqCst) < 200 {
                lane.run(|| Ok(())).await.expect("no error");
            }
        });
        assert!(threads.lock().expect("lock").len() < 5);
    }

    #[test]
    fn a_worker_that_was_stuck_is_used_again() {
        let threads = Arc::new(Mutex::new(std::collections::HashSet::new()));
        runtime().block_on(async {
            let lane = Lane::new();
            for _ in 0..20 {
                let threads = threads.clone();
                let slow = lane.run(move || {
                    threads.lock().expect("lock").insert(thread::current().id());
                    thread::sleep(STUCK_AFTER * 3);
                    Ok(())
                });
                let quick = lane.run(|| Ok(()));
                let (slow, quick) = tokio::join!(slow, quick);
                slow.and(quick).expect("no error");
                while lane.lock().spares.is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        assert!(threads.lock().expect("lock").len() < 5);
    }

    #[test]
    fn of_spare_workers_the_last_is_called() {
        runtime().block_on(async {
            let lane = Lane::new();
            let releases: Vec<_> = (0..3)
                .map(|_| {
                    let (release, wait) = mpsc::channel::<()>();
                    lane.push(move || {
                        let _ = wait.recv();
                    });
                    release
                })
                .collect();
            // Each but the last hangs with a call of its own, and none is behind that.
            lane.run(|| Ok(())).await.expect("no error");
            let spares = || lane.lock().spares.iter().map(|spare| spare.was).collect::<Vec<_>>();
            for (n, release) in releases.into_iter().enumerate() {
                drop(release);
                while spares().len() <= n {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            let before = spares();
            let (release, wait) = mpsc::channel::<()>();
            lane.push(move || {
                let _ = wait.recv();
            });
            lane.run(|| Ok(())).await.expect("no error");
            // The one that hangs was not spare; who took its queue was the last of them.
            assert_eq!(spares(), before[..before.len() - 1]);
            drop(release);
        });
    }

    #[test]
    fn a_worker_that_waits_takes_the_next_call() {
        runtime().block_on(async {
            let lane = Lane::new();
            let first = lane.run(|| Ok(thread::current().id())).await;
            while !lane.lock().idle {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(lane.run(|| Ok(thread::current().id())).await, first);
        });
    }

    #[test]
    fn a_close_that_hangs_does_not_hang_whoever_drops() {
        struct Slow(mpsc::Receiver<()>);
        impl Drop for Slow {
            fn drop(&mut self) {
                let _ = self.0.recv();
            }
        }
        let (release, wait) = mpsc::channel::<()>();
        runtime().block_on(async {
            let lane = Lane::new();
            drop(Closing::new(Slow(wait), &lane));
            assert_eq!(lane.run(|| Ok(7)).await, Ok(7));
            drop(release);
        });
    }
}
