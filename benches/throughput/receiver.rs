//! A receiver of webhooks that takes every event at once.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Receiver {
    pub address: SocketAddr,
    taken: Arc<AtomicUsize>,
}

impl Receiver {
    /// Listens until the process ends.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Receiver { address: listener.local_addr().unwrap(), taken: Arc::default() };
        let taken = receiver.taken.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let taken = taken.clone();
                std::thread::spawn(move || take(stream.unwrap(), &taken));
            }
        });
        receiver
    }

    /// Events taken so far.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

fn take(mut stream: std::net::TcpStream, taken: &AtomicUsize) {
    let mut held = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(n) => held.extend_from_slice(&buffer[..n]),
        }
        while let Some(length) = whole_request(&held) {
            held.drain(..length);
            taken.fetch_add(1, Ordering::Relaxed);
            if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                return;
            }
        }
    }
}

/// The length of the first request, if all of it is there.
fn whole_request(bytes: &[u8]) -> Option<usize> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes).ok()? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return None,
    };
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"))?;
    let length = head + std::str::from_utf8(length.value).ok()?.parse::<usize>().ok()?;
    (bytes.len() >= length).then_some(length)
}
