//! The real kernel beside the contract that the simulated one is held to, too (`tests/contract`).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use contract::{Act, DiskAct, Kernel};
use libmp::core::event::DmDone;
use libmp::dm::op::{DmOp, MapListEntry, RawMap, UUID_PREFIX, UdevFlags};
use libmp::types::{DevT, Errno};
use multipathd::sys::dm::Mapper;
use multipathd::sys::sysfs;

use super::{LIMIT, Lun, lun, mapper, udev_settle, wait_until};

/// What isn't answered in this time waits.
const WAITS: Duration = Duration::from_millis(700);
/// The kernel counts a map's event, and tells of it, a moment after what it is about (`trigger_event`).
const EVENT: Duration = Duration::from_millis(20);
/// udev is not to read from maps: which group I/O has used is a part of what is compared.
const RULES: &str = "/run/udev/rules.d/12-contract.rules";
const RULE: &str = "KERNEL==\"dm-*\", ENV{DM_NOSCAN}=\"1\", OPTIONS:=\"nowatch\"\n";
const WRITE_PROTECT: &str = "/sys/module/scsi_debug/parameters/wp";
const DIRECT: i32 = 0o40_000;
const EXCLUSIVE: i32 = 0o200;

struct Real {
    mapper: Mapper,
    lun: Lun,
    open: BTreeMap<String, File>,
    seized: BTreeMap<usize, File>,
    reads: Vec<Receiver<String>>,
    asked: Instant,
}

impl Real {
    fn new() -> Self {
        let (mapper, lun) = (mapper(), lun());
        // Whether it is depends on what was loaded before; it can't be detached.
        assert!(Process::new("modprobe").arg("scsi_dh_alua").status().expect("modprobe").success());
        for (name, _) in &lun.paths {
            if sysfs::attribute(name, "device/dh_state").as_deref() != Some("alua") {
                sysfs::write(name, None, "device/dh_state", "alua").expect("attached");
            }
        }
        let (open, seized, reads) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { mapper, lun, open, seized, reads, asked: Instant::now() }
    }

    /// The kernel's own, which is there as soon as the kernel lets it be opened.
    fn node(&self, name: &str) -> PathBuf {
        let all = self.mapper.list().expect("listed");
        let entry = all.iter().find(|entry| entry.name.as_str() == name).expect("there");
        Path::new("/dev").join(format!("dm-{}", entry.devt.minor))
    }

    fn read_block(&mut self, name: &str) -> String {
        let (sender, receiver) = channel();
        let node = self.node(name);
        std::thread::spawn(move || sender.send(first_block(&node)));
        receiver.recv_timeout(WAITS).unwrap_or_else(|_| {
            self.reads.push(receiver);
            "waits".into()
        })
    }

    fn disk(&mut self, path: usize, act: DiskAct) {
        let name = &self.lun.paths[path].0;
        let set = |attribute, value| sysfs::write(name, None, attribute, value).expect("written");
        let protected = |value| {
            fs::write(WRITE_PROTECT, value).expect("written");
            set("device/rescan", "1");
        };
        match act {
            DiskAct::Seize => {
                let node = Path::new("/dev").join(name.as_str());
                let open = OpenOptions::new().read(true).custom_flags(EXCLUSIVE).open(node);
                self.seized.insert(path, open.expect("nobody else has it"));
            }
            DiskAct::Release => drop(self.seized.remove(&path)),
            DiskAct::Offline => set("device/state", "offline"),
            DiskAct::Online => set("device/state", "running"),
            DiskAct::Protect => protected("1"),
            DiskAct::Unprotect => protected("0"),
        }
    }
}

impl Kernel for Real {
    fn perform(&mut self, uuid: &str, op: &DmOp) -> DmDone {
        let done = self.mapper.perform(uuid, op);
        settle();
        self.asked = Instant::now();
        done
    }

    fn read(&mut self, uuid: &str) -> Result<Option<RawMap>, Errno> {
        self.mapper.read(uuid)
    }

    fn list(&mut self) -> Result<Vec<MapListEntry>, Errno> {
        self.mapper.list()
    }

    fn paths(&self) -> [DevT; 2] {
        [self.lun.paths[0].1, self.lun.paths[1].1]
    }

