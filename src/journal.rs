//! The journal: the last requests of each environment, with their answers. It lives in the process.
//!
//! A request costs it copies of the beginnings of two bodies. Heads are shared with the request, and are parsed only
//! when the journal is read.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::http::Head;
use crate::model::environment::Environment;

/// Requests of an environment.
pub const ENTRIES: usize = 1_000;
/// Bytes of a body that are kept.
pub const BODY_BYTES: usize = 4 * 1024;
/// Bytes of an environment's requests.
const ENVIRONMENT_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of the requests of all environments. Beyond that, environments without a request for the longest time are
/// forgotten.
const ALL_BYTES: usize = 64 * 1024 * 1024;
/// What an entry takes besides its head and bodies.
const ENTRY_BYTES: usize = 512;

/// More requests for one thing within a second than this are fast polling.
const LOOKS: usize = 10;
const LOOKS_MILLIS: i64 = 1_000;

/// The beginning of a body, and how long the whole is.
#[derive(Clone, Debug, Default)]
pub struct Beginning {
    pub bytes: Box<[u8]>,
    pub length: usize,
}

impl Beginning {
    pub fn of(body: &[u8], length: usize) -> Self {
        let kept = body.len().min(BODY_BYTES);
        Beginning { bytes: body.get(..kept).unwrap_or_default().into(), length }
    }

    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.length
    }
}

/// What a request has come to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub status: Option<u16>,
    /// Those of a fault.
    pub headers: Vec<(String, String)>,
    pub body: Beginning,
}

impl Outcome {
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status < 300)
    }
}

/// A fault that has hit a request.
#[derive(Clone, Debug)]
pub struct MetFault {
    pub fault_id: String,
    pub name: Option<String>,
    /// How its answer did not arrive, if it did not.
    pub ending: Option<&'static str>,
    pub delay_ms: u64,
}

/// A request.
#[derive(Clone)]
pub struct Entry {
    /// Counts all requests of the process, from 1.
    pub number: u64,
    pub at: Timestamp,
    pub taken: Duration,
    pub head: Arc<Head>,
    /// `None` if there is no such route.
    pub route: Option<&'static str>,
    pub sent: Beginning,
    /// What its work came to. A fault may have kept that from the client.
    pub made: Outcome,
    /// What the client got, if that is something else. Without a status it got nothing.
    pub told: Option<Outcome>,
    pub fault: Option<MetFault>,
    pub is_replayed: bool,
}

impl Entry {
    fn bytes(&self) -> usize {
        let header = |(name, value): &(String, String)| name.len() + value.len();
        let of_told = |told: &Outcome| told.body.bytes.len() + told.headers.iter().map(header).sum::<usize>();
        let told = self.told.as_ref().map_or(0, of_told);
        ENTRY_BYTES + self.head.held_bytes() + self.sent.bytes.len() + self.made.body.bytes.len() + told
    }
}

/// The last requests of all environments.
#[derive(Default)]
pub struct Journal(Mutex<State>);

#[derive(Default)]
struct State {
    /// By the hash of the environment's key.
    of: HashMap<[u8; 32], Ring>,
    bytes: usize,
    last: u64,
}

#[derive(Default)]
struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// When fast polling was last reported.
    polled_at: Option<Timestamp>,
}

/// What the journal finds about a request that it has recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    pub number: u64,
    /// Whether it is one of many in a second for the same thing. That is reported once a second for an environment.
    pub is_polled_fast: bool,
}

impl Journal {
    /// Records a request. `is_look`: it is of a kind that clients poll.
    pub fn add(&self, environment: &Environment, mut entry: Entry, is_look: bool) -> Added {
        let mut gone = Vec::new();
        let mut state = self.state();
        state.last += 1;
        entry.number = state.last;
        let bytes = entry.bytes();
        let ring = state.of.entry(environment.key_hash).or_default();
        let before = ring.bytes;
        ring.bytes += bytes;
        let is_polled_fast = is_look && ring.is_polled_fast_by(&entry);
        if is_polled_fast {
            ring.polled_at = Some(entry.at);
        }
        ring.entries.push_back(entry);
        while ring.entries.len() > ENTRIES || ring.bytes > ENVIRONMENT_BYTES && ring.entries.len() > 1 {
            let Some(oldest) = ring.entries.pop_front() else { break };
            ring.bytes -= oldest.bytes();
            gone.push(oldest);
        }
        let after = ring.bytes;
        state.bytes = state.bytes + after - before;
        let number = state.last;
        let forgotten = if state.bytes > ALL_BYTES { state.forget_oldest() } else { Vec::new() };
        // What was removed is freed without the lock.
        drop(state);
        drop((gone, forgotten));
        Added { number, is_polled_fast }
    }

