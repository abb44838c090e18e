//! The log: lines go to a thread of their own, and are dropped (and counted) when it can't keep up.
//!
//! Whoever reads the log may sit on the disk that is gone: no write of a line may block the daemon.

use std::fmt::{self, Write as _};
use std::io;
use std::iter;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use libmp::core::notice::{self, Notice};
use libmp::show::without_controls;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, debug, error, info, span, subscriber::Interest, warn};

use crate::sys::{self, process};

/// Lines that may wait for the thread.
const LINES_MAX: usize = 1024;
const STACK: usize = 128 << 10;
/// Lines come several at a time: who writes them waits so long for those that follow the first, unless somebody waits for them.
const GATHER: Duration = Duration::from_millis(20);
/// So many lines are gathered at the most.
const GATHERED_MAX: usize = LINES_MAX / 4;

/// Where the lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// A terminal or a file: `82.877398 | text`.
    Stderr,
    /// The same without the time.
    Plain,
    /// The journal behind stderr: `<5>text`.
    Journal,
    /// The system's log; stderr is closed.
    Syslog,
}

impl Sink {
    /// The right one for a daemon in the foreground.
    pub fn foreground(timestamps: Timestamps) -> Self {
        if stderr_is_the_journal() {
            Self::Journal
        } else if timestamps == Timestamps::Suppressed {
            Self::Plain
        } else {
            Self::Stderr
        }
    }
}

/// `-s`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timestamps {
    /// Each line begins with its time.
    #[default]
    Shown,
    /// None does.
    Suppressed,
}

/// systemd says by device and inode which stream leads to its journal.
fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|it| stream == format!("{}:{}", it.dev(), it.ino()))
}

/// 0: errors, 1: warnings, 2: what changes, 3: how, 4 and more: everything.
static VERBOSITY: AtomicU8 = AtomicU8::new(2);
static LOG: OnceLock<Log> = OnceLock::new();

#[derive(Debug, Clone)]
struct Log {
    sink: Sink,
    lines: SyncSender<Line>,
    /// The thread's, while there is one.
    to_write: Arc<Mutex<Receiver<Line>>>,
    /// There is a thread.
    written: Arc<AtomicBool>,
    /// That one, once it runs.
    writer: Arc<OnceLock<Thread>>,
    /// It is to write what there is now.
    at_once: Arc<AtomicBool>,
    lost: Arc<AtomicUsize>,
    waiting: Arc<AtomicUsize>,
}

impl Log {
    fn new(sink: Sink) -> Self {
        let (lines, to_write) = sync_channel(LINES_MAX);
        let to_write = Arc::new(Mutex::new(to_write));
        Self {
            sink,
            lines,
            to_write,
            written: Arc::default(),
            writer: Arc::default(),
            at_once: Arc::default(),
            lost: Arc::default(),
            waiting: Arc::default(),
        }
    }

    /// Sees to a thread. Where none can be made now, the lines wait, and the next one asks again.
    fn see_to_thread(&self, spawn: impl FnOnce(Box<dyn FnOnce() + Send>) -> io::Result<()>) {
        if self.written.load(Ordering::Relaxed) || self.written.swap(true, Ordering::AcqRel) {
            return;
        }
        let log = self.clone();
        let write = move || write_lines(&log.to_write.lock().unwrap_or_else(PoisonError::into_inner), &log);
        if spawn(Box::new(write)).is_err() {
            self.written.store(false, Ordering::Release);
        }
    }

