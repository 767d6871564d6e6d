//! The threads that wait for all connections: for requests, for answers that are given later, for peers that read. They
//! answer short requests themselves: waking a thread for one request costs more than its answer. All other requests are
//! [handed on](super::request_pool).

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Poll, Registry, Token};

use super::connection::{Connection, Step};
use super::handle::{ConnectionHandle, Then};
use super::incoming::Whole;
use super::request::Request;
use super::request_pool::{RequestPool, Work};
use super::response;
use super::server_state::ServerState;
use super::transport::Transport;
use super::wakes::Wakes;
use crate::error::Error;
use crate::threads::{self, catch};

/// Connections that one poll finds ready, at most.
const EVENTS: usize = 16;
/// One loop answers some 50,000 requests a second.
const LOOPS: usize = 4;
/// Bytes that are read at once, into memory that all connections of a loop share.
const READ_BYTES: usize = 64 * 1024;
/// The token of wake-ups. Connections count from 0.
const WAKE: Token = Token(usize::MAX);
/// The least time between two sweeps of all deadlines.
const SWEEP_PAUSE: Duration = Duration::from_millis(50);

/// The threads, from outside.
pub struct EventLoops {
    pub loops: Vec<Arc<Connections>>,
    threads: Vec<JoinHandle<()>>,
    pool: RequestPool,
}

/// The connections of an event loop, as other threads see them.
pub struct Connections {
    registry: Registry,
    wakes: Arc<Wakes>,
    state: Arc<ServerState>,
    /// `None` once the loop has ended.
    all: Mutex<Option<HashMap<usize, Arc<ConnectionHandle>>>>,
}

struct EventLoop {
    poll: Poll,
    connections: Arc<Connections>,
    state: Arc<ServerState>,
    pool: RequestPool,
    scratch: Vec<u8>,
    /// Connections that are to have another turn.
    again: Vec<Arc<ConnectionHandle>>,
    /// When to check all deadlines. No deadline is earlier: a request's thread sets none but that of an idle
    /// connection.
    sweep_at: Instant,
    has_noticed_stop: bool,
}

/// Requests that have come, each with its connection.
type Arrived = Vec<Work>;

impl EventLoops {
    /// Starts as many as there are processors, within bounds.
    pub fn start(state: &Arc<ServerState>) -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(2, usize::from).min(LOOPS);
        let pool = RequestPool::new(&state.limits);
        let mut started = EventLoops { loops: Vec::new(), threads: Vec::new(), pool: pool.clone() };
        for number in 1..=count {
            let mut event_loop = EventLoop::new(state, &pool)?;
            started.loops.push(event_loop.connections.clone());
            let thread = std::thread::Builder::new().name(format!("event loop {number}"));
            let thread = threads::spawn_service(thread.stack_size(state.limits.stack_bytes), move || event_loop.run())?;
            started.threads.push(thread);
        }
        Ok(started)
    }

    /// Waits for the threads, which end when all stops.
    pub fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                log::error!("an event loop panicked");
            }
        }
        self.pool.stop();
    }
}

impl Connections {
    /// Adds a connection. Without room for it, it gets `refusal`, unless it asks for what is always answered.
    pub fn add(&self, id: usize, stream: TcpStream, refusal: Option<Error>) -> io::Result<()> {
        let transport = Transport::new(stream, self.state.tls.clone());
        let connection = Connection::new(transport, refusal.map(Box::new));
        let handle = Arc::new(ConnectionHandle::new(id, &self.state, &self.wakes, connection));
        match &mut *self.all() {
            Some(all) => all.insert(id, handle.clone()),
            None => return Ok(()),
        };
        // What happened before is reported on registration.
        let registered = handle.register(&self.registry);
        if registered.is_err() {
            self.remove(id);
        }
        // A stop that has passed already would not be noticed.
        if self.state.stopping() {
            handle.wake();
        }
        registered
    }

    pub fn wake_loop(&self) {
        self.wakes.wake_loop();
    }

    /// The open connections.
    pub fn list(&self) -> Vec<Arc<ConnectionHandle>> {
        self.all().iter().flat_map(HashMap::values).cloned().collect()
    }

    pub fn remove(&self, id: usize) {
        let removed = self.all().as_mut().and_then(|all| all.remove(&id));
        drop(removed);
    }

    fn find(&self, id: usize) -> Option<Arc<ConnectionHandle>> {
        self.all().as_ref()?.get(&id).cloned()
    }

    fn all(&self) -> MutexGuard<'_, Option<HashMap<usize, Arc<ConnectionHandle>>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends, if all connections are closed or all is over.
    fn end(&self) -> bool {
        let mut all = self.all();
        let ends = self.state.is_over() || all.as_ref().is_none_or(HashMap::is_empty);
        let left = if ends { all.take() } else { None };
        drop(all);
        left.iter().flat_map(HashMap::values).for_each(|handle| handle.cut());
        ends
    }
}

