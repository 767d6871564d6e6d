//! Messages on their way to the outbox, many of them at once.

use std::ops::Range;

use super::channel::Channel;
use super::delay::Delay;
use super::message_status::Verdict;
use super::outcome::Ending;
use super::provider::Provider;
use super::row::ProfileVersion;

/// What went out on one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    pub channel: Channel,
    pub provider: Provider,
    /// E-mail address, phone number, push token, Slack channel, URL; for the inbox the recipient.
    pub address: &'a str,
    pub subject: Option<&'a str>,
    /// As plain text.
    pub body: &'a str,
    /// In addition to the plain text: an e-mail's HTML without its frame, for other channels the rendered elements as a
    /// JSON array.
    pub content: Option<&'a str>,
    /// Its later end, if a test has set one.
    pub ending: Option<&'a Ending>,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct RenderedMessage<'a> {
    pub recipient: &'a str,
    pub verdict: &'a Verdict,
    /// The delivery that the verdict is about; `None` if nothing went out.
    pub delivery: Option<Delivery<'a>>,
    /// The stored profile that it was made with.
    pub profile_version: Option<ProfileVersion>,
    /// With status `DELAYED`: for how long, counted from the commit.
    pub delay: Option<Delay>,
    batch: &'a RenderedBatch,
    further: &'a [OtherDelivery],
}

/// A delivery besides the one that decides the message's status.
#[derive(Debug)]
struct OtherDelivery {
    position: i64,
    verdict: Verdict,
    delivery: RenderedDelivery,
}

impl<'a> RenderedMessage<'a> {
    /// The deliveries besides the one that decides: below 0 those that were tried before it, above 0 those that went
    /// out as well.
    pub fn further(&self) -> impl Iterator<Item = (i64, &'a Verdict, Delivery<'a>)> {
        let batch = self.batch;
        self.further.iter().map(|it| (it.position, &it.verdict, batch.delivery(&it.delivery)))
    }

    /// The later ends of its deliveries, each with its position: 0 is the one that decides.
    pub fn endings(&self) -> impl Iterator<Item = (i64, &'a Ending)> {
        let own = self.delivery.and_then(|it| it.ending).map(|ending| (0, ending));
        let further = self.further.iter().filter_map(|it| Some((it.position, it.delivery.ending.as_deref()?)));
        own.into_iter().chain(further)
    }
}

/// The outcomes of a run of users: a message each, or the reason why there is none. All texts share one buffer, so that
/// a thousand messages take a few allocations and not thousands.
#[derive(Debug, Default)]
pub struct RenderedBatch {
    text: String,
    rows: Vec<OutcomeRow>,
    further: Vec<OtherDelivery>,
    failures: usize,
    off_profile_addresses: usize,
    near_limit: Option<String>,
    without_effect: Option<String>,
}

#[derive(Debug)]
enum OutcomeRow {
    Message {
        recipient: Range<usize>,
        verdict: Verdict,
        delivery: Option<RenderedDelivery>,
        profile_version: Option<ProfileVersion>,
        delay: Option<Delay>,
        further: Range<usize>,
    },
    Failure {
        reason: String,
    },
}

/// A delivery whose texts are in the buffer.
#[derive(Debug)]
pub struct RenderedDelivery {
    pub channel: Channel,
    pub provider: Provider,
    address: Range<usize>,
    subject: Option<Range<usize>>,
    body: Range<usize>,
    content: Option<Range<usize>>,
    pub ending: Option<Box<Ending>>,
}

