//! A configuration is taken over: at the start whatever is good of it, later only one without errors.
//!
//! A daemon that starts has nothing better than the good lines of a broken file. One that runs has: a
//! file that is saved half-way, or with a brace too few, must not reload maps by what is left of it.
//!
//! Of a file that can't be read there are no good lines: what is taken instead would rename and regroup every map that
//! is there. The start waits for it.

use ::core::iter;
use ::core::time::Duration;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::core::effect::{Effect, Outbox};
use crate::core::event::Loaded;
use crate::core::notice::{Level, Notice};
use crate::core::timers::Timer;
use crate::core::waiting::{Awaited, Probes};
use crate::core::{Core, Phase, SETTLE_LIMIT};
use crate::ctl::{FAIL, OK};
use crate::state::switched::Switched;
use crate::types::{Instant, Token};

/// Most errors that the answer to a `reconfigure` lists.
const MAX_ERRORS: usize = 20;

/// A configuration that could not be read is read again after so long.
const LOAD_PAUSE: Duration = Duration::from_secs(5);

impl Core {
    /// Orders the configuration; `config_loaded` follows.
    pub(super) fn load(&mut self, out: &mut Outbox) {
        self.loading = true;
        self.loads += 1;
        self.reading_files();
        let token = self.token(Awaited::Config);
        out.push(Effect::LoadConfig { token });
    }

    /// Asks for the configuration; until it comes all goes on as before. Gives the number of the load
    /// that will hold what the files say now; `None`: there will be none.
    pub(super) fn reconfigure(&mut self, out: &mut Outbox) -> Option<u64> {
        match self.phase {
            Phase::Running | Phase::Loading if !self.loading => {
                self.timers.cancel(Timer::Load);
                self.load(out);
                Some(self.loads)
            }
            Phase::Stopping => None,
            _ => {
                self.reconfigure_again = true;
                Some(self.loads + 1)
            }
        }
    }

    pub(super) fn config_loaded(&mut self, now: Instant, token: Token, loaded: Loaded, out: &mut Outbox) {
        if self.waiting.take(token).is_none() || self.phase == Phase::Stopping {
            return;
        }
        self.loading = false;
        if self.phase == Phase::Loading && !loaded.unreadable.is_empty() {
            return self.wait_for_files(now, &loaded, out);
        }
        if self.unreadable.take().is_some() {
            let text = "the configuration can be read now".into();
            out.notify(Notice::Other { level: Level::Notice, text });
        }
        let refused = self.phase == Phase::Running && !loaded.errors.is_empty();
        if !refused {
            let globals = loaded.config.globals();
            out.push(Effect::Verbosity(globals.verbosity));
            if let Some(limit) = globals.max_fds.filter(|_| self.resident) {
                out.push(Effect::OpenFiles(limit));
            }
            out.push(Effect::ListenToFabric(globals.fabric_notifications));
        }
        for text in &loaded.diagnostics {
            out.notify(Notice::Config { text: text.clone() });
        }
        if refused {
            let count = errors(loaded.errors.len());
            let text =
                format!("the configuration is not taken over, the running one stays in force: {count}");
            out.notify(Notice::Other { level: Level::Error, text });
            return self.refuse_load(&refusal(&loaded), out);
        }
        self.use_config(now, loaded, out);
        self.answer_load(OK, out);
    }

    /// What was read is not used: who asked for it is told.
    fn refuse_load(&mut self, answer: &str, out: &mut Outbox) {
        self.reload_all &= self.reconfigure_again; // the order may have come meanwhile
        self.answer_load(answer, out);
        if core::mem::take(&mut self.reconfigure_again) {
            let _ = self.reconfigure(out);
        }
    }

    /// The start has no configuration that it may use: maps that are there stay as they are. Said once for each reason.
    fn wait_for_files(&mut self, now: Instant, loaded: &Loaded, out: &mut Outbox) {
        let why = format!("the configuration can't be read: {}", loaded.unreadable.join("; "));
        if self.unreadable.as_ref() != Some(&why) {
            let again = format!("; it is read again every {} s", LOAD_PAUSE.as_secs());
            let text = format!(
                "{why}: no disk and no map is touched without it; make it readable, or remove it if there is to be \
                 none{}",
                if self.resident { &again } else { "" }
            );
            out.notify(Notice::Other { level: Level::Error, text });
        }
        self.refuse_load(&format!("{FAIL}{why}\n"), out);
        self.unreadable = Some(why);
        // Who does not stay fails.
        if self.resident && !self.loading {
            self.timers.set(Timer::Load, now + LOAD_PAUSE);
        }
    }

