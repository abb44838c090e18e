//! The daemon: adapters (`sys/`, every system call), the executor (effects → calls), the loop.
//!
//! Nothing here decides: `libmp::core` does. A library, so that the adapters can be tested against
//! a real kernel, and so that the operator's command can read what the daemon reads.

pub mod alone;
pub mod args;
pub mod checks;
pub mod daemon;
pub mod executor;
mod fabric;
pub mod journal;
pub mod log;
pub mod offline;
pub mod reading;
pub mod sys;
