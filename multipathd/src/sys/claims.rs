//! Who uses a disk, and what was left for udev's rules in `/run/multipath`: sysfs and files, no device is opened.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libmp::dm::mangle::unmangled;
use libmp::dm::op::wwid_of;
use libmp::types::{DevT, PathName, Wwid};

use super::since_boot;
use super::sysfs::{partitions, read_whole};

const BLOCK: &str = "/sys/block";
/// WWIDs of which no map could be made, a file each.
const FAILED: &str = "/run/multipath/failed_wwids";
/// Disks that a second path is waited for, a file each: when it was last changed is when the wait ends, by the clock of then.
const WAITS: &str = "/run/multipath/find_multipaths";

/// Names of what is in a directory; nothing where there is none. The error: it can't be listed.
fn listed(dir: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = or_absent(fs::read_dir(dir))? else { return Ok(Vec::new()) };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
    names.filter_map(io::Result::transpose).collect()
}

/// As `listed`, where what can't be listed is as good as nothing.
fn names(dir: &Path) -> Vec<String> {
    listed(dir).unwrap_or_default()
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

/// Is the disk, or a partition of it, held by another device, mounted, part of a mounted btrfs, or swapped to? A multipath map that
/// has it, and may be that of the LUN it was before, is no such use. The error: that can't be told, as this host is short of files, say.
pub fn is_in_use(disk: &PathName) -> io::Result<bool> {
    let dir = Path::new(BLOCK).join(disk.as_str());
    let mut parts: Vec<(String, PathBuf)> = vec![(disk.as_str().into(), dir)];
    parts.extend(partitions(disk)?);
    let mut numbers = BTreeSet::new();
    for (_, dir) in &parts {
        if listed(&dir.join("holders"))?.iter().any(|holder| map_wwid(holder).is_none()) {
            return Ok(true);
        }
        numbers.extend(or_absent(fs::read_to_string(dir.join("dev")))?.map(|text| text.trim().to_owned()));
    }
    let nodes: BTreeSet<String> = parts.iter().map(|(name, _)| name.replace('!', "/")).collect();
    let is_node = |path: &str| {
        // A link in /dev leads to a node; neither is opened.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.into());
        real.strip_prefix("/dev").is_ok_and(|node| nodes.contains(&*node.to_string_lossy()))
    };
    // Names in it may be of any bytes.
    let read = |path: &str| or_absent(super::text_of(Path::new(path))).map(Option::unwrap_or_default);
    if is_mounted(&read("/proc/self/mountinfo")?, &numbers, is_node) {
        return Ok(true);
    }
    let swaps = read("/proc/swaps")?;
    if swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next()).any(is_node) {
        return Ok(true);
    }
    let systems = Path::new("/sys/fs/btrfs");
    Ok(listed(systems)?.iter().any(|system| {
        let devices = systems.join(system).join("devices");
        nodes.iter().any(|node| devices.join(node.replace('/', "!")).exists())
    }))
}

/// Is nothing there?
fn is_absent(error: &io::Error) -> bool {
    // A disk that goes meanwhile: ENODEV of its attributes.
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

fn or_absent<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if is_absent(&error) => Ok(None),
        read => read.map(Some),
    }
}

