//! What a sender has taken and not yet brought to an end: in its own hands, and under its name in the consumer group.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::Pipeline;
use serde::Deserialize;

use super::keys::{EVENT, Keys, OF_CHANNEL, RELEASED, SENDERS, entry_of, field};
use super::link::{Answer, Link};
use super::outcomes::Outcomes;
use super::report::Report;
use super::stream::{ByStream, Entry, texts};
use crate::deliver::envelope::Envelope;

/// Entries that a sender takes at once.
pub const TAKEN_AT_ONCE: usize = 32;
/// Entries under the own name that are not held, such as of an earlier life: so many of them are seen at once.
const UNKNOWN: usize = 1_000;
/// An entry that is given back has been left for so long: whoever looks takes it at once.
const LONG_AGO_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// Makes the group, also where Redis has no memory left: what comes after a write may take some.
const CREATE: &str = "redis.call('XDEL', KEYS[1], '0-0')
    local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
    if made.err and not string.find(made.err, 'BUSYGROUP') then return made end
    return 1";
/// Deletes a consumer that has nothing: what it has would go with it, and belong to no sender.
const LEAVE: &str = "if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    return 1";

/// Has what a consumer holds count as moved now, and lists what it has: in one step, so that nothing is taken from those who
/// have taken it over. A group that is gone is said to be so by its own error, whatever the version of Redis.
const TOUCH: &str = "local held = {}
    for at = 4, #ARGV do held[ARGV[at]] = true end
    local own = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[3], ARGV[2])
    if own.err then return own end
    for _, entry in ipairs(own) do
        if held[entry[1]] then redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry[1], 'JUSTID') end
    end
    return own";
/// Has an entry of a consumer be of another one.
const MOVE_OWN: &str = "local own = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
    if own.err then return own end
    if #own == 0 then return 0 end
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[4], 0, ARGV[3], 'IDLE', ARGV[5], 'RETRYCOUNT', ARGV[6], 'JUSTID')
    return 1";

/// An event that is to be sent.
pub struct Held {
    /// Its id in the stream.
    pub id: String,
    /// Its number in the queue of bulkd.
    pub entry: i64,
    /// The event, as it stands there, and as it was read.
    pub event: String,
    pub envelope: Arc<Envelope>,
    /// How often it was tried, and failed.
    pub failed_tries: u32,
    pub state: State,
    /// Others have taken it over.
    pub is_lost: bool,
}

pub enum State {
    /// To be sent, not before this.
    Waiting(Option<Instant>),
    /// Being sent, since then.
    Sending(Instant),
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

/// What is held, for the group to know of it.
#[derive(Default)]
pub struct HeldIds {
    /// What its sender is at, or will be.
    pub at_work: HashSet<String>,
    /// What has been sent for so long that it counts as lost.
    pub stuck: HashSet<String>,
}

impl HeldIds {
    pub fn has(&self, id: &str) -> bool {
        self.at_work.contains(id) || self.stuck.contains(id)
    }
}

/// What was found in the stream.
pub enum Found {
    Event(Held),
    Unreadable(Unreadable),
}

/// An entry that is no event.
pub struct Unreadable {
    pub id: String,
    pub entry: i64,
    pub event: String,
    /// As far as that could be read. What has none is said of no message: another program has put it there.
    pub event_id: Option<String>,
    pub error: String,
}

/// The group's own view: who has an entry, and how often it was tried.
type Pending = Vec<(String, String, u64, u64)>;

/// The consumer group, as one of its consumers sees it.
pub struct Group {
    pub keys: Keys,
    /// The consumer's name.
    pub name: String,
    /// Whoever has not moved for so long has lost what it has.
    pub claim_after: Duration,
    /// When it was last asked whether what is held still is.
    pub touched: Mutex<Option<Instant>>,
}

/// A consumer of the group that has something, or has had.
pub struct Consumer {
    pub name: String,
    pub has_pending: bool,
    /// For how long it has not asked for anything.
    pub idle: Duration,
}

impl Consumer {
    /// The channel for whose senders it has something.
    pub fn channel(&self) -> Option<&str> {
        self.name.strip_prefix(OF_CHANNEL)
    }
}

impl Group {
    /// Whether what is held is surely not taken over by others yet: nothing else is sent.
    pub fn is_sure(&self, now: Instant) -> bool {
        let touched = *self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.is_some_and(|at| now.saturating_duration_since(at) < self.claim_after * 2 / 3)
    }

    pub fn set_touched(&self, at: Instant) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Makes the group, if there is none. It begins with the first entry: what was brought to an end is not there.
    pub fn create(&self, link: &mut Link) -> Answer<()> {
        let mut create = redis::cmd("EVAL");
        create.arg(CREATE).arg(1).arg(&self.keys.outbox).arg(SENDERS);
        link.ask(&create)
    }

    /// Takes new entries, for which it waits so long.
    pub fn take(&self, link: &mut Link, wait: Duration) -> Answer<Vec<Found>> {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(SENDERS).arg(&self.name).arg("COUNT").arg(TAKEN_AT_ONCE);
        // Redis takes no wait for a wait without an end.
        let millis = wait.as_millis();
        if millis > 0 {
            read.arg("BLOCK").arg(u64::try_from(millis).unwrap_or(u64::MAX));
        }
        read.arg("STREAMS").arg(&self.keys.outbox).arg(">");
        let found: ByStream = link.ask(&read)?;
        let entries = found.into_iter().flatten().flat_map(|(_, entries)| entries);
        Ok(entries.map(|it| read_entry(it.0, &texts(&it.1), 0)).collect())
    }

