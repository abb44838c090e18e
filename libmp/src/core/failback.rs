//! `failback`: when I/O goes back to a better group.

use ::core::time::Duration;
use alloc::format;

use crate::config::settings::Failback;
use crate::core::desired;
use crate::core::effect::Outbox;
use crate::core::map::{Map, MapId, Observed};
use crate::core::notice::{Level, Notice};
use crate::core::path::PathId;
use crate::core::queueing::Phase as QueuePhase;
use crate::core::timers::Timer;
use crate::core::{Core, Phase};
use crate::dm::op::DmOp;
use crate::dm::status::GroupStatus;
use crate::types::Instant;

/// That I/O stays in a group which is not the best is said again after so long, at the earliest.
const SAID_AGAIN: Duration = Duration::from_mins(10);

impl Core {
    /// The best group, where I/O is not in it.
    pub(super) fn better_group(&self, map: &Map) -> Option<u32> {
        let observed = map.observed.as_ref()?;
        let best = desired::best_observed_group(map, observed, &self.members(map));
        best.filter(|best| *best != observed.current_group())
    }

    /// I/O is not in the best group: when may it go back?
    pub(super) fn plan_failback(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let better = self.better_group(&self.maps[&id]).is_some();
        let due = self.switch_stays_due(now, id, better);
        let map = &self.maps[&id];
        let timer = Timer::Failback(id);
        match (better, map.settings.failback) {
            (true, Failback::Deferred(after)) if self.timers.get(timer).is_none() => {
                self.timers.set(timer, now + after);
            }
            // A first path is back so soon after the last switch that its group has to wait.
            (true, Failback::Followover) if !due => {}
            (true, Failback::Immediate | Failback::Followover) => {
                if let Some(at) = map.switch.not_before.filter(|at| *at > now) {
                    self.timers.set(timer, at);
                }
            }
            (true, _) => {}
            (false, _) => self.timers.cancel(timer),
        }
        self.say_left_behind(now, id, (better, due), out);
    }

    /// I/O stays in a group that is not the best any more, as priorities have changed or paths are back. That is said once, until it moves
    /// or its group is the best again; who has moved it there knows. Priorities that come and go are not said all the time.
    fn say_left_behind(&mut self, now: Instant, id: MapId, (better, due): (bool, bool), out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.switch.known &= better;
        let soon = due || map.settings.failback == Failback::Immediate;
        let unsure = !map.rerated.is_empty() || self.phase != Phase::Running;
        let again = map.switch.said.map(|at| at + SAID_AGAIN).filter(|at| *at > now);
        if !better || map.switch.known || soon || unsure {
            return;
        }
        if let Some(again) = again {
            return self.timers.set_by(Timer::Retry(id), again);
        }
        let map = &self.maps[&id];
        let Some(what) = map.observed.as_ref().and_then(|observed| self.other_group(map, observed, now))
        else {
            return;
        };
        let text = format!("{}: {what}", map.kernel_name());
        out.notify(Notice::Other { level: Level::Notice, text });
        if let Some(map) = self.maps.get_mut(&id) {
            (map.switch.known, map.switch.said) = (true, Some(now));
        }
    }

    /// I/O goes to another group, and it was not this daemon that sent it there: the kernel, by itself or as another tool told it to.
    pub(super) fn follow_group(&mut self, id: MapId, op: &DmOp, was: Option<&Observed>, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let Some(observed) = &map.observed else { return map.switch.group = None };
        let groups = observed.table().map(|table| &table.groups);
        let same = was.and_then(Observed::table).map(|table| &table.groups) == groups;
        let (loads, switches) = match op {
            DmOp::Create { .. } | DmOp::Reload { .. } => (true, false),
            DmOp::Message { messages } => (false, messages.iter().any(|m| m.starts_with("switch_group"))),
            _ => (false, false),
        };
        // The kernel names the group that it was told to use, and calls it active only with the first I/O.
        let group = if switches { Some(observed.current_group()) } else { observed.group_in_use() };
        let before = map.switch.group;
        map.switch.group = if same && !loads { group.or(before) } else { group };
        let (Some(before), Some(group)) = (before, group) else { return };
        if same && !loads && !switches && before != group {
            let left = (before as usize).checked_sub(1).and_then(|left| observed.status()?.groups.get(left));
            let reason = if left.is_some_and(|left| left.paths.iter().all(|path| !path.active)) {
                "by the kernel, as the one before has no path left"
            } else {
                "not by this daemon"
            };
            map.switch.known = true;
            let map = map.kernel_name().clone();
            out.notify(Notice::GroupSwitched { map, group: group as usize, reason });
        }
    }

