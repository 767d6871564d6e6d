//! What is said to an SMTP server, step by step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::address::Envelope as MailEnvelope;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail as MailCommand, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;

use super::smtp_tls::Secure;
use super::{Outcome, Retry, words};
use crate::deliver::envelope::Mail;
use crate::error::{Error, Result};
use crate::model::deliver_target::{Security, SmtpServer};
use crate::model::message_status::Reason;

/// A connection that has rested for so long is asked whether it is still there.
const ASKED_AFTER: Duration = Duration::from_secs(2);
/// For the last word of a conversation.
const PARTING: Duration = Duration::from_secs(1);
/// Where the password is.
const PASSWORD: &str = "BULKD_SMTP_PASSWORD";

/// A server, and how it lets one in.
pub struct Server {
    server: SmtpServer,
    credentials: Option<Credentials>,
    tls: Option<Secure>,
}

/// What a thread that hands over an e-mail and the one that waits for it know of each other.
#[derive(Default)]
pub struct Progress {
    is_left: AtomicBool,
    is_handed_over: AtomicBool,
}

/// A conversation, by one connection that is used again.
pub struct Talk {
    server: Arc<Server>,
    /// For one read or write.
    step: Duration,
    connection: Option<(SmtpConnection, Instant)>,
}

/// Why an e-mail was not taken.
enum Fault {
    Smtp(SmtpError),
    /// The server cannot take such a one.
    Unable(&'static str),
    /// The send was abandoned.
    Left,
}

impl Progress {
    /// Abandons the send: nothing more of it is begun. Returns whether the server may have all of it by now.
    pub fn leave(&self) -> bool {
        self.is_left.store(true, Ordering::SeqCst);
        self.is_handed_over()
    }

    fn go_on(&self) -> std::result::Result<(), Fault> {
        if self.is_left.load(Ordering::SeqCst) { Err(Fault::Left) } else { Ok(()) }
    }

    fn is_handed_over(&self) -> bool {
        self.is_handed_over.load(Ordering::SeqCst)
    }

    /// From now on the server may have all of it.
    fn hand_over(&self) -> std::result::Result<(), Fault> {
        self.is_handed_over.store(true, Ordering::SeqCst);
        self.go_on()
    }
}

impl Fault {
    /// Whether the server has ended the conversation, whatever was said.
    fn is_end(&self) -> bool {
        matches!(self, Fault::Smtp(error) if error.status().is_none_or(|code| u16::from(code) == 421))
    }
}

impl From<SmtpError> for Fault {
    fn from(error: SmtpError) -> Self {
        Fault::Smtp(error)
    }
}

impl Server {
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
        Ok(Server { server: server.clone(), credentials, tls })
    }

    fn connect(&self, step: Duration, progress: &Progress) -> std::result::Result<SmtpConnection, Fault> {
        let SmtpServer { security, host, port, .. } = &self.server;
        let name = ClientId::default();
        let server = (host.as_str(), *port);
        let mut connection = match self.tls.as_ref().filter(|_| *security == Security::Tls) {
            Some(tls) => tls.connect(server, step, &name)?,
            None => SmtpConnection::connect(server, Some(step), &name, None, None)?,
        };
        progress.go_on()?;
        if let Some(tls) = self.tls.as_ref().filter(|_| *security == Security::StartTls) {
            tls.begin(&mut connection, &name)?;
            progress.go_on()?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials)?;
            progress.go_on()?;
        }
        Ok(connection)
    }
}

impl Talk {
    pub fn new(server: Arc<Server>, step: Duration) -> Self {
        Talk { server, step, connection: None }
    }

    /// Hands an e-mail over, and waits for the answer.
    ///
    /// Each step before it has a short time. A server that has all of the e-mail may look at it until `until`: without its
    /// answer it would be sent again.
    pub fn hand_over(&mut self, mail: &Mail, until: Instant, progress: &Progress) -> Outcome {
        let envelope = match envelope(mail) {
            Ok(envelope) => envelope,
            Err(error) => return Outcome::refused(error),
        };
        let known = self.connection.take().filter(|(connection, _)| !connection.has_broken());
        let known = known.and_then(|(mut connection, used)| {
            (used.elapsed() < ASKED_AFTER || connection.test_connected()).then_some(connection)
        });
        if let Some(connection) = known {
            let given = self.give(connection, &envelope, mail, until, progress);
            // A server may take so many e-mails by a connection, and say so only now: by a new one it takes this one.
            if !matches!(&given, Err(fault) if fault.is_end() && !progress.is_handed_over()) {
                return given.unwrap_or_else(|fault| refused(&fault));
            }
        }
        match self.server.connect(self.step, progress) {
            Ok(connection) => {
                self.give(connection, &envelope, mail, until, progress).unwrap_or_else(|fault| refused(&fault))
            }
            Err(fault) => not_reached(&fault),
        }
    }

