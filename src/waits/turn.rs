//! One look at the file for all requests that wait. What is new is read once for all waits of an environment that have
//! come equally far.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::condition::{Condition, Count};
use super::criteria::Met;
use super::{Wait, report};
use crate::error::Result;
use crate::http::Response;
use crate::journal::Journal;
use crate::model::bulk::JobStatus;
use crate::model::environment::EnvironmentRow;
use crate::model::row::{MessageEventRow, MessageNumber};
use crate::outbox::Deliveries;
use crate::store::message::{self, MessageLocation};
use crate::store::watch::{self, Reached, Seen};
use crate::store::{Db, due, environment, job};

/// The most messages that one look reads: some ten milliseconds' worth, in which the log cannot start over.
const LOOK_ROWS: usize = 20_000;
/// The most changes of messages that it reads.
const LOOK_EVENTS: usize = 1_000;
/// And its duration at most: once for the waits that decide at a glance, and once for those that take long.
const LOOK_TIME: Duration = Duration::from_millis(20);
/// The share of each environment, unless the look has taken [`LONGEST_LOOK`] by then. The next look begins with others.
const LEAST_TIME: Duration = Duration::from_millis(1);
const LONGEST_LOOK: Duration = Duration::from_millis(100);

/// The result of a look.
pub struct Looked {
    /// The waits that are over, by their places.
    pub answers: Vec<(usize, Response)>,
    pub left: Left,
}

/// What the waits that go on still have to look at, in order of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    Nothing,
    /// Work that can be put off while others have some.
    Something,
    /// A wait is due, or has not seen yet what was there when it came.
    Pressing,
}

pub struct Turn<'a> {
    db: &'a Db<'a>,
    journal: &'a Journal,
    row: EnvironmentRow,
    reached: Reached,
    deliveries: Deliveries<'a>,
    /// Whether the environment has settled, once that was asked.
    is_settled: Option<bool>,
    rows_left: usize,
    time_left: Lanes<Duration>,
}

/// Waits that decide at a glance, and waits that take long: neither waits for the other.
#[derive(Clone, Copy)]
struct Lanes<T> {
    quick: T,
    slow: T,
}

impl<'a> Turn<'a> {
    pub fn take(db: &'a Db<'a>, journal: &'a Journal, waiting: &mut [Wait]) -> Result<Looked> {
        let reached = watch::reached(db)?;
        let mut groups: HashMap<[u8; 32], Vec<(usize, &mut Wait)>> = HashMap::new();
        for (place, wait) in waiting.iter_mut().enumerate() {
            groups.entry(wait.environment.key_hash).or_default().push((place, wait));
        }
        let mut looked = Looked { answers: Vec::new(), left: Left::Nothing };
        let (begun, mut rows_left) = (Instant::now(), LOOK_ROWS);
        let mut time_left = Lanes { quick: LOOK_TIME, slow: LOOK_TIME };
        for (_, mut group) in groups {
            let Some((_, first)) = group.first() else { continue };
            let row = environment::find_or_nothing(db, &first.environment)?;
            let deliveries = Deliveries::new(db);
            let mut turn = Turn { db, journal, row, reached, deliveries, is_settled: None, rows_left, time_left };
            for (_, wait) in &mut group {
                turn.enter(wait)?;
            }
            turn.look(&mut group)?;
            for (place, wait) in &mut group {
                match turn.judge(wait)? {
                    Some(response) => looked.answers.push((*place, response)),
                    None => looked.left = looked.left.max(turn.left(wait)?),
                }
            }
            // Each environment has its share, so that a long one holds up no other.
            rows_left = turn.rows_left.max(LOOK_ROWS / 100);
            let least = if begun.elapsed() < LONGEST_LOOK { LEAST_TIME } else { Duration::ZERO };
            let Lanes { quick, slow } = turn.time_left;
            time_left = Lanes { quick: quick.max(least), slow: slow.max(least) };
        }
        Ok(looked)
    }

