//! Vital product data pages 0x00, 0x80 and 0x83 (SPC-4 7.8.14, 7.8.15, 7.8.6), as sysfs gives them: header included.
//! And page 0xc0 of HPE 3PAR and its successors, which only the device itself gives.
//!
//! Any bytes may come in. What does not fit into the page, or into what was read of it, is not there.

use alloc::string::String;

/// Association of a designator with the logical unit.
pub const OF_LOGICAL_UNIT: u8 = 0;

/// Code set of a designator: bytes (SPC-4 table 589).
pub const BINARY: u8 = 1;
/// Code set of a designator: ASCII.
pub const ASCII: u8 = 2;

/// Designator types (SPC-4 7.8.6.2, table 591).
pub mod kind {
    /// Of the vendor's own making.
    pub const VENDOR_SPECIFIC: u8 = 0;
    /// Vendor name and something of its own.
    pub const T10_VENDOR: u8 = 1;
    /// IEEE EUI-64.
    pub const EUI64: u8 = 2;
    /// Name address authority: its first nibble is the format (6, 5, 2, 3).
    pub const NAA: u8 = 3;
    /// Number of the target port group.
    pub const TARGET_PORT_GROUP: u8 = 5;
    /// `iqn.…`, `eui.…`, `naa.…` in UTF-8.
    pub const SCSI_NAME: u8 = 8;
}

/// One designation descriptor of page 0x83.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Designator<'a> {
    /// What its bytes are: [`BINARY`], [`ASCII`], 3 for UTF-8.
    pub code_set: u8,
    /// What it names: 0 the logical unit, 1 the port, 2 the target device.
    pub association: u8,
    /// Its type, one of [`kind`].
    pub kind: u8,
    /// The designator itself.
    pub id: &'a [u8],
}

/// The body of this page: what follows its header, as far as it was read.
fn body(page: &[u8], code: u8) -> Option<&[u8]> {
    let (header, rest) = page.split_at_checked(4)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    (header[1] == code).then(|| &rest[..length.min(rest.len())])
}

/// Descriptors of page 0x83, in their order. None of the SCSI-2 form, or of another page.
pub fn designators(page: &[u8]) -> impl Iterator<Item = Designator<'_>> {
    let mut rest = if scsi2_identifier(page).is_some() { None } else { body(page, 0x83) };
    ::core::iter::from_fn(move || {
        let (header, tail) = rest?.split_at_checked(4)?;
        let (id, tail) = tail.split_at_checked(usize::from(header[3]))?;
        rest = Some(tail);
        Some(Designator {
            code_set: header[0] & 0x0f,
            association: header[1] >> 4 & 3,
            kind: header[1] & 0x0f,
            id,
        })
    })
}

/// The identifier of the old form of page 0x83 (SCSI-2; early Symmetrix): bare bytes in the place of
/// descriptors. It is told by byte 6, which a descriptor has reserved and zero.
pub fn scsi2_identifier(page: &[u8]) -> Option<&[u8]> {
    let rest = page.get(4..).filter(|rest| page[1] == 0x83 && rest.get(2).is_some_and(|byte| *byte != 0))?;
    let length = usize::from(page[3]);
    rest.get(..length).filter(|id| !id.is_empty())
}

/// Target port group of the port that answered (SPC-4 7.8.6.8): the first one named.
pub fn target_port_group(page: &[u8]) -> Option<u16> {
    designators(page)
        .filter(|designator| designator.kind == kind::TARGET_PORT_GROUP)
        .find_map(|designator| Some(u16::from_be_bytes([*designator.id.get(2)?, *designator.id.get(3)?])))
}

/// Numbers of the pages in page 0x00 (SPC-4 7.8.14).
pub fn supported(page: &[u8]) -> &[u8] {
    body(page, 0x00).unwrap_or_default()
}

/// Serial number in page 0x80, without blanks at both ends; `None` where there is none.
pub fn unit_serial(page: &[u8]) -> Option<&[u8]> {
    let serial = body(page, 0x80)?.split(|byte| *byte == 0).next()?.trim_ascii();
    (!serial.is_empty()).then_some(serial)
}

/// Longest text that a vendor's page is shown with, in bytes.
const VENDOR_TEXT_MAX: usize = 127;

/// Name of the volume in page 0xc0 of HPE 3PAR (InForm OS, page revision 4 and later): its length is in
/// bytes 40 to 43, big-endian, and it follows, at most 128 bytes up to the first NUL. What would not print
/// is `?`. `None`: the page has none.
pub fn hp3par_volume_name(page: &[u8]) -> Option<String> {
    const WITH_NAME: u8 = 4;
    let body = body(page, 0xc0)?;
    let length = u32::from_be_bytes(body.get(36..40)?.try_into().ok()?);
    let length = usize::try_from(length).ok().filter(|length| *length <= VENDOR_TEXT_MAX + 1)?;
    let name = body.get(40..)?.get(..length).filter(|_| body[0] >= WITH_NAME)?;
    let name = name.split(|byte| *byte == 0).next()?;
    Some(printable(&name[..name.len().min(VENDOR_TEXT_MAX)]))
}

