//! Environments that were reset: everything in one is removed piece by piece, and its own row is the last. Lists and
//! webhooks that were set aside are removed in the same way.

use rusqlite::{OptionalExtension, params};

use super::engine::{Db, Tx};
use super::environment::{self, NOTHING};
use super::retention::PIECE_ROWS;
use super::staged::StagedLists;
use super::webhook;
use crate::error::{Error, Result};
use crate::model::environment::EnvironmentRow;
use crate::model::row::{JobRow, ListRow, WebhookRow};

/// Rows with texts of up to some MiB that one commit removes.
const PIECE_TEXTS: usize = 4;

/// Takes everything from an environment: the row stays, under a hash that no key has, and the next use of the key makes
/// a new one. A running job ends without an error. Seeded ids are free at once, and nothing is posted any more. All
/// else is removed in pieces after the commit.
pub fn retire(tx: &mut Tx<'_>, row: EnvironmentRow) -> Result<()> {
    if row == NOTHING {
        return Ok(());
    }
    tx.conn.execute("DELETE FROM message_names WHERE environment = ?1", [row])?;
    webhook::set_all_aside(tx, row)?;
    let mut retire = tx.conn.prepare_cached(
        "UPDATE environments SET key_hash = CAST('retired ' || environment AS BLOB) WHERE environment = ?1",
    )?;
    match retire.execute([row])? {
        1 => {
            tx.wakeups.retention = true;
            Ok(())
        }
        _ => Err(Error::internal("an environment changed inside its own transaction")),
    }
}

