//! Why a device is multipathed, or not, and what holds for it: from memory, as the core itself decided.

use ::core::iter;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::check::CheckState;
use crate::config::considered::{Considered, Outcome, PROPERTY};
use crate::config::flaky::{Flaky, Test};
use crate::config::options::Key;
use crate::config::provenance::{self, Traced};
use crate::config::resolve;
use crate::config::settings::UidSource;
use crate::config::timeouts::{INFINITE, Loss, Timeouts};
use crate::core::Core;
use crate::core::desired;
use crate::core::event::DmFailure;
use crate::core::judge::Wanted;
use crate::core::map::{Live, Map};
use crate::core::map_state;
use crate::core::path::{Exclusion, Path, Standing, Udev};
use crate::core::refused::{self, Refused};
use crate::core::tuning;
use crate::identify::tunables::Tunable;
use crate::prio::ana;
use crate::show::explain::{Answer, Explanation, Setting, Step};
use crate::types::{Instant, MapName, PathName, Wwid};

impl Core {
    /// What there is to say of a path, a map, or a WWID; `None` where there is no such device.
    pub(super) fn explain(&self, now: Instant, device: &str) -> Option<Explanation> {
        let path = || self.find_path(device).map(|id| self.explain_path(now, &self.paths[&id]));
        let map = || self.find_map(device).map(|id| self.explain_map(now, &self.maps[&id]));
        let is_map = |text: &str| text.starts_with("dm-") || text.starts_with("mapper/");
        // A map's own device is a disk that the blacklist excludes, too.
        let known = if is_map(device.strip_prefix("/dev/").unwrap_or(device)) {
            map().or_else(path)
        } else {
            path().or_else(map)
        };
        known.or_else(|| {
            let wwid = self.wwid_named(device);
            let shows = |path: &&Path| path.wwid() == Some(&wwid) || asked_wwid(path) == Some(wwid.as_str());
            self.paths.values().find(shows).map(|path| self.explain_path(now, path))
        })
    }

    fn explain_path(&self, now: Instant, path: &Path) -> Explanation {
        let device = match &path.facts {
            Some(facts) => format!("{} ({})", path.name, facts.devt),
            None => path.name.to_string(),
        };
        let map = path.map().and_then(|id| self.maps.get(&id));
        let (answer, because) = match &path.standing {
            Standing::New => (Answer::Undecided, "it is being looked at".into()),
            Standing::Excluded(why) => (Answer::No, why.to_string()),
            Standing::Waiting { wwid } => (Answer::No, self.find_multipaths(path, wwid)),
            Standing::Member { .. } => map.map_or_else(
                || (Answer::Undecided, "its map is being looked at".into()),
                |map| self.explain_member(now, map, path),
            ),
        };
        Explanation {
            device,
            answer,
            because,
            steps: self.steps(path),
            paths: map
                .into_iter()
                .flat_map(|map| {
                    let map_state = self.map_state(now, map);
                    iter::once(self.condition(path, now)).chain(map_state).chain(failures(map, now))
                })
                .collect(),
            settings: self.settings_of(Some(path), map),
        }
    }

    /// A member is multipathed if I/O of its map can reach it, or will as soon as the map is made.
    fn explain_member(&self, now: Instant, map: &Map, path: &Path) -> (Answer, String) {
        let name = map.kernel_name();
        match self.absence(now, map, path) {
            Some(why) => (Answer::No, format!("a member of {name}, not in its table: {why}")),
            None => (answer_of(map), format!("a path of {name}{}", self.not_there(map))),
        }
    }

