//! The `hp_sw` checker: INQUIRY (VPD page 80h) and TEST UNIT READY of active/standby HSG, MSA and HSV.
//!
//! A standby controller of these arrays answers INQUIRY and refuses the rest, in general with 02/04/02
//! (initializing command required, SPC-4 table 56): START STOP UNIT, which the kernel's handler sends
//! when the group is switched to, makes it serve I/O.

use super::ask::{Answers, Step, both};
use super::command::ScsiCommand;
use super::sense::{Ending, key};
use super::{Judged, ScsiReply};

fn serial_page() -> ScsiCommand {
    ScsiCommand::vital_page(0x80, 255)
}

pub(super) fn step(answers: &Answers) -> Step<Judged> {
    let (page, ready) = both(answers.scsi(&serial_page()), answers.scsi(&ScsiCommand::test_unit_ready()))?;
    Ok(match (page, ready) {
        (Ok(page), Ok(ready)) => judge(page, ready),
        (Err(unanswered), _) | (_, Err(unanswered)) => Judged::from(unanswered),
    })
}

fn judge(page: &ScsiReply, ready: &ScsiReply) -> Judged {
    match Ending::of(page) {
        Ending::Good => {}
        Ending::Refused(sense) if sense.key == key::ILLEGAL_REQUEST => return Judged::UNSUPPORTED,
        Ending::Refused(sense) if sense.key == key::UNIT_ATTENTION => return Judged::DOWN.retried(),
        Ending::Transport(host) => return super::transport(host),
        Ending::Refused(_) | Ending::ReservationConflict | Ending::Failed => return Judged::DOWN,
    }
    match Ending::of(ready) {
        Ending::Good => Judged::UP,
        Ending::Refused(sense) if sense.is_unmapped() => Judged::DISCONNECTED,
        Ending::Refused(sense) if sense.key == key::UNIT_ATTENTION => Judged::GHOST.retried(),
        Ending::Transport(host) => super::transport(host),
        Ending::Refused(_) | Ending::ReservationConflict | Ending::Failed => Judged::GHOST,
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckState::*;
    use super::super::ask::{answered, good, refused};
    use super::*;

    #[test]
    fn a_standby_controller_answers_inquiry_only() {
        let page = || good("00 80 00 04 41424344");
        let host = |host_status| ScsiReply { host_status, ..ScsiReply::default() };
        for (page, ready, state, retry) in [
            (page(), good(""), Up, false),
            (page(), refused("72 02 04 02"), Ghost, false),
            (page(), refused("72 02 04 03"), Ghost, false),
            (page(), refused("72 06 29 00"), Ghost, true),
            (page(), refused("72 05 25 00"), Disconnected, false),
            (page(), host(0x01), Down, false),
            (page(), host(0x03), Timeout, false),
            (refused("72 05 24 00"), good(""), Wild, false),
            (refused("72 03 00 00"), good(""), Down, false),
            (refused("72 06 29 00"), good(""), Down, true),
            (host(0x0e), good(""), Down, true),
        ] {
            let answers =
                answered(&[(serial_page(), page.clone()), (ScsiCommand::test_unit_ready(), ready.clone())]);
            let judged = step(&answers).unwrap();
            assert_eq!((judged.state, judged.retry), (state, retry), "{page:?} {ready:?}");
        }
        assert_eq!(step(&Answers::default()).unwrap_err().0.len(), 2, "both at once");
    }
}
