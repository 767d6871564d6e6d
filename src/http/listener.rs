//! The listener's thread: accepts connections and gives them to the event loops.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::descriptors;
use super::event_loop::EventLoops;
use super::eviction::Evictions;
use super::server_state::ServerState;
use crate::error::Error;
use crate::outage::Outage;
use crate::threads::catch;

/// How long to wait after an accept that failed, for instance because there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const LISTENER: Token = Token(0);
const WAKE: Token = Token(1);

pub struct Listener {
    socket: TcpListener,
    poll: Poll,
    loops: EventLoops,
    state: Arc<ServerState>,
    /// How many connections there may be, and how many more that are refused.
    most: usize,
    most_refused: usize,
    accepted: usize,
    evictions: Evictions,
    accepts: Outage,
    room: Outage,
}

impl Listener {
    pub fn new(mut socket: TcpListener, loops: EventLoops, state: Arc<ServerState>) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut socket, LISTENER, Interest::READABLE)?;
        let accepts = Outage::new("connections cannot be accepted");
        let room = Outage::of_callers("silent connections are closed to make room for new ones");
        let (most, most_refused) = (descriptors::for_connections(), descriptors::for_refusals());
        let (accepted, evictions) = (0, Evictions::default());
        Ok(Listener { socket, poll, loops, state, most, most_refused, accepted, evictions, accepts, room })
    }

    /// Has the thread look up.
    pub fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKE)
    }

    /// Accepts connections until all stops, and sees the event loops off.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(2);
        let mut pause = None;
        while !self.state.stopping() {
            // On a descriptor of our own it can fail by an interruption only.
            let _ = self.poll.poll(&mut events, pause);
            pause = self.accept_all().err().map(|error| {
                self.accepts.failed(error);
                ACCEPT_PAUSE
            });
        }
        drop(self.socket);
        self.loops.join();
    }

    /// Accepts what has come. An error says why no more can be accepted now.
    fn accept_all(&mut self) -> io::Result<()> {
        while !self.state.stopping() {
            // Those that were refused are there for a moment more.
            if self.state.open() >= self.most.saturating_add(self.most_refused) && !self.make_room() {
                return Err(io::Error::other("as many as there may be have requests in flight"));
            }
            match self.socket.accept() {
                Ok((stream, _)) => {
                    catch(|| self.take(stream)).unwrap_or(Ok(()))?;
                    self.accepts.succeeded();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {
                }
                Err(error) if descriptors::are_lacking(&error) && self.make_room() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take(&mut self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let refusal = match self.state.open() < self.most {
            true => {
                self.room.succeeded();
                None
            }
            false if self.make_room() => None,
            false => Some(Error::unavailable("too many connections; try again later")),
        };
        let id = self.accepted;
        self.accepted = self.accepted.wrapping_add(1);
        self.loops.loops[id % self.loops.loops.len()].add(id, stream, refusal.as_ref())
    }

    fn make_room(&mut self) -> bool {
        let made = self.evictions.make_room(&self.loops.loops);
        if made {
            self.room.failed(format_args!("descriptors are enough for {}", self.most));
        }
        made
    }
}
