//! Connections that wait: for a request, for an answer that is given later, for the next piece of a stream. A few threads
//! wait for all of them. They answer there and then what takes a moment only: a thread that wakes for one request costs more
//! than such an answer. A connection that asks for more, sends in pieces or reads slowly is given a thread of its own, and
//! keeps it until it has to wait for something else than a request.

use std::collections::HashMap;
use std::io::{self, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

use super::connection::{self, READ_BYTES};
use super::handle::{ConnectionHandle, Handover, Parked, Parking};
use super::head::{Framing, Head};
use super::limits::Limits;
use super::reply::{self, Later, Reply, ReplySlot};
use super::request::Request;
use super::server_state::ServerState;
use super::write::{Encoded, Meta};
use crate::threads::{self, catch};

/// Connections that one look at the kernel finds ready, at most.
const EVENTS: usize = 16;
/// One of them answers some 50,000 requests a second.
const LOOPS: usize = 4;
/// Event ids of the stop pipe and of the wakes; connection ids start at 1.
const STOP: u64 = 0;
const WAKE: u64 = u64::MAX;

/// The threads and what they wait for.
pub struct EventLoops {
    loops: Vec<Arc<EventLoop>>,
    threads: Vec<JoinHandle<()>>,
    /// Closed, they tell the threads to end.
    stops: Vec<PipeWriter>,
}

struct EventLoop {
    epoll: OwnedFd,
    /// `None` once the loop has ended.
    waiting: Mutex<Option<HashMap<u64, Waiting>>>,
    wakes: Arc<Wakes>,
    limits: Limits,
}

/// Connections for which something was given.
struct Wakes {
    ids: Mutex<Vec<u64>>,
    event: OwnedFd,
}

/// A connection that waits.
struct Waiting {
    handle: ConnectionHandle,
    since: Instant,
    parked: Parked,
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
            let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            epoll::add(&epoll, &event, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
            let wakes = Arc::new(Wakes { ids: Mutex::default(), event });
            let waiting = Mutex::new(Some(HashMap::new()));
            let this = Arc::new(EventLoop { epoll, waiting, wakes, limits: limits.clone() });
            let running = this.clone();
            let thread = std::thread::Builder::new().name(format!("event loop {number}"));
            let thread = threads::spawn_service(thread.stack_size(limits.stack_bytes), move || {
                running.run();
                drop(stopped);
            })?;
            started.loops.push(this);
            started.threads.push(thread);
            started.stops.push(stop);
        }
        Ok(started)
    }

    /// Where connections are parked.
    pub fn parking(&self) -> Arc<dyn Parking> {
        Arc::new(Loops(self.loops.clone()))
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

struct Loops(Vec<Arc<EventLoop>>);

impl Parking for Loops {
    fn park(&self, handle: ConnectionHandle, parked: Parked) -> io::Result<()> {
        handle.stream.set_nonblocking(true)?;
        self.0[(handle.id % self.0.len() as u64) as usize].park(handle, parked)
    }
}

impl Wakes {
    fn wake(&self, id: u64) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        // Full, it is awake already.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    fn take(&self) -> Vec<u64> {
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
        std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is asked of the kernel about a connection. One that waits for an answer is not read from meanwhile.
fn interest(parked: &Parked) -> epoll::EventFlags {
    match parked {
        Parked::Request => epoll::EventFlags::IN,
        // That the peer has closed its side is told once.
        Parked::Later { .. } => epoll::EventFlags::RDHUP | epoll::EventFlags::ONESHOT,
        Parked::Stream { pending_write, .. } if pending_write.is_empty() => epoll::EventFlags::RDHUP,
        Parked::Stream { .. } => epoll::EventFlags::RDHUP | epoll::EventFlags::OUT,
    }
}

impl EventLoop {
    fn waiting(&self) -> MutexGuard<'_, Option<HashMap<u64, Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection of which the kernel is not asked yet.
    fn park(&self, handle: ConnectionHandle, parked: Parked) -> io::Result<()> {
        let (id, stream, interest) = (handle.id, handle.stream.clone(), interest(&parked));
        let slot = reply_slot(&parked).cloned();
        if let Err(waiting) = self.keep(handle, parked) {
            // The stop was faster.
            end(*waiting);
            return Ok(());
        }
        let added = epoll::add(&self.epoll, &*stream, epoll::EventData::new_u64(id), interest);
        if let Err(error) = added {
            self.remove(id);
            return Err(error.into());
        }
        if let Some(slot) = slot {
            let wakes = self.wakes.clone();
            slot.wake_by(Box::new(move || wakes.wake(id)));
        }
        Ok(())
    }

    /// Gives the connection back if the loop has ended.
    fn keep(&self, handle: ConnectionHandle, parked: Parked) -> Result<(), Box<Waiting>> {
        let waiting = Waiting { since: Instant::now(), parked, handle };
        match &mut *self.waiting() {
            Some(all) => {
                all.insert(waiting.handle.id, waiting);
                Ok(())
            }
            None => Err(Box::new(waiting)),
        }
    }

    fn remove(&self, id: u64) -> Option<Waiting> {
        self.waiting().as_mut()?.remove(&id)
    }

    fn run(&self) {
        let mut events = Vec::with_capacity(EVENTS);
        let mut sweep_at = Instant::now() + self.limits.idle;
        loop {
            let left = Timespec::try_from(sweep_at.saturating_duration_since(Instant::now())).unwrap_or_default();
            // On a descriptor of our own it can fail by an interruption only.
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&left));
            if events.iter().any(|event| event.data.u64() == STOP) {
                return self.end();
            }
            let mut arrived = Vec::new();
            for event in events.drain(..) {
                match event.data.u64() {
                    WAKE => {
                        let proceed = |id| catch(|| self.proceed(id)).flatten();
                        arrived.extend(self.wakes.take().into_iter().filter_map(proceed));
                    }
                    id => arrived.extend(catch(|| self.ready(id, event.flags)).flatten()),
                }
            }
            self.attend(arrived);
            if sweep_at <= Instant::now() {
                sweep_at = self.close_idle();
            }
        }
    }

    /// Answers what has arrived, and ends what waits for something else.
    fn end(&self) {
        let Some(all) = self.waiting().take() else { return };
        for (_, waiting) in all {
            match waiting.parked {
                Parked::Request => catch(|| self.answer_last(waiting.handle)),
                _ => catch(|| end(waiting)),
            };
        }
    }

    /// A request that came before the stop is still answered, in a thread.
    fn answer_last(&self, handle: ConnectionHandle) {
        if let ReadOutcome::Bytes(buffered) = read(&handle) {
            self.hand_over(handle, Handover { buffered, ..Handover::default() });
        }
    }

    /// Closes connections that have kept silent for too long, and tells when to look again.
    fn close_idle(&self) -> Instant {
        let (now, idle) = (Instant::now(), self.limits.idle);
        let mut waiting = self.waiting();
        let Some(all) = &mut *waiting else { return now + idle };
        all.retain(|_, it| !matches!(it.parked, Parked::Request) || now < it.since + idle);
        let requests = all.values().filter(|it| matches!(it.parked, Parked::Request));
        requests.map(|it| it.since + idle).min().unwrap_or(now + idle)
    }

    /// What the kernel says of a connection: a request may have come, or a stream may be written to.
    fn ready(&self, id: u64, flags: epoll::EventFlags) -> Option<Arrived> {
        let waiting = self.remove(id)?;
        let has_gone = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR | epoll::EventFlags::RDHUP);
        match waiting.parked {
            Parked::Request => match read(&waiting.handle) {
                ReadOutcome::Bytes(bytes) => return Some(Arrived { handle: waiting.handle, bytes }),
                ReadOutcome::Nothing => drop(self.keep(waiting.handle, Parked::Request)),
                ReadOutcome::Gone => {}
            },
            Parked::Later { slot, meta, buffered } if !flags.contains(epoll::EventFlags::HUP) => {
                slot.peer_has_ended();
                let _ = self.keep(waiting.handle, Parked::Later { slot, meta, buffered });
            }
            Parked::Later { slot, .. } => slot.close(),
            Parked::Stream { slot, .. } if has_gone && !waiting.handle.state.stopping() => slot.close(),
            Parked::Stream { slot, meta, pending_write } => {
                self.proceed_stream(waiting.handle, slot, meta, pending_write);
            }
        }
        None
    }

    /// Goes on with a connection for which something was given.
    fn proceed(&self, id: u64) -> Option<Arrived> {
        let Waiting { handle, parked, since } = self.remove(id)?;
        match parked {
            Parked::Later { slot, meta, buffered } => match slot.take()?.answer {
                Some(response) => {
                    slot.close();
                    let answer = handle.state.encode(&meta, response);
                    self.listen_again(&handle);
                    self.write(handle, answer, buffered)
                }
                None => {
                    let _ = self.keep(handle, Parked::Later { slot, meta, buffered });
                    None
                }
            },
            Parked::Stream { slot, meta, pending_write } => {
                self.proceed_stream(handle, slot, meta, pending_write);
                None
            }
            // It was woken by what it has taken already.
            Parked::Request => {
                if let Some(all) = &mut *self.waiting() {
                    all.insert(id, Waiting { handle, parked, since });
                }
                None
            }
        }
    }

    /// The kernel is asked about requests again.
    fn listen_again(&self, handle: &ConnectionHandle) {
        let data = epoll::EventData::new_u64(handle.id);
        let _ = epoll::modify(&self.epoll, &*handle.stream, data, epoll::EventFlags::IN);
    }

    /// Writes as much of a stream as its peer takes now. Nothing more is taken from its slot before all that was taken is
    /// written: it has the bound.
    fn proceed_stream(&self, handle: ConnectionHandle, slot: Arc<ReplySlot>, meta: Meta, mut bytes: Vec<u8>) {
        loop {
            let mut is_over = false;
            if bytes.is_empty() {
                let Some(taken) = slot.take() else { return };
                taken.pieces.iter().for_each(|piece| meta.push_piece(piece, &mut bytes));
                is_over = taken.is_over;
                if !is_over && bytes.is_empty() {
                    break;
                }
            }
            let written = match (&*handle.stream).write(&bytes) {
                Ok(written) => written,
                Err(error) if is_passing(&error) => 0,
                Err(_) => return slot.close(),
            };
            bytes.drain(..written);
            if is_over {
                slot.close();
                meta.push_end(&mut bytes);
                let handover = last(&handle.state, bytes);
                return self.hand_over(handle, handover);
            }
            if !bytes.is_empty() {
                break;
            }
        }
        let parked = Parked::Stream { slot, meta, pending_write: bytes };
        let data = epoll::EventData::new_u64(handle.id);
        if epoll::modify(&self.epoll, &*handle.stream, data, interest(&parked)).is_ok() {
            let _ = self.keep(handle, parked);
        }
    }

    /// Answers what has come: first all is read, then all is answered together, then all is written, since each answer
    /// wakes a peer that takes the processor. A panic costs the connection that it came over, and no other.
    fn attend(&self, mut arrived: Vec<Arrived>) {
        while !arrived.is_empty() {
            let (mut batch, mut requests) = (Vec::new(), Vec::new());
            for Arrived { handle, bytes } in arrived.drain(..) {
                match catch(|| BatchedRequest::read(&handle, &bytes)) {
                    Some(Some((it, request))) => {
                        batch.push((handle, bytes, it));
                        requests.push(request);
                    }
                    Some(None) => self.hand_over(handle, Handover { buffered: bytes, ..Handover::default() }),
                    None => {}
                }
            }
            let Some((ConnectionHandle { state, .. }, ..)) = batch.first() else { return };
            // If they cannot be answered together, each has a thread of its own to fail in.
            let replies = catch(|| state.service.answer_batch(requests));
            let replies = replies.unwrap_or_else(|| batch.iter().map(|_| None).collect());
            for ((handle, mut bytes, BatchedRequest { length, meta }), reply) in batch.into_iter().zip(replies) {
                let Some(reply) = reply else {
                    self.hand_over(handle, Handover { buffered: bytes, ..Handover::default() });
                    continue;
                };
                bytes.drain(..length);
                arrived.extend(catch(|| self.reply(handle, meta, reply, bytes)).flatten());
            }
        }
    }

    /// Writes what a request has led to, or lets the connection wait for it.
    fn reply(&self, mut handle: ConnectionHandle, meta: Meta, reply: Reply, buffered: Vec<u8>) -> Option<Arrived> {
        let response = match reply {
            Reply::Answer(response) => response,
            Reply::Hangup => return None,
            Reply::Later(Later(slot)) => {
                self.repark(handle, Parked::Later { slot, meta, buffered });
                return None;
            }
            Reply::Stream(stream) if !handle.become_stream() => reply::refuse_stream(stream),
            Reply::Stream(stream) => {
                let pending_write = meta.stream_head(&stream.content_type);
                match meta.is_head() {
                    true => {
                        let handover = last(&handle.state, pending_write);
                        self.hand_over(handle, handover);
                    }
                    false => self.repark(handle, Parked::Stream { slot: stream.slot, meta, pending_write }),
                }
                return None;
            }
        };
        let answer = handle.state.encode(&meta, response);
        self.write(handle, answer, buffered)
    }

    /// Parks a connection that has been answering requests: from now on it waits for something else.
    fn repark(&self, handle: ConnectionHandle, parked: Parked) {
        let (id, taken) = (handle.id, epoll::delete(&self.epoll, &*handle.stream));
        if let Err(error) = taken.map_err(io::Error::from).and_then(|()| self.park(handle, parked)) {
            log::warn!("connection {id} cannot wait: {error}");
        }
    }

    /// Writes an answer. If the next request has come already, it is next.
    fn write(&self, handle: ConnectionHandle, answer: Encoded, buffered: Vec<u8>) -> Option<Arrived> {
        let Encoded { bytes, reserved, closes } = answer;
        match (&*handle.stream).write(&bytes) {
            Ok(written) if written == bytes.len() && !closes => {
                if !buffered.is_empty() {
                    return Some(Arrived { handle, bytes: buffered });
                }
                let _ = self.keep(handle, Parked::Request);
            }
            Err(error) if !is_passing(&error) => {}
            written => {
                let mut bytes = bytes;
                bytes.drain(..written.unwrap_or(0));
                let pending_write = Some((bytes, reserved));
                self.hand_over(handle, Handover { buffered, pending_write, closes });
            }
        }
        None
    }

    fn hand_over(&self, handle: ConnectionHandle, handover: Handover) {
        let freed = epoll::delete(&self.epoll, &*handle.stream).map_err(io::Error::from);
        if let Err(error) = freed.and_then(|()| connection::spawn(handle, handover)) {
            log::warn!("a connection could not be given a thread: {error}");
        }
    }
}

