//! What is done to the database file under a running daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::binary::{Binary, bulkd};
use crate::support::{Customer, json, newsletter, readers, wait_until};

fn serve(database: &Path) -> Binary {
    Binary::start(&["--listen", ":0", "--db", database.to_str().unwrap()])
}

/// What a change is refused with.
fn missing(customer: &Customer) -> String {
    let reply = customer.post("/bulk", &json!({ "message": newsletter() }));
    assert_eq!(reply.status, 503, "{reply:?}");
    reply.text
}

#[test]
fn a_second_daemon_is_refused_by_whatever_name_it_knows_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (database, link) = (folder.path().join("bulkd.db"), folder.path().join("link.db"));
    let daemon = serve(&database);
    let job_id = daemon.customer("acme").create(newsletter());
    fs::hard_link(&database, &link).unwrap();
    let second = |database: &Path| {
        let args = ["--listen", ":0", "--db", database.to_str().unwrap()];
        let ended = Binary::spawn(bulkd(&args).stderr(std::process::Stdio::piped())).wait();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("is in use by another bulkd"), "{ended:?}");
    };
    second(&link);
    second(&database);
    fs::remove_file(folder.path().join("bulkd.db-lock")).unwrap();
    second(&database);
    assert_eq!(daemon.customer("acme").job(&job_id)["status"], "CREATED");
    assert_eq!(daemon.terminate().code, Some(0));
    assert_eq!(serve(&database).customer("acme").job(&job_id)["status"], "CREATED");
}

#[test]
fn a_file_that_is_moved_away_is_missed_at_once_and_served_again_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (database, away) = (folder.path().join("bulkd.db"), folder.path().join("away.db"));
    let daemon = serve(&database);
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 10));
    let create = json!({ "message": newsletter() });
    fs::rename(&database, &away).unwrap();
    for _ in 0..20 {
        assert!(missing(&customer).contains("was deleted or moved away"));
    }
    fs::write(&database, "something else").unwrap();
    assert!(missing(&customer).contains("another file has the name"));
    fs::rename(&away, &database).unwrap();
    customer.post("/bulk", &create).ok(201);
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 10);
    let ended = daemon.terminate();
    // A line for each of the two states, from the writer and for requests, and not one for each request.
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.matches("was deleted or moved away").count() <= 4, "{ended:?}");
    assert_eq!(serve(&database).customer("acme").job(&job_id)["status"], "COMPLETED");
}

#[test]
fn a_file_that_is_gone_for_good_is_told_by_every_answer_and_by_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    type Fault<'a> = (&'a str, &'a dyn Fn());
    let log = folder.path().join("bulkd.db-wal");
    let faults: [Fault<'_>; 4] = [
        ("was deleted or moved away", &|| fs::remove_file(&database).unwrap()),
        ("was cut off", &|| fs::write(&database, "").unwrap()),
        ("was written over", &|| {
            let length = fs::metadata(&database).unwrap().len() as usize;
            fs::write(&database, vec![b'x'; length]).unwrap();
        }),
        ("write-ahead log was deleted", &|| fs::remove_file(&log).unwrap()),
    ];
    for (told, fault) in faults {
        for name in ["bulkd.db", "bulkd.db-wal", "bulkd.db-shm"] {
            let _ = fs::remove_file(folder.path().join(name));
        }
        let daemon = serve(&database);
        let customer = daemon.customer("acme");
        customer.create(newsletter());
        fault();
        for _ in 0..3 {
            assert!(missing(&customer).contains(told), "{told}");
        }
        customer.get("/_bulkd/health").ok(200);
        daemon.signal("TERM");
        let ended = daemon.wait();
        assert_eq!(ended.code, Some(1), "{told}: {ended:?}");
        assert!(ended.stderr.contains(told) && !ended.stderr.contains("panicked"), "{told}: {ended:?}");
    }
}

#[test]
fn files_are_for_their_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let daemon = serve(&database);
    daemon.customer("acme").create(newsletter());
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
    daemon.terminate();
}

#[test]
fn folders_that_are_thrown_away_are_for_their_user_alone() {
    let temporary = tempfile::tempdir().unwrap();
    for args in [&["--listen", ":0", "--ephemeral"][..], &["demo", "--listen", "127.0.0.1:0"]] {
        let daemon = Binary::start_by(bulkd(args).env("TMPDIR", temporary.path()));
        daemon.first_line();
        let made: Vec<_> = fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(made.len(), 1, "{made:?}");
        assert_eq!(made[0].metadata().unwrap().permissions().mode() & 0o777, 0o700);
        for file in fs::read_dir(made[0].path()).unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
        }
        daemon.terminate();
    }
}

