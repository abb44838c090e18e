//! `fix`: a file's old keywords and values, rewritten to today's. Comments and layout stay.
//!
//! What has another name gets it, what has a successor becomes that, and a line without effect becomes a
//! comment. Lines that are wrong are left to their writer.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::diag::{Diagnostic, Severity};
use super::edit;
use super::kind::{RootOnly, callout_program};
use super::legacy;
use super::lexer::{self, Token, TokenKind};
use super::options::{Key, OptionRow, Section, Status, is_quiet_alias};

/// A piece of text to be replaced: offsets in the source, and what comes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: String,
}

/// `keyword value` as it stands in a section.
pub(super) struct Item<'t> {
    /// Which of the file's blocks.
    block: usize,
    pub(super) section: Section,
    pub(super) row: &'static OptionRow,
    word: &'t str,
    /// Offsets of the keyword, and of the value with its quotes.
    pub(super) at: (usize, usize),
    pub(super) value_at: (usize, usize),
    pub(super) value: String,
    /// Nothing else stands on its line, but for a comment.
    alone: bool,
}

/// What was found in a file.
#[derive(Default)]
pub(super) struct Found<'t> {
    pub(super) items: Vec<Item<'t>>,
    edits: Vec<Edit>,
    /// Sections, and the offset after the brace of each.
    pub(super) opened: Vec<(Section, usize)>,
}

/// The text of a file with today's keywords. `said` is what a load of all files said: a file that is of a
/// time when every disk was taken goes on to take them.
pub fn fix(name: &str, text: &str, said: &[Diagnostic]) -> String {
    let mut found = walk(text);
    let edits: Vec<Edit> = found.items.iter().filter_map(|item| rewrite(item, &found.items)).collect();
    found.edits.extend(edits);
    let fixed = apply(text, found.edits);
    if said.iter().any(|one| one.code == "old-file" && one.source == name) {
        return edit::insert(&fixed, Section::Defaults, Key::FindMultipaths, "greedy");
    }
    fixed
}

/// The blanks before the first line below.
pub(super) fn indent(text: &str, at: usize) -> String {
    let below = text[at..].lines().skip(1).find(|line| !line.trim().is_empty()).unwrap_or("\t");
    let blanks: String = below.chars().take_while(|c| *c == ' ' || *c == '\t').collect();
    if blanks.is_empty() { "\t".to_string() } else { blanks }
}

pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for edit in edits {
        out += &text[from..edit.start];
        out += &edit.text;
        from = edit.end;
    }
    out + &text[from..]
}

/// What becomes of one setting.
fn rewrite(item: &Item<'_>, all: &[Item<'_>]) -> Option<Edit> {
    let set_otherwise = |key: Key| {
        all.iter()
            .any(|other| other.block == item.block && other.row.key == key && other.word == key.row().name)
    };
    let replace = |key: Key, value: &str| {
        if set_otherwise(key) { comment_out(item) } else { Some(instead(item, key.row().name, value)) }
    };
    match item.row.status {
        Status::Ignored(_) => comment_out(item),
        Status::PrioCallout(_) => replace(Key::Prio, legacy::prio_of_callout(&item.value)?),
        Status::Deprecated(_) if item.row.key == Key::GetuidCallout => {
            let attribute = match callout_program(&item.value)? {
                "scsi_id" => "ID_SERIAL",
                "dasdinfo" => "ID_UID",
                _ => return None,
            };
            replace(Key::UidAttribute, attribute)
        }
        Status::Deprecated(_) | Status::Unsupported(_) | Status::Needless(_) => None,
        Status::Current => {
            let is_old = item.word != item.row.name && !is_quiet_alias(item.word);
            if is_old && set_otherwise(item.row.key) {
                return comment_out(item);
            }
            let reading = item.row.kind_in(item.section).read(&item.value, &RootOnly);
            let is_note = reading.remark.is_some_and(|remark| remark.severity == Severity::Note);
            let today = match reading.value {
                Some(value) if is_note => Some(value.text()),
                _ => None,
            };
            let name = if is_old { item.row.name } else { item.word };
            let value = today.as_deref().unwrap_or(&item.value);
            (is_old || today.is_some()).then(|| instead(item, name, value))
        }
    }
}

/// A line without effect stays to be read.
fn comment_out(item: &Item<'_>) -> Option<Edit> {
    let at = item.at.0;
    item.alone.then(|| Edit { start: at, end: at, text: "# ".into() })
}

/// Another keyword and value. Where blanks line up the values, they go on to.
pub(super) fn instead(item: &Item<'_>, name: &str, value: &str) -> Edit {
    let column = item.value_at.0 - item.at.0;
    let gap = item.value_at.0 - item.at.1;
    let blanks = if gap > 1 { column.saturating_sub(name.len()).max(1) } else { 1 };
    let quoted = item.value_at.1 - item.value_at.0 > item.value.len() || value.contains(' ');
    let mark = if quoted { "\"" } else { "" };
    let text = format!("{name}{}{mark}{}{mark}", " ".repeat(blanks), value.replace('"', "\"\""));
    Edit { start: item.at.0, end: item.value_at.1, text }
}

