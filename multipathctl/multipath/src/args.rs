//! The command line of multipath(8).

use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};
use libmp::claim::Heed;
use libmp::ctl::REFERENCE_VERSION;

/// Where the names of maps are.
const BINDINGS: &str = "/etc/multipath/bindings";

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Make maps of what there is (none of the others).
    Create,
    /// `-d`: say what would be made.
    DryRun,
    /// `-l`
    List,
    /// `-ll`
    ListLong,
    /// `-f`
    Flush,
    /// `-F`
    FlushAll,
    /// `-a`
    AddWwid,
    /// `-w`
    RemoveWwid,
    /// `-W`
    ResetWwids,
    /// `-c`, and with `uevent` `-u`
    IsPath,
    /// `-C`, and with `uevent` `-U`
    IsUsable,
    /// `-t`
    Configuration,
    /// `-T`
    LocalConfiguration,
    /// `-h`
    Help,
}

/// A whole command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// What.
    pub mode: Mode,
    /// Asked by udev's rules (`-u`, `-U`).
    pub uevent: bool,
    /// `-v`
    pub verbosity: u8,
    /// `-r`
    pub reload: bool,
    /// `-i`
    pub heed: Heed,
    /// `-R`; else what is configured.
    pub retries: Option<u32>,
    /// `-p`
    pub policy: Option<String>,
    /// `-D`: whatever daemon there is.
    pub alone: bool,
    /// `-B`
    pub keep_bindings: bool,
    /// `-q`
    pub queue_without_daemon: bool,
    /// A map, a path, or a WWID.
    pub device: Option<String>,
}

impl Args {
    /// The device that is named: udev says in its environment of which one it is, where the rule doesn't.
    pub fn named(&self) -> Option<String> {
        let from_udev = || std::env::var("DEVNAME").ok().filter(|_| self.uevent);
        self.device.clone().or_else(from_udev)
    }
}

/// Reads the arguments after the program's name. The error is a line; nothing where the usage says it all.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, String> {
    let mut parser = Parser::from_args(arguments);
    let mut args = Args {
        mode: Mode::Create,
        uevent: false,
        verbosity: 2,
        reload: false,
        heed: Heed::Configured,
        retries: None,
        policy: None,
        alone: false,
        keep_bindings: false,
        queue_without_daemon: false,
        device: None,
    };
    let said = |error: lexopt::Error| error.to_string();
    while let Some(argument) = parser.next().map_err(said)? {
        match argument {
            Arg::Short('v') => {
                let value = parser.value().map_err(said)?;
                args.verbosity = value.parse().map_err(|_| "-v takes a number, 0 to 4".to_string())?;
            }
            Arg::Short('R') => {
                let value = parser.value().map_err(said)?;
                let retries = value.parse().map_err(|_| "-R takes a number of retries".to_string())?;
                args.retries = Some(retries);
            }
            Arg::Short('p') => {
                args.policy = Some(parser.value().map_err(said)?.to_string_lossy().into_owned());
            }
            // Names out of another file would be taken for those of this machine.
            Arg::Short('b') => match parser.value().map_err(said)? {
                file if file == BINDINGS => {}
                file => return Err(format!("-b {}: the bindings file is {BINDINGS}", file.display())),
            },
            // How much memory is locked, and what is shown of foreign maps: not for the caller to say any more.
            Arg::Short('M') => drop(parser.value().map_err(said)?),
            Arg::Short('e') => {}
            Arg::Short('B') => args.keep_bindings = true,
            Arg::Short('q') => args.queue_without_daemon = true,
            Arg::Short('d') if args.mode != Mode::Create => {}
            Arg::Short('l') => {
                args.mode = if args.mode == Mode::List { Mode::ListLong } else { Mode::List };
            }
            Arg::Short('r') => args.reload = true,
            Arg::Short('i') => args.heed = Heed::Anything,
            Arg::Short('D') => args.alone = true,
            Arg::Short(flag) => {
                args.mode = mode(flag).ok_or_else(|| format!("Unknown switch: -{flag}"))?;
                args.uevent |= matches!(flag, 'u' | 'U');
            }
            Arg::Value(device) if args.device.is_none() => {
                args.device = Some(device.to_string_lossy().into_owned());
            }
            Arg::Value(_) => {}
            other @ Arg::Long(_) => return Err(other.unexpected().to_string()),
        }
    }
    Ok(args)
}

