//! `no_path_retry`: what happens to I/O while a map has no usable path.

use ::core::time::Duration;

use crate::config::settings::{MapSettings, NoPathRetry};
use crate::types::Instant;

/// Where a map stands with its queueing.
///
/// ```text
///            last usable path lost                    N checks over
/// Normal ───────────────────────────► Recovery ─────────────────────────► Expired
///    ▲                                    │                                  │
///    └────────── a usable path is back ───┴──────────────────────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// There are usable paths.
    #[default]
    Normal,
    /// There are none.
    Recovery {
        /// Since then.
        since: Instant,
        /// Until then; `None`: no limit.
        until: Option<Instant>,
    },
    /// There are none, and the time is over.
    Expired,
}

/// Queueing of one map.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queue {
    /// Where it stands.
    pub phase: Phase,
    /// An operator switched it off (`disablequeueing`).
    pub disabled: bool,
    /// The last path was deleted, and `flush_on_last_del` ends it.
    pub ended: bool,
    /// The last path left because the configuration excludes its LUN: nobody is to wait for one, whatever `flush_on_last_del` says.
    pub released: bool,
    /// How long it lasts by the settings that its end was reckoned with.
    lasts: Option<Duration>,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The last usable path was lost.
    Lost {
        /// When queueing ends by itself.
        until: Option<Instant>,
    },
    /// A usable path is back after so long.
    Back {
        /// How long there was none.
        after: Duration,
        /// It had run out.
        expired: bool,
    },
}

impl Queue {
    /// Why the kernel was told to end the queueing, if that was not said when it was decided, and no operator's word.
    pub fn ends_unsaid(&self, daemon_stops: bool) -> Option<&'static str> {
        let deleted = self.ended.then_some(if self.released {
            "the configuration excludes its paths"
        } else {
            "its last path is deleted (flush_on_last_del)"
        });
        daemon_stops.then_some("the daemon stops").or(deleted)
    }

    /// Takes in how many usable paths there are now.
    pub fn observe(
        &mut self,
        now: Instant,
        usable: usize,
        settings: &MapSettings,
        interval: Duration,
    ) -> Change {
        match (self.phase, usable) {
            (Phase::Normal, 0) => {
                let until = self.limit(now, settings, interval);
                self.phase = Phase::Recovery { since: now, until };
                Change::Lost { until }
            }
            (Phase::Normal, _) | (Phase::Recovery { .. } | Phase::Expired, 0) => Change::None,
            (Phase::Recovery { since, .. }, _) => {
                self.phase = Phase::Normal;
                Change::Back { after: now.saturating_since(since), expired: false }
            }
            (Phase::Expired, _) => {
                self.phase = Phase::Normal;
                Change::Back { after: Duration::ZERO, expired: true }
            }
        }
    }

    /// The map was found at the start, without a path that the kernel uses and not queueing: a daemon before has ended it, its
    /// time was over or an operator's word.
    pub const fn found_ended(&mut self) {
        self.phase = Phase::Expired;
    }

    /// Is time running that new settings, or another interval of checks, would make longer or shorter?
    pub fn is_outdated(&self, settings: &MapSettings, interval: Duration) -> bool {
        matches!(self.phase, Phase::Recovery { .. }) && self.lasts != lasting(settings, interval)
    }

    /// `no_path_retry` or its unit has changed: without a path, its time begins anew. Says when it ends.
    pub fn reconfigured(
        &mut self,
        now: Instant,
        settings: &MapSettings,
        interval: Duration,
    ) -> Option<Instant> {
        let since = match self.phase {
            Phase::Normal => return None,
            Phase::Recovery { since, .. } => since,
            Phase::Expired => now,
        };
        let until = self.limit(now, settings, interval);
        self.phase = Phase::Recovery { since, until };
        until
    }

    /// When queueing that begins now ends by itself.
    fn limit(&mut self, now: Instant, settings: &MapSettings, interval: Duration) -> Option<Instant> {
        self.lasts = lasting(settings, interval);
        self.lasts.map(|lasts| now + lasts)
    }

    /// The time is over. Says how long it had lasted.
    pub fn expire(&mut self, now: Instant) -> Option<Duration> {
        let Phase::Recovery { since, .. } = self.phase else { return None };
        self.phase = Phase::Expired;
        Some(now.saturating_since(since))
    }

    /// Should the kernel queue without a path? `None`: as it is.
    pub fn wish(&self, settings: &MapSettings) -> Option<bool> {
        match settings.no_path_retry {
            NoPathRetry::Undef => (self.disabled || self.ended).then_some(false),
            _ if self.disabled || self.ended => Some(false),
            NoPathRetry::Fail => Some(false),
            NoPathRetry::Queue => Some(true),
            NoPathRetry::Checks(_) => Some(self.phase != Phase::Expired),
        }
    }
}

/// Checks come at whole seconds, and take their time.
const SLACK: Duration = Duration::from_secs(1);

/// How long queueing lasts: until the last check has told. `None`: no limit.
fn lasting(settings: &MapSettings, interval: Duration) -> Option<Duration> {
    match settings.no_path_retry {
        NoPathRetry::Checks(n) => Some(interval.saturating_mul(n) + SLACK),
        _ => None,
    }
}
