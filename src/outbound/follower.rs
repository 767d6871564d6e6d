//! One webhook: rows → its queue → its receiver.

use super::post::Poster;
use super::posters::Posters;
use super::signature;
use crate::error::Result;
use crate::follow::{self, Next};
use crate::model::row::{WebhookEventRow, WebhookRow};
use crate::store::webhook::{self, Position, Webhook};
use crate::store::webhook_event::{self, Attempt, DueEvent};
use crate::store::{Store, SyncWhen, Tx, Undo, event_batch};

/// Before the second attempt, the third, and so on: Courier's schedule. After the last one an event is given up.
const RETRY_SECONDS: [i64; 9] = [5, 10, 20, 40, 60, 120, 240, 480, 720];

/// Events that are delivered before it is written down that they were. A kill has as many delivered again.
const PAGE_EVENTS: usize = 32;

/// A webhook's thread. All that it remembers is in the rows as well, or follows from them.
struct Follower<'a> {
    store: &'a Store,
    posters: &'a Posters,
    /// The position in the rows, and one behind it up to where there was nothing to queue.
    positions: Option<(Position, Position)>,
    /// What came of attempts and could not be written down yet.
    unsettled: Vec<(WebhookEventRow, Attempt)>,
    /// By how much the clock had been set back when the rows were last looked through for what that has moved away. `None`
    /// before the first time.
    set_back_millis: Option<i64>,
}

/// Follows a webhook until it is gone or all stops.
pub fn follow(store: &Store, posters: &Posters, webhook_id: &str) {
    let mut follower = Follower::new(store, posters);
    let bell = store.messages_bell();
    let trouble = format!("webhook {webhook_id} pauses");
    let turn = || follower.turn(webhook_id);
    follow::follow(store, bell, &trouble, || posters.is_stopping(), turn);
    posters.remove(webhook_id);
    // Has this thread joined at once.
    store.webhooks_bell().ring();
}

impl<'a> Follower<'a> {
    fn new(store: &'a Store, posters: &'a Posters) -> Self {
        Follower { store, posters, positions: None, unsettled: Vec::new(), set_back_millis: None }
    }

    /// Fills the queue and delivers some of it. Ends when the webhook is gone.
    fn turn(&mut self, webhook_id: &str) -> Result<Next> {
        let store = self.store;
        let Some(webhook) = store.read(|db| webhook::find(db, webhook_id))? else {
            return Ok(Next::End);
        };
        self.keep_waits(webhook.webhook)?;
        self.settle(webhook.webhook)?;
        if !self.fill(webhook.clone())? {
            return Ok(Next::Again);
        }
        let (due, next) = store.read(|db| webhook_event::due(db, webhook.webhook, PAGE_EVENTS))?;
        if due.is_empty() {
            return Ok(Next::wait(next));
        }
        let delivered = self.deliver(&webhook, &due);
        self.settle(webhook.webhook)?;
        delivered?;
        Ok(Next::Again)
    }

    /// Queues what has come to pass, as long as there is room. Returns whether the webhook was where it was thought to
    /// be.
    fn fill(&mut self, mut webhook: Webhook) -> Result<bool> {
        let store = self.store;
        let here = webhook.position;
        let (mut since, mut position) = self.positions.filter(|(since, _)| *since == here).unwrap_or((here, here));
        while !self.posters.is_stopping() {
            let batch = store.read(|db| event_batch::read(db, &webhook, position))?;
            position = batch.position;
            let more = batch.more;
            if batch.needs_commit(since) {
                let (number, from) = (webhook.webhook, since);
                // No event is posted before what it tells of is on the disk: this sync has the log up to here written,
                // with the parts of a job that were not waited for.
                let queued = store.write(move |tx| webhook_event::append(tx, number, from, &batch))?;
                if !queued {
                    self.positions = None;
                    return Ok(false);
                }
                since = position;
                webhook.position = position;
            }
            self.positions = Some((since, position));
            if !more {
                break;
            }
        }
        Ok(true)
    }

