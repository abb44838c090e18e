//! What clients ask. `show` is answered from memory at once; what changes something is answered
//! when it is done, or when the client has waited long enough. Each request gets exactly one reply.

use ::core::time::Duration;
use alloc::string::String;
use alloc::vec::Vec;

use crate::check::{CheckState, Judged};
use crate::core::answers::{DOUBTFUL, Need};
use crate::core::discovery::Seen;
use crate::core::effect::{Effect, Outbox, StateFile};
use crate::core::event::{Peer, RequestId, Survey};
use crate::core::map::{Map, MapId, MapStats, SuspendOrder};
use crate::core::notice::Notice;
use crate::core::path::{Exclusion, Path, PathId, Standing};
use crate::core::timers::Timer;
use crate::core::waiting::Awaited;
use crate::core::{Core, Phase};
use crate::ctl::device::{MapRef, PathRef};
use crate::ctl::{self, BLACKLISTED, Command, DEVICE_NOT_FOUND, FAIL, Form, OK, PERMISSION_DENIED, TIMEOUT};
use crate::types::{Instant, MapName, PathName, Wwid};

/// A request that is answered later.
#[derive(Debug, Clone)]
pub struct Pending {
    pub(super) command: String,
    pub(super) peer: Peer,
    pub(super) until: Until,
}

/// What it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// The start has found what there is.
    Started,
    /// The map is as it is wanted, in this respect.
    Map(MapId, Need),
    /// The path is probed.
    Probed(PathId),
    /// The map's paths have been rescanned.
    Rescanned(MapId),
    /// No removal is under way.
    Removals,
    /// The configuration was read that often.
    Loaded(u64),
    /// What a plan is made from was read.
    Surveyed(Form),
    /// The state file was written.
    Saved(StateFile),
}

/// An answer now, or later.
pub(super) enum Answer {
    Now(String),
    When(Until),
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self::Now(text.into())
    }
}

impl Core {
    /// A client's command.
    pub(super) fn request(&mut self, now: Instant, id: RequestId, peer: Peer, line: &str, out: &mut Outbox) {
        let command = match ctl::parse(line) {
            Ok(command) => command,
            Err(error) => return reply(id, error.reply(), out),
        };
        if peer.uid != 0 && command.needs_root() {
            return reply(id, PERMISSION_DENIED.into(), out);
        }
        if self.is_too_early(&command) {
            if let Some(why) = self.unreadable().filter(|_| !self.resident) {
                return reply(id, alloc::format!("{FAIL}{why}\n"), out); // nobody will read it again
            }
            return self.answer_later(now, id, Pending { command: line.into(), peer, until: Until::Started });
        }
        self.answer(now, id, peer, (command, line), out);
    }

    pub(super) fn answer(
        &mut self,
        now: Instant,
        id: RequestId,
        peer: Peer,
        (command, line): (Command, &str),
        out: &mut Outbox,
    ) {
        match &command {
            Command::Show(what) => return reply(id, self.show(now, what), out),
            Command::Book(book) => return out.push(Effect::Book { id, book: *book }),
            _ => {}
        }
        if let Command::Explain { device, form } = &command {
            let text = self.explain(now, device).map(|explained| explained.render(*form));
            return reply(id, text.unwrap_or_else(|| DEVICE_NOT_FOUND.into()), out);
        }
        if self.phase == Phase::Stopping && command != Command::Shutdown {
            return reply(id, FAIL.into(), out);
        }
        match self.carry_out(now, &command, out) {
            Answer::Now(text) => {
                Self::say_command(line, peer, &text, out);
                reply(id, text, out);
            }
            Answer::When(until) => {
                if let Command::Plan { file, .. } = command {
                    let token = self.waiting.token(Awaited::Survey(id));
                    out.push(Effect::Survey { token, file });
                }
                self.answer_later(now, id, Pending { command: line.into(), peer, until });
            }
        }
    }

