//! Drives maps: plans what is dirty, takes in how operations went.

use ::core::time::Duration;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::config::settings::NoPathRetry;
use crate::core::answers::Need;
use crate::core::desired::{self, Desired};
use crate::core::effect::{Effect, Outbox};
use crate::core::event::{DmDone, DmFailure};
use crate::core::failback::may_switch;
use crate::core::map::{Backoff, Inflight, Map, MapId, Observed, Orders, Purpose};
use crate::core::notice::{Level, Notice};
use crate::core::path::Path;
use crate::core::plan::{Planned, QUEUE_OFF, Situation};
use crate::core::queueing::Phase as QueuePhase;
use crate::core::smaller::{self, Build};
use crate::core::timers::Timer;
use crate::core::waiting::Awaited;
use crate::core::{Core, Phase, refused, unidentified};
use crate::dm::op::{DmOp, SUSPENDED_SINCE, Seen};
use crate::dm::table::Table;
use crate::show::view::MapAction;
use crate::types::{DevT, Errno, Instant, MapName, PathName, Token};

/// A map without paths that somebody holds open is looked at again after so long: what is done to it is
/// known within half a minute, the answer included.
const IDLE_RECHECK: Duration = Duration::from_secs(29);

/// What keeps failing is tried again after so long.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What another map waits for, as the device is its own by now, is tried again after so long.
const AWAITED_PAUSE: Duration = Duration::from_secs(4);

/// A stop waits so long for operations under way.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// So often it tells a map to queue no more.
const STOP_TRIES: u32 = 3;

impl Core {
    /// Plans each map that something happened to.
    pub(super) fn plan_dirty(&mut self, now: Instant, out: &mut Outbox) {
        if !matches!(self.phase, Phase::Running | Phase::Stopping) {
            return self.expel_at_once(now, out);
        }
        self.expel_with_plan();
        while let Some(id) = self.dirty.pop_first() {
            self.plan_map(now, id, out);
        }
    }

    pub(super) fn members(&self, map: &Map) -> Vec<&Path> {
        map.members.iter().filter_map(|p| self.paths.get(p)).collect()
    }

    fn plan_map(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.unplanned = map.inflight.is_some();
        if map.unplanned {
            return self.plan_meanwhile(now, id, out); // planned again when it ends
        }
        if map.requery {
            self.order(id, Planned { op: DmOp::READ, reason: "it changed" }, Purpose::Change, out);
            return;
        }
        let planned =
            if self.phase == Phase::Stopping { self.plan_stop(id) } else { self.plan_one(now, id, out) };
        match planned {
            Some(planned) => {
                self.order(id, planned, Purpose::Change, out);
                self.await_load(now, id);
            }
            None => self.at_rest(now, id, out),
        }
    }

    pub(super) fn plan_one(&mut self, now: Instant, id: MapId, out: &mut Outbox) -> Option<Planned> {
        self.review_unidentified(id, out);
        self.review_refused(now, id);
        self.review_mode(now, id, out);
        self.review_prioritizers(id);
        self.review_sizes(now, id, out);
        self.review_grown(id, out);
        self.review_readiness(now, id);
        self.review_queueing(now, id, out);
        let name = self.free_name(id, out);
        let map = &self.maps[&id];
        let mut members = self.members(map);
        members.retain(|path| !self.is_leaving(path));
        let mut members = Self::admitted(map, &members, now);
        let strangers = self.strangers_in(id);
        let holds = |devt: &DevT| map.observed.as_ref().is_some_and(|o| o.path_active(*devt).is_some());
        if map.observed.as_ref().is_some_and(|observed| observed.suspended) && strangers.iter().any(holds) {
            // It is resumed without them; a path that is new must not keep it from that.
            members.retain(|path| holds(&path.devt()));
        }
        // No path of its own fits into the map, or none is of use and the kernel does not take them (any more): what is
        // another LUN's by now is let go all the same. One of use that has become too small for it is kept.
        let active =
            |path: &&Path| map.observed.as_ref().and_then(|o| o.path_active(path.devt())) == Some(true);
        let serves = members.iter().filter(|path| path.is_usable()).any(active);
        let empty = || desired::desired(map, &[]);
        let none = || if strangers.iter().any(holds) && !serves { empty() } else { None };
        let useless = map.backoff.failures > refused::FAILURES && !members.iter().any(active);
        let small = self.small_unidentified(map).is_some();
        let desire = |build: Build, members: &[&Path]| {
            let own = build(map, members);
            let desired = if useless { none().or(own) } else { own.or_else(none) };
            desired.map(|desired| unidentified::keep(map, desired, small))
        };
        let desired: Option<Desired> = desire(desired::desired, &members);
        let situation = Situation {
            map,
            members: &members,
            desired: desired.as_ref(),
            name: &name,
            strangers: &strangers,
            withhold: self.withholds(map, &members),
            unattended: !self.resident && self.stops_queueing(),
            may_load: !map.backoff.blocks(now),
            may_tell: !map.message_backoff.blocks(now),
            may_switch: may_switch(map, now),
            partitions: &self.partitions_to_rename(now, map),
        };
        let plan = |members: &[&Path]| smaller::plan(&situation, members, &desire);
        unidentified::without_doubt(&situation, plan(&members)?, small, &plan)
    }

