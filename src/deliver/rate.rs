//! How many messages a second: never more in any second of the daemon's clock.

use std::collections::VecDeque;

use crate::clock::Timestamp;

const SECOND_MILLIS: i64 = 1_000;

pub struct Rate {
    per_second: Option<usize>,
    /// When the last ones were sent, the oldest first.
    sent: VecDeque<Timestamp>,
}

impl Rate {
    pub fn new(per_second: Option<u32>) -> Self {
        Rate { per_second: per_second.and_then(|it| usize::try_from(it).ok()), sent: VecDeque::new() }
    }

    /// When the next message may be sent, if that is later than now.
    pub fn not_before(&mut self, now: Timestamp) -> Option<Timestamp> {
        let per_second = self.per_second?;
        // The clock was set back.
        self.sent.retain(|at| *at <= now);
        if self.sent.len() < per_second {
            return None;
        }
        let free_at = self.sent.get(self.sent.len() - per_second)?.after(SECOND_MILLIS);
        (free_at > now).then_some(free_at)
    }

    /// One is sent.
    pub fn spend(&mut self, now: Timestamp) {
        let Some(per_second) = self.per_second else { return };
        self.sent.push_back(now);
        while self.sent.len() > per_second {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_it_may() {
        let mut rate = Rate::new(Some(2));
        let mut at = |millis: i64| {
            let now = Timestamp(millis);
            let free_at = rate.not_before(now);
            if free_at.is_none() {
                rate.spend(now);
            }
            free_at.map(Timestamp::millis)
        };
        let asked = [0, 600, 700, 999, 1_000, 1_100, 1_600, 2_000, 0, 0, 0].map(&mut at);
        let expected = [None, None, Some(1_000), Some(1_000), None, Some(1_600), None, None, None, None, Some(1_000)];
        assert_eq!(asked, expected);
        assert_eq!(Rate::new(None).not_before(Timestamp(5)), None);
    }
}
