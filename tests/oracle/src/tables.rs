//! The two built-in hardware tables: how ours, a later one, differs from the reference's is written down, entry by entry.

use std::fs;

use crate::check::Pair;
use crate::cli::Places;
use crate::difference::Difference;

/// What `oracle --tables` printed when it was last looked at.
const KNOWN: &str = include_str!("../tables.txt");

/// A line for each difference, those of the entries alone.
pub fn differences(places: &Places) -> Result<Vec<String>, String> {
    let pair = Pair::start(places, 0)?;
    let _ = fs::remove_dir_all(&places.scratch);
    Ok(pair.tables().filter(|found| found.place.starts_with("devices")).map(Difference::show).collect())
}

/// The number of differences that are not written down, and of those that are no more.
pub fn run(places: &Places) -> Result<usize, String> {
    let found = differences(places)?;
    let known: Vec<&str> = KNOWN.lines().collect();
    let new = found
        .iter()
        .filter(|line| !known.contains(&line.as_str()))
        .map(|line| ("not written down", line.as_str()));
    let old =
        known.iter().filter(|line| !found.iter().any(|found| found == *line)).map(|line| ("no more", *line));
    let wrong: Vec<_> = new.chain(old).collect();
    for (what, line) in &wrong {
        println!("FAIL hardware tables: {what}: {line}");
    }
    println!("hardware tables: {} passed, {} failed", known.len().saturating_sub(wrong.len()), wrong.len());
    Ok(wrong.len())
}
