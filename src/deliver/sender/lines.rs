//! JSON lines: a file that grows, or standard output.
//!
//! A thread of its own writes them: a reader that has stopped holds that one up, and a stop goes on without it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use super::apart::{Apart, Stops, Without};
use super::{Outcome, Sender};
use crate::deliver::envelope::Envelope;
use crate::error::{Error, Result};

pub struct LinesSender {
    /// `None` is standard output.
    file: Option<Arc<File>>,
    writer: Apart<String, io::Result<()>>,
    stops: Stops,
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
        LinesSender::start(Some(file.clone()), file, ends_torn(path))
    }

    pub fn output() -> Result<Self> {
        LinesSender::start(None, io::stdout(), false)
    }

    /// `is_torn`: a line may have been written in part, so that the next one begins a line of its own.
    fn start(file: Option<Arc<File>>, mut out: impl Write + Send + 'static, mut is_torn: bool) -> Result<Self> {
        let write = move |mut line: String| {
            if is_torn {
                line.insert(0, '\n');
            }
            // One call for the whole of a line: those of several channels, and of several processes, do not mix.
            let outcome = out.write_all(line.as_bytes()).and_then(|()| out.flush());
            is_torn = outcome.is_err();
            outcome
        };
        let writer = Apart::start("deliver lines", write)
            .map_err(|error| Error::startup(format!("no thread can be started: {error}")))?;
        Ok(LinesSender { file, writer, stops: Stops::default() })
    }

    /// Has a line written, unless there is a stop before it is.
    fn write(&self, line: String) -> io::Result<()> {
        // A reader may have stopped; a file takes what it is given, or fails.
        let is_under_way = || self.file.is_some();
        let ordered = self.writer.order(line, &self.stops);
        let answered = ordered.and_then(|answer| answer.wait(None, &self.stops, is_under_way));
        let why = |without| match without {
            Without::Ended => "the thread that writes lines has ended",
            Without::Late | Without::Stopped => "it is stopping",
        };
        answered.unwrap_or_else(|without| Err(io::Error::other(why(without))))
    }
}

/// Whether a file ends within a line, such as one that was cut off with a full disk or a machine. One that cannot be read is
/// taken to be whole.
fn ends_torn(path: &Path) -> bool {
    let is_file = std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() > 0);
    let last = || -> io::Result<u8> {
        let mut file = File::open(path)?;
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        Ok(last[0])
    };
    is_file && last().is_ok_and(|last| last != b'\n')
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
        self.stops.stop();
    }
}
