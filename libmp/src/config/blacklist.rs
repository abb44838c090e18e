//! Which devices are left alone: the rules of blacklists and their exceptions.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::devices::Table;
use super::diag::{Sink, Span};
use super::kind::Text;
use super::layers::Setting;
use super::options::Key;
use super::parser::Block;
use super::regex::Pattern;

/// A rule on one piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it matches; `!` inverts it.
    pub pattern: Pattern,
    /// Where it stands; source 0 is built in.
    pub span: Span,
}

impl Rule {
    fn new(setting: &Setting) -> Self {
        let pattern = Pattern::checked_rule(setting.value.text());
        Self { pattern, span: setting.span }
    }
}

/// A rule on vendor and product; what is missing matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRule {
    /// Matches the vendor.
    pub vendor: Option<Pattern>,
    /// Matches the product.
    pub product: Option<Pattern>,
    /// Where it stands.
    pub span: Span,
    /// It follows from the `product_blacklist` of a device entry.
    pub derived: bool,
}

impl DeviceRule {
    pub(super) fn matches(&self, vendor: &[u8], product: &[u8]) -> bool {
        self.vendor.as_ref().is_none_or(|pattern| pattern.is_match(vendor))
            && self.product.as_ref().is_none_or(|pattern| pattern.is_match(product))
    }

    /// `vendor:product`.
    pub fn text(&self) -> String {
        let text = |pattern: &Option<Pattern>| pattern.as_ref().map_or("(null)", Pattern::as_str).to_string();
        format!("{}:{}", text(&self.vendor), text(&self.product))
    }
}

/// The rules of `blacklist` or of `blacklist_exceptions`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// On kernel names.
    pub devnode: Vec<Rule>,
    /// On WWIDs.
    pub wwid: Vec<Rule>,
    /// On names of udev properties.
    pub property: Vec<Rule>,
    /// On protocols.
    pub protocol: Vec<Rule>,
    /// On vendor and product.
    pub device: Vec<DeviceRule>,
    /// All of them, while they are added: one that is there already is not added again.
    known: BTreeSet<(Key, Text, Option<Text>)>,
}

impl Rules {
    /// Adds a `blacklist` or `blacklist_exceptions` block.
    pub(super) fn add(&mut self, block: &Block) {
        for setting in &block.settings {
            let list = match setting.key {
                Key::Devnode => &mut self.devnode,
                Key::Wwid => &mut self.wwid,
                Key::Property => &mut self.property,
                _ => &mut self.protocol,
            };
            if self.known.insert((setting.key, setting.value.text(), None)) {
                list.push(Rule::new(setting));
            }
        }
    }

    /// Adds a `device` block inside one.
    pub(super) fn add_device(&mut self, block: &Block, sink: &mut Sink<'_>) {
        if block.is_too_wide(sink) {
            return;
        }
        let pattern = |key| {
            let setting = block.settings.iter().find(|setting| setting.key == key)?;
            Some(Pattern::checked_rule(setting.value.text()))
        };
        let (vendor, product) = (pattern(Key::Vendor), pattern(Key::Product));
        if vendor.is_some() || product.is_some() {
            self.push_device(DeviceRule { vendor, product, span: block.span, derived: false });
        }
    }

    /// Adds what the `product_blacklist`s of the hardware table ask for.
    pub(super) fn add_product_blacklists(&mut self, table: &Table) {
        for device in table.iter() {
            let Some(setting) = device.layer.get(Key::ProductBlacklist) else { continue };
            // A vendor can be no rule: `!*` is a pattern and no inverted one.
            let Ok(vendor) = Pattern::rule(device.vendor.as_str()) else { continue };
            let product = Pattern::checked_rule(setting.value.text());
            let (vendor, product) = (Some(vendor), Some(product));
            self.push_device(DeviceRule { vendor, product, span: setting.span, derived: true });
        }
    }

    fn push_device(&mut self, rule: DeviceRule) {
        let text = |pattern: &Option<Pattern>| pattern.as_ref().map(Pattern::text);
        // A pattern that is missing is another one than an empty one.
        let key = if rule.vendor.is_some() { Key::Vendor } else { Key::Product };
        if self.known.insert((key, text(&rule.vendor).unwrap_or_default(), text(&rule.product))) {
            self.device.push(rule);
        }
    }

    /// All are added.
    pub(super) fn finish(&mut self) {
        self.known.clear();
    }
}
