//! The `ana` prioritizer: asymmetric namespace access of NVMe (NVMe base specification 2.0, 8.1), asked
//! of the path's controller.

use super::{Memory, PrioError};
use crate::check::ask::{Answers, NvmeReply, Step, Unanswered};
use crate::check::command::{GroupsOnly, NvmeCommand};
use crate::check::detect::has_ana;
use crate::types::Priority;

/// No log is longer: 8,191 groups, or as many namespaces.
const LONGEST: u32 = 256 << 10;
const HEADER: usize = 16;
const DESCRIPTOR: usize = 32;

/// What a controller says of its groups (identify controller data, 5.17.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// ANACAP bit 6: a namespace stays in its group, whose number the namespace knows. Without that the
    /// log must list the namespaces of each group.
    group: Option<u32>,
    /// NANAGRPID: how many groups.
    groups: u32,
    /// MNAN: how many namespaces.
    namespaces: u32,
}

impl Shape {
    /// The namespace's group (ANAGRPID), where it keeps it.
    pub(crate) const fn group(&self) -> Option<u32> {
        self.group
    }
}

pub(super) fn rate(nsid: u32, memory: &mut Memory, answers: &Answers) -> Step<Result<Priority, PrioError>> {
    let shape = match memory.ana {
        Some(shape) => shape,
        None => match identify(nsid, answers)? {
            Ok(shape) => *memory.ana.insert(shape),
            Err(error) => return Ok(Err(error)),
        },
    };
    let descriptors = shape.groups.saturating_mul(32).saturating_add(16);
    let command = if shape.group.is_some() {
        NvmeCommand::ana_log(GroupsOnly::Yes, descriptors.min(LONGEST))
    } else {
        let length = descriptors.saturating_add(shape.namespaces.saturating_mul(4));
        NvmeCommand::ana_log(GroupsOnly::No, length.min(LONGEST))
    };
    let state = data(answers.nvme(&command)?).and_then(|log| state_of(log, nsid, shape.group));
    Ok(state.and_then(priority))
}

/// Priorities like those of ALUA's states; a group that is changing its state is as good as one that
/// can't be reached (8.1.3.3).
fn priority(state: u8) -> Result<Priority, PrioError> {
    match state {
        0x1 => Ok(Priority(50)),
        0x2 => Ok(Priority(10)),
        0x3 | 0xf => Ok(Priority(1)),
        0x4 => Ok(Priority(0)),
        _ => Err(PrioError::UnknownPage),
    }
}

fn identify(nsid: u32, answers: &Answers) -> Step<Result<Shape, PrioError>> {
    let controller = match data(answers.nvme(&NvmeCommand::identify_controller())?) {
        Ok(controller) => controller,
        Err(error) => return Ok(Err(error)),
    };
    if !has_ana(controller) {
        return Ok(Err(PrioError::NotSupported));
    }
    let (Some(groups), Some(namespaces)) = (dword(controller, 348), dword(controller, 540)) else {
        return Ok(Err(PrioError::Truncated));
    };
    let group = if controller[343] & 0x40 == 0 {
        None
    } else {
        let namespace = data(answers.nvme(&NvmeCommand::identify_namespace(nsid))?);
        match namespace.and_then(|namespace| dword(namespace, 92).ok_or(PrioError::Truncated)) {
            Ok(group) => Some(group),
            Err(error) => return Ok(Err(error)),
        }
    };
    Ok(Ok(Shape { group, groups, namespaces }))
}

fn data(reply: Result<&NvmeReply, Unanswered>) -> Result<&[u8], PrioError> {
    let reply = reply?;
    if reply.status == 0 { Ok(&reply.data) } else { Err(PrioError::Refused) }
}

