//! When a failed attempt is repeated.

use std::time::Duration;

/// Before the second attempt, the third, and so on: Courier's schedule for webhooks.
const SECONDS: [i64; 9] = [5, 10, 20, 40, 60, 120, 240, 480, 720];

/// How long to wait after an attempt, with so many failures before it. `None` after the last one: it is given up.
pub fn wait_millis(failed_before: usize) -> Option<i64> {
    SECONDS.get(failed_before).map(|seconds| seconds * 1_000)
}

/// A step of a schedule in seconds, after so many steps. The last one repeats.
pub fn step(seconds: &[u64], steps_before: usize) -> Duration {
    Duration::from_secs(seconds.get(steps_before).or(seconds.last()).copied().unwrap_or_default())
}
