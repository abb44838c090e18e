//! What several steps are about to touch is touched once before them, all of it at a time.
//!
//! Of a hundred thousand paths each lies somewhere else, and a step that finds its path nowhere near waits for memory several
//! times, each time for one thing. A processor that has nothing to do but to fetch fetches many things at once.
//! Nothing is decided here and nothing changes: without it all is the same, and slower.

use ::core::hint::black_box;

use crate::core::Core;
use crate::core::event::Event;
use crate::core::path::{Path, PathId};
use crate::core::table::Table;
use crate::core::timers::{Timer, Timers};
use crate::core::waiting::Awaited;
use crate::types::Instant;

/// So many at a time: what is touched for them is not much beside a processor's nearest cache.
pub const AHEAD: usize = 16;

impl Core {
    /// These are the next events, of which the first are foreseen.
    pub fn foresee(&self, events: &[Event]) {
        let checked = |event: &Event| match event {
            Event::Checked { token, .. } => match self.waiting.get(*token) {
                Some(Awaited::Check(id)) => Some(id),
                _ => None,
            },
            _ => None,
        };
        glance(&self.paths, &self.timers, events.iter().take(AHEAD).filter_map(checked));
    }

    /// The timers that are due come next.
    pub(super) fn foresee_due(&mut self, now: Instant) {
        self.timers.sort_due(now);
        let due = self.timers.due_next(now, AHEAD).iter().filter_map(|timer| match timer {
            Timer::Check(id) => Some(*id),
            _ => None,
        });
        glance(&self.paths, &self.timers, due.clone());
        let name = |id: PathId| self.paths.glance(id)?.name.as_str().as_bytes().first();
        black_box(due.clone().filter_map(name).fold(0, |all, one| all ^ one));
        let look = |id: PathId| {
            let path = self.paths.glance(id)?;
            let calm = path.health.calm.as_ref().filter(|calm| calm.look_at <= now)?;
            let map = self.maps.glance(path.map()?)?;
            let known = map.looked_like.as_ref().map_or(0, |known| known.event_nr);
            let rest = u64::from(map.inflight.is_some()) ^ u64::from(map.observed.is_some());
            Some(calm.epoch ^ map.looked_at?.as_micros() ^ u64::from(known) ^ rest)
        };
        black_box(due.filter_map(look).fold(0, |all, one| all ^ one));
    }
}

/// What a routine check touches of a path: one thing in each line of the processor's cache (see `core/path.rs`).
fn glance(paths: &Table<PathId, Path>, timers: &Timers, ids: impl Iterator<Item = PathId>) {
    let touched = ids.map(|id| {
        let Some(path) = paths.glance(id) else { return 0 };
        let Path { health, stats, .. } = path;
        let timer = timers.get(Timer::Check(id)).map_or(0, Instant::as_micros);
        let calm = health.calm.as_ref().map_or(0, |calm| calm.epoch);
        let token = health.inflight.map_or(0, |token| token.0);
        timer ^ calm ^ token ^ u64::from(health.round.requests()) ^ stats.checks
    });
    black_box(touched.fold(0, |all, one| all ^ one));
}