#[test]
fn a_file_that_a_shell_has_made_smaller_is_still_whole() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let daemon = serve(&database);
    let customer = daemon.customer("acme");
    customer.create(newsletter());
    let shell = rusqlite::Connection::open(&database).unwrap();
    let run = |sql: &str| shell.execute_batch(sql).unwrap();
    run("CREATE TABLE large AS SELECT randomblob(8000000) AS bytes; PRAGMA wal_checkpoint(TRUNCATE)");
    let large = fs::metadata(&database).unwrap().len();
    customer.create(newsletter());
    run("DROP TABLE large; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    assert!(fs::metadata(&database).unwrap().len() < large / 2);
    let job_id = customer.create(newsletter());
    drop(shell);
    assert_eq!(daemon.terminate().code, Some(0));
    assert_eq!(serve(&database).customer("acme").job(&job_id)["status"], "CREATED");
}

#[test]
fn a_lock_that_is_a_symbolic_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (database, target) = (folder.path().join("bulkd.db"), folder.path().join("target"));
    std::os::unix::fs::symlink(&target, folder.path().join("bulkd.db-lock")).unwrap();
    let ended = Binary::spawn(&mut bulkd(&["--listen", ":0", "--db", database.to_str().unwrap()])).wait();
    assert!(ended.refusal().contains("bulkd.db-lock cannot be written"), "{ended:?}");
    assert!(ended.refusal().ends_with("(it is a symbolic link)"), "{ended:?}");
    assert!(!target.exists() && !database.exists());
}

#[test]
fn a_file_that_is_there_keeps_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    serve(&database).terminate();
    fs::set_permissions(&database, fs::Permissions::from_mode(0o640)).unwrap();
    let daemon = serve(&database);
    daemon.customer("acme").create(newsletter());
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    // Whoever may read the database may read its log.
    let modes = ["bulkd.db", "bulkd.db-wal", "bulkd.db-shm", "bulkd.db-lock"].map(mode);
    assert_eq!(modes, [0o640, 0o640, 0o640, 0o600], "{modes:?}");
    daemon.terminate();
    assert_eq!(mode("bulkd.db"), 0o640);
}

/// Whether any file in the folder holds this text.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_token_that_is_deleted_is_not_in_the_file_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = serve(&folder.path().join("bulkd.db"));
    let customer = daemon.customer("acme");
    // Many fill pages that are freed as a whole; the data of one fills pages of its own.
    let path = |number: usize| format!("/users/ada/tokens/device-to-forget-{number}");
    for number in 0..400 {
        let secret = format!("data-to-forget {}", "x".repeat(if number == 0 { 40_000 } else { 10 }));
        let token = json!({ "provider_key": "expo", "properties": { "secret": secret } });
        customer.put(&path(number), &token).done();
    }
    customer.put("/users/ada/tokens/device-to-keep", &json!({ "provider_key": "expo" })).done();
    for number in 0..400 {
        customer.send("DELETE", &path(number), None).done();
    }
    daemon.terminate();
    assert!(holds(folder.path(), "device-to-keep"));
    assert!(!holds(folder.path(), "to-forget"));
}

/// What the daemon says at a start; it is stopped again.
#[track_caller]
fn told_at_start(database: &Path, what: &str) -> String {
    let daemon = serve(database);
    daemon.logs(what);
    let ended = daemon.terminate();
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    ended.stderr
}

