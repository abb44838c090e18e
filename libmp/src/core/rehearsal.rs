//! `plan`: a copy of the core goes through a reconfigure on paper, and what it orders is the plan.
//!
//! The copy is the same code with the same state, given the files, the disks and the maps that a
//! reconfigure would be given now. What it orders of device-mapper is done on paper only. Checks are not
//! answered: a path that comes new, or has another prioritizer, is in its table as one whose priority is not
//! known yet.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::check::CheckState;
use crate::config::settings::GroupingPolicy;
use crate::core::Core;
use crate::core::desired;
use crate::core::effect::{Effect, Outbox};
use crate::core::event::{Event, Survey};
use crate::core::map::{Map, Observed};
use crate::core::notice::Notice;
use crate::core::paper::Paper;
use crate::core::path::{Again, Path, Standing};
use crate::core::reconfigure::refusal;
use crate::ctl::FAIL;
use crate::dm::op::DmOp;
use crate::show::explain::Setting;
use crate::show::plan::{Change, MapChange, PathChange, Plan, SettingChange};
use crate::types::{Errno, Instant, MapName, Wwid};

/// No map needs so many operations to be as it is wanted.
const OPERATIONS_A_MAP: usize = 16;

/// A reconfigure on paper.
struct Rehearsal {
    core: Core,
    out: Outbox,
    paper: Paper,
    survey: Survey,
    changes: Vec<MapChange>,
    remarks: Vec<String>,
}

impl Core {
    /// What a reconfigure with what was read would change; or the answer that it would be refused.
    pub(super) fn rehearse(&self, now: Instant, survey: Survey) -> Result<Plan, String> {
        if !survey.loaded.errors.is_empty() {
            return Err(refusal(&survey.loaded));
        }
        let mut failed = survey.probes.iter().filter_map(|(name, probe)| Some((name, probe.as_ref().err()?)));
        if let Some((name, errno)) = failed.find(|(_, errno)| errno.is_shortage()) {
            return Err(format!("{FAIL}{name} can't be looked at: {errno}\n"));
        }
        let mut core = self.clone();
        core.pending.clear();
        core.waiting.forget_all();
        core.reconfigure_again = false;
        for path in core.paths.values_mut() {
            (path.probe, path.probe_again) = (None, Again::No);
            path.health.inflight = None;
        }
        for map in core.maps.values_mut() {
            (map.inflight, map.requery, map.in_list) = (None, false, None);
        }
        let paper = Paper::new(&survey.found.maps);
        let mut rehearsal =
            Rehearsal { core, out: Outbox::new(), paper, survey, changes: Vec::new(), remarks: Vec::new() };
        rehearsal.play(now);
        let mut plan = Plan {
            paths: path_changes(self, &rehearsal.core),
            settings: setting_changes(self, &rehearsal.core),
            maps: rehearsal.changes,
            remarks: rehearsal.remarks,
        };
        plan.remarks.extend(unrated(self, &rehearsal.core, &plan.maps));
        plan.remarks.extend(left_suspended(&rehearsal.core));
        plan.sort();
        Ok(plan)
    }
}

impl Rehearsal {
    fn play(&mut self, now: Instant) {
        let mut left = (self.core.maps.len() + self.core.paths.len() + 1) * OPERATIONS_A_MAP;
        self.core.use_config(now, self.survey.loaded.clone(), &mut self.out);
        loop {
            let effects: Vec<Effect> = self.out.drain().collect();
            if effects.is_empty() && !self.end_holds(now) {
                return;
            }
            for effect in effects {
                left = left.saturating_sub(1);
                if left == 0 {
                    self.remarks.push("this is not all: the plan was cut short".into());
                    return;
                }
                if let Some(event) = self.answer(effect) {
                    self.core.handle(now, event, &mut self.out);
                }
            }
        }
    }

    /// Maps that wait for the first checks of their paths wait no longer, nor for one that takes longer. Is there one?
    fn end_holds(&mut self, now: Instant) -> bool {
        for path in self.core.paths.values_mut() {
            path.health.inflight = None;
        }
        let held: Vec<_> =
            self.core.maps.values().filter(|map| map.hold_until.is_some()).map(|map| map.id).collect();
        for id in &held {
            self.core.hold_over(now, *id, &mut self.out);
        }
        self.core.plan_dirty(now, &mut self.out);
        !held.is_empty()
    }

    fn answer(&mut self, effect: Effect) -> Option<Event> {
        Some(match effect {
            Effect::Enumerate { token } => {
                Event::Enumerated { token, found: Ok(Box::new(self.survey.found.clone())) }
            }
            Effect::Probe { token, name } => {
                let probe = self.survey.probes.get(&name).cloned().unwrap_or(Err(Errno::ENODEV));
                Event::Probed { token, probe }
            }
            Effect::Dm { token, wwid, op } => {
                self.note(&wwid, &op);
                Event::DmDone { token, done: Box::new(self.paper.perform(&wwid, &op)) }
            }
            Effect::Save { token, .. } | Effect::Mark { token, .. } => Event::Saved { token, result: Ok(()) },
            Effect::SysfsWrite { token, .. } => Event::SysfsWritten { token, result: Ok(()) },
            Effect::Notify(notice @ Notice::AliasConflict { .. }) => {
                self.remarks.push(notice.to_string());
                return None;
            }
            _ => return None,
        })
    }

