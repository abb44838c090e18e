//! A check is a round of questions: those of its checker and of its prioritizer, each asked once. What
//! an answer makes worth asking is asked in a next request, until there is a verdict.

use ::core::time::Duration;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::check::{self, Answer, Answers, Ask, CheckState, Judged, Step, Wanted, detect};
use crate::config::settings::{Checker, PathSettings, Prioritizer};
use crate::core::path::{Health, Path};
use crate::identify::Facts;
use crate::prio::{self, PrioError};
use crate::types::Priority;

/// No checker and prioritizer need more requests together, tries of the latter included.
const MOST_REQUESTS: u32 = 12;

/// What was asked and answered since the check began.
#[derive(Debug, Clone, Default)]
pub struct Round {
    asked: Option<Arc<[Ask]>>,
    answers: Answers,
    requests: u32,
    prio_tries: u32,
}

impl Round {
    /// These are asked now.
    pub fn ask(&mut self, asks: Arc<[Ask]>) {
        self.asked = Some(asks);
        self.requests += 1;
    }

    /// They were answered.
    pub fn answered(&mut self, answers: &[Answer]) {
        if let Some(asked) = self.asked.take() {
            self.answers.put(&asked, answers);
        }
    }

    /// What was asked is not to be answered any more: another round may begin.
    pub fn end(&mut self) {
        if self.requests > 1 || self.prio_tries > 0 || !self.answers.is_empty() {
            *self = Self::default();
        }
        (self.asked, self.requests) = (None, 0);
    }

    /// Are these all that was asked?
    pub fn asks_only(&self, asks: &Arc<[Ask]>) -> bool {
        self.requests == 1 && self.asked.as_ref().is_some_and(|asked| Arc::ptr_eq(asked, asks))
    }

    /// How many requests it took so far.
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// What was asked, if it took one request and is answered.
    pub fn one_request(&self) -> Option<Vec<Ask>> {
        (self.requests == 1 && self.prio_tries == 0 && self.asked.is_none()).then(|| self.answers.asks())
    }
}

/// How a round goes on.
#[derive(Debug)]
pub enum Turn {
    /// With these questions.
    Ask(Vec<Ask>),
    /// It is over: the path's state and, where it is worth having, its priority.
    Done(Judged, Option<Result<Priority, PrioError>>),
}

/// What a turn depends on besides the path.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// `device/state` in sysfs, if it was read.
    pub sysfs_state: Option<&'a str>,
    /// Time limit of the check.
    pub timeout: Duration,
    /// Another number each time.
    pub seed: u64,
}

impl Path {
    /// What to ask next, or the verdict.
    pub fn turn(&mut self, setting: &Setting<'_>) -> Turn {
        let (Some(facts), Some(settings)) = (&mut self.facts, &self.settings) else {
            return Turn::Done(Judged::new(CheckState::Pending, "not identified yet"), None);
        };
        let health = &mut self.health;
        let runs = check::sysfs::runs(setting.sysfs_state) && health.round.requests < MOST_REQUESTS;
        if runs && !facts.unread_pages.is_empty() {
            match health.unread_pages.step(Arc::make_mut(facts), &health.round.answers) {
                Err(wanted) => return Turn::Ask(wanted.0),
                // They tell of what kind it is.
                Ok(news) if news => health.detected = None,
                Ok(_) => {}
            }
        }
        health.turn(facts, settings, setting)
    }
}

