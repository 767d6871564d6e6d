//! What passed here and would hurt at Courier: noted where it is seen, logged once, and shown by the doctor.
//!
//! Findings live in the process, by environment. A check has a count and a few examples, so that memory is bounded.

mod checks;
mod lines;
mod outcomes;
mod remembered;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::clock::{Clock, Timestamp};
use crate::error::shown_up_to;
use crate::model::environment::Environment;
use lines::{LINES, Lines, SPAN};
use remembered::Remembered;

pub use checks::{About, Check, Level};
pub use outcomes::{OUTCOMES, OutcomeCheck};

/// Examples of a check.
const EXAMPLES: usize = 5;
/// Characters of one.
const CHARACTERS: usize = 1_000;
/// The most environments with findings. With more, those without a new one for the longest time are forgotten.
const ENVIRONMENTS: usize = 5_000;

/// The findings of all environments.
pub struct Findings {
    clock: Clock,
    remembered: Remembered,
    /// What was logged: what concerns all environments is logged once.
    logged: Remembered,
    lines: Lines,
    of: Mutex<HashMap<[u8; 32], Vec<Finding>>>,
    hear: OnceLock<Hear>,
}

/// Is called with a new finding.
type Hear = Box<dyn Fn(&Environment, Check, &str) + Send + Sync>;

/// What one check has found.
#[derive(Clone, Debug)]
pub struct Finding {
    pub check: Check,
    pub count: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub examples: Vec<Example>,
}

/// One occurrence.
#[derive(Clone, Debug)]
pub struct Example {
    pub at: Timestamp,
    pub what: String,
    /// The method and the path of the request that caused it, if there is one.
    pub request: Option<String>,
}

impl Findings {
    pub fn new(clock: Clock) -> Self {
        Findings {
            clock,
            remembered: Remembered::default(),
            logged: Remembered::default(),
            lines: Lines::default(),
            of: Mutex::default(),
            hear: OnceLock::new(),
        }
    }

    /// Calls `hear` with each new finding. May be set once.
    pub fn on_new(&self, hear: impl Fn(&Environment, Check, &str) + Send + Sync + 'static) {
        let _ = self.hear.set(Box::new(hear));
    }

    /// Notes a finding. What it is about, such as a job, is logged and shown once, and counted each time.
    pub fn note(
        &self,
        environment: &Environment,
        check: Check,
        about: impl Hash,
        request: Option<&str>,
        what: impl FnOnce() -> String,
    ) {
        let is_new = self.remembered.is_new((environment.key_hash, check, about));
        let what = is_new.then(what);
        if let Some(what) = &what
            && self.logged.is_new(([0; 32], check, what))
        {
            self.log(check, what);
        }
        self.count(environment, check, request, what);
    }

    /// Notes a finding about something without a name, such as a send: it is logged each time, and shown once.
    pub fn note_each(&self, environment: &Environment, check: Check, request: Option<&str>, what: String) {
        self.log(check, &what);
        let is_new = self.remembered.is_new((environment.key_hash, check, &what));
        self.count(environment, check, request, Some(what).filter(|_| is_new));
    }

    fn log(&self, check: Check, what: &str) {
        match self.lines.take(check, Instant::now()) {
            None => {}
            Some(0) => log::warn!("{what}"),
            Some(left_out) => {
                let (name, seconds) = (check.name(), SPAN.as_secs());
                log::warn!(
                    "{left_out} lines about {name} were left out: there were more than {LINES} within {seconds} seconds"
                );
                log::warn!("{what}");
            }
        }
    }

