//! A whole run of one seed: a random machine, chaos, and then rest, more than once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant as WallClock};

use libmp::types::Instant;

use crate::conf::{Conf, Find};
use crate::coverage::Coverage;
use crate::daemon::Factory;
use crate::fault::Faults;
use crate::gremlin::ACTS;
use crate::invariants::{Rest, Violation, at_rest};
use crate::rng::Rng;
use crate::sim::{Item, Sim};
use crate::trace::Trace;
use crate::world::disk::{Disk, Identity, Link, Lun, SdevState};
use crate::world::scsi::Alua;

/// How a seed is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub events: u64,
    pub trace: bool,
    /// Lines kept for the end of a failed run.
    pub tail: usize,
}

/// How it went.
#[derive(Debug)]
pub struct Outcome {
    pub seed: u64,
    pub events: u64,
    pub virtual_time: Duration,
    pub violation: Option<Violation>,
    pub tail: String,
    pub coverage: Coverage,
}

/// Runs one seed.
pub fn run(seed: u64, options: Options, factory: Factory) -> Outcome {
    let mut sim = Sim::new(seed, factory, Trace::new(options.tail, options.trace));
    let violation = rounds(&mut sim, options.events).err();
    if let Some(violation) = &violation {
        let now = sim.now();
        sim.trace.line(now, format_args!("!! {violation}"));
    }
    Outcome {
        seed,
        events: sim.events,
        virtual_time: sim.now() - Instant::default(),
        violation,
        tail: if options.trace { String::new() } else { sim.trace.tail() },
        coverage: sim.coverage,
    }
}

/// Runs seeds, as many at once as there are processors; `report` hears of each.
pub fn run_many(
    seeds: std::ops::Range<u64>,
    options: Options,
    factory: impl Fn() -> Factory + Sync,
    mut report: impl FnMut(&Outcome),
) -> (Coverage, u64, Duration) {
    let start = WallClock::now();
    let (mut coverage, mut events) = (Coverage::default(), 0);
    let next = AtomicU64::new(seeds.start);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let (sender, outcomes) = mpsc::channel();
        for _ in 0..workers {
            let (sender, next, factory) = (sender.clone(), &next, &factory);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || sender.send(run(seed, options, factory())).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for outcome in outcomes {
            coverage.merge(&outcome.coverage);
            events += outcome.events;
            report(&outcome);
        }
    });
    (coverage, events, start.elapsed())
}

fn rounds(sim: &mut Sim, events: u64) -> Result<(), Violation> {
    build(sim);
    let rounds = sim.rng.within(1..=3);
    for _ in 0..rounds {
        chaos(sim, events / rounds)?;
        heal(sim)?;
        rest(sim)?;
    }
    Ok(())
}

pub(crate) fn wwid(number: usize) -> String {
    format!("3600a0b8000{number:022x}")
}

/// A random machine: arrays, hosts, a configuration, leftovers.
fn build(sim: &mut Sim) {
    let luns = usize::try_from(sim.rng.within(1..=6)).expect("small");
    sim.hosts = u32::try_from(sim.rng.within(1..=4)).expect("small");
    for number in 0..luns {
        let alua = sim.rng.per_mille(500);
        let identity = Identity {
            wwid: wwid(number + 1),
            serial: format!("SER{number}"),
            sectors: 1024 * (2 + u64::try_from(number).expect("small") % 3),
            vendor: "ACME".into(),
            product: if number % 2 == 0 { "DISK".into() } else { "FLASH".into() },
        };
        let groups = usize::try_from(sim.rng.within(1..=2)).expect("small");
        sim.world.add_lun(identity, groups, alua);
    }
    let wwids: Vec<String> = (1..=luns).map(wwid).collect();
    let conf = Conf::random(&mut sim.rng, &wwids);
    // Some have been multipathed before.
    for wwid in wwids.iter().filter(|_| conf.find != Find::Greedy) {
        if sim.rng.per_mille(400) {
            sim.world.files.wwids.extend(["/", wwid, "/\n"]);
        }
    }
    sim.configure(conf);
    let wanted = sim.rng.below(luns * usize::try_from(sim.hosts).expect("small") + 1);
    for _ in 0..wanted {
        sim.add_missing_disk();
    }
    sim.partitions = sim.rng.per_mille(300);
    sim.world.rules_greedy = sim.rng.per_mille(400);
    sim.flush_signals();
    let first = sim.rng.millis(0..=5000);
    sim.after(first, Item::Start);
}

