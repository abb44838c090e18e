//! The simulated kernel beside the contract that the real one is held to, too (`tests/contract`).

use contract::{Act, DiskAct, Kernel};
use libmp::core::event::DmDone;
use libmp::dm::op::{DmOp, MapListEntry, RawMap};
use libmp::types::{DevT, Errno, Wwid};

use crate::world::disk::{Identity, SdevState};
use crate::world::dm::{Kind, Table, Target};
use crate::world::exec::{Progress, Running};
use crate::world::{Nexus, World};

/// What scsi_debug has in the guest.
const SECTORS: u64 = 16_384;

struct Simulated {
    world: World,
    disks: [String; 2],
    /// Devices that somebody's read waits in, which keeps them open.
    reads: Vec<u64>,
    /// How reads ended that had waited.
    ended: Vec<String>,
}

impl Simulated {
    fn new() -> Self {
        let mut world = World::default();
        let identity = Identity {
            wwid: "3600a0b80000000000000000000000001".into(),
            serial: "S1".into(),
            sectors: SECTORS,
            vendor: "Linux".into(),
            product: "scsi_debug".into(),
        };
        let lun = world.add_lun(identity, 2, true);
        let disks = [(1, 0), (2, 1)].map(|(host, group)| world.add_disk(Nexus { lun, host, group }));
        Self { world, disks, reads: Vec::new(), ended: Vec::new() }
    }

    /// Reads that waited and have ended close their devices.
    fn settle(&mut self) {
        self.world.settle();
        for outcome in std::mem::take(&mut self.world.outcomes) {
            self.reads.retain(|device| *device != outcome.bio.device);
            if let Some(device) = self.world.dm.devices.get_mut(&outcome.bio.minor) {
                device.opens -= 1;
            }
            self.ended.push(if outcome.reached.is_some() { "done" } else { "EIO" }.into());
        }
        self.world.dm.reap_deferred();
    }

    fn read_block(&mut self, name: &str) -> String {
        let device = self.world.dm.get(name).expect("there");
        device.opens += 1;
        let (minor, number) = (device.minor, device.number);
        self.reads.push(number);
        self.world.write(minor);
        self.settle();
        if self.reads.contains(&number) { "waits".into() } else { self.ended.pop().expect("it has ended") }
    }

    fn linear(&mut self, uuid: &str, name: &str, on: DevT) -> Result<(), Errno> {
        self.world.dm.create(name, uuid)?;
        let targets = vec![Target { start: 0, sectors: 8, kind: Kind::Linear { on } }];
        self.world.dm.load_table(name, Table { read_only: false, targets })?;
        self.world.dm.resume(name, 0)
    }

    fn disk(&mut self, path: usize, act: DiskAct) {
        let disk = self.world.disks.get_mut(&self.disks[path]).expect("there");
        match act {
            DiskAct::Seize => disk.busy = true,
            DiskAct::Release => disk.busy = false,
            DiskAct::Offline => disk.state = SdevState::Offline,
            DiskAct::Online => disk.state = SdevState::Running,
            DiskAct::Protect => disk.read_only = true,
            DiskAct::Unprotect => disk.read_only = false,
        }
    }

    fn done(&mut self, act: &Act) -> Result<(), Errno> {
        match act {
            Act::Load { uuid, load } => {
                let name = self.world.dm.by_uuid(uuid).ok_or(Errno::ENXIO)?.name.clone();
                self.world.load(&name, load.sectors, &load.params, load.read_only)
            }
            Act::Make { uuid, name } => self.world.dm.create(name, uuid).map(drop),
            Act::Linear { uuid, name, on } => self.linear(uuid, name, *on),
            Act::Open(name) => self.world.dm.open(name),
            Act::Close(name) => self.world.dm.get(name).map(|device| device.opens -= 1),
            Act::Disk(path, act) => {
                self.disk(*path, *act);
                Ok(())
            }
            Act::Read(_) | Act::Await => Ok(()),
        }
    }
}

impl Kernel for Simulated {
    fn perform(&mut self, uuid: &str, op: &DmOp) -> DmDone {
        let mut running = Running::new(&Wwid::new("any"), op.clone());
        uuid.clone_into(&mut running.uuid);
        loop {
            match self.world.advance(&mut running, None) {
                Progress::Next => {}
                Progress::Finished => break,
                Progress::Sleeps => panic!("{op:?}: no I/O is on its way"),
            }
        }
        let done = running.done(&self.world);
        self.settle();
        done
    }

    fn read(&mut self, uuid: &str) -> Result<Option<RawMap>, Errno> {
        Ok(self.world.dm.read(uuid))
    }

    fn list(&mut self) -> Result<Vec<MapListEntry>, Errno> {
        Ok(self.world.dm.list())
    }

    fn paths(&self) -> [DevT; 2] {
        [0, 1].map(|path| self.world.disks[&self.disks[path]].devt)
    }

    fn sectors(&self) -> u64 {
        SECTORS
    }

    fn act(&mut self, act: &Act) -> String {
        let answer = match act {
            Act::Read(name) => self.read_block(name),
            Act::Await => std::mem::take(&mut self.ended).join(", "),
            _ => if self.done(act).is_ok() { "ok" } else { "refused" }.into(),
        };
        self.settle();
        answer
    }
}

#[test]
fn the_kernel_does_what_the_contract_says() {
    let held = |case: contract::Case| {
        let differs = case.hold(&mut Simulated::new()).err()?;
        Some(format!("## {}\n{differs}\n", case.name))
    };
    let broken: Vec<String> = contract::cases().into_iter().filter_map(held).collect();
    assert!(broken.is_empty(), "\n{}", broken.concat());
}
