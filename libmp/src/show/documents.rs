//! JSON of what the reference has none of: schema 0.1 like that of its maps, and by its rules. Numbers are whole numbers,
//! everything else is text, nothing is null, true or false; what is not known, or does not exist for a device, is left out.
//!
//! | after `show` | members |
//! | --- | --- |
//! | `paths`, `path NAME` | `paths`: an object each, or `path`; a member for each wildcard, named after its column |
//! | `maps status`, `maps stats`, any `format` | `paths`, `maps`, `path` or `map`: the columns of that table |
//! | `maps`, `topology` | `maps`, as `show maps json` |
//! | `status` | `states`: `state`, `paths`; `paths`; `busy`: `yes` or `no` |
//! | `daemon` | `pid`; `state`; `pending_reconfigure`: `yes` or `no` |
//! | `devices` | `devices`: `dev`; `devnode`: `whitelisted` or `blacklisted`; `monitored`: `yes` or `no` |
//! | `wildcards` | `maps`, `paths`: `wildcard`, `name` |
//! | `config`, `config local` | `sections`: `section`, `settings` (`keyword`, `value`), and `sections` inside it |
//! | `blacklist` | `rules`: `of`; `list`: `blacklist` or `exceptions`; `from`: `default` or `file`; `rule` |

use alloc::string::String;
use alloc::vec::Vec;

use super::json::{self, Writer, document};
use super::status::STATES;
use super::view::View;
use super::wildcards::{MAP, PATH, Wildcard};
use super::{NotShown, find_map, find_path, table};
use crate::config::dump::{BlacklistRow, Section};
use crate::ctl::{MapForm, Show};

/// Columns whose values are numbers.
const NUMBERS: &[&str] = &[
    "pri",
    "failures",
    "max_sectors_kb",
    "paths",
    "path_faults",
    "switch_grp",
    "map_loads",
    "total_q_time",
    "q_timeouts",
];
/// What stands for nothing in a table.
const NOTHING: &[&str] = &["", "[undef]", "[orphan]", "--", "#:#:#:#"];

/// What `what` shows, as JSON.
pub fn show(view: &View, what: &Show) -> Result<String, NotShown> {
    let maps = |format: &str| rows("maps", MAP, format, &view.maps.iter().collect::<Vec<_>>());
    Ok(match what {
        Show::Paths { format, .. } => {
            let paths: Vec<_> = view.paths.iter().collect();
            rows("paths", PATH, &format.clone().unwrap_or_else(|| every(PATH)), &paths)
        }
        Show::Path(name) => {
            let path = find_path(view, name).ok_or(NotShown::NoDevice)?;
            one("path", |json| row(json, &table::columns(PATH, &every(PATH)), path))
        }
        Show::Maps { format: Some(format), .. } => maps(format),
        Show::MapsStatus => maps(table::MAPS_STATUS),
        Show::MapsStats => maps(table::MAPS_STATS),
        Show::Maps { format: None, .. } | Show::MapsTopology | Show::MapsJson => json::all(view),
        Show::Map { name, what } => {
            let map = find_map(view, name).ok_or(NotShown::NoDevice)?;
            match what {
                MapForm::Topology | MapForm::Json => json::one(map),
                MapForm::Format { format, .. } => {
                    one("map", |json| row(json, &table::columns(MAP, format), map))
                }
            }
        }
        Show::Status => status(view),
        Show::Daemon => document(|json| {
            json.number("pid", view.pid);
            json.text("state", view.daemon.as_str());
            json.text("pending_reconfigure", yes(view.pending_reconfigure));
        }),
        Show::Devices => document(|json| {
            json.array("devices", &view.devices, |json, device| {
                json.text("dev", device.name.as_str());
                json.text("devnode", if device.blacklisted { "blacklisted" } else { "whitelisted" });
                json.text("monitored", yes(device.monitored));
            });
        }),
        Show::Wildcards => document(|json| {
            json.array("maps", MAP, |json, wildcard| explained(json, wildcard.letter, wildcard.header));
            json.array("paths", PATH, |json, wildcard| explained(json, wildcard.letter, wildcard.header));
        }),
        Show::Json(what) => show(view, what)?,
        Show::Config | Show::ConfigLocal | Show::Blacklist => return Err(NotShown::Configuration),
    })
}

/// A configuration.
pub fn configuration(sections: &[Section]) -> String {
    document(|json| json.array("sections", sections, section))
}

/// The rules of the blacklists.
pub fn blacklist(rules: &[BlacklistRow]) -> String {
    document(|json| {
        json.array("rules", rules, |json, row| {
            json.text("of", row.of);
            json.text("list", row.list);
            json.text("from", if row.built_in { "default" } else { "file" });
            json.text("rule", &row.rule);
        });
    })
}

fn section(json: &mut Writer, of: &Section) {
    json.text("section", &of.name);
    json.array("settings", &of.settings, |json, (keyword, value)| {
        json.text("keyword", keyword);
        json.text("value", value);
    });
    if !of.sections.is_empty() {
        json.array("sections", &of.sections, section);
    }
}

fn status(view: &View) -> String {
    let count = |state| view.paths.iter().filter(|path| path.shown_state() == state).count();
    let states: Vec<_> =
        STATES.iter().map(|(state, name)| (*name, count(*state))).filter(|(_, count)| *count > 0).collect();
    document(|json| {
        json.array("states", &states, |json, (state, count)| {
            json.text("state", state);
            json.number("paths", count);
        });
        json.number("paths", view.paths.len());
        json.text("busy", yes(view.busy));
    })
}

const fn yes(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}

fn explained(json: &mut Writer, letter: char, header: &str) {
    json.text("wildcard", &alloc::format!("%{letter}"));
    json.text("name", header);
}

