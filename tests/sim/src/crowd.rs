//! Many paths at once: what hangs beside what is healthy, and what a check costs.

use std::time::Duration;

use libmp::check::Answered;
use libmp::core::effect::{Effect, Outbox};
use libmp::core::event::{DmDone, Event};
use libmp::core::glance::AHEAD;
use libmp::ctl::Show;
use libmp::dm::op::{DmOp, Seen, uuid_of};
use libmp::show::show;
use libmp::types::Instant;
use nix::time::{ClockId, clock_gettime};

use crate::conf::Conf;
use crate::daemon::{Daemon, Factory};
use crate::invariants::Violation;
use crate::runner::wwid;
use crate::sim::Sim;
use crate::trace::Trace;
use crate::world::disk::Identity;
use crate::world::{Nexus, World};

/// So many events are handled before what they order is carried out, as in the daemon.
const BATCH: usize = 256;

/// So many LUNs.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub luns: usize,
    /// Paths of each, by a host of its own.
    pub hosts: u32,
    /// Longest time between two checks of a path.
    pub every: Duration,
}

impl Size {
    pub fn paths(self) -> usize {
        self.luns * usize::try_from(self.hosts).expect("few")
    }
}

/// Healthy LUNs, in service for so long that all is steady; at an instant at which no check is due.
fn crowd(size: Size, factory: Factory) -> Result<Sim, Violation> {
    let mut sim = Sim::new(1, factory, Trace::new(0, false));
    (sim.unjudged, sim.restart_after_exit) = (true, false);
    sim.world.calm = true;
    sim.configure(Conf {
        polling_s: 5,
        max_polling_s: size.every.as_secs(),
        friendly_names: false,
        ..Conf::default()
    });
    for number in 0..size.luns {
        let identity = Identity {
            wwid: wwid(number + 1),
            serial: format!("SER{number}"),
            sectors: 2048,
            vendor: "ACME".into(),
            product: "DISK".into(),
        };
        let lun = sim.world.add_lun(identity, 1, false);
        for host in 1..=size.hosts {
            sim.world.add_disk(Nexus { lun, host, group: 0 });
        }
    }
    sim.flush_signals();
    sim.start()?;
    sim.run_until(sim.now() + Duration::from_mins(3) + Duration::from_millis(500))?;
    Ok(sim)
}

/// A time at rest is measured in so many parts.
const PARTS: u32 = 3;

/// What a time at rest cost.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cost {
    pub checks: u64,
    /// Those that were not answered as usual, and maps that were not read as they are known.
    pub news: u64,
    /// Maps read again.
    pub reads: u64,
    /// Checks of the second that had most of them.
    pub busiest: u64,
    /// How often a path or a map was looked at.
    pub looks: u64,
    /// Processor time in the code under test.
    pub spent: Duration,
    /// Of its parts, the nanoseconds that a check of the cheapest one took: what the machine did besides, and what the
    /// other programs on it left in its caches, is in the others.
    pub least: u128,
    /// Of the same for `show maps topology`, at the end.
    pub tree: Duration,
}

impl Cost {
    /// Of core time for each check, ticks and maps that are read again included.
    pub fn nanos_a_check(&self) -> u128 {
        self.spent.as_nanos() / u128::from(self.checks.max(1))
    }
}

/// A time at rest. Only the core is timed, and nothing of the simulated machine.
pub fn bench(size: Size, lasts: Duration, factory: Factory) -> Result<Cost, Violation> {
    let mut sim = crowd(size, factory)?;
    let mut daemon = sim.daemon.take().expect("it runs");
    let (mut cost, mut begin) = (Cost { least: u128::MAX, ..Cost::default() }, sim.now());
    for _ in 0..PARTS {
        let part = rest(&sim.world, &mut *daemon, begin, lasts / PARTS)?;
        begin = begin + lasts / PARTS;
        cost = Cost {
            checks: cost.checks + part.checks,
            news: cost.news + part.news,
            reads: cost.reads + part.reads,
            busiest: cost.busiest.max(part.busiest),
            looks: cost.looks + part.looks,
            spent: cost.spent + part.spent,
            least: cost.least.min(part.nanos_a_check()),
            tree: Duration::ZERO,
        };
    }
    cost.tree = (0..PARTS).map(|_| tree(&*daemon, begin)).min().unwrap_or_default();
    Ok(cost)
}

/// What the tree of all maps costs.
fn tree(daemon: &dyn Daemon, now: Instant) -> Duration {
    let began = processor_time();
    show(&daemon.view(now), &Show::MapsTopology).expect("it has no device to be found");
    processor_time().saturating_sub(began)
}

