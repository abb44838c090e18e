//! The library under test, as safe functions: what C returns with `errno` is a `Result`. With MPATHCMD, the path of a shared libmpathcmd, that one
//! is called; so it is with MPATHCMD_REFERENCE, which is multipath-tools' own; else the functions themselves.
#![allow(dead_code, unsafe_code)] // each test file takes what it needs

use std::env;
use std::ffi::{CStr, CString, OsString, c_char, c_int, c_uint};
use std::mem::transmute_copy;
use std::os::unix::ffi::OsStringExt as _;
use std::ptr::{dangling_mut, null, null_mut};
use std::sync::OnceLock;

use libc::{size_t, ssize_t};
use mpathcmd::c;
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};

const OURS: &str = "MPATHCMD";
const REFERENCE: &str = "MPATHCMD_REFERENCE";

/// No reply.
pub const NULL: *const c_char = null();
/// What a caller's pointer is before.
pub const MARK: *const c_char = dangling_mut::<c_char>();

type Connect = unsafe extern "C" fn() -> c_int;
type OfNumber = unsafe extern "C" fn(c_int) -> c_int;
type Send = unsafe extern "C" fn(c_int, *const c_char) -> c_int;
type Length = unsafe extern "C" fn(c_int, c_uint) -> ssize_t;
type Data = unsafe extern "C" fn(c_int, *mut c_char, size_t, c_uint) -> c_int;
type Reply = unsafe extern "C" fn(c_int, *mut *mut c_char, c_uint) -> c_int;
type Process = unsafe extern "C" fn(c_int, *const c_char, *mut *mut c_char, c_uint) -> c_int;

/// Its functions.
pub struct Library {
    connect: Connect,
    connect_nonblocking: OfNumber,
    disconnect: OfNumber,
    send: Send,
    length: Length,
    data: Data,
    reply: Reply,
    process: Process,
    is_ours: bool,
}

