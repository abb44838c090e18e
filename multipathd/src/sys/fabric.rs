//! Messages of the kernel's Fibre Channel transport, by netlink.

use std::os::fd::{AsRawFd, OwnedFd};

use libmp::types::Errno;
use nix::errno::Errno as Raw;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use super::blocking::blocking;
use super::poll::{Readable, readable};
use super::{Failure, errno_of};

/// The kernel sends to the group of this number, which its header (`SCSI_NL_GRP_FC_EVENTS`) writes as if
/// it were a mask. Both readings are subscribed to.
const EVENTS: u32 = 1 << 2;
const GROUPS: u32 = EVENTS | 1 << (EVENTS - 1);
/// A frame is 2 KiB at the most (`FC_PAYLOAD_MAXLEN`).
const DATAGRAM_MAX: usize = 8 << 10;

/// An open subscription. Only the kernel and who may administer the network can send to it.
pub struct Messages {
    socket: Readable<OwnedFd>,
}

impl Messages {
    /// Subscribes. `EPROTONOSUPPORT` where the kernel has no SCSI (yet). To be called inside the runtime.
    pub async fn open() -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let open = move || -> Result<OwnedFd, Errno> {
            let protocol = SockProtocol::NetlinkSCSITransport;
            let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, protocol);
            let socket = socket.map_err(Failure::from)?;
            bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS)).map_err(Failure::from)?;
            Ok(socket)
        };
        // Whoever asks for it first waits for the kernel to load a module, from a disk that may hang.
        let socket = blocking(open).await?;
        Ok(Self { socket: readable(socket).map_err(|error| errno_of(&error))? })
    }

    /// Waits for a datagram and takes it. `ENOBUFS`: some were lost.
    pub async fn receive(&self) -> Result<Vec<u8>, Errno> {
        loop {
            let mut ready = self.socket.readable().await.map_err(|error| errno_of(&error))?;
            let mut datagram = vec![0; DATAGRAM_MAX];
            match recv(self.socket.as_raw_fd(), &mut datagram, MsgFlags::empty()) {
                Ok(length) => {
                    datagram.truncate(length);
                    return Ok(datagram);
                }
                Err(Raw::EAGAIN) => ready.clear_ready(),
                Err(Raw::EINTR) => {}
                Err(errno) => return Err(Failure::from(errno).into()),
            }
        }
    }
}
