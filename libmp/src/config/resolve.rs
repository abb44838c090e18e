//! Which value holds: the strongest layer that sets one, and every other that was asked.
//!
//! Strongest first: `multipaths`, `overrides/protocol`, `overrides`, the matching entries of
//! `devices` (later before earlier, so the user's before the built-in ones), `defaults`, internal.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Config;
use super::devices::{FEATURE_KEYWORDS, has_feature, without_features};
use super::kind::{NO_DELIMITER, Value, callout_program};
use super::layers::{Layer, Origin, Setting};
use super::options::Key;
use super::regex::Pattern;
use super::settings::{
    AutoResize, Checker, DeviceId, Failback, FindMultipaths, FlushOnLastDel, Globals, GroupingPolicy,
    MapSettings, MaxFds, NoPathRetry, PathSettings, Prioritizer, UidSource,
};
use crate::dm::mangle::unmangled;
use crate::types::{MapName, Wwid};

/// Polling interval if no file says one, in seconds.
const POLLING_INTERVAL: u32 = 5;

/// Everything that the settings of a path may depend on.
#[derive(Debug, Clone, Copy)]
pub struct PathId<'a> {
    /// What the device says of itself.
    pub device: DeviceId<'a>,
    /// Kernel name, for `uid_attrs`.
    pub devnode: Option<&'a str>,
    /// WWID once known, for `prio` in `multipaths`.
    pub wwid: Option<&'a Wwid>,
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The value.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// The layers that speak of one device or map, strongest first.
pub(super) struct Stack<'c> {
    layers: Vec<(Rank, &'c Layer)>,
}

/// Which kind of layer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Multipaths,
    Overrides,
    Devices,
    Defaults,
    Internal,
}

impl<'c> Stack<'c> {
    fn all(&self, key: Key) -> impl Iterator<Item = &'c Setting> {
        self.layers.iter().filter_map(move |(_, layer)| layer.get(key))
    }

    /// The layer that a setting stands in.
    pub(super) fn layer_of(&self, setting: &Setting) -> Option<&'c Layer> {
        let holds = |layer: &Layer| layer.get(setting.key).is_some_and(|held| core::ptr::eq(held, setting));
        self.layers.iter().map(|(_, layer)| *layer).find(|layer| holds(layer))
    }

    /// The setting of a keyword that holds, and all that it overrides, strongest first.
    pub(super) fn chain(&self, key: Key, devnode: Option<&str>) -> Vec<&'c Setting> {
        match key {
            Key::PrioArgs => {
                let others = self.all(key).filter(|args| !args.value.is_empty_text());
                first_of_all(self.prio().1, others)
            }
            Key::UidAttribute => {
                let others = self.layers.iter().flat_map(|(_, layer)| {
                    [Key::UidAttribute, Key::GetuidCallout].into_iter().filter_map(|key| layer.get(key))
                });
                first_of_all(self.uid(devnode).1, others)
            }
            _ => self.all(key).collect(),
        }
    }

    fn get(&self, key: Key) -> Option<&'c Value> {
        self.all(key).next().map(|setting| &setting.value)
    }

    /// By a file or the hardware table.
    fn is_set(&self, key: Key) -> bool {
        self.all(key).next().is_some_and(|setting| Origin::from(setting.span) != Origin::Default)
    }

    fn is_yes(&self, key: Key) -> bool {
        self.get(key) == Some(&Value::Word("yes"))
    }

    pub(super) fn text(&self, key: Key) -> &'c str {
        self.get(key).map_or("", Value::as_str)
    }

    fn number(&self, key: Key) -> Option<i64> {
        number_of(self.get(key))
    }

    pub(super) fn seconds(&self, key: Key) -> Option<Duration> {
        self.number(key).and_then(|n| u64::try_from(n).ok()).map(Duration::from_secs)
    }

    pub(super) fn small(&self, key: Key) -> Option<u32> {
        self.number(key).and_then(|n| u32::try_from(n).ok())
    }

    /// What the entries of `devices` say, whatever holds in the end.
    fn of_device(&self, key: Key) -> Option<&'c str> {
        let mut devices = self.layers.iter().filter(|(rank, _)| *rank == Rank::Devices);
        devices.find_map(|(_, layer)| layer.value(key)).map(Value::as_str)
    }

    /// Prioritizer and its arguments. The arguments belong to the layer that names the
    /// prioritizer; here all of `devices` is one layer, and `defaults` with what is below it.
    pub(super) fn prio(&self) -> (Option<&'c Setting>, Option<&'c Setting>) {
        let Some((rank, layer)) = self.layers.iter().find(|(_, layer)| layer.get(Key::Prio).is_some()) else {
            return (None, None);
        };
        let args = match rank {
            Rank::Devices | Rank::Internal => self
                .layers
                .iter()
                .filter(|(other, _)| other == rank || (*other, *rank) == (Rank::Defaults, Rank::Internal))
                .find_map(|(_, layer)| layer.get(Key::PrioArgs)),
            _ => layer.get(Key::PrioArgs),
        };
        (layer.get(Key::Prio), args)
    }

    /// Where the WWID comes from, and which setting says so.
    fn uid(&self, devnode: Option<&str>) -> (UidSource, Option<&'c Setting>) {
        let attrs = self.text(Key::UidAttrs).split_ascii_whitespace();
        let by_name = attrs
            .filter_map(|word| word.rsplit_once(':'))
            .find(|(prefix, _)| devnode.is_some_and(|name| name.starts_with(prefix)));
        if let Some((_, attribute)) = by_name {
            return (UidSource::Udev(attribute.into()), self.all(Key::UidAttrs).next());
        }
        for (_, layer) in &self.layers {
            if let Some(attribute) = layer.get(Key::UidAttribute) {
                return (UidSource::Udev(attribute.value.as_str().into()), Some(attribute));
            }
            let Some(callout) = layer.get(Key::GetuidCallout) else { continue };
            match callout_program(callout.value.as_str()) {
                Some("scsi_id") => return (UidSource::ScsiId, Some(callout)),
                Some("dasdinfo") => return (UidSource::Udev("ID_UID".into()), Some(callout)),
                _ => {}
            }
        }
        (UidSource::Udev("ID_SERIAL".into()), None)
    }

    /// `no_path_retry`, which features of old can say too.
    fn no_path_retry(&self, features: &str) -> NoPathRetry {
        match self.get(Key::NoPathRetry) {
            Some(value) => no_path_retry(value),
            None if has_feature(features, "queue_if_no_path") => NoPathRetry::Queue,
            None => NoPathRetry::Undef,
        }
    }
}