fn rest(world: &World, daemon: &mut dyn Daemon, begin: Instant, lasts: Duration) -> Result<Cost, Violation> {
    let (mut cost, mut now) = (Cost::default(), begin);
    let looks = daemon.looks();
    let mut out = Outbox::new(); // one for ever, as the daemon has it
    while let Some(at) = daemon.next_deadline().filter(|at| *at <= begin + lasts) {
        now = now.max(at);
        let before = cost.checks;
        let mut events = vec![Event::Tick];
        while !events.is_empty() {
            let batch: Vec<Event> = events.drain(..events.len().min(BATCH)).collect();
            let began = processor_time();
            let mut batch = batch.into_iter();
            while !batch.as_slice().is_empty() {
                daemon.foresee(batch.as_slice());
                for event in batch.by_ref().take(AHEAD) {
                    daemon.handle(now, event, &mut out);
                }
            }
            cost.spent += processor_time().saturating_sub(began);
            for effect in out.drain() {
                events.push(answer(world, effect, &mut cost)?);
            }
        }
        cost.busiest = cost.busiest.max(cost.checks - before); // each is due on a whole second
    }
    cost.looks = daemon.looks() - looks;
    match daemon.kept() {
        (0, _) => Ok(cost),
        (awaited, _) => Err(Violation::new("rest-owes-nothing", format!("{awaited} answers are awaited"))),
    }
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has it").into()
}

