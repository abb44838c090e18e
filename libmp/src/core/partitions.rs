//! Maps of partitions, which kpartx makes, are called after their map: what has another name is renamed, whenever that is
//! found, as a daemon may die, or fail, between a map and its partitions.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::core::Core;
use crate::core::effect::Outbox;
use crate::core::event::DmFailure;
use crate::core::map::{Backoff, Map, MapId};
use crate::core::maps::LONGEST_PAUSE;
use crate::core::notice::Notice;
use crate::core::timers::Timer;
use crate::dm::op::{DmOp, UUID_PREFIX, partition_of};
use crate::types::{Instant, MapName};

/// Partitions of one map whose names are to change.
#[derive(Debug, Clone, Default)]
pub struct Misnamed {
    /// By UUID, what they are to be called.
    pub names: BTreeMap<String, MapName>,
    /// That went wrong.
    pub backoff: Backoff,
}

/// `part3-mpath-WWID`: its number, and the WWID of its map.
fn parse(uuid: &str) -> Option<(&str, &str)> {
    let (number, map) = partition_of(uuid)?;
    Some((number, map.strip_prefix(UUID_PREFIX)?))
}

/// What stands between the map's name and the number; `None` where it is not called after this map.
fn separator<'a>(name: &'a str, map: &str, number: &str) -> Option<&'a str> {
    let separator = name.strip_prefix(map)?.strip_suffix(number)?;
    let first = separator.bytes().next();
    let plausible =
        matches!(separator, "" | "p" | "part") || first.is_some_and(|b| !b.is_ascii_alphanumeric());
    (plausible && !separator.bytes().any(|b| b.is_ascii_digit())).then_some(separator)
}

/// What kpartx's rules usually put there.
fn usual_separator<'a>(name: &'a str, number: &str) -> Option<&'a str> {
    let name = name.strip_suffix(number)?;
    ["-part", "_part", "-p", "_p", "-", "_"].iter().find_map(|usual| name.ends_with(usual).then_some(*usual))
}

/// As kpartx calls it: what was said stands in between, or else a `p` after a digit. A separator that kpartx was told
/// (`-p`) is kept.
fn called(map: &str, number: &str, was: Option<&str>, delimiter: Option<&str>) -> MapName {
    let told = was.filter(|was| !matches!(*was, "" | "p"));
    let rule = if map.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
    MapName::new(format!("{map}{}{number}", delimiter.or(told).unwrap_or(rule)))
}

impl Core {
    /// Looks at the names of all partitions, with those of their maps as they were at the same time.
    pub(super) fn review_partitions(&mut self, maps: &BTreeMap<&str, &MapName>) {
        let delimiter = self.config.globals().partition_delimiter.as_deref();
        for (name, uuid) in &self.others {
            let Some((number, wwid)) = parse(uuid) else { continue };
            let (Some(map_name), Some(id)) = (maps.get(wwid), self.by_wwid.get(wwid)) else { continue };
            let Some(map) = self.maps.get_mut(id) else { continue };
            let renamed_now = map.inflight.as_ref().is_some_and(|i| matches!(i.op, DmOp::Rename { .. }));
            if map.settings.skip_kpartx || renamed_now {
                continue;
            }
            let is = separator(name.as_str(), map_name.as_str(), number);
            if is.is_some() {
                map.misnamed.names.remove(uuid);
                continue;
            }
            self.dirty.insert(*id);
            let stays = |to: &MapName| separator(to.as_str(), map_name.as_str(), number).is_some();
            if !map.misnamed.names.get(uuid).is_some_and(stays) {
                let was = usual_separator(name.as_str(), number);
                map.misnamed.names.insert(uuid.clone(), called(map_name.as_str(), number, was, delimiter));
            }
        }
    }

    /// A map was renamed by us: those of its partitions that were called after it follow.
    pub(super) fn partitions_follow(&mut self, id: MapId, from: &MapName, to: &MapName) {
        let delimiter = self.config.globals().partition_delimiter.as_deref();
        let Some(map) = self.maps.get_mut(&id) else { return };
        for (name, uuid) in &self.others {
            let Some((number, _)) = parse(uuid).filter(|(_, wwid)| *wwid == map.wwid.as_str()) else {
                continue;
            };
            if separator(name.as_str(), to.as_str(), number).is_some() {
                map.misnamed.names.remove(uuid); // it had not followed the last time, and need not now
                continue;
            }
            let was = match separator(name.as_str(), from.as_str(), number) {
                None if !map.misnamed.names.contains_key(uuid) => continue,
                None => usual_separator(name.as_str(), number),
                was => was,
            };
            map.misnamed.names.insert(uuid.clone(), called(to.as_str(), number, was, delimiter));
        }
    }

