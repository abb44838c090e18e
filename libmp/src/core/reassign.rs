//! Devices of device-mapper that stand on a path directly, as those that an initramfs without multipath has made: they are
//! moved over to the path's map (`reassign_maps`, `reset map`), so that they outlive the path.

use crate::core::Core;
use crate::core::answers::Need;
use crate::core::effect::Outbox;
use crate::core::event::DmFailure;
use crate::core::map::{MapId, Observed};
use crate::core::notice::{Level, Notice};
use crate::dm::table::Table;

impl Core {
    /// Paths have come into the kernel's table: what stands on them is looked for.
    pub(super) fn reassign_if_wanted(&mut self, id: MapId, was: Option<&Observed>) {
        if !self.resident || !self.config.globals().reassign_maps {
            return;
        }
        let Some(map) = self.maps.get_mut(&id) else { return };
        let table = map.observed.as_ref().and_then(Observed::table);
        let mut paths = table.into_iter().flat_map(Table::paths);
        let came = paths.any(|path| was.and_then(|was| was.path_active(path.devt)).is_none());
        map.orders.reassign |= came;
    }

    /// Something could not be moved. It works as before, and so does the map: it is not tried again by itself.
    pub(super) fn not_reassigned(&mut self, id: MapId, failure: DmFailure, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        (map.orders.reassign, map.orders.reassign_now) = (false, false);
        let text = alloc::format!("{}: {}: {}", map.kernel_name(), failure.step, failure.errno);
        out.notify(Notice::Other { level: Level::Warning, text });
        self.dirty.insert(id);
        self.answer_map(id, |need| need == Need::Reassign, &Err(failure), out);
    }
}
