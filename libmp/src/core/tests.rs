//! A core with one disk, played from its start: what it says of checks and priorities.

mod early;
mod identity;
mod properties;

use ::core::time::Duration;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::check::ask::{good, refused};
use crate::check::{Answer, Answered, Ask, CheckState, RawCheck, ScsiReply};
use crate::config::settings::MaxFds;
use crate::config::{Config, Source};
use crate::core::effect::{Effect, Outbox};
use crate::core::event::{DmDone, DmFailure, Enumeration, Event, Loaded, Signal, Uevent, UeventAction};
use crate::core::notice::Level;
use crate::core::{Core, CoreInit};
use crate::dm::op::{DmOp, MapListEntry};
use crate::identify::{RawProbe, hex};
use crate::types::{DevT, Errno, Instant, Priority};

/// The daemon, and a disk that answers SCSI commands so.
struct Machine {
    core: Core,
    now: Instant,
    answer: fn(u8) -> ScsiReply,
    said: Vec<(Level, String)>,
    probes: u32,
    /// Probes that this host has no means for.
    short: u32,
    wwid: &'static str,
    /// Does udev look at what comes?
    udev: bool,
    inquiry: Vec<u8>,
    vpd83: Vec<u8>,
    /// What else a probe reads.
    also: fn(&mut RawProbe),
    /// When udev was asked to look at the disk again.
    asked: Vec<Instant>,
    /// Tables of maps that were to be made.
    made: Vec<String>,
    /// Which requests were replied to, and when.
    replies: Vec<(Instant, u64)>,
}

impl Machine {
    fn new(defaults: &str, answer: fn(u8) -> ScsiReply) -> Self {
        Self::of("3600a0b8", defaults, answer)
    }

    fn without_udev(defaults: &str, answer: fn(u8) -> ScsiReply) -> Self {
        Self::begin("", false, defaults, answer)
    }

    fn of(wwid: &'static str, defaults: &str, answer: fn(u8) -> ScsiReply) -> Self {
        Self::begin(wwid, true, defaults, answer)
    }

    fn begin(wwid: &'static str, udev: bool, defaults: &str, answer: fn(u8) -> ScsiReply) -> Self {
        let core = Core::new(CoreInit { pid: 1, resident: true });
        Self::run(core, wwid, udev, (defaults, answer))
    }

    fn run(
        core: Core,
        wwid: &'static str,
        udev: bool,
        (defaults, answer): (&str, fn(u8) -> ScsiReply),
    ) -> Self {
        let mut machine = Self::with(core, wwid, udev, answer);
        machine.start(defaults);
        machine
    }

    fn off(wwid: &'static str, udev: bool, answer: fn(u8) -> ScsiReply) -> Self {
        Self::with(Core::new(CoreInit { pid: 1, resident: true }), wwid, udev, answer)
    }

    fn with(core: Core, wwid: &'static str, udev: bool, answer: fn(u8) -> ScsiReply) -> Self {
        Self {
            core,
            now: Instant::from_micros(0),
            answer,
            said: Vec::new(),
            probes: 0,
            short: 0,
            wwid,
            udev,
            inquiry: Vec::new(),
            vpd83: Vec::new(),
            also: |_| {},
            asked: Vec::new(),
            made: Vec::new(),
            replies: Vec::new(),
        }
    }

    fn start(&mut self, defaults: &str) {
        let mut out = Outbox::new();
        self.core.start(self.now, &mut out);
        self.carry_out(out, &config(defaults));
    }

