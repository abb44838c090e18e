//! Defects put in on purpose: each must be caught, or the invariants prove nothing.

use std::collections::{BTreeMap, BTreeSet};

use libmp::core::effect::{Effect, Outbox};
use libmp::core::event::Event;
use libmp::dm::op::DmOp;
use libmp::show::view::View;
use libmp::types::{DevT, Instant, Token, Wwid};

use crate::daemon::{Daemon, Factory};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Every `reinstate_path` is lost.
    NoReinstate,
    /// Every `fail_path` is lost.
    NoFail,
    /// A path that is up is reinstated though its check said down.
    ReinstateAll,
    /// An answer that is no longer awaited is taken for the one that is.
    StaleAsFresh,
    /// Tables get a path of another map.
    SwapPaths,
    /// Queueing is never switched off.
    NoQueueOff,
    /// Maps stay suspended after a reload.
    StaySuspended,
    /// Replies are lost now and then.
    LoseReplies,
    /// Replies are sent twice now and then.
    DoubleReplies,
    /// The same token is given again.
    SameToken,
    /// Tables are longer than their paths.
    TooLong,
    /// The name of a map is left as it is.
    NoRename,
    /// A second operation is ordered while one is under way.
    TwoOperations,
    /// A file is written again and again.
    SaveForever,
    /// Removed paths are still checked.
    CheckTheGone,
    /// A port is told another time than is wanted.
    WrongTimes,
}

struct Tampered {
    inner: Box<dyn Daemon>,
    defect: Defect,
    count: u64,
    /// The check under way of each path.
    checks: BTreeMap<String, Token>,
    names: BTreeMap<Token, String>,
    devices: BTreeMap<String, BTreeSet<DevT>>,
    last_save: Option<Effect>,
    last_check: Option<Effect>,
    ours: u64,
}

/// A factory of daemons with a defect.
pub fn with(defect: Defect, inner: Factory) -> Factory {
    Box::new(move |pid| {
        Box::new(Tampered {
            inner: inner(pid),
            defect,
            count: 0,
            checks: BTreeMap::new(),
            names: BTreeMap::new(),
            devices: BTreeMap::new(),
            last_save: None,
            last_check: None,
            ours: 0,
        })
    })
}

impl Tampered {
    fn token(&mut self) -> Token {
        self.ours += 1;
        Token(u64::MAX / 2 + self.ours)
    }

    fn mangle(&mut self, effects: Vec<Effect>, out: &mut Outbox) {
        for effect in effects {
            if let Effect::Check { token, name, .. } = &effect {
                self.checks.insert(name.as_str().into(), *token);
                self.names.insert(*token, name.as_str().into());
            }
            for effect in self.bend(effect) {
                out.push(effect);
            }
        }
    }

