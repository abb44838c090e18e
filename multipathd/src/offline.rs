//! The core without a daemon: it is given everything to read and nothing to do, and answers a request.
//!
//! What it says is what a daemon that starts now would find, before it has checked a path. No device is
//! asked anything, and nothing is written.

use std::collections::VecDeque;

use libmp::core::effect::{Effect, Outbox};
use libmp::core::event::{Event, Peer, RequestId};
use libmp::core::{Core, CoreInit};
use libmp::types::Errno;

use crate::reading;
use crate::sys::dm::Mapper;
use crate::sys::files::{Files, Paths};
use crate::sys::{now, sysfs};

/// The reply to a line of the control language, by the files that are there.
pub fn ask(paths: Paths, line: &str) -> String {
    let files = Files::new(paths);
    // Who may not ask device-mapper learns of disks all the same.
    let mapper = Mapper::open().ok();
    let time = now();
    let mut core = Core::new(CoreInit { pid: std::process::id(), resident: false });
    let mut out = Outbox::new();
    core.start(time, &mut out);
    let mut events = VecDeque::new();
    loop {
        events.extend(out.drain().filter_map(|effect| read(effect, &files, mapper.as_ref())));
        let Some(event) = events.pop_front() else { break };
        core.handle(time, event, &mut out);
    }
    let request = Event::Request { id: RequestId(0), peer: Peer::SELF, command: line.into() };
    core.handle(time, request, &mut out);
    let replies = out.drain().filter_map(|effect| match effect {
        Effect::Reply { text, .. } => Some(text),
        _ => None,
    });
    replies.last().unwrap_or_else(|| libmp::ctl::FAIL.into())
}

/// The answer to an effect that reads; all others are left undone.
fn read(effect: Effect, files: &Files, mapper: Option<&Mapper>) -> Option<Event> {
    Some(match effect {
        Effect::LoadConfig { token } => {
            let loaded = reading::parse(files.read());
            Event::Config { token, loaded: Box::new(loaded) }
        }
        Effect::Enumerate { token } => {
            Event::Enumerated { token, found: reading::enumerate(mapper).map(Box::new) }
        }
        Effect::Probe { token, name } => {
            Event::Probed { token, probe: sysfs::probe(&name).map(Box::new).map_err(|_| Errno::ENODEV) }
        }
        _ => return None,
    })
}
