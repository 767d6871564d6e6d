//! The relay: messages go over a Redis Stream to senders that may be on any machine, and what became of them comes back.
//! The provider's stand-in keeps a ledger, which says what was really sent, and how often.

#[cfg(not(feature = "relay"))]
mod without {
    use crate::support::binary::{Binary, bulkd};

    #[test]
    fn a_build_without_the_relay_says_so() {
        let from = "redis://127.0.0.1:1";
        for args in [&["--relay", from, "--ephemeral"][..], &["deliver", "--from", from, "--deliver", "all=-"]] {
            let ended = Binary::spawn(&mut bulkd(args)).wait();
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
            assert!(ended.stderr.contains("built without the relay"), "{ended:?}");
            assert!(ended.stderr.contains("--features relay"), "{ended:?}");
        }
    }
}

#[cfg(all(feature = "relay", unix))]
mod senders;

#[cfg(all(feature = "relay", unix))]
pub mod with {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::process::Command;
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use serde_json::Value;

    use crate::support::binary::{Binary, bulkd, check};
    use crate::support::receiver::Receiver;
    use crate::support::redis::{ALWAYS, EVERY_SECOND, Redis, is_there};
    use crate::support::{Customer, json, newsletter, readers, sized, wait_until};

    /// Outcomes that a sender writes at once: so many may be sent twice when it dies.
    pub const IN_FLIGHT: usize = 32;
    /// Messages of a channel that a sender holds at most, and has not sent.
    pub const TAKEN: usize = 64 + 32;

    /// What the provider's stand-in was given: how often each event.
    #[derive(Clone, Default)]
    pub struct Ledger(pub Arc<Mutex<BTreeMap<String, usize>>>);

    impl Ledger {
        pub fn note(&self, event: &str) -> usize {
            let mut given = self.0.lock().unwrap();
            let times = given.entry(event.to_owned()).or_default();
            *times += 1;
            *times
        }

        pub fn len(&self) -> usize {
            self.0.lock().unwrap().len()
        }

        /// How often something was given that had been given before.
        pub fn doubles(&self) -> usize {
            self.0.lock().unwrap().values().map(|times| times - 1).sum()
        }
    }

    /// The stand-in of a provider: it notes what it is given, and takes it.
    pub fn provider(ledger: &Ledger) -> Receiver {
        let ledger = ledger.clone();
        Receiver::start(move |call| {
            ledger.note(call.body["id"].as_str().unwrap());
            200
        })
    }

    /// A file, whose daemon relays.
    pub struct Place {
        pub folder: tempfile::TempDir,
        pub redis_url: String,
    }

    impl Place {
        pub fn new(redis: &Redis) -> Self {
            Place { folder: tempfile::tempdir().unwrap(), redis_url: redis.url() }
        }

        pub fn database(&self) -> PathBuf {
            self.folder.path().join("bulkd.db")
        }

        pub fn command(&self, more: &[&str]) -> Command {
            let database = self.database();
            let args = ["--listen", ":0", "--db", database.to_str().unwrap(), "--relay", &self.redis_url];
            bulkd(&[&args, more].concat())
        }

        pub fn daemon(&self, more: &[&str]) -> Binary {
            Binary::start_by(&mut self.command(more))
        }

        pub fn tag(&self) -> String {
            crate::support::open_file(&self.database())
                .query_row("SELECT message_tag FROM file", [], |row| row.get(0))
                .unwrap()
        }

        pub fn key(&self, stream: &str) -> String {
            format!("bulkd:{}:{stream}", self.tag())
        }

        pub fn sender(&self, to: &str, more: &[&str]) -> Command {
            let tag = self.tag();
            bulkd(&[&["deliver", "--from", &self.redis_url, "--tag", &tag, "--deliver", to], more].concat())
        }
    }

    /// What most stories begin with.
    pub struct Scene {
        pub redis: Redis,
        pub place: Place,
        pub daemon: Binary,
        pub customer: Customer,
        pub ledger: Ledger,
        pub provider: Receiver,
    }

    /// A Redis with these arguments, a place for a file, and a provider that takes all. `None` where there is no Redis.
    pub fn stage(redis: &[&str]) -> Option<(Redis, Place, Ledger, Receiver)> {
        if !is_there() {
            return None;
        }
        let (redis, ledger) = (Redis::start(redis), Ledger::default());
        let (place, provider) = (Place::new(&redis), provider(&ledger));
        Some((redis, place, ledger, provider))
    }

