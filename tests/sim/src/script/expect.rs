//! What a script expects: it is so, or it differs, or the script asks for what there is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libmp::types::DevT;

use super::{Script, Step, duration, number};
use crate::invariants::{Rest, at_rest};
use crate::world::disk::{Disk, LunId};
use crate::world::dm::{Kind, MAJOR, Table};

/// Why an expectation is not met. Only the first is what `expect not` hopes for.
#[derive(Debug)]
enum Miss {
    Differs(String),
    Wrong(String),
}

type Look = Result<(), Miss>;

impl From<String> for Miss {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

fn holds(so: bool, otherwise: impl FnOnce() -> String) -> Look {
    if so { Ok(()) } else { Err(Miss::Differs(otherwise())) }
}

fn is(seen: &str, wanted: &str) -> Look {
    holds(seen == wanted, || format!("it is {seen}"))
}

fn yes_or_no(so: bool) -> &'static str {
    if so { "yes" } else { "no" }
}

/// Blanks in what is answered are as many as its columns need.
fn squeezed(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

impl Script {
    pub(super) fn expect(&mut self, words: &[&str], step: &str) -> Step {
        let (negated, words) = match *words {
            ["not", ref rest @ ..] => (true, rest),
            _ => (false, words),
        };
        match self.look(words, step) {
            Ok(()) if negated => Err("it is so".into()),
            Err(Miss::Differs(_)) if negated => Ok(()),
            Ok(()) => Ok(()),
            Err(Miss::Differs(why) | Miss::Wrong(why)) => Err(why),
        }
    }

    fn look(&mut self, words: &[&str], step: &str) -> Look {
        match *words {
            ["map", map] => holds(self.device(map).is_ok(), || format!("no map {map}")),
            ["map", map, ref what @ ..] => self.look_at_map(map, what),
            ["reply", ref text @ ..] => {
                let reply = self.sim.replies.get(&self.last_request).ok_or("no reply yet".to_owned())?;
                holds(squeezed(reply).contains(&text.join(" ")), || format!("the reply is {reply:?}"))
            }
            ["unanswered"] => {
                self.sim.replies.get(&self.last_request).map_or(Ok(()), |r| Err(Miss::Differs(r.clone())))
            }
            ["io", "done", done, "errors", errors] => {
                let (was_done, was_errors) = (self.done, self.errors);
                (self.done, self.errors) = (self.sim.io_done, self.sim.io_errors);
                let seen = (self.done - was_done, self.errors - was_errors);
                let wanted = (number(done)?, number(errors)?);
                holds(seen == wanted, || format!("{} done, {} errors", seen.0, seen.1))
            }
            ["reloads", map, count] => {
                let line = format!("{}: reloaded", self.device(map)?.name);
                let seen = self.sim.log.iter().filter(|text| text.starts_with(&line)).count() as u64;
                let reloads = seen - std::mem::replace(&mut self.reloads, seen);
                holds(reloads == number::<u64>(count)?, || format!("{reloads} reloads"))
            }
            ["layer", name, attribute, value] => self.look_below(name, attribute, value),
            ["claimed", name, wanted] => is(yes_or_no(self.known_disk(name)?.claimed), wanted),
            ["marked", letter] => {
                let wwid = &self.sim.world.luns[self.lun_id(letter)?].identity.wwid;
                holds(self.sim.world.files.failed.contains(wwid), || "it is not".into())
            }
            ["deferred", name, wanted] => is(yes_or_no(self.device(name)?.deferred_remove), wanted),
            ["linear", name, "on", below] => self.look_at_linear(name, below),
            ["rest"] => {
                let rest = at_rest(Rest {
                    world: &self.sim.world,
                    conf: &self.conf,
                    loaded_at: self.sim.loaded_at,
                    unresized: &BTreeSet::new(),
                });
                rest.map_err(|violation| Miss::Differs(violation.to_string()))
            }
            ["quiet", time] => self.quiet(duration(time)?),
            ["daemon", "running"] => holds(self.sim.daemon.is_some(), || "it is not running".into()),
            ["no-deadline"] => match self.sim.daemon.as_ref().and_then(|d| d.next_deadline()) {
                None => Ok(()),
                Some(at) => Err(Miss::Differs(format!("a deadline in {:?}", at - self.sim.now()))),
            },
            ["log", ref text @ ..] => {
                let wanted = text.join(" ");
                let found = self.sim.log.iter().any(|line| line.contains(&wanted));
                holds(found, || format!("not said; the last was {:?}", self.sim.log.last()))
            }
            ["said", times, ref text @ ..] => {
                let wanted = text.join(" ");
                let seen = self.sim.log.iter().filter(|line| line.contains(&wanted)).count();
                holds(seen == number::<usize>(times)?, || format!("said {seen} times"))
            }
            ["messages", "at-most", count] => {
                holds(self.sim.messages <= number(count)?, || format!("{} messages", self.sim.messages))
            }
            ["checks", name, bound @ ("at-least" | "at-most"), count] => {
                let seen = self.sim.checks_of.get(name).copied().unwrap_or(0);
                self.known_disk(name)?;
                let count: u64 = number(count)?;
                let within = if bound == "at-least" { seen >= count } else { seen <= count };
                holds(within, || format!("{seen} checks of {name}"))
            }
            _ => Err(Miss::Wrong(format!("{step}: no such expectation"))),
        }
    }

    fn known_disk(&self, name: &str) -> Result<&Disk, String> {
        self.sim.world.disks.get(name).ok_or(format!("no disk {name}"))
    }

    fn look_at_linear(&self, name: &str, below: &str) -> Look {
        let device = self.device(name)?;
        let on = device.live.iter().flat_map(|table| &table.targets).find_map(|target| match target.kind {
            Kind::Linear { on } => Some(on),
            _ => None,
        });
        let map = self.device(below).map(|device| DevT::new(MAJOR, device.minor));
        let wanted = map.or(self.known_disk(below).map(|disk| disk.devt))?;
        holds(on == Some(wanted), || format!("it stands on {on:?}"))
    }

    fn look_below(&self, name: &str, attribute: &str, value: &str) -> Look {
        let disk = self.known_disk(name)?;
        let mut all = BTreeMap::new();
        disk.layers.show(&mut all);
        all.insert("queue/max_sectors_kb".into(), disk.layers.max_sectors_kb.to_string());
        all.insert("writes".into(), disk.layers.writes.to_string());
        let seen = all.into_iter().find(|(known, _)| known.ends_with(attribute)).map(|(_, seen)| seen);
        is(&seen.ok_or(format!("there is no {attribute}"))?, value)
    }

    fn look_at_map(&self, map: &str, what: &[&str]) -> Look {
        let device = self.device(map)?;
        let target = device.mpath().ok_or_else(|| Miss::Differs(format!("{map} has no multipath table")))?;
        let seen = match *what {
            ["path", name, _] => {
                let disk = self.known_disk(name)?;
                let path =
                    target.paths().find(|p| (p.disk.devt, p.disk.generation) == (disk.devt, disk.generation));
                path.map_or("absent", |p| if p.active { "active" } else { "failed" }).to_owned()
            }
            ["paths", _] => target.paths().count().to_string(),
            ["valid", _] => target.valid_paths().to_string(),
            ["sectors", _] => device.live.as_ref().map_or(0, Table::sectors).to_string(),
            ["groups", _] => target.groups.len().to_string(),
            ["queueing", _] => if target.queue_if_no_path { "on" } else { "off" }.to_owned(),
            ["bio-based", _] => yes_or_no(target.is_bio_based()).to_owned(),
            ["retries", _] => target.pg_init_retries.to_string(),
            ["queued", _] => device.queued.len().to_string(),
            ["group", _] => target.current.map_or(0, |n| n + 1).to_string(),
            ["wwid", _] => {
                let is_it = |(_, id): &(&String, &LunId)| {
                    Some(self.sim.world.luns[**id].identity.wwid.as_str()) == device.wwid()
                };
                self.luns.iter().find(is_it).map_or("?".into(), |(letter, _)| letter.clone())
            }
            ["read-only", _] => yes_or_no(device.live.as_ref().is_some_and(|t| t.read_only)).to_owned(),
            ["withheld", _] => yes_or_no(device.cookie_flags & 0x400 != 0).to_owned(),
            ["anew", _] => yes_or_no(device.cookie_flags & 0x100 == 0).to_owned(),
            ["suspended", _] => yes_or_no(device.suspended).to_owned(),
            _ => return Err(Miss::Wrong("no such expectation".into())),
        };
        is(&seen, what[what.len() - 1])
    }

    fn quiet(&mut self, time: Duration) -> Look {
        self.sim.watch.orders = 0;
        self.advance(time)?;
        let orders = self.sim.watch.orders;
        holds(orders == 0, || format!("{orders} orders, the last one: {}", self.sim.watch.last_order))
    }
}

#[cfg(test)]
mod tests {
    use super::super::run;
    use super::squeezed;
    use crate::real;
    use crate::scripts::SCRIPTS;

    fn refused(steps: &str) -> String {
        run(steps, false, real::core()).expect_err("a step fails").why
    }

    #[test]
    fn what_is_not_understood_is_no_success() {
        let machine = "lun A\nalias A data\ndisk A\nstart\nadvance 20s\nexpect map data";
        assert_eq!(refused(&format!("{machine}\nexpect not map data")), "it is so");
        for nonsense in ["mapp data", "map data paht sda active", "map data path sdz failed", "quiet 5x"] {
            let why = refused(&format!("{machine}\nexpect not {nonsense}"));
            assert_ne!(why, "it is so", "{nonsense}");
        }
        refused(&format!("{machine}\nexpect not map other paths 1"));
        refused(&format!("{machine}\nexpect checks sdz at-most 5"));
    }

    /// Another script's disk or map may have another name.
    fn anonymous(text: &str) -> String {
        let is_name = |word: &str| ["sd", "dm-", "mpath"].iter().any(|kind| word.starts_with(kind));
        let of = |c: char| !c.is_ascii_alphanumeric() && c != '-';
        let words = text.split_inclusive(of).map(|word| {
            let bare = word.trim_end_matches(of);
            if is_name(bare) { word.replacen(bare, "NAME", 1) } else { word.to_owned() }
        });
        squeezed(&words.collect::<String>())
    }

    /// Who expects that something is not said must know how it would be.
    #[test]
    fn what_must_not_be_said_is_said_in_some_script() {
        let (mut log, mut replies) = (Vec::new(), Vec::new());
        for (name, text) in SCRIPTS {
            let (said, answered) =
                run(text, false, real::core()).unwrap_or_else(|f| panic!("{name}: {}", f.why));
            log.extend(said.iter().map(|line| anonymous(line)));
            replies.extend(answered.values().map(|reply| anonymous(reply)));
        }
        let mut never = Vec::new();
        for (name, text) in SCRIPTS {
            for step in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
                let in_log = step.strip_prefix("expect not log ").map(|wanted| (wanted, &log));
                let in_replies = || Some((step.strip_prefix("expect not reply ")?, &replies));
                let Some((wanted, said)) = in_log.or_else(in_replies) else { continue };
                let phrase = anonymous(wanted);
                if !said.iter().any(|line| line.contains(&phrase)) {
                    never.push(format!("{name}: {step}"));
                }
            }
        }
        assert!(never.is_empty(), "never said by any: {never:#?}");
    }
}
