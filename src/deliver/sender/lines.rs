//! JSON lines: a file that grows, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Outcome, Sender};
use crate::deliver::envelope::Envelope;
use crate::error::{Error, Result};

pub struct LinesSender {
    /// `None` is standard output.
    file: Option<File>,
    /// Whether a line may have been written in part: the next one begins a line of its own.
    is_torn: AtomicBool,
}

impl LinesSender {
    pub fn file(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        // It holds addresses and texts: what is made is for its user alone.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(path)
            .map(|file| LinesSender { file: Some(file), is_torn: AtomicBool::default() })
            .map_err(|error| Error::startup(format!("it cannot be opened: {error}")))
    }

    pub fn output() -> Self {
        LinesSender { file: None, is_torn: AtomicBool::default() }
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        match &self.file {
            // One call for the whole of a line: those of several channels do not mix.
            Some(file) => {
                let mut file = file;
                file.write_all(line)
            }
            None => {
                let mut output = io::stdout().lock();
                output.write_all(line)?;
                output.flush()
            }
        }
    }
}

impl Sender for LinesSender {
    fn send(&self, envelope: &Envelope) -> Outcome {
        let mut line = match envelope.to_json() {
            Ok(line) => line,
            Err(error) => return Outcome::refused(error.public_message()),
        };
        line.push('\n');
        if self.is_torn.load(Ordering::Relaxed) {
            line.insert(0, '\n');
        }
        let written = self.write(line.as_bytes());
        self.is_torn.store(written.is_err(), Ordering::Relaxed);
        match written {
            Ok(()) => Outcome::Accepted { reference: None },
            Err(error) => Outcome::failed(format!("the line cannot be written: {error}")),
        }
    }

    /// The lines are on the disk before their entries are gone.
    fn sync(&self) -> std::result::Result<(), String> {
        match self.file.as_ref().map(File::sync_data) {
            // A pipe or a terminal has no disk.
            Some(Err(error)) if error.kind() != io::ErrorKind::InvalidInput => {
                Err(format!("the file cannot be written: {error}"))
            }
            _ => Ok(()),
        }
    }

    fn stop(&self) {}
}
