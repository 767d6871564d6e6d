//! Messages that have waited for their time: rendered now, and written in place of their old rows. And messages that
//! end later, as a test has set it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::spans::Spans;
use crate::clock::Timestamp;
use crate::compose::{Recipient, Renderer};
use crate::error::{Error, Kind, Result};
use crate::follow::{self, Next};
use crate::model::definition::{Definition, Reading};
use crate::model::environment::EnvironmentRow;
use crate::model::message_status::{MessageStatus, Reason, Verdict};
use crate::model::rendered_batch::{Outcome, RenderedBatch};
use crate::model::resolved::ResolvedDefinition;
use crate::model::row::{JobRow, MessageNumber};
use crate::settings::MessageSettings;
use crate::store::message::{self, DueEnding, MessageLocation};
use crate::store::recipient_lookup::RecipientLookup;
use crate::store::{Db, Store, Tx, job, plan, settle, user};

/// Messages that are written in one commit, at most.
const BATCH_MESSAGES: usize = 100;
/// Text after which a batch ends earlier.
const BATCH_BYTES: usize = 1024 * 1024;

/// The numbers of messages, each with what became of it.
type DelayedBatches = Vec<(MessageNumber, RenderedBatch)>;

/// A job of which messages are due.
struct DueJob {
    job: JobRow,
    renderer: Renderer,
    /// The row of its environment.
    environment: EnvironmentRow,
}

/// What sends delayed messages.
pub struct DelayedSender<'a> {
    pub store: &'a Store,
    pub messages: MessageSettings,
    pub stopping: &'a AtomicBool,
}

