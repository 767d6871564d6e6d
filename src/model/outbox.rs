//! A message in the outbox, and many of them at once.

use std::ops::Range;

use super::names;

names! {
    /// By which way a message would have reached its recipient.
    Channel {
        Email = "email",
        Sms = "sms",
        Push = "push",
        Inbox = "inbox",
    }
}

names! {
    /// What became of a message.
    MessageStatus {
        /// It is in the outbox, which here is as far as messages go.
        Sent = "SENT",
        /// Its event or template is not known here, and templates are strict.
        Unmapped = "UNMAPPED",
    }
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub recipient: &'a str,
    pub channel: Channel,
    /// E-mail address, phone number or push token; for the inbox the recipient.
    pub address: &'a str,
    pub status: MessageStatus,
    pub subject: Option<&'a str>,
    pub body: &'a str,
}

/// What became of a run of users: a message each, or the reason why there is none. All texts share one buffer, so that
/// a thousand messages cost a few allocations and not thousands.
#[derive(Debug, Default)]
pub struct Outcomes {
    text: String,
    rows: Vec<Row>,
    failures: usize,
    reached_outside_profile: usize,
}

#[derive(Debug)]
enum Row {
    Message {
        recipient: Range<usize>,
        channel: Channel,
        address: Range<usize>,
        status: MessageStatus,
        subject: Option<Range<usize>>,
        body: Range<usize>,
    },
    Failure {
        reason: String,
    },
}

/// One user's outcome.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    Message(Message<'a>),
    Failure { reason: &'a str },
}

impl Outcomes {
    /// Adds a message. `subject` and `body` write their text at the end of the buffer that they are given.
    pub fn push_message(
        &mut self,
        recipient: &str,
        (channel, address): (Channel, &str),
        status: MessageStatus,
        subject: Option<impl FnOnce(&mut String) -> Result<(), String>>,
        body: impl FnOnce(&mut String) -> Result<(), String>,
    ) {
        let start = self.text.len();
        let recipient = self.append(recipient);
        let address = self.append(address);
        let subject = subject.map(|write| self.write(write)).transpose();
        let body = self.write(body);
        match (subject, body) {
            (Ok(subject), Ok(body)) => {
                self.rows.push(Row::Message { recipient, channel, address, status, subject, body });
            }
            (Err(reason), _) | (_, Err(reason)) => {
                self.text.truncate(start);
                self.push_failure(reason);
            }
        }
    }

    pub fn push_failure(&mut self, reason: impl Into<String>) {
        self.failures += 1;
        self.rows.push(Row::Failure { reason: reason.into() });
    }

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }

    fn write(&mut self, write: impl FnOnce(&mut String) -> Result<(), String>) -> Result<Range<usize>, String> {
        let start = self.text.len();
        write(&mut self.text)?;
        Ok(start..self.text.len())
    }

    /// How many users these are the outcomes of.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn failures(&self) -> usize {
        self.failures
    }

    /// Counts a user who was reached by an address that is not in the profile.
    pub fn count_reached_outside_profile(&mut self) {
        self.reached_outside_profile += 1;
    }

    pub fn reached_outside_profile(&self) -> usize {
        self.reached_outside_profile
    }

    /// Bytes of text held.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = Outcome<'_>> {
        self.rows.iter().map(|row| match row {
            Row::Message { recipient, channel, address, status, subject, body } => Outcome::Message(Message {
                recipient: &self.text[recipient.clone()],
                channel: *channel,
                address: &self.text[address.clone()],
                status: *status,
                subject: subject.clone().map(|subject| &self.text[subject]),
                body: &self.text[body.clone()],
            }),
            Row::Failure { reason } => Outcome::Failure { reason },
        })
    }
}
