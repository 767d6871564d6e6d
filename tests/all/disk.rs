//! Disk trouble, with the real binary on a real file: disks that are full, read-only or failing, and damaged files.
//!
//! Needs `cc` for tests/disk/fail_io.c, and for the tests that mount a disk of their own `unshare` and either root or
//! user namespaces; where these may not be had, such a test says so and does nothing. Such a disk is mounted in a
//! namespace of its own and goes with it, however the test ends.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::support::binary::{Binary, Ended, bulkd, check};
use crate::support::{Customer, Reply, json, newsletter, open_file, readers, sized, wait_until};
use serde_json::Value;
use tempfile::TempDir;

const PAGE: usize = 8192;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

const FULL: &str = "the disk is full; try again later";
const FAILING: &str = "the disk reports an error; try again later";
const DAMAGED: &str = "the database file is damaged; `bulkd check` shows where; try again later";

/// Runs a command that has to succeed.
#[track_caller]
fn sh(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", text(database)))
}

/// A daemon that is yet to be started.
fn serve(database: &Path) -> Command {
    bulkd(&["--listen", ":0", "--db", text(database)])
}

#[track_caller]
fn start(database: &Path) -> Binary {
    Binary::start_by(&mut serve(database))
}

/// Waits until a daemon has said that it answers, or why it does not, and tells which.
#[track_caller]
fn serves(daemon: &Binary) -> bool {
    wait_until("it serves or refuses", || daemon.is_up() || daemon.stderr().contains("bulkd: "));
    daemon.is_up()
}

/// Stops a daemon, which has to be alive and to have seen no panic.
#[track_caller]
fn stop(daemon: Binary) -> Ended {
    let ended = daemon.terminate();
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    ended
}

#[track_caller]
fn kill(daemon: Binary) {
    assert!(!daemon.stderr().contains("panicked"), "{}", daemon.stderr());
    daemon.kill();
}

/// The message of an answer that says to try again later.
#[track_caller]
fn unavailable(reply: &Reply) -> String {
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "{reply:?}");
    let body = reply.json();
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["message", "type"], "{reply:?}");
    assert_eq!(body["type"], "api_error", "{reply:?}");
    body["message"].as_str().unwrap().to_owned()
}

/// Users whose data fills a page each.
fn heavy(first: usize, count: usize) -> Value {
    let mut users = readers(first, count);
    for user in users.as_array_mut().unwrap() {
        user["data"]["blob"] = "x".repeat(PAGE).into();
    }
    users
}

/// Tries to ingest users, under an idempotency key that tells them.
fn try_ingest(customer: &Customer, job_id: &str, users: &Value) -> Reply {
    let key = users[0]["recipient"].as_str().unwrap();
    customer.once(key).post(&format!("/bulk/{job_id}"), &json!({ "users": users }))
}

/// Everything that can be asked for is answered, and the job has as many users as it says.
#[track_caller]
fn assert_readable(customer: &Customer, job_id: &str, received: usize) {
    assert_eq!(customer.job(job_id)["received"], received);
    assert_eq!(customer.users(job_id).len(), received);
    customer.outbox_with("message_id", job_id);
    customer.get("/_bulkd/health").ok(200);
}

