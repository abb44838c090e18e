//! The daemon's other face: it sends a command to the one that runs and prints the answer.
//!
//! What it prints where, and its exit status, are what scripts and drivers have come to rely on:
//! nothing on stderr but `ERROR: …`, an answer that begins with `fail` is status 1.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use libmp::ctl::wire::{self, Decoder, MAX_REPLY_BYTES};

use crate::sys::socket::Address;

/// The reference's `uxsock_timeout`: no answer comes later.
const REPLY_LIMIT: Duration = Duration::from_secs(4);
const PROMPT: &str = "multipathd> ";

/// Sends one command, prints its answer.
pub fn run(command: &str) -> ExitCode {
    match connect() {
        Some(mut stream) => show(&mut io::stdout().lock(), ask(&mut stream, command)),
        None => no_daemon(),
    }
}

/// Sends commands from stdin, a line each, until its end, `quit` or `exit`.
pub fn run_interactively() -> ExitCode {
    let Some(mut stream) = connect() else { return no_daemon() };
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    let prompt = if io::stdin().is_terminal() { PROMPT } else { "" };
    loop {
        let mut line = String::new();
        if write!(stdout, "{prompt}").and_then(|()| stdout.flush()).is_err() {
            return ExitCode::FAILURE;
        }
        if !stdin.read_line(&mut line).is_ok_and(|count| count > 0) {
            return ExitCode::SUCCESS;
        }
        match line.trim() {
            "" => {}
            "quit" | "exit" => return ExitCode::SUCCESS,
            command => {
                let answer = ask(&mut stream, command);
                let lost = answer.is_err();
                show(&mut stdout, answer);
                if lost {
                    return ExitCode::FAILURE;
                }
            }
        }
    }
}

fn no_daemon() -> ExitCode {
    eprintln!("ERROR: failed to connect to multipathd");
    ExitCode::FAILURE
}

fn connect() -> Option<UnixStream> {
    let stream = Address::from_env().iter().find_map(|address| address.connect().ok())?;
    stream.set_read_timeout(Some(REPLY_LIMIT)).ok()?;
    stream.set_write_timeout(Some(REPLY_LIMIT)).ok()?;
    Some(stream)
}

fn ask(stream: &mut UnixStream, command: &str) -> io::Result<String> {
    stream.write_all(&wire::encode(command))?;
    let mut decoder = Decoder::new(MAX_REPLY_BYTES);
    let mut piece = vec![0; 64 << 10];
    loop {
        if let Some(reply) = decoder.next_message().map_err(io::Error::other)? {
            return Ok(reply);
        }
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => decoder.push(&piece[..count]),
        }
    }
}

/// Prints an answer: of a failure, what it says; of a failure that says nothing, `fail`.
fn show(out: &mut impl Write, answer: io::Result<String>) -> ExitCode {
    let (text, status) = match answer {
        Ok(reply) => match reply.strip_prefix("fail\n") {
            Some("") => (reply, ExitCode::FAILURE),
            Some(why) => (why.into(), ExitCode::FAILURE),
            None => (reply, ExitCode::SUCCESS),
        },
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            ("timeout receiving packet\n".into(), ExitCode::FAILURE)
        }
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(libc::EPIPE);
            (format!("error -{errno} receiving packet\n"), ExitCode::FAILURE)
        }
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => status,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(reply: &str) -> (String, bool) {
        let mut out = Vec::new();
        let status = show(&mut out, Ok(reply.into()));
        (String::from_utf8(out).expect("text"), status == ExitCode::SUCCESS)
    }

    #[test]
    fn an_answer_is_printed_as_scripts_expect_it() {
        assert_eq!(shown("ok\n"), ("ok\n".into(), true));
        assert_eq!(shown("fail\n"), ("fail\n".into(), false));
        assert_eq!(shown("fail\ntimeout\n"), ("timeout\n".into(), false));
        assert_eq!(shown("failback\n"), ("failback\n".into(), true));
    }
}
