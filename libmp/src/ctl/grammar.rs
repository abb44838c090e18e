//! One line of the control language → a [`Command`], or the reply that says what was wrong.
//!
//! A line is words separated by blanks; `"…"` makes one word of several (`""` inside is a quote).
//! A keyword may be shortened to any prefix that no other keyword has. `path`, `map`, `group`,
//! `format`, `key` and `pathlist` take the word after them as their argument, whatever it is.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::help::help;
use super::keywords::{Word, keyword};
use super::{Book, Command, FAIL, Form, MapForm, Show};

/// Why a line is not a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrammarError {
    /// The last word is no keyword. Holds the line as it came.
    #[error("the last word is not a keyword, or not a whole one: {0:?}")]
    NotFound(String),
    /// Keywords, and together no command; or an argument is missing. Holds the line as it came.
    #[error("not a whole command: {0:?}")]
    MissingArgument(String),
    /// A word before the last is no keyword, or an argument can't be what it should be.
    #[error("malformed")]
    Malformed,
}

impl GrammarError {
    /// The reply, as it goes over the wire. The client cuts the first line and prints the rest,
    /// if there is any.
    pub fn reply(&self) -> String {
        let head = match self {
            Self::NotFound(line) => format!("{line}: not found"),
            Self::MissingArgument(line) => format!("{line}: Missing argument"),
            Self::Malformed => return FAIL.to_string(),
        };
        format!("{FAIL}{head}\n{}", help())
    }
}

/// Reads one line, as it came over the wire (a newline at its end is kept for the echo in errors).
pub fn parse(line: &str) -> Result<Command, GrammarError> {
    let words = split(line);
    let mut items: Vec<(Word, &str)> = Vec::new();
    let mut rest = words.iter().map(String::as_str);
    while let Some(text) = rest.next() {
        let Some(word) = keyword(text) else {
            return Err(match rest.next() {
                None => GrammarError::NotFound(line.to_owned()),
                Some(_) => GrammarError::Malformed,
            });
        };
        let argument = if word.takes_argument() {
            rest.next().ok_or_else(|| GrammarError::MissingArgument(line.to_owned()))?
        } else {
            ""
        };
        items.push((word, argument));
    }
    match items.as_slice() {
        [(Word::Show, _), (Word::Replies, _), form @ ..] => {
            form_of(form).map(|form| Command::Book(Book::Replies(form)))
        }
        [(Word::Show, _), what @ ..] => show(what).map(Command::Show),
        [(Word::Switch, _), (Word::Map, map), (Word::Group, group)] => {
            let group = group.parse().map_err(|_| GrammarError::Malformed)?;
            Some(Command::SwitchGroup { map: (*map).to_owned(), group })
        }
        items => verb(items),
    }
    .ok_or_else(|| GrammarError::MissingArgument(line.to_owned()))
}

/// What a line asks for, without what it asks it of: its keywords by their usual names. `None` if it is no command. There are
/// only so many, whatever clients say.
pub fn gist(line: &str) -> Option<String> {
    parse(line).ok()?;
    let words = split(line);
    let mut rest = words.iter();
    let mut names = Vec::new();
    while let Some(word) = rest.next() {
        let word = keyword(word)?;
        if word.takes_argument() {
            rest.next();
        }
        names.push(word.name());
    }
    Some(names.join(" "))
}