    /// What becomes of one effect.
    fn bend(&mut self, effect: Effect) -> Vec<Effect> {
        use Defect::*;
        self.count += 1;
        let now_and_then = self.count.is_multiple_of(7);
        match (self.defect, effect) {
            (NoReinstate, Effect::Dm { token, wwid, op }) => {
                vec![Self::without("reinstate_path", token, wwid, op)]
            }
            (NoFail, Effect::Dm { token, wwid, op }) => vec![Self::without("fail_path", token, wwid, op)],
            (NoQueueOff, Effect::Dm { token, wwid, op }) => {
                vec![Self::without("fail_if_no_path", token, wwid, op)]
            }
            (ReinstateAll, Effect::Dm { token, wwid, op: DmOp::Message { messages } }) => {
                let messages = messages.iter().map(|m| m.replace("fail_path", "reinstate_path")).collect();
                vec![Effect::Dm { token, wwid, op: DmOp::Message { messages } }]
            }
            (SwapPaths, Effect::Dm { token, wwid, op }) => {
                let op = self.swap(&wwid, op);
                vec![Effect::Dm { token, wwid, op }]
            }
            (TooLong, Effect::Dm { token, wwid, mut op }) => {
                if let DmOp::Create { load, .. } | DmOp::Reload { load, .. } = &mut op {
                    load.sectors += 8;
                }
                vec![Effect::Dm { token, wwid, op }]
            }
            (StaySuspended, Effect::Dm { token, wwid, op: DmOp::Reload { .. } }) if now_and_then => {
                vec![Effect::Dm { token, wwid, op: DmOp::Suspend }]
            }
            // The core resumes what it finds suspended: that is lost too.
            (StaySuspended, Effect::Dm { token, wwid, op: DmOp::Resume { .. } })
            | (NoRename, Effect::Dm { token, wwid, op: DmOp::Rename { .. } }) => {
                vec![Effect::Dm { token, wwid, op: DmOp::READ }]
            }
            (LoseReplies, Effect::Reply { .. }) if now_and_then => Vec::new(),
            (DoubleReplies, reply @ Effect::Reply { .. }) if now_and_then => vec![reply.clone(), reply],
            (SameToken, Effect::Check { name, devt, request, .. }) => {
                vec![Effect::Check { token: Token(1), name, devt, request }]
            }
            (TwoOperations, Effect::Dm { token, wwid, op: op @ DmOp::Reload { .. } }) => {
                let again = Effect::Dm { token: self.token(), wwid: wwid.clone(), op: op.clone() };
                vec![Effect::Dm { token, wwid, op }, again]
            }
            (WrongTimes, Effect::SysfsWrite { token, name, devt, attribute, .. })
                if attribute.ends_with("fast_io_fail_tmo") =>
            {
                vec![Effect::SysfsWrite { token, name, devt, attribute, value: "1".into() }]
            }
            (SaveForever, effect @ Effect::Save { .. }) => {
                self.last_save = Some(effect.clone());
                vec![effect]
            }
            (CheckTheGone, effect @ Effect::Check { .. }) => {
                self.last_check.get_or_insert_with(|| effect.clone());
                vec![effect]
            }
            (_, effect) => vec![effect],
        }
    }

    fn without(message: &str, token: Token, wwid: Wwid, op: DmOp) -> Effect {
        let op = match op {
            DmOp::Message { mut messages } => {
                messages.retain(|m| !m.starts_with(message));
                if messages.is_empty() { DmOp::READ } else { DmOp::Message { messages } }
            }
            other => other,
        };
        Effect::Dm { token, wwid, op }
    }

    /// One device of the table is replaced by one of another map's.
    fn swap(&mut self, wwid: &Wwid, mut op: DmOp) -> DmOp {
        let name = wwid.as_str().to_owned();
        let (DmOp::Create { load, .. } | DmOp::Reload { load, .. }) = &mut op else { return op };
        let mine: BTreeSet<DevT> = load.params.split(' ').filter_map(|w| w.parse().ok()).collect();
        let other = self.devices.iter().filter(|(n, _)| **n != name).find_map(|(_, devices)| devices.first());
        if let (Some(mine), Some(other)) = (mine.first(), other) {
            load.params = load.params.replacen(&mine.to_string(), &other.to_string(), 1);
        }
        self.devices.insert(name, mine);
        op
    }

    /// What the defect adds of its own.
    fn add(&mut self, out: &mut Outbox) {
        self.count += 1;
        if self.defect == Defect::SaveForever
            && self.count.is_multiple_of(50)
            && let Some(Effect::Save { file, text, was, .. }) = self.last_save.clone()
        {
            let token = self.token();
            out.push(Effect::Save { token, file, text, was });
        }
        if self.defect == Defect::CheckTheGone
            && self.count.is_multiple_of(50)
            && let Some(Effect::Check { name, devt, request, .. }) = self.last_check.clone()
        {
            let token = self.token();
            out.push(Effect::Check { token, name, devt, request });
        }
    }
}

impl Daemon for Tampered {
    fn start(&mut self, now: Instant, out: &mut Outbox) {
        let mut mine = Outbox::new();
        self.inner.start(now, &mut mine);
        let effects = mine.drain().collect();
        self.mangle(effects, out);
    }

