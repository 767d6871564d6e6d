//! What a query and a change may use.

use std::ops::Deref;

use rusqlite::Connection;

use super::bell::Wakeups;
use super::recipients::Recipients;
use crate::clock::{Reading, Timestamp};
use crate::id::Ids;
use crate::store::outcome::Outcomes;
use crate::store::text_index::TextIndex;

/// A view of the file as it is at one moment.
pub struct Db<'a> {
    pub(in crate::store) conn: &'a Connection,
    pub(in crate::store) now: Timestamp,
    /// How messages end, where a test has set it.
    pub(in crate::store) outcomes: Option<&'a Outcomes>,
    /// The index of the texts of messages.
    pub(in crate::store) texts: Option<&'a TextIndex>,
}

impl<'a> Db<'a> {
    pub(in crate::store) fn new(conn: &'a Connection, now: Timestamp) -> Self {
        Db { conn, now, outcomes: None, texts: None }
    }

    pub(in crate::store) fn with_outcomes(self, outcomes: &'a Outcomes) -> Self {
        Db { outcomes: Some(outcomes), ..self }
    }

    pub(in crate::store) fn with_texts(self, texts: &'a TextIndex) -> Self {
        Db { texts: Some(texts), ..self }
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
    /// By how much the clock was set back until then.
    set_back_millis: i64,
    /// Bells to ring after the commit.
    pub(in crate::store) wakeups: Wakeups,
}

impl<'a> Tx<'a> {
    pub(in crate::store) fn new(
        conn: &'a Connection,
        clock: Reading,
        ids: &'a mut Ids,
        recipients: &'a mut Recipients,
    ) -> Self {
        let Reading { now, set_back_millis, .. } = clock;
        Tx { db: Db::new(conn, now), set_back_millis, ids, recipients, wakeups: Wakeups::default() }
    }

    /// By how much the clock was set back since the daemon's start, in total, at the time of this change.
    pub fn set_back_millis(&self) -> i64 {
        self.set_back_millis
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = Db<'a>;

    fn deref(&self) -> &Db<'a> {
        &self.db
    }
}
