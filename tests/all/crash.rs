//! What a crash leaves behind: all that was acknowledged, nothing twice, and a file with which the next start goes on.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use crate::support::binary::{Binary, bulkd, check};
use crate::support::{
    Customer, PATIENCE, Reply, json, newsletter, open_file, seed, setting, sized, unheard, wait_until,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tempfile::TempDir;

/// Times that a file's daemon is killed before the next file is begun.
const KILLS_OF_A_FILE: usize = 20;
/// Answers to wait for, at the most: before a large job is run, and from then to the kill.
const ANSWERS: usize = 60;
const ANSWERS_AMID_A_JOB: usize = 15;
/// Users of the large job, and users in one of its calls.
const HAUL: usize = 8_000;
const HAUL_CALL: usize = 2_000;

/// A folder with one file, on which daemons are started.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("bulkd.db")
    }

    fn command(&self, more: &[&str]) -> Command {
        let database = self.database();
        let mut command = bulkd(&[&["--listen", ":0", "--db", database.to_str().unwrap()], more].concat());
        command.current_dir(self.0.path());
        command
    }

    #[track_caller]
    fn daemon(&self) -> Binary {
        Binary::start_by(&mut self.command(&[]))
    }

    /// Asserts that `bulkd check` finds the file sound, and returns how many jobs, users, messages and failures it saw.
    #[track_caller]
    fn check(&self) -> [usize; 4] {
        let checked = check(&self.database());
        let (_, counts) = checked.split_once(" is sound: ").unwrap();
        let numbers = counts.split_whitespace().filter_map(|word| word.parse().ok());
        numbers.collect::<Vec<usize>>().try_into().unwrap()
    }

    /// The one value that a query yields.
    fn ask<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        open_file(&self.database()).query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn recipient(name: &str, number: usize) -> String {
    format!("{name}-{number}")
}

/// One user in ten cannot be addressed.
fn is_spoiled(number: usize) -> bool {
    number % 10 == 3
}

fn users(name: &str, numbers: Range<usize>) -> Vec<Value> {
    let user = |number| {
        let recipient = recipient(name, number);
        let email = if is_spoiled(number) { json!(5) } else { json!(format!("{recipient}@example.com")) };
        let data = json!({ "name": recipient, "odd": number % 2 == 1, "tags": [number, "x".repeat(number % 100)] });
        json!({ "recipient": recipient, "profile": { "email": email }, "data": data })
    };
    numbers.map(user).collect()
}

/// A definition with variables, and one with blocks.
fn definition(blocks: bool) -> Value {
    let title = "{{#if odd}}Odd {{name}}{{else}}Even {{name}}{{/if}}";
    let content = json!({ "title": title, "body": "{{#each tags}}<{{this}}>{{/each}}" });
    if blocks { json!({ "message": { "content": content } }) } else { newsletter() }
}

/// The subject and the body that such a user gets of such a job.
fn rendered(blocks: bool, name: &str, number: usize) -> (String, String) {
    let name = recipient(name, number);
    match blocks {
        true => (
            format!("{} {name}", if number % 2 == 1 { "Odd" } else { "Even" }),
            format!("<{number}><{}>", "x".repeat(number % 100)),
        ),
        false => (format!("Hello {name}"), "Week 12".to_owned()),
    }
}

/// Asserts that a job has these users in this order, those of an acknowledged call all, those of another all or none,
/// and that either every user had one turn or none had any. Returns how many users and messages there are.
#[track_caller]
fn assert_one_turn_each(
    customer: &Customer,
    job_id: &str,
    (name, blocks): (&str, bool),
    calls: &[(Range<usize>, bool)],
) -> [usize; 2] {
    let (job, users) = (customer.job(job_id), customer.users(job_id));
    let outbox = customer.outbox_with("message_id,recipient,subject,body", job_id);
    let mut numbers = Vec::new();
    for (call, acknowledged) in calls {
        let is_there = users.get(numbers.len()).is_some_and(|user| user["recipient"] == recipient(name, call.start));
        assert!(is_there || !acknowledged, "{call:?} of {job_id} is lost");
        numbers.extend(call.clone().filter(|_| is_there));
    }
    assert_eq!((&job["received"], users.len()), (&json!(numbers.len()), numbers.len()), "{job_id}");
    let spoiled = numbers.iter().filter(|number| is_spoiled(**number)).count();
    let is_drained = match job["status"].as_str() {
        Some("COMPLETED") => true,
        Some("CREATED") => false,
        _ => panic!("{job}"),
    };
    let (enqueued, failures) = if is_drained { (numbers.len() - spoiled, spoiled) } else { (0, 0) };
    assert_eq!((&job["enqueued"], &job["failures"]), (&json!(enqueued), &json!(failures)), "{job_id}");
    assert_eq!(outbox.len(), enqueued, "{job_id}");
    let mut messages = outbox.iter();
    for (user, number) in users.iter().zip(numbers) {
        assert_eq!((&user["recipient"], &user["data"]["tags"][0]), (&json!(recipient(name, number)), &json!(number)));
        if !is_drained {
            assert_eq!(user["status"], "PENDING", "{user}");
        } else if is_spoiled(number) {
            assert_eq!(user["status"], "ERROR", "{user}");
        } else {
            let message = messages.next().unwrap();
            assert_eq!((user["status"].as_str(), &user["messageId"]), (Some("ENQUEUED"), &message["message_id"]));
            let (subject, body) = rendered(blocks, name, number);
            let expected = json!({ "recipient": user["recipient"], "subject": subject, "body": body });
            expected.as_object().unwrap().iter().for_each(|(column, value)| assert_eq!(&message[column], value));
        }
    }
    [users.len(), outbox.len()]
}

/// What was seen, and how often.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    fn add(&mut self, what: &'static str, count: usize) {
        *self.0.entry(what).or_default() += count;
    }
}

/// What a request asks for.
#[derive(Debug)]
enum What {
    Create,
    Ingest(Range<usize>),
    Run,
}

