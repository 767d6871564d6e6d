//! Mixed load on the real binary for as long as one likes: memory, the log, descriptors and threads stay flat, and
//! nothing is lost. `BULKD_SOAK_SECONDS=600 cargo test soak` is the long one.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::binary::{Binary, check};
use crate::support::{Customer, json, seed, setting, sized};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

const CUSTOMERS: usize = 4;
/// How often it is looked at. What it keeps it has after the first third.
const LOOKS: usize = 60;

/// What must not grow.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    memory: u64,
    log: u64,
    descriptors: u64,
    threads: u64,
}

impl Look {
    fn at(daemon: &Binary, file: &Path) -> Self {
        Look {
            memory: daemon.kernel_says("VmRSS") * 1024,
            log: fs::metadata(file.with_extension("db-wal")).map_or(0, |log| log.len()),
            descriptors: daemon.descriptors() as u64,
            threads: daemon.kernel_says("Threads"),
        }
    }

    fn most(looks: &[Look]) -> Look {
        looks.iter().fold(Look::default(), |most, look| Look {
            memory: most.memory.max(look.memory),
            log: most.log.max(look.log),
            descriptors: most.descriptors.max(look.descriptors),
            threads: most.threads.max(look.threads),
        })
    }
}

/// Jobs from beginning to end, with everything that people do in between and some that they should not.
fn work(address: SocketAddr, name: usize, seed: u64, until: Instant, jobs: &AtomicUsize) {
    let mut random = StdRng::seed_from_u64(seed + name as u64);
    let customer = Customer::new(address, &format!("customer-{name}"));
    let block = "Hello {{name}}{{#if vip}}, dear friend{{/if}}";
    while Instant::now() < until {
        let key = format!("{name}-{}", random.random::<u64>());
        let body = if random.random_bool(0.3) { block } else { "Hello {{name}}" };
        let message = json!({ "message": { "message": { "content": { "title": "Hi {{name}}", "body": body } } } });
        let created = customer.once(&key).post("/bulk", &message).ok(201);
        assert_eq!(customer.once(&key).post("/bulk", &message).ok(201), created);
        let job_id = created["jobId"].as_str().unwrap();
        let mut expected = 0;
        for _ in 0..random.random_range(1..6) {
            let count = random.random_range(1..400);
            let users: Value = (0..count)
                .map(|_| json!({ "recipient": format!("{:x}", random.random::<u128>()), "data": { "name": "Ann", "vip": true } }))
                .collect();
            assert_eq!(customer.ingest(job_id, users)["total"], count);
            expected += count;
        }
        assert_eq!(customer.post(&format!("/bulk/{job_id}"), &json!({ "users": 7 })).status, 400);
        let mut broken = TcpStream::connect(address).unwrap();
        let _ = std::io::Write::write_all(
            &mut broken,
            b"POST /bulk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        );
        drop(broken);
        // Some jobs are never run.
        if random.random_bool(0.9) {
            let job = customer.run_to_the_end(job_id);
            assert_eq!((&job["enqueued"], &job["failures"]), (&json!(expected), &json!(0)));
        }
        let pages = customer.users(job_id);
        assert_eq!(pages.len(), expected);
        customer.get(&format!("/_bulkd/outbox?job_id={job_id}&limit=100")).ok(200);
        // Now and then a request has no key, or a key of its own.
        if random.random_bool(0.1) {
            customer.without_key().get("/bulk/nothing");
            Customer::new(address, &key).get("/_bulkd/outbox");
        }
        jobs.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn nothing_grows_under_a_mixed_load() {
    let (seconds, seed) = (setting("BULKD_SOAK_SECONDS").unwrap_or(sized(8, 60)), seed());
    println!("BULKD_TEST_SEED={seed} BULKD_SOAK_SECONDS={seconds}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bulkd.db");
    let daemon = Binary::start(&["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--db", file.to_str().unwrap()]);
    let (address, jobs) = (daemon.address(), AtomicUsize::new(0));
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let looks: Vec<Look> = std::thread::scope(|scope| {
        for name in 0..CUSTOMERS {
            let jobs = &jobs;
            scope.spawn(move || work(address, name, seed, until, jobs));
        }
        let every = Duration::from_secs(seconds) / LOOKS as u32;
        (1..=LOOKS as u32)
            .map(|look| {
                std::thread::park_timeout((begun + every * look).saturating_duration_since(Instant::now()));
                Look::at(&daemon, &file)
            })
            .collect()
    });
    let (early, late) = (Look::most(&looks[LOOKS / 3..LOOKS * 2 / 3]), Look::most(&looks[LOOKS * 2 / 3..]));
    println!("{} jobs; at first {:?}, then {early:?}, at last {late:?}", jobs.load(Ordering::Relaxed), looks[0]);
    assert!(jobs.load(Ordering::Relaxed) > CUSTOMERS, "hardly anything happened");
    assert!(late.memory <= early.memory + early.memory / 5 + (4 << 20), "memory grows: {early:?}, {late:?}");
    assert!(late.log <= 80 << 20, "the log grows: {late:?}");
    assert!(late.descriptors <= early.descriptors + 16, "descriptors are lost: {early:?}, {late:?}");
    assert!(late.threads <= early.threads + 8, "threads pile up: {early:?}, {late:?}");
    let ended = daemon.terminate();
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    check(&file);
}
