//! POSIX extended regular expressions, as glibc's `regcomp(REG_EXTENDED | REG_NOSUB)` means them.
//!
//! multipath.conf's patterns are compiled by libc in the reference, and files in the field rely on
//! its corner cases (`^hd[a-z][[0-9]*]` is a bracket, a star and a literal `]`). This is the C
//! locale: bytes, no case folding, `.` matches everything, `^` and `$` are the ends of the string.
//!
//! Compiled and matched here and not by the `regex` crate: translating for that crate costs 8 ms
//! of compilation for the 306 patterns of the built-in table (2 ms as one set), more than all the
//! rest of a `multipath -u` at each udev event. Only "does it match" is asked, so a set of states
//! is enough: a match costs pattern × string at most, whatever the pattern.
//!
//! glibc drops the anchor of a repeated group in a few places (`(b$){2}` matches `bb` there and
//! nowhere else); that is not imitated. Back-references are refused: they need backtracking, and no known file has one.

mod parse;
mod program;

#[cfg(test)]
mod oracle;

use ::core::fmt;
use alloc::boxed::Box;

use once_cell::race::OnceBox;

use super::kind::Text;
use program::Program;

/// Longest pattern in bytes. The reference cuts lines at 1,023 bytes.
const MAX_PATTERN_LEN: usize = 4096;
/// Most states a pattern may have once its intervals are written out.
const MAX_STATES: usize = 16_384;
/// Deepest nesting of groups and repetitions.
const MAX_DEPTH: u32 = 100;

/// Why a pattern can't be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `(` without `)`.
    #[error("`(` without a matching `)`")]
    Paren,
    /// `[` without `]`.
    #[error("`[` without a matching `]`")]
    Bracket,
    /// `{` without `}`.
    #[error("`{{` without a matching `}}`")]
    Brace,
    /// `{…}` is not `{n}`, `{n,}`, `{,m}` or `{n,m}` with n ≤ m.
    #[error("`{{…}}` must be a repetition like `{{2}}`, `{{2,}}` or `{{2,5}}`")]
    Interval,
    /// A range that ends before it starts, or whose end is not a character.
    #[error("bad range in `[…]`")]
    Range,
    /// `[:name:]` is not a class.
    #[error("unknown character class in `[[:…:]]`")]
    Class,
    /// `[.name.]` or `[=name=]` is not one character.
    #[error("only single characters can stand in `[[.….]]` and `[[=…=]]`")]
    Collate,
    /// `*`, `+`, `?` or `{` with nothing before it.
    #[error("nothing to repeat before `*`, `+`, `?` or `{{`")]
    Repeat,
    /// A backslash at the end.
    #[error("backslash at the end")]
    Escape,
    /// `\1`.
    #[error("back-references are not supported")]
    BackReference,
    /// Longer, deeper or with larger repetitions than accepted.
    #[error("too large")]
    TooLarge,
}

/// A pattern. It is compiled when it is first asked: a daemon holds some hundred of the built-in table, of which it asks few.
pub struct Pattern {
    text: Text,
    program: OnceBox<Program>,
    inverted: bool,
}

impl Pattern {
    /// Compiles a pattern of the `devices` section: taken as it is.
    pub fn new(text: &str) -> Result<Self, Error> {
        compile(text).map(|program| Self::compiled(text, false, program))
    }

    /// Compiles a rule of a blacklist: a leading `!` inverts it, `\!` is a literal one.
    pub fn rule(text: &str) -> Result<Self, Error> {
        let (pattern, inverted) = bare(text);
        compile(pattern).map(|program| Self::compiled(text, inverted, program))
    }

    fn compiled(text: &str, inverted: bool, program: Program) -> Self {
        Self { text: Text::Owned(text.into()), program: OnceBox::with_value(Box::new(program)), inverted }
    }

    /// One that [`Self::new`] takes, as is known already.
    pub(super) fn checked(text: Text) -> Self {
        Self { text, program: OnceBox::new(), inverted: false }
    }

    /// One that [`Self::rule`] takes, as is known already.
    pub(super) fn checked_rule(text: Text) -> Self {
        Self { inverted: bare(&text).1, ..Self::checked(text) }
    }

    /// What is compiled of it.
    fn program(&self) -> &Program {
        let text = if self.inverted { bare(&self.text).0 } else { &self.text };
        self.program.get_or_init(|| Box::new(compile(text).expect("checked when it was read")))
    }

