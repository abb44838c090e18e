//! `/dev/mapper/NAME`, as the kernel has the name: udev's to make; ours where udev isn't there or doesn't come in time.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use libmp::dm::op::NodeAccess;
use libmp::types::DevT;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

const NODES: &str = "/dev/mapper";
const CONTROL: &str = "control";
const RULE: &str = "rules.d/95-dm-notify.rules";

/// Will udev's rules complete a cookie? udevd runs, and device-mapper's rules are installed. They are looked for until they were
/// found: later, they may be on a map that has no path.
pub(super) fn udev_answers() -> bool {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    let are_there = || {
        let dirs = ["/usr/lib/udev", "/lib/udev", "/etc/udev", "/run/udev"];
        let found = dirs.iter().any(|dir| Path::new(dir).join(RULE).exists());
        INSTALLED.store(found, Ordering::Relaxed);
        found
    };
    Path::new("/run/udev/control").exists() && (INSTALLED.load(Ordering::Relaxed) || are_there())
}

fn path_of(name: &str) -> PathBuf {
    Path::new(NODES).join(name)
}

/// A name that stays inside its directory, and is not that of what all of device-mapper's tools open there.
fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | ".." | CONTROL) && !name.contains('/')
}

fn leads_to(path: &Path, devt: DevT) -> bool {
    fs::metadata(path).is_ok_and(|node| {
        node.file_type().is_block_device() && node.rdev() == makedev(devt.major.into(), devt.minor.into())
    })
}

/// Is its node there, and leads to this device?
pub(super) fn is_right(name: &str, devt: DevT) -> bool {
    is_plain(name) && leads_to(&path_of(name), devt)
}

/// Makes the node where udev has not.
pub(super) fn ensure(name: &str, devt: DevT) -> io::Result<()> {
    let path = path_of(name);
    if !is_plain(name) || leads_to(&path, devt) {
        return Ok(());
    }
    let _ = fs::remove_file(&path);
    let target = format!("dm-{}", devt.minor);
    if leads_to(&Path::new("/dev").join(&target), devt) {
        return symlink(Path::new("..").join(target), path);
    }
    let rdev = makedev(devt.major.into(), devt.minor.into());
    mknod(&path, SFlag::S_IFBLK, Mode::from_bits_truncate(0o600), rdev).map_err(io::Error::from)
}

/// Removes a node that udev has left.
pub(super) fn remove(name: &str) {
    if is_plain(name) && fs::symlink_metadata(path_of(name)).is_ok() {
        let _ = fs::remove_file(path_of(name));
    }
}

/// Gives the node the rights that the configuration asks for.
pub(super) fn set_access(name: &str, access: NodeAccess) -> io::Result<()> {
    let path = path_of(name);
    if !is_plain(name) {
        return Ok(());
    }
    if access.uid.is_some() || access.gid.is_some() {
        chown(&path, access.uid, access.gid)?;
    }
    match access.mode {
        Some(mode) => fs::set_permissions(&path, fs::Permissions::from_mode(mode & 0o777)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_not_leave_the_directory() {
        assert!(is_plain("mpatha") && is_plain("a..b"));
        for bad in ["", ".", "..", "../sda", "a/b", "control"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
