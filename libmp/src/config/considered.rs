//! Is a device left alone? Which rules were asked, in which order, and which one decided.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Config;
use super::blacklist::Rule;
use super::diag::Span;
use super::settings::{BlacklistReason, BlacklistSubject, BlacklistVerdict, DeviceId};
use crate::types::Wwid;

/// The rules on names of udev's properties.
pub const PROPERTY: &str = "property";

/// One kind of rules that was asked about a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// `property`, `devnode`, `device`, `protocol`, `wwid`.
    pub kind: &'static str,
    /// What they were asked about (`sda`, `NETAPP:LUN C-Mode`); of properties the one that decided.
    pub about: String,
    /// What they said.
    pub outcome: Outcome,
}

/// What the rules of one kind say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// None speaks of it.
    NoRule,
    /// An exception speaks of it: the blacklist's rules of this kind do not count.
    Excepted(BlacklistReason),
    /// It is left alone.
    Excluded(BlacklistReason),
}

impl Considered {
    /// The reason, where it excludes.
    pub const fn exclusion(&self) -> Option<&BlacklistReason> {
        match &self.outcome {
            Outcome::Excluded(reason) => Some(reason),
            _ => None,
        }
    }
}

fn matching<'r>(rules: &'r [Rule], text: &str) -> Option<&'r Rule> {
    rules.iter().find(|rule| rule.pattern.is_match(text.as_bytes()))
}

impl Config {
    /// Is the device left alone, and by which rule?
    pub fn blacklist(&self, subject: &BlacklistSubject<'_>) -> BlacklistVerdict {
        verdict(&self.consider(subject))
    }

    /// Asks the rules about a device, kind after kind, up to the first that excludes it.
    ///
    /// What is not known yet (properties, device, WWID) excludes nothing.
    pub fn consider(&self, subject: &BlacklistSubject<'_>) -> Vec<Considered> {
        let (black, white) = (&self.blacklist, &self.exceptions);
        let protocol = subject.device.map(|device| device.protocol);
        let mut asked = Vec::new();
        let steps: [&dyn Fn() -> Option<Considered>; 5] = [
            &|| self.property(subject),
            &|| Some(self.text("devnode", &black.devnode, &white.devnode, subject.devnode)),
            &|| subject.device.as_ref().map(|device| self.device(device)),
            &|| protocol.map(|protocol| self.text("protocol", &black.protocol, &white.protocol, protocol)),
            &|| subject.wwid.map(|wwid| self.text("wwid", &black.wwid, &white.wwid, Wwid::as_str(wwid))),
        ];
        for step in steps {
            let excludes = step().is_some_and(|considered| {
                let excludes = considered.exclusion().is_some();
                asked.push(considered);
                excludes
            });
            if excludes {
                break;
            }
        }
        asked
    }

    /// The rule that leaves every path of a WWID alone.
    pub(super) fn excludes_wwid(&self, wwid: &Wwid) -> Option<BlacklistReason> {
        let asked = self.text("wwid", &self.blacklist.wwid, &self.exceptions.wwid, wwid.as_str());
        asked.exclusion().cloned()
    }

    fn reason(&self, kind: &'static str, rule: String, span: Span) -> BlacklistReason {
        BlacklistReason { kind, rule, origin: self.origin_text(span.into()) }
    }

    fn rule(&self, kind: &'static str, rule: &Rule) -> BlacklistReason {
        self.reason(kind, rule.pattern.as_str().into(), rule.span)
    }

    fn text(&self, kind: &'static str, black: &[Rule], white: &[Rule], text: &str) -> Considered {
        let outcome = match (matching(white, text), matching(black, text)) {
            (Some(exception), _) => Outcome::Excepted(self.rule(kind, exception)),
            (None, Some(rule)) => Outcome::Excluded(self.rule(kind, rule)),
            (None, None) => Outcome::NoRule,
        };
        Considered { kind, about: text.into(), outcome }
    }

    /// The first property, by name, that a rule speaks of decides. If none does, the device is
    /// excluded too: it is probably not a disk that multipath is for. But only if udev could read
    /// it at all, that is if the property with the WWID is there.
    fn property(&self, subject: &BlacklistSubject<'_>) -> Option<Considered> {
        let properties = subject.properties?;
        for name in properties.keys() {
            let rules = (matching(&self.exceptions.property, name), matching(&self.blacklist.property, name));
            let outcome = match rules {
                (Some(exception), _) => Outcome::Excepted(self.rule(PROPERTY, exception)),
                (None, Some(rule)) => Outcome::Excluded(self.rule(PROPERTY, rule)),
                (None, None) => continue,
            };
            return Some(Considered { kind: PROPERTY, about: name.clone(), outcome });
        }
        let missing_counts =
            !subject.uid_attribute.is_empty() && properties.contains_key(subject.uid_attribute);
        let outcome = if missing_counts {
            let span = self.exceptions.property.first().map_or_else(Span::default, |rule| rule.span);
            Outcome::Excluded(self.reason(PROPERTY, "(no matching property)".into(), span))
        } else {
            Outcome::NoRule
        };
        let about = format!("{} properties of udev", properties.len());
        Some(Considered { kind: PROPERTY, about, outcome })
    }

    fn device(&self, device: &DeviceId<'_>) -> Considered {
        let reason = |rules: &super::blacklist::Rules| {
            let rule = rules.device.iter().find(|rule| rule.matches(device.vendor, device.product))?;
            Some(self.reason("device", rule.text(), rule.span))
        };
        let outcome = match (reason(&self.exceptions), reason(&self.blacklist)) {
            (Some(exception), _) => Outcome::Excepted(exception),
            (None, Some(rule)) => Outcome::Excluded(rule),
            (None, None) => Outcome::NoRule,
        };
        let text = |bytes| String::from_utf8_lossy(bytes).to_string();
        let about = format!("{}:{}", text(device.vendor), text(device.product));
        Considered { kind: "device", about, outcome }
    }
}

/// What follows from what was asked.
pub fn verdict(asked: &[Considered]) -> BlacklistVerdict {
    let excluded = asked.last().and_then(Considered::exclusion);
    excluded.map_or(BlacklistVerdict::Allowed, |reason| BlacklistVerdict::Excluded(reason.clone()))
}
