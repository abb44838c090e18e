//! The `alua` prioritizer: REPORT TARGET PORT GROUPS (SPC-4 6.37), asked through the path itself.

use super::rtpg::Report;
use super::{Preference, PrioError};
use crate::check::ScsiReply;
use crate::check::sense::{Ending, key};
use crate::types::{Errno, Priority};

pub(super) fn rate(
    preference: Preference,
    reply: Result<&ScsiReply, Errno>,
    port_group: Option<u16>,
) -> Result<Priority, PrioError> {
    let reply = reply.map_err(PrioError::Io)?;
    match Ending::of(reply) {
        Ending::Good => {}
        Ending::Refused(sense) => {
            return Err(match sense.key {
                key::UNIT_ATTENTION | key::NOT_READY => PrioError::Retry,
                // An unknown command, or a field of it; not a LUN that is gone (25h).
                key::ILLEGAL_REQUEST if sense.asc == 0x20 || sense.asc == 0x24 => PrioError::NotSupported,
                _ => PrioError::Refused,
            });
        }
        Ending::ReservationConflict | Ending::Transport(_) | Ending::Failed => {
            return Err(PrioError::Refused);
        }
    }
    let group = Report::parse(&reply.data)?.group(port_group.ok_or(PrioError::NoPortGroup)?)?;
    Ok(preference.weigh(group.state, group.preferred))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::hex;

    #[test]
    fn answers() {
        let reply = |status, sense: &str, data: &str| ScsiReply {
            status,
            sense: hex(sense),
            data: hex(data),
            ..ScsiReply::default()
        };
        let standby = "00000008 82 0f 0007 00 00 00 00";
        for (reply, group, expected) in [
            (reply(0, "", standby), Some(7), Ok(Priority(81))),
            (reply(2, "72 01 00 00", standby), Some(7), Ok(Priority(81))),
            (reply(0, "", standby), Some(8), Err(PrioError::GroupNotListed)),
            (reply(0, "", standby), None, Err(PrioError::NoPortGroup)),
            (reply(0, "", ""), Some(7), Err(PrioError::Truncated)),
            (reply(2, "72 06 2a 06", ""), Some(7), Err(PrioError::Retry)),
            (reply(2, "72 02 04 0a", ""), Some(7), Err(PrioError::Retry)),
            (reply(2, "72 05 20 00", ""), Some(7), Err(PrioError::NotSupported)),
            (reply(2, "72 05 24 00", ""), Some(7), Err(PrioError::NotSupported)),
            (reply(2, "72 05 25 00", ""), Some(7), Err(PrioError::Refused)),
            (reply(2, "72 03 00 00", ""), Some(7), Err(PrioError::Refused)),
            (reply(0x18, "", standby), Some(7), Err(PrioError::Refused)),
            (reply(8, "", standby), Some(7), Err(PrioError::Refused)),
        ] {
            assert_eq!(rate(Preference::NotOptimized, Ok(&reply), group), expected, "{reply:?}");
        }
        let failed = rate(Preference::NotOptimized, Err(Errno::ENXIO), Some(7));
        assert_eq!(failed, Err(PrioError::Io(Errno::ENXIO)));
    }
}
