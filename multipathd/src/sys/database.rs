//! udev's database: what its rules know of a disk, a file each in `/run/udev/data`.
//!
//! libudev would tell the same; but each device that it makes costs fifty system calls, more than all the rest that is read
//! of a disk. The file is replaced whole by udev: one read gives one state of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use libmp::types::{DevT, Errno};

use super::errno_of;
use super::sysfs::read_whole;

const DATABASE: &str = "/run/udev/data";
/// It says so in a record while its rules run (udev 256 and later).
const IN_WORK: &str = "ID_PROCESSING";

/// What the kernel says of a device in `uevent`, as libudev has it: the node with its folder.
pub fn of_kernel(uevent: &str) -> BTreeMap<String, String> {
    let pairs = uevent.lines().filter_map(|line| line.split_once('='));
    let with_folder = |(key, value): (&str, &str)| match key {
        "DEVNAME" => (key.to_owned(), format!("/dev/{value}")),
        _ => (key.to_owned(), value.to_owned()),
    };
    pairs.map(with_folder).collect()
}

/// Adds what udev has found out of a block device. Has it? The error: this host is short of memory or files.
pub fn add(devt: DevT, properties: &mut BTreeMap<String, String>) -> Result<bool, Errno> {
    let record = fs::File::open(Path::new(DATABASE).join(format!("b{devt}")));
    let record = match record.and_then(|record| read_whole(&record)) {
        Ok(record) => record,
        Err(error) => {
            return Some(errno_of(&error)).filter(|errno| errno.is_shortage()).map_or(Ok(false), Err);
        }
    };
    add_record(&String::from_utf8_lossy(&record), properties);
    Ok(properties.get(IN_WORK).is_none_or(|value| value != "1"))
}

/// Do udev's rules say of a map that it may be used, or are they about to say?
pub fn is_ready(devt: DevT) -> Result<bool, Errno> {
    let mut properties = BTreeMap::new();
    add(devt, &mut properties)?;
    let says = |key: &&str| properties.get(*key).is_some_and(|value| value == "1");
    Ok([IN_WORK, "MPATH_DEVICE_READY"].iter().any(says))
}

/// A record has a line for each thing: `E:KEY=VALUE`, `S:` a link below `/dev`, `I:` when udev first saw the device, `G:` a
/// tag, `Q:` a tag of the latest event.
fn add_record(record: &str, properties: &mut BTreeMap<String, String>) {
    let (mut links, mut tags, mut current) = (Vec::new(), String::new(), String::new());
    for line in record.lines() {
        match line.split_once(':') {
            Some(("E", pair)) => {
                properties
                    .extend(pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())));
            }
            Some(("S", link)) => links.push(format!("/dev/{link}")),
            Some(("I", usec)) => drop(properties.insert("USEC_INITIALIZED".into(), usec.into())),
            Some(("G", tag)) => tags.extend([":", tag]),
            Some(("Q", tag)) => current.extend([":", tag]),
            _ => {}
        }
    }
    for (key, list) in [("TAGS", tags), ("CURRENT_TAGS", current)] {
        if !list.is_empty() {
            properties.insert(key.into(), list + ":");
        }
    }
    if !links.is_empty() {
        properties.insert("DEVLINKS".into(), links.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_record_is_read_as_libudev_reads_it() {
        let mut properties = of_kernel("MAJOR=8\nMINOR=16\nDEVNAME=sdb\nDEVTYPE=disk\nDISKSEQ=2\n");
        let record = "S:disk/by-id/wwn-0x5000\nS:disk/by-path/pci-0:0\nW:3\nL:-100\nI:3771\n\
                      E:ID_SERIAL=0QEMU disk=x \nE:ID_BUS=scsi\nE:nonsense\nG:systemd\nG:seat\nQ:systemd\nV:1\nZ:new\n";
        add_record(record, &mut properties);
        let wanted = texts(&[
            ("MAJOR", "8"),
            ("MINOR", "16"),
            ("DEVNAME", "/dev/sdb"),
            ("DEVTYPE", "disk"),
            ("DISKSEQ", "2"),
            ("DEVLINKS", "/dev/disk/by-id/wwn-0x5000 /dev/disk/by-path/pci-0:0"),
            ("USEC_INITIALIZED", "3771"),
            ("ID_SERIAL", "0QEMU disk=x "),
            ("ID_BUS", "scsi"),
            ("TAGS", ":systemd:seat:"),
            ("CURRENT_TAGS", ":systemd:"),
        ]);
        assert_eq!(properties, wanted);
    }

    #[test]
    fn what_udev_has_not_seen_has_the_kernels_properties_only() {
        let mut properties = of_kernel("MAJOR=8\nDEVNAME=cciss/c0d0\nno pair\n");
        assert_eq!(add(DevT { major: 4095, minor: 1_048_575 }, &mut properties), Ok(false));
        assert_eq!(properties, texts(&[("MAJOR", "8"), ("DEVNAME", "/dev/cciss/c0d0")]));
    }
}
