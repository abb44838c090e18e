//! Text of a pattern → syntax tree. The grammar is that of glibc's `RE_SYNTAX_POSIX_EXTENDED`:
//! anchors and operators are special wherever they stand, an operator without operand is an error,
//! an unmatched `)` and any `}` are literal, backslash is literal inside brackets.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Error, MAX_DEPTH};

/// Largest number in `{n,m}` (`RE_DUP_MAX`).
const DUP_MAX: u32 = 0x7fff;
/// Longest name inside `[:…:]` (`BRACKET_NAME_BUF_SIZE`).
const NAME_MAX: usize = 32;

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const EMPTY: Self = Self([0; 4]);
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    pub(super) const fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }
    pub(super) fn union(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a |= b;
        }
    }
    fn inverted(self) -> Self {
        Self(self.0.map(|word| !word))
    }
    fn of(keep: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::EMPTY;
        (0..=u8::MAX).filter(|&b| keep(b)).for_each(|b| set.insert(b));
        set
    }
}

/// What must hold between two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assertion {
    Start,
    End,
    WordStart,
    WordEnd,
    WordEdge,
    NotWordEdge,
}

#[derive(Debug)]
pub(super) enum Ast {
    Empty,
    Byte(u8),
    Set(Box<ByteSet>),
    Assert(Assertion),
    Concat(Vec<Ast>),
    Either(Vec<Ast>),
    /// At least `min`, at most `max` times; no `max`: for ever.
    Repeat {
        inner: Box<Ast>,
        min: u32,
        max: Option<u32>,
    },
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// `isspace` of the C locale; Rust's `is_ascii_whitespace` lacks the vertical tab.
fn is_space(byte: u8) -> bool {
    byte == b' ' || (0x09..=0x0d).contains(&byte)
}

pub(super) fn parse(pattern: &[u8]) -> Result<Ast, Error> {
    let mut parser = Parser { pattern, at: 0, token: Token::End, depth: 0 };
    parser.advance();
    let ast = parser.alternatives(0)?;
    debug_assert_eq!(parser.token, Token::End);
    Ok(ast)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    Any,
    /// `\w`, `\W`
    Word(bool),
    /// `\s`, `\S`
    Space(bool),
    Assert(Assertion),
    Star,
    Plus,
    Question,
    OpenBrace,
    CloseBrace,
    OpenParen,
    CloseParen,
    OpenBracket,
    Alternative,
    BackReference,
    TrailingBackslash,
    End,
}

struct Parser<'a> {
    pattern: &'a [u8],
    at: usize,
    token: Token,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.pattern.get(self.at + ahead).copied()
    }

    fn advance(&mut self) {
        let Some(byte) = self.peek(0) else {
            self.token = Token::End;
            return;
        };
        self.at += 1;
        self.token = match byte {
            b'\\' => match self.peek(0) {
                None => Token::TrailingBackslash,
                Some(escaped) => {
                    self.at += 1;
                    escape(escaped)
                }
            },
            b'|' => Token::Alternative,
            b'*' => Token::Star,
            b'+' => Token::Plus,
            b'?' => Token::Question,
            b'{' => Token::OpenBrace,
            b'}' => Token::CloseBrace,
            b'(' => Token::OpenParen,
            b')' => Token::CloseParen,
            b'[' => Token::OpenBracket,
            b'.' => Token::Any,
            b'^' => Token::Assert(Assertion::Start),
            b'$' => Token::Assert(Assertion::End),
            literal => Token::Byte(literal),
        };
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Error::TooLarge) } else { Ok(()) }
    }

    fn ends_branch(&self, groups: u32) -> bool {
        match self.token {
            Token::Alternative | Token::End => true,
            Token::CloseParen => groups > 0,
            _ => false,
        }
    }

    fn alternatives(&mut self, groups: u32) -> Result<Ast, Error> {
        let mut branches = Vec::new();
        loop {
            let mut parts = Vec::new();
            while !self.ends_branch(groups) {
                parts.push(self.expression(groups)?);
            }
            branches.push(match parts.len() {
                0 => Ast::Empty,
                1 => parts.remove(0),
                _ => Ast::Concat(parts),
            });
            if self.token != Token::Alternative {
                break;
            }
            self.advance();
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { Ast::Either(branches) })
    }

    fn expression(&mut self, groups: u32) -> Result<Ast, Error> {
        let mut ast = match self.token {
            Token::Byte(byte) => Ast::Byte(byte),
            Token::CloseParen => Ast::Byte(b')'),
            Token::CloseBrace => Ast::Byte(b'}'),
            Token::Any => Ast::Set(Box::new(ByteSet::ALL)),
            Token::Word(wanted) => Ast::Set(Box::new(ByteSet::of(|b| is_word(b) == wanted))),
            Token::Space(wanted) => Ast::Set(Box::new(ByteSet::of(|b| is_space(b) == wanted))),
            Token::Assert(assertion) => {
                // Can't be repeated: an operator that follows has nothing before it.
                self.advance();
                return Ok(Ast::Assert(assertion));
            }
            Token::OpenBracket => Ast::Set(Box::new(self.bracket()?)),
            Token::OpenParen => self.group(groups)?,
            Token::Star | Token::Plus | Token::Question | Token::OpenBrace => return Err(Error::Repeat),
            Token::BackReference => return Err(Error::BackReference),
            Token::TrailingBackslash => return Err(Error::Escape),
            Token::Alternative | Token::End => return Ok(Ast::Empty),
        };
        self.advance();
        let outer_depth = self.depth;
        loop {
            let (min, max) = match self.token {
                Token::Star => (0, None),
                Token::Plus => (1, None),
                Token::Question => (0, Some(1)),
                Token::OpenBrace => self.interval()?,
                _ => break,
            };
            self.advance();
            self.deeper()?;
            ast = match (min, max) {
                (0, Some(0)) => Ast::Empty,
                (1, Some(1)) => ast,
                _ => Ast::Repeat { inner: Box::new(ast), min, max },
            };
        }
        self.depth = outer_depth;
        Ok(ast)
    }

    /// After `(`; leaves `)` as the current token.
    fn group(&mut self, groups: u32) -> Result<Ast, Error> {
        self.deeper()?;
        self.advance();
        let inner = self.alternatives(groups + 1)?;
        if self.token != Token::CloseParen {
            return Err(Error::Paren);
        }
        self.depth -= 1;
        Ok(inner)
    }

    /// After `{`; leaves `}` as the current token.
    fn interval(&mut self) -> Result<(u32, Option<u32>), Error> {
        let first = self.number()?;
        let min = match (first, self.token) {
            (Some(min), _) => min,
            (None, Token::Byte(b',')) => 0,
            (None, _) => return Err(Error::Interval),
        };
        let max = match self.token {
            Token::CloseBrace => Some(min),
            _ => self.number()?,
        };
        if self.token != Token::CloseBrace || max.is_some_and(|max| min > max) {
            return Err(Error::Interval);
        }
        if max.unwrap_or(min) > DUP_MAX {
            return Err(Error::TooLarge);
        }
        Ok((min, max))
    }

    /// Digits up to `,` or `}`, which becomes the current token; `None`: there were none.
    fn number(&mut self) -> Result<Option<u32>, Error> {
        let mut number = None;
        let mut valid = true;
        loop {
            self.advance();
            match self.token {
                Token::End | Token::TrailingBackslash => return Err(Error::Brace),
                Token::CloseBrace | Token::Byte(b',') if valid => return Ok(number),
                Token::CloseBrace | Token::Byte(b',') => return Err(Error::Interval),
                Token::Byte(digit @ b'0'..=b'9') => {
                    let sum = number.unwrap_or(0) * 10 + u32::from(digit - b'0');
                    number = Some(sum.min(DUP_MAX + 1));
                }
                _ => valid = false,
            }
        }
    }

    /// After `[`; the next [`Self::advance`] reads what follows `]`.
    fn bracket(&mut self) -> Result<ByteSet, Error> {
        let mut set = ByteSet::EMPTY;
        let inverted = self.peek(0) == Some(b'^');
        self.at += usize::from(inverted);
        let mut first = true;
        loop {
            if self.peek(0).is_none() {
                return Err(Error::Bracket);
            }
            if self.peek(0) == Some(b']') && !first {
                self.at += 1;
                break;
            }
            let element = self.bracket_element(first)?;
            first = false;
            match element {
                Element::Class(class) => set.union(&class),
                Element::Equivalent(byte) => set.insert(byte),
                Element::Byte(byte) if !self.range_follows() => set.insert(byte),
                Element::Byte(start) => {
                    self.at += 1;
                    let Element::Byte(end) = self.bracket_element(true)? else { return Err(Error::Range) };
                    if start > end {
                        return Err(Error::Range);
                    }
                    (start..=end).for_each(|b| set.insert(b));
                }
            }
        }
        Ok(if inverted { set.inverted() } else { set })
    }

    /// Is the next byte a `-` between two ends?
    fn range_follows(&self) -> bool {
        self.peek(0) == Some(b'-')
            && !matches!(self.peek(1), None | Some(b']'))
            // `---` is a single minus, as glibc has it since 2.37.
            && !(self.peek(1) == Some(b'-') && self.peek(2) == Some(b'-'))
    }

    fn bracket_element(&mut self, hyphen_allowed: bool) -> Result<Element, Error> {
        let byte = self.peek(0).ok_or(Error::Bracket)?;
        self.at += 1;
        match (byte, self.peek(0)) {
            (b'[', Some(delimiter @ (b'.' | b'=' | b':'))) => {
                self.at += 1;
                self.bracket_symbol(delimiter)
            }
            (b'-', Some(b'-')) if self.peek(1) == Some(b'-') => {
                self.at += 2;
                Ok(Element::Byte(b'-'))
            }
            (b'-', None) => Err(Error::Bracket),
            (b'-', next) if !hyphen_allowed && next != Some(b']') => Err(Error::Range),
            _ => Ok(Element::Byte(byte)),
        }
    }

    /// After `[.`, `[=` or `[:`.
    fn bracket_symbol(&mut self, delimiter: u8) -> Result<Element, Error> {
        let rest = &self.pattern[self.at..];
        let len = rest
            .windows(2)
            .take(NAME_MAX)
            .position(|pair| pair == [delimiter, b']'])
            .ok_or(Error::Bracket)?;
        let name = &rest[..len];
        self.at += len + 2;
        match (delimiter, name) {
            (b':', name) => Ok(Element::Class(class(name).ok_or(Error::Class)?)),
            (b'=', &[byte]) => Ok(Element::Equivalent(byte)),
            (b'.', &[byte]) => Ok(Element::Byte(byte)),
            _ => Err(Error::Collate),
        }
    }
}

