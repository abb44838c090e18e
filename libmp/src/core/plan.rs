//! `plan(desired, observed)` → nothing, or the one operation that comes next.
//!
//! Compares types, never text, and has no memory: the same input gives the same plan.

use ::core::cmp::Reverse;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::check::CheckState;
use crate::config::settings::FlushOnLastDel;
use crate::core::desired::{self, Desired};
use crate::core::map::{Live, Map, Observed, SuspendOrder};
use crate::core::path::Path;
use crate::core::readiness::Readiness;
use crate::core::unidentified;
use crate::dm::op::{DmOp, RENAME, UdevFlags};
use crate::dm::table::{Difference, Queueing, Table, TableGroup};
use crate::types::{DevT, MapName};

/// The next operation on a map, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What to do.
    pub op: DmOp,
    /// Why.
    pub reason: &'static str,
}

/// What the plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The map, with what the kernel has of it.
    pub map: &'a Map,
    /// Its paths.
    pub members: &'a [&'a Path],
    /// What the kernel should have; `None` where it can't be built.
    pub desired: Option<&'a Desired>,
    /// The name it may take now (its own where another device has the one it is to have).
    pub name: &'a MapName,
    /// Devices in the kernel's table that are other LUNs by now.
    pub strangers: &'a [DevT],
    /// Is a new map to be withheld from its users?
    pub withhold: bool,
    /// Does nobody look after the maps when what is to be done is done?
    pub unattended: bool,
    /// May a table, a name or a map be changed now (or is the last failure too fresh)?
    pub may_load: bool,
    /// May messages be sent now?
    pub may_tell: bool,
    /// May I/O be moved to a better group now?
    pub may_switch: bool,
    /// Those of its partitions that are to be renamed now, by UUID.
    pub partitions: &'a [(String, MapName)],
}

const fn planned(op: DmOp, reason: &'static str) -> Planned {
    Planned { op, reason }
}

/// The next operation; `None` where the kernel has what is wanted.
pub fn plan(s: &Situation<'_>) -> Option<Planned> {
    let Some(observed) = &s.map.observed else { return create(s) };
    if let Live::Foreign(_) = observed.live {
        return None;
    }
    if let Some(order) = s.map.orders.suspend_or_resume {
        return Some(suspend_or_resume(s, observed, order));
    }
    let to_go = s.map.orders.remove && s.may_load;
    if s.map.orders.suspended && to_go {
        return remove(s, observed);
    }
    if s.map.orders.suspended || (s.map.unfinished.is_some() && !s.map.orders.remove) {
        return None;
    }
    if let Some(planned) =
        expel(s.strangers, observed).or_else(|| stay(s.map, s.members, observed)).filter(|_| s.may_tell)
    {
        return Some(planned);
    }
    let load = || if s.map.hold_until.is_some() { None } else { reload(s, observed) };
    let change = || {
        // A name that it is not given must not keep paths out of it.
        let refused = s.map.backoff.last.as_ref().is_some_and(|why| why.step == RENAME);
        remove(s, observed)
            .or_else(|| wake(s, observed))
            .or_else(|| if refused { load() } else { None })
            .or_else(|| rename(s, observed))
            .or_else(load)
    };
    let tell = || if s.may_tell { messages(s, observed) } else { None };
    if let Some(planned) = tell().filter(|_| has_path_again(s, observed)) {
        return Some(planned);
    }
    let change = if s.may_load { change() } else { None };
    change.or_else(tell).or_else(|| rename_partitions(s)).or_else(|| reassign(s, observed))
}

/// No I/O gets through, and a path of the table is well again. Nothing comes before it: a new table would wait for the I/O that hangs
/// elsewhere.
fn has_path_again(s: &Situation<'_>, observed: &Observed) -> bool {
    let is_back = |path: &&Path| path.may_be_used() && observed.path_active(path.devt()) == Some(false);
    !observed.suspended && observed.active_paths() == 0 && s.members.iter().any(is_back)
}

