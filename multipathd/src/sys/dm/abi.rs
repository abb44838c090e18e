//! The binary interface of `/dev/mapper/control` (linux/dm-ioctl.h), as bytes at offsets.
//!
//! `struct dm_ioctl` is 312 bytes and has not moved since 2.6: written and read here field by
//! field, so that no structure of C has to be trusted. The crate `devicemapper` offers neither
//! UUIDs in lists, nor udev flags, nor a bounded wait, and its structures need bindgen to build.
//!
//! Names and UUIDs are mangled here, where they go to the kernel, and plain everywhere else.

use std::borrow::Cow;

use libmp::dm::mangle::{LONGEST_NAME, LONGEST_UUID, Refused, mangled, unmangled};
use libmp::types::{DevT, Errno};

/// Size of `struct dm_ioctl`.
pub(super) const HEADER: usize = 312;
const HEADER_U32: u32 = 312;
const NAME_AT: usize = 48;
const NAME_LEN: usize = 128;
const UUID_AT: usize = 176;
const UUID_LEN: usize = 129;

/// The device is, or is to be, read-only.
pub(super) const READONLY: u32 = 1 << 0;
/// In: suspend, not resume. Out: it is suspended.
pub(super) const SUSPEND: u32 = 1 << 1;
/// `TABLE_STATUS` gives tables, not status.
pub(super) const STATUS_TABLE: u32 = 1 << 4;
/// A table is loaded that is not live.
pub(super) const INACTIVE_PRESENT: u32 = 1 << 6;
/// The answer did not fit.
pub(super) const BUFFER_FULL: u32 = 1 << 8;
/// Don't freeze filesystems when suspending.
pub(super) const SKIP_LOCKFS: u32 = 1 << 10;
/// Don't wait for outstanding I/O when suspending.
pub(super) const NOFLUSH: u32 = 1 << 11;
/// A uevent was sent: somebody will complete the cookie.
pub(super) const UEVENT_GENERATED: u32 = 1 << 13;
/// `LIST_DEVICES` gives UUIDs.
pub(super) const UUID: u32 = 1 << 14;
/// Remove at the last close.
pub(super) const DEFERRED_REMOVE: u32 = 1 << 17;

/// Commands, by their number in linux/dm-ioctl.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Command {
    Version = 0,
    ListDevices = 2,
    Create = 3,
    Remove = 4,
    Rename = 5,
    Suspend = 6,
    Status = 7,
    Load = 9,
    Clear = 10,
    TableStatus = 12,
    Message = 14,
    ArmPoll = 16,
    TargetVersion = 17,
}

impl Command {
    /// `_IOWR(0xfd, number, struct dm_ioctl)`
    pub(super) const fn request(self) -> libc::c_ulong {
        (3 << 30) | ((HEADER as libc::c_ulong) << 16) | (0xfd << 8) | self as libc::c_ulong
    }
}

/// What goes into a call.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) name: &'a str,
    /// The name is the kernel's own: it goes there as it is.
    pub(super) is_kernel_name: bool,
    pub(super) uuid: &'a str,
    pub(super) flags: u32,
    /// udev's cookie and flags.
    pub(super) event_nr: u32,
    pub(super) target_count: u32,
    /// What follows the header.
    pub(super) payload: &'a [u8],
    /// Bytes to leave for the answer.
    pub(super) room: usize,
}

/// What comes out of a call.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) flags: u32,
    pub(super) open_count: u32,
    pub(super) event_nr: u32,
    pub(super) target_count: u32,
    pub(super) devt: DevT,
    pub(super) name: String,
    /// As the kernel has it, which its node is called after.
    pub(super) kernel_name: String,
    pub(super) uuid: String,
    pub(super) payload: Vec<u8>,
}

impl Question<'_> {
    /// The call's buffer, in words as the kernel reads 64-bit fields from it.
    pub(super) fn encode(&self, room: usize) -> Result<Vec<u64>, Errno> {
        let name = if self.is_kernel_name { self.name.into() } else { kernel_name(self.name)? };
        let uuid = mangled(self.uuid, LONGEST_UUID).map_err(errno_of)?;
        if name.len() > LONGEST_NAME || name.contains('\0') {
            return Err(Errno::EINVAL);
        }
        let size = (HEADER + self.payload.len().max(room)).next_multiple_of(8);
        let mut bytes = vec![0_u8; size];
        // Version 4.0.0: what the kernel refuses is a newer one than its own.
        put_u32(&mut bytes, 0, 4);
        put_u32(&mut bytes, 12, u32::try_from(size).map_err(|_| Errno(libc::E2BIG))?);
        put_u32(&mut bytes, 16, HEADER_U32);
        put_u32(&mut bytes, 20, self.target_count);
        put_u32(&mut bytes, 28, self.flags);
        put_u32(&mut bytes, 32, self.event_nr);
        bytes[NAME_AT..NAME_AT + name.len()].copy_from_slice(name.as_bytes());
        bytes[UUID_AT..UUID_AT + uuid.len()].copy_from_slice(uuid.as_bytes());
        bytes[HEADER..HEADER + self.payload.len()].copy_from_slice(self.payload);
        let (words, _) = bytes.as_chunks::<8>();
        Ok(words.iter().map(|word| u64::from_ne_bytes(*word)).collect())
    }
}

