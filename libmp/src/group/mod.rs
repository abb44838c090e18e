//! Path grouping policies: the paths of a map → its groups, the best one first.
//!
//! Only the paths' own data decide, never what the kernel has: the same paths give the same groups.

use ::core::cmp::Reverse;
use alloc::vec::Vec;

use alloc::string::String;

use crate::config::settings::GroupingPolicy;
use crate::types::Priority;

/// What grouping looks at in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The caller's name for it, given back in [`Group::members`].
    pub key: usize,
    /// Unit serial number, for `group_by_serial`.
    pub serial: String,
    /// Target node name, for `group_by_node_name`.
    pub node_name: String,
    /// Target port group, for `group_by_tpg`. Two of which it is not known may be those of two controllers: each is alone.
    pub tpg: Option<u16>,
    /// Priority; that of an unusable path counts for `group_by_prio` only.
    pub priority: Priority,
    /// Is it up or ghost?
    pub usable: bool,
    /// Is it marginal? Only to be set with `marginal_pathgroups`: marginal paths get their own groups.
    pub marginal: bool,
    /// Rank among equals, so that the same paths always come in the same order.
    pub order: u64,
}

/// A path group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Keys of its paths, in stable order. Never empty.
    pub members: Vec<usize>,
    /// Mean of the known priorities of its usable paths, rounded towards zero; unknown where all of
    /// them are unknown, 0 without usable paths.
    pub priority: Priority,
    /// How many of its paths are usable.
    pub usable: usize,
    /// Is it made of marginal paths?
    pub marginal: bool,
}

/// The groups in the order of the table: those of marginal paths last, before them those without
/// a usable path, and among the rest by priority, then by the number of usable paths, then by the
/// order of their first paths.
pub fn group(policy: GroupingPolicy, members: &[Member]) -> Vec<Group> {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by_key(|member| member.order);
    let mut sets: Vec<Vec<&Member>> = Vec::new();
    for member in members {
        match sets.iter_mut().find(|set| together(policy, set[0], member)) {
            Some(set) => set.push(member),
            None => sets.push(alloc::vec![member]),
        }
    }
    let mut groups: Vec<Group> = sets.iter().map(|set| group_of(set)).collect();
    groups.sort_by_key(|g| (g.marginal, g.usable == 0, Reverse((g.priority, g.usable))));
    groups
}

/// Do these two go into one group?
fn together(policy: GroupingPolicy, one: &Member, other: &Member) -> bool {
    one.marginal == other.marginal
        && match policy {
            GroupingPolicy::Failover => false,
            GroupingPolicy::Multibus => true,
            GroupingPolicy::BySerial => one.serial == other.serial,
            GroupingPolicy::ByPrio => one.priority == other.priority,
            GroupingPolicy::ByNodeName => one.node_name == other.node_name,
            GroupingPolicy::ByTpg => one.tpg.is_some() && one.tpg == other.tpg,
        }
}

fn group_of(set: &[&Member]) -> Group {
    let (priority, usable) = rate(set.iter().map(|member| (member.priority, member.usable)));
    Group {
        members: set.iter().map(|member| member.key).collect(),
        priority,
        usable,
        marginal: set.iter().all(|member| member.marginal),
    }
}

/// Priority of a group and number of its usable paths, from its paths' priorities and usability.
/// For groups that the kernel has and that are not to be grouped anew.
pub fn rate(paths: impl Iterator<Item = (Priority, bool)>) -> (Priority, usize) {
    let (mut usable, mut known, mut sum) = (0usize, 0i64, 0i64);
    for (priority, _) in paths.filter(|(_, usable)| *usable) {
        usable += 1;
        if priority.is_known() {
            known += 1;
            sum += i64::from(priority.0);
        }
    }
    let priority = match sum.checked_div(known) {
        Some(mean) => Priority(i32::try_from(mean).unwrap_or(i32::MAX)),
        None if usable > 0 => Priority::UNDEF,
        None => Priority(0),
    };
    (priority, usable)
}

