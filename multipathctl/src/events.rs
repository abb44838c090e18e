//! `events`: what happened, as the daemon says it; with `--follow` also what happens.

use std::process::ExitCode;

use libmp::ctl::Book;

use crate::client::{AskError, Client};
use crate::output::{self, Reply};

/// Prints them. Following ends with the daemon, or with the reader.
pub fn events(book: Book, client: &mut Client) -> Result<ExitCode, AskError> {
    if book != Book::EventsToCome {
        return Ok(output::reply(&Reply::new(client.ask("events")?)));
    }
    let mut reply = Reply::new(client.ask("events follow")?);
    loop {
        if reply.failed {
            return Ok(output::reply(&reply));
        }
        if let Err(error) = output::print_told(&reply.text) {
            return Ok(output::unprinted(&error));
        }
        let Ok(text) = client.receive(None) else {
            output::complain("multipathd has ended the connection");
            return Ok(ExitCode::FAILURE);
        };
        reply = Reply::new(text);
    }
}
