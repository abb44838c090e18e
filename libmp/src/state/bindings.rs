//! `/etc/multipath/bindings`: which alias goes to which WWID, so that it does again tomorrow.
//!
//! `ALIAS WWID` a line, and nothing that comes after is looked at; `#` begins a comment. One alias has one WWID and one WWID one alias: two
//! LUNs under one name are how data is lost, so what would break this is ignored and told.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Line, lines};
use crate::config::{Config, check_map_name};
use crate::dm::mangle::unmangled;
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
    /// The kernel takes no device of this name.
    #[error("alias {alias}: {why}")]
    NoName {
        /// The alias.
        alias: MapName,
        /// Why not.
        why: String,
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
    /// Reads the file's text. The second value tells what was ignored and why, a sentence each. Every line stays as it is.
    pub fn parse(text: &str) -> (Self, Vec<String>) {
        let (mut bindings, mut ignored) = (Self::default(), Vec::new());
        for (number, line) in lines(text).enumerate() {
            let mut ignore = |why: String| ignored.push(format!("line {}: {why}", number + 1));
            let mut words = words(line);
            let entry = match (words.next(), words.next()) {
                (None, _) => None,
                (Some(_), None) => {
                    ignore(format!("not of the form \"alias wwid\": {line:?}"));
                    None
                }
                (Some(alias), Some(wwid)) => match bindings.admit(wwid.into(), alias.into()) {
                    Ok(entry) => {
                        if words.next().is_some() {
                            ignore(format!("what comes after alias and WWID is not looked at: {line:?}"));
                        }
                        entry
                    }
                    Err(why) => {
                        ignore(format!("{why}"));
                        None
                    }
                },
            };
            bindings.lines.push(Line { text: line.into(), entry });
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

    /// The WWID that a name stands for: bound here, or an alias of the configuration. One that is bound to another WWID is
    /// refused to that.
    pub fn wwid_named(&self, config: &Config, name: &MapName) -> Option<Wwid> {
        let configured =
            || config.aliases().into_iter().find(|(_, alias)| alias == name).map(|(wwid, _)| wwid);
        self.wwid_of(name).cloned().or_else(configured)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&MapName, &Wwid)> {
        self.lines.iter().filter_map(|line| line.entry.as_ref().map(|(alias, wwid)| (alias, wwid)))
    }

    /// Takes a binding in. One that is there already is no conflict.
    pub fn insert(&mut self, wwid: Wwid, alias: MapName) -> Result<(), Conflict> {
        if let Some((alias, wwid)) = self.admit(wwid, alias)? {
            self.lines.push(Line { text: format!("{alias} {wwid}"), entry: Some((alias, wwid)) });
        }
        Ok(())
    }

    /// The same without a line of its own; `None` where it is there already.
    fn admit(&mut self, wwid: Wwid, alias: MapName) -> Result<Option<(MapName, Wwid)>, Conflict> {
        let writable = |text: &str| {
            !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '#')
        };
        if !writable(alias.as_str()) || !writable(wwid.as_str()) {
            return Err(Conflict::Unwritable { alias, wwid });
        }
        if let Err(why) = check_map_name(&unmangled(alias.as_str())) {
            return Err(Conflict::NoName { alias, why });
        }
        match (self.by_alias.get(&alias), self.by_wwid.get(&wwid)) {
            (Some(owner), _) if *owner == wwid => return Ok(None),
            (Some(owner), _) => return Err(Conflict::AliasTaken { alias, wwid: owner.clone() }),
            (None, Some(bound)) => {
                return Err(Conflict::WwidBound { wwid, alias: bound.clone() });
            }
            (None, None) => {}
        }
        self.by_alias.insert(alias.clone(), wwid.clone());
        self.by_wwid.insert(wwid.clone(), alias.clone());
        Ok(Some((alias, wwid)))
    }

    /// Takes the binding of a WWID out, if there is one.
    pub fn remove(&mut self, wwid: &Wwid) -> Option<MapName> {
        let alias = self.by_wwid.remove(wwid)?;
        self.by_alias.remove(&alias);
        self.lines.retain(|line| words(&line.text).nth(1) != Some(wwid.as_str()));
        Some(alias)
    }

    /// The alias of a WWID; a WWID without one gets the first `prefix` + `a`…`z`, `aa`… that no
    /// line has and that is not `taken` by another map or device. (It is bound then, unless no
    /// line can hold the WWID.)
    pub fn allocate(&mut self, prefix: &str, wwid: &Wwid, taken: &dyn Fn(&str) -> bool) -> MapName {
        if let Some(alias) = self.get(wwid) {
            return alias.clone();
        }
        // A line that means nothing to us stays in the file, and may mean something to another reader.
        let idle = self.lines.iter().filter(|line| line.entry.is_none());
        let idle: BTreeSet<&str> = idle.filter_map(|line| words(&line.text).next()).collect();
        let is_held = |alias: &str| idle.contains(alias) || taken(alias);
        let mut number = 1_u64;
        let alias = loop {
            let alias = MapName::new(format!("{prefix}{}", letters(number)));
            if self.wwid_of(&alias).is_none() && !is_held(alias.as_str()) {
                break alias;
            }
            number += 1;
        };
        // What no line can hold gets its alias for this run only.
        let _ = self.insert(wwid.clone(), alias.clone());
        alias
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
        super::to_text(&self.lines, HEADER)
    }
}

/// The words of a line, but for those of a comment.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split('#').next().unwrap_or_default().split_whitespace()
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
    use crate::config::Source;

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
    fn a_name_is_bound_or_an_alias_of_the_configuration() {
        let entry = |wwid, alias| format!("multipath {{\nwwid {wwid}\nalias {alias}\n}}\n");
        let text = format!("multipaths {{\n{}{}}}\n", entry("36001", "data"), entry("36002", "mpatha"));
        let (config, _) = Config::load(&[Source { name: "f", text: &text }]);
        let (bindings, _) = Bindings::parse("mpatha 36003\nmpathb 36004\n");
        let named = |name: &str| bindings.wwid_named(&config, &name.into()).map(|wwid| wwid.to_string());
        let names = ["data", "mpatha", "mpathb", "mpathc"].map(named);
        assert_eq!(
            names.each_ref().map(Option::as_deref),
            [Some("36001"), Some("36003"), Some("36004"), None]
        );
    }

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
            "# mine\nmpathb 3600b\n\n# the other array\ndata   3600a # hot\nmpathz 3600c\n"
        );
        assert_eq!(bindings.remove(&"3600b".into()), Some("mpathb".into()));
        assert_eq!(bindings.remove(&"3600b".into()), None);
        assert_eq!(bindings.to_text(), "# mine\n\n# the other array\ndata   3600a # hot\nmpathz 3600c\n");
        assert_eq!(bindings.iter().count(), 2);
    }

    #[test]
    fn words_after_the_wwid_mean_nothing_and_stay() {
        let text = "# mine\r\nmpathb\t3600a oracle data # hot\r\nmpathc\nmpathb 3600d\nmpathb 3600a\n";
        let (mut bindings, told) = Bindings::parse(text);
        assert_eq!(bindings.wwid_of(&"mpathb".into()), Some(&"3600a".into()));
        assert_eq!((told.len(), bindings.iter().count()), (3, 1), "{told:?}");
        assert!(told[0].starts_with("line 2: what comes after alias and WWID is not looked at"), "{told:?}");
        assert_eq!(bindings.allocate("mpath", &"3600e".into(), &free).as_str(), "mpatha");
        assert_eq!(
            bindings.allocate("mpath", &"3600f".into(), &free).as_str(),
            "mpathd",
            "what a line has that is ignored is not free"
        );
        let added = format!("{text}mpatha 3600e\nmpathd 3600f\n");
        assert_eq!(bindings.to_text(), added);
        let (merged, _) = Bindings::carried_over(text, "# mine\n", "# mine\nmpatha 3600e\nmpathd 3600f\n");
        assert_eq!(merged, added);
        assert_eq!(bindings.remove(&"3600a".into()), Some("mpathb".into()));
        assert!(!bindings.to_text().contains("3600a"));
    }

    #[test]
    fn two_luns_never_share_a_name() {
        let (bindings, ignored) = Bindings::parse("a 1\na 2\nb 1\nb\na 1\nc 3\n");
        assert_eq!(
            ignored,
            [
                "line 2: alias a belongs to 1",
                "line 3: 1 has the alias a",
                "line 4: not of the form \"alias wwid\": \"b\"",
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
    fn what_the_kernel_would_refuse_is_no_name() {
        let long = "ü".repeat(32); // 127 bytes are not enough for it mangled
        let text = format!("# mine\ndb/1 1\n{long} 2\n.. 3\ncontrol 5\nmy\\x20disk 4\n");
        let (mut bindings, ignored) = Bindings::parse(&text);
        assert_eq!(ignored[0], "line 2: alias db/1: a slash in a name");
        assert_eq!((ignored.len(), bindings.iter().count()), (4, 1), "{ignored:?}");
        assert_eq!(bindings.allocate("mpath", &"1".into(), &free).as_str(), "mpatha");
        assert_eq!(bindings.to_text(), format!("{text}mpatha 1\n"), "the lines stay");
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
