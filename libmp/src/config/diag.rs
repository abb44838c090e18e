//! What is wrong in a configuration: where, what, and what to write in its place.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

/// Most diagnostics of one load; the last one says that there were more.
const MAX_DIAGNOSTICS: usize = 500;
/// Most characters of a line that are shown.
const MAX_SHOWN: usize = 160;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Works as meant, and is written differently today.
    Note,
    /// Works, but probably not as meant.
    Warning,
    /// Is ignored.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A place in one of the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Index of the source; 0 is the built-in table.
    pub source: u16,
    /// Line, from 1.
    pub line: u32,
    /// Offset of the line in its source, in bytes.
    pub line_start: u32,
    /// Offset in the line, in bytes.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

/// One thing to say about a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Short stable name of the kind of thing (`unknown-keyword`).
    pub code: &'static str,
    /// Name of the source (`/etc/multipath.conf`).
    pub source: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, in characters from 1.
    pub column: u32,
    /// Characters that are underlined.
    pub width: u32,
    /// The line, or a piece of it if it is long.
    pub text: String,
    /// Column of the first character of `text`, from 1.
    pub text_column: u32,
    /// What is the matter.
    pub message: String,
    /// What to write, and where else to look.
    pub help: Option<String>,
}

/// Errors that cost one line and leave no doubt about the others: words of another release, mostly.
const HARMLESS: [&str; 3] = ["unknown-keyword", "unknown-section", "wrong-section"];

impl Diagnostic {
    /// Should a daemon that runs rather keep the configuration that it has? Not for words that it does
    /// not know: those are ignored by every release, and said.
    pub fn stops_reconfigure(&self) -> bool {
        self.severity == Severity::Error && !HARMLESS.contains(&self.code)
    }

    /// As a compiler prints it: message, place, line, caret, help.
    pub fn render(&self) -> String {
        // Writing to a `String` can't fail.
        let mut out = String::new();
        let _ = writeln!(out, "{}: {}", self.severity, self.message);
        let gutter = self.line.to_string().len();
        let pad = " ".repeat(gutter);
        let (text, before, width) = self.expanded();
        let _ = writeln!(out, "{pad}--> {}:{}:{}\n{pad} |", self.source, self.line, self.column);
        let _ = writeln!(out, "{} | {text}\n{pad} | {}{}", self.line, " ".repeat(before), "^".repeat(width));
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{pad} = help: {help}");
        }
        out
    }

    /// One line, for a log.
    pub fn one_line(&self) -> String {
        let help = self.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
        format!("{}:{}:{}: {}: {}{help}", self.source, self.line, self.column, self.severity, self.message)
    }

    /// The line with tabs as blanks and control characters made visible, the columns before the
    /// caret, and the caret's width.
    fn expanded(&self) -> (String, usize, usize) {
        let first = (self.column.saturating_sub(self.text_column)) as usize;
        let last = first + self.width as usize;
        let (mut text, mut before, mut width) = (String::new(), 0, 0);
        for (i, c) in self.text.chars().enumerate() {
            let shown = match c {
                '\t' => "    ".to_owned(),
                c if c.is_control() => "\u{fffd}".to_owned(),
                c => c.to_string(),
            };
            if i < first {
                before += shown.chars().count();
            } else if i < last {
                width += shown.chars().count();
            }
            text += &shown;
        }
        (text, before, width.max(1))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}

/// Collects diagnostics while the sources are at hand.
pub(super) struct Sink<'a> {
    sources: Vec<(&'a str, &'a str)>,
    found: Vec<(Span, Diagnostic)>,
    dropped: usize,
    once: Vec<(&'static str, Span)>,
    /// Where the last report was, and its column.
    last_column: (Span, usize),
}

impl<'a> Sink<'a> {
    /// `sources`: name and text of each, the built-in one first.
    pub(super) fn new(sources: Vec<(&'a str, &'a str)>) -> Self {
        Self { sources, found: Vec::new(), dropped: 0, once: Vec::new(), last_column: (Span::default(), 0) }
    }

