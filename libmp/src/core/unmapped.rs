//! LUNs that an array has taken away: their disks are deleted (`purge_disconnected`), and a path that comes back is asked who it is
//! before it is used, where the array had no LUN there or tells of another, or always (`recheck_wwid`).
//!
//! The kernel keeps what it once read of a disk. Only a rescan tells what stands behind it now, and only the disk itself, if it did
//! (`core/asked.rs`).
//!
//! ```text
//!              a good answer             the kernel shows             it says so itself
//! (doubt) ───► Wanted ────────► UnderWay ────────────────► Asked ─────────────────────► Done
//!                ▲                        who it was         │
//!                └──── it says otherwise, or is doubted ─────┘
//! ```

use alloc::boxed::Box;
use alloc::format;

use crate::check::sense::Ending;
use crate::check::{Answer, CheckState, Judged};
use crate::core::Core;
use crate::core::asked::{Shown, Word};
use crate::core::effect::{Effect, Outbox};
use crate::core::notice::{Level, Notice};
use crate::core::path::{Again, Exclusion, Path, PathId, Standing};
use crate::core::rounds::Round;
use crate::core::waiting::Awaited;
use crate::identify::{self, RawProbe};
use crate::types::{Errno, Instant};

/// How far the deletion of a path's disk is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purge {
    /// Nothing is to be deleted.
    #[default]
    No,
    /// It is looked at once more.
    Probed,
    /// The kernel is told to delete it, or would not do it.
    Ordered,
}

/// What is known of a path that came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Recheck {
    /// It was not away, or nobody has looked yet.
    #[default]
    Wanted,
    /// It is being rescanned and probed.
    UnderWay,
    /// The kernel shows who it was. It is asked itself with its next check, and has to say the same.
    Asked(Box<Shown>),
    /// It is who it was.
    Done,
}

impl Core {
    /// A checker has found that no LUN is mapped there, for the second time: once may be an array that
    /// starts.
    pub(super) fn note_disconnected(&mut self, id: PathId, was: CheckState, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        if path.health.state != CheckState::Disconnected {
            path.purge = Purge::No;
            return;
        }
        path.doubted = true;
        let map = path.map().and_then(|map| self.maps.get(&map));
        let wanted = was == CheckState::Disconnected && map.is_some_and(|m| m.settings.purge_disconnected);
        if wanted && path.purge == Purge::No {
            path.purge = Purge::Probed;
            self.start_probe(id, out);
        }
    }

    /// It was looked at once more, and is still the disk whose LUN is gone: no other is deleted.
    pub(super) fn purge(&mut self, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let gone = path.health.state == CheckState::Disconnected;
        if path.purge != Purge::Probed || !gone {
            return;
        }
        let Some(map) = path.map().and_then(|map| self.maps.get(&map)) else { return };
        path.purge = Purge::Ordered;
        let text =
            format!("{}: {} is deleted: its array has no LUN there any more", map.kernel_name(), path.name);
        out.notify(Notice::Other { level: Level::Warning, text });
        let token = self.waiting.token(Awaited::Purge(id));
        let (name, devt) = (path.name.clone(), path.devt());
        out.push(Effect::SysfsWrite { token, name, devt, attribute: "device/delete", value: "1".into() });
    }

    /// The kernel would not delete it.
    pub(super) fn purged(&self, id: PathId, result: Result<(), Errno>, out: &mut Outbox) {
        if let (Some(path), Err(errno)) = (self.paths.get(&id), result) {
            let text = format!("{}: it can't be deleted: {errno}", path.name);
            out.notify(Notice::Other { level: Level::Warning, text });
        }
    }

    /// An answer may be one that another LUN gives: then the disk is looked at with the next good one.
    pub(super) fn heed_attention(&mut self, id: PathId, answers: &[Answer]) {
        let told = |answer: &Answer| match answer {
            Answer::Scsi(reply) => {
                matches!(Ending::of(reply), Ending::Refused(sense) if sense.tells_of_another_lun())
            }
            _ => false,
        };
        if answers.iter().any(told) {
            self.doubt(id);
        }
    }

    /// It may be another LUN: it is looked at when it answers the next time.
    pub(super) fn doubt(&mut self, id: PathId) {
        if let Some(path) = self.paths.get_mut(&id) {
            path.went_away();
            path.doubted = true;
            path.health.calm = None;
        }
    }

    /// A disk can be opened again. That it is read-only, or is not, may be of before: its map does not change for that before it is
    /// read anew.
    pub(super) fn opens_again(&mut self, id: PathId) {
        let Some(path) = self.paths.get(&id) else { return };
        let map = path.map().and_then(|map| self.maps.get(&map)?.read_only());
        if path.facts.as_ref().zip(map).is_some_and(|(facts, read_only)| facts.read_only != read_only) {
            self.doubt(id);
        }
    }

    /// A check tells why the kernel has failed it, or that it would not fail now: the table may have it again.
    pub(super) fn explained(&mut self, id: PathId) {
        if let Some(path) = self.paths.get_mut(&id).filter(|path| path.unexplained) {
            path.unexplained = false;
            self.dirty.extend(path.map());
        }
    }

