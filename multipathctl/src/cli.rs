//! The command line → one [`Task`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory as _, Parser, Subcommand};
use libmp::ctl::{self, Book, Command, MapForm, Show};
use multipathd::args::join;

use crate::client::Patience;
use crate::configuration::Extent;
use crate::manual;

const EXAMPLES: &str = "\
Examples:
  multipathctl -ll                      all maps, their groups and paths, as the daemon knows them
  multipathctl -ll data                 one map: alias, WWID, /dev/mapper/data, dm-3, 254:3, or the
                                        node of one of its paths (/dev/sdc)
  multipathctl -v1 -ll                  names only
  multipathctl --json -ll               the same for programs
  multipathctl show paths               a table; `show` alone prints the whole language
  multipathctl show paths raw format '%d %m %T'
                                        columns of your choice (`show wildcards` lists them)
  multipathctl show maps --json         what any `show` shows, as JSON
  multipathctl events --follow          what happens, a line of JSON each; without --follow what happened lately
  multipathctl show replies             how long the daemon took to answer, command by command
  multipathctl fail path sdc            take a path out of use; `reinstate path sdc` puts it back
  multipathctl resize map data          rescan its paths and take over the LUN's new size
  multipathctl check                    what is wrong in /etc/multipath.conf, and what to write instead
  multipathctl check --fix old.conf     today's keywords for old ones, as a diff (--write writes it)
  multipathctl explain sdc              is it multipathed, why, and where each setting comes from
  multipathctl plan new.conf            what a reconfigure with this file would change
  multipathctl reconfigure              read /etc/multipath.conf anew; with errors in it, all stays as it is
  multipathctl -t                       the configuration that the files give, without a daemon
  multipathctl -k'show maps status'     one argument, as scripts for multipathd have it
  multipathctl -ll --watch              print the maps each time something changes, until Ctrl-C
  multipathctl -ll --watch --interval 0.01 --for 30

How to read -ll:
  data (3600508b4…) dm-1 VENDOR,PRODUCT        name, WWID where it is not the name, device, array
  size=40G features='1 queue_if_no_path' …     queue_if_no_path: I/O waits when no path is left
  |-+- policy='service-time 0' prio=50 status=active     the group that I/O goes to
  | |- 1:0:0:1 sdc 8:32 active ready  running  kernel uses it, checker is content, device runs
  | `- 2:0:0:1 sdd 8:48 failed faulty running  kernel does not use it, the checker says why
  `-+- policy='service-time 0' prio=10 status=enabled    the next one to be used

Exit status: 0, or 1 if the daemon says `fail`, does not answer in time, or is not there. `check` and `plan` have more:
see their --help.
MULTIPATH_SOCKET_NAME in the environment names another socket (@NAME for an abstract one).";

/// Examples, and the commands that `multipathctl help` does not list.
fn long_help() -> String {
    format!(
        "{EXAMPLES}\n\nCommands of the daemon that multipath-tools does not have (`multipathctl help` lists the others):\n  {}\n{}",
        ctl::OURS.join("\n  "),
        manual::WHERE
    )
}

/// Shows what the multipath daemon knows, and tells it what to do.
#[derive(Debug, Parser)]
#[command(
    name = "multipathctl",
    version = concat!(env!("CARGO_PKG_VERSION"), "\nanswers as multipath-tools v0.15.0"),
    after_help = "Try --help for examples and how to read what is printed.",
    after_long_help = long_help(),
    disable_help_subcommand = true
)]
struct Args {
    /// List maps: -ll with priorities and checker states, -l without
    #[arg(short = 'l', action = ArgAction::Count)]
    list: u8,

    /// Print the configuration that the files give, with the whole hardware table; no daemon is asked
    #[arg(short = 't', conflicts_with_all = ["list", "words", "watch", "local_configuration"])]
    configuration: bool,

    /// The same, of hardware and maps only what is there
    #[arg(short = 'T', conflicts_with_all = ["list", "words", "watch"])]
    local_configuration: bool,

    /// What to list: 0 nothing, 1 names, 2 everything
    #[arg(short = 'v', value_name = "LEVEL", default_value_t = 2, hide_default_value = true)]
    verbosity: u8,

    /// JSON, with maps and paths
    #[arg(long)]
    json: bool,

    /// Print the maps each time they change, until Ctrl-C
    #[arg(long)]
    watch: bool,

