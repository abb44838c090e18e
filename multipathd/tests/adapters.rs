//! The adapters against a real kernel: what `sys/` promises, held by device-mapper, SCSI and udev.
//!
//! Needs root, udevd, dm-multipath and two hosts of scsi_debug that show the same LUNs: the guest of
//! `tests/vm` has them, and runs this by `multipathd/tests/adapters.sh`.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::Command as Process;
use std::time::{Duration, Instant};

use libmp::core::event::DmDone;
use libmp::dm::op::{DmOp, Load, NodeAccess, RawMap, UdevFlags};
use libmp::types::{DevT, Errno, MapName, PathName};
use multipathd::sys::dm::{Mapper, Poller};
use multipathd::sys::poll::until_readable;
use multipathd::sys::sysfs;

#[path = "adapters/checks.rs"]
mod checks;
#[path = "adapters/kernel.rs"]
mod kernel;
#[path = "adapters/uevents.rs"]
mod uevents;

use checks::{
    a_deleted_path_is_an_errno_and_its_successor_is_opened_anew, a_device_that_does_not_run_is_not_asked,
    a_host_without_a_free_request_hinders_nobody, checks_bring_back_what_the_device_says,
    commands_run_side_by_side_on_one_thread, parameters_go_out_with_a_command,
    the_way_without_a_generic_device_says_the_same,
};
use kernel::the_kernel_does_what_the_contract_says;
use uevents::udev_tells_of_disks_and_of_what_it_lost;

const LIMIT: Duration = Duration::from_secs(20);

macro_rules! contracts {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name)),*] };
}

/// In the order of this file.
const CONTRACTS: &[(&str, fn())] = contracts![
    a_map_is_there_with_its_link_when_its_creation_is_reported,
    a_map_that_can_not_be_loaded_is_not_left_behind,
    a_disk_beside_a_new_map_may_be_in_another_one,
    a_reload_swaps_tables_or_leaves_everything_as_it_is,
    messages_stop_at_the_first_that_fails,
    suspend_resume_rename,
    a_name_that_is_anothers_by_now_leads_nobody_astray,
    a_map_in_use_stays_or_goes_at_its_last_close,
    what_has_gone_is_removed,
    partitions_go_before_their_map,
    a_removal_that_fails_loses_no_partition,
    a_list_has_all_maps_whatever_they_are_called,
    one_poll_tells_of_every_maps_events,
    the_kernel_does_what_the_contract_says,
    read_only_maps_and_access_rights,
    a_probe_reads_what_sysfs_and_udev_know,
    a_probe_says_what_libudev_and_the_attributes_say,
    checks_bring_back_what_the_device_says,
    parameters_go_out_with_a_command,
    a_device_that_does_not_run_is_not_asked,
    commands_run_side_by_side_on_one_thread,
    a_host_without_a_free_request_hinders_nobody,
    the_way_without_a_generic_device_says_the_same,
    a_deleted_path_is_an_errno_and_its_successor_is_opened_anew,
    udev_tells_of_disks_and_of_what_it_lost,
];

/// The one that wants hosts which take one command at a time: it is run where it is named.
const NARROW: &str = "a_host_without_a_free_request_hinders_nobody";

/// Without `--guest`, as `cargo test` calls it, nothing is done: this kernel may be somebody's own.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(("--guest", parts)) = arguments.split_first().map(|(first, parts)| (first.as_str(), parts))
    else {
        return println!("{} contracts are for the guest of tests/vm", CONTRACTS.len());
    };
    let named = |name: &str| parts.iter().any(|part| name.contains(part.as_str()));
    let wanted = |name: &str| if parts.is_empty() { name != NARROW } else { named(name) };
    let (mut passed, mut failed) = (0, 0);
    for (name, contract) in CONTRACTS.iter().filter(|(name, _)| wanted(name)) {
        if std::panic::catch_unwind(contract).is_ok() {
            passed += 1;
            println!("ok {name}");
        } else {
            failed += 1;
            println!("FAIL {name}");
        }
    }
    println!("{passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0 || passed == 0));
}

/// A LUN and its two paths.
struct Lun {
    paths: Vec<(PathName, DevT)>,
    sectors: u64,
}

