//! Which job is next: new jobs first, for a moment, then a chunk of each job in turn. Within a job, the order of its
//! users.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::compose::Renderer;
use crate::findings::Check;
use crate::lifecycle::{JobPlace, Lifecycle};
use crate::model::bulk::{Job, JobKind};
use crate::model::environment::EnvironmentRow;
use crate::model::row::JobRow;
use crate::store::{Bell, Store};

/// How long rendering a chunk is to take.
const CHUNK_TIME: Duration = Duration::from_millis(100);
/// The same while other jobs wait for their turn behind it.
const SHARED_CHUNK_TIME: Duration = Duration::from_millis(10);
/// The most users of a chunk: enough to make a commit worthwhile.
const CHUNK_USERS: u64 = 1_000;
/// Users of a job's first chunk: it is not known yet how long they take.
const FIRST_CHUNK_USERS: u64 = 16;
/// The most that a chunk may grow over the one before it: texts may take longer from one user on.
const CHUNK_GROWTH: u64 = 8;
/// How much rendering a job may have had and still count as new. A small job is over before.
const NEW_TIME: Duration = Duration::from_millis(20);
/// The most chunks of new jobs in a row: then another job has its turn.
const NEW_CHUNKS: usize = 3;
/// The most users of a small job. It goes on ahead of large ones until its end, since a client may well wait for it.
const SMALL_JOB_USERS: u64 = 2_000;
/// How long a job pauses if its messages could not be written.
const PAUSE_MILLIS: i64 = 1_000;

/// There are fewer checks than bits.
fn bit(check: Check) -> u32 {
    1 << (check as u32 % u32::BITS)
}

/// A job that is being drained.
pub struct Run {
    pub job: JobRow,
    pub job_id: String,
    /// The row of its environment.
    pub environment: EnvironmentRow,
    pub renderer: Renderer,
    /// The request that it comes from.
    pub request: String,
    received: u64,
    kind: JobKind,
    is_small: bool,
    state: Mutex<State>,
    changed: Condvar,
    /// A bit for each check.
    noticed: AtomicU32,
    begun: Instant,
}

struct State {
    /// The first user that no worker has claimed.
    unclaimed: u64,
    /// The first user whose outcome the writer has not got yet.
    unsubmitted: u64,
    /// Users that are rendered in [`CHUNK_TIME`], as far as is known.
    in_time: u64,
    /// Users of the next chunk, at most.
    most: u64,
    /// How long rendering has taken, in all threads.
    rendered: Duration,
    /// Chunks that were claimed and have not ended, and parts that the writer has: [`Schedule::close`] has to be called
    /// so many times.
    outstanding: usize,
    failed: bool,
}

/// Users of one job, claimed by one worker.
pub struct Chunk {
    pub run: Arc<Run>,
    pub users: Range<u64>,
}

impl Run {
    pub fn new(job: &Job, renderer: Renderer, request: String) -> Self {
        let drained = job.drained();
        let state = State {
            unclaimed: drained,
            unsubmitted: drained,
            in_time: FIRST_CHUNK_USERS * (CHUNK_TIME.as_nanos() / SHARED_CHUNK_TIME.as_nanos()) as u64,
            most: FIRST_CHUNK_USERS,
            rendered: Duration::ZERO,
            outstanding: 0,
            failed: false,
        };
        Run {
            job: job.job,
            job_id: job.job_id.clone(),
            environment: job.environment,
            renderer,
            request,
            received: job.received,
            kind: job.kind,
            is_small: job.received - drained <= SMALL_JOB_USERS,
            state: Mutex::new(state),
            changed: Condvar::new(),
            noticed: AtomicU32::new(0),
            begun: Instant::now(),
        }
    }

    /// Whether this check has found nothing in a run yet: a finding about all users of a job is noted once.
    pub fn looks_for(&self, check: Check) -> bool {
        self.noticed.load(Ordering::Relaxed) & bit(check) == 0
    }

