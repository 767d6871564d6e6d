//! `Idempotency-Key` and `x-idempotency-expiration`.
//!
//! A key belongs to an environment, a method and a path. The first request that succeeds under it is stored with its
//! work. Later requests, and those that race it, get the same answer, whatever their body; the log warns if the body is
//! another. Refusals are not stored: a repeated request would be refused again.

use jiff::Span;
use sha2::{Digest, Sha256};

use super::call::{Answer, header};
use super::notes::Notes;
use crate::clock::Timestamp;
use crate::error::{Error, Result, shown};
use crate::findings::Check;
use crate::http::{self, Header, Request};
use crate::model::environment::EnvironmentRow;
use crate::settings::Contract;
use crate::store::{Db, Tx, idempotency};

const HOUR: i64 = 60 * 60 * 1000;
/// Courier's documentation says 24 hours in one place and 25 in another.
const DEFAULT_LIFE: i64 = 25 * HOUR;
const SHORTEST_LIFE: i64 = 24 * HOUR;
const LONGEST_LIFE: i64 = 366 * 24 * HOUR;
/// Clocks differ, and requests take time.
const SLACK: i64 = 5 * 60 * 1000;
/// Characters of a key.
pub const KEY_LIMIT: usize = 255;

const EXPIRATION: &str = "x-idempotency-expiration";

/// What makes a request happen once.
#[derive(Clone)]
pub struct Once {
    scope: idempotency::KeyScope,
    /// SHA-256 of the body, byte for byte: a client that repeats a request sends what it sent.
    request_hash: [u8; 32],
    expiration: Option<Expiration>,
    /// Whether an expiration that is too near or too far is moved to the nearest that is allowed: the OpenAPI's samples
    /// send a fixed one, which is past by now.
    nearest: bool,
    notes: Notes,
}

/// When a key is to expire.
#[derive(Clone, Debug)]
pub enum Expiration {
    At(Timestamp),
    In(Span),
}

/// The request's key, if it has one.
pub fn read(request: &Request, contract: Contract, notes: impl FnOnce() -> Notes) -> Result<Option<Once>> {
    // Courier's Ruby SDK spells it with an underscore.
    let names = ["idempotency-key", "idempotency_key"];
    let Some(name) = names.into_iter().find(|name| request.has_header(name)) else {
        return Ok(None);
    };
    let key = request.header(name).filter(|key| (1..=KEY_LIMIT).contains(&key.chars().count()));
    let key = key.ok_or_else(|| {
        Error::invalid("Idempotency-Key", format_args!("expected 1 to {KEY_LIMIT} characters of UTF-8"))
    })?;
    let expiration =
        header(request, EXPIRATION)?.filter(|value| !value.is_empty()).map(Expiration::parse).transpose()?;
    let endpoint = format!("{} {}", request.method(), request.path());
    let scope = idempotency::KeyScope { endpoint, key: key.to_owned() };
    let request_hash = Sha256::digest(&request.body).into();
    let nearest = contract == Contract::OpenApi;
    Ok(Some(Once { scope, request_hash, expiration, nearest, notes: notes() }))
}

impl Once {
    /// The answer, if it is known already. If not, the expiration must be one that a key can have.
    pub fn find(&self, db: &Db<'_>, environment: EnvironmentRow) -> Result<Option<Answer>> {
        // The answer comes first: a repeated request carries the same expiration, which may be too near by now.
        if let Some(stored) = idempotency::find(db, environment, &self.scope)? {
            if stored.request_hash.is_some_and(|hash| hash != self.request_hash) {
                let (endpoint, key) = (shown(&self.scope.endpoint), shown(&self.scope.key));
                self.notes.note(Check::KeyReused, (&self.scope.endpoint, &self.scope.key, self.request_hash), || {
                    format!(
                        "{endpoint} with the Idempotency-Key '{key}' has another body than before: nothing is done, and it \
                         is given the first answer again"
                    )
                });
            }
            return Ok(Some(Answer { replayed: true, ..Answer::new(stored.status, stored.body) }));
        }
        self.expires_at(db.now()).map(|_| None)
    }

    fn expires_at(&self, now: Timestamp) -> Result<Timestamp> {
        match &self.expiration {
            Some(expiration) if self.nearest => Ok(expiration.resolve_nearest(now)),
            Some(expiration) => expiration.resolve(now),
            None => Ok(Timestamp(now.millis() + DEFAULT_LIFE)),
        }
    }

    /// Keeps the answer for requests with the same key.
    pub fn keep(&self, tx: &mut Tx<'_>, environment: EnvironmentRow, answer: &Answer) -> Result<()> {
        let stored = idempotency::StoredAnswer {
            status: answer.status,
            body: answer.body.to_text(),
            request_hash: Some(self.request_hash),
        };
        idempotency::create(tx, environment, &self.scope, self.expires_at(tx.now())?, &stored)
    }
}

