//! The hardware table cut down to what can be about one device: udev's rules ask of one at a time, at every event, and most of
//! what that costs is a table of all the others.

use alloc::string::String;

/// The text without the entries for other vendors. An entry whose vendor is an expression, and not a word, stays in.
///
/// To be used on the built-in text alone: a section is opened and closed on lines of their own there.
pub(super) fn about(text: &str, vendor: &[u8]) -> String {
    let vendor = String::from_utf8_lossy(vendor);
    let mut kept = String::new();
    let mut entries = text.split_inclusive("\tdevice {\n");
    kept.push_str(entries.next().unwrap_or_default());
    for entry in entries {
        let (inside, after) = entry.split_once("\t}\n").unwrap_or((entry, ""));
        if may_be_of(inside, &vendor) {
            kept.push_str(inside);
            kept.push_str("\t}\n");
            kept.push_str(after);
        } else {
            // What opened it goes, too; what follows may open the next one.
            kept.truncate(kept.len() - "\tdevice {\n".len());
            kept.push_str(after);
        }
    }
    kept
}

fn may_be_of(entry: &str, vendor: &str) -> bool {
    let named = |line: &str| {
        line.trim_start().strip_prefix("vendor \"").and_then(|rest| rest.strip_suffix('"')).map(has(vendor))
    };
    entry.lines().find_map(named).unwrap_or(true)
}

/// Can this expression be found in the vendor's name? One of its words must stand there; what is made of more than words and
/// a choice of them is let through.
fn has(vendor: &str) -> impl Fn(&str) -> bool {
    move |pattern| {
        let simple = |c: char| c.is_ascii_alphanumeric() || " -_^(|)".contains(c);
        let mut words = pattern.split(['^', '(', '|', ')']).filter(|word| !word.is_empty());
        !pattern.chars().all(simple) || words.any(|word| vendor.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::resolve::PathId;
    use crate::config::settings::{DeviceId, PathSettings};
    use crate::config::{BUILT_IN, Config, Environment};

    fn vendors() -> Vec<String> {
        let all =
            BUILT_IN.lines().filter_map(|line| line.trim().strip_prefix("vendor \"")?.strip_suffix('"'));
        let mut all: Vec<String> = all
            .flat_map(|v| v.split(['(', ')', '|', '^']))
            .filter(|v| !v.is_empty())
            .map(Into::into)
            .collect();
        all.extend(["Nobody".into(), String::new(), "Linux   ".into(), "NETAPP  ".into()]);
        all.sort();
        all.dedup();
        all
    }

    fn settings(config: &Config, device: DeviceId<'_>) -> PathSettings {
        config.path_settings_for(&PathId { device, devnode: Some("sda"), wwid: None })
    }

    /// Whatever a device is, the excerpt says of it what the whole table says, blacklists included.
    #[test]
    fn an_excerpt_says_the_same() {
        let whole = Config::load(&[]).0;
        for vendor in vendors() {
            for product in ["LUN", "VV", "Universal Xport", "RAID", "1722-600", "x"] {
                let device = DeviceId {
                    vendor: vendor.as_bytes(),
                    product: product.as_bytes(),
                    revision: b"1.0",
                    protocol: "scsi:iscsi",
                };
                let part = Config::load_for(&[], &Environment::default(), &device);
                assert_eq!(settings(&part, device), settings(&whole, device), "{vendor}, {product}");
                assert_eq!(part.knows(&device), whole.knows(&device), "{vendor}, {product}");
                assert!(part.devices.iter().count() < whole.devices.iter().count() / 2, "{vendor}");
            }
        }
    }
}
