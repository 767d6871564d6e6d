//! A socket with a deadline: however slowly a peer trickles, an operation ends in time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub struct Socket {
    stream: Arc<TcpStream>,
    deadline: Instant,
    /// The whole span up to the deadline, as long as none of it was spent: it is the same for every answer.
    unspent: Option<Duration>,
    /// What the kernel was last told, so as not to tell it again.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Socket {
    pub fn new(stream: Arc<TcpStream>) -> Self {
        Socket { stream, deadline: Instant::now(), unspent: None, read_timeout: None, write_timeout: None }
    }

    /// All reads and writes from now on together take at most this long.
    pub fn set_deadline(&mut self, span: Duration) {
        self.deadline = Instant::now() + span;
        self.unspent = Some(span);
    }

    /// A read that may wait for `span`, whatever the deadline is.
    pub fn read_within(&mut self, span: Duration, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read_timeout != Some(span) {
            self.stream.set_read_timeout(Some(span))?;
            self.read_timeout = Some(span);
        }
        loop {
            match (&*self.stream).read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
                outcome => return outcome,
            }
        }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Ends the connection in a way that lets the peer read the last answer: a socket that is closed with unread bytes
    /// in it is reset. What the peer still sends is read and dropped, within bounds.
    pub fn linger(&mut self, span: Duration, bytes: usize) {
        self.set_deadline(span);
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        let mut scratch = [0; 16 * 1024];
        let mut dropped = 0;
        while dropped < bytes {
            match self.read(&mut scratch) {
                Ok(0) | Err(_) => return,
                Ok(n) => dropped += n,
            }
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left()?;
        self.read_within(left, buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let timeout = match self.unspent.take() {
            Some(span) => span,
            None => self.left()?,
        };
        if self.write_timeout != Some(timeout) {
            self.stream.set_write_timeout(Some(timeout))?;
            self.write_timeout = Some(timeout);
        }
        match (&*self.stream).write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::ErrorKind::TimedOut.into()),
            outcome => outcome,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
