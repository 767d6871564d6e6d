//! The clock was set back: what waits for a span of time would wait longer by as much. The writer notes it before its
//! next change, so that it is known for each message whether it was made before.

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

/// Set-backs that were not handled yet.
#[derive(Clone)]
pub struct SetBacks(Arc<Mutex<(Vec<SetBack>, i64)>>);

impl SetBacks {
    /// `set_back_millis` is what the clock has at the start.
    pub(in crate::store) fn new(set_back_millis: i64) -> Self {
        SetBacks(Arc::new(Mutex::new((Vec::new(), set_back_millis))))
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<SetBack>, i64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `db` is the writer's.
    pub(in crate::store) fn note(&self, db: &Db<'_>, millis: i64) {
        let last_number = message::last_number(db).unwrap_or_else(|error| {
            log::warn!("the clock was set back by {millis} ms; delayed messages may be late: {error}");
            MessageNumber(0)
        });
        let mut noted = self.lock();
        noted.0.push(SetBack { millis, last_number });
        noted.1 += millis;
    }

    /// Takes them, and returns by how much the clock had been set back after the last of them, in total.
    pub(in crate::store) fn take(&self) -> (Vec<SetBack>, i64) {
        let mut noted = self.lock();
        (mem::take(&mut noted.0), noted.1)
    }
}
