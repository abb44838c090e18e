//! What the reference printed for two LUNs on two hosts, and what must be printed at the edges.

use alloc::sync::Arc;
use core::time::Duration;

use super::view::*;
use super::wildcards::{MAP, Size};
use super::{NotShown, find_map, find_path, show, table};
use crate::check::CheckState;
use crate::config::settings::{Failback, NoPathRetry};
use crate::ctl::{Command, parse};
use crate::identify::{Facts, RawProbe, identify};
use crate::types::{DevT, Hctl, MapName, PathName, Priority, Wwid};

fn path(host: u32, lun: u64) -> PathView {
    let index = host + 2 * u32::try_from(lun).unwrap();
    let name = PathName::new(format!("sd{}", ["a", "b", "c", "d"][index as usize]));
    let facts = Facts {
        devt: DevT::new(8, index * 16),
        hctl: Some(Hctl { host, channel: 0, target: 0, lun }),
        vendor: "Linux".into(),
        product: "scsi_debug".into(),
        revision: "0191".into(),
        serial: format!("200{lun}"),
        sectors: 16_384,
        protocol: "scsi:unspec".into(),
        tpg: Some(if host == 0 { 0x100 } else { 0x200 }),
        max_sectors_kb: Some(512),
        ..identify(&name, &RawProbe::default())
    };
    PathView {
        facts: Arc::new(facts),
        wwid: Wwid::new(format!("333333330000007d{lun}")),
        dm_state: DmPathState::Active,
        offline: false,
        check_state: CheckState::Up,
        checker: Some("tur"),
        next_check: Some((2, 8)),
        priority: Priority(if host == 0 { 50 } else { 10 }),
        marginal: false,
        map: Some(["mpatha", "data"][usize::try_from(lun).unwrap()].into()),
        init: InitState::Ok,
        failures: 0,
        vpd_data: None,
    }
}

/// To change what is known of a path.
fn facts(path: &mut PathView) -> &mut Facts {
    Arc::make_mut(&mut path.facts)
}

fn map(lun: u64) -> MapView {
    let group = |host, dm_state| GroupView {
        selector: "service-time 0".into(),
        priority: path(host, lun).priority,
        dm_state,
        marginal: false,
        paths: vec![path(host, lun)],
    };
    MapView {
        name: path(0, lun).map.unwrap(),
        wwid: path(0, lun).wwid,
        devt: Some(DevT::new(254, u32::try_from(lun).unwrap())),
        sectors: 16_384,
        read_only: Some(false),
        first: Some(path(0, lun).facts),
        features: "1 queue_if_no_path".into(),
        handler: "1 alua".into(),
        suspended: false,
        failback: Failback::Manual,
        failback_in_s: None,
        queueing: Queueing::Configured(NoPathRetry::Checks(5)),
        action: MapAction::Create,
        path_faults: 0,
        switch_group: 0,
        map_loads: 1,
        total_queue_time_s: 0,
        queue_timeouts: 0,
        failures: 0,
        groups: vec![group(0, DmGroupState::Active), group(1, DmGroupState::Enabled)],
        vpd_data: None,
    }
}

pub(super) fn view() -> View {
    let device = |name: &str, is_path: bool| DeviceView {
        name: name.into(),
        blacklisted: !is_path,
        monitored: is_path,
    };
    View {
        pid: 183,
        daemon: DaemonState::Idle,
        busy: false,
        pending_reconfigure: false,
        paths: vec![path(0, 0), path(0, 1), path(1, 0), path(1, 1)],
        maps: vec![map(0), map(1)],
        devices: ["sda", "sdc", "sdb", "sdd"]
            .map(|name| device(name, true))
            .into_iter()
            .chain(["dm-0", "dm-1"].map(|name| device(name, false)))
            .collect(),
        native: Vec::new(),
    }
}

pub(super) fn ask(view: &View, line: &str) -> Result<String, NotShown> {
    let Ok(Command::Show(what)) = parse(line) else { panic!("{line}") };
    show(view, &what)
}

#[track_caller]
fn check(view: &View, line: &str, text: &str) {
    assert_eq!(ask(view, line).as_deref(), Ok(text), "{line}");
}

