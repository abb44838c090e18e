//! What the daemon orders, held against what it was told.

use std::time::Duration;

use libmp::check::{Ask, CheckRequest};
use libmp::core::effect::{Effect, StateFile};
use libmp::core::event::RequestId;
use libmp::core::notice::Notice;
use libmp::dm::op::{DmOp, Load, uuid_of};
use libmp::types::{DevT, Instant, Token, Wwid};

use super::{Asked, Kind, Known, Violation, Watch, lun_of};
use crate::world::World;
use crate::world::dm::Device;

impl Watch {
    /// The daemon orders this.
    pub fn effect(&mut self, world: &World, effect: &Effect) -> Result<(), Violation> {
        match effect {
            Effect::Check { token, name, devt, request } => {
                self.checks += 1;
                self.exists(world.now, name.as_str(), effect)?;
                let asked = Asked::Check {
                    name: name.as_str().into(),
                    devt: *devt,
                    of_state: asks_of_state(request),
                };
                let came = self.paths.get(name.as_str()).map_or(0, |k| k.came);
                let same = |a: &Asked| matches!(a, Asked::Check { name: n, devt: d, .. } if n == name.as_str() && d == devt);
                if let Some((other, _)) = self.asked.iter().find(|(_, (at, a))| same(a) && *at > came) {
                    let detail = format!("{name} is checked while check #{} is under way", other.0);
                    return Err(Violation::new("one-check-a-path", detail));
                }
                self.ask(*token, asked)
            }
            Effect::Probe { token, name } => {
                self.may_probe(world.now, name.as_str(), effect)?;
                self.ask(*token, Asked::Probe { name: name.as_str().into(), since: world.now })
            }
            Effect::Dm { token, wwid, op } => {
                self.operation(world, wwid, op)?;
                let taken = self.name_taken(wwid.as_str(), op);
                let kind = Kind::of(op);
                if !self.is_free(world.now, wwid.as_str(), kind)
                    || taken.as_ref().is_some_and(|name| self.is_taken(name))
                {
                    let detail = format!("{op:?} is ordered while {wwid} or its name is being operated on");
                    return Err(Violation::new("one-dm-operation-a-map", detail));
                }
                let wwid = wwid.as_str().into();
                self.ask(*token, Asked::Dm { wwid, taken, since: world.now, kind })
            }
            Effect::Enumerate { token } => self.ask(*token, Asked::Enumerate),
            Effect::LoadConfig { token } => self.ask(*token, Asked::Config),
            Effect::ReadNative { token } | Effect::Survey { token, .. } => self.ask(*token, Asked::Other),
            Effect::Save { token, file, .. } => {
                self.last_order = crate::render::effect(effect);
                self.save(*token, *file)
            }
            Effect::SysfsWrite { token, .. } | Effect::Mark { token, .. } => {
                no_zero(effect)?;
                self.orders += 1;
                self.last_order = crate::render::effect(effect);
                self.ask(*token, Asked::Other)
            }
            Effect::Reply { id, text } => self.reply(world, *id, text),
            Effect::Book { id, .. } => self.reply(world, *id, ""),
            Effect::Exit => match self.outstanding() {
                Some(detail) => Err(Violation::new("one-reply", format!("exit with {detail}"))),
                None => Ok(()),
            },
            Effect::Forget { name } => {
                self.void(name.as_str(), self.step);
                Ok(())
            }
            Effect::Notify(Notice::Configured { .. }) => {
                self.sizes_to_come();
                Ok(())
            }
            Effect::Notify(_)
            | Effect::Verbosity(_)
            | Effect::OpenFiles(_)
            | Effect::ListenToFabric(_)
            | Effect::Ready => Ok(()),
        }
    }

    /// A disk that is being read as a start or a reconfigure ends makes no map smaller: what it shows may have come later.
    fn sizes_to_come(&mut self) {
        let name = |(_, asked): &(u64, Asked)| match asked {
            Asked::Probe { name, .. } => Some(name.clone()),
            _ => None,
        };
        let names: Vec<String> = self.asked.values().filter_map(name).collect();
        let wwid = |name: &String| self.paths.get(name)?.wwid.as_ref().map(|(wwid, _)| wwid.clone());
        let wwids: Vec<String> = names.iter().filter_map(wwid).collect();
        self.unresized.extend(wwids);
    }

