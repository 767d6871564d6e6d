//! A server in place of a provider's: it keeps what it is told, and a test says what it answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

/// A call that it was made.
#[derive(Clone, Debug)]
pub struct Made {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub text: String,
}

impl Made {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The recipient in the envelope of a webhook.
    pub fn recipient(&self) -> String {
        self.json()["data"]["recipient"].as_str().unwrap().to_owned()
    }
}

/// Status, headers and body.
pub type Said = (u16, Vec<(&'static str, String)>, String);

type Answer = Box<dyn FnMut(&Made) -> Said + Send>;

pub struct Stand {
    server: Arc<tiny_http::Server>,
    made: Arc<Mutex<Vec<Made>>>,
    answer: Arc<Mutex<Answer>>,
    thread: Option<JoinHandle<()>>,
}

pub fn status(status: u16) -> Said {
    (status, Vec::new(), String::new())
}

impl Stand {
    /// One that takes everything.
    pub fn willing() -> Self {
        Stand::start(|_| status(200))
    }

    #[allow(clippy::disallowed_methods, reason = "a test's thread needs no name")]
    pub fn start(answer: impl FnMut(&Made) -> Said + Send + 'static) -> Self {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let (made, answer): (Arc<Mutex<Vec<Made>>>, Arc<Mutex<Answer>>) =
            (Arc::default(), Arc::new(Mutex::new(Box::new(answer))));
        let (ours, kept, answers) = (server.clone(), made.clone(), answer.clone());
        let thread = std::thread::spawn(move || {
            while let Ok(mut request) = ours.recv() {
                let headers = request.headers().iter();
                let headers =
                    headers.map(|it| (it.field.to_string().to_ascii_lowercase(), it.value.to_string())).collect();
                let mut text = String::new();
                request.as_reader().read_to_string(&mut text).unwrap();
                let call = Made { path: request.url().to_owned(), headers, text };
                let (status, headers, body) = answers.lock().unwrap()(&call);
                kept.lock().unwrap().push(call);
                let mut response = tiny_http::Response::from_string(body).with_status_code(status);
                for (name, value) in headers {
                    response = response.with_header(tiny_http::Header::from_bytes(name, value).unwrap());
                }
                let _ = request.respond(response);
            }
        });
        Stand { server, made, answer, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.server_addr())
    }

    pub fn answers(&self, answer: impl FnMut(&Made) -> Said + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    pub fn made(&self) -> Vec<Made> {
        self.made.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.made.lock().unwrap().len()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.server.unblock();
        let _ = self.thread.take().unwrap().join();
    }
}