/// A job has ended with exactly one message for each of its users, who are the first `count` readers.
#[track_caller]
fn assert_once_each(customer: &Customer, job_id: &str, count: usize) {
    let job = customer.completed(job_id);
    assert_eq!((&job["received"], &job["enqueued"], &job["failures"]), (&json!(count), &json!(count), &json!(0)));
    let (users, outbox) = (customer.users(job_id), customer.outbox_with("message_id,recipient", job_id));
    assert_eq!((users.len(), outbox.len()), (count, count));
    for (i, (user, message)) in users.iter().zip(&outbox).enumerate() {
        let recipient = json!(format!("reader-{i}"));
        assert_eq!((&user["recipient"], &message["recipient"]), (&recipient, &recipient));
        assert_eq!((user["status"].as_str(), &user["messageId"]), (Some("ENQUEUED"), &message["message_id"]));
    }
    let ids: BTreeSet<&str> = outbox.iter().map(|message| message["message_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), count);
}

/// A job that pauses stands where its messages end, short of its last user. Each time that it tries again a few more may
/// find room, also between two looks. Returns how many it has.
#[track_caller]
fn assert_pauses_in_order(customer: &Customer, job_id: &str, received: usize) -> usize {
    let enqueued = || {
        let job = customer.job(job_id);
        assert_eq!((job["status"].as_str(), &job["received"]), (Some("PROCESSING"), &json!(received)));
        assert_eq!(job["failures"], 0);
        job["enqueued"].as_u64().unwrap() as usize
    };
    let (before, messages, after) = (enqueued(), customer.outbox_with("message_id", job_id).len(), enqueued());
    assert!(before <= messages && messages <= after && after < received, "{before} {messages} {after}");
    messages
}

/// A stopped file with three jobs: one that is over, one with users who had no turn, and one without users.
fn with_jobs(database: &Path) -> [String; 3] {
    let daemon = start(database);
    let customer = daemon.customer("acme");
    let job_ids = [(); 3].map(|()| customer.create(newsletter()));
    customer.ingest(&job_ids[0], readers(0, 2_000));
    customer.ingest(&job_ids[1], readers(0, 2_000));
    customer.run_to_the_end(&job_ids[0]);
    stop(daemon);
    job_ids
}

/// A disk of its own, mounted as long as this lives.
struct Disk(TempDir);

impl Disk {
    fn mount(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        sh("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "disk", text(folder.path())]);
        Disk(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn remount(&self, options: &str) {
        // Without the options that it has: in a user namespace some of them may be shown, but not given.
        sh("mount", &["--options-mode", "ignore", "-o", &format!("remount,{options}"), text(self.0.path())]);
    }

    /// Fills the disk but for this many bytes.
    fn fill_but(&self, bytes: u64) {
        let mut ballast = File::options().append(true).create(true).open(self.path("ballast")).unwrap();
        let full = std::iter::repeat_with(|| ballast.write_all(&[1; 4096])).find_map(Result::err).unwrap();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        let length = ballast.metadata().unwrap().len();
        ballast.set_len(length - bytes).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.path("ballast")).unwrap();
    }

    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.0.path()).unwrap().map(Result::unwrap);
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", text(self.0.path())]).status();
    }
}

/// Runs a test where disks may be mounted: in another process of this test, in a namespace that dies with it.
#[track_caller]
fn where_disks_are_mounted(name: &str, test: fn()) {
    const INSIDE: &str = "DISK_TEST";
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let probe = tempfile::tempdir().unwrap();
    let may_mount = |flags: &&str| {
        let args = [flags, "mount", "-t", "tmpfs", "disk", text(probe.path())];
        Command::new("unshare").args(args).output().is_ok_and(|output| output.status.success())
    };
    let Some(flags) = ["-m", "-rm"].into_iter().find(may_mount) else {
        return eprintln!("not tested: {name}: no disk may be mounted here");
    };
    let mut inside = Command::new("unshare");
    let (_, module) = module_path!().split_once("::").unwrap();
    let name = format!("{module}::{name}");
    inside.arg(flags).arg(std::env::current_exe().unwrap()).args([&name, "--exact", "--nocapture"]).env(INSIDE, &name);
    let output = inside.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}{stderr}");
}

/// A folder, and disk trouble to order for the daemons on its file.
struct Trouble {
    folder: TempDir,
    database: PathBuf,
}

impl Trouble {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/disk/fail_io.c");
        sh("cc", &["-shared", "-fPIC", "-O1", source, "-o", text(&folder.path().join("fail_io.so"))]);
        let database = folder.path().join("bulkd.db");
        Trouble { folder, database }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    fn start(&self) -> Binary {
        self.start_with(&[])
    }

    #[track_caller]
    fn start_with(&self, more: &[&str]) -> Binary {
        let mut command = serve(&self.database);
        command.args(more);
        command.env("LD_PRELOAD", self.path("fail_io.so"));
        command.env("FAIL_IO_ORDERS", self.path("orders")).env("FAIL_IO_REPORT", self.path("report"));
        Binary::start_by(&mut command)
    }

    /// From now on calls of this kind fail on the file of this name, once so many more have gone well.
    fn begin(&self, kind: &str, errno: i32, first: usize, name: &str) {
        let _ = fs::remove_file(self.path("report"));
        fs::write(self.path("orders-to-be"), format!("{kind} {errno} {first} /{name}")).unwrap();
        fs::rename(self.path("orders-to-be"), self.path("orders")).unwrap();
    }

    /// How often something has failed since it began.
    fn failures(&self) -> usize {
        fs::read_to_string(self.path("report")).map_or(0, |report| report.lines().count())
    }

    /// The first bytes of the log, which are new when it starts over.
    fn log_header(&self) -> Vec<u8> {
        fs::read(self.path("bulkd.db-wal")).unwrap()[..32].to_vec()
    }

    /// It is over, and did happen.
    #[track_caller]
    fn end(&self) {
        fs::remove_file(self.path("orders")).unwrap();
        assert!(self.failures() > 0, "nothing has failed");
    }
}

/// What cannot be made sure of may be lost with the machine, and is written once more; not without an end.
#[test]
fn messages_in_a_file_that_cannot_be_synced_are_given_up_after_ten_attempts() {
    let trouble = Trouble::new();
    let file = trouble.path("messages.jsonl");
    trouble.begin("sync", EIO, 0, "messages.jsonl");
    let daemon =
        trouble.start_with(&["--test-clock=2026-09-21T14:13:20Z", "--deliver", &format!("email=file:{}", text(&file))]);
    let customer = daemon.customer("acme");
    let send = |first: usize| {
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(first, 1));
        customer.run_to_the_end(&job_id);
        job_id
    };
    let lines = || fs::read_to_string(&file).unwrap().lines().count();
    let job_id = send(0);
    wait_until("it is given up", || {
        customer.post("/_bulkd/clock/advance", &json!({ "by": "720s" })).ok(200);
        customer.outbox(&job_id)[0]["status"] == "UNDELIVERABLE"
    });
    let error = customer.outbox(&job_id)[0]["error"].as_str().unwrap().to_owned();
    assert!(error.starts_with("the file cannot be written: ") && lines() == 10, "{error}, {} lines", lines());
    trouble.end();
    let job_id = send(1);
    wait_until("it is delivered", || customer.outbox(&job_id)[0]["status"] == "DELIVERED");
    assert_eq!(lines(), 11);
    stop(daemon);
}

