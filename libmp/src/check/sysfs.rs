//! What the kernel itself says of a device: `device/state` (`scsi_device_state` of SCSI,
//! `nvme_ctrl_state` of NVMe). It comes before every checker; for `none` it is the checker.

use super::{CheckState, Judged};

/// Its directory is gone, and udev has yet to say so.
pub const GONE: Judged = Judged::new(CheckState::Down, "path offline (gone)");

/// `None`: the device runs (or its kind has no such state), the checker's I/O decides.
pub(super) fn judge(state: Option<&str>) -> Option<Judged> {
    let judged = match state?.trim() {
        "running" | "live" => return None,
        "blocked" | "quiesce" => Judged::new(CheckState::Pending, "device is blocked"),
        "new" => Judged::new(CheckState::Pending, "device is starting"),
        "deleting" | "deleting (no IO)" => Judged::new(CheckState::Pending, "device is going away"),
        "offline" => Judged::new(CheckState::Down, "path offline"),
        "transport-offline" => Judged::new(CheckState::Down, "path offline (its transport)"),
        _ => Judged::new(CheckState::Down, "path offline (not running)"),
    };
    Some(judged)
}

/// Does the kernel let the device be opened? It takes no table with one that it doesn't.
pub fn opens(state: Option<&str>) -> bool {
    state.is_none_or(|state| !matches!(state.trim(), "offline" | "transport-offline" | "deleting" | "cancel"))
}

/// Does the device run, as far as its kind has a state?
pub fn runs(state: Option<&str>) -> bool {
    judge(state).is_none()
}

/// Has its transport blocked the device, and will either unblock it or give it up?
pub fn is_blocked(state: Option<&str>) -> bool {
    state.is_some_and(|state| matches!(state.trim(), "blocked" | "quiesce"))
}

/// Is the device's state one that `%o` shows as `offline`? Only where the kernel, or somebody, has
/// set the device itself offline: `transport-offline` shows as `running`, as clients know it.
pub fn is_offline(state: Option<&str>) -> bool {
    state.is_some_and(|state| state.trim() == "offline")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states() {
        for (state, expected) in [
            (Some("running"), None),
            (Some("live\n"), None),
            (None, None),
            (Some("blocked"), Some(CheckState::Pending)),
            (Some("quiesce"), Some(CheckState::Pending)),
            (Some("deleting (no IO)"), Some(CheckState::Pending)),
            (Some("offline"), Some(CheckState::Down)),
            (Some("transport-offline"), Some(CheckState::Down)),
            (Some("created-blocked"), Some(CheckState::Down)),
            (Some("cancel"), Some(CheckState::Down)),
            (Some("deleted"), Some(CheckState::Down)),
            (Some("dead"), Some(CheckState::Down)),
            (Some("connecting"), Some(CheckState::Down)),
            (Some(""), Some(CheckState::Down)),
        ] {
            assert_eq!(is_offline(state), state == Some("offline"), "{state:?}");
            assert_eq!(judge(state).map(|judged| judged.state), expected, "{state:?}");
        }
    }
}
