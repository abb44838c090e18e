//! `-c`, `-u`, `-C`, `-U`: answers for udev's rules and for scripts, from files and sysfs.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::process::ExitCode;

use libmp::claim::{self, Asker, Claim, Disk, Heed, Surroundings, Wait};
use libmp::config::Config;
use libmp::core::judge::{Judged, judge};
use libmp::core::path::{Exclusion, device_id};
use libmp::identify::{Bus, RawProbe, identify};
use libmp::types::{Errno, PathName, Wwid};
use mpathcmd::socket::is_listening;
use multipathd::sys::dm::Mapper;
use multipathd::sys::{claims, sysfs};

use crate::args::Args;
use crate::device::{Device, Kind};
use crate::output;
use crate::texts::TextsRead;

/// From this verbosity on more is said than the answer.
const DEBUG: u8 = 3;

/// How everything of a disk is had that can be had without asking it, udev's database included.
pub type Probe<'a> = &'a dyn Fn(&PathName) -> Result<RawProbe, Errno>;

/// Is it a path? In words for udev, and by the exit status.
pub fn is_path(device: Option<&Device>, args: &Args, probe: Probe<'_>) -> ExitCode {
    let (uevent, heed) = (args.uevent, args.heed);
    let Some(Device { kind: Kind::Disk, name, .. }) = device else {
        output::complain("the -c option requires a path to check");
        return ExitCode::FAILURE;
    };
    let name = PathName::new(name.as_str());
    let around =
        Around { name: &name, probe, files: OnceCell::new(), maps: OnceCell::new(), looked: OnceCell::new() };
    if args.verbosity >= DEBUG
        && !uevent
        && let Err(error) = output::print(&remarks(&name, &around))
    {
        return output::unprinted(&error);
    }
    let asker = if uevent { Asker::Rules } else { Asker::Operator };
    let answer = match claim::at_once(asker, &around) {
        Some(claim) => Ok((claim, Wait::None)),
        None => in_full(&name, uevent, heed, &around),
    };
    let Ok((claim, wait)) = answer else { return ExitCode::FAILURE };
    let printed = output::print(&claim::properties(claim, wait));
    match printed {
        Err(error) => output::unprinted(&error),
        // udev imports nothing of a command that fails.
        Ok(()) if uevent || claim != Claim::No => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
    }
}

/// What an operator is told of a disk besides the answer. xapi's storage manager looks for these words on standard output.
fn remarks(name: &PathName, around: &Around<'_>) -> String {
    let judged = (around.probe)(name).map(|raw| {
        let config = around.files().configuration(Some(&device_id(&identify(name, &raw))));
        judge(&config, name, &raw)
    });
    match judged {
        Ok(Judged { refused: Some(Exclusion::Blacklisted(by)), .. }) => {
            format!("{name}: {} blacklisted by \"{}\" ({})\n", by.kind, by.rule, by.origin)
        }
        Ok(Judged { wwid: Ok(wwid), .. }) => format!("{name}: wwid = {wwid}\n"),
        Ok(Judged { wwid: Err(why), .. }) => format!("{name}: scope is null: it has no WWID: {why}\n"),
        Err(errno) => format!("{name}: scope is null: {errno}\n"),
    }
}

/// The answer by all that is known of the disk, and configured for it.
fn in_full(name: &PathName, uevent: bool, heed: Heed, around: &Around<'_>) -> Result<(Claim, Wait), Errno> {
    let raw = probe(name, uevent, around.probe)?;
    // A partition is what its disk is, which the rules know.
    if raw.properties.get("DEVTYPE").is_some_and(|kind| kind != "disk") {
        return Ok((Claim::No, Wait::None));
    }
    let facts = identify(name, &raw);
    let config = around.files().configuration(Some(&device_id(&facts)));
    let released = std::env::var_os("DM_MULTIPATH_DEVICE_PATH").is_some_and(|value| value == "0");
    let disk = Disk { name, raw: &raw, released };
    let claim = claim::claim(&config, &disk, heed, around);
    let wait = wait(claim, &config, &disk, around.looked.get().is_some());
    Ok((claim::settle(claim, wait), wait))
}

