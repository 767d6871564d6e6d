//! One connection: what it waits for, and what it does then. It never blocks. A slow peer costs the memory of its
//! request or its answer, and no thread.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Registry, Token};

use super::body;
use super::incoming::{Incoming, Next, Stage, Whole};
use super::limits::Limits;
use super::outgoing::{self, Outgoing, Progress};
use super::reply::{self, Broken, Change, Given, Later, Reply, ReplySlot, Stream, Wake};
use super::response;
use super::server_state::{OpenStream, ServerState};
use super::transport::Transport;
use super::write::{Encoded, Meta};
use crate::error::{Error, Kind};

/// How much is read behind the last answer before the connection is closed, and for how long. Closing a socket with
/// unread bytes resets it, and the peer loses the answer.
const LINGER_BYTES: usize = 64 * 1024 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(5);

/// How long a body must have stalled before its connection may make room for another. One that still arrives is not
/// cut.
const STUCK_BODY: Duration = Duration::from_secs(1);
/// The same for an answer that the peer does not read.
const STUCK_ANSWER: Duration = Duration::from_secs(5);
/// How long a peer that has its answer may take to close the connection when room is needed.
const SHORT_LINGER: Duration = Duration::from_millis(200);
/// How long a peer has to send its request line when there is no room. Then it is refused, whatever it asks.
const REFUSED_TIME: Duration = Duration::from_secs(1);

/// Steps that a connection takes before others have their turn. Each reads once at most.
const TURN: usize = 8;

pub struct Connection {
    transport: Transport,
    incoming: Incoming,
    phase: Phase,
    /// How much of the next request has arrived.
    stage: Stage,
    /// When the phase or the stage began.
    since: Instant,
    /// When a byte of a body last arrived, or a byte of an answer was last sent.
    moved: Instant,
    /// Whether the kernel may have bytes to read, and may take bytes to write. It reports changes only.
    is_readable: bool,
    is_writable: bool,
    /// The peer sends nothing more, and may still read.
    has_peer_ended: bool,
    /// The peer is gone.
    is_broken: bool,
    has_asked: bool,
    /// Set if there is no room for the connection: the error that its request gets, unless it asks for what is always
    /// answered.
    refusal: Option<Box<Error>>,
}

/// What a connection waits for, or does.
enum Phase {
    /// The next request, or the rest of one.
    Reading,
    /// The reply to its request. `is_queued` until a thread works on it.
    Working {
        is_queued: bool,
    },
    /// An answer that is given later.
    Later(Box<Awaited>),
    /// Pieces of a stream, and the peer to take them.
    Streaming(Box<Streaming>),
    /// The peer to take an answer.
    Writing(Box<Outgoing>),
    /// The peer to close the connection. So many bytes are read and dropped.
    Lingering(usize),
    Closed,
}

struct Awaited {
    slot: Arc<ReplySlot>,
    meta: Meta,
    changes: Vec<Change>,
}

struct Streaming {
    slot: Arc<ReplySlot>,
    meta: Meta,
    /// What was taken from the slot and is not yet written.
    pending: Vec<u8>,
    _counted: OpenStream,
}

/// The outcome of a turn.
pub enum Step {
    /// It waits, until this time at most.
    Waits(Option<Instant>),
    /// It goes on after the others have had their turn.
    Again,
    Request(Box<Whole>),
    Closed,
}

/// Why a connection can make room for another, and since when it has been silent. The first of these make room first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silence {
    /// An answer that is given late.
    Late(Instant),
    /// The answer is sent, and the peer has not closed the connection yet.
    Told(Instant),
    NeverAsked(Instant),
    Idle(Instant),
    /// A head that is not complete.
    HalfAsked(Instant),
    /// A body that has stalled.
    HalfSent(Instant),
    /// An answer that the peer does not read.
    Unread(Instant),
}

impl Silence {
    /// Whether the silence has lasted long enough.
    pub fn is_ripe(self, now: Instant) -> bool {
        let (since, least) = match self {
            Silence::Told(since) => (since, SHORT_LINGER),
            Silence::HalfSent(since) => (since, STUCK_BODY),
            Silence::Unread(since) => (since, STUCK_ANSWER),
            Silence::Late(_) | Silence::NeverAsked(_) | Silence::Idle(_) | Silence::HalfAsked(_) => return true,
        };
        now.saturating_duration_since(since) >= least
    }
}

