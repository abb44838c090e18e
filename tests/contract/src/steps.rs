//! The steps of a case, as they are written.

use libmp::dm::op::{DmOp, Load, NodeAccess, UdevFlags, uuid_of};
use libmp::types::{DevT, MapName, Wwid};

/// What somebody else does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Loads a table of type multipath and leaves it at that.
    Load {
        /// Of the map.
        uuid: String,
        /// The table.
        load: Load,
    },
    /// Makes a device without a table.
    Make {
        /// Its UUID.
        uuid: String,
        /// Its name.
        name: String,
    },
    /// Makes a device of eight sectors that stands on another one: a partition, or a volume.
    Linear {
        /// Its UUID.
        uuid: String,
        /// Its name.
        name: String,
        /// What it stands on.
        on: DevT,
    },
    /// Opens the device of this name, for reading: `ok`, or `refused`.
    Open(String),
    /// Closes it again.
    Close(String),
    /// Opens it, reads its first block past all caches, and closes it: `done`, an errno, or `waits`.
    Read(String),
    /// How that ended which had to wait, in the order it was asked for.
    Await,
    /// Does something to a path, from 0.
    Disk(usize, DiskAct),
}

/// What is done to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskAct {
    /// Somebody has it for himself.
    Seize,
    /// And no longer.
    Release,
    /// It is offline (`device/state`).
    Offline,
    /// It runs again.
    Online,
    /// It is not to be written to, as the device says.
    Protect,
    /// It may be written to again.
    Unprotect,
}

/// A step.
#[derive(Debug)]
pub(crate) enum Step {
    Op { key: String, op: DmOp },
    Act(Act),
}

/// What the words of steps stand for.
pub(crate) struct Words<'a> {
    pub(crate) paths: [DevT; 2],
    pub(crate) sectors: u64,
    /// Name and number of the map of this key.
    pub(crate) map: &'a dyn Fn(&str) -> Option<(String, DevT)>,
}

/// A number that no disk has.
const NO_DISK: &str = "8:4080";

/// `a` is a map, `a/1` a partition of it, `lv` something else.
pub(crate) fn uuid(key: &str) -> String {
    match key.split_once('/') {
        Some((map, number)) => format!("part{number}-{}", uuid(map)),
        None if key.starts_with("lv") => format!("volume-{key}"),
        None => uuid_of(&Wwid::new(key)),
    }
}

impl Words<'_> {
    pub(crate) fn step(&self, text: &str) -> Option<Step> {
        let words: Vec<&str> = text.split(' ').collect();
        let act = match words[..] {
            ["await"] => Act::Await,
            [verb @ ("open" | "close" | "read"), key] => {
                let (name, _) = (self.map)(key)?;
                match verb {
                    "open" => Act::Open(name),
                    "close" => Act::Close(name),
                    _ => Act::Read(name),
                }
            }
            [verb, path @ ("p1" | "p2")] => Act::Disk(usize::from(path == "p2"), disk_act(verb)?),
            [key, "made", name] => Act::Make { uuid: uuid(key), name: name.into() },
            [key, "made", name, "on", below] => {
                let on = self.devt(below).or_else(|| Some((self.map)(below)?.1))?;
                Act::Linear { uuid: uuid(key), name: name.into(), on }
            }
            [key, "loaded", ref table @ ..] => Act::Load { uuid: uuid(key), load: self.load(table)? },
            [key, ref order @ ..] => return Some(Step::Op { key: key.into(), op: self.op(order)? }),
            [] => return None,
        };
        Some(Step::Act(act))
    }

    fn op(&self, words: &[&str]) -> Option<DmOp> {
        let flags = UdevFlags::default();
        Some(match *words {
            ["create", name, ref table @ ..] => DmOp::Create {
                name: MapName::new(name),
                load: self.load(table)?,
                flags,
                access: NodeAccess::default(),
                beside: Vec::new(),
            },
            ["reload", ref table @ ..] => self.reload(table, false, false)?,
            ["reload-flush", ref table @ ..] => self.reload(table, true, false)?,
            ["reload-wake", ref table @ ..] => self.reload(table, false, true)?,
            ["rename", name] => DmOp::Rename { to: MapName::new(name), flags },
            ["rename-partitions", ref names @ ..] => {
                let name =
                    |word: &&str| word.split_once('=').map(|(key, name)| (uuid(key), MapName::new(name)));
                DmOp::RenamePartitions { names: names.iter().map(name).collect::<Option<_>>()? }
            }
            ["remove"] => DmOp::Remove { deferred: false },
            ["remove-deferred"] => DmOp::Remove { deferred: true },
            ["cancel-removal"] => DmOp::CancelRemove,
            ["message", ref rest @ ..] => {
                let all = self.expand(rest);
                DmOp::Message { messages: all.split("; ").map(str::to_owned).collect() }
            }
            ["suspend"] => DmOp::Suspend,
            ["resume"] => DmOp::Resume { flags },
            ["reassign", ref paths @ ..] => {
                DmOp::Reassign { paths: paths.iter().map(|path| self.devt(path)).collect::<Option<_>>()? }
            }
            ["query"] => DmOp::READ,
            _ => return None,
        })
    }

    fn reload(&self, table: &[&str], flush: bool, wake: bool) -> Option<DmOp> {
        Some(DmOp::Reload { load: self.load(table)?, flags: UdevFlags::default(), flush, wake })
    }

    /// `full ro 0 0 …`: its length, whether it is read-only, its parameters.
    fn load(&self, words: &[&str]) -> Option<Load> {
        let (size, params) = words.split_first()?;
        let sectors = match *size {
            "none" => 0,
            "half" => self.sectors / 2,
            "full" => self.sectors,
            "double" => self.sectors * 2,
            _ => return None,
        };
        let (read_only, params) = match params {
            ["ro", params @ ..] => (true, params),
            _ => (false, params),
        };
        Some(crate::load(sectors, self.expand(params), read_only))
    }

    fn expand(&self, words: &[&str]) -> String {
        let one = |word: &&str| {
            let (word, end) = word.strip_suffix(';').map_or((*word, ""), |word| (word, ";"));
            let devt = self.devt(word).map(|devt| devt.to_string());
            let devt = devt.or_else(|| (word == "nodisk").then(|| NO_DISK.to_owned()));
            devt.unwrap_or_else(|| word.to_owned()) + end
        };
        words.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn devt(&self, word: &str) -> Option<DevT> {
        match word {
            "p1" => Some(self.paths[0]),
            "p2" => Some(self.paths[1]),
            _ => None,
        }
    }
}

fn disk_act(verb: &str) -> Option<DiskAct> {
    Some(match verb {
        "seize" => DiskAct::Seize,
        "release" => DiskAct::Release,
        "offline" => DiskAct::Offline,
        "online" => DiskAct::Online,
        "protect" => DiskAct::Protect,
        "unprotect" => DiskAct::Unprotect,
        _ => return None,
    })
}
