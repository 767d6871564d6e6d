//! What the front door can give besides an answer at once: answers later, streams, nothing. On real sockets, with a
//! handler of the test's own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bulkd::http::{self, Answerer, Broken, Given, Limits, Reply, Request, Responder, Server, Service, StreamWriter};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps what answers later and what writes streams, for the test to do so.
#[derive(Default)]
struct Desk {
    answerers: Mutex<Vec<Answerer>>,
    writers: Mutex<Vec<StreamWriter>>,
    /// What is worked on for as long as this is held.
    work: Mutex<()>,
    /// How much work was begun.
    begun: Mutex<usize>,
    changed: Condvar,
}

impl Desk {
    fn reply(&self, request: &Request) -> Reply {
        let reply = match request.path() {
            "/later" => {
                let (reply, answerer) = Reply::later();
                self.answerers.lock().unwrap().push(answerer);
                reply
            }
            "/stream" => {
                let (reply, writer) = Reply::stream("text/event-stream");
                self.writers.lock().unwrap().push(writer);
                reply
            }
            path @ ("/lost" | "/reset" | "/cut" | "/cut/large" | "/cut/empty") => Reply::Broken(broken(path)),
            "/work" => {
                *self.begun.lock().unwrap() += 1;
                self.changed.notify_all();
                drop(self.work.lock().unwrap());
                http::json(200, "{}").into()
            }
            _ => http::json(200, "{}").into(),
        };
        self.changed.notify_all();
        reply
    }

    fn answerers(&self, count: usize) -> Vec<Answerer> {
        let answerers = self.answerers.lock().unwrap();
        let few = |answerers: &mut Vec<Answerer>| answerers.len() < count;
        let (mut answerers, timeout) = self.changed.wait_timeout_while(answerers, PATIENCE, few).unwrap();
        assert!(!timeout.timed_out(), "{} of {count} requests came", answerers.len());
        std::mem::take(&mut *answerers)
    }

    fn writers(&self, count: usize) -> Vec<StreamWriter> {
        let writers = self.writers.lock().unwrap();
        let few = |writers: &mut Vec<StreamWriter>| writers.len() < count;
        let (mut writers, timeout) = self.changed.wait_timeout_while(writers, PATIENCE, few).unwrap();
        assert!(!timeout.timed_out(), "{} of {count} streams were opened", writers.len());
        std::mem::take(&mut *writers)
    }
}

/// The handler: requests with `?thread` are replied to in a thread of their own.
struct Front(Arc<Desk>);

impl Service for Front {
    fn answer(&self, request: Request, responder: Responder) {
        responder.give(self.0.reply(&request));
    }

    fn answer_batch(&self, requests: Vec<Request>) -> Vec<Option<Reply>> {
        requests.iter().map(|request| (request.query() != "thread").then(|| self.0.reply(request))).collect()
    }
}

struct Running {
    server: Server,
    listener: JoinHandle<()>,
    desk: Arc<Desk>,
}

impl Running {
    fn start(set: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        set(&mut limits);
        let desk = Arc::<Desk>::default();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (server, listener) = Server::start(any, None, limits, Arc::new(Front(desk.clone())), None).unwrap();
        Running { server, listener, desk }
    }

    fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = self.open();
        ask(&mut stream, path);
        stream
    }

    fn stop(self) {
        self.server.stop();
        self.listener.join().unwrap();
    }
}

fn ask(stream: &mut TcpStream, path: &str) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
}

/// Reads until what was read ends with this.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        let mut byte = [0];
        let count = stream.read(&mut byte).unwrap_or_else(|error| panic!("{error} after {read:?}"));
        assert_eq!(count, 1, "the connection ended after {:?}", String::from_utf8_lossy(&read));
        read.push(byte[0]);
    }
    String::from_utf8(read).unwrap()
}

fn read_to_end(stream: &mut TcpStream) -> String {
    let mut read = String::new();
    stream.read_to_string(&mut read).unwrap();
    read
}

const WAYS: [&str; 2] = ["", "?thread"];

