//! A path: who it is, what is configured for it, how it is, what has happened to it. Kept apart.

use ::core::fmt;
use ::core::time::Duration;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::check::detect::{self, Alua, Detected};
use crate::check::pages::UnreadPages;
use crate::check::vendor_page::VendorPage;
use crate::check::{self, CheckState};
use crate::config;
use crate::config::considered::{Considered, PROPERTY};
use crate::config::settings::{BlacklistReason, Checker, DeviceId, PathSettings, Prioritizer};
use crate::core::announce::Rules;
use crate::core::contested::Contest;
use crate::core::flaky::Steadiness;
use crate::core::map::MapId;
use crate::core::refused::Refused;
use crate::core::resize::Resizing;
use crate::core::rounds::Round;
use crate::core::routine::Routine;
use crate::core::table::Id;
use crate::core::tuning::Tuning;
use crate::core::unmapped::{Purge, Recheck};
use crate::identify::{Bus, Facts};
use crate::prio;
use crate::types::{DevT, Hctl, Instant, PathName, Priority, Token, Wwid};

/// Names one arrival of one disk: a disk that comes back is another path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

impl Id for PathId {
    fn number(self) -> u32 {
        self.0
    }
    fn of(number: u32) -> Self {
        Self(number)
    }
}

/// A disk that may be a path of a map. What each check touches comes first in memory, too.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct Path {
    /// How it is.
    pub health: Health,
    /// Kernel name.
    pub name: PathName,
    /// What has happened to it.
    pub stats: PathStats,
    /// What the core makes of it.
    pub standing: Standing,
    /// This arrival.
    pub id: PathId,
    /// Who it is; nothing before its first probe was answered.
    pub facts: Option<Arc<Facts>>,
    /// What is configured for it.
    pub settings: Option<PathSettings>,
    /// The rules that were asked when it was last looked at.
    pub considered: Vec<Considered>,
    /// The rules on udev's properties have let it in, since it came or the configuration was read.
    pub let_in: bool,
    /// It is being rescanned for the size of its map: what a probe says meanwhile may be older.
    pub resizing: Resizing,
    /// The probe under way.
    pub probe: Option<Token>,
    /// What was said of it while the probe was under way.
    pub probe_again: Again,
    /// Number and sectors by an answer that counts for no more, as the probe is made again.
    pub told_size: Option<(DevT, u64)>,
    /// It was in its map's table when it joined: an earlier run had taken it.
    pub taken_over: bool,
    /// The kernel refused a table with it.
    pub refused: Option<Refused>,
    /// How often udev was asked again for what it had not said.
    pub retriggers: u32,
    /// Has udev looked at it?
    pub udev: Udev,
    /// How far the deletion of its disk is.
    pub purge: Purge,
    /// Was it asked who it is since it came back?
    pub recheck: Recheck,
    /// Another LUN may have taken its place: a good answer of it counts only when it has been asked.
    pub doubted: bool,
    /// The kernel has failed it, and no check has told why since: its LUN may be gone, and another in its place.
    pub unexplained: bool,
    /// The rescan for that is under way.
    pub rescanning: bool,
    /// The WWID in its own page 0x83 when it joined its map.
    pub designated: Option<Wwid>,
    /// udev's `scsi_id` has called it as its map is called.
    pub named_alike: bool,
    /// What udev has called it otherwise.
    pub contest: Contest,
    /// It was of this LUN when an operator took it out.
    pub taken_out_of: Option<Wwid>,
    /// Who it says it is, while udev has not looked at it.
    pub nameless: Option<Wwid>,
    /// How steady it is.
    pub steadiness: Steadiness,
    /// What the layers below it are told.
    pub tuning: Tuning,
    /// What udev's rules have said of it.
    pub rules: Rules,
}

/// Must a disk be probed once more when the probe under way is answered?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Again {
    /// Nothing was said of it.
    #[default]
    No,
    /// Yes, and this answer holds as well: it may be older than a rescan, but nobody said that it was away.
    Also,
    /// If the answer is that it is there: a newer list does not have it.
    IfThere,
    /// Something changed.
    Yes,
}

/// What udev does for a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Udev {
    /// It has looked at it.
    Looked,
    /// It is to.
    Awaited,
    /// It has been asked so often that it never will: the device itself says who it is.
    AwaitedInVain,
}

