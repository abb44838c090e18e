//! The device of a command line: a node, a number, a kernel name, or the name of a map.

use std::fs;
use std::path::Path;

use libmp::dm::mangle::{LONGEST_NAME, mangled};

/// What kind of thing is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A disk that may be a path.
    Disk,
    /// A device-mapper device.
    Map,
}

/// A block device that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Of which kind.
    pub kind: Kind,
    /// Kernel name.
    pub name: String,
}

impl Device {
    /// Finds it by node (links too), `MAJOR:MINOR`, kernel name or a map's name; `None` where there is none.
    pub fn find(text: &str) -> Option<Self> {
        let named = |name: &str| {
            // As udev escapes it: `cciss/c0d0` is `cciss!c0d0` in sysfs.
            let name = name.replace('/', "!");
            let there = !name.is_empty() && name != "." && name != "..";
            (there && Path::new("/sys/class/block").join(&name).exists()).then_some(name)
        };
        let of_number = || {
            let (major, minor) = text.split_once(':')?;
            let _: (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
            let link = fs::read_link(Path::new("/sys/dev/block").join(text)).ok()?;
            named(link.file_name()?.to_str()?)
        };
        let of_node = || {
            let node = if text.starts_with('/') { fs::canonicalize(text).ok()? } else { text.into() };
            named(node.strip_prefix("/dev").unwrap_or(&node).to_str()?)
        };
        let of_map = || {
            let node = Path::new("/dev/mapper").join(&*mangled(text, LONGEST_NAME).ok()?);
            named(fs::canonicalize(node).ok()?.file_name()?.to_str()?)
        };
        let name = of_number().or_else(of_node).or_else(of_map)?;
        let kind = if name.starts_with("dm-") { Kind::Map } else { Kind::Disk };
        Some(Self { kind, name })
    }
}
