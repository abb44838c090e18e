//! The hardware table: entries matched by vendor, product and revision.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::diag::{Severity, Sink, Span};
use super::kind::Value;
use super::layers::{Layer, Setting};
use super::matched::Matched;
use super::options::Key;
use super::parser::Block;
use super::regex::Pattern;
use super::settings::DeviceId;

/// An entry of `devices`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Matches the INQUIRY vendor.
    pub vendor: Pattern,
    /// Matches the INQUIRY product.
    pub product: Pattern,
    /// Matches the INQUIRY revision.
    pub revision: Option<Pattern>,
    /// What it sets, the patterns included.
    pub layer: Layer,
    /// The word `device` that opens it.
    pub span: Span,
}

impl Device {
    /// From a block; `None`, and said why, if it could never match.
    fn new(span: Span, layer: Layer, sink: &mut Sink<'_>) -> Option<Self> {
        let pattern = |key| {
            let Value::Text(text) = layer.value(key)? else { return None };
            Some(Pattern::checked(text.clone()))
        };
        let (Some(vendor), Some(product)) = (pattern(Key::Vendor), pattern(Key::Product)) else {
            let missing = if layer.get(Key::Vendor).is_none() { "vendor" } else { "product" };
            let message = alloc::format!("this `device` has no {missing}: the entry is ignored");
            sink.report(Severity::Error, "incomplete-device", span, message, None);
            return None;
        };
        Some(Self { vendor, product, revision: pattern(Key::Revision), layer, span })
    }

    /// `None` for a revision that is not known: it is then not held against the entry.
    fn matches(&self, vendor: &[u8], product: &[u8], revision: Option<&[u8]>) -> bool {
        self.vendor.is_match(vendor)
            && self.product.is_match(product)
            && match (&self.revision, revision) {
                (Some(pattern), Some(revision)) => pattern.is_match(revision),
                _ => true,
            }
    }

    /// Entries of equal names are for the same devices.
    fn name(&self) -> Name<'_> {
        (self.vendor.as_str(), self.product.as_str(), self.revision.as_ref().map(Pattern::as_str))
    }
}

/// Vendor, product and revision as written.
type Name<'a> = (&'a str, &'a str, Option<&'a str>);