    fn add(&self, line: Line) {
        if self.waiting.fetch_add(1, Ordering::AcqRel) == GATHERED_MAX {
            self.write_at_once();
        }
        if self.lines.try_send(line).is_err() {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn write_at_once(&self) {
        self.at_once.store(true, Ordering::Release);
        self.writer.get().into_iter().for_each(Thread::unpark);
    }

    /// Waits for lines that follow the first. Says if it has not waited to the end.
    fn gather(&self) -> bool {
        let begun = Instant::now();
        loop {
            let many = self.waiting.load(Ordering::Acquire) > GATHERED_MAX;
            if self.at_once.swap(false, Ordering::Acquire) || many {
                return true;
            }
            let Some(rest) = GATHER.checked_sub(begun.elapsed()) else { return false };
            thread::park_timeout(rest); // others may wake it, too
        }
    }
}

fn spawn_thread(write: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    thread::Builder::new().name("log".into()).stack_size(STACK).spawn(write).map(drop)
}

#[derive(Debug)]
struct Line {
    priority: libc::c_int,
    micros: u64,
    text: String,
}

/// Starts the log's thread. To be called once, after going into the background.
pub fn start(sink: Sink) {
    let log = Log::new(sink);
    log.see_to_thread(spawn_thread);
    if LOG.set(log).is_ok() {
        let _ = tracing::subscriber::set_global_default(Lines);
    }
}

/// How much is said.
pub fn set_verbosity(verbosity: u8) {
    VERBOSITY.store(verbosity, Ordering::Relaxed);
}

/// Waits until all lines are written, for a moment at the most.
pub fn flush(limit: Duration) {
    const STEP: Duration = Duration::from_millis(2);
    let Some(log) = LOG.get() else { return };
    let mut waited = Duration::ZERO;
    log.write_at_once();
    while log.waiting.load(Ordering::Acquire) > 0 && waited < limit {
        thread::sleep(STEP);
        waited += STEP;
    }
}

/// Says what happened.
pub fn say(notice: &Notice) {
    match notice.level() {
        notice::Level::Error => error!("{notice}"),
        notice::Level::Warning => warn!("{notice}"),
        notice::Level::Notice => info!("{notice}"),
        notice::Level::Info => debug!("{notice}"),
    }
}

fn write_lines(lines: &Receiver<Line>, log: &Log) {
    if log.sink == Sink::Syslog {
        process::open_syslog();
    }
    let _ = log.writer.set(thread::current());
    let mut piece = Piece { log, out: io::stderr(), text: String::new(), lines: 0 };
    while let Ok(first) = lines.recv() {
        log.gather();
        for line in iter::once(first).chain(lines.try_iter().take(LINES_MAX)) {
            piece.add(&line);
        }
        piece.end();
    }
}

/// Lines that are written together: others may write to stderr, too, and what is longer than a pipe takes at once is not in one piece.
struct Piece<'a, W> {
    log: &'a Log,
    out: W,
    text: String,
    /// So many of those that wait are in it.
    lines: usize,
}

impl<W: io::Write> Piece<'_, W> {
    fn add(&mut self, line: &Line) {
        let text = printable(&line.text);
        if self.log.sink == Sink::Syslog {
            process::syslog(line.priority, &text);
        } else {
            let written = written(self.log.sink, line, &text);
            if self.text.len() + written.len() > libc::PIPE_BUF {
                self.write();
            }
            self.text += &written;
        }
        self.lines += 1;
    }

    /// Writes what there is of it, and how much was lost.
    fn end(&mut self) {
        self.write();
        let lost = self.log.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let text = format!("{lost} lines of the log were lost: it is read too slowly");
            self.add(&Line { priority: libc::LOG_WARNING, micros: sys::now().as_micros(), text });
            self.lines = 0; // nobody waits for that one
            self.write();
        }
    }

    /// Nobody is left to be told where that fails, but those who read what comes later.
    fn write(&mut self) {
        if self.out.write_all(self.text.as_bytes()).is_err() {
            self.log.lost.fetch_add(self.lines, Ordering::Relaxed);
        }
        self.log.waiting.fetch_sub(self.lines, Ordering::Release);
        self.text.clear();
        self.lines = 0;
    }
}

/// As it stands in a stream.
fn written(sink: Sink, line: &Line, text: &str) -> String {
    let Line { priority, micros, .. } = line;
    match sink {
        Sink::Stderr => format!("{}.{:06} | {text}\n", micros / 1_000_000, micros % 1_000_000),
        Sink::Plain | Sink::Syslog => format!("{text}\n"),
        Sink::Journal => format!("<{priority}>{text}\n"),
    }
}

/// What devices and users have put into it obeys no terminal, and begins no line: lines that follow the first are set in.
fn printable(text: &str) -> String {
    without_controls(text).replace('\n', "\n  ")
}

/// Turns events into lines.
struct Lines;

