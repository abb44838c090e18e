//! What is well written, and yet not what its writer wants.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use super::Config;
use super::diag::{Severity, Sink, Span};
use super::kind::Value;
use super::layers::Setting;
use super::options::Key;
use super::parser::Block;
use super::resolve::stand_in;

impl Config {
    /// One name for two maps would mix their data: the first to ask for it gets it.
    pub(super) fn check_aliases(&mut self, sink: &mut Sink<'_>) {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for multipath in &mut self.multipaths {
            let Some(alias) = multipath.layer.get(Key::Alias).cloned() else { continue };
            if !taken.insert(alias.value.as_str().into()) {
                let message =
                    format!("`alias` {} is given to another WWID above: ignored", alias.value.as_str());
                let help = Some("each map needs a name of its own".into());
                sink.report(Severity::Warning, "alias-twice", alias.span, message, help);
                multipath.layer.unset(Key::Alias);
            }
        }
    }

    /// Before version 0.5 every disk that was not excluded was taken; files of that time rely on it.
    /// Their keywords give them away, and `find_multipaths` did not exist to say otherwise.
    pub(super) fn take_every_disk_if_old(&mut self, sink: &mut Sink<'_>) {
        const OLD: [&str; 3] = ["getuid_callout", "prio_callout", "udev_dir"];
        let Some(old) = OLD.iter().find_map(|name| sink.first_place(name)) else { return };
        if self.defaults.get(Key::FindMultipaths).is_some() {
            return;
        }
        let greedy = Value::Word("greedy");
        self.internal.set(Setting { key: Key::FindMultipaths, value: greedy, span: Span::default() });
        let message = "`find_multipaths` is not set, and this is of a time when every disk was taken that was \
                       not excluded: that holds";
        let help = Some("write `find_multipaths greedy`, or another value, into `defaults`".into());
        sink.report(Severity::Note, "old-file", old, message, help);
    }
}

/// Says which checkers and prioritizers of the files have something else in their place.
pub(super) fn check_stand_ins(blocks: &[Block], sink: &mut Sink<'_>) {
    for setting in blocks.iter().flat_map(|block| &block.settings) {
        let Value::Word(word) = setting.value else { continue };
        let Some(other) = stand_in(setting.key, word) else { continue };
        if sink.first_time(word, setting.span) {
            let message =
                format!("`{}`: `{word}` is not here yet, `{other}` stands in for it", setting.key.row().name);
            sink.report(Severity::Warning, "stand-in", setting.span, message, None);
        }
    }
}
