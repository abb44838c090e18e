//! `check` and its `--fix`, on files.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn check(args: &[&str], stdin: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_multipathctl"))
        .arg("check")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn diagnostics_as_a_compiler_prints_them() {
    let (status, stdout, stderr) =
        check(&["-"], "defaults {\n\tpoling_interval 5\n\tno_path_retry queue\n}\n");
    let expected = "\
error: unknown keyword `poling_interval`: ignored
 --> <stdin>:2:2
  |
2 |     poling_interval 5
  |     ^^^^^^^^^^^^^^^
  = help: did you mean `polling_interval`?

warning: `no_path_retry`: without a path I/O waits for ever, and with it whatever needs it, a shutdown too
 --> <stdin>:3:16
  |
3 |     no_path_retry queue
  |                   ^^^^^
  = help: a number of checks ends the waiting: `no_path_retry 12`

1 error, 1 warning
";
    assert_eq!((status, stdout.as_str(), stderr.as_str()), (2, expected, ""));
}

/// As it is, and with its settings in force. What is explained there is behind a `#` and a blank.
#[test]
fn the_sample_is_without_fault() {
    let sample = include_str!("../../etc/multipath.conf");
    let mut changed = 0;
    let set = |line: &str| match line.trim_start().strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => {
            changed += 1;
            format!("{setting}\n")
        }
        _ => format!("{line}\n"),
    };
    let in_force: String = sample.lines().map(set).collect();
    assert!(changed >= 11 && in_force.contains("\nblacklist {\n\tdevnode"), "{changed}:\n{in_force}");
    for text in [sample, &in_force] {
        let (code, stdout, _) = check(&["-", "--strict"], text);
        assert_eq!((code, stdout.as_str()), (0, "no remarks\n"), "{text}");
    }
}

#[test]
fn the_status_says_how_bad_it_is() {
    for (args, text, status, said) in [
        (&["-"][..], "defaults {\n prio alua\n}\n", 0, "no remarks\n"),
        (&["-", "--strict"], "defaults {\n prio alua\n}\n", 0, "no remarks\n"),
        (&["-"], "defaults {\n no_path_retry queue\n}\n", 0, "1 warning\n"),
        (&["-", "--strict"], "defaults {\n no_path_retry queue\n}\n", 1, "1 warning\n"),
        (&["-", "--strict"], "defaults {\n selector \"round-robin 0\"\n}\n", 1, "1 note\n"),
        (&["-"], "defaults {\n", 2, "1 error\n"),
    ] {
        let (code, stdout, _) = check(args, text);
        assert!(code == status && stdout.ends_with(said), "{args:?} {text}: {code}\n{stdout}");
    }
    let (code, stdout, stderr) = check(&["/no/such.conf"], "");
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("/no/such.conf: "), "{stderr}");
    assert_eq!(check(&["-", "--write"], "").0, 1);
}

#[test]
fn diagnostics_for_programs() {
    let (_, stdout, _) = check(&["-", "--json"], "defaults {\n poling_interval 5\n}\n");
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let one = &json["diagnostics"][0];
    assert_eq!((one["severity"].as_str(), one["code"].as_str()), (Some("error"), Some("unknown-keyword")));
    assert_eq!((one["line"].as_u64(), one["column"].as_u64()), (Some(2), Some(2)));
    assert_eq!(one["help"], "did you mean `polling_interval`?");
}

const OLD: &str = "# ours\ndefaults {\n\tselector \"round-robin 0\" # old\n\tprio alua\n}\n";
const NEW: &str = "# ours\ndefaults {\n\tpath_selector \"round-robin 0\" # old\n\tprio alua\n}\n";

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

#[test]
fn old_keywords_are_rewritten_and_the_original_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.conf");
    let name = file.to_str().unwrap();
    fs::write(&file, OLD).unwrap();
    let diff = format!(
        "--- {name}\n+++ {name}\n@@ -1,5 +1,5 @@\n # ours\n defaults {{\n-\tselector \"round-robin 0\" # old\n+\tpath_selector \"round-robin 0\" # old\n \tprio alua\n }}\n"
    );
    assert_eq!(check(&[name, "--fix"], ""), (0, diff.clone(), String::new()));
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), names(dir.path()).len()), (OLD, 1));

    let said = format!("{name}: written; the original is {name}.bak\n");
    assert_eq!(check(&[name, "--fix", "--write"], ""), (0, diff, said));
    assert_eq!(fs::read_to_string(&file).unwrap(), NEW);
    assert_eq!(fs::read_to_string(dir.path().join("m.conf.bak")).unwrap(), OLD);
    assert_eq!(check(&[name, "--fix", "--write"], ""), (0, "nothing to rewrite\n".into(), String::new()));

    // An original that is kept already stays.
    fs::write(&file, OLD).unwrap();
    assert_eq!(check(&[name, "--fix", "--write"], "").0, 0);
    assert_eq!(names(dir.path()), ["m.conf", "m.conf.bak", "m.conf.bak1"]);
    assert_eq!(check(&[name, "--strict"], ""), (0, "no remarks\n".into(), String::new()));
    // From standard input it is shown, and there is nothing to write to.
    assert_eq!(check(&["-", "--fix", "--write"], OLD).0, 2);
}

#[test]
fn what_is_left_is_said_beside_the_diff() {
    let bad = "defaults {\n\tbogus 3\n\tpolling_interval 5s\n\tselector \"round-robin 0\"\n}\n";
    let warned = "defaults {\n\tselector \"round-robin 0\"\n\tno_path_retry queue\n}\n";
    for (args, text, status, left) in [
        (&["--fix"][..], bad, 2, "left: 2 errors\n"),
        (&["--fix", "--strict"], bad, 2, "left: 2 errors\n"),
        (&["--fix"], warned, 0, "left: 1 warning\n"),
        (&["--fix", "--strict"], warned, 1, "left: 1 warning\n"),
        (&["--fix", "--strict"], OLD, 0, ""),
        (&["--fix"], "defaults {\n\tbogus 3\n}\n", 2, "left: 1 error\n"),
    ] {
        let args = [&["-"], args].concat();
        let (code, stdout, stderr) = check(&args, text);
        assert!(code == status && stderr.ends_with(left), "{args:?} {text}: {code}\n{stderr}");
        assert!(!stdout.contains("error:"), "{stdout}");
        assert_eq!(stderr.is_empty(), left.is_empty(), "{stderr}");
    }

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.conf");
    fs::write(&file, bad).unwrap();
    let (code, _, stderr) = check(&[file.to_str().unwrap(), "--fix", "--write"], "");
    assert!(code == 2 && stderr.contains("m.conf: written;"), "{code} {stderr}");
    assert!(stderr.contains("unknown keyword `bogus`"), "{stderr}");
    assert!(fs::read_to_string(&file).unwrap().contains("path_selector"));
}
