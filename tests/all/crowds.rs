//! The real binary among more peers than there are threads, or descriptors: what a connection costs, and whose turn it is.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::support::binary::{Binary, bulkd};
use crate::support::{PATIENCE, json, newsletter, readers, sized, wait_until};

/// Descriptors that this process needs beside its sockets, for all tests that run meanwhile.
const OTHERS: usize = 500;

/// A folder, and a daemon on a file in it.
struct Crowded {
    daemon: Binary,
    _folder: TempDir,
    _descriptors: Descriptors,
}

impl Crowded {
    /// For a story with so many peers. Where there are too few descriptors for it, it is not told, and says so.
    #[track_caller]
    fn start(peers: usize) -> Option<Self> {
        let descriptors = Descriptors::take(peers)?;
        Some(Crowded::start_by(bulkd(&[]), descriptors))
    }

    /// One that has as many descriptors as this.
    #[track_caller]
    fn with_descriptors(limit: usize, peers: usize) -> Option<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_bulkd")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let descriptors = Descriptors::take(peers)?;
        Some(Crowded::start_by(command, descriptors))
    }

    fn start_by(mut command: Command, descriptors: Descriptors) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bulkd.db");
        command.args(["--listen", "127.0.0.1:0", "--log", "warn", "--db", file.to_str().unwrap()]);
        Crowded { daemon: Binary::start_by(&mut command), _folder: folder, _descriptors: descriptors }
    }

    fn connect(&self) -> Peer {
        Peer::connect(self.daemon.address())
    }

    /// Peers that each send this and nothing more.
    fn crowd(&self, count: usize, said: &str) -> Vec<Peer> {
        (0..count)
            .map(|_| {
                let peer = self.connect();
                peer.say(said);
                peer
            })
            .collect()
    }

    /// Tells a story while these uploads go on, byte by byte.
    fn beside_uploads<T>(&self, peers: &[Peer], story: impl FnOnce() -> T) -> T {
        struct Ends<'a>(&'a AtomicBool);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    peers.iter().for_each(|peer| peer.say(" "));
                    std::thread::park_timeout(Duration::from_millis(20));
                }
            });
            let _ends = Ends(&is_over);
            story()
        })
    }

    fn threads(&self) -> u64 {
        self.daemon.kernel_says("Threads")
    }

    fn memory(&self) -> u64 {
        self.daemon.kernel_says("VmRSS") * 1024
    }

    fn stop(self) {
        let ended = self.daemon.terminate();
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    }
}

/// A client that speaks HTTP by hand.
struct Peer(TcpStream);

impl Peer {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Peer(stream)
    }

    /// Where the daemon does not listen any more, what it says shows.
    fn say(&self, text: &str) {
        let _ = (&self.0).write_all(text.as_bytes());
    }

    /// The next answer; empty if there is none.
    fn hear(&self) -> String {
        let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
        while !is_whole(&answer) {
            match (&self.0).read(&mut chunk) {
                Ok(read @ 1..) => answer.extend_from_slice(&chunk[..read]),
                Ok(_) => break,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                    break;
                }
            }
        }
        String::from_utf8(answer).unwrap()
    }

    fn ask(&self, request: &str) -> String {
        self.say(request);
        self.hear()
    }

    fn is_answered(&self) -> bool {
        self.ask(HEALTH).starts_with("HTTP/1.1 200 ")
    }

    /// Waits for an answer, and takes nothing of it.
    fn notice_an_answer(&self) {
        assert_eq!(self.0.peek(&mut [0]).unwrap(), 1);
    }

    /// Whether the daemon has said something, or closed the connection.
    fn has_news(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Whether the daemon has closed the connection.
    fn is_closed(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        peeked.map_or_else(|error| error.kind() != ErrorKind::WouldBlock, |count| count == 0)
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    length.is_none_or(|length| body.len() >= length.parse().unwrap())
}

const HEALTH: &str = "GET /_bulkd/health HTTP/1.1\r\nHost: localhost\r\n\r\n";
const HALF_A_HEAD: &str = "GET /_bulkd/health HTTP/1.1\r\nHost:";
/// A body that begins.
const UPLOAD: &str =
    "POST /bulk HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\nContent-Length: 100000\r\n\r\n{ ";

fn create() -> String {
    let body = json!({ "message": newsletter() }).to_string();
    let head = "POST /bulk HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\nContent-Length:";
    format!("{head} {}\r\n\r\n{body}", body.len())
}

fn is_told_to_come_again(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n") && answer.ends_with('}')
}

/// Descriptors of this process that one story has. The stories that run beside it wait for theirs.
struct Descriptors(usize);

impl Descriptors {
    #[track_caller]
    fn take(needed: usize) -> Option<Self> {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        let most = maximum.map_or(usize::MAX, |most| most as usize).saturating_sub(OTHERS);
        if most < needed {
            eprintln!("NOT TESTED: it needs {} file descriptors, and `ulimit -Hn` is {maximum:?}", needed + OTHERS);
            return None;
        }
        let mut taken = Descriptors::taken();
        while *taken + needed > most {
            taken = GIVEN_BACK.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += needed;
        Some(Descriptors(needed))
    }

    fn taken() -> MutexGuard<'static, usize> {
        static TAKEN: Mutex<usize> = Mutex::new(0);
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        *Descriptors::taken() -= self.0;
        GIVEN_BACK.notify_all();
    }
}

static GIVEN_BACK: Condvar = Condvar::new();

#[test]
fn a_newcomer_is_answered_beside_hundreds_who_are_silent_or_do_not_go_on() {
    let (idle, halves, uploads) = (600, 200, 512);
    let Some(crowded) = Crowded::start(idle + halves + uploads) else { return };
    let threads = crowded.threads();
    let crowd = [crowded.crowd(idle, ""), crowded.crowd(halves, HALF_A_HEAD), crowded.crowd(uploads, UPLOAD)];
    for _ in 0..50 {
        assert!(crowded.connect().is_answered());
    }
    // None of them has a thread.
    assert!(crowded.threads() <= threads + 1, "{} threads, {threads} before", crowded.threads());
    assert!(crowded.connect().ask(&create()).starts_with("HTTP/1.1 201 "));
    let customer = crowded.daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 100));
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 100);
    drop(crowd);
    crowded.stop();
}