    fn explain_map(&self, now: Instant, map: &Map) -> Explanation {
        let mut members: Vec<&Path> = map.members.iter().filter_map(|id| self.paths.get(id)).collect();
        members.sort_by_key(|path| path.order());
        let device = match &map.observed {
            Some(observed) => format!("{} (dm-{})", observed.name, observed.devt.minor),
            None => map.name.to_string(),
        };
        let refused = self.paths.values().filter_map(|path| match &path.standing {
            Standing::Excluded(why @ Exclusion::Contradicts { wwid, .. }) if *wwid == map.wwid => {
                Some(Step { what: "refused", result: format!("{}: {why}", path.name) })
            }
            _ => None,
        });
        let (inside, outside): (Vec<&Path>, Vec<&Path>) =
            members.iter().partition(|path| self.absence(now, map, path).is_none());
        let paths = if inside.len() == 1 { "path" } else { "paths" };
        let outside = match outside.len() {
            0 => String::new(),
            count => format!(", and {count} not in its table"),
        };
        Explanation {
            device,
            answer: if members.is_empty() { Answer::No } else { answer_of(map) },
            because: format!(
                "the map of WWID {}, with {} {paths}{outside}{}",
                map.wwid,
                inside.len(),
                self.not_there(map)
            ),
            steps: members.first().map(|path| self.steps(path)).unwrap_or_default(),
            paths: self
                .map_state(now, map)
                .into_iter()
                .chain(members.iter().map(|path| self.condition(path, now)))
                .chain(refused)
                .chain(failures(map, now))
                .collect(),
            settings: self.settings_of(members.first().copied(), Some(map)),
        }
    }

    /// Everything that was asked of a path, up to what decided.
    fn steps(&self, path: &Path) -> Vec<Step> {
        let mut steps: Vec<Step> = path.considered.iter().map(rule_step).collect();
        if path.is_spared() {
            steps.iter_mut().filter(|step| step.what == PROPERTY).for_each(|step| {
                step.result += "; it is in its map, and stays there until a `reconfigure`";
            });
        }
        let excluded = match &path.standing {
            Standing::Excluded(Exclusion::Blacklisted(_)) => return steps,
            Standing::Excluded(why) => Some(why),
            _ => None,
        };
        let mut say = |what, result: String| steps.push(Step { what, result });
        match (excluded, path.wwid()) {
            (Some(Exclusion::NoSize), _) => say("size", "0".into()),
            (Some(why @ (Exclusion::Usb | Exclusion::Native)), _) => say("transport", why.to_string()),
            (Some(why @ Exclusion::NoWwid(_)), _) => {
                say("WWID", format!("{why}; asked for: {}", source(path)));
            }
            (Some(why), _) => say("state", why.to_string()),
            (None, Some(wwid)) => {
                say("WWID", format!("{wwid}, from {}", source(path)));
                say("find_multipaths", self.find_multipaths(path, wwid));
            }
            (None, None) => {}
        }
        steps
    }

    /// What `find_multipaths` makes of a path, and where it is set.
    fn find_multipaths(&self, path: &Path, wwid: &Wwid) -> String {
        let value = self.config.globals().find_multipaths.as_str();
        let why = match self.wanted(path.id, wwid) {
            Wanted::Every => "every disk is taken that is not excluded".into(),
            Wanted::Known => "its WWID is in /etc/multipath/wwids".into(),
            Wanted::HasMap => "there is a map of its WWID".into(),
            Wanted::Second(other) => {
                let name = self.paths.get(&other).map_or("another disk", |path| path.name.as_str());
                format!("{name} shows the same WWID")
            }
            Wanted::NotKnown => "its WWID is not in /etc/multipath/wwids, and there is no map of it".into(),
            Wanted::Alone => {
                let why =
                    self.no_second(path.id, wwid).unwrap_or_else(|| "no other disk shows its WWID".into());
                format!("{why}; the WWID is not in /etc/multipath/wwids, and there is no map of it")
            }
        };
        let traced = self.config.trace(Key::FindMultipaths, &path.config_id());
        let from = traced.first().map_or("default", |traced| traced.from.as_str());
        format!("{why} (find_multipaths {value}: {from})")
    }

