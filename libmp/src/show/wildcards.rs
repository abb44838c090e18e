//! The wildcards of formats: one row each says letter, header, and where the value comes from.

use ::core::fmt::Write as _;
use alloc::format;
use alloc::string::{String, ToString};

use super::view::{MapView, PathView, Queueing};
use crate::config::settings::{Failback, NoPathRetry};
use crate::types::Hctl;

/// A wildcard of paths or of maps.
pub struct Wildcard<T: 'static> {
    /// What follows the `%`.
    pub letter: char,
    /// The column's header.
    pub header: &'static str,
    /// The value as text.
    pub value: fn(&T) -> String,
}

/// What is not known, or does not exist for this device.
const UNDEF: &str = "[undef]";
/// Which foreign library a device comes from; those here are our own.
const OWN: &str = "--";
/// Vendor, product, revision of a map without paths, or of a disk that has none.
const NOBODY: &str = "##";

const fn row<T>(letter: char, header: &'static str, value: fn(&T) -> String) -> Wildcard<T> {
    Wildcard { letter, header, value }
}

/// Wildcards of maps, in the order of `show wildcards`.
pub static MAP: &[Wildcard<MapView>] = &[
    row('n', "name", |m| m.name.to_string()),
    row('w', "uuid", |m| m.wwid.to_string()),
    row('d', "sysfs", |m| m.devt.map_or_else(|| "undef".into(), |devt| format!("dm-{}", devt.minor))),
    row('F', "failback", failback),
    row('Q', "queueing", queueing),
    row('N', "paths", |m| paths(m).to_string()),
    row('r', "write_prot", write_prot),
    row('t', "dm-st", dm_state),
    row('S', "size", |m| size(m.sectors)),
    row('f', "features", |m| m.features.clone()),
    row('x', "failures", |m| m.failures.to_string()),
    row('h', "hwhandler", |m| m.handler.clone()),
    row('A', "action", |m| m.action.as_str().to_string()),
    row('0', "path_faults", |m| m.path_faults.to_string()),
    row('1', "switch_grp", |m| m.switch_group.to_string()),
    row('2', "map_loads", |m| m.map_loads.to_string()),
    row('3', "total_q_time", |m| m.total_queue_time_s.to_string()),
    row('4', "q_timeouts", |m| m.queue_timeouts.to_string()),
    row('s', "vend/prod", |m| format!("{},{}", or_nobody(&m.vendor), or_nobody(&m.product))),
    row('v', "vend", |m| or_nobody(&m.vendor)),
    row('p', "prod", |m| or_nobody(&m.product)),
    row('e', "rev", |m| or_nobody(&m.revision)),
    row('G', "foreign", |_| OWN.into()),
    row('g', "vpd page data", |m| or_undef(m.vpd_data.as_ref())),
    row('k', "max_sectors_kb", |m| or_undef(m.max_sectors_kb)),
];

