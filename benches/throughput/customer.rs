//! What a customer does, over HTTP.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::client::Connection;
use crate::users::Batch;

const SUBJECT: &str = "{{name}}, your {{plan}} statement is ready";
pub const BODY: &str = "Hello {{name}}, your {{plan}} plan in {{city}} came to {{amount}} euro, order {{order}}. {{company}} says thank you.";
pub const BLOCKS: &str = "Hello {{name}}, your {{plan}} plan in {{city}} came to {{#if (condition amount \">\" 50)}}as much as {{/if}}{{amount}} euro, \
                          order {{order}}. {{company}} says thank you.";

/// Between two looks at a large job: looking costs the drain something, too.
const LOOK: Duration = Duration::from_millis(5);
/// How long a job may take before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(1_800);

pub fn create(customer: &mut Connection, body: &str) -> String {
    let content = serde_json::json!({ "title": SUBJECT, "body": body });
    let message =
        serde_json::json!({ "message": { "message": { "content": content }, "data": { "company": "Acme Corp" } } });
    let created = customer.json("POST", "/bulk", message.to_string().as_bytes(), 201);
    created["jobId"].as_str().unwrap().to_owned()
}

/// A job of a template of ten elements that is stored and published.
pub fn create_of_template(customer: &mut Connection) -> String {
    let text = |content: &str| serde_json::json!({ "type": "text", "content": content });
    let elements = serde_json::json!([
        { "type": "meta", "title": SUBJECT },
        { "type": "text", "text_style": "h1", "content": "Hello {{name}}" },
        text("your {{plan}} plan in {{city}} came to {{amount}} euro."),
        { "type": "image", "src": "https://example.com/statement.png", "alt_text": "Statement" },
        { "type": "divider" },
        { "type": "quote", "content": "Order {{order}}" },
        { "type": "list", "list_type": "unordered", "elements": [
            { "type": "list-item", "elements": [text("{{plan}}")] }, { "type": "list-item", "elements": [text("{{city}}")] },
        ] },
        { "type": "action", "content": "Open", "href": "https://example.com/orders/{{order}}" },
        text("{{company}} says thank you."),
        { "type": "text", "text_style": "subtext", "content": "You get this because you are {{name}}." },
    ]);
    let template = serde_json::json!({ "state": "PUBLISHED", "notification": {
        "name": "Statement", "brand": null, "routing": null, "subscription": null, "tags": [],
        "content": { "version": "2022-01-01", "elements": elements },
    } });
    let template = customer.json("POST", "/notifications", template.to_string().as_bytes(), 201);
    let message = serde_json::json!({ "message": { "event": template["id"], "data": { "company": "Acme Corp" } } });
    let created = customer.json("POST", "/bulk", message.to_string().as_bytes(), 201);
    created["jobId"].as_str().unwrap().to_owned()
}

/// Subject, body and content of a message of a job.
pub fn a_message(customer: &mut Connection, job: &str) -> [Option<String>; 3] {
    texts_of_first(customer, &format!("/_bulkd/outbox?fields=all&job_id={job}&limit=1"))
}

/// The same of any message.
pub fn any_message(customer: &mut Connection) -> [Option<String>; 3] {
    texts_of_first(customer, "/_bulkd/outbox?fields=all&limit=1")
}

fn texts_of_first(customer: &mut Connection, path: &str) -> [Option<String>; 3] {
    let page = customer.json("GET", path, b"", 200);
    ["subject", "body", "content"].map(|name| page["items"][0][name].as_str().map(str::to_owned))
}

/// Asks on every connection before it waits for the answers, which have to have this status: with a thread a connection
/// the clients would take more of the processors than the daemon.
pub fn ask_all(connections: &mut [Connection], status: u16, ask: impl FnMut(&mut Connection)) {
    connections.iter_mut().for_each(ask);
    for connection in connections {
        connection.receive(status);
    }
}

