//! SMTP, by one connection that is used again.
//!
//! A thread of its own speaks to the server: a read has a bound, and not the whole of an answer that comes byte by byte. A
//! thread that takes too long is left behind, with its connection. It begins nothing more, and ends when the server lets it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::apart::{Apart, Stops, Without};
use super::smtp_talk::{Progress, Server, Talk};
use super::{Outcome, Sender};
use crate::deliver::envelope::{Envelope, Mail};
use crate::error::Result;
use crate::model::deliver_target::SmtpServer;

/// For the whole of a send, and so much more for the bytes of a long e-mail; never more than the longest, for a sender of the
/// relay counts as lost some time after that.
const BOUND: Duration = Duration::from_secs(60);
const BYTES_A_SECOND: u64 = 64 * 1024;
const LONGEST_BOUND: Duration = Duration::from_secs(4 * 60);
/// For one read or write of it.
const STEP: Duration = Duration::from_secs(10);
/// Threads at once, with those that were left behind. With so many the server is left alone.
const THREADS: usize = 4;

pub struct SmtpSender {
    server: Arc<Server>,
    bounds: Bounds,
    /// The thread that speaks to the server, while it has nothing to do.
    speaker: Mutex<Option<Speaker>>,
    /// Each thread that has not ended has one of it.
    threads: Arc<()>,
    stops: Stops,
}

#[derive(Clone, Copy)]
struct Bounds {
    whole: Duration,
    step: Duration,
}

type Speaker = Apart<Job, Outcome>;

/// An e-mail to hand over.
struct Job {
    mail: Mail,
    until: Instant,
    progress: Arc<Progress>,
}

impl SmtpSender {
    pub fn new(server: &SmtpServer) -> Result<Self> {
        let bounds = Bounds { whole: BOUND, step: STEP };
        Ok(SmtpSender {
            server: Arc::new(Server::new(server)?),
            bounds,
            speaker: Mutex::default(),
            threads: Arc::default(),
            stops: Stops::default(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Option<Speaker>> {
        self.speaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread that has nothing to do.
    fn speaker(&self) -> std::result::Result<Speaker, Outcome> {
        if let Some(kept) = self.kept().take() {
            return Ok(kept);
        }
        let left = Arc::strong_count(&self.threads) - 1;
        if left >= THREADS {
            return Err(Outcome::failed(format!("the SMTP server still holds up {left} earlier connections")));
        }
        let (mut talk, running) = (Talk::new(self.server.clone(), self.bounds.step), self.threads.clone());
        let speak = move |job: Job| {
            let _running = &running;
            talk.hand_over(&job.mail, job.until, &job.progress)
        };
        Apart::start("deliver smtp", speak)
            .map_err(|error| Outcome::failed(format!("no thread can be started: {error}")))
    }

    fn hand_over(&self, mail: &Mail) -> Outcome {
        let speaker = match self.speaker() {
            Ok(speaker) => speaker,
            Err(outcome) => return outcome,
        };
        let bytes = u64::try_from(mail.data.len()).unwrap_or(u64::MAX);
        let bound = (self.bounds.whole + Duration::from_secs(bytes / BYTES_A_SECOND)).min(LONGEST_BOUND);
        let progress = Arc::<Progress>::default();
        let until = Instant::now() + bound;
        let job = Job { mail: mail.clone(), until, progress: progress.clone() };
        let ordered = speaker.order(job, &self.stops);
        let answered = ordered.and_then(|answer| answer.wait(Some(until), &self.stops, || progress.leave()));
        match answered {
            Ok(outcome) => {
                *self.kept() = Some(speaker);
                outcome
            }
            Err(without) => {
                progress.leave();
                Outcome::failed(match without {
                    Without::Late => format!("the SMTP server takes longer than {} s", bound.as_secs_f32()),
                    Without::Stopped => "it is stopping".to_owned(),
                    Without::Ended => "the thread that speaks to the SMTP server has ended".to_owned(),
                })
            }
        }
    }
}

impl Sender for SmtpSender {
    fn send(&self, envelope: &Envelope) -> Outcome {
        match &envelope.data.mail {
            Some(mail) => self.hand_over(mail),
            None => Outcome::refused("an SMTP server takes e-mails, and nothing else"),
        }
    }

    fn stop(&self) {
        self.stops.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;
    use crate::deliver::sender::Retry;
    use crate::model::deliver_target::Security;

    #[test]
    fn a_server_that_takes_too_long_holds_up_no_send_and_few_threads() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = SmtpServer { security: Security::None, user: None, host: "127.0.0.1".to_owned(), port };
        let mut sender = SmtpSender::new(&server).unwrap();
        sender.bounds.whole = Duration::from_millis(100);
        // What is left behind stays for as long as the test holds it.
        sender.bounds.step = Duration::from_secs(600);
        let mail = Mail { from: None, to: vec!["ada@example.com".to_owned()], data: "Hi".to_owned() };
        let mut held = Vec::new();
        for _ in 0..THREADS {
            let Outcome::Refused { error, retry, .. } = sender.hand_over(&mail) else { panic!("it was accepted") };
            assert_eq!((error.as_str(), retry), ("the SMTP server takes longer than 0.1 s", Retry::After(None)));
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(b"2").unwrap();
            held.push(stream);
        }
        let held_up = Outcome::failed(format!("the SMTP server still holds up {THREADS} earlier connections"));
        assert_eq!(sender.hand_over(&mail), held_up);
        // What was left behind ends with its connection.
        drop(held);
        let (_never, pause) = crossbeam_channel::bounded::<()>(0);
        let patience = Instant::now() + Duration::from_secs(60);
        while Arc::strong_count(&sender.threads) > 1 {
            assert!(Instant::now() < patience, "threads that were left behind do not end");
            let _ = pause.recv_timeout(Duration::from_millis(5));
        }
        assert_ne!(sender.hand_over(&mail), held_up);
    }
}
