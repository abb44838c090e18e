//! The `sysfs` prioritizer: the access state as the kernel's hardware handler knows it
//! (`scsi_access_states` of scsi_sysfs.c). The device is not asked.

use super::{AccessState, Preference, PrioError};
use crate::types::Priority;

pub(super) fn rate(
    preference: Preference,
    access_state: Option<&str>,
    preferred_path: Option<&str>,
) -> Result<Priority, PrioError> {
    let state = match access_state.map(str::trim) {
        None | Some("") => return Err(PrioError::NoAccessState),
        Some("active/optimized") => AccessState::Optimized,
        Some("active/non-optimized") => AccessState::NonOptimized,
        Some("lba-dependent") => AccessState::LbaDependent,
        Some("standby") => AccessState::Standby,
        Some("transitioning") => return Err(PrioError::Transitioning),
        Some(_) => AccessState::Unusable,
    };
    let preferred = preferred_path.and_then(|text| text.trim().parse::<u64>().ok());
    Ok(preference.weigh(state, preferred.is_some_and(|value| value != 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states() {
        use Preference::*;
        for (preference, state, preferred, expected) in [
            (NotOptimized, "active/optimized", None, 50),
            (NotOptimized, "active/optimized\n", Some("1\n"), 50),
            (Exclusive, "active/optimized", Some("1"), 130),
            (Exclusive, "active/optimized", Some("0"), 50),
            (NotOptimized, "active/non-optimized", Some("0"), 10),
            (NotOptimized, "active/non-optimized", Some("1"), 90),
            (NotOptimized, "lba-dependent", Some("x"), 5),
            (NotOptimized, "standby", None, 1),
            (NotOptimized, "unavailable", None, 0),
            (NotOptimized, "unavailable", Some("1"), 80),
            (NotOptimized, "offline", None, 0),
        ] {
            assert_eq!(rate(preference, Some(state), preferred), Ok(Priority(expected)), "{state}");
        }
        assert_eq!(rate(NotOptimized, Some("transitioning"), Some("1")), Err(PrioError::Transitioning));
        assert_eq!(rate(NotOptimized, None, Some("1")), Err(PrioError::NoAccessState));
        assert_eq!(rate(NotOptimized, Some(" "), None), Err(PrioError::NoAccessState));
    }
}