    /// Counts a finding, and keeps it if it is new.
    fn count(&self, environment: &Environment, check: Check, request: Option<&str>, what: Option<String>) {
        if let (Some(what), Some(hear)) = (&what, self.hear.get()) {
            hear(environment, check, what);
        }
        let now = self.clock.now();
        let mut of = self.of();
        if !of.contains_key(&environment.key_hash) {
            forget_oldest(&mut of);
        }
        let findings = of.entry(environment.key_hash).or_default();
        let place = findings.iter().position(|it| it.check == check).unwrap_or(findings.len());
        if place == findings.len() {
            findings.push(Finding { check, count: 0, first_at: now, last_at: now, examples: Vec::new() });
        }
        let Some(finding) = findings.get_mut(place) else { return };
        (finding.count, finding.last_at) = (finding.count + 1, now);
        if let Some(what) = what.filter(|_| finding.examples.len() < EXAMPLES) {
            let request = request.map(|it| shown_up_to(it, CHARACTERS).to_string());
            let what = shown_up_to(&what, CHARACTERS).to_string();
            finding.examples.push(Example { at: now, what, request });
        }
    }

    /// The findings of an environment, the worst first.
    pub fn list(&self, environment: &Environment) -> Vec<Finding> {
        let mut findings = self.of().get(&environment.key_hash).cloned().unwrap_or_default();
        findings.sort_by_key(|it| std::cmp::Reverse(it.check.about().level));
        findings
    }

    pub fn clear(&self, environment: &Environment) {
        self.of().remove(&environment.key_hash);
        self.remembered.forget(environment.key_hash);
    }

    /// The findings of all environments in one line, the worst first. Empty if there are none. `counted` are those that
    /// are counted from the file.
    pub fn summary(&self, counted: &[(Check, u64)]) -> String {
        let of = self.of();
        let mut counts: Vec<(Check, u64)> = counted.iter().filter(|(_, count)| *count > 0).copied().collect();
        for finding in of.values().flatten() {
            match counts.iter_mut().find(|(check, _)| *check == finding.check) {
                Some((_, count)) => *count += finding.count,
                None => counts.push((finding.check, finding.count)),
            }
        }
        counts.sort_by_key(|(check, count)| std::cmp::Reverse((check.about().level, *count)));
        let texts: Vec<String> = counts.iter().map(|(check, count)| format!("{} ({count})", check.name())).collect();
        texts.join(", ")
    }

    fn of(&self) -> MutexGuard<'_, HashMap<[u8; 32], Vec<Finding>>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for one more environment, by removing many at a time.
fn forget_oldest(of: &mut HashMap<[u8; 32], Vec<Finding>>) {
    if of.len() < ENVIRONMENTS {
        return;
    }
    let last = |findings: &Vec<Finding>| findings.iter().map(|it| it.last_at).max().unwrap_or_default();
    let mut times: Vec<Timestamp> = of.values().map(last).collect();
    times.sort_unstable();
    let limit = times.get(ENVIRONMENTS / 2).copied().unwrap_or_default();
    let mut left = ENVIRONMENTS / 2;
    of.retain(|_, findings| {
        // Many may have been noted at the same moment.
        let keeps = last(findings) >= limit && left > 0;
        left -= usize::from(keeps);
        keeps
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_check_is_counted_and_has_few_examples_and_environments_are_forgotten() {
        let clock = ManualClock::at(0);
        let findings = Findings::new(Clock::Manual(clock));
        let acme = Environment::of_key("acme");
        for i in 0..20 {
            findings.note(&acme, Check::NoEvent, i, Some("POST /bulk"), || "x".repeat(5_000));
            findings.note(&acme, Check::ContentType, "same", None, || "same".to_owned());
        }
        let found = findings.list(&acme);
        assert_eq!(
            found.iter().map(|it| (it.check, it.count)).collect::<Vec<_>>(),
            [(Check::NoEvent, 20), (Check::ContentType, 20)]
        );
        assert_eq!((found[0].examples.len(), found[1].examples.len()), (EXAMPLES, 1));
        assert_eq!(found[0].examples[0].what.chars().count(), CHARACTERS + 1);
        findings.clear(&acme);
        assert!(findings.list(&acme).is_empty());
        findings.note(&acme, Check::ContentType, "same", None, || "again".to_owned());
        assert_eq!(findings.list(&acme)[0].examples[0].what, "again");
        for i in 0..2 * ENVIRONMENTS {
            findings.note(&Environment::of_key(&i.to_string()), Check::NoEvent, i, None, String::new);
        }
        assert!(findings.of().len() <= ENVIRONMENTS);
    }
}
