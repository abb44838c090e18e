//! SCSI commands through SG_IO's structure: asynchronous on `/dev/sgN`, blocking on a disk's node.

mod abi;
mod sg;

use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

use libmp::check::ScsiReply;
use libmp::types::Errno;

pub use self::sg::{Generic, open_generic};

use self::abi::{SG_IO, SgIoHdr};
use super::buffer::Buffer;
use super::last_errno;

/// More than any sense data (SPC-4 4.5: 252 bytes).
const SENSE: usize = 252;

/// A command, and how much data it may bring in.
#[derive(Debug, Clone)]
pub struct Command {
    cdb: [u8; 16],
    cdb_len: u8,
    data_in: usize,
    timeout: Duration,
}

impl Command {
    fn new(cdb: &[u8], data_in: usize, timeout: Duration) -> Self {
        let mut bytes = [0; 16];
        bytes[..cdb.len()].copy_from_slice(cdb);
        let cdb_len = u8::try_from(cdb.len()).expect("a CDB has at most 16 bytes");
        Self { cdb: bytes, cdb_len, data_in, timeout }
    }

    /// TEST UNIT READY (SPC-4 6.47).
    pub fn test_unit_ready(timeout: Duration) -> Self {
        Self::new(&[0; 6], 0, timeout)
    }

    /// READ(10) of one block at address 0 (SBC-3 5.11).
    pub fn read_block_0(block_size: usize, timeout: Duration) -> Self {
        Self::new(&[0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], block_size, timeout)
    }

    /// REPORT TARGET PORT GROUPS (SPC-4 6.37), length-only header format, which every array knows.
    pub fn report_target_port_groups(length: u16, timeout: Duration) -> Self {
        let [high, low] = length.to_be_bytes();
        let cdb = [0xa3, 0x0a, 0, 0, 0, 0, 0, 0, high, low, 0, 0];
        Self::new(&cdb, usize::from(length), timeout)
    }

    /// INQUIRY, of a vital product data page where one is given (SPC-4 6.6).
    pub fn inquiry(page: Option<u8>, length: u16, timeout: Duration) -> Self {
        let [high, low] = length.to_be_bytes();
        let cdb = [0x12, u8::from(page.is_some()), page.unwrap_or_default(), high, low, 0];
        Self::new(&cdb, usize::from(length), timeout)
    }
}

/// A command with the memory that the kernel writes its answer to.
#[derive(Debug)]
struct Transfer {
    cdb: Buffer,
    cdb_len: u8,
    sense: Buffer,
    data: Option<Buffer>,
    timeout_ms: u32,
}

impl Transfer {
    fn new(command: &Command) -> Self {
        let cdb = Buffer::plain(command.cdb.len());
        // SAFETY: both are 16 bytes long; nobody else knows of the buffer yet.
        unsafe { std::ptr::copy_nonoverlapping(command.cdb.as_ptr(), cdb.as_ptr(), command.cdb.len()) };
        Self {
            cdb,
            cdb_len: command.cdb_len,
            sense: Buffer::plain(SENSE),
            data: (command.data_in > 0).then(|| Buffer::plain(command.data_in)),
            timeout_ms: u32::try_from(command.timeout.as_millis()).unwrap_or(u32::MAX),
        }
    }

    fn header(&self, pack_id: i32) -> SgIoHdr {
        SgIoHdr::new(self, pack_id)
    }

    /// What came back. To be called when the kernel is done.
    fn reply(&self, header: &SgIoHdr) -> ScsiReply {
        ScsiReply {
            status: header.status,
            host_status: header.host_status,
            driver_status: header.driver_status,
            sense: self.sense.to_vec(usize::from(header.sb_len_wr)),
            data: self.data.as_ref().map_or_else(Vec::new, |data| {
                data.to_vec(data.len().saturating_sub(usize::try_from(header.resid).unwrap_or_default()))
            }),
        }
    }
}

/// Runs a command on an open disk and waits for its end. Blocks.
pub fn execute_blocking(file: &File, command: &Command) -> Result<ScsiReply, Errno> {
    let transfer = Transfer::new(command);
    let mut header = transfer.header(0);
    // SAFETY: the header is valid and points to memory that `transfer` keeps until the call ends.
    let rc = unsafe { libc::ioctl(file.as_raw_fd(), SG_IO, &raw mut header) };
    if rc < 0 { Err(last_errno()) } else { Ok(transfer.reply(&header)) }
}
