//! What a storage daemon asks for itself: to run when memory is short, when files are many, and
//! when the disk with its own program is the one that is gone.

use std::fs;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use libmp::config::settings::MaxFds;
use libmp::types::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

use super::{Failure, last_errno};

/// `PR_SET_IO_FLUSHER` of linux/prctl.h: memory it needs while it helps I/O on doesn't wait for I/O.
const PR_SET_IO_FLUSHER: libc::c_int = 57;
/// More files than that no machine's paths need.
const FILES_MAX: u64 = 1 << 20;
/// The reference's unit grants so much; nothing above it is asked for.
const REALTIME_MAX: u64 = 10;
/// Where no realtime priority is granted.
const NICE: libc::c_int = -10;

/// Is the memory of this process held?
static LOCKED: AtomicBool = AtomicBool::new(false);

/// Is this root?
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Asks for everything, and says what was refused: it is done without. To be called before threads
/// are made: they inherit priorities, and the locked memory is to hold none of their stacks whole.
pub fn prepare() -> Vec<(&'static str, Errno)> {
    let oom_score = || fs::write("/proc/self/oom_score_adj", "-1000").map_err(|e| Failure::from(e).into());
    let wishes = [
        ("to be spared when memory is short", oom_score()),
        ("more open files", raise_files()),
        ("memory that is given back", bound_heap()),
        ("memory without waiting for I/O", io_flusher()),
        ("a better priority", priority()),
        ("to stay in memory", lock_memory()),
    ];
    wishes.into_iter().filter_map(|(what, result)| Some((what, result.err()?))).collect()
}

/// As many open files as may be had.
pub fn raise_files() -> Result<(), Errno> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(Failure::from)?;
    let wanted = hard.max(FILES_MAX);
    // The unit's sandbox refuses the call, where the unit has given enough.
    if soft == wanted {
        return Ok(());
    }
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted).is_ok() {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(|errno| Failure::from(errno).into())
}

/// Raises the limit of open files to what the configuration wants. What is higher already stays.
pub fn allow_files(wanted: MaxFds) {
    // The kernel gives nobody more than that.
    let system = fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|text| text.trim().parse().ok());
    let wanted = match (wanted, system) {
        (MaxFds::Number(number), system) => number.min(system.unwrap_or(u64::MAX)),
        (MaxFds::OfSystem, Some(system)) => system,
        (MaxFds::OfSystem, None) => return,
    };
    if let Err((limit, errno)) = raise_files_to(wanted) {
        warn!("max_fds: {wanted} open files are not granted ({errno}): {limit} it is");
    }
}

/// The error has the limit that there is.
fn raise_files_to(wanted: u64) -> Result<(), (u64, Errno)> {
    let refused = |limit| move |errno| (limit, Failure::from(errno).into());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(refused(0))?;
    if soft >= wanted {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).map_err(refused(soft))
}

/// One arena for all threads: each other would be locked into memory. And long replies are blocks of their own, however many
/// there were: glibc would take the next ones of their length from its heap, and keep up to twice of that when they are freed.
pub fn bound_heap() -> Result<(), Errno> {
    const OF_ITS_OWN: libc::c_int = 128 << 10;
    for (option, value) in [(libc::M_ARENA_MAX, 1), (libc::M_MMAP_THRESHOLD, OF_ITS_OWN)] {
        // SAFETY: mallopt takes two ints.
        if unsafe { libc::mallopt(option, value) } != 1 {
            return Err(Errno::EINVAL);
        }
    }
    Ok(())
}

fn io_flusher() -> Result<(), Errno> {
    // SAFETY: the option takes an int and nothing else.
    let rc = unsafe { libc::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) };
    if rc < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Round robin at a low realtime priority where the unit grants one (`LimitRTPRIO`), for checks
/// must not come late on a busy machine; else a better nice value. Where the unit has set one of them
/// itself (`CPUSchedulingPolicy`, `Nice`), there is nothing to ask for.
fn priority() -> Result<(), Errno> {
    // SAFETY: no pointers.
    let (policy, nice) = unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) };
    if matches!(policy, libc::SCHED_RR | libc::SCHED_FIFO) {
        return Ok(());
    }
    let (granted, _) = getrlimit(Resource::RLIMIT_RTPRIO).map_err(Failure::from)?;
    if granted > 0 {
        let priority = libc::c_int::try_from(granted.min(REALTIME_MAX)).unwrap_or(1);
        let parameter = libc::sched_param { sched_priority: priority };
        // SAFETY: the structure lives until the call returns.
        if unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameter) } == 0 {
            return Ok(());
        }
    }
    if nice <= NICE {
        return Ok(());
    }
    // SAFETY: no pointers.
    let rc = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    if rc < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Keeps the program in memory: it must go on when the disk it was read from does not.
