//! The users of jobs.

use std::sync::PoisonError;

use rusqlite::{OptionalExtension, params};

use super::outbox::MessageIds;
use super::recipients::{self, Set};
use super::{Db, Store, Tx, bulk, rows};
use crate::error::{Error, Result};
use crate::model::bulk::{Job, JobStatus, UserState};
use crate::model::environment::Environment;

/// Users of a job whose recipients take a moment to read.
const LARGE: u64 = 10_000;

/// Users to be ingested, still inside the body in which they came: a call of thousands is not copied user by user on
/// its way to the writer. They are kept as places in the body, since a struct cannot hold both a text and references
/// into it.
pub struct NewUsers {
    body: String,
    users: Vec<NewUser>,
}

struct NewUser {
    recipient: Recipient,
    user: (u32, u32),
}

enum Recipient {
    /// Named, and spelled in the body without an escape.
    Within {
        span: (u32, u32),
        hash: u32,
    },
    Apart {
        name: String,
        hash: u32,
    },
    /// Not named: it gets a name when it is inserted.
    Unnamed,
}

impl NewUsers {
    /// Takes the body apart into users; `read` calls its argument with each user's own text and its recipient, both of
    /// which have to lie within the body, and may fail.
    pub fn read(
        body: String,
        read: impl FnOnce(&str, &mut dyn FnMut(&str, Option<&str>)) -> Result<()>,
    ) -> Result<Self> {
        let span = |text: &str| -> Option<(u32, u32)> {
            let start = (text.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
            let end = start + text.len();
            (end <= body.len()).then_some((u32::try_from(start).ok()?, u32::try_from(end).ok()?))
        };
        let mut users = Vec::new();
        let mut lost = false;
        read(&body, &mut |user, recipient| {
            let recipient = match recipient {
                None => Recipient::Unnamed,
                Some(name) => {
                    let hash = recipients::hash(name);
                    match span(name) {
                        Some(span) => Recipient::Within { span, hash },
                        None => Recipient::Apart { name: name.to_owned(), hash },
                    }
                }
            };
            match span(user) {
                Some(user) => users.push(NewUser { recipient, user }),
                None => lost = true,
            }
        })?;
        if lost {
            return Err(Error::internal("a user outside of its body"));
        }
        Ok(NewUsers { body, users })
    }

    pub fn len(&self) -> usize {
        self.users.len()
    }

    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// A user as it was sent.
    pub fn user(&self, index: usize) -> &str {
        self.text(self.users[index].user)
    }

    fn text(&self, (start, end): (u32, u32)) -> &str {
        &self.body[start as usize..end as usize]
    }
}

/// Adds users to a job that was not run yet. Returns the indexes of those who are in it already, or twice in this call.
pub fn ingest(tx: &mut Tx<'_>, job: &Job, users: &mut NewUsers) -> Result<Vec<usize>> {
    let conn = tx.conn;
    let first_seq = job.received;
    let seq_of = |accepted: usize| {
        u32::try_from(first_seq + accepted as u64)
            .map_err(|_| Error::invalid("users", format_args!("a job holds at most {} users", u32::MAX)))
    };
    for user in users.users.iter_mut().filter(|user| matches!(user.recipient, Recipient::Unnamed)) {
        let name = tx.ids.recipient();
        user.recipient = Recipient::Apart { hash: recipients::hash(&name), name };
    }

    let mut accepted: Vec<(&str, &str)> = Vec::with_capacity(users.users.len());
    let mut duplicates = Vec::new();
    let now = tx.now();
    let load = |set: &mut Set| load_recipients(&Db::new(conn, now), job.job, set);
    let set = tx.recipients.of_job(job.job, &job.job_id, first_seq, load)?;
    for (index, user) in users.users.iter().enumerate() {
        let (recipient, hash) = match &user.recipient {
            Recipient::Within { span, hash } => (users.text(*span), *hash),
            Recipient::Apart { name, hash } => (name.as_str(), *hash),
            Recipient::Unnamed => return Err(Error::internal("a user without a name")),
        };
        let added = set.add(hash, seq_of(accepted.len())?, |seq| match u64::from(seq).checked_sub(first_seq) {
            Some(here) => Ok(accepted.get(here as usize).is_some_and(|(known, _)| *known == recipient)),
            None => is_recipient_at(conn, job.job, seq, recipient),
        })?;
        if added {
            accepted.push((recipient, users.text(user.user)));
        } else {
            duplicates.push(index);
        }
    }
    if accepted.is_empty() {
        return Ok(duplicates);
    }

    append(tx, job.job, first_seq, &accepted)?;
    Ok(duplicates)
}

/// A recipient and the user, as it was sent.
impl rows::Appended for (&str, &str) {
    const INSERT: &'static str = "INSERT INTO users (number, recipient, user)";
    const SHARED: usize = 0;
    const OWN: usize = 2;

