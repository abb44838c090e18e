//! Prioritizers of single arrays that look at one or two answers: `emc`, `rdac`, `hp_sw`, `hds`,
//! `ontap`, `datacore`. Layouts are those that the arrays send; none is in a standard.

use super::{PrioError, data_of};
use crate::check::ask::{Answers, Step};
use crate::check::command::{Data, ScsiCommand};
use crate::check::sense::{Ending, key};
use crate::check::{clariion, rdac};
use crate::types::Priority;

type Rating = Step<Result<Priority, PrioError>>;

/// The bytes of an answer, or the end of the rating.
macro_rules! data {
    ($answers:expr, $command:expr) => {
        match data_of($answers.scsi($command)?) {
            Ok(data) => data,
            Err(error) => return Ok(Err(error)),
        }
    };
}

/// CLARiiON and VNX: 2 for the owner of the LUN, 1 for the other processor, 2 more for the default
/// owner.
pub(super) fn emc(answers: &Answers) -> Rating {
    let data = data!(answers, &clariion::command());
    Ok(match clariion::Page::parse(data) {
        Ok(page) => {
            let default = if page.is_default_owner() { 2 } else { 0 };
            Ok(Priority(i32::from(page.lun_state()) + default))
        }
        Err(clariion::Fault::Unknown) => Err(PrioError::UnknownPage),
        Err(clariion::Fault::NotForFailover) => Err(PrioError::NotForFailover),
        Err(clariion::Fault::NotNormal) => Err(PrioError::NotNormal),
    })
}

/// LSI and NetApp: 2 for the owner, 4 for a preferred path, 1 for a secondary one, 8 where both
/// controllers serve I/O.
pub(super) fn rdac(answers: &Answers) -> Rating {
    let data = data!(answers, &rdac::command());
    let Some(page) = rdac::Page::parse(data).filter(|page| page.is_whole()) else {
        return Ok(Err(PrioError::UnknownPage));
    };
    let preference = match page.preference() {
        1 => 4,
        2 => 1,
        _ => 0,
    };
    let bit = |is, value| if is { value } else { 0 };
    Ok(Ok(Priority(bit(page.is_ioship(), 8) + preference + bit(page.is_owner(), 2))))
}

/// HP's active/standby arrays: 4 for an active controller, 2 for a standby one (02/04/02), else 0.
pub(super) fn hp_sw(answers: &Answers) -> Rating {
    let reply = match answers.scsi(&ScsiCommand::test_unit_ready())? {
        Ok(reply) => reply,
        Err(unanswered) => return Ok(Err(unanswered.into())),
    };
    Ok(match Ending::of(reply) {
        Ending::Good => Ok(Priority(4)),
        Ending::Refused(sense) if sense.key == key::UNIT_ATTENTION && sense.asc == 0x29 => {
            Err(PrioError::Retry)
        }
        Ending::Refused(sense) if (sense.key, sense.asc, sense.ascq) == (key::NOT_READY, 0x04, 0x02) => {
            Ok(Priority(2))
        }
        _ => Ok(Priority(0)),
    })
}

/// Hitachi's modular arrays: half of the LUNs to each controller. 1 where the numbers of controller
/// (byte 49 of standard INQUIRY data) and LUN (bytes 44–47, hexadecimal) are both odd or both even.
pub(super) fn hds(answers: &Answers) -> Rating {
    let data = data!(answers, &ScsiCommand::inquiry(255));
    let digit = |at: usize, radix| data.get(at).and_then(|byte| char::from(*byte).to_digit(radix));
    Ok(match (digit(49, 10), digit(47, 16)) {
        (Some(controller), Some(lun)) => Ok(Priority(i32::from(controller % 2 == lun % 2))),
        _ => Err(PrioError::UnknownPage),
    })
}

