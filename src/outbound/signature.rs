//! The signature of an event, as receivers check it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock::Timestamp;

/// The value of `courier-signature`: `t=<epoch ms>,signature=<hex>`, an HMAC-SHA256 over the time, a dot and the body.
/// Courier's prose leaves the dot out; its samples have it.
pub fn header(secret: &str, now: Timestamp, body: &str) -> String {
    let time = now.millis();
    let mut signature = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key may have any length");
    [time.to_string().as_str(), ".", body].iter().for_each(|part| signature.update(part.as_bytes()));
    let digits: String = signature.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},signature={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_signed_with_its_time() {
        // printf '1790000000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            header("secret", Timestamp(1_790_000_000_000), "{\"a\":1}"),
            "t=1790000000000,signature=5ca3972356346fbf201e414b09a9cc33a1e17cbf7dc67843e233ce9d27ea319f"
        );
    }
}