    fn save(&mut self, token: Token, file: StateFile) -> Result<(), Violation> {
        self.orders += 1;
        let asked = Asked::Save(file);
        if self.asked.values().any(|(_, other)| *other == asked) {
            let detail = format!("{file:?} is written while it is being written");
            return Err(Violation::new("one-save-a-file", detail));
        }
        self.ask(token, asked)
    }

    /// What was found out of a path before is void: whatever comes under its name is another.
    fn void(&mut self, name: &str, step: u64) {
        let known = self.paths.entry(name.to_owned()).or_default();
        known.came = known.came.max(step);
    }

    /// A client is answered.
    fn reply(&mut self, world: &World, id: RequestId, text: &str) -> Result<(), Violation> {
        let now = world.now;
        let Some((asked, step, command)) = self.requests.remove(&id) else {
            let detail = format!("a reply to request {}, which waits for none", id.0);
            return Err(Violation::new("one-reply", detail));
        };
        if let (Some(name), true) = (command.strip_prefix("del path "), text.starts_with("ok")) {
            self.void(name, step);
        }
        if let (Some(wwid), false) = (command.strip_prefix("resize map "), text.starts_with("ok")) {
            self.unresized.insert(wwid.to_owned());
        }
        if let (Some(name), true) = (command.strip_prefix("disablequeueing map "), text.starts_with("ok")) {
            self.disabled.extend(lun_of(world, name));
        }
        if let (Some(of), true) = (command.strip_prefix("restorequeueing map"), text.starts_with("ok")) {
            match of.strip_prefix(' ') {
                Some(name) => self.disabled.retain(|wwid| lun_of(world, name).as_ref() != Some(wwid)),
                None => self.disabled.clear(),
            }
        }
        let since = self.clock_jumped.map_or(asked, |jump| jump.max(asked));
        if now.saturating_since(since) > Duration::from_millis(4500) {
            let detail = format!("{command} was answered after {:?}", now - asked);
            return Err(Violation::new("a-reply-in-time", detail));
        }
        Ok(())
    }