/// NetApp's filers: 4 for a port of the filer itself, 3 for an iSCSI adapter, 2 for iSCSI in software,
/// 1 for a port of its partner (proxy). Asked by a command of the vendor's own; the page of proxies is
/// asked for on Fibre Channel only.
pub(super) fn ontap(answers: &Answers) -> Rating {
    let variables = ScsiCommand::new(&[0xc0, 0, 0x01, 0x0a, 0x98, 0x0a, 0x41, 128, 0, 0], Data::In(256));
    let data = data!(answers, &variables);
    let Some((header, rest)) = data.split_first_chunk::<8>() else { return Ok(Err(PrioError::Truncated)) };
    if header[4..8] != [0x0a, 0x98, 0x0a, 0x01] {
        return Ok(Err(PrioError::UnknownPage));
    }
    let there = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) > 8;
    if let Some((0x41, value)) = rest.split_first().filter(|_| there) {
        let name = value.get(3..).unwrap_or_default();
        if name.starts_with(b"ism_sw") || name.starts_with(b"iswt") {
            return Ok(Ok(Priority(2)));
        }
        if name.starts_with(b"ism_sn") {
            return Ok(Ok(Priority(3)));
        }
    }
    let is_proxy = match data_of(answers.scsi(&ScsiCommand::vital_page(0xc1, 128))?) {
        Ok(page) if page.len() >= 20 && page[1] == 0xc1 && page[8..14] == [0x0a, 0x98, 0x0a, 0, 0xc1, 0] => {
            page[19] & 0x02 != 0
        }
        _ => false, // who can't tell is none
    };
    Ok(Ok(Priority(if is_proxy { 1 } else { 4 })))
}

