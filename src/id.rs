//! The ids that people see.
//!
//! Jobs and messages have Courier's form, `1-<8 hex>-<24 hex>`. Its 8 digits are the epoch seconds (as in Courier's
//! samples). A recipient that was not named gets 21 url-safe characters, like those in Courier's SDK tests. Templates
//! and brands have a prefix and a ULID in lower case, as in the SDKs' samples.

use std::time::{Duration, UNIX_EPOCH};

use rand::RngExt;
use sha2::{Digest, Sha256};
use ulid::{Generator, Ulid};

use crate::clock::Timestamp;

const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// Characters of a generated recipient id.
pub const RECIPIENT_CHARS: usize = 21;

/// The recipient id for a text without a name: the same for the same text.
pub fn recipient_of(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(RECIPIENT_CHARS).map(|byte| char::from(URL_SAFE[usize::from(byte % 64)])).collect()
}

/// Makes ids: random ones, those that follow from a seed, or for tests countable ones.
pub enum Ids {
    Random(Generator),
    Sequential(u64),
    Seeded(SeededIds),
}

/// The source of ids that look random and are the same in every run.
pub struct SeededIds {
    seed: u64,
    last: u64,
}

impl SeededIds {
    /// The place of the next id, and its random part.
    fn next(&mut self, kind: &str) -> (u64, [u8; 32]) {
        self.last += 1;
        (self.last, Sha256::digest(format!("bulkd {kind} {} {}", self.seed, self.last)).into())
    }
}

/// So many bits of a seeded id count up, so that later ones sort after earlier ones of the same millisecond.
const COUNTED_BITS: u32 = 32;
/// So many ids, such as those of brands, can be made in one run without a row in the file.
const START_BITS: u32 = 16;

impl Ids {
    pub fn random() -> Self {
        Ids::Random(Generator::new())
    }

    /// Ids that count up after `last`: the same in every run.
    pub fn sequential(last: u64) -> Self {
        Ids::Sequential(last)
    }

    /// Ids that follow from a number and from what was made before.
    pub fn seeded(seed: u64) -> Self {
        Ids::Seeded(SeededIds { seed, last: 0 })
    }

    pub fn are_seeded(&self) -> bool {
        matches!(self, Ids::Seeded(_))
    }

    /// Begins behind the ids of a file in which so much was made, so that no id is made twice.
    pub fn begin_after(&mut self, made: u64) {
        if let Ids::Seeded(ids) = self {
            ids.last = made.wrapping_shl(START_BITS);
        }
    }

    /// A job id, later ones sorting after earlier ones: a ULID's 48 bits of time (seconds in the first 8 digits,
    /// milliseconds in the next 4) and its 80 random bits.
    pub fn job(&mut self, now: Timestamp) -> String {
        let ulid = self.ulid(now);
        let millis = ulid.timestamp_ms();
        format!("1-{:08x}-{:04x}{:020x}", (millis / 1000) as u32, millis % 1000, ulid.random())
    }

    /// A template id: `nt_` and 26 characters.
    pub fn template(&mut self, now: Timestamp) -> String {
        format!("nt_{}", self.ulid(now).to_string().to_ascii_lowercase())
    }

    /// A brand id: `bnd_` and 26 characters.
    pub fn brand(&mut self, now: Timestamp) -> String {
        format!("bnd_{}", self.ulid(now).to_string().to_ascii_lowercase())
    }

    fn ulid(&mut self, now: Timestamp) -> Ulid {
        let millis = now.millis().max(0) as u64;
        match self {
            Ids::Sequential(last) => {
                *last += 1;
                Ulid::from_parts(millis, u128::from(*last))
            }
            Ids::Seeded(ids) => {
                let (count, digest) = ids.next("id");
                let low = digest.iter().take(6).fold(0_u128, |low, byte| low << 8 | u128::from(*byte));
                let high = u128::from(count & ((1 << COUNTED_BITS) - 1));
                Ulid::from_parts(millis, high << (80 - COUNTED_BITS) | low)
            }
            Ids::Random(generator) => {
                match generator.generate_from_datetime(UNIX_EPOCH + Duration::from_millis(millis)) {
                    Ok(ulid) => ulid,
                    Err(overflow) => overflow.commit_overflow_random(),
                }
            }
        }
    }

    /// A recipient id for a user without one.
    pub fn recipient(&mut self) -> String {
        match self {
            Ids::Sequential(last) => {
                *last += 1;
                format!("generated-{last:011}")
            }
            Ids::Seeded(ids) => {
                let (_, digest) = ids.next("recipient");
                digest.iter().take(RECIPIENT_CHARS).map(|byte| char::from(URL_SAFE[usize::from(byte % 64)])).collect()
            }
            Ids::Random(_) => {
                let mut name = String::new();
                push_random_recipient(&mut name);
                name
            }
        }
    }

