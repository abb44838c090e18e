//! Checks: what a [`CheckRequest`] asks for, done. What comes back is not looked into, but for the
//! state in sysfs: a device that is offline is not asked anything (see [`RawIo::None`]).

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use libmp::check::sysfs::is_blocked;
use libmp::check::{CheckIo, CheckRequest, RawCheck, RawIo, ScsiReply};
use libmp::prio::{PrioIo, RawPrio};
use libmp::types::{DevT, Errno, PathName};
use tokio::sync::OnceCell;

use crate::sys::block::{self, Purpose};
use crate::sys::buffer::Buffer;
use crate::sys::lane::{Closing, Lane};
use crate::sys::scsi::{self, Command, Generic};
use crate::sys::sysfs::{self, Attribute};
use crate::sys::uring::Ring;

/// A first guess at the length of REPORT TARGET PORT GROUPS' answer; it says itself how long it is.
const RTPG_LENGTH: u16 = 1024;

/// Checks paths, and keeps open what it needs for that.
pub struct Checks {
    paths: Mutex<HashMap<PathName, Arc<OpenPath>>>,
    /// Opens, and hand-overs of commands.
    lane: Lane,
    /// `None` where the kernel has none, or forbids it.
    ring: Option<Arc<Ring>>,
}

/// A path, and what of it is open. Everything is opened when it is first needed.
struct OpenPath {
    name: PathName,
    devt: DevT,
    state: Option<Attribute>,
    access_state: OnceLock<Attribute>,
    preferred_path: OnceLock<Attribute>,
    generic: OnceCell<Option<Arc<Generic>>>,
    commands: OnceCell<Arc<Closing<File>>>,
    reads: OnceCell<(Arc<Closing<File>>, usize)>,
}

impl Checks {
    /// To be called inside the runtime.
    pub fn new() -> Arc<Self> {
        let ring = Ring::new()
            .inspect_err(|errno| tracing::info!("no io_uring ({errno}): direct reads take a thread each"))
            .ok();
        Arc::new(Self { paths: Mutex::default(), lane: Lane::new(), ring })
    }

    /// Closes what is open of a path, as soon as nobody uses it.
    pub fn forget(&self, name: &PathName) {
        self.lock().remove(name);
    }

