//! What the machine knows and no file of ours says: names of users, and who looks after NVMe.

use libmp::config::kind::Accounts;
use nix::unistd::{Group, User};

/// Where udev looks for its rules.
const RULES: [&str; 4] =
    ["/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d"];
const NATIVE_NVME: &str = "/sys/module/nvme_core/parameters/multipath";

/// The system's users and groups. A look-up may block: they can be on a server.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Accounts for System {
    fn user(&self, name: &str) -> Option<u32> {
        Some(User::from_name(name).ok()??.uid.as_raw())
    }

    fn group(&self, name: &str) -> Option<u32> {
        Some(Group::from_name(name).ok()??.gid.as_raw())
    }
}

/// Does the kernel do the multipathing of NVMe by itself?
pub fn native_nvme_multipath() -> bool {
    std::fs::read_to_string(NATIVE_NVME).is_ok_and(|value| value.trim() == "Y")
}

/// Has udev rules of multipath's (`60-multipath.rules`), which ask whether a disk is a path? An empty file
/// masks one.
pub fn has_udev_rules() -> bool {
    let entries = RULES.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().filter_map(Result::ok);
    let mut rules = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with("-multipath.rules"));
    rules.any(|entry| std::fs::metadata(entry.path()).is_ok_and(|file| file.len() > 0))
}