    /// True for the first finding.
    pub fn is_first_notice(&self, check: Check) -> bool {
        self.noticed.fetch_or(bit(check), Ordering::Relaxed) & bit(check) == 0
    }

    /// How long it has been drained since it was run, or since the start.
    pub fn taken(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Notes how long rendering took, so that the next chunk takes about [`CHUNK_TIME`].
    pub fn note_pace(&self, users: u64, taken: Duration) {
        let in_time = (CHUNK_TIME.as_nanos() * u128::from(users)) / taken.as_nanos().max(1);
        let mut state = self.state();
        state.in_time = u64::try_from(in_time).unwrap_or(u64::MAX);
        state.most = users.saturating_mul(CHUNK_GROWTH).clamp(1, CHUNK_USERS);
        state.rendered += taken;
    }

    /// Whether its messages are written ahead of those of large jobs.
    pub fn is_small(&self) -> bool {
        self.is_small
    }

    fn is_new(&self) -> bool {
        self.state().rendered < NEW_TIME
    }

    fn place(&self, users: u64) -> JobPlace {
        JobPlace { job: self.job, environment: self.environment, users }
    }

    /// Whether the job has no user from `seq` on.
    pub fn ends_at(&self, seq: u64) -> bool {
        seq == self.received
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the writer has all users before `seq`, then calls `submit`, which hands over the users up to `end`.
    /// `None` if the run has failed meanwhile.
    pub fn in_turn<T>(&self, seq: u64, end: u64, submit: impl FnOnce() -> T) -> Option<T> {
        let early = |state: &mut State| state.unsubmitted < seq && !state.failed;
        let mut state = self.changed.wait_while(self.state(), early).unwrap_or_else(PoisonError::into_inner);
        if state.failed {
            return None;
        }
        let submitted = submit();
        state.unsubmitted = end;
        state.outstanding += 1;
        self.changed.notify_all();
        Some(submitted)
    }

    /// Gives the run up. Threads that wait for a turn in it return. Returns whether it was still going.
    pub fn fail(&self) -> bool {
        let mut state = self.state();
        let was_going = !state.failed;
        state.failed = true;
        self.changed.notify_all();
        was_going
    }
}

/// Which chunks a thread claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    Any,
    /// Those of new jobs only, which do not wait until a large job's text is rendered or written.
    New,
}

/// The runs that have work left.
pub struct Schedule {
    queue: Mutex<RunQueue>,
    changed: Condvar,
    gate: Gate,
    /// Jobs are drained one after the other, so that the same requests lead to the same rows.
    in_order: bool,
    /// Rings when a run is held, or another may have its turn.
    bell: Bell,
}

/// How far a run may go now.
struct Gate {
    lifecycle: Lifecycle,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Gate {
    /// How many users after the first `users` may be processed. A send has no life cycle of a job.
    fn allowed(&self, run: &Run, users: u64) -> u64 {
        if run.kind != JobKind::Bulk {
            return u64::MAX;
        }
        let limit = self.lifecycle.limit(run.place(users), (self.clock)());
        limit.map_or(u64::MAX, |limit| limit.saturating_sub(users))
    }
}

#[derive(Default)]
struct RunQueue {
    /// New ones with users to claim, in the order of their turns.
    new: VecDeque<Arc<Run>>,
    /// The others.
    turns: VecDeque<Arc<Run>>,
    /// Those that may not go on now.
    held: Vec<Arc<Run>>,
    /// Chunks of new ones that were claimed since the last one of another.
    new_in_a_row: usize,
    /// All runs with users to claim or chunks open.
    runs: HashMap<JobRow, Arc<Run>>,
    /// Jobs that have failed, and until when they pause.
    pauses: HashMap<JobRow, Timestamp>,
    stopped: bool,
}

impl Schedule {
    pub fn new(store: &Arc<Store>, lifecycle: Lifecycle, in_order: bool) -> Self {
        let clock = store.clone();
        Schedule {
            queue: Mutex::default(),
            changed: Condvar::new(),
            gate: Gate { lifecycle, clock: Box::new(move || clock.now()) },
            in_order,
            bell: store.jobs_bell().clone(),
        }
    }

