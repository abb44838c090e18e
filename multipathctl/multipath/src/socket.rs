//! The daemon's socket: where it is, and whether anybody listens.

use std::os::fd::{AsFd, AsRawFd as _};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr, sockopt};

pub use multipathd::sys::socket::{ABSTRACT, ENVIRONMENT, PATH};

/// Does a daemon listen? Does not wait: a full queue of connections has somebody who will take them. An abstract name can be taken by any
/// user where no daemon runs: there it has to be root, and who that is can't be told of a full queue.
pub fn is_listening() -> bool {
    let connects = |name: &str| {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        socket::connect(socket.as_raw_fd(), &address(name)?).map(|()| socket)
    };
    let listens = |name: &str| matches!(connects(name), Ok(_) | Err(Errno::EAGAIN));
    match std::env::var(ENVIRONMENT) {
        Ok(name) if !name.is_empty() => listens(&name),
        _ => listens(PATH) || connects(ABSTRACT).is_ok_and(|socket| is_of_root(&socket)),
    }
}

/// Is root behind the socket that this one is connected to (systemd, for a daemon that it has not started yet)? Root as seen from here:
/// that of another user namespace is a user like others.
pub fn is_of_root(socket: &impl AsFd) -> bool {
    socket::getsockopt(socket, sockopt::PeerCredentials).is_ok_and(|peer| peer.uid() == 0)
}

/// The address behind a name, `@…` for an abstract one.
pub fn address(name: &str) -> nix::Result<UnixAddr> {
    match name.strip_prefix('@') {
        Some(name) => UnixAddr::new_abstract(name.as_bytes()),
        None => UnixAddr::new(name),
    }
}
