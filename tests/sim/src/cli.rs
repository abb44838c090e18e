//! The command line: one seed, a range of seeds, or the run that CI makes.

use std::process::ExitCode;
use std::time::Duration;

use crate::crowd::{self, Cost, Size};
use crate::invariants::CATALOGUE;
use crate::real;
use crate::runner::{Options, Outcome, run, run_many};
use crate::script;
use crate::scripts::SCRIPTS;

const USAGE: &str = "\
usage: sim --seed N [--events K] [--trace]     replay one run
       sim --seeds A..B [--events K]           run many
       sim --ci                                1,000 seeds, at least ten million events, and every script
       sim --script FILE [--trace]             one scenario
       sim --invariants                        what must hold
       sim --bench [--paths N] [--hosts H] [--minutes M] [--at-most NANOSECONDS]
                                               what a check costs the core: 100,000 paths, 8 for each LUN
";

/// Events of chaos in a run, unless told otherwise.
const EVENTS: u64 = 4000;

/// What CI runs. An event of chaos makes about two of the daemon.
const CI_SEEDS: std::ops::Range<u64> = 0..1000;
const CI_EVENTS: u64 = 4400;

struct Arguments {
    seed: Option<u64>,
    seeds: Option<std::ops::Range<u64>>,
    events: u64,
    trace: bool,
    ci: bool,
    script: Option<String>,
    invariants: bool,
    bench: bool,
    paths: usize,
    hosts: u32,
    minutes: u64,
    at_most: Option<u64>,
}

fn parse(words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut all = Arguments {
        seed: None,
        seeds: None,
        events: EVENTS,
        trace: false,
        ci: false,
        script: None,
        invariants: false,
        bench: false,
        paths: 100_000,
        hosts: 8,
        minutes: 1,
        at_most: None,
    };
    let mut words = words;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => all.seed = Some(words.next()?.parse().ok()?),
            "--seeds" => {
                let range = words.next()?;
                let (from, to) = range.split_once("..")?;
                all.seeds = Some(from.parse().ok()?..to.parse().ok()?);
            }
            "--events" => all.events = words.next()?.parse().ok()?,
            "--trace" => all.trace = true,
            "--ci" => all.ci = true,
            "--script" => all.script = Some(words.next()?),
            "--bench" => all.bench = true,
            "--minutes" => all.minutes = words.next()?.parse().ok()?,
            "--at-most" => all.at_most = Some(words.next()?.parse().ok()?),
            "--paths" => all.paths = words.next()?.parse().ok()?,
            "--hosts" => all.hosts = words.next()?.parse().ok().filter(|hosts| *hosts > 0)?,
            "--invariants" => all.invariants = true,
            _ => return None,
        }
    }
    Some(all)
}

/// What the program does.
pub fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let options = Options { events: arguments.events, trace: arguments.trace, tail: 200 };
    if arguments.invariants {
        for (name, doc) in CATALOGUE {
            println!("{name}: {doc}");
        }
        return ExitCode::SUCCESS;
    }
    if arguments.bench {
        return bench(&arguments);
    }
    if let Some(seed) = arguments.seed {
        let outcome = run(seed, options, real::core());
        print!("{}", outcome.coverage.report());
        return verdict(&[outcome], options);
    }
    if let Some(file) = &arguments.script {
        return script(file, arguments.trace);
    }
    if arguments.ci {
        let failed = scripts();
        let seeds = many(CI_SEEDS, Options { events: CI_EVENTS, ..options }, true);
        return if failed == 0 { seeds } else { ExitCode::FAILURE };
    }
    let Some(seeds) = arguments.seeds else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    many(seeds, options, false)
}

