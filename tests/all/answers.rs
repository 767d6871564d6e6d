//! Large answers: whole for each peer however slowly it reads, and freed as they go.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::support::{Daemon, PATIENCE, json, newsletter, wait_until};

/// A peer that takes in little of what it is sent until it reads.
struct Reader {
    stream: TcpStream,
    heard: Vec<u8>,
    is_over: bool,
}

impl Reader {
    fn ask(address: SocketAddr, version: &str, path: &str) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&address.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = "Host: localhost\r\nAuthorization: Bearer acme\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("GET {path} HTTP/{version}\r\n{head}").as_bytes()).unwrap();
        let mut reader = Reader { stream, heard: Vec::new(), is_over: false };
        while reader.heard.len() < 12 {
            reader.read(12);
        }
        reader
    }

    fn read(&mut self, most: usize) {
        let mut piece = vec![0; most];
        let count = self.stream.read(&mut piece).unwrap();
        self.is_over = count == 0;
        self.heard.extend_from_slice(&piece[..count]);
    }

    fn status(&self) -> &str {
        std::str::from_utf8(&self.heard[9..12]).unwrap()
    }

    fn body(&self) -> &[u8] {
        let end = self.heard.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
        &self.heard[end + 4..]
    }
}

#[test]
fn large_answers_are_whole_for_slow_readers_and_their_room_is_free_as_they_are_read() {
    let mut daemon = Daemon::start_with(|config| config.limits.bodies_bytes = 20 * 1024 * 1024);
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let user = |i: u64| json!({ "recipient": format!("reader-{i}"), "data": { "text": "x".repeat(5_900) } });
    customer.ingest(&job_id, (0..1_000).map(user).collect());
    let path = format!("/bulk/{job_id}/users?limit=1000");
    let whole = customer.get(&path).text;
    assert!(whole.len() > 5_900_000, "{}", whole.len());

    let address = daemon.address();
    let as_many_as_there_is_room_for = || {
        let mut readers = Vec::new();
        loop {
            let reader = Reader::ask(address, if readers.len() % 2 == 0 { "1.1" } else { "1.0" }, &path);
            match reader.status() {
                "200" => readers.push(reader),
                status => {
                    assert_eq!(status, "503");
                    return readers;
                }
            }
            assert!(readers.len() < 20, "nothing of what is not read is counted");
        }
    };
    let mut readers = as_many_as_there_is_room_for();
    let count = readers.len();
    assert!(count >= 3, "{count}");
    // A little of each at a time.
    while readers.iter().any(|reader| reader.heard.len() < whole.len() / 2) {
        readers.iter_mut().for_each(|reader| reader.read(50_000));
    }
    // None of them has read its answer whole.
    assert!(!readers.iter().any(|reader| reader.is_over));
    let mut newcomer = None;
    wait_until("there is room for one more", || {
        let reader = Reader::ask(address, "1.1", &path);
        let fits = reader.status() == "200";
        newcomer = fits.then_some(reader);
        fits
    });
    readers.extend(newcomer);
    while readers.iter().any(|reader| !reader.is_over) {
        readers.iter_mut().filter(|reader| !reader.is_over).for_each(|reader| reader.read(50_000));
    }
    assert!(readers.iter().all(|reader| reader.body() == whole.as_bytes()));
    // All of it is given back.
    wait_until("there is as much room as at first", || as_many_as_there_is_room_for().len() >= count);
    daemon.stop();
}
