//! Stands where `libmp::core::Core` will: loads, enumerates, answers. To be removed.

use libmp::core::effect::{Effect, Outbox};
use libmp::core::event::{Event, Signal};
use libmp::core::notice::Notice;
use libmp::types::{Instant, Token};

use crate::daemon::Decide;

/// Decides nothing.
#[derive(Debug)]
pub struct Core {
    pid: u32,
}

impl Core {
    /// One for this process.
    pub fn new(pid: u32) -> Self {
        Self { pid }
    }
}

impl Decide for Core {
    fn start(&mut self, _: Instant, out: &mut Outbox) {
        out.push(Effect::LoadConfig { token: Token(0) });
        out.push(Effect::Enumerate { token: Token(1) });
    }

    fn handle(&mut self, _: Instant, event: Event, out: &mut Outbox) {
        match event {
            Event::Request { id, command, .. } => {
                let text = match command.as_str() {
                    "show daemon" => format!("pid {} idle\n", self.pid),
                    "shutdown" => "ok\n".into(),
                    _ => "fail\n".into(),
                };
                out.push(Effect::Reply { id, text });
                if command == "shutdown" {
                    out.push(Effect::Exit);
                }
            }
            Event::Enumerated { found, .. } => {
                out.notify(Notice::Configured { maps: found.maps.len(), paths: found.disks.len() });
            }
            Event::Signal(Signal::Terminate) => {
                out.notify(Notice::Stopping);
                out.push(Effect::Exit);
            }
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        None
    }
}