/// What was asked for, under which idempotency key, and what was answered.
struct Entry {
    what: What,
    key: Option<String>,
    answer: Option<Reply>,
}

/// A job as its client knows it.
struct Job {
    blocks: bool,
    job_id: Option<String>,
    entries: Vec<Entry>,
}

/// A time from a start to a kill, as a client sees it.
#[derive(Clone)]
struct Round<'a> {
    address: SocketAddr,
    answered: Sender<()>,
    over: &'a AtomicBool,
}

/// A client that asks for one thing after the other, and keeps a ledger.
struct Client {
    name: String,
    rng: StdRng,
    jobs: Vec<Job>,
    users: usize,
    keys: usize,
    /// The job whose last entry has no answer.
    unanswered: Option<usize>,
    tally: Tally,
}

impl Client {
    fn new(index: usize, seed: u64) -> Self {
        Client {
            name: format!("client-{index}"),
            rng: StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(index as u64)),
            jobs: Vec::new(),
            users: 0,
            keys: 0,
            unanswered: None,
            tally: Tally::default(),
        }
    }

    /// Some share an environment.
    fn customer(&self, address: SocketAddr) -> Customer {
        Customer::new(address, if self.name.ends_with(['0', '2', '4', '6', '8']) { "acme" } else { "globex" })
    }

    /// Enters what is asked for next, of a job that is known or of a new one; returns the job.
    fn enter(&mut self, job: Option<usize>, what: What) -> usize {
        let key = self.rng.random_bool(0.5).then(|| format!("{}-{}", self.name, self.keys));
        self.keys += 1;
        let job = job.unwrap_or_else(|| {
            self.jobs.push(Job { blocks: self.rng.random(), job_id: None, entries: Vec::new() });
            self.jobs.len() - 1
        });
        self.jobs[job].entries.push(Entry { what, key, answer: None });
        job
    }

    fn enter_users(&mut self, job: usize, count: usize) -> usize {
        let numbers = self.users..self.users + count;
        self.users = numbers.end;
        self.enter(Some(job), What::Ingest(numbers))
    }

    fn enter_anything(&mut self) -> usize {
        let open: Vec<usize> = (0..self.jobs.len()).filter(|job| self.jobs[*job].is_open()).collect();
        match self.rng.random_range(0..10) {
            kind if open.is_empty() || kind == 0 && open.len() < 3 => self.enter(None, What::Create),
            kind => {
                let job = open[self.rng.random_range(0..open.len())];
                let count = if kind == 1 { 1_000 } else { self.rng.random_range(1..100) };
                if kind == 2 { self.enter(Some(job), What::Run) } else { self.enter_users(job, count) }
            }
        }
    }

    /// Prepares a job that takes a while.
    fn fill(&mut self, round: &Round) -> usize {
        let customer = self.customer(round.address);
        let job = self.enter(None, What::Create);
        assert!(self.send(job, &customer, round));
        for _ in (0..HAUL).step_by(HAUL_CALL) {
            self.enter_users(job, HAUL_CALL);
            assert!(self.send(job, &customer, round));
        }
        job
    }

    fn run(&mut self, job: usize, round: &Round) {
        self.enter(Some(job), What::Run);
        assert!(self.send(job, &self.customer(round.address), round));
    }

    /// Asks for one thing after the other until no answer comes. What got none in the round before may be asked for
    /// again.
    fn load(&mut self, round: &Round) {
        let customer = self.customer(round.address);
        let again = self.unanswered.filter(|job| self.jobs[*job].can_be_asked_again() && self.rng.random_bool(0.75));
        let mut job = again.unwrap_or_else(|| self.enter_anything());
        self.unanswered = again;
        while self.send(job, &customer, round) {
            job = self.enter_anything();
        }
    }

    /// Sends the last entry of a job; false if no answer came.
    fn send(&mut self, job: usize, customer: &Customer, round: &Round) -> bool {
        let in_time = !round.over.load(Ordering::SeqCst);
        let again = self.unanswered.take().is_some();
        let entry = self.jobs[job].entries.len() - 1;
        let Ok(reply) = self.jobs[job].post(entry, &self.name, customer) else {
            assert!(round.over.load(Ordering::SeqCst), "a request was not answered, though the daemon was not killed");
            self.tally.add("requests cut off", usize::from(in_time));
            self.unanswered = Some(job);
            return false;
        };
        let was_done = self.jobs[job].acknowledge(reply, again);
        if again {
            self.tally.add("requests sent again", 1);
            self.tally.add("of these done before", usize::from(was_done));
        }
        let _ = round.answered.send(());
        true
    }

    /// Compares the ledger with what a daemon has.
    fn audit(&mut self, address: SocketAddr) {
        let customer = self.customer(address);
        for job in &self.jobs {
            job.audit(&self.name, &customer, &mut self.tally);
        }
    }
}

impl Job {
    fn is_open(&self) -> bool {
        self.job_id.is_some() && !self.entries.iter().any(|entry| matches!(entry.what, What::Run))
    }

    /// Without a key, to ask for a job again is to ask for another.
    fn can_be_asked_again(&self) -> bool {
        self.job_id.is_some() || self.entries[0].key.is_some()
    }

    /// Sends an entry, for the first time or again.
    fn post(&self, entry: usize, name: &str, customer: &Customer) -> Result<Reply, ureq::Error> {
        let Entry { what, key, .. } = &self.entries[entry];
        let customer = key.as_ref().map_or_else(|| customer.clone(), |key| customer.once(key));
        let job_id = self.job_id.as_deref().unwrap_or_default();
        let (path, body) = match what {
            What::Create => ("/bulk".to_owned(), json!({ "message": definition(self.blocks) })),
            What::Ingest(numbers) => {
                let mut users = users(name, numbers.clone());
                users.push(users[0].clone());
                (format!("/bulk/{job_id}"), json!({ "users": users }))
            }
            What::Run => (format!("/bulk/{job_id}/run"), json!({})),
        };
        customer.try_send("POST", &path, Some(&body.to_string()))
    }

