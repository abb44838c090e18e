//! What is well written, and is read otherwise than it looks.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Lint, find, name};
use crate::config::Source;
use crate::config::blacklist::{DeviceRule, Rule};
use crate::config::diag::{Span, small};
use crate::config::flaky::SHORTEST_SAMPLE_S;
use crate::config::kind::Value;
use crate::config::layers::{Layer, Setting};
use crate::config::lexer::{self, TokenKind};
use crate::config::options::{Key, Section};
use crate::config::regex::Pattern;

/// Keywords that do something together only.
const TOGETHER: [&[Key]; 2] = [
    &[
        Key::MarginalPathErrSampleTime,
        Key::MarginalPathErrRateThreshold,
        Key::MarginalPathErrRecheckGapTime,
        Key::MarginalPathDoubleFailedTime,
    ],
    &[Key::SanPathErrThreshold, Key::SanPathErrForgetRate, Key::SanPathErrRecoveryTime],
];

impl Lint<'_, '_> {
    pub(super) fn misread(&mut self, sources: &[Source<'_>]) {
        self.comments_in_words(sources);
        self.no_patterns();
        self.arguments();
        self.exceptions();
        self.intervals_that_follow();
        self.halves();
        self.short_samples();
        self.policies();
    }

    /// `alias data#1` is `alias data`.
    fn comments_in_words(&mut self, sources: &[Source<'_>]) {
        let mut tokens = Vec::new();
        for (source, text) in (1..).zip(sources) {
            for line in lexer::lines(text.text) {
                lexer::tokens(line.text, &mut tokens);
                let Some((TokenKind::Word(word), start)) = tokens.last().map(|last| (&last.kind, last.start))
                else {
                    continue;
                };
                let at = start + word.len();
                let Some(mark @ ('#' | '!')) = line.text[at..].chars().next() else { continue };
                let (line_start, start) = (line.start, small(at));
                let span = Span { source, line: line.number, line_start, start, len: 1 };
                let message = format!("a comment begins at this `{mark}`: `{word}` is what is read");
                self.warn(
                    "comment-in-word",
                    span,
                    message,
                    "write quotes around it, or a blank before the comment",
                );
            }
        }
    }

    /// What looks like a pattern, or like an inverted one, where it is taken letter by letter.
    fn no_patterns(&mut self) {
        for block in self.blocks {
            for setting in &block.settings {
                let text = setting.value.as_str();
                match (block.section, setting.key) {
                    (Section::Device, Key::Vendor | Key::Product | Key::Revision)
                        if text.starts_with('!') =>
                    {
                        let message =
                            format!("`!` inverts nothing here: it must be in the {} itself", name(setting));
                        self.warn("no-inversion", setting.span, message, "it inverts in blacklists only");
                    }
                    (Section::Multipath, Key::Wwid) if text.starts_with('^') || text.contains(".*") => {
                        let message = "`wwid` is no pattern here: no LUN has this WWID".into();
                        self.warn("no-pattern", setting.span, message, "write a `multipath` for each WWID");
                    }
                    _ => {}
                }
            }
        }
    }

    /// `prio_args` count in the section whose `prio` holds.
    fn arguments(&mut self) {
        const HELP: &str = "write both into one section";
        let maps = self.config.multipaths.iter().map(|multipath| &multipath.layer);
        let bare = |layer: &&Layer| layer.get(Key::Prio).is_none();
        let layers = maps.chain([&self.config.overrides]).filter(bare);
        let alone: Vec<Span> =
            layers.filter_map(|layer| layer.get(Key::PrioArgs)).map(|args| args.span).collect();
        for span in alone {
            let message = "`prio_args` has no effect: there is no `prio` beside it".into();
            self.warn("no-effect", span, message, HELP);
        }
        let overrides = &self.config.overrides;
        let Some(prio) = overrides.get(Key::Prio).filter(|_| overrides.get(Key::PrioArgs).is_none()) else {
            return;
        };
        for block in self.blocks {
            let Some(args) = find(block, Key::PrioArgs) else { continue };
            if matches!(block.section, Section::Defaults | Section::Device) {
                let place = self.place(prio.span);
                let message =
                    format!("`prio_args` has no effect: `overrides` sets `prio` for every device at {place}");
                self.warn("no-effect", args.span, message, HELP);
            }
        }
    }

    /// Exceptions undo rules of their own kind only.
    fn exceptions(&mut self) {
        let (black, white) = (&self.config.blacklist, &self.config.exceptions);
        let mut idle: Vec<(Span, &str)> = Vec::new();
        for (kind, black, white) in
            [("wwid", &black.wwid, &white.wwid), ("protocol", &black.protocol, &white.protocol)]
        {
            let of_file = |rule: &&Rule| rule.span.source > 0 && black.is_empty();
            idle.extend(white.iter().filter(of_file).map(|rule| (rule.span, kind)));
        }
        let of_file = |rule: &&DeviceRule| rule.span.source > 0;
        // Those of the built-in table are about a few products.
        let lets_through = |rule: &&DeviceRule| {
            black.device.iter().any(|other| {
                let text = |pattern: &Option<_>| -> String {
                    pattern.as_ref().map_or_else(String::new, |pattern: &Pattern| pattern.as_str().into())
                };
                of_file(&other)
                    || rule.matches(text(&other.vendor).as_bytes(), text(&other.product).as_bytes())
            })
        };
        let devices = white.device.iter().filter(of_file).filter(|rule| !lets_through(rule));
        idle.extend(devices.map(|rule| (rule.span, "device")));
        for (span, kind) in idle {
            let message = format!(
                "lets nothing through: there is no `{kind}` rule in `blacklist`, and it undoes no others"
            );
            let help = "an exception undoes rules of its own kind; a disk must pass every kind";
            self.warn("no-effect", span, message, help);
        }
    }

    fn intervals_that_follow(&mut self) {
        let interval = self.config.polling_intervals().0.to_string();
        let is_usual = Key::PollingInterval.row().default == Some(interval.as_str());
        let defaults = &self.config.defaults;
        if let (None, Some(max), false) =
            (defaults.get(Key::PollingInterval), defaults.get(Key::MaxPollingInterval), is_usual)
        {
            let message = format!("`polling_interval` is not set: it is {interval}, a quarter of this");
            self.note("follows", max.span, message, "");
        }
    }

    /// Keywords that do nothing as others are nowhere set.
    fn halves(&mut self) {
        let blocks = self.blocks;
        for keys in TOGETHER {
            let is_set =
                |setting: &&Setting| keys.contains(&setting.key) && setting.value != Value::Word("no");
            let set: Vec<&Setting> = blocks.iter().flat_map(|block| &block.settings).filter(is_set).collect();
            let missing: Vec<String> = keys
                .iter()
                .filter(|key| set.iter().all(|setting| setting.key != **key))
                .map(|key| format!("`{}`", key.row().name))
                .collect();
            if let (Some(first), false) = (set.first(), missing.is_empty()) {
                let message = format!("`{}` has no effect without {}", name(first), missing.join(", "));
                self.warn("no-effect", first.span, message, "set all of them, or none");
            }
        }
    }

    fn short_samples(&mut self) {
        let shortest = i64::try_from(SHORTEST_SAMPLE_S).unwrap_or(i64::MAX);
        for block in self.blocks {
            let Some(sample) = find(block, Key::MarginalPathErrSampleTime) else { continue };
            if matches!(sample.value, Value::Number(seconds) if seconds < shortest) {
                let message = format!("a test lasts {shortest} s at least: that is used");
                self.note("follows", sample.span, message, "");
            }
        }
    }

    /// `detect_pgpolicy` is stronger than every `path_grouping_policy`.
    fn policies(&mut self) {
        let config = self.config;
        let yes = Value::Word("yes");
        for block in self.blocks {
            let Some(policy) = find(block, Key::PathGroupingPolicy) else { continue };
            let of_device = |key| find(block, key).map(|setting| &setting.value);
            let holds = |key| {
                let of_overrides = config.overrides.value(key).or_else(|| of_device(key));
                of_overrides.or_else(|| config.defaults.value(key)).or_else(|| config.internal.value(key))
            };
            let detected =
                if holds(Key::DetectPgpolicyUseTpg) == Some(&yes) { "group_by_tpg" } else { "group_by_prio" };
            if holds(Key::DetectPgpolicy) != Some(&yes) || policy.value.is(detected) {
                continue;
            }
            let message = format!(
                "`path_grouping_policy` {}: maps whose paths all have priorities of `alua` or `sysfs` get `{detected}`",
                policy.value.as_str()
            );
            self.note("overruled", policy.span, message, "`detect_pgpolicy no` has it hold for them, too");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;
    use crate::config::diag::Diagnostic;
    use crate::config::lint::{Surroundings, check};

    fn said(text: &str) -> Vec<String> {
        let found = check(&[Source { name: "f", text }], &Environment::default(), &Surroundings::default());
        let told = |one: &Diagnostic| format!("{}:{} {} {}", one.line, one.column, one.code, one.message);
        found.iter().map(told).collect()
    }

    fn begins(text: &str, expected: &[&str]) {
        let said = said(text);
        let alike = said.iter().zip(expected).all(|(said, expected)| said.starts_with(expected));
        assert!(alike && said.len() == expected.len(), "{text}: {said:?}");
    }

    #[test]
    fn comments_and_patterns() {
        let map = |wwid: &str, alias: &str| {
            format!("multipaths {{\n multipath {{\n  wwid {wwid}\n  alias {alias}\n }}\n}}\n")
        };
        for (text, expected) in [
            (
                map("w1", "data#1"),
                &["4:13 comment-in-word a comment begins at this `#`: `data` is what is read"][..],
            ),
            (map("w1", "data!x"), &["4:13 comment-in-word a comment begins at this `!`"]),
            (map("w1", "data # 1"), &[]),
            (map("w1", "\"data#1\""), &[]),
            (map("w1", "\"data\"#1"), &[]),
            (map("\"^3600.*\"", "data"), &["3:8 no-pattern `wwid` is no pattern here"]),
            ("defaults {#x\n}#y\n".into(), &[]),
            ("blacklist {\n device {\n vendor \"!IBM\"\n product X\n }\n}\n".into(), &[]),
            (
                "devices {\n device {\n  vendor \"!IBM\"\n  product \"x\"\n }\n}\n".into(),
                &["3:10 no-inversion `!` inverts nothing here: it must be in the vendor itself"],
            ),
        ] {
            begins(&text, expected);
        }
    }

    #[test]
    fn arguments_of_no_prioritizer() {
        for (text, expected) in [
            ("overrides {\n prio alua\n prio_args exclusive_pref_bit\n}\n", &[][..]),
            (
                "defaults {\n prio alua\n}\noverrides {\n prio_args exclusive_pref_bit\n}\n",
                &["5:12 no-effect `prio_args` has no effect: there is no `prio` beside it"],
            ),
            (
                "multipaths {\n multipath {\n wwid w\n prio_args exclusive_pref_bit\n }\n}\n",
                &["4:12 no-effect `prio_args` has no effect: there is no `prio` beside it"],
            ),
            (
                "defaults {\n prio_args exclusive_pref_bit\n}\noverrides {\n prio alua\n}\n",
                &[
                    "2:12 no-effect `prio_args` has no effect: `overrides` sets `prio` for every device at f:5",
                ],
            ),
        ] {
            begins(text, expected);
        }
    }

    #[test]
    fn exceptions_undo_rules_of_their_kind() {
        let acme = "blacklist {\n device {\n  vendor ACME\n }\n}\n";
        for (text, expected) in [
            (
                format!("{acme}blacklist_exceptions {{\n wwid ^3600a0b\n}}\n"),
                &["7:7 no-effect lets nothing through: there is no `wwid` rule in `blacklist`"][..],
            ),
            (
                "blacklist {\n wwid ^3\n}\nblacklist_exceptions {\n device {\n  vendor ACME\n }\n}\n".into(),
                &["5:2 no-effect lets nothing through: there is no `device` rule in `blacklist`"],
            ),
            (
                "blacklist_exceptions {\n device {\n  vendor SGI\n  product \"Universal Xport\"\n }\n}\n"
                    .into(),
                &[],
            ),
            (
                format!("{acme}blacklist_exceptions {{\n device {{\n  vendor ACME\n  product X\n }}\n}}\n"),
                &[],
            ),
            (format!("{acme}blacklist_exceptions {{\n property ID_X\n}}\n"), &[]),
        ] {
            begins(&text, expected);
        }
    }

    #[test]
    fn what_follows_and_what_needs_others() {
        let all = "marginal_path_double_failed_time 60\nmarginal_path_err_rate_threshold 5\n\
                   marginal_path_err_recheck_gap_time 300\n";
        for (lines, expected) in [
            (
                "max_polling_interval 40".into(),
                &["2:22 follows `polling_interval` is not set: it is 10, a quarter of this"][..],
            ),
            ("polling_interval 5\nmax_polling_interval 40".into(), &[]),
            ("max_polling_interval 20".into(), &[]),
            (format!("{all}marginal_path_err_sample_time 120"), &[]),
            (
                format!("{all}marginal_path_err_sample_time 60"),
                &["5:31 follows a test lasts 120 s at least: that is used"],
            ),
            (
                format!("{all}marginal_path_err_sample_time no"),
                &[
                    "2:34 no-effect `marginal_path_double_failed_time` has no effect without `marginal_path_err_sample_time`",
                ],
            ),
        ] {
            begins(&format!("defaults {{\n{lines}\n}}\n"), expected);
        }
    }

    #[test]
    fn policies_that_are_overruled() {
        let with = |lines: &str| format!("defaults {{\n path_grouping_policy multibus\n{lines}}}\n");
        let overruled = "2:23 overruled `path_grouping_policy` multibus: maps whose paths all have priorities of \
                         `alua` or `sysfs` get";
        begins(&with(""), &[&format!("{overruled} `group_by_prio`")]);
        begins(&with(" detect_pgpolicy_use_tpg yes\n"), &[&format!("{overruled} `group_by_tpg`")]);
        begins(&with(" detect_pgpolicy no\n"), &[]);
        begins("defaults {\n path_grouping_policy group_by_prio\n}\n", &[]);
        let map = "multipaths {\n multipath {\n wwid w\n path_grouping_policy multibus\n }\n}\n";
        begins(map, &["4:23 overruled"]);
        begins(&format!("overrides {{\n detect_pgpolicy no\n}}\n{map}"), &[]);
    }
}
