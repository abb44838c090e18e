//! The `readsector0` checker: READ of the first sector through SG_IO (SBC-4 5.11).

use super::ask::{Answers, Step};
use super::command::ScsiCommand;
use super::sense::{Ending, key};
use super::{Judged, ScsiReply};

pub(super) fn step(block_size: u32, answers: &Answers) -> Step<Judged> {
    Ok(answers.scsi(&ScsiCommand::read_first_block(block_size))?.map_or_else(Judged::from, judge))
}

fn judge(reply: &ScsiReply) -> Judged {
    match Ending::of(reply) {
        Ending::Good => Judged::UP,
        Ending::Transport(host) => super::transport(host),
        Ending::Refused(sense) if sense.key == key::UNIT_ATTENTION => Judged::DOWN.retried(),
        Ending::Refused(sense) if sense.is_unmapped() => Judged::DISCONNECTED,
        Ending::Refused(_) | Ending::ReservationConflict | Ending::Failed => Judged::DOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckState;
    use super::*;
    use crate::identify::hex;

    #[test]
    fn only_data_count_as_up() {
        for (status, sense, state, retry) in [
            (0, "", CheckState::Up, false),
            (2, "72 01 17 00", CheckState::Up, false),
            (2, "72 06 29 00", CheckState::Down, true),
            (2, "72 02 04 0b", CheckState::Down, false),
            (2, "72 05 25 00", CheckState::Disconnected, false),
            (0x18, "", CheckState::Down, false),
        ] {
            let judged = judge(&ScsiReply { status, sense: hex(sense), ..ScsiReply::default() });
            assert_eq!((judged.state, judged.retry), (state, retry), "{status:#x} {sense}");
        }
    }
}