/// What follows `show`.
fn show(what: &[(Word, &str)]) -> Option<Show> {
    let format = |text: &str| Some(text.to_owned());
    let form = |text: &str, raw| MapForm::Format { format: text.to_owned(), raw };
    let map = |name: &str, what| Show::Map { name: name.to_owned(), what };
    Some(match *what {
        [(Word::Paths, _)] => Show::Paths { format: None, raw: false },
        [(Word::Paths, _), (Word::Format, text)] => Show::Paths { format: format(text), raw: false },
        [(Word::Paths, _), (Word::Raw, _), (Word::Format, text)] => {
            Show::Paths { format: format(text), raw: true }
        }
        [(Word::Path, name)] => Show::Path(name.to_owned()),
        [(Word::Maps, _)] => Show::Maps { format: None, raw: false },
        [(Word::Maps, _), (Word::Format, text)] => Show::Maps { format: format(text), raw: false },
        [(Word::Maps, _), (Word::Raw, _), (Word::Format, text)] => {
            Show::Maps { format: format(text), raw: true }
        }
        [(Word::Maps, _), (Word::Status, _)] => Show::MapsStatus,
        [(Word::Maps, _), (Word::Stats, _)] => Show::MapsStats,
        [(Word::Maps, _), (Word::Topology, _)] | [(Word::Topology, _)] => Show::MapsTopology,
        [(Word::Maps, _), (Word::Json, _)] => Show::MapsJson,
        [(Word::Map, name), (Word::Topology, _)] => map(name, MapForm::Topology),
        [(Word::Map, name), (Word::Json, _)] => map(name, MapForm::Json),
        [(Word::Map, name), (Word::Format, text)] => map(name, form(text, false)),
        [(Word::Map, name), (Word::Raw, _), (Word::Format, text)] => map(name, form(text, true)),
        [(Word::Status, _)] => Show::Status,
        [(Word::Daemon, _)] => Show::Daemon,
        [(Word::Config, _)] => Show::Config,
        [(Word::Config, _), (Word::Local, _)] => Show::ConfigLocal,
        [(Word::Blacklist, _)] => Show::Blacklist,
        [(Word::Devices, _)] => Show::Devices,
        [(Word::Wildcards, _)] => Show::Wildcards,
        [ref text @ .., (Word::Json, _)] => match show(text)? {
            Show::Json(_) | Show::MapsJson | Show::Map { what: MapForm::Json, .. } => return None,
            text => Show::Json(Box::new(text)),
        },
        _ => return None,
    })
}

/// Every other command.
fn verb(items: &[(Word, &str)]) -> Option<Command> {
    Some(match *items {
        [(Word::Explain, device), ref form @ ..] => {
            Command::Explain { device: device.to_owned(), form: form_of(form)? }
        }
        [(Word::Plan, _), (Word::File, file), ref form @ ..] => {
            Command::Plan { file: Some(file.to_owned()), form: form_of(form)? }
        }
        [(Word::Events, _)] => Command::Book(Book::Events),
        [(Word::Events, _), (Word::Follow, _)] => Command::Book(Book::EventsToCome),
        [(Word::Plan, _), ref form @ ..] => Command::Plan { file: None, form: form_of(form)? },
        [(verb, _), (Word::Path, name)] => on_path(verb)?(name.to_owned()),
        [(verb, _), (Word::Map, name)] => on_map(verb, name.to_owned())?,
        [(Word::Del, _), (Word::Maps, _)] => Command::DelMaps,
        [(Word::Add, _), (Word::Wwid, wwid)] => Command::AddWwid(wwid.into()),
        [(Word::Del, _), (Word::Wwid, wwid)] => Command::DelWwid(wwid.into()),
        [(Word::Reset, _), (Word::Wwids, _)] => Command::ResetWwids,
        [(Word::Reset, _), (Word::Map, name), (Word::Stats, _)] => Command::ResetStats(Some(name.to_owned())),
        [(Word::Reset, _), (Word::Maps, _), (Word::Stats, _)] => Command::ResetStats(None),
        [(Word::DisableQueueing, _), (Word::Maps, _)] => Command::DisableQueueing(None),
        [(Word::RestoreQueueing, _), (Word::Maps, _)] => Command::RestoreQueueing(None),
        [(Word::ForceQueueing, _), (Word::Daemon, _)] => Command::ForceQueueingDaemon,
        [(Word::RestoreQueueing, _), (Word::Daemon, _)] => Command::RestoreQueueingDaemon,
        [(Word::SetPrStatus, _), (Word::Map, map), (Word::PathList, paths)] => {
            Command::SetPrStatus { map: map.to_owned(), paths: Some(paths.to_owned()) }
        }
        [(Word::SetPrKey, _), (Word::Map, map), (Word::Key, key)] => {
            Command::SetPrKey { map: map.to_owned(), key: key.to_owned() }
        }
        [(Word::Reconfigure, _)] => Command::Reconfigure { all: false },
        [(Word::Reconfigure, _), (Word::All, _)] => Command::Reconfigure { all: true },
        [(Word::Quit, _)] => Command::Quit,
        [(Word::Shutdown, _)] => Command::Shutdown,
        _ => return None,
    })
}

/// Nothing, or `json`.
const fn form_of(rest: &[(Word, &str)]) -> Option<Form> {
    match rest {
        [] => Some(Form::Text),
        [(Word::Json, _)] => Some(Form::Json),
        _ => None,
    }
}

/// `VERB path NAME`.
const fn on_path(verb: Word) -> Option<fn(String) -> Command> {
    Some(match verb {
        Word::Add => Command::AddPath,
        Word::Del => Command::DelPath,
        Word::Fail => Command::FailPath,
        Word::Reinstate => Command::ReinstatePath,
        Word::SetMarginal => Command::SetMarginal,
        Word::UnsetMarginal => Command::UnsetMarginal,
        _ => return None,
    })
}

