//! Disks and maps are listed. Where that fails it is done again: a machine without them is another thing.

use alloc::boxed::Box;
use alloc::format;

use crate::core::Core;
use crate::core::Phase;
use crate::core::discovery::SHORTAGE_PAUSE;
use crate::core::effect::{Effect, Outbox};
use crate::core::event::Enumeration;
use crate::core::notice::{Level, Notice};
use crate::core::timers::Timer;
use crate::core::waiting::{Awaited, Probes};
use crate::types::{Errno, Instant};

/// A list that could not be made.
#[derive(Debug, Clone, Default)]
pub(super) struct Unlisted {
    /// It is to be made again, with these probes.
    again: Option<Probes>,
    /// That was said.
    said: bool,
}

impl Core {
    /// Orders the list; `listed` follows.
    pub(super) fn enumerate(&mut self, probes: Probes, out: &mut Outbox) {
        let token = self.token(Awaited::Enumeration(probes));
        out.push(Effect::Enumerate { token });
    }

    /// The list is there, or will be made again.
    pub(super) fn listed(
        &mut self,
        now: Instant,
        found: Result<Box<Enumeration>, Errno>,
        probes: Probes,
        out: &mut Outbox,
    ) {
        match found {
            Ok(found) => {
                if core::mem::take(&mut self.unlisted.said) {
                    let text = "disks and maps can be listed again".into();
                    out.notify(Notice::Other { level: Level::Notice, text });
                }
                self.enumerated(now, *found, probes, out);
            }
            Err(_) if self.phase == Phase::Stopping => {}
            Err(errno) => {
                if !core::mem::replace(&mut self.unlisted.said, true) {
                    let text = format!("disks and maps can't be listed ({errno}); it is tried again");
                    out.notify(Notice::Other { level: Level::Error, text });
                }
                let all = probes == Probes::All || self.unlisted.again == Some(Probes::All);
                self.unlisted.again = Some(if all { Probes::All } else { Probes::Unmapped });
                self.timers.set(Timer::Enumerate, now + SHORTAGE_PAUSE);
            }
        }
    }

    pub(super) fn list_again(&mut self, out: &mut Outbox) {
        if let Some(probes) = self.unlisted.again.take() {
            self.enumerate(probes, out);
        }
    }
}
