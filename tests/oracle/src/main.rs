//! Files of multipath.conf's language, made from seeds, read here and by the reference; both dumps compared.
//!
//! The reference is multipath-tools 0.9.4 of Debian 12, run in a mount namespace with an `/etc` of its own.
#![forbid(unsafe_code)]

mod bench;
mod check;
mod cli;
mod corpus;
mod difference;
mod fuzz;
mod generate;
mod known;
mod language;
mod normal;
mod ours;
mod reference;
mod rng;
mod sweep;
mod tables;
mod values;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
