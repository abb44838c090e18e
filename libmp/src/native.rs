//! The kernel's own multipathing of NVMe (`nvme_core.multipath=Y`): namespaces whose paths it looks after by itself.
//!
//! They are shown where `enable_foreign` says so, and left alone.

use alloc::string::String;
use alloc::vec::Vec;

use crate::types::{DevT, PathName};

/// A namespace that the kernel has put together from its paths, as sysfs tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Kernel name, `nvme0n1`.
    pub name: PathName,
    /// Its identifier: `uuid.…`, `eui.…`, `nvme.…`.
    pub wwid: String,
    /// Number of the namespace in its subsystem.
    pub nsid: u32,
    /// In 512-byte sectors.
    pub sectors: u64,
    /// Can it only be read?
    pub read_only: Option<bool>,
    /// NVMe qualified name of the subsystem.
    pub nqn: String,
    /// Model of the subsystem.
    pub model: String,
    /// Its firmware.
    pub firmware: String,
    /// Its paths, by the names of their controllers.
    pub paths: Vec<NamespacePath>,
}

/// One of its paths: a controller, and the namespace as it is seen through that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespacePath {
    /// Kernel name, `nvme0c1n1`.
    pub name: PathName,
    /// The same as its namespace's, if all is well.
    pub wwid: String,
    /// Its device number; hidden ones have none.
    pub devt: DevT,
    /// In 512-byte sectors.
    pub sectors: u64,
    /// Asymmetric access (`optimized`, `non-optimized`, `inaccessible`, …), where the controller has that.
    pub access: Option<String>,
    /// State of the controller: `live`, `connecting`, …
    pub state: Option<String>,
    /// `tcp`, `rdma`, `fc`, `pcie`, `loop`.
    pub transport: String,
    /// Where it is, in the transport's words.
    pub address: String,
    /// Model of the controller.
    pub model: String,
    /// Its firmware.
    pub firmware: String,
    /// Its serial number.
    pub serial: String,
}
