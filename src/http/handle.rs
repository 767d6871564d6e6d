//! A connection as event loops, request threads and the listener share it, one of them at a time. None of them blocks
//! while it holds it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use mio::event::Event;
use mio::{Registry, Token};

use super::connection::{Connection, Silence, Step};
use super::reply::Reply;
use super::server_state::{OpenConnection, ServerState};
use super::wakes::Wakes;
use super::write::Meta;
use crate::threads::catch;

pub struct ConnectionHandle {
    pub id: usize,
    pub state: Arc<ServerState>,
    wakes: Arc<Wakes>,
    connection: Mutex<Connection>,
    /// Dropped after the socket.
    _counted: OpenConnection,
}

/// What is left for the event loop to do after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing until the next request comes.
    Idle,
    /// Another turn.
    Again,
}

impl ConnectionHandle {
    pub fn new(id: usize, state: &Arc<ServerState>, wakes: &Arc<Wakes>, connection: Connection) -> Self {
        let (counted, connection) = (state.open_connection(), Mutex::new(connection));
        ConnectionHandle { id, state: state.clone(), wakes: wakes.clone(), connection, _counted: counted }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn register(&self, registry: &Registry) -> std::io::Result<()> {
        self.connection().register(registry, Token(self.id))
    }

    pub fn notice(&self, event: &Event) {
        self.connection().notice(event);
    }

    pub fn look_again(&self) {
        self.connection().look_again();
    }

    pub fn advance(&self, scratch: &mut [u8]) -> Step {
        self.connection().advance(&self.state, scratch)
    }

    /// Goes on with the reply to its request.
    pub fn reply(&self, meta: Meta, reply: Reply) -> Then {
        let mut connection = self.connection();
        connection.reply(&self.state, meta, reply, || {
            let (wakes, id) = (self.wakes.clone(), self.id);
            Box::new(move || wakes.wake(id))
        });
        // A stop that came meanwhile would not be noticed.
        if connection.is_idle() && !self.state.stopping() { Then::Idle } else { Then::Again }
    }

    /// The same from another thread than the event loop's. `None` closes the connection: the work has panicked.
    pub fn reply_from_thread(&self, meta: Meta, reply: Option<Reply>) {
        let then = reply.and_then(|reply| catch(|| self.reply(meta, reply)));
        if then.is_none() {
            self.connection().close();
        }
        if then != Some(Then::Idle) {
            self.wakes.wake(self.id);
        }
    }

    /// Has the event loop go on with it.
    pub fn wake(&self) {
        self.wakes.wake(self.id);
    }

    pub fn is_worked_on(&self) {
        self.connection().is_worked_on();
    }

    /// Until when it may wait, and whether it waits for a thread. `None` if it is in use at this moment.
    pub fn deadline(&self) -> Option<(Option<Instant>, bool)> {
        let connection = self.connection.try_lock().ok()?;
        Some((connection.deadline(&self.state.limits), connection.is_queued()))
    }

    /// Ends it if it has waited for too long.
    pub fn time_out(&self, now: Instant) {
        let mut connection = self.connection();
        if connection.deadline(&self.state.limits).is_some_and(|deadline| deadline <= now) {
            connection.time_out(&self.state);
        }
    }

    /// How long it has been silent. `None` if its request is worked on.
    pub fn silence(&self) -> Option<Silence> {
        self.connection.try_lock().ok()?.silence()
    }

    /// Closes it if it is still silent.
    pub fn make_room(&self, silence: Silence) -> bool {
        self.connection.try_lock().is_ok_and(|mut connection| connection.make_room(&self.state, silence))
    }

    /// Closes it, whatever it does.
    pub fn cut(&self) {
        self.connection().cut();
    }
}