    /// What can be done about those of a map now. Where several wait for each other's names, one of them steps aside, to a
    /// name that its WWID makes; where one waits for a name that will be free, that is awaited.
    pub(super) fn partitions_to_rename(&self, now: Instant, map: &Map) -> Vec<(String, MapName)> {
        if map.misnamed.names.is_empty() || map.misnamed.backoff.blocks(now) {
            return Vec::new();
        }
        let free = |(uuid, to): (&String, &MapName)| match self.name_is_awaited(uuid, to) {
            Wait::None => Some((uuid.clone(), to.clone())),
            Wait::ForAnother => None,
            Wait::ForItself => Some((uuid.clone(), self.aside(uuid)?)),
        };
        map.misnamed.names.iter().filter_map(free).collect()
    }

    fn name_is_awaited(&self, uuid: &str, to: &MapName) -> Wait {
        let leaves = |to: &MapName| {
            let holder = self.others.get(to).filter(|holder| *holder != uuid)?;
            let wwid = parse(holder)?.1;
            let next = self.maps.get(self.by_wwid.get(wwid)?)?.misnamed.names.get(holder)?;
            Some((holder, next))
        };
        let Some((mut last, mut next)) = leaves(to) else { return Wait::None };
        for _ in 0..self.others.len() {
            if self.others.get(next).is_some_and(|holder| holder == uuid) {
                // The last by its UUID steps aside, where each of the circle looks at it.
                return if last.as_str() < uuid { Wait::ForItself } else { Wait::ForAnother };
            }
            let Some((holder, then)) = leaves(next) else { break };
            (last, next) = (last.max(holder), then);
        }
        Wait::ForAnother
    }

    fn aside(&self, uuid: &str) -> Option<MapName> {
        let (number, wwid) = parse(uuid)?;
        let name = self.others.iter().find(|(_, other)| *other == uuid)?.0;
        let delimiter = self.config.globals().partition_delimiter.as_deref();
        Some(called(wwid, number, usual_separator(name.as_str(), number), delimiter))
    }

    /// They have their names, or one that lets another have its own.
    pub(super) fn partitions_renamed(&mut self, id: MapId, done: &[(String, MapName)]) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        map.misnamed.names.retain(|uuid, name| !done.iter().any(|(of, is)| of == uuid && is == name));
        map.misnamed.backoff.clear();
        // One that has gone counts as renamed, and has no name.
        let there: Vec<_> =
            done.iter().filter(|(uuid, _)| self.others.values().any(|other| other == uuid)).collect();
        self.others.retain(|_, other| !there.iter().any(|(uuid, _)| uuid == other));
        self.others.extend(there.into_iter().map(|(uuid, name)| (name.clone(), uuid.clone())));
        self.names_freed();
        let waiting = self.maps.values().filter(|map| !map.misnamed.names.is_empty());
        self.dirty.extend(waiting.map(|map| map.id));
    }

    /// One has not. That keeps nothing else from being done to the map; it is tried again later.
    pub(super) fn partitions_not_renamed(
        &mut self,
        now: Instant,
        id: MapId,
        failure: DmFailure,
        out: &mut Outbox,
    ) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        let until = map.misnamed.backoff.failed(now, LONGEST_PAUSE, &failure);
        if map.misnamed.backoff.failures == 1 {
            let (step, error) = (failure.step, failure.errno.to_string());
            out.notify(Notice::MapOpFailed { map: map.kernel_name().clone(), step, error, again: true });
        }
        self.timers.set_by(Timer::Retry(id), until);
        self.dirty.insert(id);
    }
}

/// Who has the name that a partition is to have.
enum Wait {
    /// Nobody, or somebody who does not leave it.
    None,
    /// A partition that is to have another name.
    ForAnother,
    /// Such a one, which in the end waits for this one's name.
    ForItself,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_told_from_other_devices() {
        assert_eq!(parse("part12-mpath-3600"), Some(("12", "3600")));
        for other in ["mpath-3600", "part1-3600", "partx-mpath-3600", "part-mpath-3600", "LVM-mpath-3600"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_partition_is_called_after_its_map_or_not() {
        for (name, map, is) in [
            ("data1", "data", Some("")),
            ("data-part1", "data", Some("-part")),
            ("disk1p1", "disk1", Some("p")),
            ("x1p1", "x", None),
            ("mpatha-part1", "mpath", None),
            ("mpatha-part1", "data", None),
            ("data-part12", "data", None),
        ] {
            assert_eq!(separator(name, map, "1"), is, "{name} of {map}");
        }
    }

    #[test]
    fn a_p_stands_after_a_digit_unless_something_else_is_said() {
        for (map, was, delimiter, wanted) in [
            ("data", Some("p"), None, "data1"),
            ("disk1", Some(""), None, "disk1p1"),
            ("disk1", None, None, "disk1p1"),
            ("data", Some("-part"), None, "data-part1"),
            ("data", Some("-part"), Some(""), "data1"),
            ("disk1", Some("p"), Some("_"), "disk1_1"),
        ] {
            assert_eq!(called(map, "1", was, delimiter).as_str(), wanted);
        }
        assert_eq!(usual_separator("mpatha-part1", "1"), Some("-part"));
        assert_eq!(usual_separator("mpatha1", "1"), None);
    }
}
