//! Reading connections: a bounded number of them, handed from one reader to the next.
//!
//! Requests and those who follow the rows have connections each of their own: however many searches run at once, a job
//! goes on.

use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;

use super::file;
use crate::error::{Error, Result};

/// Queries of requests that run at once; the next waits for one of them. Each connection holds a cache and a few file
/// descriptors.
pub const OF_REQUESTS: usize = 16;
/// And of those who follow the rows, whose queries are short.
pub const OF_FOLLOWERS: usize = 8;

/// A channel holds what nobody uses at the moment, opened or not, because a lock would make readers queue for it.
pub struct Readers {
    path: PathBuf,
    idle: Receiver<Option<Connection>>,
    back: Sender<Option<Connection>>,
}

/// A connection in use. Dropped, it leaves room for a new one; given back, it is used again.
pub struct Reader<'a> {
    conn: Option<Connection>,
    sound: bool,
    readers: &'a Readers,
}

impl Readers {
    pub fn new(path: &Path, count: usize) -> Self {
        let (back, idle) = bounded(count);
        (0..count).for_each(|_| drop(back.try_send(None)));
        Readers { path: path.to_owned(), idle, back }
    }

    /// One of them, as soon as there is one that nobody uses.
    pub fn take(&self) -> Result<Reader<'_>> {
        let idle = self.idle.recv().map_err(|_| Error::internal("there are no readers"))?;
        self.reader(idle)
    }

    /// One that nobody uses, if there is one.
    pub fn try_take(&self) -> Result<Option<Reader<'_>>> {
        self.idle.try_recv().ok().map(|idle| self.reader(idle)).transpose()
    }

    fn reader(&self, idle: Option<Connection>) -> Result<Reader<'_>> {
        let mut reader = Reader { conn: idle, sound: false, readers: self };
        if reader.conn.is_none() {
            reader.conn = Some(file::open_reader(&self.path)?);
        }
        Ok(reader)
    }

    /// Closes those that nobody uses.
    pub fn close(&self) {
        for _ in self.idle.try_iter().collect::<Vec<_>>() {
            let _ = self.back.try_send(None);
        }
    }
}

impl Reader<'_> {
    pub fn conn(&self) -> &Connection {
        self.conn.as_ref().expect("a reader has a connection from take to drop")
    }

    /// Its last query went well.
    pub fn give_back(mut self) {
        self.sound = true;
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let conn = self.conn.take().filter(|_| self.sound);
        let _ = self.readers.back.try_send(conn);
    }
}
