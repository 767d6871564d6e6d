//! `bulkd promote`: a job that was built in one daemon goes out by another.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::support::binary::{Binary, Ended, bulkd};
use crate::support::{Customer, Daemon, json, newsletter};

const USERS: usize = 1_050;

/// A job that was built and not run, and the recipients in it.
fn built(customer: &Customer) -> (String, BTreeSet<String>) {
    let job_id = customer.create(newsletter());
    let mut recipients = BTreeSet::new();
    let mut all: Vec<Value> = (0..USERS - 2)
        .map(|n| json!({ "recipient": format!("reader-{n}"), "profile": { "email": format!("{n}@example.com") }, "data": { "n": n } }))
        .collect();
    all.push(json!({ "to": { "user_id": "ada", "email": "ada@example.com" } }));
    all.push(json!({ "profile": { "email": "nobody@example.com" }, "data": { "exact": 1 } }));
    for some in all.chunks(500) {
        customer.ingest(&job_id, json!(some));
    }
    let mut cursor = None::<String>;
    loop {
        let query = cursor.as_ref().map(|it| format!("&cursor={it}")).unwrap_or_default();
        let page = customer.get(&format!("/bulk/{job_id}/users?limit=1000{query}")).ok(200);
        let items = page["items"].as_array().unwrap();
        recipients.extend(items.iter().map(|it| it["recipient"].as_str().unwrap().to_owned()));
        match page["paging"]["cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return (job_id, recipients),
        }
    }
}

fn promote(from: &Daemon, to: &Daemon, job_id: &str, more: &[&str]) -> Ended {
    Binary::spawn(&mut promotion(from, to, job_id, more)).wait()
}

fn promotion(from: &Daemon, to: &Daemon, job_id: &str, more: &[&str]) -> Command {
    let url = |daemon: &Daemon| format!("http://{}", daemon.address());
    let (from, to) = (url(from), url(to));
    let args = ["promote", job_id, "--from", &from, "--from-api-key", "acme", "--to", &to, "--api-key", "live"];
    bulkd(&[&args, more].concat())
}

/// The users of the only job there, and its counters.
fn arrived(customer: &Customer) -> (Value, BTreeSet<String>) {
    let jobs = customer.get("/_bulkd/jobs").ok(200)["items"].take();
    let [job] = jobs.as_array().unwrap().as_slice() else { panic!("expected one job, found {jobs}") };
    let path = format!("/_bulkd/jobs/{}/users?limit=1000", job["job_id"].as_str().unwrap());
    let mut recipients = BTreeSet::new();
    for at in [0, 1_000] {
        let page = customer.get(&format!("{path}&at={at}")).ok(200);
        recipients
            .extend(page["items"].as_array().unwrap().iter().map(|it| it["recipient"].as_str().unwrap().to_owned()));
    }
    (job.clone(), recipients)
}

#[test]
fn a_job_is_created_filled_and_run_elsewhere_and_no_user_twice() {
    let (here, there) = (Daemon::start(), Daemon::start());
    let (job_id, recipients) = built(&here.customer("acme"));
    let live = there.customer("live");
    let ended = promote(&here, &there, &job_id, &["--batch", "500"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.contains("users sent: 1050\nIt runs.\n"), "{ended:?}");
    live.post("/_bulkd/wait", &json!({ "settled": true })).ok(200);
    let (job, found) = arrived(&live);
    assert_eq!((&job["received"], &job["status"]), (&json!(USERS), &json!("COMPLETED")));
    assert_eq!(found, recipients);
    // Once more, and nothing happens.
    let again = promote(&here, &there, &job_id, &["--batch", "500"]);
    assert!(again.code == Some(0) && again.stdout.contains("was run there before, and is COMPLETED"), "{again:?}");
    assert_eq!(arrived(&live).0["received"], USERS);
    assert_eq!(here.customer("acme").get(&format!("/bulk/{job_id}")).ok(200)["job"]["status"], "CREATED");
}

/// Whoever looks on sees how far it is; what is written to a file or a pipe has nothing of it, as the other stories say.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_shows_how_far_a_job_has_come_and_nothing_of_that_stays() {
    use std::fs::File;
    use std::io::Read;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let (here, there) = (Daemon::start(), Daemon::start());
    let (job_id, _) = built(&here.customer("acme"));
    let mut command = promotion(&here, &there, &job_id, &["--batch", "500"]);
    command.stderr(File::options().read(true).write(true).open(name).unwrap()).env("TERM", "xterm");
    let promoted = Binary::spawn(&mut command);
    drop(command);
    let (told, shown) = std::sync::mpsc::channel();
    let listen = move || {
        let mut shown = Vec::new();
        // It fails once the other end is closed.
        assert!(File::from(terminal).read_to_end(&mut shown).is_err());
        told.send(shown).unwrap();
    };
    std::thread::Builder::new().name("terminal".to_owned()).spawn(listen).unwrap();
    let ended = promoted.wait();
    let shown = shown.recv_timeout(crate::support::PATIENCE).expect("the terminal is closed");
    assert!(ended.code == Some(0) && ended.stdout.ends_with("users sent: 1050\nIt runs.\n"), "{ended:?}");
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains(" 0 of 1,050 users, "), "{shown:?}");
    let (_, cleared) = shown.rsplit_once(" left").unwrap();
    assert!(cleared.ends_with("\u{1b}[2K") && !cleared.contains("users"), "{shown:?}");
}

