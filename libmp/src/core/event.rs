//! What the core is told. Adapters turn bytes into these and decide nothing.

use ::core::fmt;
use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::check::Answered;
use crate::config::Config;
use crate::dm::op::{MapListEntry, RawMap, Seen};
use crate::fabric;
use crate::identify::RawProbe;
use crate::native::Namespace;
use crate::types::{Errno, Hctl, PathName, Token, Wwid};

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Answer to `LoadConfig`.
    Config {
        /// The effect's token.
        token: Token,
        /// What was read.
        loaded: Box<Loaded>,
    },
    /// Answer to `Survey`.
    Surveyed {
        /// The effect's token.
        token: Token,
        /// What was read.
        survey: Box<Survey>,
    },
    /// Answer to `Enumerate`.
    Enumerated {
        /// The effect's token.
        token: Token,
        /// What there is; an error where not all of it could be listed.
        found: Result<Box<Enumeration>, Errno>,
    },
    /// udev has processed a change of a block device.
    Uevent(Uevent),
    /// Messages of udev were lost: nothing is known for sure until everything is enumerated anew.
    UeventsLost,
    /// Answer to `Probe`.
    Probed {
        /// The effect's token.
        token: Token,
        /// What was read; an error where the device is gone.
        probe: Result<Box<RawProbe>, Errno>,
    },
    /// Answer to `Check`.
    Checked {
        /// The effect's token.
        token: Token,
        /// What was read.
        raw: Answered,
    },
    /// A check has begun and will take its time: the device does not run at the moment. Its answer
    /// is still to come.
    Checking {
        /// The effect's token.
        token: Token,
        /// `device/state`: `blocked`, `quiesce`.
        sysfs_state: String,
    },
    /// Answer to `Dm`.
    DmDone {
        /// The effect's token.
        token: Token,
        /// How it went.
        done: Box<DmDone>,
    },
    /// Some map's event counter moved, or maps came or went: all maps there are now.
    DmChanged(Vec<MapListEntry>),
    /// Answer to `SysfsWrite`.
    SysfsWritten {
        /// The effect's token.
        token: Token,
        /// How it went.
        result: Result<(), Errno>,
    },
    /// Answer to `ReadNative`.
    NativeRead {
        /// The effect's token.
        token: Token,
        /// What there is; nothing, if it could not be read.
        spaces: Option<Vec<Namespace>>,
    },
    /// Answer to `Save` and `Mark`.
    Saved {
        /// The effect's token.
        token: Token,
        /// How it went.
        result: Result<(), String>,
    },
    /// A client's command. It gets exactly one `Reply`.
    Request {
        /// Who waits for the reply.
        id: RequestId,
        /// Who asks.
        peer: Peer,
        /// The command, without its final NUL.
        command: String,
    },
    /// A Fibre Channel fabric told something of its ports.
    Fabric(fabric::Message),
    /// A disk has told something by itself.
    Attention {
        /// Its address.
        device: Hctl,
        /// What.
        told: Attention,
    },
    /// A signal.
    Signal(Signal),
    /// `next_deadline` has come (or not: a spurious one is a no-op).
    Tick,
}

impl Event {
    /// Does it come all the time, and mostly with nothing new?
    pub const fn is_routine(&self) -> bool {
        matches!(self, Self::Tick | Self::Checked { .. } | Self::DmDone { .. } | Self::NativeRead { .. })
    }
}

/// Names one request of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// The process at the other end of a connection, by its credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its id, where it has one here.
    pub pid: Option<u32>,
}

impl Peer {
    /// This process, on root's behalf.
    pub const SELF: Self = Self { uid: 0, pid: None };
}

/// What a `LoadConfig` reads.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration: what was good of the files.
    pub config: Arc<Config>,
    /// What was wrong with them, a rendered diagnostic each.
    pub diagnostics: Vec<String>,
    /// Those of them that are errors, a line each: with any, a running daemon keeps what it has.
    pub errors: Vec<String>,
    /// Those of them that are files which are there and can't be read: nobody knows what `config` lacks.
    pub unreadable: Vec<String>,
    /// Text of `/etc/multipath/bindings`; empty where there is none.
    pub bindings: String,
    /// New names may be given: that file is known, and may be written.
    pub may_bind: bool,
    /// Text of `/etc/multipath/wwids`; empty where there is none.
    pub wwids: String,
    /// Text of `/run/multipath/queueing`; empty where there is none.
    pub queueing: String,
}

