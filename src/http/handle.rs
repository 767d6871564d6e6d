//! A connection as all who serve it know it: what is shared by all, how it is counted, and how it is handed on.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::body::{Budget, Reserved};
use super::limits::Limits;
use super::reply::Mailbox;
use super::request::Handler;
use super::response::Response;
use super::write::{Encoded, Meta};

/// What all connections have in common.
pub struct Shared {
    pub limits: Limits,
    pub handler: Arc<dyn Handler>,
    pub budget: Budget,
    stopping: AtomicBool,
    connections: Mutex<Connections>,
    changed: Condvar,
    parking: OnceLock<Arc<dyn Parking>>,
}

#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, Arc<TcpStream>>,
    /// How many of them are streams.
    streams: usize,
}

/// Where connections wait without a thread of their own.
pub trait Parking: Send + Sync {
    fn park(&self, connection: ConnectionHandle, parked: Parked) -> io::Result<()>;
}

/// What a connection waits for.
pub enum Parked {
    /// The next request.
    Request,
    /// Its answer. Bytes of the next request may have been read.
    Later { mailbox: Arc<Mailbox>, meta: Meta, buffered: Vec<u8> },
    /// The pieces of a stream. Its head is still to be written.
    Stream { mailbox: Arc<Mailbox>, meta: Meta, pending_write: Vec<u8> },
}

/// What a connection has come to when it is given a thread.
#[derive(Default)]
pub struct Handover {
    /// What was read and belongs to what comes next.
    pub buffered: Vec<u8>,
    /// What is still to be written of an answer.
    pub pending_write: Option<(Vec<u8>, Reserved)>,
    /// Whether that answer is the last.
    pub closes: bool,
}

impl Shared {
    pub fn new(limits: Limits, handler: Arc<dyn Handler>) -> Self {
        let budget = Budget::new(limits.bodies_bytes);
        let (connections, changed, parking) = (Mutex::default(), Condvar::new(), OnceLock::new());
        Shared { limits, handler, budget, stopping: AtomicBool::new(false), connections, changed, parking }
    }

    /// Says where connections wait. Once, before the first connection.
    pub fn park_at(&self, parking: Arc<dyn Parking>) {
        let _ = self.parking.set(parking);
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// An answer as it is written.
    pub fn encode(&self, meta: &Meta, response: Response) -> Encoded {
        meta.encode(&self.budget, self.stopping(), response)
    }

    /// Counts a connection. `None` if there are as many as there may be, or if no more are taken.
    pub fn add(self: &Arc<Self>, stream: &Arc<TcpStream>) -> Option<ConnectionHandle> {
        let mut connections = self.connections();
        // One that came in after the others were told to end would not be told.
        if self.stopping() || connections.open.len() - connections.streams >= self.limits.connections {
            return None;
        }
        connections.next += 1;
        let id = connections.next;
        connections.open.insert(id, stream.clone());
        Some(ConnectionHandle { id, stream: stream.clone(), shared: self.clone(), is_stream: false })
    }

    /// Waits for a connection to end, or for so long.
    pub fn wait_for_room(&self, longest: std::time::Duration) {
        let _ = self.changed.wait_timeout(self.connections(), longest);
    }

    /// Takes no more requests, and waits until those that have arrived are answered, up to [`Limits::stop`]. `wake` is
    /// called when no new connection is taken any more.
    pub fn stop(&self, wake: impl FnOnce()) {
        self.stopping.store(true, Ordering::SeqCst);
        wake();
        let connections = self.connections();
        for stream in connections.open.values() {
            // A connection that waits for a request sees the end of it; an answer can still be written.
            let _ = stream.shutdown(std::net::Shutdown::Read);
        }
        let open = |connections: &mut Connections| !connections.open.is_empty();
        let waited = self.changed.wait_timeout_while(connections, self.limits.stop, open);
        let (connections, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for stream in connections.open.values() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// Counts a connection until it is closed, however it ends.
pub struct ConnectionHandle {
    pub id: u64,
    pub stream: Arc<TcpStream>,
    pub shared: Arc<Shared>,
    is_stream: bool,
}

impl ConnectionHandle {
    /// Counts it among the streams from now on, which have a bound of their own. False if there is no room.
    pub fn become_stream(&mut self) -> bool {
        let mut connections = self.shared.connections();
        let has_room = self.is_stream || connections.streams < self.shared.limits.streams;
        if has_room && !self.is_stream {
            connections.streams += 1;
            drop(connections);
            self.is_stream = true;
        }
        has_room
    }

    /// Lets it wait without a thread.
    pub fn park(self, parked: Parked) -> io::Result<()> {
        let shared = self.shared.clone();
        let parking = shared.parking.get().ok_or_else(|| io::Error::other("there is no event loop"))?;
        parking.park(self, parked)
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        let mut connections = self.shared.connections();
        connections.open.remove(&self.id);
        connections.streams -= usize::from(self.is_stream);
        drop(connections);
        self.shared.changed.notify_all();
    }
}
