//! Which defect each invariant finds.

use std::collections::BTreeMap;

use super::{Defect, with};
use crate::invariants::{Amiss, CATALOGUE};
use crate::real;
use crate::runner::{Options, run};
use crate::script;

/// What finds a defect: an invariant, or one part of it.
#[derive(Debug, Clone, Copy)]
struct By {
    invariant: &'static str,
    part: &'static str,
}

/// A test of a defect for each line, and the list of them all.
macro_rules! planted {
    ($($test:ident: $defect:ident => $invariant:literal $(as $part:ident)? $(in $script:ident)?,)*) => {
        const PLANTED: &[(Defect, By)] =
            &[$((Defect::$defect, By { invariant: $invariant, part: concat!($(stringify!($part))?) })),*];
        $(
            #[test]
            fn $test() {
                let by = By { invariant: $invariant, part: concat!($(stringify!($part))?) };
                planted!(@found Defect::$defect, by $(, $script)?);
            }
        )*
    };
    (@found $defect:expr, $by:ident) => {
        caught($defect, $by);
    };
    (@found $defect:expr, $by:ident, $script:ident) => {
        caught_in($defect, $by, $script);
    };
}
planted! {
    a_token_given_twice: SameToken => "tokens-are-unique",
    two_operations_at_once: TwoOperations => "one-dm-operation-a-map",
    // The slot counts as free while its check is still under way.
    a_stale_answer_taken_as_fresh: StaleAsFresh => "one-check-a-path",
    a_path_in_the_wrong_map: SwapPaths => "no-wwids-mixed",
    a_stranger_that_is_reinstated: ReinstateStrangers => "no-reinstate-of-a-stranger",
    what_is_down_and_is_reinstated: ReinstateAll => "no-reinstate-without-evidence",
    bad_answers_taken_for_good: GoodAnswers => "up-on-fresh-evidence",
    checks_of_what_is_gone: CheckTheGone => "no-effect-for-the-gone",
    a_zero_for_a_port: ZeroTimes => "no-zero-times",
    a_file_that_is_written_twice_at_once: TwoSaves => "one-save-a-file",
    a_table_longer_than_its_paths: TooLong => "a-table-fits",
    a_resize_without_a_flush: NoFlush => "a-resize-flushes",
    double_replies: DoubleReplies => "one-reply",
    lost_replies: LoseReplies => "a-reply-in-time",
    two_maps_of_one_name: SameName => "names-are-unique",
    two_maps_of_one_wwid: SameWwid => "names-are-unique",
    a_path_in_no_map_that_there_is: PathNowhere => "paths-are-in-maps",
    a_path_in_two_maps: PathTwice => "a-path-in-one-map",
    maps_that_are_not_made: NoCreate => "usable-means-mapped",
    a_path_that_is_free_and_that_nobody_takes: BlindToOthers => "usable-means-mapped" in TAKEN_OUT,
    paths_that_stay_in_their_map: KeepPaths => "io-reaches-its-lun" in SWAPPED,
    queueing_that_never_begins: NoQueueOn => "no-error-while-queueing" in UNPLUGGED,
    queueing_that_does_not_end: NoQueueOff => "queueing-ends",
    a_deadline_that_stays: DeadlineStays => "timers-move-on",
    a_lun_without_a_map: NoCreate => "rest-maps" as NoMap in TWO_PORTS,
    a_map_left_suspended: StaySuspended => "rest-maps" as Suspended,
    a_map_left_without_a_table: KeepPaths => "rest-maps" as NoTable in UNFINISHED,
    a_map_left_without_a_table_or_a_path: KeepPaths => "rest-maps" as NoTable in ABANDONED,
    a_map_left_without_a_disk: NoRemove => "rest-maps" as Leftover in ORPHANED,
    a_map_left_though_it_is_excluded: NoRemove => "rest-maps" as Leftover in EXCLUDED,
    a_map_left_as_short_as_it_was: KeepPaths => "rest-maps" as Size in GROWN,
    a_name_left_as_it_is: NoRename => "rest-maps" as Name in RENAMED,
    a_partition_called_as_it_was: NoPartitionNames => "rest-maps" as Partition in RENAMED,
    a_file_of_wwids_without_any: EmptyWwids => "rest-wwids",
    lost_reinstatements: NoReinstate => "rest-paths",
    lost_failures: NoFail => "rest-paths",
    a_port_that_is_told_something_else: WrongTimes => "rest-layers",
    a_port_that_is_lost_for_another_time: WrongLoss => "rest-layers" in BELOW,
    a_disk_that_takes_larger_requests: WrongSize => "rest-layers" in BELOW,
    a_port_that_is_told_something_else_later: WrongAtSecond => "rest-layers",
    the_worst_group_first: WorstFirst => "rest-groups" in TWO_PORTS,
    groups_that_are_one: OneGroup => "rest-groups" in TWO_PORTS,
    groups_of_one_path: SingleGroups => "rest-groups" in RENAMED,
    queueing_that_is_off_at_rest: NoQueueOn => "rest-queueing",
    endless_orders: SaveForever => "rest-orders-nothing",
    waking_every_second: EverySecond => "rest-wakes-little",
    checks_that_come_too_often: FastClock => "rest-wakes-little" as checks,
    waking_for_nothing: EveryHour => "rest-wakes-little",
    an_answer_that_is_not_heard: DeafToSaves => "rest-owes-nothing",
}