    fn carry_out(&mut self, mut out: Outbox, config: &Arc<Config>) {
        loop {
            let effects: Vec<Effect> = out.drain().collect();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                let asked = self.asked.len();
                if let Some(event) = self.event(effect, config) {
                    self.core.handle(self.now, event, &mut out);
                }
                if self.asked.len() > asked && self.udev {
                    self.core.handle(self.now, self.looked_at(), &mut out);
                }
            }
        }
    }

    /// udev's rules have looked at the disk.
    fn looked_at(&self) -> Event {
        let properties = [("ID_SERIAL".into(), self.wwid.into())].into();
        Event::Uevent(Uevent { action: UeventAction::Change, name: "sda".into(), properties, own: false })
    }

    fn event(&mut self, effect: Effect, config: &Arc<Config>) -> Option<Event> {
        Some(match effect {
            Effect::LoadConfig { token } => {
                Event::Config { token, loaded: Box::new(Loaded::of(config.clone())) }
            }
            Effect::Enumerate { token } => {
                let found = Enumeration { disks: ["sda".into()].into(), ..Enumeration::default() };
                Event::Enumerated { token, found: Ok(Box::new(found)) }
            }
            Effect::Probe { token, .. } => {
                self.probes += 1;
                if self.short > 0 {
                    self.short -= 1;
                    return Some(Event::Probed { token, probe: Err(Errno::EMFILE) });
                }
                let properties = ["ID_SERIAL", "ID_WWN"].map(|name| (name.into(), self.wwid.into()));
                let mut raw = RawProbe {
                    sectors: 2048,
                    udev_initialized: self.udev,
                    properties: properties.into_iter().filter(|_| self.udev).collect(),
                    wwid_attr: (!self.udev).then(|| "3600a0b8".into()),
                    inquiry: self.inquiry.clone(),
                    vpd83: self.vpd83.clone(),
                    ..RawProbe::default()
                };
                (self.also)(&mut raw);
                Event::Probed { token, probe: Ok(Box::new(raw)) }
            }
            Effect::Check { token, request, .. } => {
                let answer = |ask: &Ask| match ask {
                    Ask::Scsi(command) => Answer::Scsi((self.answer)(command.cdb()[0])),
                    _ => Answer::NotAsked,
                };
                let answers = request.asks.iter().map(answer).collect();
                Event::Checked {
                    token,
                    raw: Answered::News(RawCheck { sysfs_state: Some("running".into()), answers }),
                }
            }
            Effect::Dm { token, op, .. } => {
                if let DmOp::Create { load, .. } = op {
                    self.made.push(load.params);
                }
                // No device-mapper here: what is tried is tried again with a growing pause.
                let failure = DmFailure::new("create", Errno::EIO);
                Event::DmDone { token, done: Box::new(DmDone { result: Err(failure), map: Ok(None) }) }
            }
            Effect::Save { token, .. } | Effect::Mark { token, .. } => Event::Saved { token, result: Ok(()) },
            Effect::SysfsWrite { token, attribute, .. } => {
                if attribute == "uevent" {
                    self.asked.push(self.now);
                }
                Event::SysfsWritten { token, result: Ok(()) }
            }
            Effect::Reply { id, .. } => {
                self.replies.push((self.now, id.0));
                return None;
            }
            Effect::Notify(notice) => {
                self.said.push((notice.level(), notice.to_string()));
                return None;
            }
            _ => return None,
        })
    }

    fn reconfigure(&mut self, defaults: &str) {
        let mut out = Outbox::new();
        self.core.handle(self.now, Event::Signal(Signal::Reconfigure), &mut out);
        self.carry_out(out, &config(defaults));
    }

    /// Lets time pass; what was said meanwhile of the disk.
    fn advance(&mut self, seconds: u64) -> Vec<(Level, String)> {
        let end = self.now + Duration::from_secs(seconds);
        let config = self.core.config.clone();
        while let Some(at) = self.core.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            let mut out = Outbox::new();
            self.core.handle(self.now, Event::Tick, &mut out);
            self.carry_out(out, &config);
        }
        self.now = end;
        let said = core::mem::take(&mut self.said);
        said.into_iter().filter(|(_, text)| text.contains("sda")).collect()
    }

    fn state(&self) -> (CheckState, Priority) {
        let path = self.core.paths().next().expect("it is there");
        (path.health.state, path.health.priority)
    }
}

fn config(defaults: &str) -> Arc<Config> {
    let text = alloc::format!("defaults {{\nfind_multipaths greedy\n{defaults}\n}}\n");
    Arc::new(Config::load(&[Source { name: "f", text: &text }]).0)
}

fn checker_says(said: &[(Level, String)]) -> Vec<(Level, &str)> {
    said.iter().filter(|(_, text)| text.contains("checker")).map(|(l, t)| (*l, t.as_str())).collect()
}

#[test]
fn a_path_that_stays_failed_is_said_again_or_for_who_wants_to_know() {
    const DOWN: &str = "3600a0b8: sda - tur checker reports path is down";
    for (log, level) in [("always", Level::Notice), ("once", Level::Info)] {
        let conf = alloc::format!("log_checker_err {log}\npolling_interval 5");
        let mut machine = Machine::new(&conf, |_| good(""));
        machine.advance(60);
        machine.answer = |_| refused("72 03 11 00");
        let said = machine.advance(60);
        let said = checker_says(&said);
        assert_eq!(said[..2], [(Level::Warning, DOWN), (level, DOWN)], "{log}");
        assert!(said.len() > 5 && said[1..].iter().all(|again| *again == (level, DOWN)), "{said:?}");
        machine.answer = |_| good("");
        let said = machine.advance(60);
        assert_eq!(checker_says(&said), [(Level::Notice, "3600a0b8: sda - tur checker reports path is up")]);
    }
}

