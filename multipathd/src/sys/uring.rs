//! Direct reads through io_uring: no thread a read, and a read that hangs harms nobody.
//!
//! A submission never blocks: where the device has no room the kernel hands the read to a worker of
//! its own, or has it handed over once more, for a worker. Buffer and descriptor are kept until the read
//! ends, however late.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use io_uring::squeue::{Entry, Flags};
use io_uring::{IoUring, Probe, opcode, types};
use libmp::types::Errno;
use tokio::sync::{Notify, oneshot};

use super::block::Block;
use super::buffer::{Piece, Pool};
use super::failing::Failing;
use super::lane::Closing;
use super::poll::{Readable, readable};
use super::{errno_of, last_errno, process};

/// Reads handed over in one call; more of them take more calls.
const ENTRIES: u32 = 64;
/// So many reads may wait in workers of the kernel's. By itself it has four for each processor, and what comes behind those that hang
/// would wait with them.
const WORKERS_MAX: u32 = 4096;
/// So many reads at once are more than a healthy machine has: some hang, and hold memory.
const MANY: usize = 128;
/// After this, whoever waited for them has let go of what it held, too.
const LET_GO: Duration = Duration::from_secs(5);

/// A ring, and the reads that are under way in it.
pub struct Ring {
    inner: Mutex<Inner>,
    /// Something was queued and is to be submitted, with what else comes in this turn of the loop.
    queued: Notify,
    event: Readable<OwnedFd>,
}

struct Inner {
    ring: IoUring,
    reads: HashMap<u64, Read>,
    /// Not handed over yet, in their order.
    orders: VecDeque<Entry>,
    /// What is read into, by its size.
    buffers: BTreeMap<usize, Arc<Pool>>,
    next: u64,
    /// There were many reads since there was none.
    many: bool,
}

struct Read {
    /// Held open for the kernel.
    file: Arc<Closing<File>>,
    /// Held for the kernel.
    buffer: Piece,
    /// In bytes.
    length: u32,
    /// It is done by a worker of the kernel's, which may wait.
    may_wait: bool,
    done: oneshot::Sender<Result<usize, Errno>>,
}