    /// Is there room for one more? Costly suggestions need not be made otherwise.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MAX_DIAGNOSTICS
    }

    /// True the first time only.
    pub(super) fn first_time(&mut self, what: &'static str, place: Span) -> bool {
        let first = self.first_place(what).is_none();
        if first {
            self.once.push((what, place));
        }
        first
    }

    /// Where [`Self::first_time`] said yes.
    pub(super) fn first_place(&self, what: &str) -> Option<Span> {
        self.once.iter().find(|(once, _)| *once == what).map(|(_, place)| *place)
    }

    pub(super) fn report(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        if self.is_full() {
            self.dropped += 1;
            return;
        }
        let (source, text) = self.sources.get(usize::from(span.source)).copied().unwrap_or(("", ""));
        let column = self.column(text, span);
        let start = span.line_start as usize + span.start as usize;
        let marked = text.get(start..).unwrap_or("").get(..span.len as usize).unwrap_or("");
        let width = marked.chars().take(MAX_SHOWN).count().max(1);
        // A window around the place, so that a huge line costs no more than another.
        let before = if column + width.min(MAX_SHOWN / 2) > MAX_SHOWN { MAX_SHOWN / 2 } else { column };
        let from = text.get(..start).and_then(|text| text.char_indices().rev().take(before).last());
        let from = from.map_or(start, |(at, _)| at);
        let shown =
            text.get(from..).unwrap_or("").chars().take_while(|c| !"\n\r".contains(*c)).take(MAX_SHOWN);
        let found = Diagnostic {
            severity,
            code,
            source: source.into(),
            line: span.line,
            column: small(column + 1),
            width: small(width),
            text: shown.collect(),
            text_column: small(column - before + 1),
            message: message.into(),
            help,
        };
        self.found.push((span, found));
    }

    /// Characters before the place in its line. Counted on from the last report in the same line:
    /// many reports on one huge line cost no more than one.
    fn column(&mut self, text: &str, span: Span) -> usize {
        let (last, counted) = self.last_column;
        let known = (last.source, last.line) == (span.source, span.line) && last.start <= span.start;
        let (from, counted) = if known { (last.start, counted) } else { (0, 0) };
        let line = span.line_start as usize;
        let piece = text.get(line + from as usize..line + span.start as usize).unwrap_or("");
        let column = counted + piece.chars().count();
        self.last_column = (span, column);
        column
    }

    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        // The whole is looked at after its parts: put them in the order of the files.
        self.found.sort_by_key(|(span, _)| *span);
        let mut found: Vec<Diagnostic> = self.found.into_iter().map(|(_, found)| found).collect();
        if let (Some(last), true) = (found.last(), self.dropped > 0) {
            let message = format!("{} more problems are not shown", self.dropped);
            let more =
                Diagnostic { severity: Severity::Warning, code: "more", message, help: None, ..last.clone() };
            found.push(more);
        }
        found
    }
}

/// As far as it goes into a place.
pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The candidate that `word` is most likely meant to be, if one is near enough.
pub fn did_you_mean<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    let allowed = (word.len() / 3).max(1);
    candidates
        .map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let width = b.len() + 1;
    let mut rows = vec![0; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[(i - 1) * width + j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replaced.min(rows[(i - 1) * width + j] + 1).min(rows[i * width + j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[(i - 2) * width + j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_like_a_compiler() {
        let text = "defaults {\n\tpoling_interval 5\n}\n";
        let mut sink = Sink::new(vec![("built-in", ""), ("/etc/multipath.conf", text)]);
        let span = Span { source: 1, line: 2, line_start: 11, start: 1, len: 15 };
        let help = Some("did you mean `polling_interval`?".to_owned());
        sink.report(Severity::Error, "unknown-keyword", span, "unknown keyword `poling_interval`", help);
        let found = sink.finish();
        assert_eq!(
            found[0].render(),
            "error: unknown keyword `poling_interval`\n --> /etc/multipath.conf:2:2\n  |\n2 |     poling_interval 5\n  |     ^^^^^^^^^^^^^^^\n  = help: did you mean `polling_interval`?\n"
        );
        assert_eq!(
            found[0].one_line(),
            "/etc/multipath.conf:2:2: error: unknown keyword `poling_interval` (did you mean `polling_interval`?)"
        );
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("{}here{}", "x".repeat(1000), "y".repeat(1000));
        let mut sink = Sink::new(vec![("f", &text)]);
        sink.report(
            Severity::Note,
            "c",
            Span { source: 0, line: 1, line_start: 0, start: 1000, len: 4 },
            "m",
            None,
        );
        let found = sink.finish();
        assert_eq!(found[0].column, 1001);
        assert!(found[0].text.chars().count() <= MAX_SHOWN);
        assert!(found[0].render().contains(&format!("\n  | {}^^^^\n", " ".repeat(80))));
    }

    #[test]
    fn guesses_are_near() {
        let words = ["polling_interval", "max_polling_interval", "prio", "path_checker"];
        assert_eq!(did_you_mean("poling_intervall", words.into_iter()), Some("polling_interval"));
        assert_eq!(did_you_mean("path-checker", words.into_iter()), Some("path_checker"));
        assert_eq!(did_you_mean("pri", words.into_iter()), Some("prio"));
        assert_eq!(did_you_mean("zzz", words.into_iter()), None);
    }

    #[test]
    fn there_is_a_limit() {
        let mut sink = Sink::new(vec![("f", "x")]);
        for _ in 0..10_000 {
            sink.report(Severity::Error, "c", Span::default(), "m", None);
        }
        let found = sink.finish();
        assert_eq!(found.len(), MAX_DIAGNOSTICS + 1);
        assert!(found.last().unwrap().message.contains("9500 more"));
    }
}
