//! LUNs of arrays, and the SCSI disks of the host that lead to them.

use std::collections::BTreeMap;
use std::time::Duration;

use libmp::check::command::ScsiCommand;
use libmp::check::{self, Ask, CheckRequest, RawCheck, ScsiReply};
use libmp::identify::RawProbe;
use libmp::types::{DevT, Errno, Hctl, Instant};

use super::scsi::{self, Alua};

/// Index of a LUN in its world; a LUN never goes, it is only unmapped.
pub type LunId = usize;

/// What a LUN shows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As udev's `ID_SERIAL`; empty where the LUN has no designator.
    pub wwid: String,
    pub serial: String,
    pub sectors: u64,
    pub vendor: String,
    pub product: String,
}

/// A LUN of an array, behind one or more target port groups.
#[derive(Debug, Clone)]
pub struct Lun {
    pub identity: Identity,
    /// State of each target port group; group N is number N+1.
    pub groups: Vec<Alua>,
    /// Does it say so (implicit ALUA)?
    pub alua: bool,
    /// It does not tell its size where it serves no I/O.
    pub sizeless: bool,
}

impl Lun {
    /// What the kernel finds through a group.
    pub fn scan(&self, group: usize) -> Identity {
        let mut found = self.identity.clone();
        if self.sizeless && !self.groups[group].serves_io() {
            found.sectors = 0;
        }
        found
    }
}

/// The way from host to array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    Up,
    /// Every command fails at once.
    Down,
    /// No command ends until the link is up or down again.
    Hung,
}

/// `device/state` in sysfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SdevState {
    Running,
    Offline,
    Blocked,
    TransportOffline,
}

impl SdevState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Offline => "offline",
            Self::Blocked => "blocked",
            Self::TransportOffline => "transport-offline",
        }
    }
}

/// How often what is known of a disk is read to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    #[default]
    Always,
    Once,
    Never,
}

/// One SCSI disk (`sda`): a path.
#[derive(Debug, Clone)]
pub struct Disk {
    pub name: String,
    pub devt: DevT,
    pub hctl: Hctl,
    /// Tells two devices of the same number apart.
    pub generation: u64,
    /// When it appeared, under a number that no disk had before: another may still be in a table, for all that is known.
    pub new_since: Option<Instant>,
    /// What the address leads to now; `None`: the array maps nothing there.
    pub lun: Option<LunId>,
    /// Index of its target port group.
    pub group: usize,
    pub link: Link,
    pub state: SdevState,
    /// TEST UNIT READY succeeds, every read and write fails.
    pub reads_fail: bool,
    /// Is what sysfs and udev's database have of it read to the end?
    pub reading: Reading,
    /// Older than SPC-2: the kernel reads no pages of vital product data.
    pub old: bool,
    /// Its handler is attached later: sysfs has no access state of it yet.
    pub late_handler: bool,
    /// A namespace of NVMe over TCP.
    pub tcp: bool,
    /// Reading page 0x83 failed when it was scanned: the kernel has the others.
    pub page_lost: bool,
    /// A rescan meets it when it does not run, whatever it does before and after.
    pub unread_by_rescans: bool,
    /// The daemon could not have udev look at it again.
    pub unannounced: bool,
    /// udev does not come to look at it: its rules hang, or their worker is waited for.
    pub unlooked: bool,
    /// Something else has it open exclusively: no table is loaded with it.
    pub busy: bool,
    /// Its host recovers from errors: who opens it waits for the end of that.
    pub recovering: bool,
    pub read_only: bool,
    /// What the kernel learnt when it scanned the disk: sysfs shows this, not the LUN of now.
    pub scanned: Identity,
    /// What udev's database has; `None` before its rules ran.
    pub in_udev: Option<Identity>,
    /// udev's rules do not find out its World Wide Name, but for its serial number.
    pub wwn_lost: bool,
    /// What udev's rules made of it: is it a path?
    pub claimed: bool,
    /// What is set below it.
    pub layers: super::layers::Layers,
    /// Code and qualifier of a unit attention that is still to be told.
    pub attention: Option<(u8, u8)>,
    /// I/O that the hung link holds: (minor of the map, tag).
    pub held: Vec<super::io::Bio>,
}

/// What becomes of a read or write sent to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Done(LunId),
    Error,
    Hangs,
}

/// What a check would hear, were it to end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Good,
    NotReady(u8),
    NotMapped,
    NoConnect,
    Nothing,
}

