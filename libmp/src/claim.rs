//! What udev's rules ask at every event: is this disk a path of a multipath map, and can this map be used?
//!
//! Answered from the configuration, the wwids file, what is left in `/run` and sysfs: no device is asked, and no
//! daemon waited for, as the machine's boot waits for the answer.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use crate::check;
use crate::config::Config;
use crate::config::kind::Value;
use crate::config::options::Key;
use crate::config::settings::{DeviceId, FindMultipaths};
use crate::core::judge::{Wanted, judge, wanted};
use crate::dm::status::Status;
use crate::identify::RawProbe;
use crate::types::{DevT, PathName, Wwid};

/// Hardware that no entry of the table knows is waited for so long, if `find_multipaths_timeout` is negative.
const UNKNOWN_HARDWARE: Duration = Duration::from_secs(1);

/// Is a disk a path?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is for everybody.
    No,
    /// It is a path, or will be one.
    Yes,
    /// It will be if another path of it comes in time (`find_multipaths smart`).
    Maybe,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// udev's rules (`-u`); without a daemon, or one to come, nothing will be a path.
    Rules,
    /// An operator (`-c`).
    Operator,
}

/// Is the wwids file heeded?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heed {
    /// As configured.
    Configured,
    /// Not (`-i`): a disk that only it could have let in may be one.
    Anything,
}

/// What the decision may ask, in this order and no more than it needs.
pub trait Surroundings {
    /// Is a multipath map among the disk's holders?
    fn is_in_map(&self) -> bool;
    /// Is somebody listening on the daemon's socket?
    fn has_daemon(&self) -> bool;
    /// Has making a map of this WWID failed (`/run/multipath/failed_wwids`)?
    fn has_failed(&self, wwid: &Wwid) -> bool;
    /// Is the disk, or a partition of it, held, mounted or swapped to?
    fn is_in_use(&self) -> bool;
    /// Is it in the wwids file?
    fn is_known(&self, wwid: &Wwid) -> bool;
    /// Is there a map of it?
    fn has_map(&self, wwid: &Wwid) -> bool;
    /// Does another disk show it?
    fn has_second(&self, wwid: &Wwid) -> bool;
}

/// One disk.
#[derive(Debug, Clone, Copy)]
pub struct Disk<'a> {
    /// Kernel name.
    pub name: &'a PathName,
    /// What sysfs and udev say of it.
    pub raw: &'a RawProbe,
    /// Has it been given to everybody before (`DM_MULTIPATH_DEVICE_PATH=0` in udev's database)? Then it may be in use.
    pub released: bool,
}

/// What is certain before anything is known of the disk, or of the configuration: reading both costs more than all the rest,
/// and udev's rules ask at every event.
pub fn at_once(asker: Asker, around: &impl Surroundings) -> Option<Claim> {
    if around.is_in_map() {
        return Some(Claim::Yes);
    }
    (asker == Asker::Rules && !around.has_daemon()).then_some(Claim::No)
}

/// Decides whether a disk is a path, where that was not certain [at once](at_once).
pub fn claim(config: &Config, disk: &Disk<'_>, heed: Heed, around: &impl Surroundings) -> Claim {
    let judged = judge(config, disk.name, disk.raw);
    let (Ok(wwid), None) = (judged.wwid, judged.refused) else { return Claim::No };
    let find = found_by_rules(config.globals().find_multipaths, heed);
    if around.has_failed(&wwid) {
        return Claim::No;
    }
    let suspicion = matches!(find, FindMultipaths::Greedy | FindMultipaths::Smart);
    if suspicion && around.is_in_use() {
        return Claim::No;
    }
    let second = || (!disk.released && around.has_second(&wwid)).then_some(());
    let claim = match wanted(find, || around.is_known(&wwid), || around.has_map(&wwid), second) {
        Wanted::Known => return Claim::Yes,
        Wanted::Every | Wanted::HasMap | Wanted::Second(()) => Claim::Yes,
        Wanted::NotKnown => Claim::No,
        Wanted::Alone => Claim::Maybe,
    };
    if disk.released { Claim::No } else { claim }
}

/// Rules see one disk at a time: but for `greedy` and `smart`, only known disks are paths at once, and the daemon
/// takes the others when it has seen their second path.
const fn found_by_rules(configured: FindMultipaths, heed: Heed) -> FindMultipaths {
    match (configured, heed) {
        (FindMultipaths::Greedy, _) | (FindMultipaths::Off, Heed::Anything) => FindMultipaths::Greedy,
        (FindMultipaths::Smart, _) | (FindMultipaths::On | FindMultipaths::Strict, Heed::Anything) => {
            FindMultipaths::Smart
        }
        (FindMultipaths::On | FindMultipaths::Strict | FindMultipaths::Off, Heed::Configured) => {
            FindMultipaths::Strict
        }
    }
}

/// How long a disk that may be a path is waited for (`find_multipaths_timeout`).
pub fn patience(config: &Config, device: &DeviceId<'_>) -> Duration {
    let set = config.resolve(Key::FindMultipathsTimeout, Some(device), None);
    let seconds = match set.first().map(|set| &set.value) {
        Some(Value::Number(seconds)) => *seconds,
        _ => 0,
    };
    if seconds < 0 && !config.knows(device) {
        return UNKNOWN_HARDWARE;
    }
    Duration::from_secs(seconds.unsigned_abs())
}

/// The wait for a second path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// There was none.
    None,
    /// It is over.
    Over,
    /// It goes on for so long.
    Left(Duration),
}

impl Wait {
    /// From what is left of the wait, if one was begun. What is less than a second is over: timers are no more exact than that. So
    /// is what is more than a wait is long, if that is known: it was measured by a clock that was set back.
    pub fn of(left: Option<Duration>, length: Option<Duration>) -> Self {
        match left {
            None => Self::None,
            Some(left) if left < Duration::from_secs(1) => Self::Over,
            Some(left) if length.is_some_and(|length| left > length) => Self::Over,
            Some(left) => Self::Left(left),
        }
    }
}

/// Without a wait that goes on, a disk that may be a path is none.
pub fn settle(claim: Claim, wait: Wait) -> Claim {
    match (claim, wait) {
        (Claim::Maybe, Wait::None | Wait::Over) => Claim::No,
        _ => claim,
    }
}

/// The answer as udev imports it.
pub fn properties(claim: Claim, wait: Wait) -> String {
    let until = match wait {
        Wait::None => String::new(),
        Wait::Over => "FIND_MULTIPATHS_WAIT_UNTIL=\"0\"\n".into(),
        Wait::Left(left) => {
            format!("FIND_MULTIPATHS_WAIT_UNTIL=\"{}.{:06}\"\n", left.as_secs(), left.subsec_micros())
        }
    };
    let code = match claim {
        Claim::No => 0,
        Claim::Yes => 1,
        Claim::Maybe => 2,
    };
    format!("{until}DM_MULTIPATH_DEVICE_PATH=\"{code}\"\n")
}

/// Has a map a path that works, as far as the kernel knows without I/O? `state` gives `device/state` of a path: nothing where
/// there is no such device, nothing inside where its kind has no state.
pub fn is_usable(status: &Status, state: impl Fn(DevT) -> Option<Option<String>>) -> bool {
    let runs = |devt| state(devt).is_some_and(|state| check::sysfs::runs(state.as_deref()));
    status.paths().any(|path| path.active && runs(path.devt))
}

#[cfg(test)]
mod tests;