impl Answer {
    pub(super) fn decode(words: &[u64]) -> Self {
        // As much as the kernel says that it has written: the room for it may be far longer.
        let written = words.get(1).map_or(0, |word| get_u32(&word.to_ne_bytes(), 4) as usize);
        let words = &words[..written.max(HEADER).div_ceil(8).min(words.len())];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let start = (get_u32(&bytes, 16) as usize).clamp(HEADER, bytes.len());
        let end = (get_u32(&bytes, 12) as usize).clamp(start, bytes.len());
        let kernel_name = text(&bytes[NAME_AT..NAME_AT + NAME_LEN]);
        Self {
            flags: get_u32(&bytes, 28),
            open_count: get_u32(&bytes, 24),
            event_nr: get_u32(&bytes, 32),
            target_count: get_u32(&bytes, 20),
            devt: decode_devt(get_u64(&bytes, 40)),
            name: unmangled(&kernel_name).into(),
            kernel_name,
            uuid: unmangled(&text(&bytes[UUID_AT..UUID_AT + UUID_LEN])).into(),
            payload: bytes[start..end].to_vec(),
        }
    }

    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

/// A name for the kernel.
pub(super) fn kernel_name(name: &str) -> Result<Cow<'_, str>, Errno> {
    mangled(name, LONGEST_NAME).map_err(errno_of)
}

const fn errno_of(why: Refused) -> Errno {
    match why {
        Refused::TooLong(_) => Errno(libc::ENAMETOOLONG),
        Refused::Mixed => Errno::EINVAL,
    }
}

/// The text up to the first NUL; what isn't UTF-8 shows as U+FFFD, so that one odd name doesn't
/// hide the others.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The number at an offset; 0 beyond the end.
pub(super) fn get_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_ne_bytes(*word))
}

/// The number at an offset; 0 beyond the end.
pub(super) fn get_u64(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_ne_bytes(*word))
}

fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
}

/// `huge_encode_dev` of the kernel, backwards.
#[allow(clippy::cast_possible_truncation, reason = "the fields are 12 and 20 bits wide")]
pub(super) const fn decode_devt(dev: u64) -> DevT {
    DevT::new(((dev & 0xfff00) >> 8) as u32, ((dev & 0xff) | ((dev >> 12) & 0xfff_ff00)) as u32)
}

/// One `struct dm_target_spec` with its parameters, padded: the payload of `TABLE_LOAD`.
pub(super) fn encode_target(start: u64, sectors: u64, kind: &str, params: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(48 + params.len());
    bytes.extend_from_slice(&start.to_ne_bytes());
    bytes.extend_from_slice(&sectors.to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]);
    let next = (40 + params.len() + 1).next_multiple_of(8);
    bytes.extend_from_slice(&u32::try_from(next).unwrap_or_default().to_ne_bytes());
    let mut name = [0_u8; 16];
    let length = kind.len().min(15);
    name[..length].copy_from_slice(&kind.as_bytes()[..length]);
    bytes.extend_from_slice(&name);
    bytes.extend_from_slice(params.as_bytes());
    bytes.resize(next, 0);
    bytes
}

/// One target of a `TABLE_STATUS` answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) start: u64,
    pub(super) sectors: u64,
    pub(super) kind: String,
    pub(super) text: String,
}

/// The targets of a `TABLE_STATUS` answer. `next` counts from the first of them.
pub(super) fn decode_targets(payload: &[u8], count: u32) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let Some(spec) = payload.get(at..).filter(|spec| spec.len() >= 40) else { break };
        let next = get_u32(spec, 20) as usize;
        targets.push(Target {
            start: get_u64(spec, 0),
            sectors: get_u64(spec, 8),
            kind: text(&spec[24..40]),
            text: text(&spec[40..next.saturating_sub(at).clamp(40, spec.len())]),
        });
        if next <= at {
            break;
        }
        at = next;
    }
    targets
}

/// One device of a `LIST_DEVICES` answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) kernel_name: String,
    pub(super) devt: DevT,
    pub(super) event_nr: u32,
    /// `None` where the kernel is too old to say (before 5.12).
    pub(super) uuid: Option<String>,
}

