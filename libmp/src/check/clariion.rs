//! The `emc_clariion` checker: the unit path report (INQUIRY VPD page C0h) of CLARiiON, VNX and Unity.
//!
//! Layout of the page, by what these arrays send: byte 1 C0h, 4 state of the LUN (0 unbound or LUNZ,
//! 1 bound, 2 owned by this port's processor), 5 default owner, 8 this port's processor, 9 revision,
//! 10–25 WWN of the LUN, 27 initiator type, 28 failover mode, 30 options, 48 kind of operations.

use super::ask::{Answers, Step};
use super::command::ScsiCommand;
use super::sense::{Ending, Sense, key};
use super::{CheckState, Judged, Memory, ScsiReply};

/// INQUIRY for the page.
pub(crate) fn command() -> ScsiCommand {
    ScsiCommand::vital_page(0xc0, 128)
}

/// The page, long enough for all of its fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a>(&'a [u8; 49]);

/// What is wrong with a path by its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is another page, or another revision of it.
    Unknown,
    /// The array is not set up for failover on this host: wrong initiator type, failover mode or
    /// `arraycommpath`.
    NotForFailover,
    /// It does not serve normal I/O.
    NotNormal,
}

impl<'a> Page<'a> {
    /// The page, if the array serves normal I/O on this path.
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, Fault> {
        const LINUX_INITIATOR: u8 = 0x03;
        let page: &[u8; 49] = data.first_chunk().ok_or(Fault::Unknown)?;
        if page[1] != 0xc0 || page[9] != 0 {
            return Err(Fault::Unknown);
        }
        // Failover mode 1 (passive not ready) or 4 (ALUA).
        let failover = matches!(page[28] & 0x07, 0x04 | 0x06);
        if page[27] != LINUX_INITIATOR || !failover || page[30] & 0x04 == 0 {
            return Err(Fault::NotForFailover);
        }
        if page[48] == 0 { Ok(Self(page)) } else { Err(Fault::NotNormal) }
    }

    /// 0: unbound or LUNZ; 1: bound; 2: owned by the storage processor of this path.
    pub(crate) fn lun_state(self) -> u8 {
        self.0[4]
    }

    /// Does the LUN belong here by default?
    pub(crate) fn is_default_owner(self) -> bool {
        self.0[5] == self.0[8]
    }

    fn wwn(self) -> [u8; 16] {
        self.0[10..26].first_chunk().copied().unwrap_or_default()
    }
}

pub(super) fn step(block_size: u32, memory: &mut Memory, answers: &Answers) -> Step<Judged> {
    let down = |message| Judged::new(CheckState::Down, message);
    let reply = match answers.scsi(&command())? {
        Ok(reply) => reply,
        Err(unanswered) => return Ok(Judged::from(unanswered)),
    };
    match Ending::of(reply) {
        Ending::Good => {}
        Ending::Refused(sense) if sense.key == key::ILLEGAL_REQUEST => return Ok(Judged::UNSUPPORTED),
        Ending::Refused(sense) if sense.key == key::UNIT_ATTENTION => return Ok(QUERY_ERROR.retried()),
        Ending::Transport(host) => return Ok(super::transport(host)),
        Ending::Refused(_) | Ending::ReservationConflict | Ending::Failed => return Ok(QUERY_ERROR),
    }
    let page = match Page::parse(&reply.data) {
        Ok(page) => page,
        Err(Fault::Unknown) => return Ok(down(": Path unit report page in unknown format")),
        Err(Fault::NotForFailover) => return Ok(down(": Path not correctly configured for failover")),
        Err(Fault::NotNormal) => {
            return Ok(Judged::new(CheckState::Shaky, ": Path not available for normal operations"));
        }
    };
    if page.lun_state() == 0 {
        return Ok(down(": Logical Unit is unbound or LUNZ"));
    }
    if *memory.wwn.get_or_insert_with(|| page.wwn()) != page.wwn() {
        return Ok(down(": Logical Unit WWN has changed"));
    }
    if page.lun_state() != 2 {
        // A read would say "not ready" here, of an inactive snapshot too.
        return Ok(if memory.inactive_snapshot { Judged::DOWN } else { HEALTHY });
    }
    Ok(match answers.scsi(&ScsiCommand::read_first_block(block_size))? {
        Ok(read) => judge_read(memory, read),
        Err(unanswered) => Judged::from(unanswered),
    })
}

const QUERY_ERROR: Judged = Judged::new(CheckState::Down, ": query command indicates error");
const HEALTHY: Judged = Judged::new(CheckState::Up, ": Active path is healthy");

