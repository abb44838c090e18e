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

/// The files with today's keywords. `said` is what there was to say of them.
pub fn fixed(texts: &[Text], said: &[Diagnostic]) -> Vec<Text> {
    texts.iter().map(|(name, text)| (name.clone(), fix::fix(name, text, said))).collect()
}

/// Shows what becomes of the files, and writes it if asked for. An error is the exit status; it is said already.
pub fn show(texts: &[Text], fixed: &[Text], how: Fix) -> Result<(), ExitCode> {
    let changed: Vec<(&Text, &String)> =
        texts.iter().zip(fixed).filter(|(old, new)| old != new).map(|(old, (_, new))| (old, new)).collect();
    let told = if changed.is_empty() {
        "nothing to rewrite\n".into()
    } else {
        changed.iter().map(|((name, old), new)| diff(name, old, new)).collect::<String>()
    };
    output::print(&told).map_err(|error| output::unprinted(&error))?;
    if how != Fix::Write {
        return Ok(());
    }
    for ((name, old), new) in changed {
        match whole::replace(Path::new(name), old, new, keep) {
            Ok(backup) => output::complain(&format!("{name}: written; the original is {}", backup.display())),
            Err(error) => {
                output::complain(&format!("{name}: not written: {error}"));
                return Err(ExitCode::from(FAILED));
            }
        }
    }
    Ok(())
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
