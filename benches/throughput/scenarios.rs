//! What is measured, each scenario on a file of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bulkd::clock::{Clock, Timestamp};
use bulkd::findings::{Check, Findings};
use bulkd::http::Head;
use bulkd::journal::{Beginning, Entry, Journal, Outcome};
use bulkd::model::environment::Environment;
use bulkd::render::helpers::helpers;
use bulkd::template::{Compiler, Names, Noted, PLAIN, ParsedText, Partials};
use tempfile::TempDir;

use crate::client::Connection;
use crate::customer::{self, BLOCKS, BODY};
use crate::daemon::{self, Daemon};
use crate::receiver::Receiver;
use crate::report::{Report, median, percentile};
use crate::{Settings, bare, floor};

type Scenario = fn(&Settings, &mut Report);

/// By the words of `--only`, in the order in which they are played.
pub const SCENARIOS: [(&str, Scenario); 12] = [
    ("ingest", ingest),
    ("singles", singles),
    ("sends", sends),
    ("drain", drain),
    ("beside", beside),
    ("webhooks", webhooks),
    ("keep", keep),
    ("waits", waits),
    ("journal", journal),
    ("gets", gets),
    ("compile", compile),
    ("large", large),
];

/// What the messages of [`BODY`] come to, for the floor.
const RENDERED: [Option<&str>; 3] = [
    Some("Reader 000000, your business statement is ready"),
    Some(
        "Hello Reader 000000, your business plan in Amsterdam came to 10 euro, order A-00000000. Acme Corp says thank you.",
    ),
    None,
];

/// The files of one scenario. Those of a benchmark do not belong into a memory file system.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir_in(Path::new(daemon::BINARY).parent().unwrap()).unwrap())
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("bulkd.db")
    }

    /// Measures on a plain file, which is removed afterwards.
    fn plain(&self, measure: impl FnOnce(&Path) -> Duration) -> Duration {
        let file = self.0.path().join("floor.db");
        let measured = measure(&file);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
        }
        measured
    }
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn memory_bound(users: usize) -> f64 {
    40e6 + 25.0 * users as f64
}

/// A new job of this many users, who are all ingested, and how long that took.
fn ingested(settings: &Settings, daemon: &Daemon, body: &str, users: usize) -> (String, Duration) {
    let job = customer::create(&mut Connection::open(daemon.address), body);
    let took = customer::ingest_users(daemon.address, &job, users, settings.batch, settings.clients);
    (job, took)
}

/// Ingest, the start on the file that it leaves, and pages of it.
fn ingest(settings: &Settings, report: &mut Report) {
    let Settings { users, batch, durability, .. } = settings;
    let folder = Folder::new();
    let plain = folder.plain(|file| floor::insert_users(file, durability, *users, *batch));
    let daemon = Daemon::start(&folder.database(), durability);
    let (job, ours) = ingested(settings, &daemon, BODY, *users);
    report.add("ingest", rate(*users, ours), rate(*users, plain));
    report.add("peak memory", daemon.peak_memory(), memory_bound(*users));
    daemon.stop();

    let daemon = Daemon::start(&folder.database(), durability);
    report.add(
        "start to first answer, file of all users",
        daemon.first_answer.as_secs_f64(),
        version_takes().as_secs_f64(),
    );
    let mut customer = Connection::open(daemon.address);
    let path = format!("/bulk/{job}/users");
    let cursor = customer::cursor_at(&mut customer, &path, users / 2);
    let first = || {
        customer::timed(|| {
            customer.send("GET", &path, b"", 200);
        })
    };
    let (first, later) = customer::interleaved(first, 200, daemon.address, &format!("{path}?cursor={cursor}"));
    report.add("/users page deep in the job", median(later), median(first));
    report.add("peak memory", daemon.peak_memory(), memory_bound(*users));
}

fn version_takes() -> Duration {
    let once = |_| {
        let begun = Instant::now();
        Command::new(daemon::BINARY).arg("--version").stdout(Stdio::null()).status().unwrap();
        begun.elapsed().as_secs_f64()
    };
    Duration::from_secs_f64(median((0..5).map(once).collect()))
}

