//! The end of queueing in every map, without the core: for the end of a machine whose daemon is gone or does not answer.
//!
//! Only device-mapper is asked, and each map in a thread of its own: one that a call hangs in keeps no other waiting.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use libmp::dm::op::{DmOp, RawMap, UdevFlags, wwid_of};
use libmp::dm::table::Table;

use crate::sys::dm::Mapper;

const STACK: usize = 128 << 10;
/// To the multipath target.
const FAIL_IF_NO_PATH: &str = "fail_if_no_path";

/// Ends it. Waits for `limit` at the most; the error has a line for each map that may queue still.
pub fn end_all(limit: Duration) -> Result<(), String> {
    let mapper = Arc::new(Mapper::open()?);
    let maps = mapper.list().map_err(|errno| format!("device-mapper lists no maps: {errno}"))?;
    let end = Instant::now() + limit;
    let (done, results) = channel();
    let (mut left, mut wrong) = (BTreeSet::new(), Vec::new());
    for map in maps.into_iter().filter(|map| wwid_of(&map.uuid).is_some()) {
        let name = map.name.clone();
        let (mapper, done) = (Arc::clone(&mapper), done.clone());
        let work = move || drop(done.send((map.name, end_of(&mapper, &map.uuid))));
        match thread::Builder::new().name("queues".into()).stack_size(STACK).spawn(work) {
            Ok(_) => drop(left.insert(name)),
            Err(error) => wrong.push(format!("{name}: no thread: {error}")),
        }
    }
    drop(done);
    while !left.is_empty() {
        match results.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok((name, result)) => {
                left.remove(&name);
                wrong.extend(result.err().map(|why| format!("{name}: {why}")));
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    wrong.extend(left.iter().map(|name| format!("{name}: no answer of device-mapper in {limit:?}")));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn end_of(mapper: &Mapper, uuid: &str) -> Result<(), String> {
    let end = DmOp::Message { messages: vec![FAIL_IF_NO_PATH.into()] };
    let steps = match mapper.read(uuid) {
        Ok(None) => Vec::new(),
        Ok(Some(map)) if !map.suspended && !queues(&map) => Vec::new(),
        // It takes no message while it is suspended, and its I/O waits, whatever its paths are.
        Ok(Some(map)) if map.suspended => vec![DmOp::Resume { flags: UdevFlags::default() }, end],
        _ => vec![end],
    };
    steps.iter().try_for_each(|step| {
        let result = mapper.perform(uuid, step).result;
        result.map_err(|why| format!("{}: {}", why.step, why.errno))
    })
}

/// What can't be read may.
fn queues(map: &RawMap) -> bool {
    map.targets.iter().any(|target| target.table.parse::<Table>().map_or(true, |table| table.queues()))
}
