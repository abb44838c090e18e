//! Checks: commands and reads on disks that answer, don't run, answer late, or are gone.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libmp::check::command::{Data, NvmeCommand, PageControl, RtpgHeader, ScsiCommand};
use libmp::check::{Answer, Ask, CheckRequest, ScsiReply};
use libmp::types::{DevT, Errno, PathName};
use multipathd::checks::Checks;
use multipathd::sys::block::{self, Purpose};
use multipathd::sys::lane::Lane;
use multipathd::sys::scsi::{Command, Generic, execute_blocking, open_generic};
use multipathd::sys::sysfs;

use super::{lun, run, threads, udev_settle, wait_until};

fn request(asks: &[Ask]) -> CheckRequest {
    CheckRequest { asks: asks.into(), timeout: Duration::from_secs(5), usual: None }
}

fn ready() -> Ask {
    Ask::Scsi(ScsiCommand::test_unit_ready())
}

/// One question, answered.
async fn asked(checks: &Arc<Checks>, path: &PathName, devt: DevT, ask: Ask) -> (Option<String>, Answer) {
    let raw = checks.check(path, devt, request(&[ask]), |_| ()).await;
    (raw.sysfs_state.clone(), raw.answers[0].clone())
}

fn scsi(answer: Answer) -> ScsiReply {
    let Answer::Scsi(reply) = answer else { panic!("{answer:?}") };
    reply
}

/// Those that this process has open.
fn open_attributes() -> Vec<String> {
    let files = fs::read_dir("/proc/self/fd").expect("readable").flatten();
    let links = files.filter_map(|file| fs::read_link(file.path()).ok());
    links.map(|link| link.display().to_string()).filter(|link| link.starts_with("/sys/")).collect()
}

fn set_state(path: &PathName, state: &str) {
    sysfs::write(path, None, "device/state", state).expect("state is written");
}

pub fn checks_bring_back_what_the_device_says() {
    let lun = lun();
    let (path, devt) = lun.paths[0].clone();
    run(async {
        let checks = Checks::new();
        let ask = async |ask| asked(&checks, &path, devt, ask).await.1;
        // A unit attention, after the device was reset, may come first.
        ask(ready()).await;
        let page = Ask::Scsi(ScsiCommand::vital_page(0x83, 255));
        let rtpg = Ask::Scsi(ScsiCommand::report_target_port_groups(RtpgHeader::Plain, 1024));
        let read = Ask::Scsi(ScsiCommand::read_first_block(512));
        let reads = Ask::TimedReads { count: 5, within: Duration::from_secs(1) };
        let all = [ready(), page, rtpg, read, Ask::DirectRead, reads, Ask::AccessState];
        let raw = checks.check(&path, devt, request(&all), |_| ()).await;
        assert_eq!(raw.sysfs_state.as_deref(), Some("running"));
        let mut answers = raw.answers.iter().cloned();
        let mut next = || answers.next().expect("an answer each, in their order");
        assert_eq!(scsi(next()), ScsiReply::default());
        let page = scsi(next());
        assert_eq!((page.status, page.data[1]), (0, 0x83));
        let groups = scsi(next());
        assert!(groups.status != 0 || groups.data.len() >= 8, "{groups:?}");
        assert_eq!(scsi(next()).data.len(), 512);
        assert_eq!(next(), Answer::Read(512));
        let took = next();
        assert!(matches!(&took, Answer::TimedReads(took) if took.len() == 5), "{took:?}");
        assert!(matches!(next(), Answer::AccessState { .. }));
        let nvme = ask(Ask::Nvme(NvmeCommand::identify_controller())).await;
        assert!(matches!(nvme, Answer::Failed(_)), "a SCSI disk is no NVMe namespace: {nvme:?}");
        let nothing = checks.check(&path, devt, request(&[]), |_| ()).await;
        assert_eq!((nothing.sysfs_state.as_deref(), nothing.answers.len()), (Some("running"), 0));
        let wrong = asked(&checks, &path, DevT::new(8, 4095), Ask::DirectRead).await.1;
        assert_eq!(wrong, Answer::Failed(Errno::ENXIO), "a node of that name, another device");
    });
}

