//! What was already logged.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;
use std::sync::{Mutex, PoisonError};

/// The most things that are remembered as logged, in each of two generations. Beyond that, the oldest are forgotten and
/// logged again.
const REMEMBERED: usize = 10_000;

/// Remembers what was logged about environments.
#[derive(Default)]
pub struct Remembered {
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    new: HashSet<u64>,
    old: HashSet<u64>,
    /// How often an environment was forgotten, by its hash.
    forgotten: HashMap<[u8; 32], u64>,
}

impl Remembered {
    /// Whether this is new for the environment. From now on it is not.
    pub fn is_new(&self, (key_hash, what, about): ([u8; 32], impl Hash, impl Hash)) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let times = state.forgotten.get(&key_hash).copied().unwrap_or(0);
        let hash = self.hasher.hash_one((key_hash, times, what, about));
        if state.new.contains(&hash) || state.old.contains(&hash) {
            return false;
        }
        if state.new.len() >= REMEMBERED {
            state.old = mem::take(&mut state.new);
        }
        state.new.insert(hash)
    }

    /// Forgets what was logged about an environment.
    pub fn forget(&self, key_hash: [u8; 32]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.forgotten.len() >= REMEMBERED {
            *state = State::default();
        }
        *state.forgotten.entry(key_hash).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_new_once_and_what_is_remembered_has_a_bound() {
        let remembered = Remembered::default();
        let (acme, globex) = ([1; 32], [2; 32]);
        assert!(remembered.is_new((acme, "type", "text/plain")));
        assert!(!remembered.is_new((acme, "type", "text/plain")));
        assert!(remembered.is_new((globex, "type", "text/plain")));
        remembered.forget(acme);
        assert!(remembered.is_new((acme, "type", "text/plain")));
        for i in 0..5 * REMEMBERED {
            assert!(remembered.is_new((acme, "number", i)));
        }
        assert!(!remembered.is_new((acme, "number", 5 * REMEMBERED - 1)));
        let state = remembered.state.lock().unwrap();
        assert!(state.new.len() <= REMEMBERED && state.old.len() <= REMEMBERED);
    }
}
