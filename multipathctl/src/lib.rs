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
use client::{AskError, Client};

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
    if let Task::Check(what) = &cli.task {
        return check::run(what);
    }
    if let Task::Configuration(extent) = cli.task {
        return configuration::print(extent);
    }
    if cli.task == Task::EndQueueing {
        return queues::end(cli.patience.at_first());
    }
    let connected = Client::connect(cli.patience);
    if let (Task::Explain(device, form), Err(_)) = (&cli.task, &connected) {
        return explain::offline(device, *form);
    }
    let Ok(mut client) = connected else { return output::failed_to_connect() };
    match perform(&cli.task, &mut client) {
        Ok(code) => code,
        Err(error) => output::not_received(&error),
    }
}

fn perform(task: &Task, client: &mut Client) -> Result<ExitCode, AskError> {
    match task {
        Task::Command(line) => daemon::ask(line, client),
        Task::Book(book) => events::events(*book, client),
        Task::List(listing) => listing::list(listing, client),
        Task::Watch(listing, pace) => watch::watch(listing, *pace, client),
        Task::Shell => shell::run(client),
        // Done without a daemon.
        Task::Check(what) => Ok(check::run(what)),
        Task::EndQueueing => Ok(queues::end(client::REPLY_LIMIT)),
        Task::Plan(file, form) => plan::plan(file.as_deref(), *form, client),
        Task::Configuration(extent) => Ok(configuration::print(*extent)),
        Task::Explain(device, form) => explain::ask(device, *form, client),
    }
}
