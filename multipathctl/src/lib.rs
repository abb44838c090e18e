//! The operator's command: sends lines of the control language to the daemon and prints what comes
//! back. It decides nothing and touches no device; what it shows is the daemon's memory, and where a
//! command works without a daemon, what the daemon's own code makes of files and sysfs.
//!
//! Exit status: 0, or 1 where the daemon says `fail`, does not answer in time, or is not there.
//! Nothing goes to standard error on success.
#![forbid(unsafe_code)]

pub mod check;
pub mod cli;
pub mod client;
pub mod configuration;
pub mod daemon;
pub mod events;
pub mod explain;
pub mod fix;
pub mod listing;
pub mod manual;
pub mod mpathconf;
pub mod multipath;
pub mod output;
pub mod plan;
pub mod queues;
pub mod shell;
pub mod topology;
pub mod watch;
pub mod whole;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use cli::Task;
use client::{AskError, Client, Patience};

/// Does what the command line says. The first argument is the program's name, and decides whose command line it is.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter().peekable();
    let name = args.peek().map(|name| Path::new(name).file_name().unwrap_or_default().to_owned());
    match name.unwrap_or_default().to_str() {
        Some("multipath") => multipath::run(args.skip(1)),
        Some("multipathd") => daemon::run(args.skip(1)),
        Some("multipathc") => daemon::client(args.skip(1)),
        Some("mpathconf") => mpathconf::run(args.skip(1)),
        Some("mpathpersist") => {
            output::complain("mpathpersist: persistent reservations are not supported yet");
            ExitCode::FAILURE
        }
        _ => by_own_name(args),
    }
}

fn by_own_name(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match cli::parse(args) {
        Ok(cli) => cli,
        Err(usage) => return cli::explain(&usage),
    };
    let patience = cli.patience;
    match &cli.task {
        Task::Check(what) => check::run(what),
        Task::Configuration(extent) => configuration::print(*extent),
        Task::EndQueueing => queues::end(patience.at_first()),
        Task::Explain(device, form) => match Client::connect(patience) {
            Ok(mut client) => answered(explain::ask(device, *form, &mut client)),
            Err(_) => explain::offline(device, *form),
        },
        Task::Command(line) => by_daemon(patience, |client| daemon::ask(line, client)),
        Task::Book(book) => by_daemon(patience, |client| events::events(*book, client)),
        Task::List(listing) => by_daemon(patience, |client| listing::list(listing, client)),
        Task::Watch(listing, pace) => by_daemon(patience, |client| watch::watch(listing, *pace, client)),
        Task::Shell => by_daemon(patience, shell::run),
        Task::Plan(file, form) => by_daemon(patience, |client| plan::plan(file.as_deref(), *form, client)),
    }
}

/// What takes a daemon.
fn by_daemon(
    patience: Patience,
    perform: impl FnOnce(&mut Client) -> Result<ExitCode, AskError>,
) -> ExitCode {
    let Ok(mut client) = Client::connect(patience) else { return output::failed_to_connect() };
    answered(perform(&mut client))
}

fn answered(done: Result<ExitCode, AskError>) -> ExitCode {
    done.unwrap_or_else(|error| output::not_received(&error))
}
