//! Names of maps: alias, bindings, WWID; conflicts are refused, swaps go through the WWID.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::settings::MapSettings;
use crate::core::Core;
use crate::core::effect::{Outbox, StateFile};
use crate::core::map::{Map, MapId};
use crate::core::notice::Notice;
use crate::dm::mangle::unmangled;
use crate::state::bindings::Bindings;
use crate::types::{MapName, Wwid};

/// Which maps have a name, are about to take it, or are to have it: nobody looks through all of them for that.
#[derive(Debug, Clone, Default)]
pub(super) struct Holders(BTreeMap<MapName, BTreeSet<MapId>>);

/// The names that a map is listed under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed {
    has: Option<MapName>,
    takes: Option<MapName>,
    wants: Option<MapName>,
}

impl Listed {
    fn of(map: &Map) -> Self {
        Self {
            has: map.observed.as_ref().map(|observed| observed.name.clone()),
            takes: map.inflight.as_ref().and_then(|inflight| inflight.op.takes_name()).cloned(),
            wants: Some(map.name.clone()),
        }
    }

    fn names(&self) -> impl Iterator<Item = &MapName> {
        [&self.has, &self.takes, &self.wants].into_iter().flatten()
    }
}

impl Holders {
    fn relist(&mut self, id: MapId, was: &Listed, is: &Listed) {
        for name in was.names() {
            if let Some(maps) = self.0.get_mut(name) {
                maps.remove(&id);
                if maps.is_empty() {
                    self.0.remove(name);
                }
            }
        }
        for name in is.names() {
            self.0.entry(name.clone()).or_default().insert(id);
        }
    }

    /// The maps that may have to do with this name, by number.
    fn of(&self, name: &str) -> impl Iterator<Item = MapId> {
        self.0.get(name).into_iter().flatten().copied()
    }
}

