//! Syntax tree → states, and their simulation: all states at once, byte by byte.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::parse::{Assertion, Ast, ByteSet, is_word};
use super::{Error, MAX_STATES};

/// Index of a state. `MAX_STATES` fits.
pub(super) type State = u16;

#[derive(Debug, Clone)]
pub(super) enum Op {
    Byte(u8),
    Set(Box<ByteSet>),
    Assert(Assertion),
    Jump(State),
    Split(State, State),
    Match,
}

/// A compiled pattern without its text.
#[derive(Debug, Clone)]
pub(super) enum Program {
    /// Matches every string.
    Always,
    /// Most patterns of the hardware table: one of some pieces of text with `|` between them, perhaps tied to an end.
    Literal { choice: Box<[u8]>, start: bool, end: bool },
    /// The rest.
    States { ops: Box<[Op]>, first: Option<Box<ByteSet>> },
}

/// The program of a pattern that is only text or a choice `(a|b)`, perhaps between `^` and `$`.
pub(super) fn literal(pattern: &[u8]) -> Option<Program> {
    let start = pattern.first() == Some(&b'^');
    let end = pattern.len() > usize::from(start) && pattern.last() == Some(&b'$');
    let text = &pattern[usize::from(start)..pattern.len() - usize::from(end)];
    let plain = |b: &u8| {
        !matches!(b, b'\\' | b'|' | b'*' | b'+' | b'?' | b'{' | b'(' | b')' | b'[' | b'.' | b'^' | b'$')
    };
    let choice = match text {
        [b'(', inside @ .., b')'] if inside.iter().all(|b| *b == b'|' || plain(b)) => inside,
        _ if text.iter().all(plain) => text,
        _ => return None,
    };
    Some(Program::Literal { choice: choice.into(), start, end })
}

impl Program {
    pub(super) fn from_ast(ast: &Ast) -> Result<Self, Error> {
        if matches_empty_anywhere(ast) {
            return Ok(Self::Always);
        }
        if states_of(ast) >= MAX_STATES {
            return Err(Error::TooLarge);
        }
        let mut compiler = Compiler { ops: Vec::new() };
        compiler.emit(ast);
        compiler.ops.push(Op::Match);
        let ops: Box<[Op]> = compiler.ops.into();
        let first = first_bytes(&ops).map(Box::new);
        Ok(Self::States { ops, first })
    }

    pub(super) fn is_match(&self, subject: &[u8]) -> bool {
        match self {
            Self::Always => true,
            Self::Literal { choice, start, end } => {
                choice.split(|b| *b == b'|').any(|text| match (start, end) {
                    (true, true) => subject == text,
                    (true, false) => subject.starts_with(text),
                    (false, true) => subject.ends_with(text),
                    (false, false) => contains(subject, text),
                })
            }
            Self::States { ops, first } => {
                if first.as_ref().is_some_and(|set| !subject.iter().any(|&b| set.contains(b))) {
                    return false;
                }
                simulate(ops, subject)
            }
        }
    }
}

fn contains(subject: &[u8], text: &[u8]) -> bool {
    text.is_empty() || subject.windows(text.len()).any(|window| window == text)
}

/// Can it match without a byte and without an assertion? Then it matches every string.
fn matches_empty_anywhere(ast: &Ast) -> bool {
    match ast {
        Ast::Empty => true,
        Ast::Byte(_) | Ast::Set(_) | Ast::Assert(_) => false,
        Ast::Concat(parts) => parts.iter().all(matches_empty_anywhere),
        Ast::Either(parts) => parts.iter().any(matches_empty_anywhere),
        Ast::Repeat { inner, min, .. } => *min == 0 || matches_empty_anywhere(inner),
    }
}

/// How many states the tree needs, without building them.
fn states_of(ast: &Ast) -> usize {
    match ast {
        Ast::Empty => 0,
        Ast::Byte(_) | Ast::Set(_) | Ast::Assert(_) => 1,
        Ast::Concat(parts) => parts.iter().fold(0, |sum, part| sum.saturating_add(states_of(part))),
        Ast::Either(parts) => parts.iter().fold(0, |sum, part| sum.saturating_add(states_of(part) + 2)),
        Ast::Repeat { inner, min, max } => {
            let copies = (*max).unwrap_or(*min + 1) as usize;
            // At least one per copy: an empty inner must not make a huge count free.
            (states_of(inner).saturating_add(2)).saturating_mul(copies.max(1))
        }
    }
}

struct Compiler {
    ops: Vec<Op>,
}

impl Compiler {
    fn here(&self) -> State {
        State::try_from(self.ops.len()).expect("bounded by MAX_STATES")
    }

