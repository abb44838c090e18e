//! `plan`: what a reconfigure would change.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::json;
use crate::ctl::{Form, NO_CHANGE};
use crate::types::{MapName, Wwid};

/// What would become of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It would be made.
    Create {
        /// With this table.
        table: String,
        /// And these paths.
        paths: Vec<String>,
    },
    /// It would get another name.
    Rename {
        /// Which.
        to: MapName,
    },
    /// It would get another table.
    Reload {
        /// What it has.
        old: String,
        /// What it would have.
        new: String,
        /// What differs.
        why: &'static str,
    },
    /// It would be removed.
    Remove {
        /// Why.
        why: &'static str,
    },
    /// It would be told something, its table would stay.
    Tell {
        /// Messages of device-mapper.
        messages: Vec<String>,
    },
}

/// A map, and what would become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapChange {
    /// The name it has; of a new one the name it would have.
    pub name: MapName,
    /// Its WWID.
    pub wwid: Wwid,
    /// What would become of it.
    pub change: Change,
}

/// A path that would be in another map, or in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathChange {
    /// Kernel name.
    pub path: String,
    /// The map it is in.
    pub from: Option<MapName>,
    /// The map it would be in.
    pub to: Option<MapName>,
    /// Why it would be in none.
    pub why: String,
}

/// A setting that would have another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// The keyword.
    pub keyword: &'static str,
    /// Its value now; empty where nothing sets it.
    pub was: String,
    /// Its value then.
    pub is: String,
    /// For which maps.
    pub maps: Vec<MapName>,
}

/// Everything that would change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Of maps.
    pub maps: Vec<MapChange>,
    /// Of paths.
    pub paths: Vec<PathChange>,
    /// Of settings.
    pub settings: Vec<SettingChange>,
    /// What else is to be said.
    pub remarks: Vec<String>,
}

impl Change {
    const fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Rename { .. } => "rename",
            Self::Reload { .. } => "reload",
            Self::Remove { .. } => "remove",
            Self::Tell { .. } => "tell",
        }
    }
}

impl PathChange {
    const fn verb(&self) -> &'static str {
        match (&self.from, &self.to) {
            (_, None) => "release",
            (None, Some(_)) => "claim",
            (Some(_), Some(_)) => "move",
        }
    }
}

impl Plan {
    /// Puts it in the order in which it is shown.
    pub fn sort(&mut self) {
        // Each map's operations stay in their order.
        self.maps.sort_by(|a, b| a.name.cmp(&b.name));
        self.paths.sort_by(|a, b| a.path.len().cmp(&b.path.len()).then_with(|| a.path.cmp(&b.path)));
        self.remarks.sort();
        self.remarks.dedup();
    }

    /// How many things would change.
    pub fn changes(&self) -> usize {
        self.maps.len() + self.paths.len() + self.settings.len()
    }

    /// As text, or as JSON.
    pub fn render(&self, form: Form) -> String {
        match form {
            Form::Text => self.text(),
            Form::Json => self.json(),
        }
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        for MapChange { name, wwid, change } in &self.maps {
            let head = format!("{:<7} {name} ({wwid})", change.verb());
            match change {
                Change::Create { table, paths } => {
                    lines.push(format!("{head} of {}", paths.join(" ")));
                    lines.push(format!("        + {table}"));
                }
                Change::Rename { to } => lines.push(format!("{head} to {to}")),
                Change::Reload { old, new, why } => {
                    lines.push(format!("{head}: {why}"));
                    lines.push(format!("        - {old}"));
                    lines.push(format!("        + {new}"));
                }
                Change::Remove { why } => lines.push(format!("{head}: {why}")),
                Change::Tell { messages } => lines.push(format!("{head}: {}", messages.join(", "))),
            }
        }
        for change in &self.paths {
            let what = match (&change.from, &change.to) {
                (Some(from), None) => format!("from {from}: {}", change.why),
                (None, None) => change.why.clone(),
                (None, Some(to)) => format!("for {to}"),
                (Some(from), Some(to)) => format!("from {from} to {to}"),
            };
            lines.push(format!("{:<7} {} {what}", change.verb(), change.path));
        }
        for SettingChange { keyword, was, is, maps } in &self.settings {
            let shown = |value: &str| if value.is_empty() { "(not set)" } else { value }.to_string();
            let names: Vec<&str> = maps.iter().map(MapName::as_str).collect();
            lines.push(format!("set     {keyword} {} -> {}: {}", shown(was), shown(is), names.join(" ")));
        }
        if self.changes() == 0 {
            lines.push(NO_CHANGE.trim_end().to_string());
        }
        lines.extend(self.remarks.iter().map(|remark| format!("note    {remark}")));
        lines.join("\n") + "\n"
    }

