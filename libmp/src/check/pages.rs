//! Pages of vital product data that sysfs does not have, so that the device itself is asked, together with the
//! questions of its first check.
//!
//! The kernel reads pages 0x00, 0x80 and 0x83 of what conforms to SPC-2 or later (INQUIRY byte 2), and of no older device.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::Unanswered;
use super::ask::{Answers, Step, Wanted};
use super::command::ScsiCommand;
use super::sense::{Ending, key};
use crate::identify::{self, Facts, vpd};

/// A device that gives no answer is asked so often at the most: what only completes the picture shall not
/// cost a path its check again and again.
const TRIES: u8 = 3;

/// One page: asked until it is known, or known not to be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    tries: u8,
    answered: bool,
}

impl Page {
    /// The page, once, when it has come; or wants it asked, where it is not known yet.
    pub fn step<'a>(&mut self, command: &ScsiCommand, answers: &'a Answers) -> Step<Option<&'a [u8]>> {
        if self.answered {
            return Ok(None);
        }
        match answers.scsi(command) {
            Err(_) if self.tries >= TRIES => {}
            Err(wanted) => {
                self.tries += 1;
                return Err(wanted);
            }
            Ok(Err(Unanswered::NotAsked)) => self.tries = 0,
            Ok(Err(Unanswered::Failed(_))) => {}
            Ok(Ok(reply)) => match Ending::of(reply) {
                Ending::Good => {
                    self.answered = true;
                    return Ok(Some(&reply.data));
                }
                Ending::Refused(sense) => self.answered = sense.key == key::ILLEGAL_REQUEST,
                _ => {}
            },
        }
        Ok(None)
    }
}

/// The pages of [`Facts::unread_pages`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnreadPages(Vec<Unread>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Unread {
    code: u8,
    page: Page,
    /// Empty until it has come.
    data: Vec<u8>,
}

impl UnreadPages {
    /// Completes the facts with what has come, or wants it asked. True where the facts have changed.
    pub fn step(&mut self, facts: &mut Facts, answers: &Answers) -> Step<bool> {
        let mut wanted: Option<Wanted> = None;
        let mut news = false;
        for &code in facts.unread_pages {
            let index = self.0.iter().position(|one| one.code == code).unwrap_or_else(|| {
                self.0.push(Unread { code, page: Page::default(), data: Vec::new() });
                self.0.len() - 1
            });
            let Unread { page, data, .. } = &mut self.0[index];
            match page.step(&command(code), answers) {
                Err(more) => match &mut wanted {
                    Some(wanted) => wanted.add(more),
                    None => wanted = Some(more),
                },
                Ok(Some(came)) => {
                    came.clone_into(data);
                    news = true;
                }
                Ok(None) => {}
            }
        }
        self.complete(facts);
        wanted.map_or(Ok(news), Err)
    }

    /// A device that gave no answer serves again: it may give one now.
    pub fn ask_again(&mut self) {
        self.0.iter_mut().for_each(|one| one.page.tries = 0);
    }

    /// Is the page that tells of the port group still to come?
    pub fn may_tell_port_group(&self, facts: &Facts) -> bool {
        const DESIGNATORS: u8 = 0x83;
        let answered = || self.0.iter().any(|one| one.code == DESIGNATORS && one.page.answered);
        facts.tpg.is_none() && facts.unread_pages.contains(&DESIGNATORS) && !answered()
    }

    /// A page that has come; empty where none has.
    pub fn page(&self, code: u8) -> &[u8] {
        self.0.iter().find(|one| one.code == code).map_or(&[], |one| &one.data)
    }

    /// Completes facts that were found anew.
    pub fn complete(&self, facts: &mut Facts) {
        for Unread { code, data, .. } in &self.0 {
            if data.is_empty() || !facts.unread_pages.contains(code) {
                continue;
            }
            match code {
                0x00 => vpd::supported(data).clone_into(&mut facts.vital_pages),
                0x80 => facts.serial = identify::serial(data),
                _ => facts.tpg = vpd::target_port_group(data),
            }
        }
    }
}

/// As long as one byte of length can say.
fn command(code: u8) -> ScsiCommand {
    ScsiCommand::vital_page(code, 255)
}
