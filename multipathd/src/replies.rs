//! How long replies take: from the moment a request is read whole until its reply is handed to the socket.
//!
//! What a command waits for by its nature (the kernel has failed a path, files are read) is not in it: the watch stands still from the
//! end of the turn of the loop that took the command in until the turn that makes the reply begins. Two clocks run. The
//! processor's, of the loop's own thread, is what the daemon has worked; the other one also shows a loop that was blocked, or did not get the
//! processor.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use libmp::ctl::{Form, gist};
use libmp::show::replies::{LATE, Took, render};
use libmp::types::Instant;
use tracing::warn;

use crate::sys;

/// Of each command, a late reply is said so often at the most.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// All that is no command.
const NO_COMMAND: &str = "(no command)";

/// Both clocks, read together by the loop's thread.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    clock: Instant,
    cpu: Duration,
}

impl Moment {
    /// This one.
    pub fn now() -> Self {
        Self { clock: sys::now(), cpu: sys::thread_time() }
    }

    fn since(self, earlier: Self) -> Span {
        let clock = self.clock.saturating_since(earlier.clock);
        Span { clock, cpu: self.cpu.saturating_sub(earlier.cpu) }
    }
}

/// How long something took, by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    clock: Duration,
    cpu: Duration,
}

/// Of one request.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    running: Option<Moment>,
    before: Span,
}

impl Watch {
    /// Runs from now on.
    pub fn start() -> Self {
        Self { running: Some(Moment::now()), before: Span::default() }
    }

    /// Does it stand still?
    pub fn is_paused(&self) -> bool {
        self.running.is_none()
    }

    /// Stands still.
    pub fn pause(&mut self, now: Moment) {
        self.before = self.read(now);
        self.running = None;
    }

    /// Runs again, since then.
    pub fn resume(&mut self, since: Moment) {
        self.running = Some(since);
    }

    fn read(&self, now: Moment) -> Span {
        let last = self.running.map(|since| now.since(since)).unwrap_or_default();
        Span { clock: self.before.clock + last.clock, cpu: self.before.cpu + last.cpu }
    }

    /// What it shows.
    pub fn stop(&self) -> Span {
        self.read(Moment::now())
    }
}

/// What replies took, command by command.
#[derive(Debug, Default)]
pub struct Replies(Mutex<BTreeMap<String, Row>>);

#[derive(Debug, Default)]
struct Row {
    took: Took,
    said: Option<Instant>,
}

impl Replies {
    /// The reply to this line has taken so long.
    pub fn note(&self, line: &str, span: Span) {
        let command = gist(line).unwrap_or_else(|| NO_COMMAND.into());
        if let Some(late) = self.count(command, span, sys::now()) {
            warn!("{late}");
        }
    }

    /// What is to be said about it, if anything is.
    fn count(&self, command: String, span: Span, now: Instant) -> Option<String> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Row { took, said } = rows.entry(command).or_insert_with_key(|command| Row {
            took: Took { command: command.clone(), ..Took::default() },
            said: None,
        });
        took.replies += 1;
        took.cpu += span.cpu;
        took.cpu_max = took.cpu_max.max(span.cpu);
        took.max = took.max.max(span.clock);
        if span.clock <= LATE {
            return None;
        }
        took.late += 1;
        if said.is_some_and(|said| now.saturating_since(said) < SAID_EVERY) {
            return None;
        }
        *said = Some(now);
        Some(format!(
            "a reply took {} ms, {} ms of them on the processor: {} ({} of {} took longer than {} ms)",
            span.clock.as_millis(),
            span.cpu.as_millis(),
            took.command,
            took.late,
            took.replies,
            LATE.as_millis()
        ))
    }

    /// As `show replies` has it.
    pub fn show(&self, form: Form) -> String {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        render(&rows.values().map(|row| row.took.clone()).collect::<Vec<_>>(), form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(clock_ms: u64, cpu_ms: u64) -> Span {
        Span { clock: Duration::from_millis(clock_ms), cpu: Duration::from_millis(cpu_ms) }
    }

    fn moment(clock_ms: u64, cpu_ms: u64) -> Moment {
        Moment { clock: Instant::from_micros(clock_ms * 1_000), cpu: Duration::from_millis(cpu_ms) }
    }

    #[test]
    fn waiting_is_not_counted() {
        let mut watch = Watch { running: Some(moment(10, 1)), before: Span::default() };
        assert!(!watch.is_paused());
        watch.pause(moment(13, 3));
        assert!(watch.is_paused());
        assert_eq!(watch.read(moment(5_000, 900)), span(3, 2));
        watch.resume(moment(5_000, 900));
        assert_eq!(watch.read(moment(5_007, 904)), span(10, 6));
    }

    #[test]
    fn a_late_reply_is_said_once_a_minute_and_counted_always() {
        let replies = Replies::default();
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let note = |command: &str, span, seconds| replies.count(command.into(), span, at(seconds));
        assert_eq!(note("show paths", span(100, 100), 1), None);
        assert_eq!(
            note("show paths", span(140, 3), 2).as_deref(),
            Some(
                "a reply took 140 ms, 3 ms of them on the processor: show paths (1 of 2 took longer than 100 ms)"
            )
        );
        assert_eq!(note("show paths", span(900, 3), 61), None);
        assert!(note("show maps", span(101, 101), 61).is_some(), "another command");
        assert!(note("show paths", span(101, 3), 62).is_some_and(|said| said.contains("(3 of 4 ")));
        let shown = replies.show(Form::Text);
        let row: Vec<_> = shown.lines().nth(2).unwrap().split_whitespace().collect();
        assert_eq!(row, ["show", "paths", "4", "3", "27.250", "100.000", "900.000"]);
    }

    #[test]
    fn whatever_clients_say_makes_one_row() {
        let replies = Replies::default();
        for line in ["bogus", "", "show", "explain a", "explain b"] {
            replies.note(line, Span::default());
        }
        assert_eq!(replies.0.lock().unwrap().keys().collect::<Vec<_>>(), [NO_COMMAND, "explain"]);
    }
}
