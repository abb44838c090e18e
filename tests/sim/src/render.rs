//! Events and effects on one line each, for traces.

use std::fmt::Write as _;

use libmp::check::{Answer, Ask, RawCheck};
use libmp::core::effect::Effect;
use libmp::core::event::{Event, Uevent};
use libmp::dm::op::{DmOp, RawMap};
use libmp::types::Wwid;

fn answer(answer: &Answer) -> String {
    match answer {
        Answer::NotAsked => "not asked".into(),
        Answer::Failed(errno) => format!("failed: {errno}"),
        Answer::Scsi(r) if r.status == 0 && r.host_status == 0 => "good".into(),
        Answer::Scsi(r) if r.host_status != 0 => format!("host byte {:#x}", r.host_status),
        Answer::Scsi(r) => format!(
            "sense {:02x}/{:02x}/{:02x}",
            r.sense.get(2).unwrap_or(&0),
            r.sense.get(12).unwrap_or(&0),
            r.sense.get(13).unwrap_or(&0)
        ),
        Answer::Nvme(r) => format!("status {:#x}", r.status),
        Answer::Read(bytes) => format!("read {bytes}"),
        Answer::TimedReads(took) => format!("{} reads", took.len()),
        Answer::AccessState { access_state, .. } => access_state.as_deref().unwrap_or("-").into(),
    }
}

fn raw_check(raw: &RawCheck) -> String {
    let answers: Vec<String> = raw.answers.iter().map(answer).collect();
    format!("{} {}", raw.sysfs_state.as_deref().unwrap_or("-"), answers.join(", "))
}

fn ask(ask: &Ask) -> String {
    match ask {
        Ask::Scsi(command) => match command.cdb() {
            [0x00, ..] => "tur".into(),
            [0x28, ..] => "read".into(),
            [0x12, 1, page, ..] => format!("vpd{page:02x}"),
            [0x12, ..] => "inquiry".into(),
            [0xa3, ..] => "rtpg".into(),
            cdb => format!("scsi{:02x}", cdb.first().unwrap_or(&0)),
        },
        Ask::Nvme(command) => format!("nvme{:02x}", command.opcode),
        Ask::DirectRead => "directio".into(),
        Ask::TimedReads { count, .. } => format!("{count}reads"),
        Ask::AccessState => "access_state".into(),
    }
}

fn uevent(event: &Uevent) -> String {
    let mut out = format!("uevent {:?} {}", event.action, event.name).to_lowercase();
    for key in ["MAJOR", "MINOR", "ID_SERIAL", "DM_NAME", "DM_UUID", "DM_ACTION", "DM_PATH"] {
        if let Some(value) = event.properties.get(key) {
            let _ = write!(out, " {key}={value}");
        }
    }
    out
}

fn map(map: &RawMap) -> String {
    let mut out = format!("{} {} {}", map.name, map.uuid, map.devt);
    if map.suspended {
        out.push_str(" suspended");
    }
    for target in &map.targets {
        let _ = write!(out, " [{} {} {}| {}]", target.sectors, target.kind, target.table, target.status);
    }
    out
}

/// What the daemon is told.
pub fn event(event: &Event) -> String {
    match event {
        Event::Config { token, loaded } => {
            format!("#{} config, {} diagnostics", token.0, loaded.diagnostics.len())
        }
        Event::Surveyed { token, .. } => format!("#{} surveyed", token.0),
        Event::NativeRead { token, .. } => format!("#{} native read", token.0),
        Event::Enumerated { token, found: Err(errno) } => format!("#{} not enumerated: {errno}", token.0),
        Event::Enumerated { token, found: Ok(found) } => {
            let disks: Vec<&str> = found.disks.iter().map(libmp::types::PathName::as_str).collect();
            let maps: Vec<String> = found.maps.iter().map(map).collect();
            format!("#{} enumerated: {}; maps: {}", token.0, disks.join(" "), maps.join("; "))
        }
        Event::Uevent(e) => uevent(e),
        Event::UeventsLost => "uevents lost".into(),
        Event::Probed { token, probe: Ok(probe) } => format!(
            "#{} probed {} {} {} sectors, ID_SERIAL={}",
            token.0,
            probe.devt,
            probe.state.as_deref().unwrap_or("-"),
            probe.sectors,
            probe.properties.get("ID_SERIAL").map_or("-", String::as_str)
        ),
        Event::Probed { token, probe: Err(errno) } => format!("#{} probe failed: {errno}", token.0),
        Event::Checking { token, sysfs_state } => format!("#{} checking: {sysfs_state}", token.0),
        Event::Checked { token, raw } => format!("#{} checked: {}", token.0, raw_check(raw)),
        Event::DmDone { token, done } => format!(
            "#{} dm: {}; {}",
            token.0,
            done.result.as_ref().map_or_else(|f| format!("{} failed: {}", f.step, f.errno), |()| "ok".into()),
            match &done.map {
                Ok(Some(raw)) => map(raw),
                Ok(None) => "no map".into(),
                Err(errno) => format!("not read: {errno}"),
            }
        ),
        Event::DmChanged(list) => {
            let list: Vec<String> = list.iter().map(|e| format!("{}={}", e.name, e.event_nr)).collect();
            format!("dm changed: {}", list.join(" "))
        }
        Event::SysfsWritten { token, result } => format!("#{} sysfs written: {result:?}", token.0),
        Event::Saved { token, result } => format!("#{} saved: {result:?}", token.0),
        Event::Request { id, command, .. } => format!("request {}: {command}", id.0),
        Event::Attention { device, told } => format!("{device}: {told}"),
        Event::Fabric(message) => format!("fabric: {message:?}"),
        Event::Signal(signal) => format!("signal {signal:?}"),
        Event::Tick => "tick".into(),
    }
}

