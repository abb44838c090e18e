//! What follows from tables in etc/man and etc/completions is what the tables say.
//! `UPDATE_MANUAL=1 cargo test -p multipathctl --test manual` writes it anew.

use std::fs;
use std::path::{Path, PathBuf};

use multipathctl::{cli, manual, mpathconf, multipath};

const BEGIN: &str = "--test manual\n";
const END: &str = ".\\\" End of the table.\n";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc").join(name)
}

fn is_or_becomes(name: &str, wanted: &str) {
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        fs::write(file(name), wanted).expect("written");
    }
    let there = fs::read_to_string(file(name)).unwrap_or_default();
    assert!(there == wanted, "{name} is out of date: see the head of multipathctl/tests/manual.rs");
}

/// A page is written by hand, but for what stands between two marks.
fn has(page: &str, wanted: &str) {
    let name = format!("man/{page}");
    let text = fs::read_to_string(file(&name)).expect("the manual page");
    let (head, rest) = text.split_once(BEGIN).expect("where the table begins");
    let (_, tail) = rest.split_once(END).expect("where the table ends");
    is_or_becomes(&name, &format!("{head}{BEGIN}{wanted}{END}{tail}"));
}

#[test]
fn the_manual_has_the_options_of_the_table() {
    has("multipath.conf.5", &libmp::config::manual::options());
}

#[test]
fn the_commands_pages_have_what_their_help_says() {
    has("multipathctl.8", &manual::multipathctl(&cli::definition()));
    has("multipathd.8", &(manual::printed("USAGE", multipathd::args::USAGE) + &manual::commands()));
    has("multipath.8", &manual::printed("USAGE", multipath::USAGE));
    has("mpathconf.8", &manual::printed("USAGE", mpathconf::USAGE));
}

#[test]
fn completions_know_every_command() {
    for (name, text) in manual::completions(&cli::definition()) {
        is_or_becomes(&format!("completions/{name}"), &text);
    }
}
