//! What operators read: wildcards, topology, JSON. Sees only a [`view::View`].
//!
//! [`show()`] is the door. No I/O is done for an answer, so a hung path can't delay one.

#[cfg(test)]
mod any_line;
pub mod documents;
pub mod events;
pub mod explain;
pub mod json;
pub mod native;
pub mod plan;
pub mod replies;
pub mod status;
pub mod table;
#[cfg(test)]
mod tests;
pub mod topology;
pub mod view;
pub mod wildcards;

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

use crate::ctl::device::{MapRef, PathRef};
use crate::ctl::{DEVICE_NOT_FOUND, MapForm, OK, Show};
use view::{MapView, PathView, View};

/// Lines that devices and users have put names into, as a terminal and a log may have them: what is neither letter, tab nor the end of a
/// line is `?`.
pub fn without_controls(text: &str) -> Cow<'_, str> {
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.contains(is_odd) { text.replace(is_odd, "?").into() } else { text.into() }
}

/// Why a [`View`] has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotShown {
    /// No path, or no map, of that name.
    #[error("device not found")]
    NoDevice,
    /// `config`, `config local` and `blacklist` are rendered from the configuration, not from here.
    #[error("to be rendered from the configuration")]
    Configuration,
}

impl NotShown {
    /// The reply, as it goes over the wire.
    pub const fn reply(self) -> &'static str {
        match self {
            Self::NoDevice => DEVICE_NOT_FOUND,
            Self::Configuration => crate::ctl::FAIL,
        }
    }
}

/// Answers a `show` command: the reply, as it goes over the wire. An empty list is `ok`.
pub fn show(view: &View, what: &Show) -> Result<String, NotShown> {
    let text = match what {
        Show::Paths { format, raw } => table::paths(view, format.as_deref(), *raw),
        Show::Path(name) => {
            let path = find_path(view, name).ok_or(NotShown::NoDevice)?;
            table::line(wildcards::PATH, "%o", path)
        }
        Show::Maps { format, raw } => table::maps(view, format.as_deref().unwrap_or(table::MAPS), *raw),
        Show::MapsStatus => table::maps(view, table::MAPS_STATUS, false),
        Show::MapsStats => table::maps(view, table::MAPS_STATS, false),
        Show::MapsTopology => topology::all(view),
        Show::MapsJson => json::all(view),
        Show::Map { name, what } => {
            let map = find_map(view, name).ok_or(NotShown::NoDevice)?;
            match what {
                MapForm::Topology => topology::one(view, map),
                MapForm::Json => json::one(map),
                MapForm::Format { format, raw: true } => table::line(wildcards::MAP, format, map),
                MapForm::Format { format, raw: false } => table::padded_map(view, format, map),
            }
        }
        Show::Status => status::status(view),
        Show::Daemon => status::daemon(view),
        Show::Devices => status::devices(view),
        Show::Wildcards => wildcards::list(),
        Show::Json(what) => documents::show(view, what)?,
        Show::Config | Show::ConfigLocal | Show::Blacklist => return Err(NotShown::Configuration),
    };
    Ok(if text.is_empty() { OK.to_string() } else { text })
}

/// The path that a client means: `sda`, `/dev/sda`, `8:0`.
pub fn find_path<'a>(view: &'a View, name: &str) -> Option<&'a PathView> {
    let path = PathRef::new(name);
    view.paths.iter().find(|p| path.matches(p.name(), p.facts.devt))
}

/// The map that a client means: alias, WWID, `/dev/mapper/ALIAS`, `dm-N`, `/dev/dm-N`, `254:N`.
pub fn find_map<'a>(view: &'a View, name: &str) -> Option<&'a MapView> {
    MapRef::new(name).find(&view.maps, |map| (&map.name, &map.wwid, map.devt))
}
