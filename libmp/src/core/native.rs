//! The kernel's own NVMe multipathing, read where it is to be shown: when udev tells of an NVMe disk, and now and then
//! as long as there are such namespaces, as nobody says when access or a controller's state changes.

use alloc::vec::Vec;

use crate::core::Core;
use crate::core::effect::{Effect, Outbox};
use crate::core::timers::Timer;
use crate::core::waiting::Awaited;
use crate::native::Namespace;
use crate::types::Instant;

/// What was read last.
#[derive(Debug, Clone, Default)]
pub struct Native {
    pub(super) spaces: Vec<Namespace>,
    /// It is being read.
    pub(super) reading: bool,
    /// Something has changed since that began.
    again: bool,
}

impl Core {
    /// Reads it (again), if it is wanted.
    pub(super) fn read_native(&mut self, out: &mut Outbox) {
        if !self.config.globals().shows_native_nvme {
            self.native.spaces = Vec::new();
            self.timers.cancel(Timer::Native);
        } else if self.native.reading {
            self.native.again = true;
        } else {
            self.native.reading = true;
            let token = self.token(Awaited::Native);
            out.push(Effect::ReadNative { token });
        }
    }

    pub(super) fn native_read(&mut self, now: Instant, spaces: Option<Vec<Namespace>>, out: &mut Outbox) {
        self.native.reading = false;
        let unread = spaces.is_none();
        if let Some(mut spaces) = spaces {
            spaces.iter_mut().for_each(Namespace::make_printable);
            self.native.spaces = spaces;
        }
        if core::mem::take(&mut self.native.again) || !self.config.globals().shows_native_nvme {
            return self.read_native(out);
        }
        let globals = self.config.globals();
        let every = globals.max_polling_interval.max(globals.polling_interval);
        let next = (unread || !self.native.spaces.is_empty()).then_some(now + every);
        self.timers.set_or_cancel(Timer::Native, next);
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::config::{Config, Source};
    use crate::core::CoreInit;
    use crate::core::event::Event;
    use crate::native::NamespacePath;
    use crate::types::DevT;

    /// All that can be named has this in its name.
    fn odd_space(odd: &str) -> Namespace {
        let named = |what: &str| alloc::format!("{what}{odd}x");
        let path = NamespacePath {
            name: "nvme0c1n1".into(),
            wwid: named("uuid."),
            devt: DevT::default(),
            sectors: 8,
            access: Some(named("optimized")),
            state: Some(named("live")),
            transport: named("tcp"),
            address: named("traddr="),
            model: named("Linux"),
            firmware: named("1"),
            serial: named("2"),
        };
        Namespace {
            name: "nvme0n1".into(),
            wwid: named("uuid."),
            nsid: 1,
            sectors: 8,
            read_only: None,
            nqn: named("nqn."),
            model: named("Linux"),
            firmware: named("1"),
            paths: alloc::vec![path],
        }
    }

    fn asked(out: &mut Outbox) -> Option<crate::types::Token> {
        out.drain().find_map(|effect| match effect {
            Effect::ReadNative { token } => Some(token),
            _ => None,
        })
    }

    #[test]
    fn lost_messages_and_failed_reads_lose_nothing() {
        let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: true }), Outbox::new());
        let text = "defaults {\n\tenable_foreign nvme\n}\n";
        core.config = Arc::new(Config::load(&[Source { name: "test", text }]).0);
        let now = Instant::from_micros(1);
        core.handle(now, Event::UeventsLost, &mut out);
        let token = asked(&mut out).expect("read anew");
        core.native.spaces = alloc::vec![Namespace {
            name: "nvme0n1".into(),
            wwid: "uuid.1".into(),
            nsid: 1,
            sectors: 8,
            read_only: None,
            nqn: "lab".into(),
            model: "Linux".into(),
            firmware: "1".into(),
            paths: Vec::new(),
        }];
        core.handle(now, Event::NativeRead { token, spaces: None }, &mut out);
        assert_eq!(core.native.spaces.len(), 1, "what was known holds");
        let at = core.timers.get(Timer::Native).expect("and is read again");
        core.handle(at, Event::Tick, &mut out);
        let token = asked(&mut out).expect("then");
        let spaces = Some(alloc::vec![odd_space("\n`- \u{1b}[2J\u{9b}1m")]);
        core.handle(at, Event::NativeRead { token, spaces }, &mut out);
        assert_eq!(core.native.spaces, [odd_space("?`- ?[2J?1m")], "no line of it is the device's");
        let at = core.timers.get(Timer::Native).expect("and is read again");
        core.handle(at, Event::Tick, &mut out);
        let token = asked(&mut out).expect("then");
        core.handle(at, Event::NativeRead { token, spaces: Some(Vec::new()) }, &mut out);
        assert_eq!((core.native.spaces.len(), core.timers.get(Timer::Native)), (0, None));
    }
}
