//! The last lines of what happened, kept for the moment something goes wrong.

use std::collections::VecDeque;
use std::fmt::Arguments;

use libmp::types::Instant;

/// A ring of lines, or all of them on standard output.
#[derive(Debug)]
pub struct Trace {
    lines: VecDeque<(Instant, String)>,
    limit: usize,
    pub print: bool,
}

impl Trace {
    pub fn new(limit: usize, print: bool) -> Self {
        Self { lines: VecDeque::new(), limit, print }
    }

    /// One more line. Formatting is skipped where nobody will read it.
    pub fn line(&mut self, now: Instant, text: Arguments<'_>) {
        if self.print {
            println!("{} {text}", stamp(now));
            return;
        }
        if self.limit == 0 {
            return;
        }
        if self.lines.len() == self.limit {
            self.lines.pop_front();
        }
        self.lines.push_back((now, text.to_string()));
    }

    /// The tail, a line each.
    pub fn tail(&self) -> String {
        self.lines.iter().fold(String::new(), |out, (at, text)| out + &stamp(*at) + " " + text + "\n")
    }
}

/// Seconds of virtual time.
pub fn stamp(at: Instant) -> String {
    let micros = at.as_micros();
    format!("{:>8}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
