//! What all connections share: limits, the service, the memory budget, how many there are, and whether all stops.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::body::MemoryBudget;
use super::limits::Limits;
use super::request::Service;
use super::response::Response;
use super::transport::TlsConfig;
use super::write::{Encoded, Meta};

/// What all connections share.
pub struct ServerState {
    pub limits: Limits,
    pub service: Arc<dyn Service>,
    /// The configuration of https. `None`: plain HTTP.
    pub tls: Option<Arc<TlsConfig>>,
    pub budget: MemoryBudget,
    stopping: AtomicBool,
    over: AtomicBool,
    open: Mutex<usize>,
    all_closed: Condvar,
    streams: AtomicUsize,
}

/// Counts a connection until it is closed.
pub struct OpenConnection(Arc<ServerState>);

/// Counts a stream until it is over.
pub struct OpenStream(Arc<ServerState>);

impl ServerState {
    pub fn new(limits: Limits, service: Arc<dyn Service>, tls: Option<Arc<TlsConfig>>) -> Self {
        ServerState {
            budget: MemoryBudget::new(limits.bodies_bytes),
            limits,
            service,
            tls,
            stopping: AtomicBool::new(false),
            over: AtomicBool::new(false),
            open: Mutex::new(0),
            all_closed: Condvar::new(),
            streams: AtomicUsize::new(0),
        }
    }

    /// Whether no more requests are taken than have arrived.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Whether open connections are closed, whatever they do.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// An answer as it is written.
    pub fn encode(&self, meta: &Meta, response: Response) -> Encoded {
        meta.encode(&self.budget, self.stopping(), response)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        *self.count()
    }

    pub fn open_connection(self: &Arc<Self>) -> OpenConnection {
        *self.count() += 1;
        OpenConnection(self.clone())
    }

    /// `None` if there are as many streams as there may be.
    pub fn open_stream(self: &Arc<Self>) -> Option<OpenStream> {
        let more = |streams: usize| (streams < self.limits.streams).then_some(streams + 1);
        let counted = self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.ok().map(|_| OpenStream(self.clone()))
    }

    /// Takes no more requests, and waits up to [`Limits::stop`] until those that have arrived are answered. `wake`
    /// wakes the threads that wait.
    pub fn stop(&self, wake: impl Fn()) {
        self.stopping.store(true, Ordering::SeqCst);
        wake();
        let waited = self.all_closed.wait_timeout_while(self.count(), self.limits.stop, |open| *open > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.over.store(true, Ordering::SeqCst);
        wake();
    }

    fn count(&self) -> MutexGuard<'_, usize> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut open = self.0.count();
        *open -= 1;
        if *open == 0 {
            self.0.all_closed.notify_all();
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}
