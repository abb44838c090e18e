//! The parts of the manual pages, and the shells' completions, that follow from the tables of the command line and of the
//! control language.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};
use libmp::ctl::{OURS, USAGE};
use multipathd::args;

/// Options and commands of multipathctl(8), in man(7).
pub fn multipathctl(command: &Command) -> String {
    let mut text = String::from(".SH OPTIONS\n");
    options(command, &mut text);
    text.push_str(".SH COMMANDS OF ITS OWN\n");
    for verb in command.get_subcommands() {
        let arguments = verb.get_positionals().map(|arg| {
            let value = value(arg);
            if arg.is_required_set() { format!(" {value}") } else { format!(" [{value}]") }
        });
        let _ = writeln!(text, ".SS {}{}", escaped(verb.get_name()), escaped(&arguments.collect::<String>()));
        let about = verb.get_long_about().or_else(|| verb.get_about()).map(ToString::to_string);
        for paragraph in about.unwrap_or_default().split("\n\n") {
            let _ = writeln!(text, "{}\n.PP", escaped(paragraph));
        }
        options(verb, &mut text);
    }
    text + &commands()
        + &printed("COMMANDS OF THE DAEMON THAT MULTIPATH-TOOLS DOES NOT HAVE", &OURS.join("\n"))
        + &format!("{}\n", escaped(WHERE))
}

/// How those of the second list are given that are verbs of multipathctl, too.
pub const WHERE: &str =
    "explain, plan and events are given so in a line of -k, and under the name multipathd.";

fn options(command: &Command, text: &mut String) {
    for arg in command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set()) {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let long = arg.get_long().map(|long| format!("--{long}"));
        let names: Vec<String> = short.into_iter().chain(long).collect();
        let takes = if arg.get_action().takes_values() { format!(" {}", value(arg)) } else { String::new() };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(
            text,
            ".TP\n.B {}{}\n{}.",
            escaped(&names.join(", ")),
            escaped(&takes),
            escaped(help.trim_end_matches('.'))
        );
    }
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().map(clap::builder::Str::as_str).collect::<Vec<_>>().join(" ")
}

/// The control language.
pub fn commands() -> String {
    printed("COMMANDS OF THE DAEMON", &USAGE.join("\n"))
}

/// A text that a program prints, as it is.
pub fn printed(heading: &str, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(escaped).collect();
    format!(".SH {heading}\n.nf\n{}\n.fi\n", lines.join("\n"))
}

/// As text in man(7): no line begins with a control character, dashes stay dashes, and what is not ASCII is named by its
/// number.
fn escaped(text: &str) -> String {
    libmp::config::manual::escaped(text)
}

/// How the options of a command line are offered: by their long names, by the short one where there is no other.
fn options_of(command: &Command) -> Vec<String> {
    let arguments = command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
    let mut words: Vec<String> = arguments.flat_map(names_of).collect();
    words.push("--help".into());
    words.sort();
    words
}

fn names_of(arg: &Arg) -> Vec<String> {
    let short = arg.get_short().map(|short| format!("-{short}"));
    match (arg.get_long(), short, arg.get_short()) {
        (Some(long), ..) => vec![format!("--{long}")],
        // Given twice it means something else.
        (None, Some(short), Some(letter)) if matches!(arg.get_action(), ArgAction::Count) => {
            vec![short.clone(), format!("{short}{letter}")]
        }
        (None, short, _) => short.into_iter().collect(),
    }
}

/// The options by what stands before them, a line each: the program's name, the verb or `-` without one, the options.
fn options_by_verb(command: &Command) -> String {
    let line = |verb: &str, command| format!("multipathctl {verb} {}\n", options_of(command).join(" "));
    let mut own = line("-", command);
    own.extend(command.get_subcommands().map(|verb| line(verb.get_name(), verb)));
    let first_word = |line: &'static str| line.split_whitespace().next().filter(|word| word.starts_with('-'));
    let mut daemon: Vec<&str> = args::USAGE.lines().filter_map(first_word).chain(["-k"]).collect();
    daemon.sort_unstable();
    format!("{own}multipathd - {}\n", daemon.join(" "))
}

/// Options that the next word belongs to.
fn valued(command: &Command) -> String {
    let valued =
        command.get_arguments().filter(|arg| !arg.is_positional() && arg.get_action().takes_values());
    valued.flat_map(names_of).collect::<Vec<_>>().join(" ")
}

/// The verbs of multipathctl, a line each, in the words of the control language's grammar.
fn verbs(command: &Command) -> String {
    let verbs = command.get_subcommands().map(|verb| {
        let arguments: String = verb
            .get_positionals()
            .map(|arg| if value(arg) == "FILE" { " $file" } else { " $device" })
            .collect();
        format!("{}{arguments}\n", verb.get_name())
    });
    verbs.collect()
}

/// The control language, a line each: `a|b` for either word, `$path` and `$map` for a name. First what every program sends to the
/// daemon, then what multipathctl has a verb of its own for.
fn grammar(command: &Command) -> (String, String) {
    let is_verb = |line: &&str| {
        let first = line.split(' ').next().unwrap_or_default();
        command.find_subcommand(first).is_some()
    };
    let (verbs, common): (Vec<&str>, Vec<&str>) = OURS.iter().copied().partition(is_verb);
    let common: Vec<&str> = USAGE.iter().copied().chain(common).collect();
    (common.join("\n") + "\n", verbs.join("\n") + "\n")
}

const HEAD: &str = "# Made of the command line's own tables: see multipathctl/tests/manual.rs.\n";

/// The shells' completions: file name and text.
pub fn completions(command: &Command) -> [(&'static str, String); 3] {
    let (common, daemon) = grammar(command);
    let fill = |text: &str| {
        text.replace("@HEAD@\n", HEAD)
            .replace("@GRAMMAR@\n", &common)
            .replace("@OWN@\n", &verbs(command))
            .replace("@DAEMON@\n", &daemon)
            .replace("@OPTIONS@\n", &options_by_verb(command))
            .replace("@VALUES@", &valued(command))
    };
    [
        ("multipathctl.bash", fill(include_str!("completions/bash"))),
        ("_multipathctl", fill(include_str!("completions/zsh"))),
        ("multipathctl.fish", fill(include_str!("completions/fish"))),
    ]
}
