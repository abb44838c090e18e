//! Files that persist: bindings, wwids, switched queueing. Formats only; writing them is an effect.

pub mod bindings;
pub mod switched;
pub mod wwids;

use alloc::string::String;

/// A line of a state file, as it stands there. Who wrote it, and what else is in it, is not ours to change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line<T> {
    text: String,
    /// What it says; `None` where it means nothing.
    entry: Option<T>,
}

/// The text of a file: its lines as they are, below the header where there was none.
fn to_text<T>(lines: &[Line<T>], header: &str) -> String {
    let has_header = lines.iter().any(|line| line.text.starts_with('#'));
    let mut text = if has_header { String::new() } else { header.into() };
    for line in lines {
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}

/// The lines of a file. A carriage return at the end of one is a part of it.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_terminator('\n')
}
