//! The command line of `multipathd`, as the reference's: the daemon's options, or a command for the
//! daemon that runs.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use crate::log::Timestamps;

/// What `-h` prints.
pub const USAGE: &str = "\
usage: multipathd [-d] [-s] [-v N] [-B] [-n] [-w]     start the daemon
       multipathd -kCOMMAND | COMMAND WORD...         give the running daemon a command
       multipathd -k                                  give it commands line by line

  -d    stay in the foreground, log to stderr
  -s    no time stamps on stderr
  -v N  how much is logged: 0 errors, 1 warnings, 2 changes (default), 3 and 4 more
  -B    leave /etc/multipath/bindings as it is: new LUNs are called by their WWIDs
  -n    accepted and ignored: find_multipaths says of which disks maps are made
  -w    accepted and ignored: maps are always watched through one poll
  -h    this text

`multipathd help` lists the daemon's commands; multipathctl(8) is made for people.
";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// Be the daemon.
    Daemon(Options),
    /// Send one command.
    Command(String),
    /// Send commands, a line each.
    Interactive,
    /// Say how it is called.
    Help,
}

/// Options of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// `-d`
    pub foreground: Foreground,
    /// `-s`
    pub timestamps: Timestamps,
    /// `-v`; the configuration's where not given.
    pub verbosity: Option<u8>,
    /// `-B`
    pub bindings: Bindings,
}

/// `-d`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Foreground {
    /// Go into the background.
    #[default]
    No,
    /// Stay.
    Yes,
}

/// `-B`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bindings {
    /// The bindings file is kept up to date.
    #[default]
    ReadWrite,
    /// It is only read.
    ReadOnly,
}

/// Reads the arguments after the program's name. The error is a line.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, String> {
    let mut parser = Parser::from_args(arguments);
    let mut options = Options::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('d') => options.foreground = Foreground::Yes,
            Arg::Short('s') => options.timestamps = Timestamps::Suppressed,
            Arg::Short('v') => options.verbosity = Some(verbosity(&mut parser)?),
            Arg::Short('B') => options.bindings = Bindings::ReadOnly,
            Arg::Short('n' | 'w') => {}
            Arg::Short('k') => {
                return Ok(match parser.optional_value() {
                    Some(command) => Invocation::Command(command.to_string_lossy().into_owned()),
                    None => Invocation::Interactive,
                });
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(Invocation::Help),
            Arg::Value(first) => {
                let rest = parser.raw_args().map_err(|error| error.to_string())?;
                let words = std::iter::once(first).chain(rest);
                return Ok(Invocation::Command(join(words)));
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Invocation::Daemon(options))
}

fn verbosity(parser: &mut Parser) -> Result<u8, String> {
    let value = parser.value().map_err(|error| error.to_string())?;
    value.parse().map_err(|_| "-v takes a number, 0 to 4".into())
}

/// Words → a line, as the reference's client does it: each followed by a blank, those with blanks in them between quotes,
/// a newline at the end. Quotes may also open in one word and close in a later one: they are left as they are.
///
/// A link that udev made below `/dev/disk` becomes the node that it leads to: the daemon knows nodes only.
pub fn join(words: impl IntoIterator<Item = OsString>) -> String {
    let mut line = String::new();
    for word in words {
        let node = word.to_str().filter(|word| word.starts_with("/dev/disk/")).map(std::fs::canonicalize);
        let word = node.and_then(Result::ok).map_or(word, PathBuf::into_os_string);
        let word = word.to_string_lossy();
        let quote = if word.contains([' ', '\t']) && !word.contains('"') { "\"" } else { "" };
        line.extend([quote, &word, quote, " "]);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Result<Invocation, String> {
        parse(line.iter().map(OsString::from))
    }

    fn command(line: &[&str]) -> String {
        match parsed(line) {
            Ok(Invocation::Command(command)) => command,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn words_are_joined_and_those_with_blanks_quoted() {
        assert_eq!(command(&["show", "paths"]), "show paths \n");
        assert_eq!(command(&["show", "paths", "format", "%d %w"]), "show paths format \"%d %w\" \n");
        // An array's CSI driver passes the quotes as words of their own.
        assert_eq!(
            command(&["show", "maps", "raw", "format", "\"", "%w,%d", "\""]),
            "show maps raw format \" %w,%d \" \n"
        );
        assert_eq!(command(&["-v3", "show", "paths", "-x"]), "show paths -x \n");
        assert_eq!(
            command(&["add", "path", "/dev/disk/by-id/no-such"]),
            "add path /dev/disk/by-id/no-such \n"
        );
    }

    #[test]
    fn k_takes_its_command_attached_and_verbatim() {
        assert_eq!(command(&["-kshow paths"]), "show paths");
        assert_eq!(command(&["-kreconfigure"]), "reconfigure");
        assert_eq!(parsed(&["-k"]), Ok(Invocation::Interactive));
    }

    #[test]
    fn the_daemon_has_options() {
        let Ok(Invocation::Daemon(options)) = parsed(&["-d", "-s", "-v", "3", "-Bnw"]) else { panic!() };
        assert_eq!(options.verbosity, Some(3));
        assert_eq!(options.bindings, Bindings::ReadOnly);
        assert_eq!(parsed(&[]), Ok(Invocation::Daemon(Options::default())));
        assert!(parsed(&["-v", "x"]).is_err() && parsed(&["-Z"]).is_err());
    }
}
