//! Keeps the length of waits when the clock is set back. Messages that are delayed until an instant follow the clock.
//! Those that are delayed for a span are brought forward, so that they wait as long as they should.

use crate::clock::Timestamp;
use crate::compose::SIMULATED_DELAY_MILLIS;
use crate::error::Result;
use crate::model::definition::{Definition, Reading};
use crate::model::delay::Delay;
use crate::model::row::{JobRow, MessageNumber};
use crate::store::message::{self, DelayedMessage};
use crate::store::set_back::SetBack;
use crate::store::{Db, Store, job};

/// Delayed messages that are read or written at a time: other work has its turn in between.
const PIECE_MESSAGES: usize = 2_000;
/// A message is not brought forward by less.
const SLACK_MILLIS: i64 = 1_000;

/// Keeps delayed messages from waiting longer than they should.
pub struct Spans {
    /// What is being corrected.
    set_backs: Vec<SetBack>,
    /// By how much the clock had been set back after these, in total.
    set_back_millis: i64,
    /// How far that has come. `None` if there is nothing to be corrected.
    next: Option<MessageNumber>,
}

impl Spans {
    /// At the start. The clock may have been set back since the last one, by an unknown amount. No message may wait
    /// longer from now on than it should in total.
    pub fn new(store: &Store) -> Self {
        let (set_backs, set_back_millis) = store.take_set_backs();
        Spans { set_backs, set_back_millis, next: Some(MessageNumber(0)) }
    }

    /// Corrects what set-backs of the clock since the last call have moved away. If it fails, it continues with the
    /// next call.
    pub fn correct(&mut self, store: &Store, is_stopping: impl Fn() -> bool) -> Result<()> {
        if store.set_back_millis() != self.set_back_millis {
            // Any change makes the writer note a set-back.
            store.write(|_| Ok(()))?;
        }
        // A set-back during a correction is handled afterwards.
        while !is_stopping() {
            let Some(from) = self.next else {
                (self.set_backs, self.set_back_millis) = store.take_set_backs();
                if self.set_backs.is_empty() {
                    break;
                }
                self.set_backs.iter().try_for_each(|it| bring_endings_forward(store, *it, &is_stopping))?;
                self.next = Some(MessageNumber(0));
                continue;
            };
            let set_back_millis = store.set_back_millis();
            // Later set-backs move everything by so much: until then, the true time is so much later than the clock's.
            let to_come = set_back_millis - self.set_back_millis;
            let (late, next) = store.read(|db| list_late(db, from, &self.set_backs, db.now().after(to_come)))?;
            if store.set_back_millis() != set_back_millis {
                continue;
            }
            if !late.is_empty() {
                store.write(move |tx| late.iter().try_for_each(|it| message::bring_forward(tx, it)))?;
            }
            self.next = next;
        }
        Ok(())
    }
}

/// Brings forward all endings that were to come after a span.
fn bring_endings_forward(store: &Store, by: SetBack, is_stopping: impl Fn() -> bool) -> Result<()> {
    let mut next = Some(MessageNumber(0));
    while let Some(from) = next.filter(|_| !is_stopping()) {
        let of = (from, by.last_number);
        next = store.write(move |tx| message::bring_endings_forward(tx, of, by.millis, PIECE_MESSAGES))?;
    }
    Ok(())
}

/// Which messages of a piece are due too late, with the instants when they should be due, and where the next piece
/// begins.
fn list_late(
    db: &Db<'_>,
    from: MessageNumber,
    set_backs: &[SetBack],
    now: Timestamp,
) -> Result<(Vec<DelayedMessage>, Option<MessageNumber>)> {
    let delayed = message::list_delayed(db, from, PIECE_MESSAGES)?;
    let next = delayed.get(PIECE_MESSAGES - 1).map(|last| MessageNumber(last.number.0 + 1));
    let (mut late, mut last_job) = (Vec::new(), None);
    for it in delayed.into_iter().filter(|it| it.due_at > now) {
        let Some(place) = message::locate(db, it.number)? else { continue };
        let delay = match last_job {
            Some((job, delay)) if job == place.job => delay,
            _ => delay_of(db, place.job)?,
        };
        last_job = Some((place.job, delay));
        let Some(span) = span(delay, &it) else { continue };
        let moved = set_backs.iter().filter(|set_back| it.number <= set_back.last_number);
        let by = moved.fold(0_i64, |by, set_back| by.saturating_add(set_back.millis));
        let due_at = it.due_at.after(-by).min(now.after(span.saturating_add(SLACK_MILLIS)));
        if due_at < it.due_at {
            late.push(DelayedMessage { due_at, ..it });
        }
    }
    Ok((late, next))
}

/// The delay of a job's messages.
fn delay_of(db: &Db<'_>, job: JobRow) -> Result<Option<Delay>> {
    let (_, definition) = job::get_by_number(db, job)?;
    Ok(Definition::read(&definition, Reading::Lenient)?.delay)
}

/// How long a message waits in total. `None` if it waits for an instant.
fn span(delay: Option<Delay>, it: &DelayedMessage) -> Option<i64> {
    match delay {
        Some(Delay::Until(at)) if at == it.due_at => None,
        Some(Delay::For(millis @ 1..)) => Some(millis),
        // Its recipient is a simulated one.
        _ => Some(SIMULATED_DELAY_MILLIS),
    }
}
