//! Reading connections: a bounded number of them, handed from one reader to the next.
//!
//! Requests and the threads that follow the rows have connections each of their own: however many searches run at once,
//! a job goes on.

use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, Sender, bounded, select};
use rusqlite::Connection;

use super::file;
use crate::error::{Error, Result};

/// Queries of requests that run at once. The next one waits for one of them. Each connection holds a cache and a few
/// file descriptors.
pub const REQUEST_READERS: usize = 16;
/// And of threads that follow the rows, whose queries are short.
pub const FOLLOWER_READERS: usize = 8;

/// Idle entries are in channels, because readers would queue for a lock: connections, and slots for those that are not
/// open. An open one is taken first: a few are mostly enough.
pub struct Readers {
    path: PathBuf,
    idle: Receiver<Connection>,
    back: Sender<Connection>,
    room: Receiver<()>,
    leave: Sender<()>,
}

/// A connection that a thread holds. Dropped during a query, it leaves a slot for a new one; otherwise it is used
/// again.
pub struct Reader<'a> {
    conn: Option<Connection>,
    is_sound: bool,
    readers: &'a Readers,
}

impl Readers {
    pub fn new(path: &Path, count: usize) -> Self {
        let (back, idle) = bounded(count);
        let (leave, room) = bounded(count);
        for _ in 0..count {
            let _ = leave.try_send(());
        }
        Readers { path: path.to_owned(), idle, back, room, leave }
    }

    /// A reader, as soon as one is idle.
    pub fn take(&self) -> Result<Reader<'_>> {
        if let Some(reader) = self.try_take()? {
            return Ok(reader);
        }
        let conn = select! {
            recv(self.idle) -> conn => conn.map(Some),
            recv(self.room) -> room => room.map(|()| None),
        };
        self.reader(conn.map_err(|_| Error::internal("there are no readers"))?)
    }

    /// An idle reader, if there is one.
    pub fn try_take(&self) -> Result<Option<Reader<'_>>> {
        let conn = self.idle.try_recv().map(Some).or_else(|_| self.room.try_recv().map(|()| None));
        conn.ok().map(|conn| self.reader(conn)).transpose()
    }

    fn reader(&self, conn: Option<Connection>) -> Result<Reader<'_>> {
        let mut reader = Reader { conn, is_sound: true, readers: self };
        if reader.conn.is_none() {
            reader.conn = Some(file::open_reader(&self.path)?);
        }
        Ok(reader)
    }

    /// Closes the idle ones.
    pub fn close(&self) {
        for _ in self.idle.try_iter() {
            let _ = self.leave.try_send(());
        }
    }
}

impl Reader<'_> {
    pub fn conn(&self) -> &Connection {
        self.conn.as_ref().expect("a reader has a connection from take to drop")
    }

    /// Begins a query. Until it has ended well, the state of the connection counts as unknown.
    pub fn begin(&mut self) -> &Connection {
        self.is_sound = false;
        self.conn()
    }

    /// The last query went well.
    pub fn give_back(mut self) {
        self.is_sound = true;
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let _ = match self.conn.take().filter(|_| self.is_sound) {
            Some(conn) => self.readers.back.try_send(conn).is_ok(),
            None => self.readers.leave.try_send(()).is_ok(),
        };
    }
}