fn singles(settings: &Settings, report: &mut Report) {
    let folder = Folder::new();
    let users = settings.users / 20;
    let plain = folder.plain(|file| floor::insert_users(file, &settings.durability, users, 1));
    let daemon = Daemon::start(&folder.database(), &settings.durability);
    let job = customer::create(&mut Connection::open(daemon.address), BODY);
    let ours = customer::ingest_users(daemon.address, &job, users, 1, 64);
    report.add("ingest in calls of one, 64 connections", rate(users, ours), rate(users, plain));
}

/// Messages that are sent one by one, each with its own content.
fn sends(settings: &Settings, report: &mut Report) {
    let folder = Folder::new();
    let messages = settings.users / 20;
    for (name, content) in customer::inline_contents() {
        let daemon = Daemon::start(&folder.database(), &settings.durability);
        let ours = customer::send_messages(daemon.address, &content, messages, 64);
        let row = customer::any_message(&mut Connection::open(daemon.address));
        let plain = folder.plain(|file| floor::insert_messages(file, &settings.durability, messages, 1, &row));
        report.add(name, rate(messages, ours), rate(messages, plain));
    }
}

/// Texts of 2 KB, no two the same, compiled; beside reading them as JSON strings.
fn compile(_: &Settings, report: &mut Report) {
    const TEXTS: usize = 1_000;
    let sentence = "Hello {{name}}, your {{plan.name}} plan in {{city}} came to {{#if amount}}{{amount}} euro{{else}}\
                    nothing{{/if}}. {{#each orders}}{{@index}}: {{this.id}}, {{/each}} <b>Thank</b> \"you\".\n";
    let text = |i: usize| format!("{i} {}", sentence.repeat(2_000 / sentence.len() + 1));
    let sources: Vec<String> = (0..TEXTS).map(|i| serde_json::Value::from(text(i)).to_string()).collect();
    let mut bytes = 0;
    let read = customer::timed(|| {
        for source in &sources {
            bytes += serde_json::from_str::<String>(source).unwrap().len();
        }
    });
    let texts: Vec<String> = (0..TEXTS).map(text).collect();
    let partials = Partials::new();
    let compiled = customer::timed(|| {
        for text in &texts {
            let mut names = Slots::default();
            let mut compiler = Compiler::new(&mut names, helpers(), &partials);
            compiler.template(&ParsedText::parse(text).unwrap(), &PLAIN).unwrap();
            bytes += compiler.finish().bytes();
        }
    });
    assert!(bytes > 0);
    report.add("compile 1,000 texts of 2 KB", TEXTS as f64 / compiled, TEXTS as f64 / read);
}

/// Numbers for names at the top.
#[derive(Default)]
struct Slots(Vec<String>);

impl Names for Slots {
    fn note(&mut self, path: &[&str]) -> Noted {
        let known = self.0.iter().position(|name| name == path[0]);
        let slot = known.unwrap_or_else(|| {
            self.0.push(path[0].to_owned());
            self.0.len() - 1
        });
        Noted { slot: slot as u32, taken: 1 }
    }
}

/// The drain of each kind of content.
fn drain(settings: &Settings, report: &mut Report) {
    let Settings { users, durability, .. } = settings;
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.database(), durability);
    let mut customer = Connection::open(daemon.address);
    let (job, _) = ingested(settings, &daemon, BODY, *users);
    let plain = folder.plain(|file| floor::insert_messages(file, durability, *users, 1000, &RENDERED));
    let variables = customer::run_job(&mut customer, &job);
    report.add("drain, five variables", rate(*users, variables), rate(*users, plain));
    report.add("peak memory", daemon.peak_memory(), memory_bound(*users));

    let (job, _) = ingested(settings, &daemon, BLOCKS, *users);
    let blocks = customer::run_job(&mut customer, &job);
    report.add("drain with a block and a helper", rate(*users, blocks), rate(*users, variables));

    let job = customer::create_of_template(&mut customer);
    customer::ingest_users(daemon.address, &job, *users, settings.batch, settings.clients);
    let of_template = customer::run_job(&mut customer, &job);
    let row = customer::a_message(&mut customer, &job);
    let plain = folder.plain(|file| floor::insert_messages(file, durability, *users, 1000, &row));
    report.add("drain, stored template of ten elements", rate(*users, of_template), rate(*users, plain));
    report.add("peak memory", daemon.peak_memory(), memory_bound(*users));
}

