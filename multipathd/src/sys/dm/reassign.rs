//! Devices that stand on a path directly get their table again, with the map in the path's place.

use libmp::core::event::DmFailure;
use libmp::dm::mangle::unmangled;
use libmp::types::{DevT, Errno};
use tracing::{info, warn};

use super::abi::{
    Answer, Command, INACTIVE_PRESENT, NOFLUSH, Question, READONLY, SKIP_LOCKFS, STATUS_TABLE, SUSPEND,
    Target, decode_targets, encode_target,
};
use super::ops::{Mapper, Wait};
use super::read::{by_kernel_name, by_uuid};
use super::{ROOM, holders};

/// Targets that are what their table says and nothing more. Others have a state of their own on the disk, or in the kernel,
/// which a second table over the same blocks could harm while the first one is at work.
const PLAIN: [&str; 4] = ["linear", "striped", "crypt", "delay"];

impl Mapper {
    /// Moves all that can be moved; fails with the first that could not be.
    pub(super) fn reassign(&self, uuid: &str, paths: &[DevT]) -> Result<(), DmFailure> {
        let map = self.step("look up", Command::Status, &by_uuid(uuid))?;
        let mut names: Vec<String> = paths.iter().flat_map(|path| holders::mapped_on(*path)).collect();
        names.sort();
        names.dedup();
        let moved: Vec<_> = names.iter().map(|name| self.reassign_one(name, paths, &map)).collect();
        moved.into_iter().collect()
    }

    fn reassign_one(&self, name: &str, paths: &[DevT], map: &Answer) -> Result<(), DmFailure> {
        let shown = unmangled(name);
        let failed = |what: &str, errno| DmFailure::new(&format!("moving {shown} over: {what}"), errno);
        let question = Question { flags: STATUS_TABLE | NOFLUSH, room: ROOM, ..by_kernel_name(name) };
        let device = match self.call(Command::TableStatus, &question) {
            Err(Errno::ENXIO) => return Ok(()), // it has gone meanwhile
            other => other.map_err(|errno| failed("its table", errno))?,
        };
        let targets = decode_targets(&device.payload, device.target_count);
        if targets.iter().any(|target| target.kind == "multipath") {
            return Ok(());
        }
        if device.has(SUSPEND) || device.has(INACTIVE_PRESENT) {
            return Err(failed("somebody else is changing it", Errno(libc::EAGAIN)));
        }
        if let Some(other) = targets.iter().find(|target| !PLAIN.contains(&target.kind.as_str())) {
            let what = format!("a table of type {} is left alone", other.kind);
            return Err(failed(&what, Errno(libc::EOPNOTSUPP)));
        }
        let Some(payload) = moved(&targets, paths, map.devt) else { return Ok(()) };
        let flags = if device.has(READONLY) { READONLY } else { 0 };
        let load =
            Question { flags, target_count: device.target_count, payload: &payload, ..by_kernel_name(name) };
        self.call(Command::Load, &load).map_err(|errno| failed("load", errno))?;
        let swap = Question { flags: NOFLUSH | SKIP_LOCKFS, ..by_kernel_name(name) };
        let swapped = self.announced("resume", Command::Suspend, &swap, 0, Wait::No);
        if let Err(why) = swapped {
            let _ = self.call(Command::Clear, &by_kernel_name(name));
            if let Err(why) = self.announced("resume", Command::Suspend, &by_kernel_name(name), 0, Wait::No) {
                warn!("{shown}: it could not be resumed: {}", why.errno);
            }
            return Err(failed("resume", why.errno));
        }
        info!("{shown}: it stands on {} now, no longer on a path of it", map.name);
        Ok(())
    }
}

/// The targets with the map in the place of its paths; `None` where none of them has any.
fn moved(targets: &[Target], paths: &[DevT], map: DevT) -> Option<Vec<u8>> {
    let map = map.to_string();
    let mut any = false;
    let mut payload = Vec::new();
    for target in targets {
        let words: Vec<&str> = target
            .text
            .split(' ')
            .map(|word| {
                let is_path = word.parse().is_ok_and(|devt: DevT| paths.contains(&devt));
                any |= is_path;
                if is_path { map.as_str() } else { word }
            })
            .collect();
        payload.extend(encode_target(target.start, target.sectors, &target.kind, &words.join(" ")));
    }
    any.then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_word_of_its_own() {
        let target = |start, kind: &str, text: &str| Target {
            start,
            sectors: 8,
            kind: kind.into(),
            text: text.into(),
        };
        let targets = [
            target(0, "linear", "8:1 2048"),
            target(8, "striped", "2 16 8:16 0 8:160 8 "),
            target(16, "crypt", "aes-xts-plain64 :64:logon:8:16 0 8:16 32768"),
        ];
        let paths = [DevT::new(8, 16), DevT::new(8, 0)];
        let payload = moved(&targets, &paths, DevT::new(253, 7)).expect("one of them is there");
        assert_eq!(payload.len() % 8, 0);
        let texts = ["8:1 2048", "2 16 253:7 0 8:160 8 ", "aes-xts-plain64 :64:logon:8:16 0 253:7 32768"];
        let expected: Vec<u8> = targets
            .iter()
            .zip(texts)
            .flat_map(|(target, text)| encode_target(target.start, target.sectors, &target.kind, text))
            .collect();
        assert_eq!(payload, expected);
        assert_eq!(moved(&targets[..1], &paths, DevT::new(253, 7)), None);
    }
}
