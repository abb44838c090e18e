//! `prio_args`: the text of each prioritizer that has one, taken apart.

use ::core::net::IpAddr;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::regex::{self, Pattern};
use crate::config::settings::Prioritizer;

/// Why `prio_args` can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgError {
    /// A part that the prioritizer can't do without is missing.
    #[error("prio_args lack {what}")]
    Missing {
        /// Which.
        what: &'static str,
        /// How they are written.
        form: &'static str,
    },
    /// A word that is not what stands there.
    #[error("prio_args: `{word}` is not {what}")]
    Word {
        /// The word.
        word: String,
        /// What stands there.
        what: &'static str,
        /// How they are written.
        form: &'static str,
    },
    /// A regular expression that can't be compiled.
    #[error("prio_args: bad regular expression `{pattern}`: {error}")]
    Pattern {
        /// The expression.
        pattern: String,
        /// What is wrong with it.
        error: regex::Error,
    },
}

impl ArgError {
    /// How the arguments are written.
    pub const fn form(&self) -> &'static str {
        match self {
            Self::Missing { form, .. } | Self::Word { form, .. } => form,
            Self::Pattern { .. } => WEIGHTS,
        }
    }
}

const PREFERENCE: &str = "`exclusive_pref_bit`, or nothing";
const WEIGHTS: &str = "`hbtl|devname|serial|wwn REGEX PRIORITY [REGEX PRIORITY]…`";
const LATENCY: &str = "`io_num=N base_num=B`, N from 20 to 200, B from 1.1 to 10";
const SERVER: &str = "`preferredsds=NAME`, perhaps with `timeout=MILLISECONDS`";
const PORTAL: &str = "`preferredip=ADDRESS`, perhaps with `/PREFIX-LENGTH`";

/// How the arguments of a prioritizer are written; `None`: it takes none.
pub const fn form(prio: Prioritizer) -> Option<&'static str> {
    match prio {
        Prioritizer::Alua | Prioritizer::Sysfs => Some(PREFERENCE),
        Prioritizer::WeightedPath => Some(WEIGHTS),
        Prioritizer::PathLatency => Some(LATENCY),
        Prioritizer::Datacore => Some(SERVER),
        Prioritizer::Iet => Some(PORTAL),
        _ => None,
    }
}

/// Are these arguments as their prioritizer wants them? What one without arguments is given is ignored.
pub fn check(prio: Prioritizer, args: &str) -> Result<(), ArgError> {
    match prio {
        Prioritizer::Alua | Prioritizer::Sysfs => preference(args),
        Prioritizer::WeightedPath => Weights::parse(args).and_then(|weights| weights.check()),
        Prioritizer::PathLatency => Latency::parse(args).map(drop),
        Prioritizer::Datacore => preferred_server(args).map(drop),
        Prioritizer::Iet => Network::parse(args).map(drop),
        _ => Ok(()),
    }
}

fn words(args: &str) -> impl Iterator<Item = &str> {
    args.split([' ', '\t']).filter(|word| !word.is_empty())
}

fn not(word: &str, what: &'static str, form: &'static str) -> ArgError {
    ArgError::Word { word: word.to_owned(), what, form }
}

fn preference(args: &str) -> Result<(), ArgError> {
    match words(args).find(|word| *word != "exclusive_pref_bit") {
        Some(word) => Err(not(word, "known", PREFERENCE)),
        None => Ok(()),
    }
}

/// What the patterns of `weightedpath` are matched with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// SCSI address (`%i`).
    Hbtl,
    /// Kernel name (`%d`).
    DevName,
    /// Serial number (`%z`).
    Serial,
    /// Names of host and target node and port: `%N:%R:%n:%r`.
    Wwn,
}

/// `weightedpath`: an attribute, and priorities by patterns of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights<'a> {
    /// What the patterns are matched with.
    pub attribute: Attribute,
    rest: Vec<&'a str>,
}

impl<'a> Weights<'a> {
    /// Takes the attribute; the patterns are looked at one by one.
    pub fn parse(args: &'a str) -> Result<Self, ArgError> {
        let mut words = words(args);
        let attribute = match words.next() {
            Some("hbtl") => Attribute::Hbtl,
            Some("devname") => Attribute::DevName,
            Some("serial") => Attribute::Serial,
            Some("wwn") => Attribute::Wwn,
            Some(word) => return Err(not(word, "one of hbtl, devname, serial, wwn", WEIGHTS)),
            None => return Err(ArgError::Missing { what: "what to match and priorities", form: WEIGHTS }),
        };
        Ok(Self { attribute, rest: words.collect() })
    }

