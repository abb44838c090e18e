//! What happens to the machine: cables, arrays, other tools, operators, the daemon's own death.

use std::time::Duration;

use libmp::core::event::{Attention, Event, Signal};
use libmp::fabric::{Impairment, LinkFault, Message, News, Wwpn};

use crate::conf::Conf;
use crate::sim::{Item, Sim};
use crate::world::Nexus;
use crate::world::disk::{Link, SdevState};
use crate::world::dm::{Kind, Table, Target};
use crate::world::scsi::Alua;

/// Kinds of mischief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    PathLink,
    HostLink,
    LunLink,
    RemoveDisk,
    AddDisk,
    DeviceState,
    ReadsFail,
    HostRecovers,
    AluaState,
    Unmap,
    SwapLun,
    WrongSize,
    Resize,
    Reload,
    ForeignMessage,
    ForeignMap,
    ForeignRemove,
    OpenClose,
    Command,
    Reconfigure,
    Kill,
    Shutdown,
    ClockJump,
    LoseUevents,
    SpuriousEvents,
    LateUdev,
    SecondName,
    Fabric,
    Attention,
}

/// Every act, with its usual weight.
pub const ACTS: &[(u32, Act)] = &[
    (30, Act::PathLink),
    (6, Act::HostLink),
    (8, Act::LunLink),
    (12, Act::RemoveDisk),
    (16, Act::AddDisk),
    (8, Act::DeviceState),
    (3, Act::ReadsFail),
    (4, Act::HostRecovers),
    (10, Act::AluaState),
    (4, Act::Unmap),
    (3, Act::SwapLun),
    (2, Act::WrongSize),
    (3, Act::Resize),
    (5, Act::Reload),
    (10, Act::ForeignMessage),
    (3, Act::ForeignMap),
    (4, Act::ForeignRemove),
    (8, Act::OpenClose),
    (40, Act::Command),
    (4, Act::Reconfigure),
    (3, Act::Kill),
    (1, Act::Shutdown),
    (1, Act::ClockJump),
    (3, Act::LoseUevents),
    (6, Act::SpuriousEvents),
    (4, Act::LateUdev),
    (2, Act::SecondName),
    (4, Act::Fabric),
    (4, Act::Attention),
];

impl Sim {
    fn any_disk(&mut self) -> Option<String> {
        let names: Vec<String> = self.world.disks.keys().cloned().collect();
        self.rng.pick(&names).cloned()
    }

    /// A multipath map, by name.
    fn any_map(&mut self) -> Option<String> {
        let names: Vec<String> =
            self.world.dm.devices.values().filter(|d| d.wwid().is_some()).map(|d| d.name.clone()).collect();
        self.rng.pick(&names).cloned()
    }

    fn any_link(&mut self) -> Link {
        self.rng.weighted(&[(5, Link::Up), (4, Link::Down), (2, Link::Hung)])
    }

    /// One act of mischief, of the kinds that this run has.
    pub fn mischief(&mut self) {
        let act = self.rng.weighted(&self.acts.clone());
        let now = self.now();
        self.trace.line(now, format_args!("-- {act:?}"));
        match act {
            Act::PathLink | Act::HostLink | Act::LunLink => self.cut(act),
            Act::RemoveDisk | Act::AddDisk | Act::Unmap | Act::SwapLun | Act::WrongSize => self.rewire(act),
            Act::DeviceState | Act::ReadsFail | Act::HostRecovers | Act::AluaState | Act::LateUdev => {
                self.sicken(act);
            }
            Act::Resize => self.resize(),
            Act::Reload
            | Act::ForeignMessage
            | Act::ForeignMap
            | Act::ForeignRemove
            | Act::OpenClose
            | Act::SecondName => {
                self.other_tools(act);
            }
            _ => self.tell_the_daemon(act),
        }
        self.world.settle();
    }

    fn cut(&mut self, act: Act) {
        let link = self.any_link();
        let Some(one) = self.any_disk() else { return };
        let (host, lun) = (self.world.disks[&one].hctl.host, self.world.disks[&one].lun);
        for disk in self.world.disks.values_mut() {
            let hit = match act {
                Act::PathLink => disk.name == one,
                Act::HostLink => disk.hctl.host == host,
                _ => disk.lun == lun,
            };
            if hit {
                disk.link = link;
            }
        }
    }

