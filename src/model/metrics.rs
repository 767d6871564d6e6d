//! What became of a template's messages, in buckets of time. All boundaries are in UTC.

use jiff::civil::{DateTime, Weekday};
use jiff::{Span, ToSpan};

use super::message_status::MessageStatus;
use super::names;
use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// Buckets in one answer.
const BUCKETS: usize = 1_000;
/// The period before now, unless the request gives one.
const LOOKBACK: &str = "P30D";

names! {
    /// The size of a bucket. Weeks begin on Sunday.
    Granularity {
        Hour = "HOUR",
        Day = "DAY",
        Week = "WEEK",
        Month = "MONTH",
    }
}

impl Granularity {
    /// The most days of a window with such buckets.
    fn longest(self) -> Option<i64> {
        match self {
            Granularity::Hour => Some(7),
            Granularity::Day => Some(90),
            Granularity::Week | Granularity::Month => None,
        }
    }

    fn span(self) -> Span {
        match self {
            Granularity::Hour => 1.hour(),
            Granularity::Day => 1.day(),
            Granularity::Week => 1.week(),
            Granularity::Month => 1.month(),
        }
    }

    /// Where the bucket of a moment begins.
    fn floor(self, at: DateTime) -> Option<DateTime> {
        let midnight = at.date().to_datetime(jiff::civil::Time::midnight());
        match self {
            Granularity::Hour => at.with().minute(0).second(0).subsec_nanosecond(0).build().ok(),
            Granularity::Day => Some(midnight),
            Granularity::Week => {
                let days = midnight.date().weekday().since(Weekday::Sunday);
                midnight.checked_sub(i64::from(days).days()).ok()
            }
            Granularity::Month => Some(midnight.first_of_month()),
        }
    }
}

/// The parameters of a request, as they were sent.
#[derive(Clone, Debug, Default)]
pub struct MetricsQuery {
    pub start: Option<String>,
    pub end: Option<String>,
    pub lookback: Option<String>,
    pub granularity: Option<String>,
}

/// A row of buckets.
#[derive(Debug, PartialEq, Eq)]
pub struct Window {
    pub granularity: Granularity,
    /// Where the buckets begin, and where the last one ends.
    pub boundaries: Vec<Timestamp>,
}

impl Window {
    /// The window that a request asks for, extended to whole buckets: `start` and `end` as ISO 8601 timestamps with an
    /// offset, or else `lookback` as an ISO 8601 duration until now.
    pub fn read(asked: &MetricsQuery, now: Timestamp) -> Result<Self> {
        let granularity = match asked.granularity.as_deref().map(str::to_ascii_uppercase) {
            None => Granularity::Day,
            Some(name) => Granularity::from_name(&name)
                .ok_or_else(|| Error::invalid("granularity", "expected HOUR, DAY, WEEK or MONTH"))?,
        };
        let (start, end) = match (&asked.start, &asked.end) {
            (Some(start), Some(end)) => (instant("start", start)?, instant("end", end)?),
            (None, None) => (back(now.utc(), asked.lookback.as_deref().unwrap_or(LOOKBACK))?, now.utc()),
            _ => return Err(Error::invalid("start", "expected together with 'end', or none of them")),
        };
        if start > end {
            return Err(Error::invalid("start", "expected a time before 'end'"));
        }
        if let Some(days) = granularity.longest()
            && start.checked_add(days.days()).is_ok_and(|longest| longest < end)
        {
            let name = granularity.name();
            return Err(Error::invalid(
                "granularity",
                format_args!("{name} covers at most {days} days; take a coarser one"),
            ));
        }
        let boundaries = boundaries(granularity, start, end)?;
        Ok(Window { granularity, boundaries })
    }
}

fn instant(name: &str, text: &str) -> Result<DateTime> {
    Timestamp::parse_with_offset(text).map(Timestamp::utc).ok_or_else(|| {
        Error::invalid(name, "expected an ISO 8601 timestamp with an offset, such as 2026-04-01T00:00:00Z")
    })
}

fn back(now: DateTime, lookback: &str) -> Result<DateTime> {
    let refused = || Error::invalid("lookback", "expected an ISO 8601 duration such as P30D");
    let span: Span =
        Some(lookback).filter(|it| it.starts_with('P')).and_then(|it| it.parse().ok()).ok_or_else(refused)?;
    let then = now.checked_sub(span).map_err(|_| refused())?;
    if then < now { Ok(then) } else { Err(refused()) }
}

fn boundaries(granularity: Granularity, start: DateTime, end: DateTime) -> Result<Vec<Timestamp>> {
    let too_far = || Error::invalid("start", "expected a time that is not as far away");
    let mut at = granularity.floor(start).ok_or_else(too_far)?;
    let mut boundaries = Vec::new();
    loop {
        boundaries.push(Timestamp::of_utc(at).ok_or_else(too_far)?);
        if at >= end {
            return Ok(boundaries);
        }
        if boundaries.len() > BUCKETS {
            return Err(Error::invalid(
                "granularity",
                format_args!("expected at most {BUCKETS} buckets; take a coarser one"),
            ));
        }
        at = at.checked_add(granularity.span()).map_err(|_| too_far())?;
    }
}

/// Messages of one provider and channel in one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funnel {
    pub sent: u64,
    pub delivered: u64,
    pub opened: u64,
    pub clicked: u64,
    pub errors: u64,
    pub undeliverable: u64,
}

impl Funnel {
    /// Counts messages that have got so far: what was opened was also delivered, and so on. What was refused and then
    /// went out another way counts as an error, but not as undeliverable.
    pub fn add(&mut self, status: MessageStatus, then_another_way: bool, count: u64) {
        use MessageStatus::*;
        let depth = match status {
            Sent => 1,
            Delivered => 2,
            Opened => 3,
            Clicked => 4,
            Undeliverable => {
                self.errors += count;
                self.undeliverable += if then_another_way { 0 } else { count };
                0
            }
            Simulated | Delayed | Canceled | Filtered | Unmapped | Unroutable => 0,
        };
        let stages = [&mut self.sent, &mut self.delivered, &mut self.opened, &mut self.clicked];
        stages.into_iter().take(depth).for_each(|stage| *stage += count);
    }
}
