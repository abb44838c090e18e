//! The files of names and WWIDs: what is on the disk, what is on its way there, and what somebody else has written.

use ::core::time::Duration;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::core::Core;
use crate::core::effect::{Effect, Outbox, StateFile};
use crate::core::map::MapId;
use crate::core::notice::{Level, Notice};
use crate::core::timers::Timer;
use crate::core::waiting::Awaited;
use crate::state::bindings::Bindings;
use crate::state::wwids::Wwids;
use crate::types::{Instant, Token, Wwid};

/// A state file that could not be written is tried again after so long.
const SAVE_RETRY: Duration = Duration::from_mins(1);

/// What comes within so long after a write comes with the next: a start that makes a thousand maps does not wait for the disk a
/// thousand times. A daemon that is killed then loses nothing, as the maps are there, and their WWIDs are known by them; a machine
/// that does loses those of that time.
const SAVE_PAUSE: Duration = Duration::from_secs(1);

/// What there is to know of a state file.
#[derive(Debug, Clone, Default)]
pub(super) struct OnDisk {
    /// The text that was last taken over or written: what differs from that on the disk somebody has edited.
    text: Arc<str>,
    unsaved: Option<Unsaved>,
    /// The last try to write it failed, so.
    failing: Option<String>,
    /// It was just written: until then what is not urgent waits.
    rests_until: Option<Instant>,
    /// It was read while our text was not on the disk, and not taken over.
    passed_over: bool,
    /// It was written while a load was under way: what that has read may be older.
    written_meanwhile: bool,
}

/// A text that is not on the disk yet.
#[derive(Debug, Clone)]
enum Unsaved {
    /// It is being written.
    Writing {
        text: Arc<str>,
        /// There is a newer one.
        again: bool,
    },
    /// It is to be written soon: there is a timer.
    Due,
    /// It could not be written.
    Failed,
}

impl StateFile {
    const fn name(self) -> &'static str {
        match self {
            Self::Bindings => "bindings",
            Self::Wwids => "wwids",
            Self::Queueing => "queueing",
        }
    }
}

impl Core {
    /// Is all that is to be kept on the disk?
    pub(super) fn is_saved(&self) -> bool {
        self.files.values().all(|file| file.unsaved.is_none())
    }

    /// Is something being written, or about to be?
    pub(super) fn is_saving(&self) -> bool {
        let saving = |file: &OnDisk| matches!(file.unsaved, Some(Unsaved::Writing { .. } | Unsaved::Due));
        self.files.values().any(saving)
    }

    /// The daemon ends: what has waited waits no longer.
    pub(super) fn save_due(&mut self, out: &mut Outbox) {
        let is_due = |file: &OnDisk| matches!(file.unsaved, Some(Unsaved::Due));
        let due: Vec<StateFile> =
            self.files.iter().filter(|(_, known)| is_due(known)).map(|(file, _)| *file).collect();
        for file in due {
            self.save(file, out);
        }
    }

    /// Could the file not be written, when it was last tried?
    pub(super) fn is_failing(&self, file: StateFile) -> bool {
        self.files.get(&file).is_some_and(|known| known.failing.is_some())
    }

    /// A load begins: what it reads is as new as what has been written so far.
    pub(super) fn reading_files(&mut self) {
        self.files.values_mut().for_each(|known| known.written_meanwhile = false);
    }

    /// Both files were read. What is not on the disk yet is newer than what was read from it; what somebody has edited stays in
    /// the file all the same, and is read again.
    pub(super) fn take_files(&mut self, bindings: &str, wwids: &str, out: &mut Outbox) {
        let (names, complaints) = Bindings::parse(bindings);
        for text in complaints {
            out.notify(Notice::Other { level: Level::Warning, text });
        }
        if self.takes(StateFile::Bindings, bindings) {
            self.bindings = names;
        }
        if let Some(known) = self.files.get_mut(&StateFile::Bindings).filter(|known| known.failing.is_some())
        {
            known.passed_over = true; // the names that are due come when it is written
            self.save(StateFile::Bindings, out);
        }
        if self.takes(StateFile::Wwids, wwids) {
            self.wwids = Wwids::parse(wwids);
        }
    }

