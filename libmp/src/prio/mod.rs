//! Raw answers of a device → the priority of its path. One file per prioritizer; none does I/O.

mod alua;
mod constant;
pub mod rtpg;
mod sysfs;

use alloc::string::String;

use crate::check::ScsiReply;
use crate::config::settings::Prioritizer;
use crate::identify::Facts;
use crate::types::{Errno, Priority};

/// What must be read for a priority; nothing for those that are computed from what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrioIo {
    /// SCSI REPORT TARGET PORT GROUPS (SPC-4 6.37), and INQUIRY VPD page 0x83 from sysfs.
    ReportTargetPortGroups,
    /// `device/access_state` and `device/preferred_path` in sysfs.
    SysfsAccessState,
}

/// What came back from a [`PrioIo`], unjudged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawPrio {
    /// The answer to REPORT TARGET PORT GROUPS.
    Rtpg(Result<ScsiReply, Errno>),
    /// The two sysfs attributes, trimmed; `None` where one can't be read.
    Sysfs {
        /// `active/optimized`, `active/non-optimized`, `standby`, …
        access_state: Option<String>,
        /// `0` or `1`.
        preferred_path: Option<String>,
    },
}

/// Why a path has no priority now. An unreadable priority keeps its last value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrioError {
    /// Nothing was read, or the answer is one to another question.
    #[error("nothing was read")]
    NotRead,
    /// The device could not be asked.
    #[error("it could not be asked: {0}")]
    Io(Errno),
    /// A unit attention, or not ready: the next try may well succeed (see [`TRIES`]).
    #[error("the device asks to try again")]
    Retry,
    /// The device, or the way to it, failed the command.
    #[error("the device did not answer the question")]
    Refused,
    /// The device does not know the command: it has no asymmetric access.
    #[error("the device doesn't support target port groups")]
    NotSupported,
    /// The path's own port group is not known (VPD page 0x83).
    #[error("its target port group is not known")]
    NoPortGroup,
    /// The answer ends before the path's port group comes.
    #[error("the answer is cut short")]
    Truncated,
    /// The answer is whole, and the path's port group is not in it.
    #[error("its target port group is not in the answer")]
    GroupNotListed,
    /// sysfs has no `access_state`: no hardware handler that knows it is attached.
    #[error("the kernel knows no access state of it")]
    NoAccessState,
}

/// How often a question answered with [`PrioError::Retry`] is tried in all.
pub const TRIES: u32 = 4;

/// What must be read for this prioritizer; `None` where nothing is.
pub const fn io_for(prio: Prioritizer) -> Option<PrioIo> {
    match prio {
        Prioritizer::Const => None,
        Prioritizer::Sysfs => Some(PrioIo::SysfsAccessState),
        Prioritizer::Alua => Some(PrioIo::ReportTargetPortGroups),
    }
}

/// The prioritizer that fits a device that was asked (`detect_prio`): the hardware handler's view where
/// the kernel has one, else the device's own answer. `None`: the configured one.
pub const fn detect(facts: &Facts) -> Option<Prioritizer> {
    match (facts.has_alua(), &facts.access_state) {
        (false, _) => None,
        (true, Some(_)) => Some(Prioritizer::Sysfs),
        (true, None) => Some(Prioritizer::Alua),
    }
}

/// One answer → the priority of the path. `args` are `prio_args`; what a prioritizer does not know of
/// them it ignores.
pub fn rate(
    prio: Prioritizer,
    args: &str,
    raw: Option<&RawPrio>,
    facts: &Facts,
) -> Result<Priority, PrioError> {
    match (prio, raw) {
        (Prioritizer::Const, _) => Ok(constant::PRIORITY),
        (Prioritizer::Sysfs, Some(RawPrio::Sysfs { access_state, preferred_path })) => {
            sysfs::rate(Preference::of(args), access_state.as_deref(), preferred_path.as_deref())
        }
        (Prioritizer::Alua, Some(RawPrio::Rtpg(reply))) => {
            alua::rate(Preference::of(args), reply.as_ref().map_err(|errno| *errno), facts.tpg)
        }
        (Prioritizer::Sysfs | Prioritizer::Alua, _) => Err(PrioError::NotRead),
    }
}