    /// The same with a daemon that relays, and a customer of it.
    pub fn scene(redis: &[&str], daemon: &[&str]) -> Option<Scene> {
        let (redis, place, ledger, provider) = stage(redis)?;
        let daemon = place.daemon(daemon);
        let customer = daemon.customer("acme");
        Some(Scene { redis, place, daemon, customer, ledger, provider })
    }

    pub fn to(provider: &Receiver) -> String {
        format!("all={}", provider.url())
    }

    /// Sends to so many people, and waits until that is drained.
    pub fn send(customer: &Customer, first: usize, count: usize) -> String {
        let job_id = customer.create(newsletter());
        for start in (first..first + count).step_by(1_000) {
            customer.ingest(&job_id, readers(start, 1_000.min(first + count - start)));
        }
        customer.run_to_the_end(&job_id);
        job_id
    }

    pub fn text() -> Value {
        json!({
            "message": {
                "content": { "title": "", "body": "Hello {{name}}, your code is {{number}}" },
                "routing": { "method": "single", "channels": ["sms"] }
            }
        })
    }

    pub fn texted(first: usize, count: usize) -> Value {
        let reader = |n| {
            json!({
                "recipient": format!("reader-{n}"),
                "profile": { "phone_number": format!("+1555{n:07}") },
                "data": { "name": format!("Reader {n}"), "number": n },
            })
        };
        (first..first + count).map(reader).collect()
    }

    /// The same by SMS.
    pub fn send_texts(customer: &Customer, first: usize, count: usize) -> String {
        let job_id = customer.create(text());
        customer.ingest(&job_id, texted(first, count));
        customer.run_to_the_end(&job_id);
        job_id
    }

