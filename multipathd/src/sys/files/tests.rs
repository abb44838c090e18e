//! State files and configuration, in folders of their own.

use std::os::unix::fs::{FileTypeExt, symlink};

use super::*;

fn paths(dir: &Path) -> Paths {
    Paths {
        config: dir.join("multipath.conf"),
        config_dir: dir.join("multipath/conf.d"),
        state_dir: dir.join("multipath"),
        run_dir: dir.join("run"),
    }
}

#[test]
fn configuration_is_read_in_order_and_nothing_else() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let paths = paths(dir.path());
    let files = Files::new(paths.clone());
    assert_eq!(files.read(), Texts::default());
    fs::create_dir_all(&paths.config_dir).expect("made");
    fs::write(&paths.config, "defaults {}\n").expect("written");
    for name in ["b.conf", "a.conf", "c.conf~", "README"] {
        fs::write(paths.config_dir.join(name), name).expect("written");
    }
    let texts: Vec<String> = files.read().config.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["defaults {}\n", "a.conf", "b.conf"]);
}

#[test]
fn what_can_not_be_read_is_said_and_taken_as_it_was() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let paths = paths(dir.path());
    let files = Files::new(paths.clone());
    // A directory in its place: root can read any file.
    fs::create_dir(&paths.config).expect("made");
    let texts = files.read();
    assert_eq!((texts.config.len(), texts.unreadable.len()), (0, 1));
    fs::remove_dir(&paths.config).expect("removed");
    fs::write(&paths.config, "defaults {}\n").expect("written");
    let good = files.read();
    fs::remove_file(&paths.config).expect("removed");
    fs::create_dir(&paths.config).expect("made");
    let bad = files.read();
    assert_eq!((bad.config, bad.unreadable.len()), (good.config, 1));
}

#[test]
fn what_is_masked_says_nothing_any_more() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let paths = paths(dir.path());
    let files = Files::new(paths.clone());
    fs::write(&paths.config, "defaults {}\n").expect("written");
    assert_eq!(files.read().config[0].1, "defaults {}\n");
    for (device, texts, unreadable) in [("null", &[""][..], 0), ("zero", &[], 1)] {
        fs::remove_file(&paths.config).expect("removed");
        symlink(Path::new("/dev").join(device), &paths.config).expect("linked");
        let read = files.read();
        assert!(read.config.iter().map(|(_, text)| text).eq(texts), "{read:?}");
        assert_eq!(read.unreadable.len(), unreadable, "{read:?}");
    }
}

#[test]
fn who_reads_a_configuration_needs_nothing_of_the_queueing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (paths, file) = (paths(dir.path()), StateFile::Queueing);
    fs::create_dir_all(paths.state_file(file)).expect("made");
    let files = Files::new(paths.clone());
    assert_eq!(files.read().state_unreadable, [""; 0]);
    assert!(files.save(files.order(), file, "", "forced\n").is_err(), "nobody knows what is in it");
    fs::remove_dir(paths.state_file(file)).expect("removed");
    assert_eq!(
        (files.read().queueing.as_str(), files.save(files.order(), file, "", "forced\n")),
        ("", Ok(()))
    );
    assert_eq!(files.read().queueing, "forced\n");
}

#[test]
fn names_that_could_not_be_read_are_not_written_over() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let paths = paths(dir.path());
    let files = Files::new(paths.clone());
    fs::create_dir_all(paths.state_file(StateFile::Bindings)).expect("made");
    assert_eq!(files.read().state_unreadable.len(), 1);
    assert!(files.save(files.order(), StateFile::Bindings, "", "mpatha 1\n").is_err());
    assert_eq!(files.save(files.order(), StateFile::Wwids, "", "/1/\n"), Ok(()));
}

#[test]
fn a_state_file_is_replaced_whole_and_only_when_it_changes() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let paths = paths(dir.path());
    let files = Files::new(paths.clone());
    let save = |order, was, text| files.save(order, StateFile::Bindings, was, text).expect("saved");
    fs::create_dir_all(&paths.state_dir).expect("folder");
    fs::write(paths.state_dir.join(".bindings.new"), "mpatha 1\nmpathb 2\nmpa")
        .expect("what a killed writer left");
    save(files.order(), "", "mpatha 1\n");
    let file = paths.state_file(StateFile::Bindings);
    let first = fs::metadata(&file).expect("there");
    assert_eq!(first.mode() & 0o777, 0o600);
    save(files.order(), "mpatha 1\n", "mpatha 1\n");
    assert_eq!(fs::metadata(&file).expect("there").ino(), first.ino());
    // What could not be written the last time is written, be it what is there: that tells whether it can be.
    let new = paths.state_dir.join(".bindings.new");
    fs::create_dir(&new).expect("in the way");
    let refused = files.save(files.order(), StateFile::Bindings, "mpatha 1\n", "mpatha 1\nmpathb 2\n");
    assert!(refused.is_err());
    assert!(files.save(files.order(), StateFile::Bindings, "mpatha 1\n", "mpatha 1\n").is_err());
    fs::remove_dir(&new).expect("out of the way");
    save(files.order(), "mpatha 1\n", "mpatha 1\n");
    assert_ne!(fs::metadata(&file).expect("there").ino(), first.ino());
    let (earlier, later) = (files.order(), files.order());
    save(later, "mpatha 1\n", "mpatha 3\n");
    save(earlier, "mpatha 1\n", "mpatha 2\n");
    assert_eq!(files.read().bindings, "mpatha 3\n");
    assert_eq!(fs::read_dir(&paths.state_dir).expect("there").count(), 1);
}

