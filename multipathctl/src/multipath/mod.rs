//! Under the name `multipath`: the command line of multipath(8).
//!
//! What changes maps is the daemon's to do; without one its core does it here ([`asker`]). What udev's rules ask (`multipath_rules`) is answered without it.

mod asker;
mod create;
mod known;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use libmp::ctl::{DEVICE_NOT_FOUND, FAIL, IN_USE};
use multipath_rules::answer;
pub use multipath_rules::args::USAGE;
use multipath_rules::args::{self, Args, Mode};
use multipath_rules::device::{Device, Kind};
use multipath_rules::texts::TextsRead;
use multipathd::alone::Hands;
use multipathd::offline;
use multipathd::sys::files::Paths;
use multipathd::sys::process::is_root;
use multipathd::sys::{claims, sysfs};

use crate::cli::{Form, Listing};
use crate::client::{Client, Patience};
use crate::configuration::{self, Extent};
use crate::listing::{self, quoted};
use crate::output::{self, Reply};
use crate::topology;
use asker::Asker;
use known::Change;

/// Between two tries to remove a map that is in use.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Does what the arguments after the program's name say.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(args) {
        Ok(args) => args,
        Err(why) => {
            output::complain(&format!("{why}\n{}", args::usage()));
            return ExitCode::FAILURE;
        }
    };
    if args.mode == Mode::Help {
        output::complain(&args::usage());
        return ExitCode::SUCCESS;
    }
    // Whoever may read the files may read what is made of them.
    if !is_root() && !matches!(args.mode, Mode::Configuration | Mode::LocalConfiguration) {
        output::complain("need to be root");
        return ExitCode::FAILURE;
    }
    if let Some(policy) = &args.policy {
        output::complain(&format!(
            "-p {policy}: a policy for one run would not last: set path_grouping_policy in /etc/multipath.conf, then \
             `multipathd reconfigure`"
        ));
        return ExitCode::FAILURE;
    }
    perform(&args)
}

fn perform(args: &Args) -> ExitCode {
    if let Some(code) = answer(args, &sysfs::probe) {
        return code;
    }
    let named = args.named();
    let device = named.as_deref().and_then(Device::find);
    match args.mode {
        Mode::Configuration => configuration::print(Extent::Whole),
        Mode::LocalConfiguration => configuration::print(Extent::Local),
        Mode::AddWwid | Mode::RemoveWwid => {
            let change = if args.mode == Mode::AddWwid { Change::Add } else { Change::Remove };
            named.map_or_else(|| missing(args.mode), |named| known::change(change, &named, args.alone))
        }
        Mode::ResetWwids => known::reset(args.alone),
        Mode::Flush => match (&device, &named) {
            (Some(Device { kind: Kind::Disk, .. }), _) | (_, None) => missing(args.mode),
            (None, Some(node)) if node.starts_with('/') => not_valid(node),
            (_, Some(map)) => remove(args, Some(map)),
        },
        Mode::FlushAll => remove(args, None),
        Mode::List | Mode::ListLong => match named {
            Some(node) if node.starts_with('/') && device.is_none() => not_valid(&node),
            named => list(args, named),
        },
        Mode::Create => create::create(args, device.as_ref(), named.as_deref()),
        Mode::DryRun => create::dry_run(args, device.as_ref(), named.as_deref()),
        // Said or answered above.
        Mode::Help | Mode::IsPath | Mode::IsUsable => ExitCode::SUCCESS,
    }
}

fn not_valid(node: &str) -> ExitCode {
    output::log(&format!("'{node}' is not a valid argument\n"));
    ExitCode::FAILURE
}

fn missing(mode: Mode) -> ExitCode {
    output::complain(match mode {
        Mode::Flush => "the -f option requires a map name to remove",
        Mode::RemoveWwid => "the -w option requires a device",
        _ => "the -a option requires a device",
    });
    ExitCode::FAILURE
}

