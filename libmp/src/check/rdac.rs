//! The `rdac` checker: the volume access control page (INQUIRY VPD page C9h) of LSI/NetApp arrays.
//!
//! Layout of the page, by what these arrays send: byte 0 peripheral qualifier and type, 1 C9h,
//! 3 length 2Ch, 4–7 `vac1`, 8 flags, 9 preferred path, 10 access state of this controller, 11 why
//! it is unavailable, 12 access state of the other controller.

use super::ask::{Answers, Step, both};
use super::command::{CONTROL_PAGE, PageControl, ScsiCommand};
use super::sense::{Ending, key};
use super::{CheckState, Judged, Memory, ScsiReply};

/// INQUIRY for the page.
pub(crate) fn command() -> ScsiCommand {
    ScsiCommand::vital_page(0xc9, 128)
}

/// The page, as far as it was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a>(&'a [u8]);

/// Access states (SPC-4 6.37) that matter here.
const UNAVAILABLE: u8 = 0x3;
const TRANSITIONING: u8 = 0xf;

impl<'a> Page<'a> {
    /// `None`: too short to say anything.
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        (data.len() >= 14).then_some(Self(data))
    }

    /// Is it the page that this array type has, and no other vendor's of that number?
    pub(crate) fn is_volume_access_control(self) -> bool {
        self.0[4..8] == *b"vac1"
    }

    /// The same, as the prioritizer wants it: of any version, and of the right length.
    pub(crate) fn is_whole(self) -> bool {
        self.0[1] == 0xc9 && self.0[3] == 0x2c && self.0[4..7] == *b"vac"
    }

    fn is_connected(self) -> bool {
        const CONNECTED_DISK: u8 = 0;
        self.0[0] & 0x7f == CONNECTED_DISK
    }

    /// Does this controller own the volume?
    pub(crate) fn is_owner(self) -> bool {
        self.0[8] & 0x01 != 0
    }

    /// Do both controllers serve I/O?
    pub(crate) fn is_ioship(self) -> bool {
        self.0[8] & 0x20 != 0
    }

    /// 1: preferred; 2: secondary.
    pub(crate) fn preference(self) -> u8 {
        self.0[9] & 0x0f
    }

    /// Access states of this controller and the other, where the page has them.
    fn access_states(self) -> Option<(u8, u8)> {
        (self.0[8] & 0x10 != 0).then_some((self.0[10] & 0x0f, self.0[12] & 0x0f))
    }

    fn judge(self) -> Judged {
        let down = |message| Judged::new(CheckState::Down, message);
        if !self.is_connected() {
            return down(" reports path is down: lun not connected");
        }
        match self.access_states() {
            Some((UNAVAILABLE, _)) => down(self.why_unavailable()),
            // Both: ownership is being moved. This one alone: it is booting.
            Some((TRANSITIONING, other)) if other != TRANSITIONING => {
                down(" reports path is down: ctlr is in startup sequence")
            }
            _ if self.is_owner() || self.is_ioship() => Judged::UP,
            _ => Judged::GHOST,
        }
    }

    fn why_unavailable(self) -> &'static str {
        match self.0[11] {
            2 => " reports path is down: non-responsive to queries",
            3 => " reports path is down: ctlr held in reset",
            4 | 5 => " reports path is down: ctlr firmware downloading",
            6 => " reports path is down: ctlr quiesced by admin request",
            7 => " reports path is down: ctlr is in service mode",
            _ => " reports path is down: ctlr is unavailable",
        }
    }
}

pub(super) fn step(memory: &mut Memory, answers: &Answers) -> Step<Judged> {
    let (page, ()) = both(answers.scsi(&command()), ask_for_aborted_status(memory, answers))?;
    Ok(page.map_or_else(Judged::from, judge))
}