#[test]
fn a_reconfigure_without_a_change_probes_no_path_of_a_map() {
    let mut machine = Machine::new("no_path_retry 3", |_| good(""));
    machine.advance(60);
    assert_eq!(machine.probes, 1);
    machine.reconfigure("no_path_retry 3");
    assert_eq!(machine.probes, 1);
    machine.reconfigure("no_path_retry 4");
    assert_eq!(machine.probes, 2);
}

#[test]
fn a_path_whose_wwid_is_another_leaves_its_map_before_it_is_probed() {
    for action in [UeventAction::Add, UeventAction::Change] {
        let mut machine = Machine::new("", |_| good(""));
        machine.advance(60);
        assert!(machine.core.paths().all(|path| path.map().is_some()));
        let properties = [("ID_SERIAL".into(), "3600b".into())].into();
        let uevent = Uevent { action, name: "sda".into(), properties, own: false };
        machine.core.handle(machine.now, Event::Uevent(uevent), &mut Outbox::new());
        assert!(machine.core.paths().all(|path| path.map().is_none()), "{action:?}");
    }
}

#[test]
fn a_path_that_udev_has_forgotten_stays_as_long_as_it_is_the_same() {
    let mut machine = Machine::begin("36001405a8dbdfc2cd1441cb8b3a5a8d1", true, "", |_| good(""));
    machine.advance(60);
    machine.udev = false;
    for (seconds, last, stays) in [(9, "d1", true), (8, "d2", false)] {
        machine.vpd83 = hex(&alloc::format!("00830014 01030010 6001405a8dbdfc2cd1441cb8b3a5a8{last}"));
        machine.reconfigure(&alloc::format!("checker_timeout {seconds}"));
        assert!(machine.core.paths().all(|path| path.map().is_some() == stays), "{last}");
    }
}

#[test]
fn another_lun_has_another_serial_number() {
    for is_said in [true, false] {
        let mut machine = Machine::new("", |_| good("00 80 0004 20 37 37 20"));
        machine.inquiry = [0, 0, 3].into(); // so old that the device itself is asked
        machine.reconfigure("checker_timeout 9");
        machine.advance(60);
        let serial =
            |machine: &Machine| machine.core.paths().next()?.facts.as_ref().map(|f| f.serial.clone());
        assert_eq!(serial(&machine).as_deref(), Some("77"));
        machine.reconfigure("checker_timeout 8");
        assert_eq!(serial(&machine).as_deref(), Some("77"), "it is still known after another look");

        (machine.wwid, machine.answer) = ("3600b", |_| refused("72 03 11 00"));
        if is_said {
            let properties = [("ID_SERIAL".into(), "3600b".into())].into();
            let uevent = Uevent { action: UeventAction::Change, name: "sda".into(), properties, own: false };
            let mut out = Outbox::new();
            machine.core.handle(machine.now, Event::Uevent(uevent), &mut out);
            machine.carry_out(out, &config("checker_timeout 8"));
        } else {
            machine.reconfigure("checker_timeout 7");
        }
        assert_eq!(serial(&machine).as_deref(), Some(""), "{is_said}: nobody knows yet");
        machine.answer = |_| good("00 80 0004 20 38 38 20");
        machine.advance(120);
        assert_eq!(serial(&machine).as_deref(), Some("88"));
    }
}

#[test]
fn an_unmapped_lun_is_disconnected_and_fails_its_path() {
    let mut machine = Machine::new("", |_| good(""));
    machine.advance(10);
    assert_eq!(machine.state(), (CheckState::Up, Priority(1)));
    machine.answer = |_| refused("70 00 05 00000000 0a 00000000 25 00");
    let said = machine.advance(30);
    assert_eq!(machine.state().0, CheckState::Disconnected);
    assert_eq!(
        checker_says(&said)[0],
        (Level::Warning, "3600a0b8: sda - tur checker no access to this device")
    );
    assert!(machine.state().0.is_failed());
}

