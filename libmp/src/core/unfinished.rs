//! A map that another tool is making while the daemon sees it: created, not loaded; loaded, not resumed; live, and still
//! without a path. Between any two of these the tool must find it as it left it.
//!
//! ```text
//!           first seen without paths              read again: nothing has come of it
//! finished ─────────────────────────► unfinished ───────────────────────────────────► finished
//!                                       │    ▲     it has a path, or is gone             ▲
//!                                       │    └── read again: a table awaits its resume   │
//!                                       └────────────────────────────────────────────────┘
//! ```

use ::core::time::Duration;
use alloc::format;

use crate::core::effect::Outbox;
use crate::core::event::DmFailure;
use crate::core::map::{Live, Map, MapId, Observed};
use crate::core::notice::{Level, Notice};
use crate::core::timers::Timer;
use crate::core::{Core, Phase};
use crate::dm::op::{DmOp, SUSPENDED_SINCE};
use crate::types::Instant;

/// A tool has so long from one step to the next.
const GRACE: Duration = Duration::from_secs(5);

/// Is there nothing of a multipath map in it but its UUID?
pub(super) fn is_hollow(observed: &Observed) -> bool {
    match &observed.live {
        Live::Empty => true,
        Live::Multipath { table, .. } => table.paths().next().is_none(),
        Live::Foreign(_) => false,
    }
}

/// Until when the map is left alone, as it is now.
///
/// What was there before is somebody's reload, or ours: it is put right at once. So is what is found at the daemon's start,
/// as it was left behind.
fn grace(map: &Map, was: Option<&Observed>, now: Instant, starting: bool) -> Option<Instant> {
    let observed = map.observed.as_ref().filter(|observed| is_hollow(observed))?;
    // A map that had a table never loses it: this is another one, of the same LUN.
    let another = was.is_none_or(|was| was.live != Live::Empty && observed.live == Live::Empty);
    let fresh = another && !starting;
    match map.unfinished {
        None if fresh => Some(now + GRACE),
        // No time is too long between load and resume; a table that was cleared is to be followed by another.
        Some(_) if observed.inactive_table || was.is_some_and(|was| was.inactive_table) => Some(now + GRACE),
        Some(until) if until > now => Some(until),
        _ => None,
    }
}

impl Core {
    /// A map was read: is somebody still making it?
    pub(super) fn review_making(&mut self, now: Instant, id: MapId, was: Option<&Observed>) {
        // Once it makes maps, others do, too, though it may not say for long that it is ready.
        let starting = !self.ready && self.phase != Phase::Running;
        if let Some(map) = self.maps.get_mut(&id) {
            map.unfinished = grace(map, was, now, starting);
        }
    }

    /// What is left of a map that we could not make is ours, unless it was there already.
    pub(super) fn own_leftover(&mut self, id: MapId, op: &DmOp, failure: &DmFailure) {
        if matches!(op, DmOp::Create { .. })
            && failure.step != "create"
            && let Some(map) = self.maps.get_mut(&id)
        {
            map.unfinished = None;
        }
    }

    /// What is there after a removal that left nothing for the last close was made since.
    pub(super) fn another_since(&mut self, id: MapId, op: &DmOp, is: Option<&Observed>) {
        if matches!(op, DmOp::Remove { .. })
            && is.is_some_and(|is| !is.deferred_remove)
            && let Some(map) = self.maps.get_mut(&id)
        {
            map.unfinished = None;
            if let Some(was) = map.observed.take() {
                self.let_go(id, &was);
            }
        }
    }

    /// Somebody has suspended a map that ran, and loaded nothing: it is left so until somebody resumes it, as if it had been ordered
    /// here. I/O meanwhile is what he wants to keep away (a copy of the LUN is made, or it moves).
    pub(super) fn suspended_by_another(
        &mut self,
        id: MapId,
        op: &DmOp,
        result: &Result<(), DmFailure>,
        (was, is): (Option<&Observed>, Option<&Observed>),
        out: &mut Outbox,
    ) {
        let runs = |map: &Observed| !map.suspended;
        let stopped = |map: &Observed| map.suspended && !map.inactive_table;
        // What of ours can leave it so.
        let ours =
            matches!(op, DmOp::Create { .. } | DmOp::Reload { .. } | DmOp::Suspend | DmOp::Resume { .. });
        let found = result.as_ref().is_err_and(|why| why.step == SUSPENDED_SINCE);
        if !ours && was.is_some_and(stopped) && is.is_some_and(runs) {
            return self.say(id, Level::Notice, "somebody else has resumed it", out);
        }
        if (ours && !found) || !was.is_some_and(runs) || !is.is_some_and(stopped) {
            return;
        }
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.orders.suspended = true;
        let text = format!(
            "somebody has suspended it: I/O waits, and it is left so until it is resumed (`resume map {}`)",
            map.name
        );
        self.say(id, Level::Warning, &text, out);
    }

