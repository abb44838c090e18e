//! `/etc/multipath/bindings`: which alias goes to which WWID, so that it does again tomorrow.
//!
//! `ALIAS WWID` a line; `#` begins a comment. One alias has one WWID and one WWID one alias: two
//! LUNs under one name are how data is lost, so what would break this is ignored and told.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Line, with_header};
use crate::types::{MapName, Wwid};

/// The comment at the top of a new file.
const HEADER: &str = "\
# Multipath bindings, Version : 1.0
# NOTE: this file is automatically maintained by the multipath program.
# You should not need to edit this file in normal circumstances.
#
# Format:
# alias wwid
#
";

/// Why a binding can't be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The alias belongs to another WWID.
    #[error("alias {alias} belongs to {wwid}")]
    AliasTaken {
        /// The alias.
        alias: MapName,
        /// Whose it is.
        wwid: Wwid,
    },
    /// The WWID has another alias.
    #[error("{wwid} has the alias {alias}")]
    WwidBound {
        /// The WWID.
        wwid: Wwid,
        /// Its alias.
        alias: MapName,
    },
    /// Alias or WWID is empty, or has blanks or control characters in it: no line can hold it.
    #[error("no line of the file can hold {alias:?} {wwid:?}")]
    Unwritable {
        /// The alias.
        alias: MapName,
        /// The WWID.
        wwid: Wwid,
    },
}

/// The bindings file in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bindings {
    lines: Vec<Line<(MapName, Wwid)>>,
    by_wwid: BTreeMap<Wwid, MapName>,
    by_alias: BTreeMap<MapName, Wwid>,
}

impl Bindings {
    /// Reads the file's text. The second value tells what was ignored and why, a sentence each.
    pub fn parse(text: &str) -> (Self, Vec<String>) {
        let (mut bindings, mut ignored) = (Self::default(), Vec::new());
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            match (words.next(), words.next(), words.next()) {
                (None, ..) => bindings.lines.push(Line::Text(line.into())),
                (Some(alias), Some(wwid), None) => {
                    if let Err(why) = bindings.insert(wwid.into(), alias.into()) {
                        ignored.push(format!("line {}: {why}", number + 1));
                    }
                }
                _ => ignored.push(format!("line {}: not of the form \"alias wwid\": {line:?}", number + 1)),
            }
        }
        (bindings, ignored)
    }

    /// The alias of a WWID.
    pub fn get(&self, wwid: &Wwid) -> Option<&MapName> {
        self.by_wwid.get(wwid)
    }

    /// The WWID that an alias belongs to.
    pub fn wwid_of(&self, alias: &MapName) -> Option<&Wwid> {
        self.by_alias.get(alias)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&MapName, &Wwid)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Entry((alias, wwid)) => Some((alias, wwid)),
            Line::Text(_) => None,
        })
    }

    /// Takes a binding in. One that is there already is no conflict.
    pub fn insert(&mut self, wwid: Wwid, alias: MapName) -> Result<(), Conflict> {
        let writable = |text: &str| {
            !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '#')
        };
        if !writable(alias.as_str()) || !writable(wwid.as_str()) {
            return Err(Conflict::Unwritable { alias, wwid });
        }
        match (self.by_alias.get(&alias), self.by_wwid.get(&wwid)) {
            (Some(owner), _) if *owner == wwid => return Ok(()),
            (Some(owner), _) => return Err(Conflict::AliasTaken { alias, wwid: owner.clone() }),
            (None, Some(bound)) => {
                return Err(Conflict::WwidBound { wwid, alias: bound.clone() });
            }
            (None, None) => {}
        }
        self.by_alias.insert(alias.clone(), wwid.clone());
        self.by_wwid.insert(wwid.clone(), alias.clone());
        self.lines.push(Line::Entry((alias, wwid)));
        Ok(())
    }

    /// Takes the binding of a WWID out, if there is one.
    pub fn remove(&mut self, wwid: &Wwid) -> Option<MapName> {
        let alias = self.by_wwid.remove(wwid)?;
        self.by_alias.remove(&alias);
        self.lines.retain(|line| !matches!(line, Line::Entry((_, bound)) if bound == wwid));
        Some(alias)
    }

    /// The alias of a WWID; a WWID without one gets the first `prefix` + `a`…`z`, `aa`… that no
    /// binding has and that is not `taken` by another map or device. (It is bound then, unless no
    /// line can hold the WWID.)
    pub fn allocate(&mut self, prefix: &str, wwid: &Wwid, taken: &dyn Fn(&str) -> bool) -> MapName {
        if let Some(alias) = self.get(wwid) {
            return alias.clone();
        }
        let mut number = 1_u64;
        loop {
            let alias = MapName::new(format!("{prefix}{}", letters(number)));
            if self.wwid_of(&alias).is_none() && !taken(alias.as_str()) {
                // What no line can hold gets its alias for this run only.
                let _ = self.insert(wwid.clone(), alias.clone());
                return alias;
            }
            number += 1;
        }
    }

    /// The text of a file that somebody may have edited, with the bindings that have come from one text of ours to the
    /// next. Where the file says otherwise it is right; the second value tells what was not taken in for that.
    pub fn carried_over(file: &str, was: &str, is: &str) -> (String, Vec<String>) {
        let ((mut there, _), (was, _), (is, _)) = (Self::parse(file), Self::parse(was), Self::parse(is));
        let mut refused = Vec::new();
        for (alias, wwid) in is.iter().filter(|(alias, wwid)| was.get(wwid) != Some(*alias)) {
            if let Err(why) = there.insert(wwid.clone(), alias.clone()) {
                refused.push(format!("{alias} {wwid}: {why}"));
            }
        }
        (there.to_text(), refused)
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for line in with_header(&self.lines, HEADER) {
            text.push_str(&line);
            text.push('\n');
        }
        for line in &self.lines {
            match line {
                Line::Text(other) => text.push_str(other),
                Line::Entry((alias, wwid)) => {
                    text.push_str(alias.as_str());
                    text.push(' ');
                    text.push_str(wwid.as_str());
                }
            }
            text.push('\n');
        }
        text
    }
}

