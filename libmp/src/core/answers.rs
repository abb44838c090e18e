//! When those who asked for something to be done to a map are answered: when it is done, when it can't be, or when nothing
//! will be done for now.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::core::desired;
use crate::core::effect::Outbox;
use crate::core::event::{DmFailure, RequestId};
use crate::core::map::{Live, Map, MapId, Observed, Resize};
use crate::core::path::{Path, PathId};
use crate::core::requests::{Answer, Until};
use crate::core::{Core, Phase, refused};
use crate::ctl::{FAIL, IN_USE, OK};
use crate::dm::op::DmOp;
use crate::types::{DevT, Errno, Instant};

/// In what respect a map is to be as it is wanted before a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Its table and its name.
    Table,
    /// A table that is loaded, whatever it has.
    Load,
    /// Its table, and on the map what stands on its paths.
    Reassign,
    /// That it is gone.
    Removal,
    /// Its table, with this path in it.
    Path(PathId),
    /// Its table, or one without this device, whatever else can't be done.
    Without(DevT),
    /// What messages tell it: states of paths, the group in use, queueing.
    Messages,
    /// Whether it is suspended.
    Suspension,
}

impl Need {
    /// Is it this operation that is to bring it about?
    pub(super) const fn is_met_by(self, op: &DmOp) -> bool {
        match op {
            DmOp::Message { .. } | DmOp::CancelRemove => matches!(self, Self::Messages),
            DmOp::Remove { .. } => matches!(self, Self::Removal),
            DmOp::Suspend | DmOp::Resume { .. } => matches!(self, Self::Suspension),
            DmOp::Reassign { .. } => matches!(self, Self::Reassign),
            _ => matches!(self, Self::Table | Self::Load | Self::Reassign | Self::Path(_) | Self::Without(_)),
        }
    }
}

pub(super) const DOUBTFUL: &str =
    "fail\nit may be another LUN by now: it is looked at first, and used if it is not\n";
const FOREIGN: &str = "fail\nits table is not one of multipath\n";
const SUSPENDED: &str = "fail\nthe map is suspended: resume it first\n";

fn is_foreign(map: &Map) -> bool {
    map.observed.as_ref().is_some_and(|observed| matches!(observed.live, Live::Foreign(_)))
}

impl Core {
    /// An answer for when the map is as it is wanted. What has failed before is tried at once, as somebody asks: but no table for the sake
    /// of a message, which would wait for it.
    pub(super) fn when(&mut self, id: MapId, need: Need) -> Answer {
        if let Some(map) = self.maps.get_mut(&id) {
            match need {
                Need::Messages => map.message_backoff.at_once(),
                _ => map.backoff.at_once(),
            }
        }
        self.dirty.insert(id);
        Answer::When(Until::Map(id, need))
    }

    /// The answer to an order for a map to which nothing is done: nothing is changed then.
    pub(super) fn refusal(&self, id: MapId) -> Option<Answer> {
        let map = self.maps.get(&id)?;
        let why = if is_foreign(map) { Some(FOREIGN) } else { map.orders.suspended.then_some(SUSPENDED) };
        why.map(Answer::from)
    }

    /// The same for one of its paths.
    pub(super) fn refusal_of_path(&self, id: PathId) -> Option<Answer> {
        self.refusal(self.paths.get(&id).and_then(Path::map)?)
    }

    /// The requests that wait for a map in one of these respects.
    pub(super) fn waiting_for_map(&self, id: MapId, needs: impl Fn(Need) -> bool) -> Vec<RequestId> {
        let waits = |until: Until| matches!(until, Until::Map(map, need) if map == id && needs(need));
        self.pending.iter().filter(|(_, pending)| waits(pending.until)).map(|(id, _)| *id).collect()
    }

    /// Nothing is to be done for a map, or nothing can be.
    pub(super) fn answer_at_rest(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        if self.pending.is_empty() {
            return;
        }
        let Some(map) = self.maps.get(&id) else { return self.answer_map(id, |_| true, &Ok(()), out) };
        let (foreign, suspended) = (is_foreign(map), map.orders.suspended);
        // Somebody else is still making it, or the first checks of its paths are awaited.
        let awaited = map.hold_until.is_some() || map.unfinished.is_some();
        let (load, tell) = (!map.backoff.blocks(now), !map.message_backoff.blocks(now));
        if self.phase == Phase::Stopping {
            // What has not been done yet will not be.
            let undone = map.orders.any() || awaited || !load || !tell;
            if undone || self.plan_one(now, id, out).is_some() {
                return self.refuse(id, FAIL, out);
            }
        }
        if foreign {
            self.withdraw(id); // `del maps` waits for all of them
            return self.refuse(id, FOREIGN, out);
        }
        self.answer_map(id, |need| need == Need::Suspension, &Ok(()), out);
        if suspended {
            return self.refuse(id, SUSPENDED, out);
        }
        if awaited {
            return;
        }
        if tell && !self.explanation_awaited(id) {
            self.answer_map(id, |need| need == Need::Messages, &Ok(()), out);
        }
        if load {
            self.answer_loads(id, out);
            self.answer_paths(id, out);
            let done = |need| matches!(need, Need::Table | Need::Reassign | Need::Removal | Need::Without(_));
            self.answer_map(id, done, &Ok(()), out);
        }
    }

