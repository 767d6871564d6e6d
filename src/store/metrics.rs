//! Counts of messages by template.

use rusqlite::params;

use super::engine::{Db, rows};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::message_status::MessageStatus;

/// Messages of one commit with the same delivery.
pub struct Count {
    pub created_at: Timestamp,
    pub provider: String,
    pub channel: String,
    pub status: MessageStatus,
    /// Whether another delivery of the same messages came after this one.
    pub then_another_way: bool,
    pub count: u64,
}

/// What went out, or was refused, of the messages made with a template from `start` until before `end`.
pub fn count(
    db: &Db<'_>,
    environment: EnvironmentRow,
    template_id: &str,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Count>> {
    // No index leads from a template to its jobs: metrics may be slow, sends may not.
    let mut count = db.conn.prepare_cached(
        "WITH ranges AS MATERIALIZED (
             SELECT message_ranges.* FROM jobs CROSS JOIN message_ranges USING (job)
             WHERE jobs.template_version IN (
                 SELECT template_version FROM template_versions JOIN templates USING (template)
                 WHERE environment = ?1 AND template_id = ?2)
               AND jobs.dropped_at IS NULL
               AND message_ranges.created_at >= ?3 AND message_ranges.created_at < ?4)
         SELECT ranges.created_at, provider, channel, status, 0, count(*)
         FROM ranges CROSS JOIN messages ON number BETWEEN first_number AND last_number
         WHERE channel IS NOT NULL GROUP BY 1, 2, 3, 4
         UNION ALL
         SELECT ranges.created_at, provider, channel, status, position < 0, count(*)
         FROM ranges CROSS JOIN deliveries ON number BETWEEN first_number AND last_number
         GROUP BY 1, 2, 3, 4, 5",
    )?;
    let counts = count.query_map(params![environment, template_id, start.millis(), end.millis()], |row| {
        Ok(Count {
            created_at: Timestamp(row.get(0)?),
            provider: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
            channel: row.get(2)?,
            status: rows::name(row, 3, MessageStatus::from_name)?,
            then_another_way: row.get(4)?,
            count: row.get(5)?,
        })
    })?;
    Ok(counts.collect::<rusqlite::Result<_>>()?)
}