#[test]
fn a_priority_that_can_not_be_read_keeps_its_last_value_and_is_said_once() {
    let mut machine = Machine::new("prio rdac\nprio_args x", |operation| match operation {
        0x12 => good("00 c9 00 2c 76616331 01 01 00 00 00 00"),
        _ => good(""),
    });
    machine.advance(60);
    assert_eq!(machine.state(), (CheckState::Up, Priority(6)));
    machine.answer = |operation| if operation == 0x12 { refused("72 05 24 00") } else { good("") };
    let said = machine.advance(120);
    assert_eq!(machine.state(), (CheckState::Up, Priority(6)));
    let text = "sda: its priority can't be read: the device doesn't know the question; it keeps its last one";
    assert_eq!(said, [(Level::Warning, text.into())]);
    let mut machine = Machine::new("prio iet\nprio_args 10.0.0.1", |_| good(""));
    let said = machine.advance(120);
    assert_eq!(machine.state(), (CheckState::Up, Priority(0)));
    let said: Vec<_> = said.iter().filter(|(level, _)| *level == Level::Warning).collect();
    assert!(
        said.len() == 1 && said[0].1.contains("is not a preferred address; write `preferredip="),
        "{said:?}"
    );
}

#[test]
fn udev_is_asked_again_so_often_and_at_such_intervals() {
    let seconds = |machine: &Machine| -> Vec<u64> {
        machine.asked.iter().map(|at| at.as_micros() / 1_000_000).collect()
    };
    let mut machine = Machine::of("", "", |_| good(""));
    machine.advance(600);
    assert_eq!(seconds(&machine), [10, 20, 30], "the defaults");

    for (tries, times) in [(0, &[][..]), (1, &[7]), (4, &[7, 14, 21, 28])] {
        let conf = alloc::format!("retrigger_tries {tries}\nretrigger_delay 7");
        let mut machine = Machine::of("", &conf, |_| good(""));
        // udev looks at it for other reasons, too: that is no try, and puts none off.
        for _ in 0..60 {
            machine.advance(1);
            let (mut out, config) = (Outbox::new(), machine.core.config.clone());
            machine.core.handle(machine.now, machine.looked_at(), &mut out);
            machine.carry_out(out, &config);
        }
        assert_eq!(seconds(&machine), times, "{tries}");
        assert!(machine.core.paths().all(|path| path.map().is_none()));
        machine.wwid = "3600a0b8";
        let (mut out, config) = (Outbox::new(), machine.core.config.clone());
        machine.core.handle(machine.now, machine.looked_at(), &mut out);
        machine.carry_out(out, &config);
        assert!(machine.core.paths().all(|path| path.map().is_some()), "it is never too late");
    }
}

#[test]
fn a_disk_that_udev_never_looks_at_is_known_by_what_it_says_itself() {
    for (uid_attribute, is_known) in [("ID_SERIAL", true), ("ID_UUID", false)] {
        let conf = alloc::format!("retrigger_tries 2\nretrigger_delay 7\nuid_attribute {uid_attribute}");
        let mut machine = Machine::without_udev(&conf, |_| good(""));
        let said = machine.advance(20);
        assert_eq!(machine.asked.len(), 2, "udev was asked");
        assert!(machine.core.paths().all(|path| path.map().is_none()), "and has all its time: {said:?}");
        let said = machine.advance(2);
        assert_eq!(machine.core.paths().any(|path| path.map().is_some()), is_known, "{said:?}");
        assert_eq!(
            said.iter().filter(|(_, text)| text.contains("udev has not looked")).count(),
            usize::from(is_known)
        );
        machine.advance(600);
        assert_eq!((machine.asked.len(), machine.probes), (2, 2), "that is all");
        // It looks after all, and says the same.
        (machine.udev, machine.wwid) = (true, "3600a0b8");
        let (mut out, config) = (Outbox::new(), machine.core.config.clone());
        machine.core.handle(machine.now, machine.looked_at(), &mut out);
        machine.carry_out(out, &config);
        let said = machine.advance(1);
        assert!(!said.iter().any(|(_, text)| text.contains("removed")), "{said:?}");
    }
}

