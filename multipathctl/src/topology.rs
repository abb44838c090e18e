//! The daemon's trees, taken apart so that they can be sorted, filtered, and listed as `-l` does.

use std::fmt::Write as _;
use std::ops::Range;

use anstyle::Style;

/// What may stand before a map's name, with a colon after it.
const ACTIONS: &[&str] = &["", "create", "reload", "rename", "switchpg", "resize", "reject", "unchanged"];

/// The device of a map that is not there.
const UNDEF: &str = "undef";

/// Columns of a path: H:C:T:L, name, number, and the states of kernel, checker and device.
const COLUMNS: usize = 6;
/// The kernel's.
const KERNEL: usize = 3;
/// The checker's.
const CHECKER: usize = 4;

/// One map's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// What was last done to it; empty where nothing was.
    pub action: String,
    /// Its name.
    pub name: String,
    /// Its WWID.
    pub wwid: String,
    /// Its first line, without the action.
    header: String,
    /// Where its device stands in that; nowhere in what the kernel puts together by itself.
    device: Range<usize>,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    /// Properties of the map or of a group.
    Text(String),
    /// What is drawn before a path, and its columns.
    Path { drawing: String, cells: [String; COLUMNS] },
}

/// Takes the reply to `show maps topology` apart. `ok`, which stands for nothing, is no map.
pub fn parse(text: &str) -> Vec<Tree> {
    let mut trees: Vec<Tree> = Vec::new();
    if text == libmp::ctl::OK {
        return trees;
    }
    for line in text.lines() {
        // A device may put anything into its names; a terminal obeys some of it.
        let line = line.replace(char::is_control, "?");
        match trees.last_mut() {
            Some(tree) if tree.lines.is_empty() || line.starts_with(['|', '`', ' ']) => {
                tree.lines.push(Line::new(line));
            }
            _ => trees.push(Tree::new(&line)),
        }
    }
    trees
}

impl Tree {
    fn new(header: &str) -> Self {
        let (action, header) =
            header.split_once(": ").filter(|(action, _)| ACTIONS.contains(action)).unwrap_or(("", header));
        let (name, wwid, rest) = named(header).unwrap_or_else(|| {
            let (wwid, rest) = header.split_once(' ').unwrap_or((header, ""));
            (wwid, wwid, rest)
        });
        let start = header.len() - rest.len();
        Self {
            action: action.to_string(),
            name: name.to_string(),
            wwid: wwid.to_string(),
            header: header.to_string(),
            device: start..start + device(rest).map_or(0, str::len),
            lines: Vec::new(),
        }
    }

    /// Where it stands in a list: by name, what the kernel puts together by itself last.
    pub fn order(&self) -> (bool, &str) {
        let native = self.header.split(' ').nth(1).is_some_and(|word| word.starts_with("[nvme]:"));
        (native, &self.name)
    }

    /// Is it the map of that name or WWID, or the one with that device (`dm-3`)?
    pub fn is_of(&self, text: &str, device: Option<&str>) -> bool {
        self.name == text || self.wwid == text || device == Some(&self.header[self.device.clone()])
    }

    /// Is there a path of that name or number in it?
    pub fn has_path(&self, path: &str) -> bool {
        self.lines.iter().any(|line| match line {
            Line::Path { cells, .. } => cells[1] == path || cells[2] == path,
            Line::Text(_) => false,
        })
    }

    /// Forgets what only the kernel can tell of a map: there is none yet.
    pub fn make_imagined(&mut self) {
        if !self.device.is_empty() {
            self.header.replace_range(self.device.clone(), UNDEF);
            self.device.end = self.device.start + UNDEF.len();
        }
        for line in &mut self.lines {
            match line {
                Line::Path { cells, .. } => cells[KERNEL] = "undef".to_string(),
                Line::Text(text) => {
                    for key in [" wp=", " status="] {
                        if let Some((before, _)) = text.rsplit_once(key) {
                            *text = format!("{before}{key}undef");
                        }
                    }
                }
            }
        }
    }

    /// Forgets what checkers and prioritizers say.
    pub fn make_static(&mut self) {
        for line in &mut self.lines {
            match line {
                Line::Path { cells, .. } => cells[CHECKER] = "undef".to_string(),
                Line::Text(text) => {
                    if let Some((before, after)) = text.split_once(" prio=")
                        && let Some((_, after)) = after.split_once(' ')
                    {
                        *text = format!("{before} prio=0 {after}");
                    }
                }
            }
        }
    }
}

/// Name, WWID and what comes after, of a map that has a name of its own. There may be blanks and brackets in it.
fn named(header: &str) -> Option<(&str, &str, &str)> {
    header.match_indices(" (").find_map(|(at, found)| {
        let (wwid, rest) = header[at + found.len()..].split_once(") ")?;
        device(rest).map(|_| (&header[..at], wwid, rest))
    })
}

/// The device that a text begins with.
fn device(text: &str) -> Option<&str> {
    let word = text.split(' ').next()?;
    let minor = word.strip_prefix("dm-").and_then(|minor| minor.parse::<u32>().ok());
    (word == UNDEF || minor.is_some()).then_some(word)
}

impl Line {
    fn new(line: String) -> Self {
        let Some(start) = line.find(|c| !" |`-".contains(c)) else { return Self::Text(line) };
        let (drawing, rest) = line.split_at(start);
        let words: Vec<&str> = rest.split_whitespace().collect();
        // `i/o pending` is one state of two words.
        match words.as_slice() {
            [hctl, name, devt, kernel, checker @ .., device] if !checker.is_empty() && hctl.contains(':') => {
                let checker = checker.join(" ");
                let cells = [hctl, name, devt, kernel, checker.as_str(), device].map(ToString::to_string);
                Self::Path { drawing: drawing.to_string(), cells }
            }
            _ => Self::Text(line),
        }
    }
}

