//! Settings and the states of paths → the table that the kernel should have.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::check::CheckState;
use crate::config::settings::{Checker, GroupingPolicy, Prioritizer};
use crate::core::map::{Map, Observed};
use crate::core::mode::needs_bios;
use crate::core::path::Path;
use crate::core::refused::is_live;
use crate::dm::op::{Load, NodeAccess, UdevFlags};
use crate::dm::status::GroupStatus;
use crate::dm::table::{QUEUE_IF_NO_PATH, QUEUE_MODE, Selector, Table, TableGroup, TablePath};
use crate::group::{self, Group, Member};
use crate::types::Priority;

/// What the kernel should have of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Length in 512-byte sectors.
    pub sectors: u64,
    /// A path is read-only.
    pub read_only: bool,
    /// The table; its groups best first.
    pub table: Table,
    /// Is any path usable, or about to be?
    pub usable: bool,
}

impl Desired {
    /// As the ioctl takes it.
    pub fn load(&self) -> Load {
        Load { sectors: self.sectors, params: self.table.to_string(), read_only: self.read_only }
    }

    /// What udev is told with it.
    pub fn flags(&self, map: &Map, reload: bool) -> UdevFlags {
        UdevFlags {
            reload,
            skip_kpartx: map.settings.skip_kpartx,
            no_paths: !self.usable || map.readiness.is_withheld(),
        }
    }
}

/// Rights of a map's node.
pub const fn access(map: &Map) -> NodeAccess {
    NodeAccess { mode: map.settings.mode, uid: map.settings.uid, gid: map.settings.gid }
}

/// The desired table of a map with these members; `None` where there is nothing to build from.
pub fn desired(map: &Map, members: &[&Path]) -> Option<Desired> {
    with_those(map, members, fits)
}

/// The same with those of its live paths that have become too small for it.
pub fn whole(map: &Map, members: &[&Path]) -> Option<Desired> {
    with_those(map, members, |path, size| fits(path, size) || is_live(map, path))
}

/// The kernel takes no table that is longer than one of its paths.
pub fn fits(path: &Path, size: u64) -> bool {
    path.facts.as_ref().is_none_or(|facts| facts.sectors == 0 || facts.sectors >= size)
}

fn with_those(map: &Map, members: &[&Path], may: impl Fn(&Path, u64) -> bool) -> Option<Desired> {
    let observed = map.observed.as_ref();
    let mut members: Vec<&Path> = members.iter().copied().filter(|p| p.facts.is_some()).collect();
    members.sort_by_key(|p| p.order());
    let sectors = size(map, observed, &members)?;
    let all = members.len();
    members.retain(|path| may(path, sectors));
    if members.is_empty() && all > 0 {
        return None;
    }
    let groups = groups(map, &members);
    let selector: Selector = map.settings.selector.parse().unwrap_or_else(|_| default_selector());
    let table = Table {
        features: features(map, &members, queues(map)),
        handler: handler(map, &members),
        init_group: u32::try_from(group::best(&groups)).unwrap_or(1),
        groups: groups.iter().map(|g| table_group(&selector, g, &members)).collect(),
    };
    Some(Desired {
        sectors,
        read_only: read_only(map, &members),
        table,
        usable: members.iter().any(|path| may_serve(observed, path)),
    })
}

/// Does I/O wait when no path is left, or will it as soon as the kernel is told?
pub fn queues(map: &Map) -> bool {
    let live = || map.observed.as_ref().and_then(Observed::table).map(Table::queues);
    map.queue.wish(&map.settings).or_else(live).unwrap_or(false)
}

/// Is it usable, or taken for that until its check has said otherwise? Nobody would say later of a map that it may be used, if it
/// was called unusable for an answer that takes its time.
fn may_serve(observed: Option<&Observed>, path: &Path) -> bool {
    let failed = observed.and_then(|o| o.path_active(path.devt())) == Some(false);
    let awaited = matches!(path.health.state, CheckState::Pending | CheckState::Unchecked);
    path.is_usable() || (awaited && !failed)
}

