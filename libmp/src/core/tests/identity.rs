//! Who a disk is, by udev and by itself, where the two are not of one mind or one of them says nothing.

use super::*;
use crate::core::path::Path;
use crate::types::Wwid;

const LUN: &str = "36001405a8dbdfc2cd1441cb8b3a5a8d1";

/// A SCSI disk that has page 0x83, which the kernel may have read or not.
fn scsi(raw: &mut RawProbe) {
    raw.syspath = "/devices/platform/host1/session1/target1:0:0/1:0:0:0/block/sda".into();
    raw.hctl = "1:0:0:0".parse().ok();
    (raw.vpd0, raw.vpd80) = (hex("00000003 008083"), hex("00800001 31"));
}

fn page_83(last: &str) -> Vec<u8> {
    hex(&alloc::format!("00830014 01030010 6001405a8dbdfc2cd1441cb8b3a5a8{last}"))
}

fn begin(defaults: &str) -> Machine {
    let mut machine = Machine::off(LUN, true, |_| good(""));
    machine.also = scsi;
    machine.start(defaults);
    machine.advance(60);
    assert!(is_member(&machine));
    machine
}

fn is_member(machine: &Machine) -> bool {
    let wwid = |path: &Path| path.map().and(path.wwid()).map(Wwid::as_str) == Some(machine.wwid);
    machine.core.paths().all(wwid)
}

#[test]
fn a_page_that_is_read_late_tells_the_lun_from_another() {
    for (last, stays) in [("d1", true), ("d2", false)] {
        let mut machine = begin("");
        machine.vpd83 = page_83(last);
        machine.answer = |_| refused("70 00 06 00000000 0a 00000000 3f 03");
        machine.advance(20);
        machine.answer = |_| good("");
        let said = machine.advance(60);
        assert!(machine.probes > 1, "it was looked at");
        assert_eq!(!said.iter().any(|(_, text)| text.contains("its WWID changed")), stays, "{last}");
    }
}

#[test]
fn a_property_that_is_missing_once_does_not_rename_a_member() {
    // Of SATA behind SAS, which `ata_id` names and page 0x83 otherwise; and of one that page 0x83 names alike.
    for (name, last, stays) in [("SAMSUNG_MZ7_S1", "d1", true), (LUN, "d1", true), (LUN, "d2", false)] {
        let mut machine = Machine::off(name, true, |_| good(""));
        machine.also = scsi;
        machine.start("");
        machine.advance(60);
        machine.vpd83 = page_83(last);
        machine.also = |raw| {
            scsi(raw);
            raw.properties.clear();
        };
        machine.reconfigure("checker_timeout 9");
        assert_eq!(machine.probes, 2);
        assert_eq!(is_member(&machine), stays, "{name} {last}");
    }
}

const SCSI_ID: &str = "getuid_callout \"/lib/udev/scsi_id --whitelisted --device=/dev/%n\"";
const ANOTHER: &str = "36001405a8dbdfc2cd1441cb8b3a5a8d2";

fn udev_says(wwid: &str) -> Event {
    let properties = [("ID_SERIAL".into(), wwid.into())].into();
    Event::Uevent(Uevent { action: UeventAction::Change, name: "sda".into(), properties, own: false })
}

/// Every command ends well, and page 0x83 says that it is the LUN.
fn names_itself(operation: u8) -> ScsiReply {
    good(if operation == 0x12 { "00830014 01030010 6001405a8dbdfc2cd1441cb8b3a5a8d1" } else { "" })
}

#[test]
fn what_udev_says_is_heeded_where_the_device_names_itself() {
    for (told, stays) in [(LUN, true), (ANOTHER, false)] {
        let mut machine = Machine::off(LUN, true, names_itself);
        (machine.also, machine.vpd83) = (scsi, page_83("d1"));
        machine.start(SCSI_ID);
        machine.advance(60);
        assert!(is_member(&machine));
        let (mut out, probes) = (Outbox::new(), machine.probes);
        machine.core.handle(machine.now, udev_says(told), &mut out);
        let doubted = |machine: &Machine| machine.core.paths().any(|path| path.doubted);
        assert_eq!(!doubted(&machine), stays, "{told}");
        machine.carry_out(out, &machine.core.config.clone());
        // A rescan is looked at, too, and finds the LUN that was there.
        assert_eq!(machine.probes - probes, if stays { 1 } else { 2 }, "{told}");
        assert!(is_member(&machine) && !doubted(&machine));
    }
}

#[test]
fn what_udev_says_holds_where_the_kernel_has_not_read_who_the_device_is() {
    for wwid in [LUN, ANOTHER] {
        let mut machine = Machine::off(LUN, true, |_| good(""));
        machine.also = scsi;
        machine.start(SCSI_ID);
        machine.advance(60);
        assert!(is_member(&machine));
        machine.wwid = wwid;
        let mut out = Outbox::new();
        machine.core.handle(machine.now, udev_says(wwid), &mut out);
        let joined = |path: &Path| path.map().and(path.wwid()).map(Wwid::as_str) == Some(LUN);
        assert_eq!(machine.core.paths().all(joined), wwid == LUN, "it leaves before it is looked at");
        machine.carry_out(out, &machine.core.config.clone());
        assert!(is_member(&machine), "{wwid}");
    }
    // The message was lost: it is a look at the disk that tells.
    let mut machine = Machine::off(LUN, true, |_| good(""));
    machine.also = scsi;
    machine.start(SCSI_ID);
    machine.advance(60);
    machine.wwid = ANOTHER;
    machine.reconfigure(&alloc::format!("{SCSI_ID}\nchecker_timeout 9"));
    assert_eq!(machine.probes, 2);
    assert!(is_member(&machine));
}