/// `VERB map NAME`.
fn on_map(verb: Word, name: String) -> Option<Command> {
    Some(match verb {
        Word::Add => Command::AddMap(name),
        Word::Del => Command::DelMap(name),
        Word::Suspend => Command::Suspend(name),
        Word::Resume => Command::Resume(name),
        Word::Resize => Command::Resize(name),
        Word::Reload => Command::Reload(name),
        Word::Reset => Command::Reset(name),
        Word::DisableQueueing => Command::DisableQueueing(Some(name)),
        Word::RestoreQueueing => Command::RestoreQueueing(Some(name)),
        Word::GetPrStatus => Command::GetPrStatus(name),
        Word::SetPrStatus => Command::SetPrStatus { map: name, paths: None },
        Word::UnsetPrStatus => Command::UnsetPrStatus(name),
        Word::GetPrKey => Command::GetPrKey(name),
        Word::UnsetPrKey => Command::UnsetPrKey(name),
        Word::GetPrHold => Command::GetPrHold(name),
        Word::SetPrHold => Command::SetPrHold(name),
        Word::UnsetPrHold => Command::UnsetPrHold(name),
        Word::UnsetMarginal => Command::UnsetMarginalMap(name),
        _ => return None,
    })
}

/// Words of a line. A quote that is never closed ends with the line.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = line.trim_end_matches(['\n', '\r', '\0']).chars().peekable();
    loop {
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        let Some(&first) = chars.peek() else { return words };
        let mut word = String::new();
        if first == '"' {
            chars.next();
            while let Some(c) = chars.next() {
                if c == '"' && chars.next_if_eq(&'"').is_none() {
                    break;
                }
                word.push(c);
            }
        } else {
            while let Some(c) = chars.next_if(|c| !c.is_ascii_whitespace() && *c != '"') {
                word.push(c);
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::help::USAGE;

    fn paths(format: &str, raw: bool) -> Command {
        Command::Show(Show::Paths { format: Some(format.into()), raw })
    }
    fn maps(format: &str, raw: bool) -> Command {
        Command::Show(Show::Maps { format: Some(format.into()), raw })
    }

    #[test]
    fn every_line_of_the_help_is_a_command() {
        for usage in USAGE {
            for pick in [0, 1] {
                let line: Vec<&str> = usage
                    .split(' ')
                    .map(|word| match word {
                        "$group" => "2",
                        word => word.split('|').nth(pick).or(word.split('|').next()).unwrap(),
                    })
                    .collect();
                let command = parse(&line.join(" ")).unwrap_or_else(|e| panic!("{line:?}: {e}"));
                let shows = usage.starts_with("list|show");
                assert_eq!(command.needs_root(), !shows, "{usage}");
            }
        }
    }

    #[test]
    fn lines_that_clients_send() {
        let map = |name: &str, what| Command::Show(Show::Map { name: name.into(), what });
        for (line, command) in [
            ("show paths \n", Command::Show(Show::Paths { format: None, raw: false })),
            ("  list\tpaths", Command::Show(Show::Paths { format: None, raw: false })),
            ("show conf", Command::Show(Show::Config)),
            ("show topo", Command::Show(Show::MapsTopology)),
            ("show multipaths json \n", Command::Show(Show::MapsJson)),
            ("show paths raw format %d,%z,%m \n", paths("%d,%z,%m", true)),
            ("show paths format \"%w %d\" \n", paths("%w %d", false)),
            ("show maps raw format \" %w,%d \" \n", maps(" %w,%d ", true)),
            ("show maps raw format \"name='%n' multipath='%w'\" \n", maps("name='%n' multipath='%w'", true)),
            ("show maps format \"say \"\"%n\"\"\"", maps("say \"%n\"", false)),
            ("show maps format \"%n never closed\n", maps("%n never closed", false)),
            ("show maps format \"\"", maps("", false)),
            ("show map data raw form %n", map("data", MapForm::Format { format: "%n".into(), raw: true })),
            ("reconfig", Command::Reconfigure { all: false }),
            ("reconfigure all \n", Command::Reconfigure { all: true }),
            ("resize map /dev/dm-3 \n", Command::Resize("/dev/dm-3".into())),
            ("remove path sda", Command::DelPath("sda".into())),
            ("del multipath paths", Command::DelMap("paths".into())),
            ("switch map a group 2", Command::SwitchGroup { map: "a".into(), group: 2 }),
            ("exit", Command::Quit),
            (
                "setprstatus map a pathlist \"sda 8:16\"",
                Command::SetPrStatus { map: "a".into(), paths: Some("sda 8:16".into()) },
            ),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn lines_that_are_no_commands() {
        let not_found = |line: &str| GrammarError::NotFound(line.into());
        let missing = |line: &str| GrammarError::MissingArgument(line.into());
        for (line, error) in [
            ("help \n", not_found("help \n")),
            ("?", not_found("?")),
            ("show bogus", not_found("show bogus")),
            ("bogus command", GrammarError::Malformed),
            ("show \n", missing("show \n")),
            ("", missing("")),
            ("show path", missing("show path")),
            ("show map data", missing("show map data")),
            ("status show", missing("status show")),
            ("show paths raw", missing("show paths raw")),
            ("re", not_found("re")),
            ("show ma", not_found("show ma")),
            ("del path sda sdb", not_found("del path sda sdb")),
            ("del path sda sdb sdc", GrammarError::Malformed),
            ("switch map a group two", GrammarError::Malformed),
            ("switch map a group -1", GrammarError::Malformed),
        ] {
            assert_eq!(parse(line), Err(error), "{line}");
        }
    }

    #[test]
    fn replies_to_them_are_the_reference_s() {
        assert_eq!(parse("bogus command \n").unwrap_err().reply(), "fail\n");
        let reply = parse("help \n").unwrap_err().reply();
        assert!(
            reply.starts_with(
                "fail\nhelp \n: not found\nmultipath-tools v0.15.0 (07/13, 2026)\n\
                 CLI commands reference:\n list|show paths\n list|show paths format $format\n"
            ),
            "{reply}"
        );
        assert!(
            reply.ends_with("\n setprhold map|multipath $map\n unsetprhold map|multipath $map\n"),
            "{reply}"
        );
        let reply = parse("show \n").unwrap_err().reply();
        assert!(reply.starts_with("fail\nshow \n: Missing argument\nmultipath-tools v"), "{reply}");
        // Size of the reference's output for `help`, less the lines around it.
        assert_eq!(help().len(), 1_858 - "$ multipathd help\nhelp \n: not found\n[exit 1]\n".len());
    }

    #[test]
    fn keywords_of_ours_are_taken_whole_and_leave_the_others_alone() {
        let plan = |file: Option<&str>, form| Command::Plan { file: file.map(Into::into), form };
        let explain = |form| Command::Explain { device: "sda".into(), form };
        for (line, command, root) in [
            ("explain sda", explain(Form::Text), false),
            ("explain sda json", explain(Form::Json), false),
            ("plan", plan(None, Form::Text), true),
            ("plan file \"/a b\" json \n", plan(Some("/a b"), Form::Json), true),
            ("show replies", Command::Book(Book::Replies(Form::Text)), false),
            ("list replies json \n", Command::Book(Book::Replies(Form::Json)), false),
            ("events", Command::Book(Book::Events), true),
            ("ex", Command::Quit, true),
        ] {
            let parsed = parse(line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
            assert_eq!((parsed.needs_root(), parsed), (root, command));
        }
        let json = |what| Command::Show(Show::Json(Box::new(what)));
        for (line, command) in [
            ("show paths json", json(Show::Paths { format: None, raw: false })),
            (
                "show paths format \"%d %m\" json",
                json(Show::Paths { format: Some("%d %m".into()), raw: false }),
            ),
            ("list status json", json(Show::Status)),
            ("show topo js", json(Show::MapsTopology)),
            ("show config local json \n", json(Show::ConfigLocal)),
            ("show maps json", Command::Show(Show::MapsJson)),
            ("events", Command::Book(Book::Events)),
            ("events follow \n", Command::Book(Book::EventsToCome)),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
        for line in [
            "show json",
            "show maps json json",
            "show paths json json",
            "events json",
            "event",
            "follow",
            "show replie",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        for line in ["expl sda", "explain", "explain sda raw", "pla", "plan file", "file x"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_gist_of_a_line_has_no_names_in_it() {
        for (line, expected) in [
            ("list  multipaths form \"%n map\" js\n", Some("show maps format json")),
            ("remove multipath paths", Some("del map")),
            ("switchgroup map a group 2", Some("switch map group")),
            ("explain show json", Some("explain json")),
            ("exit", Some("quit")),
            ("show path", None),
            ("bogus", None),
        ] {
            assert_eq!(gist(line).as_deref(), expected, "{line}");
        }
    }
}