    /// Checks a path. Ends when the device has answered, however late.
    ///
    /// A device that its transport has blocked is asked all the same, and `waits` is told of its
    /// state: the answer comes as soon as the transport is back or given up.
    pub async fn check(
        &self,
        name: PathName,
        devt: DevT,
        request: CheckRequest,
        waits: impl FnOnce(String),
    ) -> RawCheck {
        let (path, mut sysfs_state) = self.path(&name, devt);
        let blocked = sysfs_state.clone().filter(|state| is_blocked(Some(state)));
        let running = blocked.is_some() || matches!(sysfs_state.as_deref(), None | Some("running" | "live"));
        let waited = blocked.map(waits).is_some();
        let (io, prio) = tokio::join!(self.io(&path, &request, running), self.prio(&path, &request, running));
        if waited {
            sysfs_state = path.state.as_ref().and_then(|state| state.read().ok());
        }
        if io == RawIo::Failed(Errno::ENODEV) || io == RawIo::Failed(Errno::ENXIO) {
            // What was open led to a device that is gone; another may have its name by now.
            self.forget_this(&path);
        }
        RawCheck { sysfs_state, io, prio }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathName, Arc<OpenPath>>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path, and its state in sysfs. An open attribute of a device that is gone can't be read any
    /// more, whatever comes in its place: then all is opened anew.
    fn path(&self, name: &PathName, devt: DevT) -> (Arc<OpenPath>, Option<String>) {
        let mut paths = self.lock();
        if let Some(path) = paths.get(name).filter(|path| path.devt == devt) {
            match path.state.as_ref().map(Attribute::read) {
                Some(Ok(state)) => return (path.clone(), Some(state)),
                None => return (path.clone(), None),
                Some(Err(_)) => {}
            }
        }
        let path = Arc::new(OpenPath::new(name.clone(), devt));
        let state = path.state.as_ref().and_then(|state| state.read().ok());
        paths.insert(name.clone(), path.clone());
        (path, state)
    }

    fn forget_this(&self, path: &Arc<OpenPath>) {
        let mut paths = self.lock();
        if paths.get(&path.name).is_some_and(|cached| Arc::ptr_eq(cached, path)) {
            paths.remove(&path.name);
        }
    }

    async fn io(&self, path: &Arc<OpenPath>, request: &CheckRequest, running: bool) -> RawIo {
        if !running {
            return RawIo::None;
        }
        let scsi = match request.io {
            CheckIo::SysfsState => return RawIo::None,
            CheckIo::DirectRead => return self.direct_read(path).await,
            CheckIo::TestUnitReady => self.scsi(path, Command::test_unit_ready(request.timeout)).await,
            CheckIo::ReadSector0 => self.read_block_0(path, request.timeout).await,
        };
        scsi.map_or_else(RawIo::Failed, RawIo::Scsi)
    }

    async fn prio(&self, path: &Arc<OpenPath>, request: &CheckRequest, running: bool) -> Option<RawPrio> {
        match request.prio.as_ref()? {
            PrioIo::SysfsAccessState => Some(RawPrio::Sysfs {
                access_state: path.read_again(&path.access_state, "device/access_state"),
                preferred_path: path.read_again(&path.preferred_path, "device/preferred_path"),
            }),
            PrioIo::ReportTargetPortGroups if running => {
                Some(RawPrio::Rtpg(self.target_port_groups(path, request.timeout).await))
            }
            PrioIo::ReportTargetPortGroups => None,
        }
    }

    /// Asks again with more room where the answer says that it is longer.
    async fn target_port_groups(&self, path: &Arc<OpenPath>, limit: Duration) -> Result<ScsiReply, Errno> {
        let reply = self.scsi(path, Command::report_target_port_groups(RTPG_LENGTH, limit)).await?;
        let length = reply.data.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes).saturating_add(4));
        match u16::try_from(length) {
            Ok(length) if length > RTPG_LENGTH => {
                self.scsi(path, Command::report_target_port_groups(length, limit)).await
            }
            _ => Ok(reply),
        }
    }

    async fn read_block_0(&self, path: &Arc<OpenPath>, limit: Duration) -> Result<ScsiReply, Errno> {
        let block_size = sysfs::attribute(&path.name, "queue/logical_block_size")
            .and_then(|size| size.parse().ok())
            .unwrap_or(512);
        self.scsi(path, Command::read_block_0(block_size, limit)).await
    }

    async fn scsi(&self, path: &Arc<OpenPath>, command: Command) -> Result<ScsiReply, Errno> {
        if let Some(generic) = self.generic(path).await {
            return generic.execute(&command).await;
        }
        let opening = path.clone();
        let open = || async move {
            let open = move || block::open(&opening.name, opening.devt, Purpose::Commands);
            self.lane.run(open).await.map(|file| Arc::new(Closing::new(file, &self.lane)))
        };
        let disk = path.commands.get_or_try_init(open).await?.clone();
        // Each takes as long as the device likes: not on the lane.
        blocking(move || scsi::execute_blocking(&disk, &command)).await
    }

    async fn generic(&self, path: &Arc<OpenPath>) -> Option<Arc<Generic>> {
        let devt = path.devt;
        let open = || async move {
            let file = self.lane.run(move || Ok(scsi::open_generic(devt))).await.ok()??;
            Generic::new(file, &self.lane).map(Arc::new).ok()
        };
        path.generic.get_or_init(open).await.clone()
    }

    async fn direct_read(&self, path: &Arc<OpenPath>) -> RawIo {
        let opening = path.clone();
        let open = || async move {
            let open = move || {
                let file = block::open(&opening.name, opening.devt, Purpose::DirectReads)?;
                let size = block::logical_block_size(&file);
                Ok::<_, Errno>((file, size))
            };
            let (file, size) = self.lane.run(open).await?;
            Ok::<_, Errno>((Arc::new(Closing::new(file, &self.lane)), size))
        };
        let (file, size) = match path.reads.get_or_try_init(open).await {
            Ok((file, size)) => (file.clone(), *size),
            Err(errno) => return RawIo::Failed(errno),
        };
        RawIo::Read(match &self.ring {
            Some(ring) => ring.read_start(file, size).await,
            None => blocking(move || block::read_start(&file, &Buffer::for_direct_io(size))).await,
        })
    }
}

impl OpenPath {
    fn new(name: PathName, devt: DevT) -> Self {
        let is_this = sysfs::attribute(&name, "dev").and_then(|dev| dev.parse().ok()) == Some(devt);
        let state = if is_this { Attribute::open(&name, "device/state") } else { None };
        Self {
            name,
            devt,
            state,
            access_state: OnceLock::new(),
            preferred_path: OnceLock::new(),
            generic: OnceCell::new(),
            commands: OnceCell::new(),
            reads: OnceCell::new(),
        }
    }

    /// An attribute that each check wants, opened by the first.
    fn read_again(&self, kept: &OnceLock<Attribute>, attribute: &str) -> Option<String> {
        if kept.get().is_none() {
            let _ = kept.set(Attribute::open(&self.name, attribute)?);
        }
        kept.get()?.read().ok()
    }
}

/// A call that takes a thread for as long as it lasts.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, Errno> + Send + 'static,
) -> Result<T, Errno> {
    tokio::task::spawn_blocking(call).await.unwrap_or(Err(Errno::EIO))
}
