//! The recipients that are in a job already: a set in memory for each job that takes users.
//!
//! A unique index on random ids costs many times the insert itself, and more as it grows. The set costs about 20 bytes
//! a user and the same at any size. It holds 32 bits of each recipient's hash beside the place of its row, and a hit is
//! confirmed against the row, so that the answer is exact. It is only a cache of the table: it is made again from the
//! rows when it is missing, and dropped when the writer takes something back. One that is large and missing is made
//! beside the writer, which then only adds those that have come since.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::error::Result;
use crate::model::row::JobRow;

/// Jobs whose sets are kept; beyond that the one longest unused goes.
const CACHED_JOBS: usize = 512;
/// A table that grows moves all of its entries at once. Many small ones move a few at a time.
const SHARDS: usize = 64;

/// A hash of a recipient, different in every process, so that no client can choose ids that collide.
pub fn hash(recipient: &str) -> u32 {
    static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let hash = STATE.hash_one(recipient);
    (hash ^ (hash >> 32)) as u32
}

/// The sets of all jobs that take users.
#[derive(Default)]
pub struct Recipients {
    jobs: HashMap<JobRow, RecipientSet>,
    cached: CachedJobs,
    dirty: Vec<JobRow>,
    clock: u64,
}

/// The ids of the jobs whose sets the writer has: for these, no other thread has to read the recipients.
#[derive(Clone, Default)]
pub struct CachedJobs(Arc<Mutex<HashSet<String>>>);

impl CachedJobs {
    fn job_ids(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn has(&self, job_id: &str) -> bool {
        self.job_ids().contains(job_id)
    }
}

/// The recipients of one job, from its first user on.
pub struct RecipientSet {
    job_id: String,
    shards: Vec<HashTable<(u32, u32)>>,
    len: u64,
    used: u64,
}

impl RecipientSet {
    pub fn new(job_id: &str) -> Self {
        RecipientSet { job_id: job_id.to_owned(), shards: Vec::new(), len: 0, used: 0 }
    }

    /// How many users it knows.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Adds the recipient with this hash at this place, unless one of those with the same hash is the same one, which
    /// `same` tells from their place. Returns whether it was added.
    pub fn add(&mut self, hash: u32, seq: u32, mut same: impl FnMut(u32) -> Result<bool>) -> Result<bool> {
        if self.shards.is_empty() {
            self.shards.resize_with(SHARDS, HashTable::new);
        }
        let shard = &mut self.shards[hash as usize % SHARDS];
        let mut outcome = Ok(());
        let known = |&(other, at): &(u32, u32)| {
            other == hash
                && outcome.is_ok()
                && same(at).unwrap_or_else(|error| {
                    outcome = Err(error);
                    false
                })
        };
        let added = match shard.entry(spread(hash), known, |&(hash, _)| spread(hash)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert((hash, seq));
                true
            }
        };
        outcome?;
        self.len += u64::from(added);
        Ok(added)
    }
}

/// The table takes the place from the low bits of a 64-bit hash and a first comparison from the high ones.
fn spread(hash: u32) -> u64 {
    (u64::from(hash) / SHARDS as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}

impl Recipients {
    pub fn new(cached: CachedJobs) -> Self {
        Recipients { cached, ..Recipients::default() }
    }

    /// The set of a job that has `received` users; `load` adds those that it does not know yet. Until the end of the
    /// group it counts as dirty.
    pub fn of_job(
        &mut self,
        job: JobRow,
        job_id: &str,
        received: u64,
        load: impl FnOnce(&mut RecipientSet) -> Result<()>,
    ) -> Result<&mut RecipientSet> {
        self.clock += 1;
        self.dirty.push(job);
        if !self.jobs.contains_key(&job) {
            self.insert_if_absent(job, RecipientSet::new(job_id));
        }
        let set = self.jobs.entry(job).or_insert_with(|| RecipientSet::new(job_id));
        set.used = self.clock;
        if set.len < received {
            load(set)?;
        }
        Ok(set)
    }

    /// Takes a set that was made of what is committed, unless there is one.
    pub fn insert_if_absent(&mut self, job: JobRow, set: RecipientSet) {
        if self.jobs.contains_key(&job) {
            // A job of the same id in another environment may have dropped the mark that both share.
            self.cached.job_ids().insert(set.job_id);
            return;
        }
        self.make_room();
        self.cached.job_ids().insert(set.job_id.clone());
        self.jobs.insert(job, RecipientSet { used: self.clock, ..set });
    }

    pub fn has(&self, job: JobRow) -> bool {
        self.jobs.contains_key(&job)
    }

    /// Takes the set of a job that had no users, made of those that the group adds. Until its end it counts as dirty.
    pub fn insert_new(&mut self, job: JobRow, set: RecipientSet) {
        self.clock += 1;
        self.dirty.push(job);
        self.insert_if_absent(job, set);
    }

    /// A job that was run takes no more users.
    pub fn drop_job(&mut self, job: JobRow) {
        if let Some(set) = self.jobs.remove(&job) {
            self.cached.job_ids().remove(&set.job_id);
        }
    }

    fn make_room(&mut self) {
        if self.jobs.len() >= CACHED_JOBS
            && let Some(oldest) = self.jobs.iter().min_by_key(|(_, set)| set.used).map(|(job, _)| *job)
        {
            self.drop_job(oldest);
        }
    }

    /// How many sets the group has changed up to now, some perhaps twice.
    pub fn dirty(&self) -> usize {
        self.dirty.len()
    }

    /// What was changed since it was `from` many is undone in the file, and dropped here.
    pub fn rollback(&mut self, from: usize) {
        for job in self.dirty.split_off(from) {
            self.drop_job(job);
        }
    }

    /// What was changed is committed.
    pub fn commit(&mut self) {
        self.dirty.clear();
    }
}
