//! Texts that nobody would write: none may make the parser panic, cost more than its length, or leave a configuration
//! whose dump is read back as another one.

use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use libmp::config::options::{OPTIONS, Section};
use libmp::types::{MapName, Wwid};

use crate::check::one_file;
use crate::rng::Rng;
use crate::{corpus, generate, ours};

/// Texts of a run.
const TEXTS: u64 = 6000;
/// How often a piece is repeated to see what length costs, first and then.
const REPEATED: [usize; 2] = [5_000, 20_000];
/// Four times the length may cost so many times the time; squared it would be 16.
const GROWTH: u32 = 9;
/// What takes less is not compared.
const MEASURABLE: Duration = Duration::from_millis(15);

/// The number of failures.
pub fn run() -> Result<usize, String> {
    let field = corpus::files().map_err(|error| error.to_string())?;
    let mut failed = 0;
    for seed in 0..TEXTS {
        let text = text(seed, &field);
        let verdict = panic::catch_unwind(AssertUnwindSafe(|| is_fixed_point(&text)));
        if !matches!(verdict, Ok(true)) {
            failed += 1;
            println!(
                "FAIL text {seed} ({}):\n{text}",
                if verdict.is_err() { "panic" } else { "no fixed point" }
            );
        }
    }
    println!("texts 0..{TEXTS} of chance: {} passed, {failed} failed", TEXTS - failed);
    let slow = growth();
    Ok(usize::try_from(failed).unwrap_or(usize::MAX) + slow)
}

fn is_fixed_point(text: &str) -> bool {
    let (config, found) = ours::read(&one_file(text), false);
    for diagnostic in &found {
        let _ = (diagnostic.render(), diagnostic.one_line());
    }
    let dump = config.dump();
    let devices = [("NETAPP", "LUN"), ("ZZA", "P1"), ("PURE", "FlashArray")];
    let devices = devices.map(|(vendor, product)| (vendor.to_string(), product.to_string()));
    let maps = [(Wwid::from("w1"), MapName::from("x")), (Wwid::from("w9"), MapName::from("y \"z\""))];
    let local = config.dump_local(&devices, &maps);
    let read = |text: &str| ours::read(&one_file(text), false).0;
    read(&dump).dump() == dump && read(&local).dump_local(&devices, &maps) == local
}

/// The text of a seed: bytes, words of the language in any order, or a good file with some of it changed.
fn text(seed: u64, field: &[(String, String)]) -> String {
    let mut rng = Rng::new(seed);
    match seed % 4 {
        0 => {
            let bytes: Vec<u8> = (0..rng.below(600)).map(|_| rng.next().to_le_bytes()[0]).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        1 => (0..rng.below(120)).map(|_| piece(&mut rng)).collect(),
        2 => mutated(rng.pick(field).1.clone(), &mut rng),
        _ => {
            let files = generate::files(seed);
            mutated(files.into_iter().map(|(_, text)| text).collect(), &mut rng)
        }
    }
}

fn piece(rng: &mut Rng) -> &'static str {
    const PIECES: [&str; 30] = [
        "{",
        "}",
        "\n",
        "\n",
        " ",
        "\t",
        "\"",
        "\"\"",
        "#",
        "!",
        "\r",
        "\0",
        "x",
        "0",
        "1",
        "-1",
        "yes",
        "queue",
        "\\",
        "[",
        "(",
        "*",
        "\u{e9}",
        "\u{a0}",
        "^sd[a-z]",
        "\"round-robin 0\"",
        "99999999999999999999",
        ".*",
        "\"1 queue_if_no_path\"",
        "alua",
    ];
    match rng.below(4) {
        0 => rng.pick(OPTIONS).name,
        1 => rng.pick(&Section::ALL).word(),
        _ => rng.pick::<&str>(&PIECES),
    }
}

/// Some lines gone, doubled, moved or with another character in them.
fn mutated(text: String, rng: &mut Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(Into::into).collect();
    for _ in 0..=rng.below(6) {
        if lines.is_empty() {
            return text;
        }
        let at = rng.below(lines.len());
        match rng.below(5) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let other = rng.below(lines.len());
                lines.swap(at, other);
            }
            3 => {
                let cut = lines[at].char_indices().map(|(place, _)| place).nth(rng.below(40)).unwrap_or(0);
                lines[at].truncate(cut);
            }
            _ => {
                let place = lines[at].char_indices().map(|(place, _)| place).nth(rng.below(40)).unwrap_or(0);
                lines[at].insert_str(place, piece(rng));
            }
        }
    }
    lines.join("\n")
}

/// What a piece is when it is repeated for the nth time.
type Repeated = fn(usize) -> String;

/// The number of pieces whose cost grows faster than their number.
fn growth() -> usize {
    let pieces: [(&str, &str, Repeated); 13] = [
        ("rules", "blacklist {\n", |n| format!("devnode \"^sd{n}$\"\n")),
        ("devices of a blacklist", "blacklist {\n", |n| format!("device {{\nvendor V{n}\nproduct P\n}}\n")),
        ("devices", "devices {\n", |n| format!("device {{\nvendor V{n}\nproduct P\n}}\n")),
        ("products of blacklists", "devices {\n", |n| {
            format!("device {{\nvendor V{n}\nproduct P\nproduct_blacklist X\n}}\n")
        }),
        ("multipaths", "multipaths {\n", |n| format!("multipath {{\nwwid w{n}\nalias a{n}\n}}\n")),
        ("aliases of one name", "multipaths {\n", |n| format!("multipath {{\nwwid w{n}\nalias a\n}}\n")),
        ("sections", "", |_| "defaults {\nprio alua\n}\n".into()),
        ("one keyword", "defaults {\n", |_| "prio alua\n".into()),
        ("unknown words", "defaults {\n", |n| format!("word{n} 1\n")),
        ("open braces", "", |_| "x {\n".into()),
        ("closing braces", "", |_| "}\n".into()),
        ("one line", "defaults { ", |_| "bogus 1 ".into()),
        ("one value", "defaults {\nprio_args \"", |_| "a\"\"b ".into()),
    ];
    let mut slow = 0;
    for (what, head, piece) in &pieces {
        let [short, long] = REPEATED.map(|count| {
            let text: String = core::iter::once((*head).into()).chain((0..count).map(piece)).collect();
            (0..3).map(|_| cost(&text)).min().unwrap_or_default()
        });
        if long > MEASURABLE && long > short * GROWTH {
            slow += 1;
            println!("FAIL {what}: {short:?} for {}, {long:?} for {}", REPEATED[0], REPEATED[1]);
        }
    }
    println!("cost of length: {} passed, {slow} failed", pieces.len() - slow);
    slow
}

fn cost(text: &str) -> Duration {
    let files = one_file(text);
    let start = Instant::now();
    let (config, _) = ours::read(&files, false);
    std::hint::black_box(config.dump());
    start.elapsed()
}