impl Disk {
    /// What becomes of a read or write.
    pub fn fate(&self, luns: &[Lun]) -> Fate {
        match self.answer(luns) {
            // The kernel fails what is beyond its size.
            Answer::Good if !self.reads_fail && self.scanned.sectors > 0 => {
                self.lun.map_or(Fate::Error, Fate::Done)
            }
            Answer::Nothing => Fate::Hangs,
            _ => Fate::Error,
        }
    }

    /// Would reads and writes end well, and does the checker say so too?
    pub fn is_healthy(&self, luns: &[Lun]) -> bool {
        matches!(self.fate(luns), Fate::Done(_))
    }

    /// Does it satisfy its checker, and yet serve no I/O?
    pub fn is_standby(&self, luns: &[Lun]) -> bool {
        self.answer(luns) == Answer::NotReady(0x0b)
    }

    fn answer(&self, luns: &[Lun]) -> Answer {
        match (self.state, self.link) {
            (SdevState::Blocked, _) | (SdevState::Running, Link::Hung) => Answer::Nothing,
            (SdevState::Running, Link::Up) => {
                let Some(lun) = self.lun else { return Answer::NotMapped };
                match luns[lun].groups[self.group] {
                    state if state.serves_io() => Answer::Good,
                    Alua::Transitioning => Answer::NotReady(0x0a),
                    Alua::Standby => Answer::NotReady(0x0b),
                    _ => Answer::NotReady(0x0c),
                }
            }
            _ => Answer::NoConnect,
        }
    }

    /// `scsi_rescan_device`: nothing is read of a disk that does not run. Where the commands of one that runs fail, its pages are as
    /// they were (`scsi_update_vpd_page`), and it has no size (`read_capacity_error`).
    pub fn read_anew(&mut self, luns: &[Lun]) {
        let reached = matches!(self.answer(luns), Answer::Good | Answer::NotReady(_));
        match self.lun.filter(|_| reached) {
            _ if self.state != SdevState::Running || self.unread_by_rescans => {}
            Some(lun) => {
                self.scanned = luns[lun].scan(self.group);
                self.page_lost = false;
            }
            None => self.scanned.sectors = 0,
        }
    }

    /// Does a rescan wait for the answers to its commands?
    pub fn holds_rescan(&self) -> bool {
        (self.state, self.link) == (SdevState::Running, Link::Hung)
    }

    /// Would a check get no answer?
    pub fn hangs(&self, luns: &[Lun]) -> bool {
        self.answer(luns) == Answer::Nothing
    }

    /// The answer to a check that is performed now (and doesn't hang).
    pub fn check(&self, luns: &[Lun], request: &CheckRequest) -> RawCheck {
        let answers = request.asks.iter().map(|ask| self.answer_to(luns, ask)).collect();
        RawCheck { sysfs_state: Some(self.state.as_str().into()), answers }
    }

    /// A unit attention takes the place of one answer, of a command that does not leave it alone (SAM-5 5.14).
    pub fn tell_attention(&mut self, request: &CheckRequest, raw: &mut RawCheck) {
        let heeds = |ask: &Ask| matches!(ask, Ask::Scsi(command) if command.cdb()[0] != 0x12);
        let first = request.asks.iter().zip(&mut raw.answers).find(|(ask, _)| heeds(ask));
        if let Some((_, check::Answer::Scsi(reply))) = first
            && reply.host_status == 0
            && let Some((code, qualifier)) = self.attention.take()
        {
            *reply = scsi::sense(0x06, code, qualifier);
        }
    }

    fn answer_to(&self, luns: &[Lun], ask: &Ask) -> check::Answer {
        let runs = self.state == SdevState::Running;
        let answer = self.answer(luns);
        match ask {
            Ask::AccessState => check::Answer::AccessState {
                access_state: self.access_state(luns),
                preferred_path: self.lun.filter(|lun| luns[*lun].alua).map(|_| "0".into()),
            },
            _ if !runs => check::Answer::NotAsked,
            Ask::Scsi(command) => check::Answer::Scsi(self.execute(luns, command, answer)),
            Ask::DirectRead if answer == Answer::Good && !self.reads_fail => check::Answer::Read(4096),
            Ask::TimedReads { count, .. } if answer == Answer::Good && !self.reads_fail => {
                let took = Duration::from_micros(if self.group == 0 { 200 } else { 3000 });
                check::Answer::TimedReads(vec![took; usize::from(*count)])
            }
            Ask::DirectRead | Ask::TimedReads { .. } => check::Answer::Failed(Errno::EIO),
            Ask::Nvme(_) => check::Answer::Failed(Errno(25)),
        }
    }

