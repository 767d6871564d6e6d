//! `/_bulkd/reset`. Ours; Courier has nothing of the kind.

use super::call::{Action, Answer, Call, Change};
use crate::error::Result;

/// `POST /_bulkd/reset`: 204. The environment is as new: empty, then seeded.
pub fn reset(call: Call<'_>) -> Result<Action> {
    let (seeder, environment) = (call.seeder.clone(), call.environment);
    Action::prepare(move |_| {
        let hold = seeder.hold(&environment);
        let change = Change::new(move |tx| {
            seeder.reset(tx, &environment)?;
            Ok(Answer::new(204, ""))
        });
        Ok(change.holding(hold))
    })
}