/// A defect breaks what it should in a run that is good without it.
fn caught(defect: Defect, by: By) {
    let options = Options { events: 3000, trace: false, tail: 0 };
    let mut seen = BTreeMap::new();
    for seed in 0..60 {
        let outcome = run(seed, options, with(defect, real::core()));
        let Some(violation) = outcome.violation else { continue };
        let by_it = violation.name == by.invariant && violation.detail.starts_with(by.part);
        if by_it && run(seed, options, real::core()).violation.is_none() {
            return;
        }
        *seen.entry(violation.name).or_insert(0_u32) += 1;
    }
    panic!("{defect:?} was not caught by {by:?}; seen: {seen:?}");
}

/// As `caught`, in a scenario: what chaos comes to seldom, or after long.
fn caught_in(defect: Defect, by: By, text: &str) {
    script::run(text, false, real::core()).expect("it is good without the defect");
    let Err(failure) = script::run(text, false, with(defect, real::core())) else {
        panic!("{defect:?} was not caught at all");
    };
    let by_it = failure.why.starts_with(&format!("{}: {}", by.invariant, by.part));
    assert!(by_it, "{defect:?} was caught by {}", failure.why);
}

/// A disk leads to another LUN, and the daemon has half a minute to keep I/O from it.
const SWAPPED: &str = "
        lun A
        lun B
        alias A data
        disk A host=1
        disk A host=2
        start
        advance 60s
        map sda B
        rescan sda
        advance 60s
        write data 20
    ";

/// So it does while its map is suspended by another tool, which takes it out of the table.
const TAKEN_OUT: &str = include_str!("../../scripts/14-taken-out-by-another-tool.txt");

/// A map gets the name that it has in another configuration.
const RENAMED: &str = "
        lun A
        alias A data
        disk A host=1
        disk A host=2
        start
        advance 60s
        kpartx data
        alias A other
        command reconfigure
        advance 60s
        expect rest
    ";

/// Somebody has made a map of a LUN, and ended before it had a table.
const UNFINISHED: &str = "
        lun A
        alias A data
        disk A host=1
        dmsetup create data mpath-3600a0b80000000000000000000000065
        start
        advance 60s
        expect rest
    ";

/// So he has, of a LUN that has no disk.
const ABANDONED: &str = "
        lun A
        alias A data
        dmsetup create data mpath-3600a0b80000000000000000000000065
        start
        advance 60s
        expect rest
    ";

/// All disks of a LUN go, and nobody uses it.
const ORPHANED: &str = "
        lun A
        alias A data
        disk A host=1
        disk A host=2
        start
        advance 60s
        remove sda
        remove sdb
        advance 60s
        expect rest
    ";

/// A LUN is excluded, and nobody uses it.
const EXCLUDED: &str = "
        lun A
        alias A data
        disk A host=1
        disk A host=2
        start
        advance 60s
        blacklist A
        command reconfigure
        advance 60s
        expect rest
    ";

/// A LUN grows, and its map is to grow with it.
const GROWN: &str = "
        defaults auto_resize grow_only
        lun A
        alias A data
        disk A host=1
        disk A host=2
        start
        advance 60s
        size A 4096
        rescan sda
        rescan sdb
        advance 60s
        expect rest
    ";

/// I/O goes through the port that the array prefers.
const TWO_PORTS: &str = "
        defaults path_grouping_policy group_by_prio
        defaults prio alua
        lun A groups=2 alua
        alias A data
        disk A host=1 group=1
        disk A host=2 group=2
        start
        advance 60s
        expect rest
    ";

/// What is below a disk is set as it comes.
const BELOW: &str = "
        defaults dev_loss_tmo 30
        defaults max_sectors_kb 512
        lun A
        alias A data
        disk A host=1
        start
        advance 60s
        disk A host=2
        advance 60s
        expect rest
    ";

/// Nobody deletes the disks: they may come back, and I/O waits for them.
const UNPLUGGED: &str = "
        defaults no_path_retry queue
        lun A
        alias A data
        disk A host=1
        disk A host=2
        start
        advance 60s
        link sda down
        link sdb down
        advance 60s
        write data 1
    ";

#[test]
fn each_invariant_has_a_defect_that_it_finds() {
    for (name, _) in CATALOGUE {
        assert!(PLANTED.iter().any(|(_, by)| by.invariant == *name), "no defect is planted for {name}");
    }
    for (defect, by) in PLANTED {
        let is_known = CATALOGUE.iter().any(|(known, _)| *known == by.invariant);
        assert!(is_known, "{defect:?}: {} is no invariant", by.invariant);
    }
    for part in Amiss::ALL.map(|part| format!("{part:?}")) {
        let planted = PLANTED.iter().any(|(_, by)| by.invariant == "rest-maps" && by.part == part);
        assert!(planted, "no defect is planted for {part} of rest-maps");
    }
}