    /// A path that was away, or may be another LUN, answers: it is rescanned first, if it is to be. Says if the answer has to
    /// wait.
    pub(super) fn recheck(
        &mut self,
        now: Instant,
        id: PathId,
        (round, judged): (&Round, &Judged),
        out: &mut Outbox,
    ) -> bool {
        let Some(path) = self.paths.get_mut(&id) else { return false };
        if matches!(path.recheck, Recheck::Asked(_)) && judged.state.is_usable() {
            return !self.take_word(now, id, round, out);
        }
        // One on standby serves no I/O, neither the right LUN's nor another's.
        let known = matches!(path.health.state, CheckState::Up | CheckState::Unchecked);
        let back = judged.state == CheckState::Up && !known && path.recheck != Recheck::Done;
        let wanted = path.settings.as_ref().is_some_and(|settings| settings.recheck_wwid);
        // Its size may be what it did not tell on standby: the kernel fails all I/O to a disk that has none.
        let sizeless = path.facts.as_ref().is_some_and(|facts| facts.sectors == 0);
        let sized_now = sizeless && judged.state == CheckState::Up && path.recheck != Recheck::Done;
        let doubted = path.doubted && judged.state.is_usable();
        if !path.is_rescanned() || !(doubted || sized_now || (back && wanted)) {
            return false;
        }
        // One that was begun before the path went away tells nothing: it ends first.
        if path.recheck != Recheck::UnderWay && !path.rescanning {
            path.recheck = Recheck::UnderWay;
            path.rescanning = true;
            let token = self.waiting.token(Awaited::Recheck(id));
            let (name, devt) = (path.name.clone(), path.devt());
            out.push(Effect::SysfsWrite { token, name, devt, attribute: "device/rescan", value: "1".into() });
        }
        true
    }

    /// The rescan is over, and what the kernel has just read can be looked at. If it did not look, the next good answer asks again.
    pub(super) fn rescanned_anew(&mut self, id: PathId, result: Result<(), Errno>, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        path.rescanning = false;
        if path.standing == Standing::Excluded(Exclusion::Deleted) {
            return; // it is not to come back by itself
        }
        match result {
            Ok(()) if path.probe.is_some() => path.probe_again = path.probe_again.max(Again::Also),
            Ok(()) => self.start_probe(id, out),
            Err(_) => path.recheck = Recheck::Wanted,
        }
    }

    /// The probe after it has what the kernel has just read. What udev says may be older.
    pub(super) fn rechecked(&mut self, now: Instant, id: PathId, raw: &RawProbe, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        if path.recheck != Recheck::UnderWay || path.rescanning {
            return;
        }
        let is = identify::designated(raw);
        let is_another = |wwid| match &path.designated {
            Some(was) => is.as_ref().is_some_and(|is| is != was),
            // The kernel had not read the page when it joined.
            None => identify::contradicts(raw, wwid),
        };
        if let Some(is) = is.clone()
            && path.map().is_some()
            && path.wwid().is_some_and(is_another)
        {
            (path.recheck, path.doubted) = (Recheck::Done, false);
            self.wwid_changed(now, id, &is, out);
            self.ask_udev(id, out);
            return;
        }
        path.recheck = Recheck::Asked(Shown::of(raw, &path.health.unread_pages).into());
        // A check that began before that has not asked it.
        path.health.outdated |= path.health.inflight.is_some();
        self.start_check(now, id, out);
    }

    /// A path answers after the kernel was told to read it. Does it say that it is who it was?
    fn take_word(&mut self, now: Instant, id: PathId, round: &Round, out: &mut Outbox) -> bool {
        let Some(path) = self.paths.get_mut(&id) else { return false };
        let Recheck::Asked(shown) = &path.recheck else { return false };
        match shown.word(path.wwid(), round.answers()).ok() {
            // Its transport had it blocked: the rescan may have met it so.
            Some(Word::Nameless) if path.health.blocked => path.went_away(),
            Some(Word::Same | Word::Nameless) => {
                (path.recheck, path.doubted) = (Recheck::Done, false);
                path.contest.settle();
                // Its map may have been made without it.
                self.dirty.extend(path.map());
                return true;
            }
            // The rescan has not read it. It is failed until one has.
            Some(Word::Another) => {
                let judged = Judged::new(CheckState::Down, "it says itself that it is another LUN");
                self.new_state(now, id, &judged, out);
            }
            Some(Word::Silent) | None => {}
        }
        false
    }

    /// udev is to look at a disk again.
    pub(super) fn ask_udev(&mut self, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id) else { return };
        let (name, devt) = (path.name.clone(), path.devt());
        let token = self.waiting.token(Awaited::Sysfs(id));
        out.push(Effect::SysfsWrite { token, name, devt, attribute: "uevent", value: "change".into() });
    }
}

impl Path {
    /// Its next good check is one of a path that comes back.
    pub(super) fn went_away(&mut self) {
        // What a rescan under way has read may be older.
        self.doubted |= matches!(self.recheck, Recheck::UnderWay | Recheck::Asked(_));
        self.start_recheck_over();
    }

    /// What was found out of who it is holds no more.
    pub(super) fn start_recheck_over(&mut self) {
        self.recheck = Recheck::Wanted;
    }
}