/// The trees as text, headers in bold, the columns of all paths lined up.
pub fn render(trees: &[Tree]) -> String {
    let bold = Style::new().bold();
    let mut widths = [0; COLUMNS];
    for line in trees.iter().flat_map(|tree| &tree.lines) {
        if let Line::Path { cells, .. } = line {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
    }
    let mut out = String::new();
    for tree in trees {
        let _ = writeln!(out, "{bold}{}{bold:#}", tree.header);
        for line in &tree.lines {
            match line {
                Line::Text(text) => out.push_str(text),
                Line::Path { drawing, cells } => {
                    out.push_str(drawing);
                    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
                        let gap = if index == 0 { "" } else { " " };
                        let _ = write!(out, "{gap}{cell:width$}");
                    }
                }
            }
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &str = "\
create: mpatha (333333330000007d0) dm-0 Linux,scsi_debug
size=8.0M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
|-+- policy='service-time 0' prio=50 status=active
| |- 0:0:0:0 sda 8:0  failed i/o pending running
| `- 0:0:0:9 sdx 65:0 active ready       running
`-+- policy='service-time 0' prio=10 status=enabled
  `- #:#:#:# sdb 8:16 active ready       running
data (333333330000007d1) dm-1 Linux,scsi_debug
size=8.0M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
";

    fn plain(trees: &[Tree]) -> String {
        anstream::adapter::strip_str(&render(trees)).to_string()
    }

    #[test]
    fn what_is_taken_apart_comes_together_again() {
        let trees = parse(REPLY);
        assert_eq!(trees.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["mpatha", "data"]);
        assert_eq!(plain(&trees), REPLY.strip_prefix("create: ").unwrap());
        assert!(
            render(&trees)
                .starts_with("\x1b[1mmpatha (333333330000007d0) dm-0 Linux,scsi_debug\x1b[0m\nsize=")
        );
        assert!(trees[0].has_path("sdx") && trees[0].has_path("8:16") && !trees[1].has_path("sdx"));
        assert_eq!(parse("ok\n"), []);
        assert_eq!(parse(""), []);
    }

    #[test]
    fn without_priorities_and_checkers() {
        let mut trees = parse(REPLY);
        trees.iter_mut().for_each(Tree::make_static);
        assert_eq!(
            plain(&trees[..1]),
            "mpatha (333333330000007d0) dm-0 Linux,scsi_debug\n\
             size=8.0M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw\n\
             |-+- policy='service-time 0' prio=0 status=active\n\
             | |- 0:0:0:0 sda 8:0  failed undef running\n\
             | `- 0:0:0:9 sdx 65:0 active undef running\n\
             `-+- policy='service-time 0' prio=0 status=enabled\n  \
               `- #:#:#:# sdb 8:16 active undef running\n"
        );
    }

    #[test]
    fn of_a_map_that_is_not_there() {
        let mut trees = parse(&REPLY.replace("mpatha (", "dm-7 dm- ("));
        trees.iter_mut().for_each(Tree::make_imagined);
        assert_eq!((trees[0].action.as_str(), trees[1].action.as_str()), ("create", ""));
        assert_eq!(
            (trees[1].wwid.as_str(), parse("w dm-0 V,P")[0].wwid.as_str()),
            ("333333330000007d1", "w")
        );
        assert_eq!(
            plain(&trees[..1]),
            "dm-7 dm- (333333330000007d0) undef Linux,scsi_debug\n\
             size=8.0M features='1 queue_if_no_path' hwhandler='1 alua' wp=undef\n\
             |-+- policy='service-time 0' prio=50 status=undef\n\
             | |- 0:0:0:0 sda 8:0  undef i/o pending running\n\
             | `- 0:0:0:9 sdx 65:0 undef ready       running\n\
             `-+- policy='service-time 0' prio=10 status=undef\n  \
               `- #:#:#:# sdb 8:16 undef ready       running\n"
        );
    }

    #[test]
    fn names_with_blanks_and_brackets() {
        for (header, name, wwid, device) in [
            ("create: my disk(1) (36001) dm-0 V,P", "my disk(1)", "36001", "dm-0"),
            ("my (2) (dm-5) x (36001) dm-1 V (old) dm-2,P", "my (2) (dm-5) x", "36001", "dm-1"),
            ("dm-7 dm- (36001) undef V,P", "dm-7 dm-", "36001", "undef"),
            ("36001 dm-3 V,P (old) dm", "36001", "36001", "dm-3"),
        ] {
            let tree = parse(header).remove(0);
            assert_eq!((tree.name.as_str(), tree.wwid.as_str()), (name, wwid), "{header}");
            assert!(
                tree.is_of(name, None) && tree.is_of(wwid, None) && tree.is_of("", Some(device)),
                "{header}"
            );
            assert!(!tree.is_of("my", None) && !tree.is_of("2", Some("dm-5")), "{header}");
        }
        let native = &parse("uuid.1 [nvme]:nvme0n1 NVMe,model,1")[0];
        assert!(native.is_of("uuid.1", None) && !native.is_of("", Some("dm-0")) && native.order().0);
    }

    #[test]
    fn only_actions_are_cut_off_and_escapes_are_harmless() {
        let name = |header: &str| parse(header).remove(0).name;
        assert_eq!(name("create: a dm-0 V,P"), "a");
        assert_eq!(name(": a dm-0 V,P"), "a");
        assert_eq!(name("a dm-0 V: P,Q"), "a");
        assert_eq!(plain(&parse("a dm-0 \x1b[31mV,P")), "a dm-0 ?[31mV,P\n");
    }
}
