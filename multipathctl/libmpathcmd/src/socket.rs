//! The daemon's socket: where it is, and whether anybody listens.

use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::time::Duration;

use libmp::ctl::wire::{ABSTRACT, ENVIRONMENT, PATH};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr, sockopt};
use nix::sys::time::TimeVal;

/// How long the daemon's queue of connections may be full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: a full one is `EAGAIN`. The connection does not block either.
    Not,
    /// So long: then `EAGAIN`. So long may each sending take, too.
    AtMost(Duration),
    /// As long as it takes; not at all where any user can have filled it.
    Forever,
}

/// Who may listen at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Whoever could make it: root, where it is in a folder of root's.
    Name,
    /// Root. Any user can take an abstract name where no daemon runs.
    Root,
}

/// The socket that the environment names.
pub fn named() -> Option<String> {
    std::env::var(ENVIRONMENT).ok().filter(|name| !name.is_empty())
}

/// Connects to the socket of this name, else to the first of the two that are known everywhere at which a daemon listens.
pub fn open(name: Option<&str>, wait: Wait) -> nix::Result<OwnedFd> {
    match name {
        Some(name) => connect(name, wait),
        None => connect_to_any(&[(PATH, Trust::Name), (ABSTRACT, Trust::Root)], wait),
    }
}

/// Does a daemon listen? Does not wait: a full queue of connections has somebody who will take them. An abstract name can be taken by any
/// user where no daemon runs: there it has to be root, and who that is can't be told of a full queue.
pub fn is_listening() -> bool {
    let listens = |name: &str| matches!(connect(name, Wait::Not), Ok(_) | Err(Errno::EAGAIN));
    match named() {
        Some(name) => listens(&name),
        None => listens(PATH) || connect(ABSTRACT, Wait::Not).is_ok_and(|socket| is_of_root(&socket)),
    }
}

/// Is root behind the socket that this one is connected to (systemd, for a daemon that it has not started yet)? Root as seen from here:
/// that of another user namespace is a user like others.
fn is_of_root(socket: &impl AsFd) -> bool {
    socket::getsockopt(socket, sockopt::PeerCredentials).is_ok_and(|peer| peer.uid() == 0)
}

/// The address behind a name, `@…` for an abstract one.
fn address(name: &str) -> nix::Result<UnixAddr> {
    match name.strip_prefix('@') {
        Some(name) => UnixAddr::new_abstract(name.as_bytes()),
        None => UnixAddr::new(name),
    }
}

/// Makes a connection one that blocks.
pub fn block(connection: &OwnedFd) -> nix::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(connection, FcntlArg::F_GETFL)?);
    fcntl(connection, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK)).map(drop)
}

/// Connects to the first that a daemon listens at. The error says whether there is such a one. Of a full queue nobody can tell
/// whose it is: that of a name which anybody can take is none. Nor is it waited for without an end.
fn connect_to_any(names: &[(&str, Trust)], wait: Wait) -> nix::Result<OwnedFd> {
    let mut failed = Errno::ENOENT;
    for (name, trust) in names {
        let connected = match (trust, wait) {
            (Trust::Root, Wait::Forever) => {
                connect(name, Wait::Not).and_then(|socket| block(&socket).map(|()| socket))
            }
            _ => connect(name, wait),
        };
        match connected {
            Ok(socket) if *trust == Trust::Name || is_of_root(&socket) => return Ok(socket),
            Ok(_) => {}
            Err(Errno::EAGAIN) if *trust == Trust::Root => {}
            Err(_) if failed == Errno::EAGAIN => {}
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn connect(name: &str, wait: Wait) -> nix::Result<OwnedFd> {
    let address = address(name)?;
    let flags = if wait == Wait::Not { SockFlag::SOCK_NONBLOCK } else { SockFlag::empty() };
    let socket = socket::socket(AddressFamily::Unix, SockType::Stream, flags | SockFlag::SOCK_CLOEXEC, None)?;
    if let Wait::AtMost(limit) = wait {
        let limit =
            TimeVal::new(limit.as_secs().try_into().unwrap_or(i64::MAX), limit.subsec_micros().into());
        socket::setsockopt(&socket, sockopt::SendTimeout, &limit)?;
    }
    socket::connect(socket.as_raw_fd(), &address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::Backlog;
    use std::sync::mpsc;
    use std::thread;

    fn listening(name: &str, backlog: i32) -> OwnedFd {
        let kind = (AddressFamily::Unix, SockType::Stream);
        let listener = socket::socket(kind.0, kind.1, SockFlag::SOCK_CLOEXEC, None).expect("made");
        socket::bind(listener.as_raw_fd(), &address(name).expect("a name")).expect("bound");
        socket::listen(&listener, Backlog::new(backlog).expect("in limits")).expect("listened");
        listener
    }

    #[test]
    fn one_whose_queue_is_full_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = folder.path().join("socket").display().to_string();
        let nobody = folder.path().join("nobody").display().to_string();
        let connected = |wait| connect_to_any(&[(&name, Trust::Name), (&nobody, Trust::Name)], wait);
        let waits = [Wait::AtMost(Duration::from_millis(10)), Wait::Not];
        for wait in waits {
            assert_eq!(connected(wait).expect_err("nobody"), Errno::ENOENT);
        }
        let _listener = listening(&name, 0);
        let first = connected(Wait::Forever).expect("the first waits in the queue");
        for wait in waits {
            assert_eq!(connected(wait).expect_err("it is full"), Errno::EAGAIN);
            assert_eq!(open(Some(&name), wait).expect_err("it is full"), Errno::EAGAIN);
        }
        drop(first);
    }

    #[test]
    fn an_abstract_name_is_roots_or_nobodys() {
        let name = format!("@mpathcmd-test-{}", std::process::id());
        let connected = || connect_to_any(&[("/nobody/here", Trust::Name), (&name, Trust::Root)], Wait::Not);
        assert_eq!(connected().expect_err("nobody"), Errno::ECONNREFUSED);
        let _listener = listening(&name, 0);
        let is_root = nix::unistd::geteuid().is_root();
        assert_eq!(connected().err(), if is_root { None } else { Some(Errno::ENOENT) });
        let _full = open(Some(&name), Wait::Not);
        let other = connected().expect_err("whose a full one is can't be told");
        assert_eq!(other, Errno::ENOENT);

        let (answer, answered) = mpsc::channel();
        thread::spawn(move || {
            let names = [("/nobody/here", Trust::Name), (&*name, Trust::Root)];
            answer.send(connect_to_any(&names, Wait::Forever).err())
        });
        let error =
            answered.recv_timeout(Duration::from_secs(1)).expect("nobody waits for who can't be told");
        assert_eq!(error, Some(Errno::ENOENT));
    }

    #[test]
    fn what_waits_gets_a_connection_that_blocks() {
        let name = format!("@mpathcmd-blocks-{}", std::process::id());
        let _listener = listening(&name, 1);
        let trust = if nix::unistd::geteuid().is_root() { Trust::Root } else { Trust::Name };
        let connection = connect_to_any(&[(&name, trust)], Wait::Forever).expect("there is room");
        let flags = OFlag::from_bits_retain(fcntl(&connection, FcntlArg::F_GETFL).expect("open"));
        assert!(!flags.contains(OFlag::O_NONBLOCK));
    }
}
