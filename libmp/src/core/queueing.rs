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
    /// I/O waits since then: there is no usable path, and nothing has ended the queueing.
    since: Option<Instant>,
    /// How long it lasts by the settings that its end was reckoned with.
    lasts: Option<Duration>,
    /// It was suspended when it was found: whether its queueing has ended is not known yet.
    undecided: bool,
}

/// What becomes of the time that I/O waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Nothing.
    None,
    /// It begins to run.
    Begun {
        /// When queueing ends by itself.
        until: Option<Instant>,
    },
    /// It has ended, after so long.
    Ended(Duration),
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The last usable path was lost.
    Lost,
    /// A usable path is back.
    Back,
}

impl Queue {
    /// Why the kernel has been told to end the queueing.
    pub fn why_ended(&self, settings: &MapSettings, daemon_stops: bool) -> &'static str {
        match settings.no_path_retry {
            _ if daemon_stops => "the daemon stops",
            _ if self.ended && self.released => "the configuration excludes its paths",
            _ if self.ended => "its last path is deleted (flush_on_last_del)",
            _ if self.disabled => "an operator has switched it off",
            NoPathRetry::Checks(_) if self.phase == Phase::Expired => "no_path_retry is over",
            _ => "the configuration",
        }
    }

    /// Takes in how many usable paths there are now.
    pub fn observe(&mut self, now: Instant, usable: usize) -> Change {
        match (self.phase, usable) {
            (Phase::Normal, 0) => {
                self.phase = Phase::Recovery { since: now, until: None };
                Change::Lost
            }
            (Phase::Normal, _) | (Phase::Recovery { .. } | Phase::Expired, 0) => Change::None,
            (Phase::Recovery { .. } | Phase::Expired, _) => {
                self.phase = Phase::Normal;
                Change::Back
            }
        }
    }

    /// Time runs while I/O waits. Where an operator, a deleted path or the configuration has ended that, none runs out; it begins
    /// anew when it is to wait again.
    pub fn review(&mut self, now: Instant, settings: &MapSettings, interval: Duration) -> Clock {
        let off = self.wish(settings) == Some(false);
        match (self.phase, self.since) {
            (Phase::Recovery { since, .. }, None) if !off => {
                let until = self.limit(now, settings, interval);
                self.phase = Phase::Recovery { since, until };
                self.since = Some(now);
                Clock::Begun { until }
            }
            (Phase::Recovery { .. }, _) if !off => Clock::None,
            (phase, Some(began)) => {
                if let Phase::Recovery { since, .. } = phase {
                    self.phase = Phase::Recovery { since, until: None };
                }
                self.since = None;
                Clock::Ended(now.saturating_since(began))
            }
            (_, None) => Clock::None,
        }
    }

    /// How long I/O has waited since it last began to.
    pub fn waits(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_since(since))
    }

    /// The map is found at the start. Where it has no path that the kernel uses and does not queue, a daemon before has ended it: its
    /// time was over, or it was an operator's word. Of one that is suspended its resume tells: until then the kernel may show that
    /// nothing waits, and give it back.
    pub const fn found(&mut self, starting: bool, suspended: bool, ended: bool) {
        let open = starting || self.undecided;
        self.undecided = open && suspended;
        if open && !suspended && ended {
            self.phase = Phase::Expired;
        }
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
        // Where I/O does not wait now, none runs until it does.
        let until = self.since.and_then(|_| self.limit(now, settings, interval));
        self.phase = Phase::Recovery { since, until };
        until
    }

    /// When queueing that begins now ends by itself.
    fn limit(&mut self, now: Instant, settings: &MapSettings, interval: Duration) -> Option<Instant> {
        self.lasts = lasting(settings, interval);
        self.lasts.map(|lasts| now + lasts)
    }

    /// Is the time over? It is then.
    pub fn expire(&mut self) -> bool {
        let runs = matches!(self.phase, Phase::Recovery { until: Some(_), .. });
        if runs {
            self.phase = Phase::Expired;
        }
        runs
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
