//! The daemon's socket: where it is, and whether anybody listens.

use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};

/// The socket in the file system, tried first.
pub const PATH: &str = "/run/multipathd.socket";
/// The abstract socket, which older daemons have alone.
pub const ABSTRACT: &str = "@/org/kernel/linux/storage/multipathd";
/// Names another one.
pub const ENVIRONMENT: &str = "MULTIPATH_SOCKET_NAME";

/// Does anybody listen? Does not wait: a full queue of connections has somebody who will take them.
pub fn is_listening() -> bool {
    let listens = |name: &str| {
        let socket = socket::socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        );
        let connected = socket.and_then(|socket| socket::connect(socket.as_raw_fd(), &address(name)?));
        matches!(connected, Ok(()) | Err(Errno::EAGAIN))
    };
    match std::env::var(ENVIRONMENT) {
        Ok(name) if !name.is_empty() => listens(&name),
        _ => listens(PATH) || listens(ABSTRACT),
    }
}

/// The address behind a name, `@…` for an abstract one.
pub fn address(name: &str) -> nix::Result<UnixAddr> {
    match name.strip_prefix('@') {
        Some(name) => UnixAddr::new_abstract(name.as_bytes()),
        None => UnixAddr::new(name),
    }
}