fn create(s: &Situation<'_>) -> Option<Planned> {
    if !s.may_load || s.map.hold_until.is_some() {
        return None;
    }
    if s.map.orders.stay_away || s.map.orders.remove || s.members.is_empty() {
        return None;
    }
    let mut desired = s.desired?.clone();
    if s.unattended {
        // It may take longer than its maker waits, as its disks hang: it queues when it is there, if he still is.
        desired.table.set_queueing(Queueing::Off);
    }
    let mut flags = desired.flags(s.map, false);
    flags.no_paths |= s.withhold;
    Some(planned(
        DmOp::Create {
            name: s.name.clone(),
            load: desired.load(),
            flags,
            access: desired::access(s.map),
            beside: Vec::new(),
        },
        "new LUN",
    ))
}

fn remove(s: &Situation<'_>, observed: &Observed) -> Option<Planned> {
    if s.map.orders.remove {
        return Some(planned(DmOp::Remove { deferred: false }, "removal ordered"));
    }
    let op = DmOp::Remove { deferred: s.map.settings.deferred_remove };
    // One that is in use goes at its last close, if that is wanted; partitions that have come since keep it.
    let may_go = !observed.is_in_use() || (s.map.settings.deferred_remove && !observed.deferred_remove);
    let gone = s.members.is_empty() && !s.map.unidentified.any_unknown();
    // While it queues, there may be I/O in it that nobody waits for any more.
    let keeps = s.map.settings.flush_on_last_del == FlushOnLastDel::Never
        && !s.map.queue.released
        && observed.table().is_some_and(Table::queues);
    (gone && may_go && !keeps).then(|| planned(op, "no path left"))
}

/// What udev is told where nothing changes for those who use the map.
const fn as_before(map: &Map) -> UdevFlags {
    UdevFlags { reload: true, skip_kpartx: map.settings.skip_kpartx, no_paths: map.readiness.is_withheld() }
}

fn suspend_or_resume(s: &Situation<'_>, observed: &Observed, order: SuspendOrder) -> Planned {
    match order {
        SuspendOrder::Suspend => planned(DmOp::Suspend, "operator"),
        SuspendOrder::Resume => resume(s, observed, "operator"),
    }
}

/// A map is resumed; one of whose paths leads to another LUN by now, with another table.
fn resume(s: &Situation<'_>, observed: &Observed, reason: &'static str) -> Planned {
    match s.desired {
        Some(desired) if strange(s.strangers, observed).next().is_some() => {
            reload_op(s, observed, desired, "another LUN")
        }
        _ => planned(DmOp::Resume { flags: as_before(s.map) }, reason),
    }
}

/// A map found suspended (its daemon died half-way) is resumed. An empty one needs a table first.
fn wake(s: &Situation<'_>, observed: &Observed) -> Option<Planned> {
    if !observed.suspended || matches!(observed.live, Live::Empty) {
        return None;
    }
    if observed.inactive_table {
        // Whose table that is, nobody knows: loading ours takes its place.
        return s.desired.map(|d| reload_op(s, observed, d, "left suspended with another table"));
    }
    Some(resume(s, observed, "left suspended"))
}

fn rename(s: &Situation<'_>, observed: &Observed) -> Option<Planned> {
    (observed.name != *s.name).then(|| {
        let op = DmOp::Rename { to: s.name.clone(), flags: as_before(s.map) };
        planned(op, "its name in the configuration")
    })
}

fn reload_op(s: &Situation<'_>, observed: &Observed, desired: &Desired, reason: &'static str) -> Planned {
    let resized = observed.sectors().is_some_and(|now| now != desired.sectors);
    // Whoever orders it may do so because udev has missed something.
    let same = !resized && !matches!(observed.live, Live::Empty) && !s.map.orders.reload;
    let op = DmOp::Reload {
        load: desired.load(),
        flags: desired.flags(s.map, same && s.map.readiness != Readiness::Due),
        flush: resized,
        wake: observed.suspended,
    };
    planned(op, reason)
}

