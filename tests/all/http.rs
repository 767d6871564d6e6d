//! The front door, from outside: bytes on a socket, well-behaved or not.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::support::{Daemon, Reply, json, newsletter, readers, wait_until};
use bulkd::http::Limits;
use socket2::{Domain, Socket, Type};

const HEALTH: &str = "/_bulkd/health";
const MIB: usize = 1024 * 1024;

/// A deadline that passes soon.
const SOON: Duration = Duration::from_millis(300);
/// What peers are ready to wait, and the daemon in all tests that are not about its deadlines: however slow the
/// machine is, this does not pass.
const PATIENCE: Duration = Duration::from_secs(300);
/// What a peer that says its request letter by letter waits between two of them.
const A_MOMENT: Duration = Duration::from_millis(5);

fn patient() -> Daemon {
    limited(|_| {})
}

/// A patient daemon but for what `set` says.
fn limited(set: impl FnOnce(&mut Limits)) -> Daemon {
    Daemon::start_with(|config| {
        let limits = &mut config.limits;
        (limits.head, limits.body, limits.idle, limits.answer) = (PATIENCE, PATIENCE, PATIENCE, PATIENCE);
        set(limits);
    })
}

/// A client that speaks HTTP by hand.
struct Peer {
    stream: BufReader<TcpStream>,
}

impl Peer {
    fn of(daemon: &Daemon) -> Self {
        Peer::over(TcpStream::connect(daemon.address()).unwrap())
    }

    /// A peer whose side of the connection holds little that was not read.
    fn with_small_ears(daemon: &Daemon) -> Self {
        let address = daemon.address();
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        socket.connect(&address.into()).unwrap();
        Peer::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Peer { stream: BufReader::new(stream) }
    }

    #[track_caller]
    fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Says it in pieces of so many bytes.
    #[track_caller]
    fn say_in_pieces(&mut self, bytes: impl AsRef<[u8]>, size: usize) {
        bytes.as_ref().chunks(size).for_each(|piece| self.say(piece));
    }

    /// Says `bytes` again and again, a little at a time, until there is something to hear.
    fn trickle(&mut self, bytes: &str) {
        for byte in bytes.bytes().cycle() {
            if self.is_told_something() {
                return;
            }
            self.say([byte]);
        }
    }

    /// Whether there is something to hear, or will be in a moment.
    fn is_told_something(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_read_timeout(Some(A_MOMENT)).unwrap();
        let peeked = stream.peek(&mut [0]);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        !peeked.is_err_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
    }

    /// The next answer.
    #[track_caller]
    fn hear(&mut self) -> Reply {
        self.try_hear().unwrap_or_else(|error| panic!("there is no answer: {error}"))
    }

    fn try_hear(&mut self) -> io::Result<Reply> {
        let mut reply = self.try_hear_head()?;
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        reply.text = String::from_utf8(body).unwrap();
        Ok(reply)
    }

    /// The next answer, which has no body.
    #[track_caller]
    fn hear_head(&mut self) -> Reply {
        self.try_hear_head().unwrap_or_else(|error| panic!("there is no answer: {error}"))
    }

    fn try_hear_head(&mut self) -> io::Result<Reply> {
        let status_line = self.hear_line()?;
        let status = status_line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).map(str::parse);
        let mut headers = Vec::new();
        loop {
            let line = self.hear_line()?;
            match line.split_once(": ") {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
                None => break assert_eq!(line, ""),
            }
        }
        Ok(Reply { status: status.expect(&status_line).expect(&status_line), headers, text: String::new() })
    }

    fn hear_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Nothing comes any more: the daemon has closed the connection, in good order.
    #[track_caller]
    fn hear_end(&mut self) {
        let mut rest = String::new();
        self.stream.read_to_string(&mut rest).unwrap_or_else(|error| panic!("not closed in good order: {error}"));
        assert_eq!(rest, "");
    }

    /// A refusal, and nothing after it; returns its message.
    #[track_caller]
    fn hear_last_refusal(&mut self, status: u16) -> String {
        let reply = self.hear();
        let message = refusal(&reply, status);
        assert_eq!(reply.header("connection"), Some("close"), "{reply:?}");
        self.hear_end();
        message
    }

    /// Waits until an answer begins, and takes nothing of it.
    #[track_caller]
    fn notice_an_answer(&self) {
        assert_eq!(self.stream.get_ref().peek(&mut [0]).unwrap(), 1);
    }

    #[track_caller]
    fn ask(&mut self, request: impl AsRef<[u8]>) -> Reply {
        self.say(request);
        self.hear()
    }

    /// Whether the daemon is answering on this connection.
    fn is_answered(&mut self) -> bool {
        let said = self.stream.get_mut().write_all(get(HEALTH).as_bytes());
        said.and_then(|()| self.try_hear()).is_ok_and(|reply| reply.status == 200)
    }

    /// Has nothing more to say, but listens.
    fn hang_up(&self) {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    }
}

fn request(line: &str, headers: &str, body: &str) -> String {
    format!("{line}\r\nHost: localhost\r\nAuthorization: Bearer acme\r\n{headers}\r\n{body}")
}

fn get(path: &str) -> String {
    request(&format!("GET {path} HTTP/1.1"), "", "")
}

fn post(path: &str, body: &str) -> String {
    request(&format!("POST {path} HTTP/1.1"), &format!("Content-Length: {}\r\n", body.len()), body)
}

/// A POST whose body is `chunks`, with everything that belongs to them.
fn post_chunks(path: &str, chunks: &str) -> String {
    request(&format!("POST {path} HTTP/1.1"), "Transfer-Encoding: chunked\r\n", chunks)
}

/// The body in chunks of these sizes, over and over, spelled in every way that is allowed.
fn chunks(body: &str, sizes: &[usize]) -> String {
    let mut chunks = String::new();
    let mut rest = body;
    for (i, size) in sizes.iter().cycle().enumerate() {
        if rest.is_empty() {
            return chunks + "0\r\n";
        }
        let (chunk, more) = rest.split_at(rest.len().min(*size));
        let length = chunk.len();
        let announced = match i % 4 {
            0 => format!("{length:x}"),
            1 => format!("{length:08X}"),
            2 => format!("{length:x};name=value"),
            _ => format!("{length:X} ; a ;b=\"c;d\""),
        };
        chunks += &format!("{announced}\r\n{chunk}\r\n");
        rest = more;
    }
    unreachable!("an endless list has ended")
}

fn users(first: usize, count: usize) -> String {
    json!({ "users": readers(first, count) }).to_string()
}

/// A body with some thousands of users that is exactly this long.
fn users_of_length(length: usize, count: usize) -> String {
    let mut body = users(0, count);
    assert!(body.len() <= length && body.len() > length / 2, "{}", body.len());
    body.push_str(&" ".repeat(length - body.len()));
    body
}

