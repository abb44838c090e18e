//! `-a`, `-w`, `-W`: the wwids file. A daemon that runs has it in memory, so it is told.

use std::process::ExitCode;

use libmp::core::effect::StateFile;
use libmp::core::judge::judge;
use libmp::ctl::{DEVICE_NOT_FOUND, OK};
use libmp::state::bindings::Bindings;
use libmp::state::wwids::Wwids;
use libmp::types::{PathName, Wwid};
use multipath_rules::device::{Device, Kind};
use multipathd::reading;
use multipathd::sys::files::{Files, Paths};
use multipathd::sys::{claims, sysfs};

use crate::client::{Client, Patience};
use crate::listing::quoted;
use crate::output::{self, Reply};

/// What is done to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// `-a`
    Add,
    /// `-w`
    Remove,
}

/// Adds or removes the WWID of a device, or one that is written as it is.
pub fn change(what: Change, text: &str, alone: bool) -> ExitCode {
    let files = Files::new(Paths::default());
    let Some(wwid) = wwid_of(&files, text, Device::find(text).as_ref(), what) else {
        return ExitCode::FAILURE;
    };
    let (verb, done) = match what {
        Change::Add => ("add", "added"),
        Change::Remove => ("del", "removed"),
    };
    let daemon = told(alone, &format!("{verb} wwid {}", quoted(wwid.as_str())));
    let outcome = daemon.unwrap_or_else(|| {
        in_file(&files, |wwids| match what {
            Change::Add => wwids.insert(wwid.clone()) || wwids.contains(&wwid),
            Change::Remove => wwids.remove(&wwid),
        })
    });
    let text = match outcome.as_str() {
        OK => format!("wwid '{wwid}' {done}\n"),
        DEVICE_NOT_FOUND if what == Change::Remove => format!("wwid '{wwid}' not in wwids file\n"),
        _ if what == Change::Add => format!("failed adding '{wwid}' to wwids file\n"),
        _ => return output::reply(&Reply::new(outcome)),
    };
    let failed = what == Change::Add && outcome != OK;
    output::reply(&Reply { text, failed })
}

/// The WWID of what is named on a command line, if there is a map of it to make.
pub fn wwid_named(text: &str, device: Option<&Device>) -> Option<Wwid> {
    wwid_of(&Files::new(Paths::default()), text, device, Change::Add)
}

/// Leaves only the WWIDs of the maps there are.
pub fn reset(alone: bool) -> ExitCode {
    let outcome = told(alone, "reset wwids").unwrap_or_else(|| {
        in_file(&Files::new(Paths::default()), |wwids| {
            wwids.reset(claims::map_wwids());
            true
        })
    });
    if outcome != OK {
        return output::reply(&Reply::new(outcome));
    }
    output::reply(&Reply { text: "successfully reset wwids\n".into(), failed: false })
}

/// The daemon's answer, if there is a daemon.
fn told(alone: bool, line: &str) -> Option<String> {
    let client = if alone { None } else { Client::if_there(Patience::Configured).transpose() }?;
    Some(client.and_then(|mut client| client.ask(line)).unwrap_or_else(|error| format!("fail\n{error}\n")))
}

/// Changes the file; the words are the daemon's.
fn in_file(files: &Files, change: impl FnOnce(&mut Wwids) -> bool) -> String {
    let texts = files.read();
    let mut wwids = Wwids::parse(&texts.wwids);
    if !change(&mut wwids) {
        return DEVICE_NOT_FOUND.into();
    }
    match files.save(files.order(), StateFile::Wwids, &texts.wwids, &wwids.to_text()) {
        Ok(()) => OK.into(),
        Err(why) => format!("fail\n{why}\n"),
    }
}

/// The WWID of a disk, of a map, of an alias in the bindings file or in the configuration, or the text itself. A disk that is excluded has none to add.
fn wwid_of(files: &Files, text: &str, device: Option<&Device>, what: Change) -> Option<Wwid> {
    match device {
        Some(Device { kind: Kind::Map, name }) => claims::map_wwid(name),
        Some(Device { kind: Kind::Disk, name }) => {
            let name = PathName::new(name.as_str());
            let (config, _) = reading::load(&files.read());
            let judged = judge(&config, &name, &sysfs::probe(&name).ok()?);
            let excluded = judged.refused.is_some() && what == Change::Add;
            judged.wwid.ok().filter(|_| !excluded)
        }
        None if text.starts_with('/') => {
            output::log(&format!("'{text}' is not a valid argument\n"));
            None
        }
        None => {
            let texts = files.read();
            let (bindings, _) = Bindings::parse(&texts.bindings);
            let (config, _) = reading::load(&texts);
            Some(bindings.wwid_named(&config, &text.into()).unwrap_or_else(|| Wwid::new(text)))
        }
    }
}
