//! A check's answer, as whoever made it tells it.
//!
//! Most answers are like those before. Whoever makes one compares it on the spot, where it is fresh in memory and
//! nobody waits: the core is told no more than that, and has nothing to read and nothing to free.

use ::core::ops::Deref;
use alloc::sync::Arc;

use crate::check::{CheckRequest, RawCheck};

/// What came back from a [`CheckRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// What the request says is usual: this very one.
    AsUsual(Arc<RawCheck>),
    /// Anything else.
    News(RawCheck),
}

impl Answered {
    /// Is it known to be this one? That it is told as news says nothing.
    pub fn is(&self, usual: &Arc<RawCheck>) -> bool {
        matches!(self, Self::AsUsual(this) if Arc::ptr_eq(this, usual))
    }
}

impl Deref for Answered {
    type Target = RawCheck;
    fn deref(&self) -> &RawCheck {
        match self {
            Self::AsUsual(raw) => raw,
            Self::News(raw) => raw,
        }
    }
}

impl CheckRequest {
    /// Tells the answer.
    pub fn answered(&self, raw: RawCheck) -> Answered {
        match self.usual.as_ref().filter(|usual| ***usual == raw) {
            Some(usual) => Answered::AsUsual(usual.clone()),
            None => Answered::News(raw),
        }
    }
}
