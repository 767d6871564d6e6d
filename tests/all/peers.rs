//! The real binary among rude and busy peers: descriptors, memory and threads stay bounded, and no other peer waits.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::binary::Binary;
use crate::support::{PATIENCE, json, newsletter, readers, wait_until};
use serde_json::Value;
use tempfile::TempDir;

const MIB: u64 = 1024 * 1024;
/// How much memory the daemon may take beyond what it has. Bodies within the limit are held, and for a moment twice
/// while they grow; nothing else of what a peer sends or does not read is.
const ROOM: u64 = 2 * (2 * PEERS as u64 * 6 * MIB) + 64 * MIB;
/// Peers that are rude in the same way, and how much each of them sends.
const PEERS: usize = 8;
const SENT: usize = 24 * MIB as usize;

fn daemon(folder: &TempDir, args: &[&str]) -> Binary {
    let file = folder.path().join("bulkd.db");
    Binary::start(&[&["serve", "--listen", "127.0.0.1:0", "--db", file.to_str().unwrap()], args].concat())
}

fn peak_memory(daemon: &Binary) -> u64 {
    daemon.kernel_says("VmHWM") * 1024
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

const HEALTH: &[u8] = b"GET /_bulkd/health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Asks for the daemon's health on a connection; whether it is answered.
fn is_answered(mut stream: &TcpStream) -> bool {
    let (mut answer, mut chunk) = (Vec::new(), [0; 1024]);
    let mut open = stream.write_all(HEALTH).is_ok();
    while open && !answer.ends_with(b"}") {
        let read = stream.read(&mut chunk).unwrap_or(0);
        answer.extend_from_slice(&chunk[..read]);
        open = read > 0;
    }
    open && answer.starts_with(b"HTTP/1.1 200")
}

#[test]
fn hundreds_who_only_look_take_no_thread_each() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder, &[]);
    let idle_threads = daemon.kernel_says("Threads");
    let crowd: Vec<TcpStream> = (0..400).map(|_| connect(daemon.address())).collect();
    for _ in 0..3 {
        assert!(crowd.iter().all(is_answered));
    }
    assert_eq!(daemon.kernel_says("Threads"), idle_threads);
    // A peer that asks for more is given one, beside all others.
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    assert!(daemon.kernel_says("Threads") > idle_threads);
    assert_eq!(customer.run_to_the_end(&job_id)["received"], 0);
    assert!(crowd.iter().all(is_answered));
}

/// What rude peers send, each without end: what is asked of the daemon to hold for them must not grow with it.
fn rude(path: &str) -> [(&'static str, Vec<u8>, Vec<u8>); 6] {
    let head = |line: &str, headers: &str| {
        format!("{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\n{headers}").into_bytes()
    };
    let asked = [head(&format!("GET {path}"), ""), b"\r\n".to_vec()].concat();
    let chunked = head("POST /bulk", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    let announced = head("POST /bulk", "Content-Length: 1000000000000\r\n\r\n");
    [
        ("a flood of requests whose answers are not read", asked.clone(), asked),
        ("a head without end", head("GET /", ""), b"X-Header: another one\r\n".repeat(100)),
        ("a header without end", head("GET /", "X-Header: "), vec![b'x'; 4096]),
        (
            "chunks without end",
            chunked.clone(),
            b"1000\r\n".iter().copied().chain([b' '; 0x1000]).chain(*b"\r\n").collect(),
        ),
        ("a body of a terabyte", announced, vec![b' '; 4096]),
        ("brackets without end", chunked, b"1000\r\n".iter().copied().chain([b'['; 0x1000]).chain(*b"\r\n").collect()),
    ]
}

#[test]
fn no_peer_can_have_the_daemon_hold_what_it_sends_or_does_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder, &[]);
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 2000));
    let path = format!("/bulk/{job_id}/users?limit=1000");
    assert_eq!(customer.get(&path).status, 200);
    let before = peak_memory(&daemon);

    let address = daemon.address();
    std::thread::scope(|scope| {
        for (_, first, then) in rude(&path) {
            for _ in 0..PEERS {
                let (first, then) = (first.clone(), then.clone());
                scope.spawn(move || {
                    let mut peer = connect(address);
                    // A daemon that has stopped reading has done its part.
                    peer.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
                    let mut sent = peer.write(&first).unwrap_or(SENT);
                    while sent < SENT {
                        sent += peer.write(&then).unwrap_or(SENT);
                    }
                    let _ = peer.shutdown(Shutdown::Both);
                });
            }
        }
        // Meanwhile a customer works as if nothing happened.
        let other = daemon.customer("other");
        let job_id = other.create(newsletter());
        other.ingest(&job_id, readers(0, 500));
        assert_eq!(other.run_to_the_end(&job_id)["enqueued"], 500);
    });
    let grown = peak_memory(&daemon) - before;
    const { assert!(ROOM < (6 * PEERS * SENT) as u64 / 4) };
    assert!(grown < ROOM, "{} MiB more than before", grown / MIB);
    assert_eq!(customer.job(&job_id)["received"], 2000);
    assert!(!daemon.terminate().stderr.contains("panicked"));
}