impl Udev {
    /// By a probe.
    pub const fn of(looked: bool, in_vain: bool) -> Self {
        match (looked, in_vain) {
            (true, _) => Self::Looked,
            (false, false) => Self::Awaited,
            (false, true) => Self::AwaitedInVain,
        }
    }
}

/// What the core makes of a disk.
///
/// ```text
/// New ──probe──► Excluded ◄─── configuration, udev ───┐
///  │                                                  │
///  ├──────────► Waiting ──second path, wwids file──► Member
///  └────────────────────────────────────────────────►─┘
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Not identified yet.
    New,
    /// Not taken, and why.
    Excluded(Exclusion),
    /// Would be taken, were it not alone (`find_multipaths`).
    Waiting {
        /// Its WWID.
        wwid: Wwid,
    },
    /// In a map.
    Member {
        /// Its WWID.
        wwid: Wwid,
        /// Its map.
        map: MapId,
    },
}

/// Why a disk is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exclusion {
    /// A rule of the blacklist.
    Blacklisted(BlacklistReason),
    /// It has no WWID (yet).
    NoWwid(String),
    /// It has no size (removable medium, offline at discovery).
    NoSize,
    /// It shows a WWID of a map and contradicts it.
    Contradicts {
        /// Its WWID.
        wwid: Wwid,
        /// What contradicts.
        reason: String,
    },
    /// Its WWID changed while it was a member.
    WwidChanged {
        /// The WWID it joined with.
        was: Wwid,
        /// The WWID it shows now.
        is: Wwid,
    },
    /// An operator took it out (`del path`).
    Deleted,
    /// It is a path of a USB device and those are not taken.
    Usb,
    /// It is a head of the kernel's own NVMe multipathing, with paths of its own.
    Native,
}

impl Exclusion {
    /// Does the configuration want it so? A property may be missing from one message of udev's: that is not its word.
    pub fn is_by_configuration(&self) -> bool {
        match self {
            Self::Blacklisted(rule) => rule.kind != PROPERTY,
            other => *other == Self::Usb,
        }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blacklisted(r) => write!(f, "blacklisted by {} \"{}\" ({})", r.kind, r.rule, r.origin),
            Self::NoWwid(why) => write!(f, "it has no WWID: {why}"),
            Self::NoSize => f.write_str("its size is 0"),
            Self::Contradicts { wwid, reason } => write!(f, "it shows the WWID {wwid}, but {reason}"),
            Self::WwidChanged { was, is } => write!(f, "its WWID changed from {was} to {is}"),
            Self::Deleted => f.write_str("an operator took it out"),
            Self::Usb => f.write_str("it is a USB device (allow_usb_devices no)"),
            Self::Native => f.write_str("the kernel's own NVMe multipathing has it"),
        }
    }
}

/// How a path is.
///
/// In memory, too, in this order: of a hundred thousand paths each lies somewhere else, so a check costs what it
/// touches. A routine one (`core/routine.rs`) touches the first 192 bytes and nothing behind them.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub struct Health {
    /// Another answer like the last one changes nothing.
    pub calm: Option<Calm>,
    /// The check under way.
    pub inflight: Option<Token>,
    /// A check that was given up and still holds its slot: nothing new is asked before it ends.
    pub stuck: Option<Token>,
    /// Time between checks now.
    pub interval: Duration,
    /// When the next check is due.
    pub next_check: Instant,
    /// Answers in a row that asked for another try.
    pub tries: u32,
    /// What the checker said last.
    pub state: CheckState,
    /// Its last check found it on standby, which is reason enough for I/O to fail there.
    pub standby: bool,
    /// An operator failed it: no check changes that (`fail path` … `reinstate path`).
    pub held_down: bool,
    /// The check under way waits for a device that its transport has blocked: it says nothing of
    /// the path until the transport is back or given up.
    pub blocked: bool,
    /// The kernel failed the path after the check under way had begun: its answer does not count.
    pub outdated: bool,
    /// The check under way, question by question.
    pub round: Round,
    /// The checker's message.
    pub message: &'static str,
    /// Priority; keeps its last value while it can't be read.
    pub priority: Priority,
    /// An unreadable priority was said.
    pub priority_complained: bool,
    /// sysfs says that the device is offline.
    pub offline: bool,
    /// The kernel would not let it be opened, as far as sysfs says.
    pub closed: bool,
    /// The checker in use, after detection.
    pub checker: Checker,
    /// The prioritizer in use, after detection.
    pub prioritizer: Prioritizer,
    /// Another path of its map is rated by what it is asked itself, and so is this one.
    pub asked_all: bool,
    /// What the device said of its kind, if it was asked.
    pub detected: Option<Detected>,
    /// It looked like this, and had no asymmetric access to tell of.
    pub alike: Option<Alua>,
    /// The pages that the kernel has not read.
    pub unread_pages: UnreadPages,
    /// The page of its vendor's own.
    pub vendor_page: VendorPage,
    /// What its checker remembers.
    pub memory: check::Memory,
    /// What its prioritizer remembers.
    pub prio_memory: prio::Memory,
}