/// Tells a client that this is an earlier answer. Ours: Courier is not known to have such a header.
pub fn replayed() -> Header {
    http::header("X-Bulkd-Replayed", "true")
}

impl Expiration {
    /// Courier's sources give it as a number of seconds or milliseconds, as an ISO date with or without a zone, or as a
    /// duration such as `1 Day`.
    pub fn parse(value: &str) -> Result<Self> {
        let lower = value.to_ascii_lowercase();
        let span = || value.parse::<Span>().or_else(|_| lower.parse::<Span>()).ok().map(Expiration::In);
        Timestamp::parse(value).map(Expiration::At).or_else(span).ok_or_else(|| {
            Error::invalid(
                EXPIRATION,
                "expected epoch seconds or milliseconds, an ISO 8601 date, or a duration such as '1 Day'",
            )
        })
    }

    /// The moment that it means, if it is neither too near nor too far.
    pub fn resolve(&self, now: Timestamp) -> Result<Timestamp> {
        let life = self.life(now).filter(|life| (SHORTEST_LIFE - SLACK..=LONGEST_LIFE + SLACK).contains(life));
        let life =
            life.ok_or_else(|| Error::invalid(EXPIRATION, "expected a time between 24 hours and 1 year from now"))?;
        Ok(Timestamp(now.millis() + life))
    }

    /// The moment that it means, or the nearest to it that is neither too near nor too far.
    pub fn resolve_nearest(&self, now: Timestamp) -> Timestamp {
        let life = self.life(now).unwrap_or(LONGEST_LIFE);
        Timestamp(now.millis() + life.clamp(SHORTEST_LIFE, LONGEST_LIFE))
    }

    /// Milliseconds from `now` on, if there is such a time.
    fn life(&self, now: Timestamp) -> Option<i64> {
        let at = match self {
            Expiration::At(at) => *at,
            Expiration::In(span) => Timestamp::of_utc(now.utc().checked_add(*span).ok()?)?,
        };
        at.millis().checked_sub(now.millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000); // 2026-09-21T14:13:20Z
    const DAY: i64 = 24 * HOUR;

    fn life(value: &str) -> Result<i64> {
        Ok(Expiration::parse(value)?.resolve(NOW)?.millis() - NOW.millis())
    }

    #[test]
    fn expirations_are_taken_in_every_form_that_couriers_clients_send() {
        let cases = [
            ("1790172800", 2 * DAY),
            ("1790172800.5", 2 * DAY + 500),
            ("1790172800000", 2 * DAY),
            ("2026-09-23T14:13:20Z", 2 * DAY),
            ("2026-09-23T16:13:20+02:00", 2 * DAY),
            ("2026-09-23T16:13:20+0200", 2 * DAY),
            ("2026-09-23T14:13:20", 2 * DAY),
            ("2026-09-23T14:13:20.000000", 2 * DAY),
            ("2026-09-23 14:13:20", 2 * DAY),
            ("2026-09-24", 2 * DAY + 9 * HOUR + 46 * 60_000 + 40_000),
            ("1 Day", DAY),
            ("24 hours", DAY),
            ("36h", 36 * HOUR),
            ("2 Weeks", 14 * DAY),
            ("P7D", 7 * DAY),
            ("PT48H", 2 * DAY),
            ("1 Month", 30 * DAY),
            ("1 year", 365 * DAY),
        ];
        for (value, expected) in cases {
            assert_eq!(life(value).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn other_expirations_are_refused() {
        let cases = [
            "soon",
            "12",
            "1790000000",
            "-5",
            "1 hour",
            "23h",
            "2 years",
            "2036-09-23T14:13:20Z",
            "2026-09-21",
            "NaN",
            "inf",
            "1e300",
            "-1e300",
            "P",
            "9999999999 years",
            "tomorrow at noon",
        ];
        for value in cases {
            let error = life(value).unwrap_err().to_string();
            assert!(error.starts_with("x-idempotency-expiration: expected"), "{value}: {error}");
        }
    }
    #[test]
    fn the_nearest_expiration_is_taken_where_samples_are() {
        let cases = [
            ("1785312000", DAY),
            ("1 hour", DAY),
            ("1790172800", 2 * DAY),
            ("2 years", LONGEST_LIFE),
            ("1e300", LONGEST_LIFE),
        ];
        for (value, expected) in cases {
            let at = Expiration::parse(value).unwrap().resolve_nearest(NOW);
            assert_eq!(at.millis() - NOW.millis(), expected, "{value}");
        }
    }
}
