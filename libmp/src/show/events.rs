//! What happened, as JSON: an object a line, for `events`.
//!
//! Each has `time` (UTC, RFC 3339, microseconds), `seq` (one more each time), `level` (`error`, `warning`, `notice`, `info`),
//! `event`, the members of that event, and `text`, the line of the log. Numbers are whole numbers, everything else is
//! text; what is not known is left out. A text that is very long is cut, and ends in `…`.

use ::core::fmt::{Display, Write as _};
use ::core::time::Duration;
use alloc::string::{String, ToString};

use super::json::quote;
use crate::core::notice::{Level, Notice};

/// Characters of a text; a table with many paths is longer.
const TEXT_MAX: usize = 2_000;

/// One event: its number, when it happened (since 1970), and what it was.
pub fn line(seq: u64, time: Duration, notice: &Notice) -> String {
    let mut line = Line::new(seq, time);
    line.text(
        "level",
        match notice.level() {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
            Level::Info => "info",
        },
    );
    members(&mut line, notice);
    line.text("text", notice);
    line.end()
}

/// In the place of events that a reader was too slow for.
pub fn lost(next: u64, time: Duration, count: u64) -> String {
    let mut line = Line::new(next.saturating_sub(1), time);
    line.text("level", "warning");
    line.text("event", "lost");
    line.number("count", &count);
    line.text("text", &format_args!("{count} events are lost: they were read too slowly"));
    line.end()
}

fn members(line: &mut Line, notice: &Notice) {
    use Notice::*;
    match notice {
        PathState { .. }
        | PathStillFailed { .. }
        | Reinstated { .. }
        | Failed { .. }
        | KernelFailed { .. } => {
            path_states(line, notice);
        }
        ActivePaths { map, active } => {
            line.event("active_paths").text("map", map);
            line.number("active", active);
        }
        PathAdded { map, path, devt } => {
            line.event("path_added").text("map", map).text("path", path).text("dev_t", devt);
        }
        PathRemoved { map, path } => {
            line.event("path_removed").text("map", map).text("path", path);
        }
        PathIgnored { path, reason, was_in } => {
            line.event("path_ignored").known("map", was_in.as_ref());
            line.text("path", path).text("reason", reason);
        }
        PathNotTaken { map, path, error } => {
            line.event("path_not_taken").text("map", map).text("path", path).text("reason", error);
        }
        PathRefused { path, wwid, reason } => {
            line.event("path_refused").text("path", path).text("uuid", wwid).text("reason", reason);
        }
        WwidChanged { map, path, was, is } => {
            line.event("wwid_changed").known("map", map.as_ref());
            line.text("path", path).text("from", was).text("to", is);
        }
        QueueingStarted { map, seconds } => {
            line.event("queueing_started").text("map", map);
            if let Some(seconds) = seconds {
                line.number("seconds", seconds);
            }
        }
        QueueingStopped { map, reason } => {
            line.event("queueing_stopped").text("map", map).text("reason", reason);
        }
        IoFails { map, reason } => {
            line.event("io_fails").text("map", map).text("reason", reason);
        }
        QueueingRestored { map } => drop(line.event("queueing_restored").text("map", map)),
        Command { command, peer, outcome } => {
            line.event("command").text("command", command).text("outcome", outcome).number("uid", &peer.uid);
            if let Some(pid) = peer.pid {
                line.number("pid", &pid);
            }
        }
        _ => maps(line, notice),
    }
}

fn path_states(line: &mut Line, notice: &Notice) {
    use Notice::*;
    match notice {
        PathState { map, path, checker, state, .. } => {
            line.event("path_state").known("map", map.as_ref()).text("path", path);
            line.text("chk_st", state.as_str()).text("checker", checker);
        }
        PathStillFailed { map, path, checker, .. } => {
            line.event("path_still_failed").text("map", map).text("path", path).text("checker", checker);
        }
        Reinstated { map, path, devt }
        | Failed { map, path, devt, .. }
        | KernelFailed { map, path, devt } => {
            let (name, state) = match notice {
                Reinstated { .. } => ("path_reinstated", "active"),
                Failed { .. } => ("path_failed", "failed"),
                _ => ("path_failed_by_kernel", "failed"),
            };
            line.event(name).text("map", map).text("path", path).text("dev_t", devt).text("dm_st", state);
        }
        _ => {}
    }
}

