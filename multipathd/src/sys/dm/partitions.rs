//! Maps of partitions, which kpartx makes on top of a map: they go with it, and are called after it.

use std::collections::BTreeSet;

use libmp::core::event::DmFailure;
use libmp::core::map::Observed;
use libmp::dm::op::{MapListEntry, UUID_PREFIX, UdevFlags, partition_of};
use libmp::types::{DevT, Errno, MapName};
use tracing::debug;

use super::abi::{Command, DEFERRED_REMOVE};
use super::holders;
use super::ops::Mapper;
use super::read::by_uuid;

impl Mapper {
    /// A map and its partitions. All of them are looked at before the first one goes: where one is in use, nothing is
    /// done. What is opened between that look and its removal can still stop it half-way, which is said.
    pub(super) fn remove_with_partitions(&self, uuid: &str, deferred: bool) -> Result<(), DmFailure> {
        let tree = if uuid.starts_with(UUID_PREFIX) { self.tree(uuid)? } else { Vec::new() };
        let idle = self.none_in_use(uuid, &tree);
        // Its last close writes what partitions have kept in memory, and would hang with it.
        let held = idle.is_ok() && !tree.is_empty() && self.holds_io(uuid);
        if !deferred {
            idle?;
        }
        if held {
            self.message(uuid, "fail_if_no_path")?;
        }
        let removed = self.remove_tree(uuid, &tree, if deferred { DEFERRED_REMOVE } else { 0 });
        if held && removed.is_err() && self.message(uuid, "queue_if_no_path").is_err() {
            debug!("{uuid}: it does not queue any more, and could not be removed");
        }
        removed
    }

    fn holds_io(&self, uuid: &str) -> bool {
        self.read(uuid).is_ok_and(|map| map.is_some_and(|map| Observed::parse(&map).holds_io()))
    }

    fn remove_tree(&self, uuid: &str, tree: &[MapListEntry], flags: u32) -> Result<(), DmFailure> {
        let mut gone: Vec<&str> = Vec::new();
        for partition in tree {
            let removed = self.remove(&partition.uuid, flags);
            removed.map_err(|why| after(&gone, of_partition(partition, why)))?;
            gone.push(partition.name.as_str());
        }
        self.remove(uuid, flags).map_err(|why| after(if flags == 0 { &gone } else { &[] }, why))
    }

    /// Each by its UUID; one that has gone, or has its name already, is as it should be.
    pub(super) fn rename_partitions(&self, names: &[(String, MapName)]) -> Result<(), DmFailure> {
        let renamed: Vec<_> =
            names.iter().map(|(uuid, to)| self.rename_partition(uuid, to.as_str())).collect();
        renamed.into_iter().collect()
    }

    fn rename_partition(&self, uuid: &str, to: &str) -> Result<(), DmFailure> {
        let failed = |name: &str, errno| DmFailure::new(&format!("rename {name} to {to}"), errno);
        let is = match self.call(Command::Status, &by_uuid(uuid)) {
            Err(Errno::ENXIO) => return Ok(()),
            other => other.map_err(|errno| failed(uuid, errno))?,
        };
        if is.name == to {
            return Ok(());
        }
        self.rename_one(&is, to, UdevFlags::default()).map_err(|why| failed(&is.name, why.errno))
    }

    /// Takes a deferred removal back, that of the partitions first: they would go at their last close, whatever their map does.
    pub(super) fn cancel_removal(&self, uuid: &str) -> Result<(), DmFailure> {
        const CANCEL: &str = "@cancel_deferred_remove";
        for partition in self.tree(uuid)? {
            match self.message(&partition.uuid, CANCEL) {
                Err(why) if why.errno != Errno::ENXIO => return Err(why),
                _ => {}
            }
        }
        self.message(uuid, CANCEL)
    }

    /// The partitions of a map, each after those that stand on it: a logical one stands on the extended one.
    fn tree(&self, uuid: &str) -> Result<Vec<MapListEntry>, DmFailure> {
        let mut all = self.list().map_err(|errno| DmFailure::new("list", errno))?;
        all.retain(|entry| is_partition_of(&entry.uuid, uuid));
        let mut tree = Vec::new();
        while let Some(free) = all.iter().position(|one| !all.iter().any(|other| stands_on(other, one.devt)))
        {
            tree.push(all.remove(free));
        }
        tree.append(&mut all);
        Ok(tree)
    }

    /// Fails where a device is open by more than the partitions on top of it.
    fn none_in_use(&self, uuid: &str, tree: &[MapListEntry]) -> Result<(), DmFailure> {
        for partition in tree {
            self.not_in_use(&partition.uuid, tree).map_err(|why| of_partition(partition, why))?;
        }
        self.not_in_use(uuid, tree)
    }

    fn not_in_use(&self, uuid: &str, tree: &[MapListEntry]) -> Result<(), DmFailure> {
        let Ok(device) = self.call(Command::Status, &by_uuid(uuid)) else { return Ok(()) }; // the removal tells
        let on_it = tree.iter().filter(|partition| stands_on(partition, device.devt)).count();
        if usize::try_from(device.open_count).is_ok_and(|opens| opens <= on_it) {
            return Ok(());
        }
        Err(without(tree, self.with_holders(uuid, DmFailure::new("remove", Errno::EBUSY))))
    }
}

/// Whoever removes a map with its partitions is not held up by these.
fn without(tree: &[MapListEntry], mut why: DmFailure) -> DmFailure {
    let ours: BTreeSet<&str> = tree.iter().map(|partition| partition.name.as_str()).collect();
    why.holders.retain(|holder| !ours.contains(holder.as_str()));
    why
}

fn stands_on(partition: &MapListEntry, devt: DevT) -> bool {
    holders::stands_on(partition.devt, devt)
}

fn of_partition(partition: &MapListEntry, why: DmFailure) -> DmFailure {
    DmFailure { step: format!("{} partition {}", why.step, partition.name), ..why }
}

/// What has gone before a removal failed.
fn after(gone: &[&str], why: DmFailure) -> DmFailure {
    if gone.is_empty() {
        return why;
    }
    DmFailure { step: format!("{} (gone already: {})", why.step, gone.join(", ")), ..why }
}

/// `part3-mpath-WWID` is a partition of `mpath-WWID`.
pub(super) fn is_partition_of(uuid: &str, parent: &str) -> bool {
    partition_of(uuid).is_some_and(|(_, whole)| whole == parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_those_of_the_map_and_no_other() {
        assert!(is_partition_of("part1-mpath-3600", "mpath-3600"));
        assert!(is_partition_of("part12-mpath-3600", "mpath-3600"));
        let others =
            ["part1-mpath-36001", "mpath-3600", "partx-mpath-3600", "part-mpath-3600", "LVM-mpath-3600"];
        for other in others.into_iter().chain(["part1-3600"]) {
            assert!(!is_partition_of(other, "mpath-3600"), "{other}");
        }
    }
}
