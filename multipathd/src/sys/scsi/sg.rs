//! `/dev/sgN`: a command is written, its answer read when the descriptor is readable.
//!
//! The write runs on a lane: the kernel waits in it for a free request of the host, and a host whose
//! paths hang has none. The reads never block. So hundreds of commands take one thread, and that
//! one only while they are handed over.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libmp::check::ScsiReply;
use libmp::types::{DevT, Errno};
use nix::sys::stat::{major, minor};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::abi::SgIoHdr;
use super::{Command, Transfer};
use crate::sys::lane::{Closing, Lane};
use crate::sys::poll::{Readable, readable};
use crate::sys::{errno_of, last_errno};

/// Opens the generic device of a disk; `None` where it has none. May block.
///
/// `/dev` is believed in nothing: what was opened has a number, and sysfs says whose that is.
pub fn open_generic(devt: DevT) -> Option<File> {
    let numbers = Path::new("/sys/dev/block");
    // `…/3:0:0:0/block/sdb`, and below the same `…/3:0:0:0/scsi_generic/sg1`
    let disk = fs::read_link(numbers.join(devt.to_string())).ok()?;
    let device = disk.parent()?.parent()?;
    let name = fs::read_link(numbers.join(device).join("generic")).ok()?.file_name()?.to_owned();
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    let file = options.open(PathBuf::from("/dev").join(&name)).ok()?;
    let node = file.metadata().ok()?;
    let number = (major(node.rdev()), minor(node.rdev()));
    let opened = fs::read_link(format!("/sys/dev/char/{}:{}", number.0, number.1)).ok()?;
    let right = node.file_type().is_char_device() && opened == device.join("scsi_generic").join(name);
    right.then_some(file)
}

/// A device that is being deleted is asked for an answer so often.
const DELETED_PAUSE: Duration = Duration::from_millis(50);

/// An open generic device and the commands under way on it.
pub struct Generic {
    file: Closing<Readable<File>>,
    lane: Lane,
    pending: Mutex<Pending>,
}

/// A command that was handed over, or soon will be.
pub struct Sent(oneshot::Receiver<Result<ScsiReply, Errno>>);

#[derive(Default)]
struct Pending {
    transfers: HashMap<i32, (Transfer, oneshot::Sender<Result<ScsiReply, Errno>>)>,
    next: i32,
}

impl Generic {
    /// Takes an open generic device into the runtime. Commands are handed over, and it is closed, on
    /// this lane.
    pub fn new(file: File, lane: &Lane) -> io::Result<Self> {
        let file = Closing::new(readable(file)?, lane);
        Ok(Self { file, lane: lane.clone(), pending: Mutex::default() })
    }

    /// Has the lane hand a command over; the kernel holds it to its time limit.
    pub fn order(self: &Arc<Self>, command: &Command) -> Sent {
        let (done, answer) = oneshot::channel();
        let pack_id = self.enqueue(Transfer::new(command), done);
        let device = self.clone();
        self.lane.push(move || device.submit(pack_id));
        Sent(answer)
    }

    /// The same, for who is on the lane already: hands a command over, which may block.
    pub fn send(&self, command: &Command) -> Sent {
        let (done, answer) = oneshot::channel();
        self.submit(self.enqueue(Transfer::new(command), done));
        Sent(answer)
    }

    /// The answer to a command that was sent.
    pub async fn answer_to(&self, sent: Sent) -> Result<ScsiReply, Errno> {
        let mut answer = sent.0;
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return answer.unwrap_or(Err(Errno::EIO)),
                ready = self.file.readable() => {
                    let mut ready = ready.map_err(|error| errno_of(&error))?;
                    let deleted = ready.ready().is_read_closed();
                    if self.read_answers() {
                        ready.clear_ready();
                    }
                    if !deleted {
                        continue;
                    }
                }
            }
            // The device is being deleted: it is readable for good, though the answer comes when the command ends.
            if let Ok(answer) = timeout(DELETED_PAUSE, &mut answer).await {
                return answer.unwrap_or(Err(Errno::EIO));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, transfer: Transfer, done: oneshot::Sender<Result<ScsiReply, Errno>>) -> i32 {
        let mut pending = self.lock();
        let pack_id = pending.next;
        pending.next = pending.next.wrapping_add(1);
        pending.transfers.insert(pack_id, (transfer, done));
        pack_id
    }

    /// Hands a command to the kernel. May block.
    fn submit(&self, pack_id: i32) {
        let header = match self.lock().transfers.get(&pack_id) {
            Some((transfer, _)) => transfer.header(pack_id),
            None => return,
        };
        // SAFETY: the header is valid, and what it points to stays in `transfers` until the answer
        // is read. Should this descriptor be closed before, the kernel drops the answer.
        let written =
            unsafe { libc::write(self.file.as_raw_fd(), (&raw const header).cast(), size_of::<SgIoHdr>()) };
        if written < 0 {
            let errno = last_errno();
            let refused = self.lock().transfers.remove(&pack_id);
            if let Some((_, done)) = refused {
                let _ = done.send(Err(errno));
            }
        }
    }

    /// Reads answers until there are no more: true. No call is spent to find that out where nothing
    /// is under way.
    fn read_answers(&self) -> bool {
        loop {
            if self.lock().transfers.is_empty() {
                return true;
            }
            let mut header = SgIoHdr::EMPTY;
            // SAFETY: the kernel writes one header, and sense and data to the memory of a transfer
            // that is still in `transfers`. O_NONBLOCK: it doesn't wait.
            let got =
                unsafe { libc::read(self.file.as_raw_fd(), (&raw mut header).cast(), size_of::<SgIoHdr>()) };
            if got < 0 {
                let errno = last_errno();
                if errno.0 == libc::EINTR {
                    continue;
                }
                if errno.0 != libc::EAGAIN {
                    self.fail_all(errno);
                }
                return true;
            }
            let ended = self.lock().transfers.remove(&header.pack_id);
            if let Some((transfer, done)) = ended {
                // SAFETY: that was its answer, which comes once.
                let _ = done.send(Ok(unsafe { transfer.reply(&header) }));
            }
        }
    }

    /// The device is gone: no answer will come. (The kernel has dropped what was under way.)
    fn fail_all(&self, errno: Errno) {
        for (_, (_, done)) in self.lock().transfers.drain() {
            let _ = done.send(Err(errno));
        }
    }
}
