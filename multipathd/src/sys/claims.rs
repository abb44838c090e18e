//! Who uses a disk, and what was left for udev's rules in `/run/multipath`: sysfs and files, no device is opened.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libmp::dm::mangle::unmangled;
use libmp::dm::op::wwid_of;
use libmp::types::{DevT, PathName, Wwid};

use super::sysfs::{partitions, read_whole};

const BLOCK: &str = "/sys/block";
/// WWIDs of which no map could be made, a file each.
const FAILED: &str = "/run/multipath/failed_wwids";
/// Disks that a second path is waited for, a file each: when it was last changed is when the wait ends.
const WAITS: &str = "/run/multipath/find_multipaths";

/// Names of what is in a directory; nothing where there is none.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn text(path: &Path) -> Option<String> {
    let bytes = read_whole(&File::open(path).ok()?).ok()?;
    String::from_utf8(bytes).ok().map(|text| text.trim().into())
}

/// WWID of the multipath map that a device-mapper device (`dm-3`) is; `None` for others.
pub fn map_wwid(name: &str) -> Option<Wwid> {
    wwid_of(&unmangled(&text(&Path::new(BLOCK).join(name).join("dm/uuid"))?))
}

/// WWIDs of all multipath maps.
pub fn map_wwids() -> BTreeSet<Wwid> {
    names(Path::new(BLOCK))
        .iter()
        .filter(|name| name.starts_with("dm-"))
        .filter_map(|name| map_wwid(name))
        .collect()
}

/// Is a multipath map among those that hold the disk?
pub fn is_in_map(disk: &PathName) -> bool {
    let holders = names(&Path::new(BLOCK).join(disk.as_str()).join("holders"));
    holders.iter().any(|holder| map_wwid(holder).is_some())
}

/// Is the disk, or a partition of it, held by another device, mounted, part of a mounted btrfs, or swapped to?
pub fn is_in_use(disk: &PathName) -> bool {
    let dir = Path::new(BLOCK).join(disk.as_str());
    let mut parts: Vec<(String, PathBuf)> = vec![(disk.as_str().into(), dir)];
    parts.extend(partitions(disk));
    let held = |(_, dir): &(String, PathBuf)| !names(&dir.join("holders")).is_empty();
    if parts.iter().any(held) {
        return true;
    }
    let numbers: BTreeSet<String> = parts.iter().filter_map(|(_, dir)| text(&dir.join("dev"))).collect();
    let nodes: BTreeSet<String> = parts.iter().map(|(name, _)| name.replace('!', "/")).collect();
    let is_node = |path: &str| {
        // A link in /dev leads to a node; neither is opened.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.into());
        real.strip_prefix("/dev").is_ok_and(|node| nodes.contains(&*node.to_string_lossy()))
    };
    // Names in it may be of any bytes.
    let read = |path: &str| super::text_of(Path::new(path));
    let mounted = read("/proc/self/mountinfo").lines().any(|line| {
        let mut words = line.split(' ');
        let source = line.split_once(" - ").and_then(|(_, rest)| rest.split(' ').nth(1));
        words.nth(2).is_some_and(|number| numbers.contains(number))
            || source.is_some_and(|source| source.starts_with("/dev/") && is_node(source))
    });
    let swapped = || {
        let swaps = read("/proc/swaps");
        swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next()).any(is_node)
    };
    let in_btrfs = || {
        let systems = Path::new("/sys/fs/btrfs");
        names(systems).iter().any(|system| {
            let devices = systems.join(system).join("devices");
            nodes.iter().any(|node| devices.join(node.replace('/', "!")).exists())
        })
    };
    mounted || swapped() || in_btrfs()
}

/// `device/state` of the disk with this number: nothing where there is no such disk, nothing inside where it has no state.
pub fn state_of(devt: DevT) -> Option<Option<String>> {
    let dir = Path::new("/sys/dev/block").join(devt.to_string());
    dir.exists().then(|| text(&dir.join("device/state")))
}

/// Where the mark of a failed WWID is. A WWID comes from a device: one that is no file's name has none.
fn failed_mark(wwid: &Wwid) -> Option<PathBuf> {
    let name = wwid.as_str();
    let is_name = !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..";
    is_name.then(|| Path::new(FAILED).join(name))
}

/// Has making a map of it failed?
pub fn has_failed(wwid: &Wwid) -> bool {
    failed_mark(wwid).is_some_and(|mark| fs::symlink_metadata(mark).is_ok())
}

/// Marks a WWID as one that no map could be made of, or takes its mark away.
pub fn mark(wwid: &Wwid, failed: bool) -> io::Result<()> {
    let Some(mark) = failed_mark(wwid) else { return Ok(()) };
    if failed {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(FAILED)?;
        return OpenOptions::new().write(true).create(true).truncate(false).mode(0o400).open(mark).map(drop);
    }
    match fs::remove_file(mark) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Seconds since 1970.
pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// When the wait for a second path of this disk ends, in time since 1970. Where none was begun, one of this length is; of
/// none, none.
pub fn wait_until(disk: DevT, length: Option<Duration>) -> io::Result<Option<Duration>> {
    let path = Path::new(WAITS).join(disk.to_string());
    loop {
        match File::open(&path) {
            Ok(file) => {
                let end = file.metadata()?.modified()?;
                return Ok(Some(end.duration_since(UNIX_EPOCH).unwrap_or_default()));
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        let Some(length) = length.filter(|length| !length.is_zero()) else { return Ok(None) };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(WAITS)?;
        match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path) {
            Ok(file) => file.set_times(FileTimes::new().set_modified(SystemTime::now() + length))?,
            // Another event of the same disk was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wwid_is_never_trusted_as_a_file_name() {
        for wwid in ["", ".", "..", "../../etc/passwd", "a/b", "a\0b"] {
            assert_eq!(failed_mark(&wwid.into()), None, "{wwid:?}");
        }
        assert_eq!(failed_mark(&"3600a".into()), Some(PathBuf::from("/run/multipath/failed_wwids/3600a")));
    }
}
