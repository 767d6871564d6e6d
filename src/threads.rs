//! Threads that the process cannot do without, and work that must not end one.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, Builder, JoinHandle};

use crate::logging;

/// Starts a thread without which nothing is served. If it panics, the process ends: nothing would start a process again
/// that lives on and serves no requests.
pub fn spawn_service(builder: Builder, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    builder.spawn(move || {
        if catch(work).is_none() {
            let thread = thread::current();
            let name = thread.name().unwrap_or("without a name");
            logging::abort(&format!("bulkd cannot go on without the thread '{name}', and ends"));
        }
    })
}

/// The result of a piece of work. `None` if it panicked, which the panic's hook has logged.
pub fn catch<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
