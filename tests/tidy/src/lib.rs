//! The house's rules as code: who may touch what, and how big a thing may grow.
//!
//! It reads sources as text; what it knows of Rust is what [`source`] knows: comments, literals,
//! braces. The rules are in [`rules`], and `tests/rules.rs` applies them to this repository.
#![forbid(unsafe_code)]

pub mod manifest;
pub mod rules;
pub mod situations;
pub mod source;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours, or nothing that is written by hand.
const SKIPPED: &[&str] = &["target", "fixtures", "generated"];

/// All files below `root` whose names end in `suffix`, sorted, as paths relative to it.
pub fn files(root: &Path, suffix: &str) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                folders.push(entry.path());
            } else if kind.is_file() && name.ends_with(suffix) {
                let path = entry.path();
                found.push(path.strip_prefix(root).unwrap_or(&path).to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}