    /// With --watch: how often the daemon is asked
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds, requires = "watch")]
    interval: Duration,

    /// With --watch: stop after so long
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds, requires = "watch")]
    for_long: Option<Duration>,

    /// How long to wait for an answer (default: `uxsock_timeout`, 4 at least)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,

    /// Send this line as it is (also -k'LINE')
    #[arg(long, value_name = "LINE", conflicts_with_all = ["list", "words", "watch"])]
    command: Option<String>,

    /// Read lines from standard input and send each (also -k)
    #[arg(long, conflicts_with_all = ["list", "words", "watch", "command"])]
    shell: bool,

    /// A map to list, or the words of a command
    #[arg(value_name = "MAP | COMMAND…")]
    words: Vec<String>,

    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say what is wrong, old, contradictory, without effect or dangerous in a configuration
    ///
    /// Each with its place, the line, and what to write instead. Exit status: 0, or 2 if there is an error; with --strict
    /// 1 if there is anything to say. Needs no daemon and no root.
    ///
    /// --fix rewrites old keywords to today's and comments out what has no effect; comments and layout stay. It prints a
    /// unified diff and changes nothing. With --write it then replaces each file as a whole, and keeps the original beside
    /// it, as FILE.bak, or FILE.bak1 and so on where that is there already. What there is to say of the new text follows on
    /// standard error, and the exit status is for that.
    Check {
        /// The file, - for standard input; without: what the daemon reads, /etc/multipath.conf and what is in its conf.d
        file: Option<PathBuf>,
        /// Exit status 1 for warnings and notes too
        #[arg(long)]
        strict: bool,
        /// JSON
        #[arg(long, conflicts_with = "fix")]
        json: bool,
        /// Print what today's keywords would change, as a unified diff
        #[arg(long)]
        fix: bool,
        /// With --fix: write it
        #[arg(long, requires = "fix")]
        write: bool,
    },
    /// Say whether a device is multipathed and why, and where each of its settings comes from
    ///
    /// The daemon is asked, and answers from what it really uses. Where none answers, the same is worked out from the
    /// configuration, sysfs and udev's database, as a daemon that starts would find it. No device is asked anything.
    Explain {
        /// sda, 8:0, dm-0, an alias, a WWID, or a link in /dev
        device: String,
        /// JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what happened lately, as JSON lines, oldest first
    ///
    /// The daemon keeps the last thousand events: states of paths and maps, group switches, reloads, queueing, commands and who
    /// gave them. An object a line; each has `time`, `seq` (one more each time), `level`, `event`, and `text`, the line of
    /// the log. For root.
    Events {
        /// And then those that come, until Ctrl-C, or with status 1 until the daemon ends. Who reads too slowly is told how many he missed (`lost`)
        #[arg(long, short)]
        follow: bool,
    },
    /// End the queueing of every map: I/O that has no path fails, until the daemon is told otherwise
    ///
    /// The daemon is asked (`disablequeueing maps`). Then the kernel's tables are looked at: where a map goes on queueing, as no
    /// daemon runs or it did not answer, or where one is suspended, that is ended there. multipathd-queueing.service does it when the machine
    /// goes down. For root. Exit status: 1 if a map may queue still; each is named.
    EndQueueing,
    /// Say what a reconfigure would change, and change nothing
    ///
    /// The daemon reads everything that a reconfigure would read, and its own code goes through it on a copy of its state:
    /// maps created, reloaded (with the old and the new table), renamed, removed; paths claimed and released; settings
    /// with another value. For root. Exit status: 0 nothing would change, 3 something would, 2 the file has errors and
    /// would be refused, 1 there is no answer.
    Plan {
        /// A file to take the place of /etc/multipath.conf; the daemon reads it. Without: what is there now
        file: Option<PathBuf>,
        /// JSON
        #[arg(long)]
        json: bool,
    },
}

/// What is to be done, and how long an answer may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cli {
    /// What.
    pub task: Task,
    /// How long.
    pub patience: Patience,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Send a line, print the reply.
    Command(String),
    /// Print what happened.
    Book(Book),
    /// List maps.
    List(Listing),
    /// List them each time they change.
    Watch(Listing, Pace),
    /// Send each line of standard input.
    Shell,
    /// Check a configuration.
    Check(Check),
    /// Print the configuration that the files give.
    Configuration(Extent),
    /// Say why a device is multipathed, or not.
    Explain(String, ctl::Form),
    /// End the queueing of every map.
    EndQueueing,
    /// Say what a reconfigure would change.
    Plan(Option<PathBuf>, ctl::Form),
}

/// What is to be checked, and how it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `-` is standard input; `None`: what the daemon reads.
    pub file: Option<PathBuf>,
    /// Is anything that is said a failure?
    pub strict: bool,
    /// In which form.
    pub form: ctl::Form,
    /// What becomes of old keywords.
    pub fix: Fix,
}

/// What becomes of old keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fix {
    /// They are told.
    No,
    /// What would be written is shown.
    Show,
    /// It is shown and written.
    Write,
}

/// Which maps, and how much of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// One map, or all.
    pub map: Option<String>,
    /// In which form.
    pub form: Form,
}

