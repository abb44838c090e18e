//! The WWID of a path: udev's property, or what udev's `scsi_id` would have made of the VPD pages.
//!
//! The same LUN must get the same WWID by every route and on every path, so the text here is that of
//! `scsi_id --whitelisted --replace-whitespace`: a digit for the designator's type and the designator.

use ::core::fmt::Write;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Bus, RawProbe, protocol, vpd};
use crate::config::settings::UidSource;
use crate::dm::mangle::unmangled;
use crate::types::Wwid;

/// Longest WWID for which device-mapper takes `mpath-WWID` as a UUID (`DM_UUID_LEN`, 129 with the NUL).
pub const MAX_WWID: usize = 122;

/// Why a path has no WWID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoWwid {
    /// udev has not processed the device: asking again later may help.
    #[error("udev has not processed it yet")]
    UdevNotDone,
    /// udev has no such property, and it is not one that the device itself can stand in for.
    #[error("udev has no property {0}")]
    AttributeMissing(String),
    /// Neither udev nor the device says who it is.
    #[error("it has no usable identifier (VPD pages 0x83 and 0x80)")]
    NoIdentifier,
    /// Longer than device-mapper takes; shortening it could make two LUNs one.
    #[error("its WWID has {0} characters, device-mapper takes {MAX_WWID}")]
    TooLong(usize),
    /// A terminal would obey them, and the map's UUID would not read as it again.
    #[error("its WWID has control characters")]
    ControlCharacters,
    /// The map's UUID would read as another WWID (`a\x20b` as `a b`), and its disks would be in nobody's map.
    #[error("its WWID is one that device-mapper's tools take for another: it has \\xNN in it")]
    Mangled,
}

/// The WWID as the configuration wants it found.
///
/// A property that udev should have set and has not is replaced by what the device says only where
/// both are known to agree: `ID_SERIAL` of SCSI, `ID_WWN` of NVMe, `ID_UID` of DASD. An empty property
/// name means the device at once. [`UidSource::ScsiId`] means the VPD pages of SCSI. Where the kernel has not read them, and for
/// other buses, of which `scsi_id` can say nothing, it means the usual property: that of SCSI is from `scsi_id`, which asks the
/// device.
pub fn wwid(raw: &RawProbe, source: &UidSource) -> Result<Wwid, NoWwid> {
    let bus = Bus::of_probe(raw);
    let attribute = match (source, bus) {
        (UidSource::Udev(attribute), _) => attribute,
        (UidSource::ScsiId, Bus::Scsi) => match checked(scsi_id(raw)) {
            Err(NoWwid::NoIdentifier) => usual_property(bus),
            told => return told,
        },
        (UidSource::ScsiId, _) => usual_property(bus),
    };
    match raw.properties.get(attribute).map(|value| without_blanks(value)) {
        Some(value) if !value.is_empty() => return checked(Some(value.into())),
        _ if attribute.is_empty() => {}
        _ if !raw.udev_initialized => return Err(NoWwid::UdevNotDone),
        _ => {}
    }
    by_itself(source, raw)
}

/// The same where udev has been waited for in vain: it may never look at the device.
pub fn wwid_without_udev(raw: &RawProbe, source: &UidSource) -> Result<Wwid, NoWwid> {
    match wwid(raw, source) {
        Err(NoWwid::UdevNotDone) => by_itself(source, raw),
        known => known,
    }
}

/// What the device says in the place of a property that udev has not set.
fn by_itself(source: &UidSource, raw: &RawProbe) -> Result<Wwid, NoWwid> {
    let bus = Bus::of_probe(raw);
    match source {
        UidSource::ScsiId if bus == Bus::Scsi => checked(scsi_id(raw)),
        UidSource::Udev(attribute) if !attribute.is_empty() && attribute != usual_property(bus) => {
            Err(NoWwid::AttributeMissing(attribute.clone()))
        }
        _ => from_device(raw),
    }
}