/// What a device says of itself, for people and programs to read: what would not print, or end a line, is `?`.
pub(crate) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hex;
    use super::*;

    #[test]
    fn designators_in_their_order() {
        let page = hex("00830014 01030008 5000c50012345678 01940004 00000001");
        let found: Vec<_> = designators(&page).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].kind, found[0].association, found[0].id.len()), (kind::NAA, 0, 8));
        assert_eq!((found[1].kind, found[1].association), (4, 1));
    }

    #[test]
    fn what_does_not_fit_is_not_there() {
        for (page, count) in [
            ("", 0),
            ("0083", 0),
            ("00800008 01030004 60000000", 0), // another page
            ("00830008 01030004 60000000", 1),
            ("00830007 01030004 60000000", 0), // cut by its length
            ("00830008 01030004 600000", 0),   // cut by what was read
            ("0083ffff 01030004 60000000", 1), // longer than it is
            ("00830009 01030004 60000000 01", 1),
            ("00830004 01030000", 1), // an empty designator
        ] {
            assert_eq!(designators(&hex(page)).count(), count, "{page}");
        }
    }

    #[test]
    fn scsi2_form() {
        let page = hex("00830010 0060480000018790 0e0853594d303030");
        assert_eq!(scsi2_identifier(&page), Some(&page[4..]));
        assert_eq!(designators(&page).count(), 0);
        assert_eq!(scsi2_identifier(&page[..12]), None);
        assert_eq!(scsi2_identifier(&hex("00830008 01030004 60000000")), None);
    }

    #[test]
    fn port_groups_and_serials() {
        let page = hex("00830014 51940004 00000002 51950004 00000101 51950004 00000202");
        assert_eq!(target_port_group(&page), Some(0x101));
        assert_eq!(target_port_group(&hex("00830006 51950002 0101")), None);
        for (page, serial) in [
            ("00800004 20414220", Some(&b"AB"[..])),
            ("00800004 41420043", Some(b"AB")),
            ("00800003 202020", None),
            ("00800000", None),
            ("00800010 4142", Some(b"AB")),
            ("00830004 41424344", None),
            ("0080", None),
        ] {
            assert_eq!(unit_serial(&hex(page)), serial, "{page}");
        }
    }

    #[test]
    fn names_of_volumes() {
        // Header, revision, 35 bytes that don't matter, length, name.
        let page =
            |head: &str, length: &str, name: &str| hex(&[head, &"5a".repeat(35), length, name].concat());
        for (what, page, name) in [
            ("the last revision", page("00c00030 07", "00000008", "6461746130303100"), Some("data001")),
            ("the first with a name", page("00c0002f 04", "00000007", "64617461303031"), Some("data001")),
            ("before that", page("00c00030 03", "00000008", "6461746130303100"), None),
            ("no name", page("00c00028 04", "00000000", ""), Some("")),
            ("not to be printed", page("00c0002c 04", "00000004", "611b0aff"), Some("a??\u{fffd}")),
            ("longer than the page", page("00c0002e 04", "00000007", "64617461303031"), None),
            ("longer than what was read", page("00c00030 04", "00000008", "64617461"), None),
            ("longer than any", page("00c000ff 04", "00000081", &"61".repeat(200)), None),
            ("absurd", page("00c000ff 04", "ffffffff", &"61".repeat(200)), None),
            ("another page", page("00c90030 04", "00000008", "6461746130303100"), None),
            ("no length", hex("00c00008 04 00000000000000"), None),
            ("nothing", hex("00c00000"), None),
        ] {
            assert_eq!(hp3par_volume_name(&page).as_deref(), name, "{what}");
        }
        let longest = page("00c000a8 04", "00000080", &"61".repeat(128));
        assert_eq!(hp3par_volume_name(&longest), Some("a".repeat(127)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            mut page in prop::collection::vec(any::<u8>(), 0..300),
            code in prop::sample::select(vec![0x00u8, 0x80, 0x83, 0xc0]),
            length in prop::option::of(0u8..140),
        ) {
            if let Some(byte) = page.get_mut(1) { *byte = code; }
            if let (Some(length), Some(bytes)) = (length, page.get_mut(40..44)) {
                bytes.copy_from_slice(&[0, 0, 0, length]);
            }
            let name = hp3par_volume_name(&page).unwrap_or_default();
            prop_assert!(!name.contains(char::is_control));
            let _ = supported(&page);
            let _ = designators(&page).count();
            let _ = target_port_group(&page);
            let _ = scsi2_identifier(&page);
            let _ = unit_serial(&page);
        }
    }
}