/// How long nothing changes if a path goes on answering as it does.
#[derive(Debug, Clone)]
pub struct Calm {
    /// As long as nothing else happens: the core's count of that.
    pub epoch: u64,
    /// Its map is looked at again then,
    pub look_at: Instant,
    /// and so long after that.
    pub look_every: Duration,
    /// A check that left nothing behind: the next is asked the same.
    pub routine: Option<Routine>,
}

impl Health {
    /// Does a check wait for a device that its transport has blocked?
    pub const fn waits_for_transport(&self) -> bool {
        self.blocked && (self.inflight.is_some() || self.stuck.is_some())
    }

    /// Of a path that is to be checked anew. What a check under way will say counts no more; it goes
    /// on holding the path's slot.
    #[must_use]
    pub fn anew(&self, interval: Duration) -> Self {
        let stuck = self.inflight.or(self.stuck);
        Self {
            stuck,
            offline: self.offline,
            closed: self.closed,
            ..Self::new(self.checker, self.prioritizer, interval)
        }
    }

    /// What the device itself has told of who it is holds no more.
    pub fn forget_pages(&mut self) {
        (self.unread_pages, self.vendor_page) = (UnreadPages::default(), VendorPage::default());
    }

    /// Of a path never checked.
    pub fn new(checker: Checker, prioritizer: Prioritizer, interval: Duration) -> Self {
        Self {
            checker,
            prioritizer,
            asked_all: false,
            detected: None,
            alike: None,
            unread_pages: UnreadPages::default(),
            vendor_page: VendorPage::default(),
            memory: check::Memory::default(),
            prio_memory: prio::Memory::default(),
            round: Round::default(),
            state: CheckState::Unchecked,
            message: "",
            priority: Priority::UNDEF,
            priority_complained: false,
            offline: false,
            closed: false,
            tries: 0,
            inflight: None,
            blocked: false,
            outdated: false,
            stuck: None,
            interval,
            next_check: Instant::from_micros(0),
            standby: false,
            held_down: false,
            calm: None,
        }
    }
}

/// What has happened to a path.
#[derive(Debug, Clone, Default)]
pub struct PathStats {
    /// Times it went from usable to failed.
    pub failures: u64,
    /// Checks answered.
    pub checks: u64,
}

impl Path {
    /// A disk that came just now.
    pub fn new(id: PathId, name: PathName) -> Self {
        Self {
            id,
            name,
            facts: None,
            settings: None,
            considered: Vec::new(),
            let_in: false,
            resizing: Resizing::No,
            standing: Standing::New,
            health: Health::new(Checker::Tur, Prioritizer::Const, Duration::from_secs(5)),
            stats: PathStats { failures: 0, checks: 0 },
            probe: None,
            probe_again: Again::No,
            told_size: None,
            taken_over: false,
            refused: None,
            retriggers: 0,
            udev: Udev::Awaited,
            purge: Purge::default(),
            recheck: Recheck::default(),
            doubted: false,
            unexplained: false,
            rescanning: false,
            designated: None,
            named_alike: false,
            contest: Contest::default(),
            taken_out_of: None,
            nameless: None,
            steadiness: Steadiness::default(),
            tuning: Tuning::default(),
            rules: Rules::default(),
        }
    }

    /// Its map.
    pub const fn map(&self) -> Option<MapId> {
        match self.standing {
            Standing::Member { map, .. } => Some(map),
            _ => None,
        }
    }

    /// Its WWID, as far as it is known and holds.
    pub const fn wwid(&self) -> Option<&Wwid> {
        match &self.standing {
            Standing::Member { wwid, .. } | Standing::Waiting { wwid } => Some(wwid),
            _ => None,
        }
    }

