//! udev's messages about disks.
//!
//! All of libudev is used on the loop's thread, and every message is turned into an owned value
//! before the next is read.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use libmp::core::event::{Attention, Uevent, UeventAction};
use libmp::dm::mangle::unmangled;
use libmp::types::{Errno, Hctl, PathName};
use nix::errno::Errno as Raw;
use nix::sys::socket::{setsockopt, sockopt};
use udev::{MonitorBuilder, MonitorSocket};

use super::errno_of;
use super::poll::until_readable;

/// Room for the messages of a storm: memory is taken only when they come.
pub const RECEIVE_BUFFER: usize = 128 << 20;
/// Messages that are read before the loop gets its turn.
const BATCH: usize = 256;

/// What was received.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The messages about disks, in order.
    pub uevents: Vec<Uevent>,
    /// What SCSI devices have told by themselves.
    pub told: Vec<(Hctl, Attention)>,
    /// Some messages did not fit into the kernel's buffer and are lost. Those after this batch are not: whatever is looked at now
    /// is as up to date as it was with none lost.
    pub lost: bool,
    /// More of them lie there already.
    pub more: bool,
}

/// An open subscription.
pub struct Monitor {
    socket: MonitorSocket,
    /// Messages were lost. More are, without a word, until the kernel's buffer has been empty (`NETLINK_S_CONGESTED`).
    losing: AtomicBool,
    /// So many messages are read before the loop gets its turn.
    batch: usize,
}

impl Monitor {
    /// Subscribes to what udev says of disks (no partitions), and of SCSI devices, with room for so many bytes of it.
    pub fn new(receive_buffer: usize) -> Result<Self, Errno> {
        Self::in_batches(receive_buffer, BATCH)
    }

    /// The same, with so many messages in a batch.
    pub fn in_batches(receive_buffer: usize, batch: usize) -> Result<Self, Errno> {
        let open = || -> std::io::Result<Self> {
            let disks = MonitorBuilder::new()?.match_subsystem_devtype("block", "disk")?;
            let socket = disks.match_subsystem_devtype("scsi", "scsi_device")?.listen()?;
            // The kernel doubles it; without the privilege the default stays.
            let _ = setsockopt(&socket, sockopt::RcvBufForce, &receive_buffer);
            Ok(Self { socket, losing: AtomicBool::new(false), batch })
        };
        open().map_err(|error| errno_of(&error))
    }

    /// Waits for messages and takes them. To be called inside the runtime.
    pub async fn receive(&self) -> Result<Batch, Errno> {
        until_readable(&self.socket).await.map_err(|error| errno_of(&error))?;
        let mut batch = Batch::default();
        // A batch may be full with the last message that there was: none will come that wakes for what was lost before it.
        batch.more = !self.drain(&mut batch) && self.has_more();
        if !batch.more {
            batch.lost = self.losing.swap(false, Ordering::Relaxed);
        }
        Ok(batch)
    }

    /// Reads until there is nothing left (true) or a batch is full.
    ///
    /// libudev answers "nothing" to an empty socket, to an overflow and to a message that it can't
    /// read alike; errno tells them apart.
    fn drain(&self, batch: &mut Batch) -> bool {
        for _ in 0..self.batch {
            Raw::clear();
            match self.socket.iter().next() {
                Some(event) if event.subsystem() == Some(OsStr::new("scsi")) => {
                    batch.told.extend(told(&event));
                }
                Some(event) => batch.uevents.push(convert(&event)),
                None => match Raw::last() {
                    Raw::ENOBUFS => self.losing.store(true, Ordering::Relaxed),
                    Raw::EAGAIN => return true,
                    Raw::UnknownErrno if !self.has_more() => return true,
                    _ => {}
                },
            }
        }
        false
    }

    fn has_more(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO)
            .is_ok_and(|n| n > 0)
    }
}

/// What is asked of messages about devices of device-mapper, whose names are as the kernel has them. To have all of theirs takes more time than to receive them.
const OF_MAPS: [&str; 4] = ["DM_NAME", "DM_UUID", "DM_ACTION", "DM_COOKIE"];

/// What a SCSI device has told by itself, if that is what its message is about.
fn told(event: &udev::Event) -> Option<(Hctl, Attention)> {
    let told = Attention::parse(event.property_value("SDEV_UA")?.to_str()?)?;
    Some((event.sysname().to_str()?.parse().ok()?, told))
}

fn convert(event: &udev::Event) -> Uevent {
    let action = match event.event_type() {
        udev::EventType::Add => UeventAction::Add,
        udev::EventType::Change => UeventAction::Change,
        udev::EventType::Remove => UeventAction::Remove,
        _ => UeventAction::Other,
    };
    let text = |text: &OsStr| text.to_string_lossy().into_owned();
    // libudev writes `/` where sysfs writes `!`.
    let name = PathName::new(event.sysname().to_string_lossy().replace('/', "!"));
    let properties = if name.as_str().starts_with("dm-") {
        let value =
            |key: &&str| Some(((*key).to_owned(), unmangled(&text(event.property_value(key)?)).into_owned()));
        OF_MAPS.iter().filter_map(value).collect()
    } else {
        event.properties().map(|entry| (text(entry.name()), text(entry.value()))).collect()
    };
    Uevent { action, name, properties, own: false }
}