#[test]
fn a_full_disk_is_told_and_leaves_no_half_a_call() {
    where_disks_are_mounted("a_full_disk_is_told_and_leaves_no_half_a_call", || {
        // Of the rest the log and its copy in the database do not both find room.
        let disk = Disk::mount("16m");
        fs::write(disk.path("ballast"), vec![1; 9 << 20]).unwrap();
        let database = disk.path("bulkd.db");
        let daemon = start(&database);
        let customer = daemon.customer("acme");
        let job_id = customer.create(newsletter());
        let (mut received, call) = (0, 40);
        let full = loop {
            let reply = try_ingest(&customer, &job_id, &heavy(received, call));
            if reply.status != 200 {
                break reply;
            }
            received += call;
            assert!(received < 2_000, "all that has found room");
        };
        assert_eq!(unavailable(&full), FULL);
        assert!(received > 0);
        assert_readable(&customer, &job_id, received);
        daemon.logs("the disk is full");

        disk.fill_but(0);
        assert_eq!(unavailable(&try_ingest(&customer, &job_id, &heavy(received, call))), FULL);
        assert_eq!(try_ingest(&customer, &job_id, &heavy(0, call)).header("x-bulkd-replayed"), Some("true"));
        assert_readable(&customer, &job_id, received);
        disk.make_room();
        let reply = try_ingest(&customer, &job_id, &heavy(received, call));
        assert_eq!(reply.ok(200), json!({ "errors": [], "total": call }));
        let again = try_ingest(&customer, &job_id, &heavy(received, call));
        assert_eq!((again.header("x-bulkd-replayed"), &again.text), (Some("true"), &reply.text));
        received += call;
        assert_readable(&customer, &job_id, received);
        disk.remount("size=64m");
        customer.run(&job_id);
        assert_once_each(&customer, &job_id, received);
        stop(daemon);
        let expected = format!("is sound: 1 jobs, {received} users, {received} messages, 0 failures\n");
        assert!(check(&database).ends_with(&expected));
    });
}

#[test]
fn a_copy_that_has_no_room_is_refused_before_it_is_made() {
    where_disks_are_mounted("a_copy_that_has_no_room_is_refused_before_it_is_made", || {
        let disk = Disk::mount("32m");
        let database = disk.path("bulkd.db");
        let daemon = start(&database);
        let customer = daemon.customer("acme");
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, heavy(0, 200));
        stop(daemon);
        disk.fill_but(1 << 20);
        let before = disk.contents();
        let compact = || Binary::spawn(&mut bulkd(&["compact", text(&database)])).wait();
        let ended = compact();
        let told = ended.refusal();
        assert!(told.contains(" bytes, and the disk has ") && told.ends_with("it was left as it was"), "{told}");
        assert!(disk.contents() == before, "{:?}", disk.contents().keys());
        disk.make_room();
        assert_eq!(compact().code, Some(0));
        assert!(check(&database).ends_with("is sound: 1 jobs, 200 users, 0 messages, 0 failures\n"));
    });
}

#[test]
fn a_job_that_fills_the_disk_pauses_and_completes_by_itself() {
    where_disks_are_mounted("a_job_that_fills_the_disk_pauses_and_completes_by_itself", || {
        const USERS: usize = 6_000;
        let disk = Disk::mount("16m");
        let database = disk.path("bulkd.db");
        let daemon = start(&database);
        let customer = daemon.customer("acme");
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, USERS));
        let another = customer.create(newsletter());
        disk.fill_but(400 * 1024);
        customer.run(&job_id);
        daemon.logs(&format!("job {job_id} pauses: {FULL}"));
        assert_pauses_in_order(&customer, &job_id, USERS);
        assert_eq!(unavailable(&try_ingest(&customer, &another, &heavy(0, 100))), FULL);
        stop(daemon);
        let daemon = start(&database);
        let customer = daemon.customer("acme");
        daemon.logs(&format!("job {job_id} pauses: {FULL}"));
        assert_pauses_in_order(&customer, &job_id, USERS);
        disk.make_room();
        assert_once_each(&customer, &job_id, USERS);
        stop(daemon);
        check(&database);
    });
}