    fn takes(&mut self, file: StateFile, text: &str) -> bool {
        let known = self.files.entry(file).or_default();
        let written_meanwhile = core::mem::take(&mut known.written_meanwhile);
        if known.unsaved.is_some() {
            known.passed_over = *text != *known.text;
            return false;
        }
        if *text == *known.text {
            return true;
        }
        if written_meanwhile {
            self.reconfigure_again = true;
            return false;
        }
        known.text = text.into();
        true
    }

    /// Writes a state file; one that is being written is written again afterwards, so that no older
    /// text comes out on top.
    pub(super) fn save(&mut self, file: StateFile, out: &mut Outbox) {
        self.timers.cancel(Timer::Save(file));
        let known = self.files.entry(file).or_default();
        if let Some(Unsaved::Writing { again, .. }) = &mut known.unsaved {
            *again = true;
            return;
        }
        let text: Arc<str> = match file {
            StateFile::Bindings => self.bindings.to_text().into(),
            StateFile::Wwids => self.wwids.to_text().into(),
            StateFile::Queueing => self.switched.to_text().into(),
        };
        known.unsaved = Some(Unsaved::Writing { text: text.clone(), again: false });
        let was = known.text.clone();
        let token = self.waiting.token(Awaited::Save(file));
        out.push(Effect::Save { token, file, text, was });
    }

    /// A state file was written, or not.
    pub(super) fn saved(&mut self, now: Instant, token: Token, result: Result<(), String>, out: &mut Outbox) {
        let file = match self.waiting.take(token) {
            Some(Awaited::Save(file)) => file,
            Some(Awaited::Mark(id)) => return self.marked(id, result, out),
            _ => return,
        };
        let known = self.files.entry(file).or_default();
        let Some(Unsaved::Writing { text, again }) = known.unsaved.take() else { return };
        if let Err(error) = result {
            known.unsaved = Some(Unsaved::Failed);
            let news = known.failing.as_ref() != Some(&error);
            known.failing = Some(error.clone());
            let there = known.text.clone();
            if file == StateFile::Bindings
                && !self.take_names_back(&there)
                && let Some(known) = self.files.get_mut(&file)
            {
                known.unsaved = None;
            }
            self.answer_saved(file, Err(&error), out);
            if news {
                out.notify(Notice::SaveFailed { file: file.name(), error });
            }
            self.timers.set(Timer::Save(file), now + SAVE_RETRY);
            return;
        }
        let failed = known.failing.take().is_some();
        known.text = text;
        known.written_meanwhile = self.loading;
        known.rests_until = Some(now + SAVE_PAUSE);
        if failed {
            let text = format!("{}: written again", file.name());
            out.notify(Notice::Other { level: Level::Notice, text });
        }
        if failed && file == StateFile::Bindings {
            self.name_unbound(out);
        }
        if again {
            self.save(file, out);
            return;
        }
        let passed_over =
            self.files.get_mut(&file).is_some_and(|known| core::mem::take(&mut known.passed_over));
        self.answer_saved(file, Ok(()), out);
        if passed_over {
            let _ = self.reconfigure(out);
        }
    }

    /// A map is there: its WWID belongs into the wwids file, once.
    pub(super) fn remember_map(&mut self, now: Instant, id: MapId, out: &mut Outbox) {
        let Some(map) = self.maps.get_mut(&id) else { return };
        if !core::mem::replace(&mut map.remembered, true) {
            let wwid = map.wwid.clone();
            self.remember_wwid(now, &wwid, out);
        }
    }

