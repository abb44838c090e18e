//! The files of the configuration and of the state: read whole, replaced whole.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use libmp::core::effect::StateFile;
use libmp::state::bindings::Bindings;
use libmp::state::wwids::Wwids;
use tracing::{info, warn};

/// No file of ours is larger; a device file in its place must not fill the memory.
const FILE_MAX: u64 = 64 << 20;
/// Another program (the reference's tools) may hold a state file's lock so long.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// So many symbolic links the kernel follows.
const LINKS_MAX: u32 = 40;

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `/etc/multipath.conf`
    pub config: PathBuf,
    /// `/etc/multipath/conf.d`
    pub config_dir: PathBuf,
    /// `/etc/multipath`: bindings, wwids.
    pub state_dir: PathBuf,
    /// `/run/multipath`: what is forgotten when the machine goes down.
    pub run_dir: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            config: "/etc/multipath.conf".into(),
            config_dir: "/etc/multipath/conf.d".into(),
            state_dir: "/etc/multipath".into(),
            run_dir: "/run/multipath".into(),
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
    /// That file is there, and could never be read.
    pub bindings_unknown: bool,
    /// The file of known WWIDs; empty where there is none.
    pub wwids: String,
    /// What operators have switched of the queueing; empty where there is none.
    pub queueing: String,
    /// Configuration files that are there and can't be read: a line each.
    pub unreadable: Vec<String>,
    /// The same of the state.
    pub state_unreadable: Vec<String>,
}

/// The files. Reading and writing may block: they are on a disk, which may be the one that is gone.
#[derive(Debug, Default)]
pub struct Files {
    paths: Paths,
    /// Texts as last read: they stand in for what can't be read any more.
    last: Mutex<BTreeMap<PathBuf, String>>,
    bindings: Mutex<Saving>,
    wwids: Mutex<Saving>,
    queueing: Mutex<Saving>,
    orders: AtomicU64,
}

/// What became of the orders to write one state file.
#[derive(Debug, Default)]
struct Saving {
    /// The latest one that was carried out.
    latest: u64,
    /// It is there, and nobody knows what is in it.
    unknown: bool,
    /// Nothing more could be written to it: that it can be is seen by writing, even what is there.
    failed: bool,
}

/// One order to write a state file. Of two, the later given counts, whichever is carried out first.
#[derive(Debug, Clone, Copy)]
pub struct Order(u64);

impl Files {
    /// Those of these paths.
    pub fn new(paths: Paths) -> Self {
        Self { paths, ..Self::default() }
    }

    /// Where they are.
    pub const fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Reads everything.
    pub fn read(&self) -> Texts {
        let mut texts = self.read_configuration();
        texts.bindings = self.read_state(StateFile::Bindings, &mut texts.state_unreadable);
        texts.bindings_unknown = lock_state(self.saving(StateFile::Bindings)).unknown;
        texts.wwids = self.read_state(StateFile::Wwids, &mut texts.state_unreadable);
        // Only the daemon needs it, and only root may look: it is no fault of a configuration that is read by somebody else.
        texts.queueing = self.read_one(StateFile::Queueing);
        texts
    }

    /// Reads the configuration alone, which is for everybody: the state is root's.
    pub fn read_configuration(&self) -> Texts {
        let mut texts = Texts::default();
        for path in self.config_files(&mut texts.unreadable) {
            let text = if is_masked(&path) {
                lock_state(&self.last).remove(&path);
                Some(String::new())
            } else {
                self.read_text(&path, &mut texts.unreadable).ok().flatten()
            };
            texts.config.extend(text.map(|text| (path.to_string_lossy().into_owned(), text)));
        }
        texts
    }

