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
