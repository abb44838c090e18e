//! What is done to a map while a table load hangs in the kernel. It opens every disk that is new in the table, and the opening of
//! one waits as long as its host recovers from errors, which may be minutes. The live table takes messages all the time: a
//! path that is another LUN by now must be failed, one that is well again used, and queueing must end.
//!
//! ```text
//!            a load is ordered      it has not ended in a second                 it ends, and nothing was told
//! (nothing) ──────────────────► (patience) ────────────► open ───────────────────────────────────────────► (nothing)
//!                                                        │  ▲                                                 ▲
//!                                                  told  ▼  │ answered            read anew, as what was read │
//!                                                   a message ──── it ends ─────► at the load's end may be ───┘
//!                                                                 beside it       older than what was told
//! ```
//!
//! At most one message, or one look at what has changed, is under way beside the load, and nothing else. How the load went is taken in
//! when neither is under way any more, so that what is read is always newer than what was known.

use ::core::time::Duration;
use alloc::boxed::Box;

use crate::core::answers::Need;
use crate::core::effect::{Effect, Outbox};
use crate::core::event::{DmDone, DmFailure};
use crate::core::map::{Inflight, Map, MapId, Observed, Purpose};
use crate::core::plan::{self, Planned, QUEUE_OFF};
use crate::core::timers::Timer;
use crate::core::waiting::Awaited;
use crate::core::{Core, Phase};
use crate::dm::op::DmOp;
use crate::types::{Instant, Token};

/// A load that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Nobody says what other tools do to its queueing: the map is read after so long, as one without a path is that is at rest.
const LOOK_EVERY: Duration = Duration::from_secs(29);

/// Where the map could not be read, or is suspended, it is looked at again after so long.
const PAUSE: Duration = Duration::from_secs(1);

/// Beside a load that hangs.
#[derive(Debug, Clone, Default)]
pub struct Meanwhile {
    /// The message under way, or the look at what has changed.
    message: Option<Box<Inflight>>,
    /// There was one.
    told: bool,
    /// How the load has ended, while the map is still to be read.
    ended: Option<Result<(), DmFailure>>,
}

impl Map {
    /// Would it take a message, though a load is under way?
    pub(super) fn is_open(&self) -> bool {
        let meanwhile = self.inflight.as_ref().and_then(|inflight| inflight.meanwhile.as_ref());
        meanwhile.is_some_and(|meanwhile| meanwhile.message.is_none() && meanwhile.ended.is_none())
    }

    /// Is it to be told something that it can't be told before the load has ended?
    fn awaits_load(&self) -> bool {
        let running = self.observed.as_ref().filter(|observed| !observed.suspended);
        let Some((observed, table)) = running.and_then(|o| Some((o, o.table()?))) else { return true };
        let is_new = |devt| observed.path_active(devt).is_none();
        self.orders.switch_to.is_some()
            || self.orders.reinstate.iter().copied().any(is_new)
            || (self.queue.wish(&self.settings) == Some(true) && !table.queues())
    }
}

/// What was read beside a load is of use, unless the map is suspended, which it is for a moment as the load ends, or is not the one that
/// was there: the load's answer tells.
fn is_running(was: Option<&Observed>, is: &Observed) -> bool {
    was.is_some_and(|was| !is.suspended && was.devt == is.devt)
}

impl Core {
    /// An operation is under way from now on. One that creates the map leaves nothing to be told.
    pub(super) fn await_load(&mut self, now: Instant, id: MapId) {
        let is_load = |map: &&Map| map.inflight.as_ref().is_some_and(|i| matches!(i.op, DmOp::Reload { .. }));
        if self.maps.get(&id).is_some_and(|map| is_load(&map)) {
            self.timers.set(Timer::Meanwhile(id), now + PATIENCE);
        }
    }