fn dword(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// The state of the namespace's group in the log (5.16.1.13): the first that lists the namespace, or has
/// its number.
fn state_of(log: &[u8], nsid: u32, group: Option<u32>) -> Result<u8, PrioError> {
    let (header, mut rest) = log.split_at_checked(HEADER).ok_or(PrioError::Truncated)?;
    for _ in 0..u16::from_le_bytes([header[8], header[9]]) {
        let (descriptor, tail) = rest.split_at_checked(DESCRIPTOR).ok_or(PrioError::Truncated)?;
        let count = dword(descriptor, 4).and_then(|count| usize::try_from(count).ok());
        let length = count.and_then(|count| count.checked_mul(4)).ok_or(PrioError::Truncated)?;
        let (namespaces, tail) = tail.split_at_checked(length).ok_or(PrioError::Truncated)?;
        let listed = namespaces.chunks_exact(4).any(|id| dword(id, 0) == Some(nsid));
        if listed || group.is_some_and(|group| group != 0 && dword(descriptor, 0) == Some(group)) {
            return Ok(descriptor[16] & 0x0f);
        }
        rest = tail;
    }
    Err(PrioError::GroupNotListed)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use proptest::prelude::*;

    use super::*;
    use crate::check::ask::{Answer, Ask};
    use crate::identify::hex;

    fn controller(cmic: u8, anacap: u8) -> Vec<u8> {
        let mut data = [0; 4096].to_vec();
        (data[76], data[343], data[348], data[540]) = (cmic, anacap, 2, 4);
        data
    }

    fn namespace(group: u8) -> Vec<u8> {
        let mut data = [0; 4096].to_vec();
        data[92] = group;
        data
    }

    /// A log of two groups: number, state and namespaces of each.
    fn log(groups: [(u8, &str, &[u8]); 2]) -> Vec<u8> {
        let mut log = hex("0700000000000000 0200 000000000000");
        for (number, state, namespaces) in groups {
            log.extend([number, 0, 0, 0, u8::try_from(namespaces.len()).unwrap(), 0, 0, 0]);
            log.extend(hex("0100000000000000"));
            log.extend(hex(state));
            log.extend([0; 15]);
            log.extend(namespaces.iter().flat_map(|id| [*id, 0, 0, 0]));
        }
        log
    }

    fn rated(controller: &[u8], namespace: &[u8], log: &[u8]) -> Result<i32, PrioError> {
        let mut answers = Answers::default();
        let mut memory = Memory::default();
        for _ in 0..4 {
            match rate(7, &mut memory, &answers) {
                Ok(rated) => return rated.map(|priority| priority.0),
                Err(wanted) => {
                    let answer = |ask: &Ask| {
                        let Ask::Nvme(command) = ask else { panic!("{ask:?}") };
                        let data = match (command.opcode, command.cdw10) {
                            (0x06, 1) => controller.to_vec(),
                            (0x06, 0) => namespace.to_vec(),
                            (0x02, _) => log[..log.len().min(command.length as usize)].to_vec(),
                            other => panic!("{other:?}"),
                        };
                        Answer::Nvme(NvmeReply { status: 0, data })
                    };
                    let given: Vec<_> = wanted.0.iter().map(answer).collect();
                    answers.put(&wanted.0, &given);
                }
            }
        }
        panic!("asks without end")
    }

    #[test]
    fn states() {
        for (state, expected) in [
            ("01", Ok(50)),
            ("02", Ok(10)),
            ("03", Ok(1)),
            ("04", Ok(0)),
            ("0f", Ok(1)),
            ("05", Err(PrioError::UnknownPage)),
            ("f1", Ok(50)), // the upper bits are reserved
        ] {
            let log = log([(1, "02", &[3]), (2, state, &[5, 7])]);
            assert_eq!(rated(&controller(0x08, 0), &[], &log), expected, "{state}");
        }
    }

    #[test]
    fn groups_by_number_or_by_namespace() {
        let listed = || log([(1, "02", &[3]), (2, "01", &[5, 7])]);
        let bare = || log([(1, "02", &[]), (2, "01", &[])]);
        let cut = || listed()[..70].to_vec();
        for (controller, namespace, log, expected) in [
            (controller(0x08, 0x00), Vec::new(), listed(), Ok(50)),
            (controller(0x08, 0x40), namespace(1), bare(), Ok(10)),
            (controller(0x08, 0x40), namespace(2), bare(), Ok(50)),
            (controller(0x08, 0x40), namespace(3), bare(), Err(PrioError::GroupNotListed)),
            (controller(0x08, 0x40), namespace(0), bare(), Err(PrioError::GroupNotListed)),
            (controller(0x08, 0x00), Vec::new(), bare(), Err(PrioError::GroupNotListed)),
            (controller(0x08, 0x00), Vec::new(), cut(), Err(PrioError::Truncated)),
            (controller(0x08, 0x40), Vec::new(), bare(), Err(PrioError::Truncated)),
            (controller(0x00, 0x00), Vec::new(), listed(), Err(PrioError::NotSupported)),
            (controller(0x08, 0x00)[..400].to_vec(), Vec::new(), listed(), Err(PrioError::Truncated)),
        ] {
            assert_eq!(rated(&controller, &namespace, &log), expected, "{log:02x?}");
        }
    }

    #[test]
    fn the_controller_is_identified_once() {
        let shape = Shape { group: Some(2), groups: 2, namespaces: 4 };
        let mut memory = Memory { ana: Some(shape), ..Memory::default() };
        let wanted = rate(7, &mut memory, &Answers::default()).unwrap_err();
        assert_eq!(wanted.0, [Ask::Nvme(NvmeCommand::ana_log(GroupsOnly::Yes, 80))]);
        memory.ana = Some(Shape { group: None, groups: u32::MAX, namespaces: u32::MAX });
        let wanted = rate(7, &mut memory, &Answers::default()).unwrap_err();
        assert_eq!(wanted.0, [Ask::Nvme(NvmeCommand::ana_log(GroupsOnly::No, LONGEST))]);
        let mut answers = Answers::default();
        answers.put(&wanted.0, &[Answer::Nvme(NvmeReply { status: 0x4002, data: Vec::new() })]);
        assert_eq!(rate(7, &mut memory, &answers), Ok(Err(PrioError::Refused)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(log in prop::collection::vec(any::<u8>(), 0..200), group in any::<Option<u32>>()) {
            let _ = state_of(&log, 7, group);
        }
    }
}
