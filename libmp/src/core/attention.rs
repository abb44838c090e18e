//! Disks that tell something by themselves: a unit attention, which the kernel passes on whoever's command has met it.
//!
//! The next check of the path would find most of it. That may be an interval away, and what the kernel's ALUA handler reads
//! upon it comes milliseconds after the check that has met it: such a path is checked again at once.

use ::core::time::Duration;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::settings::AutoResize;
use crate::core::Core;
use crate::core::effect::Outbox;
use crate::core::event::Attention;
use crate::core::notice::{Level, Notice};
use crate::core::path::{Path, PathId};
use crate::core::timers::Timer;
use crate::identify::Bus;
use crate::types::{Hctl, Instant};

/// The kernel's handler asks for the states of port groups 5 ms after it was told that they have changed
/// (`ALUA_RTPG_DELAY_MSECS`), and has the answer some milliseconds later.
const ANSWERED_AFTER: Duration = Duration::from_millis(100);

/// A path is checked so often for what it tells, at the most.
const EVERY: Duration = Duration::from_secs(1);

/// Paths that have told something.
#[derive(Debug, Clone, Default)]
pub struct Attentions {
    /// They are checked then.
    due: BTreeMap<PathId, Instant>,
    /// They were checked for it then, not long ago.
    heeded: BTreeMap<PathId, Instant>,
}

impl Attentions {
    /// Says when.
    fn add(&mut self, now: Instant, id: PathId) {
        let soon = now + ANSWERED_AFTER;
        let at = self.heeded.get(&id).map_or(soon, |last| soon.max(*last + EVERY));
        self.due.entry(id).or_insert(at);
    }

    fn next(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }
}

impl Core {
    /// A disk has told something.
    pub(super) fn attention(&mut self, now: Instant, device: Hctl, told: Attention, out: &mut Outbox) {
        // Whoever of a target has heard of its LUNs, all of them are meant, and nobody says it again.
        let hit = self.paths_told_of(device, told == Attention::Luns);
        let heard = hit.iter().find(|(_, address)| *address == device).or(hit.first());
        let Some((path, map)) = heard.and_then(|(id, _)| {
            let path = self.paths.get(id)?;
            Some((path, self.maps.get(&path.map()?)?))
        }) else {
            return;
        };
        let looked_at = match told {
            Attention::AccessStates => false,
            Attention::Capacity => self.config.globals().auto_resize != AutoResize::Never,
            Attention::Identity | Attention::Luns => true,
        };
        let who = path.id;
        let name = map.kernel_name();
        let (level, then) = match told {
            Attention::Capacity if !looked_at => {
                (Level::Notice, format!("; auto_resize is never: `resize map {name}` reads it anew"))
            }
            _ if looked_at => (Level::Notice, String::new()),
            _ => (Level::Info, String::new()),
        };
        let text = format!("{name}: {}: its array tells that {told}{then}", path.name);
        out.notify(Notice::Other { level, text });
        if looked_at {
            for (id, _) in &hit {
                self.doubt(*id);
            }
        }
        if looked_at || told == Attention::AccessStates {
            self.attentions.add(now, who);
            self.timers.set_or_cancel(Timer::Attention, self.attentions.next());
        }
    }

    /// Messages are lost, and among them may be what disks have told: each is looked at, with its next good check. Not so those on
    /// standby, which serve nobody: the kernel would have them without a size, where they do not tell it then.
    pub(super) fn attentions_lost(&mut self) {
        let member = |path: &Path| {
            (path.map().is_some() && path.is_rescanned() && !path.health.standby).then_some(path.id)
        };
        let members: Vec<PathId> = self.paths.values().filter_map(member).collect();
        for id in members {
            self.doubt(id);
        }
    }

    /// The paths of maps at this address, and on the whole of its target where all its LUNs are spoken of.
    fn paths_told_of(&self, device: Hctl, target: bool) -> Vec<(PathId, Hctl)> {
        let port = |of: Hctl| (of.host, of.channel, of.target);
        let hit = |path: &Path| {
            let hctl = path.facts.as_ref()?.hctl?;
            let is_scsi = Bus::of(path.name.as_str()) == Bus::Scsi && path.map().is_some();
            let is_hit = hctl == device || target && port(hctl) == port(device);
            (is_scsi && is_hit).then_some((path.id, hctl))
        };
        self.paths.values().filter_map(hit).collect()
    }

    /// They are checked now; those with a check under way, which may have begun before, when that is over.
    pub(super) fn heed_attentions(&mut self, now: Instant, out: &mut Outbox) {
        let due = |(id, at): (&PathId, &Instant)| (*at <= now).then_some(*id);
        let due: Vec<PathId> = self.attentions.due.iter().filter_map(due).collect();
        self.attentions.heeded.retain(|_, last| *last + EVERY > now);
        for id in due {
            self.attentions.due.remove(&id);
            self.attentions.heeded.insert(id, now);
            match self.paths.get(&id).map(|path| path.health.inflight) {
                Some(Some(_)) => self.attentions.add(now, id),
                Some(None) => self.start_check(now, id, out),
                None => {}
            }
        }
        self.timers.set_or_cancel(Timer::Attention, self.attentions.next());
    }
}
