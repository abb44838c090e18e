//! systemd: it is told how the daemon is, and that it lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libmp::core::notice::Notice;
use sd_notify::NotifyState;
use tokio::time::{Instant as TokioInstant, sleep_until};

use crate::sys::lane::Lane;

/// systemd, told how the daemon is. Its socket may block: on a lane, and one that has no calls to hang but these.
pub struct Supervisor {
    lane: Lane,
    /// A sign of life is on its way.
    pinging: Arc<AtomicBool>,
}

impl Supervisor {
    /// To be called inside the runtime.
    #[allow(clippy::new_without_default, reason = "it needs a runtime around it")]
    pub fn new() -> Self {
        Self { lane: Lane::new(), pinging: Arc::default() }
    }

    /// What it wants to know of what happens.
    pub fn tell(&self, notice: &Notice) {
        match notice {
            Notice::Configured { .. } => {
                let status = notice.to_string();
                self.lane.push(move || drop(sd_notify::notify(&[NotifyState::Status(&status)])));
            }
            Notice::Stopping => self.send(NotifyState::Stopping),
            _ => {}
        }
    }

    /// A state.
    pub fn send(&self, state: NotifyState<'static>) {
        self.lane.push(move || drop(sd_notify::notify(&[state])));
    }

    /// A sign of life. While nobody takes the one before there is no further one: each that hangs has a thread.
    fn ping(&self, send: impl FnOnce() + Send + 'static) {
        if self.pinging.swap(true, Ordering::AcqRel) {
            return;
        }
        let pinging = self.pinging.clone();
        self.lane.push(move || {
            send();
            pinging.store(false, Ordering::Release);
        });
    }
}

/// Says to systemd that the loop turns, where it wants to know.
pub struct Watchdog {
    interval: Option<Duration>,
    next: TokioInstant,
}

impl Watchdog {
    /// As the unit wants it.
    #[allow(clippy::new_without_default, reason = "it asks the environment")]
    pub fn new() -> Self {
        let interval = sd_notify::watchdog_enabled().map(|limit| limit / 3);
        Self { interval, next: TokioInstant::now() }
    }

    /// Ends when it is time; never where nobody wants to know.
    pub async fn due(&self) {
        match self.interval {
            Some(_) => sleep_until(self.next).await,
            None => std::future::pending().await,
        }
    }

    /// Says it.
    pub fn ping(&mut self, supervisor: &Supervisor) {
        self.next = TokioInstant::now() + self.interval.unwrap_or(Duration::MAX / 2);
        supervisor.ping(|| drop(sd_notify::notify(&[NotifyState::Watchdog])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn while_nobody_takes_a_sign_of_life_there_is_one_alone() {
        let runtime = crate::daemon::runtime().expect("a runtime");
        runtime.block_on(async {
            let supervisor = Supervisor::new();
            let (sent, seen) = mpsc::channel();
            let (release, hung) = mpsc::channel::<()>();
            let first = sent.clone();
            supervisor.ping(move || {
                let _ = first.send("the first");
                let _ = hung.recv();
            });
            for _ in 0..5 {
                let more = sent.clone();
                supervisor.ping(move || more.send("one more").unwrap_or_default());
                tokio::time::sleep(Duration::from_millis(20)).await; // a lane has got past it by now
            }
            assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["the first"]);
            release.send(()).expect("it hangs");
            while supervisor.pinging.load(Ordering::Acquire) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            supervisor.ping(move || sent.send("the next").unwrap_or_default());
            while supervisor.pinging.load(Ordering::Acquire) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["the next"]);
        });
    }
}
