//! One chunk: users → rendered → outbox.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::notes;
use super::schedule::{Chunk, Run};
use crate::clock::Timestamp;
use crate::compose::Recipient;
use crate::error::{Error, Result};
use crate::findings::{Check, Findings, OUTCOMES};
use crate::model::rendered_batch::RenderedBatch;
use crate::model::stored_recipient::StoredRecipient;
use crate::store::recipient_lookup::RecipientLookup;
use crate::store::{Lane, Pending, Store, SyncWhen, Undo, run, user};

/// A part of a chunk is written after so much text, read or rendered: memory is bounded by bytes, not by users.
const PART_BYTES: usize = 1024 * 1024;

/// A part of a chunk that the writer has.
pub struct Part {
    pub run: Arc<Run>,
    /// Whether it ends the job.
    pub is_last: bool,
    written: Pending<()>,
}

impl Part {
    /// Waits until it is written.
    pub fn settle(self) -> Result<()> {
        self.written.wait()
    }
}

/// Renders the users of a chunk and hands the outcomes to the writer, each part in its turn. `submitted` takes the
/// parts, and decides how many of them the writer may have while the next one is rendered.
pub fn drain(
    store: &Store,
    findings: &Findings,
    chunk: &Chunk,
    stopping: impl Fn() -> bool,
    mut submitted: impl FnMut(Part),
) -> Result<()> {
    let (job, run) = (chunk.run.job, &chunk.run);
    let mut seq = chunk.users.start;
    let mut rendering = Duration::ZERO;
    while seq < chunk.users.end {
        if stopping() {
            return Err(Error::unavailable("bulkd is stopping"));
        }
        let begun = Instant::now();
        let outcomes = render(store, chunk, seq, &stopping)?;
        rendering += begun.elapsed();
        note(store, findings, run, &outcomes);
        let (first_seq, end) = (seq, seq + outcomes.len() as u64);
        if first_seq == end {
            return Err(Error::internal(format!("user {first_seq} of job {} is missing", run.job_id)));
        }
        // Until the job is over, a power cut only costs rendering again what was not synced yet.
        let sync = if run.ends_at(end) { SyncWhen::Now } else { SyncWhen::Later };
        let lane = if run.is_small() { Lane::Ahead } else { Lane::Behind };
        let written = run.in_turn(first_seq, end, || {
            store.submit(lane, sync, Undo::Change, move |tx| run::drain(tx, job, first_seq, &outcomes))
        });
        match written {
            Some(written) => submitted(Part { run: run.clone(), is_last: run.ends_at(end), written }),
            // The run was given up, which was logged with its reason.
            None => return Ok(()),
        }
        seq = end;
    }
    run.note_pace(seq - chunk.users.start, rendering);
    Ok(())
}

/// Notes what is found in the outcomes, once for each run.
fn note(store: &Store, findings: &Findings, run: &Run, outcomes: &RenderedBatch) {
    let job = format!("job {}", run.job_id);
    if outcomes.off_profile_addresses() > 0 && run.is_first_notice(Check::EmailOutsideProfile) {
        let what = format!(
            "{job}: users are reached by an address outside of their profile (such as to.email); \
             Courier may deliver only to one in `profile`"
        );
        notes::note(store, findings, run.environment, &run.request, (Check::EmailOutsideProfile, what));
    }
    for of in OUTCOMES.iter().filter(|of| run.looks_for(of.check)) {
        if let Some(what) = of.told(outcomes, &job).filter(|_| run.is_first_notice(of.check)) {
            notes::note(store, findings, run.environment, &run.request, (of.check, what));
        }
    }
}

/// Users with what is stored of them, read at one moment. Their texts share one buffer.
#[derive(Default)]
struct Users {
    text: String,
    rows: Vec<(Range<usize>, Range<usize>)>,
    /// Empty if the environment has nothing stored of users.
    known: Vec<StoredRecipient>,
    read_at: Timestamp,
}