    /// The priority of the first pattern that matches, 0 where none does. Patterns that can't be
    /// compiled match nothing.
    pub fn rate(&self, subject: &str) -> i32 {
        let mut pairs = self.rest.chunks_exact(2);
        let matches = |pattern| Pattern::new(pattern).is_ok_and(|p| p.is_match(subject.as_bytes()));
        pairs.find(|pair| matches(pair[0])).map_or(0, |pair| leading_number(pair[1]))
    }

    fn check(&self) -> Result<(), ArgError> {
        let mut pairs = self.rest.chunks_exact(2);
        for pair in &mut pairs {
            let compiled = Pattern::new(pair[0]);
            compiled.map_err(|error| ArgError::Pattern { pattern: pair[0].to_owned(), error })?;
            if !pair[1].parse::<i32>().is_ok_and(|priority| priority >= 0) {
                return Err(not(pair[1], "a priority", WEIGHTS));
            }
        }
        if self.rest.is_empty() || !pairs.remainder().is_empty() {
            return Err(ArgError::Missing { what: "a priority", form: WEIGHTS });
        }
        Ok(())
    }
}

/// The digits at its beginning, as C's `atoi` takes them; not below 0.
fn leading_number(word: &str) -> i32 {
    let word = word.strip_prefix('+').unwrap_or(word);
    let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    if end == 0 { 0 } else { word[..end].parse().unwrap_or(i32::MAX) }
}

/// `path_latency`: how many reads, and the base of the scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// Reads.
    pub reads: u16,
    /// Latencies that differ by this factor differ by 1 in priority.
    pub base: f64,
}

impl Latency {
    /// Without arguments, or with bad ones: four steps for a factor of ten.
    pub const DEFAULT: Self = Self { reads: 100, base: 1.778_279_410_04 };

    /// Takes them apart; both must be there.
    pub fn parse(args: &str) -> Result<Self, ArgError> {
        let (mut reads, mut base) = (None, None);
        for word in words(args) {
            if let Some(number) = word.strip_prefix("io_num=") {
                let number = number.parse().ok().filter(|n| (20..=200).contains(n));
                reads = Some(number.ok_or_else(|| not(word, "a number of reads", LATENCY))?);
            } else if let Some(number) = word.strip_prefix("base_num=") {
                let number = number.parse().ok().filter(|n| (1.1..=10.0).contains(n));
                base = Some(number.ok_or_else(|| not(word, "a base", LATENCY))?);
            } else {
                return Err(not(word, "known", LATENCY));
            }
        }
        let missing = |what| ArgError::Missing { what, form: LATENCY };
        Ok(Self {
            reads: reads.ok_or_else(|| missing("io_num"))?,
            base: base.ok_or_else(|| missing("base_num"))?,
        })
    }
}

/// `datacore`: name of the preferred storage server, or a part of it. The time limit is read and not
/// heeded: the check that the question is a part of has its own.
pub fn preferred_server(args: &str) -> Result<&str, ArgError> {
    let mut name = None;
    for word in words(args) {
        if let Some(server) = word.strip_prefix("preferredsds=").filter(|server| !server.is_empty()) {
            name = Some(server);
        } else if word.strip_prefix("timeout=").is_none_or(|ms| ms.parse::<u32>().is_err()) {
            return Err(not(word, "known", SERVER));
        }
    }
    name.ok_or(ArgError::Missing { what: "preferredsds", form: SERVER })
}