/// The message of a refusal with this status, whose envelope has to be Courier's.
#[track_caller]
fn refusal(reply: &Reply, status: u16) -> String {
    assert_eq!(reply.status, status, "{reply:?}");
    let body = reply.json();
    let kind = match status {
        401 => "authentication_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    };
    assert_eq!(body, json!({ "message": body["message"], "type": kind }), "{reply:?}");
    body["message"].as_str().unwrap().to_owned()
}

/// Says `bytes` on a new connection, is refused, and hears nothing more; returns the message.
#[track_caller]
fn refused_and_closed(daemon: &Daemon, bytes: impl AsRef<[u8]>, status: u16) -> String {
    let mut peer = Peer::of(daemon);
    peer.say(bytes);
    peer.hear_last_refusal(status)
}

/// Peers that each send one of these and nothing more.
fn silent_after(daemon: &Daemon, beginnings: &[impl AsRef<[u8]>]) -> Vec<Peer> {
    let peer = |beginning| {
        let mut peer = Peer::of(daemon);
        peer.say(beginning);
        peer
    };
    beginnings.iter().map(peer).collect()
}

#[track_caller]
fn answers_others(daemon: &Daemon) {
    assert_eq!(Peer::of(daemon).ask(get(HEALTH)).ok(200)["status"], "ok");
}

/// A path whose answer is longer than two sockets hold together, if it is asked for [`MANY`] times.
fn path_of_a_large_answer(daemon: &Daemon) -> String {
    let mut peer = Peer::of(daemon);
    let created = peer.ask(post("/bulk", &json!({ "message": newsletter() }).to_string())).ok(201);
    let path = format!("/bulk/{}", created["jobId"].as_str().unwrap());
    let user = json!({ "recipient": "huge", "data": { "huge": "x".repeat(LARGE) } });
    peer.ask(post(&path, &json!({ "users": [user] }).to_string())).ok(200);
    path + "/users"
}

const LARGE: usize = 4_000_000;
const MANY: usize = 16;

/// Stories with hundreds of sockets are told one at a time: descriptors are limited.
fn alone() -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::new(());
    CROWD.lock().unwrap_or_else(PoisonError::into_inner)
}

// Connections.

#[test]
fn a_hundred_and_twenty_eight_connections_at_once_are_all_answered_while_all_stay_open() {
    let _alone = alone();
    let daemon = patient();
    let mut peers: Vec<Peer> = (0..128).map(|_| Peer::of(&daemon)).collect();
    for round in 0..3 {
        for (i, peer) in peers.iter_mut().enumerate() {
            peer.say(get(&format!("/round/{round}/{i}")));
        }
        for (i, peer) in peers.iter_mut().enumerate() {
            assert_eq!(refusal(&peer.hear(), 404), format!("there is no route GET /round/{round}/{i}"));
        }
    }
}

#[test]
fn forty_requests_in_flight_on_forty_kept_open_connections_are_all_answered() {
    let daemon = patient();
    let job_id = daemon.customer("acme").create(newsletter());
    let mut peers: Vec<Peer> = (0..40).map(|_| Peer::of(&daemon)).collect();
    for round in 0..5 {
        for (i, peer) in peers.iter_mut().enumerate() {
            peer.say(post(&format!("/bulk/{job_id}"), &users((round * 40 + i) * 10, 10)));
        }
        for peer in &mut peers {
            assert_eq!(peer.hear().ok(200), json!({ "errors": [], "total": 10 }));
        }
    }
    assert_eq!(daemon.customer("acme").job(&job_id)["received"], 2000);
}

#[test]
fn hundreds_of_idle_connections_do_not_delay_others() {
    let _alone = alone();
    let daemon = patient();
    let mut idle: Vec<Peer> = (0..300).map(|_| Peer::of(&daemon)).collect();
    for peer in idle.iter_mut().step_by(2) {
        assert!(peer.is_answered());
    }
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 100));
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 100);
    assert!(idle.iter_mut().all(Peer::is_answered));
}

// More requests than there are threads for.

/// The writer is kept from its work for as long as this is there.
fn occupied_writer(daemon: &Daemon) -> rusqlite::Connection {
    let shell = rusqlite::Connection::open(daemon.database()).unwrap();
    shell.busy_timeout(PATIENCE).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    shell
}

#[test]
fn health_is_answered_while_all_threads_are_busy_and_the_queue_is_full() {
    let daemon = limited(|limits| (limits.requests, limits.queue, limits.queue_time) = (2, 1, PATIENCE));
    // A change that is worked out from what is stored has a thread until it is committed.
    let patch = r#"{"patch": [{"op": "add", "path": "/name", "value": "Ada"}]}"#;
    let framing = format!("Content-Length: {}\r\n", patch.len());
    let change = request("PATCH /profiles/ada HTTP/1.1", &framing, patch);
    let mut peers: Vec<Peer> = (0..8).map(|_| Peer::of(&daemon)).collect();
    let writer = occupied_writer(&daemon);
    peers.iter_mut().for_each(|peer| peer.say(&change));
    wait_until("five are refused", || peers.iter().filter(|peer| peer.is_told_something()).count() == 5);
    for _ in 0..20 {
        answers_others(&daemon);
    }
    // These have a thread, or are next.
    let (mut refused, mut taken): (Vec<Peer>, Vec<Peer>) = peers.into_iter().partition(Peer::is_told_something);
    for peer in &mut refused {
        let reply = peer.hear();
        assert_eq!(refusal(&reply, 503), "too many requests at once; try again later");
        assert_eq!((reply.header("retry-after"), reply.header("connection")), (Some("1"), None));
        assert!(peer.is_answered());
    }
    drop(writer);
    let statuses: Vec<u16> = taken.iter_mut().map(|peer| peer.hear().status).collect();
    assert!(statuses.iter().all(|status| [204, 503].contains(status)), "{statuses:?}");
    assert!(refused[0].ask(&change).status == 204);
}

#[test]
fn what_waits_for_its_commit_has_no_thread() {
    let daemon = limited(|limits| (limits.requests, limits.queue, limits.queue_time) = (1, 20, PATIENCE));
    let create = post("/bulk", &json!({ "message": newsletter() }).to_string());
    let with_body = request(&format!("GET {HEALTH} HTTP/1.1"), "Content-Length: 2\r\n", "{}");
    let mut peers: Vec<Peer> = (0..20).map(|_| Peer::of(&daemon)).collect();
    let writer = occupied_writer(&daemon);
    peers.iter_mut().for_each(|peer| peer.say(&create));
    // A request with a body is for the only thread.
    for _ in 0..20 {
        assert_eq!(Peer::of(&daemon).ask(&with_body).status, 200);
    }
    drop(writer);
    for peer in &mut peers {
        let reply = peer.hear();
        assert!(reply.status == 201 || reply.text.contains("is locked by another program"), "{reply:?}");
    }
}

// One request after the other.

#[test]
fn one_connection_serves_a_job_from_beginning_to_end() {
    let daemon = patient();
    let mut peer = Peer::of(&daemon);
    let created = peer.ask(post("/bulk", &json!({ "message": newsletter() }).to_string())).ok(201);
    let path = format!("/bulk/{}", created["jobId"].as_str().unwrap());
    assert_eq!(peer.ask(post(&path, &users(0, 3))).ok(200)["total"], 3);
    assert_eq!(peer.ask(post(&path, "{\"users\": null}")).status, 400);
    assert_eq!(peer.ask(post(&format!("{path}/run"), "")).ok(202), json!({}));
    wait_until("the job is COMPLETED", || peer.ask(get(&path)).ok(200)["job"]["status"] == "COMPLETED");
    assert_eq!(peer.ask(get(&path)).ok(200)["job"]["enqueued"], 3);
}

