//! What programs in C call, as multipath-tools' mpath_cmd.h has it. The functions return -1, with `errno`, where they fail. Nothing unwinds out
//! of them: what should never happen is `EIO`.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::os::fd::{BorrowedFd, IntoRawFd as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::slice;
use std::time::Duration;

use libc::{size_t, ssize_t};
use nix::errno::Errno;
use nix::unistd::close;

use crate::exchange;
use crate::socket::{self, Wait};

// SAFETY: as pthread.h declares it.
unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

/// As glibc's pthread.h and musl's have it.
const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// Connects to the daemon: returns the connection. Not 0: a daemon whose queue of connections is full is not waited for (`EAGAIN`).
#[unsafe(no_mangle)]
pub extern "C" fn mpath_connect__(nonblocking: c_int) -> c_int {
    said(|| {
        let name = if has_more_rights() { None } else { socket::named() };
        let connection = if nonblocking == 0 {
            socket::open(name.as_deref(), Wait::Forever)?
        } else {
            let connection = socket::open(name.as_deref(), Wait::Not)?;
            socket::block(&connection)?;
            connection
        };
        Ok(connection.into_raw_fd())
    })
}

/// The same, under its name before 0.10.
#[unsafe(no_mangle)]
pub extern "C" fn __mpath_connect(nonblocking: c_int) -> c_int {
    mpath_connect__(nonblocking)
}

/// Connects to the daemon, and waits until it takes the connection.
#[unsafe(no_mangle)]
pub extern "C" fn mpath_connect() -> c_int {
    mpath_connect__(0)
}

/// Ends a connection.
#[unsafe(no_mangle)]
pub extern "C" fn mpath_disconnect(fd: c_int) -> c_int {
    said(|| close(fd).map(|()| 0))
}

/// Sends a command; NULL is a message of no bytes.
///
/// # Safety
///
/// `fd` is open, or a number that is no descriptor; `cmd` is NULL or a text with a NUL at its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpath_send_cmd(fd: c_int, cmd: *const c_char) -> c_int {
    said(|| {
        // SAFETY: the caller's promise of `fd`.
        let connection = unsafe { borrowed(fd) }?;
        let bytes = if cmd.is_null() {
            &[]
        } else {
            // SAFETY: not NULL, so the caller promises a text with a NUL, which stays as it is until this returns.
            unsafe { CStr::from_ptr(cmd) }.to_bytes_with_nul()
        };
        exchange::send_message(connection, bytes).map(|()| 0)
    })
}

/// Waits for a reply's length, which counts the NUL at its end. 0 or more than `MAX_REPLY_BYTES` is `ERANGE`. `timeout`: milliseconds;
/// more than an `int` has is for ever.
///
/// # Safety
///
/// `fd` is open, or a number that is no descriptor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpath_recv_reply_len(fd: c_int, timeout: c_uint) -> ssize_t {
    said(|| {
        // SAFETY: the caller's promise of `fd`.
        let connection = unsafe { borrowed(fd) }?;
        let length = exchange::receive_length(connection, patience(timeout))?;
        ssize_t::try_from(length).map_err(|_| Errno::ERANGE)
    })
}

/// Reads a reply of `len` bytes, and ends it with a NUL whatever the last byte is. Each piece of it may take `timeout`.
///
/// # Safety
///
/// `fd` is open, or a number that is no descriptor; `reply` has room for `len` bytes that nobody else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpath_recv_reply_data(
    fd: c_int,
    reply: *mut c_char,
    len: size_t,
    timeout: c_uint,
) -> c_int {
    said(|| {
        if len == 0 {
            return Ok(0);
        }
        if reply.is_null() || isize::try_from(len).is_err() {
            return Err(Errno::EINVAL);
        }
        // SAFETY: the caller's promise of `fd`.
        let connection = unsafe { borrowed(fd) }?;
        // SAFETY: the caller promises room for `len` bytes; with something in each of them they make a slice, which no one else has.
        let into = unsafe {
            reply.write_bytes(0, len);
            slice::from_raw_parts_mut(reply.cast::<u8>(), len)
        };
        exchange::receive(connection, into, patience(timeout))?;
        into[len - 1] = 0;
        Ok(0)
    })
}

