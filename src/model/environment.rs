//! Whom a request belongs to.

use sha2::{Digest, Sha256};

/// A bearer key names an environment of its own, in which everything that it makes lives. Only the key's hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// SHA-256 of the key.
    pub key_hash: [u8; 32],
    /// What logs call it: the key's kind, if it has one of Courier's prefixes, and 6 digits of its hash.
    pub label: String,
}

impl Environment {
    pub fn of_key(key: &str) -> Self {
        const PREFIXES: [&str; 5] = ["pk_prod_", "dk_prod_", "pk_test_", "dk_test_", "token_"];
        let key_hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let prefix = PREFIXES.into_iter().find(|prefix| key.starts_with(prefix)).unwrap_or("key_");
        let [a, b, c, ..] = key_hash;
        Environment { key_hash, label: format!("{prefix}#{a:02x}{b:02x}{c:02x}") }
    }
}
