//! The real binary: how it starts and stops, what it survives, and what it refuses.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::binary::{Binary, Ended, bulkd, check};
use crate::support::{Customer, json, newsletter, open_file, readers, sized, unheard, wait_until};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

/// Users of a large job: it has to last until a signal arrives.
fn large() -> usize {
    if cfg!(debug_assertions) { sized(25_000, 100_000) } else { 200_000 }
}

/// And users in one call.
const CALL: usize = 5_000;
/// One user in so many cannot be addressed.
const SPOILED: usize = 1_000;

/// When no answer comes for this long, none will.
const SILENCE: Duration = Duration::from_secs(120);

/// A folder, and everything in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn database(&self) -> String {
        self.path("bulkd.db")
    }

    /// Names and bytes of the files. What SQLite shares between processes is no content: each process can make it
    /// anew.
    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let mut contents = BTreeMap::new();
        for entry in fs::read_dir(self.0.path()).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let bytes = !entry.path().is_dir() && !name.ends_with("-shm");
            contents.insert(name, if bytes { fs::read(entry.path()).unwrap() } else { Vec::new() });
        }
        contents
    }

    fn names(&self) -> Vec<String> {
        self.contents().into_keys().collect()
    }

    /// Starts a daemon on [`Folder::database`].
    #[track_caller]
    fn daemon(&self, more: &[&str]) -> Binary {
        Binary::start(&[&["--listen", ":0", "--db", &self.database()], more].concat())
    }

    /// A sound file in here, with a finished job, and one that has three users and was not run.
    fn with_jobs(self) -> Self {
        let daemon = self.daemon(&[]);
        let customer = daemon.customer("acme");
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, crowd(0, 2 * SPOILED));
        customer.run_to_the_end(&job_id);
        customer.ingest(&customer.create(newsletter()), readers(0, 3));
        daemon.terminate();
        self
    }
}

/// Runs a command to its end.
#[track_caller]
fn run(args: &[&str]) -> Ended {
    Binary::spawn(&mut bulkd(args)).wait()
}

/// Users, some of them without a valid address.
fn crowd(first: usize, count: usize) -> Value {
    let mut users = readers(first, count);
    for i in (first..first + count).filter(|i| i % SPOILED == 0) {
        users[i - first]["profile"]["email"] = json!(5);
    }
    users
}

/// Creates a large job and returns its id.
#[track_caller]
fn large_job(customer: &Customer) -> String {
    let job_id = customer.create(newsletter());
    for first in (0..large()).step_by(CALL) {
        customer.ingest(&job_id, crowd(first, CALL));
    }
    job_id
}

/// Watches a job until users beyond the first `drained` have had their turn, and returns how many have.
#[track_caller]
fn progress(customer: &Customer, job_id: &str, drained: u64) -> u64 {
    let mut now = 0;
    wait_until("the job goes on", || {
        let job = customer.job(job_id);
        now = job["enqueued"].as_u64().unwrap() + job["failures"].as_u64().unwrap();
        assert!(now < large() as u64, "the job is over already");
        now > drained
    });
    now
}

