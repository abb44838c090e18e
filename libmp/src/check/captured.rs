//! Bytes that were sent by devices, or are published as examples of what they send, each with where it is from. What they mean is
//! said there, too, and not worked out here.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::sense::Sense;
use crate::config::settings::UidSource;
use crate::identify::wwid::{from_device, wwid};
use crate::identify::{RawProbe, hex, vpd};
use crate::prio::AccessState;
use crate::prio::rtpg::Report;

/// SCST 3.2 over iSCSI, `sg_vpd --page=0x83 --hex`: github.com/icicimov/blog, 2016-3-1-Highly-Available-iSCSI-Storage-with-SCST-
/// Pacemaker-DRBD-and-OCFS2-Part-2.
const SCST: &str = "00830034 02010014 534353545f42494f3530396637643733 2d766731 01140004 00000001 \
    01150004 00000001 01020008 3530396637643733";
/// A disk of Seagate on SAS: sg3_utils, inhex/vpd_dev_id.hex.
const SEAGATE: &str = "00830048 01030008 5000c5003011cb2b 61930008 5000c5003011cb29 61940004 00000001 \
    61a30008 5000c5003011cb28 03280018 6e61612e35303030433530303330313143423238 00000000";
/// A Symmetrix of before the designators, and one of later: sg3_utils, inhex/vpd_di_old_emc_symm.hex.
const SYMMETRIX: &str = "00830010 6006048000123456 789abcdef0123456";
const DMX: &str = "00830014 01030010 60060480000190103189533030343834";
/// One designator of each kind: sg3_utils, inhex/vpd_di_all.hex.
const ALL_KINDS: &str = "00830104 01000016 112233445566778899aabbccddeeffedcba987654321 \
    02010014 414243202020202058595a313233343536373839 01020008 1122334455667788 0102000c 112233445566778800000123 \
    01020010 0123456789abcdef1122334455667788 01030008 5122334455667788 01030010 6122334455667788aabbccddeeffeedd \
    01140004 00000002 01150004 00000003 01060004 00000004 01070010 ffeeddccbbaa99887766554433221100 \
    02280028 69716e2e353838362e636f6d2e61636d652e6469736b6172726179732d736e2d6138363735333039 \
    91990004 04000200 a1990008 0123000000000000 010a0012 1000112233445566778899aabbccddeefedc";
/// A name with a line feed that would be a line of udev's properties: sg3_utils, inhex/vpd_di_name_inject.hex.
const INJECTED: &str = "00830024 0308001d 69716e2e323032362d30352e7367330a585f5347335f50524f42453d31 000000";
/// The kernel's scsi_debug: sg3_utils, inhex/vpd_sdeb.hex.
const SCSI_DEBUG: &str = "00830070 0201001c 4c696e757820202073637369 5f6465627567202020202020 32303030 \
    01030008 33333330000007d0 61940004 00000001 61930008 32222220000007ce 61950004 00000100 \
    61a30008 32222220000007cd 63a80018 6e61612e33323232323232303030303030374344 00000000";

#[test]
fn device_identification() {
    for (page, expected, group, designators) in [
        (hex(SCST), "23530396637643733", Some(1), 4), // as scsi_id printed it
        (hex(SEAGATE), "35000c5003011cb2b", None, 5),
        (hex(SYMMETRIX), "36006048000123456789abcdef0123456", None, 0),
        (hex(DMX), "360060480000190103189533030343834", None, 1),
        (hex(ALL_KINDS), "36122334455667788aabbccddeeffeedd", Some(3), 15),
        (hex(SCSI_DEBUG), "333333330000007d0", Some(0x100), 7),
    ] {
        let raw = RawProbe {
            syspath: "/host1/target1:0:0/1:0:0:0/block/sdb".into(),
            vpd83: page,
            ..RawProbe::default()
        };
        let found = wwid(&raw, &UidSource::ScsiId).map(|wwid| wwid.to_string());
        assert_eq!(found.as_deref(), Ok(expected));
        assert_eq!(vpd::target_port_group(&raw.vpd83), group, "{expected}");
        assert_eq!(vpd::designators(&raw.vpd83).count(), designators, "{expected}");
    }
}

#[test]
fn a_name_is_one_line() {
    let raw = RawProbe {
        syspath: "/host1/target1:0:0/1:0:0:0/block/sdb".into(),
        vpd83: hex(INJECTED),
        ..RawProbe::default()
    };
    assert_eq!(
        from_device(&raw).map(|wwid| wwid.to_string()).as_deref(),
        Ok("8iqn.2026-05.sg3_X_SG3_PROBE=1")
    );
}

#[test]
fn serial_numbers() {
    // scsi_debug, and SCST as `sg_inq` shows it in the pages named above.
    for (page, expected) in [("00800004 32303030", "2000"), ("00800008 3530396637643733", "509f7d73")] {
        assert_eq!(vpd::unit_serial(&hex(page)), Some(expected.as_bytes()));
    }
}

#[test]
fn target_port_groups() {
    // SCST, the same page: 28 bytes, with each field as `sg_rtpg -d` shows it.
    let data = hex("00000018 00 df 0001 00 02 00 01 00000001 01 df 0002 00 02 00 01 00000002");
    assert_eq!(data.len(), 28);
    let groups: Vec<_> = Report::parse(&data).unwrap().groups().collect();
    let seen: Vec<_> =
        groups.iter().map(|group| (group.id, group.state, group.preferred, group.transitioning)).collect();
    assert_eq!(
        seen,
        [(1, AccessState::Optimized, false, false), (2, AccessState::NonOptimized, false, false)]
    );
}

#[test]
fn sense_data() {
    // sg3_utils: inhex/fixed_sense.hex, descriptor_sense.hex, forwarded_sense.hex; the last is SPC-4's LOGICAL UNIT NOT
    // ACCESSIBLE, TARGET PORT IN STANDBY STATE (table 56).
    let descriptors = "72 01 03 02 80 00 00 4c 000a8000 11223344556677bb 010a0000 3344556677bbccff 02060000 80010100 03020045 \
        0a060201 02003201 05020020 0b1a0100 0000000101020304 0506070801020304 5506070802001234";
    for (bytes, expected) in [
        ("f0 00 03 00 00 12 34 0a 00 00 00 00 11 00 77 80 01 98", (3, 0x11, 0x00)),
        (descriptors, (1, 0x03, 0x02)),
        (
            "72 06 18 07 00 00 00 1c 0c0a0102 7206180700000000 000a8000 1122334455667788 03020099",
            (6, 0x18, 0x07),
        ),
        ("72 02 04 0b 00 00 00 00", (2, 0x04, 0x0b)),
    ] {
        let sense = Sense::parse(&hex(bytes)).unwrap();
        assert_eq!((sense.key, sense.asc, sense.ascq), expected, "{bytes}");
    }
}
