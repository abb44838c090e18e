//! What is well written, and contradicts itself, has no effect, or is dangerous. Said by
//! `multipathctl check` only: a daemon does as it is told.

mod misread;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::blacklist::{Rule, Rules};
use super::devices::has_feature;
use super::diag::{Diagnostic, Severity, Sink, Span};
use super::kind::Value;
use super::layers::Setting;
use super::options::{Key, Section};
use super::parser::Block;
use super::settings::FindMultipaths;
use super::{Config, Environment, Source};
use crate::state::bindings::Bindings;

/// What a configuration meets on its machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// Text of the bindings file.
    pub bindings: &'a str,
    /// Has udev the rules that ask `multipath -u`?
    pub udev_rules: UdevRules,
}

/// Has udev the rules that ask `multipath -u`?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UdevRules {
    /// Yes, or it is not known.
    #[default]
    Present,
    /// No.
    Missing,
}

/// Everything there is to say of the sources: what a daemon would say, and more.
pub fn check(
    sources: &[Source<'_>],
    environment: &Environment<'_>,
    around: &Surroundings<'_>,
) -> Vec<Diagnostic> {
    let (config, blocks, sink) = Config::read_in(super::hwtable::blocks(None), sources, environment);
    let mut lint = Lint { config: &config, blocks: &blocks, sink };
    lint.endless_queueing();
    lint.contradictions();
    lint.set_again();
    lint.overridden();
    lint.intervals();
    lint.aliases(around.bindings);
    lint.excluded_maps();
    lint.blacklists();
    lint.misread(sources);
    if around.udev_rules == UdevRules::Missing {
        lint.smart();
    }
    lint.sink.finish()
}

struct Lint<'c, 's> {
    config: &'c Config,
    /// Those of the files.
    blocks: &'c [Block],
    sink: Sink<'s>,
}

impl Lint<'_, '_> {
    fn warn(&mut self, code: &'static str, span: Span, message: String, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_string());
        self.sink.report(Severity::Warning, code, span, message, help);
    }

    fn note(&mut self, code: &'static str, span: Span, message: String, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_string());
        self.sink.report(Severity::Note, code, span, message, help);
    }

    fn place(&self, span: Span) -> String {
        self.config.origin_text(span.into())
    }

    fn endless_queueing(&mut self) {
        const HELP: &str = "a number of checks ends the waiting: `no_path_retry 12`";
        for block in self.blocks {
            let retry = find(block, Key::NoPathRetry);
            let endless = match retry {
                Some(retry) => Some(retry).filter(|retry| retry.value == Value::Word("queue")),
                None => find(block, Key::Features)
                    .filter(|features| has_feature(features.value.as_str(), "queue_if_no_path")),
            };
            if let Some(setting) = endless {
                let message = format!(
                    "`{}`: without a path I/O waits for ever, and with it whatever needs it, a shutdown too",
                    name(setting)
                );
                self.warn("endless-queueing", setting.span, message, HELP);
            }
        }
    }

    /// Two settings of one block that can't both be meant.
    fn contradictions(&mut self) {
        for block in self.blocks {
            if let (Some(retry), Some(features)) = (find(block, Key::NoPathRetry), find(block, Key::Features))
                && retry.value != Value::Word("queue")
                && has_feature(features.value.as_str(), "queue_if_no_path")
            {
                let message = format!(
                    "`features` asks for `queue_if_no_path`, `no_path_retry` on line {} decides otherwise",
                    retry.span.line
                );
                self.warn(
                    "contradiction",
                    features.span,
                    message,
                    "take `queue_if_no_path` out of `features`",
                );
            }
            if let (Some(fast), Some(loss)) = (find(block, Key::FastIoFailTmo), find(block, Key::DevLossTmo))
                && let (Value::Number(fast_s), Value::Number(loss_s)) = (&fast.value, &loss.value)
                && fast_s >= loss_s
            {
                let message = format!(
                    "`fast_io_fail_tmo` {fast_s} is not less than `dev_loss_tmo` {loss_s} on line {}",
                    loss.span.line
                );
                let help =
                    "the port is gone before its I/O is failed: make `fast_io_fail_tmo` the smaller one";
                self.warn("contradiction", fast.span, message, help);
            }
        }
    }

    /// A block says again what an earlier one of the same kind says: only the later counts.
    fn set_again(&mut self) {
        let mut seen: Vec<(Section, Vec<String>, &Setting)> = Vec::new();
        for block in self.blocks {
            let Some(who) = identity(block) else { continue };
            for setting in block.settings.iter().filter(|setting| !is_identity(setting.key)) {
                let earlier = seen.iter_mut().find(|(section, other, earlier)| {
                    (*section, earlier.key) == (block.section, setting.key) && *other == who
                });
                let Some((_, _, earlier)) = earlier else {
                    seen.push((block.section, who.clone(), setting));
                    continue;
                };
                let earlier = core::mem::replace(earlier, setting);
                if earlier.span != setting.span && earlier.value != setting.value {
                    let (name, place) = (name(setting), self.place(setting.span));
                    let message = format!("`{name}` has no effect: it is set again at {place}");
                    self.warn("no-effect", earlier.span, message, "");
                }
            }
        }
    }

    /// `overrides` is stronger than `devices` and `defaults`, whatever the order.
    fn overridden(&mut self) {
        for block in self.blocks {
            if !matches!(block.section, Section::Defaults | Section::Device) {
                continue;
            }
            for setting in &block.settings {
                let Some(stronger) = self.config.overrides.get(setting.key) else { continue };
                let (name, place) = (name(setting), self.place(stronger.span));
                let message =
                    format!("`{name}` has no effect: `overrides` sets it for every device at {place}");
                self.warn("no-effect", setting.span, message, "remove one of the two");
            }
        }
    }

    fn intervals(&mut self) {
        let defaults = &self.config.defaults;
        let (Some(interval), Some(max)) =
            (defaults.get(Key::PollingInterval), defaults.get(Key::MaxPollingInterval))
        else {
            return;
        };
        if let (Value::Number(interval_s), Value::Number(max_s)) = (&interval.value, &max.value)
            && interval_s > max_s
        {
            let place = self.place(max.span);
            let message = format!(
                "`polling_interval` {interval_s} is more than `max_polling_interval` {max_s} at {place}: {max_s} is used"
            );
            self.warn("contradiction", interval.span, message, "");
        }
    }

    fn aliases(&mut self, bindings: &str) {
        let (bindings, _) = Bindings::parse(bindings);
        for multipath in &self.config.multipaths {
            let Some(alias) = multipath.layer.get(Key::Alias) else { continue };
            let holder = bindings.wwid_of(&alias.value.as_str().into());
            if let Some(holder) = holder.filter(|holder| **holder != multipath.wwid) {
                let message = format!(
                    "`alias` {} belongs to {holder} in /etc/multipath/bindings: it is refused",
                    alias.value.as_str()
                );
                let help = "take another name, or the line out of the bindings file when no map has the name";
                self.warn("alias-taken", alias.span, message, help);
            }
        }
    }

    fn excluded_maps(&mut self) {
        for multipath in &self.config.multipaths {
            let Some(reason) = self.config.excludes_wwid(&multipath.wwid) else { continue };
            let Some(wwid) = multipath.layer.get(Key::Wwid) else { continue };
            let message = format!(
                "there will be no such map: its WWID is blacklisted by \"{}\" ({})",
                reason.rule, reason.origin
            );
            self.warn(
                "no-effect",
                wwid.span,
                message,
                "name it in `blacklist_exceptions`, or remove the entry",
            );
        }
    }

    /// A rule of the files that excludes all there is, and no exception that lets anything through.
    fn blacklists(&mut self) {
        const NODES: &[&str] = &["sda", "sdb", "sdq", "sdzz", "sdabc"];
        const WWIDS: &[&str] = &["3600a0b80000f1a2b", "eui.0025385b71b0", "1ATA", "SATA_X", "naa.5000"];
        const PROTOCOLS: &[&str] = &["scsi:fcp", "scsi:iscsi", "scsi:sas", "scsi:unspec", "nvme:tcp"];
        const HELP: &str = "a POSIX regular expression matches anywhere: write `^` and `$` around what is meant, or add `blacklist_exceptions`";
        let (black, white): (&Rules, &Rules) = (&self.config.blacklist, &self.config.exceptions);
        let mut found: Vec<(Span, &str, String)> = Vec::new();
        for (what, black, white, samples) in [
            ("every SCSI disk", &black.devnode, &white.devnode, NODES),
            ("every WWID", &black.wwid, &white.wwid, WWIDS),
            ("every protocol", &black.protocol, &white.protocol, PROTOCOLS),
        ] {
            let is_of_file = |rule: &&Rule| rule.span.source > 0;
            let all = |rule: &&Rule| samples.iter().all(|sample| rule.pattern.is_match(sample.as_bytes()));
            if !white.iter().any(|rule| rule.span.source > 0) {
                let wide = black.iter().filter(is_of_file).filter(all);
                found.extend(wide.map(|rule| (rule.span, what, rule.pattern.as_str().into())));
            }
        }
        if white.device.is_empty() {
            let samples: [(&[u8], &[u8]); 3] = [(b"NETAPP", b"LUN"), (b"ACME", b"X-1"), (b"", b"0")];
            let all = samples.map(|(vendor, product)| {
                black
                    .device
                    .iter()
                    .filter(|rule| rule.span.source > 0)
                    .map(|rule| rule.matches(vendor, product))
                    .collect::<Vec<_>>()
            });
            for (at, rule) in black.device.iter().filter(|rule| rule.span.source > 0).enumerate() {
                if all.iter().all(|matches| matches[at]) {
                    found.push((rule.span, "every device", rule.text()));
                }
            }
        }
        for (span, what, rule) in found {
            self.warn("excludes-all", span, format!("\"{rule}\" excludes {what}: no map is made"), HELP);
        }
    }

    fn smart(&mut self) {
        if self.config.globals().find_multipaths != FindMultipaths::Smart {
            return;
        }
        let Some(setting) = self.config.defaults.get(Key::FindMultipaths) else { return };
        let message = "`find_multipaths smart` needs udev rules that ask `multipath -u`, and there are none: others take a disk before its second path comes";
        let help = "install the udev rules, or write `find_multipaths on`";
        self.warn("no-udev-rules", setting.span, message.into(), help);
    }
}

fn name(setting: &Setting) -> &'static str {
    setting.key.row().name
}

