//! A LUN has another size: `resize map`, and `auto_resize`.
//!
//! Every path is rescanned first, as the kernel does not look at a disk's size by itself, and the map
//! is given the new size only when all of its paths show it: I/O beyond the end of a path that still
//! has the old one would fail there.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::settings::AutoResize;
use crate::core::desired;
use crate::core::effect::{Effect, Outbox};
use crate::core::map::{Map, MapId, Observed, Resize};
use crate::core::path::{Exclusion, Path, PathId, Standing};
use crate::core::requests::Until;
use crate::core::waiting::Awaited;
use crate::core::{Core, Phase};
use crate::ctl::{FAIL, OK};
use crate::types::{Instant, Wwid};

/// What the sizes of a map's paths come to.
enum Sizes {
    /// All have that of the map.
    Same,
    /// All have this one.
    New(u64),
    /// They contradict each other, or say nothing.
    Unclear,
}

impl Core {
    /// Has every path of a map rescanned. Says why not, if it can't be.
    pub(super) fn rescan(&mut self, id: MapId, out: &mut Outbox) -> Result<(), &'static str> {
        let Some(map) = self.maps.get_mut(&id) else { return Err(FAIL) };
        if map.members.is_empty() {
            return Err("fail\nit has no path that could tell its size\n");
        }
        map.rescans = map.members.clone();
        for path in map.members.clone() {
            let Some(member) = self.paths.get_mut(&path) else { continue };
            member.resizing = true;
            let (name, devt) = (member.name.clone(), member.devt());
            let token = self.waiting.token(Awaited::Rescan(path));
            let (attribute, value) = ("device/rescan", "1".into());
            out.push(Effect::SysfsWrite { token, name, devt, attribute, value });
        }
        Ok(())
    }

    /// A path was rescanned, or can't be: either way the probe tells its size.
    pub(super) fn rescanned(&mut self, id: PathId, out: &mut Outbox) {
        if let Some(path) = self.paths.get_mut(&id) {
            path.resizing = false;
        }
        if self.maps.values().any(|m| m.rescans.contains(&id)) {
            self.start_probe(id, out);
        }
    }

    /// A path has told its size, or is no longer there to tell it.
    pub(super) fn size_told(&mut self, map_id: MapId, id: PathId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&map_id) else { return };
        if self.paths.get(&id).is_some_and(|path| path.resizing) {
            return;
        }
        if map.rescans.remove(&id) && map.rescans.is_empty() {
            match self.sizes(map_id) {
                Sizes::Same => self.answer_resize(map_id, Some(OK), out),
                Sizes::New(_) if self.is_resize_awaited(map_id) && !self.may_flush(map_id) => {
                    let text = "fail\nit has no working path, and I/O that waits would fail\n";
                    self.answer_resize(map_id, Some(text), out);
                }
                Sizes::New(_) if self.is_resize_awaited(map_id) => {
                    self.take_size(map_id, Resize::Ordered, out);
                    self.answer_resize(map_id, None, out);
                }
                // Nobody waits for it any more, or it was being asked as the start ended.
                Sizes::New(size) => self.follow(map_id, size, out),
                Sizes::Unclear => {
                    let text = format!("fail\nits paths differ: {}\n", self.list_sizes(map_id));
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
                path.resizing = false;
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

    fn list_sizes(&self, id: MapId) -> String {
        let members = self.maps.get(&id).into_iter().flat_map(|m| &m.members);
        let sizes = members.filter_map(|p| {
            let path = self.paths.get(p)?;
            Some(format!("{} has {} sectors", path.name, path.facts.as_ref().map_or(0, |f| f.sectors)))
        });
        sizes.collect::<Vec<_>>().join(", ")
    }
}