/// LUN 0 of all hosts of scsi_debug.
fn lun() -> Lun {
    let mut lun = Lun { paths: Vec::new(), sectors: 0 };
    for name in sysfs::disks().expect("sysfs") {
        let Ok(probe) = sysfs::probe(&name) else { continue };
        if probe.model.starts_with(b"scsi_debug") && probe.hctl.is_some_and(|hctl| hctl.lun == 0) {
            lun.paths.push((name, probe.devt));
            lun.sectors = probe.sectors;
        }
    }
    assert!(lun.paths.len() >= 2, "two hosts of scsi_debug are needed");
    lun
}

impl Lun {
    fn load(&self, paths: usize) -> Load {
        let devices: Vec<String> = self.paths[..paths].iter().map(|(_, devt)| format!("{devt} 1")).collect();
        let params = format!("0 0 1 1 service-time 0 {} 1 {}", devices.len(), devices.join(" "));
        Load { sectors: self.sectors, params, read_only: false }
    }
}

fn name(text: &str) -> MapName {
    MapName::new(text)
}

/// A map of this name, and none when it goes.
struct Map<'a> {
    mapper: &'a Mapper,
    name: &'static str,
}

impl<'a> Map<'a> {
    fn create(mapper: &'a Mapper, called: &'static str, load: Load) -> Self {
        let done = create(mapper, called, load);
        assert_eq!(done.result, Ok(()));
        Self { mapper, name: called }
    }

    fn read(&self) -> RawMap {
        read(self.mapper, self.name).expect("there")
    }

    fn perform(&self, op: &DmOp) -> Result<RawMap, (String, Errno)> {
        let done = self.mapper.perform(&uuid(self.name), op);
        done.result.map_err(|why| (why.step, why.errno))?;
        Ok(RawMap::clone(&*there(done.map)))
    }
}

/// How a map is after an operation that leaves one.
fn there<T>(map: Result<Option<T>, Errno>) -> T {
    map.expect("readable").expect("there")
}

impl Drop for Map<'_> {
    fn drop(&mut self) {
        // udev may be looking at it.
        wait_until(
            "it can be removed",
            || !matches!(remove(self.mapper, self.name).result, Err(why) if why.errno == Errno::EBUSY),
        );
    }
}

fn uuid(called: &str) -> String {
    format!("mpath-{called}")
}

fn read(mapper: &Mapper, called: &str) -> Option<RawMap> {
    mapper.read(&uuid(called)).expect("readable")
}

fn create(mapper: &Mapper, called: &str, load: Load) -> DmDone {
    let (flags, access) = (UdevFlags::default(), NodeAccess::default());
    mapper
        .perform(&uuid(called), &DmOp::Create { name: name(called), load, flags, access, beside: Vec::new() })
}

fn remove(mapper: &Mapper, called: &str) -> DmDone {
    mapper.perform(&uuid(called), &DmOp::Remove { deferred: false })
}

fn reload(load: Load) -> DmOp {
    DmOp::Reload {
        load,
        flags: UdevFlags { reload: true, ..UdevFlags::default() },
        flush: false,
        wake: false,
    }
}

fn message(messages: &[String]) -> DmOp {
    DmOp::Message { messages: messages.to_vec() }
}

fn link(called: &str) -> std::path::PathBuf {
    Path::new("/dev/mapper").join(called)
}

fn is_block_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|node| node.file_type().is_block_device())
}

fn mapper() -> Mapper {
    Mapper::open().expect("device-mapper with multipath")
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .thread_stack_size(128 << 10)
        .build()
        .expect("runtime");
    let result = runtime.block_on(async { tokio::time::timeout(LIMIT, future).await.expect("in time") });
    runtime.shutdown_background();
    result
}

