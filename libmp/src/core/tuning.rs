//! What the layers below a path are told: timers of its transport, limits of its disk.
//!
//! One attribute at a time: from what is wanted and what there is follows the next write, its answer
//! changes what there is, and so on until nothing differs. The order that the kernel needs comes out
//! of that, and a value that is right already is not touched.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

use crate::config::timeouts::{INFINITE, Limit, Loss, Retries, Timeouts, Wish};
use crate::core::Core;
use crate::core::effect::{Effect, Outbox};
use crate::core::map::{MapId, Observed};
use crate::core::notice::{Level, Notice};
use crate::core::path::PathId;
use crate::core::waiting::Awaited;
use crate::identify::Facts;
use crate::identify::tunables::{Tunable, Values};
use crate::types::{Errno, Instant, Token};

/// What is being done about the layers below a path.
#[derive(Debug, Clone, Default)]
pub struct Tuning {
    /// What is wanted.
    pub wanted: Values,
    /// What there is, as far as it could be read.
    pub found: Values,
    /// What was refused, and why: it is left alone.
    pub refused: BTreeMap<Tunable, Errno>,
    /// The write under way.
    pub inflight: Option<(Token, Tunable, String)>,
    /// What was written while a probe was under way, which may have read what was before.
    written: Values,
}

impl Tuning {
    /// A probe begins: what is written from now on it may have read too early.
    pub fn probe_begins(&mut self) {
        self.written.clear();
    }

    /// What a probe has read, put right by what was written meanwhile.
    pub fn put_right(&self, facts: &mut Facts) {
        for (tunable, value) in &self.written {
            note(facts, *tunable, value);
        }
    }

    /// Is a write under way, or was one refused that a port takes as soon as it is back?
    pub fn is_unfinished(&self) -> bool {
        self.inflight.is_some() || self.refused.values().any(|errno| *errno == Errno::EBUSY)
    }

    /// The next write; `None`: all is as wanted, or can't be.
    pub fn next(&self) -> Option<(Tunable, String)> {
        let differs = |tunable: &Tunable| {
            let there = self.found.get(tunable).filter(|_| !self.refused.contains_key(tunable));
            there.is_some_and(|there| self.wanted.get(tunable).is_some_and(|wanted| wanted != there))
        };
        let tunable = self.wanted.keys().copied().find(differs)?;
        let value = self.wanted.get(&tunable)?.clone();
        let seconds = |text: &String| text.parse::<u32>().ok();
        if let (Tunable::FastIoFail, Some(fast @ 1..)) = (tunable, seconds(&value))
            && let Some(lost) = self.found.get(&Tunable::DevLoss).and_then(seconds)
            && fast >= lost
        {
            // The kernel takes it only when it is below the other.
            let raised = (Tunable::DevLoss, fast.saturating_add(1).to_string());
            return if self.refused.contains_key(&Tunable::DevLoss) { None } else { Some(raised) };
        }
        Some((tunable, value))
    }
}

/// This was written.
fn note(facts: &mut Facts, tunable: Tunable, value: &str) {
    if tunable == Tunable::MaxSectorsKb {
        facts.max_sectors_kb = value.parse().ok();
    }
    facts.tunables.insert(tunable, value.into());
}

/// What a path's transport and disk are to be told.
pub fn wanted(protocol: &str, timeouts: &Timeouts, max_sectors_kb: Option<u64>) -> Values {
    let mut wanted = Values::new();
    let mut set = |tunable, value: Option<String>| {
        wanted.extend(value.map(|value| (tunable, value)));
    };
    let words = |limit: Limit| match limit {
        Limit::Off => "off".to_string(),
        Limit::After(seconds) => seconds.to_string(),
    };
    set(Tunable::MaxSectorsKb, max_sectors_kb.filter(|kb| *kb > 0).map(|kb| kb.to_string()));
    set(Tunable::EhDeadline, timeouts.eh_deadline.map(words));
    set(
        Tunable::MaxRetries,
        timeouts.max_retries.map(|retries| match retries {
            Retries::Default => "-1".into(),
            Retries::Times(times) => times.to_string(),
        }),
    );
    let dev_loss = timeouts.dev_loss_s.filter(|seconds| *seconds > 0);
    match protocol {
        "scsi:fcp" => {
            set(Tunable::FastIoFail, timeouts.fast_io_fail.map(words));
            set(Tunable::DevLoss, dev_loss.map(|seconds| seconds.to_string()));
        }
        // It has no "off", and with 0 a session never fails its I/O.
        "scsi:iscsi" => set(
            Tunable::Recovery,
            timeouts.fast_io_fail.filter(|fast| matches!(fast, Limit::After(1..))).map(words),
        ),
        "scsi:sas" => set(Tunable::NexusLoss, dev_loss.map(|seconds| seconds.to_string())),
        _ => {}
    }
    wanted
}

