//! What sysfs tells of the kernel's own NVMe multipathing. Attributes only: no I/O on a device.
//!
//! ```text
//! /sys/class/nvme-subsystem/nvme-subsys0/nvme0n1/…    a namespace
//!                                       /nvme0 →      a controller
//!                                       /nvme0/nvme0c0n1/…   the namespace through it
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use libmp::native::{Namespace, NamespacePath};
use libmp::types::PathName;

const SUBSYSTEMS: &str = "/sys/class/nvme-subsystem";

/// All namespaces that the kernel puts together by itself.
pub fn namespaces() -> Vec<Namespace> {
    entries(Path::new(SUBSYSTEMS)).iter().flat_map(|(_, subsystem)| namespaces_of(subsystem)).collect()
}

fn namespaces_of(subsystem: &Path) -> Vec<Namespace> {
    let within = entries(subsystem);
    let controllers: Vec<&PathBuf> =
        within.iter().filter(|(name, _)| numbers(name) == Some((1, None))).map(|(_, dir)| dir).collect();
    let heads = within.iter().filter(|(name, _)| matches!(numbers(name), Some((2, Some(_)))));
    heads
        .map(|(name, dir)| Namespace {
            name: PathName::new(name.as_str()),
            wwid: text(dir, "wwid"),
            nsid: number(dir, "nsid"),
            sectors: number(dir, "size"),
            read_only: attribute(dir, "ro").map(|ro| ro != "0"),
            nqn: text(subsystem, "subsysnqn"),
            model: text(subsystem, "model"),
            firmware: text(subsystem, "firmware_rev"),
            paths: controllers.iter().filter_map(|controller| path_of(controller, name)).collect(),
        })
        .collect()
}

/// A namespace's path through a controller.
fn path_of(controller: &Path, head: &str) -> Option<NamespacePath> {
    let space = numbers(head)?.1;
    let (name, dir) =
        entries(controller).into_iter().find(|(name, _)| numbers(name).is_some_and(|of| of == (3, space)))?;
    Some(NamespacePath {
        name: PathName::new(name),
        wwid: text(&dir, "wwid"),
        devt: text(&dir, "dev").parse().unwrap_or_default(),
        sectors: number(&dir, "size"),
        access: attribute(&dir, "ana_state"),
        state: attribute(controller, "state"),
        transport: text(controller, "transport"),
        address: text(controller, "address"),
        model: text(controller, "model"),
        firmware: text(controller, "firmware_rev"),
        serial: text(controller, "serial"),
    })
}

/// How many numbers a name of NVMe has (`nvme0`, `nvme0n1`, `nvme0c0n1`), and that of its namespace.
fn numbers(name: &str) -> Option<(usize, Option<u32>)> {
    let rest = name.strip_prefix("nvme")?;
    let (head, space) = match rest.split_once('n') {
        Some((head, space)) => (head, Some(space.parse().ok()?)),
        None => (rest, None),
    };
    let count = head.split('c').map(str::parse::<u32>).collect::<Result<Vec<_>, _>>().ok()?.len();
    Some((count + usize::from(space.is_some()), space))
}

/// What is in a directory, in the order of names.
fn entries(dir: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut all: Vec<_> = entries
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect();
    all.sort();
    all
}

/// Without the blanks that fill a field up.
fn attribute(dir: &Path, name: &str) -> Option<String> {
    fs::read_to_string(dir.join(name)).ok().map(|text| text.trim_end().to_owned())
}

fn text(dir: &Path, name: &str) -> String {
    attribute(dir, name).unwrap_or_default()
}

fn number<T: std::str::FromStr + Default>(dir: &Path, name: &str) -> T {
    text(dir, name).parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_they_are_of() {
        assert_eq!(numbers("nvme0"), Some((1, None)));
        assert_eq!(numbers("nvme10n12"), Some((2, Some(12))));
        assert_eq!(numbers("nvme0c3n12"), Some((3, Some(12))));
        for other in ["nvme", "nvme0n1p1", "ng0n1", "nvme-subsys0", "power", "nvme0c1"] {
            assert!(!matches!(numbers(other), Some((1 | 3, _) | (2, Some(_)))), "{other}");
        }
    }
}