    /// Enters the answer to the last entry, which has to be a success, or to tell that the request was done before.
    /// Returns which of these it is.
    fn acknowledge(&mut self, reply: Reply, again: bool) -> bool {
        let entry = self.entries.last_mut().unwrap();
        let unkeyed_again = again && entry.key.is_none();
        let replayed = reply.header("x-bulkd-replayed").is_some();
        assert!(!replayed || again && !unkeyed_again, "{reply:?}");
        let mut was_done = replayed;
        match &entry.what {
            What::Create => self.job_id = Some(reply.ok(201)["jobId"].as_str().unwrap().to_owned()),
            What::Ingest(numbers) => {
                let answer = reply.ok(200);
                let counts = (answer["total"].as_u64().unwrap() as usize, answer["errors"].as_array().unwrap().len());
                was_done |= unkeyed_again && counts == (0, numbers.len() + 1);
                assert!(counts == (numbers.len(), 1) || unkeyed_again && was_done, "{numbers:?}: {reply:?}");
            }
            What::Run if unkeyed_again && reply.status == 400 => {
                assert!(reply.refused(400).contains("this job was run already"), "{reply:?}");
                was_done = true;
            }
            What::Run => assert_eq!(reply.ok(202), json!({})),
        }
        entry.answer = Some(reply);
        was_done
    }

    fn audit(&self, name: &str, customer: &Customer, tally: &mut Tally) {
        let Some(job_id) = &self.job_id else { return };
        let run = self.entries.iter().find(|entry| matches!(entry.what, What::Run));
        let is_run = run.is_some_and(|run| run.answer.is_some()) || customer.job(job_id)["status"] != "CREATED";
        assert!(run.is_some() || !is_run, "{job_id} was not run");
        if is_run {
            customer.completed(job_id);
            tally.add("jobs completed", 1);
        }
        let call = |entry: &Entry| match &entry.what {
            What::Ingest(numbers) => Some((numbers.clone(), entry.answer.is_some())),
            _ => None,
        };
        let calls: Vec<_> = self.entries.iter().filter_map(call).collect();
        let [users, messages] = assert_one_turn_each(customer, job_id, (name, self.blocks), &calls);
        for (i, entry) in self.entries.iter().enumerate() {
            if let (Some(_), Some(before)) = (&entry.key, &entry.answer) {
                let now = self.post(i, name, customer).unwrap();
                assert_eq!((now.status, &now.text), (before.status, &before.text), "{:?} of {job_id}", entry.what);
                assert_eq!(now.header("x-bulkd-replayed"), Some("true"), "{:?} of {job_id}", entry.what);
                tally.add("answers replayed", 1);
            }
        }
        tally.add("jobs", 1);
        tally.add("users", users);
        tally.add("messages", messages);
    }
}

/// Kills the daemons on one file again and again, each under load, and looks everything over at the end.
fn kill_again_and_again(kills: usize, clients: usize, seed: u64, tally: &mut Tally) {
    let folder = Folder::new();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut hauler = Client::new(0, seed);
    let mut clients: Vec<Client> = (1..=clients).map(|index| Client::new(index, seed)).collect();
    let mut daemon = folder.daemon();
    for _ in 0..kills {
        let (answered, answers) = channel();
        let over = AtomicBool::new(false);
        let round = Round { address: daemon.address(), answered, over: &over };
        let haul = hauler.fill(&round);
        answers.try_iter().for_each(drop);
        std::thread::scope(|scope| {
            for client in &mut clients {
                let round = round.clone();
                scope.spawn(move || client.load(&round));
            }
            let mut wait_for_answers = |most| {
                for _ in 0..rng.random_range(1..=most) {
                    answers.recv_timeout(PATIENCE).expect("no client was answered in time");
                }
            };
            wait_for_answers(ANSWERS);
            hauler.run(haul, &round);
            wait_for_answers(ANSWERS_AMID_A_JOB);
            // A kill may come at any moment, and not only where an answer has just been read.
            std::thread::park_timeout(Duration::from_micros(rng.random_range(0..2_000)));
            over.store(true, Ordering::SeqCst);
            daemon.kill();
        });
        folder.check();
        let unfinished: usize = folder.ask("SELECT count(*) FROM jobs WHERE status = 'PROCESSING'");
        tally.add("kills", 1);
        tally.add("kills amid a job", usize::from(unfinished > 0));
        daemon = folder.daemon();
    }

    clients.push(hauler);
    clients.iter_mut().for_each(|client| client.audit(daemon.address()));
    assert_eq!(folder.ask::<String>("PRAGMA integrity_check"), "ok");
    let twice = "SELECT count(*) FROM (SELECT 1 FROM outbox GROUP BY job_id, recipient HAVING count(*) > 1)";
    assert_eq!(folder.ask::<usize>(twice), 0);
    let jobs = clients.iter().flat_map(|client| &client.jobs);
    let (known, unknown): (Vec<&Job>, Vec<&Job>) = jobs.partition(|job| job.job_id.is_some());
    let jobs = folder.ask("SELECT count(*) FROM jobs");
    assert!((known.len()..=known.len() + unknown.len()).contains(&jobs), "{jobs} {} {}", known.len(), unknown.len());
    daemon.kill();
    let [_, users, messages, failures] = folder.check();
    let seen = |what| clients.iter().map(|client| client.tally.0.get(what).unwrap_or(&0)).sum::<usize>();
    assert_eq!((users, messages), (seen("users"), seen("messages")));
    assert!(failures > 0);
    clients.iter().flat_map(|client| &client.tally.0).for_each(|(what, count)| tally.add(what, *count));
}

