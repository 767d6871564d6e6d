//! The real binary takes no more memory than it was given, and gives back what it has used.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::binary::Binary;
use crate::support::{PATIENCE, json, newsletter, sized, wait_until};
use socket2::{Domain, Socket, Type};

const MIB: u64 = 1024 * 1024;
/// Of a body, and of the answer that shows it: a little less than the most.
const BYTES: u64 = 6_000_000;

/// A connection that takes in little of what it is sent.
fn connect(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

fn say(peer: &mut TcpStream, request: &str, length: usize) {
    let head =
        format!("{request} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\nContent-Length: {length}");
    peer.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
}

fn hear(peer: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = peer.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// Whether nothing was said yet.
fn is_open(peer: &TcpStream) -> bool {
    peer.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_burst_takes_what_it_may_and_is_given_back() {
    let budget = sized(128, 512) * MIB;
    let memory = format!("{}M", budget / MIB);
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral", "--log", "error", "--memory", &memory]);
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let user = |i: u64| json!({ "recipient": format!("reader-{i}"), "data": { "text": "x".repeat(5_900) } });
    customer.ingest(&job_id, (0..1_000).map(user).collect());
    let memory = |name: &str| daemon.kernel_says(name) * 1024;
    let bound = budget + budget / 3 + 100 * MIB;
    let path = format!("/bulk/{job_id}");

    // Bodies that lack a byte, as many as there is room for.
    let count = budget / BYTES;
    let body = format!("{{\"users\":[]{}}}", " ".repeat(BYTES as usize - 12));
    let post = |body: &str| {
        let mut peer = connect(daemon.address());
        say(&mut peer, &format!("POST {path}"), BYTES as usize);
        let _ = peer.write_all(body.as_bytes());
        peer
    };
    let mut peers: Vec<TcpStream> = Vec::new();
    wait_until("they are all there, and one more is refused", || {
        // Each has a minute to arrive, and a busy machine may not send them all within the first one's: those that came
        // too late are closed here, and sent again.
        peers.retain(|peer| peer.set_nonblocking(true).is_ok() && is_open(peer));
        while peers.len() < count as usize {
            peers.push(post(&body[..body.len() - 1]));
        }
        let refused = hear(&mut post(&body));
        let is_refused = refused.starts_with("HTTP/1.1 503") && refused.contains("too many large bodies at once");
        is_refused && memory("VmRSS") > count * (BYTES - 300_000)
    });
    assert!(memory("VmHWM") < bound, "{} MiB", memory("VmHWM") / MIB);
    for peer in &mut peers {
        peer.set_nonblocking(false).unwrap();
        let _ = peer.write_all(&body.as_bytes()[body.len() - 1..]);
        assert!(hear(peer).starts_with("HTTP/1.1 "));
    }

    // Answers that are not read.
    let get = || {
        let mut peer = connect(daemon.address());
        say(&mut peer, &format!("GET {path}/users?limit=1000"), 0);
        peer
    };
    let mut peers: Vec<TcpStream> = (0..count).map(|_| get()).collect();
    for peer in &mut peers {
        let mut beginning = [0; 12];
        peer.read_exact(&mut beginning).unwrap();
        assert_eq!(&beginning, b"HTTP/1.1 200");
    }
    let peak = memory("VmHWM");
    assert!(count * BYTES < peak && peak < bound, "{} MiB", peak / MIB);
    drop(peers);
    wait_until("most of it is given back", || memory("VmRSS") < peak / 2);
    daemon.terminate();
}

/// The figure in operations.md is the release binary's; this one holds for any.
#[test]
fn an_idle_daemon_takes_little() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let daemon = Binary::start(&["--listen", ":0", "--db", database.to_str().unwrap()]);
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, crate::support::readers(0, 100));
    customer.run_to_the_end(&job_id);
    let bytes = daemon.kernel_says("VmRSS") * 1024;
    println!("{} MiB", bytes / MIB);
    assert!(bytes < if cfg!(debug_assertions) { 64 } else { 24 } * MIB, "{bytes}");
    daemon.terminate();
}
