//! What is done to the database file under a running daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::binary::{Binary, bulkd, check};
use crate::support::{Customer, json, newsletter, readers, seed, setting, sized, wait_until};

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
        // The last copy of the log would bring it back to its length, with holes.
        let length = fs::metadata(&database).map_or(0, |metadata| metadata.len());
        assert!(told != "was cut off" || length == 0, "{length}");
        assert!(ended.stderr.contains(told) && !ended.stderr.contains("panicked"), "{told}: {ended:?}");
    }
}

/// A sound database of another daemon, with so many users.
fn another(folder: &Path, name: &str, users: usize) -> std::path::PathBuf {
    let database = folder.join(name);
    let daemon = serve(&database);
    let job_id = daemon.customer("acme").create(newsletter());
    daemon.customer("acme").ingest(&job_id, readers(0, users));
    daemon.terminate();
    database
}

#[test]
fn a_sound_file_that_is_copied_over_is_noticed_and_left_as_it_was_copied() {
    let folder = tempfile::tempdir().unwrap();
    let (small, large) = (another(folder.path(), "small.db", 1), another(folder.path(), "large.db", 6_000));
    let (database, backup) = (folder.path().join("bulkd.db"), folder.path().join("backup.db"));
    for (other, is_log_copied) in [(&small, false), (&small, true), (&large, false), (&large, true), (&backup, true)] {
        let aside = folder.path().join("bulkd.db-wal-aside");
        let _ = (fs::remove_file(&database), fs::remove_file(&aside));
        let daemon = serve(&database);
        let customer = daemon.customer("acme");
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, 3_000));
        if other == &backup {
            let _ = fs::remove_file(&backup);
            let args = ["backup", "--db", database.to_str().unwrap(), backup.to_str().unwrap()];
            assert_eq!(Binary::spawn(&mut bulkd(&args)).wait().code, Some(0));
        }
        if is_log_copied {
            // By another program. That is no fault.
            let shell = rusqlite::Connection::open(&database).unwrap();
            shell.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
            customer.create(newsletter());
        }
        fs::copy(other, &database).unwrap();
        for _ in 0..3 {
            assert!(missing(&customer).contains("was written over"), "{other:?}");
        }
        daemon.signal("TERM");
        let ended = daemon.wait();
        assert_eq!(ended.code, Some(1), "{other:?}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{other:?}: {ended:?}");
        assert!(fs::read(other).unwrap() == fs::read(&database).unwrap(), "{other:?} was written to");
        // What was in the log is of the file that is gone, and does not get into this one.
        assert!(aside.exists(), "{ended:?}");
        let daemon = serve(&database);
        daemon.customer("acme").create(newsletter());
        daemon.terminate();
        check(&database);
    }
}

#[test]
fn a_sound_file_that_is_copied_over_while_the_log_is_copied_is_noticed() {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().unwrap();
    let (other, database) = (another(folder.path(), "other.db", 6_000), folder.path().join("bulkd.db"));
    let daemon = serve(&database);
    let customer = daemon.customer("acme");
    let create = || customer.create(newsletter());
    // Its tag comes into the database with the first copy.
    create();
    let shell = rusqlite::Connection::open(&database).unwrap();
    shell.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    create();
    // What SQLite notes in its shared memory before it copies: how many frames are to be copied, of which none is yet.
    // Source: "The WAL-Index File Format".
    let shared = fs::File::options().write(true).open(folder.path().join("bulkd.db-shm")).unwrap();
    shared.write_all_at(&1_000_000_u32.to_ne_bytes(), 128).unwrap();
    fs::copy(&other, &database).unwrap();
    for _ in 0..3 {
        assert!(missing(&customer).contains("was written over"));
    }
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code, Some(1));
    assert!(fs::read(other).unwrap() == fs::read(&database).unwrap(), "it was written to");
}

