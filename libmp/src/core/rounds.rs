//! A check is a round of questions: those of its checker and of its prioritizer, each asked once. What
//! an answer makes worth asking is asked in a next request, until there is a verdict.

use ::core::time::Duration;
use alloc::vec::Vec;

use crate::check::{self, Answer, Answers, Ask, CheckState, Judged, Step, Wanted, detect};
use crate::config::settings::PathSettings;
use crate::core::path::{Health, Path};
use crate::identify::Facts;
use crate::prio::{self, PrioError};
use crate::types::Priority;

/// No checker and prioritizer need more requests together, tries of the latter included.
const MOST_REQUESTS: u32 = 12;

/// What was asked and answered since the check began.
#[derive(Debug, Clone, Default)]
pub struct Round {
    asked: Vec<Ask>,
    answers: Answers,
    requests: u32,
    prio_tries: u32,
}

impl Round {
    /// These are asked now.
    pub fn ask(&mut self, asks: &[Ask]) {
        self.asked = asks.to_vec();
        self.requests += 1;
    }

    /// They were answered.
    pub fn answered(&mut self, answers: &[Answer]) {
        self.answers.put(core::mem::take(&mut self.asked), answers);
    }
}

/// How a round goes on.
#[derive(Debug)]
pub enum Turn {
    /// With these questions.
    Ask(Vec<Ask>),
    /// It is over: the path's state and, where it is worth having, its priority.
    Done(Judged, Option<Result<Priority, PrioError>>),
}

/// What a turn depends on besides the path.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// `device/state` in sysfs, if it was read.
    pub sysfs_state: Option<&'a str>,
    /// Time limit of the check.
    pub timeout: Duration,
    /// Another number each time.
    pub seed: u64,
}

impl Path {
    /// What to ask next, or the verdict.
    pub fn turn(&mut self, setting: &Setting<'_>) -> Turn {
        let (Some(facts), Some(settings)) = (&self.facts, &self.settings) else {
            return Turn::Done(Judged::new(CheckState::Pending, "not identified yet"), None);
        };
        let health = &mut self.health;
        if health.round.requests >= MOST_REQUESTS {
            return Turn::Done(Judged::new(CheckState::Wild, " asks without end"), None);
        }
        let runs = check::sysfs::runs(setting.sysfs_state);
        if runs && health.detected.is_none() {
            match detect::step(facts, settings, &health.round.answers) {
                Err(wanted) => return Turn::Ask(wanted.0),
                Ok(detected) => {
                    health.detected = detected;
                    health.choose(facts, settings);
                }
            }
        }
        let judged = check::step(
            health.checker,
            facts,
            &mut health.memory,
            setting.sysfs_state,
            &health.round.answers,
        );
        match judged {
            Err(mut wanted) => {
                if let Err(more) = health.rate(facts, settings, setting).map(drop) {
                    wanted.add(Wanted(more.0.into_iter().filter(|ask| !is_dear(ask)).collect()));
                }
                Turn::Ask(wanted.0)
            }
            Ok(judged) if judged.retry => Turn::Done(judged, None),
            Ok(judged) => health.rated(facts, settings, setting, judged),
        }
    }
}

impl Health {
    /// Checker and prioritizer, by what is configured and what the device has said of its kind.
    pub fn choose(&mut self, facts: &Facts, settings: &PathSettings) {
        let detected = self.detected.unwrap_or_default();
        self.checker = detect::checker(facts, settings, detected);
        let prioritizer = detect::prioritizer(facts, settings, detected);
        if self.prioritizer != prioritizer {
            // What another prioritizer said is on another scale.
            self.priority = Priority::UNDEF;
            self.priority_complained = false;
            self.prioritizer = prioritizer;
        }
    }

    fn rate(
        &mut self,
        facts: &Facts,
        settings: &PathSettings,
        setting: &Setting<'_>,
    ) -> Step<Result<Priority, PrioError>> {
        let Setting { timeout, seed, .. } = *setting;
        let subject = prio::Subject { args: &settings.prio_args, facts, timeout, seed };
        prio::step(self.prioritizer, &subject, &mut self.prio_memory, &self.round.answers)
    }

    /// The state is known; now the priority, where it is worth having: what a path that is down says of
    /// it is not, unless nothing is known.
    fn rated(
        &mut self,
        facts: &Facts,
        settings: &PathSettings,
        setting: &Setting<'_>,
        judged: Judged,
    ) -> Turn {
        let usable = judged.state.is_usable();
        if !usable && self.priority.is_known() {
            return Turn::Done(judged, None);
        }
        match self.rate(facts, settings, setting) {
            Err(Wanted(asks)) => {
                let runs = check::sysfs::runs(setting.sysfs_state);
                let ask = usable || (runs && !asks.iter().any(is_dear));
                if ask { Turn::Ask(asks) } else { Turn::Done(judged, None) }
            }
            Ok(Err(PrioError::Retry)) if self.round.prio_tries + 1 < prio::TRIES => {
                self.round.prio_tries += 1;
                let answers = core::mem::take(&mut self.round.answers);
                let again = self.rate(facts, settings, setting);
                self.round.answers = answers;
                match again {
                    Err(Wanted(asks)) => {
                        self.round.answers.forget(&asks);
                        Turn::Ask(asks)
                    }
                    Ok(rated) => Turn::Done(judged, Some(rated)),
                }
            }
            Ok(rated) => Turn::Done(judged, Some(rated)),
        }
    }
}

/// Is it a question that only a path is asked that has been found good?
const fn is_dear(ask: &Ask) -> bool {
    matches!(ask, Ask::TimedReads { .. })
}
