//! A client's side of the control socket: where a daemon listens (`socket`), and one message there and back (`exchange`). As a shared
//! library it is libmpathcmd.so.0, in the place of that of multipath-tools: the same functions, with the same versions (`c`).
#![deny(unsafe_code)]

#[allow(unsafe_code)]
pub mod c;
pub mod exchange;
pub mod socket;
