//! A seed → files: sections, keywords and values, well and badly written.

use libmp::config::options::{Key, OPTIONS, OptionRow, Section};

use crate::rng::Rng;
use crate::values::value;

/// Files by name, `/etc/multipath.conf` first.
pub type Files = Vec<(String, String)>;

/// One in so many seeds has oddities of syntax too.
pub const KINDS: u64 = 4;

/// The files of a seed.
pub fn files(seed: u64) -> Files {
    let mut rng = Rng::new(seed);
    let odd = seed % KINDS == KINDS - 1;
    let count = if rng.percent(25) { 1 + rng.below(3) } else { 1 };
    let names = ["/etc/multipath.conf", "/etc/multipath/conf.d/b.conf", "/etc/multipath/conf.d/a.conf"];
    names[..count].iter().map(|name| ((*name).into(), file(&mut rng, odd))).collect()
}

fn file(rng: &mut Rng, odd: bool) -> String {
    let mut writer = Writer { text: String::new(), rng, odd };
    for _ in 0..=writer.rng.below(5) {
        let outer: Vec<Section> =
            Section::ALL.into_iter().filter(|section| section.parent().is_none()).collect();
        let section = *writer.rng.pick(&outer);
        writer.section(section, "");
    }
    writer.text
}

struct Writer<'r> {
    text: String,
    rng: &'r mut Rng,
    odd: bool,
}

impl Writer<'_> {
    fn section(&mut self, section: Section, indent: &str) {
        let word = section.word();
        let opening = match self.rng.below(60) {
            1 if self.odd => format!("{indent}{word} {{ # x\n"),
            2 | 3 => format!("{indent}{word}{{\n"),
            _ => format!("{indent}{word} {{\n"),
        };
        self.text += &opening;
        let inner = format!("{indent}\t");
        let mut written = self.must_have(section, &inner);
        for _ in 0..self.rng.below(8) {
            self.line(section, &inner, &mut written);
        }
        let below: Vec<Section> =
            Section::ALL.into_iter().filter(|other| other.parent() == Some(section)).collect();
        if let Some(below) = below.first() {
            for _ in 0..self.rng.below(4) {
                self.section(*below, &inner);
            }
        }
        self.write(&format!("{indent}}}\n"));
    }

    fn write(&mut self, text: &str) {
        self.text += text;
    }

    /// What a subsection is nothing without, most of the time.
    fn must_have(&mut self, section: Section, indent: &str) -> Vec<Key> {
        let keys: &[Key] = match section {
            Section::Device | Section::BlacklistDevice | Section::ExceptionsDevice => {
                &[Key::Vendor, Key::Product]
            }
            Section::Protocol => &[Key::Type],
            Section::Multipath => &[Key::Wwid],
            _ => &[],
        };
        for key in keys {
            let needed = matches!(section, Section::BlacklistDevice | Section::ExceptionsDevice);
            if needed || self.rng.percent(96) {
                self.keyword(key.row(), section, indent);
            }
        }
        keys.into()
    }

    fn line(&mut self, section: Section, indent: &str, written: &mut Vec<Key>) {
        if self.odd && self.rng.percent(8) {
            let odd = [
                "# comment",
                "! comment",
                "",
                "bogus 1",
                "bogus",
                "\"quoted\" x",
                "verbosity",
                "wwid a b",
                "\tpolling_interval # 3",
                "\u{e9} x",
                "prio\u{e9}alua",
                "alias \"open",
                "verbosity 3 # x \"y\"",
            ];
            let odd = *self.rng.pick(&odd);
            self.write(&format!("{indent}{odd}\n"));
            return;
        }
        let misplaced = self.rng.percent(3);
        let again = self.rng.percent(3);
        let may = |row: &&OptionRow| {
            // A word that opens a subsection there is no keyword that stands wrong.
            let opens = section == Section::Overrides && row.key == Key::BlacklistProtocol;
            let moves = row.key == Key::AllDevs;
            !opens
                && !moves
                && (misplaced || row.sections.contains(section))
                && (again || row.is_list_in(section) || !written.contains(&row.key))
        };
        let rows: Vec<&OptionRow> = OPTIONS.iter().filter(may).collect();
        if !rows.is_empty() {
            let row = *self.rng.pick(&rows);
            written.push(row.key);
            self.keyword(row, section, indent);
        }
    }

    fn keyword(&mut self, row: &OptionRow, section: Section, indent: &str) {
        // The only other name that the reference knows.
        let checker = row.aliases.contains(&"checker") && self.rng.percent(30);
        let name = if checker { "checker" } else { row.name };
        let value = value(row, section, self.rng);
        let blank = *self.rng.pick(&[" ", " ", "\t", "   "]);
        let end = match self.rng.below(20) {
            0 => " # x",
            1 => " ! y",
            2 => "\t",
            3 if self.odd => " extra",
            4 if self.odd => "\r",
            _ => "",
        };
        self.write(&format!("{indent}{name}{blank}{value}{end}\n"));
    }
}
