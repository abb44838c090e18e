//! A path that has become smaller than its map. Most likely its LUN has, and its other paths show that as soon as the kernel has
//! read them anew, one after another. None is lost for that: it stays in the table that is live, and the others are waited for, and
//! read anew at last. Only where one of use still shows more is it taken for another LUN.

use ::core::time::Duration;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::core::desired::{self, Desired};
use crate::core::effect::Outbox;
use crate::core::map::{Map, MapId, Observed};
use crate::core::notice::{Level, Notice};
use crate::core::path::{Exclusion, Path, PathId, Standing};
use crate::core::plan::{self, Planned, Situation};
use crate::core::refused::is_live;
use crate::core::timers::Timer;
use crate::core::{Core, Phase};
use crate::dm::op::DmOp;
use crate::identify::{self, RawProbe};
use crate::types::Instant;

/// The other paths are waited for so long, from the last one that began to show less.
const OTHERS_LIMIT: Duration = Duration::from_mins(1);

/// They have so long to be read anew.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How a table is made of members.
pub(super) type Build = fn(&Map, &[&Path]) -> Option<Desired>;

/// What is known of the paths that show less than their map.
#[derive(Debug, Clone, Default)]
pub struct Smaller {
    /// They.
    paths: BTreeSet<PathId>,
    /// Those that show more, and were asked to be read anew since.
    asked: BTreeSet<PathId>,
    /// That no path shows more was said.
    said: bool,
}

impl Core {
    /// Is there a path of this map that shows less, and does another show more? The answer is waited for, but nothing is asked
    /// while all are being rescanned, or a size is to be taken anyhow.
    pub(super) fn review_sizes(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get(&id).filter(|_| self.phase == Phase::Running) else { return };
        let resizing = !map.rescans.is_empty() || map.orders.resize.is_some();
        let size = map.observed.as_ref().and_then(Observed::sectors).filter(|_| !resizing).unwrap_or(0);
        let is_small = |path: &&Path| (1..size).contains(&self.sectors(path.id));
        let members = self.members(map);
        let small: Vec<&Path> = members.iter().copied().filter(is_small).collect();
        if small.is_empty() {
            return self.forget_smaller(id);
        }
        let differ = members.iter().any(|path| self.sectors(path.id) >= size);
        let name = map.kernel_name();
        let warn = |text: String, out: &mut Outbox| {
            out.notify(Notice::Other { level: Level::Warning, text });
        };
        let new: Vec<&Path> = small.iter().copied().filter(|p| !map.smaller.paths.contains(&p.id)).collect();
        if differ {
            for (path, has) in new.iter().map(|path| (&path.name, self.sectors(path.id))) {
                let until = "it is used until it is known if its LUN has become smaller";
                warn(format!("{name}: {path} has {has} sectors, the map {size}: {until}"), out);
            }
        } else if !map.smaller.said {
            let has = small.iter().map(|path| self.sectors(path.id)).min().unwrap_or(0);
            let then = "I/O beyond that fails until it is resized (`resize map`)";
            warn(
                format!("{name}: its LUN has become smaller: {has} sectors, the map has {size}; {then}"),
                out,
            );
        }
        let (anew, paths) = (!new.is_empty(), small.iter().map(|path| path.id).collect());
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.smaller.paths = paths;
        map.smaller.said = !differ;
        if anew || !differ {
            map.smaller.asked.clear();
        }
        let waits = self.timers.get(Timer::Sizes(id)).is_some();
        if !differ {
            self.timers.cancel(Timer::Sizes(id));
        } else if anew || !waits {
            self.timers.set(Timer::Sizes(id), now + OTHERS_LIMIT);
        }
    }

    fn forget_smaller(&mut self, id: MapId) {
        let Some(map) = self.maps.get_mut(&id).filter(|map| !map.smaller.paths.is_empty()) else { return };
        map.smaller = Smaller::default();
        self.timers.cancel(Timer::Sizes(id));
    }

    /// The others have been waited for. Those of use that still show more are read anew once; what they show then counts.
    pub(super) fn sizes_over(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let asked = map.smaller.asked.clone();
        let map = &self.maps[&id];
        let size = map.observed.as_ref().and_then(Observed::sectors).unwrap_or(u64::MAX);
        let larger = self.usable_with(map, size);
        let new: Vec<PathId> = larger.iter().map(|path| path.id).filter(|p| !asked.contains(p)).collect();
        let told = larger.iter().any(|path| !path.doubted && path.probe.is_none());
        let (small, wwid) = (map.smaller.paths.clone(), map.wwid.clone());
        let limit = if larger.is_empty() { OTHERS_LIMIT } else { ANSWER_LIMIT };
        if !new.is_empty() || !told {
            self.timers.set(Timer::Sizes(id), now + limit);
            if let Some(map) = self.maps.get_mut(&id) {
                map.smaller.asked.extend(&new);
            }
            return new.into_iter().for_each(|path| self.read_anew(now, path, out));
        }
        for path in small {
            if let Some(reason) = self.too_small(path, id) {
                self.exclude(now, path, Exclusion::Contradicts { wwid: wwid.clone(), reason }, out);
                self.moved_from(path, id);
            }
        }
    }

