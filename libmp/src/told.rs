//! What was read again and again, as whoever read it tells it.
//!
//! Most answers are like those before, and most maps are as they were. Whoever reads one compares it on the spot, where it is
//! fresh in memory and nobody waits: the core is told no more than that, and has nothing to read and nothing to free.

use ::core::ops::Deref;
use alloc::sync::Arc;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told<T> {
    /// What the order says is usual: this very one.
    AsUsual(Arc<T>),
    /// Anything else.
    News(T),
}

impl<T: PartialEq> Told<T> {
    /// Compares it with what is usual, if anything is.
    pub fn beside(usual: Option<&Arc<T>>, read: T) -> Self {
        match usual.filter(|usual| ***usual == read) {
            Some(usual) => Self::AsUsual(usual.clone()),
            None => Self::News(read),
        }
    }
}

impl<T> Told<T> {
    /// Is it known to be this one? That it is told as news says nothing.
    pub fn is(&self, usual: &Arc<T>) -> bool {
        matches!(self, Self::AsUsual(this) if Arc::ptr_eq(this, usual))
    }

    /// To be what is usual from now on.
    pub fn shared(self) -> Arc<T> {
        match self {
            Self::AsUsual(usual) => usual,
            Self::News(read) => Arc::new(read),
        }
    }
}

impl<T> Deref for Told<T> {
    type Target = T;
    fn deref(&self) -> &T {
        match self {
            Self::AsUsual(usual) => usual,
            Self::News(read) => read,
        }
    }
}
