//! Faults that a test asks for: which request is hit, and what becomes of its answer. They live in the process.
//!
//! It is exact which request is hit: the n-th of those that a fault matches, counted from when it was set. A share of
//! requests is drawn from a seed, so that the same requests are hit each time.

mod rate_limits;
mod spec;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::http::Request;
use crate::model::environment::Environment;

pub use rate_limits::{LIMITS, RateLimits};
pub use spec::{
    BODY_BYTES, DELAY_MILLIS, Effect, Ending, Fault, HEADER, HEADERS, METHODS, NAME_CHARS, PATH_CHARS, PERCENT,
    PRESETS, STATUSES, When,
};

/// Faults of an environment, at most.
const FAULTS: usize = 100;
/// Faults of all environments, at most: each may hold a body.
const ALL_FAULTS: usize = 1_000;

/// The faults of all environments.
#[derive(Default)]
pub struct Faults {
    /// How many there are. Without any, a request takes no lock.
    count: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the hash of the environment's key.
    of: HashMap<[u8; 32], Vec<Standing>>,
    last: u64,
}

/// A fault that was set, and how far it has come.
struct Standing {
    number: u64,
    fault_id: String,
    fault: Arc<Fault>,
    seen: u64,
    fired: u64,
}

/// The fault that a request has met.
#[derive(Clone)]
pub struct Hit {
    pub fault_id: String,
    pub fault: Arc<Fault>,
}

impl Faults {
    /// Sets a fault, and returns it as it is shown.
    pub fn add(&self, environment: &Environment, fault: Fault) -> Result<Value> {
        let mut state = self.state();
        if self.count.load(Ordering::Relaxed) >= ALL_FAULTS
            || state.of.get(&environment.key_hash).is_some_and(|all| all.len() >= FAULTS)
        {
            let problem = format!("there are {FAULTS} faults already; remove some (/_bulkd/faults)");
            return Err(Error::conflict(problem));
        }
        state.last += 1;
        let (number, fault_id) = (state.last, format!("fault-{}", state.last));
        let standing = Standing { number, fault_id, fault: fault.into(), seen: 0, fired: 0 };
        let shown = standing.shown();
        state.of.entry(environment.key_hash).or_default().push(standing);
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(shown)
    }

    /// The faults of an environment from this number on, in the order in which they were set, each with its number.
    pub fn list(&self, environment: &Environment, unfired_only: bool, from: u64) -> Vec<(u64, Value)> {
        let state = self.state();
        let all = state.of.get(&environment.key_hash).into_iter().flatten().filter(|it| it.number >= from);
        all.filter(|it| it.fired == 0 || !unfired_only).map(|it| (it.number, it.shown())).collect()
    }

    pub fn find(&self, environment: &Environment, fault_id: &str) -> Option<Value> {
        let state = self.state();
        let found = state.of.get(&environment.key_hash)?.iter().find(|it| it.fault_id == fault_id);
        found.map(Standing::shown)
    }

    /// False if there is none with this id.
    pub fn remove(&self, environment: &Environment, fault_id: &str) -> bool {
        self.retain(environment, |it| it.fault_id != fault_id) > 0
    }

    pub fn clear(&self, environment: &Environment) {
        self.retain(environment, |_| false);
    }

    /// Keeps some, and returns how many were removed.
    fn retain(&self, environment: &Environment, keeps: impl FnMut(&Standing) -> bool) -> usize {
        let mut state = self.state();
        let Some(all) = state.of.get_mut(&environment.key_hash) else { return 0 };
        let before = all.len();
        all.retain(keeps);
        let gone = before - all.len();
        if all.is_empty() {
            state.of.remove(&environment.key_hash);
        }
        self.count.fetch_sub(gone, Ordering::Relaxed);
        gone
    }

    /// The fault that hits a request. All that match the request count it, and the first that is due hits.
    pub fn meet(&self, environment: &Environment, request: &Request) -> Option<Hit> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let all: Vec<(String, Arc<Fault>)> = {
            let state = self.state();
            let all = state.of.get(&environment.key_hash)?.iter();
            all.map(|it| (it.fault_id.clone(), it.fault.clone())).collect()
        };
        // A body may be long: it is compared without the lock.
        let matched = all.into_iter().filter(|(_, fault)| fault.matches(request)).map(|(fault_id, _)| fault_id);
        let matched: Vec<String> = matched.collect();
        let mut state = self.state();
        let mut hit = None;
        for standing in state.of.get_mut(&environment.key_hash)?.iter_mut() {
            if matched.contains(&standing.fault_id) && standing.meet(hit.is_none()) {
                hit = Some(Hit { fault_id: standing.fault_id.clone(), fault: standing.fault.clone() });
            }
        }
        hit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// Counts a request that it matches. True if the request is hit. With `may_hit` false it only counts: another fault
    /// has hit already.
    fn meet(&mut self, may_hit: bool) -> bool {
        self.seen += 1;
        let is_left = self.fault.times.is_none_or(|times| self.fired < times);
        let hits = may_hit && is_left && self.seen >= self.fault.call && self.fault.draws(self.seen);
        self.fired += u64::from(hits);
        hits
    }

    fn shown(&self) -> Value {
        let mut shown = Map::new();
        shown.insert("fault_id".to_owned(), json!(self.fault_id));
        shown.extend(self.fault.members.clone());
        shown.insert("seen".to_owned(), json!(self.seen));
        shown.insert("fired".to_owned(), json!(self.fired));
        shown.insert("left".to_owned(), json!(self.fault.times.map(|times| times - self.fired.min(times))));
        Value::Object(shown)
    }
}
