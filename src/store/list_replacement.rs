//! Replaces the users of a large list: a new list is made beside the one that is found, piece by piece, and takes its
//! place in one small change.

use std::sync::Arc;

use super::engine::{Db, Tx};
use super::staged::StagedList;
use super::subscription::Subscriber;
use super::{Lane, Store, SyncWhen, Undo, list, pieces, subscription};
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::ListRow;

/// Whether the users of a list can be replaced in one piece, whatever is removed or added.
pub fn is_needless(db: &Db<'_>, list: Option<ListRow>, wanted: usize) -> Result<bool> {
    let present = match list {
        Some(list) => subscription::count_up_to(db, list, pieces::PIECE_ROWS + 1)?,
        None => 0,
    };
    Ok(wanted + present <= pieces::PIECE_ROWS)
}

/// Makes a list of these users, which nothing finds yet. Users that are on the list `before` keep the time since which
/// they are on it.
pub fn make(store: &Store, before: Option<ListRow>, subscribers: &Arc<Vec<Subscriber>>) -> Result<StagedList> {
    let staged = store.staged_lists().clone();
    // Held before it is committed, and released if it is not.
    let held = write(store, move |tx| Ok(staged.hold(list::create_aside(tx)?)))?;
    let list = held.list();
    for piece in pieces::ranges(subscribers, subscription::text_bytes) {
        let subscribers = subscribers.clone();
        write(store, move |tx| subscription::put_new(tx, list, &subscribers[piece], before))?;
    }
    Ok(held)
}

/// Puts a list that was made in the place of the one with this id, if there is one.
pub fn put(tx: &mut Tx<'_>, environment: EnvironmentRow, list_id: &str, staged: &StagedList) -> Result<()> {
    list::put_in_place(tx, environment, list_id, staged.list())
}

/// This is on the disk together with the change that follows.
fn write<T: Send + 'static>(
    store: &Store,
    change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    store.submit(Lane::Behind, SyncWhen::Later, Undo::Change, change).wait()
}
