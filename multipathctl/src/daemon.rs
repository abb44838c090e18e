//! Under the name `multipathd`: the daemon; with words or `-k`, the client of the one that runs.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use libmp::ctl::{self, Book, Command};
use multipathd::args::{self, Invocation, USAGE};
use multipathd::daemon;

use crate::client::{AskError, Client, Patience, REPLY_LIMIT};
use crate::{events, output, queues, shell};

/// Does what the arguments after the program's name say.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match args::parse(args) {
        Ok(Invocation::Daemon(options)) => {
            let Err(why) = daemon::run(options);
            output::complain(&format!("multipathd: {why}"));
            ExitCode::FAILURE
        }
        // For the unit: this program is in memory where the daemon runs.
        Ok(Invocation::Command(line)) if line.trim() == queues::WORD => queues::end(REPLY_LIMIT),
        Ok(Invocation::Command(line)) => one(&line),
        Ok(Invocation::Interactive) => interactive(Patience::Configured),
        Ok(Invocation::Help) => {
            output::print(USAGE).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS)
        }
        Err(why) => {
            output::complain(&format!("multipathd: {why}\n{USAGE}"));
            ExitCode::FAILURE
        }
    }
}

/// Under the name `multipathc`: a shell, or one command. A number alone is the shell's time limit in ms.
pub fn client(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = args.into_iter().collect();
    if let [only] = words.as_slice()
        && let Some(limit_ms) = only.to_str().and_then(|word| word.parse().ok()).filter(|ms| *ms > 0)
    {
        return interactive(Patience::Only(Duration::from_millis(limit_ms)));
    }
    match args::parse(words) {
        Ok(Invocation::Daemon(_)) => interactive(Patience::Configured),
        Ok(Invocation::Command(line)) => one(&line),
        _ => {
            output::complain(
                "usage: multipathc [TIMEOUT_MS | COMMAND WORD...]: without a command, one a line from standard input",
            );
            ExitCode::FAILURE
        }
    }
}

/// One command.
pub fn one(line: &str) -> ExitCode {
    let Ok(mut client) = Client::connect(Patience::Configured) else { return output::failed_to_connect() };
    ask(line, &mut client).unwrap_or_else(|error| output::not_received(&error))
}

/// One command, over this connection.
pub fn ask(line: &str, client: &mut Client) -> Result<ExitCode, AskError> {
    if ctl::parse(line) == Ok(Command::Book(Book::EventsToCome)) {
        return events::events(Book::EventsToCome, client);
    }
    Ok(output::reply(&output::Reply::new(client.ask(line)?)))
}

fn interactive(patience: Patience) -> ExitCode {
    let Ok(mut client) = Client::connect(patience) else { return output::failed_to_connect() };
    shell::run(&mut client).unwrap_or_else(|error| output::not_received(&error))
}