#[test]
fn a_disk_that_is_full_at_the_start_is_refused_or_served() {
    where_disks_are_mounted("a_disk_that_is_full_at_the_start_is_refused_or_served", || {
        let disk = Disk::mount("4m");
        let (database, new) = (disk.path("bulkd.db"), disk.path("new.db"));
        let job_ids = with_jobs(&database);
        let (mut refused, mut served) = (0, 0);
        for room in [0, 4, 16, 32, 36, 40, 64, 128, 256] {
            for database in [&database, &new] {
                let before = fs::read(database).unwrap_or_default();
                disk.fill_but(room * 1024);
                let daemon = Binary::spawn(&mut serve(database));
                if serves(&daemon) {
                    let customer = daemon.customer("acme");
                    let created = customer.post("/bulk", &json!({ "message": newsletter() }));
                    assert!(created.status == 201 || unavailable(&created) == FULL, "{room} KiB: {created:?}");
                    if !before.is_empty() {
                        assert_readable(&customer, &job_ids[0], 2_000);
                    }
                    stop(daemon);
                    served += 1;
                } else {
                    let ended = daemon.wait();
                    let line = ended.refusal();
                    assert!(line.contains(text(database)) && line.contains("full"), "{room} KiB: {line}");
                    assert!(fs::read(database).unwrap_or_default() == before, "{room} KiB");
                    refused += 1;
                }
                disk.make_room();
                let daemon = start(database);
                daemon.customer("acme").create(newsletter());
                stop(daemon);
                let _ = fs::remove_file(&new);
            }
        }
        assert!(refused > 0 && served > 0, "{refused} refused, {served} served");
        check(&database);
    });
}

#[test]
fn a_read_only_disk_is_refused_by_name_and_left_alone() {
    where_disks_are_mounted("a_read_only_disk_is_refused_by_name_and_left_alone", || {
        let disk = Disk::mount("16m");
        let (database, new) = (disk.path("bulkd.db"), disk.path("new.db"));
        let job_ids = with_jobs(&database);
        let before = disk.contents();
        disk.remount("ro");
        for database in [&database, &new] {
            let ended = Binary::spawn(&mut serve(database)).wait();
            let line = ended.refusal();
            let lock = beside(database, "-lock");
            let expected = format!("bulkd: {} cannot be written: Read-only file system (os error 30)", lock.display());
            assert_eq!(line, expected);
        }
        check(&database);
        disk.remount("rw");
        assert!(disk.contents() == before, "{:?}", disk.contents().keys());

        sh("mount", &["--bind", text(&database), text(&database)]);
        sh("mount", &["-o", "remount,bind,ro", text(&database)]);
        let ended = Binary::spawn(&mut serve(&database)).wait();
        let line = ended.refusal();
        assert_eq!(line, format!("bulkd: {} cannot be written: it is read-only", database.display()));
        check(&database);
        assert!(disk.contents() == before, "{:?}", disk.contents().keys());
        sh("umount", &[text(&database)]);

        let daemon = start(&database);
        let customer = daemon.customer("acme");
        customer.run(&job_ids[1]);
        assert_once_each(&customer, &job_ids[1], 2_000);
        stop(daemon);
    });
}

#[test]
fn a_log_that_cannot_be_written_is_told_and_loses_no_user() {
    let trouble = Trouble::new();
    let daemon = trouble.start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let (mut received, call) = (0, sized(150, 300));
    let cases = [
        ("write", EIO, FAILING),
        ("write", ENOSPC, FULL),
        ("write", EROFS, FAILING),
        ("short", EIO, FAILING),
        ("short", ENOSPC, FULL),
        ("sync", EIO, FAILING),
        ("sync", ENOSPC, FAILING),
        ("sync", EROFS, FAILING),
    ];
    for (kind, errno, expected) in cases {
        for first in [0, 3] {
            trouble.begin(kind, errno, if kind == "sync" { 0 } else { first }, "bulkd.db-wal");
            let users = readers(received, call);
            assert_eq!(unavailable(&try_ingest(&customer, &job_id, &users)), expected, "{kind} {errno}");
            std::thread::scope(|scope| {
                let callers = [(); 4].map(|()| scope.spawn(|| try_ingest(&customer, &job_id, &users)));
                for caller in callers {
                    assert_eq!(unavailable(&caller.join().unwrap()), expected, "{kind} {errno}");
                }
            });
            let created = customer.post("/bulk", &json!({ "message": newsletter() }));
            assert_eq!(unavailable(&created), expected);
            assert_readable(&customer, &job_id, received);
            trouble.end();
            let log = trouble.log_header();
            received += call;
            assert_eq!(try_ingest(&customer, &job_id, &users).ok(200), json!({ "errors": [], "total": call }));
            assert_eq!(try_ingest(&customer, &job_id, &users).header("x-bulkd-replayed"), Some("true"));
            assert_readable(&customer, &job_id, received);
            // What was not synced once may never be: such a log is not gone on with.
            assert_eq!(trouble.log_header() != log, kind == "sync", "{kind} {errno}");
        }
    }
    daemon.logs("changes are not committed: the disk is full");
    daemon.logs("changes are not committed: the disk reports an error");
    kill(daemon);
    let daemon = trouble.start();
    let customer = daemon.customer("acme");
    assert_readable(&customer, &job_id, received);
    customer.run(&job_id);
    assert_once_each(&customer, &job_id, received);
    stop(daemon);
    check(&trouble.database);
}

