//! `end-queueing`: by the daemon, and where it does not do it, without.

use std::process::ExitCode;
use std::time::Duration;

use multipathd::queues::end_all;

use crate::client::Client;
use crate::output;

/// Ends the queueing of every map. The daemon comes first: it would put back what it finds changed. It and device-mapper are waited for
/// so long each.
pub fn end(limit: Duration) -> ExitCode {
    if let Ok(mut daemon) = Client::connect(limit) {
        // What comes of it is seen in the kernel.
        let _ = daemon.ask("disablequeueing maps");
    }
    match end_all(limit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            output::complain(&why);
            ExitCode::FAILURE
        }
    }
}
