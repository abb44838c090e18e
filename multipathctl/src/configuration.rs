//! `-t` and `-T`: the configuration as a daemon that starts now would have it, written so that it reads back as the
//! same. The running daemon's is `show config`.

use std::process::ExitCode;

use libmp::config::{Diagnostic, Severity};
use libmp::ctl::FAIL;
use multipathd::sys::files::{Files, Paths};
use multipathd::{offline, reading};

use crate::output;

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// With the whole hardware table (`-t`).
    Whole,
    /// Of hardware and maps, what is there (`-T`).
    Local,
}

/// Prints it; what is wrong in the files goes to standard error.
pub fn print(extent: Extent) -> ExitCode {
    let (text, errors) = read(Paths::default(), extent);
    for error in errors {
        output::complain(&error);
    }
    if text.starts_with(FAIL) {
        output::complain(text.trim_end());
        return ExitCode::FAILURE;
    }
    output::print(&text).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS)
}

/// Its text, and a line for each error of the files.
pub fn read(paths: Paths, extent: Extent) -> (String, Vec<String>) {
    let (config, found) = reading::load(&Files::new(paths.clone()).read());
    let text = match extent {
        Extent::Whole => config.dump(),
        Extent::Local => offline::ask(paths, "show config local"),
    };
    let errors = found.iter().filter(|one| one.severity == Severity::Error);
    (text, errors.map(Diagnostic::one_line).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use libmp::config::{Config, Severity, Source};

    use super::*;

    #[test]
    fn files_are_read_in_their_order_and_what_is_printed_reads_back() {
        let folder = tempfile::tempdir().expect("made");
        let at = |name: &str| folder.path().join(name);
        let [config, config_dir, state_dir, run_dir] = ["multipath.conf", "conf.d", "state", "run"].map(at);
        let paths = Paths { config, config_dir, state_dir, run_dir };
        fs::create_dir(at("conf.d")).expect("made");
        fs::write(at("multipath.conf"), "defaults {\n prio sysfs\n polling_interval 7\n}\n")
            .expect("written");
        fs::write(at("conf.d/b.conf"), "defaults {\n prio alua\n bogus 1\n}\n").expect("written");
        fs::write(at("conf.d/a.conf"), "defaults {\n prio const\n}\n").expect("written");
        for (extent, hardware) in [(Extent::Whole, true), (Extent::Local, false)] {
            let (text, errors) = read(paths.clone(), extent);
            assert!(text.starts_with("defaults {\n\tverbosity 2\n\tpolling_interval 7\n"), "{text}");
            assert!(text.contains("\tprio \"alua\"\n"));
            assert_eq!(text.contains("\t\tvendor \"NETAPP\"\n\t\tproduct \"LUN\"\n"), hardware);
            assert_eq!(errors.len(), 1);
            assert!(errors[0].contains("b.conf:3:2: error: unknown keyword `bogus`"), "{}", errors[0]);
            let (again, found) = Config::load(&[Source { name: "dump", text: &text }]);
            assert!(found.iter().all(|found| found.severity != Severity::Error));
            assert!(again.dump().starts_with(text.split("devices {").next().expect("something")));
        }
    }
}
