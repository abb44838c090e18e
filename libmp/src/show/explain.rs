//! `explain`: is a device multipathed, why or why not, and where each of its settings comes from.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::json;
use crate::config::provenance::Traced;
use crate::ctl::Form;

/// Is it multipathed?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Not known yet.
    Undecided,
}

impl Answer {
    const fn words(self) -> &'static str {
        match self {
            Self::Yes => "is multipathed",
            Self::No => "is not multipathed",
            Self::Undecided => "is not decided upon yet",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Undecided => "undecided",
        }
    }
}

/// One thing that was asked on the way to the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `devnode`, `wwid`, `find_multipaths`, ….
    pub what: &'static str,
    /// What came of it.
    pub result: String,
}

/// A setting that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The keyword.
    pub keyword: &'static str,
    /// Its value; empty where nothing sets it.
    pub value: String,
    /// Where that comes from.
    pub from: String,
    /// What it overrides, strongest first.
    pub overrides: Vec<Traced>,
}

/// All there is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// `sda (8:0)`, `data (dm-0)`.
    pub device: String,
    /// Is it multipathed?
    pub answer: Answer,
    /// The rule, or the fact, that decided.
    pub because: String,
    /// What was asked, in order, up to what decided.
    pub steps: Vec<Step>,
    /// How it fares, or its paths, if it is a map.
    pub paths: Vec<Step>,
    /// What is in force for it; none where it is not known who it is.
    pub settings: Vec<Setting>,
}

impl Explanation {
    /// As text, or as JSON.
    pub fn render(&self, form: Form) -> String {
        match form {
            Form::Text => self.text(),
            Form::Json => self.json(),
        }
    }

    fn text(&self) -> String {
        let mut lines: Vec<String> =
            [format!("{} {}: {}", self.device, self.answer.words(), self.because)].into();
        let rows = |rows: &[Step]| -> Vec<[String; 2]> {
            rows.iter().map(|row| [row.what.into(), row.result.clone()]).collect()
        };
        section("state", &rows(&self.paths), &mut lines);
        section("asked, in this order", &rows(&self.steps), &mut lines);
        let mut settings = Vec::new();
        for setting in &self.settings {
            let value = if setting.value.is_empty() { "(not set)" } else { &setting.value };
            settings.push([setting.keyword.into(), value.into(), setting.from.clone()]);
            // That a default is overridden is what defaults are for.
            for weaker in setting.overrides.iter().filter(|weaker| weaker.from != "default") {
                let keyword = if weaker.keyword == setting.keyword {
                    String::new()
                } else {
                    weaker.keyword.to_string() + " "
                };
                settings.push([
                    String::new(),
                    String::new(),
                    format!("overrides {keyword}{} ({})", weaker.value, weaker.from),
                ]);
            }
        }
        section("settings, and where they come from", &settings, &mut lines);
        lines.join("\n") + "\n"
    }

    fn json(&self) -> String {
        json::object(|json| {
            json.text("device", &self.device);
            json.text("multipathed", self.answer.key());
            json.text("because", &self.because);
            let step = |json: &mut json::Writer, step: &Step| {
                json.text("what", step.what);
                json.text("result", &step.result);
            };
            json.array("paths", &self.paths, step);
            json.array("asked", &self.steps, step);
            json.array("settings", &self.settings, |json, setting| {
                json.text("keyword", setting.keyword);
                json.text("value", &setting.value);
                json.text("from", &setting.from);
                json.array("overrides", &setting.overrides, |json, weaker| {
                    json.text("keyword", weaker.keyword);
                    json.text("value", &weaker.value);
                    json.text("from", &weaker.from);
                });
            });
        })
    }
}

/// A heading, and rows.
fn section<const N: usize>(title: &str, rows: &[[String; N]], lines: &mut Vec<String>) {
    if rows.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(format!("{title}:"));
    lines.extend(aligned(rows).map(|row| format!("  {row}")));
}

/// Rows whose columns are as wide as their widest cell. A very long cell pushes the others of its row only.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> impl Iterator<Item = String> {
    const WIDEST: usize = 40;
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    rows.iter().map(move |row| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation() -> Explanation {
        let traced = |value: &str, from: &str| Traced {
            keyword: "path_checker",
            value: value.into(),
            from: from.into(),
        };
        Explanation {
            device: "sda (8:0)".into(),
            answer: Answer::No,
            because: "blacklisted by wwid \"^3\" (/etc/multipath.conf:12)".into(),
            steps: [
                Step { what: "devnode", result: "sda: no rule".into() },
                Step { what: "wwid", result: "3600: excluded by \"^3\" (/etc/multipath.conf:12)".into() },
            ]
            .into(),
            paths: Vec::new(),
            settings: [
                Setting {
                    keyword: "path_checker",
                    value: "tur".into(),
                    from: "detected: ALUA".into(),
                    overrides: [traced("directio", "/etc/multipath.conf:4"), traced("tur", "default")].into(),
                },
                Setting {
                    keyword: "alias",
                    value: String::new(),
                    from: "default".into(),
                    overrides: Vec::new(),
                },
            ]
            .into(),
        }
    }

    #[test]
    fn as_people_read_it() {
        let text = "\
sda (8:0) is not multipathed: blacklisted by wwid \"^3\" (/etc/multipath.conf:12)

asked, in this order:
  devnode  sda: no rule
  wwid     3600: excluded by \"^3\" (/etc/multipath.conf:12)

settings, and where they come from:
  path_checker  tur        detected: ALUA
                           overrides directio (/etc/multipath.conf:4)
  alias         (not set)  default
";
        assert_eq!(explanation().render(Form::Text), text);
    }

    #[test]
    fn as_programs_read_it() {
        let json: serde_json::Value = serde_json::from_str(&explanation().render(Form::Json)).unwrap();
        assert_eq!(json["multipathed"], "no");
        assert_eq!(json["asked"][1]["what"], "wwid");
        assert_eq!(json["settings"][0]["overrides"][1]["from"], "default");
        assert_eq!(json["settings"][1]["value"], "");
    }
}
