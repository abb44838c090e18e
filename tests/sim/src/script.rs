//! Scenarios as text: a line a step, on the same machine, without random faults.
//!
//! ```text
//! lun A size=2048 groups=2 alua      an array's LUN (its WWID is made from the letter); `sizeless`: it tells no size on standby
//! defaults no_path_retry 3           a line of multipath.conf; `undefaults KEYWORD` takes back one
//!                                    that the simulator does not know itself
//! alias A data                       a name for it
//! blacklist A | blacklist devnode sda   it is excluded, by its WWID or by the disk's name
//! disk A host=1 group=1              it becomes visible: sda, sdb, … in order; `serial=X` another number, `old` before SPC-2;
//!                                    `tcp`: nvme1n1, by its host
//! start                              the daemon starts
//! advance 5s                         time passes
//! handler sda late                   it is attached later: sysfs has no access state of the disk yet
//! page sda lost                      reading page 0x83 failed when the disk was scanned; a rescan reads it
//! rescans sda lost | rescans sda read   a rescan meets it when it does not run: it reads nothing, and ends well
//! scanned sda 2048                   the kernel has read its size anew, and nobody is told
//! read sda never | read sda now      what a probe reads
//! opens sda never | opens sda now    a table load that opens it hangs: its host recovers from errors
//! udev sda never | udev sda now      udev does not come to look at it
//! udev sda looks                     udev looks at it, and the kernel does not
//! link sda down | state sda offline | reads sda fail | alua A 1 standby
//! kpartx data                        a partition, data-part1; `open data-part1`, `expect deferred data-part1 yes`
//! fault unread reload                a map can't be read after the next operation of this kind
//! fault step resume 12               the next ioctl of this kind ends with this error
//! lists-late 2s                      lists of maps are told so long after they were made
//! config-late 2s                     the configuration is read for so long
//! dm-late 2s                         answers of operations on maps are told so long after they were read
//! attention sda 3f 0e                its next command is answered with this unit attention
//! dmsetup message data fail_path 8:0 another tool
//! told sda identity | told nothing    what it says by itself; that messages of udev's are lost
//! fabric 1 link 0x51…01 | fabric 1 changed   what the fabric tells host 1 of ports; or `congestion`
//! command show paths                 an operator; `expect reply …` looks at the answer, `expect unanswered` sees that there is none
//! expect map data path sda failed
//! ```

mod expect;

use std::collections::BTreeMap;
use std::time::Duration;

use libmp::core::event::{Attention, Event, Signal, UeventAction};
use libmp::fabric::{Impairment, LinkFault, Message, News, Wwpn};
use libmp::types::{DevT, Errno};

use crate::conf::Conf;
use crate::daemon::Factory;
use crate::invariants::Violation;
use crate::sim::Sim;
use crate::trace::Trace;
use crate::world::Nexus;
use crate::world::disk::{Identity, Link, LunId, Reading, SdevState};
use crate::world::dm::{Device, Kind, MAJOR, Table, Target};
use crate::world::scsi::Alua;

/// A step that did not go as written.
#[derive(Debug)]
pub struct Failure {
    pub line: usize,
    pub text: String,
    pub why: String,
    pub tail: String,
}

struct Script {
    sim: Sim,
    luns: BTreeMap<String, LunId>,
    conf: Conf,
    last_request: u64,
    done: u64,
    errors: u64,
    /// Reloads at the last look.
    reloads: u64,
}

type Step = Result<(), String>;

/// What the daemon said: the log of the last one, as `expect log` sees it, and all answers.
pub type Heard = (Vec<String>, BTreeMap<u64, String>);

