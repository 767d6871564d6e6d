//! What happens to messages, posted to the webhooks that are registered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::support::binary::{Binary, check};
use crate::support::receiver::{self, Call};
use crate::support::{
    Customer, Daemon, NOW, PATIENCE, json, newsletter, open_file, readers, sized, unheard, wait_until,
};
use bulkd::model::webhook::Destination;
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::Connection;
use serde_json::Value;
use sha2::Sha256;

/// Events that wait for one receiver, at most.
const QUEUE: u64 = 1_000;

/// What a receiver answers to a call, and how often it was called before.
type Answer = Box<dyn FnMut(&Call, usize) -> u16 + Send>;

/// A server that keeps what it is told.
struct Receiver {
    server: receiver::Receiver,
    calls: Arc<Mutex<Vec<Call>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Receiver {
    fn start(answer: impl FnMut(&Call, usize) -> u16 + Send + 'static) -> Self {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let (kept, answers) = (calls.clone(), answer.clone());
        let server = receiver::Receiver::start(move |call| {
            let before = kept.lock().unwrap().len();
            let status = answers.lock().unwrap()(&call, before);
            kept.lock().unwrap().push(call);
            status
        });
        Receiver { server, calls, answer }
    }

    /// One that takes everything.
    fn willing() -> Self {
        Receiver::start(|_, _| 200)
    }

    fn url(&self) -> String {
        self.server.url()
    }

    fn answers(&self, answer: impl FnMut(&Call, usize) -> u16 + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The calls, once there are as many.
    #[track_caller]
    fn wait(&self, count: usize) -> Vec<Call> {
        wait_until(&format!("{count} calls have come"), || self.calls.lock().unwrap().len() >= count);
        let calls = self.calls();
        assert_eq!(calls.len(), count);
        calls
    }

    fn event_ids(&self) -> BTreeSet<String> {
        self.calls.lock().unwrap().iter().map(|call| call.event_id().to_owned()).collect()
    }
}

/// Registers a webhook and returns its id.
#[track_caller]
fn register(customer: &Customer, url: &str) -> String {
    let created = customer.post("/_bulkd/webhooks", &json!({ "url": url })).ok(201);
    created["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn remove(customer: &Customer, id: &str) {
    assert_eq!(customer.send("DELETE", &format!("/_bulkd/webhooks/{id}"), None).status, 204);
}

fn webhook(customer: &Customer, id: &str) -> Value {
    customer.get(&format!("/_bulkd/webhooks/{id}")).ok(200)
}

/// How often each event was sent in vain that still waits, as far as it is written down.
fn attempts(daemon: &Daemon) -> Vec<u64> {
    let file = open_file(&daemon.database());
    let sql = "SELECT attempts FROM webhook_events WHERE status = 'PENDING' AND attempts > 0 ORDER BY webhook_event";
    let mut statement = file.prepare(sql).unwrap();
    let attempts = statement.query_map([], |row| row.get(0)).unwrap();
    attempts.map(Result::unwrap).collect()
}

#[track_caller]
fn wait_for(customer: &Customer, id: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let mut shown = Value::Null;
    wait_until(&format!("the webhook {what}"), || {
        shown = webhook(customer, id);
        so(&shown)
    });
    shown
}

/// Runs a job with so many users.
fn send(customer: &Customer, first: usize, count: usize) -> String {
    let job_id = customer.create(newsletter());
    for at in (first..first + count).step_by(1_000) {
        customer.ingest(&job_id, readers(at, (first + count - at).min(1_000)));
    }
    customer.run_to_the_end(&job_id);
    job_id
}

/// The recipient that each event is about, and the message's status.
fn news(calls: &[Call]) -> Vec<(String, String)> {
    let text = |call: &Call, name: &str| call.data(name).as_str().unwrap().to_owned();
    calls.iter().map(|call| (text(call, "recipientId"), text(call, "status"))).collect()
}

/// The statuses of each message, in the order in which they were told.
fn told(calls: &[Call]) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (recipient, status) in news(calls) {
        told.entry(recipient).or_default().push(status);
    }
    told
}

#[test]
fn a_message_is_told_of_when_it_is_made_and_when_it_is_sent() {
    let (daemon, receiver) = (Daemon::start(), Receiver::willing());
    let customer = daemon.customer("acme");
    send(&customer, 0, 1);
    let id = register(&customer, &receiver.url());
    // What was before is not told.
    let job_id = send(&customer, 5, 3);
    let calls = receiver.wait(6);
    let order = ["ENQUEUED", "SENT"];
    assert!(told(&calls).values().all(|statuses| statuses == &order), "{:?}", told(&calls));
    let message = customer.outbox(&job_id)[0].clone();
    let of_first: Vec<&Call> = calls.iter().filter(|call| *call.data("id") == message["message_id"]).collect();
    let [made, sent] = of_first.as_slice() else { panic!("{} calls", of_first.len()) };
    assert_eq!(made.body["type"], "message:updated");
    assert_eq!((made.data("enqueued"), made.data("recipientId")), (&json!(NOW), &json!("reader-5")));
    assert_eq!((made.body["data"].get("sent"), made.data("providers")), (None, &json!([])));
    assert_eq!((sent.data("enqueued"), sent.data("sent")), (&json!(NOW), &json!(NOW)));
    assert_eq!(sent.data("providers")[0]["provider"], "sendgrid");
    assert_ne!(made.event_id(), sent.event_id());
    assert_eq!(made.headers["content-type"].split(';').next(), Some("application/json"));
    assert!(!made.headers.contains_key("courier-signature"));
    let shown = wait_for(&customer, &id, "is done", |it| it["pending"] == 0);
    assert_eq!(
        (&shown["failed"], &shown["last_error"], &shown["last_delivered_at"]),
        (&json!(0), &json!(null), &json!(NOW))
    );
    assert_eq!((&shown["scope"], &shown["signed"]), (&json!("environment"), &json!(false)));
}

/// Sends to an address of the simulator, after a minute if it is to wait, and returns the message's id.
fn send_to(customer: &Customer, name: &str, waits: bool) -> String {
    let mut message = json!({
        "to": { "user_id": name, "email": format!("{name}@simulator.bulkd") }, "content": { "title": "Hi", "body": "Hello" },
    });
    if waits {
        message["delay"] = json!({ "duration": 60_000 });
    }
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

/// The members of an event's record that a message gets on its way.
fn times(call: &Call) -> Vec<&str> {
    let times = ["sent", "delivered", "opened", "clicked", "canceledAt"];
    times.into_iter().filter(|name| call.body["data"].get(name).is_some()).collect()
}

#[test]
fn every_status_of_a_message_is_told_as_it_was_then() {
    let (daemon, receiver) = (Daemon::start(), Receiver::willing());
    let customer = daemon.customer("acme");
    register(&customer, &receiver.url());
    let message_id = send_to(&customer, "click", false);
    let calls = receiver.wait(5);
    assert_eq!(told(&calls)["click"], ["ENQUEUED", "SENT", "DELIVERED", "OPENED", "CLICKED"]);
    assert_eq!(receiver.event_ids().len(), 5);
    let all = ["sent", "delivered", "opened", "clicked"];
    for (i, call) in calls.iter().enumerate() {
        assert_eq!(times(call), all[..i]);
        let Some(provider) = call.data("providers").get(0) else { continue };
        assert_eq!(provider["status"], *call.data("status"));
        for (at, name) in all.into_iter().enumerate() {
            assert_eq!(provider.get(name), (at < i).then_some(&json!(NOW)), "{name} of {provider}");
        }
    }
    assert_eq!(calls[0].data("providers"), &json!([]));
    // The last is the message as it is.
    assert_eq!(calls[4].body["data"], customer.get(&format!("/messages/{message_id}")).ok(200));
}

#[test]
fn what_happens_to_a_message_later_is_told_then() {
    let (daemon, receiver) = (Daemon::start(), Receiver::willing());
    let customer = daemon.customer("acme");
    register(&customer, &receiver.url());
    send_to(&customer, "open", true);
    assert_eq!(told(&receiver.wait(2))["open"], ["ENQUEUED", "DELAYED"]);
    let canceled = send_to(&customer, "delivered", true);
    receiver.wait(4);
    customer.post(&format!("/messages/{canceled}/cancel"), &json!({})).ok(200);
    let calls = receiver.wait(5);
    assert_eq!(told(&calls)["delivered"], ["ENQUEUED", "DELAYED", "CANCELED"]);
    assert_eq!((times(&calls[3]), times(&calls[4])), (vec![], vec!["canceledAt"]));
    daemon.clock.advance(Duration::from_secs(60));
    let calls = receiver.wait(8);
    assert_eq!(told(&calls)["open"], ["ENQUEUED", "DELAYED", "SENT", "DELIVERED", "OPENED"]);
    assert_eq!((calls[5].data("enqueued"), calls[5].data("sent")), (&json!(NOW), &json!(NOW + 60_000)));
    assert_eq!(receiver.event_ids().len(), 8);
}

#[test]
fn one_that_is_behind_is_told_the_same() {
    let (daemon, receiver) = (Daemon::start(), Receiver::start(|_, _| 503));
    let customer = daemon.customer("acme");
    let id = register(&customer, &receiver.url());
    send(&customer, 0, 500);
    wait_for(&customer, &id, "has a full queue", |it| it["pending"] == QUEUE);
    let (delivered, canceled) = (send_to(&customer, "delivered", true), send_to(&customer, "open", true));
    customer.post(&format!("/messages/{canceled}/cancel"), &json!({})).ok(200);
    daemon.clock.advance(Duration::from_secs(60));
    let status = || customer.get(&format!("/messages/{delivered}")).ok(200)["status"].take();
    wait_until("the message was sent", || status() == "DELIVERED");
    receiver.answers(|_, _| 200);
    wait_until("all events have come", || {
        daemon.clock.advance(Duration::from_secs(5));
        receiver.event_ids().len() == 1_007
    });
    let told = told(&receiver.calls());
    assert_eq!(told["delivered"], ["ENQUEUED", "DELAYED", "SENT", "DELIVERED"]);
    assert_eq!(told["open"], ["ENQUEUED", "DELAYED", "CANCELED"]);
    for call in
        receiver.calls().iter().filter(|call| call.data("status") == "ENQUEUED" || call.data("status") == "DELAYED")
    {
        assert_eq!((times(call), call.data("providers")), (vec![], &json!([])));
    }
}

#[test]
fn messages_of_many_statuses_do_not_overfill_the_queue() {
    let (daemon, receiver) = (Daemon::start(), Receiver::start(|_, _| 503));
    let customer = daemon.customer("acme");
    let id = register(&customer, &receiver.url());
    let job_id = customer.create(newsletter());
    let users = (0..401).map(|i| {
        let name = ["click", "open", "nobody"][i % 3];
        json!({ "recipient": format!("{name}-{i}"), "profile": { "email": format!("{name}@simulator.bulkd") } })
    });
    customer.ingest(&job_id, users.collect());
    customer.run_to_the_end(&job_id);
    wait_for(&customer, &id, "has a full queue", |it| it["pending"].as_u64() > Some(QUEUE - 5));
    assert!(webhook(&customer, &id)["pending"].as_u64() <= Some(QUEUE));
    receiver.answers(|_, _| 200);
    wait_until("all events have come", || {
        daemon.clock.advance(Duration::from_secs(5));
        receiver.event_ids().len() == 134 * 5 + 134 * 4 + 133 * 2
    });
    let order = ["ENQUEUED", "SENT", "DELIVERED", "OPENED", "CLICKED"];
    for (recipient, mut statuses) in told(&receiver.calls()) {
        statuses.dedup();
        let count = if recipient.starts_with("click") {
            5
        } else if recipient.starts_with("open") {
            4
        } else {
            2
        };
        assert_eq!(statuses, order[..count], "{recipient}");
    }
}

#[test]
fn what_waits_in_a_file_of_version_2_comes_under_its_ids() {
    let kept = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name);
    let answered: Value = serde_json::from_str(&fs::read_to_string(kept("version-2.json")).unwrap()).unwrap();
    let receiver = Receiver::willing();
    let daemon = Daemon::start_with(|config| {
        let database = config.database.as_ref().unwrap();
        fs::copy(kept("version-2.db"), database).unwrap();
        let file = Connection::open(database).unwrap();
        file.execute("UPDATE webhooks SET url = ?1", [receiver.url()]).unwrap();
    });
    daemon.clock.advance(Duration::from_secs(365 * 86_400));
    let expected = answered["events"].as_array().unwrap();
    let id = |event: &Value| event["event_id"].as_str().unwrap().to_owned();
    wait_until("all events have come", || expected.iter().all(|it| receiver.event_ids().contains(&id(it))));
    let calls = receiver.calls();
    for event in expected {
        let call = calls.iter().find(|call| call.event_id() == id(event)).unwrap();
        assert_eq!((call.data("status"), call.data("recipient")), (&event["status"], &event["recipient"]));
    }
    // What happened to a message after it was told of goes on behind it.
    wait_until("the delayed message is told of", || told(&receiver.calls()).get("flo").is_some_and(|it| it.len() == 3));
    assert_eq!(told(&receiver.calls())["flo"], ["ENQUEUED", "DELAYED", "SENT"]);
}

#[test]
fn an_event_is_signed_if_there_is_a_secret() {
    let (daemon, receiver) = (Daemon::start(), Receiver::willing());
    let customer = daemon.customer("acme");
    let created = customer.post("/_bulkd/webhooks", &json!({ "url": receiver.url(), "secret": "s3cret" })).ok(201);
    assert_eq!(created["signed"], true);
    assert!(!created.to_string().contains("s3cret"));
    send(&customer, 0, 1);
    for call in receiver.wait(2) {
        let signature = &call.headers["courier-signature"];
        let (time, signature) = signature.strip_prefix("t=").unwrap().split_once(",signature=").unwrap();
        assert_eq!(time, NOW.to_string());
        let mut expected = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
        expected.update(format!("{time}.{}", call.text).as_bytes());
        let digits: String = expected.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(signature, digits);
    }
}

#[test]
fn an_environment_hears_of_its_own_messages_and_a_flag_of_all() {
    let (all, own) = (Receiver::willing(), Receiver::willing());
    let given = vec![Destination::parse(&all.url()).unwrap()];
    let mut daemon = Daemon::start_with(|config| config.webhooks = given);
    let (acme, other) = (daemon.customer("acme"), daemon.customer("other"));
    let id = register(&acme, &own.url());
    send(&other, 0, 300);
    send(&acme, 300, 2);
    send(&other, 400, 1);
    own.wait(4);
    all.wait(606);
    assert!(told(&own.calls()).keys().eq(["reader-300", "reader-301"]));
    // Nor is one environment's webhook seen in another.
    let listed = |customer: &Customer| customer.get("/_bulkd/webhooks").ok(200)["items"].as_array().unwrap().clone();
    assert_eq!((listed(&acme).len(), listed(&other).len()), (2, 1));
    let first = acme.get("/_bulkd/webhooks?limit=1").ok(200);
    assert_eq!((first["items"].as_array().unwrap().len(), &first["paging"]["more"]), (1, &json!(true)));
    let cursor = first["paging"]["cursor"].as_str().unwrap();
    let second = acme.get(&format!("/_bulkd/webhooks?limit=1&cursor={cursor}")).ok(200);
    assert_eq!(second["paging"], json!({ "more": false }));
    assert_eq!([&first["items"][0], &second["items"][0]], [&listed(&acme)[0], &listed(&acme)[1]]);
    let given = listed(&other)[0].clone();
    assert_eq!((&given["scope"], &given["url"]), (&json!("all"), &json!(all.url())));
    assert!(other.get(&format!("/_bulkd/webhooks/{id}")).refused(404).contains("webhook_id"));
    assert!(other.send("DELETE", &format!("/_bulkd/webhooks/{id}"), None).refused(404).contains("webhook_id"));
    let given = format!("/_bulkd/webhooks/{}", given["id"].as_str().unwrap());
    assert!(acme.send("DELETE", &given, None).refused(400).contains("--webhook"));
    // It goes on where it was.
    daemon.restart();
    send(&daemon.customer("other"), 500, 1);
    all.wait(608);
    own.wait(4);
}

#[test]
fn what_waits_for_a_flags_webhook_is_delivered_after_a_reset_and_nothing_is_left_of_it() {
    let receiver = Receiver::start(|_, _| 503);
    let given = vec![Destination::parse(&receiver.url()).unwrap()];
    let daemon = Daemon::start_with(|config| config.webhooks = given);
    let left = |rows: &str| -> usize {
        let count = format!("SELECT count(*) FROM {rows}");
        open_file(&daemon.database()).query_row(&count, [], |row| row.get(0)).unwrap()
    };
    let reset = |customer: &Customer| {
        customer.post("/_bulkd/reset", &json!({})).done();
        wait_until("all of the environment is gone", || left("messages") + left("environments") == 0);
    };
    let customer = daemon.customer("acme");
    send(&customer, 0, 20);
    wait_until("each was attempted", || left("webhook_events WHERE attempts = 1") == 20);
    reset(&customer);
    assert_eq!(left("webhook_events WHERE status = 'PENDING'"), 40);
    let refused = receiver.calls().len();
    receiver.answers(|_, _| 200);
    daemon.clock.advance(Duration::from_secs(5));
    let calls = receiver.wait(refused + 40);
    let expected = ["ENQUEUED", "SENT"].map(str::to_owned);
    let told = told(&calls[refused..]);
    assert!(told.len() == 20 && told.values().all(|statuses| statuses[..] == expected), "{told:?}");
    wait_until("nothing is left", || left("webhook_events") == 0);
    // Nor of what is given up.
    receiver.answers(|_, _| 503);
    send(&customer, 50, 1);
    wait_until("it was attempted", || left("webhook_events WHERE attempts = 1") == 1);
    reset(&customer);
    wait_until("both are given up", || {
        daemon.clock.advance(Duration::from_secs(60));
        left("webhook_events") == 0
    });
}

#[test]
fn one_that_was_removed_is_called_no_more() {
    let (daemon, removed, kept) = (Daemon::start(), Receiver::willing(), Receiver::willing());
    let customer = daemon.customer("acme");
    let id = register(&customer, &removed.url());
    register(&customer, &kept.url());
    send(&customer, 0, 1);
    removed.wait(2);
    kept.wait(2);
    remove(&customer, &id);
    customer.get(&format!("/_bulkd/webhooks/{id}")).refused(404);
    send(&customer, 1, 1);
    kept.wait(4);
    removed.wait(2);
}

/// One that answers only when it is let go, and tells when it is called.
fn held() -> (Receiver, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (called, calls) = mpsc::channel();
    let (release, held) = mpsc::channel();
    let receiver = Receiver::start(move |_, _| {
        let _ = called.send(());
        let _: Result<(), _> = held.recv();
        200
    });
    (receiver, calls, release)
}

#[test]
fn one_that_is_removed_in_the_middle_of_a_call_takes_nothing_from_the_others() {
    let (daemon, other, next) = (Daemon::start(), Receiver::willing(), Receiver::willing());
    let (removed, calls, release) = held();
    let customer = daemon.customer("acme");
    let others = register(&customer, &other.url());
    let id = register(&customer, &removed.url());
    send(&customer, 0, 1);
    calls.recv_timeout(PATIENCE).expect("the receiver that is to be removed was not called");
    other.wait(2);
    wait_for(&customer, &others, "is done", |it| it["pending"] == 0);
    // Its events are all that are left, and go with it.
    remove(&customer, &id);
    register(&customer, &next.url());
    other.answers(|_, _| 503);
    send(&customer, 1, 4);
    other.wait(6);
    wait_for(&customer, &others, "has a queue", |it| it["pending"] == 8);
    // A refused attempt is made again a while after it was written down.
    wait_until("the four refused attempts are written down", || attempts(&daemon) == [1; 4]);
    drop(release);
    removed.wait(1);
    next.wait(8);
    other.answers(|_, _| 200);
    daemon.clock.advance(Duration::from_secs(5));
    let told = told(&other.wait(14));
    for recipient in 1..5 {
        assert_eq!(told[&format!("reader-{recipient}")], ["ENQUEUED", "ENQUEUED", "SENT"]);
    }
    // What it had not been told yet it is not told any more.
    removed.wait(1);
}

#[test]
fn one_that_comes_after_a_removed_one_does_not_wait_for_it() {
    // A call is broken off after this long.
    const TIMEOUT: Duration = Duration::from_secs(10);
    let (daemon, next) = (Daemon::start(), Receiver::willing());
    let (removed, calls, release) = held();
    let customer = daemon.customer("acme");
    let id = register(&customer, &removed.url());
    let began = Instant::now();
    send(&customer, 0, 1);
    calls.recv_timeout(PATIENCE).expect("the receiver that is to be removed was not called");
    remove(&customer, &id);
    register(&customer, &next.url());
    send(&customer, 1, 1);
    next.wait(2);
    assert!(began.elapsed() < TIMEOUT, "{:?}", began.elapsed());
    drop(release);
    removed.wait(1);
}

#[test]
fn an_attempt_that_failed_is_made_again_in_its_time_and_keeps_its_place() {
    let (daemon, receiver) = (Daemon::start(), Receiver::start(|_, before| if before == 0 { 503 } else { 200 }));
    let customer = daemon.customer("acme");
    let id = register(&customer, &receiver.url());
    send(&customer, 0, 2);
    // The other message is not held up.
    let calls = receiver.wait(3);
    let of = |recipient: &str, status: &str| (recipient.to_owned(), status.to_owned());
    let first = calls[0].event_id().to_owned();
    assert_eq!(news(&calls), [of("reader-0", "ENQUEUED"), of("reader-1", "ENQUEUED"), of("reader-1", "SENT")]);
    wait_until("the refused attempt is written down", || attempts(&daemon) == [1]);
    let shown = wait_for(&customer, &id, "has two left", |it| it["pending"] == 2 && !it["last_delivered_at"].is_null());
    assert_eq!((&shown["last_error"], &shown["last_failed_at"]), (&json!("the receiver answered 503"), &json!(NOW)));
    assert_eq!((&shown["oldest_pending_at"], &shown["failed"]), (&json!(NOW), &json!(0)));
    daemon.clock.advance(Duration::from_millis(4_999));
    receiver.wait(3);
    daemon.clock.advance(Duration::from_millis(1));
    let calls = receiver.wait(5);
    assert_eq!(news(&calls)[3..], [of("reader-0", "ENQUEUED"), of("reader-0", "SENT")]);
    assert_eq!(calls[3].event_id(), first);
    wait_for(&customer, &id, "is done", |it| it["pending"] == 0);
}

#[test]
fn a_receiver_that_is_gone_is_given_up_after_ten_attempts() {
    let (daemon, receiver) =
        (Daemon::start(), Receiver::start(|call, _| if call.data("status") == "SENT" { 200 } else { 500 }));
    let customer = daemon.customer("acme");
    let id = register(&customer, &receiver.url());
    send(&customer, 0, 1);
    for (attempt, seconds) in [5, 10, 20, 40, 60, 120, 240, 480, 720].into_iter().enumerate() {
        receiver.wait(attempt + 1);
        wait_until("the attempt is written down", || attempts(&daemon) == [attempt as u64 + 1]);
        daemon.clock.advance(Duration::from_secs(seconds));
    }
    // The next event of the message goes on behind it.
    let calls = receiver.wait(11);
    assert_eq!(calls[10].data("status"), "SENT");
    let shown = wait_for(&customer, &id, "is done", |it| it["pending"] == 0);
    assert_eq!(shown["failed"], 1);
    let failed = &shown["failed_events"][0];
    assert_eq!((&failed["event_id"], &failed["attempts"]), (&json!(calls[0].event_id()), &json!(10)));
    assert_eq!(failed["error"], "the receiver answered 500");
}

#[test]
fn what_a_receiver_refuses_is_not_sent_again() {
    for status in [400, 404, 410, 302] {
        let (daemon, receiver) = (Daemon::start(), Receiver::start(move |_, _| status));
        let customer = daemon.customer("acme");
        let id = register(&customer, &receiver.url());
        send(&customer, 0, 1);
        receiver.wait(2);
        let shown = wait_for(&customer, &id, "has given up", |it| it["failed"] == 2);
        assert_eq!(shown["pending"], 0);
        assert_eq!(shown["failed_events"][0]["error"], format!("the receiver answered {status}"));
        daemon.clock.advance(Duration::from_secs(86_400));
        send(&customer, 1, 1);
        assert_eq!(told(&receiver.wait(4)).len(), 2);
    }
    // Others are.
    for status in [408, 429, 500, 599] {
        let (daemon, receiver) = (Daemon::start(), Receiver::start(move |_, _| status));
        let customer = daemon.customer("acme");
        let id = register(&customer, &receiver.url());
        send(&customer, 0, 1);
        let shown = wait_for(&customer, &id, "has tried", |it| it["last_failed_at"] == NOW);
        assert_eq!((&shown["pending"], &shown["failed"]), (&json!(2), &json!(0)));
    }
}

#[test]
fn a_stop_in_the_middle_loses_nothing() {
    let (mut daemon, receiver) = (Daemon::start(), Receiver::start(|_, before| if before < 300 { 200 } else { 500 }));
    let customer = daemon.customer("acme");
    let id = register(&customer, &receiver.url());
    let count = sized(600, 1_500);
    send(&customer, 0, count);
    wait_for(&customer, &id, "has failed", |it| !it["last_error"].is_null());
    daemon.stop();
    receiver.answers(|_, _| 200);
    daemon.open();
    daemon.clock.advance(Duration::from_secs(60));
    wait_until("all events have come", || receiver.event_ids().len() == 2 * count);
    let customer = daemon.customer("acme");
    wait_for(&customer, &id, "is done", |it| it["pending"] == 0);
    let told = told(&receiver.calls());
    assert_eq!(told.len(), count);
    for (recipient, mut statuses) in told {
        statuses.dedup();
        assert_eq!(statuses, ["ENQUEUED", "SENT"], "{recipient}");
    }
}

#[test]
fn a_kill_in_the_middle_loses_nothing() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::willing());
    let database = folder.path().join("bulkd.db");
    let given = format!("{},secret=x", receiver.url());
    let args = ["--listen", "127.0.0.1:0", "--db", database.to_str().unwrap(), "--webhook", &given];
    let daemon = Binary::start(&args);
    let customer = daemon.customer("acme");
    let count = sized(1_000, 2_000);
    send(&customer, 0, count);
    wait_until("some events have come", || receiver.event_ids().len() > 500);
    daemon.kill();
    let daemon = Binary::start(&args);
    wait_until("all events have come", || receiver.event_ids().len() == 2 * count);
    // Few of them came twice.
    let calls = receiver.calls();
    assert!(calls.len() < 2 * count + 100, "{} calls", calls.len());
    assert!(calls.iter().all(|call| call.headers.contains_key("courier-signature")));
    daemon.terminate();
    check(&database);
    // Without the flag there is no webhook.
    let daemon = Binary::start(&args[..4]);
    assert_eq!(daemon.customer("acme").get("/_bulkd/webhooks").ok(200)["items"], json!([]));
    daemon.terminate();
}

