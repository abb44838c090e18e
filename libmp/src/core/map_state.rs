//! `explain`: how a map fares itself, whatever its paths do: what its I/O waits for or fails of, what its users wait for,
//! and why it is left as it is.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::settings::{Failback, NoPathRetry};
use crate::core::Core;
use crate::core::effect::Outbox;
use crate::core::map::{Map, Observed};
use crate::core::notice::Notice;
use crate::core::queueing::Phase;
use crate::core::readiness::Readiness;
use crate::core::timers::Timer;
use crate::dm::table::Table;
use crate::show::explain::Step;
use crate::types::Instant;

/// Why a map does not queue that an operator has told not to.
pub(super) const DISABLED: &str = "disablequeueing, until restorequeueing";

impl Core {
    /// What there is to say of a map that the kernel has; nothing where it is as it should be.
    pub(super) fn map_state(&self, now: Instant, map: &Map) -> Vec<Step> {
        let Some(observed) = &map.observed else { return Vec::new() };
        let rows = [
            suspended(map, observed),
            being_made(map, now),
            observed.deferred_remove.then(|| "it is in use, and is removed when it is closed".into()),
            without_paths(map, observed, now),
            withheld(map, now),
            self.explain_grown(map),
            self.other_group(map, observed, now),
        ];
        rows.into_iter().flatten().map(|result| Step { what: "map", result }).collect()
    }

    /// I/O is not in the best group, and when it goes there. Where its own has no path left, that is with the next I/O.
    pub(super) fn other_group(&self, map: &Map, observed: &Observed, now: Instant) -> Option<String> {
        let goes = observed.current_group() == 0 || self.has_lost_its_group(map.id, observed);
        let better = self.better_group(map).filter(|_| !goes)?;
        let order = format!("`switchgroup map {} group {better}`", map.kernel_name());
        let when = match (map.settings.failback, self.timers.get(Timer::Failback(map.id))) {
            (Failback::Manual, _) => format!("failback is manual, so it stays until {order}"),
            (_, Some(at)) => format!("it goes back in {} s (failback)", seconds(at, now)),
            (Failback::Followover, None) => {
                format!("it follows when a first path is back there (failback followover), or with {order}")
            }
            (Failback::Immediate | Failback::Deferred(_), None) => "it is to go back (failback)".into(),
        };
        Some(format!("I/O is in path group {}, group {better} is better: {when}", observed.current_group()))
    }
}

const fn seconds(until: Instant, now: Instant) -> u64 {
    until.saturating_since(now).as_secs()
}

fn suspended(map: &Map, observed: &Observed) -> Option<String> {
    let why = if map.orders.suspended {
        "an operator or another tool wants it so, and nothing is done to it until it is resumed"
    } else if map.unfinished.is_some() {
        "whoever makes it has not resumed it yet"
    } else {
        "nobody wants it so: it is to be resumed"
    };
    observed.suspended.then(|| format!("suspended, I/O waits: {why}"))
}

fn being_made(map: &Map, now: Instant) -> Option<String> {
    let until = map.unfinished?;
    Some(format!("another tool is making it: it is left alone for another {} s", seconds(until, now)))
}

/// What becomes of I/O while there is no path for it.
fn without_paths(map: &Map, observed: &Observed, now: Instant) -> Option<String> {
    let queues = observed.table().map(Table::queues)?;
    let what = match map.queue.phase {
        Phase::Normal => return None,
        Phase::Recovery { until: Some(until), .. } if queues => {
            format!("I/O waits for one, for another {} s (no_path_retry)", seconds(until, now))
        }
        _ if queues => "I/O waits for one".into(),
        phase => format!("I/O fails: {}", why_not(map, phase)),
    };
    let lasts = match map.queue.phase {
        Phase::Recovery { since, .. } => format!(" for {} s", now.saturating_since(since).as_secs()),
        _ => String::new(),
    };
    Some(format!("no usable path{lasts}: {what}"))
}

/// The last usable path is lost. Where the daemon has it queue, that is said with for how long; where it ends that, when it has.
pub(super) fn say_all_lost(map: &Map, out: &mut Outbox) {
    let Some(queues) = map.observed.as_ref().and_then(Observed::table).map(Table::queues) else { return };
    let name = map.kernel_name().clone();
    match (map.queue.wish(&map.settings), queues) {
        (Some(true), _) | (Some(false), true) => {}
        (None, true) => out.notify(Notice::QueueingStarted { map: name, seconds: None }),
        (_, false) => out.notify(Notice::IoFails { map: name, reason: why_not(map, map.queue.phase) }),
    }
}

/// Why it does not queue.
fn why_not(map: &Map, phase: Phase) -> &'static str {
    if map.queue.disabled {
        return DISABLED;
    }
    match map.settings.no_path_retry {
        _ if map.queue.ended => map.queue.why_ended(&map.settings, false),
        NoPathRetry::Undef => "no_path_retry is not set, and nobody has told it to queue",
        NoPathRetry::Fail => "no_path_retry fail",
        NoPathRetry::Checks(_) if phase == Phase::Expired => "no_path_retry is over",
        NoPathRetry::Checks(_) | NoPathRetry::Queue => "the kernel is still to be told to queue",
    }
}

fn withheld(map: &Map, now: Instant) -> Option<String> {
    let Readiness::Withheld(until) = map.readiness else { return None };
    let seconds = seconds(until, now);
    Some(format!(
        "ghost_delay: it is withheld from its users for another {seconds} s, as its paths are on standby"
    ))
}
