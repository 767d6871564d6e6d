//! The log, on standard error. Lines go through a bounded queue to a thread of its own: a reader that is slow, or that has
//! stopped reading, never holds up what the lines tell of. Lines that find no room are dropped and counted.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::environment::Environment;

/// Lines that wait to be written, at most.
const QUEUE_LINES: usize = 8 * 1024;
/// Bytes that are written at once, about.
const WRITE_BYTES: usize = 32 * 1024;
/// For what is queued to be written before the end.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// For lines to come together before they are written: to wake the thread for each costs more than to write it.
const GATHER_TIME: Duration = Duration::from_millis(10);

enum Entry {
    Line(Vec<u8>),
    Request(RequestLine),
}

/// What is logged of a request. It is put into words by the log's own thread.
pub struct RequestLine {
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    /// `None` if it has no answer, or none yet.
    pub status: Option<u16>,
    pub taken: Duration,
    /// `None` if it is in no environment.
    pub environment: Option<Environment>,
}

impl RequestLine {
    /// Appends it. Piece by piece, which takes a fraction of the time that a format takes: there may be a hundred thousand a
    /// second.
    fn push(&self, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.path.as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.status.map_or("-", |status| digits.format(status)).as_bytes());
        out.push(b' ');
        let tenths = self.taken.as_micros() / 100;
        out.extend_from_slice(digits.format(tenths / 10).as_bytes());
        out.push(b'.');
        out.extend_from_slice(digits.format(tenths % 10).as_bytes());
        out.extend_from_slice(b" ms ");
        match &self.environment {
            Some(environment) => out.extend_from_slice(environment.label().as_bytes()),
            None => out.push(b'-'),
        }
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Vec::new();
        self.push(&mut line);
        f.write_str(&String::from_utf8_lossy(&line))
    }
}

/// Where requests are logged, once the log is open.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Logs a request at `info`; `log::log_enabled!` says whether it is to be.
pub fn request(line: RequestLine) {
    match QUEUE.get() {
        Some(queue) => queue.put(Entry::Request(line)),
        None => log::info!("{line}"),
    }
}

/// The way to the log's thread. env_logger writes every line whole.
#[derive(Clone)]
struct Queue {
    entries: Sender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    fn put(&self, entry: Entry) {
        if let Err(TrySendError::Full(_)) = self.entries.try_send(entry) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(Entry::Line(line.to_vec()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log while it is open. Asks for a flush, and is told when it is done.
pub struct Logging(Sender<Sender<()>>);

impl Logging {
    /// Writes what `filter` lets through: a level, or levels by module.
    pub fn start(filter: &str) -> Result<Logging> {
        // The HTTP client logs each call to a webhook at debug; `trace` and filters by module still show that.
        let filter = if filter == "debug" { "debug,ureq=info,ureq_proto=info" } else { filter };
        let failed = |error: &dyn std::fmt::Display| Error::startup(format!("--log {filter}: {error}"));
        let (entries, lines) = bounded(QUEUE_LINES);
        let (flush, flushes) = bounded(1);
        let queue = Queue { entries, dropped: Arc::default() };
        let count = queue.dropped.clone();
        let thread = std::thread::Builder::new().name("log".to_owned());
        thread.spawn(move || write_all(&lines, &flushes, &count, &mut io::stderr())).map_err(|error| failed(&error))?;
        env_logger::Builder::new()
            .parse_filters(filter)
            .format_target(false)
            .target(env_logger::Target::Pipe(Box::new(queue.clone())))
            .try_init()
            .map_err(|error| failed(&error))?;
        let _ = QUEUE.set(queue);
        Ok(Logging(flush))
    }

    /// Waits until what was logged is written, but not for a reader that does not read.
    pub fn flush(&self) {
        let (written, is_written) = bounded(1);
        if self.0.try_send(written).is_ok() {
            let _ = is_written.recv_timeout(FLUSH_TIME);
        }
    }
}

/// Writes what comes, many lines at once.
fn write_all(lines: &Receiver<Entry>, flushes: &Receiver<Sender<()>>, dropped: &AtomicU64, out: &mut impl Write) {
    let mut words = Words::default();
    loop {
        let flushed = crossbeam_channel::select! {
            recv(lines) -> first => match first {
                Ok(first) => {
                    words.push(first);
                    flushes.recv_timeout(GATHER_TIME).ok()
                }
                Err(_) => return,
            },
            recv(flushes) -> flush => flush.ok(),
        };
        while let Ok(entry) = lines.try_recv() {
            words.push(entry);
            if words.bytes.len() >= WRITE_BYTES {
                words.write(out);
            }
        }
        let count = dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            let told = format!("[{count} lines were dropped: the log was not read as fast as it was written]\n");
            words.bytes.extend(told.into_bytes());
        }
        words.write(out);
        if let Some(written) = flushed {
            let _ = written.send(());
        }
    }
}

/// Lines that are about to be written.
#[derive(Default)]
struct Words {
    bytes: Vec<u8>,
    /// The last second, and how it is spelled.
    second: (i64, String),
}

impl Words {
    fn push(&mut self, entry: Entry) {
        match entry {
            Entry::Line(line) => self.bytes.extend(line),
            Entry::Request(line) => {
                let second = line.at.millis() / 1000;
                if self.second.1.is_empty() || self.second.0 != second {
                    self.second = (second, Timestamp(second * 1000).iso().replace(".000Z", "Z"));
                }
                self.bytes.push(b'[');
                self.bytes.extend_from_slice(self.second.1.as_bytes());
                self.bytes.extend_from_slice(b" INFO ] ");
                line.push(&mut self.bytes);
                self.bytes.push(b'\n');
            }
        }
    }

    /// A log that has no reader at all is no reason to fail.
    fn write(&mut self, out: &mut impl Write) {
        let _ = out.write_all(&self.bytes).and_then(|()| out.flush());
        self.bytes.clear();
    }
}
