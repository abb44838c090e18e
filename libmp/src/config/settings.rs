//! Resolved settings: what the configuration says of one path, one map, or the daemon.
//!
//! The core sees the configuration only through these types. Enums and numbers, no raw text, but
//! where the kernel itself takes text (features, selector, hardware handler).

use alloc::string::String;
use core::time::Duration;

use super::flaky::Flaky;
use crate::types::{MapName, Wwid};

/// How the WWID of a path is found (`uid_attribute`, `uid_attrs`, `getuid_callout`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UidSource {
    /// A property of udev (`ID_SERIAL`); where udev has none, sysfs.
    Udev(String),
    /// Page 0x83 (or 0x80) from sysfs, by the rules of `scsi_id --whitelisted`.
    ScsiId,
}

/// Which checker looks after a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Checker {
    /// TEST UNIT READY.
    Tur,
    /// O_DIRECT read of the first block.
    DirectIo,
    /// READ of sector 0 through SG_IO.
    ReadSector0,
    /// sysfs state only: always up while the device runs.
    None,
    /// Volume access control page of LSI/NetApp arrays.
    Rdac,
    /// Unit path report of CLARiiON, VNX and Unity.
    EmcClariion,
    /// INQUIRY and TEST UNIT READY of active/standby HP arrays.
    HpSw,
    /// TEST UNIT READY of Smart Array controllers.
    CcissTur,
}

impl Checker {
    /// Every checker.
    pub const ALL: [Self; 8] = [
        Self::Tur,
        Self::DirectIo,
        Self::ReadSector0,
        Self::None,
        Self::Rdac,
        Self::EmcClariion,
        Self::HpSw,
        Self::CcissTur,
    ];

    /// Name in multipath.conf and in `%c`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tur => "tur",
            Self::DirectIo => "directio",
            Self::ReadSector0 => "readsector0",
            Self::None => "none",
            Self::Rdac => "rdac",
            Self::EmcClariion => "emc_clariion",
            Self::HpSw => "hp_sw",
            Self::CcissTur => "cciss_tur",
        }
    }
}

/// Which prioritizer rates a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prioritizer {
    /// 1 for every path.
    Const,
    /// The hardware handler's view in sysfs.
    Sysfs,
    /// REPORT TARGET PORT GROUPS.
    Alua,
    /// Asymmetric namespace access of NVMe.
    Ana,
    /// Unit path report of CLARiiON and VNX.
    Emc,
    /// Volume access control page of LSI/NetApp arrays.
    Rdac,
    /// TEST UNIT READY of active/standby HP arrays.
    HpSw,
    /// Controller and LUN of Hitachi's modular arrays.
    Hds,
    /// Port of NetApp's filers.
    Ontap,
    /// Any, anew each time.
    Random,
    /// As `prio_args` say for what matches their patterns.
    WeightedPath,
    /// How long reads take.
    PathLatency,
    /// The storage server that `prio_args` prefer.
    Datacore,
    /// The portal that `prio_args` prefer.
    Iet,
}

impl Prioritizer {
    /// Every prioritizer.
    pub const ALL: [Self; 14] = [
        Self::Const,
        Self::Sysfs,
        Self::Alua,
        Self::Ana,
        Self::Emc,
        Self::Rdac,
        Self::HpSw,
        Self::Hds,
        Self::Ontap,
        Self::Random,
        Self::WeightedPath,
        Self::PathLatency,
        Self::Datacore,
        Self::Iet,
    ];

    /// Does it go by what the device reports of its port groups?
    pub const fn is_asymmetric_access(self) -> bool {
        matches!(self, Self::Sysfs | Self::Alua | Self::Ana)
    }

    /// Name in multipath.conf.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Const => "const",
            Self::Sysfs => "sysfs",
            Self::Alua => "alua",
            Self::Ana => "ana",
            Self::Emc => "emc",
            Self::Rdac => "rdac",
            Self::HpSw => "hp_sw",
            Self::Hds => "hds",
            Self::Ontap => "ontap",
            Self::Random => "random",
            Self::WeightedPath => "weightedpath",
            Self::PathLatency => "path_latency",
            Self::Datacore => "datacore",
            Self::Iet => "iet",
        }
    }
}

