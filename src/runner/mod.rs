//! The pool that drains jobs: users become messages in the outbox.
//!
//! One thread follows the rows: every PROCESSING job gets a place in the schedule, both at the start and after a bell.
//! Another sends delayed messages when they are due. The others claim a chunk at a time, of new jobs first and then of
//! each job in turn, render it, and hand it to the writer in the order of the users. One of them is for new jobs only.

mod delayed;
mod drain;
mod notes;
mod schedule;
mod spans;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::compose::Renderer;
use crate::crash::{self, Point};
use crate::error::{Error, Kind, Result};
use crate::findings::{Check, Findings};
use crate::follow::{self, Next};
use crate::lifecycle::Lifecycle;
use crate::model::bulk::{Job, JobKind};
use crate::model::definition::{Definition, Reading};
use crate::model::row::JobRow;
use crate::model::send_v1;
use crate::render::RENDER_STACK_BYTES;
use crate::settings::MessageSettings;
use crate::store::{Store, job, plan};
use crate::threads::{self, catch};
use delayed::DelayedSender;
use drain::Part;
use schedule::{Chunk, Claim, Run, Schedule};

/// Parts of one thread that the writer may have at once, while the thread works on a small job. For a large job it is
/// one.
const SMALL_PARTS: usize = 4;

pub struct Runner {
    store: Arc<Store>,
    findings: Arc<Findings>,
    messages: MessageSettings,
    schedule: Schedule,
    stopping: AtomicBool,
}

/// What decides how jobs go on.
#[derive(Clone, Default)]
pub struct Steered {
    pub lifecycle: Lifecycle,
    /// Jobs are drained one after the other.
    pub in_order: bool,
}

