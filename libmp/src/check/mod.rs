//! Raw answers of a device → the state of its path. One file per checker; none of them does I/O.

use ::core::fmt;
use ::core::time::Duration;
use alloc::string::String;
use alloc::vec::Vec;

use crate::types::Errno;

/// What a checker says of a path.
///
/// ```text
///            first answer            later answers
/// Unchecked ─────────────► Up / Ghost ◄──────────► Down / Shaky / Timeout / Disconnected
///     │                        ▲  │                        ▲
///     └───── no answer yet ────┴──┴──► Pending ────────────┘
/// Removed: the device node is gone; only a new arrival leaves it.
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckState {
    /// Never checked since it came.
    Unchecked,
    /// Can't be checked in the way the checker wants (wild).
    Wild,
    /// Answers and serves I/O.
    Up,
    /// Does not serve I/O.
    Down,
    /// Answers, and reservations or errors make it doubtful.
    Shaky,
    /// Answers, the array serves I/O elsewhere (standby controller).
    Ghost,
    /// No answer yet, or the array is between two states.
    Pending,
    /// No answer within the checker's time.
    Timeout,
    /// The device is gone.
    Removed,
    /// Good, and held back for a while.
    Delayed,
    /// The array says that no LUN is mapped here.
    Disconnected,
}

impl CheckState {
    /// The word in `show paths` and `-ll` (`%T`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unchecked | Self::Wild => "undef",
            Self::Up => "ready",
            Self::Down => "faulty",
            Self::Shaky => "shaky",
            Self::Ghost => "ghost",
            Self::Pending => "i/o pending",
            Self::Timeout => "i/o timeout",
            Self::Removed => "removed",
            Self::Delayed => "delayed",
            Self::Disconnected => "disconnected",
        }
    }

    /// May the kernel be told to use it?
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Up | Self::Ghost)
    }

    /// Is it an answer that a path is failed upon?
    pub const fn is_failed(self) -> bool {
        matches!(self, Self::Down | Self::Shaky | Self::Timeout | Self::Removed | Self::Disconnected)
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The I/O a check needs; the adapter performs it and judges nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckIo {
    /// Only the state that sysfs shows (`device/state`).
    SysfsState,
    /// SCSI TEST UNIT READY (SPC-4 6.47).
    TestUnitReady,
    /// SCSI READ(6) or READ(10) of sector 0 through SG_IO: `readsector0`.
    ReadSector0,
    /// One block read with O_DIRECT at offset 0: `directio`.
    DirectRead,
}

/// What came back from a [`CheckIo`], unjudged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawCheck {
    /// `device/state` in sysfs, read before the I/O: `running`, `offline`, `blocked`,
    /// `transport-offline`, …; `None` where it could not be read.
    pub sysfs_state: Option<String>,
    /// The I/O itself.
    pub io: RawIo,
    /// What was asked for the priority, if it was (see [`crate::prio::PrioIo`]).
    pub prio: Option<crate::prio::RawPrio>,
}

/// The outcome of one I/O.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawIo {
    /// None was asked for, or none was tried as sysfs says that the device is not running.
    None,
    /// A read ended: bytes read, or its errno.
    Read(Result<usize, Errno>),
    /// A SCSI command ended.
    Scsi(ScsiReply),
    /// The device could not be opened, or the call itself failed.
    Failed(Errno),
}

/// The answer to a SCSI command, as SG_IO gives it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScsiReply {
    /// SAM status byte.
    pub status: u8,
    /// Host byte (`DID_*`).
    pub host_status: u16,
    /// Driver byte.
    pub driver_status: u16,
    /// Sense data, fixed or descriptor format (SPC-4 4.5), at most 255 bytes.
    pub sense: Vec<u8>,
    /// Data in.
    pub data: Vec<u8>,
}

/// What the core wants to know of a path in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRequest {
    /// The check.
    pub io: CheckIo,
    /// The priority, asked in the same request when it is due.
    pub prio: Option<crate::prio::PrioIo>,
    /// How long the kernel may take for a SCSI command. The core has its own timer.
    pub timeout: Duration,
}
