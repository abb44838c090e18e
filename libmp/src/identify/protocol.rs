//! How a path reaches its storage: protocol, target node name, names of ports and host adapter.
//!
//! By the place of the device in sysfs and by its transport's attributes; the device is not asked.

use ::core::net::IpAddr;
use ::core::str::FromStr;
use alloc::borrow::ToOwned;
use alloc::string::String;

use super::vpd::printable;
use super::{Bus, RawProbe, TransportIds};

/// Names of entries in [`RawProbe::transport`], and where a probe finds them.
pub mod attr {
    /// `/sys/class/fc_host/hostN/node_name`.
    pub const FC_HOST_NODE_NAME: &str = "fc_host/node_name";
    /// `/sys/class/fc_host/hostN/port_name`.
    pub const FC_HOST_PORT_NAME: &str = "fc_host/port_name";
    /// `/sys/class/fc_remote_ports/rport-H:C-N/node_name`.
    pub const FC_REMOTE_NODE_NAME: &str = "fc_remote_ports/node_name";
    /// `/sys/class/fc_remote_ports/rport-H:C-N/port_name`.
    pub const FC_REMOTE_PORT_NAME: &str = "fc_remote_ports/port_name";
    /// `/sys/class/iscsi_session/sessionN/targetname`.
    pub const ISCSI_TARGET_NAME: &str = "iscsi_session/targetname";
    /// `/sys/class/iscsi_host/hostN/ipaddress`.
    pub const ISCSI_HOST_ADDRESS: &str = "iscsi_host/ipaddress";
    /// `sas_address` of the SCSI device.
    pub const SAS_ADDRESS: &str = "sas_address";
    /// `/sys/class/srp_remote_ports/port-H:N/port_name`, or any entry that begins so.
    pub const SRP_REMOTE_PORTS: &str = "srp_remote_ports/";
    /// `transport` of an NVMe controller: `tcp`, `pcie`, ….
    pub const TRANSPORT: &str = "transport";
    /// `address` of an NVMe controller: `traddr=…,host_traddr=…`.
    pub const ADDRESS: &str = "address";
    /// `cntlid` of an NVMe controller.
    pub const CNTLID: &str = "cntlid";
    /// `nsid` of an NVMe namespace.
    pub const NSID: &str = "nsid";
    /// `serial` of an NVMe controller.
    pub const SERIAL: &str = "serial";
    /// `devtype` of a ccw device: `3390/0c`.
    pub const DEVTYPE: &str = "devtype";
    /// `uid` of a ccw device.
    pub const UID: &str = "uid";
}

/// What an attribute prints that should be there and can't be read.
const UNKNOWN: &str = "[unknown]";

/// Where a path is.
pub(super) struct Place {
    pub(super) protocol: &'static str,
    pub(super) node_name: String,
    pub(super) ids: TransportIds,
}

impl Place {
    pub(super) fn of(bus: Bus, raw: &RawProbe) -> Self {
        let (protocol, node_name) = match bus {
            Bus::Scsi => scsi(raw),
            Bus::Nvme => (nvme(raw), String::new()),
            Bus::Ccw => ("ccw", String::new()),
            Bus::Cciss => ("cciss", String::new()),
            Bus::Other => ("undef", String::new()),
        };
        let ids = ids(protocol, &node_name, raw);
        Self { protocol, node_name, ids }
    }
}

fn nvme(raw: &RawProbe) -> &'static str {
    const KNOWN: [&str; 6] =
        ["nvme:pcie", "nvme:rdma", "nvme:fc", "nvme:tcp", "nvme:loop", "nvme:apple-nvme"];
    let transport = raw.attr(attr::TRANSPORT).unwrap_or_default();
    KNOWN.into_iter().find(|known| &known["nvme:".len()..] == transport).unwrap_or("nvme:unspec")
}

/// What another machine, or a user of this one, may have named as he likes.
fn told(raw: &RawProbe, name: &str) -> Option<String> {
    raw.attr(name).map(|text| printable(text.as_bytes()))
}

