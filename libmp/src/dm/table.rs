//! dm-mpath's table line (`multipath_ctr` and `STATUSTYPE_TABLE` of dm-mpath.c), read and written.
//!
//! ```text
//! #features feature… #handler-args handler… #groups initial-group
//!     [selector #selector-args arg… #paths #path-args [MAJOR:MINOR arg…]…]…
//! ```
//!
//! What is loaded and what the kernel prints differ in text for the same table: it leaves blanks
//! at the end, orders features its own way, fills in arguments that were not given, and drops some
//! that were. So tables are compared as types, by [`Table::difference`].

use ::core::fmt;
use ::core::str::FromStr;
use alloc::string::String;
use alloc::vec::Vec;

use super::normal;
use super::words::{LineError, Words, counted_text};
use crate::types::DevT;

/// The feature that makes a map queue I/O while it has no path.
pub const QUEUE_IF_NO_PATH: &str = "queue_if_no_path";
/// The feature that says whether the map is made of requests (`rq`, `mq`) or of bios (`bio`).
pub const QUEUE_MODE: &str = "queue_mode";

/// Parameters of one multipath target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Words of the features, values included: `["queue_if_no_path", "pg_init_retries", "50"]`.
    pub features: Vec<String>,
    /// Hardware handler and its arguments: `["alua"]`; `[]` for none.
    pub handler: Vec<String>,
    /// The group that I/O begins with, from 1; 0 where there are no groups.
    pub init_group: u32,
    /// Its groups. The kernel falls back from one to the next in this order.
    pub groups: Vec<TableGroup>,
}

/// A path group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableGroup {
    /// How a path is picked for an I/O.
    pub selector: Selector,
    /// Its paths; at least one, and all with the same number of arguments.
    pub paths: Vec<TablePath>,
}

/// A path selector and its arguments, `service-time 0` in text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    /// `service-time`, `queue-length`, `round-robin`, `historical-service-time`, `io-affinity`.
    pub name: String,
    /// Arguments of the selector itself, without their count.
    pub args: Vec<String>,
}

/// A path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePath {
    /// Its device number.
    pub devt: DevT,
    /// Arguments of the selector for this path: `["1"]` (repeat count), `["1", "50"]` (and weight).
    pub args: Vec<String>,
}

/// In what two tables differ, the weightiest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// Other paths, or the same ones grouped otherwise.
    Groups,
    /// Another selector, other arguments of it, or other weights of paths.
    Selector,
    /// Another hardware handler.
    Handler,
    /// Features other than `queue_if_no_path`.
    Features,
    /// The same groups in another order.
    GroupOrder,
    /// Only `queue_if_no_path`: a message changes it, no table need be loaded.
    Queueing,
}

