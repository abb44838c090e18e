//! dm-mpath's status line (`STATUSTYPE_INFO` of `multipath_status` in dm-mpath.c).
//!
//! ```text
//! #features feature-value… #handler-args arg… #groups next-group
//!     [A|E|D #selector-args arg… #paths #path-args [MAJOR:MINOR A|F fail-count arg…]…]…
//! ```
//!
//! Only read, never written: the kernel is its only author.

use ::core::str::FromStr;
use alloc::vec::Vec;

use super::words::{LineError, Words};
use crate::types::DevT;

/// State of a path group, as the kernel has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DmGroupState {
    /// In no live table.
    Undef,
    /// I/O goes here.
    Active,
    /// It could.
    Enabled,
    /// It may not (an initialisation failed, or the operator said so).
    Disabled,
}

impl DmGroupState {
    /// The word in topologies (`status=active`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undef => "undef",
            Self::Active => "active",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

/// State of a multipath map in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Feature values as printed: whether I/O is held back for a group's initialisation, and how
    /// often one was begun. *Not* `queue_if_no_path`, which only the table shows.
    pub features: Vec<u32>,
    /// The group that the next I/O goes to, from 1; 0 where there is none.
    pub next_group: u32,
    /// Its groups, in the table's order.
    pub groups: Vec<GroupStatus>,
}

/// State of a path group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// `A`, `E` or `D`.
    pub state: DmGroupState,
    /// Its paths, in the table's order.
    pub paths: Vec<PathStatus>,
}

/// State of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathStatus {
    /// Its device number.
    pub devt: DevT,
    /// `A`: the kernel uses it; `F`: it has failed it.
    pub active: bool,
    /// How often it failed since the table was loaded.
    pub fail_count: u32,
}

impl Status {
    /// All paths, group after group.
    pub fn paths(&self) -> impl Iterator<Item = &PathStatus> {
        self.groups.iter().flat_map(|group| &group.paths)
    }

    /// The path of this device number.
    pub fn path(&self, devt: DevT) -> Option<&PathStatus> {
        self.paths().find(|path| path.devt == devt)
    }
}

impl FromStr for Status {
    type Err = LineError;
    fn from_str(line: &str) -> Result<Self, LineError> {
        let mut words = Words::new(line);
        let features = words.count("the number of features")?;
        let features = (0..features).map(|_| words.parsed("a feature's value")).collect::<Result<_, _>>()?;
        words.counted("the hardware handler's arguments")?;
        let groups = words.count("the number of groups")?;
        let next_group = words.parsed("the next group")?;
        let groups = (0..groups).map(|_| group(&mut words)).collect::<Result<_, _>>()?;
        words.end()?;
        Ok(Self { features, next_group, groups })
    }
}

fn group(words: &mut Words<'_>) -> Result<GroupStatus, LineError> {
    const STATE: &str = "a group's state (A, E or D)";
    let state = match words.word(STATE)? {
        "A" => DmGroupState::Active,
        "E" => DmGroupState::Enabled,
        "D" => DmGroupState::Disabled,
        _ => return Err(words.error(STATE)),
    };
    words.counted("the selector's arguments")?;
    let paths = words.count("the number of paths")?;
    let args = words.count("the number of path arguments")?;
    let paths = (0..paths).map(|_| path(words, args)).collect::<Result<_, _>>()?;
    Ok(GroupStatus { state, paths })
}

fn path(words: &mut Words<'_>, args: u32) -> Result<PathStatus, LineError> {
    const STATE: &str = "a path's state (A or F)";
    let devt = words.device()?;
    let active = match words.word(STATE)? {
        "A" => true,
        "F" => false,
        _ => return Err(words.error(STATE)),
    };
    let fail_count = words.parsed("a path's failure count")?;
    words.take(args, "a path's arguments")?;
    Ok(PathStatus { devt, active, fail_count })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO_GROUPS: &str = "2 0 1 0 2 1 A 0 1 2 8:0 A 0 0 1 E 0 2 2 8:16 F 3 0 1 8:32 A 1 4096 1 ";

    #[test]
    fn a_line_of_the_kernel() {
        let status: Status = TWO_GROUPS.parse().unwrap();
        assert_eq!(status.features, [0, 1]);
        assert_eq!(status.next_group, 1);
        assert_eq!(status.groups[0].state, DmGroupState::Active);
        assert_eq!(status.groups.len(), 2);
        assert_eq!(status.groups[1].state, DmGroupState::Enabled);
        assert_eq!(
            status.path(DevT::new(8, 16)),
            Some(&PathStatus { devt: DevT::new(8, 16), active: false, fail_count: 3 })
        );
        assert_eq!(status.paths().filter(|path| path.active).count(), 2);
    }

    #[test]
    fn other_selectors_and_no_paths() {
        for (line, paths) in [
            ("2 0 0 0 0 0 ", 0),
            ("2 0 0 0 1 1 E 0 2 0 8:16 A 0 8:32 A 0 ", 2), // round-robin
            ("2 0 0 0 1 1 D 0 1 1 8:16 A 0 7 ", 1),        // queue-length
            ("2 0 0 0 1 1 A 2 0 2 1 3 8:16 A 0 10 20 30 ", 1), // historical-service-time
            ("2 1 5 0 1 1 A 0 1 1 259:3 F 4294967295 0000000f", 1), // io-affinity
        ] {
            assert_eq!(line.parse::<Status>().map(|s| s.paths().count()), Ok(paths), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_by_its_place() {
        for (line, word) in [
            ("", 1),
            ("2 0", 3),
            ("2 0 x 0 0 0", 3),
            ("2 0 0 0 1 1 X 0 0 0", 7),
            ("2 0 0 0 1 1 A 0 1 0 sda A 0", 11),
            ("2 0 0 0 1 1 A 0 1 0 8:0 B 0", 12),
            ("2 0 0 0 1 1 A 0 1 0 8:0 A -1", 13),
            ("2 0 0 0 4294967295 1", 5),
            ("2 0 0 0 0 0 0", 7),
        ] {
            assert_eq!(line.parse::<Status>().map_err(|e| e.word), Err(word), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(line in "\\PC*") {
            let _ = line.parse::<Status>();
        }

        #[test]
        fn no_damage_panics(at in 0..TWO_GROUPS.len(), with in "[ 0-9AEDF:x]{0,3}") {
            let mut line = TWO_GROUPS.to_owned();
            line.replace_range(at..=at, &with);
            let _ = line.parse::<Status>();
        }
    }
}
