//! The time, as milliseconds since 1970 in UTC.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant in milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn millis(self) -> i64 {
        self.0
    }

    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The year, in UTC.
    pub fn year(self) -> i16 {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        jiff::tz::TimeZone::UTC.to_datetime(instant).year()
    }

    /// As ISO 8601 with milliseconds, as JavaScript writes it.
    pub fn iso(self) -> String {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }
}

/// Where the store takes its time from: the system, or a test.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    Manual(ManualClock),
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock that all others ask")]
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
            }
            Clock::Manual(clock) => Timestamp(clock.now.load(Ordering::SeqCst)),
        }
    }

    /// How long to wait for this moment at most, before looking at the clock again. One that a test moves says nothing
    /// of when it will be: whoever waits is rung by [`Clock::on_advance`].
    pub fn until(&self, at: Timestamp) -> Duration {
        const LONGEST: Duration = Duration::from_secs(60);
        match self {
            Clock::System => {
                let millis = at.millis().saturating_sub(self.now().millis());
                Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(LONGEST)
            }
            Clock::Manual(_) if at <= self.now() => Duration::ZERO,
            Clock::Manual(_) => LONGEST,
        }
    }

    /// Has `ring` called whenever a test moves the clock. The system's moves by itself, and calls nobody.
    pub fn on_advance(&self, ring: impl Fn() + Send + 'static) {
        if let Clock::Manual(clock) = self {
            clock.rings.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(ring));
        }
    }
}

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub struct ManualClock {
    now: Arc<AtomicI64>,
    rings: Arc<Mutex<Vec<Ring>>>,
}

type Ring = Box<dyn Fn() + Send>;

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now).finish()
    }
}

impl ManualClock {
    pub fn at(millis: i64) -> Self {
        ManualClock { now: Arc::new(AtomicI64::new(millis)), rings: Arc::default() }
    }

    /// Moves it, and wakes those who wait for a moment.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.rings.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|ring| ring());
    }
}
