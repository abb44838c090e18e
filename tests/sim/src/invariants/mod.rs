//! What must hold after every event, and what must hold at rest.
//!
//! The watch keeps its own books of what the daemon was told and what it ordered; it never asks
//! the daemon why.

mod effects;
mod io;
mod rest;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use libmp::check::{Answer, RawCheck};
use libmp::config::settings::UidSource;
use libmp::core::effect::StateFile;
use libmp::core::event::{Event, RequestId, Uevent, UeventAction};
use libmp::dm::op::DmOp;
use libmp::identify::{self, RawProbe};
use libmp::show::view::View;
use libmp::types::{DevT, Errno, Instant, Token, Wwid};

use crate::conf::Conf;
use crate::world::World;
use crate::world::dm::Device;

#[cfg(test)]
pub use rest::Amiss;
pub use rest::{Rest, at_rest};

/// Name and meaning of every invariant.
pub const CATALOGUE: &[(&str, &str)] = &[
    ("tokens-are-unique", "No token is given twice in one life."),
    (
        "one-dm-operation-a-map",
        "At most one device-mapper operation is under way for a map, and one message or look beside a table load that hangs.",
    ),
    ("one-check-a-path", "At most one check is under way for one device: memory and threads stay bounded."),
    ("no-wwids-mixed", "A table that is ordered holds only paths whose last known WWID is the map's."),
    (
        "no-reinstate-of-a-stranger",
        "A path last known with another WWID than its map's is never reinstated, nor one that may have one and was not asked.",
    ),
    (
        "no-reinstate-without-evidence",
        "A path is reinstated only on a good check since it came, or by an operator.",
    ),
    ("up-on-fresh-evidence", "A path is up only on a good, awaited check that was ordered since it came."),
    (
        "no-effect-for-the-gone",
        "No path is checked or probed a second after the daemon learnt that it is gone.",
    ),
    ("no-zero-times", "No port is told to give up at once, no session never to."),
    ("one-save-a-file", "A state file is not written twice at once: the older text could come out on top."),
    ("a-table-fits", "No table is ordered that is longer than one of its paths."),
    ("a-resize-flushes", "A table of another size is loaded with a flushing suspend."),
    ("one-reply", "Each request gets exactly one reply, and none is outstanding at exit."),
    ("a-reply-in-time", "A reply comes within 4 s, whatever hangs."),
    ("names-are-unique", "No two maps have one name, and no two one WWID."),
    ("paths-are-in-maps", "The map that a path is shown in is one that is shown."),
    ("a-path-in-one-map", "No path is in two groups or maps at once."),
    (
        "usable-means-mapped",
        "A path that is up and not excluded is in its map, as the kernel has it, within two minutes.",
    ),
    ("io-reaches-its-lun", "I/O for one LUN never reaches another once the daemon could know."),
    (
        "no-error-while-queueing",
        "With `no_path_retry queue`, I/O without a path waits, but for a LUN that is excluded.",
    ),
    (
        "queueing-ends",
        "With `no_path_retry N`, a map without paths stops queueing in time, whoever switches it on.",
    ),
    ("timers-move-on", "A deadline that was served is not asked for again at once."),
    (
        "rest-maps",
        "At rest: one running multipath map for each LUN with a healthy path, under its name, of its size; no other is left.",
    ),
    ("rest-wwids", "At rest: the WWID of every map is in the file of those that were multipathed."),
    ("rest-paths", "At rest: every healthy path is in its map and active; no failed or foreign one is."),
    ("rest-layers", "At rest: timers and limits below healthy paths are what the configuration says."),
    ("rest-groups", "At rest: the groups are what the policy says, and I/O goes to the best one."),
    ("rest-queueing", "At rest: queueing is what the configuration says."),
    ("rest-orders-nothing", "At rest: no table is loaded, no message sent, nothing saved."),
    ("rest-wakes-little", "At rest: the daemon wakes for its checks; without paths, never."),
    (
        "rest-owes-nothing",
        "At rest: every request is answered, and no answer is awaited but of what is under way.",
    ),
];

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub name: &'static str,
    pub detail: String,
}

impl Violation {
    pub fn new(name: &'static str, detail: impl Into<String>) -> Self {
        debug_assert!(CATALOGUE.iter().any(|(known, _)| *known == name), "{name} is not in the catalogue");
        Self { name, detail: detail.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.detail)
    }
}