/// The owner of a LUN reads it, unless it is a snapshot that is not active: then none of its paths
/// is of use, whatever their pages say.
fn judge_read(memory: &mut Memory, reply: &ScsiReply) -> Judged {
    const READ_ERROR: Judged = Judged::new(CheckState::Down, ": Read error");
    const INACTIVE: Sense = Sense { key: key::ILLEGAL_REQUEST, asc: 0x25, ascq: 0x01 };
    match Ending::of(reply) {
        Ending::Good => {
            memory.inactive_snapshot = false;
            HEALTHY
        }
        Ending::Refused(INACTIVE) => {
            memory.inactive_snapshot = true;
            Judged::DOWN
        }
        Ending::Refused(sense) if sense.key == key::UNIT_ATTENTION => READ_ERROR.retried(),
        Ending::Transport(host) => super::transport(host),
        Ending::Refused(_) | Ending::ReservationConflict | Ending::Failed => READ_ERROR,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::ask::{Ask, Wanted, answered, good, refused};
    use super::*;

    /// A page with a LUN in this state, default owner, this processor, revision, then initiator
    /// type, failover mode, options, operations.
    pub(crate) fn page(lun: &str, last: u8, setup: &str, operations: &str) -> ScsiReply {
        let [state, default, here, revision] = lun.split(' ').collect::<Vec<_>>()[..] else { panic!() };
        let [kind, mode, options] = setup.split(' ').collect::<Vec<_>>()[..] else { panic!() };
        let wwn = format!("60060160a0b01f00000000000000{last:04x}");
        good(&format!(
            "00c0007c {state} {default} 00 00 {here} {revision} {wwn} 00 {kind} {mode} 00 {options} {} {operations} {}",
            "00".repeat(17),
            "00".repeat(79),
        ))
    }

    const SETUP: &str = "03 04 04";

    #[test]
    fn pages() {
        use CheckState::*;
        let read = ScsiCommand::read_first_block(512);
        for (page, read_ends, state, message, retry) in [
            (page("02 00 00 00", 1, SETUP, "00"), good(""), Up, ": Active path is healthy", false),
            (page("02 00 01 00", 1, "03 06 04", "00"), good(""), Up, ": Active path is healthy", false),
            (
                page("01 00 01 00", 1, SETUP, "00"),
                refused("72 02 04 03"),
                Up,
                ": Active path is healthy",
                false,
            ),
            (page("02 00 00 00", 1, SETUP, "00"), refused("72 03 11 00"), Down, ": Read error", false),
            (page("02 00 00 00", 1, SETUP, "00"), refused("72 06 29 00"), Down, ": Read error", true),
            (
                page("02 00 00 00", 1, SETUP, "00"),
                refused("72 05 25 01"),
                Down,
                " reports path is down",
                false,
            ),
            (page("00 00 00 00", 1, SETUP, "00"), good(""), Down, ": Logical Unit is unbound or LUNZ", false),
            (
                page("02 00 00 00", 1, SETUP, "01"),
                good(""),
                Shaky,
                ": Path not available for normal operations",
                false,
            ),
            (
                page("02 00 00 01", 1, SETUP, "00"),
                good(""),
                Down,
                ": Path unit report page in unknown format",
                false,
            ),
            (
                page("02 00 00 00", 1, "02 04 04", "00"),
                good(""),
                Down,
                ": Path not correctly configured for failover",
                false,
            ),
            (
                page("02 00 00 00", 1, "03 02 04", "00"),
                good(""),
                Down,
                ": Path not correctly configured for failover",
                false,
            ),
            (
                page("02 00 00 00", 1, "03 04 00", "00"),
                good(""),
                Down,
                ": Path not correctly configured for failover",
                false,
            ),
            (good("00c0"), good(""), Down, ": Path unit report page in unknown format", false),
            (refused("72 05 24 00"), good(""), Wild, " doesn't support this device", false),
            (refused("72 04 44 00"), good(""), Down, ": query command indicates error", false),
            (refused("72 06 29 00"), good(""), Down, ": query command indicates error", true),
        ] {
            let answers = answered(&[(command(), page.clone()), (read.clone(), read_ends)]);
            let judged = step(512, &mut Memory::default(), &answers).unwrap();
            assert_eq!((judged.state, judged.message, judged.retry), (state, message, retry), "{page:?}");
        }
    }

    #[test]
    fn only_the_owner_reads_and_tells_of_a_snapshot() {
        let read = ScsiCommand::read_first_block(4096);
        let (owner, other) = (page("02 00 00 00", 1, SETUP, "00"), page("01 00 01 00", 1, SETUP, "00"));
        let mut memory = Memory::default();
        let mut judge = |list: &[_]| step(4096, &mut memory, &answered(list)).map(|judged| judged.state);
        assert_eq!(judge(&[]), Err(Wanted([Ask::Scsi(command())].into())));
        assert_eq!(judge(&[(command(), other.clone())]), Ok(CheckState::Up), "without a read");
        assert_eq!(judge(&[(command(), owner.clone())]), Err(Wanted([Ask::Scsi(read.clone())].into())));
        let inactive =
            [(command(), owner.clone()), (read.clone(), refused("70 00 05 00000000 0a 00000000 25 01"))];
        assert_eq!(judge(&inactive), Ok(CheckState::Down));
        assert_eq!(judge(&[(command(), other.clone())]), Ok(CheckState::Down), "of an inactive snapshot");
        assert_eq!(judge(&[(command(), owner), (read, good(""))]), Ok(CheckState::Up));
        assert_eq!(judge(&[(command(), other)]), Ok(CheckState::Up));
        let another = page("01 00 01 00", 2, SETUP, "00");
        let judged = step(4096, &mut memory, &answered(&[(command(), another)])).unwrap();
        assert_eq!(judged.message, ": Logical Unit WWN has changed");
    }
}