    /// Members of use that have this size at least. What a dead one showed before it failed says nothing.
    fn usable_with(&self, map: &Map, size: u64) -> Vec<&Path> {
        let mut members = self.members(map);
        members.retain(|path| path.is_usable() && self.sectors(path.id) >= size);
        members
    }

    /// A disk tells its size anew. One of SCSI is rescanned first, when it has answered: a rescan of a dead one would make its size 0.
    pub(super) fn read_anew(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        if self.paths.get(&id).is_some_and(Path::is_rescanned) {
            self.doubt(id);
            self.start_check(now, id, out);
        } else {
            self.start_probe(id, out);
        }
    }

    /// What says of a member that it is not of its LUN any more: it shows less than its map, which others of use fill.
    fn too_small(&self, id: PathId, map: MapId) -> Option<String> {
        let map = self.maps.get(&map).filter(|m| m.rescans.is_empty() && m.orders.resize.is_none())?;
        let of_kernel = map.observed.as_ref().and_then(Observed::sectors);
        let size = of_kernel.or_else(|| map.members.iter().map(|p| self.sectors(*p)).max())?;
        let mine = self.sectors(id);
        let alone = self.usable_with(map, size).is_empty();
        if mine > 0 && mine < size && !alone { self.not_this_size(id, size) } else { None }
    }

    /// A member was read. If it has become too small, and does not say itself that it is who it was, it leaves its map at once.
    pub(super) fn leaves_for_size(&mut self, now: Instant, id: PathId, raw: &RawProbe, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id) else { return };
        let Standing::Member { wwid, map: from } = path.standing.clone() else { return };
        let may_shrink = |map: &Map| {
            let own = identify::designated(raw);
            let live = map.observed.as_ref().and_then(Observed::sectors).is_some();
            live && own.is_some() && own == path.designated && self.serial_of_another(id, map).is_none()
        };
        let stays = self.maps.get(&from).is_none_or(may_shrink);
        if let Some(reason) = self.too_small(id, from).filter(|_| !stays) {
            self.exclude(now, id, Exclusion::Contradicts { wwid, reason }, out);
            self.moved_from(id, from);
        }
    }

    /// What there is to say of a path that shows less than its map.
    pub(super) fn explain_size(&self, now: Instant, path: &Path) -> Option<String> {
        let map = path.map().and_then(|map| self.maps.get(&map))?;
        let size = map.observed.as_ref().and_then(Observed::sectors)?;
        let has = self.sectors(path.id);
        let waits =
            |at: Instant| format!("the others are waited for, {} s more", at.saturating_since(now).as_secs());
        let otherwise = || "no table can have it before the map is resized".into();
        let what = self.timers.get(Timer::Sizes(map.id)).map_or_else(otherwise, waits);
        (1..size).contains(&has).then(|| format!("it has {has} sectors, its map {size}: {what}"))
    }
}

/// The next operation with these members. No table is loaded merely because one of the live one has become too small for it,
/// nor one that would leave the map with none of use for that.
pub(super) fn plan(
    situation: &Situation<'_>,
    members: &[&Path],
    desire: &dyn Fn(Build, &[&Path]) -> Option<Desired>,
) -> Option<Planned> {
    let with = |desired: Option<&Desired>| plan::plan(&Situation { desired, ..*situation });
    let reloads = |planned: &Planned| matches!(planned.op, DmOp::Reload { .. });
    let desired = desire(desired::desired, members);
    let planned = with(desired.as_ref());
    let Some(size) = desired.filter(|_| planned.as_ref().is_some_and(reloads)).map(|d| d.sectors) else {
        return planned;
    };
    let (small, fit): (Vec<&Path>, Vec<&Path>) = members.iter().partition(|path| !desired::fits(path, size));
    let small: Vec<&Path> = small.into_iter().filter(|path| is_live(situation.map, path)).collect();
    if small.is_empty() {
        return planned;
    }
    let whole = with(desire(desired::whole, members).as_ref());
    if !whole.as_ref().is_some_and(reloads) {
        return whole;
    }
    let of_use = |paths: &[&Path]| paths.iter().any(|path| path.is_usable());
    if of_use(&small) && !of_use(&fit) { with(None) } else { planned }
}
