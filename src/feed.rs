//! What happens in an environment, sent to the streams that follow it (`GET /_bulkd/events`). One thread reads the rows
//! for all streams, at most ten times a second and less often for many, and collects what has happened meanwhile. A
//! stream costs no thread. One whose reader does not keep up is told so, and holds up no other.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::http::{Reply, StreamWriter};
use crate::model::environment::Environment;
use crate::model::row::JobRow;
use crate::outage::Outage;
use crate::store::news::{self, JobState, Told};
use crate::store::{Bell, Store, environment};
use crate::threads;

/// The pause for each event that was sent: no stream gets more than ten in a second. With more streams than this, the
/// pause grows with their number, so that they cost others no more.
const PACE: Duration = Duration::from_millis(100);
const PACED_STREAMS: usize = 32;
/// After so long without an event a stream gets an empty comment, so that a peer that has gone is noticed.
const SILENCE: Duration = Duration::from_secs(15);
/// Without streams: a bell rings when one begins.
const LONG: Duration = Duration::from_secs(3600);
/// The most things of one kind that an event names. The others are counted.
const NAMED: usize = 20;
/// The most events of an environment that can be sent again, and their bytes.
const KEPT: usize = 1_024;
const KEPT_BYTES: usize = 1024 * 1024;
/// How long they are kept after the last stream has ended, and for how many environments.
const KEPT_TIME: Duration = Duration::from_secs(300);
const KEPT_CHANNELS: usize = 64;
/// Bytes that a stream may be behind. Then it gets nothing more until it has caught up.
const BEHIND_BYTES: usize = 64 * 1024;

/// The streams, and the thread that feeds them.
pub struct Feed {
    store: Arc<Store>,
    bell: Bell,
    /// Environments that are followed. Without any, nothing is noted.
    followed: AtomicUsize,
    streams: AtomicUsize,
    is_stopping: AtomicBool,
    /// Tells the event ids of this process from those of others.
    tag: u64,
    channels: Mutex<HashMap<[u8; 32], Channel>>,
}

/// An environment that is followed.
struct Channel {
    environment: Environment,
    streams: Vec<Stream>,
    /// Since when it has had no stream.
    deserted: Option<Instant>,
    /// The id of the last event.
    last: u64,
    kept: VecDeque<(u64, Arc<str>)>,
    kept_bytes: usize,
    /// What was noted since the last event, by the kind of event.
    noted: BTreeMap<&'static str, Noted>,
    jobs: HashMap<JobRow, JobState>,
    told: Told,
}

struct Stream {
    writer: StreamWriter,
    is_behind: bool,
}

#[derive(Default)]
struct Noted {
    items: Vec<Value>,
    more: u64,
}

/// What was found in the rows.
struct News {
    jobs: Vec<(JobRow, JobState)>,
    messages: news::Messages,
    told: Told,
}

