//! The commands that checkers and prioritizers have sent: bytes, and how many come back.

use alloc::vec::Vec;

/// A SCSI command: what goes to the device and how much may come from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScsiCommand {
    cdb: [u8; 16],
    length: u8,
    /// Its data.
    pub data: Data,
}

/// The data of a SCSI command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// None.
    None,
    /// Up to so many bytes come in.
    In(u32),
    /// These bytes go out.
    Out(Vec<u8>),
}

/// Values of a mode page (SPC-4 6.13.1, page control).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageControl {
    /// Those in force.
    Current = 0,
    /// A bit for each bit that may be changed.
    Changeable = 1,
}

/// The header of REPORT TARGET PORT GROUPS' answer (SPC-4 6.37, parameter data format).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtpgHeader {
    /// The length only.
    Plain = 0,
    /// With the time that a transition takes.
    Extended = 1,
}

/// The control mode page (SPC-4 7.5.8).
pub const CONTROL_PAGE: u8 = 0x0a;

impl ScsiCommand {
    /// Any command: its CDB, of 16 bytes at most, and its data.
    pub fn new(cdb: &[u8], data: Data) -> Self {
        let mut bytes = [0; 16];
        let length = cdb.len().min(bytes.len());
        bytes[..length].copy_from_slice(&cdb[..length]);
        Self { cdb: bytes, length: u8::try_from(length).unwrap_or(16), data }
    }

    /// Its command descriptor block.
    pub fn cdb(&self) -> &[u8] {
        &self.cdb[..usize::from(self.length)]
    }

    /// TEST UNIT READY (SPC-4 6.47).
    pub fn test_unit_ready() -> Self {
        Self::new(&[0; 6], Data::None)
    }

    /// READ(10) of one block at address 0 (SBC-3 5.11); the size of a block in bytes.
    pub fn read_first_block(block_size: u32) -> Self {
        Self::new(&[0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], Data::In(block_size))
    }

    /// INQUIRY for standard data (SPC-4 6.6.2).
    pub fn inquiry(length: u8) -> Self {
        Self::new(&[0x12, 0, 0, 0, length, 0], Data::In(length.into()))
    }

    /// INQUIRY for a vital product data page (SPC-4 6.6.4). A length of one byte where that will do, as arrays of the
    /// time before SPC-3 read no more of it.
    pub fn vital_page(page: u8, length: u16) -> Self {
        let [high, low] = length.to_be_bytes();
        Self::new(&[0x12, 1, page, high, low, 0], Data::In(length.into()))
    }

    /// MODE SENSE(10) of the control page without block descriptors (SPC-4 6.14).
    pub fn sense_control_page(control: PageControl) -> Self {
        const LENGTH: u8 = 20;
        let page = CONTROL_PAGE | (control as u8) << 6;
        Self::new(&[0x5a, 0x08, page, 0, 0, 0, 0, 0, LENGTH, 0], Data::In(LENGTH.into()))
    }

    /// MODE SELECT(10) that saves these parameters (SPC-4 6.12). The page format bit stays 0, as the
    /// arrays that it is sent to are known to take it so.
    pub fn save_mode(parameters: Vec<u8>) -> Self {
        let length = u8::try_from(parameters.len()).unwrap_or(u8::MAX);
        Self::new(&[0x55, 0x01, 0, 0, 0, 0, 0, 0, length, 0], Data::Out(parameters))
    }

    /// REPORT TARGET PORT GROUPS (SPC-4 6.37).
    pub fn report_target_port_groups(header: RtpgHeader, length: u16) -> Self {
        let [high, low] = length.to_be_bytes();
        let action = 0x0a | (header as u8) << 5;
        Self::new(&[0xa3, action, 0, 0, 0, 0, 0, 0, high, low, 0, 0], Data::In(length.into()))
    }
}

