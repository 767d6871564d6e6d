//! The real binary as a daemon that is left running: wrong clocks, panics, signals, limits, and what a kill leaves behind.
//!
//! Needs `cc` for tests/process/clock.c.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use signal_hook::consts::SIGABRT;
use tempfile::TempDir;

use crate::support::binary::{Binary, bulkd, check};
use crate::support::{PATIENCE, json, newsletter, open_file, readers, unheard, wait_until};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A daemon by way of a shell, which sets limits or signals first.
fn serve_after(preparation: &str, folder: &TempDir, more: &[&str]) -> Command {
    let mut command = Command::new("env");
    // A shell cannot undo that the process which runs the tests ignores it, as under `nohup`.
    command.args([
        "--default-signal=HUP",
        "sh",
        "-c",
        &format!("{preparation} && exec \"$0\" \"$@\""),
        env!("CARGO_BIN_EXE_bulkd"),
    ]);
    command.args(["--listen", "127.0.0.1:0", "--db", text(&folder.path().join("bulkd.db"))]).args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Compiles a library of `tests/process` into the folder.
fn preloaded(name: &str, folder: &TempDir) -> PathBuf {
    let source = format!("{}/tests/process/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let library = folder.path().join(format!("{name}.so"));
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", &source, "-o", text(&library), "-ldl"]);
    assert!(cc.status().unwrap().success());
    library
}

/// A daemon whose clock can be ordered.
struct Clockwork(TempDir);

impl Clockwork {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        preloaded("clock", &folder);
        Clockwork(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn serve(&self) -> Command {
        let mut command = bulkd(&["--listen", ":0", "--db", text(&self.path("bulkd.db"))]);
        command.env("LD_PRELOAD", self.path("clock.so")).env("CLOCK_ORDERS", self.path("orders"));
        command
    }

    /// One read of a clock fails, once so many more have gone well in such a thread.
    fn fail(&self, clock: u8, first: usize, thread: &str) {
        fs::write(self.path("orders-to-be"), format!("{clock} {first} {thread}")).unwrap();
        fs::rename(self.path("orders-to-be"), self.path("orders")).unwrap();
    }

    fn has_failed(&self) -> bool {
        !self.path("orders").exists()
    }
}

/// Asks for the daemon's health on a connection of its own; the answer, which is empty if there is none.
fn health(address: SocketAddr) -> String {
    ask(address, "GET /_bulkd/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Sends a request in one piece, on a connection of its own; the answer, which is empty if there is none.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(request.as_bytes());
        let mut chunk = [0; 1024];
        while !answer.ends_with('}') {
            match stream.read(&mut chunk) {
                Ok(read @ 1..) => answer.push_str(&String::from_utf8_lossy(&chunk[..read])),
                _ => break,
            }
        }
    }
    answer
}

#[test]
fn any_clock_will_do() {
    for (seconds, date) in [
        ("-86400", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("0", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("253402300800", "Thu, 30 Dec 9999 22:00:00 GMT"),
        ("9223372036854775", "Thu, 30 Dec 9999 22:00:00 GMT"),
    ] {
        for format in ["text", "json"] {
            let clockwork = Clockwork::new();
            let mut serve = clockwork.serve();
            serve.args(["--log-format", format]).env("CLOCK_SECONDS", seconds);
            let daemon = Binary::start_by(&mut serve);
            assert!(health(daemon.address()).contains(&format!("Date: {date}\r\n")), "{seconds}");
            let customer = daemon.customer("acme");
            let job_id = customer.create(newsletter());
            customer.ingest(&job_id, readers(0, 10));
            assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 10, "{seconds}");
            let ended = daemon.terminate();
            assert!(!ended.stderr.contains("panicked") && ended.stderr.contains("stopping"), "{ended:?}");
        }
    }
}

#[test]
fn a_clock_that_is_a_year_ahead_for_seconds_has_nothing_dropped() {
    let clockwork = Clockwork::new();
    let mut serve = clockwork.serve();
    let daemon = Binary::start_by(serve.args(["--keep", "30d"]).env("CLOCK_OFFSET", clockwork.path("offset")));
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 10));
    customer.run_to_the_end(&job_id);
    // It has looked at the clock by then.
    daemon.logs("are free to be used again");
    fs::write(clockwork.path("offset-to-be"), "31536000").unwrap();
    fs::rename(clockwork.path("offset-to-be"), clockwork.path("offset")).unwrap();
    daemon.logs("ahead of what was to be expected: nothing is dropped for its age");
    fs::remove_file(clockwork.path("offset")).unwrap();
    daemon.logs("and is believed: what is old is dropped again");
    assert_eq!(customer.job(&job_id)["enqueued"], 10);
    daemon.terminate();
}

#[test]
fn a_clock_that_is_set_back_an_hour_makes_nothing_late() {
    let clockwork = Clockwork::new();
    let mut serve = clockwork.serve();
    let daemon = Binary::start_by(serve.env("CLOCK_OFFSET", clockwork.path("offset")));
    let customer = daemon.customer("acme");
    let (_socket, unheard) = unheard();
    customer.post("/_bulkd/webhooks", &json!({ "url": format!("http://{unheard}/") })).ok(201);
    let message = json!({ "message": {
        "to": { "user_id": "ada", "email": "ada@example.com" }, "content": { "title": "Hi", "body": "Hello" },
        "delay": { "duration": 4_000 },
    } });
    let sent = customer.post("/send", &message).ok(202);
    let path = format!("/messages/{}", sent["requestId"].as_str().unwrap());
    let attempts = || {
        let file = open_file(&clockwork.path("bulkd.db"));
        file.query_row("SELECT max(attempts) FROM webhook_events", [], |row| row.get::<_, Option<u64>>(0)).unwrap()
    };
    wait_until("an attempt has failed", || attempts() == Some(1));
    fs::write(clockwork.path("offset-to-be"), "-3600").unwrap();
    fs::rename(clockwork.path("offset-to-be"), clockwork.path("offset")).unwrap();
    wait_until("the message is sent", || customer.get(&path).ok(200)["status"] == "SENT");
    wait_until("the attempt is made again", || attempts() > Some(1));
    let record = customer.get(&path).ok(200);
    assert!(record["sent"].as_i64() < record["enqueued"].as_i64(), "{record}");
    daemon.terminate();
}

#[test]
fn a_panic_costs_the_request_that_it_came_over() {
    let clockwork = Clockwork::new();
    let daemon = Binary::start_by(&mut clockwork.serve());
    for first in 0..3 {
        clockwork.fail(0, first, "event loop");
        wait_until("a read of the clock has failed", || {
            health(daemon.address());
            clockwork.has_failed()
        });
        // Each thread answers as before.
        for _ in 0..8 {
            assert!(health(daemon.address()).starts_with("HTTP/1.1 200"));
        }
    }
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 10));
    clockwork.fail(0, 0, "runner");
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 10);
    assert!(clockwork.has_failed());
    let log = daemon.terminate().stderr;
    assert!(log.contains("the thread 'event loop ") && log.contains("the thread 'runner' panicked"), "{log}");
}

