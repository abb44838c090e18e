//! The parts of the manual pages, and the shells' completions, that follow from the tables of the command line and of the
//! control language.

use std::fmt::Write as _;

use clap::{Arg, Command};
use libmp::ctl::{OURS, USAGE};

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

/// Long options and verbs of a command line, and their short ones.
fn words_of(command: &Command) -> Vec<String> {
    let arguments = command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
    let mut words: Vec<String> = arguments
        .filter_map(|arg| {
            let long = arg.get_long().map(|long| format!("--{long}"));
            long.or_else(|| arg.get_short().map(|short| format!("-{short}")))
        })
        .collect();
    words.sort();
    words
}

/// The control language and the verbs of multipathctl, a line each: `a|b` for either word, `$path` and `$map` for a name.
fn grammar(command: &Command) -> String {
    let verbs = command.get_subcommands().map(|verb| {
        let arguments: String = verb
            .get_positionals()
            .map(|arg| if value(arg) == "FILE" { " $file" } else { " $path" })
            .collect();
        format!("{}{arguments}", verb.get_name())
    });
    let lines: Vec<String> = USAGE.iter().map(|line| (*line).to_string()).chain(verbs).collect();
    lines.join("\n") + "\n"
}

const HEAD: &str = "# Made of the command line's own tables: see multipathctl/tests/manual.rs.\n";

/// The shells' completions: file name and text.
pub fn completions(command: &Command) -> [(&'static str, String); 3] {
    let (words, grammar) = (words_of(command).join(" "), grammar(command));
    let fill = |text: &str| {
        text.replace("@WORDS@", &words).replace("@GRAMMAR@\n", &grammar).replace("@HEAD@\n", HEAD)
    };
    [
        ("multipathctl.bash", fill(include_str!("completions/bash"))),
        ("_multipathctl", fill(include_str!("completions/zsh"))),
        ("multipathctl.fish", fill(include_str!("completions/fish"))),
    ]
}
