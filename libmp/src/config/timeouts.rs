//! What the transport of a path is told for the time when its remote port is lost: three keywords, and what
//! `no_path_retry` asks of them.
//!
//! The kernel removes the device after `dev_loss_tmo`. It must not do so while a map still waits for its paths, so
//! `no_path_retry` raises it. `fast_io_fail_tmo` must come before it, or it never comes.

use super::Config;
use super::kind::Value;
use super::layers::Origin;
use super::options::Key;
use super::resolve::PathId;
use super::settings::NoPathRetry;

/// `dev_loss_tmo infinity`: 2³² − 1 seconds.
pub const INFINITE: u32 = u32::MAX;
/// Longest `dev_loss_tmo` that a Fibre Channel port takes without a `fast_io_fail_tmo`, in seconds
/// (`SCSI_DEVICE_BLOCK_MAX_TIMEOUT`).
const WITHOUT_FAST_FAIL_S: u32 = 600;
/// A check may be late by so much, in seconds.
const LATE_S: u64 = 5;

/// A time that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// No limit.
    Off,
    /// Seconds.
    After(u32),
}

/// What the transport is told; `None`: it is left as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// When I/O to a lost port fails.
    pub fast_io_fail: Option<Limit>,
    /// When a lost port is removed, in seconds; [`INFINITE`] for never.
    pub dev_loss_s: Option<u32>,
    /// How long the error handler may try before it resets the host.
    pub eh_deadline: Option<Limit>,
    /// How often a failed command is repeated.
    pub max_retries: Option<Retries>,
    /// Why `dev_loss_s` is another than what is set.
    pub loss: Loss,
    /// `fast_io_fail_tmo` would not come before `dev_loss_tmo`: it is off.
    pub never_fast: bool,
    /// The transport has no remote ports, and something is set for them.
    pub unsupported: Option<Wish>,
}

/// Why a port is told another `dev_loss_tmo` than what is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Loss {
    /// It is told what is set, or nothing is set, or the transport takes none.
    #[default]
    AsSet,
    /// It is set, and `no_path_retry` asks for more.
    Raised,
    /// A port takes no more without a `fast_io_fail_tmo`.
    Most,
}

/// Whose wish it is that something is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wish {
    /// A file's.
    OfFile,
    /// Nobody's: a default, or the hardware table.
    Default,
}

/// `max_retries`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retries {
    /// The driver's default.
    Default,
    /// So often.
    Times(u32),
}

impl Config {
    /// What holds for a path in a map that waits like this for paths.
    pub fn timeouts(&self, path: &PathId<'_>, retry: NoPathRetry) -> Timeouts {
        let protocol = path.device.protocol;
        if !protocol.starts_with("scsi:") {
            return Timeouts::default();
        }
        let value = |key| self.resolve(key, Some(&path.device), path.wwid).into_iter().next();
        let limit = |key| value(key).and_then(|found| limit(&found.value));
        let eh_deadline = limit(Key::EhDeadline);
        let max_retries = limit(Key::MaxRetries).map(|limit| match limit {
            Limit::Off => Retries::Default,
            Limit::After(times) => Retries::Times(times),
        });
        let mut fast_io_fail = limit(Key::FastIoFailTmo);
        let asked = value(Key::DevLossTmo).and_then(|found| seconds(&found.value));
        let has_remote_port = matches!(protocol, "scsi:fcp" | "scsi:iscsi" | "scsi:sas");
        if !has_remote_port || (fast_io_fail.is_none() && asked.is_none()) {
            let set = [Key::FastIoFailTmo, Key::DevLossTmo].into_iter().filter_map(value);
            let wish = |by_file| if by_file { Wish::OfFile } else { Wish::Default };
            let unsupported = set.map(|found| wish(matches!(found.origin, Origin::File { .. }))).min();
            return Timeouts { eh_deadline, max_retries, unsupported, ..Timeouts::default() };
        }
        let wished = asked.max(self.wait_s(retry));
        let never_fast =
            matches!((fast_io_fail, wished), (Some(Limit::After(fast @ 1..)), Some(lost)) if fast >= lost);
        if never_fast {
            fast_io_fail = Some(Limit::Off);
        }
        let most = if protocol == "scsi:fcp" { most_of_port(fast_io_fail, retry) } else { INFINITE };
        let dev_loss_s = wished.map(|lost| lost.min(most));
        let loss = match asked {
            // A session has no such time.
            _ if protocol == "scsi:iscsi" => Loss::AsSet,
            _ if dev_loss_s < wished => Loss::Most,
            Some(_) if dev_loss_s > asked => Loss::Raised,
            _ => Loss::AsSet,
        };
        Timeouts { fast_io_fail, dev_loss_s, eh_deadline, max_retries, loss, never_fast, unsupported: None }
    }

    /// How long a map without paths waits for one, with time to spare; `None`: it doesn't.
    fn wait_s(&self, retry: NoPathRetry) -> Option<u32> {
        match retry {
            NoPathRetry::Undef | NoPathRetry::Fail => None,
            NoPathRetry::Queue => Some(INFINITE),
            NoPathRetry::Checks(checks) => {
                let wait = u64::from(checks) * self.globals().polling_interval.as_secs();
                Some(u32::try_from(wait + wait / 60 + LATE_S).unwrap_or(INFINITE))
            }
        }
    }
}

