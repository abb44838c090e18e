//! What can be set below a disk, by the rules of `scsi_transport_fc`, the host and the disk's driver.

use std::collections::BTreeMap;

use libmp::types::Errno;

/// A remote port takes no longer `dev_loss_tmo` without a `fast_io_fail_tmo`, in seconds.
const WITHOUT_FAST_FAIL_S: u32 = 600;

/// The settings below one disk. Every disk has a port of its own here.
#[derive(Debug, Clone)]
pub struct Layers {
    pub fast_io_fail_s: Option<u32>,
    pub dev_loss_s: u32,
    pub eh_deadline_s: Option<u32>,
    pub max_retries: i32,
    pub max_sectors_kb: u64,
    /// The port is marginal, as far as the transport is told.
    pub marginal_port: bool,
    /// How often any of them was written.
    pub writes: u32,
    /// A write failed.
    pub spoilt: bool,
}

impl Default for Layers {
    fn default() -> Self {
        Self {
            fast_io_fail_s: None,
            dev_loss_s: 60,
            eh_deadline_s: None,
            max_retries: 5,
            max_sectors_kb: 1280,
            marginal_port: false,
            writes: 0,
            spoilt: false,
        }
    }
}

fn off(limit: Option<u32>) -> String {
    limit.map_or_else(|| "off".into(), |seconds| seconds.to_string())
}

impl Layers {
    /// As a probe reads them.
    pub fn show(&self, into: &mut BTreeMap<String, String>) {
        let mut set = |name: &str, value: String| {
            into.insert(name.into(), value);
        };
        set("fc_remote_ports/fast_io_fail_tmo", off(self.fast_io_fail_s));
        set("fc_remote_ports/dev_loss_tmo", self.dev_loss_s.to_string());
        set("fc_remote_ports/port_state", if self.marginal_port { "Marginal" } else { "Online" }.into());
        set("scsi_host/eh_deadline", off(self.eh_deadline_s));
        set("scsi_disk/max_retries", self.max_retries.to_string());
    }

    /// A write to an attribute; `None`: it is none of these. The times of a port that is `lost` can't be set
    /// (`fc_rport_set_dev_loss_tmo`, `store_fc_rport_fast_io_fail_tmo`).
    pub fn write(&mut self, attribute: &str, value: &str, lost: bool) -> Option<Result<(), Errno>> {
        if lost && attribute.starts_with("fc_remote_ports/") && attribute.ends_with("_tmo") {
            return Some(Err(Errno::EBUSY));
        }
        let number = || value.parse::<u32>().map_err(|_| Errno::EINVAL);
        let limit = || if value == "off" { Ok(None) } else { number().map(Some) };
        let result = match attribute {
            "fc_remote_ports/fast_io_fail_tmo" => limit().and_then(|limit| {
                if limit.is_some_and(|fast| fast >= self.dev_loss_s || fast > WITHOUT_FAST_FAIL_S) {
                    return Err(Errno::EINVAL);
                }
                self.fast_io_fail_s = limit;
                Ok(())
            }),
            "fc_remote_ports/dev_loss_tmo" => number().and_then(|lost| {
                if self.fast_io_fail_s.is_none() && lost > WITHOUT_FAST_FAIL_S {
                    return Err(Errno::EINVAL);
                }
                self.dev_loss_s = lost;
                Ok(())
            }),
            "fc_remote_ports/port_state" => match value {
                "Marginal" | "Online" => {
                    self.marginal_port = value == "Marginal";
                    Ok(())
                }
                _ => Err(Errno::EINVAL),
            },
            "scsi_host/eh_deadline" => limit().map(|limit| self.eh_deadline_s = limit),
            "scsi_disk/max_retries" => {
                value.parse().map(|retries| self.max_retries = retries).map_err(|_| Errno::EINVAL)
            }
            "queue/max_sectors_kb" => {
                value.parse().map(|kb| self.max_sectors_kb = kb).map_err(|_| Errno::EINVAL)
            }
            _ => return None,
        };
        self.writes += 1;
        Some(result)
    }
}
