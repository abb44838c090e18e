//! Device-mapper: operations on maps through `/dev/mapper/control`.
//!
//! Calls may block (a suspend that flushes, a wait for udev): never on the loop's thread, but for
//! [`Poller`].

mod abi;
mod cookie;
mod create;
mod holders;
mod modules;
mod node;
mod ops;
mod partitions;
mod poll;
mod read;
mod reassign;

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use libmp::types::Errno;

pub use self::cookie::leave_none;
pub use self::create::{Announced, Begun, is_of};
pub use self::ops::Mapper;
pub use self::poll::Poller;

use self::abi::{Answer, BUFFER_FULL, Command, Question};
use super::{errno_of, last_errno};

const CONTROL: &str = "/dev/mapper/control";
/// Room for a map's table at first; it grows while the kernel says that it doesn't fit. It is zeroed
/// and copied both ways.
const ROOM: usize = 2 << 10;
/// Room for the list of all devices at first.
const ROOM_FOR_ALL: usize = 16 << 10;
const ROOM_MAX: usize = 64 << 20;

/// The open control device.
#[derive(Debug)]
struct Control {
    file: File,
}

impl Control {
    fn open() -> Result<Self, Errno> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_CLOEXEC);
        options.open(CONTROL).map(|file| Self { file }).map_err(|error| errno_of(&error))
    }

    fn call(&self, command: Command, question: &Question<'_>) -> Result<Answer, Errno> {
        let mut room = question.room;
        loop {
            let mut buffer = question.encode(room)?;
            // SAFETY: the buffer starts with a header that says how long it is, is aligned to
            // eight bytes, and outlives the call; the kernel writes nowhere else.
            let rc = unsafe { libc::ioctl(self.file.as_raw_fd(), command.request(), buffer.as_mut_ptr()) };
            if rc < 0 {
                return Err(last_errno());
            }
            let answer = Answer::decode(&buffer);
            if !answer.has(BUFFER_FULL) || room == 0 || room >= ROOM_MAX {
                return Ok(answer);
            }
            room *= 4;
        }
    }
}
