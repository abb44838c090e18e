//! The state machine: events in, effects out, the time is an argument.

pub mod effect;
pub mod event;
pub mod notice;
