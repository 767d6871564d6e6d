//! What is done to the database file under a running daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::binary::{Binary, bulkd};
use crate::support::{Customer, json, newsletter, readers};

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