/// What is known of a disk: while udev's rules run, what they have found out is in the environment, and not yet in its
/// database.
fn probe(name: &PathName, uevent: bool, probe: Probe<'_>) -> Result<RawProbe, Errno> {
    if !uevent {
        return probe(name);
    }
    let properties = std::env::vars_os()
        .map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    Ok(RawProbe { udev_initialized: true, properties: properties.collect(), ..sysfs::identity(name)? })
}

/// The wait for a second path, begun now if it is due. One that was looked for and found ends a wait.
fn wait(claim: Claim, config: &Config, disk: &Disk<'_>, looked: bool) -> Wait {
    let length = match claim {
        Claim::Maybe => {
            let facts = identify(disk.name, disk.raw);
            Some(claim::patience(config, &device_id(&facts)))
        }
        _ if looked => None,
        _ => return Wait::None,
    };
    // What can't be written in /run is no reason to hold a disk back.
    Wait::of(claims::wait_left(disk.raw.devt, length).unwrap_or_default(), length)
}

/// What the machine says.
struct Around<'a> {
    name: &'a PathName,
    probe: Probe<'a>,
    files: OnceCell<TextsRead>,
    maps: OnceCell<BTreeSet<Wwid>>,
    /// The other paths were looked at.
    looked: OnceCell<()>,
}

impl Around<'_> {
    fn files(&self) -> &TextsRead {
        self.files.get_or_init(TextsRead::now)
    }
}

impl Surroundings for Around<'_> {
    fn has_daemon(&self) -> bool {
        is_listening()
    }

    fn is_in_map(&self) -> bool {
        claims::is_in_map(self.name)
    }

    fn has_failed(&self, wwid: &Wwid) -> bool {
        claims::has_failed(wwid).unwrap_or(false)
    }

    fn is_in_use(&self) -> bool {
        // A disk of which that can't be told is claimed as others are: a wait for a second path ends, a lost path does not come back.
        claims::is_in_use(self.name).unwrap_or(false)
    }

    fn is_known(&self, wwid: &Wwid) -> bool {
        self.files().wwids().contains(wwid)
    }

    fn has_map(&self, wwid: &Wwid) -> bool {
        self.maps.get_or_init(claims::map_wwids).contains(wwid)
    }

    fn has_second(&self, wwid: &Wwid) -> bool {
        self.looked.get_or_init(|| ());
        let others = sysfs::disks().unwrap_or_default();
        let others = others.iter().filter(|name| *name != self.name && Bus::of(name.as_str()) != Bus::Other);
        let config = self.files().configuration(None);
        others.filter_map(|name| Some((name, (self.probe)(name).ok()?))).any(|(name, raw)| {
            let judged = judge(&config, name, &raw);
            judged.refused.is_none() && judged.wwid.is_ok_and(|other| other == *wwid)
        })
    }
}

/// Has a map usable paths? By the exit status. What udev's rules ask, only they get an answer to.
pub fn is_usable(device: Option<&Device>, named: Option<&str>, args: &Args) -> ExitCode {
    if args.uevent && std::env::var_os("DEVPATH").is_none() {
        return ExitCode::FAILURE;
    }
    let quiet = args.verbosity < 2;
    let Some(Device { kind: Kind::Map, name, .. }) = device else {
        if !quiet {
            let named = named.unwrap_or("nothing");
            output::log(&match device {
                Some(_) => format!("{named} is not a dm device"),
                None => format!("get_udev_device: failed to look up {named} with type 3"),
            });
        }
        return ExitCode::FAILURE;
    };
    let status = || {
        let uuid = libmp::dm::op::uuid_of(&claims::map_wwid(name)?);
        let map = Mapper::open().ok()?.read(&uuid).ok()??;
        map.targets.first()?.status.parse().ok()
    };
    let Some(status) = status() else { return ExitCode::FAILURE };
    if claim::is_usable(&status, claims::state_of) {
        return ExitCode::SUCCESS;
    }
    if !quiet {
        output::log(&format!("{}: no usable paths found", named.unwrap_or(name)));
    }
    ExitCode::FAILURE
}
