//! The control sockets.
//!
//! A message, both ways: its length as a native 64-bit number, then that many bytes, the last of
//! them NUL (some clients end a request with a newline instead). Many requests may follow each other
//! on a connection; each is answered before the next is read.
//!
//! No client can hinder another one: there is a limit on connections, of each user and of all, on
//! the size of a request, and on the time that half a message or an unread reply may take. Who follows events may read as
//! slowly as he likes: he has a place in the journal, and no queue.

use std::collections::HashMap;
use std::io;
use std::os::fd::FromRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener, UnixStream as StdStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libmp::core::event::{Event, Peer, RequestId};
use libmp::ctl::Book;
use libmp::ctl::wire::{self, ABSTRACT, Decoder, ENVIRONMENT, MAX_COMMAND_BYTES, PATH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, warn};

use crate::journal::Journal;
use crate::replies::{Moment, Replies, Watch};
use crate::sys::claims::since_1970;
use crate::sys::failing::Failing;
use crate::sys::places::{Place, Places};

/// From the first byte of a request to its last.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// A reader that takes nothing for so long is given up.
const STALL_LIMIT: Duration = Duration::from_secs(5);
/// A reader that has not taken all of a reply after so long, too.
const REPLY_LIMIT: Duration = Duration::from_mins(1);
/// That connections are refused is said so often.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// A request of another user than root may be so long, as with the reference: what a format costs grows with it.
const OTHERS_COMMAND_BYTES: usize = 512;
/// So much of replies waits for clients of other users than root; who asks for more then is dropped.
const UNTAKEN_MAX: usize = 64 << 20;
/// So many replies to other users than root are made at once: a reply is not counted before it is there, and all that are asked for in one
/// turn of the loop are made in that turn.
const MADE_AT_ONCE: usize = 2;
const ROOT: u32 = 0;

/// Where a socket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// In the file system.
    Path(PathBuf),
    /// In the network namespace.
    Abstract(Vec<u8>),
}

impl Address {
    /// From its written form: an abstract one begins with `@`.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix('@') {
            Some(name) => Self::Abstract(name.into()),
            None => Self::Path(text.into()),
        }
    }

    /// The one that the environment names, else the two that are known everywhere.
    pub fn from_env() -> Vec<Self> {
        match std::env::var(ENVIRONMENT) {
            Ok(name) if !name.is_empty() => vec![Self::parse(&name)],
            _ => vec![Self::parse(PATH), Self::parse(ABSTRACT)],
        }
    }

    fn to_socket_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Path(path) => SocketAddr::from_pathname(path),
            Self::Abstract(name) => SocketAddr::from_abstract_name(name),
        }
    }

    /// Connects to it. Blocks.
    pub fn connect(&self) -> io::Result<StdStream> {
        StdStream::connect_addr(&self.to_socket_addr()?)
    }

    fn bind(&self) -> io::Result<StdListener> {
        if let Self::Path(path) = self {
            // What an earlier run left: the pid file's lock says that nobody is behind it.
            let _ = std::fs::remove_file(path);
        }
        let listener = StdListener::bind_addr(&self.to_socket_addr()?)?;
        if let Self::Path(path) = self {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
        }
        Ok(listener)
    }
}

/// The sockets, bound and listening.
#[derive(Debug)]
pub struct Listening {
    listeners: Vec<StdListener>,
    ours: Vec<Address>,
    refused: Vec<String>,
}

