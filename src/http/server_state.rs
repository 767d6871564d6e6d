//! What all connections share: limits, the service, the memory budget, and which of them are open.

use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::body::MemoryBudget;
use super::limits::Limits;
use super::request::Service;
use super::response::Response;
use super::write::{Encoded, Meta};

/// What all connections share.
pub struct ServerState {
    pub limits: Limits,
    pub service: Arc<dyn Service>,
    pub budget: MemoryBudget,
    stopping: AtomicBool,
    connections: Mutex<Connections>,
    changed: Condvar,
}

#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, Arc<TcpStream>>,
    /// How many of them are streams.
    streams: usize,
}

impl ServerState {
    pub fn new(limits: Limits, service: Arc<dyn Service>) -> Self {
        let budget = MemoryBudget::new(limits.bodies_bytes);
        let (connections, changed) = (Mutex::default(), Condvar::new());
        ServerState { limits, service, budget, stopping: AtomicBool::new(false), connections, changed }
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

    /// Counts a connection and gives it an id. `None` if there are as many as there may be, or if no more are taken.
    pub fn add(&self, stream: &Arc<TcpStream>) -> Option<u64> {
        let mut connections = self.connections();
        // One that came in after the others were told to end would not be told.
        if self.stopping() || connections.open.len() - connections.streams >= self.limits.connections {
            return None;
        }
        connections.next += 1;
        let id = connections.next;
        connections.open.insert(id, stream.clone());
        Some(id)
    }

    /// Counts one of the connections among the streams, which have a bound of their own. False if there is no room.
    pub fn add_stream(&self) -> bool {
        let mut connections = self.connections();
        let has_room = connections.streams < self.limits.streams;
        connections.streams += usize::from(has_room);
        has_room
    }

    /// A connection is closed.
    pub fn remove(&self, id: u64, is_stream: bool) {
        let mut connections = self.connections();
        connections.open.remove(&id);
        connections.streams -= usize::from(is_stream);
        drop(connections);
        self.changed.notify_all();
    }

    /// Waits for a connection to end, or for so long.
    pub fn wait_for_room(&self, longest: Duration) {
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
