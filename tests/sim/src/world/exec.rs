//! Operations on maps, ioctl by ioctl, as the daemon's adapter performs them: between any two of
//! them time passes, a fault strikes, or the daemon is killed.

use std::collections::{BTreeMap, VecDeque};

use libmp::core::event::{DmDone, DmFailure};
use libmp::dm::op::{DmOp, RENAME, SUSPENDED_SINCE, UdevFlags, uuid_of};
use libmp::types::{DevT, Errno, MapName, Wwid};

use super::World;
use super::dm::{Device, Signal};
use super::mpath::{Found, missing_modules};

const CANCEL: &str = "@cancel_deferred_remove";

/// One ioctl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Create {
        name: String,
    },
    Load {
        sectors: u64,
        params: String,
        read_only: bool,
    },
    Suspend {
        noflush: bool,
    },
    Resume {
        flags: UdevFlags,
    },
    Message {
        text: String,
    },
    Rename {
        to: String,
    },
    RenamePartition {
        uuid: String,
        to: String,
    },
    RemovePartitions,
    Remove {
        deferred: bool,
    },
    CancelRemove,
    Reassign {
        paths: Vec<DevT>,
    },
    /// Waits for udev; nothing is changed.
    Wait,
}

impl Step {
    /// Its name in reports.
    pub fn name(&self) -> String {
        match self {
            Self::Create { .. } => "create".into(),
            Self::Load { .. } => "load".into(),
            Self::Suspend { .. } => "suspend".into(),
            Self::Resume { .. } => "resume".into(),
            Self::Message { text } => format!("message {text}"),
            Self::Rename { .. } => RENAME.into(),
            Self::RenamePartition { uuid, to } => format!("rename {uuid} to {to}"),
            Self::RemovePartitions | Self::Remove { .. } => "remove".into(),
            Self::CancelRemove => format!("message {CANCEL}"),
            Self::Reassign { .. } => "reassign".into(),
            Self::Wait => "wait".into(),
        }
    }
}

/// An operation under way.
#[derive(Debug, Clone)]
pub struct Running {
    pub op: DmOp,
    /// Of the map.
    pub uuid: String,
    pub left: VecDeque<Step>,
    pub failure: Option<DmFailure>,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Next,
    /// The ioctl sleeps: I/O is on its way through the map.
    Sleeps,
    /// Nothing is left to do.
    Finished,
}

impl Running {
    pub fn new(wwid: &Wwid, op: DmOp) -> Self {
        let steps = match &op {
            DmOp::Create { name, load, flags, .. } => vec![
                Step::Create { name: name.as_str().into() },
                Step::Load { sectors: load.sectors, params: load.params.clone(), read_only: load.read_only },
                Step::Resume { flags: *flags },
                Step::Wait,
            ],
            DmOp::Reload { load, flags, flush, .. } => vec![
                Step::Load { sectors: load.sectors, params: load.params.clone(), read_only: load.read_only },
                Step::Suspend { noflush: !flush },
                Step::Resume { flags: *flags },
            ],
            DmOp::Rename { to, .. } => vec![Step::Rename { to: to.as_str().into() }],
            DmOp::Remove { deferred, .. } => {
                vec![Step::RemovePartitions, Step::Remove { deferred: *deferred }]
            }
            DmOp::CancelRemove => vec![Step::CancelRemove],
            DmOp::Message { messages, .. } => {
                messages.iter().map(|text| Step::Message { text: text.clone() }).collect()
            }
            DmOp::Suspend => vec![Step::Suspend { noflush: true }],
            DmOp::Resume { flags, .. } => vec![Step::Resume { flags: *flags }],
            DmOp::Reassign { paths } => vec![Step::Reassign { paths: paths.clone() }],
            DmOp::RenamePartitions { names } => {
                let step = |(uuid, to): &(String, MapName)| Step::RenamePartition {
                    uuid: uuid.clone(),
                    to: to.as_str().into(),
                };
                names.iter().map(step).collect()
            }
            DmOp::Query { .. } => Vec::new(),
        };
        let uuid = uuid_of(wwid);
        Self { op, uuid, left: steps.into(), failure: None }
    }

