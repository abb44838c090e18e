//! Keywords of older versions, back to 0.4.9, and what they mean today.

use super::kind::{Value, callout_program};
use super::layers::Setting;
use super::options::{Key, OptionRow, Section};
use super::parser::Block;

/// The row of a keyword: by its name, an alias, or an old `default_…` spelling of either.
pub(super) fn find(word: &str) -> Option<&'static OptionRow> {
    Key::find(word).or_else(|| Key::find(word.strip_prefix("default_")?))
}

/// `all_devs yes` made a `device` one for all devices, stronger than their own entries: what `overrides` is.
pub(super) fn all_devs(block: &mut Block) {
    let is_for_all = |setting: &Setting| setting.key == Key::AllDevs && setting.value == Value::Word("yes");
    if block.settings.iter().any(is_for_all) {
        block.section = Section::Overrides;
        block.settings.retain(|setting| setting.key.row().sections.contains(Section::Overrides));
    } else {
        block.settings.retain(|setting| setting.key != Key::AllDevs);
    }
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
    use crate::config::{Config, Source};

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

    #[test]
    fn an_entry_for_all_devices_overrides() {
        let text =
            "devices {\n device {\n all_devs yes\n no_path_retry fail\n hardware_handler \"0\"\n }\n}\n";
        let (config, found) = Config::load(&[Source { name: "f", text }]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].code, found[0].line), ("deprecated", 3));
        assert!(config.dump().ends_with("overrides {\n\tno_path_retry \"fail\"\n}\n"));
        let text = "devices {\n device {\n vendor ZZ\n product P\n all_devs no\n }\n}\n";
        let dump = Config::load(&[Source { name: "f", text }]).0.dump();
        assert!(dump.contains("\t\tvendor \"ZZ\"\n\t\tproduct \"P\"\n\t}\n"));
    }
}
