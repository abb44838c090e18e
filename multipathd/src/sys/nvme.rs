//! NVMe admin commands through the kernel's passthrough (linux/nvme_ioctl.h).

use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

use libmp::check::ask::NvmeReply;
use libmp::check::command::NvmeCommand;
use libmp::types::Errno;

use super::buffer::Buffer;
use super::last_errno;

/// `_IOWR('N', 0x41, struct nvme_passthru_cmd)`
const NVME_IOCTL_ADMIN_CMD: libc::c_ulong = 0xc048_4e41;
/// Status code and its type; above them are the hints on retries.
const STATUS: i32 = 0x7ff;

/// `struct nvme_passthru_cmd`
#[repr(C)]
#[derive(Debug, Default)]
struct PassthruCommand {
    opcode: u8,
    flags: u8,
    reserved: u16,
    nsid: u32,
    cdw2: u32,
    cdw3: u32,
    metadata: u64,
    address: u64,
    metadata_length: u32,
    data_length: u32,
    cdw10: u32,
    cdw11: u32,
    cdw12_to_15: [u32; 4],
    timeout_ms: u32,
    result: u32,
}

const _: () = assert!(size_of::<PassthruCommand>() == 72);

/// Runs a command on a namespace's open node and waits for its end. Blocks.
pub fn execute_blocking(node: &File, command: &NvmeCommand, timeout: Duration) -> Result<NvmeReply, Errno> {
    let data = Buffer::for_direct_io(usize::try_from(command.length).unwrap_or_default());
    let mut passthru = PassthruCommand {
        opcode: command.opcode,
        nsid: command.nsid,
        address: data.as_ptr() as u64,
        data_length: command.length,
        cdw10: command.cdw10,
        cdw11: command.cdw11,
        timeout_ms: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
        ..PassthruCommand::default()
    };
    // SAFETY: the structure is valid and points to memory that lives until the call ends.
    let status = unsafe { libc::ioctl(node.as_raw_fd(), NVME_IOCTL_ADMIN_CMD, &raw mut passthru) };
    if status < 0 {
        return Err(last_errno());
    }
    // SAFETY: the call has ended.
    let data = if status == 0 { unsafe { data.to_vec(data.len()) } } else { Vec::new() };
    Ok(NvmeReply { status: u16::try_from(status & STATUS).unwrap_or_default(), data })
}
