//! Checks: what a [`CheckRequest`] asks, asked, all of it side by side. What comes back is not looked
//! into, but for the state in sysfs: a device that is offline is not asked (see [`Answer::NotAsked`]).

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use libmp::check::command::ScsiCommand;
use libmp::check::sysfs::is_blocked;
use libmp::check::{Answer, Answered, Ask, CheckRequest, RawCheck, ScsiReply};
use libmp::types::{DevT, Errno, PathName};
use tokio::sync::OnceCell;
use tracing::debug;

use crate::sys::block::{self, Block, Purpose};
use crate::sys::blocking::blocking;
use crate::sys::lane::{Closing, Lane};
use crate::sys::nvme;
use crate::sys::scsi::{self, Command, Generic, Sent};
use crate::sys::sysfs::{Attribute, Kept};
use crate::sys::uring::Ring;

/// Checks paths, and keeps open what it needs for that.
pub struct Checks {
    open: Mutex<Open>,
    /// Opens, and hand-overs of commands.
    lane: Lane,
    /// `None` where the kernel has none, or forbids it.
    ring: Option<Arc<Ring>>,
}

#[derive(Default)]
struct Open {
    paths: HashMap<PathName, Arc<OpenPath>>,
    /// Probes that are under way.
    probes: usize,
    /// What was to be forgotten since there was none, and when that was last.
    forgotten: HashMap<PathName, u64>,
    /// How often something was, ever.
    forgets: u64,
}

/// A probe that is under way: what it opens of a path may be kept for its checks.
pub struct Probing {
    checks: Arc<Checks>,
    /// What had been forgotten when it began.
    before: u64,
}

/// A path, and what of it is open. Everything is opened when it is first needed.
struct OpenPath {
    name: PathName,
    devt: DevT,
    state: Option<Attribute>,
    access_state: OnceLock<Attribute>,
    preferred_path: OnceLock<Attribute>,
    generic: OnceCell<Arc<Generic>>,
    commands: OnceCell<Arc<Closing<File>>>,
    reads: OnceCell<(Arc<Closing<File>>, Block)>,
}

impl Checks {
    /// To be called inside the runtime.
    pub fn new() -> Arc<Self> {
        let ring = Ring::new()
            .inspect_err(|errno| tracing::info!("no io_uring ({errno}): direct reads take a thread each"))
            .ok();
        Arc::new(Self { open: Mutex::default(), lane: Lane::new(), ring })
    }

    /// A probe begins.
    pub fn probing(self: &Arc<Self>) -> Probing {
        let mut open = self.lock();
        open.probes += 1;
        Probing { checks: self.clone(), before: open.forgets }
    }

    /// Closes what is open of a path, as soon as nobody uses it. A probe of it that is under way keeps nothing.
    pub fn forget(&self, name: &PathName) {
        let mut open = self.lock();
        if open.probes > 0 {
            open.forgets += 1;
            let latest = open.forgets;
            open.forgotten.insert(name.clone(), latest);
        }
        open.paths.remove(name);
    }

    /// Checks a path. Ends when the device has answered, however late.
    ///
    /// A device that its transport has blocked is asked all the same, and `waits` is told of its
    /// state: the answer comes as soon as the transport is back or given up.
    ///
    /// What is open of it is found at once, not when the check begins: a path that is forgotten in between is not opened anew.
    pub fn check<W: FnOnce(String)>(
        self: &Arc<Self>,
        name: &PathName,
        devt: DevT,
        request: CheckRequest,
        waits: W,
    ) -> impl Future<Output = Answered> + use<W> {
        let (checks, (path, mut sysfs_state)) = (self.clone(), self.path(name, devt));
        async move {
            let blocked = sysfs_state.clone().filter(|state| is_blocked(Some(state)));
            let running =
                blocked.is_some() || matches!(sysfs_state.as_deref(), None | Some("running" | "live"));
            let waited = blocked.map(waits).is_some();
            let answers = checks.ask_all(&path, &request, running).await;
            if waited {
                sysfs_state = path.state.as_ref().and_then(|state| state.read().ok());
            }
            let gone = |answer: &Answer| matches!(answer, Answer::Failed(Errno::ENODEV | Errno::ENXIO));
            if answers.iter().any(gone) {
                // What was open led to a device that is gone; another may have its name by now.
                checks.forget_this(&path);
            }
            request.answered(RawCheck { sysfs_state, answers })
        }
    }