/// Protocol and target node name, in the order in which multipath looks for them.
fn scsi(raw: &RawProbe) -> (&'static str, String) {
    let named = |name| told(raw, name).unwrap_or_default();
    let above = |prefix| ancestors(&raw.syspath).find(|dir| dir.starts_with(prefix));
    if above("end_device-").is_some() && raw.attr(attr::SAS_ADDRESS).is_some() {
        return ("scsi:sas", named(attr::SAS_ADDRESS));
    }
    if let Some(interface) = usb_interface(&raw.syspath) {
        return ("scsi:usb", interface.to_owned());
    }
    if above("rport-").is_some() || raw.attr(attr::FC_REMOTE_NODE_NAME).is_some() {
        return ("scsi:fcp", named(attr::FC_REMOTE_NODE_NAME));
    }
    if raw.attr(attr::ISCSI_TARGET_NAME).is_some() || above("session").is_some_and(is_numbered) {
        return ("scsi:iscsi", named(attr::ISCSI_TARGET_NAME));
    }
    if raw.transport.keys().any(|name| name.starts_with(attr::SRP_REMOTE_PORTS)) {
        return ("scsi:srp", String::new());
    }
    match above("ata").and_then(|dir| u32::from_str(dir.strip_prefix("ata")?).ok()) {
        Some(port) => ("scsi:ata", alloc::format!("ata-{port}.00")),
        None => ("scsi:unspec", String::new()),
    }
}

/// Address of the iSCSI portal in udev's `ID_PATH`, which names the link in `/dev/disk/by-path`:
/// `ip-10.0.0.1:3260-iscsi-iqn…-lun-0`, perhaps after the host adapter; IPv6 may be in brackets.
pub(super) fn portal(raw: &RawProbe) -> Option<IpAddr> {
    let path = raw.properties.get("ID_PATH")?;
    let from = path.strip_prefix("ip-").or_else(|| path.split_once("-ip-").map(|(_, rest)| rest))?;
    let (portal, _) = from.split_once("-iscsi-")?;
    let (address, _port) = portal.rsplit_once(':')?;
    address.trim_matches(['[', ']']).parse().ok()
}

/// Directories above the disk, the nearest first.
fn ancestors(syspath: &str) -> impl Iterator<Item = &str> {
    syspath.rsplit('/').skip(1).filter(|dir| !dir.is_empty())
}

/// Is it a word and a number (`session12`)?
fn is_numbered(dir: &str) -> bool {
    dir.trim_start_matches(|c: char| c.is_ascii_lowercase()).parse::<u32>().is_ok()
}

/// Directories above the SCSI host, the nearest first.
fn above_host(syspath: &str) -> impl Iterator<Item = &str> {
    let is_host = |dir: &&str| dir.starts_with("host") && is_numbered(dir);
    ancestors(syspath).skip_while(move |dir| !is_host(dir)).skip(1)
}

/// The USB interface (`2-1:1.0`) right above the SCSI host.
fn usb_interface(syspath: &str) -> Option<&str> {
    let mut dirs = above_host(syspath);
    let interface = dirs.next()?;
    dirs.any(|dir| dir.starts_with("usb") && is_numbered(dir)).then_some(interface)
}

fn ids(protocol: &str, node_name: &str, raw: &RawProbe) -> TransportIds {
    let fibre_channel =
        |name| (protocol == "scsi:fcp").then(|| told(raw, name).unwrap_or_else(|| UNKNOWN.into()));
    TransportIds {
        host_wwnn: fibre_channel(attr::FC_HOST_NODE_NAME),
        target_wwnn: (!node_name.is_empty()).then(|| node_name.to_owned()),
        host_wwpn: fibre_channel(attr::FC_HOST_PORT_NAME),
        target_wwpn: fibre_channel(attr::FC_REMOTE_PORT_NAME),
        host_adapter: match protocol {
            "scsi:iscsi" => told(raw, attr::ISCSI_HOST_ADDRESS),
            "scsi:fcp" | "scsi:sas" | "scsi:srp" => adapter(&raw.syspath).map(ToOwned::to_owned),
            _ => None,
        },
    }
}

/// The slot of a host adapter: the PCIe port above the PCI function that the SCSI host belongs to,
/// or the ccw device.
fn adapter(syspath: &str) -> Option<&str> {
    let above_host = || above_host(syspath);
    let mut functions = above_host().filter(|dir| is_pci_function(dir));
    match (functions.next(), functions.next()) {
        (Some(_), port) => port,
        (None, _) => above_host().find(|dir| is_ccw_bus_id(dir)),
    }
}

