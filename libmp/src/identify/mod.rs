//! sysfs, INQUIRY, VPD pages and udev's properties → who a path is.
//!
//! Nothing here is believed to be well-formed: it comes from devices.

pub mod fibre_channel;
pub mod protocol;
pub mod tunables;
pub mod vpd;
pub mod wwid;

use ::core::net::IpAddr;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use self::tunables::Values;
pub use self::wwid::{NoWwid, contradicts, designated, from_device, of_property, wwid, wwid_without_udev};
use crate::types::{DevT, Hctl, PathName};

/// Everything a probe reads of a path, unjudged. Attributes that can't be read are `None` or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawProbe {
    /// `/sys/block/NAME/dev`.
    pub devt: DevT,
    /// `/sys/block/NAME/size`: 512-byte sectors.
    pub sectors: u64,
    /// `/sys/block/NAME/ro`.
    pub read_only: bool,
    /// Where `/sys/block/NAME` really is (`/devices/pci…/host1/…/1:0:0:0/block/sda`).
    pub syspath: String,
    /// Name of the SCSI device, where it is one.
    pub hctl: Option<Hctl>,
    /// `device/state`.
    pub state: Option<String>,
    /// `device/vendor`, blanks kept, newline cut.
    pub vendor: Vec<u8>,
    /// `device/model`.
    pub model: Vec<u8>,
    /// `device/rev` (`device/firmware_rev` of NVMe).
    pub revision: Vec<u8>,
    /// `device/vpd_pg0`: supported VPD pages.
    pub vpd0: Vec<u8>,
    /// `device/vpd_pg80`: unit serial number page.
    pub vpd80: Vec<u8>,
    /// `device/vpd_pg83`: device identification page.
    pub vpd83: Vec<u8>,
    /// `device/inquiry`: standard INQUIRY data.
    pub inquiry: Vec<u8>,
    /// `/sys/block/NAME/wwid` (NVMe) or `device/wwid`; not read of a SCSI disk, whose pages say who it is.
    pub wwid_attr: Option<String>,
    /// `device/dh_state`: name of the attached hardware handler, `detached`.
    pub dh_state: Option<String>,
    /// `device/access_state`.
    pub access_state: Option<String>,
    /// `device/preferred_path`.
    pub preferred_path: Option<String>,
    /// `device/timeout`, seconds.
    pub timeout_s: Option<u64>,
    /// `queue/max_sectors_kb`.
    pub max_sectors_kb: Option<u64>,
    /// `queue/logical_block_size`, bytes.
    pub block_size: Option<u32>,
    /// Attributes of transports, host and controller, by the names in [`protocol::attr`]
    /// (`fc_host/port_name`, `fc_remote_ports/node_name`, `iscsi_session/targetname`, `transport`).
    pub transport: BTreeMap<String, String>,
    /// Has udev processed it (is it in udev's database)?
    pub udev_initialized: bool,
    /// udev's properties.
    pub properties: BTreeMap<String, String>,
}

impl RawProbe {
    fn attr(&self, name: &str) -> Option<&str> {
        self.transport.get(name).map(|value| value.trim_end()).filter(|value| !value.is_empty())
    }
}

/// Kinds of devices that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bus {
    /// SCSI disks: `sda`.
    Scsi,
    /// NVMe namespaces: `nvme0n1`.
    Nvme,
    /// DASD of s390: `dasda`.
    Ccw,
    /// Old Compaq Smart Array disks: `cciss!c0d0`.
    Cciss,
    /// Any other.
    Other,
}

impl Bus {
    /// By kernel name, as multipath tells them apart.
    pub fn of(name: &str) -> Self {
        let prefixes =
            [("sd", Self::Scsi), ("nvme", Self::Nvme), ("dasd", Self::Ccw), ("cciss", Self::Cciss)];
        prefixes.into_iter().find(|(prefix, _)| name.starts_with(prefix)).map_or(Self::Other, |(_, bus)| bus)
    }

    fn of_probe(raw: &RawProbe) -> Self {
        match raw.syspath.rsplit('/').next() {
            Some(name) if !name.is_empty() => Self::of(name),
            _ if raw.hctl.is_some() => Self::Scsi,
            _ => Self::Other,
        }
    }
}

/// Is it a disk that stands for several paths already, by the kernel's NVMe multipathing? It belongs to a subsystem, not to a
/// controller.
pub fn is_native_head(raw: &RawProbe) -> bool {
    Bus::of_probe(raw) == Bus::Nvme && raw.syspath.contains("/nvme-subsystem/")
}

