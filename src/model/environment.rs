//! The environment that a request belongs to.

use sha2::{Digest, Sha256};

pub use super::row::EnvironmentRow;

/// What the keys for simulations begin with: nothing goes out under them.
pub const MOCK: &str = "mock_";

/// A bearer key names an environment of its own, in which everything that it makes lives. Only the key's hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// SHA-256 of the key.
    pub key_hash: [u8; 32],
    /// Which of Courier's prefixes the key has, if any.
    prefix: &'static str,
}

const PREFIXES: [&str; 6] = ["pk_prod_", "dk_prod_", "pk_test_", "dk_test_", "token_", MOCK];

impl Environment {
    pub fn of_key(key: &str) -> Self {
        Environment::of_hash(Sha256::digest(key.as_bytes()).into(), key)
    }

    /// The environment of a key that is not known any more; its label begins as the key did.
    pub fn of_hash(key_hash: [u8; 32], label: &str) -> Self {
        let prefix = PREFIXES.into_iter().find(|prefix| label.starts_with(prefix)).unwrap_or("key_");
        Environment { key_hash, prefix }
    }

    /// Whether messages are only simulated.
    pub fn is_simulation(&self) -> bool {
        self.prefix == MOCK
    }

    /// What logs call it: the key's prefix and 6 digits of its hash.
    pub fn label(&self) -> String {
        // By hand: a log has one in every line.
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut label = String::with_capacity(self.prefix.len() + 7);
        label.push_str(self.prefix);
        label.push('#');
        for byte in &self.key_hash[..3] {
            label.push(char::from(HEX[usize::from(byte >> 4)]));
            label.push(char::from(HEX[usize::from(byte & 15)]));
        }
        label
    }
}