pub fn parameters_go_out_with_a_command() {
    let lun = lun();
    let (path, devt) = lun.paths[0].clone();
    run(async {
        let checks = Checks::new();
        let ask = async |command| scsi(asked(&checks, &path, devt, Ask::Scsi(command)).await.1);
        ask(ScsiCommand::test_unit_ready()).await;
        let page = async || ask(ScsiCommand::sense_control_page(PageControl::Current)).await;
        let before = page().await;
        assert_eq!((before.status, before.data.len(), before.data[8] & 0x3f), (0, 20, 0x0a), "{before:?}");
        // SWP of the control page (SPC-4 7.5.8) is a bit that this device lets itself be told.
        for swp in [0x08, 0x00] {
            let mut page_now = before.data[8..].to_vec();
            (page_now[0], page_now[4]) = (0x0a, page_now[4] & !0x08 | swp);
            let parameters = [&[0; 8][..], &page_now].concat();
            let cdb = [0x55, 0x10, 0, 0, 0, 0, 0, 0, 20, 0];
            let reply = ask(ScsiCommand::new(&cdb, Data::Out(parameters))).await;
            assert_eq!(reply.status, 0, "{reply:?}");
            let mut after = page().await;
            if after.status != 0 {
                after = page().await; // mode parameters changed, it said
            }
            assert_eq!(after.data[12] & 0x08, swp, "{after:?}");
        }
    });
}

pub fn a_device_that_does_not_run_is_not_asked() {
    let lun = lun();
    let (path, devt) = lun.paths[1].clone();
    run(async {
        let checks = Checks::new();
        set_state(&path, "offline");
        for ask in [ready(), Ask::DirectRead] {
            let (state, answer) = asked(&checks, &path, devt, ask).await;
            assert_eq!((state.as_deref(), answer), (Some("offline"), Answer::NotAsked));
        }
        set_state(&path, "running");
        assert_eq!(asked(&checks, &path, devt, Ask::DirectRead).await.1, Answer::Read(512));
    });
}

const DRIVER: &str = "/sys/bus/pseudo/drivers/scsi_debug";

/// What the clock interrupts a second in Debian's kernel, the unit of the driver's delay.
const SECOND_JIFFIES: u32 = 250;

/// All hosts answer late, as long as this is there.
struct Late;

impl Late {
    fn by(jiffies: u32) -> Self {
        udev_settle(); // what udev reads of the disks would be late, too, and hold back the usual delay
        wait_until("delay", || Self::set(jiffies).is_ok());
        Self
    }

    /// It is refused while a command is under way.
    fn set(jiffies: u32) -> std::io::Result<()> {
        fs::write(format!("{DRIVER}/delay"), jiffies.to_string())
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        wait_until("the usual delay", || Self::set(1).is_ok());
    }
}

pub fn commands_run_side_by_side_on_one_thread() {
    let lun = lun();
    let (path, devt) = lun.paths[0].clone();
    run(async {
        let checks = Checks::new();
        asked(&checks, &path, devt, ready()).await; // it is open
        let _late = Late::by(SECOND_JIFFIES);
        let start = Instant::now();
        let tasks: Vec<_> = (0..12)
            .map(|_| {
                let (checks, path) = (checks.clone(), path.clone());
                tokio::spawn(async move { asked(&checks, &path, devt, ready()).await.1 })
            })
            .collect();
        for task in tasks {
            scsi(task.await.expect("no panic"));
        }
        let took = start.elapsed();
        eprintln!("12 commands: {took:?}, {} threads", threads());
        assert!((1..4).contains(&took.as_secs()), "each takes a second: {took:?}");
        assert!(threads() < 6, "{}", threads());
    });
}