fn chaos(sim: &mut Sim, events: u64) -> Result<(), Violation> {
    sim.faults = Faults::random(&mut sim.rng);
    let rng: &mut Rng = &mut sim.rng;
    // Some kinds of mischief are off in each round, and some come often.
    let acts = ACTS.iter().filter_map(|(weight, act)| match rng.below(4) {
        0 => None,
        1 => Some((weight * 4, *act)),
        _ => Some((*weight, *act)),
    });
    sim.acts = acts.collect();
    sim.acts.push((1, crate::gremlin::Act::AddDisk));
    let every = sim.rng.millis(200..=20_000);
    sim.gremlin_every = Some(every);
    sim.writers_every = Some(sim.rng.millis(300..=5000));
    sim.after(Duration::ZERO, Item::Gremlin);
    sim.after(Duration::ZERO, Item::Writers);
    sim.run_events(events)
}

/// How much is looked at anew when the faults are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Healing {
    /// Every disk is scanned, and the configuration is read.
    Reconfigured,
    /// Every disk is scanned, and every map resized.
    Rescanned,
    /// What is otherwise than it was scanned or made: nobody gives the daemon another reason to plan the rest.
    ByItself,
}

/// The faults end; what is broken for good stays so, and everybody can know it.
fn heal(sim: &mut Sim) -> Result<(), Violation> {
    let now = sim.now();
    // A map that was removed by an operator stays away else.
    let healing = if sim.watch.is_away() {
        Healing::Reconfigured
    } else {
        sim.rng.weighted(&[(1, Healing::Reconfigured), (1, Healing::Rescanned), (2, Healing::ByItself)])
    };
    sim.trace.line(now, format_args!("-- heals: {healing:?}"));
    sim.faults = Faults::none();
    sim.gremlin_every = None;
    sim.writers_every = None;
    heal_disks(sim, healing);
    for lun in &mut sim.world.luns {
        for state in &mut lun.groups {
            if *state == Alua::Transitioning {
                *state = Alua::NonOptimized;
            }
        }
    }
    let foreign: Vec<String> =
        sim.world.dm.devices.values().filter(|d| d.uuid.is_empty()).map(|d| d.name.clone()).collect();
    for name in foreign {
        let _ = sim.world.dm.remove(&name, false);
    }
    sim.world.settle();
    sim.unpark();
    sim.after(Duration::from_secs(40), Item::Start);
    sim.after(Duration::from_mins(1), Item::Command("restorequeueing maps".into()));
    sim.watch.unresized.clear();
    if healing == Healing::Reconfigured {
        sim.after(Duration::from_secs(61), Item::Command("reconfigure".into()));
        for name in sim.world.disks.keys().cloned().collect::<Vec<_>>() {
            sim.after(Duration::from_secs(70), Item::Command(format!("reinstate path {name}")));
        }
    }
    // What an operator has said is taken back.
    for back in std::mem::take(&mut sim.take_back) {
        sim.after(Duration::from_secs(71), Item::Command(back));
    }
    sim.run_until(now + Duration::from_secs(75))?;
    if healing != Healing::Reconfigured {
        let is_due = |lun: &&Lun| healing == Healing::Rescanned || sim.world.is_resized(&lun.identity);
        let wwids = sim.world.luns.iter().filter(is_due).map(|lun| &lun.identity.wwid);
        for resize in wwids.map(|wwid| format!("resize map {wwid}")).collect::<Vec<_>>() {
            sim.after(Duration::ZERO, Item::Command(resize));
        }
    }
    // The longest late answer is quarter of an hour under way.
    let quiet = now + Duration::from_mins(20);
    sim.run_until(quiet)
}

fn heal_disks(sim: &mut Sim, healing: Healing) {
    let names: Vec<String> = sim.world.disks.keys().cloned().collect();
    let all_go = sim.rng.per_mille(40);
    for name in names {
        let link = sim.rng.weighted(&[(17, Link::Up), (2, Link::Down), (1, Link::Hung)]);
        let state = sim.rng.weighted(&[(19, SdevState::Running), (1, SdevState::Offline)]);
        if all_go {
            sim.world.remove_disk(&name);
            continue;
        }
        let Some(disk) = sim.world.disks.get_mut(&name) else { continue };
        // The host has scanned it before it broke.
        (disk.link, disk.state) = (Link::Up, SdevState::Running);
        (disk.reads_fail, disk.recovering) = (false, false);
        // What the kernel refused is written again when the configuration is read.
        disk.layers.spoilt &= healing != Healing::Reconfigured;
        disk.unannounced &= healing == Healing::ByItself;
        if disk.lun.is_none() {
            sim.world.remove_disk(&name);
            continue;
        }
        if healing != Healing::ByItself || sim.world.is_outdated(&name) {
            sim.world.rescan(&name);
        }
        if let Some(disk) = sim.world.disks.get_mut(&name) {
            (disk.link, disk.state) = (link, state);
        }
    }
}