/// What the daemon of this life was told of a path.
#[derive(Debug, Clone, Default)]
struct Known {
    devt: DevT,
    /// The WWID it last showed, and since when: what is configured to say it said so.
    wwid: Option<(String, Instant)>,
    /// What udev called it last, and since when. Where that does not say who it is, it is still a reason to look.
    named: Option<(String, Instant)>,
    /// A unit attention has told that it may be another LUN by now, and it was not asked itself since.
    doubted: Option<Instant>,
    /// Who the kernel's pages said that it is.
    designated: Option<Wwid>,
    /// Its pages say who it is: they were read, and it is configured so.
    by_pages: bool,
    /// The event after which it is another device, or none.
    came: u64,
    gone_since: Option<Instant>,
    /// Its size when it was probed; 0: it was not, or had none.
    sectors: u64,
    /// The last message of udev about it, or list that has it.
    told: u64,
    /// When the newest good check that was taken had been ordered.
    good: Option<u64>,
    operator_reinstated: Option<Instant>,
    usable_unmapped_since: Option<Instant>,
}

/// A look at a map that takes longer excuses the map; one that does not, doesn't.
const LONG: Duration = Duration::from_secs(1);

/// A size that is told after so long is not taken by itself.
const LATE: Duration = Duration::from_secs(5);

/// What a token was given for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Check { name: String, devt: DevT, of_state: bool },
    Probe { name: String, since: Instant },
    Dm { wwid: String, taken: Option<String>, since: Instant, kind: Kind },
    Enumerate,
    Config,
    Save(StateFile),
    Other,
}

/// What an operation is, by what may be done beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reads,
    /// The map is there, and another table is loaded.
    Loads,
    Tells,
    Other,
}

impl Kind {
    fn of(op: &DmOp) -> Self {
        match op {
            DmOp::Query { .. } => Self::Reads,
            DmOp::Reload { .. } => Self::Loads,
            // The number of a group may be another's when the load ends; a map that queues again may keep it from ending.
            DmOp::Message { messages }
                if messages.iter().any(|m| m.starts_with("switch_group") || m == "queue_if_no_path") =>
            {
                Self::Other
            }
            DmOp::Message { .. } | DmOp::CancelRemove => Self::Tells,
            _ => Self::Other,
        }
    }

    /// Does the kernel take it while a table is loaded?
    const fn is_small(self) -> bool {
        matches!(self, Self::Reads | Self::Tells)
    }
}

/// A load that has been under way for so long keeps no message from the map.
const HANGS: Duration = Duration::from_secs(1);

/// The books.
#[derive(Debug, Default)]
pub struct Watch {
    /// Number of the event; orders what was asked and what was told.
    step: u64,
    born: Instant,
    given: BTreeSet<Token>,
    asked: BTreeMap<Token, (u64, Asked)>,
    paths: BTreeMap<String, Known>,
    /// When, in which event, and what.
    requests: BTreeMap<RequestId, (Instant, u64, String)>,
    /// Until then a map may be other than configured: the daemon was busy, absent, or told otherwise.
    excused: BTreeMap<u32, Instant>,
    /// When it was last told all there is, or the configuration.
    surveyed: Instant,
    /// Names that were last asked for, by LUN.
    wanted: BTreeMap<String, String>,
    /// LUNs whose map an operator let queue no more.
    disabled: BTreeSet<String>,
    /// LUNs whose map an operator could not resize, or whose size was told late.
    pub unresized: BTreeSet<String>,
    /// LUNs whose map an operator removed: it stays away until a reconfigure, or a new path.
    away: BTreeSet<String>,
    /// Nobody looks after the maps.
    pub dead: bool,
    pub clock_jumped: Option<Instant>,
    /// Orders since the last reset.
    pub orders: u64,
    /// Standby paths reinstated once more.
    pub relapses: u64,
    /// Tables with standby paths that were ordered.
    pub regroups: u64,
    pub last_order: String,
    pub ticks: u64,
    pub checks: u64,
}

impl Watch {
    /// A new daemon knows nothing.
    pub fn reborn(&mut self, now: Instant) {
        self.given.clear();
        self.asked.clear();
        self.paths.clear();
        self.requests.clear();
        self.away.clear();
        self.wanted.clear();
        self.dead = false;
        self.born = now;
    }

    /// A client sent a command.
    pub fn requested(&mut self, world: &World, id: RequestId, command: &str) {
        let now = world.now;
        self.requests.insert(id, (now, self.step + 1, command.to_owned()));
        let words: Vec<&str> = command.split_ascii_whitespace().collect();
        match words[..] {
            ["reinstate", "path", name] => {
                self.paths.entry(name.to_owned()).or_default().operator_reinstated = Some(now);
            }
            ["add", "path", name] => {
                // The client has seen it; so may the daemon look for it.
                self.paths.entry(name.to_owned()).or_default().gone_since = None;
            }
            // It may get another name before that is done: `reply` has the one of then.
            ["disablequeueing", "map", name] => self.disabled.extend(lun_of(world, name)),
            ["disablequeueing", ..] => self.disabled.extend(world.dm.devices.values().filter_map(lun)),
            ["del", "map", name] => self.away.extend(lun_of(world, name)),
            _ => {}
        }
    }

