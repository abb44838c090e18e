//! The configuration as text that reads back as the same configuration.

use alloc::string::String;
use alloc::vec::Vec;

use super::blacklist::{DeviceRule, Rule, Rules};
use super::devices::Device;
use super::kind::{Value, quote};
use super::layers::Layer;
use super::options::{Key, OPTIONS, OptionRow, Section};
use super::{Config, Multipath};
use crate::types::{MapName, Wwid};

/// Keywords that come first in a section, in this order; the others follow as in the table.
const DEVICE_ORDER: &[Key] = &[
    Key::Vendor,
    Key::Product,
    Key::Revision,
    Key::ProductBlacklist,
    Key::PathGroupingPolicy,
    Key::UidAttribute,
    Key::GetuidCallout,
    Key::PathSelector,
    Key::PathChecker,
    Key::AliasPrefix,
    Key::Features,
    Key::HardwareHandler,
    Key::Prio,
    Key::PrioArgs,
    Key::Failback,
    Key::NoPathRetry,
    Key::FlushOnLastDel,
    Key::FastIoFailTmo,
    Key::DevLossTmo,
    Key::EhDeadline,
    Key::UserFriendlyNames,
    Key::RetainAttachedHwHandler,
];
/// The same for `multipath`.
const MULTIPATH_ORDER: &[Key] = &[
    Key::Wwid,
    Key::Alias,
    Key::PathGroupingPolicy,
    Key::PathSelector,
    Key::Prio,
    Key::PrioArgs,
    Key::Failback,
    Key::NoPathRetry,
    Key::FlushOnLastDel,
    Key::Features,
];

impl Config {
    /// All of it, the built-in hardware table included.
    pub fn dump(&self) -> String {
        let mut out = self.head();
        out.push_str("devices {\n");
        self.devices.iter().for_each(|device| write_device(device, &mut out));
        out.push_str("}\n");
        self.write_overrides(&mut out);
        if !self.multipaths.is_empty() {
            out.push_str("multipaths {\n");
            self.sorted_multipaths().for_each(|entry| write_multipath(entry, None, &mut out));
            out.push_str("}\n");
        }
        out
    }

    /// Only what concerns these devices (vendor and product) and maps.
    pub fn dump_local(&self, devices: &[(String, String)], maps: &[(Wwid, MapName)]) -> String {
        let mut out = self.head();
        out.push_str("devices {\n");
        let devices: Vec<(&str, &str)> = devices.iter().map(|(v, p)| (v.as_str(), p.as_str())).collect();
        self.devices.used_by(&devices).for_each(|device| write_device(device, &mut out));
        out.push_str("}\n");
        self.write_overrides(&mut out);
        if self.multipaths.is_empty() && maps.is_empty() {
            return out;
        }
        out.push_str("multipaths {\n");
        for entry in self.sorted_multipaths() {
            if let Some((_, name)) = maps.iter().find(|(wwid, _)| *wwid == entry.wwid) {
                write_multipath(entry, Some(name), &mut out);
            }
        }
        for (wwid, name) in maps.iter().filter(|(wwid, _)| !self.has_multipath_entry(wwid)) {
            out.push_str("\tmultipath {\n\t\twwid ");
            quote(wwid.as_str(), &mut out);
            out.push('\n');
            write_name(wwid, name, &mut out);
            out.push_str("\t}\n");
        }
        out.push_str("}\n");
        out
    }

    /// The blacklists as a report: each rule, and whether it is built in.
    pub fn dump_blacklist(&self) -> String {
        let mut out = String::new();
        let (black, white) = (&self.blacklist, &self.exceptions);
        for (title, black, white) in [
            ("device node", &black.devnode, &white.devnode),
            ("udev property", &black.property, &white.property),
            ("protocol", &black.protocol, &white.protocol),
            ("wwid", &black.wwid, &white.wwid),
        ] {
            let lines = |rules: &[Rule]| -> Vec<(bool, String)> {
                rules.iter().map(|rule| (rule.span.source == 0, rule.pattern.as_str().into())).collect()
            };
            report(title, &lines(black), &lines(white), &mut out);
        }
        let lines = |rules: &[DeviceRule]| -> Vec<(bool, String)> {
            rules.iter().map(|rule| (rule.derived || rule.span.source == 0, rule.text())).collect()
        };
        report("device", &lines(&black.device), &lines(&white.device), &mut out);
        out
    }

