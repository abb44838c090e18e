//! Tokens → blocks of settings. Whatever the text, what is good is kept and what is ignored is said.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::diag::{Severity, Sink, Span, did_you_mean};
use super::kind::{Accounts, Kind, NumberKind, Value};
use super::layers::Setting;
use super::legacy;
use super::lexer::{self, Line, Token, TokenKind};
use super::options::{Key, OPTIONS, OptionRow, Section, Status, is_quiet_alias};

/// What stands between two braces, without the blocks inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) section: Section,
    /// The word that opens it.
    pub(super) span: Span,
    /// In the order of the file; each keyword once, but for lists.
    pub(super) settings: Vec<Setting>,
    /// Keywords whose last value means that nothing is set: earlier sections count neither.
    pub(super) unset: Vec<Key>,
    /// It says what a device must be like, and a part of that could not be read: what is left
    /// would match more than was meant. Of a `blacklist`: a rule of it could not be read.
    pub(super) broken: bool,
    /// A line of it could not be read that may have been such a part: broken, if a part is missing.
    doubtful: bool,
}

impl Block {
    /// One that says nothing yet.
    pub(super) fn new(section: Section, span: Span) -> Self {
        Self { section, span, settings: Vec::new(), unset: Vec::new(), broken: false, doubtful: false }
    }

    /// Would it match more than was meant, if it was used?
    pub(super) fn lacks_a_part(&self) -> bool {
        let has = |key| self.settings.iter().any(|setting| setting.key == key);
        self.broken || (self.doubtful && !(has(Key::Vendor) && has(Key::Product)))
    }

    /// Is it broken, so that it must not be used? Then it is said.
    pub(super) fn is_too_wide(&self, sink: &mut Sink<'_>) -> bool {
        let broken = self.lacks_a_part();
        if broken {
            let message =
                "the whole `device` is ignored: without the line that is wrong it would match more devices";
            sink.report(Severity::Error, "broken-device", self.span, message, None);
        }
        broken
    }
}

/// Reads a source; what is wrong goes to `sink`.
pub(super) fn parse(source: u16, text: &str, accounts: &dyn Accounts, sink: &mut Sink<'_>) -> Vec<Block> {
    let line = Line { number: 1, start: 0, text: "" };
    let mut parser =
        Parser { source, accounts, sink, line, blocks: Vec::new(), stack: Vec::new(), brace_due: false };
    let mut tokens = Vec::new();
    for line in lexer::lines(text) {
        parser.line = line;
        lexer::tokens(line.text, &mut tokens);
        parser.line(&tokens);
    }
    parser.end();
    parser.blocks
}

/// A brace that is open.
struct Frame {
    /// `None`: unknown, its content is skipped.
    section: Option<Section>,
    /// The word before the brace.
    span: Span,
    /// Index of its block.
    block: usize,
    /// Keywords of the block that were written by an old name.
    old: Vec<Key>,
}

struct Parser<'p, 's, 't> {
    source: u16,
    accounts: &'p dyn Accounts,
    sink: &'p mut Sink<'s>,
    line: Line<'t>,
    blocks: Vec<Block>,
    stack: Vec<Frame>,
    /// A section's `{` was not on the line of its name.
    brace_due: bool,
}