#[test]
fn a_request_that_waits_is_answered_when_its_answer_is_given_and_the_connection_goes_on() {
    let running = Running::start(|_| {});
    for way in WAYS {
        let mut stream = running.ask(&format!("/later{way}"));
        // The next request may come meanwhile.
        ask(&mut stream, "/next");
        for answerer in running.desk.answerers(1) {
            assert!(!answerer.is_closed());
            answerer.answer(http::json(202, "{\"late\":true}"));
        }
        let first = read_until(&mut stream, "{\"late\":true}");
        assert!(first.starts_with("HTTP/1.1 202"), "{first}");
        assert!(read_until(&mut stream, "{}").starts_with("HTTP/1.1 200"));
        ask(&mut stream, "/again");
        read_until(&mut stream, "{}");
    }
    running.stop();
}

#[test]
fn requests_that_wait_have_no_threads() {
    // Far fewer than requests: if those that wait had one each, the others would never come to the desk.
    let running = Running::start(|limits| limits.requests = 4);
    let mut streams: Vec<TcpStream> = (0..100).map(|i| running.ask(&format!("/later{}", WAYS[i % 2]))).collect();
    let answerers = running.desk.answerers(100);
    answerers.into_iter().for_each(|answerer| answerer.answer(http::json(200, "{\"late\":true}")));
    streams.iter_mut().for_each(|stream| drop(read_until(stream, "{\"late\":true}")));
    running.stop();
}

#[test]
fn an_answer_that_is_not_given_and_a_stop_are_told() {
    let running = Running::start(|_| {});
    let mut given_up = running.ask("/later");
    drop(running.desk.answerers(1));
    assert!(read_until(&mut given_up, "}").starts_with("HTTP/1.1 503"));
    let mut streams: Vec<TcpStream> = WAYS.iter().map(|way| running.ask(&format!("/later{way}"))).collect();
    let answerers = running.desk.answerers(2);
    running.stop();
    for stream in &mut streams {
        let reply = read_to_end(stream);
        assert!(reply.starts_with("HTTP/1.1 503") && reply.contains("Connection: close"), "{reply}");
    }
    assert!(answerers.iter().all(|answerer| answerer.is_closed()));
}

