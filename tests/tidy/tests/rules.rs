//! The rules, applied to this repository.

use std::fs;
use std::path::{Path, PathBuf};

fn read(suffix: &str, at_least: usize) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let paths = tidy::files(root, suffix).unwrap();
    assert!(paths.len() >= at_least, "{} files {suffix} below {}", paths.len(), root.display());
    let read = paths.into_iter().map(|path| {
        let text = fs::read(root.join(&path)).unwrap();
        (path, String::from_utf8_lossy(&text).into_owned())
    });
    read.collect()
}

#[track_caller]
fn none_broken(broken: impl Iterator<Item = String>) {
    let broken: Vec<_> = broken.collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn sources() {
    let files = read(".rs", 20);
    let tests = tidy::rules::test_files(&files);
    none_broken(files.iter().flat_map(|(path, text)| tidy::rules::rust(path, text, tests.contains(path))));
}

#[test]
fn dependencies() {
    none_broken(read("Cargo.toml", 4).iter().flat_map(|(path, text)| tidy::rules::cargo(path, text)));
}

#[test]
fn situations() {
    none_broken(tidy::situations::broken(&read(".sh", 20)).into_iter());
}
