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
use alloc::string::String;

use super::view::{MapAction, MapView, PathView, View};
use super::{native, table::Layout, wildcards};

/// The columns of a path.
const PATH: &str = "%i %d %D %t %T %o";

/// What the lines of a tree are made of.
struct Trees {
    /// They line up over all paths of the daemon, whatever their map.
    paths: Layout<'static, PathView>,
    devices: Layout<'static, MapView>,
    properties: Layout<'static, MapView>,
}

/// `show maps topology`.
pub fn all(view: &View) -> String {
    let trees = Trees::new(view);
    let mut out = String::new();
    view.maps.iter().for_each(|map| trees.write(&mut out, map));
    view.native.iter().for_each(|space| native::write_tree(&mut out, space, &trees.paths));
    out
}

/// `show map NAME topology`.
pub fn one(view: &View, map: &MapView) -> String {
    let mut out = String::new();
    Trees::new(view).write(&mut out, map);
    out
}

impl Trees {
    fn new(view: &View) -> Self {
        let mut paths = Layout::new(wildcards::PATH, PATH);
        for path in &view.paths {
            paths.fit(path);
        }
        for (space, path) in
            view.native.iter().flat_map(|space| space.paths.iter().map(move |path| (space, path)))
        {
            paths.fit_to(|letter| native::path_cell(space, path, letter));
        }
        Self {
            paths,
            devices: Layout::new(wildcards::MAP, "%d %s"),
            properties: Layout::new(wildcards::MAP, "size=%S features='%f' hwhandler='%h' wp=%r"),
        }
    }

    fn write(&self, out: &mut String, map: &MapView) {
        write_name(out, map);
        self.devices.write_line(out, map);
        self.properties.write_line(out, map);
        for (index, group) in map.groups.iter().enumerate() {
            let (branch, trunk) = if index + 1 == map.groups.len() { ('`', ' ') } else { ('|', '|') };
            // No usable path: the reference says 0.
            let (priority, status) = (group.priority.0.max(0), group.dm_state.as_str());
            let _ = writeln!(out, "{branch}-+- policy='{}' prio={priority} status={status}", group.selector);
            for (index, path) in group.paths.iter().enumerate() {
                let branch = if index + 1 == group.paths.len() { '`' } else { '|' };
                let _ = write!(out, "{trunk} {branch}- ");
                self.paths.write_line(out, path);
            }
        }
    }
}

/// What was last done to it, its name, its WWID where that is not the name.
fn write_name(out: &mut String, map: &MapView) {
    let _ = match map.action {
        MapAction::None => Ok(()),
        action => write!(out, "{}: ", action.as_str()),
    };
    let _ = match map.wwid.as_str() {
        wwid if wwid == map.name.as_str() => write!(out, "{wwid} "),
        wwid => write!(out, "{} ({wwid}) ", map.name),
    };
}
