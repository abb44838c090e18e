//! `-k` alone: lines from standard input, each answered. On a pipe only the replies are printed.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use libmp::ctl::{self, Command};

use crate::client::{AskError, Client};
use crate::output::{self, Reply};

const PROMPT: &str = "multipathd> ";

/// Runs until the end of the input, or `quit`.
pub fn run(client: &mut Client) -> Result<ExitCode, AskError> {
    match answer_all(client)? {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Ok(output::unprinted(&error)),
    }
}

fn answer_all(client: &mut Client) -> Result<io::Result<()>, AskError> {
    let stdin = io::stdin().lock();
    let prompt = if stdin.is_terminal() { PROMPT } else { "" };
    let mut lines = stdin.lines();
    loop {
        if let Err(error) = output::print(prompt) {
            return Ok(Err(error));
        }
        let line = match lines.next().transpose() {
            Ok(Some(line)) if !matches!(ctl::parse(&line), Ok(Command::Quit)) => line,
            Ok(_) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        if !line.trim().is_empty() {
            let reply = Reply::new(client.ask(&line)?);
            if let Err(error) = output::print(&reply.text) {
                return Ok(Err(error));
            }
        }
    }
}