#[test]
fn nothing_acknowledged_is_lost_or_done_twice_whenever_it_is_killed() {
    let seed = seed();
    let rounds = setting("BULKD_TEST_ROUNDS").unwrap_or(sized(3, 20)).max(2) as usize;
    let clients = setting("BULKD_TEST_CLIENTS").unwrap_or(4) as usize;
    println!("BULKD_TEST_SEED={seed} BULKD_TEST_ROUNDS={rounds} BULKD_TEST_CLIENTS={clients}");
    let mut tally = Tally::default();
    for first in (0..rounds).step_by(KILLS_OF_A_FILE) {
        kill_again_and_again(KILLS_OF_A_FILE.min(rounds - first), clients, seed + first as u64, &mut tally);
    }
    println!("{tally:#?}");
    assert_eq!(tally.0["kills"], rounds);
    for what in ["kills amid a job", "requests cut off", "requests sent again", "answers replayed", "jobs completed"] {
        assert!(tally.0.get(what).is_some_and(|count| *count > 0), "no {what}: {tally:?}");
    }
}

/// Tests of crashes at a named point.
#[cfg(debug_assertions)]
mod points {
    use std::fs;

    use bulkd::crash::Point;
    use signal_hook::consts::SIGABRT;

    use super::*;
    use crate::backups::{
        a_backup_that_was_cut_off_leaves_no_half_of_one, a_restore_that_was_cut_off_leaves_the_old_file_or_the_new_one,
    };

    #[cfg(all(feature = "relay", unix))]
    use crate::relay::with::{
        a_kill_of_a_sender_doubles_what_was_in_flight_and_loses_nothing, a_kill_of_redis_at_any_point_loses_nothing,
        a_kill_of_the_daemon_at_any_point_loses_and_doubles_nothing,
    };

    type Tests = &'static [fn()];

    /// The points, and the tests of each.
    const TESTS: &[(&str, Tests)] = &[
        (
            "before-commit",
            &[
                what_was_not_committed_was_not_done_and_is_done_once_when_asked_again,
                a_group_that_was_not_committed_is_lost_as_a_whole,
            ],
        ),
        (
            "after-commit",
            &[
                what_was_committed_is_done_though_it_was_not_answered,
                a_group_that_was_committed_is_there_as_a_whole,
                a_large_list_is_replaced_as_a_whole_or_not_at_all,
                a_large_call_that_was_cut_off_is_completed_by_its_repetition,
            ],
        ),
        (
            "after-part",
            &[
                a_job_goes_on_after_the_chunk_that_was_written,
                a_job_comes_to_its_end_though_every_daemon_ends_after_a_chunk,
            ],
        ),
        ("migration", &[a_first_start_that_was_cut_off_leaves_nothing_half_made]),
        (
            "checkpoint",
            &[
                a_log_that_was_copied_in_part_is_still_good,
                a_clean_stop_that_was_cut_off_in_its_last_copy_loses_nothing,
            ],
        ),
        ("restart", &[a_log_that_was_copied_in_part_is_still_good]),
        (
            "retention",
            &[
                a_job_that_is_dropped_goes_piece_by_piece_however_often_it_ends,
                an_environment_that_was_reset_goes_however_often_it_ends,
                what_was_set_aside_goes_however_often_it_ends,
            ],
        ),
        ("compact", &[a_file_is_whole_wherever_its_copying_ends]),
        ("shutdown", &[a_stop_that_was_cut_off_loses_nothing_and_does_not_lock_the_file]),
        ("copy", &[a_backup_that_was_cut_off_leaves_no_half_of_one]),
        ("copied", &[a_backup_that_was_cut_off_leaves_no_half_of_one]),
        ("kept", &[a_restore_that_was_cut_off_leaves_the_old_file_or_the_new_one]),
        ("placed", &[a_restore_that_was_cut_off_leaves_the_old_file_or_the_new_one]),
        #[cfg(all(feature = "relay", unix))]
        ("relay-appended", RELAYS),
        #[cfg(all(feature = "relay", unix))]
        ("relay-settled", RELAYS),
        #[cfg(all(feature = "relay", unix))]
        ("relay-sent", SENDERS),
        #[cfg(all(feature = "relay", unix))]
        ("relay-written", SENDERS),
    ];

    #[cfg(all(feature = "relay", unix))]
    const RELAYS: Tests =
        &[a_kill_of_the_daemon_at_any_point_loses_and_doubles_nothing, a_kill_of_redis_at_any_point_loses_nothing];
    #[cfg(all(feature = "relay", unix))]
    const SENDERS: Tests =
        &[a_kill_of_a_sender_doubles_what_was_in_flight_and_loses_nothing, a_kill_of_redis_at_any_point_loses_nothing];

    #[test]
    fn every_point_has_a_test() {
        // A build without the relay never comes to its points.
        let has_relay = cfg!(all(feature = "relay", unix));
        let is_reached = |name: &&str| has_relay || !name.starts_with("relay-");
        let points: Vec<&str> = Point::NAMES.iter().map(|(name, _)| *name).filter(is_reached).collect();
        let tested: Vec<&str> = TESTS.iter().filter(|(_, tests)| !tests.is_empty()).map(|(name, _)| *name).collect();
        assert_eq!(tested, points);
    }

    const NAME: &str = "reader";
    /// Users in five chunks and a half.
    const CHUNKS: usize = 5_500;

    impl Folder {
        /// Starts a daemon that is to end at a point.
        fn doomed(&self, point: &str, more: &[&str]) -> Binary {
            Binary::spawn(self.command(&[&["--log", "off"], more].concat()).env("BULKD_CRASH_AT", point))
        }

        /// Jobs, jobs that were run, users, and answers under an idempotency key.
        fn counts(&self) -> [usize; 4] {
            ["jobs", "jobs WHERE status <> 'CREATED'", "users", "idempotency_keys"]
                .map(|what| self.ask(&format!("SELECT count(*) FROM {what}")))
        }

        fn drained(&self) -> (String, usize) {
            (self.ask("SELECT status FROM jobs"), self.ask("SELECT drained FROM jobs"))
        }
    }

    /// Waits for the end of a daemon, which has to be at its point.
    #[track_caller]
    fn assert_ended_at_its_point(doomed: Binary) {
        let ended = doomed.wait();
        assert_eq!((ended.signal, ended.stderr.as_str()), (Some(SIGABRT), ""), "{ended:?}");
    }

