//! multipath.conf: text → layers → resolved settings with provenance.
//!
//! - [`options`] is the one table of keywords, [`kind`] what they take
//! - `lexer` and `parser` make blocks of text, [`diag`] says what is wrong with it
//! - [`layers`] and [`devices`] hold what each block says, [`resolve`] finds what holds
//! - [`provenance`] says of a value where it comes from and what it overrides
//! - [`blacklist`] holds the rules on what is left alone, [`considered`] tells which one decides
//! - [`lint`] says what is well written and not what its writer wants, [`fix`] rewrites old keywords
//! - `dump` writes it all down again
//!
//! Nothing here reads a file: the caller passes the text of each.

pub mod blacklist;
mod checks;
pub mod considered;
pub mod devices;
pub mod diag;
pub mod dump;
pub mod edit;
pub mod fix;
pub mod flaky;
mod hwtable;
pub mod kind;
pub mod layers;
mod legacy;
mod lexer;
pub mod lint;
pub mod manual;
mod matched;
pub mod options;
mod parser;
pub mod provenance;
pub mod regex;
pub mod resolve;
pub mod settings;
mod sorted;
pub mod timeouts;
mod words;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

pub use diag::{Diagnostic, Severity};
pub use resolve::{PathId, Resolved};

use crate::dm::mangle::{LONGEST_NAME, mangled, unmangled};
use crate::types::{MapName, Wwid};
use blacklist::Rules;
use devices::Table;
use diag::{Sink, Span};
use kind::{Accounts, RootOnly, Value};
use layers::{Layer, Origin, Setting};
use options::{Key, OPTIONS, Section};
use parser::Block;
use settings::{DeviceId, Globals};

/// What messages call it.
const BUILT_IN_NAME: &str = "built-in";
/// A file's name and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// What messages call it (`/etc/multipath.conf`).
    pub name: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// What the machine decides and no file says.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Names of users and groups.
    pub accounts: &'a dyn Accounts,
    /// The kernel itself does the multipathing of NVMe: such devices are left alone.
    pub native_nvme_multipath: bool,
}

impl Default for Environment<'_> {
    fn default() -> Self {
        Self { accounts: &RootOnly, native_nvme_multipath: false }
    }
}

/// An entry of `multipaths`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipath {
    /// Which map it is for.
    pub wwid: Wwid,
    /// What it sets.
    pub layer: Layer,
}

/// The configuration of the daemon, whole. Swapped as one, never patched in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Names of the sources, the built-in one first.
    names: Vec<String>,
    /// What holds if nothing else says so.
    internal: Layer,
    defaults: Layer,
    overrides: Layer,
    /// By protocol.
    protocols: Vec<(&'static str, Layer)>,
    devices: Table,
    /// In the order of the files; each WWID once.
    multipaths: Vec<Multipath>,
    /// WWID → index in `multipaths`.
    by_wwid: BTreeMap<Wwid, usize>,
    blacklist: Rules,
    exceptions: Rules,
    globals: Globals,
}

