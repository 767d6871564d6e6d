//! Searches the outbox for words. What the [index](TextIndex) rules out is skipped, and all else is read. The index
//! learns of messages in their order, behind the commits.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rusqlite::{OptionalExtension, Row, params};

use super::engine::Db;
use super::message::{self, MessageLocation};
use super::outbox::{DeliveryFilter, Order, OutboxFilter, OutboxMessage, PageLimits};
use super::page::Page;
use super::text_index::{Candidates, Sign, Signer, TextIndex};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::fold::folded;
use crate::model::mailbox::Mailbox;
use crate::model::message::{StoredDelivery, StoredMessage};
use crate::model::row::{JobRow, MessageNumber};

/// The words to search for, folded: each must occur in subject, body, address or recipient. And how many messages are
/// looked at for one page.
pub struct Words {
    pub words: Vec<String>,
    pub looked_at: usize,
}

/// Numbers that belong to one job.
struct MessageRange {
    first: i64,
    last: i64,
    first_seq: i64,
    created_at: Timestamp,
    job: JobRow,
    job_id: String,
}

const RANGE: &str = "first_number, last_number, first_seq, message_ranges.created_at, jobs.job, job_id";

fn range(row: &Row<'_>) -> rusqlite::Result<MessageRange> {
    Ok(MessageRange {
        first: row.get(0)?,
        last: row.get(1)?,
        first_seq: row.get(2)?,
        created_at: Timestamp(row.get(3)?),
        job: row.get(4)?,
        job_id: row.get(5)?,
    })
}

/// The ranges in which a search looks.
enum Ranges {
    /// Those of one job, by their numbers.
    OfJob(Vec<MessageRange>),
    /// Those of the whole environment, looked up on the way.
    All,
}

/// Messages of an environment that have all of the words, in the order of commit, from either end: those with numbers
/// of this range, at most so many, and not much more than so many bytes of text. A page also ends when so many messages
/// were looked at.
pub fn list(
    db: &Db<'_>,
    environment: EnvironmentRow,
    (filter, words): (&OutboxFilter, &Words),
    (from, up_to): (MessageNumber, MessageNumber),
    order: Order,
    limits: PageLimits,
) -> Result<Page<OutboxMessage, MessageNumber>> {
    let nothing = TextIndex::default();
    let index = db.texts.unwrap_or(&nothing);
    let mut candidates = Candidates::new(index, &words.words);
    if candidates.are_told() {
        index.follow(environment);
    }
    let low = filter.number.map_or(from, |number| number.max(from)).0.max(1);
    let high = filter.number.map_or(up_to, |number| number.min(up_to)).min(message::last_number(db)?).0;
    let (mut at, to, step) = if order == Order::OldestFirst { (low, high, 1) } else { (high, low, -1) };
    let ranges = match &filter.job_id {
        Some(job_id) => Ranges::OfJob(ranges_of(db, environment, job_id)?),
        None => Ranges::All,
    };
    let mut rows = db.conn.prepare_cached(&format!(
        "SELECT {} FROM messages
         WHERE number BETWEEN ?1 AND ?2 AND (?3 IS NULL OR recipient = ?3)
           AND ((?4 IS NULL OR channel = ?4) AND (?5 IS NULL OR provider = ?5) AND (?6 IS NULL OR status = ?6)
               OR EXISTS (
                   SELECT 1 FROM deliveries WHERE deliveries.number = messages.number
                       AND (?4 IS NULL OR deliveries.channel = ?4) AND (?5 IS NULL OR deliveries.provider = ?5)
                       AND (?6 IS NULL OR deliveries.status = ?6)))
         ORDER BY number {}",
        message::COLUMNS,
        if step > 0 { "" } else { "DESC" }
    ))?;
    let DeliveryFilter { channel, provider, status } = &filter.delivery;
    let (mut found, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
    while let Some(next) = candidates.next(at, to, step) {
        let Some(range) = ranges.next(db, environment, next, step)? else { break };
        // Not all numbers are of this environment.
        if next < range.first || next > range.last {
            at = if step > 0 { range.first } else { range.last };
            looked_at += 1;
            continue;
        }
        let end = if step > 0 { range.last.min(to) } else { range.first.max(to) };
        let last = candidates.end_of_run(next, end, step);
        let run = params![next.min(last), next.max(last), filter.recipient, channel, provider, status];
        let mut rows = rows.query(run)?;
        while let Some(row) = rows.next()? {
            let row = message::from_row(row)?;
            let number = row.number;
            if found.len() == limits.messages || bytes >= limits.bytes || looked_at >= words.looked_at {
                return Ok(Page { items: found, next: Some(number) });
            }
            looked_at += 1;
            let location = MessageLocation {
                number,
                job: range.job,
                environment,
                seq: (range.first_seq + number.0 - range.first).unsigned_abs(),
                created_at: range.created_at,
            };
            let message = message::with_deliveries(db, &location, row)?;
            if has_words(&message, &words.words) {
                bytes += message.bytes();
                found.push(OutboxMessage { message, job: range.job, job_id: range.job_id.clone() });
            }
        }
        at = last + step;
    }
    Ok(Page { items: found, next: None })
}

/// Whether each of the words, folded, is in one of the message's texts.
fn has_words(message: &StoredMessage, words: &[String]) -> bool {
    let of_delivery =
        |it: &StoredDelivery| [it.subject.as_deref().unwrap_or_default(), &it.body, &it.address].map(folded);
    let texts = message.deliveries.iter().flat_map(of_delivery).chain([folded(&message.recipient)]);
    let texts: Vec<String> = texts.collect();
    words.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
}

fn ranges_of(db: &Db<'_>, environment: EnvironmentRow, job_id: &str) -> Result<Vec<MessageRange>> {
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {RANGE} FROM jobs CROSS JOIN message_ranges ON message_ranges.job = jobs.job
         WHERE jobs.job_id = ?1 AND jobs.environment = ?2 AND dropped_at IS NULL ORDER BY first_number"
    ))?;
    let ranges = list.query_map(params![job_id, environment], range)?;
    Ok(ranges.collect::<rusqlite::Result<_>>()?)
}