    fn answer_later(&mut self, now: Instant, id: RequestId, pending: Pending) {
        self.pending.insert(id, pending);
        // Before the client itself gives up.
        let limit = self.config.globals().uxsock_timeout.max(Duration::from_secs(1));
        self.timers.set(Timer::Request(id), now + limit.mul_f32(0.9));
    }

    fn say_command(line: &str, peer: Peer, outcome: &str, out: &mut Outbox) {
        let outcome = outcome.trim_end().replace('\n', ": ");
        out.notify(Notice::Command { command: line.trim_end().into(), peer, outcome });
    }

    fn carry_out(&mut self, now: Instant, command: &Command, out: &mut Outbox) -> Answer {
        match command {
            Command::Show(_) | Command::Explain { .. } | Command::Book(_) => FAIL.into(),
            Command::AddPath(name) => self.add_path(now, name, out),
            Command::DelPath(name) => self.on_path(name, |core, id| core.del_path(now, id, out)),
            Command::FailPath(name) => self.on_path(name, |core, id| core.fail_path(now, id, out)),
            Command::ReinstatePath(name) => self.on_path(name, |core, id| core.reinstate_path(now, id, out)),
            Command::Plan { .. } if self.phase != Phase::Running => {
                "fail\nthe daemon is busy with a configuration: ask again when it is done\n".into()
            }
            Command::Plan { form, .. } => Answer::When(Until::Surveyed(*form)),
            Command::Reconfigure { all } => self.reconfigure(out).map_or_else(
                || FAIL.into(),
                |load| {
                    self.reload_all |= *all;
                    Answer::When(Until::Loaded(load))
                },
            ),
            Command::Shutdown => {
                self.stop(now, out);
                OK.into()
            }
            Command::Quit => OK.into(),
            Command::AddMap(name) => self.add_map(now, name, out),
            Command::DelMap(name) => self.on_map(name, Need::Removal, |map| {
                map.orders.remove = true;
            }),
            Command::DelMaps => self.del_maps(),
            Command::AddWwid(wwid) => self.add_wwid(now, wwid, out),
            Command::DelWwid(wwid) => self.del_wwid(wwid, out),
            Command::ResetWwids => self.reset_wwids(out),
            Command::Suspend(name) => self.on_map(name, Need::Suspension, |map| {
                map.orders.suspend_or_resume = Some(SuspendOrder::Suspend);
            }),
            Command::Resume(name) => self.on_map(name, Need::Suspension, |map| {
                map.orders.suspend_or_resume = Some(SuspendOrder::Resume);
            }),
            Command::Resize(name) => self.resize(now, name, out),
            Command::ForceQueueingDaemon => self.force_queueing(true, out),
            Command::RestoreQueueingDaemon => self.force_queueing(false, out),
            Command::Reset(name) => self.on_map(name, Need::Reassign, |map| map.orders.reassign_now = true),
            Command::Reload(name) => self.on_map(name, Need::Load, |map| map.orders.reload = true),
            Command::SwitchGroup { map, group } => self.switch_group(map, *group),
            Command::ResetStats(name) => self.reset_stats(name.as_deref()),
            Command::DisableQueueing(name) => self.switch_queueing(name.as_deref(), true, out),
            Command::RestoreQueueing(name) => self.switch_queueing(name.as_deref(), false, out),
            Command::SetMarginal(name) => {
                self.on_path(name, |core, id| core.mark(id, |path| path.steadiness.called_marginal = true))
            }
            Command::UnsetMarginal(name) => {
                self.on_path(name, |core, id| core.mark(id, |path| path.steadiness.unmark()))
            }
            Command::UnsetMarginalMap(name) => self.unmark_map(name),
            // Nothing looks after reservations yet: of no map there is any.
            Command::GetPrStatus(name) | Command::GetPrHold(name) => self.of_map(name, "unset\n"),
            Command::GetPrKey(name) => self.of_map(name, "none\n"),
            Command::SetPrStatus { .. }
            | Command::UnsetPrStatus(_)
            | Command::SetPrKey { .. }
            | Command::UnsetPrKey(_)
            | Command::SetPrHold(_)
            | Command::UnsetPrHold(_) => "fail\nthis command is not supported yet\n".into(),
        }
    }