#[test]
fn tables() {
    let mut view = view();
    check(
        &view,
        "show paths",
        "hcil    dev dev_t pri dm_st  chk_st dev_st  next_check    \n\
         0:0:0:0 sda 8:0   50  active ready  running XX........ 2/8\n\
         0:0:0:1 sdc 8:32  50  active ready  running XX........ 2/8\n\
         1:0:0:0 sdb 8:16  10  active ready  running XX........ 2/8\n\
         1:0:0:1 sdd 8:48  10  active ready  running XX........ 2/8\n",
    );
    check(
        &view,
        "show maps",
        "name   sysfs uuid             \n\
         mpatha dm-0  333333330000007d0\n\
         data   dm-1  333333330000007d1\n",
    );
    check(
        &view,
        "show maps status",
        "name   failback queueing paths dm-st  write_prot\n\
         mpatha manual   5 chk    2     active rw        \n\
         data   manual   5 chk    2     active rw        \n",
    );
    check(
        &view,
        "show maps stats",
        "name   path_faults switch_grp map_loads total_q_time q_timeouts\n\
         mpatha 0           0          1         0            0         \n\
         data   0           0          1         0            0         \n",
    );
    view.paths[0].dm_state = DmPathState::Failed;
    view.paths[0].check_state = CheckState::Down;
    view.paths.iter_mut().for_each(|p| p.next_check = Some((7, 8)));
    view.paths[2].next_check = Some((3, 8));
    check(
        &view,
        "show paths",
        "hcil    dev dev_t pri dm_st  chk_st dev_st  next_check    \n\
         0:0:0:0 sda 8:0   50  failed faulty running XXXXXXXX.. 7/8\n\
         0:0:0:1 sdc 8:32  50  active ready  running XXXXXXXX.. 7/8\n\
         1:0:0:0 sdb 8:16  10  active ready  running XXX....... 3/8\n\
         1:0:0:1 sdd 8:48  10  active ready  running XXXXXXXX.. 7/8\n",
    );
}

const ALL_OF_A_PATH: &str =
    "%w|%i|%d|%D|%t|%o|%T|%s|%c|%C|%p|%S|%z|%M|%m|%N|%n|%R|%r|%a|%G|%g|%0|%P|%I|%L|%A|%k|";
const ALL_OF_A_MAP: &str = "%n|%w|%d|%F|%Q|%N|%r|%t|%S|%f|%x|%h|%A|%0|%1|%2|%3|%4|%s|%v|%p|%e|%G|%g|%k|";

#[test]
fn every_wildcard_of_a_path() {
    let mut view = view();
    view.paths.truncate(2);
    check(
        &view,
        &format!("show paths format {ALL_OF_A_PATH}"),
        "uuid             |hcil   |dev|dev_t|dm_st |dev_st |chk_st|vend/prod/rev        |checker|next_check    |\
         pri|size|serial|marginal_st|multipath|host WWNN|target WWNN|host WWPN|target WWPN|host adapter|foreign|\
         vpd page data|failures|protocol   |init_st|LUN hex           |TPG   |max_sectors_kb|\n\
         333333330000007d0|0:0:0:0|sda|8:0  |active|running|ready |Linux,scsi_debug,0191|tur    |XX........ 2/8|\
         50 |8.0M|2000  |normal     |mpatha   |[undef]  |[undef]    |[undef]  |[undef]    |[undef]     |--     |\
         [undef]      |0       |scsi:unspec|ok     |0x0000000000000000|0x0100|512           |\n\
         333333330000007d1|0:0:0:1|sdc|8:32 |active|running|ready |Linux,scsi_debug,0191|tur    |XX........ 2/8|\
         50 |8.0M|2001  |normal     |data     |[undef]  |[undef]    |[undef]  |[undef]    |[undef]     |--     |\
         [undef]      |0       |scsi:unspec|ok     |0x0001000000000000|0x0100|512           |\n",
    );
    view.paths.truncate(1);
    check(
        &view,
        &format!("show paths raw format {ALL_OF_A_PATH}%%|%y|"),
        "333333330000007d0|0:0:0:0|sda|8:0|active|running|ready|Linux,scsi_debug,0191|tur|XX........ 2/8|50|\
         8.0M|2000|normal|mpatha|[undef]|[undef]|[undef]|[undef]|[undef]|--|[undef]|0|scsi:unspec|ok|\
         0x0000000000000000|0x0100|512|||\n",
    );
}