/// How paths are put into groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupingPolicy {
    /// One path a group.
    Failover,
    /// One group.
    Multibus,
    /// One group a serial number.
    BySerial,
    /// One group a priority.
    ByPrio,
    /// One group a target node name.
    ByNodeName,
    /// One group a target port group.
    ByTpg,
}

impl GroupingPolicy {
    /// Name in multipath.conf.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Multibus => "multibus",
            Self::BySerial => "group_by_serial",
            Self::ByPrio => "group_by_prio",
            Self::ByNodeName => "group_by_node_name",
            Self::ByTpg => "group_by_tpg",
        }
    }
}

/// When to go back to a better group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failback {
    /// Only when the operator says so.
    Manual,
    /// At once.
    Immediate,
    /// When the first path of the group comes back, if it was this node that left it.
    Followover,
    /// After so long.
    Deferred(Duration),
}

/// What happens to I/O when a map has no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoPathRetry {
    /// Not set: what `features` says stays.
    Undef,
    /// Fail at once.
    Fail,
    /// Queue until a path is back.
    Queue,
    /// Queue for so many polling intervals.
    Checks(u32),
}

/// `auto_resize`: what happens when every path of a map shows another size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoResize {
    /// Nothing; an operator has it resized.
    Never,
    /// A larger one is taken.
    GrowOnly,
    /// Any is taken.
    GrowShrink,
}

/// `max_fds`: how many files the daemon may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxFds {
    /// As many as the system gives one process.
    OfSystem,
    /// So many.
    Number(u64),
}

/// What becomes of queueing when the last path is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlushOnLastDel {
    /// Queueing stays.
    Never,
    /// Queueing ends if nobody has the map open.
    Unused,
    /// Queueing ends.
    Always,
}

/// Which disks become multipath devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FindMultipaths {
    /// Every disk that is not blacklisted.
    Greedy,
    /// Those with two paths, those known from the wwids file, those with a map.
    On,
    /// As `On`, and before the second path is seen udev is told to wait.
    Smart,
    /// Every disk that is not blacklisted; but `multipath -u` only says yes to known ones.
    Off,
    /// Only those known from the wwids file, or that have a map, or are in `multipaths`.
    Strict,
}

impl FindMultipaths {
    /// Name in multipath.conf.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::On => "on",
            Self::Smart => "smart",
            Self::Off => "off",
            Self::Strict => "strict",
        }
    }
}

/// Daemon-wide settings (section `defaults`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Globals {
    /// 0 nothing … 4 everything.
    pub verbosity: u8,
    /// Shortest time between two checks of a path.
    pub polling_interval: Duration,
    /// Longest time between two checks of a path; at least the shortest.
    pub max_polling_interval: Duration,
    /// Which disks become multipath devices.
    pub find_multipaths: FindMultipaths,
    /// Keep queueing when the daemon stops.
    pub queue_without_daemon: bool,
    /// A client may wait so long for a reply.
    pub uxsock_timeout: Duration,
    /// `log_checker_err once`: a path's repeated failure is said once.
    pub log_checker_err_once: bool,
    /// Paths on USB are taken too.
    pub allow_usb_devices: bool,
    /// `auto_resize`
    pub auto_resize: AutoResize,
    /// How often a path without a WWID makes udev look again.
    pub retrigger_tries: u32,
    /// Time between two of these.
    pub retrigger_delay: Duration,
    /// Limit of open files; `None`: no file sets it.
    pub max_fds: Option<MaxFds>,
    /// `marginal_pathgroups fpin`: the Fibre Channel fabric says which paths are marginal.
    pub fabric_notifications: bool,
    /// `enable_foreign`: what the kernel's own NVMe multipathing has is shown.
    pub shows_native_nvme: bool,
    /// How often the removal of a map in use is tried again.
    pub remove_retries: u32,
    /// What stands between a map's name and a partition's number, where that is said.
    pub partition_delimiter: Option<String>,
    /// Devices that stand on a path directly are moved over to its map.
    pub reassign_maps: bool,
}

