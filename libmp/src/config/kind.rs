//! What a keyword takes: the text of a value → [`Value`], with a remark where it is not as meant.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::diag::{Severity, did_you_mean};
use super::regex::{self, Pattern};

/// Text of a value. That of the built-in table, of which there is much, stays where it is.
pub type Text = Cow<'static, str>;

/// A value, checked and in one of three shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// One of the words that the keyword knows, in its main spelling.
    Word(&'static str),
    /// A number within the keyword's range.
    Number(i64),
    /// Free text.
    Text(Text),
}

impl Value {
    /// The word or text; empty for a number.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Text(text) => text,
            Self::Number(_) => "",
        }
    }

    /// The same, to keep.
    pub(super) fn text(&self) -> Text {
        match self {
            Self::Word(word) => Cow::Borrowed(word),
            Self::Text(text) => text.clone(),
            Self::Number(_) => Text::default(),
        }
    }

    /// Is it what `text` says?
    pub(super) fn is(&self, text: &str) -> bool {
        match self {
            Self::Number(number) => text.parse() == Ok(*number),
            Self::Word(_) | Self::Text(_) => self.as_str() == text,
        }
    }

    /// Does it say anything? (Merging skips empty text.)
    pub fn is_empty_text(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

/// A word that a keyword takes, and its main spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// As written in a file.
    pub text: &'static str,
    /// What it is the same as; itself in most cases.
    pub means: &'static str,
    /// Said in a note when it is used.
    pub old: bool,
    /// What it does; empty where its name says it, or it is another spelling.
    pub doc: &'static str,
}

/// A whole number with a range, perhaps with words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberKind {
    /// Smallest; what is below becomes this.
    pub min: i64,
    /// Largest; what is above becomes this.
    pub max: i64,
    /// Words that may stand in its place.
    pub words: &'static [Word],
    /// 0 is the same as not writing the line.
    pub zero_unsets: bool,
}

/// What a keyword takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One of some words.
    Words(&'static [Word]),
    /// A number.
    Number(NumberKind),
    /// Any text.
    Text,
    /// Text that becomes part of a name: no `/`.
    Name,
    /// The same, or [`NO_DELIMITER`].
    Delimiter,
    /// Words for the kernel, one of which (from 0) says how many follow it.
    Counted(usize),
    /// A regular expression.
    Pattern,
    /// A regular expression that `!` inverts.
    Rule,
    /// Octal permissions.
    Mode,
    /// A number or name of a user.
    User,
    /// A number or name of a group.
    Group,
    /// `file`, or up to 16 hexadecimal digits with an optional `:aptpl`.
    ReservationKey,
    /// `prefix:ATTRIBUTE` words.
    UidAttrs,
    /// A command of old that printed a WWID.
    UidCallout,
}

/// Something to say of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// How bad it is.
    pub severity: Severity,
    /// What is the matter.
    pub message: String,
    /// What to write.
    pub help: Option<String>,
}

/// A value as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// `None`: the line sets nothing.
    pub value: Option<Value>,
    /// Present if there is something to say.
    pub remark: Option<Remark>,
}

impl Reading {
    fn good(value: Value) -> Self {
        Self { value: Some(value), remark: None }
    }
    /// As it stands in the file.
    fn text(text: &str) -> Self {
        Self::good(Value::Text(Cow::Owned(text.to_owned())))
    }
    fn bad(message: String, help: Option<String>) -> Self {
        Self { value: None, remark: Some(Remark { severity: Severity::Error, message, help }) }
    }
    fn but(value: Option<Value>, severity: Severity, message: String, help: Option<String>) -> Self {
        Self { value, remark: Some(Remark { severity, message, help }) }
    }
}

/// The value of `partition_delimiter` that stands for none.
pub const NO_DELIMITER: &str = "/UNSET/";

