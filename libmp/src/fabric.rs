//! Messages of the Fibre Channel transport (netlink, `NETLINK_SCSITRANSPORT`) → what a fabric tells of
//! its ports. Headers are the kernel's (scsi_netlink.h, scsi_netlink_fc.h), in this machine's byte order;
//! what they carry is the fabric's performance impact notification (FC-LS-5 4.2.69, FPIN), big-endian.
//!
//! Nothing here is believed to be well-formed: it comes from switches, through drivers.

use ::core::fmt;
use alloc::vec::Vec;

use thiserror::Error;

/// Worldwide name of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wwpn(pub u64);

impl Wwpn {
    /// `0x500a09849b1234cd`, as sysfs has it; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix("0x")?;
        let all_hex = digits.len() <= 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u64::from_str_radix(digits, 16).ok().filter(|_| all_hex).map(Self)
    }
}

impl fmt::Display for Wwpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:016x}", self.0)
    }
}

/// What one host adapter was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Number of the SCSI host.
    pub host: u16,
    /// What.
    pub news: News,
}

/// What a fabric tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// I/O through these ports suffers.
    Impaired {
        /// From what.
        by: Impairment,
        /// The port that is attached to the one that noticed it.
        attached: Wwpn,
        /// Ports that are reached through the attached one.
        ports: Vec<Wwpn>,
    },
    /// The link came up, a port came back, or the fabric changed (RSCN): what was told before is over.
    Changed,
}

/// What ports suffer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impairment {
    /// A link that errs (FC-LS-5, link integrity notification).
    Link(LinkFault),
    /// A port that takes frames too slowly (peer congestion notification).
    Congestion,
}

/// What is wrong with a link (event types of the link integrity notification).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkFault(pub u16);

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0x1 => "link failures",
            0x2 => "losses of synchronization",
            0x3 => "losses of signal",
            0x4 => "primitive sequence protocol errors",
            0x5 => "invalid transmission words",
            0x6 => "invalid CRCs",
            0xf => "an error of the device's own kind",
            _ => "errors of an unknown kind",
        })
    }
}

/// Bytes that are no message of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// They end before it does.
    #[error("the message is cut")]
    Cut,
    /// Another format.
    #[error("the message has another magic number or version")]
    Format,
    /// A notification whose descriptors don't fit into it.
    #[error("the notification's descriptors don't fit into it")]
    Descriptor,
}

