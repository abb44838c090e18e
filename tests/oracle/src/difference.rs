//! Two dumps → what differs: a place, a keyword, and what each says of it.

use crate::normal::Item;

/// Sections of a dump that are compared line by line.
const SECTIONS: [&str; 6] =
    ["defaults", "blacklist", "blacklist_exceptions", "devices", "overrides", "multipaths"];

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `defaults`, `devices ZZA P1`
    pub place: String,
    /// The keyword, or `{}` for a block that only one of them has.
    pub keyword: String,
    /// What the reference says.
    pub theirs: Option<String>,
    /// What we say.
    pub ours: Option<String>,
}

impl Difference {
    /// On one line.
    pub fn show(&self) -> String {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        format!(
            "{}: {}: reference {}, here {}",
            self.place,
            self.keyword,
            text(&self.theirs),
            text(&self.ours)
        )
    }
}

/// What differs between the reference's dump and ours.
pub fn between(theirs: &[Item], ours: &[Item]) -> Vec<Difference> {
    let mut found = Vec::new();
    for section in SECTIONS {
        block(section, inside(theirs, section), inside(ours, section), &mut found);
    }
    found
}

fn inside<'i>(items: &'i [Item], section: &str) -> &'i [Item] {
    let of = |item: &'i Item| match item {
        Item::Block(word, inner) if word == section => Some(inner.as_slice()),
        _ => None,
    };
    items.iter().find_map(of).unwrap_or_default()
}

fn block(place: &str, theirs: &[Item], ours: &[Item], found: &mut Vec<Difference>) {
    let difference = |keyword: &str, theirs: Option<&String>, ours: Option<&String>| Difference {
        place: place.into(),
        keyword: keyword.into(),
        theirs: theirs.cloned(),
        ours: ours.cloned(),
    };
    let lists = place.starts_with("blacklist");
    let counterpart = |item: &Item, others: &[Item]| -> Option<Item> {
        others.iter().find(|other| *other == item || (!lists && other.name() == item.name())).cloned()
    };
    for item in theirs {
        match (item, counterpart(item, ours)) {
            (Item::Line(word, value), None) => found.push(difference(word, Some(value), None)),
            (Item::Line(word, value), Some(Item::Line(_, other))) if *value != other => {
                found.push(difference(word, Some(value), Some(&other)));
            }
            (Item::Block(_, inner), Some(Item::Block(_, others))) if !lists => {
                block(&format!("{place} {}", item.name()), inner, &others, found);
            }
            (Item::Block(..), None) => found.push(difference("{}", Some(&item.show()), None)),
            _ => {}
        }
    }
    for item in ours.iter().filter(|item| counterpart(item, theirs).is_none()) {
        match item {
            Item::Line(word, value) => found.push(difference(word, None, Some(value))),
            Item::Block(..) => found.push(difference("{}", None, Some(&item.show()))),
        }
    }
    if place == "devices" {
        order(theirs, ours, found);
    }
}

/// The order of entries decides which is stronger.
fn order(theirs: &[Item], ours: &[Item], found: &mut Vec<Difference>) {
    let names = |items: &[Item]| items.iter().map(Item::name).collect::<Vec<_>>();
    let (theirs, ours) = (names(theirs), names(ours));
    let mut sorted = (theirs.clone(), ours.clone());
    sorted.0.sort();
    sorted.1.sort();
    if theirs != ours && sorted.0 == sorted.1 {
        let text = |names: Vec<String>| Some(names.join(", "));
        found.push(Difference {
            place: "devices".into(),
            keyword: "order".into(),
            theirs: text(theirs),
            ours: text(ours),
        });
    }
}
