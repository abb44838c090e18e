//! What a run has seen: states, transitions, kinds of events and effects.

use std::collections::BTreeMap;

use libmp::check::CheckState;
use libmp::core::effect::Effect;
use libmp::core::event::Event;
use libmp::dm::op::DmOp;
use libmp::show::view::{DmPathState, Queueing, View};

use crate::world::io::Outcome;

/// What the checker says of a path, and the kernel.
type PathStates = (CheckState, u8);

/// Counts by name.
#[derive(Debug, Default, Clone)]
pub struct Coverage {
    pub events: BTreeMap<&'static str, u64>,
    pub effects: BTreeMap<&'static str, u64>,
    /// Before and after.
    pub path_transitions: BTreeMap<(PathStates, PathStates), u64>,
    pub queueing: BTreeMap<(&'static str, &'static str), u64>,
    paths: BTreeMap<String, PathStates>,
    maps: BTreeMap<String, &'static str>,
}

impl Coverage {
    pub fn event(&mut self, event: &Event) {
        let name = match event {
            Event::Config { .. } => "config",
            Event::Surveyed { .. } => "surveyed",
            Event::NativeRead { .. } => "native read",
            Event::Enumerated { .. } => "enumerated",
            Event::Uevent(_) => "uevent",
            Event::UeventsLost => "uevents lost",
            Event::Probed { probe: Ok(_), .. } => "probed",
            Event::Probed { probe: Err(_), .. } => "probe failed",
            Event::Checking { .. } => "checking",
            Event::Checked { .. } => "checked",
            Event::DmDone { done, .. } if done.result.is_ok() => "dm done",
            Event::DmDone { .. } => "dm failed",
            Event::DmChanged(_) => "dm changed",
            Event::SysfsWritten { .. } => "sysfs written",
            Event::Saved { result: Ok(()), .. } => "saved",
            Event::Saved { .. } => "save failed",
            Event::Request { .. } => "request",
            Event::Fabric(_) => "fabric",
            Event::Attention { .. } => "attention",
            Event::Signal(_) => "signal",
            Event::Tick => "tick",
        };
        *self.events.entry(name).or_default() += 1;
    }

    pub fn effect(&mut self, effect: &Effect) {
        let name = match effect {
            Effect::LoadConfig { .. } => "load config",
            Effect::Survey { .. } => "survey",
            Effect::ReadNative { .. } => "read native",
            Effect::Enumerate { .. } => "enumerate",
            Effect::Probe { .. } => "probe",
            Effect::Check { .. } => "check",
            Effect::Dm { op, .. } => match op {
                DmOp::Create { .. } => "dm create",
                DmOp::Reload { .. } => "dm reload",
                DmOp::Rename { .. } => "dm rename",
                DmOp::Remove { .. } => "dm remove",
                DmOp::CancelRemove => "dm cancel remove",
                DmOp::Message { .. } => "dm message",
                DmOp::Suspend => "dm suspend",
                DmOp::Resume { .. } => "dm resume",
                DmOp::Reassign { .. } => "dm reassign",
                DmOp::RenamePartitions { .. } => "dm rename partitions",
                DmOp::Query { .. } => "dm query",
            },
            Effect::SysfsWrite { .. } => "sysfs write",
            Effect::Save { .. } => "save",
            Effect::Mark { .. } => "mark",
            Effect::Forget { .. } => "forget",
            Effect::Reply { .. } => "reply",
            Effect::Book { .. } => "book",
            Effect::Notify(_) => "notify",
            Effect::Verbosity(_) => "verbosity",
            Effect::OpenFiles(_) => "open files",
            Effect::ListenToFabric(_) => "listen to fabric",
            Effect::Ready => "ready",
            Effect::Exit => "exit",
        };
        *self.effects.entry(name).or_default() += 1;
    }

    pub fn outcome(&mut self, outcome: &Outcome) {
        let name = if outcome.reached.is_some() { "I/O done" } else { "I/O error" };
        *self.effects.entry(name).or_default() += 1;
    }

    pub fn view(&mut self, view: &View) {
        for path in &view.paths {
            let dm = match path.dm_state {
                DmPathState::Undef => 0,
                DmPathState::Active => 1,
                DmPathState::Failed => 2,
            };
            let is = (path.check_state, dm);
            match self.paths.get_mut(path.name().as_str()) {
                Some(was) if *was == is => {}
                Some(was) => {
                    *self.path_transitions.entry((*was, is)).or_default() += 1;
                    *was = is;
                }
                None => {
                    self.paths.insert(path.name().as_str().into(), is);
                }
            }
        }
        for map in &view.maps {
            let is = match map.queueing {
                Queueing::Configured(_) => "as configured",
                Queueing::CountDown(_) => "counting down",
                Queueing::Off => "off",
            };
            match self.maps.get_mut(map.name.as_str()) {
                Some(was) if *was == is => {}
                Some(was) => {
                    *self.queueing.entry((was, is)).or_default() += 1;
                    *was = is;
                }
                None => {
                    self.maps.insert(map.name.as_str().into(), is);
                }
            }
        }
    }

    /// Adds what another run has seen.
    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.events {
            *self.events.entry(key).or_default() += count;
        }
        for (key, count) in &other.effects {
            *self.effects.entry(key).or_default() += count;
        }
        for (key, count) in &other.path_transitions {
            *self.path_transitions.entry(*key).or_default() += count;
        }
        for (key, count) in &other.queueing {
            *self.queueing.entry(*key).or_default() += count;
        }
    }

    /// For the end of a run.
    pub fn report(&self) -> String {
        let list = |counts: &BTreeMap<&'static str, u64>| {
            counts.iter().map(|(k, n)| format!("{k} {n}")).collect::<Vec<_>>().join(", ")
        };
        let mut states: Vec<_> = self.path_transitions.keys().flat_map(|(a, b)| [*a, *b]).collect();
        states.sort_unstable();
        states.dedup();
        format!(
            "events: {}\neffects: {}\npath states (checker, kernel): {} and {} transitions; queueing: {} transitions\n",
            list(&self.events),
            list(&self.effects),
            states.len(),
            self.path_transitions.len(),
            self.queueing.len()
        )
    }
}
