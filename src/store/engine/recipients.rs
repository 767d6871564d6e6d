//! The recipients that are in a job already: a set in memory for each job that takes users.
//!
//! A unique index on random ids costs many times the insert itself, and more as it grows. The set costs about 20 bytes
//! a user, and the same time at any size. It holds 32 bits of each recipient's hash beside the place of its row. A hit
//! is confirmed against the row, so the answer is exact. The set is only a cache of the table: it is made again from
//! the rows when it is missing, and dropped when the writer rolls back. A large set that is missing is made beside the
//! writer, which then only adds what has come since. All sets together have a bound: beyond it the least recently used
//! go, except the last one used.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::error::Result;
use crate::model::row::JobRow;

/// Jobs whose sets are kept at most.
const CACHED_JOBS: usize = 512;
/// A growing table moves all of its entries at once. Many small ones move a few at a time.
const SHARDS: usize = 64;

/// A hash of a recipient, different in every process, so that no client can choose ids that collide.
pub fn hash(recipient: &str) -> u32 {
    static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let hash = STATE.hash_one(recipient);
    (hash ^ (hash >> 32)) as u32
}

/// The sets of all jobs that take users.
pub struct Recipients {
    jobs: HashMap<JobRow, RecipientSet>,
    /// What they take, as of the last commit,
    bytes: usize,
    /// and what they may take.
    most_bytes: usize,
    cached: CachedJobs,
    dirty: Vec<JobRow>,
    clock: u64,
}

/// The ids of the jobs whose sets the writer has: for these, no other thread has to read the recipients.
#[derive(Clone, Default)]
pub struct CachedJobs(Arc<CachedIds>);

#[derive(Default)]
struct CachedIds {
    job_ids: Mutex<HashSet<String>>,
    /// The sets that requests in progress need, and how many need each.
    wanted: Mutex<HashMap<String, usize>>,
}

impl CachedJobs {
    fn job_ids(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.job_ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn has(&self, job_id: &str) -> bool {
        self.job_ids().contains(job_id)
    }

    /// Keeps a job's set in memory: a request in progress would make the writer read it again.
    pub fn want(&self, job_id: &str) -> Wanted {
        *self.wanted().entry(job_id.to_owned()).or_default() += 1;
        Wanted { jobs: self.clone(), job_id: job_id.to_owned() }
    }
}

/// As long as this lives, a job's set stays.
pub struct Wanted {
    jobs: CachedJobs,
    job_id: String,
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let mut wanted = self.jobs.wanted();
        if let Some(count) = wanted.get_mut(&self.job_id) {
            *count -= 1;
            if *count == 0 {
                wanted.remove(&self.job_id);
            }
        }
    }
}

/// The recipients of one job, from its first user on.
pub struct RecipientSet {
    job_id: String,
    shards: Vec<HashTable<(u32, u32)>>,
    len: u64,
    used: u64,
    /// The bytes that it counts for.
    bytes: usize,
}

impl RecipientSet {
    pub fn new(job_id: &str) -> Self {
        RecipientSet { job_id: job_id.to_owned(), shards: Vec::new(), len: 0, used: 0, bytes: 0 }
    }

    fn allocated(&self) -> usize {
        self.shards.iter().map(HashTable::allocation_size).sum()
    }