/// The one that holds, and the others.
fn first_of_all<'c>(holds: Option<&'c Setting>, all: impl Iterator<Item = &'c Setting>) -> Vec<&'c Setting> {
    let is_other = |other: &&Setting| holds.is_none_or(|held| !core::ptr::eq(held, *other));
    holds.into_iter().chain(all.filter(is_other)).collect()
}

fn number_of(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    }
}

impl Config {
    pub(super) fn stack(&self, device: Option<&DeviceId<'_>>, wwid: Option<&Wwid>) -> Stack<'_> {
        let mut layers = Vec::new();
        if let Some(at) = wwid.and_then(|wwid| self.by_wwid.get(wwid)) {
            layers.push((Rank::Multipaths, &self.multipaths[*at].layer));
        }
        let protocol =
            device.and_then(|device| self.protocols.iter().find(|(name, _)| *name == device.protocol));
        layers.extend(protocol.map(|(_, layer)| (Rank::Overrides, layer)));
        layers.push((Rank::Overrides, &self.overrides));
        if let Some(device) = device {
            layers.extend(self.devices.matching(device).map(|entry| (Rank::Devices, &entry.layer)));
        }
        layers.push((Rank::Defaults, &self.defaults));
        layers.push((Rank::Internal, &self.internal));
        Stack { layers }
    }

    /// What holds for a keyword, and all that it overrides, strongest first.
    pub fn resolve(&self, key: Key, device: Option<&DeviceId<'_>>, wwid: Option<&Wwid>) -> Vec<Resolved> {
        let stack = self.stack(device, wwid);
        let mut found: Vec<Resolved> = stack
            .all(key)
            .map(|setting| Resolved { value: setting.value.clone(), origin: setting.span.into() })
            .collect();
        let feature = FEATURE_KEYWORDS.iter().find(|(_, keyword, _)| *keyword == key);
        if let Some((feature, _, value)) = feature {
            let is_set = found.first().is_some_and(|first| first.origin != Origin::Default);
            if !is_set && has_feature(stack.text(Key::Features), feature) {
                found.insert(0, Resolved { value: Value::Word(value), origin: Origin::Implied("features") });
            }
        }
        found
    }

    /// Has the hardware table, or the user's, an entry for it?
    pub fn knows(&self, device: &DeviceId<'_>) -> bool {
        self.devices.matching(device).next().is_some()
    }

    /// Daemon-wide settings.
    pub fn globals(&self) -> &Globals {
        &self.globals
    }

    /// Settings of a path of which only the device is known.
    pub fn path_settings(&self, device: &DeviceId<'_>) -> PathSettings {
        self.path_settings_for(&PathId { device: *device, devnode: None, wwid: None })
    }

    /// Settings of a path.
    pub fn path_settings_for(&self, path: &PathId<'_>) -> PathSettings {
        let stack = self.stack(Some(&path.device), path.wwid);
        let (prio, prio_args) = stack.prio();
        PathSettings {
            uid: stack.uid(path.devnode).0,
            checker: checker(stack.text(Key::PathChecker)),
            device_checker: stack.of_device(Key::PathChecker).map(checker),
            detect_checker: stack.is_yes(Key::DetectChecker),
            checker_timeout: stack.seconds(Key::CheckerTimeout),
            prio: prioritizer(prio.map_or("", |setting| setting.value.as_str())),
            prio_args: prio_args.map_or("", |setting| setting.value.as_str()).into(),
            detect_prio: stack.is_yes(Key::DetectPrio),
            recheck_wwid: stack.is_yes(Key::RecheckWwid),
            vpd_vendor: stack.get(Key::VpdVendor).map(|value| value.as_str().into()),
        }
    }

    /// Settings of a map whose paths are such devices.
    pub fn map_settings(&self, device: &DeviceId<'_>, wwid: &Wwid) -> MapSettings {
        let stack = self.stack(Some(device), Some(wwid));
        let features = stack.text(Key::Features);
        MapSettings {
            alias: stack.get(Key::Alias).map(|alias| MapName::new(&*unmangled(alias.as_str()))),
            user_friendly_names: stack.is_yes(Key::UserFriendlyNames),
            alias_prefix: stack.text(Key::AliasPrefix).into(),
            grouping: grouping(stack.text(Key::PathGroupingPolicy)),
            detect_pgpolicy: stack.is_yes(Key::DetectPgpolicy),
            detect_pgpolicy_use_tpg: stack.is_yes(Key::DetectPgpolicyUseTpg),
            selector: stack.text(Key::PathSelector).into(),
            features: without_features(features),
            hardware_handler: stack.text(Key::HardwareHandler).into(),
            hardware_handler_is_set: stack.is_set(Key::HardwareHandler),
            failback: failback(stack.get(Key::Failback)),
            no_path_retry: stack.no_path_retry(features),
            flush_on_last_del: flush(stack.text(Key::FlushOnLastDel)),
            deferred_remove: stack.is_yes(Key::DeferredRemove),
            skip_kpartx: stack.is_yes(Key::SkipKpartx),
            mode: stack.small(Key::Mode),
            uid: stack.small(Key::Uid),
            gid: stack.small(Key::Gid),
            ghost_delay: stack.seconds(Key::GhostDelay),
            max_sectors_kb: stack.number(Key::MaxSectorsKb).and_then(|n| u64::try_from(n).ok()),
            purge_disconnected: stack.is_yes(Key::PurgeDisconnected),
            flaky: self.flaky(&stack),
        }
    }

    /// The two intervals in seconds: one that is missing follows from the other.
    pub(super) fn polling_intervals(&self) -> (u32, u32) {
        let get = |key| number_of(self.defaults.value(key)).and_then(|n| u32::try_from(n).ok());
        match (get(Key::PollingInterval), get(Key::MaxPollingInterval)) {
            (interval, None) => {
                let interval = interval.unwrap_or(POLLING_INTERVAL);
                (interval, interval.saturating_mul(4))
            }
            (None, Some(max)) => ((max / 4).max(1), max),
            (Some(interval), Some(max)) => (interval.min(max), max),
        }
    }

    pub(super) fn resolve_globals(&self) -> Globals {
        let stack = self.stack(None, None);
        let (polling, max_polling) = self.polling_intervals();
        let unsigned = |key| stack.small(key).unwrap_or_default();
        let seconds = |key| stack.seconds(key).unwrap_or_default();
        Globals {
            verbosity: u8::try_from(unsigned(Key::Verbosity)).unwrap_or(u8::MAX),
            polling_interval: Duration::from_secs(polling.into()),
            max_polling_interval: Duration::from_secs(max_polling.into()),
            find_multipaths: find_multipaths(stack.text(Key::FindMultipaths)),
            queue_without_daemon: stack.is_yes(Key::QueueWithoutDaemon),
            uxsock_timeout: Duration::from_millis(unsigned(Key::UxsockTimeout).into()),
            log_checker_err_once: stack.text(Key::LogCheckerErr) == "once",
            allow_usb_devices: stack.is_yes(Key::AllowUsbDevices),
            auto_resize: auto_resize(stack.text(Key::AutoResize)),
            retrigger_tries: unsigned(Key::RetriggerTries),
            retrigger_delay: seconds(Key::RetriggerDelay),
            max_fds: self.defaults.value(Key::MaxFds).and_then(max_fds),
            shows_native_nvme: Pattern::new(stack.text(Key::EnableForeign))
                .is_ok_and(|p| p.is_match(b"nvme")),
            fabric_notifications: stack.text(Key::MarginalPathgroups) == "fpin",
            remove_retries: unsigned(Key::RemoveRetries),
            partition_delimiter: stack
                .get(Key::PartitionDelimiter)
                .map(|value| value.as_str().into())
                .filter(|text: &String| text != NO_DELIMITER),
            reassign_maps: stack.is_yes(Key::ReassignMaps),
        }
    }
}

/// A placeholder until the sources are read.
pub(super) fn globals_of_defaults() -> Globals {
    Globals {
        verbosity: 0,
        polling_interval: Duration::ZERO,
        max_polling_interval: Duration::ZERO,
        find_multipaths: FindMultipaths::Strict,
        queue_without_daemon: false,
        uxsock_timeout: Duration::ZERO,
        log_checker_err_once: false,
        allow_usb_devices: false,
        auto_resize: AutoResize::Never,
        retrigger_tries: 0,
        retrigger_delay: Duration::ZERO,
        max_fds: None,
        shows_native_nvme: false,
        fabric_notifications: false,
        remove_retries: 0,
        partition_delimiter: None,
        reassign_maps: false,
    }
}

/// The checker of a word.
fn checker(word: &str) -> Checker {
    Checker::ALL.into_iter().find(|checker| checker.as_str() == word).unwrap_or(Checker::Tur)
}

/// The prioritizer of a word.
pub(super) fn prioritizer(word: &str) -> Prioritizer {
    Prioritizer::ALL.into_iter().find(|prio| prio.as_str() == word).unwrap_or(Prioritizer::Const)
}

fn grouping(word: &str) -> GroupingPolicy {
    match word {
        "multibus" => GroupingPolicy::Multibus,
        "group_by_serial" => GroupingPolicy::BySerial,
        "group_by_prio" => GroupingPolicy::ByPrio,
        "group_by_node_name" => GroupingPolicy::ByNodeName,
        "group_by_tpg" => GroupingPolicy::ByTpg,
        _ => GroupingPolicy::Failover,
    }
}

fn failback(value: Option<&Value>) -> Failback {
    match value {
        Some(Value::Word("immediate")) => Failback::Immediate,
        Some(Value::Word("followover")) => Failback::Followover,
        Some(Value::Number(seconds)) => Failback::Deferred(Duration::from_secs(seconds.unsigned_abs())),
        _ => Failback::Manual,
    }
}

fn no_path_retry(value: &Value) -> NoPathRetry {
    match value {
        Value::Word("queue") => NoPathRetry::Queue,
        Value::Number(checks) => NoPathRetry::Checks(u32::try_from(*checks).unwrap_or(u32::MAX)),
        _ => NoPathRetry::Fail,
    }
}

fn auto_resize(word: &str) -> AutoResize {
    match word {
        "grow_only" => AutoResize::GrowOnly,
        "grow_shrink" => AutoResize::GrowShrink,
        _ => AutoResize::Never,
    }
}

/// 0 is as good as nothing.
fn max_fds(value: &Value) -> Option<MaxFds> {
    match value {
        Value::Number(number) => u64::try_from(*number).ok().filter(|n| *n > 0).map(MaxFds::Number),
        _ => Some(MaxFds::OfSystem),
    }
}

fn flush(word: &str) -> FlushOnLastDel {
    match word {
        "never" => FlushOnLastDel::Never,
        "always" => FlushOnLastDel::Always,
        _ => FlushOnLastDel::Unused,
    }
}

fn find_multipaths(word: &str) -> FindMultipaths {
    match word {
        "off" => FindMultipaths::Off,
        "on" => FindMultipaths::On,
        "smart" => FindMultipaths::Smart,
        "greedy" => FindMultipaths::Greedy,
        _ => FindMultipaths::Strict,
    }
}