    /// It takes part in asymmetric access, and the page that says by which port group has not come.
    pub fn has_yet_to_tell_group(&self) -> bool {
        let awaited = |facts| self.health.unread_pages.may_tell_port_group(facts);
        self.facts.as_ref().is_some_and(|facts| facts.tpgs > 0 && awaited(facts))
    }

    /// Is its priority detected to be that of ALUA, and not known by the kernel?
    pub fn is_asked_for_alua(&self) -> bool {
        let (Some(facts), Some(settings)) = (&self.facts, &self.settings) else { return false };
        let health = &self.health;
        let alike = health.alike == Some(Alua::of(facts, settings));
        let of_kernel = detect::is_told_by_kernel(facts, health.detected.unwrap_or_default());
        settings.detect_prio && facts.has_alua() && !alike && !of_kernel
    }

    /// Its target port group, where it is known.
    pub fn port_group(&self) -> Option<u16> {
        self.facts.as_ref().and_then(|facts| facts.tpg)
    }

    /// Is its serial number known?
    pub fn has_told_serial(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| !facts.serial.is_empty())
    }

    /// The WWID that it shows, whether it is taken for that or not.
    pub const fn shown_wwid(&self) -> Option<&Wwid> {
        match &self.standing {
            Standing::Excluded(Exclusion::Contradicts { wwid, .. }) => Some(wwid),
            _ => self.wwid(),
        }
    }

    /// Its device number; 0:0 before its first probe.
    pub fn devt(&self) -> DevT {
        self.facts.as_ref().map_or_else(DevT::default, |f| f.devt)
    }

    /// May the kernel be told to use it?
    pub const fn is_usable(&self) -> bool {
        self.health.state.is_usable()
    }

    /// May it be another LUN by now?
    pub const fn is_doubtful(&self) -> bool {
        (self.doubted || self.unexplained) && !self.is_usable()
    }

    /// Is it one that no operator's word makes usable before it has been looked at? That is done to SCSI disks.
    pub fn is_to_be_looked_at(&self) -> bool {
        self.is_doubtful() && (self.unexplained || Bus::of(self.name.as_str()) == Bus::Scsi)
    }

    /// It may be another LUN, and will be asked: as long as the kernel has failed it, nobody makes it usable before.
    fn is_to_say_who_it_is(&self) -> bool {
        self.doubted && self.is_rescanned()
    }

    /// Is it well, and is it known to be who it was?
    pub fn may_be_used(&self) -> bool {
        self.is_usable() && !self.is_to_say_who_it_is()
    }

    /// Is the kernel to be told not to use it?
    pub const fn is_failed_or_held(&self) -> bool {
        self.health.state.is_failed() || matches!(self.health.state, CheckState::Delayed)
    }

    /// Does the kernel read it anew when it is told to?
    pub fn is_rescanned(&self) -> bool {
        self.device_id().protocol.starts_with("scsi:")
    }

    /// What `devices` entries are matched against.
    pub fn device_id(&self) -> DeviceId<'_> {
        self.facts.as_deref().map_or(UNKNOWN_DEVICE, device_id)
    }

    /// What its settings are resolved by, before its WWID is known.
    pub fn config_id(&self) -> config::PathId<'_> {
        config::PathId { device: self.device_id(), devnode: Some(self.name.as_str()), wwid: None }
    }

    /// Where it stands among its like: SCSI address, then device number.
    pub fn order(&self) -> (Hctl, DevT) {
        const LAST: u32 = u32::MAX;
        let none = Hctl { host: LAST, channel: LAST, target: LAST, lun: u64::MAX };
        (self.facts.as_ref().and_then(|f| f.hctl).unwrap_or(none), self.devt())
    }
}

/// A device that nothing is known of.
pub const UNKNOWN_DEVICE: DeviceId<'_> = DeviceId { vendor: b"", product: b"", revision: b"", protocol: "" };

/// What `devices` entries are matched against.
pub const fn device_id(facts: &Facts) -> DeviceId<'_> {
    DeviceId {
        vendor: facts.vendor.as_bytes(),
        product: facts.product.as_bytes(),
        revision: facts.revision.as_bytes(),
        protocol: facts.protocol.as_str(),
    }
}
