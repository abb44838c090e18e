//! What is done about paths that come and go: tests with I/O, counting of failures, waiting.

use core::time::Duration;

use super::Config;
use super::options::Key;
use super::resolve::Stack;

/// A test with I/O lasts at least so long, in seconds: twice the time that one read may take.
pub(super) const SHORTEST_SAMPLE_S: u64 = 120;

/// What holds for the paths of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaky {
    /// How it is found out that a path is marginal; `None`: only an operator can say so.
    pub test: Option<Test>,
    /// Marginal paths go to groups of their own, and are used last; else they are not used.
    pub own_groups: bool,
    /// A path that fails again and again waits before it is used again.
    pub dampening: bool,
}

/// How it is found out that a path is marginal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// `marginal_path_*`: two failures in a time, then reads for a time.
    Reads {
        /// Two failures within this time make it suspicious.
        within: Duration,
        /// So long it is read from.
        sample: Duration,
        /// More errors than that in a thousand reads, and it is marginal.
        per_mille: u32,
        /// So long it is left alone before it is read from again.
        gap: Duration,
    },
    /// `san_path_err_*`, and `delay_*` in their words.
    Failures {
        /// With more failures than that it is not used for a while.
        threshold: u32,
        /// So many good checks make up for one failure.
        forget: u32,
        /// So long it is not used.
        recovery: Duration,
    },
}

impl Config {
    /// What `stack` says; `delay_*` are counted in checks of the longest interval.
    pub(super) fn flaky(&self, stack: &Stack<'_>) -> Flaky {
        let word = stack.text(Key::MarginalPathgroups);
        // Port groups that the fabric names: nothing else is to make a path marginal then.
        let test = if word == "fpin" { None } else { reads(stack).or_else(|| self.failures(stack)) };
        Flaky { test, own_groups: word != "off", dampening: stack.text(Key::FlapDampening) != "no" }
    }

    fn failures(&self, stack: &Stack<'_>) -> Option<Test> {
        let set = |key| stack.small(key).filter(|number| *number > 0);
        let san = [Key::SanPathErrThreshold, Key::SanPathErrForgetRate, Key::SanPathErrRecoveryTime].map(set);
        let (watch, wait) = (set(Key::DelayWatchChecks), set(Key::DelayWaitChecks));
        let [threshold, forget, recovery] = match (san, watch, wait) {
            ([None, None, None], watch, wait) if watch.or(wait).is_some() => {
                let longest = self.polling_intervals().1;
                [Some(1), watch, wait.map(|checks| checks.saturating_mul(longest))]
            }
            _ => san,
        };
        let recovery = Duration::from_secs(recovery?.into());
        Some(Test::Failures { threshold: threshold?, forget: forget?, recovery })
    }
}

fn reads(stack: &Stack<'_>) -> Option<Test> {
    let seconds = |key| stack.seconds(key).filter(|time| !time.is_zero());
    Some(Test::Reads {
        within: seconds(Key::MarginalPathDoubleFailedTime)?,
        sample: seconds(Key::MarginalPathErrSampleTime)?.max(Duration::from_secs(SHORTEST_SAMPLE_S)),
        per_mille: stack.small(Key::MarginalPathErrRateThreshold)?,
        gap: seconds(Key::MarginalPathErrRecheckGapTime)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;
    use crate::core::path::UNKNOWN_DEVICE;
    use crate::types::Wwid;

    fn flaky(lines: &str) -> Flaky {
        let text = alloc::format!("defaults {{\n max_polling_interval 20\n{lines}\n}}\n");
        let (config, _) = Config::load(&[Source { name: "f", text: &text }]);
        config.map_settings(&UNKNOWN_DEVICE, &Wwid::new("3")).flaky
    }

    #[test]
    fn all_of_a_kind_or_none() {
        const READS: &str = "marginal_path_double_failed_time 60\nmarginal_path_err_rate_threshold 5\n\
                             marginal_path_err_recheck_gap_time 300\nmarginal_path_err_sample_time";
        let seconds = Duration::from_secs;
        let failures = |threshold, forget, recovery| {
            Some(Test::Failures { threshold, forget, recovery: seconds(recovery) })
        };
        let reads = |sample| {
            Some(Test::Reads {
                within: seconds(60),
                sample: seconds(sample),
                per_mille: 5,
                gap: seconds(300),
            })
        };
        let san = "san_path_err_threshold 3\nsan_path_err_forget_rate 4\nsan_path_err_recovery_time 50";
        let reads_and_san = alloc::format!("{READS} 200\n{san}");
        for (lines, test) in [
            ("", None),
            (san, failures(3, 4, 50)),
            ("san_path_err_threshold 3\nsan_path_err_forget_rate 4", None),
            ("delay_watch_checks 7\ndelay_wait_checks 3", failures(1, 7, 60)),
            ("delay_wait_checks 3", None),
            ("delay_watch_checks 7\ndelay_wait_checks 3\nsan_path_err_threshold 3", None),
            (reads_and_san.as_str(), reads(200)),
            (&alloc::format!("{READS} 10"), reads(120)),
            (&alloc::format!("{READS} no\n{san}"), failures(3, 4, 50)),
            (&alloc::format!("{san}\nmarginal_pathgroups fpin"), None),
        ] {
            assert_eq!(flaky(lines).test, test, "{lines}");
        }
        assert!(flaky("").dampening && !flaky("flap_dampening no").dampening);
        assert!(flaky("marginal_pathgroups on").own_groups && !flaky("").own_groups);
    }
}