    /// Whether another job may have its turn.
    pub fn has_room(&self) -> bool {
        let queue = self.queue();
        !self.in_order || queue.runs.len() <= queue.held.len()
    }

    /// Releases held runs that may go on now, and returns when the next one may, if that is known.
    pub fn release(&self) -> Option<Timestamp> {
        let mut queue = self.queue();
        let (mut next, mut is_any) = (None, false);
        for run in std::mem::take(&mut queue.held) {
            let unclaimed = run.state().unclaimed;
            if self.gate.allowed(&run, unclaimed) > 0 {
                if run.is_new() {
                    queue.new.push_back(run)
                } else {
                    queue.turns.push_back(run)
                }
                is_any = true;
                continue;
            }
            let at = self.gate.lifecycle.next_at(run.place(unclaimed), (self.gate.clock)());
            next = [next, at].into_iter().flatten().min();
            queue.held.push(run);
        }
        if is_any {
            self.changed.notify_all();
        }
        next
    }

    fn queue(&self) -> MutexGuard<'_, RunQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the job has a place in the schedule, or pauses.
    pub fn knows(&self, job: JobRow) -> bool {
        let queue = self.queue();
        queue.runs.contains_key(&job) || queue.pauses.contains_key(&job)
    }

    /// Ends pauses that are over, and returns when the next one ends.
    pub fn end_pauses(&self, now: Timestamp) -> Option<Timestamp> {
        let mut queue = self.queue();
        // A pause that would last longer than a pause can began before the clock was set back.
        queue.pauses.retain(|_, until| *until > now && *until <= now.after(PAUSE_MILLIS));
        queue.pauses.values().min().copied()
    }

    pub fn pause(&self, job: JobRow, now: Timestamp) {
        self.queue().pause(job, now);
    }

    /// Adds a run, which is new.
    pub fn add(&self, run: Run) {
        let run = Arc::new(run);
        let mut queue = self.queue();
        queue.runs.insert(run.job, run.clone());
        queue.new.push_back(run);
        self.changed.notify_all();
    }

    /// Claims the next chunk, waiting for one if need be. `None` when the schedule was stopped.
    pub fn claim(&self, of: Claim) -> Option<Chunk> {
        let idle = |queue: &mut RunQueue| !queue.has_turn(of) && !queue.stopped;
        let mut queue = self.queue();
        loop {
            queue = self.changed.wait_while(queue, idle).unwrap_or_else(PoisonError::into_inner);
            if queue.stopped {
                return None;
            }
            // The ones in turn may all be held.
            if let Some(chunk) = self.claim_of(&mut queue, of) {
                return Some(chunk);
            }
        }
    }

    fn claim_of(&self, queue: &mut RunQueue, of: Claim) -> Option<Chunk> {
        let held = queue.held.len();
        let chunk = queue.claim(of, &self.gate);
        if queue.held.len() > held {
            self.bell.ring();
        }
        chunk
    }

    /// Like [`Schedule::claim`], but `None` as well when there is nothing to claim now.
    pub fn try_claim(&self, of: Claim) -> Option<Chunk> {
        self.claim_of(&mut self.queue(), of)
    }

    /// Notes that a chunk, or a part that the writer had, has ended. Returns whether its job now pauses.
    pub fn close(&self, run: &Arc<Run>, now: Timestamp) -> bool {
        let mut queue = self.queue();
        let (outstanding, failed, unclaimed) = {
            let mut state = run.state();
            state.outstanding -= 1;
            (state.outstanding, state.failed, state.unclaimed)
        };
        if failed {
            queue.turns.retain(|other| !Arc::ptr_eq(other, run));
            queue.new.retain(|other| !Arc::ptr_eq(other, run));
            queue.held.retain(|other| !Arc::ptr_eq(other, run));
        }
        let over = outstanding == 0 && (failed || unclaimed == run.received);
        if over {
            queue.runs.remove(&run.job);
            if self.in_order {
                self.bell.ring();
            }
        }
        if over && failed {
            queue.pause(run.job, now);
        }
        over && failed
    }

