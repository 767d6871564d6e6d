//! `cargo bench --bench throughput [-- --users N --batch N --clients N --rounds N --large N --durability full|fast]`
//!
//! Starts the real binary, drives it over loopback, and prints each figure beside its floor: what SQLite, or a bare
//! server, does with the same rows or bytes on the same machine in the same minute. Floor and figure take turns, round
//! by round; what counts is the median of the rounds' ratios.

mod client;
mod daemon;
mod floor;
mod report;
mod users;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::Connection;
use daemon::Daemon;
use report::Figure;
use users::Batch;

const SUBJECT: &str = "{{name}}, your {{plan}} statement is ready";
const BODY: &str = "Hello {{name}}, your {{plan}} plan in {{city}} came to {{amount}} euro, order {{order}}. {{company}} says thank you.";
const BLOCKS: &str = "Hello {{name}}, your {{plan}} plan in {{city}} came to {{#if (gt amount 50)}}as much as {{/if}}{{amount}} euro, \
                      order {{order}}. {{company}} says thank you.";
/// What the above come to, for the floor.
const RENDERED: [Option<&str>; 3] = [
    Some("Reader 000000, your business statement is ready"),
    Some(
        "Hello Reader 000000, your business plan in Amsterdam came to 10 euro, order A-00000000. Acme Corp says thank you.",
    ),
    None,
];

/// Between two looks at a large job: looking costs the drain something, too.
const LOOK: Duration = Duration::from_millis(5);

struct Settings {
    users: usize,
    batch: usize,
    clients: usize,
    rounds: usize,
    /// Users of the large job; 0 leaves it out.
    large: usize,
    durability: String,
}

