//! Messages listed from the newest on.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rusqlite::{Statement, params};

use super::engine::Db;
use super::message::{self, MessageLocation};
use super::page::Page;
use super::{job, tracking};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::message::{MessageJob, TrackedMessage};
use crate::model::row::{JobRow, MessageNumber};

/// What to list.
#[derive(Debug, Default)]
pub struct MessageFilter {
    pub archived: bool,
    pub enqueued_after: Option<Timestamp>,
    pub event: Option<String>,
    pub list_id: Option<String>,
    pub message_id: Option<String>,
    pub notification: Option<String>,
    /// Any of these, as in the other lists. If it is empty, it filters nothing.
    pub providers: Vec<String>,
    pub recipient: Option<String>,
    pub statuses: Vec<String>,
    /// All of these.
    pub tags: Vec<String>,
    /// Any of these.
    pub any_tags: Vec<String>,
    pub tenant_id: Option<String>,
    pub trace_id: Option<String>,
}

impl MessageFilter {
    fn matches_job(&self, job: &MessageJob) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|it| Some(it) == found);
        job.is_archived == self.archived
            && is(&self.event, Some(job.event()))
            && is(&self.notification, Some(job.notification()))
            && is(&self.trace_id, Some(&job.trace_id))
            && self.tags.iter().all(|tag| job.tags.contains(tag))
            && (self.any_tags.is_empty() || self.any_tags.iter().any(|tag| job.tags.contains(tag)))
    }

    fn matches(&self, message: &TrackedMessage, job: &MessageJob) -> bool {
        let provider = |name: &String| message.stored.deliveries.iter().any(|it| it.provider.name() == name);
        let tenant_id = message.tenant_id.as_ref().or(job.tenant_id.as_ref());
        (self.providers.is_empty() || self.providers.iter().any(provider))
            && (self.list_id.is_none() || self.list_id == message.list_id)
            && (self.tenant_id.is_none() || self.tenant_id.as_ref() == tenant_id)
    }
}

/// How long a page may get, and how much work it may make.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    /// Messages on it.
    pub messages: usize,
    /// About as many bytes of text.
    pub bytes: usize,
    /// How much may be looked at. A message that SQL filters costs 1.
    pub scan_budget: i64,
}

/// What a range of messages costs, however short it is.
const RANGE_COST: i64 = 5;
/// What it costs to read a whole message, or what the messages of a job have in common.
const ROW_COST: i64 = 10;
/// Jobs that are kept in case more of their messages follow.
const CACHED_JOBS: usize = 16;

/// A message with its job.
pub type MessageWithJob = (TrackedMessage, Rc<MessageJob>);

/// Messages of an environment, the newest first: those up to the number `up_to`. No index serves the filter: messages
/// are searched from the newest on, and a page with few or no finds ends when the budget is spent.
pub fn list(
    db: &Db<'_>,
    environment: EnvironmentRow,
    filter: &MessageFilter,
    up_to: MessageNumber,
    limits: PageLimits,
) -> Result<Page<MessageWithJob, MessageNumber>> {
    // A message that is asked for by its id is not looked for.
    let wanted = match &filter.message_id {
        Some(message_id) => Some(message::find(db, environment, message_id)?.map_or(0, |location| location.number.0)),
        None => None,
    };
    let mut search = Search {
        db,
        environment,
        filter,
        limits,
        wanted,
        budget: limits.scan_budget,
        bytes: 0,
        jobs: HashMap::new(),
        dropped: job::dropping(db)?,
        found: Vec::new(),
    };
    let next = search.run(up_to)?;
    Ok(Page { items: search.found, next: next.map(MessageNumber) })
}

/// A search in progress.
struct Search<'a> {
    db: &'a Db<'a>,
    environment: EnvironmentRow,
    filter: &'a MessageFilter,
    limits: PageLimits,
    /// The number of the only message that can match.
    wanted: Option<i64>,
    /// What is left of the budget.
    budget: i64,
    /// How much text was found.
    bytes: usize,
    jobs: HashMap<JobRow, Rc<MessageJob>>,
    /// Jobs that are being dropped.
    dropped: HashSet<JobRow>,
    found: Vec<MessageWithJob>,
}

