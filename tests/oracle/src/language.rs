//! The control language under chance: bytes on the wire, lines, formats. None may make the daemon's core panic, cost more than
//! its length, or leave a client without its one reply.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use libmp::config::Config;
use libmp::core::effect::{Effect, Outbox};
use libmp::core::event::{Enumeration, Event, Loaded, Peer, RequestId};
use libmp::core::{Core, CoreInit};
use libmp::ctl::wire::{Decoder, HEADER_BYTES, MAX_COMMAND_BYTES, encode};
use libmp::ctl::{Command, help, parse};
use libmp::identify::RawProbe;
use libmp::types::{DevT, Instant, PathName};

use crate::rng::Rng;

/// Seeds of a run, of each kind.
const SEEDS: u64 = 20_000;
/// Longest reply to a line that is no command: the line itself, and the help.
const ECHO_MAX: usize = 8_192;

/// The number of failures.
pub fn run() -> usize {
    let mut core = core();
    let kinds: [(&str, &mut dyn FnMut(u64) -> bool); 3] = [
        ("bytes on the wire", &mut wire),
        ("lines", &mut grammar),
        ("requests", &mut |seed| request(&mut core, seed)),
    ];
    let mut failed = 0;
    for (kind, holds) in kinds {
        let before = failed;
        for seed in 0..SEEDS {
            let verdict = panic::catch_unwind(AssertUnwindSafe(|| holds(seed)));
            if !matches!(verdict, Ok(true)) {
                failed += 1;
                println!("FAIL {kind}, seed {seed}: {:?}", line(&mut Rng::new(seed)));
            }
        }
        println!(
            "{kind} 0..{SEEDS}: {} passed, {} failed",
            usize::try_from(SEEDS).unwrap_or_default() - (failed - before),
            failed - before
        );
    }
    failed
}

/// What was encoded arrives, whatever pieces it comes in, up to the first thing that can't be a message; and no more is held
/// than one message and one piece.
fn wire(seed: u64) -> bool {
    let mut rng = Rng::new(seed);
    let (mut bytes, mut sent) = (Vec::new(), Vec::new());
    let good = rng.below(6);
    for _ in 0..good {
        let text = line(&mut rng);
        bytes.extend(encode(&text));
        sent.push(text);
    }
    let hostile = rng.percent(60);
    if hostile {
        let length = *rng.pick(&[0, MAX_COMMAND_BYTES as u64 + 1, 1 << 40, 1 << 63, u64::MAX]);
        bytes.extend(length.to_ne_bytes());
        bytes.extend((0..rng.below(2_000)).map(|_| rng.next().to_le_bytes()[0]));
    }
    let mut decoder = Decoder::new(MAX_COMMAND_BYTES);
    let (mut rest, mut received, mut refused) = (&bytes[..], Vec::new(), false);
    while !rest.is_empty() && !refused {
        let (piece, more) = rest.split_at((1 + rng.below(700)).min(rest.len()));
        decoder.push(piece);
        rest = more;
        loop {
            match decoder.next_message() {
                Ok(Some(text)) => received.push(text),
                Ok(None) => break,
                Err(_) => {
                    refused = true;
                    break;
                }
            }
        }
    }
    received == sent && refused == (hostile && bytes.len() >= HEADER_BYTES)
}

/// A line is read, or is answered with an error that is not much longer; what it is short for is read the same.
fn grammar(seed: u64) -> bool {
    let mut rng = Rng::new(seed);
    let line = line(&mut rng);
    match parse(&line) {
        Ok(_) => parse(&format!("  {line} \n")).is_ok(),
        Err(error) => {
            let reply = error.reply();
            reply.starts_with("fail\n") && reply.len() <= line.len() + ECHO_MAX
        }
    }
}

