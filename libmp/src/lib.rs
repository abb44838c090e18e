//! The core of a multipath daemon: everything that is *decided*, nothing that is *done*.
//!
//! No I/O, no clock, no threads: bytes, text and the time come in as arguments, decisions go out
//! as values. Outside tests the crate is `no_std`, so the compiler holds this.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod check;
pub mod claim;
pub mod config;
pub mod core;
pub mod ctl;
pub mod dm;
pub mod fabric;
pub mod group;
pub mod identify;
pub mod native;
pub mod prio;
pub mod show;
pub mod state;
pub mod told;
pub mod types;
