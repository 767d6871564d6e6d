//! Steering by hand: the clock is moved, and jobs go on by steps. Either is answered after its effects are written.
//!
//! One thread does all of it. An environment's moves of the clock follow one another, as do the steps of one job, so
//! that each reports its own effects. No environment waits for the effects of another one's move. There is one clock: a
//! move by one environment during another's moves it for both.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::clock::{ManualClock, Timestamp};
use crate::error::{Error, Result};
use crate::lifecycle::{JobPlace, Lifecycle};
use crate::model::bulk::{Job, JobStatus};
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::row::MessageEventRow;
use crate::store::due::ProcessingJob;
use crate::store::{Bell, Db, Store, due, environment, job};
use crate::threads::{self, catch};

/// How long to wait for what is bound to happen. A webhook's receiver may be slow, or a disk.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at the rows while no message is made. Not all that is waited for rings the bell.
const LOOK: Duration = Duration::from_millis(2);
/// Without anything to do, the thread waits for its bell.
const REST: Duration = Duration::from_secs(60);
/// The most moments at which a move of the clock stops on its way. Then it jumps.
const STOPS: usize = 1_000;
/// The most moves and steps that wait for their turn, or for their effects.
const WAITING: usize = 1_000;

/// Moves the clock, and has jobs go on by steps.
pub struct Steering {
    store: Arc<Store>,
    lifecycle: Lifecycle,
    state: Mutex<State>,
    bell: Bell,
}

#[derive(Default)]
struct State {
    is_stopping: bool,
    count: usize,
    new: Vec<Work>,
}

/// What is to be done: those of one kind that are in line follow one another.
enum Work {
    Move(Box<Move>),
    Step(Box<Step>),
}

/// Called with the result.
type Then<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Returns where the clock is to be moved, given its present time.
type To = Box<dyn FnOnce(Timestamp) -> Result<Timestamp> + Send>;

struct Move {
    environment: Environment,
    clock: ManualClock,
    to: Option<To>,
    moving: Option<Moving>,
    then: Then<Moved>,
}

struct Step {
    environment: Environment,
    job_id: String,
    users: u64,
    stepping: Option<Stepping>,
    then: Then<Stepped>,
}

/// What has happened while the clock was moved.
#[derive(Debug)]
pub struct Moved {
    pub now: Timestamp,
    pub millis: i64,
    pub delayed_sent: u64,
    /// How often something happened to messages that had gone out.
    pub messages_changed: u64,
    pub webhooks_posted: u64,
    pub keys_expired: u64,
    /// Whether all that was due by then has happened.
    pub is_settled: bool,
}

/// What a step has done.
#[derive(Debug)]
pub struct Stepped {
    pub before: Job,
    pub after: Job,
}

impl Steering {
    /// Starts its thread.
    pub fn start(store: Arc<Store>, lifecycle: Lifecycle) -> Result<(Arc<Self>, JoinHandle<()>)> {
        let steering = Arc::new(Steering { store, lifecycle, state: Mutex::default(), bell: Bell::default() });
        let running = steering.clone();
        let thread = threads::spawn_service(Builder::new().name("steering".to_owned()), move || running.run());
        let thread =
            thread.map_err(|error| Error::startup(format!("the thread 'steering' cannot be started: {error}")))?;
        Ok((steering, thread))
    }

    /// Moves the clock to a moment. On the way it stops wherever something of the environment is due, until that has
    /// happened: so an event that fails is tried again as often as it would be. `to` is called with the time at which
    /// the move begins, and `then` with its result.
    pub fn move_clock(
        &self,
        environment: &Environment,
        clock: &ManualClock,
        to: impl FnOnce(Timestamp) -> Result<Timestamp> + Send + 'static,
        then: impl FnOnce(Result<Moved>) + Send + 'static,
    ) {
        let (environment, clock) = (environment.clone(), clock.clone());
        let (to, then): (Option<To>, Then<Moved>) = (Some(Box::new(to)), Box::new(then));
        self.submit(Work::Move(Box::new(Move { environment, clock, to, moving: None, then })));
    }

    /// Processes so many users of a job, and then calls `then`.
    pub fn step(
        &self,
        environment: &Environment,
        job_id: &str,
        users: u64,
        then: impl FnOnce(Result<Stepped>) + Send + 'static,
    ) {
        let (environment, job_id, then) = (environment.clone(), job_id.to_owned(), Box::new(then));
        self.submit(Work::Step(Box::new(Step { environment, job_id, users, stepping: None, then })));
    }

