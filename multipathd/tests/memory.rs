//! What the allocator keeps: in a process of its own, as it is told once for all, and one test at a time.

use std::io::Write as _;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use multipathd::sys::buffer::Buffer;
use multipathd::sys::process::{bound_heap, give_back, lock_memory};

static ALONE: Mutex<()> = Mutex::new(());

fn resident_kib() -> u64 {
    status_kib("VmRSS:")
}

fn locked_kib() -> u64 {
    status_kib("VmLck:")
}

fn status_kib(key: &str) -> u64 {
    status(key).trim_end_matches(" kB").parse().expect("a number")
}

fn status(key: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    status.lines().find_map(|line| line.strip_prefix(key)).expect("a line of it").trim().into()
}

#[test]
fn what_a_long_reply_held_is_given_back() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    bound_heap().expect("the allocator listens");
    drop(vec![1u8; 8 << 20]); // blocks of this length and shorter are the heap's from now on, if it is left to itself
    let before = resident_kib();
    let reply = vec![1u8; 6 << 20];
    let kept: Vec<Box<[u8; 256]>> = (0..64).map(|_| Box::new([1; 256])).collect();
    assert!(resident_kib() > before + (5 << 10), "{before}");
    drop(reply);
    let after = resident_kib();
    assert!(after < before + 1024, "{before} KiB before, {after} KiB after, {} kept", kept.len());
}

/// What is told where this process lacks the right to lock memory: nothing of it was seen then.
const NOT_LOCKED: &str = "NOT TESTED, as no memory can be locked here";

/// `CAP_IPC_LOCK` is among the capabilities of this process.
fn may_lock() -> bool {
    u64::from_str_radix(&status("CapEff:"), 16).expect("a number") & 1 << 14 != 0
}

/// In the environment: the memory is to be locked, as that of a daemon is.
const LOCKED: &str = "MEMORY_IS_LOCKED";

/// Buffers that outlive the others keep the heap long, and the holes between them stay the daemon's.
#[test]
fn what_many_buffers_held_is_given_back() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let locked = std::env::var_os(LOCKED).is_some();
    if locked && let Err(errno) = lock_memory() {
        assert!(!may_lock(), "{errno}");
        return eprintln!("{NOT_LOCKED}: {errno}");
    }
    let buffers: Vec<Buffer> = (0..8_000).map(|_| Buffer::for_direct_io(4_096)).collect();
    let kept: Vec<Buffer> =
        buffers.into_iter().enumerate().filter(|(at, _)| at % 1_000 == 999).map(|(_, b)| b).collect();
    let before = resident_kib();
    give_back();
    let after = resident_kib();
    let kept = kept.len();
    assert!(after + 16_000 < before, "locked {locked}: {before} KiB before, {after} KiB after, {kept} kept");
    assert_eq!(locked_kib() > after / 2, locked, "{} KiB are locked of {after}", locked_kib());
}

/// In a process whose threads have one heap, as those of a daemon.
#[test]
fn what_many_buffers_held_is_given_back_though_memory_is_locked() {
    let mut program = Command::new(std::env::current_exe().expect("it runs"));
    program.args(["--exact", "what_many_buffers_held_is_given_back", "--nocapture"]);
    let output = program.env(LOCKED, "1").env("MALLOC_ARENA_MAX", "1").output().expect("started");
    let [told, why] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("text"));
    assert!(output.status.success() && told.contains(" 1 passed;"), "{told}{why}");
    if why.contains(NOT_LOCKED) {
        // What a test that passes has printed by a macro is kept from who runs it.
        std::io::stderr().write_all(why.as_bytes()).expect("told");
    }
}

/// Each that is aligned to a page would take one.
#[test]
fn what_reads_a_sector_takes_little_more() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    give_back();
    let before = resident_kib();
    let buffers: Vec<Buffer> = (0..8_000).map(|_| Buffer::for_direct_io(512)).collect();
    let after = resident_kib();
    assert!(after < before + 10_000, "{before} KiB before, {after} KiB with {}", buffers.len());
    assert!(buffers.iter().all(|buffer| buffer.as_ptr().addr() % 512 == 0));
}
