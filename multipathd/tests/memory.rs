//! What the allocator keeps: in a process of its own, as it is told once for all, and one test at a time.

use std::sync::{Mutex, PoisonError};

use multipathd::sys::buffer::{Buffer, give_back};
use multipathd::sys::process::bound_heap;

static ALONE: Mutex<()> = Mutex::new(());

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
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

/// Buffers that outlive the others keep the heap long, and the holes between them stay the daemon's.
#[test]
fn what_many_buffers_held_is_given_back() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let buffers: Vec<Buffer> = (0..8_000).map(|_| Buffer::for_direct_io(4_096)).collect();
    let kept: Vec<Buffer> =
        buffers.into_iter().enumerate().filter(|(at, _)| at % 1_000 == 999).map(|(_, b)| b).collect();
    let before = resident_kib();
    give_back();
    let after = resident_kib();
    assert!(after + 16_000 < before, "{before} KiB before, {after} KiB after, {} kept", kept.len());
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