/// `iet`: an address, or all that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Takes `preferredip=ADDRESS[/BITS]`.
    pub fn parse(args: &str) -> Result<Self, ArgError> {
        let mut words = words(args);
        let word = words.next().ok_or(ArgError::Missing { what: "preferredip", form: PORTAL })?;
        let bad = || not(word, "a preferred address", PORTAL);
        let text = word.strip_prefix("preferredip=").ok_or_else(bad)?;
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, bits)| (a, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), |bits| bits.parse().ok().filter(|b| *b <= all).ok_or_else(bad))?;
        match words.next() {
            Some(word) => Err(not(word, "known", PORTAL)),
            None => Ok(Self { address, bits }),
        }
    }

    /// Is this address one of it?
    pub fn contains(self, address: IpAddr) -> bool {
        let differ = match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
            (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
            _ => return false,
        };
        differ.leading_zeros() >= u32::from(self.bits)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn arguments_are_checked() {
        use Prioritizer::*;
        for (prio, args, said) in [
            (Alua, "", None),
            (Sysfs, "exclusive_pref_bit", None),
            (Alua, "exclusive", Some("prio_args: `exclusive` is not known")),
            (Const, "whatever", None),
            (WeightedPath, "hbtl 1:.:.:. 2 4:.:.:. 4", None),
            (WeightedPath, "", Some("prio_args lack what to match and priorities")),
            (WeightedPath, "hctl 1 1", Some("prio_args: `hctl` is not one of hbtl, devname, serial, wwn")),
            (WeightedPath, "devname", Some("prio_args lack a priority")),
            (WeightedPath, "devname sda 10 sdb", Some("prio_args lack a priority")),
            (WeightedPath, "devname sda ten", Some("prio_args: `ten` is not a priority")),
            (WeightedPath, "devname sda -1", Some("prio_args: `-1` is not a priority")),
            (
                WeightedPath,
                "hbtl *:0:0:. 1",
                Some(
                    "prio_args: bad regular expression `*:0:0:.`: nothing to repeat before `*`, `+`, `?` or `{`",
                ),
            ),
            (PathLatency, "io_num=20\tbase_num=10", None),
            (PathLatency, "base_num=1.5 io_num=200", None),
            (PathLatency, "", Some("prio_args lack io_num")),
            (PathLatency, "io_num=20", Some("prio_args lack base_num")),
            (PathLatency, "io_num=19 base_num=10", Some("prio_args: `io_num=19` is not a number of reads")),
            (PathLatency, "io_num=20 base_num=1.0", Some("prio_args: `base_num=1.0` is not a base")),
            (PathLatency, "io_num=20 base_num=NaN", Some("prio_args: `base_num=NaN` is not a base")),
            (Datacore, "preferredsds=a", None),
            (Datacore, "timeout=100 preferredsds=sds1", None),
            (Datacore, "timeout=100", Some("prio_args lack preferredsds")),
            (Datacore, "preferredsds=", Some("prio_args: `preferredsds=` is not known")),
            (Datacore, "preferredsds=a timeout=x", Some("prio_args: `timeout=x` is not known")),
            (Iet, "preferredip=10.11.12.13", None),
            (Iet, "preferredip=10.11.0.0/16", None),
            (Iet, "preferredip=fe80::/10", None),
            (Iet, "", Some("prio_args lack preferredip")),
            (
                Iet,
                "preferredip=10.11.12",
                Some("prio_args: `preferredip=10.11.12` is not a preferred address"),
            ),
            (
                Iet,
                "preferredip=1.2.3.4/33",
                Some("prio_args: `preferredip=1.2.3.4/33` is not a preferred address"),
            ),
            (Iet, "preferredip=1.2.3.4 x", Some("prio_args: `x` is not known")),
        ] {
            let error = check(prio, args).err();
            assert_eq!(error.as_ref().map(ToString::to_string).as_deref(), said, "{prio:?} {args}");
            assert!(error.is_none_or(|error| !error.form().is_empty()));
        }
    }

    #[test]
    fn the_first_pattern_that_matches_weighs() {
        for (args, subject, expected) in [
            ("hbtl 1:.:.:. 2 4:.:.:. 4", "4:0:0:1", 4),
            ("hbtl 1:.:.:. 2 4:.:.:. 4", "1:0:0:1", 2),
            ("hbtl 1:.:.:. 2 4:.:.:. 4", "2:0:0:1", 0),
            ("devname sd.e 10 sd 5", "sdae", 10),
            ("devname sd.e 10 sd 5", "sdb", 5),
            ("devname *x 10 sda 5", "sda", 5),
            ("devname sda 10x", "sda", 10),
            ("devname sda x", "sda", 0),
            ("devname sda -4", "sda", 0),
            ("devname sda +7", "sda", 7),
            ("devname sda 99999999999", "sda", i32::MAX),
            ("devname sda", "sda", 0),
        ] {
            assert_eq!(Weights::parse(args).unwrap().rate(subject), expected, "{args} {subject}");
        }
    }

    #[test]
    fn networks() {
        for (args, address, contains) in [
            ("preferredip=10.0.0.1", "10.0.0.1", true),
            ("preferredip=10.0.0.1", "10.0.0.11", false),
            ("preferredip=10.0.0.11", "10.0.0.1", false),
            ("preferredip=10.0.0.0/30", "10.0.0.3", true),
            ("preferredip=10.0.0.0/30", "10.0.0.4", false),
            ("preferredip=0.0.0.0/0", "192.168.0.1", true),
            ("preferredip=0.0.0.0/0", "::1", false),
            ("preferredip=fe80::/10", "febf::1", true),
            ("preferredip=fe80::/10", "fec0::1", false),
            ("preferredip=::1", "::1", true),
        ] {
            let network = Network::parse(args).unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), contains, "{args} {address}");
        }
    }
}