    fn sectors(&self) -> u64 {
        self.lun.sectors
    }

    fn act(&mut self, act: &Act) -> String {
        let answer = match act {
            Act::Load { uuid, load } => {
                let table = format!("0 {} multipath {}", load.sectors, load.params);
                let mode: &[&str] = if load.read_only { &["--readonly"] } else { &[] };
                dmsetup(&[&["load", "-u", uuid, "--table", &table], mode].concat())
            }
            Act::Make { uuid, name } => dmsetup(&["create", name, "-u", uuid, "--notable"]),
            Act::Linear { uuid, name, on } => {
                dmsetup(&["create", name, "-u", uuid, "--table", &format!("0 8 linear {on} 0")])
            }
            Act::Open(name) => match File::open(self.node(name)) {
                Ok(file) => {
                    self.open.insert(name.clone(), file);
                    "ok".into()
                }
                Err(_) => "refused".into(),
            },
            Act::Close(name) => {
                drop(self.open.remove(name));
                "ok".into()
            }
            Act::Read(name) => self.read_block(name),
            Act::Await => {
                let ended =
                    |read: Receiver<String>| read.recv_timeout(LIMIT).unwrap_or_else(|_| "not over".into());
                self.reads.drain(..).map(ended).collect::<Vec<_>>().join(", ")
            }
            Act::Disk(path, act) => {
                self.disk(*path, *act);
                "ok".into()
            }
        };
        settle();
        self.asked = Instant::now();
        answer
    }

    fn is_to_be_looked_at_again(&mut self) -> bool {
        let again = self.asked.elapsed() < LIMIT;
        if again {
            std::thread::sleep(EVENT);
        }
        again
    }
}

/// Whatever a case has left goes.
impl Drop for Real {
    fn drop(&mut self) {
        self.open.clear();
        for path in 0..2 {
            for act in [DiskAct::Release, DiskAct::Online, DiskAct::Unprotect] {
                self.disk(path, act);
            }
        }
        wait_until("nothing is left", || {
            let all = self.mapper.list().expect("listed");
            for map in &all {
                if map.uuid.starts_with(UUID_PREFIX) {
                    let messages = vec!["fail_if_no_path".into()];
                    self.mapper.perform(&map.uuid, &DmOp::Message { messages });
                    self.mapper.perform(&map.uuid, &DmOp::Resume { flags: UdevFlags::default() });
                    self.mapper.perform(&map.uuid, &DmOp::Remove { deferred: false });
                } else {
                    dmsetup(&["remove", map.name.as_str()]);
                }
            }
            all.is_empty()
        });
    }
}

fn settle() {
    udev_settle();
    std::thread::sleep(EVENT);
}

fn dmsetup(words: &[&str]) -> String {
    let done = Process::new("dmsetup").args(words).output().expect("dmsetup");
    if done.status.success() { "ok" } else { "refused" }.into()
}

fn said(why: &std::io::Error) -> String {
    let errno = Errno(why.raw_os_error().unwrap_or_default()).to_string();
    errno.split(':').next().unwrap_or_default().to_owned()
}

fn first_block(node: &Path) -> String {
    let read = OpenOptions::new().read(true).custom_flags(DIRECT).open(node).and_then(|mut file| {
        let mut buffer = vec![0; 8 << 10];
        let start = buffer.as_ptr().align_offset(4 << 10);
        file.read_exact(&mut buffer[start..start + (4 << 10)])
    });
    read.map_or_else(|why| said(&why), |()| "done".into())
}

pub fn the_kernel_does_what_the_contract_says() {
    fs::create_dir_all(Path::new(RULES).parent().expect("a folder")).expect("made");
    let with_rules = |rule: &str| {
        fs::write(RULES, rule).expect("written");
        assert!(Process::new("udevadm").args(["control", "--reload"]).status().expect("udevadm").success());
    };
    with_rules(RULE);
    let mut broken = 0;
    for case in contract::cases() {
        if let Err(differs) = case.hold(&mut Real::new()) {
            println!("## {}\n{differs}", case.name);
            broken += 1;
        }
    }
    with_rules("");
    assert_eq!(broken, 0, "cases that this kernel does not keep to");
}
