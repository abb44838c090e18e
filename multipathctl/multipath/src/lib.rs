//! What multipath(8) answers from files, sysfs and device-mapper alone: `-u`, `-c`, `-U`, `-C`. Shared by the program that udev's
//! rules call and by the operator's command, of which it is a part.
#![forbid(unsafe_code)]

pub mod args;
pub mod ask;
pub mod device;
pub mod output;
pub mod texts;

use std::process::ExitCode;

use args::{Args, Mode};
use ask::Probe;
use device::Device;

/// The answer, if that is what the arguments ask for.
pub fn answer(args: &Args, probe: Probe<'_>) -> Option<ExitCode> {
    if !matches!(args.mode, Mode::IsPath | Mode::IsUsable) {
        return None;
    }
    let named = args.named();
    let device = named.as_deref().and_then(Device::find);
    Some(match args.mode {
        Mode::IsPath => ask::is_path(device.as_ref(), args, probe),
        _ => ask::is_usable(device.as_ref(), named.as_deref(), args),
    })
}
