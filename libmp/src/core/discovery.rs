//! Disks come, change and go; each is probed and identified.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::considered::{Considered, verdict};
use crate::config::settings::{BlacklistSubject, BlacklistVerdict, UidSource};
use crate::core::effect::{Effect, Outbox};
use crate::core::event::{Enumeration, Uevent, UeventAction};
use crate::core::judge::{Judged, judge, judge_without_udev};
use crate::core::map::{Map, MapId};
use crate::core::notice::{Level, Notice};
use crate::core::path::{Again, Exclusion, Path, PathId, Standing, Udev};
use crate::core::timers::Timer;
use crate::core::unmapped::Recheck;
use crate::core::waiting::{Awaited, Probes};
use crate::core::{Core, Phase, SETTLE_LIMIT};
use crate::dm::op::{UUID_PREFIX, wwid_of};
use crate::identify::{self, Bus, NoWwid, RawProbe};
use crate::types::{Errno, Instant, MapName, PathName, Wwid};

/// What udev's `scsi_id` has found out.
pub(super) const SCSI_ID: &str = "ID_SERIAL";

/// Where this host is short of memory or files, a disk is probed again after that.
pub(super) const SHORTAGE_PAUSE: Duration = Duration::from_secs(1);

impl Core {
    /// Everything there is: maps of an earlier run are taken over, disks are probed.
    pub(super) fn enumerated(&mut self, now: Instant, found: Enumeration, probes: Probes, out: &mut Outbox) {
        if self.phase == Phase::Stopping {
            return;
        }
        self.others = found.others.into_iter().map(|o| (o.name, o.uuid)).collect();
        let there: BTreeSet<_> = found.maps.iter().filter_map(|m| wwid_of(&m.uuid)).collect();
        for raw in &found.maps {
            self.map_found(now, raw, out);
        }
        self.doubt_readiness(&found.unready);
        let names = found.maps.iter();
        let names = names.filter_map(|m| Some((m.uuid.strip_prefix(UUID_PREFIX)?, &m.name))).collect();
        self.review_partitions(&names);
        let gone: Vec<_> = self
            .maps
            .values()
            .filter(|m| !there.contains(&m.wwid) && m.observed.is_some())
            .map(|m| m.id)
            .collect();
        for id in gone {
            self.read_again(id); // it may have come since the list was made
        }
        let disks: BTreeSet<PathName> = found.disks.into_iter().collect();
        let gone: Vec<PathId> =
            self.paths.values().filter(|p| !disks.contains(&p.name)).map(|p| p.id).collect();
        for id in gone {
            if self.paths[&id].standing == Standing::Excluded(Exclusion::Deleted) {
                self.path_gone(now, id, out);
            } else if let Some(path) = self.paths.get_mut(&id).filter(|path| path.probe.is_some()) {
                // An answer that it is not there would be as the list says.
                path.probe_again = path.probe_again.max(Again::IfThere);
            } else {
                self.start_probe(id, out); // it may have come since the list was made
            }
        }
        for name in disks {
            if probes == Probes::Unmapped && self.is_settled(&name) {
                continue;
            }
            self.disk_seen(now, &name, Seen::Again, out);
        }
        if self.phase == Phase::Enumerating {
            self.phase = Phase::Settling;
            self.timers.set(Timer::Settle, now + SETTLE_LIMIT);
        }
    }

    /// Is this disk in a map, and nothing in doubt about it?
    fn is_settled(&self, name: &PathName) -> bool {
        let path = self.by_name.get(name).and_then(|id| self.paths.get(id));
        path.is_some_and(|path| {
            path.map().is_some() && path.facts.is_some() && path.probe.is_none() && !path.is_spared()
        })
    }