impl Ranges {
    /// The range that has this number, or the next one in this direction.
    fn next(&self, db: &Db<'_>, environment: EnvironmentRow, number: i64, step: i64) -> Result<Option<MessageRange>> {
        let ranges = match self {
            Ranges::OfJob(ranges) => ranges,
            Ranges::All => return of_environment(db, environment, number, step),
        };
        let place = match step {
            1.. => ranges.partition_point(|it| it.last < number),
            _ => match ranges.partition_point(|it| it.first <= number).checked_sub(1) {
                Some(place) => place,
                None => return Ok(None),
            },
        };
        Ok(ranges.get(place).map(|it| MessageRange { job_id: it.job_id.clone(), ..*it }))
    }
}

fn of_environment(db: &Db<'_>, environment: EnvironmentRow, number: i64, step: i64) -> Result<Option<MessageRange>> {
    let before = |number: i64| -> Result<Option<MessageRange>> {
        let mut before = db.conn.prepare_cached(&format!(
            "SELECT {RANGE} FROM message_ranges CROSS JOIN jobs ON jobs.job = message_ranges.job
             WHERE message_ranges.environment = ?1 AND first_number <= ?2 AND dropped_at IS NULL
             ORDER BY first_number DESC LIMIT 1"
        ))?;
        Ok(before.query_row(params![environment, number], range).optional()?)
    };
    let found = before(number)?;
    if step < 0 || found.as_ref().is_some_and(|it| it.last >= number) {
        return Ok(found);
    }
    let mut behind = db.conn.prepare_cached(&format!(
        "SELECT {RANGE} FROM message_ranges CROSS JOIN jobs ON jobs.job = message_ranges.job
         WHERE message_ranges.environment = ?1 AND first_number > ?2 AND dropped_at IS NULL
         ORDER BY first_number LIMIT 1"
    ))?;
    Ok(behind.query_row(params![environment, number], range).optional()?)
}

/// About how long the index learns at a time: the log cannot start over meanwhile.
const PIECE_TIME: Duration = Duration::from_millis(10);
/// And how many numbers at most.
const PIECE_NUMBERS: i64 = 4 * 1024;