impl Library {
    /// The one under test.
    pub fn get() -> &'static Self {
        static LIBRARY: OnceLock<Library> = OnceLock::new();
        LIBRARY.get_or_init(|| match (env::var_os(OURS), env::var_os(REFERENCE)) {
            (Some(path), _) => Self::load(path, true),
            (None, Some(path)) => Self::load(path, false),
            (None, None) => Self::linked(),
        })
    }

    fn linked() -> Self {
        Self {
            connect: c::mpath_connect,
            connect_nonblocking: c::__mpath_connect,
            disconnect: c::mpath_disconnect,
            send: c::mpath_send_cmd,
            length: c::mpath_recv_reply_len,
            data: c::mpath_recv_reply_data,
            reply: c::mpath_recv_reply,
            process: c::mpath_process_cmd,
            is_ours: true,
        }
    }

    fn load(path: OsString, is_ours: bool) -> Self {
        let name = CString::new(path.into_vec()).expect("no NUL");
        // SAFETY: what the library does when it is loaded is its own affair.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null(), "{}: no library", name.to_string_lossy());
        let function = |name: &CStr| {
            // SAFETY: the library stays loaded.
            let address = unsafe { libc::dlsym(library, name.as_ptr()) };
            assert!(!address.is_null(), "no {}", name.to_string_lossy());
            address
        };
        macro_rules! named {
            ($name:literal as $of:ty) => {
                // SAFETY: an address is as large as a pointer to a function, and the function is of this kind by its manual.
                unsafe { transmute_copy::<_, $of>(&function($name)) }
            };
        }
        Self {
            connect: named!(c"mpath_connect" as Connect),
            connect_nonblocking: named!(c"__mpath_connect" as OfNumber),
            disconnect: named!(c"mpath_disconnect" as OfNumber),
            send: named!(c"mpath_send_cmd" as Send),
            length: named!(c"mpath_recv_reply_len" as Length),
            data: named!(c"mpath_recv_reply_data" as Data),
            reply: named!(c"mpath_recv_reply" as Reply),
            process: named!(c"mpath_process_cmd" as Process),
            is_ours,
        }
    }

    /// Not multipath-tools' own.
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// `mpath_connect`.
    pub fn connect(&self) -> Result<c_int, Errno> {
        // SAFETY: takes nothing.
        result(|| unsafe { (self.connect)() }.into()).map(int)
    }

    /// `__mpath_connect`.
    pub fn connect_nonblocking(&self) -> Result<c_int, Errno> {
        // SAFETY: takes any number.
        result(|| unsafe { (self.connect_nonblocking)(1) }.into()).map(int)
    }

    /// `mpath_disconnect`.
    pub fn disconnect(&self, fd: c_int) -> Result<c_int, Errno> {
        // SAFETY: the tests close nothing that somebody else has.
        result(|| unsafe { (self.disconnect)(fd) }.into()).map(int)
    }

    /// `mpath_send_cmd`.
    pub fn send(&self, fd: c_int, command: Option<&CStr>) -> Result<c_int, Errno> {
        let command = command.map_or(null(), CStr::as_ptr);
        // SAFETY: NULL or a text with a NUL.
        result(|| unsafe { (self.send)(fd, command) }.into()).map(int)
    }

    /// `mpath_recv_reply_len`.
    pub fn length(&self, fd: c_int, timeout_ms: c_uint) -> Result<i64, Errno> {
        // SAFETY: takes any numbers.
        result(|| unsafe { (self.length)(fd, timeout_ms) } as i64)
    }

    /// `mpath_recv_reply_data`: what is in the room for it then.
    pub fn data(&self, fd: c_int, room: usize, timeout_ms: c_uint) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![b'?'; room];
        // SAFETY: there is so much room.
        result(|| unsafe { (self.data)(fd, bytes.as_mut_ptr().cast(), room, timeout_ms) }.into())?;
        Ok(bytes)
    }

    /// `mpath_recv_reply_data` without room.
    pub fn data_to_nowhere(&self, room: usize) -> Result<c_int, Errno> {
        // SAFETY: NULL is refused.
        result(|| unsafe { (self.data)(-1, null_mut(), room, 0) }.into()).map(int)
    }

    /// `mpath_recv_reply`: the text, up to its NUL. There is none where it fails.
    pub fn reply(&self, fd: c_int, timeout_ms: c_uint) -> Result<Vec<u8>, Errno> {
        let mut reply = MARK.cast_mut();
        // SAFETY: leads to a pointer.
        let status = result(|| unsafe { (self.reply)(fd, &raw mut reply, timeout_ms) }.into());
        assert_eq!(reply.is_null(), status.is_err());
        status.map(|_| taken(reply))
    }

    /// `mpath_recv_reply` without a pointer.
    pub fn reply_to_nowhere(&self) -> Result<c_int, Errno> {
        // SAFETY: NULL is refused.
        result(|| unsafe { (self.reply)(-1, null_mut(), 0) }.into()).map(int)
    }

    /// `mpath_process_cmd` without a pointer.
    pub fn process_to_nowhere(&self, fd: c_int, command: &CStr) -> Result<c_int, Errno> {
        // SAFETY: a text with a NUL, and NULL is refused.
        result(|| unsafe { (self.process)(fd, command.as_ptr(), null_mut(), 0) }.into()).map(int)
    }

    /// `mpath_process_cmd`.
    pub fn ask(&self, fd: c_int, command: &CStr, timeout_ms: c_uint) -> Result<Vec<u8>, Errno> {
        let (status, reply) = self.process(fd, command, timeout_ms);
        status.map(|_| taken(reply.cast_mut()))
    }

    /// `mpath_process_cmd`, and what it has made of `MARK`.
    pub fn process(
        &self,
        fd: c_int,
        command: &CStr,
        timeout_ms: c_uint,
    ) -> (Result<c_int, Errno>, *const c_char) {
        let mut reply = MARK.cast_mut();
        // SAFETY: a text with a NUL, and what leads to a pointer.
        let mut call = || unsafe { (self.process)(fd, command.as_ptr(), &raw mut reply, timeout_ms) };
        let status = result(|| call().into()).map(int);
        (status, reply)
    }
}

/// A text that `malloc` has made room for.
fn taken(reply: *mut c_char) -> Vec<u8> {
    // SAFETY: it ends with a NUL, and is the caller's now.
    unsafe {
        let text = CStr::from_ptr(reply).to_bytes().to_vec();
        libc::free(reply.cast());
        text
    }
}

fn result(call: impl FnOnce() -> i64) -> Result<i64, Errno> {
    Errno::clear();
    match call() {
        -1 => Err(Errno::last()),
        value => Ok(value),
    }
}

fn int(value: i64) -> c_int {
    value.try_into().expect("it was one")
}

/// What this signal does by itself is done while `test` runs.
pub fn with_signal(of: Signal, test: impl FnOnce()) {
    // SAFETY: no handler, but the kernel's own.
    let before = unsafe { signal(of, SigHandler::SigDfl) }.expect("set");
    test();
    // SAFETY: as it was.
    unsafe { signal(of, before) }.expect("set");
}
