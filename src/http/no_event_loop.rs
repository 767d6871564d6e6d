//! Fallback for systems without epoll: a thread per connection, also for one that waits for more than a request.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::connection;
use super::handle::{ConnectionHandle, Handover, Parked, Parking};
use super::limits::Limits;
use super::reply::{self, ReplySlot};
use super::write::Meta;

/// How long a thread waits until it looks again whether all stops.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub struct EventLoops;

impl EventLoops {
    pub fn start(_: &Limits) -> io::Result<Self> {
        Ok(EventLoops)
    }

    pub fn parking(&self) -> Arc<dyn Parking> {
        Arc::new(Threads)
    }

    pub fn stop(self) {}
}

struct Threads;

impl Parking for Threads {
    fn park(&self, handle: ConnectionHandle, parked: Parked) -> io::Result<()> {
        handle.stream.set_nonblocking(false)?;
        match parked {
            Parked::Request => connection::spawn(handle, Handover::default()),
            Parked::Later { slot, meta, buffered } => spawn(move || wait(handle, &slot, &meta, buffered)),
            Parked::Stream { slot, meta, pending_write } => {
                spawn(move || drop(stream(&handle, &slot, &meta, pending_write)))
            }
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread: io::Result<JoinHandle<()>> = std::thread::Builder::new().name("waiting".to_owned()).spawn(work);
    thread.map(drop)
}

/// Waits for an answer, and goes on with the next request.
fn wait(handle: ConnectionHandle, slot: &ReplySlot, meta: &Meta, buffered: Vec<u8>) {
    wake_this_thread(slot);
    let response = loop {
        match slot.take().and_then(|taken| taken.answer) {
            Some(response) => break response,
            None if handle.state.stopping() => break reply::stopping(),
            None => std::thread::park_timeout(LOOK_AGAIN),
        }
    };
    slot.close();
    let answer = handle.state.encode(&meta, response);
    let handover = Handover { buffered, pending_write: Some((answer.bytes, answer.reserved)), closes: answer.closes };
    if let Err(error) = connection::spawn(handle, handover) {
        log::warn!("a connection could not be given a thread: {error}");
    }
}

/// Writes a stream to its end.
fn stream(handle: &ConnectionHandle, slot: &ReplySlot, meta: &Meta, mut bytes: Vec<u8>) -> io::Result<()> {
    wake_this_thread(slot);
    handle.stream.set_write_timeout(Some(handle.state.limits.answer))?;
    while let Some(taken) = slot.take() {
        taken.pieces.iter().for_each(|piece| meta.push_piece(piece, &mut bytes));
        let is_over = taken.is_over || handle.state.stopping();
        if is_over {
            meta.push_end(&mut bytes);
        }
        let written = (&*handle.stream).write_all(&bytes);
        if is_over || written.is_err() {
            slot.close();
            return written;
        }
        bytes.clear();
        std::thread::park_timeout(LOOK_AGAIN);
    }
    Ok(())
}

fn wake_this_thread(slot: &ReplySlot) {
    let thread = std::thread::current();
    slot.wake_by(Box::new(move || thread.unpark()));
}
