//! The core's memory → a [`View`]. Nothing is asked of anybody.

use ::core::time::Duration;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::check::CheckState;
use crate::core::map::{Map, Observed};
use crate::core::path::{Exclusion, Path, Standing};
use crate::core::queueing::Phase as QueuePhase;
use crate::core::{Core, Phase, desired};
use crate::show::view::{
    DaemonState, DeviceView, DmPathState, GroupView, InitState, MapView, PathView, Queueing, View,
};
use crate::types::{DevT, Instant, Wwid};

impl Core {
    /// Everything, as it stands.
    pub fn view(&self, now: Instant) -> View {
        let mut paths: Vec<&Path> = self.paths.values().filter(|p| is_shown(p)).collect();
        paths.sort_by_cached_key(|p| p.order());
        let mut maps: Vec<(DevT, &Map)> =
            self.maps.values().filter_map(|m| Some((m.observed.as_ref()?.devt, m))).collect();
        maps.sort_by_key(|(devt, _)| *devt);
        View {
            pid: self.pid,
            daemon: self.daemon_state(),
            busy: self.is_busy(),
            pending_reconfigure: self.loading || self.reconfigure_again,
            paths: paths.into_iter().filter_map(|p| self.path_view(now, p)).collect(),
            maps: maps.into_iter().map(|(_, map)| self.map_view(now, map)).collect(),
            devices: self.devices(),
            native: self.native.spaces.clone(),
        }
    }

    fn daemon_state(&self) -> DaemonState {
        match self.phase {
            Phase::Loading | Phase::Enumerating | Phase::Settling => DaemonState::Configure,
            Phase::Stopping => DaemonState::Shutdown,
            Phase::Running if self.paths.values().any(|p| p.health.inflight.is_some()) => {
                DaemonState::Running
            }
            Phase::Running => DaemonState::Idle,
        }
    }

    /// Has everything been done that can be done for now, and every path of a map been checked? What hangs is not waited
    /// for.
    pub fn is_at_rest(&self) -> bool {
        let asked = |p: &Path| {
            let hangs = p.health.stuck.is_some();
            let unchecked = p.map().is_some() && p.health.state == CheckState::Unchecked;
            !hangs && (p.health.inflight.is_some() || unchecked)
        };
        !self.native.reading
            && !self.is_busy()
            && self.dirty.is_empty()
            && !self.is_saving()
            && !self.paths.values().any(asked)
    }

    /// Are uevents being worked on?
    fn is_busy(&self) -> bool {
        self.phase != Phase::Running
            || self.paths.values().any(|p| p.probe.is_some())
            || self.maps.values().any(|m| m.hold_until.is_some() || m.inflight.is_some())
    }

    fn devices(&self) -> Vec<DeviceView> {
        let view = |p: &Path| DeviceView {
            name: p.name.clone(),
            blacklisted: matches!(&p.standing, Standing::Excluded(Exclusion::Blacklisted(r)) if r.kind == "devnode"),
            monitored: is_shown(p),
        };
        self.paths.values().map(view).collect()
    }

    /// None of what has not been probed.
    fn path_view(&self, now: Instant, path: &Path) -> Option<PathView> {
        let map = path.map().and_then(|id| self.maps.get(&id));
        // Checks of a map that somebody has removed go on, for the next time it is made; it is not shown what they find.
        let away = map.is_some_and(|map| map.orders.stay_away && map.observed.is_none());
        let map = map.filter(|map| map.observed.is_some());
        let observed = map.and_then(|m| m.observed.as_ref());
        let dm_state = match observed.and_then(|o| o.path_active(path.devt())) {
            None => DmPathState::Undef,
            Some(true) => DmPathState::Active,
            Some(false) => DmPathState::Failed,
        };
        Some(PathView {
            facts: path.facts.clone()?,
            wwid: path.wwid().cloned().unwrap_or_else(|| Wwid::new("")),
            dm_state,
            offline: path.health.offline,
            check_state: if away { CheckState::Unchecked } else { path.health.state },
            checker: path.settings.is_some().then_some(path.health.checker.as_str()).filter(|_| !away),
            next_check: map.map(|_| next_check(now, path)),
            priority: path.health.priority,
            marginal: path.steadiness.is_marginal(),
            map: map.map(|m| m.kernel_name().clone()),
            init: init_state(path),
            failures: path.stats.failures,
            vpd_data: vendor_text(path),
        })
    }

