//! Comparing: files of seeds, and the known differences.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io, thread};

use libmp::config::Severity;

use crate::cli::{Places, replay};
use crate::difference::{self, Difference};
use crate::generate::{self, Files};
use crate::known::{KNOWN, REFUSED, SYNTAX, TAKEN, row};
use crate::normal::{self, Item};
use crate::ours;
use crate::reference::Reference;

/// The reference at work, and what both say of an empty file.
pub struct Pair {
    reference: Reference,
    theirs: Vec<Item>,
    ours: Vec<Item>,
    /// What differs between the two hardware tables.
    tables: Vec<Difference>,
    native_nvme: bool,
}

/// What came of some files.
pub enum Outcome {
    /// Both read them.
    Read(Vec<Difference>),
    /// The reference refused them, and we said that something is wrong.
    Refused,
    /// The reference died of them.
    Died,
    /// Anything else, in words.
    Wrong(String),
}

impl Pair {
    /// Starts a reference. Each thread needs a number of its own.
    pub fn start(places: &Places, number: usize) -> Result<Self, String> {
        let start = || -> io::Result<Self> {
            let folder = places.scratch.join(number.to_string());
            let mut reference = Reference::start(&places.reference, &folder)?;
            let empty = reference.ask(&one_file(""))?;
            if !empty.dump.starts_with("defaults {") {
                return Err(io::Error::other(empty.complaints));
            }
            let native_nvme = !empty.dump.contains("|nvme[0-9])\"");
            let ours = normal::read(&ours::read(&one_file(""), native_nvme).0.dump());
            let theirs = normal::read(&empty.dump);
            let tables = difference::between(&theirs, &ours);
            Ok(Self { reference, theirs, ours, tables, native_nvme })
        };
        start().map_err(|error| format!("the reference does not run: {error}"))
    }

    /// Reads the files with both.
    pub fn compare(&mut self, files: &Files) -> Result<Outcome, String> {
        let answer = self.reference.ask(files).map_err(|error| format!("the reference: {error}"))?;
        let (config, diagnostics) = ours::read(files, self.native_nvme);
        let dump = config.dump();
        let again = ours::read(&one_file(&dump), self.native_nvme).0.dump();
        if again != dump {
            return Ok(Outcome::Wrong("our dump reads back as something else".into()));
        }
        Ok(match answer.status.as_str() {
            "0" => {
                let (mut theirs, mut ours) = (normal::read(&answer.dump), normal::read(&dump));
                normal::without(&mut theirs, &self.theirs);
                normal::without(&mut ours, &self.ours);
                let mut found = difference::between(&theirs, &ours);
                // An entry of a file is merged over one of the tables, which are of two versions.
                found.retain(|found| !self.tables.contains(found));
                Outcome::Read(found)
            }
            "1" if diagnostics.iter().any(|found| found.severity == Severity::Error) => Outcome::Refused,
            "1" => Outcome::Wrong(format!(
                "nothing is wrong here, and the reference says: {}",
                answer.complaints
            )),
            _ => Outcome::Died,
        })
    }

    /// What differs between the two hardware tables, and else of an empty file.
    pub fn tables(&self) -> impl Iterator<Item = &Difference> {
        self.tables.iter()
    }

    /// What the reference complained of, by files and lines.
    pub fn complaints(&mut self, files: &Files) -> Result<String, String> {
        Ok(self.reference.ask(files).map_err(|error| error.to_string())?.complaints)
    }
}

/// A text as the only file.
pub fn one_file(text: &str) -> Files {
    vec![("/etc/multipath.conf".into(), text.into())]
}

/// Shows one seed. The number of failures.
pub fn one(seed: u64, places: &Places) -> Result<usize, String> {
    let mut pair = Pair::start(places, 0)?;
    let files = generate::files(seed);
    for (name, text) in &files {
        println!("--- {name}\n{text}");
    }
    println!("--- the reference\n{}", pair.complaints(&files)?);
    println!("--- here");
    for found in ours::read(&files, pair.native_nvme).1 {
        println!("{}", found.one_line());
    }
    let failures = failures(&pair.compare(&files)?);
    println!("--- differences: {}\n{}", failures.len(), failures.join("\n"));
    Ok(failures.len())
}

