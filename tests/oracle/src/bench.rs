//! CPU time of reading the configuration and resolving it for one path in a process of its own, beside that of the
//! reference's `multipath -t`.

use std::process::{Command, Stdio};
use std::{fs, io};

use libmp::config::settings::DeviceId;
use libmp::types::Wwid;

use crate::cli::Places;
use crate::ours;
use crate::reference::Reference;

/// Runs of each.
const RUNS: u32 = 300;
/// Limit for one run here.
const LIMIT_MS: f64 = 2.0;
/// Units of CPU time in `/proc/PID/stat`, a second.
const TICKS: f64 = 100.0;

/// What is read: a file as many have it.
const FILE: &str = "\
defaults {
	user_friendly_names yes
	find_multipaths yes
	path_grouping_policy group_by_prio
	prio alua
	failback immediate
	no_path_retry 18
}
blacklist {
	devnode \"^(ram|raw|loop|fd|md|dm-|sr|scd|st)[0-9]*\"
	devnode \"^hd[a-z]\"
	device {
		vendor \"VMware\"
		product \"Virtual disk\"
	}
}
devices {
	device {
		vendor \"NETAPP\"
		product \"LUN.*\"
		no_path_retry queue
	}
}
multipaths {
	multipath {
		wwid 3600a098038303634
		alias data
	}
}
";

/// One run, which the other one starts in a process: reads, resolves, says nothing.
pub fn once() {
    let (config, _) = ours::read(&[("/etc/multipath.conf".into(), FILE.into())], false);
    let device =
        DeviceId { vendor: b"NETAPP", product: b"LUN C-Mode", revision: b"9111", protocol: "scsi:fcp" };
    let settings =
        (config.path_settings(&device), config.map_settings(&device, &Wwid::from("3600a098038303634")));
    std::hint::black_box(settings);
}

/// Prints what was measured. 1 where the limit does not hold.
pub fn run(places: &Places) -> Result<usize, String> {
    let (ours, theirs) = measure(places).map_err(|error| error.to_string())?;
    println!("here:      {ours:.2} ms of CPU, process included (limit {LIMIT_MS} ms)");
    println!("reference: {theirs:.2} ms");
    println!("ratio:     {:.2}", ours / theirs);
    Ok(usize::from(ours > LIMIT_MS))
}

fn measure(places: &Places) -> io::Result<(f64, f64)> {
    let program = std::env::current_exe()?;
    let own = std::process::id();
    let before = children_ticks(own)?;
    for _ in 0..RUNS {
        Command::new(&program).arg("--once").stdin(Stdio::null()).status()?;
    }
    let ours = children_ticks(own)? - before;
    let mut reference = Reference::start(&places.reference, &places.scratch)?;
    reference.ask(&[("/etc/multipath.conf".into(), FILE.into())])?;
    let before = children_ticks(reference.id())?;
    for _ in 0..RUNS {
        reference.run()?;
    }
    let theirs = children_ticks(reference.id())? - before;
    let ms = |ticks: f64| ticks * 1000.0 / TICKS / f64::from(RUNS);
    Ok((ms(ours), ms(theirs)))
}

/// CPU time of the children of a process that have ended.
fn children_ticks(process: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let field = |at: usize| after_name.split(' ').nth(at).and_then(|text| text.parse::<f64>().ok());
    // Fields 16 and 17 of proc(5); the one after the name is the third.
    match (field(13), field(14)) {
        (Some(user), Some(system)) => Ok(user + system),
        _ => Err(io::Error::other("/proc/PID/stat is not as expected")),
    }
}
