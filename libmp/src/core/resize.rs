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
use crate::core::Core;
use crate::core::effect::{Effect, Outbox};
use crate::core::map::{MapId, Observed};
use crate::core::path::PathId;
use crate::core::waiting::Awaited;
use crate::ctl::{FAIL, OK};

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
            let Some((name, devt)) = self.paths.get(&path).map(|p| (p.name.clone(), p.devt())) else {
                continue;
            };
            let token = self.waiting.token(Awaited::Rescan(path));
            let (attribute, value) = ("device/rescan", "1".into());
            out.push(Effect::SysfsWrite { token, name, devt, attribute, value });
        }
        Ok(())
    }

    /// A path was rescanned, or can't be: either way the probe tells its size.
    pub(super) fn rescanned(&mut self, id: PathId, out: &mut Outbox) {
        if self.maps.values().any(|m| m.rescans.contains(&id)) {
            self.start_probe(id, out);
        }
    }

    /// A path has told its size, or is no longer there to tell it.
    pub(super) fn size_told(&mut self, map_id: MapId, id: PathId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&map_id) else { return };
        if map.rescans.remove(&id) && map.rescans.is_empty() {
            match self.sizes(map_id) {
                Sizes::Same => self.answer_resize(map_id, Some(OK), out),
                Sizes::New(_) => {
                    self.take_size(map_id);
                    self.answer_resize(map_id, None, out);
                }
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
        let names = awaited.iter().filter_map(|p| Some(self.paths.get(p)?.name.as_str()));
        names.collect::<Vec<_>>().join(", ")
    }

    /// `auto_resize`, when a path has shown its size.
    pub(super) fn auto_resize(&mut self, id: MapId) {
        let Some(map) = self.maps.get(&id).filter(|m| m.rescans.is_empty()) else { return };
        let now = map.observed.as_ref().and_then(Observed::sectors).unwrap_or(0);
        let wanted = match (self.config.globals().auto_resize, self.sizes(id)) {
            (AutoResize::GrowOnly, Sizes::New(size)) => size > now,
            (AutoResize::GrowShrink, Sizes::New(_)) => true,
            _ => false,
        };
        if wanted {
            self.take_size(id);
        }
    }

    fn take_size(&mut self, id: MapId) {
        if let Some(map) = self.maps.get_mut(&id) {
            map.orders.resize = true;
            map.backoff.clear();
            self.dirty.insert(id);
        }
    }

    fn sizes(&self, id: MapId) -> Sizes {
        let Some(map) = self.maps.get(&id) else { return Sizes::Unclear };
        let sectors = |p: &PathId| self.paths.get(p).and_then(|p| p.facts.as_ref()).map_or(0, |f| f.sectors);
        let mut all: Vec<u64> = map.members.iter().map(sectors).collect();
        all.dedup();
        match (all.as_slice(), map.observed.as_ref().and_then(Observed::sectors)) {
            ([one], Some(now)) if *one == now => Sizes::Same,
            ([one], Some(_)) if *one > 0 => Sizes::New(*one),
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