    /// A job with these users of [`NAME`], on a daemon that is there for nothing else.
    fn with_a_job(numbers: Range<usize>) -> (Folder, String) {
        let folder = Folder::new();
        let daemon = folder.daemon();
        let job_id = daemon.customer("acme").create(definition(true));
        daemon.customer("acme").ingest(&job_id, json!(users(NAME, numbers)));
        daemon.terminate();
        (folder, job_id)
    }

    fn try_post(customer: &Customer, path: &str, body: &Value) -> Option<Reply> {
        customer.try_send("POST", path, Some(&body.to_string())).ok()
    }

    /// The three requests that change something, each with what it adds to [`Folder::counts`].
    fn changes(job_id: &str) -> [(String, Value, [usize; 4]); 3] {
        [
            ("/bulk".to_owned(), json!({ "message": definition(true) }), [1, 0, 0, 1]),
            (format!("/bulk/{job_id}"), json!({ "users": users(NAME, 5..20) }), [0, 0, 15, 1]),
            (format!("/bulk/{job_id}/run"), json!({}), [0, 1, 0, 1]),
        ]
    }

    fn sum(a: [usize; 4], b: [usize; 4]) -> [usize; 4] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[test]
    fn what_was_not_committed_was_not_done_and_is_done_once_when_asked_again() {
        for change in 0..3 {
            let (folder, job_id) = with_a_job(0..5);
            let (path, body, adds) = &changes(&job_id)[change];
            let before = folder.counts();
            let doomed = folder.doomed("before-commit", &[]);
            assert_eq!(try_post(&doomed.customer("acme").once("k"), path, body), None);
            assert_ended_at_its_point(doomed);
            folder.check();
            assert_eq!(folder.counts(), before, "{path}");

            let daemon = folder.daemon();
            let once = daemon.customer("acme").once("k");
            let (first, second) = (once.post(path, body), once.post(path, body));
            assert!(first.status < 300, "{first:?}");
            assert_eq!((first.header("x-bulkd-replayed"), second.header("x-bulkd-replayed")), (None, Some("true")));
            assert_eq!((first.status, first.text), (second.status, second.text));
            assert_eq!(folder.counts(), sum(before, *adds), "{path}");
        }
    }

    /// To a client it makes no difference whether the process has ended or its answer alone is lost. A fault needs no start.
    #[test]
    fn a_fault_at_the_same_point_leaves_what_an_end_there_leaves() {
        for (change, when) in (0..3).flat_map(|change| [(change, "before"), (change, "after")]) {
            let (folder, job_id) = with_a_job(0..5);
            let (path, body, adds) = &changes(&job_id)[change];
            let before = folder.counts();
            let daemon = folder.daemon();
            let customer = daemon.customer("acme");
            customer.post("/_bulkd/faults", &json!({ "path": path, "answer": "lost", "when": when })).ok(201);
            let once = customer.once("k");
            assert_eq!(try_post(&once, path, body), None);
            let left = if when == "before" { before } else { sum(before, *adds) };
            assert_eq!(folder.counts(), left, "{when} {path}");

            let (first, second) = (once.post(path, body), once.post(path, body));
            assert!(first.status < 300, "{first:?}");
            let replayed = (when == "after").then_some("true");
            assert_eq!((first.header("x-bulkd-replayed"), second.header("x-bulkd-replayed")), (replayed, Some("true")));
            assert_eq!((first.status, first.text), (second.status, second.text));
            assert_eq!(folder.counts(), sum(before, *adds), "{when} {path}");
            assert_eq!(customer.get("/_bulkd/faults?unfired=true").ok(200)["items"], json!([]));
            daemon.terminate();
            folder.check();
        }
    }

    #[test]
    fn what_was_committed_is_done_though_it_was_not_answered() {
        for (change, keyed) in [(0, true), (1, true), (1, false), (2, true), (2, false)] {
            let (folder, job_id) = with_a_job(0..5);
            let (path, body, mut adds) = changes(&job_id)[change].clone();
            let before = folder.counts();
            let doomed = folder.doomed("after-commit", &[]);
            let who = |daemon: &Binary| {
                let customer = daemon.customer("acme");
                if keyed { customer.once("k") } else { customer }
            };
            assert_eq!(try_post(&who(&doomed), &path, &body), None);
            assert_ended_at_its_point(doomed);
            folder.check();
            adds[3] = usize::from(keyed);
            assert_eq!(folder.counts(), sum(before, adds), "{path}");

            let daemon = folder.daemon();
            let again = who(&daemon).post(&path, &body);
            match (change, keyed) {
                (1, false) => {
                    let answer = again.ok(200);
                    assert_eq!((&answer["total"], answer["errors"].as_array().unwrap().len()), (&json!(0), 15));
                    assert!(answer["errors"].as_array().unwrap().iter().all(|it| it["error"] == "Duplicate user"));
                }
                (2, false) => assert!(again.refused(400).contains("this job was run already")),
                _ => {
                    assert_eq!(again.header("x-bulkd-replayed"), Some("true"), "{again:?}");
                    let stored: String = folder.ask("SELECT status || ' ' || body FROM idempotency_keys");
                    assert_eq!(format!("{} {}", again.status, again.text), stored);
                }
            }
            assert_eq!(folder.counts(), sum(before, adds), "{path}");
            let calls = [(0..5, true), (5..20, change == 1)];
            let customer = daemon.customer("acme");
            if change != 2 {
                customer.run(&job_id);
            }
            customer.completed(&job_id);
            let there = assert_one_turn_each(&customer, &job_id, (NAME, true), &calls);
            assert_eq!(there, if change == 1 { [20, 18] } else { [5, 4] });
        }
    }

