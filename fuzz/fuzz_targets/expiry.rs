#![no_main]

use bulkd::api::idempotency::Expiration;
use bulkd::clock::Timestamp;
use libfuzzer_sys::fuzz_target;

const HOUR: i64 = 60 * 60 * 1000;

fuzz_target!(|input: (&str, u32)| {
    let (text, seconds) = input;
    let now = Timestamp(i64::from(seconds) * 1000);
    match Expiration::parse(text).and_then(|expiration| expiration.resolve(now)) {
        Ok(at) => assert!((23 * HOUR..=367 * 24 * HOUR).contains(&(at.millis() - now.millis()))),
        Err(error) => assert!(error.public_message().starts_with("x-idempotency-expiration: expected ")),
    }
});