fn main() {
    let mut settings =
        Settings { users: 1_000_000, batch: 1_000, clients: 4, rounds: 3, large: 0, durability: "full".to_owned() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse().ok()).expect("a number after the flag");
        match argument.as_str() {
            "--users" => settings.users = number(),
            "--batch" => settings.batch = number(),
            "--clients" => settings.clients = number(),
            "--rounds" => settings.rounds = number(),
            "--large" => settings.large = number(),
            "--durability" => settings.durability = arguments.next().expect("full or fast after --durability"),
            "--tiny-http" => return tiny_http_server(arguments.next().expect("a body").into_bytes()),
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    run(&settings);
}

fn run(settings: &Settings) {
    let Settings { users, batch, clients, durability, .. } = settings;
    println!("{users} users, calls of {batch}, {clients} clients, durability {durability}, {} rounds", settings.rounds);
    let mut ingest = Figure::at_least("ingest", "users/s", "plain inserts", 0.8);
    let mut single = Figure::at_least("ingest in calls of one, 64 connections", "users/s", "one commit a row", 4.0);
    let mut drain = Figure::at_least("drain, five variables", "messages/s", "plain inserts of the messages", 1.0);
    let mut blocks = Figure::at_least("drain with a block and a helper", "messages/s", "the drain with variables", 0.3);
    let mut stored =
        Figure::at_least("drain, stored template of ten elements", "messages/s", "plain inserts of the messages", 1.0);
    let mut beside = Figure::at_most("a job of 1,000 while the others drain", "s", "the same job alone", 10.0);
    let mut p99 = Figure::at_most("GET /bulk/{id} p99 while draining", "s", "p99 idle", 20.0);
    let mut gets = Figure::at_least("GET /bulk/{id}, 16 connections", "requests/s", "a bare tiny_http Server", 1.5);
    let mut deep = Figure::at_most("/users page deep in the job", "s", "the first page", 1.2);
    let mut memory = Figure::at_most("peak memory", "bytes", "40 MB + 25 bytes a user", 1.0);
    let mut start = Figure::at_most("start to first answer, file of all users", "s", "--version", 10.0);
    let mut large = Figure::at_least("ingest, the large job", "users/s", "plain inserts", 0.75);

    for round in 1..=settings.rounds {
        eprintln!("  round {round}");
        let folder = tempfile::tempdir_in(target_folder()).unwrap();
        let file = |name: &str| folder.path().join(name);

        let plain = floor::insert_users(&file("floor.db"), durability, *users, *batch);
        remove(&file("floor.db"));
        let daemon = Daemon::start(&file("bulkd.db"), durability);
        let mut customer = Connection::open(daemon.address);
        let job = create(&mut customer, BODY);
        let ours = ingest_users(daemon.address, &job, *users, *batch, *clients);
        ingest.add(rate(*users, ours), rate(*users, plain));
        memory.add(daemon.peak_memory(), 40e6 + 25.0 * *users as f64);

        // The same file, its daemon started anew.
        daemon.stop();
        let daemon = Daemon::start(&file("bulkd.db"), durability);
        start.add(daemon.first_answer.as_secs_f64(), version_takes().as_secs_f64());
        let mut customer = Connection::open(daemon.address);

        let path = format!("/bulk/{job}/users");
        let cursor = cursor_at(&mut customer, &path, users / 2);
        let (first, later) = interleaved(
            || {
                timed(|| {
                    customer.send("GET", &path, b"", 200);
                })
            },
            200,
            daemon.address,
            &format!("{path}?cursor={cursor}"),
        );
        deep.add(median(later), median(first));

        let idle = latencies(daemon.address, &format!("/bulk/{job}"), || false, 20_000);
        let alone = small_job(daemon.address);
        let plain = floor::insert_messages(&file("floor.db"), durability, *users, &RENDERED);
        remove(&file("floor.db"));
        let drained = run_job(&mut customer, &job, LOOK);
        drain.add(rate(*users, drained), rate(*users, plain));
        memory.add(daemon.peak_memory(), 40e6 + 25.0 * *users as f64);

        let with_blocks = create(&mut customer, BLOCKS);
        ingest_users(daemon.address, &with_blocks, *users, *batch, *clients);
        blocks.add(rate(*users, run_job(&mut customer, &with_blocks, LOOK)), rate(*users, drained));

        let of_template = create_of_template(&mut customer);
        ingest_users(daemon.address, &of_template, *users, *batch, *clients);
        let drained = run_job(&mut customer, &of_template, LOOK);
        let row = a_message(&mut customer, &of_template);
        let plain = floor::insert_messages(&file("floor.db"), durability, *users, &row);
        remove(&file("floor.db"));
        stored.add(rate(*users, drained), rate(*users, plain));

        let again = create(&mut customer, BODY);
        ingest_users(daemon.address, &again, *users, *batch, *clients);
        customer.send("POST", &format!("/bulk/{again}/run"), b"", 202);
        let (mut while_draining, mut small) = (Vec::new(), Vec::new());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let address = daemon.address;
            let (done, again) = (&done, &again);
            let reader = scope.spawn(move || {
                latencies(address, &format!("/bulk/{again}"), || done.load(Ordering::Relaxed), usize::MAX)
            });
            while status(&mut customer, again) == "PROCESSING" {
                let took = small_job(address);
                if status(&mut customer, again) == "PROCESSING" {
                    small.push(took);
                }
            }
            done.store(true, Ordering::Relaxed);
            while_draining = reader.join().unwrap();
        });
        if !small.is_empty() {
            beside.add(median(small), alone);
        }
        p99.add(percentile(while_draining, 0.99), percentile(idle, 0.99));

        let body = String::from_utf8(customer.send("GET", &format!("/bulk/{job}"), b"", 200).to_vec()).unwrap();
        let bare = with_tiny_http(&body, |address| requests_per_second(address, "/"));
        gets.add(requests_per_second(daemon.address, &format!("/bulk/{job}")), bare);
        daemon.stop();
        remove(&file("bulkd.db"));

        let rows = users / 20;
        let plain = floor::insert_users(&file("floor.db"), durability, rows, 1);
        let daemon = Daemon::start(&file("bulkd.db"), durability);
        let job = create(&mut Connection::open(daemon.address), BODY);
        let ours = ingest_users(daemon.address, &job, rows, 1, 64);
        single.add(rate(rows, ours), rate(rows, plain));
        daemon.stop();
        remove(&file("bulkd.db"));
        remove(&file("floor.db"));

        if settings.large > 0 {
            let plain = floor::insert_users(&file("floor.db"), durability, settings.large, *batch);
            remove(&file("floor.db"));
            let daemon = Daemon::start(&file("bulkd.db"), durability);
            let mut customer = Connection::open(daemon.address);
            let job = create(&mut customer, BODY);
            let ours = ingest_users(daemon.address, &job, settings.large, *batch, *clients);
            large.add(rate(settings.large, ours), rate(settings.large, plain));
            let drained = run_job(&mut customer, &job, LOOK);
            eprintln!("    drain of the large job: {} messages/s", report::short(rate(settings.large, drained)));
            memory.add(daemon.peak_memory(), 40e6 + 25.0 * settings.large as f64);
        }
    }
    println!();
    for figure in [ingest, large, single, drain, blocks, stored, beside, p99, gets, deep, memory, start] {
        figure.print();
    }
    let size = std::fs::metadata(daemon::BINARY).map_or(f64::NAN, |metadata| metadata.len() as f64);
    println!("binary size, bytes\n    {}", report::short(size));
}

/// Files of the size of a benchmark do not belong into a memory file system.
fn target_folder() -> PathBuf {
    Path::new(daemon::BINARY).parent().unwrap().to_owned()
}

fn remove(file: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
    }
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn timed(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64()
}

fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part) as usize]
}

fn create(customer: &mut Connection, body: &str) -> String {
    let content = serde_json::json!({ "title": SUBJECT, "body": body });
    let message =
        serde_json::json!({ "message": { "message": { "content": content }, "data": { "company": "Acme Corp" } } });
    let created = customer.json("POST", "/bulk", message.to_string().as_bytes(), 201);
    created["jobId"].as_str().unwrap().to_owned()
}

