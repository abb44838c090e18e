//! Under the name `multipathd`: the daemon; with words or `-k`, the client of the one that runs.

use std::ffi::OsString;
use std::process::ExitCode;

use multipathd::args::{self, Invocation, USAGE};
use multipathd::daemon;

use crate::client::{self, Client};
use crate::{output, shell};

/// Does what the arguments after the program's name say.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match args::parse(args) {
        Ok(Invocation::Daemon(options)) => {
            let Err(why) = daemon::run(options);
            output::complain(&format!("multipathd: {why}"));
            ExitCode::FAILURE
        }
        Ok(Invocation::Command(line)) => one(&line),
        Ok(Invocation::Interactive) => interactive(),
        Ok(Invocation::Help) => {
            output::print(USAGE).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS)
        }
        Err(why) => {
            output::complain(&format!("multipathd: {why}\n{USAGE}"));
            ExitCode::FAILURE
        }
    }
}

/// Under the name `multipathc`: a shell, or one command.
pub fn client(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = args.into_iter().collect();
    match args::parse(words) {
        Ok(Invocation::Daemon(_)) => interactive(),
        Ok(Invocation::Command(line)) => one(&line),
        _ => {
            output::complain(
                "usage: multipathc [COMMAND WORD...]: without a command, one a line from standard input",
            );
            ExitCode::FAILURE
        }
    }
}

/// One command.
pub fn one(line: &str) -> ExitCode {
    let Ok(mut client) = Client::connect(client::REPLY_LIMIT) else { return output::failed_to_connect() };
    match client.ask(line) {
        Ok(text) => output::reply(&output::Reply::new(text)),
        Err(error) => output::not_received(&error),
    }
}

fn interactive() -> ExitCode {
    let Ok(mut client) = Client::connect(client::REPLY_LIMIT) else { return output::failed_to_connect() };
    shell::run(&mut client).unwrap_or_else(|error| output::not_received(&error))
}