    /// `defaults` and the blacklists.
    fn head(&self) -> String {
        let mut out = String::from("defaults {\n");
        let (polling, max_polling) = self.polling_intervals();
        for row in OPTIONS {
            let value = match row.key {
                Key::PollingInterval => Some(Value::Number(polling.into())),
                Key::MaxPollingInterval => Some(Value::Number(max_polling.into())),
                // The default would win over the callout where the text is read back.
                Key::UidAttribute if self.defaults.get(Key::GetuidCallout).is_some() => {
                    self.defaults.value(row.key).cloned()
                }
                // An empty list is as good as none.
                Key::UidAttrs => self.defaults.value(row.key).filter(|value| !value.is_empty_text()).cloned(),
                // Belongs to sections that `defaults` is not: its default is not written.
                _ if !row.sections.contains(Section::Defaults) => None,
                key => self.defaults.value(key).or_else(|| self.internal.value(key)).cloned(),
            };
            if let Some(value) = value {
                write_setting("\t", row, Section::Defaults, &value, &mut out);
            }
        }
        out.push_str("}\n");
        write_rules(Section::Blacklist, &self.blacklist, &mut out);
        write_rules(Section::Exceptions, &self.exceptions, &mut out);
        out
    }

    fn write_overrides(&self, out: &mut String) {
        out.push_str("overrides {\n");
        write_layer("\t", Section::Overrides, DEVICE_ORDER, &self.overrides, out);
        for (_, layer) in &self.protocols {
            out.push_str("\tprotocol {\n");
            write_layer("\t\t", Section::Protocol, &[Key::Type], layer, out);
            out.push_str("\t}\n");
        }
        out.push_str("}\n");
    }

    fn sorted_multipaths(&self) -> impl Iterator<Item = &Multipath> {
        self.by_wwid.values().map(|at| &self.multipaths[*at])
    }
}

fn write_setting(indent: &str, row: &OptionRow, section: Section, value: &Value, out: &mut String) {
    out.push_str(indent);
    out.push_str(row.name);
    out.push(' ');
    row.kind_in(section).write(value, out);
    out.push('\n');
}

fn write_layer(indent: &str, section: Section, first: &[Key], layer: &Layer, out: &mut String) {
    let ordered = first.iter().filter_map(|key| layer.get(*key));
    let others = layer.iter().filter(|setting| !first.contains(&setting.key));
    for setting in ordered.chain(others) {
        write_setting(indent, setting.key.row(), section, &setting.value, out);
    }
}

fn write_device(device: &Device, out: &mut String) {
    out.push_str("\tdevice {\n");
    write_layer("\t\t", Section::Device, DEVICE_ORDER, &device.layer, out);
    out.push_str("\t}\n");
}

fn write_multipath(entry: &Multipath, name: Option<&MapName>, out: &mut String) {
    out.push_str("\tmultipath {\n");
    write_layer("\t\t", Section::Multipath, MULTIPATH_ORDER, &entry.layer, out);
    if let Some(name) = name {
        write_name(&entry.wwid, name, out);
    }
    out.push_str("\t}\n");
}

/// The map's present name, as a comment.
fn write_name(wwid: &Wwid, name: &MapName, out: &mut String) {
    if name.as_str() != wwid.as_str() && !name.as_str().contains('\n') {
        out.push_str("\t\t# alias ");
        quote(name.as_str(), out);
        out.push('\n');
    }
}

fn write_rules(section: Section, rules: &Rules, out: &mut String) {
    out.push_str(section.word());
    out.push_str(" {\n");
    for (keyword, rules) in [
        ("devnode", &rules.devnode),
        ("wwid", &rules.wwid),
        ("property", &rules.property),
        ("protocol", &rules.protocol),
    ] {
        for rule in rules {
            write_pattern("\t", keyword, rule.pattern.as_str(), out);
        }
    }
    for rule in &rules.device {
        out.push_str("\tdevice {\n");
        for (keyword, pattern) in [("vendor", &rule.vendor), ("product", &rule.product)] {
            if let Some(pattern) = pattern {
                write_pattern("\t\t", keyword, pattern.as_str(), out);
            }
        }
        out.push_str("\t}\n");
    }
    out.push_str("}\n");
}

fn write_pattern(indent: &str, keyword: &str, pattern: &str, out: &mut String) {
    out.push_str(indent);
    out.push_str(keyword);
    out.push(' ');
    quote(pattern, out);
    out.push('\n');
}

fn report(title: &str, black: &[(bool, String)], white: &[(bool, String)], out: &mut String) {
    out.push_str(title);
    out.push_str(" rules:\n");
    for (title, rules) in [("- blacklist:\n", black), ("- exceptions:\n", white)] {
        out.push_str(title);
        if rules.is_empty() {
            out.push_str("        <empty>\n");
        }
        for (built_in, rule) in rules {
            out.push_str(if *built_in {
                "        (default rule)     "
            } else {
                "        (config file rule) "
            });
            out.push_str(rule);
            out.push('\n');
        }
    }
}
