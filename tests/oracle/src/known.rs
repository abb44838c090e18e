//! What differs and is known to, as data. Each row has a file that shows it, which is tried in each run: a row
//! that shows nothing any more is a failure too.

use crate::difference::Difference;

/// What a side says of a keyword.
#[derive(Debug, Clone, Copy)]
pub enum Says {
    /// Nothing.
    Nothing,
    /// One of these values, as the dump writes them.
    One(&'static [&'static str]),
    /// Whatever it says, or nothing.
    Anything,
}
use Says::{Anything, Nothing, One};

impl Says {
    fn fits(self, value: Option<&str>) -> bool {
        match self {
            Nothing => value.is_none(),
            One(values) => value.is_some_and(|value| values.contains(&value)),
            Anything => true,
        }
    }
}

/// A known difference.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The beginning of the place; empty for all.
    pub place: &'static str,
    /// The keyword; empty for all.
    pub keyword: &'static str,
    /// What the reference says.
    pub theirs: Says,
    /// What we say.
    pub ours: Says,
    /// Why it may stay. What begins with a version is not in that version of the reference.
    pub why: &'static str,
    /// A file that shows it.
    pub file: &'static str,
}

impl Known {
    /// Is this difference meant?
    pub fn covers(&self, difference: &Difference) -> bool {
        difference.place.starts_with(self.place)
            && (self.keyword.is_empty() || difference.keyword == self.keyword)
            && self.theirs.fits(difference.theirs.as_deref())
            && self.ours.fits(difference.ours.as_deref())
    }
}

/// The row that a difference belongs to.
pub fn row(difference: &Difference) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.covers(difference))
}

const NEW: &str = "0.9.4 does not know the keyword, 0.15.0 does";
const TOOL: &str = "the reference's tool sets it for itself; what its daemon has is the same";
const NO_EFFECT: &str = "it has no effect any more, and 0.15.0 does not print it either";

/// Keywords that are left out of the comparison, and why.
pub const NOT_COMPARED: &[(&str, &str)] = &[
    ("auto_resize", NEW),
    ("detect_pgpolicy", NEW),
    ("detect_pgpolicy_use_tpg", NEW),
    ("flap_dampening", "the reference has nothing like it"),
    ("max_retries", NEW),
    ("purge_disconnected", NEW),
    ("force_sync", TOOL),
    ("retrigger_tries", TOOL),
    ("bindings_file", NO_EFFECT),
    ("disable_changed_wwids", NO_EFFECT),
    ("prkeys_file", NO_EFFECT),
    ("rr_min_io", NO_EFFECT),
    ("rr_min_io_rq", NO_EFFECT),
    ("rr_weight", NO_EFFECT),
    ("wwids_file", NO_EFFECT),
];

/// Keywords that 0.9.4 has not: it takes them nowhere.
pub const NEW_IN: &[&str] = &[
    "auto_resize",
    "detect_pgpolicy",
    "detect_pgpolicy_use_tpg",
    "flap_dampening",
    "max_retries",
    "purge_disconnected",
];

/// Keywords of versions before 0.9.4, which it has dropped.
pub const ONLY_HERE: &[&str] = &["prio_callout", "all_devs"];

/// Words that the reference writes otherwise: the keyword, its word, ours.
pub const SPELLED: &[(&str, &str, &str)] =
    &[("flush_on_last_del", "\"yes\"", "\"always\""), ("flush_on_last_del", "\"no\"", "\"unused\"")];

const fn known(
    place: &'static str,
    keyword: &'static str,
    theirs: Says,
    ours: Says,
    why: &'static str,
    file: &'static str,
) -> Known {
    Known { place, keyword, theirs, ours, why, file }
}

