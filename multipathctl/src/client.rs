//! One connection to the daemon, with a limit on every wait.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use libmp::ctl::wire::{self, Decoder};
use mpathcmd::socket::{self, Wait};
use multipathd::reading;
use multipathd::sys::files::Files;
use nix::errno::Errno;

/// How long a reply may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The daemon gives its answers within `uxsock_timeout`, which is in its configuration. That is read when the least such time is over.
    Configured,
    /// So long.
    Only(Duration),
}

impl Patience {
    /// Without a look at the configuration.
    pub const fn at_first(self) -> Duration {
        match self {
            Self::Configured => REPLY_LIMIT,
            Self::Only(limit) => limit,
        }
    }

    fn in_all(self) -> Duration {
        match self {
            Self::Configured => {
                let (config, _) = reading::load(&Files::default().read());
                config.globals().uxsock_timeout.max(REPLY_LIMIT)
            }
            Self::Only(limit) => limit,
        }
    }
}

/// The least `uxsock_timeout`.
pub const REPLY_LIMIT: Duration = Duration::from_secs(4);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Not in time.
    #[error("timeout receiving packet")]
    TimedOut,
    /// The connection failed.
    #[error("error {} receiving packet", -.0)]
    Failed(i32),
}

impl From<io::Error> for AskError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Failed(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    decoder: Decoder,
    patience: Patience,
}

impl Client {
    /// Connects; each answer may then take so long.
    pub fn connect(patience: Patience) -> io::Result<Self> {
        let stream = socket::open(socket::named().as_deref(), Wait::AtMost(patience.at_first()))?.into();
        Ok(Self { stream, decoder: Decoder::new(wire::MAX_REPLY_BYTES), patience })
    }

    /// The same, if there is a daemon. One whose queue of connections stays full is there, and does not answer.
    pub fn if_there(patience: Patience) -> Result<Option<Self>, AskError> {
        match Self::connect(patience) {
            Ok(client) => Ok(Some(client)),
            Err(error) if is_busy(&error) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// Leaves this connection for a new one.
    pub fn reconnect(&mut self) -> io::Result<()> {
        *self = Self::connect(self.patience)?;
        Ok(())
    }

    /// Sends a line and waits for its reply. After an error the connection is of no use any more.
    pub fn ask(&mut self, line: &str) -> Result<String, AskError> {
        let start = Instant::now();
        self.send(line)?;
        match self.receive(Some(start + self.patience.at_first())) {
            Err(AskError::TimedOut) => self.receive(Some(start + self.patience.in_all())),
            received => received,
        }
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) -> Result<(), AskError> {
        self.stream.set_write_timeout(Some(self.patience.at_first()))?;
        self.stream.write_all(&wire::encode(line))?;
        Ok(())
    }

    /// Waits for the next message, until `deadline` at the most.
    pub fn receive(&mut self, deadline: Option<Instant>) -> Result<String, AskError> {
        let mut piece = vec![0; 64 << 10];
        loop {
            match self.decoder.next_message() {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(_) => return Err(AskError::Failed(Errno::EIO as i32)),
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(AskError::TimedOut);
            }
            self.stream.set_read_timeout(left)?;
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(AskError::Failed(Errno::EIO as i32)),
                Ok(bytes) => self.decoder.push(&piece[..bytes]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Is it another daemon's socket than that of the service?
pub fn socket_is_named() -> bool {
    socket::named().is_some()
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}
