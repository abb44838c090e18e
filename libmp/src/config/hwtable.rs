//! The built-in hardware table and blacklists, in the language of multipath.conf, taken apart when this is compiled: a daemon,
//! and udev's rules at every event, start with it.
//!
//! Compiled is what holds for its text and no other: one keyword or brace a line, values in quotes without quotes in them, or
//! numbers. A test reads it with the parser.

use alloc::string::String;
use alloc::vec::Vec;

use super::diag::Span;
use super::layers::Setting;
use super::options::{KEYS, Key, NAMES, Section};
use super::parser::Block;

/// The text.
pub(super) const TEXT: &str = include_str!("hwtable.conf");
/// Its lines.
static LINES: [Line; count()] = lines();

/// What stands on a line.
#[derive(Clone, Copy)]
enum What {
    /// With so many settings.
    Open(Section, u8),
    Set(Key),
    Close,
}

/// A line of the text.
#[derive(Clone, Copy)]
struct Line {
    what: What,
    /// Where it begins.
    offset: u16,
    /// Where in it the value stands, or the word that opens a section; with the quotes.
    start: u8,
    len: u8,
}

impl Line {
    fn span(self, index: usize) -> Span {
        Span {
            source: 0,
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            line_start: self.offset.into(),
            start: self.start.into(),
            len: self.len.into(),
        }
    }

    /// The value without its quotes.
    fn value(self) -> &'static str {
        let start = usize::from(self.offset) + usize::from(self.start);
        let end = start + usize::from(self.len);
        let quote = usize::from(TEXT.as_bytes()[start] == b'"');
        &TEXT[start + quote..end - quote]
    }
}

/// The blocks of the table; for one vendor: without the `device` entries that are about others.
pub(super) fn blocks(vendor: Option<&[u8]>) -> Vec<Block> {
    let vendor = vendor.map(String::from_utf8_lossy);
    let mut blocks: Vec<Block> = Vec::new();
    let mut at = 0;
    while let Some(line) = LINES.get(at) {
        let What::Open(section, settings) = line.what else {
            at += 1;
            continue;
        };
        let settings = usize::from(settings);
        let inside = &LINES[at + 1..][..settings];
        if vendor.as_ref().is_none_or(|vendor| may_be_of(section, inside, vendor)) {
            let mut block = Block::new(section, line.span(at));
            block.settings.reserve_exact(settings);
            block
                .settings
                .extend((at + 1..).zip(inside).filter_map(|(at, line)| setting(section, at, *line)));
            blocks.push(block);
        }
        at += 1 + settings;
    }
    blocks
}

fn setting(section: Section, index: usize, line: Line) -> Option<Setting> {
    let What::Set(key) = line.what else { return None };
    let value = key.row().kind_in(section).take(line.value()).value?;
    Some(Setting { key, value, span: line.span(index) })
}

/// Can a section be about devices of this vendor? One whose vendor is an expression, and not a word, can.
fn may_be_of(section: Section, inside: &[Line], vendor: &str) -> bool {
    let is_vendor = |line: &&Line| matches!(line.what, What::Set(Key::Vendor));
    let named = inside.iter().find(is_vendor).map(|line| line.value());
    section != Section::Device || named.is_none_or(|pattern| may_match(pattern, vendor))
}

/// Can this expression be found in the name of a vendor? One of its words must stand there; what is made of more than words and
/// a choice of them is let through.
fn may_match(pattern: &str, vendor: &str) -> bool {
    let (pattern, vendor) = (pattern.as_bytes(), vendor.as_bytes());
    let ends = |byte: &u8| matches!(byte, b'^' | b'(' | b'|' | b')');
    let simple = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'_') || ends(byte);
    let mut words = pattern.split(ends).filter(|word| !word.is_empty());
    !pattern.iter().all(simple) || words.any(|word| vendor.windows(word.len()).any(|place| place == word))
}

const fn count() -> usize {
    let (text, mut at, mut lines) = (TEXT.as_bytes(), 0, 0);
    while at < text.len() {
        lines += (text[at] == b'\n') as usize;
        at += 1;
    }
    lines
}

