//! An answer on its way to the peer.

use std::io::{self, Write};

use super::body::Reserved;
use super::write::Encoded;

/// What is still to be written of an answer.
pub struct Outgoing {
    bytes: Vec<u8>,
    pub written: usize,
    /// The room that it takes until it is written.
    _reserved: Reserved,
    /// Whether the connection is closed after it.
    pub closes: bool,
}

/// How far a write has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Whole,
    /// The peer takes no more now.
    Blocked,
    /// The peer has gone.
    Failed,
}

impl Outgoing {
    pub fn new(answer: Encoded) -> Self {
        Outgoing { bytes: answer.bytes, written: 0, _reserved: answer.reserved, closes: answer.closes }
    }

    /// Writes as much as the peer takes now.
    pub fn write(&mut self, stream: impl Write) -> Progress {
        let (written, progress) = write(stream, &self.bytes[self.written..]);
        self.written += written;
        progress
    }
}

/// Writes as much as the peer takes now, and tells how much that was.
pub fn write(mut stream: impl Write, bytes: &[u8]) -> (usize, Progress) {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(0) => return (written, Progress::Failed),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (written, Progress::Blocked),
            Err(_) => return (written, Progress::Failed),
        }
    }
    (written, Progress::Whole)
}
