//! `marginal_pathgroups fpin`: paths through ports that the Fibre Channel fabric calls impaired are
//! marginal, until their host's link or fabric changes.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::core::Core;
use crate::core::effect::{Effect, Outbox};
use crate::core::notice::{Level, Notice};
use crate::core::path::{Path, PathId};
use crate::core::waiting::Awaited;
use crate::fabric::{Impairment, Message, News, Wwpn};
use crate::identify::Bus;

impl Core {
    /// A fabric has told a host something.
    pub(super) fn fabric_told(&mut self, message: &Message, out: &mut Outbox) {
        if !self.config.globals().fabric_notifications {
            return;
        }
        match &message.news {
            News::Changed => self.fabric_changed(message.host, out),
            News::Impaired { by, attached, ports } => {
                let hit = |path: &&Path| goes_through(path, message.host, *attached, ports);
                let hit: Vec<PathId> = self.paths.values().filter(hit).map(|path| path.id).collect();
                let text = told(message.host, *by, ports, hit.len());
                out.notify(Notice::Other { level: Level::Notice, text });
                // What is slow for a time is not what errs: it is not used last for it.
                if let Impairment::Link(_) = by {
                    self.impair(message.host, &hit, out);
                }
            }
        }
    }

    fn impair(&mut self, host: u16, hit: &[PathId], out: &mut Outbox) {
        let mut ports = BTreeSet::new();
        for id in hit {
            let Some(path) = self.paths.get_mut(id) else { continue };
            let was = path.steadiness.impaired_on.replace(host);
            if was.is_none() {
                self.review_marginal(*id);
                self.say_marginal(*id, "marginal now: it is used last", out);
            }
            let Some(path) = self.paths.get(id) else { continue };
            let target = path.facts.as_ref().and_then(|facts| facts.fc_ports).map(|ports| ports.target);
            if Bus::of(path.name.as_str()) == Bus::Scsi && ports.insert(target) {
                // The kernel then fails what times out there, so that it goes another way.
                let token = self.waiting.token(Awaited::Sysfs(*id));
                let (name, devt) = (path.name.clone(), path.devt());
                let attribute = "fc_remote_ports/port_state";
                out.push(Effect::SysfsWrite { token, name, devt, attribute, value: "Marginal".into() });
            }
        }
    }

    fn fabric_changed(&mut self, host: u16, out: &mut Outbox) {
        let impaired = |path: &&mut Path| path.steadiness.impaired_on == Some(host);
        let mut freed = Vec::new();
        for path in self.paths.values_mut().filter(impaired) {
            path.steadiness.impaired_on = None;
            self.dirty.extend(path.map());
            freed.push(path.id);
        }
        for id in freed {
            self.say_marginal(id, "no longer called marginal by its fabric", out);
        }
    }

    /// Nobody listens any more: nobody would hear that it is over.
    pub(super) fn forget_fabric(&mut self) {
        for path in self.paths.values_mut().filter(|path| path.steadiness.impaired_on.is_some()) {
            path.steadiness.impaired_on = None;
            self.dirty.extend(path.map());
        }
    }

    fn say_marginal(&self, id: PathId, what: &str, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id) else { return };
        let map =
            path.map().and_then(|map| self.maps.get(&map)).map(|map| format!("{}: ", map.kernel_name()));
        let text = format!("{}{} is {what}", map.unwrap_or_default(), path.name);
        out.notify(Notice::Other { level: Level::Notice, text });
    }
}

/// SCSI disks say which host they are of; of NVMe it is known by its port.
fn goes_through(path: &Path, host: u16, attached: Wwpn, ports: &[Wwpn]) -> bool {
    let Some(facts) = &path.facts else { return false };
    let Some(of_path) = facts.fc_ports else { return false };
    let same_host = match Bus::of(path.name.as_str()) {
        Bus::Scsi => facts.hctl.is_some_and(|hctl| hctl.host == u32::from(host)),
        _ => of_path.host == Some(attached),
    };
    same_host && ports.contains(&of_path.target)
}

/// In words.
fn told(host: u16, by: Impairment, ports: &[Wwpn], paths: usize) -> String {
    let what = match by {
        Impairment::Link(fault) => format!("{fault} on the link of"),
        Impairment::Congestion => "congestion at".into(),
    };
    let ports: Vec<String> = ports.iter().map(|port| format!("{port}")).collect();
    format!("host{host}: the fabric tells of {what} {}: {paths} paths", ports.join(", "))
}