/// Finds most of what is not equal (FNV-1a).
fn hash((vendor, product, revision): &Name<'_>) -> u64 {
    let bytes = [*vendor, "\0", *product, "\0", revision.unwrap_or("\0")].into_iter().flat_map(str::bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// All entries, the built-in ones first, each source's after those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    entries: Vec<Device>,
    /// While entries are added: those so far, in their order, but for the ones that later ones took the place of.
    added: Vec<Option<Device>>,
    /// Hash of the name of each, and where in `added` it is.
    known: BTreeSet<(u64, usize)>,
    /// What was asked for.
    matched: Matched,
}

impl Table {
    /// Adds an entry. An earlier one for exactly the same devices is merged into it, which moves
    /// what that one says to the place of the new one.
    pub(super) fn add(&mut self, block: &Block, sink: &mut Sink<'_>) {
        if block.is_too_wide(sink) {
            return;
        }
        let says = block.settings.iter().filter(|setting| setting.key != Key::AllDevs);
        self.push(block.span, says.cloned().collect(), sink);
    }

    /// Lays over each entry so far what is for all of them.
    pub(super) fn override_all(&mut self, layer: &Layer) {
        for device in self.added.iter_mut().flatten() {
            device.layer.override_with(layer.clone(), &[]);
            reconcile_features(&mut device.layer);
        }
    }

    /// The same for one that is built in; its settings are taken out.
    pub(super) fn add_built_in(&mut self, block: &mut Block, sink: &mut Sink<'_>) {
        self.push(block.span, core::mem::take(&mut block.settings), sink);
    }

    fn push(&mut self, span: Span, settings: Vec<Setting>, sink: &mut Sink<'_>) {
        let Some(mut new) = Device::new(span, Layer::of(settings), sink) else { return };
        let hash = hash(&new.name());
        let same = |at: &usize| self.added[*at].as_ref().is_some_and(|earlier| earlier.name() == new.name());
        let earlier = self.known.range((hash, 0)..=(hash, usize::MAX)).map(|(_, at)| *at).find(same);
        if let Some(earlier) = earlier.and_then(|at| self.added[at].take()) {
            new.layer.fill_from(earlier.layer);
            reconcile_features(&mut new.layer);
        }
        self.known.insert((hash, self.added.len()));
        self.added.push(Some(new));
    }

    /// So many will be added.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.added.reserve(entries);
    }

    /// All are added.
    pub(super) fn finish(&mut self) {
        self.entries = core::mem::take(&mut self.added).into_iter().flatten().collect();
        self.known.clear();
        self.matched = Matched::default();
    }

    /// The entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.entries.iter()
    }

    /// The entries that match, the strongest first.
    pub fn matching<'s>(&'s self, device: &DeviceId<'_>) -> impl Iterator<Item = &'s Device> {
        let DeviceId { vendor, product, .. } = *device;
        let revision = revision(device);
        let find = || {
            let matching = self
                .entries
                .iter()
                .enumerate()
                .rev()
                .filter(|(_, entry)| entry.matches(vendor, product, revision));
            matching.map(|(place, _)| place).collect()
        };
        let found = self.matched.get(device, revision, find);
        (0..found.len()).map(move |place| &self.entries[found[place]])
    }

    /// The entries that match one of some vendors and products, in their order.
    pub fn used_by<'s>(&'s self, devices: &[(&str, &str)]) -> impl Iterator<Item = &'s Device> {
        self.entries.iter().filter(move |entry| {
            devices.iter().any(|(vendor, product)| entry.matches(vendor.as_bytes(), product.as_bytes(), None))
        })
    }
}

/// What an entry's `revision` is compared with: of NVMe and DASD nothing is, as with the reference.
fn revision<'d>(device: &DeviceId<'d>) -> Option<&'d [u8]> {
    let is_scsi = device.protocol != "ccw" && !device.protocol.starts_with("nvme");
    is_scsi.then_some(device.revision)
}

/// Features of old that have a keyword of their own: taken out, and the keyword set if it is not.
pub(super) fn reconcile_features(layer: &mut Layer) {
    let Some(features) = layer.get(Key::Features).cloned() else { return };
    let text = features.value.as_str();
    for (feature, key, value) in FEATURE_KEYWORDS {
        if has_feature(text, feature) && layer.get(key).is_none() {
            layer.set(Setting { key, value: Value::Word(value), span: features.span });
        }
    }
    let value = Value::Text(without_features(text).into());
    layer.set(Setting { value, ..features });
}

/// Feature → keyword and value that say the same.
pub(super) const FEATURE_KEYWORDS: [(&str, Key, &str); 2] = [
    ("queue_if_no_path", Key::NoPathRetry, "queue"),
    ("retain_attached_hw_handler", Key::RetainAttachedHwHandler, "yes"),
];

/// Is `feature` one of the words of `features`?
pub(super) fn has_feature(features: &str, feature: &str) -> bool {
    features.split_ascii_whitespace().skip(1).any(|word| word == feature)
}

/// `features` without those that are keywords of their own, the count put right.
pub(super) fn without_features(features: &str) -> String {
    let keep: Vec<&str> = features
        .split_ascii_whitespace()
        .skip(1)
        .filter(|word| !FEATURE_KEYWORDS.iter().any(|(feature, ..)| feature == word))
        .collect();
    let mut out = alloc::format!("{}", keep.len());
    for word in keep {
        out.push(' ');
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_with_keywords_are_taken_out() {
        assert_eq!(without_features("0"), "0");
        assert_eq!(without_features("1 queue_if_no_path"), "0");
        assert_eq!(without_features("3 queue_if_no_path pg_init_retries 50"), "2 pg_init_retries 50");
        assert!(has_feature("2 a b", "b") && !has_feature("0", "0"));
    }
}