enum Element {
    Byte(u8),
    /// `[=a=]`: itself, but no end of a range.
    Equivalent(u8),
    Class(ByteSet),
}

fn escape(byte: u8) -> Token {
    match byte {
        b'1'..=b'9' => Token::BackReference,
        b'<' => Token::Assert(Assertion::WordStart),
        b'>' => Token::Assert(Assertion::WordEnd),
        b'b' => Token::Assert(Assertion::WordEdge),
        b'B' => Token::Assert(Assertion::NotWordEdge),
        b'`' => Token::Assert(Assertion::Start),
        b'\'' => Token::Assert(Assertion::End),
        b'w' => Token::Word(true),
        b'W' => Token::Word(false),
        b's' => Token::Space(true),
        b'S' => Token::Space(false),
        literal => Token::Byte(literal),
    }
}

fn class(name: &[u8]) -> Option<ByteSet> {
    let keep: fn(u8) -> bool = match name {
        b"alnum" => |b| b.is_ascii_alphanumeric(),
        b"alpha" => |b| b.is_ascii_alphabetic(),
        b"blank" => |b| b == b' ' || b == b'\t',
        b"cntrl" => |b| b.is_ascii_control(),
        b"digit" => |b| b.is_ascii_digit(),
        b"graph" => |b| b.is_ascii_graphic(),
        b"lower" => |b| b.is_ascii_lowercase(),
        b"print" => |b| b == b' ' || b.is_ascii_graphic(),
        b"punct" => |b| b.is_ascii_punctuation(),
        b"space" => is_space,
        b"upper" => |b| b.is_ascii_uppercase(),
        b"xdigit" => |b| b.is_ascii_hexdigit(),
        _ => return None,
    };
    Some(ByteSet::of(keep))
}