impl Ring {
    /// Sets one up, or tells why the kernel doesn't (`ENOSYS`; `EPERM` where it is forbidden; `EINVAL` before Linux 5.6, whose rings do not
    /// know the reads that are asked for).
    pub fn new() -> Result<Arc<Self>, Errno> {
        let ring = IoUring::builder().dontfork().build(ENTRIES).map_err(|error| errno_of(&error))?;
        let mut known = Probe::new();
        ring.submitter().register_probe(&mut known).map_err(|error| errno_of(&error))?;
        if !known.is_supported(opcode::Read::CODE) {
            return Err(Errno::EINVAL);
        }
        // Since Linux 5.15. Fewer do, as long as no more hang.
        let _ = ring.submitter().register_iowq_max_workers(&mut [WORKERS_MAX, 0]);
        // SAFETY: no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(last_errno());
        }
        // SAFETY: just opened, owned by nobody else.
        let event = unsafe { OwnedFd::from_raw_fd(fd) };
        ring.submitter().register_eventfd(event.as_raw_fd()).map_err(|error| errno_of(&error))?;
        let event = readable(event).map_err(|error| errno_of(&error))?;
        let (reads, orders, buffers) = Default::default();
        let inner = Mutex::new(Inner { ring, reads, orders, buffers, next: 0, many: false });
        let ring = Arc::new(Self { inner, queued: Notify::new(), event });
        tokio::spawn(ring.clone().submit_queued());
        tokio::spawn(ring.clone().reap());
        Ok(ring)
    }

    /// Reads a block at offset 0: bytes read, or the read's errno. Ends when the read does.
    pub async fn read_start(&self, file: Arc<Closing<File>>, block: Block) -> Result<usize, Errno> {
        let (done, ended) = oneshot::channel();
        self.queue(file, block, done)?;
        self.queued.notify_one();
        ended.await.unwrap_or(Err(Errno::EIO))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(
        &self,
        file: Arc<Closing<File>>,
        block: Block,
        done: oneshot::Sender<Result<usize, Errno>>,
    ) -> Result<(), Errno> {
        let mut inner = self.lock();
        let id = inner.next;
        inner.next += 1;
        let buffer = inner.buffers.entry(block.room).or_insert_with(|| Pool::new(block.room)).take();
        let length = u32::try_from(block.bytes).map_err(|_| Errno::EINVAL)?;
        inner.reads.insert(id, Read { file, buffer, length, may_wait: false, done });
        inner.order(id);
        inner.many |= inner.reads.len() >= MANY;
        Ok(())
    }

    async fn submit_queued(self: Arc<Self>) {
        let mut failing = Failing::new("io_uring takes no reads");
        loop {
            self.queued.notified().await;
            let result = self.lock().submit();
            if result.is_ok() {
                failing.went_well();
            }
            if let Err(errno) = result {
                failing.failed(&errno);
                self.reap_now();
                tokio::time::sleep(Duration::from_millis(50)).await;
                self.queued.notify_one();
            }
        }
    }

    async fn reap(self: Arc<Self>) {
        loop {
            let Ok(mut ready) = self.event.readable().await else { return };
            let mut count = 0_u64;
            // SAFETY: an eventfd gives eight bytes.
            unsafe { libc::read(self.event.as_raw_fd(), (&raw mut count).cast(), 8) };
            ready.clear_ready();
            drop(ready);
            self.reap_now();
        }
    }

    /// Takes out all that has ended. Where more had ended than the ring has room for, the kernel keeps
    /// the rest back, and says nothing more of it, until it is called.
    fn reap_now(&self) {
        let mut inner = self.lock();
        let mut again = Vec::new();
        loop {
            let Inner { ring, reads, .. } = &mut *inner;
            for entry in ring.completion() {
                let result = usize::try_from(entry.result()).map_err(|_| Errno(-entry.result()));
                let id = entry.user_data();
                if end(reads, id, result) {
                    again.push(id);
                }
            }
            if !ring.submission().cq_overflow() || inner.submit().is_err() {
                break;
            }
        }
        if !again.is_empty() {
            for id in again {
                inner.order(id);
            }
            self.queued.notify_one();
        }
        if inner.many && inner.reads.is_empty() {
            inner.many = false;
            inner.reads.shrink_to_fit();
            inner.orders.shrink_to_fit();
            tokio::spawn(async {
                tokio::time::sleep(LET_GO).await;
                process::give_back();
            });
        }
    }
}

