//! multipath.conf: text → layers → resolved settings with provenance.

pub mod settings;

/// The configuration of the daemon, whole. Swapped as one, never patched in place.
#[derive(Debug, Clone)]
pub struct Config {}

#[allow(missing_docs, unused)]
mod stub {
    use super::{Config, settings::*};
    use crate::types::*;
    use alloc::{string::String, vec::Vec};
    pub struct Source<'a> {
        pub name: &'a str,
        pub text: &'a str,
    }
    impl Config {
        pub fn load(s: &[Source<'_>]) -> (Config, Vec<String>) {
            todo!()
        }
        pub fn globals(&self) -> &Globals {
            todo!()
        }
        pub fn path_settings(&self, device: &DeviceId<'_>) -> PathSettings {
            todo!()
        }
        pub fn map_settings(&self, device: &DeviceId<'_>, wwid: &Wwid) -> MapSettings {
            todo!()
        }
        pub fn blacklist(&self, subject: &BlacklistSubject<'_>) -> BlacklistVerdict {
            todo!()
        }
        pub fn has_multipath_entry(&self, wwid: &Wwid) -> bool {
            todo!()
        }
        pub fn aliases(&self) -> Vec<(Wwid, MapName)> {
            todo!()
        }
        pub fn dump(&self) -> String {
            todo!()
        }
        pub fn dump_local(&self, devices: &[(String, String)], maps: &[(Wwid, MapName)]) -> String {
            todo!()
        }
        pub fn dump_blacklist(&self) -> String {
            todo!()
        }
    }
}