/// Is a path read-only? One that can't be opened is not asked, nor one that is to be looked at: what is known of it may be of before.
pub fn read_only(map: &Map, members: &[&Path]) -> bool {
    let says = |path: &&&Path| !path.health.closed && !path.is_to_be_looked_at();
    let mut open = members.iter().filter(says).peekable();
    match map.read_only() {
        Some(was) if open.peek().is_none() => was,
        _ => open.any(|path| path.facts.as_ref().is_some_and(|facts| facts.read_only)),
    }
}

/// A map keeps its size until it is ordered to take that of its paths; a new one has it.
fn size(map: &Map, observed: Option<&Observed>, members: &[&Path]) -> Option<u64> {
    let mut of_paths = members.iter().filter_map(|p| p.facts.as_ref()).map(|f| f.sectors);
    let of_kernel = observed.and_then(Observed::sectors);
    let first = of_paths.find(|sectors| *sectors > 0);
    let mut agreed = || {
        first
            .filter(|size| of_paths.all(|other| other == *size || other == 0) && may_flush(observed, members))
    };
    let order = map.orders.resize.filter(|_| !map.unidentified.any_unknown());
    let new = order.and_then(|order| agreed().filter(|size| order.takes(*size, of_kernel.unwrap_or(0))));
    new.or(of_kernel).or(first)
}

/// A table of another size is loaded with a flush, which ends queueing: I/O that waits would fail, if there is no path that it
/// can go to. A path that is new is first taken by the size of before; a working one that is too small for that comes in no other
/// way.
pub fn may_flush(observed: Option<&Observed>, members: &[&Path]) -> bool {
    let Some(size) = observed.and_then(Observed::sectors) else { return true };
    let active = |path: &Path| observed.and_then(|o| o.path_active(path.devt()));
    let small = |path: &Path| path.facts.as_ref().is_some_and(|facts| facts.sectors < size);
    members.iter().any(|path| path.is_usable() && active(path).unwrap_or_else(|| small(path)))
}

/// The policy in force: that of the configuration, or the one that ALUA's priorities call for. A path that has yet to tell whether it
/// takes part in that does not decide, where another one does.
pub fn policy(map: &Map, members: &[&Path]) -> GroupingPolicy {
    let alua = |p: &&Path| matches!(p.health.prioritizer, Prioritizer::Alua | Prioritizer::Sysfs);
    let detects = |p: &Path| p.settings.as_ref().is_some_and(|settings| settings.detect_prio);
    let agrees = |p: &&Path| alua(p) || (detects(p) && p.has_yet_to_tell_group());
    let detected = map.settings.detect_pgpolicy && members.iter().any(alua) && members.iter().all(agrees);
    match (detected, map.settings.detect_pgpolicy_use_tpg) {
        (true, true) => GroupingPolicy::ByTpg,
        (true, false) => GroupingPolicy::ByPrio,
        (false, _) => map.settings.grouping,
    }
}

/// The members' groups, best first. A member's key is its place in `members`.
pub fn groups(map: &Map, members: &[&Path]) -> Vec<Group> {
    let rows: Vec<Member> = members
        .iter()
        .enumerate()
        .map(|(key, path)| {
            let facts = path.facts.as_ref();
            Member {
                key,
                serial: facts.map(|f| f.serial.clone()).unwrap_or_default(),
                node_name: facts.map(|f| f.node_name.clone()).unwrap_or_default(),
                tpg: path.port_group(),
                priority: path.health.priority,
                usable: path.is_usable(),
                marginal: map.settings.flaky.own_groups && path.steadiness.is_marginal(),
                order: key as u64,
            }
        })
        .collect();
    group::group(policy(map, members), &rows)
}

fn table_group(selector: &Selector, group: &Group, members: &[&Path]) -> TableGroup {
    // One argument a path: the repeat count, which kernels since 4.6 take for 1 whatever it is.
    let path = |key: &usize| TablePath { devt: members[*key].devt(), args: ["1".into()].into() };
    TableGroup { selector: selector.clone(), paths: group.members.iter().map(path).collect() }
}

fn default_selector() -> Selector {
    Selector { name: "service-time".into(), args: Vec::new() }
}

