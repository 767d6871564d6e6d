//! Work that cannot be broken off, on a thread of its own: who waits for it can go on without it.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender as Channel, at, bounded, never, select, select_biased};

/// A stop waits so long for the answer to what is under way.
const GRACE: Duration = Duration::from_secs(5);

/// A thread that does one thing after the other. It ends by itself once this is dropped and it has done what it is at.
pub struct Apart<I, O> {
    orders: Channel<(I, Channel<O>)>,
}

/// An order whose answer is waited for.
pub struct Answer<O>(Receiver<O>);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// There was none by then.
    Late,
    Stopped,
    /// The thread has ended, such as by a panic.
    Ended,
}

/// Says once to all that wait that all stops.
pub struct Stops {
    stops: Mutex<Option<Channel<()>>>,
    stopped: Receiver<()>,
}

impl<I: Send + 'static, O: Send + 'static> Apart<I, O> {
    pub fn start(name: &str, mut work: impl FnMut(I) -> O + Send + 'static) -> io::Result<Self> {
        let (orders, ordered) = bounded::<(I, Channel<O>)>(0);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for (order, answer) in ordered {
                let _ = answer.send(work(order));
            }
        })?;
        Ok(Apart { orders })
    }

    /// Orders something, as soon as what was ordered before is done, unless there is a stop before that.
    pub fn order(&self, order: I, stops: &Stops) -> Result<Answer<O>, Without> {
        let (answer, answered) = bounded(1);
        select! {
            send(self.orders, (order, answer)) -> sent => sent.map_err(|_| Without::Ended)?,
            recv(stops.stopped) -> _ => return Err(Without::Stopped),
        }
        Ok(Answer(answered))
    }
}

impl<O> Answer<O> {
    /// Waits for it until then, if that is given, and no longer than until a stop. At a stop `is_under_way` says whether what
    /// was ordered may be done by now: then its answer has a short while, for without it that would be done again.
    pub fn wait(
        &self,
        until: Option<Instant>,
        stops: &Stops,
        is_under_way: impl FnOnce() -> bool,
    ) -> Result<O, Without> {
        match self.wait_until(until, Some(stops)) {
            Err(Without::Stopped) if is_under_way() => self.wait_until(Some(Instant::now() + GRACE), None),
            answered => answered,
        }
    }

    /// An answer that is there counts, however late it is looked for.
    fn wait_until(&self, until: Option<Instant>, stops: Option<&Stops>) -> Result<O, Without> {
        let (late, nothing) = (until.map_or_else(never, at), never());
        select_biased! {
            recv(self.0) -> answer => answer.map_err(|_| Without::Ended),
            recv(late) -> _ => Err(Without::Late),
            recv(stops.map_or(&nothing, |it| &it.stopped)) -> _ => Err(Without::Stopped),
        }
    }
}

impl Default for Stops {
    fn default() -> Self {
        let (stops, stopped) = bounded(0);
        Stops { stops: Mutex::new(Some(stops)), stopped }
    }
}

impl Stops {
    pub fn stop(&self) {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
