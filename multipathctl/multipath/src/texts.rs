//! The files, as texts: what they mean is worked out as far as it is asked for. What is wrong in them the daemon says.

use libmp::config::Config;
use libmp::config::settings::DeviceId;
use libmp::state::wwids::Wwids;
use multipathd::reading;
use multipathd::sys::files::{Files, Paths, Texts};

/// As they were when they were read.
pub struct TextsRead(Texts);

impl TextsRead {
    /// Reads them.
    pub fn now() -> Self {
        Self(Files::new(Paths::default()).read())
    }

    /// The configuration; of the hardware table only what can be about one device, if one is named.
    pub fn configuration(&self, device: Option<&DeviceId<'_>>) -> Config {
        reading::load_for(&self.0, device)
    }

    /// The WWIDs that are known.
    pub fn wwids(&self) -> Wwids {
        Wwids::parse(&self.0.wwids)
    }
}