    /// What was to be done has failed. Who wanted a path out of the table has what he wants, if it is in none.
    pub(super) fn answer_if_without(&mut self, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get(&id) else { return };
        let table = map.observed.as_ref();
        let out_of_it = move |devt| table.is_none_or(|observed| observed.path_active(devt).is_none());
        let met = self.waiting_for_map(id, |need| matches!(need, Need::Without(devt) if out_of_it(devt)));
        for request in met {
            self.finish(request, OK, out);
        }
    }

    /// Is one of the paths that an operator wants to be used one that the kernel has failed just now? It may be another LUN by now: its
    /// check, which is under way, says more.
    pub(super) fn explanation_awaited(&self, id: MapId) -> bool {
        self.maps.get(&id).is_some_and(|map| {
            let asked = |path: &Path| path.unexplained && !path.is_usable();
            let wanted = |path: &&Path| map.orders.reinstate.contains(&path.devt()) && asked(path);
            !map.orders.reinstate.is_empty() && self.members(map).iter().any(wanted)
        })
    }

    /// Nothing more is done for paths that an operator wants to be used. Of one that its check has found to be doubtful he is told.
    pub(super) fn end_reinstates(&mut self, id: MapId, out: &mut Outbox) {
        if self.explanation_awaited(id) {
            return;
        }
        let Some(map) = self.maps.get_mut(&id) else { return };
        let wanted = core::mem::take(&mut map.orders.reinstate);
        let doubtful = |path: &&Path| wanted.contains(&path.devt()) && path.is_to_be_looked_at();
        let map = &self.maps[&id];
        if !wanted.is_empty() && self.members(map).iter().any(doubtful) {
            for request in self.waiting_for_map(id, |need| need == Need::Messages) {
                self.finish(request, DOUBTFUL, out);
            }
        }
    }

    /// Who ordered a table is told that it is there, or why there is none to be loaded.
    fn answer_loads(&mut self, id: MapId, out: &mut Outbox) {
        let waiting = self.waiting_for_map(id, |need| need == Need::Load);
        let Some(map) = self.maps.get_mut(&id).filter(|_| !waiting.is_empty()) else { return };
        let loaded = !core::mem::take(&mut map.orders.reload);
        let text = if loaded { OK.into() } else { self.why_no_table(id) };
        for request in waiting {
            self.finish(request, &text, out);
        }
    }

    fn why_no_table(&self, id: MapId) -> String {
        let Some(map) = self.maps.get(&id) else { return FAIL.into() };
        let members = self.members(map);
        let size = map.observed.as_ref().and_then(Observed::sectors).unwrap_or(0);
        let why = |path: &Path, why: &str| format!("fail\n{}: {why}\n", path.name);
        if let Some(unknown) = self.small_unidentified(map) {
            why(unknown, "it is in the table, is too small for it, and it is not known yet whose it is")
        } else if let Some(small) = members.iter().find(|path| !desired::fits(path, size)) {
            let has = self.sectors(small.id);
            why(small, &format!("it has {has} sectors, the map {size}: resize the map first"))
        } else if members.iter().any(|path| path.is_doubtful()) {
            DOUBTFUL.into()
        } else {
            FAIL.into()
        }
    }

    /// Who added a path is told whether it is in the table.
    fn answer_paths(&mut self, id: MapId, out: &mut Outbox) {
        for request in self.waiting_for_map(id, |need| matches!(need, Need::Path(_))) {
            let Some(Until::Map(_, Need::Path(path))) = self.pending.get(&request).map(|p| p.until) else {
                continue;
            };
            let added = self.maps.get(&id).zip(self.paths.get(&path));
            let text = added.map_or_else(|| FAIL.into(), |(map, path)| added_or_not(map, path));
            self.finish(request, &text, out);
        }
    }

