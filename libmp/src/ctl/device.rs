//! The forms in which clients name a path or a map.
//!
//! A path: `sda`, `/dev/sda`, `8:0`. A map: its alias, its WWID, `/dev/mapper/ALIAS`, `dm-3`,
//! `/dev/dm-3`, `254:3`. Other links in `/dev` are resolved by the client, who can read them.

use crate::dm::mangle::unmangled;
use crate::types::{DevT, MapName, PathName, Wwid};

/// A path, as a client named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathRef<'a> {
    name: &'a str,
    devt: Option<DevT>,
}

impl<'a> PathRef<'a> {
    /// Reads any text: what is no device number is a name.
    pub fn new(text: &'a str) -> Self {
        Self { name: text.strip_prefix("/dev/").unwrap_or(text), devt: text.parse().ok() }
    }

    /// Is it this path?
    pub fn matches(&self, name: &PathName, devt: DevT) -> bool {
        self.name == name.as_str() || self.devt == Some(devt)
    }

    /// The kernel name, if it was named so.
    pub fn name(&self) -> Option<&'a str> {
        self.devt.is_none().then_some(self.name)
    }
}

/// A map, as a client named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapRef<'a> {
    name: &'a str,
    device: Option<Device>,
}

/// A map's device, as a client named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Device {
    /// `dm-3`: that it is device-mapper's is said, whatever its major is.
    Kernel { minor: u32 },
    /// `254:3`: any device's, `8:3` is a disk's.
    Number(DevT),
}

impl<'a> MapRef<'a> {
    /// Reads any text: what is neither `dm-N` nor a device number is a name or a WWID.
    pub fn new(text: &'a str) -> Self {
        let name = text.strip_prefix("/dev/mapper/").or_else(|| text.strip_prefix("/dev/")).unwrap_or(text);
        let device = match name.strip_prefix("dm-") {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().map(|minor| Device::Kernel { minor })
            }
            Some(_) => None,
            None => name.parse().ok().map(Device::Number),
        };
        Self { name, device }
    }

    /// How well it fits this map: by name, by WWID, by device; `None` where it doesn't. An alias
    /// goes before another map's WWID, and both before a device's number.
    pub fn fit(&self, name: &MapName, wwid: &Wwid, devt: Option<DevT>) -> Option<Fit> {
        if self.name == name.as_str() || unmangled(self.name) == name.as_str() {
            Some(Fit::Name)
        } else if self.name == wwid.as_str() {
            Some(Fit::Wwid)
        } else {
            let same = match self.device? {
                Device::Kernel { minor } => devt?.minor == minor,
                Device::Number(number) => devt? == number,
            };
            same.then_some(Fit::Device)
        }
    }

    /// The one of `maps` that fits best; `key` says name, WWID and device number of each.
    pub fn find<T>(
        &self,
        maps: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> (&MapName, &Wwid, Option<DevT>),
    ) -> Option<T> {
        let fitting = maps.into_iter().filter_map(|map| {
            let (name, wwid, devt) = key(&map);
            Some((self.fit(name, wwid, devt)?, map))
        });
        fitting.min_by_key(|(fit, _)| *fit).map(|(_, map)| map)
    }

    /// What is left of the text without `/dev/` or `/dev/mapper/`: an alias or a WWID where it is
    /// no device.
    pub const fn name(&self) -> &'a str {
        self.name
    }
}

/// By what a [`MapRef`] fits a map, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Its alias.
    Name,
    /// Its WWID.
    Wwid,
    /// Its device.
    Device,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_by_name_node_and_number() {
        let sda = (PathName::from("sda"), DevT::new(8, 0));
        for (text, yes) in
            [("sda", true), ("/dev/sda", true), ("8:0", true), ("sdb", false), ("8:16", false), ("", false)]
        {
            assert_eq!(PathRef::new(text).matches(&sda.0, sda.1), yes, "{text}");
        }
        assert_eq!(PathRef::new("/dev/sda").name(), Some("sda"));
        assert_eq!(PathRef::new("8:0").name(), None);
    }

    #[test]
    fn maps_by_alias_wwid_and_device() {
        let maps = [
            (MapName::from("data"), Wwid::from("36001"), Some(DevT::new(254, 1))),
            (MapName::from("36001"), Wwid::from("36002"), Some(DevT::new(254, 2))),
            (MapName::from("dm-1"), Wwid::from("36003"), None),
            (MapName::from("my disk"), Wwid::from("36004"), None),
        ];
        let find = |text| MapRef::new(text).find(&maps, |m| (&m.0, &m.1, m.2)).map(|m| m.1.as_str());
        for (text, wwid) in [
            ("data", Some("36001")),
            ("/dev/mapper/data", Some("36001")),
            ("my disk", Some("36004")),
            (r"/dev/mapper/my\x20disk", Some("36004")),
            ("254:1", Some("36001")),
            // a disk's number, and that of a map that is not there
            ("8:1", None),
            ("254:3", None),
            ("dm-2", Some("36002")),
            ("/dev/dm-2", Some("36002")),
            // an alias goes first
            ("36001", Some("36002")),
            ("dm-1", Some("36003")),
            ("36003", Some("36003")),
            ("dm-3", None),
            ("dm-", None),
            ("dm-+2", None),
            ("nosuch", None),
            ("", None),
        ] {
            assert_eq!(find(text), wwid, "{text}");
        }
    }
}
