//! The pool that drains jobs: users become messages in the outbox.
//!
//! One thread follows the rows: whichever job is PROCESSING gets a place in the schedule, at start-up as after a bell. The
//! others claim a chunk at a time, of each job in turn, render it, and hand it to the writer in the order of the users.

mod drain;
mod schedule;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::bulk::Job;
use crate::model::definition::Definition;
use crate::render::{Renderer, Templates};
use crate::store::{Store, bulk};
use schedule::{Run, Schedule};

/// Before a job is taken up again after its messages could not be written.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at the rows when no bell rings. The bell is enough; this is for those who change the file by hand.
const LOOK: Duration = Duration::from_secs(60);

pub struct Runner {
    store: Arc<Store>,
    templates: Templates,
    schedule: Schedule,
    stopping: AtomicBool,
}

impl Runner {
    /// Starts `workers` threads and the one that feeds them.
    pub fn start(
        store: Arc<Store>,
        templates: Templates,
        workers: usize,
    ) -> Result<(Arc<Runner>, Vec<JoinHandle<()>>)> {
        let runner =
            Arc::new(Runner { store, templates, schedule: Schedule::default(), stopping: AtomicBool::new(false) });
        let mut threads = vec![spawn("runner", &runner, Runner::follow)?];
        for worker in 1..=workers {
            threads.push(spawn(&format!("drain {worker}"), &runner, Runner::work)?);
        }
        Ok((runner, threads))
    }

    /// Chunks that have been claimed are finished, then the threads end. What is left of a job goes on at the next start.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.schedule.stop();
        self.store.jobs_bell().ring();
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Puts every job that is PROCESSING into the schedule.
    fn follow(&self) {
        let bell = self.store.jobs_bell();
        while !self.stopping() {
            let heard = bell.rung();
            if let Err(error) = self.schedule_all() {
                log::error!("the jobs could not be read: {error}");
            }
            let timeout = if self.schedule.has_failed() { PAUSE } else { LOOK };
            bell.wait(heard, timeout);
        }
    }

    fn schedule_all(&self) -> Result<()> {
        for job in self.store.read(bulk::list_processing)? {
            if self.schedule.may_add(job.job) {
                self.prepare(&job)?;
            }
        }
        Ok(())
    }

    fn prepare(&self, job: &Job) -> Result<()> {
        let number = job.job;
        let definition = self.store.read(|db| bulk::definition(db, number))?;
        let renderer = Definition::read(&definition, false).and_then(|it| Renderer::new(it, self.templates));
        match renderer {
            Ok(renderer) => {
                self.schedule.add(Run::new(job, renderer));
                Ok(())
            }
            Err(error) => {
                log::error!("job {} cannot be run: {error}", job.job_id);
                let reason = error.public_message().to_owned();
                self.store.write(move |tx| bulk::fail(tx, number, &reason))
            }
        }
    }

    fn work(&self) {
        while let Some(chunk) = self.schedule.claim() {
            if let Err(error) = drain::drain(&self.store, &chunk, || self.stopping())
                && chunk.run.fail()
            {
                log::warn!("job {} pauses: {error}", chunk.run.job_id);
            }
            if self.schedule.finish(&chunk) {
                self.store.jobs_bell().ring();
            }
        }
    }
}

fn spawn(name: &str, runner: &Arc<Runner>, body: fn(&Runner)) -> Result<JoinHandle<()>> {
    let runner = runner.clone();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || body(&runner))
        .map_err(|error| Error::startup(format!("the thread '{name}' cannot be started: {error}")))
}
