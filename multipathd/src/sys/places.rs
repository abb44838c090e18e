//! Who may have a connection: so many of a user, so many of all. Who says nothing makes way for who comes: connections that
//! leak, or are hoarded, lock nobody out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

const PLACES_MAX: usize = 256;
const OF_OTHERS_MAX: usize = 128;
const OF_A_USER_MAX: usize = 32;
const ROOT: u32 = 0;

/// The connections that there are.
#[derive(Debug, Default)]
pub struct Places(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// One more with every connection, and every time that one has nothing to do.
    clock: u64,
    connections: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    uid: u32,
    /// Since when it has had nothing to do.
    idle: Option<u64>,
    leave: Arc<Notify>,
}

impl Held {
    fn count(&self, which: impl Fn(u32) -> bool) -> usize {
        self.connections.values().filter(|connection| which(connection.uid)).count()
    }

    /// A place for a user: a free one, or that of who has had nothing to do for longest.
    fn admit(&mut self, uid: u32) -> Option<(u64, Arc<Notify>)> {
        let full = if uid == ROOT {
            (self.connections.len() >= PLACES_MAX).then_some(None)
        } else if self.count(|of| of == uid) >= OF_A_USER_MAX {
            Some(Some(uid))
        } else {
            let others = self.count(|of| of != ROOT);
            (others >= OF_OTHERS_MAX || self.connections.len() >= PLACES_MAX).then_some(None)
        };
        if let Some(of) = full {
            self.dismiss(|other| match of {
                Some(user) => other == user,
                // Root's make way for root's alone.
                None => uid == ROOT || other != ROOT,
            })?;
        }
        self.clock += 1;
        let leave = Arc::<Notify>::default();
        self.connections.insert(self.clock, Connection { uid, idle: Some(self.clock), leave: leave.clone() });
        Some((self.clock, leave))
    }

    /// Has one leave that does nothing.
    fn dismiss(&mut self, whose: impl Fn(u32) -> bool) -> Option<()> {
        let idle = self.connections.iter().filter(|(_, connection)| whose(connection.uid));
        let (_, id) = idle.filter_map(|(id, connection)| Some((connection.idle?, *id))).min()?;
        self.connections.remove(&id)?.leave.notify_one();
        Some(())
    }
}

impl Places {
    /// A place for a connection of this user; it is free again when dropped. `None`: all are at work.
    pub fn admit(self: &Arc<Self>, uid: u32) -> Option<Place> {
        let (id, leave) = self.lock().admit(uid)?;
        Some(Place { places: self.clone(), id, leave })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    id: u64,
    leave: Arc<Notify>,
}

impl Place {
    /// From now on something is done for it. False: it has been told to make way.
    pub fn at_work(&self) -> bool {
        self.set_idle(|_| None)
    }

    /// From now on it waits for its client.
    pub fn idle(&self) {
        let _ = self.set_idle(Some);
    }

    /// Waits until it is to make way.
    pub async fn dismissed(&self) {
        self.leave.notified().await;
    }

    fn set_idle(&self, idle: impl Fn(u64) -> Option<u64>) -> bool {
        let mut held = self.places.lock();
        held.clock += 1;
        let now = held.clock;
        let connection = held.connections.get_mut(&self.id);
        connection.is_some_and(|connection| {
            connection.idle = idle(now);
            true
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().connections.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(places: &Arc<Places>, uid: u32) -> Option<Place> {
        places.admit(uid).filter(Place::at_work)
    }

    #[test]
    fn a_user_gets_so_many_connections_and_root_always_has_some() {
        let places = Arc::<Places>::default();
        let of_one: Vec<Place> = (0..OF_A_USER_MAX).map(|_| busy(&places, 1000).expect("room")).collect();
        assert!(places.admit(1000).is_none() && places.admit(1001).is_some() && places.admit(ROOT).is_some());
        let mut all = of_one;
        all.extend(
            (1001..1004)
                .flat_map(|uid| (0..OF_A_USER_MAX).map(move |_| uid))
                .map(|uid| busy(&places, uid).expect("room")),
        );
        assert!(places.admit(2000).is_none() && places.admit(ROOT).is_some());
        drop(all);
        assert!(places.admit(1000).is_some());
    }

    #[test]
    fn who_says_nothing_makes_way() {
        let places = Arc::<Places>::default();
        let hoard: Vec<Place> = (0..OF_A_USER_MAX).map(|_| places.admit(1000).expect("room")).collect();
        hoard[0].idle(); // it was at work meanwhile: the next one is the oldest
        let _honest = places.admit(1000).expect("a place of the hoard");
        assert!(!places.lock().connections.contains_key(&hoard[1].id));
        assert!(!hoard[1].at_work() && hoard[2].at_work(), "its request that came meanwhile is not served");
        hoard[2].idle();
        assert!(places.lock().connections.contains_key(&hoard[0].id));
        // Root's connections don't make way for others', and theirs do for root's.
        let roots: Vec<Place> = (0..PLACES_MAX).map(|_| places.admit(ROOT).expect("room")).collect();
        assert!(places.admit(2000).is_none() && places.admit(ROOT).is_some());
        assert!(places.lock().connections.values().all(|connection| connection.uid == ROOT));
        drop(roots);
        drop(hoard);
        assert!(places.lock().connections.is_empty());
    }
}
