//! The authority that vouches for the certificates of `--tls`. It is made once, and kept beside the database, so that
//! clients that trust it trust the daemon after the next start as well. For a file that is thrown away it is thrown
//! away, too.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// Beside the database: the key and the certificate, readable by this user only; and the certificate alone, to be
/// handed out.
const KEY_SUFFIX: &str = "-ca-key.pem";
const CERTIFICATE_SUFFIX: &str = "-ca.pem";
const CERTIFICATE_BEGINS: &str = "-----BEGIN CERTIFICATE-----";

/// How long clients may trust the authority.
const AUTHORITY_YEARS: i32 = 20;
/// How long the certificate of a start is valid: clients refuse more than 825 days.
const DAYS: i64 = 820;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

pub struct Authority {
    key: KeyPair,
    /// As PEM.
    certificate: String,
    is_new: bool,
}

/// The certificate of the authority beside this database, as PEM. It is made if there is none.
pub fn authority_certificate(database: &Path) -> Result<String> {
    let authority = Authority::find_or_make(database)?;
    authority.keep(database)?;
    Ok(authority.certificate)
}

impl Authority {
    /// The one beside this database.
    pub fn find_or_make(database: &Path) -> Result<Self> {
        let path = beside(database, KEY_SUFFIX);
        match fs::read_to_string(&path) {
            Ok(text) => {
                keep_private(&path)?;
                Authority::read(&text).ok_or_else(|| {
                    Error::startup(format!(
                        "{} holds no key and certificate of an authority; remove it, and another one is made",
                        path.display()
                    ))
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Authority::make(),
            Err(error) => Err(Error::startup(format!("{} cannot be read: {error}", path.display()))),
        }
    }

    pub fn make() -> Result<Self> {
        let key = KeyPair::generate().map_err(failed)?;
        let today = Timestamp::of_machine();
        let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
        params.distinguished_name = name(&key);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let (from, (year, month, day)) = (date(today.after(-DAY_MILLIS)), date(today));
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(year + AUTHORITY_YEARS, month, day);
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Authority { key, certificate, is_new: true })
    }

    fn read(text: &str) -> Option<Self> {
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok()?;
        let key = KeyPair::try_from(&key).ok()?;
        let certificate = &text[text.find(CERTIFICATE_BEGINS)?..];
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
        let public = key.public_key_raw();
        let belongs = der.windows(public.len()).any(|part| part == public);
        belongs.then(|| Authority { certificate: certificate.to_owned(), key, is_new: false })
    }

    /// A certificate for these names and addresses, from yesterday on, with its key.
    pub fn issue(&self, names: Vec<String>) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
        let key = KeyPair::generate().map_err(failed)?;
        let today = Timestamp::of_machine();
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "bulkd");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let (from, until) = (date(today.after(-DAY_MILLIS)), date(today.after((DAYS - 1) * DAY_MILLIS)));
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let mut of_issuer = CertificateParams::new(Vec::new()).map_err(failed)?;
        of_issuer.distinguished_name = name(&self.key);
        let issuer = Issuer::from_params(&of_issuer, &self.key);
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }

    /// Writes it beside this database, and returns where its certificate is.
    pub fn keep(&self, database: &Path) -> Result<PathBuf> {
        if self.is_new {
            let path = beside(database, KEY_SUFFIX);
            let text = format!("{}{}", self.key.serialize_pem(), self.certificate);
            write(&path, &text, false)?;
        }
        self.show(database)
    }

    /// Writes its certificate, but not its key, beside this database.
    pub fn show(&self, database: &Path) -> Result<PathBuf> {
        let path = beside(database, CERTIFICATE_SUFFIX);
        if fs::read_to_string(&path).ok().as_deref() != Some(self.certificate.as_str()) {
            write(&path, &self.certificate, true)?;
        }
        Ok(path)
    }
}

/// Its name. Each authority has another one, so that a client that knows several finds the right one.
fn name(key: &KeyPair) -> DistinguishedName {
    let hash = Sha256::digest(key.public_key_raw());
    let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "bulkd");
    name.push(DnType::CommonName, format!("bulkd {hash}"));
    name
}

/// Year, month and day of an instant. Days after the 28th become the 28th, which every month of every year has.
fn date(at: Timestamp) -> (i32, u8, u8) {
    let date = at.utc();
    (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs().min(28))
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Writes a whole file that only this user may read. An existing one is replaced, or is an error.
fn write(path: &Path, text: &str, replaces: bool) -> Result<()> {
    let failed =
        |error: &dyn std::fmt::Display| Error::startup(format!("{} cannot be written: {error}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all());
    written.map_err(|error| failed(&error))?;
    let put = if replaces { file.persist(path) } else { file.persist_noclobber(path) };
    put.map(drop).map_err(|error| failed(&error.error))
}

/// A key that others could read is not secret any more.
#[cfg(unix)]
fn keep_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |error: io::Error| Error::startup(format!("the mode of {} cannot be set: {error}", path.display()));
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        log::warn!("{} could be read by others, who may have its key; its mode is 600 now", path.display());
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_private(_: &Path) -> Result<()> {
    Ok(())
}

fn failed(error: rcgen::Error) -> Error {
    Error::startup(format!("no certificate can be made: {error}"))
}