    /// Lets a wait see the environment as it is now: after a reset it begins again.
    fn enter(&mut self, wait: &mut Wait) -> Result<()> {
        if wait.row != Some(self.row) {
            wait.begin_in(self.row, self.reached);
            wait.job = None;
        }
        if let Condition::Outbox { criteria, .. } = &wait.condition
            && let (Some(job_id), None) = (&criteria.job_id, wait.job)
        {
            wait.job = job::find(self.db, self.row, job_id)?.map(|job| job.job);
        }
        Ok(())
    }

    fn is_settled(&mut self) -> Result<bool> {
        if self.is_settled.is_none() {
            self.is_settled = Some(due::has_settled(self.db, self.row)?);
        }
        Ok(self.is_settled.unwrap_or_default())
    }

    fn has_caught_up(&self, wait: &Wait) -> bool {
        wait.looked.number >= self.reached.number && wait.looked.event >= self.reached.event
    }

    /// Whether a look is worthwhile now: a wait for many messages needs as many new ones, and other waits are judged
    /// when all has settled.
    fn wants_look(&mut self, wait: &Wait) -> Result<bool> {
        let Condition::Outbox { count, .. } = &wait.condition else { return Ok(false) };
        if wait.looked.number >= self.reached.number {
            return Ok(false);
        }
        let new = self.reached.number.0.abs_diff(wait.looked.number.0);
        Ok(match count {
            _ if wait.is_due() => true,
            Count::AtLeast(count) => wait.matched.count() + new >= *count,
            Count::Exactly(_) | Count::None => self.is_settled()?,
        })
    }

    fn left(&mut self, wait: &Wait) -> Result<Left> {
        let is_waiting_for_all = wait.is_due() && matches!(wait.condition, Condition::Outbox { .. });
        Ok(match self.has_caught_up(wait) {
            true => Left::Nothing,
            false if is_waiting_for_all => Left::Pressing,
            false if wait.looked.event < self.reached.event => Left::Something,
            false if !self.wants_look(wait)? => Left::Nothing,
            false if wait.looked.number < wait.before && !wait.cost.is_high() => Left::Pressing,
            false => Left::Something,
        })
    }

    /// Looks at what is new, first for the quick waits.
    fn look(&mut self, group: &mut [(usize, &mut Wait)]) -> Result<()> {
        let (mut quick, mut slow): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        for (i, (_, wait)) in group.iter().enumerate() {
            if wait.cost.is_high() { slow.push(i) } else { quick.push(i) }
        }
        let begun = Instant::now();
        let until = begun + self.time_left.quick;
        self.read_changes(group, &quick, until)?;
        self.read_messages(group, &quick, until)?;
        self.time_left.quick = self.time_left.quick.saturating_sub(begun.elapsed());
        // Each goes on by itself: the one that has had the least time goes first.
        slow.sort_by_key(|i| group.get(*i).map(|(_, wait)| wait.cost.spent));
        let begun = Instant::now();
        let until = begun + self.time_left.slow;
        for i in slow {
            if Instant::now() >= until {
                break;
            }
            self.read_changes(group, &[i], until)?;
            self.read_messages(group, &[i], until)?;
        }
        self.time_left.slow = self.time_left.slow.saturating_sub(begun.elapsed());
        Ok(())
    }

    /// What has happened since to messages that some of the waits have looked at before.
    fn read_changes(&mut self, group: &mut [(usize, &mut Wait)], of: &[usize], until: Instant) -> Result<()> {
        let looked = of.iter().filter_map(|i| group.get(*i)).map(|(_, wait)| wait.looked.event);
        let behind = looked.filter(|event| *event < self.reached.event).min();
        let Some(behind) = behind.filter(|_| Instant::now() < until) else { return Ok(()) };
        let (happened, mut last) = watch::happened(self.db, self.row, behind, LOOK_EVENTS)?;
        for (event, location) in happened {
            for i in of {
                let Some((_, wait)) = group.get_mut(*i) else { continue };
                if wait.looked.event < event && location.number <= wait.looked.number {
                    self.read_change(wait, event, &location)?;
                }
            }
            if Instant::now() >= until {
                last = event;
                break;
            }
        }
        for i in of {
            if let Some((_, wait)) = group.get_mut(*i) {
                wait.looked.event = wait.looked.event.max(last);
            }
        }
        Ok(())
    }