/// Single values.
#[rustfmt::skip]
pub const KNOWN: &[Known] = &[
    // What is read here and not there.
    known("defaults", "find_multipaths", One(&["\"strict\""]), One(&["\"greedy\""]),
        "a file of a time when every disk was taken that was not excluded", "defaults {\n udev_dir /dev\n}\n"),
    known("", "getuid_callout", Nothing, Anything, "it still means something here",
        "overrides {\n getuid_callout /sbin/scsi_id\n}\n"),
    known("defaults", "uid_attribute", One(&["\"ID_SERIAL\""]), Nothing, "getuid_callout says it",
        "defaults {\n getuid_callout /sbin/scsi_id\n find_multipaths on\n}\n"),
    known("multipaths", "mode", Anything, One(&["00", "0600", "0660", "0777"]), MERGED,
        "multipaths {\n multipath {\n wwid a\n mode 0600\n }\n multipath {\n wwid a\n uid 33\n }\n}\n"),
    known("multipaths", "uid", Anything, One(&["0", "6", "33", "4294967295"]), MERGED,
        "multipaths {\n multipath {\n wwid a\n uid 33\n }\n multipath {\n wwid a\n mode 0600\n }\n}\n"),
    known("multipaths", "gid", Anything, One(&["0", "6", "33", "4294967295"]), MERGED,
        "multipaths {\n multipath {\n wwid a\n gid 33\n }\n multipath {\n wwid a\n mode 0600\n }\n}\n"),
    known("defaults", "marginal_pathgroups", One(&["\"off\""]), One(&["\"fpin\""]), "Debian builds without FPIN",
        "defaults {\n marginal_pathgroups fpin\n}\n"),
    known("defaults", "flush_on_last_del", One(&["\"unused\""]), One(&["\"never\""]), "a word of 0.15.0",
        "defaults {\n flush_on_last_del never\n}\n"),
    known("defaults", "path_grouping_policy", One(&["\"failover\""]), One(&["\"group_by_tpg\""]), "a word of 0.15.0",
        "defaults {\n path_grouping_policy group_by_tpg\n}\n"),
    known("defaults", "path_selector", One(&["\"service-time 0\""]), One(&["\"round-robin 0\""]), OLD_NAME,
        "defaults {\n selector \"round-robin 0\"\n}\n"),
    known("defaults", "failback", One(&["\"manual\""]), One(&["\"immediate\""]), OLD_NAME,
        "defaults {\n default_failback immediate\n}\n"),
    known("defaults", "prio", One(&["\"const\""]), One(&["\"alua\""]), "programs of old that named a prioritizer",
        "defaults {\n prio_callout \"/sbin/mpath_prio_alua /dev/%n\"\n find_multipaths on\n}\n"),
    known("defaults", "detect_checker", One(&["\"yes\""]), One(&["\"no\""]), OLD_NAME,
        "defaults {\n detect_path_checker no\n}\n"),
    known("blacklist", "devnode", Nothing, One(&["\"^sdz\""]), OLD_NAME, "devnode_blacklist {\n devnode ^sdz\n}\n"),
    // What is refused here and taken there.
    known("multipaths", "alias", One(&["\"x\"", "\"\"", "\"data1\"", "\"x y\"", "\"a-b\"", "\"q\"\"q\""]), Nothing,
        "two WWIDs with one alias: the first gets it",
        "multipaths {\n multipath {\n wwid a\n alias x\n }\n multipath {\n wwid b\n alias x\n }\n}\n"),
    known("multipaths", "alias", One(&["\"\""]), Nothing, "a map needs a name",
        "multipaths {\n multipath {\n wwid a\n alias \"\"\n }\n}\n"),
    known("multipaths", "{}", One(&["multipath { prio \"alua\"; wwid \"\" }"]), Nothing, "no map is without a WWID",
        "multipaths {\n multipath {\n wwid \"\"\n prio alua\n }\n}\n"),
    known("defaults", "prio", One(&["\"bogus\""]), One(&["\"const\""]), "a prioritizer that is not known is not loaded later",
        "defaults {\n prio bogus\n}\n"),
    known("defaults", "path_checker", One(&["\"bogus\""]), One(&["\"tur\""]), "a checker that is not known is not loaded later",
        "defaults {\n path_checker bogus\n}\n"),
    known("defaults", "prio", One(&["\"netapp\""]), One(&["\"ontap\""]), "an old word is written as the present one",
        "defaults {\n prio netapp\n}\n"),
    known("defaults", "path_checker", One(&["\"hp_tur\""]), Anything, "an old word is written as the present one",
        "defaults {\n path_checker hp_tur\n}\n"),
    known("defaults", "reservation_key", One(&["0x1"]), Nothing, "an unknown flag of a key",
        "defaults {\n reservation_key 1:x\n}\n"),
    known("defaults", "mode", One(&["0660"]), Nothing, "permissions with something behind them",
        "defaults {\n mode 0660x\n}\n"),
    known("defaults", "uid", One(&["4294967295"]), Nothing, "a negative number of a user",
        "defaults {\n uid -1\n}\n"),
    known("defaults", "dev_loss_tmo", One(&["5", "4294967286", "1215752191"]), Nothing, TIMEOUT,
        "defaults {\n dev_loss_tmo 5s\n}\n"),
    known("defaults", "dev_loss_tmo", One(&["1215752191"]), One(&["\"infinity\""]), TIMEOUT,
        "defaults {\n dev_loss_tmo 99999999999\n}\n"),
    known("defaults", "polling_interval", One(&["4294967294"]), One(&["5"]), INTERVAL,
        "defaults {\n polling_interval 5s\n}\n"),
    known("defaults", "max_polling_interval", One(&["4294967295"]), One(&["20"]), INTERVAL,
        "defaults {\n polling_interval 5s\n}\n"),
    known("defaults", "polling_interval", One(&["0"]), One(&["1"]), "every path would be checked all the time",
        "defaults {\n polling_interval 0\n}\n"),
    known("defaults", "max_polling_interval", One(&["0"]), One(&["4"]), "every path would be checked all the time",
        "defaults {\n polling_interval 0\n}\n"),
    known("defaults", "max_fds", One(&["\"max\""]), One(&["2147483647"]), "the system's limit is not known to the parser",
        "defaults {\n max_fds 99999999999\n}\n"),
    known("defaults", "max_fds", Nothing, One(&["0"]), "0 would read back as the default",
        "defaults {\n max_fds 0\n}\n"),
    known("devices", "{}", One(&["device { product \"P\"; revision \"(\"; vendor \"ZZ\" }"]), Nothing,
        "an expression that is wrong matches nothing", "devices {\n device {\n vendor ZZ\n product P\n revision \"(\"\n }\n}\n"),
    known("blacklist", "wwid", One(&["\"(a)\\1\""]), Nothing, "back-references are refused",
        "blacklist {\n wwid \"(a)\\1\"\n}\n"),
];