    /// Every setting in force for a device, its map's included.
    pub(super) fn settings_of(&self, path: Option<&Path>, map: Option<&Map>) -> Vec<Setting> {
        let facts = path.and_then(|path| path.facts.as_ref()).or_else(|| map?.last_member.as_ref());
        let Some(facts) = facts else { return Vec::new() };
        let wwid = path.and_then(Path::wwid).or_else(|| map.map(|map| &map.wwid));
        let who = resolve::PathId {
            device: crate::core::path::device_id(facts),
            devnode: Some(facts.name.as_str()),
            wwid,
        };
        let mut settings: Vec<Setting> =
            provenance::keys().map(|key| setting(key, self.config.trace(key, &who))).collect();
        if let Some((path, configured)) = path.and_then(|path| Some((path, path.settings.as_ref()?))) {
            let (checker, prio) = (path.health.checker, path.health.prioritizer);
            let how = |same, keyword| {
                if same {
                    "what stands in for it until it is here".to_string()
                } else {
                    format!("detected: what the device takes part in ({keyword})")
                }
            };
            let checker_how = how(checker == configured.checker, "detect_checker");
            in_use("path_checker", checker.as_str(), checker_how, &mut settings);
            let prio_how = how(prio == configured.prio, "detect_prio");
            in_use("prio", prio.as_str(), prio_how, &mut settings);
        }
        if let Some(map) = map {
            let members: Vec<&Path> = map.members.iter().filter_map(|id| self.paths.get(id)).collect();
            let policy = desired::policy(map, &members);
            let how = "detected: the priorities are those of ALUA (detect_pgpolicy)";
            in_use("path_grouping_policy", policy.as_str(), how.into(), &mut settings);
            if let Some(desired) = desired::desired(map, &members) {
                let attached = "detected: what the kernel has attached, or the device takes part in";
                in_use("hardware_handler", &desired.table.handler_text(), attached.into(), &mut settings);
            }
            let timeouts = self.config.timeouts(&who, map.settings.no_path_retry);
            times_in_use(who.device.protocol, &timeouts, &mut settings);
            tests_in_use(&map.settings.flaky, &mut settings);
            if map.queue.disabled {
                in_use("no_path_retry", "fail", map_state::DISABLED.into(), &mut settings);
            }
            settings.push(self.name_of(map, &settings));
        }
        settings
    }

    /// How a path of a map fares, and what keeps it from being used.
    fn condition(&self, path: &Path, now: Instant) -> Step {
        let health = &path.health;
        let mut result = format!("{} {}: {}", path.name, path.devt(), health.state);
        if !health.state.is_usable() && !health.message.is_empty() {
            result = format!("{result}, {}", health.message);
        }
        if health.waits_for_transport() && health.state != CheckState::Pending {
            result += "; its transport has blocked it: its check waits, and it counts as it did until the transport is back or gives \
                       up (fast_io_fail_tmo, dev_loss_tmo)";
        }
        if health.held_down {
            result += "; `fail path` holds until `reinstate path`";
        }
        for trouble in path.steadiness.troubles(now) {
            result = format!("{result}; {trouble}");
        }
        if let Some(why) = path.map().and_then(|map| self.absence(now, self.maps.get(&map)?, path)) {
            result = format!("{result}; not in the table: {why}");
        }
        if let Some(size) = self.explain_size(now, path) {
            result = format!("{result}; {size}");
        }
        if let Some(group) = health.prio_memory.ana.as_ref().and_then(ana::Shape::group) {
            result = format!("{result} [ANA group {group}]");
        } else if let Some(group) = path.port_group() {
            result = format!("{result} [target port group {group}]");
        } else if path.has_yet_to_tell_group() {
            result = format!("{result} [target port group not known yet]");
        }
        Step { what: "path", result }
    }

    /// Why the table that the kernel has of a map is without this member; `None` where it has it, or there is no map.
    fn absence(&self, now: Instant, map: &Map, path: &Path) -> Option<String> {
        let observed = map.observed.as_ref().filter(|_| !refused::is_live(map, path))?;
        Some(match (&observed.live, path.refused) {
            (Live::Foreign(_), _) => "the map is not ours to touch".into(),
            (_, Some(Refused { errno, until })) => format!(
                "the kernel refused it ({errno}), and it is tried again in {} s",
                until.saturating_since(now).as_secs()
            ),
            _ if self.is_leaving(path) => "that of another map still has it".into(),
            _ if map.orders.suspended => "the map is suspended".into(),
            _ if map.unfinished.is_some() => "another tool is making the map".into(),
            _ if map.hold_until.is_some() && !path.health.closed => self.held_for(map),
            _ => {
                let failed = map.backoff.failures > 0;
                let or =
                    if failed { "the last operation on the map failed" } else { "the next one may have it" };
                path.left_out().unwrap_or(or).into()
            }
        })
    }