/// The longest `dev_loss_tmo` of a Fibre Channel port: the kernel refuses a longer one where I/O to a lost port never fails.
fn most_of_port(fast_io_fail: Option<Limit>, retry: NoPathRetry) -> u32 {
    match fast_io_fail {
        Some(Limit::After(1..)) => INFINITE,
        // It would take more, and is left so for a map that waits for ever.
        Some(Limit::After(0)) | None if retry == NoPathRetry::Queue => INFINITE,
        Some(Limit::Off | Limit::After(0)) | None => WITHOUT_FAST_FAIL_S,
    }
}

fn limit(value: &Value) -> Option<Limit> {
    match value {
        Value::Word("off") => Some(Limit::Off),
        Value::Word("0") => Some(Limit::After(0)),
        value => seconds(value).map(Limit::After),
    }
}

fn seconds(value: &Value) -> Option<u32> {
    match value {
        Value::Word("infinity") => Some(INFINITE),
        Value::Number(number) => u32::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::DeviceId;
    use crate::config::{Severity, Source};

    fn timeouts(lines: &str, protocol: &str, retry: NoPathRetry) -> (Option<Limit>, Option<u32>) {
        let timeouts = all_of(lines, protocol, retry);
        (timeouts.fast_io_fail, timeouts.dev_loss_s)
    }

    fn all_of(lines: &str, protocol: &str, retry: NoPathRetry) -> Timeouts {
        let text = format!("defaults {{\n polling_interval 10\n{lines}\n}}\n");
        let (config, found) = Config::load(&[Source { name: "f", text: &text }]);
        assert!(found.iter().all(|found| found.severity == Severity::Note), "{lines}: {found:?}");
        let device = DeviceId { vendor: b"V", product: b"P", revision: b"", protocol };
        config.timeouts(&PathId { device, devnode: None, wwid: None }, retry)
    }

    #[test]
    fn a_port_stays_as_long_as_a_map_waits_for_it() {
        use Limit::{After, Off};
        use NoPathRetry::{Checks, Fail, Queue, Undef};
        let cases = [
            ("", Fail, Some(After(5)), None),
            ("dev_loss_tmo 30", Undef, Some(After(5)), Some(30)),
            ("dev_loss_tmo 30", Checks(12), Some(After(5)), Some(127)),
            ("dev_loss_tmo 300", Checks(12), Some(After(5)), Some(300)),
            ("", Checks(12), Some(After(5)), Some(127)),
            ("dev_loss_tmo 30", Queue, Some(After(5)), Some(INFINITE)),
            ("dev_loss_tmo infinity", Fail, Some(After(5)), Some(INFINITE)),
            ("", Checks(u32::MAX), Some(After(5)), Some(INFINITE)),
            ("fast_io_fail_tmo 30\ndev_loss_tmo 30", Fail, Some(Off), Some(30)),
            ("fast_io_fail_tmo 30\ndev_loss_tmo 31", Fail, Some(After(30)), Some(31)),
            ("fast_io_fail_tmo 0\ndev_loss_tmo 9", Fail, Some(After(0)), Some(9)),
            ("fast_io_fail_tmo off\ndev_loss_tmo 3000", Fail, Some(Off), Some(600)),
            ("fast_io_fail_tmo off\ndev_loss_tmo 3000", Queue, Some(Off), Some(600)),
            ("fast_io_fail_tmo 0\ndev_loss_tmo 3000", Queue, Some(After(0)), Some(INFINITE)),
            ("fast_io_fail_tmo 700\ndev_loss_tmo 650", Fail, Some(Off), Some(600)),
        ];
        for (lines, retry, fast, lost) in cases {
            assert_eq!(timeouts(lines, "scsi:fcp", retry), (fast, lost), "{lines} {retry:?}");
        }
        let off = "fast_io_fail_tmo off\ndev_loss_tmo 3000";
        assert_eq!(
            timeouts(off, "scsi:sas", Fail),
            (Some(Off), Some(3000)),
            "only Fibre Channel has the limit"
        );
    }

    #[test]
    fn why_it_is_another_than_what_is_set() {
        use NoPathRetry::{Checks, Fail, Queue};
        for (lines, protocol, retry, loss) in [
            ("dev_loss_tmo 30", "scsi:fcp", Fail, Loss::AsSet),
            ("dev_loss_tmo 30", "scsi:fcp", Queue, Loss::Raised),
            ("dev_loss_tmo 30", "scsi:sas", Checks(12), Loss::Raised),
            ("dev_loss_tmo 30", "scsi:iscsi", Queue, Loss::AsSet),
            ("", "scsi:fcp", Queue, Loss::AsSet),
            ("fast_io_fail_tmo off\ndev_loss_tmo 3000", "scsi:fcp", Queue, Loss::Most),
            ("fast_io_fail_tmo off\ndev_loss_tmo 30", "scsi:fcp", Queue, Loss::Most),
            ("fast_io_fail_tmo off\ndev_loss_tmo 30", "scsi:fcp", Checks(12), Loss::Raised),
            ("fast_io_fail_tmo off\ndev_loss_tmo 600", "scsi:fcp", Fail, Loss::AsSet),
        ] {
            assert_eq!(all_of(lines, protocol, retry).loss, loss, "{lines} {protocol} {retry:?}");
        }
    }

    #[test]
    fn what_has_no_remote_port_is_left_alone() {
        for protocol in ["nvme:tcp", "ccw", "scsi:usb", "undef"] {
            assert_eq!(timeouts("dev_loss_tmo 30", protocol, NoPathRetry::Queue), (None, None), "{protocol}");
        }
    }
}