#[test]
fn a_process_without_one_of_its_threads_ends() {
    let clockwork = Clockwork::new();
    let daemon = Binary::start_by(&mut clockwork.serve());
    // Some of these reads are not a request's, but the loop's own. Which ones changes from one turn to the next.
    let over = (0..120).any(|round| {
        clockwork.fail(1, round % 12, "event loop");
        wait_until("a read of the clock has failed, or the process has ended", || {
            health(daemon.address()).is_empty() || clockwork.has_failed()
        });
        daemon.stderr().contains("cannot go on") || health(daemon.address()).is_empty()
    });
    assert!(over, "{}", daemon.stderr());
    let ended = daemon.wait();
    assert_eq!(ended.signal, Some(SIGABRT), "{ended:?}");
    assert!(ended.stderr.contains("bulkd cannot go on without the thread 'event loop "), "{ended:?}");
}

#[test]
fn each_signal_that_asks_for_an_end_is_a_stop() {
    for signal in ["TERM", "INT", "HUP", "QUIT"] {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Binary::start_by(&mut serve_after("true", &folder, &[]));
        daemon.customer("acme").create(newsletter());
        daemon.signal(signal);
        let ended = daemon.wait();
        assert_eq!(ended.code, Some(0), "{signal}: {ended:?}");
        assert!(!folder.path().join("bulkd.db-wal").exists(), "{signal}");
    }
    // Unless it was started to outlive its terminal.
    let folder = tempfile::tempdir().unwrap();
    let daemon = Binary::start_by(&mut serve_after("trap '' HUP", &folder, &[]));
    daemon.signal("HUP");
    assert!(health(daemon.address()).starts_with("HTTP/1.1 200"));
    daemon.terminate();
}

#[test]
fn a_file_that_may_not_grow_is_answered_with_503() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Binary::start_by(&mut serve_after("ulimit -f 4096", &folder, &[]));
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let (mut received, mut refusal) = (0, None);
    while refusal.is_none() {
        assert!(received < 1_000_000);
        let reply = customer.post(&format!("/bulk/{job_id}"), &json!({ "users": readers(received, 1000) }));
        match reply.status {
            200 => received += 1000,
            _ => refusal = Some(reply),
        }
    }
    let refusal = refusal.unwrap();
    assert_eq!((refusal.status, refusal.header("retry-after")), (503, Some("1")), "{refusal:?}");
    assert!(refusal.text.contains("has reached the size that this process may give to a file"), "{refusal:?}");
    assert_eq!(customer.job(&job_id)["received"], received);
    let ended = daemon.terminate();
    assert!(!ended.stderr.contains("panicked") && ended.stderr.contains("(`ulimit -f`)"), "{ended:?}");

    let daemon = Binary::start_by(&mut serve_after("true", &folder, &[]));
    let customer = daemon.customer("acme");
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], received);
    daemon.terminate();
    check(&folder.path().join("bulkd.db"));
}

