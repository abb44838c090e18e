//! Files as they are in the field: what vendors recommend for their arrays, what distributions, hypervisors and
//! drivers for containers install, each written anew from what is publicly known.

use std::path::Path;
use std::{fs, io};

use libmp::config::{Diagnostic, Severity};

use crate::check::{Outcome, Pair, failures, one_file};
use crate::cli::Places;
use crate::generate::Files;
use crate::ours;

/// Files of a time whose keywords the reference has dropped: it reads them, and not all that they say.
const OLD: [&str; 1] = ["distribution-rhel5"];

/// All of them: name and text.
pub fn files() -> io::Result<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, fs::read_to_string(path)?));
    }
    files.sort();
    Ok(files)
}

/// Compares each with the reference. The number of failures.
pub fn run(places: &Places) -> Result<usize, String> {
    let mut pair = Pair::start(places, 0)?;
    let files = files().map_err(|error| error.to_string())?;
    let mut failed = 0;
    for (name, text) in &files {
        let files = one_file(text);
        let mut wrong = complaints(&files);
        match pair.compare(&files)? {
            Outcome::Refused | Outcome::Died => wrong.push("the reference does not read it".into()),
            outcome => {
                let found = failures(&outcome);
                match (OLD.contains(&name.as_str()), found.is_empty()) {
                    (true, false) => {}
                    (true, true) => wrong.push("the reference reads all of it".into()),
                    (false, _) => wrong.extend(found),
                }
            }
        }
        if !wrong.is_empty() {
            failed += 1;
            println!("FAIL {name}: {}", wrong.join("\n  "));
        }
    }
    println!("files of the field: {} passed, {failed} failed", files.len() - failed);
    Ok(failed)
}

/// Errors, of which there are none in files that work.
fn complaints(files: &Files) -> Vec<String> {
    let (_, found) = ours::read(files, false);
    found.iter().filter(|found| found.severity == Severity::Error).map(Diagnostic::one_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_field_are_read_without_errors_and_their_dumps_are_fixed_points() {
        let files = files().expect("they are there");
        assert!(files.len() >= 20);
        for (name, text) in files {
            assert_eq!(complaints(&one_file(&text)), [""; 0], "{name}");
            let dump = ours::read(&one_file(&text), false).0.dump();
            let (again, found) = ours::read(&one_file(&dump), false);
            assert!(found.iter().all(|found| found.severity != Severity::Error), "{name}");
            assert_eq!(again.dump(), dump, "{name}");
        }
    }
}