impl Difference {
    /// What to tell an operator.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Groups => "paths or groups changed",
            Self::Selector => "path selector changed",
            Self::Handler => "hardware handler changed",
            Self::Features => "features changed",
            Self::GroupOrder => "order of groups changed",
            Self::Queueing => "queueing changed",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Table {
    /// Does it queue I/O while it has no path?
    pub fn queues(&self) -> bool {
        self.features.iter().any(|word| word.eq_ignore_ascii_case(QUEUE_IF_NO_PATH))
    }

    /// Is it made of bios? Without a word about it, it is made of requests.
    pub fn is_bio_based(&self) -> bool {
        normal::features(&self.features).iter().any(|(name, value)| name == QUEUE_MODE && value == "bio")
    }

    /// Adds or takes away `queue_if_no_path`; the other features stay.
    pub fn set_queueing(&mut self, queueing: Queueing) {
        self.features.retain(|word| !word.eq_ignore_ascii_case(QUEUE_IF_NO_PATH));
        if queueing == Queueing::On {
            self.features.insert(0, QUEUE_IF_NO_PATH.into());
        }
    }

    /// Features with their count: `1 queue_if_no_path`, `0`.
    pub fn features_text(&self) -> String {
        counted_text(&self.features)
    }

    /// Handler and its arguments with their count: `1 alua`, `0`.
    pub fn handler_text(&self) -> String {
        counted_text(&self.handler)
    }

    /// All paths, group after group.
    pub fn paths(&self) -> impl Iterator<Item = &TablePath> {
        self.groups.iter().flat_map(|group| &group.paths)
    }

    /// Have both the same paths, however they are grouped?
    pub fn has_paths_of(&self, other: &Self) -> bool {
        let sorted = |table: &Self| {
            let mut all: Vec<DevT> = table.paths().map(|path| path.devt).collect();
            all.sort();
            all
        };
        sorted(self) == sorted(other)
    }

    /// The weightiest difference between two tables as the kernel understands them.
    ///
    /// No difference: the order of features; features at the kernel's defaults (`pg_init_retries 0`,
    /// `queue_mode rq` or `mq`); `retain_attached_hw_handler`, which has had no effect of its own
    /// since Linux 4.3; arguments of the handler, and with `queue_mode bio` the handler, which the
    /// kernel does not print; selector and path arguments at their defaults; repeat counts, which
    /// the kernel takes for 1 since Linux 4.6 whatever they are; the order of paths in a group; and
    /// `init_group`, for which the kernel prints where I/O goes *now* (see `dm::status`).
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        let (groups, other_groups) = (normal::groups(self), normal::groups(other));
        let by_paths = |groups: &[normal::Group]| {
            let mut sets: Vec<Vec<DevT>> = groups.iter().map(normal::Group::members).collect();
            sets.sort();
            sets
        };
        let sorted = |groups: &[normal::Group]| {
            let mut groups = groups.to_vec();
            groups.sort();
            groups
        };
        if by_paths(&groups) != by_paths(&other_groups) {
            Some(Difference::Groups)
        } else if sorted(&groups) != sorted(&other_groups) {
            Some(Difference::Selector)
        } else if normal::handler(self) != normal::handler(other) {
            Some(Difference::Handler)
        } else if normal::features(&self.features) != normal::features(&other.features) {
            Some(Difference::Features)
        } else if groups != other_groups {
            Some(Difference::GroupOrder)
        } else if self.queues() != other.queues() {
            Some(Difference::Queueing)
        } else {
            None
        }
    }
}

/// Whether a map queues I/O while it has no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queueing {
    /// It does.
    On,
    /// It fails it.
    Off,
}

impl FromStr for Table {
    type Err = LineError;
    fn from_str(line: &str) -> Result<Self, LineError> {
        let mut words = Words::new(line);
        let features = words.counted("the features")?;
        let handler = words.counted("the hardware handler")?;
        let groups = words.count("the number of groups")?;
        let init_group = words.count("the initial group")?;
        if (groups == 0) != (init_group == 0) {
            return Err(words.error("a group's number, from 1 (0 where there are none)"));
        }
        let groups = (0..groups).map(|_| group(&mut words)).collect::<Result<_, _>>()?;
        words.end()?;
        Ok(Self { features, handler, init_group, groups })
    }
}

fn group(words: &mut Words<'_>) -> Result<TableGroup, LineError> {
    let name = words.word("a path selector")?.into();
    let args = words.counted("the selector's arguments")?;
    let paths = words.count("the number of paths")?;
    if paths == 0 {
        return Err(words.error("the number of paths, at least 1"));
    }
    let path_args = words.count("the number of path arguments")?;
    let paths = (0..paths)
        .map(|_| Ok(TablePath { devt: words.device()?, args: words.take(path_args, "a path's arguments")? }))
        .collect::<Result<_, _>>()?;
    Ok(TableGroup { selector: Selector { name, args }, paths })
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.features_text(), self.handler_text())?;
        write!(f, " {} {}", self.groups.len(), self.init_group)?;
        self.groups.iter().try_for_each(|group| write!(f, " {group}"))
    }
}