    fn handle(&mut self, now: Instant, mut event: Event, out: &mut Outbox) {
        if let Event::Checked { token, .. } = &mut event {
            match self.defect {
                Defect::StaleAsFresh => {
                    if let Some(fresh) = self.names.get(token).and_then(|name| self.checks.get(name)) {
                        *token = *fresh;
                    }
                }
                Defect::SameToken => {
                    // Whoever answers, it is taken for some check under way.
                    if let Some((_, fresh)) = self.checks.pop_first() {
                        *token = fresh;
                    }
                }
                _ => {}
            }
        }
        let mut mine = Outbox::new();
        self.inner.handle(now, event, &mut mine);
        let effects = mine.drain().collect();
        self.mangle(effects, out);
        self.add(out);
    }

    fn kept(&self) -> (usize, usize) {
        self.inner.kept()
    }

    fn looks(&self) -> u64 {
        self.inner.looks()
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.inner.next_deadline()
    }

    fn view(&self, now: Instant) -> View {
        self.inner.view(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real;
    use crate::runner::{Options, run};

    /// A defect breaks what it should in a run that is good without it.
    fn caught(defect: Defect, expected: &[&str]) {
        let options = Options { events: 3000, trace: false, tail: 0 };
        let seeds = 0..60;
        let mut seen = Vec::new();
        for seed in seeds {
            let outcome = run(seed, options, with(defect, real::core()));
            let Some(violation) = outcome.violation else { continue };
            if expected.contains(&violation.name) && run(seed, options, real::core()).violation.is_none() {
                return;
            }
            seen.push(violation.name);
        }
        panic!("{defect:?} was not caught by any of {expected:?}; seen: {seen:?}");
    }

    #[test]
    fn lost_reinstatements_are_caught() {
        caught(Defect::NoReinstate, &["rest-paths"]);
    }
    #[test]
    fn lost_failures_are_caught() {
        caught(Defect::NoFail, &["rest-paths"]);
    }
    #[test]
    fn reinstating_what_is_down_is_caught() {
        caught(Defect::ReinstateAll, &["no-reinstate-without-evidence", "rest-paths"]);
    }
    #[test]
    fn a_stale_answer_taken_as_fresh_is_caught() {
        // Mostly by its first consequence: the slot counts as free while its check is still under way.
        let by = ["one-check-a-path", "up-on-fresh-evidence", "no-reinstate-without-evidence"];
        caught(Defect::StaleAsFresh, &by);
    }
    #[test]
    fn a_path_in_the_wrong_map_is_caught() {
        caught(Defect::SwapPaths, &["no-wwids-mixed", "io-reaches-its-lun"]);
    }
    #[test]
    fn a_table_longer_than_its_paths_is_caught() {
        caught(Defect::TooLong, &["a-table-fits"]);
    }
    #[test]
    fn queueing_that_does_not_end_is_caught() {
        caught(Defect::NoQueueOff, &["queueing-ends", "rest-queueing"]);
    }
    #[test]
    fn a_map_left_suspended_is_caught() {
        caught(Defect::StaySuspended, &["rest-maps", "rest-paths"]);
    }
    #[test]
    fn lost_replies_are_caught() {
        caught(Defect::LoseReplies, &["a-reply-in-time"]);
    }
    #[test]
    fn double_replies_are_caught() {
        caught(Defect::DoubleReplies, &["one-reply"]);
    }
    #[test]
    fn a_token_given_twice_is_caught() {
        caught(Defect::SameToken, &["tokens-are-unique"]);
    }
    #[test]
    fn a_name_left_as_it_is_is_caught() {
        caught(Defect::NoRename, &["rest-maps"]);
    }
    #[test]
    fn two_operations_at_once_are_caught() {
        caught(Defect::TwoOperations, &["one-dm-operation-a-map"]);
    }
    #[test]
    fn endless_orders_are_caught() {
        caught(Defect::SaveForever, &["rest-orders-nothing"]);
    }
    #[test]
    fn a_port_that_is_told_something_else_is_caught() {
        caught(Defect::WrongTimes, &["rest-layers"]);
    }
    #[test]
    fn checks_of_what_is_gone_are_caught() {
        caught(Defect::CheckTheGone, &["no-effect-for-the-gone", "one-check-a-path"]);
    }
}
