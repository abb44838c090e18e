//! New maps that udev's rules look at: who waits for them to be done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libmp::types::PathName;
use tokio::sync::Notify;

use crate::sys::dm::Announced;

/// It is looked at so often whether udev has finished with a new map: its rules take longer than that.
const LOOK: Duration = Duration::from_millis(32);
/// Where its messages come, they tell: a look in between is for one that is lost.
const LOOK_TOLD: Duration = Duration::from_millis(500);

/// Those who wait, by the number in the map's `dm-N`.
#[derive(Debug, Clone, Default)]
pub struct Waiters(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    by_minor: BTreeMap<u32, Arc<Notify>>,
    /// Messages of udev about maps come.
    told: bool,
}

impl Waiting {
    /// How long one waits before it looks: until udev tells, the first one looks for all, as udev takes its maps by turns.
    fn pause(&self, minor: u32) -> Duration {
        let is_first = self.by_minor.first_key_value().is_none_or(|(first, _)| *first == minor);
        if is_first && !self.told { LOOK } else { LOOK_TOLD }
    }

    /// One no longer waits, and the next one looks, where udev does not tell.
    fn leave(&mut self, minor: u32) {
        self.by_minor.remove(&minor);
        if let Some((_, next)) = self.by_minor.first_key_value().filter(|_| !self.told) {
            next.notify_one();
        }
    }
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
        while !is_over() {
            let pause = self.lock().pause(minor);
            let _ = tokio::time::timeout(pause, waiter.notified()).await;
        }
        self.lock().leave(minor);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn where_udev_does_not_tell_one_looks_for_all() {
        let (waiters, asked) = (Waiters::default(), AtomicU32::new(0));
        let start = tokio::time::Instant::now();
        let over_after = |ms| {
            let asked = &asked;
            move || {
                asked.fetch_add(1, Ordering::Relaxed);
                start.elapsed() >= Duration::from_millis(ms)
            }
        };
        tokio::join!(
            waiters.wait(5, over_after(960)),
            waiters.wait(3, over_after(940)),
            waiters.wait(4, over_after(950)),
        );
        let (asked, took) = (asked.load(Ordering::Relaxed), start.elapsed().as_millis());
        assert!(asked <= 45, "{asked}");
        assert!((960..1040).contains(&took), "{took} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn where_udev_tells_it_is_hardly_asked() {
        for (told, device, most) in [(true, "dm-3", 5), (true, "dm-4", 5), (false, "dm-3", 40)] {
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