    fn json(&self) -> String {
        json::object(|json| {
            json.number("changes", self.changes());
            json.array("maps", &self.maps, |json, map| {
                json.text("change", map.change.verb());
                json.text("name", map.name.as_str());
                json.text("uuid", map.wwid.as_str());
                match &map.change {
                    Change::Create { table, .. } => json.text("table", table),
                    Change::Rename { to } => json.text("to", to.as_str()),
                    Change::Reload { old, new, why } => {
                        json.text("old_table", old);
                        json.text("table", new);
                        json.text("why", why);
                    }
                    Change::Remove { why } => json.text("why", why),
                    Change::Tell { messages } => json.text("messages", &messages.join(", ")),
                }
            });
            json.array("paths", &self.paths, |json, path| {
                json.text("change", path.verb());
                json.text("dev", &path.path);
                json.text("from", path.from.as_ref().map_or("", MapName::as_str));
                json.text("to", path.to.as_ref().map_or("", MapName::as_str));
                json.text("why", &path.why);
            });
            json.array("settings", &self.settings, |json, setting| {
                json.text("keyword", setting.keyword);
                json.text("old_value", &setting.was);
                json.text("value", &setting.is);
                json.array("maps", &setting.maps, |json, map| json.text("name", map.as_str()));
            });
            json.array("notes", &self.remarks, |json, remark| json.text("text", remark));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let map = |name: &str, change| MapChange { name: name.into(), wwid: "w".into(), change };
        let reload =
            Change::Reload { old: "0 0 1 1 a".into(), new: "0 0 1 1 b".into(), why: "path selector changed" };
        let created =
            Change::Create { table: "0 0 1 1 c".into(), paths: ["sdb".into(), "sdc".into()].into() };
        Plan {
            maps: [
                map("mpathb", reload),
                map("data", created),
                map("mpatha", Change::Rename { to: "x".into() }),
            ]
            .into(),
            paths: [
                PathChange { path: "sdc".into(), from: None, to: Some("data".into()), why: String::new() },
                PathChange { path: "sda".into(), from: Some("m".into()), to: None, why: "it is gone".into() },
            ]
            .into(),
            settings: [SettingChange {
                keyword: "failback",
                was: "manual".into(),
                is: "10".into(),
                maps: ["mpathb".into()].into(),
            }]
            .into(),
            remarks: ["x: its name is taken".into()].into(),
        }
    }

    #[test]
    fn as_people_read_it() {
        let mut plan = plan();
        plan.sort();
        let text = "\
create  data (w) of sdb sdc
        + 0 0 1 1 c
rename  mpatha (w) to x
reload  mpathb (w): path selector changed
        - 0 0 1 1 a
        + 0 0 1 1 b
release sda from m: it is gone
claim   sdc for data
set     failback manual -> 10: mpathb
note    x: its name is taken
";
        assert_eq!(plan.render(Form::Text), text);
        assert_eq!(Plan::default().render(Form::Text), NO_CHANGE);
    }

    #[test]
    fn as_programs_read_it() {
        let json: serde_json::Value = serde_json::from_str(&plan().render(Form::Json)).unwrap();
        assert_eq!(json["changes"], 6);
        assert_eq!(json["maps"][0]["old_table"], "0 0 1 1 a");
        assert_eq!(json["paths"][1]["change"], "release");
        assert_eq!(json["settings"][0]["maps"][0]["name"], "mpathb");
    }
}