const fn lines() -> [Line; count()] {
    let text = TEXT.as_bytes();
    assert!(text.len() <= u16::MAX as usize, "an offset has sixteen bits");
    let mut lines = [Line { what: What::Close, offset: 0, start: 0, len: 0 }; count()];
    // The sections around a line: two at most; and where the last one was opened.
    let (mut outer, mut inner, mut opened) = (None, None, 0);
    let (mut line, mut offset) = (0, 0);
    while line < lines.len() {
        let end = until(text, offset, b'\n');
        let word = offset + tabs(text, offset);
        let word_end = if text[word] == b'}' { word + 1 } else { until(text, word, b' ') };
        let (what, start, stop) = if text[word] == b'}' {
            match inner {
                Some(_) => inner = None,
                None => outer = None,
            }
            (What::Close, word, word_end)
        } else if text[end - 1] == b'{' {
            let section = section(outer, text, word, word_end);
            match outer {
                None => outer = Some(section),
                Some(_) => inner = Some(section),
            }
            opened = line;
            (What::Open(section, 0), word, word_end)
        } else {
            // Those of a section stand before the sections inside it.
            if let What::Open(section, settings) = lines[opened].what {
                lines[opened].what = What::Open(section, settings + 1);
            }
            (What::Set(key(text, word, word_end)), word_end + 1, end)
        };
        let (offset_bytes, start_bytes) = (offset.to_le_bytes(), (start - offset).to_le_bytes());
        lines[line] = Line {
            what,
            offset: u16::from_le_bytes([offset_bytes[0], offset_bytes[1]]),
            start: start_bytes[0],
            len: (stop - start).to_le_bytes()[0],
        };
        assert!(end - offset <= u8::MAX as usize, "a place in a line has eight bits");
        line += 1;
        offset = end + 1;
    }
    lines
}

/// Where the next such byte is.
const fn until(text: &[u8], mut at: usize, byte: u8) -> usize {
    while text[at] != byte {
        at += 1;
    }
    at
}

const fn tabs(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while text[at] == b'\t' {
        at += 1;
    }
    at - from
}

const fn is(text: &[u8], start: usize, end: usize, word: &str) -> bool {
    let word = word.as_bytes();
    let mut at = 0;
    while at < word.len() && start + at < end && word[at] == text[start + at] {
        at += 1;
    }
    at == word.len() && start + at == end
}

const fn key(text: &[u8], start: usize, end: usize) -> Key {
    let mut at = 0;
    while !is(text, start, end, NAMES[at]) {
        at += 1;
    }
    KEYS[at]
}

const fn section(parent: Option<Section>, text: &[u8], start: usize, end: usize) -> Section {
    let mut at = 0;
    loop {
        let section = Section::ALL[at];
        let fits = match (section.parent(), parent) {
            (None, None) => true,
            (Some(parent), Some(here)) => parent as u8 == here as u8,
            _ => false,
        };
        if fits && is(text, start, end, section.word()) {
            return section;
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diag::Sink;
    use crate::config::kind::RootOnly;
    use crate::config::resolve::PathId;
    use crate::config::settings::{DeviceId, PathSettings};
    use crate::config::{Config, Environment, parser};

    /// What was found when this was compiled is what the parser finds, and it has nothing to say of it.
    #[test]
    fn the_table_is_what_its_text_says() {
        let mut sink = Sink::new(alloc::vec![("built-in", TEXT)]);
        let read = parser::parse(0, TEXT, &RootOnly, &mut sink);
        assert_eq!(sink.finish(), []);
        assert_eq!(blocks(None), read);
        assert!(read.len() > 100);
    }

    fn vendors() -> Vec<String> {
        let all = TEXT.lines().filter_map(|line| line.trim().strip_prefix("vendor \"")?.strip_suffix('"'));
        let mut all: Vec<String> = all
            .flat_map(|v| v.split(['(', ')', '|', '^']))
            .filter(|v| !v.is_empty())
            .map(Into::into)
            .collect();
        all.extend(["Nobody".into(), String::new(), "Linux   ".into(), "NETAPP  ".into()]);
        all.sort();
        all.dedup();
        all
    }

    fn settings(config: &Config, device: DeviceId<'_>) -> PathSettings {
        config.path_settings_for(&PathId { device, devnode: Some("sda"), wwid: None })
    }

    /// Whatever a device is, the excerpt says of it what the whole table says, blacklists included.
    #[test]
    fn an_excerpt_says_the_same() {
        let whole = Config::load(&[]).0;
        for vendor in vendors() {
            for product in ["LUN", "VV", "Universal Xport", "RAID", "1722-600", "x"] {
                let device = DeviceId {
                    vendor: vendor.as_bytes(),
                    product: product.as_bytes(),
                    revision: b"1.0",
                    protocol: "scsi:iscsi",
                };
                let part = Config::load_for(&[], &Environment::default(), &device);
                assert_eq!(settings(&part, device), settings(&whole, device), "{vendor}, {product}");
                assert_eq!(part.knows(&device), whole.knows(&device), "{vendor}, {product}");
                assert!(part.devices.iter().count() < whole.devices.iter().count() / 2, "{vendor}");
            }
        }
    }
}
