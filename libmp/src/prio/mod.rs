//! Raw answers of a device → the priority of its path. One file per prioritizer; none does I/O.

use alloc::string::String;

use crate::check::ScsiReply;
use crate::types::Errno;

/// What must be read for a priority; nothing for those that are computed from what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrioIo {
    /// SCSI REPORT TARGET PORT GROUPS (SPC-4 6.37), and INQUIRY VPD page 0x83 from sysfs.
    ReportTargetPortGroups,
    /// `device/access_state` and `device/preferred_path` in sysfs.
    SysfsAccessState,
}

/// What came back from a [`PrioIo`], unjudged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawPrio {
    /// The answer to REPORT TARGET PORT GROUPS.
    Rtpg(Result<ScsiReply, Errno>),
    /// The two sysfs attributes, trimmed; `None` where one can't be read.
    Sysfs {
        /// `active/optimized`, `active/non-optimized`, `standby`, …
        access_state: Option<String>,
        /// `0` or `1`.
        preferred_path: Option<String>,
    },
}