/// Ends what a connection waits for at the stop.
fn end(waiting: Waiting) {
    let Waiting { handle, parked, .. } = waiting;
    let mut bytes = Vec::new();
    match parked {
        Parked::Request => return,
        Parked::Later { slot, meta, .. } => {
            let answer = slot.take().and_then(|taken| taken.answer).unwrap_or_else(reply::stopping);
            bytes = handle.state.encode(&meta, answer).bytes;
            slot.close();
        }
        Parked::Stream { slot, meta, pending_write } => {
            bytes.extend(pending_write);
            slot.take().iter().flat_map(|it| &it.pieces).for_each(|it| meta.push_piece(it, &mut bytes));
            meta.push_end(&mut bytes);
            slot.close();
        }
    }
    let handover = last(&handle.state, bytes);
    if let Err(error) = connection::spawn(handle, handover) {
        log::warn!("a connection could not be given a thread: {error}");
    }
}

/// What is still to be written before a connection is closed.
fn last(state: &ServerState, bytes: Vec<u8>) -> Handover {
    Handover { pending_write: Some((bytes, state.budget.reserve())), closes: true, ..Handover::default() }
}

fn reply_slot(parked: &Parked) -> Option<&Arc<ReplySlot>> {
    match parked {
        Parked::Request => None,
        Parked::Later { slot, .. } | Parked::Stream { slot, .. } => Some(slot),
    }
}

