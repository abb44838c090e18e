//! Rounds against devices of every kind: what is asked, in which order, and what comes of it.

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
    let standby =
        |ask: &Ask| scsi(ask, |operation, _| if operation == 0 { refused("72 02 04 02") } else { good("") });
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
    assert_eq!(play(&mut path, None, &lost)[..2], ["12c9", "0000"], "not known yet, so what is configured");
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
    assert_eq!(trace[..3], ["1200 1280 1283", "12c9", "5a0a"], "and of what kind it is, by what they say");
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
    let old = |ask: &Ask| {
        scsi(
            ask,
            |operation, _| {
                if operation == 0 { good("") } else { refused("70 00 05 00000000 0a 00000000 24 00") }
            },
        )
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
    let claims =
        |ask: &Ask| {
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
    assert_eq!(play(&mut path, None, &plain), ["0000 a300", "a300", "ready reports path is up", "Ok(50)"]);
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