    fn say(&self, id: MapId, level: Level, what: &str, out: &mut Outbox) {
        if let Some(map) = self.maps.get(&id) {
            out.notify(Notice::Other { level, text: format!("{}: {what}", map.kernel_name()) });
        }
    }

    /// An unfinished map is read again when its time is over: nobody tells of a table that was loaded, or cleared.
    pub(super) fn await_maker(&mut self, now: Instant, id: MapId) {
        let Some(until) = self.maps.get(&id).and_then(|map| map.unfinished) else { return };
        let timer = Timer::Retry(id);
        let due = if until > now { until } else { now + GRACE };
        if self.timers.get(timer).is_none_or(|at| at > due) {
            self.timers.set(timer, due);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::sync::Arc;
    use alloc::vec::Vec;

    use super::*;
    use crate::config::Config;
    use crate::core::CoreInit;
    use crate::core::effect::{Effect, Outbox};
    use crate::core::event::{DmDone, Enumeration, Event, Loaded};
    use crate::dm::op::{MapListEntry, RawMap, Seen};
    use crate::types::{DevT, MapName, Token};

    const UUID: &str = "mpath-3600";

    fn empty() -> RawMap {
        RawMap {
            name: MapName::new("data"),
            uuid: UUID.into(),
            devt: DevT::new(253, 0),
            suspended: false,
            read_only: false,
            open_count: 0,
            idle_partitions: 0,
            event_nr: 0,
            deferred_remove: false,
            inactive_table: false,
            targets: Vec::new(),
        }
    }

    /// What is ordered of device-mapper when it is told this; all else is answered.
    fn orders(core: &mut Core, now: Instant, event: Event) -> Vec<(Token, DmOp)> {
        let (mut out, mut ordered) = (Outbox::new(), Vec::new());
        core.handle(now, event, &mut out);
        loop {
            let effects: Vec<Effect> = out.drain().collect();
            if effects.is_empty() {
                return ordered;
            }
            for effect in effects {
                match effect {
                    Effect::Dm { token, op, .. } => ordered.push((token, op)),
                    Effect::Enumerate { token } => {
                        let found = Ok(Box::new(Enumeration::default()));
                        core.handle(now, Event::Enumerated { token, found }, &mut out);
                    }
                    _ => {}
                }
            }
        }
    }

    fn read(token: Token) -> Event {
        let done = Box::new(DmDone { result: Ok(()), map: Ok(Some(Seen::News(empty()))) });
        Event::DmDone { token, done }
    }

    #[test]
    fn what_is_there_after_a_removal_is_another_map() {
        let mut core = Core::new(CoreInit { pid: 1, resident: true });
        let (mut now, mut out) = (Instant::from_micros(0), Outbox::new());
        core.start(now, &mut out);
        for effect in out.drain().collect::<Vec<_>>() {
            if let Effect::LoadConfig { token } = effect {
                let loaded = Loaded::of(Arc::new(Config::load(&[]).0));
                orders(&mut core, now, Event::Config { token, loaded: Box::new(loaded) });
            }
        }
        let list =
            [MapListEntry { name: MapName::new("data"), uuid: UUID.into(), devt: empty().devt, event_nr: 0 }];
        let mut event = Event::DmChanged(list.into());
        // Each lives as long as the grace, though the other was seen before.
        for _ in 0..2 {
            if let Event::DmChanged(_) = event {
                let [(token, DmOp::Query { .. })] = orders(&mut core, now, event)[..] else {
                    panic!("not read")
                };
                event = read(token);
            }
            assert!(orders(&mut core, now, event).is_empty(), "it is left alone");
            now = now + GRACE;
            let [(token, DmOp::Query { .. })] = orders(&mut core, now, Event::Tick)[..] else {
                panic!("not read")
            };
            let [(token, DmOp::Remove { .. })] = orders(&mut core, now, read(token))[..] else {
                panic!("not removed")
            };
            event = read(token);
        }
    }
}
