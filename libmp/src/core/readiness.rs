//! When a map that was made of standby paths alone is shown to its users (`ghost_delay`): I/O at once would have the array
//! move the LUN to another controller, though better paths are on their way.

use ::core::time::Duration;
use alloc::collections::BTreeSet;

use crate::check::CheckState;
use crate::core::Core;
use crate::core::map::{Map, MapId};
use crate::core::path::Path;
use crate::core::timers::Timer;
use crate::dm::op::UdevFlags;
use crate::types::{Instant, Wwid};

/// What udev's rules were told of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Readiness {
    /// Not by this daemon: a map that it has found, or is yet to make.
    #[default]
    Unknown,
    /// It may be used.
    Ready,
    /// That it may not be, up to then.
    Withheld(Instant),
    /// That it may not be, and it may: the next table says so.
    Due,
}

impl Readiness {
    /// May nobody use it yet?
    pub const fn is_withheld(self) -> bool {
        matches!(self, Self::Withheld(_))
    }
}

fn any(members: &[&Path], state: CheckState) -> bool {
    members.iter().any(|path| path.health.state == state)
}

impl Core {
    /// For how long a map may be withheld. Nobody would show it later where no daemon stays.
    fn ghost_delay(&self, map: &Map) -> Option<Duration> {
        map.settings.ghost_delay.filter(|delay| self.resident && !delay.is_zero())
    }

    /// Is a map of these paths withheld?
    pub(super) fn withholds(&self, map: &Map, members: &[&Path]) -> bool {
        let standby = any(members, CheckState::Ghost) && !any(members, CheckState::Up);
        standby && self.ghost_delay(map).is_some()
    }

    /// A table is live, of which udev's rules were told this.
    pub(super) fn told_ready(&mut self, now: Instant, id: MapId, flags: UdevFlags) {
        let delay = self.maps.get(&id).and_then(|map| self.ghost_delay(map));
        let Some(map) = self.maps.get_mut(&id) else { return };
        match (map.readiness, delay) {
            (Readiness::Unknown, Some(delay)) if flags.no_paths => {
                map.readiness = Readiness::Withheld(now + delay);
                self.timers.set(Timer::Ready(id), now + delay);
            }
            (Readiness::Unknown | Readiness::Due, _) if !flags.reload => {
                (map.readiness, map.unready) = (Readiness::Ready, false);
            }
            _ => {}
        }
    }

    /// All maps were listed: of some, udev's rules do not say that they may be used.
    pub(super) fn doubt_readiness(&mut self, unready: &BTreeSet<Wwid>) {
        for map in self.maps.values_mut() {
            map.unready = unready.contains(&map.wwid);
            if map.unready && map.readiness == Readiness::Ready {
                map.readiness = Readiness::Unknown;
                self.dirty.insert(map.id);
            }
        }
    }

    /// Is a map to be shown now? One that is found may have been withheld by a daemon before.
    pub(super) fn review_readiness(&mut self, now: Instant, id: MapId) {
        let Some(map) = self.maps.get(&id) else { return };
        let Some(observed) = map.observed.as_ref().filter(|observed| observed.table().is_some()) else {
            return;
        };
        if map.hold_until.is_some() {
            return;
        }
        let delay = self.ghost_delay(map);
        let members = self.members(map);
        let next = match (map.readiness, delay) {
            // Nobody else will tell udev: its event is lost, as happens where udev is ended with events in its queue.
            (Readiness::Unknown, None) if map.unready && members.is_empty() => return,
            (Readiness::Unknown, None) if map.unready && members.iter().any(|path| path.rules.claim()) => {
                let active = |path: &&Path| observed.path_active(path.devt()) == Some(true);
                if !members.iter().any(active) {
                    return;
                }
                Readiness::Due
            }
            (Readiness::Unknown, None) => Readiness::Ready,
            (Readiness::Unknown, Some(_)) if members.is_empty() => return,
            (Readiness::Unknown, Some(delay)) if self.withholds(map, &members) => {
                Readiness::Withheld(now + delay)
            }
            (Readiness::Unknown, Some(_)) => Readiness::Due,
            (Readiness::Withheld(until), delay) => {
                if until > now && delay.is_some() && !any(&members, CheckState::Up) {
                    return;
                }
                Readiness::Due
            }
            (Readiness::Ready | Readiness::Due, _) => return,
        };
        match next {
            Readiness::Withheld(until) => self.timers.set(Timer::Ready(id), until),
            _ => self.timers.cancel(Timer::Ready(id)),
        }
        if let Some(map) = self.maps.get_mut(&id) {
            map.readiness = next;
        }
    }
}