impl Listening {
    /// Takes the sockets that systemd passed; without any, binds them. One that can't be bound may be held by a daemon that was
    /// killed and hangs in the kernel: the others do. The error is a line.
    pub fn open(addresses: &[Address]) -> Result<Self, String> {
        let passed: Vec<StdListener> = sd_notify::listen_fds()
            .into_iter()
            .flatten()
            // SAFETY: systemd passed these descriptors to this process, and nobody else takes them.
            .map(|fd| unsafe { StdListener::from_raw_fd(fd) })
            .filter(|listener| listener.local_addr().is_ok())
            .collect();
        if !passed.is_empty() {
            return Ok(Self { listeners: passed, ours: Vec::new(), refused: Vec::new() });
        }
        let (mut listeners, mut ours, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for address in addresses {
            match address.bind() {
                Ok(bound) => {
                    listeners.push(bound);
                    ours.push(address.clone());
                }
                Err(error) => refused.push(format!("socket {address:?}: {error}")),
            }
        }
        if listeners.is_empty() && !refused.is_empty() {
            Err(refused.join("; "))
        } else {
            Ok(Self { listeners, ours, refused })
        }
    }

    /// What could not be bound, and why, a line each.
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Removes what was bound in the file system.
    pub fn remove(ours: &[Address]) {
        for address in ours {
            if let Address::Path(path) = address {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// The addresses that were bound by this process.
    pub fn ours(&self) -> &[Address] {
        &self.ours
    }

    /// Serves them. To be called inside the runtime.
    pub fn serve(self, events: UnboundedSender<Event>, journal: Arc<Journal>) -> io::Result<Server> {
        let server = Server::new(events, journal);
        for listener in self.listeners {
            listener.set_nonblocking(true)?;
            let listener = UnixListener::from_std(listener)?;
            tokio::spawn(accept(listener, server.clone()));
        }
        Ok(server)
    }
}

/// Where replies go.
#[derive(Debug, Clone)]
pub struct Server(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    events: UnboundedSender<Event>,
    journal: Arc<Journal>,
    next: AtomicU64,
    /// Requests whose replies are not gone yet.
    busy: AtomicUsize,
    waiting: Mutex<Waiting>,
    replies: Replies,
    places: Arc<Places>,
    /// Bytes of replies that other users than root have not taken yet.
    untaken: AtomicUsize,
    /// Taken before such a user's request is given to the core, held until what is left of the reply is counted.
    making: Arc<Semaphore>,
}

/// Who waits for an answer.
#[derive(Debug, Default)]
struct Waiting {
    clients: HashMap<RequestId, Client>,
    /// How many of them wait for something to happen.
    put_off: usize,
    /// When the loop's turn began; only if an answer may come that was put off.
    turn: Option<Moment>,
}

#[derive(Debug)]
struct Client {
    sender: oneshot::Sender<Answered>,
    watch: Watch,
    /// Not of root, and not while it waits for something to happen.
    permit: Option<OwnedSemaphorePermit>,
}

/// An answer, how long it took, and the permit to make it.
type Answered = (Answer, Watch, Option<OwnedSemaphorePermit>);

/// What a client gets.
#[derive(Debug)]
enum Answer {
    /// A reply.
    Reply(String),
    /// What is in the daemon's books.
    Book(Book),
}

impl Server {
    fn new(events: UnboundedSender<Event>, journal: Arc<Journal>) -> Self {
        Self(Arc::new(Shared {
            events,
            journal,
            next: AtomicU64::new(1),
            untaken: AtomicUsize::default(),
            making: Arc::new(Semaphore::new(MADE_AT_ONCE)),
            busy: AtomicUsize::new(0),
            waiting: Mutex::default(),
            replies: Replies::default(),
            places: Arc::default(),
        }))
    }

    /// Sends a reply to the client that waits for it, if it still does.
    pub fn reply(&self, id: RequestId, text: String) {
        self.answer(id, Answer::Reply(text));
    }

    /// Sends a client what is in the daemon's books.
    pub fn book(&self, id: RequestId, book: Book) {
        self.answer(id, Answer::Book(book));
    }

    fn answer(&self, id: RequestId, answer: Answer) {
        let mut waiting = self.lock();
        let Some(mut client) = waiting.clients.remove(&id) else { return };
        if client.watch.is_paused() {
            waiting.put_off -= 1;
            client.watch.resume(waiting.turn.unwrap_or_else(Moment::now));
        }
        let _ = client.sender.send((answer, client.watch, client.permit));
    }

    /// The loop begins a turn.
    pub fn turn_begins(&self) {
        let mut waiting = self.lock();
        waiting.turn = (waiting.put_off > 0).then(Moment::now);
    }

    /// It has ended, and these were asked in it: who has no answer waits for something to happen, and keeps nobody else from being
    /// answered. The core makes the replies of such one by one.
    pub fn turn_ends(&self, asked: impl Iterator<Item = RequestId>) {
        let mut waiting = self.lock();
        for id in asked {
            if let Some(client) = waiting.clients.get_mut(&id) {
                client.watch.pause(Moment::now());
                client.permit = None;
                waiting.put_off += 1;
            }
        }
    }

    /// Have all requests been replied to, and are all replies gone?
    pub fn is_idle(&self) -> bool {
        self.0.busy.load(Ordering::Acquire) == 0
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what is left of a reply; nothing where other users than root leave too much.
    fn keep(&self, peer: Peer, bytes: usize) -> Option<Kept<'_>> {
        let bytes = if peer.uid == ROOT { 0 } else { bytes };
        let before = self.0.untaken.fetch_add(bytes, Ordering::AcqRel);
        let kept = Kept(&self.0.untaken, bytes);
        let room = bytes == 0 || before + bytes <= UNTAKEN_MAX;
        if !room {
            debug!("a client is dropped: replies of {before} bytes are not taken");
        }
        room.then_some(kept)
    }

    /// The permit is to be held until what is left of the reply is counted, and no longer: who waits for it waits for no client.
    async fn ask(&self, peer: Peer, command: String) -> Option<Answered> {
        let watch = Watch::start();
        let permit = match peer.uid {
            ROOT => None,
            _ => Some(self.0.making.clone().acquire_owned().await.ok()?),
        };
        let id = RequestId(self.0.next.fetch_add(1, Ordering::Relaxed));
        let (sender, reply) = oneshot::channel();
        self.lock().clients.insert(id, Client { sender, watch, permit });
        self.0.events.send(Event::Request { id, peer, command }).ok()?;
        reply.await.ok()
    }
}

/// One request, until its reply is gone.
struct Busy(Server);

impl Busy {
    fn new(server: &Server) -> Self {
        server.0.busy.fetch_add(1, Ordering::AcqRel);
        Self(server.clone())
    }
}

/// Bytes of a reply that its client takes at its pace.
struct Kept<'a>(&'a AtomicUsize, usize);

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::AcqRel);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn accept(listener: UnixListener, server: Server) {
    let mut said: Option<Instant> = None;
    let mut failing = Failing::new("control socket");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                failing.went_well();
                let Ok(peer) = stream.peer_cred() else { continue };
                if let Some(place) = server.0.places.admit(peer.uid()) {
                    let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
                    tokio::spawn(serve(stream, server.clone(), place, Peer { uid: peer.uid(), pid }));
                } else if said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
                    said = Some(Instant::now());
                    let user = peer.uid();
                    warn!("a connection of user {user} is refused: there are too many (told once a minute)");
                }
            }
            Err(error) => {
                failing.failed(&error);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, server: Server, place: Place, peer: Peer) {
    let longest = if peer.uid == ROOT { MAX_COMMAND_BYTES } else { OTHERS_COMMAND_BYTES };
    let mut decoder = Decoder::new(longest);
    loop {
        place.idle();
        let command = tokio::select! {
            biased;
            () = place.dismissed() => None,
            command = read_request(&mut stream, &mut decoder) => command,
        };
        let Some(command) = command.filter(|_| place.at_work()) else { return };
        let busy = Busy::new(&server);
        let journal = &server.0.journal;
        let Some((answer, watch, permit)) = server.ask(peer, command.clone()).await else { return };
        let reply = match answer {
            Answer::Book(Book::EventsToCome) => {
                // Nobody waits for the end of it when the daemon stops, and it makes way like one that says nothing.
                drop(busy);
                place.idle();
                return tokio::select! {
                    () = follow(stream, journal) => {}
                    () = place.dismissed() => {}
                };
            }
            Answer::Book(Book::Events) => journal.all(),
            Answer::Book(Book::Replies(form)) => server.0.replies.show(form),
            Answer::Reply(reply) => reply,
        };
        let message = wire::encode(&reply);
        drop(reply);
        // The rest goes at the client's pace. An error comes again.
        let at_once = stream.try_write(&message).unwrap_or_default();
        server.0.replies.note(&command, watch.stop());
        let Some(_kept) = server.keep(peer, message.len() - at_once) else { return };
        drop(permit);
        if let Err(error) = write(&mut stream, &message[at_once..]).await {
            debug!("a client did not take its reply: {error}");
            return;
        }
    }
}

/// Sends what happens until the client goes, or says anything.
async fn follow(mut stream: UnixStream, journal: &Journal) {
    let (mut reader, mut writer) = stream.split();
    let mut next = journal.first();
    let send = async {
        loop {
            journal.beyond(next).await;
            let batch = journal.from(next, since_1970());
            next = batch.next;
            if writer.write_all(&wire::encode(&batch.text)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = send => {}
        _ = reader.read_u8() => {}
    }
}

/// The next command; `None` when the client has gone or is not to be listened to any longer.
async fn read_request(stream: &mut UnixStream, decoder: &mut Decoder) -> Option<String> {
    match next_message(stream, decoder).await {
        Ok(command) => Some(command),
        Err(error) => {
            if error.kind() != io::ErrorKind::UnexpectedEof {
                debug!("a client is dropped: {error}");
            }
            None
        }
    }
}

/// Between requests a client may take its time; a request that has begun has to end.
async fn next_message(stream: &mut UnixStream, decoder: &mut Decoder) -> io::Result<String> {
    let mut piece = [0; 512];
    let mut deadline = None;
    loop {
        if let Some(message) = decoder.next_message().map_err(io::Error::other)? {
            return Ok(message);
        }
        if decoder.is_midway() && deadline.is_none() {
            deadline = Some(Instant::now() + REQUEST_LIMIT);
        }
        let count = match deadline {
            None => stream.read(&mut piece).await?,
            Some(deadline) => timeout_at(deadline, stream.read(&mut piece)).await??,
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        decoder.push(&piece[..count]);
    }
}

async fn write(stream: &mut UnixStream, mut rest: &[u8]) -> io::Result<()> {
    let write = async {
        while !rest.is_empty() {
            let count = timeout(STALL_LIMIT, stream.write(rest)).await??;
            rest = &rest[count..];
        }
        Ok(())
    };
    timeout(REPLY_LIMIT, write).await?
}

#[cfg(test)]
mod tests;
