//! Files that persist: bindings, wwids, switched queueing. Formats only; writing them is an effect.

pub mod bindings;
pub mod switched;
pub mod wwids;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A line of a state file: an entry, or text that is not ours and stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line<T> {
    Text(String),
    Entry(T),
}

/// The lines of a file that had no header get the header; others keep theirs.
fn with_header<T>(lines: &[Line<T>], header: &str) -> Vec<String> {
    if lines.iter().any(|line| matches!(line, Line::Text(text) if text.starts_with('#'))) {
        Vec::new()
    } else {
        header.lines().map(ToString::to_string).collect()
    }
}