/// Reads first and renders then: a slow text must not hold a read transaction.
fn render(store: &Store, chunk: &Chunk, from_seq: u64, stopping: impl Fn() -> bool) -> Result<RenderedBatch> {
    let users = read(store, chunk, from_seq)?;
    // Most messages are about as long as what they are made from.
    let mut outcomes = RenderedBatch::with_capacity(users.rows.len(), users.text.len());
    let nothing = StoredRecipient::default();
    for (i, (recipient, user)) in users.rows.iter().enumerate() {
        let known = users.known.get(i).unwrap_or(&nothing);
        let user = Recipient { recipient: &users.text[recipient.clone()], user: &users.text[user.clone()], known };
        chunk.run.renderer.render(user, users.read_at, false, &mut outcomes);
        if outcomes.bytes() >= PART_BYTES || stopping() {
            break;
        }
    }
    Ok(outcomes)
}

fn read(store: &Store, chunk: &Chunk, from_seq: u64) -> Result<Users> {
    let run = &chunk.run;
    let mut users = Users::default();
    store.read(|db| {
        users.read_at = db.now();
        let lookup = RecipientLookup::new(db, run.environment)?;
        let mut known_bytes = 0;
        user::for_each(db, run.job, from_seq..chunk.users.end, |_, recipient, user| {
            let start = users.text.len();
            users.text.push_str(recipient);
            let middle = users.text.len();
            users.text.push_str(user);
            users.rows.push((start..middle, middle..users.text.len()));
            if !lookup.is_empty() {
                let known = lookup.get(db, (recipient, user), run.renderer.subject())?;
                known_bytes += known.bytes();
                users.known.push(known);
            }
            Ok(users.text.len() + known_bytes < PART_BYTES)
        })
    })?;
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::compose::Renderer;

    use crate::model::bulk::JobKind;
    use crate::model::definition::{Definition, Reading};
    use crate::model::environment::Environment;
    use crate::model::resolved::ResolvedDefinition;
    use crate::settings::MessageSettings;
    use crate::store::ingest::{self, NewUsers};
    use crate::store::{environment, job, profile};

    #[test]
    fn a_part_is_bounded_by_what_is_stored_of_its_users_too() {
        const USERS: [&str; 4] = ["\"ada\"", "\"bob\"", "\"cy\"", "\"dan\""];
        let (store, threads) = Store::open_ephemeral(Clock::Manual(ManualClock::at(0)));
        let of = Environment::of_key("acme");
        let made = store.write(move |tx| {
            let row = environment::find_or_create(tx, &of)?;
            let profile = format!("{{\"large\":\"{}\"}}", "x".repeat(PART_BYTES / 2));
            USERS[..3].iter().try_for_each(|name| profile::replace(tx, row, name.trim_matches('"'), &profile))?;
            let job_id = job::create(tx, row, "{}")?;
            let mut users = NewUsers::read(USERS.join(" "), |users, add| {
                users.split(' ').for_each(|name| add(name, Some(name.trim_matches('"'))));
                Ok(())
            })?;
            ingest::ingest(tx, &job::get(tx, row, &job_id)?, &mut users)?;
            job::get(tx, row, &job_id)
        });
        let job = made.unwrap();
        let definition = Definition::read("{\"event\":\"e\"}", Reading::Lenient).unwrap();
        let renderer = Renderer::new(
            ResolvedDefinition::new(definition, JobKind::Bulk),
            MessageSettings::default(),
            Timestamp::default(),
        )
        .unwrap();
        let chunk = Chunk { run: Arc::new(Run::new(&job, renderer, String::new())), users: 0..4 };
        let users = |from_seq| read(&store, &chunk, from_seq).unwrap();
        assert_eq!(users(0).known.iter().map(StoredRecipient::bytes).collect::<Vec<_>>(), [PART_BYTES / 2 + 12; 2]);
        assert_eq!(users(2).known.iter().map(StoredRecipient::bytes).collect::<Vec<_>>(), [PART_BYTES / 2 + 12, 0]);
        assert_eq!((users(0).rows.len(), users(2).rows.len()), (2, 2));
        store.stop();
        threads.join();
    }
}
