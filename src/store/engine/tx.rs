//! What a query and a change may use.

use std::ops::Deref;

use rusqlite::Connection;

use super::bell::Wakeups;
use super::recipients::Recipients;
use crate::clock::Timestamp;
use crate::id::Ids;

/// A view of the file as it is at one moment.
pub struct Db<'a> {
    pub(in crate::store) conn: &'a Connection,
    pub(in crate::store) now: Timestamp,
}

impl<'a> Db<'a> {
    pub(in crate::store) fn new(conn: &'a Connection, now: Timestamp) -> Self {
        Db { conn, now }
    }

    /// The time of this query or change.
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

/// One change: everything that it does is committed together or not at all. Time and ids come from here.
pub struct Tx<'a> {
    db: Db<'a>,
    pub(in crate::store) ids: &'a mut Ids,
    pub(in crate::store) recipients: &'a mut Recipients,
    /// Bells to ring after the commit.
    pub(in crate::store) wakeups: Wakeups,
}

impl<'a> Tx<'a> {
    pub(in crate::store) fn new(
        conn: &'a Connection,
        now: Timestamp,
        ids: &'a mut Ids,
        recipients: &'a mut Recipients,
    ) -> Self {
        Tx { db: Db::new(conn, now), ids, recipients, wakeups: Wakeups::default() }
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = Db<'a>;

    fn deref(&self) -> &Db<'a> {
        &self.db
    }
}
