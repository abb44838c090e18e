//! The `alua` prioritizer: REPORT TARGET PORT GROUPS (SPC-4 6.37), asked through the path itself.

use super::rtpg::{Report, length};
use super::{Memory, Preference, PrioError, data_of};
use crate::check::ScsiReply;
use crate::check::ask::{Answers, Step, Unanswered};
use crate::check::command::{RtpgHeader, ScsiCommand};
use crate::check::sense::{Ending, key};
use crate::types::Priority;

/// A first guess at the length of the answer; it says itself how long it is.
const LENGTH: u16 = 1024;

pub(super) fn rate(
    preference: Preference,
    port_group: Option<u16>,
    memory: &mut Memory,
    answers: &Answers,
) -> Step<Result<Priority, PrioError>> {
    let Some(port_group) = port_group else { return Ok(Err(PrioError::NoPortGroup)) };
    let reply = ask(memory, answers)?;
    Ok(data_of(reply).and_then(|data| {
        let group = Report::parse(data)?.group(port_group)?;
        if group.transitioning {
            return Err(PrioError::Transitioning);
        }
        Ok(preference.weigh(group.state, group.preferred))
    }))
}

/// With the extended header; a device that refuses that, for whatever reason (some do not say that it is for the header), is asked
/// for the plain one from then on. Again with more room where the answer says that it is longer.
fn ask<'a>(memory: &mut Memory, answers: &'a Answers) -> Step<Result<&'a ScsiReply, Unanswered>> {
    let header = if memory.plain_rtpg { RtpgHeader::Plain } else { RtpgHeader::Extended };
    let Ok(reply) = answers.scsi(&ScsiCommand::report_target_port_groups(header, LENGTH))? else {
        return answers.scsi(&ScsiCommand::report_target_port_groups(header, LENGTH));
    };
    match Ending::of(reply) {
        Ending::Refused(sense) if header == RtpgHeader::Extended && sense.key == key::ILLEGAL_REQUEST => {
            memory.plain_rtpg = true;
            ask(memory, answers)
        }
        Ending::Good if length(&reply.data) > usize::from(LENGTH) => {
            let length = u16::try_from(length(&reply.data)).unwrap_or(u16::MAX);
            answers.scsi(&ScsiCommand::report_target_port_groups(header, length))
        }
        _ => Ok(Ok(reply)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::ask::{Answer, Ask, Wanted, answered, good, refused};
    use crate::types::Errno;

    fn rtpg(header: RtpgHeader) -> ScsiCommand {
        ScsiCommand::report_target_port_groups(header, LENGTH)
    }

    fn plain() -> Memory {
        Memory { plain_rtpg: true, ..Memory::default() }
    }

    #[test]
    fn answers() {
        let standby = "00000008 82 0f 0007 00 00 00 00";
        let recovered = ScsiReply { data: good(standby).data, ..refused("72 01 00 00") };
        let conflict = ScsiReply { status: 0x18, ..good(standby) };
        let busy = ScsiReply { status: 8, ..good(standby) };
        for (reply, group, expected) in [
            (good(standby), Some(7), Ok(Priority(81))),
            (recovered, Some(7), Ok(Priority(81))),
            (good(standby), Some(8), Err(PrioError::GroupNotListed)),
            (good(standby), None, Err(PrioError::NoPortGroup)),
            (good("00000008 0f 8f 0007 00 00 00 00"), Some(7), Err(PrioError::Transitioning)),
            (good("00000008 03 8f 0007 00 00 00 00"), Some(7), Ok(Priority(0))),
            (good(""), Some(7), Err(PrioError::Truncated)),
            (refused("72 06 2a 06"), Some(7), Err(PrioError::Retry)),
            (refused("72 02 04 0a"), Some(7), Err(PrioError::Retry)),
            (refused("72 05 20 00"), Some(7), Err(PrioError::NotSupported)),
            (refused("72 05 24 00"), Some(7), Err(PrioError::NotSupported)),
            (refused("72 05 25 00"), Some(7), Err(PrioError::Refused)),
            (refused("72 03 00 00"), Some(7), Err(PrioError::Refused)),
            (conflict, Some(7), Err(PrioError::Refused)),
            (busy, Some(7), Err(PrioError::Refused)),
        ] {
            let answers = answered(&[(rtpg(RtpgHeader::Plain), reply.clone())]);
            let rated = rate(Preference::NotOptimized, group, &mut plain(), &answers).unwrap();
            assert_eq!(rated, expected, "{reply:?}");
        }
        let mut answers = Answers::default();
        answers.put(&[Ask::Scsi(rtpg(RtpgHeader::Plain))], &[Answer::Failed(Errno::ENXIO)]);
        let failed = rate(Preference::NotOptimized, Some(7), &mut plain(), &answers);
        assert_eq!(failed, Ok(Err(PrioError::Io(Errno::ENXIO))));
    }

    #[test]
    fn the_extended_header_first() {
        let extended = good("0000000c 10 05 0000 01 0f 0007 00 00 00 00");
        let mut memory = Memory::default();
        let mut rated = |list: &[_]| rate(Preference::NotOptimized, Some(7), &mut memory, &answered(list));
        assert_eq!(rated(&[]), Err(Wanted([Ask::Scsi(rtpg(RtpgHeader::Extended))].into())));
        assert_eq!(rated(&[(rtpg(RtpgHeader::Extended), extended)]), Ok(Ok(Priority(10))));
        let no = (rtpg(RtpgHeader::Extended), refused("72 05 00 00"));
        assert_eq!(rated(&[no]), Err(Wanted([Ask::Scsi(rtpg(RtpgHeader::Plain))].into())));
        assert_eq!(rated(&[]), Err(Wanted([Ask::Scsi(rtpg(RtpgHeader::Plain))].into())), "remembered");
    }

    #[test]
    fn a_longer_answer_is_asked_for_whole() {
        let mut cut = good("00000804");
        cut.data.resize(1024, 0);
        let whole = ScsiCommand::report_target_port_groups(RtpgHeader::Plain, 0x808);
        let step = rate(
            Preference::NotOptimized,
            Some(7),
            &mut plain(),
            &answered(&[(rtpg(RtpgHeader::Plain), cut.clone())]),
        );
        assert_eq!(step, Err(Wanted([Ask::Scsi(whole.clone())].into())));
        let answers =
            answered(&[(rtpg(RtpgHeader::Plain), cut), (whole, good("00000804 01 0f 0007 00 00 00 00"))]);
        assert_eq!(rate(Preference::NotOptimized, Some(7), &mut plain(), &answers), Ok(Ok(Priority(10))));
        let endless = good("fffffffc");
        let most = ScsiCommand::report_target_port_groups(RtpgHeader::Plain, u16::MAX);
        let answers = answered(&[(rtpg(RtpgHeader::Plain), endless.clone()), (most, endless)]);
        let rated = rate(Preference::NotOptimized, Some(7), &mut plain(), &answers);
        assert_eq!(rated, Ok(Err(PrioError::Truncated)));
    }
}