/// Who the device itself says that it is, by what the kernel has read last: as `scsi_id` would say it of SCSI. What udev says may
/// be older.
pub fn designated(raw: &RawProbe) -> Option<Wwid> {
    match Bus::of_probe(raw) {
        Bus::Scsi => checked(scsi_id(raw)).ok(),
        _ => wwid(raw, &UidSource::ScsiId).ok(),
    }
}

/// The WWID as the device itself tells it, whatever udev says: for the time when udev has been waited
/// for long enough, and for comparing the WWID of a device that came back.
pub fn from_device(raw: &RawProbe) -> Result<Wwid, NoWwid> {
    checked(match Bus::of_probe(raw) {
        Bus::Scsi => from_page_83(raw).or_else(|| scsi_name(raw)).or_else(|| from_page_80(raw)),
        Bus::Ccw => raw.attr(protocol::attr::UID).map(dasd_uid),
        Bus::Nvme | Bus::Cciss | Bus::Other => raw.wwid_attr.as_deref().map(|wwid| wwid.trim().into()),
    })
}

/// Does what the device says of itself speak against this WWID? Only where the two can be compared: the WWID is an NAA or EUI-64
/// designator as `scsi_id` writes it, and the logical unit has such ones of that length, and none is the WWID. Whatever udev
/// says, or has not said yet.
pub fn contradicts(raw: &RawProbe, wwid: &Wwid) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let kind = match (wwid.as_str().split_at_checked(1), wwid.as_str().len()) {
        (Some(("3", id)), 17 | 33) if is_hex(id) => vpd::kind::NAA,
        (Some(("2", id)), 17 | 25 | 33) if is_hex(id) => vpd::kind::EUI64,
        _ => return false,
    };
    let same_kind = vpd::designators(&raw.vpd83)
        .filter(|d| d.association == vpd::OF_LOGICAL_UNIT && d.kind == kind && d.code_set == vpd::BINARY)
        .filter_map(|d| designator_text(raw, &d))
        .filter(|text| text.len() == wwid.as_str().len());
    let mut others = same_kind.map(|text| !text.eq_ignore_ascii_case(wwid.as_str())).peekable();
    others.peek().is_some() && others.all(|other| other)
}

/// The property that udev's own rules set for this bus.
fn usual_property(bus: Bus) -> &'static str {
    match bus {
        Bus::Nvme => "ID_WWN",
        Bus::Ccw => "ID_UID",
        Bus::Scsi | Bus::Cciss | Bus::Other => "ID_SERIAL",
    }
}

fn without_blanks(value: &str) -> &str {
    value.trim_end_matches(' ')
}

/// The WWID that this value of a property is, as it is made of the property when a disk is read.
pub fn of_property(value: &str) -> Option<Wwid> {
    checked(Some(without_blanks(value).into())).ok()
}

fn checked(text: Option<String>) -> Result<Wwid, NoWwid> {
    let mut text = text.filter(|text| !text.is_empty()).ok_or(NoWwid::NoIdentifier)?;
    if text.len() > MAX_WWID {
        text = without_padding(&text).unwrap_or(text);
    }
    if text.len() > MAX_WWID {
        return Err(NoWwid::TooLong(text.len()));
    }
    if text.contains(char::is_control) {
        return Err(NoWwid::ControlCharacters);
    }
    if *unmangled(&text) == *text { Ok(Wwid::new(text)) } else { Err(NoWwid::Mangled) }
}

/// What `scsi_id --whitelisted` gives: page 0x83, else page 0x80.
fn scsi_id(raw: &RawProbe) -> Option<String> {
    from_page_83(raw).or_else(|| from_page_80(raw))
}

