//! Which checker and prioritizer fit a device (`detect_checker`, `detect_prio`).
//!
//! - An array that has the volume access control page is one of the RDAC family: `rdac`, which it is
//!   made for, and `alua`, as its firmware balances load by the questions of that.
//! - Else one that takes part in asymmetric access: `tur`, as a read would fail on a healthy standby
//!   path, and `sysfs` where the kernel has a handler attached that knows the state, of this path and of the others of its
//!   map, else `alua`.
//! - An NVMe controller with asymmetric namespace access: `ana`.
//! - Any other: what is configured.

use super::ask::{Answers, Step};
use super::command::NvmeCommand;
use super::sense::Ending;
use super::{Unanswered, rdac};
use crate::config::settings::{Checker, PathSettings, Prioritizer};
use crate::identify::{Bus, Facts};
use crate::types::Errno;

/// What a device said of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Detected {
    /// It has the volume access control page.
    pub rdac: bool,
    /// Its controller reports asymmetric namespace access.
    pub ana: bool,
}

/// What speaks for asymmetric access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alua {
    /// TPGS in its INQUIRY data.
    tpgs: u8,
    /// sysfs has its state.
    of_kernel: bool,
    /// The prioritizer that is configured.
    configured: Prioritizer,
}

impl Alua {
    /// As it is known now.
    pub const fn of(facts: &Facts, settings: &PathSettings) -> Self {
        Self { tpgs: facts.tpgs, of_kernel: facts.access_state.is_some(), configured: settings.prio }
    }
}

/// Asks a device of its kind, where that may matter. `None`: it did not answer; it is to be asked
/// again with its next check.
pub fn step(facts: &Facts, settings: &PathSettings, answers: &Answers) -> Step<Option<Detected>> {
    let nothing = Ok(Some(Detected::default()));
    if !settings.detect_checker && !settings.detect_prio {
        return nothing;
    }
    match Bus::of(facts.name.as_str()) {
        Bus::Scsi if may_be_rdac(facts, settings) => Ok(match answers.scsi(&rdac::command())? {
            Ok(reply) => match Ending::of(reply) {
                Ending::Good => {
                    let page = rdac::Page::parse(&reply.data);
                    let rdac = page.is_some_and(rdac::Page::is_volume_access_control);
                    Some(Detected { rdac, ana: false })
                }
                Ending::Refused(sense) if sense.key == super::sense::key::ILLEGAL_REQUEST => {
                    Some(Detected::default())
                }
                _ => None,
            },
            Err(_) => None,
        }),
        Bus::Nvme if settings.detect_prio => Ok(match answers.nvme(&NvmeCommand::identify_controller())? {
            Ok(reply) if reply.status == 0 => Some(Detected { rdac: false, ana: has_ana(&reply.data) }),
            // Not a controller that is asked this way; it knows no such command, or not this form of it (NVMe base specification 2.0,
            // figure 93: invalid opcode, invalid field).
            Err(Unanswered::Failed(Errno::ENOTTY)) => Some(Detected::default()),
            Ok(reply) if matches!(reply.status & 0x7ff, 1 | 2) => Some(Detected::default()),
            // The way there, or this host, was short of something: that is no answer.
            Ok(_) | Err(_) => None,
        }),
        _ => nothing,
    }
}

/// Some vendors use that page number for something else: only arrays that are configured as RDAC, or
/// are unknown and list the page, are asked for it.
fn may_be_rdac(facts: &Facts, settings: &PathSettings) -> bool {
    match settings.device_checker {
        Some(checker) => checker == Checker::Rdac,
        None => facts.vital_pages.contains(&0xc9),
    }
}

/// Multi-path I/O and namespace sharing capabilities, bit 3 (NVMe base specification 2.0, figure 276).
pub(crate) fn has_ana(controller: &[u8]) -> bool {
    controller.get(76).is_some_and(|cmic| cmic & 0x08 != 0)
}