impl DelayedSender<'_> {
    /// Sends what is due, until the runner stops.
    pub fn follow(&self) {
        let bell = self.store.jobs_bell();
        let trouble = "delayed messages could not be sent";
        let mut spans = Spans::new(self.store);
        follow::follow(
            self.store,
            bell,
            trouble,
            || self.is_stopping(),
            || {
                spans.correct(self.store, || self.is_stopping())?;
                let next = self.send_due()?;
                // After the messages, some of which may have an ending.
                Ok(next.or_at(self.end_due()?))
            },
        );
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Sends what is due now, and returns when the next message is. A message that cannot be made or written holds up
    /// no other. It is tried again.
    fn send_due(&self) -> Result<Next> {
        // The messages of one job mostly follow one another, and a job may be large.
        let mut job = None;
        let mut failed = Failed::default();
        loop {
            let (mut due, next, now) = self.store.read(|db| {
                let (due, next) = message::list_due(db, BATCH_MESSAGES + failed.numbers.len())?;
                Ok((due, next, db.now()))
            })?;
            if self.is_stopping() {
                return Ok(Next::Wait);
            }
            let (mut made, mut bytes, mut all) = (DelayedBatches::new(), 0, true);
            due.retain(|place| !failed.numbers.contains(&place.number));
            for place in &due {
                if bytes >= BATCH_BYTES {
                    all = false;
                    break;
                }
                match self.render_due(place, now, &mut job) {
                    // It is being dropped.
                    Err(_) if self.store.read(|db| message::locate(db, place.number))?.is_none() => {}
                    Ok(outcomes) => {
                        bytes += outcomes.bytes();
                        made.push((place.number, outcomes));
                    }
                    Err(error) => failed.add(place.number, error)?,
                }
            }
            if !made.is_empty() {
                self.settle_due(made, &mut failed)?;
            }
            if !all || next.is_some_and(|at| at <= now) {
                continue;
            }
            return match failed.error {
                Some(error) => Err(error),
                None => Ok(Next::wait(next)),
            };
        }
    }

    /// Ends the messages whose endings are due, and returns when the next one is.
    fn end_due(&self) -> Result<Option<Timestamp>> {
        loop {
            let (due, next, now) = self.store.read(|db| {
                let (due, next) = message::list_endings(db, BATCH_MESSAGES)?;
                Ok((due, next, db.now()))
            })?;
            if self.is_stopping() || due.is_empty() {
                return Ok(next);
            }
            let due = Arc::new(due);
            let batch = due.clone();
            if self.store.write(move |tx| batch.iter().try_for_each(|it| settle::end(tx, it))).is_err() {
                self.end_each(&due)?;
            }
            if next.is_none_or(|at| at > now) {
                return Ok(next);
            }
        }
    }

    /// The same for each message by itself. One that cannot end stays as it is, and holds up no other.
    fn end_each(&self, due: &Arc<Vec<DueEnding>>) -> Result<()> {
        for index in 0..due.len() {
            let batch = due.clone();
            let ended = self.store.write(move |tx| batch.get(index).map_or(Ok(()), |it| settle::end(tx, it)));
            match (ended, due.get(index)) {
                (Ok(()), _) | (_, None) => {}
                (Err(error), _) if error.kind() == Kind::Unavailable => return Err(error),
                (Err(error), Some(it)) => {
                    log::error!("message number {} does not come to its end: {error}", it.number);
                    let (number, position) = (it.number, it.position);
                    self.store.write(move |tx| settle::forget_ending(tx, number, position))?;
                }
            }
        }
        Ok(())
    }

    /// Writes a batch in one commit. If that fails, writes each message in a commit of its own.
    fn settle_due(&self, made: DelayedBatches, failed: &mut Failed) -> Result<()> {
        let made = Arc::new(made);
        let batch = made.clone();
        if self.store.write(move |tx| settle(tx, &batch)).is_ok() {
            return Ok(());
        }
        for index in 0..made.len() {
            let one = made.clone();
            if let Err(error) = self.store.write(move |tx| settle(tx, &one[index..=index])) {
                failed.add(made[index].0, error)?;
            }
        }
        Ok(())
    }

    /// What becomes of one message. An error of the file is returned, and tried again. A message that cannot be made is
    /// written as one that could not be delivered, so that the others can follow.
    fn render_due(&self, place: &MessageLocation, now: Timestamp, job: &mut Option<DueJob>) -> Result<RenderedBatch> {
        match self.try_render_due(place, now, job) {
            Err(error) if error.kind() != Kind::Unavailable => {
                log::error!("a delayed message of job number {} cannot be made: {error}", place.job);
                let mut outcomes = RenderedBatch::default();
                let verdict = Verdict::new(MessageStatus::Undeliverable, Reason::Failed, error.public_message());
                outcomes.push_message("", verdict, None, None, None, []);
                Ok(outcomes)
            }
            made => made,
        }
    }

    fn try_render_due(
        &self,
        place: &MessageLocation,
        now: Timestamp,
        job: &mut Option<DueJob>,
    ) -> Result<RenderedBatch> {
        let due = match job.take().filter(|due| due.job == place.job) {
            Some(due) => job.insert(due),
            None => {
                let (definition, environment) = self.store.read(|db| resolve(db, place.job))?;
                let renderer = Renderer::new(definition, self.messages, now)?;
                job.insert(DueJob { job: place.job, renderer, environment })
            }
        };
        let renderer = &due.renderer;
        let (recipient, user, known) = self.store.read(|db| {
            let (recipient, user) = user::get(db, place.job, place.seq)?;
            let lookup = RecipientLookup::new(db, due.environment)?;
            let known = lookup.get(db, (&recipient, &user), renderer.subject())?;
            Ok((recipient, user, known))
        })?;
        let mut outcomes = RenderedBatch::default();
        let user = Recipient { recipient: &recipient, user: &user, known: &known };
        renderer.render(user, now, true, &mut outcomes);
        Ok(outcomes)
    }
}

/// Messages that could not be made or written in this round.
#[derive(Default)]
struct Failed {
    numbers: HashSet<MessageNumber>,
    /// The error of the first of them.
    error: Option<Error>,
}

impl Failed {
    /// Fails if there are so many that it is no longer a matter of single messages.
    fn add(&mut self, number: MessageNumber, error: Error) -> Result<()> {
        if self.numbers.len() == BATCH_MESSAGES {
            return Err(error);
        }
        self.numbers.insert(number);
        self.error.get_or_insert(error);
        Ok(())
    }
}

fn settle(tx: &mut Tx<'_>, made: &[(MessageNumber, RenderedBatch)]) -> Result<()> {
    made.iter().try_for_each(|(number, outcomes)| match outcomes.iter().next() {
        Some(Outcome::Message(message)) => settle::settle(tx, *number, &message),
        _ => Err(Error::internal("a delayed message that came to nothing")),
    })
}

/// What the messages of a job have in common, and its environment.
fn resolve(db: &Db<'_>, job: JobRow) -> Result<(ResolvedDefinition, EnvironmentRow)> {
    let (job, definition) = job::get_by_number(db, job)?;
    Ok((plan::load(db, &job, Definition::read(&definition, Reading::Lenient)?)?, job.environment))
}