/// The status and progress of the only job in a file that is not served.
fn job_in(file: &str) -> (String, u64) {
    let file = Connection::open(file).unwrap();
    file.query_row("SELECT status, drained FROM jobs", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

/// Asserts that every user of a large job has had exactly one turn, as told over HTTP.
#[track_caller]
fn assert_drained(customer: &Customer, job_id: &str) {
    let job = customer.completed(job_id);
    let failures = large() / SPOILED;
    assert_eq!(
        (&job["received"], &job["enqueued"], &job["failures"]),
        (&json!(large()), &json!(large() - failures), &json!(failures))
    );
    let (users, outbox) = (customer.users(job_id), customer.outbox_with("message_id,recipient", job_id));
    assert_eq!((users.len(), outbox.len()), (large(), large() - failures));
    let mut messages = outbox.iter();
    for (i, user) in users.iter().enumerate() {
        let recipient = format!("reader-{i}");
        assert_eq!(user["recipient"], recipient);
        if i % SPOILED == 0 {
            assert_eq!(user["status"], "ERROR");
        } else {
            let message = messages.next().unwrap();
            assert_eq!((user["status"].as_str(), &user["messageId"]), (Some("ENQUEUED"), &message["message_id"]));
            assert_eq!(message["recipient"], recipient);
        }
    }
}

/// Asserts the same of the file, and that `bulkd check` finds it sound.
#[track_caller]
fn assert_drained_in(file: &str) {
    let conn = open_file(Path::new(file));
    let counts: (usize, usize, usize) = conn
        .query_row(
            "SELECT (SELECT count(*) FROM outbox), (SELECT count(DISTINCT recipient) FROM outbox),
                    (SELECT count(*) FROM failures)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    let failures = large() / SPOILED;
    assert_eq!(counts, (large() - failures, large() - failures, failures));
    let checked = run(&["check", file]);
    let expected = format!("{file} is sound: 1 jobs, {} users, {} messages, {failures} failures\n", large(), counts.0);
    assert_eq!((checked.code, checked.stdout), (Some(0), expected), "{}", checked.stderr);
}

#[test]
fn a_brand_that_is_not_there_is_told_once_a_job() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let content = json!({ "title": "Hi", "body": "there" });
    let sent = json!({ "to": { "email": "a@example.com" }, "content": content, "brand_id": "bnd_first" });
    customer.post("/send", &json!({ "message": sent })).ok(202);
    let job_id = customer.create(json!({ "message": { "content": content, "brand_id": "bnd_job" } }));
    customer.ingest(&job_id, json!([{ "recipient": "ada" }, { "recipient": "bob" }]));
    customer.run_to_the_end(&job_id);
    customer.post("/send", &json!({ "message": { "to": { "user_id": "ada" }, "content": content } })).ok(202);
    let log = daemon.terminate().stderr;
    let told: Vec<&str> = log.lines().filter(|line| line.contains("there is no brand")).collect();
    assert_eq!(told.len(), 2, "{log}");
    assert!(told[0].contains("'bnd_first'") && told[1].contains("'bnd_job'"), "{log}");
}

#[test]
fn what_content_says_without_effect_is_told_once_a_job() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let content = json!({ "elements": [
        { "type": "text", "content": "Hi", "colour": "red", "color": "bluish", "channels": ["emial"] },
        { "type": "list", "imgHref": "https://example.com", "elements": [
            { "type": "list-item", "content": "x", "locales": { "fr": { "text": "y" } } },
        ] },
        { "type": "jsonnet", "content": "{}" },
        { "type": "text", "content": "all of it", "align": "left", "font_size": "12px", "bold": "true", "id": "x" },
        { "type": "action", "content": "Go", "href": "https://x.example", "style": "link", "color": "red",
            "background_color": "blue", "padding": "1px", "width": "5px", "border_color": "red" },
    ] });
    customer.post("/send", &json!({ "message": { "to": { "email": "a@example.com" }, "content": content } })).ok(202);
    let job_id = customer.create(json!({ "message": { "content": content } }));
    customer.ingest(&job_id, json!([{ "recipient": "ada" }, { "recipient": "bob" }]));
    customer.run_to_the_end(&job_id);
    let log = daemon.terminate().stderr;
    for part in [
        "elements[0].colour has no effect",
        "elements[0].color has no effect: expected a colour such as \"#9d3789\", found 'bluish'",
        "elements[0].channels names 'emial', which is no channel or provider",
        "elements[1].imgHref has no effect",
        "elements[1].elements[0].locales.fr.text has no effect",
        "elements[2].type has no effect: Jsonnet is not evaluated",
        "elements[4].background_color has no effect",
        "elements[4].padding has no effect",
        "elements[4].width has no effect",
        "elements[4].border_color has no effect",
    ] {
        assert_eq!(log.matches(part).count(), 2, "{part}: {log}");
    }
    assert!(!log.contains("elements[3]") && !log.contains("elements[4].color"), "{log}");
}

#[test]
fn it_answers_where_its_first_line_says_and_logs_elsewhere() {
    let folder = Folder::new();
    for args in [&[][..], &["serve"]] {
        let database = folder.database();
        let daemon = Binary::start(&[args, &["--listen", ":0", "--db", &database, "--log", "debug"]].concat());
        let address = daemon.address();
        assert!(address.ip().is_loopback() && address.port() != 0, "{address}");
        let line = daemon.first_line();
        assert!(line.contains(&format!("http://127.0.0.1:{}", address.port())) && line.contains(&database), "{line}");
        assert_eq!(daemon.customer("acme").without_key().get("/_bulkd/health").ok(200)["status"], "ok");
        let secret = daemon.customer("a-secret");
        let job_id = secret.create(newsletter());
        secret.ingest(&job_id, crowd(0, 10));
        secret.run_to_the_end(&job_id);
        daemon.logs(&format!("job {job_id} COMPLETED: 10 received, 9 enqueued, 1 failures"));

        let ended = daemon.terminate();
        assert_eq!(ended.stdout.lines().count(), 2, "{ended:?}");
        assert!(ended.stdout.contains(&format!("COURIER_BASE_URL=http://{address}\n")), "{ended:?}");
        assert!(ended.stderr.contains("POST /bulk 201 "), "{ended:?}");
        assert!(!ended.stderr.contains("a-secret"), "{ended:?}");
        assert_eq!(folder.names(), ["bulkd.db"]);
    }
}

#[test]
fn its_file_is_bulkd_db_where_it_was_started() {
    let folder = Folder::new();
    fs::write(folder.database(), "").unwrap();
    let daemon = Binary::spawn(bulkd(&["--listen", "localhost:0"]).current_dir(folder.0.path()));
    daemon.customer("acme").create(newsletter());
    daemon.terminate();
    assert_eq!(folder.names(), ["bulkd.db"]);
    assert!(run(&["check", &folder.database()]).stdout.contains("is sound: 1 jobs"));
}

#[test]
fn settings_come_from_the_environment_and_flags_win_over_it() {
    let folder = Folder::new();
    let (database, other) = (folder.database(), folder.path("other.db"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let settings = [
        ("BULKD_LISTEN", "localhost:0"),
        ("BULKD_DB", database.as_str()),
        ("BULKD_API_KEY", "one, two"),
        ("BULKD_WORKERS", "3"),
        ("BULKD_DURABILITY", "fast"),
        ("BULKD_CONTRACT", "openapi"),
        ("BULKD_TEMPLATES", "strict"),
        ("BULKD_LOG", "debug"),
    ];
    let definition = json!({ "message": { "event": "weekly" } });
    let statuses = |customer: &Customer, created: &Value| {
        let job_id = created["jobId"].as_str().unwrap();
        customer.post(&format!("/bulk/{job_id}"), &json!({ "users": readers(0, 1) }));
        customer.post(&format!("/bulk/{job_id}/run"), &json!({}));
        customer.completed(job_id);
        customer.outbox(job_id)[0]["status"].as_str().unwrap().to_owned()
    };

    for args in [&[][..], &["serve"]] {
        let daemon = Binary::spawn(bulkd(args).envs(settings));
        for key in ["one", "two"] {
            let customer = daemon.customer(key);
            let created = customer.post("/bulk", &definition).ok(200);
            assert_eq!(statuses(&customer, &created), "UNMAPPED");
        }
        daemon.customer("three").get("/bulk/any").refused(401);
        assert_workers(&daemon, 3);
        let ended = daemon.terminate();
        assert!(ended.stderr.contains("POST /bulk 200 "), "{ended:?}");
        assert_eq!(folder.names(), ["bulkd.db"]);
    }

    // What is set in vain may as well be nonsense.
    let nonsense =
        settings.map(|(name, _)| (name, if name == "BULKD_LISTEN" { taken.as_str() } else { "\u{1F980} 0" }));
    let flags = [
        ["--listen", ":0"],
        ["--db", other.as_str()],
        ["--api-key", "three"],
        ["--workers", "2"],
        ["--durability", "full"],
        ["--contract", "tutorial"],
        ["--templates", "lenient"],
        ["--log", "off"],
    ];
    let daemon = Binary::spawn(bulkd(flags.as_flattened()).args(["--api-key", "four"]).envs(nonsense));
    for key in ["three", "four"] {
        let customer = daemon.customer(key);
        let created = customer.post("/bulk", &definition).ok(201);
        assert_eq!(statuses(&customer, &created), "SENT");
    }
    daemon.customer("one").get("/bulk/any").refused(401);
    assert_workers(&daemon, 2);
    assert_eq!(daemon.terminate().stderr, "");
    assert_eq!(folder.names(), ["bulkd.db", "other.db"]);
}

/// Asserts how many threads drain jobs, where that can be seen from outside.
#[track_caller]
fn assert_workers(daemon: &Binary, expected: usize) {
    if cfg!(target_os = "linux") {
        let tasks = format!("/proc/{}/task", daemon.id());
        // Threads name themselves, once they run.
        wait_until("as many workers as were asked for", || {
            let names = fs::read_dir(&tasks).unwrap().map(|task| fs::read_to_string(task.unwrap().path().join("comm")));
            names.filter(|name| name.as_ref().is_ok_and(|name| name.starts_with("drain "))).count() == expected
        });
    }
}

#[test]
fn a_switch_in_the_environment_takes_yes_and_no() {
    let (folder, temporary) = (Folder::new(), Folder::new());
    for (value, ephemeral) in [("1", true), ("true", true), ("yes", true), ("0", false), ("false", false), ("", false)]
    {
        let mut command = bulkd(&["--listen", ":0"]);
        command.current_dir(folder.0.path()).env("TMPDIR", temporary.0.path()).env("BULKD_EPHEMERAL", value);
        let daemon = Binary::spawn(&mut command);
        daemon.customer("acme").create(newsletter());
        assert_eq!(
            (temporary.names().len(), folder.names().is_empty()),
            (usize::from(ephemeral), ephemeral),
            "{value}"
        );
        daemon.terminate();
        let _ = fs::remove_file(folder.database());
        assert_eq!((temporary.names().len(), folder.names().len()), (0, 0), "{value}");
    }
}

#[test]
fn an_ephemeral_daemon_leaves_nothing_behind() {
    let (folder, temporary) = (Folder::new(), Folder::new());
    let mut command = bulkd(&["--ephemeral", "--listen", ":0", "--db", &folder.database()]);
    let daemon = Binary::spawn(command.env("TMPDIR", temporary.0.path()));
    assert!(daemon.first_line().contains(temporary.0.path().to_str().unwrap()), "{}", daemon.first_line());
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 1000));
    customer.run_to_the_end(&job_id);
    assert_eq!(temporary.names().len(), 1);
    daemon.terminate();
    assert_eq!((temporary.names().len(), folder.names().len()), (0, 0));
}

#[test]
fn a_signal_ends_it_in_the_middle_of_a_job_which_goes_on_by_itself() {
    let folder = Folder::new();
    let daemon = folder.daemon(&[]);
    let customer = daemon.customer("acme");
    let job_id = large_job(&customer);
    customer.run(&job_id);

    let mut drained = 0;
    let mut daemon = Some(daemon);
    for signal in ["TERM", "INT"] {
        let running = daemon.take().unwrap();
        drained = progress(&running.customer("acme"), &job_id, drained);
        running.signal(signal);
        let ended = running.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(folder.names(), ["bulkd.db"]);
        let (status, now) = job_in(&folder.database());
        assert!(status == "PROCESSING" && now >= drained && now < large() as u64, "{status} {drained} {now}");
        drained = now;
        daemon = Some(folder.daemon(&[]));
    }

    let daemon = daemon.unwrap();
    assert_drained(&daemon.customer("acme"), &job_id);
    daemon.terminate();
    assert_eq!(folder.names(), ["bulkd.db"]);
    assert_drained_in(&folder.database());
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_no_success() {
    let folder = Folder::new();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = Binary::spawn(bulkd(&["demo", "--exit"]).stdout(full())).wait();
    assert!(ended.code == Some(1) && ended.stderr.contains("standard output cannot be written"), "{ended:?}");
    #[cfg(feature = "tls")]
    {
        let database = folder.database();
        let ended = Binary::spawn(bulkd(&["ca", "--db", &database]).stdout(full())).wait();
        assert!(ended.code == Some(1) && ended.stderr.contains("standard output cannot be written"), "{ended:?}");
    }
    drop(folder);
}

#[test]
fn it_stops_with_what_has_started_it_when_that_holds_its_standard_input() {
    let folder = Folder::new();
    let start = |flags: &[&str]| {
        let (input, held) = std::io::pipe().unwrap();
        let database = folder.database();
        let flags = [&["--listen", ":0", "--db", &database], flags].concat();
        (Binary::start_by(bulkd(&flags).stdin(input)), held)
    };
    let (daemon, mut held) = start(&["--stop-with-stdin"]);
    let job_id = daemon.customer("acme").create(newsletter());
    // What comes in is no end.
    held.write_all(b"a line\nand a half").unwrap();
    daemon.customer("acme").ingest(&job_id, readers(0, 10));
    drop(held);
    let ended = daemon.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("stopping"), "{ended:?}");
    assert_eq!(folder.names(), ["bulkd.db"]);
    // Without the flag it goes on: a service's input may be nothing at all.
    let (daemon, held) = start(&[]);
    drop(held);
    assert_eq!(daemon.customer("acme").job(&job_id)["received"], 10);
    daemon.terminate();
}

#[test]
fn an_idle_daemon_stops_as_cleanly_as_a_busy_one() {
    let folder = Folder::new();
    for start in 0..10 {
        let daemon = folder.daemon(&[]);
        let customers: Vec<Customer> = (0..start).map(|_| daemon.customer("acme")).collect();
        for customer in &customers {
            // Each keeps its connection.
            customer.get("/bulk/any").refused(404);
        }
        daemon.terminate();
        assert_eq!(folder.names(), ["bulkd.db"]);
    }
}

#[test]
fn requests_in_flight_are_answered_before_it_ends() {
    let folder = Folder::new();
    let daemon = folder.daemon(&[]);
    // Another program's transaction holds the request up.
    let shell = Connection::open(folder.database()).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let body = json!({ "message": newsletter() }).to_string();
    let mut stream = TcpStream::connect(daemon.address()).unwrap();
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let requests = format!(
        "GET /_bulkd/health HTTP/1.1\r\nHost: localhost\r\n\r\n\
         POST /bulk HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(requests.as_bytes()).unwrap();
    // They came together: when the first was answered, the second is in flight.
    let mut answers = Vec::new();
    let mut chunk = [0; 1024];
    while !String::from_utf8_lossy(&answers).contains("\"status\":\"ok\"") {
        let read = stream.read(&mut chunk).unwrap();
        assert_ne!(read, 0);
        answers.extend_from_slice(&chunk[..read]);
    }
    daemon.signal("TERM");
    daemon.signal("INT");
    daemon.logs("stopping");
    shell.execute_batch("ROLLBACK").unwrap();
    drop(shell);
    stream.read_to_end(&mut answers).unwrap();
    let ended = daemon.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let answers = String::from_utf8(answers).unwrap();
    let (_, created) = answers.split_once("HTTP/1.1 201 ").expect(&answers);
    assert!(created.contains("Connection: close"), "{created}");
    let created: Value = serde_json::from_str(created.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(folder.names(), ["bulkd.db"]);
    let daemon = folder.daemon(&[]);
    assert_eq!(daemon.customer("acme").job(created["jobId"].as_str().unwrap())["status"], "CREATED");
}

#[test]
fn a_killed_daemon_goes_on_where_it_was() {
    let folder = Folder::new();
    let mut daemon = folder.daemon(&[]);
    let job_id = large_job(&daemon.customer("acme"));
    daemon.customer("acme").run(&job_id);
    let mut drained = 0;
    for _ in 0..2 {
        let seen = progress(&daemon.customer("acme"), &job_id, drained);
        daemon.kill();
        let (status, now) = job_in(&folder.database());
        assert!(status == "PROCESSING" && now >= seen && now < large() as u64, "{status} {seen} {now}");
        drained = now;
        daemon = folder.daemon(&[]);
    }
    assert_drained(&daemon.customer("acme"), &job_id);
    assert_drained_in(&folder.database());
    daemon.kill();
    assert_drained_in(&folder.database());
}

#[test]
fn a_first_start_that_was_killed_is_no_obstacle_to_the_next() {
    for moment in ["bulkd.db-lock", "bulkd.db", "bulkd.db-journal", "bulkd.db-wal"] {
        for _ in 0..5 {
            let folder = Folder::new();
            let (reached, database) = (folder.path(moment), folder.database());
            let first = Binary::spawn(&mut bulkd(&["--listen", ":0", "--db", &database]));
            wait_until("that moment", || Path::new(&reached).exists() || first.is_up());
            first.kill();
            let daemon = folder.daemon(&[]);
            daemon.customer("acme").create(newsletter());
            daemon.terminate();
            assert!(run(&["check", &database]).stdout.contains("is sound: 1 jobs"));
        }
    }
}

#[test]
fn a_reader_that_holds_on_to_the_file_stops_no_request() {
    let folder = Folder::new();
    let daemon = folder.daemon(&[]);
    let customer = daemon.customer("acme");
    let first = customer.create(newsletter());
    customer.ingest(&first, readers(0, 1000));
    customer.run_to_the_end(&first);
    let shell = open_file(Path::new(&folder.database()));
    shell.execute_batch("BEGIN").unwrap();
    let outbox = || shell.query_row("SELECT count(*) FROM outbox", [], |row| row.get::<_, usize>(0)).unwrap();
    assert_eq!(outbox(), 1000);

    // More than the log may hold before the writer empties it, if it can.
    let users = |call: usize| -> Value {
        let padding = "x".repeat(10_000);
        let user = |i: usize| json!({ "recipient": format!("{call}-{i}"), "data": { "padding": padding } });
        (0..500).map(user).collect()
    };
    let job_id = customer.create(newsletter());
    for call in 0..20 {
        customer.ingest(&job_id, users(call));
    }
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 10_000);
    let log = folder.path("bulkd.db-wal");
    let log_bytes = || fs::metadata(&log).unwrap().len();
    assert!(log_bytes() > 64 << 20, "{}", log_bytes());
    assert_eq!(outbox(), 1000);

    // When the reader has gone, the log starts over and gives the disk back.
    shell.execute_batch("COMMIT").unwrap();
    assert_eq!(outbox(), 11_000);
    let later = customer.create(newsletter());
    let mut calls = 0;
    wait_until("the log is short again", || {
        customer.ingest(&later, users(calls));
        calls += 1;
        assert!(calls < 20, "the log still grows: {}", log_bytes());
        log_bytes() <= 64 << 20
    });
    drop(shell);
    daemon.terminate();
    assert_eq!(folder.names(), ["bulkd.db"]);
    let checked = run(&["check", &folder.database()]).stdout;
    let expected = format!("is sound: 3 jobs, {} users, 11000 messages", 11_000 + 500 * calls);
    assert!(checked.contains(&expected), "{checked}");
}

/// A stream to which nothing can be written, since its reader has gone.
fn closed_pipe() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    writer.into()
}

#[test]
fn it_goes_on_when_its_output_is_not_read() {
    let folder = Folder::new();
    // Its address cannot be read from what it says.
    let (_ours, address) = unheard();
    let mut command = bulkd(&["--db", &folder.database(), "--log", "trace", "--listen", &address.to_string()]);
    let daemon = Binary::spawn(command.stdout(closed_pipe()).stderr(closed_pipe()));
    wait_until("it listens", || TcpStream::connect(address).is_ok());
    let customer = Customer::new(address, "acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, crowd(0, 10));
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 9);
    daemon.terminate();

    let args = ["check", &folder.database()];
    assert_eq!(Binary::spawn(bulkd(&args).stdout(closed_pipe())).wait().code, Some(0));
    let refusal = Binary::spawn(bulkd(&["check", "/"]).stderr(closed_pipe())).wait();
    assert_eq!((refusal.code, refusal.stdout.as_str()), (Some(1), ""));
}

#[test]
fn a_log_that_is_never_read_holds_up_neither_requests_nor_jobs_nor_the_stop() {
    let folder = Folder::new();
    // As test suites start things: a pipe that is open and full after 64 KiB.
    let (unread, full) = std::io::pipe().unwrap();
    let daemon = Binary::start_by(bulkd(&["--listen", ":0", "--db", &folder.database(), "--log", "info"]).stderr(full));
    let customer = daemon.customer("acme");
    for _ in 0..4_000 {
        customer.get("/bulk/any").refused(404);
    }
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, crowd(0, 10));
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 9);
    daemon.terminate();
    drop(unread);
}