/// Wildcards of paths, in the order of `show wildcards`.
pub static PATH: &[Wildcard<PathView>] = &[
    row('w', "uuid", |p| p.wwid.to_string()),
    row('i', "hcil", |p| p.hctl.map_or_else(|| "#:#:#:#".into(), |hctl| hctl.to_string())),
    row('d', "dev", |p| p.name.to_string()),
    row('D', "dev_t", |p| p.devt.to_string()),
    row('t', "dm_st", |p| p.dm_state.as_str().into()),
    row('o', "dev_st", |p| device_state(p).into()),
    row('T', "chk_st", |p| p.check_state.as_str().into()),
    row('s', "vend/prod/rev", vendor_product_revision),
    row('c', "checker", |p| or_undef(p.checker)),
    row('C', "next_check", next_check),
    row('p', "pri", |p| p.priority.to_string()),
    row('S', "size", |p| size(p.sectors)),
    row('z', "serial", |p| p.serial.clone()),
    row('M', "marginal_st", |p| marginal(p.marginal).into()),
    row('m', "multipath", |p| p.map.as_ref().map_or_else(|| "[orphan]".into(), ToString::to_string)),
    row('N', "host WWNN", |p| or_undef(p.ids.host_wwnn.as_ref())),
    row('n', "target WWNN", |p| or_undef(p.ids.target_wwnn.as_ref())),
    row('R', "host WWPN", |p| or_undef(p.ids.host_wwpn.as_ref())),
    row('r', "target WWPN", |p| or_undef(p.ids.target_wwpn.as_ref())),
    row('a', "host adapter", |p| or_undef(p.ids.host_adapter.as_ref())),
    row('G', "foreign", |_| OWN.into()),
    row('g', "vpd page data", |p| or_undef(p.vpd_data.as_ref())),
    row('0', "failures", |p| p.failures.to_string()),
    row('P', "protocol", |p| p.protocol.clone()),
    row('I', "init_st", |p| p.init.as_str().into()),
    row('L', "LUN hex", |p| or_undef(p.hctl.map(lun_hex))),
    row('A', "TPG", |p| or_undef(p.tpg.map(|tpg| format!("0x{tpg:04x}")))),
    row('k', "max_sectors_kb", |p| or_undef(p.max_sectors_kb)),
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

/// How many paths a map has (`%N`).
pub fn paths(map: &MapView) -> usize {
    map.groups.iter().map(|group| group.paths.len()).sum()
}

/// A size with one unit: `8.0M`, `1.1T`, `40G`. One decimal below ten, none above.
#[expect(clippy::cast_precision_loss, reason = "two digits are printed, and the reference counts in float")]
pub fn size(sectors: u64) -> String {
    let mut units = "KMGTP".chars().peekable();
    let mut value = (sectors / 2) as f32;
    let mut unit = units.next().unwrap_or('K');
    while value >= 1024.0 {
        let Some(next) = units.next() else { break };
        value /= 1024.0;
        unit = next;
    }
    if value < 10.0 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

/// Ten places, and so many `X` as `part` is tenths of `whole`.
fn progress(part: u64, whole: u64) -> String {
    let marks = (part * 10).checked_div(whole).map_or(0, |n| usize::try_from(n.min(10)).unwrap_or(10));
    format!("{:.<10} {part}/{whole}", "X".repeat(marks))
}

fn or_undef(value: Option<impl ToString>) -> String {
    value.map_or_else(|| UNDEF.into(), |value| value.to_string())
}

fn or_nobody(text: &str) -> String {
    if text.is_empty() { NOBODY.into() } else { text.into() }
}

fn failback(map: &MapView) -> String {
    match (map.failback, map.failback_in_s) {
        (Failback::Manual, _) => "manual".into(),
        (Failback::Immediate, _) => "immediate".into(),
        (Failback::Followover, _) => "followover".into(),
        (Failback::Deferred(_), None) => "-".into(),
        (Failback::Deferred(after), Some(left)) => progress(left, after.as_secs()),
    }
}

fn queueing(map: &MapView) -> String {
    match map.queueing {
        Queueing::Configured(NoPathRetry::Undef) => "-".into(),
        Queueing::Configured(NoPathRetry::Queue) => "on".into(),
        Queueing::Configured(NoPathRetry::Checks(checks)) => format!("{checks} chk"),
        Queueing::CountDown(seconds) => format!("{seconds} sec"),
        Queueing::Configured(NoPathRetry::Fail) | Queueing::Off => "off".into(),
    }
}

fn write_prot(map: &MapView) -> String {
    match map.read_only {
        None => "undef",
        Some(true) => "ro",
        Some(false) => "rw",
    }
    .into()
}

fn dm_state(map: &MapView) -> String {
    match (map.devt, map.suspended) {
        (None, _) => "undef",
        (_, true) => "suspend",
        (_, false) => "active",
    }
    .into()
}

fn vendor_product_revision(path: &PathView) -> String {
    [&path.vendor, &path.product, &path.revision].map(|text| or_nobody(text)).join(",")
}

const fn device_state(path: &PathView) -> &'static str {
    match (&path.map, path.offline) {
        (None, _) => "unknown",
        (_, true) => "offline",
        (_, false) => "running",
    }
}

fn next_check(path: &PathView) -> String {
    path.next_check.map_or_else(|| "orphan".into(), |(left, interval)| progress(left, interval))
}

/// The eight bytes of a LUN as on the wire (SAM-5 4.7.3): the kernel's integer, in 16-bit pieces
/// from the least on.
fn lun_hex(hctl: Hctl) -> String {
    let pieces = (0..4).map(|index| format!("{:04x}", (hctl.lun >> (16 * index)) & 0xffff));
    ["0x".into()].into_iter().chain(pieces).collect()
}
