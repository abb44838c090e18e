//! Every keyword in every section: both take it, or neither does.

use std::collections::BTreeSet;

use libmp::config::options::{OPTIONS, OptionRow, Section, Status};

use crate::check::{Pair, one_file};
use crate::cli::Places;
use crate::known::{NEW_IN, ONLY_HERE};
use crate::ours;

/// The number of failures.
pub fn run(places: &Places) -> Result<usize, String> {
    let mut pair = Pair::start(places, 0)?;
    let (mut passed, mut wrong) = (0, Vec::new());
    for section in Section::ALL {
        let rows: Vec<&OptionRow> = OPTIONS.iter().filter(|row| !is_known(row, section)).collect();
        let (text, first) = file(&rows, section);
        let theirs = refused_there(&pair.complaints(&one_file(&text))?);
        let ours = refused_here(&text);
        for (line, row) in (first..).zip(&rows) {
            match (theirs.contains(&line), ours.contains(&line)) {
                (theirs, ours) if theirs == ours => passed += 1,
                (true, _) => wrong.push(format!("{} in {}: only taken here", row.name, section.path())),
                (false, _) => wrong.push(format!("{} in {}: only taken there", row.name, section.path())),
            }
        }
    }
    for wrong in &wrong {
        println!("FAIL {wrong}");
    }
    println!("keywords in sections: {passed} passed, {} failed", wrong.len());
    Ok(wrong.len())
}

/// Keywords of other versions, and what opens a subsection here and is no keyword.
fn is_known(row: &OptionRow, section: Section) -> bool {
    let other_version = ONLY_HERE.contains(&row.name) || NEW_IN.contains(&row.name);
    let old = matches!(row.status, Status::Ignored(_));
    other_version || old || Section::open(Some(section), row.name).is_some()
}

/// A file with all of them in the section, a line each, and the first one's line.
fn file(rows: &[&OptionRow], section: Section) -> (String, usize) {
    let lines: String = rows.iter().flat_map(|row| [row.name, " 1\n"]).collect();
    match section.parent() {
        Some(parent) => (format!("{} {{\n{} {{\n{lines}}}\n}}\n", parent.word(), section.word()), 3),
        None => (format!("{} {{\n{lines}}}\n", section.word()), 2),
    }
}

fn refused_there(complaints: &str) -> BTreeSet<usize> {
    let refused = complaints.lines().filter(|line| line.contains("invalid keyword"));
    let number = |line: &str| line.split_once(" line ")?.1.split_once(',')?.0.parse().ok();
    refused.filter_map(number).collect()
}

fn refused_here(text: &str) -> BTreeSet<usize> {
    let (_, found) = ours::read(&one_file(text), false);
    let refused = found.iter().filter(|found| ["wrong-section", "unknown-keyword"].contains(&found.code));
    refused.map(|found| found.line as usize).collect()
}
