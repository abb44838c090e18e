//! A configuration as a value: what the daemon reads as text, the simulator knows by construction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use crate::rng::Rng;

/// `no_path_retry`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    Fail,
    Queue,
    Checks(u32),
}

/// `path_grouping_policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    Failover,
    Multibus,
    ByPrio,
    BySerial,
    ByNodeName,
    ByTpg,
}

impl Grouping {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Multibus => "multibus",
            Self::ByPrio => "group_by_prio",
            Self::BySerial => "group_by_serial",
            Self::ByNodeName => "group_by_node_name",
            Self::ByTpg => "group_by_tpg",
        }
    }
}

/// `find_multipaths`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Find {
    Strict,
    Off,
    On,
    Greedy,
    Smart,
}

impl Find {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Strict, "strict"),
        (Self::Off, "off"),
        (Self::On, "on"),
        (Self::Greedy, "greedy"),
        (Self::Smart, "smart"),
    ];

    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(find, _)| *find == self).map_or("", |(_, word)| word)
    }
}

/// `detect_pgpolicy` and `detect_pgpolicy_use_tpg`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detect {
    Nothing,
    ByPrio,
    ByTpg,
}

/// The settings that the simulator varies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conf {
    pub find: Find,
    pub polling_s: u64,
    pub max_polling_s: u64,
    pub retry: Retry,
    pub grouping: Grouping,
    /// Paths whose priorities turn out to be ALUA's are grouped by that.
    pub detect_pgpolicy: Detect,
    pub failback: &'static str,
    pub checker: &'static str,
    pub detect_checker: bool,
    pub prio: &'static str,
    pub detect_prio: bool,
    pub friendly_names: bool,
    pub flush_on_last_del: &'static str,
    pub deferred_remove: bool,
    pub queue_without_daemon: bool,
    /// WWID → alias
    pub aliases: BTreeMap<String, String>,
    /// WWIDs that are excluded.
    pub blacklist: BTreeSet<String>,
    /// Disks that are excluded by their names.
    pub devnodes: BTreeSet<String>,
    /// Lines added to `defaults` by scripts.
    pub extra: Vec<String>,
}

impl Default for Conf {
    fn default() -> Self {
        Self {
            find: Find::Greedy,
            polling_s: 5,
            max_polling_s: 20,
            retry: Retry::Fail,
            grouping: Grouping::Multibus,
            detect_pgpolicy: Detect::Nothing,
            failback: "immediate",
            checker: "tur",
            detect_checker: false,
            prio: "const",
            detect_prio: false,
            friendly_names: true,
            flush_on_last_del: "unused",
            deferred_remove: false,
            queue_without_daemon: false,
            aliases: BTreeMap::new(),
            blacklist: BTreeSet::new(),
            devnodes: BTreeSet::new(),
            extra: Vec::new(),
        }
    }
}

const fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// Options that the simulator need not know to judge what becomes of them.
fn random_extra(rng: &mut Rng) -> Vec<String> {
    const LINES: &[(u32, &str)] = &[
        (300, "fast_io_fail_tmo 90"),
        (200, "fast_io_fail_tmo off"),
        (300, "dev_loss_tmo 30"),
        (100, "dev_loss_tmo infinity"),
        (200, "eh_deadline 20"),
        (200, "max_retries 2"),
        (200, "max_sectors_kb 512"),
        (150, "flap_dampening no"),
        (150, "recheck_wwid yes"),
        (150, "auto_resize grow_only"),
        (150, "auto_resize grow_shrink"),
        (100, "purge_disconnected yes"),
        (150, "delay_watch_checks 3\n\tdelay_wait_checks 4"),
        (150, "skip_kpartx yes"),
        (150, "ghost_delay 20"),
        (100, "checker_timeout 3"),
        (100, "checker_timeout 90"),
        (100, "retrigger_tries 0"),
        (100, "retrigger_tries 1\n\tretrigger_delay 1"),
        (150, "alias_prefix lun_"),
        (100, "retain_attached_hw_handler no"),
        (100, "path_selector \"round-robin 0\""),
        (100, "path_selector \"queue-length 0\""),
        (150, "log_checker_err once"),
        (150, "features \"2 queue_mode bio\""),
        (100, "san_path_err_threshold 2\n\tsan_path_err_forget_rate 4\n\tsan_path_err_recovery_time 30"),
        (
            100,
            "marginal_path_double_failed_time 20\n\tmarginal_path_err_sample_time 120\n\tmarginal_path_err_rate_threshold 10\n\tmarginal_path_err_recheck_gap_time 60",
        ),
        (150, "marginal_pathgroups on"),
        (100, "marginal_pathgroups fpin"),
        (100, "getuid_callout \"/lib/udev/scsi_id --whitelisted --device=/dev/%n\""),
    ];
    LINES.iter().filter(|(chance, _)| rng.per_mille(*chance)).map(|(_, line)| (*line).to_owned()).collect()
}