    /// Gives an e-mail to a server that listens, and keeps the connection if it was taken.
    fn give(
        &mut self,
        mut connection: SmtpConnection,
        envelope: &MailEnvelope,
        mail: &Mail,
        until: Instant,
        progress: &Progress,
    ) -> std::result::Result<Outcome, Fault> {
        let given = give(&mut connection, envelope, mail.data.as_bytes(), until, progress);
        match &given {
            // With another time for its steps than it had it would not be used again.
            Ok(_) if connection.set_timeout(Some(self.step)).is_ok() => {
                self.connection = Some((connection, Instant::now()));
            }
            // One that answers is told that this is all. Its answer to that is worth no wait.
            Err(Fault::Smtp(error)) if error.status().is_some() => {
                let _ = connection.set_timeout(Some(PARTING)).map(|()| connection.quit());
            }
            _ => {}
        }
        given.map(|response| Outcome::Accepted { reference: response.first_line().map(str::to_owned) })
    }
}

/// Says to a server that listens what there is to say of an e-mail.
fn give(
    connection: &mut SmtpConnection,
    envelope: &MailEnvelope,
    data: &[u8],
    until: Instant,
    progress: &Progress,
) -> std::result::Result<Response, Fault> {
    let has = |connection: &SmtpConnection, extension| connection.server_info().supports_feature(extension);
    let mut parameters = Vec::new();
    let is_ascii = |address: &Address| address.to_string().is_ascii();
    if !envelope.from().is_none_or(is_ascii) || !envelope.to().iter().all(is_ascii) {
        if !has(connection, Extension::SmtpUtfEight) {
            return Err(Fault::Unable("an address is not ASCII, and the SMTP server has no SMTPUTF8"));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !data.is_ascii() {
        if !has(connection, Extension::EightBitMime) {
            return Err(Fault::Unable("the e-mail is not ASCII, and the SMTP server has no 8BITMIME"));
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    progress.go_on()?;
    connection.command(MailCommand::new(envelope.from().cloned(), parameters))?;
    for to in envelope.to() {
        progress.go_on()?;
        connection.command(Rcpt::new(to.clone(), Vec::new()))?;
    }
    progress.go_on()?;
    connection.command(Data)?;
    progress.hand_over()?;
    let _ = connection.set_timeout(Some(until.saturating_duration_since(Instant::now()).max(PARTING)));
    Ok(connection.message(data)?)
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

/// Whatever is wrong with a connection, it is not wrong with the message.
fn not_reached(fault: &Fault) -> Outcome {
    match fault {
        Fault::Smtp(error) if is_not_let_in(error) => {
            Outcome::unauthorized(format!("the SMTP server does not let this user in: {}", words(error)))
        }
        Fault::Smtp(error) => Outcome::failed(format!("the SMTP server is not reached: {}", words(error))),
        Fault::Unable(why) => Outcome::failed(*why),
        Fault::Left => Outcome::failed("the send was abandoned"),
    }
}

/// What a server that was reached has against a message.
fn refused(fault: &Fault) -> Outcome {
    let error = match fault {
        Fault::Smtp(error) => error,
        Fault::Unable(why) => return Outcome::refused(*why),
        Fault::Left => return not_reached(fault),
    };
    let code = error.status().map(u16::from);
    let (reason, retry) = match code {
        // This user is not let in, or all at once: it is not the message.
        _ if is_not_let_in(error) => (Reason::ProviderError, Retry::Unauthorized),
        Some(421) => (Reason::ProviderError, Retry::After(None)),
        // There is no such mailbox, or it takes nothing.
        Some(521 | 550 | 551 | 553 | 556) => (Reason::Bounced, Retry::Never),
        Some(500..=599) => (Reason::ProviderError, Retry::Never),
        Some(_) => (Reason::ProviderError, Retry::After(None)),
        None => (Reason::Failed, Retry::After(None)),
    };
    Outcome::Refused { reason, error: words(error), retry }
}