#[test]
fn fifty_pipelined_requests_get_fifty_answers_in_order() {
    let daemon = patient();
    let requests: String = (0..50).map(|i| get(&format!("/nothing/{i}"))).collect();
    for size in [usize::MAX, 1000, 7, 1] {
        let mut peer = Peer::of(&daemon);
        peer.say_in_pieces(&requests, size);
        for i in 0..50 {
            assert_eq!(refusal(&peer.hear(), 404), format!("there is no route GET /nothing/{i}"));
        }
        assert!(peer.is_answered());
    }
}

#[test]
fn fifty_pipelined_reads_get_each_its_own_answer() {
    let daemon = patient();
    let customer = daemon.customer("acme");
    let named = |i: usize| json!({ "event": format!("event-{i}") });
    let paths: Vec<String> = (0..50).map(|i| format!("/bulk/{}", customer.create(named(i)))).collect();
    let mut peers = [Peer::of(&daemon), Peer::of(&daemon)];
    for size in [usize::MAX, 1000, 7] {
        let requests: String = paths.iter().map(|path| get(path)).collect();
        peers.iter_mut().for_each(|peer| peer.say_in_pieces(&requests, size));
        for peer in &mut peers {
            for i in 0..50 {
                assert_eq!(peer.hear().ok(200)["job"]["definition"], named(i));
            }
        }
    }
}

#[test]
fn a_pipelined_read_sees_what_was_written_before_it() {
    let daemon = patient();
    let path = format!("/bulk/{}", daemon.customer("acme").create(newsletter()));
    let mut peer = Peer::of(&daemon);
    let conversation = (0..20).map(|i| get(&path) + &post(&path, &users(i, 1)));
    peer.say(conversation.collect::<String>() + &get(&path));
    for i in 0..20 {
        assert_eq!(peer.hear().ok(200)["job"]["received"], i);
        assert_eq!(peer.hear().ok(200)["total"], 1);
    }
    assert_eq!(peer.hear().ok(200)["job"]["received"], 20);
}

#[test]
fn fifty_pipelined_posts_keep_their_bodies_apart() {
    let daemon = patient();
    let job_id = daemon.customer("acme").create(newsletter());
    let path = format!("/bulk/{job_id}");
    let mut peer = Peer::of(&daemon);
    let requests = |_| (0..50).map(|i| post(&path, &users(i, 1)));
    peer.say((0..2).flat_map(requests).collect::<String>());
    for _ in 0..50 {
        assert_eq!(peer.hear().ok(200), json!({ "errors": [], "total": 1 }));
    }
    // The second time each of them is known, and the answer says who it is.
    for i in 0..50 {
        let error = json!({ "error": "Duplicate user", "user": readers(i, 1)[0] });
        assert_eq!(peer.hear().ok(200), json!({ "errors": [error], "total": 0 }));
    }
}

#[test]
fn bodies_of_every_kind_can_follow_each_other() {
    let daemon = patient();
    let customer = daemon.customer("acme");
    let path = format!("/bulk/{}", customer.create(newsletter()));
    let mut conversation = String::new();
    for i in 0..10 {
        conversation += &post(&path, &users(i * 10, 5));
        conversation += &post_chunks(&path, &(chunks(&users(i * 10 + 5, 5), &[100, 1, 30]) + "\r\n"));
        conversation += &request(&format!("POST {path}/nowhere HTTP/1.1"), "Content-Length: 0\r\n", "");
        conversation += &get(&path);
    }
    for size in [usize::MAX, 5000, 313] {
        let mut peer = Peer::of(&daemon);
        peer.say_in_pieces(&conversation, size);
        for _ in 0..10 {
            assert_eq!((peer.hear().status, peer.hear().status), (200, 200));
            assert_eq!((peer.hear().status, peer.hear().status), (404, 200));
        }
    }
    assert_eq!(customer.get(&path).ok(200)["job"]["received"], 100);
}

#[test]
fn a_blank_line_between_requests_is_forgiven() {
    let daemon = patient();
    let mut peer = Peer::of(&daemon);
    peer.say(["\r\n", &get("/a"), "\r\n\r\n", &post("/b", "{}"), "\r\n", &get("/c"), "\r\n", &get("/d")].concat());
    for asked in ["GET /a", "POST /b", "GET /c", "GET /d"] {
        assert_eq!(refusal(&peer.hear(), 404), format!("there is no route {asked}"));
    }
    peer.say("\r");
    peer.say("\n");
    assert!(peer.is_answered());
}

#[test]
fn a_peer_that_says_everything_and_hangs_up_is_still_answered() {
    let daemon = patient();
    let mut peer = Peer::of(&daemon);
    peer.say([get("/a"), post("/b", "{}"), get("/c")].concat());
    peer.hang_up();
    for asked in ["GET /a", "POST /b", "GET /c"] {
        assert_eq!(refusal(&peer.hear(), 404), format!("there is no route {asked}"));
    }
    peer.hear_end();
}

#[test]
fn the_connection_is_closed_when_the_peer_asks_for_it() {
    let daemon = patient();
    for header in ["close", "Close", "keep-alive, close", "Foo , CLOSE", "keep-alive\r\nConnection: close"] {
        let mut peer = Peer::of(&daemon);
        let last = request("GET /close HTTP/1.1", &format!("Connection: {header}\r\n"), "");
        peer.say([get("/first"), last, get("/never")].concat());
        let reply = peer.hear();
        assert_eq!((refusal(&reply, 404).as_str(), reply.header("connection")), ("there is no route GET /first", None));
        let reply = peer.hear();
        assert_eq!(refusal(&reply, 404), "there is no route GET /close");
        assert_eq!(reply.header("connection"), Some("close"));
        peer.hear_end();
    }
}

#[test]
fn what_follows_the_last_request_does_not_harm_its_answer() {
    let daemon = patient();
    let path = path_of_a_large_answer(&daemon);
    let mut peer = Peer::with_small_ears(&daemon);
    peer.say(request(&format!("GET {path} HTTP/1.1"), "Connection: close\r\n", &"x".repeat(32 * 1024)));
    peer.notice_an_answer();
    assert!(peer.hear().text.len() > LARGE);
    peer.hear_end();
}