/// The environments that are not completely removed yet.
pub fn list(db: &Db<'_>) -> Result<Vec<EnvironmentRow>> {
    let mut list = db.conn.prepare_cached(
        "SELECT environment FROM environments WHERE key_hash = CAST('retired ' || environment AS BLOB)
         ORDER BY environment",
    )?;
    Ok(list.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// Jobs of an environment that no thread works on, and whether it has others. A running job ends without an error.
pub fn jobs(db: &Db<'_>, environment: EnvironmentRow, limit: usize) -> Result<(Vec<JobRow>, bool)> {
    let mut list = db.conn.prepare_cached(
        "SELECT job FROM jobs WHERE environment = ?1 AND dropped_at IS NULL AND status <> 'PROCESSING' LIMIT ?2",
    )?;
    let jobs = list.query_map(params![environment, limit as i64], |row| row.get(0))?;
    let jobs = jobs.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut any = db.conn.prepare_cached("SELECT 1 FROM jobs WHERE environment = ?1 LIMIT 1")?;
    Ok((jobs, any.exists([environment])?))
}

/// What an environment has besides jobs. The order is one in which nothing that is removed is still referred to. At
/// most so many rows of a table are removed at a time.
const TABLES: [(&str, usize); 14] = [
    (
        "DELETE FROM deleted_profiles WHERE environment = ?1 AND user_id IN (
             SELECT user_id FROM deleted_profiles WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM profiles WHERE environment = ?1 AND user_id IN (
             SELECT user_id FROM profiles WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM profile_versions WHERE profile_version IN (
             SELECT profile_version FROM profile_versions WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM user_preferences WHERE environment = ?1 AND (user_id, tenant_id, topic_id) IN (
             SELECT user_id, tenant_id, topic_id FROM user_preferences WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM user_tokens WHERE environment = ?1 AND (user_id, token) IN (
             SELECT user_id, token FROM user_tokens WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM topics WHERE environment = ?1 AND topic_id IN (
             SELECT topic_id FROM topics WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM subscriptions WHERE (list, user_id) IN (
             SELECT subscriptions.list, user_id FROM lists CROSS JOIN subscriptions USING (list)
             WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    ("DELETE FROM lists WHERE list IN (SELECT list FROM lists WHERE environment = ?1 LIMIT ?2)", PIECE_ROWS),
    (
        "DELETE FROM template_checks WHERE (template, submission_id) IN (
             SELECT template_checks.template, submission_id FROM templates CROSS JOIN template_checks USING (template)
             WHERE environment = ?1 LIMIT ?2)",
        PIECE_TEXTS,
    ),
    (
        "DELETE FROM template_versions WHERE template_version IN (
             SELECT template_version FROM templates CROSS JOIN template_versions USING (template)
             WHERE environment = ?1 LIMIT ?2)",
        PIECE_TEXTS,
    ),
    (
        "DELETE FROM templates WHERE template IN (SELECT template FROM templates WHERE environment = ?1 LIMIT ?2)",
        PIECE_TEXTS,
    ),
    ("DELETE FROM brands WHERE brand IN (SELECT brand FROM brands WHERE environment = ?1 LIMIT ?2)", PIECE_ROWS),
    (
        "DELETE FROM brand_versions WHERE brand_version IN (
             SELECT brand_version FROM brand_versions WHERE environment = ?1 LIMIT ?2)",
        PIECE_TEXTS,
    ),
    (
        "DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys WHERE environment = ?1 LIMIT ?2)",
        PIECE_TEXTS,
    ),
];

/// Removes a piece of an environment that has no jobs any more. When nothing is left, removes the environment itself.
pub fn drop_piece(tx: &mut Tx<'_>, environment: EnvironmentRow) -> Result<()> {
    for (rows, limit) in TABLES {
        if tx.conn.prepare_cached(rows)?.execute(params![environment, limit as i64])? > 0 {
            return Ok(());
        }
    }
    drop_row(tx, environment)
}

fn drop_row(tx: &mut Tx<'_>, environment: EnvironmentRow) -> Result<()> {
    tx.conn.execute("UPDATE file SET dropped_environment = max(dropped_environment, ?1)", [environment])?;
    tx.conn.execute("DELETE FROM environments WHERE environment = ?1", [environment])?;
    Ok(())
}

/// What is removed next of what was set aside.
enum NextAside {
    Webhook(WebhookRow),
    List(ListRow),
    /// Nothing is left: the row of the environment itself.
    Environment(EnvironmentRow),
}

/// A list that is being made stays, and so does the environment meanwhile.
fn next_aside(db: &Db<'_>, staged: &StagedLists) -> Result<Option<NextAside>> {
    let Some(aside) = environment::find_aside(db)? else { return Ok(None) };
    let mut webhook = db.conn.prepare_cached("SELECT webhook FROM webhooks WHERE environment = ?1 LIMIT 1")?;
    if let Some(webhook) = webhook.query_row([aside], |row| row.get(0)).optional()? {
        return Ok(Some(NextAside::Webhook(webhook)));
    }
    let mut lists = db.conn.prepare_cached("SELECT list FROM lists WHERE environment = ?1")?;
    let (mut lists, mut is_empty) = (lists.query([aside])?, true);
    while let Some(row) = lists.next()? {
        let list = row.get(0)?;
        if !staged.has(list) {
            return Ok(Some(NextAside::List(list)));
        }
        is_empty = false;
    }
    Ok(is_empty.then_some(NextAside::Environment(aside)))
}

/// Whether something is set aside.
pub fn is_any_aside(db: &Db<'_>, staged: &StagedLists) -> Result<bool> {
    Ok(next_aside(db, staged)?.is_some())
}

/// Removes a piece of a webhook or list that was set aside. When nothing is left of it, removes its own row.
pub fn drop_aside(tx: &mut Tx<'_>, staged: &StagedLists) -> Result<()> {
    match next_aside(tx, staged)? {
        Some(NextAside::Webhook(webhook)) => drop_rows(
            tx,
            "DELETE FROM webhook_events WHERE webhook_event IN (
                 SELECT webhook_event FROM webhook_events WHERE webhook = ?1 LIMIT ?2)",
            "DELETE FROM webhooks WHERE webhook = ?1",
            webhook.0,
        ),
        Some(NextAside::List(list)) => drop_rows(
            tx,
            "DELETE FROM subscriptions WHERE list = ?1 AND user_id IN (
                 SELECT user_id FROM subscriptions WHERE list = ?1 LIMIT ?2)",
            "DELETE FROM lists WHERE list = ?1",
            list.0,
        ),
        Some(NextAside::Environment(aside)) => drop_row(tx, aside),
        None => Ok(()),
    }
}

fn drop_rows(tx: &mut Tx<'_>, rows: &str, whole: &str, of: i64) -> Result<()> {
    if tx.conn.prepare_cached(rows)?.execute(params![of, PIECE_ROWS as i64])? < PIECE_ROWS {
        tx.conn.prepare_cached(whole)?.execute([of])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::model::environment::Environment;
    use crate::store::environment::View;
    use crate::store::{Store, list};

    #[test]
    fn what_is_written_ahead_goes_with_an_environment_that_is_reset_meanwhile() {
        let (store, threads) = Store::open_ephemeral(Clock::Manual(ManualClock::at(0)));
        let of = Environment::of_key("acme");
        let view = View::new(&store, &of);
        let put = |view: &View<'_>, list_id: &'static str| {
            view.write(move |tx, row| list::find_or_create(tx, row, list_id).map(|_| ())).unwrap()
        };
        let row = put(&view, "first");
        assert_eq!(put(&view, "second"), row);
        store.write(move |tx| retire(tx, row)).unwrap();
        assert_eq!(put(&view, "third"), row);
        let lists = |row| store.read(|db| list::list(db, row, None, None, 10, 1000)).unwrap().items.len();
        assert_eq!(lists(row), 2);
        // Also if nothing of it is left.
        store.write(move |tx| drop_piece(tx, row)).unwrap();
        store.write(move |tx| drop_piece(tx, row)).unwrap();
        assert_eq!(put(&view, "fourth"), row);
        assert_eq!(lists(row), 0);
        let anew = put(&View::new(&store, &of), "fifth");
        assert!(anew != row && lists(anew) == 1);
        store.stop();
        threads.join();
    }
}
