//! Operations on maps, as the core orders them and `multipathd/src/sys` performs them.
//!
//! An operation has no choices left in it. Every one is answered with the map as the kernel has it
//! afterwards, so that the core compares with what *is*, not with what it asked for.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::told::Told;
use crate::types::{DevT, MapName, PathName, Wwid};

/// UUID prefix of multipath maps in device-mapper.
pub const UUID_PREFIX: &str = "mpath-";

/// The step that has failed where the kernel does not give a map its name.
pub const RENAME: &str = "rename";

/// The step that has failed where a map was to be reloaded that somebody else has suspended since.
pub const SUSPENDED_SINCE: &str = "reload what somebody has suspended";

/// The device-mapper UUID of the map of this WWID.
pub fn uuid_of(wwid: &Wwid) -> String {
    alloc::format!("{UUID_PREFIX}{wwid}")
}

/// The WWID in a multipath map's UUID; `None` for other maps (`LVM-…`, `part1-mpath-…`).
pub fn wwid_of(uuid: &str) -> Option<Wwid> {
    uuid.strip_prefix(UUID_PREFIX).filter(|wwid| !wwid.is_empty()).map(Wwid::new)
}

/// kpartx's UUID of a partition (`part3-mpath-3600…`): its number, and the UUID of what it is a partition of; `None` for other devices.
pub fn partition_of(uuid: &str) -> Option<(&str, &str)> {
    let (number, whole) = uuid.strip_prefix("part")?.split_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some((number, whole))
}

/// What udev's rules are told with an operation (`DM_SUBSYSTEM_UDEV_FLAG0..2` and friends).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UdevFlags {
    /// FLAG0 (0x100): a reload that changes nothing for upper layers.
    pub reload: bool,
    /// FLAG1 (0x200): kpartx makes no partitions.
    pub skip_kpartx: bool,
    /// FLAG2 (0x400): no usable path at the moment.
    pub no_paths: bool,
}

/// Access rights of the node, where the configuration gives any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeAccess {
    /// Mode bits.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

/// A table to load: one multipath target over the whole device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Length in 512-byte sectors.
    pub sectors: u64,
    /// Parameters of the target, as `dm::table` writes them.
    pub params: String,
    /// Load it read-only.
    pub read_only: bool,
}

/// One operation on one map, which is found by its UUID: by the time an operation reaches the kernel a
/// name may be another map's, and a table or a message must not go to the wrong LUN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DmOp {
    /// Create, load, resume, wait (bounded) for udev. A map that can't be loaded is removed again.
    Create {
        /// Its name.
        name: MapName,
        /// Its table.
        load: Load,
        /// For udev.
        flags: UdevFlags,
        /// Rights of the node.
        access: NodeAccess,
        /// Disks of its LUN that are not in the table: where something else uses one, the map is not made (`EBUSY`, as the kernel
        /// says of those in the table).
        beside: Vec<PathName>,
    },
    /// Load a table into a map that exists, suspend (noflush unless `flush`), resume.
    /// A load that fails leaves the live table as it is, and the map running.
    Reload {
        /// Its new table.
        load: Load,
        /// For udev.
        flags: UdevFlags,
        /// Wait for outstanding I/O (needed where the size changes); else `noflush`.
        flush: bool,
        /// It is known to be suspended, and is to run. Where that is not so, one that is found suspended is left as it is.
        wake: bool,
    },
    /// Give it another name.
    Rename {
        /// Its name to be.
        to: MapName,
        /// For udev.
        flags: UdevFlags,
    },
    /// Give its partitions other names. All are tried; fails with the first that could not be renamed.
    RenamePartitions {
        /// By UUID.
        names: Vec<(String, MapName)>,
    },
    /// Remove it; with `deferred`, at its last close if it is in use.
    /// Its partition maps (`part*-mpath-…` on top of it) go first; where one of them is in use, nothing is removed.
    /// One that nobody uses holds back what is still to be written to the map, and that would wait: where it queues and
    /// has no path, it stops, and goes on if it could not be removed.
    Remove {
        /// Carried out at the last close.
        deferred: bool,
    },
    /// A removal that waits for the last close is taken back: that of its partitions, and its own last, so that one that was
    /// not taken back whole is seen.
    CancelRemove,
    /// Messages to the target, one after another, stopping at the first that fails:
    /// `fail_path 8:16`, `reinstate_path 8:16`, `switch_group 2`, `queue_if_no_path`, ….
    Message {
        /// The messages.
        messages: Vec<String>,
    },
    /// Suspend it (an operator's command).
    Suspend,
    /// Resume it.
    Resume {
        /// For udev.
        flags: UdevFlags,
    },
    /// Other devices of device-mapper that stand on one of these paths directly are moved over to the map: each
    /// gets its own table again, with the map's number in the place of the path's. One that can't be moved stays as it
    /// was. Fails where one could not be, after all have been tried.
    Reassign {
        /// Paths of the map.
        paths: Vec<DevT>,
    },
    /// Only read it.
    Query {
        /// As it is known: most are still so.
        known: Option<Arc<RawMap>>,
    },
}

impl DmOp {
    /// Only read it, whatever is known of it.
    pub const READ: Self = Self::Query { known: None };

    /// Tells how the map was read after it.
    pub fn seen(&self, raw: RawMap) -> Seen {
        let known = if let Self::Query { known } = self { known.as_ref() } else { None };
        Told::beside(known, raw)
    }

    /// The table that it loads, if it loads one.
    pub const fn load(&self) -> Option<&Load> {
        match self {
            Self::Create { load, .. } | Self::Reload { load, .. } => Some(load),
            _ => None,
        }
    }

    /// The name that it takes, if it takes one.
    pub const fn takes_name(&self) -> Option<&MapName> {
        match self {
            Self::Create { name, .. } | Self::Rename { to: name, .. } => Some(name),
            _ => None,
        }
    }
}

/// A map as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMap {
    /// Its name.
    pub name: MapName,
    /// Its UUID; empty where it has none.
    pub uuid: String,
    /// Its device number (minor N is `dm-N`).
    pub devt: DevT,
    /// Is it suspended?
    pub suspended: bool,
    /// Is it read-only?
    pub read_only: bool,
    /// How often it is open; each of its partitions has it open once.
    pub open_count: u32,
    /// How many of its partitions nobody has open.
    pub idle_partitions: u32,
    /// Its event counter.
    pub event_nr: u32,
    /// A removal waits for its last close.
    pub deferred_remove: bool,
    /// A table is loaded and not yet live.
    pub inactive_table: bool,
    /// Targets of the live table (`DM_TABLE_STATUS` with `STATUS_TABLE_FLAG`).
    pub targets: Vec<RawTarget>,
}

/// A map as it was read after an operation.
pub type Seen = Told<RawMap>;

/// One target of a live table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawTarget {
    /// First sector.
    pub start: u64,
    /// Length in 512-byte sectors.
    pub sectors: u64,
    /// Target type (`multipath`, `linear`).
    pub kind: String,
    /// Parameters as the kernel prints them.
    pub table: String,
    /// Status line as the kernel prints it.
    pub status: String,
}

/// One entry of the list of all maps, without its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapListEntry {
    /// Its name.
    pub name: MapName,
    /// Its UUID; empty where it has none.
    pub uuid: String,
    /// Its device number.
    pub devt: DevT,
    /// Its event counter.
    pub event_nr: u32,
}
