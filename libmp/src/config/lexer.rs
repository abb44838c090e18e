//! Lines → tokens. The language is line oriented: a keyword and one value, or a brace.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    /// Text without quotes.
    Word(&'a str),
    /// Text in quotes, each `""` in it made one quote.
    Quoted { text: Cow<'a, str>, closed: bool },
    /// `{`
    Open,
    /// `}`
    Close,
}

/// A piece of a line, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    /// Offset in the line, in bytes.
    pub(super) start: usize,
    /// Length in bytes, quotes included.
    pub(super) len: usize,
}

/// A line without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u32,
    /// Offset in the source, in bytes.
    pub(super) start: u32,
    pub(super) text: &'a str,
}

/// The lines of a source.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    text.split('\n').zip(1..).map(move |(line, number)| {
        let this = Line { number, start, text: line.strip_suffix('\r').unwrap_or(line) };
        start = start.saturating_add(u32::try_from(line.len() + 1).unwrap_or(u32::MAX));
        this
    })
}

/// Outside quotes everything that is not ASCII separates words too.
fn separates(byte: u8) -> bool {
    !byte.is_ascii() || matches!(byte, b' ' | b'\t'..=b'\r' | 0)
}

/// The tokens of a line, up to a comment. `out` is emptied first.
pub(super) fn tokens<'a>(line: &'a str, out: &mut Vec<Token<'a>>) {
    out.clear();
    let mut at = 0;
    loop {
        at += line.bytes().skip(at).take_while(|byte| separates(*byte)).count();
        let rest = &line[at..];
        let (kind, len) = match rest.as_bytes().first() {
            None | Some(b'!' | b'#') => return,
            Some(b'{') => (TokenKind::Open, 1),
            Some(b'}') => (TokenKind::Close, 1),
            Some(b'"') => quoted(rest),
            Some(_) => {
                let ends = |byte| separates(byte) || matches!(byte, b'!' | b'#' | b'{' | b'}' | b'"');
                let len = rest.bytes().position(ends).unwrap_or(rest.len());
                (TokenKind::Word(&rest[..len]), len)
            }
        };
        out.push(Token { kind, start: at, len });
        at += len;
    }
}

/// The quoted text at the start of `rest`, and its length with the quotes.
fn quoted(rest: &str) -> (TokenKind<'_>, usize) {
    let bytes = rest.as_bytes();
    let mut at = 1;
    let mut doubled = false;
    let closed = loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (None, _) => break false,
            (Some(b'"'), Some(b'"')) => {
                doubled = true;
                at += 2;
            }
            (Some(b'"'), _) => break true,
            _ => at += 1,
        }
    };
    let text = &rest[1..at];
    let text = if doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { Cow::Borrowed(text) };
    (TokenKind::Quoted { text, closed }, at + usize::from(closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(line: &str) -> Vec<String> {
        let mut found = Vec::new();
        tokens(line, &mut found);
        found
            .into_iter()
            .map(|token| match token.kind {
                TokenKind::Word(text) => text.to_owned(),
                TokenKind::Quoted { text, closed: true } => format!("<{text}>"),
                TokenKind::Quoted { text, closed: false } => format!("<{text}"),
                TokenKind::Open => "{".to_owned(),
                TokenKind::Close => "}".to_owned(),
            })
            .collect()
    }

    #[test]
    fn words_quotes_braces_comments() {
        assert_eq!(show("  prio alua # x"), ["prio", "alua"]);
        assert_eq!(show("defaults{"), ["defaults", "{"]);
        assert_eq!(show("a!b"), ["a"]);
        assert_eq!(show("! a"), [""; 0]);
        assert_eq!(show("devnode \"!^sd #\" ! c"), ["devnode", "<!^sd #>"]);
        assert_eq!(show("a\"b\"c"), ["a", "<b>", "c"]);
        assert_eq!(show("product \"ProDisk 3\"\" x\""), ["product", "<ProDisk 3\" x>"]);
        assert_eq!(show("a \"\""), ["a", "<>"]);
        assert_eq!(show("a \"\" b"), ["a", "<>", "b"]);
        assert_eq!(show("a \"\"\"b\""), ["a", "<\"b>"]);
        assert_eq!(show("a \"b { }"), ["a", "<b { }"]);
        assert_eq!(show("prio\u{e9}alua\u{a0}x"), ["prio", "alua", "x"]);
        assert_eq!(show("a \"\u{e9}\""), ["a", "<\u{e9}>"]);
    }

    #[test]
    fn lines_know_where_they_are() {
        let found: Vec<_> = lines("a\r\nb\n").collect();
        assert_eq!(found[0], Line { number: 1, start: 0, text: "a" });
        assert_eq!(found[1], Line { number: 2, start: 3, text: "b" });
        assert_eq!(found[2], Line { number: 3, start: 5, text: "" });
    }
}
