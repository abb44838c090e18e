//! `explain DEVICE`: the daemon says why; where there is none, its core does, from what can be read.

use std::process::ExitCode;

use libmp::ctl::Form;
use multipathd::offline;
use multipathd::sys::files::Paths;

use crate::client::{AskError, Client};
use crate::listing::{quoted, resolve};
use crate::output::{self, Reply};

/// Asks the daemon.
pub fn ask(device: &str, form: Form, client: &mut Client) -> Result<ExitCode, AskError> {
    Ok(output::reply(&Reply::new(client.ask(&line(device, form))?)))
}

/// Works it out where no daemon answers.
pub fn offline(device: &str, form: Form) -> ExitCode {
    let reply = Reply::new(offline::ask(Paths::default(), &line(device, form)));
    if !reply.failed {
        output::complain("no daemon answers: this is what one that starts now would find");
    }
    output::reply(&reply)
}

fn line(device: &str, form: Form) -> String {
    let json = if form == Form::Json { " json" } else { "" };
    format!("explain {}{json}", quoted(&resolve(device)))
}
