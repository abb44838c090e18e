//! What device-mapper does, case by case, in the core's own terms. Two kernels are held to it: the real one, in a
//! virtual machine (`multipathd/tests/adapters`), and the simulated one (`tests/sim`). Neither knows of the other.
//!
//! A case is a text: steps, and what each is answered and changes. All of it was written down from what the real
//! kernel did. A new case is written without its answers, and the real kernel's are put in from what its failure shows.
//!
//! ```text
//! ## The case
//! # A remark.
//! > a message fail_path p1
//! = ok
//!   a: status 2 0 0 0 1 1 E 0 2 2 p1 F 1 0 1 p2 A 0 0 1
//!   a: event
//! ```
//!
//! `a` is a map, by its UUID; `p1` and `p2` are the numbers of two paths to one LUN. What a step doesn't show has not
//! changed, of any map: all are read after each step, and listed.

mod steps;
mod transcript;

use libmp::core::event::DmDone;
use libmp::dm::op::{DmOp, Load, MapListEntry, RawMap};
use libmp::types::{DevT, Errno};

pub use steps::{Act, DiskAct};

/// The files of cases.
const FILES: &[&str] = &[
    include_str!("../cases/life.txt"),
    include_str!("../cases/tables.txt"),
    include_str!("../cases/messages.txt"),
    include_str!("../cases/suspended.txt"),
    include_str!("../cases/in-use.txt"),
];

/// A kernel with two paths to one LUN, to which the hardware handler `alua` is attached, and no map.
pub trait Kernel {
    /// Does what the core has ordered.
    fn perform(&mut self, uuid: &str, op: &DmOp) -> DmDone;
    /// One map, whole.
    fn read(&mut self, uuid: &str) -> Result<Option<RawMap>, Errno>;
    /// All maps.
    fn list(&mut self) -> Result<Vec<MapListEntry>, Errno>;
    /// The numbers of the paths.
    fn paths(&self) -> [DevT; 2];
    /// The length of the LUN in sectors.
    fn sectors(&self) -> u64;
    /// Somebody else does something. Answered with a word.
    fn act(&mut self, act: &Act) -> String;
    /// May what it was last asked for still have consequences? Waits a moment for them. (What goes at its last close goes
    /// some time after it.)
    fn is_to_be_looked_at_again(&mut self) -> bool {
        false
    }
}

/// A case.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What it is about.
    pub name: &'static str,
    text: &'static str,
}

/// All of them.
pub fn cases() -> Vec<Case> {
    let texts = FILES.iter().flat_map(|file| file.split("## ").skip(1));
    let cases = texts.map(|text| {
        let (name, text) = text.split_once('\n').unwrap_or((text, ""));
        Case { name, text }
    });
    cases.collect()
}

impl Case {
    /// Does this kernel keep to it? Else what differs, step by step.
    pub fn hold(&self, kernel: &mut dyn Kernel) -> Result<(), String> {
        let lines = self.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in lines {
            match (line.strip_prefix("> "), steps.last_mut()) {
                (Some(step), _) => steps.push((step, Vec::new())),
                (None, Some((_, wanted))) => wanted.push(line),
                (None, None) => return Err(format!("no step before '{line}'")),
            }
        }
        let mut transcript = transcript::Transcript::default();
        let mut differs = Vec::new();
        for (step, wanted) in steps {
            let got = transcript.step(kernel, step, &wanted)?;
            if got != wanted {
                let [wanted, got] = [wanted.join("\n"), got.join("\n")];
                differs.push(format!("> {step}\n{got}\n-- and not\n{wanted}\n"));
            }
        }
        if differs.is_empty() { Ok(()) } else { Err(differs.concat()) }
    }
}

/// A table as a step gives it.
fn load(sectors: u64, params: String, read_only: bool) -> Load {
    Load { sectors, params, read_only }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Says that it has done everything, and has nothing.
    struct Idle;

    impl Kernel for Idle {
        fn perform(&mut self, _uuid: &str, _op: &DmOp) -> DmDone {
            DmDone { result: Ok(()), map: Ok(None) }
        }
        fn read(&mut self, _uuid: &str) -> Result<Option<RawMap>, Errno> {
            Ok(None)
        }
        fn list(&mut self) -> Result<Vec<MapListEntry>, Errno> {
            Ok(Vec::new())
        }
        fn paths(&self) -> [DevT; 2] {
            [DevT::new(8, 0), DevT::new(8, 16)]
        }
        fn sectors(&self) -> u64 {
            2048
        }
        fn act(&mut self, _act: &Act) -> String {
            "ok".into()
        }
    }

    #[test]
    fn every_case_has_a_name_of_its_own_and_is_failed_by_a_kernel_that_does_nothing() {
        let names: BTreeSet<&str> = cases().iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases().len());
        for case in cases() {
            let differs = case.hold(&mut Idle).expect_err(case.name);
            assert!(differs.starts_with("> "), "{}: {differs}", case.name);
        }
    }
}
