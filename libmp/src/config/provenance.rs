//! Where a value comes from: the setting that holds, in words, and those that it overrides.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::layers::{Layer, Origin, Setting};
use super::options::{Key, OPTIONS, OptionRow, Section, Status};
use super::resolve::PathId;
use super::{Config, Resolved, Value};

/// What holds for paths and maps though only the section `defaults` sets it.
const OF_ALL: &[Key] = &[
    Key::CheckerTimeout,
    Key::PollingInterval,
    Key::MaxPollingInterval,
    Key::MaxRetries,
    Key::QueueWithoutDaemon,
    Key::MarginalPathgroups,
];

/// The keywords that a device's settings are made of, in the order of the table.
pub fn keys() -> impl Iterator<Item = Key> {
    let of_device = [Section::Device, Section::Overrides, Section::Multipath];
    let names_it = [Key::Vendor, Key::Product, Key::Revision, Key::ProductBlacklist, Key::Wwid, Key::AllDevs];
    let is_setting = move |row: &&OptionRow| {
        let in_force = !matches!(row.status, Status::Ignored(_) | Status::PrioCallout(_));
        let holds =
            of_device.iter().any(|section| row.sections.contains(*section)) || OF_ALL.contains(&row.key);
        // It is told as what it overrides, or is overridden by.
        in_force && holds && !names_it.contains(&row.key) && row.key != Key::GetuidCallout
    };
    OPTIONS.iter().filter(is_setting).map(|row| row.key)
}

/// A value in words, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The keyword that says so, where it is another one (`getuid_callout`).
    pub keyword: &'static str,
    /// As a file would write it, without quotes.
    pub value: String,
    /// `/etc/multipath.conf:12`, `built-in hardware table: NETAPP LUN`, `default`.
    pub from: String,
}

impl Config {
    /// What holds for a keyword, and all that it overrides, strongest first; empty where nothing sets
    /// it. The values come from the same look-up as the settings themselves.
    pub fn trace(&self, key: Key, path: &PathId<'_>) -> Vec<Traced> {
        if matches!(key, Key::PollingInterval | Key::MaxPollingInterval) {
            return self.trace_interval(key);
        }
        let stack = self.stack(Some(&path.device), path.wwid);
        let traced = |setting: &Setting| Traced {
            keyword: setting.key.row().name,
            value: words(setting.key, &setting.value),
            from: self.place(setting, stack.layer_of(setting)),
        };
        let resolved = self.resolve(key, Some(&path.device), path.wwid);
        let implied = resolved.first().filter(|first| matches!(first.origin, Origin::Implied(_)));
        let implied = implied.map(|Resolved { value, origin }| Traced {
            keyword: key.row().name,
            value: words(key, value),
            from: self.origin_text(*origin),
        });
        let chain = stack.chain(key, path.devnode);
        let bare = match (key, stack.prio()) {
            // What other sections set is passed over.
            (Key::PrioArgs, (Some(prio), None)) if !chain.is_empty() => Some(Traced {
                keyword: key.row().name,
                value: String::new(),
                from: format!("none beside prio, {}", self.place(prio, stack.layer_of(prio))),
            }),
            _ => None,
        };
        implied.into_iter().chain(bare).chain(chain.into_iter().map(traced)).collect()
    }

    /// One of the two intervals: one that is missing follows from the other.
    fn trace_interval(&self, key: Key) -> Vec<Traced> {
        let (shortest, longest) = self.polling_intervals();
        let (seconds, other) = match key {
            Key::PollingInterval => (shortest, Key::MaxPollingInterval),
            _ => (longest, Key::PollingInterval),
        };
        let from = match (self.defaults.get(key), self.defaults.get(other)) {
            (Some(setting), _) if setting.value == Value::Number(seconds.into()) => self.place(setting, None),
            (None, None) => "default".into(),
            (_, _) => format!("follows from {}", other.row().name),
        };
        [Traced { keyword: key.row().name, value: seconds.to_string(), from }].into()
    }

    fn place(&self, setting: &Setting, layer: Option<&Layer>) -> String {
        let text = |key| layer.and_then(|layer| layer.value(key)).map_or("", Value::as_str);
        match Origin::from(setting.span) {
            Origin::BuiltIn => {
                format!("built-in hardware table: {} {}", text(Key::Vendor), text(Key::Product))
            }
            origin => self.origin_text(origin),
        }
    }
}