    /// Says of what is held that it is still being worked on. Returns what it has in the group; `None` if that is more than was
    /// looked at. With it comes what it has there and does not hold.
    pub fn touch(&self, link: &mut Link, ids: &HeldIds) -> Answer<(Option<HashSet<String>>, Vec<Found>)> {
        let most = ids.at_work.len() + ids.stuck.len() + UNKNOWN;
        let mut touch = redis::cmd("EVAL");
        touch.arg(TOUCH).arg(1).arg(&self.keys.outbox).arg(SENDERS).arg(&self.name).arg(most);
        for id in &ids.at_work {
            touch.arg(id);
        }
        let own: Pending = link.ask(&touch)?;
        let is_whole = own.len() < most;
        let (at_work, others): (Pending, Pending) = own.into_iter().partition(|it| ids.at_work.contains(&it.0));
        // From an earlier life under the same name.
        let (stuck, unknown): (Pending, Pending) = others.into_iter().partition(|it| ids.stuck.contains(&it.0));
        let found = self.claim(link, &unknown, Duration::ZERO)?;
        let own = at_work.into_iter().chain(stuck).map(|it| it.0);
        Ok((is_whole.then(|| own.collect()), found))
    }

    /// The other consumers.
    pub fn others(&self, link: &mut Link) -> Answer<Vec<Consumer>> {
        let mut ask = redis::cmd("XINFO");
        ask.arg("CONSUMERS").arg(&self.keys.outbox).arg(SENDERS);
        let consumers: Vec<HashMap<String, redis::Value>> = link.ask(&ask)?;
        let read = |told: HashMap<String, redis::Value>| {
            let text = |name: &str| told.get(name).and_then(|it| redis::from_redis_value_ref::<String>(it).ok());
            let idle = Duration::from_millis(text("idle")?.parse().ok()?);
            Some(Consumer { name: text("name")?, has_pending: text("pending")? != "0", idle })
        };
        Ok(consumers.into_iter().filter_map(read).filter(|it| it.name != self.name).collect())
    }

    /// Takes over what one of them has not moved for long, or has given away.
    pub fn claim_of(&self, link: &mut Link, consumer: &str, most: usize) -> Answer<Vec<Found>> {
        let left = self.pending(link, consumer, self.claim_after, most)?;
        self.claim(link, &left, self.claim_after)
    }

    /// The same of what is there for the senders of a channel.
    pub fn claim_of_channel(&self, link: &mut Link, channel: &str, most: usize) -> Answer<Vec<Found>> {
        self.claim_of(link, &format!("{OF_CHANNEL}{channel}"), most)
    }

    /// Hands on what is held here: to whoever delivers its channel, or to whoever comes first.
    pub fn hand_on(&self, commands: &mut Pipeline, held: &Held, channel: Option<&str>) {
        let to = channel.map_or_else(|| RELEASED.to_owned(), |channel| format!("{OF_CHANNEL}{channel}"));
        self.move_own(commands, held, &to, LONG_AGO_MILLIS);
    }

    /// Writes down how often an entry was tried.
    pub fn note_tries(&self, commands: &mut Pipeline, held: &Held) {
        self.move_own(commands, held, &self.name, 0);
    }

    /// Has an entry be of another consumer, as one that was not moved for so long, unless others have taken it over.
    fn move_own(&self, commands: &mut Pipeline, held: &Held, to: &str, idle_millis: u64) {
        let command = commands.cmd("EVAL").arg(MOVE_OWN).arg(1).arg(&self.keys.outbox).arg(SENDERS).arg(&self.name);
        command.arg(&held.id).arg(to).arg(idle_millis).arg(u64::from(held.failed_tries) + 1).ignore();
    }

    /// What came of entries, to be written down by this consumer.
    pub fn outcomes(&self) -> Outcomes<'_> {
        Outcomes::new(&self.keys, &self.name)
    }

    /// Leaves the group, if nothing is left under the name.
    pub fn leave(&self, link: &mut Link) -> Answer<()> {
        self.remove(link, &self.name).map(drop)
    }

    /// Deletes a consumer that has nothing. Returns whether it had nothing.
    pub fn remove(&self, link: &mut Link, consumer: &str) -> Answer<bool> {
        let mut leave = redis::cmd("EVAL");
        leave.arg(LEAVE).arg(1).arg(&self.keys.outbox).arg(SENDERS).arg(consumer);
        link.ask(&leave)
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
    fn claim(&self, link: &mut Link, entries: &Pending, idle: Duration) -> Answer<Vec<Found>> {
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
        let counts: HashMap<&str, u64> = entries.iter().map(|it| (it.0.as_str(), it.3)).collect();
        // Another program may have written any number.
        let failed =
            |id: &str| u32::try_from(counts.get(id).copied().unwrap_or(1).saturating_sub(1)).unwrap_or(u32::MAX);
        let taken = |(id, fields): Entry| {
            let failed_tries = failed(&id);
            read_entry(id, &texts(&fields), failed_tries)
        };
        Ok(claimed.into_iter().flatten().flatten().map(taken).collect())
    }
}

fn read_entry(id: String, fields: &[String], failed_tries: u32) -> Found {
    #[derive(Deserialize)]
    struct EventId {
        id: String,
    }
    let entry = entry_of(&id).unwrap_or_default();
    let event = field(fields, EVENT).unwrap_or_default().to_owned();
    match serde_json::from_str(&event) {
        Ok(envelope) => {
            let (envelope, state) = (Arc::new(envelope), State::Waiting(None));
            Found::Event(Held { id, entry, event, envelope, failed_tries, state, is_lost: false })
        }
        Err(error) => {
            let event_id = serde_json::from_str::<EventId>(&event).ok().map(|it| it.id).filter(|id| !id.is_empty());
            Found::Unreadable(Unreadable { id, entry, event, event_id, error: error.to_string() })
        }
    }
}