/// That a port is told another `dev_loss_tmo` than what is set, and why.
fn another_loss(timeouts: &Timeouts) -> Option<String> {
    let lost = match timeouts.dev_loss_s? {
        INFINITE => "infinity".to_string(),
        seconds => seconds.to_string(),
    };
    match timeouts.loss {
        Loss::AsSet => None,
        Loss::Raised => Some(format!("is raised to {lost}: with no_path_retry the map waits that long")),
        Loss::Most => Some(format!("is {lost}: a port takes no more without fast_io_fail_tmo")),
    }
}

impl Core {
    /// The configuration holds anew: so do the settings of the layers below a map's paths.
    pub(super) fn tune_map(&mut self, id: MapId, out: &mut Outbox) {
        let members = self.maps.get(&id).map(|map| map.members.clone()).unwrap_or_default();
        for path in members {
            self.tune(path, out);
        }
    }

    /// A path came into its map, or the configuration is another: what differs below it is written.
    pub(super) fn tune(&mut self, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get(&id) else { return };
        let Some(map) = path.map().and_then(|map| self.maps.get(&map)) else { return };
        let mut who = path.config_id();
        who.wwid = Some(&map.wwid);
        let timeouts = self.config.timeouts(&who, map.settings.no_path_retry);
        // I/O that a live table has let in must not become too large.
        let live = map.observed.as_ref().and_then(|o: &Observed| o.path_active(path.devt())).is_some();
        let max_sectors_kb = map.settings.max_sectors_kb.filter(|_| !live);
        let protocol = path.device_id().protocol;
        let wanted = wanted(protocol, &timeouts, max_sectors_kb);
        let said = [
            timeouts.unsupported.map(|wish| {
                let level = if wish == Wish::OfFile { Level::Notice } else { Level::Info };
                let text = format!(
                    "{}: fast_io_fail_tmo and dev_loss_tmo: a transport like {protocol} has no such times",
                    path.name
                );
                (format!("{protocol} has no times"), level, text)
            }),
            another_loss(&timeouts).map(|how| {
                let text = format!("{}: dev_loss_tmo {how}", map.kernel_name());
                (text.clone(), Level::Notice, text)
            }),
            timeouts.never_fast.then_some(timeouts.dev_loss_s).flatten().map(|lost| {
                let text = format!(
                    "{}: fast_io_fail_tmo is switched off: it is not less than dev_loss_tmo, {lost}",
                    map.kernel_name()
                );
                (format!("{} never fast {lost}", map.kernel_name()), Level::Notice, text)
            }),
        ];
        for (what, level, text) in said.into_iter().flatten() {
            self.say_once(what, level, text, out);
        }
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Some(facts) = &path.facts else { return };
        path.tuning.wanted = wanted;
        path.tuning.found.clone_from(&facts.tunables);
        path.tuning.refused.clear();
        self.tune_on(id, out);
    }

