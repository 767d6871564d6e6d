//! A bulk job and the state of its users.

use super::environment::EnvironmentRow;
use super::names;
use super::row::{BrandVersion, JobRow, TemplateVersion};
use crate::clock::Timestamp;

names! {
    /// Where a job stands. Courier's tutorial names the first three, its SDKs add `ERROR`.
    JobStatus {
        /// Takes users, and waits for its run for as long as it has to.
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
    /// Where a user of a job stands.
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
    /// What a job was made by.
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
    /// What the run found stored.
    pub template_version: Option<TemplateVersion>,
    pub brand_version: Option<BrandVersion>,
    pub created_at: Timestamp,
}

impl Job {
    /// How many users, in ingest order, have had their turn.
    pub fn drained(&self) -> u64 {
        self.enqueued + self.failures
    }

    /// Shows it as it is while so many of its users have had their turn, at most, and others have not.
    pub fn show_up_to(&mut self, users: u64) {
        if self.status == JobStatus::Completed {
            self.status = JobStatus::Processing;
        }
        self.enqueued = self.enqueued.min(users);
        self.failures = self.failures.min(users - self.enqueued);
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
