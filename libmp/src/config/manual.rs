//! The option part of multipath.conf(5), from the table of options.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::kind::{Kind, Word};
use super::options::{Key, OPTIONS, OptionRow, Section, Status};
use super::resolve::prioritizer;
use crate::prio::args;

/// Every keyword of today with its sections, what it takes, its default and what it is for; then those
/// of earlier releases with what to write in their place. In man(7), a paragraph (`.TP`) each.
pub fn options() -> String {
    let is_current = |row: &&OptionRow| row.status.is_current();
    let mut rows: Vec<&OptionRow> = OPTIONS.iter().collect();
    rows.sort_by_key(|row| row.name);
    let current: String = rows.iter().copied().filter(is_current).map(paragraph).collect();
    let old: String = rows.iter().copied().filter(|row| !is_current(row)).map(paragraph).collect();
    format!(".SS Keywords\n{current}.SS Keywords of earlier releases\n{old}")
}

fn paragraph(row: &OptionRow) -> String {
    let sections: Vec<&str> = row.sections.iter().map(Section::path).collect();
    let mut text = format!(".TP\n.B {}\n{}\n", escaped(row.name), escaped(row.doc));
    let mut say = |what: &str, how: &str| {
        text.push_str(".br\n");
        text.push_str(&escaped(&format!("{what}: {how}.")));
        text.push('\n');
    };
    match row.status {
        Status::Current => {}
        Status::Deprecated(note) | Status::PrioCallout(note) => say("Today", note),
        Status::Unsupported(why) | Status::Needless(why) | Status::Ignored(why) => say("Without effect", why),
    }
    for (sections, what) in takes(row) {
        let heading = if sections.is_empty() { "Takes".into() } else { format!("Takes in {sections}") };
        say(&heading, &what);
    }
    if matches!(row.kind, Kind::Number(kind) if kind.zero_unsets) {
        say("0", "as if the line were not there");
    }
    if let Some(synonyms) = synonyms(row) {
        say("Also taken", &synonyms);
    }
    if let Some(default) = row.default {
        say("Default", &if default.is_empty() { "nothing".to_string() } else { default.to_string() });
    }
    if !row.aliases.is_empty() {
        say("Also called", &row.aliases.join(", "));
    }
    say("In", &sections.join(", "));
    text + &meanings(row)
}

/// What it takes, and in which sections; no section where all take the same.
fn takes(row: &OptionRow) -> Vec<(String, String)> {
    let mut kinds: Vec<(Vec<&str>, String)> = Vec::new();
    for section in row.sections.iter() {
        let what = row.kind_in(section).describe();
        match kinds.iter_mut().find(|(_, other)| *other == what) {
            Some((sections, _)) => sections.push(section.path()),
            None => kinds.push(([section.path()].into(), what)),
        }
    }
    let alike = kinds.len() == 1;
    let named = |sections: Vec<&str>| if alike { String::new() } else { sections.join(", ") };
    kinds.into_iter().map(|(sections, what)| (named(sections), what)).collect()
}

fn words_of(row: &OptionRow) -> &'static [Word] {
    match row.kind {
        Kind::Words(words) => words,
        Kind::Number(kind) => kind.words,
        _ => &[],
    }
}

/// Other spellings of words that are not explained.
fn synonyms(row: &OptionRow) -> Option<String> {
    let words = words_of(row);
    let is_explained = |text| words.iter().any(|word| word.text == text && !word.doc.is_empty());
    let others = words.iter().filter(|word| word.text != word.means && !is_explained(word.means));
    let others: Vec<String> = others.map(|word| format!("{} for {}", word.text, word.means)).collect();
    (!others.is_empty()).then(|| others.join(", "))
}

/// What each word means, with its other spellings.
fn meanings(row: &OptionRow) -> String {
    let words = words_of(row);
    let explained: Vec<&Word> = words.iter().filter(|word| !word.doc.is_empty()).collect();
    if explained.is_empty() {
        return String::new();
    }
    let mut text = String::from(".RS\n");
    for word in explained {
        let spellings: Vec<&str> = words.iter().filter(|w| w.means == word.text).map(|w| w.text).collect();
        let form = match row.key {
            Key::Prio => args::form(prioritizer(word.text)),
            _ => None,
        };
        let form = form.map_or_else(String::new, |form| format!(" Its prio_args: {form}."));
        let _ = write!(
            text,
            ".IP \"{}\" 4\n{}\n",
            escaped(&spellings.join(", ")),
            escaped(&format!("{}.{form}", word.doc))
        );
    }
    text + ".RE\n"
}

/// As text in man(7): no line begins with a control character, dashes stay dashes, and what is not
/// ASCII is named by its number.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            c if c.is_ascii() => out.push(c),
            c => {
                let _ = write!(out, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    let text = out;
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::words::YES_NO_WORDS;

    #[test]
    fn every_keyword_is_there_once_and_control_characters_are_text() {
        let text = options();
        for row in OPTIONS {
            let heading = format!(".TP\n.B {}\n", escaped(row.name));
            assert_eq!(text.matches(&heading).count(), 1, "{}", row.name);
        }
        assert_eq!(escaped(".x \\ a-b…"), "\\&.x \\e a\\-b\\[u2026]");
    }

    #[test]
    fn what_a_keyword_takes_is_what_the_parser_takes_there() {
        for row in OPTIONS {
            let text = paragraph(row);
            for section in row.sections.iter() {
                let takes = |line: &&str| {
                    line.strip_prefix("Takes").is_some_and(|line| {
                        let (sections, _) = line.split_once(": ").unwrap_or_default();
                        let sections = sections.strip_prefix(" in ").unwrap_or(sections);
                        sections.is_empty() || sections.split(", ").any(|one| one == section.path())
                    })
                };
                let lines: Vec<&str> = text.lines().filter(takes).collect();
                let what = format!(": {}.", escaped(&row.kind_in(section).describe()));
                assert!(lines.len() == 1 && lines[0].ends_with(&what), "{} {section:?}: {lines:?}", row.name);
            }
        }
    }

    #[test]
    fn words_are_explained_and_all_their_spellings_are_there() {
        for row in OPTIONS {
            let Kind::Words(words) = row.kind else { continue };
            let text = paragraph(row);
            for word in words {
                let is_main = word.text == word.means;
                assert!(
                    !is_main || !word.doc.is_empty() || words == YES_NO_WORDS,
                    "{} {}",
                    row.name,
                    word.text
                );
                let is_there =
                    text.split([' ', '"', ',', '.', '\n']).any(|there| there == escaped(word.text));
                assert!(is_there, "{} {}", row.name, word.text);
            }
        }
    }
}