fn judge(reply: &ScsiReply) -> Judged {
    const FAILED: Judged = Judged::new(CheckState::Down, " reports path is down: inquiry failed");
    match Ending::of(reply) {
        Ending::Good => Page::parse(&reply.data).map_or(FAILED, Page::judge),
        Ending::Refused(sense) if sense.key == key::ILLEGAL_REQUEST => Judged::UNSUPPORTED,
        Ending::Refused(sense) if sense.key == key::UNIT_ATTENTION => FAILED.retried(),
        Ending::Transport(host) => super::transport(host),
        Ending::Refused(_) | Ending::ReservationConflict | Ending::Failed => FAILED,
    }
}

/// Has the array end a command that another initiator's reset aborted with TASK ABORTED, not without
/// a word (TAS bit of the control mode page, SPC-4 7.5.8): else the host waits for its time limit.
/// Once for an arrival; that it can't be set is no matter.
fn ask_for_aborted_status(memory: &mut Memory, answers: &Answers) -> Step<()> {
    const TAS: u8 = 0x40;
    const AT: usize = 5;
    if memory.aborted_status_asked {
        return Ok(());
    }
    let sense = |control| -> Step<Option<Result<[u8; 12], ()>>> {
        let Ok(reply) = answers.scsi(&ScsiCommand::sense_control_page(control))? else { return Ok(None) };
        Ok(match Ending::of(reply) {
            Ending::Good => Some(control_page(&reply.data).ok_or(())),
            Ending::Refused(sense) if sense.key != key::UNIT_ATTENTION => Some(Err(())),
            _ => None, // to be asked again with the next check
        })
    };
    let mut done = true;
    if let Some(page) = sense(PageControl::Current)? {
        match page {
            Ok(current) if current[AT] & TAS == 0 => match sense(PageControl::Changeable)? {
                Some(Ok(changeable)) if changeable[AT] & TAS != 0 => {
                    let mut page = current;
                    page[0] = CONTROL_PAGE; // without the bit that says that it can be saved
                    page[AT] |= TAS;
                    let parameters = [&[0; 8][..], &page].concat();
                    let _ = answers.scsi(&ScsiCommand::save_mode(parameters))?;
                }
                Some(_) => {}
                None => done = false,
            },
            Ok(_) | Err(()) => {}
        }
    } else {
        done = false;
    }
    memory.aborted_status_asked = done;
    Ok(())
}

/// The control page in MODE SENSE(10)'s data: after a header of eight bytes and block descriptors.
fn control_page(data: &[u8]) -> Option<[u8; 12]> {
    let descriptors = usize::from(u16::from_be_bytes([*data.get(6)?, *data.get(7)?]));
    let page: [u8; 12] = data.get(8 + descriptors..)?.first_chunk().copied()?;
    (page[0] & 0x3f == CONTROL_PAGE && page[1] == 0x0a).then_some(page)
}

#[cfg(test)]
mod tests {
    use super::super::ask::{Ask, Wanted, answered, good, refused};
    use super::*;
    use crate::identify::hex;

    fn asked() -> Memory {
        Memory { aborted_status_asked: true, ..Memory::default() }
    }

    /// Flags, access state here, reason, access state there.
    fn page(byte_0: &str, flags: &str, here: &str, why: &str, there: &str) -> ScsiReply {
        good(&format!("{byte_0} c9 00 2c 76616331 {flags} 01 {here} {why} {there} 00 {}", "00".repeat(34)))
    }

