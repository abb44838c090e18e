//! What is asked of a device, and what it answered.
//!
//! A checker or prioritizer is a function of the answers so far: it gives its verdict, or names what
//! else it wants to know ([`Wanted`]). Who asks for the same is given the same answer.

use ::core::time::Duration;
use alloc::string::String;
use alloc::vec::Vec;

use super::ScsiReply;
use super::command::{NvmeCommand, ScsiCommand};
use crate::types::Errno;

/// One question. The adapter performs it and looks into nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A SCSI command.
    Scsi(ScsiCommand),
    /// An NVMe admin command.
    Nvme(NvmeCommand),
    /// One logical block read with O_DIRECT at offset 0.
    DirectRead,
    /// The same again and again, each timed.
    TimedReads {
        /// So often, or until one fails.
        count: u16,
        /// None begins later than that after the first.
        within: Duration,
    },
    /// `device/access_state` and `device/preferred_path` in sysfs; the device is not asked.
    AccessState,
}

/// What came back, unjudged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: sysfs says that the device does not run, so it was not asked.
    NotAsked,
    /// The device could not be opened, or the call itself failed.
    Failed(Errno),
    /// A SCSI command ended.
    Scsi(ScsiReply),
    /// An NVMe command ended.
    Nvme(NvmeReply),
    /// So many bytes were read.
    Read(usize),
    /// How long each read took.
    TimedReads(Vec<Duration>),
    /// The two sysfs attributes, trimmed; `None` where one can't be read.
    AccessState {
        /// `active/optimized`, `active/non-optimized`, `standby`, …
        access_state: Option<String>,
        /// `0` or `1`.
        preferred_path: Option<String>,
    },
}

/// The answer to an NVMe admin command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NvmeReply {
    /// Status code and type without the phase bit (NVMe base specification 2.0, 3.3.3.2.1); 0: good.
    pub status: u16,
    /// Data in.
    pub data: Vec<u8>,
}

/// Why there is no answer to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// The device was not asked.
    NotAsked,
    /// It could not be asked.
    Failed(Errno),
}

/// Questions that must be answered before there is a verdict; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted(pub Vec<Ask>);

/// A verdict, or what it takes to come to one.
pub type Step<T> = Result<T, Wanted>;

/// Two steps that don't depend on each other: what either wants is asked at once.
pub fn both<A, B>(first: Step<A>, second: Step<B>) -> Step<(A, B)> {
    match (first, second) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(mut a), Err(b)) => {
            a.add(b);
            Err(a)
        }
        (Err(wanted), Ok(_)) | (Ok(_), Err(wanted)) => Err(wanted),
    }
}

impl Wanted {
    /// Adds what is not in it yet.
    pub fn add(&mut self, other: Self) {
        for ask in other.0 {
            if !self.0.contains(&ask) {
                self.0.push(ask);
            }
        }
    }
}

/// The answers of one round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers(Vec<(Ask, Answer)>);

impl Answers {
    /// Adds answers to these questions, in their order; one that is missing counts as not asked.
    pub fn put(&mut self, asks: &[Ask], answers: &[Answer]) {
        let answers = answers.iter().cloned().chain(::core::iter::repeat(Answer::NotAsked));
        for (ask, answer) in asks.iter().zip(answers) {
            self.0.retain(|(asked, _)| asked != ask);
            self.0.push((ask.clone(), answer));
        }
    }

    /// Is there none?
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was asked, in its order.
    pub fn asks(&self) -> Vec<Ask> {
        self.0.iter().map(|(ask, _)| ask.clone()).collect()
    }

    /// Forgets the answers to these, so that they are asked again.
    pub fn forget(&mut self, asks: &[Ask]) {
        self.0.retain(|(asked, _)| !asks.contains(asked));
    }

    fn get<'a, T>(
        &'a self,
        ask: Ask,
        take: impl FnOnce(&'a Answer) -> Option<T>,
    ) -> Step<Result<T, Unanswered>> {
        match self.0.iter().find(|(asked, _)| *asked == ask) {
            None => Err(Wanted([ask].into())),
            Some((_, Answer::Failed(errno))) => Ok(Err(Unanswered::Failed(*errno))),
            Some((_, answer)) => Ok(take(answer).ok_or(Unanswered::NotAsked)),
        }
    }