/// Page 0x83 in `scsi_id`'s order: NAA 6, NAA 5, other NAA, EUI-64, T10 vendor, vendor specific; of each
/// the binary one first. Blank ones, as arrays give for LUNs that are not configured, are no identifiers.
fn from_page_83(raw: &RawProbe) -> Option<String> {
    const ORDER: [(u8, Option<u8>); 6] = [
        (vpd::kind::NAA, Some(6)),
        (vpd::kind::NAA, Some(5)),
        (vpd::kind::NAA, None),
        (vpd::kind::EUI64, None),
        (vpd::kind::T10_VENDOR, None),
        (vpd::kind::VENDOR_SPECIFIC, None),
    ];
    if let Some(id) = vpd::scsi2_identifier(&raw.vpd83) {
        return Some(hex_after("3", id));
    }
    let mut wanted =
        ORDER.iter().flat_map(|(kind, naa)| [vpd::BINARY, vpd::ASCII].map(|set| (*kind, *naa, set)));
    wanted.find_map(|(kind, naa, code_set)| {
        vpd::designators(&raw.vpd83)
            .filter(|d| d.association == vpd::OF_LOGICAL_UNIT && d.kind == kind && d.code_set == code_set)
            .filter(|d| naa.is_none() || naa == d.id.first().map(|byte| byte >> 4))
            .find_map(|d| designator_text(raw, &d))
    })
}

fn designator_text(raw: &RawProbe, designator: &vpd::Designator<'_>) -> Option<String> {
    let mut text = alloc::format!("{:x}", designator.kind).into_bytes();
    if designator.kind == vpd::kind::VENDOR_SPECIFIC {
        text.extend(vendor_and_model(raw));
    }
    if designator.code_set == vpd::ASCII {
        let id = until_nul(designator.id);
        text.extend(id);
        (!id.trim_ascii().is_empty()).then(|| udev_text(&text))
    } else {
        let text = udev_text(&text);
        (!designator.id.is_empty()).then(|| hex_after(&text, designator.id))
    }
}

/// Page 0x80: `S`, vendor, model, serial number. It counts only where page 0x83 names nothing: of one that has not been read, though
/// the disk may have it, nobody knows that, and another path of the LUN would be called otherwise.
fn from_page_80(raw: &RawProbe) -> Option<String> {
    let pages = vpd::supported(&raw.vpd0);
    let has_none = !pages.is_empty() && !pages.contains(&0x83);
    if raw.vpd83.is_empty() && !has_none {
        return None;
    }
    let serial = vpd::unit_serial(&raw.vpd80)?;
    let mut text = Vec::from(*b"S");
    text.extend(vendor_and_model(raw));
    text.extend(serial);
    Some(udev_text(&text))
}

/// A SCSI name string, which `scsi_id` does not look at: `iqn.…` becomes `8iqn.…`, a world wide name in
/// text becomes what the binary designator would have been.
fn scsi_name(raw: &RawProbe) -> Option<String> {
    vpd::designators(&raw.vpd83)
        .filter(|d| d.association == vpd::OF_LOGICAL_UNIT && d.kind == vpd::kind::SCSI_NAME)
        .find_map(|d| {
            let name = udev_text(until_nul(d.id));
            let (kind, rest) = name.split_at_checked(4)?;
            match kind {
                "eui." => Some(alloc::format!("2{}", rest.to_ascii_lowercase())),
                "naa." => Some(alloc::format!("3{}", rest.to_ascii_lowercase())),
                "iqn." => Some(alloc::format!("8{name}")),
                _ => None,
            }
        })
}