fn a_map_is_there_with_its_link_when_its_creation_is_reported() {
    let (mapper, lun) = (mapper(), lun());
    let map = Map::create(&mapper, "contract-a", lun.load(2));
    assert!(is_block_device(&link("contract-a")), "the link is there");
    assert!(fs::symlink_metadata(link("contract-a")).expect("there").is_symlink(), "udev made it");
    let raw = map.read();
    assert_eq!(raw.uuid, "mpath-contract-a");
    assert!(!raw.suspended && !raw.read_only && !raw.inactive_table && !raw.deferred_remove);
    assert_eq!(raw.targets.len(), 1);
    let target = &raw.targets[0];
    assert_eq!((target.start, target.sectors, target.kind.as_str()), (0, lun.sectors, "multipath"));
    assert!(target.table.contains(&lun.paths[0].1.to_string()), "{}", target.table);
    assert!(target.status.contains(" A "), "{}", target.status);
    let taken = create(&mapper, "contract-a", lun.load(1));
    let why = taken.result.expect_err("the name is taken");
    assert_eq!((why.step.as_str(), why.errno), ("create", Errno::EBUSY));
    assert!(why.holders[0].ends_with(" has the name"), "{:?}", why.holders);
    assert_eq!(map.read(), raw, "and the map is as it was");
    drop(map);
    assert!(!link("contract-a").exists(), "the link goes with it");
    assert_eq!(read(&mapper, "contract-a"), None);
}

fn a_map_that_can_not_be_loaded_is_not_left_behind() {
    let (mapper, lun) = (mapper(), lun());
    let load = Load { params: "0 0 1 1 no-such-selector 0 1 1 8:0 1".into(), ..lun.load(1) };
    let done = create(&mapper, "contract-b", load);
    let why = done.result.expect_err("a selector that there isn't");
    let step = "load without dm-no-such-selector";
    assert_eq!((why.step.as_str(), why.errno, done.map), (step, Errno::EINVAL, Ok(None)));
    assert_eq!(read(&mapper, "contract-b"), None);
    let long = "x".repeat(200);
    assert!(create(&mapper, &long, lun.load(1)).result.is_err());
}

fn a_disk_beside_a_new_map_may_be_in_another_one() {
    let (mapper, lun) = (mapper(), lun());
    let (beside, devt) = lun.paths[0].clone();
    let create = DmOp::Create {
        name: name("contract-o"),
        load: Load { params: format!("0 0 1 1 service-time 0 1 1 {} 1", lun.paths[1].1), ..lun.load(2) },
        flags: UdevFlags::default(),
        access: NodeAccess::default(),
        beside: vec![beside],
    };
    let other = Map::create(&mapper, "contract-p", lun.load(1));
    assert_eq!(mapper.perform(&uuid("contract-o"), &create).result, Ok(()));
    drop((other, Map { mapper: &mapper, name: "contract-o" }));
    // What else there is on the disk is a use of it.
    let dmsetup = |words: &[&str]| Process::new("dmsetup").args(words).status().expect("dmsetup").success();
    assert!(dmsetup(&["create", "contract-q", "--table", &format!("0 8 linear {devt} 0")]));
    let refused = mapper.perform(&uuid("contract-o"), &create).result;
    udev_settle();
    assert!(dmsetup(&["remove", "contract-q"]));
    assert_eq!(refused.map_err(|why| why.errno), Err(Errno::EBUSY));
}

fn a_reload_swaps_tables_or_leaves_everything_as_it_is() {
    let (mapper, lun) = (mapper(), lun());
    let map = Map::create(&mapper, "contract-c", lun.load(1));
    let raw = map.perform(&reload(lun.load(2))).expect("reloaded");
    assert!(raw.targets[0].table.contains(&lun.paths[1].1.to_string()));
    assert!(!raw.suspended && !raw.inactive_table);
    let bad = Load { params: "nonsense".into(), ..lun.load(1) };
    let (step, errno) = map.perform(&reload(bad)).expect_err("refused");
    assert_eq!((step.as_str(), errno), ("load", Errno::EINVAL));
    let after = map.read();
    assert_eq!(after.targets[0].table, raw.targets[0].table);
    assert!(!after.suspended && !after.inactive_table);
    // A table of another length flushes.
    let shorter = Load { sectors: lun.sectors / 2, ..lun.load(2) };
    let flags = UdevFlags::default();
    let resize = DmOp::Reload { load: shorter, flags, flush: true, wake: false };
    assert_eq!(map.perform(&resize).expect("resized").targets[0].sectors, lun.sectors / 2);
}

