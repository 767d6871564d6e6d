//! How jobs go on when a test wants to watch them: at a pace, by steps, or not at all. It lives in the process: after a
//! start every job goes on by itself.
//!
//! The caller gives the job, how far it has come and the time, and gets the user up to which it may go. So nothing has
//! to be rolled back if a part of a job could not be written, and the job has lost none of its users.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::model::bulk::Job;
use crate::model::environment::EnvironmentRow;
use crate::model::lifecycle::Mode;
use crate::model::row::JobRow;

/// The most jobs whose progress is remembered. The oldest are forgotten, and go on from where they are.
const REMEMBERED_JOBS: usize = 10_000;
/// Between two wake-ups of a paced job: it is woken no more often, and then catches up.
const LOOK_MILLIS: i64 = 10;

/// What is asked about a job.
#[derive(Clone, Copy, Debug)]
pub struct JobPlace {
    pub job: JobRow,
    pub environment: EnvironmentRow,
    /// Users that were processed.
    pub users: u64,
}

/// How the jobs of all environments go on.
#[derive(Clone, Default)]
pub struct Lifecycle(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whether there is any rule. Without one, nothing is looked up.
    is_any: AtomicBool,
    state: Mutex<State>,
    rings: Mutex<Vec<Ring>>,
}

type Ring = Box<dyn Fn() + Send>;

#[derive(Default)]
struct State {
    environments: HashMap<EnvironmentRow, Mode>,
    /// These take precedence over those of their environments.
    jobs: BTreeMap<JobRow, JobRule>,
    progress: BTreeMap<JobRow, Progress>,
}

/// What holds for one job.
#[derive(Clone, Debug)]
pub struct JobRule {
    pub environment: EnvironmentRow,
    pub job_id: String,
    pub mode: Mode,
}

/// A job since it was run, or since its rule has changed.
#[derive(Clone, Copy, Debug)]
struct Progress {
    environment: EnvironmentRow,
    since: Timestamp,
    /// Users that were processed by then. `None` until it is asked for.
    base: Option<u64>,
    /// Users that steps have released since then.
    granted: u64,
    /// How often it was polled since it was run. `None`: it was run before.
    looks: Option<u32>,
}

impl Progress {
    fn since(since: Timestamp, environment: EnvironmentRow) -> Self {
        Progress { environment, since, base: None, granted: 0, looks: None }
    }

    fn base(&self) -> u64 {
        self.base.unwrap_or_default()
    }
}

impl State {
    fn mode(&self, job: JobRow, environment: EnvironmentRow) -> Mode {
        let of_environment = || self.environments.get(&environment).copied().unwrap_or_default();
        self.jobs.get(&job).map_or_else(of_environment, |rule| rule.mode)
    }

    fn progress(&mut self, place: JobPlace, now: Timestamp) -> &mut Progress {
        if self.progress.len() >= REMEMBERED_JOBS && !self.progress.contains_key(&place.job) {
            self.progress.pop_first();
        }
        let JobPlace { job, environment, users } = place;
        let progress = self.progress.entry(job).or_insert(Progress::since(now, environment));
        progress.base.get_or_insert(users);
        progress
    }

    /// Changes how a job goes on: its time counts from now, whenever it is next asked for.
    fn change_way(&mut self, job: JobRow, environment: EnvironmentRow, now: Timestamp) {
        if self.progress.len() >= REMEMBERED_JOBS && !self.progress.contains_key(&job) {
            self.progress.pop_first();
        }
        self.progress.insert(job, Progress::since(now, environment));
    }

    /// Up to which user a job may go. `None`: to its end.
    fn limit(&mut self, place: JobPlace, now: Timestamp) -> Option<u64> {
        match self.mode(place.job, place.environment) {
            Mode::Instant | Mode::Polls { .. } => None,
            Mode::Hold => Some(0),
            Mode::Manual => {
                let progress = self.progress(place, now);
                Some(progress.base().saturating_add(progress.granted))
            }
            Mode::Paced { per_second } => {
                let progress = self.progress(place, now);
                let millis = now.millis().saturating_sub(progress.since.millis()).max(0).unsigned_abs();
                Some(progress.base().saturating_add(millis.saturating_mul(per_second.into()) / 1000))
            }
        }
    }
}