    fn statements() -> &'static rows::Statements {
        static STATEMENTS: rows::Statements = rows::Statements::new();
        &STATEMENTS
    }

    fn shares(&self, _: &Self) -> bool {
        true
    }

    fn bind_shared(&self, _: &mut rows::Parameters<'_, '_>) -> rusqlite::Result<()> {
        Ok(())
    }

    fn bind_own(&self, row: &mut rows::Parameters<'_, '_>) -> rusqlite::Result<()> {
        row.bind(self.0)?;
        row.bind(self.1)
    }
}

/// Appends recipients and users, as they were sent, to a job that was not run yet and has `received` users.
fn append(tx: &Tx<'_>, job: i64, received: u64, users: &[(&str, &str)]) -> Result<()> {
    append_rows(tx, job, received, users)?;
    let mut count = tx.conn.prepare_cached(
        "UPDATE jobs SET received = received + ?2 WHERE job = ?1 AND status = 'CREATED' AND received = ?3",
    )?;
    if count.execute(params![job, users.len(), received])? != 1 {
        return Err(Error::internal("a job changed inside its own transaction"));
    }
    Ok(())
}

/// Appends recipients and users to a job that counts them itself.
pub(in crate::store) fn append_rows(tx: &Tx<'_>, job: i64, received: u64, users: &[(&str, &str)]) -> Result<()> {
    let first_number = append_range(tx.conn, job, received, users.len())?;
    rows::append(tx.conn, first_number, users)
}

/// Numbers for `count` users of a job: its last range goes on if no other job came in between. Returns the first of
/// them.
fn append_range(conn: &rusqlite::Connection, job: i64, first_seq: u64, count: usize) -> Result<i64> {
    let count = count as i64;
    let mut last = conn
        .prepare_cached("SELECT first_number, last_number, job FROM user_ranges ORDER BY first_number DESC LIMIT 1")?;
    let last: Option<(i64, i64, i64)> =
        last.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    match last {
        Some((first_number, last_number, owner)) if owner == job => {
            let mut extend = conn.prepare_cached("UPDATE user_ranges SET last_number = ?2 WHERE first_number = ?1")?;
            extend.execute(params![first_number, last_number + count])?;
            Ok(last_number + 1)
        }
        last => {
            let first_number = last.map_or(1, |(_, last_number, _)| last_number + 1);
            let mut insert = conn.prepare_cached(
                "INSERT INTO user_ranges (first_number, last_number, job, first_seq) VALUES (?1, ?2, ?3, ?4)",
            )?;
            insert.execute(params![first_number, first_number + count - 1, job, first_seq])?;
            Ok(first_number)
        }
    }
}

/// Makes ready for [`ingest`] what would keep the writer from everybody else: the recipients of a large job that it does
/// not have at hand.
pub fn prepare(store: &Store, environment: &Environment, job_id: &str) -> Result<()> {
    if store.at_hand.has(job_id) {
        return Ok(());
    }
    let job = store.read_for_request(|db| bulk::find(db, environment, job_id))?;
    let Some(job) = job.filter(|job| job.status == JobStatus::Created && job.received >= LARGE) else {
        return Ok(());
    };
    let _one = store.loading.lock().unwrap_or_else(PoisonError::into_inner);
    if store.at_hand.has(job_id) {
        return Ok(());
    }
    let mut set = Set::new(job_id);
    store.read_for_request(|db| load_recipients(db, job.job, &mut set))?;
    let (environment, job_id) = (environment.clone(), job_id.to_owned());
    store.write(move |tx| {
        // Once it was run nobody would drop the set.
        if let Some(job) = bulk::find(tx, &environment, &job_id)?.filter(|job| job.status == JobStatus::Created) {
            tx.recipients.offer(job.job, set);
        }
        Ok(())
    })
}

