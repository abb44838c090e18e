//! A map: what is wanted of it, what the kernel has, what is under way.

use ::core::mem::take;
use ::core::time::Duration;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::settings::MapSettings;
use crate::core::event::DmFailure;
use crate::core::marks::Mark;
use crate::core::meanwhile::Meanwhile;
use crate::core::names::Listed;
use crate::core::partitions::Misnamed;
use crate::core::path::PathId;
use crate::core::queueing::Queue;
use crate::core::readiness::Readiness;
use crate::core::smaller::Smaller;
use crate::core::table::Id;
use crate::core::unidentified::Unidentified;
use crate::dm::op::{DmOp, RawMap};
use crate::dm::status::{DmGroupState, Status};
use crate::dm::table::Table;
use crate::identify::Facts;
use crate::show::view::MapAction;
use crate::types::{DevT, Instant, MapName, Token, Wwid};

/// Names one map of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapId(pub u32);

impl Id for MapId {
    fn number(self) -> u32 {
        self.0
    }
    fn of(number: u32) -> Self {
        Self(number)
    }
}

/// A LUN's map.
///
/// ```text
///          members come                       last member goes, unused
/// (none) ───────────────► wanted, not in kernel ─Create─► in kernel ─Remove─► (none)
///                                                  │ ▲
///                                     differs ─► one operation ─► read back
/// ```
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub struct Map {
    // What each look at a map at rest touches comes first in memory, too (see `core/path.rs`).
    /// When it was last read though nobody had spoken of it.
    pub looked_at: Option<Instant>,
    /// The text that this was read from, if a look has found it so and nothing was done to the map since: most
    /// looks find the same text.
    pub looked_like: Option<Arc<RawMap>>,
    /// WWID of its LUN.
    pub wwid: Wwid,
    /// Something changed in the kernel: read it again.
    pub requery: bool,
    /// Event counter and name that a list had while an answer was awaited, which may be older than the list.
    pub in_list: Option<(u32, MapName)>,
    /// It was to be planned while an operation was under way.
    pub unplanned: bool,
    /// It could not be read after a load of ours had ended, which may have left it suspended.
    pub left_unread: bool,
    /// Its paths.
    pub members: BTreeSet<PathId>,
    /// The operation under way.
    pub inflight: Option<Inflight>,
    /// Queueing without a path.
    pub queue: Queue,
    /// As the kernel has it; `None`: it is not there.
    pub observed: Option<Observed>,
    /// This map.
    pub id: MapId,
    /// The name it is to have.
    pub name: MapName,
    /// What is configured for it.
    pub settings: MapSettings,
    /// Devices of its table, as it was found, that are not known to be its paths.
    pub unidentified: Unidentified,
    /// Who the last one was that came: settings go by it when there is none left.
    pub last_member: Option<Arc<Facts>>,
    /// Operations on its table or name that failed in a row, and when to try again.
    pub backoff: Backoff,
    /// Messages that failed in a row: a table that can't be loaded must not keep a path from being
    /// failed, or a queue from ending.
    pub message_backoff: Backoff,
    /// The first checks of new members are awaited until then.
    pub hold_until: Option<Instant>,
    /// Somebody else is making it: it is left alone, and read again then.
    pub unfinished: Option<Instant>,
    /// A checker has found that its LUN is a snapshot that is not active (`emc_clariion`).
    pub inactive_snapshot: bool,
    /// Group switching.
    pub switch: Switch,
    /// Wishes of operators.
    pub orders: Orders,
    /// Why it could not be removed, when that was last ordered.
    pub not_removed: Option<DmFailure>,
    /// The last thing done to it.
    pub action: MapAction,
    /// What has happened to it.
    pub stats: MapStats,
    /// Paths whose priority is awaited, as that of another has changed.
    pub rerated: BTreeSet<PathId>,
    /// A table was refused: paths that are new in it are tried one by one.
    pub one_by_one: bool,
    /// Is the table read-only that was last loaded here, or found? What the kernel tells of the map is that it is so also where
    /// somebody has protected it (`blockdev --setro`), which no table takes back.
    pub table_read_only: Option<bool>,
    /// The kernel could not attach the handler that its array is known to need: it does without.
    pub handler_refused: bool,
    /// Paths that are being rescanned, until they have told their size.
    pub rescans: BTreeSet<PathId>,
    /// Those of them that the kernel could not read.
    pub unread: BTreeSet<PathId>,
    /// Paths that show less than it has.
    pub smaller: Smaller,
    /// It has the size that its paths show when its disks are known.
    pub size_due: bool,
    /// Number of usable paths that was last said.
    pub said_active: Option<usize>,
    /// The size of its LUN, larger than its own, that was last said.
    pub said_grown: Option<u64>,
    /// That it was taken over as it is was said.
    pub said_adopted: bool,
    /// The last name conflict that was said.
    pub said_conflict: Option<MapName>,
    /// Its partitions that are not called after it.
    pub misnamed: Misnamed,
    /// What udev's rules see where it could not be made.
    pub mark: Mark,
    /// What udev's rules were told of its use.
    pub readiness: Readiness,
    /// udev's rules have not called it ready, when all maps were listed.
    pub unready: bool,
    /// The wwids file has had its WWID since it is there: what an operator has taken out of it since stays out.
    pub remembered: bool,
    /// The names that it is found by.
    pub(super) listed: Listed,
}