#[test]
fn a_state_file_that_somebody_has_edited_keeps_what_he_wrote() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let paths = paths(dir.path());
    let files = Files::new(paths.clone());
    let file = paths.state_file(StateFile::Bindings);
    let save =
        |was: &str, text: &str| files.save(files.order(), StateFile::Bindings, was, text).expect("saved");
    let there = || fs::read_to_string(&file).expect("there");
    let kept = |wanted: &str| assert!(there().ends_with(wanted), "{}", there());
    save("", "# ours\nmpatha 1\n");
    fs::write(&file, "# his\ndata 1\nmpathb 9\n").expect("written");
    assert_eq!(files.read().bindings, there()); // that it was read does not mean that it was taken over
    save("# ours\nmpatha 1\n", "# ours\nmpatha 1\nmpathb 2\nmpathc 3\n");
    kept("# his\ndata 1\nmpathb 9\nmpathc 3\n");
    save("# ours\nmpatha 1\nmpathb 2\nmpathc 3\n", "# ours\nmpatha 1\nmpathb 2\nmpathc 3\nmpathd 4\n");
    kept("# his\ndata 1\nmpathb 9\nmpathc 3\nmpathd 4\n");
    save(&there(), "# ours\nmpathd 4\n"); // taken over, and changed since
    assert_eq!(there(), "# ours\nmpathd 4\n");
    fs::remove_file(&file).expect("removed");
    save("# ours\nmpathd 4\n", "# ours\nmpathd 4\nmpathe 5\n");
    assert_eq!(there(), "# ours\nmpathd 4\nmpathe 5\n");
}

#[test]
fn a_line_that_is_no_text_stays_as_it_is() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let paths = paths(dir.path());
    let files = Files::new(paths.clone());
    let file = paths.state_file(StateFile::Bindings);
    fs::create_dir_all(&paths.state_dir).expect("made");
    let (first, last) = (b"# M\xfcnchen\r\nmpatha 1\n".to_vec(), b"data 2 # Z\xfcrich".to_vec());
    let there = [first.as_slice(), &last].concat();
    fs::write(&file, &there).expect("written");
    let read = files.read().bindings;
    let (mut bindings, _) = Bindings::parse(&read);
    bindings.insert("3".into(), "mpathb".into()).expect("free");
    for was in [read.as_str(), "of another time\n"] {
        fs::write(&file, &there).expect("written");
        let text = if was == read { bindings.to_text() } else { "of another time\nmpathb 3\n".to_owned() };
        assert_eq!(files.save(files.order(), StateFile::Bindings, was, &text), Ok(()));
        assert_eq!(fs::read(&file).expect("there"), [&there[..], b"\nmpathb 3\n"].concat());
    }
}

#[test]
fn a_state_file_behind_links_is_written_where_it_is() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let paths = paths(dir.path());
    let files = Files::new(paths.clone());
    let (link, target) = (paths.state_file(StateFile::Bindings), dir.path().join("kept/names"));
    fs::create_dir_all(&paths.state_dir).expect("made");
    fs::create_dir_all(dir.path().join("kept")).expect("made");
    symlink("../second", &link).expect("a relative one");
    symlink(&target, dir.path().join("second")).expect("an absolute one");
    let save =
        |was: &str, text: &str| files.save(files.order(), StateFile::Bindings, was, text).expect("saved");
    save("", "mpatha 1\n"); // the last one leads to nothing yet
    assert_eq!(fs::read_to_string(&target).expect("there"), "mpatha 1\n");
    save("mpatha 1\n", "mpatha 1\nmpathb 2\n");
    assert_eq!(fs::read_to_string(&target).expect("there"), "mpatha 1\nmpathb 2\n");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(fs::read_dir(dir.path().join("kept")).expect("there").count(), 1);
    fs::remove_file(&link).expect("removed");
    symlink("bindings", &link).expect("one that leads to itself");
    assert!(files.save(files.order(), StateFile::Bindings, "", "mpatha 1\n").is_err());
}

#[test]
fn a_file_that_can_not_be_replaced_is_written_in_place() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bindings");
    fs::write(&path, "mpatha 1\nmpathb 2\nmpathc 3\n").expect("written");
    let held = lock(&path).expect("locked");
    for text in ["mpatha 1\n", "mpatha 1\nmpathb 2\n"] {
        write_in_place(&held, text.as_bytes()).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("there"), text);
        assert!(is_in_place(&held, &path));
    }
    assert!(cannot_be_replaced(&io::Error::from_raw_os_error(libc::EBUSY)));
    assert!(!cannot_be_replaced(&io::Error::from_raw_os_error(libc::ENOSPC)));
}

/// As `ln -s /dev/null /etc/multipath/wwids`, which is to keep it from growing: the device would be renamed over.
#[test]
fn what_is_no_file_or_can_not_be_read_is_not_written_over() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let files = Files::new(paths(dir.path()));
    let path = dir.path().join("multipath/wwids");
    let save = |was: &str, text: &str| files.save(files.order(), StateFile::Wwids, was, text);
    save("", "/1/\n").expect("saved");
    let elsewhere = dir.path().join("fifo");
    nix::unistd::mkfifo(&elsewhere, nix::sys::stat::Mode::from_bits_truncate(0o600)).expect("made");
    fs::remove_file(&path).expect("removed");
    symlink(&elsewhere, &path).expect("linked");
    save("/1/\n", "/1/\n/2/\n").expect_err("no file");
    assert!(fs::metadata(&elsewhere).expect("there").file_type().is_fifo());
    fs::remove_file(&path).expect("removed");
    File::create(&path).and_then(|file| file.set_len(FILE_MAX + 2)).expect("made");
    save("/1/\n", "/1/\n/2/\n").expect_err("too long to be read");
    assert_eq!(fs::metadata(&path).expect("there").len(), FILE_MAX + 2);
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
