//! bash's completion, as bash runs it: what it offers for a line.

use std::path::Path;
use std::process::Command;

/// The daemon's answers, from a function in the program's place. A name is what a device says of itself.
const ANSWERS: &str = r#"
multipathctl() {
    case "$*" in
    'show paths raw format %d') printf '%s\n' sda sdb sdaa ;;
    'show maps raw format %n') printf '%s\n' mpatha mpathb 'mpx$(echo run >&2)' 'two words' ;;
    *) echo "unknown: $*" >&2 ;;
    esac
}
"#;

/// What is offered after the words of the line, the last of which is begun.
fn offered(line: &[&str]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc/completions/multipathctl.bash");
    let ask = r#"
. "$1" && shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_multipathctl && [ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
"#;
    let answer = Command::new("bash")
        .args(["--norc", "-uc", &format!("{ANSWERS}{ask}"), "bash"])
        .arg(script)
        .args(line)
        .output()
        .expect("bash is there");
    assert_eq!(String::from_utf8_lossy(&answer.stderr), "", "{line:?}");
    let mut words: Vec<String> = String::from_utf8_lossy(&answer.stdout).lines().map(Into::into).collect();
    words.sort();
    words
}

#[test]
fn bash_offers_the_words_that_may_come() {
    assert_eq!(offered(&["multipathctl", "reins"]), ["reinstate"]);
    assert_eq!(
        offered(&["multipathctl", "re"]),
        ["reconfigure", "reinstate", "reload", "remove", "reset", "resize", "restorequeueing", "resume"]
    );
    assert_eq!(offered(&["multipathctl", "show", "path"]), ["path", "paths"]);
    assert_eq!(offered(&["multipathctl", "show", "paths", ""]), ["format", "raw"]);
    assert_eq!(offered(&["multipathctl", "show", "map", "mpatha", "t"]), ["topology"]);
    assert_eq!(
        offered(&["multipathctl", "--json", "disablequeueing", ""]),
        ["map", "maps", "multipath", "multipaths"]
    );
    assert_eq!(offered(&["multipathctl", "no", "such", ""]), [""; 0]);
}

#[test]
fn bash_offers_names_of_the_daemon_as_they_are() {
    assert_eq!(offered(&["multipathctl", "fail", "path", "sda"]), ["sda", "sdaa"]);
    assert_eq!(offered(&["multipathd", "show", "map", "mpath"]), ["mpatha", "mpathb"]);
    // Quoted for the line, and run by nobody.
    assert_eq!(
        offered(&["multipathctl", "resize", "map", ""]),
        ["mpatha", "mpathb", r"mpx\$\(echo\ run\ \>\&2\)", r"two\ words"]
    );
}

#[test]
fn bash_offers_options_and_files() {
    assert_eq!(offered(&["multipathctl", "--js"]), ["--json"]);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.t");
    assert_eq!(
        offered(&["multipathctl", "check", manifest]),
        [concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]
    );
}
