//! JSON lines: a file that grows, or standard output.
//!
//! A thread of its own writes them: a reader that has stopped holds that one up, and a stop goes on without it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender as Channel, bounded, select};

use super::{Outcome, Sender};
use crate::deliver::envelope::Envelope;
use crate::error::{Error, Result};

/// A line to write, and who waits for what came of it.
struct Line {
    text: String,
    written: Channel<io::Result<()>>,
}

pub struct LinesSender {
    /// `None` is standard output.
    file: Option<Arc<File>>,
    lines: Channel<Line>,
    /// What is dropped at a stop, and closed by it.
    stops: Mutex<Option<Channel<()>>>,
    stopped: Receiver<()>,
}

impl LinesSender {
    pub fn file(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        // It holds addresses and texts: what is made is for its user alone.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| Error::startup(format!("it cannot be opened: {error}")))?;
        let file = Arc::new(file);
        let mut sender = LinesSender::start(file.clone())?;
        sender.file = Some(file);
        Ok(sender)
    }

    pub fn output() -> Result<Self> {
        LinesSender::start(io::stdout())
    }

    fn start(out: impl Write + Send + 'static) -> Result<Self> {
        let (lines, ordered) = bounded(0);
        let (stops, stopped) = bounded(0);
        std::thread::Builder::new()
            .name("deliver lines".to_owned())
            .spawn(move || write_all(out, &ordered))
            .map_err(|error| Error::startup(format!("no thread can be started: {error}")))?;
        Ok(LinesSender { file: None, lines, stops: Mutex::new(Some(stops)), stopped })
    }

    /// Has a line written, unless there is a stop before it is.
    fn write(&self, text: String) -> io::Result<()> {
        let gone = || io::Error::other("it is stopping");
        let (written, answer) = bounded(1);
        select! {
            send(self.lines, Line { text, written }) -> sent => sent.map_err(|_| gone())?,
            recv(self.stopped) -> _ => return Err(gone()),
        }
        select! {
            recv(answer) -> written => written.unwrap_or_else(|_| Err(gone())),
            recv(self.stopped) -> _ => Err(gone()),
        }
    }
}

/// Writes lines until all that send them are gone.
fn write_all(mut out: impl Write, lines: &Receiver<Line>) {
    // Whether a line may have been written in part: the next one begins a line of its own.
    let mut is_torn = false;
    for Line { mut text, written } in lines {
        if is_torn {
            text.insert(0, '\n');
        }
        // One call for the whole of a line: those of several channels, and of several processes, do not mix.
        let outcome = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        is_torn = outcome.is_err();
        let _ = written.send(outcome);
    }
}

impl Sender for LinesSender {
    fn send(&self, envelope: &Envelope) -> Outcome {
        let mut line = match envelope.to_json() {
            Ok(line) => line,
            Err(error) => return Outcome::refused(error.public_message()),
        };
        line.push('\n');
        match self.write(line) {
            Ok(()) => Outcome::Accepted { reference: None },
            Err(error) => Outcome::failed(format!("the line cannot be written: {error}")),
        }
    }

    /// The lines are on the disk before their entries are gone.
    fn sync(&self) -> std::result::Result<(), String> {
        match self.file.as_ref().map(|file| file.sync_data()) {
            // A pipe or a terminal has no disk.
            Some(Err(error)) if error.kind() != io::ErrorKind::InvalidInput => {
                Err(format!("the file cannot be written: {error}"))
            }
            _ => Ok(()),
        }
    }

    fn stop(&self) {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
