//! SMTP, by one connection that is used again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::address::Envelope as MailEnvelope;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::extension::ClientId;

use super::smtp_tls::Secure;
use super::{Outcome, Retry, Sender, words};
use crate::deliver::envelope::{Envelope, Mail};
use crate::error::{Error, Result};
use crate::model::deliver_target::{Security, SmtpServer};
use crate::model::message_status::Reason;

/// For one step of the conversation; a stop waits for it at most.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that has rested for so long is asked whether it is still there.
const ASKED_AFTER: Duration = Duration::from_secs(2);
/// Where the password is.
const PASSWORD: &str = "BULKD_SMTP_PASSWORD";

pub struct SmtpSender {
    server: SmtpServer,
    credentials: Option<Credentials>,
    tls: Option<Secure>,
    connection: Mutex<Option<(SmtpConnection, Instant)>>,
}

impl SmtpSender {
    pub fn new(server: &SmtpServer) -> Result<Self> {
        let credentials = match (&server.user, std::env::var(PASSWORD)) {
            (None, _) => None,
            (Some(user), Ok(password)) if !password.is_empty() => Some(Credentials::new(user.clone(), password)),
            (Some(_), _) => {
                return Err(Error::startup(format!("expected the password of its user in the variable {PASSWORD}")));
            }
        };
        let tls = match server.security {
            Security::None => None,
            Security::StartTls | Security::Tls => Some(Secure::new(&server.host)?),
        };
        Ok(SmtpSender { server: server.clone(), credentials, tls, connection: Mutex::default() })
    }

    fn connect(&self) -> std::result::Result<SmtpConnection, SmtpError> {
        let SmtpServer { security, host, port, .. } = &self.server;
        let name = ClientId::default();
        let server = (host.as_str(), *port);
        let mut connection = match self.tls.as_ref().filter(|_| *security == Security::Tls) {
            Some(tls) => tls.connect(server, TIMEOUT, &name)?,
            None => SmtpConnection::connect(server, Some(TIMEOUT), &name, None, None)?,
        };
        if let Some(tls) = self.tls.as_ref().filter(|_| *security == Security::StartTls) {
            tls.begin(&mut connection, &name)?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials)?;
        }
        Ok(connection)
    }

    fn hand_over(&self, mail: &Mail) -> Outcome {
        let envelope = match envelope(mail) {
            Ok(envelope) => envelope,
            Err(error) => return Outcome::refused(error),
        };
        let mut kept = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.take().filter(|(connection, _)| !connection.has_broken());
        let known = known.and_then(|(mut connection, used)| {
            (used.elapsed() < ASKED_AFTER || connection.test_connected()).then_some(connection)
        });
        let mut connection = match known.map_or_else(|| self.connect(), Ok) {
            Ok(connection) => connection,
            // Whatever is wrong, it is not with this message.
            Err(error) if is_not_let_in(&error) => {
                return Outcome::unauthorized(format!("the SMTP server does not let this user in: {}", words(&error)));
            }
            Err(error) => return Outcome::failed(format!("the SMTP server is not reached: {}", words(&error))),
        };
        match connection.send(&envelope, mail.data.as_bytes()) {
            Ok(response) => {
                let reference = response.first_line().map(str::to_owned);
                *kept = Some((connection, Instant::now()));
                Outcome::Accepted { reference }
            }
            Err(error) => refused(&error),
        }
    }
}

fn envelope(mail: &Mail) -> std::result::Result<MailEnvelope, String> {
    let address =
        |text: &String| text.parse::<Address>().map_err(|error| format!("'{text}' is not an e-mail address: {error}"));
    let from = mail.from.as_ref().map(address).transpose()?;
    let to = mail.to.iter().map(address).collect::<std::result::Result<_, _>>()?;
    MailEnvelope::new(from, to).map_err(|error| error.to_string())
}

/// Whether a server wants another user, another password, or one at all.
fn is_not_let_in(error: &SmtpError) -> bool {
    matches!(error.status().map(u16::from), Some(530 | 534 | 535 | 538))
}

/// What a server that was reached has against a message.
fn refused(error: &SmtpError) -> Outcome {
    let code = error.status().map(u16::from);
    let (reason, retry) = match code {
        // This user is not let in, or all at once: it is not the message.
        _ if is_not_let_in(error) => (Reason::ProviderError, Retry::Unauthorized),
        Some(421) => (Reason::ProviderError, Retry::After(None)),
        // There is no such mailbox, or it takes nothing.
        Some(521 | 550 | 551 | 553 | 556) => (Reason::Bounced, Retry::Never),
        Some(500..=599) => (Reason::ProviderError, Retry::Never),
        Some(_) => (Reason::ProviderError, Retry::After(None)),
        None if error.is_client() => (Reason::ProviderError, Retry::Never),
        None => (Reason::Failed, Retry::After(None)),
    };
    Outcome::Refused { reason, error: words(error), retry }
}

impl Sender for SmtpSender {
    fn send(&self, envelope: &Envelope) -> Outcome {
        match &envelope.data.mail {
            Some(mail) => self.hand_over(mail),
            None => Outcome::refused("an SMTP server takes e-mails, and nothing else"),
        }
    }

    /// A step that is under way ends by itself.
    fn stop(&self) {}
}
