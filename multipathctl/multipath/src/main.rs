//! `multipath`, as udev's rules call it for every event of every disk: answers what they ask, and hands all else over to the
//! operator's command. Small and without libraries, as loading takes longer than the answer; and begun by C's `main`, as Rust's own
//! beginning (a guard for the stack, which it looks up in `/proc/self/maps`, handlers of signals) is of no use to one that is over so soon.
#![no_main]

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use multipath_rules::{answer, args, output};
use multipathd::sys::process::is_root;

/// The operator's command, beside this one or in its usual place.
const WHOLE: &str = "multipathctl";
const PLACE: &str = "/sbin";

multipathd::begin_as_c!(run);

fn run() -> ExitCode {
    let args = args::parse(std::env::args_os().skip(1)).ok().filter(|args| args.policy.is_none());
    let answered = args.filter(|_| is_root()).and_then(|args| {
        // What udev's database is needed for is begun anew there.
        answer(&args, &|_| hand_over())
    });
    answered.unwrap_or_else(|| hand_over())
}

/// Becomes the operator's command under this name, with the same arguments.
fn hand_over() -> ! {
    let beside = std::env::current_exe().map(|own| own.with_file_name(WHOLE)).ok();
    let whole = beside.filter(|path| path.exists()).unwrap_or_else(|| Path::new(PLACE).join(WHOLE));
    let why = Command::new(&whole).arg0("multipath").args(std::env::args_os().skip(1)).exec();
    output::complain(&format!("{}: {why}", whole.display()));
    std::process::exit(1)
}
