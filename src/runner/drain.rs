//! One chunk: users → rendered → outbox.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::schedule::Chunk;
use crate::error::{Error, Result};
use crate::model::outbox::Outcomes;
use crate::store::{Store, bulk, user};

/// Rendered text after which a part of a chunk is written, whatever its users: memory is bounded by bytes, not by heads.
const PART_BYTES: usize = 1024 * 1024;

/// Renders the users of a chunk and has the outcomes written, each part in its turn and only after the one before it.
pub fn drain(store: &Store, chunk: &Chunk, stopping: impl Fn() -> bool) -> Result<()> {
    let (job, run) = (chunk.run.job, &chunk.run);
    let mut seq = chunk.users.start;
    while seq < chunk.users.end {
        if stopping() && seq > chunk.users.start {
            return Err(Error::unavailable("bulkd is stopping"));
        }
        let outcomes = render(store, chunk, seq, &stopping)?;
        if outcomes.reached_outside_profile() > 0 && run.is_first_notice() {
            log::warn!(
                "job {}: users are reached by an address outside of their profile (such as to.email); \
                 Courier may deliver only to one in `profile`",
                run.job_id
            );
        }
        let (first_seq, end) = (seq, seq + outcomes.len() as u64);
        if first_seq == end {
            return Err(Error::internal(format!("user {first_seq} of job {} is missing", run.job_id)));
        }
        let submitted =
            run.in_turn(first_seq, end, || store.submit(move |tx| bulk::drain(tx, job, first_seq, &outcomes)));
        match submitted {
            Some(submitted) => submitted.wait()?,
            None => return Err(Error::unavailable("an earlier part of the job was not written")),
        }
        seq = end;
    }
    Ok(())
}

fn render(store: &Store, chunk: &Chunk, from_seq: u64, stopping: impl Fn() -> bool) -> Result<Outcomes> {
    let mut outcomes = Outcomes::default();
    store.read(|db| {
        user::for_each(db, chunk.run.job, from_seq, chunk.users.end - from_seq, |_, recipient, user| {
            let rendered = catch_unwind(AssertUnwindSafe(|| chunk.run.renderer.render(recipient, user, &mut outcomes)));
            if rendered.is_err() {
                log::error!("rendering a message for {recipient:?} panicked");
                outcomes.push_failure("bulkd could not render this message; its log on standard error says more");
            }
            Ok(outcomes.bytes() < PART_BYTES && !stopping())
        })
    })?;
    Ok(outcomes)
}
