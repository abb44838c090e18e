//! Names of maps: alias, bindings, WWID; conflicts are refused, swaps go through the WWID.

use ::core::time::Duration;
use alloc::format;
use alloc::string::String;

use crate::config::settings::MapSettings;
use crate::core::Core;
use crate::core::effect::{Effect, Outbox, StateFile};
use crate::core::map::MapId;
use crate::core::notice::Notice;
use crate::core::timers::Timer;
use crate::core::waiting::Awaited;
use crate::types::{Instant, MapName, Token, Wwid};

/// A state file that could not be written is tried again after so long.
const SAVE_RETRY: Duration = Duration::from_mins(1);

/// A state file whose text is not on the disk yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsaved {
    /// It is being written.
    Writing {
        /// There is a newer text.
        again: bool,
    },
    /// It could not be written.
    Failed,
}

impl Core {
    /// The name that a LUN's map is to have. May give it a line in the bindings file.
    pub(super) fn choose_name(&mut self, wwid: &Wwid, settings: &MapSettings, out: &mut Outbox) -> MapName {
        if let Some(alias) = &settings.alias {
            match self.bindings.wwid_of(alias) {
                Some(other) if other != wwid => {
                    let holder = format!("{other} in the bindings file");
                    self.refuse_alias(alias, wwid, holder, out);
                }
                _ => return alias.clone(),
            }
        } else if settings.user_friendly_names {
            return self.friendly_name(wwid, settings, out);
        }
        MapName::new(wwid.as_str())
    }

    fn friendly_name(&mut self, wwid: &Wwid, settings: &MapSettings, out: &mut Outbox) -> MapName {
        if let Some(name) = self.bindings.get(wwid) {
            return name.clone();
        }
        let existing = self.map_by_wwid(wwid).and_then(|m| m.observed.as_ref()).map(|o| o.name.clone());
        if let Some(name) = existing
            && name.as_str().starts_with(&settings.alias_prefix)
            && name.as_str() != wwid.as_str()
            && self.bindings.insert(wwid.clone(), name.clone()).is_ok()
        {
            self.save(StateFile::Bindings, out);
            return name;
        }
        let aliases = self.config.aliases();
        let taken = |name: &str| {
            self.others.contains_key(name)
                || aliases.iter().any(|(_, alias)| alias.as_str() == name)
                || self.maps.values().any(|m| m.kernel_name().as_str() == name && m.wwid != *wwid)
        };
        let mut bindings = core::mem::take(&mut self.bindings);
        let name = bindings.allocate(&settings.alias_prefix, wwid, &taken);
        self.bindings = bindings;
        self.save(StateFile::Bindings, out);
        name
    }

    fn refuse_alias(&mut self, alias: &MapName, wwid: &Wwid, holder: String, out: &mut Outbox) {
        let map = self.by_wwid.get(wwid).and_then(|id| self.maps.get_mut(id));
        if let Some(map) = map {
            if map.said_conflict.as_ref() == Some(alias) {
                return;
            }
            map.said_conflict = Some(alias.clone());
        }
        out.notify(Notice::AliasConflict { alias: alias.clone(), wwid: wwid.clone(), holder });
    }

    /// Writes a state file; one that is being written is written again afterwards, so that no older
    /// text comes out on top.
    pub(super) fn save(&mut self, file: StateFile, out: &mut Outbox) {
        self.timers.cancel(Timer::Save(file));
        if let Some(Unsaved::Writing { again }) = self.unsaved.get_mut(&file) {
            *again = true;
            return;
        }
        self.unsaved.insert(file, Unsaved::Writing { again: false });
        let token = self.token(Awaited::Save(file));
        let text = match file {
            StateFile::Bindings => self.bindings.to_text(),
            StateFile::Wwids => self.wwids.to_text(),
        };
        out.push(Effect::Save { token, file, text });
    }

    /// A state file was written, or not.
    pub(super) fn saved(&mut self, now: Instant, token: Token, result: Result<(), String>, out: &mut Outbox) {
        let file = match self.waiting.take(token) {
            Some(Awaited::Save(file)) => file,
            Some(Awaited::Mark(id)) => return self.marked(id, result, out),
            _ => return,
        };
        let again = self.unsaved.remove(&file) == Some(Unsaved::Writing { again: true });
        if let Err(error) = result {
            let name = match file {
                StateFile::Bindings => "bindings",
                StateFile::Wwids => "wwids",
            };
            self.answer_saved(file, Err(&error), out);
            out.notify(Notice::SaveFailed { file: name, error });
            self.unsaved.insert(file, Unsaved::Failed);
            self.timers.set(Timer::Save(file), now + SAVE_RETRY);
        } else if again {
            self.save(file, out);
        } else {
            self.answer_saved(file, Ok(()), out);
        }
    }

    /// Adds a WWID to the wwids file, where it is not in it.
    pub(super) fn remember_wwid(&mut self, wwid: &Wwid, out: &mut Outbox) {
        if self.wwids.insert(wwid.clone()) {
            self.save(StateFile::Wwids, out);
        }
    }

    /// The name that a map may take now: the one it is to have, unless somebody has it.
    ///
    /// Where two of ours want each other's name, the first in order steps aside to its WWID.
    pub(super) fn free_name(&mut self, id: MapId, out: &mut Outbox) -> MapName {
        let map = &self.maps[&id];
        let (wanted, wwid) = (map.name.clone(), map.wwid.clone());
        let now = map.observed.as_ref().map(|o| o.name.clone());
        if now.as_ref() == Some(&wanted) {
            return wanted;
        }
        let fallback = || now.clone().unwrap_or_else(|| MapName::new(wwid.as_str()));
        if let Some(other) = self.others.get(wanted.as_str()) {
            let holder = format!("the device-mapper device with UUID \"{other}\"");
            self.refuse_alias(&wanted, &wwid, holder, out);
            return fallback();
        }
        let holder = self.maps.values().find(|m| {
            let here = m.observed.as_ref().map(|o| &o.name);
            let coming = m.inflight.as_ref().and_then(|i| i.op.takes_name());
            m.id != id && (here == Some(&wanted) || coming == Some(&wanted))
        });
        let Some(holder) = holder else { return wanted };
        if holder.name == wanted {
            let text = format!("the map of {}", holder.wwid);
            self.refuse_alias(&wanted, &wwid, text, out);
            return fallback();
        }
        // The holder is to leave that name. If it waits for ours, one must step aside.
        let swaps = now.is_some() && self.waits_for(holder.id, id);
        if swaps && id < holder.id { MapName::new(wwid.as_str()) } else { fallback() }
    }

    /// Does `from`, by the names wanted one after another, come to wait for `target`?
    fn waits_for(&self, from: MapId, target: MapId) -> bool {
        let mut at = from;
        for _ in 0..self.maps.len() {
            let wanted = &self.maps[&at].name;
            let holder = self.maps.values().find(|m| m.observed.as_ref().is_some_and(|o| o.name == *wanted));
            match holder {
                Some(m) if m.id == target => return true,
                Some(m) if m.id != at => at = m.id,
                _ => return false,
            }
        }
        false
    }
}
