//! A keep-alive HTTP client that costs next to nothing, so that what is measured is the daemon.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

pub struct Connection {
    stream: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream, head: String::new(), buffer: vec![0; 1 << 16] }
    }

    /// Sends a request and returns the body of its answer, which has to have this status.
    pub fn send(&mut self, method: &str, path: &str, body: &[u8], status: u16) -> &[u8] {
        self.ask(method, path, body);
        self.receive(status)
    }

    /// Sends a request, whose answer is to be received later.
    pub fn ask(&mut self, method: &str, path: &str, body: &[u8]) {
        use std::fmt::Write as _;
        self.head.clear();
        write!(
            self.head,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer bench\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .unwrap();
        if body.len() < 4096 {
            let mut whole = Vec::with_capacity(self.head.len() + body.len());
            whole.extend_from_slice(self.head.as_bytes());
            whole.extend_from_slice(body);
            self.stream.write_all(&whole).unwrap();
        } else {
            self.stream.write_all(self.head.as_bytes()).unwrap();
            self.stream.write_all(body).unwrap();
        }
    }

    /// The body of the next answer, which has to have this status.
    pub fn receive(&mut self, status: u16) -> &[u8] {
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                self.buffer.resize(2 * filled, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..]).unwrap();
            assert!(read > 0, "the connection was closed");
            filled += read;
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut response = httparse::Response::new(&mut headers);
            let Ok(httparse::Status::Complete(head)) = response.parse(&self.buffer[..filled]) else {
                continue;
            };
            let length = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
            let length: usize = length.map_or(0, |it| std::str::from_utf8(it.value).unwrap().parse().unwrap());
            let found = response.code.unwrap();
            if self.buffer.len() < head + length {
                self.buffer.resize(head + length, 0);
            }
            self.stream.read_exact(&mut self.buffer[filled.min(head + length)..head + length]).unwrap();
            let body = &self.buffer[head..head + length];
            assert_eq!(found, status, "{}", String::from_utf8_lossy(body));
            return body;
        }
    }

    pub fn json(&mut self, method: &str, path: &str, body: &[u8], status: u16) -> serde_json::Value {
        serde_json::from_slice(self.send(method, path, body, status)).unwrap()
    }
}
