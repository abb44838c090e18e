//! Which defect each invariant finds.

use std::collections::BTreeMap;

use super::{Defect, with};
use crate::invariants::CATALOGUE;
use crate::real;
use crate::runner::{Options, run};
use crate::script;

/// A test of a defect for each line, and the list of them all.
macro_rules! planted {
    ($($test:ident: $defect:ident => $invariant:literal $(in $script:ident)?,)*) => {
        const PLANTED: &[(&str, Defect)] = &[$(($invariant, Defect::$defect)),*];
        $(
            #[test]
            fn $test() {
                planted!(@found $defect, $invariant $(, $script)?);
            }
        )*
    };
    (@found $defect:ident, $invariant:literal) => {
        caught(Defect::$defect, $invariant);
    };
    (@found $defect:ident, $invariant:literal, $script:ident) => {
        caught_in(Defect::$defect, $invariant, $script);
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
    paths_that_stay_in_their_map: KeepPaths => "io-reaches-its-lun" in SWAPPED,
    queueing_that_never_begins: NoQueueOn => "no-error-while-queueing" in UNPLUGGED,
    queueing_that_does_not_end: NoQueueOff => "queueing-ends",
    a_deadline_that_stays: DeadlineStays => "timers-move-on",
    a_name_left_as_it_is: NoRename => "rest-maps" in RENAMED,
    a_map_left_suspended: StaySuspended => "rest-maps",
    a_file_of_wwids_without_any: EmptyWwids => "rest-wwids",
    lost_reinstatements: NoReinstate => "rest-paths",
    lost_failures: NoFail => "rest-paths",
    a_port_that_is_told_something_else: WrongTimes => "rest-layers",
    the_worst_group_first: WorstFirst => "rest-groups" in TWO_PORTS,
    groups_that_are_one: OneGroup => "rest-groups" in TWO_PORTS,
    groups_of_one_path: SingleGroups => "rest-groups" in RENAMED,
    queueing_that_is_off_at_rest: NoQueueOn => "rest-queueing",
    endless_orders: SaveForever => "rest-orders-nothing",
    waking_every_second: EverySecond => "rest-wakes-little",
    waking_for_nothing: EveryHour => "rest-wakes-little",
    an_answer_that_is_not_heard: DeafToSaves => "rest-owes-nothing",
}

/// A defect breaks what it should in a run that is good without it.
fn caught(defect: Defect, invariant: &str) {
    let options = Options { events: 3000, trace: false, tail: 0 };
    let mut seen = BTreeMap::new();
    for seed in 0..60 {
        let outcome = run(seed, options, with(defect, real::core()));
        let Some(violation) = outcome.violation else { continue };
        if violation.name == invariant && run(seed, options, real::core()).violation.is_none() {
            return;
        }
        *seen.entry(violation.name).or_insert(0_u32) += 1;
    }
    panic!("{defect:?} was not caught by {invariant}; seen: {seen:?}");
}

/// As `caught`, in a scenario: what chaos comes to seldom, or after long.
fn caught_in(defect: Defect, invariant: &str, text: &str) {
    script::run(text, false, real::core()).expect("it is good without the defect");
    let Err(failure) = script::run(text, false, with(defect, real::core())) else {
        panic!("{defect:?} was not caught at all");
    };
    let by_it = failure.why.starts_with(&format!("{invariant}: "));
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

/// A map gets the name that it has in another configuration.
const RENAMED: &str = "
        lun A
        alias A data
        disk A host=1
        disk A host=2
        start
        advance 60s
        alias A other
        command reconfigure
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
        assert!(PLANTED.iter().any(|(found_by, _)| found_by == name), "no defect is planted for {name}");
    }
    for (name, defect) in PLANTED {
        assert!(CATALOGUE.iter().any(|(known, _)| known == name), "{defect:?}: {name} is no invariant");
    }
}
