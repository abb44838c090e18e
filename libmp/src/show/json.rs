//! Maps as JSON, byte for byte as the reference lays it out (schema 0.1): numbers are numbers,
//! everything else is text, nothing is null.

use ::core::fmt::{Display, Write as _};
use alloc::string::String;
use alloc::vec::Vec;

use super::view::{GroupView, MapView, PathView, View};
use super::wildcards::{MAP, PATH, Wildcard, marginal, paths};

/// `show maps json`.
pub fn all(view: &View) -> String {
    document(|json| json.array("maps", &view.maps, map))
}

/// `show map NAME json`.
pub fn one(of: &MapView) -> String {
    document(|json| {
        json.key("map", ":");
        json.object(|json| map(json, of));
    })
}

pub(super) fn document(content: impl FnOnce(&mut Writer)) -> String {
    object(|json| {
        for (key, value) in [("major_version", '0'), ("minor_version", '1')] {
            json.key(key, ": ");
            json.out.push(value);
        }
        content(json);
    })
}

/// A text that is one object.
pub(super) fn object(content: impl FnOnce(&mut Writer)) -> String {
    let mut json = Writer { out: String::new(), depth: 0, first: true, cell: String::new() };
    json.object(content);
    json.out.push('\n');
    json.out
}

fn map(json: &mut Writer, map: &MapView) {
    let text = |json: &mut Writer, key, letter| json.cell(key, MAP, letter, map);
    text(json, "name", 'n');
    text(json, "uuid", 'w');
    text(json, "sysfs", 'd');
    text(json, "failback", 'F');
    text(json, "queueing", 'Q');
    json.number("paths", paths(map));
    text(json, "write_prot", 'r');
    text(json, "dm_st", 't');
    text(json, "features", 'f');
    text(json, "hwhandler", 'h');
    text(json, "action", 'A');
    json.number("path_faults", map.path_faults);
    text(json, "vend", 'v');
    text(json, "prod", 'p');
    text(json, "rev", 'e');
    json.number("switch_grp", map.switch_group);
    json.number("map_loads", map.map_loads);
    json.number("total_q_time", map.total_queue_time_s);
    json.number("q_timeouts", map.queue_timeouts);
    let groups: Vec<_> = (1..).zip(&map.groups).collect();
    json.array("path_groups", &groups, |json, (number, of)| group(json, *number, of));
}

fn group(json: &mut Writer, number: u32, group: &GroupView) {
    json.text("selector", &group.selector);
    json.number("pri", group.priority.0.max(0));
    json.text("dm_st", group.dm_state.as_str());
    json.text("marginal_st", marginal(group.marginal));
    json.number("group", number);
    json.array("paths", &group.paths, path);
}

fn path(json: &mut Writer, path: &PathView) {
    let text = |json: &mut Writer, key, letter| json.cell(key, PATH, letter, path);
    text(json, "dev", 'd');
    text(json, "dev_t", 'D');
    text(json, "dm_st", 't');
    text(json, "dev_st", 'o');
    text(json, "chk_st", 'T');
    text(json, "checker", 'c');
    // Clients read an unsigned number.
    json.number("pri", path.priority.0.max(0));
    text(json, "host_wwnn", 'N');
    text(json, "target_wwnn", 'n');
    text(json, "host_wwpn", 'R');
    text(json, "target_wwpn", 'r');
    text(json, "host_adapter", 'a');
    text(json, "lun_hex", 'L');
    text(json, "marginal_st", 'M');
}

/// Lays out objects and arrays of objects, three blanks a level.
pub(super) struct Writer {
    out: String,
    depth: usize,
    /// Is the next member the first of its object?
    first: bool,
    /// Cells are written here first.
    cell: String,
}

impl Writer {
    fn indent(&mut self) {
        self.out.extend((0..self.depth * 3).map(|_| ' '));
    }

    pub(super) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.out.push('{');
        self.depth += 1;
        self.first = true;
        members(self);
        self.depth -= 1;
        self.first = false;
        self.out.push('\n');
        self.indent();
        self.out.push('}');
    }

    pub(super) fn array<T>(&mut self, key: &str, items: &[T], mut members: impl FnMut(&mut Self, &T)) {
        self.key(key, ": ");
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.object(|json| members(json, item));
        }
        self.out.push(']');
    }

    pub(super) fn key(&mut self, key: &str, separator: &str) {
        self.out.push_str(if self.first { "\n" } else { ",\n" });
        self.first = false;
        self.indent();
        quote(key, &mut self.out);
        self.out.push_str(separator);
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key, " : ");
        quote(value, &mut self.out);
    }

    /// A member with the value of a wildcard.
    fn cell<T>(&mut self, key: &str, wildcards: &[Wildcard<T>], letter: char, item: &T) {
        self.key(key, " : ");
        self.cell.clear();
        if let Some(wildcard) = wildcards.iter().find(|w| w.letter == letter) {
            (wildcard.value)(item, &mut self.cell);
        }
        quote(&self.cell, &mut self.out);
    }

    pub(super) fn number(&mut self, key: &str, value: impl Display) {
        self.key(key, " : ");
        let _ = write!(self.out, "{value}");
    }
}

/// A text as JSON has it (RFC 8259, 7).
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