impl<'t> Parser<'_, '_, 't> {
    fn span(&self, token: &Token<'_>) -> Span {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span {
            source: self.source,
            line: self.line.number,
            line_start: self.line.start,
            start: small(token.start),
            len: small(token.len),
        }
    }

    fn error(&mut self, code: &'static str, span: Span, message: String, help: Option<String>) {
        self.sink.report(Severity::Error, code, span, message, help);
    }

    fn warn(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.sink.report(Severity::Warning, code, span, message, None);
    }

    fn section(&self) -> Option<Section> {
        self.stack.last().and_then(|frame| frame.section)
    }

    fn is_skipping(&self) -> bool {
        self.stack.last().is_some_and(|frame| frame.section.is_none())
    }

    fn line(&mut self, tokens: &[Token<'t>]) {
        let mut at = 0;
        let mut opened = false;
        while let Some(token) = tokens.get(at) {
            let due = core::mem::take(&mut self.brace_due);
            at = match &token.kind {
                TokenKind::Open if due => {
                    opened = true;
                    at + 1
                }
                TokenKind::Open if self.section().is_some() => {
                    let message =
                        "a `{` without a section before it: ignored, and the rest of the line".into();
                    self.error("stray-brace", self.span(token), message, None);
                    tokens.len()
                }
                TokenKind::Open => {
                    let help = Some("a section's name goes before `{` on the same line".into());
                    let message = "a `{` without a section: skipped up to its `}`".into();
                    self.error("stray-brace", self.span(token), message, help);
                    self.push(None, self.span(token));
                    at + 1
                }
                TokenKind::Close => {
                    self.close(token);
                    at + 1
                }
                TokenKind::Quoted { .. } if !self.is_skipping() => {
                    let message = "a keyword can't be in quotes: the line is ignored".into();
                    self.error("quoted-keyword", self.span(token), message, None);
                    rest_of_line(tokens, at)
                }
                TokenKind::Quoted { .. } => at + 1,
                TokenKind::Word(word) => {
                    if due {
                        self.missing_open_brace(token);
                    }
                    let before = self.stack.len();
                    let next = self.word(word, tokens, at, opened);
                    opened |= self.stack.len() > before;
                    next
                }
            };
        }
    }

    fn missing_open_brace(&mut self, token: &Token<'_>) {
        let name = self.section().map_or("the section", Section::word);
        let message = format!("missing `{{` after `{name}`");
        self.error("missing-brace", self.span(token), message, None);
    }

    fn push(&mut self, section: Option<Section>, span: Span) {
        let block = self.blocks.len();
        if let Some(section) = section {
            self.blocks.push(Block::new(section, span));
        }
        self.stack.push(Frame { section, span, block, old: Vec::new() });
    }

    fn close(&mut self, token: &Token<'_>) {
        if self.stack.pop().is_none() {
            let message = "a `}` without a `{` before it: ignored".into();
            self.error("stray-brace", self.span(token), message, None);
        }
    }

    /// A word where a keyword or a section's name is due. Gives the index of the next token.
    fn word(&mut self, word: &str, tokens: &[Token<'t>], at: usize, inline: bool) -> usize {
        let next = tokens.get(at + 1);
        let brace_follows = next.is_some_and(|token| token.kind == TokenKind::Open);
        let line_ends = next.is_none();
        if let Some(section) = self.opens(word, brace_follows, line_ends, &tokens[at]) {
            return self.open(section, tokens, at);
        }
        if brace_follows {
            if !self.is_skipping() {
                self.unknown_section(word, &tokens[at]);
            }
            self.push(None, self.span(&tokens[at]));
            return at + 2;
        }
        if self.is_skipping() {
            return at + 1;
        }
        self.keyword(word, tokens, at, inline)
    }

    /// The section that `word` opens here. Where it can only stand further out, the `}` that must
    /// be missing are said and made up for.
    fn opens(&mut self, word: &str, brace: bool, line_ends: bool, token: &Token<'_>) -> Option<Section> {
        let inner = if self.is_skipping() { None } else { Section::open(self.section(), word) };
        if let Some(section) = inner {
            let is_keyword = section == Section::Protocol && !brace && !line_ends;
            return (!is_keyword).then_some(section);
        }
        if !brace {
            return None;
        }
        // Inside a section that is not known anything may stand, but the outermost ones.
        let deepest = if self.is_skipping() { 1 } else { self.stack.len() };
        let outer = (0..deepest).rev().find_map(|depth| {
            let parent = match depth.checked_sub(1) {
                Some(below) => Some(self.stack[below].section?),
                None => None,
            };
            Some((depth, Section::open(parent, word)?))
        });
        let (depth, section) = outer?;
        let frame = &self.stack[depth];
        let inner = frame.section.map_or("this section", Section::word);
        let message = format!(
            "missing `}}`: `{word}` can't stand inside `{inner}`, which line {} opens",
            frame.span.line
        );
        let help = Some(format!("close `{inner}` with a `}}` before it"));
        self.error("missing-brace", self.span(token), message, help);
        self.stack.truncate(depth);
        Some(section)
    }

    fn open(&mut self, section: Section, tokens: &[Token<'t>], at: usize) -> usize {
        let span = self.span(&tokens[at]);
        let is_old = tokens[at].kind == TokenKind::Word("devnode_blacklist");
        if is_old && self.sink.first_time("devnode_blacklist", span) {
            let message = "`devnode_blacklist` is an old name of the section `blacklist`";
            self.sink.report(Severity::Note, "old-name", span, message, Some("write `blacklist`".into()));
        }
        self.push(Some(section), span);
        let brace = tokens[at + 1..].iter().position(|token| token.kind == TokenKind::Open);
        match (brace, tokens.get(at + 1)) {
            (Some(0), _) => at + 2,
            (_, None) => {
                self.brace_due = true;
                at + 1
            }
            (_, Some(token)) => {
                let span = self.span(token);
                let message = format!("`{{` was expected after `{}`: this is ignored", section.word());
                self.error("missing-brace", span, message, None);
                brace.map_or(tokens.len(), |further| at + 2 + further)
            }
        }
    }

    fn unknown_section(&mut self, word: &str, token: &Token<'_>) {
        let parents: Vec<String> = Section::ALL
            .iter()
            .filter(|section| section.word() == word)
            .filter_map(|section| section.parent().map(|parent| format!("`{} {{ }}`", parent.word())))
            .collect();
        let (message, help) = if !parents.is_empty() {
            (
                format!("`{word}` can't stand here: skipped"),
                Some(format!("it goes inside {}", parents.join(" or "))),
            )
        } else if Key::find(word).is_some() {
            (format!("`{word}` is a keyword and takes a value, not a section: skipped"), None)
        } else {
            let here = self.section();
            let known =
                Section::ALL.iter().filter(|section| section.parent() == here).map(|section| section.word());
            let guess = did_you_mean(word, known.chain(["defaults", "blacklist_exceptions", "multipaths"]));
            (
                format!("unknown section `{word}`: skipped"),
                guess.map(|guess| format!("did you mean `{guess}`?")),
            )
        };
        self.error("unknown-section", self.span(token), message, help);
    }

    /// `keyword value`, and what may follow it on the line.
    fn keyword(&mut self, word: &str, tokens: &[Token<'t>], at: usize, inline: bool) -> usize {
        let value = tokens.get(at + 1);
        let value_given =
            value.is_some_and(|token| !matches!(token.kind, TokenKind::Close | TokenKind::Open));
        let next = if value_given { at + 2 } else { at + 1 };
        let Some((section, row)) = self.known(word, &tokens[at]) else {
            self.break_block(None);
            return if inline { next } else { rest_of_line(tokens, at) };
        };
        let is_read = match value.map(|token| (&token.kind, token)) {
            Some((TokenKind::Word(text), token)) => {
                self.setting(section, row, word, text, &tokens[at], token)
            }
            Some((TokenKind::Quoted { text, closed }, token)) => {
                if !closed {
                    self.warn("missing-quote", self.span(token), "missing `\"` at the end of the value");
                }
                self.setting(section, row, word, text, &tokens[at], token)
            }
            _ => {
                self.no_value(word, &row.kind_in(section).describe(), &tokens[at]);
                false
            }
        };
        if !is_read {
            self.break_block(Some(row.key));
        }
        match tokens.get(next) {
            Some(extra) if !inline && extra.kind != TokenKind::Close => {
                if is_read {
                    self.extra(tokens, next);
                }
                rest_of_line(tokens, next)
            }
            _ => next,
        }
    }

    /// Notes that a line of the present block (`None`: of an unknown keyword) could not be read.
    fn break_block(&mut self, key: Option<Key>) {
        let Some(block) = self.stack.last().and_then(|frame| self.blocks.get_mut(frame.block)) else {
            return;
        };
        let is_part = matches!(key, Some(Key::Vendor | Key::Product | Key::Revision));
        match block.section {
            Section::BlacklistDevice | Section::ExceptionsDevice if !is_part => block.doubtful = true,
            Section::BlacklistDevice | Section::ExceptionsDevice | Section::Device => block.broken |= is_part,
            Section::Blacklist => block.broken |= key.is_some(),
            _ => {}
        }
    }

    fn no_value(&mut self, word: &str, takes: &str, token: &Token<'_>) {
        let rest = self.line.text.get(token.start + token.len..).unwrap_or("").trim_start();
        let help = if rest.starts_with('!') {
            Some(format!(
                "`!` begins a comment; in quotes it doesn't: write `{word} \"{}\"`",
                rest.trim_end()
            ))
        } else {
            Some(format!("it takes {takes}"))
        };
        self.error("no-value", self.span(token), format!("`{word}` has no value"), help);
    }

    fn extra(&mut self, tokens: &[Token<'t>], at: usize) {
        let last = tokens.last().expect("there is a token to complain of");
        let start = tokens[at - 1].start;
        let whole = self.line.text.get(start..last.start + last.len).unwrap_or("");
        let mut span = self.span(&tokens[at]);
        span.len = u32::try_from(last.start + last.len - tokens[at].start).unwrap_or(u32::MAX);
        let help =
            (!whole.contains('"')).then(|| format!("a value of several words goes in quotes: `\"{whole}\"`"));
        self.sink.report(Severity::Warning, "extra-words", span, "ignored: a keyword takes one value", help);
    }

    /// The section and the row of a keyword, if it may stand here.
    fn known(&mut self, word: &str, token: &Token<'_>) -> Option<(Section, &'static OptionRow)> {
        let row = legacy::find(word);
        match (self.section(), row) {
            (Some(section), Some(row)) if row.sections.contains(section) => return Some((section, row)),
            _ if self.sink.is_full() => {}
            (Some(Section::Overrides), Some(_)) if word == "protocol" => {
                let message = "`protocol` opens a section here: `{` was expected".into();
                self.error("missing-brace", self.span(token), message, None);
            }
            (here, Some(row)) => {
                let place =
                    here.map_or("outside of a section".into(), |here| format!("in `{}`", here.path()));
                let inside = row.sections.iter().find(|section| here.is_some() && section.parent() == here);
                let places: Vec<String> = match inside {
                    Some(inside) => [format!("`{}`", inside.path())].into(),
                    None => row.sections.iter().map(|section| format!("`{}`", section.path())).collect(),
                };
                let message = format!("`{word}` has no meaning {place}: ignored");
                let help = Some(format!("it goes into {}", places.join(", ")));
                self.error("wrong-section", self.span(token), message, help);
            }
            (here, None) => {
                let names = OPTIONS.iter().filter(|row| here.is_none_or(|here| row.sections.contains(here)));
                let names = names.filter(|row| row.status.is_current()).map(|row| row.name);
                let everywhere = OPTIONS.iter().map(|row| row.name);
                let guess = did_you_mean(word, names).or_else(|| did_you_mean(word, everywhere));
                let message = format!("unknown keyword `{word}`: ignored");
                let help = guess.map(|guess| format!("did you mean `{guess}`?"));
                self.error("unknown-keyword", self.span(token), message, help);
            }
        }
        None
    }

    /// False: the value could not be read.
    fn setting(
        &mut self,
        section: Section,
        row: &'static OptionRow,
        word: &str,
        text: &str,
        name: &Token<'_>,
        token: &Token<'_>,
    ) -> bool {
        let reading = row.kind_in(section).read(text, self.accounts);
        let span = self.span(token);
        let is_error = reading.remark.as_ref().is_some_and(|remark| remark.severity == Severity::Error);
        if let Some(remark) = reading.remark {
            let ignored = if is_error { ": the line is ignored" } else { "" };
            let message = format!("`{word}`: {}{ignored}", remark.message);
            self.sink.report(remark.severity, "bad-value", span, message, remark.help);
        }
        let Some(value) = reading.value else {
            if matches!(row.kind, Kind::Number(NumberKind { zero_unsets: true, .. })) && !is_error {
                let block = self.stack.last().expect("a setting stands in a section").block;
                self.blocks[block].settings.retain(|earlier| earlier.key != row.key);
                self.blocks[block].unset.push(row.key);
            }
            return !is_error;
        };
        let is_old = word != row.name && !is_quiet_alias(word);
        let place = self.span(name);
        let setting = Setting { key: row.key, value, span };
        match row.status {
            Status::Ignored(why) => {
                if self.sink.first_time(row.name, place) {
                    let message = format!("`{word}` has no effect: {why}");
                    let (severity, help) = match legacy::kept_elsewhere(&setting) {
                        Some(here) => (Severity::Warning, Some(format!("copy what is there to {here}"))),
                        None => (Severity::Note, None),
                    };
                    self.sink.report(severity, "no-effect", place, message, help);
                }
            }
            Status::PrioCallout(why) => self.prio_callout(row, &setting, why, place),
            Status::Deprecated(why) => {
                let says_nothing = row.default == Some(setting.value.as_str());
                if !says_nothing && self.sink.first_time(row.name, place) {
                    let message = format!("`{word}` is deprecated: {why}");
                    self.sink.report(Severity::Note, "deprecated", place, message, None);
                }
                self.store(section, setting, row, false);
            }
            Status::Unsupported(why) => {
                self.without_effect(row, &setting, why, (Severity::Warning, "unsupported"), place);
                self.store(section, setting, row, is_old);
            }
            Status::Needless(why) => {
                self.without_effect(row, &setting, why, (Severity::Note, "no-effect"), place);
                self.store(section, setting, row, is_old);
            }
            Status::Current => {
                if is_old && self.sink.first_time(row.name, place) {
                    let message = format!("`{word}` is an old name of `{}`", row.name);
                    let help = Some(format!("write `{}`", row.name));
                    self.sink.report(Severity::Note, "old-name", place, message, help);
                }
                self.store(section, setting, row, is_old);
            }
        }
        true
    }

    /// Says that a setting does nothing, where it asks for another thing than its default.
    fn without_effect(
        &mut self,
        row: &OptionRow,
        setting: &Setting,
        why: &str,
        said: (Severity, &'static str),
        place: Span,
    ) {
        let says_nothing = row.default.is_some_and(|default| setting.value.is(default));
        if !says_nothing && self.sink.first_time(row.name, place) {
            self.sink.report(said.0, said.1, place, format!("`{}` has no effect: {why}", row.name), None);
        }
    }

    fn prio_callout(&mut self, row: &'static OptionRow, setting: &Setting, why: &str, span: Span) {
        let command = setting.value.as_str();
        let Some(prio) = legacy::prio_of_callout(command) else {
            let message =
                format!("`{}`: no prioritizer is known for `{command}`: the line is ignored", row.name);
            let help = Some("write `prio` with one of its words".into());
            self.sink.report(Severity::Warning, "unknown-callout", setting.span, message, help);
            return;
        };
        if self.sink.first_time(row.name, span) {
            let message = format!("`{}` is deprecated: {why}", row.name);
            let help = Some(format!("write `prio {prio}`"));
            self.sink.report(Severity::Note, "deprecated", span, message, help);
        }
        let section = self.section().expect("a setting stands in a section");
        self.store(
            section,
            Setting { key: Key::Prio, value: Value::Word(prio), span: setting.span },
            Key::Prio.row(),
            true,
        );
    }

    /// Adds a setting to its block. The later of two wins, but an old name never beats today's.
    fn store(&mut self, section: Section, setting: Setting, row: &OptionRow, is_old: bool) {
        let frame = self.stack.last_mut().expect("a setting stands in a section");
        let settings = &mut self.blocks[frame.block].settings;
        let earlier = settings.iter_mut().find(|earlier| earlier.key == setting.key);
        let Some(earlier) = earlier.filter(|_| !row.is_list_in(section)) else {
            if is_old {
                frame.old.push(setting.key);
            }
            settings.push(setting);
            return;
        };
        let earlier_is_old = frame.old.contains(&setting.key);
        let (span, line) = (setting.span, earlier.span.line);
        let same = earlier.value == setting.value;
        if is_old && !earlier_is_old {
            if !same {
                let message = format!("ignored: `{}` on line {line} says otherwise", row.name);
                self.sink.report(Severity::Warning, "duplicate", span, message, None);
            }
            return;
        }
        *earlier = setting;
        frame.old.retain(|key| is_old || *key != row.key);
        if !(same && (is_old || earlier_is_old)) {
            let message = format!("`{}` is set again: line {line} has no effect", row.name);
            self.sink.report(Severity::Warning, "duplicate", span, message, None);
        }
    }

    fn end(&mut self) {
        for frame in core::mem::take(&mut self.stack) {
            let name = frame.section.map_or("section", Section::word);
            let message = format!("missing `}}`: the end of the file closes this `{name}`");
            self.error("missing-brace", frame.span, message, None);
        }
    }
}

/// The index after a line's end, or of the `}` that ends it: not one that belongs to a `{` of the same line, as in a regular
/// expression without quotes.
fn rest_of_line(tokens: &[Token<'_>], at: usize) -> usize {
    let last = tokens.len() - 1;
    let count =
        |kind: TokenKind<'_>| tokens[at..last.max(at)].iter().filter(|token| token.kind == kind).count();
    let ends = last > at && tokens[last].kind == TokenKind::Close;
    if ends && count(TokenKind::Open) <= count(TokenKind::Close) { last } else { tokens.len() }
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
