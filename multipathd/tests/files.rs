//! Where this process may open few files only. A process of its own: the limit holds for all of its threads.

use libmp::types::Errno;
use multipathd::sys::{claims, sysfs};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Nobody who looks at a disk has more open at once, standard streams and those of the test included.
const ENOUGH: u64 = 64;

fn limit(soft: u64) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("a lower one");
}

fn with<T>(most: u64, tell: impl Fn() -> T) -> T {
    limit(most);
    let told = tell();
    limit(ENOUGH);
    told
}

#[test]
fn what_is_told_of_a_disk_is_all_of_it_or_that_files_are_short() {
    let disks = sysfs::disks().expect("sysfs");
    assert!(!disks.is_empty(), "a disk is needed, whatever it is");
    for name in disks {
        let whole = sysfs::probe(&name).expect("it is listed");
        let told: Vec<_> = (0..ENOUGH).map(|most| with(most, || sysfs::probe(&name))).collect();
        assert_eq!((&told[0], told.last()), (&Err(Errno::EMFILE), Some(&Ok(whole.clone()))));
        let of_two = |told: &Result<_, _>| *told == Ok(whole.clone()) || *told == Err(Errno::EMFILE);
        assert!(told.iter().all(of_two), "{name}: {told:?}");
        // A disk of which it can't be told whether it is mounted is not one that nobody uses.
        let is_used = || claims::is_in_use(&name).map_err(|error| error.raw_os_error());
        let whole = is_used();
        let told: Vec<_> = (0..ENOUGH).map(|most| with(most, is_used)).collect();
        assert!(whole.is_ok() && told.last() == Some(&whole), "{name}: {whole:?}, {told:?}");
        let short = Err(Some(libc::EMFILE));
        assert_eq!(told[0], short, "{name}");
        assert!(told.iter().all(|told| [whole, short].contains(told)), "{name}: {told:?}");
    }
}
