//! What the daemon orders, held against what it was told.

use std::time::Duration;

use libmp::core::effect::Effect;
use libmp::dm::op::DmOp;
use libmp::types::{DevT, Instant, Token};

use super::{Asked, Violation, Watch};
use crate::world::World;

impl Watch {
    /// The daemon orders this.
    pub fn effect(&mut self, world: &World, effect: &Effect) -> Result<(), Violation> {
        match effect {
            Effect::Check { token, name, devt, .. } => {
                self.checks += 1;
                self.exists(world.now, name.as_str(), effect)?;
                let asked = Asked::Check { name: name.as_str().into(), devt: *devt };
                let came = self.paths.get(name.as_str()).map_or(0, |k| k.came);
                if let Some((other, _)) = self.asked.iter().find(|(_, (at, a))| *a == asked && *at > came) {
                    let detail = format!("{name} is checked while check #{} is under way", other.0);
                    return Err(Violation::new("one-check-a-path", detail));
                }
                self.ask(*token, asked)
            }
            Effect::Probe { token, name } => {
                self.exists(world.now, name.as_str(), effect)?;
                self.ask(*token, Asked::Probe { name: name.as_str().into() })
            }
            Effect::Dm { token, op } => {
                self.operation(world, op)?;
                let mut names = vec![op.name().as_str().to_owned()];
                if let DmOp::Rename { to, .. } = op {
                    names.push(to.as_str().to_owned());
                }
                if let Some(busy) = names.iter().find(|name| self.is_operated(name)) {
                    let detail = format!("{op:?} is ordered while {busy} is being operated on");
                    return Err(Violation::new("one-dm-operation-a-map", detail));
                }
                self.ask(*token, Asked::Dm { names })
            }
            Effect::Enumerate { token } => self.ask(*token, Asked::Enumerate),
            Effect::LoadConfig { token } => self.ask(*token, Asked::Config),
            Effect::SysfsWrite { token, .. } | Effect::Save { token, .. } => {
                self.orders += 1;
                self.last_order = crate::render::effect(effect);
                self.ask(*token, Asked::Other)
            }
            Effect::Reply { id, .. } => {
                let Some((asked, command)) = self.requests.remove(id) else {
                    let detail = format!("a reply to request {}, which waits for none", id.0);
                    return Err(Violation::new("one-reply", detail));
                };
                let since = self.clock_jumped.map_or(asked, |jump| jump.max(asked));
                if world.now.saturating_since(since) > Duration::from_millis(4500) {
                    let detail = format!("{command} was answered after {:?}", world.now - asked);
                    return Err(Violation::new("a-reply-in-time", detail));
                }
                Ok(())
            }
            Effect::Exit => match self.outstanding() {
                Some(detail) => Err(Violation::new("one-reply", format!("exit with {detail}"))),
                None => Ok(()),
            },
            Effect::Forget { .. } | Effect::Notify(_) | Effect::Ready => Ok(()),
        }
    }

    fn ask(&mut self, token: Token, asked: Asked) -> Result<(), Violation> {
        if !self.given.insert(token) {
            return Err(Violation::new("tokens-are-unique", format!("#{} again, for {asked:?}", token.0)));
        }
        self.asked.insert(token, (self.step, asked));
        Ok(())
    }

    fn exists(&self, now: Instant, name: &str, effect: &Effect) -> Result<(), Violation> {
        let gone = self.paths.get(name).and_then(|known| known.gone_since);
        match gone {
            Some(since) if now.saturating_since(since) > Duration::from_secs(1) => {
                let detail = format!("{} {:?} after it was gone", crate::render::effect(effect), now - since);
                Err(Violation::new("no-effect-for-the-gone", detail))
            }
            _ => Ok(()),
        }
    }

    fn operation(&mut self, world: &World, op: &DmOp) -> Result<(), Violation> {
        // A path that fails reads and satisfies its checker is tried again now and then: no rest for it.
        let relapse = |message: &String| {
            let (verb, devt) = message.split_once(' ').unwrap_or((message, ""));
            let disk = world.disks.values().find(|d| d.devt.to_string() == devt);
            matches!(verb, "reinstate_path" | "fail_path") && disk.is_some_and(|d| d.reads_fail)
        };
        let excused = match op {
            DmOp::Query { .. } => true,
            DmOp::Message { messages, .. } => messages.iter().all(relapse),
            _ => false,
        };
        if !excused {
            self.orders += 1;
            self.last_order = crate::render::effect(&Effect::Dm { token: Token(0), op: op.clone() });
        }
        let device = world.dm.by_name(op.name().as_str());
        match op {
            DmOp::Create { uuid, load, .. } => {
                self.one_wwid(uuid.strip_prefix("mpath-").unwrap_or(uuid), &load.params)
            }
            DmOp::Reload { load, flush, .. } => {
                let Some(device) = device else { return Ok(()) };
                if let Some(live) = device.live.as_ref().filter(|t| t.sectors() != load.sectors && !flush) {
                    let detail =
                        format!("{} from {} to {} sectors", device.name, live.sectors(), load.sectors);
                    return Err(Violation::new("a-resize-flushes", detail));
                }
                device.wwid().map_or(Ok(()), |wwid| self.one_wwid(wwid, &load.params))
            }
            DmOp::Message { messages, .. } => {
                let reinstated = messages.iter().filter_map(|m| m.strip_prefix("reinstate_path "));
                let wwid = device.and_then(|d| d.wwid());
                for devt in reinstated.filter_map(|d| d.parse().ok()) {
                    self.reinstate(world.now, devt, wwid)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn one_wwid(&self, wwid: &str, params: &str) -> Result<(), Violation> {
        for devt in params.split_ascii_whitespace().filter_map(|word| word.parse::<DevT>().ok()) {
            if let Some((name, known)) = self.known_by_devt(devt)
                && let Some((shown, _)) = &known.wwid
                && shown != wwid
            {
                let detail = format!("{name} ({devt}) is {shown}, and is put into the map of {wwid}");
                return Err(Violation::new("no-wwids-mixed", detail));
            }
        }
        Ok(())
    }

    fn reinstate(&self, now: Instant, devt: DevT, wwid: Option<&str>) -> Result<(), Violation> {
        let Some((name, known)) = self.known_by_devt(devt) else { return Ok(()) };
        if let (Some((shown, _)), Some(wwid)) = (&known.wwid, wwid)
            && shown != wwid
        {
            let detail = format!("{name} ({devt}) is {shown}, and is reinstated in the map of {wwid}");
            return Err(Violation::new("no-reinstate-of-a-stranger", detail));
        }
        let by_operator =
            known.operator_reinstated.is_some_and(|at| now.saturating_since(at) < Duration::from_mins(2));
        if !known.has_evidence() && !by_operator {
            let detail = format!("{name} ({devt})");
            return Err(Violation::new("no-reinstate-without-evidence", detail));
        }
        Ok(())
    }
}