/// One datagram → what it tells; messages of other transports, and events that mean nothing for paths,
/// tell nothing.
pub fn parse(datagram: &[u8]) -> Result<Vec<Message>, Malformed> {
    let mut told = Vec::new();
    let mut rest = datagram;
    while !rest.is_empty() {
        let length = native_u32(rest, 0)? as usize;
        let message = rest.get(NETLINK_HEADER..length).ok_or(Malformed::Cut)?;
        event(message, &mut told)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(told)
}

/// `struct nlmsghdr`.
const NETLINK_HEADER: usize = 16;
/// `SCSI_NL_VERSION`, `SCSI_NL_TRANSPORT_FC`.
const VERSION_1_FC: [u8; 2] = [1, 1];
/// `SCSI_NL_MAGIC`.
const MAGIC: u16 = 0xa1b2;
/// `FC_NL_ASYNC_EVENT`.
const ASYNC_EVENT: u16 = 0x0100;
/// Offset of `event_data` in `struct fc_nl_event`.
const EVENT_DATA: usize = 36;

/// `enum fc_host_event_code`.
mod code {
    pub const LINK_UP: u32 = 0x2;
    pub const RSCN: u32 = 0x5;
    pub const PORT_ONLINE: u32 = 0x202;
    pub const FPIN: u32 = 0x501;
}

/// `struct fc_nl_event`.
fn event(message: &[u8], told: &mut Vec<Message>) -> Result<(), Malformed> {
    let head = message.get(..2).ok_or(Malformed::Cut)?;
    if native_u16(message, 2)? != MAGIC || head[0] != VERSION_1_FC[0] {
        return Err(Malformed::Format);
    }
    if head[1] != VERSION_1_FC[1] || native_u16(message, 4)? != ASYNC_EVENT {
        return Ok(());
    }
    let (host, length) = (native_u16(message, 24)?, native_u16(message, 26)?);
    let data = message.get(EVENT_DATA..).and_then(|data| data.get(..usize::from(length)));
    let data = data.ok_or(Malformed::Cut)?;
    match native_u32(message, 32)? {
        code::LINK_UP | code::RSCN | code::PORT_ONLINE => told.push(Message { host, news: News::Changed }),
        code::FPIN => {
            let news = notification(data)?;
            told.extend(news.into_iter().map(|news| Message { host, news }));
        }
        _ => {}
    }
    Ok(())
}

/// A fabric performance impact notification: command code, length of all descriptors, descriptors of
/// tag, length and value each.
fn notification(els: &[u8]) -> Result<Vec<News>, Malformed> {
    const FPIN: [u8; 4] = [0x16, 0, 0, 0];
    if els.get(..4).ok_or(Malformed::Cut)? != FPIN {
        return Err(Malformed::Format);
    }
    let fits = |at: usize, length: u32| els.get(at..at.checked_add(usize::try_from(length).ok()?)?);
    let mut descriptors = fits(8, be32(els, 4)?).ok_or(Malformed::Descriptor)?;
    let mut news = Vec::new();
    while !descriptors.is_empty() {
        let (tag, length) = (be32(descriptors, 0)?, be32(descriptors, 4)?);
        let end = usize::try_from(length).ok().and_then(|length| length.checked_add(8));
        let (descriptor, rest) =
            end.and_then(|end| descriptors.split_at_checked(end)).ok_or(Malformed::Descriptor)?;
        news.extend(impairment(tag, &descriptor[8..])?);
        descriptors = rest;
    }
    Ok(news)
}

/// The value of a descriptor. Delivery notifications, and what is said of this host's own congestion,
/// name no ports.
fn impairment(tag: u32, value: &[u8]) -> Result<Option<News>, Malformed> {
    const LINK_INTEGRITY: u32 = 0x0002_0001;
    const PEER_CONGESTION: u32 = 0x0002_0003;
    // After detecting port, attached port, event type and modifier: threshold and count, or a period.
    let (ports_at, congestion) = match tag {
        LINK_INTEGRITY => (28, false),
        PEER_CONGESTION => (24, true),
        _ => return Ok(None),
    };
    let kind = u16::try_from(be32(value, 16)? >> 16).unwrap_or_default();
    let count = usize::try_from(be32(value, ports_at)?).map_err(|_| Malformed::Descriptor)?;
    let list = value.get(ports_at + 4..).unwrap_or_default();
    let (ports, _) = list.as_chunks::<8>();
    let ports = ports.get(..count).ok_or(Malformed::Descriptor)?;
    let ports = ports.iter().map(|name| Wwpn(u64::from_be_bytes(*name))).collect();
    let attached = value.get(8..16).and_then(|name| name.try_into().ok()).ok_or(Malformed::Descriptor)?;
    let by = match (congestion, kind) {
        (false, kind) => Impairment::Link(LinkFault(kind)),
        // Congestion that is over.
        (true, 0) => return Ok(None),
        (true, _) => Impairment::Congestion,
    };
    Ok(Some(News::Impaired { by, attached: Wwpn(u64::from_be_bytes(attached)), ports }))
}

fn bytes<const N: usize>(from: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    from.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).ok_or(Malformed::Cut)
}

fn native_u16(from: &[u8], at: usize) -> Result<u16, Malformed> {
    bytes(from, at).map(u16::from_ne_bytes)
}

fn native_u32(from: &[u8], at: usize) -> Result<u32, Malformed> {
    bytes(from, at).map(u32::from_ne_bytes)
}