    pub(super) fn find_path(&self, text: &str) -> Option<PathId> {
        let wanted = PathRef::new(text);
        self.paths.values().find(|p| wanted.matches(&p.name, p.devt())).map(|p| p.id)
    }

    pub(super) fn find_map(&self, text: &str) -> Option<MapId> {
        let wanted = MapRef::new(text);
        let fit = |m: &Map| wanted.fit(m.kernel_name(), &m.wwid, m.observed.as_ref().map(|o| o.devt));
        self.maps.values().filter_map(|m| Some((fit(m)?, m.id))).min().map(|(_, id)| id)
    }

    fn on_path(&mut self, name: &str, act: impl FnOnce(&mut Self, PathId) -> Answer) -> Answer {
        match self.find_path(name) {
            Some(id)
                if !matches!(self.paths[&id].standing, Standing::Excluded(Exclusion::Blacklisted(_))) =>
            {
                self.refusal_of_path(id).unwrap_or_else(|| act(self, id))
            }
            _ => DEVICE_NOT_FOUND.into(),
        }
    }

    /// Changes what is wanted of a map; the answer comes when the kernel has it.
    fn on_map(&mut self, name: &str, need: Need, act: impl FnOnce(&mut Map)) -> Answer {
        let found = self.find_map(name).filter(|id| self.maps[id].observed.is_some());
        let Some(id) = found else { return DEVICE_NOT_FOUND.into() };
        if let Some(refusal) = self.refusal(id).filter(|_| !matches!(need, Need::Suspension | Need::Removal))
        {
            return refusal;
        }
        if let Some(map) = self.maps.get_mut(&id) {
            if matches!(need, Need::Table | Need::Load | Need::Reassign | Need::Removal) {
                map.backoff.clear();
            }
            act(map);
        }
        self.when(id, need)
    }

    /// What is the same for every map that there is.
    fn of_map(&self, name: &str, text: &str) -> Answer {
        let there = self.find_map(name).is_some_and(|id| self.maps[&id].observed.is_some());
        if there { text.into() } else { DEVICE_NOT_FOUND.into() }
    }

    /// Changes one map, or all of them, without waiting for anything.
    fn each_map(&mut self, name: Option<&str>, mut act: impl FnMut(&mut Map)) -> Answer {
        let Some(name) = name else {
            for map in self.maps.values_mut() {
                act(map);
                self.dirty.insert(map.id);
            }
            return OK.into();
        };
        self.on_map(name, Need::Messages, act)
    }

    fn reset_stats(&mut self, name: Option<&str>) -> Answer {
        let found = name.map(|name| self.find_map(name).filter(|id| self.maps[id].observed.is_some()));
        for map in self.maps.values_mut().filter(|map| found.is_none_or(|found| found == Some(map.id))) {
            map.stats = MapStats::default();
        }
        if found == Some(None) { DEVICE_NOT_FOUND.into() } else { OK.into() }
    }

    /// Maps go on queueing when the daemon stops, whatever the configuration says.
    fn force_queueing(&mut self, forced: bool, out: &mut Outbox) -> Answer {
        let was = core::mem::replace(&mut self.switched.forced, forced);
        if was == forced || !self.resident {
            return OK.into(); // who stands in for a daemon says it for himself
        }
        self.save(StateFile::Queueing, out);
        Answer::When(Until::Saved(StateFile::Queueing))
    }

    /// Maps queue no more, or as configured again; by the next daemon's hand, too.
    fn switch_queueing(&mut self, name: Option<&str>, disabled: bool, out: &mut Outbox) -> Answer {
        let mut wwids = Vec::new();
        let answer = self.each_map(name, |map| {
            map.queue.disabled = disabled;
            wwids.push(map.wwid.clone());
        });
        let known = &mut self.switched.disabled;
        let before = known.len();
        if disabled {
            known.extend(wwids);
        } else if name.is_none() {
            known.clear();
        } else {
            known.retain(|wwid| !wwids.contains(wwid));
        }
        if known.len() == before {
            return answer;
        }
        self.save(StateFile::Queueing, out);
        Answer::When(Until::Saved(StateFile::Queueing))
    }