    /// The answer to a SCSI command.
    pub fn scsi(&self, command: &ScsiCommand) -> Step<Result<&ScsiReply, Unanswered>> {
        self.get(Ask::Scsi(command.clone()), |answer| match answer {
            Answer::Scsi(reply) => Some(reply),
            _ => None,
        })
    }

    /// The answer to an NVMe command.
    pub fn nvme(&self, command: &NvmeCommand) -> Step<Result<&NvmeReply, Unanswered>> {
        self.get(Ask::Nvme(*command), |answer| match answer {
            Answer::Nvme(reply) => Some(reply),
            _ => None,
        })
    }

    /// Bytes of a direct read.
    pub fn direct_read(&self) -> Step<Result<usize, Unanswered>> {
        self.get(Ask::DirectRead, |answer| match answer {
            Answer::Read(bytes) => Some(*bytes),
            _ => None,
        })
    }

    /// How long reads took.
    pub fn timed_reads(&self, count: u16, within: Duration) -> Step<Result<&[Duration], Unanswered>> {
        self.get(Ask::TimedReads { count, within }, |answer| match answer {
            Answer::TimedReads(took) => Some(took.as_slice()),
            _ => None,
        })
    }

    /// `access_state` and `preferred_path` in sysfs.
    #[allow(clippy::type_complexity, reason = "two attributes that may be missing, in an answer that may be")]
    pub fn access_state(&self) -> Step<Result<(Option<&str>, Option<&str>), Unanswered>> {
        self.get(Ask::AccessState, |answer| match answer {
            Answer::AccessState { access_state, preferred_path } => {
                Some((access_state.as_deref(), preferred_path.as_deref()))
            }
            _ => None,
        })
    }
}

/// Answers to SCSI commands, for tables of tests.
#[cfg(test)]
pub(crate) fn answered(list: &[(ScsiCommand, ScsiReply)]) -> Answers {
    let mut answers = Answers::default();
    for (command, reply) in list {
        answers.put(&[Ask::Scsi(command.clone())], &[Answer::Scsi(reply.clone())]);
    }
    answers
}

/// A good answer with these bytes.
#[cfg(test)]
pub(crate) fn good(data: &str) -> ScsiReply {
    ScsiReply { data: crate::identify::hex(data), ..ScsiReply::default() }
}

/// CHECK CONDITION with these sense data.
#[cfg(test)]
pub(crate) fn refused(sense: &str) -> ScsiReply {
    ScsiReply { status: 2, sense: crate::identify::hex(sense), ..ScsiReply::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_answered_is_wanted_once() {
        let tur = ScsiCommand::test_unit_ready();
        let mut answers = Answers::default();
        let wanted = both(answers.scsi(&tur), answers.direct_read()).unwrap_err();
        assert_eq!(wanted, Wanted([Ask::Scsi(tur.clone()), Ask::DirectRead].into()));
        assert_eq!(both(answers.scsi(&tur), answers.scsi(&tur)).unwrap_err().0.len(), 1);
        answers.put(&wanted.0, &[Answer::Scsi(ScsiReply::default())]);
        assert_eq!(answers.scsi(&tur), Ok(Ok(&ScsiReply::default())));
        assert_eq!(answers.direct_read(), Ok(Err(Unanswered::NotAsked)), "an answer that did not come");
        answers.put(&[Ask::DirectRead], &[Answer::Read(512)]);
        assert_eq!(answers.direct_read(), Ok(Ok(512)));
        answers.forget(&[Ask::DirectRead]);
        assert!(answers.direct_read().is_err() && answers.scsi(&tur).is_ok());
        answers.put(&[Ask::Scsi(tur.clone())], &[Answer::Failed(Errno::ENXIO)]);
        assert_eq!(answers.scsi(&tur), Ok(Err(Unanswered::Failed(Errno::ENXIO))));
    }
}