fn find(block: &Block, key: Key) -> Option<&Setting> {
    block.settings.iter().find(|setting| setting.key == key)
}

/// What a block is about, where its settings can be said again by another block.
fn identity(block: &Block) -> Option<Vec<String>> {
    match block.section {
        Section::Defaults | Section::Overrides | Section::Device | Section::Protocol => {
            let text = |key| find(block, key).map_or(String::new(), |setting| setting.value.as_str().into());
            Some([Key::Vendor, Key::Product, Key::Revision, Key::Type].map(text).into())
        }
        _ => None,
    }
}

const fn is_identity(key: Key) -> bool {
    matches!(key, Key::Vendor | Key::Product | Key::Revision | Key::Type)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_in(text: &str, around: &Surroundings<'_>) -> Vec<String> {
        let found = check(&[Source { name: "f", text }], &Environment::default(), around);
        found.iter().map(Diagnostic::one_line).collect()
    }

    #[test]
    fn what_is_contradictory_ineffective_or_dangerous() {
        let cases: &[(&str, &[&str])] = &[
            ("defaults {\n no_path_retry 12\n}\n", &[]),
            (
                "defaults {\n no_path_retry queue\n}\n",
                &[
                    "f:2:16: warning: `no_path_retry`: without a path I/O waits for ever, and with it whatever needs it, a shutdown too (a number of checks ends the waiting: `no_path_retry 12`)",
                ],
            ),
            (
                "defaults {\n features \"1 queue_if_no_path\"\n no_path_retry 3\n}\n",
                &[
                    "f:2:11: warning: `features` asks for `queue_if_no_path`, `no_path_retry` on line 3 decides otherwise (take `queue_if_no_path` out of `features`)",
                ],
            ),
            (
                "overrides {\n fast_io_fail_tmo 60\n dev_loss_tmo 60\n}\n",
                &[
                    "f:2:19: warning: `fast_io_fail_tmo` 60 is not less than `dev_loss_tmo` 60 on line 3 (the port is gone before its I/O is failed: make `fast_io_fail_tmo` the smaller one)",
                ],
            ),
            (
                "defaults {\n failback 5\n}\ndefaults {\n failback 6\n}\n",
                &["f:2:11: warning: `failback` has no effect: it is set again at f:5"],
            ),
            (
                "defaults {\n failback 5\n}\noverrides {\n failback 6\n}\n",
                &[
                    "f:2:11: warning: `failback` has no effect: `overrides` sets it for every device at f:5 (remove one of the two)",
                ],
            ),
            (
                "defaults {\n polling_interval 30\n max_polling_interval 20\n}\n",
                &[
                    "f:2:19: warning: `polling_interval` 30 is more than `max_polling_interval` 20 at f:3: 20 is used",
                ],
            ),
            (
                "blacklist {\n wwid w1\n}\nmultipaths {\n multipath {\n wwid w1\n alias a\n}\n}\n",
                &[
                    "f:6:7: warning: there will be no such map: its WWID is blacklisted by \"w1\" (f:2) (name it in `blacklist_exceptions`, or remove the entry)",
                ],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(check_in(text, &Surroundings::default()), *expected, "{text}");
        }
    }

    #[test]
    fn rules_that_exclude_everything() {
        let wide = |text: &str| {
            let found = check_in(text, &Surroundings::default());
            found.iter().map(|line| line.split(": ").nth(2).unwrap_or("").to_string()).collect::<Vec<_>>()
        };
        for (rule, expected) in [
            ("devnode \"^sd\"", &["\"^sd\" excludes every SCSI disk"][..]),
            ("devnode \".*\"", &["\".*\" excludes every SCSI disk"]),
            ("devnode \"^sd[a-z]$\"", &[]),
            ("devnode \"^(ram|loop|hd)\"", &[]),
            ("wwid \".*\"", &["\".*\" excludes every WWID"]),
            ("wwid \"^3\"", &[]),
            ("protocol \"(scsi|nvme)\"", &["\"(scsi|nvme)\" excludes every protocol"]),
            ("device {\n vendor .*\n}", &["\".*:(null)\" excludes every device"]),
            ("device {\n vendor IBM\n}", &[]),
        ] {
            assert_eq!(wide(&format!("blacklist {{\n {rule}\n}}\n")), expected, "{rule}");
        }
        let with_exception = "blacklist {\n wwid \".*\"\n}\nblacklist_exceptions {\n wwid \"^36\"\n}\n";
        assert_eq!(wide(with_exception), [""; 0]);
    }

    #[test]
    fn what_the_machine_adds() {
        let text = "multipaths {\n multipath {\n  wwid w1\n  alias data\n }\n}\n";
        let around = Surroundings { bindings: "data w2\n", ..Surroundings::default() };
        assert_eq!(
            check_in(text, &around),
            [
                "f:4:9: warning: `alias` data belongs to w2 in /etc/multipath/bindings: it is refused (take another name, or the line out of the bindings file when no map has the name)"
            ]
        );
        assert_eq!(check_in(text, &Surroundings { bindings: "data w1\n", ..around }), [""; 0]);
        let smart = "defaults {\n find_multipaths smart\n}\n";
        let missing = Surroundings { udev_rules: UdevRules::Missing, ..Surroundings::default() };
        assert_eq!(check_in(smart, &missing).len(), 1);
        assert_eq!(check_in(smart, &Surroundings::default()), [""; 0]);
    }
}