    /// An operation, as it belongs into the plan.
    fn note(&mut self, wwid: &Wwid, op: &DmOp) {
        let Some(map) = self.core.map_by_wwid(wwid) else { return };
        let why = map.inflight.as_ref().map_or("", |inflight| inflight.reason);
        let now = map.observed.as_ref().and_then(Observed::table).map(ToString::to_string);
        let change = match op {
            DmOp::Create { load, .. } => {
                Change::Create { table: load.params.clone(), paths: self.names(map) }
            }
            DmOp::Reload { load, .. } => {
                let earlier = self.changes.iter_mut().find(|change| {
                    change.wwid == *wwid
                        && matches!(change.change, Change::Create { .. } | Change::Reload { .. })
                });
                if let Some(MapChange {
                    change: Change::Create { table, .. } | Change::Reload { new: table, .. },
                    ..
                }) = earlier
                {
                    table.clone_from(&load.params);
                    return;
                }
                Change::Reload { old: now.unwrap_or_default(), new: load.params.clone(), why }
            }
            DmOp::Rename { to, .. } => Change::Rename { to: to.clone() },
            DmOp::Remove { .. } => Change::Remove { why },
            DmOp::Message { messages } => Change::Tell { messages: messages.clone() },
            DmOp::CancelRemove
            | DmOp::Suspend
            | DmOp::Resume { .. }
            | DmOp::Reassign { .. }
            | DmOp::RenamePartitions { .. }
            | DmOp::Query { .. } => return,
        };
        let name = match op {
            DmOp::Create { name, .. } => name.clone(),
            _ => map.kernel_name().clone(),
        };
        self.changes.push(MapChange { name, wwid: wwid.clone(), change });
    }

    fn names(&self, map: &Map) -> Vec<String> {
        let members = map.members.iter().filter_map(|id| self.core.paths.get(id));
        members.map(|path| path.name.to_string()).collect()
    }
}

/// Paths that would be in another map, or in none.
fn path_changes(before: &Core, after: &Core) -> Vec<PathChange> {
    let names: alloc::collections::BTreeSet<_> = before.by_name.keys().chain(after.by_name.keys()).collect();
    let path = |core: &Core, name| -> Option<(Option<Wwid>, Option<MapName>, String)> {
        let path: &Path = core.paths.get(core.by_name.get(name)?)?;
        let map = path.map().and_then(|id| core.maps.get(&id));
        let why = match &path.standing {
            Standing::New => "it is not known yet".into(),
            Standing::Excluded(why) => why.to_string(),
            Standing::Waiting { wwid } => core.why_alone(path.id, wwid),
            Standing::Member { .. } => String::new(),
        };
        Some((map.map(|map| map.wwid.clone()), map.map(|map| map.name.clone()), why))
    };
    let mut changes = Vec::new();
    for name in names {
        let gone = || (None, None, "it is gone".to_string());
        let (was, from, _) = path(before, name).unwrap_or_else(gone);
        let (is, to, why) = path(after, name).unwrap_or_else(gone);
        if was != is {
            changes.push(PathChange { path: name.to_string(), from, to, why });
        }
    }
    changes
}

/// Settings of maps that stay, and have another value.
fn setting_changes(before: &Core, after: &Core) -> Vec<SettingChange> {
    let settings = |core: &Core, wwid: &Wwid| -> Option<Vec<Setting>> {
        let map = core.map_by_wwid(wwid)?;
        let first = map.members.first().and_then(|id| core.paths.get(id));
        Some(core.settings_of(first, Some(map)))
    };
    let mut found: BTreeMap<(&str, String, String), Vec<MapName>> = BTreeMap::new();
    for map in before.maps.values().filter(|map| map.observed.is_some()) {
        let (Some(was), Some(is)) = (settings(before, &map.wwid), settings(after, &map.wwid)) else {
            continue;
        };
        for (was, is) in
            was.into_iter().zip(is).filter(|(was, is)| was.value != is.value && was.keyword != "name")
        {
            found.entry((was.keyword, was.value, is.value)).or_default().push(map.kernel_name().clone());
        }
    }
    let change = |((keyword, was, is), maps)| SettingChange { keyword, was, is, maps };
    found.into_iter().map(change).collect()
}

/// Maps whose groups the next checks of their paths may yet change: they are new, or have another
/// prioritizer.
fn unrated(before: &Core, after: &Core, changes: &[MapChange]) -> Vec<String> {
    let is_loaded =
        |change: &&MapChange| matches!(change.change, Change::Create { .. } | Change::Reload { .. });
    let is_new = |path: &&Path| path.health.state == CheckState::Unchecked;
    let is_unrated = |path: &&Path| {
        let was = before.paths.get(&path.id);
        was.is_some_and(|was| was.health.priority.is_known() && !path.health.priority.is_known())
    };
    let remark = |map: &Map| {
        let members = after.members(map);
        if desired::policy(map, &members) != GroupingPolicy::ByPrio {
            return None;
        }
        let loaded = changes.iter().filter(is_loaded).find(|change| change.wwid == map.wwid);
        let (name, then) = match loaded {
            Some(change) => (&change.name, ""),
            None => (map.kernel_name(), ", and it may be reloaded then"),
        };
        let which = if members.iter().any(is_unrated) {
            "the next checks of its"
        } else if loaded.is_some() && members.iter().any(is_new) {
            "the first checks of its new"
        } else {
            return None;
        };
        Some(format!("{name}: its groups follow priorities that {which} paths will tell{then}"))
    };
    after.maps.values().filter_map(remark).collect()
}

/// Maps that are suspended on purpose: what would be done to them waits.
fn left_suspended(core: &Core) -> impl Iterator<Item = String> {
    let suspended = |map: &&Map| map.observed.as_ref().is_some_and(|observed| observed.suspended);
    let left = core.maps.values().filter(|map| map.orders.suspended).filter(suspended);
    left.map(|map| format!("{}: it is suspended, and left as it is until it is resumed", map.kernel_name()))
}