fn reload(s: &Situation<'_>, observed: &Observed) -> Option<Planned> {
    let desired = s.desired?;
    let Live::Multipath { sectors, table, .. } = &observed.live else {
        return Some(reload_op(s, observed, desired, "it had no table"));
    };
    let reason = if s.map.orders.reload {
        "ordered"
    } else if s.map.readiness == Readiness::Due {
        "it may be used now"
    } else if s.map.unidentified.any_unknown() {
        // What is not known yet must not be a reason for one table after another: only what comes or goes is.
        let same = desired.table.has_paths_of(table);
        return (!same).then(|| reload_op(s, observed, desired, Difference::Groups.as_str()));
    } else if *sectors != desired.sectors {
        "another size"
    } else if s.map.read_only() != Some(desired.read_only) {
        "read-only or not"
    } else {
        match desired.table.difference(table) {
            // Messages mend these two.
            mended @ (None | Some(Difference::Queueing | Difference::GroupOrder)) => {
                return reorder(s, observed, desired, mended);
            }
            Some(Difference::Groups) if !s.may_switch && desired.table.has_paths_of(table) => {
                let stays = stay_in_group(s, observed, desired);
                return Some(reload_op(s, observed, &stays, Difference::Groups.as_str()));
            }
            Some(difference) => difference.as_str(),
        }
    };
    Some(reload_op(s, observed, desired, reason))
}

/// Paths have moved from one group to another, as their priorities did: I/O stays with those that have it, as far as the
/// kernel is told, where it is not to go to the best group by itself.
fn stay_in_group(s: &Situation<'_>, observed: &Observed, desired: &Desired) -> Desired {
    let mut desired = desired.clone();
    let groups = observed.status().map(|status| status.groups.as_slice()).unwrap_or_default();
    let current = (observed.current_group() as usize).checked_sub(1).and_then(|index| groups.get(index));
    let in_use = |devt: DevT| {
        // Those on standby, or used last, have no say in where it is well off.
        let marginal = |path: &Path| s.map.settings.flaky.own_groups && path.steadiness.is_marginal();
        let serves = |path: &Path| path.health.state == CheckState::Up && !marginal(path);
        let is_good = || s.members.iter().any(|path| path.devt() == devt && serves(path));
        current.is_some_and(|group| group.paths.iter().any(|p| p.devt == devt && p.active)) && is_good()
    };
    let count = |group: &TableGroup| group.paths.iter().filter(|path| in_use(path.devt)).count();
    let counts = (1_u32..).zip(desired.table.groups.iter().map(count));
    // Of equals the first.
    let most = counts.filter(|(_, count)| *count > 0).max_by_key(|(group, count)| (*count, Reverse(*group)));
    if let Some((group, _)) = most {
        desired.table.init_group = group;
    }
    desired
}

/// The groups stand in another order than their priorities: a switch alone would leave the kernel
/// to fail over to the wrong one later. Where the best one has the I/O, so it is with the others.
fn reorder(
    s: &Situation<'_>,
    observed: &Observed,
    desired: &Desired,
    difference: Option<Difference>,
) -> Option<Planned> {
    let best = desired::best_observed_group(s.map, observed, s.members);
    let others = best == Some(observed.current_group()) && difference == Some(Difference::GroupOrder);
    if !others && !wants_switch(s, observed) {
        return None;
    }
    let rated = desired::rate_observed(observed, s.members);
    let marginal = desired::marginal_observed(s.map, observed, s.members);
    let usable = rated.iter().zip(marginal).filter(|((_, usable), _)| *usable > 0);
    let ranks: Vec<(bool, i32)> = usable.map(|((priority, _), last)| (!last, priority.0)).collect();
    let descending = ranks.windows(2).all(|w| w[0] >= w[1]);
    (!descending).then(|| reload_op(s, observed, desired, "priorities changed their order"))
}

fn wants_switch(s: &Situation<'_>, observed: &Observed) -> bool {
    let best = desired::best_observed_group(s.map, observed, s.members);
    let known = !s.map.unidentified.any_unknown();
    let may_switch = s.may_switch || leaves_marginal(s, observed, best);
    may_switch && known && best.is_some_and(|best| best != observed.current_group())
}

/// What has become marginal is left at once, however I/O is to go back.
fn leaves_marginal(s: &Situation<'_>, observed: &Observed, best: Option<u32>) -> bool {
    if !s.map.switch.leaves {
        return false;
    }
    let marginal = desired::marginal_observed(s.map, observed, s.members);
    let is_marginal = |group: u32| marginal.get((group as usize).wrapping_sub(1)) == Some(&true);
    is_marginal(observed.current_group()) && best.is_some_and(|best| !is_marginal(best))
}

