//! Maps as trees: a header, a line of properties, the groups, and the paths of each.
//!
//! ```text
//! create: data (3600508b4) dm-1 VENDOR,PRODUCT
//! size=8.0M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
//! |-+- policy='service-time 0' prio=50 status=active
//! | |- 0:0:0:1 sdc 8:32 active ready running
//! | `- 0:0:1:1 sde 8:64 active ready running
//! `-+- policy='service-time 0' prio=10 status=enabled
//!   `- 1:0:0:1 sdd 8:48 active ready running
//! ```

use ::core::fmt::Write as _;
use alloc::format;
use alloc::string::{String, ToString};

use super::view::{GroupView, MapAction, MapView, PathView, View};
use super::{native, table, table::Layout, wildcards};

/// The columns of a path; they line up over all paths of the daemon, whatever their map.
const PATH: &str = "%i %d %D %t %T %o";

/// `show maps topology`.
pub fn all(view: &View) -> String {
    let columns = columns(view);
    let maps = view.maps.iter().map(|map| tree(map, &columns));
    maps.chain(view.native.iter().map(|space| native::tree(space, &columns))).collect()
}

/// `show map NAME topology`.
pub fn one(view: &View, map: &MapView) -> String {
    tree(map, &columns(view))
}

fn columns(view: &View) -> Layout<'static, PathView> {
    let mut columns = Layout::new(wildcards::PATH, PATH);
    view.paths.iter().filter(|path| !path.excluded).for_each(|path| columns.fit(path));
    for space in &view.native {
        space.paths.iter().for_each(|path| columns.fit_to(|letter| native::path_cell(space, path, letter)));
    }
    columns
}

fn tree(map: &MapView, columns: &Layout<'_, PathView>) -> String {
    let mut out = header(map);
    out.push_str(&table::line(wildcards::MAP, "size=%S features='%f' hwhandler='%h' wp=%r", map));
    for (index, group) in map.groups.iter().enumerate() {
        let (branch, trunk) = if index + 1 == map.groups.len() { ('`', ' ') } else { ('|', '|') };
        let _ = writeln!(out, "{branch}-+- {}", properties(group));
        for (index, path) in group.paths.iter().enumerate() {
            let branch = if index + 1 == group.paths.len() { '`' } else { '|' };
            let _ = write!(out, "{trunk} {branch}- {}", columns.line(path));
        }
    }
    out
}

/// What was last done to it, its name, its WWID where that is not the name, its device.
fn header(map: &MapView) -> String {
    let action = match map.action {
        MapAction::None => String::new(),
        action => format!("{}: ", action.as_str()),
    };
    let wwid = match map.wwid.as_str() {
        wwid if wwid == map.name.as_str() => String::new(),
        wwid => format!(" ({wwid})"),
    };
    format!("{action}{}{wwid} {}", map.name, table::line(wildcards::MAP, "%d %s", map))
}

fn properties(group: &GroupView) -> String {
    // No usable path: the reference says 0.
    let priority = group.priority.0.max(0).to_string();
    format!("policy='{}' prio={priority} status={}", group.selector, group.dm_state.as_str())
}