    fn read_change(&mut self, wait: &mut Wait, event: MessageEventRow, location: &MessageLocation) -> Result<()> {
        if location.number < wait.first || !matches!(wait.condition, Condition::Outbox { .. }) {
            return Ok(());
        }
        if !wait.matched.is_exact() || !wait.untried.is_exact() {
            wait.begin_in(self.row, Reached { event, ..self.reached });
            return Ok(());
        }
        watch::look(self.db, location, |seen| {
            let Condition::Outbox { criteria, .. } = &wait.condition else { return Ok(()) };
            let is_of_recipient =
                criteria.recipient.as_deref().is_none_or(|wanted| seen.recipient().is_ok_and(|it| it == wanted));
            let met = match is_of_recipient {
                true => is_counted(wait, self.db, seen, &mut self.deliveries)?,
                false => Met::No,
            };
            wait.note_again(location.number, met);
            Ok(())
        })
    }

    /// New messages, in the order in which they were made. Waits that are behind others catch up.
    fn read_messages(&mut self, group: &mut [(usize, &mut Wait)], of: &[usize], until: Instant) -> Result<()> {
        let mut at: BTreeMap<MessageNumber, Vec<usize>> = BTreeMap::new();
        for i in of {
            if let Some((_, wait)) = group.get(*i)
                && self.wants_look(wait)?
            {
                at.entry(wait.looked.number).or_default().push(*i);
            }
        }
        while let Some((looked, mut members)) = at.pop_first() {
            if self.rows_left == 0 || Instant::now() >= until {
                return Ok(());
            }
            let up_to = at.first_key_value().map_or(self.reached.number, |(next, _)| *next).min(self.reached.number);
            let from = MessageNumber(looked.0 + 1);
            let audience = Audience::new(group, &members);
            let (db, deliveries) = (self.db, &mut self.deliveries);
            let (read, next) = match audience.others.is_empty() {
                true => watch::scan_recipients(db, self.row, from, up_to, self.rows_left, |recipient, number| {
                    if audience.wants(recipient)
                        && let Some(location) = message::locate(db, number)?
                    {
                        watch::look(db, &location, |seen| audience.show(db, deliveries, group, seen))?;
                    }
                    // Reading the time costs as much as looking at a message.
                    Ok(number.0 % 64 != 0 || Instant::now() < until)
                })?,
                false => watch::scan(db, self.row, from, up_to, self.rows_left, |seen| {
                    audience.show(db, deliveries, group, seen)?;
                    Ok(Instant::now() < until)
                })?,
            };
            self.rows_left -= read.min(self.rows_left);
            let looked = next.map_or(up_to, |next| MessageNumber(next.0 - 1));
            for i in &members {
                if let Some((_, wait)) = group.get_mut(*i) {
                    wait.looked.number = looked;
                }
            }
            // A wait that has enough needs no more, and the others go on together.
            let mut going_on = Vec::new();
            for i in members.drain(..) {
                if let Some((_, wait)) = group.get(i)
                    && self.wants_look(wait)?
                {
                    going_on.push(i);
                }
            }
            if !going_on.is_empty() {
                at.entry(looked).or_default().extend(going_on);
            }
        }
        Ok(())
    }

