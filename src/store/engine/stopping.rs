//! Long reads of a file, which a stop interrupts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use crate::error::{Error, Result};

/// Steps of SQLite's virtual machine between two looks at the flag: far less than a millisecond.
const STEPS: i32 = 10_000;

/// Whether all is to stop. Copies share it.
#[derive(Clone, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Fails once all is to stop.
    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(Error::unavailable("bulkd is stopping")),
            false => Ok(()),
        }
    }

    /// Interrupts what the connection is doing once all is to stop.
    pub fn watch(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        let stopping = self.clone();
        conn.progress_handler(STEPS, Some(move || stopping.check().is_err()))
    }
}
