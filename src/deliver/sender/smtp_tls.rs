//! TLS of an SMTP server; without the feature `tls` there is none.

#[cfg(not(feature = "tls"))]
pub use absent::Secure;
#[cfg(feature = "tls")]
pub use present::Secure;

#[cfg(feature = "tls")]
mod present {
    use std::fmt::Display;
    use std::path::Path;
    use std::time::Duration;

    use lettre::transport::smtp::Error as SmtpError;
    use lettre::transport::smtp::client::{Certificate, CertificateStore, SmtpConnection, TlsParameters};
    use lettre::transport::smtp::extension::ClientId;

    use crate::deliver::sender::words;
    use crate::error::{Error, Result};
    use crate::tls;

    /// Whom to trust.
    pub struct Secure(TlsParameters);

    impl Secure {
        pub fn new(host: &str) -> Result<Self> {
            let failed = |why: &dyn Display| Error::startup(format!("TLS cannot be prepared: {why}"));
            let parameters = TlsParameters::builder(host.to_owned());
            let parameters = match std::env::var_os("SSL_CERT_FILE") {
                None => parameters.certificate_store(CertificateStore::WebpkiRoots),
                Some(file) => {
                    let named = Path::new(&file).display();
                    let pem = tls::read_pem(Path::new(&file))
                        .map_err(|error| failed(&format!("SSL_CERT_FILE {named}: {error}")))?;
                    let certificate = Certificate::from_pem(&pem).map_err(|error| failed(&words(&error)))?;
                    parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate)
                }
            };
            parameters.build().map(Secure).map_err(|error| failed(&words(&error)))
        }

        /// A connection that has it from the first byte.
        pub fn connect(
            &self,
            server: (&str, u16),
            timeout: Duration,
            name: &ClientId,
        ) -> std::result::Result<SmtpConnection, SmtpError> {
            SmtpConnection::connect(server, Some(timeout), name, Some(&self.0), None)
        }

        /// Has a connection go on with it.
        pub fn begin(&self, connection: &mut SmtpConnection, name: &ClientId) -> std::result::Result<(), SmtpError> {
            connection.starttls(&self.0, name)
        }
    }
}

#[cfg(not(feature = "tls"))]
mod absent {
    use std::time::Duration;

    use lettre::transport::smtp::Error as SmtpError;
    use lettre::transport::smtp::client::SmtpConnection;
    use lettre::transport::smtp::extension::ClientId;

    use crate::error::{Error, Result};

    /// There is none.
    pub enum Secure {}

    impl Secure {
        pub fn new(_: &str) -> Result<Self> {
            Err(Error::startup("this bulkd was built without TLS"))
        }

        pub fn connect(
            &self,
            _: (&str, u16),
            _: Duration,
            _: &ClientId,
        ) -> std::result::Result<SmtpConnection, SmtpError> {
            match *self {}
        }

        pub fn begin(&self, _: &mut SmtpConnection, _: &ClientId) -> std::result::Result<(), SmtpError> {
            match *self {}
        }
    }
}
