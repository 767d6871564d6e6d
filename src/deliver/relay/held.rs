//! What a sender has taken and not yet brought to an end: in its own hands, and under its name in the consumer group.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use redis::Pipeline;

use super::keys::{EVENT, Keys, OF_CHANNEL, RELEASED, SENDERS, entry_of, field};
use super::link::{Answer, Link};
use super::report::Report;
use super::stream::{ByStream, Entry, texts};
use crate::deliver::envelope::Envelope;

/// Entries that a sender takes at once.
pub const TAKEN_AT_ONCE: usize = 32;
/// Entries that wait for their next try, at most: with more of them nothing new is taken.
pub const MOST: usize = 1_000;
/// An entry that is given back has been left for so long: whoever looks takes it at once.
const LONG_AGO_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// An entry.
pub struct Held {
    /// Its id in the stream.
    pub id: String,
    /// Its number in the queue of bulkd.
    pub entry: i64,
    /// The event, as it stands there, and as it was read. Or why it could not be.
    pub event: String,
    pub envelope: Result<Envelope, String>,
    /// How often it was tried, and failed.
    pub failures: u32,
    pub state: State,
}

pub enum State {
    /// To be sent, not before this.
    Waiting(Option<Instant>),
    /// What came of it is still to be written down.
    Over { report: Report, is_dead: bool },
}

impl Held {
    pub fn is_ready(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting(due) if due.is_none_or(|due| due <= now))
    }

    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over { .. })
    }
}

/// The group's own view: who has an entry, and how often it was tried.
type Pending = Vec<(String, String, u64, u32)>;

/// The consumer group, as one of its consumers sees it.
pub struct Group {
    pub keys: Keys,
    /// The consumer's name.
    pub name: String,
    /// Whoever has not moved for so long has lost what it has.
    pub claim_after: Duration,
}

