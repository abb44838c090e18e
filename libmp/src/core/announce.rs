//! What udev's rules made of a disk, and having them look again where it is otherwise by now.
//!
//! The rules see one disk at a time, often before anybody knows that it is a path. Without a second look all the others
//! would go on taking it for a disk of its own: mount it, or find a second copy of an LVM volume on it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::core::Core;
use crate::core::effect::{Effect, Outbox};
use crate::core::map::{MapId, Observed};
use crate::core::path::{Exclusion, Path, PathId, Standing};
use crate::core::waiting::Awaited;
use crate::dm::status::Status;
use crate::types::DevT;

/// What the rules have said of a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Is it a path (`DM_MULTIPATH_DEVICE_PATH`)? Nothing where no such rules have run: then there is nothing to correct.
    claimed: Option<bool>,
    /// A second path is waited for, and a timer runs (`FIND_MULTIPATHS_WAIT_UNTIL`).
    waits: bool,
    /// For which answer they were asked to look again. Rules that go on saying something else are not asked for ever.
    asked: Option<bool>,
}

impl Rules {
    pub(super) fn hear(&mut self, properties: &BTreeMap<String, String>) {
        let said = |key: &str| properties.get(key).map(String::as_str);
        self.claimed = said("DM_MULTIPATH_DEVICE_PATH").map(|said| said != "0");
        self.waits = said("FIND_MULTIPATHS_WAIT_UNTIL").is_some_and(|until| until != "0")
            && said("FIND_MULTIPATHS_WAIT_CANCELLED").is_none();
    }

    /// Do rules run here that know of multipath, and call this a path?
    pub(super) fn claim(self) -> bool {
        self.claimed == Some(true)
    }

    /// They agree: should they say otherwise one day, they are asked anew.
    fn review(&mut self, is_path: bool) {
        if self.claimed == Some(is_path) && !(is_path && self.waits) {
            self.asked = None;
        }
    }

    /// Are they to look again, for this answer?
    fn are_wrong(self, is_path: bool) -> bool {
        let waits_in_vain = is_path && self.waits;
        self.claimed.is_some_and(|claimed| claimed != is_path || waits_in_vain) && self.asked != Some(is_path)
    }
}

impl Core {
    /// Has the rules look again at a disk that is in the kernel's table of a map and no path for them, or that was given up and
    /// still is one for them: no map could be made, or it is blacklisted now. LVM heeds a disk that becomes free only if it is announced as new.
    pub(super) fn correct_rules(&mut self, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id) else { return };
        let devt = path.devt();
        let has = |observed: &Observed| observed.path_active(devt).is_some();
        let is_path = match &path.standing {
            Standing::Member { map, .. } => {
                let Some(map) = self.maps.get(map).filter(|map| map.mark.is_settled()) else { return };
                match &map.observed {
                    Some(observed) if has(observed) => true,
                    None if map.mark.is_there() => false,
                    _ => return,
                }
            }
            Standing::Excluded(Exclusion::Blacklisted(_)) => false,
            _ => return,
        };
        if !path.rules.are_wrong(is_path) {
            if let Some(path) = self.paths.get_mut(&id) {
                path.rules.review(is_path);
            }
            return;
        }
        if !is_path && self.maps.values().filter_map(|map| map.observed.as_ref()).any(has) {
            return;
        }
        let name = path.name.clone();
        let value = if is_path { "change" } else { "add" }.into();
        if let Some(path) = self.paths.get_mut(&id) {
            path.rules.asked = Some(is_path);
        }
        let token = self.waiting.token(Awaited::Sysfs(id));
        out.push(Effect::SysfsWrite { token, name, devt, attribute: "uevent", value });
    }

    /// A map has been read: where its table is another one than before, its members are looked at, and the disks that it no
    /// longer has.
    pub(super) fn correct_rules_of(&mut self, map: MapId, was: Option<&Observed>, out: &mut Outbox) {
        let Some(map) = self.maps.get(&map) else { return };
        if map.observed.as_ref().map(|is| &is.live) == was.map(|was| &was.live) {
            return;
        }
        let has = |devt| map.observed.as_ref().is_some_and(|is| is.path_active(devt).is_some());
        let had = was.and_then(Observed::status).into_iter().flat_map(Status::paths).map(|path| path.devt);
        let lost: Vec<DevT> = had.filter(|devt| !has(*devt)).collect();
        let mut concerned: Vec<PathId> = map.members.iter().copied().collect();
        if !lost.is_empty() {
            let left = |path: &&Path| {
                matches!(path.standing, Standing::Excluded(Exclusion::Blacklisted(_)))
                    && lost.contains(&path.devt())
            };
            concerned.extend(self.paths.values().filter(left).map(|path| path.id));
        }
        for id in concerned {
            self.correct_rules(id, out);
        }
    }
}
