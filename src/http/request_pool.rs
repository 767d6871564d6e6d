//! Threads that work on requests. There are as many as there is work, within a bound: beyond it requests wait in a queue.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::handle::ConnectionHandle;
use super::incoming::Whole;
use super::limits::Limits;
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
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    queue: VecDeque<Work>,
    threads: usize,
    /// Those that have no work, each with what wakes it. The last one to wait is woken first: the others may end.
    idle: Vec<Arc<Condvar>>,
    spawned: u64,
    is_stopping: bool,
}

impl RequestPool {
    pub fn new(limits: &Limits) -> Self {
        let Limits { requests: threads, queue, stack_bytes, .. } = *limits;
        RequestPool(Arc::new(Shared { threads, queue, stack_bytes, pool: Mutex::default() }))
    }

    /// Has a request worked on. It is given back, and why, if there is no room for it.
    pub fn submit(&self, work: Work) -> Result<(), (Work, Error)> {
        let mut pool = self.0.lock();
        if let Some(idle) = pool.idle.pop() {
            pool.queue.push_back(work);
            idle.notify_one();
            return Ok(());
        }
        if pool.threads >= self.0.threads && pool.queue.len() >= self.0.queue {
            return Err((work, too_many()));
        }
        pool.queue.push_back(work);
        if pool.threads < self.0.threads
            && let Err(error) = self.spawn(&mut pool)
        {
            log::debug!("a request's thread cannot be started: {error}");
            if pool.threads == 0
                && let Some(work) = pool.queue.pop_back()
            {
                return Err((work, Error::unavailable("there is no thread for the request; try again later")));
            }
        }
        Ok(())
    }

    /// Takes back a request that no thread has begun with, since it has waited for too long.
    pub fn withdraw(&self, connection: &ConnectionHandle) -> Option<(Work, Error)> {
        let mut pool = self.0.lock();
        let place = pool.queue.iter().position(|work| work.connection.id == connection.id)?;
        pool.queue.remove(place).map(|work| (work, too_many()))
    }

    /// Ends the threads when they have no work. None of them is waited for.
    pub fn stop(&self) {
        let mut pool = self.0.lock();
        pool.is_stopping = true;
        pool.idle.drain(..).for_each(|idle| idle.notify_one());
    }

    fn spawn(&self, pool: &mut Pool) -> io::Result<()> {
        pool.spawned += 1;
        let (shared, thread) = (self.0.clone(), Builder::new().name(format!("request {}", pool.spawned)));
        let spawned: io::Result<JoinHandle<()>> = thread.stack_size(self.0.stack_bytes).spawn(move || shared.work());
        pool.threads += usize::from(spawned.is_ok());
        spawned.map(drop)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(Work { connection, whole }) = self.next() {
            let Whole { request, meta, reserved } = *whole;
            let reply = catch(|| connection.state.service.answer(request));
            drop(reserved);
            connection.reply_from_thread(meta, reply);
        }
    }

    /// The next request. `None` if the thread is to end, which is counted.
    fn next(&self) -> Option<Work> {
        let mut pool = self.lock();
        let mut is_late = false;
        loop {
            if let Some(work) = pool.queue.pop_front() {
                return Some(work);
            }
            if is_late || pool.is_stopping {
                pool.threads -= 1;
                return None;
            }
            let woken = Arc::new(Condvar::new());
            pool.idle.push(woken.clone());
            let waited = woken.wait_timeout(pool, IDLE_TIME).unwrap_or_else(PoisonError::into_inner);
            (pool, is_late) = (waited.0, waited.1.timed_out());
            pool.idle.retain(|idle| !Arc::ptr_eq(idle, &woken));
        }
    }
}

fn too_many() -> Error {
    Error::unavailable("too many requests at once; try again later")
}