impl Health {
    /// The same, where the facts are whole.
    pub fn turn(&mut self, facts: &Facts, settings: &PathSettings, setting: &Setting<'_>) -> Turn {
        let health = self;
        if health.round.requests >= MOST_REQUESTS {
            return Turn::Done(Judged::new(CheckState::Wild, " asks without end"), None);
        }
        let runs = check::sysfs::runs(setting.sysfs_state);
        if runs && health.detected.is_none() {
            match detect::step(facts, settings, &health.round.answers) {
                Err(wanted) => return Turn::Ask(wanted.0),
                Ok(detected) => {
                    health.detected = detected;
                    health.choose(facts, settings);
                }
            }
        }
        let vendor_page = health.vendor_page.step(facts, settings, &health.round.answers);
        // Nothing else would tell that a device is gone whose state could be read. At the beginning it has not been, yet.
        let gone = setting.sysfs_state.is_none() && facts.state.is_some() && health.round.requests > 0;
        if gone && health.checker == Checker::None {
            return Turn::Done(check::sysfs::GONE, None);
        }
        let judged = check::step(
            health.checker,
            facts,
            &mut health.memory,
            setting.sysfs_state,
            &health.round.answers,
        );
        match judged {
            Err(mut wanted) => {
                if let Err(more) = health.rate(facts, settings, setting).map(drop) {
                    wanted.add(Wanted(more.0.into_iter().filter(|ask| !is_dear(ask)).collect()));
                }
                vendor_page.unwrap_or_else(|more| wanted.add(more));
                Turn::Ask(wanted.0)
            }
            Ok(judged) if judged.retry => Turn::Done(judged, None),
            // The checker asks nothing, or has asked already.
            Ok(judged)
                if judged.state.is_usable()
                    && let Err(wanted) = vendor_page =>
            {
                Turn::Ask(wanted.0)
            }
            Ok(judged) => health.rated(facts, settings, setting, judged),
        }
    }

    /// Checker and prioritizer, by what is configured and what the device has said of its kind.
    pub fn choose(&mut self, facts: &Facts, settings: &PathSettings) {
        let detected = self.detected.unwrap_or_default();
        let alike = settings.detect_prio && self.alike == Some(detect::Alua::of(facts, settings));
        self.checker = detect::checker(settings, detected, facts.has_alua() && !alike);
        let against = detect::Against { alike, asked_all: self.asked_all };
        let prioritizer = detect::prioritizer(facts, settings, detected, against);
        if self.prioritizer != prioritizer {
            // What another prioritizer said is on another scale; but the handler in the kernel only tells
            // what the device would have told.
            let alua = [Prioritizer::Alua, Prioritizer::Sysfs];
            if ![self.prioritizer, prioritizer].iter().all(|prio| alua.contains(prio)) {
                self.priority = Priority::UNDEF;
            }
            self.priority_complained = false;
            self.prioritizer = prioritizer;
        }
    }

    fn rate(
        &mut self,
        facts: &Facts,
        settings: &PathSettings,
        setting: &Setting<'_>,
    ) -> Step<Result<Priority, PrioError>> {
        let Setting { timeout, seed, .. } = *setting;
        let subject = prio::Subject { args: &settings.prio_args, facts, timeout, seed };
        prio::step(self.prioritizer, &subject, &mut self.prio_memory, &self.round.answers)
    }

    /// The state is known; now the priority, where it is worth having: what a path that is down says of
    /// it is not, unless nothing is known.
    fn rated(
        &mut self,
        facts: &Facts,
        settings: &PathSettings,
        setting: &Setting<'_>,
        judged: Judged,
    ) -> Turn {
        let usable = judged.state.is_usable();
        if !usable && self.priority.is_known() {
            return Turn::Done(judged, None);
        }
        match self.rate(facts, settings, setting) {
            Err(Wanted(asks)) => {
                let runs = check::sysfs::runs(setting.sysfs_state);
                let ask = usable || (runs && !asks.iter().any(is_dear));
                if ask { Turn::Ask(asks) } else { Turn::Done(judged, None) }
            }
            // It looked like asymmetric access and is not: what is configured holds, asked for in this same round.
            Ok(Err(PrioError::NotSupported | PrioError::NoAccessState))
                if settings.detect_prio && self.prioritizer.is_asymmetric_access() =>
            {
                self.alike = Some(detect::Alua::of(facts, settings));
                self.choose(facts, settings);
                self.rated(facts, settings, setting, judged)
            }
            Ok(Err(PrioError::Retry)) if self.round.prio_tries + 1 < prio::TRIES => {
                self.round.prio_tries += 1;
                let answers = core::mem::take(&mut self.round.answers);
                let again = self.rate(facts, settings, setting);
                self.round.answers = answers;
                match again {
                    Err(Wanted(asks)) => {
                        self.round.answers.forget(&asks);
                        Turn::Ask(asks)
                    }
                    Ok(rated) => Turn::Done(judged, Some(rated)),
                }
            }
            Ok(rated) => Turn::Done(judged, Some(rated)),
        }
    }
}