    /// Why a map is not in the kernel, or nothing of ours; nothing where it is.
    fn not_there(&self, map: &Map) -> String {
        match map.observed.as_ref().map(|observed| &observed.live) {
            Some(Live::Foreign(what)) => {
                return format!("; it has our UUID and is not ours to touch: {what}");
            }
            Some(Live::Empty) => return "; it has no table".into(),
            Some(Live::Multipath { .. }) => return String::new(),
            None => {}
        }
        let why = if map.orders.stay_away {
            "it was removed on purpose, `add map` or `reconfigure` brings it back".into()
        } else if map.backoff.failures > 0 {
            format!("making it failed {} times, it will be tried again", map.backoff.failures)
        } else if map.hold_until.is_some() {
            self.held_for(map)
        } else {
            "nobody has made it yet".into()
        };
        format!("; it is not in the kernel: {why}")
    }

    /// What a map that is to be made waits for.
    fn held_for(&self, map: &Map) -> String {
        let mut members = map.members.iter().filter_map(|id| self.paths.get(id));
        let checked = members.all(|path| path.health.state != CheckState::Unchecked);
        let nameless: Vec<&str> = self.nameless_disks(map).into_iter().map(PathName::as_str).collect();
        if checked && !nameless.is_empty() {
            format!(
                "udev has not looked yet at what says that it is of this LUN, too: {}",
                nameless.join(", ")
            )
        } else if checked && self.waiting.probes() {
            "disks are still being read".into()
        } else {
            "its paths are being checked for the first time".into()
        }
    }

    /// The map's name, where that is from, and what it is not called for want of the name.
    fn name_of(&self, map: &Map, settings: &[Setting]) -> Setting {
        let name = map.kernel_name();
        let alias = |name: &MapName| {
            settings.iter().find(|setting| setting.keyword == "alias" && setting.value == name.as_str())
        };
        let source = |name: &MapName| match alias(name) {
            Some(alias) => format!("alias, {}", alias.from),
            None if name.as_str() == map.wwid.as_str() => "the WWID".into(),
            None if self.bindings.get(&map.wwid) == Some(name) => "/etc/multipath/bindings".into(),
            None => "the kernel".into(),
        };
        let mut from = source(name);
        if *name != map.name {
            let why = match self.keeps_name_of(map) {
                Some(holder) => format!("is refused: it belongs to {holder}"),
                None => "is to come".into(),
            };
            from = format!("{from}; {} ({}) {why}", map.name, source(&map.name));
        }
        Setting { keyword: "name", value: name.to_string(), from, overrides: Vec::new() }
    }
}

/// Is it a map with paths, or one that is about to be made?
fn answer_of(map: &Map) -> Answer {
    let works = match &map.observed {
        Some(observed) => observed.table().is_some(),
        None => !map.orders.stay_away && map.backoff.failures == 0,
    };
    if works { Answer::Yes } else { Answer::No }
}

/// The WWID that blacklist rules were asked about.
fn asked_wwid(path: &Path) -> Option<&str> {
    path.considered.iter().find(|asked| asked.kind == "wwid").map(|asked| asked.about.as_str())
}

fn rule_step(asked: &Considered) -> Step {
    let about = &asked.about;
    let result = match &asked.outcome {
        Outcome::NoRule => format!("{about}: no rule"),
        Outcome::Excepted(by) => format!("{about}: let through by \"{}\" ({})", by.rule, by.origin),
        Outcome::Excluded(by) => format!("{about}: excluded by \"{}\" ({})", by.rule, by.origin),
    };
    Step { what: asked.kind, result }
}