    #[test]
    fn volume_access() {
        use CheckState::*;
        for (reply, state, message) in [
            (page("00", "01", "00", "00", "00"), Up, " reports path is up"),
            (page("00", "00", "00", "00", "00"), Ghost, " reports path is ghost"),
            (page("00", "20", "00", "00", "00"), Up, " reports path is up"), // ioship
            (page("00", "11", "00", "00", "02"), Up, " reports path is up"),
            (page("00", "10", "02", "00", "00"), Ghost, " reports path is ghost"),
            (page("20", "01", "00", "00", "00"), Down, " reports path is down: lun not connected"),
            (page("7f", "01", "00", "00", "00"), Down, " reports path is down: lun not connected"),
            (page("00", "11", "0f", "00", "00"), Down, " reports path is down: ctlr is in startup sequence"),
            (page("00", "11", "0f", "00", "0f"), Up, " reports path is up"),
            (page("00", "01", "0f", "00", "00"), Up, " reports path is up"), // no states in it
            (page("00", "11", "03", "02", "00"), Down, " reports path is down: non-responsive to queries"),
            (page("00", "11", "03", "03", "00"), Down, " reports path is down: ctlr held in reset"),
            (page("00", "11", "03", "05", "00"), Down, " reports path is down: ctlr firmware downloading"),
            (
                page("00", "31", "03", "06", "00"),
                Down,
                " reports path is down: ctlr quiesced by admin request",
            ),
            (page("00", "11", "03", "07", "00"), Down, " reports path is down: ctlr is in service mode"),
            (page("00", "11", "03", "63", "00"), Down, " reports path is down: ctlr is unavailable"),
            (good("00 c9 00 2c 76616331 01"), Down, " reports path is down: inquiry failed"),
            (refused("72 05 24 00"), Wild, " doesn't support this device"),
            (refused("72 02 04 01"), Down, " reports path is down: inquiry failed"),
        ] {
            let judged = step(&mut asked(), &answered(&[(command(), reply.clone())])).unwrap();
            assert_eq!((judged.state, judged.message, judged.retry), (state, message, false), "{reply:?}");
        }
        let attention = answered(&[(command(), refused("72 06 29 00"))]);
        assert!(step(&mut asked(), &attention).unwrap().retry);
    }

    /// Mode data of a control page with this byte 5, after this header.
    fn mode(header: &str, byte_5: &str) -> ScsiReply {
        good(&format!("{header} 8a 0a 02 00 00 {byte_5} 0000 ffff 0000"))
    }

    #[test]
    fn task_aborted_status_is_set_once() {
        let current = ScsiCommand::sense_control_page(PageControl::Current);
        let changeable = ScsiCommand::sense_control_page(PageControl::Changeable);
        let select = ScsiCommand::save_mode(hex("0000000000000000 0a 0a 02 00 00 41 0000 ffff 0000"));
        let page = (command(), page("00", "01", "00", "00", "00"));
        let plain = "0012 00 00 00 00 0000";
        let descriptor = "001a 00 00 00 00 0008 0011223344556677";
        for (answers, wanted, done) in [
            (Vec::new(), Some(&current), false),
            ([(current.clone(), mode(plain, "41"))].into(), None, true),
            ([(current.clone(), refused("72 05 20 00"))].into(), None, true),
            ([(current.clone(), refused("72 06 29 00"))].into(), None, false),
            ([(current.clone(), good("00"))].into(), None, true),
            ([(current.clone(), mode(plain, "01"))].into(), Some(&changeable), false),
            ([(current.clone(), mode(descriptor, "01"))].into(), Some(&changeable), false),
            (
                [(current.clone(), mode(plain, "01")), (changeable.clone(), mode(plain, "00"))].into(),
                None,
                true,
            ),
            (
                [(current.clone(), mode(plain, "01")), (changeable.clone(), mode(plain, "40"))].into(),
                Some(&select),
                false,
            ),
            (
                [
                    (current.clone(), mode(plain, "01")),
                    (changeable.clone(), mode(plain, "40")),
                    (select.clone(), refused("72 05 26 00")),
                ]
                .into(),
                None,
                true,
            ),
        ] {
            let mut memory = Memory::default();
            let answers: Vec<_> = answers;
            let answers = answered(&[vec![page.clone()], answers].concat());
            match (step(&mut memory, &answers), wanted) {
                (Ok(judged), None) => assert_eq!(judged.state, CheckState::Up),
                (Err(asks), Some(wanted)) => assert_eq!(asks, Wanted([Ask::Scsi(wanted.clone())].into())),
                (step, _) => panic!("{step:?}"),
            }
            assert_eq!(memory.aborted_status_asked, done, "{answers:?}");
        }
    }
}