/// The devices of a `LIST_DEVICES` answer.
pub(super) fn decode_list(payload: &[u8]) -> Vec<Listed> {
    let mut devices = Vec::new();
    let mut at = 0;
    while let Some(entry) = payload.get(at..).filter(|entry| entry.len() > 12) {
        let dev = get_u64(entry, 0);
        if dev == 0 {
            break;
        }
        let next = get_u32(entry, 8) as usize;
        let entry = if next == 0 { entry } else { &entry[..next.min(entry.len())] };
        let raw_name = entry[12..].split(|b| *b == 0).next().unwrap_or_default();
        let after = (12 + raw_name.len() + 1).next_multiple_of(8);
        let uuid = match get_u32(entry, after + 4) {
            1 => Some(unmangled(&text(entry.get(after + 8..).unwrap_or_default())).into()),
            2 => Some(String::new()),
            _ => None,
        };
        let kernel_name = String::from_utf8_lossy(raw_name).into_owned();
        let (name, event_nr) = (unmangled(&kernel_name).into(), get_u32(entry, after));
        devices.push(Listed { name, kernel_name, devt: decode_devt(dev), event_nr, uuid });
        if next == 0 {
            break;
        }
        at += next;
    }
    devices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_back_as_an_answer() {
        let question =
            Question { name: "data", uuid: "mpath-1", flags: 5, event_nr: 7, ..Question::default() };
        let answer = Answer::decode(&question.encode(64).expect("short names"));
        assert_eq!((answer.name.as_str(), answer.uuid.as_str()), ("data", "mpath-1"));
        assert_eq!((answer.flags, answer.event_nr, answer.payload.len()), (5, 7, 64));
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        let long = "x".repeat(128);
        assert!(Question { name: &long, ..Question::default() }.encode(0).is_err());
        assert!(Question { name: "a\0b", is_kernel_name: true, ..Question::default() }.encode(0).is_err());
        let long = " ".repeat(32);
        let refused = Question { name: &long, ..Question::default() }.encode(0);
        assert_eq!(refused, Err(Errno(libc::ENAMETOOLONG)), "four bytes each");
        assert_eq!(Question { name: r"a\x20 b", ..Question::default() }.encode(0), Err(Errno::EINVAL));
    }

    #[test]
    fn the_kernel_has_names_as_libdevmapper_writes_them() {
        let (name, uuid) = ("my disk(1)", "mpath-a b");
        let question = Question { name, uuid, ..Question::default() };
        let answer = Answer::decode(&question.encode(0).expect("short names"));
        assert_eq!((answer.name.as_str(), answer.kernel_name.as_str()), (name, r"my\x20disk\x281\x29"));
        assert_eq!(answer.uuid, uuid);
        let words = question.encode(0).expect("short names");
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(text(&bytes[NAME_AT..]), r"my\x20disk\x281\x29");
        assert_eq!(text(&bytes[UUID_AT..]), r"mpath-a\x20b");
        // One that a tool has given that does not mangle is found by its own.
        let question = Question { name, is_kernel_name: true, ..Question::default() };
        assert_eq!(Answer::decode(&question.encode(0).expect("short")).kernel_name, name);
        let list = decode_list(&entry(br"my\x20disk", 1, 1, br"mpath-a\x20b", true));
        assert_eq!((list[0].name.as_str(), list[0].kernel_name.as_str()), ("my disk", r"my\x20disk"));
        assert_eq!(list[0].uuid.as_deref(), Some(uuid));
    }

    #[test]
    fn ioctl_numbers_are_those_of_the_header() {
        assert_eq!(Command::Version.request(), 0xc138_fd00);
        assert_eq!(Command::TargetVersion.request(), 0xc138_fd11);
    }

    #[test]
    fn targets_round_trip() {
        let bytes = encode_target(0, 2048, "multipath", "0 0 1 1 round-robin 0 1 1 8:16 1");
        assert_eq!(bytes.len() % 8, 0);
        let targets = decode_targets(&bytes, 1);
        assert_eq!(targets[0].kind, "multipath");
        assert_eq!(targets[0].text, "0 0 1 1 round-robin 0 1 1 8:16 1");
        assert_eq!((targets[0].start, targets[0].sectors), (0, 2048));
    }

    #[test]
    fn a_target_that_points_nowhere_ends_the_list() {
        let mut bytes = encode_target(0, 8, "linear", "8:0 0");
        bytes[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(decode_targets(&bytes, 9).len(), 1);
        assert!(decode_targets(&[0; 12], 1).is_empty());
    }

    fn entry(name: &[u8], event_nr: u32, flags: u32, uuid: &[u8], last: bool) -> Vec<u8> {
        let mut bytes = vec![0_u8; 12];
        bytes[..8].copy_from_slice(&0xfe_03_u64.to_ne_bytes());
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(&event_nr.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(uuid);
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let next = if last { 0 } else { u32::try_from(bytes.len()).expect("small") };
        bytes[8..12].copy_from_slice(&next.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_list_with_an_odd_name_is_read_whole() {
        let mut bytes = entry(b"data", 4, 1, b"mpath-1", false);
        bytes.extend(entry(b"\xff\xfe", 9, 2, b"", false));
        bytes.extend(entry(b"old", 1, 0, b"", true));
        let list = decode_list(&bytes);
        assert_eq!(list.len(), 3);
        assert_eq!(list[0].devt, DevT::new(254, 3));
        assert_eq!((list[0].event_nr, list[0].uuid.as_deref()), (4, Some("mpath-1")));
        assert_eq!((list[1].name.as_str(), list[1].uuid.as_deref()), ("\u{fffd}\u{fffd}", Some("")));
        assert_eq!(list[2].uuid, None);
        assert!(decode_list(&[0; 16]).is_empty());
    }
}
