//! Dumps → something to compare: the order of lines means nothing but among devices.

use crate::known::{NOT_COMPARED, SPELLED};

/// Keywords that say what a block is for.
const KEYS: [&str; 5] = ["vendor", "product", "revision", "wwid", "type"];

/// A line, or a block of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// `keyword value`
    Line(String, String),
    /// A word and what its braces hold.
    Block(String, Vec<Item>),
}

impl Item {
    /// What tells it from others beside it: the keyword, or what a block is for.
    pub fn name(&self) -> String {
        let Self::Block(word, items) = self else {
            let Self::Line(word, _) = self else { unreachable!("a line or a block") };
            return word.clone();
        };
        let names = items.iter().filter_map(|item| match item {
            Self::Line(word, value) if KEYS.contains(&word.as_str()) => Some(format!("{word} {value}")),
            _ => None,
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        format!("{word} {}", names.join(" "))
    }

    /// On one line.
    pub fn show(&self) -> String {
        match self {
            Self::Line(word, value) => format!("{word} {value}"),
            Self::Block(word, items) => {
                let items: Vec<String> = items.iter().map(Self::show).collect();
                format!("{word} {{ {} }}", items.join("; "))
            }
        }
    }
}

/// The outermost blocks of a dump, ready to be compared.
pub fn read(dump: &str) -> Vec<Item> {
    let mut items = parse(dump);
    align(&mut items);
    sort(&mut items);
    items
}

fn parse(dump: &str) -> Vec<Item> {
    let mut stack: Vec<(String, Vec<Item>)> = Vec::new();
    let mut done = Vec::new();
    // A value may hold a line's end: what is no line of its own belongs to the one before it.
    for line in dump.lines() {
        let line = line.trim_start_matches('\t');
        if let Some(word) = line.strip_suffix(" {") {
            stack.push((word.into(), Vec::new()));
        } else if line == "}" {
            let Some((word, items)) = stack.pop() else { continue };
            let outer = stack.last_mut().map_or(&mut done, |(_, items)| items);
            outer.push(Item::Block(word, items));
        } else if let Some((_, items)) = stack.last_mut() {
            let (word, value) = line.split_once(' ').unwrap_or((line, ""));
            items.push(Item::Line(word.into(), plain(word, value)));
        }
    }
    done
}

/// A value as the file would write it. The reference writes numbers of users in octal, which reads
/// back as another number, and lists of `uid_attrs` without quotes, of which the first word reads back.
fn plain(word: &str, value: &str) -> String {
    let octal = value.strip_prefix('0').and_then(|digits| u32::from_str_radix(digits, 8).ok());
    match (word, octal) {
        ("uid" | "gid", Some(number)) => number.to_string(),
        ("uid_attrs", _) => value.trim_matches('"').into(),
        _ => value.into(),
    }
}

/// Leaves out of `items` the devices and rules that an empty file has too: the tables are of two versions.
pub fn without(items: &mut [Item], base: &[Item]) {
    for item in items {
        let Item::Block(word, inner) = item else { continue };
        if word != "devices" && !word.starts_with("blacklist") {
            continue;
        }
        for known in base {
            if let Item::Block(other, known) = known
                && other == word
            {
                inner.retain(|item| !known.contains(item));
            }
        }
    }
}

/// Takes out what is not compared, and spells the reference's words as ours.
fn align(items: &mut Vec<Item>) {
    items.retain(|item| {
        !matches!(item, Item::Line(word, _) if NOT_COMPARED.iter().any(|(keyword, _)| keyword == word))
    });
    for item in items {
        match item {
            Item::Block(_, inner) => align(inner),
            Item::Line(word, value) => {
                let other = SPELLED.iter().find(|(keyword, theirs, _)| keyword == word && theirs == value);
                if let Some((.., ours)) = other {
                    *value = (*ours).into();
                }
            }
        }
    }
}

/// Sorts everything but the entries of `devices` against each other.
fn sort(items: &mut [Item]) {
    for item in items.iter_mut() {
        let Item::Block(word, inner) = item else { continue };
        if word != "devices" {
            sort(inner);
            continue;
        }
        for device in inner.iter_mut() {
            if let Item::Block(_, lines) = device {
                sort(lines);
            }
        }
    }
    items.sort();
}
