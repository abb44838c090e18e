//! New maps that udev's rules look at: who waits for them to be done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libmp::types::PathName;
use tokio::sync::Notify;

use crate::sys::dm::Announced;

/// It is looked at so soon, and then less often, whether udev has finished with a new map.
const LOOK: Duration = Duration::from_millis(4);
const LOOK_MAX: Duration = Duration::from_millis(32);
/// Where its messages come, they tell: a look in between is for one that is lost.
const LOOK_MAX_TOLD: Duration = Duration::from_millis(500);

/// Those who wait, by the number in the map's `dm-N`.
#[derive(Debug, Clone, Default)]
pub struct Waiters(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    by_minor: BTreeMap<u32, Arc<Notify>>,
    /// Messages of udev about maps come.
    told: bool,
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message of udev about this device: its rules are through.
    pub fn tell(&self, device: &PathName) {
        let Some(minor) = device.as_str().strip_prefix("dm-").and_then(|minor| minor.parse().ok()) else {
            return;
        };
        let mut waiting = self.lock();
        waiting.told = true;
        if let Some(waiter) = waiting.by_minor.get(&minor) {
            waiter.notify_one();
        }
    }

    /// Waits until udev has finished with a map, or has had its time. A thread for each would wait for nothing else.
    pub async fn done(&self, made: &Announced) {
        self.wait(made.minor(), || made.is_over()).await;
    }

    async fn wait(&self, minor: u32, is_over: impl Fn() -> bool) {
        let waiter = self.lock().by_minor.entry(minor).or_default().clone();
        let mut pause = LOOK;
        while !is_over() {
            let _ = tokio::time::timeout(pause, waiter.notified()).await;
            let most = if self.lock().told { LOOK_MAX_TOLD } else { LOOK_MAX };
            pause = most.min(pause * 2);
        }
        self.lock().by_minor.remove(&minor);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn where_udev_tells_it_is_hardly_asked() {
        for (told, device, most) in [(true, "dm-3", 12), (true, "dm-4", 12), (false, "dm-3", 40)] {
            let (waiters, asked, over) = (Waiters::default(), AtomicU32::new(0), AtomicU32::new(0));
            let start = tokio::time::Instant::now();
            let is_over = || {
                asked.fetch_add(1, Ordering::Relaxed);
                over.load(Ordering::Relaxed) == 1
            };
            let udev = async {
                if told {
                    waiters.tell(&"sda".into());
                    waiters.tell(&"dm-9".into());
                }
                tokio::time::sleep(Duration::from_millis(1010)).await;
                over.store(1, Ordering::Relaxed);
                if told {
                    waiters.tell(&device.into());
                }
            };
            tokio::join!(waiters.wait(3, is_over), udev);
            let (asked, took) = (asked.load(Ordering::Relaxed), start.elapsed().as_millis());
            assert!(asked <= most, "{asked}");
            // A message that is lost is made up for, by looking.
            let latest = if !told {
                1050
            } else if device == "dm-3" {
                1015
            } else {
                1530
            };
            assert!((1010..latest).contains(&took), "{told} {device}: {took} ms");
            assert!(waiters.lock().by_minor.is_empty());
        }
    }
}
