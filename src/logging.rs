//! The log, on standard error. Lines go through a bounded queue to a thread of its own: a reader that is slow, or that has
//! stopped reading, never holds up what the lines tell of. Lines that find no room are dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::error::{Error, Result};

/// Lines that wait to be written, at most.
const QUEUE_LINES: usize = 8 * 1024;
/// Bytes that are written at once, about.
const WRITE_BYTES: usize = 32 * 1024;
/// For what is queued to be written before the end.
const FLUSH_TIME: Duration = Duration::from_secs(1);

enum Entry {
    Line(Vec<u8>),
    /// Asks to be told when all before it is written.
    Flush(Sender<()>),
}

/// Where env_logger writes: it writes every line whole.
struct Queue {
    entries: Sender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.entries.try_send(Entry::Line(line.to_vec())) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log while it is open.
pub struct Logging(Sender<Entry>);

impl Logging {
    /// Writes what `filter` lets through: a level, or levels by module.
    pub fn start(filter: &str) -> Result<Logging> {
        // The HTTP client logs each call to a webhook at debug; `trace` and filters by module still show that.
        let filter = if filter == "debug" { "debug,ureq=info,ureq_proto=info" } else { filter };
        let failed = |error: &dyn std::fmt::Display| Error::startup(format!("--log {filter}: {error}"));
        let (entries, queue) = bounded(QUEUE_LINES);
        let dropped = Arc::<AtomicU64>::default();
        let count = dropped.clone();
        let thread = std::thread::Builder::new().name("log".to_owned());
        thread.spawn(move || write_all(&queue, &count, &mut io::stderr())).map_err(|error| failed(&error))?;
        env_logger::Builder::new()
            .parse_filters(filter)
            .format_target(false)
            .target(env_logger::Target::Pipe(Box::new(Queue { entries: entries.clone(), dropped })))
            .try_init()
            .map_err(|error| failed(&error))?;
        Ok(Logging(entries))
    }

    /// Waits until what was logged is written, but not for a reader that does not read.
    pub fn flush(&self) {
        let (written, is_written) = bounded(1);
        if self.0.try_send(Entry::Flush(written)).is_ok() {
            let _ = is_written.recv_timeout(FLUSH_TIME);
        }
    }
}

/// Writes what comes, several lines at once if they have queued up.
fn write_all(queue: &Receiver<Entry>, dropped: &AtomicU64, out: &mut impl Write) {
    let mut bytes = Vec::new();
    while let Ok(first) = queue.recv() {
        let mut next = Some(first);
        let mut flushed = Vec::new();
        while let Some(entry) = next.take() {
            match entry {
                Entry::Line(line) => bytes.extend(line),
                Entry::Flush(written) => flushed.push(written),
            }
            next = if bytes.len() < WRITE_BYTES { queue.try_recv().ok() } else { None };
        }
        let count = dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            let _ = writeln!(bytes, "[{count} lines were dropped: the log was not read as fast as it was written]");
        }
        // A log that has no reader at all is no reason to fail.
        let _ = out.write_all(&bytes).and_then(|()| out.flush());
        bytes.clear();
        for written in flushed {
            let _ = written.send(());
        }
    }
}