    /// At the end queues end, so that no shutdown hangs in one; the maps stay. One that is suspended takes no message.
    pub(super) fn plan_stop(&self, id: MapId) -> Option<Planned> {
        let map = &self.maps[&id];
        let may_tell =
            |observed: &&Observed| !observed.suspended && map.message_backoff.failures < STOP_TRIES;
        let observed = map.observed.as_ref().filter(may_tell)?;
        let queues = observed.table().is_some_and(Table::queues);
        (queues && self.stops_queueing()).then(|| Planned {
            op: DmOp::Message { messages: [QUEUE_OFF.into()].into() },
            reason: "the daemon stops",
        })
    }

    /// Does the queueing end when the process does?
    fn stops_queueing(&self) -> bool {
        !self.config.globals().queue_without_daemon && !self.switched.forced
    }

    pub(super) fn order(&mut self, id: MapId, mut planned: Planned, purpose: Purpose, out: &mut Outbox) {
        if let DmOp::Create { load, beside, .. } = &mut planned.op {
            *beside = self.beside(id, load);
        }
        let token = self.waiting.token(Awaited::Dm(id));
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.requery = false;
        let names = planned.op.takes_name().is_some();
        let orders = map.orders.begin(&planned.op);
        let Planned { op, reason } = planned;
        map.inflight = Some(Inflight { token, op: op.clone(), reason, purpose, orders, meanwhile: None });
        out.push(Effect::Dm { token, wwid: map.wwid.clone(), op });
        if names {
            self.list_names(id);
        }
    }

    /// Reads a map of which nobody has spoken.
    pub(super) fn look_at(&mut self, id: MapId, out: &mut Outbox) {
        let there = self.maps.get(&id).filter(|map| map.observed.is_some());
        if let Some(map) = there.filter(|_| self.phase == Phase::Running && !self.dirty.contains(&id)) {
            let op = DmOp::Query { known: map.looked_like.clone() };
            self.order(id, Planned { op, reason: "a look" }, Purpose::Look, out);
        } else {
            self.read_again(id);
        }
    }

    /// Is there nothing to do after a look at this map, at rest, if it has found it as it was?
    fn may_be_the_same(&self, id: MapId, look: &Inflight) -> bool {
        let Some(map) = self.maps.get(&id) else { return false };
        look.purpose == Purpose::Look
            && !map.requery
            && !map.unplanned
            && !map.members.is_empty()
            && map.queue.phase == QueuePhase::Normal
            && self.phase == Phase::Running
            && self.pending.is_empty()
    }