/// What can't be done to a map at the moment. What is not tried again when its time has come is not wanted any more.
fn failures(map: &Map, now: Instant) -> impl Iterator<Item = Step> {
    [&map.backoff, &map.message_backoff].into_iter().filter_map(move |backoff| {
        let DmFailure { step, errno, holders } = backoff.last.as_ref()?;
        let by = if holders.is_empty() { String::new() } else { format!(" ({})", holders.join(", ")) };
        let times = match backoff.failures {
            1 => String::new(),
            times => format!(", {times} times in a row"),
        };
        let next = match backoff.until.filter(|until| *until > now) {
            None if map.inflight.is_none() => return None,
            None => "it is tried again now".into(),
            Some(until) => format!("it is tried again in {} s", until.saturating_since(now).as_secs()),
        };
        Some(Step { what: "failed", result: format!("{step}: {errno}{by}{times}; {next}") })
    })
}

/// Where a path's WWID comes from.
fn source(path: &Path) -> String {
    if path.udev == Udev::AwaitedInVain {
        return "the device, as udev has not looked at it".into();
    }
    match path.settings.as_ref().map(|settings| &settings.uid) {
        Some(UidSource::Udev(attribute)) if attribute.is_empty() => "the device".into(),
        Some(UidSource::Udev(attribute)) => format!("{attribute} of udev"),
        // The kernel has read no page that would name it.
        Some(UidSource::ScsiId) if path.wwid().is_some() && path.designated.is_none() => {
            "ID_SERIAL of udev".into()
        }
        Some(UidSource::ScsiId) => "the device's VPD pages, as scsi_id reads them".into(),
        None => "nothing yet".into(),
    }
}

fn setting(key: Key, traced: Vec<Traced>) -> Setting {
    let keyword = key.row().name;
    let mut traced = traced.into_iter();
    let Some(holds) = traced.next() else {
        return Setting { keyword, value: String::new(), from: "default".into(), overrides: Vec::new() };
    };
    let from =
        if holds.keyword == keyword { holds.from } else { format!("{}, {}", holds.keyword, holds.from) };
    Setting { keyword, value: holds.value, from, overrides: traced.collect() }
}

/// What is in use may be something else than what is configured, and why.
fn in_use(keyword: &'static str, value: &str, how: String, settings: &mut [Setting]) {
    let Some(setting) = settings.iter_mut().find(|setting| setting.keyword == keyword) else { return };
    if setting.value == value {
        return;
    }
    let from = core::mem::replace(&mut setting.from, how);
    let value = core::mem::replace(&mut setting.value, value.into());
    if !value.is_empty() {
        setting.overrides.insert(0, Traced { keyword, value, from });
    }
}

/// How paths that come and go are found out, where that is another way than is set.
fn tests_in_use(flaky: &Flaky, settings: &mut [Setting]) {
    if let Some(Test::Reads { sample, .. }) = flaky.test {
        let seconds = sample.as_secs().to_string();
        in_use("marginal_path_err_sample_time", &seconds, "no test with reads is shorter".into(), settings);
    }
    let is_unset = |setting: &&Setting| setting.keyword == "flap_dampening" && setting.value.is_empty();
    if flaky.dampening && settings.iter().any(|setting| is_unset(&setting)) {
        in_use("flap_dampening", "yes", "default".into(), settings);
    }
}

/// The times that a transport is told may be others than those that are set, and why.
fn times_in_use(protocol: &str, timeouts: &Timeouts, settings: &mut [Setting]) {
    if timeouts.never_fast {
        in_use("fast_io_fail_tmo", "off", "it is not less than dev_loss_tmo".into(), settings);
    }
    let told = tuning::wanted(protocol, timeouts, None);
    let lost = [Tunable::DevLoss, Tunable::NexusLoss].into_iter().find_map(|tunable| told.get(&tunable));
    let Some(lost) = lost else { return };
    let how = if timeouts.loss == Loss::Most {
        "the most that a port takes without fast_io_fail_tmo"
    } else {
        "raised by no_path_retry: the map waits that long"
    };
    let lost = if *lost == INFINITE.to_string() { "infinity" } else { lost };
    in_use("dev_loss_tmo", lost, how.into(), settings);
}
