//! What operators do to the wwids file: the daemon has it in memory, so they tell the daemon.

use alloc::format;
use alloc::vec::Vec;

use crate::core::Core;
use crate::core::effect::{Outbox, StateFile};
use crate::core::path::PathId;
use crate::core::requests::{Answer, Until};
use crate::ctl::{DEVICE_NOT_FOUND, OK};
use crate::types::{Instant, Wwid};

impl Core {
    /// `add wwid`: paths that wait for it join at once. Answered when the file has it.
    pub(super) fn add_wwid(&mut self, now: Instant, wwid: &Wwid, out: &mut Outbox) -> Answer {
        if self.wwids.contains(wwid) && self.is_saved() {
            return OK.into();
        }
        self.wwids.insert(wwid.clone());
        if !self.wwids.contains(wwid) {
            return "fail\na WWID has no slashes, blanks or control characters\n".into();
        }
        self.save(StateFile::Wwids, out);
        for path in self.waiting_paths(wwid).collect::<Vec<PathId>>() {
            self.place(now, path, wwid.clone(), out);
        }
        Answer::When(Until::Saved(StateFile::Wwids))
    }

    /// `del wwid`: it may no longer be multipathed the next time it comes; a map of it stays.
    pub(super) fn del_wwid(&mut self, wwid: &Wwid, out: &mut Outbox) -> Answer {
        if !self.wwids.remove(wwid) {
            return DEVICE_NOT_FOUND.into();
        }
        if let Some(map) = self.by_wwid.get(wwid).and_then(|id| self.maps.get_mut(id)) {
            map.remembered = true;
        }
        self.save(StateFile::Wwids, out);
        Answer::When(Until::Saved(StateFile::Wwids))
    }

    /// `reset wwids`: only those of the maps that are there stay.
    pub(super) fn reset_wwids(&mut self, out: &mut Outbox) -> Answer {
        let maps = self.maps.values().filter(|map| map.observed.is_some()).map(|map| map.wwid.clone());
        if !self.wwids.reset(maps) {
            return OK.into();
        }
        self.save(StateFile::Wwids, out);
        Answer::When(Until::Saved(StateFile::Wwids))
    }

    /// A state file was written, or not: who waits for it is told.
    pub(super) fn answer_saved(&mut self, file: StateFile, result: Result<(), &str>, out: &mut Outbox) {
        for request in self.waiting_for(Until::Saved(file)) {
            match result {
                Ok(()) => self.finish(request, OK, out),
                Err(why) => self.finish(request, &format!("fail\n{why}\n"), out),
            }
        }
    }
}
