//! Events of all maps through one poll of the control device (Linux 4.14 and later).

use std::os::fd::{AsFd, BorrowedFd};

use libmp::types::Errno;

use super::Control;
use super::abi::{Command, Question};

/// A control device of its own, readable after any map's event since it was last armed.
#[derive(Debug)]
pub struct Poller {
    control: Control,
}

impl Poller {
    /// Opens it and arms it.
    pub fn open() -> Result<Self, Errno> {
        let poller = Self { control: Control::open()? };
        poller.arm()?;
        Ok(poller)
    }

    /// From now on, readable at the next event. Doesn't block.
    pub fn arm(&self) -> Result<(), Errno> {
        self.control.call(Command::ArmPoll, &Question::default()).map(drop)
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.file.as_fd()
    }
}
