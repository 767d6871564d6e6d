//! When messages go out.

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::json;

const LONGEST_MILLIS: f64 = 366.0 * 24.0 * 60.0 * 60.0 * 1000.0;

/// How long messages wait before they go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// For so many milliseconds.
    For(i64),
    Until(Timestamp),
}

impl Delay {
    /// Reads a `delay` at the path `at`. Opening hours are not supported. An empty delay counts as none.
    pub fn read(delay: &str, at: &str) -> Result<Option<Self>> {
        DelayFields::read(delay, at)?.check(at)
    }

    /// The same, but a delay that is not supported counts as none as well.
    pub fn read_leniently(delay: &str, at: &str) -> Result<Option<Self>> {
        Ok(DelayFields::read(delay, at)?.check(at).unwrap_or_default())
    }

    /// When a message made at `now` is due.
    pub fn due_at(self, now: Timestamp) -> Timestamp {
        match self {
            Delay::For(millis) => now.after(millis),
            Delay::Until(at) => at,
        }
    }
}

#[derive(Deserialize)]
struct DelayFields {
    #[serde(default)]
    duration: Option<f64>,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    timezone: Option<String>,
}

impl DelayFields {
    fn read(delay: &str, at: &str) -> Result<Self> {
        json::read(delay, || at.to_owned())
    }

    fn check(self, at: &str) -> Result<Option<Delay>> {
        match (self.duration, self.until) {
            (Some(millis), None) if (0.0..=LONGEST_MILLIS).contains(&millis) => Ok(Some(Delay::For(millis as i64))),
            (Some(_), None) => {
                Err(Error::invalid(format_args!("{at}.duration"), "expected milliseconds, up to a year"))
            }
            (_, Some(until)) => match Timestamp::parse_iso(&until, self.timezone.as_deref()) {
                Some(at) => Ok(Some(Delay::Until(at))),
                None if self.timezone.as_deref().is_some_and(|name| !Timestamp::knows_zone(name)) => {
                    Err(Error::invalid(
                        format_args!("{at}.timezone"),
                        "expected the name of a time zone, such as Europe/Paris",
                    ))
                }
                None => Err(Error::invalid(
                    format_args!("{at}.until"),
                    "expected an ISO 8601 date and time; opening hours are not supported",
                )),
            },
            (None, None) => Ok(None),
        }
    }
}
