//! What a probe and the configuration make of a disk, and whether its WWID is to be multipathed: no state, so
//! that udev's rules get from a command the answer that the daemon gives.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::Config;
use crate::config::considered::{Considered, verdict};
use crate::config::resolve::PathId;
use crate::config::settings::{BlacklistSubject, BlacklistVerdict, FindMultipaths, PathSettings, UidSource};
use crate::core::map::Map;
use crate::core::path::{self, Exclusion};
use crate::identify::{self, Facts, NoWwid, RawProbe};
use crate::types::{PathName, Wwid};

/// What there is to say of a disk that was probed.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Who it is.
    pub facts: Facts,
    /// What is configured for it.
    pub settings: PathSettings,
    /// Its WWID, or why it has none.
    pub wwid: Result<Wwid, NoWwid>,
    /// The rules that were asked.
    pub considered: Vec<Considered>,
    /// Why it is left alone, whatever its WWID.
    pub refused: Option<Exclusion>,
}

/// Judges a disk by one probe.
pub fn judge(config: &Config, name: &PathName, raw: &RawProbe) -> Judged {
    judge_by(config, name, raw, identify::wwid)
}

/// Judges a disk that udev has been waited for long enough.
pub(super) fn judge_without_udev(config: &Config, name: &PathName, raw: &RawProbe) -> Judged {
    judge_by(config, name, raw, identify::wwid_without_udev)
}

fn judge_by(
    config: &Config,
    name: &PathName,
    raw: &RawProbe,
    identify_by: fn(&RawProbe, &UidSource) -> Result<Wwid, NoWwid>,
) -> Judged {
    let facts = identify::identify(name, raw);
    let mut who = PathId { device: path::device_id(&facts), devnode: Some(name.as_str()), wwid: None };
    let mut settings = config.path_settings_for(&who);
    let wwid = identify_by(raw, &settings.uid);
    if let Ok(wwid) = &wwid {
        who.wwid = Some(wwid);
        settings = config.path_settings_for(&who);
    }
    let mut judged = Judged { facts, settings, wwid, considered: Vec::new(), refused: None };
    // Those that udev has found so far, too: who the disk is may be among them.
    let properties = Some(&raw.properties).filter(|properties| !properties.is_empty());
    judged.ask_rules(config, raw, properties);
    judged
}

impl Judged {
    /// Asks what excludes disks, first the rules.
    fn ask_rules(&mut self, config: &Config, raw: &RawProbe, properties: Option<&BTreeMap<String, String>>) {
        let uid_attribute = match &self.settings.uid {
            UidSource::Udev(attribute) => attribute.as_str(),
            UidSource::ScsiId => "",
        };
        self.considered.extend(config.consider(&BlacklistSubject {
            devnode: self.facts.name.as_str(),
            properties,
            device: Some(path::device_id(&self.facts)),
            wwid: self.wwid.as_ref().ok(),
            uid_attribute,
        }));
        self.refused = match verdict(&self.considered) {
            BlacklistVerdict::Excluded(reason) => Some(Exclusion::Blacklisted(reason)),
            // Whatever the configuration was told of the kernel: its module may have come later.
            BlacklistVerdict::Allowed if identify::is_native_head(raw) => Some(Exclusion::Native),
            // A path on standby need not tell its size (SPC-4 5.15.2.4). One that tells whose it is, is a path all the same.
            BlacklistVerdict::Allowed if raw.sectors == 0 && self.wwid.is_err() => Some(Exclusion::NoSize),
            BlacklistVerdict::Allowed if leaves_usb(config, &self.facts) => Some(Exclusion::Usb),
            BlacklistVerdict::Allowed => None,
        };
    }

    /// The rules on udev's properties exclude it, which does not count now: the others decide, which were not asked then.
    pub(super) fn ask_but_properties(&mut self, config: &Config, raw: &RawProbe) {
        self.ask_rules(config, raw, None);
    }
}

/// Does the configuration exclude the disk that was the last one of this map? Its properties are not asked: one may be missing from one
/// message of udev's.
pub(super) fn excludes_last(config: &Config, map: &Map) -> bool {
    let Some(facts) = &map.last_member else { return true };
    let considered = config.consider(&BlacklistSubject {
        devnode: facts.name.as_str(),
        properties: None,
        device: Some(path::device_id(facts)),
        wwid: Some(&map.wwid),
        uid_attribute: "",
    });
    leaves_usb(config, facts) || matches!(verdict(&considered), BlacklistVerdict::Excluded(_))
}

fn leaves_usb(config: &Config, facts: &Facts) -> bool {
    facts.protocol == "scsi:usb" && !config.globals().allow_usb_devices
}

/// Is a WWID to be multipathed, and why? `P` names another path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<P> {
    /// Every disk is.
    Every,
    /// It is in the wwids file.
    Known,
    /// There is a map of it.
    HasMap,
    /// This other path shows it too.
    Second(P),
    /// No: only known ones are.
    NotKnown,
    /// No: it is not known, and has no second path.
    Alone,
}

/// `find_multipaths`. What costs more is asked later, and only if it matters.
pub fn wanted<P>(
    find: FindMultipaths,
    known: impl FnOnce() -> bool,
    has_map: impl FnOnce() -> bool,
    second: impl FnOnce() -> Option<P>,
) -> Wanted<P> {
    match find {
        FindMultipaths::Greedy | FindMultipaths::Off => Wanted::Every,
        _ if known() => Wanted::Known,
        _ if has_map() => Wanted::HasMap,
        FindMultipaths::Strict => Wanted::NotKnown,
        FindMultipaths::On | FindMultipaths::Smart => second().map_or(Wanted::Alone, Wanted::Second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    #[test]
    fn a_property_counts_while_udev_is_at_work() {
        let text = "defaults {\nfind_multipaths greedy\n}\nblacklist {\nproperty \"^ID_ATA$\"\n}\n";
        let (config, _) = Config::load(&[Source { name: "f", text }]);
        let refused = |names: &[&str]| {
            let raw = RawProbe {
                sectors: 2048,
                udev_initialized: false,
                properties: names.iter().map(|name| ((*name).into(), "1".into())).collect(),
                ..RawProbe::default()
            };
            judge(&config, &"sda".into(), &raw).refused
        };
        assert!(matches!(refused(&["ID_SERIAL", "ID_ATA"]), Some(Exclusion::Blacklisted(_))));
        // What is missing may be still to come, as long as the one with the WWID is.
        assert_eq!(refused(&["DEVNAME"]), None);
        assert_eq!(refused(&[]), None);
    }

    #[test]
    fn a_head_of_the_kernels_own_multipathing_is_no_path() {
        let text = "defaults {\nfind_multipaths greedy\n}\nblacklist_exceptions {\ndevnode \"^nvme\"\n}\n";
        let (config, _) = Config::load(&[Source { name: "f", text }]);
        let refused = |syspath: &str| {
            let raw = RawProbe {
                syspath: syspath.into(),
                sectors: 2048,
                udev_initialized: true,
                wwid_attr: Some("uuid.9a1c".into()),
                ..RawProbe::default()
            };
            judge(&config, &"nvme0n1".into(), &raw).refused
        };
        let head = "/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1";
        assert_eq!(refused(head), Some(Exclusion::Native));
        assert_eq!(refused("/devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1"), None);
    }
}