#[test]
fn a_body_that_announces_a_terabyte_reserves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder, &[]);
    let before = peak_memory(&daemon);
    for length in ["1000000000000", "18446744073709551615", "99999999999999999999999999"] {
        let mut peer = connect(daemon.address());
        let head = format!("POST /bulk HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        peer.write_all(head.as_bytes()).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut told = String::new();
        peer.read_to_string(&mut told).unwrap();
        assert!(told.starts_with("HTTP/1.1 4"), "{told}");
    }
    assert!(peak_memory(&daemon) - before < 8 * MIB);
    assert!(is_answered(&connect(daemon.address())));
}

/// The write lock of a file, in another program's hands.
fn writer_is_kept_waiting(file: &Path) -> rusqlite::Connection {
    let shell = rusqlite::Connection::open(file).unwrap();
    shell.busy_timeout(PATIENCE).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    shell
}

#[test]
fn readers_do_not_wait_for_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder, &[]);
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 100));
    let shell = writer_is_kept_waiting(&folder.path().join("bulkd.db"));
    let (answered, asked) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let (path, users) = (format!("/bulk/{job_id}"), json!({ "users": readers(100, 100) }));
            asked.store(true, Ordering::SeqCst);
            // One that has waited for too long is told to come again.
            wait_until("the writer has its turn", || customer.post(&path, &users).status == 200);
            answered.store(true, Ordering::SeqCst);
        });
        wait_until("the writer has begun to ask", || asked.load(Ordering::SeqCst));
        for _ in 0..200 {
            assert_eq!(customer.job(&job_id)["received"], 100);
            assert_eq!(customer.users(&job_id).len(), 100);
            assert_eq!(customer.outbox(&job_id), Vec::<Value>::new());
        }
        assert!(!answered.load(Ordering::SeqCst), "the writer was not kept waiting");
        shell.execute_batch("ROLLBACK").unwrap();
        writing.join().unwrap();
    });
    assert_eq!(customer.job(&job_id)["received"], 200);
}

#[test]
fn a_job_is_read_again_and_again_while_a_large_one_drains() {
    const USERS: usize = if cfg!(debug_assertions) { 50_000 } else { 200_000 };
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder, &["--durability", "fast"]);
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    (0..USERS).step_by(5000).for_each(|first| drop(customer.ingest(&job_id, readers(first, 5000))));
    customer.run(&job_id);
    let (mut looks, mut drained) = (Vec::new(), 0);
    let begun = Instant::now();
    while drained < USERS as u64 {
        assert!(begun.elapsed() < PATIENCE, "{drained} of {USERS} users have had their turn after {PATIENCE:?}");
        let job = customer.job(&job_id);
        let now = job["enqueued"].as_u64().unwrap();
        assert!(now >= drained, "progress went back from {drained} to {now}");
        assert_eq!(job["received"], USERS);
        drained = now;
        looks.push(now);
    }
    looks.dedup();
    assert!(looks.len() > 3, "it was read at {looks:?} only");
    assert_eq!(customer.completed(&job_id)["enqueued"], USERS);
}
