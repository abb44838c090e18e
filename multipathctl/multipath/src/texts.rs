//! The files, as texts: what they mean is worked out as far as it is asked for. What is wrong in them the daemon says.

use libmp::config::Config;
use libmp::config::settings::DeviceId;
use libmp::core::effect::StateFile;
use libmp::state::wwids::Wwids;
use multipathd::reading;
use multipathd::sys::files::{Files, Paths, Texts};

/// As they were when they were read.
pub struct TextsRead {
    files: Files,
    texts: Texts,
}

impl TextsRead {
    /// Reads the configuration; the state is read when it is asked for.
    pub fn now() -> Self {
        let files = Files::new(Paths::default());
        let texts = files.read_configuration();
        Self { files, texts }
    }

    /// The configuration; of the hardware table only what can be about one device, if one is named.
    pub fn configuration(&self, device: Option<&DeviceId<'_>>) -> Config {
        reading::load_for(&self.texts, device)
    }

    /// The WWIDs that are known.
    pub fn wwids(&self) -> Wwids {
        Wwids::parse(&self.files.read_one(StateFile::Wwids))
    }
}