const fn mode(flag: char) -> Option<Mode> {
    Some(match flag {
        'd' => Mode::DryRun,
        'f' => Mode::Flush,
        'F' => Mode::FlushAll,
        'a' => Mode::AddWwid,
        'w' => Mode::RemoveWwid,
        'W' => Mode::ResetWwids,
        'c' | 'u' => Mode::IsPath,
        'C' | 'U' => Mode::IsUsable,
        't' => Mode::Configuration,
        'T' => Mode::LocalConfiguration,
        'h' => Mode::Help,
        _ => return None,
    })
}

/// What `-h` prints. Its first line is one that installers look for.
pub fn usage() -> String {
    format!("multipath-tools v{REFERENCE_VERSION} (07/13, 2026)\n{USAGE}")
}

/// Without the line that names the release.
pub const USAGE: &str = "\
Usage:
  multipath [-v LEVEL] [-d|-r] [DEVICE]      make the maps of all disks, or of one
  multipath [-v LEVEL] -l|-ll [DEVICE]       show maps: as the kernel has them, or with checkers and priorities
  multipath [-R RETRIES] -f MAP | -F         remove a map, or all that are not in use
  multipath -a|-w DEVICE                     add a WWID to the wwids file, or remove it
  multipath -W                               leave only the WWIDs of the maps there are
  multipath [-i] -c PATH | -u [PATH]         is it a path? (-u: for udev's rules)
  multipath -C MAP | -U [MAP]                has the map usable paths? (-U: for udev's rules)
  multipath -t | -T                          the configuration: whole, or for what is there

Where:
  -d          dry run: say what would be made
  -r          load every table anew
  -i          ask without the wwids file
  -R RETRIES  try again so often, a second apart, while a map is in use
  -D          whatever daemon runs, do it here
  -p POLICY   not taken: set path_grouping_policy in /etc/multipath.conf
  -v LEVEL    0 nothing, 1 names, 2 trees (default), 3 and 4 the same, and with -c the rule that excludes
  -B          leave the bindings file as it is (without a daemon)
  -q          maps go on queueing though no daemon runs
  -b FILE     refused, but for /etc/multipath/bindings
  -e -M KB    accepted and ignored: enable_foreign says what is shown of others
  DEVICE      a map's name, WWID or node, a path's node (/dev/sda), or MAJOR:MINOR

A daemon that runs is told to do it; without one it is done here. multipathctl(8) is made for people.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Args {
        parse(line.split_whitespace().map(OsString::from)).expect(line)
    }

    #[test]
    fn what_scripts_write_is_read() {
        for (line, mode, device) in [
            ("", Mode::Create, None),
            ("-ll", Mode::ListLong, None),
            ("-l -v1 /dev/sda", Mode::List, Some("/dev/sda")),
            ("-v1 -ll data", Mode::ListLong, Some("data")),
            ("-v 2 -d", Mode::DryRun, None),
            ("-d -v 2 -ll", Mode::ListLong, None),
            ("-ll -d", Mode::ListLong, None),
            ("-v3 -R3 -f data", Mode::Flush, Some("data")),
            ("-f data -v3", Mode::Flush, Some("data")),
            ("-DF", Mode::FlushAll, None),
            ("-a 3600a", Mode::AddWwid, Some("3600a")),
            ("-U -v1 dm-0", Mode::IsUsable, Some("dm-0")),
            ("-u sda", Mode::IsPath, Some("sda")),
            ("-ci /dev/sda", Mode::IsPath, Some("/dev/sda")),
            ("-b /etc/multipath/bindings -B -q", Mode::Create, None),
        ] {
            let args = parsed(line);
            assert_eq!((args.mode, args.device.as_deref()), (mode, device), "{line}");
        }
        assert_eq!(parsed("-v3 -R3 -f data").retries, Some(3));
        assert_eq!(parsed("-v1 -ll").verbosity, 1);
        assert_eq!(parsed("-ci sda").heed, Heed::Anything);
        assert!(parsed("-DF").alone && parsed("-r").reload && parsed("-u").uevent && !parsed("-c x").uevent);
        for line in ["-b /etc/b", "-Z", "-v", "-v x", "--version", "-R"] {
            assert!(parse(line.split_whitespace().map(OsString::from)).is_err(), "{line}");
        }
    }
}
