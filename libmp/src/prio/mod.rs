//! Answers of a device → the priority of its path. None of it does I/O.

mod alua;
pub mod ana;
pub mod args;
mod latency;
pub mod rtpg;
mod sysfs;
mod vendor;

use ::core::time::Duration;
use alloc::string::ToString;

use self::args::{ArgError, Attribute, Latency, Network, Weights};
use crate::check::ScsiReply;
use crate::check::ask::{Answers, Step, Unanswered};
use crate::check::sense::{Ending, key};
use crate::config::settings::Prioritizer;
use crate::identify::Facts;
use crate::types::{Errno, Priority};

/// Why a path has no priority now. An unreadable priority keeps its last value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrioError {
    /// Nothing was read: the device does not run.
    #[error("nothing was read")]
    NotRead,
    /// The device could not be asked.
    #[error("it could not be asked: {0}")]
    Io(Errno),
    /// A unit attention, or not ready: the next try may well succeed (see [`TRIES`]).
    #[error("the device asks to try again")]
    Retry,
    /// Its port group is between two states: what was known before holds until it has arrived.
    #[error("its port group is changing its state")]
    Transitioning,
    /// The device, or the way to it, failed the command.
    #[error("the device did not answer the question")]
    Refused,
    /// The device does not know the command: it has no asymmetric access.
    #[error("the device doesn't know the question")]
    NotSupported,
    /// The answer is not what this kind of array answers.
    #[error("the answer is of an unknown format")]
    UnknownPage,
    /// CLARiiON: wrong initiator type, failover mode, or `arraycommpath`.
    #[error("the array is not set up for failover on this path")]
    NotForFailover,
    /// CLARiiON: the LUN does not serve normal I/O.
    #[error("the array does not serve normal I/O on this path")]
    NotNormal,
    /// The path's own port group is not known (VPD page 0x83).
    #[error("its target port group is not known")]
    NoPortGroup,
    /// The answer ends before the path's port group comes.
    #[error("the answer is cut short")]
    Truncated,
    /// The answer is whole, and the path's group is not in it.
    #[error("its group is not in the answer")]
    GroupNotListed,
    /// sysfs has no `access_state`: no hardware handler that knows it is attached.
    #[error("the kernel knows no access state of it")]
    NoAccessState,
    /// `prio_args` can't be read: every path has priority 0.
    #[error("{0}; write {form}", form = .0.form())]
    Arguments(#[from] ArgError),
}

impl From<Unanswered> for PrioError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::NotAsked => Self::NotRead,
            Unanswered::Failed(errno) => Self::Io(errno),
        }
    }
}

/// How often a question answered with [`PrioError::Retry`] is tried in all.
pub const TRIES: u32 = 4;

/// What a prioritizer remembers of a path from one rating to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// `alua`: the device refuses the extended header of REPORT TARGET PORT GROUPS.
    pub plain_rtpg: bool,
    /// `ana`: what the controller said of its groups.
    pub ana: Option<ana::Shape>,
}

/// What a priority depends on, besides the answers.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// `prio_args`; what a prioritizer does not know of them it ignores.
    pub args: &'a str,
    /// The path.
    pub facts: &'a Facts,
    /// How long its check may take.
    pub timeout: Duration,
    /// A number that is another one each time, for `random`.
    pub seed: u64,
}

/// The answers so far → the priority of the path, or what else must be asked.
pub fn step(
    prio: Prioritizer,
    subject: &Subject<'_>,
    memory: &mut Memory,
    answers: &Answers,
) -> Step<Result<Priority, PrioError>> {
    let Subject { args, facts, .. } = *subject;
    match prio {
        Prioritizer::Const => Ok(Ok(Priority(1))),
        Prioritizer::Random => Ok(Ok(random(subject.seed))),
        Prioritizer::WeightedPath => Ok(weighted(args, facts)),
        Prioritizer::Iet => Ok(portal(args, facts)),
        Prioritizer::Sysfs => Ok(answers
            .access_state()?
            .map_err(PrioError::from)
            .and_then(|(state, preferred)| sysfs::rate(Preference::of(args), state, preferred))),
        Prioritizer::Alua => alua::rate(Preference::of(args), facts.tpg, memory, answers),
        Prioritizer::Ana => ana::rate(u32::try_from(facts.lun).unwrap_or_default(), memory, answers),
        Prioritizer::Emc => vendor::emc(answers),
        Prioritizer::Rdac => vendor::rdac(answers),
        Prioritizer::HpSw => vendor::hp_sw(answers),
        Prioritizer::Hds => vendor::hds(answers),
        Prioritizer::Ontap => vendor::ontap(answers),
        Prioritizer::Datacore => match args::preferred_server(args) {
            Ok(server) => vendor::datacore(server, answers),
            Err(error) => Ok(Err(error.into())),
        },
        Prioritizer::PathLatency => {
            let latency = Latency::parse(args).unwrap_or(Latency::DEFAULT);
            latency::rate(latency, subject.timeout, answers)
        }
    }
}

/// From 1 to 10.
fn random(seed: u64) -> Priority {
    // The finalizer of SplitMix64: neighbours give numbers that have nothing in common.
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Priority(i32::try_from((z ^ (z >> 31)) % 10).unwrap_or_default() + 1)
}

/// `weightedpath`: the priority of the first pattern that matches the attribute.
fn weighted(args: &str, facts: &Facts) -> Result<Priority, PrioError> {
    let weights = Weights::parse(args)?;
    let subject = match weights.attribute {
        Attribute::Hbtl => facts.hctl.map(|hctl| hctl.to_string()).unwrap_or_default(),
        Attribute::DevName => facts.name.to_string(),
        Attribute::Serial => facts.serial.clone(),
        Attribute::Wwn => {
            let ids = &facts.ids;
            let names = [&ids.host_wwnn, &ids.host_wwpn, &ids.target_wwnn, &ids.target_wwpn];
            names.map(|name| name.as_deref().unwrap_or("[undef]")).join(":")
        }
    };
    Ok(Priority(weights.rate(&subject)))
}

