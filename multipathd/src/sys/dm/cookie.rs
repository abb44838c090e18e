//! udev's "done" for one operation: a System V semaphore, as libdevmapper and `dmsetup
//! udevcomplete` know it, and a wait that ends.
//!
//! The low 16 bits of the event number name the semaphore (key `0x0D4D` << 16 | base), the high
//! ones carry flags to udev's rules. The last rule lowers the semaphore; at zero udev is done.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use libmp::types::Errno;

use crate::sys::last_errno;

unsafe extern "C" {
    /// Of glibc; the crate `libc` doesn't have it.
    fn semtimedop(
        id: libc::c_int,
        operations: *mut libc::sembuf,
        count: libc::size_t,
        timeout: *const libc::timespec,
    ) -> libc::c_int;
}

/// What SETVAL takes (semctl(2)); the crate `libc` doesn't have it either. It is passed as long as a pointer: of an int alone, a 64-bit
/// big-endian machine would read the wrong half.
#[repr(C)]
union Semun {
    val: libc::c_int,
    array: *mut libc::c_ushort,
}

const MAGIC: i32 = 0x0D4D;
const TRIES: u64 = 64;

/// Those that there are: a process that ends does not take its semaphores along.
static OPEN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn change_open(change: impl FnOnce(&mut BTreeSet<i32>)) {
    change(&mut OPEN.lock().unwrap_or_else(PoisonError::into_inner));
}

fn remove(id: i32) {
    // SAFETY: IPC_RMID takes no argument.
    unsafe { libc::semctl(id, 0, libc::IPC_RMID) };
}

/// Nobody waits for udev any more, as the process is about to end.
pub fn leave_none() {
    change_open(|open| std::mem::take(open).into_iter().for_each(remove));
}

/// A semaphore that udev's rules will lower. It is removed when dropped.
#[derive(Debug)]
pub(super) struct Cookie {
    id: i32,
    base: u16,
}

impl Cookie {
    /// A new one, waiting for one completion.
    pub(super) fn new() -> Result<Self, Errno> {
        let random = RandomState::new();
        for attempt in 0..TRIES {
            let base = (random.hash_one(attempt) & 0xffff) as u16;
            if base == 0 {
                continue;
            }
            let key = (MAGIC << 16) | i32::from(base);
            // SAFETY: no pointers.
            let id = unsafe { libc::semget(key, 1, 0o600 | libc::IPC_CREAT | libc::IPC_EXCL) };
            if id >= 0 {
                change_open(|open| _ = open.insert(id));
                let cookie = Self { id, base };
                let mut one = Semun { array: std::ptr::null_mut() };
                one.val = 1;
                // SAFETY: SETVAL takes the union by value, and of it the int.
                if unsafe { libc::semctl(id, 0, libc::SETVAL, one) } < 0 {
                    return Err(last_errno());
                }
                return Ok(cookie);
            }
            let errno = last_errno();
            if errno.0 != libc::EEXIST {
                return Err(errno);
            }
        }
        Err(Errno(libc::EEXIST))
    }

    /// Its part of the event number.
    pub(super) const fn base(&self) -> u32 {
        self.base as u32
    }

    /// Is udev done?
    pub(super) fn is_down(&self) -> bool {
        // SAFETY: GETVAL takes no argument.
        unsafe { libc::semctl(self.id, 0, libc::GETVAL) <= 0 }
    }

    /// Waits until udev is done, `limit` at the most (then `EAGAIN`).
    pub(super) fn wait(&self, limit: Duration) -> Result<(), Errno> {
        let mut for_zero = libc::sembuf { sem_num: 0, sem_op: 0, sem_flg: 0 };
        let timeout = libc::timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        // SAFETY: both structures live until the call returns; it is told of one operation.
        let rc = unsafe { semtimedop(self.id, &raw mut for_zero, 1, &raw const timeout) };
        if rc < 0 { Err(last_errno()) } else { Ok(()) }
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        change_open(|open| {
            if open.remove(&self.id) {
                remove(self.id);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lower(base: u32) {
        let key = (MAGIC << 16) | i32::try_from(base).expect("16 bits");
        // SAFETY: no pointers.
        let id = unsafe { libc::semget(key, 1, 0) };
        assert!(id >= 0);
        let mut down = libc::sembuf { sem_num: 0, sem_op: -1, sem_flg: 0 };
        // SAFETY: the structure lives until the call returns.
        assert_eq!(unsafe { libc::semop(id, &raw mut down, 1) }, 0);
    }

    #[test]
    fn a_completed_cookie_ends_the_wait() {
        let cookie = Cookie::new().expect("semaphores");
        // SAFETY: GETVAL takes no argument.
        assert_eq!(unsafe { libc::semctl(cookie.id, 0, libc::GETVAL) }, 1, "one completion is waited for");
        let base = cookie.base();
        let udev = std::thread::spawn(move || lower(base));
        assert_eq!(cookie.wait(Duration::from_secs(5)), Ok(()));
        assert!(cookie.is_down());
        udev.join().expect("lowered");
    }

    #[test]
    fn a_forgotten_cookie_ends_the_wait_too_and_leaves_nothing() {
        let cookie = Cookie::new().expect("semaphores");
        let key = (MAGIC << 16) | i32::try_from(cookie.base()).expect("16 bits");
        assert_eq!(cookie.wait(Duration::from_millis(20)), Err(Errno(libc::EAGAIN)));
        assert!(!cookie.is_down());
        drop(cookie);
        // SAFETY: no pointers.
        assert_eq!(unsafe { libc::semget(key, 1, 0) }, -1);
    }
}
