//! A bare tiny_http `Server` that answers fixed bytes, in a process of its own.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// Runs `measure` against a bare tiny_http server in a process of its own.
pub fn with_tiny_http(body: &str, measure: impl FnOnce(SocketAddr) -> f64) -> f64 {
    use std::io::BufRead;
    let this = std::env::current_exe().unwrap();
    let mut server = Command::new(this).args(["--tiny-http", body]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let measured = measure(line.trim().parse().unwrap());
    let _ = server.kill();
    let _ = server.wait();
    measured
}

pub fn serve(body: Vec<u8>) {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    println!("{}", server.server_addr());
    let server = std::sync::Arc::new(server);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (server, body) = (server.clone(), body.clone());
            std::thread::spawn(move || {
                let json = tiny_http::Header::from_bytes("Content-Type", "application/json").unwrap();
                for request in server.incoming_requests() {
                    let response = tiny_http::Response::from_data(body.clone()).with_header(json.clone());
                    let _ = request.respond(response);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