/// `36 35 8:32 /root /mnt rw … - ext4 /dev/sdc rw` (proc(5)): is a device with one of these numbers mounted, or one with such a node?
///
/// Users who mount a file system of their own (FUSE) choose its source as they like, so a source that is a disk's name says nothing
/// of that disk, and is not even looked at: looking could lead into that file system, and hang there. It counts only of file
/// systems of several disks, which have no disk's number. Those have checked what is in it.
fn is_mounted(mountinfo: &str, numbers: &BTreeSet<String>, is_node: impl Fn(&str) -> bool) -> bool {
    mountinfo.lines().any(|line| {
        let mut words = line.split(' ');
        if words.nth(2).is_some_and(|number| numbers.contains(number)) {
            return true;
        }
        // Blanks in what is before it are written otherwise.
        let mut rest = words.skip_while(|word| *word != "-").skip(1);
        let (kind, source) = (rest.next(), rest.next().unwrap_or_default());
        let mut sources = match kind {
            Some("btrfs") => vec![source],
            // All its disks; links have colons in their names, too.
            Some("bcachefs") => source.split(':').chain([source]).collect(),
            _ => return false,
        };
        sources.retain(|source| source.starts_with("/dev/"));
        sources.into_iter().any(&is_node)
    })
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

/// Has making a map of it failed? The error: that can't be told.
pub fn has_failed(wwid: &Wwid) -> io::Result<bool> {
    let Some(mark) = failed_mark(wwid) else { return Ok(false) };
    Ok(or_absent(fs::symlink_metadata(mark))?.is_some())
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

/// What is left of the wait for a second path of this disk. Where none was begun, one of this length is; of none, none.
pub fn wait_left(disk: DevT, length: Option<Duration>) -> io::Result<Option<Duration>> {
    wait_in(Path::new(WAITS), disk, length)
}

fn wait_in(waits: &Path, disk: DevT, length: Option<Duration>) -> io::Result<Option<Duration>> {
    let path = waits.join(disk.to_string());
    loop {
        match File::open(&path) {
            Ok(file) => return left(&file).map(Some),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        let Some(length) = length.filter(|length| !length.is_zero()) else { return Ok(None) };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(waits)?;
        match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path) {
            Ok(mut file) => {
                writeln!(file, "{}", (since_boot() + length).as_micros())?;
                file.set_times(FileTimes::new().set_modified(SystemTime::now() + length))?;
            }
            // Another event of the same disk was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// The text has the end in microseconds since the machine was started, as the clock may be set while the wait goes on. What another
/// program has begun has no text: there it is when the file was last changed.
fn left(file: &File) -> io::Result<Duration> {
    let text = String::from_utf8(read_whole(file)?).unwrap_or_default();
    if let Ok(until) = text.trim().parse().map(Duration::from_micros) {
        return Ok(until.saturating_sub(since_boot()));
    }
    Ok(file.metadata()?.modified()?.duration_since(SystemTime::now()).unwrap_or_default())
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

    #[test]
    fn users_put_no_disk_to_use() {
        let numbers = BTreeSet::from(["8:32".to_string(), "8:33".to_string()]);
        let tried = |line: &str| {
            let asked = std::cell::RefCell::new(Vec::new());
            let is_node = |source: &str| {
                asked.borrow_mut().push(source.to_string());
                source == "/dev/sdc"
            };
            let mountinfo = format!("22 1 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n{line}\n23 1 odd");
            let mounted = is_mounted(&mountinfo, &numbers, is_node);
            (mounted, asked.into_inner().join(" "))
        };
        for (line, mounted, asked) in [
            ("36 35 8:33 / /mnt rw - ext4 /dev/disk/by-label/data rw", true, ""),
            ("36 35 8:33 / /mnt rw shared:1 master:2 - fuseblk anything rw", true, ""),
            ("36 35 8:3 / /mnt rw - ext4 /dev/sdc rw", false, ""),
            // Whoever likes.
            ("36 35 0:44 / /home/u/m rw - fuse.sshfs /dev/sdc rw,user_id=1000", false, ""),
            ("36 35 0:44 / /home/u/m rw - fuse /dev/sdc rw,user_id=1000", false, ""),
            ("36 35 0:44 / /home/u/m rw - fuse.btrfs /dev/sdc rw,user_id=1000", false, ""),
            ("36 35 0:44 / /home/u/-\\040btrfs\\040/dev/sdc rw - fuse.x /dev/sdc rw", false, ""),
            ("36 35 0:44 / /mnt rw - tmpfs /dev/sdc rw", false, ""),
            ("36 35 0:44 / /mnt rw - nfs server:/dev/sdc rw", false, ""),
            // The kernel has opened them.
            ("36 35 0:44 /@ /mnt rw shared:1 - btrfs /dev/sdc rw", true, "/dev/sdc"),
            ("36 35 0:44 / /mnt rw - btrfs /dev/sdd rw", false, "/dev/sdd"),
            ("36 35 0:44 / /mnt rw - bcachefs /dev/sdb:/dev/sdc rw", true, "/dev/sdb /dev/sdc"),
            ("36 35 0:44 / /mnt rw - bcachefs /dev/sdc rw", true, "/dev/sdc"),
            ("36 35 0:44 / /mnt rw - bcachefs /home/u/image:/dev/sdd rw", false, "/dev/sdd"),
            ("36 35 0:44 / /mnt rw - bcachefs /dev/p:0 rw", false, "/dev/p /dev/p:0"),
            ("36 35 0:44 / /mnt rw - btrfs", false, ""),
        ] {
            assert_eq!(tried(line), (mounted, asked.into()), "{line}");
        }
    }

    #[test]
    fn a_clock_that_is_set_makes_no_wait_longer() {
        let waits = std::env::temp_dir().join(format!("waits-{}", std::process::id()));
        let disk: DevT = "8:16".parse().expect("a number");
        let length = Duration::from_secs(10);
        let left = || wait_in(&waits, disk, Some(length)).expect("read").expect("begun");
        assert_eq!(wait_in(&waits, disk, None).expect("read"), None);
        let is_begun = |left: Duration| left <= length && left > Duration::from_secs(5);
        assert!(is_begun(left()));
        let mark = OpenOptions::new().write(true).open(waits.join("8:16")).expect("there");
        let written = || mark.metadata().and_then(|data| data.modified()).expect("there");
        let by_the_clock = written().duration_since(SystemTime::now()).expect("it is to come");
        assert!(is_begun(by_the_clock), "others go by it: {by_the_clock:?}");
        // As if the clock had been set back, or on, by 5 s.
        for other in [written() + Duration::from_secs(5), written() - Duration::from_secs(10)] {
            mark.set_times(FileTimes::new().set_modified(other)).expect("set");
            assert!(is_begun(left()), "{:?}", left());
        }
        // One that the reference has begun.
        mark.set_len(0).expect("emptied");
        mark.set_times(FileTimes::new().set_modified(SystemTime::now() + Duration::from_mins(1)))
            .expect("set");
        assert!(left() > Duration::from_secs(50));
        fs::remove_dir_all(&waits).expect("removed");
    }
}