/// Messages of one job, of which numbers up to `last` are to be looked at.
struct Range {
    first: i64,
    last: i64,
    job: JobRow,
    first_seq: u64,
    created_at: Timestamp,
}

impl Search<'_> {
    /// Returns the number to go on from.
    fn run(&mut self, up_to: MessageNumber) -> Result<Option<i64>> {
        let mut ranges = self.db.conn.prepare_cached(
            "SELECT first_number, min(last_number, ?2), job, first_seq, created_at FROM message_ranges
             WHERE environment = ?1 AND first_number <= ?2 AND (?3 IS NULL OR created_at > ?3)
               AND (?4 IS NULL OR ?4 BETWEEN first_number AND last_number)
             ORDER BY first_number DESC",
        )?;
        let mut messages = self.db.conn.prepare_cached(&format!(
            "SELECT {} FROM messages WHERE number BETWEEN ?1 AND ?2
                 AND (?3 IS NULL OR recipient = ?3) AND (?4 = '[]' OR status IN (SELECT value FROM json_each(?4)))
             ORDER BY number DESC",
            message::COLUMNS
        ))?;
        let statuses = serde_json::to_string(&self.filter.statuses).unwrap_or_default();
        let enqueued_after = self.filter.enqueued_after.map(Timestamp::millis);
        let mut rows = ranges.query(params![self.environment, up_to, enqueued_after, self.wanted])?;
        while let Some(row) = rows.next()? {
            let range = Range {
                first: row.get(0)?,
                last: row.get(1)?,
                job: row.get(2)?,
                first_seq: row.get(3)?,
                created_at: Timestamp(row.get(4)?),
            };
            if self.budget <= 0 {
                return Ok(Some(range.last));
            }
            if let Some(next) = self.scan(&range, &mut messages, &statuses)? {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// Looks through a range. Returns the number to go on from if the page ends in it.
    fn scan(&mut self, range: &Range, messages: &mut Statement<'_>, statuses: &str) -> Result<Option<i64>> {
        self.budget -= RANGE_COST;
        if self.dropped.contains(&range.job) {
            return Ok(None);
        }
        let (low, high) = match self.wanted {
            Some(number) => (number.max(range.first), number.min(range.last)),
            None => (range.first.max(range.last - self.budget.max(0)), range.last),
        };
        let mut at = high;
        let mut rows = messages.query(params![low, high, self.filter.recipient, statuses])?;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            self.budget -= at - number;
            at = number;
            if self.budget <= 0 && number < high {
                return Ok(Some(number));
            }
            let job = self.job(range.job)?;
            if !self.filter.matches_job(&job) {
                return Ok(None);
            }
            self.budget -= ROW_COST;
            let location = self.location(range, number);
            let message = tracking::complete(self.db, &location, message::from_row(row)?)?;
            if !self.filter.matches(&message, &job) {
                continue;
            }
            if self.found.len() == self.limits.messages || self.bytes >= self.limits.bytes {
                return Ok(Some(number));
            }
            self.bytes += message.stored.bytes() + job.event().len() + job.notification().len();
            self.found.push((message, job));
        }
        self.budget -= at - low;
        Ok((self.wanted.is_none() && low > range.first).then_some(low - 1))
    }

    fn location(&self, range: &Range, number: i64) -> MessageLocation {
        MessageLocation {
            number: MessageNumber(number),
            job: range.job,
            environment: self.environment,
            seq: range.first_seq + number.abs_diff(range.first),
            created_at: range.created_at,
        }
    }

    fn job(&mut self, job: JobRow) -> Result<Rc<MessageJob>> {
        if let Some(known) = self.jobs.get(&job) {
            return Ok(known.clone());
        }
        self.budget -= ROW_COST;
        if self.jobs.len() == CACHED_JOBS {
            self.jobs.clear();
        }
        let found = Rc::new(tracking::get_job(self.db, job)?);
        self.jobs.insert(job, found.clone());
        Ok(found)
    }
}