    /// How many users it knows.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Adds the recipient with this hash at this place, unless it is the same as one with this hash, which `same` tells
    /// from the other's place. Returns whether it was added.
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

/// The table takes the place from the low bits of a 64-bit hash, and a first comparison from the high bits.
fn spread(hash: u32) -> u64 {
    (u64::from(hash) / SHARDS as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}

impl Recipients {
    /// Sets that take up to so many bytes together.
    pub fn new(cached: CachedJobs, most_bytes: usize) -> Self {
        Recipients { jobs: HashMap::new(), bytes: 0, most_bytes, cached, dirty: Vec::new(), clock: 0 }
    }

    /// The set of a job that has `received` users. `load` adds those that it lacks. Until the end of the group it
    /// counts as dirty.
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

    /// Adds a set that was made from committed rows, unless there is one.
    pub fn insert_if_absent(&mut self, job: JobRow, set: RecipientSet) {
        if self.jobs.contains_key(&job) {
            // A job with the same id in another environment may have removed the mark that both share.
            self.cached.job_ids().insert(set.job_id);
            return;
        }
        if self.jobs.len() >= CACHED_JOBS {
            self.drop_oldest();
        }
        self.clock += 1;
        self.cached.job_ids().insert(set.job_id.clone());
        self.jobs.insert(job, RecipientSet { used: self.clock, ..set });
        self.count(job);
    }

    fn count(&mut self, job: JobRow) {
        if let Some(set) = self.jobs.get_mut(&job) {
            let bytes = set.allocated();
            self.bytes = self.bytes - set.bytes + bytes;
            set.bytes = bytes;
        }
    }

    pub fn has(&self, job: JobRow) -> bool {
        self.jobs.contains_key(&job)
    }

    /// Adds the set of a job that had no users, made of those that the group adds. Until the end of the group it counts
    /// as dirty.
    pub fn insert_new(&mut self, job: JobRow, set: RecipientSet) {
        self.clock += 1;
        self.dirty.push(job);
        self.insert_if_absent(job, set);
    }

    /// A job that was run takes no more users.
    pub fn drop_job(&mut self, job: JobRow) {
        if let Some(set) = self.jobs.remove(&job) {
            self.bytes -= set.bytes;
            self.cached.job_ids().remove(&set.job_id);
        }
    }

    /// Drops the least recently used set of those that may go. The last one used may not.
    fn drop_oldest(&mut self) -> bool {
        let wanted = self.cached.wanted();
        let may_go = self.jobs.iter().filter(|(_, set)| set.used < self.clock && !wanted.contains_key(&set.job_id));
        let oldest = may_go.min_by_key(|(_, set)| set.used).map(|(job, _)| *job);
        drop(wanted);
        oldest.map(|oldest| self.drop_job(oldest)).is_some()
    }

    /// How many sets the group has changed up to now, some perhaps twice.
    pub fn dirty(&self) -> usize {
        self.dirty.len()
    }

    /// The file rolls back the changes since `from`. The sets that were changed are dropped.
    pub fn rollback(&mut self, from: usize) {
        for job in self.dirty.split_off(from) {
            self.drop_job(job);
        }
    }

    /// The changes are committed. A set that exceeds the bound alone stays as long as no other is used: otherwise each
    /// call would make it again.
    pub fn commit(&mut self) {
        for job in std::mem::take(&mut self.dirty) {
            self.count(job);
        }
        while self.bytes > self.most_bytes && self.drop_oldest() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has a job take so many more users.
    fn take(recipients: &mut Recipients, job: i64, count: u32) {
        let set = recipients.of_job(JobRow(job), &format!("job {job}"), 0, |_| Ok(())).unwrap();
        let first = set.len() as u32;
        for seq in first..first + count {
            assert!(set.add(hash(&format!("user {seq}")), seq, |_| Ok(false)).unwrap());
        }
        recipients.commit();
    }

    fn jobs(recipients: &Recipients) -> Vec<i64> {
        let mut jobs: Vec<i64> = recipients.jobs.keys().map(|job| job.0).collect();
        jobs.sort_unstable();
        let all: usize = recipients.jobs.values().map(RecipientSet::allocated).sum();
        assert_eq!((recipients.bytes, recipients.cached.job_ids().len()), (all, jobs.len()));
        jobs
    }

    #[test]
    fn sets_that_were_not_used_for_longest_make_room() {
        let mut recipients = Recipients::new(CachedJobs::default(), 800_000);
        (0..4).for_each(|job| take(&mut recipients, job, 10_000));
        assert_eq!(jobs(&recipients), [0, 1, 2, 3]);
        take(&mut recipients, 0, 1);
        take(&mut recipients, 4, 20_000);
        // The first was used again.
        assert_eq!(jobs(&recipients), [0, 2, 3, 4]);
        assert!(recipients.bytes <= 800_000);
        // One that is too large for all stays as long as it is the only one that is used.
        take(&mut recipients, 5, 200_000);
        take(&mut recipients, 5, 1);
        assert_eq!(jobs(&recipients), [5]);
        let cached = recipients.cached.clone();
        let wanted = (cached.want("job 5"), cached.want("job 5"));
        take(&mut recipients, 6, 1);
        drop(wanted.0);
        take(&mut recipients, 6, 1);
        assert_eq!(jobs(&recipients), [5, 6]);
        drop(wanted.1);
        take(&mut recipients, 6, 1);
        assert_eq!(jobs(&recipients), [6]);
        // What is undone counts for nothing, nor do jobs that were run.
        recipients.of_job(JobRow(7), "job 7", 0, |_| Ok(())).unwrap();
        recipients.rollback(0);
        recipients.drop_job(JobRow(6));
        assert_eq!(jobs(&recipients), [0; 0]);
        (0..2 * CACHED_JOBS as i64).for_each(|job| take(&mut recipients, job, 1));
        assert!(jobs(&recipients).len() <= CACHED_JOBS);
    }

    #[test]
    fn a_user_takes_some_twenty_bytes() {
        for count in [10_000, 100_000, 1_000_000] {
            let mut recipients = Recipients::new(CachedJobs::default(), usize::MAX);
            take(&mut recipients, 0, count);
            assert!((8..26).contains(&(recipients.bytes / count as usize)), "{count}: {}", recipients.bytes);
        }
    }
}
