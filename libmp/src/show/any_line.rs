//! Whatever a client sends is answered, and not at any length.

use proptest::prelude::*;

use super::tests::view;
use super::{find_map, find_path, show};
use crate::ctl::device::MapRef;
use crate::ctl::help::help;
use crate::ctl::{Command, FAIL, parse};

/// Of documents without a format, for the view of the tests.
const DOCUMENT_BYTES: usize = 64 << 10;
/// One cell with its padding; JSON has a column's name with it.
const CELL_BYTES: usize = 128;

/// Words of the language, and what is none.
const WORDS: &[&str] = &[
    "show", "list", "paths", "path", "maps", "map", "raw", "format", "json", "topology", "status", "stats",
    "switch", "group", "add", "del", "explain", "plan", "file", "data", "dm-0", "8:16", "/dev/sda", "%",
    "%%", "%w%", "%d%n", "\"", "\"\"", "\"%w", "\n", "\0", "js", "s",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(WORDS).prop_map(str::to_owned),
        1 => "[ -~\u{e9}\t\r\0]{0,12}",
    ]
}

#[track_caller]
fn is_answered(line: &str) {
    let view = view();
    match parse(line) {
        Err(error) => {
            let reply = error.reply();
            assert!(reply.starts_with(FAIL), "{line:?}: {reply}");
            assert!(reply.len() <= FAIL.len() + line.len() + help().len() + CELL_BYTES, "{line:?}: {reply}");
        }
        Ok(Command::Show(what)) => {
            let rows = view.paths.len() + 1;
            let limit = DOCUMENT_BYTES + rows * line.len() * CELL_BYTES;
            let text = show(&view, &what).unwrap_or_else(|why| why.reply().into());
            assert!(text.len() <= limit, "{line:?}: {} bytes", text.len());
        }
        Ok(_) => {}
    }
}

#[test]
fn formats_that_end_in_a_wildcard_s_beginning() {
    let ask = |line| super::tests::ask(&view(), line).unwrap();
    assert_eq!(ask("show maps raw format %n%"), "mpatha\ndata\n");
    assert_eq!(ask("show map data raw format %"), "\n");
    assert_eq!(ask("show map data format %n%%"), "data  \n");
}

/// The client takes no longer reply, and rows without end would be made of a short request.
#[test]
fn a_table_without_end_is_refused() {
    let mut view = view();
    view.paths = std::iter::repeat_n(view.paths[0].clone(), 20_000).collect();
    let text = "x".repeat(4_000);
    for format in ["%w".repeat(2_000), text] {
        for raw in ["raw ", ""] {
            let reply = super::tests::ask(&view, &format!("show paths {raw}format {format}")).unwrap();
            assert_eq!(reply, "fail\nthe reply would be too long\n");
        }
    }
    assert!(super::tests::ask(&view, "show paths").unwrap().len() > 20_000 * 40);
    // In JSON each column is there once.
    let json = super::tests::ask(&view, &format!("show paths format {} json", "%w".repeat(2_000))).unwrap();
    assert_eq!(json.matches("\"uuid\"").count(), 20_000);
}

#[test]
fn words_by_the_thousand() {
    for word in ["json ", "show ", "\"\" ", "path ", "%w", "\"\"", "show paths format "] {
        for begin in ["", "show ", "show paths format ", "show maps raw format \""] {
            is_answered(&[begin, word.repeat(4_096 / word.len()).as_str()].concat());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        is_answered(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_words_are_answered(words in proptest::collection::vec(word(), 0..30)) {
        is_answered(&words.join(" "));
    }

    #[test]
    fn any_name_is_looked_for(
        name in "(/dev/)?(mapper/)?(dm-)?[0-9:+]{0,20}|.{0,20}",
    ) {
        let view = view();
        if let Some(map) = find_map(&view, &name) {
            let text = MapRef::new(&name).name();
            let minor = map.devt.map(|devt| devt.minor.to_string()).unwrap_or_default();
            let device = text.starts_with("dm-") || text.trim_start_matches('0').starts_with("254:");
            prop_assert!([map.name.as_str(), map.wwid.as_str()].contains(&text) || device && text.ends_with(&minor));
        }
        if let Some(path) = find_path(&view, &name) {
            let text = name.strip_prefix("/dev/").unwrap_or(&name);
            prop_assert!(text == path.name().as_str() || text.parse() == Ok(path.facts.devt));
        }
    }
}
