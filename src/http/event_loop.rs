//! Connections between two requests. A few threads wait for all of them, and answer there and then what takes a moment
//! only: a thread that wakes for one request costs more than such an answer. Whoever asks for more, sends in pieces or
//! reads slowly is given a thread of its own, and keeps it.

use std::collections::HashMap;
use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use tiny_http::HTTPVersion;

use super::connection::{self, Begun, READ_BYTES};
use super::head::{Framing, Head};
use super::response;
use super::server::Open;
use super::{Limits, Method, Request};

/// Connections that one look at the kernel finds ready, at most.
const EVENTS: usize = 16;
/// One of them answers some 50,000 requests a second.
const LOOPS: usize = 4;
/// What no connection is numbered.
const STOP: u64 = 0;

/// The threads and what they wait for.
pub struct EventLoops {
    loops: Vec<Arc<EventLoop>>,
    threads: Vec<JoinHandle<()>>,
    /// Closed, they tell the threads to end.
    stops: Vec<PipeWriter>,
}

struct EventLoop {
    epoll: OwnedFd,
    parked: Mutex<HashMap<u64, Parked>>,
    limits: Limits,
}

/// A connection from which nothing has come since its last answer.
struct Parked {
    open: Open,
    since: Instant,
}

impl EventLoops {
    /// As many as there are processors, within bounds.
    pub fn start(limits: &Limits) -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(2, usize::from).min(LOOPS);
        let mut started = EventLoops { loops: Vec::new(), threads: Vec::new(), stops: Vec::new() };
        for number in 1..=count {
            let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
            let (stopped, stop) = io::pipe()?;
            epoll::add(&epoll, &stopped, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)?;
            let this = Arc::new(EventLoop { epoll, parked: Mutex::default(), limits: limits.clone() });
            let running = this.clone();
            let thread = std::thread::Builder::new()
                .name(format!("event loop {number}"))
                .stack_size(limits.stack_bytes)
                .spawn(move || {
                    running.run();
                    drop(stopped);
                })?;
            started.loops.push(this);
            started.threads.push(thread);
            started.stops.push(stop);
        }
        Ok(started)
    }

    /// Takes a connection of which nothing is known yet.
    pub fn park(&self, open: Open) -> io::Result<()> {
        open.stream.set_nonblocking(true)?;
        let (id, stream) = (open.id, open.stream.clone());
        let event_loop = &self.loops[(id % self.loops.len() as u64) as usize];
        event_loop.parked().insert(id, Parked { open, since: Instant::now() });
        let added = epoll::add(&event_loop.epoll, &*stream, epoll::EventData::new_u64(id), epoll::EventFlags::IN);
        added.map_err(|error| {
            event_loop.parked().remove(&id);
            error.into()
        })
    }

    /// Answers what has arrived, closes all connections, and ends the threads.
    pub fn stop(self) {
        drop(self.stops);
        for thread in self.threads {
            if thread.join().is_err() {
                log::error!("an event loop panicked");
            }
        }
    }
}