    pub fn statuses(customer: &Customer, job_id: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for message in customer.outbox(job_id) {
            *counts.entry(message["status"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    pub fn is_all(customer: &Customer, job_id: &str, status: &str, count: usize) -> bool {
        statuses(customer, job_id) == BTreeMap::from([(status.to_owned(), count)])
    }

    pub fn wait_for_all(customer: &Customer, job_id: &str, status: &str, count: usize) {
        wait_until(&format!("{count} messages are {status}"), || is_all(customer, job_id, status, count));
    }

    /// What the daemon says of its relay.
    pub fn relay(customer: &Customer) -> Value {
        let all = customer.get("/_bulkd/deliver").ok(200);
        let items = all["items"].as_array().unwrap();
        items.iter().find(|it| it["channel"] == "relay").unwrap_or_else(|| panic!("{all}")).clone()
    }

    pub fn is_empty(customer: &Customer) -> bool {
        let relay = relay(customer);
        relay["queued"] == 0 && relay["relay"]["lag"] == 0
    }

    #[test]
    fn messages_go_by_redis_to_two_senders_and_their_statuses_come_back() {
        let Some(Scene { redis, place, daemon, customer, .. }) = scene(ALWAYS, &[]) else { return };
        let ledgers = [Ledger::default(), Ledger::default()];
        let providers = ledgers.each_ref().map(provider);
        let senders = providers.each_ref().map(|it| Binary::start_by(&mut place.sender(&to(it), &[])));
        let job_id = send(&customer, 0, 400);
        wait_for_all(&customer, &job_id, "DELIVERED", 400);
        let [one, other] = ledgers.each_ref().map(Ledger::len);
        assert!(one > 0 && other > 0 && one + other == 400, "{one} and {other}");
        // What stays in Redis is nothing.
        for stream in ["outbox", "statuses"] {
            wait_until("it is empty", || redis.ask::<usize>(&format!("XLEN {}", place.key(stream))) == 0);
        }
        wait_until("nothing is left", || is_empty(&customer));
        let told = relay(&customer);
        assert_eq!((&told["delivered"], &told["refused"], &told["paused"]), (&json!(400), &json!(0), &json!(false)));
        assert_eq!(told["relay"]["full"], false, "{told}");
        let metrics = customer.get("/_bulkd/metrics").text;
        assert!(metrics.contains("\nbulkd_relay_lag 0\n"), "{metrics}");
        // A sender that stops leaves nothing behind.
        for sender in senders {
            let ended = sender.terminate();
            assert!(ended.stdout.starts_with("bulkd delivers what is in bulkd:"), "{ended:?}");
        }
        let left = consumers(&redis, &place);
        assert!(left.iter().all(|it| it.starts_with("channel:")), "{left:?}");
        daemon.terminate();
        check(&place.database());
    }

    #[test]
    pub fn a_kill_of_the_daemon_at_any_point_loses_and_doubles_nothing() {
        for point in ["relay-appended", "relay-settled"] {
            let Some((_redis, place, ledger, provider)) = stage(ALWAYS) else { return };
            let daemon = Binary::start_by(place.command(&[]).env("BULKD_CRASH_AT", point));
            let sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
            let job_id = send_and_die(&daemon, 700);
            assert_ne!(daemon.wait().code, Some(0), "{point}");
            let daemon = place.daemon(&[]);
            let customer = daemon.customer("acme");
            customer.completed(&job_id);
            wait_for_all(&customer, &job_id, "DELIVERED", 700);
            wait_until("nothing is left", || is_empty(&customer));
            assert_eq!((ledger.len(), ledger.doubles()), (700, 0), "{point}");
            sender.terminate();
            daemon.terminate();
            check(&place.database());
        }
    }

    /// Runs a job in a daemon that dies somewhere on the way.
    pub fn send_and_die(daemon: &Binary, count: usize) -> String {
        let customer = daemon.customer("acme");
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, count));
        customer.run(&job_id);
        job_id
    }

    #[test]
    pub fn a_kill_of_a_sender_doubles_what_was_in_flight_and_loses_nothing() {
        for (point, most) in [("relay-sent:40", IN_FLIGHT), ("relay-written:3", 0)] {
            let Some(Scene { redis: _redis, place, daemon: _daemon, customer, ledger, provider }) = scene(ALWAYS, &[])
            else {
                return;
            };
            let claim = ["--claim-after", "2s"];
            let killed = Binary::start_by(place.sender(&to(&provider), &claim).env("BULKD_CRASH_AT", point));
            let job_id = send(&customer, 0, 300);
            assert_ne!(killed.wait().code, Some(0), "{point}");
            let _sender = Binary::start_by(&mut place.sender(&to(&provider), &claim));
            wait_for_all(&customer, &job_id, "DELIVERED", 300);
            assert_eq!(ledger.len(), 300, "{point}");
            assert!(ledger.doubles() <= most, "{point}: {}", ledger.doubles());
        }
    }

    #[test]
    pub fn a_kill_of_redis_at_any_point_loses_nothing() {
        // Where the daemon or the sender is, when Redis is killed.
        for (of_daemon, point, most) in [
            (true, "relay-appended:1", 0),
            (true, "relay-settled:1", 0),
            (false, "relay-sent:40", IN_FLIGHT),
            (false, "relay-written:2", 0),
        ] {
            let Some((mut redis, place, ledger, provider)) = stage(ALWAYS) else { return };
            let mut command = place.command(&[]);
            if of_daemon {
                command.env("BULKD_STOP_AT", point);
            }
            let daemon = Binary::start_by(&mut command);
            let mut command = place.sender(&to(&provider), &["--claim-after", "2s"]);
            if !of_daemon {
                command.env("BULKD_STOP_AT", point);
            }
            let sender = Binary::start_by(&mut command);
            let job_id = send_and_die(&daemon, 700);
            let stopped = if of_daemon { &daemon } else { &sender };
            wait_until(point, || stopped.is_stopped());
            redis.kill();
            redis.resume();
            stopped.signal("CONT");
            let customer = daemon.customer("acme");
            customer.completed(&job_id);
            wait_for_all(&customer, &job_id, "DELIVERED", 700);
            assert_eq!(ledger.len(), 700, "{point}");
            assert!(ledger.doubles() <= most, "{point}: {}", ledger.doubles());
        }
    }

    #[test]
    fn a_redis_without_its_last_second_is_given_again_what_it_lost() {
        let Some(Scene { mut redis, place, daemon, customer, ledger, provider }) = scene(EVERY_SECOND, &[]) else {
            return;
        };
        let first = send(&customer, 0, 300);
        let sender = Binary::start_by(&mut place.sender(&to(&provider), &["--claim-after", "2s"]));
        wait_for_all(&customer, &first, "DELIVERED", 300);
        // A copy of what is on its disk, then more work, then a death: what came after the copy is lost.
        let copy = place.folder.path().join("copy");
        redis.copy_data(&copy);
        let before = ledger.len();
        let second = send(&customer, 1_000, 500);
        wait_until("some were sent", || ledger.len() >= before + 100);
        redis.kill();
        redis.put_data_back(&copy);
        let sent = ledger.len() - before;
        redis.resume();
        let third = send(&customer, 2_000, 300);
        wait_for_all(&customer, &second, "DELIVERED", 500);
        wait_for_all(&customer, &third, "DELIVERED", 300);
        wait_until("nothing is left", || is_empty(&customer));
        assert_eq!(ledger.len(), 1_100);
        // Only what was sent in what was lost, and what the sender had taken.
        assert!(ledger.doubles() <= sent + TAKEN, "{} of {sent}", ledger.doubles());
        sender.terminate();
        daemon.terminate();
        check(&place.database());
    }

    #[test]
    fn an_empty_redis_is_given_all_that_has_no_status() {
        let Some(Scene { mut redis, place, daemon: _daemon, customer, ledger, provider }) = scene(&[], &[]) else {
            return;
        };
        let job_id = send(&customer, 0, 400);
        let length = format!("XLEN {}", place.key("outbox"));
        wait_until("all are relayed", || redis.ask::<usize>(&length) == 400);
        // It has kept nothing on its disk.
        redis.kill();
        redis.resume();
        wait_until("all are relayed again", || redis.ask::<usize>(&length) == 400);
        let _sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
        wait_for_all(&customer, &job_id, "DELIVERED", 400);
        assert_eq!((ledger.len(), ledger.doubles()), (400, 0));
    }

    #[test]
    fn a_full_stream_pauses_the_relay_and_no_job() {
        let Some(Scene { redis, place, daemon: _daemon, customer, ledger, provider }) =
            scene(ALWAYS, &["--relay-entries", "50"])
        else {
            return;
        };
        let first = send(&customer, 0, 300);
        wait_until("it is full, and all that is behind is queued", || {
            let told = &relay(&customer)["relay"];
            told["full"] == true && told["in_stream"] == 50 && told["lag"] == 250
        });
        assert!(customer.get("/_bulkd/metrics").text.contains("\nbulkd_relay_full 1\n"));
        // Drains go on.
        let second = send(&customer, 1_000, 300);
        assert_eq!(redis.ask::<usize>(&format!("XLEN {}", place.key("outbox"))), 50);
        assert!(is_all(&customer, &second, "SENT", 300));
        let _sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
        for job_id in [&first, &second] {
            wait_for_all(&customer, job_id, "DELIVERED", 300);
        }
        wait_until("it is not full", || relay(&customer)["relay"]["full"] == false);
        assert_eq!((ledger.len(), ledger.doubles()), (600, 0));
    }

    #[test]
    fn another_files_stream_is_left_alone() {
        if !is_there() {
            return;
        }
        let redis = Redis::start(ALWAYS);
        let places = [Place::new(&redis), Place::new(&redis)];
        let daemons = places.each_ref().map(|place| place.daemon(&[]));
        let [ours, others] = daemons.each_ref().map(|daemon| daemon.customer("acme"));
        let (first, second) = (send(&ours, 0, 100), send(&others, 0, 100));
        let ledger = Ledger::default();
        let provider = provider(&ledger);
        let keys = places.each_ref().map(|place| format!("XLEN {}", place.key("outbox")));
        wait_until("both are relayed", || keys.iter().all(|key| redis.ask::<usize>(key) == 100));
        // Which of them is meant has to be said.
        let vague = Binary::spawn(&mut bulkd(&["deliver", "--from", &redis.url(), "--deliver", &to(&provider)])).wait();
        for place in &places {
            assert!(vague.refusal().contains(&place.tag()), "{vague:?}");
        }
        let _sender = Binary::start_by(&mut places[0].sender(&to(&provider), &[]));
        wait_for_all(&ours, &first, "DELIVERED", 100);
        assert!(is_all(&others, &second, "SENT", 100));
        assert_eq!(redis.ask::<usize>(&keys[1]), 100);
        assert_eq!(ledger.len(), 100);
    }

    #[test]
    fn statuses_only_go_forward_whoever_tells_them() {
        let Some(Scene { redis, place, daemon, customer, .. }) = scene(ALWAYS, &[]) else { return };
        let job_id = send(&customer, 0, 4);
        let length = format!("XLEN {}", place.key("outbox"));
        wait_until("all are relayed", || redis.ask::<usize>(&length) == 4);
        let outbox = customer.outbox(&job_id);
        let id = |n: usize| outbox[n]["message_id"].as_str().unwrap().to_owned();
        customer.post(&format!("/_bulkd/messages/{}/events", id(0)), &json!({ "status": "OPENED" })).ok(200);
        let statuses = place.key("statuses");
        let entries: Vec<(String, Vec<String>)> = redis.ask(&format!("XRANGE {} - +", place.key("outbox")));
        let entry = |n: usize| entries[n].0.trim_end_matches("-0").to_owned();
        let tell = |fields: &str| redis.ask::<String>(&format!("XADD {statuses} * {fields}"));
        // Of the first it was said that it was opened, so it has arrived; of the second it is said twice, and then otherwise; the third is
        // said to be another message, to have come to nothing that is known, and not to be a number.
        tell(&format!("entry {} id {}/0 outcome refused error no", entry(0), id(0)));
        // Not even text.
        let bytes = r"return{redis.call('XADD',KEYS[1],'*','entry','\255','\200','accepted')}";
        redis.ask::<Vec<String>>(&format!("EVAL {bytes} 1 {statuses}"));
        tell(&format!("entry {} id {}/0 outcome accepted reference R", entry(1), id(1)));
        tell(&format!("entry {} id {}/0 outcome accepted", entry(1), id(1)));
        tell(&format!("entry {} id {}/0 outcome refused error no", entry(1), id(1)));
        tell(&format!("entry {} id {}/0 outcome refused error no", entry(2), id(1)));
        tell(&format!("entry {} id {}/0 outcome lost", entry(2), id(2)));
        tell("entry x outcome accepted");
        // No message that went out has such a reason.
        tell(&format!("entry {} id {}/0 outcome refused reason UNSUBSCRIBED error no", entry(3), id(3)));
        tell(&format!("entry {} outcome accepted", entry(2)));
        tell("nothing at-all");
        tell("entry 9223372036854775807 outcome accepted");
        wait_until("all are taken", || redis.ask::<usize>(&format!("XLEN {statuses}")) == 0);
        let found: Vec<Value> = customer.outbox(&job_id).iter().map(|it| it["status"].clone()).collect();
        assert_eq!(found, ["OPENED", "DELIVERED", "SENT", "UNDELIVERABLE"]);
        assert_eq!(customer.outbox(&job_id)[3]["reason"], "FAILED");
        daemon.logs("a status cannot be read");
        daemon.logs("expected the event's id in 'id'");
    }

    #[test]
    fn a_file_from_a_backup_goes_on_behind_what_redis_has() {
        let Some((redis, place, ledger, provider)) = stage(ALWAYS) else { return };
        let mut daemon = place.daemon(&[]);
        let first = send(&daemon.customer("acme"), 0, 100);
        let length = format!("XLEN {}", place.key("outbox"));
        wait_until("all are relayed", || redis.ask::<usize>(&length) == 100);
        // A backup of a file of which a hundred messages are on their way; then these are sent, and a hundred others.
        let backup = place.folder.path().join("backup.db");
        let backed_up = Binary::spawn(&mut bulkd(&[
            "backup",
            backup.to_str().unwrap(),
            "--db",
            place.database().to_str().unwrap(),
        ]));
        assert_eq!(backed_up.wait().code, Some(0));
        let lost = send(&daemon.customer("acme"), 1_000, 100);
        let sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
        for job_id in [&first, &lost] {
            wait_for_all(&daemon.customer("acme"), job_id, "DELIVERED", 100);
        }
        daemon.terminate();
        let database = place.database();
        let args = ["restore", backup.to_str().unwrap(), "--force", "--db", database.to_str().unwrap()];
        assert_eq!(Binary::spawn(&mut bulkd(&args)).wait().code, Some(0));
        daemon = place.daemon(&[]);
        let customer = daemon.customer("acme");
        let third = send(&customer, 2_000, 100);
        for job_id in [&first, &third] {
            wait_for_all(&customer, job_id, "DELIVERED", 100);
        }
        daemon.logs("it is older than they are");
        // What was on its way when the backup was made is sent once more, and nothing else is.
        assert_eq!(ledger.doubles(), 100);
        sender.terminate();
        daemon.terminate();
        check(&place.database());
    }

    #[cfg(feature = "tls")]
    #[test]
    fn redis_is_spoken_to_by_tls_with_a_password_that_is_nowhere_shown() {
        if !is_there() {
            return;
        }
        let (socket, address) = crate::support::unheard();
        let (redis, certificate) = Redis::start_tls(address.port());
        drop(socket);
        redis.ask::<()>("CONFIG SET requirepass secret-word");
        let url = format!("rediss://:secret-word@localhost:{}", address.port());
        let place = Place { folder: tempfile::tempdir().unwrap(), redis_url: url };
        let daemon = Binary::start_by(place.command(&[]).env("SSL_CERT_FILE", &certificate));
        let customer = daemon.customer("acme");
        let ledger = Ledger::default();
        let provider = provider(&ledger);
        let sender = Binary::start_by(place.sender(&to(&provider), &[]).env("SSL_CERT_FILE", &certificate));
        let job_id = send(&customer, 0, 10);
        wait_for_all(&customer, &job_id, "DELIVERED", 10);
        let told = relay(&customer);
        assert_eq!(told["target"], format!("rediss://localhost:{}/0", address.port()));
        // One that does not know the certificate does not trust the server.
        let refused = Binary::spawn(&mut place.sender(&to(&provider), &[])).wait();
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let ended = [sender.terminate(), daemon.terminate(), refused];
        assert!(
            ended.iter().all(|it| !it.stdout.contains("secret-word") && !it.stderr.contains("secret-word")),
            "{ended:?}"
        );
    }

    #[test]
    fn what_no_redis_can_be_is_refused_by_the_name_of_the_flag() {
        let refused = |args: &[&str]| {
            let ended = Binary::spawn(&mut bulkd(args)).wait();
            assert!(ended.code != Some(0) && !ended.stderr.contains("secret-word"), "{ended:?}");
            ended.stderr
        };
        for url in ["", "x", "http://127.0.0.1", "redis://", "redis://:secret-word@127.0.0.1:x", "redis://127.0.0.1/x"]
        {
            let said = refused(&["--ephemeral", "--listen", ":0", "--relay", url]);
            assert!(said.contains("--relay: expected a Redis"), "{url}: {said}");
            let said = refused(&["deliver", "--from", url, "--deliver", "all=-"]);
            assert!(said.contains("--from: expected a Redis"), "{url}: {said}");
        }
        let deliver = ["deliver", "--from", "redis://127.0.0.1:1", "--deliver", "all=-"];
        for (more, expected) in [
            (&["--tag", "x"][..], "--tag: expected the 12 hex digits"),
            (&["--name", "channel:sms"], "expected up to 100 letters"),
            (&["--tries", "0"], "--tries"),
            (&["--claim-after", "999ms"], "--claim-after"),
            (&["--deliver-rate", "x=1"], "--deliver-rate"),
            (&["--deliver", "sms=-"], "expected one target"),
            (&["--tag", "0123456789ab"], "redis://127.0.0.1:1/0: "),
        ] {
            let said = refused(&[&deliver, more].concat());
            assert!(said.contains(expected), "{more:?}: {said}");
        }
    }

    pub fn consumers(redis: &Redis, place: &Place) -> Vec<String> {
        let group = format!("XINFO CONSUMERS {} senders", place.key("outbox"));
        let told: Vec<BTreeMap<String, redis::Value>> = redis.ask(&group);
        told.iter().map(|it| redis::from_redis_value_ref(&it["name"]).unwrap()).collect()
    }

    #[test]
    fn a_redis_without_memory_is_emptied_by_the_senders_and_loses_nothing() {
        let full = [ALWAYS, &["--maxmemory", "8mb", "--maxmemory-policy", "noeviction"]].concat();
        let Some(Scene { redis, place, daemon: _daemon, customer, ledger, provider }) = scene(&full, &[]) else {
            return;
        };
        // Twice as much as it has room for.
        let job_id = send(&customer, 0, 1_500);
        wait_until("there is no memory left", || {
            relay(&customer)["relay"]["error"].as_str().is_some_and(|error| error.contains("OOM"))
        });
        assert!(customer.get("/_bulkd/metrics").text.contains("\nbulkd_relay_up 0\n"));
        let told = relay(&customer);
        assert!(told["relay"]["lag"].as_u64().unwrap() > 0, "{told}");
        assert!(redis.ask::<usize>(&format!("XLEN {}", place.key("outbox"))) > 0);
        // It takes nothing more, and yet a sender begins, and says what came of it.
        let sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
        wait_for_all(&customer, &job_id, "DELIVERED", 1_500);
        wait_until("nothing is left", || is_empty(&customer));
        assert_eq!((ledger.len(), ledger.doubles()), (1_500, 0));
        wait_until("nothing is wrong", || relay(&customer)["relay"]["error"].is_null());
        sender.terminate();
    }

    #[test]
    fn statuses_that_cannot_be_taken_are_said_to_be_so() {
        let Some(Scene { redis, place, daemon: _daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else {
            return;
        };
        // Another client has put something else in their place. What a sender sends meanwhile it keeps to itself.
        let statuses = place.key("statuses");
        redis.ask::<()>(&format!("SET {statuses} x"));
        wait_until("that is said", || {
            relay(&customer)["relay"]["error"].as_str().is_some_and(|error| error.contains("WRONGTYPE"))
        });
        assert!(customer.get("/_bulkd/metrics").text.contains("\nbulkd_relay_up 0\n"));
        let sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
        let job_id = send(&customer, 0, 20);
        sender.logs("WRONGTYPE");
        assert!(ledger.len() > 0);
        let length = || redis.ask::<usize>(&format!("XLEN {}", place.key("outbox")));
        wait_until("all are relayed, and none has gone", || length() == 20);
        redis.ask::<()>(&format!("DEL {statuses}"));
        wait_for_all(&customer, &job_id, "DELIVERED", 20);
        assert_eq!(ledger.doubles(), 0);
        wait_until("nothing is wrong", || relay(&customer)["relay"]["error"].is_null());
    }

    #[test]
    fn entries_that_somebody_deletes_are_given_again() {
        let Some(Scene { redis, place, daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else { return };
        let job_id = send(&customer, 0, 10);
        let outbox = place.key("outbox");
        let length = || redis.ask::<usize>(&format!("XLEN {outbox}"));
        wait_until("all are relayed", || length() == 10);
        let entries: Vec<(String, Vec<String>)> = redis.ask(&format!("XRANGE {outbox} - +"));
        let ids: Vec<&str> = [0, 4, 9].iter().map(|n| entries[*n].0.as_str()).collect();
        assert_eq!(redis.ask::<usize>(&format!("XDEL {outbox} {}", ids.join(" "))), 3);
        redis.ask::<usize>("CLIENT KILL TYPE normal SKIPME yes");
        wait_until("they are there again", || length() == 10);
        daemon.logs("3 entries that have no status are not in the stream: they are given again");
        let _sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
        wait_for_all(&customer, &job_id, "DELIVERED", 10);
        assert_eq!((ledger.len(), ledger.doubles()), (10, 0));
    }

    #[test]
    fn what_somebody_else_appends_is_a_dead_letter_and_costs_no_message() {
        let Some(Scene { redis, place, daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else { return };
        let job_id = send(&customer, 0, 10);
        let outbox = place.key("outbox");
        wait_until("all are relayed", || redis.ask::<usize>(&format!("XLEN {outbox}")) == 10);
        let last: Vec<(String, Vec<String>)> = redis.ask(&format!("XREVRANGE {outbox} + - COUNT 1"));
        let last: i64 = last[0].0.trim_end_matches("-0").parse().unwrap();
        // Under the number of the next message but one, and without what an event has.
        redis.ask::<String>(&format!("XADD {outbox} {}-0 event hello", last + 2));
        let second = send(&customer, 1_000, 10);
        daemon.logs("somebody else has appended");
        let sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
        for job_id in [&job_id, &second] {
            wait_for_all(&customer, job_id, "DELIVERED", 10);
        }
        sender.logs("an entry is no event, and becomes a dead letter");
        wait_until("nothing is left", || is_empty(&customer));
        assert_eq!((ledger.len(), ledger.doubles()), (20, 0));
        let dead: Vec<(String, BTreeMap<String, String>)> = redis.ask(&format!("XRANGE {} - +", place.key("dead")));
        let [(_, letter)] = dead.as_slice() else { panic!("{dead:?}") };
        assert_eq!((letter["event"].as_str(), letter["tries"].as_str()), ("hello", "0"));
        assert!(letter["error"].contains("could not be read"), "{letter:?}");
    }

    /// What Redis itself takes of entries like these, in pipelines of hundreds.
    pub fn own_rate(redis: &Redis, event: &str, count: usize) -> f64 {
        let mut connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
        let begun = Instant::now();
        for first in (1..=count).step_by(300) {
            let mut commands = redis::pipe();
            for entry in first..(first + 300).min(count + 1) {
                commands.cmd("XADD").arg("own").arg(format!("{entry}-0")).arg("event").arg(event).ignore();
            }
            commands.query::<()>(&mut connection).unwrap();
        }
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        redis::cmd("DEL").arg("own").exec(&mut connection).unwrap();
        rate
    }

    #[test]
    fn many_messages_go_through_three_senders() {
        let Some(Scene { redis, place, daemon, customer, .. }) = scene(ALWAYS, &["--relay-entries", "2000000"]) else {
            return;
        };
        let count = sized(20_000, 1_000_000);
        // Texts by SMS: an e-mail's event has the whole of it three times, and a million of them would fill a disk.
        let sample = customer.create(text());
        customer.ingest(&sample, texted(5_000_000, 1));
        customer.run_to_the_end(&sample);
        let length = format!("XLEN {}", place.key("outbox"));
        wait_until("it is relayed", || redis.ask::<usize>(&length) == 1);
        let found: Vec<(String, BTreeMap<String, String>)> = redis.ask(&format!("XRANGE {} - +", place.key("outbox")));
        let event = found[0].1["event"].clone();
        let own = own_rate(&redis, &event, count.min(100_000));

        let files: Vec<PathBuf> = (0..3).map(|n| place.folder.path().join(format!("sent-{n}.jsonl"))).collect();
        let job_id = customer.create(text());
        for first in (0..count).step_by(1_000) {
            customer.ingest(&job_id, texted(first, 1_000.min(count - first)));
        }
        // First it is relayed, without a sender to take it; then it is delivered.
        let begun = Instant::now();
        customer.run(&job_id);
        let patience = Instant::now() + Duration::from_secs(sized(600, 3_600));
        let wait_for = |so: &dyn Fn(&Value) -> bool| loop {
            let told = relay(&customer);
            if so(&told) {
                break;
            }
            assert!(Instant::now() < patience, "{told}");
            std::thread::park_timeout(Duration::from_millis(100));
        };
        wait_for(&|_| customer.job(&job_id)["status"] == "COMPLETED");
        let drained = begun.elapsed();
        wait_for(&|told| told["relay"]["last_entry"] == count + 1);
        let relayed = begun.elapsed();
        let begun = Instant::now();
        let senders: Vec<Binary> = files
            .iter()
            .map(|file| Binary::start_by(&mut place.sender(&format!("all=file:{}", file.display()), &[])))
            .collect();
        wait_for(&|told| told["delivered"] == count + 1);
        let over = begun.elapsed();
        senders.into_iter().for_each(|sender| drop(sender.terminate()));
        let mut ids = std::collections::HashSet::new();
        let mut shares = Vec::new();
        for file in &files {
            let text = std::fs::read_to_string(file).unwrap();
            shares.push(text.lines().count());
            for line in text.lines() {
                let event: Value = serde_json::from_str(line).unwrap();
                assert!(ids.insert(event["id"].as_str().unwrap().to_owned()), "{} twice", event["id"]);
            }
        }
        assert_eq!(ids.len(), count + 1);
        assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
        let rate = |span: Duration| count as f64 / span.as_secs_f64();
        println!(
            "{count} messages of {} bytes each: drained at {:.0} a second, relayed alone at {:.0}, delivered after that by \
             three senders ({shares:?}) at {:.0}; Redis itself takes {own:.0} such entries a second, in pipelines of 300 with appendfsync always",
            event.len(),
            rate(drained),
            rate(relayed),
            rate(over),
        );
        daemon.terminate();
    }
}
