//! Who is asked: the daemon that runs, or its core in this process.

use std::path::Path;
use std::process::ExitCode;

use multipath_rules::args::Args;
use multipathd::alone::{Alone, Hands};
use multipathd::args::{Bindings, Options};
use multipathd::sys::pidfile::{PID_FILE, is_held};

use crate::client::{AskError, Client, Patience};
use crate::output;

/// The daemon's core, run to rest, whether the daemon runs or not.
pub fn alone(args: &Args, hands: Hands) -> Result<Alone, ExitCode> {
    let bindings = if args.keep_bindings { Bindings::ReadOnly } else { Bindings::ReadWrite };
    Alone::new(hands, Options { bindings, ..Options::default() }).map_err(|why| {
        output::complain(&why);
        ExitCode::FAILURE
    })
}

/// One of the two.
pub enum Asker {
    /// The daemon.
    Daemon(Client),
    /// Its core.
    Alone(Box<Alone>),
}

impl Asker {
    /// The daemon; where there is none, its core, run to rest, that may do with its `hands` what they may.
    pub fn new(args: &Args, hands: impl FnOnce() -> Hands) -> Result<Self, ExitCode> {
        let daemon = if args.alone { Ok(None) } else { Client::if_there(Patience::Configured) };
        if let Some(client) = daemon.map_err(|error| output::not_received(&error))? {
            return Ok(Self::Daemon(client));
        }
        alone(args, hands()).map(|alone| Self::Alone(Box::new(alone)))
    }

    /// Is it not the daemon?
    pub const fn is_alone(&self) -> bool {
        matches!(self, Self::Alone(_))
    }

    /// Sends a line and waits for its reply.
    pub fn ask(&mut self, line: &str) -> Result<String, AskError> {
        match self {
            Self::Daemon(client) => client.ask(line),
            Self::Alone(alone) => Ok(alone.ask(line)),
        }
    }

    /// Waits until what was begun in this process is done.
    pub fn rest(&mut self) {
        if let Self::Alone(alone) = self {
            alone.rest();
        }
    }

    /// What the core has begun in this process is finished. Maps don't go on queueing without a daemon, unless it is wanted; where
    /// there is one, be it not asked or just started, that is its own.
    pub fn finish(self, args: &Args) {
        if let Self::Alone(mut alone) = self {
            if args.queue_without_daemon || is_held(Path::new(PID_FILE)) {
                alone.ask("forcequeueing daemon");
            }
            alone.finish();
        }
    }
}
