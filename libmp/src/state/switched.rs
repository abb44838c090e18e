//! `/run/multipath/queueing`: what operators have switched of the queueing. It outlives the daemon, and not the machine's run.
//!
//! ```text
//! disabled 3600a0b80000000000000000000000001
//! forced
//! ```

use alloc::collections::BTreeSet;
use alloc::string::String;

use crate::types::Wwid;

/// The file in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switched {
    /// Maps that do not queue, whatever is configured (`disablequeueing`).
    pub disabled: BTreeSet<Wwid>,
    /// All that queue go on with it when the daemon stops (`forcequeueing daemon`).
    pub forced: bool,
}

impl Switched {
    /// Reads the file's text. What is no line of its means nothing.
    pub fn parse(text: &str) -> Self {
        let disabled = text.lines().filter_map(|line| line.strip_prefix("disabled "));
        Self {
            disabled: disabled.filter(|wwid| !wwid.is_empty()).map(Wwid::new).collect(),
            forced: text.lines().any(|line| line == "forced"),
        }
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        // What no line can hold is not kept.
        let disabled = self.disabled.iter().filter(|wwid| !wwid.as_str().contains(char::is_control));
        let lines = disabled.flat_map(|wwid| ["disabled ", wwid.as_str(), "\n"]);
        lines.chain(self.forced.then_some("forced\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut switched = Switched { disabled: ["3600a", "a b"].map(Wwid::new).into(), forced: true };
        assert_eq!(switched.to_text(), "disabled 3600a\ndisabled a b\nforced\n");
        assert_eq!(Switched::parse(&switched.to_text()), switched);
        assert_eq!(Switched::parse("nonsense\ndisabled \nforced?\n"), Switched::default());
        let known = switched.clone();
        switched.disabled.insert(Wwid::new("x\nforced"));
        assert_eq!(Switched::parse(&switched.to_text()), known, "no line of its own making");
        assert_eq!(Switched::default().to_text(), "");
    }
}
