//! What a step is answered, and what it changes, in words that both kernels share.

use std::collections::BTreeMap;

use libmp::core::event::DmDone;
use libmp::dm::op::RawMap;
use libmp::types::{DevT, Errno};

use crate::Kernel;
use crate::steps::{Act, Step, Words, uuid};

/// What was seen last.
#[derive(Default, Clone)]
pub(crate) struct Transcript {
    /// Every device that a step has named, by its key.
    maps: BTreeMap<String, Option<RawMap>>,
    list: Vec<String>,
    /// Somebody's I/O waits, and goes on as soon as it can.
    waits: bool,
}

impl Transcript {
    /// Has a step done; answered with what is to be seen of it, at the latest when there is nothing more to wait for. Fails where
    /// the step or what is read makes no sense.
    pub(crate) fn step(
        &mut self,
        kernel: &mut dyn Kernel,
        text: &str,
        wanted: &[&str],
    ) -> Result<Vec<String>, String> {
        let map = |key: &str| {
            let known = self.maps.get(key)?.as_ref()?;
            Some((known.name.as_str().to_owned(), known.devt))
        };
        let words = Words { paths: kernel.paths(), sectors: kernel.sectors(), map: &map };
        let Some(step) = words.step(text) else { return Ok(vec![format!("= no such step: {text}")]) };
        let mut seen = None;
        let answered = match step {
            Step::Act(act) => {
                let key = text.split(' ').next().filter(|_| text.contains(" made "));
                if let Some(key) = key {
                    self.maps.entry(key.to_owned()).or_default();
                }
                let answer = kernel.act(&act);
                self.waits = (self.waits || answer == "waits") && act != Act::Await;
                format!("= {answer}")
            }
            Step::Op { key, op } => {
                self.maps.entry(key.clone()).or_default();
                let DmDone { result, map } = kernel.perform(&uuid(&key), &op);
                let map = map.map_err(|errno| format!("{text}: not read: {errno}"))?;
                seen = Some((key, map.map(|map| RawMap::clone(&map))));
                match result {
                    Ok(()) => "= ok".into(),
                    Err(why) => format!("= {}: {}", self.labelled(kernel, &why.step), short(why.errno)),
                }
            }
        };
        loop {
            let mut after = self.clone();
            let mut lines = vec![answered.clone()];
            after.changes(kernel, seen.clone(), &mut lines)?;
            if lines == wanted || !kernel.is_to_be_looked_at_again() {
                *self = after;
                return Ok(lines);
            }
        }
    }

    /// What a step has changed, and whether an operation's answer says so.
    fn changes(
        &mut self,
        kernel: &mut dyn Kernel,
        seen: Option<(String, Option<RawMap>)>,
        lines: &mut Vec<String>,
    ) -> Result<(), String> {
        self.look(kernel, lines)?;
        // An operation's answer is the map as it is. Events may come after it, and so may what waiting I/O changes.
        if let Some((key, mut answer)) = seen.filter(|_| !self.waits) {
            let is = self.maps.get(&key).and_then(Option::as_ref);
            if let (Some(answer), Some(is)) = (&mut answer, is) {
                answer.event_nr = is.event_nr;
            }
            if answer.as_ref() != is {
                lines.push(format!("  {key}: answered with {answer:?}"));
            }
        }
        Ok(())
    }

    /// Reads all there is, and says what is new.
    fn look(&mut self, kernel: &mut dyn Kernel, lines: &mut Vec<String>) -> Result<(), String> {
        let keys: Vec<String> = self.maps.keys().cloned().collect();
        let mut was = BTreeMap::new();
        for key in &keys {
            let is = kernel.read(&uuid(key)).map_err(|errno| format!("{key}: not read: {errno}"))?;
            was.insert(key, self.maps.insert(key.clone(), is).flatten());
        }
        for key in &keys {
            let before = was.remove(key).flatten();
            let is = self.maps[key].clone();
            let (before, is) =
                (before.map(|map| self.shown(kernel, &map)), is.map(|map| self.shown(kernel, &map)));
            match is {
                Some(is) => {
                    let old = before.unwrap_or_default();
                    lines.extend(is.iter().filter(|line| !old.contains(line)).map(|line| {
                        let line = if line.starts_with("event ") { "event" } else { line };
                        format!("  {key}: {line}")
                    }));
                }
                None if before.is_some() => lines.push(format!("  {key}: gone")),
                None => {}
            }
        }
        let entries = kernel.list().map_err(|errno| format!("not listed: {errno}"))?;
        let entry = |key: &String| {
            let entry = entries.iter().find(|entry| entry.uuid == uuid(key))?;
            let same = self.maps[key].as_ref().is_some_and(|map| {
                map.devt == entry.devt && map.name == entry.name && map.event_nr == entry.event_nr
            });
            Some(format!("{key} {}{}", entry.name, if same { "" } else { " (and not what it is read as)" }))
        };
        let mut list: Vec<String> = keys.iter().filter_map(entry).collect();
        let known = |listed: &str| keys.iter().any(|key| uuid(key) == listed);
        list.extend(entries.iter().filter(|e| !known(&e.uuid)).map(|e| format!("stray {}", e.name)));
        if list != self.list {
            lines.push(format!("  all: {}", if list.is_empty() { "none".into() } else { list.join(", ") }));
        }
        self.list = list;
        Ok(())
    }

    /// A map, a line for each of what may change.
    fn shown(&self, kernel: &dyn Kernel, map: &RawMap) -> Vec<String> {
        let words = [
            Some(map.name.as_str().to_owned()),
            Some(if map.suspended { "suspended" } else { "running" }.into()),
            map.read_only.then(|| "read-only".into()),
            Some(format!("{} opens", map.open_count)),
            (map.idle_partitions > 0).then(|| format!("{} idle partitions", map.idle_partitions)),
            map.deferred_remove.then(|| "goes at its last close".into()),
            map.inactive_table.then(|| "another table waits".into()),
            map.targets.is_empty().then(|| "no table".into()),
        ];
        let mut lines = vec![words.into_iter().flatten().collect::<Vec<_>>().join(", ")];
        for target in &map.targets {
            let full = kernel.sectors();
            let sectors = match target.sectors {
                n if n == full => "full".into(),
                n if n * 2 == full => "half".into(),
                n => n.to_string(),
            };
            let (kind, table) = (&target.kind, self.labelled(kernel, target.table.trim_end()));
            lines.push(format!("table {} {sectors} {kind} {table}", target.start));
            if !target.status.is_empty() {
                lines.push(format!("status {}", self.labelled(kernel, target.status.trim_end())));
            }
        }
        if map.event_nr > 0 {
            lines.push(format!("event {}", map.event_nr));
        }
        lines
    }

    /// A text with names in the place of device numbers.
    fn labelled(&self, kernel: &dyn Kernel, text: &str) -> String {
        let [one, two] = kernel.paths();
        let label = |word: &str| -> Option<String> {
            let devt: DevT = word.parse().ok()?;
            let map = self.maps.iter().find(|(_, map)| map.as_ref().is_some_and(|map| map.devt == devt));
            match devt {
                _ if devt == one => Some("p1".into()),
                _ if devt == two => Some("p2".into()),
                _ => map.map(|(key, _)| key.clone()),
            }
        };
        let words = text.split(' ').map(|word| label(word).unwrap_or_else(|| word.to_owned()));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// `EINVAL`, where there is a name.
fn short(errno: Errno) -> String {
    let text = errno.to_string();
    text.split(':').next().unwrap_or_default().to_owned()
}