impl Group {
    /// Makes the group, if there is none. It begins with the first entry: what was brought to an end is not there.
    pub fn create(&self, link: &mut Link) -> Answer<()> {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&self.keys.outbox).arg(SENDERS).arg("0").arg("MKSTREAM");
        match link.ask::<()>(&create) {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            created => created,
        }
    }

    /// Takes new entries, for which it waits so long.
    pub fn take(&self, link: &mut Link, wait: Duration) -> Answer<Vec<Held>> {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(SENDERS).arg(&self.name).arg("COUNT").arg(TAKEN_AT_ONCE);
        let millis = wait.as_millis();
        if millis > 0 {
            read.arg("BLOCK").arg(u64::try_from(millis).unwrap_or(u64::MAX));
        }
        read.arg("STREAMS").arg(&self.keys.outbox).arg(">");
        let found: ByStream = link.ask(&read)?;
        Ok(found
            .into_iter()
            .flatten()
            .flat_map(|(_, entries)| entries)
            .map(|it| held(it.0, &texts(&it.1), 0))
            .collect())
    }

    /// Says of what is held that it is still at work on it. Returns what it has in the group.
    pub fn touch(&self, link: &mut Link, held: &HashSet<&str>) -> Answer<(HashSet<String>, Vec<Held>)> {
        let own = self.pending(link, &self.name, Duration::ZERO, 2 * MOST)?;
        let (known, unknown): (Pending, Pending) = own.into_iter().partition(|it| held.contains(it.0.as_str()));
        if !known.is_empty() {
            let mut claim = redis::cmd("XCLAIM");
            claim.arg(&self.keys.outbox).arg(SENDERS).arg(&self.name).arg(0);
            for (id, ..) in &known {
                claim.arg(id);
            }
            claim.arg("JUSTID");
            link.ask::<()>(&claim)?;
        }
        // From an earlier life under the same name.
        let found = self.claim(link, &unknown, Duration::ZERO)?;
        Ok((known.into_iter().map(|it| it.0).collect(), found))
    }

    /// Takes over what others have left: those that have not moved for long, those that have stopped, and what is of a
    /// channel that is delivered here, and was not where it was read.
    pub fn claim_left(&self, link: &mut Link, delivers: impl Fn(&str) -> bool, most: usize) -> Answer<Vec<Held>> {
        let mut ask = redis::cmd("XINFO");
        ask.arg("CONSUMERS").arg(&self.keys.outbox).arg(SENDERS);
        let consumers: Vec<HashMap<String, redis::Value>> = link.ask(&ask)?;
        let mut taken = Vec::new();
        for consumer in consumers {
            let text = |name: &str| consumer.get(name).and_then(|it| redis::from_redis_value_ref::<String>(it).ok());
            let (Some(name), Some(pending)) = (text("name"), text("pending")) else { continue };
            let is_ours = name.strip_prefix(OF_CHANNEL).is_none_or(&delivers);
            let room = most.saturating_sub(taken.len());
            if name == self.name || pending == "0" || !is_ours || room == 0 {
                continue;
            }
            let left = self.pending(link, &name, self.claim_after, room)?;
            taken.extend(self.claim(link, &left, self.claim_after)?);
        }
        Ok(taken)
    }

    /// Hands on what is held here: to whoever delivers its channel, or to whoever comes first.
    pub fn hand_on<'a>(&self, commands: &mut Pipeline, held: &'a Held, channel: Option<&'a str>) {
        let to = channel.map_or_else(|| RELEASED.to_owned(), |channel| format!("{OF_CHANNEL}{channel}"));
        let command = commands.cmd("XCLAIM").arg(&self.keys.outbox).arg(SENDERS).arg(to).arg(0).arg(&held.id);
        command.arg("IDLE").arg(LONG_AGO_MILLIS).arg("RETRYCOUNT").arg(held.failures + 1).arg("JUSTID").ignore();
    }

    /// Writes down how often an entry was tried.
    pub fn note_failures(&self, commands: &mut Pipeline, held: &Held) {
        let command = commands.cmd("XCLAIM").arg(&self.keys.outbox).arg(SENDERS).arg(&self.name).arg(0).arg(&held.id);
        command.arg("RETRYCOUNT").arg(held.failures + 1).arg("JUSTID").ignore();
    }

    /// Leaves the group, if nothing is left under the name: with a consumer goes what it has.
    pub fn leave(&self, link: &mut Link) -> Answer<()> {
        if self.pending(link, &self.name, Duration::ZERO, 1)?.is_empty() {
            let mut leave = redis::cmd("XGROUP");
            leave.arg("DELCONSUMER").arg(&self.keys.outbox).arg(SENDERS).arg(&self.name);
            link.ask::<()>(&leave)?;
        }
        Ok(())
    }

    fn pending(&self, link: &mut Link, consumer: &str, idle: Duration, most: usize) -> Answer<Pending> {
        let mut ask = redis::cmd("XPENDING");
        ask.arg(&self.keys.outbox).arg(SENDERS);
        if !idle.is_zero() {
            ask.arg("IDLE").arg(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX));
        }
        ask.arg("-").arg("+").arg(most).arg(consumer);
        link.ask(&ask)
    }

    /// Takes these, unless somebody has meanwhile, and leaves how often they were tried as it is.
    fn claim(&self, link: &mut Link, entries: &Pending, idle: Duration) -> Answer<Vec<Held>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut commands = redis::pipe();
        for (id, _, _, count) in entries {
            let command = commands.cmd("XCLAIM").arg(&self.keys.outbox).arg(SENDERS).arg(&self.name);
            command.arg(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)).arg(id).arg("RETRYCOUNT").arg(*count);
        }
        // Before version 7, what was deleted meanwhile is nothing.
        let claimed: Vec<Vec<Option<Entry>>> = link.ask_all(&commands)?;
        let counts: HashMap<&str, u32> = entries.iter().map(|it| (it.0.as_str(), it.3)).collect();
        let tries = |id: &str| counts.get(id).copied().unwrap_or(1).saturating_sub(1);
        let taken = |(id, fields): Entry| {
            let failures = tries(&id);
            held(id, &texts(&fields), failures)
        };
        Ok(claimed.into_iter().flatten().flatten().map(taken).collect())
    }
}

fn held(id: String, fields: &[String], failures: u32) -> Held {
    let entry = entry_of(&id).unwrap_or_default();
    let event = field(fields, EVENT).unwrap_or_default().to_owned();
    let envelope = serde_json::from_str(&event).map_err(|error| error.to_string());
    Held { id, entry, event, envelope, failures, state: State::Waiting(None) }
}
