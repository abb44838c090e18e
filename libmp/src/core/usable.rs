//! Counts the usable paths of a map, and with them begins and ends its queueing.

use crate::check::CheckState;
use crate::config::settings::FlushOnLastDel;
use crate::core::effect::Outbox;
use crate::core::map::{Map, MapId, Observed};
use crate::core::notice::Notice;
use crate::core::path::Path;
use crate::core::queueing::{Change, Clock};
use crate::core::timers::Timer;
use crate::core::{Core, Phase, map_state, unidentified};
use crate::dm::op::DmOp;
use crate::dm::table::Table;
use crate::types::Instant;

impl Core {
    /// Counts the usable paths of a map, and starts or ends its queueing.
    pub(super) fn count_usable(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        if !matches!(self.phase, Phase::Running | Phase::Stopping) {
            return;
        }
        self.review_unidentified(id, out);
        let Some(map) = self.maps.get(&id) else { return };
        // Before its paths have been probed and checked once, there is nothing to count.
        let too_early =
            (map.said_active.is_none() && map.hold_until.is_some()) || unidentified::is_unknown(map);
        let Some(observed) = map.observed.as_ref().filter(|_| !too_early) else { return };
        let open = observed.is_in_use();
        let usable = self.members(map).iter().filter(|p| counts(map, p)).count() + unidentified::active(map);
        // What is in its table and not known yet has not left.
        let empty = map.members.is_empty() && !map.unidentified.any_unknown();
        let Some(map) = self.maps.get_mut(&id) else { return };
        if map.said_active.is_some_and(|said| said != usable) {
            out.notify(Notice::ActivePaths { map: map.kernel_name().clone(), active: usable });
        }
        map.said_active = Some(usable);
        map.queue.ended = empty
            && match map.settings.flush_on_last_del {
                _ if map.queue.released => true,
                FlushOnLastDel::Always => true,
                FlushOnLastDel::Unused => !open,
                FlushOnLastDel::Never => false,
            };
        match map.queue.observe(now, usable) {
            Change::None => return self.review_queueing(now, id, out),
            Change::Lost => {
                map.stats.map_failures += 1;
                if !empty || open {
                    map_state::say_all_lost(map, out);
                }
            }
            Change::Back => {}
        }
        self.review_queueing(now, id, out);
        self.dirty.insert(id);
        if usable == 0 {
            self.call_held_back(now, id, out);
        }
    }

    /// Does I/O begin to wait for a path, or does it wait no longer?
    pub(super) fn review_queueing(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let interval = self.config.globals().polling_interval;
        let Some(map) = self.maps.get_mut(&id) else { return };
        match map.queue.review(now, &map.settings, interval) {
            Clock::None => {}
            Clock::Begun { until } => {
                if let Some(until) = until {
                    self.timers.set(Timer::Queueing(id), until);
                }
                if map.queue.wish(&map.settings) == Some(true) {
                    let seconds = until.map(|u| u.saturating_since(now).as_secs());
                    out.notify(Notice::QueueingStarted { map: map.kernel_name().clone(), seconds });
                }
            }
            Clock::Ended(lasted) => {
                map.stats.queue_time += lasted;
                self.timers.cancel(Timer::Queueing(id));
            }
        }
    }

    pub(super) fn queueing_over(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        if map.queue.expire() {
            map.stats.queue_timeouts += 1;
            self.review_queueing(now, id, out);
            self.dirty.insert(id);
        }
    }

    /// An operation of ours has a map queue no more: that is said where it is so, whyever, and once.
    pub(super) fn say_queueing_ended(
        &self,
        id: MapId,
        op: &DmOp,
        (was, is): (Option<&Observed>, Option<&Observed>),
        out: &mut Outbox,
    ) {
        let queues = |observed: Option<&Observed>| observed.and_then(Observed::table).map(Table::queues);
        let told = matches!(op, DmOp::Message { .. } | DmOp::Reload { .. });
        let Some(map) = self.maps.get(&id).filter(|_| told) else { return };
        if (queues(was), queues(is)) == (Some(true), Some(false)) {
            let reason = map.queue.why_ended(&map.settings, self.phase == Phase::Stopping);
            out.notify(Notice::QueueingStopped { map: map.kernel_name().clone(), reason });
        }
    }
}

/// Does a path count as one that the map can use? One whose answer is awaited counts as it last did; one that the kernel has failed, and
/// that is to say who it is before it is used again, does not.
pub(super) fn counts(map: &Map, path: &Path) -> bool {
    let active = map.observed.as_ref().and_then(|o| o.path_active(path.devt()));
    match path.health.state {
        CheckState::Pending | CheckState::Unchecked => active == Some(true),
        state => {
            let serves = active.is_some_and(|active| active || path.may_be_used());
            state.is_usable() && serves && path.steadiness.is_reliable()
        }
    }
}