impl Conf {
    /// Any valid configuration.
    pub fn random(rng: &mut Rng, wwids: &[String]) -> Self {
        let polling_s = rng.within(1..=10);
        let retry = rng.weighted(&[(3, Retry::Fail), (3, Retry::Queue), (3, Retry::Checks(0))]);
        let retry = match retry {
            Retry::Checks(_) => Retry::Checks(u32::try_from(rng.within(1..=12)).expect("small")),
            other => other,
        };
        let mut conf = Self {
            find: rng.weighted(&[
                (4, Find::Greedy),
                (1, Find::Off),
                (2, Find::On),
                (2, Find::Smart),
                (1, Find::Strict),
            ]),
            polling_s,
            max_polling_s: polling_s * rng.within(1..=4),
            retry,
            grouping: rng.weighted(&[
                (1, Grouping::Failover),
                (2, Grouping::Multibus),
                (2, Grouping::ByPrio),
                (1, Grouping::BySerial),
                (1, Grouping::ByNodeName),
                (1, Grouping::ByTpg),
            ]),
            detect_pgpolicy: rng.weighted(&[(3, Detect::Nothing), (1, Detect::ByPrio), (1, Detect::ByTpg)]),
            failback: rng.weighted(&[(3, "immediate"), (1, "manual"), (1, "followover"), (1, "10")]),
            checker: rng.weighted(&[(3, "tur"), (2, "directio"), (1, "readsector0")]),
            detect_checker: rng.per_mille(300),
            prio: rng.weighted(&[(1, "const"), (1, "alua"), (1, "sysfs")]),
            detect_prio: rng.per_mille(500),
            friendly_names: rng.per_mille(600),
            flush_on_last_del: rng.weighted(&[(2, "unused"), (1, "never"), (1, "always")]),
            deferred_remove: rng.per_mille(200),
            queue_without_daemon: rng.per_mille(300),
            ..Self::default()
        };
        conf.extra = random_extra(rng);
        for (number, wwid) in wwids.iter().enumerate() {
            if rng.per_mille(250) {
                // Aliases move between WWIDs from one configuration to the next.
                let alias = format!("vol{}", (number + rng.below(3)) % wwids.len());
                if !conf.aliases.values().any(|a| *a == alias) {
                    conf.aliases.insert(wwid.clone(), alias);
                }
            } else if rng.per_mille(40) {
                conf.blacklist.insert(wwid.clone());
            }
        }
        conf
    }

    /// The text of multipath.conf.
    pub fn text(&self) -> String {
        let retry = match self.retry {
            Retry::Fail => "fail".to_owned(),
            Retry::Queue => "queue".to_owned(),
            Retry::Checks(n) => n.to_string(),
        };
        let mut out = String::from("defaults {\n");
        for (key, value) in [
            ("find_multipaths", self.find.as_str()),
            ("detect_checker", yes(self.detect_checker)),
            ("polling_interval", self.polling_s.to_string().as_str()),
            ("max_polling_interval", self.max_polling_s.to_string().as_str()),
            ("no_path_retry", &retry),
            ("path_grouping_policy", self.grouping.as_str()),
            ("detect_pgpolicy", yes(self.detect_pgpolicy != Detect::Nothing)),
            ("detect_pgpolicy_use_tpg", yes(self.detect_pgpolicy == Detect::ByTpg)),
            ("failback", self.failback),
            ("path_checker", self.checker),
            ("prio", self.prio),
            ("detect_prio", yes(self.detect_prio)),
            ("user_friendly_names", yes(self.friendly_names)),
            ("flush_on_last_del", self.flush_on_last_del),
            ("deferred_remove", yes(self.deferred_remove)),
            ("queue_without_daemon", yes(self.queue_without_daemon)),
        ] {
            let _ = writeln!(out, "\t{key} {value}");
        }
        for line in &self.extra {
            let _ = writeln!(out, "\t{line}");
        }
        out.push_str("}\nmultipaths {\n");
        for (wwid, alias) in &self.aliases {
            let _ = writeln!(out, "\tmultipath {{\n\t\twwid {wwid}\n\t\talias {alias}\n\t}}");
        }
        out.push_str("}\nblacklist {\n");
        for wwid in &self.blacklist {
            let _ = writeln!(out, "\twwid {wwid}");
        }
        for name in &self.devnodes {
            let _ = writeln!(out, "\tdevnode ^{name}$");
        }
        out.push_str("}\n");
        out
    }

