//! Whom a request belongs to.

use sha2::{Digest, Sha256};

/// A bearer key names an environment of its own, in which everything that it makes lives. Only the key's hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// SHA-256 of the key.
    pub key_hash: [u8; 32],
    /// Which of Courier's prefixes the key has, if any.
    prefix: &'static str,
}

impl Environment {
    pub fn of_key(key: &str) -> Self {
        const PREFIXES: [&str; 5] = ["pk_prod_", "dk_prod_", "pk_test_", "dk_test_", "token_"];
        let prefix = PREFIXES.into_iter().find(|prefix| key.starts_with(prefix)).unwrap_or("key_");
        Environment { key_hash: Sha256::digest(key.as_bytes()).into(), prefix }
    }

    /// What logs call it: the key's prefix and 6 digits of its hash.
    pub fn label(&self) -> String {
        let [a, b, c, ..] = self.key_hash;
        format!("{}#{a:02x}{b:02x}{c:02x}", self.prefix)
    }
}