/// Adds who is not in the set yet.
fn load_recipients(db: &Db<'_>, job: i64, set: &mut Set) -> Result<()> {
    let mut recipients = db.conn.prepare_cached(&format!("SELECT {SEQ}, users.recipient {OF_JOB}"))?;
    let mut rows = recipients.query(params![job, set.len() as i64, i64::MAX])?;
    while let Some(row) = rows.next()? {
        let seq = u32::try_from(row.get::<_, u64>(0)?).map_err(|_| Error::internal("a job with too many users"))?;
        let recipient = row.get_ref(1).and_then(|text| Ok(text.as_str()?))?;
        set.add(recipients::hash(recipient), seq, |_| Ok(false))?;
    }
    Ok(())
}

fn is_recipient_at(conn: &rusqlite::Connection, job: i64, seq: u32, recipient: &str) -> Result<bool> {
    let mut at = conn.prepare_cached(
        "SELECT 1 FROM users WHERE recipient = ?3 AND number = (
             SELECT first_number + ?2 - first_seq FROM user_ranges
             WHERE job = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1)",
    )?;
    Ok(at.exists(params![job, seq, recipient])?)
}

/// The place of a user in its job.
const SEQ: &str = "user_ranges.first_seq + users.number - user_ranges.first_number";
/// The users of job `?1` from place `?2` on, at most `?3`.
const OF_JOB: &str = "FROM user_ranges
    JOIN users ON users.number BETWEEN
        max(user_ranges.first_number, user_ranges.first_number + ?2 - user_ranges.first_seq)
        AND user_ranges.last_number
    WHERE user_ranges.job = ?1 AND user_ranges.first_seq >= (
        SELECT coalesce(max(first_seq), 0) FROM user_ranges WHERE job = ?1 AND first_seq <= ?2)
    ORDER BY user_ranges.first_seq, users.number
    LIMIT ?3";

/// Calls `each` with place, recipient and text of the users of a job from `from_seq` on, at most `limit` of them, until
/// it returns false.
pub fn for_each(
    db: &Db<'_>,
    job: i64,
    from_seq: u64,
    limit: u64,
    mut each: impl FnMut(u64, &str, &str) -> Result<bool>,
) -> Result<()> {
    let mut users = db.conn.prepare_cached(&format!("SELECT {SEQ}, users.recipient, users.user {OF_JOB}"))?;
    let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut rows = users.query(params![job, clamp(from_seq), clamp(limit)])?;
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column).and_then(|text| Ok(text.as_str()?));
        if !each(row.get(0)?, text(1)?, text(2)?)? {
            break;
        }
    }
    Ok(())
}

/// Recipient and text of one user of a job.
pub fn get(db: &Db<'_>, job: i64, seq: u64) -> Result<(String, String)> {
    let mut user = None;
    for_each(db, job, seq, 1, |_, recipient, text| {
        user = Some((recipient.to_owned(), text.to_owned()));
        Ok(false)
    })?;
    user.ok_or_else(|| Error::unavailable("the database file is damaged: a user is missing"))
}

/// A user of a job with its state.
pub struct JobUser {
    pub seq: u64,
    pub recipient: String,
    /// As it was sent.
    pub user: String,
    pub state: UserState,
}