/// Names of users and groups → numbers; the core can't look into `/etc/passwd` itself.
pub trait Accounts {
    /// Number of the user of that name.
    fn user(&self, name: &str) -> Option<u32>;
    /// Number of the group of that name.
    fn group(&self, name: &str) -> Option<u32>;
}

/// Knows `root` only.
#[derive(Debug, Clone, Copy)]
pub struct RootOnly;

impl Accounts for RootOnly {
    fn user(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }
    fn group(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }
}

impl Kind {
    /// Reads a value.
    pub fn read(self, text: &str, accounts: &dyn Accounts) -> Reading {
        if text.contains('\0') {
            return Reading::bad("a NUL byte in the value".into(), None);
        }
        match self {
            Self::Words(words) => read_word(words, text),
            Self::Number(kind) => read_number(kind, text),
            Self::Delimiter if text == NO_DELIMITER => Reading::text(text),
            Self::Name | Self::Delimiter if text.contains('/') => {
                Reading::bad("`/` can't be part of a name".into(), None)
            }
            Self::Text | Self::Name | Self::Delimiter => Reading::text(text),
            Self::Counted(at) => read_counted(at, text),
            Self::Pattern | Self::Rule if text == "*" => read_star(),
            Self::Pattern => read_pattern(text, Pattern::new(text).err()),
            Self::Rule => read_pattern(text, Pattern::rule(text).err()),
            Self::Mode => read_mode(text),
            Self::User => read_account(text, "user", accounts.user(text)),
            Self::Group => read_account(text, "group", accounts.group(text)),
            Self::ReservationKey => read_reservation_key(text),
            Self::UidAttrs => read_uid_attrs(text),
            Self::UidCallout => read_uid_callout(text),
        }
    }

    /// What [`Self::read`] makes of a text that is known to be good, without a second look at it.
    pub(super) fn take(self, text: &'static str) -> Reading {
        match self {
            Self::Text | Self::Name | Self::Delimiter | Self::Counted(_) | Self::Pattern | Self::Rule => {
                Reading::good(Value::Text(Cow::Borrowed(text)))
            }
            _ => self.read(text, &RootOnly),
        }
    }

    /// Writes a value so that the parser reads it back.
    pub fn write(self, value: &Value, out: &mut String) {
        match (self, value) {
            (Self::Mode, Value::Number(mode)) => drop(write!(out, "0{mode:o}")),
            (_, Value::Number(number)) => drop(write!(out, "{number}")),
            (Self::Number(kind), Value::Word(word)) if kind.words.iter().any(|w| w.text == "off") => {
                out.push_str(word);
            }
            (Self::ReservationKey, Value::Text(key)) => out.push_str(key),
            (_, Value::Word(text)) => quote(text, out),
            (_, Value::Text(text)) => quote(text, out),
        }
    }

    /// What it takes, for the manual and for messages.
    pub fn describe(self) -> String {
        match self {
            Self::Words(words) => words_of(words),
            Self::Number(kind) => {
                let least = if kind.zero_unsets && kind.min == 0 { 1 } else { kind.min };
                let range = match (least, kind.max) {
                    (min, UINT_MAX | INT_MAX) if min > INT_MIN => format!("a number from {min}"),
                    (INT_MIN, INT_MAX) => "a number".to_owned(),
                    (min, max) => format!("a number from {min} to {max}"),
                };
                if kind.words.is_empty() { range } else { format!("{} or {range}", words_of(kind.words)) }
            }
            Self::Text | Self::UidCallout => "text".into(),
            Self::Name => "a name without `/`".into(),
            Self::Delimiter => format!("text without `/`, or `{NO_DELIMITER}`: what kpartx has chosen"),
            Self::Counted(0) => "a count and as many words, in quotes".into(),
            Self::Counted(_) => "a name, a count and as many words, in quotes".into(),
            Self::Pattern => "a POSIX extended regular expression".into(),
            Self::Rule => "a POSIX extended regular expression; a leading `!` inverts it".into(),
            Self::Mode => "octal permissions up to 0777".into(),
            Self::User => "a user's number or name".into(),
            Self::Group => "a group's number or name".into(),
            Self::ReservationKey => "`file` or a hexadecimal number, with an optional `:aptpl`".into(),
            Self::UidAttrs => "`prefix:ATTRIBUTE` words".into(),
        }
    }
}