///
/// Everything there is now, the program's text above all, is read in and held; what comes later
/// (stacks of threads) is held page by page as it is used, not whole in advance.
pub fn lock_memory() -> Result<(), Errno> {
    // SAFETY: no pointers.
    let rc = unsafe { libc::mlockall(libc::MCL_CURRENT) };
    if rc < 0 {
        return Err(last_errno());
    }
    // SAFETY: no pointers.
    let rc = unsafe { libc::mlockall(libc::MCL_FUTURE | libc::MCL_ONFAULT) };
    if rc < 0 {
        return Err(last_errno());
    }
    LOCKED.store(true, Ordering::Relaxed);
    Ok(())
}

/// Gives the kernel back what was freed and lies between what is in use. To be called when much was freed.
///
/// A page that is locked can't be given back (madvise(2), MADV_DONTNEED): the heap is unlocked for that moment. What the kernel should
/// move out just then is locked again as soon as it is used.
pub fn give_back() {
    let heap = if LOCKED.load(Ordering::Relaxed) { heap() } else { None };
    if let Some((start, length)) = heap {
        // SAFETY: it changes no memory, only whether it may be moved out.
        unsafe { libc::munlock(start, length) };
    }
    // SAFETY: it touches nothing that is in use.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
    // Its end may have been given back, too.
    if let Some((start, length)) = heap.map(|before| self::heap().unwrap_or(before)) {
        // SAFETY: as above. Where the heap has just become shorter, all that there is of it is locked, and an error returned.
        let locked = unsafe { libc::mlock2(start, length, libc::MLOCK_ONFAULT) } == 0;
        // SAFETY: no pointers.
        let all = || unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) } == 0;
        if !locked && !all() {
            warn!("memory that was given back could not be held again: {}", last_errno());
        }
    }
}

/// Where the heap starts, and its length in bytes.
fn heap() -> Option<(*const libc::c_void, usize)> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    // It is more than one mapping where parts of it are locked in another way.
    let ranges = maps.lines().filter(|line| line.ends_with("[heap]")).filter_map(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
    });
    let (start, end) = ranges.reduce(|(start, end), next| (start.min(next.0), end.max(next.1)))?;
    Some((std::ptr::with_exposed_provenance(start), end - start))
}

/// Goes into the background: only the child returns. To be called before there is a second thread.
pub fn daemonise() -> Result<(), Errno> {
    for _ in 0..2 {
        // SAFETY: there is one thread; the child goes on as the parent would.
        match unsafe { libc::fork() } {
            -1 => return Err(last_errno()),
            0 => {}
            // SAFETY: ends the parent without running what the child will run.
            _ => unsafe { libc::_exit(0) },
        }
        let _ = nix::unistd::setsid();
    }
    nix::unistd::chdir("/").map_err(Failure::from)?;
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null").map_err(Failure::from)?;
    for standard in 0..3 {
        // SAFETY: both descriptors are open, and nobody owns the standard ones.
        if unsafe { libc::dup2(null.as_raw_fd(), standard) } < 0 {
            return Err(last_errno());
        }
    }
    Ok(())
}

/// Sends a line to the system's log. May block.
pub fn syslog(priority: libc::c_int, text: &str) {
    if let Ok(text) = std::ffi::CString::new(text.replace('\0', " ")) {
        // SAFETY: the format takes one string, which lives until the call returns.
        unsafe { libc::syslog(libc::LOG_DAEMON | priority, c"%s".as_ptr(), text.as_ptr()) };
    }
}

/// Opens the system's log under the daemon's name.
pub fn open_syslog() {
    // SAFETY: the name is static; openlog keeps the pointer.
    unsafe { libc::openlog(c"multipathd".as_ptr(), libc::LOG_PID, libc::LOG_DAEMON) };
}

/// Has a program without a `main` of Rust's (`#![no_main]`) begin with C's, and end with the exit code of this function:
/// Rust's own beginning makes more system calls than a short one's work. A pipe that nobody reads ends it, as any C program.
#[macro_export]
macro_rules! begin_as_c {
    ($run:path) => {
        /// Called by the C library, which has given the standard library the arguments before.
        // SAFETY: the name is C's, and there is no other of it in a program that has no `main` of Rust's.
        #[unsafe(no_mangle)]
        pub extern "C" fn main(
            _count: ::std::ffi::c_int,
            _arguments: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            ::std::ffi::c_int::from($run() != ::std::process::ExitCode::SUCCESS)
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_raised_and_never_lowered() {
        let limits = || getrlimit(Resource::RLIMIT_NOFILE).expect("limits");
        let (soft, hard) = limits();
        setrlimit(Resource::RLIMIT_NOFILE, soft - 1, hard).expect("lowered");
        allow_files(MaxFds::Number(1));
        assert_eq!(limits(), (soft - 1, hard));
        allow_files(MaxFds::Number(soft));
        assert_eq!(limits(), (soft, hard));
    }
}