    /// Adds a WWID to the wwids file, where it is not in it.
    fn remember_wwid(&mut self, now: Instant, wwid: &Wwid, out: &mut Outbox) {
        let file = StateFile::Wwids;
        if !self.wwids.insert(wwid.clone()) {
            return;
        }
        let known = self.files.entry(file).or_default();
        // Who ends when all is done does not wait for more.
        let waits = self.resident && known.unsaved.is_none();
        match known.rests_until.filter(|until| waits && *until > now) {
            Some(until) => {
                known.unsaved = Some(Unsaved::Due);
                self.timers.set(Timer::Save(file), until);
            }
            None if matches!(known.unsaved, Some(Unsaved::Due)) => {}
            None => self.save(file, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::CoreInit;
    use crate::core::event::{Event, Signal};
    use alloc::string::ToString;

    fn orders(out: &mut Outbox) -> Vec<(Token, Arc<str>, Arc<str>)> {
        let saves = out.drain().map(|effect| match effect {
            Effect::Save { token, text, was, .. } => Some((token, text, was)),
            _ => None,
        });
        saves.flatten().collect()
    }

    #[test]
    fn what_somebody_writes_while_ours_is_on_its_way_is_kept_and_read() {
        let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: true }), Outbox::new());
        let now = Instant::from_micros(0);
        core.take_files("", "/1/\n", &mut out);
        core.remember_wwid(now, &Wwid::new("2"), &mut out);
        let [(token, first, was)] = orders(&mut out).try_into().expect("one");
        assert_eq!((&*was, core.is_saved()), ("/1/\n", false));
        core.take_files("", "/1/\n/his/\n", &mut out); // read by a reconfigure before ours was on the disk
        assert!(!core.wwids.contains(&Wwid::new("his")) && core.wwids.contains(&Wwid::new("2")));
        core.saved(now, token, Ok(()), &mut out);
        assert!(core.is_saved() && core.reconfigure_again, "it is read again");
        core.load(&mut out);
        core.take_files("", "/1/\n/his/\n/2/\n", &mut out);
        assert!(core.wwids.contains(&Wwid::new("his")));
        core.reconfigure_again = false;
        let now = now + SAVE_PAUSE;
        core.remember_wwid(now, &Wwid::new("3"), &mut out);
        let [(token, _, was)] = orders(&mut out).try_into().expect("one");
        assert_eq!(&*was, "/1/\n/his/\n/2/\n");
        assert_ne!(was, first);
        core.saved(now, token, Err("full".into()), &mut out);
        assert!(!core.is_saved());
        core.save(StateFile::Wwids, &mut out);
        let [(token, text, was)] = orders(&mut out).try_into().expect("one");
        assert_eq!(&*was, "/1/\n/his/\n/2/\n", "nothing was written");
        core.saved(now, token, Ok(()), &mut out);
        core.remember_wwid(now + SAVE_PAUSE, &Wwid::new("4"), &mut out);
        assert_eq!(orders(&mut out)[0].2, text);
        assert!(!core.reconfigure_again);
    }