#[test]
fn what_could_not_be_synced_is_not_acknowledged_and_comes_once_at_most() {
    let trouble = Trouble::new();
    let mut daemon = trouble.start();
    let job_id = daemon.customer("acme").create(newsletter());
    let mut received = 0;
    for kills_after in ["the refusal", "the retry"] {
        let customer = daemon.customer("acme");
        let users = readers(received, 500);
        trouble.begin("sync", EIO, 0, "bulkd.db-wal");
        assert_eq!(unavailable(&try_ingest(&customer, &job_id, &users)), FAILING);
        assert_readable(&customer, &job_id, received);
        if kills_after == "the retry" {
            trouble.end();
            assert_eq!(try_ingest(&customer, &job_id, &users).ok(200), json!({ "errors": [], "total": 500 }));
            received += 500;
        }
        kill(daemon);
        if kills_after == "the refusal" {
            trouble.end();
        }
        daemon = trouble.start();
        let customer = daemon.customer("acme");
        let found = customer.users(&job_id).len();
        assert!(found == received || found == received + 500, "{found} users, of whom {received} are acknowledged");
        assert_eq!(try_ingest(&customer, &job_id, &users).ok(200), json!({ "errors": [], "total": 500 }));
        received = received.max(customer.users(&job_id).len());
        assert_readable(&customer, &job_id, received);
        assert_eq!(received % 500, 0);
    }
    assert_eq!(received, 1_000);
    let customer = daemon.customer("acme");
    trouble.begin("sync", EIO, 0, "bulkd.db-wal");
    let run = || customer.send("POST", &format!("/bulk/{job_id}/run"), None);
    assert_eq!(unavailable(&run()), FAILING);
    assert_eq!(customer.job(&job_id)["status"], "CREATED");
    trouble.end();
    run().ok(202);
    assert_once_each(&customer, &job_id, received);
    stop(daemon);
    check(&trouble.database);
}

#[test]
fn no_event_is_told_before_its_message_is_on_the_disk() {
    let trouble = Trouble::new();
    let daemon = trouble.start();
    let customer = daemon.customer("acme");
    // No server listens there: what is queued stays in the queue.
    let id = customer.post("/_bulkd/webhooks", &json!({ "url": "http://127.0.0.1:9" })).ok(201)["id"].take();
    // The job has many parts, of which only the last is waited for.
    let long = "x".repeat(16 * 1024);
    let job_id = customer.create(json!({ "message": { "content": { "title": "Hello", "body": long } } }));
    customer.ingest(&job_id, readers(0, 1_000));
    // Its run is acknowledged, and nothing after it.
    trouble.begin("sync", EIO, 1, "bulkd.db-wal");
    customer.run(&job_id);
    daemon.logs("pauses: ");
    wait_until("a sync has failed", || trouble.failures() > 0);
    let ask = |sql: &str| open_file(&trouble.database).query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert!(ask("SELECT count(*) FROM messages") > 0);
    assert_eq!(ask("SELECT count(*) FROM webhook_events"), 0);
    trouble.end();
    customer.completed(&job_id);
    let shown = format!("/_bulkd/webhooks/{}", id.as_str().unwrap());
    wait_until("the events are queued", || customer.get(&shown).ok(200)["pending"] == 1_000);
    stop(daemon);
    check(&trouble.database);
}

#[test]
fn a_log_that_cannot_be_copied_is_warned_of_and_copied_later() {
    const CALL: usize = (1 << 20) / PAGE;
    let trouble = Trouble::new();
    let daemon = trouble.start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let size = |name: &str| fs::metadata(trouble.path(name)).unwrap().len();
    let mut received = 0;
    let mut ingest = |calls: usize| {
        for _ in 0..calls {
            customer.ingest(&job_id, heavy(received, CALL));
            received += CALL;
        }
    };
    let before = size("bulkd.db");
    trouble.begin("write", EIO, 0, "bulkd.db");
    ingest(5);
    daemon.logs("the write-ahead log cannot be copied into the database: disk I/O error");
    ingest(60);
    daemon.logs("the write-ahead log could not be started over: disk I/O error");
    assert!(size("bulkd.db") == before && size("bulkd.db-wal") > 64 << 20);
    trouble.end();
    ingest(10);
    wait_until("the log is copied", || size("bulkd.db") > 64 << 20);

    trouble.begin("sync", EIO, 0, "bulkd.db");
    ingest(5);
    wait_until("a sync has failed", || trouble.failures() > 0);
    let ended = stop(daemon);
    let warned = |what: &str| ended.stderr.contains(&format!("{what}: "));
    assert!(warned("the database could not be synced") || warned("cannot be copied into the database"));
    assert!(size("bulkd.db-wal") > 0, "what is not synced is not removed");
    trouble.end();
    let daemon = trouble.start();
    let customer = daemon.customer("acme");
    assert_eq!(customer.job(&job_id)["received"], 80 * CALL);
    stop(daemon);
    assert!(check(&trouble.database).contains(&format!(" {} users", 80 * CALL)));
}