/// A connection and what has come from it.
struct Arrived {
    handle: ConnectionHandle,
    bytes: Vec<u8>,
}

/// What a look at a connection has found.
enum ReadOutcome {
    Bytes(Vec<u8>),
    Nothing,
    Gone,
}

fn read(handle: &ConnectionHandle) -> ReadOutcome {
    let mut scratch = [0; READ_BYTES];
    match io::Read::read(&mut &*handle.stream, &mut scratch) {
        Ok(0) => ReadOutcome::Gone,
        Ok(read) => ReadOutcome::Bytes(scratch[..read].to_vec()),
        Err(error) if is_passing(&error) => ReadOutcome::Nothing,
        Err(_) => ReadOutcome::Gone,
    }
}

/// A request that is answered together with others.
struct BatchedRequest {
    /// Bytes that it takes.
    length: usize,
    meta: Meta,
}

impl BatchedRequest {
    /// The first request in `bytes`, if it is whole and the connection goes on after it.
    fn read(handle: &ConnectionHandle, bytes: &[u8]) -> Option<(Self, Request)> {
        let (head, length) = Head::parse(bytes).ok()??;
        let meta = Meta::of(&head);
        let whole = head.framing().ok()? == Framing::Length(0) && length <= handle.state.limits.head_bytes;
        if !whole || !meta.keeps_alive() || handle.state.stopping() {
            return None;
        }
        Some((BatchedRequest { length, meta }, Request { head, body: Vec::new() }))
    }
}

/// Whether it is to be tried again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