impl Config {
    /// Reads the sources in order; the built-in table is always below them.
    ///
    /// Whatever they hold, there is a configuration: what is wrong is ignored, and said.
    pub fn load(sources: &[Source<'_>]) -> (Self, Vec<Diagnostic>) {
        Self::load_in(sources, &Environment::default())
    }

    /// The same, on a machine that is known better.
    pub fn load_in(sources: &[Source<'_>], environment: &Environment<'_>) -> (Self, Vec<Diagnostic>) {
        let (config, _, sink) = Self::read_in(hwtable::blocks(None), sources, environment);
        (config, sink.finish())
    }

    /// The same for what is asked of one device: of the built-in hardware table it has the entries that can be about it.
    pub fn load_for(sources: &[Source<'_>], environment: &Environment<'_>, device: &DeviceId<'_>) -> Self {
        Self::read_in(hwtable::blocks(Some(device.vendor)), sources, environment).0
    }

    /// The same, with the blocks of the files as they stand there, and room for more to say of them.
    fn read_in<'s>(
        mut built_in: Vec<Block>,
        sources: &[Source<'s>],
        environment: &Environment<'_>,
    ) -> (Self, Vec<Block>, Sink<'s>) {
        let mut texts = vec![(BUILT_IN_NAME, hwtable::TEXT)];
        texts.extend(sources.iter().map(|source| (source.name, source.text)));
        let names = texts.iter().map(|(name, _)| (*name).into()).collect();
        let mut sink = Sink::new(texts);
        let mut user = Vec::new();
        for (index, source) in (1..).zip(sources) {
            user.extend(parser::parse(index, source.text, environment.accounts, &mut sink));
        }
        if environment.native_nvme_multipath {
            leave_nvme_to_the_kernel(&mut built_in);
        }
        let mut config = Self::empty(names);
        config.add_devices(&mut built_in, &user, &mut sink);
        config.add_sections(&user, &mut sink);
        // Below the rules of the files, and not listed twice.
        config.add_rules(user.iter().chain(&built_in), &mut sink);
        config.check_aliases(&mut sink);
        checks::check_prio_args(&user, &mut sink);
        config.take_every_disk_if_old(&user, &mut sink);
        config.globals = config.resolve_globals();
        (config, user, sink)
    }

    fn empty(names: Vec<String>) -> Self {
        let mut internal = Layer::default();
        for row in OPTIONS {
            if let Some(value) = row.default.and_then(|text| row.kind.take(text).value) {
                internal.set(Setting { key: row.key, value, span: Span::default() });
            }
        }
        Self {
            names,
            internal,
            defaults: Layer::default(),
            overrides: Layer::default(),
            protocols: Vec::new(),
            devices: Table::default(),
            multipaths: Vec::new(),
            by_wwid: BTreeMap::new(),
            blacklist: Rules::default(),
            exceptions: Rules::default(),
            globals: resolve::globals_of_defaults(),
        }
    }

    /// Takes the settings out of those that are built in.
    fn add_devices(&mut self, built_in: &mut [Block], user: &[Block], sink: &mut Sink<'_>) {
        let is_device = |block: &Block| block.section == Section::Device;
        self.devices.reserve(built_in.iter().chain(user).filter(|block| is_device(block)).count());
        for block in built_in.iter_mut().filter(|block| is_device(block)) {
            self.devices.add_built_in(block, sink);
        }
        let user = || user.iter().filter(|block| is_device(block));
        user().filter_map(legacy::of_all_devs).for_each(|layer| self.devices.override_all(&layer));
        for block in user().filter(|block| legacy::of_all_devs(block).is_none()) {
            self.devices.add(block, sink);
        }
        self.devices.finish();
    }

    fn add_rules<'b>(&mut self, blocks: impl Iterator<Item = &'b Block>, sink: &mut Sink<'_>) {
        for block in blocks {
            match block.section {
                Section::Blacklist => self.blacklist.add(block),
                Section::BlacklistDevice => self.blacklist.add_device(block, sink),
                Section::Exceptions => self.exceptions.add(block),
                Section::ExceptionsDevice => self.exceptions.add_device(block, sink),
                _ => {}
            }
        }
        self.blacklist.add_product_blacklists(&self.devices);
        self.blacklist.finish();
        self.exceptions.finish();
    }

    fn add_sections(&mut self, blocks: &[Block], sink: &mut Sink<'_>) {
        for block in blocks {
            let mut layer = Layer::default();
            if matches!(
                block.section,
                Section::Defaults | Section::Overrides | Section::Protocol | Section::Multipath
            ) {
                block.settings.iter().for_each(|setting| layer.set(setting.clone()));
            }
            match block.section {
                Section::Defaults => self.defaults.override_with(layer, &block.unset),
                Section::Overrides => self.overrides.override_with(layer, &block.unset),
                Section::Protocol => self.add_protocol(layer, block.span, sink),
                Section::Multipath => self.add_multipath(layer, block.span, sink),
                _ => {}
            }
        }
    }

    fn add_protocol(&mut self, layer: Layer, span: Span, sink: &mut Sink<'_>) {
        let Some(&Value::Word(protocol)) = layer.value(Key::Type) else {
            let message = "this `protocol` has no type: the subsection is ignored";
            sink.report(Severity::Error, "incomplete-protocol", span, message, None);
            return;
        };
        match self.protocols.iter_mut().find(|(known, _)| *known == protocol) {
            Some((_, known)) => known.override_with(layer, &[]),
            None => self.protocols.push((protocol, layer)),
        }
    }

    fn add_multipath(&mut self, mut layer: Layer, span: Span, sink: &mut Sink<'_>) {
        let wwid = layer.value(Key::Wwid).map(Value::as_str).unwrap_or_default();
        if wwid.is_empty() {
            let message = "this `multipath` has no WWID: the entry is ignored";
            sink.report(Severity::Error, "incomplete-multipath", span, message, None);
            return;
        }
        let wwid = Wwid::new(wwid);
        let alias = layer.get(Key::Alias);
        let problem = alias.and_then(|alias| Some((alias.span, check_map_name(alias.value.as_str()).err()?)));
        if let Some((span, why)) = problem {
            let message = format!("`alias`: {why}: the line is ignored");
            sink.report(Severity::Error, "bad-value", span, message, None);
            layer.unset(Key::Alias);
        }
        let Some(&at) = self.by_wwid.get(&wwid) else {
            self.by_wwid.insert(wwid.clone(), self.multipaths.len());
            self.multipaths.push(Multipath { wwid, layer });
            return;
        };
        let earlier = &mut self.multipaths[at].layer;
        let line = earlier.get(Key::Wwid).map_or(0, |setting| setting.span.line);
        let message = format!("a second entry for this WWID: it is merged over that of line {line}");
        sink.report(Severity::Warning, "duplicate", span, message, None);
        let weaker = core::mem::replace(earlier, layer);
        earlier.fill_from(weaker);
    }

    /// Does `multipaths` have an entry for the map?
    pub fn has_multipath_entry(&self, wwid: &Wwid) -> bool {
        self.by_wwid.contains_key(wwid)
    }

    /// The names that `multipaths` gives, in the order of the files.
    pub fn aliases(&self) -> Vec<(Wwid, MapName)> {
        let alias = |entry: &Multipath| {
            let alias = entry.layer.value(Key::Alias)?;
            Some((entry.wwid.clone(), MapName::new(&*unmangled(alias.as_str()))))
        };
        self.multipaths.iter().filter_map(alias).collect()
    }

    /// Where a value comes from, in words: `/etc/multipath.conf:12`, `built-in`, `default`.
    pub fn origin_text(&self, origin: Origin) -> String {
        match origin {
            Origin::Default => "default".into(),
            Origin::BuiltIn => BUILT_IN_NAME.into(),
            Origin::File { source, line } => {
                let name = self.names.get(usize::from(source)).map_or("?", String::as_str);
                format!("{name}:{line}")
            }
            Origin::Implied(by) => format!("implied by {by}"),
        }
    }
}

/// Can a map be called so? The error says why not.
pub(crate) fn check_map_name(name: &str) -> Result<(), String> {
    match name {
        "" => Err("an empty name".into()),
        "." | ".." => Err("not a name for a device node".into()),
        "control" => Err("the name of device-mapper's own node".into()),
        _ if name.len() > LONGEST_NAME => Err(format!("longer than {LONGEST_NAME} bytes")),
        _ if name.contains('/') => Err("a slash in a name".into()),
        _ if name.chars().any(char::is_control) => Err("a control character in a name".into()),
        _ => mangled(name, LONGEST_NAME).map(drop).map_err(|why| why.to_string()),
    }
}

fn leave_nvme_to_the_kernel(blocks: &mut [Block]) {
    for block in blocks.iter_mut().filter(|block| block.section == Section::Blacklist) {
        for setting in block.settings.iter_mut().filter(|setting| setting.key == Key::Devnode) {
            setting.value = Value::Text(setting.value.as_str().replace("|nvme[0-9]", "").into());
        }
    }
}

#[cfg(test)]
mod tests;