    /// Delivers events one after the other, up to the first that fails: what came of it is to be seen at once. Nor any
    /// once the webhook is gone.
    fn deliver(&mut self, webhook: &Webhook, due: &[DueEvent]) -> Result<()> {
        let Some(poster) = self.posters.of(webhook) else {
            return Ok(());
        };
        for event in due {
            let there = self.store.read(|db| webhook::find(db, &webhook.webhook_id))?.is_some();
            if !there || self.posters.is_stopping() {
                break;
            }
            let attempt = attempt(self.store, &poster, webhook, event);
            // A call that was broken off says nothing about the receiver.
            if self.posters.is_stopping() && !matches!(attempt, Attempt::Delivered) {
                break;
            }
            let failed = !matches!(attempt, Attempt::Delivered);
            self.unsettled.push((event.webhook_event, attempt));
            if failed {
                break;
            }
        }
        Ok(())
    }

    /// Has events wait for their next attempt as long as they should, also when the clock is set back.
    fn keep_waits(&mut self, webhook: WebhookRow) -> Result<()> {
        let (known, before) = (self.set_back_millis, self.store.set_back_before_millis());
        let set_back_millis = self.store.set_back_millis();
        if known == Some(set_back_millis) {
            return Ok(());
        }
        let is_any_waiting = self.store.read(|db| webhook_event::is_any_waiting(db, webhook))?;
        self.set_back_millis = Some(match is_any_waiting {
            true => self.store.write(move |tx| bring_forward(tx, webhook, known, before))?,
            false => set_back_millis,
        });
        Ok(())
    }

    fn settle(&mut self, webhook: WebhookRow) -> Result<()> {
        if self.unsettled.is_empty() {
            return Ok(());
        }
        let (attempts, known) = (self.unsettled.clone(), self.set_back_millis);
        let before = self.store.set_back_before_millis();
        // What a power cut undoes is delivered again.
        let settle = move |tx: &mut Tx<'_>| {
            let set_back_millis = bring_forward(tx, webhook, known, before)?;
            webhook_event::settle(tx, webhook, &attempts)?;
            Ok(set_back_millis)
        };
        self.set_back_millis = Some(self.store.submit(SyncWhen::Later, Undo::Change, settle).wait()?);
        self.unsettled.clear();
        Ok(())
    }
}

/// What the clock's set-backs since those that are `known` have moved away from its time is brought forward. Returns what
/// is known then.
fn bring_forward(tx: &mut Tx<'_>, webhook: WebhookRow, known: Option<i64>, before: i64) -> Result<i64> {
    let set_back_millis = tx.set_back_millis();
    if known != Some(set_back_millis) {
        // The first time it may have been set back since the file was opened, which was `before`.
        let by = set_back_millis - known.unwrap_or(before);
        webhook_event::bring_forward(tx, webhook, by, wait_millis)?;
    }
    Ok(set_back_millis)
}

/// How long an event waits after so many attempts.
fn wait_millis(attempts: usize) -> i64 {
    attempts.checked_sub(1).and_then(|last| RETRY_SECONDS.get(last)).map_or(0, |seconds| seconds * 1000)
}

fn attempt(store: &Store, poster: &Poster, webhook: &Webhook, event: &DueEvent) -> Attempt {
    let destination = &webhook.destination;
    let signature = destination.secret.as_ref().map(|secret| signature::header(secret, store.now(), &event.body));
    let Err(refused) = poster.post(&destination.url, &event.event_id, signature.as_deref(), &event.body) else {
        return Attempt::Delivered;
    };
    let error = refused.reason;
    match RETRY_SECONDS.get(event.attempts) {
        Some(seconds) if refused.retryable => Attempt::Retry { error, after_millis: seconds * 1000 },
        _ => {
            log::warn!("webhook {} does not get the event {}: {error}", webhook.webhook_id, event.event_id);
            Attempt::GivenUp { error }
        }
    }
}
