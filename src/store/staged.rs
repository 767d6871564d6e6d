//! Lists that are being made beside the ones that are found.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::engine::bell::Bell;
use crate::model::row::ListRow;

/// The lists that threads are making. The file does not know them: what a kill has left of one is removed like any list
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

    pub(in crate::store) fn hold(&self, list: ListRow) -> StagedList {
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
    pub(in crate::store) fn list(&self) -> ListRow {
        self.list
    }
}