fn op(wwid: &Wwid, op: &DmOp) -> String {
    match op {
        DmOp::Create { name, load, .. } => {
            format!("create {wwid} as {name} {} {}", load.sectors, load.params)
        }
        DmOp::Reload { load, flush, .. } => {
            let flush = if *flush { " (flush)" } else { "" };
            format!("reload {wwid}{flush} {} {}", load.sectors, load.params)
        }
        DmOp::Rename { to, .. } => format!("rename {wwid} to {to}"),
        DmOp::Remove { deferred } => {
            format!("remove {wwid}{}", if *deferred { " (deferred)" } else { "" })
        }
        DmOp::CancelRemove => format!("cancel remove {wwid}"),
        DmOp::Message { messages } => format!("message {wwid} {}", messages.join(", ")),
        DmOp::Suspend => format!("suspend {wwid}"),
        DmOp::Resume { .. } => format!("resume {wwid}"),
        DmOp::Reassign { paths } => {
            let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
            format!("reassign {wwid} {}", paths.join(" "))
        }
        DmOp::RenamePartitions { names } => {
            let names: Vec<String> = names.iter().map(|(uuid, to)| format!("{uuid} to {to}")).collect();
            format!("rename {}", names.join(", "))
        }
        DmOp::Query { .. } => format!("query {wwid}"),
    }
}

/// What the daemon orders.
pub fn effect(effect: &Effect) -> String {
    match effect {
        Effect::LoadConfig { token } => format!("#{} load config", token.0),
        Effect::Survey { token, .. } => format!("#{} survey", token.0),
        Effect::ReadNative { token } => format!("#{} read native", token.0),
        Effect::Enumerate { token } => format!("#{} enumerate", token.0),
        Effect::Probe { token, name } => format!("#{} probe {name}", token.0),
        Effect::Check { token, name, devt, request } => {
            let asks: Vec<String> = request.asks.iter().map(ask).collect();
            format!("#{} check {name} {devt} {}", token.0, asks.join("+"))
        }
        Effect::Dm { token, wwid, op: it } => format!("#{} dm {}", token.0, op(wwid, it)),
        Effect::SysfsWrite { token, name, attribute, value, .. } => {
            format!("#{} write {value} to {name}/{attribute}", token.0)
        }
        Effect::Save { token, file, text, .. } => format!("#{} save {file:?}: {text:?}", token.0),
        Effect::Mark { token, wwid, failed } => format!("#{} mark {wwid} failed: {failed}", token.0),
        Effect::Forget { name } => format!("forget {name}"),
        Effect::Reply { id, text } => {
            format!("reply {}: {:?}", id.0, text.chars().take(60).collect::<String>())
        }
        Effect::Book { id, book } => format!("book for {}: {book:?}", id.0),
        Effect::Notify(notice) => format!("log: {notice}"),
        Effect::Verbosity(level) => format!("verbosity {level}"),
        Effect::OpenFiles(limit) => format!("open files: {limit:?}"),
        Effect::ListenToFabric(is) => format!("listen to fabric: {is}"),
        Effect::Ready => "ready".into(),
        Effect::Exit => "exit".into(),
    }
}