    fn emit(&mut self, ast: &Ast) {
        match ast {
            Ast::Empty => {}
            Ast::Byte(byte) => self.ops.push(Op::Byte(*byte)),
            Ast::Set(set) => self.ops.push(Op::Set(set.clone())),
            Ast::Assert(assertion) => self.ops.push(Op::Assert(*assertion)),
            Ast::Concat(parts) => parts.iter().for_each(|part| self.emit(part)),
            Ast::Either(parts) => self.either(parts),
            Ast::Repeat { inner, min, max } => self.repeat(inner, *min, *max),
        }
    }

    fn either(&mut self, parts: &[Ast]) {
        let mut exits = Vec::new();
        let (last, others) = parts.split_last().expect("an alternation has branches");
        for part in others {
            let split = self.ops.len();
            self.ops.push(Op::Match);
            self.emit(part);
            exits.push(self.ops.len());
            self.ops.push(Op::Match);
            self.ops[split] = Op::Split(State::try_from(split + 1).expect("bounded"), self.here());
        }
        self.emit(last);
        let end = self.here();
        for exit in exits {
            self.ops[exit] = Op::Jump(end);
        }
    }

    fn repeat(&mut self, inner: &Ast, min: u32, max: Option<u32>) {
        for _ in 0..min {
            self.emit(inner);
        }
        let split_here = |this: &mut Self| {
            let split = this.ops.len();
            this.ops.push(Op::Match);
            split
        };
        let into = |split: usize| State::try_from(split + 1).expect("bounded by MAX_STATES");
        let Some(max) = max else {
            let split = split_here(self);
            self.emit(inner);
            self.ops.push(Op::Jump(State::try_from(split).expect("bounded by MAX_STATES")));
            self.ops[split] = Op::Split(into(split), self.here());
            return;
        };
        let mut splits = Vec::new();
        for _ in min..max {
            splits.push(split_here(self));
            self.emit(inner);
        }
        let end = self.here();
        for split in splits {
            self.ops[split] = Op::Split(into(split), end);
        }
    }
}

/// The bytes a match can begin with; `None`: it need not have any.
fn first_bytes(ops: &[Op]) -> Option<ByteSet> {
    let mut set = ByteSet::EMPTY;
    let mut seen = vec![false; ops.len()];
    let mut stack = vec![0 as State];
    while let Some(state) = stack.pop() {
        let at = usize::from(state);
        if core::mem::replace(&mut seen[at], true) {
            continue;
        }
        match &ops[at] {
            Op::Byte(byte) => set.insert(*byte),
            Op::Set(bytes) => set.union(bytes),
            Op::Assert(_) => stack.push(state + 1),
            Op::Jump(to) => stack.push(*to),
            Op::Split(a, b) => stack.extend([*a, *b]),
            Op::Match => return None,
        }
    }
    Some(set)
}

/// The states alive at one position.
struct Alive {
    list: Vec<State>,
    seen: Vec<bool>,
    stack: Vec<State>,
}

impl Alive {
    fn new(states: usize) -> Self {
        Self { list: Vec::new(), seen: vec![false; states], stack: Vec::new() }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.seen.fill(false);
    }

    /// Adds `state` and what it leads to without a byte. True: the pattern has matched.
    fn add(&mut self, ops: &[Op], state: State, subject: &[u8], at: usize) -> bool {
        self.stack.push(state);
        while let Some(state) = self.stack.pop() {
            let index = usize::from(state);
            if core::mem::replace(&mut self.seen[index], true) {
                continue;
            }
            match &ops[index] {
                Op::Byte(_) | Op::Set(_) => self.list.push(state),
                Op::Assert(assertion) if holds(*assertion, subject, at) => self.stack.push(state + 1),
                Op::Assert(_) => {}
                Op::Jump(to) => self.stack.push(*to),
                Op::Split(a, b) => self.stack.extend([*b, *a]),
                Op::Match => return true,
            }
        }
        false
    }
}

fn simulate(ops: &[Op], subject: &[u8]) -> bool {
    let mut now = Alive::new(ops.len());
    let mut next = Alive::new(ops.len());
    for at in 0..=subject.len() {
        if now.add(ops, 0, subject, at) {
            return true;
        }
        let Some(&byte) = subject.get(at) else { break };
        for i in 0..now.list.len() {
            let state = now.list[i];
            let takes = match &ops[usize::from(state)] {
                Op::Byte(wanted) => *wanted == byte,
                Op::Set(set) => set.contains(byte),
                _ => false,
            };
            if takes && next.add(ops, state + 1, subject, at + 1) {
                return true;
            }
        }
        core::mem::swap(&mut now, &mut next);
        next.clear();
    }
    false
}

fn holds(assertion: Assertion, subject: &[u8], at: usize) -> bool {
    let before = at > 0 && is_word(subject[at - 1]);
    let after = subject.get(at).is_some_and(|&b| is_word(b));
    match assertion {
        Assertion::Start => at == 0,
        Assertion::End => at == subject.len(),
        Assertion::WordStart => !before && after,
        Assertion::WordEnd => before && !after,
        Assertion::WordEdge => before != after,
        Assertion::NotWordEdge => before == after,
    }
}
