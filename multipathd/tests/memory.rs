//! What the allocator keeps. A process of its own, as it is told once for all.

use multipathd::sys::process::bound_heap;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn what_a_long_reply_held_is_given_back() {
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
