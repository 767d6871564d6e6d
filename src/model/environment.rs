//! The environment that a request belongs to.

use sha2::{Digest, Sha256};

pub use super::row::EnvironmentRow;

/// The prefix of keys for simulations: nothing goes out with them.
pub const MOCK: &str = "mock_";

/// Each API key has an environment of its own, with everything that is made with the key. Only the key's hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// SHA-256 of the key.
    pub key_hash: [u8; 32],
    /// Which of Courier's prefixes the key has. Empty if it has none.
    prefix: &'static str,
}

/// Bytes of a key's hash in a handle.
pub const HANDLE_BYTES: usize = 6;

const PREFIXES: [&str; 6] = ["pk_prod_", "dk_prod_", "pk_test_", "dk_test_", "token_", MOCK];

impl Environment {
    pub fn of_key(key: &str) -> Self {
        Environment::of_hash(Sha256::digest(key.as_bytes()).into(), key)
    }

    /// The environment of a key that is not known any more. Its label begins as the key did.
    pub fn of_hash(key_hash: [u8; 32], label: &str) -> Self {
        let prefix = PREFIXES.into_iter().find(|prefix| label.starts_with(prefix)).unwrap_or("key_");
        Environment { key_hash, prefix }
    }

    /// Whether messages are only simulated.
    pub fn is_simulation(&self) -> bool {
        self.prefix == MOCK
    }

    /// The page's name for it where no key is known: more digits of the hash than a [label](Self::label) has, so that
    /// no two have the same.
    pub fn handle(&self) -> String {
        let digits: String = self.key_hash[..HANDLE_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}{digits}", self.prefix)
    }

    /// The beginning of the key's hash in a handle.
    pub fn hash_of_handle(handle: &str) -> Option<[u8; HANDLE_BYTES]> {
        let digits = handle.len().checked_sub(2 * HANDLE_BYTES).and_then(|at| handle.get(at..))?;
        let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        pairs.iter().map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
    }

    /// Its name in logs: the key's prefix and 6 digits of its hash.
    pub fn label(&self) -> String {
        // Written by hand: there is one in every line of a log.
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
