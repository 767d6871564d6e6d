//! Time passes, clocks are set, machines sleep: what waits has its turn when it should.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::receiver::Receiver;
use crate::support::{Customer, Daemon, NOW, json, open_file, readers, seed, sized, wait_until};
use bulkd::settings::{Keep, KeepSpan};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Before the second attempt to deliver an event, the third, and so on.
const RETRIES: [i64; 9] = [5, 10, 20, 40, 60, 120, 240, 480, 720];
/// How long an idempotency key lives.
const KEY_LIFE: i64 = 25 * HOUR;
/// How long jobs are kept in a year of clock.
const KEEP: i64 = 7 * DAY;

fn span(millis: i64) -> Duration {
    Duration::from_millis(millis.try_into().unwrap())
}

fn iso(millis: i64) -> String {
    bulkd::clock::Timestamp(millis).iso()
}

/// Sends to a user, and returns the message's id.
fn send(customer: &Customer, to: &str, more: Value) -> String {
    let mut message =
        json!({ "to": { "user_id": to, "email": "a@example.com" }, "content": { "title": "Hi", "body": "Hello" } });
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

/// When messages are due that wait, by their recipients.
fn delayed(daemon: &Daemon) -> BTreeMap<String, i64> {
    let file = open_file(&daemon.database());
    let mut rows = file.prepare("SELECT recipient, due_at FROM delayed JOIN messages USING (number)").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Attempts so far and the instant of the next one, of events that have failed, by the recipients of their messages.
fn retried(daemon: &Daemon) -> BTreeMap<String, (usize, i64)> {
    let file = open_file(&daemon.database());
    let sql = "SELECT recipient, attempts, next_at FROM webhook_events JOIN messages USING (number)
               WHERE webhook_events.status = 'PENDING' AND attempts > 0";
    let mut rows = file.prepare(sql).unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Takes an event about the recipient `flaky-N-...` at the attempt after N that it has refused, and any other at once.
fn receiver() -> Receiver {
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    Receiver::start(move |call| {
        let recipient = call.data("recipientId").as_str().unwrap().to_owned();
        let wanted = recipient.split('-').nth(1).filter(|_| recipient.starts_with("flaky-"));
        let refusals = refused.entry(recipient.clone()).or_default();
        let refuses = wanted.is_some_and(|wanted| *refusals < wanted.parse().unwrap());
        *refusals += usize::from(refuses);
        if refuses { 503 } else { 200 }
    })
}

#[test]
fn a_clock_that_is_set_back_keeps_no_message_waiting_that_waits_for_a_span() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(json!({
        "message": { "content": { "title": "Hi", "body": "Hello" }, "delay": { "duration": 2 * HOUR } },
    }));
    // More than are corrected at a time.
    for first in [0, 1_000, 2_000] {
        customer.ingest(&job_id, readers(first, 1_000));
    }
    customer.run_to_the_end(&job_id);
    send(&customer, "ada", json!({ "delay": { "until": iso(NOW + 2 * HOUR) } }));
    send(&customer, "sim", json!({ "to": { "user_id": "sim", "email": "delay@simulator.bulkd" } }));
    daemon.clock.advance(span(30 * SECOND));
    daemon.clock.set_back(span(HOUR));
    let now = NOW + 30 * SECOND - HOUR;
    // Those made from now on were told by the clock as it is.
    send(&customer, "bob", json!({ "delay": { "duration": 2 * HOUR } }));
    let mut expected: BTreeMap<String, i64> =
        (0..3_000).map(|i| (format!("reader-{i}"), now + 2 * HOUR - 30 * SECOND)).collect();
    expected.insert("ada".to_owned(), NOW + 2 * HOUR);
    expected.insert("sim".to_owned(), now + 30 * SECOND);
    expected.insert("bob".to_owned(), now + 2 * HOUR);
    wait_until("they are due as long after now as before", || delayed(&daemon) == expected);
    let waiting = |count: usize| wait_until(&format!("{count} wait"), || delayed(&daemon).len() == count);
    daemon.clock.advance(span(30 * SECOND));
    waiting(3_002);
    daemon.clock.advance(span(2 * HOUR - MINUTE));
    waiting(2);
    daemon.clock.advance(span(MINUTE / 2));
    waiting(1);
    daemon.clock.advance(span(HOUR));
    waiting(0);
}

#[test]
fn a_retry_waits_no_longer_when_the_clock_is_set_back() {
    let (daemon, receiver) = (Daemon::start(), receiver());
    let customer = daemon.customer("acme");
    customer.post("/_bulkd/webhooks", &json!({ "url": receiver.url() })).ok(201);
    send(&customer, "flaky-2", json!({}));
    let is = |attempts: usize, next_at: i64| {
        wait_until(&format!("attempt {attempts} has failed"), || {
            retried(&daemon) == BTreeMap::from([("flaky-2".to_owned(), (attempts, next_at))])
        });
    };
    is(1, NOW + 5 * SECOND);
    daemon.clock.set_back(span(DAY));
    is(1, NOW - DAY + 5 * SECOND);
    daemon.clock.advance(span(5 * SECOND));
    is(2, NOW - DAY + 15 * SECOND);
    daemon.clock.advance(span(10 * SECOND));
    wait_until("it is delivered", || retried(&daemon).is_empty());
}

#[test]
fn what_waits_for_a_span_waits_no_longer_than_that_after_a_start() {
    let (mut daemon, receiver) = (Daemon::start(), receiver());
    let customer = daemon.customer("acme");
    customer.post("/_bulkd/webhooks", &json!({ "url": receiver.url() })).ok(201);
    send(&customer, "flaky-9", json!({ "delay": { "duration": HOUR } }));
    send(&customer, "ada", json!({ "delay": { "until": iso(NOW + HOUR) } }));
    let attempted = |next_at: i64| BTreeMap::from([("flaky-9".to_owned(), (1, next_at))]);
    wait_until("an attempt has failed", || retried(&daemon) == attempted(NOW + 5 * SECOND));
    daemon.stop();
    daemon.clock.set_back(span(DAY));
    daemon.open();
    let now = NOW - DAY;
    wait_until("the retry waits from now on", || retried(&daemon) == attempted(now + 5 * SECOND));
    // A second more or less is not looked at.
    let expected = BTreeMap::from([("flaky-9".to_owned(), now + HOUR + SECOND), ("ada".to_owned(), NOW + HOUR)]);
    wait_until("the message waits from now on", || delayed(&daemon) == expected);
}

/// A message that waits.
struct Waiting {
    id: String,
    /// What is left of its span, or the instant.
    until: Until,
}

#[derive(Clone, Copy)]
enum Until {
    /// Milliseconds that are left, and all of them.
    Passed(i64, i64),
    Instant(i64),
}

/// An event that was refused.
struct Refused {
    /// Attempts so far, and those that are refused all in all.
    attempts: usize,
    refusals: usize,
    left: i64,
}

/// What must have happened by now, and what is still to come.
struct Ledger {
    now: i64,
    messages: BTreeMap<String, Waiting>,
    events: BTreeMap<String, Refused>,
    /// What was answered under a key, and until when that is kept.
    keys: BTreeMap<String, (Value, i64)>,
    /// When the users' tokens expire.
    tokens: BTreeMap<String, i64>,
    /// What was sent at once, and how much time had passed by then: it is kept for a time, whatever the clock says.
    kept: BTreeMap<String, i64>,
}

impl Ledger {
    fn due_at(&self, waiting: &Waiting) -> i64 {
        match waiting.until {
            Until::Passed(left, _) => self.now + left,
            Until::Instant(at) => at,
        }
    }

    /// Time passes. Returns the messages that are sent by then.
    fn pass(&mut self, millis: i64) -> Vec<String> {
        self.now += millis;
        let now = self.now;
        let mut sent = Vec::new();
        self.messages.retain(|_, it| {
            let is_due = match &mut it.until {
                Until::Passed(left, _) => {
                    *left -= millis;
                    *left <= 0
                }
                Until::Instant(at) => *at <= now,
            };
            if is_due {
                sent.push(it.id.clone());
            }
            !is_due
        });
        self.events.retain(|_, it| {
            it.left -= millis;
            if it.left > 0 {
                return true;
            }
            it.attempts += 1;
            it.left = RETRIES.get(it.attempts - 1).map_or(0, |seconds| seconds * SECOND);
            it.attempts <= it.refusals
        });
        sent
    }

    /// The clock is set back while no daemon runs that could notice.
    fn set_back_unnoticed(&mut self, millis: i64) {
        self.now -= millis;
        for it in self.messages.values_mut() {
            if let Until::Passed(left, all) = &mut it.until {
                *left = (*left + millis).min((*all + SECOND).max(*left));
            }
        }
        for it in self.events.values_mut() {
            it.left = (it.left + millis).min(RETRIES[it.attempts - 1] * SECOND);
        }
    }

    fn delayed(&self) -> BTreeMap<String, i64> {
        self.messages.iter().map(|(recipient, it)| (recipient.clone(), self.due_at(it))).collect()
    }

    fn retried(&self) -> BTreeMap<String, (usize, i64)> {
        self.events.iter().map(|(recipient, it)| (recipient.clone(), (it.attempts, self.now + it.left))).collect()
    }

    /// When something happens next.
    fn next(&self) -> Option<i64> {
        let messages = self.messages.values().map(|it| self.due_at(it) - self.now);
        messages.chain(self.events.values().map(|it| it.left)).min()
    }
}

/// Delays, retries, keys, tokens and retention over days or a year, in which the clock jumps back and forth, the machine sleeps and
/// the daemon is started again. The ledger tells to the millisecond what must be so after each step.
#[test]
fn a_year_of_clock_passes_as_the_ledger_says() {
    let seed = seed();
    println!("BULKD_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let receiver = receiver();
    let span_kept = KeepSpan::parse("7d").unwrap();
    let mut daemon = Daemon::start_with(|config| config.keep = Keep { span: Some(span_kept), messages: None });
    let mut customer = daemon.customer("acme");
    customer.post("/_bulkd/webhooks", &json!({ "url": receiver.url() })).ok(201);
    let mut ledger = Ledger {
        now: NOW,
        messages: BTreeMap::new(),
        events: BTreeMap::new(),
        keys: BTreeMap::new(),
        tokens: BTreeMap::new(),
        kept: BTreeMap::new(),
    };
    let (mut passed, mut step) = (0, 0);
    while passed < sized(14 * DAY, 366 * DAY) {
        step += 1;
        let now = ledger.now;
        for i in 0..random.random_range(0..3) {
            let name = format!("{step}-{i}");
            match random.random_range(0..7) {
                0 | 1 => {
                    let longest = if random.random() { MINUTE } else { 20 * DAY };
                    let millis = random.random_range(1..longest);
                    let id = send(&customer, &name, json!({ "delay": { "duration": millis } }));
                    ledger.messages.insert(name, Waiting { id, until: Until::Passed(millis, millis) });
                }
                2 => {
                    let at = now + random.random_range(1..10 * DAY);
                    let id = send(&customer, &name, json!({ "delay": { "until": iso(at) } }));
                    ledger.messages.insert(name, Waiting { id, until: Until::Instant(at) });
                }
                3 => {
                    let refusals = random.random_range(1..=RETRIES.len());
                    let name = format!("flaky-{refusals}-{name}");
                    send(&customer, &name, json!({}));
                    ledger.events.insert(name, Refused { attempts: 1, refusals, left: RETRIES[0] * SECOND });
                }
                4 => {
                    let id = send(&customer, &name, json!({}));
                    ledger.kept.insert(id, passed);
                }
                5 => {
                    let created = customer.once(&name).post("/bulk", &json!({ "message": { "event": "e" } })).ok(201);
                    ledger.keys.insert(name, (created, now + KEY_LIFE));
                }
                _ => {
                    let at = now + random.random_range(1..10 * DAY);
                    let token = json!({ "provider_key": "firebase-fcm", "expiry_date": iso(at) });
                    customer.put(&format!("/users/{name}/tokens/t"), &token).done();
                    ledger.tokens.insert(name, at);
                }
            }
        }
        // The webhook has a turn for each commit: what it was refused is written down before the clock moves on.
        let as_told = |daemon: &Daemon, ledger: &Ledger, what: &str| {
            wait_until(&format!("step {step}, {what}: seed {seed}: messages wait as they should"), || {
                delayed(daemon) == ledger.delayed()
            });
            wait_until(&format!("step {step}, {what}: seed {seed}: retries wait as they should"), || {
                retried(daemon) == ledger.retried()
            });
        };
        as_told(&daemon, &ledger, "before");
        match random.random_range(0..13) {
            // The clock is set back, by seconds or by days. No message is late for it.
            0 | 1 => {
                let longest = if random.random() { MINUTE } else { 3 * DAY };
                let millis = random.random_range(1..longest);
                daemon.clock.set_back(span(millis));
                ledger.now -= millis;
                as_told(&daemon, &ledger, "set back");
            }
            2 => {
                daemon.stop();
                if random.random() {
                    let millis = random.random_range(1..2 * DAY);
                    daemon.clock.set_back(span(millis));
                    ledger.set_back_unnoticed(millis);
                }
                daemon.open();
                customer = daemon.customer("acme");
                as_told(&daemon, &ledger, "started");
            }
            // It is ahead for a while, and then back: what was due by it is sent, and nothing is dropped.
            12 => {
                let millis = random.random_range(DAY..400 * DAY);
                daemon.clock.set_forward(span(millis));
                ledger.pass(millis);
                as_told(&daemon, &ledger, "ahead");
                let while_ahead = random.random_range(1..HOUR / 2);
                daemon.clock.advance(span(while_ahead));
                passed += while_ahead;
                ledger.pass(while_ahead);
                as_told(&daemon, &ledger, "still ahead");
                daemon.clock.set_back(span(millis));
                ledger.now -= millis;
                as_told(&daemon, &ledger, "back");
            }
            // Time passes: up to when something happens, or any time. A sleep of the machine and a clock that is set
            // forward are no more than that.
            kind => {
                let millis = match (kind, ledger.next()) {
                    (3..8, Some(next)) => next.max(1) - i64::from(next > 1 && random.random::<bool>()),
                    (8..10, _) => random.random_range(1..HOUR),
                    _ => random.random_range(1..2 * DAY),
                };
                daemon.clock.advance(span(millis));
                passed += millis;
                let sent = ledger.pass(millis);
                as_told(&daemon, &ledger, "later");
                for id in sent {
                    let record = customer.get(&format!("/messages/{id}")).ok(200);
                    assert_eq!((&record["status"], &record["sent"]), (&json!("SENT"), &json!(ledger.now)), "{seed}");
                }
            }
        }
        let now = ledger.now;
        // What goes by the clock itself. Each is asked about once it is over, and some before.
        let (mut keys, mut tokens) = (Vec::new(), Vec::new());
        keys.extend(ledger.keys.iter().filter(|(_, (_, until))| *until <= now).map(|(key, _)| key.clone()));
        tokens.extend(ledger.tokens.iter().filter(|(_, until)| **until <= now).map(|(user, _)| user.clone()));
        if random.random_range(0..4) == 0 {
            keys.extend(ledger.keys.keys().next().cloned());
            tokens.extend(ledger.tokens.keys().next().cloned());
        }
        for key in keys {
            let Some((answer, until)) = ledger.keys.get(&key) else { continue };
            let again = customer.once(&key).post("/bulk", &json!({ "message": { "event": "e" } })).ok(201);
            assert_eq!(again == *answer, now < *until, "the key {key}: seed {seed}");
            if now >= *until {
                ledger.keys.remove(&key);
            }
        }
        for user in tokens {
            let Some(until) = ledger.tokens.get(&user) else { continue };
            let to = json!({ "to": { "user_id": user }, "routing": { "method": "single", "channels": ["push"] } });
            let id = send(&customer, "nobody", to);
            let record = customer.get(&format!("/messages/{id}")).ok(200);
            let expected = if now < *until { "SENT" } else { "UNROUTABLE" };
            assert_eq!(record["status"], expected, "the token of {user}: seed {seed}");
            if now >= *until {
                ledger.tokens.remove(&user);
            }
        }
        // What is kept for a time and then dropped is not dropped before. When it is depends on how often the clock jumped.
        let young = ledger.kept.iter().filter(|(_, at)| passed - **at < KEEP);
        for (id, at) in young.sample(&mut random, 3) {
            let there = customer.get(&format!("/messages/{id}")).status;
            assert_eq!(there, 200, "step {step}: a message of {} h: seed {seed}", (passed - at) / HOUR);
        }
    }
    let mut kept: Vec<String> = ledger.kept.into_keys().collect();
    wait_until("all is old and gone", || {
        daemon.clock.advance(span(DAY));
        kept.retain(|id| customer.get(&format!("/messages/{id}")).status != 404);
        kept.is_empty()
    });
    daemon.stop();
    bulkd::store::check::check(&daemon.database()).unwrap();
}
