//! `plan [FILE]`: the daemon says what a reconfigure would change.

use std::path::Path;
use std::process::ExitCode;

use libmp::ctl::{Form, NO_CHANGE};

use crate::client::{AskError, Client};
use crate::listing::quoted;
use crate::output::{self, Reply};

/// Something would change.
const CHANGES: u8 = 3;
/// The file would be refused.
const REFUSED: u8 = 2;
/// What the daemon says of a file with errors.
const KEPT: &str = "the running configuration stays in force";

/// Asks the daemon and prints its plan.
pub fn plan(file: Option<&Path>, form: Form, client: &mut Client) -> Result<ExitCode, AskError> {
    let line = match line(file, form) {
        Ok(line) => line,
        Err(why) => {
            output::complain(&why);
            return Ok(ExitCode::FAILURE);
        }
    };
    let reply = Reply::new(client.ask(&line)?);
    let printed = output::reply(&reply);
    Ok(match status(&reply, form) {
        // Where it could not be printed, that is what counts.
        Some(status) if printed == ExitCode::SUCCESS || reply.failed => ExitCode::from(status),
        _ => printed,
    })
}

/// The daemon reads the file itself: it is told where it is.
fn line(file: Option<&Path>, form: Form) -> Result<String, String> {
    let json = if form == Form::Json { " json" } else { "" };
    let Some(file) = file else { return Ok(format!("plan{json}")) };
    let path = file.canonicalize().map_err(|error| format!("{}: {error}", file.display()))?;
    let path = path.to_str().ok_or_else(|| format!("{}: its name is not UTF-8", file.display()))?;
    Ok(format!("plan file {}{json}", quoted(path)))
}

/// The exit status that says what the plan is; `None`: the usual one.
fn status(reply: &Reply, form: Form) -> Option<u8> {
    if reply.failed {
        return reply.text.starts_with(KEPT).then_some(REFUSED);
    }
    let nothing = match form {
        Form::Text => reply.text.starts_with(NO_CHANGE),
        Form::Json => {
            let json: Option<serde_json::Value> = serde_json::from_str(&reply.text).ok();
            json.is_some_and(|json| json["changes"] == 0)
        }
    };
    (!nothing).then_some(CHANGES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_what_the_plan_is() {
        for (reply, form, expected) in [
            (NO_CHANGE, Form::Text, None),
            ("nothing would change\nnote    x\n", Form::Text, None),
            ("create  data (w) of sda\n", Form::Text, Some(3)),
            ("{\"changes\": 0}", Form::Json, None),
            ("{\"changes\": 2}", Form::Json, Some(3)),
            ("fail\nthe running configuration stays in force: 1 error\n", Form::Text, Some(2)),
            ("fail\ntimeout\n", Form::Text, None),
        ] {
            assert_eq!(status(&Reply::new(reply.into()), form), expected, "{reply}");
        }
    }

    #[test]
    fn the_daemon_is_told_where_the_file_is() {
        assert_eq!(line(None, Form::Json), Ok("plan json".into()));
        let error = line(Some(Path::new("/no/such.conf")), Form::Text).unwrap_err();
        assert!(error.starts_with("/no/such.conf: "), "{error}");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().canonicalize().unwrap().join("a b.conf");
        std::fs::write(&file, "").unwrap();
        assert_eq!(line(Some(&file), Form::Text), Ok(format!("plan file \"{}\"", file.display())));
    }
}
