//! The option part of multipath.conf(5) is what the table of options says.
//! `UPDATE_MANUAL=1 cargo test -p multipathctl --test manual` writes it anew.

use std::fs;
use std::path::Path;

const BEGIN: &str = "--test manual\n";
const END: &str = ".\\\" End of the table.\n";

#[test]
fn the_manual_has_the_options_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc/man/multipath.conf.5");
    let page = fs::read_to_string(&path).expect("the manual page");
    let (head, rest) = page.split_once(BEGIN).expect("where the table begins");
    let (options, tail) = rest.split_once(END).expect("where the table ends");
    let wanted = libmp::config::manual::options();
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{wanted}{END}{tail}")).expect("written");
    } else {
        assert!(options == wanted, "it is out of date: see the head of this file");
    }
}
