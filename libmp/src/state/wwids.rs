//! `/etc/multipath/wwids`: the LUNs that once had a map. `find_multipaths` goes by it, and LVM.
//!
//! `/WWID/` a line; `#` begins a comment.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Line, lines};
use crate::types::Wwid;

/// The comment at the top of a new file.
const HEADER: &str = "\
# Multipath wwids, Version : 1.0
# NOTE: This file is automatically maintained by multipath and multipathd.
# You should not need to edit this file in normal circumstances.
#
# Valid WWIDs:
";

/// The wwids file in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wwids {
    lines: Vec<Line<Wwid>>,
    known: BTreeSet<Wwid>,
}

impl Wwids {
    /// Reads the file's text. Lines that are no `/WWID/` stay as they are and mean nothing.
    pub fn parse(text: &str) -> Self {
        let mut wwids = Self::default();
        for line in lines(text) {
            // One that is there twice counts once.
            let entry = wwid_in(line).map(Wwid::from).filter(|wwid| wwids.known.insert(wwid.clone()));
            wwids.lines.push(Line { text: line.into(), entry });
        }
        wwids
    }

    /// Is it in the file?
    pub fn contains(&self, wwid: &Wwid) -> bool {
        self.known.contains(wwid)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Wwid> {
        self.lines.iter().filter_map(|line| line.entry.as_ref())
    }

    /// Takes one in; `true` if the file changes. One with a slash or control characters, which no
    /// line can hold, is refused.
    pub fn insert(&mut self, wwid: Wwid) -> bool {
        if !is_writable(wwid.as_str()) || !self.known.insert(wwid.clone()) {
            return false;
        }
        self.lines.push(Line { text: format!("/{wwid}/"), entry: Some(wwid) });
        true
    }

    /// Takes one out; `true` if the file changes.
    pub fn remove(&mut self, wwid: &Wwid) -> bool {
        let known = self.known.remove(wwid);
        if known {
            self.lines.retain(|line| wwid_in(&line.text) != Some(wwid.as_str()));
        }
        known
    }

    /// Leaves these only; `true` if the file changes.
    pub fn reset(&mut self, to: impl IntoIterator<Item = Wwid>) -> bool {
        let to: BTreeSet<Wwid> = to.into_iter().collect();
        let gone: Vec<Wwid> = self.known.difference(&to).cloned().collect();
        let mut changed = false;
        for wwid in &gone {
            changed |= self.remove(wwid);
        }
        to.into_iter().fold(changed, |changed, wwid| self.insert(wwid) || changed)
    }

    /// The text of a file that somebody may have edited, with what has come and gone from one text of ours to the next.
    pub fn carried_over(file: &str, was: &str, is: &str) -> String {
        let (mut there, was, is) = (Self::parse(file), Self::parse(was), Self::parse(is));
        for wwid in was.known.difference(&is.known) {
            there.remove(wwid);
        }
        for wwid in is.iter().filter(|wwid| !was.contains(wwid)) {
            there.insert(wwid.clone());
        }
        there.to_text()
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        super::to_text(&self.lines, HEADER)
    }
}

/// The WWID that a line names.
fn wwid_in(line: &str) -> Option<&str> {
    let wwid = line.strip_prefix('/')?.split('/').next()?.trim_end_matches('\r');
    is_writable(wwid).then_some(wwid)
}

fn is_writable(wwid: &str) -> bool {
    !wwid.is_empty() && !wwid.chars().any(|c| c == '/' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Multipath wwids, Version : 1.0
# NOTE: This file is automatically maintained by multipath and multipathd.
# You should not need to edit this file in normal circumstances.
#
# Valid WWIDs:
/333333330000007d1/
/333333330000007d0/
";

    #[test]
    fn what_somebody_edits_stays_and_what_has_changed_is_changed() {
        let text = Wwids::carried_over("/1/\n# mine\n/7/\n", "/1/\n/2/\n", "/2/\n/3/\n");
        assert!(text.ends_with("# mine\n/7/\n/3/\n") && !text.contains("/1/"), "{text}");
    }

    #[test]
    fn a_new_file_is_the_reference_s() {
        let mut wwids = Wwids::default();
        assert!(wwids.insert("333333330000007d1".into()));
        assert!(wwids.insert("333333330000007d0".into()));
        assert!(!wwids.insert("333333330000007d0".into()));
        assert_eq!(wwids.to_text(), FILE);
        assert_eq!(Wwids::parse(FILE).to_text(), FILE);
    }

    #[test]
    fn comments_and_removed_entries_stay_and_mean_nothing() {
        let text = "# array in rack 3\n#3600a/\n/3600b/\nnonsense\n//\n\n/3600c\n";
        let mut wwids = Wwids::parse(text);
        assert!(!wwids.contains(&"3600a".into()));
        assert!(wwids.contains(&"3600b".into()));
        assert!(wwids.contains(&"3600c".into()), "the last slash may be missing");
        assert!(wwids.remove(&"3600b".into()));
        assert!(!wwids.remove(&"3600b".into()));
        assert_eq!(wwids.to_text(), "# array in rack 3\n#3600a/\nnonsense\n//\n\n/3600c\n");
        assert_eq!(wwids.iter().count(), 1);
    }

    #[test]
    fn lines_that_nobody_touches_stay_as_they_are() {
        let text = "# mine\r\n/3600a/ rack 3\r\n/3600b\r\n/3600a/\n";
        let mut wwids = Wwids::parse(text);
        assert_eq!(wwids.iter().map(Wwid::as_str).collect::<Vec<_>>(), ["3600a", "3600b"]);
        assert!(wwids.insert("3600c".into()));
        assert_eq!(wwids.to_text(), format!("{text}/3600c/\n"));
        assert!(wwids.remove(&"3600a".into()));
        assert_eq!(wwids.to_text(), "# mine\r\n/3600b\r\n/3600c/\n");
    }

    #[test]
    fn a_reset_leaves_the_maps_and_the_comments() {
        let mut wwids = Wwids::parse("# mine\n/1/\n/2/\n");
        assert!(wwids.reset(["2".into(), "3".into()]));
        assert_eq!(wwids.to_text(), "# mine\n/2/\n/3/\n");
        assert!(!wwids.reset(["3".into(), "2".into()]));
    }

    #[test]
    fn hostile_wwids_are_refused() {
        let mut wwids = Wwids::default();
        for wwid in ["", "../../etc", "a\nb", "a\0"] {
            assert!(!wwids.insert(wwid.into()), "{wwid:?}");
        }
    }
}