impl Loaded {
    /// Where there are no files but those of this configuration, and nothing is wrong with them.
    pub fn of(config: Arc<Config>) -> Self {
        Self {
            config,
            diagnostics: Vec::new(),
            errors: Vec::new(),
            unreadable: Vec::new(),
            bindings: String::new(),
            may_bind: true,
            wwids: String::new(),
            queueing: String::new(),
        }
    }

    /// None of it could be read, and this is why: a running daemon keeps what it has, a start reads it again.
    pub fn unread(why: &str) -> Self {
        let why = vec![why.to_owned()];
        let nothing = Self::of(Arc::new(Config::load(&[]).0));
        Self { diagnostics: why.clone(), errors: why.clone(), unreadable: why, may_bind: false, ..nothing }
    }
}

/// What a `Survey` reads: the answers to all that a reconfigure would ask.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The files.
    pub loaded: Loaded,
    /// Disks and maps.
    pub found: Enumeration,
    /// What was read of each disk.
    pub probes: BTreeMap<PathName, Result<Box<RawProbe>, Errno>>,
}

/// What an `Enumerate` finds.
#[derive(Debug, Clone, Default)]
pub struct Enumeration {
    /// Kernel names of all block disks in sysfs (no partitions).
    pub disks: Vec<PathName>,
    /// All multipath maps (UUID `mpath-…`), read whole.
    pub maps: Vec<RawMap>,
    /// Those of them that udev's rules have not called ready (`MPATH_DEVICE_READY`), by their WWIDs.
    pub unready: BTreeSet<Wwid>,
    /// Other device-mapper devices, for names that are taken.
    pub others: Vec<MapListEntry>,
}

/// One udev event of a block device, after its rules have run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uevent {
    /// What happened.
    pub action: UeventAction,
    /// Kernel name.
    pub name: PathName,
    /// udev's properties (`DEVTYPE`, `MAJOR`, `ID_SERIAL`, …); of a device of device-mapper, `DM_NAME`, `DM_UUID` and
    /// `DM_ACTION` at least.
    pub properties: BTreeMap<String, String>,
    /// It tells of nothing but that a map was made, by an operation whose answer says how it is since.
    pub own: bool,
}

/// Actions of udev events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UeventAction {
    /// It came.
    Add,
    /// Something about it changed.
    Change,
    /// It went.
    Remove,
    /// Any other (`bind`, `move`, `offline`, …).
    Other,
}

/// What a SCSI device tells by itself, of all that the kernel passes on (`SDEV_UA` in drivers/scsi/scsi_lib.c; SPC-4 annex
/// F, additional sense codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attention {
    /// ASYMMETRIC ACCESS STATE CHANGED (2A/06).
    AccessStates,
    /// CAPACITY DATA HAS CHANGED (2A/09).
    Capacity,
    /// INQUIRY DATA HAS CHANGED (3F/03).
    Identity,
    /// REPORTED LUNS DATA HAS CHANGED (3F/0E): any LUN of that target may be another, and only one of them says so.
    Luns,
}

impl Attention {
    /// By the kernel's word for it.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ASYMMETRIC_ACCESS_STATE_CHANGED" => Self::AccessStates,
            "CAPACITY_DATA_HAS_CHANGED" => Self::Capacity,
            "INQUIRY_DATA_HAS_CHANGED" => Self::Identity,
            "REPORTED_LUNS_DATA_HAS_CHANGED" => Self::Luns,
            _ => return None,
        })
    }
}

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessStates => "access states have changed",
            Self::Capacity => "its size has changed",
            Self::Identity => "what it shows has changed",
            Self::Luns => "the LUNs of this target have changed",
        })
    }
}

/// How a device-mapper operation went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmDone {
    /// Success, or the step that failed (`load`, `resume`, `message fail_path 8:16`) and why.
    pub result: Result<(), DmFailure>,
    /// The map afterwards (of a rename: under its new name); `None` where there is none, an error
    /// where it could not be read: then nothing is known of it.
    pub map: Result<Option<Seen>, Errno>,
}

/// A step of a device-mapper operation that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmFailure {
    /// Which step.
    pub step: String,
    /// Why.
    pub errno: Errno,
    /// Who has the map or a partition of it open, or its name, where that is why (`vg-root`, `mounted on /mnt`).
    pub holders: Vec<String>,
}

impl DmFailure {
    /// A step that failed for no other reason than this.
    pub fn new(step: &str, errno: Errno) -> Self {
        Self { step: step.into(), errno, holders: Vec::new() }
    }
}

/// Signals that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// HUP: read the configuration anew.
    Reconfigure,
    /// TERM, INT: stop cleanly.
    Terminate,
}