#[test]
fn thousands_who_ask_once_and_all_at_once_are_all_answered() {
    let count = sized(1_000, 3_000);
    let Some(crowded) = Crowded::start(count) else { return };
    let (crowd, create) = (crowded.crowd(count, ""), create());
    for (i, peer) in crowd.iter().enumerate() {
        peer.say(if i % 2 == 0 { &create } else { HEALTH });
    }
    for (i, peer) in crowd.iter().enumerate() {
        let (answer, expected) = (peer.hear(), if i % 2 == 0 { "HTTP/1.1 201 " } else { "HTTP/1.1 200 " });
        let is_busy = i % 2 == 0 && is_told_to_come_again(&answer);
        assert!(answer.starts_with(expected) || is_busy, "peer {i} of {count}: {answer:?}");
    }
    drop(crowd);
    // The same without waiting for each other: connect, ask, hear, go.
    let address = crowded.daemon.address();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..count / 8 {
                    let answer = Peer::connect(address).ask(&create);
                    assert!(answer.starts_with("HTTP/1.1 201 ") || is_told_to_come_again(&answer), "{answer:?}");
                }
            });
        }
    });
    crowded.stop();
}

#[test]
fn thousands_of_idle_connections_cost_little_beside_forty_busy_ones() {
    let (count, rounds) = (sized(2_000, 10_000), sized(10, 50));
    let Some(crowded) = Crowded::start(count + 40) else { return };
    assert!(crowded.connect().ask(&create()).starts_with("HTTP/1.1 201 "));
    let (memory, threads) = (crowded.memory(), crowded.threads());
    let idle = crowded.crowd(count, "");
    // Every other one has been answered: some at once, and some by a thread.
    for (i, peer) in idle.iter().enumerate().step_by(2) {
        assert!(if i % 20 == 0 { peer.ask(&create()).starts_with("HTTP/1.1 201 ") } else { peer.is_answered() });
    }
    let grown = crowded.memory().saturating_sub(memory);
    assert!(grown < (8 << 20) + count as u64 * 1024, "{grown} bytes for {count} connections");
    wait_until("their threads have ended", || crowded.threads() <= threads);

    let busy: Vec<Peer> = (0..40).map(|_| crowded.connect()).collect();
    for _ in 0..rounds {
        busy.iter().for_each(|peer| peer.say(&create()));
        for peer in &busy {
            assert!(peer.hear().starts_with("HTTP/1.1 201 "));
        }
        assert!(busy.iter().all(Peer::is_answered));
    }
    // A client that has its answer asks again before the thread that has queued its change is free.
    assert!(crowded.threads() <= threads + 2 * 40, "{} threads, {threads} at first", crowded.threads());
    assert!(idle.iter().step_by(count / 100).all(Peer::is_answered));
    wait_until("their threads have ended", || crowded.threads() <= threads);
    drop((idle, busy));
    crowded.stop();
}