impl Subscriber for Lines {
    /// The verbosity may change: nothing is decided once and for all.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let needed = match *metadata.level() {
            Level::ERROR => 0,
            Level::WARN => 1,
            Level::INFO => 2,
            Level::DEBUG => 3,
            Level::TRACE => 4,
        };
        VERBOSITY.load(Ordering::Relaxed) >= needed
    }

    fn event(&self, event: &Event<'_>) {
        let Some(log) = LOG.get() else { return };
        let mut text = Text(String::new());
        event.record(&mut text);
        let priority = match *event.metadata().level() {
            Level::ERROR => libc::LOG_ERR,
            Level::WARN => libc::LOG_WARNING,
            Level::INFO => libc::LOG_NOTICE,
            Level::DEBUG => libc::LOG_INFO,
            Level::TRACE => libc::LOG_DEBUG,
        };
        let line = Line { priority, micros: sys::now().as_micros(), text: text.0 };
        log.add(line);
        log.see_to_thread(spawn_thread);
    }

    // Spans are not used.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The message, then the other fields.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = if field.name() == "message" {
            write!(self.0, "{value:?}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_forges_a_line() {
        let text = "a\n9.000000 | b\r\u{1b}[2J\u{9b}1m\0\tc";
        let line = Line { priority: 5, micros: 1_000_002, text: text.into() };
        let shown = "a\n  9.000000 | b??[2J?1m?\tc\n";
        for (sink, before) in [(Sink::Stderr, "1.000002 | "), (Sink::Plain, ""), (Sink::Journal, "<5>")] {
            assert_eq!(written(sink, &line, &printable(&line.text)), format!("{before}{shown}"));
        }
    }

    #[test]
    fn lines_are_written_together_as_far_as_a_pipe_takes_them_at_once() {
        struct Out(Vec<usize>, bool);
        impl io::Write for Out {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if self.1 && bytes.len() > 4000 {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                self.0.push(bytes.len());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let log = Log::new(Sink::Plain);
        let line = |length: usize| Line { priority: libc::LOG_INFO, micros: 0, text: "x".repeat(length - 1) };
        for (full, wanted) in [(false, vec![3000, 4096, 5000, 10]), (true, vec![3000, 10, 52])] {
            let mut piece = Piece { log: &log, out: Out(Vec::new(), full), text: String::new(), lines: 0 };
            for length in [1000, 2000, 4000, 96, 5000, 10] {
                log.waiting.fetch_add(1, Ordering::Relaxed);
                piece.add(&line(length));
            }
            assert!(log.waiting.load(Ordering::Relaxed) > 0, "what is not written waits");
            piece.end();
            assert_eq!((piece.out.0, log.waiting.load(Ordering::Relaxed)), (wanted, 0));
        }
    }

    #[test]
    fn lines_are_gathered_until_somebody_waits_or_there_are_many() {
        let log = Log::new(Sink::Plain);
        assert!(!log.gather());
        log.write_at_once();
        assert!(log.gather() && !log.gather(), "once");
        let line = || Line { priority: libc::LOG_INFO, micros: 0, text: "a test's line".into() };
        (0..=GATHERED_MAX).for_each(|_| log.add(line()));
        assert!(log.gather() && log.gather(), "as long as they wait");
    }

    #[test]
    fn lines_wait_for_a_thread_that_can_not_be_had_at_first() {
        let log = Log::new(Sink::Plain);
        let line = |text: &str| Line { priority: libc::LOG_INFO, micros: 0, text: text.into() };
        let refused = |_| Err(io::Error::from_raw_os_error(libc::EAGAIN));
        log.see_to_thread(refused);
        log.add(line("a test's first line"));
        log.see_to_thread(refused);
        assert_eq!(log.waiting.load(Ordering::Relaxed), 1);
        log.add(line("a test's second line"));
        let mut begun = 0;
        for _ in 0..3 {
            log.see_to_thread(|_write| {
                begun += 1;
                Ok(())
            });
        }
        let waiting = log.to_write.lock().expect("nobody has it").try_iter().count();
        assert_eq!((begun, waiting), (1, 2), "one thread for all lines");
    }
}