impl Lifecycle {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `ring` whenever jobs may go on that could not before.
    pub fn on_change(&self, ring: impl Fn() + Send + 'static) {
        self.0.rings.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(ring));
    }

    pub fn ring(&self) {
        self.0.rings.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|ring| ring());
    }

    /// Sets how all jobs of an environment go on from now on, except those with a rule of their own. `running` are
    /// those that run.
    pub fn set(&self, environment: EnvironmentRow, mode: Mode, running: &[JobRow], now: Timestamp) {
        self.change(|state| {
            state.environments.insert(environment, mode);
            let jobs = &state.jobs;
            state.progress.retain(|job, it| it.environment != environment || jobs.contains_key(job));
            for job in running {
                if !state.jobs.contains_key(job) {
                    state.change_way(*job, environment, now);
                }
            }
        });
    }

    /// Sets how one job goes on from now on.
    pub fn set_job(&self, job: JobRow, rule: JobRule, now: Timestamp) {
        self.change(|state| {
            state.change_way(job, rule.environment, now);
            state.jobs.insert(job, rule);
        });
    }

    /// Forgets the rules of an environment and of its jobs.
    pub fn forget(&self, environment: EnvironmentRow) {
        self.change(|state| {
            state.environments.remove(&environment);
            state.jobs.retain(|_, rule| rule.environment != environment);
            state.progress.retain(|_, it| it.environment != environment);
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        {
            let mut state = self.state();
            change(&mut state);
            let is_any = !state.jobs.is_empty() || state.environments.values().any(|mode| *mode != Mode::Instant);
            self.0.is_any.store(is_any, Ordering::SeqCst);
        }
        self.ring();
    }

    /// The rule of an environment, and of its jobs that have their own.
    pub fn of(&self, environment: EnvironmentRow) -> (Mode, Vec<JobRule>) {
        let state = self.state();
        let mode = state.environments.get(&environment).copied().unwrap_or_default();
        (mode, state.jobs.values().filter(|rule| rule.environment == environment).cloned().collect())
    }

    fn is_any(&self) -> bool {
        self.0.is_any.load(Ordering::SeqCst)
    }

    /// Notes that a job is run.
    pub fn begin(&self, job: JobRow, environment: EnvironmentRow, now: Timestamp) {
        if self.is_any() {
            let mut state = self.state();
            state.progress.remove(&job);
            state.progress(JobPlace { job, environment, users: 0 }, now).looks = Some(0);
        }
    }

    /// Up to which user a job may go. `None`: to its end.
    pub fn limit(&self, place: JobPlace, now: Timestamp) -> Option<u64> {
        if self.is_any() { self.state().limit(place, now) } else { None }
    }

    /// When a held job is to be checked again, if that is known.
    pub fn next_at(&self, place: JobPlace, now: Timestamp) -> Option<Timestamp> {
        let mut state = self.state();
        let Mode::Paced { per_second } = state.mode(place.job, place.environment) else { return None };
        let progress = state.progress(place, now);
        let users = place.users.saturating_sub(progress.base()).saturating_add(1);
        let millis = users.saturating_mul(1000).div_ceil(per_second.max(1).into());
        let at = progress.since.after(i64::try_from(millis).unwrap_or(i64::MAX));
        Some(at.max(now.after(LOOK_MILLIS)))
    }

    /// Releases so many further users of a job, but none beyond the `received` ones. Returns the user up to which it
    /// may go then; `None` if the job does not go by steps.
    pub fn step(&self, place: JobPlace, received: u64, users: u64, now: Timestamp) -> Option<u64> {
        let target = {
            let mut state = self.state();
            if state.mode(place.job, place.environment) != Mode::Manual {
                return None;
            }
            let progress = state.progress(place, now);
            let target = progress.base().saturating_add(progress.granted).saturating_add(users).min(received);
            progress.granted = target.saturating_sub(progress.base());
            target
        };
        self.ring();
        Some(target)
    }

    /// Notes a poll of a job. `Some` if the poller is to see it as not over yet, with the users that were processed.
    pub fn look(&self, job: &Job) -> Option<u64> {
        if !self.is_any() {
            return None;
        }
        let mut state = self.state();
        let Mode::Polls { polls } = state.mode(job.job, job.environment) else { return None };
        let looks = state.progress.get_mut(&job.job)?.looks.as_mut()?;
        *looks = looks.saturating_add(1);
        let looks = *looks;
        if looks >= polls {
            state.progress.remove(&job.job);
            return None;
        }
        Some(job.received.saturating_mul(looks.into()) / u64::from(polls.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(users: u64) -> JobPlace {
        JobPlace { job: JobRow(7), environment: EnvironmentRow(1), users }
    }

    #[test]
    fn a_pace_follows_the_clock_and_steps_add_up() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.limit(place(0), Timestamp(0)), None);
        lifecycle.set(EnvironmentRow(1), Mode::Paced { per_second: 4 }, &[], Timestamp(0));
        lifecycle.begin(JobRow(7), EnvironmentRow(1), Timestamp(1_000));
        let at = |millis| lifecycle.limit(place(0), Timestamp(millis));
        assert_eq!([0, 1_000, 1_249, 1_250, 3_000].map(at), [0, 0, 0, 1, 8].map(Some));
        assert_eq!(lifecycle.next_at(place(8), Timestamp(3_000)), Some(Timestamp(3_250)));
        lifecycle.set_job(
            JobRow(7),
            JobRule { environment: EnvironmentRow(1), job_id: "1-7".to_owned(), mode: Mode::Manual },
            Timestamp(9_000),
        );
        assert_eq!(lifecycle.limit(place(8), Timestamp(9_000)), Some(8));
        assert_eq!(lifecycle.step(place(8), 20, 10, Timestamp(9_000)), Some(18));
        assert_eq!(lifecycle.step(place(10), 20, 10, Timestamp(9_000)), Some(20));
        assert_eq!(lifecycle.limit(place(18), Timestamp(9_000)), Some(20));
        // A pace counts from when it was set, however late the job is asked for, and from what was done by then.
        lifecycle.set_job(
            JobRow(7),
            JobRule { environment: EnvironmentRow(1), job_id: "1-7".to_owned(), mode: Mode::Paced { per_second: 4 } },
            Timestamp(9_000),
        );
        assert_eq!(lifecycle.limit(place(18), Timestamp(9_500)), Some(20));
        lifecycle.forget(EnvironmentRow(1));
        lifecycle.set(EnvironmentRow(1), Mode::Paced { per_second: 4 }, &[JobRow(7)], Timestamp(20_000));
        assert_eq!(lifecycle.limit(place(8), Timestamp(21_000)), Some(12));
        lifecycle.forget(EnvironmentRow(1));
        assert_eq!(lifecycle.limit(place(8), Timestamp(9_000)), None);
        assert_eq!(lifecycle.step(place(8), 20, 10, Timestamp(9_000)), None);
    }
}
