//! A bulk job and the state of its users.

use serde_json::{Value, json};

use super::environment::EnvironmentRow;
use super::names;
use super::row::{BrandVersion, JobRow, TemplateVersion};
use crate::clock::Timestamp;

names! {
    /// The status of a job. Courier's tutorial names the first three, its SDKs add `ERROR`.
    JobStatus {
        /// It takes users, and waits for its run without a limit.
        Created = "CREATED",
        /// Was run; its users are being turned into messages.
        Processing = "PROCESSING",
        /// Every user has a message or a failure.
        Completed = "COMPLETED",
        /// The job as a whole cannot go on.
        Error = "ERROR",
    }
}

names! {
    /// The status of a job's user.
    UserStatus {
        /// No message yet.
        Pending = "PENDING",
        /// The message is in the outbox.
        Enqueued = "ENQUEUED",
        /// The message could not be made.
        Error = "ERROR",
    }
}

names! {
    /// How a job was created.
    JobKind {
        /// `POST /bulk`; it waits for its run.
        Bulk = "BULK",
        /// `POST /send`; it runs at once.
        Send = "SEND",
    }
}

/// A job as its own row has it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The row's number in the file.
    pub job: JobRow,
    pub job_id: String,
    /// The row's number of its environment.
    pub environment: EnvironmentRow,
    pub kind: JobKind,
    pub status: JobStatus,
    /// Users ingested.
    pub received: u64,
    /// Users whose message is in the outbox.
    pub enqueued: u64,
    /// Users whose message could not be made.
    pub failures: u64,
    /// Why the job as a whole cannot go on.
    pub error: Option<String>,
    /// The versions that the run found stored.
    pub template_version: Option<TemplateVersion>,
    pub brand_version: Option<BrandVersion>,
    pub created_at: Timestamp,
}

impl Job {
    /// How many users, in ingest order, were processed.
    pub fn drained(&self) -> u64 {
        self.enqueued + self.failures
    }

    /// Shows it as it was when at most so many of its users were processed.
    pub fn show_up_to(&mut self, users: u64) {
        if self.status == JobStatus::Completed {
            self.status = JobStatus::Processing;
        }
        self.enqueued = self.enqueued.min(users);
        self.failures = self.failures.min(users - self.enqueued);
    }
}

/// A job in a list of all.
#[derive(Clone, Debug)]
pub struct JobSummary {
    pub job: JobRow,
    pub job_id: String,
    pub kind: JobKind,
    pub status: JobStatus,
    pub received: u64,
    pub enqueued: u64,
    pub failures: u64,
    pub error: Option<String>,
    pub created_at: Timestamp,
    pub run_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
}

impl JobSummary {
    /// Users per second of its run, up to its end or to `now`. `None` before its run, and if that took less than a
    /// millisecond.
    fn rate(&self, now: Timestamp) -> Option<f64> {
        let millis = self.completed_at.unwrap_or(now).millis().saturating_sub(self.run_at?.millis());
        let rate = (self.enqueued + self.failures) as f64 * 1000.0 / millis as f64;
        (millis > 0).then(|| (rate * 10.0).round() / 10.0)
    }

    pub fn json(&self, now: Timestamp) -> Value {
        json!({
            "job_id": self.job_id,
            "kind": self.kind.name(),
            "status": self.status.name(),
            "received": self.received,
            "enqueued": self.enqueued,
            "failures": self.failures,
            "error": self.error,
            "created_at": self.created_at.millis(),
            "run_at": self.run_at.map(Timestamp::millis),
            "completed_at": self.completed_at.map(Timestamp::millis),
            "rate": self.rate(now),
        })
    }
}

/// The state of one user: what is known of the message that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserState {
    Pending,
    Enqueued { message_id: String },
    Error { reason: String },
}

impl UserState {
    pub fn status(&self) -> UserStatus {
        match self {
            UserState::Pending => UserStatus::Pending,
            UserState::Enqueued { .. } => UserStatus::Enqueued,
            UserState::Error { .. } => UserStatus::Error,
        }
    }
}
