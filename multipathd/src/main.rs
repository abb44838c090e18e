//! `multipathd`: the daemon, and its one-shot client.

use std::process::ExitCode;

use multipathd::args::{self, Invocation, USAGE};
use multipathd::{client, daemon};

fn main() -> ExitCode {
    match args::parse(std::env::args_os().skip(1)) {
        Ok(Invocation::Daemon(options)) => {
            let Err(why) = daemon::run(options);
            eprintln!("multipathd: {why}");
            ExitCode::FAILURE
        }
        Ok(Invocation::Command(command)) => client::run(&command),
        Ok(Invocation::Interactive) => client::run_interactively(),
        Ok(Invocation::Help) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("multipathd: {why}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}
