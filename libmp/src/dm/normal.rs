//! The parts of a table as the kernel understands them, for comparison.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::table::{QUEUE_IF_NO_PATH, QUEUE_MODE, Table, TableGroup, TablePath};
use crate::types::DevT;

/// A group without what makes no difference; equal where the kernel would act alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    paths: Vec<(DevT, Vec<String>)>,
    selector: String,
    args: Vec<String>,
}

impl Group {
    /// Its paths, sorted.
    pub(super) fn members(&self) -> Vec<DevT> {
        self.paths.iter().map(|(devt, _)| *devt).collect()
    }
}

/// The groups in their order, each with its paths sorted.
pub(super) fn groups(table: &Table) -> Vec<Group> {
    table.groups.iter().map(group).collect()
}

fn group(group: &TableGroup) -> Group {
    let name = group.selector.name.as_str();
    let mut paths: Vec<_> = group.paths.iter().map(|path| (path.devt, path_args(name, path))).collect();
    paths.sort();
    Group { paths, selector: name.into(), args: selector_args(name, &group.selector.args) }
}

/// dm-ps-historical-service-time.c prints both of its arguments, given or not.
fn selector_args(name: &str, args: &[String]) -> Vec<String> {
    if name != "historical-service-time" {
        return args.to_vec();
    }
    let or = |at: usize, default: &str| args.get(at).map_or(default, String::as_str).to_string();
    alloc::vec![or(0, "972"), or(1, "0")]
}

/// Repeat counts are 1 since Linux 4.6, whatever is given; what is left is a weight or a CPU mask.
fn path_args(name: &str, path: &TablePath) -> Vec<String> {
    let arg = |at: usize, default: &str| path.args.get(at).map_or(default, String::as_str).to_string();
    match name {
        "service-time" => alloc::vec![arg(1, "1")],
        "queue-length" | "round-robin" | "historical-service-time" => Vec::new(),
        "io-affinity" => {
            alloc::vec![arg(0, "").trim_start_matches(['0', ',']).to_ascii_lowercase()]
        }
        _ => path.args.clone(),
    }
}

/// Name of the handler, where it counts.
pub(super) fn handler(table: &Table) -> Option<&str> {
    if table.is_bio_based() { None } else { table.handler.first().map(String::as_str) }
}

/// Features but `queue_if_no_path`, without those at their defaults, sorted.
pub(super) fn features(words: &[String]) -> Vec<(String, String)> {
    let mut features = Vec::new();
    let mut words = words.iter().map(|word| word.to_ascii_lowercase());
    while let Some(name) = words.next() {
        let value = match name.as_str() {
            "pg_init_retries" | "pg_init_delay_msecs" | QUEUE_MODE => words.next().unwrap_or_default(),
            _ => String::new(),
        };
        let default = match name.as_str() {
            QUEUE_IF_NO_PATH | "retain_attached_hw_handler" => true,
            "pg_init_retries" => value == "0",
            QUEUE_MODE => value == "rq" || value == "mq",
            _ => false,
        };
        if !default {
            features.push((name, value));
        }
    }
    features.sort();
    features
}
