//! A connection as it is handed from one thread to another, and what it waits for in between.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use super::body::Reserved;
use super::reply::ReplySlot;
use super::server_state::ServerState;
use super::write::Meta;

/// Where connections wait without a thread of their own.
pub trait Parking: Send + Sync {
    fn park(&self, connection: ConnectionHandle, parked: Parked) -> io::Result<()>;
}

/// What a connection waits for.
pub enum Parked {
    /// The next request.
    Request,
    /// Its answer. Bytes of the next request may have been read.
    Later { slot: Arc<ReplySlot>, meta: Meta, buffered: Vec<u8> },
    /// The pieces of a stream. Its head is still to be written.
    Stream { slot: Arc<ReplySlot>, meta: Meta, pending_write: Vec<u8> },
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

/// Counts a connection until it is closed, however it ends.
pub struct ConnectionHandle {
    pub id: u64,
    pub stream: Arc<TcpStream>,
    pub state: Arc<ServerState>,
    parking: Arc<dyn Parking>,
    is_stream: bool,
}

impl ConnectionHandle {
    /// `None` if there are as many connections as there may be, or if no more are taken.
    pub fn open(stream: &Arc<TcpStream>, state: &Arc<ServerState>, parking: &Arc<dyn Parking>) -> Option<Self> {
        let id = state.add(stream)?;
        let (stream, state, parking) = (stream.clone(), state.clone(), parking.clone());
        Some(ConnectionHandle { id, stream, state, parking, is_stream: false })
    }

    /// Counts it among the streams from now on. False if there is no room.
    pub fn become_stream(&mut self) -> bool {
        self.is_stream = self.is_stream || self.state.add_stream();
        self.is_stream
    }

    /// Lets it wait without a thread.
    pub fn park(self, parked: Parked) -> io::Result<()> {
        self.parking.clone().park(self, parked)
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        self.state.remove(self.id, self.is_stream);
    }
}