/// Worldwide names of a path's transport; `None` prints as `[undef]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransportIds {
    /// `%N`
    pub host_wwnn: Option<String>,
    /// `%n`
    pub target_wwnn: Option<String>,
    /// `%R`
    pub host_wwpn: Option<String>,
    /// `%r`
    pub target_wwpn: Option<String>,
    /// `%a`
    pub host_adapter: Option<String>,
}

/// What is known of a path that does not change while it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Kernel name.
    pub name: PathName,
    /// Device number.
    pub devt: DevT,
    /// SCSI address. Of NVMe: instance, controller id, namespace instance, namespace id. Of DASD:
    /// the parts of the bus id.
    pub hctl: Option<Hctl>,
    /// INQUIRY vendor without blanks at its end; `UNKNOWN` where a SCSI disk has none; `NVME`; `IBM` of DASD.
    pub vendor: String,
    /// INQUIRY product, or model, without blanks at its end; `UNKNOWN` where a SCSI disk has none.
    pub product: String,
    /// INQUIRY revision, or firmware revision, without blanks at its end.
    pub revision: String,
    /// Unit serial number (page 0x80) without blanks at both ends; empty where there is none.
    pub serial: String,
    /// Size in 512-byte sectors.
    pub sectors: u64,
    /// Is it read-only?
    pub read_only: bool,
    /// `scsi:iscsi`, `scsi:fcp`, `nvme:tcp`, `ccw`, `undef`, …
    pub protocol: String,
    /// Support of target port groups: TPGS of standard INQUIRY (SPC-4 6.4.2, byte 5 bits 5-4): 0 none,
    /// 1 implicit, 2 explicit, 3 both.
    pub tpgs: u8,
    /// Target port group of the port that the path goes through (page 0x83).
    pub tpg: Option<u16>,
    /// `device/dh_state`: name of the attached hardware handler; `None` where none is attached.
    pub dh_state: Option<String>,
    /// Can one be attached (`device/dh_state` is there)?
    pub takes_handler: bool,
    /// `device/access_state`, which is there when the ALUA handler is attached.
    pub access_state: Option<String>,
    /// `device/state`.
    pub state: Option<String>,
    /// `device/timeout`, seconds.
    pub timeout_s: Option<u64>,
    /// `queue/max_sectors_kb`.
    pub max_sectors_kb: Option<u64>,
    /// Size of a logical block in bytes, the least that can be read; 512 where sysfs has none.
    pub block_size: u32,
    /// Numbers of the VPD pages that it has (page 0x00), where sysfs knows them.
    pub vital_pages: Vec<u8>,
    /// Numbers of the VPD pages that the device may have and the kernel has not read.
    pub unread_pages: &'static [u8],
    /// Address of the portal that it is reached through, of iSCSI.
    pub portal: Option<IpAddr>,
    /// Names of its transport.
    pub ids: TransportIds,
    /// Ports of Fibre Channel, SCSI's or NVMe's.
    pub fc_ports: Option<fibre_channel::Ports>,
    /// Target node name, by which `group_by_node_name` groups; empty where the transport has none.
    pub node_name: String,
    /// Logical unit number; namespace id of NVMe.
    pub lun: u64,
    /// What can be set in the layers below it, as it was found.
    pub tunables: Values,
}

impl Facts {
    /// Does it take part in asymmetric access (SPC-4 5.15.2)?
    pub const fn has_alua(&self) -> bool {
        self.tpgs != 0 && self.tpg.is_some()
    }
}

