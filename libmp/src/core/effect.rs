//! What the core orders. Adapters carry it out and report back under the effect's token.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::check::CheckRequest;
use crate::config::settings::MaxFds;
use crate::core::event::RequestId;
use crate::core::notice::Notice;
use crate::ctl::Book;
use crate::dm::op::DmOp;
use crate::types::{DevT, PathName, Token, Wwid};

/// One thing to do. All but `Reply`, `Book`, `Notify`, `Forget`, `Verbosity`, `OpenFiles`, `ListenToFabric`,
/// `Ready` and `Exit` are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read multipath.conf, conf.d, bindings and wwids → `Event::Config`.
    LoadConfig {
        /// To be given back.
        token: Token,
    },
    /// Read all that a reconfigure would read, with another file in the place of multipath.conf where one
    /// is named → `Event::Surveyed`. Nothing of it is used but for the plan that was asked for.
    Survey {
        /// To be given back.
        token: Token,
        /// Its path.
        file: Option<String>,
    },
    /// List all disks and all maps → `Event::Enumerated`.
    Enumerate {
        /// To be given back.
        token: Token,
    },
    /// Read what sysfs and udev's database know of a path → `Event::Probed`.
    Probe {
        /// To be given back.
        token: Token,
        /// The path.
        name: PathName,
    },
    /// Check a path (and read its priority) → `Event::Checked`.
    Check {
        /// To be given back.
        token: Token,
        /// The path.
        name: PathName,
        /// Its device number: a node of that name with another number is not the one.
        devt: DevT,
        /// What to do.
        request: CheckRequest,
    },
    /// Change or read a map → `Event::DmDone`.
    Dm {
        /// To be given back.
        token: Token,
        /// The map of this LUN.
        wwid: Wwid,
        /// What to do.
        op: DmOp,
    },
    /// Write an attribute of a disk, or of a layer that it stands on → `Event::SysfsWritten`.
    SysfsWrite {
        /// To be given back.
        token: Token,
        /// The disk.
        name: PathName,
        /// Its device number: a disk of that name with another number is not the one.
        devt: DevT,
        /// The attribute below `/sys/block/NAME/` (`uevent`, that of its partitions as well; `queue/max_sectors_kb`, `device/delete`),
        /// or of a layer by its class (`fc_remote_ports/dev_loss_tmo`).
        attribute: &'static str,
        /// The text.
        value: String,
    },
    /// Read what the kernel's own NVMe multipathing has → `Event::NativeRead`.
    ReadNative {
        /// To be given back.
        token: Token,
    },
    /// Replace a state file as a whole → `Event::Saved`.
    Save {
        /// To be given back.
        token: Token,
        /// Which.
        file: StateFile,
        /// All of its text.
        text: Arc<str>,
        /// The text that it was made from: what else is in the file somebody has edited, and stays.
        was: Arc<str>,
    },
    /// Mark a LUN as one that no map could be made of (`/run/multipath/failed_wwids`), or take its mark away
    /// → `Event::Saved`.
    Mark {
        /// To be given back.
        token: Token,
        /// The LUN.
        wwid: Wwid,
        /// Mark it.
        failed: bool,
    },
    /// A path is gone: close what is held open of it.
    Forget {
        /// The path.
        name: PathName,
    },
    /// Answer a client: the text, as it goes over the wire (without the final NUL).
    Reply {
        /// Whom.
        id: RequestId,
        /// What.
        text: String,
    },
    /// Answer a client with what is in the daemon's own books.
    Book {
        /// Whom.
        id: RequestId,
        /// Which.
        book: Book,
    },
    /// Tell the log, and whoever follows events, what happened.
    Notify(Notice),
    /// The configuration that holds from now on wants so much logged, where the command line does not
    /// say (`verbosity`).
    Verbosity(u8),
    /// So many files may have to be open (`max_fds`).
    OpenFiles(MaxFds),
    /// Whether messages of the Fibre Channel fabric are wanted from now on → `Event::Fabric`, each.
    ListenToFabric(bool),
    /// The start is over: tell the service manager.
    Ready,
    /// Stop the process: everything that had to be said and done has been.
    Exit,
}

/// Files that persist: the daemon's run, and but for the last one the machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateFile {
    /// `/etc/multipath/bindings`
    Bindings,
    /// `/etc/multipath/wwids`
    Wwids,
    /// `/run/multipath/queueing`
    Queueing,
}

/// Collects the effects of one `handle`.
#[derive(Debug, Default)]
pub struct Outbox {
    effects: Vec<Effect>,
}

impl Outbox {
    /// An empty one.
    pub const fn new() -> Self {
        Self { effects: Vec::new() }
    }
    /// Adds an effect.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
    /// Adds a notice.
    pub fn notify(&mut self, notice: Notice) {
        self.push(Effect::Notify(notice));
    }
    /// Takes everything out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.effects.drain(..)
    }
    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }
}
