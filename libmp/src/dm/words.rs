//! Blank-separated words with counts, the way device-mapper writes its lines.

use ::core::str::{FromStr, SplitAsciiWhitespace};
use alloc::string::String;
use alloc::vec::Vec;

use crate::types::DevT;

/// A line of device-mapper could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("word {word} should be {what}")]
pub struct LineError {
    /// Which word of the line, from 1.
    pub word: usize,
    /// What should be there ("the number of groups").
    pub what: &'static str,
}

/// Limit of every count in dm-mpath (`dm_arg` in dm-mpath.c).
const MAX_COUNT: u32 = 1024;

/// Reads a line word by word. Blanks at both ends and doubled ones don't matter.
pub(super) struct Words<'a> {
    rest: SplitAsciiWhitespace<'a>,
    taken: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { rest: line.split_ascii_whitespace(), taken: 0 }
    }

    /// The error of the word taken last.
    pub(super) const fn error(&self, what: &'static str) -> LineError {
        LineError { word: self.taken, what }
    }

    pub(super) fn word(&mut self, what: &'static str) -> Result<&'a str, LineError> {
        self.taken += 1;
        self.rest.next().ok_or(self.error(what))
    }

    /// Any word that `T` reads; numbers take no sign.
    pub(super) fn parsed<T: FromStr>(&mut self, what: &'static str) -> Result<T, LineError> {
        let word = self.word(what)?;
        if word.starts_with('+') {
            return Err(self.error(what));
        }
        word.parse().map_err(|_| self.error(what))
    }

    /// A count that dm-mpath could have accepted.
    pub(super) fn count(&mut self, what: &'static str) -> Result<u32, LineError> {
        let count = self.parsed(what)?;
        if count > MAX_COUNT { Err(self.error(what)) } else { Ok(count) }
    }

    pub(super) fn device(&mut self) -> Result<DevT, LineError> {
        self.parsed("a device number (MAJOR:MINOR)")
    }

    /// So many words.
    pub(super) fn take(&mut self, count: u32, what: &'static str) -> Result<Vec<String>, LineError> {
        (0..count).map(|_| self.word(what).map(String::from)).collect()
    }

    /// A count, and that many words.
    pub(super) fn counted(&mut self, what: &'static str) -> Result<Vec<String>, LineError> {
        let count = self.count(what)?;
        self.take(count, what)
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self) -> Result<(), LineError> {
        self.taken += 1;
        match self.rest.next() {
            None => Ok(()),
            Some(_) => Err(self.error("the end of the line")),
        }
    }
}

/// `["a", "b"]` → `2 a b`; `[]` → `0`.
pub(super) fn counted_text(words: &[String]) -> String {
    let mut text = alloc::format!("{}", words.len());
    for word in words {
        text.push(' ');
        text.push_str(word);
    }
    text
}

/// The words of a text with a count before them, as `features` and `hardware_handler` of
/// multipath.conf have it: `1 queue_if_no_path` → `["queue_if_no_path"]`, `0` → `[]`.
///
/// The count itself is not believed: the kernel refuses a table whose counts are wrong, so what is
/// written to it is always counted anew. A text without a count is taken too.
pub fn words_of(text: &str) -> Vec<String> {
    let mut words = text.split_ascii_whitespace().peekable();
    let _count = words.next_if(|first| first.bytes().all(|b| b.is_ascii_digit()));
    words.map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_made_anew() {
        for (text, words) in [
            ("0", &[][..]),
            ("", &[]),
            ("1 queue_if_no_path", &["queue_if_no_path"]),
            ("3 queue_if_no_path pg_init_retries 50", &["queue_if_no_path", "pg_init_retries", "50"]),
            ("7  alua ", &["alua"]),
            ("alua", &["alua"]),
        ] {
            assert_eq!(words_of(text), words, "{text:?}");
        }
        assert_eq!(counted_text(&words_of("9 a b")), "2 a b");
        assert_eq!(counted_text(&[]), "0");
    }
}
