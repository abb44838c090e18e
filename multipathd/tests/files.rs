//! Where this process may open few files only. A process of its own: the limit holds for all of its threads.

use libmp::types::Errno;
use multipathd::sys::sysfs;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Nobody who looks at a disk has more open at once, standard streams and those of the test included.
const ENOUGH: u64 = 64;

#[test]
fn what_is_told_of_a_disk_is_all_of_it_or_that_files_are_short() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let limit = |soft| setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("a lower one");
    let disks = sysfs::disks().expect("sysfs");
    assert!(!disks.is_empty(), "a disk is needed, whatever it is");
    for name in disks {
        let whole = sysfs::probe(&name).expect("it is listed");
        let tell = |most| {
            limit(most);
            let told = sysfs::probe(&name);
            limit(ENOUGH);
            told
        };
        let told: Vec<_> = (0..ENOUGH).map(tell).collect();
        assert_eq!((&told[0], told.last()), (&Err(Errno::EMFILE), Some(&Ok(whole.clone()))));
        let of_two = |told: &Result<_, _>| *told == Ok(whole.clone()) || *told == Err(Errno::EMFILE);
        assert!(told.iter().all(of_two), "{name}: {told:?}");
    }
}