    /// A message of udev.
    pub(super) fn uevent(&mut self, now: Instant, uevent: &Uevent, out: &mut Outbox) {
        let property = |key: &str| uevent.properties.get(key).map(String::as_str);
        if uevent.name.as_str().starts_with("dm-") {
            let (uuid, name) = (property("DM_UUID").unwrap_or(""), property("DM_NAME").unwrap_or(""));
            let of_path = property("DM_ACTION").is_some_and(|a| a.starts_with("PATH_"));
            if uuid.starts_with(UUID_PREFIX) && !name.is_empty() && !of_path && !uevent.own {
                self.map_uevent(uuid, &MapName::new(name));
            }
            self.mapped_device(now, uevent, out);
            return;
        }
        if Bus::of(uevent.name.as_str()) == Bus::Nvme {
            self.read_native(out);
        }
        self.heed_stranger(uevent);
        if self.phase == Phase::Loading && uevent.action != UeventAction::Remove {
            return; // the enumeration to come sees it, which one that is under way may not
        }
        match uevent.action {
            UeventAction::Add => {
                self.heed_wwid(now, uevent, out);
                self.disk_seen(now, &uevent.name, Seen::Arrived, out);
            }
            UeventAction::Change => {
                self.heed_wwid(now, uevent, out);
                self.disk_seen(now, &uevent.name, Seen::Again, out);
            }
            UeventAction::Remove => {
                if let Some(id) = self.by_name.get(&uevent.name).copied() {
                    self.path_gone(now, id, out);
                }
            }
            UeventAction::Other => {}
        }
    }

    /// A device of device-mapper comes or goes: like every block device it is one that a rule excludes, for who asks.
    fn mapped_device(&mut self, now: Instant, uevent: &Uevent, out: &mut Outbox) {
        match (uevent.action, self.by_name.get(&uevent.name).copied()) {
            (UeventAction::Remove, Some(id)) => self.path_gone(now, id, out),
            (UeventAction::Add | UeventAction::Change, None) if self.phase == Phase::Running => {
                self.disk_seen(now, &uevent.name, Seen::Arrived, out);
            }
            _ => {}
        }
    }

    /// udev names another WWID than the one a member joined with: it leaves its map at once, who it
    /// is now the probe tells. A probe may take its time, and I/O must not go to the wrong LUN.
    fn heed_wwid(&mut self, now: Instant, uevent: &Uevent, out: &mut Outbox) {
        let Some(id) = self.by_name.get(&uevent.name).copied() else { return };
        let Some(path) = self.paths.get(&id) else { return };
        // One that waits for a second path is none of that WWID's either.
        let (Standing::Member { wwid, .. } | Standing::Waiting { wwid }) = &path.standing else { return };
        let Some(settings) = &path.settings else { return };
        let attribute = match &settings.uid {
            UidSource::Udev(attribute) => attribute,
            UidSource::ScsiId => SCSI_ID,
        };
        let named = uevent.properties.get(attribute).and_then(|value| identify::of_property(value));
        if path.names_itself() {
            // It was read from the device, and what the kernel has read of that may be older: it reads it anew. Where the kernel
            // had read no page, it was udev who said it.
            if let Some(named) = named.filter(|_| path.named_alike) {
                self.contest(now, id, named, out);
            }
            return;
        }
        if let Some(is) = named.filter(|named| named != wwid) {
            let was = wwid.clone();
            if path.map().is_some() {
                self.wwid_changed(now, id, &is, out);
            } else {
                self.start_over(now, id, Exclusion::WwidChanged { was, is }, out);
            }
        }
    }

    /// udev does not know a member (any more), and what the disk says of itself is another WWID than its map's: it leaves.
    fn heed_own_word(&mut self, now: Instant, id: PathId, raw: &RawProbe, out: &mut Outbox) {
        let was = self.paths.get(&id).filter(|path| path.map().is_some()).and_then(Path::wwid);
        if was.is_some_and(|was| identify::contradicts(raw, was))
            && let Ok(is) = identify::from_device(raw)
        {
            self.wwid_changed(now, id, &is, out);
        }
    }

