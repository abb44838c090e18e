//! Under the name `multipath`: the command line of multipath(8).
//!
//! What changes maps is the daemon's to do. What udev's rules ask ([`ask`]) is answered without it.

mod args;
mod ask;
mod create;
pub(crate) mod device;
mod known;

use std::ffi::OsString;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use libmp::config::Config;
use libmp::state::wwids::Wwids;
use multipathd::args::NewDevices;
use multipathd::offline;
use multipathd::reading;
use multipathd::sys::claims;
use multipathd::sys::files::{Files, Paths};
use multipathd::sys::process::is_root;

use crate::cli::{Form, Listing};
use crate::client::{self, Client};
use crate::configuration::{self, Extent};
use crate::listing::{self, quoted};
use crate::output::{self, Reply};
use crate::topology;
pub use args::USAGE;
use args::{Args, Mode};
use device::{Device, Kind};
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
    if !is_root() {
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
    // udev says of which device it is, where the rule doesn't.
    let from_udev = || std::env::var("DEVNAME").ok().filter(|_| args.uevent);
    let named = args.device.clone().or_else(from_udev);
    let device = named.as_deref().and_then(Device::find);
    match args.mode {
        Mode::IsPath => ask::is_path(device.as_ref(), args.uevent, args.heed),
        Mode::IsUsable => ask::is_usable(device.as_ref(), named.as_deref(), args.verbosity < 2),
        Mode::Configuration => configuration::print(Extent::Whole),
        Mode::LocalConfiguration => configuration::print(Extent::Local),
        Mode::AddWwid | Mode::RemoveWwid => {
            let change = if args.mode == Mode::AddWwid { Change::Add } else { Change::Remove };
            named.map_or_else(|| missing(args.mode), |named| known::change(change, &named, args.alone))
        }
        Mode::ResetWwids => known::reset(args.alone),
        Mode::Flush => match (&device, &named) {
            (Some(Device { kind: Kind::Disk, .. }), _) | (_, None) => missing(args.mode),
            (None, Some(node)) if node.starts_with('/') => {
                output::complain(&format!("'{node}' is not a valid argument\n"));
                ExitCode::FAILURE
            }
            (_, Some(map)) => remove(args, &format!("del map {}", quoted(&listing::resolve(map)))),
        },
        Mode::FlushAll => remove(args, "del maps"),
        Mode::List | Mode::ListLong => list(args, named),
        Mode::Create => create::create(args, device.as_ref(), named.as_deref()),
        Mode::DryRun => create::dry_run(args),
        Mode::Help => ExitCode::SUCCESS,
    }
}

fn missing(mode: Mode) -> ExitCode {
    output::complain(match mode {
        Mode::Flush => "the -f option requires a map name to remove",
        Mode::RemoveWwid => "the -w option requires a device",
        _ => "the -a option requires a device",
    });
    ExitCode::FAILURE
}

/// The configuration and the known WWIDs, from the files. What is wrong in them the daemon says.
fn read_files() -> (Config, Wwids) {
    let texts = Files::new(Paths::default()).read();
    (reading::load(&texts, NewDevices::Configured).0, Wwids::parse(&texts.wwids))
}

fn connect(args: &Args) -> Option<Client> {
    if args.alone { None } else { Client::connect(client::REPLY_LIMIT).ok() }
}

/// Nothing but the daemon does this yet.
fn no_daemon() -> ExitCode {
    output::complain(
        "this needs a running multipathd: start it (`systemctl start multipathd`), then try again",
    );
    output::failed_to_connect()
}

/// Has the daemon remove maps, again and again while they are in use.
fn remove(args: &Args, line: &str) -> ExitCode {
    let Some(mut client) = connect(args) else { return no_daemon() };
    let mut left = args.retries;
    loop {
        match client.ask(line).map(Reply::new) {
            Ok(Reply { failed: false, .. }) => return ExitCode::SUCCESS,
            Ok(reply) if left == 0 => return output::reply(&reply),
            Ok(_) => {}
            Err(error) => return output::not_received(&error),
        }
        left -= 1;
        // Whoever uses it says nothing when he is done.
        sleep(RETRY_PAUSE);
    }
}

/// The maps; without a daemon, as the kernel has them.
fn list(args: &Args, named: Option<String>) -> ExitCode {
    let form = match (args.verbosity, args.mode) {
        (0, _) => Form::Silent,
        (1, _) => Form::Name,
        (_, Mode::List) => Form::Static,
        _ => Form::Full,
    };
    let listing = Listing { map: named, form };
    match connect(args) {
        Some(mut client) => {
            listing::list(&listing, &mut client).unwrap_or_else(|error| output::not_received(&error))
        }
        None => without_daemon(&listing),
    }
}

/// What the kernel and the files say. No path has been checked: `undef`.
fn without_daemon(listing: &Listing) -> ExitCode {
    let mut trees = topology::parse(&offline::ask(Paths::default(), "show maps topology"));
    if let Some(named) = &listing.map {
        let device = Device::find(named);
        trees.retain(|tree| {
            let is_path = |device: &Device| device.kind == Kind::Disk && tree.has_path(&device.name);
            tree.is_of(named, device.as_ref().map(|device| device.name.as_str()))
                || device.as_ref().is_some_and(is_path)
        });
    }
    trees.sort_by(|a, b| a.name.cmp(&b.name));
    if !trees.is_empty() && !claims::map_wwids().is_empty() {
        output::complain("Warning: multipath devices exist, but multipathd service is not running");
    }
    let text = listing::text_of(trees, if listing.form == Form::Full { Form::Static } else { listing.form });
    output::print_styled(&text).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS)
}
