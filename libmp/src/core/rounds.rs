//! A check is a round of questions: those of its checker and of its prioritizer, each asked once. What
//! an answer makes worth asking is asked in a next request, until there is a verdict.

use ::core::time::Duration;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::check::{self, Answer, Answers, Ask, CheckState, Judged, Step, Wanted, detect};
use crate::config::settings::{Checker, PathSettings, Prioritizer};
use crate::core::path::{Health, Path};
use crate::core::unmapped::Recheck;
use crate::identify::Facts;
use crate::prio::{self, PrioError};
use crate::types::Priority;

/// No checker and prioritizer need more requests together, tries of the latter included.
const MOST_REQUESTS: u32 = 12;

/// What was asked and answered since the check began.
#[derive(Debug, Clone, Default)]
pub struct Round {
    asked: Option<Arc<[Ask]>>,
    answers: Answers,
    requests: u32,
    prio_tries: u32,
}

impl Round {
    /// These are asked now.
    pub fn ask(&mut self, asks: Arc<[Ask]>) {
        self.asked = Some(asks);
        self.requests += 1;
    }

    /// They were answered.
    pub fn answered(&mut self, answers: &[Answer]) {
        if let Some(asked) = self.asked.take() {
            self.answers.put(&asked, answers);
        }
    }

    /// What was answered.
    pub const fn answers(&self) -> &Answers {
        &self.answers
    }

    /// What was asked is not to be answered any more: another round may begin.
    pub fn end(&mut self) {
        if self.requests > 1 || self.prio_tries > 0 || !self.answers.is_empty() {
            *self = Self::default();
        }
        (self.asked, self.requests) = (None, 0);
    }

    /// Are these all that was asked?
    pub fn asks_only(&self, asks: &Arc<[Ask]>) -> bool {
        self.requests == 1 && self.asked.as_ref().is_some_and(|asked| Arc::ptr_eq(asked, asks))
    }

    /// How many requests it took so far.
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// What was asked, if it took one request and is answered.
    pub fn one_request(&self) -> Option<Vec<Ask>> {
        (self.requests == 1 && self.prio_tries == 0 && self.asked.is_none()).then(|| self.answers.asks())
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
        let (Some(facts), Some(settings)) = (&mut self.facts, &self.settings) else {
            return Turn::Done(Judged::new(CheckState::Pending, "not identified yet"), None);
        };
        let health = &mut self.health;
        let runs = check::sysfs::runs(setting.sysfs_state) && health.round.requests < MOST_REQUESTS;
        if runs
            && let Recheck::Asked(shown) = &self.recheck
            && let Err(wanted) = shown.word(None, &health.round.answers)
        {
            return Turn::Ask(wanted.0);
        }
        if runs && !facts.unread_pages.is_empty() {
            match health.unread_pages.step(Arc::make_mut(facts), &health.round.answers) {
                Err(wanted) => return Turn::Ask(wanted.0),
                // They tell of what kind it is.
                Ok(news) if news => health.detected = None,
                Ok(_) => {}
            }
        }
        health.turn(facts, settings, setting)
    }
}

impl Health {
    /// The same, where the facts are whole.
    pub fn turn(&mut self, facts: &Facts, settings: &PathSettings, setting: &Setting<'_>) -> Turn {
        let health = self;
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
        let vendor_page = health.vendor_page.step(facts, settings, &health.round.answers);
        // Nothing else would tell that a device is gone whose state could be read. At the beginning it has not been, yet.
        let gone = setting.sysfs_state.is_none() && facts.state.is_some() && health.round.requests > 0;
        if gone && health.checker == Checker::None {
            return Turn::Done(check::sysfs::GONE, None);
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
                vendor_page.unwrap_or_else(|more| wanted.add(more));
                Turn::Ask(wanted.0)
            }
            Ok(judged) if judged.retry => Turn::Done(judged, None),
            // The checker asks nothing, or has asked already.
            Ok(judged)
                if judged.state.is_usable()
                    && let Err(wanted) = vendor_page =>
            {
                Turn::Ask(wanted.0)
            }
            Ok(judged) => health.rated(facts, settings, setting, judged),
        }
    }

    /// Checker and prioritizer, by what is configured and what the device has said of its kind.
    pub fn choose(&mut self, facts: &Facts, settings: &PathSettings) {
        let detected = self.detected.unwrap_or_default();
        let alike = settings.detect_prio && self.alike == Some(detect::Alua::of(facts, settings));
        self.checker = detect::checker(settings, detected, facts.has_alua() && !alike);
        let against = detect::Against { alike, asked_all: self.asked_all };
        let prioritizer = detect::prioritizer(facts, settings, detected, against);
        if self.prioritizer != prioritizer {
            // What another prioritizer said is on another scale; but the handler in the kernel only tells
            // what the device would have told.
            let alua = [Prioritizer::Alua, Prioritizer::Sysfs];
            if ![self.prioritizer, prioritizer].iter().all(|prio| alua.contains(prio)) {
                self.priority = Priority::UNDEF;
            }
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
            // It looked like asymmetric access and is not: what is configured holds, asked for in this same round.
            Ok(Err(PrioError::NotSupported | PrioError::NoAccessState))
                if settings.detect_prio && self.prioritizer.is_asymmetric_access() =>
            {
                self.alike = Some(detect::Alua::of(facts, settings));
                self.choose(facts, settings);
                self.rated(facts, settings, setting, judged)
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

#[cfg(test)]
mod tests;