#[test]
fn every_wildcard_of_a_map() {
    let view = view();
    check(
        &view,
        &format!("show maps raw format {ALL_OF_A_MAP}"),
        "mpatha|333333330000007d0|dm-0|manual|5 chk|2|rw|active|8.0M|1 queue_if_no_path|0|1 alua|create|0|0|1|\
         0|0|Linux,scsi_debug|Linux|scsi_debug|0191|--|[undef]|512|\n\
         data|333333330000007d1|dm-1|manual|5 chk|2|rw|active|8.0M|1 queue_if_no_path|0|1 alua|create|0|0|1|\
         0|0|Linux,scsi_debug|Linux|scsi_debug|0191|--|[undef]|512|\n",
    );
    check(
        &view,
        &format!("show maps format {ALL_OF_A_MAP}"),
        "name  |uuid             |sysfs|failback|queueing|paths|write_prot|dm-st |size|features          |failures|\
         hwhandler|action|path_faults|switch_grp|map_loads|total_q_time|q_timeouts|vend/prod       |vend |\
         prod      |rev |foreign|vpd page data|max_sectors_kb|\n\
         mpatha|333333330000007d0|dm-0 |manual  |5 chk   |2    |rw        |active|8.0M|1 queue_if_no_path|0       |\
         1 alua   |create|0          |0         |1        |0           |0         |Linux,scsi_debug|Linux|\
         scsi_debug|0191|--     |[undef]      |512           |\n\
         data  |333333330000007d1|dm-1 |manual  |5 chk   |2    |rw        |active|8.0M|1 queue_if_no_path|0       |\
         1 alua   |create|0          |0         |1        |0           |0         |Linux,scsi_debug|Linux|\
         scsi_debug|0191|--     |[undef]      |512           |\n",
    );
}

#[test]
fn the_list_of_wildcards() {
    let text = ask(&view(), "show wildcards").unwrap();
    assert!(text.starts_with("multipath format wildcards:\n%n  name\n%w  uuid\n%d  sysfs\n"), "{text}");
    assert!(text.contains("%k  max_sectors_kb\n\npath format wildcards:\n%w  uuid\n%i  hcil\n"), "{text}");
    assert!(text.ends_with("%A  TPG\n%k  max_sectors_kb\n"), "{text}");
    // Size of the reference's output, less the lines around it.
    assert_eq!(text.len(), 759 - "$ multipathd show wildcards\n[exit 0]\n".len());
}

#[test]
fn formats_at_the_edge() {
    let mut view = view();
    view.paths.truncate(1);
    for (line, text) in [
        ("show paths raw format %d%", "sda\n"),
        ("show paths raw format %", "\n"),
        ("show paths raw format %%%d", "sda\n"),
        ("show paths raw format \"\"", "\n"),
        ("show paths raw format %é%d", "sda\n"),
        ("show paths raw format \" %w,%d \"", " 333333330000007d0,sda \n"),
        ("show paths format %d%", "dev\nsda\n"),
        ("show paths format \"no wildcard\"", "no wildcard\nno wildcard\n"),
        ("show map data raw format %n,%S", "data,8.0M\n"),
        ("show map data format \"%n %S|\"", "data   8.0M|\n"),
        ("show path sda", "running\n"),
    ] {
        check(&view, line, text);
    }
}

const MPATHA: &str = "\
mpatha (333333330000007d0) dm-0 Linux,scsi_debug
size=8.0M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
|-+- policy='service-time 0' prio=50 status=active
| `- 0:0:0:0 sda 8:0  active ready running
`-+- policy='service-time 0' prio=10 status=enabled
  `- 1:0:0:0 sdb 8:16 active ready running
";
const DATA: &str = "\
data (333333330000007d1) dm-1 Linux,scsi_debug
size=8.0M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
|-+- policy='service-time 0' prio=50 status=active
| `- 0:0:0:1 sdc 8:32 active ready running
`-+- policy='service-time 0' prio=10 status=enabled
  `- 1:0:0:1 sdd 8:48 active ready running
";

#[test]
fn trees() {
    let mut view = view();
    check(&view, "show topology", &format!("create: {MPATHA}create: {DATA}"));
    check(&view, "show maps topology", &format!("create: {MPATHA}create: {DATA}"));
    check(&view, "show map data topology", &format!("create: {DATA}"));
    view.maps[0].groups[0].dm_state = DmGroupState::Enabled;
    view.maps[1].action = MapAction::None;
    let mpatha = MPATHA.replace("active\n|", "enabled\n|");
    check(&view, "show topology", &format!("create: {mpatha}{DATA}"));
}