/// Ingests users over several connections at once, those beyond four shared by four threads, and tells how long it took
/// from the first call to the last answer.
pub fn ingest_users(address: SocketAddr, job: &str, users: usize, batch: usize, connections: usize) -> Duration {
    let path = format!("/bulk/{job}");
    let (calls, threads) = (users / batch, connections.min(4));
    let barrier = std::sync::Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..threads)
            .map(|client| {
                let (path, barrier) = (&path, &barrier);
                scope.spawn(move || {
                    let mut connections: Vec<_> =
                        (0..connections / threads).map(|_| Connection::open(address)).collect();
                    let mut users = Batch::new(batch, client as u64 + 2);
                    let mut calls = calls / threads + usize::from(client < calls % threads);
                    barrier.wait();
                    while calls > 0 {
                        let asked = calls.min(connections.len());
                        ask_all(&mut connections[..asked], 200, |connection| {
                            users.renew();
                            connection.ask("POST", path, users.body());
                        });
                        calls -= asked;
                    }
                })
            })
            .collect();
        barrier.wait();
        let begun = Instant::now();
        clients.into_iter().for_each(|client| client.join().unwrap());
        begun.elapsed()
    })
}

/// Sends messages with this content over several connections at once, shared by two threads, each to a recipient of its own,
/// and tells how long it took.
pub fn send_messages(
    address: SocketAddr,
    content: &serde_json::Value,
    messages: usize,
    connections: usize,
) -> Duration {
    const THREADS: usize = 2;
    let barrier = std::sync::Barrier::new(THREADS + 1);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..THREADS)
            .map(|client| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let mut connections: Vec<_> =
                        (0..connections / THREADS).map(|_| Connection::open(address)).collect();
                    let bodies: Vec<String> =
                        (0..messages / THREADS).map(|i| message(content, client, i).to_string()).collect();
                    barrier.wait();
                    for bodies in bodies.chunks(connections.len()) {
                        let mut bodies = bodies.iter();
                        let asked = bodies.len();
                        ask_all(&mut connections[..asked], 202, |connection| {
                            connection.ask("POST", "/send", bodies.next().unwrap().as_bytes());
                        });
                    }
                })
            })
            .collect();
        barrier.wait();
        let begun = Instant::now();
        clients.into_iter().for_each(|client| client.join().unwrap());
        begun.elapsed()
    })
}

/// How long each of some sends took, one after the other.
pub fn send_latencies(customer: &mut Connection) -> Vec<f64> {
    let content = serde_json::json!({ "title": SUBJECT, "body": BODY });
    let send = |i| {
        let message = message(&content, 0, i).to_string();
        timed(|| {
            customer.send("POST", "/send", message.as_bytes(), 202);
        })
    };
    (0..500).map(send).collect()
}

fn message(content: &serde_json::Value, client: usize, i: usize) -> serde_json::Value {
    serde_json::json!({ "message": {
        "to": { "user_id": format!("reader-{client}-{i:06}"), "email": format!("reader-{client}-{i:06}@example.com") },
        "content": content,
        "data": {
            "name": format!("Reader {i:06}"), "plan": "business", "city": "Amsterdam", "amount": i % 90 + 10,
            "order": format!("A-{i:08}"), "company": "Acme Corp",
        },
    } })
}

