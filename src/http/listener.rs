//! The listener's thread: accepts connections and gives them to the event loops.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::descriptors;
use super::event_loop::EventLoops;
use super::eviction::{Evictions, Room};
use super::server_state::ServerState;
use crate::error::Error;
use crate::outage::Outage;
use crate::threads::catch;

/// How long to wait after an accept that failed, such as when no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long new connections wait for room that there may be soon, before they are refused. Longer than a body must have
/// stalled to make room.
const ROOM_TIME: Duration = Duration::from_millis(1_500);
const WAKE: Token = Token(usize::MAX);

pub struct Listener {
    sockets: Vec<TcpListener>,
    /// The socket to accept from first.
    turn: usize,
    poll: Poll,
    loops: EventLoops,
    state: Arc<ServerState>,
    /// How many connections there may be, and how many more that are only told that there is no room, or given what is
    /// always answered.
    most: usize,
    most_refused: usize,
    accepted: usize,
    /// The new connection that waits for room, and since when there is none.
    waiting: Option<TcpStream>,
    full_since: Option<Instant>,
    evictions: Evictions,
    accepts: Outage,
    room: Outage,
}

impl Listener {
    pub fn new(mut sockets: Vec<TcpListener>, loops: EventLoops, state: Arc<ServerState>) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (token, socket) in sockets.iter_mut().enumerate() {
            poll.registry().register(socket, Token(token), Interest::READABLE)?;
        }
        let accepts = Outage::new("connections cannot be accepted");
        let room = Outage::of_callers("silent connections are closed to make room for new ones");
        let (most, most_refused) = (descriptors::for_connections(), descriptors::for_refusals());
        let (accepted, waiting, full_since, evictions) = (0, None, None, Evictions::default());
        Ok(Listener {
            sockets,
            turn: 0,
            poll,
            loops,
            state,
            most,
            most_refused,
            accepted,
            waiting,
            full_since,
            evictions,
            accepts,
            room,
        })
    }

    /// Wakes the thread from another.
    pub fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKE)
    }

    /// Accepts connections until all stops, and then waits for the event loops to end.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(self.sockets.len() + 1);
        let mut pause = None;
        while !self.state.stopping() {
            // On our own descriptor it fails only when it is interrupted.
            let _ = self.poll.poll(&mut events, pause);
            let accepted = self.accept_all();
            let pauses = accepted.is_err() || self.waiting.is_some();
            if let Err(error) = accepted {
                self.accepts.failed(error);
            }
            pause = pauses.then_some(ACCEPT_PAUSE);
        }
        drop((self.sockets, self.waiting));
        self.loops.join();
    }

    /// Accepts connections until one has to wait for room. An error says why no more can be accepted now.
    fn accept_all(&mut self) -> io::Result<()> {
        while !self.state.stopping() {
            if let Some(stream) = self.waiting.take() {
                catch(|| self.take(stream)).unwrap_or(Ok(()))?;
                if self.waiting.is_some() {
                    return Ok(());
                }
            }
            // Refused connections stay for a moment.
            let most = self.most.saturating_add(self.most_refused);
            if self.state.open() >= most && self.make_room() != Room::Made {
                return Err(io::Error::other("as many as there may be have requests in flight"));
            }
            match self.accept() {
                Ok(stream) => {
                    self.waiting = Some(stream);
                    self.accepts.succeeded();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {
                }
                Err(error) if descriptors::are_lacking(&error) && self.make_room() == Room::Made => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Accepts from the sockets in turn, so that a crowd at one does not lock out the clients of the other.
    fn accept(&mut self) -> io::Result<TcpStream> {
        for _ in 0..self.sockets.len() {
            let accepted = self.sockets[self.turn].accept();
            self.turn = (self.turn + 1) % self.sockets.len();
            match accepted {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                accepted => return accepted.map(|(stream, _)| stream),
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Serves a new connection, refuses it, or lets it wait.
    fn take(&mut self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let refusal = match self.find_room() {
            Room::Made => None,
            Room::Soon => {
                self.waiting = Some(stream);
                return Ok(());
            }
            Room::None => Some(Error::unavailable("too many connections; try again later")),
        };
        let id = self.accepted;
        self.accepted = self.accepted.wrapping_add(1);
        self.loops.loops[id % self.loops.loops.len()].add(id, stream, refusal)
    }

    /// Whether there is room for one more. [`Room::Soon`] while it is worth waiting.
    fn find_room(&mut self) -> Room {
        // More than one if refused connections are still open.
        let lacking = (self.state.open() + 1).saturating_sub(self.most);
        if lacking == 0 {
            self.room.succeeded();
        }
        let not_made = (0..lacking).map(|_| self.make_room()).find(|room| *room != Room::Made);
        let Some(room) = not_made else {
            self.full_since = None;
            return Room::Made;
        };
        let full_since = *self.full_since.get_or_insert_with(Instant::now);
        if full_since.elapsed() < ROOM_TIME { room } else { Room::None }
    }

    fn make_room(&mut self) -> Room {
        let room = self.evictions.make_room(&self.loops.loops);
        if room == Room::Made {
            self.room.failed(format_args!("descriptors are enough for {}", self.most));
        }
        room
    }
}