/// The checker to use; `alua`: the device has asymmetric access, as far as is known.
pub const fn checker(settings: &PathSettings, detected: Detected, alua: bool) -> Checker {
    match (settings.detect_checker, detected.rdac, alua) {
        (true, true, _) => Checker::Rdac,
        (true, false, true) => Checker::Tur,
        _ => settings.checker,
    }
}

/// Does the kernel's handler tell what the device would, so that it need not be asked?
pub fn is_told_by_kernel(facts: &Facts, detected: Detected) -> bool {
    const EXPLICIT: u8 = 2;
    facts.access_state.is_some() && (facts.tpgs == EXPLICIT || !detected.rdac)
}

/// What speaks against the prioritizer that a path would have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Against {
    /// It looked like asymmetric access, and is not. What needs that would rate nothing: `const`.
    pub alike: bool,
    /// Another path of its map has to be asked itself: so are all, as what the kernel knows may be older.
    pub asked_all: bool,
}

/// The prioritizer to use.
pub fn prioritizer(
    facts: &Facts,
    settings: &PathSettings,
    detected: Detected,
    against: Against,
) -> Prioritizer {
    if against.alike {
        return if settings.prio.is_asymmetric_access() { Prioritizer::Const } else { settings.prio };
    }
    if settings.detect_prio && detected.ana {
        return Prioritizer::Ana;
    }
    if settings.detect_prio && facts.has_alua() {
        let of_kernel = is_told_by_kernel(facts, detected) && !against.asked_all;
        return if of_kernel { Prioritizer::Sysfs } else { Prioritizer::Alua };
    }
    if settings.prio == Prioritizer::Alua && facts.tpgs == 0 { Prioritizer::Const } else { settings.prio }
}

#[cfg(test)]
mod tests {
    use super::super::ask::{Answer, Ask, NvmeReply, answered, good, refused};
    use super::*;
    use crate::check::ScsiReply;
    use crate::config::{Config, Source};
    use crate::identify::{RawProbe, hex, identify};

    fn settings(text: &str) -> PathSettings {
        let (config, said) = Config::load(&[Source { name: "f", text }]);
        assert!(said.is_empty(), "{said:?}");
        config.path_settings(&crate::core::path::UNKNOWN_DEVICE)
    }

    fn facts(name: &str, tpgs: u8, tpg: Option<u16>, access_state: Option<&str>) -> Facts {
        Facts {
            tpgs,
            tpg,
            access_state: access_state.map(Into::into),
            ..identify(&name.into(), &RawProbe::default())
        }
    }

    #[test]
    fn choice() {
        use Checker as C;
        use Prioritizer as P;
        let rdac = Detected { rdac: true, ana: false };
        let ana = Detected { rdac: false, ana: true };
        let none = Detected::default();
        let yes = "defaults {\n path_checker directio\n prio random\n}\n";
        let no = "defaults {\n path_checker directio\n prio random\n detect_checker no\n detect_prio no\n}\n";
        let alua = "defaults {\n detect_prio no\n prio alua\n}\n";
        for (text, tpgs, tpg, state, detected, checker, prio) in [
            (yes, 0, None, None, none, C::DirectIo, P::Random),
            (yes, 0, Some(1), Some("standby"), none, C::DirectIo, P::Random),
            (yes, 1, None, Some("standby"), none, C::DirectIo, P::Random),
            (yes, 1, Some(1), None, none, C::Tur, P::Alua),
            (yes, 3, Some(1), Some("standby"), none, C::Tur, P::Sysfs),
            (yes, 0, None, None, rdac, C::Rdac, P::Random),
            (yes, 3, Some(1), Some("standby"), rdac, C::Rdac, P::Alua),
            (yes, 2, Some(1), Some("standby"), rdac, C::Rdac, P::Sysfs),
            (yes, 0, None, None, ana, C::DirectIo, P::Ana),
            (no, 3, Some(1), Some("standby"), rdac, C::DirectIo, P::Random),
            (no, 0, None, None, ana, C::DirectIo, P::Random),
            (alua, 0, None, None, none, C::Tur, P::Const),
            (alua, 1, Some(1), None, none, C::Tur, P::Alua),
        ] {
            let (facts, settings) = (facts("sda", tpgs, tpg, state), settings(text));
            let row = format!("{text} {tpgs} {tpg:?} {state:?} {detected:?}");
            assert_eq!(self::checker(&settings, detected, facts.has_alua()), checker, "{row}");
            assert_eq!(prioritizer(&facts, &settings, detected, Against::default()), prio, "{row}");
            let asked_all = Against { asked_all: true, ..Against::default() };
            let asked = if prio == P::Sysfs { P::Alua } else { prio };
            assert_eq!(prioritizer(&facts, &settings, detected, asked_all), asked, "{row}");
        }
    }

