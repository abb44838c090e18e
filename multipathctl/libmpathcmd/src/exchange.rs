//! One message there, and one back, over a connection that somebody else holds.

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use libmp::ctl::wire::{self, HEADER_BYTES, MAX_REPLY_BYTES};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};

/// Sends one message of these bytes, and none of the signal that a lost connection gives. Waits until the daemon has taken it.
pub fn send_message(connection: BorrowedFd<'_>, bytes: &[u8]) -> nix::Result<()> {
    let message = wire::frame(&[bytes]);
    let mut rest = &message[..];
    while !rest.is_empty() {
        match send(connection.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL) {
            Ok(sent) => rest = &rest[sent..],
            Err(Errno::EAGAIN) => wait(connection, PollFlags::POLLOUT, None)?,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How long the reply is that comes: from 1 to `MAX_REPLY_BYTES`.
pub fn receive_length(connection: BorrowedFd<'_>, patience: Option<Duration>) -> nix::Result<usize> {
    let mut header = [0; HEADER_BYTES];
    receive(connection, &mut header, patience)?;
    wire::length(header, MAX_REPLY_BYTES).map_err(|_| Errno::ERANGE)
}

/// Fills all of `into`; each piece of it may take so long.
pub fn receive(
    connection: BorrowedFd<'_>,
    mut into: &mut [u8],
    patience: Option<Duration>,
) -> nix::Result<()> {
    while !into.is_empty() {
        wait(connection, PollFlags::POLLIN, patience)?;
        match recv(connection.as_raw_fd(), into, MsgFlags::empty()) {
            Ok(0) => return Err(Errno::EIO),
            Ok(received) => into = &mut into[received..],
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits for something to be possible, or to have gone wrong, which the next call finds.
fn wait(connection: BorrowedFd<'_>, what: PollFlags, patience: Option<Duration>) -> nix::Result<()> {
    let end = patience.map(|patience| Instant::now() + patience);
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        // Rounded up: nobody is told too early that it was too long.
        let left_ms = left.map(|left| left.as_nanos().div_ceil(1_000_000));
        let left = left_ms.map_or(PollTimeout::NONE, |ms| ms.try_into().unwrap_or(PollTimeout::MAX));
        match poll(&mut [PollFd::new(connection, what)], left) {
            Ok(0) => return Err(Errno::ETIMEDOUT),
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}
