//! The daemon's other face: it sends a command to the one that runs and prints the answer.
//!
//! What it prints where, and its exit status, are what scripts and drivers have come to rely on:
//! nothing on stderr but `ERROR: …`, an answer that begins with `fail` is status 1.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

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

fn ask(stream: &mut UnixStream, command: &str) -> io::Result<Vec<u8>> {
    let mut message = (command.len() as u64 + 1).to_ne_bytes().to_vec();
    message.extend_from_slice(command.as_bytes());
    message.push(0);
    stream.write_all(&message)?;
    let mut length = [0; 8];
    stream.read_exact(&mut length)?;
    let mut reply = Vec::new();
    let length = u64::from_ne_bytes(length);
    Read::take(&mut *stream, length).read_to_end(&mut reply)?;
    if (reply.len() as u64) < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if reply.last() == Some(&0) {
        reply.pop();
    }
    Ok(reply)
}

/// Prints an answer: of a failure, what it says; of a failure that says nothing, `fail`.
fn show(out: &mut impl Write, answer: io::Result<Vec<u8>>) -> ExitCode {
    let (text, status) = match answer {
        Ok(reply) if reply.starts_with(b"fail\n") => {
            (if reply.len() > 5 { reply[5..].to_vec() } else { reply }, ExitCode::FAILURE)
        }
        Ok(reply) => (reply, ExitCode::SUCCESS),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            (b"timeout receiving packet\n".to_vec(), ExitCode::FAILURE)
        }
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(libc::EPIPE);
            (format!("error -{errno} receiving packet\n").into_bytes(), ExitCode::FAILURE)
        }
    };
    match out.write_all(&text).and_then(|()| out.flush()) {
        Ok(()) => status,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(reply: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        let status = show(&mut out, Ok(reply.to_vec()));
        (out, status == ExitCode::SUCCESS)
    }

    #[test]
    fn an_answer_is_printed_as_scripts_expect_it() {
        assert_eq!(shown(b"ok\n"), (b"ok\n".to_vec(), true));
        assert_eq!(shown(b"fail\n"), (b"fail\n".to_vec(), false));
        assert_eq!(shown(b"fail\ntimeout\n"), (b"timeout\n".to_vec(), false));
        assert_eq!(shown(b"failback\n"), (b"failback\n".to_vec(), true));
    }
}
