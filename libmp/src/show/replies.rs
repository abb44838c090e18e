//! `show replies`: how long the daemon took to answer, command by command.
//!
//! | JSON, for each of `replies` | |
//! | --- | --- |
//! | `command` | its keywords; `(no command)` stands for all that is none |
//! | `replies`, `late` | how many, and how many of them later than [`LATE`] |
//! | `cpu_mean_us`, `cpu_max_us` | of the processor: what the daemon's loop has worked meanwhile, for others too |
//! | `max_us` | of the clock: the processor's other work and whatever else holds the loop up are in it |

use ::core::time::Duration;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::explain::aligned;
use super::json;
use crate::ctl::{Form, OK};

/// No reply is to take longer.
pub const LATE: Duration = Duration::from_millis(100);

/// What replies to a command took. Nothing that a command waits for by its nature (the kernel, udev, files) is in it, nor a client
/// that reads slowly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Took {
    /// The command, without names.
    pub command: String,
    /// Replies.
    pub replies: u32,
    /// Those that took longer than [`LATE`].
    pub late: u32,
    /// Time of the processor, of all together.
    pub cpu: Duration,
    /// The most for one.
    pub cpu_max: Duration,
    /// The longest time of the clock.
    pub max: Duration,
}

impl Took {
    fn cpu_mean(&self) -> Duration {
        self.cpu.checked_div(self.replies).unwrap_or_default()
    }
}

/// As text, or as JSON.
pub fn render(rows: &[Took], form: Form) -> String {
    match form {
        Form::Text if rows.is_empty() => OK.into(),
        Form::Text => text(rows),
        Form::Json => json::document(|json| {
            json.array("replies", rows, |json, row| {
                json.text("command", &row.command);
                json.number("replies", row.replies);
                json.number("late", row.late);
                json.number("cpu_mean_us", row.cpu_mean().as_micros());
                json.number("cpu_max_us", row.cpu_max.as_micros());
                json.number("max_us", row.max.as_micros());
            });
        }),
    }
}

fn text(rows: &[Took]) -> String {
    let ms = |time: Duration| format!("{}.{:03}", time.as_millis(), time.subsec_micros() % 1_000);
    let mut table: Vec<[String; 6]> =
        [["command", "replies", "late", "cpu_mean_ms", "cpu_max_ms", "max_ms"].map(String::from)].into();
    table.extend(rows.iter().map(|row| {
        let (replies, late) = (row.replies.to_string(), row.late.to_string());
        [row.command.clone(), replies, late, ms(row.cpu_mean()), ms(row.cpu_max), ms(row.max)]
    }));
    aligned(&table).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> [Took; 2] {
        let micros = Duration::from_micros;
        let took = |command: &str, replies, max| Took {
            command: command.into(),
            replies,
            late: u32::from(max > LATE),
            cpu: micros(3_000),
            cpu_max: micros(2_050),
            max,
        };
        [took("fail path", 0, micros(0)), took("show topology", 4, micros(1_100_007))]
    }

    #[test]
    fn as_people_read_it() {
        let text = "\
command        replies  late  cpu_mean_ms  cpu_max_ms  max_ms
fail path      0        0     0.000        2.050       0.000
show topology  4        1     0.750        2.050       1100.007
";
        assert_eq!(render(&rows(), Form::Text), text);
        assert_eq!(render(&[], Form::Text), "ok\n");
    }

    #[test]
    fn as_programs_read_it() {
        let json: serde_json::Value = serde_json::from_str(&render(&rows(), Form::Json)).unwrap();
        let row = &json["replies"][1];
        assert_eq!((&row["command"], row["late"].as_u64()), (&"show topology".into(), Some(1)));
        assert_eq!((row["cpu_mean_us"].as_u64(), row["max_us"].as_u64()), (Some(750), Some(1_100_007)));
    }
}
