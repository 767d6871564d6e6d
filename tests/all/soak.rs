//! Mixed load on the real binary for as long as one likes, under retention, with backups and a webhook: the file, its log,
//! memory, descriptors and threads stay flat, and nothing is lost. `BULKD_SOAK_SECONDS=3600 cargo test --release soak` is
//! the long one.
#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::binary::{Binary, check};
use crate::support::receiver::Receiver;
use crate::support::{Customer, json, newsletter, readers, seed, setting, sized, wait_until};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

const CUSTOMERS: usize = 4;
/// How often it is looked at. What it keeps it has after the first third.
const LOOKS: usize = 60;

/// Messages that are kept of those that are over.
const KEPT: &str = "20000";

/// What must not grow.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    memory: u64,
    file: u64,
    log: u64,
    descriptors: u64,
    threads: u64,
}

impl Look {
    fn at(daemon: &Binary, file: &Path) -> Self {
        Look {
            memory: daemon.kernel_says("VmRSS") * 1024,
            file: fs::metadata(file).map_or(0, |file| file.len()),
            log: fs::metadata(file.with_extension("db-wal")).map_or(0, |log| log.len()),
            descriptors: daemon.descriptors() as u64,
            threads: daemon.kernel_says("Threads"),
        }
    }

    fn most(looks: &[Look]) -> Look {
        looks.iter().fold(Look::default(), |most, look| Look {
            memory: most.memory.max(look.memory),
            file: most.file.max(look.file),
            log: most.log.max(look.log),
            descriptors: most.descriptors.max(look.descriptors),
            threads: most.threads.max(look.threads),
        })
    }
}

/// What was done.
#[derive(Debug, Default)]
struct Done {
    jobs: AtomicUsize,
    messages: AtomicUsize,
    backups: AtomicUsize,
    /// Messages of the customer whose webhook is told of them.
    followed: AtomicUsize,
}

fn add(count: &AtomicUsize, more: usize) {
    count.fetch_add(more, Ordering::Relaxed);
}