    fn rewire(&mut self, act: Act) {
        match act {
            Act::AddDisk => return self.add_missing_disk(),
            Act::RemoveDisk => {
                if let Some(name) = self.any_disk() {
                    self.world.remove_disk(&name);
                }
                return;
            }
            _ => {}
        }
        let Some(name) = self.any_disk() else { return };
        let other = self.rng.below(self.world.luns.len());
        let delay = self.rng.millis(1000..=60_000);
        let says_so = self.rng.per_mille(500);
        let unscanned = self.rng.per_mille(400);
        let Some(disk) = self.world.disks.get_mut(&name) else { return };
        match act {
            Act::Unmap => disk.lun = None,
            Act::WrongSize => {
                disk.scanned.sectors /= 2;
                let event = (libmp::core::event::UeventAction::Change, name.clone());
                self.world.block_events.push(event);
            }
            _ => {
                disk.lun = Some(other);
                disk.attention = disk.attention.or(says_so.then_some((0x3f, 0x0e)));
                disk.group = disk.group.min(self.world.luns[other].groups.len() - 1);
            }
        }
        // The host notices on its next scan. Nobody scans where the array says so itself, now and then.
        if act != Act::WrongSize && !(says_so && unscanned) {
            self.after(delay, Item::Rescan(name));
        }
    }

    /// A LUN grows or shrinks. Each of its disks shows it when it is looked at: at once, late, or not at all.
    fn resize(&mut self) {
        let lun = self.rng.below(self.world.luns.len());
        let sectors = 1024 * self.rng.within(1..=6);
        self.world.luns[lun].identity.sectors = sectors;
        let disks: Vec<String> =
            self.world.disks.values().filter(|d| d.lun == Some(lun)).map(|d| d.name.clone()).collect();
        let together = self.rng.per_mille(500);
        for name in disks {
            if together || self.rng.per_mille(300) {
                self.world.rescan(&name);
            } else if self.rng.per_mille(700) {
                let delay = self.rng.millis(1000..=60_000);
                self.after(delay, Item::Rescan(name));
            }
        }
    }

    /// A LUN becomes visible through a host that doesn't see it yet.
    pub fn add_missing_disk(&mut self) {
        let mut missing = Vec::new();
        for lun in 0..self.world.luns.len() {
            for host in 0..self.hosts {
                let groups = self.world.luns[lun].groups.len();
                let group = usize::try_from(host).expect("few hosts") % groups;
                if !self.world.disks.values().any(|d| d.hctl.host == host && d.lun == Some(lun)) {
                    missing.push(Nexus { lun, host, group });
                }
            }
        }
        if let Some(at) = self.rng.pick(&missing).copied() {
            self.world.add_disk(at);
        }
    }

    fn sicken(&mut self, act: Act) {
        if act == Act::AluaState {
            let lun = self.rng.below(self.world.luns.len());
            let group = self.rng.below(self.world.luns[lun].groups.len());
            let state = Alua::ALL[self.rng.below(Alua::ALL.len())];
            if self.world.luns[lun].alua {
                self.world.luns[lun].groups[group] = state;
            }
            return;
        }
        let Some(name) = self.any_disk() else { return };
        let state = self.rng.weighted(&[
            (5, SdevState::Running),
            (2, SdevState::Offline),
            (2, SdevState::Blocked),
            (2, SdevState::TransportOffline),
        ]);
        if act == Act::HostRecovers {
            let host = self.world.disks[&name].hctl.host;
            let begins = !self.world.disks[&name].recovering;
            let of_host = self.world.disks.values_mut().filter(|disk| disk.hctl.host == host);
            return of_host.for_each(|disk| disk.recovering = begins);
        }
        let Some(disk) = self.world.disks.get_mut(&name) else { return };
        match act {
            Act::DeviceState => disk.state = state,
            Act::ReadsFail => disk.reads_fail = !disk.reads_fail,
            // After switching root the database is empty until the devices are triggered.
            _ => {
                disk.in_udev = None;
                let delay = self.rng.millis(100..=20_000);
                self.after(delay, Item::Rescan(name));
            }
        }
    }