    /// What becomes of a SCSI command.
    fn execute(&self, luns: &[Lun], command: &ScsiCommand, answer: Answer) -> ScsiReply {
        let lun = self.lun.map(|id| &luns[id]);
        let reached = matches!(answer, Answer::Good | Answer::NotReady(_));
        match (command.cdb(), lun) {
            ([0x00, ..], _) => Self::reply(answer, Vec::new()),
            ([0x28, ..], _) if self.reads_fail && answer == Answer::Good => scsi::sense(0x03, 0x11, 0),
            ([0x28, ..], _) => Self::reply(answer, vec![0; 512]),
            // Two of the few commands that are served in every state.
            ([0x12, 1, 0x80, ..], _) if reached && self.old => scsi::good(scsi::vpd80(&self.scanned.serial)),
            ([0x12, 1, 0x80, ..], Some(lun)) if reached => scsi::good(scsi::vpd80(&lun.identity.serial)),
            ([0x12, 1, 0x83, ..], Some(lun)) if reached && !self.old => {
                scsi::good(scsi::vpd83(&lun.identity.wwid, self.port_number(), self.port_number()))
            }
            ([0xa3, action, ..], Some(lun)) if reached && lun.alua => {
                // A part of the arrays knows the plain header only.
                let extended = action >> 5 == 1;
                match (extended, lun.identity.serial.len() % 2) {
                    (true, 0) => scsi::sense(0x05, 0x24, 0),
                    (true, _) => scsi::good(scsi::extended(&scsi::target_port_groups(&lun.groups))),
                    (false, _) => scsi::good(scsi::target_port_groups(&lun.groups)),
                }
            }
            ([0xa3, ..], _) if reached => scsi::sense(0x05, 0x20, 0),
            (_, _) if reached => scsi::sense(0x05, 0x24, 0),
            _ => Self::reply(answer, Vec::new()),
        }
    }

    fn reply(answer: Answer, data: Vec<u8>) -> ScsiReply {
        match answer {
            Answer::Good => scsi::good(data),
            Answer::NotReady(ascq) => scsi::sense(0x02, 0x04, ascq),
            Answer::NotMapped => scsi::sense(0x05, 0x25, 0),
            // DID_NO_CONNECT; a command that timed out in error handling ends as DID_TIME_OUT.
            Answer::NoConnect => scsi::host_error(0x01),
            Answer::Nothing => scsi::host_error(0x03),
        }
    }

    fn access_state(&self, luns: &[Lun]) -> Option<String> {
        let lun = &luns[self.lun?];
        (lun.alua && !self.late_handler).then(|| lun.groups[self.group].as_str().into())
    }

    /// Its properties in udev's database, as they are now.
    pub fn properties(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let mut set = |key: &str, value: String| {
            all.insert(key.to_owned(), value);
        };
        set("DEVTYPE", "disk".into());
        set("SUBSYSTEM", "block".into());
        set("DEVNAME", format!("/dev/{}", self.name));
        set("DEVPATH", self.syspath());
        set("MAJOR", self.devt.major.to_string());
        set("MINOR", self.devt.minor.to_string());
        let Some(identity) = &self.in_udev else { return all };
        set("DM_MULTIPATH_DEVICE_PATH", u8::from(self.claimed).to_string());
        set("ID_BUS", "scsi".into());
        set("ID_TYPE", "disk".into());
        set("ID_VENDOR", identity.vendor.clone());
        set("ID_MODEL", identity.product.clone());
        if !identity.wwid.is_empty() {
            set("ID_SERIAL", identity.wwid.clone());
            set("ID_SERIAL_SHORT", identity.wwid[1..].to_owned());
            if self.tcp {
                set("ID_WWN", identity.wwid.clone());
            } else if !self.wwn_lost {
                set("ID_WWN", format!("0x{}", &identity.wwid[1..17.min(identity.wwid.len())]));
            }
            set("ID_SCSI_SERIAL", identity.serial.clone());
        }
        all
    }

    fn syspath(&self) -> String {
        let Hctl { host, channel, target, .. } = self.hctl;
        let (hctl, name) = (self.hctl, &self.name);
        if self.tcp {
            return format!("/devices/virtual/nvme-fabrics/ctl/nvme{host}/{name}");
        }
        format!(
            "/devices/pci0000:00/0000:00:0{}.0/host{host}/rport-{host}:{channel}-{target}/target{host}:{channel}:{target}/{hctl}/block/{name}",
            host + 2
        )
    }

