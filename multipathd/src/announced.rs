//! New maps that udev's rules look at: who waits for them to be done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libmp::core::event::Uevent;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::sys::dm::{Announced, is_of};

/// It is looked at so often whether udev has finished with a new map: its rules take longer than that.
const LOOK: Duration = Duration::from_millis(32);
/// Where its messages come, they tell: a look in between is for one that is lost. All look at one time then, so that one waking
/// does for all.
const LOOK_TOLD: Duration = Duration::from_millis(500);

/// Those who wait, by the number in the map's `dm-N`.
#[derive(Debug, Clone, Default)]
pub struct Waiters(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    by_minor: BTreeMap<u32, Made>,
    /// Messages of udev about maps come.
    told: bool,
    /// When the first one began to wait.
    since: Option<Instant>,
}

/// A map that was made, of which udev has not told yet.
#[derive(Debug)]
struct Made {
    /// What its messages call the operation (`DM_COOKIE`).
    cookie: u32,
    /// `None` where nobody waits any more.
    waiter: Option<Arc<Notify>>,
}

impl Waiting {
    /// Who waits of those, the first one by number.
    fn first(&self) -> Option<(u32, &Arc<Notify>)> {
        self.by_minor.iter().find_map(|(minor, made)| Some((*minor, made.waiter.as_ref()?)))
    }

    /// When one looks next: until udev tells, the first one looks for all, as udev takes its maps by turns.
    fn next_look(&mut self, minor: u32) -> Instant {
        let now = Instant::now();
        let is_first = self.first().is_none_or(|(first, _)| first == minor);
        if is_first && !self.told {
            return now + LOOK;
        }
        let since = *self.since.get_or_insert(now);
        let looks = (now - since).as_millis() / LOOK_TOLD.as_millis();
        since + LOOK_TOLD * u32::try_from(looks + 1).unwrap_or(u32::MAX)
    }

    /// One no longer waits, and the next one looks, where udev does not tell.
    fn leave(&mut self, minor: u32, waiter: &Arc<Notify>) {
        if let Some(made) = self.by_minor.get_mut(&minor)
            && made.waiter.as_ref().is_some_and(|its| Arc::ptr_eq(its, waiter))
        {
            made.waiter = None;
        }
        let next = self.first();
        if next.is_none() {
            self.since = None;
        } else if let Some((_, next)) = next.filter(|_| !self.told) {
            next.notify_one();
        }
    }
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message of udev about this device: its rules are through. Does it tell of nothing but a map's making? Its maker
    /// says what has become of it then.
    pub fn tell(&self, uevent: &Uevent) -> bool {
        let minor = uevent.name.as_str().strip_prefix("dm-").and_then(|minor| minor.parse().ok());
        let Some(minor) = minor else { return false };
        let cookie = uevent.properties.get("DM_COOKIE").and_then(|cookie| cookie.parse().ok());
        let mut waiting = self.lock();
        waiting.told = true;
        let Some(made) = waiting.by_minor.get(&minor) else { return false };
        if let Some(waiter) = &made.waiter {
            waiter.notify_one();
        }
        let ours = cookie.is_some_and(|cookie| is_of(cookie, made.cookie));
        if ours {
            waiting.by_minor.remove(&minor);
        }
        ours
    }

    /// Waits until udev has finished with a map, or has had its time. A thread for each would wait for nothing else.
    pub async fn done(&self, made: &Announced) {
        if let Some(cookie) = made.cookie() {
            self.wait(made.minor(), cookie, || made.is_over()).await;
        }
    }

    async fn wait(&self, minor: u32, cookie: u32, is_over: impl Fn() -> bool) {
        let waiter = Arc::<Notify>::default();
        self.lock().by_minor.insert(minor, Made { cookie, waiter: Some(waiter.clone()) });
        while !is_over() {
            let look = self.lock().next_look(minor);
            let _ = timeout_at(look, waiter.notified()).await;
        }
        self.lock().leave(minor, &waiter);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use libmp::core::event::UeventAction;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn where_udev_does_not_tell_one_looks_for_all() {
        let (waiters, asked) = (Waiters::default(), AtomicU32::new(0));
        let start = Instant::now();
        let over_after = |ms| {
            let asked = &asked;
            move || {
                asked.fetch_add(1, Ordering::Relaxed);
                start.elapsed() >= Duration::from_millis(ms)
            }
        };
        tokio::join!(
            waiters.wait(5, 7, over_after(960)),
            waiters.wait(3, 8, over_after(940)),
            waiters.wait(4, 9, over_after(950)),
        );
        let (asked, took) = (asked.load(Ordering::Relaxed), start.elapsed().as_millis());
        assert!(asked <= 45, "{asked}");
        assert!((960..1040).contains(&took), "{took} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn all_look_at_one_time() {
        let (waiters, start) = (Waiters::default(), Instant::now());
        waiters.lock().told = true;
        let looks = Mutex::new(Vec::new());
        let begun_after = |minor: u32, ms| {
            let (waiters, looks) = (&waiters, &looks);
            async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                let begun = start.elapsed();
                waiters
                    .wait(minor, minor, || {
                        let now = start.elapsed();
                        if now > begun {
                            looks.lock().expect("alone").push(now);
                        }
                        now >= Duration::from_millis(1600)
                    })
                    .await;
            }
        };
        tokio::join!(begun_after(3, 100), begun_after(4, 170), begun_after(5, 700));
        let looks = looks.into_inner().expect("alone");
        assert_eq!(looks.len(), 8, "{looks:?}");
        assert!(looks.iter().all(|look| [600, 1100, 1600].contains(&look.as_millis())), "{looks:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn where_udev_tells_it_is_hardly_asked() {
        let about = |device: &str, cookie: &str| Uevent {
            action: UeventAction::Change,
            name: device.into(),
            properties: [("DM_COOKIE".into(), cookie.into())].into(),
            own: false,
        };
        for (told, device, most) in [(true, "dm-3", 5), (true, "dm-4", 5), (false, "dm-3", 40)] {
            let (waiters, asked, over) = (Waiters::default(), AtomicU32::new(0), AtomicU32::new(0));
            let start = Instant::now();
            let is_over = || {
                asked.fetch_add(1, Ordering::Relaxed);
                over.load(Ordering::Relaxed) == 1
            };
            let udev = async {
                if told {
                    assert!(!waiters.tell(&about("sda", "7")) && !waiters.tell(&about("dm-9", "7")));
                }
                tokio::time::sleep(Duration::from_millis(1010)).await;
                over.store(1, Ordering::Relaxed);
                if told {
                    // Flags are in it, too; what another tool does has another one, and is its own.
                    assert!(!waiters.tell(&about(device, "6291464")));
                    assert_eq!(waiters.tell(&about(device, "6291463")), device == "dm-3");
                    assert!(!waiters.tell(&about(device, "6291463")), "it is told once");
                }
            };
            tokio::join!(waiters.wait(3, 7, is_over), udev);
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
            // One that has not been told of yet is known when it is.
            assert_eq!(waiters.tell(&about("dm-3", "7")), !told || device != "dm-3");
        }
    }
}