    /// A load hangs, or does so still.
    pub(super) fn load_hangs(&mut self, now: Instant, id: MapId) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let Some(load) = &mut map.inflight else { return };
        map.requery |= load.meanwhile.is_some();
        load.meanwhile.get_or_insert_default();
        self.timers.set(Timer::Meanwhile(id), now + LOOK_EVERY);
        self.dirty.insert(id);
    }

    /// Something has happened to a map with an operation under way.
    pub(super) fn plan_meanwhile(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        if !self.maps.get(&id).is_some_and(|map| map.is_open() && !map.message_backoff.blocks(now)) {
            return;
        }
        self.review_queueing(now, id, out);
        let map = &self.maps[&id];
        let planned = if map.requery || map.in_list.is_some() {
            Some(Planned { op: DmOp::READ, reason: "it changed" })
        } else if self.phase == Phase::Stopping {
            self.plan_stop(id)
        } else {
            let mut members = self.members(map);
            members.retain(|path| !self.is_leaving(path));
            plan::meanwhile(map, &members, &self.strangers_in(id))
        };
        match planned {
            Some(planned) => self.tell_meanwhile(id, planned, out),
            None => self.all_is_told(id, out),
        }
    }

    /// Tells it to a map whose load hangs, or reads it, if it can be told now.
    pub(super) fn tell_meanwhile(&mut self, id: MapId, planned: Planned, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id).filter(|map| map.is_open()) else { return };
        map.requery = false;
        let orders = map.orders.begin(&planned.op);
        let Some(meanwhile) = map.inflight.as_mut().and_then(|load| load.meanwhile.as_mut()) else { return };
        let token = self.waiting.token(Awaited::Dm(id));
        let Planned { op, reason } = planned;
        out.push(Effect::Dm { token, wwid: map.wwid.clone(), op: op.clone() });
        let message = Inflight { token, op, reason, purpose: Purpose::Change, orders, meanwhile: None };
        (meanwhile.message, meanwhile.told) = (Some(message.into()), true);
    }

    /// Nothing can be told a map whose load hangs. Who waits for what comes after the load goes on waiting.
    fn all_is_told(&mut self, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get(&id).filter(|_| self.phase == Phase::Running) else { return };
        if map.awaits_load() {
            return;
        }
        self.end_reinstates(id, out);
        if !self.explanation_awaited(id) {
            self.answer_map(id, |need| need == Need::Messages, &Ok(()), out);
        }
    }

    /// An answer has come: is it that of a message beside a load?
    fn told_meanwhile(
        &mut self,
        now: Instant,
        id: MapId,
        token: Token,
        done: &DmDone,
        out: &mut Outbox,
    ) -> bool {
        let Some(map) = self.maps.get_mut(&id) else { return false };
        let Some(meanwhile) = map.inflight.as_mut().and_then(|load| load.meanwhile.as_mut()) else {
            return false;
        };
        let Some(message) = meanwhile.message.take_if(|message| message.token == token) else { return false };
        let has_ended = meanwhile.ended.is_some();
        self.compare_with_list(id, done.map.as_ref().ok().and_then(Option::as_deref));
        let Some(map) = self.maps.get(&id) else { return true };
        let was = map.observed.clone();
        let is = done.map.as_ref().ok().and_then(Option::as_deref).map(Observed::parse);
        let is = is.filter(|is| is_running(was.as_ref(), is));
        let (is_read, reads) = (is.is_some(), matches!(message.op, DmOp::Query { .. }));
        // A load that flushes ends it for a while.
        let ends =
            matches!(&message.op, DmOp::Message { messages } if messages.iter().any(|m| m == QUEUE_OFF));
        if is_read && ends {
            self.say_queueing_ended(id, &message.op, (was.as_ref(), is.as_ref()), out);
        }
        if done.result.is_ok() {
            self.succeeded(now, id, &message, (was.as_ref(), is.as_ref()), out);
        }
        if is_read {
            self.set_observed(now, id, is, out);
            self.follow_group(id, &message.op, was.as_ref(), out);
        }
        // Whoever has suspended it resumes it, and tells nobody.
        let is_suspended = !reads && matches!(&done.map, Ok(Some(seen)) if Observed::parse(seen).suspended);
        match &done.result {
            Err(_) if is_suspended => self.pause(now, id),
            Err(failure) if !reads => self.failed(now, id, &message, failure.clone(), out),
            _ if !is_read => self.pause(now, id),
            _ => {}
        }
        if has_ended {
            self.read_at_end(id, out);
        }
        self.dirty.insert(id);
        true
    }

    fn pause(&mut self, now: Instant, id: MapId) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let until = now + PAUSE;
        map.requery = true;
        map.message_backoff.until = Some(until);
        self.timers.set_by(Timer::Retry(id), until);
    }

    /// An answer has come while a load hangs. If it is the load's, and there was a message, how it went is taken in when the map has been
    /// read anew.
    pub(super) fn done_meanwhile(
        &mut self,
        now: Instant,
        id: MapId,
        token: Token,
        done: DmDone,
        out: &mut Outbox,
    ) {
        if self.told_meanwhile(now, id, token, &done, out) {
            return;
        }
        let Some(map) = self.maps.get_mut(&id) else { return };
        let load = map.inflight.as_mut().filter(|load| load.token == token);
        let Some(meanwhile) = load.and_then(|load| load.meanwhile.as_mut()) else { return };
        let done = match meanwhile.ended.take() {
            Some(result) => DmDone { result, map: done.map },
            None if meanwhile.told => {
                let is_free = meanwhile.message.is_none();
                meanwhile.ended = Some(done.result);
                if is_free {
                    self.read_at_end(id, out);
                }
                return;
            }
            None => done,
        };
        if let Some(load) = map.inflight.take() {
            self.operated(now, id, &load, done, out);
        }
    }

    fn read_at_end(&mut self, id: MapId, out: &mut Outbox) {
        let token = self.waiting.token(Awaited::Dm(id));
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.requery = false;
        if let Some(load) = &mut map.inflight {
            load.token = token;
            out.push(Effect::Dm { token, wwid: map.wwid.clone(), op: DmOp::READ });
        }
    }
}
