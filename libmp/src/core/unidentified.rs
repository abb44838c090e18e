//! Who is not known for certain. Devices in the table of a map that was found, of which nobody knows who they are: not probed yet,
//! or udev has not said. They are left where they are until it is known, as nothing speaks against them: after a switch of the root
//! file system udev's database is empty for a while, and a map in use must not lose its paths for that.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::core::Core;
use crate::core::desired::Desired;
use crate::core::effect::Outbox;
use crate::core::map::{Map, MapId, Observed};
use crate::core::path::{Exclusion, Path, Standing};
use crate::core::plan::{self, Planned, Situation};
use crate::dm::op::DmOp;
use crate::dm::table::{Table, TableGroup, TablePath};
use crate::types::DevT;

/// Devices of a map's table, as it was found, that are not known to be its paths.
#[derive(Debug, Clone, Default)]
pub struct Unidentified(BTreeMap<DevT, Whose>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Nobody knows yet.
    Unknown,
    /// udev, or the disk itself, calls it otherwise than this map.
    Others,
}

impl Unidentified {
    /// Of none of these anything is known.
    pub fn new(devices: impl Iterator<Item = DevT>) -> Self {
        Self(devices.map(|devt| (devt, Whose::Unknown)).collect())
    }

    /// Is it known of all who they are?
    pub fn is_settled(&self) -> bool {
        self.0.is_empty()
    }

    /// Is this one of them, known to be another LUN or not?
    pub fn has(&self, devt: DevT) -> bool {
        self.0.contains_key(&devt)
    }

    /// Is this one that nobody knows?
    pub fn is_unknown(&self, devt: DevT) -> bool {
        self.0.get(&devt) == Some(&Whose::Unknown)
    }

    /// Is there one that nobody knows?
    pub fn any_unknown(&self) -> bool {
        self.unknown().next().is_some()
    }

    /// Those that nobody knows.
    pub fn unknown(&self) -> impl Iterator<Item = DevT> + '_ {
        self.all(Whose::Unknown)
    }

    /// Those that are other LUNs.
    pub fn others(&self) -> impl Iterator<Item = DevT> + '_ {
        self.all(Whose::Others)
    }

    fn all(&self, whose: Whose) -> impl Iterator<Item = DevT> + '_ {
        self.0.iter().filter(move |(_, is)| **is == whose).map(|(devt, _)| *devt)
    }

    /// This one is another LUN.
    pub fn cast_out(&mut self, devt: DevT) {
        self.0.insert(devt, Whose::Others);
    }
}

impl Core {
    /// A map was found: whose its devices are is yet to be seen.
    pub(super) fn find_unidentified(&mut self, id: MapId) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let table = map.observed.as_ref().and_then(Observed::table);
        let devices = table.into_iter().flat_map(Table::paths).map(|path| path.devt);
        map.unidentified = Unidentified::new(devices);
        if map.unidentified.any_unknown() {
            self.unidentified.insert(id);
            self.tell_apart(id);
        }
    }

    /// Takes away those that are known by now, that have left the table, or that are no disks any more.
    pub(super) fn review_unidentified(&mut self, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get(&id).filter(|_| self.unidentified.contains(&id)) else { return };
        let known = |devt: &DevT| {
            let in_table = map.observed.as_ref().is_some_and(|o| o.path_active(*devt).is_some());
            !in_table || self.members(map).iter().any(|path| path.devt() == *devt) || self.is_known(*devt)
        };
        let known: Vec<DevT> = map.unidentified.0.keys().copied().filter(known).collect();
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.unidentified.0.retain(|devt, _| !known.contains(devt));
        let due = map.size_due && !map.unidentified.any_unknown();
        if map.unidentified.is_settled() {
            self.unidentified.remove(&id);
        }
        if due {
            self.take_size_of(id, out);
        }
    }

    /// One of them that is known to be too small for the table that it is in, if there is any. No table of that size can be loaded with it.
    pub(super) fn small_unidentified(&self, map: &Map) -> Option<&Path> {
        if !map.unidentified.any_unknown() {
            return None;
        }
        let room = map.observed.as_ref().and_then(Observed::sectors).unwrap_or(0);
        let size = |path: &Path| path.told_size.or_else(|| path.facts.as_ref().map(|f| (f.devt, f.sectors)));
        let is_small = |path: &&Path| {
            size(path)
                .is_some_and(|(devt, size)| (1..room).contains(&size) && map.unidentified.is_unknown(devt))
        };
        self.paths.values().find(is_small)
    }

    /// Is it known who this device is, or that it is none of the disks?
    fn is_known(&self, devt: DevT) -> bool {
        let nameless = |path: &Path| matches!(path.standing, Standing::Excluded(Exclusion::NoWwid(_)));
        match self.paths.values().find(|path| path.facts.is_some() && path.devt() == devt) {
            Some(path) => !nameless(path),
            None => !self.waiting.probes(),
        }
    }

    /// There is news of this device: maps that have it are planned again, and all where nothing more is awaited.
    pub(super) fn dirty_unidentified(&mut self, devt: DevT) {
        let all = !self.waiting.probes();
        if all {
            self.strangers.all_read();
        }
        let has = |id: &&MapId| all || self.maps.get(id).is_some_and(|map| map.unidentified.has(devt));
        self.dirty.extend(self.unidentified.iter().filter(has));
    }
}

