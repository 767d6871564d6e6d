//! Lines that the process writes out. They wait in memory for a thread of their own, so that a slow or stopped reader
//! never holds up the work that they report. Lines that find no room are dropped and counted.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that wait to be written, at most.
const WAITING_BYTES: usize = 1024 * 1024;
/// Between two writes, so that lines are collected: waking the thread for each costs more than writing it.
const GATHER_TIME: Duration = Duration::from_millis(10);
/// How long the end waits for unwritten lines.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// The output. Copies share it.
#[derive(Clone)]
pub struct LineOutput(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    /// There is something to write, or it is to be written at once.
    arrived: Condvar,
    /// All is written.
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    dropped: u64,
    is_hurried: bool,
    /// The thread is writing what waited before.
    is_writing: bool,
    /// Why it could last not be written.
    failed: Option<io::Error>,
}

impl LineOutput {
    /// Starts the thread that writes to `out`. It lives as long as the process. `notice` makes a line from the number
    /// of dropped lines.
    pub fn start(
        name: &str,
        out: impl Write + Send + 'static,
        notice: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<LineOutput> {
        let shared = Arc::new(Shared { waiting: Mutex::default(), arrived: Condvar::new(), written: Condvar::new() });
        let writing = shared.clone();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || writing.write_all(out, notice))?;
        Ok(LineOutput(shared))
    }

    /// Queues a line.
    pub fn say(&self, line: impl std::fmt::Display) {
        self.put(format!("{line}\n").as_bytes());
    }

    /// Queues whole lines, each with its line feed.
    pub fn put(&self, lines: &[u8]) {
        let mut waiting = self.0.waiting();
        if waiting.bytes.len() + lines.len() > WAITING_BYTES {
            waiting.dropped += 1;
            return;
        }
        let is_first = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(lines);
        drop(waiting);
        if is_first {
            self.0.arrived.notify_one();
        }
    }

    /// Why something could not be written. A reader that has gone is no reason: it has what it wanted.
    pub fn failure(&self) -> Option<io::Error> {
        self.0.waiting().failed.take().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// Waits until all is written, but not for a reader that does not read.
    pub fn flush(&self) {
        let mut waiting = self.0.waiting();
        waiting.is_hurried = true;
        self.0.arrived.notify_one();
        let is_busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.bytes.is_empty();
        let _ = self.0.written.wait_timeout_while(waiting, FLUSH_TIME, is_busy);
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is queued, many lines at once.
    fn write_all(&self, mut out: impl Write, notice: impl Fn(u64) -> String) {
        let mut bytes = Vec::new();
        let mut last_write: Option<Instant> = None;
        loop {
            let waiting = self.arrived.wait_while(self.waiting(), |waiting| waiting.bytes.is_empty());
            let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            let pause = last_write.map_or(Duration::ZERO, |at| GATHER_TIME.saturating_sub(at.elapsed()));
            let gathered = self.arrived.wait_timeout_while(waiting, pause, |waiting| !waiting.is_hurried);
            let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut bytes, &mut waiting.bytes);
            let dropped = std::mem::take(&mut waiting.dropped);
            waiting.is_writing = true;
            drop(waiting);
            if dropped > 0 {
                bytes.extend(notice(dropped).into_bytes());
                bytes.push(b'\n');
            }
            let written = out.write_all(&bytes).and_then(|()| out.flush());
            bytes.clear();
            last_write = Some(Instant::now());
            let mut waiting = self.waiting();
            waiting.failed = written.err().or_else(|| waiting.failed.take());
            waiting.is_writing = false;
            if waiting.bytes.is_empty() {
                waiting.is_hurried = false;
                self.written.notify_all();
            }
        }
    }
}

/// A size for people.
pub fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}
