//! `multipathd`: the daemon, and its one-shot client.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    multipathctl::daemon::run(std::env::args_os().skip(1))
}
