//! A key that a target refuses is wrong with no message: the channel rests, and the refusals are counted apart from the
//! tries of a message. Only one whose refusals have another message accepted between them is refused for what it is.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::retry;

/// How long a channel rests after a refusal, after the next one, and so on; the last one repeats.
const REST_SECONDS: [u64; 7] = [5, 15, 60, 120, 300, 600, 900];
/// Messages whose refusals are remembered, at most.
const REMEMBERED: usize = 10_000;

/// The refusals of one channel. `M` is what its messages are known by.
pub struct RefusedKeys<M> {
    /// Messages that were accepted.
    accepted: u64,
    /// Refusals since then.
    refusals: usize,
    /// How many had been accepted when a message was last refused.
    of: HashMap<M, u64>,
}

impl<M> Default for RefusedKeys<M> {
    fn default() -> Self {
        RefusedKeys { accepted: 0, refusals: 0, of: HashMap::new() }
    }
}

impl<M: Eq + Hash> RefusedKeys<M> {
    /// The target has let in who sends here.
    pub fn accepted(&mut self) {
        self.accepted += 1;
        self.refusals = 0;
    }

    /// For a message the key was refused. Returns how long the channel rests for it; `None` if others were accepted since the
    /// message was refused before: then it is this one that the target does not take.
    pub fn refused(&mut self, message: M) -> Option<Duration> {
        if self.of.len() >= REMEMBERED {
            self.of.clear();
        }
        if self.of.insert(message, self.accepted).is_some_and(|before| before < self.accepted) {
            return None;
        }
        let rest = retry::step(&REST_SECONDS, self.refusals);
        self.refusals += 1;
        Some(rest)
    }

    /// Whether the key was refused for this message.
    pub fn is_of(&self, message: &M) -> bool {
        self.of.contains_key(message)
    }

    /// For how many messages it was refused.
    pub fn count(&self) -> usize {
        self.of.len()
    }

    /// A message has come to an end.
    pub fn forget(&mut self, message: &M) {
        self.of.remove(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_rests_for_longer_and_longer_until_something_is_accepted() {
        let mut keys = RefusedKeys::default();
        let mut seconds = |message: u8| keys.refused(message).map(|it| it.as_secs());
        assert_eq!([1, 2, 1, 2, 1, 2, 1, 2].map(&mut seconds), [5, 15, 60, 120, 300, 600, 900, 900].map(Some));
        keys.accepted();
        assert_eq!((keys.refused(1), keys.refused(3)), (None, Some(Duration::from_secs(5))));
        assert!(keys.is_of(&1));
        keys.forget(&1);
        assert!(!keys.is_of(&1));
        assert_eq!(keys.count(), 2);
    }
}
