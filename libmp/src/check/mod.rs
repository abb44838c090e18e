//! Raw answers of a device → the state of its path. One file per checker; none of them does I/O.

pub mod ask;
#[cfg(test)]
mod captured;
pub(crate) mod clariion;
pub mod command;
pub mod detect;
mod directio;
mod hp_sw;
#[cfg(test)]
pub(crate) mod mutated;
pub mod pages;
pub(crate) mod rdac;
mod readsector0;
pub mod sense;
pub mod sysfs;
mod tur;
pub mod vendor_page;

use ::core::fmt;
use ::core::time::Duration;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use self::ask::{Answer, Answers, Ask, Step, Unanswered, Wanted};
pub use self::sysfs::is_offline;
use crate::config::settings::Checker;
use crate::identify::Facts;
use crate::told::Told;
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

/// What came back from a [`CheckRequest`], unjudged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawCheck {
    /// `device/state` in sysfs, read before the device was asked: `running`, `offline`, `blocked`,
    /// `transport-offline`, …; `None` where it could not be read.
    pub sysfs_state: Option<String>,
    /// An answer to each question, in their order.
    pub answers: Vec<Answer>,
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

/// What the core wants to know of a path in one request: for its state, its priority, or both.
/// Nothing is in it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRequest {
    /// The questions, which don't depend on each other. None: only the state in sysfs is read.
    pub asks: Arc<[Ask]>,
    /// How long the kernel may take for a command. The core has its own timer.
    pub timeout: Duration,
    /// What the answer mostly is, if that is known: then it need not be told.
    pub usual: Option<Arc<RawCheck>>,
}

/// What came back from a [`CheckRequest`].
pub type Answered = Told<RawCheck>;

impl CheckRequest {
    /// Tells the answer.
    pub fn answered(&self, raw: RawCheck) -> Answered {
        Told::beside(self.usual.as_ref(), raw)
    }
}

/// What a checker remembers of a path from one check to the next, as long as it is the same LUN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// `rdac`: TASK ABORTED status was asked for.
    pub aborted_status_asked: bool,
    /// `emc_clariion`: WWN of the LUN as its first page had it.
    pub wwn: Option<[u8; 16]>,
    /// `emc_clariion`: the LUN is a snapshot that is not active. All paths of a map share it.
    pub inactive_snapshot: bool,
}

/// How often a check whose answer is [`Judged::retry`] is tried in all before its state is believed.
pub const TRIES: u32 = 5;

/// What a checker makes of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The path's state. [`CheckState::Pending`]: the answer says nothing, the last state stays.
    pub state: CheckState,
    /// Why. A checker's words begin with a blank or a colon and come after `NAME checker`; others
    /// stand for themselves.
    pub message: &'static str,
    /// The answer is of a kind that the next one may well contradict (a unit attention, a transport
    /// that hiccups): the check should be tried again at once, [`TRIES`] times in all, before the
    /// path is failed for it.
    pub retry: bool,
}

impl Judged {
    const UP: Self = Self::new(CheckState::Up, " reports path is up");
    const DOWN: Self = Self::new(CheckState::Down, " reports path is down");
    const GHOST: Self = Self::new(CheckState::Ghost, " reports path is ghost");
    const UNSUPPORTED: Self = Self::new(CheckState::Wild, " doesn't support this device");
    const DISCONNECTED: Self = Self::new(CheckState::Disconnected, " no access to this device");
    /// The device did not answer in its time.
    pub const TIMED_OUT: Self = Self::new(CheckState::Timeout, " timed out");

    /// A verdict that is believed as it is.
    pub const fn new(state: CheckState, message: &'static str) -> Self {
        Self { state, message, retry: false }
    }

    const fn retried(self) -> Self {
        Self { retry: true, ..self }
    }
}

impl From<Unanswered> for Judged {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::NotAsked => Self::new(CheckState::Pending, " still running"),
            Unanswered::Failed(errno) => failed(errno),
        }
    }
}

