//! `/_bulkd/reset`. Ours; Courier has nothing of the kind.

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use crate::error::Result;

/// `POST /_bulkd/reset`: 204. The environment is as new: empty, then seeded.
pub fn reset(call: Call<'_>) -> Result<Action> {
    let (seeder, lifecycle, bench) = (call.seeder.clone(), call.settings.lifecycle.clone(), call.settings.bench());
    let mailbox = call.settings.mailbox_state.clone();
    let is_of_mailbox = call.settings.mailbox.as_ref().is_some_and(|it| it.key_hash == call.environment.key_hash);
    Action::prepare(move |view| {
        let environment = view.environment().clone();
        let (snapshots, outcomes) = (view.store().snapshots().clone(), view.store().outcomes().clone());
        let hold = seeder.hold(&environment);
        let change = Change::new(ChangedEnvironment::Retired, move |tx, row| {
            seeder.reset(tx, &environment, row)?;
            outcomes.change(row, |rules| rules.0.clear());
            snapshots.forget(tx, row)?;
            lifecycle.forget(row);
            bench.clear(&environment);
            if is_of_mailbox {
                mailbox.forget_all();
            }
            Ok(Answer::new(204, ""))
        });
        Ok(change.holding(hold))
    })
}
