//! Tokens: which answers are awaited. An answer whose token is not here changes nothing.

use alloc::collections::{BTreeMap, VecDeque};

use crate::core::effect::StateFile;
use crate::core::event::RequestId;
use crate::core::map::MapId;
use crate::core::path::PathId;
use crate::types::Token;

/// What an awaited answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// The configuration.
    Config,
    /// Everything that a plan is made from, for this request.
    Survey(RequestId),
    /// All disks and maps, and which disks are to be probed.
    Enumeration(Probes),
    /// A path's probe.
    Probe(PathId),
    /// A path's check.
    Check(PathId),
    /// A map's operation.
    Dm(MapId),
    /// A write to sysfs.
    Sysfs(PathId),
    /// A write to a layer below a path.
    Tuning(PathId),
    /// The deletion of a path's disk.
    Purge(PathId),
    /// The rescan of a path that came back.
    Recheck(PathId),
    /// A path's rescan.
    Rescan(PathId),
    /// A state file.
    Save(StateFile),
    /// What the kernel's own NVMe multipathing has.
    Native,
    /// The mark of a LUN that no map could be made of.
    Mark(MapId),
}

/// Which of the disks in a list are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probes {
    /// All.
    All,
    /// Those that are in no map: what is known of the others is what udev said last, and is asked for by the same
    /// settings.
    Unmapped,
}

/// All awaited answers.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    open: Open,
    /// How many of them are probes.
    probes: usize,
}

/// By token, found in one step: tokens are given in their order, and most answers come soon.
#[derive(Debug, Clone, Default)]
struct Open {
    /// The last ones given, in their order.
    recent: VecDeque<Option<Awaited>>,
    /// How many were given before those.
    before: u64,
    /// Those of before that still wait.
    old: BTreeMap<u64, Awaited>,
    len: usize,
}

/// So many of the last tokens are kept in their order, beside twice as many as wait.
const RECENT: usize = 1024;

impl Open {
    fn push(&mut self, awaited: Awaited) -> Token {
        self.len += 1;
        while self.recent.len() > 2 * self.len + RECENT {
            self.age();
        }
        self.recent.push_back(Some(awaited));
        Token(self.before + self.recent.len() as u64)
    }

    /// The oldest of the last ones is one no more.
    fn age(&mut self) {
        if let Some(first) = self.recent.pop_front() {
            self.before += 1;
            self.old.extend(first.map(|awaited| (self.before, awaited)));
        }
    }

    fn place(&self, token: Token) -> Option<usize> {
        usize::try_from(token.0.checked_sub(self.before + 1)?).ok()
    }

    fn get(&self, token: Token) -> Option<Awaited> {
        self.place(token).map_or_else(
            || self.old.get(&token.0).copied(),
            |place| self.recent.get(place).copied().flatten(),
        )
    }

    fn take(&mut self, token: Token) -> Option<Awaited> {
        let awaited = match self.place(token) {
            Some(place) => self.recent.get_mut(place)?.take(),
            None => self.old.remove(&token.0),
        }?;
        self.len -= 1;
        while self.recent.front().is_some_and(Option::is_none) {
            self.age();
        }
        Some(awaited)
    }

    /// Nothing is awaited any more. No token is given twice.
    fn clear(&mut self) {
        *self = Self { before: self.before + self.recent.len() as u64, ..Self::default() };
    }
}

impl Waiting {
    /// A new token.
    pub fn token(&mut self, awaited: Awaited) -> Token {
        self.probes += usize::from(matches!(awaited, Awaited::Probe(_)));
        self.open.push(awaited)
    }

    /// The answer has come: nothing more is awaited under this token.
    pub fn take(&mut self, token: Token) -> Option<Awaited> {
        let awaited = self.open.take(token)?;
        self.probes -= usize::from(matches!(awaited, Awaited::Probe(_)));
        Some(awaited)
    }

    /// What is awaited under this token; it stays so.
    pub fn get(&self, token: Token) -> Option<Awaited> {
        self.open.get(token)
    }

    /// The answer no longer matters.
    pub fn forget(&mut self, token: Token) {
        let _ = self.take(token);
    }

    /// No answer matters any more.
    pub fn forget_all(&mut self) {
        self.open.clear();
        self.probes = 0;
    }

    /// Is a path's probe awaited?
    pub const fn probes(&self) -> bool {
        self.probes > 0
    }

    /// How many answers are awaited.
    pub const fn len(&self) -> usize {
        self.open.len
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn an_answer_is_taken_once_however_late_it_comes() {
        let mut waiting = Waiting::default();
        let check = |number| Awaited::Check(PathId(number));
        let late: Vec<Token> = (0..3).map(|number| waiting.token(check(number))).collect();
        for number in 3..10_000 {
            let token = waiting.token(check(number));
            assert!(late.iter().all(|late| *late < token));
            assert_eq!(waiting.take(token), Some(check(number)));
            assert_eq!(waiting.take(token), None);
        }
        assert_eq!((waiting.len(), waiting.open.old.len()), (3, 3));
        assert!(waiting.open.recent.len() <= RECENT + 8, "what hangs keeps {}", waiting.open.recent.len());
        for (number, token) in (0..3).zip(late) {
            assert_eq!(waiting.get(token), Some(check(number)));
            assert_eq!(waiting.take(token), Some(check(number)));
            assert_eq!(waiting.take(token), None);
        }
        assert!(waiting.len() == 0 && waiting.open.old.is_empty());
    }

    #[test]
    fn no_token_is_given_twice() {
        let mut waiting = Waiting::default();
        let first = waiting.token(Awaited::Config);
        waiting.forget_all();
        assert!(waiting.len() == 0);
        let second = waiting.token(Awaited::Config);
        assert!(second > first);
        assert_eq!((waiting.get(first), waiting.take(Token(0))), (None, None));
        waiting.forget(second);
        assert!(waiting.token(Awaited::Config) > second);
    }
}