/// A page of a job's users in ingest order: from `from_seq` on, at most `limit`, and not much more than `bytes` of
/// text.
pub fn list(db: &Db<'_>, job: &Job, from_seq: u64, limit: u64, bytes: usize) -> Result<Vec<JobUser>> {
    let mut users: Vec<JobUser> = Vec::new();
    let mut read = 0;
    for_each(db, job.job, from_seq, limit, |seq, recipient, user| {
        read += recipient.len() + user.len();
        users.push(JobUser { seq, recipient: recipient.to_owned(), user: user.to_owned(), state: UserState::Pending });
        Ok(read < bytes)
    })?;
    let end = users.last().map_or(from_seq, |user| user.seq + 1);
    let message_ids = MessageIds::load(db, job.job, from_seq, end)?;
    let mut reasons = list_failures(db, job.job, from_seq, end)?.into_iter().peekable();
    for user in users.iter_mut().take_while(|user| user.seq < job.drained()) {
        user.state = match reasons.next_if(|(seq, _)| *seq == user.seq) {
            Some((_, reason)) => UserState::Error { reason },
            None => UserState::Enqueued { message_id: message_ids.of(user.seq)? },
        };
    }
    Ok(users)
}

fn list_failures(db: &Db<'_>, job: i64, from_seq: u64, end: u64) -> Result<Vec<(u64, String)>> {
    let mut list = db
        .conn
        .prepare_cached("SELECT seq, reason FROM failures WHERE job = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq")?;
    let reasons = list.query_map(params![job, from_seq as i64, end as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(reasons.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::id::Ids;
    use crate::settings::Durability;
    use crate::store::Options;

    /// Ingests so many recipients from `first` on, and returns how many were added.
    fn ingest_named(store: &Store, of: &Environment, job_id: &str, first: u64, count: u64) -> u64 {
        let body: Vec<String> = (first..first + count).map(|i| format!("user-{i}")).collect();
        let read = |body: &str, add: &mut dyn FnMut(&str, Option<&str>)| {
            body.split(' ').for_each(|name| add(name, Some(name)));
            Ok(())
        };
        let mut users = NewUsers::read(body.join(" "), read).unwrap();
        let (of, job_id) = (of.clone(), job_id.to_owned());
        let ingested = store.write(move |tx| {
            let job = bulk::get(tx, &of, &job_id)?;
            ingest(tx, &job, &mut users)
        });
        count - ingested.unwrap().len() as u64
    }

    #[test]
    fn a_set_made_beside_the_writer_is_taken_and_completed() {
        let clock = Clock::Manual(ManualClock::at(0));
        let options = Options { path: None, durability: Durability::Ephemeral, clock, ids: Ids::sequential(0) };
        let (store, threads) = Store::open(options).unwrap();
        let of = Environment::of_key("acme");
        let (create, forget) = (of.clone(), |job| {
            move |tx: &mut Tx<'_>| {
                tx.recipients.drop_job(job);
                Ok(())
            }
        });
        let job_id = store.write(move |tx| bulk::create(tx, &create, "{}")).unwrap();
        let job = store.read(|db| bulk::get(db, &of, &job_id)).unwrap().job;
        assert_eq!(ingest_named(&store, &of, &job_id, 0, LARGE - 1), LARGE - 1);
        assert!(store.at_hand.has(&job_id));

        // A small one is left to the writer.
        store.write(forget(job)).unwrap();
        prepare(&store, &of, &job_id).unwrap();
        assert!(!store.at_hand.has(&job_id));
        assert_eq!(ingest_named(&store, &of, &job_id, LARGE - 10, 20), 11);

        store.write(forget(job)).unwrap();
        prepare(&store, &of, &job_id).unwrap();
        assert!(store.at_hand.has(&job_id));
        assert_eq!(ingest_named(&store, &of, &job_id, LARGE, 20), 10);

        // Others may come while it is made.
        store.write(forget(job)).unwrap();
        let mut set = Set::new(&job_id);
        store.read(|db| load_recipients(db, job, &mut set)).unwrap();
        assert_eq!(ingest_named(&store, &of, &job_id, LARGE + 20, 10), 10);
        store.write(forget(job)).unwrap();
        let taken = store.write(move |tx| {
            tx.recipients.offer(job, set);
            Ok(())
        });
        taken.unwrap();
        assert_eq!(ingest_named(&store, &of, &job_id, 0, LARGE + 31), 1);
        store.stop();
        threads.join();
    }
}
