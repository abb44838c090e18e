//! Signals, as something to read.
//!
//! They are blocked in every thread: no system call of any thread is interrupted by one.

use std::mem::MaybeUninit;
use std::ptr;

use libmp::core::event::Signal;
use libmp::types::Errno;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal as Raw, signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::poll::{Readable, readable};
use super::{Failure, errno_of};

fn ours() -> SigSet {
    [Raw::SIGHUP, Raw::SIGTERM, Raw::SIGINT].into_iter().collect()
}

/// Those of them that are not ignored.
fn heeded() -> SigSet {
    let is_ignored = |raw: Raw| {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: nothing is set, what is set is written there; zeros are a value of that type.
        let action = unsafe {
            libc::sigaction(raw as i32, ptr::null(), action.as_mut_ptr());
            action.assume_init()
        };
        action.sa_sigaction == libc::SIG_IGN
    };
    ours().iter().filter(|raw| !is_ignored(*raw)).collect()
}

/// Blocks them. To be called before there is a second thread. The error is a line.
pub fn block() -> Result<(), String> {
    let failed = |errno| format!("signals can't be blocked: {}", Errno::from(Failure::from(errno)));
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&ours()), None).map_err(failed)?;
    for ignored in [Raw::SIGUSR1, Raw::SIGUSR2, Raw::SIGPIPE] {
        // SAFETY: no handler of ours is installed or replaced.
        unsafe { signal(ignored, SigHandler::SigIgn) }.map_err(failed)?;
    }
    Ok(())
}

/// Ends the process where one has come meanwhile, and where one comes from now on.
pub fn let_through() {
    let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&ours()), None);
}

/// Where they are read.
pub struct Signals(Readable<SignalFd>);

impl Signals {
    /// To be called inside the runtime, after [`block`].
    pub fn new() -> Result<Self, Errno> {
        Self::of(&ours())
    }

    /// Without those that who started this process has it ignore (`nohup`, `&` in a script): while they are blocked, they would be read.
    pub fn not_ignored() -> Result<Self, Errno> {
        Self::of(&heeded())
    }

    fn of(signals: &SigSet) -> Result<Self, Errno> {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let fd = SignalFd::with_flags(signals, flags).map_err(Failure::from)?;
        readable(fd).map(Self).map_err(|error| errno_of(&error))
    }

    /// Waits until there is one, and leaves it there.
    pub async fn come(&self) {
        if let Ok(mut ready) = self.0.readable().await {
            ready.retain_ready();
        }
    }

    /// Waits for the next one.
    pub async fn next(&self) -> Result<Signal, Errno> {
        loop {
            let mut ready = self.0.readable().await.map_err(|error| errno_of(&error))?;
            match self.0.get_ref().read_signal().map_err(Failure::from)? {
                Some(info) if info.ssi_signo == libc::SIGHUP as u32 => return Ok(Signal::Reconfigure),
                Some(_) => return Ok(Signal::Terminate),
                None => ready.clear_ready(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_not_heeded() {
        let is_heeded = || ours().iter().map(|raw| heeded().contains(raw)).collect::<Vec<_>>();
        // SAFETY: no test waits for one, and no handler is replaced.
        let set = |raw, handler| unsafe { signal(raw, handler) }.expect("set");
        // Whoever has started the tests in the background of a script has had some ignored.
        let was: Vec<_> = ours().iter().map(|raw| (raw, set(raw, SigHandler::SigDfl))).collect();
        set(Raw::SIGHUP, SigHandler::SigIgn);
        let others = ours().iter().filter(|raw| *raw != Raw::SIGHUP).collect::<SigSet>();
        assert!(!heeded().contains(Raw::SIGHUP), "{:?}", is_heeded());
        assert!(others.iter().all(|raw| heeded().contains(raw)), "{:?}", is_heeded());
        set(Raw::SIGHUP, SigHandler::SigDfl);
        assert!(heeded().contains(Raw::SIGHUP));
        for (raw, handler) in was {
            set(raw, handler);
        }
    }
}
