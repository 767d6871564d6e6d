//! https: the real binary, its certificate, and who vouches for it.

#[cfg(not(feature = "tls"))]
mod without {
    use crate::support::binary::{Binary, bulkd};

    #[test]
    fn a_build_without_https_says_so() {
        for args in
            [&["--tls", "--ephemeral"][..], &["--tls-cert", "a.pem", "--tls-key", "b.pem", "--ephemeral"], &["ca"]]
        {
            let ended = Binary::spawn(&mut bulkd(args)).wait();
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
            assert!(ended.stderr.contains("built without https"), "{ended:?}");
            assert!(ended.stderr.contains("--features tls"), "{ended:?}");
        }
    }
}

#[cfg(all(feature = "tls", unix))]
mod with {
    use std::fs;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Duration;

    use bulkd::config::Tls;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

    use crate::support::binary::{Binary, bulkd};
    use crate::support::{Customer, Daemon, PATIENCE, json, newsletter, readers, wait_until};

    type Spoken = StreamOwned<ClientConnection, TcpStream>;

    /// A file that a daemon with https is served from.
    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            Place { folder: tempfile::tempdir().unwrap() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn text(&self, name: &str) -> String {
            self.path(name).to_str().unwrap().to_owned()
        }

        fn start(&self, more: &[&str]) -> Binary {
            let database = self.text("bulkd.db");
            Binary::start(&[&["--listen", "127.0.0.1:0", "--db", &database], more].concat())
        }

        fn authority(&self) -> PathBuf {
            self.path("bulkd.db-ca.pem")
        }

        fn customer(&self, daemon: &Binary) -> Customer {
            Customer::trusting(&self.authority(), &format!("https://{}", daemon.address()), "acme")
        }
    }

