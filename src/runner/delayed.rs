//! Messages that have waited for their time: rendered now, and written in place of what stood there.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use super::{LOOK, LOOK_AGAIN, Runner};
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::model::definition::{Definition, Reading};
use crate::model::outcomes::{Outcome, Outcomes};
use crate::model::plan::Plan;
use crate::model::verdict::{MessageStatus, Reason, Verdict};
use crate::render::{Recipient, Renderer};
use crate::store::known::Lookup;
use crate::store::message::{self, Place};
use crate::store::{Db, Tx, bulk, plan, user};

/// Messages at a time, in one commit.
const BATCH: usize = 100;

/// A job of which messages are due.
struct Due {
    renderer: Renderer,
    /// The row's number of its environment.
    environment: i64,
}

impl Runner {
    /// Sends what is due, as long as nobody stops it.
    pub(super) fn send_delayed(&self) {
        let bell = self.store.jobs_bell();
        loop {
            let heard = bell.rung();
            if self.stopping() {
                return;
            }
            let timeout = match self.send_due() {
                Ok(next) => next,
                Err(error) => {
                    log::error!("delayed messages could not be sent: {error}");
                    LOOK_AGAIN
                }
            };
            bell.wait(heard, timeout);
        }
    }

    /// Sends what is due now, and tells how long the next message waits.
    fn send_due(&self) -> Result<Duration> {
        let mut jobs = HashMap::new();
        loop {
            let (due, next, now) = self.store.read(|db| {
                let (due, next) = message::list_due(db, BATCH)?;
                Ok((due, next, db.now()))
            })?;
            if self.stopping() {
                return Ok(LOOK);
            }
            let mut made = Vec::new();
            for place in due {
                made.push((place.number, self.render_due(&place, now, &mut jobs)?));
            }
            if !made.is_empty() {
                self.store.write(move |tx| settle(tx, &made))?;
            }
            match next {
                Some(at) if at > now => return Ok(self.store.until(at)),
                Some(_) => {}
                None => return Ok(LOOK),
            }
        }
    }

    /// What becomes of one message. Trouble with the file fails, and is tried again; what cannot be made is told as a
    /// message that could not be delivered, so that the others have their turn.
    fn render_due(&self, place: &Place, now: Timestamp, jobs: &mut HashMap<i64, Rc<Due>>) -> Result<Outcomes> {
        match self.try_render_due(place, now, jobs) {
            Err(error) if error.kind() != Kind::Unavailable => {
                log::error!("a delayed message of job number {} cannot be made: {error}", place.job);
                let mut outcomes = Outcomes::default();
                let verdict =
                    Verdict::new(MessageStatus::Undeliverable, Reason::Failed, error.public_message().to_owned());
                outcomes.push_message("", verdict, None, None, None, []);
                Ok(outcomes)
            }
            made => made,
        }
    }

    fn try_render_due(&self, place: &Place, now: Timestamp, jobs: &mut HashMap<i64, Rc<Due>>) -> Result<Outcomes> {
        let due = match jobs.get(&place.job) {
            Some(due) => due.clone(),
            None => {
                let (plan, environment) = self.store.read(|db| plan_of(db, place.job))?;
                let due = Rc::new(Due { renderer: Renderer::new(plan, self.templates, now)?, environment });
                jobs.insert(place.job, due.clone());
                due
            }
        };
        let renderer = &due.renderer;
        let (recipient, user, known) = self.store.read(|db| {
            let (recipient, user) = user::get(db, place.job, place.seq)?;
            let lookup = Lookup::new(db, due.environment)?;
            let known = lookup.get(db, (&recipient, &user), renderer.topic_id(), renderer.tenant_id())?;
            Ok((recipient, user, known))
        })?;
        let mut outcomes = Outcomes::default();
        let user = Recipient { recipient: &recipient, user: &user, known: &known };
        renderer.render(user, now, true, &mut outcomes);
        Ok(outcomes)
    }
}

fn settle(tx: &mut Tx<'_>, made: &[(i64, Outcomes)]) -> Result<()> {
    made.iter().try_for_each(|(number, outcomes)| match outcomes.iter().next() {
        Some(Outcome::Message(message)) => message::settle(tx, *number, &message),
        _ => Err(Error::internal("a delayed message that came to nothing")),
    })
}

/// What the messages of a job have in common, and the row's number of its environment.
fn plan_of(db: &Db<'_>, job: i64) -> Result<(Plan, i64)> {
    let (job, definition) = bulk::get_by_number(db, job)?;
    Ok((plan::load(db, &job, Definition::read(&definition, Reading::Lenient)?)?, job.environment))
}
