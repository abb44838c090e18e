//! A simulated machine with storage, faults included, that drives the real core of the daemon.
//!
//! The *kernel* is simulated, never the daemon: the code under test is the code that ships. A run
//! is a function of its seed; whatever goes wrong is seen again with `--seed N --trace`.

mod cli;
mod conf;
#[cfg(test)]
mod contract;
mod coverage;
mod crowd;
mod daemon;
mod fault;
mod gremlin;
mod invariants;
mod kernel;
mod queue;
mod real;
mod render;
mod rng;
mod runner;
mod script;
mod scripts;
mod sim;
#[cfg(test)]
mod tamper;
mod trace;
mod udev;
mod work;
mod world;

pub use cli::main;