/// The kernel waits in the hand-over of a command while its host has no request free. To be run with
/// hosts that have one each (`max_queue=1`), which answer late.
pub fn a_host_without_a_free_request_hinders_nobody() {
    let queue = fs::read_to_string(format!("{DRIVER}/max_queue")).expect("readable");
    assert_eq!(queue.trim(), "1", "hosts that take one command at a time are needed");
    let lun = lun();
    let sda = PathName::new("sda");
    let of_sda = sysfs::probe(&sda).expect("the guest's own disk").devt;
    run(async {
        let checks = Checks::new();
        let check = |name: &PathName, devt| {
            let (checks, name) = (checks.clone(), name.clone());
            tokio::spawn(async move { asked(&checks, &name, devt, ready()).await.1 })
        };
        // What is needed is open before the answers come late.
        for (path, devt) in lun.paths.iter().chain([&(sda.clone(), of_sda)]) {
            check(path, *devt).await.expect("no panic");
        }
        let _late = Late::by(2 * SECOND_JIFFIES);
        let slow: Vec<_> = (0..6).map(|n| &lun.paths[n % 2]).map(|(path, devt)| check(path, *devt)).collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let start = Instant::now();
        let quick = check(&sda, of_sda).await.expect("no panic");
        let took = start.elapsed();
        eprintln!("beside commands that wait: {took:?}, {} threads", threads());
        assert!(matches!(quick, Answer::Scsi(_)) && took < Duration::from_millis(500), "{took:?}");
        for task in slow {
            scsi(task.await.expect("no panic"));
        }
    });
}

pub fn the_way_without_a_generic_device_says_the_same() {
    let lun = lun();
    let (path, devt) = lun.paths[0].clone();
    let disk = block::open(&path, devt, Purpose::Commands).expect("opened");
    let limit = Duration::from_secs(5);
    let inquiry = |page| Command { command: ScsiCommand::vital_page(page, 255), timeout: limit };
    let page = execute_blocking(&disk, &inquiry(0x83)).expect("asked");
    assert_eq!((page.status, page.data[1]), (0, 0x83));
    run(async {
        let generic = open_generic(devt).expect("sg is loaded");
        let generic = Arc::new(Generic::new(generic, &Lane::new()).expect("registered"));
        let same = generic.answer_to(generic.order(&inquiry(0x83))).await;
        assert_eq!(same, Ok(page));
        let refused = generic.answer_to(generic.order(&inquiry(0xee))).await;
        let refused = refused.expect("an answer");
        assert_eq!(refused.status, 2);
        assert!(refused.sense.len() >= 8, "{:?}", refused.sense);
    });
}

pub fn a_deleted_path_is_an_errno_and_its_successor_is_opened_anew() {
    let lun = lun();
    let (path, devt) = lun.paths[1].clone();
    let host = sysfs::probe(&path).expect("probed").hctl.expect("SCSI").host;
    run(async {
        let checks = Checks::new();
        scsi(asked(&checks, &path, devt, ready()).await.1);
        assert_eq!(asked(&checks, &path, devt, Ask::DirectRead).await.1, Answer::Read(512));
        let probing = checks.probing();
        let (probe, kept) = sysfs::probe_and_keep(&path).expect("probed");
        sysfs::write(&path, None, "device/delete", "1").expect("deleted");
        for ask in [ready(), Ask::DirectRead] {
            let answer = asked(&checks, &path, devt, ask).await.1;
            assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
        }
        checks.forget(&path);
        probing.keep(&path, devt, kept);
        assert_eq!(
            (probe.devt, open_attributes()),
            (devt, Vec::<String>::new()),
            "of what went while it was probed"
        );
        fs::write(format!("/sys/class/scsi_host/host{host}/scan"), "0 0 0").expect("scanned");
        udev_settle();
        let lun = self::lun();
        let (path, devt) = lun.paths.last().expect("it is back").clone();
        asked(&checks, &path, devt, ready()).await;
        scsi(asked(&checks, &path, devt, ready()).await.1);
    });
}
