//! What goes wrong in production, by number: the simulator's scripts carry the numbers in their names (`tests/sim/scripts`),
//! and what shows one on a real kernel says so at its top, in a line of its own:
//!
//! ```text
//! # Shows situation 14: a LUN is unmapped and another mapped in its place.
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const LINE: &str = "# Shows situation ";

/// How many there are.
pub const COUNT: u32 = 22;

/// Those that no real kernel shows here, and why.
const NOT_SHOWN: &[(u32, &str)] = &[(10, "reservations are not supported yet")];

/// The situations that the script shows, or what is wrong with a line of it.
fn shown(path: &Path, text: &str) -> Result<BTreeSet<u32>, String> {
    let lines = text.lines().filter(|line| line.starts_with("# Shows"));
    let numbers = lines.map(|line| {
        let (number, what) =
            line.strip_prefix(LINE).and_then(|rest| rest.split_once(": ")).unwrap_or_default();
        let number = number.parse().ok().filter(|number| (1..=COUNT).contains(number) && !what.is_empty());
        number.ok_or_else(|| format!("{}: not `{LINE}NUMBER: what`: {line}", path.display()))
    });
    numbers.collect()
}

/// What is wrong with the scripts for the virtual machine.
pub fn broken(files: &[(PathBuf, String)]) -> Vec<String> {
    let (mut all, mut wrong) = (BTreeSet::new(), Vec::new());
    for (path, text) in files.iter().filter(|(path, _)| path.starts_with("tests/vm")) {
        match shown(path, text) {
            Ok(numbers) => all.extend(numbers),
            Err(line) => wrong.push(line),
        }
    }
    for number in 1..=COUNT {
        match (all.contains(&number), NOT_SHOWN.iter().find(|(not, _)| *not == number)) {
            (false, None) => wrong.push(format!("situation {number} is shown by no script of tests/vm")),
            (true, Some((_, why))) => {
                wrong.push(format!("situation {number} is shown: '{why}' is no reason any more"));
            }
            _ => {}
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let shown = |text| shown(Path::new("s"), text);
        assert_eq!(shown("# Shows situation 14: a LUN.\n# Shows situation 2: b.\n"), Ok([2, 14].into()));
        assert_eq!(shown("# It shows.\nsomething # Shows situation 4: no\n"), Ok([].into()));
        for wrong in
            ["# Shows situation 14", "# Shows situation 99: a", "# Shows situation x: a", "# Shows how"]
        {
            assert!(shown(wrong).unwrap_err().starts_with("s: not"), "{wrong}");
        }
    }

    #[test]
    fn each_is_shown_or_has_a_reason() {
        let lines = |skip: u32| -> String {
            let numbers = (1..=COUNT).filter(|number| *number != skip);
            numbers.map(|number| format!("{LINE}{number}: a.\n")).collect::<Vec<_>>().concat()
        };
        let broken = |text| broken(&[("tests/vm/scenarios/s.sh".into(), text)]);
        assert_eq!(broken(lines(10)).len(), NOT_SHOWN.len() - 1);
        assert!(broken(lines(14)).contains(&"situation 14 is shown by no script of tests/vm".into()));
    }
}