#[test]
fn http_1_0_gets_one_answer_unless_it_asks_for_more() {
    let daemon = patient();
    let mut peer = Peer::of(&daemon);
    // HTTP/1.0 knows neither Host nor a connection that stays open.
    let reply = peer.ask(format!("GET {HEALTH} HTTP/1.0\r\n\r\n{}", get("/never")));
    assert_eq!((reply.ok(200)["status"].as_str(), reply.header("connection")), (Some("ok"), Some("close")));
    assert_eq!(reply.header("transfer-encoding"), None);
    peer.hear_end();

    let mut peer = Peer::of(&daemon);
    for _ in 0..3 {
        // Without this header in the answer such a peer waits for the connection to close.
        let reply = peer.ask(format!("GET {HEALTH} HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
        assert_eq!((reply.status, reply.header("connection")), (200, Some("keep-alive")));
    }
    refusal(&peer.ask("POST /bulk HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}"), 401);
    peer.hear_end();
}

// Ways to ask.

#[test]
fn head_is_answered_as_get_without_a_body() {
    let daemon = patient();
    let path = format!("/bulk/{}", daemon.customer("acme").create(newsletter()));
    let mut peer = Peer::of(&daemon);
    let reply = peer.ask(get(&path));
    for asked in ["HEAD", "head"] {
        peer.say(request(&format!("{asked} {path} HTTP/1.1"), "", ""));
        let head = peer.hear_head();
        assert_eq!((head.status, head.header("content-type")), (200, Some("application/json")));
        assert_eq!(head.header("content-length"), Some(reply.text.len().to_string().as_str()));
    }
    peer.say(request("HEAD /nothing HTTP/1.1", "", ""));
    let head = peer.hear_head();
    assert_eq!((head.status, head.header("content-type")), (404, Some("application/json")));
    assert_ne!(head.header("content-length"), Some("0"));
    // Where a body would be, the next answer begins.
    assert_eq!(peer.ask(get(&path)).text, reply.text);
}

#[test]
fn methods_are_understood_in_lower_case() {
    // Courier's 4.x Node client sends `patch`.
    let daemon = patient();
    let mut peer = Peer::of(&daemon);
    let body = json!({ "message": newsletter() }).to_string();
    let headers = format!("Content-Length: {}\r\n", body.len());
    let created = peer.ask(request("post /bulk HTTP/1.1", &headers, &body)).ok(201);
    let job_id = created["jobId"].as_str().unwrap();
    assert_eq!(peer.ask(request(&format!("get /bulk/{job_id} HTTP/1.1"), "", "")).status, 200);
    let unknown = peer.ask(request(&format!("patch /bulk/{job_id} HTTP/1.1"), "Content-Length: 2\r\n", "{}"));
    let told = refusal(&unknown, 404);
    assert!(told.starts_with(&format!("there is no route PATCH /bulk/{job_id}; with this path there is ")), "{told}");
    let unheard_of = peer.ask(request("Brew /pot-1 HTTP/1.1", "", ""));
    assert_eq!(refusal(&unheard_of, 404), "there is no route BREW /pot-1");
}

#[test]
fn a_whole_url_is_as_good_as_a_path() {
    let daemon = patient();
    let mut peer = Peer::of(&daemon);
    for (target, path) in [
        ("http://api.courier.com/some/where?and=more", "/some/where"),
        ("https://127.0.0.1:4010/some/where", "/some/where"),
        ("HTTP://api.courier.com/some/where", "/some/where"),
        ("http://api.courier.com", "/"),
        ("http://api.courier.com?and=more", "/"),
        ("http://api.courier.com/", "/"),
        ("/http://api.courier.com/", "/http://api.courier.com/"),
        ("//some/where", "//some/where"),
        ("*", "*"),
    ] {
        let reply = peer.ask(request(&format!("OPTIONS {target} HTTP/1.1"), "", ""));
        let told = refusal(&reply, 404);
        assert_eq!(told.split(';').next(), Some(format!("there is no route OPTIONS {path}").as_str()));
    }
    for target in ["api.courier.com:443", "bulk", "?", "ftp://api.courier.com/", "http:/bulk"] {
        refused_and_closed(&daemon, request(&format!("GET {target} HTTP/1.1"), "", ""), 400);
    }
}

#[test]
fn a_peer_that_expects_it_is_told_to_go_on() {
    let daemon = patient();
    let path = format!("/bulk/{}", daemon.customer("acme").create(newsletter()));
    let body = users(0, 10);
    let mut peer = Peer::of(&daemon);
    for expectation in ["100-continue", "100-Continue"] {
        let framing = format!("Expect: {expectation}\r\nContent-Length: {}\r\n", body.len());
        peer.say(request(&format!("POST {path} HTTP/1.1"), &framing, ""));
        let go_on = peer.hear_head();
        assert_eq!((go_on.status, go_on.headers.len()), (100, 0));
        assert_eq!(peer.ask(&body).status, 200);
    }
    let framing = "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n";
    peer.say(request(&format!("POST {path} HTTP/1.1"), framing, ""));
    assert_eq!(peer.hear_head().status, 100);
    assert_eq!(peer.ask(chunks(&users(10, 10), &[1000]) + "\r\n").ok(200)["total"], 10);

    // Not where there is nothing to expect, and not where it is no use.
    assert_eq!(peer.ask(request(&format!("GET {path} HTTP/1.1"), "Expect: 100-continue\r\n", "")).status, 200);
    let framing = format!("Expect: 100-continue\r\nContent-Length: {}\r\n", 6 * MIB + 1);
    refused_and_closed(&daemon, request(&format!("POST {path} HTTP/1.1"), &framing, ""), 413);
}

#[test]
fn http_1_1_names_its_host_once() {
    let daemon = patient();
    for headers in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n", "X-Host: a\r\n"] {
        let message = refused_and_closed(&daemon, format!("GET {HEALTH} HTTP/1.1\r\n{headers}\r\n"), 400);
        assert_eq!(message, "Host: expected exactly one such header");
    }
    for host in ["Host:", "HOST: api.courier.com", "host:127.0.0.1:1"] {
        assert_eq!(Peer::of(&daemon).ask(format!("GET {HEALTH} HTTP/1.1\r\n{host}\r\n\r\n")).status, 200);
    }
}

// Chunks.

#[test]
fn chunks_may_be_cut_anywhere_and_the_next_request_follows() {
    let daemon = patient();
    let customer = daemon.customer("acme");
    let body = users(0, 50);
    let endings = ["\r\n", "X-Checksum: 1\r\nX-Other:\r\n\r\n"];
    let sizes: [&[usize]; 4] = [&[1], &[1, 2, 3, 5, 8, 13, 21, 34, 55, 89], &[4096, 16, 1], &[usize::MAX]];
    for (i, sizes) in sizes.into_iter().enumerate() {
        for size in [usize::MAX, 4097, 11, 1] {
            let job_id = customer.create(newsletter());
            let path = format!("/bulk/{job_id}");
            let mut peer = Peer::of(&daemon);
            let said = post_chunks(&path, &(chunks(&body, sizes) + endings[i % 2])) + &get(&path);
            peer.say_in_pieces(said, size);
            assert_eq!(peer.hear().ok(200), json!({ "errors": [], "total": 50 }));
            assert_eq!(peer.hear().ok(200)["job"]["received"], 50);
            assert!(peer.is_answered());
        }
    }
    let mut peer = Peer::of(&daemon);
    assert!(refusal(&peer.ask(post_chunks("/bulk", "0\r\n\r\n")), 400).starts_with("the body: not valid JSON"));
    assert!(peer.is_answered());
}

#[test]
fn broken_chunks_are_refused_and_nothing_in_them_counts() {
    let daemon = patient();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let path = format!("/bulk/{job_id}");
    let body = users(0, 1);
    let (size, half) = (body.len(), body.len() / 2);
    let long = "x".repeat(5000);
    let cases = [
        // Sizes that are none.
        format!("{body}\r\n0\r\n\r\n"),
        format!("\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("g\r\n{body}\r\n0\r\n\r\n"),
        format!("-{size:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("+{size:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("0x{size:x}\r\n{body}\r\n0\r\n\r\n"),
        format!(" {size:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("{size:x} {size:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("{size:x},\r\n{body}\r\n0\r\n\r\n"),
        format!("00000000000000000{size:x}\r\n{body}\r\n0\r\n\r\n"),
        // No size at all is not zero.
        format!("{size:x}\r\n{body}\r\n\r\n\r\n"),
        format!("{size:x}\r\n{body}\r\n;last\r\n\r\n"),
        format!("{size:x}\r\n{body}\r\n \r\n\r\n"),
        // Chunks that are longer or shorter than they say.
        format!("{half:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("{:x}\r\n{body}\r\n0\r\n\r\n", size + 1),
        format!("{size:x}\r\n{body}0\r\n\r\n"),
        // Line ends that others might see, or not see.
        format!("{size:x}\n{body}\r\n0\r\n\r\n"),
        format!("{size:x}\r{body}\r\n0\r\n\r\n"),
        format!("{size:x}\r\n{body}\n0\r\n\r\n"),
        format!("{size:x}\r\n{body}\r\r0\r\n\r\n"),
        format!("{size:x};a\nb\r\n{body}\r\n0\r\n\r\n"),
        format!("{size:x};a\rb\r\n{body}\r\n0\r\n\r\n"),
        format!("{size:x}\r\n{body}\r\n0\n\n\r\n\r\n"),
        format!("{size:x}\r\n{body}\r\n0\r\n\n\r\n\r\n"),
        format!("{size:x}\r\n{body}\r\n0\r\nX: a\nY: b\r\n\r\n"),
        format!("{size:x}\r\n{body}\r\n0\r\nX: a\rY: b\r\n\r\n"),
        // What never ends.
        format!("{size:x};{long}\r\n{body}\r\n0\r\n\r\n"),
        format!("{size:x}\r\n{body}\r\n0\r\nX: {long}\r\n\r\n"),
        format!("{size:x}\r\n{body}\r\n0\r\n{}\r\n", "X: y\r\n".repeat(1000)),
    ];
    for case in cases {
        let message = refused_and_closed(&daemon, post_chunks(&path, &case) + &post(&path, &body), 400);
        assert!(message.starts_with("the body: "), "{case:?} said {message}");
    }
    let message =
        refused_and_closed(&daemon, "POST /bulk HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    assert_eq!(message, "Transfer-Encoding: expected one such header, in HTTP/1.1");
    assert_eq!(customer.job(&job_id)["received"], 0);
}

// Smuggling.

#[test]
fn what_two_servers_could_read_differently_is_refused_and_nothing_after_it_is_read() {
    let daemon = patient();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let path = format!("/bulk/{job_id}");
    let smuggled = post(&path, &users(0, 1));
    let headers = [
        ("Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: 5\r\ncontent-length: 0\r\n", 400),
        ("Content-Length: 5, 5\r\n", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: five\r\n", 400),
        ("Content-Length: -5\r\n", 400),
        ("Content-Length: +5\r\n", 400),
        ("Content-Length:\r\n", 400),
        ("Content-Length: \t \r\n", 400),
        ("Content-Length: 5.0\r\n", 400),
        ("Content-Length: 0x5\r\n", 400),
        ("Content-Length: 5 5\r\n", 400),
        ("Content-Length: 5\u{a0}\r\n", 400),
        ("Content-Length: \u{2003}5\r\n", 400),
        ("Content-Length: \u{665}\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: chunked, gzip\r\n", 501),
        ("Transfer-Encoding: chunked, chunked\r\n", 501),
        ("Transfer-Encoding: chunked,\r\n", 501),
        ("Transfer-Encoding: \"chunked\"\r\n", 501),
        ("Transfer-Encoding: xchunked\r\n", 501),
        ("Transfer-Encoding: identity\r\n", 501),
        ("Transfer-Encoding:\r\n", 501),
        ("Transfer-Encoding: \u{a0}chunked\r\n", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400),
        ("Transfer-Encoding: \x0bchunked\r\n", 400),
        ("Content-Length : 5\r\n", 400),
        ("Content-Length\t: 5\r\n", 400),
        ("Transfer-Encoding : chunked\r\n", 400),
        // A line that continues the one before.
        (" Content-Length: 5\r\n", 400),
        ("X-Folded: a\r\n b\r\n", 400),
        ("Transfer-Encoding:\r\n chunked\r\n", 400),
        ("Content-Length: 5\r\n\t0\r\n", 400),
        // Line ends that are none.
        ("X-Bare: a\rContent-Length: 5\r\n", 400),
        ("Content-Length: 5\r\r\n", 400),
        ("\rContent-Length: 5\r\n", 400),
        ("X-Nothing: a\0b\r\n", 400),
        ("X-Control: a\x01b\r\n", 400),
        ("Content-Length\r\n", 400),
        (": 5\r\n", 400),
        ("Content Length: 5\r\n", 400),
        ("(Content-Length): 5\r\n", 400),
    ];
    for (headers, status) in headers {
        // Five bytes as well as no chunk at all.
        let bytes = request(&format!("POST {path} HTTP/1.1"), headers, "0\r\n\r\n") + &smuggled;
        let mut peer = Peer::of(&daemon);
        let reply = peer.ask(bytes);
        assert_eq!(reply.status, status, "{headers:?} {reply:?}");
        refusal(&reply, status);
        assert_eq!(reply.header("connection"), Some("close"), "{headers:?}");
        peer.hear_end();
    }
    let lines = [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "\rGET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / x HTTP/1.1",
        "GET / HTTP/1.1 x",
        "GET / HTTP/1.1\r",
        "GET /\rx HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET / HTTP/0.9",
        "GET / http/1.1",
        "GET /",
        "GET",
        "G(T / HTTP/1.1",
        "GET / HTTP/1.1\r\nHost: a",
    ];
    for line in lines {
        refused_and_closed(&daemon, request(line, "", "") + &smuggled, 400);
    }
    assert_eq!(customer.job(&job_id)["received"], 0);
    assert_eq!(Peer::of(&daemon).ask(smuggled).ok(200)["total"], 1);
}

// Sizes.

#[test]
fn a_length_beyond_all_measure_is_refused_before_anything_is_read() {
    let daemon = patient();
    let announced =
        ["6291457", "1000000000000", "9223372036854775807", "18446744073709551615", "99999999999999999999999999"];
    for length in announced {
        let head = request("POST /bulk HTTP/1.1", &format!("Content-Length: {length}\r\n"), "{");
        let message = refused_and_closed(&daemon, head, 413);
        assert_eq!(message, "the body is larger than 6291456 bytes; send the users in several calls");
    }
    for size in ["600001", "e8d4a51000", "7fffffffffffffff", "ffffffffffffffff"] {
        refused_and_closed(&daemon, post_chunks("/bulk", &format!("{size}\r\n{{")), 413);
    }
    answers_others(&daemon);
}

#[test]
fn a_body_may_be_as_large_as_the_limit_and_not_a_byte_larger() {
    let daemon = patient();
    let customer = daemon.customer("acme");
    let jobs = [customer.create(newsletter()), customer.create(newsletter())];
    let paths = jobs.each_ref().map(|job_id| format!("/bulk/{job_id}"));
    let mut body = users_of_length(6 * MIB, 40_000);
    let in_chunks = |body: &str| chunks(body, &[100_000, 1, 300_000]) + "\r\n";

    let mut peer = Peer::of(&daemon);
    assert_eq!(peer.ask(post(&paths[0], &body)).ok(200)["total"], 40_000);
    assert_eq!(peer.ask(post_chunks(&paths[1], &in_chunks(&body))).ok(200)["total"], 40_000);

    // The whole body is sent before it is read, and the answer is there to be read.
    body.push(' ');
    refused_and_closed(&daemon, post(&paths[0], &body), 413);
    refused_and_closed(&daemon, post_chunks(&paths[1], &in_chunks(&body)), 413);
    for job_id in &jobs {
        assert_eq!(customer.job(job_id)["received"], 40_000);
    }
}

#[test]
fn a_head_may_be_sixteen_kilobytes_long_and_not_a_byte_longer() {
    let daemon = patient();
    let too_large = "request line and headers are larger than 16384 bytes";
    let of_length = |length: usize| {
        let short = request("GET /long HTTP/1.1", "X-Long: \r\n", "").len();
        request("GET /long HTTP/1.1", &format!("X-Long: {}\r\n", "x".repeat(length - short)), "")
    };
    for size in [usize::MAX, 1000, 1] {
        let mut peer = Peer::of(&daemon);
        peer.say_in_pieces(of_length(16 * 1024), size);
        refusal(&peer.hear(), 404);
        assert!(peer.is_answered());
        peer.say_in_pieces(of_length(16 * 1024 + 1), size);
        assert_eq!(peer.hear_last_refusal(431), too_large);
    }
    let long_path = get(&format!("/{}", "x".repeat(16 * 1024)));
    assert_eq!(refused_and_closed(&daemon, long_path, 431), too_large);

    // Lines that never end: a header, a path, a method.
    let endless = "x".repeat(MIB);
    for start in ["GET / HTTP/1.1\r\nHost: localhost\r\nX-Endless: ", "GET / HTTP/1.1\r\n", "GET /", ""] {
        assert_eq!(refused_and_closed(&daemon, format!("{start}{endless}"), 431), too_large, "{start}");
    }
}

#[test]
fn a_hundred_headers_are_enough() {
    let daemon = patient();
    // With Host and Authorization.
    let mut peer = Peer::of(&daemon);
    assert_eq!(peer.ask(request(&format!("GET {HEALTH} HTTP/1.1"), &"X: y\r\n".repeat(98), "")).status, 200);
    for count in [99, 198, 2000] {
        let message = refused_and_closed(&daemon, request("GET / HTTP/1.1", &"X: y\r\n".repeat(count), ""), 431);
        assert_eq!(message, "the request has more than 100 headers");
    }
    refused_and_closed(&daemon, request("GET / HTTP/1.1", &"X: y\r\n".repeat(200_000), ""), 431);
    answers_others(&daemon);
}

#[test]
fn what_is_no_http_is_refused() {
    let daemon = patient();
    let client_hello: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x9f\x1c\x00\x00\x00\x20\x13\x01\x13\x02";
    let all_bytes: Vec<u8> = (0..=255).collect();
    let cases = [
        client_hello,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\0",
        b"{\"users\": []}\r\n\r\n",
        b"\xff\xfe\xfd\xfc",
        b"GET /\x80\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &all_bytes,
    ];
    for bytes in cases {
        let message = refused_and_closed(&daemon, bytes, 400);
        assert!(message.starts_with("the request is not valid HTTP: "), "{message}");
    }
    answers_others(&daemon);
}

// Patience.

#[test]
fn a_head_that_does_not_end_in_time_is_given_up() {
    let daemon = limited(|limits| limits.head = SOON);
    let beginnings = ["G", "\r", "GET / HTTP/1.1\r\nHost: localhost\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n\r"];
    for mut peer in silent_after(&daemon, &beginnings) {
        assert_eq!(peer.hear_last_refusal(408), "the request did not arrive in time");
    }
    // Nor does it help to keep talking, or to have been answered before.
    let mut peer = Peer::of(&daemon);
    assert!(peer.is_answered());
    peer.trickle("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: yes yes yes yes");
    peer.hear_last_refusal(408);

    let mut peer = Peer::of(&daemon);
    peer.say(get("/whole") + "GET /half HTT");
    refusal(&peer.hear(), 404);
    peer.hear_last_refusal(408);
    answers_others(&daemon);
}

#[test]
fn a_body_that_does_not_end_in_time_is_given_up() {
    let daemon = limited(|limits| limits.body = SOON);
    let stalled = [
        request("POST /bulk HTTP/1.1", "Content-Length: 100\r\n", ""),
        request("POST /bulk HTTP/1.1", "Content-Length: 100\r\n", "{\"message\":"),
        post_chunks("/bulk", ""),
        post_chunks("/bulk", "5"),
        post_chunks("/bulk", "5\r\nhel"),
        post_chunks("/bulk", "5\r\nhello\r"),
        post_chunks("/bulk", "5\r\nhello\r\n0\r\n"),
        post_chunks("/bulk", "5\r\nhello\r\n0\r\nX-Trailer: "),
    ];
    for mut peer in silent_after(&daemon, &stalled) {
        assert_eq!(peer.hear_last_refusal(408), "the body did not arrive in time");
    }
    for framing in ["Content-Length: 1000000\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut peer = Peer::of(&daemon);
        peer.say(request("POST /bulk HTTP/1.1", framing, ""));
        peer.trickle("2\r\n{}\r\n");
        let reply = peer.hear();
        refusal(&reply, 408);
        // The same request may succeed when it is sent again.
        assert_eq!(reply.header("x-should-retry"), None);
        peer.hear_end();
    }
    answers_others(&daemon);
}

#[test]
fn a_connection_on_which_nothing_is_asked_is_closed_without_a_word() {
    let daemon = limited(|limits| limits.idle = SOON);
    Peer::of(&daemon).hear_end();
    let mut blank = Peer::of(&daemon);
    let mut heard = Vec::new();
    // It may have been closed before the line was said.
    let said = blank.stream.get_mut().write_all(b"\r\n");
    let _ = said.and_then(|()| blank.stream.read_to_end(&mut heard));
    assert_eq!(heard, b"");
    let mut answered = None;
    wait_until("a peer was quick enough to be answered", || {
        let mut peer = Peer::of(&daemon);
        let quick = peer.is_answered();
        answered = Some(peer);
        quick
    });
    answered.unwrap().hear_end();
}

#[test]
fn a_peer_that_does_not_read_its_answers_is_dropped() {
    let daemon = limited(|limits| {
        // For one, and no other as long as any of it is not taken.
        limits.bodies_bytes = LARGE + LARGE / 10;
        limits.answer = SOON;
    });
    let path = path_of_a_large_answer(&daemon);
    let mut deaf = Peer::with_small_ears(&daemon);
    deaf.say(get(&path).repeat(MANY));
    deaf.notice_an_answer();
    wait_until("it was dropped and another has its room", || {
        let mut other = Peer::of(&daemon);
        other.say(get(&path));
        other.try_hear().is_ok_and(|reply| reply.status == 200)
    });
    let mut heard = Vec::new();
    // Where the connection was broken off is for the kernels to say.
    let _ = deaf.stream.read_to_end(&mut heard);
    assert!(heard.len() < MANY * LARGE, "{}", heard.len());
}

#[test]
fn a_peer_that_takes_an_answer_slowly_gets_all_of_it_and_keeps_no_other_waiting() {
    let daemon = patient();
    let mut content = newsletter();
    content["data"] = json!({ "huge": "x".repeat(LARGE) });
    let path = format!("/bulk/{}", daemon.customer("acme").create(content.clone()));
    let mut slow: Vec<Peer> = (0..8).map(|_| Peer::with_small_ears(&daemon)).collect();
    for peer in &mut slow {
        peer.say(get(&path).repeat(2) + &get(HEALTH));
    }
    slow.iter().for_each(Peer::notice_an_answer);
    let mut others: Vec<Peer> = (0..8).map(|_| Peer::of(&daemon)).collect();
    assert!(others.iter_mut().all(Peer::is_answered));
    for peer in &mut slow {
        for _ in 0..2 {
            assert_eq!(peer.hear().ok(200)["job"]["definition"], content);
        }
        assert_eq!(peer.hear().ok(200)["status"], "ok");
        assert!(peer.is_answered());
    }
}

#[test]
fn dozens_of_peers_that_stall_do_not_keep_others_waiting() {
    let daemon = patient();
    let path = path_of_a_large_answer(&daemon);
    let mut stalling = Vec::new();
    for i in 0..48 {
        let mut peer = Peer::with_small_ears(&daemon);
        match i % 4 {
            // Asks and asks, and does not listen.
            0 | 1 => {
                peer.say(get(&path).repeat(MANY));
                peer.notice_an_answer();
            }
            2 => peer.say(request("POST /bulk HTTP/1.1", "Content-Length: 1000\r\n", "{")),
            _ => peer.say("GET / HTTP/1.1\r\nHost:"),
        }
        stalling.push(peer);
    }
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 1000));
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 1000);
    answers_others(&daemon);
    // They are still there, and what they were sent is there to be read.
    assert!(stalling[0].hear().text.len() > LARGE);
}

// Memory.

#[test]
fn memory_for_bodies_is_bounded_and_free_again_afterwards() {
    const MOST: usize = 70_000;
    let daemon = limited(|limits| limits.bodies_bytes = 100_000);
    let path = format!("/bulk/{}", daemon.customer("acme").create(newsletter()));
    let body = users_of_length(99_999, 500);
    let small = request(&format!("GET {HEALTH} HTTP/1.1"), "Content-Length: 2\r\n", "{}");

    let begin = || {
        let mut peer = Peer::of(&daemon);
        let framing = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len());
        peer.say(request(&format!("POST {path} HTTP/1.1"), &framing, ""));
        assert_eq!(peer.hear_head().status, 100);
        // Room is doubled as it arrives: there is room for all of it now.
        peer.say(&body[..MOST]);
        peer
    };
    for total in [500, 0] {
        let mut holder = begin();
        wait_until("a body has taken the room", || {
            let mut other = Peer::of(&daemon);
            let reply = other.ask(&small);
            if reply.status == 200 {
                // Either the room is not taken yet, or this was in the way when it was to be.
                if holder.is_told_something() {
                    holder = begin();
                }
                return false;
            }
            assert_eq!(refusal(&reply, 503), "too many large bodies at once; try again later");
            assert_eq!((reply.header("retry-after"), reply.header("connection")), (Some("1"), Some("close")));
            other.hear_end();
            true
        });
        // A request without a body needs no room.
        answers_others(&daemon);
        assert_eq!(holder.ask(&body[MOST..]).ok(200)["total"], total);
        assert_eq!(Peer::of(&daemon).ask(&small).status, 200);
    }
    assert_eq!(Peer::of(&daemon).ask(post(&path, &body)).status, 200);
    refusal(&Peer::of(&daemon).ask(post(&path, &(body + "  "))), 503);
    assert_eq!(Peer::of(&daemon).ask(&small).status, 200);
}

#[test]
fn a_refused_body_holds_no_memory_while_its_peer_lingers() {
    let daemon = limited(|limits| limits.bodies_bytes = 300_000);
    let path = format!("/bulk/{}", daemon.customer("acme").create(newsletter()));
    let body = users_of_length(300_000, 1500);
    let mut lingering = Vec::new();
    for refused in [post(&path, &users_of_length(400_000, 2000)), post_chunks(&path, "40000\r\n") + &body + "broken"] {
        let mut peer = Peer::of(&daemon);
        let reply = peer.ask(refused);
        assert!(reply.status == 503 || reply.status == 400, "{reply:?}");
        lingering.push(peer);
        assert_eq!(Peer::of(&daemon).ask(post(&path, &body)).status, 200);
    }
}

#[test]
fn a_body_that_was_used_holds_no_memory_while_its_answer_is_not_read() {
    // Room for the answer and a body, and not for two bodies.
    let daemon = limited(|limits| limits.bodies_bytes = LARGE + 5_100_000);
    let path = path_of_a_large_answer(&daemon);
    let body = " ".repeat(5_000_000);
    let mut deaf = Peer::with_small_ears(&daemon);
    deaf.say(request(&format!("GET {path} HTTP/1.1"), &format!("Content-Length: {}\r\n", body.len()), &body));
    deaf.notice_an_answer();
    refusal(&Peer::of(&daemon).ask(post("/nowhere", &body)), 404);
}

#[test]
fn an_answer_that_is_not_read_takes_room_until_its_peer_leaves() {
    let daemon = limited(|limits| limits.bodies_bytes = LARGE + LARGE / 10);
    let path = path_of_a_large_answer(&daemon);
    let mut deaf = Peer::with_small_ears(&daemon);
    deaf.say(get(&path));
    deaf.notice_an_answer();
    let mut other = Peer::of(&daemon);
    let refused = other.ask(get(&path));
    assert_eq!(refusal(&refused, 503), "too many large answers at once; try again later");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Small ones need no room, on the same connection or another.
    assert!(other.is_answered());
    answers_others(&daemon);
    drop(deaf);
    wait_until("there is room again", || other.ask(get(&path)).status == 200);
}

#[test]
fn the_answer_to_a_change_is_told_even_if_there_is_no_room_for_it() {
    let body = users(0, 1000);
    let daemon = limited(|limits| limits.bodies_bytes = body.len());
    let path = format!("/bulk/{}", daemon.customer("acme").create(newsletter()));
    assert_eq!(Peer::of(&daemon).ask(post(&path, &body)).ok(200)["total"], 1000);
    // All of them come back, which is more than was sent.
    let reply = Peer::of(&daemon).ask(post(&path, &body));
    assert_eq!(reply.ok(200)["errors"].as_array().unwrap().len(), 1000);
    assert!(reply.text.len() > body.len());
    // What changes nothing may be asked for again.
    let refused = Peer::of(&daemon).ask(get(&format!("{path}/users?limit=1000")));
    assert_eq!(refusal(&refused, 503), "too many large answers at once; try again later");
    wait_until("there is room again", || Peer::of(&daemon).ask(post(&path, &body)).status == 200);
}

// Peers that leave.

#[test]
fn a_body_that_is_cut_short_counts_for_nothing() {
    let daemon = patient();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let path = format!("/bulk/{job_id}");
    let body = users(0, 100);
    let longer = format!("Content-Length: {}\r\n", body.len() + 1);
    let cut = [
        // Everything that matters has arrived, and still it is not what was announced.
        request(&format!("POST {path} HTTP/1.1"), &longer, &body),
        request(&format!("POST {path} HTTP/1.1"), "Content-Length: 5000000\r\n", &body),
        request(&format!("POST {path} HTTP/1.1"), "Content-Length: 10\r\n", ""),
        post_chunks(&path, ""),
        post_chunks(&path, &format!("{:x}\r\n{body}", body.len() + 1)),
        post_chunks(&path, &format!("{:x}\r\n{body}", body.len())),
        post_chunks(&path, &format!("{:x}\r\n{body}\r\n", body.len())),
        post_chunks(&path, &format!("{:x}\r\n{body}\r\n0", body.len())),
        post_chunks(&path, &format!("{:x}\r\n{body}\r\n0\r\n", body.len())),
        post_chunks(&path, &format!("{:x}\r\n{body}\r\n0\r\nX: y\r\n", body.len())),
    ];
    for bytes in &cut {
        // One leaves for good, the other one only stops talking.
        Peer::of(&daemon).say(bytes);
        let mut peer = Peer::of(&daemon);
        peer.say(bytes);
        peer.hang_up();
        assert_eq!(peer.hear_last_refusal(400), "the body ends before its announced length");
    }
    for head in ["", "\r\n", "G", "POST /bulk HTTP/1.1\r\nContent-Len"] {
        let mut peer = Peer::of(&daemon);
        peer.say(head);
        peer.hang_up();
        peer.hear_end();
    }
    assert_eq!(customer.job(&job_id)["received"], 0);
    assert_eq!(customer.ingest(&job_id, readers(0, 100))["total"], 100);
}

#[test]
fn peers_that_leave_before_their_answers_do_no_harm() {
    let daemon = limited(|limits| limits.bodies_bytes = 2 * LARGE);
    let path = path_of_a_large_answer(&daemon);
    for _ in 0..20 {
        let mut peer = Peer::with_small_ears(&daemon);
        peer.say(get(&path).repeat(MANY));
        peer.notice_an_answer();
    }
    wait_until("there is room for an answer", || Peer::of(&daemon).ask(get(&path)).status == 200);
    let mut peers: Vec<Peer> = (0..8).map(|_| Peer::of(&daemon)).collect();
    assert!(peers.iter_mut().all(Peer::is_answered));
}

// What all of it has in common.

#[test]
fn every_refusal_has_couriers_envelope_and_says_whether_to_try_again() {
    let daemon = limited(|limits| limits.head = SOON);
    let cases: [(String, u16, Option<&str>); 8] = [
        ("GET /bulk/1 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 401, Some("false")),
        (get("/nothing"), 404, Some("false")),
        (post("/bulk", "{"), 400, Some("false")),
        ("no http\r\n\r\n".to_owned(), 400, Some("false")),
        (request("POST / HTTP/1.1", "Content-Length: 1000000000\r\n", ""), 413, Some("false")),
        (request("GET / HTTP/1.1", &"X: y\r\n".repeat(200), ""), 431, Some("false")),
        (request("POST / HTTP/1.1", "Transfer-Encoding: gzip\r\n", ""), 501, Some("false")),
        ("GET".to_owned(), 408, None),
    ];
    for (bytes, status, should_retry) in cases {
        let reply = Peer::of(&daemon).ask(&bytes);
        refusal(&reply, status);
        assert_eq!(reply.header("x-should-retry"), should_retry, "{bytes:?}");
        assert_eq!(reply.headers.iter().filter(|(name, _)| name == "content-type").count(), 1);
        assert_eq!(reply.headers.iter().filter(|(name, _)| name == "content-length").count(), 1);
    }
}

#[test]
fn json_that_nests_too_deeply_is_refused_and_its_job_completes() {
    let daemon = patient();
    let customer = daemon.customer("acme");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_object = format!("{}1{}", "{\"a\":".repeat(20_000), "}".repeat(20_000));
    let unclosed = "[".repeat(100_000);
    let content = |body: &str| json!({ "content": { "title": "Hello", "body": body } });
    let definitions = [
        newsletter(),
        content("{{deep}}"),
        content("{{deep.a.[0]}} {{data.deep}} {{profile.deep}}"),
        content("{{#each deep}}{{this}}{{/each}}"),
        json!({ "template": "nt_demo" }),
    ];
    for definition in definitions {
        let job_id = customer.create(definition.clone());
        let path = format!("/bulk/{job_id}");
        for (i, deep) in [&deep, &deep_object].into_iter().enumerate() {
            let users = [
                format!("{{ \"recipient\": \"a{i}\", \"data\": {{ \"deep\": {deep} }} }}"),
                format!("{{ \"recipient\": \"b{i}\", \"profile\": {{ \"deep\": {deep}, \"email\": {deep} }} }}"),
                format!("{{ \"recipient\": \"c{i}\", \"to\": {{ \"data\": {{ \"deep\": {deep} }} }} }}"),
                format!("{{ \"recipient\": \"d{i}\", \"unknown\": {deep} }}"),
                format!("{{ \"recipient\": \"e{i}\", \"data\": {deep} }}"),
                format!("{{ \"recipient\": {deep} }}"),
                deep.clone(),
            ];
            for user in users {
                let refused = customer.post_text(&path, &format!("{{ \"users\": [{user}] }}")).refused(400);
                assert!(refused.starts_with("the body: expected at most 128 levels"), "{refused}");
            }
        }
        customer.post_text(&path, &format!("{{ \"users\": {unclosed}")).refused(400);
        customer.post_text(&path, &unclosed).refused(400);
        customer.ingest(&job_id, json!([{ "recipient": "plain", "profile": { "email": "plain@example.com" } }]));
        let job = customer.run_to_the_end(&job_id);
        assert_eq!((&job["received"], &job["enqueued"]), (&json!(1), &json!(1)));
        let page = customer.get(&format!("{path}/users"));
        assert_eq!(page.status, 200);
        assert!(page.text.contains("\"recipient\":\"plain\""));
        let outbox = customer.outbox(&job_id);
        let plain = outbox.iter().find(|message| message["recipient"] == "plain").unwrap();
        assert_eq!(plain["status"], "SENT", "{definition}");
    }
    // The same in a job's own data.
    let body = format!("{{ \"message\": {{ \"event\": \"e\", \"data\": {{ \"a\": {deep} }} }} }}");
    assert!(customer.post_text("/bulk", &body).refused(400).starts_with("the body: expected at most 128 levels"));
}
