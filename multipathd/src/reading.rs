//! What is read, as the core takes it: files and their configuration, disks and maps. Shared by the
//! daemon and by what works without one.

use std::sync::Arc;

use libmp::config::settings::DeviceId;
use libmp::config::{Config, Diagnostic, Environment, Source};
use libmp::core::event::{Enumeration, Loaded};
use libmp::dm::op::{UUID_PREFIX, wwid_of};
use libmp::types::Errno;

use crate::sys::dm::Mapper;
use crate::sys::files::Texts;
use crate::sys::{database, machine, sysfs};

/// What the machine says and no file.
pub fn environment() -> Environment<'static> {
    let native_nvme_multipath = machine::native_nvme_multipath();
    Environment { accounts: &machine::System, native_nvme_multipath }
}

/// Texts → configuration.
pub fn parse(texts: Texts) -> Loaded {
    let (config, found) = load(&texts);
    let Texts { bindings, bindings_unknown, wwids, queueing, unreadable, state_unreadable, .. } = texts;
    let may_bind = !bindings_unknown;
    let wrong = found.iter().filter(|one| one.stops_reconfigure()).map(Diagnostic::one_line);
    // Whoever has changed a file that can't be read must not be told that it holds.
    let errors = unreadable.iter().cloned().chain(wrong).collect();
    let said = found.iter().map(ToString::to_string);
    let diagnostics = unreadable.iter().cloned().chain(state_unreadable).chain(said).collect();
    Loaded { config: Arc::new(config), diagnostics, errors, unreadable, bindings, may_bind, wwids, queueing }
}

/// What the files give, and what there is to say about them.
pub fn load(texts: &Texts) -> (Config, Vec<Diagnostic>) {
    let sources: Vec<Source<'_>> = texts.config.iter().map(|(name, text)| Source { name, text }).collect();
    Config::load_in(&sources, &environment())
}

/// The same for what is asked of one device, of which nobody asks who owns it: names of users are not looked up, and of the built-in hardware table only the entries that can be about it.
pub fn load_for(texts: &Texts, device: Option<&DeviceId<'_>>) -> Config {
    let sources: Vec<Source<'_>> = texts.config.iter().map(|(name, text)| Source { name, text }).collect();
    let native_nvme_multipath = machine::native_nvme_multipath();
    let environment = Environment { native_nvme_multipath, ..Environment::default() };
    match device {
        Some(device) => Config::load_for(&sources, &environment, device),
        None => Config::load_in(&sources, &environment).0,
    }
}

/// All disks and maps there are; no maps where there is no device-mapper to be asked. What can't be listed is not "none".
pub fn enumerate(mapper: Option<&Mapper>) -> Result<Enumeration, Errno> {
    let mut found = Enumeration { disks: sysfs::disks()?, ..Enumeration::default() };
    let Some(mapper) = mapper else { return Ok(found) };
    for entry in mapper.list()? {
        if entry.uuid.starts_with(UUID_PREFIX) {
            match mapper.read(&entry.uuid) {
                Err(errno) if errno.is_shortage() => return Err(errno),
                // One that went meanwhile is left out.
                read => found.maps.extend(read.ok().flatten()),
            }
        } else {
            found.others.push(entry);
        }
    }
    for map in &found.maps {
        if !database::is_ready(map.devt)? {
            found.unready.extend(wwid_of(&map.uuid));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_file_that_can_not_be_read_is_an_error_of_a_reconfigure() {
        let unreadable = vec!["/etc/multipath.conf: Input/output error".to_owned()];
        let state_unreadable = vec!["/etc/multipath/wwids: Input/output error".to_owned()];
        let loaded = parse(Texts { unreadable: unreadable.clone(), state_unreadable, ..Texts::default() });
        assert_eq!((&loaded.errors, loaded.diagnostics.len()), (&unreadable, 2));
        assert_eq!(loaded.unreadable, unreadable, "apart from what is wrong in a file");
    }
}
