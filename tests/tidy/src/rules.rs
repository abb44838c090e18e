//! The rules. Each takes a file and says what breaks it, a sentence each, with file and line.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::manifest;
use crate::source::{Source, functions, test_modules, word};

/// A file has no more lines.
const FILE_LINES: usize = 600;
/// A function of the product has no more lines.
const FUNCTION_LINES: usize = 70;
/// A test has no more lines; its tables are data.
const TEST_LINES: usize = 120;
/// What the core must do without, as the first name of a path.
const NOT_IN_THE_CORE: &[&str] = &["std", "tokio", "nix", "libc", "rustix", "mio"];
/// Where system calls are.
const SYSTEM: &str = "multipathd/src/sys/";
/// What C calls, and what calls it as C does.
const FOR_C: &[&str] = &["multipathctl/libmpathcmd/src/c.rs", "multipathctl/libmpathcmd/tests/"];
/// The daemon's part that makes none, but for where words that name a device lead, and where the log goes.
const DAEMON: &str = "multipathd/src/";
const MAY_LOOK: &[&str] = &["multipathd/src/args.rs", "multipathd/src/log.rs"];
/// A reason stands so many lines above its block, or nearer.
const SAFETY_LINES: usize = 8;

/// The files that hold nothing but tests: those in folders `tests`, and those that another one
/// declares so.
pub fn test_files(files: &[(PathBuf, String)]) -> BTreeSet<PathBuf> {
    let declared = files.iter().flat_map(|(path, text)| {
        let folder = match path.file_name().and_then(OsStr::to_str) {
            Some("mod.rs" | "lib.rs" | "main.rs") => path.parent().unwrap_or(path).to_path_buf(),
            _ => path.with_extension(""),
        };
        let names: Vec<_> = test_modules(&Source::new(text, false).code).collect();
        names.into_iter().map(move |name| folder.join(name).with_extension("rs"))
    });
    let in_folders = files.iter().filter(|(path, _)| {
        let mut folders = path.components().rev().skip(1).take_while(|part| part.as_os_str() != "src");
        folders.any(|part| part.as_os_str() == "tests")
    });
    declared.chain(in_folders.map(|(path, _)| path.clone())).collect()
}

/// Everything that breaks a rule in a Rust file.
pub fn rust(path: &Path, text: &str, is_test: bool) -> Vec<String> {
    let path = path.to_string_lossy();
    let source = Source::new(text, is_test);
    let mut broken = Vec::new();
    let mut say = |line: usize, what: &str| broken.push(format!("{path}:{line}: {what}"));
    size(&source, &mut say);
    if !text.starts_with("//!") {
        say(1, "a file starts with `//!` and what it is for");
    }
    for macro_name in ["todo", "unimplemented"] {
        for (line, _) in word(&source.code, macro_name).filter(|(_, after)| after.starts_with('!')) {
            say(line, &format!("`{macro_name}!`: what is not built is published in SHORTCOMINGS.md"));
        }
    }
    for (line, text) in (1..).zip(source.code.lines()) {
        if text.contains("#[ignore") {
            say(line, "a test that is ignored tests nothing");
        }
    }
    if path.starts_with("libmp/src/") {
        for name in NOT_IN_THE_CORE {
            for (line, _) in
                word(&source.product, name).filter(|(_, after)| after.trim_start().starts_with("::"))
            {
                say(line, &format!("`{name}::` in the core, which does no I/O and knows no clock"));
            }
        }
    }
    if path.starts_with(DAEMON) && !path.starts_with(SYSTEM) && !MAY_LOOK.contains(&&*path) {
        for name in ["fs", "nix", "net"] {
            let called = |after: &str| {
                after.strip_prefix("::").is_some_and(|call| call.starts_with(|c: char| c.is_lowercase()))
            };
            for (line, _) in word(&source.product, name).filter(|(_, after)| called(after)) {
                say(line, &format!("`{name}::` outside {SYSTEM}: a device that hangs would hold the loop"));
            }
        }
    }
    unsafety(&path, &source, &mut say);
    broken
}

/// Everything that breaks a rule in a Cargo.toml.
pub fn cargo(path: &Path, text: &str) -> Vec<String> {
    let unexplained = manifest::unexplained(text).into_iter();
    let said = unexplained.map(|(line, name)| {
        format!("{}:{line}: why is `{name}` here? Say it in a comment above it", path.display())
    });
    said.collect()
}

fn size(source: &Source, say: &mut impl FnMut(usize, &str)) {
    let lines = source.text.lines().count();
    if lines > FILE_LINES {
        say(lines, &format!("{lines} lines in a file, {FILE_LINES} are enough"));
    }
    let product: Vec<usize> = functions(&source.product).iter().map(|f| f.line).collect();
    for function in functions(&source.code) {
        let limit = if product.contains(&function.line) { FUNCTION_LINES } else { TEST_LINES };
        if function.lines > limit {
            say(
                function.line,
                &format!("`{}` has {} lines, {limit} are enough", function.name, function.lines),
            );
        }
    }
}

