//! Under the name `mpathconf`: what installers change in `/etc/multipath.conf`, and whether the daemon runs.

mod args;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use libmp::config::options::{Key, Section};
use libmp::config::{Config, Severity, Source, edit};
use libmp::dm::mangle::unmangled;
use libmp::dm::op::wwid_of;
use mpathcmd::socket::is_listening;
use multipath_rules::device::Device;
use multipathd::sys::files::Paths;
use multipathd::sys::process::is_root;

use crate::{output, whole};
pub use args::USAGE;
use args::{Args, NEW, PROPERTIES};

const SERVICE: &str = "multipathd.service";
/// While it is there, whoever connects starts the service.
const SOCKET: &str = "multipathd.socket";

/// Does what the arguments after the program's name say.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(args) {
        Ok(args) => args,
        Err(why) => return failed(&format!("{why}\n{USAGE}")),
    };
    if args.help {
        return output::print(USAGE).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS);
    }
    if !is_root() {
        return failed("need to be root");
    }
    let path = Paths::default().config;
    let text = match read(&path) {
        Ok(text) => text,
        Err(why) => return failed(&why),
    };
    if !args.is_command() {
        let text = status(text.as_deref().unwrap_or_default(), is_daemon_running());
        return output::print(&text).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS);
    }
    match write(&args, &path, text.as_deref()).and_then(|()| carry_out(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&why),
    }
}

/// The text of a file, if there is one. What isn't UTF-8 comes as the daemon reads it.
fn read(path: &Path) -> Result<Option<String>, String> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn failed(why: &str) -> ExitCode {
    output::complain(&format!("mpathconf: {why}"));
    ExitCode::FAILURE
}

/// How things are, in lines that scripts look for.
fn status(text: &str, running: bool) -> String {
    let of = |key| edit::values(text, Section::Defaults, key).pop();
    let is = |yes, there: &'static str, not: &'static str| if yes { there } else { not };
    let excluded =
        edit::values(text, Section::Blacklist, Key::Devnode).iter().any(|one| args::excludes_all(one));
    let by_property =
        edit::values(text, Section::Exceptions, Key::Property).iter().any(|one| one == PROPERTIES);
    let foreign = of(Key::EnableForeign).is_some_and(|pattern| !matches!(pattern.as_str(), "NONE" | "^$"));
    let friendly = of(Key::UserFriendlyNames).is_some_and(|value| value == "yes");
    format!(
        "multipath is {}\nfind_multipaths is {}\nuser_friendly_names is {}\ndefault property blacklist is {}\n\
         enable_foreign is {}\ndm_multipath module is {}\nmultipathd is {}\n",
        is(!excluded, "enabled", "disabled"),
        of(Key::FindMultipaths).unwrap_or_else(|| "not set".into()),
        is(friendly, "enabled", "disabled"),
        is(by_property, "enabled", "disabled"),
        is(
            foreign,
            "set (foreign multipath devices will be shown)",
            "not set (no foreign multipath devices will be shown)"
        ),
        is(Path::new("/sys/module/dm_multipath").exists(), "loaded", "not loaded"),
        is(running, "running", "not running"),
    )
}

/// Does the daemon run? The question does not start it.
pub fn is_daemon_running() -> bool {
    is_running(has_systemd(), is_active, is_listening)
}

fn has_systemd() -> bool {
    Path::new("/run/systemd/system").exists()
}

/// Does the daemon run? systemd is asked where it runs: it holds the socket, and who connects has the daemon started. A daemon that it has
/// not started is asked where that unit is not active.
fn is_running(systemd: bool, is_active: impl Fn(&str) -> bool, listens: impl FnOnce() -> bool) -> bool {
    if !systemd {
        return listens();
    }
    is_active(SERVICE) || !is_active(SOCKET) && listens()
}

fn is_active(unit: &str) -> bool {
    call("systemctl", &["--quiet", "is-active", unit]).is_ok()
}

fn errors(name: &str, text: &str) -> Vec<String> {
    let (_, said) = Config::load(&[Source { name, text }]);
    said.into_iter().filter(|one| one.severity == Severity::Error).map(|one| one.to_string()).collect()
}

/// Writes what is asked for, where it is another text than the one that is there.
fn write(args: &Args, path: &Path, old: Option<&str>) -> Result<(), String> {
    let mut allowed = BTreeSet::new();
    for device in &args.allow {
        allowed.extend(wwids_below(device)?);
    }
    let name = path.display().to_string();
    let new = args::change(old.unwrap_or(NEW), args, &Vec::from_iter(allowed));
    // In a file with an error in it, a place is not where it seems to be.
    let (before, after) = (errors(&name, old.unwrap_or_default()), errors(&name, &new));
    if let Some(error) = after.first() {
        let whose = if before.is_empty() { "would be wrong" } else { "is wrong: put it right first" };
        return Err(format!("{name} {whose}; nothing was changed: {error}"));
    }
    let to = args.outfile.as_deref().unwrap_or(path);
    let there = read(to)?;
    if there.as_deref() == Some(&new) {
        return Ok(());
    }
    if args.outfile.is_none() && there.as_deref() != old {
        return Err(format!("{name} has changed meanwhile; nothing was changed: call it again"));
    }
    let written = match &there {
        Some(there) => whole::replace(to, there, &new, |_| Ok(())),
        None => whole::create(to, &new),
    };
    written.map_err(|error| format!("{}: not written: {error}", to.display()))
}

