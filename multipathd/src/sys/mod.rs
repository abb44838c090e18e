//! System calls, and all `unsafe` of the workspace.
//!
//! What is in here moves bytes and reports errnos. It never judges them: no path is good or bad,
//! no answer right or wrong at this level.

pub mod block;
pub mod blocking;
pub mod buffer;
pub mod claims;
pub mod database;
pub mod dm;
pub mod fabric;
pub mod failing;
pub mod files;
pub mod lane;
pub mod machine;
pub mod native;
pub mod nvme;
pub mod pidfile;
mod places;
pub mod poll;
pub mod process;
pub mod scsi;
pub mod signals;
pub mod socket;
pub mod sysfs;
#[cfg(feature = "udev")]
pub mod udev;
pub mod uring;

use std::io::{self, Read as _};
use std::time::Duration;

use nix::time::ClockId;

use libmp::types::Errno;

/// A text of the kernel's, in which names of any bytes may be: those that are no UTF-8 hide nothing else.
fn text_of(path: &std::path::Path) -> io::Result<String> {
    // The kernel's files tell no length before they are read.
    let mut bytes = Vec::with_capacity(8 << 10);
    std::fs::File::open(path)?.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The errno in an I/O error; `EIO` where it has none.
pub fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno)
}

/// The errno of the call that just failed.
fn last_errno() -> Errno {
    errno_of(&io::Error::last_os_error())
}

impl From<Failure> for Errno {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

/// An errno from either of the two worlds below: nix's and std's.
#[derive(Debug, Clone, Copy)]
struct Failure(Errno);

impl From<nix::errno::Errno> for Failure {
    fn from(errno: nix::errno::Errno) -> Self {
        Self(Errno(errno as i32))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(errno_of(&error))
    }
}

/// Microseconds of the system's monotonic clock, as the core's time.
pub fn now() -> libmp::types::Instant {
    libmp::types::Instant::from_micros(micros_of(ClockId::CLOCK_MONOTONIC))
}

/// What the thread that asks has had of the processor. A call to the kernel, which [`now`] is not.
pub fn thread_time() -> Duration {
    Duration::from_micros(micros_of(ClockId::CLOCK_THREAD_CPUTIME_ID))
}

/// Time since the machine was started, that of its sleep included: no clock that is set changes it.
pub(crate) fn since_boot() -> Duration {
    Duration::from_micros(micros_of(ClockId::CLOCK_BOOTTIME))
}

fn micros_of(clock: ClockId) -> u64 {
    // It can't fail: Linux always has these clocks.
    let time = nix::time::clock_gettime(clock).unwrap_or(nix::sys::time::TimeSpec::new(0, 0));
    let micros = time.tv_sec() * 1_000_000 + time.tv_nsec() / 1_000;
    u64::try_from(micros).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_that_is_no_text_hides_nothing() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), b"1 /caf\xe9 rw\n2 /data rw\n").expect("written");
        assert!(super::text_of(file.path()).expect("read").lines().any(|line| line == "2 /data rw"));
    }
}
