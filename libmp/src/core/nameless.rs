//! Disks that udev has not looked at yet, but that say themselves whose they are. No map of such a LUN is begun without them: where
//! something else has one open, the kernel refuses a table with it, and a map of the others would be the same LUN a second time, and
//! look unused. So it is while disks are being read. A map that is there takes what comes, and waits for none of them.
//!
//! Nor is a LUN kept from its users for long: udev is asked once more, and waited for so long.

use ::core::time::Duration;

use crate::core::Core;
use crate::core::effect::Outbox;
use crate::core::map::{Map, MapId};
use crate::core::membership::HOLD_LIMIT;
use crate::core::path::{PathId, Udev};
use crate::core::timers::Timer;
use crate::identify::{self, RawProbe};
use crate::types::{Instant, Wwid};

/// The longest that udev is waited for, however late it is to be asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Core {
    /// udev has not said who this disk is. A map of its LUN that is about to be made waits for that.
    pub(super) fn await_name(&mut self, now: Instant, id: PathId, raw: &RawProbe) {
        let Some(path) = self.paths.get_mut(&id).filter(|path| path.udev == Udev::Awaited) else { return };
        let Ok(wwid) = identify::from_device(raw) else { return };
        path.nameless = Some(wwid.clone());
        let map = self.by_wwid.get(&wwid).copied().filter(|_| !self.nameless.contains(&(wwid.clone(), id)));
        self.nameless.insert((wwid, id));
        if let Some(map) = map.filter(|id| self.maps.get(id).is_some_and(|map| map.hold_until.is_some())) {
            self.hold(now, map);
        }
    }

    /// It is somebody by now, or gone.
    pub(super) fn is_named(&mut self, id: PathId) {
        if let Some(wwid) = self.paths.get_mut(&id).and_then(|path| path.nameless.take()) {
            self.nameless.remove(&(wwid, id));
        }
    }

    /// Nothing is made of a map until its disks are known, for so long at the most.
    pub(super) fn hold(&mut self, now: Instant, id: MapId) {
        let udev = self.config.globals().retrigger_delay.min(LONGEST_WAIT);
        let more = self.maps.get(&id).is_some_and(|map| self.awaits_name(map));
        let Some(map) = self.maps.get_mut(&id) else { return };
        let until = now + HOLD_LIMIT + if more { udev } else { Duration::ZERO };
        map.hold_until = Some(until);
        self.timers.set(Timer::Hold(id), until);
    }

    /// Is it to be made, and a disk of it not named yet?
    fn awaits_name(&self, map: &Map) -> bool {
        let from = (map.wwid.clone(), PathId(0));
        map.observed.is_none()
            && self.nameless.range(from..).next().is_some_and(|(wwid, _)| *wwid == map.wwid)
    }

    /// The same, or one that nobody has read yet, which may be of its LUN.
    pub(super) fn awaits_disks(&mut self, id: MapId) -> bool {
        let Some(map) = self.maps.get(&id).filter(|map| map.observed.is_none()) else { return false };
        let reads = self.waiting.probes();
        let awaits = reads || self.awaits_name(map);
        if reads {
            self.unread.insert(id);
        }
        awaits
    }

    /// A disk was read, or is gone, that may have been of this LUN: are there maps that nothing is to be awaited for any more?
    pub(super) fn end_holds(&mut self, now: Instant, was: Option<&Wwid>, out: &mut Outbox) {
        if let Some(map) = was.and_then(|wwid| self.by_wwid.get(wwid).copied()) {
            self.end_hold_if_checked(now, map, out);
        }
        if !self.waiting.probes() {
            for map in core::mem::take(&mut self.unread) {
                self.end_hold_if_checked(now, map, out);
            }
        }
    }
}