/// WWIDs of the maps that a device is, or lies on. What is no device is a WWID.
fn wwids_below(device: &str) -> Result<BTreeSet<String>, String> {
    let Some(found) = Device::find(device) else {
        let plain = device.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        return if plain {
            Ok([device.to_string()].into())
        } else {
            Err(format!("--allow {device}: neither a device nor a WWID"))
        };
    };
    let mut wwids = BTreeSet::new();
    let mut names = vec![found.name];
    while let Some(name) = names.pop() {
        let folder = Path::new("/sys/class/block").join(&name);
        let uuid = fs::read_to_string(folder.join("dm/uuid")).unwrap_or_default();
        if let Some(wwid) = wwid_of(&unmangled(uuid.trim())) {
            wwids.insert(wwid.to_string());
            continue;
        }
        let below = fs::read_dir(folder.join("slaves")).into_iter().flatten().flatten();
        names.extend(below.filter_map(|entry| entry.file_name().into_string().ok()));
    }
    if wwids.is_empty() { Err(format!("--allow {device}: it is on no multipath map")) } else { Ok(wwids) }
}

/// Module, daemon and service, as asked for. Another file than the machine's changes nothing of the machine.
fn carry_out(args: &Args) -> Result<(), String> {
    if args.outfile.is_some() {
        return Ok(());
    }
    if args.enable == Some(true) && args.with_module != Some(false) {
        call("modprobe", &["dm-multipath"])?;
    }
    calls_of_systemctl(args, has_systemd()).iter().try_for_each(|arguments| call("systemctl", arguments))
}

/// What systemd is told.
fn calls_of_systemctl(args: &Args, systemd: bool) -> Vec<Vec<&'static str>> {
    let mut calls = Vec::new();
    if let (Some(enable), true) = (args.enable, args.with_chkconfig.unwrap_or(systemd)) {
        calls.push(vec!["--quiet", if enable { "enable" } else { "disable" }, SERVICE]);
    }
    if args.with_multipathd == Some(true) {
        calls.push(match args.enable {
            // In one order: with the service alone stopped, the next client would have it started again.
            Some(false) => vec!["stop", SOCKET, SERVICE],
            Some(true) => vec!["reload-or-restart", SERVICE],
            None => vec!["try-reload-or-restart", SERVICE],
        });
    }
    calls
}

/// Nothing of it is shown where it goes well.
fn call(program: &str, arguments: &[&str]) -> Result<(), String> {
    let called = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let line = format!("{program} {}", arguments.join(" "));
    match called {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(format!("{line}: {}; {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => Err(format!("{line}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_between_the_two_looks_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("multipath.conf");
        let args = args::parse(["--user_friendly_names".into(), "n".into()]).expect("arguments");
        fs::write(&path, "defaults {\n}\n").expect("written");
        let refused = write(&args, &path, Some("# as it was\n")).expect_err("it is another file");
        assert!(refused.contains("has changed meanwhile"), "{refused}");
        assert_eq!(fs::read_to_string(&path).expect("there"), "defaults {\n}\n");
        write(&args, &path, Some("defaults {\n}\n")).expect("it is as it was");
        assert!(fs::read_to_string(&path).expect("there").contains("user_friendly_names"));
    }

    #[test]
    fn lines_that_are_no_utf_8_stay_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("multipath.conf");
        let args = args::parse(["--user_friendly_names".into(), "n".into()]).expect("arguments");
        let change = |there: &[u8]| {
            fs::write(&path, there).expect("written");
            let written = write(&args, &path, read(&path).expect("read").as_deref());
            (written, fs::read(&path).expect("there"))
        };
        let (written, is) = change(b"# Gr\xfc\xdfe\ndefaults {\n\tuser_friendly_names yes\n}\n");
        assert_eq!(
            (written, &*is),
            (Ok(()), &b"# Gr\xfc\xdfe\ndefaults {\n\tuser_friendly_names no\n}\n"[..])
        );
        let there = b"defaults {\n\tuser_friendly_names yes # f\xfcr alle\n}\n";
        let (written, is) = change(there);
        assert!(written.is_err_and(|why| why.ends_with("is not UTF-8")));
        assert_eq!(is, there, "its bytes would be lost");
    }

    #[test]
    fn a_question_does_not_start_the_daemon() {
        let asked = |active: &'static [&'static str], listens: Option<bool>| {
            is_running(true, |unit| active.contains(&unit), || listens.expect("a client would start it"))
        };
        assert!(!asked(&[SOCKET], None));
        assert!(asked(&[SOCKET, SERVICE], None));
        assert!(asked(&[SERVICE], None));
        assert!(asked(&[], Some(true)) && !asked(&[], Some(false)));
        let without_systemd = |listens| is_running(false, |_| panic!("there is none"), || listens);
        assert!(without_systemd(true) && !without_systemd(false));
    }

    #[test]
    fn what_systemd_is_told() {
        let told = |line: &str, systemd| {
            let args = args::parse(line.split(' ').map(Into::into)).expect("arguments");
            let calls = calls_of_systemctl(&args, systemd);
            calls.iter().map(|call| call.join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(
            told("--disable --with_multipathd y", true),
            ["--quiet disable multipathd.service", "stop multipathd.socket multipathd.service"]
        );
        assert_eq!(
            told("--enable --with_multipathd y", true),
            ["--quiet enable multipathd.service", "reload-or-restart multipathd.service"]
        );
        assert_eq!(
            told("--find_multipaths y --with_multipathd y", true),
            ["try-reload-or-restart multipathd.service"]
        );
        assert_eq!(told("--enable", false), [""; 0]);
        assert_eq!(told("--enable --with_chkconfig n", true), [""; 0]);
        assert_eq!(told("--disable --with_chkconfig y", false), ["--quiet disable multipathd.service"]);
    }
}