/// Content that is given with a message: a title and a body, or elements.
pub fn inline_contents() -> [(&'static str, serde_json::Value); 2] {
    let text = |content: &str| serde_json::json!({ "type": "text", "content": content });
    let elements = serde_json::json!({ "version": "2022-01-01", "elements": [
        { "type": "meta", "title": SUBJECT },
        text("Hello {{name}}"),
        text("your {{plan}} plan in {{city}} came to {{amount}} euro, order {{order}}."),
        { "type": "action", "content": "Open", "href": "https://example.com/orders/{{order}}" },
        text("{{company}} says thank you."),
    ] });
    [
        ("POST /send with a title and a body, 64 connections", serde_json::json!({ "title": SUBJECT, "body": BODY })),
        ("POST /send with five elements, 64 connections", elements),
    ]
}

pub fn status(customer: &mut Connection, job: &str) -> String {
    customer.json("GET", &format!("/bulk/{job}"), b"", 200)["job"]["status"].as_str().unwrap().to_owned()
}

/// Runs a large job, and tells how long it takes to COMPLETED.
pub fn run_job(customer: &mut Connection, job: &str) -> Duration {
    run_job_looking(customer, job, LOOK)
}

fn run_job_looking(customer: &mut Connection, job: &str, look: Duration) -> Duration {
    let begun = Instant::now();
    customer.send("POST", &format!("/bulk/{job}/run"), b"", 202);
    while status(customer, job) != "COMPLETED" {
        assert!(begun.elapsed() < PATIENCE, "job {job} is not COMPLETED after {PATIENCE:?}");
        std::thread::park_timeout(look);
    }
    begun.elapsed()
}

/// A job of 1,000 users, ingested beforehand: how long from its run to COMPLETED.
pub fn small_job(address: SocketAddr) -> f64 {
    let mut customer = Connection::open(address);
    let job = create(&mut customer, BODY);
    let users = Batch::new(1_000, Instant::now().elapsed().subsec_nanos().into());
    customer.send("POST", &format!("/bulk/{job}"), users.body(), 200);
    run_job_looking(&mut customer, &job, Duration::from_micros(500)).as_secs_f64()
}

/// How long each of the requests took, one after the other, until told to stop or up to `count`.
pub fn latencies(address: SocketAddr, path: &str, stop: impl Fn() -> bool, count: usize) -> Vec<f64> {
    let mut connection = Connection::open(address);
    let mut taken = Vec::new();
    while taken.is_empty() || (taken.len() < count && !stop()) {
        taken.push(timed(|| {
            connection.send("GET", path, b"", 200);
        }));
    }
    taken
}

/// `first` and a GET of `path`, in turns.
pub fn interleaved(
    mut first: impl FnMut() -> f64,
    count: usize,
    address: SocketAddr,
    path: &str,
) -> (Vec<f64>, Vec<f64>) {
    let mut connection = Connection::open(address);
    (0..count)
        .map(|_| {
            (
                first(),
                timed(|| {
                    connection.send("GET", path, b"", 200);
                }),
            )
        })
        .unzip()
}

/// The cursor of the page that begins about `users` into the job.
pub fn cursor_at(customer: &mut Connection, path: &str, users: usize) -> String {
    let mut cursor = String::new();
    for _ in 0..users / 1_000 {
        let page = customer.json("GET", &format!("{path}?limit=1000&cursor={cursor}"), b"", 200);
        cursor = page["paging"]["cursor"].as_str().unwrap().to_owned();
    }
    cursor
}

/// GETs answered in a second on 16 kept-open connections, shared by two threads.
pub fn requests_per_second(address: SocketAddr, path: &str) -> f64 {
    const SPAN: Duration = Duration::from_secs(2);
    let counts: Vec<usize> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let mut connections: Vec<_> = (0..8).map(|_| opened_and_answered(address, path)).collect();
                    let (begun, mut answered) = (Instant::now(), 0);
                    while begun.elapsed() < SPAN {
                        ask_all(&mut connections, 200, |connection| connection.ask("GET", path, b""));
                        answered += connections.len();
                    }
                    answered
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    counts.iter().sum::<usize>() as f64 / SPAN.as_secs_f64()
}

/// One at a time: a bare tiny_http server leaves some of many that are opened at once without an answer.
fn opened_and_answered(address: SocketAddr, path: &str) -> Connection {
    static OPENING: Mutex<()> = Mutex::new(());
    let _opening = OPENING.lock().unwrap();
    let mut connection = Connection::open(address);
    connection.send("GET", path, b"", 200);
    connection
}

pub fn timed(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64()
}
