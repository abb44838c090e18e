//! Block device nodes: opening the right one, and plain reads of it. May block.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use libmp::types::{DevT, Errno, PathName};
use nix::sys::stat::makedev;

use super::buffer::{Buffer, PAGE};
use super::sysfs::Attribute;
use super::{errno_of, last_errno};

/// Not one number everywhere: "no data" is another one on POWER.
const BLKSSZGET: libc::c_ulong = nix::request_code_none!(0x12, 104);
const SECTOR: usize = 512;

/// How a node is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// For SCSI commands: no wait, no I/O.
    Commands,
    /// For reads past the page cache. Not `O_NONBLOCK`: io_uring would answer `EAGAIN`.
    DirectReads,
}

/// `/dev/NAME`; sysfs writes `!` for `/`.
pub fn node_of(name: &PathName) -> PathBuf {
    PathBuf::from("/dev").join(name.as_str().replace('!', "/"))
}

/// Opens a path's node. `ENXIO` where the node of that name is another device.
pub fn open(name: &PathName, devt: DevT, purpose: Purpose) -> Result<File, Errno> {
    let flags = match purpose {
        Purpose::Commands => libc::O_NONBLOCK,
        Purpose::DirectReads => libc::O_DIRECT,
    };
    let node = node_of(name);
    // Before the open, too: opening the wrong device can do harm (a tape rewinds).
    verify(&std::fs::metadata(&node).map_err(|error| errno_of(&error))?, devt)?;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags | libc::O_CLOEXEC);
    let file = options.open(&node).map_err(|error| errno_of(&error))?;
    verify(&file.metadata().map_err(|error| errno_of(&error))?, devt)?;
    Ok(file)
}

fn verify(node: &std::fs::Metadata, devt: DevT) -> Result<(), Errno> {
    let same = node.rdev() == makedev(devt.major.into(), devt.minor.into());
    if same && node.file_type().is_block_device() { Ok(()) } else { Err(Errno::ENXIO) }
}

/// What is read past the page cache at the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// A logical block.
    pub bytes: usize,
    /// What a buffer for it takes, and how it is aligned: more than a block where the device wants that.
    pub room: usize,
}

impl Block {
    /// That of an open device.
    pub fn of(file: &File, devt: DevT) -> Self {
        let mut size: libc::c_int = 0;
        // SAFETY: BLKSSZGET writes one int.
        let rc = unsafe { libc::ioctl(file.as_raw_fd(), BLKSSZGET, &raw mut size) };
        let size = usize::try_from(size).unwrap_or_default();
        let bytes = if rc == 0 && size >= SECTOR { size } else { SECTOR };
        // Since Linux 6.0 memory is to be aligned as this says, which is a mask; before that as a block.
        let mask = Attribute::open(devt, "queue/dma_alignment").and_then(|mask| mask.read().ok());
        let alignment =
            mask.and_then(|mask| mask.parse::<usize>().ok()).map_or(1, |mask| mask.saturating_add(1));
        Self { bytes, room: bytes.max(alignment.min(PAGE)).next_power_of_two() }
    }
}

/// Reads a block at offset 0, once: bytes read.
pub fn read_start(file: &File, block: Block) -> Result<usize, Errno> {
    let buffer = Buffer::for_direct_io(block.room);
    // SAFETY: the buffer is longer, or as long, and lives until the call returns.
    let count = unsafe { libc::pread(file.as_raw_fd(), buffer.as_ptr().cast(), block.bytes, 0) };
    usize::try_from(count).map_err(|_| last_errno())
}
