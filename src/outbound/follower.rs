//! One webhook: its queue → its receiver.

use std::time::Duration;

use super::post::Poster;
use super::posters::Posters;
use super::queues::Queues;
use super::signature;
use crate::error::{Result, shown_up_to};
use crate::follow::{self, Next};
use crate::model::row::{WebhookEventRow, WebhookRow};
use crate::retry;
use crate::store::webhook::{self, Webhook};
use crate::store::webhook_event::{self, Attempt, DueEvent};
use crate::store::{Bell, Lane, Store, SyncWhen, Tx, Undo};

/// Events that are delivered before that is recorded. After a kill, so many are delivered again.
const PAGE_EVENTS: usize = 32;

/// After a failed attempt, before the next event is tried: a receiver that is gone is not called over and over for a
/// queue full of events. It doubles each time, up to [`LONGEST_REST`].
const SHORTEST_REST: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_millis(250);

/// A webhook's thread.
struct Follower<'a> {
    store: &'a Store,
    posters: &'a Posters,
    queues: &'a Queues,
    bell: &'a Bell,
    /// How long to rest after the next failed attempt.
    rest: Duration,
    /// The outcomes of attempts that could not be recorded yet.
    unsettled: Vec<(WebhookEventRow, Attempt)>,
    /// By how much the clock had been set back when this thread last corrected the waits in the rows. `None` before the
    /// first time.
    set_back_millis: Option<i64>,
}

/// Delivers to a webhook until it is gone or all stops.
pub fn follow(store: &Store, posters: &Posters, queues: &Queues, webhook_id: &str) {
    let bell = &queues.bell(webhook_id);
    let (rest, unsettled, set_back_millis) = (SHORTEST_REST, Vec::new(), None);
    let mut follower = Follower { store, posters, queues, bell, rest, unsettled, set_back_millis };
    let trouble = format!("webhook {webhook_id} pauses");
    let turn = || follower.turn(webhook_id);
    follow::follow(store, bell, &trouble, || posters.is_stopping(), turn);
    posters.remove(webhook_id);
    queues.remove(webhook_id);
    // So that this thread is joined at once.
    store.webhooks_bell().ring();
}

impl Follower<'_> {
    /// Delivers some of the queue. Ends when the webhook is gone.
    fn turn(&mut self, webhook_id: &str) -> Result<Next> {
        let store = self.store;
        let Some(webhook) = store.read(|db| webhook::find(db, webhook_id))? else {
            return Ok(Next::End);
        };
        self.keep_waits(webhook.webhook)?;
        self.settle(&webhook)?;
        let (due, next) = store.read(|db| webhook_event::due(db, webhook.webhook, PAGE_EVENTS))?;
        if due.is_empty() {
            return Ok(Next::wait(next));
        }
        let delivered = self.deliver(&webhook, &due);
        let is_failure = |(_, attempt): &(WebhookEventRow, Attempt)| matches!(attempt, Attempt::Retry { .. });
        let tried = self.unsettled.len();
        let has_failed = self.unsettled.last().is_some_and(is_failure);
        if !self.unsettled.iter().all(is_failure) {
            self.rest = SHORTEST_REST;
        }
        self.settle(&webhook)?;
        delivered?;
        if has_failed {
            self.bell.pause(self.rest, || self.posters.is_stopping());
            self.rest = (self.rest * 2).min(LONGEST_REST);
        }
        self.queues.pace.spend(tried, store, self.bell, || self.posters.is_stopping());
        Ok(Next::Again)
    }

    /// Delivers events one after the other, up to the first that fails, so that its outcome is recorded at once.
    /// Delivers none once the webhook is gone.
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
            // A call that was aborted says nothing about the receiver.
            if self.posters.is_stopping() && !matches!(attempt, Attempt::Delivered) {
                break;
            }
            let failed = !matches!(attempt, Attempt::Delivered);
            self.unsettled.push((event.webhook_event, attempt));
            self.store.posted().add(webhook.environment, 1);
            if failed {
                break;
            }
        }
        Ok(())
    }

    /// Keeps the waits of events as long as they should be, even if the clock is set back.
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

    /// Records the outcomes of attempts, in one commit with those of other webhooks.
    fn settle(&mut self, webhook: &Webhook) -> Result<()> {
        if self.unsettled.is_empty() {
            return Ok(());
        }
        let (attempts, number, known) = (self.unsettled.clone(), webhook.webhook, self.set_back_millis);
        let before = self.store.set_back_before_millis();
        let settle = move |tx: &mut Tx<'_>| {
            let set_back_millis = bring_forward(tx, number, known, before)?;
            webhook_event::settle(tx, number, &attempts)?;
            Ok(set_back_millis)
        };
        // What a power cut undoes is delivered again.
        let settled = self.store.submit(Lane::Behind, SyncWhen::Later, Undo::Change, settle);
        self.set_back_millis = Some(settled.wait()?);
        if !self.unsettled.iter().all(|(_, attempt)| matches!(attempt, Attempt::Retry { .. })) {
            self.queues.shrunk(&webhook.webhook_id);
            self.store.messages_bell().ring();
        }
        self.unsettled.clear();
        Ok(())
    }
}

/// Brings forward the events whose time was moved away by set-backs of the clock since the `known` ones. Returns what
/// is known then.
fn bring_forward(tx: &mut Tx<'_>, webhook: WebhookRow, known: Option<i64>, before: i64) -> Result<i64> {
    let set_back_millis = tx.set_back_millis();
    if known != Some(set_back_millis) {
        // The first time, it may have been set back since the file was opened, when it was `before`.
        let by = set_back_millis - known.unwrap_or(before);
        webhook_event::bring_forward(tx, webhook, by, wait_millis)?;
    }
    Ok(set_back_millis)
}

/// How long an event waits after so many attempts.
fn wait_millis(attempts: usize) -> i64 {
    attempts.checked_sub(1).and_then(retry::wait_millis).unwrap_or(0)
}

fn attempt(store: &Store, poster: &Poster, webhook: &Webhook, event: &DueEvent) -> Attempt {
    let destination = &webhook.destination;
    let signature = destination.secret.as_ref().map(|secret| signature::header(secret, store.now(), &event.body));
    let Err(refused) = poster.post(&destination.url, &event.event_id, signature.as_deref(), &event.body) else {
        return Attempt::Delivered;
    };
    let error = refused.reason;
    match retry::wait_millis(event.attempts) {
        Some(after_millis) if refused.retryable => Attempt::Retry { error, after_millis },
        _ => {
            let (webhook_id, event_id) = (&webhook.webhook_id, &event.event_id);
            log::warn!("webhook {webhook_id} does not get the event {event_id}: {}", shown_up_to(&error, 512));
            Attempt::GivenUp { error }
        }
    }
}
