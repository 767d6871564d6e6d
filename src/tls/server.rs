//! The certificate of https: one of our own authority, or one that was given.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};

use super::authority::Authority;
use crate::config::{Config, Tls};
use crate::error::{Error, Result};

/// Names and addresses by which a daemon is called on its own machine, and the service's name, which people may point
/// here.
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "::1", "api.courier.com"];

/// What a daemon with `--tls` needs before it listens.
pub struct Prepared {
    config: Arc<ServerConfig>,
    authority: Option<Authority>,
    is_thrown_away: bool,
}

/// Reads or makes a certificate, if https is to be spoken. Nothing is written yet.
pub fn prepare(config: &Config) -> Result<Option<Prepared>> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let (authority, (chain, key)) = match tls {
        Tls::Given { certificate, key } => (None, (certificates(certificate)?, private_key(key)?)),
        Tls::Made => {
            let authority = config.database.as_deref().map_or_else(Authority::make, Authority::find_or_make)?;
            let (certificate, key) = authority.issue(names(config))?;
            (Some(authority), (vec![certificate], key))
        }
    };
    let config_of_tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(chain, key));
    let mut config_of_tls = config_of_tls.map_err(|error| refused(tls, &error))?;
    config_of_tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Prepared { config: Arc::new(config_of_tls), authority, is_thrown_away: config.database.is_none() }))
}

impl Prepared {
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Writes the authority beside the database, and returns where its certificate is. The key of an authority that is
    /// thrown away is never written.
    pub fn keep(&self, database: &Path) -> Result<Option<PathBuf>> {
        let Some(authority) = &self.authority else { return Ok(None) };
        if self.is_thrown_away { authority.show(database).map(Some) } else { authority.keep(database).map(Some) }
    }
}

/// All names by which this daemon may be called.
fn names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    let address = config.listen.ip();
    names.extend((!address.is_unspecified()).then(|| address.to_string()));
    names.extend(config.hosts.iter().map(|host| host.to_ascii_lowercase()));
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let of_file = |error| unreadable("--tls-cert", path, "certificate", &error);
    let text = pem_file(path).map_err(of_file)?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<std::result::Result<_, _>>().map_err(of_file)?;
    if found.is_empty() { Err(of_file(pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let found = pem_file(path).and_then(|text| PrivateKeyDer::from_pem_slice(&text));
    found.map_err(|error| unreadable("--tls-key", path, "unencrypted private key", &error))
}

fn pem_file(path: &Path) -> std::result::Result<Vec<u8>, pem::Error> {
    super::read_pem(path).map_err(pem::Error::Io)
}

fn unreadable(flag: &str, path: &Path, what: &str, error: &pem::Error) -> Error {
    let path = path.display();
    Error::startup(match error {
        pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("{flag} {path}: there is no such file")
        }
        pem::Error::Io(error) => format!("{flag} {path} cannot be read: {error}"),
        pem::Error::NoItemsFound => format!("{flag} {path} has no {what}; expected PEM"),
        error => format!("{flag} {path} is no PEM: {error}"),
    })
}

/// Why a certificate and its key are refused.
fn refused(tls: &Tls, error: &rustls::Error) -> Error {
    Error::startup(match (tls, error) {
        (Tls::Given { certificate, key }, rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            format!("--tls-key {} is not the key of --tls-cert {}", key.display(), certificate.display())
        }
        (Tls::Given { certificate, .. }, rustls::Error::InvalidCertificate(error)) => {
            format!("--tls-cert {} is no certificate that can be used: {error}", certificate.display())
        }
        (Tls::Given { key, .. }, error) => format!("--tls-key {} cannot be used: {error}", key.display()),
        (Tls::Made, error) => format!("https cannot be spoken: {error}"),
    })
}
