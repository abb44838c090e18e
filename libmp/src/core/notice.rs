//! What happened, as values: the log prints them, listeners may read them.

use ::core::fmt;
use alloc::string::String;

use crate::check::CheckState;
use crate::core::event::Peer;
use crate::types::{DevT, MapName, PathName, Wwid};

/// How much an operator must know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something is lost or refused.
    Error,
    /// Something got worse.
    Warning,
    /// Something changed (`-v2`, the default).
    Notice,
    /// How it came to pass (`-v3`).
    Info,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The checker's answer differs from the last one.
    PathState {
        /// Map it belongs to.
        map: Option<MapName>,
        /// The path.
        path: PathName,
        /// The checker that says so.
        checker: &'static str,
        /// What it says.
        state: CheckState,
        /// Its words (see [`crate::check::Judged`]).
        message: &'static str,
    },
    /// A check has found a path failed as before.
    PathStillFailed {
        /// Map it belongs to.
        map: MapName,
        /// The path.
        path: PathName,
        /// The checker that says so.
        checker: &'static str,
        /// Its words.
        message: &'static str,
        /// How much worth it is to be said again (`log_checker_err`).
        level: Level,
    },
    /// The kernel was told to use a path again.
    Reinstated {
        /// The map.
        map: MapName,
        /// The path.
        path: PathName,
        /// Its device number.
        devt: DevT,
    },
    /// The kernel was told not to use a path.
    Failed {
        /// The map.
        map: MapName,
        /// The path.
        path: PathName,
        /// Its device number.
        devt: DevT,
        /// Why.
        why: &'static str,
    },
    /// The kernel itself failed a path: an I/O error.
    KernelFailed {
        /// The map.
        map: MapName,
        /// The path.
        path: PathName,
        /// Its device number.
        devt: DevT,
    },
    /// How many paths a map can use now.
    ActivePaths {
        /// The map.
        map: MapName,
        /// That many.
        active: usize,
    },
    /// A path came into a map.
    PathAdded {
        /// The map.
        map: MapName,
        /// The path.
        path: PathName,
        /// Its device number.
        devt: DevT,
    },
    /// A path is gone.
    PathRemoved {
        /// The map it was in.
        map: MapName,
        /// The path.
        path: PathName,
    },
    /// A path is not taken, and why.
    PathIgnored {
        /// The path.
        path: PathName,
        /// Why.
        reason: String,
        /// The map that it leaves for that.
        was_in: Option<MapName>,
    },
    /// The kernel refuses a table with this path; the map goes on without it.
    PathNotTaken {
        /// The map.
        map: MapName,
        /// The path.
        path: PathName,
        /// Why.
        error: String,
    },
    /// The same LUN, it says, and something contradicts: it is not merged.
    PathRefused {
        /// The path.
        path: PathName,
        /// The WWID it shows.
        wwid: Wwid,
        /// What contradicts.
        reason: String,
    },
    /// A path's WWID changed under it.
    WwidChanged {
        /// Map it was in.
        map: Option<MapName>,
        /// The path.
        path: PathName,
        /// The WWID it joined with.
        was: Wwid,
        /// The WWID it shows now.
        is: Wwid,
    },
    /// A map was made.
    MapCreated {
        /// The map.
        map: MapName,
        /// The table.
        table: String,
    },
    /// A map of an earlier run was taken over as it is.
    MapAdopted {
        /// The map.
        map: MapName,
    },
    /// A map got another table.
    MapReloaded {
        /// The map.
        map: MapName,
        /// The table.
        table: String,
        /// Why.
        reason: &'static str,
    },
    /// A map got another name.
    MapRenamed {
        /// Before.
        from: MapName,
        /// Now.
        to: MapName,
    },
    /// A map is gone.
    MapRemoved {
        /// The map.
        map: MapName,
        /// By whom.
        by_us: bool,
    },
    /// An operation on a map failed.
    MapOpFailed {
        /// The map.
        map: MapName,
        /// What was tried.
        step: String,
        /// Why not.
        error: String,
        /// Is it tried again?
        again: bool,
    },
    /// I/O goes to another group.
    GroupSwitched {
        /// The map.
        map: MapName,
        /// Number of the group, from 1.
        group: usize,
        /// Why, or that it was not asked for here.
        reason: &'static str,
    },
    /// A map without paths holds its I/O.
    QueueingStarted {
        /// The map.
        map: MapName,
        /// For so many seconds; `None`: until a path is back.
        seconds: Option<u64>,
    },
    /// A map without paths fails its I/O from now on.
    QueueingStopped {
        /// The map.
        map: MapName,
        /// Why.
        reason: &'static str,
    },
    /// A map has lost its last usable path, and its I/O does not wait for one.
    IoFails {
        /// The map.
        map: MapName,
        /// Why it does not wait.
        reason: &'static str,
    },
    /// A path is back: the map queues again when all are lost.
    QueueingRestored {
        /// The map.
        map: MapName,
    },
    /// Something is wrong with the configuration (a rendered diagnostic).
    Config {
        /// The diagnostic.
        text: String,
    },
    /// The configuration was read.
    Configured {
        /// Maps there are.
        maps: usize,
        /// Paths there are.
        paths: usize,
    },
    /// A name that the configuration gives is taken.
    AliasConflict {
        /// The name.
        alias: MapName,
        /// Who wants it.
        wwid: Wwid,
        /// Who has it.
        holder: String,
    },
    /// A state file could not be written.
    SaveFailed {
        /// Which.
        file: &'static str,
        /// Why.
        error: String,
    },
    /// A client changed something.
    Command {
        /// What it said.
        command: String,
        /// Who it is.
        peer: Peer,
        /// What it was told.
        outcome: String,
    },
    /// Messages of udev were lost.
    UeventsLost,
    /// The daemon stops.
    Stopping,
    /// Anything else worth a line.
    Other {
        /// How much worth.
        level: Level,
        /// The line.
        text: String,
    },
}

