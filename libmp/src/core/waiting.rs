//! Tokens: which answers are awaited. An answer whose token is not here changes nothing.

use alloc::collections::BTreeMap;

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
    next: u64,
    open: BTreeMap<Token, Awaited>,
    /// How many of them are probes.
    probes: usize,
}

impl Waiting {
    /// A new token.
    pub fn token(&mut self, awaited: Awaited) -> Token {
        self.next += 1;
        let token = Token(self.next);
        self.open.insert(token, awaited);
        self.probes += usize::from(matches!(awaited, Awaited::Probe(_)));
        token
    }

    /// The answer has come: nothing more is awaited under this token.
    pub fn take(&mut self, token: Token) -> Option<Awaited> {
        let awaited = self.open.remove(&token)?;
        self.probes -= usize::from(matches!(awaited, Awaited::Probe(_)));
        Some(awaited)
    }

    /// What is awaited under this token; it stays so.
    pub fn get(&self, token: Token) -> Option<Awaited> {
        self.open.get(&token).copied()
    }

    /// The answer no longer matters.
    pub fn forget(&mut self, token: Token) {
        let _ = self.take(token);
    }

    /// No answer matters any more.
    pub fn forget_all(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }

    /// Is a path's probe awaited?
    pub const fn probes(&self) -> bool {
        self.probes > 0
    }

    /// How many answers are awaited.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Is none awaited?
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}