/// I/O meant for this LUN must not reach another: such a path is failed before anything else is done,
/// as a new table may be refused, or wait for the I/O that is under way. A suspended map sends none, and takes no message.
pub(super) fn expel(strangers: &[DevT], observed: &Observed) -> Option<Planned> {
    if observed.suspended {
        return None;
    }
    let messages: Vec<_> = strange(strangers, observed).map(|devt| format!("fail_path {devt}")).collect();
    (!messages.is_empty()).then(|| planned(DmOp::Message { messages }, "another LUN"))
}

/// Those of them that the kernel would send I/O to.
fn strange<'a>(strangers: &'a [DevT], observed: &'a Observed) -> impl Iterator<Item = &'a DevT> {
    strangers.iter().filter(|devt| observed.path_active(**devt) == Some(true))
}

/// A path is back in a map that was to go at its last close, for want of paths.
fn stay(map: &Map, members: &[&Path], observed: &Observed) -> Option<Planned> {
    let wanted = !members.is_empty() && !map.orders.stay_away && !map.orders.remove;
    (observed.deferred_remove && wanted).then(|| planned(DmOp::CancelRemove, "it has a path again"))
}

fn rename_partitions(s: &Situation<'_>) -> Option<Planned> {
    let op = DmOp::RenamePartitions { names: s.partitions.to_vec() };
    (!s.partitions.is_empty()).then(|| planned(op, "they are called after it"))
}

/// Last of all: what stands on a path is moved to a map that is as it should be.
fn reassign(s: &Situation<'_>, observed: &Observed) -> Option<Planned> {
    // Whoever asks for it is told first if the map can't be put right.
    let wanted = s.map.orders.reassign || (s.map.orders.reassign_now && s.may_load);
    let may = wanted && !observed.suspended;
    let paths = observed.table().filter(|_| may)?.paths().map(|path| path.devt).collect();
    Some(planned(DmOp::Reassign { paths }, "its paths are used directly"))
}

/// I/O without a path waits, or fails.
const QUEUE_ON: &str = "queue_if_no_path";
pub(super) const QUEUE_OFF: &str = "fail_if_no_path";

/// Queueing and states of paths, where they are not as they are to be.
fn states(map: &Map, members: &[&Path], observed: &Observed) -> Option<Vec<String>> {
    let table = observed.table()?;
    let mut messages = Vec::new();
    match map.queue.wish(&map.settings).filter(|_| !unidentified::is_unknown(map)) {
        Some(true) if !table.queues() => messages.push(QUEUE_ON.to_string()),
        Some(false) if table.queues() => messages.push(QUEUE_OFF.to_string()),
        _ => {}
    }
    for path in members {
        let devt = path.devt();
        match observed.path_active(devt) {
            Some(true) if path.is_failed_or_held() => messages.push(format!("fail_path {devt}")),
            Some(false)
                if path.may_be_used()
                    || (map.orders.reinstate.contains(&devt) && !path.is_to_be_looked_at()) =>
            {
                messages.push(format!("reinstate_path {devt}"));
            }
            _ => {}
        }
    }
    Some(messages)
}

/// What a map is told while a load hangs. It is not switched to a group, whose number may be another's as soon as the load ends; nor
/// told to queue, as the load's suspend may be waiting for I/O without a path to fail.
pub(super) fn meanwhile(map: &Map, members: &[&Path], strangers: &[DevT]) -> Option<Planned> {
    let observed = map.observed.as_ref().filter(|observed| !observed.suspended)?;
    expel(strangers, observed).or_else(|| stay(map, members, observed)).or_else(|| {
        let mut messages = states(map, members, observed)?;
        messages.retain(|message| message != QUEUE_ON);
        (!messages.is_empty()).then(|| planned(DmOp::Message { messages }, STATES))
    })
}

/// Why messages are sent.
const STATES: &str = "states of its paths";

/// Everything that messages can mend, in one operation.
fn messages(s: &Situation<'_>, observed: &Observed) -> Option<Planned> {
    let mut messages = states(s.map, s.members, observed)?;
    if let Some(group) = s.map.orders.switch_to {
        messages.push(format!("switch_group {group}"));
    } else if messages.is_empty() && wants_switch(s, observed) {
        // Only with the path states settled: the best group is judged by them.
        let best = desired::best_observed_group(s.map, observed, s.members)?;
        messages.push(format!("switch_group {best}"));
    }
    (!messages.is_empty()).then(|| planned(DmOp::Message { messages }, STATES))
}
