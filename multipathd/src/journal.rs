//! What happened lately: the last thousand notices, ready to be sent. Readers hold a place in it and nothing else, so that a
//! slow one costs no memory; what it missed is counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libmp::core::notice::Notice;
use libmp::show::events;
use tokio::sync::watch;

/// Notices that are kept.
pub const KEPT: usize = 1_000;
/// Lines of one message, and of one block.
const BATCH: usize = 100;

/// The last notices.
#[derive(Debug)]
pub struct Journal {
    lines: Mutex<Lines>,
    /// The number of the next one.
    next: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Lines {
    /// The number of the first line that is kept.
    first: u64,
    /// How many there are.
    kept: usize,
    /// A hundred lines each, but for the last. Each line by itself would lie, for long, between what comes and goes.
    blocks: VecDeque<String>,
    /// Lines of the first block that are not kept any more.
    past: usize,
}

/// Some lines, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The lines; empty where there is nothing new.
    pub text: String,
    /// What comes next.
    pub next: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self { lines: Mutex::default(), next: watch::Sender::new(0) }
    }
}

impl Journal {
    /// Takes a notice in, at this time since 1970.
    ///
    /// That a path is still failed, each time that it is checked, would push out what has happened.
    pub fn note(&self, time: Duration, notice: &Notice) {
        if matches!(notice, Notice::PathStillFailed { .. }) {
            return;
        }
        let mut lines = self.lock();
        let line = events::line(lines.next(), time, notice);
        lines.push(&line);
        self.next.send_replace(lines.next());
    }

    /// Everything that is kept.
    pub fn all(&self) -> String {
        self.lock().skip(0).collect()
    }

    /// The first number that is kept.
    pub fn first(&self) -> u64 {
        self.lock().first
    }

    /// What there is from this number on, a hundred lines at the most. Where it is not kept any more, a line says how many are
    /// lost.
    pub fn from(&self, next: u64, time: Duration) -> Batch {
        let lines = self.lock();
        let start = next.max(lines.first);
        let mut text = String::new();
        if start > next {
            text = events::lost(start, time, start - next);
        }
        let skip = usize::try_from(start - lines.first).unwrap_or(KEPT);
        let mut next = start;
        for line in lines.skip(skip).take(BATCH) {
            text.push_str(line);
            next += 1;
        }
        Batch { text, next }
    }

    /// Waits until there is something from this number on.
    pub async fn beyond(&self, next: u64) {
        let mut latest = self.next.subscribe();
        // Its sender is here: it can't be gone.
        let _ = latest.wait_for(|latest| *latest > next).await;
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn next(&self) -> u64 {
        self.first + self.kept as u64
    }

    /// Adds a line, which ends with a newline and has no other; the oldest of too many goes.
    fn push(&mut self, line: &str) {
        if (self.past + self.kept).is_multiple_of(BATCH) {
            // As long as the one before: it need not grow.
            self.blocks.push_back(String::with_capacity(self.blocks.back().map_or(0, String::len)));
        }
        if let Some(block) = self.blocks.back_mut() {
            block.push_str(line);
        }
        self.kept += 1;
        if self.kept > KEPT {
            self.kept -= 1;
            self.first += 1;
            self.past += 1;
        }
        if self.past == BATCH {
            self.past = 0;
            self.blocks.pop_front();
        }
    }

    /// All but so many of the first.
    fn skip(&self, count: usize) -> impl Iterator<Item = &str> {
        let count = self.past + count;
        let blocks = self.blocks.iter().skip(count / BATCH);
        blocks.flat_map(|block| block.split_inclusive('\n')).skip(count % BATCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::ZERO;

    fn sequence(text: &str) -> Vec<&str> {
        text.lines().filter_map(|line| line.split("\"seq\": ").nth(1)?.split(',').next()).collect()
    }

    #[test]
    fn the_last_thousand_are_kept() {
        let journal = Journal::default();
        assert_eq!(journal.all(), "");
        for _ in 0..KEPT + 5 {
            journal.note(TIME, &Notice::UeventsLost);
        }
        let all = journal.all();
        let numbers = sequence(&all);
        assert_eq!((numbers.len(), numbers[0], numbers[KEPT - 1]), (KEPT, "5", "1004"));
    }

    #[test]
    fn what_is_said_with_each_check_pushes_nothing_out() {
        use libmp::core::notice::Level;
        let journal = Journal::default();
        let (map, path) = (libmp::types::MapName::new("data"), "sda".into());
        let (checker, message) = ("tur", "");
        journal.note(TIME, &Notice::PathStillFailed { map, path, checker, message, level: Level::Notice });
        assert_eq!(journal.all(), "");
    }

    #[test]
    fn who_reads_slowly_is_told_what_he_missed() {
        let journal = Journal::default();
        for _ in 0..KEPT {
            journal.note(TIME, &Notice::UeventsLost);
        }
        let batch = journal.from(0, TIME);
        assert_eq!((batch.next, batch.text.lines().count()), (BATCH as u64, BATCH));
        for _ in 0..BATCH + 7 {
            journal.note(TIME, &Notice::UeventsLost);
        }
        let batch = journal.from(batch.next, TIME);
        assert!(
            batch.text.lines().next().is_some_and(|line| line.contains("\"event\": \"lost\", \"count\": 7,"))
        );
        assert_eq!(sequence(&batch.text)[..2], ["106", "107"]);
        let end = KEPT as u64 + BATCH as u64 + 7;
        assert_eq!(journal.from(end, TIME), Batch { text: String::new(), next: end });
    }
}