    /// The daemon is about to be told this.
    pub fn before(&mut self, world: &World, conf: &Conf, event: &Event) {
        self.step += 1;
        let now = world.now;
        match event {
            Event::Uevent(uevent) => self.uevent(now, uevent),
            // A list is a hint: what is not in it may have come since, and a probe tells.
            Event::Enumerated { token, found } if self.take(*token).is_some() => {
                self.surveyed = now;
                for disk in found.iter().flat_map(|found| &found.disks) {
                    if let Some(known) = self.paths.get_mut(disk.as_str()) {
                        known.gone_since = None;
                        known.told = self.step; // a list has each disk looked at anew
                    }
                }
            }
            Event::Probed { token, probe } => self.probed(now, conf, *token, probe.as_deref()),
            Event::Checked { token, raw } => {
                let Some((ordered, Asked::Check { name, of_state, .. })) = self.take(*token) else { return };
                let known = self.paths.entry(name).or_default();
                if of_state && is_good(raw) {
                    known.good = known.good.max(Some(ordered));
                }
                known.says(now, &raw.answers);
            }
            Event::DmDone { token, .. } => {
                // What was done to the map while it was under way is not in the answer.
                if let Some((_, Asked::Dm { wwid, since, kind, .. })) = self.take(*token)
                    && (kind != Kind::Reads || now.saturating_since(since) > LONG)
                {
                    // What is told beside a load that hangs leaves all else as it is.
                    let hangs = |uuid: &str| world.opening.values().any(|(other, _)| other == uuid);
                    let is_it = |d: &&Device| {
                        d.wwid() == Some(wwid.as_str()) && (kind != Kind::Tells || !hangs(&d.uuid))
                    };
                    let maps = world.dm.devices.values().filter(is_it);
                    self.excused.extend(maps.map(|device| (device.minor, now)));
                }
            }
            Event::Config { token, .. } | Event::SysfsWritten { token, .. } | Event::Saved { token, .. } => {
                if let Event::Config { .. } = event {
                    self.away.clear();
                    self.surveyed = now;
                }
                self.take(*token);
            }
            Event::Tick => self.ticks += 1,
            _ => {}
        }
    }

    fn probed(&mut self, now: Instant, conf: &Conf, token: Token, probe: Result<&RawProbe, &Errno>) {
        let Some((ordered, Asked::Probe { name, since })) = self.take(token) else { return };
        let known = self.paths.entry(name).or_default();
        // A map does not become smaller for a size that comes so late, whatever was ordered in between.
        if now.saturating_since(since) > LATE
            && let Some((wwid, _)) = &known.wwid
        {
            self.unresized.insert(wwid.clone());
        }
        if ordered < known.told {
            return known.outdated(probe.ok());
        }
        match probe {
            Ok(probe) => {
                if known.devt != probe.devt {
                    known.came = self.step;
                    known.devt = probe.devt;
                }
                known.gone_since = None;
                known.sectors = probe.sectors;
                let named = probe.properties.get("ID_SERIAL").map(String::as_str);
                called(&mut known.named, now, named);
                let designated = identify::designated(probe);
                known.by_pages = conf.by_pages() && designated.is_some();
                // The kernel has read it since.
                let is_read = known.designated.is_some() && known.designated != designated;
                known.doubted = known.doubted.filter(|_| !is_read);
                known.designated = designated;
                if probe.udev_initialized && !conf.by_pages() {
                    called(&mut known.wwid, now, named.or(Some("")));
                } else if let Ok(own) = identify::wwid(probe, &UidSource::ScsiId) {
                    // Where udev has not looked, there is only what the disk itself says.
                    called(&mut known.wwid, now, Some(own.as_str()));
                }
            }
            Err(_) => known.goes(now, self.step),
        }
    }

    /// An answer is taken once; a second one is stale.
    fn take(&mut self, token: Token) -> Option<(u64, Asked)> {
        self.asked.remove(&token)
    }