/// Raw bytes and text of one probe → facts.
pub fn identify(name: &PathName, raw: &RawProbe) -> Facts {
    let bus = Bus::of(name.as_str());
    let hctl = address(bus, name.as_str(), raw);
    let place = protocol::Place::of(bus, raw);
    let scsi = bus == Bus::Scsi;
    Facts {
        name: name.clone(),
        devt: raw.devt,
        hctl,
        vendor: match bus {
            Bus::Nvme => "NVME".into(),
            Bus::Ccw => "IBM".into(),
            Bus::Scsi => or_unknown(text(&raw.vendor)),
            Bus::Cciss | Bus::Other => text(&raw.vendor),
        },
        product: match bus {
            Bus::Ccw => dasd_product(raw).into(),
            Bus::Scsi => or_unknown(text(&raw.model)),
            Bus::Nvme | Bus::Cciss | Bus::Other => text(&raw.model),
        },
        revision: text(&raw.revision),
        serial: match bus {
            Bus::Nvme => text(raw.attr(protocol::attr::SERIAL).unwrap_or_default().trim().as_bytes()),
            _ => serial(&raw.vpd80),
        },
        sectors: raw.sectors,
        read_only: raw.read_only,
        protocol: place.protocol.into(),
        tpgs: if scsi { raw.inquiry.get(5).map_or(0, |byte| byte >> 4 & 3) } else { 0 },
        tpg: if scsi { vpd::target_port_group(&raw.vpd83) } else { None },
        dh_state: present(raw.dh_state.as_deref()).filter(|state| state != "detached"),
        takes_handler: raw.dh_state.is_some(),
        access_state: present(raw.access_state.as_deref()),
        state: present(raw.state.as_deref()),
        timeout_s: raw.timeout_s,
        max_sectors_kb: raw.max_sectors_kb,
        block_size: raw.block_size.filter(|size| *size >= 512).unwrap_or(512),
        vital_pages: if scsi { vpd::supported(&raw.vpd0).into() } else { Vec::new() },
        unread_pages: if scsi { unread_pages(raw, place.protocol) } else { &[] },
        portal: protocol::portal(raw),
        fc_ports: fibre_channel::ports(place.protocol, raw),
        ids: place.ids,
        node_name: place.node_name,
        lun: hctl.map_or(0, |hctl| hctl.lun),
        tunables: if scsi { tunables::found(raw) } else { Values::new() },
    }
}

/// Of page 0x80.
pub(crate) fn serial(page: &[u8]) -> String {
    vpd::unit_serial(page).map(text).unwrap_or_default()
}

/// Of a disk older than SPC-2 (INQUIRY byte 2 below 4: SPC-4 6.6.2) the kernel reads none, and of another it has none where reading
/// them failed during its scan; so it may be with one of them alone, which page 0x00 lists then. Neither does it read them of some USB
/// and ATA devices that are known to fail then: those are left alone.
fn unread_pages(raw: &RawProbe, protocol: &str) -> &'static [u8] {
    const DISK: u8 = 0;
    const SCSI_2: u8 = 2;
    let is_disk = raw.inquiry.first().is_some_and(|kind| kind & 0x1f == DISK);
    let version = raw.inquiry.get(2).copied().unwrap_or_default();
    if !is_disk || version < SCSI_2 || matches!(protocol, "scsi:usb" | "scsi:ata") {
        return &[];
    }
    if [&raw.vpd0, &raw.vpd80, &raw.vpd83].iter().all(|page| page.is_empty()) {
        return &[0x00, 0x80, 0x83];
    }
    let missed = |code, page: &[u8]| page.is_empty() && vpd::supported(&raw.vpd0).contains(&code);
    match (missed(0x80, &raw.vpd80), missed(0x83, &raw.vpd83)) {
        (true, true) => &[0x80, 0x83],
        (true, false) => &[0x80],
        (false, true) => &[0x83],
        (false, false) => &[],
    }
}

fn present(attribute: Option<&str>) -> Option<String> {
    attribute.map(str::trim).filter(|value| !value.is_empty()).map(ToOwned::to_owned)
}

/// Up to the first NUL, without blanks at the end. Blanks at the beginning count.
fn text(bytes: &[u8]) -> String {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    vpd::printable(bytes.trim_ascii_end())
}

fn or_unknown(text: String) -> String {
    if text.is_empty() { "UNKNOWN".into() } else { text }
}

/// `ccw` device type `3390/0c` → the name that hardware tables match.
fn dasd_product(raw: &RawProbe) -> &'static str {
    match raw.attr(protocol::attr::DEVTYPE).and_then(|devtype| devtype.get(..4)) {
        Some("3370" | "9336") => "S/390 DASD FBA",
        _ => "S/390 DASD ECKD",
    }
}

fn address(bus: Bus, name: &str, raw: &RawProbe) -> Option<Hctl> {
    let number = |name| raw.attr(name).and_then(|value| value.parse().ok());
    match bus {
        Bus::Nvme => {
            let (host, target) = name.strip_prefix("nvme")?.split_once('n')?;
            Some(Hctl {
                host: host.parse().ok()?,
                channel: number(protocol::attr::CNTLID).unwrap_or(0),
                target: target.parse().ok()?,
                lun: u64::from(number(protocol::attr::NSID).unwrap_or(0)),
            })
        }
        Bus::Ccw => {
            let mut parts = protocol::ccw_bus_id(&raw.syspath)?.split('.');
            let mut hex = || u32::from_str_radix(parts.next()?, 16).ok();
            Some(Hctl { host: hex()?, channel: hex()?, target: hex()?, lun: 0 })
        }
        Bus::Scsi | Bus::Cciss | Bus::Other => raw.hctl,
    }
}