fn messages_stop_at_the_first_that_fails() {
    let (mapper, lun) = (mapper(), lun());
    let map = Map::create(&mapper, "contract-d", lun.load(2));
    let (first, second) = (lun.paths[0].1, lun.paths[1].1);
    let raw = map.perform(&message(&[format!("fail_path {first}")])).expect("failed");
    assert!(raw.targets[0].status.contains(&format!("{first} F")), "{}", raw.targets[0].status);
    let messages = [format!("reinstate_path {first}"), "nonsense".into(), format!("fail_path {second}")];
    let (step, errno) = map.perform(&message(&messages)).expect_err("nonsense");
    assert_eq!((step.as_str(), errno), ("message nonsense", Errno::EINVAL));
    let status = map.read().targets[0].status.clone();
    assert!(status.contains(&format!("{first} A")) && status.contains(&format!("{second} A")), "{status}");
}

fn suspend_resume_rename() {
    let (mapper, lun) = (mapper(), lun());
    let map = Map::create(&mapper, "contract-e", lun.load(2));
    assert!(map.perform(&DmOp::Suspend).expect("suspended").suspended);
    let resume = DmOp::Resume { flags: UdevFlags::default() };
    assert!(!map.perform(&resume).expect("resumed").suspended);
    drop(map);
    let map = Map::create(&mapper, "contract-f", lun.load(2));
    let flags = UdevFlags::default();
    let renamed = map.perform(&DmOp::Rename { to: name("contract-g"), flags }).expect("renamed");
    assert_eq!(renamed.name, name("contract-g"));
    assert!(is_block_device(&link("contract-g")) && !link("contract-f").exists());
    drop(map);
    assert_eq!(read(&mapper, "contract-f"), None);
    assert!(!link("contract-g").exists());
}

fn a_name_that_is_anothers_by_now_leads_nobody_astray() {
    let (mapper, lun) = (mapper(), lun());
    let one = Map::create(&mapper, "contract-m", lun.load(2));
    let other = Map::create(&mapper, "contract-n", lun.load(2));
    for (from, to) in [("contract-m", "contract-x"), ("contract-n", "contract-m")] {
        let status = Process::new("dmsetup").args(["rename", from, to]).status();
        assert!(status.expect("dmsetup").success());
    }
    udev_settle();
    let fail = message(&[format!("fail_path {}", lun.paths[0].1)]);
    assert_eq!(one.perform(&fail).expect("failed").name, name("contract-x"));
    assert!(!other.read().targets[0].status.contains(" F "), "the map that has its name is as it was");
    drop(one);
    assert!(is_block_device(&link("contract-m")) && !link("contract-x").exists());
    drop(other);
}

fn a_map_in_use_stays_or_goes_at_its_last_close() {
    let (mapper, lun) = (mapper(), lun());
    let map = Map::create(&mapper, "contract-h", lun.load(2));
    udev_settle();
    let open = fs::File::open(link("contract-h")).expect("opened");
    let (step, errno) = map.perform(&DmOp::Remove { deferred: false }).expect_err("busy");
    assert_eq!((step.as_str(), errno), ("remove", Errno::EBUSY));
    assert!(map.read().open_count >= 1);
    let raw = map.perform(&DmOp::Remove { deferred: true }).expect("deferred");
    assert!(raw.deferred_remove);
    assert!(!map.perform(&DmOp::CancelRemove).expect("taken back").deferred_remove);
    assert!(map.perform(&DmOp::Remove { deferred: true }).expect("deferred").deferred_remove);
    drop(open);
    wait_until("it is gone", || read(&mapper, "contract-h").is_none());
}

fn what_has_gone_is_removed() {
    let (mapper, lun) = (mapper(), lun());
    let map = Map::create(&mapper, "contract-g", lun.load(2));
    drop(map);
    let done = remove(&mapper, "contract-g");
    assert_eq!((done.result, done.map.expect("readable").is_none()), (Ok(()), true));
}

