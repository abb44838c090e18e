//! Without a mode, `-r`, `-d`: the daemon makes maps of what there is by the files as they are now.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use libmp::ctl::{BLACKLISTED, NO_CHANGE, OK};

use super::args::Args;
use super::device::{Device, Kind};
use super::{connect, no_daemon};
use crate::client::{AskError, Client};
use crate::listing::{quoted, resolve};
use crate::output::{self, Reply};
use crate::topology::{self, Tree};

/// Maps that come new are waited for so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Has the daemon read its files anew, and shows what came of it.
pub fn create(args: &Args, device: Option<&Device>, named: Option<&str>) -> ExitCode {
    let Some(mut client) = connect(args) else { return no_daemon() };
    let done = match (named, device) {
        (None, _) => all(args, &mut client),
        (Some(_), Some(Device { kind: Kind::Disk, name })) => {
            one(&format!("add path {}", quoted(name)), &mut client)
        }
        (Some(named), _) => one(&format!("add map {}", quoted(&resolve(named))), &mut client),
    };
    done.unwrap_or_else(|error| output::not_received(&error))
}

fn one(line: &str, client: &mut Client) -> Result<ExitCode, AskError> {
    let reply = Reply::new(client.ask(line)?);
    // What could be done is not spoken of.
    let quiet = !reply.failed && (reply.text == OK || reply.text == BLACKLISTED);
    Ok(if quiet { ExitCode::SUCCESS } else { output::reply(&reply) })
}

fn all(args: &Args, client: &mut Client) -> Result<ExitCode, AskError> {
    let before: BTreeSet<String> = trees(client)?.into_iter().map(|tree| tree.name).collect();
    let reply = Reply::new(client.ask(if args.reload { "reconfigure all" } else { "reconfigure" })?);
    if reply.failed {
        return Ok(output::reply(&reply));
    }
    let start = Instant::now();
    while is_busy(&client.ask("show daemon")?) || is_busy(&client.ask("show status")?) {
        if start.elapsed() > PATIENCE {
            break;
        }
        sleep(LOOK);
    }
    let mut new = trees(client)?;
    new.retain(|tree| !before.contains(&tree.name));
    let text = match args.verbosity {
        0 => String::new(),
        1 => new.iter().flat_map(|tree| [tree.name.as_str(), "\n"]).collect(),
        _ => new.iter().fold(String::new(), |text, tree| {
            text + "create: " + &topology::render(std::slice::from_ref(tree))
        }),
    };
    Ok(output::print_styled(&text).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS))
}

fn trees(client: &mut Client) -> Result<Vec<Tree>, AskError> {
    Ok(topology::parse(&client.ask("show maps topology")?))
}

/// Is it still at it, by `show daemon` or `show status`?
fn is_busy(text: &str) -> bool {
    text.contains("configure") || text.contains("busy: True")
}

/// Says what a reconfigure would change; nothing where nothing would.
pub fn dry_run(args: &Args) -> ExitCode {
    let Some(mut client) = connect(args) else { return no_daemon() };
    match client.ask("plan").map(Reply::new) {
        Ok(reply) if reply.text == NO_CHANGE || args.verbosity == 0 => ExitCode::SUCCESS,
        Ok(reply) => output::reply(&reply),
        Err(error) => output::not_received(&error),
    }
}