    fn uevent(&mut self, now: Instant, uevent: &Uevent) {
        let name = uevent.name.as_str();
        if name.starts_with("dm-") {
            // One that came is there again; nothing else is said of it.
            if let Some(known) = self.paths.get_mut(name).filter(|_| uevent.action != UeventAction::Remove) {
                known.gone_since = None;
            }
            return;
        }
        let step = self.step;
        let known = self.paths.entry(name.to_owned()).or_default();
        known.told = step;
        if uevent.action == UeventAction::Remove {
            return known.goes(now, step);
        }
        known.gone_since = None;
        let number = |key: &str| uevent.properties.get(key)?.parse().ok();
        if let (Some(major), Some(minor)) = (number("MAJOR"), number("MINOR")) {
            let devt = DevT::new(major, minor);
            if known.devt != devt {
                known.came = step;
                known.devt = devt;
            }
        }
        let wwid = uevent.properties.get("ID_SERIAL").map(String::as_str);
        called(&mut known.named, now, wwid);
        if !known.by_pages {
            called(&mut known.wwid, now, wwid);
        }
    }

    fn known_by_devt(&self, devt: DevT) -> Option<(&String, &Known)> {
        self.paths.iter().find(|(_, known)| known.devt == devt && known.gone_since.is_none())
    }

    /// Is the daemon still finding out what there is?
    fn is_settling(&self) -> bool {
        self.asked.values().any(|(_, asked)| matches!(asked, Asked::Config | Asked::Enumerate))
    }

    /// Is an operation on the map of this LUN under way?
    fn is_operated(&self, of: &str) -> bool {
        self.asked.values().any(|(_, asked)| matches!(asked, Asked::Dm { wwid, .. } if wwid == of))
    }

    /// May this be ordered now, as far as other operations on the map go? A second one only if it is a message or a look, and the
    /// first a load that hangs.
    fn is_free(&self, now: Instant, of: &str, order: Kind) -> bool {
        let hangs = |kind, since| kind == Kind::Loads && now.saturating_since(since) >= HANGS;
        self.asked.values().all(|(_, asked)| match asked {
            Asked::Dm { wwid, kind, since, .. } if wwid == of => order.is_small() && hangs(*kind, *since),
            _ => true,
        })
    }

    /// Is the map being changed? It is not told to queue then.
    fn is_changed(&self, of: &str) -> bool {
        let changes = |asked: &Asked| matches!(asked, Asked::Dm { wwid, kind, .. } if wwid == of && *kind != Kind::Reads);
        self.asked.values().any(|(_, asked)| changes(asked))
    }

    /// Is the map being changed, or has a look at it kept the daemon from acting for long?
    fn is_held_up(&self, world: &World, of: &str) -> bool {
        let now = world.now;
        let held = |asked: &Asked| match asked {
            Asked::Dm { wwid, since, kind: Kind::Reads, .. } => {
                wwid == of && now.saturating_since(*since) > LONG
            }
            // Beside one that hangs it is told what it needs to be told. When it goes on, its table is the live one before its answer
            // is there.
            Asked::Dm { wwid, since, kind: Kind::Loads, .. } => {
                wwid == of && (now.saturating_since(*since) <= HANGS || !world.hangs(of))
            }
            Asked::Dm { wwid, .. } => wwid == of,
            _ => false,
        };
        self.asked.values().any(|(_, asked)| held(asked))
    }

    /// Is a probe of this disk under way that takes its time? What has become of the disk is not known then.
    fn is_unread(&self, now: Instant, disk: &str) -> bool {
        let unread = |asked: &Asked| matches!(asked, Asked::Probe { name, since } if name == disk && now.saturating_since(*since) > LONG);
        self.asked.values().any(|(_, asked)| unread(asked))
    }

    /// Is a map on its way to this name?
    fn is_taken(&self, name: &str) -> bool {
        let takes = |asked: &Asked| matches!(asked, Asked::Dm { taken: Some(taken), .. } if taken == name);
        self.asked.values().any(|(_, asked)| takes(asked))
    }

    /// Has somebody else's device the name that the map of this LUN is to have?
    fn is_name_lost(&self, world: &World, of: &str) -> bool {
        let device = self.wanted.get(of).and_then(|name| world.dm.by_name(name));
        device.is_some_and(|device| device.wwid().is_none())
    }

    /// After every event.
    pub fn after(&mut self, world: &World, conf: &Conf, view: &View) -> Result<(), Violation> {
        self.view(world, view)?;
        self.queues(world, conf)?;
        self.timers(world)
    }

