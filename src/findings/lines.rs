//! How many lines the log gets: repeated findings do not flood it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::checks::Check;

/// The most lines of one check within a span. Further ones are counted, and the first line of a later span gives their
/// number.
pub const LINES: u64 = 100;
pub const SPAN: Duration = Duration::from_secs(10);

/// The lines of each check.
#[derive(Default)]
pub struct Lines(Mutex<HashMap<Check, Span>>);

#[derive(Clone, Copy)]
struct Span {
    begun: Instant,
    lines: u64,
}

impl Lines {
    /// Whether there is room for a line, and how many were left out before it.
    pub fn take(&self, check: Check, now: Instant) -> Option<u64> {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let span = spans.entry(check).or_insert(Span { begun: now, lines: 0 });
        let mut left_out = 0;
        if now.saturating_duration_since(span.begun) >= SPAN {
            left_out = span.lines.saturating_sub(LINES);
            *span = Span { begun: now, lines: 0 };
        }
        span.lines += 1;
        (span.lines <= LINES).then_some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_a_span_is_counted_and_told_in_the_next_one() {
        let (lines, start) = (Lines::default(), Instant::now());
        for i in 0..LINES + 50 {
            let expected = (i < LINES).then_some(0);
            assert_eq!(lines.take(Check::NoEffect, start), expected, "{i}");
        }
        assert_eq!(lines.take(Check::NearLimit, start), Some(0));
        assert_eq!(lines.take(Check::NoEffect, start + SPAN), Some(50));
        assert_eq!(lines.take(Check::NoEffect, start + SPAN), Some(0));
    }
}
