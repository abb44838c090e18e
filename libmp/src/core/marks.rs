//! The mark of a LUN that no map could be made of: udev's rules go by it, and leave its disks to others.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::core::Core;
use crate::core::effect::{Effect, Outbox};
use crate::core::map::MapId;
use crate::core::notice::{Level, Notice};
use crate::core::path::PathId;
use crate::core::refused::FAILURES;
use crate::core::waiting::Awaited;

/// Whether a LUN is marked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mark {
    /// It is to be. Nothing: this daemon has not tried to make the map, and the mark is as one before it left it.
    wanted: Option<bool>,
    /// As it was written.
    written: Option<bool>,
    /// It is being written.
    writing: bool,
}

impl Mark {
    /// Do udev's rules see what is wanted?
    pub fn is_settled(self) -> bool {
        !self.writing && self.wanted == self.written
    }
    /// Do they see that no map could be made?
    pub fn is_there(self) -> bool {
        self.written == Some(true)
    }
    /// Are they to see it?
    pub fn is_wanted(self) -> bool {
        self.wanted == Some(true)
    }
}

impl Core {
    /// A map could not be made. One failure is an accident, and where a path is to blame, the others may do: a disk
    /// that was given back is soon somebody else's, and no map of it can be made any more.
    pub(super) fn creation_failed(&mut self, id: MapId, put_down: bool, out: &mut Outbox) {
        let Some(map) = self.maps.get(&id) else { return };
        let refused = |p: &PathId| self.paths.get(p).is_some_and(|path| path.refused.is_some());
        let hopeless =
            if put_down { map.members.iter().all(refused) } else { map.backoff.failures >= FAILURES };
        if hopeless {
            self.set_mark(id, true, out);
        }
    }

    /// Has a LUN marked, or its mark taken away.
    pub(super) fn set_mark(&mut self, id: MapId, wanted: bool, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.mark.wanted = Some(wanted);
        if map.mark.writing || map.mark.written == Some(wanted) {
            return;
        }
        map.mark.writing = true;
        map.mark.written = Some(wanted);
        let wwid = map.wwid.clone();
        let token = self.waiting.token(Awaited::Mark(id));
        out.push(Effect::Mark { token, wwid, failed: wanted });
    }

    /// It was written, or could not be: only now udev's rules can be asked.
    pub(super) fn marked(&mut self, id: MapId, result: Result<(), String>, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.mark.writing = false;
        if let Err(error) = result {
            map.mark.written = None;
            let text = format!("{}: the mark for udev's rules was not written: {error}", map.kernel_name());
            out.notify(Notice::Other { level: Level::Warning, text });
            return; // the rules would say what they said before
        }
        let (wanted, members) = (map.mark.is_wanted(), map.members.iter().copied().collect::<Vec<_>>());
        self.set_mark(id, wanted, out);
        for path in members {
            self.correct_rules(path, out);
        }
    }
}