fn one(key: &str, members: impl FnOnce(&mut Writer)) -> String {
    document(|json| {
        json.key(key, ":");
        json.object(members);
    })
}

/// A format with every wildcard in it.
fn every<T>(wildcards: &[Wildcard<T>]) -> String {
    wildcards.iter().flat_map(|wildcard| ['%', wildcard.letter]).collect()
}

fn rows<T>(key: &str, wildcards: &'static [Wildcard<T>], format: &str, items: &[&T]) -> String {
    let columns = table::columns(wildcards, format);
    document(|json| json.array(key, items, |json, item| row(json, &columns, item)))
}

fn row<T>(json: &mut Writer, columns: &[&Wildcard<T>], item: &T) {
    for (at, column) in columns.iter().enumerate() {
        let value = column.text(item);
        // A format may name a column twice; an object can't.
        let again = columns[..at].iter().any(|earlier| earlier.letter == column.letter);
        if again || NOTHING.contains(&value.as_str()) {
            continue;
        }
        let key = key_of(column.header);
        match value.parse::<i64>() {
            Ok(number) if NUMBERS.contains(&key.as_str()) => json.number(&key, number),
            _ => json.text(&key, &value),
        }
    }
}

/// The name of a member: the column's, in small letters, with nothing in it that a language could mind.
fn key_of(header: &str) -> String {
    header.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::CheckState;
    use crate::config::dump::sections;
    use crate::config::{Config, Source};
    use crate::show::tests::{JSON_HEAD, ask, view};

    #[test]
    fn json_of_everything_else() {
        let mut view = view();
        let read = |view: &View, line: &str| -> serde_json::Value {
            let text = ask(view, line).unwrap();
            for word in ["null", "true", "false"] {
                assert!(!text.contains(word), "{word} in {text}");
            }
            assert!(text.starts_with(JSON_HEAD), "{text}");
            serde_json::from_str(&text).unwrap()
        };
        let paths = read(&view, "show paths json");
        let path = &paths["paths"][0];
        assert_eq!(
            (&path["dev"], &path["pri"], &path["uuid"]),
            (&"sda".into(), &50.into(), &"333333330000007d0".into())
        );
        assert_eq!(
            (&path["vend_prod_rev"], &path["next_check"]),
            (&"Linux,scsi_debug,0191".into(), &"XX........ 2/8".into())
        );
        assert_eq!(path["lun_hex"], "0x0000000000000000");
        assert!(
            path.get("host_wwnn").is_none() && path.get("foreign").is_none(),
            "what is unknown is left out"
        );
        assert_eq!(read(&view, "show path sdb json")["path"]["dev_t"], "8:16");
        assert_eq!(read(&view, "show paths format \"%d %m %d\" json")["paths"][1]["multipath"], "data");
        assert_eq!(read(&view, "show maps status json")["maps"][1]["queueing"], "5 chk");
        assert_eq!(read(&view, "show maps stats json")["maps"][0]["map_loads"], 1);
        assert_eq!(read(&view, "show map data format %S json")["map"]["size"], "8.0M");
        assert_eq!(ask(&view, "show topology json"), ask(&view, "show maps json"));
        view.paths[0].check_state = CheckState::Down;
        let status = read(&view, "show status json");
        assert_eq!(
            (&status["states"][0]["state"], &status["states"][1]["paths"]),
            (&"down".into(), &3.into())
        );
        assert_eq!((&status["paths"], &status["busy"]), (&4.into(), &"no".into()));
        assert_eq!(read(&view, "show daemon json")["state"], "idle");
        assert_eq!(read(&view, "show devices json")["devices"][0]["monitored"], "yes");
        assert_eq!(read(&view, "show wildcards json")["paths"][2]["wildcard"], "%d");
        assert_eq!(ask(&view, "show path nosuch json"), Err(NotShown::NoDevice));
        assert_eq!(ask(&view, "show config json"), Err(NotShown::Configuration));
    }

    #[test]
    fn json_of_a_configuration() {
        let text = "defaults {\n prio const\n prio_args \"a \"\"b\"\"\"\n}\nblacklist {\n wwid x\n wwid y\n device {\n vendor V\n }\n}\n";
        let (config, _) = Config::load(&[Source { name: "f", text }]);
        let json: serde_json::Value =
            serde_json::from_str(&configuration(&sections(&config.dump()))).unwrap();
        let named = |value: &serde_json::Value, name: &str| {
            let all = value["sections"].as_array().unwrap();
            all.iter().find(|section| section["section"] == name).unwrap().clone()
        };
        let setting = |section: &serde_json::Value, keyword: &str| -> Vec<String> {
            let all = section["settings"].as_array().unwrap();
            let values = all.iter().filter(|setting| setting["keyword"] == keyword);
            values.map(|setting| setting["value"].as_str().unwrap().into()).collect()
        };
        assert_eq!(setting(&named(&json, "defaults"), "prio_args"), ["a \"b\""]);
        let listed = named(&json, "blacklist");
        assert_eq!(setting(&listed, "wwid"), ["x", "y"]);
        assert!(
            listed["sections"].as_array().unwrap().iter().any(|device| setting(device, "vendor") == ["V"])
        );
        assert!(named(&json, "devices")["sections"].as_array().unwrap().len() > 100);
        let rules: serde_json::Value = serde_json::from_str(&blacklist(&config.blacklist_rows())).unwrap();
        let from_file: Vec<_> =
            rules["rules"].as_array().unwrap().iter().filter(|rule| rule["from"] == "file").collect();
        assert_eq!((from_file.len(), &from_file[0]["rule"]), (3, &"x".into()));
    }
}