    /// Nothing is to be done for a map.
    fn at_rest(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        self.end_reinstates(id, out);
        let Some(map) = self.maps.get_mut(&id) else { return };
        let untouched = map.action == MapAction::None
            && !map.members.is_empty()
            && map.observed.as_ref().is_some_and(|observed| !observed.is_foreign())
            && map.unfinished.is_none();
        if untouched && !core::mem::replace(&mut map.said_adopted, true) {
            out.notify(Notice::MapAdopted { map: map.kernel_name().clone() });
        }
        if map.members.is_empty() && map.observed.is_none() {
            for timer in
                [Timer::Hold, Timer::Retry, Timer::Queueing, Timer::Failback, Timer::Ready, Timer::Sizes]
            {
                self.timers.cancel(timer(id));
            }
            self.forget_map(id, out);
        } else if map.observed.is_some() && (map.members.is_empty() || map.queue.phase != QueuePhase::Normal)
        {
            // Nobody says when it is closed, or told to queue again: look at it now and then.
            self.timers.set_by(Timer::Retry(id), now + IDLE_RECHECK);
        }
        if self.maps.contains_key(&id) {
            self.await_maker(now, id);
            self.plan_failback(now, id, out);
        }
        self.answer_at_rest(now, id, out);
    }

    pub(super) fn retry(&mut self, id: MapId) {
        if let Some(map) = self.maps.get_mut(&id) {
            map.backoff.until = None;
            map.message_backoff.until = None;
            map.misnamed.backoff.until = None;
        }
        self.read_again(id);
    }

    /// An operation was answered.
    pub(super) fn dm_done(&mut self, now: Instant, id: MapId, token: Token, done: DmDone, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        if map.inflight.as_ref().is_some_and(|load| load.meanwhile.is_some()) {
            return self.done_meanwhile(now, id, token, done, out);
        }
        if let Some(inflight) = map.inflight.take_if(|inflight| inflight.token == token) {
            self.operated(now, id, &inflight, done, out);
        }
    }

    /// An operation has ended, and nothing is under way any more.
    pub(super) fn operated(
        &mut self,
        now: Instant,
        id: MapId,
        inflight: &Inflight,
        done: DmDone,
        out: &mut Outbox,
    ) {
        if matches!(inflight.op, DmOp::Reload { .. }) {
            self.timers.cancel(Timer::Meanwhile(id));
        }
        self.compare_with_list(id, done.map.as_ref().ok().and_then(Option::as_deref));
        if inflight.op.takes_name().is_some() {
            self.list_names(id);
        }
        let Some(map) = self.maps.get_mut(&id) else { return };
        let loads = matches!(inflight.op, DmOp::Create { .. } | DmOp::Reload { .. });
        let left_unread = core::mem::replace(&mut map.left_unread, false);
        let is_his = done.result.as_ref().is_err_and(|why| why.step == SUSPENDED_SINCE);
        map.left_unread = done.map.is_err() && (left_unread || (loads && !is_his));
        if done.result.is_ok()
            && matches!((&done.map, &map.looked_like), (Ok(Some(seen)), Some(known)) if seen.is(known))
            && self.may_be_the_same(id, inflight)
        {
            return;
        }
        let is = match &done.map {
            Ok(seen) => seen.as_deref().map(Observed::parse),
            Err(errno) => {
                let unread = DmFailure::new("read", *errno);
                let failure = done.result.err().unwrap_or(unread);
                return self.failed(now, id, inflight, failure, out);
            }
        };
        let was = self.maps.get(&id).and_then(|map| map.observed.clone());
        if done.result.is_ok() && is == was && self.may_be_the_same(id, inflight) {
            if let Some(map) = self.maps.get_mut(&id) {
                map.looked_like = done.map.ok().flatten().map(Seen::shared);
            }
            return;
        }
        let lost = is.is_none() && was.is_some() && !matches!(inflight.op, DmOp::Remove { .. });
        if lost {
            self.map_gone(id, out);
            let gone = DmFailure::new("read", Errno::ENXIO);
            self.answer_map(id, |_| true, &done.result.and(Err(gone)), out);
            return;
        }
        if !left_unread {
            self.suspended_by_another(id, &inflight.op, &done.result, (was.as_ref(), is.as_ref()), out);
        }
        self.say_queueing_ended(id, &inflight.op, (was.as_ref(), is.as_ref()), out);
        match done.result {
            Ok(()) => {
                self.succeeded(now, id, inflight, (was.as_ref(), is.as_ref()), out);
                self.another_since(id, &inflight.op, is.as_ref());
                self.set_observed(now, id, is, out);
            }
            Err(failure) => {
                self.set_observed(now, id, is, out);
                self.own_leftover(id, &inflight.op, &failure);
                self.answer_if_without(id, out);
                self.failed(now, id, inflight, failure, out);
            }
        }
        self.follow_group(id, &inflight.op, was.as_ref(), out);
    }