    /// Has eight clients ask for a job each when the second commit is the last, and ask again. Returns how many jobs
    /// were there by then.
    fn eight_at(point: &str) -> usize {
        let folder = Folder::new();
        let doomed = folder.doomed(&format!("{point}:2"), &[]);
        let customer = doomed.customer("acme");
        let (body, keys) = (json!({ "message": newsletter() }), [0, 1, 2, 3, 4, 5, 6, 7].map(|i| format!("k{i}")));
        let first = customer.once("first").post("/bulk", &body);
        std::thread::scope(|scope| {
            for key in &keys {
                let (customer, body) = (customer.once(key), &body);
                scope.spawn(move || assert_eq!(try_post(&customer, "/bulk", body), None));
            }
        });
        assert_ended_at_its_point(doomed);
        let [jobs, ..] = folder.check();
        assert_eq!(folder.counts(), [jobs, 0, 0, jobs]);

        let daemon = folder.daemon();
        let customer = daemon.customer("acme");
        assert_eq!(customer.once("first").post("/bulk", &body).text, first.text);
        let again = keys.map(|key| customer.once(&key).post("/bulk", &body));
        let replayed = again.iter().filter(|reply| reply.header("x-bulkd-replayed").is_some()).count();
        assert!(again.iter().all(|reply| reply.status == 201), "{again:?}");
        assert_eq!((folder.counts(), replayed), ([9, 0, 0, 9], jobs - 1));
        replayed
    }

    #[test]
    fn a_group_that_was_not_committed_is_lost_as_a_whole() {
        assert_eq!(eight_at("before-commit"), 0);
    }

    #[test]
    fn a_group_that_was_committed_is_there_as_a_whole() {
        assert!((0..50).any(|_| eight_at("after-commit") > 1), "no two requests shared a commit");
    }

    #[test]
    fn a_job_goes_on_after_the_chunk_that_was_written() {
        for n in [1, 3] {
            let (folder, job_id) = with_a_job(0..CHUNKS);
            let doomed = folder.doomed(&format!("after-part:{n}"), &["--workers", "1"]);
            // The end may come before the answer.
            try_post(&doomed.customer("acme"), &format!("/bulk/{job_id}/run"), &json!({}));
            assert_ended_at_its_point(doomed);
            folder.check();
            // The next one was under way.
            let (status, drained) = folder.drained();
            assert_eq!(status, "PROCESSING");
            assert!((n..CHUNKS).contains(&drained), "{drained}");

            let daemon = folder.daemon();
            let customer = daemon.customer("acme");
            customer.completed(&job_id);
            assert_one_turn_each(&customer, &job_id, (NAME, true), &[(0..CHUNKS, true)]);
        }
    }

    #[test]
    fn a_job_comes_to_its_end_though_every_daemon_ends_after_a_chunk() {
        let (folder, job_id) = with_a_job(0..CHUNKS);
        let doomed = folder.doomed("after-commit", &[]);
        assert_eq!(try_post(&doomed.customer("acme"), &format!("/bulk/{job_id}/run"), &json!({})), None);
        assert_ended_at_its_point(doomed);
        let (mut drained, mut crashes) = (0, 0);
        while folder.drained().0 == "PROCESSING" {
            assert_ended_at_its_point(folder.doomed("after-part", &["--workers", "1"]));
            folder.check();
            let before = std::mem::replace(&mut drained, folder.drained().1);
            assert!(drained > before, "{before} {drained}");
            crashes += 1;
        }
        assert!(crashes >= 3, "{crashes}");
        let daemon = folder.daemon();
        let there = assert_one_turn_each(&daemon.customer("acme"), &job_id, (NAME, true), &[(0..CHUNKS, true)]);
        assert_eq!(there, [CHUNKS, CHUNKS - CHUNKS / 10]);
    }

    /// Users of a list, in three pieces.
    const LISTED: usize = 2_500;

    fn listed(name: &str, count: usize) -> Value {
        let subscriber = |i| json!({ "recipientId": recipient(name, i) });
        json!({ "recipients": (0..count).map(subscriber).collect::<Vec<Value>>() })
    }

    /// How many users of the list "news" have such a name.
    fn count_listed(folder: &Folder, name: &str) -> usize {
        folder.ask(&format!(
            "SELECT count(*) FROM lists CROSS JOIN subscriptions USING (list)
             WHERE list_id = 'news' AND user_id LIKE '{name}-%'"
        ))
    }

    /// Sends such a request to daemons that end after their first commit, their second and so on. Returns how often it was
    /// not answered.
    fn cut_off(folder: &Folder, method: &str, body: &Value, mut look: impl FnMut()) -> usize {
        const STEPS: usize = 7;
        let cut = (1..=STEPS).filter(|step| {
            let doomed = folder.doomed(&format!("after-commit:{step}"), &[]);
            // What the one before has left is removed at the start, too: it may end over that.
            let ask = || doomed.customer("acme").try_send(method, "/lists/news/subscriptions", Some(&body.to_string()));
            let answer = doomed.comes_up().then(ask).and_then(Result::ok);
            match &answer {
                Some(reply) => reply.done(),
                None => assert_ended_at_its_point(doomed),
            }
            folder.check();
            look();
            answer.is_none()
        });
        cut.count()
    }

    #[test]
    fn a_large_list_is_replaced_as_a_whole_or_not_at_all() {
        let folder = Folder::new();
        let daemon = folder.daemon();
        daemon.customer("acme").put("/lists/news/subscriptions", &listed("old", 2)).done();
        daemon.terminate();
        let mut looks = Vec::new();
        let cut = cut_off(&folder, "PUT", &listed("new", LISTED), || {
            looks.push((count_listed(&folder, "old"), count_listed(&folder, "new")));
        });
        assert!(cut >= 4, "{cut}");
        assert!(looks.iter().all(|look| [(2, 0), (0, LISTED)].contains(look)) && looks.is_sorted_by(|a, b| a.1 <= b.1));
        assert_eq!(looks[..3], [(2, 0); 3], "{looks:?}");
        // What was left of the others is removed.
        let daemon = folder.daemon();
        wait_until("only the list is left", || {
            folder.ask::<usize>("SELECT count(*) FROM lists") == 1
                && folder.ask::<usize>("SELECT count(*) FROM subscriptions") == if looks[6].1 > 0 { LISTED } else { 2 }
        });
        daemon.customer("acme").put("/lists/news/subscriptions", &listed("new", LISTED)).done();
        assert_eq!((count_listed(&folder, "old"), count_listed(&folder, "new")), (0, LISTED));
    }