fn partitions_go_before_their_map() {
    let (mapper, lun) = (mapper(), lun());
    let map = Map::create(&mapper, "contract-i", lun.load(2));
    dm_partition("contract-i", "contract-i-part1", "part1-mpath-contract-i");
    udev_settle();
    let renamed = map.perform(&DmOp::Rename { to: name("contract-i2"), flags: UdevFlags::default() });
    assert_eq!(renamed.expect("renamed").name, name("contract-i2"));
    let names = [2, 1].map(|n| (format!("part{n}-mpath-contract-i"), name(&format!("contract-i2p{n}"))));
    map.perform(&DmOp::RenamePartitions { names: names.into() }).expect("the first is not there");
    assert!(is_block_device(&link("contract-i2p1")) && !link("contract-i-part1").exists());
    let names = vec![("part1-mpath-contract-i".to_owned(), name("contract-i2"))];
    let why = map.perform(&DmOp::RenamePartitions { names }).expect_err("its map has that name");
    assert_eq!(why, ("rename contract-i2p1 to contract-i2".to_owned(), Errno::EBUSY));
    assert_eq!((map.read().open_count, map.read().idle_partitions), (1, 1));
    let open = fs::File::open(link("contract-i2p1")).expect("opened");
    assert_eq!((map.read().open_count, map.read().idle_partitions), (1, 0));
    let partition = || there(mapper.read("part1-mpath-contract-i"));
    assert!(map.perform(&DmOp::Remove { deferred: true }).expect("deferred").deferred_remove);
    assert!(partition().deferred_remove);
    assert!(!map.perform(&DmOp::CancelRemove).expect("taken back").deferred_remove);
    assert!(!partition().deferred_remove, "that of its partition, too");
    drop(open);
    assert_eq!(remove(&mapper, "contract-i").result, Ok(()));
    assert_eq!(mapper.read("part1-mpath-contract-i"), Ok(None));
    drop(map);
}

fn a_removal_that_fails_loses_no_partition() {
    let (mapper, lun) = (mapper(), lun());
    let map = Map::create(&mapper, "contract-o", lun.load(2));
    // A logical partition stands on the extended one, and a volume may stand on a partition.
    for (on, called, uuid) in [
        ("contract-o", "contract-o-part1", "part1-mpath-contract-o"),
        ("contract-o", "contract-o-part2", "part2-mpath-contract-o"),
        ("contract-o-part2", "contract-o-part5", "part5-mpath-contract-o"),
        ("contract-o-part5", "contract-v", "volume"),
    ] {
        dm_partition(on, called, uuid);
    }
    let all = || (1..=5).filter(|n| matches!(mapper.read(&format!("part{n}-mpath-contract-o")), Ok(Some(_))));
    let refused = |held: &str, by: &[&str]| {
        udev_settle();
        let done = remove(&mapper, "contract-o");
        let why = done.result.expect_err("in use");
        assert_eq!((why.step.as_str(), why.errno), (held, Errno::EBUSY));
        assert_eq!(why.holders, by);
        assert_eq!(all().collect::<Vec<_>>(), [1, 2, 5], "nothing is lost");
    };
    refused("remove partition contract-o-part5", &["contract-v"]);
    assert!(Process::new("dmsetup").args(["remove", "contract-v"]).status().expect("dmsetup").success());
    let open = fs::File::open(link("contract-o-part2")).expect("opened");
    refused("remove partition contract-o-part2", &[]);
    drop(open);
    let open = fs::File::open(link("contract-o")).expect("opened");
    refused("remove", &[]);
    drop(open);
    udev_settle();
    assert_eq!(remove(&mapper, "contract-o").result, Ok(()));
    assert_eq!(all().count(), 0);
    drop(map);
}

fn a_list_has_all_maps_whatever_they_are_called() {
    let (mapper, lun) = (mapper(), lun());
    let map = Map::create(&mapper, "contract-j", lun.load(2));
    let odd = Map::create(&mapper, "contract \u{e9}", lun.load(2));
    let list = mapper.list().expect("listed");
    let entry = list.iter().find(|entry| entry.name == name("contract-j")).expect("there");
    assert_eq!((entry.uuid.as_str(), entry.devt), ("mpath-contract-j", map.read().devt));
    assert!(list.iter().any(|entry| entry.name.as_str() == odd.name));
    // Not UTF-8, by another's hand.
    let bytes = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"contract-\xff");
    let made =
        Process::new("dmsetup").arg("create").arg(bytes).args(["--notable", "--manglename", "none"]).status();
    if made.expect("dmsetup").success() {
        assert!(
            mapper.list().expect("listed").iter().any(|entry| entry.name.as_str() == "contract-\u{fffd}")
        );
        let gone = Process::new("dmsetup").arg("remove").arg(bytes).args(["--manglename", "none"]).status();
        assert!(gone.expect("dmsetup").success());
    }
}

