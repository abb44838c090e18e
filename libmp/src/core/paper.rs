//! Device-mapper on paper: maps as they would be after operations that nobody carries out.

use ::core::fmt::Write as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};

use crate::core::event::DmDone;
use crate::dm::op::{DmOp, Load, RawMap, RawTarget, uuid_of, wwid_of};
use crate::dm::status::{DmGroupState, GroupStatus, PathStatus, Status};
use crate::dm::table::{Queueing, Table};
use crate::types::{DevT, MapName, Wwid};

/// The maps.
#[derive(Debug)]
pub struct Paper {
    maps: BTreeMap<Wwid, RawMap>,
    next_minor: u32,
}

impl Paper {
    /// As they are.
    pub fn new(maps: &[RawMap]) -> Self {
        let by_wwid = |map: &RawMap| Some((wwid_of(&map.uuid)?, map.clone()));
        let next_minor = maps.iter().map(|map| map.devt.minor + 1).max().unwrap_or(0);
        Self { maps: maps.iter().filter_map(by_wwid).collect(), next_minor }
    }

    /// What a map is called.
    pub fn name(&self, wwid: &Wwid) -> Option<&MapName> {
        self.maps.get(wwid).map(|map| &map.name)
    }

    /// Carries out an operation, which succeeds.
    pub fn perform(&mut self, wwid: &Wwid, op: &DmOp) -> DmDone {
        match op {
            DmOp::Create { name, load, .. } => {
                let devt = DevT { major: 0, minor: self.next_minor };
                self.next_minor += 1;
                let map = RawMap {
                    name: name.clone(),
                    uuid: uuid_of(wwid),
                    devt,
                    suspended: false,
                    read_only: load.read_only,
                    open_count: 0,
                    idle_partitions: 0,
                    event_nr: 0,
                    deferred_remove: false,
                    inactive_table: false,
                    targets: [target(load)].into(),
                };
                self.maps.insert(wwid.clone(), map);
            }
            DmOp::Remove { .. } => drop(self.maps.remove(wwid)),
            other => {
                if let Some(map) = self.maps.get_mut(wwid) {
                    change(map, other);
                }
            }
        }
        DmDone { result: Ok(()), map: Ok(self.maps.get(wwid).cloned().map(|raw| op.seen(raw))) }
    }
}

fn change(map: &mut RawMap, op: &DmOp) {
    match op {
        DmOp::Reload { load, .. } => {
            map.targets = [target(load)].into();
            (map.read_only, map.suspended, map.inactive_table) = (load.read_only, false, false);
        }
        DmOp::Rename { to, .. } => map.name = to.clone(),
        DmOp::Suspend => map.suspended = true,
        DmOp::Resume { .. } => map.suspended = false,
        DmOp::CancelRemove => map.deferred_remove = false,
        DmOp::Message { messages } => messages.iter().for_each(|message| tell(map, message)),
        DmOp::Create { .. }
        | DmOp::Remove { .. }
        | DmOp::Reassign { .. }
        | DmOp::RenamePartitions { .. }
        | DmOp::Query { .. } => {}
    }
}

fn tell(map: &mut RawMap, message: &str) {
    let (verb, argument) = message.split_once(' ').unwrap_or((message, ""));
    let Some(target) = map.targets.first_mut() else { return };
    let (Ok(mut table), Ok(mut status)) = (target.table.parse::<Table>(), target.status.parse::<Status>())
    else {
        return;
    };
    let devt = argument.parse::<DevT>().ok();
    let active = verb == "reinstate_path";
    match verb {
        "fail_path" | "reinstate_path" => {
            let paths = status.groups.iter_mut().flat_map(|group| &mut group.paths);
            paths.filter(|path| Some(path.devt) == devt).for_each(|path| path.active = active);
        }
        "switch_group" => status.next_group = argument.parse().unwrap_or(status.next_group),
        "queue_if_no_path" => table.set_queueing(Queueing::On),
        "fail_if_no_path" => table.set_queueing(Queueing::Off),
        _ => {}
    }
    target.table = table.to_string();
    target.status = status_line(&status);
}

/// A table that was just loaded: its paths are used, none has failed.
fn target(load: &Load) -> RawTarget {
    let table = load.params.parse::<Table>().ok();
    let groups = table.iter().flat_map(|table| &table.groups).map(|group| GroupStatus {
        state: DmGroupState::Enabled,
        paths: group
            .paths
            .iter()
            .map(|path| PathStatus { devt: path.devt, active: true, fail_count: 0 })
            .collect(),
    });
    let next_group = table.as_ref().map_or(0, |table| table.init_group);
    let status = Status { features: [].into(), next_group, groups: groups.collect() };
    RawTarget {
        start: 0,
        sectors: load.sectors,
        kind: "multipath".into(),
        table: load.params.clone(),
        status: status_line(&status),
    }
}

/// As the kernel would print it, without arguments of handler, selector and paths.
fn status_line(status: &Status) -> String {
    let mut line = format!("0 0 {} {}", status.groups.len(), status.next_group);
    for group in &status.groups {
        let state = match group.state {
            DmGroupState::Active => 'A',
            DmGroupState::Disabled => 'D',
            DmGroupState::Enabled | DmGroupState::Undef => 'E',
        };
        let _ = write!(line, " {state} 0 {} 0", group.paths.len());
        for path in &group.paths {
            let used = if path.active { 'A' } else { 'F' };
            let _ = write!(line, " {} {used} {}", path.devt, path.fail_count);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::map::Observed;
    use crate::dm::op::UdevFlags;

    const PARAMS: &str = "0 0 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1";

    fn load(params: &str) -> Load {
        Load { sectors: 2048, params: params.into(), read_only: false }
    }

    #[test]
    fn what_is_done_on_paper_reads_as_if_it_had_been_done() {
        let wwid = Wwid::from("w");
        let mut paper = Paper::new(&[]);
        let access = crate::dm::op::NodeAccess::default();
        let flags = UdevFlags::default();
        let create = DmOp::Create { name: "a".into(), load: load(PARAMS), flags, access, beside: Vec::new() };
        let mut observed = |op: &DmOp| {
            let done = paper.perform(&wwid, op).map.unwrap();
            done.as_deref().map(Observed::parse)
        };
        let made = observed(&create).unwrap();
        assert_eq!(made.table().unwrap().to_string(), PARAMS);
        assert_eq!((made.path_active(DevT::new(8, 16)), made.current_group()), (Some(true), 1));
        let messages = ["fail_path 8:16", "switch_group 2", "queue_if_no_path"].map(Into::into).into();
        let told = observed(&DmOp::Message { messages }).unwrap();
        assert_eq!(
            (told.path_active(DevT::new(8, 16)), told.path_active(DevT::new(8, 0))),
            (Some(false), Some(true))
        );
        assert!(told.table().unwrap().queues() && told.current_group() == 2);
        assert_eq!(observed(&DmOp::Rename { to: "b".into(), flags }).unwrap().name.as_str(), "b");
        let one = "0 0 1 1 service-time 0 1 1 8:0 1";
        let reloaded = observed(&DmOp::Reload { load: load(one), flags, flush: false, wake: false }).unwrap();
        assert_eq!(reloaded.path_active(DevT::new(8, 16)), None);
        assert_eq!(observed(&DmOp::READ), Some(reloaded));
        assert_eq!(observed(&DmOp::Remove { deferred: false }), None);
    }
}
