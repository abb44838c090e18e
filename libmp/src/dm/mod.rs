//! device-mapper text ↔ types: multipath tables, status lines, names and UUIDs.
//!
//! Text of the kernel comes in, text for the kernel goes out; nothing here knows of paths' states
//! or of settings.

pub mod mangle;
mod normal;
pub mod op;
pub mod status;
pub mod table;
mod words;

pub use words::{LineError, words_of};
