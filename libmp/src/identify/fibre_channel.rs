//! The two ports that a path over Fibre Channel goes through.

use super::RawProbe;
use super::protocol::attr;
use crate::fabric::Wwpn;

/// Names of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The host adapter's; `None` where it can't be read.
    pub host: Option<Wwpn>,
    /// The array's.
    pub target: Wwpn,
}

/// `None`: it goes over something else.
pub(super) fn ports(protocol: &str, raw: &RawProbe) -> Option<Ports> {
    let named = |name| raw.attr(name).and_then(Wwpn::parse);
    match protocol {
        "scsi:fcp" => {
            Some(Ports { host: named(attr::FC_HOST_PORT_NAME), target: named(attr::FC_REMOTE_PORT_NAME)? })
        }
        "nvme:fc" => {
            let address = raw.attr(attr::ADDRESS)?;
            Some(Ports { host: of_address(address, "host_traddr="), target: of_address(address, "traddr=")? })
        }
        _ => None,
    }
}

/// `traddr=nn-0x20…:pn-0x50…,host_traddr=nn-0x20…:pn-0x10…`
fn of_address(address: &str, key: &str) -> Option<Wwpn> {
    let names = address.split(',').find_map(|part| part.trim().strip_prefix(key))?;
    names.split(':').find_map(|name| name.strip_prefix("pn-")).and_then(Wwpn::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(protocol: &str, attributes: &[(&str, &str)]) -> Option<(Option<u64>, u64)> {
        let transport = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let ports = ports(protocol, &RawProbe { transport, ..RawProbe::default() })?;
        Some((ports.host.map(|port| port.0), ports.target.0))
    }

    #[test]
    fn by_transport() {
        let scsi = [(attr::FC_HOST_PORT_NAME, "0x10ab\n"), (attr::FC_REMOTE_PORT_NAME, "0x50cd\n")];
        assert_eq!(found("scsi:fcp", &scsi), Some((Some(0x10ab), 0x50cd)));
        assert_eq!(found("scsi:fcp", &scsi[1..]), Some((None, 0x50cd)));
        assert_eq!(found("scsi:fcp", &scsi[..1]), None);
        assert_eq!(found("scsi:iscsi", &scsi), None);
        let nvme = |address: &'static str| found("nvme:fc", &[(attr::ADDRESS, address)]);
        let both = "traddr=nn-0x2001:pn-0x50cd,host_traddr=nn-0x2002:pn-0x10ab\n";
        assert_eq!(nvme(both), Some((Some(0x10ab), 0x50cd)));
        assert_eq!(nvme("host_traddr=nn-0x2002:pn-0x10ab,traddr=nn-0x2001:pn-0x50cd"), nvme(both));
        for address in ["", "traddr=192.168.1.1", "traddr=nn-0x1:pn-", "host_traddr=nn-0x2002:pn-0x10ab"] {
            assert_eq!(nvme(address), None, "{address}");
        }
    }
}
