//! A server that takes e-mails, as far as a test needs one: it speaks plain SMTP, and a test says what it answers.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// An e-mail that it has taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    pub data: String,
}

/// What it says to a recipient, or to the end of the data: 250 takes it.
type Answer = Box<dyn FnMut(&str) -> String + Send>;

pub struct SmtpServer {
    pub address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
    logins: Arc<Mutex<Vec<String>>>,
    stopping: Arc<AtomicBool>,
    ends_after_each: Arc<AtomicBool>,
}

impl SmtpServer {
    pub fn start() -> Self {
        SmtpServer::answering(|_| "250 ok".to_owned())
    }

    /// One that asks what to answer to a recipient.
    pub fn answering(answer: impl FnMut(&str) -> String + Send + 'static) -> Self {
        SmtpServer::at(SocketAddr::from(([127, 0, 0, 1], 0)), answer)
    }

    /// The same at this address.
    #[allow(clippy::disallowed_methods, reason = "a test's thread needs no name")]
    pub fn at(address: SocketAddr, answer: impl FnMut(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let server = SmtpServer {
            address: listener.local_addr().unwrap(),
            taken: Arc::default(),
            logins: Arc::default(),
            stopping: Arc::default(),
            ends_after_each: Arc::default(),
        };
        let (taken, logins, stopping) = (server.taken.clone(), server.logins.clone(), server.stopping.clone());
        let ends_after_each = server.ends_after_each.clone();
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (taken, logins, answer) = (taken.clone(), logins.clone(), answer.clone());
                let ends = ends_after_each.clone();
                std::thread::spawn(move || drop(talk(&stream, &taken, &logins, &answer, &ends)));
            }
        });
        server
    }

    /// From now on it takes one e-mail a connection, and hangs up.
    pub fn end_after_each(&self) {
        self.ends_after_each.store(true, Ordering::SeqCst);
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// What was sent to log in.
    pub fn logins(&self) -> Vec<String> {
        self.logins.lock().unwrap().clone()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn talk(
    stream: &TcpStream,
    taken: &Mutex<Vec<Taken>>,
    logins: &Mutex<Vec<String>>,
    answer: &Mutex<Answer>,
    ends_after_each: &AtomicBool,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream);
    let say = |text: &str| {
        let mut stream = stream;
        stream.write_all(format!("{text}\r\n").as_bytes())
    };
    say("220 a test")?;
    let (mut from, mut to) = (String::new(), Vec::new());
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let address =
            || line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).unwrap_or_default().0.to_owned();
        match line.get(..4).unwrap_or_default() {
            "EHLO" => say("250-a test\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN")?,
            "AUTH" => {
                logins.lock().unwrap().push(line.to_owned());
                say("235 welcome")?;
            }
            "MAIL" => {
                (from, to) = (address(), Vec::new());
                say("250 ok")?;
            }
            "RCPT" => {
                let said = answer.lock().unwrap()(&address());
                if said.starts_with("250") {
                    to.push(address());
                }
                say(&said)?;
            }
            "DATA" => {
                say("354 go on")?;
                let mut data = String::new();
                loop {
                    let mut line = String::new();
                    if lines.read_line(&mut line)? == 0 {
                        return Ok(());
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    data.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                taken.lock().unwrap().push(Taken { from: from.clone(), to: to.clone(), data });
                say("250 taken as 17")?;
                if ends_after_each.load(Ordering::SeqCst) {
                    return Ok(());
                }
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
}
