//! The vital product data page of a vendor's own (`vpd_vendor`), which `%g` shows. sysfs has none of
//! these pages, so a path is asked for it, together with the questions of its first check.

use alloc::string::String;

use super::ask::{Answers, Step};
use super::command::ScsiCommand;
use super::pages::Page;
use crate::config::settings::PathSettings;
use crate::identify::{Bus, Facts, vpd};

/// What a path has said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VendorPage {
    page: Page,
    text: Option<String>,
}

impl VendorPage {
    /// What it says.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Takes the answer, or wants it asked, where the page is configured and not known yet.
    pub fn step(&mut self, facts: &Facts, settings: &PathSettings, answers: &Answers) -> Step<()> {
        let wanted = settings.vpd_vendor.as_deref() == Some("hp3par");
        if !wanted || Bus::of(facts.name.as_str()) != Bus::Scsi {
            return Ok(());
        }
        if let Some(page) = self.page.step(&command(), answers)? {
            self.text = vpd::hp3par_volume_name(page);
        }
        Ok(())
    }
}

/// INQUIRY for page 0xc0; the name ends before byte 172.
fn command() -> ScsiCommand {
    ScsiCommand::vital_page(0xc0, 252)
}

#[cfg(test)]
mod tests {
    use super::super::ask::{Answer, Ask, answered, good, refused};
    use super::*;
    use crate::check::ScsiReply;
    use crate::config::{Config, Source};
    use crate::core::path::device_id;
    use crate::identify::{RawProbe, identify};
    use crate::types::Errno;

    fn path(name: &str, vendor: &str) -> (Facts, PathSettings) {
        let (config, _) = Config::load(&[Source { name: "f", text: "" }]);
        let raw = RawProbe { vendor: vendor.into(), model: (*b"VV").into(), ..RawProbe::default() };
        let facts = identify(&name.into(), &raw);
        let settings = config.path_settings(&device_id(&facts));
        (facts, settings)
    }

    #[test]
    fn only_who_is_configured_is_asked() {
        for (name, vendor, asked) in
            [("sda", "3PARdata", true), ("sda", "HITACHI", false), ("nvme0n1", "3PARdata", false)]
        {
            let (facts, settings) = path(name, vendor);
            let step = VendorPage::default().step(&facts, &settings, &Answers::default());
            assert_eq!(step.is_err(), asked, "{name} {vendor}");
        }
    }

    #[test]
    fn until_it_answers_and_not_for_ever() {
        let (facts, settings) = path("sda", "3PARdata");
        let page = good(&["00c0002c 04", &"00".repeat(35), "00000004", "766f6c31"].concat());
        let lost = ScsiReply { host_status: 1, ..ScsiReply::default() };
        let not_asked = |errno: Option<Errno>| {
            let mut answers = Answers::default();
            let answer = errno.map_or(Answer::NotAsked, Answer::Failed);
            answers.put(&[Ask::Scsi(command())], &[answer]);
            answers
        };
        let said = |reply: &ScsiReply| answered(&[(command(), reply.clone())]);
        for (what, answers, more, text) in [
            ("the page", said(&page), 0, Some("vol1")),
            ("no such page", said(&refused("72 05 24 00")), 0, None),
            ("attention", said(&refused("72 06 29 00")), 2, None),
            ("lost on the way", said(&lost), 2, None),
            ("not to be opened", not_asked(Some(Errno::EIO)), 2, None),
            ("offline", not_asked(None), 100, None),
        ] {
            let mut kept = VendorPage::default();
            let mut asked = 0;
            // Each check asks, where it does, and then looks at its answers twice.
            for _ in 0..=100 {
                asked += u32::from(kept.step(&facts, &settings, &Answers::default()).is_err());
                assert_eq!(kept.step(&facts, &settings, &answers), Ok(()), "{what}");
                assert_eq!(kept.step(&facts, &settings, &answers), Ok(()), "{what}");
            }
            assert_eq!((asked, kept.text()), (1 + more, text), "{what}");
        }
    }
}