/// The outcome of a read.
enum Received {
    Bytes(usize),
    Nothing,
    End,
    Broken,
}

impl Connection {
    /// With a `refusal`, the next request is answered only if it is one that is [always
    /// answered](super::Service::is_always_answered).
    pub fn new(transport: Transport, refusal: Option<Box<Error>>) -> Self {
        let now = Instant::now();
        Connection {
            transport,
            incoming: Incoming::default(),
            phase: Phase::Reading,
            stage: Stage::Silent,
            since: now,
            moved: now,
            is_readable: false,
            is_writable: true,
            has_peer_ended: false,
            is_broken: false,
            has_asked: false,
            refusal,
        }
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.transport.register(registry, token)
    }

    /// Notes what the kernel reports.
    pub fn notice(&mut self, event: &Event) {
        self.is_readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.is_writable |= event.is_writable() || event.is_error();
        self.has_peer_ended |= event.is_read_closed();
        self.is_broken |= event.is_write_closed();
    }

    /// Reads once more what arrived before the stop.
    pub fn look_again(&mut self) {
        self.is_readable = true;
    }

    /// Goes on for a turn. Reads into `scratch`.
    pub fn advance(&mut self, state: &ServerState, scratch: &mut [u8]) -> Step {
        self.send_what_waits();
        for _ in 0..TURN {
            let step = match self.phase {
                Phase::Reading => self.read(state, scratch),
                Phase::Working { .. } => Some(self.waits(state)),
                Phase::Later(_) => self.take_answer(state),
                Phase::Streaming(_) => self.take_pieces(state),
                Phase::Writing(_) => self.write(state),
                Phase::Lingering(left) => self.linger(state, scratch, left),
                Phase::Closed => Some(Step::Closed),
            };
            if let Some(step) = step {
                return step;
            }
        }
        Step::Again
    }

    /// Goes on with the reply to its request. `wake` tells the event loop that something was given later.
    pub fn reply(&mut self, state: &Arc<ServerState>, meta: Meta, reply: Reply, wake: impl FnOnce() -> Wake) {
        let response = match reply {
            Reply::Answer(response) => response,
            Reply::Last(response) => return self.send(state.encode(&meta.closing(), response)),
            Reply::Broken(broken) => return self.break_off(state, &meta, broken),
            Reply::Later(Later { slot, changes }) => {
                self.enter(Phase::Later(Box::new(Awaited { slot: slot.clone(), meta, changes })));
                return slot.wake_by(wake());
            }
            Reply::Stream(stream) => match state.open_stream() {
                Some(counted) => return self.stream(state, meta, stream, counted, wake),
                None => reply::refuse_stream(stream),
            },
        };
        self.send(state.encode(&meta, response));
    }

    /// Refuses whatever the peer asks. Before the TLS handshake is over there is no way to tell it anything.
    pub fn refuse(&mut self, state: &ServerState, error: &Error) {
        log::debug!("a request was refused: {error}");
        if self.transport.is_opening() {
            return self.close();
        }
        let origin = self.incoming.take_origin();
        self.incoming = Incoming::default();
        let response = state.service.let_read(origin.as_deref(), response::of_error(error));
        self.send(state.encode(&Meta::of_refused(), response));
    }

    pub fn close(&mut self) {
        match &self.phase {
            Phase::Later(awaited) => awaited.slot.close(),
            Phase::Streaming(streaming) => streaming.slot.close(),
            _ => {}
        }
        self.incoming = Incoming::default();
        self.enter(Phase::Closed);
    }