const MERGED: &str = "entries for one WWID are merged line by line; the reference keeps mode, uid and gid of the later only, if it has one of them";
const OLD_NAME: &str = "an old name that the reference has dropped";
const TIMEOUT: &str = "the reference takes the digits that a text begins with, and numbers modulo 2^32";
const INTERVAL: &str = "a value that is wrong leaves the reference with a marker in its place";

/// Files that the two read differently as a whole, and why.
#[rustfmt::skip]
pub const SYNTAX: &[(&str, &str)] = &[
    ("defaults {\n bogus {\n x y\n }\n prio alua\n}\n", "an unknown section is skipped up to its `}`, not up to the end of the line"),
    ("defaults {\n prio alua\nblacklist {\n devnode ^sda$\n}\n", "a `}` that is missing is made up for"),
    ("devices { device { vendor ZZ product P prio alua } }\n", "sections may stand on one line"),
    ("blacklist {\n device {\n vendor ZZ\n }\n}\n", "the reference prints a rule with one pattern without its braces"),
];

/// Files that the reference refuses whole; here the line is ignored, and said.
pub const REFUSED: &[&str] = &[
    "defaults {\n prio alua\n}\nblacklist {\n devnode \"(\"\n}\n",
    "defaults {\n prio alua\n reservation_key xyz\n}\n",
];

/// Files that the reference refuses whole; here the line is what it must mean.
pub const TAKEN: &[&str] = &["defaults {\n prio alua\n}\nblacklist_exceptions {\n wwid \"*\"\n}\n"];