/// How much of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Nothing.
    Silent,
    /// Its name.
    Name,
    /// Its tree without what checkers and prioritizers say (`-l`).
    Static,
    /// Its tree (`-ll`).
    Full,
    /// JSON.
    Json,
}

/// How often to look, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time between two looks.
    pub interval: Duration,
    /// Time between the first and the last; `None`: until killed.
    pub for_long: Option<Duration>,
}

/// The command line as its parser knows it.
pub fn definition() -> clap::Command {
    Args::command()
}

/// Reads the command line. The first argument is the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut args: Vec<OsString> = args.into_iter().map(spell_out_k).collect();
    if args.len() < 2 {
        args.push("--help".into());
    }
    let args = Args::try_parse_from(args)?;
    Ok(Cli { patience: args.timeout.map_or(Patience::Configured, Patience::Only), task: task(args)? })
}

/// Tells what is wrong with a command line, or prints the help or version that it asks for.
pub fn explain(usage: &clap::Error) -> ExitCode {
    // Where it can't be printed, nobody reads it.
    let _ = usage.print();
    match usage.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// `-k` has its value attached or has none, which clap can't say.
fn spell_out_k(arg: OsString) -> OsString {
    match arg.to_str().and_then(|arg| arg.strip_prefix("-k")) {
        None => arg,
        Some("") => "--shell".into(),
        Some(line) => format!("--command={line}").into(),
    }
}

const fn form(json: bool) -> ctl::Form {
    if json { ctl::Form::Json } else { ctl::Form::Text }
}

fn task(args: Args) -> Result<Task, clap::Error> {
    match args.verb {
        Some(Verb::Explain { device, json }) => return Ok(Task::Explain(device, form(json || args.json))),
        Some(Verb::Check { file, strict, json, fix, write }) => {
            let fix = match (fix, write) {
                (false, _) => Fix::No,
                (true, false) => Fix::Show,
                (true, true) => Fix::Write,
            };
            return Ok(Task::Check(Check { file, strict, form: form(json || args.json), fix }));
        }
        Some(Verb::Events { follow }) => {
            return Ok(Task::Book(if follow { Book::EventsToCome } else { Book::Events }));
        }
        Some(Verb::EndQueueing) => return Ok(Task::EndQueueing),
        Some(Verb::Plan { file, json }) => return Ok(Task::Plan(file, form(json || args.json))),
        None => {}
    }
    if args.configuration {
        return Ok(Task::Configuration(Extent::Whole));
    }
    if args.local_configuration {
        return Ok(Task::Configuration(Extent::Local));
    }
    if let Some(line) = args.command {
        return command(line, args.json);
    }
    if args.shell {
        return Ok(Task::Shell);
    }
    if args.list == 0 && !args.watch {
        return command(join(args.words.into_iter().map(OsString::from)), args.json);
    }
    if args.words.len() > 1 {
        return Err(usage(format!("one map to list, not {}: {}", args.words.len(), args.words.join(" "))));
    }
    let form = match (args.json, args.verbosity, args.list) {
        (true, ..) => Form::Json,
        (_, 0, _) => Form::Silent,
        (_, 1, _) => Form::Name,
        (_, _, 1) => Form::Static,
        _ => Form::Full,
    };
    let listing = Listing { map: args.words.into_iter().next(), form };
    Ok(if args.watch {
        Task::Watch(listing, Pace { interval: args.interval, for_long: args.for_long })
    } else {
        Task::List(listing)
    })
}

fn command(line: String, json: bool) -> Result<Task, clap::Error> {
    if !json {
        return Ok(Task::Command(line));
    }
    let listing = |map| Task::List(Listing { map, form: Form::Json });
    match ctl::parse(&line) {
        Ok(Command::Show(Show::Maps { format: None, .. } | Show::MapsJson | Show::MapsTopology)) => {
            Ok(listing(None))
        }
        Ok(Command::Show(Show::Map { name, what: MapForm::Json | MapForm::Topology })) => {
            Ok(listing(Some(name)))
        }
        // It is JSON already; or the daemon tells what is wrong with it.
        Ok(
            Command::Show(Show::Json(_))
            | Command::Book(Book::Events | Book::EventsToCome | Book::Replies(ctl::Form::Json)),
        )
        | Err(_) => Ok(Task::Command(line)),
        Ok(Command::Show(_) | Command::Book(Book::Replies(_))) => {
            Ok(Task::Command(format!("{} json", line.trim_end())))
        }
        Ok(_) => Err(usage(format!("there is nothing to show as JSON in: {}", line.trim()))),
    }
}

fn usage(message: String) -> clap::Error {
    Args::command().error(ErrorKind::ValueValidation, message)
}

/// A number of seconds, at least a millisecond and at most a day.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_string())?;
    if (0.001..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("not between 0.001 and 86400 seconds".to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> Result<Task, String> {
        let args = std::iter::once("multipathctl").chain(line.iter().copied()).map(OsString::from);
        parse(args).map(|cli| cli.task).map_err(|error| error.to_string())
    }

    fn list(map: Option<&str>, form: Form) -> Task {
        Task::List(Listing { map: map.map(Into::into), form })
    }

    #[test]
    fn clap_finds_no_fault_with_it() {
        Args::command().debug_assert();
    }

    #[test]
    fn command_lines() {
        let send = |line: &str| Task::Command(line.into());
        let cases: &[(&[&str], Task)] = &[
            (&["-ll"], list(None, Form::Full)),
            (&["-l"], list(None, Form::Static)),
            (&["-ll", "data"], list(Some("data"), Form::Full)),
            (&["data", "-l"], list(Some("data"), Form::Static)),
            (&["-v1", "-ll"], list(None, Form::Name)),
            (&["-l", "-v", "1", "/dev/sda"], list(Some("/dev/sda"), Form::Name)),
            (&["-v3", "-ll"], list(None, Form::Full)),
            (&["-v0", "-l"], list(None, Form::Silent)),
            (&["--json", "-ll"], list(None, Form::Json)),
            (&["show", "paths"], send("show paths \n")),
            (&["show", "paths", "format", "%d %m"], send("show paths format \"%d %m\" \n")),
            (
                &["show", "maps", "raw", "format", "\"", "%w,%d", "\""],
                send("show maps raw format \" %w,%d \" \n"),
            ),
            (&["-kshow paths"], send("show paths")),
            (&["-k"], Task::Shell),
            (&["-t"], Task::Configuration(Extent::Whole)),
            (&["-T", "-v3"], Task::Configuration(Extent::Local)),
            (&["help"], send("help \n")),
            (&["explain", "/dev/sda", "--json"], Task::Explain("/dev/sda".into(), ctl::Form::Json)),
            (&["--timeout", "9", "plan", "new.conf"], Task::Plan(Some("new.conf".into()), ctl::Form::Text)),
            (&["plan"], Task::Plan(None, ctl::Form::Text)),
            (&["end-queueing"], Task::EndQueueing),
            (
                &["check", "-", "--strict", "--fix"],
                Task::Check(Check {
                    file: Some("-".into()),
                    strict: true,
                    form: ctl::Form::Text,
                    fix: Fix::Show,
                }),
            ),
            (&["show", "paths", "--json"], send("show paths json")),
            (&["--json", "show", "daemon"], send("show daemon json")),
            (&["--json", "-kshow maps status"], send("show maps status json")),
            (&["--json", "show", "status", "json"], send("show status json \n")),
            (&["--json", "show", "replies"], send("show replies json")),
            (&["events"], Task::Book(Book::Events)),
            (&["events", "-f"], Task::Book(Book::EventsToCome)),
            (&["--json", "list", "multipaths", "topology"], list(None, Form::Json)),
            (&["show", "map", "data", "topology", "--json"], list(Some("data"), Form::Json)),
            (&["show", "bogus", "--json"], send("show bogus \n")),
            (
                &["-ll", "--watch", "--interval", "0.005", "--for", "2"],
                Task::Watch(
                    Listing { map: None, form: Form::Full },
                    Pace { interval: Duration::from_millis(5), for_long: Some(Duration::from_secs(2)) },
                ),
            ),
        ];
        for (line, task) in cases {
            assert_eq!(read(line).as_ref(), Ok(task), "{line:?}");
        }
    }

    #[test]
    fn command_lines_that_are_refused() {
        let cases: &[(&[&str], &str)] = &[
            (&["-ll", "a", "b"], "one map to list, not 2: a b"),
            (&["--json", "fail", "path", "sda"], "nothing to show as JSON in: fail path sda"),
            (&["--interval", "0", "--watch"], "not between 0.001 and 86400"),
            (&["--for", "x", "--watch"], "not a number of seconds"),
            (&["--interval", "1", "-ll"], "--watch"),
            (&["-kshow paths", "-ll"], "cannot be used with"),
            (&["--bogus"], "--bogus"),
            (&["explain"], "<DEVICE>"),
            (&["check", "--write"], "--fix"),
            (&["check", "--fix", "--json"], "cannot be used with"),
            (&["-t", "-T"], "cannot be used with"),
            (&["-t", "data"], "cannot be used with"),
        ];
        for (line, said) in cases {
            let error = read(line).unwrap_err();
            assert!(error.contains(said), "{line:?}: {error}");
        }
        let help = read(&[]).unwrap_err();
        for line in ["Examples:", "  list|show replies", "  remove|del wwid $wwid", "  plan file $file"] {
            assert!(help.lines().any(|there| there == line), "{line}: {help}");
        }
    }
}
