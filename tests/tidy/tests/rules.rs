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

/// ARCHITECTURE.md lists what goes in and out of the core, by name.
#[test]
fn events_and_effects_are_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let told = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for (name, file) in [("Event", "event.rs"), ("Effect", "effect.rs")] {
        let text = fs::read_to_string(root.join("libmp/src/core").join(file)).unwrap();
        let body = text.split_once(&format!("pub enum {name} {{")).unwrap().1.split_once("\n}").unwrap().0;
        let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
        let variants: Vec<&str> = lines
            .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
            .filter_map(|line| line.split(|c: char| !c.is_alphanumeric()).next())
            .collect();
        assert!(variants.len() > 10, "{variants:?}");
        let missing: Vec<_> =
            variants.iter().filter(|variant| !told.contains(&format!("`{variant}`"))).collect();
        assert!(missing.is_empty(), "{name}s that ARCHITECTURE.md does not list: {missing:?}");
    }
}