    /// The disks of the table that it loads next.
    pub fn devices(&self) -> Vec<DevT> {
        match self.left.front() {
            Some(Step::Load { params, .. }) => {
                params.split(' ').filter_map(|word| word.parse().ok()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The answer, once nothing is left.
    pub fn done(&self, world: &World) -> DmDone {
        let result = self.failure.clone().map_or(Ok(()), Err);
        DmDone { result, map: Ok(world.dm.read(&self.uuid).map(|raw| self.op.seen(raw))) }
    }
}

/// No path is to blame where a module is missing: that is a step of its own.
fn without_modules(params: &str, why: DmFailure) -> DmFailure {
    let missing = if why.errno == Errno::EINVAL { missing_modules(params) } else { Vec::new() };
    if missing.is_empty() {
        why
    } else {
        DmFailure::new(&format!("load without {}", missing.join(", ")), why.errno)
    }
}

fn cookie_flags(flags: UdevFlags) -> u16 {
    u16::from(flags.reload) << 8 | u16::from(flags.skip_kpartx) << 9 | u16::from(flags.no_paths) << 10
}

impl World {
    /// `DM_TABLE_LOAD` of a multipath target.
    pub fn load(&mut self, name: &str, sectors: u64, params: &str, read_only: bool) -> Result<(), Errno> {
        let mut dm = std::mem::take(&mut self.dm);
        // What the device has open already, to be written to or not, is not opened again, nor looked for (`dm_get_table_device`): a
        // disk that is gone has no length then.
        let open: BTreeMap<DevT, u64> = dm
            .by_name(name)
            .map(|d| d.open_disks(read_only).map(|disk| (disk.devt, disk.generation)).collect())
            .unwrap_or_default();
        let gone = |generation| Found { generation, sectors: 0, read_only: false, handler: None };
        let lookup = |devt| match open.get(&devt) {
            Some(generation) => Ok(self.find(devt).unwrap_or_else(|| gone(*generation))),
            None => self.opens(devt).and_then(|()| self.find(devt).ok_or(Errno::ENXIO)),
        };
        let result = dm.load(name, sectors, params, read_only, &lookup);
        self.dm = dm;
        result
    }

    /// Is the next step a load that opens a disk whose host recovers from errors? Until the end of that it holds up nothing but
    /// other loads: the live table is read, and takes messages.
    pub fn load_hangs(&self, running: &Running) -> bool {
        let Some(Step::Load { read_only, .. }) = running.left.front() else { return false };
        let device = self.dm.by_uuid(&running.uuid);
        let is_open = |devt| device.is_some_and(|d| d.open_disks(*read_only).any(|disk| disk.devt == devt));
        let recovers = |devt| self.disks.values().any(|disk| disk.devt == devt && disk.recovering);
        running.devices().into_iter().any(|devt| recovers(devt) && !is_open(devt))
    }

    /// Does a load of this LUN's map hang: in what it opens, or in its suspend?
    pub fn hangs(&self, wwid: &str) -> bool {
        let uuid = format!("mpath-{wwid}");
        let opens = self.opening.values().any(|(map, _)| *map == uuid);
        opens || self.dm.by_uuid(&uuid).is_some_and(|device| device.suspending)
    }

    /// Performs the next step; `fault` is an error that it meets instead.
    pub fn advance(&mut self, running: &mut Running, fault: Option<Errno>) -> Progress {
        let Some(step) = running.left.front().cloned() else { return Progress::Finished };
        if let (Step::Suspend { noflush }, None) = (&step, fault) {
            if !noflush {
                self.flush(&running.uuid);
            }
            let waits = self.dm.by_uuid(&running.uuid).is_some_and(|d| self.in_flight(d.minor));
            if let Some(device) = self.dm.by_uuid_mut(&running.uuid).filter(|_| waits) {
                device.suspending = true;
                return Progress::Sleeps;
            }
        }
        if let (Step::Suspend { .. }, Some(device)) = (&step, self.dm.by_uuid_mut(&running.uuid)) {
            device.suspending = false;
        }
        running.left.pop_front();
        let by_fault = |errno| Err(DmFailure::new(&step.name(), errno));
        let result = fault.map_or_else(|| self.perform(running, &step), by_fault);
        if result.is_ok() && self.is_suspended_since(running, &step) {
            if let Some(device) = self.dm.by_uuid(&running.uuid).map(|device| device.name.clone()) {
                let _ = self.dm.clear(&device);
            }
            running.failure = Some(DmFailure::new(SUSPENDED_SINCE, Errno::EBUSY));
            running.left.clear();
        } else if let Err(why) = result {
            self.clean_up(running, &step);
            running.failure.get_or_insert(why);
            if !matches!(step, Step::RenamePartition { .. }) {
                running.left.clear();
            }
        }
        self.settle();
        if running.left.is_empty() { Progress::Finished } else { Progress::Next }
    }

    /// Whoever operates on maps is killed: no I/O is waited for any more, nor a disk that is being opened.
    pub fn end_operations(&mut self) {
        self.opening.clear();
        for device in self.dm.devices.values_mut() {
            device.suspending = false;
        }
        self.settle();
    }

    /// A load's answer tells that somebody has suspended the map since its reload was decided.
    fn is_suspended_since(&self, running: &Running, step: &Step) -> bool {
        matches!((&running.op, step), (DmOp::Reload { wake: false, .. }, Step::Load { .. }))
            && self.dm.by_uuid(&running.uuid).is_some_and(|device| device.suspended)
    }

    /// A flush ends queueing before the map is suspended: I/O that waits for a path goes to one, or fails.
    fn flush(&mut self, uuid: &str) {
        if let Some(target) = self.dm.by_uuid_mut(uuid).filter(|d| !d.suspended).and_then(Device::mpath_mut) {
            target.presuspend(false);
        }
        self.settle();
    }

    fn perform(&mut self, running: &Running, step: &Step) -> Result<(), DmFailure> {
        let named = |errno| DmFailure::new(&step.name(), errno);
        match step {
            Step::Create { name } => {
                if let DmOp::Create { beside, .. } = &running.op
                    && beside.iter().any(|disk| self.disks.get(disk.as_str()).is_some_and(|disk| disk.busy))
                {
                    return Err(DmFailure::new("load", Errno::EBUSY));
                }
                return self.dm.create(name, &running.uuid).map(drop).map_err(named);
            }
            Step::RenamePartition { uuid, to } => return self.rename_partition(uuid, to),
            _ => {}
        }
        let Some(name) = self.dm.by_uuid(&running.uuid).map(|device| device.name.clone()) else {
            return match step {
                Step::RemovePartitions | Step::Remove { .. } | Step::Wait => Ok(()),
                Step::Rename { .. } | Step::Reassign { .. } => Err(DmFailure::new("look up", Errno::ENXIO)),
                _ => Err(named(Errno::ENXIO)),
            };
        };
        let result = match step {
            Step::Create { .. } | Step::RenamePartition { .. } | Step::Wait => Ok(()),
            Step::Load { sectors, params, read_only } => {
                let loaded = self.load(&name, *sectors, params, *read_only);
                return loaded.map_err(|errno| without_modules(params, named(errno)));
            }
            Step::Suspend { noflush } => self.dm.suspend(&name, *noflush),
            Step::Resume { flags } => {
                let resumed = self.dm.resume(&name, cookie_flags(*flags));
                if let Some(Signal::Changed { own, .. }) = self.dm.signals.last_mut() {
                    *own = resumed.is_ok() && matches!(running.op, DmOp::Create { .. });
                }
                resumed
            }
            Step::Message { text } => {
                self.dm.message(&name, text).map_err(|errno| self.refused(&name, text, errno))
            }
            Step::Rename { to } => self.dm.rename(&name, to),
            Step::RemovePartitions => return self.remove_partitions(running),
            Step::Remove { deferred } => self.dm.remove(&name, *deferred),
            Step::CancelRemove => {
                for partition in self.names_of_partitions(&running.uuid) {
                    self.dm.message(&partition, CANCEL).map_err(named)?;
                }
                self.dm.message(&name, CANCEL)
            }
            Step::Reassign { paths } => {
                return self.dm.reassign(&name, paths).map_err(|(step, errno)| DmFailure::new(&step, errno));
            }
        };
        result.map_err(named)
    }

    /// A message about a path opens it, unless it is in the table.
    fn refused(&self, name: &str, text: &str, errno: Errno) -> Errno {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let is_there = self.dm.by_name(name).is_some_and(|device| device.mpath().is_some());
        match words[..] {
            ["fail_path" | "reinstate_path", path] if is_there && errno == Errno::EINVAL => {
                path.parse().map_or(Errno::ENODEV, |devt| self.opens(devt).err().unwrap_or(errno))
            }
            _ => errno,
        }
    }

    fn names_of_partitions(&self, uuid: &str) -> Vec<String> {
        self.dm.partitions(uuid).into_iter().map(|device| device.name.clone()).collect()
    }

    fn remove_partitions(&mut self, running: &Running) -> Result<(), DmFailure> {
        let deferred = matches!(running.op, DmOp::Remove { deferred: true, .. });
        let of = |partition: &str, errno| DmFailure::new(&format!("remove partition {partition}"), errno);
        let in_use = self.dm.by_uuid(&running.uuid).and_then(|map| self.dm.in_use(map));
        if let Some(device) = in_use.filter(|_| !deferred) {
            let is_map = device.uuid == running.uuid;
            let map = DmFailure::new("remove", Errno::EBUSY);
            return Err(if is_map { map } else { of(&device.name, Errno::EBUSY) });
        }
        let mut all = self.names_of_partitions(&running.uuid).into_iter();
        all.try_for_each(|name| self.dm.remove(&name, deferred).map_err(|errno| of(&name, errno)))
    }

    fn rename_partition(&mut self, uuid: &str, to: &str) -> Result<(), DmFailure> {
        let Some(is) = self.dm.by_uuid(uuid).map(|device| device.name.clone()).filter(|is| is != to) else {
            return Ok(());
        };
        let renamed = self.dm.rename(&is, to);
        renamed.map_err(|errno| DmFailure::new(&format!("rename {is} to {to}"), errno))
    }

    /// What the adapter promises of failures: a map that could not be made is removed again; one
    /// that could not be reloaded runs on with the table it had.
    fn clean_up(&mut self, running: &Running, failed: &Step) {
        let Some(name) = self.dm.by_uuid(&running.uuid).map(|device| device.name.clone()) else { return };
        match (&running.op, failed) {
            (DmOp::Create { .. }, Step::Load { .. } | Step::Resume { .. }) => {
                let _ = self.dm.remove(&name, false);
            }
            (DmOp::Reload { .. }, Step::Suspend { .. }) => {
                let _ = self.dm.clear(&name);
            }
            (DmOp::Reload { .. }, Step::Resume { .. }) => {
                let _ = self.dm.clear(&name);
                let _ = self.dm.resume(&name, 0);
            }
            _ => {}
        }
    }
}