fn be32(from: &[u8], at: usize) -> Result<u32, Malformed> {
    bytes(from, at).map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identify::hex;

    /// As `fc_host_post_fc_event` builds it, padded to eight bytes.
    fn datagram(host: u16, code: u32, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap();
        let body = [
            &[1, 1][..],
            &MAGIC.to_ne_bytes(),
            &ASYNC_EVENT.to_ne_bytes(),
            &(40 + length).to_ne_bytes(),
            &[0; 16],
            &host.to_ne_bytes(),
            &length.to_ne_bytes(),
            &[0; 4],
            &code.to_ne_bytes(),
            data,
        ]
        .concat();
        let mut all = u32::try_from(16 + body.len().next_multiple_of(8)).unwrap().to_ne_bytes().to_vec();
        all.extend([&0x11_u16.to_ne_bytes()[..], &[0; 10], &body].concat());
        all.resize(all.len().next_multiple_of(8), 0);
        all
    }

    const INTEGRITY: &str = "00020001 00000030 20010000000000aa 20020000000000bb 0006 0000 0000ea60 00000005 \
                             00000002 500a000000000001 500a000000000002";
    const CONGESTION: &str = "00020003 00000024 20010000000000aa 20020000000000bb 0002 0000 000003e8 \
                              00000001 500a000000000003";

    fn fpin(descriptors: &[&str]) -> Vec<u8> {
        let descriptors = hex(&descriptors.concat());
        let length = u32::try_from(descriptors.len()).unwrap();
        [&hex("16000000")[..], &length.to_be_bytes(), &descriptors].concat()
    }

    fn ports(news: &News) -> String {
        match news {
            News::Changed => "changed".into(),
            News::Impaired { by, attached, ports } => {
                let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
                format!("{by:?} {attached} {}", ports.join(" "))
            }
        }
    }

    #[test]
    fn what_is_told() {
        const LINK: &str = "Link(LinkFault(6)) 0x20020000000000bb 0x500a000000000001 0x500a000000000002";
        const SLOW: &str = "Congestion 0x20020000000000bb 0x500a000000000003";
        let clear = CONGESTION.replace("bb 0002", "bb 0000");
        for (what, code, data, told) in [
            ("link integrity", 0x501, fpin(&[INTEGRITY]), Ok(vec![LINK])),
            ("peer congestion", 0x501, fpin(&[CONGESTION]), Ok(vec![SLOW])),
            ("both", 0x501, fpin(&[CONGESTION, INTEGRITY]), Ok(vec![SLOW, LINK])),
            ("congestion is over", 0x501, fpin(&[&clear]), Ok(vec![])),
            (
                "our own congestion",
                0x501,
                fpin(&["00020004 0000000c 0001 0000 00000064 f1000000"]),
                Ok(vec![]),
            ),
            ("no descriptor", 0x501, fpin(&[]), Ok(vec![])),
            ("link up", 0x2, vec![0; 4], Ok(vec!["changed"])),
            ("RSCN", 0x5, hex("00010203"), Ok(vec!["changed"])),
            ("port online", 0x202, vec![0; 4], Ok(vec!["changed"])),
            ("link down", 0x3, vec![0; 4], Ok(vec![])),
            ("another request", 0x501, hex("05000000 00000000"), Err(Malformed::Format)),
            ("nothing of it", 0x501, vec![], Err(Malformed::Cut)),
            ("cut", 0x501, fpin(&[&INTEGRITY[..40]]), Err(Malformed::Descriptor)),
            (
                "more ports than there is room for",
                0x501,
                fpin(&[&INTEGRITY.replace(" 00000002 ", " ffffffff ")]),
                Err(Malformed::Descriptor),
            ),
            (
                "longer than the frame",
                0x501,
                fpin(&[&INTEGRITY.replace("00000030", "fffffff8")]),
                Err(Malformed::Descriptor),
            ),
        ] {
            let parsed = parse(&datagram(7, code, &data));
            let parsed = parsed.map(|list| {
                assert!(list.iter().all(|message| message.host == 7), "{what}");
                list.iter().map(|message| ports(&message.news)).collect::<Vec<_>>()
            });
            assert_eq!(parsed, told.map(|told| told.into_iter().map(String::from).collect()), "{what}");
        }
    }

    #[test]
    fn headers() {
        let good = datagram(3, 2, &[0; 4]);
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            parse(&bytes)
        };
        assert_eq!(parse(&[good.clone(), good.clone()].concat()).map(|list| list.len()), Ok(2));
        assert_eq!(with(16, 2), Err(Malformed::Format));
        assert_eq!(with(18, 0), Err(Malformed::Format));
        assert_eq!(with(17, 0), Ok(vec![]), "another transport");
        assert_eq!(with(0, 200), Err(Malformed::Cut));
        assert_eq!(with(0, 3), Err(Malformed::Cut));
        assert_eq!(parse(&good[..20]), Err(Malformed::Cut));
        assert_eq!(parse(&[]), Ok(vec![]));
    }

    #[test]
    fn names_of_ports() {
        assert_eq!(Wwpn::parse("0x500a09849b1234cd\n"), Some(Wwpn(0x500a_0984_9b12_34cd)));
        for text in ["", "0x", "500a09849b1234cd", "0x+1", "0x1500a09849b1234cd", "0xg"] {
            assert_eq!(Wwpn::parse(text), None, "{text}");
        }
        assert_eq!(Wwpn(0xab).to_string(), "0x00000000000000ab");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..160),
            data in prop::collection::vec(any::<u8>(), 0..80),
            tag in prop::sample::select(vec![1u8, 2, 3, 4]),
        ) {
            let _ = parse(&bytes);
            let mut els = [&hex("16000000 00000000 0002 00")[..], &[tag], &data].concat();
            let length = u8::try_from(els.len() - 8).unwrap();
            els[7] = length;
            let _ = parse(&datagram(1, 0x501, &els));
            if els.len() > 16 {
                els[12..16].copy_from_slice(&[0, 0, 0, length - 8]);
            }
            let _ = parse(&datagram(1, 0x501, &els));
            let head = datagram(1, 0x501, &[]);
            let count = head.len().min(bytes.len());
            if count > 4 {
                bytes[4..count].copy_from_slice(&head[4..count]);
            }
            let _ = parse(&bytes);
        }
    }
}
