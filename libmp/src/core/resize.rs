//! A LUN has another size: `resize map`, and `auto_resize`.
//!
//! Every path is rescanned first, as the kernel does not look at a disk's size by itself, and the map
//! is given the new size only when all of its paths show it: I/O beyond the end of a path that still
//! has the old one would fail there.
//!
//! A rescan ends well where nothing was read, too. It counts between two good checks. A path without the first is not rescanned: the
//! kernel would have it without a size.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::settings::AutoResize;
use crate::core::desired;
use crate::core::effect::{Effect, Outbox};
use crate::core::map::{Map, MapId, Observed, Resize};
use crate::core::notice::{Level, Notice};
use crate::core::path::{Exclusion, Path, PathId, Standing};
use crate::core::requests::Until;
use crate::core::waiting::Awaited;
use crate::core::{Core, Phase};
use crate::ctl::{FAIL, OK};
use crate::types::{Errno, Instant, Wwid};

/// What the sizes of a map's paths come to.
enum Sizes {
    /// All have that of the map.
    Same,
    /// All have this one.
    New(u64),
    /// They contradict each other, or say nothing.
    Unclear,
}

/// How far a path is that is read anew for the size of its map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Resizing {
    /// It is not, or its size is what the next probe says.
    #[default]
    No,
    /// A check is to say if it can be reached.
    Checked,
    /// It is being rescanned.
    Rescanned,
    /// Another one is to say if it still can be.
    CheckedAgain,
}

/// Is it asked of a map's paths what size it is to have, or is it to take one?
fn is_resizing(map: &Map) -> bool {
    map.size_due || !map.rescans.is_empty() || map.orders.resize.is_some()
}

