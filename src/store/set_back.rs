//! The clock was set back: what waits for a span would wait longer by as much. The writer takes note of it before its next
//! change, so that it is known of each message whether it was made before.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::engine::Db;
use super::message;
use crate::model::row::MessageNumber;

/// One time that the clock was set back.
#[derive(Clone, Copy, Debug)]
pub struct SetBack {
    pub millis: i64,
    /// Messages up to this one had been made by then.
    pub last_number: MessageNumber,
}

/// Those that nothing was done about yet.
#[derive(Clone, Default)]
pub struct SetBacks(Arc<Mutex<Vec<SetBack>>>);

impl SetBacks {
    fn lock(&self) -> MutexGuard<'_, Vec<SetBack>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `db` is the writer's.
    pub(in crate::store) fn note(&self, db: &Db<'_>, millis: i64) {
        match message::last_number(db) {
            Ok(last_number) => self.lock().push(SetBack { millis, last_number }),
            Err(error) => log::warn!("the clock was set back by {millis} ms; delayed messages may be late: {error}"),
        }
    }

    pub(in crate::store) fn take(&self) -> Vec<SetBack> {
        mem::take(&mut *self.lock())
    }
}
