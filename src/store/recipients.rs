//! Who is in a job already: a set in memory for each job that takes users.
//!
//! A unique index on random ids costs many times the insert itself, and more as it grows. The set costs about 20 bytes
//! a user and the same at any size. It holds 32 bits of each recipient's hash beside the place of its row, and a hit is
//! confirmed against the row, so that the answer is exact. It is only a cache of the table: it is made again from the
//! rows when it is missing, and dropped when the writer takes something back.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::error::Result;

/// Jobs whose sets are kept; beyond that the one longest unused goes.
const JOBS: usize = 512;
/// A table that grows moves all of its entries at once. Many small ones move a few at a time.
const SHARDS: usize = 64;

/// A hash of a recipient, different in every process, so that nobody can choose ids that collide.
pub fn hash(recipient: &str) -> u32 {
    static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let hash = STATE.hash_one(recipient);
    (hash ^ (hash >> 32)) as u32
}

/// The sets of all jobs that take users.
#[derive(Default)]
pub struct Recipients {
    jobs: HashMap<i64, Set>,
    touched: Vec<i64>,
    clock: u64,
}

/// The recipients of one job.
#[derive(Default)]
pub struct Set {
    shards: Vec<HashTable<(u32, u32)>>,
    used: u64,
}

impl Set {
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
        outcome.map(|()| added)
    }
}

/// The table takes the place from the low bits of a 64-bit hash and a first comparison from the high ones.
fn spread(hash: u32) -> u64 {
    (u64::from(hash) / SHARDS as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}

impl Recipients {
    /// The set of a job, made by `load` if it is not at hand. Until the end of the group it counts as touched.
    pub fn of_job(&mut self, job: i64, load: impl FnOnce(&mut Set) -> Result<()>) -> Result<&mut Set> {
        self.clock += 1;
        self.touched.push(job);
        if !self.jobs.contains_key(&job) {
            let mut set = Set::default();
            load(&mut set)?;
            self.make_room();
            self.jobs.insert(job, set);
        }
        let set = self.jobs.entry(job).or_default();
        set.used = self.clock;
        Ok(set)
    }

    /// A job that was run takes no more users.
    pub fn drop_job(&mut self, job: i64) {
        self.jobs.remove(&job);
    }

    fn make_room(&mut self) {
        if self.jobs.len() >= JOBS
            && let Some(oldest) = self.jobs.iter().min_by_key(|(_, set)| set.used).map(|(job, _)| *job)
        {
            self.jobs.remove(&oldest);
        }
    }

    /// How many sets the group has touched up to now, some perhaps twice.
    pub fn touched(&self) -> usize {
        self.touched.len()
    }

    /// What was touched since it was `from` many is taken back.
    pub fn forget_touched(&mut self, from: usize) {
        for job in self.touched.drain(from..) {
            self.jobs.remove(&job);
        }
    }

    /// What was touched is committed.
    pub fn keep_touched(&mut self) {
        self.touched.clear();
    }
}
