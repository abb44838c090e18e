//! Where the library connects to. One test, as the environment belongs to all of a process.
#![allow(unsafe_code)]

mod library;

use std::env;
use std::fs;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process;

use libmp::ctl::wire::ENVIRONMENT;
use library::Library;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};

fn name_socket(name: &str) {
    // SAFETY: nobody else is in the process but who waits for this test.
    unsafe { env::set_var(ENVIRONMENT, name) };
}

fn is_listener(listener: &UnixListener) {
    let lib = Library::get();
    for connect in [Library::connect, Library::connect_nonblocking] {
        let fd = connect(lib).expect("a daemon listens");
        let (_daemon, _) = listener.accept().expect("it came here");
        // SAFETY: open until it is disconnected.
        let connection = unsafe { BorrowedFd::borrow_raw(fd) };
        let flags = OFlag::from_bits_retain(fcntl(connection, FcntlArg::F_GETFL).expect("open"));
        assert!(!flags.contains(OFlag::O_NONBLOCK), "it blocks");
        let flags = fcntl(connection, FcntlArg::F_GETFD).expect("open");
        assert_eq!(FdFlag::from_bits_retain(flags), FdFlag::FD_CLOEXEC);
        assert_eq!(lib.disconnect(fd), Ok(0));
        assert!(fs::metadata(format!("/proc/self/fd/{fd}")).is_err(), "it is closed");
    }
}

/// One that takes nobody: its queue has room for one.
fn busy(path: &str) -> OwnedFd {
    let listener = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("made");
    bind(listener.as_raw_fd(), &UnixAddr::new(path).expect("short")).expect("bound");
    listen(&listener, Backlog::new(0).expect("in limits")).expect("listens");
    listener
}

#[test]
fn the_socket_that_the_environment_names() {
    let lib = Library::get();
    if !lib.is_ours() {
        return; // knows one alone
    }
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).display().to_string();

    name_socket(&place("nobody"));
    assert_eq!(lib.connect(), Err(Errno::ENOENT));
    assert_eq!(lib.connect_nonblocking(), Err(Errno::ENOENT));

    name_socket(&place("daemon"));
    is_listener(&UnixListener::bind(place("daemon")).expect("bound"));
    assert_eq!(lib.connect(), Err(Errno::ECONNREFUSED), "it is gone");

    let name = format!("mpathcmd-{}", process::id());
    name_socket(&format!("@{name}"));
    let address = SocketAddr::from_abstract_name(&name).expect("short");
    is_listener(&UnixListener::bind_addr(&address).expect("bound"));
    assert_eq!(lib.connect(), Err(Errno::ECONNREFUSED), "it is gone");

    name_socket(&place("busy"));
    let _listener = busy(&place("busy"));
    let first = lib.connect().expect("the first waits in the queue");
    assert_eq!(lib.connect_nonblocking(), Err(Errno::EAGAIN));
    assert_eq!(lib.disconnect(first), Ok(0));

    name_socket(&place(&"x".repeat(200)));
    assert_eq!(lib.connect(), Err(Errno::ENAMETOOLONG));
}