/// What others notice of a large drain.
fn beside(settings: &Settings, report: &mut Report) {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.database(), &settings.durability);
    let address = daemon.address;
    let mut customer = Connection::open(address);
    let (job, _) = ingested(settings, &daemon, BODY, settings.users);
    let path = format!("/bulk/{job}");
    let idle = customer::latencies(address, &path, || false, 20_000);
    let alone = median((0..5).map(|_| customer::small_job(address)).collect());
    customer.send("POST", &format!("{path}/run"), b"", 202);
    let done = AtomicBool::new(false);
    let (while_draining, small) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| customer::latencies(address, &path, || done.load(Ordering::Relaxed), usize::MAX));
        let mut small = Vec::new();
        while customer::status(&mut customer, &job) == "PROCESSING" {
            let took = customer::small_job(address);
            if customer::status(&mut customer, &job) == "PROCESSING" {
                small.push(took);
            }
        }
        done.store(true, Ordering::Relaxed);
        (reader.join().unwrap(), small)
    });
    if !small.is_empty() {
        report.add("a job of 1,000 while the others drain", median(small), alone);
    }
    report.add("GET /bulk/{id} p99 while draining", percentile(while_draining, 0.99), percentile(idle, 0.99));
    report.add("peak memory", daemon.peak_memory(), memory_bound(settings.users));
}

/// Drains and sends that webhooks follow: addresses that refuse, receivers that never answer, and one that takes what it
/// gets.
fn webhooks(settings: &Settings, report: &mut Report) {
    const MANY: usize = 20;
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.database(), &settings.durability);
    let mut customer = Connection::open(daemon.address);
    let drained = |customer: &mut Connection| {
        let (job, _) = ingested(settings, &daemon, BODY, settings.users);
        rate(settings.users, customer::run_job(customer, &job))
    };
    let follow = |customer: &mut Connection, address: std::net::SocketAddr, count: usize| -> Vec<String> {
        let webhook = serde_json::json!({ "url": format!("http://{address}/") }).to_string();
        let mut register = || customer.json("POST", "/_bulkd/webhooks", webhook.as_bytes(), 201);
        (0..count).map(|_| format!("/_bulkd/webhooks/{}", register()["id"].as_str().unwrap())).collect()
    };
    let forget = |customer: &mut Connection, webhooks: Vec<String>| {
        for webhook in webhooks {
            customer.send("DELETE", &webhook, b"", 204);
        }
    };
    // A port that was free a moment ago, and one where nobody accepts.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let alone = median(customer::send_latencies(&mut customer));
    let before = drained(&mut customer);
    let webhook = follow(&mut customer, gone, 1);
    report.add("drain beside a webhook that is gone", drained(&mut customer), before);
    forget(&mut customer, webhook);
    let many = [
        (gone, "a send beside twenty webhooks that are gone", "drain beside twenty webhooks that are gone"),
        (
            silent.local_addr().unwrap(),
            "a send beside twenty webhooks that never answer",
            "drain beside twenty webhooks that never answer",
        ),
    ];
    for (address, send, drain) in many {
        let webhooks = follow(&mut customer, address, MANY);
        report.add(send, median(customer::send_latencies(&mut customer)), alone);
        report.add(drain, drained(&mut customer), before);
        forget(&mut customer, webhooks);
    }
    let before = drained(&mut customer);
    let receiver = Receiver::start();
    follow(&mut customer, receiver.address, 1);
    let listening = drained(&mut customer);
    report.add("drain beside a webhook that listens", listening, before);
    eprintln!("    it took {} events meanwhile", receiver.taken());
}

