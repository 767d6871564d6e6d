//! What keeps the file from growing for ever: a thread that drops the oldest jobs, the environments that were reset,
//! and what nothing refers to any more. It removes a little at a time, and gives way to all other changes.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::clock::{Reading, Timestamp};
use crate::crash::{self, Point};
use crate::error::{Error, Result};
use crate::follow::{self, Next};
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::row::JobRow;
use crate::outage::Outage;
use crate::output::megabytes;
use crate::settings::Keep;
use crate::store::retention::{self, DropRule, Versions};
use crate::store::{Lane, Store, SyncWhen, Tx, Undo, delivery_channel, message, profile, retired, webhook};
use crate::threads;

/// Between two searches for jobs that have become old.
const LOOK_MILLIS: i64 = 2_000;
/// How often the log gives the size of the file.
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// A clock that is ahead by no more than this is believed at once.
const AHEAD_MILLIS: i64 = 60_000;
/// A clock that is ahead by more is believed after it has been ahead for so long.
const DOUBT_MILLIS: i64 = 60 * 60 * 1000;
/// If webhooks or deliveries hold up everything old, the next search comes after so long, and after twice as long each
/// time.
const RESTS: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(600);
/// And after at least so many times the duration of the search, unless something else calls for one.
const REST_FOR_WORK: u32 = 20;
/// Between two searches for empty environments, unless less is kept.
const EMPTY_MILLIS: i64 = 60 * 60 * 1000;
/// The most jobs of a reset environment in one commit.
const MARKED_JOBS: usize = 64;

/// While other changes are made, it pauses so many times as long as it works: a drain keeps its speed. If it is not
/// done after a while, more is made than it drops. Then it gives way less with every [`PATIENCE`] that has passed.
const PAUSES: u32 = 48;
const PATIENCE: Duration = Duration::from_secs(60);

/// What changes when webhooks and deliveries go on.
type Progress = (webhook::Progress, delivery_channel::Progress);

pub struct Retention {
    store: Arc<Store>,
    keep: Keep,
    /// These stay, even if nothing is left in them.
    known: Vec<Environment>,
    stopping: AtomicBool,
}

impl Retention {
    /// `known` are the environments of the keys that were named.
    pub fn start(store: Arc<Store>, keep: Keep, known: Vec<Environment>) -> Result<(Arc<Retention>, JoinHandle<()>)> {
        let retention = Arc::new(Retention { store, keep, known, stopping: AtomicBool::new(false) });
        let ours = retention.clone();
        let thread = std::thread::Builder::new().name("retention".to_owned());
        let thread = threads::spawn_service(thread, move || ours.follow())
            .map_err(|error| Error::startup(format!("the thread 'retention' cannot be started: {error}")))?;
        Ok((retention, thread))
    }

    /// What is left is dropped after the next start.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.store.retention_bell().ring();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn follow(&self) {
        let mut sweeper = Sweeper::new(self);
        let bell = self.store.retention_bell();
        let trouble = "what is old or was reset could not be dropped";
        follow::follow(&self.store, bell, trouble, || self.is_stopping(), || sweeper.turn());
    }
}

/// What the thread remembers. All of it follows from the rows.
struct Sweeper<'a> {
    retention: &'a Retention,
    store: &'a Store,
    /// Since when there has been something to drop.
    busy_since: Option<Instant>,
    /// The number of changes at the last look, its own included.
    changes: u64,
    /// The job to continue behind.
    after: JobRow,
    /// The last message when jobs beyond --keep-messages were last searched for.
    counted_at: Option<i64>,
    before_job: Option<JobRow>,
    experience: Option<Experience>,
    /// Versions that have to be checked since something was dropped.
    versions: Vec<(Versions, i64)>,
    /// When it last began to search for empty environments,
    emptied_at: Option<Timestamp>,
    /// and the environment to continue behind.
    empty_after: Option<EnvironmentRow>,
    /// When the size was last logged.
    told_at: Option<Timestamp>,
    /// In words: what holds up jobs among those that were checked since the oldest one.
    held_up_by: Option<String>,
    held_up: Outage,
    rest: Option<Rest>,
}