/// Where paths differ in their number of arguments, all get as many as the one with the fewest.
impl fmt::Display for TableGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args = self.paths.iter().map(|path| path.args.len()).min().unwrap_or(0);
        write!(f, "{} {} {args}", self.selector, self.paths.len())?;
        for path in &self.paths {
            write!(f, " {}", path.devt)?;
            path.args.iter().take(args).try_for_each(|arg| write!(f, " {arg}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, counted_text(&self.args))
    }
}

/// `service-time 0`; a name alone is one without arguments.
impl FromStr for Selector {
    type Err = LineError;
    fn from_str(text: &str) -> Result<Self, LineError> {
        let mut words = Words::new(text);
        let name = words.word("a path selector")?.into();
        if text.split_ascii_whitespace().nth(1).is_none() {
            return Ok(Self { name, args: Vec::new() });
        }
        let args = words.counted("the selector's arguments")?;
        words.end()?;
        Ok(Self { name, args })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOADED: &str = "1 queue_if_no_path 1 alua 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1";
    const PRINTED: &str =
        "1 queue_if_no_path 1 alua 2 2 service-time 0 1 2 8:0 1 1 service-time 0 1 2 8:16 1 1 ";

    fn table(line: &str) -> Table {
        line.parse().unwrap_or_else(|e| panic!("{line}: {e}"))
    }

    #[test]
    fn lines_round_trip() {
        for line in [
            LOADED,
            PRINTED.trim_end(),
            "0 0 0 0",
            "0 0 1 1 round-robin 0 2 0 8:0 8:16",
            "5 queue_if_no_path pg_init_retries 50 queue_mode bio 0 1 1 historical-service-time 2 900 1 1 1 259:0 0",
            "0 3 emc 1 0 1 1 queue-length 0 1 1 8:0 1",
        ] {
            assert_eq!(table(line).to_string(), line);
        }
        let parsed = table(LOADED);
        assert!(parsed.queues());
        assert_eq!(parsed.features_text(), "1 queue_if_no_path");
        assert_eq!(parsed.handler_text(), "1 alua");
        assert_eq!(parsed.groups[1].selector.to_string(), "service-time 0");
        assert_eq!(parsed.paths().map(|p| p.devt.minor).collect::<Vec<_>>(), [0, 16]);
        assert_eq!(table("0 0 0 0").handler_text(), "0");
    }

    #[test]
    fn what_is_wrong_is_said_by_its_place() {
        for (line, word) in [
            ("", 1),
            ("1", 2),
            ("2 queue_if_no_path 0 1", 5),
            ("0 0 1 0 round-robin 0 1 0 8:0", 4),
            ("0 0 0 1", 4),
            ("0 0 1 1 round-robin 0 0 0", 7),
            ("0 0 1 1 round-robin 0 1 0 sda", 9),
            ("0 0 1 1 round-robin 0 2 0 8:0", 10),
            ("0 0 1 1 round-robin 0 1 0 8:0 8:16", 10),
            ("0 0 99999 1", 3),
            ("-1 0 0 0", 1),
            ("+0 0 0 0", 1),
        ] {
            assert_eq!(line.parse::<Table>().map_err(|e| e.word), Err(word), "{line}");
        }
    }

    #[test]
    fn selectors() {
        let plain = Selector { name: "service-time".into(), args: vec![] };
        for text in ["service-time 0", "service-time", " service-time  0 "] {
            assert_eq!(text.parse(), Ok(plain.clone()), "{text:?}");
        }
        assert_eq!("x 2 a b".parse::<Selector>().unwrap().to_string(), "x 2 a b");
        for bad in ["", "x 1", "x 0 a", "x y"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_kernels_words_for_the_same_table() {
        for (loaded, printed) in [
            (LOADED, PRINTED),
            ("0 0 1 1 round-robin 0 2 1 8:0 1000 8:16 1000", "0 0 1 1 round-robin 0 2 1 8:16 1 8:0 1 "),
            ("0 0 1 1 round-robin 0 1 0 8:0", "0 0 1 1 round-robin 0 1 1 8:0 1 "),
            ("0 0 1 1 queue-length 0 1 1 8:0 10", "0 0 1 1 queue-length 0 1 1 8:0 1 "),
            (
                "0 0 1 1 historical-service-time 0 1 1 8:0 1",
                "0 0 1 1 historical-service-time 2 972 0 1 1 8:0 0 ",
            ),
            ("0 0 1 1 io-affinity 0 1 1 8:0 f", "0 0 1 1 io-affinity 0 1 1 8:0 0000000F "),
            (
                "4 pg_init_retries 5 queue_mode mq 1 alua 0 0",
                "3 pg_init_retries 5 retain_attached_hw_handler 1 alua 0 0 ",
            ),
            ("3 queue_mode bio QUEUE_IF_NO_PATH 1 alua 0 0", "3 queue_if_no_path queue_mode bio 0 0 0 "),
            ("2 pg_init_retries 0 3 emc 1 0 0 0", "0 1 emc 0 0 "),
        ] {
            assert_eq!(table(loaded).difference(&table(printed)), None, "{loaded}");
            assert_eq!(table(printed).difference(&table(loaded)), None, "{loaded}");
        }
    }

    #[test]
    fn differences_by_weight() {
        use Difference::*;
        for (other, difference) in [
            ("0 1 alua 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1", Queueing),
            ("1 queue_if_no_path 1 alua 2 1 service-time 0 1 1 8:16 1 service-time 0 1 1 8:0 1", GroupOrder),
            ("0 1 alua 2 1 service-time 0 1 1 8:16 1 service-time 0 1 1 8:0 1", GroupOrder),
            (
                "3 queue_if_no_path pg_init_retries 50 1 alua 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1",
                Features,
            ),
            ("1 queue_if_no_path 0 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:16 1", Handler),
            ("1 queue_if_no_path 1 alua 2 1 service-time 0 1 2 8:0 1 2 service-time 0 1 1 8:16 1", Selector),
            ("1 queue_if_no_path 1 alua 2 1 queue-length 0 1 1 8:0 1 service-time 0 1 1 8:16 1", Selector),
            ("1 queue_if_no_path 1 alua 1 1 service-time 0 2 1 8:0 1 8:16 1", Groups),
            ("1 queue_if_no_path 1 alua 2 1 service-time 0 1 1 8:0 1 service-time 0 1 1 8:32 1", Groups),
            ("0 0 0 0", Groups),
        ] {
            assert_eq!(table(LOADED).difference(&table(other)), Some(difference), "{other}");
            assert_eq!(table(other).difference(&table(PRINTED)), Some(difference), "{other}");
        }
    }

    #[test]
    fn queueing_is_set_in_one_place() {
        let mut changed = table("3 pg_init_retries 50 QUEUE_IF_NO_PATH 0 0 0");
        changed.set_queueing(Queueing::Off);
        assert_eq!(changed.features_text(), "2 pg_init_retries 50");
        changed.set_queueing(Queueing::On);
        changed.set_queueing(Queueing::On);
        assert_eq!(changed.features_text(), "3 queue_if_no_path pg_init_retries 50");
    }

    fn any_table() -> impl Strategy<Value = Table> {
        let word = || "[a-z_]{1,8}|[0-9]{1,4}";
        let words = move || prop::collection::vec(word(), 0..4);
        let group = ("[a-z-]{1,8}", words(), 0usize..3).prop_flat_map(move |(name, args, count)| {
            let path = (any::<u16>(), any::<u32>(), prop::collection::vec(word(), count));
            prop::collection::vec(path, 1..4).prop_map(move |paths| TableGroup {
                selector: Selector { name: name.clone(), args: args.clone() },
                paths: paths
                    .into_iter()
                    .map(|(major, minor, args)| TablePath { devt: DevT::new(major.into(), minor), args })
                    .collect(),
            })
        });
        (words(), words(), prop::collection::vec(group, 0..4)).prop_map(|(features, handler, groups)| Table {
            features,
            handler,
            init_group: u32::from(!groups.is_empty()),
            groups,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(table in any_table()) {
            prop_assert_eq!(table.to_string().parse::<Table>(), Ok(table.clone()));
            prop_assert_eq!(table.difference(&table), None);
        }

        #[test]
        fn no_text_panics(line in "\\PC*", at in 0..LOADED.len(), with in "[ 0-9a:]{0,3}") {
            let _ = line.parse::<Table>();
            let mut damaged = LOADED.to_owned();
            damaged.replace_range(at..=at, &with);
            let _ = damaged.parse::<Table>().map(|t| t.difference(&table(LOADED)));
        }
    }
}
