//! Every answer of the static decision, by what is around the disk.

use alloc::string::ToString;

use super::*;
use crate::config::Source;

/// What is there; everything else is not.
#[derive(Debug, Clone, Copy, Default)]
struct Around {
    in_map: bool,
    failed: bool,
    in_use: bool,
    known: bool,
    map: bool,
    second: bool,
    no_daemon: bool,
}

impl Surroundings for Around {
    fn is_in_map(&self) -> bool {
        self.in_map
    }
    fn has_daemon(&self) -> bool {
        !self.no_daemon
    }
    fn has_failed(&self, _: &Wwid) -> bool {
        self.failed
    }
    fn is_in_use(&self) -> bool {
        self.in_use
    }
    fn is_known(&self, _: &Wwid) -> bool {
        self.known
    }
    fn has_map(&self, _: &Wwid) -> bool {
        self.map
    }
    fn has_second(&self, _: &Wwid) -> bool {
        self.second
    }
}

const RULES: Asker = Asker::Rules;

fn config(find: &str, more: &str) -> Config {
    let text = format!("defaults {{\n\tfind_multipaths {find}\n}}\n{more}");
    Config::load(&[Source { name: "test", text: &text }]).0
}

fn raw() -> RawProbe {
    RawProbe {
        syspath: "/devices/pci0/host1/target1:0:0/1:0:0:1/block/sdb".into(),
        hctl: "1:0:0:1".parse().ok(),
        sectors: 2048,
        vendor: b"Linux   ".to_vec(),
        model: b"scsi_debug      ".to_vec(),
        udev_initialized: true,
        properties: [("ID_SERIAL".to_string(), "3600a".to_string()), ("ID_WWN".into(), "0x600a".into())]
            .into(),
        ..RawProbe::default()
    }
}

fn asked(config: &Config, released: bool, asker: Asker, heed: Heed, around: Around) -> Claim {
    let (name, raw) = (PathName::new("sdb"), raw());
    let in_full = || claim(config, &Disk { name: &name, raw: &raw, released }, heed, &around);
    at_once(asker, &around).unwrap_or_else(in_full)
}

#[test]
fn each_find_multipaths_has_its_answer() {
    use Claim::{Maybe, No, Yes};
    let none = Around::default();
    let cases = [
        (none, ["strict: No", "on: No", "off: No", "smart: Maybe", "greedy: Yes"]),
        (Around { known: true, ..none }, ["strict: Yes", "on: Yes", "off: Yes", "smart: Yes", "greedy: Yes"]),
        (Around { map: true, ..none }, ["strict: Yes", "on: Yes", "off: Yes", "smart: Yes", "greedy: Yes"]),
        (Around { second: true, ..none }, ["strict: No", "on: No", "off: No", "smart: Yes", "greedy: Yes"]),
        (Around { in_use: true, ..none }, ["strict: No", "on: No", "off: No", "smart: No", "greedy: No"]),
        (
            Around { in_use: true, known: true, ..none },
            ["strict: Yes", "on: Yes", "off: Yes", "smart: No", "greedy: No"],
        ),
        (
            Around { failed: true, known: true, ..none },
            ["strict: No", "on: No", "off: No", "smart: No", "greedy: No"],
        ),
        (
            Around { failed: true, in_map: true, ..none },
            ["strict: Yes", "on: Yes", "off: Yes", "smart: Yes", "greedy: Yes"],
        ),
    ];
    for (around, expected) in cases {
        for case in expected {
            let (find, answer) = case.split_once(": ").unwrap();
            let wanted =
                [("No", No), ("Yes", Yes), ("Maybe", Maybe)].iter().find(|w| w.0 == answer).unwrap().1;
            let got = asked(&config(find, ""), false, RULES, Heed::Configured, around);
            assert_eq!(got, wanted, "{find} with {around:?}");
        }
    }
}

#[test]
fn what_was_released_stays_so_but_for_known_disks() {
    let (greedy, strict) = (config("greedy", ""), config("strict", ""));
    let released = |config, around| asked(config, true, RULES, Heed::Configured, around);
    assert_eq!(released(&greedy, Around::default()), Claim::No);
    assert_eq!(released(&strict, Around { map: true, ..Around::default() }), Claim::No);
    assert_eq!(released(&strict, Around { known: true, ..Around::default() }), Claim::Yes);
    assert_eq!(released(&strict, Around { in_map: true, ..Around::default() }), Claim::Yes);
    assert_eq!(released(&config("smart", ""), Around { second: true, ..Around::default() }), Claim::No);
}