impl Feed {
    pub fn start(store: Arc<Store>) -> Result<(Arc<Self>, JoinHandle<()>)> {
        let feed = Arc::new(Feed {
            bell: store.news_bell().clone(),
            store,
            followed: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            is_stopping: AtomicBool::new(false),
            tag: RandomState::new().build_hasher().finish(),
            channels: Mutex::default(),
        });
        let running = feed.clone();
        let thread = threads::spawn_service(Builder::new().name("events".to_owned()), move || running.run());
        let thread = thread.map_err(|error| Error::startup(format!("a thread cannot be started: {error}")))?;
        Ok((feed, thread))
    }

    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.bell.ring();
    }

    /// How many streams are open.
    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// Whether anything is to be [noted](Feed::note).
    pub fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Relaxed) > 0
    }

    /// Includes something in the next event of this kind. `make` is called only if the environment is followed.
    pub fn note(&self, environment: &Environment, kind: &'static str, make: impl FnOnce() -> Value) {
        if !self.is_followed() {
            return;
        }
        if let Some(channel) = self.channels().get_mut(&environment.key_hash) {
            let noted = channel.noted.entry(kind).or_default();
            match noted.items.len() < NAMED {
                true => noted.items.push(make()),
                false => noted.more += 1,
            }
        } else {
            return;
        }
        self.bell.ring();
    }

    /// Opens a stream of an environment's events. `after` is the id of the last one that its reader has.
    pub fn open(&self, environment: &Environment, after: Option<&str>) -> Result<Reply> {
        // Events count from here on. The rows are not read under the lock.
        let (found, told) = self.store.read(|db| Ok((look(db, environment, None)?, news::now(db)?)))?;
        let mut channels = self.channels();
        let begin = || Channel::new(environment, found.jobs, told);
        let channel = channels.entry(environment.key_hash).or_insert_with(begin);
        let (reply, writer) = Reply::stream("text/event-stream");
        writer.write(channel.beginning(self.tag, after));
        channel.streams.push(Stream { writer, is_behind: false });
        channel.deserted = None;
        self.count(&channels);
        drop(channels);
        self.bell.ring();
        Ok(reply)
    }

    fn run(&self) {
        let outage = Outage::new("events are not told");
        let mut spoken = Instant::now();
        loop {
            let heard = self.bell.rung();
            if self.is_stopping.load(Ordering::SeqCst) {
                // Dropping its writer ends a stream.
                self.channels().clear();
                return;
            }
            let is_silent = spoken.elapsed() >= SILENCE;
            let sent = match threads::catch(|| self.turn(is_silent)) {
                Some(Ok(sent)) => {
                    outage.succeeded();
                    sent
                }
                Some(Err(error)) => {
                    outage.failed(error);
                    10
                }
                None => 10,
            };
            if sent > 0 || is_silent {
                spoken = Instant::now();
            }
            let is_stopping = || self.is_stopping.load(Ordering::SeqCst);
            self.bell.pause(pace(sent, self.streams()), is_stopping);
            let waits = if self.is_followed() { SILENCE } else { LONG };
            self.bell.wait(heard, waits);
        }
    }

    /// Sends what has happened. Returns the most events that this took in an environment.
    fn turn(&self, is_silent: bool) -> Result<usize> {
        if !self.is_followed() {
            return Ok(0);
        }
        let followed: Vec<(Environment, Told)> =
            self.channels().values().map(|channel| (channel.environment.clone(), channel.told)).collect();
        let news = self.store.read(|db| {
            followed.iter().map(|(environment, told)| look(db, environment, Some(*told))).collect::<Result<Vec<_>>>()
        })?;
        let mut channels = self.channels();
        let mut most = 0;
        for ((environment, _), news) in followed.iter().zip(news) {
            if let Some(channel) = channels.get_mut(&environment.key_hash) {
                channel.take(news);
                most = most.max(channel.tell(self.tag));
                if is_silent {
                    channel.streams.retain(|stream| stream.writer.write(":\n\n"));
                }
            }
        }
        desert(&mut channels);
        self.count(&channels);
        Ok(most)
    }

    fn count(&self, channels: &HashMap<[u8; 32], Channel>) {
        self.followed.store(channels.len(), Ordering::Relaxed);
        self.streams.store(channels.values().map(|channel| channel.streams.len()).sum(), Ordering::Relaxed);
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<[u8; 32], Channel>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to pause after so many events to so many streams.
fn pace(sent: usize, streams: usize) -> Duration {
    let share = streams.max(PACED_STREAMS) as f64 / PACED_STREAMS as f64;
    (PACE * u32::try_from(sent.max(1)).unwrap_or(1)).mul_f64(share)
}

/// Forgets environments that have had no stream for a while.
fn desert(channels: &mut HashMap<[u8; 32], Channel>) {
    let now = Instant::now();
    for channel in channels.values_mut().filter(|channel| channel.streams.is_empty()) {
        channel.deserted.get_or_insert(now);
    }
    channels.retain(|_, channel| channel.deserted.is_none_or(|since| since.elapsed() < KEPT_TIME));
    let mut deserted: Vec<_> = channels.iter().filter_map(|(key, it)| Some((it.deserted?, *key))).collect();
    deserted.sort_unstable();
    let too_many = deserted.len().saturating_sub(KEPT_CHANNELS);
    deserted.iter().take(too_many).for_each(|(_, key)| drop(channels.remove(key)));
}

fn look(db: &crate::store::Db<'_>, of: &Environment, told: Option<Told>) -> Result<News> {
    let row = environment::find_or_nothing(db, of)?;
    let jobs = news::jobs(db, row)?;
    let (messages, told) = match told {
        Some(told) => news::messages(db, row, told)?,
        None => (news::Messages::default(), Told::default()),
    };
    Ok(News { jobs, messages, told })
}

impl Channel {
    fn new(environment: &Environment, jobs: Vec<(JobRow, JobState)>, told: Told) -> Self {
        Channel {
            environment: environment.clone(),
            streams: Vec::new(),
            deserted: None,
            last: 0,
            kept: VecDeque::new(),
            kept_bytes: 0,
            noted: BTreeMap::new(),
            jobs: jobs.into_iter().collect(),
            told,
        }
    }

    /// What a stream begins with: the events that its reader has missed, or a notice that they are not known any more.
    fn beginning(&self, tag: u64, after: Option<&str>) -> String {
        let known = after.map(|after| {
            let (of, id) = after.trim().split_once('-')?;
            let id: u64 = id.parse().ok()?;
            let first = self.kept.front().map_or(self.last + 1, |(id, _)| *id);
            (u64::from_str_radix(of, 16) == Ok(tag) && (first..=self.last + 1).contains(&(id + 1))).then_some(id)
        });
        let mut text = "retry: 1000\n\n".to_owned();
        match known {
            None => text.push_str(&event("ready", tag, self.last, &json!({}))),
            Some(None) => text.push_str(&event("resync", tag, self.last, &json!({ "reason": "unknown" }))),
            Some(Some(id)) => {
                self.kept.iter().filter(|(kept, _)| *kept > id).for_each(|(_, event)| text.push_str(event));
            }
        }
        text
    }

    /// Notes what has changed.
    fn take(&mut self, news: News) {
        let known = std::mem::take(&mut self.jobs);
        for (job, state) in &news.jobs {
            if known.get(job) != Some(state) {
                let noted = self.noted.entry("job").or_default();
                match noted.items.len() < NAMED {
                    true => noted.items.push(json!({
                        "job_id": state.job_id, "kind": state.kind, "status": state.status,
                        "received": state.received, "enqueued": state.enqueued, "failures": state.failures,
                    })),
                    false => noted.more += 1,
                }
            }
        }
        self.jobs = news.jobs.into_iter().collect();
        let messages = news.messages;
        if messages.count > 0 || !messages.changed.is_empty() {
            let changed = |(id, status): &(String, String)| json!({ "message_id": id, "status": status });
            let changed: Vec<Value> = messages.changed.iter().map(changed).collect();
            let told = json!({ "count": messages.count, "newest": messages.newest, "changed": changed });
            self.noted.entry("message").or_default().items.push(told);
        }
        self.told = news.told;
    }

    /// Sends an event for each kind that has news.
    fn tell(&mut self, tag: u64) -> usize {
        let noted = std::mem::take(&mut self.noted);
        let mut told = 0;
        for (kind, Noted { mut items, more }) in noted {
            let data = match kind {
                "message" => items.pop().unwrap_or_default(),
                "doctor" => json!({ "findings": items, "more": more }),
                _ => json!({ format!("{kind}s"): items, "more": more }),
            };
            self.last += 1;
            let text: Arc<str> = event(kind, tag, self.last, &data).into();
            self.kept_bytes += text.len();
            self.kept.push_back((self.last, text.clone()));
            while self.kept.len() > KEPT || self.kept_bytes > KEPT_BYTES {
                self.kept_bytes -= self.kept.pop_front().map_or(0, |(_, text)| text.len());
            }
            self.streams.retain_mut(|stream| stream.tell(&text));
            told += 1;
        }
        let last = self.last;
        self.streams.retain_mut(|stream| stream.catch_up(tag, last));
        told
    }
}

impl Stream {
    /// False if its reader has gone.
    fn tell(&mut self, text: &str) -> bool {
        self.is_behind |= self.writer.ahead_bytes() > BEHIND_BYTES;
        // An empty write tells whether there is a reader.
        self.writer.write(if self.is_behind { "" } else { text })
    }

    /// Tells a reader that has read everything that events were left out.
    fn catch_up(&mut self, tag: u64, last: u64) -> bool {
        if !self.is_behind || self.writer.ahead_bytes() > 0 {
            return true;
        }
        self.is_behind = false;
        self.writer.write(event("resync", tag, last, &json!({ "reason": "behind" })))
    }
}

fn event(kind: &str, tag: u64, id: u64, data: &Value) -> String {
    format!("event: {kind}\nid: {tag:x}-{id}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_falls_behind_is_told_so_when_it_has_caught_up_and_others_miss_nothing() {
        let mut channel = Channel::new(&Environment::of_key("acme"), Vec::new(), Told::default());
        let mut open = || {
            let (reply, writer) = Reply::stream("text/event-stream");
            channel.streams.push(Stream { writer, is_behind: false });
            let Reply::Stream(stream) = reply else { panic!("no stream") };
            stream
        };
        let (slow, fast) = (open(), open());
        let mut heard = String::new();
        for number in 0..200 {
            let item = json!({ "number": number, "text": "x".repeat(1_000) });
            channel.noted.entry("request").or_default().items.push(item);
            channel.tell(1);
            heard.push_str(&fast.read());
        }
        let told = |text: &str| text.matches("event: request\n").count();
        assert_eq!((told(&heard), heard.contains("resync")), (200, false));
        // What it has not read is bounded, and it reads whole events.
        let late = slow.read();
        let count = told(&late);
        assert!((60..70).contains(&count) && late.len() < BEHIND_BYTES + 2_000, "{count}");
        assert!(late.contains(&format!("\"number\":{}", count - 1)) && !late.contains("resync"));
        // Then it is told that events were left out, and goes on from there.
        channel.tell(1);
        assert!(slow.read().starts_with("event: resync\nid: 1-200\ndata: {\"reason\":\"behind\"}\n"));
        assert_eq!(fast.read(), "");
        channel.noted.entry("request").or_default().items.push(json!({ "number": 200 }));
        channel.tell(1);
        assert!(slow.read().contains("\"number\":200"));
    }
}
