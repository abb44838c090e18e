//! Rust source as rules see it: comments and literals blanked, tests told from the product.

/// What stands before an item that is only there in tests.
const TEST: &str = "#[cfg(test)]";

/// One file.
#[derive(Debug)]
pub struct Source {
    /// As it is written.
    pub text: String,
    /// The same, with comments and what is between quotes blanked; every line keeps its place.
    pub code: String,
    /// `code` without what is under `#[cfg(test)]`; empty for a file of tests.
    pub product: String,
}

/// A function: the line its `fn` is on, from 1, and how many lines it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Where it starts.
    pub line: usize,
    /// How long it is, signature and braces included.
    pub lines: usize,
}

impl Source {
    /// Reads a file's text. `is_test`: all of it is tests.
    pub fn new(text: &str, is_test: bool) -> Self {
        let code = blank(text);
        let product = if is_test { String::new() } else { without_tests(&code) };
        Self { text: text.to_string(), code, product }
    }
}

/// Names of the modules that are declared under `#[cfg(test)]`, in files of their own.
pub fn test_modules(code: &str) -> impl Iterator<Item = String> {
    let declared = code.match_indices(TEST).filter_map(|(at, _)| {
        let item = code[at + TEST.len()..].split_once(';')?.0.trim_start();
        let item = item.strip_prefix("pub ").or_else(|| item.strip_prefix("pub(crate) ")).unwrap_or(item);
        item.strip_prefix("mod ")
    });
    declared.filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_')).map(ToString::to_string)
}

/// Lines, from 1, on which a word stands (`_` and digits belong to words), with what follows it.
pub fn word<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).filter_map(move |(at, _)| {
        let after = &code[at + word.len()..];
        let whole = !code[..at].ends_with(is_word) && !after.starts_with(is_word);
        whole.then(|| (line_of(code, at), after))
    })
}

/// The functions that have a body, nested ones too.
pub fn functions(code: &str) -> Vec<Function> {
    let starts = word(code, "fn").filter_map(|(line, after)| {
        let name: String =
            after.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let start = code.len() - after.len();
        let end = if name.is_empty() { None } else { end_of_item(code, start) };
        end.map(|end| Function { name, line, lines: line_of(code, end) - line + 1 })
    });
    starts.collect()
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Where the item that begins before `start` ends: its closing brace, or nothing where it has no
/// body (`;` outside brackets comes first).
fn end_of_item(code: &str, start: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (at, c) in code[start..].char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            '{' => braces += 1,
            '}' if braces <= 1 => return Some(start + at),
            '}' => braces -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Blanks each item under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(TEST) {
        let start = at + TEST.len();
        let end = end_of_item(rest, start)
            .or_else(|| rest[start..].find(';').map(|semicolon| start + semicolon))
            .map_or(rest.len(), |end| end + 1);
        out.push_str(&rest[..at]);
        out.extend(rest[at..end].chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = &rest[end..];
    }
    out + rest
}

/// Blanks comments and the insides of literals.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skip(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// The end of the comment or literal that begins at `at`; `at` itself where none does.
fn skip(chars: &[char], at: usize) -> usize {
    let next = |by: usize| chars.get(at + by).copied();
    match (chars[at], next(1)) {
        ('/', Some('/')) => find(chars, at, |rest| rest.starts_with(&['\n'])),
        ('/', Some('*')) => comment(chars, at),
        ('"', _) => string(chars, at),
        ('r', Some('"' | '#')) if !in_word(chars, at) => raw_string(chars, at).unwrap_or(at),
        ('\'', Some('\\')) => find(chars, at + 3, |rest| rest.starts_with(&['\''])) + 1,
        ('\'', Some(_)) if next(2) == Some('\'') => at + 3,
        _ => at,
    }
}

/// Is this letter the middle of a word? (`b` and `c` go before literals.)
fn in_word(chars: &[char], at: usize) -> bool {
    let before =
        |by: usize| at.checked_sub(by).map(|at| chars[at]).filter(|c| c.is_alphanumeric() || *c == '_');
    match before(1) {
        None => false,
        Some('b' | 'c') => before(2).is_some(),
        Some(_) => true,
    }
}

fn find(chars: &[char], from: usize, found: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|at| found(&chars[*at..])).unwrap_or(chars.len())
}

/// Comments nest.
fn comment(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => (at, depth) = (at + 2, depth + 1),
            ['*', '/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None; // a raw identifier
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    Some((find(chars, open + 1, |rest| rest.starts_with(&close)) + close.len()).min(chars.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        for (text, code) in [
            ("a // { \" \nb", "a \nb"),
            ("a /* { /* } */ { */ b", "a b"),
            (r#"f("{ \" }", x)"#, "f( , x)"),
            (r##"r#"{ " }"# + br"{" + r#fn"##, " + b + r#fn"),
            ("x: &'a str = '{'; '\\''; '\\u{7b}'", "x: &'a str = ; ; "),
            ("for\"{\"", "for "),
            ("\"never closed {", " "),
        ] {
            let blanked = blank(text);
            assert_eq!(blanked.chars().count(), text.chars().count(), "{text}");
            let words: Vec<_> = blanked.split(' ').filter(|word| !word.is_empty()).collect();
            assert_eq!(words, code.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn functions_and_their_length() {
        let code = "trait T {\n    fn none(&self, x: [u8; 2]);\n}\nfn one() {}\npub const fn two<'a>(\n) \
                    -> u8 {\n    if x {\n    }\n    fn inner() {\n    }\n}\nlet f: fn(u8) -> u8;\n";
        let found: Vec<_> = functions(code).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(found, [("one".into(), 4, 1), ("two".into(), 5, 7), ("inner".into(), 9, 2)]);
    }

    #[test]
    fn tests_are_not_the_product() {
        let source = Source::new(
            "#[cfg(test)]\nmod tests;\nuse a;\n#[cfg(test)]\nmod t {\n    use b;\n}\nuse c;",
            false,
        );
        assert_eq!(source.product.split_whitespace().collect::<Vec<_>>(), ["use", "a;", "use", "c;"]);
        assert_eq!(source.product.lines().count(), source.text.lines().count());
        assert_eq!(Source::new("use a;", true).product, "");
        let declared =
            "#[cfg(test)]\nmod a;\nmod b;\n#[cfg(test)]\nmod c { mod d; }\n#[cfg(test)]\npub mod e;";
        assert_eq!(test_modules(declared).collect::<Vec<_>>(), ["a", "e"]);
    }

    #[test]
    fn words_are_whole() {
        let lines = |text: &str| word(text, "unsafe").map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(lines("unsafe_code\nunsafe {\nnot_unsafe (unsafe)"), [2, 3]);
    }
}