/// Largest C `int`.
pub const INT_MAX: i64 = i32::MAX as i64;
/// Smallest C `int`.
pub const INT_MIN: i64 = i32::MIN as i64;
/// Largest C `unsigned int`.
pub const UINT_MAX: i64 = u32::MAX as i64;

/// Writes `text` in quotes, each quote in it doubled.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

fn words_of(words: &[Word]) -> String {
    let main: Vec<&str> = words.iter().filter(|w| w.text == w.means).map(|w| w.text).collect();
    main.join(", ")
}

fn find_word(words: &'static [Word], text: &str) -> Option<Reading> {
    let word = words.iter().find(|word| word.text == text)?;
    let value = Value::Word(word.means);
    Some(if word.old {
        let message = format!("`{text}` is an old spelling of `{}`", word.means);
        Reading::but(Some(value), Severity::Note, message, Some(format!("write `{}`", word.means)))
    } else {
        Reading::good(value)
    })
}

fn read_word(words: &'static [Word], text: &str) -> Reading {
    find_word(words, text).unwrap_or_else(|| {
        let truth = match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "enabled" | "enable" => words.iter().find(|w| w.text == "yes" || w.text == "on"),
            "false" | "off" | "disabled" | "disable" => {
                words.iter().find(|w| w.text == "no" || w.text == "off")
            }
            _ => None,
        };
        let guess = truth.map(|w| w.text).or_else(|| did_you_mean(text, words.iter().map(|w| w.text)));
        let message = format!("`{text}` is not one of {}", words_of(words));
        Reading::bad(message, guess.map(|guess| format!("did you mean `{guess}`?")))
    })
}

/// A number as `strtol` reads it: blanks around it, an optional sign, decimal digits.
fn decimal(text: &str) -> Option<i64> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // All digits: the only error left is that there are too many of them.
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if negative { -magnitude } else { magnitude })
}

fn read_number(kind: NumberKind, text: &str) -> Reading {
    if let Some(reading) = find_word(kind.words, text) {
        return reading;
    }
    let Some(number) = decimal(text) else {
        let message = format!("`{text}` is not {}", Kind::Number(kind).describe());
        let guess = did_you_mean(text, kind.words.iter().map(|w| w.text));
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        let help = match guess {
            Some(guess) => Some(format!("did you mean `{guess}`?")),
            None if digits.is_empty() => None,
            None => Some(format!("write `{digits}`: units are not written")),
        };
        return Reading::bad(message, help);
    };
    let capped = number.clamp(kind.min, kind.max);
    if capped == 0 && kind.zero_unsets {
        let message = format!("{number} is the same as nothing: what is set elsewhere holds");
        return Reading::but(None, Severity::Warning, message, None);
    }
    let value = match find_word(kind.words, "infinity") {
        Some(Reading { value: Some(infinity), .. }) if capped == kind.max => infinity,
        _ => Value::Number(capped),
    };
    if capped == number {
        return Reading::good(value);
    }
    let size = if number < capped { "small" } else { "large" };
    let message = format!("{number} is too {size}: {capped} is used");
    Reading::but(Some(value), Severity::Warning, message, None)
}

fn read_counted(at: usize, text: &str) -> Reading {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let Some(count) = words.get(at) else {
        let help = match (at, words.as_slice()) {
            (1, [name]) => Some(format!("write `\"{name} 0\"`")),
            _ => None,
        };
        return Reading::bad("the number of arguments is missing".into(), help);
    };
    let follow = words.len() - at - 1;
    let right = || {
        let mut fixed: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        if count.bytes().all(|b| b.is_ascii_digit()) {
            fixed[at] = follow.to_string();
        } else {
            fixed.insert(at, (follow + 1).to_string());
        }
        Some(format!("write `\"{}\"`", fixed.join(" ")))
    };
    match decimal(count) {
        None => Reading::bad(format!("`{count}` is not the number of arguments"), right()),
        Some(number) if usize::try_from(number) != Ok(follow) => {
            Reading::bad(format!("the count says {number}, and the words after it are {follow}"), right())
        }
        Some(_) => Reading::text(text),
    }
}