    fn created(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.action = MapAction::Create;
        map.stats.map_loads += 1;
        self.remember_map(now, id, out);
        self.set_mark(id, false, out);
        self.reconsider(id, out); // it may have another size than the map before
    }

    pub(super) fn succeeded(
        &mut self,
        now: Instant,
        id: MapId,
        done: &Inflight,
        (was, is): (Option<&Observed>, Option<&Observed>),
        out: &mut Outbox,
    ) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        match done.op {
            DmOp::Query { .. } | DmOp::Reassign { .. } | DmOp::RenamePartitions { .. } => {}
            DmOp::Message { .. } | DmOp::CancelRemove => map.message_backoff.clear(),
            _ => map.backoff.clear(),
        }
        map.table_read_only = done.op.load().map(|load| load.read_only).or(map.table_read_only);
        let name = map.kernel_name().clone();
        match &done.op {
            DmOp::Create { name, load, flags, .. } => {
                self.told_ready(now, id, *flags);
                out.notify(Notice::MapCreated { map: name.clone(), table: load.params.clone() });
                self.created(now, id, out);
            }
            DmOp::Reload { load, flags, .. } => {
                self.told_ready(now, id, *flags);
                let Some(map) = self.maps.get_mut(&id) else { return };
                map.action = if done.orders.resize.is_some() { MapAction::Resize } else { MapAction::Reload };
                map.switch.leaves = false;
                map.stats.map_loads += 1;
                let (table, reason) = (load.params.clone(), done.reason);
                out.notify(Notice::MapReloaded { map: name, table, reason });
                self.resized(id, load.sectors, out);
            }
            DmOp::Rename { to, .. } => {
                map.action = MapAction::Rename;
                let from = was.map_or_else(|| name.clone(), |was| was.name.clone());
                out.notify(Notice::MapRenamed { from: from.clone(), to: to.clone() });
                self.partitions_follow(id, &from, to);
            }
            DmOp::Remove { .. } => self.removed(id, name, done, is, out),
            DmOp::Suspend => {
                map.orders.suspended = true;
                map.orders.end(&done.orders);
            }
            DmOp::Resume { .. } => {
                if done.orders.suspend_or_resume.is_none() {
                    let text =
                        format!("{}: it was suspended, and nobody wanted it so: resumed", map.kernel_name());
                    out.notify(Notice::Other { level: Level::Warning, text });
                }
                map.orders.suspended = false;
                map.orders.end(&done.orders);
            }
            DmOp::Message { messages, .. } => self.messages_done(now, id, (messages, &done.orders), was, out),
            DmOp::RenamePartitions { names } => self.partitions_renamed(id, names),
            DmOp::Reassign { .. } | DmOp::CancelRemove | DmOp::Query { .. } => {}
        }
    }

    fn messages_done(
        &mut self,
        now: Instant,
        id: MapId,
        (messages, orders): (&[String], &Orders),
        was: Option<&Observed>,
        out: &mut Outbox,
    ) {
        let interval = self.config.globals().polling_interval;
        let lost = was.is_some_and(|was| self.has_lost_its_group(id, was));
        for message in messages {
            let (verb, arg) = message.split_once(' ').unwrap_or((message, ""));
            let Some(map) = self.maps.get_mut(&id) else { return };
            let name = map.kernel_name().clone();
            let member = arg.parse().ok().and_then(|devt| {
                map.members.iter().filter_map(|p| self.paths.get(p)).find(|p| p.devt() == devt)
            });
            match (verb, member) {
                ("fail_path", Some(p)) => {
                    let why = why_failed(p);
                    out.notify(Notice::Failed { map: name, path: p.name.clone(), devt: p.devt(), why });
                    if let Some(observed) = &mut map.observed {
                        observed.set_active(p.devt(), false); // by us, not by an I/O
                    }
                }
                ("fail_path", None) => out.notify(self.failed_stranger(name, arg)),
                ("reinstate_path", Some(p)) => {
                    let (id, devt) = (p.id, p.devt());
                    map.orders.reinstate.remove(&devt);
                    out.notify(Notice::Reinstated { map: name, path: p.name.clone(), devt });
                    if let Some(observed) = &mut map.observed {
                        // It was active, if only for an instant: what is read now may say otherwise.
                        observed.set_active(devt, true);
                        map.looked_like = None;
                    }
                    if let Some(path) = self.paths.get_mut(&id) {
                        path.steadiness.reinstated = Some(now);
                    }
                }
                ("switch_group", _) => {
                    let ordered = orders.switch_to.is_some();
                    map.orders.switch_to.take_if(|group| Some(*group) == orders.switch_to);
                    map.stats.switch_group += 1;
                    map.switch.not_before = Some(now + interval);
                    map.switch.known = true;
                    let leaves = core::mem::take(&mut map.switch.leaves);
                    // What an operator ordered is not the daemon's doing.
                    if !ordered {
                        map.action = MapAction::SwitchPg;
                    }
                    let reason = match ordered {
                        true => "operator",
                        false if lost => "failover",
                        false if leaves => "its paths are marginal",
                        false => "failback",
                    };
                    out.notify(Notice::GroupSwitched { map: name, group: arg.parse().unwrap_or(0), reason });
                }
                ("fail_if_no_path", _) => self.call_held_back(now, id, out),
                ("queue_if_no_path", _) if was.is_some() => {
                    out.notify(Notice::QueueingRestored { map: name });
                }
                _ => {}
            }
        }
    }

    /// A disk has been failed that is in the table, and none of the map's paths.
    fn failed_stranger(&self, map: MapName, number: &str) -> Notice {
        let devt = number.parse().unwrap_or_default();
        let path = self.paths.values().find(|path| path.devt() == devt).map(|path| path.name.clone());
        let path = path.unwrap_or_else(|| PathName::new(number));
        Notice::Failed { map, path, devt, why: "it is in the table and none of this map's paths" }
    }

    /// How long what fails is let be, at the most.
    fn longest_pause(&self, id: MapId) -> Duration {
        let Some(map) = self.maps.get(&id) else { return LONGEST_PAUSE };
        let holds = |devt: &DevT| map.observed.as_ref().is_some_and(|o| o.path_active(*devt).is_some());
        if self.strangers_in(id).iter().any(holds) {
            AWAITED_PAUSE
        } else if map.members.is_empty() || map.queue.phase != QueuePhase::Normal {
            // Without a path nobody else looks at the map, and what other tools do to its queueing must be seen.
            IDLE_RECHECK
        } else {
            LONGEST_PAUSE
        }
    }

    pub(super) fn failed(
        &mut self,
        now: Instant,
        id: MapId,
        done: &Inflight,
        failure: DmFailure,
        out: &mut Outbox,
    ) {
        if matches!(done.op, DmOp::Reassign { .. }) {
            return self.not_reassigned(id, failure, out);
        }
        if matches!(done.op, DmOp::RenamePartitions { .. }) {
            return self.partitions_not_renamed(now, id, failure, out);
        }
        if done.op.takes_name().is_some() {
            self.names_freed(); // it has not taken it
        }
        let longest = self.longest_pause(id);
        let is_message = matches!(done.op, DmOp::Message { .. } | DmOp::CancelRemove);
        let Some(map) = self.maps.get_mut(&id) else { return };
        // An operator's order that can't be carried out is answered, not tried again.
        let ordered = done.orders.any();
        map.orders.end(&done.orders);
        if done.orders.remove {
            map.not_removed = Some(failure.clone());
        }
        let backoff = if is_message { &mut map.message_backoff } else { &mut map.backoff };
        let until = backoff.failed(now, longest, &failure);
        let failures = backoff.failures;
        let put_down = self.load_refused(now, id, &done.op, &failure, out);
        if matches!(done.op, DmOp::Create { .. }) {
            self.creation_failed(id, put_down, out);
        }
        // While a load hangs there is.
        let hangs = self.maps.get(&id).is_some_and(|map| map.inflight.is_some());
        let again = !ordered || put_down || hangs || self.keeps_failing(now, id, is_message, out);
        let removal = matches!(done.op, DmOp::Remove { .. });
        if !(removal && failure.errno == Errno::EBUSY) {
            let (step, mut error) = (failure.step.clone(), failure.errno.to_string());
            if !failure.holders.is_empty() {
                error = alloc::format!("{error} ({})", failure.holders.join(", "));
            }
            let said = self.maps.get(&id).filter(|_| failures < 4).map(|map| map.kernel_name().clone());
            if let Some(map) = said {
                out.notify(Notice::MapOpFailed { map, step, error, again });
            }
        }
        if !put_down {
            self.timers.set_by(Timer::Retry(id), until);
        }
        // What is put down to one path, or to the handler, the next plan does without.
        if failures > 1 && !put_down {
            if let Some(map) = self.maps.get_mut(&id) {
                map.orders.give_up(is_message);
            }
            self.answer_map(id, |need| (need == Need::Messages) == is_message, &Err(failure), out);
        } else if ordered {
            self.answer_map(id, |need| need.is_met_by(&done.op), &Err(failure), out);
        }
    }

    /// An operation for an order has failed, and the order is forgotten. Where the map is as it is wanted without it, so is the failure:
    /// nothing is tried again.
    fn keeps_failing(&mut self, now: Instant, id: MapId, is_message: bool, out: &mut Outbox) -> bool {
        fn backoff(map: &mut Map, is_message: bool) -> &mut Backoff {
            if is_message { &mut map.message_backoff } else { &mut map.backoff }
        }
        let Some(map) = self.maps.get_mut(&id).filter(|_| self.phase == Phase::Running) else { return true };
        let kept = core::mem::take(backoff(map, is_message));
        let more = self.plan_one(now, id, out).is_some();
        if let Some(map) = self.maps.get_mut(&id).filter(|_| more) {
            *backoff(map, is_message) = kept;
        }
        more
    }

    /// Begins to stop: queues end, clients get their answers, nothing new is begun.
    pub(super) fn stop(&mut self, now: Instant, out: &mut Outbox) {
        if self.phase == Phase::Stopping {
            return;
        }
        out.notify(Notice::Stopping);
        self.phase = Phase::Stopping;
        self.give_up_loads(out);
        self.save_due(out);
        self.timers.set(Timer::Settle, now + STOP_LIMIT);
        for id in self.maps.keys().collect::<Vec<_>>() {
            if let Some(map) = self.maps.get_mut(&id) {
                map.message_backoff.clear();
                // One that was suspended may have been resumed since.
                map.requery |= map.inflight.is_none() && map.observed.as_ref().is_some_and(|o| o.suspended);
            }
            self.dirty.insert(id);
        }
        if self.maps.values().any(|m| m.settings.no_path_retry == NoPathRetry::Queue)
            && self.config.globals().queue_without_daemon
        {
            let text = "queue_without_daemon is set: maps go on queueing without a daemon".into();
            out.notify(Notice::Other { level: Level::Warning, text });
        }
    }

    pub(super) fn exit(&mut self, out: &mut Outbox) {
        if !self.exited {
            self.exited = true;
            out.push(Effect::Exit);
        }
    }
}

/// Why is the kernel told not to use a path?
fn why_failed(path: &Path) -> &'static str {
    if path.health.held_down {
        "by an operator"
    } else if path.health.state.is_failed() {
        "its checker found it unusable"
    } else {
        "it is held back"
    }
}
