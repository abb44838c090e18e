//! A disk whose own pages say who it is (`getuid_callout`), and that udev calls otherwise. The kernel has read those pages when it
//! scanned the disk; udev's `scsi_id` asks the disk, and may be the first to know of another LUN. Such a path is used no more before
//! the kernel has read it anew, however long that takes.

use crate::check::{CheckState, Judged};
use crate::config::settings::UidSource;
use crate::core::Core;
use crate::core::discovery::SCSI_ID;
use crate::core::effect::Outbox;
use crate::core::path::{Path, PathId};
use crate::identify::{self, RawProbe};
use crate::types::{Instant, Wwid};

/// What udev has called a member of a map that is not its WWID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contest {
    /// Whether it is this one is being found out.
    asked: Option<Wwid>,
    /// The kernel has read it after udev had said so, and it is not.
    wrong: Option<Wwid>,
}

impl Contest {
    /// It was read anew, and is who it was.
    pub fn settle(&mut self) {
        if let Some(asked) = self.asked.take() {
            self.wrong = Some(asked);
        }
    }
}

impl Path {
    /// Is it called by its own pages, whatever udev says?
    pub(super) fn names_itself(&self) -> bool {
        let by_pages = self.settings.as_ref().is_some_and(|settings| settings.uid == UidSource::ScsiId);
        by_pages && self.designated.is_some()
    }
}

impl Core {
    /// udev calls a disk that names itself this.
    pub(super) fn contest(&mut self, now: Instant, id: PathId, named: Wwid, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id).filter(|path| path.map().is_some()) else { return };
        if path.wwid() == Some(&named) {
            path.contest = Contest::default();
            return;
        }
        if [&path.contest.asked, &path.contest.wrong].contains(&&Some(named.clone())) {
            return;
        }
        path.contest.asked = Some(named);
        if path.is_rescanned() && (path.is_usable() || path.taken_over) {
            self.new_state(now, id, &Judged::new(CheckState::Down, "udev calls it another LUN"), out);
        }
        self.read_anew(now, id, out);
    }

    /// It was read, with what udev has found out by now: its message may be lost, or of before the path joined.
    pub(super) fn heed_database(&mut self, now: Instant, id: PathId, raw: &RawProbe, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id).filter(|path| path.names_itself()) else { return };
        let named = raw.properties.get(SCSI_ID).and_then(|value| identify::of_property(value));
        // Those that are spelled otherwise can't be compared.
        if let Some(named) = named.filter(|named| path.named_alike || identify::contradicts(raw, named)) {
            self.contest(now, id, named, out);
        }
    }
}