    /// Side by side: none waits for another's answer, but for what sysfs tells of the path's access. One that can't
    /// be told, as its task ended without it, says nothing of the device.
    async fn ask_all(
        self: &Arc<Self>,
        path: &Arc<OpenPath>,
        request: &CheckRequest,
        running: bool,
    ) -> Vec<Answer> {
        let limit = request.timeout;
        let mut asks = request.asks.iter().cloned();
        let Some(first) = asks.next() else { return Vec::new() };
        let others: Vec<_> = asks
            .map(|ask| {
                // It takes no time, and may be what the kernel learns from the device's answer.
                if matches!(ask, Ask::AccessState) {
                    return None;
                }
                let (checks, path) = (self.clone(), path.clone());
                Some(tokio::spawn(async move { checks.ask(&path, ask, limit, running).await }))
            })
            .collect();
        let mut answers = vec![self.ask(path, first, limit, running).await];
        for other in others {
            answers.push(match other {
                Some(asked) => asked.await.unwrap_or(Answer::Failed(Errno::EAGAIN)),
                None => path.access(),
            });
        }
        answers
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path, and its state in sysfs. An open attribute of a device that is gone can't be read any
    /// more, whatever comes in its place: then all is opened anew.
    fn path(&self, name: &PathName, devt: DevT) -> (Arc<OpenPath>, Option<String>) {
        let paths = &mut self.lock().paths;
        if let Some(path) = paths.get(name).filter(|path| path.devt == devt) {
            match path.state.as_ref().map(Attribute::read) {
                Some(Ok(state)) => return (path.clone(), Some(state)),
                // It has none, or could not be opened the last time: for want of descriptors, or as the disk was away.
                None if Attribute::open(devt, "device/state").is_none() => return (path.clone(), None),
                None | Some(Err(_)) => {}
            }
        }
        let kept = Kept { state: Attribute::open(devt, "device/state"), ..Kept::default() };
        let path = Arc::new(OpenPath::new(name.clone(), devt, kept));
        let state = path.state.as_ref().and_then(|state| state.read().ok());
        paths.insert(name.clone(), path.clone());
        (path, state)
    }

    fn forget_this(&self, path: &Arc<OpenPath>) {
        let paths = &mut self.lock().paths;
        if paths.get(&path.name).is_some_and(|cached| Arc::ptr_eq(cached, path)) {
            paths.remove(&path.name);
        }
    }

    /// A direct read takes little memory while it is awaited. What takes more is on the heap, not in each check.
    async fn ask(&self, path: &Arc<OpenPath>, ask: Ask, limit: Duration, running: bool) -> Answer {
        let answer = match ask {
            Ask::AccessState => return path.access(),
            _ if !running => return Answer::NotAsked,
            Ask::DirectRead => {
                let read = self.direct_read(path).await;
                // For who wants to know why a path is down: its checker's words do not say.
                match &read {
                    Ok(0) => debug!("{}: a direct read found no block", path.name),
                    Ok(_) => {}
                    Err(errno) => debug!("{}: a direct read failed: {errno}", path.name),
                }
                read.map(Answer::Read)
            }
            Ask::TimedReads { count, within } => {
                Box::pin(self.timed_reads(path, count, within)).await.map(Answer::TimedReads)
            }
            Ask::Scsi(command) => Box::pin(self.scsi(path, command, limit)).await.map(Answer::Scsi),
            Ask::Nvme(command) => {
                let send = move |node: &File| nvme::execute_blocking(node, &command, limit);
                Box::pin(self.on_node(path, send)).await.map(Answer::Nvme)
            }
        };
        answer.unwrap_or_else(Answer::Failed)
    }

    async fn timed_reads(
        &self,
        path: &Arc<OpenPath>,
        count: u16,
        within: Duration,
    ) -> Result<Vec<Duration>, Errno> {
        let start = Instant::now();
        let mut took = Vec::new();
        while took.len() < usize::from(count) && (took.is_empty() || start.elapsed() < within) {
            let began = Instant::now();
            self.direct_read(path).await?;
            took.push(began.elapsed());
        }
        Ok(took)
    }

    async fn scsi(
        &self,
        path: &Arc<OpenPath>,
        command: ScsiCommand,
        timeout: Duration,
    ) -> Result<ScsiReply, Errno> {
        let command = Command { command, timeout };
        if let Some(generic) = path.generic.get() {
            return generic.answer_to(generic.order(&command)).await;
        }
        Box::pin(self.first_scsi(path, command)).await
    }

    /// The generic device is opened for the first command, which is sent at once. Where there is none, each goes to the path's node.
    async fn first_scsi(&self, path: &Arc<OpenPath>, command: Command) -> Result<ScsiReply, Errno> {
        match self.generic(path, &command).await {
            (Some(generic), Some(sent)) => generic.answer_to(sent).await,
            (Some(generic), None) => generic.answer_to(generic.order(&command)).await,
            (None, _) => self.on_node(path, move |disk| scsi::execute_blocking(disk, &command)).await,
        }
    }

    /// A call on the path's own node. Each takes as long as the device likes: not on the lane.
    async fn on_node<T: Send + 'static>(
        &self,
        path: &Arc<OpenPath>,
        call: impl FnOnce(&File) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T, Errno> {
        let opening = path.clone();
        let open = || async move {
            let open = move || block::open(&opening.name, opening.devt, Purpose::Commands);
            self.lane.run(open).await.map(|file| Arc::new(Closing::new(file, &self.lane)))
        };
        let node = path.commands.get_or_try_init(open).await?.clone();
        blocking(move || call(&node)).await
    }

    /// The generic device, and the command if it had to be opened for it. One that is not there may come: its driver is loaded later
    /// than the disk's.
    async fn generic(&self, path: &Arc<OpenPath>, command: &Command) -> (Option<Arc<Generic>>, Option<Sent>) {
        let mut sent = None;
        let first_sent = &mut sent;
        let open = move || async move {
            let (devt, lane, first) = (path.devt, self.lane.clone(), command.clone());
            let open = move || {
                let generic = scsi::open_generic(devt).and_then(|file| Generic::new(file, &lane).ok());
                Ok(generic.map(|generic| {
                    let sent = generic.send(&first);
                    (Arc::new(generic), sent)
                }))
            };
            let (generic, first) = self.lane.run(open).await.ok().flatten().ok_or(())?;
            *first_sent = Some(first);
            Ok::<_, ()>(generic)
        };
        let generic = path.generic.get_or_try_init(open).await.ok().cloned();
        (generic, sent)
    }

    async fn direct_read(&self, path: &Arc<OpenPath>) -> Result<usize, Errno> {
        let open = match path.reads.get() {
            Some(open) => open,
            None => Box::pin(self.open_for_reads(path)).await?,
        };
        let (file, block) = open.clone();
        match &self.ring {
            Some(ring) => ring.read_start(file, block).await,
            None => Box::pin(blocking(move || block::read_start(&file, block))).await,
        }
    }

    async fn open_for_reads<'a>(
        &self,
        path: &'a Arc<OpenPath>,
    ) -> Result<&'a (Arc<Closing<File>>, Block), Errno> {
        let opening = path.clone();
        let open = || async move {
            let open = move || {
                let file = block::open(&opening.name, opening.devt, Purpose::DirectReads)?;
                let block = Block::of(&file, opening.devt);
                Ok::<_, Errno>((file, block))
            };
            let (file, block) = self.lane.run(open).await?;
            Ok::<_, Errno>((Arc::new(Closing::new(file, &self.lane)), block))
        };
        path.reads.get_or_try_init(open).await
    }
}