/// Runs a script.
pub fn run(text: &str, trace: bool, factory: Factory) -> Result<Heard, Box<Failure>> {
    let mut sim = Sim::new(1, factory, Trace::new(60, trace));
    sim.restart_after_exit = false;
    let conf = Conf::default();
    sim.configure(conf.clone());
    let mut script =
        Script { sim, luns: BTreeMap::new(), conf, last_request: 0, done: 0, errors: 0, reloads: 0 };
    for (number, line) in text.lines().enumerate() {
        let step = line.split('#').next().unwrap_or_default().trim();
        if step.is_empty() {
            continue;
        }
        let now = script.sim.now();
        script.sim.trace.line(now, format_args!("== {step}"));
        if let Err(why) = script.step(step) {
            let tail = script.sim.trace.tail();
            return Err(Box::new(Failure { line: number + 1, text: step.to_owned(), why, tail }));
        }
    }
    let Sim { log, replies, .. } = script.sim;
    Ok((log, replies))
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().map_err(|_| format!("{text} is no time"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3600)),
        _ => Err(format!("{text}: ms, s, m or h")),
    }
}

fn option<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|w| w.strip_prefix(key)?.strip_prefix('='))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// What a fabric tells of these ports.
fn news(what: &str, ports: &[&str]) -> Result<News, String> {
    let by = match what {
        "changed" => return Ok(News::Changed),
        "link" => Impairment::Link(LinkFault(6)),
        "congestion" => Impairment::Congestion,
        _ => return Err(format!("{what}: link, congestion or changed")),
    };
    let port = |name: &&str| Wwpn::parse(name).ok_or(format!("{name} names no port"));
    Ok(News::Impaired { by, attached: Wwpn(0), ports: ports.iter().map(port).collect::<Result<_, _>>()? })
}

#[allow(clippy::needless_pass_by_value)] // the form that map_err takes
fn broken(violation: Violation) -> String {
    violation.to_string()
}

impl Script {
    fn step(&mut self, step: &str) -> Step {
        let words: Vec<&str> = step.split_ascii_whitespace().collect();
        match words[..] {
            ["lun", letter, ref options @ ..] => self.lun(letter, options),
            ["disk", letter, ref options @ ..] => self.disk(letter, options),
            ["defaults" | "undefaults" | "alias" | "blacklist" | "unblacklist" | "unalias", ..] => {
                self.configure(&words)
            }
            ["start"] => self.sim.start().map_err(broken),
            ["kill"] => {
                self.sim.kill();
                Ok(())
            }
            ["terminate"] => self.sim.dispatch(Event::Signal(Signal::Terminate)).map_err(broken),
            ["advance", time] => self.advance(duration(time)?),
            ["command", ..] => {
                let command = step["command".len()..].trim();
                self.last_request = self.sim.request(command).map_err(broken)?.0;
                Ok(())
            }
            ["fault", "dm", times, errno] => {
                self.sim.next_dm_errors = (number(times)?, Errno(number(errno)?));
                Ok(())
            }
            ["fault", "step", step, errno] => {
                self.sim.next_step_error = Some(((*step).to_owned(), Errno(number(errno)?)));
                Ok(())
            }
            ["kill-after-steps", steps] => {
                self.sim.kill_after_steps = Some(number(steps)?);
                Ok(())
            }
            ["write", map, times] => self.write(map, number(times)?),
            ["open" | "close", map] => {
                let opens = u32::from(words[0] == "open");
                self.sim.world.dm.get(map).map_err(|_| format!("no map {map}"))?.opens = opens;
                self.sim.world.dm.reap_deferred();
                self.advance(Duration::ZERO)
            }
            ["lists-late", time] => {
                self.sim.lists_late = duration(time)?;
                Ok(())
            }
            ["config-late", time] => {
                self.sim.config_late = duration(time)?;
                Ok(())
            }
            ["dm-late", time] => {
                self.sim.dm_late = duration(time)?;
                Ok(())
            }
            ["kpartx", map] => {
                let minor = self.device(map)?.minor;
                self.sim.kpartx(minor);
                self.advance(Duration::ZERO)
            }
            ["dmsetup", ..] => self.dmsetup(&words[1..]),
            ["bindings" | "config" | "forget-checks" | "fault", ..] => self.set(&words),
            ["rules", "greedy"] => {
                self.sim.world.rules_greedy = true;
                Ok(())
            }
            ["fabric" | "told", ..] => self.tell(&words),
            ["expect", ..] => self.expect(&words[1..], step),
            _ => self.change(&words),
        }
    }