#[test]
fn a_database_that_was_not_synced_once_is_copied_anew_at_the_next_start() {
    let trouble = Trouble::new();
    let daemon = trouble.start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let call = (1 << 20) / PAGE;
    customer.ingest(&job_id, heavy(0, call));
    trouble.begin("sync", EIO, 0, "bulkd.db");
    let mut received = call;
    wait_until("a sync has failed", || {
        customer.ingest(&job_id, heavy(received, call));
        received += call;
        trouble.failures() > 0
    });
    daemon.logs("the database could not be synced: ");
    trouble.end();
    // Far more than the log holds before it starts over.
    while received < 90 * call {
        customer.ingest(&job_id, heavy(received, call));
        received += call;
    }
    let log = trouble.path("bulkd.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 80 << 20);
    stop(daemon);
    assert!(fs::metadata(&log).unwrap().len() > 80 << 20, "what may not be in the database was removed");

    let daemon = trouble.start();
    assert_eq!(daemon.customer("acme").job(&job_id)["received"], received);
    stop(daemon);
    assert!(!log.exists());
    assert!(check(&trouble.database).contains(&format!(" {received} users")));
}

#[test]
fn a_log_that_was_not_synced_and_is_held_on_to_takes_nothing_more() {
    let trouble = Trouble::new();
    let daemon = trouble.start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    trouble.begin("sync", EIO, 0, "bulkd.db-wal");
    assert_eq!(unavailable(&try_ingest(&customer, &job_id, &readers(0, 10))), FAILING);
    let reader = open_file(&trouble.database);
    reader.execute_batch("BEGIN; SELECT count(*) FROM jobs").unwrap();
    trouble.end();
    let held = "the disk has reported an error; try again later";
    assert_eq!(unavailable(&try_ingest(&customer, &job_id, &readers(0, 10))), held);
    drop(reader);
    assert_eq!(try_ingest(&customer, &job_id, &readers(0, 10)).ok(200)["total"], 10);
    stop(daemon);
}

#[test]
fn trouble_in_the_middle_of_a_job_pauses_it_and_nothing_more() {
    // Few enough that the log is not copied meanwhile, which would count as well.
    let count = sized(6_000, 12_000);
    let cases = [
        ("write", EIO, count / 60, FAILING),
        ("write", ENOSPC, count / 60, FULL),
        ("short", ENOSPC, count / 120, FULL),
        ("sync", EIO, 1, FAILING),
    ];
    for (kind, errno, first, expected) in cases {
        let trouble = Trouble::new();
        // One worker has no more than two parts of a job with the writer.
        let daemon = trouble.start_with(&["--workers", "1"]);
        let customer = daemon.customer("acme");
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, count));
        trouble.begin(kind, errno, first, "bulkd.db-wal");
        customer.run(&job_id);
        daemon.logs(&format!("job {job_id} pauses: {expected}"));
        let enqueued = assert_pauses_in_order(&customer, &job_id, count);
        assert!(enqueued > 0, "{kind} {errno}: nothing went well");
        trouble.end();
        assert_once_each(&customer, &job_id, count);
        stop(daemon);
        check(&trouble.database);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_read_later() {
    let trouble = Trouble::new();
    let job_ids = with_jobs(&trouble.database);
    let daemon = trouble.start();
    let customer = daemon.customer("acme");
    // What cannot be read while a statement runs SQLite calls damaged.
    let told = |reply: &Reply| [FAILING, DAMAGED].contains(&unavailable(reply).as_str());
    trouble.begin("read", EIO, 0, "bulkd.db");
    for path in [format!("/bulk/{}/users", job_ids[1]), format!("/_bulkd/outbox?job_id={}", job_ids[0])] {
        assert!(told(&customer.get(&path)), "{path}");
    }
    assert!(told(&try_ingest(&customer, &job_ids[1], &readers(2_000, 100))));
    trouble.end();
    assert_eq!(try_ingest(&customer, &job_ids[1], &readers(2_000, 100)).ok(200)["total"], 100);
    assert_readable(&customer, &job_ids[0], 2_000);
    customer.run(&job_ids[1]);
    assert_once_each(&customer, &job_ids[1], 2_100);
    stop(daemon);
    check(&trouble.database);
}

/// Bytes that cannot be taken for a page, the same every time.
fn garbage(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// A file with [`with_jobs`], refused by one line or served: then every request is answered, if only by saying that the
/// file is damaged, and it stops as it should. Returns whether it was served, and how many of the answers said so.
#[track_caller]
fn refused_or_served(database: &Path, job_ids: &[String; 3], what: &str) -> (bool, usize) {
    let daemon = Binary::spawn(&mut serve(database));
    if !serves(&daemon) {
        let ended = daemon.wait();
        let line = ended.refusal();
        assert!(line.contains(text(database)), "{what}: {line}");
        return (false, 0);
    }
    let customer = daemon.customer("acme");
    let mut damaged = 0;
    let mut see = |reply: Reply, status| {
        let fine = reply.status == status || unavailable(&reply) == DAMAGED;
        assert!(fine, "{what}: {reply:?} {}", daemon.stderr());
        damaged += usize::from(reply.status != status);
    };
    for job_id in job_ids {
        see(customer.get(&format!("/bulk/{job_id}")), 200);
        see(customer.get(&format!("/bulk/{job_id}/users?limit=1000")), 200);
        see(customer.get(&format!("/_bulkd/outbox?limit=1000&job_id={job_id}")), 200);
    }
    see(customer.get("/_bulkd/outbox?recipient=reader-1999"), 200);
    see(customer.once(what).post("/bulk", &json!({ "message": newsletter() })), 201);
    see(try_ingest(&customer, &job_ids[1], &readers(2_000, 100)), 200);
    see(try_ingest(&customer, &job_ids[2], &readers(0, 100)), 200);
    for job_id in &job_ids[1..] {
        let run = customer.send("POST", &format!("/bulk/{job_id}/run"), None);
        let running = run.status == 202;
        see(run, 202);
        wait_until("the job is over or pauses", || {
            let log = daemon.stderr();
            let told = log.contains(&format!("job {job_id} pauses")) || log.contains("could not be");
            let job = customer.get(&format!("/bulk/{job_id}"));
            !running || told || job.status == 503 || job.json()["job"]["status"] != "PROCESSING"
        });
    }
    customer.get("/_bulkd/health").ok(200);
    stop(daemon);
    (true, damaged)
}

#[test]
fn a_damaged_file_is_refused_or_serves_what_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let job_ids = with_jobs(&database);
    let whole = fs::read(&database).unwrap();
    let pages = whole.len() / PAGE;
    let (mut served, mut damaged) = (0, 0);
    let mut damage = |what: &str, bytes: &[u8], found_by_check: bool| {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(beside(&database, suffix));
        }
        fs::write(&database, bytes).unwrap();
        if found_by_check {
            let ended = Binary::spawn(&mut bulkd(&["check", text(&database)])).wait();
            let line = ended.refusal();
            assert!(line.starts_with(&format!("bulkd: {} ", database.display())), "{what}: {line}");
        }
        let (up, answers) = refused_or_served(&database, &job_ids, what);
        served += usize::from(up);
        damaged += answers;
    };
    for length in [1, 100, PAGE, whole.len() / 2, whole.len() - PAGE, whole.len() - 1] {
        damage(&format!("cut to {length} bytes"), &whole[..length], true);
    }
    for at in [0, 16, 18, 20, 28, 32, 44, 56, 60, 68, 96] {
        let mut bytes = whole.clone();
        bytes[at..at + 2].copy_from_slice(&[0xEE, 0xEF]);
        damage(&format!("header damaged at {at}"), &bytes, false);
    }
    // Pages of every kind come early; those behind them hold users and messages. An odd step takes both kinds of damage.
    let (early, late) = sized((3, 51), (1, 17));
    for page in (0..22).step_by(early).chain((22..pages).step_by(late)) {
        let mut bytes = whole.clone();
        let here = &mut bytes[if page == 0 { 100 } else { page * PAGE }..(page + 1) * PAGE];
        let (kind, rubbish) = if page % 2 == 0 { ("garbage", garbage(PAGE)) } else { ("zeros", vec![0; PAGE]) };
        here.copy_from_slice(&rubbish[..here.len()]);
        damage(&format!("{kind} in page {}", page + 1), &bytes, true);
    }
    assert!(served > 0 && damaged > 0, "{served} served, {damaged} answers");
}

