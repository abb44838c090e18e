//! udev's properties of a disk in a map, which a rule asks for or is against: they count when it comes, and on a `reconfigure`.

use super::*;

const SKIP: &str = "}\nblacklist {\nproperty \"^SKIP$\"\ndevice {\nvendor BAD\n}";

fn lacks(raw: &mut RawProbe) {
    raw.properties.remove("ID_WWN");
}

fn is_against(raw: &mut RawProbe) {
    lacks(raw); // it would be let in by that
    raw.properties.insert("SKIP".into(), "1".into());
}

fn is_member(machine: &Machine) -> bool {
    machine.core.paths().all(|path| path.map().is_some())
}

/// udev speaks of the disk.
fn told(machine: &mut Machine) {
    let mut out = Outbox::new();
    let config = machine.core.config.clone();
    machine.core.handle(machine.now, machine.looked_at(), &mut out);
    machine.carry_out(out, &config);
}

#[test]
fn they_take_no_disk_out_of_a_map_before_a_reconfigure() {
    for also in [lacks, is_against] {
        for defaults in [SKIP.into(), alloc::format!("checker_timeout 9\n{SKIP}")] {
            let mut machine = Machine::new(SKIP, |_| good(""));
            machine.advance(60);
            machine.also = also;
            for times in [1, 0] {
                told(&mut machine);
                let said = machine.advance(1);
                let said = said.iter().filter(|(_, text)| text.contains("until a `reconfigure`"));
                assert_eq!((is_member(&machine), said.count()), (true, times));
            }
            machine.reconfigure(&defaults);
            assert!(!is_member(&machine), "{defaults}");
            machine.also = |_| {};
            told(&mut machine);
            assert!(is_member(&machine), "in no map each message counts");
            machine.also = also;
            told(&mut machine);
            assert!(is_member(&machine), "it came anew, and was let in");
        }
    }
}

#[test]
fn what_is_over_before_a_reconfigure_has_no_disk_probed() {
    let mut machine = Machine::new(SKIP, |_| good(""));
    machine.also = lacks;
    told(&mut machine);
    machine.also = |_| {};
    told(&mut machine);
    let probes = machine.probes;
    machine.reconfigure(SKIP);
    assert!(is_member(&machine));
    assert_eq!(machine.probes, probes);
}

#[test]
fn they_count_when_udev_speaks_of_a_disk_for_the_first_time() {
    let mut machine = Machine::off("3600a0b8", true, |_| good(""));
    machine.also = |raw| {
        raw.properties.clear();
        raw.wwid_attr = Some("naa.3600a0b8".into());
    };
    machine.start(SKIP);
    machine.advance(60);
    assert!(is_member(&machine), "udev's database was empty");
    machine.also = lacks;
    told(&mut machine);
    assert!(!is_member(&machine));
}

#[test]
fn other_rules_are_asked_all_the_same() {
    let mut machine = Machine::new(SKIP, |_| good(""));
    machine.also = |raw| {
        lacks(raw);
        raw.vendor = "BAD".into();
    };
    told(&mut machine);
    assert!(!is_member(&machine));
}
