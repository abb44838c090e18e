//! The same files, read here.

use libmp::config::kind::Accounts;
use libmp::config::{Config, Diagnostic, Environment, Source};

use crate::reference::ACCOUNTS;

struct Few;

impl Accounts for Few {
    fn user(&self, name: &str) -> Option<u32> {
        ACCOUNTS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
    }
    fn group(&self, name: &str) -> Option<u32> {
        self.user(name)
    }
}

/// The configuration of some files, and what is wrong with them.
pub fn read(files: &[(String, String)], native_nvme_multipath: bool) -> (Config, Vec<Diagnostic>) {
    // As they are read: multipath.conf, then conf.d by name.
    let mut files = files.to_vec();
    files.sort();
    let sources: Vec<Source<'_>> = files.iter().map(|(name, text)| Source { name, text }).collect();
    Config::load_in(&sources, &Environment { accounts: &Few, native_nvme_multipath })
}