/// Bytes from their hexadecimal form; anything else between the digits is for the reader.
#[cfg(test)]
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> RawProbe {
        RawProbe {
            syspath: "/devices/pseudo_0/adapter0/host1/target1:0:0/1:0:0:1/block/sdb".into(),
            hctl: "1:0:0:1".parse().ok(),
            vendor: b"Linux   ".to_vec(),
            model: b" scsi_debug      ".to_vec(),
            revision: b"0191".to_vec(),
            inquiry: hex("00000702 5f 18 0000"),
            vpd0: hex("00000003 0083c9 80"),
            block_size: Some(4096),
            properties: [("ID_PATH".into(), "ip-10.1.2.3:3260-iscsi-iqn.2003-01.org:t-lun-1".into())].into(),
            vpd80: hex("00800006 202032303031"),
            vpd83: hex("00830008 61950004 00000101"),
            dh_state: Some("alua\n".into()),
            access_state: Some("active/optimized".into()),
            ..RawProbe::default()
        }
    }

    #[test]
    fn a_scsi_disk() {
        let facts = identify(&"sdb".into(), &disk());
        assert_eq!(facts.vendor, "Linux");
        assert_eq!(facts.product, " scsi_debug");
        assert_eq!(facts.revision, "0191");
        assert_eq!(facts.serial, "2001");
        assert_eq!((facts.tpgs, facts.tpg, facts.lun), (1, Some(0x101), 1));
        assert_eq!(facts.dh_state.as_deref(), Some("alua"));
        assert_eq!((facts.block_size, facts.vital_pages.as_slice()), (4096, &hex("0083c9")[..]));
        assert_eq!(facts.portal, Some(IpAddr::from([10, 1, 2, 3])));
        assert!(facts.has_alua());
    }

    #[test]
    fn what_devices_say_is_text_of_one_line() {
        let raw = RawProbe {
            model: b"a\x1b[2Jb".to_vec(),
            revision: b"1\n2".to_vec(),
            vpd80: hex("00800008 410a2f2e2e1b41ff"),
            transport: [("serial".into(), "A\nsdb \u{9b}2J\u{e4}".into())].into(),
            ..disk()
        };
        let scsi = identify(&"sdb".into(), &raw);
        assert_eq!((scsi.product.as_str(), scsi.revision.as_str()), ("a?[2Jb", "1?2"));
        assert_eq!(scsi.serial, "A?/..?A\u{fffd}");
        assert_eq!(identify(&"nvme0n1".into(), &raw).serial, "A?sdb ?2J\u{e4}");
    }

    #[test]
    fn what_is_missing() {
        let raw = RawProbe { dh_state: Some("detached".into()), ..RawProbe::default() };
        let facts = identify(&"sdb".into(), &raw);
        assert_eq!((facts.vendor.as_str(), facts.product.as_str()), ("UNKNOWN", "UNKNOWN"));
        assert_eq!((facts.revision.as_str(), facts.serial.as_str()), ("", ""));
        assert_eq!((facts.tpgs, facts.tpg, facts.dh_state.as_deref()), (0, None, None));
        assert!(!facts.has_alua());
        assert_eq!((facts.block_size, facts.vital_pages.len(), facts.portal), (512, 0, None));
    }

    #[test]
    fn other_buses_have_their_own_words() {
        let raw = RawProbe {
            model: b"Linux \0\0".to_vec(),
            transport: [("serial".into(), " 3cf7 ".into()), ("devtype".into(), "9336/10".into())].into(),
            ..disk()
        };
        let nvme = identify(&"nvme0n1".into(), &raw);
        assert_eq!((nvme.vendor.as_str(), nvme.product.as_str()), ("NVME", "Linux"));
        assert_eq!((nvme.serial.as_str(), nvme.tpgs, nvme.tpg), ("3cf7", 0, None));
        let dasd = identify(&"dasda".into(), &raw);
        assert_eq!((dasd.vendor.as_str(), dasd.product.as_str()), ("IBM", "S/390 DASD FBA"));
    }
}
