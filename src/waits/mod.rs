//! Requests that wait until a condition holds. None holds a thread: one thread evaluates all of them, each time over
//! what is new since its last look. Those with a pattern have a second thread: searching one long text may take
//! seconds.

mod condition;
mod criteria;
mod matched;
mod report;
mod turn;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

pub use condition::{Asked, Condition, DEFAULT_MILLIS, ID_CHARACTERS, MAX_MILLIS};
pub use criteria::{CRITERIA, NAME_CHARACTERS, PATTERN_CHARACTERS, VALUE_BYTES};

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::follow::{self, Next};
use crate::http::{Answerer, Reply};
use crate::journal::Journal;
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::row::{JobRow, MessageNumber};
use crate::render::RENDER_STACK_BYTES;
use crate::store::Store;
use crate::store::watch::Reached;
use crate::threads;
use criteria::Met;
use matched::Matched;
use turn::{Left, Turn};

/// Requests that wait, at most. Each holds a connection.
const WAITING: usize = 1_000;
/// A pause follows a look, so many times as long as the look: the waits take no more than that share of a processor's
/// time.
const PAUSE_SHARE: u32 = 30;
const LEAST_PAUSE: Duration = Duration::from_millis(5);
/// And so late a wait is at most.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// A wait whose messages take long to decide goes on for so long after its deadline, if it has not seen all by then.
const GRACE_MILLIS: i64 = 2_000;
/// Messages take long if deciding about them has taken so much in total, and so much for each: other waits do not wait
/// for their share of a turn.
const HIGH_COST: Duration = Duration::from_millis(5);
const HIGH_COST_EACH: Duration = Duration::from_micros(20);
/// After so long without a new message, a look holds up no other work.
const QUIET: Duration = Duration::from_millis(20);

/// All requests that wait.
pub struct Waits {
    store: Arc<Store>,
    /// The clock of the waits. It is not a test clock, which may stand still.
    clock: Clock,
    /// What was requested: a person wants to see it beside what was not found.
    journal: Arc<Journal>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_stopping: bool,
    plain: Lane,
    with_patterns: Lane,
}

/// The waits of one thread.
#[derive(Default)]
struct Lane {
    /// Those that were not looked at yet.
    new: Vec<Wait>,
    /// All that wait.
    count: usize,
    /// Whether there was any at the last look.
    is_any: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    WithPatterns,
}

impl Lane {
    /// So many of those that were looked at go on waiting.
    fn leave(&mut self, waiting: usize) {
        self.count = waiting + self.new.len();
    }
}

impl State {
    fn lane(&mut self, kind: Kind) -> &mut Lane {
        match kind {
            Kind::Plain => &mut self.plain,
            Kind::WithPatterns => &mut self.with_patterns,
        }
    }
}

/// A request that waits.
struct Wait {
    environment: Environment,
    condition: Condition,
    begun: Timestamp,
    /// At the last look.
    now: Timestamp,
    deadline: Timestamp,
    answerer: Answerer,
    /// The first number that it looks at.
    first: MessageNumber,
    /// The environment's row, in which all of the following was seen. `None` before the first look.
    row: Option<EnvironmentRow>,
    /// The job of its criteria.
    job: Option<JobRow>,
    /// The last message that was there when it came.
    before: MessageNumber,
    /// How far it has looked.
    looked: Reached,
    matched: Matched,
    /// Messages that may or may not count: a text is too long for a pattern.
    untried: Matched,
    cost: Cost,
}

/// What it has cost to decide whether messages count for a wait, if that can take long.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    spent: Duration,
    messages: u32,
}

impl Cost {
    fn add(&mut self, spent: Duration) {
        self.spent = self.spent.saturating_add(spent);
        self.messages = self.messages.saturating_add(1);
    }

    fn is_high(&self) -> bool {
        self.spent > HIGH_COST && self.spent > HIGH_COST_EACH.saturating_mul(self.messages)
    }
}

impl Waits {
    /// Starts the threads that evaluate them.
    pub fn start(store: Arc<Store>, clock: Clock, journal: Arc<Journal>) -> Result<(Arc<Self>, [JoinHandle<()>; 2])> {
        let waits = Arc::new(Waits { store, clock, journal, state: Mutex::default() });
        let spawn = |name: &str, kind: Kind| {
            let running = waits.clone();
            let thread = Builder::new().name(name.to_owned()).stack_size(RENDER_STACK_BYTES);
            threads::spawn_service(thread, move || running.run(kind))
                .map_err(|error| Error::startup(format!("the thread '{name}' cannot be started: {error}")))
        };
        let threads = [spawn("waits", Kind::Plain)?, spawn("waits by pattern", Kind::WithPatterns)?];
        Ok((waits, threads))
    }

    /// The reply to a request that waits in this environment, for messages from the number `first` on.
    pub fn reply(&self, environment: &Environment, asked: Asked, first: MessageNumber) -> Result<Reply> {
        let begun = self.clock.now();
        let (reply, answerer) = Reply::later();
        let wait = Wait {
            environment: environment.clone(),
            condition: asked.condition,
            begun,
            now: begun,
            deadline: begun.after(asked.timeout_millis),
            answerer,
            first,
            row: None,
            job: None,
            before: MessageNumber::default(),
            looked: Reached::default(),
            matched: Matched::default(),
            untried: Matched::default(),
            cost: Cost::default(),
        };
        let has_room = {
            let mut state = self.state();
            let has_room = state.plain.count + state.with_patterns.count < WAITING;
            if has_room {
                let lane = state.lane(wait.kind());
                lane.count += 1;
                lane.new.push(wait);
            }
            has_room
        };
        // Even without room: then those whose peers have gone make some.
        self.store.changes_bell().ring();
        match has_room {
            true => Ok(reply),
            false => Err(Error::full(format!("{WAITING} requests wait already; try again later"))),
        }
    }