/// The map of the walkthrough: named by its WWID, one group of two paths.
#[test]
fn a_tree_without_alias_and_with_two_paths_a_group() {
    let mut map = map(0);
    map.wwid = "32017001378a8a9ff".into();
    map.name = "32017001378a8a9ff".into();
    let first = Arc::make_mut(map.first.as_mut().unwrap());
    (first.vendor, first.product) = ("Proware".into(), "proIPS".into());
    map.action = MapAction::None;
    map.sectors = 1_175_000_000 * 2;
    (map.features, map.handler) = ("0".into(), "0".into());
    let (mut sdb, mut sdc) = (path(0, 0), path(1, 0));
    for (path, host, name, minor) in [(&mut sdb, 1, "sdb", 16), (&mut sdc, 2, "sdc", 32)] {
        let facts = facts(path);
        facts.hctl = Some(Hctl { host, ..Hctl::default() });
        (facts.name, facts.devt) = (name.into(), DevT::new(8, minor));
    }
    let group = GroupView {
        selector: "round-robin 0".into(),
        priority: Priority(1),
        paths: vec![sdb.clone(), sdc.clone()],
        ..map.groups[0].clone()
    };
    map.groups = vec![group];
    let mut view = View { paths: vec![sdb, sdc], maps: vec![map], ..view() };
    let tree = "32017001378a8a9ff dm-0 Proware,proIPS\n\
                size=1.1T features='0' hwhandler='0' wp=rw\n\
                `-+- policy='round-robin 0' prio=1 status=active\n  \
                  |- 1:0:0:0 sdb 8:16 active ready running\n  \
                  `- 2:0:0:0 sdc 8:32 active ready running\n";
    check(&view, "show topology", tree);
    view.maps[0].groups[0].paths[1].dm_state = DmPathState::Failed;
    view.maps[0].groups[0].paths[1].check_state = CheckState::Down;
    view.maps[0].groups[0].priority = Priority::UNDEF;
    view.paths[1] = view.maps[0].groups[0].paths[1].clone();
    let tree = tree
        .replace("prio=1", "prio=0")
        .replace("8:16 active ready running", "8:16 active ready  running")
        .replace("8:32 active ready", "8:32 failed faulty");
    check(&view, "show topology", &tree);
}

const DATA_JSON: &str = r#"{
      "name" : "data",
      "uuid" : "333333330000007d1",
      "sysfs" : "dm-1",
      "failback" : "manual",
      "queueing" : "5 chk",
      "paths" : 2,
      "write_prot" : "rw",
      "dm_st" : "active",
      "features" : "1 queue_if_no_path",
      "hwhandler" : "1 alua",
      "action" : "create",
      "path_faults" : 0,
      "vend" : "Linux",
      "prod" : "scsi_debug",
      "rev" : "0191",
      "switch_grp" : 0,
      "map_loads" : 1,
      "total_q_time" : 0,
      "q_timeouts" : 0,
      "path_groups": [{
         "selector" : "service-time 0",
         "pri" : 50,
         "dm_st" : "active",
         "marginal_st" : "normal",
         "group" : 1,
         "paths": [{
            "dev" : "sdc",
            "dev_t" : "8:32",
            "dm_st" : "active",
            "dev_st" : "running",
            "chk_st" : "ready",
            "checker" : "tur",
            "pri" : 50,
            "host_wwnn" : "[undef]",
            "target_wwnn" : "[undef]",
            "host_wwpn" : "[undef]",
            "target_wwpn" : "[undef]",
            "host_adapter" : "[undef]",
            "lun_hex" : "0x0001000000000000",
            "marginal_st" : "normal"
         }]
      },{
         "selector" : "service-time 0",
         "pri" : 10,
         "dm_st" : "enabled",
         "marginal_st" : "normal",
         "group" : 2,
         "paths": [{
            "dev" : "sdd",
            "dev_t" : "8:48",
            "dm_st" : "active",
            "dev_st" : "running",
            "chk_st" : "ready",
            "checker" : "tur",
            "pri" : 10,
            "host_wwnn" : "[undef]",
            "target_wwnn" : "[undef]",
            "host_wwpn" : "[undef]",
            "target_wwpn" : "[undef]",
            "host_adapter" : "[undef]",
            "lun_hex" : "0x0001000000000000",
            "marginal_st" : "normal"
         }]
      }]
   }"#;
