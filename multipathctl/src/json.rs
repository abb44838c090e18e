//! Paths as JSON, made of the wildcards that every daemon has.
//!
//! Nothing is null: what is not known is left out. Numbers are numbers, all else is text.

use std::process::ExitCode;

use serde_json::{Map, Value};

use crate::client::{AskError, Client};
use crate::output::{self, Reply};

/// Wildcard and key. The keys are those of the maps' JSON where it has them.
const FIELDS: &[(char, &str)] = &[
    ('d', "dev"),
    ('D', "dev_t"),
    ('i', "hcil"),
    ('w', "uuid"),
    ('m', "multipath"),
    ('t', "dm_st"),
    ('T', "chk_st"),
    ('o', "dev_st"),
    ('I', "init_st"),
    ('p', "pri"),
    ('c', "checker"),
    ('C', "next_check"),
    ('M', "marginal_st"),
    ('0', "failures"),
    ('s', "vend_prod_rev"),
    ('S', "size"),
    ('z', "serial"),
    ('P', "protocol"),
    ('A', "tpg"),
    ('L', "lun_hex"),
    ('k', "max_sectors_kb"),
    ('N', "host_wwnn"),
    ('n', "target_wwnn"),
    ('R', "host_wwpn"),
    ('r', "target_wwpn"),
    ('a', "host_adapter"),
];
/// Keys whose values are numbers.
const NUMBERS: &[&str] = &["pri", "failures", "max_sectors_kb"];
/// What stands for nothing.
const NOTHING: &[&str] = &["", "[undef]", "[orphan]", "--", "#:#:#:#"];
/// Between two values: a character that no device name has in it.
const SEPARATOR: char = '\x1f';

/// Prints all paths.
pub fn paths(client: &mut Client) -> Result<ExitCode, AskError> {
    let wildcards: Vec<String> = FIELDS.iter().map(|(letter, _)| format!("%{letter}")).collect();
    let line = format!("show paths raw format \"{}\"", wildcards.join(&SEPARATOR.to_string()));
    let reply = Reply::new(client.ask(&line)?);
    Ok(if reply.failed {
        output::reply(&reply)
    } else {
        output::reply(&Reply { text: document(&reply.text), failed: false })
    })
}

fn document(table: &str) -> String {
    let paths = table.lines().filter(|line| line.contains(SEPARATOR)).map(path).collect();
    let document = Value::Object(Map::from_iter([("paths".to_string(), Value::Array(paths))]));
    format!("{document:#}\n")
}

fn path(line: &str) -> Value {
    let mut members = Map::new();
    for ((_, key), text) in FIELDS.iter().zip(line.split(SEPARATOR)) {
        let number = if NUMBERS.contains(key) { text.parse::<i64>().ok() } else { None };
        if !NOTHING.contains(&text) {
            members.insert((*key).to_string(), number.map_or_else(|| text.into(), Value::from));
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_left_out() {
        let row = "sda|8:0|#:#:#:#|3600|[orphan]|undef|undef|unknown|ok|-1|[undef]|orphan|normal|0|\
                   V,\"P\",R|8.0M||scsi:iscsi|[undef]|[undef]|512|[undef]|[undef]|[undef]|[undef]|[undef]\n";
        assert_eq!(
            document(&row.replace('|', "\x1f")),
            r#"{
  "paths": [
    {
      "dev": "sda",
      "dev_t": "8:0",
      "uuid": "3600",
      "dm_st": "undef",
      "chk_st": "undef",
      "dev_st": "unknown",
      "init_st": "ok",
      "pri": -1,
      "next_check": "orphan",
      "marginal_st": "normal",
      "failures": 0,
      "vend_prod_rev": "V,\"P\",R",
      "size": "8.0M",
      "protocol": "scsi:iscsi",
      "max_sectors_kb": 512
    }
  ]
}
"#
        );
        assert_eq!(document("ok\n"), "{\n  \"paths\": []\n}\n");
    }
}