    /// The name that the map is to have from now on, if it gets another.
    fn name_taken(&mut self, wwid: &str, op: &DmOp) -> Option<String> {
        let name = op.takes_name()?.as_str().to_owned();
        self.wanted.insert(wwid.into(), name.clone());
        Some(name)
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

    /// What a client waits for is looked for, be it there or not.
    fn may_probe(&self, now: Instant, name: &str, effect: &Effect) -> Result<(), Violation> {
        let asks = |command: &String| command.strip_prefix("add path ") == Some(name);
        let is_asked_for = self.requests.values().any(|(_, _, command)| asks(command));
        if is_asked_for { Ok(()) } else { self.exists(now, name, effect) }
    }

    fn operation(&mut self, world: &World, wwid: &Wwid, op: &DmOp) -> Result<(), Violation> {
        // A standby path satisfies its checker and fails I/O: it is tried again now and then.
        let relapse = |message: &String| {
            let devt = message.strip_prefix("reinstate_path ").unwrap_or_default();
            let disk = world.disks.values().find(|d| d.devt.to_string() == devt);
            disk.is_some_and(|d| d.is_standby(&world.luns))
        };
        if let DmOp::Message { messages } = op {
            self.relapses += messages.iter().filter(|m| relapse(m)).count() as u64;
        }
        if let DmOp::Reload { load, .. } = op {
            let standby = |word: &str| relapse(&format!("reinstate_path {word}"));
            self.regroups += u64::from(load.params.split_ascii_whitespace().any(standby));
        }
        let excused = match op {
            DmOp::Query { .. } => true,
            DmOp::Message { messages, .. } => messages.iter().all(relapse),
            _ => false,
        };
        if !excused {
            self.orders += 1;
            let order = Effect::Dm { token: Token(0), wwid: wwid.clone(), op: op.clone() };
            self.last_order = crate::render::effect(&order);
        }
        let device = world.dm.by_uuid(&uuid_of(wwid));
        match op {
            DmOp::Create { load, .. } => {
                self.fits(load)?;
                self.one_wwid(wwid.as_str(), &load.params)
            }
            DmOp::Reload { load, flush, .. } => {
                let Some(device) = device else { return Ok(()) };
                if let Some(live) = device.live.as_ref().filter(|t| t.sectors() != load.sectors && !flush) {
                    let detail =
                        format!("{} from {} to {} sectors", device.name, live.sectors(), load.sectors);
                    return Err(Violation::new("a-resize-flushes", detail));
                }
                self.fits(load)?;
                self.one_wwid(wwid.as_str(), &load.params)
            }
            DmOp::Message { messages, .. } => {
                let reinstated = messages.iter().filter_map(|m| m.strip_prefix("reinstate_path "));
                for devt in reinstated.filter_map(|d| d.parse().ok()) {
                    self.reinstate(world.now, devt, wwid.as_str())?;
                }
                Ok(())
            }
            DmOp::Resume { .. } => {
                device.map_or(Ok(()), |device| self.resume(world.now, device, wwid.as_str()))
            }
            _ => Ok(()),
        }
    }

    /// No map is resumed with a path that is known to lead elsewhere: its I/O would go there at once.
    fn resume(&self, now: Instant, device: &Device, wwid: &str) -> Result<(), Violation> {
        let active = device
            .mpath()
            .filter(|_| device.suspended)
            .into_iter()
            .flat_map(crate::world::mpath::Mpath::paths);
        for path in active.filter(|path| path.active) {
            if let Some((name, Known { wwid: Some((shown, since)), .. })) = self.known_by_devt(path.disk.devt)
                && shown != wwid
                && now.saturating_since(self.free_since(device.minor, *since)) > super::io::REACTION
            {
                let detail = format!("{name} is {shown}, and the map of {wwid} is resumed with it");
                return Err(Violation::new("io-reaches-its-lun", detail));
            }
        }
        Ok(())
    }

    fn fits(&self, load: &Load) -> Result<(), Violation> {
        for devt in load.params.split_ascii_whitespace().filter_map(|word| word.parse::<DevT>().ok()) {
            if let Some((name, known)) = self.known_by_devt(devt)
                && (1..load.sectors).contains(&known.sectors)
            {
                let detail = format!("{name} has {} sectors, the table has {}", known.sectors, load.sectors);
                return Err(Violation::new("a-table-fits", detail));
            }
        }
        Ok(())
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

    fn reinstate(&self, now: Instant, devt: DevT, wwid: &str) -> Result<(), Violation> {
        let Some((name, known)) = self.known_by_devt(devt) else { return Ok(()) };
        if let Some((shown, _)) = &known.wwid
            && shown != wwid
        {
            let detail = format!("{name} ({devt}) is {shown}, and is reinstated in the map of {wwid}");
            return Err(Violation::new("no-reinstate-of-a-stranger", detail));
        }
        let by_operator = known.on_word(now, self.clock_jumped);
        if !known.has_evidence() && !by_operator {
            let detail = format!("{name} ({devt})");
            return Err(Violation::new("no-reinstate-without-evidence", detail));
        }
        if known.is_doubtful() && !by_operator {
            let detail = format!("{name} ({devt}) may be another LUN than {wwid}, and was not asked");
            return Err(Violation::new("no-reinstate-of-a-stranger", detail));
        }
        Ok(())
    }
}

/// Is the path's state asked for, and not its priority only?
fn asks_of_state(request: &CheckRequest) -> bool {
    match request.asks.first() {
        Some(Ask::Scsi(command)) => command.cdb().first() != Some(&0xa3),
        Some(Ask::TimedReads { .. }) => false,
        None | Some(Ask::Nvme(_) | Ask::DirectRead | Ask::AccessState) => true,
    }
}

/// 0 is "at once" for a port, and "never" for a session.
fn no_zero(effect: &Effect) -> Result<(), Violation> {
    if let Effect::SysfsWrite { attribute, value, .. } = effect
        && value == "0"
        && ["dev_loss_tmo", "recovery_tmo"].iter().any(|name| attribute.ends_with(name))
    {
        return Err(Violation::new("no-zero-times", format!("{attribute} is set to 0")));
    }
    Ok(())
}
