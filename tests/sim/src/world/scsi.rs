//! The bytes that a LUN answers with: INQUIRY, VPD pages, sense data, target port groups.

use libmp::check::ScsiReply;

/// State of a target port group (SPC-4 6.37, asymmetric access state).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alua {
    Optimized,
    NonOptimized,
    Standby,
    Unavailable,
    Transitioning,
}

impl Alua {
    pub const ALL: [Self; 5] =
        [Self::Optimized, Self::NonOptimized, Self::Standby, Self::Unavailable, Self::Transitioning];

    /// The code in REPORT TARGET PORT GROUPS.
    const fn code(self) -> u8 {
        match self {
            Self::Optimized => 0x0,
            Self::NonOptimized => 0x1,
            Self::Standby => 0x2,
            Self::Unavailable => 0x3,
            Self::Transitioning => 0xf,
        }
    }

    /// The word in sysfs (`device/access_state`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Optimized => "active/optimized",
            Self::NonOptimized => "active/non-optimized",
            Self::Standby => "standby",
            Self::Unavailable => "unavailable",
            Self::Transitioning => "transitioning",
        }
    }

    /// Does I/O end well there?
    pub const fn serves_io(self) -> bool {
        matches!(self, Self::Optimized | Self::NonOptimized)
    }
}

fn padded(text: &str, width: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = text.bytes().take(width).collect();
    bytes.resize(width, b' ');
    bytes
}

/// Vendor and product as sysfs shows them, blanks kept.
pub fn inquiry_text(text: &str, width: usize) -> Vec<u8> {
    padded(text, width)
}

/// Standard INQUIRY data (SPC-4 6.6.2): of SPC-4 with version 6, of SPC with version 3.
pub fn inquiry(vendor: &str, product: &str, version: u8, implicit_alua: bool) -> Vec<u8> {
    let mut data = vec![0x00, 0x00, version, 0x12, 91, if implicit_alua { 0x10 } else { 0 }, 0, 0x02];
    data.extend(padded(vendor, 8));
    data.extend(padded(product, 16));
    data.extend(padded("0001", 4));
    data.resize(96, 0);
    data
}

fn page(code: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    [&[0x00, code, length[0], length[1]], body].concat()
}

/// VPD page 0x80: unit serial number.
pub fn vpd80(serial: &str) -> Vec<u8> {
    page(0x80, serial.as_bytes())
}

fn hex(text: &str) -> Vec<u8> {
    let nibble = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or(0);
    text.as_bytes().chunks_exact(2).map(|c| nibble(c[0]) << 4 | nibble(c[1])).collect()
}

/// VPD page 0x83: the NAA designator of the WWID (`3` and hexadecimal digits), the relative
/// target port and the target port group of the path.
pub fn vpd83(wwid: &str, port: u16, group: u16) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(naa) = wwid.strip_prefix('3') {
        let naa = hex(naa);
        body.extend([0x01, 0x03, 0, u8::try_from(naa.len()).expect("at most 16")]);
        body.extend(naa);
    }
    for (kind, number) in [(0x14, port), (0x15, group)] {
        let number = number.to_be_bytes();
        body.extend([0x61, kind, 0, 4, 0, 0, number[0], number[1]]);
    }
    page(0x83, &body)
}

/// A command that ended with GOOD.
pub fn good(data: Vec<u8>) -> ScsiReply {
    ScsiReply { data, ..ScsiReply::default() }
}

/// A command that ended with CHECK CONDITION and fixed-format sense data.
pub fn sense(key: u8, asc: u8, ascq: u8) -> ScsiReply {
    let mut sense = vec![0; 18];
    (sense[0], sense[2], sense[7], sense[12], sense[13]) = (0x70, key, 10, asc, ascq);
    ScsiReply { status: 0x02, driver_status: 0x08, sense, ..ScsiReply::default() }
}

/// A command that never reached the LUN.
pub fn host_error(host_status: u16) -> ScsiReply {
    ScsiReply { host_status, ..ScsiReply::default() }
}

/// REPORT TARGET PORT GROUPS (SPC-4 6.37), one port a group, groups numbered from 1.
pub fn target_port_groups(states: &[Alua]) -> Vec<u8> {
    let mut data = u32::try_from(states.len() * 12).expect("few").to_be_bytes().to_vec();
    for (number, state) in (1_u16..).zip(states) {
        let number = number.to_be_bytes();
        data.extend([state.code(), 0x8f, number[0], number[1], 0, 0x02, 0, 1, 0, 0, number[0], number[1]]);
    }
    data
}

/// The same with the extended header (parameter data format 1): a transition takes 60 s at the most.
pub fn extended(plain: &[u8]) -> Vec<u8> {
    let length = u32::try_from(plain.len()).expect("few").to_be_bytes();
    [&length[..], &[0x10, 60, 0, 0], &plain[4..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_their_lengths() {
        let page = vpd83("3600a0b80000000000000000000000001", 2, 1);
        assert_eq!(page[..4], [0x00, 0x83, 0x00, 36]);
        assert_eq!(page.len(), 40);
        assert_eq!(page[4..12], [0x01, 0x03, 0, 16, 0x60, 0x0a, 0x0b, 0x80]);
        assert_eq!(vpd80("AB1"), [0, 0x80, 0, 3, b'A', b'B', b'1']);
        assert_eq!(target_port_groups(&[Alua::Optimized, Alua::Standby]).len(), 28);
        assert_eq!(inquiry("V", "P", 6, true).len(), 96);
    }
}
