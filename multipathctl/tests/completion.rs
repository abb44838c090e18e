//! bash's, zsh's and fish's completion, as they run it: what it offers for a line.

use std::fs;
use std::path::{Path, PathBuf};
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
    offered_with(ANSWERS, line)
}

/// A daemon that has no path and no map.
const NOTHING: &str = "multipathctl() { echo ok; }";

fn offered_with(answers: &str, line: &[&str]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc/completions/multipathctl.bash");
    let ask = r#"
. "$1" && shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_multipathctl && [ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
"#;
    let answer = Command::new("bash")
        .args(["--norc", "-uc", &format!("{answers}{ask}"), "bash"])
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
    assert_eq!(offered(&["multipathctl", "show", "paths", ""]), ["format", "json", "raw"]);
    assert_eq!(offered(&["multipathctl", "show", "map", "mpatha", "t"]), ["topology"]);
    assert_eq!(
        offered(&["multipathctl", "--json", "disablequeueing", ""]),
        ["map", "maps", "multipath", "multipaths"]
    );
    assert_eq!(offered(&["multipathctl", "no", "such", ""]), [""; 0]);
    // What the reference does not have.
    assert_eq!(offered(&["multipathctl", "show", "re"]), ["replies"]);
    assert_eq!(offered(&["multipathctl", "show", "status", ""]), ["json"]);
    assert_eq!(offered(&["multipathd", "del", "w"]), ["wwid"]);
    assert_eq!(offered(&["multipathd", "reset", "w"]), ["wwids"]);
}

#[test]
fn bash_offers_what_the_name_has() {
    assert_eq!(offered(&["multipathctl", "e"]), ["end-queueing", "events", "exit", "explain"]);
    assert_eq!(offered(&["/sbin/multipathd", "e"]), ["events", "exit", "explain"]);
    assert_eq!(offered(&["multipathc", "ch"]), [""; 0]);
    assert_eq!(offered(&["multipathd", "plan", ""]), ["file", "json"]);
    assert_eq!(offered(&["multipathd", "-"]), ["-B", "-d", "-h", "-k", "-n", "-s", "-v", "-w"]);
    assert_eq!(offered(&["multipathc", "-"]), [""; 0]);
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
    assert_eq!(offered(&["multipathctl", "-ll", "mpath"]), ["mpatha", "mpathb"]);
    assert_eq!(offered(&["multipathctl", "-v", "1", "-l", "mpath"]), ["mpatha", "mpathb"]);
    assert_eq!(offered(&["multipathctl", "-ll", "mpatha", ""]), [""; 0]);
    assert_eq!(offered(&["multipathctl", "explain", "s"]), ["sda", "sdaa", "sdb"]);
    assert_eq!(offered(&["multipathctl", "explain", "mpatha"]), ["mpatha"]);
    for line in [&["multipathctl", "-ll", ""][..], &["multipathctl", "explain", ""]] {
        assert_eq!(offered_with(NOTHING, line), [""; 0], "{line:?}");
    }
}

#[test]
fn bash_offers_options_and_files() {
    assert_eq!(offered(&["multipathctl", "--js"]), ["--json"]);
    assert_eq!(offered(&["multipathctl", "-l"]), ["-l", "-ll"]);
    assert_eq!(
        offered(&["multipathctl", "check", "--"]),
        ["--fix", "--help", "--json", "--strict", "--write"]
    );
    assert_eq!(offered(&["multipathctl", "events", "--"]), ["--follow", "--help"]);
    assert_eq!(offered(&["multipathctl", "--timeout", ""]), [""; 0]);
    assert_eq!(offered(&["multipathctl", "--timeout", "9", "fail", "p"]), ["path"]);
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
    case "$EMPTY$*" in
    yes*) print ok ;;
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

/// Shells are installed where they are missing.
fn shells_are_there() {
    static THERE: OnceLock<bool> = OnceLock::new();
    let there = || {
        let runs =
            |shell| Command::new(shell).args(["-c", "true"]).status().is_ok_and(|status| status.success());
        runs("zsh") && runs("fish")
    };
    let install = || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lib/install.sh");
        let arguments = ["-c", r#". "$1" && need_packages zsh fish"#, "bash"];
        Command::new("bash").args(arguments).arg(script).status().is_ok_and(|status| status.success())
    };
    assert!(*THERE.get_or_init(|| there() || install() && there()));
}

/// An empty folder, in which nothing is to be left: a name that a device says of itself would make a file.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// What a shell says that runs in such a folder.
fn lines_of(shell: &mut Command, folder: &Path) -> Vec<String> {
    let answer = shell.current_dir(folder).output().expect("the shell is there");
    assert_eq!(String::from_utf8_lossy(&answer.stderr), "", "{}", folder.display());
    assert!(
        !folder.join("ran").exists(),
        "{}: a name was run, or something else was asked",
        folder.display()
    );
    String::from_utf8_lossy(&answer.stdout).lines().map(Into::into).collect()
}

/// The lines as zsh has them then.
fn zsh_makes(test: &str, lines: &[&str]) -> Vec<String> {
    shells_are_there();
    let folder = folder(&format!("zsh-{test}"));
    let completions = concat!(env!("CARGO_MANIFEST_DIR"), "/../etc/completions");
    fs::write(folder.join("begin"), ZSH_BEGINS.replace("@COMPLETIONS@", completions)).expect("written");
    let mut zsh = Command::new("zsh");
    zsh.args(["-f", "-c", ZSH, "zsh", "./begin"]).args(lines);
    lines_of(zsh.env("EMPTY", if test == "empty" { "yes" } else { "" }), &folder)
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
        ("multipathd show paths ", "multipathd show paths format json raw "),
        ("multipathc show map mpatha t", "multipathc show map mpatha topology "),
        (
            "multipathctl --json disablequeueing ",
            "multipathctl --json disablequeueing map maps multipath multipaths ",
        ),
        ("multipathctl no such ", "multipathctl no such "),
        ("multipathctl --js", "multipathctl --json "),
        ("multipathctl show re", "multipathctl show replies "),
        ("multipathd reset w", "multipathd reset wwids "),
        ("multipathctl e", "multipathctl end-queueing events exit explain "),
        ("multipathd e", "multipathd events exit explain "),
        ("multipathd plan ", "multipathd plan file json "),
        ("multipathctl check --", "multipathctl check --fix --help --json --strict --write "),
        ("multipathctl events --f", "multipathctl events --follow "),
        ("multipathd --js", "multipathd --js"),
        ("multipathctl --timeout 9 fail p", "multipathctl --timeout 9 fail path "),
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
        ("multipathctl -ll mpath", "multipathctl -ll mpatha mpathb "),
        ("multipathctl -ll mpatha ", "multipathctl -ll mpatha "),
        ("multipathctl explain mpath", "multipathctl explain mpatha mpathb "),
        ("multipathctl explain sda", "multipathctl explain sda sdaa "),
    ];
    assert_eq!(zsh_makes("names", &cases.map(|(line, _)| line)), cases.map(|(_, becomes)| becomes));
    // Where there is no name, the daemon's word for that is none.
    let lines = ["multipathctl -ll ", "multipathctl explain ", "multipathctl fail path "];
    assert_eq!(zsh_makes("empty", &lines), lines);
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

/// For each line, what fish would put into it: a line of the answer each, and `@` before the next one's.
const FISH: &str = r#"
function multipathctl
    switch "$EMPTY$argv"
        case 'yes*'
            echo ok
        case 'show paths raw format %d'
            printf '%s\n' sda sdb sdaa
        case 'show maps raw format %n'
            printf '%s\n' mpatha mpathb 'mpx$(touch ran)' '(touch ran)' '*' 'two words' "it's"
        case '*'
            touch ran
    end
end
source $argv[1]
for line in $argv[2..]
    echo @
    complete --escape -C $line
end
"#;

/// What is offered, separated by blanks.
fn fish_offers(test: &str, lines: &[&str]) -> Vec<String> {
    shells_are_there();
    let folder = folder(&format!("fish-{test}"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../etc/completions/multipathctl.fish");
    let mut fish = Command::new("fish");
    fish.args(["--no-config", "-c", FISH, script]).args(lines).env("HOME", &folder);
    fish.env("EMPTY", if test == "empty" { "yes" } else { "" });
    let answer = lines_of(&mut fish, &folder);
    answer.split(|line| line == "@").skip(1).map(|offered| offered.join(" ")).collect()
}

#[test]
fn fish_offers_the_words_that_may_come() {
    let cases = [
        ("multipathctl reins", "reinstate"),
        ("multipathctl re", "reconfigure reinstate reload remove reset resize restorequeueing resume"),
        ("multipathctl show path", "path paths"),
        ("multipathd show paths ", "format json raw"),
        ("multipathc show map mpatha t", "topology"),
        ("multipathctl --json disablequeueing ", "map maps multipath multipaths"),
        ("multipathctl no such ", ""),
        ("multipathctl --js", "--json"),
        ("multipathctl show re", "replies"),
        ("multipathd reset w", "wwids"),
        ("multipathctl e", "end-queueing events exit explain"),
        ("multipathd e", "events exit explain"),
        ("multipathd plan ", "file json"),
        ("multipathctl check --", "--fix --help --json --strict --write"),
        ("multipathctl events --f", "--follow"),
        ("multipathd --js", ""),
        ("multipathctl --timeout 9 fail p", "path"),
    ];
    assert_eq!(fish_offers("words", &cases.map(|(line, _)| line)), cases.map(|(_, offered)| offered));
}

#[test]
fn fish_offers_names_of_the_daemon_as_they_are() {
    // Quoted for the line, and run by nobody.
    let cases = [
        ("multipathctl fail path sda", "sda sdaa"),
        ("multipathd show map mpath", "mpatha mpathb"),
        ("multipathctl resize map mpx", r"mpx\$\(touch\ ran\)"),
        (r"multipathctl resize map \(", r"\(touch\ ran\)"),
        (r"multipathctl resize map \*", r"\*"),
        ("multipathctl resize map t", r"two\ words"),
        ("multipathctl resize map i", r"it\'s"),
        ("multipathctl -ll mpath", "mpatha mpathb"),
        ("multipathctl -ll mpatha ", ""),
        ("multipathctl explain mpath", "mpatha mpathb"),
        ("multipathctl explain sda", "sda sdaa"),
    ];
    assert_eq!(fish_offers("names", &cases.map(|(line, _)| line)), cases.map(|(_, offered)| offered));
    // Where there is no name, the daemon's word for that is none.
    let lines = ["multipathctl -ll ", "multipathctl explain ", "multipathctl fail path "];
    assert_eq!(fish_offers("empty", &lines), ["", "", ""]);
}

#[test]
fn fish_offers_files() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.t");
    assert_eq!(
        fish_offers("files", &[&format!("multipathctl check {manifest}")]),
        [format!("{manifest}oml")]
    );
}
