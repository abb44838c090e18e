//! bash's and zsh's completion, as they run it: what it offers for a line.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

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

/// An interactive zsh in a terminal of its own, for each line: what it has become when all that is offered has been put into it, as zsh
/// would put one of them.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner "source $1"
zpty -r -m inner text '*is-ready*' || exit 1
for line in $@[2,-1]; do
    zpty -w -n inner $line$'\t\x18'
    zpty -r -m inner text '*@@*@@*' || exit 1
    text=${text#*@@}
    print -r -- "${text%%@@*}"
done
"#;

/// What that zsh begins with. Names that would make a file are a device's.
const ZSH_BEGINS: &str = r#"
PROMPT=
fpath=(@COMPLETIONS@ $fpath)
multipathctl() {
    case "$*" in
    'show paths raw format %d') print -l sda sdb sdaa ;;
    'show maps raw format %n') print -rl mpatha mpathb 'mpx$(touch ran)' '`touch ran`' '*' 'two words' "it's" ;;
    *) touch ran ;;
    esac
}
autoload -Uz compinit
compinit -D -u
all() { _main_complete; compstate[insert]=all compstate[list]= }
show() { print -r -- "@@$BUFFER@@"; BUFFER= }
zle -C all complete-word all
zle -N show
bindkey '^I' all
bindkey '^X' show
print is-rea""dy
"#;

/// zsh is installed where it is missing.
fn zsh_is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    let runs =
        || Command::new("zsh").args(["-f", "-c", "true"]).status().is_ok_and(|status| status.success());
    let install = || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lib/install.sh");
        let installed =
            Command::new("bash").args(["-c", r#". "$1" && need_packages zsh"#, "bash"]).arg(script).status();
        installed.is_ok_and(|status| status.success()) && runs()
    };
    *THERE.get_or_init(|| runs() || install())
}

/// The lines as zsh has them then.
fn zsh_makes(test: &str, lines: &[&str]) -> Vec<String> {
    assert!(zsh_is_there());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("zsh-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let completions = concat!(env!("CARGO_MANIFEST_DIR"), "/../etc/completions");
    fs::write(folder.join("begin"), ZSH_BEGINS.replace("@COMPLETIONS@", completions)).expect("written");
    let answer = Command::new("zsh")
        .args(["-f", "-c", ZSH, "zsh", "./begin"])
        .args(lines)
        .current_dir(&folder)
        .output()
        .expect("zsh is there");
    assert_eq!(String::from_utf8_lossy(&answer.stderr), "", "{test}");
    assert!(!folder.join("ran").exists(), "{test}: a name was run, or something else was asked");
    String::from_utf8_lossy(&answer.stdout).lines().map(Into::into).collect()
}

#[test]
fn zsh_offers_the_words_that_may_come() {
    let cases = [
        ("multipathctl reins", "multipathctl reinstate "),
        (
            "multipathctl re",
            "multipathctl reconfigure reinstate reload remove reset resize restorequeueing resume ",
        ),
        ("multipathctl show path", "multipathctl show path paths "),
        ("multipathd show paths ", "multipathd show paths format raw "),
        ("multipathc show map mpatha t", "multipathc show map mpatha topology "),
        (
            "multipathctl --json disablequeueing ",
            "multipathctl --json disablequeueing map maps multipath multipaths ",
        ),
        ("multipathctl no such ", "multipathctl no such "),
        ("multipathctl --js", "multipathctl --json "),
    ];
    assert_eq!(zsh_makes("words", &cases.map(|(line, _)| line)), cases.map(|(_, becomes)| becomes));
}

#[test]
fn zsh_offers_names_of_the_daemon_as_they_are() {
    // Quoted for the line, and run by nobody.
    let cases = [
        ("multipathctl fail path sda", "multipathctl fail path sda sdaa "),
        ("multipathd show map mpath", "multipathd show map mpatha mpathb "),
        ("multipathctl resize map mpx", r"multipathctl resize map mpx\$\(touch\ ran\) "),
        ("multipathctl resize map \\`", r"multipathctl resize map \`touch\ ran\` "),
        ("multipathctl resize map \\*", r"multipathctl resize map \* "),
        ("multipathctl resize map t", r"multipathctl resize map two\ words "),
        ("multipathctl resize map i", r"multipathctl resize map it\'s "),
    ];
    assert_eq!(zsh_makes("names", &cases.map(|(line, _)| line)), cases.map(|(_, becomes)| becomes));
}

#[test]
fn zsh_offers_files() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let made = zsh_makes("files", &[&format!("multipathctl check {folder}/Cargo.t")]);
    assert_eq!(
        made.iter().map(|line| line.trim_end()).collect::<Vec<_>>(),
        [format!("multipathctl check {folder}/Cargo.toml")]
    );
}
