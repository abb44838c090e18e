//! sysfs, INQUIRY, VPD pages and udev's properties → who a path is.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::types::{DevT, Hctl};

/// Everything a probe reads of a path, unjudged. Attributes that can't be read are `None` or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawProbe {
    /// `/sys/block/NAME/dev`.
    pub devt: DevT,
    /// `/sys/block/NAME/size`: 512-byte sectors.
    pub sectors: u64,
    /// `/sys/block/NAME/ro`.
    pub read_only: bool,
    /// Where `/sys/block/NAME` really is (`/devices/pci…/host1/…/1:0:0:0/block/sda`).
    pub syspath: String,
    /// Name of the SCSI device, where it is one.
    pub hctl: Option<Hctl>,
    /// `device/state`.
    pub state: Option<String>,
    /// `device/vendor`, blanks kept, newline cut.
    pub vendor: Vec<u8>,
    /// `device/model`.
    pub model: Vec<u8>,
    /// `device/rev` (`device/firmware_rev` of NVMe).
    pub revision: Vec<u8>,
    /// `device/vpd_pg80`: unit serial number page.
    pub vpd80: Vec<u8>,
    /// `device/vpd_pg83`: device identification page.
    pub vpd83: Vec<u8>,
    /// `device/inquiry`: standard INQUIRY data.
    pub inquiry: Vec<u8>,
    /// `/sys/block/NAME/wwid` (NVMe) or `device/wwid`.
    pub wwid_attr: Option<String>,
    /// `device/dh_state`: name of the attached hardware handler, `detached`.
    pub dh_state: Option<String>,
    /// `device/access_state`.
    pub access_state: Option<String>,
    /// `device/preferred_path`.
    pub preferred_path: Option<String>,
    /// `device/timeout`, seconds.
    pub timeout_s: Option<u64>,
    /// `queue/max_sectors_kb`.
    pub max_sectors_kb: Option<u64>,
    /// Attributes of transports, host and controller, by name (`fc_host/port_name`,
    /// `fc_remote_ports/node_name`, `iscsi_session/targetname`, `transport`, `address`).
    pub transport: BTreeMap<String, String>,
    /// Has udev processed it (is it in udev's database)?
    pub udev_initialized: bool,
    /// udev's properties.
    pub properties: BTreeMap<String, String>,
}