#[test]
fn the_silent_make_room_and_of_these_first_those_that_never_asked() {
    let Some(crowded) = Crowded::with_descriptors(64, 200) else { return };
    let asking = crowded.connect();
    asking.say(UPLOAD);
    // More than there is room for.
    let silent = crowded.crowd(40, "");
    let answered: Vec<Peer> = (0..8).map(|_| crowded.connect()).collect();
    assert!(answered.iter().all(Peer::is_answered));
    let more = crowded.crowd(40, "");
    assert!(crowded.connect().is_answered());
    assert!(answered.iter().all(|peer| !peer.is_closed()), "one that has asked made room for one that has not");
    wait_until("those that never asked have made room", || silent.iter().all(Peer::is_closed));
    assert!(answered.iter().all(Peer::is_answered));

    // Of those that have asked it is the one that has been silent longest.
    let newcomers: Vec<Peer> = (0..20).map(|_| crowded.connect()).collect();
    for (i, newcomer) in newcomers.iter().enumerate() {
        assert!(newcomer.is_answered() || newcomer.is_closed(), "newcomer {i}");
    }
    drop(more);
    let kept: Vec<Peer> = (0..40)
        .map(|_| {
            let peer = crowded.connect();
            assert!(peer.is_answered());
            peer
        })
        .collect();
    assert!(answered.iter().all(Peer::is_closed));
    // Of two that were answered at almost the same moment it may be either.
    let closed: Vec<bool> = kept.iter().map(Peer::is_closed).collect();
    assert!(!closed[..20].contains(&false) && !closed[30..].contains(&true), "{closed:?}");

    // A body makes room after all of these, however long it does not go on.
    asking.say(&" ".repeat(100_000 - 3));
    assert!(asking.ask("}").starts_with("HTTP/1.1 400 "));
    assert!(asking.is_answered());
    drop((silent, answered, newcomers, kept));
    let log = || crowded.daemon.stderr();
    wait_until("there is room, and it was said", || {
        crowded.connect().is_answered() && log().contains("no longer: silent connections are closed to make room")
    });
    assert_eq!(log().matches("] silent connections are closed to make room").count(), 1, "{}", log());
    crowded.stop();
}

#[test]
fn one_for_whom_there_is_no_room_reads_why_also_if_its_request_is_still_arriving() {
    let Some(crowded) = Crowded::with_descriptors(64, 200) else { return };
    let mut uploads = crowded.crowd(16, UPLOAD);
    crowded.beside_uploads(&uploads, || {
        let mut refused = 0;
        while refused < 20 {
            let peer = crowded.connect();
            peer.say("POST /bulk HTTP/1.1\r\nHost: localhost\r\n");
            peer.notice_an_answer();
            peer.say(&format!("Content-Length: 200000\r\n\r\n{}", " ".repeat(200_000)));
            let told = peer.hear();
            // The uploads were held up, one has made room, and what came was half a head.
            if told.starts_with("HTTP/1.1 408 ") {
                continue;
            }
            assert!(is_told_to_come_again(&told) && told.contains("too many connections"), "{told:?}");
            assert!(told.contains("\r\nConnection: close\r\n"), "{told:?}");
            // Closed in good order.
            peer.0.shutdown(Shutdown::Write).unwrap();
            assert_eq!((&peer.0).read(&mut [0]).unwrap(), 0);
            refused += 1;
        }
    });
    // One that leaves makes room.
    uploads.pop();
    wait_until("there is room again", || crowded.connect().is_answered());
    crowded.stop();
}

#[test]
fn uploads_that_do_not_go_on_make_room_and_read_why() {
    let Some(crowded) = Crowded::with_descriptors(200, 200) else { return };
    // More than there is room for: some have made room for others.
    let uploads = crowded.crowd(160, UPLOAD);
    let told = || uploads.iter().filter(|peer| peer.has_news()).count();
    wait_until("all of them have had their turn", || told() >= 60);
    assert!(crowded.connect().is_answered());
    let answer = crowded.connect().ask(&create());
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(told() < 100, "{} were told", told());
    for peer in uploads.iter().filter(|peer| peer.has_news()) {
        let answer = peer.hear();
        let says_why = answer.contains("did not go on") || answer.contains("too many connections");
        assert!(is_told_to_come_again(&answer) && says_why, "{answer:?}");
    }
    crowded.stop();
}

