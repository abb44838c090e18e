//! The `directio` checker: one block read with O_DIRECT, past every cache of the host.

use super::Judged;
use super::ask::{Answers, Step};

pub(super) fn step(answers: &Answers) -> Step<Judged> {
    Ok(match answers.direct_read()? {
        Ok(0) => Judged::DOWN, // nothing to read: a device of no size
        Ok(_) => Judged::UP,
        Err(unanswered) => Judged::from(unanswered),
    })
}

#[cfg(test)]
mod tests {
    use super::super::CheckState::*;
    use super::super::ask::{Answer, Ask};
    use super::*;
    use crate::types::Errno;

    #[test]
    fn data_or_an_error() {
        for (answer, state) in [
            (Answer::Read(4096), Up),
            (Answer::Read(512), Up),
            (Answer::Read(0), Down),
            (Answer::Failed(Errno::EIO), Down),
            (Answer::Failed(Errno::ENXIO), Down),
            (Answer::Failed(Errno(110)), Down),
            (Answer::Failed(Errno(12)), Pending),
            (Answer::NotAsked, Pending),
        ] {
            let mut answers = Answers::default();
            answers.put(&[Ask::DirectRead], core::slice::from_ref(&answer));
            assert_eq!(step(&answers).map(|judged| judged.state), Ok(state), "{answer:?}");
        }
    }
}
