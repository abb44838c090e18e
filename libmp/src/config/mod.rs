//! multipath.conf: text → layers → resolved settings with provenance.

pub mod regex;
pub mod settings;

/// The configuration of the daemon, whole. Swapped as one, never patched in place.
#[derive(Debug, Clone)]
pub struct Config {}
