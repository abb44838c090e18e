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
}

impl Waiting {
    /// A new token.
    pub fn token(&mut self, awaited: Awaited) -> Token {
        self.next += 1;
        let token = Token(self.next);
        self.open.insert(token, awaited);
        token
    }

    /// The answer has come: nothing more is awaited under this token.
    pub fn take(&mut self, token: Token) -> Option<Awaited> {
        self.open.remove(&token)
    }

    /// What is awaited under this token; it stays so.
    pub fn get(&self, token: Token) -> Option<Awaited> {
        self.open.get(&token).copied()
    }

    /// The answer no longer matters.
    pub fn forget(&mut self, token: Token) {
        self.open.remove(&token);
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