    fn set(&mut self, words: &[&str]) -> Step {
        match *words {
            ["bindings", "unknown"] => self.sim.bindings_unknown = true,
            ["bindings", "known"] => self.sim.bindings_unknown = false,
            ["config", "unreadable"] => self.sim.config_unreadable = true,
            ["config", "readable"] => self.sim.config_unreadable = false,
            ["forget-checks"] => self.sim.checks_of.clear(),
            ["fault", "unread", operation] => self.sim.next_unread = Some(operation.to_owned()),
            ["fault", "lists"] => self.sim.lists_fail = true,
            ["fault", "lists", "over"] => self.sim.lists_fail = false,
            ["fault", "save"] => self.sim.faults.save_error = 1000,
            ["fault", "save", "over"] => self.sim.faults.save_error = 0,
            ["fault", "rename"] => self.sim.world.dm.refuses_names = true,
            ["fault", "rename", "over"] => self.sim.world.dm.refuses_names = false,
            _ => {
                return Err(
                    "bindings unknown or known, config unreadable or readable, forget-checks, or fault unread OPERATION, lists, save or rename, or that over".into(),
                );
            }
        }
        Ok(())
    }

    /// The daemon is told something that no file or device shows.
    fn tell(&mut self, words: &[&str]) -> Step {
        let event = match *words {
            ["fabric", host, what, ref ports @ ..] => {
                Event::Fabric(Message { host: number(host)?, news: news(what, ports)? })
            }
            ["told", disk, what] => {
                let device = self.sim.world.disks.get(disk).ok_or(format!("no disk {disk}"))?.hctl;
                let told = match what {
                    "access" => Attention::AccessStates,
                    "capacity" => Attention::Capacity,
                    "identity" => Attention::Identity,
                    "luns" => Attention::Luns,
                    _ => return Err("access, capacity, identity or luns".into()),
                };
                Event::Attention { device, told }
            }
            ["told", "nothing"] => Event::UeventsLost,
            _ => return Err("fabric HOST WHAT PORT..., or told DISK WHAT".into()),
        };
        self.sim.dispatch(event).map_err(broken)?;
        self.advance(Duration::ZERO)
    }

    fn lun(&mut self, letter: &str, options: &[&str]) -> Step {
        let code = letter.bytes().next().unwrap_or(b'?');
        let nameless = options.contains(&"nameless");
        let identity = Identity {
            wwid: if nameless { String::new() } else { format!("3600a0b80000000000000000000000{code:03}") },
            serial: format!("SERIAL{letter}"),
            sectors: option(options, "size").map_or(Ok(2048), number)?,
            vendor: "ACME".into(),
            product: "DISK".into(),
        };
        let groups = option(options, "groups").map_or(Ok(1), number)?;
        let id = self.sim.world.add_lun(identity, groups, options.contains(&"alua"));
        self.sim.world.luns[id].sizeless = options.contains(&"sizeless");
        self.luns.insert(letter.to_owned(), id);
        Ok(())
    }

    fn lun_id(&self, letter: &str) -> Result<LunId, String> {
        self.luns.get(letter).copied().ok_or(format!("no LUN {letter}"))
    }

    fn disk(&mut self, letter: &str, options: &[&str]) -> Step {
        let group: usize = option(options, "group").map_or(Ok(1), number)?;
        let lun = self.lun_id(letter)?;
        let host = option(options, "host").map_or(Ok(1), number)?;
        let at = Nexus { lun, host, group: group - 1 };
        let tcp = options.contains(&"tcp");
        let name = if tcp { self.sim.world.add_namespace(at) } else { self.sim.world.add_disk(at) };
        if let (Some(size), Some(disk)) = (option(options, "size"), self.sim.world.disks.get_mut(&name)) {
            disk.scanned.sectors = number(size)?;
        }
        if let (Some(serial), Some(disk)) = (option(options, "serial"), self.sim.world.disks.get_mut(&name)) {
            serial.clone_into(&mut disk.scanned.serial);
        }
        if let Some(disk) = self.sim.world.disks.get_mut(&name) {
            disk.old = options.contains(&"old");
        }
        self.sim.flush_signals();
        Ok(())
    }