    /// What a line added by a script means for the simulator itself.
    pub fn adopt_extra(&mut self) {
        for line in std::mem::take(&mut self.extra) {
            let (key, value) = line.split_once(' ').unwrap_or((&line, ""));
            match (key, value) {
                ("no_path_retry", "queue") => self.retry = Retry::Queue,
                ("no_path_retry", "fail") => self.retry = Retry::Fail,
                ("no_path_retry", n) => self.retry = n.parse().map_or(Retry::Fail, Retry::Checks),
                ("path_grouping_policy", "failover") => self.grouping = Grouping::Failover,
                ("path_grouping_policy", "group_by_prio") => self.grouping = Grouping::ByPrio,
                ("path_grouping_policy", "multibus") => self.grouping = Grouping::Multibus,
                ("path_grouping_policy", "group_by_tpg") => self.grouping = Grouping::ByTpg,
                ("polling_interval", n) => self.polling_s = n.parse().unwrap_or(self.polling_s),
                ("max_polling_interval", n) => self.max_polling_s = n.parse().unwrap_or(self.max_polling_s),
                ("user_friendly_names", is) => self.friendly_names = is == "yes",
                ("deferred_remove", is) => self.deferred_remove = is == "yes",
                ("queue_without_daemon", is) => self.queue_without_daemon = is == "yes",
                ("find_multipaths", is) if Find::ALL.iter().any(|(_, word)| *word == is) => {
                    self.find =
                        Find::ALL.iter().find(|(_, word)| *word == is).map_or(self.find, |(find, _)| *find);
                }
                ("detect_pgpolicy", "no") => self.detect_pgpolicy = Detect::Nothing,
                ("detect_pgpolicy", "yes") => self.detect_pgpolicy = Detect::ByPrio,
                ("detect_pgpolicy_use_tpg", "yes") => self.detect_pgpolicy = Detect::ByTpg,
                ("detect_checker", is) => self.detect_checker = is == "yes",
                ("detect_prio", is) => self.detect_prio = is == "yes",
                ("path_checker", "tur") => self.checker = "tur",
                ("path_checker", "directio") => self.checker = "directio",
                ("prio", "alua") => self.prio = "alua",
                ("failback", "manual") => self.failback = "manual",
                ("failback", "followover") => self.failback = "followover",
                ("failback", "immediate") => self.failback = "immediate",
                ("flush_on_last_del", "never") => self.flush_on_last_del = "never",
                ("flush_on_last_del", "unused") => self.flush_on_last_del = "unused",
                ("flush_on_last_del", "always") => self.flush_on_last_del = "always",
                _ => self.extra.push(line),
            }
        }
    }

    /// Is a disk called by the pages that the kernel has read of it, whatever udev says (`getuid_callout`)?
    pub fn by_pages(&self) -> bool {
        self.extra.iter().any(|line| line.starts_with("getuid_callout "))
    }

    /// For how long a map without paths may queue; `None`: for ever.
    pub fn queues_for(&self) -> Option<Duration> {
        match self.retry {
            Retry::Fail => Some(Duration::ZERO),
            Retry::Queue => None,
            Retry::Checks(n) => Some(Duration::from_secs(u64::from(n) * self.polling_s)),
        }
    }
}
