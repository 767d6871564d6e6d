//! What the log says once, however often it comes about.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;
use std::sync::{Mutex, PoisonError};

/// Notices that are known to have been given, in each of two generations. With more of them than that, the oldest are
/// forgotten and given again.
const REMEMBERED: usize = 10_000;

/// Remembers what was said.
#[derive(Default)]
pub struct Notices {
    hasher: RandomState,
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    new: HashSet<u64>,
    old: HashSet<u64>,
}

impl Notices {
    /// Whether this has not been said yet. From now on it has.
    pub fn is_new(&self, notice: impl Hash) -> bool {
        let hash = self.hasher.hash_one(notice);
        let Generations { new, old } = &mut *self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if new.contains(&hash) || old.contains(&hash) {
            return false;
        }
        if new.len() >= REMEMBERED {
            *old = mem::take(new);
        }
        new.insert(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_new_once_and_what_is_remembered_has_a_bound() {
        let notices = Notices::default();
        assert!(notices.is_new(("acme", "text/plain")));
        assert!(!notices.is_new(("acme", "text/plain")));
        assert!(notices.is_new(("globex", "text/plain")));
        for i in 0..5 * REMEMBERED {
            assert!(notices.is_new(i));
        }
        assert!(!notices.is_new(5 * REMEMBERED - 1));
        let generations = notices.generations.lock().unwrap();
        assert!(generations.new.len() <= REMEMBERED && generations.old.len() <= REMEMBERED);
    }
}