/// `unsafe` is for system calls and for what C calls, and each block says why it is sound. (One test of the core calls
/// the C library, as an oracle.)
fn unsafety(path: &str, source: &Source, say: &mut impl FnMut(usize, &str)) {
    let code = if path.starts_with("libmp/") { &source.product } else { &source.code };
    let lines: Vec<&str> = source.text.lines().collect();
    for (line, after) in word(code, "unsafe") {
        if !path.starts_with(SYSTEM) && !FOR_C.iter().any(|place| path.starts_with(place)) {
            say(line, &format!("`unsafe` outside {SYSTEM} and what is for C"));
        } else if after.trim_start().starts_with(['{', 'i']) {
            let above = &lines[line.saturating_sub(SAFETY_LINES)..line];
            if !above.iter().any(|text| text.contains("SAFETY:")) {
                say(line, "`unsafe` without a `SAFETY:` comment above it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<String> {
        rust(Path::new(path), text, path.contains("tests/"))
    }

    #[test]
    fn what_is_in_order_is_not_told() {
        let text = "//! A.\nfn f() {\n    let unsafe_code = \"unsafe { todo!() }\"; // std::fs\n}\n";
        assert_eq!(broken("libmp/src/a.rs", text), [""; 0]);
        let text = "//! A.\nfn f() {\n    // SAFETY: it is.\n    unsafe { g() }\n}\n";
        assert_eq!(broken("multipathd/src/sys/a.rs", text), [""; 0]);
        let text = "//! A.\n#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn f() { unsafe { g() } }\n}\n";
        assert_eq!(broken("libmp/src/a.rs", text), [""; 0]);
    }

    #[test]
    fn files_of_tests() {
        let file = |path: &str, text: &str| (PathBuf::from(path), text.to_string());
        let files = [
            file("a/src/lib.rs", "mod b;\n#[cfg(test)]\nmod tests;"),
            file("a/src/b.rs", "#[cfg(test)]\nmod oracle;"),
            file("a/tests/c.rs", ""),
            file("tests/d/src/lib.rs", ""),
        ];
        let found: Vec<_> = test_files(&files).into_iter().collect();
        let expected = ["a/src/b/oracle.rs", "a/src/tests.rs", "a/tests/c.rs"].map(PathBuf::from);
        assert_eq!(found, expected);
    }

    #[test]
    fn each_rule_can_be_broken() {
        let long = |lines: usize| format!("//! A.\nfn f() {{\n{}}}\n", "\n".repeat(lines));
        for (path, text, said) in [
            ("a.rs", "fn f() {}".into(), "a.rs:1: a file starts with"),
            ("a.rs", "//! A.\n".repeat(601), "a.rs:601: 601 lines in a file"),
            ("a.rs", long(69), "a.rs:2: `f` has 71 lines"),
            ("a/tests/a.rs", long(119), "a/tests/a.rs:2: `f` has 121 lines"),
            ("a.rs", "//! A.\nfn f() { todo!() }".into(), "a.rs:2: `todo!`"),
            ("a.rs", "//! A.\nfn f() { unimplemented!() }".into(), "a.rs:2: `unimplemented!`"),
            ("a.rs", "//! A.\n#[ignore = \"slow\"]\nfn f() {}".into(), "a.rs:2: a test that is ignored"),
            ("libmp/src/a.rs", "//! A.\nuse std::fs;".into(), "libmp/src/a.rs:2: `std::`"),
            ("libmp/src/a.rs", "//! A.\nfn f() { ::libc ::x() }".into(), "libmp/src/a.rs:2: `libc::`"),
            (
                "multipathd/src/a.rs",
                "//! A.\nunsafe fn f() {}".into(),
                "multipathd/src/a.rs:2: `unsafe` outside",
            ),
            ("multipathd/src/sys/a.rs", "//! A.\nfn f() { unsafe { g() } }".into(), "`unsafe` without"),
            (FOR_C[0], "//! A.\nfn f() { unsafe { g() } }".into(), "`unsafe` without"),
            ("multipathd/src/a.rs", "//! A.\nfn f() { std::fs::read(X) }".into(), "`fs::` outside"),
        ] {
            let told = broken(path, &text);
            assert!(told.len() == 1 && told[0].contains(said), "{said}: {told:?}");
        }
        assert_eq!(broken("a.rs", &long(68)), [""; 0]);
        let told = cargo(Path::new("Cargo.toml"), "[dependencies]\na = \"1\"\n");
        assert_eq!(told, ["Cargo.toml:2: why is `a` here? Say it in a comment above it"]);
    }
}
