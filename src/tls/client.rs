//! The certificates that our own clients trust.

use std::path::Path;
use std::sync::Arc;

use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;

use crate::error::{Error, Result};

/// Lets a command of ours that calls by https trust the certificates in this file and no others, or without a file
/// those that browsers trust. `flag` is the one that named the file.
pub fn trust(config: ConfigBuilder<AgentScope>, flag: &str, file: Option<&Path>) -> Result<ConfigBuilder<AgentScope>> {
    let roots = file.map_or(Ok(RootCerts::WebPki), |file| of_file(flag, file))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build();
    Ok(config.tls_config(tls))
}

fn of_file(flag: &str, file: &Path) -> Result<RootCerts> {
    let failed = |why: &dyn std::fmt::Display| Error::startup(format!("{flag} {}: {why}", file.display()));
    let text = super::read_pem(file).map_err(|error| failed(&error))?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(failed(&"it has no certificate; expected PEM"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
