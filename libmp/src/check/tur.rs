//! The `tur` checker: TEST UNIT READY (SPC-4 6.47). `cciss_tur` is the same: the command goes through
//! SG_IO, which drivers of Smart Array controllers have too, and not through an interface of its own.

use super::ask::{Answers, Step};
use super::command::ScsiCommand;
use super::sense::{Ending, key};
use super::{CheckState, Judged, ScsiReply};

const TRANSITIONING: Judged = Judged::new(CheckState::Pending, " reports path is transitioning");

pub(super) fn step(answers: &Answers) -> Step<Judged> {
    Ok(answers.scsi(&ScsiCommand::test_unit_ready())?.map_or_else(Judged::from, judge))
}

fn judge(reply: &ScsiReply) -> Judged {
    match Ending::of(reply) {
        // An array may answer so to a host that holds no reservation: it answers.
        Ending::Good | Ending::ReservationConflict => Judged::UP,
        Ending::Transport(host) => super::transport(host),
        Ending::Refused(sense) => match (sense.key, sense.asc, sense.ascq) {
            // Some arrays say so as a unit attention, and may do each time until it is over.
            (key::UNIT_ATTENTION, 0x04, 0x0a) => TRANSITIONING.retried(),
            (key::UNIT_ATTENTION, ..) => Judged::DOWN.retried(),
            (key::NOT_READY, 0x04, 0x0a) => TRANSITIONING,
            (key::NOT_READY, 0x04, 0x0b) => Judged::GHOST,
            _ if sense.is_unmapped() => Judged::DISCONNECTED,
            _ => Judged::DOWN,
        },
        Ending::Failed => Judged::DOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::hex;

    #[test]
    fn sense_data() {
        use CheckState::*;
        for (sense, state, retry) in [
            ("70 00 02 00000000 0a 00000000 04 0b", Ghost, false),
            ("72 02 04 0b", Ghost, false),
            ("72 02 04 0a", Pending, false),
            ("72 06 04 0a", Pending, true),
            ("72 02 04 0c", Down, false),
            ("72 02 04 01", Down, false), // becoming ready
            ("72 02 3a 00", Down, false), // no medium
            ("72 06 29 00", Down, true),  // power on
            ("72 06 3f 0e", Down, true),  // reported LUNs changed
            ("72 05 25 00", Disconnected, false),
            ("72 05 20 00", Down, false),
            ("72 03 11 00", Down, false),
            ("72 01 17 00", Up, false), // recovered
            ("72 0b 00 00", Down, false),
            ("", Down, false),
        ] {
            let judged = judge(&ScsiReply { status: 2, sense: hex(sense), ..ScsiReply::default() });
            assert_eq!((judged.state, judged.retry), (state, retry), "{sense}");
        }
    }

    #[test]
    fn status_and_host() {
        use CheckState::*;
        for (status, host_status, state, retry) in [
            (0, 0, Up, false),
            (0x18, 0, Up, false),
            (0x08, 0, Down, false),
            (0x28, 0, Down, false),
            (0, 0x01, Down, false),
            (0, 0x03, Timeout, false),
            (0, 0x07, Down, true),
            (0, 0x0b, Down, true),
            (0, 0x0e, Down, true),
            (0, 0x0f, Down, false),
        ] {
            let judged = judge(&ScsiReply { status, host_status, ..ScsiReply::default() });
            assert_eq!((judged.state, judged.retry), (state, retry), "{status:#x} {host_status:#x}");
        }
    }
}