    /// A disk is there: it is probed. One that its name alone excludes is not for us, whatever the probe says of it, but for what
    /// udev's rules have made of it: they may call it a path by another configuration.
    pub(super) fn disk_seen(&mut self, now: Instant, name: &PathName, seen: Seen, out: &mut Outbox) {
        let (asked, excluded) = self.by_name_alone(name);
        let known = self.by_name.get(name).copied();
        let id = known.unwrap_or_else(|| self.new_path(name));
        if let Some(exclusion) = excluded {
            if let Some(path) = self.paths.get_mut(&id) {
                path.considered = asked;
            }
            self.exclude(now, id, exclusion, out);
            if Bus::of(name.as_str()) != Bus::Other {
                self.start_probe(id, out);
            }
            return;
        }
        let Some(path) = self.paths.get_mut(&id) else { return };
        let deleted = path.standing == Standing::Excluded(Exclusion::Deleted);
        if deleted && path.probe.is_none() && seen == Seen::Again && self.phase == Phase::Running {
            return;
        }
        if seen == Seen::Arrived {
            path.retriggers = 0;
        }
        self.start_probe(id, out);
    }

    /// What is asked of a disk whose name is all that is known, and what that comes to.
    fn by_name_alone(&self, name: &PathName) -> (Vec<Considered>, Option<Exclusion>) {
        let subject = BlacklistSubject {
            devnode: name.as_str(),
            properties: None,
            device: None,
            wwid: None,
            uid_attribute: "",
        };
        let asked = self.config.consider(&subject);
        let excluded = match verdict(&asked) {
            BlacklistVerdict::Excluded(reason) => Some(Exclusion::Blacklisted(reason)),
            BlacklistVerdict::Allowed => None,
        };
        (asked, excluded)
    }

    /// What a disk that was read is by the rules.
    fn judged(&mut self, id: PathId, raw: &RawProbe, out: &mut Outbox) -> Option<Judged> {
        let path = self.paths.get_mut(&id)?;
        let in_vain = path.retriggers > self.config.globals().retrigger_tries;
        let was = core::mem::replace(&mut path.udev, Udev::of(raw.udev_initialized, in_vain));
        let judge = if path.udev == Udev::AwaitedInVain { judge_without_udev } else { judge };
        let mut judged = judge(&self.config, &path.name, raw);
        if path.udev == Udev::AwaitedInVain && was != path.udev && judged.wwid.is_ok() {
            let text = format!("{}: udev has not looked at it; who it is it says itself", path.name);
            out.notify(Notice::Other { level: Level::Notice, text });
        }
        self.keep_excluded_by_name(id, &mut judged);
        if let Some(path) = self.paths.get(&id) {
            judged.wwid = judged.wwid.and_then(|is| match path.wwid() {
                Some(was) if *was != is && stands_in(path, &judged.settings.uid, raw) => {
                    Err(NoWwid::NoIdentifier)
                }
                _ => Ok(is),
            });
        }
        self.spare_let_in(id, raw, &mut judged, out);
        Some(judged)
    }

    /// A disk that its name excludes is probed for udev's rules only: that is why it is excluded, whatever else is.
    fn keep_excluded_by_name(&self, id: PathId, judged: &mut Judged) {
        let Some(path) = self.paths.get(&id) else { return };
        if matches!(&path.standing, Standing::Excluded(Exclusion::Blacklisted(rule)) if rule.kind == "devnode")
            && let (asked, Some(exclusion)) = self.by_name_alone(&path.name)
        {
            (judged.considered, judged.refused) = (asked, Some(exclusion));
        }
    }

    fn new_path(&mut self, name: &PathName) -> PathId {
        self.next_path += 1;
        let id = PathId(self.next_path);
        self.paths.insert(id, Path::new(id, name.clone()));
        self.by_name.insert(name.clone(), id);
        id
    }

    pub(super) fn start_probe(&mut self, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        if path.probe.is_some() {
            path.probe_again = Again::Yes;
            return;
        }
        let token = self.waiting.token(Awaited::Probe(id));
        path.probe = Some(token);
        path.tuning.probe_begins();
        out.push(Effect::Probe { token, name: path.name.clone() });
    }