    fn other_tools(&mut self, act: Act) {
        if act == Act::ForeignMap {
            return self.foreign_device();
        }
        if act == Act::ForeignRemove {
            let foreign: Vec<String> = self
                .world
                .dm
                .devices
                .values()
                .filter(|d| d.uuid.is_empty())
                .map(|d| d.name.clone())
                .collect();
            if let Some(name) = self.rng.pick(&foreign) {
                let _ = self.world.dm.remove(name, false);
            }
            return;
        }
        let Some(name) = self.any_map() else { return };
        let minor = self.world.dm.by_name(&name).map_or(0, |d| d.minor);
        self.watch.excuse(self.world.now, minor);
        match act {
            Act::Reload => self.foreign_reload(&name),
            Act::SecondName => {
                let _ = self.world.dm.rename(&name, &format!("{name}x"));
            }
            Act::OpenClose => {
                let open = self.rng.per_mille(500);
                if let Some(device) = self.world.dm.devices.get_mut(&minor) {
                    device.opens = 0;
                }
                if open {
                    let _ = self.world.dm.open(&name);
                }
                self.world.dm.reap_deferred();
            }
            _ => {
                let devts: Vec<String> =
                    self.world.dm.devices[&minor].disks().map(|d| d.devt.to_string()).collect();
                let devt = self.rng.pick(&devts).cloned().unwrap_or_default();
                let group = self.rng.within(1..=2);
                let message = match self.rng.below(7) {
                    0 | 1 => format!("fail_path {devt}"),
                    2 => format!("reinstate_path {devt}"),
                    3 => "queue_if_no_path".into(),
                    4 => "fail_if_no_path".into(),
                    5 => format!("switch_group {group}"),
                    _ => format!("disable_group {group}"),
                };
                let _ = self.world.dm.message(&name, &message);
            }
        }
    }

    /// `dmsetup reload` by hand: a path less, other features, another order.
    fn foreign_reload(&mut self, name: &str) {
        let uuid = self.world.dm.by_name(name).map(|d| d.uuid.clone());
        let Some(raw) = uuid.and_then(|uuid| self.world.dm.read(&uuid)) else { return };
        let Some(target) = raw.targets.first().filter(|t| t.kind == "multipath") else { return };
        let Some(disk) = self.world.dm.by_name(name).and_then(|d| d.disks().next()) else { return };
        let params = match self.rng.below(3) {
            0 => format!("0 0 1 1 service-time 0 1 1 {} 1", disk.devt),
            1 => format!("1 queue_if_no_path 0 1 1 round-robin 0 1 1 {} 1", disk.devt),
            _ => target.table.replacen("1 queue_if_no_path", "0", 1),
        };
        if self.world.load(name, target.sectors, &params, false).is_ok() {
            let _ = self.world.dm.suspend(name, true);
            // A disk is too short for it by now: he lets the map go on with the table that it had.
            let resumed = self.world.dm.resume(name, 0);
            let _ = resumed.or_else(|_| self.world.dm.resume(name, 0));
        }
    }

    /// Somebody else's device-mapper device, under a name that a map may want.
    fn foreign_device(&mut self) {
        let name = match self.rng.below(4) {
            0 => format!("mpath{}", char::from(b'a' + u8::try_from(self.rng.below(4)).expect("small"))),
            1 => format!("vol{}", self.rng.below(4)),
            _ => format!("vg-lv{}", self.rng.below(4)),
        };
        if self.world.dm.create(&name, "").is_ok() {
            let half = |start| Target { start, sectors: 512, kind: Kind::Zero };
            let table = Table { read_only: false, targets: vec![half(0), half(512)] };
            let _ = self.world.dm.load_table(&name, table);
            let _ = self.world.dm.resume(&name, 0);
        }
    }