impl Core {
    /// Has every path of a map rescanned. Says why not, if it can't be.
    pub(super) fn rescan(&mut self, now: Instant, id: MapId, out: &mut Outbox) -> Result<(), &'static str> {
        let Some(map) = self.maps.get_mut(&id) else { return Err(FAIL) };
        if map.members.is_empty() {
            return Err("fail\nit has no path that could tell its size\n");
        }
        map.rescans = map.members.clone();
        map.unread.clear();
        for path in map.members.clone() {
            if self.paths.get(&path).is_some_and(Path::is_rescanned) {
                self.check_for_size(now, path, Resizing::Checked, out);
            } else {
                self.start_probe(path, out); // the kernel looks at its size by itself
            }
        }
        Ok(())
    }

    fn check_for_size(&mut self, now: Instant, id: PathId, step: Resizing, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        path.resizing = step;
        path.health.calm = None;
        if path.health.held_down || path.health.stuck.is_some() {
            self.checked_for_size(id, false, out); // it is not checked
        } else {
            self.start_check(now, id, out);
        }
    }

    /// A check of a path has ended, well or not.
    pub(super) fn checked_for_size(&mut self, id: PathId, good: bool, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let reached = good && !path.health.blocked;
        match path.resizing {
            Resizing::No | Resizing::Rescanned => {}
            Resizing::Checked if reached => {
                path.resizing = Resizing::Rescanned;
                let (name, devt) = (path.name.clone(), path.devt());
                let token = self.waiting.token(Awaited::Rescan(id));
                let (attribute, value) = ("device/rescan", "1".into());
                out.push(Effect::SysfsWrite { token, name, devt, attribute, value });
            }
            Resizing::Checked | Resizing::CheckedAgain => self.read_for_size(id, reached, out),
        }
    }

    /// A path was rescanned, or can't be.
    pub(super) fn rescanned(
        &mut self,
        now: Instant,
        id: PathId,
        result: Result<(), Errno>,
        out: &mut Outbox,
    ) {
        let Some(path) = self.paths.get_mut(&id).filter(|path| path.resizing == Resizing::Rescanned) else {
            return;
        };
        if result.is_err() {
            return self.read_for_size(id, false, out);
        }
        // A check that began before that says nothing of it.
        path.health.outdated |= path.health.inflight.is_some();
        self.check_for_size(now, id, Resizing::CheckedAgain, out);
    }

    /// The kernel has read a path, or could not. The probe tells its size.
    fn read_for_size(&mut self, id: PathId, read: bool, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        path.resizing = Resizing::No;
        let Some(map) = path.map().and_then(|map| self.maps.get_mut(&map)) else { return };
        if map.rescans.contains(&id) {
            if !read {
                map.unread.insert(id);
            }
            self.start_probe(id, out);
        }
    }

    /// A path has told its size, or is no longer there to tell it.
    pub(super) fn size_told(&mut self, map_id: MapId, id: PathId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&map_id) else { return };
        if self.paths.get(&id).is_some_and(|path| path.resizing != Resizing::No) {
            return;
        }
        if map.rescans.remove(&id) && map.rescans.is_empty() {
            let awaited = self.is_resize_awaited(map_id);
            let unread = self.list_unread(map_id);
            match self.sizes(map_id) {
                Sizes::New(_) if awaited && !self.may_flush(map_id) => {
                    let text = "fail\nit has no working path, and I/O that waits would fail\n";
                    self.answer_resize(map_id, Some(text), out);
                }
                Sizes::Same | Sizes::New(_) if awaited && !unread.is_empty() => {
                    self.answer_resize(map_id, Some(&format!("fail\n{unread}\n")), out);
                }
                Sizes::Same => self.answer_resize(map_id, Some(OK), out),
                Sizes::New(_) if awaited => {
                    self.take_size(map_id, Resize::Ordered, out);
                    self.answer_resize(map_id, None, out);
                }
                // Nobody waits for it any more, or it was being asked as the start ended.
                Sizes::New(size) => self.follow(map_id, size, out),
                Sizes::Unclear => {
                    let and = if unread.is_empty() { "" } else { "; " };
                    let sizes = self.list_sizes(map_id);
                    let text = format!("fail\nits paths differ: {sizes}{and}{unread}\n");
                    self.answer_resize(map_id, Some(&text), out);
                }
            }
        }
    }

    /// The paths that have not been rescanned yet, for who waits no longer. Nothing will be resized.
    pub(super) fn give_up_rescans(&mut self, id: MapId) -> String {
        let Some(map) = self.maps.get_mut(&id) else { return String::new() };
        let awaited: BTreeSet<PathId> = core::mem::take(&mut map.rescans);
        for id in &awaited {
            if let Some(path) = self.paths.get_mut(id) {
                path.resizing = Resizing::No;
            }
        }
        // While they were rescanned, nothing was made of paths that have become smaller.
        self.dirty.insert(id);
        let names = awaited.iter().filter_map(|p| Some(self.paths.get(p)?.name.as_str()));
        names.collect::<Vec<_>>().join(", ")
    }

    /// `auto_resize`, when a path has shown its size.
    pub(super) fn auto_resize(&mut self, id: MapId, out: &mut Outbox) {
        let sizes = self.sizes(id);
        let Some(map) = self.maps.get_mut(&id).filter(|m| m.rescans.is_empty()) else { return };
        let now = map.observed.as_ref().and_then(Observed::sectors).unwrap_or(0);
        map.orders.resize = map.orders.resize.filter(|order| match sizes {
            Sizes::Same => false,
            Sizes::New(size) => order.takes(size, now),
            Sizes::Unclear => true,
        });
        if let (Sizes::New(size), true) = (sizes, self.config.globals().auto_resize != AutoResize::Never) {
            self.follow(id, size, out);
        }
    }

    /// All paths of a map show this size, which nobody has ordered: it is taken if it is more, or may be less, too.
    fn follow(&mut self, id: MapId, size: u64, out: &mut Outbox) {
        let shrinks = self.config.globals().auto_resize == AutoResize::GrowShrink;
        let who = if shrinks { Resize::ByItself } else { Resize::Grow };
        let now = self.maps.get(&id).and_then(|map| map.observed.as_ref()?.sectors()).unwrap_or(0);
        if who.takes(size, now) {
            self.take_size(id, who, out);
        }
    }

    /// A LUN that has grown, of a map that does not follow it by itself, is said once for each size.
    pub(super) fn review_grown(&mut self, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get(&id) else { return };
        if self.phase != Phase::Running || is_resizing(map) {
            return;
        }
        let grown = self.grown(map);
        if map.said_grown == grown {
            return;
        }
        if let Some(what) = self.explain_grown(map) {
            let text = format!("{}: {what}", map.kernel_name());
            out.notify(Notice::Other { level: Level::Warning, text });
        }
        if let Some(map) = self.maps.get_mut(&id) {
            map.said_grown = grown;
        }
    }

    /// The size that all paths of a map show which is to keep a smaller one until an operator says otherwise.
    fn grown(&self, map: &Map) -> Option<u64> {
        let now = map.observed.as_ref().and_then(Observed::sectors)?;
        let never = self.config.globals().auto_resize == AutoResize::Never;
        match self.sizes(map.id) {
            Sizes::New(size) if size > now && never => Some(size),
            _ => None,
        }
    }

    /// What there is to say of a map whose LUN has grown.
    pub(super) fn explain_grown(&self, map: &Map) -> Option<String> {
        let now = map.observed.as_ref().and_then(Observed::sectors)?;
        let size = self.grown(map).filter(|_| !is_resizing(map))?;
        let how = format!("`resize map {}` gives it the new size", map.kernel_name());
        Some(format!("its LUN has grown: {size} sectors, the map has {now}; {how}"))
    }

    fn is_resize_awaited(&self, id: MapId) -> bool {
        !self.waiting_for(Until::Rescanned(id)).is_empty()
    }

    fn may_flush(&self, id: MapId) -> bool {
        let Some(map) = self.maps.get(&id) else { return false };
        desired::may_flush(map.observed.as_ref(), &self.members(map))
    }

    fn take_size(&mut self, id: MapId, who: Resize, out: &mut Outbox) {
        if let Some(map) = self.maps.get_mut(&id) {
            let was = map.orders.resize.filter(|was| *was != Resize::Grow);
            map.orders.resize = was.or(Some(who));
            map.backoff.clear();
            self.dirty.insert(id);
            self.reconsider(id, out);
        }
    }

    /// What the size of a path says against its joining this map; `live`: it is in the map's table.
    ///
    /// Whatever was done while no daemon ran, or the configuration is read anew, the paths are taken as they are if they
    /// agree, and the map follows them (`take_sizes`).
    pub(super) fn another_size(&self, id: PathId, map: &Map, live: bool) -> Option<String> {
        let mine = self.sectors(id);
        if mine == 0 {
            return None; // it does not tell, and the kernel takes it
        }
        let others = map.members.iter().filter(|p| **p != id).map(|p| self.sectors(*p));
        let mut others = others.filter(|size| *size > 0);
        let settling = matches!(self.phase, Phase::Enumerating | Phase::Settling);
        let kernel = map.observed.as_ref().and_then(Observed::sectors);
        // A table that was found has it, whatever it shows: what becomes of that is yet to be seen (`core/smaller.rs`).
        let found = || self.paths.get(&id).is_some_and(|path| map.unidentified.is_unknown(path.devt()));
        let size = match kernel {
            Some(size) if mine == size || (live && (mine > size || found())) => return None,
            Some(size)
                if (mine > size || settling || map.orders.resize.is_some())
                    && others.all(|other| other == mine) =>
            {
                return None;
            }
            Some(size) => size,
            None => others.next()?,
        };
        self.not_this_size(id, size)
    }

    /// Has a path another size than this one?
    pub(super) fn not_this_size(&self, id: PathId, size: u64) -> Option<String> {
        let mine = self.sectors(id);
        (size != mine).then(|| format!("its size is {mine} sectors, not {size}"))
    }

    pub(super) fn sectors(&self, id: PathId) -> u64 {
        self.paths.get(&id).and_then(|path| path.facts.as_ref()).map_or(0, |facts| facts.sectors)
    }

    /// At the start and after a reconfigure: maps have the size that all of their paths show. Where some are still asked,
    /// theirs is taken as `follow` says.
    pub(super) fn take_sizes(&mut self, out: &mut Outbox) {
        for id in self.maps.keys().collect::<Vec<_>>() {
            self.take_size_of(id, out);
        }
    }

    /// Of a map with disks that nobody knows yet, as soon as they are known.
    pub(super) fn take_size_of(&mut self, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.size_due = map.unidentified.any_unknown();
        let asked = |p: &&PathId| self.paths.get(p).is_some_and(|path| path.probe.is_some());
        map.rescans.extend(map.members.iter().filter(asked));
        if map.rescans.is_empty() && matches!(self.sizes(id), Sizes::New(_)) {
            self.take_size(id, Resize::ByItself, out);
        }
    }

    /// A table of this size is live. It may have been ordered before the map was to have another.
    pub(super) fn resized(&mut self, id: MapId, sectors: u64, out: &mut Outbox) {
        let sizes = self.sizes(id);
        let Some(map) = self.maps.get_mut(&id) else { return };
        let Some(order) = map.orders.resize else { return };
        if matches!(sizes, Sizes::New(size) if size != sectors && order.takes(size, sectors)) {
            return;
        }
        map.orders.resize = None;
        self.reconsider(id, out);
    }

    /// What spoke against a path being this map's may not do so any more.
    pub(super) fn reconsider(&mut self, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get(&id) else { return };
        let refused = |path: &&Path| matches!(&path.standing, Standing::Excluded(Exclusion::Contradicts { wwid, .. }) if *wwid == map.wwid);
        let contradicting = self.contradicting.iter().filter_map(|path| self.paths.get(path));
        let again: Vec<PathId> = contradicting.filter(refused).map(|path| path.id).collect();
        for path in again {
            self.start_probe(path, out);
        }
    }

    /// No map is there, and none can be made of the disks that it has, which can't be opened: of its size this one knows more, which
    /// can, and they make way for it. A disk that is another one by its serial number knows nothing of it.
    pub(super) fn make_way(&mut self, now: Instant, id: PathId, wwid: &Wwid, out: &mut Outbox) {
        let size = self.sectors(id);
        let Some(map) = self.map_by_wwid(wwid).filter(|map| map.observed.is_none() && size > 0) else {
            return;
        };
        let outdated = |path: &&Path| path.health.closed && self.sectors(path.id) != size;
        let members = self.members(map);
        if self.paths.get(&id).is_none_or(|path| path.health.closed) || !members.iter().all(outdated) {
            return;
        }
        if self.serial_of_another(id, map).is_some() {
            return;
        }
        for other in members.iter().map(|path| path.id).collect::<Vec<_>>() {
            if let Some(reason) = self.not_this_size(other, size) {
                self.exclude(now, other, Exclusion::Contradicts { wwid: wwid.clone(), reason }, out);
            }
        }
    }

    fn sizes(&self, id: MapId) -> Sizes {
        let Some(map) = self.maps.get(&id) else { return Sizes::Unclear };
        let told = map.members.iter().map(|p| self.sectors(*p)).filter(|size| *size > 0);
        let mut all: Vec<u64> = told.collect();
        all.dedup();
        match (all.as_slice(), map.observed.as_ref().and_then(Observed::sectors)) {
            ([one], Some(now)) if *one == now => Sizes::Same,
            ([one], Some(_)) => Sizes::New(*one),
            _ => Sizes::Unclear,
        }
    }

    /// The paths whose sizes the kernel could not read. Those that show none are not asked to agree.
    fn list_unread(&self, id: MapId) -> String {
        let unread = self.maps.get(&id).into_iter().flat_map(|map| map.unread.intersection(&map.members));
        let told = unread.filter(|path| self.sectors(**path) > 0);
        let names: Vec<&str> = told.filter_map(|path| Some(self.paths.get(path)?.name.as_str())).collect();
        if names.is_empty() { String::new() } else { format!("not read anew: {}", names.join(", ")) }
    }

    fn list_sizes(&self, id: MapId) -> String {
        let members = self.maps.get(&id).into_iter().flat_map(|m| &m.members);
        let sizes = members.filter_map(|p| {
            let path = self.paths.get(p)?;
            Some(format!("{} has {} sectors", path.name, path.facts.as_ref().map_or(0, |f| f.sectors)))
        });
        sizes.collect::<Vec<_>>().join(", ")
    }
}
