//! One daemon a machine: the pid file and its lock.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::files::{is_in_place, is_locked, try_lock};

/// Where the pid file is, as scripts expect it.
pub const PID_FILE: &str = "/run/multipathd.pid";

/// No pid is longer.
const LENGTH_MAX: usize = 64;

/// For so long another one may decide whose it is.
const DECIDING_MAX: Duration = Duration::from_secs(2);

/// The held pid file. The lock goes with the last process that has it open: it survives a fork.
#[derive(Debug)]
pub struct PidFile {
    file: File,
    path: PathBuf,
}

impl PidFile {
    /// Takes the lock; the error is a line for the operator that names who has it.
    ///
    /// One that was killed while a thread of it hangs in the kernel has its files open until that returns: it is as good as gone,
    /// and its file makes way for another.
    pub fn take(path: &Path) -> Result<Self, String> {
        Self::try_take(path, true)
    }

    fn try_take(path: &Path, once_more: bool) -> Result<Self, String> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o644);
        let opened = options.custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW).open(path);
        let mut file = opened.map_err(|error| format!("{}: {error}", path.display()))?;
        decide_alone(&file);
        match try_lock(&file) {
            // A daemon that stops removes its file: the lock may be on one that nobody sees.
            Ok(()) if !is_in_place(&file, path) => {
                Err(format!("{} was replaced: start again", path.display()))
            }
            Ok(()) => {
                // Who it was before is nobody to be told of. Its place is kept: on a full disk there would be none for the next one.
                let length = file.metadata().map_or(0, |there| there.len());
                let length = usize::try_from(length).map_or(LENGTH_MAX, |length| length.min(LENGTH_MAX));
                let _ = file.write_all_at(&[b' '; LENGTH_MAX][..length], 0);
                let _ = file.unlock();
                Ok(Self { file, path: path.into() })
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                let pid = text.trim();
                let makes_way = once_more && has_ended(pid) && is_in_place(&file, path);
                if makes_way && fs::remove_file(path).is_ok() {
                    return Self::try_take(path, false);
                }
                let pid = if pid.is_empty() { "not known" } else { pid };
                Err(format!("another multipathd is running already (pid {pid})"))
            }
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Writes this process's pid into it. Where that can't be, it is held all the same: others learn that there is somebody, and not who.
    pub fn write(&self) -> Result<(), String> {
        let line = format!("{}\n", std::process::id());
        // Scripts of any user read it, whatever this process leaves out of what it makes.
        let _ = self.file.set_permissions(Permissions::from_mode(0o644));
        let write = || {
            self.file.write_all_at(line.as_bytes(), 0)?;
            self.file.set_len(line.len() as u64)
        };
        write().map_err(|error| format!("{}: {error}", self.path.display()))
    }

    /// Removes it: the daemon stops.
    pub fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// One at a time decides whose the file is: two that find the same one hanging would each remove what the other has made. That is
/// another kind of lock than the daemon's own, which keeps none of it. Whoever else has such a one for long is not waited for.
fn decide_alone(file: &File) {
    const STEP: Duration = Duration::from_millis(10);
    for _ in 0..DECIDING_MAX.as_millis() / STEP.as_millis() {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(STEP),
            _ => return,
        }
    }
}

/// Does a daemon that runs hold it?
pub fn is_held(path: &Path) -> bool {
    let Ok(mut file) = File::open(path) else { return false };
    let mut pid = String::new();
    let _ = file.read_to_string(&mut pid);
    is_locked(&file) && !has_ended(pid.trim())
}

/// Has this process ended, but for threads of it that hang in the kernel?
fn has_ended(pid: &str) -> bool {
    let Ok(pid) = pid.parse::<u32>() else { return false };
    says_ended(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default())
}

/// proc_pid_status(5). One that a signal ends with a core dump, which waits for all its threads, is no zombie before it is written.
fn says_ended(status: &str) -> bool {
    status.lines().any(|line| line.starts_with("State:\tZ") || line == "CoreDumping:\t1")
}

#[cfg(test)]
mod tests {
    use std::process::Child;

    use super::*;

    fn held_by_one_that_has_ended(path: &Path) -> (PidFile, Child) {
        let held = PidFile::take(path).expect("free");
        let ended = std::process::Command::new("true").spawn().expect("started");
        let pid = ended.id().to_string();
        held.file.write_all_at(pid.as_bytes(), 0).expect("written");
        while !has_ended(&pid) {
            thread::yield_now();
        }
        (held, ended)
    }

    #[test]
    fn one_that_was_killed_and_hangs_makes_way() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("multipathd.pid");
        let (first, mut ended) = held_by_one_that_has_ended(&path);
        let second = PidFile::take(&path).expect("it makes way");
        assert!(is_in_place(&second.file, &path) && !is_in_place(&first.file, &path));
        assert!(PidFile::take(&path).is_err(), "one alone");
        ended.wait().expect("it has ended");
    }

    #[test]
    fn two_that_take_over_decide_one_after_the_other() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("multipathd.pid");
        let (first, mut ended) = held_by_one_that_has_ended(&path);
        let other = File::open(&path).expect("there");
        other.lock().expect("another one decides");
        let taking = thread::spawn({
            let path = path.clone();
            move || PidFile::take(&path).map(|second| is_in_place(&second.file, &path))
        });
        thread::sleep(Duration::from_millis(50));
        assert!(is_in_place(&first.file, &path), "it is not removed meanwhile");
        other.unlock().expect("decided");
        assert_eq!(taking.join().expect("ended"), Ok(true));
        ended.wait().expect("it has ended");
    }

    #[test]
    fn one_whose_core_is_dumped_has_ended() {
        let status = |state, dumping| {
            format!(
                "Name:\tmultipathd\nUmask:\t0077\nState:\t{state}\nPid:\t7\nCoreDumping:\t{dumping}\nThreads:\t2\n"
            )
        };
        assert!(!says_ended(&status("S (sleeping)", 0)) && !says_ended(&status("D (disk sleep)", 0)));
        assert!(says_ended(&status("D (disk sleep)", 1)));
        assert!(says_ended("Name:\tmultipathd\nState:\tZ (zombie)\nPid:\t7\nThreads:\t2\n"));
        assert!(!says_ended(""));
    }

    #[test]
    fn everybody_can_read_who_it_is() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("multipathd.pid");
        let held = PidFile::take(&path).expect("free");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("as a unit's UMask has it");
        held.write().expect("written");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o644);
    }

    /// As on a disk that is full: what has no place gets none, and what has one must keep it.
    #[test]
    fn the_place_of_the_last_pid_is_kept_for_the_next() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("multipathd.pid");
        fs::write(&path, "12345678901\n").expect("written by another");
        let second = PidFile::take(&path).expect("free");
        let text = || fs::read_to_string(&path).expect("read");
        assert_eq!((text().len(), text().trim()), (12, ""), "nobody is told of who it was");
        let refused = PidFile::take(&path).expect_err("taken");
        assert_eq!(refused, "another multipathd is running already (pid not known)");
        second.write().expect("written");
        assert_eq!(text(), format!("{}\n", std::process::id()));
    }

    #[test]
    fn a_second_daemon_learns_the_pid_of_the_first() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("multipathd.pid");
        assert!(!is_held(&path));
        let first = PidFile::take(&path).expect("free");
        assert!(is_held(&path));
        first.write().expect("written");
        let refused = PidFile::take(&path).expect_err("taken");
        assert_eq!(refused, format!("another multipathd is running already (pid {})", std::process::id()));
        first.remove();
        assert!(PidFile::take(&path).is_ok() && !is_held(&path));
    }
}