    fn submit(&self, work: Work) {
        let refused = {
            let mut state = self.state();
            match state.is_stopping || state.count >= WAITING {
                true => Some(work),
                false => {
                    state.count += 1;
                    state.new.push(work);
                    None
                }
            }
        };
        match refused {
            Some(work) => {
                let problem = format!("{WAITING} moves of the clock and steps wait already; try again later");
                work.fail(Error::full(problem));
            }
            None => self.bell.ring(),
        }
    }

    /// Ends the thread. What still waits gets the error that bulkd stops.
    pub fn stop(&self) {
        self.state().is_stopping = true;
        self.bell.ring();
    }

    fn run(&self) {
        let mut moves: HashMap<[u8; 32], VecDeque<Move>> = HashMap::new();
        let mut steps: HashMap<([u8; 32], String), VecDeque<Step>> = HashMap::new();
        loop {
            // Before the rows are read, so that nothing later is missed.
            let (asked, made) = (self.bell.rung(), self.store.messages_bell().rung());
            {
                let (is_stopping, new) = {
                    let mut state = self.state();
                    (state.is_stopping, std::mem::take(&mut state.new))
                };
                for work in new {
                    match work {
                        Work::Move(it) => moves.entry(it.environment.key_hash).or_default().push_back(*it),
                        Work::Step(it) => {
                            let of_job = (it.environment.key_hash, it.job_id.clone());
                            steps.entry(of_job).or_default().push_back(*it);
                        }
                    }
                }
                if is_stopping {
                    let stopping = || Error::unavailable("bulkd is stopping; try again later");
                    moves.into_values().flatten().for_each(|it| (it.then)(Err(stopping())));
                    steps.into_values().flatten().for_each(|it| (it.then)(Err(stopping())));
                    return;
                }
            }
            let mut over = 0;
            for of_environment in moves.values_mut() {
                over += self.go_on(of_environment, Move::go_on);
            }
            for of_job in steps.values_mut() {
                over += self.go_on(of_job, Step::go_on);
            }
            moves.retain(|_, of_environment| !of_environment.is_empty());
            steps.retain(|_, of_job| !of_job.is_empty());
            self.state().count -= over;
            match moves.is_empty() && steps.is_empty() {
                true => self.bell.wait(asked, REST),
                false => self.store.messages_bell().wait(made, LOOK),
            }
        }
    }

    /// Continues the first in line, and those behind it as each is over. Returns how many are over.
    fn go_on<W: Waiting>(
        &self,
        line: &mut VecDeque<W>,
        go_on: fn(&mut W, &Steering) -> Result<Option<W::Done>>,
    ) -> usize {
        let mut over = 0;
        while let Some(first) = line.front_mut() {
            let gone_on = catch(|| self.store.check_running().and_then(|()| go_on(first, self)));
            let done = match gone_on.unwrap_or_else(|| Err(Error::internal("a turn panicked"))) {
                Ok(None) => break,
                Ok(Some(done)) => Ok(done),
                Err(error) => Err(error),
            };
            if let Some(first) = line.pop_front() {
                first.then()(done);
            }
            over += 1;
        }
        over
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    fn fail(self, error: Error) {
        match self {
            Work::Move(it) => (it.then)(Err(error)),
            Work::Step(it) => (it.then)(Err(error)),
        }
    }
}

/// What stands in a line.
trait Waiting {
    type Done;

    fn then(self) -> Then<Self::Done>;
}

impl Waiting for Move {
    type Done = Moved;

    fn then(self) -> Then<Moved> {
        self.then
    }
}

impl Waiting for Step {
    type Done = Stepped;