/// Removes a map, or all, again and again while they are in use.
fn remove(args: &Args, map: Option<&str>) -> ExitCode {
    let line =
        map.map_or_else(|| "del maps".into(), |map| format!("del map {}", quoted(&listing::resolve(map))));
    let mut asker = match Asker::new(args, || Hands::Removing) {
        Ok(asker) => asker,
        Err(failed) => return failed,
    };
    let mut tries = 0;
    // Read where it is wanted: by a map in use.
    let retries =
        || args.retries.unwrap_or_else(|| TextsRead::now().configuration(None).globals().remove_retries);
    let code = loop {
        match asker.ask(&line).map(Reply::new) {
            Ok(Reply { failed: false, .. }) => break ExitCode::SUCCESS,
            Ok(reply) if tries >= retries() => break not_removed(map.filter(|_| asker.is_alone()), &reply),
            Ok(_) => {}
            Err(error) => break output::not_received(&error),
        }
        tries += 1;
        // Whoever uses it says nothing when he is done.
        sleep(RETRY_PAUSE);
    };
    asker.finish(args);
    code
}

/// Without a daemon the reference says what is wrong with a map on standard error, in other words.
fn not_removed(map: Option<&str>, reply: &Reply) -> ExitCode {
    let said = |text: &str| text.strip_prefix(FAIL).is_some_and(|text| reply.text.starts_with(text));
    match map {
        Some(map) if said(DEVICE_NOT_FOUND) => output::log(&format!("{map} is not a multipath device")),
        Some(map) if said(IN_USE) => {
            let holders: String = reply.text.lines().skip(1).flat_map(|line| [": ", line]).collect();
            let holders = output::shown(&holders, std::io::stderr().is_terminal());
            output::log(&format!("{map}: map in use{holders}"));
        }
        _ => return output::reply(reply),
    }
    ExitCode::FAILURE
}

/// The maps; without a daemon, with `-l` as the kernel has them, with `-ll` after one check of every path.
fn list(args: &Args, named: Option<String>) -> ExitCode {
    let form = match (args.verbosity, args.mode) {
        (0, _) => Form::Silent,
        (1, _) => Form::Name,
        (_, Mode::List) => Form::Static,
        _ => Form::Full,
    };
    let listing = Listing { map: named, form };
    let daemon = if args.alone { None } else { Client::connect(Patience::Configured).ok() };
    match daemon {
        Some(mut client) => {
            listing::list(&listing, &mut client).unwrap_or_else(|error| output::not_received(&error))
        }
        None => without_daemon(args, &listing),
    }
}

/// What the kernel and the files say. Without a check of the paths their states are `undef`.
fn without_daemon(args: &Args, listing: &Listing) -> ExitCode {
    const LINE: &str = "show maps topology";
    let maps = if listing.form == Form::Full && !claims::map_wwids().is_empty() {
        match Asker::new(args, || Hands::Bound).map(|mut asker| asker.ask(LINE)) {
            Ok(Ok(maps)) => maps,
            Ok(Err(error)) => return output::not_received(&error),
            Err(failed) => return failed,
        }
    } else {
        offline::ask(Paths::default(), LINE)
    };
    let mut trees = topology::parse(&maps);
    if let Some(named) = &listing.map {
        let device = Device::find(named);
        trees.retain(|tree| {
            let is_path = |device: &Device| device.kind == Kind::Disk && tree.has_path(&device.name);
            tree.is_of(named, device.as_ref().map(|device| device.name.as_str()))
                || device.as_ref().is_some_and(is_path)
        });
    }
    trees.sort_by(|a, b| a.order().cmp(&b.order()));
    if args.verbosity > 1 && !trees.is_empty() && !claims::map_wwids().is_empty() {
        output::log("Warning: multipath devices exist, but multipathd service is not running");
    }
    let text = listing::text_of(trees, listing.form);
    output::print_styled(&text).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS)
}
