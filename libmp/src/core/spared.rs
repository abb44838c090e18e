//! What udev's properties say of a disk counts when it comes and when the configuration is read, as with the reference.
//!
//! In between a rule that timed out, or a database that is half written, may leave a property out of one message: that takes no
//! path out of a map at work. Disks that are in no map are judged by each message.

use alloc::format;

use crate::config::considered::{Considered, Outcome, PROPERTY};
use crate::core::Core;
use crate::core::effect::Outbox;
use crate::core::judge::Judged;
use crate::core::notice::{Level, Notice};
use crate::core::path::{Path, PathId, Udev};
use crate::identify::RawProbe;

impl Path {
    /// Is it in a map, and would not be by what udev's properties say now?
    pub fn is_spared(&self) -> bool {
        self.map().is_some() && by_properties(&self.considered).is_some_and(|said| said.exclusion().is_some())
    }
}

/// What the rules on properties say, where they were asked.
fn by_properties(considered: &[Considered]) -> Option<&Considered> {
    considered.iter().find(|asked| asked.kind == PROPERTY)
}

impl Core {
    /// A disk that was let in, and is in the map of its LUN, stays there whatever its properties are now.
    pub(super) fn spare_let_in(&mut self, id: PathId, raw: &RawProbe, judged: &mut Judged, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Some(said) = by_properties(&judged.considered) else { return };
        let same = judged.wwid.as_ref().map_or(true, |is| path.wwid() == Some(is));
        if !(path.let_in && path.map().is_some() && same) {
            path.let_in = match said.outcome {
                Outcome::Excepted(_) => true,
                // What speaks against it may be yet to come.
                Outcome::NoRule => path.udev == Udev::Looked,
                Outcome::Excluded(_) => false,
            };
            return;
        }
        if said.exclusion().is_none() {
            return;
        }
        if let (Some(why), false) = (&judged.refused, path.is_spared()) {
            let text = format!("{}: {why}: it stays in its map until a `reconfigure`", path.name);
            out.notify(Notice::Other { level: Level::Warning, text });
        }
        judged.ask_but_properties(&self.config, raw);
    }

    /// The configuration is read: who is in a map is judged anew, by the properties that udev knows then.
    pub(super) fn judge_let_in(&mut self, same: bool) {
        for path in self.paths.values_mut().filter(|path| !same || path.is_spared()) {
            path.let_in = false;
        }
    }
}
