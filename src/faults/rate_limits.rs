//! Courier's documented limits of requests (`--rate-limits courier`), per environment and minute.
//!
//! From the reference's overview (courier.com/docs/reference/api-overview, 2026), which has limits for lists,
//! subscriptions and brands. Sends, jobs, messages, profiles and preferences have none. Older pages give 20 for brands
//! as well. How a minute is counted is not documented: here it begins with the first request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::http::Method;
use crate::model::environment::Environment;

/// A method and a route's path, and how many such requests a minute has.
pub const LIMITS: &[(Method, &str, u32)] = &[
    (Method::Post, "/lists/{list_id}/subscriptions", 20),
    (Method::Put, "/lists/{list_id}", 20),
    (Method::Put, "/brands/{brand_id}", 200),
];

const MINUTE_MILLIS: i64 = 60_000;
/// The most minutes that are counted at once. With more, those that are over are forgotten.
const WINDOWS: usize = 10_000;

/// Counts requests that are limited.
#[derive(Default)]
pub struct RateLimits {
    /// By environment and limit.
    windows: Mutex<HashMap<([u8; 32], usize), Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    begun: Timestamp,
    requests: u32,
}

impl Window {
    fn is_over(&self, now: Timestamp) -> bool {
        // After the clock was set back, a new minute begins.
        !(0..MINUTE_MILLIS).contains(&now.millis().saturating_sub(self.begun.millis()))
    }
}

impl RateLimits {
    /// Counts a request of a route. Beyond the limit: returns the limit, and how many seconds are left of the minute.
    pub fn count(&self, environment: &Environment, method: &Method, path: &str, now: Timestamp) -> Option<(u32, i64)> {
        let place = LIMITS.iter().position(|(of, route, _)| of == method && *route == path)?;
        let limit = LIMITS.get(place)?.2;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= WINDOWS {
            windows.retain(|_, window| !window.is_over(now));
        }
        let fresh = Window { begun: now, requests: 0 };
        let window = windows.entry((environment.key_hash, place)).or_insert(fresh);
        if window.is_over(now) {
            *window = fresh;
        }
        if window.requests >= limit {
            let left = window.begun.millis() + MINUTE_MILLIS - now.millis();
            return Some((limit, (left + 999) / 1000));
        }
        window.requests += 1;
        None
    }

    /// Forgets the counts of an environment.
    pub fn clear(&self, environment: &Environment) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|(key_hash, _), _| *key_hash != environment.key_hash);
    }
}
