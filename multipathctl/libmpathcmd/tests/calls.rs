//! What programs in C see of the library, call by call. With multipath-tools' own in its place what is tested here is what they are used to.

mod library;

use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use libmp::ctl::wire::{HEADER_BYTES, MAX_REPLY_BYTES, encode};
use library::{Library, NULL};
use nix::errno::Errno;
use nix::sys::signal::Signal;

/// Long enough for what is to come.
const LONG_MS: u32 = 10_000;
const SHORT_MS: u32 = 50;

/// A connection, and the daemon's end of it.
fn connection() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair")
}

/// A connection to a daemon that says this and ends it.
fn said(bytes: &[u8]) -> UnixStream {
    let (client, mut daemon) = connection();
    daemon.write_all(bytes).expect("room");
    client
}

#[test]
fn a_command_goes_with_its_nul() {
    for (command, bytes) in [
        (Some(c"show paths"), &b"show paths\0"[..]),
        (Some(c""), b"\0"),
        (Some(c"\xff"), b"\xff\0"),
        (None, b""),
    ] {
        let (client, mut daemon) = connection();
        assert_eq!(Library::get().send(client.as_raw_fd(), command), Ok(0));
        drop(client);
        let mut seen = Vec::new();
        daemon.read_to_end(&mut seen).expect("all");
        assert_eq!(seen, [&bytes.len().to_ne_bytes()[..], bytes].concat());
    }
}

#[test]
fn a_command_waits_until_there_is_room() {
    let command = vec![b'x'; 4 << 20];
    let text = std::ffi::CString::new(command.clone()).expect("no NUL");
    for nonblocking in [false, true] {
        let (client, mut daemon) = connection();
        client.set_nonblocking(nonblocking).expect("set");
        let reader = thread::spawn(move || {
            thread::sleep(Duration::from_millis(SHORT_MS.into()));
            let mut seen = Vec::new();
            daemon.read_to_end(&mut seen).map(|_| seen)
        });
        assert_eq!(Library::get().send(client.as_raw_fd(), Some(&text)), Ok(0));
        drop(client);
        let seen = reader.join().expect("no panic").expect("all");
        assert_eq!(seen.len(), HEADER_BYTES + command.len() + 1);
    }
}

#[test]
fn a_daemon_that_is_gone_is_an_error_and_no_signal() {
    library::with_signal(Signal::SIGPIPE, || {
        let (client, daemon) = connection();
        drop(daemon);
        assert_eq!(Library::get().send(client.as_raw_fd(), Some(c"x")), Err(Errno::EPIPE));
        // What is to be freed by the caller is not touched where there was nothing to be sent.
        let (status, left) = Library::get().process(client.as_raw_fd(), c"x", LONG_MS);
        assert_eq!((status, left), (Err(Errno::EPIPE), library::MARK));
    });
}

#[test]
fn lengths() {
    let max = MAX_REPLY_BYTES.to_ne_bytes();
    for (bytes, length) in [
        (&encode("ok\n")[..], Ok(4)),
        (&max, Ok(i64::try_from(MAX_REPLY_BYTES).expect("less"))),
        (&(MAX_REPLY_BYTES + 1).to_ne_bytes(), Err(Errno::ERANGE)),
        (&usize::MAX.to_ne_bytes(), Err(Errno::ERANGE)),
        (&0_usize.to_ne_bytes(), Err(Errno::ERANGE)),
        (&max[..HEADER_BYTES - 1], Err(Errno::EIO)),
        (&[], Err(Errno::EIO)),
    ] {
        let client = said(bytes);
        assert_eq!(Library::get().length(client.as_raw_fd(), LONG_MS), length, "{bytes:?}");
    }
}

#[test]
fn data() {
    for (bytes, room, reply) in [
        (&b"ok\n\0"[..], 4, Ok(&b"ok\n\0"[..])),
        (b"ok\n\0more", 4, Ok(b"ok\n\0")),
        (b"okay", 4, Ok(b"oka\0")),
        (b"a\0b\0", 4, Ok(b"a\0b\0")),
        (b"ok", 4, Err(Errno::EIO)),
        (b"", 4, Err(Errno::EIO)),
    ] {
        let client = said(bytes);
        let got = Library::get().data(client.as_raw_fd(), room, LONG_MS);
        assert_eq!(got, reply.map(<[u8]>::to_vec), "{bytes:?}");
    }
}

#[test]
fn a_reply_is_the_callers_to_free() {
    for (bytes, reply) in [
        (encode("ok\n"), Ok("ok\n")),
        (encode(""), Ok("")),
        (encode(&"x".repeat(100_000)), Ok(&*"x".repeat(100_000))),
        (encode("ok\n")[..HEADER_BYTES + 2].to_vec(), Err(Errno::EIO)),
        (vec![], Err(Errno::EIO)),
        (0_usize.to_ne_bytes().to_vec(), Err(Errno::ERANGE)),
        (usize::MAX.to_ne_bytes().to_vec(), Err(Errno::ERANGE)),
    ] {
        let (client, mut daemon) = connection();
        let writer = thread::spawn(move || daemon.write_all(&bytes));
        let got = Library::get().reply(client.as_raw_fd(), LONG_MS);
        assert_eq!(got, reply.map(|text| text.as_bytes().to_vec()));
        writer.join().expect("no panic").expect("written");
    }
}