/// While webhooks or deliveries hold up everything old.
struct Rest {
    begun: Instant,
    /// The next search does not come earlier, even if these go on,
    least: Duration,
    /// and not later, even if they do not.
    most: Duration,
    heard: u64,
    progress: Progress,
}

impl<'a> Sweeper<'a> {
    fn new(retention: &'a Retention) -> Self {
        let store = &*retention.store;
        Sweeper {
            retention,
            store,
            busy_since: None,
            changes: store.changes(),
            after: JobRow::default(),
            counted_at: None,
            before_job: None,
            experience: None,
            // Those that an earlier process has left.
            versions: if retention.keep.is_some() { Versions::ALL.map(|it| (it, 0)).to_vec() } else { Vec::new() },
            emptied_at: None,
            empty_after: None,
            told_at: None,
            held_up_by: None,
            held_up: Outage::of_callers(format!("{} does not drop all that is old", retention.keep)),
            rest: None,
        }
    }

    fn turn(&mut self) -> Result<Next> {
        self.tell_size()?;
        self.experience()?;
        if self.drop_something()? {
            self.busy_since.get_or_insert_with(Instant::now);
            return Ok(Next::Again);
        }
        self.busy_since = None;
        let look_at = self.store.now().millis().saturating_add(LOOK_MILLIS);
        let has_work_left = self.retention.keep.is_some() || !self.store.read(retired::list)?.is_empty();
        Ok(if has_work_left { Next::WaitUntil(Timestamp(look_at)) } else { Next::Wait })
    }

    /// Takes one step. Returns whether there was one.
    fn drop_something(&mut self) -> Result<bool> {
        if self.store.read(retention::is_dropping)? {
            self.commit(retention::drop_piece)?;
            return Ok(true);
        }
        let staged = self.store.staged_lists();
        if self.store.read(|db| retired::is_any_aside(db, staged))? {
            let staged = staged.clone();
            self.commit(move |tx| retired::drop_aside(tx, &staged))?;
            return Ok(true);
        }
        if self.store.read(profile::any_deleted)? {
            self.commit(profile::overwrite_deleted)?;
            return Ok(true);
        }
        let now = self.store.now();
        if self.store.read(|db| retention::any_expired(db, now))?
            && let Some(now) = self.believed_now()?
            && self.store.read(|db| retention::any_expired(db, now))?
        {
            self.commit(move |tx| retention::drop_expired(tx, now))?;
            return Ok(true);
        }
        Ok(self.drop_retired()? || self.mark_old()? || self.drop_versions()? || self.drop_empty()?)
    }