/// The drain beside retention, which drops a job of as many users meanwhile.
fn keep(settings: &Settings, report: &mut Report) {
    let folder = Folder::new();
    let database = folder.database();
    let drained = |daemon: &Daemon| {
        let mut customer = Connection::open(daemon.address);
        let (job, _) = ingested(settings, daemon, BODY, settings.users);
        rate(settings.users, customer::run_job(&mut customer, &job))
    };
    let daemon = Daemon::start(&database, &settings.durability);
    drained(&daemon);
    let alone = drained(&daemon);
    daemon.stop();
    // The newest job is kept, so that the first one is dropped at once, and the second when the third has come.
    let keep = settings.users.to_string();
    let daemon = Daemon::start_with(&database, &settings.durability, &["--keep-messages", &keep]);
    let beside = drained(&daemon);
    report.add("drain beside retention", beside, alone);
}

/// The drain beside requests that wait: one for 100,000 of its messages, or for a tenth if there are fewer, and a thousand
/// for a recipient each, with a hundred streams of events beside them.
fn waits(settings: &Settings, report: &mut Report) {
    // One less than may wait.
    const MANY: usize = 999;
    const STREAMS: usize = 100;
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.database(), &settings.durability);
    let mut customer = Connection::open(daemon.address);
    // Messages a second, and seconds of the processor's time a message.
    let drained = |customer: &mut Connection| {
        let (job, _) = ingested(settings, &daemon, BODY, settings.users);
        let before = daemon.processor_time();
        let rate = rate(settings.users, customer::run_job(customer, &job));
        [rate, (daemon.processor_time() - before) / settings.users as f64]
    };
    let wait = |condition: serde_json::Value| {
        let mut connection = Connection::open(daemon.address);
        connection.ask("POST", "/_bulkd/wait", condition.to_string().as_bytes());
        connection
    };
    let wait_for_many = |customer: &mut Connection| {
        let newest = customer.json("GET", "/_bulkd/outbox?order=desc&limit=1", b"", 200);
        let after = &newest["items"][0]["message_id"];
        wait(serde_json::json!({
            "outbox": {}, "count": { "at_least": 100_000.min(settings.users / 2) }, "after": after, "timeout_ms": 60_000,
        }))
    };
    let wait_for_nobody = |customer: &mut Connection| {
        let nobody =
            |i: usize| serde_json::json!({ "outbox": { "recipient": format!("nobody-{i}") }, "timeout_ms": 60_000 });
        let waiting: Vec<Connection> = (0..MANY).map(|i| wait(nobody(i))).collect();
        // By now they have seen what was there before they came: so had this one, which is answered when it has.
        let once = serde_json::json!({ "outbox": { "recipient": "nobody" }, "timeout_ms": 0 });
        customer.json("POST", "/_bulkd/wait", once.to_string().as_bytes(), 412);
        waiting
    };
    drained(&mut customer);
    // The file grows with each job, and a job in a larger file takes longer: so the two take turns as A, B, B, A.
    let mut compare = |beside: &dyn Fn(&mut Connection) -> [f64; 2]| {
        let customer = &mut customer;
        let before = drained(customer);
        let (first, second) = (beside(customer), beside(customer));
        let after = drained(customer);
        [0, 1].map(|i| (f64::midpoint(first[i], second[i]), f64::midpoint(before[i], after[i])))
    };
    let [(beside, alone), _] = compare(&|customer| {
        let mut waiting = wait_for_many(customer);
        let beside = drained(customer);
        waiting.receive(200);
        beside
    });
    report.add("drain beside a wait for 100,000 messages", beside, alone);
    let [(beside, alone), _] = compare(&|customer| {
        let _waiting = wait_for_nobody(customer);
        drained(customer)
    });
    report.add("drain beside a thousand waits", beside, alone);
    let [(beside, alone), (time_beside, time_alone)] = compare(&|customer| {
        let _waiting = wait_for_nobody(customer);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| read_events(daemon.address, STREAMS, &is_over));
            let beside = drained(customer);
            is_over.store(true, Ordering::SeqCst);
            beside
        })
    });
    report.add("drain beside a thousand waits and a hundred streams", beside, alone);
    report.add("processor's time of that drain, beside them", time_beside, time_alone);
}