    /// A path is good: what its port would not take while it was lost is written now.
    pub(super) fn tune_again(&mut self, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id).filter(|path| path.tuning.is_unfinished()) else { return };
        path.tuning.refused.retain(|_, errno| *errno != Errno::EBUSY);
        self.tune_on(id, out);
    }

    fn tune_on(&mut self, id: PathId, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id).filter(|p| p.tuning.inflight.is_none()) else { return };
        let Some((tunable, value)) = path.tuning.next() else { return };
        let token = self.waiting.token(Awaited::Tuning(id));
        path.tuning.inflight = Some((token, tunable, value.clone()));
        out.push(Effect::SysfsWrite {
            token,
            name: path.name.clone(),
            devt: path.devt(),
            attribute: tunable.attribute(),
            value,
        });
    }

    /// A write was answered: on to the next.
    pub(super) fn tuned(&mut self, now: Instant, id: PathId, result: Result<(), Errno>, out: &mut Outbox) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Some((_, tunable, value)) = path.tuning.inflight.take() else { return };
        match result {
            Ok(()) => {
                if let Some(facts) = path.facts.as_mut().map(Arc::make_mut) {
                    note(facts, tunable, &value);
                }
                if path.probe.is_some() {
                    path.tuning.written.insert(tunable, value.clone());
                }
                path.tuning.found.insert(tunable, value);
            }
            Err(errno) => {
                path.tuning.refused.insert(tunable, errno);
                let text = format!("{}: {tunable} can't be set to {value}: {errno}", path.name);
                // Many drivers know no deadline, no SAS transport lets its time be set, and a port that
                // is lost just now is set when it comes back.
                let often = matches!(tunable, Tunable::EhDeadline | Tunable::NexusLoss);
                let level = if often || errno == Errno::EBUSY { Level::Info } else { Level::Warning };
                self.say_once(format!("{tunable} {errno}"), level, text, out);
            }
        }
        self.tune_on(id, out);
        if let Some(map) = self.paths.get(&id).and_then(crate::core::path::Path::map) {
            self.end_hold_if_checked(now, map, out);
        }
    }

    /// Says what holds for many paths alike for the first of them only.
    fn say_once(&mut self, what: String, level: Level, text: String, out: &mut Outbox) {
        if self.said.insert(what) {
            out.notify(Notice::Other { level, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::identify::RawProbe;

    /// Plays the writes against a kernel: `Err` of the closure is a refusal.
    fn play(wanted: Values, found: Values, kernel: impl Fn(&Values, Tunable, &str) -> bool) -> Vec<String> {
        let mut tuning = Tuning { wanted, found, ..Tuning::default() };
        let mut trace = Vec::new();
        while let Some((tunable, value)) = tuning.next() {
            assert!(trace.len() < 9, "without end: {trace:?}");
            let taken = kernel(&tuning.found, tunable, &value);
            let name = tunable.attribute().rsplit('/').next().unwrap_or_default();
            trace.push(format!("{name} {value}{}", if taken { "" } else { " refused" }));
            if taken {
                tuning.found.insert(tunable, value);
            } else {
                tuning.refused.insert(tunable, Errno::EINVAL);
            }
        }
        trace
    }

    /// A remote port, by the rules of `scsi_transport_fc`.
    fn port(found: &Values, tunable: Tunable, value: &str) -> bool {
        let now = |tunable| found.get(&tunable).and_then(|text: &String| text.parse::<u32>().ok());
        match (tunable, value.parse::<u32>()) {
            (Tunable::FastIoFail, Ok(fast)) => {
                now(Tunable::DevLoss).is_some_and(|lost| fast < lost) && fast <= 600
            }
            (Tunable::DevLoss, Ok(lost)) => lost > 0 && (now(Tunable::FastIoFail).is_some() || lost <= 600),
            _ => true,
        }
    }

    fn ports(fast: &str, lost: &str) -> Values {
        [(Tunable::FastIoFail, fast.into()), (Tunable::DevLoss, lost.into())].into()
    }

    fn timeouts(fast: Option<Limit>, lost: Option<u32>) -> Timeouts {
        Timeouts { fast_io_fail: fast, dev_loss_s: lost, ..Timeouts::default() }
    }

    #[test]
    fn a_port_is_told_in_the_order_that_the_kernel_takes() {
        use Limit::{After, Off};
        for (fast, lost, there, expected) in [
            (Some(After(5)), None, ("5", "30"), &[][..]),
            (Some(After(5)), None, ("off", "30"), &["fast_io_fail_tmo 5"]),
            (
                Some(After(5)),
                Some(u32::MAX),
                ("off", "60"),
                &["fast_io_fail_tmo 5", "dev_loss_tmo 4294967295"],
            ),
            (
                Some(After(40)),
                Some(50),
                ("5", "30"),
                &["dev_loss_tmo 41", "fast_io_fail_tmo 40", "dev_loss_tmo 50"],
            ),
            (Some(After(30)), None, ("5", "30"), &["dev_loss_tmo 31", "fast_io_fail_tmo 30"]),
            (Some(Off), Some(30), ("5", "4294967295"), &["fast_io_fail_tmo off", "dev_loss_tmo 30"]),
            (Some(Off), Some(600), ("5", "30"), &["fast_io_fail_tmo off", "dev_loss_tmo 600"]),
            (Some(After(0)), Some(0), ("5", "30"), &["fast_io_fail_tmo 0"]),
            (Some(After(5)), None, ("", ""), &["fast_io_fail_tmo 5 refused"]),
        ] {
            let wanted = wanted("scsi:fcp", &timeouts(fast, lost), None);
            assert_eq!(play(wanted, ports(there.0, there.1), port), expected, "{fast:?} {lost:?} {there:?}");
        }
        let wanted = wanted("scsi:fcp", &timeouts(Some(After(40)), Some(50)), None);
        let refused = play(wanted.clone(), ports("5", "30"), |_, _, _| false);
        assert_eq!(refused, ["dev_loss_tmo 41 refused"], "and the other is not tried, as it can't be taken");
        assert!(play(wanted, Values::new(), port).is_empty(), "what can't be read is not there");
    }

    #[test]
    fn what_was_written_during_a_probe_is_not_undone_by_it() {
        let mut tuning = Tuning::default();
        let read = RawProbe::default();
        let mut facts = crate::identify::identify(&"sda".into(), &read);
        facts.tunables = ports("5", "30");
        tuning.written = ports("off", "600");
        tuning.put_right(&mut facts);
        assert_eq!(facts.tunables, ports("off", "600"));
        tuning.written.insert(Tunable::MaxSectorsKb, "512".into());
        tuning.put_right(&mut facts);
        assert_eq!(facts.max_sectors_kb, Some(512));
        facts.tunables = ports("5", "30");
        tuning.probe_begins();
        tuning.put_right(&mut facts);
        assert_eq!(facts.tunables, ports("5", "30"), "the next one reads what is there");
    }

    /// Until then no check of its path may be one of those whose answers nobody looks at (`Core::calm_down`).
    #[test]
    fn what_is_under_way_or_put_off_is_not_finished() {
        let refused = |errno| Tuning { refused: [(Tunable::DevLoss, errno)].into(), ..Tuning::default() };
        let inflight = Some((Token(1), Tunable::DevLoss, "8".into()));
        assert!(Tuning { inflight, ..Tuning::default() }.is_unfinished());
        assert!(refused(Errno::EBUSY).is_unfinished());
        assert!(!refused(Errno::EINVAL).is_unfinished());
        assert!(!Tuning::default().is_unfinished());
    }

    #[test]
    fn each_transport_has_its_own() {
        let (fast, lost) = (Some(Limit::After(5)), Some(70));
        let all = |protocol, timeouts: &Timeouts| {
            let wanted = wanted(protocol, timeouts, None);
            wanted.iter().map(|(t, v)| format!("{t} {v}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(all("scsi:iscsi", &timeouts(fast, lost)), "iscsi_session/recovery_tmo 5");
        assert_eq!(all("scsi:iscsi", &timeouts(Some(Limit::Off), lost)), "");
        assert_eq!(all("scsi:iscsi", &timeouts(Some(Limit::After(0)), lost)), "");
        assert_eq!(all("scsi:sas", &timeouts(fast, lost)), "sas_end_device/I_T_nexus_loss_timeout 70");
        assert_eq!(all("scsi:sas", &timeouts(fast, Some(0))), "");
        assert_eq!(all("scsi:unspec", &timeouts(fast, lost)), "");
        let disk = Timeouts {
            eh_deadline: Some(Limit::After(0)),
            max_retries: Some(Retries::Default),
            ..Timeouts::default()
        };
        assert_eq!(all("scsi:unspec", &disk), "scsi_host/eh_deadline 0, scsi_disk/max_retries -1");
    }
}