fn rest(sim: &mut Sim) -> Result<(), Violation> {
    let started = sim.now();
    sim.trace.line(started, format_args!("-- at rest"));
    judge(sim)?;
    let paths = u64::try_from(sim.world.disks.len()).expect("few");
    let an_hour = paths * 3600 / sim.conf.max_polling_s < 1500 || sim.rng.per_mille(50);
    let length = if an_hour { Duration::from_hours(1) } else { Duration::from_mins(10) };
    (sim.watch.orders, sim.watch.relapses, sim.watch.ticks, sim.watch.checks) = (0, 0, 0, 0);
    sim.watch.regroups = 0;
    sim.run_until(started + length)?;
    judge(sim)?;
    // A standby path that fails again and again is in a group of its own while it is held back, where such groups are wanted.
    let own_groups = sim.conf.extra.iter().any(|line| line.starts_with("marginal_pathgroups"));
    let regroups = if own_groups { sim.watch.regroups } else { 0 };
    if sim.watch.orders > regroups {
        let detail =
            format!("{} orders in {length:?}, the last one: {}", sim.watch.orders, sim.watch.last_order);
        return Err(Violation::new("rest-orders-nothing", detail));
    }
    if sim.watch.relapses + regroups > paths * (length.as_secs() / 120 + 1) {
        let detail = format!("{} times in {length:?} a standby path was reinstated", sim.watch.relapses);
        return Err(Violation::new("rest-orders-nothing", detail));
    }
    // A map that is held open without a path is looked at every 29 s, so that what is done to it is known within half a minute.
    let held = u64::try_from(sim.world.dm.devices.len()).expect("few") * (length.as_secs() / 29 + 1);
    let due = checks_due(sim, length);
    if sim.watch.checks > due {
        let detail =
            format!("checks: {} of {paths} paths in {length:?}, where {due} are due", sim.watch.checks);
        return Err(Violation::new("rest-wakes-little", detail));
    }
    let allowed = 2 * sim.watch.checks + paths * length.as_secs() / sim.conf.max_polling_s + held + 20;
    if sim.watch.ticks > allowed {
        let detail = format!("{} wake-ups for {} checks in {length:?}", sim.watch.ticks, sim.watch.checks);
        return Err(Violation::new("rest-wakes-little", detail));
    }
    let deadline = sim.daemon.as_ref().and_then(|d| d.next_deadline());
    if paths == 0 && sim.world.dm.devices.is_empty() && deadline.is_some() {
        return Err(Violation::new("rest-wakes-little", "there is nothing, and a deadline"));
    }
    Ok(())
}

/// How often the daemon may ask its paths in this time: each with every interval, and where a standby path that was tried again has
/// failed.
fn checks_due(sim: &Sim, length: Duration) -> u64 {
    let due = |disk: &Disk| {
        let steady = disk.is_healthy(&sim.world.luns);
        let interval = if steady { sim.conf.max_polling_s } else { sim.conf.polling_s };
        length.as_secs() / interval + length.as_secs() / 120 + 2
    };
    sim.world.disks.values().map(due).sum()
}

fn judge(sim: &Sim) -> Result<(), Violation> {
    if let Some(detail) = sim.watch.outstanding() {
        return Err(Violation::new("rest-owes-nothing", detail));
    }
    let (awaited, under_way) = (sim.daemon.as_ref().map_or(0, |d| d.kept().0), sim.watch.under_way());
    if awaited > under_way {
        let detail = format!("{awaited} answers are awaited, and {under_way} are under way");
        return Err(Violation::new("rest-owes-nothing", detail));
    }
    at_rest(Rest {
        world: &sim.world,
        conf: &sim.conf,
        loaded_at: sim.loaded_at,
        unresized: &sim.watch.unresized,
    })
}
