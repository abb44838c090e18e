//! The real core and the real configuration, behind the seam.

use std::sync::Arc;

use libmp::config::{Config, Diagnostic, Source};
use libmp::core::effect::Outbox;
use libmp::core::event::Event;
use libmp::core::{Core, CoreInit};
use libmp::show::view::View;
use libmp::types::Instant;

use crate::daemon::{Daemon, Factory};

/// A configuration that was read.
#[derive(Clone)]
pub struct Read {
    pub config: Arc<Config>,
    pub diagnostics: Vec<String>,
    /// Those that stop a reconfigure.
    pub errors: Vec<String>,
}

/// Reads a configuration as the daemon's adapter does.
pub fn config(text: &str) -> Read {
    let (config, found) = Config::load(&[Source { name: "/etc/multipath.conf", text }]);
    Read {
        config: Arc::new(config),
        diagnostics: found.iter().map(ToString::to_string).collect(),
        errors: found.iter().filter(|one| one.stops_reconfigure()).map(Diagnostic::one_line).collect(),
    }
}

impl Daemon for Core {
    fn start(&mut self, now: Instant, out: &mut Outbox) {
        Core::start(self, now, out);
    }
    fn foresee(&self, events: &[Event]) {
        Core::foresee(self, events);
    }
    fn handle(&mut self, now: Instant, event: Event, out: &mut Outbox) {
        Core::handle(self, now, event, out);
    }
    fn next_deadline(&self) -> Option<Instant> {
        Core::next_deadline(self)
    }
    fn kept(&self) -> (usize, usize) {
        Core::kept(self)
    }
    fn looks(&self) -> u64 {
        Core::looks(self)
    }
    fn view(&self, now: Instant) -> View {
        Core::view(self, now)
    }
}

/// Makes the code under test.
pub fn core() -> Factory {
    Box::new(|pid| Box::new(Core::new(CoreInit { pid, resident: true })))
}
