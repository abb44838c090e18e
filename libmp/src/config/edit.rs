//! Single settings of a file, changed in place. Comments and layout stay; what doesn't change stays byte for byte.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::fix::{Edit, Item, apply, indent, instead, walk};
use super::options::{Key, Section};

/// The values of a keyword in the sections of one kind, as they stand in the file.
pub fn values(text: &str, section: Section, key: Key) -> Vec<String> {
    items(&walk(text).items, section, key).map(|item| item.value.clone()).collect()
}

/// Gives a keyword a value: where it stands for the last time, which is the one that holds; else in the first section of
/// that kind; else in a new one.
#[must_use]
pub fn set(text: &str, section: Section, key: Key, value: &str) -> String {
    match items(&walk(text).items, section, key).last() {
        Some(item) if item.value == value => text.to_string(),
        Some(item) => apply(text, [instead(item, item.row.name, value)].into()),
        None => insert(text, section, key, value),
    }
}

/// Adds a line, where none like it is there.
#[must_use]
pub fn add(text: &str, section: Section, key: Key, value: &str) -> String {
    if values(text, section, key).iter().any(|there| there == value) {
        return text.to_string();
    }
    insert(text, section, key, value)
}

/// Takes out every line of a keyword whose value is one of these.
#[must_use]
pub fn remove(text: &str, section: Section, key: Key, is: impl Fn(&str) -> bool) -> String {
    let found = walk(text);
    let edits = items(&found.items, section, key).filter(|item| is(&item.value)).map(|item| gone(text, item));
    apply(text, edits.collect())
}

fn items<'i, 't>(all: &'i [Item<'t>], section: Section, key: Key) -> impl Iterator<Item = &'i Item<'t>> {
    all.iter().filter(move |item| item.section == section && item.row.key == key)
}

/// The whole line, where nothing else stands on it.
fn gone(text: &str, item: &Item<'_>) -> Edit {
    let (mut start, mut end) = (item.at.0, item.value_at.1);
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let rest = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    if text[line..start].trim().is_empty() && text[end..rest].trim().is_empty() {
        (start, end) = (line, rest);
    }
    Edit { start, end, text: String::new() }
}

/// The text with a new setting, in the first section of its kind or in one of its own.
pub(super) fn insert(text: &str, section: Section, key: Key, value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mark = if !value.is_empty() && value.chars().all(plain) { "" } else { "\"" };
    let line = format!("{} {mark}{}{mark}", key.row().name, value.replace('"', "\"\""));
    let found = walk(text);
    let Some((_, at)) = found.opened.iter().find(|(opened, _)| *opened == section) else {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{end}{} {{\n\t{line}\n}}\n", section.path());
    };
    let rest = text[*at..].lines().next().unwrap_or_default().trim();
    // A setting ends with its line.
    let end = if rest.is_empty() || rest.starts_with(['#', '!']) { "" } else { "\n" };
    let after = if end.is_empty() { *at + text[*at..].find('\n').unwrap_or(text.len() - at) } else { *at };
    apply(
        text,
        [Edit { start: after, end: after, text: format!("\n{}{line}{end}", indent(text, *at)) }].into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};

    const FILE: &str = "# mine\ndefaults {   # all\n    find_multipaths  \"yes\"  # why\n\n    no_path_retry 12\n}\n\
                        blacklist { devnode \"^sda$\" }\nblacklist {\n\tdevnode \".*\"\n}\n";

    /// What stands in the file is what a daemon reads.
    fn reads(text: &str, line: &str) {
        let (config, said) = Config::load(&[Source { name: "f", text }]);
        assert!(said.iter().all(|one| one.severity != crate::config::Severity::Error), "{said:?}\n{text}");
        assert!(config.dump().contains(line), "{line}\n{text}");
    }

    #[test]
    fn a_value_changes_where_it_stands_and_nothing_else() {
        let text = set(FILE, Section::Defaults, Key::FindMultipaths, "greedy");
        assert_eq!(text, FILE.replace("\"yes\"", "\"greedy\""));
        assert_eq!(set(FILE, Section::Defaults, Key::FindMultipaths, "yes"), FILE);
        let text = set(FILE, Section::Defaults, Key::UserFriendlyNames, "yes");
        assert_eq!(text, FILE.replace("# all\n", "# all\n    user_friendly_names yes\n"));
        reads(&text, "user_friendly_names \"yes\"");
    }

    #[test]
    fn sections_are_made_where_there_are_none_and_may_stand_on_one_line() {
        for (file, text) in [
            ("", "defaults {\n\tfind_multipaths on\n}\n"),
            ("# x", "# x\ndefaults {\n\tfind_multipaths on\n}\n"),
            ("defaults { }\n", "defaults {\n\tfind_multipaths on\n }\n"),
            ("defaults {\n}\n", "defaults {\n\tfind_multipaths on\n}\n"),
        ] {
            assert_eq!(set(file, Section::Defaults, Key::FindMultipaths, "on"), text, "{file:?}");
            reads(text, "find_multipaths \"on\"");
        }
        assert_eq!(add("", Section::Blacklist, Key::Devnode, ".*"), "blacklist {\n\tdevnode \".*\"\n}\n");
    }

    #[test]
    fn lines_go_whole_and_others_stay() {
        let all = |value: &str| value == ".*";
        let text = remove(FILE, Section::Blacklist, Key::Devnode, all);
        assert_eq!(text, FILE.replace("\tdevnode \".*\"\n", ""));
        assert_eq!(values(&text, Section::Blacklist, Key::Devnode), ["^sda$"]);
        assert_eq!(add(&text, Section::Blacklist, Key::Devnode, "^sda$"), text);
        let text = remove(FILE, Section::Defaults, Key::FindMultipaths, |_| true);
        assert_eq!(text, FILE.replace("\"yes\"", "").replace("    find_multipaths    #", "      #"));
    }
}