    fn then(self) -> Then<Stepped> {
        self.then
    }
}

/// A move that has begun.
struct Moving {
    environment: EnvironmentRow,
    begun: Timestamp,
    to: Timestamp,
    last_event: MessageEventRow,
    posted: u64,
    keys_expired: u64,
    until: Instant,
    stops: usize,
    /// Whether all that was due so far has happened.
    is_settled: bool,
    /// It has reached its end, and waits for what is due there.
    is_there: bool,
}

impl Move {
    /// Its result, once all its effects have happened.
    fn go_on(&mut self, steering: &Steering) -> Result<Option<Moved>> {
        let (store, clock) = (&steering.store, &self.clock);
        let moving = match (&mut self.moving, self.to.take()) {
            (Some(moving), _) => moving,
            (none, Some(to)) => none.insert(Moving::begin(store, clock, &self.environment, to(clock.now())?)?),
            (None, None) => return Err(Error::internal("a move of the clock without an end")),
        };
        loop {
            if moving.is_settled && !store.read(|db| is_done(db, moving.environment, &steering.lifecycle))? {
                if Instant::now() < moving.until {
                    return Ok(None);
                }
                moving.is_settled = false;
            }
            if moving.is_there {
                return moving.end(store, clock).map(Some);
            }
            let next = match moving.is_settled && moving.stops < STOPS {
                true => store.read(|db| due::next_at(db, moving.environment))?,
                false => None,
            };
            let at = next.filter(|at| *at > clock.now() && *at < moving.to).unwrap_or(moving.to);
            clock.advance_to(at);
            moving.stops += 1;
            moving.is_there = at == moving.to;
        }
    }
}

impl Moving {
    fn begin(store: &Store, clock: &ManualClock, of: &Environment, to: Timestamp) -> Result<Moving> {
        let (environment, keys_expired, last_event) = store.read(|db| {
            let row = environment::find_or_nothing(db, of)?;
            Ok((row, due::count_expiring(db, row, db.now(), to)?, due::last_event(db)?))
        })?;
        Ok(Moving {
            environment,
            begun: clock.now(),
            to,
            last_event,
            posted: store.posted().of(environment),
            keys_expired,
            until: Instant::now() + PATIENCE,
            stops: 0,
            is_settled: true,
            is_there: false,
        })
    }

    fn end(&self, store: &Store, clock: &ManualClock) -> Result<Moved> {
        let happened = store.read(|db| due::count_happened(db, self.environment, self.last_event))?;
        Ok(Moved {
            now: clock.now(),
            millis: self.to.millis() - self.begun.millis(),
            delayed_sent: happened.0,
            messages_changed: happened.1,
            webhooks_posted: store.posted().of(self.environment) - self.posted,
            keys_expired: self.keys_expired,
            is_settled: self.is_settled,
        })
    }
}

/// Whether nothing of an environment is due.
fn is_done(db: &Db<'_>, environment: EnvironmentRow, lifecycle: &Lifecycle) -> Result<bool> {
    let now = db.now();
    due::is_done_for_now(db, environment, |job: &ProcessingJob| {
        let place = JobPlace { job: job.job, environment, users: job.drained };
        job.drained >= lifecycle.limit(place, now).map_or(job.received, |limit| limit.min(job.received))
    })
}

/// A step that has begun.
struct Stepping {
    before: Job,
    /// Up to which user the job goes.
    target: u64,
    until: Instant,
}

impl Step {
    /// Its result, once it is over.
    fn go_on(&mut self, steering: &Steering) -> Result<Option<Stepped>> {
        let (of, job_id) = (&self.environment, &self.job_id);
        let get = |db: &Db<'_>| job::get(db, environment::find_or_nothing(db, of)?, job_id);
        let stepping = match &mut self.stepping {
            Some(stepping) => stepping,
            none => none.insert(Stepping::begin(steering, get, self.users)?),
        };
        let after = steering.store.read(get)?;
        let before = &stepping.before;
        if after.job != before.job || after.drained() < before.drained() {
            return Err(Error::conflict("the job was brought back to an earlier state meanwhile"));
        }
        if after.drained() < stepping.target && after.status == JobStatus::Processing {
            return match Instant::now() < stepping.until {
                true => Ok(None),
                false => Err(Error::not_yet("the step is taken, and not over yet; look at the job later")),
            };
        }
        Ok(Some(Stepped { before: before.clone(), after }))
    }
}

impl Stepping {
    fn begin(steering: &Steering, get: impl FnOnce(&Db<'_>) -> Result<Job>, users: u64) -> Result<Stepping> {
        let (before, now) = steering.store.read(|db| Ok((get(db)?, db.now())))?;
        if before.status == JobStatus::Created {
            return Err(Error::invalid("job_id", "this job was not run yet; run it first"));
        }
        let place = JobPlace { job: before.job, environment: before.environment, users: before.drained() };
        let target = steering.lifecycle.step(place, before.received, users, now);
        let is_processing = before.status == JobStatus::Processing;
        let target = match target {
            Some(target) => target,
            None if is_processing => {
                let expected = "this job does not go on by steps; put it in mode manual by PUT /_bulkd/lifecycle";
                return Err(Error::invalid("job_id", expected));
            }
            None => 0,
        };
        Ok(Stepping { before, target, until: Instant::now() + PATIENCE })
    }
}
