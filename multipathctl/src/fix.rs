//! `check --fix`: old keywords become today's, shown as a unified diff, and written if asked for.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libmp::config::{Diagnostic, fix};
use similar::TextDiff;

use crate::check::Text;
use crate::cli::Fix;
use crate::{output, whole};

/// Something could not be written.
const FAILED: u8 = 2;
/// So many originals are kept of a file.
const BACKUPS: u32 = 100;

/// Shows what would become of the files, and writes it if asked for.
pub fn run(texts: &[Text], said: &[Diagnostic], how: Fix) -> ExitCode {
    let changed: Vec<(&Text, String)> = texts
        .iter()
        .map(|file| (file, fix::fix(&file.0, &file.1, said)))
        .filter(|((_, old), new)| old != new)
        .collect();
    if changed.is_empty() {
        return finish(output::print("nothing to rewrite\n"));
    }
    let diffs: String = changed.iter().map(|((name, old), new)| diff(name, old, new)).collect();
    if let Err(error) = output::print(&diffs) {
        return output::unprinted(&error);
    }
    if how != Fix::Write {
        return ExitCode::SUCCESS;
    }
    for ((name, old), new) in changed {
        match whole::replace(Path::new(name), old, &new, keep) {
            Ok(backup) => output::complain(&format!("{name}: written; the original is {}", backup.display())),
            Err(error) => {
                output::complain(&format!("{name}: not written: {error}"));
                return ExitCode::from(FAILED);
            }
        }
    }
    ExitCode::SUCCESS
}

fn finish(printed: io::Result<()>) -> ExitCode {
    printed.map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS)
}

fn diff(name: &str, old: &str, new: &str) -> String {
    TextDiff::from_lines(old, new).unified_diff().header(name, name).to_string()
}

/// A second name for the original, one that nothing has.
fn keep(path: &Path) -> io::Result<PathBuf> {
    for number in 0..BACKUPS {
        let mut name = path.as_os_str().to_os_string();
        name.push(if number == 0 { ".bak".to_string() } else { format!(".bak{number}") });
        let backup = PathBuf::from(name);
        match fs::hard_link(path, &backup) {
            Ok(()) => return Ok(backup),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are too many originals of it: remove some .bak files"))
}