/// The fields of INQUIRY, 8 and 16 characters wide.
fn vendor_and_model(raw: &RawProbe) -> impl Iterator<Item = u8> {
    let field = |bytes: &[u8], width| {
        let mut field: Vec<u8> = bytes.iter().copied().take(width).collect();
        field.resize(width, b' ');
        field
    };
    field(&raw.vendor, 8).into_iter().chain(field(&raw.model, 16))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn hex_after(prefix: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(prefix.into(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

/// udev's rules for values: no blanks at both ends, runs of blanks one `_`, and `_` for what is
/// neither a letter, a digit, one of `#+-.:=@_`, a `\x` escape, nor valid UTF-8 beyond ASCII.
fn udev_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    for word in bytes.split(is_blank).filter(|word| !word.is_empty()) {
        if !text.is_empty() {
            text.push('_');
        }
        for chunk in word.utf8_chunks() {
            let mut rest = chunk.valid().chars().peekable();
            while let Some(c) = rest.next() {
                if c == '\\' && rest.next_if_eq(&'x').is_some() {
                    text.push_str("\\x");
                } else if !c.is_ascii() || c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) {
                    text.push(c);
                } else {
                    text.push('_');
                }
            }
            text.extend(chunk.invalid().iter().map(|_| '_'));
        }
    }
    text
}

/// `IBM.750000000DK731.1c00.16.00000000` → up to the fourth dot.
fn dasd_uid(uid: &str) -> String {
    let mut parts = uid.splitn(5, '.');
    let first: Vec<&str> = parts.by_ref().take(4).collect();
    first.join(".")
}

/// Some NVMe targets pad serial number and model in `nvme.VVVV-SERIAL-MODEL-NSID` with NUL (`00`), which
/// is not allowed there and makes the name too long. `None` for other names.
fn without_padding(wwid: &str) -> Option<String> {
    let parts: Vec<&str> = wwid.split('-').collect();
    let [vendor, serial, model, namespace] = parts.as_slice() else { return None };
    let digits = vendor.strip_prefix("nvme.")?;
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let trimmed = |part: &str| -> String {
        let mut part = part;
        while let Some(shorter) = part.strip_suffix("00") {
            part = shorter;
        }
        part.into()
    };
    Some([(*vendor).into(), trimmed(serial), trimmed(model), (*namespace).into()].join("-"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hex;
    use super::*;
    use crate::dm::mangle::{LONGEST_UUID, mangled};
    use crate::dm::op::{uuid_of, wwid_of};

    fn disk(vpd83: &str, serial: &str) -> RawProbe {
        let mut vpd80 = vec![0, 0x80, 0, u8::try_from(serial.len()).unwrap()];
        vpd80.extend(serial.bytes());
        RawProbe {
            syspath: "/devices/platform/host1/session1/target1:0:0/1:0:0:0/block/sdb".into(),
            vendor: b"LIO-ORG ".to_vec(),
            model: b"disk 1          ".to_vec(),
            vpd83: hex(vpd83),
            vpd80: if serial.is_empty() { Vec::new() } else { vpd80 },
            udev_initialized: true,
            ..RawProbe::default()
        }
    }

    fn text(result: Result<Wwid, NoWwid>) -> String {
        result.map_or_else(|no| no.to_string(), |wwid| wwid.to_string())
    }

    const LIO: &str = "0083006d \
        01030010 6001405a8dbdfc2cd1441cb8b3a5a8d1 \
        02010034 4c494f2d4f52472064697369 6b313a61386462646663322d636431342d343163622d386233612d356138643100000000 \
        01940004 00000001 01950004 00000000 01960004 00000000";

    #[test]
    fn what_speaks_against_a_wwid() {
        let two = "00830020 01030010 6001405a8dbdfc2cd1441cb8b3a5a8d1 01030008 5001405a8dbdfc2c";
        for (page, wwid, expected) in [
            (LIO, "36001405a8dbdfc2cd1441cb8b3a5a8d1", false),
            (LIO, "36001405A8DBDFC2CD1441CB8B3A5A8D1", false),
            (LIO, "36001405a8dbdfc2cd1441cb8b3a5a8d2", true),
            (two, "35001405a8dbdfc2c", false),
            (two, "35001405a8dbdfc2d", true),
            // No such designator, or one that can't be compared.
            (LIO, "35001405a8dbdfc2d", false),
            (LIO, "20011223344556677", false),
            (LIO, "1LIO-ORG_disk_2", false),
            (LIO, "3 of my own, 32 characters long..", false),
            (LIO, "data", false),
            (LIO, "", false),
            ("", "36001405a8dbdfc2cd1441cb8b3a5a8d2", false),
            ("0083000c 01020008 0011223344556677", "20011223344556678", true),
            // The target's own, not the logical unit's.
            ("0083000c 01930008 5001405a8dbdfc2c", "35001405a8dbdfc2d", false),
        ] {
            assert_eq!(contradicts(&disk(page, ""), &Wwid::new(wwid)), expected, "{page} {wwid}");
        }
    }

    #[test]
    fn page_83_as_scsi_id_reads_it() {
        for (what, page, expected) in [
            ("LIO: NAA 6 before T10", LIO, "36001405a8dbdfc2cd1441cb8b3a5a8d1"),
            (
                "the best is not the first",
                "0083002c 02010010 4c494f2d4f524720 6469736b31000000 \
                 01030008 5001405a8dbdfc2c 01020008 0011223344556677",
                "35001405a8dbdfc2c",
            ),
            (
                "NAA 6 after NAA 5, 2 and 3",
                "00830038 01030008 2001405a8dbdfc2c 01030008 3001405a8dbdfc2c 01030008 5001405a8dbdfc2c \
                 01030010 6001405a8dbdfc2cd1441cb8b3a5a8d1",
                "36001405a8dbdfc2cd1441cb8b3a5a8d1",
            ),
            ("NAA 2 of the walkthrough", "0083000c 01030008 2001378a8a9ff000 0000", "32001378a8a9ff000"),
            ("locally assigned NAA", "0083000c 01030008 3333333000000fa0", "33333333000000fa0"),
            ("EUI-64", "0083000c 01020008 0011223344556677", "20011223344556677"),
            (
                "T10 with blanks",
                "00830018 02010014 4e45544150502020 204c554e 2061426320202020",
                "1NETAPP_LUN_aBc",
            ),
            ("vendor specific", "00830008 02000004 61626364", "0LIO-ORG_disk_1_abcd"),
            ("vendor specific, binary", "00830008 01000004 61626364", "0LIO-ORG_disk_161626364"),
            ("SCSI-2", "00830010 0060480000018790 0e0853594d303030", "300604800000187900e0853594d303030"),
            ("name of a port is not the LUN's", "0083000c 01130008 5001405a8dbdfc2c", "SLIO-ORG_disk_1_0001"),
            ("blank T10", "0083000c 02010008 2020202020202020", "SLIO-ORG_disk_1_0001"),
            ("another page", "0080000c 01030008 5001405a8dbdfc2c", "SLIO-ORG_disk_1_0001"),
            ("cut", "0083000c 01030008 5001405a", "SLIO-ORG_disk_1_0001"),
        ] {
            assert_eq!(text(wwid(&disk(page, "  0001 "), &UidSource::ScsiId)), expected, "{what}");
        }
    }

    #[test]
    fn a_page_that_was_not_read_makes_no_other_name() {
        let by_name = "3600140500000000000000000000000b1";
        let property = UidSource::Udev("ID_SERIAL".into());
        let mut raw = disk("", "1");
        for pages in ["00000003 008083", "", "00000002 0080"] {
            raw.vpd0 = hex(pages);
            let expected = if pages.ends_with("0080") {
                Ok(Wwid::new("SLIO-ORG_disk_1_1"))
            } else {
                Err(NoWwid::NoIdentifier)
            };
            for source in [&UidSource::ScsiId, &property] {
                assert_eq!(wwid(&raw, source), expected, "{pages} {source:?}");
            }
            assert_eq!((from_device(&raw), designated(&raw)), (expected.clone(), expected.ok()), "{pages}");
        }
        for (pages, serial) in [("00000003 008083", "1"), ("", "1"), ("", "")] {
            let mut raw = RawProbe { vpd0: hex(pages), udev_initialized: false, ..disk("", serial) };
            assert_eq!(wwid(&raw, &UidSource::ScsiId), Err(NoWwid::UdevNotDone));
            assert_eq!(wwid_without_udev(&raw, &UidSource::ScsiId), Err(NoWwid::NoIdentifier));
            raw.properties.insert("ID_SERIAL".into(), by_name.into());
            assert_eq!(text(wwid(&raw, &UidSource::ScsiId)), by_name, "{pages}");
            assert_eq!(designated(&raw), None);
        }
    }

    #[test]
    fn only_odd_designators() {
        let name = "00830018 03080014 6e61612e36303031343035 41384442444643 3200";
        assert_eq!(text(from_device(&disk(name, ""))), "36001405a8dbdfc2");
        assert_eq!(text(wwid(&disk(name, "7"), &UidSource::ScsiId)), "SLIO-ORG_disk_1_7");
        let iqn = "0083000c 03080008 69716e2e612e6200";
        assert_eq!(text(from_device(&disk(iqn, ""))), "8iqn.a.b");
        let odd = "00830018 01960004 00000001 01970010 00112233445566778899aabbccddeeff";
        assert_eq!(from_device(&disk(odd, "")), Err(NoWwid::NoIdentifier));
        assert_eq!(wwid(&disk(odd, ""), &UidSource::ScsiId), Err(NoWwid::NoIdentifier));
    }

    #[test]
    fn udev_before_the_device() {
        let udev = |name: &str| UidSource::Udev(name.into());
        let mut raw = disk(LIO, "1");
        let from_vpd = "36001405a8dbdfc2cd1441cb8b3a5a8d1";
        assert_eq!(text(wwid(&raw, &udev("ID_SERIAL"))), from_vpd);
        assert_eq!(text(wwid(&raw, &udev(""))), from_vpd);
        assert_eq!(wwid(&raw, &udev("ID_X")), Err(NoWwid::AttributeMissing("ID_X".into())));
        raw.udev_initialized = false;
        assert_eq!(wwid(&raw, &udev("ID_SERIAL")), Err(NoWwid::UdevNotDone));
        assert_eq!(wwid(&raw, &udev("ID_X")), Err(NoWwid::UdevNotDone));
        assert_eq!(text(wwid(&raw, &UidSource::ScsiId)), from_vpd);
        raw.properties.insert("ID_SERIAL".into(), "0QEMU_disk  ".into());
        assert_eq!(text(wwid(&raw, &udev("ID_SERIAL"))), "0QEMU_disk");
        raw.properties.insert("ID_SERIAL".into(), "x".repeat(123));
        assert_eq!(wwid(&raw, &udev("ID_SERIAL")), Err(NoWwid::TooLong(123)));
    }

    #[test]
    fn other_buses() {
        let mut raw = RawProbe { udev_initialized: true, ..RawProbe::default() };
        raw.syspath = "/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1".into();
        raw.wwid_attr = Some("uuid.9a1c\n".into());
        assert_eq!(text(wwid(&raw, &UidSource::Udev("ID_WWN".into()))), "uuid.9a1c");
        assert_eq!(text(wwid(&raw, &UidSource::ScsiId)), "uuid.9a1c");
        assert!(wwid(&raw, &UidSource::Udev("ID_SERIAL".into())).is_err());
        let padded =
            |zeros: usize| format!("nvme.0000-31633100{0}-4c696e7578{0}-00000002", "00".repeat(zeros));
        assert_eq!(of_property(&padded(30)).unwrap().as_str(), "nvme.0000-316331-4c696e7578-00000002");
        raw.wwid_attr = Some(padded(30));
        assert_eq!(text(from_device(&raw)), "nvme.0000-316331-4c696e7578-00000002");
        raw.wwid_attr = Some(padded(2));
        assert_eq!(text(from_device(&raw)), padded(2));

        raw.syspath = "/devices/css0/0.0.0001/0.0.1234/block/dasda".into();
        raw.transport.insert("uid".into(), "IBM.750000000DK731.1c00.16.00000000".into());
        assert_eq!(text(wwid(&raw, &UidSource::Udev("ID_UID".into()))), "IBM.750000000DK731.1c00.16");
    }

    #[test]
    fn values_as_udev_writes_them() {
        for (raw, expected) in [
            (&b"  a \t b  "[..], "a_b"),
            (b"a/b(c)", "a_b_c_"),
            (b"#+-.:=@_", "#+-.:=@_"),
            ("gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
            (b"\xff\x41", "_A"),
            (b"a\\x20b\\c", "a\\x20b_c"),
            (b"   ", ""),
        ] {
            assert_eq!(udev_text(raw), expected, "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            vpd83 in prop::collection::vec(any::<u8>(), 0..200),
            vpd80 in prop::collection::vec(any::<u8>(), 0..80),
            vendor in prop::collection::vec(any::<u8>(), 0..12),
            name in prop::collection::vec(odd_letter(), 0..40),
        ) {
            // Whatever bytes, or the name of a T10 vendor.
            let vpd83 = if name.is_empty() {
                vpd83
            } else {
                let name: Vec<u8> = name.concat();
                let length = u8::try_from(name.len()).unwrap();
                [&[0, 0x83, 0, length + 4, 2, 1, 0, length], &*name].concat()
            };
            let mut raw = RawProbe { vpd83, vpd80, vendor: vendor.clone(), model: vendor, ..disk("", "") };
            for (page, code) in [(&mut raw.vpd83, 0x83), (&mut raw.vpd80, 0x80)] {
                if let Some(byte) = page.get_mut(1) { *byte = code; }
            }
            for wwid in [wwid(&raw, &UidSource::ScsiId), from_device(&raw)].into_iter().flatten() {
                prop_assert!(!wwid.as_str().is_empty() && wwid.as_str().len() <= MAX_WWID);
                prop_assert!(!wwid.as_str().contains([' ', '/', '\0', '\n']));
                prop_assert!(!wwid.as_str().contains(char::is_control), "{:?}", wwid);
                // The map is found again by its UUID.
                if let Ok(kernel) = mangled(&uuid_of(&wwid), LONGEST_UUID) {
                    prop_assert_eq!(wwid_of(&unmangled(&kernel)), Some(wwid.clone()));
                }
            }
        }
    }

    /// Plain ones, control characters beyond ASCII, what counts as mangled, any byte.
    fn odd_letter() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            (b'a'..=b'z').prop_map(|byte| vec![byte]),
            (0x80..=0x9f_u8).prop_map(|byte| vec![0xc2, byte]),
            (0x20..=0x7f_u8).prop_map(|byte| format!("\\x{byte:02x}").into_bytes()),
            any::<u8>().prop_map(|byte| vec![byte]),
        ]
    }

    #[test]
    fn no_wwid_is_one_that_a_map_is_not_found_by() {
        let named = |name: &str| {
            let id = hex_after("", name.as_bytes());
            let page = format!("0083{:04x} 020100{:02x} {id}", name.len() + 4, name.len());
            let raw = disk(&page, "7");
            let property =
                RawProbe { properties: [("ID_X".into(), format!("1{name}"))].into(), ..raw.clone() };
            let of_property = wwid(&property, &UidSource::Udev("ID_X".into()));
            assert_eq!(of_property, wwid(&raw, &UidSource::ScsiId), "{name:?}");
            assert_eq!(designated(&raw), of_property.clone().ok(), "{name:?}");
            of_property
        };
        assert_eq!(named("LIO-ORG_\u{9b}31mX"), Err(NoWwid::ControlCharacters));
        assert_eq!(named("\u{85}"), Err(NoWwid::ControlCharacters));
        assert_eq!(named("a\\x20b"), Err(NoWwid::Mangled));
        // Neither is written otherwise by any tool.
        for kept in ["a\\x41b", "Z\u{fc}rich", "a\\x9"] {
            assert_eq!(named(kept), Ok(Wwid::new(format!("1{kept}"))));
        }
    }
}
