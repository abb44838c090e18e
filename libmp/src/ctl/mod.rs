//! The control language: what clients may ask ([`Command`]), how they say it ([`parse`]), and how
//! messages are framed on the socket ([`wire`]).
//!
//! Text in, values out. Nothing here looks at the daemon's state; what a name means is decided by
//! whoever carries out the command (with [`device`] for the forms a name may take).

pub mod device;
pub mod grammar;
pub mod help;
mod keywords;
pub mod wire;

use alloc::boxed::Box;
use alloc::string::String;

pub use grammar::{GrammarError, gist, parse};
pub use help::{OURS, USAGE};

use crate::types::Wwid;

/// The release of the reference whose answers these are; clients read it from the help text.
pub const REFERENCE_VERSION: &str = "0.15.0";

/// A verb was carried out. Clients compare it byte for byte.
pub const OK: &str = "ok\n";
/// It was not, and there is nothing to say about it.
pub const FAIL: &str = "fail\n";
/// The peer is not root, and the command is not one of those that only show.
pub const PERMISSION_DENIED: &str = "fail\npermission deny: need to be root\n";
/// No path, or no map, of that name.
pub const DEVICE_NOT_FOUND: &str = "fail\ndevice not found\n";
/// The answer could not be had in time (`reconfigure` is under way, the kernel is slow).
pub const TIMEOUT: &str = "fail\ntimeout\n";
/// A map is open, or one of its partitions is.
pub const IN_USE: &str = "fail\nmap or partition in use\n";
/// `add path` of a device that is excluded, or is not there. Not a failure for clients.
pub const BLACKLISTED: &str = "blacklisted\n";

/// A plan in which nothing changes.
pub const NO_CHANGE: &str = "nothing would change\n";

/// What a client asks for. Names are as they were written; see [`device`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Show something.
    Show(Show),
    /// Is a device multipathed, why, and with which settings? For everybody, like `Show`.
    Explain {
        /// A path, a map, or a WWID.
        device: String,
        /// In which form.
        form: Form,
    },
    /// What is in the daemon's own books: what happened lately, how long did replies take?
    Book(Book),
    /// What would a reconfigure change? Nothing is changed.
    Plan {
        /// A file in the place of multipath.conf; `None`: what is there.
        file: Option<String>,
        /// In which form.
        form: Form,
    },
    /// Take a path in.
    AddPath(String),
    /// Take a path out and forget it.
    DelPath(String),
    /// Take a map in, or make it.
    AddMap(String),
    /// Remove a map.
    DelMap(String),
    /// Remove all maps.
    DelMaps,
    /// Take a WWID into the wwids file (`multipath -a`).
    AddWwid(Wwid),
    /// Take one out (`multipath -w`).
    DelWwid(Wwid),
    /// Leave in that file only the WWIDs of the maps there are (`multipath -W`).
    ResetWwids,
    /// Fail a path in the kernel.
    FailPath(String),
    /// Reinstate a path in the kernel.
    ReinstatePath(String),
    /// Read the configuration anew.
    Reconfigure {
        /// Reload every map, also those whose table is already right.
        all: bool,
    },
    /// Move I/O to another group.
    SwitchGroup {
        /// The map.
        map: String,
        /// The group, from 1.
        group: u32,
    },
    /// Suspend a map.
    Suspend(String),
    /// Resume a map.
    Resume(String),
    /// Take over the new size of a map's paths.
    Resize(String),
    /// Load a map's table again.
    Reload(String),
    /// Make a map anew in the daemon's eyes: its paths are looked at again and reassigned.
    Reset(String),
    /// Set the counters of one map, or of all, to zero.
    ResetStats(Option<String>),
    /// No queueing without paths for one map, or all, whatever the configuration says.
    DisableQueueing(Option<String>),
    /// Queueing as configured again, for one map or all.
    RestoreQueueing(Option<String>),
    /// Queueing in all maps whatever the configuration says.
    ForceQueueingDaemon,
    /// The end of it.
    RestoreQueueingDaemon,
    /// Are there persistent reservations to look after in this map (`set`, `unset`)?
    GetPrStatus(String),
    /// There are.
    SetPrStatus {
        /// The map.
        map: String,
        /// The paths that are registered already, separated by blanks.
        paths: Option<String>,
    },
    /// There are none.
    UnsetPrStatus(String),
    /// The reservation key of a map (`none`, `0x…`, `0x…:aptpl`).
    GetPrKey(String),
    /// Set it.
    SetPrKey {
        /// The map.
        map: String,
        /// The key as written: hexadecimal digits, `:aptpl` after them or not.
        key: String,
    },
    /// Forget it.
    UnsetPrKey(String),
    /// Does this node hold the reservation of a map?
    GetPrHold(String),
    /// It does.
    SetPrHold(String),
    /// It does not.
    UnsetPrHold(String),
    /// A path is marginal from now on.
    SetMarginal(String),
    /// A path is no longer marginal.
    UnsetMarginal(String),
    /// No path of a map is marginal any longer.
    UnsetMarginalMap(String),
    /// The client goes.
    Quit,
    /// The daemon stops.
    Shutdown,
}

impl Command {
    /// Is it for root only?
    pub const fn needs_root(&self) -> bool {
        !matches!(self, Self::Show(_) | Self::Explain { .. } | Self::Book(Book::Replies(_)))
    }
}

/// What there is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// A table of the paths.
    Paths {
        /// Wildcards and text; `None` for the default columns.
        format: Option<String>,
        /// No header, no padding.
        raw: bool,
    },
    /// Whether one path runs.
    Path(String),
    /// A table of the maps.
    Maps {
        /// Wildcards and text; `None` for the default columns.
        format: Option<String>,
        /// No header, no padding.
        raw: bool,
    },
    /// The maps' states.
    MapsStatus,
    /// The maps' counters.
    MapsStats,
    /// All maps as trees.
    MapsTopology,
    /// All maps as JSON.
    MapsJson,
    /// One map.
    Map {
        /// Which.
        name: String,
        /// In which form.
        what: MapForm,
    },
    /// How many paths are in which state.
    Status,
    /// What the daemon is doing.
    Daemon,
    /// The whole configuration.
    Config,
    /// The configuration without what concerns no device here.
    ConfigLocal,
    /// The rules that exclude devices.
    Blacklist,
    /// The block devices there are.
    Devices,
    /// The wildcards of formats.
    Wildcards,
    /// Any of these as JSON, where the reference has none.
    Json(Box<Self>),
}

/// For people, or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// One of the daemon's own books, of which the core knows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Book {
    /// The events that there were.
    Events,
    /// And those that come, until the client goes.
    EventsToCome,
    /// How long replies took, command by command.
    Replies(Form),
}

/// Forms of one map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapForm {
    /// As a tree.
    Topology,
    /// As JSON.
    Json,
    /// One line.
    Format {
        /// Wildcards and text.
        format: String,
        /// No padding.
        raw: bool,
    },
}
