//! https: the certificate that `--tls` answers with, the authority that vouches for it, and what our own clients trust.
//! All of it is behind the feature `tls`.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod authority;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod server;

#[cfg(not(feature = "tls"))]
pub use absent::{Prepared, authority_certificate, prepare, trust};
#[cfg(feature = "tls")]
pub use authority::authority_certificate;
#[cfg(feature = "tls")]
pub use client::trust;
#[cfg(feature = "tls")]
pub use server::{Prepared, prepare};

/// More than any file of certificates has.
#[cfg(feature = "tls")]
const PEM_BYTES: u64 = 16 * 1024 * 1024;

/// The text of a file with certificates or keys. One that does not end is refused.
#[cfg(feature = "tls")]
pub fn read_pem(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;

    let mut text = Vec::new();
    std::fs::File::open(path)?.take(PEM_BYTES + 1).read_to_end(&mut text)?;
    match text.len() as u64 > PEM_BYTES {
        true => Err(std::io::Error::other(format!("it has more than {PEM_BYTES} bytes"))),
        false => Ok(text),
    }
}
