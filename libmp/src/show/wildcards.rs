//! The wildcards of formats: one row each says letter, header, and where the value comes from.

use ::core::fmt::{self, Write as _};
use alloc::string::String;

use super::view::{MapView, PathView, Queueing};
use crate::config::settings::{Failback, NoPathRetry};
use crate::identify::Facts;
use crate::types::{Hctl, MapName};

/// A wildcard of paths or of maps.
pub struct Wildcard<T: 'static> {
    /// What follows the `%`.
    pub letter: char,
    /// The column's header.
    pub header: &'static str,
    /// Writes the value.
    pub value: fn(&T, &mut String),
}

impl<T> Wildcard<T> {
    /// The value as a text of its own.
    pub fn text(&self, item: &T) -> String {
        let mut out = String::new();
        (self.value)(item, &mut out);
        out
    }
}

/// What is not known, or does not exist for this device.
const UNDEF: &str = "[undef]";
/// Which foreign library a device comes from; those here are our own.
const OWN: &str = "--";
/// Vendor, product, revision of a map without paths, or of a disk that has none.
const NOBODY: &str = "##";

const fn row<T>(letter: char, header: &'static str, value: fn(&T, &mut String)) -> Wildcard<T> {
    Wildcard { letter, header, value }
}

/// Wildcards of maps, in the order of `show wildcards`.
pub static MAP: &[Wildcard<MapView>] = &[
    row('n', "name", |m, out| out.push_str(m.name.as_str())),
    row('w', "uuid", |m, out| out.push_str(m.wwid.as_str())),
    row('d', "sysfs", |m, out| match m.devt {
        Some(devt) => put(out, format_args!("dm-{}", devt.minor)),
        None => out.push_str("undef"),
    }),
    row('F', "failback", failback),
    row('Q', "queueing", queueing),
    row('N', "paths", |m, out| put(out, paths(m))),
    row('r', "write_prot", |m, out| out.push_str(write_prot(m))),
    row('t', "dm-st", |m, out| out.push_str(dm_state(m))),
    row('S', "size", |m, out| put(out, Size(m.sectors))),
    row('f', "features", |m, out| out.push_str(&m.features)),
    row('x', "failures", |m, out| put(out, m.failures)),
    row('h', "hwhandler", |m, out| out.push_str(&m.handler)),
    row('A', "action", |m, out| out.push_str(m.action.as_str())),
    row('0', "path_faults", |m, out| put(out, m.path_faults)),
    row('1', "switch_grp", |m, out| put(out, m.switch_group)),
    row('2', "map_loads", |m, out| put(out, m.map_loads)),
    row('3', "total_q_time", |m, out| put(out, m.total_queue_time_s)),
    row('4', "q_timeouts", |m, out| put(out, m.queue_timeouts)),
    row('s', "vend/prod", |m, out| texts(out, &[of_first(m, |f| &f.vendor), of_first(m, |f| &f.product)])),
    row('v', "vend", |m, out| texts(out, &[of_first(m, |f| &f.vendor)])),
    row('p', "prod", |m, out| texts(out, &[of_first(m, |f| &f.product)])),
    row('e', "rev", |m, out| texts(out, &[of_first(m, |f| &f.revision)])),
    row('G', "foreign", |_, out| out.push_str(OWN)),
    row('g', "vpd page data", |m, out| or_undef(out, m.vpd_data.as_ref())),
    // The kernel takes the least of its paths for a map.
    row('k', "max_sectors_kb", |m, out| {
        or_not_available(out, members(m).filter_map(|path| path.facts.max_sectors_kb).min());
    }),
];

/// Wildcards of paths, in the order of `show wildcards`.
pub static PATH: &[Wildcard<PathView>] = &[
    row('w', "uuid", |p, out| out.push_str(p.wwid.as_str())),
    row('i', "hcil", |p, out| match p.facts.hctl {
        Some(hctl) => put(out, hctl),
        None => out.push_str("#:#:#:#"),
    }),
    row('d', "dev", |p, out| out.push_str(p.name().as_str())),
    row('D', "dev_t", |p, out| put(out, p.facts.devt)),
    row('t', "dm_st", |p, out| out.push_str(p.dm_state.as_str())),
    row('o', "dev_st", |p, out| out.push_str(device_state(p))),
    row('T', "chk_st", |p, out| out.push_str(p.shown_state().as_str())),
    row('s', "vend/prod/rev", |p, out| texts(out, &[&p.facts.vendor, &p.facts.product, &p.facts.revision])),
    row('c', "checker", |p, out| out.push_str(p.checker.unwrap_or(UNDEF))),
    row('C', "next_check", |p, out| match p.next_check {
        Some((left, interval)) => progress(out, left, interval),
        None => out.push_str("orphan"),
    }),
    row('p', "pri", |p, out| put(out, p.priority)),
    row('S', "size", |p, out| put(out, Size(p.facts.sectors))),
    row('z', "serial", |p, out| out.push_str(&p.facts.serial)),
    row('M', "marginal_st", |p, out| out.push_str(marginal(p.marginal))),
    row('m', "multipath", |p, out| out.push_str(p.map.as_ref().map_or("[orphan]", MapName::as_str))),
    row('N', "host WWNN", |p, out| or_undef(out, p.facts.ids.host_wwnn.as_ref())),
    row('n', "target WWNN", |p, out| or_undef(out, p.facts.ids.target_wwnn.as_ref())),
    row('R', "host WWPN", |p, out| or_undef(out, p.facts.ids.host_wwpn.as_ref())),
    row('r', "target WWPN", |p, out| or_undef(out, p.facts.ids.target_wwpn.as_ref())),
    row('a', "host adapter", |p, out| or_undef(out, p.facts.ids.host_adapter.as_ref())),
    row('G', "foreign", |_, out| out.push_str(OWN)),
    row('g', "vpd page data", |p, out| or_undef(out, p.vpd_data.as_ref())),
    row('0', "failures", |p, out| put(out, p.failures)),
    row('P', "protocol", |p, out| out.push_str(&p.facts.protocol)),
    row('I', "init_st", |p, out| out.push_str(p.init.as_str())),
    row('L', "LUN hex", |p, out| or_undef(out, p.facts.hctl.map(LunHex))),
    row('A', "TPG", |p, out| match p.facts.tpg {
        Some(tpg) => put(out, format_args!("0x{tpg:04x}")),
        None => out.push_str(UNDEF),
    }),
    row('k', "max_sectors_kb", |p, out| or_not_available(out, p.facts.max_sectors_kb)),
];