    /// A probe was answered: who is it, and is it for us?
    pub(super) fn probed(
        &mut self,
        now: Instant,
        id: PathId,
        probe: Result<Box<RawProbe>, Errno>,
        out: &mut Outbox,
    ) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        if matches!(probe, Err(errno) if errno.is_shortage()) {
            // As good as not answered.
            path.probe = Some(self.waiting.token(Awaited::Probe(id)));
            return self.timers.set(Timer::Probe(id), now + SHORTAGE_PAUSE);
        }
        path.probe = None;
        let asked = core::mem::take(&mut path.probe_again);
        let again = match asked {
            Again::No | Again::Also => false,
            Again::IfThere => probe.is_ok(),
            Again::Yes => true,
        };
        if again {
            // It was away, whatever is there now: nothing known of it holds for that.
            let id = match probe {
                Ok(raw) => {
                    path.told_size = Some((raw.devt, raw.sectors));
                    id
                }
                Err(_) => self.gone_and_back(now, id, out),
            };
            self.start_probe(id, out);
            return;
        }
        match probe {
            Err(_) => self.path_gone(now, id, out),
            Ok(raw) => {
                let id = self.same_or_new(now, id, &raw, out);
                self.identify(now, id, &raw, out);
                self.told_apart(id, &raw);
                if asked == Again::Also {
                    self.start_probe(id, out);
                } else {
                    self.rechecked(now, id, &raw, out);
                }
                self.purge(id, out);
                if let Some(map) = self.paths.get(&id).and_then(Path::map) {
                    self.size_told(map, id, out);
                    self.auto_resize(map, out);
                }
            }
        }
        self.dirty_unidentified(self.paths.get(&id).map(Path::devt).unwrap_or_default());
        self.answer_probed(id, out);
    }

    /// A probe for which there were no means: perhaps there are now.
    pub(super) fn probe_due(&self, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id) else { return };
        if let Some(token) = path.probe {
            out.push(Effect::Probe { token, name: path.name.clone() });
        }
    }

    /// Another device number under the same name is another disk, even if nobody said so.
    fn same_or_new(&mut self, now: Instant, id: PathId, raw: &RawProbe, out: &mut Outbox) -> PathId {
        let path = &self.paths[&id];
        if path.facts.as_ref().is_none_or(|f| f.devt == raw.devt && f.hctl == raw.hctl) {
            return id;
        }
        self.gone_and_back(now, id, out)
    }

    fn gone_and_back(&mut self, now: Instant, id: PathId, out: &mut Outbox) -> PathId {
        let name = self.paths[&id].name.clone();
        self.path_gone(now, id, out);
        self.new_path(&name)
    }

    fn identify(&mut self, now: Instant, id: PathId, raw: &RawProbe, out: &mut Outbox) {
        let Some(judged) = self.judged(id, raw, out) else { return };
        let Judged { mut facts, settings, wwid, considered, refused } = judged;
        let Some(path) = self.paths.get_mut(&id) else { return };
        let another = |was: &Wwid| wwid.as_ref().is_ok_and(|is| is != was);
        if path.shown_wwid().is_some_and(another) {
            path.health.forget_pages();
        }
        path.health.unread_pages.complete(&mut facts);
        path.tuning.put_right(&mut facts);
        let grown = path.facts.as_ref().is_some_and(|was| was.sectors != facts.sectors);
        let renumbered = path.facts.as_ref().is_some_and(|was| was.serial != facts.serial);
        if grown && facts.sectors == 0 {
            path.went_away(); // it is asked again when it serves
        }
        (path.facts, path.told_size) = (Some(facts.into()), None);
        path.rules.hear(&raw.properties);
        path.considered = considered;
        // A check that waited for the transport waits for the device from now on.
        path.health.blocked &= crate::check::sysfs::is_blocked(raw.state.as_deref());
        let member = path.map();
        let unrated = self.use_settings(id, settings);
        self.check_in_its_interval(now, id);
        if wwid.is_err() && refused.is_none() {
            self.heed_own_word(now, id, raw, out);
        }
        let member = member.filter(|_| self.paths.get(&id).is_some_and(|path| path.map().is_some()));
        match (refused, wwid) {
            // Not being told now does not undo what was known: after a switch of the root file
            // system udev's database is empty for a while.
            (Some(Exclusion::NoSize), _) | (None, Err(_)) if member.is_some() => self.dirty.extend(member),
            (Some(exclusion), wwid) => {
                let by_configuration = exclusion.is_by_configuration();
                self.exclude(now, id, exclusion, out);
                if let (true, Ok(wwid)) = (by_configuration, wwid) {
                    self.excluded_before(now, id, &wwid, out);
                }
            }
            (None, Ok(wwid)) => {
                if let Some(map) = member.filter(|_| grown) {
                    // From here on it is `auto_resize` that says what becomes of that.
                    if let Some(map) = self.maps.get_mut(&map).filter(|_| self.phase == Phase::Running) {
                        map.size_due = false;
                        map.backoff.clear(); // a table that failed may have been too long for it
                    }
                }
                if let Some(map) = member.filter(|_| grown || renumbered) {
                    self.reconsider(map, out);
                }
                self.make_way(now, id, &wwid, out);
                self.place(now, id, wwid, out);
                if member.is_some() && self.paths.get(&id).and_then(Path::map) == member {
                    self.leaves_for_size(now, id, raw, out);
                }
                self.keep_names(id, member, raw);
                self.heed_database(now, id, raw, out);
            }
            (None, Err(why)) => {
                self.await_udev(now, id);
                self.exclude(now, id, Exclusion::NoWwid(why.to_string()), out);
                self.await_name(now, id, raw);
            }
        }
        if unrated {
            self.await_ratings(now, &[id], out);
        }
        self.correct_rules(id, out);
    }

    /// What a disk in a map was called when it joined, by itself and by udev.
    fn keep_names(&mut self, id: PathId, member: Option<MapId>, raw: &RawProbe) {
        let stays = |path: &Path| {
            let is_compared =
                path.designated.is_some() || matches!(path.recheck, Recheck::UnderWay | Recheck::Asked(_));
            path.map().is_some() && path.map() == member && is_compared
        };
        if let Some(path) = self.paths.get_mut(&id).filter(|path| !stays(path)) {
            path.designated = identify::designated(raw);
            path.named_alike = false;
        }
        let named = raw.properties.get(SCSI_ID).and_then(|value| identify::of_property(value));
        if let Some(path) = self.paths.get_mut(&id) {
            path.named_alike |= named.is_some() && path.wwid() == named.as_ref();
        }
    }

    /// udev has not said who it is: have it look again, a few times. It may look again for other reasons, too, which are not
    /// counted and put nothing off. Where it has not looked at all by then, it is waited for no longer.
    fn await_udev(&mut self, now: Instant, id: PathId) {
        let globals = self.config.globals();
        let Some(path) = self.paths.get(&id) else { return };
        let waits = self.timers.get(Timer::Retrigger(id)).is_some();
        let most = globals.retrigger_tries.saturating_add(u32::from(path.udev == Udev::Awaited));
        if path.retriggers < most && !waits {
            self.timers.set(Timer::Retrigger(id), now + globals.retrigger_delay);
        }
    }

    pub(super) fn retrigger(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        let tries = self.config.globals().retrigger_tries;
        let Some(path) = self.paths.get_mut(&id) else { return };
        if !matches!(path.standing, Standing::Excluded(Exclusion::NoWwid(_))) {
            return;
        }
        path.retriggers += 1;
        if path.retriggers > tries {
            return self.start_probe(id, out);
        }
        let may_be_deaf = path.udev == Udev::Awaited;
        self.ask_udev(id, out);
        if may_be_deaf {
            self.await_udev(now, id);
        }
    }

    /// A disk is gone. Whatever it was asked, its answers no longer matter.
    pub(super) fn path_gone(&mut self, now: Instant, id: PathId, out: &mut Outbox) {
        self.leave_map(now, id, out);
        self.stand(id, Standing::New);
        let Some(path) = self.paths.remove(&id) else { return };
        self.by_name.remove(&path.name);
        let devt = path.devt();
        self.strangers.forget(id, devt);
        let tuning = path.tuning.inflight.map(|(token, ..)| token);
        let health = &path.health;
        let asked = [path.probe, health.inflight, health.stuck, tuning, path.steadiness.asked()];
        for token in asked.into_iter().flatten() {
            self.waiting.forget(token);
        }
        self.timers.forget(id);
        self.dirty_unidentified(devt);
        out.push(Effect::Forget { name: path.name });
    }

    /// A disk is not for us: it leaves its map, and why is kept for who asks.
    pub(super) fn exclude(&mut self, now: Instant, id: PathId, exclusion: Exclusion, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id) else { return };
        if path.facts.is_some() {
            out.push(Effect::Forget { name: path.name.clone() });
        }
        if path.standing == Standing::Excluded(exclusion.clone()) {
            return;
        }
        if path.facts.is_some() {
            let was_in = path.map().and_then(|map| Some(self.maps.get(&map)?.kernel_name().clone()));
            let (path, reason) = (path.name.clone(), exclusion.to_string());
            out.notify(match &exclusion {
                Exclusion::Contradicts { wwid, .. } => {
                    Notice::PathRefused { path, wwid: wwid.clone(), reason }
                }
                _ => Notice::PathIgnored { path, reason, was_in },
            });
        }
        if exclusion.is_by_configuration()
            && let Some(map) = path.map().and_then(|map| self.maps.get_mut(&map))
        {
            map.queue.released = map.members.len() == 1;
            map.last_member.clone_from(&path.facts);
        }
        // udev may not have heard of what the kernel has read of a path since.
        let outdated = path.map().is_some() && matches!(exclusion, Exclusion::Contradicts { .. });
        self.leave_map(now, id, out);
        self.stand(id, Standing::Excluded(exclusion));
        if outdated {
            self.ask_udev(id, out);
        }
    }

    /// The map of its LUN was found with it in the table, and no path has joined: it was excluded while no daemon ran.
    fn excluded_before(&mut self, now: Instant, id: PathId, wwid: &Wwid, out: &mut Outbox) {
        let Some((map, path)) = self.by_wwid.get(wwid).copied().zip(self.paths.get(&id)) else { return };
        let found = |map: &&mut Map| map.members.is_empty() && map.unidentified.has(path.devt());
        if let Some(map) = self.maps.get_mut(&map).filter(found) {
            map.queue.released = true;
            map.last_member.clone_from(&path.facts);
            let id = map.id;
            self.count_usable(now, id, out);
        }
    }
}

/// What a device says in the place of what udev said of a member may be spelled otherwise, and be the same: it does not rename the
/// member, unless what the device says has changed.
fn stands_in(path: &Path, uid: &UidSource, raw: &RawProbe) -> bool {
    let of_device = match uid {
        UidSource::Udev(attribute) => {
            let said = raw.properties.get(attribute).and_then(|value| identify::of_property(value));
            !attribute.is_empty() && said.is_none()
        }
        // Where the kernel has not read the page (yet), udev speaks on.
        UidSource::ScsiId => path.designated.is_none() && identify::designated(raw).is_some(),
    };
    let is_same = |was: &Wwid| identify::designated(raw).is_none_or(|is| is == *was);
    path.map().is_some() && of_device && path.designated.as_ref().is_none_or(is_same)
}

/// How a disk came to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The kernel says that it came, or an operator wants it.
    Arrived,
    /// It was there already.
    Again,
}
