//! Backups: made beside a busy daemon, checked, restored, and cut off at any point.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use signal_hook::consts::SIGABRT;
use tempfile::TempDir;

use crate::support::binary::{Binary, Ended, bulkd, check};
use crate::support::{Customer, json, newsletter, readers, unheard, wait_until};

/// A folder with databases and backups.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn names(&self) -> BTreeSet<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn serve(&self, more: &[&str]) -> Command {
        bulkd(&[&["--listen", ":0", "--db", &self.text("bulkd.db")], more].concat())
    }

    fn daemon(&self) -> Binary {
        Binary::start_by(&mut self.serve(&[]))
    }

    /// A daemon that takes backups into this folder.
    fn with_backups(&self) -> Binary {
        Binary::start_by(&mut self.serve(&["--backup-dir", self.0.path().to_str().unwrap()]))
    }

    fn backup(&self, file: &str, more: &[&str]) -> Command {
        bulkd(&[&["backup", "--db", &self.text("bulkd.db"), &self.text(file)], more].concat())
    }

    fn restore(&self, file: &str, more: &[&str]) -> Command {
        bulkd(&[&["restore", "--db", &self.text("bulkd.db"), &self.text(file)], more].concat())
    }

    /// Asserts that a file is sound, and returns its number of users.
    #[track_caller]
    fn users(&self, file: &str) -> usize {
        let checked = check(&self.path(file));
        let (before, _) = checked.split_once(" users").unwrap();
        before.rsplit_once(' ').unwrap().1.parse().unwrap()
    }
}

#[track_caller]
fn succeeds(command: &mut Command) -> Ended {
    let ended = Binary::spawn(command).wait();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    ended
}

#[track_caller]
fn refuses(command: &mut Command, why: &str) {
    let ended = Binary::spawn(command).wait();
    assert!(ended.refusal().contains(why), "{ended:?}");
}

#[track_caller]
fn ends_at(point: &str, command: &mut Command) {
    let ended = Binary::spawn(command.env("BULKD_CRASH_AT", point)).wait();
    assert_eq!(ended.signal, Some(SIGABRT), "{point}: {ended:?}");
}

/// Users of some kilobytes each.
fn heavy(first: usize, count: usize) -> Value {
    let mut users = readers(first, count);
    for user in users.as_array_mut().unwrap() {
        user["data"]["padding"] = json!("x".repeat(4_000));
    }
    users
}

/// A job with so many heavy users that are ingested on a daemon.
fn heavy_job(customer: &Customer, users: usize) -> String {
    let job_id = customer.create(newsletter());
    for first in (0..users).step_by(500) {
        customer.ingest(&job_id, heavy(first, 500.min(users - first)));
    }
    job_id
}

#[test]
fn a_backup_beside_a_busy_daemon_is_of_one_moment() {
    let folder = Folder::new();
    let daemon = folder.daemon();
    let customer = daemon.customer("acme");
    let job_id = heavy_job(&customer, 2_000);
    // It is stopped in the middle; the daemon goes on meanwhile, with its writer and its checkpoints.
    let backup = Binary::spawn(folder.backup("copy.db", &[]).env("BULKD_STOP_AT", "copy"));
    wait_until("the backup is stopped", || backup.is_stopped());
    for first in (2_000..22_000).step_by(500) {
        customer.ingest(&job_id, heavy(first, 500));
    }
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 22_000);
    assert!(!folder.path("copy.db").exists());
    backup.signal("CONT");
    let ended = backup.wait();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.contains("it is sound: 1 jobs, 2000 users, 0 messages"), "{ended:?}");
    assert_eq!(folder.users("copy.db"), 2_000);

    // And now while it is being written all the time.
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let job_id = customer.create(newsletter());
            for first in (0..5_000).step_by(50) {
                customer.ingest(&job_id, readers(first, 50));
            }
            customer.run_to_the_end(&job_id);
        });
        let mut backups = 0;
        while !load.is_finished() || backups < 2 {
            let file = format!("copy-{backups}.db");
            succeeds(&mut folder.backup(&file, &[]));
            assert!(folder.users(&file) >= 22_000);
            backups += 1;
        }
    });
    // What the log has grown by while the first was stopped is given back.
    let mut more = 0;
    wait_until("the log is cut back", || {
        customer.ingest(&heavy_job(&customer, 0), heavy(0, 200));
        more += 200;
        fs::metadata(folder.path("bulkd.db-wal")).unwrap().len() <= 80 << 20
    });
    daemon.terminate();
    assert_eq!(folder.users("bulkd.db"), 27_000 + more);
}