    #[test]
    fn arrays_are_asked_where_it_may_matter() {
        let page = || good("00 c9 00 2c 76616331 01 01 00 00 00 00");
        let other = || good("00 c9 00 2c 64656c6c 01 01 00 00 00 00");
        let unknown = settings("");
        let no = settings("defaults {\n detect_checker no\n detect_prio no\n}\n");
        let known = |checker| PathSettings { device_checker: Some(checker), ..settings("") };
        let listed = Facts { vital_pages: hex("0080c9"), ..facts("sda", 0, None, None) };
        let unlisted = facts("sda", 0, None, None);
        let rdac = |rdac| Some(Some(Detected { rdac, ana: false }));
        let lost = || ScsiReply { host_status: 1, ..ScsiReply::default() };
        for (facts, settings, reply, expected) in [
            (&listed, &unknown, page(), rdac(true)),
            (&listed, &unknown, other(), rdac(false)),
            (&listed, &unknown, refused("72 05 24 00"), rdac(false)),
            (&listed, &unknown, refused("72 06 29 00"), Some(None)),
            (&listed, &unknown, lost(), Some(None)),
            (&unlisted, &unknown, page(), rdac(false)),
            (&unlisted, &known(Checker::Rdac), page(), rdac(true)),
            (&listed, &known(Checker::Tur), page(), rdac(false)),
            (&listed, &no, page(), rdac(false)),
        ] {
            let answers = answered(&[(rdac::command(), reply.clone())]);
            assert_eq!(step(facts, settings, &answers).ok(), expected, "{reply:?}");
        }
        assert!(step(&listed, &unknown, &Answers::default()).is_err());
    }

    #[test]
    fn controllers_say_whether_they_have_ana() {
        let facts = facts("nvme0n1", 0, None, None);
        let controller = |cmic: u8| {
            let mut data = [0; 4096].to_vec();
            data[76] = cmic;
            data
        };
        for (answer, expected) in [
            (Answer::Nvme(NvmeReply { status: 0, data: controller(0x0a) }), Some(true)),
            (Answer::Nvme(NvmeReply { status: 0, data: controller(0x02) }), Some(false)),
            (Answer::Nvme(NvmeReply { status: 2, data: controller(0x0a) }), Some(false)),
            (Answer::Nvme(NvmeReply::default()), Some(false)),
            (Answer::Failed(Errno::ENOTTY), Some(false)),
            (Answer::Nvme(NvmeReply { status: 0x370, data: controller(0x0a) }), None),
            (Answer::Failed(Errno(24)), None),
            (Answer::NotAsked, None),
        ] {
            let mut answers = Answers::default();
            answers.put(&[Ask::Nvme(NvmeCommand::identify_controller())], core::slice::from_ref(&answer));
            let detected = step(&facts, &settings(""), &answers).unwrap();
            assert_eq!(detected.map(|detected| detected.ana), expected, "{answer:?}");
        }
    }
}