    fn resize(&mut self, now: Instant, name: &str, out: &mut Outbox) -> Answer {
        let found = self.find_map(name).filter(|id| self.maps[id].observed.is_some());
        let Some(id) = found else { return DEVICE_NOT_FOUND.into() };
        if let Some(refusal) = self.refusal(id) {
            return refusal;
        }
        match self.rescan(now, id, out) {
            Ok(()) => Answer::When(Until::Rescanned(id)),
            Err(why) => why.into(),
        }
    }

    /// The rescans of a map are over: who waits is told, or waits for the map.
    pub(super) fn answer_resize(&mut self, id: MapId, text: Option<&str>, out: &mut Outbox) {
        for request in self.waiting_for(Until::Rescanned(id)) {
            if let Some(text) = text {
                self.finish(request, text, out);
            } else if let Some(pending) = self.pending.get_mut(&request) {
                pending.until = Until::Map(id, Need::Table);
            }
        }
    }

    fn switch_group(&mut self, name: &str, group: u32) -> Answer {
        let groups = self.find_map(name).and_then(|id| {
            let observed = self.maps[&id].observed.as_ref()?;
            Some(observed.status()?.groups.len())
        });
        match groups {
            None => DEVICE_NOT_FOUND.into(),
            Some(n) if group == 0 || group as usize > n => {
                Answer::Now(alloc::format!("fail\ninvalid group {group}: the map has {n}\n"))
            }
            Some(_) => self.on_map(name, Need::Messages, |map| map.orders.switch_to = Some(group)),
        }
    }

    /// A map that was removed, or one of a LUN that `find_multipaths` leaves alone, is made.
    fn add_map(&mut self, now: Instant, name: &str, out: &mut Outbox) -> Answer {
        let found = self.find_map(name).or_else(|| {
            let wwid = self.wwid_named(name);
            let path = self.waiting_paths(&wwid).next()?;
            self.join_with_others(now, path, &wwid, out);
            self.by_wwid.get(&wwid).copied()
        });
        let Some(id) = found else { return FAIL.into() };
        self.wanted_again(id);
        self.when(id, Need::Table)
    }

    /// A map that was removed by an order, or left to somebody else, is to be made.
    fn wanted_again(&mut self, id: MapId) {
        if let Some(map) = self.maps.get_mut(&id) {
            map.orders.stay_away = false;
            map.unfinished = None;
            map.backoff.clear();
        }
    }

    /// The WWID that an alias of the configuration or of the bindings file stands for, or the text itself.
    pub(super) fn wwid_named(&self, name: &str) -> Wwid {
        let name = MapName::new(MapRef::new(name).name());
        self.bindings.wwid_named(&self.config, &name).unwrap_or_else(|| Wwid::new(name.as_str()))
    }

    fn add_path(&mut self, now: Instant, text: &str, out: &mut Outbox) -> Answer {
        let name = text.strip_prefix("/dev/").unwrap_or(text);
        let known = self.find_path(text);
        let name = known.map_or_else(|| PathName::new(name), |id| self.paths[&id].name.clone());
        self.disk_seen(now, &name, Seen::Arrived, out);
        let Some(id) = self.by_name.get(name.as_str()).copied() else { return FAIL.into() };
        if self.paths[&id].probe.is_some() {
            return Answer::When(Until::Probed(id));
        }
        let answer = self.probed_answer(id);
        if known.is_none() {
            self.path_gone(now, id, out); // by its name alone it is none, and whether there is such a disk nobody has asked
        }
        answer
    }

