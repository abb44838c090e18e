//! The command line: one seed, a range of seeds, the run that CI makes, a measurement.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::{bench, check, corpus, fuzz, generate, language, sweep, tables};

const USAGE: &str = "\
usage: oracle --ci                 what CI runs: texts and control lines of chance, known differences, those of the
                                   hardware tables, every keyword in every section, files of the field, 2,400 generated ones
       oracle --seeds A..B         so many files
       oracle --seed N             one file, shown, with both answers
       oracle --language           the control language: bytes, lines and requests of chance; needs no reference
       oracle --tables             how the hardware tables differ, as tables.txt has it
       oracle --bench              time of one run here and of the reference's `multipath -t`
MP_REFERENCE is the folder that the reference's packages are unpacked in (tests/oracle/run sees to it).";

/// Files of a run of CI.
const CI: std::ops::Range<u64> = 0..2400;

/// Where the reference is and where it may write.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder with `sbin/multipath`.
    pub reference: PathBuf,
    /// For files that come and go.
    pub scratch: PathBuf,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["--once"] = words.as_slice() {
        bench::once();
        return ExitCode::SUCCESS;
    }
    if let ["--language"] = words.as_slice() {
        return if language::run() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let Some(reference) = std::env::var_os("MP_REFERENCE") else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let scratch = std::env::temp_dir().join(format!("oracle-{}", std::process::id()));
    let places = Places { reference: reference.into(), scratch };
    let result = match words.as_slice() {
        ["--ci"] => ci(&places),
        ["--seeds", range] => match numbers(range) {
            Some(range) => check::many(range, &places),
            None => Err(USAGE.into()),
        },
        ["--seed", seed] => match seed.parse() {
            Ok(seed) => check::one(seed, &places),
            Err(_) => Err(USAGE.into()),
        },
        ["--tables"] => tables::differences(&places).map(|lines| {
            println!("{}", lines.join("\n"));
            0
        }),
        ["--bench"] => bench::run(&places),
        _ => Err(USAGE.into()),
    };
    let _ = std::fs::remove_dir_all(&places.scratch);
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

/// How to see a seed again.
pub fn replay(seed: u64) -> String {
    format!("replay: tests/oracle/run --seed {seed}")
}

/// The number of failures.
fn ci(places: &Places) -> Result<usize, String> {
    let files = generate::KINDS;
    println!("seeds {}..{}, of which one in {files} has oddities of syntax", CI.start, CI.end);
    let failed = fuzz::run()?
        + language::run()
        + check::known(places)?
        + tables::run(places)?
        + sweep::run(places)?
        + corpus::run(places)?
        + check::many(CI, places)?;
    Ok(failed)
}

fn numbers(range: &str) -> Option<std::ops::Range<u64>> {
    let (from, to) = range.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}
