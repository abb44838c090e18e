//! What a daemon with a defect orders.

use std::collections::BTreeSet;

use libmp::core::effect::{Effect, Outbox, StateFile};
use libmp::dm::op::{DmOp, Load};
use libmp::dm::table::{Queueing, Table, TableGroup, TablePath};
use libmp::types::{DevT, Token, Wwid};

use super::{Defect, Tampered};

impl Tampered {
    fn token(&mut self) -> Token {
        self.ours += 1;
        Token(u64::MAX / 2 + self.ours)
    }

    pub(super) fn mangle(&mut self, effects: Vec<Effect>, out: &mut Outbox) {
        for effect in effects {
            match &effect {
                Effect::Check { token, name, .. } => {
                    self.checks.insert(name.as_str().into(), *token);
                    self.names.insert(*token, name.as_str().into());
                }
                Effect::SysfsWrite { token, name, .. } => {
                    self.names.insert(*token, name.as_str().into());
                }
                Effect::Dm { token, wwid, op: DmOp::Query { .. } } => {
                    self.reads.insert(*token, wwid.clone());
                }
                _ => {}
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
            (TwoOperations, Effect::Dm { token, wwid, op: op @ DmOp::Reload { .. } }) => {
                let again = Effect::Dm { token: self.token(), wwid: wwid.clone(), op: op.clone() };
                vec![Effect::Dm { token, wwid, op }, again]
            }
            (BlindToOthers, Effect::Dm { wwid, .. })
                if self.read.as_ref().is_some_and(|read| *read != wwid) =>
            {
                Vec::new()
            }
            (_, Effect::Dm { token, wwid, op }) => {
                let op = self.bend_op(&wwid, op, now_and_then);
                vec![Effect::Dm { token, wwid, op }]
            }
            (LoseReplies, Effect::Reply { .. }) if now_and_then => Vec::new(),
            (DoubleReplies, reply @ Effect::Reply { .. }) if now_and_then => vec![reply.clone(), reply],
            (SameToken, Effect::Check { name, devt, request, .. }) => {
                vec![Effect::Check { token: Token(1), name, devt, request }]
            }
            (defect, Effect::SysfsWrite { token, name, devt, attribute, value }) => {
                let value = self.bend_value(defect, name.as_str(), attribute).map_or(value, str::to_owned);
                vec![Effect::SysfsWrite { token, name, devt, attribute, value }]
            }
            (EmptyWwids, Effect::Save { token, file: file @ StateFile::Wwids, was, .. }) => {
                vec![Effect::Save { token, file, text: "".into(), was }]
            }
            (TwoSaves, Effect::Save { token, file, text, was }) => {
                let again = Effect::Save { token: self.token(), file, text: text.clone(), was: was.clone() };
                vec![Effect::Save { token, file, text, was }, again]
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

    /// What is written in the place of a value.
    fn bend_value(&self, defect: Defect, disk: &str, attribute: &str) -> Option<&'static str> {
        let of = |name: &str| attribute.ends_with(name);
        match defect {
            Defect::WrongTimes if of("fast_io_fail_tmo") => Some("1"),
            Defect::WrongAtSecond if self.spoilt.contains(disk) && of("fast_io_fail_tmo") => Some("1"),
            Defect::WrongLoss if of("dev_loss_tmo") => Some("600"),
            Defect::WrongSize if of("max_sectors_kb") => Some("1024"),
            Defect::ZeroTimes if of("dev_loss_tmo") || of("recovery_tmo") => Some("0"),
            _ => None,
        }
    }

    /// What becomes of an operation on a map.
    fn bend_op(&mut self, wwid: &Wwid, op: DmOp, now_and_then: bool) -> DmOp {
        use Defect::*;
        match (self.defect, op) {
            (NoReinstate, op) => without("reinstate_path", op),
            (NoQueueOff, op) => without("fail_if_no_path", op),
            (WorstFirst, op) => without("switch_group", with_table(op, reversed)),
            (NoQueueOn, op) => without("queue_if_no_path", with_table(op, unqueued)),
            (OneGroup, op) => with_table(op, merged),
            (SingleGroups, op) => with_table(op, split),
            (ReinstateAll, DmOp::Message { messages }) => {
                let messages = messages.iter().map(|m| m.replace("fail_path", "reinstate_path")).collect();
                DmOp::Message { messages }
            }
            (ReinstateStrangers, op) => self.with_stranger(wwid, op),
            (SwapPaths, op) => self.swap(wwid, op),
            (TooLong, mut op) => {
                if let Some(load) = loaded(&mut op) {
                    load.sectors += 8;
                }
                op
            }
            (NoFlush, DmOp::Reload { load, flags, wake, .. }) => {
                DmOp::Reload { load, flags, flush: false, wake }
            }
            (StaySuspended, DmOp::Reload { .. }) if now_and_then => DmOp::Suspend,
            // The core resumes what it finds suspended: that is lost too.
            (StaySuspended, DmOp::Resume { .. })
            | (NoRename, DmOp::Rename { .. })
            | (NoPartitionNames, DmOp::RenamePartitions { .. })
            | (NoCreate, DmOp::Create { .. })
            | (NoRemove, DmOp::Remove { .. })
            | (KeepPaths, DmOp::Reload { .. } | DmOp::Remove { .. } | DmOp::Suspend) => DmOp::READ,
            (NoFail | KeepPaths, op) => without("fail_path", op),
            (_, op) => op,
        }
    }

    /// One device of the table is replaced by one of another map's.
    fn swap(&mut self, wwid: &Wwid, mut op: DmOp) -> DmOp {
        let other = self.stranger(wwid);
        let mine = self.devices_of(wwid, &mut op);
        if let (Some(load), Some(mine), Some(other)) = (loaded(&mut op), mine, other) {
            load.params = load.params.replacen(&mine.to_string(), &other.to_string(), 1);
        }
        op
    }

    /// Notes the devices of a table, and tells the first.
    fn devices_of(&mut self, wwid: &Wwid, op: &mut DmOp) -> Option<DevT> {
        let load = loaded(op)?;
        let all: BTreeSet<DevT> = load.params.split(' ').filter_map(|w| w.parse().ok()).collect();
        let first = all.first().copied();
        self.devices.insert(wwid.as_str().to_owned(), all);
        first
    }

    /// A device of another map.
    fn stranger(&self, wwid: &Wwid) -> Option<DevT> {
        let mut others = self.devices.iter().filter(|(name, _)| name.as_str() != wwid.as_str());
        others.find_map(|(_, devices)| devices.first().copied())
    }

    /// A device of another map is reinstated, too.
    fn with_stranger(&mut self, wwid: &Wwid, mut op: DmOp) -> DmOp {
        self.devices_of(wwid, &mut op);
        let other = self.stranger(wwid);
        if let (DmOp::Message { messages }, Some(other)) = (&mut op, other) {
            messages.push(format!("reinstate_path {other}"));
        }
        op
    }

    /// What the defect adds of its own.
    pub(super) fn add(&mut self, out: &mut Outbox) {
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

/// What an operation loads.
fn loaded(op: &mut DmOp) -> Option<&mut Load> {
    match op {
        DmOp::Create { load, .. } | DmOp::Reload { load, .. } => Some(load),
        _ => None,
    }
}

fn without(message: &str, op: DmOp) -> DmOp {
    match op {
        DmOp::Message { mut messages } => {
            messages.retain(|m| !m.starts_with(message));
            if messages.is_empty() { DmOp::READ } else { DmOp::Message { messages } }
        }
        other => other,
    }
}

fn with_table(mut op: DmOp, change: fn(&mut Table)) -> DmOp {
    if let Some(load) = loaded(&mut op) {
        let mut table: Table = load.params.parse().expect("the core writes tables");
        change(&mut table);
        load.params = table.to_string();
    }
    op
}

fn unqueued(table: &mut Table) {
    table.set_queueing(Queueing::Off);
}

fn merged(table: &mut Table) {
    let mut others = table.groups.split_off(table.groups.len().min(1));
    if let Some(first) = table.groups.first_mut() {
        first.paths.extend(others.drain(..).flat_map(|group| group.paths));
        table.init_group = 1;
    }
}

/// The group that I/O begins with is the last one.
fn reversed(table: &mut Table) {
    table.groups.reverse();
}

fn split(table: &mut Table) {
    let single = |group: &TableGroup| {
        let of =
            |path: &TablePath| TableGroup { selector: group.selector.clone(), paths: vec![path.clone()] };
        group.paths.iter().map(of).collect::<Vec<_>>()
    };
    table.groups = table.groups.iter().flat_map(single).collect();
}