#[test]
fn a_path_that_there_are_no_means_to_look_at_stays_and_is_looked_at_again() {
    let mut machine = Machine::new("", |_| good(""));
    machine.advance(3);
    let (mut out, config) = (Outbox::new(), machine.core.config.clone());
    (machine.probes, machine.short) = (0, 2);
    machine.core.handle(machine.now, machine.looked_at(), &mut out);
    machine.carry_out(out, &config);
    let stays = |machine: &Machine| machine.core.paths().any(|path| path.map().is_some());
    assert!(stays(&machine) && machine.probes == 1, "{}", machine.probes);
    machine.advance(1);
    assert!(stays(&machine) && machine.probes == 2, "{}", machine.probes);
    machine.advance(600);
    assert!(stays(&machine) && machine.probes == 3, "{}: it is known", machine.probes);
}

/// A daemon, or a command that works without one, that has read the file, and what it orders then.
fn after_reading(defaults: &str, resident: bool) -> (Core, Outbox) {
    let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident }), Outbox::new());
    let now = Instant::from_micros(0);
    core.start(now, &mut out);
    let token = out.drain().find_map(|effect| match effect {
        Effect::LoadConfig { token } => Some(token),
        _ => None,
    });
    let token = token.expect("the configuration first");
    core.handle(now, Event::Config { token, loaded: Box::new(Loaded::of(config(defaults))) }, &mut out);
    (core, out)
}

#[test]
fn the_limit_of_open_files_is_the_daemons_and_where_a_file_sets_it() {
    let limits = |defaults, resident| {
        let (_, mut out) = after_reading(defaults, resident);
        out.drain().filter(|effect| matches!(effect, Effect::OpenFiles(_))).collect::<Vec<_>>()
    };
    assert_eq!(limits("max_fds 4096", true), [Effect::OpenFiles(MaxFds::Number(4096))]);
    assert_eq!(limits("max_fds max", true), [Effect::OpenFiles(MaxFds::OfSystem)]);
    assert_eq!(limits("", true), []);
    assert_eq!(limits("max_fds 4096", false), []);
}

#[test]
fn a_disk_that_comes_while_all_are_listed_is_not_lost() {
    let (mut core, mut out) = after_reading("", true);
    let now = Instant::from_micros(0);
    let token = out.drain().find_map(|effect| match effect {
        Effect::Enumerate { token } => Some(token),
        _ => None,
    });
    // The folder has been read, the maps have not.
    let properties = [].into();
    let added = Uevent { action: UeventAction::Add, name: "sda".into(), properties, own: false };
    core.handle(now, Event::Uevent(added), &mut out);
    let event = Event::Enumerated { token: token.expect("then all there is"), found: Ok(Box::default()) };
    core.handle(now, event, &mut out);
    let probed =
        out.drain().any(|effect| matches!(effect, Effect::Probe { name, .. } if name.as_str() == "sda"));
    assert!(probed, "it is looked at");
}

#[test]
fn nothing_is_looked_at_before_the_configuration_is_there() {
    let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: true }), Outbox::new());
    let now = Instant::from_micros(0);
    core.start(now, &mut out);
    drop(out.drain());
    let devt = DevT { major: 253, minor: 0 };
    let map = MapListEntry { name: "data".into(), uuid: "mpath-3600a0b8".into(), devt, event_nr: 1 };
    let properties = [("DM_UUID", "mpath-3600a0b8"), ("DM_NAME", "data")];
    let properties = properties.map(|(key, value)| (key.into(), value.into())).into();
    let told = Uevent { action: UeventAction::Change, name: "dm-0".into(), properties, own: false };
    for event in [Event::UeventsLost, Event::DmChanged([map].into()), Event::Uevent(told)] {
        core.handle(now, event, &mut out);
        let ordered: Vec<Effect> =
            out.drain().filter(|effect| !matches!(effect, Effect::Notify(_))).collect();
        assert!(ordered.is_empty(), "{ordered:?}");
    }
    assert_eq!(core.maps().count(), 0);
}

/// Its maker may be gone before it is there.
#[test]
fn a_map_that_nobody_looks_after_does_not_queue_from_the_beginning() {
    for (resident, option, queues) in
        [(true, "no", true), (false, "no", false), (false, "yes", true), (true, "yes", true)]
    {
        let defaults = alloc::format!("no_path_retry queue\nqueue_without_daemon {option}");
        let core = Core::new(CoreInit { pid: 1, resident });
        let machine = Machine::run(core, "3600a0b8", true, (&defaults, |_| good("")));
        let table = machine.made.first().expect("a map");
        assert_eq!(table.starts_with("1 queue_if_no_path "), queues, "{resident} {option}: {table}");
    }
}