/// What operators asked of a map, until it is done or taken back.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// Remove it.
    pub remove: bool,
    /// It was removed on purpose (an operator, another tool): don't make it again by yourself.
    pub stay_away: bool,
    /// Load the table even if it is the same.
    pub reload: bool,
    /// Take the size of its paths.
    pub resize: Option<Resize>,
    /// What stands on its paths directly is moved over to it.
    pub reassign: bool,
    /// An operator wants that.
    pub reassign_now: bool,
    /// Suspended by an operator: leave it so.
    pub suspended: bool,
    /// Suspend or resume it now.
    pub suspend_or_resume: Option<SuspendOrder>,
    /// Tell the kernel to use these paths, whatever their checkers say.
    pub reinstate: BTreeSet<DevT>,
    /// Switch to this group (from 1) now.
    pub switch_to: Option<u32>,
}

impl Orders {
    /// Those that this operation is to carry out. A table is loaded, and what stands on the paths is moved, for those who have asked
    /// before it begins: who asks for that later wants it once more. All others hold until the operation is done.
    #[must_use]
    pub fn begin(&mut self, op: &DmOp) -> Self {
        let mut begun = Self::default();
        match op {
            DmOp::Create { .. } | DmOp::Reload { .. } => {
                begun.reload = take(&mut self.reload);
                begun.resize = self.resize;
            }
            DmOp::Remove { .. } => begun.remove = self.remove,
            DmOp::Suspend => {
                begun.suspend_or_resume =
                    self.suspend_or_resume.filter(|order| *order == SuspendOrder::Suspend);
            }
            DmOp::Resume { .. } => {
                begun.suspend_or_resume =
                    self.suspend_or_resume.filter(|order| *order == SuspendOrder::Resume);
            }
            DmOp::Reassign { .. } => {
                (begun.reassign, begun.reassign_now) =
                    (take(&mut self.reassign), take(&mut self.reassign_now));
            }
            DmOp::Message { messages } => {
                let told = |message: &String| messages.contains(message);
                begun.switch_to = self.switch_to.filter(|group| told(&format!("switch_group {group}")));
                let reinstated = |devt: &&DevT| told(&format!("reinstate_path {devt}"));
                begun.reinstate = self.reinstate.iter().filter(reinstated).copied().collect();
            }
            DmOp::CancelRemove | DmOp::Query { .. } | DmOp::Rename { .. } | DmOp::RenamePartitions { .. } => {
            }
        }
        begun
    }

    /// An operation for these has failed, or they are done. What was ordered since stands.
    pub fn end(&mut self, begun: &Self) {
        self.remove &= !begun.remove;
        self.suspend_or_resume.take_if(|order| Some(*order) == begun.suspend_or_resume);
        self.switch_to.take_if(|group| Some(*group) == begun.switch_to);
        self.reinstate.retain(|devt| !begun.reinstate.contains(devt));
        // The others end where the size is taken, or is another.
        self.resize.take_if(|resize| *resize == Resize::Ordered && begun.resize == Some(Resize::Ordered));
    }

    /// Forgets all that messages, or something else, would carry out.
    pub fn give_up(&mut self, messages: bool) {
        if messages {
            self.switch_to = None;
            return self.reinstate.clear();
        }
        (self.remove, self.suspend_or_resume) = (false, None);
        (self.reload, self.reassign_now) = (false, false);
        self.resize.take_if(|resize| *resize == Resize::Ordered);
    }

    /// Is there one that somebody waits for?
    pub fn any(&self) -> bool {
        self.remove
            || self.suspend_or_resume.is_some()
            || self.reload
            || self.reassign_now
            || self.resize == Some(Resize::Ordered)
            || self.switch_to.is_some()
            || !self.reinstate.is_empty()
    }
}

/// Who has it take the size of its paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// `auto_resize grow_only`: it holds as long as that is more.
    Grow,
    /// The configuration, or what was found at the start: it holds until it is done.
    ByItself,
    /// An operator: it holds as long as he waits for it.
    Ordered,
}