/// The only two things that are ordered at rest.
fn answer(world: &World, effect: Effect, cost: &mut Cost) -> Result<Event, Violation> {
    match effect {
        Effect::Check { token, name, devt, request } => {
            cost.checks += 1;
            let raw = world.check(name.as_str(), devt, &request).expect("it is healthy");
            let raw = request.answered(raw);
            cost.news += u64::from(matches!(raw, Answered::News(_)));
            Ok(Event::Checked { token, raw })
        }
        Effect::Dm { token, wwid, op } if matches!(op, DmOp::Query { .. }) => {
            cost.reads += 1;
            let map = Ok(world.dm.read(&uuid_of(&wwid)).map(|raw| op.seen(raw)));
            cost.news += u64::from(matches!(map, Ok(Some(Seen::News(_)))));
            Ok(Event::DmDone { token, done: Box::new(DmDone { result: Ok(()), map }) })
        }
        other => Err(Violation::new("rest-orders-nothing", format!("{other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use libmp::check::RawCheck;

    use super::*;
    use crate::real;
    use crate::world::disk::Link;

    /// A debugger's build takes long for what the other does in a second.
    const FEWER: usize = if cfg!(debug_assertions) { 8 } else { 1 };

    const EVERY: Duration = Duration::from_secs(5);

    /// Answers awaited and timers set.
    fn kept(sim: &Sim) -> (usize, usize) {
        sim.daemon.as_ref().expect("runs").kept()
    }

    fn advance(sim: &mut Sim, minutes: u64) {
        sim.run_until(sim.now() + Duration::from_mins(minutes)).expect("goes on");
    }

    /// The link of some hosts, from now on.
    fn link(sim: &mut Sim, hosts: &dyn Fn(u32) -> bool, link: Link) {
        for disk in sim.world.disks.values_mut().filter(|disk| hosts(disk.hctl.host)) {
            disk.link = link;
        }
    }

    /// What is shown is answered at once; how many paths the kernel uses in it.
    fn shown_active(sim: &mut Sim) -> usize {
        let id = sim.request("show paths raw format \"%d %t\"").expect("taken");
        let reply = sim.replies.remove(&id.0).expect("answered with no other event between");
        reply.lines().filter(|line| line.contains("active")).count()
    }

    /// The answers of all checks that hang come now, and are good; whatever the disks do meanwhile.
    fn late_and_good(sim: &mut Sim) {
        for id in std::mem::take(&mut sim.hung) {
            let job = sim.jobs.remove(&id).expect("under way");
            let Effect::Check { token, name, request, .. } = job.effect else { panic!("{:?}", job.effect) };
            let mut disk = sim.world.disks[name.as_str()].clone();
            disk.link = Link::Up;
            let raw: RawCheck = disk.check(&sim.world.luns, &request);
            sim.dispatch(Event::Checked { token, raw: request.answered(raw) }).expect("goes on");
        }
    }

    /// Each healthy path is checked every five seconds, and no other is asked again before it answers.
    fn on_time(sim: &mut Sim, minutes: u64, hung: &dyn Fn(u32) -> bool) {
        let before = sim.checks_of.clone();
        advance(sim, minutes);
        for (name, disk) in &sim.world.disks {
            let checks = sim.checks_of[name] - before[name];
            let expected = if hung(disk.hctl.host) { 0 } else { minutes * 60 / EVERY.as_secs() };
            assert_eq!(checks, expected, "{name} in {minutes} min");
        }
    }

    /// Counted, not timed: how often a path or a map is looked at for a check.
    #[test]
    fn a_second_costs_what_is_due_in_it_however_many_paths_there_are() {
        let cost = |luns, every| {
            bench(Size { luns, hosts: 2, every }, Duration::from_mins(1), real::core()).expect("at rest")
        };
        let (few, many) = (cost(20, EVERY), cost(800, EVERY));
        assert_eq!((many.checks, many.reads), (40 * few.checks, 40 * few.reads));
        assert_eq!(many.looks, 40 * few.looks, "forty times as many checks: {few:?}, {many:?}");
        let seldom = cost(800, 4 * EVERY);
        assert_eq!(seldom.checks * 4, many.checks);
        assert!(seldom.looks * 3 < many.looks, "a fourth of the checks: {seldom:?}, {many:?}");
        assert!(many.looks < 7 * many.checks, "{many:?}");
        assert_eq!((few.news, many.news, seldom.news), (0, 0, 0), "what is as usual is not told");
    }

    #[test]
    fn checks_at_rest_are_spread_over_the_longest_interval() {
        for luns in [100, 1000 / FEWER] {
            let size = Size { luns, hosts: 2, every: 4 * EVERY };
            let cost = bench(size, Duration::from_secs(20), real::core()).expect("at rest");
            let mean = size.paths() as u64 / 20;
            assert_eq!(cost.checks, size.paths() as u64, "each once");
            assert!(
                cost.busiest <= mean + mean / 10 + 1,
                "{} in one second, {mean} in the mean",
                cost.busiest
            );
        }
    }

    /// So many LUNs; the paths of these hosts hang, are late, are down, and come back.
    fn hang(size: Size, hung: &dyn Fn(u32) -> bool) {
        let mut sim = crowd(size, real::core()).expect("starts");
        let hung_hosts = (1..=size.hosts).filter(|host| hung(*host)).count();
        let (hung_paths, all) = (hung_hosts * size.luns, size.paths());
        let usual = kept(&sim);
        assert_eq!((sim.world.dm.devices.len(), shown_active(&mut sim)), (size.luns, all));
        // Nothing is awaited between two seconds, and each path has one timer: its next check.
        assert_eq!(usual, (0, all));
        link(&mut sim, hung, Link::Hung);
        advance(&mut sim, 1);
        for _ in 0..3 {
            on_time(&mut sim, 2, hung);
            // A path that hangs costs the answer that is awaited, and no timer.
            assert_eq!(kept(&sim), (hung_paths, all - hung_paths));
            assert_eq!(shown_active(&mut sim), all - hung_paths);
        }
        link(&mut sim, hung, Link::Down);
        late_and_good(&mut sim);
        assert_eq!(shown_active(&mut sim), all - hung_paths, "a late answer is not taken for a fresh one");
        advance(&mut sim, 1);
        assert_eq!((kept(&sim), shown_active(&mut sim)), (usual, all - hung_paths));
        link(&mut sim, hung, Link::Up);
        advance(&mut sim, 1);
        assert_eq!((kept(&sim), shown_active(&mut sim)), (usual, all), "all is as it was before");
        on_time(&mut sim, 2, &|_| false);
    }

    /// Counted, not timed.
    #[test]
    fn a_start_costs_what_there_is_and_not_the_square_of_it() {
        let looks = |luns| {
            let size = Size { luns, hosts: 2, every: EVERY };
            let sim = crowd(size, real::core()).expect("starts");
            sim.daemon.as_ref().expect("runs").looks()
        };
        let (few, many) = (looks(20), looks(400));
        assert!(many <= 21 * few, "twenty times as many LUNs: {few}, {many}");
    }

    #[test]
    fn a_start_with_a_thousand_right_maps_loads_none() {
        let size = Size { luns: 1000 / FEWER, hosts: 2, every: EVERY };
        let mut sim = crowd(size, real::core()).expect("starts");
        sim.kill();
        sim.start().expect("starts");
        advance(&mut sim, 3);
        let said = |what: &str| sim.log.iter().filter(|line| line.contains(what)).count();
        assert_eq!(said("taken over as it is"), size.luns);
        assert_eq!((said("reloaded"), said("created")), (0, 0));
        assert_eq!(kept(&sim), (0, size.paths()));
    }

    #[test]
    fn a_thousand_hung_paths_beside_a_thousand_healthy_ones() {
        hang(Size { luns: 1000 / FEWER, hosts: 2, every: EVERY }, &|host| host == 1);
    }

    /// Scenario 17: LUNs with 16 paths each, and all but one of each hang at once. `CROWD_LUNS=1024` has as
    /// many as it tells of, and takes minutes.
    #[test]
    fn scenario_17_luns_with_sixteen_paths_hang_together() {
        let luns = std::env::var("CROWD_LUNS").map_or(64 / FEWER, |luns| luns.parse().expect("a number"));
        hang(Size { luns, hosts: 16, every: EVERY }, &|host| host > 1);
    }
}