/// On the file systems that say at once when a file was written.
#[test]
#[cfg(target_os = "linux")]
fn a_mere_touch_is_taken_for_writing_over() {
    let folder = tempfile::tempdir().unwrap();
    let kind = std::process::Command::new("stat").args(["-f", "-c", "%T"]).arg(folder.path()).output().unwrap();
    let kind = String::from_utf8(kind.stdout).unwrap();
    if !["btrfs", "ext2/ext3", "overlayfs", "tmpfs", "xfs"].contains(&kind.trim()) {
        return println!("not tested: a file system of the kind {kind}");
    }
    let database = folder.path().join("bulkd.db");
    let daemon = serve(&database);
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    fs::File::options().write(true).open(&database).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert!(missing(&customer).contains("was written over"));
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code, Some(1));
    // What was acknowledged is in the log that was set aside.
    fs::rename(folder.path().join("bulkd.db-wal-aside"), folder.path().join("bulkd.db-wal")).unwrap();
    assert_eq!(serve(&database).customer("acme").job(&job_id)["status"], "CREATED");
}

#[test]
fn what_other_programs_copy_from_the_log_under_load_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let daemon = serve(&database);
    let stop = AtomicBool::new(false);
    let calls = sized(15, 150);
    std::thread::scope(|scope| {
        // With another program's connection and by the daemon itself, whose log is long enough for copies of its own.
        let copies = scope.spawn(|| {
            let shell = rusqlite::Connection::open(&database).unwrap();
            let modes = ["PASSIVE", "FULL", "RESTART", "TRUNCATE", "PASSIVE"];
            let copy = |mode: &&&str| {
                let sql = format!("PRAGMA wal_checkpoint({mode})");
                let copied = shell.query_row(&sql, [], |row| row.get::<_, i64>(2));
                copied.is_ok_and(|frames| frames > 0)
            };
            modes.iter().cycle().take_while(|_| !stop.load(Ordering::SeqCst)).filter(copy).count()
        });
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let customer = daemon.customer(&format!("acme-{client}"));
                scope.spawn(move || {
                    let job_id = customer.create(newsletter());
                    for call in 0..calls {
                        let users = json!({ "users": readers(call * 500, 500) });
                        wait_until("the call is taken", || {
                            let reply = customer.post(&format!("/bulk/{job_id}"), &users);
                            // To wait for another program's lock may take too long.
                            let is_fault = reply.text.contains("written over") || reply.text.contains("cut off");
                            assert!(!is_fault, "{reply:?}");
                            reply.status == 200
                        });
                    }
                    assert_eq!(customer.job(&job_id)["received"], calls * 500);
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        stop.store(true, Ordering::SeqCst);
        assert!(copies.join().unwrap() > 3);
    });
    daemon.terminate();
    check(&database);
}

#[test]
fn a_log_that_is_emptied_is_noticed_and_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let (database, log) = (folder.path().join("bulkd.db"), folder.path().join("bulkd.db-wal"));
    let daemon = serve(&database);
    let customer = daemon.customer("acme");
    // One that another program has emptied in the right way is no fault.
    let shell = rusqlite::Connection::open(&database).unwrap();
    customer.create(newsletter());
    shell.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    customer.create(newsletter());
    drop(shell);
    fs::write(&log, "").unwrap();
    for _ in 0..3 {
        assert!(missing(&customer).contains("write-ahead log was emptied"));
    }
    let before = fs::read(&database).unwrap();
    daemon.signal("TERM");
    let ended = daemon.wait();
    assert!(ended.code == Some(1) && !ended.stderr.contains("panicked"), "{ended:?}");
    assert!(before == fs::read(&database).unwrap());
    check(&database);
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
    // A user that may read the database may read its log.
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

/// All that stood beside a database is removed, as by `rm bulkd.db-*`.
fn remove_what_is_beside(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains(".db-") {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_file_whose_log_was_removed_together_with_its_lock_is_told_of() {
    const TOLD: &str = "bulkd.db-wal is missing: changes that were acknowledged may be lost";
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let args = ["--listen", ":0", "--db", database.to_str().unwrap()];
    let ways = [vec![], vec!["--durability", "fast"], vec!["--litestream"]];
    for (round, more) in ways.into_iter().enumerate() {
        let args = [&args[..], &more].concat();
        let daemon = Binary::start(&args);
        let lost = daemon.customer("acme").create(newsletter());
        daemon.kill();
        remove_what_is_beside(folder.path());
        let daemon = Binary::start(&args);
        daemon.logs(TOLD);
        assert!(daemon.stderr().contains("ERROR") && daemon.stderr().contains("was served when it was last written"));
        // It is served all the same.
        daemon.customer("acme").get(&format!("/bulk/{lost}")).refused(404);
        let kept = daemon.customer("acme").create(newsletter());
        daemon.terminate();
        // It was told once. What another program has open at a stop is whole when that has closed it.
        let daemon = Binary::start(&args);
        assert_eq!(daemon.customer("acme").job(&kept)["status"], "CREATED", "{round}");
        let shell = rusqlite::Connection::open(&database).unwrap();
        shell.query_row("SELECT count(*) FROM jobs", [], |_| Ok(())).unwrap();
        let ended = daemon.terminate();
        assert!(!ended.stderr.contains("is missing"), "{round}: {ended:?}");
        shell.close().unwrap();
        let ended = Binary::start(&args).terminate();
        assert!(!ended.stderr.contains("is missing") && !ended.stderr.contains("did not end"), "{round}: {ended:?}");
    }
    // With its log and without its lock nothing is lost.
    let daemon = serve(&database);
    let kept = daemon.customer("acme").create(newsletter());
    daemon.kill();
    fs::remove_file(folder.path().join("bulkd.db-lock")).unwrap();
    let told = told_at_start(&database, "the last run did not end cleanly");
    assert!(told.contains(" of its log were taken over") && !told.contains("ERROR"), "{told}");
    assert_eq!(serve(&database).customer("acme").job(&kept)["status"], "CREATED");
}

#[test]
fn copies_that_need_no_log_are_not_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let database = path("bulkd.db");
    let run = |args: &[&str]| {
        let ended = Binary::spawn(&mut bulkd(args)).wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    let says_nothing = |name: &str| {
        let daemon = serve(&path(name));
        assert_eq!(daemon.customer("acme").get("/_bulkd/outbox").ok(200)["items"], json!([]));
        let ended = daemon.terminate();
        assert!(!ended.stderr.contains("is missing") && !ended.stderr.contains("did not end"), "{name}: {ended:?}");
    };
    let daemon = serve(&database);
    daemon.customer("acme").create(newsletter());
    run(&["backup", "--db", database.to_str().unwrap(), path("copy.db").to_str().unwrap()]);
    // A copy without its log that another program has made.
    fs::copy(&database, path("bad.db")).unwrap();
    daemon.kill();
    says_nothing("copy.db");
    told_at_start(&path("bad.db"), "bad.db-wal is missing: changes that were acknowledged may be lost");
    // What the log held is in the file then, and in what is kept of it.
    run(&["restore", "--force", "--db", database.to_str().unwrap(), path("copy.db").to_str().unwrap()]);
    says_nothing("bulkd.db");
    says_nothing("bulkd.db-replaced-1");
    let daemon = serve(&database);
    daemon.customer("acme").create(newsletter());
    daemon.kill();
    run(&["compact", database.to_str().unwrap()]);
    says_nothing("bulkd.db");
    // One that is made smaller without its log still lacks it.
    let daemon = serve(&database);
    daemon.customer("acme").create(newsletter());
    daemon.kill();
    remove_what_is_beside(folder.path());
    run(&["compact", database.to_str().unwrap()]);
    told_at_start(&database, "bulkd.db-wal is missing: changes that were acknowledged may be lost");
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

/// Notes what was acknowledged: users of jobs, by the number of the call that brought them.
#[derive(Default)]
struct Ledger(std::collections::BTreeMap<String, Vec<usize>>);

/// Users that one call brings.
const CALL_USERS: usize = 20;

/// Ingests until it is told to stop, or until nothing is taken any more: what was asked after `is_damaged` must not be.
fn keep_ingesting(customer: &Customer, stop: &AtomicBool, is_damaged: &AtomicBool) -> (Ledger, usize) {
    let (mut ledger, mut refused, mut job_id) = (Ledger::default(), 0, None);
    for call in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let was_damaged = is_damaged.load(Ordering::SeqCst);
        let reply = match &job_id {
            None => customer.post("/bulk", &json!({ "message": newsletter() })),
            Some(job_id) => {
                let first = call * CALL_USERS;
                let users = json!({ "users": readers(first, CALL_USERS) });
                customer.post(&format!("/bulk/{job_id}"), &users)
            }
        };
        if reply.status == 503 {
            refused += 1;
            continue;
        }
        assert!(!was_damaged, "acknowledged into a file that is damaged: {reply:?}");
        match job_id.take() {
            None => job_id = Some(reply.ok(201)["jobId"].as_str().unwrap().to_owned()),
            Some(known) => {
                assert_eq!(reply.ok(200)["errors"], json!([]));
                ledger.0.entry(known.clone()).or_default().push(call);
                job_id = (call % 50 != 0).then_some(known);
            }
        }
    }
    (ledger, refused)
}

/// One daemon, its file taken away and given back under load, and then written over, its log emptied, or neither.
fn fault_again_and_again(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (database, away) = (folder.path().join("bulkd.db"), folder.path().join("away.db"));
    let other = another(folder.path(), "other.db", 100);
    let mut random = StdRng::seed_from_u64(seed);
    let daemon = serve(&database);
    let customers: Vec<Customer> = (0..3).map(|n| daemon.customer(&format!("acme-{n}"))).collect();
    let probe = daemon.customer("probe");
    let (stop, is_damaged) = (AtomicBool::new(false), AtomicBool::new(false));
    let end = random.random_range(0..3);
    let outcomes: Vec<(Ledger, usize)> = std::thread::scope(|scope| {
        let clients = customers.iter().map(|customer| scope.spawn(|| keep_ingesting(customer, &stop, &is_damaged)));
        let clients: Vec<_> = clients.collect();
        let taken = |count: usize| {
            for _ in 0..count {
                let create = json!({ "message": newsletter() });
                wait_until("a change is taken", || probe.post("/bulk", &create).status == 201);
            }
        };
        for _ in 0..random.random_range(1..5) {
            taken(random.random_range(1..40));
            fs::rename(&database, &away).unwrap();
            if random.random() {
                missing(&probe);
            }
            if random.random() {
                fs::copy(&other, &database).unwrap();
            }
            fs::rename(&away, &database).unwrap();
        }
        taken(random.random_range(1..40));
        match end {
            0 => drop(fs::copy(&other, &database).unwrap()),
            1 => fs::write(folder.path().join("bulkd.db-wal"), "").unwrap(),
            _ => {}
        }
        if end < 2 {
            is_damaged.store(true, Ordering::SeqCst);
            (0..3).for_each(|_| drop(missing(&probe)));
        }
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    // A part of the log may have been on its way into the file while that was written over.
    let noticed = fs::read(&database).unwrap();
    daemon.signal("TERM");
    let ended = daemon.wait();
    assert_eq!(ended.code, Some(if end < 2 { 1 } else { 0 }), "{ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    if end < 2 {
        assert!(noticed == fs::read(&database).unwrap(), "the file was written to after it was noticed");
    }
    if end == 2 {
        check(&database);
        let daemon = serve(&database);
        for (number, (ledger, _)) in outcomes.iter().enumerate() {
            let customer = daemon.customer(&format!("acme-{number}"));
            for (job_id, calls) in &ledger.0 {
                let there: std::collections::BTreeSet<String> = customer.users(job_id).iter().map(recipient).collect();
                let lost = |call: &&usize| {
                    let first = *call * CALL_USERS;
                    let users = readers(first, CALL_USERS);
                    !users.as_array().unwrap().iter().all(|user| there.contains(&recipient(user)))
                };
                assert_eq!(calls.iter().find(lost), None, "a call of {job_id} is lost");
            }
        }
        daemon.terminate();
    }
}

fn recipient(user: &serde_json::Value) -> String {
    user["recipient"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_acknowledged_is_in_the_file_of_the_name_whenever_that_is_taken_away_or_damaged() {
    let seed = seed();
    let rounds = setting("BULKD_TEST_ROUNDS").unwrap_or(sized(6, 60));
    println!("BULKD_TEST_SEED={seed} BULKD_TEST_ROUNDS={rounds}");
    for round in 0..rounds {
        fault_again_and_again(seed + round);
    }
}