impl Resize {
    /// Is a map of so many sectors to take this size?
    pub fn takes(self, size: u64, now: u64) -> bool {
        self != Self::Grow || size > now
    }
}

/// An operator's suspend or resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspendOrder {
    /// Suspend.
    Suspend,
    /// Resume.
    Resume,
}

/// Group switching.
#[derive(Debug, Clone, Default)]
pub struct Switch {
    /// A deferred failback has come due.
    pub due: bool,
    /// Not before then again: a kernel that keeps leaving a group is not pushed back all the time.
    pub not_before: Option<Instant>,
    /// The group (from 1) that I/O went to when that was last known, in this table.
    pub group: Option<u32>,
    /// That it is not the best group which I/O is in was said, or whoever has moved it knows.
    pub known: bool,
    /// When that was last said.
    pub said: Option<Instant>,
    /// A path has become marginal since I/O was last sent to a group.
    pub leaves: bool,
}

/// Failed operations in a row.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    /// That many.
    pub failures: u32,
    /// Nothing is tried before.
    pub until: Option<Instant>,
    /// How the last one failed.
    pub last: Option<DmFailure>,
}

impl Backoff {
    /// One more failure: 1 s, 2 s, 4 s, … from now, at most the longest.
    pub fn failed(&mut self, now: Instant, longest: Duration, how: &DmFailure) -> Instant {
        let wait = Duration::from_secs(1 << self.failures.min(6)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let until = now + wait;
        self.until = Some(until);
        self.last = Some(how.clone());
        until
    }

    /// Is nothing to be tried now?
    pub fn blocks(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    /// Whoever asks has it tried at once.
    pub fn at_once(&mut self) {
        self.until = None;
    }

    /// It went well.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// An operation under way.
#[derive(Debug, Clone)]
pub struct Inflight {
    /// Its token.
    pub token: Token,
    /// What it is.
    pub op: DmOp,
    /// Why.
    pub reason: &'static str,
    /// What for.
    pub purpose: Purpose,
    /// What operators wanted that it is to carry out: nothing else is done when it is.
    pub orders: Orders,
    /// It loads a table, and hangs: what is done meanwhile.
    pub meanwhile: Option<Box<Meanwhile>>,
}

/// What an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Something has happened.
    Change,
    /// Nobody has spoken of the map; it is looked whether somebody has done something to it.
    Look,
}

/// What has happened to a map.
#[derive(Debug, Clone, Default)]
pub struct MapStats {
    /// Paths that failed.
    pub path_faults: u64,
    /// Group switches.
    pub switch_group: u64,
    /// Tables loaded.
    pub map_loads: u64,
    /// Time spent queueing, up to the last time it ended.
    pub queue_time: Duration,
    /// Times that queueing ran out.
    pub queue_timeouts: u64,
    /// Losses of the last path.
    pub map_failures: u64,
}

/// A map as the kernel has it, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its name.
    pub name: MapName,
    /// Its device number.
    pub devt: DevT,
    /// Is it suspended?
    pub suspended: bool,
    /// Is it read-only?
    pub read_only: bool,
    /// How often it is open.
    pub open_count: u32,
    /// How many of its partitions nobody has open.
    pub idle_partitions: u32,
    /// Its event counter.
    pub event_nr: u32,
    /// A removal waits for its last close.
    pub deferred_remove: bool,
    /// A table is loaded that is not live.
    pub inactive_table: bool,
    /// Its live table.
    pub live: Live,
}

/// A live table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// There is none: created and never loaded.
    Empty,
    /// One multipath target.
    Multipath {
        /// Length in 512-byte sectors.
        sectors: u64,
        /// Its parameters.
        table: Table,
        /// Its status.
        status: Status,
    },
    /// Something else, and what: not ours to touch.
    Foreign(String),
}

impl Observed {
    /// Reads what the kernel printed. Text that can't be read makes it foreign.
    pub fn parse(raw: &RawMap) -> Self {
        let live = match raw.targets.as_slice() {
            [] => Live::Empty,
            [only] if only.kind == "multipath" && only.start == 0 => {
                match (only.table.parse(), only.status.parse()) {
                    (Ok(table), Ok(status)) => Live::Multipath { sectors: only.sectors, table, status },
                    _ => Live::Foreign(alloc::format!("a multipath table of unknown form: {}", only.table)),
                }
            }
            targets => {
                let kinds: Vec<&str> = targets.iter().map(|t| t.kind.as_str()).collect();
                Live::Foreign(alloc::format!("targets: {}", kinds.join(" ")))
            }
        };
        Self {
            name: raw.name.clone(),
            devt: raw.devt,
            suspended: raw.suspended,
            read_only: raw.read_only,
            open_count: raw.open_count,
            idle_partitions: raw.idle_partitions,
            event_nr: raw.event_nr,
            deferred_remove: raw.deferred_remove,
            inactive_table: raw.inactive_table,
            live,
        }
    }