impl Runner {
    /// Starts `workers` threads, those that feed them and, if there are any, the one for new jobs. All of them or none.
    pub fn start(
        store: Arc<Store>,
        findings: Arc<Findings>,
        messages: MessageSettings,
        workers: usize,
        steered: Steered,
    ) -> Result<(Arc<Runner>, Vec<JoinHandle<()>>)> {
        let schedule = Schedule::new(&store, steered.lifecycle, steered.in_order);
        let runner = Arc::new(Runner { store, findings, messages, schedule, stopping: AtomicBool::new(false) });
        let mut threads: Vec<JoinHandle<()>> = Vec::new();
        let followers =
            [("runner", Runner::follow_jobs as fn(&Runner)), ("delayed", Runner::send_delayed as fn(&Runner))];
        let of_new = (workers > 0).then_some(("new jobs", Runner::work_on_new as fn(&Runner)));
        let roles = followers
            .into_iter()
            .chain(of_new)
            .map(|(name, role)| (name.to_owned(), role))
            .chain((1..=workers).map(|worker| (format!("drain {worker}"), Runner::work as fn(&Runner))));
        for (name, role) in roles {
            let ours = runner.clone();
            let thread = std::thread::Builder::new().name(name.clone()).stack_size(RENDER_STACK_BYTES);
            match threads::spawn_service(thread, move || role(&ours)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    runner.stop();
                    // A thread that panicked has logged it.
                    threads.into_iter().for_each(|thread| drop(thread.join()));
                    return Err(Error::startup(format!("the thread '{name}' cannot be started: {error}")));
                }
            }
        }
        Ok((runner, threads))
    }

    /// Rendered messages are still written, then the threads end. The rest of a job goes on at the next start.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.schedule.stop();
        self.store.jobs_bell().ring();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Puts every job that is PROCESSING into the schedule.
    fn follow_jobs(&self) {
        let bell = self.store.jobs_bell();
        follow::follow(
            &self.store,
            bell,
            "the jobs could not be read",
            || self.is_stopping(),
            || {
                let next_end = self.schedule.end_pauses(self.store.now());
                let next_release = self.schedule.release();
                let jobs = self.store.read(job::list_processing)?;
                for job in jobs.into_iter().filter(|job| !self.schedule.knows(*job)) {
                    if self.schedule.has_room() {
                        self.schedule_job(job);
                    }
                }
                Ok(Next::wait([next_end, next_release].into_iter().flatten().min()))
            },
        );
    }

    fn send_delayed(&self) {
        DelayedSender { store: &self.store, messages: self.messages, stopping: &self.stopping }.follow();
    }

    fn schedule_job(&self, job: JobRow) {
        if let Err(error) = self.try_schedule_job(job) {
            log::error!("job number {job} could not be scheduled, and pauses: {error}");
            self.schedule.pause(job, self.store.now());
            self.store.jobs_bell().ring();
        }
    }

    fn try_schedule_job(&self, number: JobRow) -> Result<()> {
        // It may have ended since it was listed.
        let Some((job, definition)) = self.store.read(|db| job::find_processing(db, number))? else {
            return Ok(());
        };
        let resolved = Definition::read(&definition, Reading::Lenient)
            .and_then(|definition| self.store.read(|db| Ok((plan::load(db, &job, definition)?, db.now()))));
        let renderer = |(resolved, now)| {
            catch(|| Renderer::new(resolved, self.messages, now))
                .unwrap_or_else(|| Err(Error::internal("what its messages are made of could not be read")))
        };
        match resolved.and_then(renderer) {
            Ok(renderer) => {
                let what = format!("job {}", job.job_id);
                // A send was noted when it was requested.
                let is_bulk = job.kind == JobKind::Bulk;
                let is_v1 = !is_bulk && send_v1::is_definition(&definition);
                let unknown = renderer.unknown_elements(&what).filter(|_| is_bulk);
                let unused = renderer.unused(&what).filter(|_| is_bulk);
                let without_effect = renderer.overrides_without_effect(&what, is_v1).into_iter().chain(unused);
                let told = without_effect.map(|it| (Check::NoEffect, it));
                let request = notes::request_of(&job, &definition);
                for found in told.chain(unknown.map(|it| (Check::UnknownElement, it))) {
                    notes::note(&self.store, &self.findings, job.environment, &request, found);
                }
                self.schedule.add(Run::new(&job, renderer, request));
                Ok(())
            }
            Err(error) if error.kind() == Kind::Unavailable => Err(error),
            Err(error) => {
                log::error!("job {} cannot be run: {error}", job.job_id);
                let reason = error.public_message();
                self.store.write(move |tx| job::fail(tx, number, &reason))
            }
        }
    }

    fn work(&self) {
        self.drain_chunks(Claim::Any);
    }

    fn work_on_new(&self) {
        self.drain_chunks(Claim::New);
    }

    /// The writer has some parts while the next one is rendered: neither waits for the other.
    fn drain_chunks(&self, of: Claim) {
        let mut parts = VecDeque::new();
        loop {
            let chunk = if parts.is_empty() { self.schedule.claim(of) } else { self.schedule.try_claim(of) };
            match chunk {
                Some(chunk) => {
                    let drained = self.drain(&chunk, &mut parts);
                    self.ended(&chunk.run, drained);
                }
                None => match parts.pop_front() {
                    Some(part) => self.settle(part),
                    None => return,
                },
            }
        }
    }

    /// A panic must not leave a chunk open: the others would wait for it.
    fn drain(&self, chunk: &Chunk, parts: &mut VecDeque<Part>) -> Result<()> {
        // The next chunk of a small job does not wait until a part of a large one is written.
        let under_way = if chunk.run.is_small() { SMALL_PARTS } else { 1 };
        let submitted = |part: Part| {
            parts.push_back(part);
            while parts.len() > under_way
                && let Some(part) = parts.pop_front()
            {
                self.settle(part);
            }
        };
        catch(|| drain::drain(&self.store, &self.findings, chunk, || self.is_stopping(), submitted))
            .unwrap_or_else(|| Err(Error::internal("draining panicked")))
    }

    fn settle(&self, part: Part) {
        let (run, is_last) = (part.run.clone(), part.is_last);
        let written = part.settle();
        if is_last && written.is_ok() {
            self.log_end(&run);
        }
        self.ended(&run, written);
        crash::point(Point::AfterPart);
    }

    fn log_end(&self, run: &Run) {
        if log::log_enabled!(log::Level::Info)
            && let Ok((job, _)) = self.store.read(|db| job::get_by_number(db, run.job))
        {
            let Job { job_id, status, received, enqueued, failures, .. } = job;
            let (status, seconds) = (status.name(), run.taken().as_secs_f64());
            log::info!(
                "job {job_id} {status}: {received} received, {enqueued} enqueued, {failures} failures, {seconds:.2} s"
            );
        }
    }

    /// Notes that a chunk, or a part that the writer had, has ended.
    fn ended(&self, run: &Arc<Run>, outcome: Result<()>) {
        if let Err(error) = outcome
            && run.fail()
        {
            match self.is_stopping() {
                true => log::info!("job {} goes on at the next start", run.job_id),
                false => log::warn!("job {} pauses: {error}", run.job_id),
            }
        }
        if self.schedule.close(run, self.store.now()) {
            self.store.jobs_bell().ring();
        }
    }
}
