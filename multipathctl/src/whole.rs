//! Files that are written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use multipathd::sys::files::bytes_of;
use tempfile::NamedTempFile;

/// Replaces a file; owner and permissions stay, and lines that do, though they be no UTF-8. What has changed since it was read
/// is not written over. `last` is done before
/// the new one takes its place, and gets the place that links lead to.
pub fn replace<T>(
    path: &Path,
    old: &str,
    new: &str,
    last: impl FnOnce(&Path) -> io::Result<T>,
) -> io::Result<T> {
    let path = path.canonicalize()?;
    let there = fs::metadata(&path)?;
    // Where `/dev/null` masks a file, a rename would put one in the place of the device.
    if !there.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let raw = fs::read(&path)?;
    if String::from_utf8_lossy(&raw) != old {
        return Err(io::Error::other("it has changed meanwhile"));
    }
    let bytes = bytes_of(new, &raw);
    if unknown(&bytes) > unknown(&raw) {
        return Err(io::Error::other("a line that would change is not UTF-8"));
    }
    let file = beside(&path, &bytes)?;
    file.as_file().set_permissions(there.permissions())?;
    fchown(file.as_file(), Some(there.uid()), Some(there.gid()))?;
    file.as_file().sync_all()?;
    let done = last(&path)?;
    file.persist(&path).map_err(|error| error.error)?;
    sync(&path)?;
    Ok(done)
}

/// Makes a file that is not there yet, readable by all.
pub fn create(path: &Path, text: &str) -> io::Result<()> {
    let file = beside(path, text.as_bytes())?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync(path)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// How many characters stand for bytes that are none.
fn unknown(bytes: &[u8]) -> usize {
    let mark = char::REPLACEMENT_CHARACTER.to_string();
    bytes.windows(mark.len()).filter(|bytes| *bytes == mark.as_bytes()).count()
}

fn beside(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(".multipath-").tempfile_in(folder(path))?;
    file.write_all(bytes)?;
    Ok(file)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    use nix::sys::stat::{Mode, SFlag, makedev, mknod};

    #[test]
    fn a_device_that_masks_a_file_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let (null, masked) = (folder.path().join("null"), folder.path().join("multipath.conf"));
        if mknod(&null, SFlag::S_IFCHR, Mode::S_IRUSR, makedev(1, 3)).is_err() {
            return; // root alone may
        }
        symlink(&null, &masked).expect("made");
        let refused = replace(&masked, "", "defaults {\n}\n", |_| Ok(())).expect_err("it is no file");
        assert_eq!(refused.to_string(), "not a regular file");
        assert!(fs::metadata(&null).expect("there").file_type().is_char_device());
    }
}