    /// Does anybody use it? A partition that nobody has open is no use of it.
    pub const fn is_in_use(&self) -> bool {
        self.open_count > self.idle_partitions
    }

    /// Is it nothing of ours but by its UUID?
    pub const fn is_foreign(&self) -> bool {
        matches!(self.live, Live::Foreign(_))
    }

    /// Its table, where it is one of ours.
    pub const fn table(&self) -> Option<&Table> {
        match &self.live {
            Live::Multipath { table, .. } => Some(table),
            _ => None,
        }
    }

    /// Its status, where it is one of ours.
    pub const fn status(&self) -> Option<&Status> {
        match &self.live {
            Live::Multipath { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Its size, where it has a table of ours.
    pub const fn sectors(&self) -> Option<u64> {
        match &self.live {
            Live::Multipath { sectors, .. } => Some(*sectors),
            _ => None,
        }
    }

    /// Does the kernel use this path? `None`: it is not in the table.
    pub fn path_active(&self, devt: DevT) -> Option<bool> {
        self.status()?.path(devt).map(|p| p.active)
    }

    /// How many paths the kernel uses.
    pub fn active_paths(&self) -> usize {
        self.status().map_or(0, |s| s.groups.iter().flat_map(|g| &g.paths).filter(|p| p.active).count())
    }

    /// Does I/O wait in it until a path comes?
    pub fn holds_io(&self) -> bool {
        !self.suspended && self.active_paths() == 0 && self.table().is_some_and(Table::queues)
    }

    /// The kernel was just told to use this path, or not to, and took it.
    pub fn set_active(&mut self, devt: DevT, active: bool) {
        if let Live::Multipath { status, .. } = &mut self.live {
            status
                .groups
                .iter_mut()
                .flat_map(|g| &mut g.paths)
                .filter(|p| p.devt == devt)
                .for_each(|p| p.active = active);
        }
    }

    /// Group (from 1) that the kernel uses or will use next; 0: it has none.
    pub fn current_group(&self) -> u32 {
        self.status().map_or(0, |s| s.next_group)
    }

    /// The group that I/O goes to, where the kernel says so: while it has yet to choose one, it names the first.
    pub fn group_in_use(&self) -> Option<u32> {
        Some(self.current_group()).filter(|group| *group > 1 || (*group == 1 && self.has_active_group()))
    }

    /// Has a group had I/O since it became the current one? Without, the kernel calls none active.
    pub fn has_active_group(&self) -> bool {
        self.status().is_some_and(|s| s.groups.iter().any(|g| g.state == DmGroupState::Active))
    }
}

impl Map {
    /// A map that nothing is known of yet.
    pub fn new(id: MapId, wwid: Wwid, name: MapName, settings: MapSettings) -> Self {
        Self {
            id,
            wwid,
            name,
            settings,
            members: BTreeSet::new(),
            unidentified: Unidentified::default(),
            last_member: None,
            observed: None,
            looked_like: None,
            inflight: None,
            requery: false,
            in_list: None,
            unplanned: false,
            left_unread: false,
            backoff: Backoff::default(),
            message_backoff: Backoff::default(),
            hold_until: None,
            unfinished: None,
            looked_at: None,
            inactive_snapshot: false,
            queue: Queue::default(),
            switch: Switch::default(),
            orders: Orders::default(),
            not_removed: None,
            action: MapAction::None,
            stats: MapStats::default(),
            rerated: BTreeSet::new(),
            one_by_one: false,
            table_read_only: None,
            handler_refused: false,
            rescans: BTreeSet::new(),
            unread: BTreeSet::new(),
            smaller: Smaller::default(),
            size_due: false,
            said_active: None,
            said_grown: None,
            said_adopted: false,
            said_conflict: None,
            misnamed: Misnamed::default(),
            mark: Mark::default(),
            readiness: Readiness::default(),
            unready: false,
            remembered: false,
            listed: Listed::default(),
        }
    }

    /// The name that the kernel knows it by, or is to know it by.
    pub fn kernel_name(&self) -> &MapName {
        self.observed.as_ref().map_or(&self.name, |o| &o.name)
    }

    /// Is its table read-only? `None` where it is not in the kernel.
    pub fn read_only(&self) -> Option<bool> {
        self.observed.as_ref().map(|observed| self.table_read_only.unwrap_or(observed.read_only))
    }
}