#[test]
fn what_it_cannot_serve_is_refused_by_name_and_left_alone() {
    let folder = Folder::new().with_jobs();
    fs::create_dir(folder.path("folder")).unwrap();
    fs::write(folder.path("text"), "Dear diary,\n".repeat(100)).unwrap();
    fs::write(folder.path("short"), "SQLite").unwrap();
    let database = |name: &str, sql: &str| {
        let conn = Connection::open(folder.path(name)).unwrap();
        conn.execute_batch(sql).unwrap();
        conn
    };
    database("theirs", "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    database("theirs-in-wal", "PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
    let open = database("theirs-and-open", "PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
    for name in ["newer", "newer-in-its-log", "cut"] {
        fs::copy(folder.database(), folder.path(name)).unwrap();
    }
    database("newer", "PRAGMA user_version = 99");
    let newer = database("newer-in-its-log", "PRAGMA user_version = 99");
    newer.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    drop(newer);
    fs::File::options().write(true).open(folder.path("cut")).unwrap().set_len(20_000).unwrap();

    let before = folder.contents();
    assert!(before.contains_key("theirs-and-open-wal") && before.contains_key("newer-in-its-log-wal"));
    let newer = "was written by a newer bulkd (file version 99, this bulkd knows 10); it was left alone";
    let cases = [
        ("text", "is not a bulkd database (nor any SQLite database); it was left alone"),
        ("short", "is not a bulkd database (nor any SQLite database); it was left alone"),
        ("theirs", "is a SQLite database, but not one of bulkd's; it was left alone"),
        ("theirs-in-wal", "is a SQLite database, but not one of bulkd's; it was left alone"),
        ("theirs-and-open", "is a SQLite database, but not one of bulkd's; it was left alone"),
        ("newer", newer),
        ("newer-in-its-log", newer),
        ("cut", "cannot be opened: database disk image is malformed"),
        ("folder", "is a folder; expected a file, or a name for a new one"),
        ("folder/", "is a folder; expected a file, or a name for a new one"),
        ("missing/bulkd.db", &format!("cannot be created: there is no folder {}", folder.path("missing"))),
        ("text/bulkd.db", "cannot be opened: Not a directory (os error 20)"),
    ];
    for (name, expected) in cases {
        let path = folder.path(name);
        for args in [&["--listen", ":0", "--db", &path][..], &["check", &path]] {
            let ended = run(args);
            if args[0] == "check" {
                assert!(ended.refusal().starts_with("bulkd: "), "{ended:?}");
            } else {
                assert_eq!(ended.refusal(), format!("bulkd: {path} {expected}"));
            }
            assert!(folder.contents() == before, "{args:?} left {:?}", folder.names());
        }
    }
    let device = run(&["--listen", ":0", "--db", "/dev/null"]);
    assert_eq!(device.refusal(), "bulkd: /dev/null is not a regular file");
    drop(open);
}

#[test]
fn a_file_is_served_by_one_daemon_at_a_time() {
    let folder = Folder::new();
    let daemon = folder.daemon(&[]);
    let job_id = daemon.customer("acme").create(newsletter());
    symlink(folder.database(), folder.path("another-name.db")).unwrap();
    let before = folder.contents();
    for name in ["bulkd.db", "../{folder}/bulkd.db", "another-name.db"] {
        let path = folder.path(&name.replace("{folder}", folder.0.path().file_name().unwrap().to_str().unwrap()));
        let second = run(&["--listen", ":0", "--db", &path]);
        assert_eq!(second.refusal(), format!("bulkd: {path} is in use by another bulkd"));
        assert!(folder.contents() == before, "{:?}", folder.names());
    }
    assert_eq!(daemon.customer("acme").job(&job_id)["status"], "CREATED");
    daemon.kill();
    folder.daemon(&[]).terminate();
}

#[test]
fn an_address_that_cannot_be_had_is_refused_before_the_file_is_touched() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let public = "--listen 0.0.0.0:0 can be reached from other machines; name the keys that are let in with --api-key";
    let cases = [
        (vec![taken.as_str()], format!("{taken} is taken by another program; choose another with --listen")),
        (vec!["0.0.0.0:0"], public.to_owned()),
        (vec!["[::]:0"], public.replace("0.0.0.0", "[::]")),
        // No client without a key of its own has anything sent.
        (
            vec!["0.0.0.0:0", "--api-key", "*", "--deliver", "sms=file:sms.jsonl"],
            "--listen 0.0.0.0:0 with --api-key '*' would let anyone send".to_owned(),
        ),
        (vec!["0.0.0.0:0", "--api-key", "k,*"], "--api-key '*' lets in every key; give it alone".to_owned()),
        // An address that no machine has: it is kept for documentation.
        (vec!["203.0.113.1:0", "--api-key", "k"], "203.0.113.1:0 cannot be listened on".to_owned()),
    ];
    for (address, expected) in cases {
        let database = folder.database();
        let ended = run(&[&["--db", &database, "--listen"], &address[..]].concat());
        assert!(ended.refusal().starts_with(&format!("bulkd: {expected}")), "{ended:?}");
        assert_eq!(folder.names(), Vec::<String>::new());
    }
    let daemon = Binary::start(&["--db", &folder.database(), "--listen", "0.0.0.0:0", "--api-key", "k"]);
    let address = SocketAddr::from(([127, 0, 0, 1], daemon.address().port()));
    Customer::new(address, "k").create(newsletter());
    Customer::new(address, "another").get("/bulk/any").refused(401);
    daemon.terminate();
    // Any key there too, as tests have them that run in containers; and no page's name that leads here.
    let daemon = Binary::start(&["--ephemeral", "--listen", "0.0.0.0:0", "--api-key", "*", "--allow-host", "bulkd"]);
    let address = SocketAddr::from(([127, 0, 0, 1], daemon.address().port()));
    for key in ["one", "another"] {
        let called = Customer::new(address, key).with_header("Host", "bulkd:4010");
        assert_eq!(called.get("/_bulkd/jobs").ok(200)["items"].as_array().map(Vec::len), Some(0));
        called.create(newsletter());
        Customer::new(address, key).with_header("Host", "evil.test").get("/_bulkd/jobs").refused(421);
    }
    daemon.terminate();
}

#[test]
fn a_start_without_room_for_its_threads_is_given_up_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bulkd.db");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 1400000 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_bulkd")]);
    limited.args(["serve", "--listen", "127.0.0.1:0", "--workers", "256", "--db", file.to_str().unwrap()]);
    let ended = Binary::spawn(limited.stdout(Stdio::piped()).stderr(Stdio::piped())).wait();
    assert!(ended.refusal().contains("the thread 'drain "), "{ended:?}");
    // The file was closed: neither a lock nor a log stands beside it.
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["bulkd.db"]);
    check(&file);
}