/// A value without quotes.
fn words(key: Key, value: &Value) -> String {
    if let Value::Word(_) | Value::Text(_) = value {
        return value.as_str().into();
    }
    let mut text = String::new();
    key.row().kind_in(Section::Defaults).write(value, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;
    use crate::config::settings::{DeviceId, UidSource};
    use crate::types::Wwid;

    const NETAPP: DeviceId<'static> =
        DeviceId { vendor: b"NETAPP", product: b"LUN C-Mode", revision: b"9111", protocol: "scsi:iscsi" };
    const ACME: DeviceId<'static> =
        DeviceId { vendor: b"ACME", product: b"DISK", revision: b"1", protocol: "scsi:iscsi" };
    #[test]
    fn every_setting_of_a_device_can_be_explained() {
        let keys: Vec<Key> = keys().collect();
        for key in
            [Key::GhostDelay, Key::Alias, Key::HardwareHandler, Key::Mode, Key::DevLossTmo, Key::AllTgPt]
        {
            assert!(keys.contains(&key), "{}", key.row().name);
        }
        for key in [Key::RrMinIo, Key::Vendor, Key::Verbosity, Key::UdevDir, Key::Devnode, Key::Type] {
            assert!(!keys.contains(&key), "{}", key.row().name);
        }
    }

    const FILE: &str = "\
defaults {
	path_checker directio
	no_path_retry fail
	max_polling_interval 8
	prio_args exclusive_pref_bit
	getuid_callout \"/lib/udev/scsi_id -g\"
}
devices {
	device {
		vendor ACME
		product .*
		prio alua
		no_path_retry 12
		features \"1 queue_if_no_path\"
	}
}
overrides {
	failback 10
}
multipaths {
	multipath {
		wwid w
		alias data
		failback manual
	}
}
";

    fn traced(device: DeviceId<'_>, key: Key) -> Vec<String> {
        let (config, _) = Config::load(&[Source { name: "f", text: FILE }]);
        let wwid = Wwid::from("w");
        let who = PathId { device, devnode: Some("sda"), wwid: Some(&wwid) };
        let line = |t: Traced| format!("{} {} ({})", t.keyword, t.value, t.from);
        config.trace(key, &who).into_iter().map(line).collect()
    }

    #[test]
    fn each_value_knows_its_place_and_what_it_overrides() {
        for (device, key, expected) in [
            (
                ACME,
                Key::Failback,
                &["failback manual (f:24)", "failback 10 (f:18)", "failback manual (default)"][..],
            ),
            (ACME, Key::NoPathRetry, &["no_path_retry 12 (f:13)", "no_path_retry fail (f:3)"]),
            (ACME, Key::PathChecker, &["path_checker directio (f:2)", "path_checker tur (default)"]),
            (
                NETAPP,
                Key::NoPathRetry,
                &["no_path_retry queue (built-in hardware table: NETAPP LUN)", "no_path_retry fail (f:3)"],
            ),
            (ACME, Key::Alias, &["alias data (f:23)"]),
            (ACME, Key::CheckerTimeout, &[]),
            (ACME, Key::PollingInterval, &["polling_interval 2 (follows from max_polling_interval)"]),
            (ACME, Key::MaxPollingInterval, &["max_polling_interval 8 (f:4)"]),
            // The arguments of a prioritizer stand where it is named: others are passed over.
            (
                ACME,
                Key::PrioArgs,
                &["prio_args  (none beside prio, f:12)", "prio_args exclusive_pref_bit (f:5)"],
            ),
            (
                ACME,
                Key::UidAttribute,
                &["getuid_callout /lib/udev/scsi_id -g (f:6)", "uid_attribute ID_SERIAL (default)"],
            ),
        ] {
            assert_eq!(traced(device, key), expected, "{key:?}");
        }
    }

    #[test]
    fn what_is_traced_is_what_holds() {
        let (config, _) = Config::load(&[Source { name: "f", text: FILE }]);
        let wwid = Wwid::from("w");
        for device in [ACME, NETAPP] {
            let who = PathId { device, devnode: Some("sda"), wwid: Some(&wwid) };
            let first = |key| config.trace(key, &who).first().map_or(String::new(), |t| t.value.clone());
            let (path, map) = (config.path_settings_for(&who), config.map_settings(&device, &wwid));
            assert_eq!(first(Key::PathChecker), path.checker.as_str());
            assert_eq!(first(Key::PrioArgs), path.prio_args);
            assert_eq!(first(Key::PathGroupingPolicy), map.grouping.as_str());
            assert_eq!(first(Key::PathSelector), map.selector);
            assert_eq!(first(Key::HardwareHandler), map.hardware_handler);
            assert_eq!(path.uid, UidSource::ScsiId);
        }
    }
}