    /// Whether it only waits for the next request.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Reading) && self.incoming.is_empty() && !self.is_readable
    }

    /// Notes that a thread works on its request.
    pub fn is_worked_on(&mut self) {
        if let Phase::Working { is_queued } = &mut self.phase {
            *is_queued = false;
        }
    }

    /// Until when it may stay in its phase.
    pub fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let span = match (&self.phase, self.stage) {
            (Phase::Reading, _) if self.refusal.is_some() => REFUSED_TIME,
            (Phase::Reading, Stage::Silent) => limits.idle,
            (Phase::Reading, Stage::Head) => limits.head,
            (Phase::Reading, Stage::Body) => limits.body,
            (Phase::Working { is_queued: true }, _) => limits.queue_time,
            (Phase::Writing(_), _) => limits.answer,
            (Phase::Lingering(_), _) => LINGER_TIME,
            _ => return None,
        };
        Some(self.since + span)
    }

    /// Whether a request waits for a thread.
    pub fn is_queued(&self) -> bool {
        matches!(self.phase, Phase::Working { is_queued: true })
    }

    /// Ends a phase that has lasted too long.
    pub fn time_out(&mut self, state: &ServerState) {
        let late = |what: &str| Error::new(Kind::TimedOut, format!("the {what} did not arrive in time"));
        if matches!(self.phase, Phase::Reading)
            && let Some(refusal) = self.refusal.take()
        {
            return self.refuse(state, &refusal);
        }
        match (&self.phase, self.stage) {
            (Phase::Reading, Stage::Head) => self.refuse(state, &late("request")),
            (Phase::Reading, Stage::Body) => self.refuse(state, &late("body")),
            _ => self.close(),
        }
    }

    /// How long it has been silent. `None` if its request is worked on.
    pub fn silence(&self) -> Option<Silence> {
        match (&self.phase, self.stage) {
            (Phase::Reading, _) if self.refusal.is_some() => None,
            (Phase::Reading, Stage::Silent) if !self.has_asked => Some(Silence::NeverAsked(self.since)),
            (Phase::Reading, Stage::Silent) => Some(Silence::Idle(self.since)),
            (Phase::Reading, Stage::Head) => Some(Silence::HalfAsked(self.since)),
            (Phase::Reading, Stage::Body) => Some(Silence::HalfSent(self.moved)),
            (Phase::Later(_), _) => Some(Silence::Late(self.since)),
            (Phase::Writing(_), _) => Some(Silence::Unread(self.moved)),
            (Phase::Lingering(_), _) => Some(Silence::Told(self.moved)),
            _ => None,
        }
    }

    /// Closes it, if it is still silent. The peer of a stalled body is told why: all that it has sent was read, so it
    /// can read the answer.
    pub fn make_room(&mut self, state: &ServerState, silence: Silence) -> bool {
        let reads = !matches!(silence, Silence::Unread(_) | Silence::Late(_));
        if self.silence() != Some(silence) || (reads && self.is_spoken_to()) {
            return false;
        }
        if matches!(silence, Silence::HalfSent(_)) {
            self.refuse(state, &Error::unavailable("the body did not go on, and there is no room; try again later"));
        }
        self.cut();
        true
    }

    /// Whether the peer has sent something that is not read yet.
    fn is_spoken_to(&self) -> bool {
        self.is_readable || self.transport.is_spoken_to()
    }

    /// Ends the connection. The peer learns of it even while other threads hold the socket.
    pub fn cut(&mut self) {
        self.close();
        self.transport.cut();
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.stage = Stage::Silent;
        self.since = Instant::now();
        self.moved = self.since;
    }

    fn waits(&self, state: &ServerState) -> Step {
        Step::Waits(self.deadline(&state.limits))
    }

    fn read(&mut self, state: &ServerState, scratch: &mut [u8]) -> Option<Step> {
        if let Some(refusal) = self.refusal.take_if(|_| {
            let line = self.incoming.request_line();
            line.is_some_and(|(method, path)| !state.service.is_always_answered(method, path))
        }) {
            self.refuse(state, &refusal);
            return None;
        }
        match self.incoming.next(&state.limits, &state.budget) {
            Ok(Next::Request(mut whole)) => {
                whole.meta = if self.refusal.is_some() { whole.meta.closing() } else { whole.meta };
                if let Err(error) = self.incoming.hold(&state.budget) {
                    self.refuse(state, &error);
                    return None;
                }
                self.has_asked = true;
                self.enter(Phase::Working { is_queued: true });
                return Some(Step::Request(whole));
            }
            Ok(Next::ExpectsContinue) => {
                self.tell_to_go_on();
                return None;
            }
            Ok(Next::More) => {}
            Err(error) => {
                self.refuse(state, &error);
                return None;
            }
        }
        self.enter_stage();
        match self.receive(scratch) {
            Received::Bytes(count) => {
                if self.transport.is_mistaken() {
                    self.refusal.get_or_insert_with(|| Box::new(plain_http()));
                }
                if self.stage == Stage::Body {
                    self.moved = Instant::now();
                }
                if let Err(error) = self.incoming.feed(&scratch[..count]) {
                    self.refuse(state, &error);
                }
            }
            // A request that the stop has cut short is not the peer's fault: without an answer, the peer sends it
            // again.
            Received::Nothing if state.stopping() => self.close(),
            Received::Nothing => match self.incoming.hold(&state.budget) {
                Ok(()) => {
                    self.enter_stage();
                    return Some(self.waits(state));
                }
                Err(error) => self.refuse(state, &error),
            },
            Received::End if self.stage == Stage::Body && !state.stopping() => self.refuse(state, &body::cut_short()),
            Received::Broken if self.transport.has_failed() => self.answered(true),
            Received::End | Received::Broken => self.close(),
        }
        None
    }

    /// Notes how much of the next request has arrived. A TLS handshake counts as a part of its head.
    fn enter_stage(&mut self) {
        let stage = if self.transport.is_opening() { Stage::Head } else { self.incoming.stage() };
        if self.stage != stage {
            self.stage = stage;
            self.moved = Instant::now();
            // Without room, the peer gets no more time for what follows.
            self.since = if self.refusal.is_some() { self.since } else { self.moved };
        }
    }

    /// Tells the peer to send the body. A peer that does not read is not told.
    fn tell_to_go_on(&mut self) {
        let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
        match outgoing::write(&mut self.transport, go_on) {
            (0, Progress::Blocked) | (_, Progress::Whole) => {}
            // The peer gets it when it reads on.
            (count, Progress::Blocked) if count == go_on.len() => {}
            _ => self.close(),
        }
    }

    /// Sends what was written and the peer has not taken yet.
    fn send_what_waits(&mut self) {
        if !self.is_writable || !self.transport.has_unsent() {
            return;
        }
        match self.transport.flush() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
            Err(_) => self.close(),
        }
    }

    fn receive(&mut self, scratch: &mut [u8]) -> Received {
        while self.is_readable {
            match self.transport.read(scratch) {
                Ok((0, _)) => return Received::End,
                Ok((count, may_have_more)) => {
                    // After a short read the kernel reports the next change (not on Windows). An end that it reported
                    // before must still be found.
                    self.is_readable = may_have_more || self.has_peer_ended || cfg!(not(unix));
                    return Received::Bytes(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_readable = false,
                Err(_) => return Received::Broken,
            }
        }
        Received::Nothing
    }

    /// Ends the connection without the answer, or with a part of it.
    fn break_off(&mut self, state: &ServerState, meta: &Meta, broken: Broken) {
        match broken {
            Broken::Lost => self.close(),
            Broken::Reset => {
                self.transport.reset_when_closed();
                self.close();
            }
            Broken::Cut(response) => self.send(state.encode(meta, response).cut_short()),
        }
    }

    /// Sends an answer, as much of it as the peer takes now.
    fn send(&mut self, answer: Encoded) {
        let mut outgoing = Outgoing::new(answer);
        match outgoing.write(&mut self.transport) {
            Progress::Whole => self.answered(outgoing.closes),
            Progress::Blocked => {
                self.is_writable = false;
                self.enter(Phase::Writing(Box::new(outgoing)));
            }
            Progress::Failed => self.close(),
        }
    }

    fn write(&mut self, state: &ServerState) -> Option<Step> {
        let Phase::Writing(outgoing) = &mut self.phase else { return None };
        if !self.is_writable {
            return Some(self.waits(state));
        }
        let written = outgoing.written;
        match outgoing.write(&mut self.transport) {
            Progress::Whole => {
                let closes = outgoing.closes;
                self.answered(closes);
            }
            Progress::Blocked => {
                self.is_writable = false;
                if outgoing.written > written {
                    self.moved = Instant::now();
                }
            }
            Progress::Failed => self.close(),
        }
        None
    }

    fn answered(&mut self, closes: bool) {
        if !closes {
            return self.enter(Phase::Reading);
        }
        self.incoming = Incoming::default();
        self.transport.finish();
        self.enter(Phase::Lingering(LINGER_BYTES));
    }

    fn linger(&mut self, state: &ServerState, scratch: &mut [u8], left: usize) -> Option<Step> {
        match self.receive(scratch) {
            Received::Bytes(count) if count < left => {
                self.phase = Phase::Lingering(left - count);
                self.moved = Instant::now();
            }
            Received::Nothing if !state.stopping() => return Some(self.waits(state)),
            _ => self.close(),
        }
        None
    }

    /// Goes on with an answer that was given.
    fn take_answer(&mut self, state: &ServerState) -> Option<Step> {
        let Phase::Later(awaited) = &mut self.phase else { return None };
        if self.has_peer_ended {
            awaited.slot.peer_has_ended();
        }
        let taken = awaited.slot.take().filter(|_| !self.is_broken);
        let Some(taken) = taken else {
            self.close();
            return None;
        };
        let stopping = || state.stopping().then(|| Given::Answer(reply::stopping()));
        let Some(given) = taken.answer.or_else(stopping) else {
            return Some(self.waits(state));
        };
        awaited.slot.close();
        let changes = std::mem::take(&mut awaited.changes);
        let changed = |response| changes.into_iter().fold(response, |response, change| change(response));
        match given {
            Given::Answer(response) => {
                let answer = state.encode(&awaited.meta, changed(response));
                self.send(answer);
            }
            Given::Broken(broken) => {
                let meta = awaited.meta.clone();
                let broken = match broken {
                    Broken::Cut(response) => Broken::Cut(changed(response)),
                    broken => broken,
                };
                self.break_off(state, &meta, broken);
            }
        }
        None
    }

    /// Begins a stream.
    fn stream(
        &mut self,
        state: &ServerState,
        meta: Meta,
        stream: Stream,
        counted: OpenStream,
        wake: impl FnOnce() -> Wake,
    ) {
        let (slot, head) = (stream.slot, meta.stream_head(&stream.content_type, &stream.headers));
        if meta.is_head() {
            return self.send(last(state, head));
        }
        let streaming = Streaming { slot: slot.clone(), meta, pending: head, _counted: counted };
        self.enter(Phase::Streaming(Box::new(streaming)));
        slot.wake_by(wake());
    }

    /// Writes as much of a stream as the peer takes now. Takes nothing more from the slot before all of that is
    /// written: the slot has the bound.
    fn take_pieces(&mut self, state: &ServerState) -> Option<Step> {
        let Phase::Streaming(streaming) = &mut self.phase else { return None };
        let Streaming { slot, meta, pending, .. } = &mut **streaming;
        let stopping = state.stopping();
        if (self.has_peer_ended || self.is_broken) && !stopping {
            self.close();
            return None;
        }
        let mut is_over = stopping;
        if pending.is_empty() || stopping {
            let Some(taken) = slot.take() else {
                self.close();
                return None;
            };
            taken.pieces.iter().for_each(|piece| meta.push_piece(piece, pending));
            is_over |= taken.is_over;
        }
        if is_over {
            slot.close();
            meta.push_end(pending);
            let rest = last(state, std::mem::take(pending));
            self.send(rest);
            return None;
        }
        if pending.is_empty() || !self.is_writable {
            return Some(self.waits(state));
        }
        let (written, progress) = outgoing::write(&mut self.transport, pending);
        pending.drain(..written);
        match progress {
            Progress::Whole => {}
            Progress::Blocked => self.is_writable = false,
            Progress::Failed => self.close(),
        }
        None
    }
}

/// The error for a peer that does not speak TLS.
fn plain_http() -> Error {
    Error::new(
        Kind::Invalid,
        "https is spoken here: call it with https:// in place of http://, or start bulkd without --tls",
    )
}

/// Bytes to write before a connection is closed.
fn last(state: &ServerState, bytes: Vec<u8>) -> Encoded {
    Encoded { bytes, more: VecDeque::new(), reserved: state.budget.reserve(), closes: true }
}
