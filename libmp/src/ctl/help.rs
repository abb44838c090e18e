//! The grammar as operators are told it: the help text, and what may come next in a line.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::REFERENCE_VERSION;

/// The grammar as operators are told it, a command a line.
pub const USAGE: &[&str] = &[
    "list|show paths",
    "list|show paths format $format",
    "list|show paths raw format $format",
    "list|show path $path",
    "list|show maps|multipaths",
    "list|show status",
    "list|show daemon",
    "list|show maps|multipaths status",
    "list|show maps|multipaths stats",
    "list|show maps|multipaths format $format",
    "list|show maps|multipaths raw format $format",
    "list|show maps|multipaths topology",
    "list|show topology",
    "list|show maps|multipaths json",
    "list|show map|multipath $map topology",
    "list|show map|multipath $map format $format",
    "list|show map|multipath $map raw format $format",
    "list|show map|multipath $map json",
    "list|show config local",
    "list|show config",
    "list|show blacklist",
    "list|show devices",
    "list|show wildcards",
    "reset maps|multipaths stats",
    "reset map|multipath $map stats",
    "add path $path",
    "remove|del path $path",
    "add map|multipath $map",
    "remove|del map|multipath $map",
    "remove|del maps|multipaths",
    "switch|switchgroup map|multipath $map group $group",
    "reconfigure",
    "reconfigure all",
    "suspend map|multipath $map",
    "resume map|multipath $map",
    "resize map|multipath $map",
    "reload map|multipath $map",
    "reset map|multipath $map",
    "reinstate path $path",
    "fail path $path",
    "disablequeueing map|multipath $map",
    "restorequeueing map|multipath $map",
    "disablequeueing maps|multipaths",
    "restorequeueing maps|multipaths",
    "quit|exit",
    "shutdown",
    "getprstatus map|multipath $map",
    "setprstatus map|multipath $map",
    "setprstatus map|multipath $map pathlist $pathlist",
    "unsetprstatus map|multipath $map",
    "forcequeueing daemon",
    "restorequeueing daemon",
    "getprkey map|multipath $map",
    "setprkey map|multipath $map key $key",
    "unsetprkey map|multipath $map",
    "setmarginal path $path",
    "unsetmarginal path $path",
    "unsetmarginal map|multipath $map",
    "getprhold map|multipath $map",
    "setprhold map|multipath $map",
    "unsetprhold map|multipath $map",
];

/// What the reference does not have. It is not in the help text, which clients read.
pub const OURS: &[&str] = &[
    "list|show paths json",
    "list|show paths format $format json",
    "list|show path $path json",
    "list|show maps|multipaths status json",
    "list|show maps|multipaths stats json",
    "list|show topology json",
    "list|show map|multipath $map format $format json",
    "list|show status json",
    "list|show daemon json",
    "list|show config json",
    "list|show config local json",
    "list|show blacklist json",
    "list|show devices json",
    "list|show wildcards json",
    "list|show replies",
    "list|show replies json",
    "explain $device",
    "explain $device json",
    "plan",
    "plan json",
    "plan file $file",
    "plan file $file json",
    "events",
    "events follow",
    "add wwid $wwid",
    "remove|del wwid $wwid",
    "reset wwids",
];

/// Date of the release whose answers these are, as it stands in the help text.
const REFERENCE_DATE: &str = "07/13, 2026";

/// The help text: a line that names the release, and the grammar.
pub fn help() -> String {
    let mut text =
        format!("multipath-tools v{REFERENCE_VERSION} ({REFERENCE_DATE})\nCLI commands reference:\n");
    for usage in USAGE {
        text.push(' ');
        text.push_str(usage);
        text.push('\n');
    }
    text
}

/// What an argument names, where the words that may be there are not of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// This word.
    Word(&'static str),
    /// A path.
    Path,
    /// A map.
    Map,
    /// A path or a map.
    Device,
    /// The number of a group of the map that was named.
    Group,
    /// A file.
    File,
    /// Something else.
    Anything,
}

/// What may come after these words, for completion: each once, in the order of the help text. Only the first name of a
/// word is offered, the others are understood.
pub fn next(words: &[&str]) -> Vec<Next> {
    let mut found = Vec::new();
    for usage in USAGE.iter().chain(OURS) {
        let mut pattern = usage.split(' ');
        let fits = words.iter().all(|word| pattern.next().is_some_and(|expected| is_one_of(word, expected)));
        let Some(expected) = pattern.next().filter(|_| fits) else { continue };
        let next = match expected {
            "$path" => Next::Path,
            "$map" => Next::Map,
            "$device" => Next::Device,
            "$group" => Next::Group,
            "$file" => Next::File,
            argument if argument.starts_with('$') => Next::Anything,
            // `list|show` and `remove|del` have the usual name last, the others first.
            word => {
                let mut names = word.split('|');
                let last = word.starts_with("list|") || word.starts_with("remove|");
                let usual = if last { names.next_back() } else { names.next() };
                Next::Word(usual.unwrap_or(word))
            }
        };
        if !found.contains(&next) {
            found.push(next);
        }
    }
    found
}

fn is_one_of(word: &str, expected: &str) -> bool {
    expected.starts_with('$') || expected.split('|').any(|name| name == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::parse;

    #[test]
    fn what_may_come_next() {
        let words = |line: &str| next(&line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>());
        assert_eq!(words("fail"), [Next::Word("path")]);
        assert_eq!(words("fail path"), [Next::Path]);
        assert_eq!(words("list map"), [Next::Map]);
        assert_eq!(words("switch multipath data"), [Next::Word("group")]);
        assert_eq!(words("plan"), [Next::Word("json"), Next::Word("file")]);
        assert_eq!(words("explain"), [Next::Device]);
        assert_eq!(words("bogus"), []);
        assert_eq!(words("shutdown"), []);
        let first = words("");
        for verb in ["show", "del", "switch", "reconfigure", "quit", "explain", "events"] {
            assert!(first.contains(&Next::Word(verb)), "{verb}: {first:?}");
        }
        assert_eq!(first.iter().filter(|next| **next == Next::Word("show")).count(), 1);
    }

    #[test]
    fn every_line_of_ours_is_a_command() {
        for usage in OURS {
            let line =
                usage.split(' ').map(|word| word.split('|').next_back().unwrap_or(word)).collect::<Vec<_>>();
            assert!(parse(&line.join(" ")).is_ok(), "{usage}");
        }
    }
}