impl EventLoop {
    fn new(state: &Arc<ServerState>, pool: &RequestPool) -> io::Result<Self> {
        let poll = Poll::new()?;
        let wakes = Arc::new(Wakes::new(poll.registry(), WAKE)?);
        let (registry, all) = (poll.registry().try_clone()?, Mutex::new(Some(HashMap::new())));
        Ok(EventLoop {
            poll,
            connections: Arc::new(Connections { registry, wakes, state: state.clone(), all }),
            state: state.clone(),
            pool: pool.clone(),
            scratch: vec![0; READ_BYTES],
            again: Vec::new(),
            sweep_at: Instant::now() + state.limits.idle,
            has_noticed_stop: false,
        })
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let left = match self.again.is_empty() {
                true => self.sweep_at.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            // On our own descriptor it fails only when it is interrupted.
            if self.poll.poll(&mut events, Some(left)).is_err() {
                events.clear();
            }
            self.turn(&events);
            if self.sweep_at <= Instant::now() {
                self.sweep();
            }
            if self.state.stopping() && self.stops() {
                return;
            }
        }
    }

    /// Goes on with all connections to which something has happened.
    fn turn(&mut self, events: &Events) {
        let mut due = std::mem::take(&mut self.again);
        for event in events {
            if event.token() == WAKE {
                due.extend(self.connections.wakes.take().into_iter().filter_map(|id| self.connections.find(id)));
            } else if let Some(handle) = self.connections.find(event.token().0) {
                handle.notice(event);
                due.push(handle);
            }
        }
        let mut arrived = Vec::new();
        due.into_iter().for_each(|handle| self.advance(handle, &mut arrived));
        self.attend(arrived);
    }

    /// Gives a connection its turn. A panic ends this connection, and no other.
    fn advance(&mut self, handle: Arc<ConnectionHandle>, arrived: &mut Arrived) {
        match catch(|| handle.advance(&mut self.scratch)) {
            Some(Step::Waits(deadline)) => self.sweep_at = deadline.map_or(self.sweep_at, |it| it.min(self.sweep_at)),
            Some(Step::Again) => self.again.push(handle),
            Some(Step::Request(whole)) => arrived.push(Work { connection: handle, whole }),
            Some(Step::Closed) | None => self.connections.remove(handle.id),
        }
    }

    /// Handles the requests that have arrived. Short ones are answered together, and written afterwards, since each
    /// answer wakes a peer that takes the processor.
    fn attend(&mut self, arrived: Arrived) {
        let (short, long): (Arrived, Arrived) =
            arrived.into_iter().partition(|work| work.whole.request.body.is_empty());
        long.into_iter().for_each(|work| self.hand_on(work));
        if short.is_empty() {
            return;
        }
        let again = |work: &Work| Request { head: work.whole.request.head.clone(), body: Vec::new() };
        // If they cannot be answered together, each may fail in a thread of its own.
        let replies = catch(|| self.state.service.answer_batch(short.iter().map(again).collect()));
        let mut replies = replies.unwrap_or_default().into_iter();
        for work in short {
            match replies.next().flatten() {
                Some(reply) => {
                    let Whole { meta, .. } = *work.whole;
                    let then = catch(|| work.connection.reply(meta, reply));
                    self.go_on(work.connection, then);
                }
                None => self.hand_on(work),
            }
        }
    }

    /// Hands a request to a thread. Without room for it, it is refused.
    fn hand_on(&mut self, work: Work) {
        match self.pool.submit(work) {
            Ok(()) => self.sweep_at = self.sweep_at.min(Instant::now() + self.state.limits.queue_time),
            Err(refused) => self.refuse(refused),
        }
    }

    fn refuse(&mut self, (work, error): (Work, Error)) {
        let Work { connection, whole } = work;
        let response = self.state.service.let_read(whole.request.head.origin(), response::of_error(&error));
        let then = catch(|| connection.reply(whole.meta, response.into()));
        self.go_on(connection, then);
    }

    /// Goes on with a connection that was answered; `None` if that has panicked.
    fn go_on(&mut self, handle: Arc<ConnectionHandle>, then: Option<Then>) {
        match then {
            Some(Then::Idle) => {}
            Some(Then::Again) => self.again.push(handle),
            None => self.connections.remove(handle.id),
        }
    }

    /// Ends what has waited for too long, and sets the time of the next sweep.
    fn sweep(&mut self) {
        let now = Instant::now();
        self.sweep_at = now + self.state.limits.idle;
        for handle in self.connections.list() {
            match handle.deadline() {
                Some((Some(deadline), true)) if deadline <= now => self.withdraw(handle),
                Some((Some(deadline), _)) if deadline <= now => {
                    handle.time_out(now);
                    self.again.push(handle);
                }
                Some((Some(deadline), _)) => self.sweep_at = self.sweep_at.min(deadline),
                Some((None, _)) => {}
                // Busy at this moment.
                None => self.sweep_at = now,
            }
        }
        self.sweep_at = self.sweep_at.max(now + SWEEP_PAUSE);
    }

    /// Refuses a request that has waited too long for a thread. If it is not queued any more, it is being worked on, or
    /// was answered: only this thread reads and queues the next request of a connection.
    fn withdraw(&mut self, handle: Arc<ConnectionHandle>) {
        match self.pool.withdraw(&handle) {
            Some(refused) => self.refuse(refused),
            None => handle.is_worked_on(),
        }
    }

    /// Lets each connection notice the stop. True if the loop is to end.
    fn stops(&mut self) -> bool {
        if !self.has_noticed_stop {
            self.has_noticed_stop = true;
            let all = self.connections.list();
            all.iter().for_each(|handle| handle.look_again());
            self.again = all;
        }
        self.connections.end()
    }
}
