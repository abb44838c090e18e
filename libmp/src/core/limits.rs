//! Time limits of routine checks. Nearly all of them are answered long before: a limit costs a place in a row, and
//! there is one timer for all of them.

use ::core::time::Duration;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::core::path::PathId;
use crate::core::waiting::{Awaited, Waiting};
use crate::types::{Instant, Token};

/// Checks that began one after the other, with the same time each: the first one is over first. Paths have few
/// different times, each a row of its own.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    rows: Vec<(Duration, VecDeque<(Instant, Token)>)>,
}

/// So many checks that were answered may stay in a row behind one that was not, beside twice as many as wait.
const ANSWERED: usize = 1024;

impl Limits {
    /// A check begins that may take so long. Says if it is the first of its row.
    pub fn begin(&mut self, now: Instant, timeout: Duration, token: Token, waiting: &Waiting) -> bool {
        let row = self.row(timeout);
        if row.len() > 2 * waiting.len() + ANSWERED {
            row.retain(|(_, token)| waiting.get(*token).is_some());
        }
        row.push_back((now + timeout, token));
        row.len() == 1
    }

    fn row(&mut self, timeout: Duration) -> &mut VecDeque<(Instant, Token)> {
        let found = self.rows.iter().position(|(of, _)| *of == timeout);
        let place = found.unwrap_or(self.rows.len());
        if found.is_none() {
            self.rows.push((timeout, VecDeque::new()));
        }
        &mut self.rows[place].1
    }

    /// A check was answered. Says if that was the last one.
    pub fn end(&mut self, waiting: &Waiting) -> bool {
        let (mut some, mut all) = (false, true);
        for (_, row) in &mut self.rows {
            while row.pop_front_if(|(_, first)| waiting.get(*first).is_none()).is_some() {
                some = true;
            }
            all &= row.is_empty();
        }
        if all {
            self.rows.truncate(1); // a configuration may bring other times
        }
        some && all
    }

    /// Takes out a check whose time is over and that was not answered.
    pub fn pop_over(&mut self, now: Instant, waiting: &Waiting) -> Option<(Token, PathId)> {
        for (_, row) in &mut self.rows {
            while let Some((_, token)) = row.pop_front_if(|(at, _)| *at <= now) {
                if let Some(Awaited::Check(id)) = waiting.get(token) {
                    return Some((token, id));
                }
            }
        }
        None
    }

    /// When they must be looked at.
    pub fn next(&self) -> Option<Instant> {
        self.rows.iter().filter_map(|(_, row)| row.front()).map(|(at, _)| *at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(5);
    const LONG: Duration = Duration::from_secs(30);

    const fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_check_that_is_not_answered_is_over_after_its_own_time() {
        let (mut limits, mut waiting) = (Limits::default(), Waiting::default());
        let mut begin = |limits: &mut Limits, now, timeout, id| {
            let token = waiting.token(Awaited::Check(PathId(id)));
            (limits.begin(at(now), timeout, token, &waiting), token)
        };
        let (first, long) = begin(&mut limits, 0, LONG, 1);
        let (other, short) = begin(&mut limits, 1, SHORT, 2);
        let (behind, answered) = begin(&mut limits, 2, SHORT, 3);
        assert_eq!((first, other, behind), (true, true, false));
        waiting.forget(answered);
        assert!(!limits.end(&waiting));
        assert_eq!((limits.next(), limits.pop_over(at(5), &waiting)), (Some(at(6)), None));
        assert_eq!(limits.pop_over(at(30), &waiting), Some((long, PathId(1))));
        assert_eq!(limits.pop_over(at(30), &waiting), Some((short, PathId(2))));
        assert_eq!((limits.pop_over(at(99), &waiting), limits.next()), (None, None));
    }

    #[test]
    fn one_that_hangs_keeps_no_others_in_its_row() {
        let (mut limits, mut waiting) = (Limits::default(), Waiting::default());
        let hangs = waiting.token(Awaited::Check(PathId(0)));
        limits.begin(at(0), LONG, hangs, &waiting);
        for number in 1..100_000 {
            let token = waiting.token(Awaited::Check(PathId(number)));
            assert!(!limits.begin(at(1), LONG, token, &waiting));
            waiting.forget(token);
            assert!(!limits.end(&waiting));
        }
        assert!(limits.rows[0].1.len() <= ANSWERED + 4, "{}", limits.rows[0].1.len());
        assert_eq!(
            (limits.next(), limits.pop_over(at(31), &waiting)),
            (Some(at(30)), Some((hangs, PathId(0))))
        );
    }

    #[test]
    fn the_last_answer_leaves_nothing() {
        let (mut limits, mut waiting) = (Limits::default(), Waiting::default());
        let tokens = [1, 2].map(|number| waiting.token(Awaited::Check(PathId(number))));
        assert_eq!(tokens.map(|token| limits.begin(at(0), LONG, token, &waiting)), [true, false]);
        let ended = tokens.iter().rev().map(|token| {
            waiting.forget(*token);
            limits.end(&waiting)
        });
        assert_eq!(ended.collect::<Vec<_>>(), [false, true]);
        assert_eq!((limits.next(), limits.end(&waiting)), (None, false));
    }
}