    fn probed_answer(&mut self, id: PathId) -> Answer {
        match self.paths.get(&id).map(|p| &p.standing) {
            None | Some(Standing::Excluded(Exclusion::Blacklisted(_))) => BLACKLISTED.into(),
            Some(Standing::Excluded(why)) => Answer::Now(alloc::format!("fail\n{why}\n")),
            Some(&Standing::Member { map, .. }) => {
                if self.maps.get(&map).is_some_and(|map| map.observed.is_none()) {
                    self.wanted_again(map);
                }
                self.when(map, Need::Path(id))
            }
            Some(_) => OK.into(),
        }
    }

    fn del_path(&mut self, now: Instant, id: PathId, out: &mut Outbox) -> Answer {
        let path = self.paths.get(&id);
        let map = path.and_then(|path| Some((path.map()?, Need::Without(path.devt()))));
        self.take_out(now, id, out);
        // A probe that was asked before would bring it back, and say what was.
        if let Some(token) = self.paths.get_mut(&id).and_then(|path| path.probe.take()) {
            self.waiting.forget(token);
        }
        map.map_or_else(|| OK.into(), |(map, need)| self.when(map, need))
    }

    /// The path stays failed, whatever its checker would say, until it is reinstated.
    fn fail_path(&mut self, now: Instant, id: PathId, out: &mut Outbox) -> Answer {
        let Some(map) = self.paths.get(&id).and_then(Path::map) else { return FAIL.into() };
        if let Some(path) = self.paths.get_mut(&id) {
            path.health.held_down = true;
        }
        let judged = Judged::new(CheckState::Down, "failed by an operator");
        self.new_state(now, id, &judged, out);
        self.when(map, Need::Messages)
    }

    /// The kernel is told to use the path, on the operator's word; what the daemon thinks of it is
    /// for its next check to say.
    fn reinstate_path(&mut self, now: Instant, id: PathId, out: &mut Outbox) -> Answer {
        let Some(map) = self.paths.get(&id).and_then(Path::map) else { return FAIL.into() };
        if let Some(path) = self.paths.get_mut(&id) {
            path.health.held_down = false;
            if path.health.stuck.is_some() {
                return "fail\nits last check is still unanswered: it will be reinstated when the device answers\n".into();
            }
            path.health.stuck = path.steadiness.release();
            if path.doubted && path.is_to_be_looked_at() {
                self.start_check(now, id, out);
                return DOUBTFUL.into();
            }
            if path.is_failed_or_held() {
                path.health.state = CheckState::Pending;
                path.health.message = "reinstated by an operator, not checked since";
            }
            let devt = path.devt();
            if let Some(map) = self.maps.get_mut(&map) {
                map.orders.reinstate.insert(devt);
            }
        }
        self.start_check(now, id, out);
        self.when(map, Need::Messages)
    }

    /// An operator says of a path that it is marginal, or not.
    fn mark(&mut self, id: PathId, act: impl FnOnce(&mut Path)) -> Answer {
        let Some(path) = self.paths.get_mut(&id) else { return FAIL.into() };
        let Some(map) = path.map() else { return FAIL.into() };
        act(path);
        self.review_marginal(id);
        self.when(map, Need::Table)
    }

    fn unmark_map(&mut self, name: &str) -> Answer {
        let found = self.find_map(name);
        if let Some(refusal) = found.and_then(|id| self.refusal(id)) {
            return refusal;
        }
        let members = found.map(|id| self.maps[&id].members.clone()).unwrap_or_default();
        for id in members {
            if let Some(path) = self.paths.get_mut(&id) {
                path.steadiness.unmark();
            }
        }
        self.on_map(name, Need::Table, |_| ())
    }

    /// A probe was answered: who waited for it is told, or waits for the map.
    pub(super) fn answer_probed(&mut self, id: PathId, out: &mut Outbox) {
        for request in self.waiting_for(Until::Probed(id)) {
            match self.probed_answer(id) {
                Answer::Now(text) => self.finish(request, &text, out),
                Answer::When(until) => {
                    if let Some(pending) = self.pending.get_mut(&request) {
                        pending.until = until;
                    }
                }
            }
        }
    }