    /// How many requests wait.
    pub fn count(&self) -> usize {
        let state = self.state();
        state.plain.count + state.with_patterns.count
    }

    /// Ends the threads. What still waits gets the error that bulkd stops.
    pub fn stop(&self) {
        self.state().is_stopping = true;
        self.store.changes_bell().ring();
    }

    fn run(&self, kind: Kind) {
        let mut waiting: Vec<Wait> = Vec::new();
        let is_stopping = || self.state().is_stopping;
        follow::follow(
            &self.store,
            self.store.changes_bell(),
            "waiting requests are not looked at",
            is_stopping,
            || self.turn(kind, &mut waiting),
        );
    }

    fn turn(&self, kind: Kind, waiting: &mut Vec<Wait>) -> Result<Next> {
        let begun = Instant::now();
        {
            let mut state = self.state();
            waiting.append(&mut state.lane(kind).new);
            waiting.retain(|wait| !wait.answerer.is_closed());
            state.lane(kind).leave(waiting.len());
            // Before the look, so that no later commit is missed.
            state.lane(kind).is_any = !waiting.is_empty();
            self.store.follow_changes(state.plain.is_any || state.with_patterns.is_any);
        }
        let left = match waiting.is_empty() {
            true => Left::Nothing,
            false => self.look(kind, waiting)?,
        };
        {
            let mut state = self.state();
            let lane = state.lane(kind);
            lane.leave(waiting.len());
            if left == Left::Pressing || !lane.new.is_empty() {
                return Ok(Next::Again);
            }
        }
        let Some(until) = waiting.iter().map(|wait| wait.deadline).min() else { return Ok(Next::Wait) };
        let pause = (begun.elapsed() * PAUSE_SHARE).clamp(LEAST_PAUSE, LONGEST_PAUSE);
        self.pause(kind, pause);
        Ok(if left == Left::Something { Next::Again } else { Next::WaitFor(self.clock.until(until)) })
    }

    /// Leaves the machine to other threads, unless no messages are made, or a new wait comes.
    fn pause(&self, kind: Kind, mut left: Duration) {
        let is_over = || {
            let mut state = self.state();
            state.is_stopping || !state.lane(kind).new.is_empty()
        };
        while !left.is_zero() && !is_over() {
            let (commits, slice) = (self.store.message_commits().count(), left.min(QUIET));
            self.store.changes_bell().pause(slice, is_over);
            left -= slice;
            if slice == QUIET && self.store.message_commits().count() == commits {
                return;
            }
        }
    }

    /// Looks at what is new, and answers the waits that are over.
    fn look(&self, kind: Kind, waiting: &mut Vec<Wait>) -> Result<Left> {
        let now = self.clock.now();
        waiting.iter_mut().for_each(|wait| wait.now = now);
        let looked = self.store.read(|db| Turn::take(db, &self.journal, waiting))?;
        let mut answers = looked.answers;
        // From the last one on, so that the places of the others stay.
        answers.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
        let over: Vec<_> = answers.into_iter().map(|(place, it)| (waiting.swap_remove(place).answerer, it)).collect();
        // Before the answers, so that a client that asks again at once finds room.
        self.state().lane(kind).leave(waiting.len());
        over.into_iter().for_each(|(answerer, response)| answerer.answer(response));
        Ok(looked.left)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    fn kind(&self) -> Kind {
        match &self.condition {
            Condition::Outbox { criteria, .. } if criteria.has_patterns() => Kind::WithPatterns,
            _ => Kind::Plain,
        }
    }

    fn is_due(&self) -> bool {
        self.deadline <= self.now
    }

    /// Whether its time after the deadline is over as well, so that it is answered with what it has seen.
    fn is_overdue(&self) -> bool {
        self.cost.is_high() && self.deadline.after(GRACE_MILLIS) <= self.now
    }

    fn waited_millis(&self) -> i64 {
        self.now.millis().saturating_sub(self.begun.millis()).max(0)
    }

    /// Begins again in this row.
    fn begin_in(&mut self, row: EnvironmentRow, reached: Reached) {
        self.row = Some(row);
        self.before = reached.number;
        self.looked = Reached { number: MessageNumber(self.first.0.max(1) - 1), event: reached.event };
        self.matched = Matched::default();
        self.untried = Matched::default();
    }

    /// Notes the result for a message that was not looked at before.
    fn note(&mut self, number: MessageNumber, met: Met) {
        match met {
            Met::Yes => self.matched.add(number),
            Met::Untried => self.untried.add(number),
            Met::No => {}
        }
    }

    /// The same for one that was.
    fn note_again(&mut self, number: MessageNumber, met: Met) {
        self.matched.set(number, met == Met::Yes);
        self.untried.set(number, met == Met::Untried);
    }
}