/// `0000:3b:00.1`
fn is_pci_function(dir: &str) -> bool {
    let mut parts = dir.split([':', '.']);
    let mut is_hex = |digits: ::core::ops::RangeInclusive<usize>| {
        parts.next().is_some_and(|part| {
            digits.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    is_hex(4..=8) && is_hex(2..=2) && is_hex(2..=2) && is_hex(1..=1) && parts.next().is_none()
}

/// The nearest directory that is a ccw bus id: `0.0.1234`.
pub(super) fn ccw_bus_id(syspath: &str) -> Option<&str> {
    syspath.rsplit('/').find(|dir| is_ccw_bus_id(dir))
}

fn is_ccw_bus_id(dir: &str) -> bool {
    let hex = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    dir.split('.').count() == 3 && dir.split('.').all(hex)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::identify;
    use super::*;
    use crate::types::Hctl;

    const PCI: &str = "/devices/pci0000:00/0000:00:03.0/0000:3b:00.1";

    fn probe(syspath: &str, attrs: &[(&str, &str)]) -> RawProbe {
        RawProbe {
            syspath: syspath.into(),
            hctl: Some(Hctl { host: 1, channel: 0, target: 0, lun: 7 }),
            transport: attrs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            ..RawProbe::default()
        }
    }

    #[test]
    fn scsi_transports() {
        let tail = "target1:0:0/1:0:0:7/block/sda";
        for (place, attrs, protocol, node, adapter) in [
            (
                format!("{PCI}/host1/rport-1:0-2/{tail}"),
                &[(attr::FC_REMOTE_NODE_NAME, "0x200a\n")][..],
                "scsi:fcp",
                "0x200a",
                Some("0000:00:03.0"),
            ),
            (
                format!("/devices/platform/host1/session4/{tail}"),
                &[(attr::ISCSI_TARGET_NAME, "iqn.2003-01.org:t"), (attr::ISCSI_HOST_ADDRESS, "192.168.2.1")],
                "scsi:iscsi",
                "iqn.2003-01.org:t",
                Some("192.168.2.1"),
            ),
            (
                format!("{PCI}/host1/port-1:0/end_device-1:0/{tail}"),
                &[(attr::SAS_ADDRESS, "0x5000c500")],
                "scsi:sas",
                "0x5000c500",
                Some("0000:00:03.0"),
            ),
            (
                format!("/devices/css0/0.0.0015/0.0.1a03/host1/rport-1:0-0/{tail}"),
                &[],
                "scsi:fcp",
                "",
                Some("0.0.1a03"),
            ),
            (
                format!("/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host1/{tail}"),
                &[],
                "scsi:usb",
                "2-1:1.0",
                None,
            ),
            (format!("{PCI}/ata3/host1/{tail}"), &[], "scsi:ata", "ata-3.00", None),
            (
                format!("{PCI}/infiniband/host1/port-1:1/{tail}"),
                &[("srp_remote_ports/port_name", "")],
                "scsi:srp",
                "",
                Some("0000:00:03.0"),
            ),
            (format!("/devices/pseudo_0/adapter0/host1/{tail}"), &[], "scsi:unspec", "", None),
            (String::new(), &[], "scsi:unspec", "", None),
        ] {
            let facts = identify(&"sda".into(), &probe(&place, attrs));
            assert_eq!(facts.protocol, protocol, "{place}");
            assert_eq!(facts.node_name, node, "{place}");
            assert_eq!(facts.ids.host_adapter.as_deref(), adapter, "{place}");
            assert_eq!(facts.ids.target_wwnn.as_deref(), (!node.is_empty()).then_some(node), "{place}");
            let fibre_channel = protocol == "scsi:fcp";
            assert_eq!(facts.ids.host_wwpn.as_deref(), fibre_channel.then_some("[unknown]"), "{place}");
        }
    }

    #[test]
    fn portals() {
        for (path, portal) in [
            ("ip-10.0.0.1:3260-iscsi-iqn.2003-01.org:t-lun-0", Some("10.0.0.1")),
            ("pci-0000:03:00.2-ip-10.0.0.2:3260-iscsi-iqn.x-lun-0", Some("10.0.0.2")),
            ("ip-[fe80::1]:3260-iscsi-iqn.x-lun-0", Some("fe80::1")),
            ("ip-fe80::2:3260-iscsi-iqn.x-lun-0", Some("fe80::2")),
            ("ip-10.0.0.1:3260-nas-x", None),
            ("ip-storage:3260-iscsi-iqn.x-lun-0", None),
            ("pci-0000:3b:00.1-fc-0x5006016-lun-0", None),
            ("", None),
        ] {
            let raw =
                RawProbe { properties: [("ID_PATH".into(), path.into())].into(), ..RawProbe::default() };
            assert_eq!(super::portal(&raw).map(|ip| ip.to_string()).as_deref(), portal, "{path}");
        }
    }

    #[test]
    fn other_buses() {
        for (name, attrs, protocol, hctl) in [
            (
                "nvme2n3",
                &[("transport", "tcp"), ("cntlid", "9"), ("nsid", "5")][..],
                "nvme:tcp",
                Some("2:9:3:5"),
            ),
            ("nvme0n1", &[("transport", "warp")], "nvme:unspec", Some("0:0:1:0")),
            ("nvmexn1", &[], "nvme:unspec", None),
            ("dasda", &[], "ccw", Some("0:0:4660:0")),
            ("cciss!c0d0", &[], "cciss", Some("1:0:0:7")),
            ("vda", &[], "undef", Some("1:0:0:7")),
        ] {
            let facts = identify(&name.into(), &probe("/devices/css0/0.0.0001/0.0.1234/block/dasda", attrs));
            assert_eq!(facts.protocol, protocol, "{name}");
            assert_eq!(facts.hctl.map(|hctl| hctl.to_string()).as_deref(), hctl, "{name}");
        }
    }

    #[test]
    fn names_end_no_line() {
        let session = "/devices/platform/host1/session4/target1:0:0/1:0:0:7/block/sda";
        let attrs = [
            (attr::ISCSI_TARGET_NAME, "iqn.x\n|- 1:0:0:9 sdz 65:144 active\u{1b}[2J\u{9b}31m\n"),
            (attr::ISCSI_HOST_ADDRESS, "10.0.0.1\n10.0.0.2"),
        ];
        let facts = identify(&"sda".into(), &probe(session, &attrs));
        assert_eq!(facts.node_name, "iqn.x?|- 1:0:0:9 sdz 65:144 active?[2J?31m");
        assert_eq!(facts.ids.target_wwnn.as_ref(), Some(&facts.node_name));
        assert_eq!(facts.ids.host_adapter.as_deref(), Some("10.0.0.1?10.0.0.2"));
        let ports = [attr::FC_REMOTE_NODE_NAME, attr::FC_REMOTE_PORT_NAME, attr::FC_HOST_NODE_NAME];
        let facts = identify(&"sda".into(), &probe(session, &ports.map(|name| (name, "0x2\u{7}0"))));
        let ids = [facts.ids.target_wwnn, facts.ids.target_wwpn, facts.ids.host_wwnn];
        assert_eq!(ids, [(); 3].map(|()| Some("0x2?0".to_string())));
    }

    proptest! {
        #[test]
        fn no_text_and_no_bytes_panic(
            syspath in "(/(host|usb|ata|rport-|session|0000:00:0|0\\.0\\.|[a-z0-9:.-]{0,6})[0-9]{0,3}){0,8}",
            name in "(sd|nvme|nvme[0-9]n|dasd|cciss!c|)\\PC{0,4}",
            attrs in prop::collection::btree_map(
                "transport|cntlid|nsid|serial|devtype|sas_address|fc_host/node_name", "\\PC{0,8}", 0..4
            ),
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let raw = RawProbe {
                syspath,
                transport: attrs,
                vendor: bytes.clone(),
                model: bytes.clone(),
                revision: bytes.clone(),
                inquiry: bytes.clone(),
                vpd80: bytes.clone(),
                vpd83: bytes,
                ..RawProbe::default()
            };
            let facts = identify(&name.as_str().into(), &raw);
            prop_assert!(facts.tpgs < 4);
        }
    }
}
