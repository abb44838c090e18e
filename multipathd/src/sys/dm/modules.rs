//! Modules of the kernel that tables need: their absence is no more than `EINVAL`, so it is said which one is not there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command as Process;
use std::sync::{Mutex, OnceLock, PoisonError};

use libmp::dm::table::Table;
use nix::sys::utsname::uname;
use tracing::{debug, warn};

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Modules {
    /// Those that were said to be missing.
    said: Mutex<BTreeSet<String>>,
    /// The list of those that are built in; `None` where it can't be read.
    built_in: OnceLock<Option<String>>,
}

impl Modules {
    /// Reads what is on the root file system: when a table is refused, that may wait for the very map.
    pub(super) fn built_in(&self) -> Option<&str> {
        let read = || {
            let kernel = uname().ok()?;
            fs::read_to_string(Path::new("/lib/modules").join(kernel.release()).join("modules.builtin")).ok()
        };
        self.built_in.get_or_init(read).as_deref()
    }

    /// A table was refused: the kernel has looked for what it needs, so what is not there now could not be loaded. Gives the
    /// modules that are missing.
    pub(super) fn refused(&self, params: &str) -> Vec<String> {
        let Ok(table) = params.parse::<Table>() else { return Vec::new() };
        // The kernel looks for the selectors first: of the handler, which it has not asked for then, nothing is known.
        let missing = [selectors(&table), handler(&table)].into_iter().map(|needed| {
            needed.into_iter().filter(|(_, module)| !self.has(module)).collect::<BTreeSet<_>>()
        });
        let missing = missing.into_iter().find(|missing| !missing.is_empty()).unwrap_or_default();
        let mut modules = Vec::new();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, module) in missing {
            if said.insert(module.clone()) {
                warn!(
                    "{what} needs the kernel's module {module}, which is not loaded: if `modprobe {module}` does not \
                     find it, install it or choose another"
                );
            }
            modules.push(module);
        }
        modules
    }

    fn has(&self, module: &str) -> bool {
        let name = module.replace('-', "_");
        // What is built in is in sysfs only if it has parameters. Where the list can't be read nothing is called missing.
        Path::new("/sys/module").join(&name).exists()
            || self.built_in().is_none_or(|list| is_built_in(&name, list))
    }
}

/// Which selectors a table has, and the modules that they are.
fn selectors(table: &Table) -> BTreeSet<(String, String)> {
    let names = table.groups.iter().map(|group| &group.selector.name);
    names.map(|name| (format!("path_selector {name}"), format!("dm-{name}"))).collect()
}

/// Which hardware handler it has, and its module.
fn handler(table: &Table) -> BTreeSet<(String, String)> {
    let name = table.handler.first();
    name.map(|name| (format!("hardware_handler {name}"), format!("scsi_dh_{name}"))).into_iter().collect()
}

fn is_built_in(name: &str, list: &str) -> bool {
    let mut files = list.lines().filter_map(|line| line.rsplit('/').next()?.strip_suffix(".ko"));
    files.any(|file| file.replace('-', "_") == name)
}

/// Loads a module, if that is possible.
pub(super) fn modprobe(module: &str) {
    match Process::new("modprobe").arg(module).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => debug!("modprobe {module}: {}", String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => debug!("modprobe {module}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_and_handlers_have_modules() {
        let params = "0 1 alua 2 1 service-time 0 1 1 8:0 1 io-affinity 0 1 1 8:16 1";
        let table = params.parse().expect("a table");
        let modules = |needed: BTreeSet<(String, String)>| -> Vec<String> {
            needed.into_iter().map(|(_, module)| module).collect()
        };
        assert_eq!(modules(selectors(&table)), ["dm-io-affinity", "dm-service-time"]);
        assert_eq!(modules(handler(&table)), ["scsi_dh_alua"]);
        let list = "kernel/drivers/md/dm-mod.ko\nkernel/drivers/md/dm-round-robin.ko\n";
        assert!(is_built_in("dm_round_robin", list) && !is_built_in("dm_no_such_thing", list));
    }
}