    fn map_view(&self, now: Instant, map: &Map) -> MapView {
        let mut members: Vec<&Path> = map.members.iter().filter_map(|p| self.paths.get(p)).collect();
        members.sort_by_key(|p| p.order());
        let observed = map.observed.as_ref();
        let table = observed.and_then(Observed::table);
        MapView {
            name: map.kernel_name().clone(),
            wwid: map.wwid.clone(),
            devt: observed.map(|o| o.devt),
            sectors: observed.and_then(Observed::sectors).unwrap_or(0),
            read_only: observed.map(|o| o.read_only),
            first: members.first().and_then(|p| p.facts.clone()),
            features: table.map_or_else(|| "0".into(), crate::dm::table::Table::features_text),
            handler: table.map_or_else(|| "0".into(), crate::dm::table::Table::handler_text),
            suspended: observed.is_some_and(|o| o.suspended),
            failback: map.settings.failback,
            failback_in_s: self
                .timers
                .get(crate::core::timers::Timer::Failback(map.id))
                .map(|at| at.saturating_since(now).as_secs()),
            queueing: queueing(now, map),
            action: map.action,
            path_faults: map.stats.path_faults,
            switch_group: map.stats.switch_group,
            map_loads: map.stats.map_loads,
            total_queue_time_s: queue_time(now, map),
            queue_timeouts: map.stats.queue_timeouts,
            failures: map.stats.map_failures,
            groups: observed.map(|o| self.group_views(now, map, o, &members)).unwrap_or_default(),
            vpd_data: members.iter().find_map(|path| vendor_text(path)),
        }
    }

    fn group_views(&self, now: Instant, map: &Map, observed: &Observed, members: &[&Path]) -> Vec<GroupView> {
        let by_devt: BTreeMap<DevT, &&Path> = members.iter().map(|p| (p.devt(), p)).collect();
        let rated = desired::rate_observed(observed, members);
        let (Some(table), Some(status)) = (observed.table(), observed.status()) else { return Vec::new() };
        let rated = rated.into_iter().zip(desired::marginal_observed(map, observed, members));
        let rows = table.groups.iter().zip(&status.groups).zip(rated);
        rows.map(|((group, status), ((priority, _), marginal))| GroupView {
            selector: group.selector.to_string(),
            priority,
            dm_state: status.state,
            marginal,
            paths: group
                .paths
                .iter()
                .filter_map(|p| by_devt.get(&p.devt))
                .filter_map(|p| self.path_view(now, p))
                .collect(),
        })
        .collect()
    }
}

/// Is it in `show paths`? What the blacklist excludes is not.
const fn is_shown(path: &Path) -> bool {
    path.facts.is_some()
        && !matches!(
            &path.standing,
            Standing::Excluded(
                Exclusion::Blacklisted(_) | Exclusion::Deleted | Exclusion::Usb | Exclusion::Native
            )
        )
}

/// What its vendor's page says, where it is configured to be shown.
fn vendor_text(path: &Path) -> Option<Box<str>> {
    path.settings.as_ref()?.vpd_vendor.as_ref()?;
    path.health.vendor_page.text().map(Into::into)
}

/// Whole seconds that have passed of the interval, and the interval.
fn next_check(now: Instant, path: &Path) -> (u64, u64) {
    let interval = path.health.interval.as_secs();
    (path.health.next_check.saturating_since(now).as_secs().min(interval), interval)
}

const fn init_state(path: &Path) -> InitState {
    match &path.standing {
        Standing::New => InitState::New,
        Standing::Excluded(Exclusion::NoWwid(_)) if path.retriggers > 0 => InitState::RequestedUdev,
        Standing::Excluded(Exclusion::NoWwid(_)) => InitState::MissingUdev,
        Standing::Excluded(_) => InitState::Failed,
        Standing::Waiting { .. } | Standing::Member { .. } => InitState::Ok,
    }
}

fn queueing(now: Instant, map: &Map) -> Queueing {
    if map.queue.wish(&map.settings) == Some(false)
        && map.settings.no_path_retry != crate::config::settings::NoPathRetry::Fail
    {
        return Queueing::Off;
    }
    match map.queue.phase {
        QueuePhase::Recovery { until: Some(until), .. } => {
            Queueing::CountDown(seconds_left(until.saturating_since(now)))
        }
        _ => Queueing::Configured(map.settings.no_path_retry),
    }
}

fn queue_time(now: Instant, map: &Map) -> u64 {
    (map.stats.queue_time + map.queue.waits(now)).as_secs()
}

/// What is left counts as a second to its end, and while I/O waits there is one: who is to end that may be called late.
fn seconds_left(left: Duration) -> u64 {
    (left.as_secs() + u64::from(left.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_is_not_over_is_shown_as_some() {
        let shown = [5000, 4001, 1000, 1, 0].map(|ms| seconds_left(Duration::from_millis(ms)));
        assert_eq!(shown, [5, 5, 1, 1, 1]);
    }
}
