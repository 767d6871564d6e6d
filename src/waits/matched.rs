//! The messages that a wait has counted.

use std::collections::BTreeMap;

use crate::model::row::MessageNumber;

/// The most runs of numbers that are remembered for one wait. With more, the wait begins again when one of its messages
/// changes.
const RUNS: usize = 10_000;

/// Numbers in runs, from the first to the last: the messages of a job that all count are one run.
#[derive(Debug, Default)]
pub struct Matched {
    runs: BTreeMap<i64, i64>,
    count: u64,
    /// Not all that were counted are remembered.
    is_partial: bool,
}

impl Matched {
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether it is known for each message whether it was counted.
    pub fn is_exact(&self) -> bool {
        !self.is_partial
    }

    pub fn contains(&self, number: MessageNumber) -> bool {
        self.runs.range(..=number.0).next_back().is_some_and(|(_, last)| *last >= number.0)
    }

    /// Counts a message that was not counted.
    pub fn add(&mut self, number: MessageNumber) {
        self.count += 1;
        let number = number.0;
        let before = self.runs.range(..number).next_back().map(|(first, last)| (*first, *last));
        let joins_before = before.filter(|(_, last)| last + 1 == number);
        let last = self.runs.remove(&(number + 1)).unwrap_or(number);
        match joins_before {
            Some((first, _)) => drop(self.runs.insert(first, last)),
            None if self.runs.len() < RUNS => drop(self.runs.insert(number, last)),
            None => self.is_partial = true,
        }
    }

    /// Removes one that was counted.
    pub fn remove(&mut self, number: MessageNumber) {
        let number = number.0;
        let Some((first, last)) = self.runs.range(..=number).next_back().map(|(first, last)| (*first, *last)) else {
            return;
        };
        if last < number {
            return;
        }
        self.count -= 1;
        self.runs.remove(&first);
        if first < number {
            self.runs.insert(first, number - 1);
        }
        if number < last {
            self.runs.insert(number + 1, last);
        }
    }

    /// Sets whether one is counted.
    pub fn set(&mut self, number: MessageNumber, is_counted: bool) {
        match (self.contains(number), is_counted) {
            (true, false) => self.remove(number),
            (false, true) => self.add(number),
            _ => {}
        }
    }

    /// The first of them, in their order.
    pub fn first(&self, count: usize) -> impl Iterator<Item = MessageNumber> {
        self.runs.iter().flat_map(|(first, last)| *first..=*last).take(count).map(MessageNumber)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_come_and_go_in_any_order() {
        let (mut matched, mut expected) = (Matched::default(), BTreeSet::new());
        let mut random = 7_u64;
        for _ in 0..5_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = (random >> 33) as i64 % 50;
            let is_there = expected.contains(&number);
            assert_eq!(matched.contains(MessageNumber(number)), is_there);
            match is_there {
                true => {
                    matched.remove(MessageNumber(number));
                    expected.remove(&number);
                }
                false => {
                    matched.add(MessageNumber(number));
                    expected.insert(number);
                }
            }
            assert_eq!(matched.count(), expected.len() as u64);
            let all: Vec<i64> = matched.first(100).map(|number| number.0).collect();
            assert_eq!(all, expected.iter().copied().collect::<Vec<_>>());
        }
        assert!(matched.is_exact());
    }
}
