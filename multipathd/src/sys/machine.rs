//! What the machine knows and no file of ours says: names of users, and who looks after NVMe.

use libmp::config::kind::Accounts;
use nix::unistd::{Group, User};

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