#[test]
fn a_stream_is_read_piece_by_piece_and_ends_when_its_writer_does() {
    let running = Running::start(|_| {});
    for way in WAYS {
        let mut stream = running.ask(&format!("/stream{way}"));
        let writer = running.desk.writers(1).remove(0);
        let head = read_until(&mut stream, "\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("Content-Type: text/event-stream"), "{head}");
        assert!(head.contains("Transfer-Encoding: chunked"), "{head}");
        for piece in ["data: 1\n\n", "data: 23\n\n"] {
            assert!(writer.write(piece));
            let expected = format!("{:x}\r\n{piece}\r\n", piece.len());
            assert_eq!(read_until(&mut stream, "\n\n\r\n"), expected);
        }
        drop(writer);
        assert_eq!(read_to_end(&mut stream), "0\r\n\r\n");
    }
    running.stop();
}

#[test]
fn streams_have_a_bound_of_their_own_and_leave_room_for_requests() {
    let running = Running::start(|limits| limits.streams = 3);
    let (mut streams, mut writers) = (Vec::new(), Vec::new());
    for i in 0..3 {
        let mut stream = running.ask(&format!("/stream{}", WAYS[i % 2]));
        writers.extend(running.desk.writers(1));
        read_until(&mut stream, "\r\n\r\n");
        streams.push(stream);
    }
    let mut refused = running.ask("/stream");
    assert!(read_until(&mut refused, "}").starts_with("HTTP/1.1 503"));
    drop(running.desk.writers(1));
    let mut asking = running.ask("/");
    read_until(&mut asking, "{}");
    // One that has gone leaves its room to the next.
    drop(streams);
    let mut left = 1_000;
    while writers.iter().any(|writer| writer.write("x")) && left > 0 {
        std::thread::park_timeout(Duration::from_millis(10));
        left -= 1;
    }
    assert!(left > 0, "a stream whose peer has gone is still written");
    ask(&mut refused, "/stream");
    let _writer = running.desk.writers(1);
    assert!(read_until(&mut refused, "\r\n\r\n").starts_with("HTTP/1.1 200"));
    running.stop();
}

#[test]
fn a_stream_that_is_not_read_ends_and_one_that_is_read_slowly_loses_nothing() {
    let running = Running::start(|_| {});
    let _unread = running.ask("/stream");
    let writer = running.desk.writers(1).remove(0);
    let piece = vec![b'x'; 64 * 1024];
    // With pauses, in which all that the kernel takes is written.
    let written = (0..1_000).take_while(|_| {
        std::thread::park_timeout(Duration::from_micros(200));
        writer.write(piece.clone())
    });
    assert!(written.count() < 1_000, "a stream that is not read takes all the memory that there is");

    let mut slow = running.ask("/stream");
    let writer = running.desk.writers(1).remove(0);
    read_until(&mut slow, "\r\n\r\n");
    // As much as the kernel does not hold, and less than a stream may be ahead.
    let pieces: Vec<String> = (0..8).map(|i| i.to_string().repeat(100_000)).collect();
    for piece in &pieces {
        assert!(writer.write(piece.as_str()));
    }
    drop(writer);
    let read = read_to_end(&mut slow);
    let expected: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    assert!(read == expected + "0\r\n\r\n", "{} bytes", read.len());
    running.stop();
}

#[test]
fn streams_end_at_the_stop_and_hold_up_no_request() {
    let running = Running::start(|_| {});
    let mut streams: Vec<TcpStream> = WAYS.iter().map(|way| running.ask(&format!("/stream{way}"))).collect();
    let writers = running.desk.writers(2);
    for (stream, writer) in streams.iter_mut().zip(&writers) {
        read_until(stream, "\r\n\r\n");
        assert!(writer.write("last"));
    }
    streams.iter_mut().for_each(|stream| drop(read_until(stream, "last\r\n")));
    running.stop();
    for stream in &mut streams {
        assert_eq!(read_to_end(stream), "0\r\n\r\n");
    }
    assert!(!writers.iter().any(|writer| writer.write("more")));
}

#[test]
fn an_answer_that_is_given_at_the_stop_is_written_whole() {
    let running = Running::start(|_| {});
    let mut streams: Vec<TcpStream> = WAYS.iter().map(|way| running.ask(&format!("/later{way}"))).collect();
    let body = "x".repeat(8 * 1024 * 1024);
    for answerer in running.desk.answerers(2) {
        answerer.answer(http::json(200, body.clone()));
    }
    std::thread::scope(|scope| {
        let readers: Vec<_> = streams.iter_mut().map(|stream| scope.spawn(|| read_to_end(stream))).collect();
        running.stop();
        for reader in readers {
            let reply = reader.join().unwrap();
            assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with(&body), "{} bytes: {reply:.100}", reply.len());
        }
    });
}

#[test]
fn the_giving_side_learns_that_a_peer_has_gone_or_that_its_reply_was_not_used() {
    let running = Running::start(|limits| limits.streams = 0);
    let waiting = running.ask("/later");
    let answerer = running.desk.answerers(1).remove(0);
    drop(waiting);
    let mut left = 1_000;
    while !answerer.is_closed() && left > 0 {
        std::thread::park_timeout(Duration::from_millis(10));
        left -= 1;
    }
    assert!(left > 0, "a peer that has gone is still waited for");
    let mut refused = running.ask("/stream");
    let writer = running.desk.writers(1).remove(0);
    assert!(read_until(&mut refused, "}").starts_with("HTTP/1.1 503"));
    assert!(!writer.write("x"));
    running.stop();
}

