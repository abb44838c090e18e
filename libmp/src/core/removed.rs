//! A map that was removed: what is said of it, and what becomes of the disks of its LUN.

use alloc::format;

use crate::core::Core;
use crate::core::effect::Outbox;
use crate::core::map::{Inflight, MapId, Observed};
use crate::core::notice::{Level, Notice};
use crate::core::readiness::Readiness;
use crate::types::MapName;

impl Core {
    /// By an operation of ours, or it is to be when it is closed.
    pub(super) fn removed(
        &mut self,
        id: MapId,
        name: MapName,
        done: &Inflight,
        is: Option<&Observed>,
        out: &mut Outbox,
    ) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.readiness = Readiness::default();
        // Who orders it while it is under way has what he wants if it is gone.
        if map.orders.remove && (done.orders.remove || is.is_none()) {
            map.orders.remove = false;
            map.orders.stay_away = true;
        }
        out.notify(if is.is_some_and(|is| is.deferred_remove) {
            let text = format!("{name}: it is in use, and is removed when it is closed");
            Notice::Other { level: Level::Notice, text }
        } else {
            Notice::MapRemoved { map: name, by_us: true }
        });
        if !map.orders.stay_away && is.is_none() {
            self.reconsider(id, out);
        }
    }
}