    fn plain(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection on which the daemon is known by this name.
    fn connect(address: SocketAddr, authority: &Path, name: &str) -> Spoken {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), plain(address))
    }

    /// Asks on a connection that stays open, and reads the answer.
    fn ask(spoken: &mut impl ReadWrite, method: &str, path: &str, body: &str) -> std::io::Result<String> {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\n");
        let head = format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        spoken.write_all(head.as_bytes())?;
        spoken.write_all(body.as_bytes())?;
        spoken.flush()?;
        answer(spoken)
    }

    trait ReadWrite: Read + Write {}
    impl<T: Read + Write> ReadWrite for T {}

    fn answer(spoken: &mut impl Read) -> std::io::Result<String> {
        let (mut text, mut byte) = (Vec::new(), [0]);
        while !text.ends_with(b"\r\n\r\n") {
            spoken.read_exact(&mut byte)?;
            text.extend(byte);
        }
        let head = String::from_utf8(text).unwrap();
        let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        spoken.read_exact(&mut body)?;
        Ok(head + std::str::from_utf8(&body).unwrap())
    }

    fn daemon() -> Daemon {
        Daemon::start_with(|config| config.tls = Some(Tls::Made))
    }

    #[test]
    fn all_works_by_https_and_a_stop_and_a_start_keep_the_authority() {
        let place = Place::new();
        let daemon = place.start(&["--tls", "--allow-origin", "https://app.test"]);
        let address = daemon.address();
        assert!(daemon.first_line().starts_with(&format!("bulkd answers on https://{address}, ")));
        let said = daemon.says("COURIER_BASE_URL");
        let authority = place.authority().display().to_string();
        assert!(said.contains(&format!("The certificate of its authority is {authority}\n")), "{said}");
        assert!(said.contains(&format!("=https://{address} NODE_EXTRA_CA_CERTS={authority} SSL_CERT_FILE=")), "{said}");
        let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("bulkd.db-ca-key.pem"), 0o600);
        let kept = fs::read_to_string(place.authority()).unwrap();
        assert!(!kept.contains("PRIVATE"), "{kept}");

        let customer = place.customer(&daemon);
        assert_eq!(customer.get("/_bulkd/health").status, 200);
        let page = customer.get("/");
        assert!(page.status == 200 && page.text.contains("<title>"), "{page:?}");
        let own_page = customer.without_key().with_header("Origin", &format!("https://{address}"));
        own_page.get("/_bulkd/environments").ok(200);
        let foreign = customer.without_key().with_header("Origin", &format!("http://{address}"));
        foreign.get("/_bulkd/environments").refused(403);
        let of_app = customer.with_header("Origin", "https://app.test").get("/_bulkd/jobs");
        assert_eq!(of_app.header("access-control-allow-origin"), Some("https://app.test"), "{of_app:?}");
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, 2_000));
        assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 2_000);
        assert_eq!(customer.outbox(&job_id).len(), 2_000);
        let archive = customer.get("/_bulkd/requests?format=har");
        assert!(archive.text.contains(&format!("\"url\":\"https://{address}/bulk\"")), "{archive:?}");
        daemon.terminate();

        // A key that others could read is for this user alone again.
        fs::set_permissions(place.path("bulkd.db-ca-key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(place.authority(), "something else").unwrap();
        let daemon = place.start(&["--tls"]);
        daemon.logs("could be read by others");
        assert_eq!(mode("bulkd.db-ca-key.pem"), 0o600);
        assert_eq!(fs::read_to_string(place.authority()).unwrap(), kept);
        assert_eq!(place.customer(&daemon).job(&job_id)["status"], "COMPLETED");
        let printed = Binary::spawn(&mut bulkd(&["ca", "--db", &place.text("bulkd.db")])).wait();
        assert_eq!((printed.code, printed.stdout), (Some(0), kept));
        daemon.terminate();

        fs::write(place.path("bulkd.db-ca-key.pem"), "nothing").unwrap();
        let ended = Binary::spawn(&mut bulkd(&["--tls", "--listen", ":0", "--db", &place.text("bulkd.db")])).wait();
        assert!(ended.code == Some(1) && ended.stderr.contains("bulkd.db-ca-key.pem holds no key"), "{ended:?}");
    }

    #[test]
    fn the_authority_can_be_trusted_before_the_first_start_and_vouches_for_all_names_of_the_daemon() {
        let place = Place::new();
        let printed = Binary::spawn(&mut bulkd(&["ca", "--db", &place.text("bulkd.db")])).wait();
        fs::write(place.path("trusted.pem"), &printed.stdout).unwrap();
        let daemon = place.start(&["--tls", "--allow-host", "bulkd.test", "--allow-host", "Other.test"]);
        let trusted = place.path("trusted.pem");
        for name in ["localhost", "127.0.0.1", "::1", "api.courier.com", "bulkd.test", "other.test"] {
            let mut spoken = connect(daemon.address(), &trusted, name);
            assert!(ask(&mut spoken, "GET", "/_bulkd/health", "").unwrap().starts_with("HTTP/1.1 200"), "{name}");
        }
        let refused = ask(&mut connect(daemon.address(), &trusted, "courier.com"), "GET", "/_bulkd/health", "");
        assert!(refused.unwrap_err().to_string().contains("certificate"), "no name of it");

        // A client that does not know the authority refuses it, and the log says what to do.
        let other = Place::new();
        let printed = Binary::spawn(&mut bulkd(&["ca", "--db", &other.text("bulkd.db")])).wait();
        fs::write(other.path("trusted.pem"), &printed.stdout).unwrap();
        let mut stranger = connect(daemon.address(), &other.path("trusted.pem"), "localhost");
        assert!(ask(&mut stranger, "GET", "/_bulkd/health", "").is_err());
        daemon.logs("NODE_EXTRA_CA_CERTS");
        daemon.terminate();
    }

    #[test]
    fn of_a_file_that_is_thrown_away_the_authority_is_so_too_and_its_key_is_never_written() {
        let daemon = Binary::start(&["--listen", "127.0.0.1:0", "--ephemeral", "--tls"]);
        let said = daemon.says("COURIER_BASE_URL");
        let authority =
            said.lines().find_map(|line| line.strip_prefix("The certificate of its authority is ")).unwrap();
        let authority = PathBuf::from(authority);
        let folder = authority.parent().unwrap();
        let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
        assert!(names.into_iter().all(|name| !name.contains("key")));
        let mut spoken = connect(daemon.address(), &authority, "api.courier.com");
        assert!(ask(&mut spoken, "GET", "/_bulkd/jobs", "").unwrap().starts_with("HTTP/1.1 200"));
        daemon.terminate();
        assert!(!folder.exists());
    }

    #[test]
    fn a_certificate_of_ones_own_is_taken_and_what_does_not_fit_is_refused() {
        let place = Place::new();
        let made = |name: &str| {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = rcgen::CertificateParams::new(vec!["own.test".to_owned()]).unwrap();
            fs::write(place.path(&format!("{name}.pem")), params.self_signed(&key).unwrap().pem()).unwrap();
            fs::write(place.path(&format!("{name}-key.pem")), key.serialize_pem()).unwrap();
        };
        made("own");
        made("other");
        fs::write(place.path("text.pem"), "no PEM").unwrap();
        fs::write(place.path("broken.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let (own, key) = (place.text("own.pem"), place.text("own-key.pem"));
        let daemon = place.start(&["--tls-cert", &own, "--tls-key", &key]);
        assert!(!daemon.says("COURIER_BASE_URL").contains("authority"));
        assert!(!place.authority().exists());
        let mut spoken = connect(daemon.address(), &place.path("own.pem"), "own.test");
        assert!(ask(&mut spoken, "GET", "/_bulkd/jobs", "").unwrap().starts_with("HTTP/1.1 200"));
        daemon.terminate();

        for (certificate, key, expected) in [
            ("none.pem", "own-key.pem", "--tls-cert {cert}: there is no such file"),
            ("text.pem", "own-key.pem", "--tls-cert {cert} has no certificate; expected PEM"),
            ("broken.pem", "own-key.pem", "--tls-cert {cert} is no certificate that can be used"),
            ("own.pem", "none.pem", "--tls-key {key}: there is no such file"),
            ("own.pem", "own.pem", "--tls-key {key} has no unencrypted private key; expected PEM"),
            ("own.pem", "other-key.pem", "--tls-key {key} is not the key of --tls-cert {cert}"),
        ] {
            let (certificate, key) = (place.text(certificate), place.text(key));
            let args = ["--tls-cert", &certificate, "--tls-key", &key, "--ephemeral", "--listen", ":0"];
            let ended = Binary::spawn(&mut bulkd(&args)).wait();
            let expected = expected.replace("{cert}", &certificate).replace("{key}", &key);
            assert!(ended.code == Some(1) && ended.stderr.contains(&expected), "{expected}\n{ended:?}");
        }
        #[cfg(unix)]
        for flags in [["--tls-cert", "/dev/zero", "--tls-key", &own], ["--tls-cert", &own, "--tls-key", "/dev/zero"]] {
            let flags = [&flags[..], &["--ephemeral", "--listen", ":0"]].concat();
            let ended = Binary::spawn(&mut bulkd(&flags)).wait();
            assert!(ended.code == Some(1) && ended.stderr.contains("it has more than"), "{ended:?}");
        }
        let ended = Binary::spawn(&mut bulkd(&["--tls-cert", &own])).wait();
        assert!(ended.code == Some(2) && ended.stderr.contains("--tls-key"), "{ended:?}");
    }

    #[test]
    fn a_peer_that_speaks_plain_http_is_told_so_and_the_health_is_answered_in_any_way() {
        let place = Place::new();
        let daemon = place.start(&["--tls"]);
        let said = ask(&mut plain(daemon.address()), "GET", "/_bulkd/jobs", "").unwrap();
        assert!(said.starts_with("HTTP/1.1 400") && said.contains("https is spoken here"), "{said}");
        let mut stream = plain(daemon.address());
        assert!(ask(&mut stream, "GET", "/_bulkd/health", "").unwrap().starts_with("HTTP/1.1 200"));
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "it is closed");
        let address = daemon.address().to_string();
        let url = format!("https://{address}");
        for place in [["--listen", &address], ["--url", &url]] {
            let ready = Binary::spawn(&mut bulkd(&[&["ready", "--wait", "10s"][..], &place].concat())).wait();
            assert_eq!(ready.code, Some(0), "{ready:?}");
        }
        // Half a line is refused when its time is over, and what is neither as soon as it is seen.
        let mut stream = plain(daemon.address());
        stream.write_all(b"GET /_bulkd/jo").unwrap();
        assert!(answer(&mut stream).unwrap().contains("https is spoken here"));
        let mut stream = plain(daemon.address());
        stream.write_all(b"\x16\x03\x01\x00\x04\xff\x00\x00\x00").unwrap();
        let mut alert = Vec::new();
        stream.read_to_end(&mut alert).unwrap();
        assert_eq!(alert.first(), Some(&21), "{alert:?}");
        daemon.terminate();
    }

    #[test]
    fn the_doctor_asks_by_https_whom_it_is_told_to_trust() {
        let place = Place::new();
        let daemon = place.start(&["--tls"]);
        let url = format!("https://{}", daemon.address());
        place.customer(&daemon).create(newsletter());
        let authority = place.text("bulkd.db-ca.pem");
        let doctor = |more: &[&str]| {
            let args = [&["doctor", "--url", &url, "--api-key", "acme"], more].concat();
            let mut command = bulkd(&args);
            command.env_remove("SSL_CERT_FILE");
            Binary::spawn(&mut command).wait()
        };
        let asked = doctor(&["--ca", &authority]);
        assert!(asked.code == Some(0) && asked.stdout.contains("no-event"), "{asked:?}");
        assert!(doctor(&[]).refusal().contains("with --ca"));
        assert!(doctor(&["--ca", "none.pem"]).refusal().contains("--ca none.pem: "));
        fs::write(place.path("text.pem"), "none").unwrap();
        assert!(doctor(&["--ca", &place.text("text.pem")]).refusal().contains("it has no certificate; expected PEM"));
        daemon.terminate();
    }

    #[test]
    fn a_job_is_promoted_by_https_to_whom_it_is_told_to_trust() {
        let (place, other) = (Place::new(), Place::new());
        let (here, there) = (place.start(&["--tls"]), other.start(&["--tls"]));
        let customer = place.customer(&here);
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, 3));
        let (from, to) = (format!("https://{}", here.address()), format!("https://{}", there.address()));
        let promote = |more: &[&str]| {
            let keys = ["promote", &job_id, "--from-api-key", "acme", "--api-key", "acme"];
            let args = [&keys, &["--from", &from, "--to", &to][..], more].concat();
            let mut command = bulkd(&args);
            command.env_remove("SSL_CERT_FILE");
            Binary::spawn(&mut command).wait()
        };
        let (from_ca, to_ca) = (place.text("bulkd.db-ca.pem"), other.text("bulkd.db-ca.pem"));
        // Those that browsers trust have not vouched for either, and the one's authority has not for the other.
        assert!(promote(&[]).refusal().contains("UnknownIssuer"));
        let refused = promote(&["--from-ca", &from_ca]).refusal().to_owned();
        assert!(refused.contains(&to) && refused.contains("UnknownIssuer"), "{refused}");
        let refused = promote(&["--from-ca", &from_ca, "--to-ca", &from_ca]).refusal().to_owned();
        assert!(refused.contains(&to), "{refused}");
        assert!(promote(&["--from-ca", "none.pem"]).refusal().contains("--from-ca none.pem: "));
        let done = promote(&["--from-ca", &from_ca, "--to-ca", &to_ca]);
        assert!(done.code == Some(0) && done.stdout.contains("users sent: 3"), "{done:?}");
        let customer = other.customer(&there);
        customer.post("/_bulkd/wait", &json!({ "settled": true })).ok(200);
        assert_eq!(customer.get("/_bulkd/outbox").ok(200)["items"].as_array().unwrap().len(), 3);
        here.terminate();
        there.terminate();
    }

    #[test]
    fn handshakes_that_do_not_go_on_hold_nobody_up_and_end() {
        let with_time = |head: Duration| {
            Daemon::start_with(|config| {
                config.tls = Some(Tls::Made);
                config.limits.head = head;
            })
        };
        let begun = |daemon: &Daemon| {
            let mut stream = plain(daemon.address());
            stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
            stream
        };
        let daemon = with_time(PATIENCE);
        let slow: Vec<TcpStream> = (0..200).map(|_| begun(&daemon)).collect();
        for _ in 0..3 {
            let mut spoken = connect(daemon.address(), &daemon.authority(), "localhost");
            assert!(ask(&mut spoken, "GET", "/_bulkd/health", "").unwrap().starts_with("HTTP/1.1 200"));
        }
        drop(slow);
        let daemon = with_time(Duration::from_millis(300));
        for mut stream in (0..5).map(|_| begun(&daemon)).collect::<Vec<_>>() {
            assert_eq!(stream.read(&mut [0; 64]).unwrap_or(0), 0, "nothing is said to who has not come to asking");
        }
    }

    #[test]
    fn large_bodies_and_answers_pass_whole_to_a_peer_that_is_slow() {
        let daemon = daemon();
        let mut spoken = connect(daemon.address(), &daemon.authority(), "localhost");
        let text: String = (0..400_000).map(|i| format!("{i:07}-")).collect();
        let body = json!({ "profile": { "email": "ada@example.com", "text": text } }).to_string();
        // Both ways at once: what the daemon has to say waits until it is read.
        let said = ask(&mut spoken, "PUT", "/profiles/ada", &body).unwrap();
        assert!(said.starts_with("HTTP/1.1 200"), "{said:.300}");
        let get = "GET /profiles/ada HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\n\r\n";
        for _ in 0..3 {
            spoken.write_all(get.repeat(2).as_bytes()).unwrap();
            spoken.flush().unwrap();
        }
        for _ in 0..6 {
            let said = answer(&mut spoken).unwrap();
            assert!(said.starts_with("HTTP/1.1 200") && said.contains(&text), "{said:.300}");
        }
        assert!(ask(&mut spoken, "GET", "/_bulkd/health", "").unwrap().starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn what_comes_later_or_bit_by_bit_comes_by_https_too_and_a_stop_ends_all() {
        let mut daemon = daemon();
        let authority = daemon.authority();
        let customer = Customer::trusting(&authority, &format!("https://{}", daemon.address()), "acme");
        let mut events = connect(daemon.address(), &authority, "localhost");
        let head = "GET /_bulkd/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\n\r\n";
        events.write_all(head.as_bytes()).unwrap();
        events.flush().unwrap();
        let mut heard = String::new();
        let mut hear = |what: &str| {
            let mut bytes = [0; 4096];
            while !heard.contains(what) {
                let count = events.read(&mut bytes).unwrap();
                assert!(count > 0, "it has ended after {heard}");
                heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        };
        hear("event: ready");
        let mut waiting = connect(daemon.address(), &authority, "localhost");
        let wait = json!({ "outbox": { "recipient": "reader-0" } }).to_string();
        let head = "POST /_bulkd/wait HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\n";
        waiting.write_all(format!("{head}Content-Length: {}\r\n\r\n{wait}", wait.len()).as_bytes()).unwrap();
        waiting.flush().unwrap();
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, 1));
        customer.run(&job_id);
        assert!(answer(&mut waiting).unwrap().starts_with("HTTP/1.1 200"));
        hear("event: message");
        // A connection that is open and silent ends at the stop, and so does a stream.
        daemon.stop();
        let mut rest = Vec::new();
        let _ = waiting.read_to_end(&mut rest);
        assert_eq!(rest, b"");
        daemon.open();
        assert_eq!(
            Customer::trusting(&authority, &format!("https://{}", daemon.address()), "acme").job(&job_id)["enqueued"],
            1
        );
    }

    #[test]
    fn a_fault_that_loses_an_answer_loses_it_by_https() {
        let daemon = daemon();
        let authority = daemon.authority();
        let customer = Customer::trusting(&authority, &format!("https://{}", daemon.address()), "acme");
        customer.post("/_bulkd/faults", &json!({ "preset": "lost-answer" })).ok(201);
        let body = json!({ "message": newsletter() }).to_string();
        let mut spoken = connect(daemon.address(), &authority, "localhost");
        assert!(ask(&mut spoken, "POST", "/bulk", &body).is_err());
        assert_eq!(customer.get("/_bulkd/jobs").ok(200)["items"].as_array().unwrap().len(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_silent_connection_costs_little() {
        const PEERS: usize = 300;
        let place = Place::new();
        let daemon = place.start(&["--tls", "--log", "warn"]);
        let authority = place.authority();
        let open = || {
            let mut spoken = connect(daemon.address(), &authority, "localhost");
            assert!(ask(&mut spoken, "GET", "/_bulkd/health", "").unwrap().starts_with("HTTP/1.1 200"));
            spoken
        };
        let warm: Vec<Spoken> = (0..50).map(|_| open()).collect();
        let (before, threads) = (daemon.kernel_says("VmRSS"), daemon.kernel_says("Threads"));
        let peers: Vec<Spoken> = (0..PEERS).map(|_| open()).collect();
        let each = daemon.kernel_says("VmRSS").saturating_sub(before) * 1024 / PEERS as u64;
        assert!(each < 32 * 1024, "{each} bytes for each of {PEERS}");
        wait_until("no thread is kept for them", || daemon.kernel_says("Threads") <= threads + 2);
        drop((warm, peers));
        daemon.terminate();
    }
}