/// `features` of multipath.conf, with `queue_if_no_path` as queueing stands and the queue mode that the map has.
fn features(map: &Map, members: &[&Path], queueing: bool) -> Vec<String> {
    const OURS: [&str; 2] = [QUEUE_IF_NO_PATH, "retain_attached_hw_handler"];
    let mut words = map.settings.features.split_ascii_whitespace().skip(1).filter(|w| !OURS.contains(w));
    let mut configured = None;
    let mut features: Vec<&str> = queueing.then_some(QUEUE_IF_NO_PATH).into_iter().collect();
    while let Some(word) = words.next() {
        if word == QUEUE_MODE { configured = words.next() } else { features.push(word) }
    }
    let mode =
        if is_bio_based(map, members, configured) { Some("bio") } else { configured.filter(|m| *m != "bio") };
    features.extend(mode.into_iter().flat_map(|mode| [QUEUE_MODE, mode]));
    features.into_iter().map(String::from).collect()
}

/// The kernel never makes a map of requests one of bios, nor back: what it has stays. A new one with a path over TCP is
/// bio-based whatever is configured.
fn is_bio_based(map: &Map, members: &[&Path], configured: Option<&str>) -> bool {
    match map.observed.as_ref().and_then(Observed::table) {
        Some(table) => table.is_bio_based(),
        None => configured == Some("bio") || members.iter().any(|path| needs_bios(path)),
    }
}

/// The handler that the kernel has attached to paths, else the configured one; where nothing is configured ALUA's if all
/// paths take part in it, and that of the array.
///
/// Kernels since 4.3 keep an attached handler whatever the table and `retain_attached_hw_handler` say, and attach its like to the
/// other paths: the table that is read back names it, so to ask for another would be to load the same again and again.
fn handler(map: &Map, members: &[&Path]) -> Vec<String> {
    let attached = |p: &&Path| p.facts.as_ref().and_then(|f| f.dh_state.clone()).filter(|h| !h.is_empty());
    let attached: Vec<String> = members.iter().filter_map(attached).collect();
    let live = map.observed.as_ref().and_then(Observed::table).and_then(|table| table.handler.first());
    if let Some(one) = live.filter(|live| attached.contains(live)).or(attached.first()) {
        return [one.clone()].into();
    }
    let configured = || {
        map.settings.hardware_handler.split_ascii_whitespace().skip(1).map(String::from).collect::<Vec<_>>()
    };
    let alua = !members.is_empty() && members.iter().all(|p| p.facts.as_ref().is_some_and(|f| f.tpgs > 0));
    let none =
        members.is_empty().then(|| map.observed.as_ref()?.table().map(|t| t.handler.clone())).flatten();
    none.unwrap_or_else(|| match (configured(), alua) {
        (words, true) if words.is_empty() => ["alua".into()].into(),
        (words, false) if words.first().is_some_and(|w| w == "alua") => Vec::new(),
        (words, false) if words.is_empty() => of_array(map, members).map(String::from).into_iter().collect(),
        (words, _) => words,
    })
}

/// The handler of an array without asymmetric access, which moves LUNs from one controller to the other by commands of its own.
/// It is known by the checker that there is for such arrays. The kernel attaches it by itself to disks that come after its
/// module, which a table that names it loads.
pub(super) fn of_array(map: &Map, members: &[&Path]) -> Option<&'static str> {
    let of_path = |path: &&Path| {
        let takes = path.facts.as_ref().is_some_and(|facts| facts.takes_handler);
        match path.settings.as_ref()?.device_checker.filter(|_| takes)? {
            Checker::Rdac => Some("rdac"),
            Checker::EmcClariion => Some("emc"),
            Checker::HpSw => Some("hp_sw"),
            _ => None,
        }
    };
    let first = members.first().and_then(of_path)?;
    let wanted = !map.settings.hardware_handler_is_set && !map.handler_refused;
    (wanted && members.iter().all(|path| of_path(path) == Some(first))).then_some(first)
}

/// Priority of each observed group, and how many paths of it are usable and active in the kernel.
pub fn rate_observed(observed: &Observed, members: &[&Path]) -> Vec<(Priority, usize)> {
    let groups = observed.status().map(|s| s.groups.as_slice()).unwrap_or_default();
    let rate = |group: &GroupStatus| {
        let rows = group.paths.iter().filter_map(|p| {
            let member = members.iter().find(|m| m.devt() == p.devt)?;
            Some((member.health.priority, p.active && member.is_usable()))
        });
        group::rate(rows)
    };
    groups.iter().map(rate).collect()
}

