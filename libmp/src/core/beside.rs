//! Disks of a LUN that is to get a map, but that are not in its table: offline, refused, taken out by an operator, or not named by
//! udev yet. The kernel is not asked for them. Where something else uses one of them, a map of the others would be the same LUN a
//! second time, and look unused: who makes the map looks at them before.

use alloc::vec::Vec;

use crate::core::Core;
use crate::core::effect::Outbox;
use crate::core::map::MapId;
use crate::core::path::{Exclusion, Path, PathId, Standing};
use crate::dm::op::Load;
use crate::types::{Instant, PathName};

impl Core {
    /// Those disks.
    pub(super) fn beside(&self, id: MapId, load: &Load) -> Vec<PathName> {
        let Some(map) = self.maps.get(&id) else { return Vec::new() };
        let of_wwid = self.taken_out.range((map.wwid.clone(), PathId(0))..);
        let taken_out = of_wwid.take_while(|(wwid, _)| *wwid == map.wwid).map(|(_, id)| id);
        let outside = |id: &&PathId| {
            let devt = self.paths.get(id).map(Path::devt);
            devt.is_some_and(|devt| load.params.split(' ').all(|word| word.parse() != Ok(devt)))
        };
        let known = map.members.iter().filter(outside).chain(taken_out).filter_map(|id| self.paths.get(id));
        let named = known.map(|path| &path.name).chain(self.nameless_disks(map));
        named.cloned().collect()
    }

    /// An operator wants the disk in no map.
    pub(super) fn take_out(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let of = self.paths.get(&id).and_then(|path| path.shown_wwid().or(path.nameless.as_ref()).cloned());
        self.exclude(now, id, Exclusion::Deleted, out);
        if let (Some(path), Some(wwid)) = (self.paths.get_mut(&id), of) {
            path.taken_out_of = Some(wwid.clone());
            self.taken_out.insert((wwid, id));
        }
    }

    /// It stands otherwise now.
    pub(super) fn forget_taken_out(&mut self, id: PathId) {
        let back = |path: &&mut Path| path.standing != Standing::Excluded(Exclusion::Deleted);
        if let Some(wwid) = self.paths.get_mut(&id).filter(back).and_then(|path| path.taken_out_of.take()) {
            self.taken_out.remove(&(wwid, id));
        }
    }
}