/// `show wildcards`.
pub fn list() -> String {
    fn rows<T>(out: &mut String, wildcards: &[Wildcard<T>]) {
        for Wildcard { letter, header, .. } in wildcards {
            let _ = writeln!(out, "%{letter}  {header}");
        }
    }
    let mut out = String::from("multipath format wildcards:\n");
    rows(&mut out, MAP);
    out.push_str("\npath format wildcards:\n");
    rows(&mut out, PATH);
    out
}

/// `normal` or `marginal`, of a path or a group.
pub const fn marginal(is: bool) -> &'static str {
    if is { "marginal" } else { "normal" }
}

/// How many paths of a map can be used (`%N`).
pub fn paths(map: &MapView) -> usize {
    members(map).filter(|path| path.check_state.is_usable()).count()
}

fn members(map: &MapView) -> impl Iterator<Item = &PathView> {
    map.groups.iter().flat_map(|group| &group.paths)
}

/// 512-byte sectors as a size with one unit: `8.0M`, `1.1T`, `40G`. One decimal below ten, none above.
#[derive(Debug, Clone, Copy)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    #[expect(
        clippy::cast_precision_loss,
        reason = "two digits are printed, and the reference counts in float"
    )]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut units = "KMGTP".chars().peekable();
        let mut value = (self.0 / 2) as f32;
        let mut unit = units.next().unwrap_or('K');
        while value >= 1024.0 {
            let Some(next) = units.next() else { break };
            value /= 1024.0;
            unit = next;
        }
        if value < 10.0 { write!(out, "{value:.1}{unit}") } else { write!(out, "{value:.0}{unit}") }
    }
}

fn put(out: &mut String, value: impl fmt::Display) {
    let _ = write!(out, "{value}");
}

/// Ten places, and so many `X` as `part` is tenths of `whole`.
fn progress(out: &mut String, part: u64, whole: u64) {
    let marks = (part * 10).checked_div(whole).map_or(0, |n| n.min(10));
    out.extend((0..10).map(|place| if place < marks { 'X' } else { '.' }));
    put(out, format_args!(" {part}/{whole}"));
}

fn or_undef(out: &mut String, value: Option<impl fmt::Display>) {
    match value {
        Some(value) => put(out, value),
        None => out.push_str(UNDEF),
    }
}

fn or_not_available(out: &mut String, value: Option<impl fmt::Display>) {
    match value {
        Some(value) => put(out, value),
        None => out.push_str("n/a"),
    }
}

/// What INQUIRY says of the map's first path.
fn of_first(map: &MapView, get: fn(&Facts) -> &str) -> &str {
    map.first.as_deref().map(get).unwrap_or_default()
}

/// Texts with a comma between them.
fn texts(out: &mut String, texts: &[&str]) {
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(if text.is_empty() { NOBODY } else { text });
    }
}

fn failback(map: &MapView, out: &mut String) {
    match (map.failback, map.failback_in_s) {
        (Failback::Manual, _) => out.push_str("manual"),
        (Failback::Immediate, _) => out.push_str("immediate"),
        (Failback::Followover, _) => out.push_str("followover"),
        (Failback::Deferred(after), None) => put(out, format_args!("deferred:{}", after.as_secs())),
        (Failback::Deferred(after), Some(left)) => progress(out, left, after.as_secs()),
    }
}

fn queueing(map: &MapView, out: &mut String) {
    match map.queueing {
        Queueing::Configured(NoPathRetry::Undef) => out.push('-'),
        Queueing::Configured(NoPathRetry::Queue) => out.push_str("on"),
        Queueing::Configured(NoPathRetry::Checks(checks)) => put(out, format_args!("{checks} chk")),
        Queueing::CountDown(seconds) => put(out, format_args!("{seconds} sec")),
        Queueing::Configured(NoPathRetry::Fail) | Queueing::Off => out.push_str("off"),
    }
}

const fn write_prot(map: &MapView) -> &'static str {
    match map.read_only {
        None => "undef",
        Some(true) => "ro",
        Some(false) => "rw",
    }
}

const fn dm_state(map: &MapView) -> &'static str {
    match (map.devt, map.suspended) {
        (None, _) => "undef",
        (_, true) => "suspend",
        (_, false) => "active",
    }
}

const fn device_state(path: &PathView) -> &'static str {
    match (&path.map, path.offline) {
        (None, _) => "unknown",
        (_, true) => "offline",
        (_, false) => "running",
    }
}

/// The eight bytes of a LUN as on the wire (SAM-5 4.7.3): the kernel's integer, in 16-bit pieces
/// from the least on.
struct LunHex(Hctl);

impl fmt::Display for LunHex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let piece = |index: u32| (self.0.lun >> (16 * index)) & 0xffff;
        write!(out, "0x{:04x}{:04x}{:04x}{:04x}", piece(0), piece(1), piece(2), piece(3))
    }
}