/// Reads a reply into memory of its own, which the caller frees. `reply` is NULL where there is none.
///
/// # Safety
///
/// `fd` is open, or a number that is no descriptor; `reply` leads to a pointer, or is NULL (`EINVAL`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpath_recv_reply(fd: c_int, reply: *mut *mut c_char, timeout: c_uint) -> c_int {
    if reply.is_null() {
        return said(|| Err(Errno::EINVAL));
    }
    // SAFETY: not NULL, so it leads to a pointer, whatever that has been.
    unsafe { reply.write(null_mut()) };
    // SAFETY: the caller's promise of `fd`.
    let Ok(len @ 1..) = usize::try_from(unsafe { mpath_recv_reply_len(fd, timeout) }) else { return -1 };
    // SAFETY: any size may be asked for.
    let text: *mut c_char = unsafe { libc::malloc(len) }.cast();
    if text.is_null() {
        return said(|| Err(Errno::ENOMEM));
    }
    // SAFETY: the caller's promise of `fd`; `text` was made with so much room, and nobody knows of it.
    let status = unsafe { mpath_recv_reply_data(fd, text, len, timeout) };
    let failed = Errno::last();
    // SAFETY: `reply` as above; `text` is freed here, once, or handed over.
    unsafe {
        if status == 0 {
            reply.write(text);
        } else {
            libc::free(text.cast());
            failed.set();
        }
    }
    status
}

/// Sends a command and reads its reply. Where it can't be sent, `reply` is left as it was; without `reply` it is not sent (`EINVAL`).
///
/// # Safety
///
/// As of `mpath_send_cmd` and `mpath_recv_reply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mpath_process_cmd(
    fd: c_int,
    cmd: *const c_char,
    reply: *mut *mut c_char,
    timeout: c_uint,
) -> c_int {
    if reply.is_null() {
        return said(|| Err(Errno::EINVAL));
    }
    // SAFETY: the caller's promises are those of both.
    unsafe {
        if mpath_send_cmd(fd, cmd) != 0 {
            return -1;
        }
        mpath_recv_reply(fd, reply, timeout)
    }
}

/// What C hears. A thread that is cancelled meanwhile goes on until then: glibc would unwind it from within a system call, through all of this.
fn said<T: From<i8>>(call: impl FnOnce() -> nix::Result<T>) -> T {
    let before = set_cancel_state(PTHREAD_CANCEL_DISABLE);
    let result = catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(Errno::EIO));
    set_cancel_state(before);
    result.unwrap_or_else(|failed| {
        failed.set();
        T::from(-1)
    })
}

/// May the thread be cancelled? Returns what held before.
fn set_cancel_state(state: c_int) -> c_int {
    let mut before = 0;
    // SAFETY: a state that there is, and room for the one before.
    unsafe { pthread_setcancelstate(state, &raw mut before) };
    before
}

/// A descriptor of the caller's.
///
/// # Safety
///
/// It stays open until it is not used any more, or is none.
unsafe fn borrowed(fd: c_int) -> nix::Result<BorrowedFd<'static>> {
    if fd < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: not -1. A number that is no descriptor is told so by the first call that it is given to.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Milliseconds; what is more than an `int` has is for ever.
fn patience(timeout: c_uint) -> Option<Duration> {
    c_int::try_from(timeout).is_ok().then(|| Duration::from_millis(timeout.into()))
}

/// Has the program more rights than who started it? He chooses no socket for it then.
fn has_more_rights() -> bool {
    // SAFETY: reads what the kernel has told the process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_stays_inside() {
        assert_eq!(said::<c_int>(|| panic!("as it should")), -1);
        assert_eq!(Errno::last(), Errno::EIO);
    }
}