/// Says what a check costs at rest, with the intervals that hold if nothing is configured.
fn bench(arguments: &Arguments) -> ExitCode {
    let Arguments { paths, hosts, minutes, at_most, .. } = *arguments;
    let luns = paths.div_ceil(usize::try_from(hosts).unwrap_or(usize::MAX));
    let size = Size { luns, hosts, every: Duration::from_secs(20) };
    match crowd::bench(size, Duration::from_mins(minutes), real::core()) {
        Ok(cost) => {
            let (paths, nanos) = (size.paths(), cost.nanos_a_check());
            let Cost { checks, reads, looks, least, tree, .. } = cost;
            println!(
                "{paths} paths of {luns} LUNs, {minutes} min at rest: {checks} checks, {reads} maps read again"
            );
            println!(
                "{nanos} ns of core time a check ({least} in the cheapest third), {} looks at paths and maps",
                looks / checks.max(1)
            );
            println!("{} us for show maps topology", tree.as_micros());
            match at_most.filter(|limit| u128::from(*limit) < nanos) {
                Some(limit) => {
                    println!("FAIL: more than {limit} ns");
                    ExitCode::FAILURE
                }
                None => ExitCode::SUCCESS,
            }
        }
        Err(violation) => {
            println!("FAIL: {violation}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one script: a file, or the name of one that is built in.
fn script(file: &str, trace: bool) -> ExitCode {
    let built_in = SCRIPTS.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned());
    let Some(text) = built_in.or_else(|| std::fs::read_to_string(file).ok()) else {
        eprintln!("{file}: no such script");
        return ExitCode::from(2);
    };
    match script::run(&text, trace, real::core()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => {
            print!("{}", failure.tail);
            println!("FAIL {file}, line {}: {}: {}", failure.line, failure.text, failure.why);
            ExitCode::FAILURE
        }
    }
}

/// Runs every script; says how many failed.
fn scripts() -> u32 {
    let mut failed = 0;
    for (name, text) in SCRIPTS {
        match script::run(text, false, real::core()) {
            Ok(_) => println!("ok script {name}"),
            Err(failure) => {
                failed += 1;
                println!("FAIL script {name}, line {}: {}: {}", failure.line, failure.text, failure.why);
                println!("replay: cargo run --release -p sim -- --script {name} --trace");
            }
        }
    }
    println!("scripts: {} passed, {failed} failed", SCRIPTS.len() - failed as usize);
    failed
}

fn verdict(failed_or_not: &[Outcome], options: Options) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for outcome in failed_or_not {
        let Some(violation) = &outcome.violation else { continue };
        print!("{}", outcome.tail);
        println!("FAIL seed {}: {violation}", outcome.seed);
        println!("replay: {}", replay(outcome.seed, options));
        code = ExitCode::FAILURE;
    }
    code
}

fn replay(seed: u64, options: Options) -> String {
    format!("cargo run --release -p sim -- --seed {seed} --events {} --trace", options.events)
}

fn many(seeds: std::ops::Range<u64>, options: Options, ci: bool) -> ExitCode {
    let (mut passed, mut failed) = (0_u32, Vec::new());
    let mut virtual_s = 0;
    let (coverage, events, took) = run_many(seeds, options, real::core, |outcome| {
        virtual_s += outcome.virtual_time.as_secs();
        match &outcome.violation {
            None => passed += 1,
            Some(violation) => {
                println!("FAIL seed {}: {violation}", outcome.seed);
                if failed.is_empty() {
                    print!("{}", outcome.tail);
                }
                println!("replay: {}", replay(outcome.seed, options));
                failed.push(violation.name);
            }
        }
    });
    print!("{}", coverage.report());
    let rate = events.checked_div(took.as_millis().try_into().unwrap_or(1)).unwrap_or(events);
    println!(
        "{events} events, {} hours of virtual time, in {:.1} s: {rate} thousand events a second",
        virtual_s / 3600,
        took.as_secs_f32()
    );
    let mut names = failed.clone();
    names.sort_unstable();
    names.dedup();
    for name in names {
        println!("  {} x {name}", failed.iter().filter(|n| **n == name).count());
    }
    if ci && events < 10_000_000 {
        println!("FAIL: fewer than ten million events");
        failed.push("events");
    }
    println!("{passed} passed, {} failed", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