    /// The configuration was read, and taken over or not: who asked for it is told.
    pub(super) fn answer_load(&mut self, text: &str, out: &mut Outbox) {
        let loads = self.loads;
        let due = |p: &Pending| matches!(p.until, Until::Loaded(load) if load <= loads);
        let requests: Vec<_> = self.pending.iter().filter(|(_, p)| due(p)).map(|(id, _)| *id).collect();
        for request in requests {
            self.finish(request, text, out);
        }
    }

    /// The daemon stops: no configuration is of use any more, and the start ends with it.
    pub(super) fn give_up_loads(&mut self, out: &mut Outbox) {
        let waits = |p: &Pending| matches!(p.until, Until::Started | Until::Loaded(_) | Until::Surveyed(_));
        let requests: Vec<_> = self.pending.iter().filter(|(_, p)| waits(p)).map(|(id, _)| *id).collect();
        for request in requests {
            self.finish(request, FAIL, out);
        }
    }

    /// What a plan is made from was read; the client may have gone.
    pub(super) fn surveyed(&mut self, now: Instant, id: RequestId, survey: Survey, out: &mut Outbox) {
        let Some(Pending { until: Until::Surveyed(form), .. }) = self.pending.get(&id) else { return };
        let text = if self.phase == Phase::Running {
            self.rehearse(now, survey).map_or_else(|refusal| refusal, |plan| plan.render(*form))
        } else {
            FAIL.into()
        };
        // Nothing happened: nothing for the log.
        self.forget_request(id);
        reply(id, text, out);
    }

    pub(super) fn forget_request(&mut self, id: RequestId) -> Option<Pending> {
        self.timers.cancel(Timer::Request(id));
        self.pending.remove(&id)
    }

    pub(super) fn waiting_for(&self, until: Until) -> Vec<RequestId> {
        self.pending.iter().filter(|(_, p)| p.until == until).map(|(id, _)| *id).collect()
    }

    pub(super) fn finish(&mut self, id: RequestId, text: &str, out: &mut Outbox) {
        self.finish_as(id, text, text, out);
    }

    /// The same, where the log has another text of it.
    pub(super) fn finish_as(&mut self, id: RequestId, text: &str, said: &str, out: &mut Outbox) {
        if let Some(pending) = self.forget_request(id) {
            // Other users can only ask: what they say is no operator's command.
            if pending.peer.uid == 0 {
                Self::say_command(&pending.command, pending.peer, said, out);
            }
            reply(id, text.into(), out);
        }
    }

    pub(super) fn request_timed_out(&mut self, now: Instant, id: RequestId, out: &mut Outbox) {
        if self.answer_early(now, id, out) {
            return;
        }
        let until = self.pending.get(&id).map(|p| p.until);
        let awaited = match until {
            Some(Until::Rescanned(map)) => self.give_up_rescans(map),
            _ => String::new(),
        };
        let why = self.unreadable().filter(|_| until == Some(Until::Started));
        let text = match why {
            Some(why) => alloc::format!("{TIMEOUT}{why}\n"),
            None if awaited.is_empty() => TIMEOUT.into(),
            None => alloc::format!("{TIMEOUT}not rescanned: {awaited}\n"),
        };
        self.finish(id, &text, out);
        match until {
            Some(Until::Map(map, _)) if self.waiting_for_map(map, |_| true).is_empty() => self.withdraw(map),
            Some(Until::Removals) if self.waiting_for(Until::Removals).is_empty() => {
                let is_alone = |map: &MapId| self.waiting_for_map(*map, |_| true).is_empty();
                for map in self.maps.keys().filter(is_alone).collect::<Vec<_>>() {
                    self.withdraw(map);
                }
            }
            _ => {}
        }
    }
}

fn reply(id: RequestId, text: String, out: &mut Outbox) {
    out.push(Effect::Reply { id, text });
}
