//! The same patterns and strings through libc's `regcomp` and `regexec`.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::mem::MaybeUninit;

use super::{Error, Pattern};

/// A pattern compiled by libc, freed on drop.
struct Libc(libc::regex_t);

impl Libc {
    fn new(pattern: &str) -> Option<Self> {
        let text = CString::new(pattern).expect("no NUL in test patterns");
        let mut compiled = MaybeUninit::uninit();
        // SAFETY: `text` is NUL-terminated and `compiled` is written by regcomp before it returns 0.
        unsafe {
            let failed =
                libc::regcomp(compiled.as_mut_ptr(), text.as_ptr(), libc::REG_EXTENDED | libc::REG_NOSUB);
            (failed == 0).then(|| Self(compiled.assume_init()))
        }
    }

    fn is_match(&self, subject: &[u8]) -> bool {
        let text = CString::new(subject).expect("no NUL in test strings");
        // SAFETY: `self.0` was compiled, `text` is NUL-terminated, no match positions are asked for.
        unsafe { libc::regexec(&raw const self.0, text.as_ptr(), 0, std::ptr::null_mut(), 0) == 0 }
    }
}

impl Drop for Libc {
    fn drop(&mut self) {
        // SAFETY: compiled by regcomp, freed once.
        unsafe { libc::regfree(&raw mut self.0) }
    }
}

/// xorshift64*: seeded, so a failure is found again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit
    }
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn compare(pattern: &str, subjects: &[&[u8]]) -> Result<(), String> {
    // A single minus in brackets to glibc since 2.37, an error before.
    if pattern.contains("---") {
        return Ok(());
    }
    match (Pattern::new(pattern), Libc::new(pattern)) {
        (Err(Error::BackReference | Error::TooLarge), _) | (Err(_), None) => Ok(()),
        (Ok(_), None) => Err(format!("{pattern:?}: libc refuses it")),
        (Err(error), Some(_)) => Err(format!("{pattern:?}: libc takes it, here: {error}")),
        (Ok(ours), Some(theirs)) => subjects.iter().try_for_each(|subject| {
            let (ours, theirs) = (ours.is_match(subject), theirs.is_match(subject));
            if ours == theirs {
                return Ok(());
            }
            Err(format!("{pattern:?} on {:?}: {ours}, libc {theirs}", String::from_utf8_lossy(subject)))
        }),
    }
}

fn run(count: usize, seed: u64, pieces: &[&str], alphabet: &[&str]) {
    let mut random = Random(seed);
    let mut differences = Vec::new();
    for _ in 0..count {
        let pattern: String = (0..=random.below(9)).map(|_| random.pick(pieces)).collect();
        let subjects: Vec<String> =
            (0..12).map(|_| (0..random.below(8)).map(|_| random.pick(alphabet)).collect()).collect();
        let subjects: Vec<&[u8]> = subjects.iter().map(String::as_bytes).collect();
        differences.extend(compare(&pattern, &subjects).err());
    }
    assert!(
        differences.is_empty(),
        "seed {seed}: {} differ:\n{}",
        differences.len(),
        differences[..differences.len().min(30)].join("\n")
    );
}

#[test]
fn every_pattern_of_the_built_in_table_and_the_walkthrough() {
    let text = concat!(
        include_str!("../hwtable.conf"),
        "\ndevnode \"^(ram|sda|raw|loop|fd|md|dm-|sr|scd|st)[0-9]*\"\ndevnode \"^hd[a-z][[0-9]*]\"\n",
        "devnode \"^vd[a-z]\"\ndevnode \"^cciss!c[0-9]d[0-9]*[p[0-9]*]\"\n"
    );
    let patterns: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .filter(|(key, _)| ["vendor", "product", "devnode", "property", "product_blacklist"].contains(key))
        .map(|(_, value)| value.trim_matches('"').trim_start_matches('!'))
        .collect();
    assert!(patterns.len() > 250, "{}", patterns.len());
    let mut subjects: Vec<Vec<u8>> = patterns.iter().map(|p| p.as_bytes().to_vec()).collect();
    for name in [
        "sda",
        "sdaa",
        "hda",
        "hda]",
        "hda1]",
        "hda[",
        "vda",
        "cciss!c0d0p1]",
        "ID_WWN",
        "SCSI_IDENT_LUN",
        "nvme0n1",
        "",
        "dm-0",
        "ram",
        "LUN",
        "LUNZ",
        "VRAID",
        "DISK",
        "HSV210",
        "MSA 2040 SAN",
        "IBM  2145",
        "NETAPP",
        "NVME",
        "HUAWEI",
        "V1500",
        "SCST_FIO",
    ] {
        subjects.push(name.as_bytes().to_vec());
    }
    // What the patterns are meant for: their own text without the operators.
    subjects.extend(patterns.iter().map(|p| p.bytes().filter(|b| !b"^$()|[].*+".contains(b)).collect()));
    let subjects: Vec<&[u8]> = subjects.iter().map(Vec::as_slice).collect();
    for pattern in patterns {
        compare(pattern, &subjects).unwrap();
    }
}

const ALPHABET: &[&str] = &[
    "a", "b", "c", "x", "0", "1", "9", "-", "]", "[", " ", "_", "A", "{", "}", ",", "(", ")", "^", "$", "\\",
    ".",
];

#[test]
fn generated_from_operators() {
    let pieces = &[
        "a",
        "b",
        "c",
        "ab",
        "0",
        "_",
        " ",
        ".",
        "*",
        "+",
        "?",
        "^",
        "$",
        "(",
        ")",
        "|",
        "[",
        "]",
        "{",
        "}",
        "{2}",
        "{1,2}",
        "{,2}",
        "{0,1}",
        "{1,}",
        "{,}",
        "{0}",
        "[a-c]",
        "[^a]",
        "[[:alpha:]]",
        "(a|b)",
        "(",
        "(a",
        "b)",
        "\\",
        "\\.",
        "\\w",
        "\\W",
        "\\s",
        "\\S",
        "\\n",
        "\\(",
        "\\{",
        "-",
        ",",
        "1",
        "()",
        "(a*)",
        "(^a)",
        "(b$)",
    ];
    run(42_000, 1, pieces, ALPHABET);
}

#[test]
fn generated_inside_brackets() {
    let pieces = &[
        "[",
        "]",
        "^",
        "-",
        "a",
        "b",
        "c",
        "0-9",
        "a-c",
        "[:alpha:]",
        "[:digit:]",
        "[:space:]",
        "[:bogus:]",
        "[.a.]",
        "[.-.]",
        "[=a=]",
        "[.ab.]",
        "[=",
        "[:",
        "[.",
        ":]",
        ".]",
        "=]",
        "\\",
        "*",
        "[^",
        "[]",
        "[a",
        "--",
        "---",
        "x",
        "A-Z",
        "c-a",
        "[[",
    ];
    run(42_000, 2, pieces, ALPHABET);
}

#[test]
fn generated_word_edges() {
    let pieces = &[
        "a", "b", " ", "\\<", "\\>", "\\b", "\\B", "\\`", "\\'", "\\w", ".", "a*", "(a|b)", "[ab]", "|",
        "x?", "-",
    ];
    run(18_000, 3, pieces, &["a", "b", " ", "_", "-", "1", "x"]);
}