impl Core {
    /// A map's names may be others than before. To be said wherever one is given, taken or changed.
    pub(super) fn list_names(&mut self, id: MapId) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let is = Listed::of(map);
        if map.listed != is {
            self.holders.relist(id, &map.listed, &is);
            map.listed = is;
        }
    }

    /// A map is known no more, and keeps no disk out any more.
    pub(super) fn forget_map(&mut self, id: MapId, out: &mut Outbox) {
        self.reconsider(id, out);
        if let Some(map) = self.maps.remove(&id) {
            if self.switched.disabled.remove(&map.wwid) {
                self.save(StateFile::Queueing, out);
            }
            self.by_wwid.remove(&map.wwid);
            self.holders.relist(id, &map.listed, &Listed::default());
        }
    }

    /// The maps that may have to do with this name.
    fn named(&self, name: &str) -> impl Iterator<Item = &Map> {
        self.holders.of(name).filter_map(|id| self.maps.get(&id))
    }

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

    /// No name can be kept: one that is given now could be another LUN's with the next start. Its map keeps the one it has.
    fn unbound_name(&self, wwid: &Wwid, settings: &MapSettings) -> MapName {
        let present = self.present_name(wwid, settings);
        let anothers = |name: &MapName| self.bindings.wwid_of(name).is_some_and(|owner| owner != wwid);
        present.filter(|name| !anothers(name)).unwrap_or_else(|| MapName::new(wwid.as_str()))
    }

    /// The name that the kernel has for its map, if it is one of those that are given.
    fn present_name(&self, wwid: &Wwid, settings: &MapSettings) -> Option<MapName> {
        let name = &self.map_by_wwid(wwid)?.observed.as_ref()?.name;
        let is_given = name.as_str().starts_with(&settings.alias_prefix) && name.as_str() != wwid.as_str();
        is_given.then(|| name.clone())
    }

    fn friendly_name(&mut self, wwid: &Wwid, settings: &MapSettings, out: &mut Outbox) -> MapName {
        if let Some(name) = self.bindings.get(wwid) {
            return MapName::new(&*unmangled(name.as_str()));
        }
        if !self.may_bind || self.is_failing(StateFile::Bindings) {
            return self.unbound_name(wwid, settings);
        }
        if let Some(name) = self.present_name(wwid, settings)
            && self.bindings.insert(wwid.clone(), name.clone()).is_ok()
        {
            self.save(StateFile::Bindings, out);
            return name;
        }
        let mut bindings = core::mem::take(&mut self.bindings);
        let aliases = self.config.aliases();
        let taken = |name: &str| {
            self.others.contains_key(name)
                || aliases.iter().any(|(_, alias)| alias.as_str() == name)
                || self.named(name).any(|m| m.kernel_name().as_str() == name && m.wwid != *wwid)
        };
        let name = bindings.allocate(&settings.alias_prefix, wwid, &taken);
        self.bindings = bindings;
        self.save(StateFile::Bindings, out);
        name
    }

    /// The bindings file could not be written: of the names that are not in its text only those stay that maps have. Are there any?
    pub(super) fn take_names_back(&mut self, text: &str) -> bool {
        let (there, _) = Bindings::parse(text);
        let mut stay = there.clone();
        let all = core::mem::take(&mut self.bindings);
        for (name, wwid) in all.iter().filter(|(name, wwid)| there.get(wwid) != Some(*name)) {
            let map = self.by_wwid.get(wwid).and_then(|id| self.maps.get_mut(id));
            if map.as_ref().and_then(|map| map.observed.as_ref()).is_some_and(|has| has.name == *name) {
                let _ = stay.insert(wwid.clone(), name.clone()); // it was taken in before
            } else if let Some(map) = map.filter(|map| map.name == *name) {
                map.name =
                    map.observed.as_ref().map_or_else(|| MapName::new(wwid.as_str()), |has| has.name.clone());
                let id = map.id;
                self.dirty.insert(id);
                self.list_names(id);
            }
        }
        let any = stay != there;
        self.bindings = stay;
        any
    }

    /// The bindings file can be written again: maps that were to have a name of it, and have kept one that nobody configures any more,
    /// get one. Those that are called by their WWID keep that until the next `reconfigure`.
    pub(super) fn name_unbound(&mut self, out: &mut Outbox) {
        let unbound = |map: &&Map| {
            map.name.as_str() != map.wwid.as_str()
                && map.settings.alias.is_none()
                && map.settings.user_friendly_names
                && self.bindings.get(&map.wwid).is_none()
        };
        for id in self.maps.values().filter(unbound).map(|map| map.id).collect::<Vec<_>>() {
            let (wwid, settings) = (self.maps[&id].wwid.clone(), self.maps[&id].settings.clone());
            let name = self.choose_name(&wwid, &settings, out);
            if let Some(map) = self.maps.get_mut(&id) {
                map.name = name;
                self.dirty.insert(id);
                self.list_names(id);
            }
        }
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
        if let Some(holder) = self.keeps_name_of(map) {
            self.refuse_alias(&wanted, &wwid, holder, out);
            return fallback();
        }
        let Some(holder) = self.has_name_of(map) else { return wanted };
        // The holder is to leave that name. If it waits for ours, one must step aside.
        let swaps = now.is_some() && self.waits_for(holder.id, id);
        if swaps && id < holder.id { MapName::new(wwid.as_str()) } else { fallback() }
    }

    /// The other map of ours that has the name that this one is to have.
    fn has_name_of(&self, map: &Map) -> Option<&Map> {
        let wanted = &map.name;
        self.named(wanted.as_str()).find(|m| {
            let here = m.observed.as_ref().map(|o| &o.name);
            let coming = m.inflight.as_ref().and_then(|i| i.op.takes_name());
            m.id != map.id && (here == Some(wanted) || coming == Some(wanted))
        })
    }

    /// Who has the name that a map is to have, and is not to leave it.
    pub(super) fn keeps_name_of(&self, map: &Map) -> Option<String> {
        if let Some(other) = self.others.get(map.name.as_str()) {
            return Some(format!("the device-mapper device with UUID \"{other}\""));
        }
        let holder = self.has_name_of(map).filter(|holder| holder.name == map.name)?;
        Some(format!("the map of {}", holder.wwid))
    }

    /// Does `from`, by the names wanted one after another, come to wait for `target`?
    fn waits_for(&self, from: MapId, target: MapId) -> bool {
        let mut at = from;
        for _ in 0..self.maps.len() {
            let wanted = &self.maps[&at].name;
            let has = |m: &&Map| m.observed.as_ref().is_some_and(|o| o.name == *wanted);
            let holder = self.named(wanted.as_str()).find(has);
            match holder {
                Some(m) if m.id == target => return true,
                Some(m) if m.id != at => at = m.id,
                _ => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::DeviceId;
    use crate::core::CoreInit;

    #[test]
    fn a_line_of_the_bindings_that_is_mangled_gives_the_plain_name() {
        let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: true }), Outbox::new());
        core.take_files("my\\x20disk 3600a\n", "", &mut out);
        let wwid = "3600a".into();
        let device = DeviceId { vendor: b"", product: b"", revision: b"", protocol: "scsi:fcp" };
        let mut settings = core.config.map_settings(&device, &wwid);
        settings.user_friendly_names = true;
        assert_eq!(core.choose_name(&wwid, &settings, &mut out).as_str(), "my disk");
    }
}
