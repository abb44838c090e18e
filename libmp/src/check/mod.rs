//! Raw answers of a device → the state of its path. One file per checker; none of them does I/O.

mod directio;
mod readsector0;
pub mod sense;
pub mod sysfs;
mod tur;

use ::core::fmt;
use ::core::time::Duration;
use alloc::string::String;
use alloc::vec::Vec;

pub use self::sysfs::is_offline;
use crate::config::settings::Checker;
use crate::identify::Facts;
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

/// The I/O that a checker judges.
pub const fn io_for(checker: Checker) -> CheckIo {
    match checker {
        Checker::Tur => CheckIo::TestUnitReady,
        Checker::DirectIo => CheckIo::DirectRead,
        Checker::ReadSector0 => CheckIo::ReadSector0,
        Checker::None => CheckIo::SysfsState,
    }
}

/// The checker that fits a device that was asked (`detect_checker`): `tur` where it takes part in
/// asymmetric access, as a read would fail on a healthy standby path. `None`: the configured one.
pub const fn detect(facts: &Facts) -> Option<Checker> {
    if facts.has_alua() { Some(Checker::Tur) } else { None }
}

/// How often a check whose answer is [`Judged::retry`] is tried in all before its state is believed.
pub const TRIES: u32 = 5;

/// What a checker makes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The path's state. [`CheckState::Pending`]: the answer says nothing, the last state stays.
    pub state: CheckState,
    /// Why, for the log, after "NAME checker reports ".
    pub message: &'static str,
    /// The answer is of a kind that the next one may well contradict (a unit attention, a transport
    /// that hiccups): the check should be tried again at once, [`TRIES`] times in all, before the
    /// path is failed for it.
    pub retry: bool,
}

impl Judged {
    const UP: Self = Self::new(CheckState::Up, "path is up");
    const DOWN: Self = Self::new(CheckState::Down, "path is down");

    /// A verdict that is believed as it is.
    pub const fn new(state: CheckState, message: &'static str) -> Self {
        Self { state, message, retry: false }
    }

    const fn retried(self) -> Self {
        Self { retry: true, ..self }
    }
}

/// One answer → the state of the path.
///
/// The kernel's own state of the device comes first: a device that does not run is down (or, blocked,
/// pending) whatever its I/O says.
pub fn judge(checker: Checker, raw: &RawCheck) -> Judged {
    if let Some(judged) = sysfs::judge(raw.sysfs_state.as_deref()) {
        return judged;
    }
    match (checker, &raw.io) {
        (Checker::None, _) => Judged::UP,
        (_, RawIo::None) => Judged::new(CheckState::Pending, "no answer yet"),
        (_, RawIo::Failed(errno)) => failed(*errno),
        (Checker::Tur, RawIo::Scsi(reply)) => tur::judge(reply),
        (Checker::ReadSector0, RawIo::Scsi(reply)) => readsector0::judge(reply),
        (Checker::DirectIo, RawIo::Read(read)) => directio::judge(*read),
        (Checker::Tur | Checker::ReadSector0, RawIo::Read(_)) | (Checker::DirectIo, RawIo::Scsi(_)) => {
            Judged::new(CheckState::Wild, "an answer to another question")
        }
    }
}

/// The I/O, or the opening of the device, failed with this errno. Where this host itself was short
/// of something, that says nothing of the path.
fn failed(errno: Errno) -> Judged {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOTTY: i32 = 25;
    match errno.0 {
        ENOMEM | ENFILE | EMFILE => Judged::new(CheckState::Pending, "this host is short of memory or files"),
        ENOTTY => Judged::new(CheckState::Wild, "the checker doesn't support this device"),
        _ => Judged::DOWN,
    }
}

/// The kernel could not bring a SCSI command to the device and back. What it says of a link that is
/// known to be gone, or after it has waited for the whole time, is final; the rest may be a hiccup.
const fn transport(host: u16) -> Judged {
    use sense::host::{ABORT, BAD_TARGET, NO_CONNECT, TIME_OUT, TRANSPORT_FAILFAST};
    match host {
        TIME_OUT => Judged::new(CheckState::Timeout, "no answer in time"),
        NO_CONNECT | BAD_TARGET | ABORT | TRANSPORT_FAILFAST => Judged::DOWN,
        _ => Judged::DOWN.retried(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(sysfs_state: Option<&str>, io: RawIo) -> RawCheck {
        RawCheck { sysfs_state: sysfs_state.map(Into::into), io, prio: None }
    }

    #[test]
    fn the_kernels_state_comes_first() {
        let good = RawIo::Scsi(ScsiReply::default());
        for (state, expected) in [
            (Some("running"), CheckState::Up),
            (None, CheckState::Up),
            (Some("offline"), CheckState::Down),
            (Some("blocked"), CheckState::Pending),
        ] {
            assert_eq!(judge(Checker::Tur, &raw(state, good.clone())).state, expected, "{state:?}");
            assert_eq!(judge(Checker::None, &raw(state, RawIo::None)).state, expected, "{state:?}");
        }
    }

    #[test]
    fn each_checker_judges_its_own_io() {
        use CheckState::*;
        let scsi = || RawIo::Scsi(ScsiReply::default());
        for (checker, io, state) in [
            (Checker::Tur, scsi(), Up),
            (Checker::ReadSector0, scsi(), Up),
            (Checker::DirectIo, RawIo::Read(Ok(512)), Up),
            (Checker::DirectIo, scsi(), Wild),
            (Checker::Tur, RawIo::Read(Ok(512)), Wild),
            (Checker::None, RawIo::Failed(Errno::EIO), Up),
            (Checker::Tur, RawIo::None, Pending),
            (Checker::Tur, RawIo::Failed(Errno::ENXIO), Down),
            (Checker::Tur, RawIo::Failed(Errno(25)), Wild),
            (Checker::DirectIo, RawIo::Failed(Errno(24)), Pending),
        ] {
            assert_eq!(judge(checker, &raw(Some("running"), io.clone())).state, state, "{checker:?} {io:?}");
        }
        for checker in [Checker::Tur, Checker::DirectIo, Checker::ReadSector0] {
            assert_ne!(io_for(checker), CheckIo::SysfsState);
        }
        assert_eq!(io_for(Checker::None), CheckIo::SysfsState);
    }
}
