//! Threads that work on requests: as many as there is work for, up to a bound. Beyond it, requests wait in a queue.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, Thread};
use std::time::{Duration, Instant};

use super::handle::ConnectionHandle;
use super::incoming::Whole;
use super::limits::Limits;
use super::reply::Responder;
use crate::error::Error;
use crate::threads::catch;

/// How long a thread waits for work until it ends.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// A request, and the connection that it came over.
pub struct Work {
    pub connection: Arc<ConnectionHandle>,
    pub whole: Box<Whole>,
}

/// The threads, from outside.
#[derive(Clone)]
pub struct RequestPool(Arc<Shared>);

struct Shared {
    threads: usize,
    queue: usize,
    stack_bytes: usize,
    is_stopping: AtomicBool,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    queue: VecDeque<Work>,
    threads: usize,
    /// Threads without work. The last to become idle is used first, so that the others may end.
    idle: Vec<Arc<IdleThread>>,
    spawned: u64,
}

/// A thread without work. It is given work past the queue, so that it need not wait for the lock of the pool.
struct IdleThread {
    thread: Thread,
    work: Mutex<Option<Work>>,
}

impl RequestPool {
    pub fn new(limits: &Limits) -> Self {
        let Limits { requests: threads, queue, stack_bytes, .. } = *limits;
        let (is_stopping, pool) = (AtomicBool::new(false), Mutex::default());
        RequestPool(Arc::new(Shared { threads, queue, stack_bytes, is_stopping, pool }))
    }

    /// Has a request worked on. Without room, it is returned with the reason.
    pub fn submit(&self, work: Work) -> Result<(), (Work, Error)> {
        let mut pool = self.0.lock();
        if let Some(idle) = pool.idle.pop() {
            drop(pool);
            idle.give(work);
            return Ok(());
        }
        let work = match self.spawn(&mut pool, work) {
            None => return Ok(()),
            Some(work) if pool.threads == 0 => {
                return Err((work, Error::unavailable("there is no thread for the request; try again later")));
            }
            Some(work) => work,
        };
        if pool.queue.len() >= self.0.queue {
            return Err((work, too_many()));
        }
        pool.queue.push_back(work);
        Ok(())
    }

    /// Takes back a request that no thread has begun with and that has waited for too long.
    pub fn withdraw(&self, connection: &ConnectionHandle) -> Option<(Work, Error)> {
        let mut pool = self.0.lock();
        let place = pool.queue.iter().position(|work| work.connection.id == connection.id)?;
        pool.queue.remove(place).map(|work| (work, too_many()))
    }

    /// Ends the threads once they are idle, without waiting for them.
    pub fn stop(&self) {
        self.0.is_stopping.store(true, Ordering::SeqCst);
        self.0.lock().idle.iter().for_each(|idle| idle.thread.unpark());
    }

    /// Starts a thread that begins with this work. The work is returned if there may be no more threads, or none can be
    /// started.
    fn spawn(&self, pool: &mut Pool, work: Work) -> Option<Work> {
        if pool.threads >= self.0.threads {
            return Some(work);
        }
        pool.spawned += 1;
        let first = Arc::new(Mutex::new(Some(work)));
        let (shared, begins_with) = (self.0.clone(), first.clone());
        let thread = Builder::new().name(format!("request {}", pool.spawned)).stack_size(self.0.stack_bytes);
        match thread.spawn(move || shared.work(take(&begins_with))) {
            Ok(_) => {
                pool.threads += 1;
                None
            }
            Err(error) => {
                log::debug!("a request's thread cannot be started: {error}");
                take(&first)
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, first: Option<Work>) {
        let this = Arc::new(IdleThread { thread: thread::current(), work: Mutex::default() });
        let mut next = first;
        while let Some(Work { connection, whole }) = next.or_else(|| self.next(&this)) {
            let Whole { request, meta, reserved } = *whole;
            let service = connection.state.service.clone();
            let responder = Responder::new(move |reply| {
                drop(reserved);
                connection.reply_from_thread(meta, reply);
            });
            let _ = catch(|| service.answer(request, responder));
            next = None;
        }
    }

    /// The next request. `None` if the thread is to end, which is counted.
    fn next(&self, this: &Arc<IdleThread>) -> Option<Work> {
        let mut pool = self.lock();
        if let Some(work) = pool.queue.pop_front() {
            return Some(work);
        }
        pool.idle.push(this.clone());
        drop(pool);
        let until = Instant::now() + IDLE_TIME;
        loop {
            if let Some(work) = this.take() {
                return Some(work);
            }
            let left = until.saturating_duration_since(Instant::now());
            if (left.is_zero() || self.is_stopping.load(Ordering::SeqCst)) && self.leave(this) {
                return None;
            }
            thread::park_timeout(left);
        }
    }

    /// Takes the thread out of the pool. False if work is on its way to it.
    fn leave(&self, this: &Arc<IdleThread>) -> bool {
        let mut pool = self.lock();
        let place = pool.idle.iter().position(|idle| Arc::ptr_eq(idle, this));
        if let Some(place) = place {
            pool.idle.remove(place);
            pool.threads -= 1;
        }
        place.is_some()
    }
}

impl IdleThread {
    fn give(&self, work: Work) {
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
        self.thread.unpark();
    }

    fn take(&self) -> Option<Work> {
        take(&self.work)
    }
}

fn take(work: &Mutex<Option<Work>>) -> Option<Work> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn too_many() -> Error {
    Error::unavailable("too many requests at once; try again later")
}