#[test]
fn a_backup_is_asked_for_over_http() {
    let folder = Folder::new();
    let ask = |customer: &Customer, file: Value| customer.post("/_bulkd/backup", &json!({ "file": file }));
    let daemon = folder.daemon();
    assert!(ask(&daemon.customer("acme"), json!("copy.db")).refused(403).contains("--backup-dir"));
    daemon.terminate();

    let daemon = folder.with_backups();
    let customer = daemon.customer("acme");
    heavy_job(&customer, 1_000);
    daemon.customer("globex").create(newsletter());
    for name in
        ["", ".db", "../copy.db", "/tmp/copy.db", "a/copy.db", ".copy.db", "copy", "copy.db-wal", "a b.db", "-.db"]
    {
        assert!(ask(&customer, json!(name)).refused(400).starts_with("file: expected a plain name"), "{name}");
    }
    assert!(ask(&customer, json!(5)).refused(400).starts_with("file"));
    assert!(customer.post_text("/_bulkd/backup", "{}").refused(400).contains("file"));
    customer.without_key().post("/_bulkd/backup", &json!({ "file": "copy.db" })).refused(401);
    assert!(!folder.names().iter().any(|name| name.contains("copy")), "{:?}", folder.names());

    let once = customer.once("k");
    let made = ask(&once, json!("copy.db")).ok(201);
    let bytes = fs::metadata(folder.path("copy.db")).unwrap().len();
    assert_eq!(
        (&made["file"], &made["bytes"], &made["pages"]),
        (&json!("copy.db"), &json!(bytes), &json!(bytes / 8192))
    );
    assert_eq!(made["check"], json!({ "sound": true, "jobs": 2, "users": 1000, "messages": 0, "failures": 0 }));
    assert!(made["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(fs::metadata(folder.path("copy.db")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(folder.users("copy.db"), 1_000);
    // What is there is not replaced, whatever it is.
    let again = ask(&once, json!("copy.db"));
    assert_eq!((again.ok(201), again.header("x-bulkd-replayed")), (made, Some("true")));
    assert!(ask(&customer, json!("copy.db")).refused(409).contains("there is a file"));
    assert!(ask(&customer, json!("bulkd.db")).refused(409).contains("there is a file"));
    std::os::unix::fs::symlink(folder.path("nowhere"), folder.path("link.db")).unwrap();
    assert!(ask(&customer, json!("link.db")).refused(409).contains("there is a file"));
    fs::write(folder.path("late.db-wal"), "x").unwrap();
    assert!(ask(&customer, json!("late.db")).refused(409).contains("late.db-wal"));
    // One at a time, and each that was made is whole.
    let made: Vec<String> = std::thread::scope(|scope| {
        let (customer, ask) = (&customer, &ask);
        let asked =
            ["a.db", "b.db", "c.db", "d.db"].map(|name| scope.spawn(move || (name, ask(customer, json!(name)))));
        let replies = asked.map(|asked| asked.join().unwrap());
        let of = |(name, reply): (&str, crate::support::Reply)| match reply.status {
            201 => Some(name.to_owned()),
            _ => {
                assert!(reply.refused(409).contains("another backup is being made"));
                None
            }
        };
        replies.into_iter().filter_map(of).collect()
    });
    assert!(!made.is_empty());
    made.iter().for_each(|name| assert_eq!(folder.users(name), 1_000));
    let kept = folder.names().into_iter().filter(|name| name.len() == 4 && name.ends_with(".db"));
    assert_eq!(kept.collect::<Vec<_>>(), made);
    assert!(!folder.names().iter().any(|name| name.ends_with("-partial")), "{:?}", folder.names());
    daemon.terminate();
    refuses(&mut bulkd(&["--backup-dir", &folder.text("nowhere"), "--listen", ":0"]), "--backup-dir");
}

#[test]
fn a_backup_is_never_written_over_what_is_there_unless_that_is_asked_for() {
    let folder = Folder::new();
    let daemon = folder.daemon();
    heavy_job(&daemon.customer("acme"), 10);
    fs::write(folder.path("copy.db"), "something else").unwrap();
    refuses(&mut folder.backup("copy.db", &[]), "--force replaces it");
    assert_eq!(fs::read(folder.path("copy.db")).unwrap(), b"something else");
    succeeds(&mut folder.backup("copy.db", &["--force"]));
    assert_eq!(folder.users("copy.db"), 10);
    // Neither the database itself, by whatever name, nor what another daemon serves.
    fs::hard_link(folder.path("bulkd.db"), folder.path("link.db")).unwrap();
    for file in ["bulkd.db", "link.db"] {
        let why = if file == "link.db" { "is the database itself" } else { "bulkd.db-wal" };
        refuses(&mut folder.backup(file, &["--force"]), why);
    }
    let other = Binary::start(&["--listen", ":0", "--db", &folder.text("other.db")]);
    refuses(&mut folder.backup("other.db", &["--force"]), "other.db");
    drop(other);
    refuses(&mut folder.backup("no/copy.db", &[]), "cannot be written");
    refuses(&mut bulkd(&["backup", "--db", &folder.text("none.db"), &folder.text("x.db")]), "there is no file");
    fs::write(folder.path("text.db"), "text").unwrap();
    refuses(&mut bulkd(&["backup", "--db", &folder.text("text.db"), &folder.text("x.db")]), "is not a bulkd database");
    assert_eq!(daemon.terminate().code, Some(0));
    assert!(!folder.path("bulkd.db-wal").exists());
}

#[test]
fn a_damaged_file_is_not_taken_for_a_backup() {
    let folder = Folder::new();
    let daemon = folder.with_backups();
    heavy_job(&daemon.customer("acme"), 1_000);
    daemon.terminate();
    let length = fs::metadata(folder.path("bulkd.db")).unwrap().len() as usize;
    let mut bytes = fs::read(folder.path("bulkd.db")).unwrap();
    bytes[length / 2..length / 2 + 40_000].fill(0x5a);
    fs::write(folder.path("bulkd.db"), &bytes).unwrap();
    refuses(&mut folder.backup("copy.db", &[]), "is not sound");
    let daemon = folder.with_backups();
    let reply = daemon.customer("acme").post("/_bulkd/backup", &json!({ "file": "copy.db" }));
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.text.contains("is not sound") && reply.text.contains("was not kept"), "{reply:?}");
    daemon.terminate();
    assert_eq!(folder.names(), ["bulkd.db".to_owned()].into());
}

#[test]
fn a_stop_waits_for_no_backup() {
    let folder = Folder::new();
    let more = ["--backup-dir", folder.0.path().to_str().unwrap()];
    let daemon = Binary::start_by(folder.serve(&more).env("BULKD_STOP_AT", "copy"));
    let customer = daemon.customer("acme");
    let job_id = heavy_job(&customer, 5_000);
    let reply = std::thread::scope(|scope| {
        let asked = scope.spawn(|| customer.try_send("POST", "/_bulkd/backup", Some(r#"{"file":"copy.db"}"#)));
        wait_until("the daemon is stopped", || daemon.is_stopped());
        daemon.signal("TERM");
        daemon.signal("CONT");
        asked.join().unwrap()
    });
    daemon.logs("stopping");
    assert_eq!(daemon.wait().code, Some(0));
    // Where the copy was quicker, it is whole.
    let made = reply.is_ok_and(|reply| reply.status == 201);
    let expected = if made { vec!["bulkd.db", "copy.db"] } else { vec!["bulkd.db"] };
    assert_eq!(folder.names(), expected.into_iter().map(str::to_owned).collect());
    if made {
        assert_eq!(folder.users("copy.db"), 5_000);
    }
    let daemon = folder.daemon();
    assert_eq!(daemon.customer("acme").job(&job_id)["received"], 5_000);
    daemon.terminate();
}

/// A file whose daemon was killed in the middle of a job, and the job.
fn with_half_a_job(folder: &Folder, users: usize) -> String {
    let doomed = Binary::spawn(folder.serve(&["--workers", "1"]).env("BULKD_CRASH_AT", "after-part:2"));
    let customer = doomed.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, users));
    let _ = customer.try_send("POST", &format!("/bulk/{job_id}/run"), None);
    assert_eq!(doomed.wait().signal, Some(SIGABRT));
    job_id
}

/// Asserts that each user of a job has a message.
#[track_caller]
fn assert_complete(customer: &Customer, job_id: &str, users: usize) {
    let job = customer.completed(job_id);
    assert_eq!((&job["received"], &job["enqueued"]), (&json!(users), &json!(users)));
    let recipients: BTreeSet<String> =
        customer.outbox_with("recipient", job_id).iter().map(|message| message["recipient"].to_string()).collect();
    assert_eq!(recipients.len(), users);
}

#[test]
fn a_restored_file_goes_on_where_its_backup_was() {
    let folder = Folder::new();
    let half = with_half_a_job(&folder, 5_500);
    // Of a file that no daemon serves, with a log beside it, which stays.
    succeeds(&mut folder.backup("copy.db", &[]));
    assert!(fs::metadata(folder.path("bulkd.db-wal")).unwrap().len() > 0);
    let daemon = folder.daemon();
    let customer = daemon.customer("acme");
    assert_complete(&customer, &half, 5_500);
    let later = heavy_job(&customer, 100);
    refuses(&mut folder.restore("copy.db", &["--force"]), "is in use by another bulkd");
    fs::hard_link(folder.path("bulkd.db"), folder.path("link.db")).unwrap();
    let link = folder.text("link.db");
    refuses(&mut bulkd(&["restore", "--force", "--db", &link, &folder.text("copy.db")]), "is in use by another bulkd");
    fs::remove_file(&link).unwrap();
    // Its log has what the database has not.
    daemon.kill();
    refuses(&mut folder.restore("copy.db", &[]), "--force keeps it under another name");
    let told = succeeds(&mut folder.restore("copy.db", &["--force"])).stdout;
    assert!(told.contains("bulkd.db-replaced-1") && told.contains("sound, with 1 jobs, 5500 users"), "{told}");
    assert_eq!(folder.names(), ["bulkd.db", "bulkd.db-replaced-1", "copy.db"].map(str::to_owned).into());
    // Nothing of what was there is lost, and nothing of it is in what is there.
    assert_eq!(folder.users("bulkd.db-replaced-1"), 5_600);
    let daemon = folder.daemon();
    let customer = daemon.customer("acme");
    assert_complete(&customer, &half, 5_500);
    customer.get(&format!("/bulk/{later}")).refused(404);
    assert_eq!(daemon.terminate().code, Some(0));
    assert_eq!(folder.users("bulkd.db"), 5_500);
    // Where there is nothing, nothing is asked.
    fs::remove_file(folder.path("bulkd.db")).unwrap();
    succeeds(&mut folder.restore("copy.db", &[]));
    let daemon = folder.daemon();
    assert_complete(&daemon.customer("acme"), &half, 5_500);
    daemon.terminate();
}

#[test]
fn what_is_no_backup_is_not_restored() {
    let folder = Folder::new();
    let daemon = folder.daemon();
    heavy_job(&daemon.customer("acme"), 100);
    daemon.terminate();
    let whole = fs::read(folder.path("bulkd.db")).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 40_000].fill(0x5a);
    let mut newer = whole.clone();
    newer[60..64].copy_from_slice(&99u32.to_be_bytes());
    let mut foreign = whole.clone();
    foreign[68..72].fill(0);
    let cases: [(&[u8], &str); 6] = [
        (b"", "cannot be"),
        (b"text", "is not a bulkd database"),
        (&damaged, "is not sound"),
        (&whole[..middle], "cannot be copied"),
        (&newer, "was written by a newer bulkd"),
        (&foreign, "but not one of bulkd's"),
    ];
    for (bytes, why) in cases {
        fs::write(folder.path("bad.db"), bytes).unwrap();
        let ended = Binary::spawn(&mut folder.restore("bad.db", &["--force"])).wait();
        assert!(why == "cannot be" || why == "cannot be copied" || ended.refusal().contains(why), "{ended:?}");
        ended.refusal();
        assert_eq!(fs::read(folder.path("bulkd.db")).unwrap(), whole, "{why}");
        assert_eq!(folder.names(), ["bad.db", "bulkd.db"].map(str::to_owned).into(), "{why}");
    }
    refuses(&mut folder.restore("bulkd.db", &["--force"]), "expected a backup");
    refuses(&mut folder.restore("none.db", &["--force"]), "there is no file");
}

#[test]
fn a_file_that_cannot_be_read_any_more_is_kept_and_replaced() {
    let folder = Folder::new();
    let daemon = folder.daemon();
    heavy_job(&daemon.customer("acme"), 100);
    succeeds(&mut folder.backup("copy.db", &[]));
    daemon.kill();
    let garbage = vec![0x5a; 50_000];
    fs::write(folder.path("bulkd.db"), &garbage).unwrap();
    succeeds(&mut folder.restore("copy.db", &["--force"]));
    assert_eq!(fs::read(folder.path("bulkd.db-replaced-1")).unwrap(), garbage);
    // The log, too: it may still be of use.
    assert!(folder.path("bulkd.db-replaced-1-wal").exists());
    assert_eq!(folder.users("bulkd.db"), 100);
    let daemon = folder.daemon();
    assert_eq!(daemon.terminate().code, Some(0));
    // A log that has lost its database would be read together with the one that is put there.
    fs::rename(folder.path("bulkd.db-replaced-1-wal"), folder.path("bulkd.db-wal")).unwrap();
    fs::remove_file(folder.path("bulkd.db")).unwrap();
    refuses(&mut folder.restore("copy.db", &[]), "bulkd.db-wal; --force keeps it");
    succeeds(&mut folder.restore("copy.db", &["--force"]));
    assert!(folder.path("bulkd.db-replaced-2-wal").exists() && !folder.path("bulkd.db-wal").exists());
    assert_eq!(folder.users("bulkd.db"), 100);
}

/// Whenever the restore ends, either the old name or the one under which it is kept has the old file with its log.
#[test]
fn a_file_that_cannot_be_read_is_kept_with_its_log_whenever_its_restore_ends() {
    for point in ["kept", "kept:2"] {
        let folder = Folder::new();
        let daemon = folder.daemon();
        heavy_job(&daemon.customer("acme"), 100);
        succeeds(&mut folder.backup("copy.db", &[]));
        daemon.kill();
        let garbage = vec![0x5a; 50_000];
        fs::write(folder.path("bulkd.db"), &garbage).unwrap();
        let log = fs::read(folder.path("bulkd.db-wal")).unwrap();
        let restore = Binary::spawn(folder.restore("copy.db", &["--force"]).env("BULKD_STOP_AT", point));
        wait_until("the restore is stopped", || restore.is_stopped());
        restore.kill();
        let has_both = |name: &str| {
            let found = fs::read(folder.path(name)).ok().zip(fs::read(folder.path(&format!("{name}-wal"))).ok());
            found == Some((garbage.clone(), log.clone()))
        };
        assert_eq!((has_both("bulkd.db"), has_both("bulkd.db-replaced-1")), (point == "kept", true), "{point}");
        succeeds(&mut folder.restore("copy.db", &["--force"]));
        assert!(has_both("bulkd.db-replaced-1"), "{point}");
        let names = ["bulkd.db", "bulkd.db-replaced-1", "bulkd.db-replaced-1-wal", "copy.db"];
        assert_eq!(folder.names(), names.map(str::to_owned).into(), "{point}");
        assert_eq!(folder.users("bulkd.db"), 100);
    }
}

/// As far as a test can tell: another owner needs root.
#[test]
fn a_file_that_replaces_another_has_its_owner_and_mode() {
    use std::os::unix::fs::{MetadataExt, chown};
    use std::os::unix::process::CommandExt;

    let folder = Folder::new();
    let (daemon, database) = (folder.daemon(), folder.path("bulkd.db"));
    heavy_job(&daemon.customer("acme"), 10);
    succeeds(&mut folder.backup("copy.db", &[]));
    daemon.terminate();
    let is_root = chown(&database, Some(4242), Some(4343)).is_ok();
    fs::set_permissions(&database, fs::Permissions::from_mode(0o640)).unwrap();
    let whose = || {
        let metadata = fs::metadata(&database).unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
    };
    let before = whose();
    assert_eq!(before.2, 0o640);
    succeeds(&mut bulkd(&["compact", &folder.text("bulkd.db")]));
    assert_eq!(whose(), before);
    succeeds(&mut folder.restore("copy.db", &["--force"]));
    assert_eq!(whose(), before);
    // A backup is its maker's alone, also in place of another file.
    fs::copy(&database, folder.path("other.db")).unwrap();
    fs::set_permissions(folder.path("other.db"), fs::Permissions::from_mode(0o644)).unwrap();
    succeeds(&mut folder.backup("other.db", &["--force"]));
    assert_eq!(fs::metadata(folder.path("other.db")).unwrap().mode() & 0o777, 0o600);
    if !is_root {
        return;
    }
    // Another user, who may write both the folder and the file, cannot give it back to its owner: nothing is changed.
    for path in [folder.0.path().to_owned(), database.clone(), folder.path("copy.db")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let whole = fs::read(&database).unwrap();
    for mut command in [bulkd(&["compact", &folder.text("bulkd.db")]), folder.restore("copy.db", &["--force"])] {
        // Not where that user cannot run the binary.
        if std::process::Command::new(env!("CARGO_BIN_EXE_bulkd")).arg("--version").uid(4545).output().is_ok() {
            refuses(command.uid(4545), "belongs to user 4242 and group 4343");
        }
        assert_eq!((whose(), fs::read(&database).unwrap() == whole), ((4242, 4343, 0o777), true));
    }
}

/// As long as Litestream does not run, the log grows.
#[test]
fn with_litestream_the_log_is_copied_by_the_last_to_leave_alone() {
    let folder = Folder::new();
    let daemon = Binary::start_by(&mut folder.serve(&["--litestream"]));
    let customer = daemon.customer("acme");
    let length = |name: &str| fs::metadata(folder.path(name)).unwrap().len();
    customer.create(newsletter());
    let before = length("bulkd.db");
    // Enough for the log to be copied by itself, and to be started over.
    heavy_job(&customer, 16_000);
    assert_eq!(length("bulkd.db"), before);
    assert!(length("bulkd.db-wal") > 64 << 20);
    daemon.terminate();
    assert_eq!(folder.names(), ["bulkd.db".to_owned()].into());
    assert_eq!(folder.users("bulkd.db"), 16_000);
}

#[test]
fn a_file_of_an_older_version_is_copied_restored_and_then_brought_up_to_date() {
    let folder = Folder::new();
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/version-3.db");
    fs::copy(old, folder.path("bulkd.db")).unwrap();
    let told = succeeds(&mut folder.backup("copy.db", &[])).stdout;
    assert!(told.contains("older version"), "{told}");
    folder.daemon().terminate();
    let told = succeeds(&mut folder.restore("copy.db", &["--force"])).stdout;
    assert!(told.contains("older version"), "{told}");
    folder.daemon().terminate();
    check(&folder.path("bulkd.db"));
    check(&folder.path("bulkd.db-replaced-1"));
}

/// Nothing is left under the name that it was to have, and the next one is made all the same.
#[test]
pub fn a_backup_that_was_cut_off_leaves_no_half_of_one() {
    for point in ["copy", "copy:3", "copied", "placed"] {
        let is_there = point == "placed";
        let folder = Folder::new();
        let daemon = folder.with_backups();
        let job_id = heavy_job(&daemon.customer("acme"), 2_000);
        ends_at(point, &mut folder.backup("copy.db", &[]));
        assert_eq!(folder.path("copy.db").exists(), is_there, "{point}");
        assert_eq!(folder.path("copy.db-partial").exists(), !is_there, "{point}");
        if is_there {
            assert_eq!(folder.users("copy.db"), 2_000);
            fs::remove_file(folder.path("copy.db")).unwrap();
        }
        // The next takes its place, whichever makes it.
        if point == "copy" {
            daemon.customer("acme").post("/_bulkd/backup", &json!({ "file": "copy.db" })).ok(201);
        } else {
            succeeds(&mut folder.backup("copy.db", &[]));
        }
        assert_eq!(folder.users("copy.db"), 2_000);
        assert!(!folder.path("copy.db-partial").exists(), "{point}");
        assert_eq!(daemon.customer("acme").run_to_the_end(&job_id)["enqueued"], 2_000);
        daemon.terminate();

        // And if the daemon itself ends in the middle of one.
        fs::remove_file(folder.path("copy.db")).unwrap();
        let more = ["--backup-dir", folder.0.path().to_str().unwrap()];
        let doomed = Binary::spawn(folder.serve(&more).env("BULKD_CRASH_AT", point));
        let file = json!({ "file": "copy.db" }).to_string();
        assert!(doomed.customer("acme").try_send("POST", "/_bulkd/backup", Some(&file)).is_err());
        assert_eq!(doomed.wait().signal, Some(SIGABRT), "{point}");
        assert_eq!(folder.path("copy.db").exists(), is_there, "{point}");
        let daemon = folder.with_backups();
        assert_complete(&daemon.customer("acme"), &job_id, 2_000);
        let reply = daemon.customer("acme").post("/_bulkd/backup", &json!({ "file": "copy.db" }));
        assert_eq!(reply.status, if is_there { 409 } else { 201 }, "{reply:?}");
        daemon.terminate();
        assert_eq!(folder.names(), ["bulkd.db", "copy.db"].map(str::to_owned).into(), "{point}");
        assert_eq!(folder.users("copy.db"), 2_000);
    }
}

/// And it can be repeated.
#[test]
pub fn a_restore_that_was_cut_off_leaves_the_old_file_or_the_new_one() {
    for (point, killed) in
        ["copy", "copied", "kept", "kept:2", "placed"].into_iter().flat_map(|point| [(point, false), (point, true)])
    {
        let folder = Folder::new();
        let daemon = folder.daemon();
        let old = heavy_job(&daemon.customer("acme"), 1_000);
        succeeds(&mut folder.backup("copy.db", &[]));
        let new = heavy_job(&daemon.customer("acme"), 1_000);
        // With a log that has what the database has not, and without.
        if killed {
            daemon.kill();
        } else {
            daemon.terminate();
        }
        ends_at(point, &mut folder.restore("copy.db", &["--force"]));
        let is_new = point == "placed";
        let daemon = folder.daemon();
        let customer = daemon.customer("acme");
        assert_eq!(customer.job(&old)["received"], 1_000);
        let reply = customer.get(&format!("/bulk/{new}"));
        assert_eq!(reply.status, if is_new { 404 } else { 200 }, "{point}: {reply:?}");
        assert!(!daemon.stderr().contains("is missing"), "{point}: {}", daemon.stderr());
        daemon.terminate();
        assert_eq!(folder.users("bulkd.db"), if is_new { 1_000 } else { 2_000 });
        let told = succeeds(&mut folder.restore("copy.db", &["--force"])).stdout;
        assert!(told.contains(if is_new { "-replaced-2" } else { "-replaced-1" }), "{point}: {told}");
        assert_eq!(folder.users("bulkd.db"), 1_000);
        assert_eq!(folder.users("bulkd.db-replaced-1"), 2_000);
        assert!(!folder.path("bulkd.db-partial").exists());
    }
}

#[test]
fn what_is_told_of_a_message_after_a_restore_is_not_taken_for_what_was_told_before() {
    let folder = Folder::new();
    // No server listens: the events stay in their queue.
    let (_silent, nobody) = unheard();
    let daemon = || Binary::start_by(&mut folder.serve(&["--webhook", &format!("http://{nobody}/")]));
    let canceled = |customer: &Customer, message_id: &str| {
        customer.post(&format!("/messages/{message_id}/cancel"), &json!({})).ok(200);
        let file = rusqlite::Connection::open(folder.path("bulkd.db")).unwrap();
        let mut found = Vec::new();
        wait_until("the event is queued", || {
            let mut list = file.prepare("SELECT event_id FROM webhook_events").unwrap();
            found = list.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap();
            // Behind the message's id, those of what happened to it later.
            found.retain(|event_id| event_id.split('-').nth(3).unwrap().starts_with('e'));
            !found.is_empty()
        });
        found
    };
    let first = daemon();
    let customer = first.customer("acme");
    let message = json!({ "to": { "user_id": "ada" }, "content": { "title": "Hi", "body": "" }, "delay": { "duration": 3_600_000 } });
    let message_id =
        customer.post("/send", &json!({ "message": message })).ok(202)["requestId"].as_str().unwrap().to_owned();
    let waits = customer.get(&format!("/messages/{message_id}"));
    let message_id = match waits.status {
        200 => message_id,
        _ => customer.outbox(&message_id)[0]["message_id"].as_str().unwrap().to_owned(),
    };
    let known = customer.create(newsletter());
    succeeds(&mut folder.backup("copy.db", &[]));
    let later = customer.create(newsletter());
    let before = canceled(&customer, &message_id);
    first.terminate();
    succeeds(&mut folder.restore("copy.db", &["--force"]));
    // Ids from before the backup mean what they meant; those of jobs from after it mean nothing any more.
    let second = daemon();
    let customer = second.customer("acme");
    assert_eq!(customer.job(&known)["status"], "CREATED");
    customer.get(&format!("/bulk/{later}")).refused(404);
    // The same row again, and another event.
    assert_eq!(customer.get(&format!("/messages/{message_id}")).ok(200)["status"], "DELAYED");
    assert_ne!(canceled(&customer, &message_id), before);
    second.terminate();
}

/// What Litestream and its like do from outside, as another process: a read transaction that is held for long, so that
/// the log is not started over unseen, checkpoints of their own, and a table of their own that they write.
#[test]
fn a_program_that_copies_the_log_from_outside_holds_up_nothing() {
    let folder = Folder::new();
    let daemon = folder.daemon();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let other = rusqlite::Connection::open(folder.path("bulkd.db")).unwrap();
    other.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    other.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    let write = rusqlite::Connection::open(folder.path("bulkd.db")).unwrap();
    write.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    write.execute_batch("CREATE TABLE IF NOT EXISTS _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)").unwrap();
    let mut received = 0;
    for (round, mode) in ["PASSIVE", "PASSIVE", "RESTART", "TRUNCATE"].into_iter().cycle().take(12).enumerate() {
        other.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
        for _ in 0..5 {
            customer.ingest(&job_id, heavy(received, 200));
            received += 200;
        }
        other.execute_batch("COMMIT").unwrap();
        write.execute("INSERT OR REPLACE INTO _litestream_seq VALUES (1, ?1)", [round]).unwrap();
        let _: i64 = other.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(0)).unwrap();
    }
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], received);
    let left_alone: i64 = other.query_row("SELECT seq FROM _litestream_seq", [], |row| row.get(0)).unwrap();
    assert_eq!(left_alone, 11);
    // Its connections are open at the end of the daemon, and when the next one begins.
    let ended = daemon.terminate();
    assert!(!ended.stderr.contains("ERROR"), "{ended:?}");
    let daemon = folder.daemon();
    assert!(!daemon.stderr().contains("did not end cleanly"), "{}", daemon.stderr());
    assert_eq!(daemon.customer("acme").job(&job_id)["enqueued"], received);
    drop((other, write));
    daemon.terminate();
    assert_eq!(folder.users("bulkd.db"), received);
    assert_eq!(folder.names(), ["bulkd.db".to_owned()].into());
}