#[test]
fn an_answer_that_is_not_read_makes_room_after_bodies() {
    let Some(crowded) = Crowded::with_descriptors(64, 200) else { return };
    let reader = crowded.connect();
    // Far more answers than the kernel keeps for a peer.
    reader.0.set_nonblocking(true).unwrap();
    let asked = "GET /_bulkd/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    wait_until("the daemon reads no more", || (&reader.0).write(asked.as_bytes()).is_err());
    reader.0.set_nonblocking(false).unwrap();
    let uploads = crowded.crowd(30, UPLOAD);
    wait_until("bodies have made room", || uploads.iter().filter(|peer| peer.has_news()).count() >= 15);
    assert!(!reader.is_closed());
    assert!(crowded.connect().is_answered());
    crowded.stop();
}

#[test]
fn connections_that_cannot_be_accepted_are_a_line_when_that_begins_and_one_when_it_ends() {
    let Some(crowded) = Crowded::with_descriptors(48, 200) else { return };
    let uploads = crowded.crowd(8, UPLOAD);
    crowded.beside_uploads(&uploads, || {
        // Refused at first, then not accepted.
        let _crowd = crowded.crowd(100, UPLOAD);
        crowded.daemon.logs("connections cannot be accepted: ");
        assert!(crowded.daemon.descriptors() <= 48, "{}", crowded.daemon.descriptors());
    });
    drop(uploads);
    wait_until("there is room again, and it was said", || {
        crowded.connect().is_answered() && crowded.daemon.stderr().contains("no longer: connections cannot be accepted")
    });
    let log = crowded.daemon.stderr();
    assert_eq!(log.matches(" connections cannot be accepted: ").count(), 1, "{log}");
    crowded.stop();
}

#[test]
fn hundreds_that_have_posted_keep_no_thread() {
    let Some(crowded) = Crowded::start(500) else { return };
    let threads = crowded.threads();
    let (crowd, create) = (crowded.crowd(500, ""), create());
    for peer in &crowd {
        assert!(peer.ask(&create).starts_with("HTTP/1.1 201 "));
    }
    wait_until("their threads have ended", || crowded.threads() == threads);
    assert!(crowd.iter().all(Peer::is_answered));
    drop(crowd);
    crowded.stop();
}

const WITH_WRONG_KEY: &str = "GET /lists HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer guess\r\n\r\n";

#[test]
fn health_is_answered_where_uploads_hold_all_places() {
    let Some(crowded) = Crowded::with_descriptors(64, 200) else { return };
    let uploads = crowded.crowd(16, UPLOAD);
    crowded.beside_uploads(&uploads, || {
        wait_until("the uploads hold all places", || {
            let answer = crowded.connect().ask(&create());
            is_told_to_come_again(&answer) && answer.contains("too many connections")
        });
        // Beside peers who do not say what they ask.
        let silent = crowded.crowd(3, "");
        let halves = crowded.crowd(3, HALF_A_HEAD);
        for _ in 0..20 {
            let answer = crowded.connect().ask(HEALTH);
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\nConnection: close\r\n"), "{answer:?}");
            let other = crowded.connect().ask(&HEALTH.replace("health", "metrics"));
            assert!(is_told_to_come_again(&other), "{other:?}");
        }
        // Their peers are told as well, though they asked nothing.
        for peer in silent.iter().chain(&halves) {
            let answer = peer.hear();
            assert!(is_told_to_come_again(&answer) && answer.contains("too many connections"), "{answer:?}");
        }
    });
    assert!(uploads.iter().all(|upload| !upload.is_closed()));
    crowded.stop();
}

#[test]
fn peers_with_wrong_keys_keep_no_place_from_others() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_bulkd"), "--api-key", "acme"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Some(descriptors) = Descriptors::take(200) else { return };
    let crowded = Crowded::start_by(command, descriptors);
    let guesser = crowded.connect();
    for _ in 0..12 {
        assert!(guesser.ask(WITH_WRONG_KEY).starts_with("HTTP/1.1 401 "));
    }
    let _guessers = crowded.crowd(60, WITH_WRONG_KEY);
    for _ in 0..5 {
        let answer = crowded.connect().ask(&create());
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer:?}");
    }
    crowded.stop();
}