/// A job from beginning to end, with everything that people do in between and some that they should not. Returns how
/// many messages it has made.
fn job(customer: &Customer, address: SocketAddr, random: &mut StdRng) -> usize {
    let block = "Hello {{name}}{{#if vip}}, dear friend{{/if}}";
    let body = if random.random_bool(0.3) { block } else { "Hello {{name}}" };
    let message = json!({ "message": { "message": { "content": { "title": "Hi {{name}}", "body": body } } } });
    let created = customer.post("/bulk", &message).ok(201);
    let job_id = created["jobId"].as_str().unwrap();
    let mut expected = 0;
    for _ in 0..random.random_range(1..6) {
        let count = random.random_range(1..100);
        let users: Value = (0..count)
            .map(|_| json!({ "recipient": format!("{:x}", random.random::<u128>()), "data": { "name": "Ann", "vip": true } }))
            .collect();
        assert_eq!(customer.ingest(job_id, users)["total"], count);
        expected += count;
    }
    assert_eq!(customer.post(&format!("/bulk/{job_id}"), &json!({ "users": 7 })).status, 400);
    let mut broken = TcpStream::connect(address).unwrap();
    let _ = broken.write_all(b"POST /bulk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
    drop(broken);
    let done = customer.run_to_the_end(job_id);
    assert_eq!((&done["enqueued"], &done["failures"]), (&json!(expected), &json!(0)));
    assert_eq!(customer.users(job_id).len(), expected);
    customer.get(&format!("/_bulkd/outbox?job_id={job_id}&limit=100")).ok(200);
    expected
}

/// One message, which is read.
fn send(customer: &Customer) {
    let content = json!({ "title": "Your code", "body": "It is 123456." });
    let message = json!({ "to": { "user_id": "ada", "email": "ada@example.com" }, "content": content });
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    customer.get(&format!("/messages/{}", sent["requestId"].as_str().unwrap())).ok(200);
}

/// A user who tries it out, has a job that is never run, and throws all away: also the idempotency key, which would stay
/// for a day.
fn visit(address: SocketAddr, random: &mut StdRng) {
    let visitor = Customer::new(address, &format!("visitor-{:x}", random.random::<u64>()));
    let create = || visitor.once("first").post("/bulk", &json!({ "message": newsletter() })).ok(201);
    let created = create();
    assert_eq!(create(), created);
    visitor.ingest(created["jobId"].as_str().unwrap(), readers(0, 100));
    visitor.put("/profiles/ada", &json!({ "profile": { "email": "ada@example.com" } })).ok(200);
    visitor.post("/_bulkd/reset", &json!({})).done();
    visitor.without_key().get("/bulk/nothing").refused(401);
}

fn work(address: SocketAddr, name: usize, seed: u64, until: Instant, done: &Done) {
    let mut random = StdRng::seed_from_u64(seed + name as u64);
    let customer = Customer::new(address, &format!("customer-{name}"));
    while Instant::now() < until {
        let mut messages = job(&customer, address, &mut random);
        for _ in 0..random.random_range(0..5) {
            send(&customer);
            messages += 1;
        }
        if random.random_bool(0.1) {
            visit(address, &mut random);
        }
        add(&done.jobs, 1);
        add(&done.messages, messages);
        if name == 0 {
            add(&done.followed, messages);
        }
        // A daemon that is left running is not always at work.
        std::thread::park_timeout(Duration::from_millis(random.random_range(0..500)));
    }
}

/// Backups of the file, each over the one before.
fn back_up(address: SocketAddr, every: Duration, until: Instant, done: &Done) {
    let customer = Customer::new(address, "keeper");
    while Instant::now() < until {
        customer
            .post("/_bulkd/backup", &json!({ "file": format!("backup-{}.db", done.backups.load(Ordering::Relaxed)) }))
            .ok(201);
        add(&done.backups, 1);
        std::thread::park_timeout(every);
    }
}

#[test]
fn nothing_grows_under_a_mixed_load() {
    let (seconds, seed) = (setting("BULKD_SOAK_SECONDS").unwrap_or(sized(8, 60)), seed());
    println!("BULKD_TEST_SEED={seed} BULKD_SOAK_SECONDS={seconds}");
    let folder = tempfile::tempdir().unwrap();
    let (file, backups) = (folder.path().join("bulkd.db"), folder.path().join("backups"));
    fs::create_dir(&backups).unwrap();
    let (path, backup_dir) = (file.to_str().unwrap(), backups.to_str().unwrap());
    let args = ["--listen", ":0", "--log", "warn", "--db", path, "--keep-messages", KEPT, "--backup-dir", backup_dir];
    let daemon = Binary::start(&args);
    let (address, done, told) = (daemon.address(), Done::default(), Arc::new(AtomicUsize::new(0)));
    let (count, mut refused, mut random) = (told.clone(), HashSet::new(), StdRng::seed_from_u64(seed));
    let receiver = Receiver::start(move |call| {
        // Now and then it is not well, and the event comes again.
        let is_taken = refused.remove(call.event_id()) || !random.random_ratio(1, 500);
        if !is_taken {
            refused.insert(call.event_id().to_owned());
        }
        add(&count, usize::from(is_taken && call.data("status") == "SENT"));
        if is_taken { 200 } else { 503 }
    });
    let followed = daemon.customer("customer-0");
    let webhook = followed.post("/_bulkd/webhooks", &json!({ "url": receiver.url() })).ok(201);

    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let every = Duration::from_secs(seconds) / LOOKS as u32;
    let looks: Vec<Look> = std::thread::scope(|scope| {
        for name in 0..CUSTOMERS {
            let done = &done;
            scope.spawn(move || work(address, name, seed, until, done));
        }
        scope.spawn(|| back_up(address, every * 4, until, &done));
        (1..=LOOKS as u32)
            .map(|look| {
                std::thread::park_timeout((begun + every * look).saturating_duration_since(Instant::now()));
                let look = Look::at(&daemon, &file);
                println!("{:.0?}: {look:?}", begun.elapsed());
                look
            })
            .collect()
    });
    let (early, late) = (Look::most(&looks[LOOKS / 3..LOOKS * 2 / 3]), Look::most(&looks[LOOKS * 2 / 3..]));
    println!("{done:?}; at first {:?}, then {early:?}, at last {late:?}", looks[0]);
    assert!(done.jobs.load(Ordering::Relaxed) > CUSTOMERS, "hardly anything happened");
    assert!(late.memory <= early.memory + early.memory / 5 + (4 << 20), "memory grows: {early:?}, {late:?}");
    assert!(late.log <= 80 << 20, "the log grows: {late:?}");
    assert!(late.descriptors <= early.descriptors + 16, "descriptors are lost: {early:?}, {late:?}");
    assert!(late.threads <= early.threads + 8, "threads pile up: {early:?}, {late:?}");
    // All is there that is kept.
    if seconds >= 600 {
        assert!(late.file <= early.file + early.file / 10, "the file grows: {early:?}, {late:?}");
    }
    let path = format!("/_bulkd/webhooks/{}", webhook["id"].as_str().unwrap());
    let sent = done.followed.load(Ordering::Relaxed);
    wait_until("the webhook is told of all", || told.load(Ordering::Relaxed) >= sent);
    assert_eq!(told.load(Ordering::Relaxed), sent);
    assert_eq!(followed.get(&path).ok(200)["failed"], 0);
    let ended = daemon.terminate();
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    check(&file);
    for number in 0..done.backups.load(Ordering::Relaxed) {
        check(&backups.join(format!("backup-{number}.db")));
    }
}
