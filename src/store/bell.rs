//! How those who follow are woken. A bell says that there may be something new to look at, never what: that is in the
//! rows.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Clone, Default)]
pub struct Bell(Arc<(Mutex<u64>, Condvar)>);

impl Bell {
    pub fn ring(&self) {
        let (rung, heard) = &*self.0;
        *rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        heard.notify_all();
    }

    /// How often it has rung. Ask before looking at the rows, and hand it to [`Bell::wait`] afterwards.
    pub fn rung(&self) -> u64 {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has rung more than `heard` times, or for at most `timeout`.
    pub fn wait(&self, heard: u64, timeout: Duration) {
        let (rung, changed) = &*self.0;
        let guard = rung.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = changed.wait_timeout_while(guard, timeout, |rung| *rung <= heard);
    }
}
