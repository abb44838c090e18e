//! Where text goes: standard output, whose reader may have gone, and the exit status with it.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use libmp::ctl::{FAIL, TIMEOUT};
use libmp::show::without_controls;
pub use multipath_rules::output::{complain, log, print, unprinted};

use crate::client::AskError;

/// A reply, without the line that says how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What to print.
    pub text: String,
    /// Did the daemon say `fail`, or that it took too long?
    pub failed: bool,
}

impl Reply {
    /// From the text as it came. `fail` is cut off where something follows it.
    pub fn new(text: String) -> Self {
        match text.strip_prefix(FAIL) {
            Some("") => Self { text, failed: true },
            Some(rest) => Self { text: rest.to_string(), failed: true },
            // Daemons before 0.9.8 say `timeout` alone.
            None => Self { failed: text == TIMEOUT.trim_start_matches(FAIL), text },
        }
    }
}

/// Text of the daemon as it may be shown. Devices and users have put names into it, and a terminal obeys what is no letter.
pub fn shown(text: &str, is_terminal: bool) -> Cow<'_, str> {
    if is_terminal { without_controls(text) } else { text.into() }
}

/// Prints text of the daemon, as it is where it does not go to a terminal.
pub fn print_told(text: &str) -> io::Result<()> {
    print(&shown(text, io::stdout().is_terminal()))
}

/// Prints a reply.
pub fn reply(reply: &Reply) -> ExitCode {
    let code = if reply.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    // That nobody reads it makes no success of it.
    print_told(&reply.text)
        .map_or_else(|error| if reply.failed { code } else { unprinted(&error) }, |()| code)
}

/// Prints text with styles in it; they are kept on a terminal only, and not under `NO_COLOR`.
pub fn print_styled(text: &str) -> io::Result<()> {
    let stdout = io::stdout();
    // CLICOLOR_FORCE would put them into pipes, and names that are read there would have them.
    let choice = if stdout.is_terminal() { AutoStream::choice(&stdout) } else { ColorChoice::Never };
    let mut stdout = AutoStream::new(stdout.lock(), choice);
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Says that there is no daemon, in the words that scripts look for.
pub fn failed_to_connect() -> ExitCode {
    complain("ERROR: failed to connect to multipathd");
    ExitCode::FAILURE
}

/// Says that there is no answer. Scripts look for it on standard output.
pub fn not_received(error: &AskError) -> ExitCode {
    reply(&Reply { text: format!("{error}\n"), failed: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_by_devices() {
        let text = "a\tb\n\u{1b}[2J\u{9b}1m\r\u{7f}\u{fc}\n";
        assert_eq!(shown(text, true), "a\tb\n?[2J?1m??\u{fc}\n");
        assert_eq!(shown(text, false), text);
    }

    #[test]
    fn replies() {
        for (came, printed, failed) in [
            ("ok\n", "ok\n", false),
            ("fail\n", "fail\n", true),
            ("fail\ndevice not found\n", "device not found\n", true),
            ("fail\ntimeout\n", "timeout\n", true),
            ("timeout\n", "timeout\n", true),
            ("failover\n", "failover\n", false),
            ("", "", false),
        ] {
            assert_eq!(Reply::new(came.into()), Reply { text: printed.into(), failed }, "{came}");
        }
    }
}