/// Each request gets one reply, now or at the latest when its time is over.
fn request(core: &mut Core, seed: u64) -> bool {
    let mut rng = Rng::new(seed);
    let line = line(&mut rng);
    // It would be the last one.
    if parse(&line) == Ok(Command::Shutdown) {
        return true;
    }
    let uid = if rng.percent(50) { 0 } else { 1000 };
    let now = Instant::from_micros(seed * 10_000_000 + 100_000_000);
    let id = RequestId(seed);
    let mut out = Outbox::new();
    core.handle(now, Event::Request { id, peer: Peer { uid, pid: None }, command: line }, &mut out);
    let mut replies = count(&mut out, id);
    core.handle(now + Duration::from_secs(5), Event::Tick, &mut out);
    replies += count(&mut out, id);
    replies == 1
}

fn count(out: &mut Outbox, wanted: RequestId) -> usize {
    let is_reply = |effect: &Effect| matches!(effect, Effect::Reply { id, .. } | Effect::Book { id, .. } if *id == wanted);
    out.drain().filter(is_reply).count()
}

/// A core with a disk that nothing answers for.
fn core() -> Core {
    let mut core = Core::new(CoreInit { pid: 1, resident: true });
    let mut out = Outbox::new();
    core.start(Instant::from_micros(0), &mut out);
    let mut effects: Vec<Effect> = out.drain().collect();
    while let Some(effect) = effects.pop() {
        let event = match effect {
            Effect::LoadConfig { token } => {
                let loaded = Loaded {
                    config: Arc::new(Config::load(&[]).0),
                    diagnostics: Vec::new(),
                    errors: Vec::new(),
                    unreadable: Vec::new(),
                    may_bind: true,
                    bindings: String::new(),
                    wwids: String::new(),
                    queueing: String::new(),
                };
                Event::Config { token, loaded: Box::new(loaded) }
            }
            Effect::Enumerate { token } => {
                let found = Enumeration { disks: vec![PathName::from("sda")], ..Enumeration::default() };
                Event::Enumerated { token, found: Ok(Box::new(found)) }
            }
            Effect::Probe { token, .. } => {
                let properties = ["ID_SERIAL", "ID_WWN"].map(|name| (name.into(), "3600a0b8".into())).into();
                let raw = RawProbe {
                    devt: DevT::new(8, 0),
                    sectors: 2048,
                    udev_initialized: true,
                    properties,
                    ..RawProbe::default()
                };
                Event::Probed { token, probe: Ok(Box::new(raw)) }
            }
            _ => continue,
        };
        core.handle(Instant::from_micros(1), event, &mut out);
        effects.extend(out.drain());
    }
    core
}

/// A line of a seed: words of the language in any order, a line of the help with something else in it, or bytes.
fn line(rng: &mut Rng) -> String {
    let text = match rng.below(3) {
        0 => {
            let bytes: Vec<u8> = (0..rng.below(80)).map(|_| rng.next().to_le_bytes()[0]).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        1 => (0..rng.below(9)).map(|_| piece(rng)).collect(),
        _ => {
            let lines: Vec<String> = help::help().lines().skip(2).map(Into::into).collect();
            let words = rng.pick(&lines).split_whitespace().map(|word| match word.split_once('|') {
                Some((first, second)) => (if rng.percent(50) { first } else { second }).to_string(),
                None if word.starts_with('$') => piece(rng),
                None if rng.percent(10) => piece(rng),
                None => word.into(),
            });
            words.collect::<Vec<_>>().join(" ")
        }
    };
    text.replace('\0', "").chars().take(900).collect()
}

fn piece(rng: &mut Rng) -> String {
    const PIECES: [&str; 40] = [
        " ",
        " ",
        "  ",
        "\t",
        "\n",
        "\"",
        "\"\"",
        "%",
        "%%",
        "%d",
        "%w ",
        "\"%n|%\"",
        "%\u{e9}",
        "show ",
        "list ",
        "paths ",
        "maps ",
        "map ",
        "path ",
        "format ",
        "raw ",
        "json ",
        "status ",
        "topology ",
        "sda",
        "8:0",
        "/dev/sda",
        "dm-",
        "dm-99999999999999999999",
        "../../etc/passwd",
        "/dev/mapper/",
        "999:999999999999",
        "group ",
        "-1",
        "2",
        "events ",
        "plan ",
        "file ",
        "explain ",
        "reconfigure ",
    ];
    if rng.percent(5) { "x".repeat(rng.below(600)) } else { (*rng.pick(&PIECES)).into() }
}
