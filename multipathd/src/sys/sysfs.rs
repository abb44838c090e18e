//! What sysfs and udev's database know of disks. Attributes only: no I/O on a device.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use libmp::identify::protocol::attr;
use libmp::identify::{Bus, RawProbe};
use libmp::types::{DevT, Errno, Hctl, PathName};
use nix::fcntl::{self, OFlag};
use nix::sys::stat::Mode;

use super::{database, errno_of};

const BLOCK: &str = "/sys/block";
/// More than any attribute: they are a page, binary ones may be longer.
const ATTRIBUTE_MAX: usize = 64 << 10;
/// Most attributes are shorter by far, and it is zeroed.
const PIECE: usize = 1024;
/// Standard INQUIRY data has at least so many bytes (SPC-4 6.4.2); of less, the kernel makes up the rest for its attributes.
const INQUIRY_MIN: usize = 36;

/// Kernel names of all block disks, sorted.
pub fn disks() -> Result<Vec<PathName>, Errno> {
    let mut names = Vec::new();
    for entry in fs::read_dir(BLOCK).map_err(|error| errno_of(&error))? {
        let entry = entry.map_err(|error| errno_of(&error))?;
        names.push(PathName::new(entry.file_name().to_string_lossy()));
    }
    names.sort();
    Ok(names)
}

/// Everything of a path that can be had without asking it.
pub fn probe(name: &PathName) -> Result<RawProbe, Errno> {
    Ok(probe_and_keep(name)?.0)
}

/// The same, and what each check of the path reads again, open.
pub fn probe_and_keep(name: &PathName) -> Result<(RawProbe, Kept), Errno> {
    let (mut probe, kept) = look(name, Depth::All)?;
    probe.udev_initialized = database::add(probe.devt, &mut probe.properties)?;
    Ok((probe, kept))
}

/// Who a path is, without udev's database: what its rules know of it while they run, they say in the environment. How it does,
/// and what can be set of it, is left out: they ask at every event.
pub fn identity(name: &PathName) -> Result<RawProbe, Errno> {
    Ok(look(name, Depth::Identity)?.0)
}

/// How much of a path is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Who it is.
    Identity,
    /// That, how it does, and what can be set of it.
    All,
}

fn look(name: &PathName, depth: Depth) -> Result<(RawProbe, Kept), Errno> {
    let real = behind(&block_dir(name)?).map_err(|error| errno_of(&error))?;
    let short = Shortage::default();
    let block = Dir::open(&real, &short);
    let device = block.dir("device");
    // `…/1:0:0:0/block/sda`: a SCSI disk, below its address. What only others have is not looked for there.
    let hctl: Option<Hctl> = real
        .parent()
        .and_then(Path::parent)
        .and_then(Path::file_name)
        .and_then(|name| name.to_str()?.parse().ok());
    let mut properties = block.text("uevent").map(|uevent| database::of_kernel(&uevent)).unwrap_or_default();
    let number = |key| properties.get(key).and_then(|number| number.parse().ok()).ok_or(Errno::ENXIO);
    let [major, minor] = ["MAJOR", "MINOR"].map(number);
    short.none()?;
    let devt = DevT { major: major?, minor: minor? };
    let syspath = real.strip_prefix("/sys").map_or_else(|_| lossy(&real), |path| format!("/{}", lossy(path)));
    properties.extend([("DEVPATH".into(), syspath.clone()), ("SUBSYSTEM".into(), "block".into())]);
    let inquiry = device.bytes("inquiry");
    let [vendor, model, revision] = names(&device, &inquiry);
    let mut probe = RawProbe {
        devt,
        sectors: block.number("size").unwrap_or_default(),
        syspath,
        hctl,
        vendor,
        model,
        revision,
        vpd0: device.bytes("vpd_pg0"),
        vpd80: device.bytes("vpd_pg80"),
        vpd83: device.bytes("vpd_pg83"),
        inquiry,
        // The pages say who a SCSI disk is.
        wwid_attr: Some(&block)
            .filter(|_| Bus::of(name.as_str()) != Bus::Scsi)
            .and_then(|block| block.text("wwid").or_else(|| device.text("wwid"))),
        transport: transport(&real, [&block, &device], hctl.is_some(), depth),
        properties,
        ..RawProbe::default()
    };
    let kept = match depth {
        Depth::Identity => Kept::default(),
        Depth::All => add_state(&mut probe, &block, &device),
    };
    short.none()?;
    Ok((probe, kept))
}