/// A shell's pattern, and no expression. It stood for everything in files of the 2010s, whose rules are not to be lost.
fn read_star() -> Reading {
    let message = "`*` alone is no regular expression: `.*` is meant".into();
    Reading::but(Some(Value::Text(".*".into())), Severity::Note, message, Some("write `\".*\"`".into()))
}

fn read_pattern(text: &str, error: Option<regex::Error>) -> Reading {
    let Some(error) = error else { return Reading::text(text) };
    let help = match error {
        regex::Error::Repeat if text.starts_with('*') => {
            Some(format!("a regular expression, not a shell pattern: write `\".{text}\"`"))
        }
        regex::Error::Class => Some("alpha, digit, alnum, upper, lower, space, blank, punct, print, graph, cntrl and xdigit are known".into()),
        _ => None,
    };
    Reading::bad(format!("bad regular expression: {error}"), help)
}

fn read_mode(text: &str) -> Reading {
    match i64::from_str_radix(text.trim(), 8) {
        Ok(mode @ 0..=0o777) => Reading::good(Value::Number(mode)),
        _ => Reading::bad(format!("`{text}` is not {}", Kind::Mode.describe()), None),
    }
}

fn read_account(text: &str, what: &str, known: Option<u32>) -> Reading {
    match known.map(i64::from).or_else(|| decimal(text)) {
        Some(number @ 0..=UINT_MAX) => Reading::good(Value::Number(number)),
        _ => Reading::bad(format!("no {what} `{text}`"), Some(format!("write the {what}'s number"))),
    }
}

fn read_reservation_key(text: &str) -> Reading {
    if text == "file" {
        return Reading::good(Value::Word("file"));
    }
    let (digits, flag) = text.split_once(':').unwrap_or((text, ""));
    let digits = digits.strip_prefix('0').unwrap_or(digits);
    let digits = digits.strip_prefix(['x', 'X']).unwrap_or(digits);
    let sane = !digits.is_empty() && digits.len() <= 16 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    match u64::from_str_radix(digits, 16) {
        Ok(key) if sane && matches!(flag, "" | "aptpl") => {
            let flag = if flag.is_empty() { "" } else { ":aptpl" };
            Reading::good(Value::Text(format!("{key:#x}{flag}").into()))
        }
        _ => Reading::bad(format!("`{text}` is not {}", Kind::ReservationKey.describe()), None),
    }
}

fn read_uid_attrs(text: &str) -> Reading {
    let (good, bad): (Vec<&str>, Vec<&str>) =
        text.split_ascii_whitespace().partition(|word| word.contains(':'));
    let value = Some(Value::Text(good.join(" ").into()));
    match bad.first() {
        None => Reading { value, remark: None },
        Some(word) => Reading::but(
            value,
            Severity::Warning,
            format!("`{word}` is not of the form `prefix:ATTRIBUTE` and is left out"),
            Some(format!("write `\"sd:{word}\"`")),
        ),
    }
}

fn read_uid_callout(text: &str) -> Reading {
    if callout_program(text).is_some_and(|program| matches!(program, "scsi_id" | "dasdinfo")) {
        return Reading::text(text);
    }
    let message = format!(
        "no program is run for the WWID, and what `{text}` prints is not known here: the line has no effect"
    );
    Reading::but(
        None,
        Severity::Warning,
        message,
        Some("write `uid_attribute` with a property of udev".into()),
    )
}