    #[test]
    fn a_large_call_that_was_cut_off_is_completed_by_its_repetition() {
        let folder = Folder::new();
        let daemon = folder.daemon();
        daemon.customer("acme").put("/lists/news/subscriptions", &listed("old", 2)).done();
        daemon.terminate();
        let mut added = 0;
        let cut = cut_off(&folder, "POST", &listed("new", LISTED), || {
            let (old, new) = (count_listed(&folder, "old"), count_listed(&folder, "new"));
            assert!(old == 2 && new >= added, "{old} {added} {new}");
            added = new;
        });
        assert!(cut >= 2, "{cut}");
        assert_eq!(added, LISTED);
    }

    #[test]
    fn what_was_set_aside_goes_however_often_it_ends() {
        let folder = Folder::new();
        let daemon = folder.daemon();
        daemon.customer("acme").put("/lists/news/subscriptions", &listed("old", LISTED)).done();
        daemon.customer("acme").delete("/lists/news").done();
        daemon.terminate();
        let doomed = folder.doomed("retention", &[]);
        let customer = doomed.customer("acme");
        let _ = customer.try_send("PUT", "/lists/news", Some(&json!({ "name": "News" }).to_string()));
        assert_ended_at_its_point(doomed);
        folder.check();
        assert_eq!(count_listed(&folder, "old"), 0);
        assert!(drop_piece_by_piece(&folder, &[], "environments", 1) > 8);

        let (_unheard, address) = unheard();
        let doomed = folder.doomed("retention", &[]);
        let customer = doomed.customer("acme");
        let hook = customer.post("/_bulkd/webhooks", &json!({ "url": format!("http://{address}/") })).ok(201);
        let path = format!("/_bulkd/webhooks/{}", hook["id"].as_str().unwrap());
        let job_id = customer.create(definition(true));
        customer.ingest(&job_id, json!(users(NAME, 0..400)));
        customer.run_to_the_end(&job_id);
        wait_until("the queue has filled", || customer.get(&path).ok(200)["pending"].as_u64().unwrap() >= 700);
        let _ = customer.try_send("DELETE", &path, None);
        assert_ended_at_its_point(doomed);
        assert!(drop_piece_by_piece(&folder, &[], "environments", 1) > 2);
        let daemon = folder.daemon();
        let customer = daemon.customer("acme");
        let left = ["lists", "subscriptions", "webhooks", "webhook_events"];
        let left = left.map(|rows| folder.ask::<usize>(&format!("SELECT count(*) FROM {rows}")));
        assert_eq!(left, [1, 0, 0, 0]);
        customer.get(&path).refused(404);
        assert_eq!(customer.get("/lists").ok(200)["items"][0]["name"], "News");
    }

    /// Starts daemons that end after a piece until this many rows are left. Returns how many daemons that took.
    fn drop_piece_by_piece(folder: &Folder, flags: &[&str], rows: &str, left: usize) -> usize {
        let mut ends = 0;
        while folder.ask::<usize>(&format!("SELECT count(*) FROM {rows}")) > left {
            assert_ended_at_its_point(folder.doomed("retention", flags));
            folder.check();
            ends += 1;
            assert!(ends < 1_000, "nothing goes");
        }
        ends
    }

    #[test]
    fn a_job_that_is_dropped_goes_piece_by_piece_however_often_it_ends() {
        let (folder, old) = with_a_job(0..700);
        let daemon = folder.daemon();
        let customer = daemon.customer("acme");
        customer.run_to_the_end(&old);
        let young = customer.create(definition(true));
        customer.ingest(&young, json!(users(NAME, 0..20)));
        customer.run_to_the_end(&young);
        daemon.terminate();
        // The clock of these daemons is the machine's. One that was far ahead of what is in the file would not be believed.
        let ages = format!(
            "UPDATE jobs SET created_at = 0, completed_at = 0 WHERE job_id = '{old}';
             UPDATE jobs SET created_at = (unixepoch() - 7200) * 1000, completed_at = created_at WHERE job_id = '{young}'"
        );
        rusqlite::Connection::open(folder.database()).unwrap().execute_batch(&ages).unwrap();
        assert_ended_at_its_point(folder.doomed("retention", &["--keep", "1d"]));
        // Whatever is left of it, none of it is found.
        let [jobs, ..] = folder.check();
        assert_eq!((jobs, folder.ask::<usize>("SELECT count(*) FROM jobs WHERE dropped_at IS NULL")), (2, 1));
        assert!(folder.ask::<usize>("SELECT count(*) FROM outbox") < 20);
        let ends = drop_piece_by_piece(&folder, &["--keep", "1d"], "jobs", 1);
        assert!(ends >= 5, "{ends}");
        let daemon = folder.daemon();
        let customer = daemon.customer("acme");
        assert_one_turn_each(&customer, &young, (NAME, true), &[(0..20, true)]);
        assert!(customer.get(&format!("/bulk/{old}")).refused(404).ends_with("were dropped by --keep 1d"));
        daemon.terminate();
        assert_eq!(folder.check(), [1, 20, 18, 2]);
    }

    #[test]
    fn an_environment_that_was_reset_goes_however_often_it_ends() {
        let (folder, job_id) = with_a_job(0..300);
        let daemon = folder.daemon();
        daemon.customer("acme").run_to_the_end(&job_id);
        let profile = json!({ "profile": { "name": "Ada" } });
        daemon.customer("acme").put("/profiles/ada", &profile).ok(200);
        let other = daemon.customer("globex");
        other.put("/profiles/ada", &profile).ok(200);
        daemon.terminate();
        let doomed = folder.doomed("retention", &[]);
        try_post(&doomed.customer("acme"), "/_bulkd/reset", &json!({}));
        assert_ended_at_its_point(doomed);
        let ends = drop_piece_by_piece(&folder, &[], "environments", 1);
        assert!(ends >= 4, "{ends}");
        assert_eq!(folder.check(), [0, 0, 0, 0]);
        assert_eq!(folder.ask::<usize>("SELECT count(*) FROM profile_versions"), 1);
        let daemon = folder.daemon();
        assert_eq!(daemon.customer("globex").get("/profiles/ada").ok(200), profile);
    }

