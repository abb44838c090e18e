//! Without a mode, `-r`, `-d`: maps of what there is, by the files as they are now.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use libmp::ctl::{BLACKLISTED, OK};
use libmp::types::Wwid;
use multipath_rules::device::{Device, Kind};
use multipathd::alone::{Hands, Imagined};
use multipathd::sys::claims;

use super::asker::{self, Asker};
use super::known::wwid_named;
use crate::client::AskError;
use crate::listing::{quoted, resolve};
use crate::output::{self, Reply};
use crate::topology::{self, Tree};
use multipath_rules::args::Args;

const CREATE: &str = "create";
const RELOAD: &str = "reload";
/// Maps that come new are waited for so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Makes maps by the files as they are now, and shows what came of it.
pub fn create(args: &Args, device: Option<&Device>, named: Option<&str>) -> ExitCode {
    let before = claims::map_wwids();
    let wwid = named.and_then(|named| wwid_named(named, device));
    let one = named.map(|named| match (&wwid, device) {
        // What comes new is loaded anyway.
        (Some(wwid), _) if args.reload && before.contains(wwid) => {
            format!("reload map {}", quoted(wwid.as_str()))
        }
        (_, Some(Device { kind: Kind::Disk, name })) => format!("add path {}", quoted(name)),
        _ => format!("add map {}", quoted(&resolve(named))),
    });
    let hands = || match named {
        Some(_) => wwid.map_or(Hands::Bound, Hands::For),
        None => Hands::Free,
    };
    let mut asker = match Asker::new(args, hands) {
        Ok(asker) => asker,
        Err(failed) => return failed,
    };
    let done = match (&one, &mut asker) {
        (Some(line), asker) => ask(line, asker),
        (None, Asker::Daemon(_)) => all(args, &mut asker),
        // It has been done already.
        (None, Asker::Alone(_)) if !args.reload => Ok(None),
        (None, asker) => ask("reconfigure all", asker),
    };
    asker.rest();
    let shown = done.and_then(|failed| match failed {
        None if one.is_none() || asker.is_alone() => show_new(args, &before, &mut asker),
        failed => Ok(failed.unwrap_or(ExitCode::SUCCESS)),
    });
    asker.finish(args);
    shown.unwrap_or_else(|error| output::not_received(&error))
}

/// Asks; the status where that failed. What could be done is not spoken of.
fn ask(line: &str, asker: &mut Asker) -> Result<Option<ExitCode>, AskError> {
    let reply = Reply::new(asker.ask(line)?);
    let quiet = !reply.failed && (reply.text == OK || reply.text == BLACKLISTED);
    Ok(if quiet { None } else { Some(output::reply(&reply)) })
}

/// Has the daemon read its files anew, and waits for what comes of it.
fn all(args: &Args, daemon: &mut Asker) -> Result<Option<ExitCode>, AskError> {
    if let Some(failed) = ask(if args.reload { "reconfigure all" } else { "reconfigure" }, daemon)? {
        return Ok(Some(failed));
    }
    let start = Instant::now();
    while is_busy(&daemon.ask("show daemon")?) || is_busy(&daemon.ask("show status")?) {
        if start.elapsed() > PATIENCE {
            break;
        }
        sleep(LOOK);
    }
    Ok(None)
}

/// The maps that are there now and were not before.
fn show_new(args: &Args, before: &BTreeSet<Wwid>, asker: &mut Asker) -> Result<ExitCode, AskError> {
    let mut new = topology::parse(&asker.ask("show maps topology")?);
    new.retain(|tree| !before.iter().any(|wwid| tree.is_of(wwid.as_str(), None)));
    let text = match args.verbosity {
        0 => String::new(),
        1 => names(&new),
        _ => {
            for tree in &mut new {
                tree.action = CREATE.into();
            }
            with_actions(&new)
        }
    };
    Ok(output::print_styled(&text).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS))
}

/// Is it still at it, by `show daemon` or `show status`?
fn is_busy(text: &str) -> bool {
    text.contains("configure") || text.contains("busy: True")
}

/// Shows the maps that would be made or changed as they would be then, all or one; nothing where none would. The files and the
/// devices are asked, as they are now, not the daemon.
pub fn dry_run(args: &Args, device: Option<&Device>, named: Option<&str>) -> ExitCode {
    let wwid = named.and_then(|named| wwid_named(named, device));
    let mut alone = match asker::alone(args, Hands::Writing) {
        Ok(alone) => alone,
        Err(failed) => return failed,
    };
    let mut trees = topology::parse(&alone.ask("show maps topology"));
    let imagined = alone.imagined();
    for tree in &mut trees {
        imagine(tree, imagined);
    }
    let named_map = named.map(resolve);
    let is_meant = |wwid_of_map: &str, name: &str| match (&named_map, &wwid) {
        (None, _) => true,
        (_, Some(wwid)) => wwid_of_map == wwid.as_str(),
        (Some(named), None) => name == named || wwid_of_map == named,
    };
    let device = device.map(|device| device.name.as_str());
    trees.retain(|tree| {
        is_meant(tree.wwid.as_str(), &tree.name) || device.is_some_and(|name| tree.is_of("", Some(name)))
    });
    let removed: Vec<_> =
        imagined.removed.iter().filter(|(wwid, name)| is_meant(wwid.as_str(), name.as_str())).collect();
    if let (Some(named), None, true, true) = (named, device, trees.is_empty(), removed.is_empty()) {
        output::complain(&format!("'{named}' is not a valid argument"));
        return ExitCode::FAILURE;
    }
    trees.retain(|tree| !tree.action.is_empty());
    let text = match args.verbosity {
        0 => String::new(),
        1 => names(&trees),
        _ => {
            removed.iter().fold(String::new(), |text, (_, name)| text + &format!("remove: {name}\n"))
                + &with_actions(&trees)
        }
    };
    output::print_styled(&text).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS)
}

/// A map as what was done on paper makes it.
fn imagine(tree: &mut Tree, imagined: &Imagined) {
    if !imagined.changed.contains(tree.wwid.as_str()) {
        tree.action = String::new();
    } else if !imagined.before.contains(tree.wwid.as_str()) {
        tree.action = CREATE.into();
        tree.make_imagined();
    } else if tree.action.is_empty() {
        tree.action = RELOAD.into(); // by messages alone
    }
}

fn names(trees: &[Tree]) -> String {
    trees.iter().flat_map(|tree| [tree.name.as_str(), "\n"]).collect()
}

fn with_actions(trees: &[Tree]) -> String {
    trees.iter().fold(String::new(), |text, tree| {
        text + &tree.action + ": " + &topology::render(std::slice::from_ref(tree))
    })
}
