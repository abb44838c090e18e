//! The daemon: adapters (`sys/`, every system call), the executor (effects → calls), the loop.
//!
//! Nothing here decides: `libmp::core` does. A library, so that the adapters can be tested against
//! a real kernel, and so that the operator's command can read what the daemon reads.

#[cfg(feature = "udev")]
pub mod alone;
#[cfg(feature = "udev")]
mod announced;
pub mod args;
pub mod checks;
#[cfg(feature = "udev")]
pub mod daemon;
#[cfg(feature = "udev")]
pub mod executor;
#[cfg(feature = "udev")]
mod fabric;
pub mod journal;
pub mod log;
#[cfg(feature = "udev")]
pub mod offline;
pub mod queues;
pub mod reading;
pub mod replies;
#[cfg(feature = "udev")]
mod supervisor;
pub mod sys;
