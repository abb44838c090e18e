//! Queues of calls: nothing lies, and nobody waits for a call that hangs.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime")
}

/// Its worker waits for more.
async fn is_idle(lane: &Lane) {
    while !lane.lock().idle {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
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
fn a_crowd_of_calls_that_hang_is_got_past_in_a_moment() {
    const CROWD: usize = 500;
    let (release, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    runtime().block_on(async {
        let lane = Lane::new();
        let hung = Arc::new(AtomicUsize::new(0));
        // Now and then one among them does not hang.
        for n in 0..CROWD {
            let (wait, hung) = (wait.clone(), hung.clone());
            lane.push(move || {
                if n % 3 > 0 {
                    hung.fetch_add(1, Ordering::SeqCst);
                    drop(wait.lock().map(|wait| wait.recv()));
                    hung.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
        // One at a time, each a look and another to find it stuck, they take seven seconds and more.
        let last = tokio::time::timeout(Duration::from_secs(3), lane.run(|| Ok(7))).await;
        assert_eq!(last.expect("not stuck"), Ok(7));
        assert_eq!(hung.load(Ordering::SeqCst), CROWD * 2 / 3);
        let stuck = || lane.lock().stuck;
        assert!(stuck() >= 300 && lane.lock().generation < 400, "{} of {}", stuck(), lane.lock().generation);
        drop(release);
        while stuck() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
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
fn a_worker_that_nobody_has_woken_yet_is_not_stuck() {
    runtime().block_on(async {
        let lane = Lane::new();
        lane.run(|| Ok(())).await.expect("no error");
        is_idle(&lane).await;
        // The watch of an earlier crowd looks between the call and the waking.
        let second = lane.run(|| Ok(()));
        let mut seen = Seen { taken: lane.lock().taken, ..Seen::default() };
        let looked = async { lane.look(&mut seen).1 };
        let (second, over) = tokio::join!(second, looked);
        second.expect("no error");
        assert!(!over, "there was a call");
        is_idle(&lane).await;
        // Were there two that sleep now, the wrong one could be woken, and the call lie there until another comes.
        let third = tokio::time::timeout(Duration::from_secs(5), lane.run(|| Ok(())));
        third.await.expect("at once").expect("no error");
    });
}

#[test]
fn a_worker_that_wakes_by_itself_and_hangs_delays_nobody_for_long() {
    let (release, wait) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel::<()>();
    runtime().block_on(async {
        let lane = Lane::new();
        lane.run(|| Ok(())).await.expect("no error");
        is_idle(&lane).await;
        lane.push(move || {
            let _ = begun.send(());
            let _ = wait.recv();
        });
        lane.work_came.notify_all(); // its time is over, before it is woken
        begins.recv().expect("it hangs");
        let next = tokio::time::timeout(Duration::from_secs(5), lane.run(|| Ok(())));
        next.await.expect("not stuck").expect("no error");
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
            // Where nobody had the time to look while it was slow, none was given up.
            let spare = async {
                while lane.lock().spares.is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let _ = tokio::time::timeout(Duration::from_secs(1), spare).await;
        }
    });
    assert!(threads.lock().expect("lock").len() < 5);
}

#[test]
fn a_patient_lane_looks_later_and_no_less_soon_in_a_crowd() {
    let pause = |gets_on, stuck| Seen { stuck, gets_on, ..Seen::default() }.pause(PATIENCE);
    assert_eq!([pause(0, 0), pause(GETS_ON, 0), pause(0, CROWD)], [PATIENCE, PATIENCE, PATIENCE / 2]);
    assert_eq!(Seen { gets_on: GETS_ON, ..Seen::default() }.pause(STUCK_AFTER), PAUSE_MAX);
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
            // One that was slow to begin, and had no call of its own, is spare before all of them.
            while lane.lock().stuck as usize > 2 - n {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        let before = spares();
        let (release, wait) = mpsc::channel::<()>();
        lane.push(move || {
            let _ = wait.recv();
        });
        lane.run(|| Ok(())).await.expect("no error");
        // The one that hangs was not spare; who took its queue was the last of them. Where that one was slow to begin, another was called.
        let left = spares();
        assert!(left.len() < before.len() && before.starts_with(&left), "{left:?} of {before:?}");
        drop(release);
    });
}

#[test]
fn a_worker_that_waits_takes_the_next_call() {
    runtime().block_on(async {
        let lane = Lane::new();
        let first = lane.run(|| Ok(thread::current().id())).await;
        is_idle(&lane).await;
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