impl EventLoop {
    fn parked(&self) -> MutexGuard<'_, HashMap<u64, Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut events = Vec::with_capacity(EVENTS);
        let mut sweep_at = Instant::now() + self.limits.idle;
        loop {
            let left = Timespec::try_from(sweep_at.saturating_duration_since(Instant::now())).unwrap_or_default();
            // All that can befall it on a descriptor of our own is to be interrupted.
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&left));
            let stopping = events.iter().any(|event| event.data.u64() == STOP);
            if stopping {
                let ids: Vec<u64> = self.parked().keys().copied().collect();
                self.attend(ids.into_iter());
                self.parked().clear();
                return;
            }
            self.attend(events.drain(..).map(|event| event.data.u64()));
            if sweep_at <= Instant::now() {
                sweep_at = self.close_idle();
            }
        }
    }

    /// Closes connections that have kept silent for too long, and tells when to look again.
    fn close_idle(&self) -> Instant {
        let (now, idle) = (Instant::now(), self.limits.idle);
        let mut parked = self.parked();
        parked.retain(|_, parked| now < parked.since + idle);
        parked.values().map(|parked| parked.since + idle).min().unwrap_or(now + idle)
    }

    /// Answers what has come from these connections: first all is read, then all is answered together, then all is
    /// written, since each answer wakes somebody who takes the processor.
    fn attend(&self, ids: impl Iterator<Item = u64>) {
        let mut arrived: Vec<Arrived> = ids.filter_map(|id| self.read(id)).collect();
        while !arrived.is_empty() {
            let (mut asking, mut requests) = (Vec::new(), Vec::new());
            for Arrived { open, bytes } in arrived.drain(..) {
                match Asked::read(&open, &bytes) {
                    Some((asked, request)) => {
                        asking.push((open, bytes, asked));
                        requests.push(request);
                    }
                    None => self.hand_over(open, Begun { ahead: bytes, unsent: None }),
                }
            }
            let Some((Open { shared, .. }, ..)) = asking.first() else { return };
            let answers = shared.handler.answer_at_once(requests);
            for ((open, mut bytes, asked), answer) in asking.into_iter().zip(answers) {
                let Some(response) = answer else {
                    self.hand_over(open, Begun { ahead: bytes, unsent: None });
                    continue;
                };
                bytes.drain(..asked.length);
                let (response, reserved) = connection::within(&open.shared.budget, &asked.method, response);
                let answer = response::to_bytes(response, &asked.version, asked.method == Method::Head, false);
                match (&*open.stream).write(&answer) {
                    Ok(written) if written == answer.len() && bytes.is_empty() => self.keep(open),
                    Ok(written) if written == answer.len() => arrived.push(Arrived { open, bytes }),
                    Err(error) if !is_passing(&error) => {}
                    taken => {
                        let unsent = (answer[taken.unwrap_or(0)..].to_vec(), reserved);
                        self.hand_over(open, Begun { ahead: bytes, unsent: Some(unsent) });
                    }
                }
            }
        }
    }

    /// What has come from a connection; `None` if it has gone, or if there is nothing.
    fn read(&self, id: u64) -> Option<Arrived> {
        let Parked { open, .. } = self.parked().remove(&id)?;
        let mut scratch = [0; READ_BYTES];
        match (&*open.stream).read(&mut scratch) {
            Ok(0) => None,
            Ok(read) => Some(Arrived { open, bytes: scratch[..read].to_vec() }),
            Err(error) => {
                if is_passing(&error) {
                    self.keep(open);
                }
                None
            }
        }
    }

    fn keep(&self, open: Open) {
        self.parked().insert(open.id, Parked { open, since: Instant::now() });
    }

    fn hand_over(&self, open: Open, begun: Begun) {
        let freed = epoll::delete(&self.epoll, &*open.stream).map_err(io::Error::from);
        if let Err(error) = freed.and_then(|()| open.serve(begun)) {
            log::warn!("a connection could not be given a thread: {error}");
        }
    }
}

/// A connection and what has come from it.
struct Arrived {
    open: Open,
    bytes: Vec<u8>,
}

/// What has to be known of a request when it is answered.
struct Asked {
    length: usize,
    version: HTTPVersion,
    method: Method,
}

impl Asked {
    /// The first request in `bytes`, if it is whole and the connection goes on after it.
    fn read(open: &Open, bytes: &[u8]) -> Option<(Asked, Request)> {
        let (head, length) = Head::parse(bytes).ok()??;
        let whole = head.framing().ok()? == Framing::Length(0) && length <= open.shared.limits.head_bytes;
        if !whole || !head.keeps_alive() || open.shared.stopping() {
            return None;
        }
        let asked = Asked { length, version: head.version.clone(), method: head.method.clone() };
        Some((asked, Request { head, body: Vec::new() }))
    }
}

/// Whether it is to be tried again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
