//! What `show` reads: a picture of the core's memory, typed, without any I/O to be done. What is known of a path is shared, not copied.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::check::CheckState;
use crate::config::settings::{Failback, NoPathRetry};
pub use crate::dm::status::DmGroupState;
use crate::identify::Facts;
use crate::native::Namespace;
use crate::types::{DevT, MapName, PathName, Priority, Wwid};

/// State of a path in its map, as the kernel has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DmPathState {
    /// In no live table.
    Undef,
    /// The kernel uses it.
    Active,
    /// The kernel has failed it.
    Failed,
}

impl DmPathState {
    /// The word in `%t`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undef => "undef",
            Self::Active => "active",
            Self::Failed => "failed",
        }
    }
}

/// How far a path has been identified (`%I`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InitState {
    /// New.
    New,
    /// Could not be identified.
    Failed,
    /// udev has not told its WWID yet.
    MissingUdev,
    /// udev was asked again.
    RequestedUdev,
    /// Identified.
    Ok,
}

impl InitState {
    /// The word in `%I`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Failed => "failed",
            Self::MissingUdev => "udev-missing",
            Self::RequestedUdev => "udev-requested",
            Self::Ok => "ok",
        }
    }
}

/// What the daemon last did to a map (`create: mpatha …`, `%A`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MapAction {
    /// Nothing.
    None,
    /// Made it.
    Create,
    /// Loaded another table.
    Reload,
    /// Renamed it.
    Rename,
    /// Switched its group.
    SwitchPg,
    /// Resized it.
    Resize,
}

impl MapAction {
    /// The word before the colon; empty for none.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Create => "create",
            Self::Reload => "reload",
            Self::Rename => "rename",
            Self::SwitchPg => "switchpg",
            Self::Resize => "resize",
        }
    }
}

/// A path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathView {
    /// What the device says of itself, and the kernel of it.
    pub facts: Arc<Facts>,
    /// WWID, empty while unknown.
    pub wwid: Wwid,
    /// State in the kernel's table.
    pub dm_state: DmPathState,
    /// Does sysfs say that the device is offline (`%o`: `offline`, else `running`)?
    pub offline: bool,
    /// What the checker says.
    pub check_state: CheckState,
    /// Name of the checker; `None` before one is chosen.
    pub checker: Option<&'static str>,
    /// Whole seconds until the next check, and the interval, for `%C`.
    /// `None` for a path that is not checked (`orphan`).
    pub next_check: Option<(u64, u64)>,
    /// Priority.
    pub priority: Priority,
    /// Is it marginal?
    pub marginal: bool,
    /// Its map; `None` prints as `[orphan]`.
    pub map: Option<MapName>,
    /// How far it is identified.
    pub init: InitState,
    /// How often it failed.
    pub failures: u64,
    /// Vendor page data (`%g`).
    pub vpd_data: Option<Box<str>>,
}

impl PathView {
    /// Kernel name.
    pub fn name(&self) -> &PathName {
        &self.facts.name
    }

    /// What is shown of its checker's word: none where it is in no map, as nobody uses it whatever that is.
    pub const fn shown_state(&self) -> CheckState {
        if self.map.is_some() { self.check_state } else { CheckState::Unchecked }
    }
}

/// A path group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// Path selector and its arguments (`service-time 0`).
    pub selector: String,
    /// Priority: the mean of its usable paths.
    pub priority: Priority,
    /// State in the kernel.
    pub dm_state: DmGroupState,
    /// Is it made of marginal paths?
    pub marginal: bool,
    /// Its paths, in the table's order.
    pub paths: Vec<PathView>,
}

/// What `no_path_retry` is doing (`%Q`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queueing {
    /// `no_path_retry` as configured, paths are there: `off`, `on`, `5 chk`, `-`.
    Configured(NoPathRetry),
    /// No path; I/O is queued for so many seconds more.
    CountDown(u64),
    /// The time is over, or the operator switched it off.
    Off,
}

/// A map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapView {
    /// Alias, or WWID.
    pub name: MapName,
    /// WWID.
    pub wwid: Wwid,
    /// Number of its device (minor N is `dm-N`); `None` before it is created.
    pub devt: Option<DevT>,
    /// Size in 512-byte sectors.
    pub sectors: u64,
    /// Read-only? `None` while unknown (`undef`).
    pub read_only: Option<bool>,
    /// Of its first path.
    pub first: Option<Arc<Facts>>,
    /// Features as in the kernel's table (`1 queue_if_no_path`, `0`).
    pub features: String,
    /// Hardware handler (`1 alua`, `0`).
    pub handler: String,
    /// Is it suspended?
    pub suspended: bool,
    /// Failback.
    pub failback: Failback,
    /// Seconds until a deferred failback.
    pub failback_in_s: Option<u64>,
    /// Queueing.
    pub queueing: Queueing,
    /// The last thing done to it.
    pub action: MapAction,
    /// Paths that failed, ever (`%0`).
    pub path_faults: u64,
    /// Group switches (`%1`).
    pub switch_group: u64,
    /// Tables loaded (`%2`).
    pub map_loads: u64,
    /// Seconds spent queueing (`%3`).
    pub total_queue_time_s: u64,
    /// Times that queueing ran out (`%4`).
    pub queue_timeouts: u64,
    /// Losses of the last path (`%x`).
    pub failures: u64,
    /// Its groups.
    pub groups: Vec<GroupView>,
    /// Vendor page data (`%g`).
    pub vpd_data: Option<Box<str>>,
}

/// What the daemon itself is doing (`show daemon`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaemonState {
    /// Reading the configuration, finding paths.
    Configure,
    /// No check is under way.
    Idle,
    /// Checks are under way.
    Running,
    /// Stopping.
    Shutdown,
}

impl DaemonState {
    /// The word in `show daemon`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A block device that udev knows, for `show devices`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// Kernel name.
    pub name: PathName,
    /// Excluded by a `devnode` rule.
    pub blacklisted: bool,
    /// Is it a path that is checked?
    pub monitored: bool,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Process id of the daemon.
    pub pid: u32,
    /// What it is doing.
    pub daemon: DaemonState,
    /// Events wait to be handled (`busy`).
    pub busy: bool,
    /// A reconfigure waits.
    pub pending_reconfigure: bool,
    /// Paths by SCSI address, then name.
    pub paths: Vec<PathView>,
    /// Maps by device number.
    pub maps: Vec<MapView>,
    /// Block devices.
    pub devices: Vec<DeviceView>,
    /// What the kernel puts together by itself, where it is to be shown.
    pub native: Vec<Namespace>,
}