    /// Drops something of the environments that were reset.
    fn drop_retired(&mut self) -> Result<bool> {
        for environment in self.store.read(retired::list)? {
            let (jobs, has_jobs) = self.store.read(|db| retired::jobs(db, environment, MARKED_JOBS))?;
            if !jobs.is_empty() {
                self.commit(move |tx| retention::mark(tx, &jobs, None))?;
                return Ok(true);
            }
            if !has_jobs {
                self.commit(move |tx| retired::drop_piece(tx, environment))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Marks jobs that have become old.
    fn mark_old(&mut self) -> Result<bool> {
        let keep = &self.retention.keep;
        if !keep.is_some() {
            return Ok(false);
        }
        let heard = self.store.retention_bell().rung();
        let progress = self.store.read(|db| Ok((webhook::progress(db)?, delivery_channel::progress(db)?)))?;
        if self.rest.as_ref().is_some_and(|rest| rest.lasts(heard, progress)) {
            return Ok(false);
        }
        self.count()?;
        let begun = Instant::now();
        let rule = DropRule { over_by: self.over_by()?, before_job: self.before_job };
        if rule.over_by.is_none() && rule.before_job.is_none() {
            return Ok(false);
        }
        loop {
            let after = self.after;
            let mut found = self.store.read(|db| retention::find(db, rule, after))?;
            found.jobs.retain(|job| !self.store.snapshots().need(*job));
            self.after = found.next.unwrap_or_default();
            self.held_up_by = found.held_up_by.or(self.held_up_by.take());
            if !found.jobs.is_empty() {
                let by = keep.to_string();
                let jobs = found.jobs;
                // Some of those counted are dropped for their age: older jobs that waited take their place.
                if self.before_job.is_some_and(|first| jobs.iter().any(|&job| job >= first)) {
                    self.counted_at = None;
                }
                self.commit(move |tx| retention::mark(tx, &jobs, Some(&by)))?;
                self.versions = Versions::ALL.map(|it| (it, 0)).to_vec();
                return Ok(true);
            }
            if found.next.is_none() {
                self.end_look(heard, progress, begun.elapsed());
                return Ok(false);
            }
            if self.retention.is_stopping() {
                return Ok(false);
            }
        }
    }

    /// Ends a search: all jobs were checked.
    fn end_look(&mut self, heard: u64, progress: Progress, took: Duration) {
        let before = self.rest.take();
        let Some(held_up_by) = self.held_up_by.take() else { return self.held_up.succeeded() };
        // A job that has merely not arrived there yet is not logged.
        if before.is_some() {
            self.held_up.failed(held_up_by);
        }
        let most = match before {
            Some(before) if before.progress == progress => (before.most * 2).min(*RESTS.end()),
            _ => *RESTS.start(),
        };
        let least = (took * REST_FOR_WORK).min(*RESTS.end());
        self.rest = Some(Rest { begun: Instant::now(), least, most: most.max(least), heard, progress });
    }

    /// By when a job must have been over to be dropped by --keep. `None` also while the clock is in doubt.
    fn over_by(&mut self) -> Result<Option<Timestamp>> {
        let Some(span) = self.retention.keep.span.as_ref().map(|span| span.millis) else { return Ok(None) };
        Ok(self.believed_now()?.map(|now| now.after(-span)))
    }

    /// The time, unless it is in doubt.
    fn believed_now(&mut self) -> Result<Option<Timestamp>> {
        // What is dropped depends on the reading that was believed.
        let clock = self.store.clock_reading();
        Ok(self.experience()?.agrees(clock).then_some(clock.now))
    }

    /// Created at the first turn.
    fn experience(&mut self) -> Result<&mut Experience> {
        let known = match self.experience.take() {
            Some(known) => known,
            None => {
                let clock = self.store.clock_reading();
                let before = clock.now.after(-DOUBT_MILLIS);
                let newest = self.store.read(|db| retention::newest_by(db, before))?;
                let span = self.retention.keep.span.as_ref().map_or(DAY_MILLIS, |span| span.millis.min(DAY_MILLIS));
                Experience::new(clock, newest.map(|newest| newest.after(DOUBT_MILLIS + span)))
            }
        };
        Ok(self.experience.insert(known))
    }

    /// Searches for jobs beyond --keep-messages, once a good part of so many messages has been added.
    fn count(&mut self) -> Result<()> {
        let Some(messages) = self.retention.keep.messages else { return Ok(()) };
        let last = self.store.read(message::last_number)?.0;
        let has_grown = |since: i64| last.abs_diff(since) > messages / 64;
        if self.counted_at.is_none_or(has_grown) {
            self.before_job = self.store.read(|db| retention::oldest_kept(db, messages))?;
            self.counted_at = Some(last);
        }
        Ok(())
    }

    /// Drops versions that nothing refers to any more.
    fn drop_versions(&mut self) -> Result<bool> {
        if self.versions.is_empty() {
            return Ok(false);
        }
        let Some(by) = self.store.read(retention::replaced_by)? else { return Ok(false) };
        while let Some((versions, after)) = self.versions.pop() {
            let (found, next) = self.store.read(|db| retention::find_unused(db, versions, by, after))?;
            self.versions.extend(next.map(|next| (versions, next)));
            if !found.is_empty() {
                self.commit(move |tx| retention::drop_unused(tx, versions, by, &found))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Drops empty environments: their next use creates them again.
    fn drop_empty(&mut self) -> Result<bool> {
        let Some(by) = self.over_by()? else { return Ok(false) };
        let now = self.store.now();
        let after = match (self.empty_after.take(), self.emptied_at) {
            (Some(after), _) => after,
            (None, Some(at)) if now.millis().abs_diff(at.millis()) < self.empty_millis().unsigned_abs() => {
                return Ok(false);
            }
            (None, _) => {
                self.emptied_at = Some(now);
                EnvironmentRow::default()
            }
        };
        let (found, next) = self.store.read(|db| retention::find_empty(db, by, after, &self.retention.known))?;
        self.empty_after = next;
        let is_step = next.is_some() || !found.is_empty();
        if !found.is_empty() {
            self.commit(move |tx| retention::drop_empty(tx, by, &found))?;
        }
        Ok(is_step)
    }

    fn empty_millis(&self) -> i64 {
        self.retention.keep.span.as_ref().map_or(EMPTY_MILLIS, |span| span.millis.min(EMPTY_MILLIS))
    }

    /// Makes a change, and gives way to others afterwards. What a power cut undoes of it is done again.
    fn commit(&mut self, change: impl FnOnce(&mut Tx<'_>) -> Result<()> + Send + 'static) -> Result<()> {
        let others = self.store.changes() != self.changes;
        // Without the time in the queue, and without the commit, which costs about as much again.
        let timed = move |tx: &mut Tx<'_>| {
            let begun = Instant::now();
            change(tx)?;
            Ok(begun.elapsed())
        };
        let took = self.store.submit(Lane::Behind, SyncWhen::Later, Undo::Change, timed).wait()?;
        crash::point(Point::Retention);
        self.changes = self.store.changes();
        if others {
            let patience = self.busy_since.map_or(0, |since| since.elapsed().as_secs() / PATIENCE.as_secs());
            let pauses = PAUSES >> patience.min(u64::from(PAUSES.ilog2()));
            self.store.retention_bell().pause(took * pauses, || self.retention.is_stopping());
        }
        Ok(())
    }

    fn tell_size(&mut self) -> Result<()> {
        if let Some(line) = self.size_line()? {
            log::info!("{line}");
        }
        Ok(())
    }

    /// The size of the file, at the start and once a day.
    fn size_line(&mut self) -> Result<Option<String>> {
        let now = self.store.now();
        if self.told_at.is_some_and(|at| now.millis().abs_diff(at.millis()) < DAY_MILLIS.unsigned_abs()) {
            return Ok(None);
        }
        self.told_at = Some(now);
        let (bytes, free) = self.store.read(retention::size)?;
        let (bytes, free) = (megabytes(bytes), megabytes(free));
        Ok(Some(format!("the file has {bytes}, of which {free} are free to be used again")))
    }
}

impl Rest {
    fn lasts(&self, heard: u64, progress: Progress) -> bool {
        let span = if progress == self.progress { self.most } else { self.least };
        heard == self.heard && self.begun.elapsed() < span
    }
}

/// What a clock must agree with before anything is dropped by it: otherwise a clock that is a year ahead for a second
/// would have everything in a file dropped for good.
struct Experience {
    /// The reading that was last believed.
    believed: Reading,
    /// Since when it has been ahead of that, in passed time, and by how much.
    ahead: Option<(i64, i64)>,
}

impl Experience {
    /// At a start, the clock is believed up to the `latest` time that the file makes likely. A wrong clock may have
    /// made jobs before the daemon was started again, so those of the last hour do not count.
    fn new(clock: Reading, latest: Option<Timestamp>) -> Self {
        let now = latest.map_or(clock.now, |latest| latest.min(clock.now));
        Experience { believed: Reading { now, ..clock }, ahead: None }
    }

    /// Whether the clock is where it should be, or has been elsewhere for long.
    fn agrees(&mut self, clock: Reading) -> bool {
        let passed = clock.passed_millis.saturating_sub(self.believed.passed_millis);
        let ahead = clock.now.millis().saturating_sub(self.believed.now.millis()).saturating_sub(passed);
        let known = self.ahead.take();
        if ahead > AHEAD_MILLIS {
            let is_same = |&(_, before): &(i64, i64)| ahead.abs_diff(before) <= AHEAD_MILLIS.unsigned_abs();
            let (since, by) = known.filter(is_same).unwrap_or((clock.passed_millis, ahead));
            if clock.passed_millis.saturating_sub(since) < DOUBT_MILLIS {
                if known.is_none() {
                    let (now, ahead) = (clock.now.second_iso(), ahead / 1000);
                    log::warn!(
                        "the clock says {now}, which is {ahead} s ahead of what was to be expected: \
                         nothing is dropped for its age until it has been so for an hour"
                    );
                }
                self.ahead = Some((since, by));
                return false;
            }
        }
        if known.is_some() {
            log::warn!("the clock says {}, and is believed: what is old is dropped again", clock.now.second_iso());
        }
        self.believed = clock;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};

    #[test]
    fn a_clock_is_believed_when_it_is_where_it_should_be_or_has_been_elsewhere_for_an_hour() {
        const YEAR: i64 = 365 * DAY_MILLIS;
        let clock = |passed_millis: i64, off: i64| Reading {
            now: Timestamp(YEAR + passed_millis + off),
            set_back_millis: 0,
            passed_millis,
        };
        let mut experience = Experience::new(clock(0, 0), None);
        for (minutes, off, is_believed) in [
            (0, 0, true),
            (1, 50_000, true),
            (2, YEAR, false),
            (3, 0, true),
            (10, YEAR, false),
            // Somewhere else again.
            (60, 2 * YEAR, false),
            (71, 2 * YEAR, false),
            (119, 2 * YEAR, false),
            (120, 2 * YEAR, true),
            (121, 0, true),
            (122, -YEAR, true),
            (123, 0, false),
            (183, 0, true),
            // No look for long, as time passes.
            (100_000, 0, true),
        ] {
            assert_eq!(experience.agrees(clock(minutes * 60_000, off)), is_believed, "{minutes} min, off by {off}");
        }
        let mut started = Experience::new(clock(0, 0), Some(Timestamp(YEAR - DAY_MILLIS)));
        assert!(!started.agrees(clock(0, 0)) && started.agrees(clock(1_000, -DAY_MILLIS)));
        let mut started = Experience::new(clock(0, 0), Some(Timestamp(YEAR + DAY_MILLIS)));
        assert!(started.agrees(clock(0, 0)) && !started.agrees(clock(0, DAY_MILLIS)));
    }

    #[test]
    fn the_size_of_the_file_is_told_at_the_start_and_once_a_day() {
        let clock = ManualClock::at(0);
        let (store, threads) = Store::open_ephemeral(Clock::Manual(clock.clone()));
        let retention = Retention {
            store: Arc::new(store),
            keep: Keep::default(),
            known: Vec::new(),
            stopping: AtomicBool::new(false),
        };
        let mut sweeper = Sweeper::new(&retention);
        let hour = Duration::from_secs(3_600);
        let told: Vec<String> = (0..72)
            .filter_map(|_| {
                clock.advance(hour);
                sweeper.size_line().unwrap()
            })
            .collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[0].starts_with("the file has 0.") && told[0].ends_with("0.0 MB are free to be used again"),
            "{told:?}"
        );
        retention.store.stop();
        drop(retention);
        threads.join();
    }
}