    fn configure(&mut self, words: &[&str]) -> Step {
        let wwid = |letter: &str| self.lun_id(letter).map(|id| self.sim.world.luns[id].identity.wwid.clone());
        match *words {
            ["defaults", ref rest @ ..] => self.conf.extra.push(rest.join(" ")),
            ["undefaults", keyword] => {
                self.conf.extra.retain(|line| line.split(' ').next() != Some(keyword));
            }
            ["alias", letter, alias] => {
                let wwid = wwid(letter)?;
                self.conf.aliases.insert(wwid, alias.to_owned());
            }
            ["unalias", letter] => {
                let wwid = wwid(letter)?;
                self.conf.aliases.remove(&wwid);
            }
            ["blacklist", "devnode", name] => drop(self.conf.devnodes.insert(name.to_owned())),
            ["unblacklist", "devnode", name] => drop(self.conf.devnodes.remove(name)),
            ["blacklist", letter] => {
                let wwid = wwid(letter)?;
                self.conf.blacklist.insert(wwid);
            }
            ["unblacklist", letter] => {
                let wwid = wwid(letter)?;
                self.conf.blacklist.remove(&wwid);
            }
            _ => return Err("defaults, undefaults, alias, unalias, blacklist or unblacklist".into()),
        }
        self.conf.adopt_extra();
        self.sim.configure(self.conf.clone());
        Ok(())
    }

    fn advance(&mut self, time: Duration) -> Step {
        self.sim.watch_outcomes().map_err(broken)?;
        self.sim.flush_signals();
        let end = self.sim.now() + time;
        self.sim.run_until(end).map_err(broken)
    }

    fn write(&mut self, map: &str, times: u32) -> Step {
        let minor = self.device(map)?.minor;
        for _ in 0..times {
            self.sim.world.write(minor);
        }
        self.advance(Duration::ZERO)
    }

    fn device(&self, map: &str) -> Result<&Device, String> {
        self.sim.world.dm.by_name(map).ok_or_else(|| format!("no map {map}"))
    }

    /// Something changes in the world.
    fn change(&mut self, words: &[&str]) -> Step {
        if let ["alua", letter, group, state] = *words {
            let (id, group): (_, usize) = (self.lun_id(letter)?, number(group)?);
            let known = |s: &&Alua| s.as_str().ends_with(state);
            self.sim.world.luns[id].groups[group - 1] =
                *Alua::ALL.iter().find(known).ok_or("no such state")?;
            return Ok(());
        }
        if let ["size", letter, sectors] = *words {
            let id = self.lun_id(letter)?;
            self.sim.world.luns[id].identity.sectors = number(sectors)?;
            return Ok(());
        }
        let [verb, name, ref rest @ ..] = *words else { return Err("no such step".into()) };
        let lun = rest.first().and_then(|letter| self.luns.get(*letter)).copied();
        if verb == "remove" {
            self.sim.world.remove_disk(name);
            return self.advance(Duration::ZERO);
        }
        let disk = self.sim.world.disks.get_mut(name).ok_or(format!("no disk {name}"))?;
        match (verb, rest) {
            ("scanned", [sectors]) => disk.scanned.sectors = number(sectors)?,
            ("link", ["up"]) => disk.link = Link::Up,
            ("link", ["down"]) => disk.link = Link::Down,
            ("link", ["hung"]) => disk.link = Link::Hung,
            ("state", ["running"]) => disk.state = SdevState::Running,
            ("state", ["offline"]) => disk.state = SdevState::Offline,
            ("state", ["blocked"]) => disk.state = SdevState::Blocked,
            ("ro" | "rw", []) => disk.read_only = verb == "ro",
            ("read", ["now"]) => disk.reading = Reading::Always,
            ("read", ["once"]) => disk.reading = Reading::Once,
            ("read", ["never"]) => disk.reading = Reading::Never,
            ("state", ["transport-offline"]) => disk.state = SdevState::TransportOffline,
            ("reads", [how]) => disk.reads_fail = *how == "fail",
            ("hold" | "release", []) => disk.busy = verb == "hold",
            ("opens", [how]) => disk.recovering = *how == "never",
            ("handler", [how]) => disk.late_handler = *how == "late",
            ("page", [how]) => disk.page_lost = *how == "lost",
            ("wwn", [how]) => disk.wwn_lost = *how == "lost",
            ("udev", ["looks"]) => {
                self.sim.world.block_events.push((UeventAction::Change, name.to_owned()));
            }
            ("udev", [how]) => disk.unlooked = *how == "never",
            ("forget-udev", []) => disk.in_udev = None,
            ("attention", [code, qualifier]) => {
                let byte = |text| u8::from_str_radix(text, 16).map_err(|_| format!("{text} is no byte"));
                disk.attention = Some((byte(code)?, byte(qualifier)?));
            }
            ("unmap", []) => disk.lun = None,
            ("map", [_]) => disk.lun = Some(lun.ok_or("no such LUN")?),
            ("rescans", [how]) => disk.unread_by_rescans = *how == "lost",
            ("rescan", []) => self.sim.scan(name.to_owned()),
            _ => return Err("no such step".into()),
        }
        self.sim.world.settle();
        self.sim.unpark();
        self.advance(Duration::ZERO)
    }

