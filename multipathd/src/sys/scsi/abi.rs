//! `struct sg_io_hdr`, version 3 of the interface (scsi/sg.h).

use std::ptr;

use super::{SENSE, Transfer};

pub(super) const SG_IO: libc::c_ulong = 0x2285;

const DXFER_NONE: i32 = -1;
const DXFER_TO_DEV: i32 = -2;
const DXFER_FROM_DEV: i32 = -3;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct SgIoHdr {
    interface_id: i32,
    dxfer_direction: i32,
    cmd_len: u8,
    mx_sb_len: u8,
    iovec_count: u16,
    dxfer_len: u32,
    dxferp: *mut u8,
    cmdp: *mut u8,
    sbp: *mut u8,
    timeout: u32,
    flags: u32,
    pub(super) pack_id: i32,
    usr_ptr: *mut u8,
    pub(super) status: u8,
    masked_status: u8,
    msg_status: u8,
    pub(super) sb_len_wr: u8,
    pub(super) host_status: u16,
    pub(super) driver_status: u16,
    pub(super) resid: i32,
    duration: u32,
    info: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<SgIoHdr>() == 88);

// SAFETY: its pointers are the kernel's business, never dereferenced here.
unsafe impl Send for SgIoHdr {}

impl SgIoHdr {
    pub(super) const EMPTY: Self = Self {
        interface_id: b'S' as i32,
        dxfer_direction: DXFER_NONE,
        cmd_len: 0,
        mx_sb_len: 0,
        iovec_count: 0,
        dxfer_len: 0,
        dxferp: ptr::null_mut(),
        cmdp: ptr::null_mut(),
        sbp: ptr::null_mut(),
        timeout: 0,
        flags: 0,
        pack_id: 0,
        usr_ptr: ptr::null_mut(),
        status: 0,
        masked_status: 0,
        msg_status: 0,
        sb_len_wr: 0,
        host_status: 0,
        driver_status: 0,
        resid: 0,
        duration: 0,
        info: 0,
    };

    pub(super) fn new(transfer: &Transfer, pack_id: i32) -> Self {
        let mut header = Self {
            cmd_len: u8::try_from(transfer.cdb.len()).unwrap_or_default(),
            mx_sb_len: u8::try_from(SENSE).unwrap_or(u8::MAX),
            cmdp: transfer.cdb.as_ptr(),
            sbp: transfer.sense.as_ptr(),
            timeout: transfer.timeout_ms,
            pack_id,
            ..Self::EMPTY
        };
        let data = [(DXFER_FROM_DEV, &transfer.data_in), (DXFER_TO_DEV, &transfer.data_out)];
        for (direction, data) in data {
            let Some(data) = data else { continue };
            header.dxfer_direction = direction;
            header.dxfer_len = u32::try_from(data.len()).unwrap_or_default();
            header.dxferp = data.as_ptr();
        }
        header
    }
}
