//! What is well written, and yet not what its writer wants.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use super::Config;
use super::diag::{Severity, Sink, Span};
use super::kind::Value;
use super::layers::Setting;
use super::options::{Key, Section};
use super::parser::Block;
use super::resolve::prioritizer;
use crate::dm::mangle::unmangled;
use crate::prio;

impl Config {
    /// One name for two maps would mix their data: the first to ask for it gets it.
    pub(super) fn check_aliases(&mut self, sink: &mut Sink<'_>) {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for multipath in &mut self.multipaths {
            let Some(alias) = multipath.layer.get(Key::Alias).cloned() else { continue };
            if !taken.insert(unmangled(alias.value.as_str()).into()) {
                let message =
                    format!("`alias` {} is given to another WWID above: ignored", alias.value.as_str());
                let help = Some("each map needs a name of its own".into());
                sink.report(Severity::Warning, "alias-twice", alias.span, message, help);
                multipath.layer.unset(Key::Alias);
            }
        }
    }

    /// Before version 0.5 every disk that was not excluded was taken; files of that time rely on it.
    /// Their keywords give them away, and `find_multipaths` did not exist to say otherwise. Where a rule of theirs could
    /// not be read, nobody knows what it excluded.
    pub(super) fn take_every_disk_if_old(&mut self, blocks: &[Block], sink: &mut Sink<'_>) {
        const HELP: &str = "write `find_multipaths greedy`, or another value, into `defaults`";
        const OLD: [&str; 3] = ["getuid_callout", "prio_callout", "udev_dir"];
        let Some(old) = OLD.iter().find_map(|name| sink.first_place(name)) else { return };
        if self.defaults.get(Key::FindMultipaths).is_some() {
            return;
        }
        let lost = |block: &Block| match block.section {
            Section::Blacklist => block.broken,
            Section::BlacklistDevice => block.lacks_a_part(),
            _ => false,
        };
        if blocks.iter().any(lost) {
            let message = "`find_multipaths` is not set, and this is of a time when every disk was taken that was not \
                           excluded: known disks alone are taken, as a rule of a blacklist could not be read";
            sink.report(Severity::Warning, "old-rules", old, message, Some(HELP.into()));
            return;
        }
        let greedy = Value::Word("greedy");
        self.internal.set(Setting { key: Key::FindMultipaths, value: greedy, span: Span::default() });
        let message = "`find_multipaths` is not set, and this is of a time when every disk was taken that was \
                       not excluded: that holds";
        sink.report(Severity::Note, "old-file", old, message, Some(HELP.into()));
    }
}

/// Says which arguments of prioritizers can't be read. They belong to the block that names the
/// prioritizer.
pub(super) fn check_prio_args(blocks: &[Block], sink: &mut Sink<'_>) {
    for block in blocks {
        let last = |key| block.settings.iter().rfind(|setting| setting.key == key);
        let Some(prio) = last(Key::Prio) else { continue };
        let args = last(Key::PrioArgs);
        if args.is_none() && block.section == Section::Device {
            continue; // another entry for the same device may have them
        }
        let text = args.map_or("", |setting| setting.value.as_str());
        let Err(error) = prio::args::check(prioritizer(prio.value.as_str()), text) else { continue };
        let message = format!("`prio {}`: {error}", prio.value.as_str());
        let help = Some(format!("write {}", error.form()));
        sink.report(Severity::Warning, "prio-args", args.unwrap_or(prio).span, message, help);
    }
}
