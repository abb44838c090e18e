//! `show`: the answer, from memory. What is of the configuration is rendered by it, all else from a view.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::dump;
use crate::core::Core;
use crate::ctl::Show;
use crate::show::{self, documents};
use crate::types::Instant;

impl Core {
    /// The reply.
    pub(super) fn show(&self, now: Instant, what: &Show) -> String {
        match what {
            Show::Config => self.config.dump(),
            Show::ConfigLocal => self.local_configuration(),
            Show::Blacklist => self.config.dump_blacklist(),
            Show::Json(what) => match **what {
                Show::Config => documents::configuration(&dump::sections(&self.config.dump())),
                Show::ConfigLocal => documents::configuration(&dump::sections(&self.local_configuration())),
                Show::Blacklist => documents::blacklist(&self.config.blacklist_rows()),
                ref what => documents::show(&self.view(now), what).unwrap_or_else(|why| why.reply().into()),
            },
            _ => show::show(&self.view(now), what).unwrap_or_else(|why| why.reply().into()),
        }
    }

    fn local_configuration(&self) -> String {
        let devices: Vec<(String, String)> = self
            .paths
            .values()
            .filter(|p| p.map().is_some())
            .filter_map(|p| p.facts.as_ref())
            .map(|f| (f.vendor.clone(), f.product.clone()))
            .collect();
        let maps: Vec<_> = self
            .maps
            .values()
            .filter(|m| m.observed.is_some())
            .map(|m| (m.wwid.clone(), m.kernel_name().clone()))
            .collect();
        self.config.dump_local(&devices, &maps)
    }
}