    #[test]
    fn what_was_read_before_ours_was_written_and_comes_after_is_read_again() {
        let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: true }), Outbox::new());
        let now = Instant::from_micros(0);
        core.take_files("", "/1/\n", &mut out);
        core.load(&mut out);
        core.remember_wwid(now, &Wwid::new("2"), &mut out);
        let [(token, text, _)] = orders(&mut out).try_into().expect("one");
        core.saved(now, token, Ok(()), &mut out);
        core.take_files("", "/1/\n", &mut out);
        assert!(core.wwids.contains(&Wwid::new("2")) && core.reconfigure_again);
        core.reconfigure_again = false;
        core.load(&mut out);
        core.take_files("", "/1/\n/2/\n/his/\n", &mut out);
        assert!(core.wwids.contains(&Wwid::new("his")) && !core.reconfigure_again, "{text}");
    }

    #[test]
    fn what_can_not_be_written_is_not_waited_for() {
        let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: false }), Outbox::new());
        let now = Instant::from_micros(0);
        core.phase = crate::core::Phase::Running;
        core.take_files("", "", &mut out);
        core.remember_wwid(now, &Wwid::new("1"), &mut out);
        assert!(!core.is_at_rest());
        let [(token, ..)] = orders(&mut out).try_into().expect("one");
        core.saved(now, token, Err("read-only".into()), &mut out);
        assert!(core.is_at_rest() && !core.is_saved());
    }

    #[test]
    fn many_wwids_are_written_at_once() {
        let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: true }), Outbox::new());
        let now = Instant::from_micros(0);
        core.take_files("", "", &mut out);
        core.remember_wwid(now, &Wwid::new("1"), &mut out);
        let [(token, ..)] = orders(&mut out).try_into().expect("the first at once");
        core.saved(now, token, Ok(()), &mut out);
        for wwid in ["2", "3", "4"] {
            core.remember_wwid(now, &Wwid::new(wwid), &mut out);
        }
        assert!(orders(&mut out).is_empty() && !core.is_saved() && core.is_saving());
        core.take_files("", "", &mut out);
        assert!(core.wwids.contains(&Wwid::new("2")), "what is not on the disk yet is newer");
        assert_eq!(core.next_deadline(), Some(now + SAVE_PAUSE));
        core.handle(now + SAVE_PAUSE, Event::Tick, &mut out);
        let [(token, text, _)] = orders(&mut out).try_into().expect("the others in one");
        assert!(text.ends_with("/2/\n/3/\n/4/\n"), "{text}");
        core.saved(now + SAVE_PAUSE, token, Ok(()), &mut out);
        assert!(core.is_saved() && !core.is_saving());
    }

    #[test]
    fn a_daemon_that_ends_writes_what_has_waited() {
        let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: true }), Outbox::new());
        let now = Instant::from_micros(0);
        core.take_files("", "", &mut out);
        core.remember_wwid(now, &Wwid::new("1"), &mut out);
        let [(token, ..)] = orders(&mut out).try_into().expect("one");
        core.saved(now, token, Ok(()), &mut out);
        core.remember_wwid(now, &Wwid::new("2"), &mut out);
        core.handle(now, Event::Signal(Signal::Terminate), &mut out);
        let effects: Vec<Effect> = out.drain().collect();
        assert!(!effects.contains(&Effect::Exit), "not before it is written");
        let token = effects.iter().find_map(|effect| match effect {
            Effect::Save { token, text, .. } if text.ends_with("/2/\n") => Some(*token),
            _ => None,
        });
        core.handle(now, Event::Saved { token: token.expect("at once"), result: Ok(()) }, &mut out);
        assert!(out.drain().any(|effect| effect == Effect::Exit));
    }

    #[test]
    fn what_can_not_be_written_is_said_once_and_when_it_is_over() {
        let (mut core, mut out) = (Core::new(CoreInit { pid: 1, resident: true }), Outbox::new());
        let mut now = Instant::from_micros(0);
        core.take_files("", "", &mut out);
        core.remember_wwid(now, &Wwid::new("1"), &mut out);
        let mut said = Vec::new();
        for error in ["read-only", "read-only", "full", "full", ""] {
            let effects: Vec<Effect> = out.drain().collect();
            let token = effects.iter().find_map(|effect| match effect {
                Effect::Save { token, .. } => Some(*token),
                _ => None,
            });
            let result = if error.is_empty() { Ok(()) } else { Err(error.into()) };
            core.saved(now, token.expect("tried"), result, &mut out);
            let notices = out.drain().filter_map(|effect| match effect {
                Effect::Notify(notice) => Some(notice.to_string()),
                _ => None,
            });
            said.extend(notices);
            now = now + SAVE_RETRY;
            core.handle(now, Event::Tick, &mut out);
        }
        assert_eq!(
            said,
            ["wwids: not written: read-only", "wwids: not written: full", "wwids: written again"]
        );
    }
}
