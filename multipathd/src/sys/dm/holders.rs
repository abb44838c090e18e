//! Who has a device open: other devices on top of it, mounts, swap.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use libmp::dm::mangle::unmangled;
use libmp::types::DevT;
use nix::sys::stat::makedev;

use crate::sys::text_of;

/// What keeps a device from being removed, as far as the kernel says: `vg-root`, `mounted on /mnt`,
/// `swap`. An open by a program alone is not among it.
pub(super) fn of(devt: DevT) -> Vec<String> {
    let mut all = devices_on(devt);
    let read = |file| text_of(Path::new(file)).unwrap_or_default();
    all.extend(mounts(&read("/proc/self/mountinfo"), devt));
    if is_swap(&read("/proc/swaps"), devt) {
        all.push("swap".into());
    }
    all
}

/// The devices that are made of this one: their kernel names and, of those of device-mapper, their own, as the kernel has them.
fn on(devt: DevT) -> impl Iterator<Item = (String, Option<String>)> {
    let entries = fs::read_dir(format!("/sys/dev/block/{devt}/holders"));
    entries.into_iter().flatten().flatten().map(|entry| {
        let own = fs::read_to_string(Path::new("/sys/block").join(entry.file_name()).join("dm/name"));
        (
            entry.file_name().to_string_lossy().into_owned(),
            own.ok().map(|name| name.trim_end_matches('\n').into()),
        )
    })
}

/// Their names; those of device-mapper by their own.
fn devices_on(devt: DevT) -> Vec<String> {
    let shown = |(kernel, own): (String, Option<String>)| own.map_or(kernel, |own| unmangled(&own).into());
    let mut names: Vec<String> = on(devt).map(shown).collect();
    names.sort();
    names
}

/// The own names of those of device-mapper, as the kernel has them.
pub(super) fn mapped_on(devt: DevT) -> impl Iterator<Item = String> {
    on(devt).filter_map(|(_, own)| own)
}

/// Is a device of device-mapper made of this one, which is of device-mapper, too?
pub(super) fn stands_on(device: DevT, below: DevT) -> bool {
    Path::new(&format!("/sys/dev/block/{device}/slaves/dm-{}", below.minor)).exists()
}

/// `36 35 98:0 /root /mnt rw … - ext4 /dev/x rw` (proc(5)): the third field is the device, the fifth
/// where it is mounted, blanks as `\040`.
fn mounts(mountinfo: &str, devt: DevT) -> Vec<String> {
    let devt = devt.to_string();
    let on = |line: &str| {
        let mut fields = line.split(' ').skip(2);
        let (device, place) = (fields.next()?, fields.nth(1)?);
        (device == devt).then(|| format!("mounted on {}", place.replace("\\040", " ")))
    };
    mountinfo.lines().filter_map(on).collect()
}

/// A line a swap area, its path first, after a line of headings.
fn is_swap(swaps: &str, devt: DevT) -> bool {
    let rdev = makedev(devt.major.into(), devt.minor.into());
    let paths = swaps.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().next());
    paths.filter_map(|path| fs::metadata(path).ok()).any(|node| node.rdev() == rdev)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_a_device_are_its_own() {
        let mountinfo = "22 1 254:0 / /mnt/my\\040data rw,relatime - ext4 /dev/mapper/a rw\n\
                         23 1 254:01 / /no rw - ext4 /dev/mapper/b rw\n\
                         24 1 254:0 /sub /srv rw shared:2 - ext4 /dev/mapper/a rw\nodd\n";
        assert_eq!(mounts(mountinfo, DevT::new(254, 0)), ["mounted on /mnt/my data", "mounted on /srv"]);
        assert_eq!(mounts(mountinfo, DevT::new(254, 2)), [""; 0]);
    }
}