/// What the kernel should have of a map, those included that are not known yet: in the groups that they are in, after the others.
/// If one of them is too small for the table by now, the groups stay as they are: it is not taken out either.
pub(super) fn keep(map: &Map, desired: Desired, small: bool) -> Desired {
    let Some(live) = map.observed.as_ref().and_then(Observed::table) else {
        return desired;
    };
    if !map.unidentified.any_unknown() {
        return desired;
    }
    let mut desired = desired;
    if small {
        desired.table.groups.clone_from(&live.groups);
        desired.table.init_group = live.init_group;
        return desired;
    }
    let unknown = |path: &&TablePath| map.unidentified.is_unknown(path.devt);
    let kept = live.groups.iter().map(|group| TableGroup {
        selector: group.selector.clone(),
        paths: group.paths.iter().filter(unknown).cloned().collect(),
    });
    desired.table.groups.extend(kept.filter(|group| !group.paths.is_empty()));
    desired.table.init_group = desired.table.init_group.max(1);
    desired.read_only |= map.read_only() == Some(true);
    desired.usable |= active(map) > 0;
    desired
}

/// How many of those that are not known the kernel uses.
pub(super) fn active(map: &Map) -> usize {
    let active = |devt: &DevT| map.observed.as_ref().and_then(|o| o.path_active(*devt)) == Some(true);
    map.unidentified.unknown().filter(active).count()
}

/// Is nothing known of the map but that the kernel uses a path of it? Then its settings are not known either.
pub(super) fn is_unknown(map: &Map) -> bool {
    map.members.is_empty() && active(map) > 0
}

/// What is to be done where a path may be another LUN by now. All paths of a table that is loaded are used at first, failed
/// ones too, and I/O that waits goes to them at once: such a path is left out until it has been looked at. No table is loaded for
/// that alone. `plan` is what comes next with fewer members. A map without a table is made of what there is, as a new one is: no I/O
/// waits in it.
pub(super) fn without_doubt(
    situation: &Situation<'_>,
    planned: Planned,
    small: bool,
    plan: &dyn Fn(&[&Path]) -> Option<Planned>,
) -> Option<Planned> {
    if matches!(planned.op, DmOp::Reload { .. }) && small {
        return plan::plan(&Situation { desired: None, ..*situation });
    }
    let observed = situation.map.observed.as_ref();
    // One that the kernel does not use, and that was well when it was last looked at, is as little known.
    let is_used = |path: &Path| observed.and_then(|o| o.path_active(path.devt())) == Some(true);
    let waits = |path: &Path| path.is_usable() && !path.may_be_used() && !is_used(path);
    let is_doubtful = |path: &Path| path.is_doubtful() || waits(path);
    if !matches!(planned.op, DmOp::Reload { .. }) || !situation.members.iter().any(|path| is_doubtful(path)) {
        return Some(planned);
    }
    let with = |wanted: &dyn Fn(&Path) -> bool| {
        let members: Vec<&Path> = situation.members.iter().copied().filter(|path| wanted(path)).collect();
        plan(&members)
    };
    if observed.is_none_or(|observed| observed.table().is_none()) {
        let certain = with(&|path| !is_doubtful(path));
        return certain.filter(|next| matches!(next.op, DmOp::Reload { .. })).or(Some(planned));
    }
    let is_live = |path: &Path| observed.and_then(|o| o.path_active(path.devt())).is_some();
    match with(&|path| !is_doubtful(path) || is_live(path)) {
        Some(Planned { op: DmOp::Reload { .. }, .. }) => with(&|path| !is_doubtful(path)),
        // Those that are not in the table are all that it lacks.
        otherwise => otherwise,
    }
}