    /// Gives an order to write a state file. To be asked for in the order of the texts.
    pub fn order(&self) -> Order {
        Order(self.orders.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Replaces a state file, whole or not at all; nothing is written where nothing would change. `was` is what the text was
    /// made from: what else is there somebody has edited, and stays. The error is a line.
    pub fn save(&self, order: Order, file: StateFile, was: &str, text: &str) -> Result<(), String> {
        let path = self.paths.state_file(file);
        let mut saving = lock_state(self.saving(file));
        if saving.unknown {
            return Err(format!("{}: left as it is: it could not be read", path.display()));
        }
        if saving.latest < order.0 {
            let merged = |there: &str| {
                if was == there { text.to_owned() } else { carried_over(&path, file, there, was, text) }
            };
            let replaced = replace(&path, text, merged, saving.failed);
            saving.failed = replaced.is_err();
            replaced.map_err(|error| format!("{}: {error}", path.display()))?;
            saving.latest = order.0;
        }
        Ok(())
    }

    fn saving(&self, file: StateFile) -> &Mutex<Saving> {
        match file {
            StateFile::Bindings => &self.bindings,
            StateFile::Wwids => &self.wwids,
            StateFile::Queueing => &self.queueing,
        }
    }

    /// Reads one state file; nothing where there is none, or it can't be read.
    pub fn read_one(&self, file: StateFile) -> String {
        self.read_state(file, &mut Vec::new())
    }

    fn read_state(&self, file: StateFile, unreadable: &mut Vec<String>) -> String {
        let text = self.read_text(&self.paths.state_file(file), unreadable);
        let mut saving = lock_state(self.saving(file));
        saving.unknown = text.is_err();
        text.ok().flatten().unwrap_or_default()
    }

    /// `multipath.conf`, then `conf.d/*.conf` sorted by name.
    fn config_files(&self, unreadable: &mut Vec<String>) -> Vec<PathBuf> {
        let dir = &self.paths.config_dir;
        let list = || -> io::Result<Vec<_>> { fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect() };
        let mut drop_ins = match list() {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                unreadable.push(format!("{}: {error}", dir.display()));
                lock_state(&self.last).keys().filter(|path| path.parent() == Some(dir)).cloned().collect()
            }
        };
        drop_ins.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
        drop_ins.sort();
        drop_ins.insert(0, self.paths.config.clone());
        drop_ins
    }

    /// The text of a file; `None` where there is none. One that can't be read is taken as it was last
    /// read, and is an error where it never was.
    fn read_text(&self, path: &Path, unreadable: &mut Vec<String>) -> Result<Option<String>, ()> {
        let mut last = lock_state(&self.last);
        match read_whole(path) {
            Ok(text) => {
                last.insert(path.into(), text.clone());
                Ok(Some(text))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                last.remove(path);
                Ok(None)
            }
            Err(error) => {
                let known = last.get(path);
                let instead = if known.is_some() { "; it is taken as it was last read" } else { "" };
                unreadable.push(format!("{}: {error}{instead}", path.display()));
                known.cloned().map(Some).ok_or(())
            }
        }
    }
}

impl Paths {
    /// Where a state file is.
    pub fn state_file(&self, file: StateFile) -> PathBuf {
        match file {
            StateFile::Bindings => self.state_dir.join("bindings"),
            StateFile::Wwids => self.state_dir.join("wwids"),
            StateFile::Queueing => self.run_dir.join("queueing"),
        }
    }
}

fn lock_state<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Is `/dev/null` in the place of a configuration file? Then it says nothing. A state file there can't be written.
fn is_masked(path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|there| there.file_type().is_char_device() && there.rdev() == libc::makedev(1, 3))
}

/// What isn't UTF-8 comes as U+FFFD.
fn read_whole(path: &Path) -> io::Result<String> {
    read_bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)?;
    let there = file.metadata()?;
    if !there.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    // With room to see its end, so that it is read at once.
    let mut bytes = Vec::with_capacity(there.len().min(FILE_MAX) as usize + 64);
    file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    // The rest of it must not be taken away by who writes it back.
    if bytes.len() as u64 > FILE_MAX {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(bytes)
}