/// What must not be.
pub fn failures(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Read(found) => {
            found.iter().filter(|found| row(found).is_none()).map(Difference::show).collect()
        }
        Outcome::Wrong(why) => vec![why.clone()],
        Outcome::Refused | Outcome::Died => Vec::new(),
    }
}

/// Compares the files of many seeds, on all processors. The number of failures.
pub fn many(seeds: Range<u64>, places: &Places) -> Result<usize, String> {
    const SHOWN: usize = 20;
    let next = AtomicU64::new(seeds.start);
    let [read, refused, died] = [const { AtomicU64::new(0) }; 3];
    let failed: Mutex<Vec<(u64, Vec<String>)>> = Mutex::default();
    let work = |number: usize| -> Result<(), String> {
        let mut pair = Pair::start(places, number)?;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(());
            }
            let outcome = pair.compare(&generate::files(seed))?;
            let count = match &outcome {
                Outcome::Refused => &refused,
                Outcome::Died => &died,
                _ => &read,
            };
            count.fetch_add(1, Ordering::Relaxed);
            let failures = failures(&outcome);
            if !failures.is_empty() {
                failed.lock().expect("no thread panics").push((seed, failures));
            }
        }
    };
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no thread panics"))
    })?;
    let mut failed = failed.into_inner().expect("no thread panics");
    failed.sort();
    for (seed, failures) in failed.iter().take(SHOWN) {
        println!("FAIL seed {seed}: {}\n{}", failures.join("\n  "), replay(*seed));
    }
    let total = seeds.end - seeds.start;
    let [read, refused, died] = [read, refused, died].map(AtomicU64::into_inner);
    println!("{total} files: {read} compared, {refused} refused whole by the reference, {died} it died of");
    // A generator of rubbish would compare nothing.
    let too_few = read * 10 < total * 8;
    if too_few {
        println!("FAIL: too few files are compared");
    }
    let bad = failed.len() + usize::from(too_few);
    println!("{} passed, {bad} failed", total - failed.len() as u64);
    Ok(bad)
}

/// Tries each known difference. One that shows nothing any more is a failure, and so is one that shows more.
pub fn known(places: &Places) -> Result<usize, String> {
    let mut pair = Pair::start(places, 0)?;
    let mut wrong = Vec::new();
    for known in KNOWN {
        match pair.compare(&one_file(known.file))? {
            Outcome::Read(found) if !found.iter().any(|found| known.covers(found)) => {
                wrong.push(format!(
                    "{} ({}) is no difference any more: {}",
                    known.keyword, known.why, known.file
                ));
            }
            outcome => wrong.extend(failures(&outcome).iter().map(|why| format!("{why}: {}", known.file))),
        }
    }
    for (file, why) in SYNTAX {
        if !matches!(pair.compare(&one_file(file))?, Outcome::Read(found) if !found.is_empty()) {
            wrong.push(format!("no difference any more: {why}"));
        }
    }
    for file in REFUSED.iter().chain(TAKEN) {
        let is_so = match pair.compare(&one_file(file))? {
            Outcome::Refused => REFUSED.contains(file),
            Outcome::Wrong(_) => TAKEN.contains(file), // nothing is wrong here
            _ => false,
        };
        if !is_so {
            wrong.push(format!("not refused any more: {file}"));
        }
        if !ours::read(&one_file(file), false).0.dump().contains("\tprio \"alua\"\n") {
            wrong.push(format!("what is good of it is lost here: {file}"));
        }
    }
    for wrong in &wrong {
        println!("FAIL known differences: {wrong}");
    }
    let total = KNOWN.len() + SYNTAX.len() + REFUSED.len() + TAKEN.len();
    println!("known differences: {} passed, {} failed", total.saturating_sub(wrong.len()), wrong.len());
    let _ = fs::remove_dir_all(&places.scratch);
    Ok(wrong.len())
}
