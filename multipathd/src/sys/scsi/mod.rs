//! SCSI commands through SG_IO's structure: asynchronous on `/dev/sgN`, blocking on a disk's node.

mod abi;
mod sg;

use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

use libmp::check::ScsiReply;
use libmp::check::command::{Data, ScsiCommand};
use libmp::types::Errno;

pub use self::sg::{Generic, Sent, open_generic};

use self::abi::{SG_IO, SgIoHdr};
use super::buffer::Buffer;
use super::last_errno;

/// More than any sense data (SPC-4 4.5: 252 bytes).
const SENSE: usize = 252;

/// A command, and how long the kernel may take for it.
#[derive(Debug, Clone)]
pub struct Command {
    /// The command.
    pub command: ScsiCommand,
    /// Its time limit.
    pub timeout: Duration,
}

/// A command with the memory that the kernel writes its answer to.
#[derive(Debug)]
struct Transfer {
    cdb: Buffer,
    sense: Buffer,
    /// Where data come in.
    data_in: Option<Buffer>,
    /// Data that go out.
    data_out: Option<Buffer>,
    timeout_ms: u32,
}

impl Transfer {
    fn new(command: &Command) -> Self {
        let Command { command, timeout } = command;
        let (data_in, data_out) = match &command.data {
            Data::None => (None, None),
            Data::In(length) => (Some(Buffer::plain(usize::try_from(*length).unwrap_or_default())), None),
            Data::Out(bytes) => (None, Some(Buffer::filled(bytes))),
        };
        Self {
            cdb: Buffer::filled(command.cdb()),
            sense: Buffer::plain(SENSE),
            data_in,
            data_out,
            timeout_ms: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
        }
    }

    fn header(&self, pack_id: i32) -> SgIoHdr {
        SgIoHdr::new(self, pack_id)
    }

    /// What came back.
    ///
    /// # Safety
    ///
    /// The kernel must be done with the command.
    unsafe fn reply(&self, header: &SgIoHdr) -> ScsiReply {
        let left = usize::try_from(header.resid).unwrap_or_default();
        // SAFETY: it is done, says who calls.
        let bytes = |buffer: &Buffer, count| unsafe { buffer.to_vec(count) };
        let data = self.data_in.as_ref().map(|data| bytes(data, data.len().saturating_sub(left)));
        ScsiReply {
            status: header.status,
            host_status: header.host_status,
            driver_status: header.driver_status,
            sense: bytes(&self.sense, usize::from(header.sb_len_wr)),
            data: data.unwrap_or_default(),
        }
    }
}

/// Runs a command on an open disk and waits for its end. Blocks.
pub fn execute_blocking(file: &File, command: &Command) -> Result<ScsiReply, Errno> {
    let transfer = Transfer::new(command);
    let mut header = transfer.header(0);
    // SAFETY: the header is valid and points to memory that `transfer` keeps until the call ends.
    let rc = unsafe { libc::ioctl(file.as_raw_fd(), SG_IO, &raw mut header) };
    if rc < 0 {
        return Err(last_errno());
    }
    // SAFETY: the call has ended.
    Ok(unsafe { transfer.reply(&header) })
}