#[test]
fn a_job_that_meets_damage_pauses_and_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let job_ids = with_jobs(&database);
    let whole = fs::read(&database).unwrap();
    let find = |text: &str| {
        let found: Vec<usize> = (0..whole.len()).filter(|at| whole[*at..].starts_with(text.as_bytes())).collect();
        *found.last().unwrap()
    };
    // The users of the second job come after those of the first.
    let page = find("\"name\":\"Reader 1500\"") / PAGE;
    let file = File::options().write(true).open(&database).unwrap();
    file.write_all_at(&garbage(PAGE), (page * PAGE) as u64).unwrap();

    let begun = Instant::now();
    let daemon = start(&database);
    let customer = daemon.customer("acme");
    customer.run(&job_ids[1]);
    let pauses = format!("job {} pauses: {DAMAGED}", job_ids[1]);
    let paused = || daemon.stderr().matches(&pauses).count();
    daemon.logs(&pauses);
    customer.ingest(&job_ids[2], readers(0, 3_000));
    customer.run(&job_ids[2]);
    assert_once_each(&customer, &job_ids[2], 3_000);
    wait_until("it tries again and again", || paused() >= 3);
    assert!((paused() as u64 - 1) <= begun.elapsed().as_secs(), "it tries more often than once a second");
    assert_readable(&customer, &job_ids[0], 2_000);
    assert_pauses_in_order(&customer, &job_ids[1], 2_000);
    let users = |limit: usize| customer.get(&format!("/bulk/{}/users?limit={limit}", job_ids[1]));
    assert_eq!(users(1_000).ok(200)["items"].as_array().unwrap().len(), 1_000);
    let cursor = users(1_000).json()["paging"]["cursor"].as_str().unwrap().to_owned();
    let rest = customer.get(&format!("/bulk/{}/users?limit=1000&cursor={cursor}", job_ids[1]));
    assert_eq!(unavailable(&rest), DAMAGED);
    let ended = stop(daemon);
    assert!(ended.stderr.contains("bulkd check"), "{ended:?}");
    let ended = Binary::spawn(&mut bulkd(&["check", text(&database)])).wait();
    let line = ended.refusal();
    assert!(line.contains("is not sound: ") && line.contains(&format!("page {}", page + 1)), "{line}");

    file.write_all_at(&whole[page * PAGE..][..PAGE], (page * PAGE) as u64).unwrap();
    let daemon = start(&database);
    assert_once_each(&daemon.customer("acme"), &job_ids[1], 2_000);
    stop(daemon);
    check(&database);
}