/// The program's name in a command line of old.
pub fn callout_program(command: &str) -> Option<&str> {
    command.split_ascii_whitespace().next()?.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON_OFF: &[Word] = &[
        Word { text: "yes", means: "yes", old: false, doc: "" },
        Word { text: "1", means: "yes", old: false, doc: "" },
        Word { text: "no", means: "no", old: false, doc: "" },
    ];

    fn read(kind: Kind, text: &str) -> Reading {
        kind.read(text, &RootOnly)
    }
    fn value(kind: Kind, text: &str) -> Option<Value> {
        read(kind, text).value
    }
    fn help(kind: Kind, text: &str) -> String {
        read(kind, text).remark.unwrap().help.unwrap_or_default()
    }
    fn number(text: &str) -> Value {
        Value::Text(text.to_owned().into())
    }

    #[test]
    fn words_have_synonyms_and_guesses() {
        let kind = Kind::Words(ON_OFF);
        assert_eq!(value(kind, "1"), Some(Value::Word("yes")));
        assert_eq!(help(kind, "true"), "did you mean `yes`?");
        assert_eq!(help(kind, "yess"), "did you mean `yes`?");
        assert_eq!(value(kind, "YES"), None);
    }

    #[test]
    fn numbers_are_capped_with_a_warning() {
        let kind = Kind::Number(NumberKind { min: 1, max: 10, words: &[], zero_unsets: false });
        assert_eq!(value(kind, " 5 "), Some(Value::Number(5)));
        assert_eq!(value(kind, "99999999999999999999999"), Some(Value::Number(10)));
        assert_eq!(value(kind, "-3"), Some(Value::Number(1)));
        assert_eq!(read(kind, "0").remark.unwrap().severity, Severity::Warning);
        assert_eq!(value(kind, "5s"), None);
        assert_eq!(help(kind, "5s"), "write `5`: units are not written");
        for bad in ["", "-", "+", "0x5", "5 5", "five"] {
            assert_eq!(value(kind, bad), None, "{bad}");
        }
    }

    #[test]
    fn counts_must_be_right() {
        assert_eq!(value(Kind::Counted(1), "round-robin 0"), Some(number("round-robin 0")));
        assert_eq!(value(Kind::Counted(0), "2 pg_init_retries 50"), Some(number("2 pg_init_retries 50")));
        assert_eq!(help(Kind::Counted(1), "round-robin"), "write `\"round-robin 0\"`");
        assert_eq!(help(Kind::Counted(0), "1 pg_init_retries 50"), "write `\"2 pg_init_retries 50\"`");
        assert_eq!(help(Kind::Counted(0), "queue_if_no_path"), "write `\"1 queue_if_no_path\"`");
        assert_eq!(value(Kind::Counted(0), ""), None);
    }

    #[test]
    fn keys_modes_and_accounts() {
        assert_eq!(value(Kind::ReservationKey, "0xABC"), Some(number("0xabc")));
        assert_eq!(value(Kind::ReservationKey, "abc:aptpl"), Some(number("0xabc:aptpl")));
        assert_eq!(value(Kind::ReservationKey, "0x0"), Some(number("0x0")));
        assert_eq!(value(Kind::ReservationKey, "file"), Some(Value::Word("file")));
        for bad in ["", "0", "0x", "xyz", "12345678901234567", "1:foo"] {
            assert_eq!(value(Kind::ReservationKey, bad), None, "{bad}");
        }
        assert_eq!(value(Kind::Mode, "0660"), Some(Value::Number(0o660)));
        assert_eq!(value(Kind::Mode, "1777"), None);
        assert_eq!(value(Kind::User, "root"), Some(Value::Number(0)));
        assert_eq!(value(Kind::User, "33"), Some(Value::Number(33)));
        assert_eq!(value(Kind::Group, "nosuch"), None);
    }

    #[test]
    fn quoting_doubles_quotes() {
        let mut out = String::new();
        quote("a\"b", &mut out);
        assert_eq!(out, "\"a\"\"b\"");
    }
}