/// What the preferred bit adds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preference {
    /// Any state but optimized, which is the best without it.
    NotOptimized,
    /// Any state (`exclusive_pref_bit`): preferred paths get a group of their own.
    Exclusive,
}

impl Preference {
    fn of(args: &str) -> Self {
        let exclusive = args.split([' ', '\t']).any(|word| word == "exclusive_pref_bit");
        if exclusive { Self::Exclusive } else { Self::NotOptimized }
    }

    /// 80 more for a preferred path.
    fn weigh(self, state: AccessState, preferred: bool) -> Priority {
        let counts = preferred && (self == Self::Exclusive || state != AccessState::Optimized);
        Priority(state.priority() + if counts { 80 } else { 0 })
    }
}

/// Asymmetric access states (SPC-4 5.15.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessState {
    /// Active/optimized.
    Optimized,
    /// Active/non-optimized.
    NonOptimized,
    /// Optimized for some blocks only.
    LbaDependent,
    /// Standby.
    Standby,
    /// Unavailable, offline, in transition, or a reserved value.
    Unusable,
}

impl AccessState {
    /// Its priority without the preferred bit.
    const fn priority(self) -> i32 {
        match self {
            Self::Optimized => 50,
            Self::NonOptimized => 10,
            Self::LbaDependent => 5,
            Self::Standby => 1,
            Self::Unusable => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::{RawProbe, hex, identify};

    fn facts(tpgs: u8, tpg: Option<u16>, access_state: Option<&str>) -> Facts {
        Facts {
            tpgs,
            tpg,
            access_state: access_state.map(Into::into),
            ..identify(&"sda".into(), &RawProbe::default())
        }
    }

    #[test]
    fn detection() {
        for (tpgs, tpg, access_state, expected) in [
            (0, None, None, None),
            (0, Some(1), Some("standby"), None),
            (1, None, Some("standby"), None),
            (1, Some(1), None, Some(Prioritizer::Alua)),
            (3, Some(1), Some("standby"), Some(Prioritizer::Sysfs)),
        ] {
            let facts = facts(tpgs, tpg, access_state);
            assert_eq!(detect(&facts), expected);
            assert_eq!(crate::check::detect(&facts).is_some(), expected.is_some());
        }
    }

    #[test]
    fn each_prioritizer_rates_its_own_answer() {
        let facts = facts(1, Some(1), None);
        let rtpg = RawPrio::Rtpg(Ok(ScsiReply {
            data: hex("0000000c 80 0f 0001 00 02 00 01 00000001"),
            ..ScsiReply::default()
        }));
        let sysfs = RawPrio::Sysfs { access_state: Some("standby".into()), preferred_path: Some("1".into()) };
        for (prio, args, raw, expected) in [
            (Prioritizer::Const, "", None, Ok(1)),
            (Prioritizer::Const, "", Some(&sysfs), Ok(1)),
            (Prioritizer::Sysfs, "", Some(&sysfs), Ok(81)),
            (Prioritizer::Alua, "", Some(&rtpg), Ok(50)),
            (Prioritizer::Alua, "a\texclusive_pref_bit", Some(&rtpg), Ok(130)),
            (Prioritizer::Alua, "exclusive_pref_bits", Some(&rtpg), Ok(50)),
            (Prioritizer::Alua, "", Some(&sysfs), Err(PrioError::NotRead)),
            (Prioritizer::Sysfs, "", None, Err(PrioError::NotRead)),
        ] {
            assert_eq!(rate(prio, args, raw, &facts), expected.map(Priority), "{prio:?} {args}");
        }
        assert_eq!(io_for(Prioritizer::Const), None);
    }
}
