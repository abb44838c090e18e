//! The option part of multipath.conf(5), from the table of options.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::options::{OPTIONS, OptionRow, Section, Status};

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
    say("Takes", &row.kind.describe());
    if let Some(default) = row.default {
        say("Default", &if default.is_empty() { "nothing".to_string() } else { default.to_string() });
    }
    if !row.aliases.is_empty() {
        say("Also called", &row.aliases.join(", "));
    }
    say("In", &sections.join(", "));
    text
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

    #[test]
    fn every_keyword_is_there_once_and_control_characters_are_text() {
        let text = options();
        for row in OPTIONS {
            let heading = format!(".TP\n.B {}\n", escaped(row.name));
            assert_eq!(text.matches(&heading).count(), 1, "{}", row.name);
        }
        assert_eq!(escaped(".x \\ a-b…"), "\\&.x \\e a\\-b\\[u2026]");
    }
}
