//! `--watch`: asks the daemon's memory again and again over one connection, and prints what is
//! there each time that it is not what it was.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::{Listing, Pace};
use crate::client::{self, AskError, Client};
use crate::listing::{Listed, fetch};
use crate::mpathconf::is_daemon_running;
use crate::output;

/// Clears a terminal and goes to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Runs until its time is over. A daemon that goes away is waited for.
pub fn watch(listing: &Listing, pace: Pace, client: &mut Client) -> Result<ExitCode, AskError> {
    let start = Instant::now();
    let end = pace.for_long.map(|for_long| start + for_long);
    let mut next = start;
    let mut last: Option<Result<Listed, String>> = None;
    loop {
        let now = look(listing, client);
        if last.as_ref() != Some(&now) {
            if let Err(error) = output::print_styled(&page(start.elapsed(), &now)) {
                return Ok(output::unprinted(&error));
            }
            last = Some(now);
        }
        let now = Instant::now();
        next = (next + pace.interval).max(now);
        if end.is_some_and(|end| next >= end) {
            thread::sleep(end.map_or(Duration::ZERO, |end| end.saturating_duration_since(now)));
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(next - now);
    }
}

/// What there is now, or why it can't be told. A lost connection is made anew, but not where that would start a daemon that was
/// stopped.
fn look(listing: &Listing, client: &mut Client) -> Result<Listed, String> {
    fetch(listing, client).or_else(|lost| {
        let is_there = client::socket_is_named() || is_daemon_running();
        let again = is_there && client.reconnect().is_ok();
        let again = again.then_some(()).ok_or_else(|| "multipathd is not there".to_string());
        again.and_then(|()| fetch(listing, client).map_err(|_| lost.to_string()))
    })
}

/// One page: the time since the start, and what there is.
fn page(since: Duration, what: &Result<Listed, String>) -> String {
    let mut page = String::new();
    let is_terminal = std::io::stdout().is_terminal();
    if is_terminal {
        page.push_str(CLEAR);
    }
    let _ = writeln!(page, "# +{:.3} s", since.as_secs_f64());
    match what {
        Ok(Listed::Text(text)) if text.is_empty() => page.push_str("# nothing to list\n"),
        Ok(Listed::Text(text)) => page.push_str(text),
        Ok(Listed::Refused(reply)) => page.extend(["# ", &output::shown(&reply.text, is_terminal)]),
        Err(why) => page.extend(["# ", why, "\n"]),
    }
    page
}