/// How a path does, and what can be set of it.
fn add_state(probe: &mut RawProbe, block: &Dir<'_>, device: &Dir<'_>) -> Kept {
    let kept = Kept {
        state: device.attribute("state"),
        access_state: device.attribute("access_state"),
        preferred_path: device.attribute("preferred_path"),
    };
    let value = |kept: &Option<Attribute>| block.1.heed(kept.as_ref()?.read());
    probe.state = value(&kept.state);
    probe.access_state = value(&kept.access_state);
    probe.preferred_path = value(&kept.preferred_path);
    probe.read_only = block.text("ro").is_some_and(|ro| ro != "0");
    probe.dh_state = device.text("dh_state");
    probe.timeout_s = device.number("timeout");
    probe.max_sectors_kb = block.number("queue/max_sectors_kb");
    probe.block_size = block.number("queue/logical_block_size").and_then(|size| size.try_into().ok());
    kept
}

/// Vendor, model and revision. The kernel's attributes of these names are the fields of the INQUIRY data, up to a NUL.
fn names(device: &Dir<'_>, inquiry: &[u8]) -> [Vec<u8>; 3] {
    let fields = [("vendor", 8..16), ("model", 16..32), ("rev", 32..36)];
    let [vendor, model, revision] = fields.map(|(attribute, place)| match inquiry.get(place) {
        Some(field) if inquiry.len() >= INQUIRY_MIN => {
            field.iter().copied().take_while(|byte| *byte != 0).collect()
        }
        _ => device.line(attribute),
    });
    [vendor, model, or_else(revision, || device.line("firmware_rev"))]
}

/// Writes an attribute below `/sys/block/NAME/`, or of a layer (`CLASS/ATTRIBUTE`), as `echo` would:
/// some (`device/state`) want the newline. `ENXIO` where the disk of that name is another one. May block
/// (`device/delete` does). An `uevent` is one of its partitions as well, after it: what udev's rules make of them follows from it.
pub fn write(name: &PathName, devt: Option<DevT>, attribute: &str, value: &str) -> Result<(), Errno> {
    let block = block_dir(name)?;
    let path = layer_of(&block, attribute).unwrap_or_else(|| block.join(attribute));
    let open = |path: PathBuf| fs::OpenOptions::new().write(true).open(path);
    let line = format!("{value}\n");
    let mut file = open(path).map_err(|error| errno_of(&error))?;
    // What is open stays the one disk's: when that goes, the write fails.
    let there = self::attribute(name, "dev").and_then(|dev| dev.parse().ok());
    if devt.is_some() && there != devt {
        return Err(Errno::ENXIO);
    }
    file.write_all(line.as_bytes()).map_err(|error| errno_of(&error))?;
    if attribute == "uevent" {
        let parts = partitions(name).map_err(|error| errno_of(&error))?;
        for (_, dir) in parts {
            // One that cannot be told has gone by now.
            let _ = open(dir.join("uevent")).and_then(|mut file| file.write_all(line.as_bytes()));
        }
    }
    Ok(())
}

/// Names and directories of a disk's partitions; none of a disk that has gone.
pub(super) fn partitions(disk: &PathName) -> io::Result<Vec<(String, PathBuf)>> {
    let dir = block_dir(disk).map_err(|errno| io::Error::from_raw_os_error(errno.0));
    let entries = match dir.and_then(fs::read_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // A partition's name is the disk's, and more.
        if name.starts_with(disk.as_str()) && entry.path().join("partition").exists() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

/// An attribute of a path, trimmed; `None` where it can't be read.
pub fn attribute(name: &PathName, attribute: &str) -> Option<String> {
    let bytes = read_whole(&fs::File::open(block_dir(name).ok()?.join(attribute)).ok()?).ok()?;
    Some(trimmed(&bytes))
}

/// An attribute that is read again and again: kept open, so that a read is one call.
#[derive(Debug)]
pub struct Attribute(fs::File);

impl Attribute {
    /// Opens that of the block device with this number, whatever its name is; `None` where it can't be.
    pub fn open(devt: DevT, attribute: &str) -> Option<Self> {
        fs::File::open(format!("/sys/dev/block/{devt}/{attribute}")).ok().map(Self)
    }

    /// Its value now, trimmed; an error where its device is gone.
    pub fn read(&self) -> Result<String, Errno> {
        let mut bytes = [0; 256];
        let count = self.0.read_at(&mut bytes, 0).map_err(|error| errno_of(&error))?;
        Ok(trimmed(&bytes[..count]))
    }
}

/// Attributes of a path that are read again and again.
#[derive(Debug, Default)]
pub struct Kept {
    /// `device/state`.
    pub state: Option<Attribute>,
    /// `device/access_state`, where there is one.
    pub access_state: Option<Attribute>,
    /// `device/preferred_path`, where there is one.
    pub preferred_path: Option<Attribute>,
}

/// `/sys/block/NAME`, for a name that stays inside.
fn block_dir(name: &PathName) -> Result<PathBuf, Errno> {
    let name = name.as_str();
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err(Errno::EINVAL);
    }
    Ok(Path::new(BLOCK).join(name))
}

fn lossy(path: &Path) -> String {
    String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned()
}

fn trimmed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().into()
}

