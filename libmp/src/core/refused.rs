//! Paths that the kernel does not take into a table: something else has them open exclusively, they
//! are going away, or they are too small. One such path must not keep the others of its map out. Where
//! something else has one open, none of the others makes a new map: that would be the same LUN twice.
//!
//! Nor must one whose check hangs: where its host recovers from errors, the kernel waits for the end of that before it has the
//! path open, and the table with all that are new waits, too.

use ::core::time::Duration;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::check::CheckState;
use crate::core::Core;
use crate::core::desired;
use crate::core::effect::Outbox;
use crate::core::event::DmFailure;
use crate::core::map::{Map, MapId, Observed};
use crate::core::notice::{Level, Notice};
use crate::core::path::{Path, PathId};
use crate::core::timers::Timer;
use crate::dm::op::{DmOp, Load};
use crate::dm::table::Table;
use crate::types::{DevT, Errno, Instant};

/// So many loads must have failed in a row before a path is blamed: once is an accident.
pub(super) const FAILURES: u32 = 2;

/// A path that was refused is tried again after so long.
const AGAIN: Duration = Duration::from_mins(1);

/// The kernel refused a table with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub errno: Errno,
    /// Not before then is it tried again.
    pub until: Instant,
}

impl Core {
    /// The members that the next table may have: all that are in the live one, and those that are new,
    /// can be opened and were not refused lately; one of these, while it is being found out which one is refused. That is
    /// one of use, if there is any: no table is loaded for the sake of one that may be another LUN. Where the map becomes
    /// read-only, or writable again, the kernel opens every path anew, and those in the table that it can't open are left out.
    /// A new one that does not answer waits, where others serve.
    pub(super) fn admitted<'a>(map: &Map, members: &[&'a Path], now: Instant) -> Vec<&'a Path> {
        let opens =
            |path: &Path| path.refused.is_none_or(|refused| refused.until <= now) && !path.health.closed;
        let serves = |path: &&Path| path.is_usable() && !path.is_silent() && opens(path);
        let table = map.observed.as_ref().filter(|observed| observed.table().is_some());
        let others = table.is_some_and(|table| table.active_paths() > 0 || members.iter().any(serves));
        let may_try = |path: &Path| opens(path) && !(others && path.is_silent());
        let is_new = |path: &&Path| !is_live(map, path) && may_try(path);
        let anew = map.read_only().is_some_and(|was| was != desired::read_only(map, members));
        let mut new = members.iter().copied().filter(is_new);
        let first = new.clone().find(|path| path.may_be_used()).or_else(|| new.next()).map(|path| path.id);
        let admitted = |path: &&Path| {
            (is_live(map, path) && !(anew && path.health.closed))
                || (may_try(path) && (!map.one_by_one || first == Some(path.id)))
        };
        members.iter().copied().filter(admitted).collect()
    }

    /// A table was not taken. Says if that is put down to one of its paths: then the next plan, without
    /// it or with fewer, need not wait.
    pub(super) fn load_refused(
        &mut self,
        now: Instant,
        id: MapId,
        op: &DmOp,
        failure: &DmFailure,
        out: &mut Outbox,
    ) -> bool {
        let (DmOp::Create { load, .. } | DmOp::Reload { load, .. }) = op else { return false };
        if self.handler_refused(id, load, failure, out) {
            return true;
        }
        if failure.step == "resume" && failure.errno == Errno::EINVAL {
            self.measure(id, load, out);
            return false;
        }
        let blamed = [Errno::EBUSY, Errno::EINVAL, Errno::ENXIO, Errno::ENODEV, Errno::EACCES];
        let Some(map) = self.maps.get_mut(&id) else { return false };
        if failure.step != "load" || !blamed.contains(&failure.errno) || map.backoff.failures < FAILURES {
            return false;
        }
        if matches!(op, DmOp::Create { .. }) && failure.errno == Errno::EBUSY {
            return false; // a map of the others would look unused, while the LUN is mounted through this one
        }
        let asked = devices(load);
        let new: Vec<PathId> = map
            .members
            .iter()
            .filter_map(|p| self.paths.get(p))
            .filter(|p| asked.contains(&p.devt()) && !is_live(map, p))
            .map(|p| p.id)
            .collect();
        match new.as_slice() {
            // Without it there would be no table at all: it is the map's failure.
            [_] if map.members.len() == 1 => return false,
            [one] => {
                let Some(path) = self.paths.get_mut(one) else { return false };
                let refused = Refused { errno: failure.errno, until: now + AGAIN };
                if path.refused.replace(refused).is_none() {
                    out.notify(Notice::PathNotTaken {
                        map: map.kernel_name().clone(),
                        path: path.name.clone(),
                        error: failure.errno.to_string(),
                    });
                }
            }
            [] => return false,
            _ => map.one_by_one = true,
        }
        map.backoff.clear();
        self.dirty.insert(id);
        true
    }

    /// The kernel has measured the disks of a table that was to become the live one, and one is too short for it, most likely. It knows
    /// their sizes: each is read, and the next table is made by what they tell.
    fn measure(&mut self, id: MapId, load: &Load, out: &mut Outbox) {
        let Some(map) = self.maps.get(&id) else { return };
        let loaded = devices(load);
        let unasked = |path: &&&Path| path.probe.is_none() && loaded.contains(&path.devt());
        let asked: Vec<PathId> = self.members(map).iter().filter(unasked).map(|path| path.id).collect();
        for path in asked {
            self.start_probe(path, out);
        }
    }

    /// Can it be that a handler which nobody has configured, and no path has, can't be attached? Its module may be missing, or the
    /// array not be what it looks like. The map does without it then.
    fn handler_refused(&mut self, id: MapId, load: &Load, failure: &DmFailure, out: &mut Outbox) -> bool {
        let blamed = [Errno::EINVAL, Errno::ENODEV, Errno::ENXIO];
        let Some(map) = self.maps.get_mut(&id) else { return false };
        let members: Vec<&Path> = map.members.iter().filter_map(|p| self.paths.get(p)).collect();
        let attached = |path: &&Path| path.facts.as_ref().is_some_and(|facts| facts.dh_state.is_some());
        let Some(handler) = desired::of_array(map, &members).filter(|_| !members.iter().any(attached)) else {
            return false;
        };
        let named = load.params.parse::<Table>().is_ok_and(|table| table.handler == [handler]);
        let failed = failure.step.starts_with("load") && blamed.contains(&failure.errno);
        if !named || !failed || map.backoff.failures < FAILURES {
            return false;
        }
        map.handler_refused = true;
        map.backoff.clear();
        let text = format!(
            "{}: the kernel's handler {handler} can't be attached, the map does without it",
            map.kernel_name()
        );
        out.notify(Notice::Other { level: Level::Warning, text });
        self.dirty.insert(id);
        true
    }

    /// Paths that were refused and are in the kernel's table now are as good as any; the others are
    /// tried again in their time.
    pub(super) fn review_refused(&mut self, now: Instant, id: MapId) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let mut outside = 0;
        let mut next: Option<Instant> = None;
        for member in &map.members {
            let Some(path) = self.paths.get_mut(member) else { continue };
            if map.observed.as_ref().is_some_and(|o| o.path_active(path.devt()).is_some()) {
                path.refused = None;
            } else if let Some(until) = path.refused.map(|refused| refused.until).filter(|until| *until > now)
            {
                next = Some(next.map_or(until, |next| next.min(until)));
            } else {
                outside += 1;
            }
        }
        map.one_by_one &= outside > 1;
        if let Some(next) = next
            && self.timers.get(Timer::Retry(id)).is_none_or(|at| at > next)
        {
            self.timers.set(Timer::Retry(id), next);
        }
    }
}

impl Path {
    /// Why no table is loaded with it, though nobody has refused it; `None` where one may be.
    pub(super) const fn left_out(&self) -> Option<&'static str> {
        if self.health.closed {
            Some("it can't be opened")
        } else if self.is_silent() {
            Some("its check is not answered")
        } else {
            None
        }
    }

    /// Does its first check, or the one after it had hung, wait for its answer? What an operator has said of it meanwhile is none.
    pub(super) const fn is_silent(&self) -> bool {
        let health = &self.health;
        let unknown =
            matches!(health.state, CheckState::Unchecked | CheckState::Pending | CheckState::Timeout);
        health.stuck.is_some() || ((unknown || health.held_down) && health.inflight.is_some())
    }
}

/// The devices of a table.
fn devices(load: &Load) -> Vec<DevT> {
    load.params.split(' ').filter_map(|word| word.parse().ok()).collect()
}

pub(super) fn is_live(map: &Map, path: &Path) -> bool {
    map.observed.as_ref().and_then(|o: &Observed| o.path_active(path.devt())).is_some()
}
