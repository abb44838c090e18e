//! The configuration as text that reads back as the same configuration.

use alloc::string::String;
use alloc::vec::Vec;

use super::blacklist::{DeviceRule, Rule, Rules};
use super::devices::Device;
use super::kind::{Value, quote};
use super::layers::Layer;
use super::lexer::{self, Token, TokenKind};
use super::options::{self, Key, OPTIONS, OptionRow};
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

/// Of what a blacklist's rules are.
const BLACKLIST_KINDS: &[&str] = &["device node", "udev property", "protocol", "wwid", "device"];

/// A rule of a blacklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlacklistRow {
    /// `device node`, `udev property`, `protocol`, `wwid` or `device`.
    pub of: &'static str,
    /// `blacklist` or `exceptions`.
    pub list: &'static str,
    /// Is it one of the rules that are there without any file?
    pub built_in: bool,
    /// Its expression; of a device vendor and product, `:` between them.
    pub rule: String,
}

/// A section of a dump.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// `defaults`, `device`, ….
    pub name: String,
    /// Keywords and values, in their order.
    pub settings: Vec<(String, String)>,
    /// Sections in it.
    pub sections: Vec<Section>,
}

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
        let rows = self.blacklist_rows();
        let mut out = String::new();
        for of in BLACKLIST_KINDS {
            out.push_str(of);
            out.push_str(" rules:\n");
            for list in ["blacklist", "exceptions"] {
                let rules: Vec<_> = rows.iter().filter(|row| row.of == *of && row.list == list).collect();
                report(list, &rules, &mut out);
            }
        }
        out
    }

    /// The rules of the blacklists, kind by kind, exceptions after what they are exceptions of.
    pub fn blacklist_rows(&self) -> Vec<BlacklistRow> {
        let mut rows = Vec::new();
        let (black, white) = (&self.blacklist, &self.exceptions);
        let patterns = |rules: &[Rule]| -> Vec<(bool, String)> {
            rules.iter().map(|rule| (rule.span.source == 0, rule.pattern.as_str().into())).collect()
        };
        let devices = |rules: &[DeviceRule]| -> Vec<(bool, String)> {
            rules.iter().map(|rule| (rule.derived || rule.span.source == 0, rule.text())).collect()
        };
        let kinds = [
            (patterns(&black.devnode), patterns(&white.devnode)),
            (patterns(&black.property), patterns(&white.property)),
            (patterns(&black.protocol), patterns(&white.protocol)),
            (patterns(&black.wwid), patterns(&white.wwid)),
            (devices(&black.device), devices(&white.device)),
        ];
        for (of, (black, white)) in BLACKLIST_KINDS.iter().zip(kinds) {
            for (list, rules) in [("blacklist", black), ("exceptions", white)] {
                let row = |(built_in, rule)| BlacklistRow { of, list, built_in, rule };
                rows.extend(rules.into_iter().map(row));
            }
        }
        rows
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
                _ if !row.sections.contains(options::Section::Defaults) => None,
                key => self.defaults.value(key).or_else(|| self.internal.value(key)).cloned(),
            };
            if let Some(value) = value {
                write_setting("\t", row, options::Section::Defaults, &value, &mut out);
            }
        }
        out.push_str("}\n");
        write_rules(options::Section::Blacklist, &self.blacklist, &mut out);
        write_rules(options::Section::Exceptions, &self.exceptions, &mut out);
        out
    }

    fn write_overrides(&self, out: &mut String) {
        out.push_str("overrides {\n");
        write_layer("\t", options::Section::Overrides, DEVICE_ORDER, &self.overrides, out);
        for (_, layer) in &self.protocols {
            out.push_str("\tprotocol {\n");
            write_layer("\t\t", options::Section::Protocol, &[Key::Type], layer, out);
            out.push_str("\t}\n");
        }
        out.push_str("}\n");
    }

    fn sorted_multipaths(&self) -> impl Iterator<Item = &Multipath> {
        self.by_wwid.values().map(|at| &self.multipaths[*at])
    }
}

fn write_setting(indent: &str, row: &OptionRow, section: options::Section, value: &Value, out: &mut String) {
    out.push_str(indent);
    out.push_str(row.name);
    out.push(' ');
    row.kind_in(section).write(value, out);
    out.push('\n');
}

fn write_layer(indent: &str, section: options::Section, first: &[Key], layer: &Layer, out: &mut String) {
    let ordered = first.iter().filter_map(|key| layer.get(*key));
    let others = layer.iter().filter(|setting| !first.contains(&setting.key));
    for setting in ordered.chain(others) {
        write_setting(indent, setting.key.row(), section, &setting.value, out);
    }
}

fn write_device(device: &Device, out: &mut String) {
    out.push_str("\tdevice {\n");
    write_layer("\t\t", options::Section::Device, DEVICE_ORDER, &device.layer, out);
    out.push_str("\t}\n");
}

fn write_multipath(entry: &Multipath, name: Option<&MapName>, out: &mut String) {
    out.push_str("\tmultipath {\n");
    write_layer("\t\t", options::Section::Multipath, MULTIPATH_ORDER, &entry.layer, out);
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

fn write_rules(section: options::Section, rules: &Rules, out: &mut String) {
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

fn report(list: &str, rules: &[&BlacklistRow], out: &mut String) {
    out.extend(["- ", list, ":\n"]);
    if rules.is_empty() {
        out.push_str("        <empty>\n");
    }
    for row in rules {
        let from = if row.built_in { "(default rule)     " } else { "(config file rule) " };
        out.extend(["        ", from, &row.rule, "\n"]);
    }
}

/// What a dump is made of: its sections, taken apart again.
pub fn sections(dump: &str) -> Vec<Section> {
    let mut open = [Section::default()].to_vec();
    let mut found = Vec::new();
    for line in lexer::lines(dump) {
        lexer::tokens(line.text, &mut found);
        let word = |token: &Token<'_>| match &token.kind {
            TokenKind::Word(text) => String::from(*text),
            TokenKind::Quoted { text, .. } => String::from(&**text),
            TokenKind::Open | TokenKind::Close => String::new(),
        };
        match found.as_slice() {
            [name, Token { kind: TokenKind::Open, .. }] => {
                open.push(Section { name: word(name), ..Section::default() });
            }
            [Token { kind: TokenKind::Close, .. }] if open.len() > 1 => {
                let closed = open.pop().unwrap_or_default();
                open.last_mut().into_iter().for_each(|outer| outer.sections.push(closed.clone()));
            }
            [keyword, value] => {
                let setting = (word(keyword), word(value));
                open.last_mut().into_iter().for_each(|inner| inner.settings.push(setting.clone()));
            }
            _ => {}
        }
    }
    open.swap_remove(0).sections
}
