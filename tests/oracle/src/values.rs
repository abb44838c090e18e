//! Values for keywords: good ones, odd ones, wrong ones.

use libmp::config::kind::Kind;
use libmp::config::options::{Key, OptionRow, Section};

use crate::rng::Rng;

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "5",
    "12",
    "30",
    "300",
    "601",
    "4000",
    "5000",
    "65535",
    "-1",
    "-10",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "99999999999",
    "99999999999999999999",
    "007",
    "+7",
    "0x10",
    "5s",
    "1.5",
    "\"6\"",
    "\" 7\"",
    "\"8 \"",
    "x",
    "off",
    "no",
    "yes",
    "infinity",
    "manual",
    "max",
    "fail",
    "queue",
    "\"\"",
    "-2147483648",
];
const TEXTS: &[&str] =
    &["ID_SERIAL", "ID_WWN", "x", "\"a b\"", "\"\"", "\"a\"\"b\"", "\"#x\"", "/a/b", "exclusive_pref_bit"];
const NAMES: &[&str] = &["mp", "disk", "\"x y\"", "a/b", "\"\"", "-part", "p"];
const SELECTORS: &[&str] = &[
    "\"round-robin 0\"",
    "\"queue-length 0\"",
    "\"service-time 0\"",
    "\"historical-service-time 0\"",
    "\"io-affinity 0\"",
    "round-robin",
    "\"round-robin 1\"",
    "\"a 1 b\"",
    "\"round-robin x\"",
    "\"service-time  0\"",
    "\"\"",
    "\"service-time 2 a b c\"",
];
const COUNTED: &[&str] = &[
    "0",
    "\"0\"",
    "\"1 queue_if_no_path\"",
    "\"2 pg_init_retries 50\"",
    "\"3 queue_if_no_path pg_init_retries 50\"",
    "\"2 retain_attached_hw_handler queue_if_no_path\"",
    "\"1 retain_attached_hw_handler\"",
    "\"1 alua\"",
    "\"1 emc\"",
    "\"1 rdac\"",
    "\"2 queue_mode bio\"",
    "\"1 x y\"",
    "\"x\"",
    "\"1\"",
    "\"0 x\"",
    "\"\"",
    "\"-1\"",
];
const PATTERNS: &[&str] = &[
    "\".*\"",
    "\"^sd[a-z]\"",
    "\"!^sd\"",
    "\"^(ram|loop)[0-9]*\"",
    "\"a{2}\"",
    "\"a\"\"b\"",
    "sda",
    "\"\"",
    "\"^hd[a-z][[0-9]*]\"",
    "NONE",
    "\"\\!x\"",
    "\"!\"",
    "\"a|b\"",
    "\"36\"",
];
const BAD_PATTERNS: &[&str] = &["\"[\"", "\"(\"", "\"*a\""];
/// Numbers of keywords whose other values are rows of the known differences.
const DEV_LOSS: &[&str] =
    &["infinity", "600", "1", "5", "0", "2147483647", "4294967294", "4294967295", "\"6\"", "x", "off"];
const POLLING: &[&str] = &["1", "2", "3", "5", "20", "30", "100", "\"6\"", "\" 7\""];
const FILES: &[&str] = &["max", "1", "100", "4096", "x", "\"\"", "5s"];
const FLUSH: &[&str] = &["yes", "no", "1", "0", "\"yes\"", "x"];
const POLICIES: &[&str] = &[
    "failover",
    "multibus",
    "group_by_serial",
    "group_by_prio",
    "group_by_node_name",
    "\"multibus\"",
    "x",
    "\"\"",
];
const MARGINAL: &[&str] = &["on", "off", "yes", "no", "1", "0", "x"];
const ALIASES: &[&str] = &["data1", "\"x y\"", "a/b", "a-b", "\"q\"\"q\""];
const KEYS: &[&str] = &["0xabc", "abc", "file", "0x1:aptpl", "0x0", "\"FFFF\"", "0xffffffffffffffff"];
const UID_ATTRS: &[&str] =
    &["\"sd:ID_SERIAL nvme:ID_WWN\"", "\"sd:ID_X\"", "sd", "\"dasd:ID_UID x\"", "\"\"", "\"sd:A sd:B\""];
const MODES: &[&str] = &["0660", "660", "0777", "1777", "9", "x", "0", "\"0600\"", "-1"];
const OWNERS: &[&str] = &["0", "root", "disk", "33", "nobody-here", "\"\"", "4294967295"];
const CALLOUTS: &[&str] = &["\"/lib/udev/scsi_id -g -u -d /dev/%n\"", "/bin/x"];
const VENDORS: &[&str] = &["ZZA", "ZZB", "\"ZZ.*\"", "NETAPP", "\"^IBM\""];
const PRODUCTS: &[&str] = &["P1", "\"P 2\"", "\".*\"", "LUN", "\"^2145\""];
const WWIDS: &[&str] = &["w1", "w2", "3600a0b8000", "\"w 3\""];
const PROTOCOLS: &[&str] = &[
    "scsi:fcp",
    "scsi:iscsi",
    "scsi:sas",
    "nvme:tcp",
    "nvme:rdma",
    "ccw",
    "undef",
    "scsi:unspec",
    "fcp",
    "scsi:srp",
];
const WORDS: &[&str] = &["x", "YES", "on", "off", "true", "\"\"", "0", "1", "yes", "no"];

/// A value for a keyword.
pub fn value(row: &OptionRow, section: Section, rng: &mut Rng) -> String {
    let from = match (row.key, row.kind_in(section)) {
        (Key::Vendor, _) => VENDORS,
        (Key::Product, _) => PRODUCTS,
        (Key::Type, _) => PROTOCOLS,
        (Key::Wwid, _) if section == Section::Multipath => WWIDS,
        (Key::PathSelector, _) => SELECTORS,
        (Key::DevLossTmo, _) => DEV_LOSS,
        (Key::PollingInterval | Key::MaxPollingInterval, _) => POLLING,
        (Key::MaxFds, _) => FILES,
        (Key::Alias, _) => ALIASES,
        (Key::Prio | Key::PathChecker, Kind::Words(words)) => {
            let words: Vec<&str> = words.iter().filter(|word| !word.old).map(|word| word.text).collect();
            return (*rng.pick(&words)).into();
        }
        (Key::FlushOnLastDel, _) => FLUSH,
        (Key::PathGroupingPolicy, _) => POLICIES,
        (Key::MarginalPathgroups, _) => MARGINAL,
        (_, Kind::Words(words)) => {
            let good = rng.percent(80);
            let word = if good { rng.pick(words).text } else { return (*rng.pick(WORDS)).into() };
            return if rng.percent(30) { format!("\"{word}\"") } else { word.into() };
        }
        (_, Kind::Number(kind)) if !kind.words.is_empty() && rng.percent(30) => {
            return rng.pick(kind.words).text.into();
        }
        (_, Kind::Number(_)) => NUMBERS,
        (_, Kind::Text) => TEXTS,
        (_, Kind::Name | Kind::Delimiter) => NAMES,
        (_, Kind::Counted(_)) => COUNTED,
        (_, Kind::Rule) if rng.percent(2) => BAD_PATTERNS,
        (_, Kind::Pattern | Kind::Rule) => PATTERNS,
        (_, Kind::Mode) => MODES,
        (_, Kind::User | Kind::Group) => OWNERS,
        (_, Kind::ReservationKey) => KEYS,
        (_, Kind::UidAttrs) => UID_ATTRS,
        (_, Kind::UidCallout) => CALLOUTS,
    };
    (*rng.pick(from)).into()
}
