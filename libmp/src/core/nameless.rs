//! Disks that udev has not looked at yet, but that say themselves whose they are. No map of such a LUN is begun without them: where
//! something else has one open, the kernel refuses a table with it, and a map of the others would be the same LUN a second time, and
//! look unused. So it is while disks are being read. A map that is there takes what comes, and waits for none of them.
//!
//! Nor is a LUN kept from its users for long: udev is asked once more, and waited for so long.

use ::core::time::Duration;
use alloc::vec::Vec;

use crate::core::Core;
use crate::core::effect::Outbox;
use crate::core::map::{Map, MapId};
use crate::core::membership::HOLD_LIMIT;
use crate::core::path::{PathId, Udev};
use crate::core::timers::Timer;
use crate::identify::{self, RawProbe};
use crate::types::{Instant, PathName};

/// The longest that udev is waited for, however late it is to be asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Core {
    /// udev has not said who this disk is. A map of its LUN that is about to be made waits for that.
    pub(super) fn await_name(&mut self, now: Instant, id: PathId, raw: &RawProbe) {
        let Some(path) = self.paths.get(&id).filter(|path| path.udev == Udev::Awaited) else { return };
        let Ok(wwid) = identify::from_device(raw) else { return };
        if path.nameless.as_ref() == Some(&wwid) {
            return; // what is waited for does not begin anew with each look at it
        }
        self.forget_nameless(id); // it is of this LUN now, and of none before
        if let Some(path) = self.paths.get_mut(&id) {
            path.nameless = Some(wwid.clone());
        }
        let map = self.map_by_wwid(&wwid).filter(|map| map.hold_until.is_some() && map.observed.is_none());
        let map = map.map(|map| map.id);
        self.nameless.insert((wwid, id), now);
        if let Some(map) = map {
            self.hold(now, map);
        }
    }

    /// It is somebody by now, or gone.
    pub(super) fn forget_nameless(&mut self, id: PathId) {
        if let Some(wwid) = self.paths.get_mut(&id).and_then(|path| path.nameless.take()) {
            self.named.extend(self.by_wwid.get(&wwid));
            self.nameless.remove(&(wwid, id));
        }
    }

    /// Nothing is made of a map until its disks are known, for so long at the most. A path that joins is waited for, but nobody waits
    /// for a disk that is not named any longer than from when it was first seen.
    pub(super) fn hold(&mut self, now: Instant, id: MapId) {
        let named = self.maps.get(&id).and_then(|map| self.names_until(map));
        let Some(map) = self.maps.get_mut(&id) else { return };
        let until = named.unwrap_or(now).max(now + HOLD_LIMIT);
        map.hold_until = Some(until);
        self.timers.set(Timer::Hold(id), until);
    }

    /// How long a map that is to be made waits for names of its disks.
    fn names_until(&self, map: &Map) -> Option<Instant> {
        let udev = self.config.globals().retrigger_delay.min(LONGEST_WAIT);
        let last = self.nameless_of(map).map(|(_, since)| since).max()?;
        map.observed.is_none().then_some(last + HOLD_LIMIT + udev)
    }

    /// Disks that say that they are of this LUN, and since when it is known.
    fn nameless_of(&self, map: &Map) -> impl Iterator<Item = (PathId, Instant)> {
        let all = self.nameless.range((map.wwid.clone(), PathId(0))..);
        all.take_while(|((wwid, _), _)| *wwid == map.wwid).map(|((_, id), since)| (*id, *since))
    }

    /// Their names.
    pub(super) fn nameless_disks(&self, map: &Map) -> Vec<&PathName> {
        self.nameless_of(map).filter_map(|(id, _)| Some(&self.paths.get(&id)?.name)).collect()
    }

    /// Is it to be made, and a disk of it not named yet, or one that nobody has read yet, which may be of its LUN? It is looked at again then.
    pub(super) fn await_disks(&mut self, now: Instant, id: MapId) -> bool {
        let Some(map) = self.maps.get(&id).filter(|map| map.observed.is_none()) else { return false };
        let reads = self.waiting.probes();
        let awaits = reads || self.names_until(map).is_some_and(|until| until > now);
        if reads {
            self.unread.insert(id);
        }
        awaits
    }

    /// A map is there: it waits for the first checks of those that have just joined, and for no name.
    pub(super) fn await_no_name(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let until = now + HOLD_LIMIT;
        let Some(map) = self.maps.get_mut(&id).filter(|map| map.observed.is_some()) else { return };
        if map.hold_until.is_some_and(|at| at > until) {
            map.hold_until = Some(until);
            self.timers.set(Timer::Hold(id), until);
        }
        self.end_hold_if_checked(now, id, out);
    }

    /// Disks were read, or named, or are gone: are there maps that nothing is to be awaited for any more?
    pub(super) fn end_holds(&mut self, now: Instant, out: &mut Outbox) {
        let mut over = core::mem::take(&mut self.named);
        if !self.unread.is_empty() && !self.waiting.probes() {
            over.append(&mut self.unread);
        }
        for map in over {
            self.end_hold_if_checked(now, map, out);
        }
    }
}
