//! `check [FILE]`: what there is to say of a configuration, as a compiler would say it.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use libmp::config::lint::{self, Surroundings, UdevRules};
use libmp::config::{Diagnostic, Severity, Source};
use libmp::core::effect::StateFile;
use libmp::ctl::Form;
use multipathd::reading;
use multipathd::sys::files::{Files, Paths};
use multipathd::sys::machine;
use serde_json::{Value, json};

use crate::cli::{Check, Fix};
use crate::{fix, output};

/// There is an error, or a file that can't be read.
const ERRORS: u8 = 2;
/// With `--strict`: there is something to say.
const WARNINGS: u8 = 1;
/// Standard input.
const STDIN: &str = "-";
/// What messages call it.
const STDIN_NAME: &str = "<stdin>";

/// A file: its name and text.
pub type Text = (String, String);

/// Checks, tells, and gives the exit status.
pub fn run(what: &Check) -> ExitCode {
    let paths = Paths::default();
    let texts = match read(what.file.as_deref(), &paths) {
        Ok(texts) => texts,
        Err(lines) => {
            for line in lines {
                output::complain(&line);
            }
            return ExitCode::from(ERRORS);
        }
    };
    let found = lint(&texts, &paths);
    if what.fix != Fix::No {
        return fix(&texts, &found, what, &paths);
    }
    let text = match what.form {
        Form::Text => text(&found, texts.len()),
        Form::Json => as_json(&found),
    };
    output::print_styled(&text)
        .map_or_else(|error| output::unprinted(&error), |()| ExitCode::from(status(&found, what.strict)))
}

/// Everything there is to say of the files.
fn lint(texts: &[Text], paths: &Paths) -> Vec<Diagnostic> {
    // They are root's: what somebody else can't read is taken as empty.
    let bindings = fs::read(paths.state_file(StateFile::Bindings)).unwrap_or_default();
    let around = Surroundings {
        bindings: &String::from_utf8_lossy(&bindings),
        udev_rules: if machine::has_udev_rules() { UdevRules::Present } else { UdevRules::Missing },
    };
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    lint::check(&sources, &reading::environment(), &around)
}

/// The files in today's words, and what there is to say of them then: beside the diff, which programs read.
fn fix(texts: &[Text], found: &[Diagnostic], what: &Check, paths: &Paths) -> ExitCode {
    let fixed = fix::fixed(texts, found);
    if let Err(code) = fix::show(texts, &fixed, what.fix) {
        return code;
    }
    let left = lint(&fixed, paths);
    if !left.is_empty() {
        let told: String = left.iter().map(|one| one.render() + "\n").collect();
        output::complain(&format!("{told}left: {}", summary(&left, fixed.len()).trim_end()));
    }
    ExitCode::from(status(&left, what.strict))
}

/// The files to be checked. An error is a line for each that can't be read.
fn read(file: Option<&Path>, paths: &Paths) -> Result<Vec<Text>, Vec<String>> {
    let Some(file) = file else {
        let texts = Files::new(paths.clone()).read_configuration();
        return if texts.unreadable.is_empty() { Ok(texts.config) } else { Err(texts.unreadable) };
    };
    let (name, bytes) = if file.as_os_str() == STDIN {
        let mut bytes = Vec::new();
        (STDIN_NAME.to_string(), io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes))
    } else {
        (file.display().to_string(), fs::read(file))
    };
    let bytes = bytes.map_err(|error| vec![format!("{name}: {error}")])?;
    Ok(vec![(name, String::from_utf8_lossy(&bytes).into_owned())])
}

fn status(found: &[Diagnostic], strict: bool) -> u8 {
    if found.iter().any(|one| one.severity == Severity::Error) {
        ERRORS
    } else if strict && !found.is_empty() {
        WARNINGS
    } else {
        0
    }
}

fn text(found: &[Diagnostic], files: usize) -> String {
    let told: String = found.iter().map(|one| styled(one) + "\n").collect();
    told + &summary(found, files)
}

/// A diagnostic, its first word coloured by how bad it is, and its caret too.
fn styled(one: &Diagnostic) -> String {
    let colour = match one.severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    };
    let style: Style = colour.on_default().bold();
    let head = one.severity.to_string();
    let lines = one.render();
    let lines = lines.lines().enumerate().map(|(number, line)| match (number, line.find('^')) {
        (0, _) => format!("{style}{head}{style:#}{}\n", line.strip_prefix(&head).unwrap_or(line)),
        (4, Some(at)) => format!("{}{style}{}{style:#}\n", &line[..at], &line[at..]),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

fn summary(found: &[Diagnostic], files: usize) -> String {
    let files = match files {
        0 => return "there is no configuration file: the defaults hold\n".into(),
        1 => String::new(),
        many => format!(" in {many} files"),
    };
    let count = |severity, word: &str| {
        let count = found.iter().filter(|one| one.severity == severity).count();
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {word}{plural}"))
    };
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counts: Vec<String> =
        counts.into_iter().filter_map(|(severity, word)| count(severity, word)).collect();
    if counts.is_empty() { format!("no remarks{files}\n") } else { format!("{}{files}\n", counts.join(", ")) }
}

fn as_json(found: &[Diagnostic]) -> String {
    let one = |one: &Diagnostic| {
        json!({
            "severity": one.severity.to_string(),
            "code": one.code,
            "file": one.source,
            "line": one.line,
            "column": one.column,
            "width": one.width,
            "message": one.message,
            "help": one.help,
        })
    };
    let list: Vec<Value> = found.iter().map(one).collect();
    format!("{:#}\n", json!({ "diagnostics": list }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_file_that_can_not_be_read_is_no_fault_of_the_configuration() {
        let folder = tempfile::tempdir().expect("made");
        let at = |name: &str| folder.path().join(name);
        let [config, config_dir, state_dir, run_dir] = ["multipath.conf", "conf.d", "state", "run"].map(at);
        let paths = Paths { config, config_dir, state_dir, run_dir };
        fs::write(&paths.config, "defaults {\n}\n").expect("written");
        // Directories in their place: root can read any file.
        for file in [StateFile::Bindings, StateFile::Wwids] {
            fs::create_dir_all(paths.state_file(file)).expect("made");
        }
        let name = paths.config.display().to_string();
        assert_eq!(read(None, &paths), Ok(vec![(name.clone(), "defaults {\n}\n".into())]));
        fs::create_dir_all(paths.config_dir.join("a.conf")).expect("made");
        let unreadable = read(None, &paths).expect_err("a file of the configuration can't be read");
        assert!(unreadable.len() == 1 && unreadable[0].contains("/conf.d/a.conf: "), "{unreadable:?}");
    }
}