/// Which group should get the I/O, from 1 as the table counts; 0 where there are no groups.
///
/// A group of marginal paths only if no other has a usable path; then the highest priority, the
/// most usable paths, the first. The first of all where none has a usable path.
pub fn best(groups: &[Group]) -> usize {
    let candidates = groups.iter().enumerate().filter(|(_, g)| g.usable > 0);
    candidates
        .min_by_key(|(at, g)| (g.marginal, Reverse((g.priority, g.usable)), *at))
        .map_or(usize::from(!groups.is_empty()), |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `priority`, `+` usable or `-` not, `m` marginal; serial, node name and group from the key.
    fn members(text: &str) -> Vec<Member> {
        text.split_whitespace()
            .enumerate()
            .map(|(key, word)| Member {
                key,
                serial: format!("serial {}", key % 2),
                node_name: format!("node {}", key / 2),
                tpg: (key % 7 > 0).then_some(u16::from(key > 2)),
                priority: Priority(word.trim_matches(['+', '-', 'm']).parse().map_or(-1, |p: i32| p)),
                usable: word.contains('+'),
                marginal: word.contains('m'),
                order: key as u64,
            })
            .collect()
    }

    fn shown(groups: &[Group]) -> String {
        let one = |g: &Group| {
            let keys: String = g.members.iter().map(ToString::to_string).collect();
            format!("{keys}={}/{}{}", g.priority, g.usable, if g.marginal { "m" } else { "" })
        };
        let all: Vec<_> = groups.iter().map(one).collect();
        format!("{} best {}", all.join(" "), best(groups))
    }

    #[test]
    fn policies() {
        use GroupingPolicy::*;
        for (policy, paths, expected) in [
            (Failover, "1+ 1+", "0=1/1 1=1/1 best 1"),
            (Failover, "10+ 50+", "1=50/1 0=10/1 best 1"),
            (Failover, "50- 10+", "1=10/1 0=0/0 best 1"),
            (Multibus, "1+ 1+ 1-", "012=1/2 best 1"),
            (Multibus, "10+ 51+ 1-", "012=30/2 best 1"),
            (BySerial, "1+ 1+ 1+ 1+", "02=1/2 13=1/2 best 1"),
            (ByNodeName, "1+ 1- 1+ 1+", "23=1/2 01=1/1 best 1"),
            (ByTpg, "1+ 1+ 1+ 1+ 1+ 1+", "345=1/3 12=1/2 0=1/1 best 1"),
            (ByTpg, "1+ 1+ 1+ 1+ 1+ 1+ 1+ 1+", "3456=1/4 12=1/2 0=1/1 7=1/1 best 1"),
            (ByPrio, "10+ 50+ 10+ 50+", "13=50/2 02=10/2 best 1"),
            (ByPrio, "50- 10+ 50-", "1=10/1 02=0/0 best 1"),
            (ByPrio, "50+ 50- 50+", "012=50/2 best 1"),
            (ByPrio, "?+ 10-", "0=-1/1 1=0/0 best 1"),
            (ByPrio, "0+ 10-", "0=0/1 1=0/0 best 1"),
            (Multibus, "50+ 50+m 50+", "02=50/2 1=50/1m best 1"),
            (Multibus, "50- 50+m 50-", "02=0/0 1=50/1m best 2"),
            (Multibus, "50+m 50+m", "01=50/2m best 1"),
            (Failover, "1- 1-", "0=0/0 1=0/0 best 1"),
            (Multibus, "", " best 0"),
        ] {
            assert_eq!(shown(&group(policy, &members(paths))), expected, "{policy:?} {paths}");
        }
    }

    #[test]
    fn the_best_group_need_not_be_the_first() {
        let mut groups = group(GroupingPolicy::Failover, &members("50+ 10+ 10+"));
        groups[0].usable = 0;
        assert_eq!(best(&groups), 2);
        groups[2].usable = 2;
        assert_eq!(best(&groups), 3);
    }

    proptest! {
        #[test]
        fn every_path_is_in_one_group(text in "([0-9]{1,9}[+-]m? ){0,12}") {
            let members = members(&text);
            for policy in [GroupingPolicy::Failover, GroupingPolicy::ByPrio, GroupingPolicy::ByTpg] {
                let groups = group(policy, &members);
                let mut keys: Vec<_> = groups.iter().flat_map(|g| g.members.clone()).collect();
                keys.sort_unstable();
                prop_assert_eq!(keys, (0..members.len()).collect::<Vec<_>>());
                let mut shuffled = members.clone();
                shuffled.reverse();
                prop_assert_eq!(group(policy, &shuffled), groups);
            }
        }
    }
}