/// Settings of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathSettings {
    /// Where its WWID comes from.
    pub uid: UidSource,
    /// Its checker, before detection.
    pub checker: Checker,
    /// The checker that its `devices` entries name, if they do: then its kind is known.
    pub device_checker: Option<Checker>,
    /// Ask the device which checker fits.
    pub detect_checker: bool,
    /// Give up a check after so long; `None`: `device/timeout` of sysfs, or 30 s.
    pub checker_timeout: Option<Duration>,
    /// Its prioritizer, before detection.
    pub prio: Prioritizer,
    /// Text for the prioritizer.
    pub prio_args: String,
    /// Ask the device which prioritizer fits.
    pub detect_prio: bool,
    /// Compare its WWID again when it comes back.
    pub recheck_wwid: bool,
    /// `vpd_vendor`: the vendor VPD page that `%g` shows (`hp3par`).
    pub vpd_vendor: Option<String>,
}

/// Settings of one map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapSettings {
    /// Name given in `multipaths`.
    pub alias: Option<MapName>,
    /// Names from the bindings file.
    pub user_friendly_names: bool,
    /// Their beginning.
    pub alias_prefix: String,
    /// How paths are put into groups.
    pub grouping: GroupingPolicy,
    /// Where the paths' priorities come from ALUA: `group_by_prio` in the place of `grouping`.
    pub detect_pgpolicy: bool,
    /// Then `group_by_tpg` in the place of `group_by_prio`.
    pub detect_pgpolicy_use_tpg: bool,
    /// Path selector and its arguments, as the kernel takes them (`service-time 0`).
    pub selector: String,
    /// Features as in multipath.conf (`0`, `1 queue_if_no_path`), before `no_path_retry`.
    pub features: String,
    /// Hardware handler as in multipath.conf (`0`, `1 alua`).
    pub hardware_handler: String,
    /// Is that configured, and not the default?
    pub hardware_handler_is_set: bool,
    /// When to go back to a better group.
    pub failback: Failback,
    /// What happens to I/O without a path.
    pub no_path_retry: NoPathRetry,
    /// What becomes of queueing when the last path is deleted.
    pub flush_on_last_del: FlushOnLastDel,
    /// A removal of a busy map is carried out at its last close.
    pub deferred_remove: bool,
    /// kpartx makes no partitions.
    pub skip_kpartx: bool,
    /// Access mode of the node.
    pub mode: Option<u32>,
    /// Owner of the node.
    pub uid: Option<u32>,
    /// Group of the node.
    pub gid: Option<u32>,
    /// How long a map of ghost paths waits for an active one; `None`: it doesn't.
    pub ghost_delay: Option<Duration>,
    /// Limit of a request's size on the paths; `None`: untouched.
    pub max_sectors_kb: Option<u64>,
    /// Disks of LUNs that the array has taken away are deleted.
    pub purge_disconnected: bool,
    /// What is done about paths that come and go.
    pub flaky: Flaky,
}

/// What a device says of itself, as the `devices` and `overrides` sections are matched against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceId<'a> {
    /// INQUIRY vendor, trimmed at its end.
    pub vendor: &'a [u8],
    /// INQUIRY product, trimmed at its end.
    pub product: &'a [u8],
    /// INQUIRY revision, trimmed at its end.
    pub revision: &'a [u8],
    /// `scsi:iscsi`, `scsi:fcp`, `nvme:tcp`, …
    pub protocol: &'a str,
}

/// Everything a blacklist rule can look at.
#[derive(Debug, Clone, Copy)]
pub struct BlacklistSubject<'a> {
    /// Kernel name (`sda`), `!` for `/` as in sysfs.
    pub devnode: &'a str,
    /// udev's properties; `None` before udev has seen it.
    pub properties: Option<&'a alloc::collections::BTreeMap<String, String>>,
    /// Vendor, product, revision, protocol, once identified.
    pub device: Option<DeviceId<'a>>,
    /// WWID, once known.
    pub wwid: Option<&'a Wwid>,
    /// The property that the WWID comes from (a missing one is not held against the path).
    pub uid_attribute: &'a str,
}

/// What the blacklist says, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlacklistVerdict {
    /// Nothing is against it.
    Allowed,
    /// A rule excludes it.
    Excluded(BlacklistReason),
}

/// Why a path is excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlacklistReason {
    /// `devnode`, `wwid`, `device`, `property`, `protocol`.
    pub kind: &'static str,
    /// The rule as written (`^sda$`, `EMC:LUNZ`), or `(no matching property)`.
    pub rule: String,
    /// `/etc/multipath.conf:12`, or `built-in`.
    pub origin: String,
}
