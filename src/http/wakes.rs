//! Connections that other threads ask an event loop to continue.

use std::io;
use std::sync::{Mutex, PoisonError};

use mio::{Registry, Token, Waker};

pub struct Wakes {
    ids: Mutex<Vec<usize>>,
    waker: Waker,
}

impl Wakes {
    /// Wake-ups are reported to the event loop by this token.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Wakes { ids: Mutex::default(), waker: Waker::new(registry, token)? })
    }

    /// Asks the event loop to continue a connection.
    pub fn wake(&self, id: usize) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.push(id);
        if ids.len() == 1 {
            drop(ids);
            self.wake_loop();
        }
    }

    pub fn wake_loop(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("an event loop cannot be woken: {error}");
        }
    }

    pub fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