#[test]
fn the_longest_reply() {
    let text = "x".repeat(MAX_REPLY_BYTES - 1);
    let (client, mut daemon) = connection();
    let message = encode(&text);
    let writer = thread::spawn(move || daemon.write_all(&message));
    let got = Library::get().reply(client.as_raw_fd(), LONG_MS);
    assert!(got == Ok(text.into_bytes()), "the reply is another one");
    writer.join().expect("no panic").expect("written");
}

#[test]
fn a_daemon_that_is_silent() {
    let lib = Library::get();
    for (said, text) in
        [(&b""[..], "at all"), (&[1, 0, 0], "in the length"), (&encode("ok\n")[..10], "in the text")]
    {
        let (client, mut daemon) = connection();
        daemon.write_all(said).expect("room");
        let start = Instant::now();
        assert_eq!(lib.reply(client.as_raw_fd(), SHORT_MS), Err(Errno::ETIMEDOUT), "{text}");
        assert!(start.elapsed() >= Duration::from_millis(SHORT_MS.into()), "{text}");
        assert!(start.elapsed() < Duration::from_millis(LONG_MS.into()), "{text}");
    }
    let (client, _daemon) = connection();
    let fd = client.as_raw_fd();
    assert_eq!(lib.length(fd, SHORT_MS), Err(Errno::ETIMEDOUT));
    assert_eq!(lib.length(fd, 0), Err(Errno::ETIMEDOUT), "not waited for");
    assert_eq!(lib.data(fd, 4, SHORT_MS), Err(Errno::ETIMEDOUT));
    assert_eq!(lib.process(fd, c"x", SHORT_MS), (Err(Errno::ETIMEDOUT), NULL));
}

/// The limit is of each piece, and there may be none.
#[test]
fn a_daemon_that_is_slow() {
    for (nonblocking, timeout) in [(false, 400), (true, 400), (false, u32::MAX)] {
        let (client, mut daemon) = connection();
        client.set_nonblocking(nonblocking).expect("set");
        let writer = thread::spawn(move || {
            for piece in encode("slow\n").chunks(2) {
                thread::sleep(Duration::from_millis(100));
                daemon.write_all(piece).expect("room");
            }
        });
        let got = Library::get().reply(client.as_raw_fd(), timeout);
        assert_eq!(got, Ok(b"slow\n".to_vec()), "{timeout}");
        writer.join().expect("no panic");
    }
}

#[test]
fn commands_one_after_the_other() {
    let (client, mut daemon) = connection();
    let echo = thread::spawn(move || {
        let mut header = [0; HEADER_BYTES];
        while daemon.read_exact(&mut header).is_ok() {
            let mut body = vec![0; usize::from_ne_bytes(header)];
            daemon.read_exact(&mut body).expect("a command");
            daemon.write_all(&header).and_then(|()| daemon.write_all(&body)).expect("room");
        }
    });
    for command in [c"show paths", c"", c"show maps"] {
        let got = Library::get().ask(client.as_raw_fd(), command, LONG_MS);
        assert_eq!(got, Ok(command.to_bytes().to_vec()));
    }
    drop(client);
    echo.join().expect("no panic");
}

#[test]
fn what_is_no_connection() {
    let lib = Library::get();
    let (reader, _writer) = nix::unistd::pipe().expect("a pipe");
    assert_eq!(lib.send(reader.as_raw_fd(), Some(c"x")), Err(Errno::ENOTSOCK));
    assert_eq!(lib.send(-1, Some(c"x")), Err(Errno::EBADF));
    assert_eq!(lib.disconnect(-1), Err(Errno::EBADF));
    if !lib.is_ours() {
        return; // waits for them
    }
    for fd in [-1, i32::MAX] {
        assert_eq!(lib.length(fd, SHORT_MS), Err(Errno::EBADF));
        assert_eq!(lib.data(fd, 4, SHORT_MS), Err(Errno::EBADF));
        assert_eq!(lib.reply(fd, SHORT_MS), Err(Errno::EBADF));
    }
}

/// Where Debian's writes anywhere.
#[test]
fn no_room_for_a_reply() {
    let lib = Library::get();
    if lib.is_ours() {
        assert_eq!(lib.data(-1, 0, SHORT_MS), Ok(vec![]));
        assert_eq!(lib.data_to_nowhere(4), Err(Errno::EINVAL));
        assert_eq!(lib.reply_to_nowhere(), Err(Errno::EINVAL));
        let (client, mut daemon) = connection();
        assert_eq!(lib.process_to_nowhere(client.as_raw_fd(), c"del maps"), Err(Errno::EINVAL));
        drop(client);
        let mut seen = Vec::new();
        daemon.read_to_end(&mut seen).expect("all");
        assert_eq!(seen, b"", "nothing is done whose answer nobody could read");
    }
}
