//! The e-mails of an environment, the newest first.

use std::collections::HashMap;

use rusqlite::params;

use super::engine::Db;
use super::message;
use super::outbox::{self, OutboxMessage};
use super::plan;
use super::text_index::{Candidates, TextIndex};
use crate::error::Result;
use crate::model::email_headers::EmailHeaders;
use crate::model::environment::EnvironmentRow;
use crate::model::message_status::MessageStatus;
use crate::model::row::{JobRow, MessageNumber, TemplateVersion};

/// The statuses of a delivery that went out.
pub const WENT_OUT: [MessageStatus; 5] = [
    MessageStatus::Sent,
    MessageStatus::Delivered,
    MessageStatus::Opened,
    MessageStatus::Clicked,
    MessageStatus::Simulated,
];

/// The newest messages with an e-mail that went out, each with its job: those with numbers behind `behind` for which
/// `is_shown` is true, at most so many.
pub fn newest(
    db: &Db<'_>,
    environment: EnvironmentRow,
    behind: i64,
    count: usize,
    is_shown: impl Fn(MessageNumber) -> bool,
) -> Result<Vec<(MessageNumber, JobRow)>> {
    let went_out = WENT_OUT.map(|status| format!("'{}'", status.name())).join(", ");
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT messages.number, jobs.job
         FROM message_ranges CROSS JOIN jobs ON jobs.job = message_ranges.job
         CROSS JOIN messages
             ON messages.number BETWEEN max(message_ranges.first_number, ?2 + 1) AND message_ranges.last_number
         WHERE message_ranges.environment = ?1 AND jobs.dropped_at IS NULL AND message_ranges.last_number > ?2
           AND (messages.channel = 'email' AND messages.status IN ({went_out}) OR EXISTS (
               SELECT 1 FROM deliveries WHERE deliveries.number = messages.number AND deliveries.channel = 'email'
                   AND deliveries.status IN ({went_out})))
         ORDER BY message_ranges.first_number DESC, messages.number DESC"
    ))?;
    let mut rows = list.query(params![environment, behind])?;
    let mut newest = Vec::new();
    while newest.len() < count
        && let Some(row) = rows.next()?
    {
        let number = row.get(0)?;
        if is_shown(number) {
            newest.push((number, row.get(1)?));
        }
    }
    Ok(newest)
}

/// The message with this number.
pub fn at(db: &Db<'_>, number: MessageNumber) -> Result<Option<OutboxMessage>> {
    message::locate(db, number)?.map(|location| outbox::get(db, &location)).transpose()
}

/// The message there, if it is of this environment and has an e-mail.
pub fn get(db: &Db<'_>, environment: EnvironmentRow, message_id: &str) -> Result<Option<OutboxMessage>> {
    message::find(db, environment, message_id)?.map(|location| outbox::get(db, &location)).transpose()
}

/// The number of the last message of any environment.
pub fn last(db: &Db<'_>) -> Result<MessageNumber> {
    message::last_number(db)
}

/// Uses the [index of texts](TextIndex) to tell which e-mails need not be looked at for some words. The index knows
/// what is stored of an e-mail. So it tells nothing of one that an override, a brand or the headers of a template have
/// changed.
pub struct Sieve<'a> {
    db: &'a Db<'a>,
    candidates: Candidates<'a>,
    by_job: HashMap<JobRow, bool>,
    by_template: HashMap<TemplateVersion, bool>,
}

impl<'a> Sieve<'a> {
    /// For folded words, each of which must be in subject, text or address of an e-mail. From now on the index follows
    /// the environment.
    pub fn new(db: &'a Db<'a>, environment: EnvironmentRow, words: &[String]) -> Option<Self> {
        let index: &TextIndex = db.texts?;
        let candidates = Candidates::new(index, words);
        if !candidates.are_told() {
            return None;
        }
        index.follow(environment);
        Some(Sieve { db, candidates, by_job: HashMap::new(), by_template: HashMap::new() })
    }

    /// Whether the e-mail lacks one of the words.
    pub fn rules_out(&mut self, number: MessageNumber, job: JobRow) -> Result<bool> {
        Ok(self.candidates.next(number.0, number.0, 1).is_none() && self.is_plain(job)?)
    }

    /// Whether the e-mails of a job are exactly what is stored of each. If in doubt, they are not.
    fn is_plain(&mut self, job: JobRow) -> Result<bool> {
        if let Some(known) = self.by_job.get(&job) {
            return Ok(*known);
        }
        // Names may be written with escapes; those of letters are from \u0041 to \u007a.
        let mut find = self.db.conn.prepare_cached(
            "SELECT template_version, brand_version IS NULL
                 AND instr(definition, 'override') = 0 AND instr(definition, 'brand') = 0
                 AND instr(definition, '\\u004') = 0 AND instr(definition, '\\u005') = 0
                 AND instr(definition, '\\u006') = 0 AND instr(definition, '\\u007') = 0
             FROM jobs JOIN definitions USING (job) WHERE job = ?1",
        )?;
        let (template, is_plain): (Option<TemplateVersion>, bool) =
            find.query_row([job], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let is_plain = is_plain && template.map_or(Ok(true), |version| self.has_no_headers(version))?;
        self.by_job.insert(job, is_plain);
        Ok(is_plain)
    }

    fn has_no_headers(&mut self, version: TemplateVersion) -> Result<bool> {
        if let Some(known) = self.by_template.get(&version) {
            return Ok(*known);
        }
        let has_none = plan::headers_of(self.db, version)? == EmailHeaders::default();
        self.by_template.insert(version, has_none);
        Ok(has_none)
    }
}