/// A job of a template of ten elements that is stored and published.
fn create_of_template(customer: &mut Connection) -> String {
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
fn a_message(customer: &mut Connection, job: &str) -> [Option<String>; 3] {
    let page = customer.json("GET", &format!("/_bulkd/outbox?job_id={job}&limit=1"), b"", 200);
    ["subject", "body", "content"].map(|name| page["items"][0][name].as_str().map(str::to_owned))
}

/// Asks on every connection before it waits for the answers, which have to be 200: with a thread a connection the
/// clients would take more of the processors than the daemon.
fn ask_all(connections: &mut [Connection], ask: impl FnMut(&mut Connection)) {
    connections.iter_mut().for_each(ask);
    for connection in connections {
        connection.receive(200);
    }
}

/// Ingests users over several connections at once, those beyond four shared by four threads, and tells how long it took
/// from the first call to the last answer.
fn ingest_users(address: SocketAddr, job: &str, users: usize, batch: usize, connections: usize) -> Duration {
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
                        ask_all(&mut connections[..asked], |connection| {
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

fn status(customer: &mut Connection, job: &str) -> String {
    customer.json("GET", &format!("/bulk/{job}"), b"", 200)["job"]["status"].as_str().unwrap().to_owned()
}

/// Runs a job and looks at it once in a while, until it is COMPLETED.
fn run_job(customer: &mut Connection, job: &str, look: Duration) -> Duration {
    let begun = Instant::now();
    customer.send("POST", &format!("/bulk/{job}/run"), b"", 202);
    while status(customer, job) != "COMPLETED" {
        std::thread::park_timeout(look);
    }
    begun.elapsed()
}

/// A job of 1,000 users, ingested beforehand: how long from its run to COMPLETED.
fn small_job(address: SocketAddr) -> f64 {
    let mut customer = Connection::open(address);
    let job = create(&mut customer, BODY);
    let users = Batch::new(1_000, Instant::now().elapsed().subsec_nanos().into());
    customer.send("POST", &format!("/bulk/{job}"), users.body(), 200);
    run_job(&mut customer, &job, Duration::from_micros(500)).as_secs_f64()
}

/// How long each of the requests took, one after the other, until told to stop or up to `count`.
fn latencies(address: SocketAddr, path: &str, stop: impl Fn() -> bool, count: usize) -> Vec<f64> {
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
fn interleaved(mut first: impl FnMut() -> f64, count: usize, address: SocketAddr, path: &str) -> (Vec<f64>, Vec<f64>) {
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
fn cursor_at(customer: &mut Connection, path: &str, users: usize) -> String {
    let mut cursor = String::new();
    for _ in 0..users / 1_000 {
        let page = customer.json("GET", &format!("{path}?limit=1000&cursor={cursor}"), b"", 200);
        cursor = page["paging"]["cursor"].as_str().unwrap().to_owned();
    }
    cursor
}

/// GETs answered in a second on 16 kept-open connections, shared by two threads.
fn requests_per_second(address: SocketAddr, path: &str) -> f64 {
    const SPAN: Duration = Duration::from_secs(2);
    let counts: Vec<usize> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let mut connections: Vec<_> = (0..8).map(|_| opened_and_answered(address, path)).collect();
                    let (begun, mut answered) = (Instant::now(), 0);
                    while begun.elapsed() < SPAN {
                        ask_all(&mut connections, |connection| connection.ask("GET", path, b""));
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

fn version_takes() -> Duration {
    let mut taken: Vec<Duration> = (0..5)
        .map(|_| {
            let begun = Instant::now();
            Command::new(daemon::BINARY).arg("--version").stdout(Stdio::null()).status().unwrap();
            begun.elapsed()
        })
        .collect();
    taken.sort();
    taken[2]
}

/// Runs `measure` against a bare tiny_http server in a process of its own.
fn with_tiny_http(body: &str, measure: impl FnOnce(SocketAddr) -> f64) -> f64 {
    use std::io::BufRead;
    let this = std::env::current_exe().unwrap();
    let mut server = Command::new(this).args(["--tiny-http", body]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let measured = measure(line.trim().parse().unwrap());
    let _ = server.kill();
    let _ = server.wait();
    measured
}

fn tiny_http_server(body: Vec<u8>) {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    println!("{}", server.server_addr());
    let server = std::sync::Arc::new(server);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (server, body) = (server.clone(), body.clone());
            std::thread::spawn(move || {
                let json = tiny_http::Header::from_bytes("Content-Type", "application/json").unwrap();
                for request in server.incoming_requests() {
                    let response = tiny_http::Response::from_data(body.clone()).with_header(json.clone());
                    let _ = request.respond(response);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