    fn tell_the_daemon(&mut self, act: Act) {
        match act {
            Act::Command => {
                let command = self.any_command();
                self.after(Duration::ZERO, Item::Command(command));
            }
            Act::Reconfigure => {
                let wwids: Vec<String> = self.world.luns.iter().map(|l| l.identity.wwid.clone()).collect();
                let conf = Conf::random(&mut self.rng, &wwids);
                self.configure(conf);
                let by_signal = self.rng.per_mille(500);
                let item = if by_signal {
                    Item::Tell(Event::Signal(Signal::Reconfigure))
                } else {
                    Item::Command("reconfigure".into())
                };
                self.after(Duration::ZERO, item);
            }
            Act::Kill if self.daemon.is_some() => {
                self.kill();
                let delay = self.rng.millis(50..=30_000);
                self.after(delay, Item::Start);
            }
            Act::Shutdown => {
                let item = if self.rng.per_mille(500) {
                    Item::Tell(Event::Signal(Signal::Terminate))
                } else {
                    Item::Command("shutdown".into())
                };
                self.after(Duration::ZERO, item);
            }
            Act::ClockJump => {
                let jump = self.rng.millis(1000..=600_000);
                self.world.now = self.world.now + jump;
                self.watch.clock_jumped = Some(self.world.now);
                self.excuse_all();
            }
            Act::Fabric => self.fabric_tells(),
            Act::Attention => self.disk_tells(),
            Act::LoseUevents => self.lose_uevents(),
            Act::SpuriousEvents => {
                let event = match self.rng.below(3) {
                    0 => Event::Tick,
                    1 => Event::DmChanged(self.world.dm.list()),
                    _ => Event::UeventsLost,
                };
                self.after(Duration::ZERO, Item::Tell(event));
            }
            _ => {}
        }
    }

    /// Of the port of some disk, if not that all is well again.
    fn fabric_tells(&mut self) {
        let Some(disk) = self.any_disk().and_then(|name| self.world.disks.get(&name)) else { return };
        let host = u16::try_from(disk.hctl.host).expect("few hosts");
        let ports = Wwpn::parse(&disk.target_port()).into_iter().collect();
        let by = self.rng.weighted(&[(3, Impairment::Link(LinkFault(6))), (1, Impairment::Congestion)]);
        let impaired = News::Impaired { by, attached: Wwpn(0), ports };
        let news = if self.rng.per_mille(600) { impaired } else { News::Changed };
        self.after(Duration::ZERO, Item::Tell(Event::Fabric(Message { host, news })));
    }

    /// Whether it is so or not.
    fn disk_tells(&mut self) {
        let Some(disk) = self.any_disk().and_then(|name| self.world.disks.get(&name)) else { return };
        let device = disk.hctl;
        let told = self.rng.weighted(&[
            (2, Attention::AccessStates),
            (1, Attention::Capacity),
            (1, Attention::Identity),
            (2, Attention::Luns),
        ]);
        self.after(Duration::ZERO, Item::Tell(Event::Attention { device, told }));
    }

    fn any_command(&mut self) -> String {
        let path = self.any_disk().unwrap_or_else(|| "sdzz".into());
        let map = self.any_map().unwrap_or_else(|| "nosuch".into());
        let group = self.rng.within(1..=3);
        match self.rng.below(29) {
            0 => "show paths".into(),
            1 => "events".into(),
            2 => "show maps".into(),
            3 => "show topology".into(),
            4 => "show maps json".into(),
            5 => "show status".into(),
            6 => "show daemon".into(),
            7 => "show maps status".into(),
            8 | 9 => format!("fail path {path}"),
            10 | 11 => format!("reinstate path {path}"),
            12 => format!("del path {path}"),
            13 | 14 => format!("add path {path}"),
            15 => format!("del map {map}"),
            16 | 17 => format!("add map {map}"),
            18 => format!("switchgroup map {map} group {group}"),
            19 => format!("disablequeueing map {map}"),
            20 => format!("restorequeueing map {map}"),
            21 => format!("reload map {map}"),
            22 => "bogus".into(),
            23 => format!("explain {path}"),
            25 => "plan".into(),
            24 => format!("explain {map} json"),
            26 | 27 => format!("resize map {map}"),
            _ => format!("show map {map} topology"),
        }
    }
}
