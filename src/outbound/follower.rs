//! One webhook: rows → its queue → its receiver.

use std::time::Duration;

use super::post::{Poster, Reach};
use super::{LOOK, LOOK_AGAIN, Outbound, signature};
use crate::error::Result;
use crate::model::row::{WebhookEventRow, WebhookRow};
use crate::store::webhook::{self, Position, Webhook};
use crate::store::webhook_event::{self, Attempt, Due};
use crate::store::{Store, SyncWhen, Undo, event_batch};

/// Before the second attempt, the third, and so on, in seconds: Courier's schedule. Behind the last one an event is
/// given up.
const PAUSES: [i64; 9] = [5, 10, 20, 40, 60, 120, 240, 480, 720];

/// Events that are delivered before it is written down that they were. A kill has as many delivered again.
const PAGE: usize = 32;

/// What a webhook's thread remembers. All of it is in the rows as well, or follows from them.
#[derive(Default)]
struct Follower {
    /// The position in the rows, and one behind it up to where there was nothing to queue.
    positions: Option<(Position, Position)>,
    /// What came of attempts and could not be written down yet.
    unsettled: Vec<(WebhookEventRow, Attempt)>,
}

/// Follows a webhook until it is gone or all stops.
pub fn follow(outbound: &Outbound, webhook_id: &str) {
    let mut follower = Follower::default();
    let bell = outbound.store.messages_bell();
    loop {
        let heard = bell.rung();
        if outbound.stopping() {
            break;
        }
        match follower.turn(outbound, webhook_id) {
            Ok(None) => break,
            Ok(Some(Duration::ZERO)) => {}
            Ok(Some(pause)) => bell.wait(heard, pause),
            Err(error) => {
                log::warn!("webhook {webhook_id} pauses: {error}");
                bell.wait(heard, LOOK_AGAIN);
            }
        }
    }
    outbound.posters().remove(webhook_id);
    // Whoever looks after the threads looks again at once.
    outbound.store.webhooks_bell().ring();
}

impl Follower {
    /// Fills the queue and delivers some of it. Returns how long there is nothing to do, or `None` if the webhook is
    /// gone.
    fn turn(&mut self, outbound: &Outbound, webhook_id: &str) -> Result<Option<Duration>> {
        let store = &outbound.store;
        let Some(webhook) = store.read(|db| webhook::find(db, webhook_id))? else {
            return Ok(None);
        };
        self.settle(store, webhook.webhook)?;
        if !self.fill(outbound, webhook.clone())? {
            return Ok(Some(Duration::ZERO));
        }
        let (due, next) = store.read(|db| webhook_event::due(db, webhook.webhook, PAGE))?;
        if due.is_empty() {
            return Ok(Some(next.map_or(LOOK, |next| store.until(next))));
        }
        let delivered = self.deliver(outbound, &webhook, &due);
        self.settle(store, webhook.webhook)?;
        delivered?;
        Ok(Some(Duration::ZERO))
    }

    /// Queues what has come to pass, as long as there is room. Returns whether the webhook was where it was thought to
    /// be.
    fn fill(&mut self, outbound: &Outbound, mut webhook: Webhook) -> Result<bool> {
        let store = &outbound.store;
        let here = webhook.position;
        let (mut since, mut position) = self.positions.filter(|(since, _)| *since == here).unwrap_or((here, here));
        while !outbound.stopping() {
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
    fn deliver(&mut self, outbound: &Outbound, webhook: &Webhook, due: &[Due]) -> Result<()> {
        let Some(poster) = poster(outbound, webhook) else {
            return Ok(());
        };
        for event in due {
            let there = outbound.store.read(|db| webhook::find(db, &webhook.webhook_id))?.is_some();
            if !there || outbound.stopping() {
                break;
            }
            let attempt = attempt(&outbound.store, &poster, webhook, event);
            // A call that was broken off says nothing about the receiver.
            if outbound.stopping() && !matches!(attempt, Attempt::Delivered) {
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

    fn settle(&mut self, store: &Store, webhook: WebhookRow) -> Result<()> {
        if self.unsettled.is_empty() {
            return Ok(());
        }
        let attempts = self.unsettled.clone();
        // What a power cut undoes is delivered again.
        store.submit(SyncWhen::Later, Undo::Change, move |tx| webhook_event::settle(tx, webhook, &attempts)).wait()?;
        self.unsettled.clear();
        Ok(())
    }
}

/// The webhook's connections, which [`Outbound::stop`] can break off.
fn poster(outbound: &Outbound, webhook: &Webhook) -> Option<Poster> {
    let mut posters = outbound.posters();
    // Whoever comes after the stop was not told of it.
    if outbound.stopping() {
        return None;
    }
    let reach = if webhook.environment.is_some() { Reach::Loopback } else { Reach::Anywhere };
    Some(posters.entry(webhook.webhook_id.clone()).or_insert_with(|| Poster::new(reach)).clone())
}

fn attempt(store: &Store, poster: &Poster, webhook: &Webhook, event: &Due) -> Attempt {
    let destination = &webhook.destination;
    let signature = destination.secret.as_ref().map(|secret| signature::header(secret, store.now(), &event.body));
    let Err(refused) = poster.post(&destination.url, &event.event_id, signature.as_deref(), &event.body) else {
        return Attempt::Delivered;
    };
    let error = refused.reason;
    match PAUSES.get(event.attempts) {
        Some(seconds) if refused.may_pass => Attempt::Retry { error, after_millis: seconds * 1000 },
        _ => {
            log::warn!("webhook {} does not get the event {}: {error}", webhook.webhook_id, event.event_id);
            Attempt::GivenUp { error }
        }
    }
}
