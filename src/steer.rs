//! Steering by hand: the clock is moved, and jobs go on by steps. Either comes back when what it has led to is written.

use std::time::{Duration, Instant};

use crate::clock::{ManualClock, Timestamp};
use crate::error::{Error, Result};
use crate::lifecycle::{JobPlace, Lifecycle};
use crate::model::bulk::{Job, JobStatus};
use crate::model::environment::EnvironmentRow;
use crate::store::environment::View;
use crate::store::{Db, Store, due, job};

/// How long to wait for what is bound to happen. A webhook's receiver may take its time, or a disk.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at the rows while no message is made. Not all that is waited for rings the bell.
const LOOK: Duration = Duration::from_millis(2);
/// Moments at which a move of the clock stops on its way, at most. Beyond that, it jumps.
const STOPS: usize = 1_000;

/// What has happened while the clock was moved.
#[derive(Debug)]
pub struct Moved {
    pub now: Timestamp,
    pub millis: i64,
    pub delayed_sent: u64,
    pub webhooks_posted: u64,
    pub keys_expired: u64,
    /// Whether all that was due by then has happened.
    pub is_settled: bool,
}

/// Moves the clock to a moment, and stops wherever something of the environment is due on the way, until it has happened:
/// so an event that fails is tried again as often as it would be.
///
/// Moves of several requests follow one another: `to` is given the time at which this one begins.
pub fn move_clock(
    view: &View<'_>,
    clock: &ManualClock,
    lifecycle: &Lifecycle,
    to: impl FnOnce(Timestamp) -> Result<Timestamp>,
) -> Result<Moved> {
    let _turn = clock.turn();
    let to = to(clock.now())?;
    let store = view.store();
    let (environment, keys_expired, last_event) = view.read(|db, environment| {
        let expired = due::count_expiring(db, environment, db.now(), to)?;
        Ok((environment, expired, due::last_event(db)?))
    })?;
    let (begun, posted) = (clock.now(), store.posted().of(environment));
    let until = Instant::now() + PATIENCE;
    let mut is_settled = settle(store, environment, lifecycle, until)?;
    for stop in 0.. {
        let next = if is_settled && stop < STOPS { store.read(|db| due::next_at(db, environment))? } else { None };
        let at = next.filter(|at| *at > clock.now() && *at < to).unwrap_or(to);
        clock.advance_to(at);
        is_settled &= settle(store, environment, lifecycle, until)?;
        if at == to {
            break;
        }
    }
    let delayed_sent = store.read(|db| due::count_sent(db, environment, last_event))?;
    let webhooks_posted = store.posted().of(environment) - posted;
    let millis = to.millis() - begun.millis();
    Ok(Moved { now: clock.now(), millis, delayed_sent, webhooks_posted, keys_expired, is_settled })
}

/// Waits until nothing of an environment is due. False if that takes too long.
fn settle(store: &Store, environment: EnvironmentRow, lifecycle: &Lifecycle, until: Instant) -> Result<bool> {
    wait(store, until, |db| is_settled(db, environment, lifecycle))
}

fn is_settled(db: &Db<'_>, environment: EnvironmentRow, lifecycle: &Lifecycle) -> Result<bool> {
    let now = db.now();
    let has_come_as_far = |job: &Job| {
        let place = JobPlace { job: job.job, environment, users: job.drained() };
        job.drained() >= lifecycle.limit(place, now).map_or(job.received, |limit| limit.min(job.received))
    };
    Ok(due::next_at(db, environment)?.is_none_or(|at| at > now)
        && due::processing(db, environment)?.iter().all(has_come_as_far)
        && !due::is_any_untold(db, environment)?)
}

/// Looks at the rows, when a message was made and now and then, until something is so.
fn wait(store: &Store, until: Instant, mut is_so: impl FnMut(&Db<'_>) -> Result<bool>) -> Result<bool> {
    let bell = store.messages_bell();
    loop {
        let heard = bell.rung();
        if store.read(&mut is_so)? {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        store.check_running()?;
        bell.wait(heard, LOOK);
    }
}

/// What a step has done.
#[derive(Debug)]
pub struct Stepped {
    pub before: Job,
    pub after: Job,
}

/// Lets so many users of a job have their turn, and waits until they had it.
pub fn step(view: &View<'_>, lifecycle: &Lifecycle, job_id: &str, users: u64) -> Result<Stepped> {
    let (before, now) = view.read(|db, environment| Ok((job::get(db, environment, job_id)?, db.now())))?;
    if before.status == JobStatus::Created {
        return Err(Error::invalid("job_id", "this job was not run yet; run it first"));
    }
    let place = JobPlace { job: before.job, environment: before.environment, users: before.drained() };
    let target = lifecycle.step(place, before.received, users, now);
    let target = target.filter(|_| before.status == JobStatus::Processing);
    if let Some(target) = target {
        let is_over = |db: &Db<'_>| {
            let (job, _) = job::get_by_number(db, before.job)?;
            Ok(job.drained() >= target || job.status != JobStatus::Processing)
        };
        if !wait(view.store(), Instant::now() + PATIENCE, is_over)? {
            return Err(Error::unavailable("the step is taken, and not over yet; look at the job later"));
        }
    } else if before.status == JobStatus::Processing {
        let expected = "this job does not go on by steps; put it in mode manual by PUT /_bulkd/lifecycle";
        return Err(Error::invalid("job_id", expected));
    }
    let after = view.read(|db, environment| job::get(db, environment, job_id))?;
    if after.job != before.job || after.drained() < before.drained() {
        return Err(Error::conflict("the job was brought back to an earlier state meanwhile"));
    }
    Ok(Stepped { before, after })
}