    #[test]
    fn a_file_is_whole_wherever_its_copying_ends() {
        for step in 1..=3 {
            let (folder, job_id) = with_a_job(0..20);
            let database = folder.database();
            // A daemon that was killed has left its log.
            let daemon = folder.daemon();
            daemon.customer("acme").run_to_the_end(&job_id);
            daemon.kill();
            let mut command = bulkd(&["compact", database.to_str().unwrap()]);
            assert_ended_at_its_point(Binary::spawn(command.env("BULKD_CRASH_AT", format!("compact:{step}"))));
            assert_eq!(folder.check(), [1, 20, 18, 2], "{step}");
            let again = Binary::spawn(&mut bulkd(&["compact", database.to_str().unwrap()])).wait();
            assert_eq!(again.code, Some(0), "{again:?}");
            assert_eq!(folder.check(), [1, 20, 18, 2], "{step}");
            let daemon = folder.daemon();
            assert_one_turn_each(&daemon.customer("acme"), &job_id, (NAME, true), &[(0..20, true)]);
            daemon.terminate();
            let names = fs::read_dir(database.parent().unwrap()).unwrap();
            assert_eq!(names.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(), ["bulkd.db"]);
        }
    }

    #[test]
    fn a_first_start_that_was_cut_off_leaves_nothing_half_made() {
        let folder = Folder::new();
        for _ in 0..2 {
            assert_ended_at_its_point(folder.doomed("migration", &[]));
            let checked = Binary::spawn(&mut bulkd(&["check", folder.database().to_str().unwrap()])).wait();
            assert!(checked.code == Some(1) && checked.stderr.contains(" is of file version 0; "), "{checked:?}");
            assert_eq!(folder.ask::<usize>("SELECT count(*) FROM sqlite_schema"), 0);
        }
        let daemon = folder.daemon();
        let customer = daemon.customer("acme");
        let job_id = customer.create(definition(true));
        customer.ingest(&job_id, json!(users(NAME, 0..20)));
        customer.run_to_the_end(&job_id);
        assert_eq!(assert_one_turn_each(&customer, &job_id, (NAME, true), &[(0..20, true)]), [20, 18]);
        daemon.terminate();
        assert_eq!(folder.check(), [1, 20, 18, 2]);
        // What is complete is not made again.
        let daemon = folder.doomed("migration", &[]);
        assert_eq!(daemon.customer("acme").job(&job_id)["status"], "COMPLETED");
        daemon.terminate();
    }

    #[test]
    fn a_log_that_was_copied_in_part_is_still_good() {
        for point in ["checkpoint", "checkpoint:3", "restart"] {
            let (folder, job_id) = with_a_job(0..0);
            let doomed = folder.doomed(point, &[]);
            let customer = doomed.customer("acme");
            let path = format!("/bulk/{job_id}");
            let body = |call: usize| {
                let mut users = users(NAME, call * 100..(call + 1) * 100);
                users.iter_mut().for_each(|user| user["data"]["padding"] = json!("x".repeat(5_000)));
                json!({ "users": users })
            };
            let post = |customer: &Customer, call| try_post(&customer.once(&format!("k{call}")), &path, &body(call));
            let answers: Vec<Reply> = (0..).map_while(|call| post(&customer, call)).collect();
            assert_ended_at_its_point(doomed);
            assert!(answers.len() > 1);
            assert!(fs::metadata(folder.database()).unwrap().len() > 2 << 20, "nothing was copied");
            let [_, users, ..] = folder.check();
            assert!([answers.len(), answers.len() + 1].contains(&(users / 100)), "{users} {}", answers.len());
            assert_eq!(users % 100, 0);

            let daemon = folder.daemon();
            let customer = daemon.customer("acme");
            for (call, before) in answers.iter().enumerate() {
                assert_eq!(post(&customer, call).unwrap().text, before.text);
            }
            assert_eq!(post(&customer, answers.len()).unwrap().ok(200), json!({ "errors": [], "total": 100 }));
            customer.run_to_the_end(&job_id);
            let calls = [(0..(answers.len() + 1) * 100, true)];
            assert_one_turn_each(&customer, &job_id, (NAME, true), &calls);
        }
    }

    /// Has a daemon end at a point while it stops, with a job on its way and one that was not run, and looks for both.
    fn stopped_at(point: &str) {
        let (folder, large) = with_a_job(0..CHUNKS);
        let doomed = folder.doomed(point, &[]);
        let customer = doomed.customer("acme");
        let small = customer.create(definition(false));
        customer.once("k").ingest(&small, json!(users(NAME, 0..20)));
        customer.run(&large);
        doomed.signal("TERM");
        assert_ended_at_its_point(doomed);
        assert!(folder.0.path().join("bulkd.db-lock").exists());
        let [jobs, users, ..] = folder.check();
        assert_eq!((jobs, users), (2, CHUNKS + 20));

        let daemon = folder.daemon();
        let customer = daemon.customer("acme");
        customer.completed(&large);
        assert_one_turn_each(&customer, &large, (NAME, true), &[(0..CHUNKS, true)]);
        assert_one_turn_each(&customer, &small, (NAME, false), &[(0..20, true)]);
        assert_eq!(customer.once("k").ingest(&small, json!([])), json!({ "errors": [], "total": 20 }));
        daemon.terminate();
        assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 1);
        folder.check();
    }

    #[test]
    fn a_stop_that_was_cut_off_loses_nothing_and_does_not_lock_the_file() {
        stopped_at("shutdown");
    }

    #[test]
    fn a_clean_stop_that_was_cut_off_in_its_last_copy_loses_nothing() {
        stopped_at("checkpoint");
    }
}