/// The answers so far → the state of the path, or what else must be asked.
///
/// The kernel's own state of the device comes first: a device that does not run is down (or, blocked,
/// pending) whatever it answers.
pub fn step(
    checker: Checker,
    facts: &Facts,
    memory: &mut Memory,
    sysfs_state: Option<&str>,
    answers: &Answers,
) -> Step<Judged> {
    if let Some(judged) = sysfs::judge(sysfs_state) {
        return Ok(judged);
    }
    match checker {
        Checker::None => Ok(Judged::UP),
        Checker::Tur | Checker::CcissTur => tur::step(answers),
        Checker::ReadSector0 => readsector0::step(facts.block_size, answers),
        Checker::DirectIo => directio::step(answers),
        Checker::Rdac => rdac::step(memory, answers),
        Checker::EmcClariion => clariion::step(facts.block_size, memory, answers),
        Checker::HpSw => hp_sw::step(answers),
    }
}

/// The I/O, or the opening of the device, failed with this errno. Where this host itself was short
/// of something, that says nothing of the path.
fn failed(errno: Errno) -> Judged {
    match errno {
        _ if errno == Errno::EAGAIN || errno.is_shortage() => {
            Judged::new(CheckState::Pending, "this host is short of memory or files")
        }
        Errno::ENOTTY => Judged::UNSUPPORTED,
        _ => Judged::DOWN,
    }
}

/// The kernel could not bring a SCSI command to the device and back. What it says of a link that is
/// known to be gone, or after it has waited for the whole time, is final; the rest may be a hiccup.
const fn transport(host: u16) -> Judged {
    use sense::host::{ABORT, BAD_TARGET, NO_CONNECT, TIME_OUT, TRANSPORT_FAILFAST};
    match host {
        TIME_OUT => Judged::TIMED_OUT,
        NO_CONNECT | BAD_TARGET | ABORT | TRANSPORT_FAILFAST => Judged::DOWN,
        _ => Judged::DOWN.retried(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::{RawProbe, identify};

    fn judge(checker: Checker, sysfs_state: Option<&str>, answer: Option<&Answer>) -> Step<Judged> {
        let facts = identify(&"sda".into(), &RawProbe::default());
        let mut answers = Answers::default();
        for _ in 0..4 {
            let judged = step(checker, &facts, &mut Memory::default(), sysfs_state, &answers);
            let (Err(wanted), Some(answer)) = (&judged, answer) else { return judged };
            answers.put(&wanted.0, &[answer.clone(), answer.clone()]);
        }
        panic!("{checker:?} asks without end")
    }

    const EVERY_STATE: [(Option<&str>, CheckState); 4] = [
        (Some("running"), CheckState::Up),
        (None, CheckState::Up),
        (Some("offline"), CheckState::Down),
        (Some("blocked"), CheckState::Pending),
    ];

    #[test]
    fn the_kernels_state_comes_first() {
        let good = Answer::Scsi(ScsiReply::default());
        for (state, expected) in EVERY_STATE {
            let judged = judge(Checker::Tur, state, Some(&good)).unwrap();
            assert_eq!(judged.state, expected, "{state:?}");
            assert_eq!(judge(Checker::None, state, None).unwrap().state, expected, "{state:?}");
        }
    }

    #[test]
    fn each_checker_judges_its_own_answer() {
        use CheckState::*;
        let scsi = || Answer::Scsi(ScsiReply::default());
        for (checker, answer, state) in [
            (Checker::Tur, scsi(), Up),
            (Checker::CcissTur, scsi(), Up),
            (Checker::HpSw, scsi(), Up),
            (Checker::ReadSector0, scsi(), Up),
            (Checker::DirectIo, Answer::Read(512), Up),
            (Checker::DirectIo, scsi(), Pending),
            (Checker::Tur, Answer::Read(512), Pending),
            (Checker::Tur, Answer::NotAsked, Pending),
            (Checker::Tur, Answer::Failed(Errno::ENXIO), Down),
            (Checker::Rdac, Answer::Failed(Errno::EIO), Down),
            (Checker::EmcClariion, Answer::Failed(Errno::EIO), Down),
            (Checker::HpSw, Answer::Failed(Errno(25)), Wild),
            (Checker::Tur, Answer::Failed(Errno(25)), Wild),
            (Checker::DirectIo, Answer::Failed(Errno(24)), Pending),
            (Checker::DirectIo, Answer::Failed(Errno(11)), Pending),
        ] {
            let judged = judge(checker, Some("running"), Some(&answer)).unwrap();
            assert_eq!(judged.state, state, "{checker:?} {answer:?}");
        }
        for checker in Checker::ALL {
            assert_eq!(judge(checker, None, None).is_err(), checker != Checker::None, "{checker:?}");
        }
    }
}