    /// The answer, if it is over.
    fn judge(&mut self, wait: &Wait) -> Result<Option<Response>> {
        let is_due = wait.is_due();
        match &wait.condition {
            Condition::Job { job_id, status } => {
                let Some(found) = job::find(self.db, self.row, job_id)? else {
                    return self.not_met(wait).map(Some);
                };
                if has_come_to(found.status, *status) {
                    return report::job_met(self.db, self.row, wait, &found).map(Some);
                }
                let is_over = matches!(found.status, JobStatus::Completed | JobStatus::Error);
                if !is_over && !is_due {
                    return Ok(None);
                }
            }
            Condition::Settled => {
                if self.is_settled()? {
                    return Ok(Some(report::settled_met(wait)));
                }
                if !is_due {
                    return Ok(None);
                }
            }
            Condition::Outbox { criteria, count } => {
                let (found, caught_up) = (wait.matched.count(), self.has_caught_up(wait));
                let is_known = caught_up && wait.untried.count() == 0;
                let is_met = match count {
                    Count::AtLeast(count) => found >= *count,
                    Count::Exactly(count) => is_known && found == *count && self.is_settled()?,
                    Count::None => is_known && found == 0 && self.is_settled()?,
                };
                if is_met {
                    return report::outbox_met(self.db, wait, criteria, &mut self.deliveries).map(Some);
                }
                // If it is unknown for some whether they count, more messages cannot change that.
                let is_beyond = |count| found > count || !is_known && found + wait.untried.count() >= count;
                let is_over = match count {
                    Count::AtLeast(_) => false,
                    Count::Exactly(count) => caught_up && is_beyond(*count) && self.is_settled()?,
                    Count::None => caught_up && is_beyond(0) && self.is_settled()?,
                };
                if !(is_over || is_due && (caught_up || wait.is_overdue())) {
                    return Ok(None);
                }
            }
        }
        self.not_met(wait).map(Some)
    }

    fn not_met(&mut self, wait: &Wait) -> Result<Response> {
        let has_looked_at_all = !matches!(wait.condition, Condition::Outbox { .. }) || self.has_caught_up(wait);
        let rest = (self.is_settled()?, has_looked_at_all);
        report::not_met(self.db, self.journal, self.row, wait, rest, &mut self.deliveries)
    }
}

/// Whether a job has this status, or has passed it.
fn has_come_to(found: JobStatus, wanted: JobStatus) -> bool {
    use JobStatus::{Completed, Created, Processing};
    match (wanted, found) {
        (wanted, found) if wanted == found => true,
        (Created, _) | (Processing, Completed) => true,
        _ => false,
    }
}

/// Whether a message for the right recipient counts. The cost is noted.
fn is_counted(wait: &mut Wait, db: &Db<'_>, seen: &Seen<'_>, deliveries: &mut Deliveries<'_>) -> Result<Met> {
    let Wait { condition, job, cost, .. } = wait;
    let Condition::Outbox { criteria, .. } = condition else { return Ok(Met::No) };
    if criteria.job_id.is_some() && *job != Some(seen.location.job) {
        return Ok(Met::No);
    }
    if !criteria.may_take_long() {
        return criteria.match_message(db, seen, deliveries);
    }
    let begun = Instant::now();
    let is_met = criteria.match_message(db, seen, deliveries);
    cost.add(begun.elapsed());
    is_met
}

/// The waits that are shown messages. Those for one recipient are found by it, however many there are.
struct Audience {
    by_recipient: HashMap<String, Vec<usize>>,
    others: Vec<usize>,
}

impl Audience {
    fn new(group: &[(usize, &mut Wait)], members: &[usize]) -> Self {
        let mut audience = Audience { by_recipient: HashMap::new(), others: Vec::new() };
        for &i in members {
            let recipient = group.get(i).and_then(|(_, wait)| match &wait.condition {
                Condition::Outbox { criteria, .. } => criteria.recipient.clone(),
                _ => None,
            });
            match recipient {
                Some(recipient) => audience.by_recipient.entry(recipient).or_default().push(i),
                None => audience.others.push(i),
            }
        }
        audience
    }

    fn wants(&self, recipient: &str) -> bool {
        self.by_recipient.contains_key(recipient)
    }

    fn show(
        &self,
        db: &Db<'_>,
        deliveries: &mut Deliveries<'_>,
        group: &mut [(usize, &mut Wait)],
        seen: &Seen<'_>,
    ) -> Result<()> {
        let of_recipient = match self.by_recipient.is_empty() {
            true => None,
            false => self.by_recipient.get(seen.recipient()?),
        };
        for &i in of_recipient.into_iter().flatten().chain(&self.others) {
            let Some((_, wait)) = group.get_mut(i) else { continue };
            let met = is_counted(wait, db, seen, deliveries)?;
            wait.note(seen.location.number, met);
        }
        Ok(())
    }
}