/// 1 → `a`, 26 → `z`, 27 → `aa`, as disks are named.
fn letters(mut number: u64) -> String {
    let mut reversed = Vec::new();
    while number > 0 {
        number -= 1;
        reversed.push(char::from(b'a' + u8::try_from(number % 26).expect("a remainder of 26 fits")));
        number /= 26;
    }
    reversed.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Multipath bindings, Version : 1.0
# NOTE: this file is automatically maintained by the multipath program.
# You should not need to edit this file in normal circumstances.
#
# Format:
# alias wwid
#
mpatha 333333330000007d0
";

    #[test]
    fn what_somebody_edits_stays_and_what_is_new_is_added() {
        let was = "mpatha 1\nmpathb 2\n";
        let edited = "# mine\ndata 1\nmpathb 2\nmpathc 9\n";
        let (text, refused) = Bindings::carried_over(edited, was, "mpatha 1\nmpathb 2\nmpathc 3\nmpathd 4\n");
        assert!(text.ends_with("# mine\ndata 1\nmpathb 2\nmpathc 9\nmpathd 4\n"), "{text}");
        assert_eq!(refused, ["mpathc 3: alias mpathc belongs to 9"]);
    }

    fn free(_: &str) -> bool {
        false
    }

    #[test]
    fn a_new_file_is_the_reference_s() {
        let mut bindings = Bindings::default();
        assert_eq!(bindings.allocate("mpath", &"333333330000007d0".into(), &free).as_str(), "mpatha");
        assert_eq!(bindings.to_text(), FILE);
        let (again, ignored) = Bindings::parse(FILE);
        assert_eq!(ignored, [""; 0]);
        assert_eq!(again.get(&"333333330000007d0".into()), Some(&"mpatha".into()));
        assert_eq!(again.to_text(), FILE);
    }

    #[test]
    fn what_an_operator_wrote_stays() {
        let text = "# mine\nmpathb 3600b\n\n# the other array\ndata   3600a # hot\n";
        let (mut bindings, ignored) = Bindings::parse(text);
        assert_eq!(ignored, [""; 0]);
        bindings.insert("3600c".into(), "mpathz".into()).unwrap();
        assert_eq!(
            bindings.to_text(),
            "# mine\nmpathb 3600b\n\n# the other array\ndata 3600a\nmpathz 3600c\n"
        );
        assert_eq!(bindings.remove(&"3600b".into()), Some("mpathb".into()));
        assert_eq!(bindings.remove(&"3600b".into()), None);
        assert_eq!(bindings.to_text(), "# mine\n\n# the other array\ndata 3600a\nmpathz 3600c\n");
        assert_eq!(bindings.iter().count(), 2);
    }

    #[test]
    fn two_luns_never_share_a_name() {
        let (bindings, ignored) = Bindings::parse("a 1\na 2\nb 1\nb\nb 2 3\na 1\nc 3\n");
        assert_eq!(
            ignored,
            [
                "line 2: alias a belongs to 1",
                "line 3: 1 has the alias a",
                "line 4: not of the form \"alias wwid\": \"b\"",
                "line 5: not of the form \"alias wwid\": \"b 2 3\"",
            ]
        );
        assert_eq!(bindings.wwid_of(&"a".into()), Some(&"1".into()));
        assert_eq!(bindings.wwid_of(&"b".into()), None);
        assert_eq!(bindings.get(&"3".into()), Some(&"c".into()));
    }

    #[test]
    fn what_no_line_can_hold() {
        let mut bindings = Bindings::default();
        for (wwid, alias) in [("", "a"), ("1", ""), ("1\n2 b", "a"), ("1 2", "a"), ("1", "a#b")] {
            let refused = bindings.insert(wwid.into(), alias.into());
            assert!(matches!(refused, Err(Conflict::Unwritable { .. })), "{wwid:?} {alias:?}");
        }
        assert_eq!(bindings.allocate("mpath", &"a\nb".into(), &free).as_str(), "mpatha");
        assert_eq!(bindings.iter().count(), 0);
    }

    #[test]
    fn the_first_free_alias() {
        for (file, taken, alias) in [
            ("", "", "mpatha"),
            ("mpatha 1\nmpathb 2\n", "", "mpathc"),
            ("mpathb 1\n", "", "mpatha"),
            ("mpatha 1\n", "mpathb mpathc", "mpathd"),
            ("mpathA 1\nmpath1 2\nother 3\n", "", "mpatha"),
        ] {
            let (mut bindings, _) = Bindings::parse(file);
            let is_taken = |name: &str| taken.split(' ').any(|t| t == name);
            assert_eq!(bindings.allocate("mpath", &"new".into(), &is_taken).as_str(), alias, "{file}");
            assert_eq!(bindings.allocate("mpath", &"new".into(), &|_| true).as_str(), alias, "kept");
        }
    }

    #[test]
    fn letters_go_on_after_z() {
        for (number, text) in
            [(1, "a"), (26, "z"), (27, "aa"), (52, "az"), (53, "ba"), (702, "zz"), (703, "aaa")]
        {
            assert_eq!(letters(number), text);
        }
    }
}
