//! A server that is told of events, as the owner of a webhook runs one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use serde_json::Value;

/// A call that it was made.
#[derive(Clone)]
pub struct Call {
    pub headers: BTreeMap<String, String>,
    pub text: String,
    pub body: Value,
}

impl Call {
    pub fn event_id(&self) -> &str {
        &self.headers["x-bulkd-event-id"]
    }

    pub fn data(&self, name: &str) -> &Value {
        &self.body["data"][name]
    }

    fn read(request: &mut tiny_http::Request) -> Self {
        let headers = request.headers().iter();
        let headers =
            headers.map(|it| (it.field.as_str().as_str().to_ascii_lowercase(), it.value.as_str().to_owned())).collect();
        let mut text = String::new();
        request.as_reader().read_to_string(&mut text).unwrap();
        Call { headers, body: serde_json::from_str(&text).unwrap(), text }
    }
}

pub struct Receiver {
    server: Arc<tiny_http::Server>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// One that answers each call with this status.
    #[allow(clippy::disallowed_methods, reason = "a test's thread needs no name")]
    pub fn start(mut answer: impl FnMut(Call) -> u16 + Send + 'static) -> Self {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let ours = server.clone();
        let thread = std::thread::spawn(move || {
            while let Ok(mut request) = ours.recv() {
                let status = answer(Call::read(&mut request));
                // The daemon does not follow it.
                let location = tiny_http::Header::from_bytes("Location", "/elsewhere").unwrap();
                let _ = request.respond(tiny_http::Response::empty(status).with_header(location));
            }
        });
        Receiver { server, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/events", self.server.server_addr())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.unblock();
        let _ = self.thread.take().unwrap().join();
    }
}
