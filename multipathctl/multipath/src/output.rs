//! Where text goes: standard output, whose reader may have gone, and standard error.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use multipathd::sys::now;

/// Prints text as it is.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Ends after text could not be printed. A reader that has gone is no failure; a full disk is.
pub fn unprinted(error: &io::Error) -> ExitCode {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return ExitCode::SUCCESS;
    }
    complain(&format!("can't write: {error}"));
    ExitCode::FAILURE
}

/// Says something on standard error as a log does, with the seconds since the machine's start.
pub fn log(text: &str) {
    let up = Duration::from_micros(now().as_micros());
    complain(&format!("{}.{:06} | {text}", up.as_secs(), up.subsec_micros()));
}

/// Says something on standard error.
pub fn complain(text: &str) {
    // Where it can't be written, nobody reads it.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