    pub fn stop(&self) {
        self.queue().stopped = true;
        self.changed.notify_all();
    }
}

impl RunQueue {
    fn pause(&mut self, job: JobRow, now: Timestamp) {
        self.pauses.insert(job, now.after(PAUSE_MILLIS));
    }

    fn has_turn(&mut self, of: Claim) -> bool {
        let (new, old) = self.new.drain(..).partition(|run| run.is_new());
        self.new = new;
        self.turns.extend::<VecDeque<_>>(old);
        !self.new.is_empty() || of == Claim::Any && !self.turns.is_empty()
    }

    fn claim(&mut self, of: Claim, gate: &Gate) -> Option<Chunk> {
        while !self.stopped && self.has_turn(of) {
            let is_turn_of_new = of == Claim::New || self.turns.is_empty() || self.new_in_a_row < NEW_CHUNKS;
            let new = if is_turn_of_new { self.new.pop_front() } else { None };
            let run = match new {
                Some(new) => {
                    self.new_in_a_row += 1;
                    new
                }
                None if of == Claim::New => return None,
                None => {
                    self.new_in_a_row = 0;
                    self.turns.pop_front()?
                }
            };
            let is_alone = self.new.is_empty() && self.turns.is_empty();
            let mut state = run.state();
            let share = if is_alone { 1 } else { CHUNK_TIME.as_nanos() / SHARED_CHUNK_TIME.as_nanos() };
            let start = state.unclaimed;
            let users = (state.in_time / share as u64).clamp(1, state.most).min(gate.allowed(&run, start));
            if users == 0 {
                drop(state);
                self.held.push(run);
                continue;
            }
            let end = run.received.min(start.saturating_add(users));
            state.unclaimed = end;
            state.outstanding += 1;
            drop(state);
            if end < run.received {
                let turns = if run.is_new() { &mut self.new } else { &mut self.turns };
                turns.push_back(run.clone());
            }
            return Some(Chunk { run, users: start..end });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::JobRule;
    use crate::model::bulk::JobStatus;
    use crate::model::definition::{Definition, Reading};
    use crate::model::lifecycle::Mode;
    use crate::model::resolved::ResolvedDefinition;
    use crate::settings::MessageSettings;

    fn schedule() -> Schedule {
        Schedule {
            queue: Mutex::default(),
            changed: Condvar::new(),
            gate: Gate { lifecycle: Lifecycle::default(), clock: Box::new(|| Timestamp(0)) },
            in_order: false,
            bell: Bell::default(),
        }
    }

    fn run(job: i64, received: u64) -> Run {
        let definition = Definition::read("{\"event\":\"e\"}", Reading::Lenient).unwrap();
        let resolved = ResolvedDefinition::new(definition, JobKind::Bulk);
        let renderer = Renderer::new(resolved, MessageSettings::default(), Timestamp(0)).unwrap();
        let job = Job {
            job: JobRow(job),
            job_id: job.to_string(),
            environment: EnvironmentRow(1),
            kind: JobKind::Bulk,
            status: JobStatus::Processing,
            received,
            enqueued: 0,
            failures: 0,
            error: None,
            template_version: None,
            brand_version: None,
            created_at: Timestamp(0),
        };
        Run::new(&job, renderer, String::new())
    }

    fn claimed(schedule: &Schedule, of: Claim) -> Option<(i64, u64)> {
        let chunk = schedule.try_claim(of)?;
        Some((chunk.run.job.0, chunk.users.end - chunk.users.start))
    }

    #[test]
    fn a_new_job_comes_first_and_leaves_every_other_its_turns() {
        let schedule = schedule();
        schedule.add(run(1, 1_000_000));
        let large = schedule.try_claim(Claim::Any).unwrap().run;
        // 10,000 users a second: as many as are rendered in a tenth of one, but not many times what was tried.
        large.note_pace(1_000, Duration::from_millis(100));
        assert_eq!(claimed(&schedule, Claim::New), None);
        assert_eq!(claimed(&schedule, Claim::Any), Some((1, 1_000)));
        schedule.add(run(2, 100));
        // Now each chunk takes a hundredth of a second.
        let turns: Vec<_> = (0..8).map(|_| claimed(&schedule, Claim::Any).unwrap()).collect();
        assert_eq!(turns, [(2, 16), (2, 16), (2, 16), (1, 100), (2, 16), (2, 16), (2, 16), (1, 100)]);
        assert_eq!(claimed(&schedule, Claim::New), Some((2, 4)));
        // It is alone again.
        assert_eq!(claimed(&schedule, Claim::Any), Some((1, 1_000)));
    }

    #[test]
    fn a_job_that_is_held_leaves_the_others_their_turns_and_goes_on_from_where_it_was() {
        let schedule = schedule();
        let lifecycle = schedule.gate.lifecycle.clone();
        lifecycle.set(EnvironmentRow(1), Mode::Manual, &[], Timestamp(0));
        schedule.add(run(1, 100));
        let own = JobRule { environment: EnvironmentRow(1), job_id: "2".to_owned(), mode: Mode::Instant };
        lifecycle.set_job(JobRow(2), own, Timestamp(0));
        schedule.add(run(2, 10));
        assert_eq!(claimed(&schedule, Claim::Any), Some((2, 10)));
        assert_eq!(claimed(&schedule, Claim::Any), None);
        assert_eq!(schedule.release(), None);
        assert_eq!(claimed(&schedule, Claim::Any), None);
        let place = JobPlace { job: JobRow(1), environment: EnvironmentRow(1), users: 0 };
        lifecycle.step(place, 100, 3, Timestamp(0));
        schedule.release();
        let first = schedule.try_claim(Claim::Any).unwrap();
        assert_eq!(first.users, 0..3);
        assert_eq!(claimed(&schedule, Claim::Any), None);
        // A run that fails while it is held is no longer held.
        first.run.fail();
        assert!(schedule.close(&first.run, Timestamp(0)));
        lifecycle.forget(EnvironmentRow(1));
        schedule.release();
        assert_eq!(claimed(&schedule, Claim::Any), None);
    }

    #[test]
    fn in_order_one_job_comes_after_the_other() {
        let schedule = Schedule { in_order: true, ..schedule() };
        assert!(schedule.has_room());
        schedule.add(run(1, 10));
        assert!(!schedule.has_room());
        let chunk = schedule.try_claim(Claim::Any).unwrap();
        assert!(!schedule.has_room());
        schedule.close(&chunk.run, Timestamp(0));
        assert!(schedule.has_room());
    }

    #[test]
    fn a_pause_ends_by_the_clock_that_it_began_by() {
        let schedule = schedule();
        schedule.pause(JobRow(1), Timestamp(0));
        schedule.pause(JobRow(2), Timestamp(400));
        assert!(schedule.knows(JobRow(1)) && schedule.knows(JobRow(2)));
        assert_eq!(schedule.end_pauses(Timestamp(999)), Some(Timestamp(1_000)));
        assert_eq!(schedule.end_pauses(Timestamp(1_000)), Some(Timestamp(1_400)));
        assert!(!schedule.knows(JobRow(1)) && schedule.knows(JobRow(2)));
        assert_eq!(schedule.end_pauses(Timestamp(9_000)), None);
        assert!(!schedule.knows(JobRow(2)));
        schedule.pause(JobRow(2), Timestamp(9_000));
        assert_eq!(schedule.end_pauses(Timestamp(2_000)), None);
        assert!(!schedule.knows(JobRow(2)));
    }
}