/// Which groups of an observed table are made of marginal paths only: any other is better.
pub fn marginal_observed(map: &Map, observed: &Observed, members: &[&Path]) -> Vec<bool> {
    let groups = observed.status().map(|s| s.groups.as_slice()).unwrap_or_default();
    let is_marginal = |group: &GroupStatus| {
        let mut paths =
            group.paths.iter().filter_map(|p| members.iter().find(|m| m.devt() == p.devt)).peekable();
        map.settings.flaky.own_groups
            && paths.peek().is_some()
            && paths.all(|path| path.steadiness.is_marginal())
    };
    groups.iter().map(is_marginal).collect()
}

/// The group (from 1) of an observed table that should get the I/O; `None` where none can.
///
/// Of equals the first: a later group must be better to win.
pub fn best_observed_group(map: &Map, observed: &Observed, members: &[&Path]) -> Option<u32> {
    let marginal = marginal_observed(map, observed, members);
    let rated = rate_observed(observed, members);
    let (index, _) = rated
        .iter()
        .zip(&marginal)
        .enumerate()
        .filter(|(_, ((_, usable), _))| *usable > 0)
        .max_by(|(i, (a, last)), (j, (b, other))| other.cmp(last).then(a.cmp(b)).then(j.cmp(i)))?;
    u32::try_from(index + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};
    use crate::core::map::MapId;
    use crate::core::path::{PathId, UNKNOWN_DEVICE};
    use crate::identify::{RawProbe, identify};
    use crate::types::Wwid;

    fn path(number: u32, dh_state: &str) -> Path {
        let mut path = Path::new(PathId(number), "sda".into());
        let raw = RawProbe { dh_state: Some(dh_state.into()), ..RawProbe::default() };
        path.facts = Some(identify(&path.name, &raw).into());
        path
    }

    /// The kernel keeps what is attached, and says so in the table: asked for another, it would be asked for ever.
    #[test]
    fn the_handler_is_the_one_that_is_attached() {
        let text = "devices {\ndevice {\nvendor \".*\"\nproduct \".*\"\nhardware_handler \"1 rdac\"\n\
                    retain_attached_hw_handler no\n}\n}\n";
        let config = Config::load(&[Source { name: "f", text }]).0;
        let wwid = Wwid::new("3600a0b8");
        let settings = config.map_settings(&UNKNOWN_DEVICE, &wwid);
        let map = Map::new(MapId(1), wwid, "data".into(), settings);
        for (states, expected) in [
            (["detached", "detached"], "rdac"),
            (["alua", "alua"], "alua"),
            (["detached", "alua"], "alua"),
            (["emc", "alua"], "emc"),
        ] {
            let paths = states.map(|state| path(1, state));
            assert_eq!(handler(&map, &[&paths[0], &paths[1]]), [expected], "{states:?}");
        }
    }

    #[test]
    fn paths_of_no_port_group_are_not_grouped_by_that() {
        let text = "defaults {\npath_grouping_policy group_by_tpg\n}\n";
        let config = Config::load(&[Source { name: "f", text }]).0;
        let wwid = Wwid::new("3600a0b8");
        let settings = config.map_settings(&UNKNOWN_DEVICE, &wwid);
        let map = Map::new(MapId(1), wwid, "data".into(), settings);
        let path = |tpg: Option<u16>| {
            let mut path = path(1, "detached");
            let mut facts = identify(&path.name, &RawProbe::default());
            facts.tpg = tpg;
            path.facts = Some(facts.into());
            path
        };
        for (tpgs, expected) in [
            (vec![Some(1), Some(1)], vec![vec![0, 1]]),
            (vec![None, None], vec![vec![0], vec![1]]),
            (vec![Some(2), None, Some(1), Some(1), Some(2)], vec![vec![0, 4], vec![1], vec![2, 3]]),
        ] {
            let paths: Vec<Path> = tpgs.iter().copied().map(path).collect();
            let members: Vec<&Path> = paths.iter().collect();
            let mut groups: Vec<_> = groups(&map, &members).into_iter().map(|g| g.members).collect();
            groups.sort();
            assert_eq!(groups, expected, "{tpgs:?}");
        }
    }
}