#[test]
fn without_a_daemon_rules_claim_only_what_is_in_a_map() {
    let known = Around { known: true, no_daemon: true, ..Around::default() };
    let greedy = config("greedy", "");
    assert_eq!(asked(&greedy, false, RULES, Heed::Configured, known), Claim::No);
    assert_eq!(asked(&greedy, false, Asker::Operator, Heed::Configured, known), Claim::Yes);
    assert_eq!(asked(&greedy, false, RULES, Heed::Configured, Around { in_map: true, ..known }), Claim::Yes);
}

#[test]
fn blacklists_are_heeded_and_the_wwids_file_need_not_be() {
    let known = Around { known: true, ..Around::default() };
    for rule in ["devnode \"^sd\"", "wwid 3600a", "device {\n vendor Linux\n product scsi_debug\n }"] {
        let config = config("greedy", &format!("blacklist {{\n {rule}\n}}\n"));
        assert_eq!(asked(&config, false, RULES, Heed::Configured, known), Claim::No, "{rule}");
    }
    for (find, answer) in [("strict", Claim::Maybe), ("on", Claim::Maybe), ("off", Claim::Yes)] {
        let got = asked(&config(find, ""), false, RULES, Heed::Anything, Around::default());
        assert_eq!(got, answer, "{find} -i");
    }
}

#[test]
fn the_wait_is_told_and_ends() {
    let s = Duration::from_secs;
    assert_eq!(Wait::of(None, None), Wait::None);
    assert_eq!(Wait::of(Some(s(0)), None), Wait::Over);
    assert_eq!(Wait::of(Some(Duration::from_millis(999)), None), Wait::Over);
    assert_eq!(Wait::of(Some(s(11)), Some(s(10))), Wait::Over, "the clock was set back");
    let left = Wait::of(Some(Duration::from_millis(3_250)), Some(s(10)));
    assert_eq!(
        properties(settle(Claim::Maybe, left), left),
        "FIND_MULTIPATHS_WAIT_UNTIL=\"3.250000\"\nDM_MULTIPATH_DEVICE_PATH=\"2\"\n"
    );
    assert_eq!(
        properties(settle(Claim::Maybe, Wait::Over), Wait::Over),
        "FIND_MULTIPATHS_WAIT_UNTIL=\"0\"\nDM_MULTIPATH_DEVICE_PATH=\"0\"\n"
    );
    assert_eq!(properties(settle(Claim::Yes, Wait::None), Wait::None), "DM_MULTIPATH_DEVICE_PATH=\"1\"\n");
}

#[test]
fn unknown_hardware_is_waited_for_a_second() {
    let device = |vendor, product| DeviceId { vendor, product, revision: b"", protocol: "scsi:iscsi" };
    let (unknown, netapp) = (device(b"Acme", b"Disk"), device(b"NETAPP", b"LUN C-Mode"));
    assert_eq!(patience(&config("smart", ""), &unknown), Duration::from_secs(1));
    assert_eq!(patience(&config("smart", ""), &netapp), Duration::from_secs(10));
    let ten = config("smart", "defaults {\n\tfind_multipaths_timeout 7\n}\n");
    assert_eq!(patience(&ten, &unknown), Duration::from_secs(7));
}

#[test]
fn a_map_is_usable_by_what_the_kernel_knows() {
    let status = |text: &str| text.parse::<Status>().unwrap();
    let both = status("2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 F 1");
    let states = [("8:0", "offline"), ("8:16", "running")];
    let state = |devt: DevT| {
        let found = states.iter().find(|(name, _)| *name == devt.to_string());
        found.map(|(_, state)| Some(state.to_string()))
    };
    assert!(!is_usable(&both, state), "the one that the kernel uses is offline");
    assert!(is_usable(&status("2 0 0 0 1 1 A 0 2 0 8:0 F 0 8:16 A 1"), state));
    assert!(!is_usable(&status("2 0 0 0 1 1 A 0 1 0 8:32 A 0"), state), "gone");
    assert!(is_usable(&both, |_| Some(None)), "of a kind without states");
}