    /// Name of the array's port that it goes through.
    pub fn target_port(&self) -> String {
        format!("0x51000000000000{:02}", self.group + 1)
    }

    /// Of the array's port, and of its group.
    fn port_number(&self) -> u16 {
        u16::try_from(self.group + 1).expect("few groups")
    }

    /// What a probe reads of it now.
    pub fn probe(&self, luns: &[Lun]) -> RawProbe {
        let seen = &self.scanned;
        if self.tcp {
            return RawProbe {
                devt: self.devt,
                sectors: seen.sectors,
                read_only: self.read_only,
                syspath: self.syspath(),
                state: Some("live".into()),
                model: seen.product.clone().into_bytes(),
                max_sectors_kb: Some(self.layers.max_sectors_kb),
                block_size: Some(512),
                transport: [("transport".into(), "tcp".into())].into(),
                udev_initialized: self.in_udev.is_some(),
                properties: if self.in_udev.is_some() { self.properties() } else { BTreeMap::new() },
                ..RawProbe::default()
            };
        }
        let alua = self.lun.is_some_and(|lun| luns[lun].alua);
        let number = self.port_number();
        let named = !seen.wwid.is_empty() && !self.old;
        let mut transport = BTreeMap::new();
        transport.insert("fc_host/port_name".into(), format!("0x10000000c900000{}", self.hctl.host));
        transport.insert("fc_host/node_name".into(), format!("0x20000000c900000{}", self.hctl.host));
        transport.insert("fc_remote_ports/node_name".into(), format!("0x50000000000000{number:02}"));
        transport.insert("fc_remote_ports/port_name".into(), self.target_port());
        self.layers.show(&mut transport);
        RawProbe {
            devt: self.devt,
            sectors: seen.sectors,
            read_only: self.read_only,
            syspath: self.syspath(),
            hctl: Some(self.hctl),
            state: Some(self.state.as_str().into()),
            vendor: scsi::inquiry_text(&seen.vendor, 8),
            model: scsi::inquiry_text(&seen.product, 16),
            revision: b"0001".to_vec(),
            vpd0: if self.page_lost { vec![0, 0, 0, 3, 0, 0x80, 0x83] } else { Vec::new() },
            vpd80: if named { scsi::vpd80(&seen.serial) } else { Vec::new() },
            vpd83: if named && !self.page_lost {
                scsi::vpd83(&seen.wwid, number, number)
            } else {
                Vec::new()
            },
            inquiry: scsi::inquiry(&seen.vendor, &seen.product, if self.old { 3 } else { 6 }, alua),
            wwid_attr: named.then(|| format!("naa.{}", &seen.wwid[1..])),
            dh_state: Some(if alua { "alua" } else { "detached" }.into()),
            access_state: self.access_state(luns),
            preferred_path: alua.then(|| "0".into()),
            timeout_s: Some(30),
            max_sectors_kb: Some(self.layers.max_sectors_kb),
            block_size: Some(512),
            transport,
            udev_initialized: self.in_udev.is_some(),
            properties: if self.in_udev.is_some() { self.properties() } else { BTreeMap::new() },
        }
    }
}

/// Name and number of the SCSI disk with this index (`sd_format_disk_name`, `sd_major` in sd.c).
pub fn name_and_number(index: u32) -> (String, DevT) {
    let mut name = Vec::new();
    let mut rest = index;
    loop {
        name.push(b'a' + u8::try_from(rest % 26).expect("below 26"));
        if rest < 26 {
            break;
        }
        rest = rest / 26 - 1;
    }
    name.extend(b"ds");
    name.reverse();
    let major = match (index >> 4) & 15 {
        0 => 8,
        block @ 1..=7 => 64 + block,
        block => 120 + block,
    };
    (String::from_utf8(name).expect("letters"), DevT::new(major, (index & 15) << 4 | (index & 0xfff00)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_named_and_numbered_as_sd_does() {
        for (index, name, devt) in [
            (0, "sda", "8:0"),
            (15, "sdp", "8:240"),
            (16, "sdq", "65:0"),
            (25, "sdz", "65:144"),
            (26, "sdaa", "65:160"),
            (128, "sddy", "128:0"),
            (256, "sdiw", "8:256"),
            (1000, "sdalm", "134:896"),
        ] {
            let (is, number) = name_and_number(index);
            assert_eq!((is.as_str(), number.to_string().as_str()), (name, devt));
        }
    }
}