impl Probing {
    /// Attributes of the path: its checks read them, unless some are open, or the path was to be forgotten meanwhile.
    pub fn keep(&self, name: &PathName, devt: DevT, kept: Kept) {
        let mut open = self.checks.lock();
        let is_forgotten = open.forgotten.get(name).is_some_and(|latest| *latest > self.before);
        if !is_forgotten && open.paths.get(name).is_none_or(|path| path.devt != devt) {
            open.paths.insert(name.clone(), Arc::new(OpenPath::new(name.clone(), devt, kept)));
        }
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        let mut open = self.checks.lock();
        open.probes -= 1;
        if open.probes == 0 {
            open.forgotten = HashMap::new();
        }
    }
}

impl OpenPath {
    fn new(name: PathName, devt: DevT, kept: Kept) -> Self {
        Self {
            name,
            devt,
            state: kept.state,
            access_state: kept.access_state.map_or_else(OnceLock::new, OnceLock::from),
            preferred_path: kept.preferred_path.map_or_else(OnceLock::new, OnceLock::from),
            generic: OnceCell::new(),
            commands: OnceCell::new(),
            reads: OnceCell::new(),
        }
    }

    /// What the kernel says of the access through it.
    fn access(&self) -> Answer {
        Answer::AccessState {
            access_state: self.read_again(&self.access_state, "device/access_state"),
            preferred_path: self.read_again(&self.preferred_path, "device/preferred_path"),
        }
    }

    /// An attribute that each check wants, opened by the first.
    fn read_again(&self, kept: &OnceLock<Attribute>, attribute: &str) -> Option<String> {
        if kept.get().is_none() {
            let _ = kept.set(Attribute::open(self.devt, attribute)?);
        }
        kept.get()?.read().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check that was ordered before, and begins after, is of what was open.
    #[test]
    fn what_is_forgotten_is_not_opened_anew() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let _entered = runtime.enter();
        let (checks, name) = (Checks::new(), PathName::new("no-such-disk"));
        let asks = [Ask::DirectRead].into();
        let request = CheckRequest { asks, timeout: Duration::from_secs(1), usual: None };
        let check = checks.check(&name, DevT::default(), request, |_| ());
        checks.forget(&name);
        runtime.block_on(check);
        assert!(checks.lock().paths.is_empty());
    }

    /// There is one for each path that hangs.
    #[test]
    fn a_check_that_is_awaited_takes_little_memory() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let _entered = runtime.enter();
        let asks = [Ask::DirectRead].into();
        let request = CheckRequest { asks, timeout: Duration::ZERO, usual: None };
        let checks = Checks::new();
        let bytes = size_of_val(&checks.check(&"sda".into(), DevT::default(), request, |_| ()));
        assert!(bytes <= 600, "{bytes}");
    }
}
