//! device-mapper text ↔ types: multipath tables, status lines, names and UUIDs.

pub mod op;