impl Notice {
    /// How much an operator must know of it.
    pub const fn level(&self) -> Level {
        use Notice::*;
        match self {
            MapOpFailed { .. } | AliasConflict { .. } | SaveFailed { .. } | WwidChanged { .. } => {
                Level::Error
            }
            Failed { .. }
            | KernelFailed { .. }
            | PathNotTaken { .. }
            | PathRefused { .. }
            | PathIgnored { was_in: Some(_), .. }
            | QueueingStarted { .. }
            | QueueingStopped { .. }
            | IoFails { .. }
            | Config { .. }
            | UeventsLost => Level::Warning,
            PathIgnored { was_in: None, .. } => Level::Info,
            PathState { state, .. } if state.is_failed() => Level::Warning,
            Other { level, .. } | PathStillFailed { level, .. } => *level,
            _ => Level::Notice,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Notice::*;
        match self {
            PathState { map, path, checker, message, state } => {
                of_map(f, map.as_ref())?;
                verdict(f, path, checker, message)?;
                if *state == CheckState::Delayed {
                    write!(f, "; `reinstate path {path}` has it used at once")?;
                }
                Ok(())
            }
            PathStillFailed { map, path, checker, message, .. } => {
                write!(f, "{map}: ")?;
                verdict(f, path, checker, message)
            }
            Reinstated { map, path, devt } => write!(f, "{map}: {devt} ({path}) reinstated"),
            Failed { map, path, devt, why } => write!(f, "{map}: {devt} ({path}) failed: {why}"),
            KernelFailed { map, path, devt } => {
                write!(f, "{map}: {devt} ({path}) failed by the kernel: an I/O error")
            }
            ActivePaths { map, active } => write!(f, "{map}: remaining active paths: {active}"),
            PathAdded { map, path, devt } => write!(f, "{map}: path {path} ({devt}) added"),
            PathRemoved { map, path } => write!(f, "{map}: path {path} removed"),
            PathIgnored { path, reason, was_in: None } => write!(f, "{path}: not used: {reason}"),
            PathIgnored { path, reason, was_in: Some(map) } => {
                write!(f, "{map}: {path}: not used any more: {reason}")
            }
            PathNotTaken { map, path, error } => {
                write!(f, "{map}: {path}: the kernel does not take it into the table: {error}")
            }
            PathRefused { path, wwid, reason } => write!(f, "{path}: not merged with {wwid}: {reason}"),
            WwidChanged { map, path, was, is } => {
                of_map(f, map.as_ref())?;
                write!(f, "{path}: its WWID changed from {was} to {is}; it is taken out of its map")
            }
            MapCreated { map, table } => write!(f, "{map}: created [{table}]"),
            MapAdopted { map } => write!(f, "{map}: taken over as it is"),
            MapReloaded { map, table, reason } => write!(f, "{map}: reloaded ({reason}) [{table}]"),
            MapRenamed { from, to } => write!(f, "{from}: renamed to {to}"),
            MapRemoved { map, by_us: true } => write!(f, "{map}: removed"),
            MapRemoved { map, by_us: false } => write!(f, "{map}: removed by somebody else"),
            MapOpFailed { map, step, error, again } => {
                let next = if *again { "it will be tried again" } else { "it is not tried again" };
                write!(f, "{map}: {step} failed: {error}; {next}")
            }
            GroupSwitched { map, group, reason } => {
                write!(f, "{map}: switched to path group {group} ({reason})")
            }
            QueueingStarted { map, seconds: Some(s) } => {
                write!(f, "{map}: no usable path: I/O is queued for {s} s at the most")
            }
            QueueingStarted { map, seconds: None } => write!(f, "{map}: no usable path: I/O is queued"),
            QueueingStopped { map, reason } => {
                write!(f, "{map}: queueing disabled ({reason}): I/O without a path fails")
            }
            IoFails { map, reason } => write!(f, "{map}: no usable path: I/O fails: {reason}"),
            QueueingRestored { map } => write!(f, "{map}: queueing restored"),
            Configured { maps, paths } => write!(f, "configured: {maps} maps, {paths} paths"),
            AliasConflict { alias, wwid, holder } => {
                write!(f, "{alias}: refused as the name of {wwid}: it belongs to {holder}")
            }
            SaveFailed { file, error } => write!(f, "{file}: not written: {error}"),
            Command { command, outcome, .. } => write!(f, "operator: {command}: {outcome}"),
            UeventsLost => f.write_str("udev messages were lost: everything is looked at anew"),
            Stopping => f.write_str("stopping"),
            Config { text } | Other { text, .. } => f.write_str(text),
        }
    }
}

/// The map that a line is about, in front of it.
fn of_map(f: &mut fmt::Formatter<'_>, map: Option<&MapName>) -> fmt::Result {
    map.map_or(Ok(()), |map| write!(f, "{map}: "))
}

/// What was found of a path: in its checker's words, or in the daemon's own.
fn verdict(f: &mut fmt::Formatter<'_>, path: &PathName, checker: &str, message: &str) -> fmt::Result {
    if message.starts_with([' ', ':']) {
        write!(f, "{path} - {checker} checker{message}")
    } else {
        write!(f, "{path} - {message}")
    }
}