fn or_else(bytes: Vec<u8>, other: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    if bytes.is_empty() { other() } else { bytes }
}

/// The directory that a link in `/sys/block` leads to. It goes up to `/sys`, then down without further
/// links: one call tells, where `canonicalize` makes one for each component.
fn behind(link: &Path) -> io::Result<PathBuf> {
    let target = fs::read_link(link)?;
    let down = target.components().filter(|part| *part != Component::ParentDir);
    Ok(Path::new("/sys").join(down.collect::<PathBuf>()))
}

/// Reads an attribute, or another short file, whole. The kernel gives as much of it at once as there is room: what doesn't
/// fill that is the end.
pub(super) fn read_whole(file: &fs::File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut piece = [0; PIECE];
    loop {
        let count = file.read_at(&mut piece, bytes.len() as u64)?;
        bytes.extend_from_slice(&piece[..count]);
        if count < PIECE || bytes.len() >= ATTRIBUTE_MAX {
            return Ok(bytes);
        }
    }
}

/// What this host was short of, memory or files: then an attribute that is missing may be there all the same.
#[derive(Debug, Default)]
struct Shortage(Cell<Option<Errno>>);

impl Shortage {
    fn none(&self) -> Result<(), Errno> {
        self.0.get().map_or(Ok(()), Err)
    }

    fn note<T>(&self, result: Result<T, impl Into<io::Error>>) -> Option<T> {
        self.heed(result.map_err(|error| errno_of(&error.into())))
    }

    fn heed<T>(&self, result: Result<T, Errno>) -> Option<T> {
        let noted =
            |errno: &Errno| self.0.set(self.0.get().or(Some(*errno).filter(|errno| errno.is_shortage())));
        result.inspect_err(noted).ok()
    }
}

/// A directory of attributes, found once; one that is not there has none.
struct Dir<'a>(Option<OwnedFd>, &'a Shortage);

impl<'a> Dir<'a> {
    fn open(path: &Path, short: &'a Shortage) -> Self {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Self(short.note(fcntl::open(path, flags, Mode::empty())), short)
    }

    /// The directory below it that a link leads to.
    fn dir(&self, link: &str) -> Self {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let below = self.0.as_ref().map(|dir| fcntl::openat(dir, link, flags, Mode::empty()));
        Self(below.and_then(|below| self.1.note(below)), self.1)
    }

    fn open_file(&self, attribute: &str) -> Option<fs::File> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        self.1.note(fcntl::openat(self.0.as_ref()?, attribute, flags, Mode::empty())).map(Into::into)
    }

    fn attribute(&self, attribute: &str) -> Option<Attribute> {
        self.open_file(attribute).map(Attribute)
    }

    fn read(&self, attribute: &str) -> Option<Vec<u8>> {
        self.1.note(read_whole(&self.open_file(attribute)?))
    }

    fn bytes(&self, attribute: &str) -> Vec<u8> {
        let mut bytes = self.read(attribute).unwrap_or_default();
        bytes.truncate(ATTRIBUTE_MAX);
        bytes
    }

    /// Without its newline, blanks kept.
    fn line(&self, attribute: &str) -> Vec<u8> {
        let mut bytes = self.bytes(attribute);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        bytes
    }

    fn text(&self, attribute: &str) -> Option<String> {
        let bytes = self.read(attribute)?;
        Some(trimmed(&bytes))
    }

    fn number(&self, attribute: &str) -> Option<u64> {
        self.text(attribute)?.parse().ok()
    }
}

/// A transport's class.
struct Class {
    name: &'static str,
    /// How the component of a disk's path begins that names an instance.
    instance: &'static str,
    /// A component that such a disk has, besides: every disk has a `host`.
    with: &'static str,
    attributes: &'static [&'static str],
    /// It says who the disk is, too, and not alone what can be set of it.
    identifies: bool,
}

impl Class {
    const fn new(
        name: &'static str,
        instance: &'static str,
        with: &'static str,
        attributes: &'static [&'static str],
    ) -> Self {
        Self { name, instance, with, attributes, identifies: true }
    }

    const fn of_settings(self) -> Self {
        Self { identifies: false, ..self }
    }

    /// The instance that a disk with a path of these components belongs to.
    fn instances<'a>(&self, components: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
        let there = components.iter().any(|name| is_instance(name, self.with));
        components.iter().copied().filter(move |name| there && is_instance(name, self.instance))
    }
}