    /// Does it match somewhere in `subject`?
    pub fn is_match(&self, subject: &[u8]) -> bool {
        self.program().is_match(subject) != self.inverted
    }

    /// The pattern as written, `!` included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same, to keep.
    pub(super) fn text(&self) -> Text {
        self.text.clone()
    }
}

/// A rule without the `!` that inverts it, and whether there is one.
fn bare(rule: &str) -> (&str, bool) {
    rule.strip_prefix('!').map_or((rule, false), |rest| (rest, true))
}

impl Clone for Pattern {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), program: OnceBox::new(), inverted: self.inverted }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.inverted == other.inverted
    }
}
impl Eq for Pattern {}

fn compile(pattern: &str) -> Result<Program, Error> {
    if pattern.len() > MAX_PATTERN_LEN {
        return Err(Error::TooLarge);
    }
    if let Some(literal) = program::literal(pattern.as_bytes()) {
        return Ok(literal);
    }
    let ast = parse::parse(pattern.as_bytes())?;
    Program::from_ast(&ast)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, subject: &str) -> bool {
        Pattern::rule(pattern).unwrap().is_match(subject.as_bytes())
    }

    #[test]
    fn the_walkthroughs_brackets() {
        // A bracket of `[` and digits, starred, then a literal `]`.
        assert!(matches("^hd[a-z][[0-9]*]", "hda]"));
        assert!(matches("^hd[a-z][[0-9]*]", "hda[12]"));
        assert!(!matches("^hd[a-z][[0-9]*]", "hda"));
        assert!(!matches("^hd[a-z][[0-9]*]", "hda1"));
        assert!(matches("^cciss!c[0-9]d[0-9]*[p[0-9]*]", "cciss!c0d0p1]"));
        assert!(!matches("^cciss!c[0-9]d[0-9]*[p[0-9]*]", "cciss!c0d0"));
        assert!(matches("^(ram|sda|raw|loop|fd|md|dm-|sr|scd|st)[0-9]*", "sda"));
        assert!(matches("^(ram|sda|raw|loop|fd|md|dm-|sr|scd|st)[0-9]*", "sdaa"));
        assert!(!matches("^(ram|sda|raw|loop|fd|md|dm-|sr|scd|st)[0-9]*", "sdb"));
    }

    #[test]
    fn a_bang_inverts_rules_only() {
        assert!(matches("!^sd", "nvme0n1"));
        assert!(!matches("!^sd", "sda"));
        assert!(matches(r"\!x", "a!x"));
        assert!(Pattern::new("!x").unwrap().is_match(b"a!x"));
        assert!(matches("!", "") != matches("", ""));
    }

    #[test]
    fn errors_are_told_apart() {
        let error = |p: &str| Pattern::new(p).unwrap_err();
        assert_eq!(error("(a"), Error::Paren);
        assert_eq!(error("[a"), Error::Bracket);
        assert_eq!(error("[a-"), Error::Bracket);
        assert_eq!(error("a{1"), Error::Brace);
        assert_eq!(error("a{2,1}"), Error::Interval);
        assert_eq!(error("[b-a]"), Error::Range);
        assert_eq!(error("[[:alhpa:]]"), Error::Class);
        assert_eq!(error("[[.space.]]"), Error::Collate);
        assert_eq!(error("*a"), Error::Repeat);
        assert_eq!(error("a\\"), Error::Escape);
        assert_eq!(error(r"(a)\1"), Error::BackReference);
    }

    #[test]
    fn hostile_patterns_are_refused_or_cheap() {
        assert_eq!(Pattern::new("((a{200}){200}){200}"), Err(Error::TooLarge));
        assert_eq!(Pattern::new(&"(".repeat(4000)), Err(Error::TooLarge));
        assert_eq!(Pattern::new(&"a*".repeat(4000)), Err(Error::TooLarge));
        let stars = alloc::format!("a{}", "+*".repeat(2000));
        assert_eq!(Pattern::new(&stars), Err(Error::TooLarge));
        // Exponential for a backtracking matcher.
        let pattern = Pattern::new(&alloc::format!("^{}{}$", "a?".repeat(100), "a".repeat(100))).unwrap();
        assert!(pattern.is_match("a".repeat(100).as_bytes()));
        assert!(!Pattern::new("^(a+)+$").unwrap().is_match(format!("{}b", "a".repeat(2000)).as_bytes()));
    }
}
