//! LUNs that an array has taken away: their disks are deleted (`purge_disconnected`), and a path that
//! comes back is asked who it is before it is used (`recheck_wwid`).
//!
//! The kernel keeps what it once read of a disk. Only a rescan tells what stands behind it now.

use alloc::format;

use crate::check::{CheckState, Judged};
use crate::core::Core;
use crate::core::effect::{Effect, Outbox};
use crate::core::notice::{Level, Notice};
use crate::core::path::{Path, PathId, Standing};
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Recheck {
    /// It was not away, or nobody has looked yet.
    #[default]
    Wanted,
    /// It is being rescanned and probed.
    UnderWay,
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
        let text = format!("{}: {} is deleted: its array has no LUN there any more", map.name, path.name);
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

    /// A path that was away answers again: it is rescanned first, if it is to be. Says if it has to wait.
    pub(super) fn recheck(&mut self, id: PathId, judged: &Judged, out: &mut Outbox) -> bool {
        let Some(path) = self.paths.get_mut(&id) else { return false };
        // One on standby serves no I/O, neither the right LUN's nor another's.
        let known = matches!(path.health.state, CheckState::Up | CheckState::Unchecked);
        let back = judged.state == CheckState::Up && !known;
        let wanted = path.settings.as_ref().is_some_and(|settings| settings.recheck_wwid);
        let scsi = path.device_id().protocol.starts_with("scsi:");
        if !back || !wanted || !scsi || path.recheck == Recheck::Done {
            return false;
        }
        if path.recheck == Recheck::Wanted {
            path.recheck = Recheck::UnderWay;
            path.rescanning = true;
            let token = self.waiting.token(Awaited::Recheck(id));
            let (name, devt) = (path.name.clone(), path.devt());
            out.push(Effect::SysfsWrite { token, name, devt, attribute: "device/rescan", value: "1".into() });
        }
        true
    }

    /// The probe after it has what the kernel has just read. What udev says may be older.
    pub(super) fn rechecked(&mut self, now: Instant, id: PathId, raw: &RawProbe, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        if path.recheck != Recheck::UnderWay || path.rescanning {
            return;
        }
        path.recheck = Recheck::Done;
        let is = identify::wwid(raw, &crate::config::settings::UidSource::ScsiId);
        let was = path.designated.clone();
        if let (Standing::Member { .. }, Ok(is), Some(was)) = (&path.standing, is, was)
            && is != was
        {
            self.wwid_changed(now, id, &is, out);
            self.ask_udev(id, out);
            return;
        }
        self.start_check(now, id, out);
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
    pub(super) const fn went_away(&mut self) {
        self.recheck = Recheck::Wanted;
    }
}