/// Lets the index learn a piece of what it lacks, in environments in which clients search. False if there is nothing
/// more to learn, or no room for it.
pub fn learn(db: &Db<'_>, index: &TextIndex) -> Result<bool> {
    if index.is_full() {
        return Ok(false);
    }
    let last = message::last_number(db)?.0;
    for (environment, followed) in index.list_followed() {
        if followed.looked < last {
            let looked = learn_of(db, index, environment, followed.looked + 1)?.unwrap_or(last);
            index.set_looked(environment, followed.looked, looked);
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets what no search needs any more.
pub fn forget(db: &Db<'_>, index: &TextIndex) -> Result<()> {
    let followed = index.list_followed();
    let mut last = db.conn.prepare_cached(
        "SELECT last_number FROM message_ranges WHERE environment = ?1 AND first_number <= ?2
         ORDER BY first_number DESC LIMIT 1",
    )?;
    index.retain(|first_number, last_number| {
        for (environment, _) in &followed {
            let last: Option<i64> = last.query_row(params![environment, last_number], |row| row.get(0)).optional()?;
            if last.is_some_and(|last| last >= first_number) {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

/// Learns about the messages of an environment from a number on. Returns the last number that was looked at. `None`:
/// all were.
fn learn_of(db: &Db<'_>, index: &TextIndex, environment: EnvironmentRow, from: i64) -> Result<Option<i64>> {
    let begun = Instant::now();
    let (mut at, mut left, mut signer) = (from, PIECE_NUMBERS, Signer::new());
    loop {
        let Some(range) = of_environment(db, environment, at, 1)? else { return Ok(None) };
        at = at.max(range.first);
        match index.first_unknown(at, range.last) {
            None => at = range.last + 1,
            Some(first) => {
                let last = range.last.min(first + left - 1);
                let learnt = sign(db, (first, last), &mut signer, || begun.elapsed() >= PIECE_TIME)?;
                at = learnt.last().map_or(last, |(number, _)| *number) + 1;
                left -= learnt.len() as i64;
                index.put(&learnt);
            }
        }
        if left <= 0 || begun.elapsed() >= PIECE_TIME {
            return Ok(Some(at - 1));
        }
    }
}

/// An address as an e-mail shows it, if that is a different text: without quotes and comments, decoded, or in ASCII.
fn add_mailbox(signer: &mut Signer, address: &str) {
    let is_bare = address.is_ascii() && !address.contains(['<', '(', '"', '=', '\\']);
    if !is_bare && let Some(mailbox) = Mailbox::alone(address) {
        signer.add(&mailbox.email);
        mailbox.name.iter().for_each(|name| signer.add(name));
    }
}

/// What there is to know about these numbers of one range, or about the first of them if time runs out.
fn sign(
    db: &Db<'_>,
    (first, last): (i64, i64),
    signer: &mut Signer,
    is_over: impl Fn() -> bool,
) -> Result<Vec<(i64, Sign)>> {
    let between = params![first, last];
    // The texts of these may still change.
    let mut unsettled = db.conn.prepare_cached(
        "SELECT number FROM message_events WHERE number BETWEEN ?1 AND ?2
         UNION ALL SELECT number FROM delayed WHERE number BETWEEN ?1 AND ?2",
    )?;
    let unsettled = unsettled.query_map(between, |row| row.get(0))?;
    let unsettled: HashSet<i64> = unsettled.collect::<rusqlite::Result<_>>()?;
    let mut further: HashMap<i64, Vec<[Option<String>; 3]>> = HashMap::new();
    let mut deliveries = db
        .conn
        .prepare_cached("SELECT number, address, subject, body FROM deliveries WHERE number BETWEEN ?1 AND ?2")?;
    let mut rows = deliveries.query(between)?;
    while let Some(row) = rows.next()? {
        further.entry(row.get(0)?).or_default().push([row.get(1)?, row.get(2)?, row.get(3)?]);
    }
    let mut messages = db.conn.prepare_cached(
        "SELECT number, recipient, address, subject, body FROM messages WHERE number BETWEEN ?1 AND ?2 ORDER BY number",
    )?;
    let mut rows = messages.query(between)?;
    let (mut signs, mut next) = (Vec::new(), first);
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        signs.extend((next..number).map(|number| (number, Sign::Nothing)));
        next = number + 1;
        let sign = match unsettled.contains(&number) {
            true => Sign::Any,
            false => {
                for column in 1..5 {
                    if let Some(text) = row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)? {
                        signer.add(text);
                    }
                }
                if let Some(address) = row.get_ref(2)?.as_str_or_null().map_err(rusqlite::Error::from)? {
                    add_mailbox(signer, address);
                }
                for [address, subject, body] in further.get(&number).into_iter().flatten() {
                    [address, subject, body].into_iter().flatten().for_each(|text| signer.add(text));
                    address.iter().for_each(|address| add_mailbox(signer, address));
                }
                signer.sign()
            }
        };
        signs.push((number, sign));
        if is_over() {
            return Ok(signs);
        }
    }
    signs.extend((next..=last).map(|number| (number, Sign::Nothing)));
    Ok(signs)
}