/// One user's outcome.
#[derive(Debug)]
pub enum Outcome<'a> {
    Message(RenderedMessage<'a>),
    Failure { reason: &'a str },
}

/// Appends a text to the buffer, or returns why it cannot.
pub type WriteText<'a> = &'a dyn Fn(&mut String) -> Result<(), String>;

impl RenderedBatch {
    /// With room for so many users and bytes of text.
    pub fn with_capacity(users: usize, bytes: usize) -> Self {
        RenderedBatch {
            text: String::with_capacity(bytes),
            rows: Vec::with_capacity(users),
            ..RenderedBatch::default()
        }
    }

    /// Writes the texts of a delivery, to be handed to [`RenderedBatch::push_message`].
    pub fn write(
        &mut self,
        (channel, provider, address): (Channel, Provider, &str),
        subject: Option<WriteText<'_>>,
        body: WriteText<'_>,
        content: Option<WriteText<'_>>,
    ) -> Result<RenderedDelivery, String> {
        let start = self.text.len();
        let address = self.append(address);
        let texts = || {
            let subject = subject.map(|write| self.write_text(write)).transpose()?;
            let body = self.write_text(body)?;
            let content = content.map(|write| self.write_text(write)).transpose()?;
            Ok(RenderedDelivery { channel, provider, address, subject, body, content, ending: None })
        };
        let written = texts();
        if written.is_err() {
            self.text.truncate(start);
        }
        written
    }

    /// Adds a message.
    pub fn push_message(
        &mut self,
        recipient: &str,
        verdict: Verdict,
        delivery: Option<RenderedDelivery>,
        profile_version: Option<ProfileVersion>,
        delay: Option<Delay>,
        further: impl IntoIterator<Item = (i64, Verdict, RenderedDelivery)>,
    ) {
        let recipient = self.append(recipient);
        let first = self.further.len();
        let further =
            further.into_iter().map(|(position, verdict, delivery)| OtherDelivery { position, verdict, delivery });
        self.further.extend(further);
        let further = first..self.further.len();
        self.rows.push(OutcomeRow::Message { recipient, verdict, delivery, profile_version, delay, further });
    }

    pub fn push_failure(&mut self, reason: impl Into<String>) {
        self.failures += 1;
        self.rows.push(OutcomeRow::Failure { reason: reason.into() });
    }

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }

    fn write_text(&mut self, write: WriteText<'_>) -> Result<Range<usize>, String> {
        let start = self.text.len();
        write(&mut self.text)?;
        Ok(start..self.text.len())
    }

    /// How many users there are outcomes of.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn failures(&self) -> usize {
        self.failures
    }

    /// Counts a delivery to an address that is not in the profile.
    pub fn count_off_profile_address(&mut self) {
        self.off_profile_addresses += 1;
    }

    pub fn off_profile_addresses(&self) -> usize {
        self.off_profile_addresses
    }

    /// Notes that a message is near a provider's limit. Only the first note is kept.
    pub fn note_near_limit(&mut self, what: String) {
        self.near_limit.get_or_insert(what);
    }

    pub fn near_limit(&self) -> Option<&str> {
        self.near_limit.as_deref()
    }

    /// Notes which part of a text has no effect with the data of a message. Only the first note is kept.
    pub fn note_without_effect(&mut self, what: &str) {
        self.without_effect.get_or_insert_with(|| what.to_owned());
    }

    pub fn without_effect(&self) -> Option<&str> {
        self.without_effect.as_deref()
    }

    /// The outcome of each delivery, and of each message without deliveries.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        let decided = self.rows.iter().filter_map(|row| match row {
            OutcomeRow::Message { verdict, .. } => Some(verdict),
            OutcomeRow::Failure { .. } => None,
        });
        decided.chain(self.further.iter().map(|it| &it.verdict))
    }

    /// Bytes of text held.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Drops the text from there on, of which no outcome was made.
    pub fn truncate(&mut self, bytes: usize) {
        self.text.truncate(bytes);
    }

    /// A delivery with its texts.
    pub fn delivery<'a>(&'a self, it: &'a RenderedDelivery) -> Delivery<'a> {
        let text = |range: &Range<usize>| &self.text[range.clone()];
        Delivery {
            channel: it.channel,
            provider: it.provider,
            address: text(&it.address),
            subject: it.subject.as_ref().map(text),
            body: text(&it.body),
            content: it.content.as_ref().map(text),
            ending: it.ending.as_deref(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Outcome<'_>> {
        self.rows.iter().map(|row| match row {
            OutcomeRow::Message { recipient, verdict, delivery, profile_version, delay, further } => {
                Outcome::Message(RenderedMessage {
                    recipient: &self.text[recipient.clone()],
                    verdict,
                    delivery: delivery.as_ref().map(|it| self.delivery(it)),
                    profile_version: *profile_version,
                    delay: *delay,
                    batch: self,
                    further: &self.further[further.clone()],
                })
            }
            OutcomeRow::Failure { reason } => Outcome::Failure { reason },
        })
    }
}