#[test]
fn a_receiver_that_never_answers_holds_up_no_other() {
    // It is listened for, and never accepted.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut daemon, willing) = (Daemon::start(), Receiver::willing());
    let customer = daemon.customer("acme");
    let id = register(&customer, &format!("http://{}", silent.local_addr().unwrap()));
    register(&customer, &willing.url());
    // Each has two events, and there are more of these than find room.
    let count = sized(1_000, 3_000);
    send(&customer, 0, count);
    wait_until("the other has all events", || willing.event_ids().len() == 2 * count);
    let shown = wait_for(&customer, &id, "has a full queue", |it| it["pending"] == QUEUE);
    assert_eq!((&shown["oldest_pending_at"], &shown["last_delivered_at"]), (&json!(NOW), &json!(null)));
    // A full queue stays at that, and the daemon stops without waiting for an answer.
    send(&customer, count, 300);
    wait_until("the other has all events", || willing.event_ids().len() == 2 * (count + 300));
    assert_eq!(webhook(&customer, &id)["pending"], QUEUE);
    daemon.stop();
}

#[test]
fn twenty_webhooks_are_told_the_same_and_wait_for_none_of_each_other() {
    let (_ours, address) = unheard();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (daemon, willing) = (Daemon::start(), Receiver::willing());
    let customer = daemon.customer("acme");
    let deaf = [address, silent.local_addr().unwrap()];
    let ids: Vec<String> = (0..19).map(|i| register(&customer, &format!("http://{}", deaf[i % 2]))).collect();
    register(&customer, &willing.url());
    // Some find room one by one, and then more come than do.
    for first in 0..3 {
        send(&customer, first, 1);
    }
    send(&customer, 3, 600);
    wait_until("the one that listens has all events", || willing.event_ids().len() == 2 * 603);
    assert!(told(&willing.calls()).values().all(|statuses| statuses == &["ENQUEUED", "SENT"]));
    for id in &ids {
        wait_for(&customer, id, "has a full queue", |it| it["pending"] == QUEUE);
    }
    // All the others have come as far as one another, with the same events.
    let file = open_file(&daemon.database());
    let ask = |sql: &str| -> u64 { file.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(ask("SELECT count(DISTINCT webhook) FROM webhook_events"), 19);
    assert_eq!(ask("SELECT count(DISTINCT event_id) FROM webhook_events"), QUEUE);
    assert_eq!(ask("SELECT count(DISTINCT event_id || body) FROM webhook_events"), QUEUE);
    assert_eq!(ask("SELECT count(DISTINCT last_number) FROM webhooks"), 2);
    // What comes next is told to those with room.
    let before = webhook(&customer, &ids[1]);
    remove(&customer, &ids[0]);
    let next = register(&customer, &willing.url());
    send(&customer, 700, 1);
    wait_until("both that listen are told", || willing.calls().len() == 2 * 603 + 4);
    wait_for(&customer, &next, "is done", |it| it["pending"] == 0);
    assert_eq!(webhook(&customer, &ids[1])["pending"], before["pending"]);
}

#[test]
fn a_dead_receiver_costs_no_more_than_its_queue() {
    let (_ours, address) = unheard();
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let id = register(&customer, &format!("http://{address}"));
    send(&customer, 0, 1_000);
    let shown =
        wait_for(&customer, &id, "has a full queue", |it| it["pending"] == QUEUE && !it["last_error"].is_null());
    assert_eq!(shown["failed"], 0);
    let rows = || -> u64 {
        let file = open_file(&daemon.database());
        file.query_row("SELECT count(*) FROM webhook_events", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(rows(), QUEUE);
    // Time passes until what is in the queue is given up; what comes next takes its place.
    wait_until("a part was given up", || {
        daemon.clock.advance(Duration::from_secs(720));
        webhook(&customer, &id)["failed"] != 0
    });
    assert!(rows() <= 2 * QUEUE);
}

#[test]
fn only_this_machine_can_be_registered_over_http() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for url in ["http://10.0.0.1/x", "http://[2001:db8::1]/", "http://0.0.0.0:80", "http://[::ffff:192.168.0.1]/"] {
        let refused = customer.post("/_bulkd/webhooks", &json!({ "url": url })).refused(400);
        assert!(refused.starts_with("url: ") && refused.contains("--webhook"), "{refused}");
    }
    let ports = ["http://127.0.0.1:99999/", "http://127.0.0.1:0", "http://[::1]:65536", "http://localhost:/"];
    for url in ports {
        let refused = customer.post("/_bulkd/webhooks", &json!({ "url": url })).refused(400);
        assert!(refused.starts_with("url: ") && refused.ends_with("with a port from 1 to 65535 or none"), "{refused}");
        assert!(Destination::parse(url).is_err_and(|told| refused == format!("url: {told}")), "{url}");
    }
    let blank = [" http://127.0.0.1/", "http://127.0.0.1/\t"];
    let others = ["", "x", "ftp://127.0.0.1", "https://127.0.0.1", "http://", "http://u:p@127.0.0.1/"];
    for url in blank.into_iter().chain(others) {
        let refused = customer.post("/_bulkd/webhooks", &json!({ "url": url })).refused(400);
        assert!(refused.starts_with("url: expected an absolute URL"), "{refused}");
    }
    let refused = customer.post("/_bulkd/webhooks", &json!({ "url": "http://localhost", "secret": "" })).refused(400);
    assert!(refused.starts_with("secret: "), "{refused}");
    assert!(customer.post("/_bulkd/webhooks", &json!({})).refused(400).contains("'url'"));
    assert!(customer.post("/_bulkd/webhooks", &json!({ "url": 5 })).refused(400).starts_with("url: expected a string"));
    assert_eq!(customer.get("/_bulkd/webhooks").ok(200)["items"], json!([]));
}

#[test]
fn there_are_so_many_webhooks_and_no_more() {
    let daemon = Daemon::start();
    let more = json!({ "url": "http://127.0.0.1:9/more" });
    // No environment takes all there are,
    for key in ["a", "b", "c", "d", "e"] {
        let customer = daemon.customer(key);
        let ids: Vec<String> = (0..20).map(|i| register(&customer, &format!("http://127.0.0.1:9/{i}"))).collect();
        let refused = customer.post("/_bulkd/webhooks", &more).refused(400);
        assert!(refused.starts_with("url: there are 20 webhooks under this API key already"), "{refused}");
        remove(&customer, &ids[7]);
        customer.post("/_bulkd/webhooks", &more).ok(201);
    }
    // and all together have no more.
    let refused = daemon.customer("f").post("/_bulkd/webhooks", &more).refused(400);
    assert!(refused.starts_with("url: there are 100 webhooks already, those of other API keys included"), "{refused}");
    let first = daemon.customer("a");
    let id = first.get("/_bulkd/webhooks").ok(200)["items"][0]["id"].take();
    remove(&first, id.as_str().unwrap());
    daemon.customer("f").post("/_bulkd/webhooks", &more).ok(201);
}

#[test]
fn a_reset_forgets_full_queues_at_once_and_they_are_removed_afterwards() {
    const HOOKS: usize = 20;
    let (_unheard, address) = unheard();
    let daemon = Daemon::start();
    let (customer, others) = (daemon.customer("acme"), daemon.customer("others"));
    let kept = register(&others, &format!("http://{address}/kept"));
    send(&others, 0, 5);
    let count = |rows: &str| -> usize {
        let count = format!("SELECT count(*) FROM {rows}");
        open_file(&daemon.database()).query_row(&count, [], |row| row.get(0)).unwrap()
    };
    let full = |customer: &Customer| {
        for hook in 0..HOOKS {
            register(customer, &format!("http://{address}/{hook}"));
        }
        send(customer, 0, 150);
        let items = || customer.get("/_bulkd/webhooks").ok(200)["items"].as_array().unwrap().clone();
        wait_until("the queues have filled", || items().iter().all(|it| it["pending"] == 300));
        items().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<String>>()
    };
    assert_eq!(full(&customer).len(), HOOKS);
    customer.post("/_bulkd/reset", &json!({})).done();
    // None of them counts any more, though some of their events may be there.
    assert_eq!(customer.get("/_bulkd/webhooks").ok(200)["items"], json!([]));
    let ids = full(&customer);
    assert_eq!(ids.len(), HOOKS);
    // One that is removed goes in the same way.
    for id in &ids {
        remove(&customer, id);
        customer.get(&format!("/_bulkd/webhooks/{id}")).refused(404);
    }
    wait_until("their events are removed", || (count("webhooks"), count("webhook_events")) == (1, 10));
    assert_eq!(webhook(&others, &kept)["pending"], 10);
}

#[test]
fn webhooks_snapshots_and_findings_come_in_pages_as_all_lists_do() {
    let daemon = Daemon::start();
    let (customer, other) = (daemon.customer("acme"), daemon.customer("other"));
    for i in 0..5 {
        register(&customer, &format!("http://127.0.0.1:9/{i}"));
        customer.put(&format!("/_bulkd/snapshots/snapshot-{i}"), &json!({})).ok(200);
        register(&other, &format!("http://127.0.0.1:9/other-{i}"));
    }
    customer.get("/no/such/route").refused(404);
    customer.get("/bulk/1-0-0?unknown=1").refused(404);
    customer.post("/bulk/1-0-0/users", &json!({ "users": [] })).refused(404);
    for path in ["/_bulkd/webhooks", "/_bulkd/snapshots", "/_bulkd/doctor"] {
        let whole = customer.get(path).ok(200);
        let items = whole["items"].as_array().unwrap().clone();
        assert!(items.len() >= 3, "{path}: {whole}");
        assert_eq!(whole["paging"], json!({ "more": false }), "{path}");
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = customer.get(&format!("{path}?limit=2&cursor={cursor}")).ok(200);
            assert!(page["items"].as_array().unwrap().len() <= 2, "{path}");
            assert_eq!((&page["worst"], &page["summary"]), (&whole["worst"], &whole["summary"]), "{path}");
            found.extend(page["items"].as_array().unwrap().clone());
            assert_eq!(page["paging"]["more"], json!(page["paging"].get("cursor").is_some()), "{path}");
            match page["paging"]["cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(found, items, "{path}");
        for (query, problem) in [
            ("limit=0", "limit: expected a whole number from 1 to 1000"),
            ("limit=1001", "limit: expected a whole number from 1 to 1000"),
            ("cursor=x", "cursor: expected the 'cursor' of an earlier answer"),
            ("cursor=0.0.0", "cursor: expected the 'cursor' of an earlier answer"),
        ] {
            assert_eq!(customer.get(&format!("{path}?{query}")).refused(400), problem, "{path}");
        }
    }
    // So do environments, which need no key, and the users of a job with their places.
    let keyless = customer.without_key();
    let first = keyless.get("/_bulkd/environments?limit=1").ok(200);
    let next = first["paging"]["cursor"].as_str().unwrap();
    let second = keyless.get(&format!("/_bulkd/environments?limit=1&cursor={next}")).ok(200);
    assert_eq!((second["items"].as_array().unwrap().len(), &second["paging"]), (1, &json!({ "more": false })));
    assert_ne!(first["items"], second["items"]);
    keyless.get("/_bulkd/environments?limit=0").refused(400);
    let job_id = customer.create(newsletter());
    let mut users = readers(0, 9);
    for i in [1, 4, 6] {
        users[i]["profile"]["email"] = json!(5);
    }
    customer.ingest(&job_id, users);
    let places = |status: &str| {
        let (mut places, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/_bulkd/jobs/{job_id}/users?limit=2&status={status}&cursor={cursor}");
            let page = customer.get(&path).ok(200);
            places.extend(page["items"].as_array().unwrap().iter().map(|it| it["at"].as_u64().unwrap()));
            match page["paging"]["cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => return places,
            }
        }
    };
    assert_eq!((places("PENDING"), places("ERROR")), ((0..9).collect(), vec![]));
    customer.run_to_the_end(&job_id);
    assert_eq!((places(""), places("ERROR"), places("PENDING")), ((0..9).collect(), vec![1, 4, 6], vec![]));
    // A cursor leads through its own list alone.
    let cursor = customer.get("/_bulkd/webhooks?limit=1").ok(200)["paging"]["cursor"].take();
    let refused = customer.get(&format!("/_bulkd/doctor?cursor={}", cursor.as_str().unwrap())).refused(400);
    assert_eq!(refused, "cursor: this cursor belongs to another list");
}
