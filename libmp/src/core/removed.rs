//! Maps that are removed, or were to be: what is said of them, and what becomes of the disks of their LUNs.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::core::effect::Outbox;
use crate::core::map::{Inflight, MapId, Observed};
use crate::core::notice::{Level, Notice};
use crate::core::readiness::Readiness;
use crate::core::requests::{Answer, Until};
use crate::core::{Core, answers};
use crate::ctl::{IN_USE, OK};
use crate::types::MapName;

impl Core {
    /// All maps are to go.
    pub(super) fn del_maps(&mut self) -> Answer {
        for map in self.maps.values_mut().filter(|m| m.observed.is_some()) {
            map.orders.remove = true;
            map.not_removed = None;
            map.backoff.clear();
            self.dirty.insert(map.id);
        }
        Answer::When(Until::Removals)
    }

    /// All maps that were to go have gone, or could not: which, and why, is told and said.
    pub(super) fn answer_removals(&mut self, out: &mut Outbox) {
        if self.pending.is_empty() {
            return;
        }
        let asked = self.waiting_for(Until::Removals);
        if asked.is_empty() || self.maps.values().any(|m| m.orders.remove) {
            return;
        }
        let mut left: Vec<String> = Vec::new();
        for map in self.maps.values().filter(|m| m.observed.is_some()) {
            let (name, why) = (map.kernel_name(), answers::why_left(map));
            left.push(format!("{name}: {why}\n"));
            out.notify(Notice::Other { level: Level::Warning, text: format!("{name}: not removed: {why}") });
        }
        let said = if left.is_empty() { OK } else { IN_USE };
        for request in asked {
            self.finish_as(request, &format!("{said}{}", left.concat()), said, out);
        }
    }

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