/// Is it a question that only a path is asked that has been found good?
const fn is_dear(ask: &Ask) -> bool {
    matches!(ask, Ask::TimedReads { .. })
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::check::ScsiReply;
    use crate::check::ask::NvmeReply;
    use crate::check::ask::{good, refused};
    use crate::check::clariion::tests::page;
    use crate::check::mutated::any_page;
    use crate::config::{Config, Source};
    use crate::core::path::{Path, PathId, device_id};
    use crate::identify::{RawProbe, hex, identify};

    const SETTING: Setting<'static> =
        Setting { sysfs_state: Some("running"), timeout: Duration::from_secs(30), seed: 1 };

    /// A path that this configuration holds for.
    fn path(defaults: &str, raw: &RawProbe) -> Path {
        let text = alloc::format!("defaults {{\n{defaults}\n}}\n");
        let (config, said) = Config::load(&[Source { name: "f", text: &text }]);
        assert!(said.is_empty(), "{said:?}");
        let mut path = Path::new(PathId(1), "sda".into());
        let facts = identify(&path.name, raw);
        let settings = config.path_settings(&device_id(&facts));
        path.health.choose(&facts, &settings);
        (path.facts, path.settings) = (Some(facts.into()), Some(settings));
        path
    }

    /// Plays a round to its end: what was asked in each request, then state and priority.
    fn play(path: &mut Path, state: Option<&str>, device: &dyn Fn(&Ask) -> Answer) -> Vec<String> {
        let mut trace = Vec::new();
        path.health.round = Round::default();
        for _ in 0..20 {
            match path.turn(&Setting { sysfs_state: state, ..SETTING }) {
                Turn::Ask(asks) => {
                    let name = |ask: &Ask| match ask {
                        Ask::Scsi(command) => {
                            alloc::format!("{:02x}{:02x}", command.cdb()[0], command.cdb()[2])
                        }
                        Ask::TimedReads { count, .. } => alloc::format!("{count}reads"),
                        other => alloc::format!("{other:?}"),
                    };
                    trace.push(asks.iter().map(name).collect::<Vec<_>>().join(" "));
                    let answers: Vec<Answer> = asks.iter().map(device).collect();
                    path.health.round.ask(asks.into());
                    path.health.round.answered(&answers);
                }
                Turn::Done(judged, rated) => {
                    trace.push(alloc::format!("{}{}", judged.state, judged.message));
                    trace.extend(rated.map(|rated| alloc::format!("{:?}", rated.map(|p| p.0))));
                    return trace;
                }
            }
        }
        panic!("without end: {trace:?}")
    }

    /// Answers SCSI commands by operation and page.
    fn scsi(ask: &Ask, reply: impl Fn(u8, u8) -> ScsiReply) -> Answer {
        match ask {
            Ask::Scsi(command) => Answer::Scsi(reply(command.cdb()[0], command.cdb()[2])),
            Ask::TimedReads { .. } => Answer::TimedReads([Duration::from_micros(500)].into()),
            _ => Answer::Failed(crate::types::Errno::EIO),
        }
    }

    #[test]
    fn checker_and_prioritizer_share_their_questions() {
        let mut path = path("path_checker emc_clariion\nprio emc", &RawProbe::default());
        let owner = |ask: &Ask| {
            scsi(ask, |operation, _| match operation {
                0x12 => page("02 00 00 00", 1, "03 04 04", "00"),
                _ => good(""),
            })
        };
        let trace = play(&mut path, None, &owner);
        assert_eq!(trace, ["12c0", "2800", "ready: Active path is healthy", "Ok(4)"]);
        let mut path = self::path("path_checker hp_sw\nprio hp_sw", &RawProbe::default());
        let standby = |ask: &Ask| {
            scsi(ask, |operation, _| if operation == 0 { refused("72 02 04 02") } else { good("") })
        };
        assert_eq!(play(&mut path, None, &standby), ["1280 0000", "ghost reports path is ghost", "Ok(2)"]);
    }

    #[test]
    fn a_kind_of_array_is_found_out_first() {
        let raw = RawProbe { vpd0: hex("00000002 00c9"), ..RawProbe::default() };
        let mut path = path("prio random", &raw);
        let array = |ask: &Ask| {
            scsi(ask, |operation, page| match (operation, page) {
                (0x12, 0xc9) => good("00 c9 00 2c 76616331 00 01 00 00 00 00"),
                _ => refused("72 05 20 00"),
            })
        };
        let lost = |ask: &Ask| scsi(ask, |_, _| ScsiReply { host_status: 1, ..ScsiReply::default() });
        assert_eq!(
            play(&mut path, None, &lost)[..2],
            ["12c9", "0000"],
            "not known yet, so what is configured"
        );
        let trace = play(&mut path, None, &array);
        assert_eq!(trace[..3], ["12c9", "5a0a", "ghost reports path is ghost"], "the page is asked for once");
        assert_eq!(play(&mut path, None, &array)[..2], ["12c9", "ghost reports path is ghost"]);
        path.settings.as_mut().unwrap().detect_checker = false;
        let (facts, settings) = (path.facts.clone().unwrap(), path.settings.clone().unwrap());
        path.health.choose(&facts, &settings);
        assert_eq!(play(&mut path, None, &array)[0], "0000");
    }

    #[test]
    fn what_the_kernel_has_not_read_is_asked_first() {
        let raw = RawProbe { inquiry: hex("00 00 03"), ..RawProbe::default() };
        let array = |ask: &Ask| {
            scsi(ask, |operation, page| match (operation, page) {
                (0x12, 0x00) => good("00 00 0004 00 80 83 c9"),
                (0x12, 0x80) => good("00 80 0004 20 37 37 20"),
                (0x12, 0x83) => good("00 83 0008 01 15 00 04 00000012"),
                (0x12, 0xc9) => good("00 c9 00 2c 76616331 00 01 00 00 00 00"),
                _ => refused("72 05 20 00"),
            })
        };
        let lost = |ask: &Ask| scsi(ask, |_, _| ScsiReply { host_status: 1, ..ScsiReply::default() });
        let mut path = path("prio random", &raw);
        assert_eq!(play(&mut path, Some("running"), &lost)[..2], ["1200 1280 1283", "0000"]);
        assert_eq!(play(&mut path, Some("offline"), &array)[0], "faultypath offline");
        let trace = play(&mut path, Some("running"), &array);
        assert_eq!(
            trace[..3],
            ["1200 1280 1283", "12c9", "5a0a"],
            "and of what kind it is, by what they say"
        );
        let known = |path: &Path| {
            let facts = path.facts.as_ref().unwrap();
            (facts.serial.clone(), facts.tpg, facts.vital_pages.clone())
        };
        assert_eq!(known(&path), ("77".into(), Some(0x12), hex("008083c9")));
        assert_eq!(play(&mut path, Some("running"), &array)[0], "12c9", "they are asked for once");

        let mut anew = identify(&path.name, &raw);
        path.health.unread_pages.complete(&mut anew);
        path.facts = Some(anew.into());
        assert_eq!(known(&path).0, "77", "and not again after another look at sysfs");
    }

    #[test]
    fn who_has_none_of_the_unread_pages_is_not_asked_again() {
        let raw = RawProbe { inquiry: hex("00 00 02"), ..RawProbe::default() };
        let mut path = path("detect_prio no", &raw);
        let old =
            |ask: &Ask| {
                scsi(ask, |operation, _| {
                    if operation == 0 { good("") } else { refused("70 00 05 00000000 0a 00000000 24 00") }
                })
            };
        assert_eq!(play(&mut path, Some("running"), &old)[..2], ["1200 1280 1283", "0000"]);
        assert_eq!(play(&mut path, Some("running"), &old)[0], "0000");
        // Neither are disks that the kernel has read, or knows to fail, or that are none.
        let usb = |raw: &RawProbe| RawProbe {
            syspath: "/devices/pci0/usb1/1-1/1-1:1.0/host1/target1:0:0/1:0:0:0/block/sda".into(),
            ..raw.clone()
        };
        let read = RawProbe { vpd83: hex("00 83 0000"), ..raw.clone() };
        for raw in [
            read,
            usb(&raw),
            RawProbe { inquiry: hex("00 00 00"), ..raw.clone() },
            RawProbe { inquiry: hex("05 00 02"), ..raw.clone() },
        ] {
            assert_eq!(identify(&"sda".into(), &raw).unread_pages, [0; 0], "{raw:?}");
        }
        let unlisted = RawProbe { vpd0: hex("00 00 0002 00 83"), vpd83: hex("00 83 0000"), ..raw.clone() };
        assert_eq!(identify(&"sda".into(), &unlisted).unread_pages, [0; 0], "what it does not have");
        let missed = RawProbe { inquiry: hex("00 00 06"), ..raw };
        assert_eq!(
            identify(&"sda".into(), &missed).unread_pages.len(),
            3,
            "the kernel's scan has failed to read them"
        );
    }

    #[test]
    fn one_page_that_the_kernel_has_missed_is_asked_for() {
        let all = RawProbe {
            inquiry: hex("00 00 06"),
            vpd0: hex("00 00 0003 00 80 83"),
            vpd80: hex("00 80 0004 20 37 37 20"),
            vpd83: hex("00 83 0008 01 15 00 04 00000012"),
            ..RawProbe::default()
        };
        let array = |ask: &Ask| {
            scsi(ask, |operation, page| match (operation, page) {
                (0x12, 0x80) => good("00 80 0004 20 37 37 20"),
                (0x12, 0x83) => good("00 83 0008 01 15 00 04 00000012"),
                _ => good(""),
            })
        };
        for (raw, asked) in [
            (RawProbe { vpd83: Vec::new(), ..all.clone() }, "1283"),
            (RawProbe { vpd80: Vec::new(), ..all.clone() }, "1280"),
            (RawProbe { vpd80: Vec::new(), vpd83: Vec::new(), ..all.clone() }, "1280 1283"),
        ] {
            let mut path = path("prio random\ndetect_prio no", &raw);
            assert_eq!(play(&mut path, Some("running"), &array)[..2], [asked, "0000"]);
            let facts = path.facts.as_ref().expect("known");
            assert_eq!(
                (&*facts.serial, facts.tpg, &*facts.vital_pages),
                ("77", Some(0x12), &[0, 0x80, 0x83][..])
            );
            assert_eq!(play(&mut path, Some("running"), &array)[0], "0000", "once");
        }
        assert_eq!(identify(&"sda".into(), &all).unread_pages, [0; 0]);
    }

    #[test]
    fn who_claims_port_groups_and_tells_nothing_of_them_is_rated_as_configured() {
        let raw = RawProbe {
            inquiry: hex("00 00 06 00 00 10"),
            vpd83: hex("0083 0014 0103 0008 6001405000000001 0115 0004 0000 0001"),
            ..RawProbe::default()
        };
        let mut path = path("prio weightedpath\nprio_args \"devname sda 7\"\npath_checker readsector0", &raw);
        let claims = |ask: &Ask| {
            scsi(ask, |operation, _| {
                if operation == 0xa3 { refused("70 00 05 00000000 0a 00000000 20 00") } else { good("") }
            })
        };
        let said = play(&mut path, Some("running"), &claims);
        assert!(said[0].contains("a3"), "{said:?}");
        assert_eq!(path.health.prioritizer, Prioritizer::WeightedPath);
        assert_eq!(path.health.checker, Checker::ReadSector0);
        assert!(!play(&mut path, Some("running"), &claims).concat().contains("a3"), "not asked again");
    }

    #[test]
    fn the_vendors_page_comes_with_the_first_check() {
        let raw = RawProbe { vendor: (*b"3PARdata").into(), model: (*b"VV").into(), ..RawProbe::default() };
        let array = |ask: &Ask| {
            scsi(ask, |operation, page| match (operation, page) {
                (0x12, 0xc0) => good(&["00c0002c 04", &"00".repeat(35), "00000004", "766f6c31"].concat()),
                _ => good(""),
            })
        };
        for (checker, first) in [("tur", "0000 12c0"), ("none", "12c0")] {
            let overrides =
                alloc::format!("detect_prio no\n}}\noverrides {{\npath_checker {checker}\nprio const");
            let mut path = path(&overrides, &raw);
            assert_eq!(play(&mut path, Some("running"), &array)[0], first, "{checker}");
            assert_eq!(path.health.vendor_page.text(), Some("vol1"), "{checker}");
            assert!(!play(&mut path, Some("running"), &array)[0].contains("12c0"), "{checker}: once");
        }
    }

    #[test]
    fn only_a_good_path_is_timed() {
        let mut path = path("prio path_latency\nprio_args \"io_num=20 base_num=10\"", &RawProbe::default());
        let up = |ask: &Ask| scsi(ask, |_, _| good(""));
        let down = |ask: &Ask| scsi(ask, |_, _| refused("72 02 04 03"));
        assert_eq!(play(&mut path, None, &down), ["0000", "faulty reports path is down"]);
        let trace = play(&mut path, None, &up);
        assert_eq!(trace, ["0000", "20reads", "ready reports path is up", "Ok(5)"]);
        assert_eq!(play(&mut path, Some("offline"), &up), ["faultypath offline"]);
    }

    #[test]
    fn a_priority_is_asked_for_again_a_few_times() {
        let raw = RawProbe {
            inquiry: hex("00000702 5f 10 0000"),
            vpd83: hex("00830008 61950004 00000101"),
            ..RawProbe::default()
        };
        let mut path = path("prio const", &raw);
        let attention = |ask: &Ask| {
            scsi(ask, |operation, _| if operation == 0xa3 { refused("72 06 2a 06") } else { good("") })
        };
        let trace = play(&mut path, None, &attention);
        assert_eq!(trace, ["0000 a300", "a300", "a300", "a300", "ready reports path is up", "Err(Retry)"]);
        let plain = |ask: &Ask| {
            let Ask::Scsi(command) = ask else { panic!() };
            let extended = command.cdb()[1] >> 5 == 1;
            Answer::Scsi(match (command.cdb()[0], extended) {
                (0xa3, true) => refused("72 05 24 00"),
                (0xa3, false) => good("00000008 00 0f 0101 00 00 00 00"),
                _ => good(""),
            })
        };
        assert_eq!(
            play(&mut path, None, &plain),
            ["0000 a300", "a300", "ready reports path is up", "Ok(50)"]
        );
        assert_eq!(play(&mut path, None, &plain), ["0000 a300", "ready reports path is up", "Ok(50)"]);
    }

    #[test]
    fn what_a_bad_path_says_of_its_priority_is_not_worth_having() {
        let mut path = path("path_checker hp_sw\nprio rdac", &RawProbe::default());
        let down = |ask: &Ask| {
            scsi(ask, |operation, page| match (operation, page) {
                (0x12, 0xc9) => good("00 c9 00 2c 76616331 01 01 00 00 00 00"),
                _ => refused("72 03 11 00"),
            })
        };
        assert_eq!(play(&mut path, None, &down).last().unwrap(), "Ok(6)", "better than none");
        path.health.priority = Priority(1);
        assert_eq!(play(&mut path, None, &down), ["1280 0000 12c9", "faulty reports path is down"]);
    }

    proptest! {
        #[test]
        fn no_answer_panics_or_is_asked_for_without_end(
            data in prop_oneof![prop::collection::vec(any::<u8>(), 0..260), any_page()],
            sense in prop::collection::vec(any::<u8>(), 0..40),
            (status, host_status) in prop::sample::select(vec![(0, 0), (0, 0), (2, 0), (0x18, 0), (0, 3)]),
            right_page in any::<bool>(),
        ) {
            let device = |ask: &Ask| match ask {
                Ask::Scsi(command) => {
                    let mut data = data.clone();
                    if right_page && let Some(byte) = data.get_mut(1) {
                        *byte = command.cdb()[2];
                    }
                    let sense = sense.clone();
                    Answer::Scsi(ScsiReply { status, host_status, sense, data, ..ScsiReply::default() })
                }
                Ask::Nvme(_) => Answer::Nvme(NvmeReply { status: 0, data: data.clone() }),
                Ask::DirectRead => Answer::Read(data.len()),
                Ask::TimedReads { .. } => {
                    Answer::TimedReads(data.iter().map(|byte| Duration::from_micros((*byte).into())).collect())
                }
                Ask::AccessState => {
                    let access_state = Some(String::from_utf8_lossy(&sense).into_owned());
                    Answer::AccessState { access_state, preferred_path: None }
                }
            };
            let raw = RawProbe {
                vendor: (*b"3PARdata").into(),
                model: (*b"VV").into(),
                inquiry: hex("00000702 5f 10 0000"),
                vpd83: hex("00830008 61950004 00000101"),
                ..RawProbe::default()
            };
            let base = path("detect_prio no", &raw);
            for checker in Checker::ALL {
                for prioritizer in Prioritizer::ALL {
                    let mut path = base.clone();
                    path.health.detected = Some(detect::Detected::default());
                    (path.health.checker, path.health.prioritizer) = (checker, prioritizer);
                    play(&mut path, Some("running"), &device);
                }
            }
            let unknown = RawProbe { vpd0: hex("00000002 00c9"), ..RawProbe::default() };
            play(&mut path("prio const", &unknown), Some("running"), &device);
        }
    }
}
