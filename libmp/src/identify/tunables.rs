//! What can be set in the layers below a path: attributes of its disk, its host and its transport.

use ::core::fmt;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use super::RawProbe;

/// An attribute that is written, where it differs from what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunable {
    /// Largest request on the disk, in KiB.
    MaxSectorsKb,
    /// Longest error handling of its host, in seconds, or `off`.
    EhDeadline,
    /// How often a command is repeated; -1 for the driver's default.
    MaxRetries,
    /// When I/O to a lost Fibre Channel port fails, in seconds, or `off`.
    FastIoFail,
    /// When a lost Fibre Channel port is removed, in seconds.
    DevLoss,
    /// When I/O of a lost iSCSI session fails, in seconds.
    Recovery,
    /// When a SAS device counts as lost.
    NexusLoss,
}

impl Tunable {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::MaxSectorsKb,
        Self::EhDeadline,
        Self::MaxRetries,
        Self::FastIoFail,
        Self::DevLoss,
        Self::Recovery,
        Self::NexusLoss,
    ];

    /// Its name in `Effect::SysfsWrite`, and, but for the first, in `RawProbe::transport`.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::MaxSectorsKb => "queue/max_sectors_kb",
            Self::EhDeadline => "scsi_host/eh_deadline",
            Self::MaxRetries => "scsi_disk/max_retries",
            Self::FastIoFail => "fc_remote_ports/fast_io_fail_tmo",
            Self::DevLoss => "fc_remote_ports/dev_loss_tmo",
            Self::Recovery => "iscsi_session/recovery_tmo",
            Self::NexusLoss => "sas_end_device/I_T_nexus_loss_timeout",
        }
    }
}

impl fmt::Display for Tunable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.attribute())
    }
}

/// Values of attributes, as sysfs has them or is to have them.
pub type Values = BTreeMap<Tunable, String>;

/// What there is to be set, and how it stands.
pub(super) fn found(raw: &RawProbe) -> Values {
    let value = |tunable: Tunable| match tunable {
        Tunable::MaxSectorsKb => raw.max_sectors_kb.map(|kb| kb.to_string()),
        other => raw.attr(other.attribute()).map(ToOwned::to_owned),
    };
    Tunable::ALL.into_iter().filter_map(|tunable| Some((tunable, value(tunable)?))).collect()
}