    /// Why there is no configuration, where the start waits for one that can't be read.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// The configuration is this from now on; what follows is `enumerated`.
    pub(super) fn use_config(&mut self, now: Instant, loaded: Loaded, out: &mut Outbox) {
        // Who each disk is, and whose, does not change with settings that are the same.
        let same = self.phase == Phase::Running && self.config == loaded.config;
        self.config = loaded.config;
        self.said.clear();
        self.judge_let_in(same);
        if !self.config.globals().fabric_notifications {
            self.forget_fabric();
        }
        self.read_native(out);
        self.may_bind = loaded.may_bind;
        self.take_files(&loaded.bindings, &loaded.wwids, out);
        if self.phase == Phase::Loading {
            self.switched = Switched::parse(&loaded.queueing); // nobody writes it but a daemon
        }
        self.phase = Phase::Enumerating;
        self.timers.set(Timer::Settle, now + SETTLE_LIMIT.saturating_mul(3));
        self.enumerate(if same { Probes::Unmapped } else { Probes::All }, out);
    }
}

/// The answer to who wants a configuration with errors to be used.
pub(super) fn refusal(loaded: &Loaded) -> String {
    let count = loaded.errors.len();
    let head = format!("{FAIL}the running configuration stays in force: {}", errors(count));
    let more = (count > MAX_ERRORS)
        .then(|| format!("and {} more; `multipathctl check` shows all", count - MAX_ERRORS));
    let listed = loaded.errors.iter().take(MAX_ERRORS).map(String::as_str);
    let lines: Vec<&str> = iter::once(head.as_str()).chain(listed).chain(more.as_deref()).collect();
    lines.join("\n") + "\n"
}

/// `1 error`, `2 errors`.
fn errors(count: usize) -> String {
    if count == 1 { "1 error".to_string() } else { format!("{count} errors") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::core::CoreInit;
    use crate::core::event::{Event, Peer, RequestId};
    use alloc::boxed::Box;
    use alloc::sync::Arc;

    fn read(token: Token, unreadable: &[&str]) -> Event {
        let unreadable: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
        let loaded = Loaded {
            diagnostics: unreadable.clone(),
            errors: unreadable.clone(),
            unreadable,
            ..Loaded::of(Arc::new(Config::load(&[]).0))
        };
        Event::Config { token, loaded: Box::new(loaded) }
    }

    fn load(effects: &[Effect]) -> Option<Token> {
        effects.iter().find_map(|effect| match effect {
            Effect::LoadConfig { token } => Some(*token),
            _ => None,
        })
    }

    fn said(effects: &[Effect]) -> Vec<String> {
        let notices = effects.iter().filter_map(|effect| match effect {
            Effect::Notify(notice) => Some(notice.to_string()),
            _ => None,
        });
        notices.collect()
    }

    #[test]
    fn a_start_waits_for_a_file_that_can_not_be_read() {
        let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: true }), Outbox::new());
        let mut now = Instant::from_micros(0);
        core.start(now, &mut out);
        let (mut lines, mut ready) = (Vec::new(), 0);
        let mut tries = 0;
        while tries < 20 {
            let effects: Vec<Effect> = out.drain().collect();
            lines.extend(said(&effects));
            ready += effects.iter().filter(|effect| **effect == Effect::Ready).count();
            if let Some(token) = load(&effects) {
                tries += 1;
                core.handle(now, read(token, &["f: EIO"]), &mut out);
                assert_eq!(core.phase(), Phase::Loading);
            } else {
                now = core.next_deadline().expect("it is tried again");
                core.handle(now, Event::Tick, &mut out);
            }
        }
        assert_eq!((lines.len(), ready), (1, 1), "{lines:?}");
        drop(out.drain());
        core.handle(core.next_deadline().expect("again"), Event::Tick, &mut out);
        let token = load(&out.drain().collect::<Vec<_>>()).expect("it is read");
        core.handle(now, read(token, &["f: EACCES"]), &mut out);
        assert_eq!(said(&out.drain().collect::<Vec<_>>()).len(), 1, "another reason");
        let asked = Event::Request { id: RequestId(1), peer: Peer::SELF, command: "reconfigure".into() };
        core.handle(now, asked, &mut out);
        let token = load(&out.drain().collect::<Vec<_>>()).expect("at once for who asks");
        core.handle(now, read(token, &[]), &mut out);
        let effects: Vec<Effect> = out.drain().collect();
        assert!(effects.contains(&Effect::Reply { id: RequestId(1), text: OK.into() }), "{effects:?}");
        assert_eq!((core.phase(), core.unreadable()), (Phase::Enumerating, None));
    }

    #[test]
    fn who_does_not_stay_fails_without_the_configuration() {
        let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: false }), Outbox::new());
        let now = Instant::from_micros(0);
        core.start(now, &mut out);
        let token = load(&out.drain().collect::<Vec<_>>()).expect("it is read");
        core.handle(now, read(token, &["f: EIO"]), &mut out);
        assert!(core.unreadable().is_some_and(|why| why.ends_with("f: EIO")));
        drop(out.drain());
        let asked = Event::Request { id: RequestId(1), peer: Peer::SELF, command: "explain sda".into() };
        core.handle(now, asked, &mut out);
        let text = "fail\nthe configuration can't be read: f: EIO\n".into();
        assert_eq!(out.drain().collect::<Vec<_>>(), [Effect::Reply { id: RequestId(1), text }]);
    }
}
