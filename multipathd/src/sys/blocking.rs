//! Calls that take a thread of the runtime's pool each, for as long as they last.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libmp::types::Errno;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A call that no thread has begun until then waits behind others that hang.
const BEGUN_AFTER: Duration = Duration::from_secs(1);

/// Runs a call. `EAGAIN` where this host has no thread for it, which says nothing of what was to be called: then it is not
/// begun at all. `EIO` of one that panicked.
pub async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, Errno> + Send + 'static,
) -> Result<T, Errno> {
    // What has no thread stays in the pool's queue all the same: it is to find nothing there.
    let call = Arc::new(Mutex::new(Some(call)));
    let take = |call: &Mutex<Option<_>>| call.lock().unwrap_or_else(PoisonError::into_inner).take();
    let queued = call.clone();
    let work = move || take(&queued).map_or(Err(Errno::EAGAIN), |call| call());
    // The runtime panics where it has no thread and can make none.
    let Ok(mut begun) = catch_unwind(AssertUnwindSafe(|| spawn_blocking(work))) else {
        drop(take(&call));
        return Err(Errno::EAGAIN);
    };
    if let Ok(ended) = timeout(BEGUN_AFTER, &mut begun).await {
        return ended.unwrap_or(Err(Errno::EIO));
    }
    if take(&call).is_some() {
        return Err(Errno::EAGAIN);
    }
    begun.await.unwrap_or(Err(Errno::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use tokio::runtime::{Builder, Runtime};

    fn runtime(threads: usize, stack: usize) -> Runtime {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().max_blocking_threads(threads).thread_stack_size(stack);
        builder.build().expect("runtime")
    }

    #[test]
    fn where_no_thread_can_be_made_the_call_is_not_begun() {
        // More than any address space has: the thread is refused.
        let runtime = runtime(1, 1 << 60);
        let asked = runtime.block_on(async { tokio::spawn(blocking(|| Ok(()))).await });
        assert_eq!(asked.expect("no panic"), Err(Errno::EAGAIN));
    }

    #[test]
    fn behind_calls_that_hang_it_is_not_begun_either() {
        let runtime = runtime(1, 128 << 10);
        let (release, hung) = mpsc::channel::<()>();
        runtime.block_on(async {
            let first = tokio::spawn(blocking(move || hung.recv().map_err(|_| Errno::EIO)));
            tokio::task::yield_now().await; // it has the only thread
            let (done, begun) = mpsc::channel();
            assert_eq!(blocking(move || done.send(()).map_err(|_| Errno::EIO)).await, Err(Errno::EAGAIN));
            release.send(()).expect("it hangs");
            assert_eq!(first.await.expect("no panic"), Ok(()), "however long it takes");
            assert_eq!(blocking(|| Ok(7)).await, Ok(7));
            assert!(begun.try_recv().is_err(), "nor later");
        });
    }

    #[test]
    fn a_call_that_panics_has_failed() {
        let runtime = runtime(1, 128 << 10);
        let asked: Result<(), _> = runtime.block_on(blocking(|| panic!("a test's")));
        assert_eq!(asked, Err(Errno::EIO));
    }
}
