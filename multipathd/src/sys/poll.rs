//! Descriptors that the runtime wakes for.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Something with a descriptor of its own, waited for until it is readable.
pub type Readable<T> = AsyncFd<Fd<T>>;

/// Owns what it wraps, and with it the descriptor.
#[derive(Debug)]
pub struct Fd<T>(T);

impl<T> Deref for Fd<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: AsFd> AsRawFd for Fd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Registers it with the runtime. To be called inside of that.
pub fn readable<T: AsFd>(inner: T) -> io::Result<Readable<T>> {
    // SAFETY: `Fd` has `inner`, its owner or a borrow of that, and never gives it away or lends it mutably: its descriptor is
    // the same and stays open until it is dropped, after its registration.
    unsafe { AsyncFd::register_with_interest(Fd(inner), Interest::READABLE) }.map_err(|error| {
        let (_, error) = error.into_parts();
        error
    })
}

/// Waits until it is readable, and is registered for that long only: what comes between two waits wakes nobody. To be called inside
/// the runtime.
pub async fn until_readable(it: &impl AsFd) -> io::Result<()> {
    let registered = readable(it.as_fd())?;
    registered.readable().await.map(drop)
}
