//! Who a disk says it is, when it is asked itself.
//!
//! A rescan is no more than a request to the kernel. It ends well where nothing was read, too: of a disk that does not run
//! (`scsi_rescan_device`), or one whose commands fail, whose pages stay as they were (`scsi_update_vpd_page`). What the kernel shows
//! after it counts only where the disk answers the same.

use crate::check::ask::{Answers, Step};
use crate::check::command::ScsiCommand;
use crate::check::pages::UnreadPages;
use crate::check::sense::{Ending, key};
use crate::identify::{self, RawProbe};
use crate::types::Wwid;

/// What the kernel shows of a disk after a rescan, and its answer is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(RawProbe);

/// What a disk has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It is who the kernel shows.
    Same,
    /// It has no page that would say who it is: that it answers is all there is to have.
    Nameless,
    /// It is another one than the kernel shows.
    Another,
    /// Nothing.
    Silent,
}

const SERIAL: u8 = 0x80;
const DESIGNATORS: u8 = 0x83;

impl Shown {
    /// By a probe, and by the pages that the kernel has not read and the disk has told.
    pub fn of(raw: &RawProbe, unread: &UnreadPages) -> Self {
        let page = |code, of_kernel: &[u8]| {
            if of_kernel.is_empty() { unread.page(code).into() } else { of_kernel.into() }
        };
        Self(RawProbe {
            syspath: raw.syspath.clone(),
            hctl: raw.hctl,
            vendor: raw.vendor.clone(),
            model: raw.model.clone(),
            vpd0: raw.vpd0.clone(),
            vpd80: page(SERIAL, &raw.vpd80),
            vpd83: page(DESIGNATORS, &raw.vpd83),
            ..RawProbe::default()
        })
    }

    /// The page that says most of who it is, as it is known.
    fn page(&self) -> Option<(u8, &[u8])> {
        let pages = [(DESIGNATORS, &*self.0.vpd83), (SERIAL, &*self.0.vpd80)];
        pages.into_iter().find(|(_, page)| !page.is_empty())
    }

    /// What a disk of this WWID says by these answers, or what it must be asked. It is asked for as much as is known.
    pub fn word(&self, wwid: Option<&Wwid>, answers: &Answers) -> Step<Word> {
        let Some((code, known)) = self.page() else { return Ok(Word::Nameless) };
        let length = u16::try_from(known.len()).unwrap_or(u16::MAX).max(255);
        let Ok(reply) = answers.scsi(&ScsiCommand::vital_page(code, length))? else {
            return Ok(Word::Silent);
        };
        Ok(match Ending::of(reply) {
            Ending::Good if reply.data.len() < 4 => Word::Silent,
            Ending::Good if reply.data[1] == code && self.is(wwid, code, &reply.data) => Word::Same,
            Ending::Good => Word::Another,
            // The kernel has got the page from somebody.
            Ending::Refused(sense) if sense.key == key::ILLEGAL_REQUEST && !sense.is_unmapped() => {
                Word::Another
            }
            _ => Word::Silent,
        })
    }

    fn is(&self, wwid: Option<&Wwid>, code: u8, page: &[u8]) -> bool {
        let Self(shown) = self;
        if code == SERIAL {
            return identify::serial(page) == identify::serial(&shown.vpd80);
        }
        let own = RawProbe { vpd83: page.into(), ..shown.clone() };
        match identify::designated(shown) {
            Some(shown) => identify::designated(&own) == Some(shown),
            None => !wwid.is_some_and(|wwid| identify::contradicts(&own, wwid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::ask::{answered, good, refused};
    use crate::check::{Answer, Ask, ScsiReply};
    use crate::identify::hex;
    use crate::types::Errno;

    const A: &str = "00830014 0103 0010 6001405a8dbdfc2cd1441cb8b3a5a8d1";
    const B: &str = "00830014 0103 0010 6001405a8dbdfc2cd1441cb8b3a5a8d2";
    /// Of the port only.
    const NO_NAME: &str = "00830008 6115 0004 00000001";

    fn shown(vpd83: &str, vpd80: &str) -> Shown {
        let raw = RawProbe {
            syspath: "/devices/platform/host1/session1/target1:0:0/1:0:0:0/block/sda".into(),
            vpd83: hex(vpd83),
            vpd80: hex(vpd80),
            ..RawProbe::default()
        };
        Shown::of(&raw, &UnreadPages::default())
    }

    #[test]
    fn an_answer_is_held_against_what_the_kernel_shows() {
        let wwid = Wwid::new("36001405a8dbdfc2cd1441cb8b3a5a8d1");
        let (one, other) = ("00800004 53455231", "00800004 53455232");
        let lost = ScsiReply { host_status: 1, ..ScsiReply::default() };
        let no_such_page = || refused("70 00 05 00000000 0a 00000000 24 00");
        for (vpd83, vpd80, code, reply, word) in [
            (A, one, 0x83, good(A), Word::Same),
            (A, one, 0x83, good(B), Word::Another),
            (A, one, 0x83, good(NO_NAME), Word::Another),
            (A, one, 0x83, good("00000602 5b 00 0002"), Word::Another),
            (A, one, 0x83, no_such_page(), Word::Another),
            (A, one, 0x83, refused("72 05 25 00"), Word::Silent),
            (A, one, 0x83, refused("72 06 29 00"), Word::Silent),
            (A, one, 0x83, lost.clone(), Word::Silent),
            (A, one, 0x83, good(""), Word::Silent),
            // The kernel's page names nobody: it is the WWID that may contradict.
            (NO_NAME, "", 0x83, good(NO_NAME), Word::Same),
            (NO_NAME, "", 0x83, good(A), Word::Same),
            (NO_NAME, "", 0x83, good(B), Word::Another),
            // It has none.
            ("", one, 0x80, good(one), Word::Same),
            ("", one, 0x80, good(other), Word::Another),
            ("", one, 0x80, lost, Word::Silent),
        ] {
            let command = ScsiCommand::vital_page(code, 255);
            let answers = answered(&[(command.clone(), reply.clone())]);
            let shown = shown(vpd83, vpd80);
            assert_eq!(shown.word(Some(&wwid), &answers), Ok(word), "{vpd83} {vpd80}: {reply:?}");
            let wanted = shown.word(Some(&wwid), &Answers::default()).unwrap_err();
            assert_eq!(wanted.0, [Ask::Scsi(command.clone())]);
            let mut answers = Answers::default();
            answers.put(&wanted.0, &[Answer::Failed(Errno::ENXIO)]);
            assert_eq!(shown.word(Some(&wwid), &answers), Ok(Word::Silent));
        }
        assert_eq!(shown("", "").word(Some(&wwid), &Answers::default()), Ok(Word::Nameless));
    }

    #[test]
    fn as_much_is_asked_for_as_is_known() {
        let long = alloc::format!("00830200{}", "01020008 0000000000000000".repeat(43));
        let wanted = shown(&long, "").word(None, &Answers::default()).unwrap_err();
        let Ask::Scsi(command) = &wanted.0[0] else { panic!() };
        assert_eq!(command.cdb(), hex("12 01 83 0208 00"));
    }
}