/// `iet`: 20 through a preferred portal, 10 through any other.
fn portal(args: &str, facts: &Facts) -> Result<Priority, PrioError> {
    let preferred = Network::parse(args)?;
    Ok(Priority(if facts.portal.is_some_and(|portal| preferred.contains(portal)) { 20 } else { 10 }))
}

/// The data of a command that ended well.
fn data_of(reply: Result<&ScsiReply, Unanswered>) -> Result<&[u8], PrioError> {
    let reply = reply?;
    match Ending::of(reply) {
        Ending::Good => Ok(&reply.data),
        Ending::Refused(sense) => Err(match sense.key {
            key::UNIT_ATTENTION | key::NOT_READY => PrioError::Retry,
            // An unknown command, or a field of it; not a LUN that is gone (25h).
            key::ILLEGAL_REQUEST if sense.asc == 0x20 || sense.asc == 0x24 => PrioError::NotSupported,
            _ => PrioError::Refused,
        }),
        Ending::ReservationConflict | Ending::Transport(_) | Ending::Failed => Err(PrioError::Refused),
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
    use crate::check::ask::{Answer, Ask, good};
    use crate::check::command::{RtpgHeader, ScsiCommand};
    use crate::identify::TransportIds;
    use crate::identify::{RawProbe, identify};
    use crate::types::Hctl;

    fn facts() -> Facts {
        Facts {
            tpg: Some(1),
            hctl: Some(Hctl { host: 1, channel: 0, target: 2, lun: 3 }),
            serial: "0395J1FR904324".into(),
            portal: "10.1.2.3".parse().ok(),
            ids: TransportIds {
                host_wwnn: Some("0x200100e08ba0aea0".into()),
                target_wwpn: Some("0x5001".into()),
                ..TransportIds::default()
            },
            ..identify(&"sdc".into(), &RawProbe::default())
        }
    }

    fn rate(prio: Prioritizer, args: &str, answers: &Answers) -> Step<Result<Priority, PrioError>> {
        let facts = facts();
        let subject = Subject { args, facts: &facts, timeout: Duration::from_secs(30), seed: 5 };
        step(prio, &subject, &mut Memory::default(), answers)
    }

    #[test]
    fn each_prioritizer_rates_its_own_answer() {
        let mut answers = Answers::default();
        let rtpg = ScsiCommand::report_target_port_groups(RtpgHeader::Extended, 1024);
        let asks = [Ask::Scsi(rtpg), Ask::AccessState];
        let state =
            Answer::AccessState { access_state: Some("standby".into()), preferred_path: Some("1".into()) };
        answers.put(&asks, &[Answer::Scsi(good("0000000c 80 0f 0001 00 02 00 01 00000001")), state]);
        for (prio, args, expected) in [
            (Prioritizer::Const, "", 1),
            (Prioritizer::Sysfs, "", 81),
            (Prioritizer::Alua, "", 50),
            (Prioritizer::Alua, "a\texclusive_pref_bit", 130),
            (Prioritizer::Alua, "exclusive_pref_bits", 50),
            (Prioritizer::WeightedPath, "hbtl ^1:0:2:. 4", 4),
            (Prioritizer::WeightedPath, "devname sd[ab] 4 sd 3", 3),
            (Prioritizer::WeightedPath, "serial .*J1FR.*324 6", 6),
            (Prioritizer::WeightedPath, "wwn ^0x200100e08ba0aea0:.*:.*:0x5001$ 7", 7),
            (Prioritizer::WeightedPath, "wwn ^[^:]*:0x5001 7", 0),
            (Prioritizer::Iet, "preferredip=10.1.2.3", 20),
            (Prioritizer::Iet, "preferredip=10.1.0.0/16", 20),
            (Prioritizer::Iet, "preferredip=10.1.2.33", 10),
        ] {
            assert_eq!(rate(prio, args, &answers), Ok(Ok(Priority(expected))), "{prio:?} {args}");
        }
        for prio in [Prioritizer::WeightedPath, Prioritizer::Datacore, Prioritizer::Iet] {
            let rated = rate(prio, "no", &answers);
            assert!(matches!(rated, Ok(Err(PrioError::Arguments(_)))), "{rated:?}");
        }
    }

    #[test]
    fn who_needs_an_answer_asks_for_it() {
        for prio in Prioritizer::ALL {
            use Prioritizer::*;
            let args = match prio {
                WeightedPath => "devname sda 1",
                Datacore => "preferredsds=a",
                Iet => "preferredip=10.0.0.1",
                _ => "",
            };
            let known = matches!(prio, Const | Random | WeightedPath | Iet);
            let first = rate(prio, args, &Answers::default());
            assert_eq!(matches!(first, Ok(Ok(_))), known, "{prio:?}");
            let Err(wanted) = first else { continue };
            let mut answers = Answers::default();
            answers.put(&wanted.0, &[Answer::Failed(Errno::EIO)]);
            assert_eq!(rate(prio, args, &answers), Ok(Err(PrioError::Io(Errno::EIO))), "{prio:?}");
        }
    }

    #[test]
    fn random_is_from_1_to_10() {
        let mut seen = [0; 11];
        for seed in 0..10_000 {
            seen[usize::try_from(random(seed).0).unwrap()] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!(seen[1..].iter().all(|count| (800..1200).contains(count)), "{seen:?}");
    }
}