    /// Whether recipient ids are random, so that [`push_random_recipient`] can make them as well.
    pub fn are_random(&self) -> bool {
        matches!(self, Ids::Random(_))
    }

    /// The id of a webhook.
    pub fn webhook(&mut self) -> String {
        match self {
            Ids::Sequential(last) => {
                *last += 1;
                format!("wh_{last:026}")
            }
            Ids::Seeded(ids) => {
                let (_, digest) = ids.next("webhook");
                let random = digest.iter().take(16).fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
                format!("wh_{}", Ulid(random))
            }
            Ids::Random(_) => format!("wh_{}", Ulid::generate()),
        }
    }

    /// The part of all message ids that tells a file from others: 12 hex digits.
    pub fn message_tag(&mut self) -> String {
        match self {
            Ids::Sequential(_) => "0".repeat(12),
            Ids::Seeded(ids) => {
                let (_, digest) = ids.next("file");
                digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
            }
            Ids::Random(_) => format!("{:012x}", Ulid::generate().random() >> 32),
        }
    }
}

/// Appends a random recipient id.
pub fn push_random_recipient(into: &mut String) {
    let random: [u8; RECIPIENT_CHARS] = rand::rng().random();
    into.extend(random.map(|byte| char::from(URL_SAFE[usize::from(byte) % URL_SAFE.len()])));
}

/// A message id contains the number of its row, so that finding a message needs no index. The view `outbox` in
/// schema.sql builds the same form.
pub fn message(tag: &str, created_at: Timestamp, number: i64) -> String {
    format!("1-{:08x}-{tag}{number:012x}", created_at.seconds() as u32)
}

/// The row's number in a text of the form of a message id.
pub fn number_of_message(message_id: &str) -> Option<i64> {
    let digits = message_id.strip_prefix("1-")?.split_once('-')?.1;
    if digits.len() != 24 || !digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    i64::from_str_radix(digits.get(12..)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_id(id: &str) -> bool {
        let parts: Vec<&str> = id.split('-').collect();
        parts.len() == 3
            && parts[0] == "1"
            && (parts[1].len(), parts[2].len()) == (8, 24)
            && parts[1..].concat().bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }

    #[test]
    fn job_ids_have_couriers_shape_and_sort_by_time() {
        let mut ids = Ids::random();
        let made: Vec<String> = (0..1000).map(|i| ids.job(Timestamp(1_642_719_571_000 + i / 10 * 333))).collect();
        assert!(made.iter().all(|id| is_id(id)), "{made:?}");
        assert!(made.is_sorted_by(|a, b| a < b));
        assert!(made[0].starts_with("1-61e9e953-"));
    }

    #[test]
    fn seeded_ids_repeat_and_sort_and_go_on_behind_what_was_made() {
        let made = |seed, after| {
            let mut ids = Ids::seeded(seed);
            ids.begin_after(after);
            let jobs: Vec<String> = (0..100).map(|_| ids.job(Timestamp(1_642_719_571_000))).collect();
            (jobs, ids.recipient(), ids.webhook(), ids.message_tag())
        };
        let (jobs, recipient, webhook, tag) = made(7, 0);
        assert_eq!(made(7, 0), (jobs.clone(), recipient.clone(), webhook.clone(), tag.clone()));
        assert!(jobs.iter().all(|id| is_id(id)) && jobs.is_sorted_by(|a, b| a < b), "{jobs:?}");
        assert_eq!((recipient.len(), webhook.len(), tag.len()), (21, 29, 12));
        for (others, name, other, file) in [made(8, 0), made(7, 1)] {
            assert!(others.iter().all(|id| !jobs.contains(id)));
            assert!(name != recipient && other != webhook && file != tag);
        }
    }

    #[test]
    fn ids_of_templates_and_brands_have_couriers_shape() {
        let mut ids = Ids::random();
        for (id, prefix) in [(ids.template(Timestamp(1)), "nt_"), (ids.brand(Timestamp(1)), "bnd_")] {
            let ulid = id.strip_prefix(prefix).unwrap();
            assert_eq!(ulid.len(), 26);
            assert!(ulid.bytes().all(|b| b"0123456789abcdefghjkmnpqrstvwxyz".contains(&b)), "{id}");
        }
    }

    #[test]
    fn message_ids_have_couriers_shape_and_carry_their_number() {
        let tag = Ids::random().message_tag();
        let id = message(&tag, Timestamp(1_642_719_571_999), 0xabc);
        assert!(is_id(&id), "{id}");
        assert!(id.starts_with("1-61e9e953-") && id.ends_with("000000000abc"));
    }

    #[test]
    fn generated_recipients_are_21_url_safe_characters() {
        let recipient = Ids::random().recipient();
        assert_eq!(recipient.len(), 21);
        assert!(recipient.bytes().all(|b| URL_SAFE.contains(&b)));
    }
}
