//! The files of the configuration and of the state: read whole, replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use libmp::core::effect::StateFile;

/// No file of ours is larger; a device file in its place must not fill the memory.
const FILE_MAX: u64 = 64 << 20;
/// Another program (the reference's tools) may hold a state file's lock so long.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `/etc/multipath.conf`
    pub config: PathBuf,
    /// `/etc/multipath/conf.d`
    pub config_dir: PathBuf,
    /// `/etc/multipath`: bindings, wwids.
    pub state_dir: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            config: "/etc/multipath.conf".into(),
            config_dir: "/etc/multipath/conf.d".into(),
            state_dir: "/etc/multipath".into(),
        }
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// The configuration files that are there, in order, and their texts.
    pub config: Vec<(String, String)>,
    /// The file of names; empty where there is none.
    pub bindings: String,
    /// The file of known WWIDs; empty where there is none.
    pub wwids: String,
    /// Files that are there and can't be read: a line each.
    pub unreadable: Vec<String>,
}

impl Paths {
    /// Reads everything. May block: it is on a disk.
    pub fn read(&self) -> Texts {
        let mut texts = Texts::default();
        for path in self.config_files(&mut texts.unreadable) {
            if let Some(text) = read_text(&path, &mut texts.unreadable) {
                texts.config.push((path.to_string_lossy().into_owned(), text));
            }
        }
        for (file, text) in [(StateFile::Bindings, &mut texts.bindings), (StateFile::Wwids, &mut texts.wwids)]
        {
            *text = read_text(&self.state_file(file), &mut texts.unreadable).unwrap_or_default();
        }
        texts
    }

    /// `multipath.conf`, then `conf.d/*.conf` sorted by name.
    fn config_files(&self, unreadable: &mut Vec<String>) -> Vec<PathBuf> {
        let mut drop_ins = Vec::new();
        match fs::read_dir(&self.config_dir) {
            Ok(entries) => drop_ins.extend(
                entries
                    .filter_map(Result::ok)
                    .map(|entry| entry.path())
                    .filter(|path| path.extension().is_some_and(|extension| extension == "conf")),
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => unreadable.push(format!("{}: {error}", self.config_dir.display())),
        }
        drop_ins.sort();
        let mut files = vec![self.config.clone()];
        files.append(&mut drop_ins);
        files
    }

    /// Where a state file is.
    pub fn state_file(&self, file: StateFile) -> PathBuf {
        self.state_dir.join(match file {
            StateFile::Bindings => "bindings",
            StateFile::Wwids => "wwids",
        })
    }

    /// Replaces a state file, whole or not at all; nothing is written where nothing would change.
    /// May block. The error is a line.
    pub fn save(&self, file: StateFile, text: &str) -> Result<(), String> {
        let path = self.state_file(file);
        replace(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// The text of a file, what isn't UTF-8 as U+FFFD. `None` where it isn't there or can't be read.
fn read_text(path: &Path, unreadable: &mut Vec<String>) -> Option<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file =
            OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        file.take(FILE_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            unreadable.push(format!("{}: {error}", path.display()));
            None
        }
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
    let _lock = lock(path)?;
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let mut new = tempfile::Builder::new().prefix(".multipath-").tempfile_in(dir)?;
    new.write_all(text.as_bytes())?;
    new.as_file().set_permissions(Permissions::from_mode(0o600))?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    File::open(dir)?.sync_all()
}

/// Holds the lock that the reference's tools take before they change a state file, for as long as
/// the file is open. It is put on the file that is there *after* the lock was had: another writer
/// may have replaced it meanwhile.
fn lock(path: &Path) -> io::Result<File> {
    for _ in 0..LOCK_TRIES {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW).open(path)?;
        match try_lock(&file) {
            Ok(()) => {
                if is_in_place(&file, path) {
                    return Ok(file);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(LOCK_PAUSE),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::TimedOut, "another program holds its lock"))
}

/// Is this the file that a path leads to now?
pub(super) fn is_in_place(file: &File, path: &Path) -> bool {
    file.metadata().is_ok_and(|held| {
        fs::metadata(path).is_ok_and(|there| (there.ino(), there.dev()) == (held.ino(), held.dev()))
    })
}

/// An open-file-description lock for writing, on the whole file. fcntl's locks, the reference's,
/// exclude it and are excluded by it; `File::lock` is flock and knows of neither.
pub(super) fn try_lock(file: &File) -> io::Result<()> {
    #[allow(clippy::cast_possible_truncation, reason = "both constants are 1 and 0")]
    let whole = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: F_OFD_SETLK reads one flock.
    let rc = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const whole) };
    if rc < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(dir: &Path) -> Paths {
        Paths {
            config: dir.join("multipath.conf"),
            config_dir: dir.join("multipath/conf.d"),
            state_dir: dir.join("multipath"),
        }
    }

    #[test]
    fn configuration_is_read_in_order_and_nothing_else() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = paths(dir.path());
        assert_eq!(paths.read(), Texts::default());
        fs::create_dir_all(&paths.config_dir).expect("made");
        fs::write(&paths.config, "defaults {}\n").expect("written");
        for name in ["b.conf", "a.conf", "c.conf~", "README"] {
            fs::write(paths.config_dir.join(name), name).expect("written");
        }
        let texts: Vec<String> = paths.read().config.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["defaults {}\n", "a.conf", "b.conf"]);
    }

    #[test]
    fn what_can_not_be_read_is_said() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = paths(dir.path());
        fs::create_dir(&paths.config).expect("made");
        let texts = paths.read();
        assert_eq!(texts.config, []);
        assert_eq!(texts.unreadable.len(), 1);
    }

    #[test]
    fn a_state_file_is_replaced_whole_and_only_when_it_changes() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let paths = paths(dir.path());
        paths.save(StateFile::Bindings, "mpatha 1\n").expect("saved");
        let file = paths.state_file(StateFile::Bindings);
        let first = fs::metadata(&file).expect("there");
        assert_eq!(first.mode() & 0o777, 0o600);
        paths.save(StateFile::Bindings, "mpatha 1\n").expect("saved");
        assert_eq!(fs::metadata(&file).expect("there").ino(), first.ino());
        paths.save(StateFile::Bindings, "mpatha 2\n").expect("saved");
        assert_eq!(paths.read().bindings, "mpatha 2\n");
        assert_eq!(fs::read_dir(&paths.state_dir).expect("there").count(), 1);
    }

    #[test]
    fn a_lock_of_another_holder_is_seen() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("wwids");
        let held = lock(&path).expect("locked");
        let other = OpenOptions::new().write(true).open(&path).expect("there");
        assert_eq!(try_lock(&other).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
        drop(held);
        assert!(try_lock(&other).is_ok());
    }
}
