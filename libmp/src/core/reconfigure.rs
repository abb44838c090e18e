//! A configuration is taken over: at the start whatever is good of it, later only one without errors.
//!
//! A daemon that starts has nothing better than the good lines of a broken file. One that runs has: a
//! file that is saved half-way, or with a brace too few, must not reload maps by what is left of it.

use ::core::iter;
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
            Phase::Running if !self.loading => {
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
            self.reload_all &= self.reconfigure_again; // the order may have come meanwhile
            self.answer_load(&refusal(&loaded), out);
            if core::mem::take(&mut self.reconfigure_again) {
                let _ = self.reconfigure(out);
            }
            return;
        }
        self.use_config(now, loaded, out);
        self.answer_load(OK, out);
    }

    /// The configuration is this from now on; what follows is `enumerated`.
    pub(super) fn use_config(&mut self, now: Instant, loaded: Loaded, out: &mut Outbox) {
        // Who each disk is, and whose, does not change with settings that are the same.
        let same = self.phase == Phase::Running && self.config == loaded.config;
        self.config = loaded.config;
        self.said.clear();
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