    /// Reads an environment's requests, the newest first, until `looks` returns false.
    pub fn each(&self, environment: &Environment, mut look: impl FnMut(&Entry) -> bool) {
        let state = self.state();
        let entries = state.of.get(&environment.key_hash).into_iter().flat_map(|ring| ring.entries.iter().rev());
        for entry in entries {
            if !look(entry) {
                return;
            }
        }
    }

    pub fn clear(&self, environment: &Environment) {
        let mut state = self.state();
        let gone = state.of.remove(&environment.key_hash);
        state.bytes -= gone.as_ref().map_or(0, |ring| ring.bytes);
        drop(state);
        drop(gone);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Whether a request, together with those before it, is one too many in a second for the same thing.
    fn is_polled_fast_by(&self, entry: &Entry) -> bool {
        let since = |at: Timestamp| entry.at.millis().saturating_sub(at.millis());
        let is_recent = |before: &&Entry| since(before.at) < LOOKS_MILLIS;
        // Mostly it was reported already, or there were too few requests at all.
        if self.polled_at.is_some_and(|at| (0..LOOKS_MILLIS).contains(&since(at)))
            || self.entries.iter().nth_back(LOOKS - 1).filter(is_recent).is_none()
        {
            return false;
        }
        let (method, path) = (&entry.head.method, entry.head.path());
        let same = |before: &&Entry| before.head.method == *method && before.head.path() == path;
        self.entries.iter().rev().take(4 * LOOKS).take_while(is_recent).filter(same).count() >= LOOKS
    }
}

impl State {
    /// Removes environments, those without a request for the longest time first, until there is some room.
    fn forget_oldest(&mut self) -> Vec<Ring> {
        let last = |ring: &Ring| ring.entries.back().map_or(0, |entry| entry.number);
        let mut all: Vec<(u64, [u8; 32])> = self.of.iter().map(|(key_hash, ring)| (last(ring), *key_hash)).collect();
        all.sort_unstable();
        // The newest one stays.
        all.pop();
        let mut gone = Vec::new();
        for (_, key_hash) in all {
            if self.bytes <= ALL_BYTES / 4 * 3 {
                break;
            }
            if let Some(ring) = self.of.remove(&key_hash) {
                self.bytes -= ring.bytes;
                gone.push(ring);
            }
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, body: usize) -> Entry {
        let head = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
        let (head, _) = Head::parse(head.as_bytes()).unwrap().unwrap();
        let sent = Beginning::of(&vec![b'x'; body], body);
        Entry {
            number: 0,
            at: Timestamp(0),
            taken: Duration::ZERO,
            head: head.into(),
            route: None,
            sent,
            made: Outcome::default(),
            told: None,
            fault: None,
            is_replayed: false,
        }
    }

    #[test]
    fn what_is_held_has_a_bound_of_an_environment_and_of_all() {
        let journal = Journal::default();
        let acme = Environment::of_key("acme");
        for i in 0..3 * ENTRIES {
            journal.add(&acme, entry(&format!("/{i}"), 3 * BODY_BYTES), false);
        }
        let mut paths = Vec::new();
        journal.each(&acme, |entry| {
            assert!(entry.sent.is_cut() && entry.sent.bytes.len() == BODY_BYTES);
            paths.push(entry.head.path().to_owned());
            true
        });
        assert_eq!((paths.len(), paths[0].as_str()), (ENTRIES, "/2999"));
        for i in 0..40_000 {
            journal.add(&Environment::of_key(&(i / 100).to_string()), entry("/", BODY_BYTES), false);
            assert!(journal.state().bytes <= ALL_BYTES);
        }
        let state = journal.state();
        assert_eq!(state.bytes, state.of.values().map(|ring| ring.bytes).sum::<usize>());
        assert!(!state.of.contains_key(&acme.key_hash) && state.of.len() > 50, "{}", state.of.len());
        drop(state);
        journal.clear(&Environment::of_key("399"));
        let state = journal.state();
        assert_eq!(state.bytes, state.of.values().map(|ring| ring.bytes).sum::<usize>());
    }
    #[test]
    fn more_looks_than_ten_in_a_second_are_told_of_once_a_second() {
        let journal = Journal::default();
        let acme = Environment::of_key("acme");
        let look = |path: &str, millis: i64| {
            let entry = Entry { at: Timestamp(millis), ..entry(path, 0) };
            journal.add(&acme, entry, true).is_polled_fast
        };
        // Ten in a second, of one thing and of several.
        assert!((0..10).all(|i| !look("/a", 100 * i)) && !look("/a", 1_000));
        assert!((0..20).all(|i| !look(["/b", "/c"][i % 2], 3_000)));
        assert!((0..10).all(|_| !look("/a", 5_000)) && look("/a", 5_000));
        assert!((0..20).all(|_| !look("/a", 5_999)) && look("/a", 6_000));
    }
}
