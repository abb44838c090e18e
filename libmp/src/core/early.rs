//! What is asked before the start has found what there is. A client can connect that early, as the service manager holds the
//! sockets, and an answer from an empty memory would be wrong: no maps, no such device, nothing to remove.

use ::core::time::Duration;

use crate::core::effect::Outbox;
use crate::core::event::RequestId;
use crate::core::requests::{Pending, Until};
use crate::core::timers::Timer;
use crate::core::{Core, Phase};
use crate::ctl::{self, Command, Show};
use crate::types::Instant;

/// A reply that another user than root has waited for, and that can't be made yet, is tried again after that.
const APART: Duration = Duration::from_millis(1);

impl Core {
    /// Must it wait until the maps and paths that there are have been found?
    pub(super) const fn is_too_early(&self, command: &Command) -> bool {
        let at_any_time = matches!(
            command,
            Command::Show(Show::Daemon | Show::Status)
                | Command::Book(_)
                | Command::Plan { .. }
                | Command::Reconfigure { .. }
                | Command::Shutdown
                | Command::Quit
        );
        !self.started && !matches!(self.phase, Phase::Stopping) && !at_any_time
    }

    /// They have been found, or are not waited for any longer.
    pub(super) fn start_is_over(&mut self, now: Instant, out: &mut Outbox) {
        self.started = true;
        for id in self.waiting_for(Until::Started) {
            if self.is_of_root(id) {
                self.ask_again(now, id, out);
            } else {
                self.timers.set(Timer::Request(id), now);
            }
        }
    }

    /// What only asks gets what is known. Is it such a request? Of those of other users one is answered with a tick, of which a turn
    /// of the loop has one, as each may ask for more than there is room for together: whoever is to take the reply does so, or is given
    /// up, before the next one is made.
    pub(super) fn answer_early(&mut self, now: Instant, id: RequestId, out: &mut Outbox) -> bool {
        let asks =
            |p: &Pending| matches!(ctl::parse(&p.command), Ok(Command::Show(_) | Command::Explain { .. }));
        let waits = self.pending.get(&id).filter(|p| p.until == Until::Started);
        if self.phase == Phase::Loading || !waits.is_some_and(asks) {
            return false;
        }
        if self.is_of_root(id) || ::core::mem::take(&mut self.ticked) {
            self.ask_again(now, id, out);
        } else {
            self.timers.set(Timer::Request(id), now + APART);
        }
        true
    }

    fn is_of_root(&self, id: RequestId) -> bool {
        self.pending.get(&id).is_some_and(|pending| pending.peer.uid == 0)
    }

    fn ask_again(&mut self, now: Instant, id: RequestId, out: &mut Outbox) {
        let until = self.timers.get(Timer::Request(id));
        let Some(Pending { command: line, peer, .. }) = self.forget_request(id) else { return };
        if let Ok(command) = ctl::parse(&line) {
            self.answer(now, id, peer, (command, &line), out);
        }
        // The client began to wait when it asked.
        if let Some(until) = until.filter(|_| self.pending.contains_key(&id)) {
            self.timers.set(Timer::Request(id), until);
        }
    }
}
