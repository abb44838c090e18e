//! `-l` and `-ll`: maps from the daemon's memory, sorted by name.

use std::fs;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use libmp::ctl::DEVICE_NOT_FOUND;

use crate::cli::{Form, Listing};
use crate::client::{AskError, Client};
use crate::output::{self, Reply};
use crate::topology::{self, Tree};

/// What came of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// Text to print; no map, no text.
    Text(String),
    /// The daemon refused.
    Refused(Reply),
}

/// Lists once. An unknown map prints nothing and is no failure, as scripts expect.
pub fn list(listing: &Listing, client: &mut Client) -> Result<ExitCode, AskError> {
    Ok(match fetch(listing, client)? {
        Listed::Text(text) => {
            if let (Some(map), true) = (&listing.map, text.is_empty() && std::io::stderr().is_terminal()) {
                output::complain(&format!("no map is called {map}, and no path of one has that node"));
            }
            output::print_styled(&text).map_or_else(|error| output::unprinted(&error), |()| ExitCode::SUCCESS)
        }
        Listed::Refused(reply) => output::reply(&reply),
    })
}

/// Asks the daemon and makes the text.
pub fn fetch(listing: &Listing, client: &mut Client) -> Result<Listed, AskError> {
    let map = listing.map.as_deref().map(resolve);
    if listing.form == Form::Json {
        return json(map.as_deref(), client);
    }
    let mut trees = match trees(map.as_deref(), client)? {
        Ok(trees) => trees,
        Err(refused) => return Ok(Listed::Refused(refused)),
    };
    trees.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(Listed::Text(text_of(trees, listing.form)))
}

/// Trees in one of the forms that are text.
pub fn text_of(mut trees: Vec<Tree>, form: Form) -> String {
    match form {
        Form::Silent | Form::Json => String::new(),
        Form::Name => trees.iter().flat_map(|tree| [tree.name.as_str(), "\n"]).collect(),
        Form::Full => topology::render(&trees),
        Form::Static => {
            trees.iter_mut().for_each(Tree::make_static);
            topology::render(&trees)
        }
    }
}

/// The trees of all maps, of one, or of the one that has a path; or the daemon's refusal.
fn trees(map: Option<&str>, client: &mut Client) -> Result<Result<Vec<Tree>, Reply>, AskError> {
    if let Some(map) = map {
        let reply = client.ask(&format!("show map {} topology", quoted(map)))?;
        if !is_unknown(&reply) {
            return Ok(trees_of(reply));
        }
    }
    let path = match map {
        None => None,
        Some(map) => match map.strip_prefix("/dev/").or_else(|| map.contains(':').then_some(map)) {
            // A bare name is a map's.
            None => return Ok(Ok(Vec::new())),
            path => path,
        },
    };
    Ok(trees_of(client.ask("show maps topology")?).map(|mut trees| {
        trees.retain(|tree| path.is_none_or(|path| tree.has_path(path)));
        trees
    }))
}

fn trees_of(reply: String) -> Result<Vec<Tree>, Reply> {
    let reply = Reply::new(reply);
    if reply.failed { Err(reply) } else { Ok(topology::parse(&reply.text)) }
}

fn json(map: Option<&str>, client: &mut Client) -> Result<Listed, AskError> {
    let reply = match map {
        None => client.ask("show maps json")?,
        Some(map) => client.ask(&format!("show map {} json", quoted(map)))?,
    };
    let reply = Reply::new(reply);
    Ok(if reply.failed {
        Listed::Refused(reply)
    } else {
        // Trees are made fit for terminals where they are taken apart.
        Listed::Text(output::shown(&reply.text, std::io::stdout().is_terminal()).into_owned())
    })
}

/// Has the daemon no such map? (Older ones say `fail` alone.)
fn is_unknown(reply: &str) -> bool {
    reply == DEVICE_NOT_FOUND || reply == libmp::ctl::FAIL
}

/// A link in `/dev` → the node it leads to; everything else as it is.
pub(crate) fn resolve(map: &str) -> String {
    let node = if map.starts_with("/dev/") { fs::canonicalize(map).ok() } else { None };
    node.and_then(|node| node.into_os_string().into_string().ok()).unwrap_or_else(|| map.to_string())
}

/// One word of the control language.
pub(crate) fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}