    /// Whenever time has passed.
    pub fn timers(&self, world: &World) -> Result<(), Violation> {
        const LIMIT: Duration = Duration::from_millis(4500);
        let Some((id, (asked, _, command))) = self.requests.first_key_value() else { return Ok(()) };
        let since = self.clock_jumped.map_or(*asked, |jump| jump.max(*asked));
        if world.now.saturating_since(since) > LIMIT {
            let detail = format!("request {} ({command}) has waited for {:?}", id.0, world.now - *asked);
            return Err(Violation::new("a-reply-in-time", detail));
        }
        Ok(())
    }

    /// Is there a LUN that an operator removed the map of?
    pub fn is_away(&self) -> bool {
        !self.away.is_empty()
    }

    /// How many answers are under way.
    pub fn under_way(&self) -> usize {
        self.asked.len()
    }

    /// Nothing may be outstanding.
    pub fn outstanding(&self) -> Option<String> {
        self.requests.values().next().map(|(_, _, command)| format!("no reply to {command}"))
    }
}

impl Known {
    /// What was said since this probe began is newer, and the daemon may go by it; but a disk that has grown is as large as that.
    fn outdated(&mut self, probe: Option<&RawProbe>) {
        if let Some(probe) = probe.filter(|probe| probe.devt == self.devt && self.sectors > 0) {
            self.sectors = self.sectors.max(probe.sectors);
        }
    }

    /// What it answers itself.
    fn says(&mut self, now: Instant, answers: &[Answer]) {
        for reply in answers
            .iter()
            .filter_map(|answer| if let Answer::Scsi(reply) = answer { Some(reply) } else { None })
        {
            if reply.data.get(1) == Some(&0x83) {
                self.doubted = None;
            }
            if matches!(
                reply.sense[..],
                [_, _, 0x06, _, _, _, _, _, _, _, _, _, 0x3f, 0x03 | 0x05 | 0x0e, ..]
            ) {
                self.doubted = Some(now);
            }
        }
    }

    /// May it be another LUN than it was last called?
    fn is_doubtful(&self) -> bool {
        let called = self.wwid.iter().chain(&self.named).map(|(_, since)| *since).max();
        self.doubted.is_some_and(|doubted| called.is_none_or(|called| called <= doubted))
    }

    fn goes(&mut self, now: Instant, step: u64) {
        self.gone_since = self.gone_since.or(Some(now));
        self.came = step;
        self.sectors = 0;
        (self.wwid, self.named, self.doubted, self.by_pages) = (None, None, None, false);
        self.usable_unmapped_since = None;
    }

    /// Since when it could be known that it is of this LUN: its WWID says so, or udev does.
    fn is_of(&self, lun: &str) -> Option<Instant> {
        let said = [&self.wwid, &self.named].into_iter().flatten();
        said.filter(|(wwid, _)| wwid == lun).map(|(_, since)| *since).min()
    }

    /// Does an operator's word hold (for as long as a check takes, and then some)?
    fn on_word(&self, now: Instant, jumped: Option<Instant>) -> bool {
        let since = self.operator_reinstated.map(|at| jumped.map_or(at, |jump| jump.max(at)));
        since.is_some_and(|at| now.saturating_since(at) < Duration::from_mins(2))
    }

    fn has_evidence(&self) -> bool {
        self.good.is_some_and(|ordered| ordered >= self.came)
    }
}

/// It is called so from now on, if it was not before. Not to be told is no news.
fn called(said: &mut Option<(String, Instant)>, now: Instant, wwid: Option<&str>) {
    if let Some(wwid) = wwid.filter(|wwid| said.as_ref().is_none_or(|(was, _)| was != wwid)) {
        *said = Some((wwid.to_owned(), now));
    }
}

/// The WWID of a multipath map.
fn lun(device: &Device) -> Option<String> {
    device.wwid().map(str::to_owned)
}

/// The WWID of the map of this name.
fn lun_of(world: &World, name: &str) -> Option<String> {
    world.dm.by_name(name).and_then(lun)
}

/// Could a checker take this for a good answer? It is the first one; a priority's come after it.
pub(crate) fn is_good(raw: &RawCheck) -> bool {
    match raw.answers.first() {
        None | Some(Answer::AccessState { .. }) => raw.sysfs_state.as_deref() == Some("running"),
        Some(Answer::Read(_) | Answer::TimedReads(_)) => true,
        // Standby (02/04/0b) is a good answer: ghost.
        Some(Answer::Scsi(reply)) if reply.status == 2 && reply.sense.len() > 13 => {
            (reply.sense[2], reply.sense[12], reply.sense[13]) == (2, 4, 0x0b)
        }
        Some(Answer::Scsi(reply)) => reply.status == 0 && reply.host_status == 0,
        Some(Answer::NotAsked | Answer::Failed(_) | Answer::Nvme(_)) => false,
    }
}
