//! What udev's messages tell, and that some of them were lost.

use std::fs;
use std::os::unix::fs::MetadataExt;

use libmp::core::event::UeventAction;
use libmp::types::PathName;
use multipathd::sys::sysfs;
use multipathd::sys::udev::Monitor;

use super::{lun, run, udev_settle};

/// Events of one turn: udev is done with them in less time than anything here waits.
const TURN: usize = 60;
const TURNS_MAX: usize = 30;
/// Messages of the kernel and of udev, linux/netlink.h.
const KOBJECT_UEVENT: &str = "15";

pub(super) fn udev_tells_of_disks_and_of_what_it_lost() {
    let lun = lun();
    let path = &lun.paths[0].0;
    let monitor = Monitor::new(128 << 20).expect("subscribed");
    sysfs::write(path, None, "uevent", "change").expect("triggered");
    let uevent = run(async {
        loop {
            let batch = monitor.receive().await.expect("received");
            assert!(!batch.lost);
            if let Some(uevent) = batch.uevents.into_iter().find(|uevent| uevent.name == *path) {
                break uevent;
            }
        }
    });
    assert_eq!(uevent.action, UeventAction::Change);
    assert_eq!(uevent.properties.get("DEVTYPE").map(String::as_str), Some("disk"));

    // Each batch is full, the last one, too.
    let small = Monitor::in_batches(4 << 10, 1).expect("subscribed");
    until_some_are_lost(path, "uevent");
    run(async { while !small.receive().await.expect("received").lost {} });
    drop(small);

    // While what there was room for is read, more is lost: that is told when there is no more of it. Of SCSI devices, as udev
    // has little to do for them.
    let large = Monitor::new(256 << 10).expect("subscribed");
    until_some_are_lost(path, "device/uevent");
    let mut times = 1;
    run(async {
        while !large.receive().await.expect("received").lost {
            times += 1;
        }
    });
    assert!(times > 1, "told before there was room again");
}

/// Events, until there was no room for all of their messages.
fn until_some_are_lost(path: &PathName, attribute: &str) {
    let before = dropped();
    for _ in 0..TURNS_MAX {
        for _ in 0..TURN {
            sysfs::write(path, None, attribute, "change").expect("triggered");
        }
        udev_settle();
        if dropped() > before {
            return;
        }
    }
    panic!("nothing was lost of {} messages", TURN * TURNS_MAX);
}

/// How many messages this process's subscriptions had no room for (`Drops` of proc_net(5)'s netlink; the inode comes last).
fn dropped() -> u64 {
    let open =
        fs::read_dir("/proc/self/fd").expect("listed").filter_map(|fd| fs::metadata(fd.ok()?.path()).ok());
    let own: Vec<String> = open.map(|file| file.ino().to_string()).collect();
    let table = fs::read_to_string("/proc/net/netlink").expect("read");
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let dropped = rows.filter_map(|row| match row[..] {
        [_, KOBJECT_UEVENT, .., dropped, inode] if own.iter().any(|own| own == inode) => {
            dropped.parse::<u64>().ok()
        }
        _ => None,
    });
    dropped.sum()
}