    fn dmsetup(&mut self, words: &[&str]) -> Step {
        let world = &mut self.sim.world;
        let result = match *words {
            ["message", map, ref rest @ ..] => world.dm.message(map, &rest.join(" ")),
            ["rename", map, to] => world.dm.rename(map, to),
            ["remove", map] => world.dm.remove(map, false),
            ["remove", map, "deferred"] => world.dm.remove(map, true),
            ["suspend", map] => world.dm.suspend(map, true),
            ["resume", map] => world.dm.resume(map, 0),
            ["reload", map, ref rest @ ..] => {
                let sectors =
                    world.dm.by_name(map).and_then(|d| d.live.as_ref()).map_or(2048, Table::sectors);
                world
                    .load(map, sectors, &rest.join(" "), false)
                    .and_then(|()| world.dm.suspend(map, true))
                    .and_then(|()| world.dm.resume(map, 0))
            }
            ["load", map, sectors, ref rest @ ..] => {
                world.load(map, number(sectors)?, &rest.join(" "), false)
            }
            ["setro" | "setrw", map] => {
                let device = world.dm.devices.values_mut().find(|device| device.name == map);
                device.ok_or(format!("no map {map}"))?.protected = words[0] == "setro";
                Ok(())
            }
            ["clear", map] => world.dm.clear(map),
            ["create", map, ref uuid @ ..] => {
                world.dm.create(map, uuid.first().copied().unwrap_or("")).map(drop)
            }
            ["zero", map] => {
                let half = |start| Target { start, sectors: 512, kind: Kind::Zero };
                let table = Table { read_only: false, targets: vec![half(0), half(512)] };
                world.dm.load_table(map, table).and_then(|()| world.dm.resume(map, 0))
            }
            ["linear", map, below] => {
                let disk = world.disks.get(below).map(|disk| disk.devt);
                let on = disk.or_else(|| world.dm.by_name(below).map(|d| DevT::new(MAJOR, d.minor)));
                let on = on.ok_or("no such device")?;
                let target = Target { start: 0, sectors: 2048, kind: Kind::Linear { on } };
                let table = Table { read_only: false, targets: vec![target] };
                world.dm.load_table(map, table).and_then(|()| world.dm.resume(map, 0))
            }
            _ => {
                return Err(
                    "message, reload, load, clear, rename, remove, suspend, resume, create, zero, linear,\
                     setro or setrw"
                        .into(),
                );
            }
        };
        result.map_err(|errno| errno.to_string())?;
        self.sim.world.settle();
        self.advance(Duration::ZERO)
    }
}