pub(super) const JSON_HEAD: &str = "{\n   \"major_version\": 0,\n   \"minor_version\": 1,\n";

#[test]
fn json() {
    let mut view = view();
    check(&view, "show map data json", &format!("{JSON_HEAD}   \"map\":{DATA_JSON}\n}}\n"));
    let mpatha = ["data/mpatha", "7d1/7d0", "dm-1/dm-0", "sdc/sda", "8:32/8:0", "sdd/sdb", "8:48/8:16"]
        .iter()
        .filter_map(|pair| pair.split_once('/'))
        .fold(DATA_JSON.replace("0x0001", "0x0000"), |text, (from, to)| text.replace(from, to));
    check(&view, "show maps json", &format!("{JSON_HEAD}   \"maps\": [{mpatha},{DATA_JSON}]\n}}\n"));
    view.maps[0].name = "a\"b\\c\n".into();
    view.maps[0].groups[0].priority = Priority::UNDEF;
    view.maps[0].groups[0].paths[0].priority = Priority::UNDEF;
    view.maps[0].groups[1].paths.clear();
    view.maps[1].groups.clear();
    let text = ask(&view, "show maps json").unwrap();
    assert!(text.contains(r#""name" : "a\"b\\c\u000a","#), "{text}");
    assert!(text.contains("\"paths\": []"), "{text}");
    assert!(text.contains("\"path_groups\": []"), "{text}");
    assert!(!text.contains(": -1"), "clients read unsigned numbers: {text}");
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
}

#[test]
fn nothing_to_list() {
    let empty = View { paths: vec![], maps: vec![], devices: vec![], ..view() };
    for line in [
        "show paths",
        "show paths raw format %d",
        "show maps",
        "show maps status",
        "show maps stats",
        "show maps raw format %n",
        "show topology",
    ] {
        check(&empty, line, "ok\n");
    }
    check(&empty, "show maps json", &format!("{JSON_HEAD}   \"maps\": []\n}}\n"));
    check(&empty, "show status", "path checker states:\n\npaths: 0\nbusy: False\n");
}

#[test]
fn the_daemon_and_its_devices() {
    let mut view = view();
    check(&view, "show status", "path checker states:\nup                  4\n\npaths: 4\nbusy: False\n");
    view.paths[0].check_state = CheckState::Down;
    view.paths.truncate(3);
    view.busy = true;
    check(
        &view,
        "show status",
        "path checker states:\ndown                1\nup                  2\n\npaths: 3\nbusy: True\n",
    );
    check(&view, "show daemon", "pid 183 idle\n");
    view.pending_reconfigure = true;
    check(&view, "show daemon", "pid 183 idle (pending reconfigure)\n");
    check(
        &view,
        "show devices",
        "available block devices:\n    \
             sda  devnode whitelisted, monitored\n    \
             sdc  devnode whitelisted, monitored\n    \
             sdb  devnode whitelisted, monitored\n    \
             sdd  devnode whitelisted, monitored\n    \
             dm-0 devnode blacklisted, unmonitored\n    \
             dm-1 devnode blacklisted, unmonitored\n",
    );
}

/// Clients look for these words; a path without anything must not cut the table short.
#[test]
fn an_orphan() {
    let mut view = view();
    view.paths.truncate(2);
    let orphan = &mut view.paths[1];
    orphan.map = None;
    orphan.dm_state = DmPathState::Undef;
    orphan.check_state = CheckState::Unchecked;
    (orphan.checker, orphan.next_check) = (None, None);
    orphan.priority = Priority::UNDEF;
    let facts_of = facts(orphan);
    (facts_of.hctl, facts_of.tpg, facts_of.max_sectors_kb) = (None, None, None);
    check(
        &view,
        "show paths",
        "hcil    dev dev_t pri dm_st  chk_st dev_st  next_check    \n\
         0:0:0:0 sda 8:0   50  active ready  running XX........ 2/8\n\
         #:#:#:# sdc 8:32  -1  undef  undef  unknown orphan        \n",
    );
    check(
        &view,
        "show paths raw format %d,%m,%c,%L,%A,%k,%C",
        "sda,mpatha,tur,0x0000000000000000,0x0100,512,XX........ 2/8\n\
         sdc,[orphan],[undef],[undef],[undef],n/a,orphan\n",
    );
    facts(&mut view.paths[1]).revision.clear();
    check(&view, "show paths raw format %s", "Linux,scsi_debug,0191\nLinux,scsi_debug,##\n");
}

#[test]
fn values_of_maps() {
    let value = |format: &str, change: fn(&mut MapView)| {
        let mut map = map(0);
        change(&mut map);
        table::line(MAP, format, &map)
    };
    let deferred = Failback::Deferred(Duration::from_secs(10));
    for (text, seen) in [
        ("immediate\n", value("%F", |m| m.failback = Failback::Immediate)),
        ("followover\n", value("%F", |m| m.failback = Failback::Followover)),
        ("deferred:10\n", value("%F", |m| m.failback = Failback::Deferred(Duration::from_secs(10)))),
        ("2 512\n", value("%N %k", |_| ())),
        (
            "1 256\n",
            value("%N %k", |m| {
                let failed = &mut m.groups[0].paths[0];
                failed.check_state = CheckState::Down;
                Arc::make_mut(&mut failed.facts).max_sectors_kb = Some(256);
            }),
        ),
        ("0 n/a\n", value("%N %k", |m| m.groups.clear())),
        ("-\n", value("%Q", |m| m.queueing = Queueing::Configured(NoPathRetry::Undef))),
        ("on\n", value("%Q", |m| m.queueing = Queueing::Configured(NoPathRetry::Queue))),
        ("off\n", value("%Q", |m| m.queueing = Queueing::Configured(NoPathRetry::Fail))),
        ("off\n", value("%Q", |m| m.queueing = Queueing::Off)),
        ("12 sec\n", value("%Q", |m| m.queueing = Queueing::CountDown(12))),
        ("undef undef\n", value("%d %t", |m| m.devt = None)),
        ("suspend\n", value("%t", |m| m.suspended = true)),
        ("ro\n", value("%r", |m| m.read_only = Some(true))),
        ("undef\n", value("%r", |m| m.read_only = None)),
        ("##,scsi_debug\n", value("%s", |m| Arc::make_mut(m.first.as_mut().unwrap()).vendor.clear())),
        ("##,##\n", value("%s", |m| m.first = None)),
        ("\n", value("%A", |m| m.action = MapAction::None)),
    ] {
        assert_eq!(seen, text);
    }
    let counting = MapView { failback: deferred, failback_in_s: Some(7), ..map(0) };
    assert_eq!(table::line(MAP, "%F", &counting), "XXXXXXX... 7/10\n");
}

#[test]
fn sizes() {
    for (sectors, text) in [
        (0, "0.0K"),
        (2, "1.0K"),
        (1_024, "512K"),
        (2_046, "1023K"),
        (2_048, "1.0M"),
        (16_384, "8.0M"),
        (20_480, "10M"),
        (83_886_080, "40G"),
        (2_350_000_000, "1.1T"),
        (u64::MAX, "8388608P"),
    ] {
        assert_eq!(Size(sectors).to_string(), text, "{sectors}");
    }
}

#[test]
fn luns_beyond_the_first_256() {
    let mut view = view();
    view.paths.truncate(1);
    for (lun, text) in [(0x0102, "0x0102000000000000\n"), (0x0001_4002, "0x4002000100000000\n")] {
        facts(&mut view.paths[0]).hctl = Some(Hctl { lun, ..Hctl::default() });
        check(&view, "show paths raw format %L", text);
    }
}

#[test]
fn who_is_meant() {
    let view = view();
    for name in ["data", "333333330000007d1", "/dev/mapper/data", "dm-1", "/dev/dm-1", "254:1"] {
        assert_eq!(find_map(&view, name).map(|m| &m.name), Some(&MapName::from("data")), "{name}");
    }
    for name in ["sdc", "/dev/sdc", "8:32"] {
        assert_eq!(find_path(&view, name).map(PathView::name), Some(&PathName::from("sdc")), "{name}");
    }
    for line in ["show path nosuch", "show map nosuch topology", "show map nosuch json"] {
        assert_eq!(ask(&view, line), Err(NotShown::NoDevice), "{line}");
    }
    assert_eq!(NotShown::NoDevice.reply(), "fail\ndevice not found\n");
    assert_eq!(ask(&view, "show config"), Err(NotShown::Configuration));
}