#[test]
fn a_daemon_without_descriptors_can_be_stopped() {
    // How many it needs to start is its own affair: some limit above leaves none.
    for limit in 18..30 {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Binary::spawn(&mut serve_after(&format!("ulimit -n {limit}"), &folder, &[]));
        wait_until("it is up or has refused", || daemon.is_up() || daemon.stderr().contains("bulkd: "));
        if !daemon.is_up() {
            assert!(!daemon.wait().stderr.contains("panicked"));
            continue;
        }
        let crowd: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(daemon.address()).unwrap()).collect();
        let ended = daemon.terminate();
        assert!(!ended.stderr.contains("panicked"), "{limit}: {ended:?}");
        drop(crowd);
    }
}

#[test]
fn a_daemon_takes_as_many_descriptors_as_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Binary::start_by(&mut serve_after("ulimit -S -n 24", &folder, &[]));
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.id())).unwrap();
    let limit: Vec<&str> =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap().split_whitespace().collect();
    assert_eq!(limit[0], limit[1]);
    let crowd: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(daemon.address()).unwrap()).collect();
    assert!(health(daemon.address()).starts_with("HTTP/1.1 200"));
    drop(crowd);
    daemon.terminate();
}

fn folders(temporary: &TempDir) -> Vec<PathBuf> {
    fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_a_killed_daemon_threw_away_is_gone_after_the_next_start() {
    let temporary = tempfile::tempdir().unwrap();
    let start = |args: &[&str]| Binary::start_by(bulkd(args).env("TMPDIR", temporary.path()));
    let ephemeral = ["--ephemeral", "--listen", ":0"];
    let demo = ["demo", "--listen", "127.0.0.1:0"];
    let killed = [start(&ephemeral), start(&demo)];
    assert_eq!(folders(&temporary).len(), 2);
    killed.into_iter().for_each(Binary::kill);
    assert_eq!(folders(&temporary).len(), 2);
    // None of these is one: a person's own, one that has yet to make its file, and one that is in use.
    let (own, young) = (temporary.path().join("bulkd-myfile"), temporary.path().join("bulkd-abcdef"));
    fs::create_dir(&own).unwrap();
    fs::write(own.join("bulkd.db"), "mine").unwrap();
    fs::create_dir(&young).unwrap();
    fs::write(young.join("thrown-away-by-bulkd"), "").unwrap();
    let first = start(&ephemeral);
    let used: Vec<PathBuf> = folders(&temporary).into_iter().filter(|it| *it != own && *it != young).collect();
    assert_eq!(used.len(), 1, "{used:?}");
    first.logs("was left by a process that was killed");
    let second = start(&demo);
    assert!(used[0].join("bulkd.db").exists() && own.join("bulkd.db").exists() && young.exists());
    let customer = first.customer("acme");
    let job_id = customer.create(newsletter());
    assert_eq!(customer.run_to_the_end(&job_id)["received"], 0);
    first.terminate();
    second.terminate();
    let mut left = folders(&temporary);
    left.sort();
    assert_eq!(left, [young, own]);
}

#[test]
fn a_request_without_a_thread_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let refused = folder.path().join("refused");
    let mut serve = serve_after("true", &folder, &[]);
    serve.env("LD_PRELOAD", preloaded("threads", &folder)).env("THREADS_REFUSED", &refused);
    let daemon = Binary::start_by(&mut serve);
    fs::write(&refused, "").unwrap();
    // In one piece: the kernel takes the answer back from a peer that sends more once the connection is closed.
    let body = json!({ "message": newsletter() }).to_string();
    let head = format!(
        "POST /bulk HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\nContent-Length: {}",
        body.len()
    );
    let answer = ask(daemon.address(), &format!("{head}\r\n\r\n{body}"));
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    let (_, refusal) = answer.split_once("\r\n\r\n").unwrap();
    let refusal: serde_json::Value = serde_json::from_str(refusal).unwrap();
    assert_eq!(refusal["message"], "there is no thread for the request; try again later");
    assert!(health(daemon.address()).starts_with("HTTP/1.1 200"));
    fs::remove_file(&refused).unwrap();
    daemon.customer("acme").create(newsletter());
    daemon.terminate();
}
