//! The scripts, built in: all of tests/sim/scripts, as build.rs lists them.

/// All scripts there are, by name, in the order of their names.
pub const SCRIPTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/scripts.rs"));