#[test]
fn a_start_says_what_an_end_that_was_not_clean_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let killed = |users: usize| {
        let daemon = serve(&database);
        let customer = daemon.customer("acme");
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, users));
        daemon.kill();
        job_id
    };
    let kept = killed(100);
    let told = told_at_start(&database, "the last run did not end cleanly");
    let (_, rest) = told.split_once("the last run did not end cleanly; ").unwrap();
    assert!(rest.split_once(" pages (").unwrap().0.parse::<usize>().unwrap() > 3, "{told}");
    assert!(rest.contains(" of its log were taken over") && !told.contains("ERROR"), "{told}");
    // That is told once, and after a clean end nothing is.
    let ended = serve(&database).terminate();
    assert!(!ended.stderr.contains("the last run"), "{ended:?}");

    let lost = killed(100);
    fs::remove_file(folder.path().join("bulkd.db-wal")).unwrap();
    let told = told_at_start(&database, "bulkd.db-wal is missing: changes that were acknowledged may be lost");
    assert!(told.contains("ERROR"), "{told}");
    let daemon = serve(&database);
    assert_eq!(daemon.customer("acme").job(&kept)["received"], 100);
    daemon.customer("acme").get(&format!("/bulk/{lost}")).refused(404);
    daemon.terminate();

    // Nor is a new file in the place of one that was taken away made without a word, whether the daemon was killed or not.
    killed(1);
    fs::remove_file(&database).unwrap();
    told_at_start(&database, "bulkd.db is missing: what it held is lost, and a new file is made");
    let daemon = serve(&database);
    daemon.customer("acme").create(newsletter());
    for name in ["bulkd.db", "bulkd.db-wal", "bulkd.db-shm"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code, Some(1));
    told_at_start(&database, "bulkd.db is missing: what it held is lost, and a new file is made");
    let ended = serve(&database).terminate();
    assert!(!ended.stderr.contains("the last run"), "{ended:?}");
}

#[test]
fn a_file_that_does_not_hold_together_after_a_kill_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let daemon = serve(&database);
    let job_id = daemon.customer("acme").create(newsletter());
    daemon.customer("acme").ingest(&job_id, readers(0, 5_000));
    daemon.terminate();
    let whole = fs::read(&database).unwrap();
    let kill = || {
        let daemon = serve(&database);
        daemon.customer("acme").create(newsletter());
        daemon.kill();
    };
    // The end is cut off, and pages in the middle are written over.
    kill();
    fs::write(&database, &whole[..whole.len() / 2]).unwrap();
    let told = told_at_start(&database, "does not hold together");
    assert!(told.contains("pages are missing; `bulkd check "), "{told}");
    for name in ["bulkd.db", "bulkd.db-wal", "bulkd.db-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
    }
    fs::write(&database, &whole).unwrap();
    kill();
    let mut damaged = fs::read(&database).unwrap();
    let middle = damaged.len() / 8192 / 2 * 8192;
    damaged[middle..middle + 8 * 8192].fill(0x5a);
    fs::write(&database, &damaged).unwrap();
    let told = told_at_start(&database, "does not hold together");
    assert!(told.contains("ERROR") && told.contains("bulkd.db` shows where"), "{told}");
    // A file that is whole is not told of.
    for name in ["bulkd.db", "bulkd.db-wal", "bulkd.db-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
    }
    fs::write(&database, &whole).unwrap();
    kill();
    let daemon = serve(&database);
    assert_eq!(daemon.customer("acme").run_to_the_end(&job_id)["enqueued"], 5_000);
    let ended = daemon.terminate();
    assert!(ended.stderr.contains("the last run did not end cleanly"), "{ended:?}");
    assert!(!ended.stderr.contains("does not hold together"), "{ended:?}");
}

#[test]
fn a_file_that_is_taken_away_between_the_look_and_the_commit_acknowledges_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (database, away) = (folder.path().join("bulkd.db"), folder.path().join("away.db"));
    serve(&database).terminate();
    for point in ["before-commit", "after-commit"] {
        let mut command = bulkd(&["--listen", ":0", "--db", database.to_str().unwrap()]);
        let daemon = Binary::start_by(command.env("BULKD_STOP_AT", format!("{point}:2")));
        let customer = daemon.customer("acme");
        let job_id = customer.create(newsletter());
        let reply = std::thread::scope(|scope| {
            let asked = scope.spawn(|| customer.post(&format!("/bulk/{job_id}"), &json!({ "users": readers(0, 5) })));
            wait_until("the daemon is stopped", || daemon.is_stopped());
            fs::rename(&database, &away).unwrap();
            daemon.signal("CONT");
            asked.join().unwrap()
        });
        assert_eq!(reply.status, 503, "{point}: {reply:?}");
        assert!(reply.text.contains("was deleted or moved away"), "{point}: {reply:?}");
        fs::rename(&away, &database).unwrap();
        // It was not promised, and it was not lost: the same users are there already.
        let again = customer.ingest(&job_id, readers(0, 5));
        assert_eq!((&again["total"], again["errors"].as_array().unwrap().len()), (&json!(0), 5), "{point}");
        assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 5);
        daemon.terminate();
    }
}