#[test]
fn what_stands_beside_the_file_may_be_damaged() {
    const CALLS: usize = 8;
    // Users in one call.
    let call = sized(40, 100);
    let folder = tempfile::tempdir().unwrap();
    let (database, copy) = (folder.path().join("bulkd.db"), folder.path().join("copy.db"));
    let daemon = start(&database);
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    for number in 0..CALLS {
        customer.ingest(&job_id, readers(number * call, call));
    }
    kill(daemon);
    let log = fs::read(beside(&database, "-wal")).unwrap();
    let shared = fs::read(beside(&database, "-shm")).unwrap();
    let found = |log: &[u8], shared: &[u8], what: &str| {
        fs::copy(&database, &copy).unwrap();
        fs::write(beside(&copy, "-wal"), log).unwrap();
        fs::write(beside(&copy, "-shm"), shared).unwrap();
        let daemon = start(&copy);
        let customer = daemon.customer("acme");
        let reply = customer.get(&format!("/bulk/{job_id}"));
        let found = (reply.status == 200).then(|| customer.users(&job_id).len());
        if let Some(found) = found {
            assert_readable(&customer, &job_id, found);
            assert_eq!(found % call, 0, "{what}: half a call");
            customer.ingest(&job_id, readers(found, 50));
            customer.run(&job_id);
            assert_once_each(&customer, &job_id, found + 50);
        } else {
            assert_eq!(reply.status, 404, "{what}: {reply:?}");
            customer.create(newsletter());
        }
        stop(daemon);
        check(&copy);
        found
    };
    let all = Some(call * CALLS);
    for (what, shared) in [
        ("nothing", Vec::new()),
        ("as it was", shared.clone()),
        ("garbage", garbage(shared.len())),
        ("a garbled header", [&garbage(136)[..], &shared[136..]].concat()),
        ("garbled hashes", [&shared[..136], &garbage(shared.len() - 136)].concat()),
        ("cut", shared[..shared.len() / 2].to_vec()),
    ] {
        assert_eq!(found(&log, &shared, what), all, "{what} as -shm");
    }
    let mut partly = 0;
    for part in 0..=8 {
        let at = log.len() * part / 8;
        let rest = garbage(log.len() - at);
        let kept = [
            found(&log[..at], &shared, "a log that is cut"),
            found(&[&log[..at], &rest].concat(), &shared, "a log that ends in garbage"),
            found(&[&log[..at], &vec![0; rest.len()]].concat(), &shared, "a log that ends in zeros"),
        ];
        assert!(kept.iter().all(|it| *it == kept[0]), "{part}: {kept:?}");
        partly += usize::from(kept[0].is_some() && kept[0] != all);
    }
    assert!(partly > 3);
}

#[test]
fn a_file_that_is_cut_while_it_is_served_ends_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let job_ids = with_jobs(&database);
    let whole = fs::read(&database).unwrap();
    let (mut fine, mut troubled) = (0, 0);
    for (suffix, kept) in [("", 2), ("", 1), ("", 0), ("-wal", 1), ("-wal", 0)] {
        fs::write(&database, &whole).unwrap();
        let daemon = start(&database);
        let customer = daemon.customer("acme");
        assert_eq!(try_ingest(&customer, &job_ids[2], &readers(0, 1_000)).ok(200)["total"], 1_000);
        let file = File::options().write(true).open(beside(&database, suffix)).unwrap();
        let cut = file.metadata().unwrap().len() * kept / 4;
        file.set_len(cut).unwrap();
        for round in 1..=3 {
            let mut replies: Vec<Reply> = Vec::new();
            for job_id in &job_ids {
                replies.push(customer.get(&format!("/bulk/{job_id}")));
                replies.push(customer.get(&format!("/bulk/{job_id}/users?limit=1000")));
                replies.push(customer.get(&format!("/_bulkd/outbox?limit=1000&job_id={job_id}")));
            }
            replies.push(customer.post("/bulk", &json!({ "message": newsletter() })));
            replies.push(try_ingest(&customer, &job_ids[1], &readers(2_000 * round, 1_000)));
            for reply in replies {
                match reply.status {
                    200 | 201 => fine += 1,
                    // What is gone reads as zeros, and the rest as something that was never written.
                    503 => {
                        assert_eq!(reply.json()["type"], "api_error", "{reply:?}");
                        troubled += 1;
                    }
                    _ => panic!("{reply:?}"),
                }
            }
            customer.get("/_bulkd/health").ok(200);
        }
        daemon.signal("TERM");
        let ended = daemon.wait();
        // It is seen at the end, too, and no copy of the log brings a database back to its length, with holes.
        assert_eq!(ended.code, Some(1), "{suffix}: {ended:?}");
        assert!(!suffix.is_empty() || file.metadata().unwrap().len() == cut, "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(beside(&database, suffix));
        }
    }
    assert!(fine > 0 && troubled > 0, "{fine} answers, {troubled} refusals");
}
