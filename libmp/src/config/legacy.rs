//! Keywords of older versions, back to 0.4.9, and what they mean today.

use super::kind::{Value, callout_program};
use super::layers::{Layer, Setting};
use super::options::{Key, OptionRow};
use super::parser::Block;

/// The row of a keyword: by its name, an alias, or an old `default_…` spelling of either.
pub(super) fn find(word: &str) -> Option<&'static OptionRow> {
    Key::find(word).or_else(|| Key::find(word.strip_prefix("default_")?))
}

/// `all_devs yes` made a `device` one for all that are built in, stronger than what those say: devices that nobody built in
/// keep to `defaults`, and entries of files are stronger. What else the block says is what it would set in them.
pub(super) fn of_all_devs(block: &Block) -> Option<Layer> {
    let is_for_all = |setting: &Setting| setting.key == Key::AllDevs && setting.value == Value::Word("yes");
    let names_it = |key| {
        matches!(key, Key::AllDevs | Key::Vendor | Key::Product | Key::Revision | Key::ProductBlacklist)
    };
    block
        .settings
        .iter()
        .any(is_for_all)
        .then(|| Layer::of(block.settings.iter().filter(|setting| !names_it(setting.key)).cloned().collect()))
}

/// The file that is read where a setting names another one: what stands there was in force with earlier releases.
pub(super) fn kept_elsewhere(setting: &Setting) -> Option<&'static str> {
    let here = match setting.key {
        Key::BindingsFile => "/etc/multipath/bindings",
        Key::WwidsFile => "/etc/multipath/wwids",
        _ => return None,
    };
    (setting.value.as_str() != here).then_some(here)
}

/// Programs that printed priorities, and the prioritizers that took their place.
const PRIO_PROGRAMS: &[(&str, &str)] = &[
    ("true", "const"),
    ("none", "const"),
    ("mpath_prio_const", "const"),
    ("mpath_prio_alua", "alua"),
    ("pp_alua", "alua"),
    ("mpath_prio_emc", "emc"),
    ("pp_emc", "emc"),
    ("mpath_prio_rdac", "rdac"),
    ("pp_rdac", "rdac"),
    ("mpath_prio_tpc", "rdac"),
    ("pp_tpc", "rdac"),
    ("mpath_prio_hp_sw", "hp_sw"),
    ("mpath_prio_hds_modular", "hds"),
    ("mpath_prio_hds", "hds"),
    ("mpath_prio_netapp", "ontap"),
    ("mpath_prio_ontap", "ontap"),
    ("pp_netapp", "ontap"),
    ("mpath_prio_random", "random"),
    ("pp_random", "random"),
    ("mpath_prio_weighted", "weightedpath"),
    ("mpath_prio_weightedpath", "weightedpath"),
    ("mpath_prio_datacore", "datacore"),
    ("mpath_prio_iet", "iet"),
    ("mpath_prio_sysfs", "sysfs"),
];

/// The prioritizer in the place of a `prio_callout`.
pub(super) fn prio_of_callout(command: &str) -> Option<&'static str> {
    let program = callout_program(command)?;
    PRIO_PROGRAMS.iter().find(|(name, _)| *name == program).map(|(_, prio)| *prio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::kind::RootOnly;
    use crate::config::settings::{DeviceId, NoPathRetry};
    use crate::config::{Config, Environment, Source};

    #[test]
    fn old_names_are_found() {
        for (old, key) in [
            ("selector", Key::PathSelector),
            ("default_selector", Key::PathSelector),
            ("default_path_grouping_policy", Key::PathGroupingPolicy),
            ("default_prio_callout", Key::PrioCallout),
            ("default_getuid_callout", Key::GetuidCallout),
            ("checker", Key::PathChecker),
            ("detect_path_checker", Key::DetectChecker),
        ] {
            assert_eq!(find(old).unwrap().key, key, "{old}");
        }
        assert!(find("default_default_prio").is_none());
    }

    #[test]
    fn every_program_means_a_prioritizer() {
        for (program, prio) in PRIO_PROGRAMS {
            let reading = Key::Prio.row().kind.read(prio, &RootOnly);
            assert_eq!(reading.value, Some(Value::Word(prio)), "{program}");
        }
        assert_eq!(prio_of_callout("/sbin/mpath_prio_alua /dev/%n"), Some("alua"));
        assert_eq!(prio_of_callout("/usr/local/bin/own"), None);
    }

    const ALL: &str =
        "devices {\n device {\n all_devs yes\n no_path_retry fail\n hardware_handler \"1 alua\"\n }\n}\n";

    fn retry(config: &Config, vendor: &str, product: &str) -> NoPathRetry {
        let (vendor, product) = (vendor.as_bytes(), product.as_bytes());
        let device = DeviceId { vendor, product, revision: b"", protocol: "scsi:fcp" };
        config.map_settings(&device, &"w".into()).no_path_retry
    }

    #[test]
    fn an_entry_for_all_devices_is_for_those_that_are_built_in() {
        let (config, found) = Config::load(&[Source { name: "f", text: ALL }]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].code, found[0].line), ("deprecated", 3));
        assert!(config.dump().ends_with("overrides {\n}\n"));
        let mut built_in = config.devices.iter();
        assert!(built_in.all(|device| device.layer.value(Key::NoPathRetry) == Some(&Value::Word("fail"))));
        assert_eq!(Config::load(&[Source { name: "f", text: &config.dump() }]).0.dump(), config.dump());
        let text = "devices {\n device {\n vendor ZZ\n product P\n all_devs no\n }\n}\n";
        let dump = Config::load(&[Source { name: "f", text }]).0.dump();
        assert!(dump.contains("\t\tvendor \"ZZ\"\n\t\tproduct \"P\"\n\t}\n"));
    }

    #[test]
    fn entries_of_files_and_defaults_are_not_overridden_by_one_for_all_devices() {
        let own = "devices {\n device {\n vendor HITACHI\n product OPEN-V\n no_path_retry 60\n }\n device {\n \
                   vendor NETAPP\n product LUN\n prio const\n }\n}\ndefaults {\n no_path_retry 7\n}\n";
        let sources = [Source { name: "own", text: own }, Source { name: "all", text: ALL }];
        let whole = Config::load(&sources).0;
        for (vendor, product, expected) in [
            ("NETAPP", "LUN C-Mode", NoPathRetry::Fail),
            ("DGC", "VRAID", NoPathRetry::Fail),
            ("HITACHI", "OPEN-V", NoPathRetry::Checks(60)),
            ("HITACHI", "OPEN-E", NoPathRetry::Fail),
            ("ACME", "DISK", NoPathRetry::Checks(7)),
        ] {
            let device = DeviceId {
                vendor: vendor.as_bytes(),
                product: product.as_bytes(),
                revision: b"",
                protocol: "scsi:fcp",
            };
            let part = Config::load_for(&sources, &Environment::default(), &device);
            for config in [&whole, &part] {
                assert_eq!(retry(config, vendor, product), expected, "{vendor} {product}");
            }
        }
    }
}