/// Finds settings and sections, as the parser does where nothing is wrong.
pub(super) fn walk(text: &str) -> Found<'_> {
    let mut found = Found::default();
    let (mut stack, mut block): (Vec<(Option<Section>, usize)>, usize) = (Vec::new(), 0);
    let mut due: Option<Option<Section>> = None;
    let mut tokens = Vec::new();
    for line in lexer::lines(text) {
        lexer::tokens(line.text, &mut tokens);
        let start = line.start as usize;
        let place = |token: &Token<'_>| (start + token.start, start + token.start + token.len);
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match &token.kind {
                TokenKind::Open => {
                    let section = due.take().flatten();
                    block += 1;
                    stack.push((section, block));
                    found.opened.extend(section.map(|section| (section, place(token).1)));
                }
                TokenKind::Close => drop(stack.pop()),
                TokenKind::Quoted { .. } => {}
                TokenKind::Word(word) => {
                    let (section, block) = stack.last().copied().unwrap_or((None, 0));
                    let opens = if stack.is_empty() || section.is_some() {
                        Section::open(section, word)
                    } else {
                        None
                    };
                    let next = tokens.get(at);
                    if next.is_none_or(|next| next.kind == TokenKind::Open) {
                        due = Some(opens);
                        if *word == "devnode_blacklist" && opens.is_some() {
                            let (start, end) = place(token);
                            found.edits.push(Edit { start, end, text: "blacklist".into() });
                        }
                        continue;
                    }
                    let (Some(section), Some(next)) = (section, next) else { continue };
                    let value = match &next.kind {
                        TokenKind::Word(value) => (*value).to_string(),
                        TokenKind::Quoted { text, closed: true } => text.to_string(),
                        _ => continue,
                    };
                    let (alone, item_at) = (tokens.len() == 2, at);
                    at += 1;
                    let Some(row) = legacy::find(word).filter(|row| row.sections.contains(section)) else {
                        continue;
                    };
                    let (keyword, value_at) = (place(token), place(&tokens[item_at]));
                    found.items.push(Item { block, section, row, word, at: keyword, value_at, value, alone });
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};

    fn fixed(text: &str) -> String {
        let (_, said) = Config::load(&[Source { name: "f", text }]);
        fix("f", text, &said)
    }

    #[test]
    fn a_file_of_the_2010s() {
        let old = "\
# ours
defaults {
    udev_dir                /dev
    polling_interval        5   # seconds
    selector                \"round-robin 0\"
    getuid_callout          \"/lib/udev/scsi_id --whitelisted --device=/dev/%n\"
    prio_callout            /bin/true
    path_checker            hp_tur
    prio                    const
    rr_min_io               100
    flush_on_last_del       yes
}
devnode_blacklist {
    devnode \"^hd\"
}
";
        let new = "\
# ours
defaults {
    find_multipaths greedy
    # udev_dir                /dev
    polling_interval        5   # seconds
    path_selector           \"round-robin 0\"
    uid_attribute           \"ID_SERIAL\"
    # prio_callout            /bin/true
    path_checker            tur
    prio                    const
    # rr_min_io               100
    flush_on_last_del       always
}
blacklist {
    devnode \"^hd\"
}
";
        assert_eq!(fixed(old), new);
        assert_eq!(fixed(new), new);
        let (_, said) = Config::load(&[Source { name: "f", text: new }]);
        assert_eq!(said, []);
    }

    #[test]
    fn what_is_of_today_stays_as_it_is() {
        for text in [
            "",
            "# nothing\n",
            "defaults { prio alua }\nblacklist\n{\n\tdevnode \"!^sd\" ! c\n}",
            "defaults {\n bogus selector\n prio\n}}\n{ selector x }\n",
            "defaults {\r\n prio alua\r\n}\r\n",
        ] {
            assert_eq!(fixed(text), text);
        }
    }

    #[test]
    fn single_lines() {
        for (old, new) in [
            ("defaults { selector \"round-robin 0\" }\n", "defaults { path_selector \"round-robin 0\" }\n"),
            ("blacklist {\n wwid \"*\"\n devnode *\n}\n", "blacklist {\n wwid \".*\"\n devnode .*\n}\n"),
            // Another line says it already.
            (
                "defaults {\n selector \"a 0\"\n path_selector \"b 0\"\n}\n",
                "defaults {\n # selector \"a 0\"\n path_selector \"b 0\"\n}\n",
            ),
            // Not alone on its line: left as it is.
            ("defaults { rr_min_io 5 }\n", "defaults { rr_min_io 5 }\n"),
            // What is new needs a line of its own, wherever the file ends.
            (
                "defaults { prio_callout /bin/true failback 5 }\n",
                "defaults {\n\tfind_multipaths greedy\n prio const failback 5 }\n",
            ),
            (
                "blacklist {\n}\ndevices {\n device {\n  vendor A\n  product B\n  prio_callout /bin/true\n }\n}\n# vim: ts=4",
                "blacklist {\n}\ndevices {\n device {\n  vendor A\n  product B\n  prio const\n }\n}\n# vim: ts=4\ndefaults {\n\tfind_multipaths greedy\n}\n",
            ),
            // No successor is known.
            (
                "defaults {\n getuid_callout /bin/own\n find_multipaths on\n}\n",
                "defaults {\n getuid_callout /bin/own\n find_multipaths on\n}\n",
            ),
            (
                "devices {\n device {\n  vendor A\n  product B\n  prio_callout \"/sbin/mpath_prio_alua /dev/%n\"\n }\n}\n",
                "devices {\n device {\n  vendor A\n  product B\n  prio \"alua\"\n }\n}\ndefaults {\n\tfind_multipaths greedy\n}\n",
            ),
        ] {
            assert_eq!(fixed(old), new, "{old}");
        }
    }
}
