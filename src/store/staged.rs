//! Lists that are made beside those that are found: with all of their subscriptions, piece by piece, before one of them
//! takes the place of another in one small change.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::engine::bell::Bell;
use super::engine::{Db, Tx};
use super::subscription::Subscriber;
use super::{Lane, Store, SyncWhen, Undo, list, pieces, subscription};
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::ListRow;

/// The lists that threads are making. The file does not know: what a kill has left of one is removed like any other list
/// that was set aside.
#[derive(Clone, Default)]
pub struct StagedLists {
    lists: Arc<Mutex<HashSet<ListRow>>>,
    retention: Bell,
}

impl StagedLists {
    pub(in crate::store) fn new(retention: Bell) -> Self {
        StagedLists { lists: Arc::default(), retention }
    }

    pub(in crate::store) fn has(&self, list: ListRow) -> bool {
        self.lock().contains(&list)
    }

    fn hold(&self, list: ListRow) -> StagedList {
        self.lock().insert(list);
        StagedList { list, all: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<ListRow>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of these lists. If it is dropped before it has a place, retention removes it.
pub struct StagedList {
    list: ListRow,
    all: StagedLists,
}

impl Drop for StagedList {
    fn drop(&mut self) {
        self.all.lock().remove(&self.list);
        self.all.retention.ring();
    }
}

impl StagedList {
    /// Puts it in the place of the list with this id, if there is one.
    pub fn put(self, tx: &mut Tx<'_>, environment: EnvironmentRow, list_id: &str) -> Result<()> {
        list::put_in_place(tx, environment, list_id, self.list)
    }
}

/// Whether the users of a list are replaced in one piece, whatever is to be removed or added.
pub fn is_needless(db: &Db<'_>, list: Option<ListRow>, wanted: usize) -> Result<bool> {
    let present = match list {
        Some(list) => subscription::count_up_to(db, list, pieces::PIECE_ROWS + 1)?,
        None => 0,
    };
    Ok(wanted + present <= pieces::PIECE_ROWS)
}

/// Makes a list of these users, which nothing finds yet. Those who are on the list `before` have been on this one for as
/// long.
pub fn make(store: &Store, before: Option<ListRow>, subscribers: &Arc<Vec<Subscriber>>) -> Result<StagedList> {
    let staged = store.staged_lists().clone();
    // Held before it is committed, and let go if it is not.
    let held = write(store, move |tx| Ok(staged.hold(list::create_aside(tx)?)))?;
    let list = held.list;
    for piece in pieces::ranges(subscribers, subscription::text_bytes) {
        let subscribers = subscribers.clone();
        write(store, move |tx| subscription::put_new(tx, list, &subscribers[piece], before))?;
    }
    Ok(held)
}

/// With the change that comes of it this is on the disk.
fn write<T: Send + 'static>(
    store: &Store,
    change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    store.submit(Lane::Behind, SyncWhen::Later, Undo::Change, change).wait()
}