    /// Had this map's I/O gone to a group that has no usable path any more?
    pub(super) fn has_lost_its_group(&self, id: MapId, was: &Observed) -> bool {
        let Some(map) = self.maps.get(&id) else { return false };
        let group = (was.current_group() as usize).checked_sub(1);
        let rated = desired::rate_observed(was, &self.members(map));
        group.and_then(|group| rated.get(group)).is_some_and(|(_, usable)| *usable == 0)
    }

    /// A switch that is due was not made, as nothing is to be done now. Only `followover` has nobody who says again that it is
    /// due: it goes on being so while what it waits for is still to come.
    fn switch_stays_due(&mut self, now: Instant, id: MapId, better: bool) -> bool {
        let Some(map) = self.maps.get_mut(&id) else { return false };
        let too_soon = map.switch.not_before.is_some_and(|at| at > now);
        let waits = (better && too_soon) || map.message_backoff.blocks(now);
        map.switch.due &= waits && map.settings.failback == Failback::Followover;
        map.switch.due
    }

    pub(super) fn failback_due(&mut self, id: MapId) {
        if let Some(map) = self.maps.get_mut(&id) {
            map.switch.due = true;
            self.dirty.insert(id);
        }
    }

    /// `failback followover`: I/O goes back to a group as soon as its first path is there again. It was
    /// this host that had lost it; a group that another host has left is not gone back to, nor is one that is not the best.
    pub(super) fn follow_over(&mut self, id: PathId) {
        let Some(path) = self.paths.get(&id) else { return };
        let (devt, Some(map_id)) = (path.devt(), path.map()) else { return };
        let Some(map) = self.maps.get(&map_id) else { return };
        let usable = |devt| {
            map.members.iter().filter_map(|p| self.paths.get(p)).any(|p| p.devt() == devt && p.is_usable())
        };
        let Some(mut observed) = map.observed.clone() else { return };
        let groups = observed.status().map(|status| status.groups.as_slice()).unwrap_or_default();
        let has_it = |g: &GroupStatus| g.paths.iter().any(|p| p.devt == devt);
        let Some(mine) = groups.iter().position(has_it) else { return };
        let only = groups[mine].paths.iter().all(|p| p.devt == devt || !usable(p.devt));
        observed.set_active(devt, true);
        let members = self.members(map);
        let rated = desired::rate_observed(&observed, &members);
        let marginal = desired::marginal_observed(map, &observed, &members);
        let best = desired::best_observed_group(map, &observed, &members);
        // Its other paths, which may be as good, are not back yet: how many there are is no matter.
        let as_good = |best: usize| {
            let (is, of_best) = (rated[mine].0, rated[best].0);
            marginal[mine] <= marginal[best] && (is > of_best || (is == of_best && mine <= best))
        };
        let first = only && best.is_some_and(|best| as_good(best as usize - 1));
        if first
            && map.settings.failback == Failback::Followover
            && let Some(map) = self.maps.get_mut(&map_id)
        {
            map.switch.due = true;
        }
    }
}

/// May I/O be moved to a better group now?
pub(super) fn may_switch(map: &Map, now: Instant) -> bool {
    if map.switch.not_before.is_some_and(|until| until > now) || map.queue.phase != QueuePhase::Normal {
        return false;
    }
    match map.settings.failback {
        Failback::Immediate => true,
        Failback::Manual => false,
        Failback::Followover | Failback::Deferred(_) => map.switch.due,
    }
}