/// Reads so many streams of events until it is told to end: by one thread, as the readers are on other machines, and have no
/// part in what is measured.
fn read_events(address: SocketAddr, streams: usize, is_over: &AtomicBool) {
    let open = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /_bulkd/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer bench\r\n\r\n")
            .unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    let mut streams: Vec<TcpStream> = (0..streams).map(open).collect();
    let first = streams.first().unwrap();
    first.set_nonblocking(false).unwrap();
    first.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut buffer = [0; 64 * 1024];
    let mut taken = 0;
    while !is_over.load(Ordering::SeqCst) {
        // It waits for the first one, which is told what the others are.
        for stream in &mut streams {
            taken += stream.read(&mut buffer).unwrap_or_default();
        }
    }
    eprintln!("    {} streams were told {taken} bytes meanwhile", streams.len());
}

/// What the journal and the doctor take of a request: how many they note, beside how many looks the daemon answers. They
/// cannot be switched off, so their share is what counts.
fn journal(settings: &Settings, report: &mut Report) {
    const REQUESTS: usize = 200_000;
    let head = "POST /bulk/1-6ab13b80-000000000000000000000001 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
    let Ok(Some((head, _))) = Head::parse(head.as_bytes()) else { panic!("a head that cannot be read") };
    let (journal, findings, head) = (Journal::default(), Findings::new(Clock::system()), Arc::new(head));
    let environment = Environment::of_key("bench");
    let body = vec![b'x'; 2_000];
    let begun = Instant::now();
    for number in 0..REQUESTS {
        let entry = Entry {
            number: 0,
            at: Timestamp(number as i64),
            taken: Duration::ZERO,
            head: head.clone(),
            route: Some("/bulk/{job_id}"),
            sent: Beginning::of(&body, body.len()),
            made: Outcome::default(),
            told: None,
            fault: None,
            is_replayed: false,
        };
        journal.add(&environment, entry, true);
        findings.note(&environment, Check::NoEvent, "the same", None, String::new);
    }
    let noted = rate(REQUESTS, begun.elapsed());
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.database(), &settings.durability);
    let job = customer::create(&mut Connection::open(daemon.address), BODY);
    let answered = customer::requests_per_second(daemon.address, &format!("/bulk/{job}"));
    report.add("requests noted by journal and doctor", noted, answered);
}

/// A job that is over, in a file full of its users and messages.
fn gets(settings: &Settings, report: &mut Report) {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.database(), &settings.durability);
    let mut customer = Connection::open(daemon.address);
    let (job, _) = ingested(settings, &daemon, BODY, settings.users);
    customer::run_job(&mut customer, &job);
    let path = format!("/bulk/{job}");
    let body = String::from_utf8(customer.send("GET", &path, b"", 200).to_vec()).unwrap();
    let bare = bare::with_tiny_http(&body, |address| customer::requests_per_second(address, "/"));
    report.add("GET /bulk/{id}, 16 connections", customer::requests_per_second(daemon.address, &path), bare);
}

/// A job of `--large` users.
fn large(settings: &Settings, report: &mut Report) {
    let Settings { large: users, batch, durability, .. } = settings;
    if *users == 0 {
        return;
    }
    let folder = Folder::new();
    let plain = folder.plain(|file| floor::insert_users(file, durability, *users, *batch));
    let daemon = Daemon::start(&folder.database(), durability);
    let (job, ours) = ingested(settings, &daemon, BODY, *users);
    report.add("ingest, the large job", rate(*users, ours), rate(*users, plain));
    let plain = folder.plain(|file| floor::insert_messages(file, durability, *users, 1000, &RENDERED));
    let drained = customer::run_job(&mut Connection::open(daemon.address), &job);
    report.add("drain, the large job", rate(*users, drained), rate(*users, plain));
    report.add("peak memory, the large job", daemon.peak_memory(), memory_bound(*users));
}