/// An NVMe admin command that brings data in (NVMe base specification 2.0, 3.3.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NvmeCommand {
    /// Opcode.
    pub opcode: u8,
    /// Namespace.
    pub nsid: u32,
    /// Command dword 10.
    pub cdw10: u32,
    /// Command dword 11.
    pub cdw11: u32,
    /// So many bytes come in.
    pub length: u32,
}

/// All namespaces.
const EVERY_NAMESPACE: u32 = u32::MAX;

impl NvmeCommand {
    /// Identify, controller data structure (NVMe 2.0 5.17.2.1, CNS 01h).
    pub const fn identify_controller() -> Self {
        Self { opcode: 0x06, nsid: 0, cdw10: 0x01, cdw11: 0, length: 4096 }
    }

    /// Identify, namespace data structure (NVMe 2.0 5.17.2.1, CNS 00h).
    pub const fn identify_namespace(nsid: u32) -> Self {
        Self { opcode: 0x06, nsid, cdw10: 0x00, cdw11: 0, length: 4096 }
    }

    /// Get Log Page, asymmetric namespace access (NVMe 2.0 5.16.1.13). `groups_only`: without the
    /// namespaces of each group. The length is rounded up to whole dwords.
    pub const fn ana_log(groups_only: GroupsOnly, length: u32) -> Self {
        let dwords = length.div_ceil(4);
        let last = dwords.saturating_sub(1);
        Self {
            opcode: 0x02,
            nsid: EVERY_NAMESPACE,
            cdw10: (last & 0xffff) << 16 | (groups_only as u32) << 8 | 0x0c,
            cdw11: last >> 16,
            length: dwords.saturating_mul(4),
        }
    }
}

/// What an ANA log is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupsOnly {
    /// Groups and their namespaces.
    No = 0,
    /// Groups.
    Yes = 1,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::hex;

    #[test]
    fn bytes_on_the_wire() {
        for (command, cdb, data) in [
            (ScsiCommand::test_unit_ready(), "00 00 00 00 00 00", Data::None),
            (ScsiCommand::read_first_block(4096), "28 00 00000000 00 0001 00", Data::In(4096)),
            (ScsiCommand::inquiry(255), "12 00 00 00 ff 00", Data::In(255)),
            (ScsiCommand::vital_page(0xc9, 128), "12 01 c9 00 80 00", Data::In(128)),
            (
                ScsiCommand::sense_control_page(PageControl::Current),
                "5a 08 0a 00000000 0014 00",
                Data::In(20),
            ),
            (
                ScsiCommand::sense_control_page(PageControl::Changeable),
                "5a 08 4a 00000000 0014 00",
                Data::In(20),
            ),
            (
                ScsiCommand::report_target_port_groups(RtpgHeader::Plain, 1024),
                "a3 0a 00000000 00000400 0000",
                Data::In(1024),
            ),
            (
                ScsiCommand::report_target_port_groups(RtpgHeader::Extended, 0x1234),
                "a3 2a 00000000 00001234 0000",
                Data::In(0x1234),
            ),
            (ScsiCommand::save_mode(hex("0a0b")), "55 01 00 00 00 00 00 0002 00", Data::Out(hex("0a0b"))),
        ] {
            assert_eq!(command.cdb(), hex(cdb), "{cdb}");
            assert_eq!(command.data, data, "{cdb}");
        }
    }

    #[test]
    fn log_pages_are_counted_in_dwords_from_zero() {
        for (groups_only, length, cdw10, cdw11, bytes) in [
            (GroupsOnly::No, 16, 0x0003_000c, 0, 16),
            (GroupsOnly::Yes, 48, 0x000b_010c, 0, 48),
            (GroupsOnly::No, 17, 0x0004_000c, 0, 20),
            (GroupsOnly::No, 0x4_0004, 0x0000_000c, 1, 0x4_0004),
        ] {
            let command = NvmeCommand::ana_log(groups_only, length);
            assert_eq!((command.opcode, command.nsid), (2, u32::MAX));
            assert_eq!((command.cdw10, command.cdw11, command.length), (cdw10, cdw11, bytes), "{length}");
        }
    }
}
