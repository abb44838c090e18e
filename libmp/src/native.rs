//! The kernel's own multipathing of NVMe (`nvme_core.multipath=Y`): namespaces whose paths it looks after by itself.
//!
//! They are shown where `enable_foreign` says so, and left alone.

use alloc::string::String;
use alloc::vec::Vec;

use crate::identify::vpd::printable;
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

impl Namespace {
    /// Whoever made the subsystem has named it, its model and its firmware: what would not print, or end a line, is `?`.
    pub(crate) fn make_printable(&mut self) {
        let own = [&mut self.wwid, &mut self.nqn, &mut self.model, &mut self.firmware];
        own.into_iter().chain(self.paths.iter_mut().flat_map(NamespacePath::texts)).for_each(|text| {
            if text.contains(char::is_control) {
                *text = printable(text.as_bytes());
            }
        });
    }
}

impl NamespacePath {
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let told = [&mut self.wwid, &mut self.transport, &mut self.address, &mut self.model];
        let told = told.into_iter().chain([&mut self.firmware, &mut self.serial]);
        told.chain(self.access.as_mut()).chain(self.state.as_mut())
    }
}