#[test]
fn what_is_broken_off_goes_on_where_it_was() {
    let (here, there) = (Daemon::start(), Daemon::start());
    let (job_id, recipients) = built(&here.customer("acme"));
    let live = there.customer("live");
    // The answer to the first call of users is lost, and it is made again; the second is refused.
    live.post("/_bulkd/faults", &json!({ "method": "POST", "path": "/bulk/{job_id}", "answer": "lost", "times": 1 }))
        .ok(201);
    let refuse = json!({ "method": "POST", "path": "/bulk/{job_id}", "status": 403, "call": 3, "times": 1 });
    live.post("/_bulkd/faults", &refuse).ok(201);
    let ended = promote(&here, &there, &job_id, &["--batch", "400"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("403"), "{ended:?}");
    assert_eq!(arrived(&live).0["received"], 400);
    let ended = promote(&here, &there, &job_id, &["--batch", "400", "--no-run"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("users that are there already: 400\nusers sent: 650\n"), "{ended:?}");
    let (job, found) = arrived(&live);
    assert_eq!((&job["received"], &job["status"]), (&json!(USERS), &json!("CREATED")));
    assert_eq!(found, recipients);
    let ended = promote(&here, &there, &job_id, &["--batch", "400"]);
    assert!(ended.code == Some(0) && ended.stdout.ends_with("It runs.\n"), "{ended:?}");
}

#[test]
fn a_dry_run_shows_what_would_be_sent_and_sends_nothing() {
    let (here, there) = (Daemon::start(), Daemon::start());
    let acme = here.customer("acme");
    let job_id = acme.create(newsletter());
    let (_, exact) = (
        "",
        r#"{"user_id":"ada","profile":{"email":"ada@example.com"},"data":{"n":1.50,"big":12345678901234567890123}}"#,
    );
    acme.send("POST", &format!("/bulk/{job_id}"), Some(&format!(r#"{{"users":[{exact}]}}"#))).ok(200);
    let ended = promote(&here, &there, &job_id, &["--dry-run"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(exact) && ended.stdout.ends_with("Nothing was sent.\n"), "{ended:?}");
    assert_eq!(there.customer("live").get("/_bulkd/jobs").ok(200)["items"], json!([]));
}

#[test]
fn what_cannot_be_promoted_is_refused_in_a_line() {
    let (here, there) = (Daemon::start(), Daemon::start());
    let unknown = promote(&here, &there, "1-67890abc-0123456789abcdef01234567", &[]);
    assert!(unknown.refusal().contains("404"), "{unknown:?}");
    let gone = format!("http://{}", here.address());
    drop(here);
    let args = ["promote", "1-a", "--from", &gone, "--from-api-key", "a", "--to", &gone, "--api-key", "b"];
    let ended = Binary::spawn(&mut bulkd(&args)).wait();
    assert!(ended.refusal().contains(&gone), "{ended:?}");
    for (flag, value) in [("--to", "api.courier.com"), ("--to", "https://x/y"), ("--batch", "0")] {
        let args = ["promote", "1-a", "--from", &gone, "--from-api-key", "a", "--api-key", "b", flag, value];
        let ended = Binary::spawn(&mut bulkd(&args)).wait();
        assert!(
            ended.code == Some(2) && ended.stderr.contains("expected") | ended.stderr.contains("not in"),
            "{ended:?}"
        );
    }
}