/// The bytes of a text that was made from a file. Lines that are still there are written as they are there, those that
/// are no UTF-8 included.
pub fn bytes_of(text: &str, there: &[u8]) -> Vec<u8> {
    let odd = there.split_inclusive(|byte| *byte == b'\n').filter(|line| str::from_utf8(line).is_err());
    let mut odd: Vec<_> = odd.map(|line| (String::from_utf8_lossy(line), line)).collect();
    let mut bytes = Vec::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match odd.iter().position(|(shown, _)| shown.trim_end_matches('\n') == line.trim_end_matches('\n')) {
            Some(at) => {
                let (_, raw) = odd.remove(at);
                bytes.extend_from_slice(raw.strip_suffix(b"\n").unwrap_or(raw));
                bytes.extend_from_slice(if line.ends_with('\n') { b"\n" } else { b"" });
            }
            None => bytes.extend_from_slice(line.as_bytes()),
        }
    }
    bytes
}

/// Somebody has edited the file: his text, with what is new in ours.
fn carried_over(path: &Path, file: StateFile, there: &str, was: &str, is: &str) -> String {
    let (text, refused) = match file {
        StateFile::Queueing => return is.to_owned(), // nobody edits it
        StateFile::Bindings => Bindings::carried_over(there, was, is),
        StateFile::Wwids => (Wwids::carried_over(there, was, is), Vec::new()),
    };
    info!(
        "{}: it was edited by somebody, which is kept and holds from the next `reconfigure` on",
        path.display()
    );
    for why in refused {
        warn!("{}: not written: {why}", path.display());
    }
    text
}

/// `merged` makes the new text of the one that is there. What can't be read, or is no file, stays as it is: there may be more in it.
fn replace(path: &Path, text: &str, merged: impl FnOnce(&str) -> String, anew: bool) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
    let path = &resolved(path);
    let held = lock(path)?;
    let raw = read_bytes(path)?;
    let there = String::from_utf8_lossy(&raw);
    // The lock makes an empty one where there was none.
    let text = if there.is_empty() { text.to_owned() } else { merged(&there) };
    if !anew && there == text {
        return Ok(());
    }
    let bytes = bytes_of(&text, &raw);
    match replace_by_rename(path, &bytes) {
        Err(error) if cannot_be_replaced(&error) => write_in_place(&held, &bytes),
        other => other,
    }
}

/// Where a file is that a symbolic link leads to, be it there or not. What goes round in circles stays a link, which nobody opens.
fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new(".")).join(target);
    }
    path
}

fn replace_by_rename(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // The lock's holder alone writes it. What one that was killed has left is written over: nothing piles up.
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let new = path.with_file_name(name);
    let replaced = write(&new, bytes).and_then(|()| fs::rename(&new, path));
    if replaced.is_err() {
        let _ = fs::remove_file(&new);
    }
    replaced?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Is the file a mount of its own, or alone writable in its directory?
fn cannot_be_replaced(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EXDEV | libc::EROFS))
}

/// Under the lock. Who is killed here leaves a text that is old in a part of it, but no hole.
fn write_in_place(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(bytes)?;
    file.set_len(bytes.len().try_into().map_err(io::Error::other)?)?;
    file.sync_all()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()
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
    // SAFETY: F_OFD_SETLK reads one flock.
    let rc = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const WHOLE) };
    if rc < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Does somebody hold such a lock? Nothing is locked for that.
pub(super) fn is_locked(file: &File) -> bool {
    let mut found = WHOLE;
    // SAFETY: F_OFD_GETLK reads one flock, and writes to it which one is in the way, or F_UNLCK.
    let rc = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut found) };
    rc == 0 && libc::c_int::from(found.l_type) != libc::F_UNLCK
}

#[allow(clippy::cast_possible_truncation, reason = "both constants are 1 and 0")]
static WHOLE: libc::flock = libc::flock {
    l_type: libc::F_WRLCK as libc::c_short,
    l_whence: libc::SEEK_SET as libc::c_short,
    l_start: 0,
    l_len: 0,
    l_pid: 0,
};

#[cfg(test)]
mod tests;