#[test]
fn what_may_not_be_written_is_refused() {
    let folder = Folder::new().with_jobs();
    let set_mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let database = PathBuf::from(folder.database());
    set_mode(&database, 0o444);
    if fs::File::options().write(true).open(&database).is_ok() {
        eprintln!("not tested: this user may write whatever there is");
        return;
    }
    let before = folder.contents();
    let read_only = run(&["--listen", ":0", "--db", &folder.database()]);
    assert_eq!(read_only.refusal(), format!("bulkd: {} cannot be written: it is read-only", database.display()));
    assert!(folder.contents() == before, "{:?}", folder.names());
    let checked = run(&["check", &folder.database()]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(folder.contents() == before, "{:?}", folder.names());

    set_mode(&database, 0o644);
    set_mode(folder.0.path(), 0o555);
    for name in ["bulkd.db", "new.db"] {
        let ended = run(&["--listen", ":0", "--db", &folder.path(name)]);
        let expected = format!("bulkd: {}-lock cannot be written: Permission denied (os error 13)", folder.path(name));
        assert_eq!(ended.refusal(), expected);
    }
    let checked = run(&["check", &folder.database()]);
    let after = folder.contents();
    set_mode(folder.0.path(), 0o755);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(after == before, "{:?}", after.keys());
}

#[test]
fn what_cannot_be_understood_ends_with_usage() {
    let folder = Folder::new();
    let cases: [(&[&str], &str); 17] = [
        (&["--nonsense"], "unexpected argument '--nonsense' found"),
        (&["start"], "unrecognized subcommand 'start'"),
        (&["check"], "required arguments were not provided"),
        (&["--db", "a.db", "check", "a.db"], "the subcommand 'check' cannot be used with"),
        (&["--listen", "nowhere"], "expected HOST:PORT or :PORT with a port of at most 65535, such as 127.0.0.1:4010"),
        (&["--listen", "127.0.0.1:70000"], "expected HOST:PORT or :PORT with a port of at most 65535"),
        (&["--listen", "nowhere.invalid:1"], "the host has no address: "),
        (&["--db", ""], "a value is required for '--db <FILE>'"),
        (&["--workers", "0"], "0 is not in 1..=256"),
        (&["--memory", "much"], "expected a size from 16M on, such as 512M or 2G"),
        (&["--memory", "15M"], "expected a size from 16M on, such as 512M or 2G"),
        (&["--workers", "many"], "invalid value 'many' for '--workers <N>'"),
        (&["--durability", "some"], "[possible values: full, fast]"),
        (&["--contract", "none"], "[possible values: tutorial, openapi, live]"),
        (&["--templates", "none"], "[possible values: lenient, strict]"),
        (&["--log", "verbose"], "[possible values: error, warn, info, debug, trace, off]"),
        // A variable that was meant to hold a key must neither let every key in nor shut every key out.
        (&["--api-key", ""], "invalid value '' for '--api-key <KEY>': expected a key that is not empty"),
    ];
    for (args, expected) in cases {
        let ended = Binary::spawn(bulkd(args).current_dir(folder.0.path())).wait();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{args:?}: {ended:?}");
        assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains(expected), "{args:?}: {ended:?}");
        assert!(ended.stderr.ends_with("For more information, try '--help'.\n"), "{args:?}: {ended:?}");
    }
    let variables =
        [("BULKD_API_KEY", "one,,two"), ("BULKD_API_KEY", ""), ("BULKD_WORKERS", "257"), ("BULKD_LOG", "x")];
    for (name, value) in variables {
        let ended = Binary::spawn(bulkd(&["serve"]).current_dir(folder.0.path()).env(name, value)).wait();
        assert_eq!(ended.code, Some(2), "{name}={value}: {ended:?}");
    }
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn the_help_says_what_may_be_typed() {
    let flags = ["listen", "db", "ephemeral", "api-key", "workers", "durability", "contract", "templates", "log"];
    for args in [&["--help"][..], &["serve", "--help"]] {
        let help = Binary::spawn(bulkd(args).env("BULKD_API_KEY", "a-secret")).wait();
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
        for flag in flags {
            assert!(help.stdout.contains(&format!("      --{flag}")), "--{flag} in {}", help.stdout);
            let variable = format!("[env: BULKD_{}", flag.replace('-', "_").to_uppercase());
            assert!(help.stdout.contains(&variable), "{variable} in {}", help.stdout);
        }
        for phrase in ["[default: 127.0.0.1:4010]", "[default: bulkd.db]", "- full: ", "- openapi: ", "- strict: "] {
            assert!(help.stdout.contains(phrase), "{phrase} in {}", help.stdout);
        }
        assert!(!help.stdout.contains("a-secret"));
    }
    let help = run(&["--help"]).stdout;
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for phrase in [
        "A local daemon compatible with Courier's Bulk API.",
        "COURIER_BASE_URL=http://127.0.0.1:4010",
        "Usage: bulkd [OPTIONS]",
        "serve Start the daemon.",
        "demo Start a daemon on a fresh file",
        "check Say whether a database file is sound",
        "compact Give the disk back what a database file has free",
        "backup Copy a database to another file",
        "restore Put a backup in place",
    ] {
        assert!(words.contains(phrase), "{phrase} in {help}");
    }
    assert!(run(&["check", "--help"]).stdout.contains("Usage: bulkd check <FILE>"));
    assert_eq!(run(&["--version"]).stdout, format!("bulkd {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn check_finds_what_is_not_sound_and_changes_nothing() {
    let folder = Folder::new().with_jobs();
    let sound = run(&["check", &folder.database()]);
    let expected = format!("{} is sound: 2 jobs, 2003 users, 1998 messages, 2 failures\n", folder.database());
    assert_eq!((sound.code, sound.stdout.as_str(), sound.stderr.as_str()), (Some(0), expected.as_str(), ""));
    assert_eq!(folder.names(), ["bulkd.db"]);

    let cases = [
        (
            "UPDATE jobs SET enqueued = enqueued + 1 WHERE status = 'CREATED'",
            "1 jobs whose messages are not as many as they enqueued",
        ),
        ("UPDATE jobs SET enqueued = enqueued + 1 WHERE status = 'COMPLETED'", "CHECK constraint failed in jobs"),
        (
            "UPDATE jobs SET received = received + 1 WHERE status = 'CREATED'",
            "1 jobs whose users are not as many as they received",
        ),
        (
            "UPDATE jobs SET enqueued = enqueued - 1, failures = failures + 1 WHERE status = 'COMPLETED'",
            "1 jobs whose messages are not as many as they enqueued",
        ),
        ("UPDATE jobs SET status = 'COMPLETED'", "1 jobs whose counters add up to more users than they received, or"),
        ("DELETE FROM users WHERE number = 7", "1 ranges of users of which some are missing"),
        ("INSERT INTO users (recipient, user) VALUES ('x', '{}')", "1 users that belong to no job"),
        ("DELETE FROM messages WHERE number = 7", "1 jobs whose messages are not as many as they enqueued"),
        ("DELETE FROM failures WHERE seq = 0", "1 jobs whose failures are not as many as they count"),
        ("UPDATE users SET recipient = 'reader-7' WHERE number = 7", "1 bulk jobs with a recipient twice"),
        ("UPDATE message_ranges SET first_seq = first_seq + 1 WHERE first_seq > 0", " ranges of messages that do not"),
        ("UPDATE user_ranges SET first_seq = 1 WHERE first_seq = 0", "2 ranges of users that do not"),
        ("UPDATE failures SET seq = seq + 1", "2 failures of users that have a message, or had no turn"),
        ("UPDATE messages SET recipient = 'x' WHERE number = 7", "1 messages to another recipient than their user"),
        ("DROP INDEX user_ranges_of_job; DROP TABLE failures", "no such table: failures"),
    ];
    for (tampering, expected) in cases {
        let copy = Folder::new();
        fs::copy(folder.database(), copy.database()).unwrap();
        let shell = Connection::open(copy.database()).unwrap();
        shell.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
        shell.execute_batch(tampering).unwrap();
        drop(shell);
        let before = copy.contents();
        let ended = run(&["check", &copy.database()]);
        assert!(ended.refusal().contains(expected), "{tampering}: {ended:?}");
        assert!(ended.refusal().starts_with(&format!("bulkd: {} ", copy.database())), "{tampering}: {ended:?}");
        assert!(copy.contents() == before, "{tampering}: {:?}", copy.names());
    }
}

#[test]
fn check_finds_damage_wherever_it_is() {
    const PAGE: usize = 8192;
    let folder = Folder::new().with_jobs();
    let sound = fs::read(folder.database()).unwrap();
    let damaged = |bytes: &[u8], what: &str| {
        let copy = Folder::new();
        fs::write(copy.database(), bytes).unwrap();
        let ended = run(&["check", &copy.database()]);
        assert_eq!(ended.code, Some(1), "{what}: {ended:?}");
        let line = ended.refusal();
        assert!(line.starts_with(&format!("bulkd: {} ", copy.database())), "{what}: {line}");
        assert!(copy.contents() == BTreeMap::from([("bulkd.db".to_owned(), bytes.to_vec())]), "{what}");
    };
    for length in [0, 1, 50, 99, 100, 512, PAGE, 5 * PAGE, sound.len() / 2, sound.len() - PAGE, sound.len() - 1] {
        damaged(&sound[..length], &format!("cut to {length} bytes"));
    }
    // The same garbage every time, and none that SQLite could take for a page.
    let mut state = 1u32;
    let mut garbage = || -> u8 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for page in 0..sound.len() / PAGE {
        let mut bytes = sound.clone();
        // The first page's header is left alone: without it the file belongs to no program.
        let start = if page == 0 { 100 } else { page * PAGE };
        bytes[start..(page + 1) * PAGE].fill_with(&mut garbage);
        damaged(&bytes, &format!("garbage in page {}", page + 1));
        bytes[start..(page + 1) * PAGE].fill(0);
        damaged(&bytes, &format!("zeros in page {}", page + 1));
    }
    let missing = run(&["check", &folder.path("missing.db")]);
    assert_eq!(missing.refusal(), format!("bulkd: there is no file {}", folder.path("missing.db")));
}

#[test]
fn check_works_beside_a_daemon_and_after_a_kill() {
    let folder = Folder::new();
    let daemon = folder.daemon(&[]);
    let customer = daemon.customer("acme");
    let job_id = large_job(&customer);
    customer.run(&job_id);
    progress(&customer, &job_id, 0);
    let checked = run(&["check", &folder.database()]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    customer.create(newsletter());
    daemon.kill();
    let before = folder.contents();
    assert!(before["bulkd.db-wal"].len() > 100);
    let checked = run(&["check", &folder.database()]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    assert!(folder.contents() == before, "{:?}", folder.names());
    assert_drained(&folder.daemon(&[]).customer("acme"), &job_id);
}

#[test]
fn neither_output_holds_up_a_daemon_that_is_started_by_a_program_that_never_reads() {
    let folder = Folder::new();
    // Both are pipes that are full before it starts, as after hours of lines that were not read.
    let full = || {
        let (unread, mut full) = std::io::pipe().unwrap();
        let flags = rustix::fs::fcntl_getfl(&full).unwrap();
        rustix::fs::fcntl_setfl(&full, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
        while full.write(&[b'x'; 4096]).is_ok() {}
        rustix::fs::fcntl_setfl(&full, flags).unwrap();
        (unread, full)
    };
    let ((unread_out, out), (unread_log, log)) = (full(), full());
    let (_ours, address) = unheard();
    let mut command = bulkd(&["--db", &folder.database(), "--listen", &address.to_string()]);
    let daemon = Binary::spawn(command.stdout(out).stderr(log));
    wait_until("it listens", || TcpStream::connect(address).is_ok());
    let customer = Customer::new(address, "acme");
    for _ in 0..1_000 {
        customer.get("/bulk/any").refused(404);
    }
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, crowd(0, 10));
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 9);
    daemon.terminate();
    drop((unread_out, unread_log));
}

#[test]
fn a_log_for_programs_has_an_object_a_line() {
    let folder = Folder::new();
    let args = ["--listen", ":0", "--db", &folder.database(), "--log-format", "json"];
    let daemon = Binary::start_by(bulkd(&args).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let customer = daemon.customer("acme");
    customer.create(newsletter());
    customer.get("/bulk/%22%0a%22").refused(404);
    let lines: Vec<Value> =
        daemon.terminate().stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let of = |path: &str| lines.iter().find(|line| line["path"] == path).unwrap_or_else(|| panic!("{path}: {lines:?}"));
    let created = of("/bulk");
    assert_eq!(
        (&created["level"], &created["method"], &created["status"]),
        (&json!("info"), &json!("POST"), &json!(201))
    );
    assert!(
        created["time"].is_string() && created["ms"].is_number() && created["environment"].is_string(),
        "{created}"
    );
    assert_eq!(of("/bulk/%22%0a%22")["status"], 404);
    assert!(lines.iter().any(|line| line["message"] == "stopping"), "{lines:?}");
}

/// Ends what others do when it is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_stop_beside_programs_that_look_at_the_file_logs_no_error() {
    for _ in 0..8 {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("bulkd.db");
        let daemon = Binary::start(&["--listen", ":0", "--db", file.to_str().unwrap()]);
        daemon.customer("acme").create(newsletter());
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _over = Over(&is_over);
            for _ in 0..3 {
                // Closing a file locks it for a moment, if no other process has it open.
                scope.spawn(|| {
                    while !is_over.load(Ordering::SeqCst) {
                        if let Ok(conn) = Connection::open(&file) {
                            let _ = conn.query_row("SELECT count(*) FROM jobs", [], |row| row.get::<_, i64>(0));
                        }
                    }
                });
            }
            let ended = daemon.terminate();
            assert!(!ended.stderr.contains("ERROR"), "{ended:?}");
        });
    }
}
