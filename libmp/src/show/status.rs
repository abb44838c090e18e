//! What the daemon says of itself: `show status`, `show daemon`, `show devices`.

use ::core::fmt::Write as _;
use alloc::format;
use alloc::string::{String, ToString};

use super::view::View;
use crate::check::CheckState;

/// The states of `show status`, in its order and with its names, which are not those of tables.
pub(super) const STATES: &[(CheckState, &str)] = &[
    (CheckState::Wild, "wild"),
    (CheckState::Unchecked, "unchecked"),
    (CheckState::Down, "down"),
    (CheckState::Up, "up"),
    (CheckState::Shaky, "shaky"),
    (CheckState::Ghost, "ghost"),
    (CheckState::Pending, "pending"),
    (CheckState::Timeout, "timeout"),
    (CheckState::Removed, "removed"),
    (CheckState::Delayed, "delayed"),
    (CheckState::Disconnected, "disconnected"),
];

/// How many paths are in which state, and whether events wait to be handled.
pub fn status(view: &View) -> String {
    let mut out = String::from("path checker states:\n");
    for (state, name) in STATES {
        let count = view.paths.iter().filter(|path| path.shown_state() == *state).count();
        if count > 0 {
            let _ = writeln!(out, "{name:<20}{count}");
        }
    }
    let busy = if view.busy { "True" } else { "False" };
    let _ = writeln!(out, "\npaths: {}\nbusy: {busy}", view.paths.len());
    out
}

/// The process and what it is doing.
pub fn daemon(view: &View) -> String {
    let pending = if view.pending_reconfigure { " (pending reconfigure)" } else { "" };
    format!("pid {} {}{pending}\n", view.pid, view.daemon.as_str())
}

/// The block devices, whether a `devnode` rule excludes them, whether they are checked.
pub fn devices(view: &View) -> String {
    let width = view.devices.iter().map(|device| device.name.as_str().len()).max().unwrap_or(0);
    let mut out = String::from("available block devices:\n");
    for device in &view.devices {
        let status = if view.native.iter().any(|space| space.name == device.name) {
            "foreign, monitored".to_string()
        } else {
            let rule = if device.blacklisted { "blacklisted" } else { "whitelisted" };
            format!("devnode {rule}, {}", if device.monitored { "monitored" } else { "unmonitored" })
        };
        let _ = writeln!(out, "    {:<width$} {status}", device.name);
    }
    out
}