const CLASSES: &[Class] = &[
    Class::new("fc_host", "host", "rport-", &["node_name", "port_name"]),
    Class::new(
        "fc_remote_ports",
        "rport-",
        "rport-",
        &["node_name", "port_name", "fast_io_fail_tmo", "dev_loss_tmo"],
    ),
    Class::new("iscsi_host", "host", "session", &["ipaddress"]),
    Class::new("iscsi_session", "session", "session", &["targetname", "recovery_tmo"]),
    Class::new("srp_remote_ports", "port-", "port-", &["port_id"]),
    Class::new("sas_end_device", SAS, SAS, &["I_T_nexus_loss_timeout"]),
    Class::new("scsi_host", "host", "host", &["eh_deadline"]).of_settings(),
    // A SCSI disk is named by its address.
    Class::new("scsi_disk", "", "", &["max_retries"]).of_settings(),
];

/// The component of a SAS disk's path.
const SAS: &str = "end_device-";

/// Attributes of the device itself: an NVMe controller, a DASD.
const DEVICE: &[&str] =
    &[attr::TRANSPORT, attr::ADDRESS, attr::CNTLID, attr::SERIAL, attr::DEVTYPE, attr::UID];

/// What the layers below a disk say, by `CLASS/ATTRIBUTE`.
fn transport(
    real: &Path,
    [block, device]: [&Dir<'_>; 2],
    scsi: bool,
    depth: Depth,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let components: Vec<&str> = real.iter().filter_map(OsStr::to_str).collect();
    let classes = CLASSES.iter().filter(|class| depth == Depth::All || class.identifies);
    for class in classes {
        for instance in class.instances(&components) {
            let place = Path::new("/sys/class").join(class.name).join(instance);
            let mut found = |attribute: &str, value: Option<String>| {
                found.extend(value.map(|value| (format!("{}/{attribute}", class.name), value)));
            };
            if let [attribute] = class.attributes {
                let file = block.1.note(fs::File::open(place.join(attribute)));
                found(attribute, file.and_then(|file| Attribute(file).read().ok()));
            } else {
                let dir = Dir::open(&place, block.1);
                class.attributes.iter().for_each(|attribute| found(attribute, dir.text(attribute)));
            }
        }
    }
    let of_others = DEVICE.iter().map(|attribute| (device, *attribute)).chain([(block, attr::NSID)]);
    let of_others = of_others.filter(|_| !scsi);
    let sas = [(device, attr::SAS_ADDRESS)].into_iter();
    let sas = sas.filter(|_| components.iter().any(|name| is_instance(name, SAS)));
    for (dir, attribute) in sas.chain(of_others) {
        if let Some(value) = dir.text(attribute) {
            found.insert(attribute.into(), value);
        }
    }
    found
}

/// The file of a layer's attribute, where the class is one of those.
fn layer_of(block: &Path, attribute: &str) -> Option<PathBuf> {
    let (class, attribute) = attribute.split_once('/')?;
    let class = CLASSES.iter().find(|known| known.name == class)?;
    let real = behind(block).ok()?;
    let components: Vec<&str> = real.iter().filter_map(OsStr::to_str).collect();
    // The nearest: the host of a virtual port (NPIV) lies below that of the physical one.
    let instance = class.instances(&components).last()?;
    Some(Path::new("/sys/class").join(class.name).join(instance).join(attribute))
}

/// `host3`, `rport-3:0-1`, `session12`: the prefix, then a number.
fn is_instance(component: &str, prefix: &str) -> bool {
    if prefix.is_empty() {
        return component.parse::<Hctl>().is_ok();
    }
    component.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_told_apart() {
        assert!(is_instance("host3", "host"));
        assert!(is_instance("rport-3:0-1", "rport-"));
        assert!(!is_instance("hosts", "host"));
        assert!(is_instance("3:0:0:1", "") && !is_instance("0000:00:03.0", ""));
    }

    #[test]
    fn a_disk_that_is_not_there_is_an_errno() {
        assert_eq!(probe(&PathName::new("no-such-disk")), Err(Errno::ENOENT));
        assert_eq!(probe(&PathName::new("../class")), Err(Errno::EINVAL));
    }

    #[test]
    fn every_disk_of_this_machine_can_be_probed() {
        for name in disks().unwrap_or_default() {
            let probe = probe(&name).expect("it is listed");
            assert!(probe.syspath.starts_with("/devices/"), "{}", probe.syspath);
        }
    }
}
