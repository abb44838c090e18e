//! Reading maps: one whole, or the list of all.

use libmp::dm::op::{MapListEntry, RawMap, RawTarget};
use libmp::types::{Errno, MapName};

use super::abi::{
    self, Answer, Command, DEFERRED_REMOVE, INACTIVE_PRESENT, NOFLUSH, Question, READONLY, STATUS_TABLE,
    SUSPEND, UUID,
};
use super::partitions::is_partition_of;
use super::{Control, ROOM, ROOM_FOR_ALL, holders};

/// Tables change while they are read; so often it is tried again.
const TRIES: usize = 3;

impl Control {
    /// A map with its table and status; `None` where there is none of that UUID.
    pub(super) fn read(&self, uuid: &str) -> Result<Option<RawMap>, Errno> {
        let mut last = None;
        for _ in 0..TRIES {
            let ask = |flags| {
                let question = Question { flags, room: ROOM, ..by_uuid(uuid) };
                self.call(Command::TableStatus, &question)
            };
            // NOFLUSH: a status must not wait for I/O.
            let table = match ask(STATUS_TABLE | NOFLUSH) {
                Err(Errno::ENXIO) => return Ok(None),
                other => other?,
            };
            let status = match ask(NOFLUSH) {
                Err(Errno::ENXIO) => return Ok(None),
                other => other?,
            };
            let tables = abi::decode_targets(&table.payload, table.target_count);
            let statuses = abi::decode_targets(&status.payload, status.target_count);
            let consistent = tables.len() == statuses.len()
                && tables.iter().zip(&statuses).all(|(a, b)| a.kind == b.kind && a.sectors == b.sectors);
            let targets = tables.into_iter().zip(statuses).map(|(table, status)| RawTarget {
                start: table.start,
                sectors: table.sectors,
                kind: table.kind,
                table: table.text,
                status: status.text,
            });
            last = Some(RawMap {
                name: MapName::new(status.name.as_str()),
                suspended: status.has(SUSPEND),
                read_only: status.has(READONLY),
                deferred_remove: status.has(DEFERRED_REMOVE),
                inactive_table: status.has(INACTIVE_PRESENT),
                open_count: status.open_count,
                idle_partitions: self.idle_partitions(uuid, &status),
                event_nr: status.event_nr,
                devt: status.devt,
                uuid: status.uuid,
                targets: targets.collect(),
            });
            if consistent {
                break;
            }
        }
        Ok(last)
    }

    /// How many partitions of a map nobody has open.
    fn idle_partitions(&self, uuid: &str, map: &Answer) -> u32 {
        if map.open_count == 0 {
            return 0;
        }
        let above = holders::mapped_on(map.devt)
            .filter_map(|name| self.call(Command::Status, &by_kernel_name(&name)).ok());
        let idle = above.filter(|device| device.open_count == 0 && is_partition_of(&device.uuid, uuid));
        u32::try_from(idle.count()).unwrap_or(u32::MAX)
    }

    /// All devices of device-mapper, whatever made them.
    pub(super) fn list(&self) -> Result<Vec<MapListEntry>, Errno> {
        let question = Question { flags: UUID, room: ROOM_FOR_ALL, ..Question::default() };
        let answer = self.call(Command::ListDevices, &question)?;
        let devices = abi::decode_list(&answer.payload).into_iter().filter_map(|device| {
            let uuid = match device.uuid {
                Some(uuid) => uuid,
                // A kernel that doesn't list UUIDs; a device that went meanwhile is left out.
                None => self.call(Command::Status, &by_kernel_name(&device.kernel_name)).ok()?.uuid,
            };
            let (devt, event_nr) = (device.devt, device.event_nr);
            Some(MapListEntry { name: MapName::new(device.name), uuid, devt, event_nr })
        });
        Ok(devices.collect())
    }
}

/// A question about the device of this UUID and nothing else.
pub(super) fn by_uuid(uuid: &str) -> Question<'_> {
    Question { uuid, ..Question::default() }
}

/// A question about the device of this name and nothing else.
pub(super) fn by_name(name: &str) -> Question<'_> {
    Question { name, ..Question::default() }
}

/// The same, by the name that the kernel has told.
pub(super) fn by_kernel_name(name: &str) -> Question<'_> {
    Question { is_kernel_name: true, ..by_name(name) }
}