#[test]
fn a_request_that_waits_for_a_thread_for_too_long_is_told_so_and_its_connection_goes_on() {
    let running = Running::start(|limits| {
        (limits.requests, limits.queue, limits.queue_time) = (1, 2, Duration::from_millis(100));
    });
    let work = running.desk.work.lock().unwrap();
    let mut working = running.ask("/work?thread");
    let begun = running.desk.begun.lock().unwrap();
    let none = |begun: &mut usize| *begun == 0;
    let (begun, timeout) = running.desk.changed.wait_timeout_while(begun, PATIENCE, none).unwrap();
    assert!(!timeout.timed_out(), "{begun} of 1 was begun");
    drop(begun);
    let mut waiting: Vec<TcpStream> = (0..2).map(|_| running.ask("/work?thread")).collect();
    for stream in &mut waiting {
        let reply = read_until(stream, "}");
        assert!(reply.starts_with("HTTP/1.1 503") && reply.contains("\r\nRetry-After: 1\r\n"), "{reply}");
        assert!(reply.contains("too many requests at once; try again later"), "{reply}");
        ask(stream, "/");
        assert!(read_until(stream, "{}").starts_with("HTTP/1.1 200"));
    }
    drop(work);
    // Work that was begun is done, however long it takes.
    assert!(read_until(&mut working, "{}").starts_with("HTTP/1.1 200"));
    ask(&mut working, "/work?thread");
    assert!(read_until(&mut working, "{}").starts_with("HTTP/1.1 200"));
    running.stop();
}

/// Larger than what is joined to its head.
const LARGE: usize = 3_000_000;

fn broken(path: &str) -> Broken {
    match path {
        "/lost" => Broken::Lost,
        "/reset" => Broken::Reset,
        "/cut" => Broken::Cut(http::json(200, "{\"whole\":true}")),
        "/cut/large" => Broken::Cut(http::json(200, "x".repeat(LARGE))),
        _ => Broken::Cut(http::json(204, "")),
    }
}

/// Asks for a broken answer, at once or later.
fn ask_for_broken(running: &Running, path: &str, later: bool, way: &str) -> TcpStream {
    if !later {
        return running.ask(&format!("{path}{way}"));
    }
    let stream = running.ask(&format!("/later{way}"));
    running.desk.answerers(1).remove(0).give(Given::Broken(broken(path)));
    stream
}

#[test]
fn a_broken_answer_is_lost_reset_or_cut_at_once_or_later() {
    let running = Running::start(|_| {});
    for (way, later) in WAYS.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let mut lost = ask_for_broken(&running, "/lost", later, way);
        assert_eq!(read_to_end(&mut lost), "");
        let mut reset = ask_for_broken(&running, "/reset", later, way);
        let error = reset.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let mut cut = ask_for_broken(&running, "/cut", later, way);
        let begun = read_to_end(&mut cut);
        let (head, body) = begun.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("Content-Length: 14"), "{head}");
        assert_eq!(body, "{\"whole");
        let mut cut = ask_for_broken(&running, "/cut/large", later, way);
        let begun = read_to_end(&mut cut);
        assert_eq!(begun.split_once("\r\n\r\n").unwrap().1.len(), LARGE / 2);
        let mut cut = ask_for_broken(&running, "/cut/empty", later, way);
        let begun = read_to_end(&mut cut);
        assert!(begun.starts_with("HTTP/1.1 204") && !begun.contains("\r\n\r\n"), "{begun}");
    }
    running.stop();
}

#[test]
fn head_and_http_1_0_get_streams_in_their_form() {
    let running = Running::start(|_| {});
    let mut stream = running.open();
    write!(stream, "HEAD /stream HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let reply = read_to_end(&mut stream);
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("\r\n\r\n"), "{reply}");
    drop(running.desk.writers(1));
    let mut stream = running.open();
    write!(stream, "GET /stream HTTP/1.0\r\n\r\n").unwrap();
    let writer = running.desk.writers(1).remove(0);
    assert!(!read_until(&mut stream, "\r\n\r\n").contains("chunked"));
    assert!(writer.write("piece"));
    drop(writer);
    assert_eq!(read_to_end(&mut stream), "piece");
    running.stop();
}