fn maps(line: &mut Line, notice: &Notice) {
    use Notice::*;
    match notice {
        MapCreated { map, table } => line.event("map_created").text("map", map).text("table", table),
        MapAdopted { map } => line.event("map_adopted").text("map", map),
        MapReloaded { map, table, reason } => {
            line.event("map_reloaded").text("map", map).text("reason", reason).text("table", table)
        }
        MapRenamed { from, to } => line.event("map_renamed").text("map", to).text("from", from),
        MapRemoved { map, by_us } => {
            let by = if *by_us { "daemon" } else { "other" };
            line.event("map_removed").text("map", map).text("by", by)
        }
        MapOpFailed { map, step, error, .. } => {
            line.event("map_operation_failed").text("map", map).text("step", step).text("reason", error)
        }
        GroupSwitched { map, group, reason } => {
            line.event("group_switched").text("map", map).number("group", group).text("reason", reason)
        }
        AliasConflict { alias, wwid, holder } => {
            line.event("alias_conflict").text("alias", alias).text("uuid", wwid).text("holder", holder)
        }
        Config { .. } => line.event("configuration_problem"),
        Configured { maps, paths } => line.event("configured").number("maps", maps).number("paths", paths),
        SaveFailed { file, error } => line.event("not_saved").text("file", file).text("reason", error),
        UeventsLost => line.event("uevents_lost"),
        Stopping => line.event("stopping"),
        _ => line.event("other"),
    };
}

/// An object in the making.
struct Line {
    out: String,
}

impl Line {
    fn new(seq: u64, time: Duration) -> Self {
        let mut line = Self { out: "{".into() };
        line.text("time", &timestamp(time)).number("seq", &seq);
        line
    }

    fn event(&mut self, name: &str) -> &mut Self {
        self.text("event", name)
    }

    fn key(&mut self, key: &str) {
        if self.out.len() > 1 {
            self.out.push_str(", ");
        }
        let _ = write!(self.out, "\"{key}\": ");
    }

    fn text(&mut self, key: &str, value: &(impl Display + ?Sized)) -> &mut Self {
        self.key(key);
        let text = value.to_string();
        match text.char_indices().nth(TEXT_MAX) {
            None => quote(&text, &mut self.out),
            Some((end, _)) => quote(&(text[..end].to_string() + "…"), &mut self.out),
        }
        self
    }

    fn known(&mut self, key: &str, value: Option<&impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.text(key, value);
        }
        self
    }

    fn number(&mut self, key: &str, value: &impl Display) -> &mut Self {
        self.key(key);
        let _ = write!(self.out, "{value}");
        self
    }

    fn end(mut self) -> String {
        self.out.push_str("}\n");
        self.out
    }
}

/// A time since 1970 as RFC 3339 has it (5.6), in UTC. The days of the civil calendar are counted from the first of March,
/// so that a leap day is the last of its year.
fn timestamp(since_1970: Duration) -> String {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    const MARCH_OF_0_TO_1970: u64 = 719_468;
    let seconds = since_1970.as_secs();
    let days = seconds / 86_400 + MARCH_OF_0_TO_1970;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let micros = since_1970.subsec_micros();
    alloc::format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::CheckState;
    use crate::core::event::Peer;
    use crate::types::DevT;

    fn at(seconds: u64) -> Duration {
        Duration::new(seconds, 1_000)
    }

    #[test]
    fn times_of_the_civil_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000001Z"),
            (951_782_400, "2000-02-29T00:00:00.000001Z"),
            (1_582_934_400, "2020-02-29T00:00:00.000001Z"),
            (1_763_864_315, "2025-11-23T02:18:35.000001Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000001Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000001Z"),
        ] {
            assert_eq!(timestamp(at(seconds)), text);
        }
    }

    #[test]
    fn a_line_each() {
        let why = "its checker found it unusable";
        let failed = Notice::Failed { map: "data".into(), path: "sda".into(), devt: DevT::new(8, 0), why };
        assert_eq!(
            line(7, at(0), &failed),
            "{\"time\": \"1970-01-01T00:00:00.000001Z\", \"seq\": 7, \"level\": \"warning\", \
             \"event\": \"path_failed\", \"map\": \"data\", \"path\": \"sda\", \"dev_t\": \"8:0\", \
             \"dm_st\": \"failed\", \"text\": \"data: 8:0 (sda) failed: its checker found it unusable\"}\n"
        );
        let peer = Peer { uid: 0, pid: Some(12) };
        let command = Notice::Command { command: "fail path \"a b\"".into(), peer, outcome: "ok".into() };
        let state = Notice::PathState {
            map: None,
            path: "sda".into(),
            checker: "tur",
            state: CheckState::Up,
            message: " reports path is up",
        };
        let created = Notice::MapCreated { map: "a".into(), table: "\u{1b}é".repeat(TEXT_MAX) };
        for (notice, event, member, value) in [
            (command, "command", "command", "fail path \"a b\""),
            (state, "path_state", "chk_st", "ready"),
            (created, "map_created", "map", "a"),
            (Notice::Stopping, "stopping", "text", "stopping"),
        ] {
            let text = line(1, at(0), &notice);
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&json["event"], &json[member]), (&event.into(), &value.into()), "{text}");
            assert_eq!(text.matches('\n').count(), 1);
        }
        let json: serde_json::Value = serde_json::from_str(&lost(9, at(0), 3)).unwrap();
        assert_eq!((json["count"].as_u64(), json["seq"].as_u64()), (Some(3), Some(8)));
    }
}