    /// A map is as it is wanted in these respects, or can't be made so.
    pub(super) fn answer_map(
        &mut self,
        id: MapId,
        needs: impl Fn(Need) -> bool,
        result: &Result<(), DmFailure>,
        out: &mut Outbox,
    ) {
        if self.pending.is_empty() {
            return;
        }
        let text = text(result);
        for request in self.waiting_for_map(id, needs) {
            self.finish(request, &text, out);
        }
    }

    /// Nothing is done to a map for those who wait: nor later, when nobody expects it.
    fn refuse(&mut self, id: MapId, why: &str, out: &mut Outbox) {
        let requests = self.waiting_for_map(id, |_| true);
        if !requests.is_empty() {
            self.withdraw(id);
        }
        for request in requests {
            self.finish(request, why, out);
        }
    }

    /// Nobody waits any more for what was ordered for a map: what has not begun will not. A map that
    /// goes, or is suspended, a minute after its operator was told "timeout" is a nasty surprise.
    pub(super) fn withdraw(&mut self, id: MapId) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let begun = map.inflight.as_ref().map(|i| &i.orders);
        let orders = &mut map.orders;
        orders.remove &= begun.is_some_and(|begun| begun.remove);
        orders.suspend_or_resume = begun
            .and_then(|begun| begun.suspend_or_resume)
            .filter(|order| Some(*order) == orders.suspend_or_resume);
        orders.resize = orders.resize.filter(|resize| *resize != Resize::Ordered);
        (orders.reload, orders.reassign_now, orders.switch_to) = (false, false, None);
        orders.reinstate.clear();
    }
}

/// Whether a path that was added is in the table, or why not.
fn added_or_not(map: &Map, path: &Path) -> String {
    if path.refused.is_some() {
        return "fail\nthe kernel does not take it into the table\n".into();
    }
    if refused::is_live(map, path) {
        return OK.into();
    }
    if let Some(why) = path.left_out() {
        return format!("fail\n{why}\n");
    }
    let text = if path.is_doubtful() || (path.is_usable() && !path.may_be_used()) { DOUBTFUL } else { OK };
    text.into()
}

fn text(result: &Result<(), DmFailure>) -> String {
    match result {
        Ok(()) => OK.to_string(),
        Err(e) if e.errno == Errno::EBUSY && !e.holders.is_empty() => {
            format!("{IN_USE}{}\n", why_not_done(e))
        }
        Err(e) if is_in_use(e) => IN_USE.to_string(),
        Err(e) => format!("{FAIL}{}\n", why_not_done(e)),
    }
}

/// Could a map not be removed as somebody, of whom the kernel does not tell, has it or a partition of it open?
fn is_in_use(failure: &DmFailure) -> bool {
    failure.errno == Errno::EBUSY && failure.step.starts_with("remove")
}

/// Why something could not be done to a map: who holds it, where that is why.
fn why_not_done(failure: &DmFailure) -> String {
    match failure {
        e if e.errno == Errno::EBUSY && !e.holders.is_empty() => format!("held by: {}", e.holders.join(", ")),
        e if is_in_use(e) => "in use".into(),
        e => format!("{}: {}", e.step, e.errno),
    }
}

/// Why a map is there still that was to go with all others.
pub(super) fn why_left(map: &Map) -> String {
    let deferred = map.observed.as_ref().is_some_and(|observed| observed.deferred_remove);
    match &map.not_removed {
        _ if deferred => "in use, and removed when it is closed".into(),
        Some(failure) => why_not_done(failure),
        None if is_foreign(map) => FOREIGN.trim_start_matches(FAIL).trim_end().into(),
        None => "it is new, or nobody waits for its removal any more".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_done_is_told_with_who_holds_the_map() {
        let failure = |step: &str, errno, holders: &[&str]| DmFailure {
            holders: holders.iter().map(ToString::to_string).collect(),
            ..DmFailure::new(step, errno)
        };
        let busy = Errno::EBUSY;
        let cases = [
            (
                failure("remove", busy, &["vg-root", "swap"]),
                "fail\nmap or partition in use\nheld by: vg-root, swap\n",
            ),
            (failure("remove data-part1", busy, &[]), "fail\nmap or partition in use\n"),
            (failure("load", busy, &[]), "fail\nload: EBUSY: in use\n"),
            (failure("remove", Errno::ENOMEM, &[]), "fail\nremove: ENOMEM: out of memory\n"),
        ];
        for (failure, expected) in &cases {
            assert_eq!(text(&Err(failure.clone())), *expected);
        }
        let why: Vec<String> = cases.iter().map(|(failure, _)| why_not_done(failure)).collect();
        assert_eq!(
            why,
            ["held by: vg-root, swap", "in use", "load: EBUSY: in use", "remove: ENOMEM: out of memory"]
        );
    }
}
