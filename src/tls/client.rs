//! Whom a client of ours trusts.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::{Error, Result};

/// What calls a daemon that speaks https: it trusts those in this file, and nobody else.
pub fn trusting(file: Option<&Path>) -> Result<TlsConfig> {
    let Some(file) = file else {
        return Err(Error::startup("name the certificate of the daemon's authority with --ca: `bulkd ca` prints it"));
    };
    let failed = |why: &dyn std::fmt::Display| Error::startup(format!("--ca {}: {why}", file.display()));
    let text = std::fs::read(file).map_err(|error| failed(&error))?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(failed(&"it has no certificate; expected PEM"));
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}
