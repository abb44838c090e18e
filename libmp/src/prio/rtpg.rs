//! Parameter data of REPORT TARGET PORT GROUPS (SPC-4 6.37).
//!
//! Any bytes may come in. A group whose descriptor was not read whole is not there.

use super::{AccessState, PrioError};

/// One target port group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortGroup {
    /// Its number.
    pub id: u16,
    /// How the logical unit is accessed through it.
    pub state: AccessState,
    /// Is it changing its state?
    pub transitioning: bool,
    /// Would the array rather be accessed through it?
    pub preferred: bool,
}

/// How long the whole answer is by its first bytes, header included; 0 where those are missing.
pub fn length(data: &[u8]) -> usize {
    let length = data.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes).saturating_add(4));
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// All groups, and whether the data hold every one of them.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    groups: &'a [u8],
    truncated: bool,
}

impl<'a> Report<'a> {
    /// Takes the data apart; the header may be the short one or the extended one (parameter data
    /// format 1 in bits 6-4 of byte 4, which a port group has reserved).
    pub fn parse(data: &'a [u8]) -> Result<Self, PrioError> {
        let (length, body) = data.split_first_chunk::<4>().ok_or(PrioError::Truncated)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let truncated = length > body.len();
        let body = &body[..length.min(body.len())];
        let extended = body.first().is_some_and(|byte| byte >> 4 & 7 == 1);
        let groups = if extended { body.get(4..).ok_or(PrioError::Truncated)? } else { body };
        Ok(Self { groups, truncated })
    }

    /// The groups that were read whole, in their order.
    pub fn groups(self) -> impl Iterator<Item = PortGroup> + 'a {
        let mut rest = self.groups;
        ::core::iter::from_fn(move || {
            let (fixed, tail) = rest.split_first_chunk::<8>()?;
            rest = tail.get(4 * usize::from(fixed[7])..).unwrap_or_default();
            Some(PortGroup {
                id: u16::from_be_bytes([fixed[2], fixed[3]]),
                state: match fixed[0] & 0x0f {
                    0x0 => AccessState::Optimized,
                    0x1 => AccessState::NonOptimized,
                    0x2 => AccessState::Standby,
                    0x4 => AccessState::LbaDependent,
                    _ => AccessState::Unusable,
                },
                transitioning: fixed[0] & 0x0f == 0x0f,
                preferred: fixed[0] & 0x80 != 0,
            })
        })
    }

    /// The group of this number: the first, if an array names it twice.
    pub fn group(self, id: u16) -> Result<PortGroup, PrioError> {
        let missing = if self.truncated { PrioError::Truncated } else { PrioError::GroupNotListed };
        self.groups().find(|group| group.id == id).ok_or(missing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identify::hex;

    /// scsi_debug: group 0x100 optimized, 0x200 non-optimized.
    const TWO: &str = "00000018 00 0f 0100 00 00 00 01 00000001 01 0f 0200 00 00 00 01 00000002";

    #[test]
    fn both_headers() {
        for data in [TWO, &format!("0000001c 10 05 0000 {}", &TWO[9..])] {
            let data = hex(data);
            let report = Report::parse(&data).unwrap();
            assert_eq!(report.groups().count(), 2);
            assert_eq!(report.group(0x100).unwrap().state, AccessState::Optimized);
            assert_eq!(report.group(0x200).unwrap().state, AccessState::NonOptimized);
            assert_eq!(report.group(0x300), Err(PrioError::GroupNotListed));
        }
    }

    #[test]
    fn states() {
        use AccessState::*;
        for (byte, state, preferred) in [
            ("00", Optimized, false),
            ("80", Optimized, true),
            ("01", NonOptimized, false),
            ("02", Standby, false),
            ("82", Standby, true),
            ("03", Unusable, false),
            ("04", LbaDependent, false),
            ("05", Unusable, false),
            ("0e", Unusable, false),
            ("0f", Unusable, false),
        ] {
            let data = hex(&format!("00000008 {byte} 0f 0001 00 00 00 00"));
            let group = Report::parse(&data).unwrap().group(1).unwrap();
            assert_eq!((group.state, group.preferred), (state, preferred), "{byte}");
            assert_eq!(group.transitioning, byte == "0f");
        }
    }

    #[test]
    fn cut_short() {
        for (bytes, first, second) in [
            (28, Ok(()), Ok(())),
            (24, Ok(()), Ok(())), // the ports of the last group don't matter
            (20, Ok(()), Err(PrioError::Truncated)),
            (12, Ok(()), Err(PrioError::Truncated)),
            (11, Err(PrioError::Truncated), Err(PrioError::Truncated)),
            (4, Err(PrioError::Truncated), Err(PrioError::Truncated)),
        ] {
            let data = &hex(TWO)[..bytes];
            let report = Report::parse(data).unwrap();
            assert_eq!(report.group(0x100).map(drop), first, "{bytes}");
            assert_eq!(report.group(0x200).map(drop), second, "{bytes}");
        }
        assert_eq!(Report::parse(&[0, 0, 0]).map(drop), Err(PrioError::Truncated));
        assert_eq!(Report::parse(&hex("00000008 10 00")).map(drop), Err(PrioError::Truncated));
        let empty = hex("00000000");
        assert_eq!(Report::parse(&empty).unwrap().group(1), Err(PrioError::GroupNotListed));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut data in prop::collection::vec(any::<u8>(), 0..120), short in any::<bool>()) {
            if short && data.len() > 2 { data[..2].fill(0); }
            if let Ok(report) = Report::parse(&data) {
                prop_assert!(report.groups().count() <= data.len() / 8);
            }
        }
    }
}