/// A read has ended, unless it is to be handed over again. Nobody cancels one: that is what is left of it where the kernel could make
/// no thread that waits for it.
fn end(reads: &mut HashMap<u64, Read>, id: u64, result: Result<usize, Errno>) -> bool {
    let ours = |errno| if errno == Errno(libc::ECANCELED) { Errno(libc::EAGAIN) } else { errno };
    let result = result.map_err(ours);
    match reads.get_mut(&id) {
        // That says nothing of the device: what the kernel would have had to wait for was its own.
        Some(read) if result == Err(Errno(libc::EAGAIN)) && !read.may_wait => {
            read.may_wait = true;
            true
        }
        _ => {
            let _ = reads.remove(&id).map(|read| read.done.send(result));
            false
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The kernel may still write there.
        self.reads.drain().for_each(|(_, read)| std::mem::forget(read.buffer));
    }
}

impl Inner {
    /// A read is to be handed over.
    fn order(&mut self, id: u64) {
        let Some(read) = self.reads.get(&id) else { return };
        let how = if read.may_wait { Flags::ASYNC } else { Flags::empty() };
        let order = opcode::Read::new(types::Fd(read.file.as_raw_fd()), read.buffer.as_ptr(), read.length);
        self.orders.push_back(order.offset(0).build().flags(how).user_data(id));
    }

    /// Hands over all that was ordered.
    fn submit(&mut self) -> Result<(), Errno> {
        loop {
            while let Some(order) = self.orders.front() {
                // SAFETY: its buffer and descriptor are in `reads` until it has ended; the buffer of one that never does is leaked.
                if unsafe { self.ring.submission().push(order) }.is_err() {
                    break; // the ring is full
                }
                self.orders.pop_front();
            }
            match self.ring.submit() {
                Ok(_) if self.orders.is_empty() && self.ring.submission().is_empty() => return Ok(()),
                Ok(0) => return Err(Errno(libc::EAGAIN)),
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(error) => return Err(errno_of(&error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::lane::Lane;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
    }

    fn block(bytes: usize) -> Block {
        Block { bytes, room: bytes }
    }

    fn closing(file: File) -> Arc<Closing<File>> {
        Arc::new(Closing::new(file, &Lane::new()))
    }

    #[test]
    fn direct_reads_come_back_all_of_them() {
        let mut file = tempfile::NamedTempFile::new_in(".").expect("temporary file");
        file.write_all(&[7; 8192]).expect("written");
        let direct = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(file.path());
        let Ok(direct) = direct else { return }; // a filesystem without O_DIRECT
        runtime().block_on(async {
            let direct = closing(direct);
            let Ok(ring) = Ring::new() else { return }; // a kernel without io_uring
            let reads: Vec<_> = (0..1000)
                .map(|_| {
                    let (ring, direct) = (ring.clone(), direct.clone());
                    tokio::spawn(async move { ring.read_start(direct, block(4096)).await })
                })
                .collect();
            for read in reads {
                assert_eq!(read.await.expect("no panic"), Ok(4096));
            }
            assert!(ring.lock().reads.is_empty());
        });
    }

    #[test]
    fn a_read_that_hangs_hinders_nobody() {
        runtime().block_on(async {
            let Ok(ring) = Ring::new() else { return };
            let (hung, _writer) = nix::unistd::pipe().expect("pipe");
            let hung = closing(File::from(hung));
            let other = closing(File::open("/dev/zero").expect("there"));
            let mut never = Box::pin(ring.read_start(hung, block(512)));
            let late = tokio::time::timeout(Duration::from_millis(50), &mut never).await;
            assert!(late.is_err());
            assert_eq!(ring.read_start(other, block(512)).await, Ok(512));
            assert_eq!(ring.lock().reads.len(), 1);
        });
    }

    /// Where requests are short, as those of a port that hangs are all in use, each read of it takes a worker.
    #[test]
    fn there_are_workers_for_all_that_hang() {
        runtime().block_on(async {
            let Ok(ring) = Ring::new() else { return };
            let mut most = [0, 0]; // asks only
            if ring.lock().ring.submitter().register_iowq_max_workers(&mut most).is_ok() {
                assert_eq!(most[0], WORKERS_MAX);
            }
        });
    }

    /// So answers a device that has no room for a request, at times, though the descriptor is one that waits.
    #[test]
    fn what_can_not_be_read_without_waiting_is_waited_for() {
        runtime().block_on(async {
            let Ok(ring) = Ring::new() else { return };
            let zero = closing(File::open("/dev/zero").expect("there"));
            let [busy, no_thread] = [libc::EAGAIN, libc::ECANCELED].map(|errno| Err(Errno(errno)));
            for (said, answered) in [(busy, Ok(512)), (no_thread, Ok(512)), (no_thread, busy), (busy, busy)] {
                let (done, ended) = oneshot::channel();
                ring.queue(zero.clone(), block(512), done).expect("queued");
                {
                    let inner = &mut *ring.lock();
                    let id = inner.next - 1;
                    inner.orders.clear();
                    assert!(end(&mut inner.reads, id, said), "once");
                    if answered.is_ok() {
                        inner.order(id);
                    } else {
                        assert!(!end(&mut inner.reads, id, said), "not for ever");
                    }
                }
                ring.queued.notify_one();
                assert_eq!(ended.await.expect("an answer"), answered);
            }
        });
    }

    #[test]
    fn an_error_is_its_errno() {
        runtime().block_on(async {
            let Ok(ring) = Ring::new() else { return };
            let directory = closing(File::open("/").expect("there"));
            assert_eq!(ring.read_start(directory, block(512)).await, Err(Errno(libc::EISDIR)));
        });
    }
}
