//! Sense data (SPC-4 4.5) and what the kernel says of a command's way to the device.

use super::ScsiReply;

/// SAM status bytes (SAM-5 5.3.1), without the reserved bits.
pub(crate) mod status {
    pub(crate) const GOOD: u8 = 0x00;
    pub(crate) const CHECK_CONDITION: u8 = 0x02;
    pub(crate) const RESERVATION_CONFLICT: u8 = 0x18;
}

/// Host bytes (`DID_*` of the kernel's `scsi_status.h`).
pub(crate) mod host {
    pub(crate) const OK: u16 = 0x00;
    pub(crate) const NO_CONNECT: u16 = 0x01;
    pub(crate) const TIME_OUT: u16 = 0x03;
    pub(crate) const BAD_TARGET: u16 = 0x04;
    pub(crate) const ABORT: u16 = 0x05;
    pub(crate) const TRANSPORT_FAILFAST: u16 = 0x0f;
}

/// Sense keys (SPC-4 table 48).
pub(crate) mod key {
    pub(crate) const RECOVERED_ERROR: u8 = 0x1;
    pub(crate) const NOT_READY: u8 = 0x2;
    pub(crate) const ILLEGAL_REQUEST: u8 = 0x5;
    pub(crate) const UNIT_ATTENTION: u8 = 0x6;
}

/// What sense data say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sense {
    /// Sense key.
    pub key: u8,
    /// Additional sense code; 0 where it was not sent.
    pub asc: u8,
    /// Additional sense code qualifier; 0 where it was not sent.
    pub ascq: u8,
}

impl Sense {
    /// From sense data in fixed (70h, 71h) or descriptor format (72h, 73h); `None` where they are
    /// neither, or too short for a sense key.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let at = |index: usize| data.get(index).copied().unwrap_or(0);
        let (key, asc, ascq) = match data.first()? & 0x7f {
            0x70 | 0x71 => (*data.get(2)?, at(12), at(13)),
            0x72 | 0x73 => (*data.get(1)?, at(2), at(3)),
            _ => return None,
        };
        Some(Self { key: key & 0x0f, asc, ascq })
    }

    /// LOGICAL UNIT NOT SUPPORTED (SPC-4 table 56): the array maps no LUN here, or none any more.
    pub fn is_unmapped(self) -> bool {
        (self.key, self.asc, self.ascq) == (key::ILLEGAL_REQUEST, 0x25, 0x00)
    }

    /// INQUIRY DATA HAS CHANGED, DEVICE IDENTIFIER CHANGED, REPORTED LUNS DATA HAS CHANGED (SPC-4 table 56): another LUN may be
    /// here by now.
    pub fn tells_of_another_lun(self) -> bool {
        (self.key, self.asc) == (key::UNIT_ATTENTION, 0x3f) && matches!(self.ascq, 0x03 | 0x05 | 0x0e)
    }
}

/// How a SCSI command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Done (perhaps with a recovered error).
    Good,
    /// The device is reserved by another initiator.
    ReservationConflict,
    /// The device refused it, and said why.
    Refused(Sense),
    /// The kernel could not bring it there or back (`DID_*`).
    Transport(u16),
    /// Another status, or no sense data with it.
    Failed,
}

impl Ending {
    /// The device's answer counts before the way it took.
    pub(crate) fn of(reply: &ScsiReply) -> Self {
        let status = reply.status & 0x7e;
        let driver = reply.driver_status & 0x0f;
        if status == status::RESERVATION_CONFLICT {
            return Self::ReservationConflict;
        }
        // DRIVER_SENSE: old kernels set it in the place of the status.
        let has_sense = status == status::CHECK_CONDITION || driver == 0x08;
        match Sense::parse(&reply.sense).filter(|_| has_sense) {
            Some(sense) if sense.key == key::RECOVERED_ERROR => Self::Good,
            Some(sense) => Self::Refused(sense),
            None if reply.host_status != host::OK => Self::Transport(reply.host_status),
            None if status == status::GOOD && driver == 0 => Self::Good,
            None => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identify::hex;

    #[test]
    fn both_formats() {
        for (data, expected) in [
            ("70 00 02 00000000 0a 00000000 04 0b 00 0000", Some((2, 0x04, 0x0b))),
            ("f0 00 06 00000000 0a 00000000 29 00", Some((6, 0x29, 0))),
            ("71 00 05", Some((5, 0, 0))),
            ("72 05 25 00 00000000", Some((5, 0x25, 0))),
            ("73 f2 04 0a", Some((2, 0x04, 0x0a))),
            ("72 06", Some((6, 0, 0))),
            ("70 00", None),
            ("72", None),
            ("00 00 02 00", None),
            ("7f 00 02 00", None),
            ("", None),
        ] {
            let parsed = Sense::parse(&hex(data)).map(|s| (s.key, s.asc, s.ascq));
            assert_eq!(parsed, expected, "{data}");
        }
    }

    #[test]
    fn attentions_that_tell_of_another_lun() {
        for (data, expected) in [
            ("72 06 3f 03", true),
            ("72 06 3f 05", true),
            ("70 00 06 00000000 0a 00000000 3f 0e", true),
            ("72 06 3f 01", false), // new microcode
            ("72 06 29 00", false),
            ("72 06 2a 09", false), // another capacity
            ("72 05 3f 0e", false),
        ] {
            assert_eq!(Sense::parse(&hex(data)).unwrap().tells_of_another_lun(), expected, "{data}");
        }
    }

    #[test]
    fn the_devices_answer_counts_first() {
        let reply = |status, host_status, driver_status, sense: &str| ScsiReply {
            status,
            host_status,
            driver_status,
            sense: hex(sense),
            data: Vec::new(),
        };
        let not_ready = Ending::Refused(Sense { key: 2, asc: 4, ascq: 11 });
        for (reply, ending) in [
            (reply(0, 0, 0, ""), Ending::Good),
            (reply(0, 0, 0, "70 00 02"), Ending::Good),
            (reply(2, 0, 0, "72 01 17 01"), Ending::Good),
            (reply(2, 0, 8, "72 02 04 0b"), not_ready),
            (reply(0, 0, 8, "72 02 04 0b"), not_ready),
            (reply(2, 7, 0, "72 02 04 0b"), not_ready),
            (reply(0x18, 0, 0, ""), Ending::ReservationConflict),
            (reply(0x19, 1, 0, ""), Ending::ReservationConflict),
            (reply(0, 1, 0, ""), Ending::Transport(1)),
            (reply(2, 0, 0, ""), Ending::Failed),
            (reply(8, 0, 0, ""), Ending::Failed),
            (reply(0, 0, 6, ""), Ending::Failed),
        ] {
            assert_eq!(Ending::of(&reply), ending, "{reply:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Sense::parse(&data);
        }
    }
}
