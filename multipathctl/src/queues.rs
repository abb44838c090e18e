//! `end-queueing`: by the daemon, and where it does not do it, without.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use libmp::core::effect::StateFile;
use multipathd::queues::end_all;
use multipathd::sys::files::Paths;

use crate::client::{Client, Patience};
use crate::output;

/// What it is asked for by.
pub const WORD: &str = "end-queueing";

/// Ends the queueing of every map. The daemon comes first: it would put back what it finds changed. It and device-mapper are waited for
/// so long each.
pub fn end(limit: Duration) -> ExitCode {
    if let Ok(mut daemon) = Client::connect(Patience::Only(limit)) {
        // What comes of it is seen in the kernel.
        let _ = daemon.ask("disablequeueing maps");
        // It is for the daemon that stops: the next one, if there is to be any, queues as it is configured.
        let _ = fs::remove_file(Paths::default().state_file(StateFile::Queueing));
    }
    match end_all(limit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            output::complain(&why);
            ExitCode::FAILURE
        }
    }
}