fn one_poll_tells_of_every_maps_events() {
    let (mapper, lun) = (mapper(), lun());
    let map = Map::create(&mapper, "contract-k", lun.load(2));
    let before = map.read().event_nr;
    run(async {
        let poller = Poller::open().expect("opened");
        for text in ["fail_path", "reinstate_path"] {
            map.perform(&message(&[format!("{text} {}", lun.paths[0].1)])).expect("done");
            // What happened before it is waited for tells, too.
            until_readable(&poller).await.expect("readable");
            poller.arm().expect("armed");
        }
        let silent = tokio::time::timeout(Duration::from_millis(500), until_readable(&poller)).await;
        assert!(silent.is_err(), "and then nothing");
    });
    assert!(map.read().event_nr > before);
}

fn read_only_maps_and_access_rights() {
    use std::os::unix::fs::MetadataExt;
    let (mapper, lun) = (mapper(), lun());
    let access = NodeAccess { mode: Some(0o640), uid: Some(0), gid: Some(6) };
    let load = Load { read_only: true, ..lun.load(2) };
    let (called, flags) = (name("contract-l"), UdevFlags::default());
    let op = DmOp::Create { name: called, load, flags, access, beside: Vec::new() };
    let done = mapper.perform(&uuid("contract-l"), &op);
    let map = Map { mapper: &mapper, name: "contract-l" };
    assert_eq!(done.result, Ok(()));
    assert!(there(done.map).read_only);
    let node = fs::metadata(link("contract-l")).expect("there");
    assert_eq!((node.mode() & 0o777, node.gid()), (0o640, 6));
    drop(map);
}

fn a_probe_reads_what_sysfs_and_udev_know() {
    udev_settle();
    let lun = lun();
    let probe = sysfs::probe(&lun.paths[0].0).expect("probed");
    assert_eq!(probe.vendor, b"Linux   ");
    assert!(probe.vpd83.len() > 8 && probe.vpd83[1] == 0x83, "{:?}", probe.vpd83);
    assert!(probe.vpd80.len() > 4 && probe.inquiry.len() >= 36);
    assert_eq!(probe.state.as_deref(), Some("running"));
    assert!(probe.syspath.starts_with("/devices/") && probe.sectors > 0 && probe.timeout_s.is_some());
    assert!(probe.udev_initialized);
    assert!(probe.properties.contains_key("ID_SERIAL"), "{:?}", probe.properties);
}

fn a_probe_says_what_libudev_and_the_attributes_say() {
    udev_settle();
    let sorted = |list: &str| {
        let mut words: Vec<String> = list.split([' ', ':']).map(str::to_owned).collect();
        words.sort();
        words
    };
    let mut scsi = 0;
    for name in sysfs::disks().expect("sysfs") {
        let dir = Path::new("/sys/block").join(name.as_str());
        let (probe, device) =
            (sysfs::probe(&name).expect("probed"), udev::Device::from_syspath(&dir).expect("there"));
        assert_eq!(probe.udev_initialized, device.is_initialized(), "{name}");
        let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        let said: BTreeMap<String, String> =
            device.properties().map(|entry| (text(entry.name()), text(entry.value()))).collect();
        let keys = |properties: &BTreeMap<String, String>| properties.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&probe.properties), keys(&said), "{name}");
        for (key, value) in said {
            // Lists have no order.
            assert_eq!(sorted(&probe.properties[&key]), sorted(&value), "{name}: {key}");
        }
        assert_eq!(Some(probe.devt.to_string()), sysfs::attribute(&name, "dev"));
        if probe.hctl.is_some() {
            scsi += 1;
            for (attribute, field) in
                [("vendor", &probe.vendor), ("model", &probe.model), ("rev", &probe.revision)]
            {
                let there = fs::read(dir.join("device").join(attribute)).expect("read");
                assert_eq!(there.strip_suffix(b"\n").expect("a line"), field, "{name}: {attribute}");
            }
        }
    }
    assert!(scsi > 1, "no SCSI disks to compare");
}

/// What kpartx would make.
fn dm_partition(on: &str, called: &str, uuid: &str) {
    let table = format!("0 8 linear {} 0", link(on).display());
    let made = Process::new("dmsetup").args(["create", called, "-u", uuid, "--table", &table]).status();
    assert!(made.expect("dmsetup").success());
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("procfs").count()
}

fn udev_settle() {
    let _ = Process::new("udevadm").args(["settle", "--timeout=20"]).status();
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