/// DataCore: 1 where the preferred server's name is in that of the server that answers (bytes 112–127
/// of standard INQUIRY data), else 0.
pub(super) fn datacore(preferred: &str, answers: &Answers) -> Rating {
    let data = data!(answers, &ScsiCommand::inquiry(255));
    let name = data.get(112..data.len().min(128)).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let is_preferred = name.windows(preferred.len().max(1)).any(|part| part == preferred.as_bytes());
    Ok(Ok(Priority(i32::from(is_preferred))))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::check::ScsiReply;
    use crate::check::ask::{Ask, Wanted, answered, good, refused};
    use crate::check::clariion::tests::page as clariion_page;
    use crate::check::rdac::command as rdac_page;

    #[test]
    fn clariion_pages() {
        for (reply, expected) in [
            (clariion_page("02 00 00 00", 1, "03 04 04", "00"), Ok(4)),
            (clariion_page("02 01 00 00", 1, "03 06 04", "00"), Ok(2)),
            (clariion_page("01 01 01 00", 1, "03 04 04", "00"), Ok(3)),
            (clariion_page("01 00 01 00", 1, "03 04 04", "00"), Ok(1)),
            (clariion_page("00 00 00 00", 1, "03 04 04", "00"), Ok(2)),
            (clariion_page("02 00 00 00", 1, "03 01 04", "00"), Err(PrioError::NotForFailover)),
            (clariion_page("02 00 00 00", 1, "03 04 04", "02"), Err(PrioError::NotNormal)),
            (good("00 80 00 00"), Err(PrioError::UnknownPage)),
            (refused("72 06 29 00"), Err(PrioError::Retry)),
        ] {
            let rated = emc(&answered(&[(clariion::command(), reply.clone())])).unwrap();
            assert_eq!(rated, expected.map(Priority), "{reply:?}");
        }
    }

    #[test]
    fn volume_access() {
        for (page, expected) in [
            ("00 c9 00 2c 76616331 01 01 00 00 00 00", Ok(6)),
            ("00 c9 00 2c 76616331 00 01 00 00 00 00", Ok(4)),
            ("00 c9 00 2c 76616332 01 02 00 00 00 00", Ok(3)),
            ("00 c9 00 2c 76616331 00 02 00 00 00 00", Ok(1)),
            ("00 c9 00 2c 76616331 21 01 00 00 00 00", Ok(14)),
            ("00 c9 00 2c 76616331 00 00 00 00 00 00", Ok(0)),
            ("00 c9 00 2d 76616331 01 01 00 00 00 00", Err(PrioError::UnknownPage)),
            ("00 c8 00 2c 76616331 01 01 00 00 00 00", Err(PrioError::UnknownPage)),
            ("00 c9 00 2c 76616331 01", Err(PrioError::UnknownPage)),
        ] {
            let rated = rdac(&answered(&[(rdac_page(), good(page))])).unwrap();
            assert_eq!(rated, expected.map(Priority), "{page}");
        }
    }

    #[test]
    fn active_and_standby() {
        for (reply, expected) in [
            (good(""), Ok(4)),
            (refused("72 01 17 00"), Ok(4)),
            (refused("72 02 04 02"), Ok(2)),
            (refused("72 02 04 03"), Ok(0)),
            (refused("72 06 29 00"), Err(PrioError::Retry)),
            (refused("72 06 3f 0e"), Ok(0)),
            (ScsiReply { host_status: 1, ..ScsiReply::default() }, Ok(0)),
        ] {
            let answers = answered(&[(ScsiCommand::test_unit_ready(), reply.clone())]);
            assert_eq!(hp_sw(&answers).unwrap(), expected.map(Priority), "{reply:?}");
        }
    }

    /// Standard INQUIRY data with this text at this place.
    fn inquiry(at: usize, text: &str) -> ScsiReply {
        let mut data = [0; 255].to_vec();
        data[at..at + text.len()].copy_from_slice(text.as_bytes());
        ScsiReply { data, ..ScsiReply::default() }
    }

    #[test]
    fn controllers_and_luns() {
        for (text, expected) in [
            ("010500C6 1B", Ok(0)),
            ("010500C6 0B", Ok(1)),
            ("010500C7 1B", Ok(1)),
            ("010500CF 0A", Ok(0)),
            ("010500CF 9A", Ok(1)),
            ("010500CG 1B", Err(PrioError::UnknownPage)),
            ("010500C6 XB", Err(PrioError::UnknownPage)),
        ] {
            let answers = answered(&[(ScsiCommand::inquiry(255), inquiry(40, text))]);
            assert_eq!(hds(&answers).unwrap(), expected.map(Priority), "{text}");
        }
    }

    #[test]
    fn ports_of_filers() {
        let variables = ScsiCommand::new(&[0xc0, 0, 1, 0x0a, 0x98, 0x0a, 0x41, 128, 0, 0], Data::In(256));
        let proxy = ScsiCommand::vital_page(0xc1, 128);
        let gva = |length: &str, code: &str, name: &str| {
            let mut reply = good(&format!("{length} 0a980a01 {code} 00 00 00"));
            reply.data.extend(name.bytes());
            reply
        };
        let page = |options: &str| good(&format!("00c1001c 00000000 0a980a00c100 0000000000 {options} 00"));
        let none = Vec::new();
        for (mut answers, second, expected) in [
            (none.clone(), gva("00000018", "41", "ism_sw0"), Some(Ok(2))),
            (none.clone(), gva("00000018", "41", "iswta"), Some(Ok(2))),
            (none.clone(), gva("00000018", "41", "ism_sn"), Some(Ok(3))),
            (none.clone(), gva("00000018", "41", "fcp0"), None),
            (none.clone(), gva("00000008", "41", "ism_sw0"), None),
            (none.clone(), gva("00000018", "42", "ism_sw0"), None),
            (none.clone(), good("00000018 0a980a02 41"), Some(Err(PrioError::UnknownPage))),
            (none.clone(), good("0000"), Some(Err(PrioError::Truncated))),
            (none.clone(), refused("72 05 20 00"), Some(Err(PrioError::NotSupported))),
            ([(proxy.clone(), page("02"))].into(), gva("00000018", "41", "fcp0"), Some(Ok(1))),
            ([(proxy.clone(), page("00"))].into(), gva("00000018", "41", "fcp0"), Some(Ok(4))),
            ([(proxy.clone(), good("00c1"))].into(), gva("00000018", "41", "fcp0"), Some(Ok(4))),
            ([(proxy.clone(), refused("72 05 24 00"))].into(), gva("00000018", "41", "fcp0"), Some(Ok(4))),
        ] {
            answers.push((variables.clone(), second));
            let rated = ontap(&answered(&answers));
            let wanted = || Wanted([Ask::Scsi(proxy.clone())].into());
            let expected = expected.map(|rated| rated.map(Priority)).ok_or_else(wanted);
            assert_eq!(rated, expected, "{answers:?}");
        }
    }

    #[test]
    fn preferred_servers() {
        for (preferred, text, expected) in [
            ("SDS1", "SDS1", 1),
            ("SDS1", "xSDS1-a", 1),
            ("SDS1", "SDS2", 0),
            ("SDS1", "SDS", 0),
            ("0123456789abcdef", "0123456789abcdef", 1),
            ("f0", "0123456789abcdef0", 0),
            ("b", "a\0b", 0),
        ] {
            let answers = answered(&[(ScsiCommand::inquiry(255), inquiry(112, text))]);
            assert_eq!(datacore(preferred, &answers).unwrap(), Ok(Priority(expected)), "{text:?}");
        }
    }
}
